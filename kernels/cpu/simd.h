/* SPDX-License-Identifier: MIT
 *
 * One vector of floats, for three widths, and the names of a level's functions. Included by the isa_*.c alone, which are
 * compiled once per level; the level is what the compiler was told (-mavx512f …), never what the build machine has.
 * The generic level uses the compiler's own 16-byte vectors (SSE2, NEON or scalar, whatever the target guarantees).
 */
#ifndef VLK_SIMD_H
#define VLK_SIMD_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernels/cpu/isa.h"
#include "kernels/quant.h"

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))

#if defined(__AVX512F__)

#define W 16
#define MR 12
#define ISA(name) vlk_avx512_##name
#if defined(__AVX512BF16__)
#define ISA_BF16(name) vlk_avx512bf16_##name
#define ISA_TABLE vlk_avx512bf16_table
#define ISA_NAME "avx512bf16"
#endif
#if defined(__AVX512VNNI__)
#define ISA_CODES(name) vlk_avx512vnni_##name /* the level shares all else with avx512 */
#ifndef ISA_NAME
#define ISA_NAME "avx512vnni"
#endif
#else
#define ISA_NAME "avx512"
#endif
typedef __m512 vf;
INLINE vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
INLINE void vf_store(float *p, vf v) { _mm512_storeu_ps(p, v); }
INLINE vf vf_set1(float f) { return _mm512_set1_ps(f); }
INLINE vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
INLINE vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }
INLINE float vf_sum(vf v) { return _mm512_reduce_add_ps(v); }
INLINE float vf_hmax(vf v) { return _mm512_reduce_max_ps(v); }
INLINE __mmask16 vf_first(int n) { return (__mmask16)((1u << n) - 1); }
INLINE vf vf_load_part(const float *p, int n) { return _mm512_maskz_loadu_ps(vf_first(n), p); }
INLINE void vf_store_part(float *p, vf v, int n) { _mm512_mask_storeu_ps(p, vf_first(n), v); }
INLINE vf vf_from_bf16(const void *p)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(p)), 16));
}
INLINE vf vf_from_f16(const void *p) { return _mm512_cvtph_ps(_mm256_loadu_si256(p)); }
INLINE vf vf_from_i8(const void *p) { return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(p))); }
/* A table look-up by the low four bits of each lane: no masking, no conversion. */
INLINE vf vf_from_nibbles(const void *p, int high)
{
    const vf codes = { VLK_I4_CODES };
    __m512i bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128(p));

    return _mm512_permutexvar_ps(high ? _mm512_srli_epi32(bytes, 4) : bytes, codes);
}
/* 2^n · v for integral n in -126 … 127, here for any n */
INLINE vf vf_ldexp(vf v, vf n) { return _mm512_scalef_ps(v, n); }
INLINE vf vf_round(vf v) { return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
/* Limits that let a NaN pass. */
INLINE vf vf_clamp(vf v, float low, float high)
{
    return _mm512_min_ps(vf_set1(high), _mm512_max_ps(vf_set1(low), v));
}
INLINE vf vf_zero_below(vf v, vf x, float limit)
{
    return _mm512_mask_mov_ps(v, _mm512_cmp_ps_mask(x, vf_set1(limit), _CMP_LT_OQ), _mm512_setzero_ps());
}

/* r[i] lane j ↔ r[j] lane i: pairs, then quadruples inside 128-bit lanes, then the lanes themselves. */
INLINE void vf_transpose(vf r[16])
{
    vf t[16];

#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4) {
        vf a = _mm512_unpacklo_ps(r[i], r[i + 1]), b = _mm512_unpackhi_ps(r[i], r[i + 1]);
        vf c = _mm512_unpacklo_ps(r[i + 2], r[i + 3]), d = _mm512_unpackhi_ps(r[i + 2], r[i + 3]);

        t[i] = _mm512_shuffle_ps(a, c, 0x44);
        t[i + 1] = _mm512_shuffle_ps(a, c, 0xee);
        t[i + 2] = _mm512_shuffle_ps(b, d, 0x44);
        t[i + 3] = _mm512_shuffle_ps(b, d, 0xee);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        vf a = _mm512_shuffle_f32x4(t[i], t[i + 4], 0x88), b = _mm512_shuffle_f32x4(t[i], t[i + 4], 0xdd);
        vf c = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0x88), d = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0xdd);

        r[i] = _mm512_shuffle_f32x4(a, c, 0x88);
        r[i + 4] = _mm512_shuffle_f32x4(b, d, 0x88);
        r[i + 8] = _mm512_shuffle_f32x4(a, c, 0xdd);
        r[i + 12] = _mm512_shuffle_f32x4(b, d, 0xdd);
    }
}
/* The values of a lane's low and high bf16. */
INLINE vf vf_low_bf16(vf v) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(v), 16)); }
INLINE vf vf_high_bf16(vf v)
{
    return _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(v), _mm512_set1_epi32((int)0xffff0000u)));
}

#elif defined(__AVX2__)

#define W 8
#define MR 6
#define ISA(name) vlk_avx2_##name
#define ISA_NAME "avx2"
typedef __m256 vf;
INLINE vf vf_load(const float *p) { return _mm256_loadu_ps(p); }
INLINE void vf_store(float *p, vf v) { _mm256_storeu_ps(p, v); }
INLINE vf vf_set1(float f) { return _mm256_set1_ps(f); }
INLINE vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
INLINE vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); }
INLINE vf vf_from_bf16(const void *p)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(p)), 16));
}
INLINE vf vf_from_f16(const void *p) { return _mm256_cvtph_ps(_mm_loadu_si128(p)); }
INLINE vf vf_from_i8(const void *p) { return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(p))); }
INLINE vf vf_from_nibbles(const void *p, int high)
{
    __m128i bytes = _mm_loadl_epi64(p), nibbles = _mm_and_si128(high ? _mm_srli_epi16(bytes, 4) : bytes, _mm_set1_epi8(15));

    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_shuffle_epi8(_mm_setr_epi8(VLK_I4_CODES), nibbles)));
}
INLINE vf vf_ldexp(vf v, vf n)
{
    __m256i bits = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);

    return _mm256_mul_ps(v, _mm256_castsi256_ps(bits));
}
INLINE vf vf_round(vf v) { return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE vf vf_clamp(vf v, float low, float high)
{
    return _mm256_min_ps(vf_set1(high), _mm256_max_ps(vf_set1(low), v));
}
INLINE vf vf_zero_below(vf v, vf x, float limit)
{
    return _mm256_andnot_ps(_mm256_cmp_ps(x, vf_set1(limit), _CMP_LT_OQ), v);
}

INLINE void vf_transpose(vf r[8])
{
    vf t[8];

#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) {
        vf a = _mm256_unpacklo_ps(r[i], r[i + 1]), b = _mm256_unpackhi_ps(r[i], r[i + 1]);
        vf c = _mm256_unpacklo_ps(r[i + 2], r[i + 3]), d = _mm256_unpackhi_ps(r[i + 2], r[i + 3]);

        t[i] = _mm256_shuffle_ps(a, c, 0x44);
        t[i + 1] = _mm256_shuffle_ps(a, c, 0xee);
        t[i + 2] = _mm256_shuffle_ps(b, d, 0x44);
        t[i + 3] = _mm256_shuffle_ps(b, d, 0xee);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        r[i] = _mm256_permute2f128_ps(t[i], t[i + 4], 0x20);
        r[i + 4] = _mm256_permute2f128_ps(t[i], t[i + 4], 0x31);
    }
}
INLINE vf vf_low_bf16(vf v) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(v), 16)); }
INLINE vf vf_high_bf16(vf v)
{
    return _mm256_castsi256_ps(_mm256_and_si256(_mm256_castps_si256(v), _mm256_set1_epi32((int)0xffff0000u)));
}

#else

#define W 4
#define MR 6
#define ISA(name) vlk_generic_##name
#define ISA_NAME "generic"
typedef float vf __attribute__((vector_size(16)));
typedef int32_t vi __attribute__((vector_size(16)));
INLINE vf vf_load(const float *p)
{
    vf v;

    memcpy(&v, p, sizeof v);
    return v;
}
INLINE void vf_store(float *p, vf v) { memcpy(p, &v, sizeof v); }
INLINE vf vf_set1(float f) { return (vf){ f, f, f, f }; }
INLINE vf vf_fma(vf a, vf b, vf c) { return a * b + c; }
INLINE vf vf_select(vi mask, vf a, vf b) { return (vf)((mask & (vi)a) | (~mask & (vi)b)); }
INLINE vf vf_max(vf a, vf b) { return vf_select(a > b, a, b); }
INLINE vf vf_from_bf16(const void *p)
{
    uint16_t h[W];

    memcpy(h, p, sizeof h);
    return (vf){ vlk_bf16_to_f32(h[0]), vlk_bf16_to_f32(h[1]), vlk_bf16_to_f32(h[2]), vlk_bf16_to_f32(h[3]) };
}
INLINE vf vf_from_f16(const void *p)
{
    uint16_t h[W];

    memcpy(h, p, sizeof h);
    return (vf){ vlk_f16_to_f32(h[0]), vlk_f16_to_f32(h[1]), vlk_f16_to_f32(h[2]), vlk_f16_to_f32(h[3]) };
}
INLINE vf vf_from_i8(const void *p)
{
    const int8_t *c = p;

    return (vf){ c[0], c[1], c[2], c[3] };
}
INLINE vf vf_from_nibbles(const void *p, int high)
{
    const uint8_t *c = p;
    const int shift = high ? 4 : 0;

    return (vf){ vlk_i4_codes[c[0] >> shift & 15], vlk_i4_codes[c[1] >> shift & 15], vlk_i4_codes[c[2] >> shift & 15],
                 vlk_i4_codes[c[3] >> shift & 15] };
}
INLINE vf vf_ldexp(vf v, vf n)
{
    vi bits = (__builtin_convertvector(n, vi) + 127) << 23;

    return v * (vf)bits;
}
/* Nearest, ties to even, for |v| < 2^22: adding 1.5 · 2^23 pushes the fraction out. */
INLINE vf vf_round(vf v)
{
    return v + 12582912.0f - 12582912.0f;
}
INLINE vf vf_clamp(vf v, float low, float high)
{
    v = vf_select(v < vf_set1(low), vf_set1(low), v);
    return vf_select(v > vf_set1(high), vf_set1(high), v);
}
INLINE vf vf_zero_below(vf v, vf x, float limit) { return (vf)((vi)v & ~(x < vf_set1(limit))); }

INLINE void vf_transpose(vf r[4])
{
    vf a = __builtin_shufflevector(r[0], r[1], 0, 4, 1, 5), b = __builtin_shufflevector(r[0], r[1], 2, 6, 3, 7);
    vf c = __builtin_shufflevector(r[2], r[3], 0, 4, 1, 5), d = __builtin_shufflevector(r[2], r[3], 2, 6, 3, 7);

    r[0] = __builtin_shufflevector(a, c, 0, 1, 4, 5);
    r[1] = __builtin_shufflevector(a, c, 2, 3, 6, 7);
    r[2] = __builtin_shufflevector(b, d, 0, 1, 4, 5);
    r[3] = __builtin_shufflevector(b, d, 2, 3, 6, 7);
}
INLINE vf vf_low_bf16(vf v) { return (vf)((vi)v << 16); }
INLINE vf vf_high_bf16(vf v) { return (vf)((vi)v & (int32_t)0xffff0000); }

#endif

#if !defined(__AVX512F__)
/* Pairwise, so that the order is the same whatever the compiler does. */
INLINE float vf_sum(vf v)
{
    float f[W];

    vf_store(f, v);
    for (int half = W / 2; half; half /= 2)
        for (int i = 0; i < half; i++)
            f[i] += f[i + half];
    return f[0];
}
INLINE float vf_hmax(vf v)
{
    float f[W];

    vf_store(f, v);
    for (int i = 1; i < W; i++)
        f[0] = f[i] > f[0] ? f[i] : f[0];
    return f[0];
}
INLINE vf vf_load_part(const float *p, int n)
{
    float f[W] = { 0 };

    memcpy(f, p, (size_t)n * sizeof *f);
    return vf_load(f);
}
INLINE void vf_store_part(float *p, vf v, int n)
{
    float f[W];

    vf_store(f, v);
    memcpy(p, f, (size_t)n * sizeof *f);
}
#endif

#ifndef ISA_CODES
#define ISA_CODES(name) ISA(name)
#endif
#ifndef ISA_BF16
#define ISA_BF16(name) ISA_CODES(name)
#endif
#ifndef ISA_TABLE
#define ISA_TABLE ISA_CODES(table)
#endif

#define NR (2 * W) /* columns of a panel */

/* Floats of a group of codes: of a block of rows (codes, with VNNI the sums that undo an offset, scales), per column of a panel. */
#if defined(__AVX512VNNI__)
#define CODE_LEFT_FLOATS (10 * VLK_CODE_ROWS)
#define CODE_RIGHT_FLOATS 9
#elif defined(__AVX2__) && !defined(__AVX512F__)
#define CODE_LEFT_FLOATS (17 * VLK_CODE_ROWS)
#define CODE_RIGHT_FLOATS 17
#endif

/* Calls CALL with the dtype as a compile-time constant. */
#define FOR_FLOAT_DTYPE(dtype, CALL)                                                                                       \
    switch (dtype) {                                                                                                       \
    case VLK_BF16:                                                                                                         \
        CALL(VLK_BF16);                                                                                                    \
        break;                                                                                                             \
    case VLK_F16:                                                                                                          \
        CALL(VLK_F16);                                                                                                     \
        break;                                                                                                             \
    default:                                                                                                               \
        CALL(VLK_F32);                                                                                                     \
    }

INLINE bool is_quantised(vlk_dtype dtype)
{
    return dtype == VLK_I8G || dtype == VLK_I4G;
}

INLINE size_t element_bytes(vlk_dtype dtype)
{
    return dtype == VLK_F32 ? 4 : 2;
}

/* W elements of a float dtype at element i of a row. */
INLINE vf vf_load_as(vlk_dtype dtype, const void *row, int64_t i)
{
    if (dtype == VLK_BF16)
        return vf_from_bf16((const uint16_t *)row + i);
    if (dtype == VLK_F16)
        return vf_from_f16((const uint16_t *)row + i);
    return vf_load((const float *)row + i);
}

INLINE vf vf_load_as_part(vlk_dtype dtype, const void *row, int64_t i, int n)
{
    if (dtype == VLK_F32)
        return vf_load_part((const float *)row + i, n);
#if defined(__AVX512F__)
    __m256i h = _mm256_maskz_loadu_epi16(vf_first(n), (const uint16_t *)row + i);

    return vf_load_as(dtype, &h, 0);
#else
    uint16_t h[W] = { 0 };

    memcpy(h, (const uint16_t *)row + i, (size_t)n * sizeof *h);
    return vf_load_as(dtype, h, 0);
#endif
}

/* exp(x), relative error about 1e-7; exactly 0 below -87.3, about 2.3e38 from 88.3 on; NaN stays NaN.
 * x = n ln 2 + r; exp(r) by its Taylor polynomial, whose remainder at |r| <= ln 2 / 2 is below 2^-27. */
INLINE vf vf_exp(vf x)
{
    vf limited = vf_clamp(x, -87.3f, 88.3f);
    vf n = vf_round(limited * vf_set1(1.44269504088896341f));
    vf r = vf_fma(n, vf_set1(-0.693145751953125f), limited);
    vf p = vf_set1(1.0f / 5040);

    r = vf_fma(n, vf_set1(-1.42860682030941723e-6f), r);
    p = vf_fma(p, r, vf_set1(1.0f / 720));
    p = vf_fma(p, r, vf_set1(1.0f / 120));
    p = vf_fma(p, r, vf_set1(1.0f / 24));
    p = vf_fma(p, r, vf_set1(1.0f / 6));
    p = vf_fma(p, r, vf_set1(0.5f));
    p = vf_fma(p, r, vf_set1(1.0f));
    p = vf_fma(p, r, vf_set1(1.0f));
    return vf_zero_below(vf_ldexp(p, n), x, -87.3f);
}

/* 2^x for x <= 0, relative error 2e-7; exactly 0 below -100, NaN stays NaN. 2^(x - n) by the polynomial of degree 5 whose largest
 * relative error on [-1/2, 1/2] is least (Remez). Softmax has no use for less than 1e-30, and what is multiplied with a number
 * below 2^-126 takes the processor a hundred times as long. */
#define VF_EXP2_LEAST -100.0f
INLINE vf vf_exp2_below(vf x)
{
#if defined(__AVX512F__)
    vf limited = x;
#else
    vf limited = vf_clamp(x, -126, 1);
#endif
    vf n = vf_round(limited), f = limited - n, p = vf_set1(0.001327647129073739f);

    p = vf_fma(p, f, vf_set1(0.009675540961325169f));
    p = vf_fma(p, f, vf_set1(0.05550713092088699f));
    p = vf_fma(p, f, vf_set1(0.24022120237350464f));
    p = vf_fma(p, f, vf_set1(0.6931469440460205f));
    p = vf_fma(p, f, vf_set1(1));
#if defined(__AVX512F__)
    return _mm512_maskz_scalef_ps(_mm512_cmp_ps_mask(x, vf_set1(VF_EXP2_LEAST), _CMP_NLT_UQ), p, n);
#else
    return vf_zero_below(vf_ldexp(p, n), x, VF_EXP2_LEAST);
#endif
}

#endif
