/* SPDX-License-Identifier: MIT
 *
 * The parts of attention that are not matrix products, on panels whose lanes are query rows: online softmax down the keys,
 * rescaling, and turning a finished panel back into rows. Compiled once per level; runs on the workers of the CPU backend.
 */
#include "kernels/cpu/isa_parts.h"
#include "kernels/cpu/simd.h"

#define LOG2_E 1.44269504088896341f
#define HIDDEN (-1e38f) /* added to a score that a row does not see */

/* One half of a panel: W rows. */
INLINE bool soften_half(const bool LIMITED, float *s, int keys, float scale, const float *limit, float *peak, float *sum, float *factor)
{
    vf old = vf_load(peak), top = old, shift, total, f, slope = vf_set1(scale * LOG2_E);

    for (int j = 0; j < keys; j++) {
        vf x = vf_load(s + (size_t)j * NR);

        if (LIMITED) {
            x = x + vf_clamp((vf_load(limit) - vf_set1((float)j + 0.5f)) * vf_set1(-2 * HIDDEN), HIDDEN, 0);
            vf_store(s + (size_t)j * NR, x);
        }
        top = vf_max(x, top);
    }
    f = vf_exp2_below((old - top) * slope);
    shift = vf_set1(0) - top * slope;
    total = vf_load(sum) * f;
    for (int j = 0; j < keys; j++) {
        vf e = vf_exp2_below(vf_fma(vf_load(s + (size_t)j * NR), slope, shift));

        vf_store(s + (size_t)j * NR, e);
        total = total + e;
    }
    vf_store(peak, top);
    vf_store(sum, total);
    vf_store(factor, f);
    return vf_hmax(top - old) > 0;
}

bool ISA(softmax_step)(float *s, int keys, int rows, float scale, const float *limit, float *peak, float *sum, float *factor)
{
    bool moved = false;

    for (int at = 0; at < rows; at += W)
        moved |= limit ? soften_half(true, s + at, keys, scale, limit + at, peak + at, sum + at, factor + at)
                       : soften_half(false, s + at, keys, scale, NULL, peak + at, sum + at, factor + at);
    return moved;
}

void ISA(relate)(float *s, int keys, int key, int side, int rows, const float *down, const float *across)
{
    for (int y = key / side, x = key % side; keys > 0; y++, x = 0) {
        int n = side - x < keys ? side - x : keys;

        for (int at = 0; at < rows; at += W) {
            const vf d = vf_load(down + (size_t)y * NR + at);

            for (int j = 0; j < n; j++) {
                float *to = s + (size_t)j * NR + at;

                vf_store(to, vf_load(to) + (d + vf_load(across + (size_t)(x + j) * NR + at)));
            }
        }
        s += (size_t)n * NR;
        keys -= n;
    }
}

void ISA(scale_lanes)(float *o, int n, int rows, const float *factor)
{
    vf f0 = vf_load(factor), f1 = rows > W ? vf_load(factor + W) : f0;

    for (int i = 0; i < n; i++, o += NR) {
        vf_store(o, vf_load(o) * f0);
        if (rows > W)
            vf_store(o + W, vf_load(o + W) * f1);
    }
}

void ISA(transpose)(const float *panel, int n, int rows, const float *factor, float *const *dst)
{
    for (int half = 0; half < rows; half += W) {
        for (int at = 0; at < n; at += W) {
            int part = n - at < W ? n - at : W;
            vf t[W];

#pragma GCC unroll 16
            for (int i = 0; i < W; i++)
                t[i] = i < part ? vf_load(panel + (size_t)(at + i) * NR + half) : vf_set1(0);
            vf_transpose(t);
#pragma GCC unroll 16
            for (int i = 0; i < W; i++) {
                if (half + i >= rows)
                    break;
                if (part == W)
                    vf_store(dst[half + i] + at, t[i] * vf_set1(factor[half + i]));
                else
                    vf_store_part(dst[half + i] + at, t[i] * vf_set1(factor[half + i]), part);
            }
        }
    }
}
