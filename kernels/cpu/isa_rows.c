/* SPDX-License-Identifier: MIT
 *
 * Functions of rows of floats: extremes, exponentials, activations, norms. Compiled once per level; runs on the workers of the
 * CPU backend. Knows nothing of ops.
 */
#include <math.h>

#include "kernels/cpu/isa_parts.h"
#include "kernels/cpu/simd.h"

float ISA(max)(const float *x, int64_t n)
{
    vf best = vf_set1(-INFINITY);
    float result;
    int64_t i = 0;

    for (; i + W <= n; i += W)
        best = vf_max(vf_load(x + i), best);
    result = vf_hmax(best);
    for (; i < n; i++)
        result = x[i] > result ? x[i] : result;
    return result;
}

/* Sums in f32 per lane over short runs, in double over the runs: exact enough for a vocabulary. */
INLINE double exp_rows(const float *x, float *out, int64_t n, float shift)
{
    enum { RUN = 32 * W };
    vf s = vf_set1(shift);
    double total = 0;

    for (int64_t from = 0; from < n; from += RUN) {
        int64_t to = n - from < RUN ? n : from + RUN, i = from;
        vf sum = vf_set1(0);

        for (; i + W <= to; i += W) {
            vf e = vf_exp(vf_load(x + i) - s);

            if (out)
                vf_store(out + i, e);
            sum = sum + e;
        }
        total += (double)vf_sum(sum);
        if (i < to) {
            float last[W];

            vf_store(last, vf_exp(vf_load_part(x + i, (int)(to - i)) - s));
            for (int64_t j = i; j < to; j++) {
                if (out)
                    out[j] = last[j - i];
                total += (double)last[j - i];
            }
        }
    }
    return total;
}

double ISA(exp_sum)(float *x, int64_t n, float shift)
{
    return exp_rows(x, x, n, shift);
}

double ISA(exp_sum_of)(const float *x, int64_t n, float shift)
{
    return exp_rows(x, NULL, n, shift);
}

#define EACH_VECTOR(n, y, EXPR_FULL, EXPR_PART)                                                                            \
    do {                                                                                                                   \
        int64_t i = 0;                                                                                                     \
        int part;                                                                                                          \
                                                                                                                           \
        for (; i + W <= (n); i += W)                                                                                       \
            vf_store((y) + i, EXPR_FULL);                                                                                  \
        part = (int)((n) - i);                                                                                             \
        if (part)                                                                                                          \
            vf_store_part((y) + i, EXPR_PART, part);                                                                       \
    } while (0)

void ISA(scale)(float *x, int64_t n, float f)
{
    vf v = vf_set1(f);

    EACH_VECTOR(n, x, v * vf_load(x + i), v * vf_load_part(x + i, part));
}

void ISA(axpy)(float *y, const float *x, int64_t n, float f)
{
    vf v = vf_set1(f);

    EACH_VECTOR(n, y, vf_fma(v, vf_load(x + i), vf_load(y + i)),
                vf_fma(v, vf_load_part(x + i, part), vf_load_part(y + i, part)));
}

void ISA(add)(float *y, const float *x, int64_t n)
{
    EACH_VECTOR(n, y, vf_load(y + i) + vf_load(x + i), vf_load_part(y + i, part) + vf_load_part(x + i, part));
}

void ISA(mul)(float *y, const float *x, int64_t n)
{
    EACH_VECTOR(n, y, vf_load(y + i) * vf_load(x + i), vf_load_part(y + i, part) * vf_load_part(x + i, part));
}

INLINE vf silu(vf x)
{
    return x / (vf_set1(1) + vf_exp(vf_set1(0) - x));
}

/* 0.5 x (1 + tanh(u)) = x / (1 + exp(-2u)), u = sqrt(2/pi) (x + 0.044715 x^3) */
INLINE vf gelu_tanh(vf x)
{
    vf u = x * vf_fma(x * x, vf_set1(0.044715f), vf_set1(1));

    return x / (vf_set1(1) + vf_exp(vf_set1(-1.5957691216057308f) * u));
}

/* 0.5 x (1 + erf(x / sqrt(2))) = max(x, 0) - 0.5 |x| erfc(|x| / sqrt(2)), where erfc(z) = exp(-z^2) (a1 t + … + a5 t^5),
 * t = 1 / (1 + p z), within 1.5e-7 (Abramowitz and Stegun, 7.1.26): 0.75e-7 |x| of the result. */
INLINE vf gelu_erf(vf x)
{
    vf size = vf_max(x, vf_set1(0) - x), z = size * vf_set1(0.70710678118654752f);
    vf t = vf_set1(1) / vf_fma(vf_set1(0.3275911f), z, vf_set1(1)), p = vf_set1(1.061405429f);

    p = vf_fma(p, t, vf_set1(-1.453152027f));
    p = vf_fma(p, t, vf_set1(1.421413741f));
    p = vf_fma(p, t, vf_set1(-0.284496736f));
    p = vf_fma(p, t, vf_set1(0.254829592f));
    return vf_max(x, vf_set1(0)) - vf_set1(0.5f) * size * (p * t * vf_exp(vf_set1(0) - z * z));
}

INLINE vf gelu_quick(vf x)
{
    return x / (vf_set1(1) + vf_exp(vf_set1(-1.702f) * x));
}

void ISA(act)(vlk_act kind, float *y, int64_t n)
{
    switch (kind) {
    case VLK_ACT_SILU:
        EACH_VECTOR(n, y, silu(vf_load(y + i)), silu(vf_load_part(y + i, part)));
        break;
    case VLK_ACT_GELU_TANH:
        EACH_VECTOR(n, y, gelu_tanh(vf_load(y + i)), gelu_tanh(vf_load_part(y + i, part)));
        break;
    case VLK_ACT_GELU_QUICK:
        EACH_VECTOR(n, y, gelu_quick(vf_load(y + i)), gelu_quick(vf_load_part(y + i, part)));
        break;
    case VLK_ACT_GELU_ERF:
        EACH_VECTOR(n, y, gelu_erf(vf_load(y + i)), gelu_erf(vf_load_part(y + i, part)));
        break;
    default:
        break;
    }
}

void ISA(rmsnorm)(float *y, const float *x, const float *w, int n, float eps)
{
    vf sum = vf_set1(0), f;
    int at = 0;

    for (; at + W <= n; at += W)
        sum = vf_fma(vf_load(x + at), vf_load(x + at), sum);
    if (at < n) {
        vf v = vf_load_part(x + at, n - at);

        sum = vf_fma(v, v, sum);
    }
    f = vf_set1(1 / sqrtf(vf_sum(sum) / (float)n + eps));
    EACH_VECTOR(n, y, vf_load(x + i) * f * vf_load(w + i), vf_load_part(x + i, part) * f * vf_load_part(w + i, part));
}

void ISA(layernorm)(float *y, const float *x, const float *w, const float *b, int n, float eps)
{
    vf sum = vf_set1(0), square = vf_set1(0), mean, f;
    int at = 0;

    for (; at + W <= n; at += W)
        sum = sum + vf_load(x + at);
    if (at < n)
        sum = sum + vf_load_part(x + at, n - at);
    mean = vf_set1(vf_sum(sum) / (float)n);
    for (at = 0; at + W <= n; at += W) {
        vf d = vf_load(x + at) - mean;

        square = vf_fma(d, d, square);
    }
    if (at < n) {
        float d[W] = { 0 };

        vf_store_part(d, vf_load_part(x + at, n - at) - mean, n - at);
        square = vf_fma(vf_load(d), vf_load(d), square);
    }
    f = vf_set1(1 / sqrtf(vf_sum(square) / (float)n + eps));
    EACH_VECTOR(n, y, vf_fma((vf_load(x + i) - mean) * f, vf_load(w + i), vf_load(b + i)),
                vf_fma((vf_load_part(x + i, part) - mean) * f, vf_load_part(w + i, part), vf_load_part(b + i, part)));
}
