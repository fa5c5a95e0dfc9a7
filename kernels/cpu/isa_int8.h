/* SPDX-License-Identifier: MIT
 *
 * What the products of quantised weights share: rounding a group of activations, and a group of weights as bytes. Included by the
 * isa_int8*.c alone, which are compiled once per level.
 */
#ifndef VLK_ISA_INT8_H
#define VLK_ISA_INT8_H

#include "kernels/cpu/simd.h"

#define GROUP VLK_QUANT_GROUP

/* The scale of a group (NaN if anything in it is not finite), and x / scale rounded. */
INLINE float round_group(const float *x, int n, float q[GROUP])
{
    vf top = vf_set1(0), wild = vf_set1(0);
    float padded[GROUP], peak, inverse;

    if (n < GROUP) {
        memset(padded, 0, sizeof padded);
        memcpy(padded, x, (size_t)n * sizeof *x);
        x = padded;
    }
    for (int i = 0; i < GROUP; i += W) {
        vf v = vf_load(x + i);

        top = vf_max(vf_max(v, vf_set1(0) - v), top);
        wild = wild + v * vf_set1(0);
    }
    peak = vf_hmax(top);
    inverse = peak > 0x1p-119f ? 127 / peak : 0; /* of much less it would be infinite, and 0 times that no number */
    for (int i = 0; i < GROUP; i += W)
        vf_store(q + i, vf_round(vf_load(x + i) * vf_set1(inverse)));
    return peak / 127 + vf_sum(wild);
}

#if defined(__AVX2__)
INLINE void store_codes(const float q[GROUP], int8_t *codes, int32_t *sums)
{
    __m256i a = _mm256_packs_epi32(_mm256_cvtps_epi32(_mm256_loadu_ps(q)), _mm256_cvtps_epi32(_mm256_loadu_ps(q + 8)));
    __m256i b = _mm256_packs_epi32(_mm256_cvtps_epi32(_mm256_loadu_ps(q + 16)), _mm256_cvtps_epi32(_mm256_loadu_ps(q + 24)));
    __m256i c = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(a, b), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    __m256i fours = _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), c), _mm256_set1_epi16(-128));

    _mm256_storeu_si256((__m256i *)(void *)codes, c);
    _mm256_storeu_si256((__m256i *)(void *)sums, fours);
}
#else
INLINE void store_codes(const float q[GROUP], int8_t *codes, int32_t *sums)
{
    for (int i = 0; i < GROUP / 4; i++) {
        sums[i] = 0;
        for (int j = 4 * i; j < 4 * i + 4; j++) {
            codes[j] = (int8_t)q[j];
            sums[i] -= 128 * codes[j];
        }
    }
}
#endif

#if defined(__AVX512VNNI__)

/* Written out, for compilers copy the accumulators of the intrinsic. */
INLINE __m512i dot_bytes(__m512i sum, __m512i u8, __m512i s8)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(u8), "v"(s8));
    return sum;
}

/* 64 weights plus 128 as u8; only the first group where there is one. */
INLINE __m512i load_weights(vlk_dtype dtype, const uint8_t *codes, int groups)
{
    const __m512i table = _mm512_broadcast_i32x4(_mm_xor_si128(_mm_setr_epi8(VLK_I4_CODES), _mm_set1_epi8(-128)));
    const __m512i spread = _mm512_setr_epi64(0, 1, 0, 1, 2, 3, 2, 3);
    const __m512i shift = _mm512_setr_epi64(0, 0, 0x4000400040004, 0x4000400040004, 0, 0, 0x4000400040004, 0x4000400040004);
    __m512i v;

    if (dtype == VLK_I8G) {
        v = groups > 1 ? _mm512_loadu_si512(codes) : _mm512_maskz_loadu_epi8(0xffffffffu, codes);
        return _mm512_xor_si512(v, _mm512_set1_epi8(-128));
    }
    v = _mm512_castsi256_si512(groups > 1 ? _mm256_loadu_si256((const __m256i *)(const void *)codes)
                                          : _mm256_maskz_loadu_epi8(0xffff, codes));
    v = _mm512_srlv_epi16(_mm512_permutexvar_epi64(spread, v), shift);
    return _mm512_shuffle_epi8(table, _mm512_and_si512(v, _mm512_set1_epi8(15)));
}

#elif defined(__AVX2__)

INLINE __m256i load_weights(vlk_dtype dtype, const uint8_t *codes)
{
    __m128i bytes;

    if (dtype == VLK_I8G)
        return _mm256_loadu_si256((const __m256i *)(const void *)codes);
    bytes = _mm_loadu_si128((const __m128i *)(const void *)codes);
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_setr_epi8(VLK_I4_CODES)),
                               _mm256_and_si256(_mm256_inserti128_si256(_mm256_castsi128_si256(bytes),
                                                                        _mm_srli_epi16(bytes, 4), 1),
                                                _mm256_set1_epi8(15)));
}

#endif

#endif
