/* SPDX-License-Identifier: MIT
 *
 * linear, mlp, moe and router against double references: every level, every dtype, awkward shapes.
 */
#include "tests/kernels/reference.h"

static const char *level;

static double activate(vlk_act act, double x)
{
    switch (act) {
    case VLK_ACT_SILU:
        return silu_of(x);
    case VLK_ACT_GELU_TANH:
        return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case VLK_ACT_GELU_ERF:
        return 0.5 * x * (1 + erf(x / sqrt(2)));
    case VLK_ACT_GELU_QUICK:
        return x / (1 + exp(-1.702 * x));
    default:
        return x;
    }
}

static void check_linear(struct vlk_backend *be, vlk_dtype dtype, int n, int rows, int cols, bool bias, vlk_act act,
                         bool accumulate, size_t offset)
{
    struct test_weight w = make_weight_at(be, dtype, rows, cols, 1 / sqrt(cols), offset);
    struct test_weight b = make_weight(be, VLK_BF16, 1, rows, 1);
    size_t size = (size_t)n * (size_t)rows;
    float *x = random_floats((size_t)n * (size_t)cols, 1), *y = random_floats(size, 1);
    float *rounded = copy_floats(x, (size_t)n * (size_t)cols);
    double *want = doubles(size);
    struct vlk_linear_args a = { .n = n, .w = w.w, .act = act, .accumulate = accumulate, .x = x, .y = y };
    char name[160];

    if (bias)
        a.b = b.w;
    if (is_quantised_dtype(dtype))
        round_activations(rounded, n, cols);
    matmul(n, rows, cols, rounded, w.values, want);
    for (size_t i = 0; i < size; i++) {
        want[i] = activate(act, want[i] + (bias ? (double)b.values[i % (size_t)rows] : 0));
        want[i] += accumulate ? (double)y[i] : 0;
    }
    be->ops->linear(be, &a);
    snprintf(name, sizeof name, "%s linear %s n=%d %dx%d%s act %d%s offset %zu", level, vlk_dtype_name(dtype), n, rows, cols,
             bias ? " bias" : "", (int)act, accumulate ? " accumulate" : "", offset);
    close_to(y, want, size, NMSE_F32, name);
    free_weight(be, &w);
    free_weight(be, &b);
    vlk_free(rounded);
    vlk_free(x);
    vlk_free(y);
    vlk_free(want);
}

static void test_linear(struct vlk_backend *be)
{
    static const int counts[] = { 1, 2, 3, 4, 5, 8, 9, 17, 31, 100 };
    static const int shapes[][2] = { { 20, 72 }, { 77, 20 }, { 33, 896 }, { 7, 1408 }, { 1, 1 }, { 130, 77 }, { 300, 544 } };

    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
            check_linear(be, (vlk_dtype)((c + s) % 3), counts[c], shapes[s][0], shapes[s][1], (c + s) % 2, VLK_ACT_NONE, false,
                         0);
    for (int dtype = 0; dtype < VLK_DTYPE_COUNT; dtype++)
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
            check_linear(be, (vlk_dtype)dtype, counts[c], 70, 1056, false, VLK_ACT_NONE, false, 0);
    for (int act = VLK_ACT_NONE; act <= VLK_ACT_GELU_QUICK; act++)
        for (int n = 1; n < 20; n += 16)
            for (int accumulate = 0; accumulate < 2; accumulate++)
                check_linear(be, VLK_BF16, n, 45, 600, true, (vlk_act)act, accumulate, 0);
    for (size_t offset = 1; offset < 8; offset++)
        for (int dtype = 0; dtype < VLK_DTYPE_COUNT; dtype++)
            check_linear(be, (vlk_dtype)dtype, 1 + 10 * (int)(offset % 2), 19, 96, false, VLK_ACT_NONE, false, offset);
    check_linear(be, VLK_BF16, 1030, 40, 64, true, VLK_ACT_NONE, true, 0);
    check_linear(be, VLK_F32, 700, 32, 40, true, VLK_ACT_GELU_TANH, true, 0);
}

/* What the rounding of activations costs: the same product with and without it, on every level. */
static void test_rounding(struct vlk_backend *be)
{
    enum { COLS = 1056, ROWS = 70, N = 9 };
    struct test_weight w = make_weight(be, VLK_I8G, ROWS, COLS, 1 / sqrt(COLS));
    float *x = random_floats(N * COLS, 1), *y = random_floats(N * ROWS, 1);
    double *want = doubles(N * ROWS);
    char name[96];

    matmul(N, ROWS, COLS, x, w.values, want);
    be->ops->linear(be, &(struct vlk_linear_args){ .n = N, .w = w.w, .x = x, .y = y });
    snprintf(name, sizeof name, "%s: rounded activations stay within their class", level);
    close_to(y, want, N * ROWS, NMSE_ROUNDED, name);
    x[5] = NAN;
    x[COLS + 40] = INFINITY;
    be->ops->linear(be, &(struct vlk_linear_args){ .n = N, .w = w.w, .x = x, .y = y });
    ok(isnan(y[0]) && isnan(y[ROWS]) && isfinite(y[2 * ROWS]), "%s: what is not finite stays so, in its row", level);
    be->ops->linear(be, &(struct vlk_linear_args){ .n = 1, .w = w.w, .x = x, .y = y });
    ok(isnan(y[0]), "%s: the same for one row", level);
    for (int i = 0; i < N * COLS; i++)
        x[i] = i % 32 ? 0 : 1e-38f;
    be->ops->linear(be, &(struct vlk_linear_args){ .n = N, .w = w.w, .x = x, .y = y });
    be->ops->linear(be, &(struct vlk_linear_args){ .n = 1, .w = w.w, .x = x, .y = y + ROWS });
    ok(fabsf(y[0]) < 1e-30f && fabsf(y[ROWS]) < 1e-30f, "%s: what is too small for a scale is nothing", level);
    free_weight(be, &w);
    vlk_free(x);
    vlk_free(y);
    vlk_free(want);
}

/* y += down(silu(gate x) * up x); for quantised weights x and the inner activations are rounded */
static void add_mlp(bool rounds, int n, int inter, int width, const float *x, const float *gate, const float *up,
                    const float *down, const double *weights, double *y)
{
    double *g = doubles((size_t)n * (size_t)inter), *u = doubles((size_t)n * (size_t)inter);
    float *rounded = copy_floats(x, (size_t)n * (size_t)width), *h = vlk_alloc((size_t)n * (size_t)inter, sizeof *h);

    if (rounds)
        round_activations(rounded, n, width);
    matmul(n, inter, width, rounded, gate, g);
    matmul(n, inter, width, rounded, up, u);
    for (int i = 0; i < n * inter; i++) {
        g[i] = silu_of(g[i]) * u[i];
        h[i] = (float)g[i];
    }
    if (rounds)
        round_activations(h, n, inter);
    for (int t = 0; t < n; t++) {
        for (int r = 0; r < width; r++) {
            double sum = 0;

            for (int i = 0; i < inter; i++)
                sum += (rounds ? (double)h[t * inter + i] : g[t * inter + i]) * (double)down[(size_t)r * (size_t)inter + (size_t)i];
            y[t * width + r] += sum * (weights ? weights[t] : 1);
        }
    }
    vlk_free(rounded);
    vlk_free(h);
    vlk_free(g);
    vlk_free(u);
}

static void check_mlp(struct vlk_backend *be, vlk_dtype dtype, int n, int width, int inter, bool accumulate)
{
    struct test_weight gate = make_weight(be, dtype, inter, width, 1 / sqrt(width));
    struct test_weight up = make_weight(be, dtype, inter, width, 1 / sqrt(width));
    struct test_weight down = make_weight(be, dtype, width, inter, 1 / sqrt(inter));
    size_t size = (size_t)n * (size_t)width;
    float *x = random_floats(size, 1), *y = random_floats(size, 1);
    double *want = doubles(size);
    char name[128];

    for (size_t i = 0; i < size && accumulate; i++)
        want[i] = (double)y[i];
    add_mlp(is_quantised_dtype(dtype), n, inter, width, x, gate.values, up.values, down.values, NULL, want);
    be->ops->mlp(be, &(struct vlk_mlp_args){ n, gate.w, up.w, down.w, accumulate, x, y });
    snprintf(name, sizeof name, "%s mlp %s n=%d %d/%d%s", level, vlk_dtype_name(dtype), n, width, inter,
             accumulate ? " accumulate" : "");
    close_to(y, want, size, is_quantised_dtype(dtype) ? NMSE_CODES : NMSE_F32, name);
    free_weight(be, &gate);
    free_weight(be, &up);
    free_weight(be, &down);
    vlk_free(x);
    vlk_free(y);
    vlk_free(want);
}

static void test_mlp(struct vlk_backend *be)
{
    check_mlp(be, VLK_BF16, 1, 77, 20, false);
    check_mlp(be, VLK_BF16, 3, 77, 90, true);
    check_mlp(be, VLK_F32, 17, 72, 200, false);
    check_mlp(be, VLK_F16, 40, 600, 77, true);
    check_mlp(be, VLK_I8G, 1, 96, 64, true);
    check_mlp(be, VLK_I8G, 13, 96, 640, true);
    check_mlp(be, VLK_I4G, 2, 64, 96, false);
    check_mlp(be, VLK_I4G, 21, 64, 96, false);
    check_mlp(be, VLK_I8G, 1, 136, 72, false);
    check_mlp(be, VLK_I8G, 21, 136, 72, false);
    check_mlp(be, VLK_I4G, 3, 72, 136, false);
    check_mlp(be, VLK_I4G, 21, 72, 136, false);
}

#define MOE_EXPERTS 9
#define MOE_K 3

/* Token t chooses 3 of the first `spread` experts; the first is always chosen when spread is small. Expert 0 is of `first`, the rest
 * of `dtype`. */
static void check_mixed_moe(struct vlk_backend *be, vlk_dtype first, vlk_dtype dtype, int n, int width, int inter, int shared_inter,
                            int spread)
{
    struct test_weight gate[MOE_EXPERTS], up[MOE_EXPERTS], down[MOE_EXPERTS], shared[3];
    struct vlk_weight g[MOE_EXPERTS], u[MOE_EXPERTS], d[MOE_EXPERTS];
    size_t size = (size_t)n * (size_t)width;
    float *x = random_floats(size, 1), *y = random_floats(size, 1), *weights = random_floats((size_t)n * MOE_K, 1);
    int32_t *ids = vlk_alloc((size_t)n * MOE_K, sizeof *ids);
    double *want = doubles(size);
    struct vlk_moe_args a = { .n = n, .k = MOE_K, .experts = MOE_EXPERTS, .gate = g, .up = u, .down = d, .expert_ids = ids,
                              .expert_weights = weights, .x = x, .y = y };
    char name[160];

    for (int e = 0; e < MOE_EXPERTS; e++) {
        const vlk_dtype own = e == 0 ? first : dtype;

        gate[e] = make_weight(be, own, inter, width, 1 / sqrt(width));
        up[e] = make_weight(be, own, inter, width, 1 / sqrt(width));
        down[e] = make_weight(be, own, width, inter, 1 / sqrt(inter));
        g[e] = gate[e].w;
        u[e] = up[e].w;
        d[e] = down[e].w;
    }
    for (int i = 0; i < 3 && shared_inter; i++)
        shared[i] = make_weight(be, VLK_BF16, i < 2 ? shared_inter : width, i < 2 ? width : shared_inter, 0.1);
    for (int t = 0; t < n; t++)
        for (int j = 0; j < MOE_K; j++)
            ids[t * MOE_K + j] = (t * 5 + j * (1 + t % 2)) % spread;
    for (size_t i = 0; i < size; i++)
        want[i] = (double)y[i];
    for (int t = 0; t < n; t++) {
        for (int j = 0; j < MOE_K; j++) {
            double weight = (double)weights[t * MOE_K + j];
            int e = ids[t * MOE_K + j];

            add_mlp(is_quantised_dtype(e == 0 ? first : dtype), 1, inter, width, x + t * width, gate[e].values, up[e].values,
                    down[e].values, &weight, want + t * width);
        }
    }
    if (shared_inter) {
        add_mlp(false, n, shared_inter, width, x, shared[0].values, shared[1].values, shared[2].values, NULL, want);
        a.shared_gate = shared[0].w;
        a.shared_up = shared[1].w;
        a.shared_down = shared[2].w;
    }
    be->ops->moe(be, &a);
    snprintf(name, sizeof name, "%s moe %s and %s n=%d %d/%d shared %d over %d experts", level, vlk_dtype_name(first),
             vlk_dtype_name(dtype), n, width, inter, shared_inter, spread);
    close_to(y, want, size, is_quantised_dtype(first) || is_quantised_dtype(dtype) ? NMSE_CODES : NMSE_F32, name);
    for (int e = 0; e < MOE_EXPERTS; e++) {
        free_weight(be, &gate[e]);
        free_weight(be, &up[e]);
        free_weight(be, &down[e]);
    }
    for (int i = 0; i < 3 && shared_inter; i++)
        free_weight(be, &shared[i]);
    vlk_free(x);
    vlk_free(y);
    vlk_free(weights);
    vlk_free(ids);
    vlk_free(want);
}

static void check_moe(struct vlk_backend *be, vlk_dtype dtype, int n, int width, int inter, int shared_inter, int spread)
{
    check_mixed_moe(be, dtype, dtype, n, width, inter, shared_inter, spread);
}

/* Packed rows differ in size with the dtype, in both directions; a backend of its own, whose memory nothing larger has grown. */
static void test_mixed_experts(const char *isa)
{
    for (int swap = 0; swap < 2; swap++) {
        struct vlk_backend *be = vlk_cpu_open(&(struct vlk_cpu_options){ .threads = 2, .isa = isa }, NULL);

        check_mixed_moe(be, swap ? VLK_I8G : VLK_BF16, swap ? VLK_BF16 : VLK_I8G, 512, 16, 16, 0, 9);
        check_mixed_moe(be, swap ? VLK_I4G : VLK_F16, swap ? VLK_F32 : VLK_I4G, 9, 1100, 24, 0, 9);
        be->ops->close(be);
    }
}

static void test_moe(struct vlk_backend *be)
{
    check_moe(be, VLK_BF16, 1, 77, 20, 0, 9);
    check_moe(be, VLK_BF16, 1, 80, 72, 144, 9);
    check_moe(be, VLK_F32, 2, 36, 20, 40, 9);
    check_moe(be, VLK_BF16, 17, 77, 20, 33, 9);
    check_moe(be, VLK_BF16, 60, 72, 77, 0, 4);
    check_moe(be, VLK_F16, 61, 72, 77, 154, 9);
    check_moe(be, VLK_I8G, 1, 64, 32, 64, 9);
    check_moe(be, VLK_I4G, 50, 64, 96, 64, 5);
    check_moe(be, VLK_BF16, 530, 24, 20, 40, 9);
}

/* ------------------------------------------------------------------------------------------------ router */

struct router_case {
    int n, experts, width, k, n_group, topk_group;
    vlk_score score;
    vlk_topk method;
    bool norm, bias;
    float scaling;
};

static void route_reference(const struct router_case *c, const double *logits, const float *bias, int *ids, double *weights)
{
    double score[64], choice[64], sum = 0, total = 0;
    int size = c->experts / (c->n_group > 1 ? c->n_group : 1);

    for (int e = 0; e < c->experts; e++)
        total += exp(logits[e]);
    for (int e = 0; e < c->experts; e++) {
        score[e] = c->score == VLK_SCORE_SOFTMAX ? exp(logits[e]) / total : 1 / (1 + exp(-logits[e]));
        choice[e] = score[e] + (bias ? (double)bias[e] : 0);
    }
    if (c->n_group > 1 && c->method != VLK_TOPK_GREEDY) {
        double group[64];
        bool keep[64] = { false };

        for (int g = 0; g < c->n_group; g++) {
            double best = -1e30, second = -1e30;

            for (int i = 0; i < size; i++) {
                double v = choice[g * size + i];

                second = v > best ? best : v > second ? v : second;
                best = v > best ? v : best;
            }
            group[g] = c->method == VLK_TOPK_NOAUX_TC ? best + second : best;
        }
        for (int i = 0; i < c->topk_group; i++) {
            int best = -1;

            for (int g = 0; g < c->n_group; g++)
                if (!keep[g] && (best < 0 || group[g] > group[best]))
                    best = g;
            keep[best] = true;
        }
        for (int e = 0; e < c->experts; e++)
            if (!keep[e / size])
                choice[e] = 0;
    }
    for (int j = 0; j < c->k; j++) {
        int best = -1;

        for (int e = 0; e < c->experts; e++) {
            bool used = false;

            for (int i = 0; i < j; i++)
                used |= ids[i] == e;
            if (!used && (best < 0 || choice[e] > choice[best]))
                best = e;
        }
        ids[j] = best;
        weights[j] = c->method == VLK_TOPK_GROUP_LIMITED ? choice[best] : score[best];
        sum += weights[j];
    }
    for (int j = 0; j < c->k; j++)
        weights[j] = weights[j] / (c->norm && c->k > 1 ? sum + 1e-20 : 1) * (double)c->scaling;
}

static void check_router(struct vlk_backend *be, const struct router_case *c)
{
    struct test_weight w = make_weight(be, VLK_F32, c->experts, c->width, 1 / sqrt(c->width));
    struct test_weight b = make_weight(be, VLK_BF16, 1, c->experts, 0.2);
    float *x = random_floats((size_t)c->n * (size_t)c->width, 1), got_weights[40 * 8];
    double *logits = doubles((size_t)c->n * (size_t)c->experts), worst = 0;
    int32_t got[40 * 8];
    int wrong = 0;

    matmul(c->n, c->experts, c->width, x, w.values, logits);
    be->ops->router(be, &(struct vlk_router_args){
        .n = c->n, .k = c->k, .n_group = c->n_group, .topk_group = c->topk_group, .score = c->score, .method = c->method,
        .norm_topk = c->norm, .scaling = c->scaling, .w = w.w, .bias = c->bias ? b.w : (struct vlk_weight){ 0 }, .x = x,
        .expert_ids = got, .expert_weights = got_weights });
    for (int t = 0; t < c->n; t++) {
        int ids[8];
        double weights[8];

        route_reference(c, logits + t * c->experts, c->bias ? b.values : NULL, ids, weights);
        for (int j = 0; j < c->k; j++) {
            double error = fabs((double)got_weights[t * c->k + j] - weights[j]);

            wrong += got[t * c->k + j] != ids[j];
            worst = error > worst ? error : worst;
        }
    }
    ok(wrong == 0, "%s router n=%d of %d score %d method %d: same experts in the same order", level, c->n, c->experts,
       (int)c->score, (int)c->method);
    ok(worst < 1e-5, "%s router weights (largest error %.2g)", level, worst);
    free_weight(be, &w);
    free_weight(be, &b);
    vlk_free(x);
    vlk_free(logits);
}

static void test_router(struct vlk_backend *be)
{
    static const struct router_case cases[] = {
        { 1, 64, 77, 6, 1, 1, VLK_SCORE_SOFTMAX, VLK_TOPK_GREEDY, false, false, 1 },
        { 17, 64, 72, 6, 1, 1, VLK_SCORE_SOFTMAX, VLK_TOPK_GREEDY, true, false, 1.5f },
        { 17, 10, 20, 3, 1, 1, VLK_SCORE_SIGMOID, VLK_TOPK_NOAUX_TC, true, true, 2 },
        { 40, 32, 20, 4, 8, 3, VLK_SCORE_SIGMOID, VLK_TOPK_NOAUX_TC, true, true, 2.5f },
        { 40, 32, 20, 4, 4, 2, VLK_SCORE_SOFTMAX, VLK_TOPK_GROUP_LIMITED, false, false, 16 },
        { 5, 12, 20, 8, 6, 2, VLK_SCORE_SOFTMAX, VLK_TOPK_GROUP_LIMITED, false, false, 1 },
        { 3, 4, 20, 1, 1, 1, VLK_SCORE_SOFTMAX, VLK_TOPK_GREEDY, true, false, 1 },
    };
    struct test_weight w = make_weight(be, VLK_F32, 8, 4, 0);
    float x[4] = { 1, 2, 3, 4 }, weights[3];
    int32_t ids[3];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_router(be, &cases[i]);
    be->ops->router(be, &(struct vlk_router_args){ .n = 1, .k = 3, .n_group = 1, .topk_group = 1, .scaling = 1, .w = w.w, .x = x,
                                                   .expert_ids = ids, .expert_weights = weights });
    ok(ids[0] == 0 && ids[1] == 1 && ids[2] == 2, "%s router: equal scores choose the lowest ids", level);
    near((double)weights[2], 0.125, 1e-7, "router: equal scores share the probability");
    free_weight(be, &w);
}

int main(void)
{
    const char *const *isa = vlk_cpu_isa_available();

    for (; *isa; isa++) {
        struct vlk_error err;
        struct vlk_backend *be = vlk_cpu_open(&(struct vlk_cpu_options){ .threads = 2, .isa = *isa }, &err);

        level = *isa;
        if (!ok(be != NULL, "open %s", level))
            continue;
        is_str(vlk_cpu_isa(be), level, "the level asked for runs");
        test_linear(be);
        test_rounding(be);
        test_mlp(be);
        test_moe(be);
        test_mixed_experts(level);
        test_router(be);
        is_int(be->ops->wait(be, &err), VLK_OK, "no error");
        be->ops->close(be);
    }
    return tap_done();
}
