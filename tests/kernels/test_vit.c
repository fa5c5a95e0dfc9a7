/* SPDX-License-Identifier: MIT
 *
 * A block of the vision tower against a double reference: every level, the weights that towers come in, inner widths that fill no
 * panel, activations with a few far values, and what must not matter: threads, and the tiles beside a tile.
 */
#include "tests/kernels/reference.h"

/* What a block adds to x, f32 weights: a chain of two products behind a norm and one behind a softmax. */
#define NMSE_CHAIN 1e-9
/* bf16 products: inputs of four products, queries, keys, values and probabilities are rounded to 8 bits, (2^-9)^2 / 3 = 1.3e-6 of the
 * power each; an error of scores of the deviation s moves probabilities by the same share. */
#define NMSE_HALVES 2e-5
/* int8 weights in groups of 32 with activations rounded alike (NMSE_ROUNDED each), two products in a chain. With one scale per row: a
 * range of 6.6 deviations in 255 steps, and a peak of 3.4 deviations of a row of weights in 127, (6.6 / 255)^2 / 12 = 5.6e-5 and
 * (3.4 / 127)^2 / 12 = 6e-5, makes 1.2e-4 for a product and twice that for a chain at most,
 * half of which the part of the sum before it already was. */
#define NMSE_CODED 3e-4

/* Where the sums are of 16 bits, activations have 13 and a peak of 3.4 deviations of a row of weights 255 steps: (3.4 / 255)^2 / 12 =
 * 1.5e-5 per product, and twice that for a chain; a far value of 100 deviations adds 1.6e-5. */
#define NMSE_WIDE 5e-5

static const char *level;

struct shape {
    int n, tokens, width, heads, mlp;
};

struct tower_block {
    struct shape s;
    struct test_weight norm1, norm1_b, qkv, qkv_b, proj, proj_b, norm2, norm2_b, fc1, fc1_b, fc2, fc2_b;
    float *x;
};

static struct tower_block make_block(struct vlk_backend *be, struct shape s, vlk_dtype dtype)
{
    const double in = 1 / sqrt(s.width), inner = 1.5 / sqrt(s.mlp);

    return (struct tower_block){
        s,
        make_weight(be, VLK_F32, 1, s.width, 1), make_weight(be, VLK_F32, 1, s.width, 0.3),
        make_weight(be, dtype, 3 * s.width, s.width, in), make_weight(be, VLK_BF16, 1, 3 * s.width, 0.2),
        make_weight(be, dtype, s.width, s.width, in), make_weight(be, VLK_F32, 1, s.width, 0.2),
        make_weight(be, VLK_F32, 1, s.width, 1), make_weight(be, VLK_F32, 1, s.width, 0.3),
        make_weight(be, dtype, s.mlp, s.width, in), make_weight(be, VLK_F32, 1, s.mlp, 0.2),
        make_weight(be, dtype, s.width, s.mlp, inner), make_weight(be, VLK_F32, 1, s.width, 0.2),
        random_floats((size_t)s.n * (size_t)s.tokens * (size_t)s.width, 1),
    };
}

static void free_block(struct vlk_backend *be, struct tower_block *b)
{
    struct test_weight *all[] = { &b->norm1, &b->norm1_b, &b->qkv, &b->qkv_b, &b->proj, &b->proj_b,
                                  &b->norm2, &b->norm2_b, &b->fc1, &b->fc1_b, &b->fc2, &b->fc2_b };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free_weight(be, all[i]);
    vlk_free(b->x);
}

/* The block's x after the op, for tiles first … first + n - 1 of the given x. */
static float *run_block(struct vlk_backend *be, const struct tower_block *b, const float *from, int first, int n)
{
    const struct shape *s = &b->s;
    const size_t tile = (size_t)s->tokens * (size_t)s->width, size = (size_t)n * tile;
    float *x = copy_floats(from + (size_t)first * tile, size), *h = vlk_alloc(size, sizeof *h);
    float *qkv = vlk_alloc(3 * size, sizeof *qkv), *mid = vlk_alloc((size_t)(n * s->tokens) * (size_t)s->mlp, sizeof *mid);

    be->ops->vit_block(be, &(struct vlk_vit_block_args){
        n, s->tokens, s->width, s->heads, s->mlp, 1e-6f, b->norm1.w, b->norm1_b.w, b->qkv.w, b->qkv_b.w, b->proj.w, b->proj_b.w,
        b->norm2.w, b->norm2_b.w, b->fc1.w, b->fc1_b.w, b->fc2.w, b->fc2_b.w, x, h, qkv, mid, VLK_ACT_GELU_TANH, 0, 0, { 0 }, { 0 } });
    vlk_free(h);
    vlk_free(qkv);
    vlk_free(mid);
    return x;
}

/* ------------------------------------------------------------------------------------------------ reference */

static void norm_reference(int rows, int width, const double *x, const struct test_weight *w, const struct test_weight *b, float *y)
{
    for (int r = 0; r < rows; r++, x += width, y += width) {
        double mean = 0, var = 0;

        for (int i = 0; i < width; i++)
            mean += x[i] / width;
        for (int i = 0; i < width; i++)
            var += (x[i] - mean) * (x[i] - mean) / width;
        for (int i = 0; i < width; i++)
            y[i] = (float)((x[i] - mean) / sqrt(var + 1e-6) * (double)w->values[i] + (double)b->values[i]);
    }
}

/* y (+)= x w^T + b */
static void linear_reference(int n, const float *x, const struct test_weight *w, const struct test_weight *b, bool add, double *y)
{
    const size_t rows = (size_t)w->w.rows, size = (size_t)n * rows;
    double *product = doubles(size);

    matmul(n, w->w.rows, w->w.cols, x, w->values, product);
    for (size_t i = 0; i < size; i++)
        y[i] = (add ? y[i] : 0) + product[i] + (double)b->values[i % rows];
    vlk_free(product);
}

/* One query of one head: q against keys and values that lie ld apart. */
static void attend_reference(int tokens, int dim, size_t ld, const double *q, const double *k, const double *v, float *out)
{
    double *p = doubles((size_t)tokens), sum = 0, top = -INFINITY;

    for (int t = 0; t < tokens; t++) {
        for (int c = 0; c < dim; c++)
            p[t] += q[c] * k[(size_t)t * ld + (size_t)c] / sqrt(dim);
        top = p[t] > top ? p[t] : top;
    }
    for (int t = 0; t < tokens; t++)
        sum += p[t] = exp(p[t] - top);
    for (int c = 0; c < dim; c++) {
        double o = 0;

        for (int t = 0; t < tokens; t++)
            o += p[t] / sum * v[(size_t)t * ld + (size_t)c];
        out[c] = (float)o;
    }
    vlk_free(p);
}

/* What the block adds to x. */
static double *reference(const struct tower_block *b)
{
    const struct shape *s = &b->s;
    const int rows = s->n * s->tokens, width = s->width, dim = width / s->heads;
    const size_t size = (size_t)rows * (size_t)width, inner = (size_t)rows * (size_t)s->mlp;
    double *x = doubles(size), *qkv = doubles(3 * size), *mid = doubles(inner);
    float *h = vlk_alloc(size, sizeof *h), *m = vlk_alloc(inner, sizeof *m);

    for (size_t i = 0; i < size; i++)
        x[i] = (double)b->x[i];
    norm_reference(rows, width, x, &b->norm1, &b->norm1_b, h);
    linear_reference(rows, h, &b->qkv, &b->qkv_b, false, qkv);
    for (int r = 0; r < rows; r++) {
        for (int head = 0; head < s->heads; head++) {
            const double *tile = qkv + (size_t)(r / s->tokens * s->tokens) * 3 * (size_t)width + head * dim;

            attend_reference(s->tokens, dim, 3 * (size_t)width, qkv + (size_t)r * 3 * (size_t)width + head * dim, tile + width,
                             tile + 2 * width, h + (size_t)r * (size_t)width + head * dim);
        }
    }
    linear_reference(rows, h, &b->proj, &b->proj_b, true, x);
    norm_reference(rows, width, x, &b->norm2, &b->norm2_b, h);
    linear_reference(rows, h, &b->fc1, &b->fc1_b, false, mid);
    for (size_t i = 0; i < inner; i++)
        m[i] = (float)(0.5 * mid[i] * (1 + tanh(sqrt(2 / M_PI) * (mid[i] + 0.044715 * mid[i] * mid[i] * mid[i]))));
    linear_reference(rows, m, &b->fc2, &b->fc2_b, true, x);
    for (size_t i = 0; i < size; i++)
        x[i] -= (double)b->x[i];
    vlk_free(qkv);
    vlk_free(mid);
    vlk_free(h);
    vlk_free(m);
    return x;
}

/* ------------------------------------------------------------------------------------------------ tests */

static double bound_of(vlk_dtype dtype)
{
    if (dtype == VLK_I8G)
        return strcmp(level, "avx2") ? NMSE_CODED : NMSE_WIDE;
    return dtype == VLK_BF16 && !strcmp(level, "avx512bf16") ? NMSE_HALVES : NMSE_CHAIN;
}

static void check_block(struct vlk_backend *be, struct tower_block *b, vlk_dtype dtype, const char *what)
{
    const struct shape *s = &b->s;
    const size_t size = (size_t)s->n * (size_t)s->tokens * (size_t)s->width;
    float *got = run_block(be, b, b->x, 0, s->n);
    double *want = reference(b);
    char name[160];

    for (size_t i = 0; i < size; i++)
        got[i] -= b->x[i];
    snprintf(name, sizeof name, "%s block %s %d x %d tokens, %d/%d heads, mlp %d%s", level, vlk_dtype_name(dtype), s->n, s->tokens,
             s->width, s->heads, s->mlp, what);
    close_to(got, want, size, bound_of(dtype), name);
    vlk_free(got);
    vlk_free(want);
}

static void test_shapes(struct vlk_backend *be)
{
    static const struct shape shapes[] = { { 1, 49, 96, 4, 200 }, { 2, 9, 72, 1, 100 }, { 3, 25, 64, 2, 2400 }, { 1, 130, 160, 5, 36 } };
    static const vlk_dtype dtypes[] = { VLK_F32, VLK_BF16, VLK_I8G };

    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        for (size_t d = 0; d < sizeof dtypes / sizeof *dtypes; d++) {
            struct tower_block b = make_block(be, shapes[i], dtypes[d]);

            check_block(be, &b, dtypes[d], "");
            free_block(be, &b);
        }
    }
}

/* Towers have a few channels of a hundred deviations, the same ones in most rows, and rows that have more of them than others: what
 * they add must not cost the other channels their precision. */
static void test_far(struct vlk_backend *be)
{
    const struct shape s = { 1, 15, 1152, 16, 96 };
    struct tower_block b = make_block(be, s, VLK_I8G);

    for (int t = 0; t < s.tokens; t++) {
        float *row = b.x + t * s.width;

        row[3] = 60;
        row[700] = t % 2 ? -100 : 30;
        for (int i = 0; i < t / 3; i++)
            row[40 * i + 7] = 45;
    }
    check_block(be, &b, VLK_I8G, ", far values");
    free_block(be, &b);
}

static void test_independence(struct vlk_backend *be, struct vlk_backend *alone)
{
    const struct shape s = { 3, 49, 96, 4, 200 };
    const size_t tile = (size_t)s.tokens * (size_t)s.width;

    for (int dtype = VLK_BF16; dtype <= VLK_I8G; dtype += VLK_I8G - VLK_BF16) {
        struct tower_block b = make_block(be, s, (vlk_dtype)dtype);
        float *all = run_block(be, &b, b.x, 0, 3), *same = run_block(alone, &b, b.x, 0, 3), *one = run_block(be, &b, b.x, 1, 1);

        ok(!memcmp(all, same, 3 * tile * sizeof *all), "%s %s: threads do not matter", level, vlk_dtype_name((vlk_dtype)dtype));
        ok(!memcmp(all + tile, one, tile * sizeof *all), "%s %s: other tiles do not matter", level, vlk_dtype_name((vlk_dtype)dtype));
        vlk_free(same);
        b.x[5] = NAN;
        same = run_block(be, &b, b.x, 0, 3);
        ok(isnan(same[5]) && isnan(same[40 * s.width]), "%s %s: what is not a number stays so, in its tile", level,
           vlk_dtype_name((vlk_dtype)dtype));
        ok(!memcmp(all + tile, same + tile, 2 * tile * sizeof *all), "%s %s: the others do not notice", level,
           vlk_dtype_name((vlk_dtype)dtype));
        vlk_free(all);
        vlk_free(same);
        vlk_free(one);
        free_block(be, &b);
    }
}

int main(void)
{
    const char *const *isa = vlk_cpu_isa_available();

    for (; *isa; isa++) {
        struct vlk_error err;
        struct vlk_backend *be = vlk_cpu_open(&(struct vlk_cpu_options){ .threads = 3, .isa = *isa }, &err);
        struct vlk_backend *alone = vlk_cpu_open(&(struct vlk_cpu_options){ .threads = 1, .isa = *isa }, &err);

        level = *isa;
        if (!ok(be && alone, "open %s", level))
            continue;
        test_shapes(be);
        test_far(be);
        test_independence(be, alone);
        is_int(be->ops->wait(be, &err), VLK_OK, "no error");
        be->ops->close(be);
        alone->ops->close(alone);
    }
    return tap_done();
}
