/* SPDX-License-Identifier: MIT
 *
 * The weights of F.interpolate without align_corners: with antialiasing the kernel widens by the scale when a table becomes smaller,
 * and its parameter is -0.5, as in Pillow. See engine/model/position_tables.h.
 */
#include "engine/model/position_tables.h"

#include <math.h>
#include <string.h>

enum { TAPS = 4 };

/* Keys' cubic, which reaches two neighbours to each side. */
static float cubic(float x) {
    const float a = -0.5f;
    x = fabsf(x);
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/* Place i of `to` as a sum of places first … first + n - 1 of `from`; weights [n]. */
static int32_t weigh(int32_t i, int32_t from, int32_t to, int32_t *first, float *weights) {
    float scale = (float)from / (float)to, wide = scale > 1 ? scale : 1, support = TAPS / 2 * wide, centre = scale * ((float)i + 0.5f), sum = 0;
    int32_t low = (int32_t)(centre - support + 0.5f), high = (int32_t)(centre + support + 0.5f);
    *first = low > 0 ? low : 0;
    high = high < from ? high : from;
    for (int32_t j = *first; j < high; j++)
        sum += weights[j - *first] = cubic(((float)j - centre + 0.5f) / wide);
    for (int32_t j = 0; j < high - *first; j++)
        weights[j] /= sum;
    return high - *first;
}

/* Along the first axis of x [from][cols]. */
static void resize_axis(const float *x, int32_t from, int32_t to, size_t cols, float *weights, float *out) {
    for (int32_t i = 0; i < to; i++) {
        int32_t first, n = weigh(i, from, to, &first, weights);
        float *row = out + (size_t)i * cols;
        memset(row, 0, cols * sizeof *row);
        for (int32_t j = 0; j < n; j++) {
            const float *source = x + (size_t)(first + j) * cols;
            for (size_t c = 0; c < cols; c++)
                row[c] += weights[j] * source[c];
        }
    }
}

float *vl2_resize_square_table(const float *table, int32_t from, int32_t to, int32_t cols) {
    const size_t f = (size_t)from, t = (size_t)to, c = (size_t)cols;
    float *out = vlk_alloc(t * t * c, sizeof *out), *rows = vlk_alloc(f * t * c, sizeof *rows), *weights = vlk_alloc(f + TAPS, sizeof *weights);
    bool fits = out && rows && weights;
    if (fits && from == to)
        memcpy(out, table, t * t * c * sizeof *out);
    for (size_t y = 0; fits && from != to && y < f; y++)
        resize_axis(table + y * f * c, from, to, c, weights, rows + y * t * c);
    if (fits && from != to)
        resize_axis(rows, from, to, t * c, weights, out);
    vlk_free(rows);
    vlk_free(weights);
    if (!fits)
        vlk_free(out);
    return fits ? out : NULL;
}

float *vl2_resize_difference_table(const float *table, int32_t from, int32_t to, int32_t cols) {
    const int32_t n = 2 * from - 1, m = 2 * to - 1;
    const float scale = (float)n / (float)m;
    float *out = vlk_alloc((size_t)m * (size_t)cols, sizeof *out);
    for (int32_t i = 0; out && i < m; i++) {
        float at = scale * ((float)i + 0.5f) - 0.5f;
        at = at > 0 && n != m ? at : n == m ? (float)i : 0;
        int32_t low = (int32_t)at, high = low + 1 < n ? low + 1 : low;
        const float *a = table + (size_t)low * (size_t)cols, *b = table + (size_t)high * (size_t)cols, part = at - (float)low;
        for (int32_t c = 0; c < cols; c++)
            out[(size_t)i * (size_t)cols + (size_t)c] = (1 - part) * a[c] + part * b[c];
    }
    return out;
}
