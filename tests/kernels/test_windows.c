/* SPDX-License-Identifier: MIT
 *
 * Attention inside windows with a bias by places, against a double reference that knows neither windows nor panels: every level, grids
 * that windows fill and that they do not, a block of the tower with it, and what must not matter: threads, and the tiles beside a tile.
 */
#include "tests/kernels/reference.h"

#include "kernels/vit_block.h"

static const char *level;

struct windows {
    int n, grid, window, heads, dim;
    bool outside; /* a row of its own for what lies outside */
};

/* The row of cell (y, x) of tile t, or the one that stands for what is outside. */
static const float *row_at(const struct windows *s, const float *qkv, const float *outside, int t, int y, int x)
{
    const bool inside = y < s->grid && x < s->grid;

    return inside ? qkv + (size_t)((t * s->grid + y) * s->grid + x) * (size_t)(3 * s->heads * s->dim) : outside;
}

static double dot(const float *a, const float *b, int n)
{
    double sum = 0;

    for (int i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static void attend_cell(const struct windows *s, const float *qkv, const float *outside, const float *down, const float *across, int t, int y,
                        int x, int h, double *out)
{
    const int S = s->window, D = s->dim, H = s->heads, y0 = y / S * S, x0 = x / S * S;
    const float *q = row_at(s, qkv, outside, t, y, x) + h * D;
    double *p = doubles((size_t)(S * S)), sum = 0;

    for (int i = 0; i < S * S; i++) {
        const float *k = row_at(s, qkv, outside, t, y0 + i / S, x0 + i % S) + (H + h) * D;

        p[i] = dot(q, k, D) / sqrt(D) + dot(q, down + (y - y0 - i / S + S - 1) * D, D) +
               dot(q, across + (x - x0 - i % S + S - 1) * D, D);
        sum += exp(p[i]);
    }
    for (int i = 0; i < S * S; i++) {
        const float *v = row_at(s, qkv, outside, t, y0 + i / S, x0 + i % S) + (2 * H + h) * D;

        for (int c = 0; c < D; c++)
            out[c] += exp(p[i]) / sum * (double)v[c];
    }
    vlk_free(p);
}

static void check_windows(struct vlk_backend *be, const struct windows *s, vlk_dtype dtype)
{
    const int D = s->dim, H = s->heads, cells = s->n * s->grid * s->grid;
    const size_t size = (size_t)(cells * H * D), from = 3 * size;
    struct test_weight down = make_weight(be, dtype, 2 * s->window - 1, D, 0.4), across = make_weight(be, dtype, 2 * s->window - 1, D, 0.4);
    struct test_weight row = make_weight(be, VLK_BF16, 1, 3 * H * D, 1);
    float *qkv = random_floats(from, 1), *out = random_floats(size, 1), *alone = random_floats(size / (size_t)s->n, 1);
    float *zeros = vlk_alloc((size_t)(3 * H * D), 4);
    const float *outside = s->outside ? row.values : zeros;
    double *want = doubles(size);
    struct vlk_window_attend_args a = { .n = s->n, .grid = s->grid, .window = s->window, .heads = H, .head_dim = D, .down = down.w,
                                        .across = across.w, .qkv = qkv, .out = out };
    char name[128];

    if (s->outside)
        a.outside = row.w;
    for (int i = 0; i < cells * H; i++)
        attend_cell(s, qkv, outside, down.values, across.values, i / H / (s->grid * s->grid), i / H / s->grid % s->grid,
                    i / H % s->grid, i % H, want + i * D);
    be->ops->window_attend(be, &a);
    snprintf(name, sizeof name, "%s windows of %d in %d tiles of %d, %d heads of %d%s", level, s->window, s->n, s->grid, H, D,
             s->outside ? ", outside" : "");
    close_to(out, want, size, NMSE_F32, name);
    a.n = 1;
    a.qkv = qkv + (size_t)(s->n - 1) * from / (size_t)s->n;
    a.out = alone;
    be->ops->window_attend(be, &a);
    ok(memcmp(alone, out + size - size / (size_t)s->n, size / (size_t)s->n * sizeof *out) == 0, "%s: the last tile alone is the same", name);
    free_weight(be, &down);
    free_weight(be, &across);
    free_weight(be, &row);
    vlk_free(qkv);
    vlk_free(out);
    vlk_free(alone);
    vlk_free(zeros);
    vlk_free(want);
}

/* A block of the tower is its parts, with the attention and the activation that it was told. */
static void check_block(struct vlk_backend *be, int grid, int window, vlk_act act, vlk_dtype dtype)
{
    enum { WIDTH = 64, HEADS = 2, MLP = 96 };
    const int rows = grid * grid;
    const size_t size = (size_t)rows * WIDTH;
    struct test_weight norm = make_weight(be, VLK_F32, 1, WIDTH, 1), qkv = make_weight(be, dtype, 3 * WIDTH, WIDTH, 0.15);
    struct test_weight bias = make_weight(be, VLK_F32, 1, 3 * WIDTH, 0.3), proj = make_weight(be, dtype, WIDTH, WIDTH, 0.15);
    struct test_weight fc1 = make_weight(be, dtype, MLP, WIDTH, 0.15), fc2 = make_weight(be, dtype, WIDTH, MLP, 0.15);
    struct test_weight down = make_weight(be, VLK_F32, window ? 2 * window - 1 : 1, WIDTH / HEADS, 0.4);
    struct test_weight across = make_weight(be, VLK_F32, window ? 2 * window - 1 : 1, WIDTH / HEADS, 0.4);
    float *x = random_floats(size, 1), *y = copy_floats(x, size), *h = vlk_alloc(size, 4), *wide = vlk_alloc(3 * size, 4);
    float *mid = vlk_alloc((size_t)rows * MLP, 4);
    double *want = doubles(size);
    struct vlk_vit_block_args a = { .n = 1, .tokens = rows, .width = WIDTH, .heads = HEADS, .mlp = MLP, .eps = 1e-5f,
                                    .norm1_w = norm.w, .norm1_b = norm.w, .qkv_w = qkv.w, .qkv_b = bias.w, .proj_w = proj.w,
                                    .norm2_w = norm.w, .norm2_b = norm.w, .fc1_w = fc1.w, .fc2_w = fc2.w, .x = x, .h = h, .qkv = wide,
                                    .mid = mid, .act = act, .grid = grid, .window = window, .down = down.w, .across = across.w };
    char name[128];

    be->ops->vit_block(be, &a);
    a.x = y;
    vlk_vit_block_by_parts(be, &a);
    for (size_t i = 0; i < size; i++)
        want[i] = (double)y[i];
    snprintf(name, sizeof name, "%s block, %s, windows of %d in %d, act %d", level, vlk_dtype_name(dtype), window, grid, (int)act);
    close_to(x, want, size, window || dtype == VLK_F32 ? NMSE_F32 : 2e-5, name); /* a level may round to bf16: test_vit.c */
    struct test_weight *all[] = { &norm, &qkv, &bias, &proj, &fc1, &fc2, &down, &across };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free_weight(be, all[i]);
    vlk_free(x);
    vlk_free(y);
    vlk_free(h);
    vlk_free(wide);
    vlk_free(mid);
    vlk_free(want);
}

static void check_threads(const char *isa)
{
    enum { GRID = 20, HEADS = 2, DIM = 24, ROWS = GRID * GRID };
    const size_t size = (size_t)(ROWS * HEADS * DIM);
    float *qkv = random_floats(3 * size, 1), *down = random_floats((2 * GRID - 1) * DIM, 0.4), *out[3];

    for (int i = 0; i < 3; i++) {
        struct vlk_backend *be = vlk_cpu_open(&(struct vlk_cpu_options){ .threads = i + 1, .isa = isa }, NULL);
        struct vlk_weight w = be->ops->weight_import(be, VLK_F32, 2 * GRID - 1, DIM, down, VLK_PLACE_DEVICE);

        out[i] = vlk_alloc(size, 4);
        be->ops->window_attend(be, &(struct vlk_window_attend_args){ 1, GRID, GRID, HEADS, DIM, { 0 }, w, w, qkv, out[i] });
        be->ops->weight_release(be, &w);
        be->ops->close(be);
    }
    ok(memcmp(out[0], out[1], size * 4) == 0 && memcmp(out[0], out[2], size * 4) == 0, "%s windows: the same with 1, 2 and 3 threads", isa);
    for (int i = 0; i < 3; i++)
        vlk_free(out[i]);
    vlk_free(qkv);
    vlk_free(down);
}

int main(void)
{
    static const struct windows shapes[] = {
        { 1, 1, 1, 1, 8, false }, { 2, 5, 5, 2, 20, false }, { 2, 7, 3, 2, 20, true }, { 1, 7, 3, 3, 24, false },
        { 2, 6, 3, 1, 32, true },  { 1, 20, 20, 1, 16, false }, { 3, 10, 14, 1, 64, true }, { 1, 18, 17, 1, 8, true },
    };

    for (const char *const *isa = vlk_cpu_isa_available(); *isa; isa++) {
        struct vlk_error err;
        struct vlk_backend *be = vlk_cpu_open(&(struct vlk_cpu_options){ .threads = 2, .isa = *isa }, &err);

        level = *isa;
        if (!ok(be != NULL, "open %s", level))
            continue;
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
            check_windows(be, &shapes[i], (vlk_dtype)(i % 3));
        check_block(be, 9, 4, VLK_ACT_GELU_ERF, VLK_BF16);
        check_block(be, 6, 6, VLK_ACT_GELU_ERF, VLK_F32);
        check_block(be, 5, 0, VLK_ACT_GELU_QUICK, VLK_F32);
        check_block(be, 5, 0, VLK_ACT_GELU_QUICK, VLK_BF16);
        is_int(be->ops->wait(be, &err), VLK_OK, "no error");
        be->ops->close(be);
        check_threads(level);
    }
    return tap_done();
}
