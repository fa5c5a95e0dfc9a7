/* SPDX-License-Identifier: MIT
 *
 * Bicubic resampling as Pillow does it. Horizontal pass to 8 bits, then vertical pass, each with coefficients rounded to 22
 * bits; a pass whose size does not change is skipped. The order of the floating-point operations matters.   Pillow:
 * src/libImaging/Resample.c
 */
#include "engine/picture/resize.h"

#include "engine/error.h"
#include "kernels/vlk.h"

#include <math.h>
#include <string.h>

#define PRECISION 22
#define HALF (1u << (PRECISION - 1))

/* For each output position: its first input, how many, and their weights at taps + position * stride. */
struct kernel {
    int32_t *first, *count, *taps;
    size_t stride;
};

static double cubic(double x) {
    const double a = -0.5;
    x = fabs(x);
    if (x < 1.0)
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
    if (x < 2.0)
        return (((x - 5) * x + 8) * x - 4) * a;
    return 0.0;
}

static int32_t fixed_point(double weight) {
    return (int32_t)(weight < 0 ? weight * (1 << PRECISION) - 0.5 : weight * (1 << PRECISION) + 0.5);
}

/* The window of one output position and its weights. scratch holds `stride` doubles. */
static void fill_position(const struct kernel *k, int32_t at, int32_t in, double scale, double support, double *scratch) {
    double center = (at + 0.5) * scale, inverse = 1.0 / (scale < 1.0 ? 1.0 : scale), sum = 0.0;
    int32_t *taps = k->taps + (size_t)at * k->stride;
    int32_t first = (int32_t)(center - support + 0.5), end = (int32_t)(center + support + 0.5);
    first = first < 0 ? 0 : first;
    end = end > in ? in : end;
    for (int32_t i = 0; i < end - first; i++) {
        scratch[i] = cubic((i + first - center + 0.5) * inverse);
        sum += scratch[i];
    }
    for (int32_t i = 0; i < end - first; i++)
        taps[i] = fixed_point(sum != 0.0 ? scratch[i] / sum : scratch[i]);
    k->first[at] = first;
    k->count[at] = end - first;
}

static void kernel_deinit(struct kernel *k) {
    vlk_free(k->first);
    vlk_free(k->count);
    vlk_free(k->taps);
}

/* False: out of memory. */
static bool kernel_init(struct kernel *k, int32_t in, int32_t out) {
    double scale = (double)in / out, support = 2.0 * (scale < 1.0 ? 1.0 : scale);
    *k = (struct kernel){.stride = (size_t)ceil(support) * 2 + 1};
    double *scratch = vlk_alloc(k->stride, sizeof *scratch);
    k->first = vlk_alloc((size_t)out, sizeof *k->first);
    k->count = vlk_alloc((size_t)out, sizeof *k->count);
    k->taps = vlk_alloc(k->stride * (size_t)out, sizeof *k->taps);
    bool fine = scratch && k->first && k->count && k->taps;
    for (int32_t i = 0; fine && i < out; i++)
        fill_position(k, i, in, scale, support, scratch);
    vlk_free(scratch);
    if (!fine)
        kernel_deinit(k);
    return fine;
}

static uint8_t clip(uint32_t sum) {
    int32_t value = (int32_t)sum >> PRECISION;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

static void resize_row(const struct kernel *k, const uint8_t *in, int32_t width, uint8_t *out) {
    for (int32_t x = 0; x < width; x++) {
        const int32_t *taps = k->taps + (size_t)x * k->stride;
        const uint8_t *p = in + 3 * (size_t)k->first[x];
        uint32_t r = HALF, g = HALF, b = HALF;
        for (int32_t i = 0; i < k->count[x]; i++, p += 3) {
            uint32_t tap = (uint32_t)taps[i];
            r += p[0] * tap;
            g += p[1] * tap;
            b += p[2] * tap;
        }
        out[3 * x] = clip(r);
        out[3 * x + 1] = clip(g);
        out[3 * x + 2] = clip(b);
    }
}

/* One output row from `count` input rows, `values` bytes each; sums holds `values`. */
static void mix_rows(const uint8_t *in, size_t stride, const int32_t *taps, int32_t count, size_t values, uint32_t *restrict sums,
                     uint8_t *restrict out) {
    for (size_t x = 0; x < values; x++)
        sums[x] = HALF;
    for (int32_t i = 0; i < count; i++) {
        const uint8_t *restrict row = in + (size_t)i * stride;
        const uint32_t tap = (uint32_t)taps[i];
        for (size_t x = 0; x < values; x++)
            sums[x] += row[x] * tap;
    }
    for (size_t x = 0; x < values; x++)
        out[x] = clip(sums[x]);
}

static bool resize_horizontally(const vl2_picture *picture, int32_t width, uint8_t *out) {
    struct kernel k;
    if (!kernel_init(&k, picture->width, width))
        return false;
    for (int32_t y = 0; y < picture->height; y++)
        resize_row(&k, picture->rgb + (size_t)y * picture->stride, width, out + 3 * (size_t)y * (size_t)width);
    kernel_deinit(&k);
    return true;
}

static bool resize_vertically(const uint8_t *in, size_t stride, int32_t in_height, int32_t width, int32_t height, uint8_t *out) {
    struct kernel k;
    size_t values = 3 * (size_t)width;
    uint32_t *sums = vlk_alloc(values, sizeof *sums);
    bool fine = sums && kernel_init(&k, in_height, height);
    if (fine) {
        for (int32_t y = 0; y < height; y++)
            mix_rows(in + (size_t)k.first[y] * stride, stride, k.taps + (size_t)y * k.stride, k.count[y], values, sums,
                     out + (size_t)y * values);
        kernel_deinit(&k);
    }
    vlk_free(sums);
    return fine;
}

static void copy_rows(const vl2_picture *picture, uint8_t *out) {
    size_t row = 3 * (size_t)picture->width;
    for (int32_t y = 0; y < picture->height; y++)
        memcpy(out + (size_t)y * row, picture->rgb + (size_t)y * picture->stride, row);
}

vl2_status vl2_resize_bicubic(const vl2_picture *picture, int32_t width, int32_t height, uint8_t *out, vl2_error *err) {
    bool across = width != picture->width, down = height != picture->height, fine = true;
    const uint8_t *rows = picture->rgb;
    size_t stride = picture->stride;
    uint8_t *narrowed = NULL;
    if (!across && !down) {
        copy_rows(picture, out);
        return VL2_OK;
    }
    if (across && down) {
        narrowed = vlk_alloc((size_t)picture->height, 3 * (size_t)width);
        fine = narrowed && resize_horizontally(picture, width, narrowed);
        rows = narrowed;
        stride = 3 * (size_t)width;
    } else if (across) {
        fine = resize_horizontally(picture, width, out);
    }
    if (fine && down)
        fine = resize_vertically(rows, stride, picture->height, width, height, out);
    vlk_free(narrowed);
    return fine ? VL2_OK
                : vl2_fail(err, VL2_ERR_MEMORY, "Not enough memory to resize a picture of %d × %d pixels.", (int)picture->width,
                           (int)picture->height);
}
