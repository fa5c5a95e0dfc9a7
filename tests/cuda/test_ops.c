/* SPDX-License-Identifier: MIT
 *
 * Every kernel of the CUDA module, run by the emulation, against the CPU's op on the same data: every dtype, awkward shapes,
 * random schedules (VLK_EMULATE_SEED). Then errors, memory, graphs and the joining of launches. The CPU's ops have their own
 * tests against double references. With CUDA_ON_DEVICE it is a program for tests/gpu/run.sh, which loads the real module.
 */
#include "kernels/cuda/module.h"
#include "tests/cuda/kernels.h"
#include "tests/kernels/reference.h"

#ifndef CUDA_ON_DEVICE
extern const struct vlk_cuda_module vlk_cuda_module;
extern long emulate_fail_alloc_after, emulate_fail_launch_after, emulate_live_allocations, emulate_graph_launches;
extern unsigned emulate_seed;
void emulate_names(void (*visit)(const char *kernel, long launches, void *user), void *user);
void emulate_names_reset(void);
#endif

/* Rounding to bf16 errs by 2^-8 at most, (2^-8)^2 / 3 = 5e-6 of the power on average. Up to four vectors: x is the sum of two
 * halves, which leaves 2^-16 or 8e-11, and the same again for f16 and f32 weights. Many vectors: x is rounded, and weights that
 * are not bf16. Gated products round x in both factors, two weights, and their product. Attention rounds q, k, v and the
 * softmax weights; an error of q k moves a weight by as much again. A missing term of K is 1/K, above 1e-3 everywhere here. */
#define NMSE_FEW 2e-10
#define NMSE_MANY 1e-5
#define NMSE_GATED 2.5e-5
#define NMSE_FLASH 6e-5

static struct vlk_backend *cpu, *gpu;

/* ------------------------------------------------------------------------------------------------ two machines */

static void *to_gpu(const void *src, size_t bytes)
{
    void *p = gpu->ops->mem_alloc(gpu, bytes);

    gpu->ops->mem_write(gpu, p, src, bytes);
    return p;
}

static float *gpu_floats(const float *x, size_t n)
{
    return to_gpu(x, n * sizeof *x);
}

static void drop(void *p)
{
    gpu->ops->mem_free(gpu, p);
}

/* The GPU's n floats at p against the CPU's; frees p. */
static void compare(void *p, const float *want, size_t n, double bound, const char *name)
{
    float *got = vlk_alloc(n, sizeof *got);
    double *reference = doubles(n);

    gpu->ops->mem_read(gpu, got, p, n * sizeof *got);
    for (size_t i = 0; i < n; i++)
        reference[i] = (double)want[i];
    close_to(got, reference, n, bound, name);
    drop(p);
    vlk_free(got);
    vlk_free(reference);
}

struct both {
    struct test_weight host;
    struct vlk_weight device;
};

/* The CPU rounds the vectors that meet int8 and int4 weights; with the very values of such weights in f32 it does not. */
static struct both make_both(vlk_dtype dtype, int rows, int cols, double scale)
{
    struct both b = { .host = make_weight(cpu, dtype, rows, cols, scale) };

    b.device = gpu->ops->weight_import(gpu, dtype, rows, cols, b.host.bytes, VLK_PLACE_DEVICE);
    if (dtype == VLK_I8G || dtype == VLK_I4G) {
        cpu->ops->weight_release(cpu, &b.host.w);
        b.host.w = cpu->ops->weight_import(cpu, VLK_F32, rows, cols, b.host.values, VLK_PLACE_DEVICE);
    }
    return b;
}

static void free_both(struct both *b)
{
    gpu->ops->weight_release(gpu, &b->device);
    free_weight(cpu, &b->host);
}

#ifdef CUDA_ON_DEVICE
static void ran(const char *check)
{
    tap_diag("%s: %s", check, gpu->ops->describe(gpu));
}
#else
struct launched {
    const char *kernel;
    bool found;
};

static void look(const char *kernel, long launches, void *user)
{
    struct launched *l = user;

    l->found |= launches > 0 && !strcmp(kernel, l->kernel);
}

/* Every kernel that names this check ran in it. */
static void ran(const char *check)
{
    for (size_t i = 0; i < sizeof cuda_kernels / sizeof *cuda_kernels; i++) {
        struct launched l = { cuda_kernels[i].kernel, false };

        if (strcmp(cuda_kernels[i].check, check) != 0)
            continue;
        emulate_names(look, &l);
        ok(l.found, "%s ran %s", check, l.kernel);
    }
    emulate_names_reset();
}
#endif

/* ------------------------------------------------------------------------------------------------ linear, mlp */

static void check_linear(vlk_dtype dtype, int n, int rows, int cols, bool bias, vlk_act act, bool accumulate)
{
    struct both w = make_both(dtype, rows, cols, 1 / sqrt(cols)), b = make_both(VLK_BF16, 1, rows, 1);
    const size_t size = (size_t)n * (size_t)rows;
    float *x = random_floats((size_t)n * (size_t)cols, 1), *y = random_floats(size, 1);
    float *dx = gpu_floats(x, (size_t)n * (size_t)cols), *dy = gpu_floats(y, size);
    struct vlk_linear_args a = { .n = n, .w = w.device, .act = act, .accumulate = accumulate, .x = dx, .y = dy };
    char name[160];

    if (bias)
        a.b = b.device;
    gpu->ops->linear(gpu, &a);
    a.w = w.host.w;
    a.b = bias ? b.host.w : (struct vlk_weight){ 0 };
    a.x = x;
    a.y = y;
    cpu->ops->linear(cpu, &a);
    snprintf(name, sizeof name, "linear %s n=%d %dx%d%s act %d%s", vlk_dtype_name(dtype), n, rows, cols, bias ? " bias" : "", (int)act,
             accumulate ? " accumulate" : "");
    compare(dy, y, size, n <= 4 ? NMSE_FEW : NMSE_MANY, name);
    drop(dx);
    free_both(&w);
    free_both(&b);
    vlk_free(x);
    vlk_free(y);
}

static void test_linear(void)
{
    static const int shapes[][2] = { { 20, 72 }, { 77, 20 }, { 33, 160 }, { 1, 1 }, { 50, 257 } };

    for (int dtype = 0; dtype < VLK_DTYPE_COUNT; dtype++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
            check_linear((vlk_dtype)dtype, 1 + (int)(s + (size_t)dtype) % 4, shapes[s][0], shapes[s][1], s % 2, VLK_ACT_NONE, s % 3 == 0);
    for (int dtype = 0; dtype < VLK_DTYPE_COUNT; dtype++) {
        check_linear((vlk_dtype)dtype, 5, 70, 129, dtype % 2, VLK_ACT_NONE, false);
        check_linear((vlk_dtype)dtype, 66, 20, 96, false, VLK_ACT_NONE, true);
    }
    for (int act = VLK_ACT_NONE; act <= VLK_ACT_SILU; act++) {
        check_linear(VLK_BF16, 1, 45, 60, true, (vlk_act)act, act % 2);
        check_linear(VLK_BF16, 17, 45, 60, true, (vlk_act)act, act % 2 == 0);
    }
    check_linear(VLK_BF16, 1, 17, 2600, false, VLK_ACT_NONE, false); /* every warp, several rounds */
    check_linear(VLK_I4G, 1, 17, 2600, false, VLK_ACT_NONE, false);
    check_linear(VLK_BF16, 260, 140, 72, true, VLK_ACT_GELU_TANH, false); /* large tiles */
    check_linear(VLK_I8G, 130, 270, 40, true, VLK_ACT_NONE, true);
    ran("linear");
}

static void check_mlp(vlk_dtype dtype, int n, int width, int inter, bool accumulate)
{
    struct both gate = make_both(dtype, inter, width, 1 / sqrt(width)), up = make_both(dtype, inter, width, 1 / sqrt(width));
    struct both down = make_both(dtype, width, inter, 1 / sqrt(inter));
    const size_t size = (size_t)n * (size_t)width;
    float *x = random_floats(size, 1), *y = random_floats(size, 1), *dx = gpu_floats(x, size), *dy = gpu_floats(y, size);
    char name[128];

    gpu->ops->mlp(gpu, &(struct vlk_mlp_args){ n, gate.device, up.device, down.device, accumulate, dx, dy });
    cpu->ops->mlp(cpu, &(struct vlk_mlp_args){ n, gate.host.w, up.host.w, down.host.w, accumulate, x, y });
    snprintf(name, sizeof name, "mlp %s n=%d %d/%d%s", vlk_dtype_name(dtype), n, width, inter, accumulate ? " accumulate" : "");
    compare(dy, y, size, n <= 4 ? NMSE_FEW : NMSE_GATED, name);
    drop(dx);
    free_both(&gate);
    free_both(&up);
    free_both(&down);
    vlk_free(x);
    vlk_free(y);
}

static void test_mlp(void)
{
    check_mlp(VLK_BF16, 1, 77, 20, false);
    check_mlp(VLK_F16, 3, 40, 90, true);
    check_mlp(VLK_I8G, 2, 65, 64, true);
    check_mlp(VLK_I4G, 4, 64, 97, false);
    check_mlp(VLK_F32, 17, 72, 50, false);
    check_mlp(VLK_I8G, 13, 96, 40, true);
    check_mlp(VLK_I4G, 70, 64, 33, false);
    check_mlp(VLK_BF16, 260, 40, 72, true);
    ran("mlp");
}

/* ------------------------------------------------------------------------------------------------ experts */

enum { EXPERTS = 9, TOP = 3 };

static void check_moe(vlk_dtype dtype, vlk_dtype shared_dtype, int n, int width, int inter, int shared_inter, int spread)
{
    struct both gate[EXPERTS], up[EXPERTS], down[EXPERTS], shared[3] = { 0 };
    struct vlk_weight h[3][EXPERTS], d[3][EXPERTS];
    const size_t size = (size_t)n * (size_t)width;
    float *x = random_floats(size, 1), *y = random_floats(size, 1), *weights = random_floats((size_t)(n * TOP), 0.4);
    float *dx = gpu_floats(x, size), *dy = gpu_floats(y, size), *dw = gpu_floats(weights, (size_t)(n * TOP));
    int32_t *ids = vlk_alloc((size_t)(n * TOP), sizeof *ids), *di;
    char name[160];

    for (int e = 0; e < EXPERTS; e++) {
        gate[e] = make_both(dtype, inter, width, 1 / sqrt(width));
        up[e] = make_both(dtype, inter, width, 1 / sqrt(width));
        down[e] = make_both(dtype, width, inter, 1 / sqrt(inter));
        h[0][e] = gate[e].host.w, h[1][e] = up[e].host.w, h[2][e] = down[e].host.w;
        d[0][e] = gate[e].device, d[1][e] = up[e].device, d[2][e] = down[e].device;
    }
    for (int i = 0; i < 3 && shared_inter; i++)
        shared[i] = make_both(shared_dtype, i == 2 ? width : shared_inter, i == 2 ? shared_inter : width, 1 / sqrt(width));
    for (int t = 0; t < n; t++)
        for (int j = 0; j < TOP; j++)
            ids[t * TOP + j] = (int32_t)((t * 5 + j * (spread > 3 ? 2 : 1)) % spread);
    di = to_gpu(ids, (size_t)(n * TOP) * sizeof *ids);
    struct vlk_moe_args a = { .n = n, .k = TOP, .experts = EXPERTS, .gate = d[0], .up = d[1], .down = d[2],
                              .shared_gate = shared[0].device, .shared_up = shared[1].device, .shared_down = shared[2].device,
                              .expert_ids = di, .expert_weights = dw, .x = dx, .y = dy };
    gpu->ops->moe(gpu, &a);
    a.gate = h[0], a.up = h[1], a.down = h[2];
    a.shared_gate = shared[0].host.w, a.shared_up = shared[1].host.w, a.shared_down = shared[2].host.w;
    a.expert_ids = ids, a.expert_weights = weights, a.x = x, a.y = y;
    cpu->ops->moe(cpu, &a);
    snprintf(name, sizeof name, "moe %s n=%d %d/%d shared %s %d, %d experts in use", vlk_dtype_name(dtype), n, width, inter,
             vlk_dtype_name(shared_dtype), shared_inter, spread);
    compare(dy, y, size, n == 1 ? NMSE_FEW : NMSE_GATED, name);
    drop(dx);
    drop(dw);
    drop(di);
    for (int e = 0; e < EXPERTS; e++) {
        free_both(&gate[e]);
        free_both(&up[e]);
        free_both(&down[e]);
    }
    for (int i = 0; i < 3 && shared_inter; i++)
        free_both(&shared[i]);
    vlk_free(x);
    vlk_free(y);
    vlk_free(weights);
    vlk_free(ids);
}

static void test_moe(void)
{
    check_moe(VLK_BF16, VLK_BF16, 1, 72, 40, 0, 9);
    check_moe(VLK_I4G, VLK_I8G, 1, 65, 72, 50, 9);
    check_moe(VLK_I8G, VLK_F16, 1, 40, 33, 20, 3);
    check_moe(VLK_BF16, VLK_BF16, 2, 40, 24, 33, 9);
    check_moe(VLK_I4G, VLK_I8G, 31, 72, 40, 20, 9);
    check_moe(VLK_F32, VLK_BF16, 90, 20, 24, 0, 3); /* more than a tile for some experts, none for others */
    ran("moe");
}

struct router_case {
    int n, experts, width, k, n_group, topk_group;
    vlk_score score;
    vlk_topk method;
    bool norm, bias;
    float scaling;
};

static void check_router(const struct router_case *c)
{
    struct both w = make_both(c->norm ? VLK_BF16 : VLK_F32, c->experts, c->width, 1 / sqrt(c->width)), b = make_both(VLK_BF16, 1, c->experts, 0.2);
    const size_t pairs = (size_t)(c->n * c->k);
    float *x = random_floats((size_t)c->n * (size_t)c->width, 1), *dx = gpu_floats(x, (size_t)c->n * (size_t)c->width);
    float *weights = vlk_alloc(pairs, 4), *dw = gpu->ops->mem_alloc(gpu, pairs * 4);
    int32_t *ids = vlk_alloc(pairs, 4), *got = vlk_alloc(pairs, 4), *di = gpu->ops->mem_alloc(gpu, pairs * 4);
    struct vlk_router_args a = { .n = c->n, .k = c->k, .n_group = c->n_group, .topk_group = c->topk_group, .score = c->score,
                                 .method = c->method, .norm_topk = c->norm, .scaling = c->scaling, .w = w.device, .x = dx,
                                 .expert_ids = di, .expert_weights = dw };
    char name[128];

    if (c->bias)
        a.bias = b.device;
    gpu->ops->router(gpu, &a);
    a.w = w.host.w;
    a.bias = c->bias ? b.host.w : (struct vlk_weight){ 0 };
    a.x = x;
    a.expert_ids = ids;
    a.expert_weights = weights;
    cpu->ops->router(cpu, &a);
    gpu->ops->mem_read(gpu, got, di, pairs * 4);
    snprintf(name, sizeof name, "router n=%d %d of %d, score %d method %d", c->n, c->k, c->experts, (int)c->score, (int)c->method);
    ok(!memcmp(got, ids, pairs * 4), "%s: the same experts in the same order", name);
    compare(dw, weights, pairs, 1e-10, name);
    drop(dx);
    drop(di);
    free_both(&w);
    free_both(&b);
    vlk_free(x);
    vlk_free(weights);
    vlk_free(ids);
    vlk_free(got);
}

static void test_router(void)
{
    static const struct router_case cases[] = {
        { 1, 64, 77, 6, 1, 1, VLK_SCORE_SOFTMAX, VLK_TOPK_GREEDY, false, false, 1 },
        { 17, 64, 72, 6, 1, 1, VLK_SCORE_SOFTMAX, VLK_TOPK_GREEDY, true, false, 1.5f },
        { 9, 10, 20, 3, 1, 1, VLK_SCORE_SIGMOID, VLK_TOPK_NOAUX_TC, true, true, 2 },
        { 20, 32, 20, 4, 8, 3, VLK_SCORE_SIGMOID, VLK_TOPK_NOAUX_TC, true, true, 2.5f },
        { 20, 32, 20, 4, 4, 2, VLK_SCORE_SOFTMAX, VLK_TOPK_GROUP_LIMITED, false, false, 16 },
        { 5, 12, 20, 8, 6, 2, VLK_SCORE_SOFTMAX, VLK_TOPK_GROUP_LIMITED, false, false, 1 },
        { 3, 4, 20, 1, 1, 1, VLK_SCORE_SOFTMAX, VLK_TOPK_GREEDY, true, false, 1 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_router(&cases[i]);
    ran("router");
}

/* ------------------------------------------------------------------------------------------------ attention */

static float *rope_table(int positions, int dim, bool sine)
{
    float *table = vlk_alloc((size_t)(positions * (dim / 2)), 4);

    for (int p = 0; p < positions; p++)
        for (int i = 0; i < dim / 2; i++) {
            double angle = p * pow(10000, -2.0 * i / dim);

            table[p * (dim / 2) + i] = (float)(sine ? sin(angle) : cos(angle));
        }
    return table;
}

struct attention_case {
    int heads, kv_heads, dim, rotated, total;
    vlk_dtype cache;
    bool probs;
    int chunks[8];
};

static void check_mha(const struct attention_case *m)
{
    const int H = m->heads, G = m->kv_heads, D = m->dim, T = m->total, P = T + 5;
    const size_t qs = (size_t)(T * H * D), ks = (size_t)(T * G * D), cache = ks * (m->cache == VLK_BF16 ? 2 : 4);
    float *cosine = rope_table(T, m->rotated, false), *sine = rope_table(T, m->rotated, true);
    float *q = random_floats(qs, 1.5), *k = random_floats(ks, 1.5), *v = random_floats(ks, 1), *out = vlk_alloc(qs, 4);
    float *probs = vlk_alloc((size_t)(T * H * P), 4), *dq = gpu_floats(q, qs), *dk = gpu_floats(k, ks), *dv = gpu_floats(v, ks);
    float *dout = gpu->ops->mem_alloc(gpu, qs * 4), *dprobs = gpu->ops->mem_alloc(gpu, (size_t)(T * H * P) * 4);
    float *dc = gpu_floats(cosine, (size_t)(T * (m->rotated / 2))), *ds = gpu_floats(sine, (size_t)(T * (m->rotated / 2)));
    void *kc = vlk_alloc(cache, 1), *vc = vlk_alloc(cache, 1), *dkc = gpu->ops->mem_alloc(gpu, cache), *dvc = gpu->ops->mem_alloc(gpu, cache);
    struct vlk_step step = { 0 }, *dstep = gpu->ops->mem_alloc(gpu, sizeof step);
    char name[160];

    for (int c = 0, at = 0; m->chunks[c]; at += m->chunks[c++]) {
        const int n = m->chunks[c];

        gpu->ops->mha_write(gpu, &(struct vlk_mha_write_args){ n, H, G, D, { dc, ds, m->rotated, false }, dstep, dq + at * H * D,
                                                               dk + at * G * D, dv + at * G * D, dkc, dvc, m->cache });
        gpu->ops->mha_attend(gpu, &(struct vlk_mha_attend_args){ n, H, G, D, 0.17f, at + n, dstep, dq + at * H * D, dkc, dvc, m->cache,
                                                                 dout + at * H * D, m->probs ? dprobs + at * H * P : NULL, P });
        gpu->ops->step_advance(gpu, dstep, n);
        cpu->ops->mha_write(cpu, &(struct vlk_mha_write_args){ n, H, G, D, { cosine, sine, m->rotated, false }, &step, q + at * H * D,
                                                               k + at * G * D, v + at * G * D, kc, vc, m->cache });
        cpu->ops->mha_attend(cpu, &(struct vlk_mha_attend_args){ n, H, G, D, 0.17f, at + n, &step, q + at * H * D, kc, vc, m->cache,
                                                                 out + at * H * D, m->probs ? probs + at * H * P : NULL, P });
        cpu->ops->step_advance(cpu, &step, n);
    }
    snprintf(name, sizeof name, "mha %d/%d heads of %d, %d tokens, %s cache", H, G, D, T, vlk_dtype_name(m->cache));
    compare(dout, out, qs, NMSE_FLASH, name);
    if (m->probs)
        compare(dprobs, probs, (size_t)(T * H * P), 1e-8, "its probabilities");
    else
        drop(dprobs);
    void *const device[] = { dq, dk, dv, dc, ds, dkc, dvc, dstep }, *const host[] = { cosine, sine, q, k, v, out, probs, kc, vc };
    for (size_t i = 0; i < sizeof device / sizeof *device; i++)
        drop(device[i]);
    for (size_t i = 0; i < sizeof host / sizeof *host; i++)
        vlk_free(host[i]);
}

static void test_mha(void)
{
    static const struct attention_case cases[] = {
        { 3, 3, 24, 24, 40, VLK_F32, true, { 17, 1, 1, 3, 18 } },
        { 4, 2, 20, 16, 150, VLK_F32, false, { 140, 2, 1, 7 } },
        { 2, 2, 128, 128, 80, VLK_BF16, false, { 1, 1, 3, 70, 5 } },
        { 6, 1, 16, 16, 33, VLK_BF16, true, { 33 } },
        { 1, 1, 8, 8, 700, VLK_BF16, false, { 690, 1, 4, 5 } },
        { 1, 1, 140, 140, 20, VLK_F32, false, { 20 } }, /* wider than blocks of queries can be */
        { 34, 2, 16, 16, 5, VLK_F32, false, { 4, 1 } }, /* more heads of a group than rows of a tile */
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_mha(&cases[i]);
    ran("mha");
}

struct mla_case {
    int heads, nope, rope, lora, v, total;
    vlk_dtype cache, weight;
    bool probs, interleaved;
    int chunks[8];
};

static void check_mla(const struct mla_case *m)
{
    const int H = m->heads, N = m->nope, R = m->rope, L = m->lora, V = m->v, T = m->total, K = N + R, C = L + R, P = T + 3;
    const size_t qs = (size_t)(T * H * K), outs = (size_t)(T * H * V), probs_size = (size_t)(T * H * P);
    const size_t cache = (size_t)(T * C) * (m->cache == VLK_BF16 ? 2 : 4);
    float *cosine = rope_table(T, R, false), *sine = rope_table(T, R, true);
    struct both norm = make_both(VLK_BF16, 1, L, 1), b = make_both(m->weight, H * (N + V), L, 1 / sqrt(L));
    float *q = random_floats(qs, 1.5), *kv = random_floats((size_t)(T * C), 2), *out = vlk_alloc(outs, 4), *probs = vlk_alloc(probs_size, 4);
    float *dq = gpu_floats(q, qs), *dkv = gpu_floats(kv, (size_t)(T * C)), *dout = gpu->ops->mem_alloc(gpu, outs * 4);
    float *dprobs = gpu->ops->mem_alloc(gpu, probs_size * 4), *dc = gpu_floats(cosine, (size_t)(T * (R / 2)));
    float *ds = gpu_floats(sine, (size_t)(T * (R / 2)));
    void *hc = vlk_alloc(cache, 1), *dcache = gpu->ops->mem_alloc(gpu, cache);
    struct vlk_step step = { 0 }, *dstep = gpu->ops->mem_alloc(gpu, sizeof step);
    char name[200];

    for (int c = 0, at = 0; m->chunks[c]; at += m->chunks[c++]) {
        const int n = m->chunks[c];

        gpu->ops->mla_write(gpu, &(struct vlk_mla_write_args){ n, H, N, L, 1e-6f, { dc, ds, R, m->interleaved }, norm.device, dstep,
                                                               dq + at * H * K, dkv + at * C, dcache, m->cache });
        gpu->ops->mla_attend(gpu, &(struct vlk_mla_attend_args){ n, H, N, L, V, R, 0.13f, at + n, dstep, b.device, dq + at * H * K, dcache,
                                                                 m->cache, dout + at * H * V, m->probs ? dprobs + at * H * P : NULL, P });
        gpu->ops->step_advance(gpu, dstep, n);
        cpu->ops->mla_write(cpu, &(struct vlk_mla_write_args){ n, H, N, L, 1e-6f, { cosine, sine, R, m->interleaved }, norm.host.w, &step,
                                                               q + at * H * K, kv + at * C, hc, m->cache });
        cpu->ops->mla_attend(cpu, &(struct vlk_mla_attend_args){ n, H, N, L, V, R, 0.13f, at + n, &step, b.host.w, q + at * H * K, hc,
                                                                 m->cache, out + at * H * V, m->probs ? probs + at * H * P : NULL, P });
        cpu->ops->step_advance(cpu, &step, n);
    }
    snprintf(name, sizeof name, "mla %d heads %d+%d/%d lora %d, %d tokens, %s cache, %s weights", H, N, R, V, L, T, vlk_dtype_name(m->cache),
             vlk_dtype_name(m->weight));
    compare(dout, out, outs, NMSE_FLASH, name);
    if (m->probs)
        compare(dprobs, probs, probs_size, 1e-8, "its probabilities");
    else
        drop(dprobs);
    void *const device[] = { dq, dkv, dc, ds, dcache, dstep }, *const host[] = { cosine, sine, q, kv, out, probs, hc };
    for (size_t i = 0; i < sizeof device / sizeof *device; i++)
        drop(device[i]);
    for (size_t i = 0; i < sizeof host / sizeof *host; i++)
        vlk_free(host[i]);
    free_both(&norm);
    free_both(&b);
}

static void test_mla(void)
{
    static const struct mla_case cases[] = {
        { 3, 20, 8, 40, 12, 60, VLK_F32, VLK_BF16, true, true, { 1, 1, 17, 3, 38 } },
        { 4, 18, 10, 56, 28, 90, VLK_BF16, VLK_BF16, false, true, { 60, 1, 29 } },
        { 3, 20, 8, 40, 12, 50, VLK_F32, VLK_F32, false, false, { 40, 10 } },
        { 18, 16, 8, 33, 16, 40, VLK_BF16, VLK_F16, true, true, { 33, 1, 6 } },
        { 2, 32, 8, 64, 32, 40, VLK_F32, VLK_I8G, false, true, { 1, 3, 36 } },
        { 2, 128, 64, 512, 128, 40, VLK_BF16, VLK_I4G, false, true, { 34, 1, 5 } },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_mla(&cases[i]);
    ran("mla");
}

static void check_vit(int n, int tokens, int heads, int dim)
{
    const size_t row = 3 * (size_t)(heads * dim), rows = (size_t)(n * tokens), size = rows * (size_t)(heads * dim);
    float *qkv = random_floats(rows * row, 1), *out = vlk_alloc(size, 4), *dqkv = gpu_floats(qkv, rows * row);
    float *dout = gpu->ops->mem_alloc(gpu, size * 4);
    char name[128];

    gpu->ops->vit_attend(gpu, &(struct vlk_vit_attend_args){ n, tokens, heads, dim, dqkv, dout });
    cpu->ops->vit_attend(cpu, &(struct vlk_vit_attend_args){ n, tokens, heads, dim, qkv, out });
    snprintf(name, sizeof name, "vit %d tiles of %d tokens, %d heads of %d", n, tokens, heads, dim);
    compare(dout, out, size, NMSE_FLASH, name);
    drop(dqkv);
    vlk_free(qkv);
    vlk_free(out);
}

static void test_vit(void)
{
    check_vit(1, 1, 2, 24);
    check_vit(2, 81, 3, 24);
    check_vit(1, 100, 2, 72);
    check_vit(3, 3, 1, 20);
    ran("vit");
}

/* ------------------------------------------------------------------------------------------------ rows */

static void check_norms(vlk_dtype dtype, int n, int width)
{
    struct both w = make_both(dtype, 1, width, 1), b = make_both(dtype, 1, width, 1);
    const size_t size = (size_t)n * (size_t)width;
    float *x = random_floats(size, 3), *y = vlk_alloc(size, 4), *dx, *dy = gpu->ops->mem_alloc(gpu, size * 4);
    char name[96];

    for (size_t i = 0; i < size; i++)
        x[i] += 5;
    dx = gpu_floats(x, size);
    snprintf(name, sizeof name, "layernorm %s %d of %d", vlk_dtype_name(dtype), n, width);
    gpu->ops->layernorm(gpu, &(struct vlk_layernorm_args){ n, width, 1e-3f, w.device, b.device, dx, dy });
    cpu->ops->layernorm(cpu, &(struct vlk_layernorm_args){ n, width, 1e-3f, w.host.w, b.host.w, x, y });
    compare(dy, y, size, NMSE_F32, name);
    gpu->ops->rmsnorm(gpu, &(struct vlk_rmsnorm_args){ n, width, 1e-3f, w.device, dx, dx });
    cpu->ops->rmsnorm(cpu, &(struct vlk_rmsnorm_args){ n, width, 1e-3f, w.host.w, x, y });
    compare(dx, y, size, NMSE_F32, "rmsnorm in place");
    free_both(&w);
    free_both(&b);
    vlk_free(x);
    vlk_free(y);
}

static void check_embed(vlk_dtype dtype, int width)
{
    static const int32_t ids[] = { 3, -1, 0, -3, 6, 6, -2 };
    struct both table = make_both(dtype, 7, width, 1);
    float *rows = random_floats((size_t)(3 * width), 1), *out = vlk_alloc((size_t)(7 * width), 4), *drows = gpu_floats(rows, (size_t)(3 * width));
    float *dout = gpu->ops->mem_alloc(gpu, (size_t)(7 * width) * 4);
    int32_t *dids = to_gpu(ids, sizeof ids);
    char name[64];

    gpu->ops->embed(gpu, &(struct vlk_embed_args){ 7, width, dids, table.device, drows, dout });
    cpu->ops->embed(cpu, &(struct vlk_embed_args){ 7, width, ids, table.host.w, rows, out });
    snprintf(name, sizeof name, "embed %s of %d: exact", vlk_dtype_name(dtype), width);
    compare(dout, out, (size_t)(7 * width), 0, name);
    drop(drows);
    drop(dids);
    free_both(&table);
    vlk_free(rows);
    vlk_free(out);
}

static void check_patches(int n, int side, int patch, int width, vlk_dtype dtype)
{
    const int grid = side / patch, cells = grid * grid, cols = 3 * patch * patch;
    struct both w = make_both(dtype, width, cols, 0.1), b = make_both(dtype, 1, width, 1), pos = make_both(dtype, cells, width, 1);
    const size_t size = (size_t)(n * cells * width), bytes = (size_t)(n * 3 * side * side);
    uint8_t *tiles = vlk_alloc(bytes, 1), *dt;
    float *out = vlk_alloc(size, 4), *dout = gpu->ops->mem_alloc(gpu, size * 4);
    char name[96];

    for (size_t i = 0; i < bytes; i++)
        tiles[i] = (uint8_t)(uniform_double() * 256);
    dt = to_gpu(tiles, bytes);
    gpu->ops->patch_embed(gpu, &(struct vlk_patch_embed_args){ n, side, patch, width, w.device, b.device, pos.device, dt, dout });
    cpu->ops->patch_embed(cpu, &(struct vlk_patch_embed_args){ n, side, patch, width, w.host.w, b.host.w, pos.host.w, tiles, out });
    snprintf(name, sizeof name, "patch embed %d tiles of %d, patch %d, width %d", n, side, patch, width);
    compare(dout, out, size, NMSE_MANY, name);
    drop(dt);
    free_both(&w);
    free_both(&b);
    free_both(&pos);
    vlk_free(tiles);
    vlk_free(out);
}

static void check_unfold(int n, int grid, int width, int r)
{
    const int g = (grid + r - 1) / r;
    const size_t size = (size_t)(n * g * g * width * r * r), from = (size_t)(n * grid * grid * width);
    float *x = random_floats(from, 1), *out = vlk_alloc(size, 4), *dx = gpu_floats(x, from), *dout = gpu->ops->mem_alloc(gpu, size * 4);
    char name[64];

    gpu->ops->unfold(gpu, &(struct vlk_unfold_args){ n, grid, width, r, dx, dout });
    cpu->ops->unfold(cpu, &(struct vlk_unfold_args){ n, grid, width, r, x, out });
    snprintf(name, sizeof name, "unfold grid %d by %d, width %d: exact", grid, r, width);
    compare(dout, out, size, 0, name);
    drop(dx);
    vlk_free(x);
    vlk_free(out);
}

static void test_rows(void)
{
    check_norms(VLK_BF16, 1, 77);
    check_norms(VLK_F32, 3, 20);
    check_norms(VLK_F16, 5, 896);
    check_norms(VLK_F32, 2, 1);
    ran("norms");
    check_embed(VLK_BF16, 77);
    check_embed(VLK_F32, 20);
    check_embed(VLK_F16, 9);
    check_embed(VLK_I8G, 97);
    check_embed(VLK_I4G, 150);
    ran("embed");
    check_patches(2, 126, 14, 20, VLK_BF16);
    check_patches(3, 23, 5, 72, VLK_F16);
    ran("patches");
    check_unfold(2, 9, 20, 2);
    check_unfold(1, 8, 3, 3);
    check_unfold(2, 5, 7, 1);
    ran("unfold");
}

/* ------------------------------------------------------------------------------------------------ sampling */

enum { VOCAB = 2500 };

/* The same draws as the CPU's, whose sums differ by rounding: an id may differ where u falls within 1e-6 of a boundary. */
static void test_sample(void)
{
    static float logits[VOCAB];
    static uint8_t seen[VOCAB];
    static uint32_t mask[(VOCAB + 31) / 32];
    static const struct {
        float temperature, top_p, penalty;
        int top_k, alternatives;
        bool masked;
    } settings[] = {
        { 0, 1, 1, 0, 20, false }, { 0, 1, 1.3f, 0, 5, true }, { 1, 1, 1, 0, 0, false }, { 1, 0.9f, 1.1f, 50, 3, false },
        { 0.1f, 0.9f, 1.1f, 0, 1, false }, { 2, 0.5f, 1, 7, 20, true }, { 1, 0.0001f, 1, 0, 0, false },
    };
    float *dlogits;
    struct vlk_sampled want, got, *dresult = gpu->ops->mem_alloc(gpu, sizeof got);
    uint8_t *dseen = gpu->ops->mem_alloc(gpu, VOCAB);
    struct vlk_step *dstep = gpu->ops->mem_alloc(gpu, sizeof *dstep), step;
    int other = 0, odd = 0, reports = 0, draws = 0;

    for (int i = 0; i < VOCAB; i++) {
        logits[i] = (float)(int)(8 * 2 * normal()) / 8; /* many ties */
        seen[i] = uniform_double() < 0.1;
    }
    logits[7] = NAN;
    logits[8] = -INFINITY;
    for (int i = 0; i < 400; i++)
        mask[(i * 37) % VOCAB / 32] |= 1u << (i * 37 % VOCAB % 32);
    dlogits = gpu_floats(logits, VOCAB);
    for (size_t s = 0; s < sizeof settings / sizeof *settings; s++)
        for (int round = 0; round < 12; round++, draws++) {
            struct vlk_sample_args a = { .vocab = VOCAB - (int)s, .temperature = settings[s].temperature, .top_p = settings[s].top_p,
                                         .repetition_penalty = settings[s].penalty, .top_k = settings[s].top_k, .seed = 5 + s,
                                         .n_alternatives = settings[s].alternatives, .allowed = settings[s].masked ? mask : NULL };
            uint8_t marks[VOCAB], got_marks[VOCAB];

            step = (struct vlk_step){ .pos = 3, .rng = (uint64_t)round };
            memcpy(marks, seen, VOCAB);
            gpu->ops->mem_write(gpu, dstep, &step, sizeof step);
            gpu->ops->mem_write(gpu, dseen, seen, VOCAB);
            a.logits = dlogits, a.seen = dseen, a.step = dstep, a.result = dresult;
            gpu->ops->sample(gpu, &a);
            a.logits = logits, a.seen = marks, a.step = &step, a.result = &want;
            cpu->ops->sample(cpu, &a);
            gpu->ops->wait(gpu, NULL);
            gpu->ops->mem_read(gpu, &got, dresult, sizeof got);
            other += got.id != want.id || got.unmasked_id != want.unmasked_id;
            gpu->ops->mem_read(gpu, got_marks, dseen, VOCAB);
            gpu->ops->mem_read(gpu, &step, dstep, sizeof step);
            odd += !got_marks[got.id] || step.token != got.id || step.rng != (uint64_t)round + 1 || step.pos != 3;
            if (got.id == want.id)
                odd += fabsf(got.logprob - want.logprob) > 1e-4f && !(isinf(got.logprob) && isinf(want.logprob));
            reports += got.n_alternatives != want.n_alternatives || memcmp(got.alt_id, want.alt_id, sizeof got.alt_id) != 0;
            for (int i = 0; i < got.n_alternatives; i++)
                reports += fabsf(got.alt_logprob[i] - want.alt_logprob[i]) > 1e-4f;
        }
    ok(other == 0, "sample: %d of %d draws are the CPU's", draws - other, draws);
    is_int(odd, 0, "sample: marks, step and log-probability");
    is_int(reports, 0, "sample: the same alternatives in the same order");
    drop(dlogits);
    drop(dresult);
    drop(dseen);
    drop(dstep);
    ran("sample");
}

/* ------------------------------------------------------------------------------------------------ backend */

static void test_memory(void)
{
    unsigned char host[5000], back[5000];
    unsigned char *p = gpu->ops->mem_alloc(gpu, 5000);
    int wrong = 0;

    gpu->ops->mem_read(gpu, back, p, 5000);
    for (int i = 0; i < 5000; i++) {
        wrong += back[i] != 0;
        host[i] = (unsigned char)(i * 7);
    }
    is_int(wrong, 0, "memory is zeroed");
    gpu->ops->mem_write(gpu, p, host, 5000);
    gpu->ops->mem_copy(gpu, p + 100, p, 3000);
    gpu->ops->mem_zero(gpu, p + 4001, 998);
    gpu->ops->mem_read(gpu, back, p, 5000);
    memmove(host + 100, host, 3000);
    memset(host + 4001, 0, 998);
    ok(!memcmp(host, back, 5000), "write, overlapping copy and zero");
    drop(p);
    ran("memory");
}

/* q, k, v in one launch; a product that reads what another wrote is not joined. */
static void test_joining(void)
{
    struct both a = make_both(VLK_BF16, 20, 40, 0.2), b = make_both(VLK_I8G, 33, 40, 0.2), c = make_both(VLK_BF16, 9, 20, 0.2);
    float *x = random_floats(40, 1), y1[20], y2[33], y3[9], *dx = gpu_floats(x, 40), *d1 = gpu->ops->mem_alloc(gpu, sizeof y1);
    float *d2 = gpu->ops->mem_alloc(gpu, sizeof y2), *d3 = gpu->ops->mem_alloc(gpu, sizeof y3);

    gpu->ops->linear(gpu, &(struct vlk_linear_args){ .n = 1, .w = a.device, .x = dx, .y = d1 });
    gpu->ops->linear(gpu, &(struct vlk_linear_args){ .n = 1, .w = b.device, .x = dx, .y = d2 });
    gpu->ops->linear(gpu, &(struct vlk_linear_args){ .n = 1, .w = c.device, .x = d1, .y = d3 });
    cpu->ops->linear(cpu, &(struct vlk_linear_args){ .n = 1, .w = a.host.w, .x = x, .y = y1 });
    cpu->ops->linear(cpu, &(struct vlk_linear_args){ .n = 1, .w = b.host.w, .x = x, .y = y2 });
    cpu->ops->linear(cpu, &(struct vlk_linear_args){ .n = 1, .w = c.host.w, .x = y1, .y = y3 });
    compare(d3, y3, 9, NMSE_FEW, "a chain of products");
    compare(d2, y2, 33, NMSE_FEW, "a joined product of another dtype");
    drop(d1);
    drop(dx);
    free_both(&a);
    free_both(&b);
    free_both(&c);
    vlk_free(x);
}

/* The same ops again and again: the second round is recorded, later ones are replayed, and positions still move. */
static void test_graphs(void)
{
    struct both w = make_both(VLK_BF16, 40, 40, 0.15), norm = make_both(VLK_BF16, 1, 40, 1);
    float *x = random_floats(40, 1), *dx = gpu_floats(x, 40), h[40], *dh = gpu->ops->mem_alloc(gpu, sizeof h);
    struct vlk_step step, *dstep = gpu->ops->mem_alloc(gpu, sizeof step);
#ifndef CUDA_ON_DEVICE
    long before = emulate_graph_launches;
#endif

    for (int round = 0; round < 5; round++) {
        for (int layer = 0; layer < 2; layer++) {
            gpu->ops->rmsnorm(gpu, &(struct vlk_rmsnorm_args){ 1, 40, 1e-6f, norm.device, dx, dh });
            gpu->ops->linear(gpu, &(struct vlk_linear_args){ .n = 1, .w = w.device, .accumulate = true, .x = dh, .y = dx });
            cpu->ops->rmsnorm(cpu, &(struct vlk_rmsnorm_args){ 1, 40, 1e-6f, norm.host.w, x, h });
            cpu->ops->linear(cpu, &(struct vlk_linear_args){ .n = 1, .w = w.host.w, .accumulate = true, .x = h, .y = x });
        }
        gpu->ops->step_advance(gpu, dstep, 1);
        is_int(gpu->ops->wait(gpu, NULL), VLK_OK, "a round runs");
    }
#ifndef CUDA_ON_DEVICE
    is_int(emulate_graph_launches - before, 4, "all rounds but the first are one graph");
#endif
    gpu->ops->mem_read(gpu, &step, dstep, sizeof step);
    is_int(step.pos, 5, "the position moves with every replay");
    compare(dx, x, 40, 1e-8, "five rounds");
    drop(dh);
    drop(dstep);
    free_both(&w);
    free_both(&norm);
    vlk_free(x);
}

#ifdef CUDA_ON_DEVICE
static struct vlk_backend *open_gpu(void)
{
    struct vlk_error err = { 0 };
    struct vlk_backend *be = vlk_cuda_open(NULL, &err);

    if (!be)
        tap_diag("%s", err.text);
    return be;
}
#else
static void test_schedules(void)
{
    unsigned seed = emulate_seed;

    for (unsigned s = 1; s <= 3; s++) {
        emulate_seed = s;
        check_linear(VLK_BF16, 1, 33, 300, true, VLK_ACT_SILU, true);
        check_linear(VLK_I4G, 70, 70, 64, false, VLK_ACT_NONE, false);
        check_moe(VLK_I8G, VLK_BF16, 20, 40, 33, 20, 9);
        check_mha(&(struct attention_case){ 2, 1, 20, 20, 75, VLK_BF16, true, { 66, 1, 8 } });
        check_router(&(struct router_case){ 9, 20, 20, 3, 1, 1, VLK_SCORE_SIGMOID, VLK_TOPK_NOAUX_TC, true, true, 2 });
    }
    emulate_seed = seed;
}

static struct vlk_backend *open_gpu(void)
{
    struct vlk_error err = { 0 };
    struct vlk_backend *be = vlk_cuda_module.open(0, &err);

    if (!be)
        tap_diag("%s", err.text);
    return be;
}

static void test_faults(void)
{
    struct vlk_backend *be = open_gpu();
    struct vlk_error err = { 0 };
    float values[32] = { 0 }, *out = be->ops->mem_alloc(be, 32);
    struct vlk_weight table = be->ops->weight_import(be, VLK_F32, 4, 8, values, VLK_PLACE_DEVICE);
    int32_t bad = 9, *ids = be->ops->mem_alloc(be, 4);

    be->ops->mem_write(be, ids, &bad, 4);
    be->ops->embed(be, &(struct vlk_embed_args){ 1, 8, ids, table, NULL, out });
    is_int(be->ops->wait(be, &err), VLK_ERR_DEVICE, "an id outside the table poisons the backend");
    ok(strstr(err.text, "9") != NULL, "with its sentence: %s", err.text);
    be->ops->weight_release(be, &table);
    be->ops->mem_free(be, out);
    be->ops->mem_free(be, ids);
    be->ops->close(be);

    be = open_gpu();
    out = be->ops->mem_alloc(be, 32);
    emulate_fail_launch_after = 0;
    be->ops->mem_zero(be, out, 32);
    is_int(be->ops->wait(be, &err), VLK_ERR_DEVICE, "a lost device poisons the backend");
    ok(strstr(err.text, "GPU") != NULL, "with its sentence: %s", err.text);
    emulate_fail_launch_after = -1;
    be->ops->mem_free(be, out);
    be->ops->close(be);
}

/* Fails the first, second, … allocation of a fresh backend's work until none fails; nothing may be left behind. */
static void test_memory_failure(void)
{
    const long live = emulate_live_allocations;
    int refused = 0, reported = 0, leaks = 0;
    float *x = random_floats(20 * 40, 1);
    uint16_t bits[40 * 40] = { 0 };
    long n = 0;

    for (bool done = false; !done && n < 100; n++) {
        struct vlk_error err = { 0 };
        struct vlk_backend *be;

        emulate_fail_alloc_after = n;
        be = vlk_cuda_module.open(0, &err);
        if (!be) {
            refused += err.code == VLK_ERR_MEMORY && err.text[0];
        } else {
            float *dx = be->ops->mem_alloc(be, 20 * 40 * 4), *dy = be->ops->mem_alloc(be, 20 * 40 * 4);
            struct vlk_weight w = be->ops->weight_import(be, VLK_BF16, 40, 40, bits, VLK_PLACE_DEVICE);

            if (dx && dy && w.data) {
                be->ops->mem_write(be, dx, x, 20 * 40 * 4);
                be->ops->linear(be, &(struct vlk_linear_args){ .n = 20, .w = w, .x = dx, .y = dy });
                done = be->ops->wait(be, &err) == VLK_OK;
                reported += !done && err.code == VLK_ERR_MEMORY && strstr(err.text, "memory");
            } else {
                reported++;
            }
            emulate_fail_alloc_after = -1;
            be->ops->close(be); /* frees what is left, released or not */
        }
        leaks += emulate_live_allocations != live;
    }
    emulate_fail_alloc_after = -1;
    ok(refused >= 8 && reported >= 4 && refused + reported == n - 1, "every failed allocation was reported (%d at opening, %d later)", refused,
       reported);
    is_int(leaks, 0, "and none left memory behind");
    vlk_free(x);
}

#endif

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } tests[] = {
        { "linear", test_linear }, { "mlp", test_mlp }, { "moe", test_moe }, { "router", test_router }, { "mha", test_mha },
        { "mla", test_mla }, { "vit", test_vit }, { "rows", test_rows }, { "sample", test_sample }, { "memory", test_memory },
        { "joining", test_joining }, { "graphs", test_graphs },
#ifndef CUDA_ON_DEVICE
        { "schedules", test_schedules },
#endif
    };
#ifndef CUDA_ON_DEVICE
    const long live = emulate_live_allocations;
#endif

    cpu = vlk_cpu_open(&(struct vlk_cpu_options){ .threads = 1 }, NULL);
    gpu = open_gpu();
    if (!cpu || !gpu)
        return ok(false, "the backends open") ? 0 : 1;
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        if (argc < 2 || !strcmp(argv[1], tests[i].name))
            tests[i].run();
    is_int(gpu->ops->wait(gpu, NULL), VLK_OK, "no error");
    gpu->ops->close(gpu);
#ifndef CUDA_ON_DEVICE
    is_int(emulate_live_allocations, live, "closing gives back all of the GPU's memory");
    if (argc < 2 || !strcmp(argv[1], "faults")) {
        test_faults();
        test_memory_failure();
        is_int(emulate_live_allocations, live, "also after errors");
    }
#endif
    cpu->ops->close(cpu);
    return tap_done();
}
