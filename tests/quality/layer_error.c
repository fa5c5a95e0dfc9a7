/* SPDX-License-Identifier: MIT
 *
 * What quantising does to the results of full-width layers with random weights: for the widths of the published models, the
 * relative error ‖y' − y‖ / ‖y‖ of an attention-like product, of the dense MLP and of six of eight experts with the shared one,
 * against the same layer in bf16. Weights and inputs are normal numbers. Prints a table; judges nothing.
 */
#include "kernels/quant.h"
#include "kernels/vlk.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { EXPERTS = 8, CHOSEN = 6, TOKENS = 4 };

static uint64_t state = 1;

/* Sum of uniform numbers: normal enough, variance 1. */
static float normal(void)
{
    double sum = 0;

    for (int i = 0; i < 12; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        sum += (double)(state >> 33) * 0x1p-31;
    }
    return (float)(sum - 6);
}

/* The same weights in three types. */
struct weights {
    struct vlk_weight of[3];
    void *data[3];
};

static const vlk_dtype types[3] = { VLK_BF16, VLK_I8G, VLK_I4G };

static bool make(struct vlk_backend *be, int rows, int cols, struct weights *out)
{
    float *row = vlk_alloc((size_t)cols, sizeof *row);

    for (int t = 0; t < 3; t++)
        out->data[t] = vlk_alloc((size_t)rows, vlk_row_bytes(types[t], cols));
    if (!row || !out->data[0] || !out->data[1] || !out->data[2])
        return false;
    for (int r = 0; r < rows; r++) {
        uint16_t *half = (uint16_t *)out->data[0] + (size_t)r * (size_t)cols;

        for (int c = 0; c < cols; c++) {
            half[c] = vlk_f32_to_bf16(normal() / sqrtf((float)cols));
            row[c] = vlk_bf16_to_f32(half[c]);
        }
        for (int t = 1; t < 3; t++)
            vlk_quantise(types[t], row, cols, (char *)out->data[t] + (size_t)r * vlk_row_bytes(types[t], cols));
    }
    for (int t = 0; t < 3; t++)
        out->of[t] = be->ops->weight_import(be, types[t], rows, cols, out->data[t], VLK_PLACE_DEVICE);
    vlk_free(row);
    return true;
}

static void drop(struct vlk_backend *be, struct weights *w)
{
    for (int t = 0; t < 3; t++) {
        be->ops->weight_release(be, &w->of[t]);
        vlk_free(w->data[t]);
    }
}

static double relative(const float *y, const float *want, size_t n)
{
    double error = 0, all = 0;

    for (size_t i = 0; i < n; i++) {
        error += ((double)y[i] - (double)want[i]) * ((double)y[i] - (double)want[i]);
        all += (double)want[i] * (double)want[i];
    }
    return sqrt(error / all);
}

static void report(const char *name, int width, int inter, const float *y, size_t n)
{
    printf("%-10s %6d %6d   int8 %.5f   int4 %.5f\n", name, width, inter, relative(y + n, y, n), relative(y + 2 * n, y, n));
    fflush(stdout);
}

static bool measure(struct vlk_backend *be, int width, int dense, int inter)
{
    struct weights square, mlp[3], expert[EXPERTS][3], shared[3];
    struct vlk_weight of[3][3][EXPERTS];
    const size_t n = (size_t)TOKENS * (size_t)width;
    float *x = vlk_alloc(n, sizeof *x), *y = vlk_alloc(3 * n, sizeof *y), weight[TOKENS * CHOSEN];
    int32_t ids[TOKENS * CHOSEN];
    struct vlk_error err;
    bool made = x && y && make(be, width, width, &square);

    for (int part = 0; part < 3; part++) {
        made = made && make(be, part < 2 ? dense : width, part < 2 ? width : dense, &mlp[part]);
        made = made && make(be, part < 2 ? 2 * inter : width, part < 2 ? width : 2 * inter, &shared[part]);
        for (int e = 0; e < EXPERTS; e++)
            made = made && make(be, part < 2 ? inter : width, part < 2 ? width : inter, &expert[e][part]);
    }
    if (!made)
        return false;
    for (size_t i = 0; i < n; i++)
        x[i] = normal();
    for (int i = 0; i < TOKENS * CHOSEN; i++) {
        ids[i] = (i / CHOSEN + i) % EXPERTS;
        weight[i] = 1.0f / CHOSEN;
    }
    for (int t = 0; t < 3; t++)
        be->ops->linear(be, &(struct vlk_linear_args){ .n = TOKENS, .w = square.of[t], .x = x, .y = y + t * n });
    if (be->ops->wait(be, &err) == VLK_OK)
        report("product", width, width, y, n);
    for (int t = 0; t < 3; t++)
        be->ops->mlp(be, &(struct vlk_mlp_args){
            .n = TOKENS, .gate = mlp[0].of[t], .up = mlp[1].of[t], .down = mlp[2].of[t], .x = x, .y = y + t * n });
    if (be->ops->wait(be, &err) == VLK_OK)
        report("dense", width, dense, y, n);
    memset(y, 0, 3 * n * sizeof *y);
    for (int t = 0; t < 3; t++) {
        const int around = t == 2 ? 1 : t; /* mix: the shared experts in int8 */

        for (int part = 0; part < 3; part++)
            for (int e = 0; e < EXPERTS; e++)
                of[t][part][e] = expert[e][part].of[t];
        be->ops->moe(be, &(struct vlk_moe_args){ .n = TOKENS, .k = CHOSEN, .experts = EXPERTS, .gate = of[t][0], .up = of[t][1],
                                                 .down = of[t][2], .shared_gate = shared[0].of[around],
                                                 .shared_up = shared[1].of[around], .shared_down = shared[2].of[around],
                                                 .expert_ids = ids, .expert_weights = weight, .x = x, .y = y + t * n });
    }
    if (be->ops->wait(be, &err) == VLK_OK)
        report("experts", width, inter, y, n);
    drop(be, &square);
    for (int part = 0; part < 3; part++) {
        drop(be, &mlp[part]);
        drop(be, &shared[part]);
        for (int e = 0; e < EXPERTS; e++)
            drop(be, &expert[e][part]);
    }
    vlk_free(x);
    vlk_free(y);
    return true;
}

int main(void)
{
    struct vlk_error err;
    struct vlk_backend *be = vlk_cpu_open(&(struct vlk_cpu_options){ .threads = 1 }, &err);
    bool ok = be != NULL;

    puts("layer       width  inner   relative error against bf16 (experts: int4 with int8 shared experts)");
    ok = ok && measure(be, 1280, 6848, 896) && measure(be, 2048, 10944, 1408) && measure(be, 2560, 12288, 1536);
    if (be)
        be->ops->close(be);
    return ok ? 0 : 1;
}
