/* SPDX-License-Identifier: MIT
 *
 * Speed of the CPU ops beside this machine's own ceilings, measured in the same run: read bandwidth over a buffer several
 * times the last-level cache, and the rate of an FMA loop that never leaves the registers. A benchmark, not a test.
 *   bench_ops [isa] [threads] [part of a name]
 * With one thread the clock is the thread's own CPU time, so that a busy machine can still be measured on.
 */
#include "kernels/ceilings.h"
#include "kernels/cpu/cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static clockid_t which_clock = CLOCK_MONOTONIC;
static const char *only = "";

static double now(void)
{
    struct timespec t;

    clock_gettime(which_clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static struct vlk_cpu *cpu;
static struct vlk_backend *be;
static double read_ceiling, fma_ceiling;

/* ------------------------------------------------------------------------------------------------ ceilings */

#define STREAM_BYTES ((size_t)768 << 20)

static char *stream;

static void measure_ceilings(void)
{
    read_ceiling = vlk_measure_read(cpu->isa->name, cpu->threads, STREAM_BYTES) * 1e-9;
    fma_ceiling = vlk_measure_fma(cpu->isa->name, cpu->threads) * 1e-9;
    printf("ceilings: read %.1f GB/s, fma %.1f GFLOP/s\n", read_ceiling, fma_ceiling);
}

/* ------------------------------------------------------------------------------------------------ ops */

/* Weights are cut from the stream buffer, at a place that moves on, so that none is in a cache. */
static size_t stream_at;

static struct vlk_weight cold(vlk_dtype dtype, int rows, int cols)
{
    size_t bytes = vlk_row_bytes(dtype, cols) * (size_t)rows;
    struct vlk_weight w = { dtype, rows, cols, NULL, false };

    if (stream_at + bytes > STREAM_BYTES)
        stream_at = 0;
    w.data = stream + stream_at;
    stream_at += (bytes + 63) / 64 * 64;
    return w;
}

static float *x, *y;

static void report(const char *name, double seconds, double bytes, double flops)
{
    if (seconds <= 0)
        return;
    printf("%-44s %9.3f ms", name, seconds * 1e3);
    if (bytes > 0)
        printf("  %6.1f GB/s (%3.0f %%)", bytes / seconds * 1e-9, bytes / seconds * 1e-7 / read_ceiling);
    if (flops > 0)
        printf("  %7.1f GFLOP/s (%3.0f %%)", flops / seconds * 1e-9, flops / seconds * 1e-7 / fma_ceiling);
    putchar('\n');
    fflush(stdout);
}

/* The best of some repeats: on a busy machine anything else measures the neighbours. */
static double measure(const char *name, void (*run)(void *), void *ctx)
{
    double best = 1e9, spent = 0;

    if (!strstr(name, only))
        return 0;
    run(ctx);
    for (int n = 0; n < 30 && (n < 3 || spent < 0.5); n++) {
        double from = now(), t;

        run(ctx);
        t = now() - from;
        spent += t;
        best = t < best ? t : best;
    }
    return best;
}

struct linear_case {
    vlk_dtype dtype;
    int n, rows, cols;
    bool apart;
};

static void run_linear(void *ctx)
{
    const struct linear_case *c = ctx;

    be->ops->linear(be, &(struct vlk_linear_args){ .n = c->n, .w = cold(c->dtype, c->rows, c->cols), .x = x, .y = y,
                                                   .apart = c->apart });
}

static void bench_linear(vlk_dtype dtype, int n, int rows, int cols, bool apart)
{
    struct linear_case c = { dtype, n, rows, cols, apart };
    double bytes = (double)vlk_row_bytes(dtype, cols) * rows;
    char name[64];

    snprintf(name, sizeof name, "linear %s n=%d%s %dx%d", vlk_dtype_name(dtype), n, apart ? " apart" : "", rows, cols);
    report(name, measure(name, run_linear, &c), n <= 8 ? bytes : 0, n > 1 ? 2.0 * n * rows * cols : 0);
}

struct moe_case {
    vlk_dtype dtype;
    int n, width, inter;
    bool apart;
};

enum { EXPERTS = 64, K = 6 };

static void run_moe(void *ctx)
{
    static struct vlk_weight gate[EXPERTS], up[EXPERTS], down[EXPERTS];
    static int32_t ids[2048 * K];
    static float weights[2048 * K];
    static uint32_t seed;
    const struct moe_case *c = ctx;

    for (int e = 0; e < EXPERTS; e++) {
        gate[e] = cold(c->dtype, c->inter, c->width);
        up[e] = cold(c->dtype, c->inter, c->width);
        down[e] = cold(c->dtype, c->width, c->inter);
    }
    for (int t = 0; t < c->n; t++) {
        for (int j = 0; j < K; j++) {
            seed = seed * 1664525 + 1013904223;
            ids[t * K + j] = (int32_t)((seed >> 16) % 10 + (uint32_t)j * 10);
            weights[t * K + j] = 0.1f;
        }
    }
    be->ops->moe(be, &(struct vlk_moe_args){ .n = c->n, .k = K, .experts = EXPERTS, .gate = gate, .up = up, .down = down,
                                             .shared_gate = cold(c->dtype, 2 * c->inter, c->width),
                                             .shared_up = cold(c->dtype, 2 * c->inter, c->width),
                                             .shared_down = cold(c->dtype, c->width, 2 * c->inter), .expert_ids = ids,
                                             .expert_weights = weights, .x = x, .y = y, .apart = c->apart });
}

static void bench_moe(vlk_dtype dtype, int n, int width, int inter, bool apart)
{
    struct moe_case c = { dtype, n, width, inter, apart };
    double one = 3.0 * ((double)vlk_row_bytes(dtype, width) * inter);
    char name[64];

    snprintf(name, sizeof name, "moe %s n=%d%s %d/%d", vlk_dtype_name(dtype), n, apart ? " apart" : "", width, inter);
    report(name, measure(name, run_moe, &c), n == 1 ? one * (K + 2) : 0, n > 1 ? 6.0 * n * (K + 2) * width * inter : 0);
}

struct attend_case {
    int n, heads, dim, pos, tokens;
    struct vlk_step step;
};

/* A cache that was not read lately, as each layer's is. */
static const void *cold_cache(int rows, int width)
{
    return cold(VLK_BF16, rows, width).data;
}

static void run_mha(void *ctx)
{
    struct attend_case *c = ctx;
    const int rows = c->pos + c->n, width = c->heads * c->dim;
    const void *k = cold_cache(rows, width), *v = cold_cache(rows, width);

    c->step.pos = c->pos;
    be->ops->mha_attend(be, &(struct vlk_mha_attend_args){ c->n, c->heads, c->heads, c->dim, 0.1f, c->pos + c->n, &c->step, x,
                                                           k, v, VLK_BF16, y, NULL, 0 });
}

static void run_mla(void *ctx)
{
    struct attend_case *c = ctx;

    c->step.pos = c->pos;
    be->ops->mla_attend(be, &(struct vlk_mla_attend_args){ c->n, c->heads, 128, 512, 128, 64, 0.1f, c->pos + c->n, &c->step,
                                                           cold(VLK_BF16, c->heads * 256, 512), x,
                                                           cold_cache(c->pos + c->n, 576), VLK_BF16, y, NULL, 0 });
}

static void run_vit(void *ctx)
{
    struct attend_case *c = ctx;

    be->ops->vit_attend(be, &(struct vlk_vit_attend_args){ c->n, c->tokens, c->heads, c->dim, x, y });
}

static void bench_attention(void)
{
    static const int lengths[][2] = { { 1, 1024 }, { 1, 4000 }, { 512, 0 }, { 512, 1536 }, { 20, 2000 } };
    char name[64];

    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct attend_case c = { .n = lengths[i][0], .heads = 10, .dim = 128, .pos = lengths[i][1] };
        double seen = c.n * (c.pos + (c.n + 1) / 2.0), keys = c.pos + c.n;

        snprintf(name, sizeof name, "mha 10x128 n=%d after %d", c.n, c.pos);
        report(name, measure(name, run_mha, &c), c.n == 1 ? keys * 10 * 128 * 4 : 0, 4.0 * seen * 10 * 128);
        c.heads = 16;
        snprintf(name, sizeof name, "mla 16x(128+64)/128 n=%d after %d", c.n, c.pos);
        report(name, measure(name, run_mla, &c), c.n == 1 ? keys * 576 * 2 + 16 * 256 * 1024.0 : 0, 2.0 * seen * 16 * 320);
        if (c.n > 1) {
            cpu->mla_form = VLK_MLA_ABSORBED;
            report("  absorbed", measure("  absorbed", run_mla, &c), 0, 2.0 * seen * 16 * 320);
            cpu->mla_form = VLK_MLA_EXPANDED;
            report("  expanded", measure("  expanded", run_mla, &c), 0, 2.0 * seen * 16 * 320);
            cpu->mla_form = VLK_MLA_AUTO;
        }
    }
    struct attend_case vit = { .n = 1, .heads = 16, .dim = 72, .tokens = 729 };

    report("vit 16x72, 729 tokens", measure("vit 16x72, 729 tokens", run_vit, &vit), 0, 4.0 * 729 * 729 * 16 * 72);
}

/* One block of the vision tower, on weights that are in no cache. */
static void run_block(void *ctx)
{
    static float *h, *qkv, *mid;
    const vlk_dtype dtype = *(vlk_dtype *)ctx;
    const int width = 1152, mlp = 4304, rows = 2 * 729;
    struct vlk_weight norm = cold(VLK_F32, 1, width), bias = cold(VLK_F32, 1, mlp), bias3 = cold(VLK_F32, 1, 3 * width);

    if (!h) {
        h = vlk_alloc((size_t)rows * (size_t)width, 4);
        qkv = vlk_alloc((size_t)rows * (size_t)width * 3, 4);
        mid = vlk_alloc((size_t)rows * (size_t)mlp, 4);
    }
    be->ops->vit_block(be, &(struct vlk_vit_block_args){ .n = 2, .tokens = 729, .width = width, .heads = 16, .mlp = mlp, .eps = 1e-6f,
                                                         .norm1_w = norm, .norm1_b = norm, .qkv_w = cold(dtype, 3 * width, width),
                                                         .qkv_b = bias3, .proj_w = cold(dtype, width, width), .proj_b = norm,
                                                         .norm2_w = norm, .norm2_b = norm, .fc1_w = cold(dtype, mlp, width),
                                                         .fc1_b = bias, .fc2_w = cold(dtype, width, mlp), .fc2_b = norm, .x = x,
                                                         .h = h, .qkv = qkv, .mid = mid, .act = VLK_ACT_GELU_TANH });
}

static void run_gelu(void *ctx)
{
    struct linear_case *c = ctx;

    be->ops->linear(be, &(struct vlk_linear_args){ .n = c->n, .w = cold(c->dtype, c->rows, c->cols), .act = VLK_ACT_GELU_TANH,
                                                   .x = x, .y = y });
}

static void run_sample(void *ctx)
{
    static struct vlk_step step;
    static struct vlk_sampled result;
    static uint8_t seen[129280];
    float temperature = *(float *)ctx;

    be->ops->sample(be, &(struct vlk_sample_args){ .vocab = 129280, .temperature = temperature, .top_p = 0.9f,
                                                   .repetition_penalty = 1.1f, .logits = x, .seen = seen, .step = &step,
                                                   .result = &result });
}

/* Shapes of the published models, a token at a time and many. */
static void bench_products(void)
{
    for (int dtype = VLK_F32; dtype < VLK_DTYPE_COUNT; dtype++)
        bench_linear((vlk_dtype)dtype, 1, 20480, 1280, false);
    bench_linear(VLK_BF16, 1, 1280, 1280, false);
    bench_linear(VLK_BF16, 4, 20480, 1280, false);
    bench_linear(VLK_BF16, 8, 20480, 1280, false);
    for (int dtype = VLK_F32; dtype < VLK_DTYPE_COUNT; dtype++)
        bench_linear((vlk_dtype)dtype, 8, 20480, 1280, true);
    bench_moe(VLK_BF16, 1, 1280, 896, false);
    bench_moe(VLK_I8G, 1, 1280, 896, false);
    bench_moe(VLK_I4G, 1, 1280, 896, false);
    bench_moe(VLK_BF16, 1, 2048, 1408, false);
    bench_moe(VLK_BF16, 8, 1280, 896, true);
    bench_moe(VLK_I8G, 8, 1280, 896, true);
    for (int n = 16; n <= 512; n *= 2)
        bench_linear(VLK_BF16, n, 3840, 1280, false);
    bench_linear(VLK_F32, 729, 3456, 1152, false);
    bench_linear(VLK_BF16, 729, 3456, 1152, false);
    bench_linear(VLK_BF16, 729, 4304, 1152, false);
    bench_linear(VLK_BF16, 729, 1152, 4304, false);
    bench_linear(VLK_BF16, 512, 2048, 2048, false);
    bench_linear(VLK_I8G, 512, 2048, 2048, false);
    bench_linear(VLK_I4G, 512, 2048, 2048, false);
    struct linear_case gelu = { VLK_BF16, 729, 4304, 1152 };
    report("linear + gelu bf16 n=729 4304x1152", measure("linear + gelu bf16 n=729 4304x1152", run_gelu, &gelu), 0, 2.0 * 729 * 4304 * 1152);
    bench_moe(VLK_BF16, 512, 1280, 896, false);
    bench_moe(VLK_I8G, 512, 1280, 896, false);
    bench_moe(VLK_I4G, 512, 1280, 896, false);
    bench_moe(VLK_BF16, 128, 1280, 896, false);
}

int main(int argc, char **argv)
{
    struct vlk_error err;
    struct vlk_cpu_options options = { .threads = argc > 2 ? atoi(argv[2]) : 0, .isa = argc > 1 ? argv[1] : NULL };
    float cool = 0.1f, greedy = 0;

    be = vlk_cpu_open(&options, &err);
    if (!be) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    cpu = vlk_cpu_of(be);
    which_clock = vlk_cpu_threads(be) == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
    only = argc > 3 ? argv[3] : "";
    stream = vlk_alloc(STREAM_BYTES, 1);
    x = vlk_alloc((size_t)4 << 20, sizeof *x);
    y = vlk_alloc((size_t)8 << 20, sizeof *y);
    if (!stream || !x || !y)
        return 1;
    for (size_t i = 0; i < STREAM_BYTES / 2; i++)
        ((uint16_t *)stream)[i] = (uint16_t)(0x3c00 + i * 2654435761u % 512 + (i & 1) * 0x8000);
    for (size_t i = 0; i < (size_t)4 << 20; i++)
        x[i] = (float)(i * 2654435761u % 1000) / 500 - 1;
    printf("%s, %d threads\n", vlk_cpu_isa(be), vlk_cpu_threads(be));
    measure_ceilings();
    bench_products();
    bench_attention();
    for (int dtype = VLK_BF16; dtype <= VLK_I8G; dtype += 2) {
        char name[64];

        snprintf(name, sizeof name, "block %s", vlk_dtype_name((vlk_dtype)dtype));
        report(name, measure(name, run_block, &dtype), 0, 2 * 22.3e9 + 2 * 4.0 * 729 * 729 * 1152);
    }
    report("sample 129280, top-p 0.9, T 0.1", measure("sample 129280, top-p 0.9, T 0.1", run_sample, &cool), 0, 0);
    report("sample 129280, greedy", measure("sample 129280, greedy", run_sample, &greedy), 0, 0);
    vlk_free(stream);
    vlk_free(x);
    vlk_free(y);
    be->ops->close(be);
    return 0;
}
