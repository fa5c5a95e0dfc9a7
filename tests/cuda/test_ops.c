/* SPDX-License-Identifier: MIT
 *
 * Every kernel of the CUDA module but attention's, run by the emulation, against the CPU's op on the same data: every dtype, awkward
 * shapes, random schedules (VLK_EMULATE_SEED). The CPU's ops have their own tests against double references.
 */
#include "tests/cuda/machines.h"

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
    for (int act = VLK_ACT_NONE; act <= VLK_ACT_GELU_QUICK; act++) {
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

static void check_unfold(int n, int grid, int width, int r, int stride, int pad)
{
    const int g = vlk_unfolded(grid, r, stride, pad);
    const size_t size = (size_t)(n * g * g * width * r * r), from = (size_t)(n * grid * grid * width);
    float *x = random_floats(from, 1), *out = vlk_alloc(size, 4), *dx = gpu_floats(x, from), *dout = gpu->ops->mem_alloc(gpu, size * 4);
    char name[64];

    gpu->ops->unfold(gpu, &(struct vlk_unfold_args){ n, grid, width, r, stride, pad, dx, dout });
    cpu->ops->unfold(cpu, &(struct vlk_unfold_args){ n, grid, width, r, stride, pad, x, out });
    snprintf(name, sizeof name, "unfold grid %d by %d every %d less %d, width %d: exact", grid, r, stride, pad, width);
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
    check_unfold(2, 9, 20, 2, 2, 0);
    check_unfold(1, 8, 3, 3, 3, 0);
    check_unfold(2, 5, 7, 1, 1, 0);
    check_unfold(2, 7, 5, 3, 1, 1);
    check_unfold(1, 10, 6, 3, 2, 1);
    check_unfold(1, 5, 4, 3, 2, 1);
    ran("unfold");
}

/* ------------------------------------------------------------------------------------------------ sampling */

enum { VOCAB = 2500 };

static void fill_vocabulary(float *logits, uint8_t *seen, uint32_t *mask)
{
    for (int i = 0; i < VOCAB; i++) {
        logits[i] = (float)(int)(8 * 2 * normal()) / 8; /* many ties */
        seen[i] = uniform_double() < 0.1;
    }
    logits[7] = NAN;
    logits[8] = -INFINITY;
    for (int i = 0; i < 400; i++)
        mask[(i * 37) % VOCAB / 32] |= 1u << (i * 37 % VOCAB % 32);
}

/* The same draws as the CPU's, whose sums differ by rounding: an id may differ where u falls within 1e-6 of a boundary. */
static void check_samples(int rounds)
{
    static float logits[VOCAB], turned[VOCAB]; /* other ones for every draw: what the one before left must not do */
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

    fill_vocabulary(logits, seen, mask);
    dlogits = gpu_floats(logits, VOCAB);
    for (size_t s = 0; s < sizeof settings / sizeof *settings; s++)
        for (int round = 0; round < rounds; round++, draws++) {
            struct vlk_sample_args a = { .vocab = VOCAB - (int)s, .temperature = settings[s].temperature, .top_p = settings[s].top_p,
                                         .repetition_penalty = settings[s].penalty, .top_k = settings[s].top_k, .seed = 5 + s,
                                         .n_alternatives = settings[s].alternatives, .allowed = settings[s].masked ? mask : NULL };
            uint8_t marks[VOCAB], got_marks[VOCAB];

            for (int i = 0; i < VOCAB; i++)
                turned[i] = logits[(i + 631 * draws) % VOCAB];
            gpu->ops->mem_write(gpu, dlogits, turned, sizeof turned);
            step = (struct vlk_step){ .pos = 3, .rng = (uint64_t)round };
            memcpy(marks, seen, VOCAB);
            gpu->ops->mem_write(gpu, dstep, &step, sizeof step);
            gpu->ops->mem_write(gpu, dseen, seen, VOCAB);
            a.logits = dlogits, a.seen = dseen, a.step = dstep, a.result = dresult;
            gpu->ops->sample(gpu, &a);
            a.logits = turned, a.seen = marks, a.step = &step, a.result = &want;
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
}

static void test_sample(void)
{
    check_samples(12);
    ran("sample");
}

/* ------------------------------------------------------------------------------------------------ published shapes */

/* A token of base: 72 experts 2560 wide, of which few are used, so that they share their weights; and the draw over all of its ids. */
static void test_published(void)
{
    enum { WIDTH = 2560, INTER = 1536, MANY = 72, K = 6, IDS = 129280 };
    struct both gate = make_both(VLK_I4G, INTER, WIDTH, 0.02), down = make_both(VLK_I4G, WIDTH, INTER, 0.02);
    struct vlk_weight h[2][MANY], d[2][MANY];
    float *x = random_floats(WIDTH, 1), *y = random_floats(WIDTH, 1), *weights = random_floats(K, 0.4), *logits = random_floats(IDS, 3);
    float *dx = gpu_floats(x, WIDTH), *dy = gpu_floats(y, WIDTH), *dw = gpu_floats(weights, K), *dl = gpu_floats(logits, IDS);
    const int32_t ids[K] = { 71, 0, 5, 36, 70, 11 };
    int32_t *di = to_gpu(ids, sizeof ids);
    uint8_t *seen = vlk_alloc(IDS, 1), *dseen = gpu->ops->mem_alloc(gpu, IDS);
    struct vlk_sampled want, got, *dresult = gpu->ops->mem_alloc(gpu, sizeof got);
    struct vlk_step *dstep = gpu->ops->mem_alloc(gpu, sizeof *dstep), step = { 0 };
    int other = 0;

    for (int e = 0; e < MANY; e++) {
        h[0][e] = gate.host.w, h[1][e] = down.host.w;
        d[0][e] = gate.device, d[1][e] = down.device;
    }
    struct vlk_moe_args a = { .n = 1, .k = K, .experts = MANY, .gate = d[0], .up = d[0], .down = d[1], .expert_ids = di,
                              .expert_weights = dw, .x = dx, .y = dy };
    gpu->ops->moe(gpu, &a);
    a.gate = a.up = h[0], a.down = h[1], a.expert_ids = ids, a.expert_weights = weights, a.x = x, a.y = y;
    cpu->ops->moe(cpu, &a);
    compare(dy, y, WIDTH, NMSE_FEW, "a token of base's experts");
    for (int round = 0; round < 6; round++) {
        struct vlk_sample_args s = { .vocab = IDS, .temperature = round ? 0.7f : 0, .top_p = round % 2 ? 0.9f : 1, .top_k = round > 3 ? 50 : 0,
                                     .repetition_penalty = 1, .seed = 3, .n_alternatives = round, .logits = dl, .seen = dseen, .step = dstep,
                                     .result = dresult };
        gpu->ops->sample(gpu, &s);
        gpu->ops->wait(gpu, NULL);
        gpu->ops->mem_read(gpu, &got, dresult, sizeof got);
        s.logits = logits, s.seen = seen, s.step = &step, s.result = &want;
        cpu->ops->sample(cpu, &s);
        other += got.id != want.id || fabsf(got.logprob - want.logprob) > 1e-4f || memcmp(got.alt_id, want.alt_id, sizeof got.alt_id) != 0;
    }
    is_int(other, 0, "draws over 129280 ids are the CPU's");
    void *const device[] = { dx, dw, dl, di, dseen, dresult, dstep };
    for (size_t i = 0; i < sizeof device / sizeof *device; i++)
        drop(device[i]);
    void *const host[] = { x, y, weights, logits, seen };
    for (size_t i = 0; i < sizeof host / sizeof *host; i++)
        vlk_free(host[i]);
    free_both(&gate);
    free_both(&down);
}

#ifndef CUDA_ON_DEVICE
/* ------------------------------------------------------------------------------------------------ cuBLAS */

/* The stand-in of fake_blas.c: products of many rows go to it, and to our own tiles when it fails. */
static void test_blas(void)
{
    static const struct {
        const char *create, *gemm, *name;
    } cases[] = {
        { "0", "0", "cuBLAS" }, { "3", "0", "a handle that cannot be made" }, { "0", "3", "a product that cuBLAS refuses" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vlk_error err = { 0 };
        struct vlk_backend *be = open_gpu(), *was = gpu;

        setenv("FAKE_BLAS_CREATE", cases[i].create, 1);
        setenv("FAKE_BLAS_GEMM", cases[i].gemm, 1);
        gpu = be;
        emulate_names_reset();
        tap_diag("%s", cases[i].name);
        check_linear(VLK_BF16, 130, 70, 72, true, VLK_ACT_GELU_TANH, false);
        check_linear(VLK_BF16, 130, 70, 72, false, VLK_ACT_NONE, true);
        check_linear(VLK_I4G, 140, 64, 96, true, VLK_ACT_NONE, false);
        check_mlp(VLK_BF16, 129, 64, 70, true);
        check_mlp(VLK_I8G, 129, 96, 65, false);
        is_int(be->ops->wait(be, &err), VLK_OK, "no error is left behind");
        if (i == 0)
            ran("blas");
        gpu = was;
        be->ops->close(be);
    }
    setenv("FAKE_BLAS_CREATE", "1", 1);
}

static void test_schedules(void)
{
    unsigned seed = emulate_seed;

    for (unsigned s = 1; s <= 3; s++) {
        emulate_seed = s;
        check_linear(VLK_BF16, 1, 33, 300, true, VLK_ACT_SILU, true);
        check_linear(VLK_I4G, 70, 70, 64, false, VLK_ACT_NONE, false);
        check_moe(VLK_I8G, VLK_BF16, 20, 40, 33, 20, 9);
        check_router(&(struct router_case){ 9, 20, 20, 3, 1, 1, VLK_SCORE_SIGMOID, VLK_TOPK_NOAUX_TC, true, true, 2 });
    }
    emulate_seed = seed;
}

/* Blocks that are alive together and meet in the memory: the last one of a router, of a draw. */
static void test_together(void)
{
    unsigned seed = emulate_seed;

    emulate_blocks = 4;
    for (unsigned s = 1; s <= 4; s++) {
        emulate_seed = s;
        check_router(&(struct router_case){ 9, 32, 20, 3, 1, 1, VLK_SCORE_SIGMOID, VLK_TOPK_NOAUX_TC, true, true, 2 });
        check_router(&(struct router_case){ 1, 64, 77, 6, 1, 1, VLK_SCORE_SOFTMAX, VLK_TOPK_GREEDY, false, false, 1 });
    }
    check_samples(1);
    emulate_blocks = 1;
    emulate_seed = seed;
}
#endif

int main(int argc, char **argv)
{
    static const struct gpu_test tests[] = {
        { "linear", test_linear }, { "mlp", test_mlp }, { "moe", test_moe }, { "router", test_router }, { "rows", test_rows },
        { "sample", test_sample }, { "published", test_published },
#ifndef CUDA_ON_DEVICE
        { "blas", test_blas }, { "schedules", test_schedules }, { "together", test_together },
#endif
    };

    return RUN_TESTS(tests, argc, argv);
}
