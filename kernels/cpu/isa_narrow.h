/* SPDX-License-Identifier: MIT
 *
 * What the products in narrow numbers have in common: how a finished vector of sums goes to its place. Included by the
 * isa_narrow_*.c alone, which are compiled once per level.
 */
#ifndef VLK_ISA_NARROW_H
#define VLK_ISA_NARROW_H

#include "kernels/cpu/simd.h"

/* To the nearest bf16, ties to even; NaN stays NaN. */
INLINE __m256i to_bf16(vf v)
{
    __m512i bits = _mm512_castps_si512(v), odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    __m512i up = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);

    up = _mm512_mask_mov_epi32(up, _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), _mm512_set1_epi32(0x7fc00000));
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(up, 16));
}

/* Finishes lanes c … c + n - 1 of a row. */
INLINE void put_lanes(vf v, const struct vlk_narrow_tile *t, size_t row, int c, int n)
{
    const size_t at = row * t->ldc + (size_t)c;

    if (t->bias)
        v = v + vf_load_part(t->bias + c, n);
    if (t->half) {
        _mm256_mask_storeu_epi16(t->half + at, vf_first(n), to_bf16(v));
        return;
    }
    if (t->add)
        v = v + vf_load_part(t->c + at, n);
    vf_store_part(t->c + at, v, n);
}

#endif
