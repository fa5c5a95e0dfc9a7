/* SPDX-License-Identifier: MIT
 *
 * What the op tests share: seeded data, weights of every dtype with their exact f32 values, and the comparison by normalised
 * mean squared error. The references themselves are plain double loops beside the test that uses them.
 */
#ifndef TESTS_KERNELS_REFERENCE_H
#define TESTS_KERNELS_REFERENCE_H

#include "kernels/quant.h"
#include "kernels/vlk.h"
#include "tests/tap.h"

#include <stdlib.h>

/* f32 accumulation over K terms errs by about sqrt(K) 2^-24 relative to the norm, squared 4e-15·K: below 1e-10 up to
 * K = 20000. The bound leaves room for exp and tanh approximations (relative 1e-6 at most, squared 1e-12). A missing term,
 * row or head is at least 1/K of the power: above 1e-5 at every size used. */
#define NMSE_F32 1e-10
/* Products of quantised weights round their activations as round_activations does, so they keep NMSE_F32. Where the rounded values
 * are results themselves (the inner activations of an MLP), a last-bit difference may round one of them the other way: it then
 * errs by 1/127 of its group's largest magnitude, which for one in a thousand of n values is 1e-3 · 127^-2 · 4 = 2.5e-7. */
#define NMSE_CODES 1e-6
/* The price of that rounding itself: uniform within a step of peak / 127, and the peak of 32 normal values is 2.1 deviations on
 * average, so (2.1 / 127)^2 / 12 = 2.3e-5 of the power; twice that for groups that are less even. */
#define NMSE_ROUNDED 5e-5
/* bf16 keeps 8 bits: relative error 2^-9 uniform, squared and averaged (2^-9)^2 / 3 = 1.3e-6, of both keys and values. */
#define NMSE_BF16 1e-5

static uint64_t rng_state = 1;

static inline double uniform_double(void)
{
    rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
    return (double)(rng_state >> 11) * 0x1p-53;
}

/* Sum of uniforms: bell-shaped, mean 0, variance 1. */
static inline float normal(void)
{
    double sum = -6;

    for (int i = 0; i < 12; i++)
        sum += uniform_double();
    return (float)sum;
}

static inline float *random_floats(size_t n, double scale)
{
    float *x = vlk_alloc(n, sizeof *x);

    for (size_t i = 0; i < n; i++)
        x[i] = (float)(scale * normal());
    return x;
}

/* The value of a half, by the definition of the format. */
static inline double f16_value(uint16_t bits)
{
    int exponent = bits >> 10 & 31, mantissa = bits & 1023;
    double magnitude = exponent == 31 ? (mantissa ? NAN : INFINITY)
                       : exponent    ? ldexp(1024 + mantissa, exponent - 25)
                                     : ldexp(mantissa, -24);

    return bits & 0x8000 ? -magnitude : magnitude;
}

/* A half near f (truncated), for |f| < 65504: tests need some half, not the nearest. */
static inline uint16_t f32_to_f16(float f)
{
    int exponent;
    double mantissa = frexp(fabs((double)f), &exponent);
    uint16_t sign = signbit(f) ? 0x8000 : 0;

    return exponent < -13 ? sign : (uint16_t)(sign | (exponent + 14) << 10 | ((int)(mantissa * 2048) & 1023));
}

/* A weight and the exact values it stands for. */
struct test_weight {
    struct vlk_weight w;
    float *values;
    char *bytes;
};

static inline struct test_weight make_weight_at(struct vlk_backend *be, vlk_dtype dtype, int rows, int cols, double scale,
                                                size_t offset)
{
    struct test_weight t = { .values = random_floats((size_t)rows * (size_t)cols, scale) };
    size_t row = vlk_row_bytes(dtype, cols);
    char *at;

    t.bytes = vlk_alloc(row * (size_t)rows + offset, 1);
    at = t.bytes + offset;
    for (int r = 0; r < rows; r++, at += row) {
        float *x = t.values + (size_t)r * (size_t)cols;

        if (dtype == VLK_I8G || dtype == VLK_I4G) {
            vlk_quantise(dtype, x, cols, at);
            vlk_dequantise(dtype, at, cols, 0, cols, x);
            continue;
        }
        for (int c = 0; c < cols; c++) {
            uint16_t bits = dtype == VLK_BF16 ? vlk_f32_to_bf16(x[c]) : f32_to_f16(x[c]);

            if (dtype == VLK_F32) {
                memcpy(at + 4 * c, x + c, 4);
                continue;
            }
            memcpy(at + 2 * c, &bits, 2);
            x[c] = dtype == VLK_BF16 ? vlk_bf16_to_f32(bits) : vlk_f16_to_f32(bits);
        }
    }
    t.w = be->ops->weight_import(be, dtype, rows, cols, t.bytes + offset, VLK_PLACE_DEVICE);
    return t;
}

static inline struct test_weight make_weight(struct vlk_backend *be, vlk_dtype dtype, int rows, int cols, double scale)
{
    return make_weight_at(be, dtype, rows, cols, scale, 0);
}

static inline void free_weight(struct vlk_backend *be, struct test_weight *t)
{
    be->ops->weight_release(be, &t->w);
    vlk_free(t->values);
    vlk_free(t->bytes);
}

/* sum (got - want)^2 / sum want^2; infinite when anything is not finite. */
static inline double nmse(const float *got, const double *want, size_t n)
{
    double error = 0, power = 0;

    for (size_t i = 0; i < n; i++) {
        double d = (double)got[i] - want[i];

        if (!isfinite(got[i]))
            return INFINITY;
        error += d * d;
        power += want[i] * want[i];
    }
    return power > 0 ? error / power : error;
}

static inline bool close_to(const float *got, const double *want, size_t n, double bound, const char *name)
{
    double e = nmse(got, want, n);
    bool pass = ok(e <= bound, "%s", name);

    if (!pass)
        tap_diag("normalised mean squared error %.3g, bound %.3g", e, bound);
    return pass;
}

/* y[n][rows] = x[n][cols] w^T, in double. */
static inline void matmul(int n, int rows, int cols, const float *x, const float *w, double *y)
{
    for (int t = 0; t < n; t++) {
        for (int r = 0; r < rows; r++) {
            double sum = 0;

            for (int c = 0; c < cols; c++)
                sum += (double)x[(size_t)t * (size_t)cols + (size_t)c] * (double)w[(size_t)r * (size_t)cols + (size_t)c];
            y[(size_t)t * (size_t)rows + (size_t)r] = sum;
        }
    }
}

/* Rounds rows to int8 in groups of 32 columns, the largest magnitude of a group becoming 127. */
static inline void round_activations(float *x, int n, int cols)
{
    for (int t = 0; t < n; t++, x += cols) {
        for (int from = 0; from < cols; from += 32) {
            int to = from + 32 < cols ? from + 32 : cols;
            float peak = 0;

            for (int i = from; i < to; i++)
                peak = fabsf(x[i]) > peak ? fabsf(x[i]) : peak;
            for (int i = from; i < to && peak > 0; i++)
                x[i] = rintf(x[i] * (127 / peak)) * (peak / 127);
        }
    }
}

static inline bool is_quantised_dtype(vlk_dtype dtype)
{
    return dtype == VLK_I8G || dtype == VLK_I4G;
}

static inline float *copy_floats(const float *x, size_t n)
{
    float *copy = vlk_alloc(n, sizeof *copy);

    memcpy(copy, x, n * sizeof *copy);
    return copy;
}

static inline double silu_of(double x)
{
    return x / (1 + exp(-x));
}

static inline double *doubles(size_t n)
{
    return vlk_alloc(n, sizeof(double));
}

#endif
