/* SPDX-License-Identifier: MIT
 *
 * A few tokens in one pass get what each gets alone, bit for bit: as many as traits.same_rows says. Drafted tokens are verified that
 * way, and an answer must not depend on where a draft began.
 */
#include "tests/kernels/reference.h"

enum { MOST = 4, WIDTH = 200, INTER = 96, HEADS = 4, DIM = 40, EXPERTS = 6, K = 2, LORA = 72, ROPE = 8, CAPACITY = 400 };

static int32_t same_rows(const struct vlk_backend *be)
{
    return be->traits.same_rows < MOST ? be->traits.same_rows : MOST;
}

/* rows [n][width] of a pass over n tokens against `each`, made one by one. */
static void same(const float *rows, const float *each, int32_t n, int width, const char *isa, const char *what)
{
    int32_t wrong = 0;

    for (int32_t i = 0; i < n; i++)
        wrong += memcmp(rows + (size_t)i * (size_t)width, each + (size_t)i * (size_t)width, (size_t)width * sizeof *rows) != 0;
    ok(!wrong && each[0] == each[0] && each[0] != 0, "%s, %s: %d rows at once are those rows, one by one (%d differ)", isa, what, n, wrong);
}

static void test_products(struct vlk_backend *be, const char *isa, vlk_dtype dtype)
{
    struct test_weight w = make_weight(be, dtype, INTER, WIDTH, 0.1), up = make_weight(be, dtype, INTER, WIDTH, 0.1);
    struct test_weight down = make_weight(be, dtype, WIDTH, INTER, 0.1), router = make_weight(be, VLK_F32, EXPERTS, WIDTH, 0.3);
    struct vlk_weight g[EXPERTS], u[EXPERTS], d[EXPERTS];
    float *x = random_floats(MOST * WIDTH, 1), y[MOST * WIDTH], each[MOST * WIDTH], weights[MOST * K];
    int32_t ids[MOST * K];

    for (int i = 0; i < EXPERTS; i++) {
        g[i] = i % 2 ? w.w : up.w;
        u[i] = i % 2 ? up.w : w.w;
        d[i] = down.w;
    }
    for (int32_t n = 2; n <= same_rows(be); n++) {
        for (int one = 0; one < 2; one++) {
            for (int32_t at = 0; at < n; at += one ? 1 : n) {
                const int32_t rows = one ? 1 : n;

                be->ops->linear(be, &(struct vlk_linear_args){ .n = rows, .w = w.w, .x = x + at * WIDTH,
                                                               .y = (one ? each : y) + at * INTER });
            }
        }
        same(y, each, n, INTER, isa, vlk_dtype_name(dtype));
        for (int one = 0; one < 2; one++) {
            float *to = one ? each : y;

            memset(to, 0, sizeof y);
            for (int32_t at = 0; at < n; at += one ? 1 : n) {
                const int32_t rows = one ? 1 : n;

                be->ops->router(be, &(struct vlk_router_args){ .n = rows, .k = K, .n_group = 1, .topk_group = 1, .scaling = 1,
                                                               .w = router.w, .x = x + at * WIDTH, .expert_ids = ids,
                                                               .expert_weights = weights });
                be->ops->moe(be, &(struct vlk_moe_args){ .n = rows, .k = K, .experts = EXPERTS, .gate = g, .up = u, .down = d,
                                                         .shared_gate = w.w, .shared_up = up.w, .shared_down = down.w,
                                                         .expert_ids = ids, .expert_weights = weights, .x = x + at * WIDTH,
                                                         .y = to + at * WIDTH });
                be->ops->mlp(be, &(struct vlk_mlp_args){ rows, w.w, up.w, down.w, true, x + at * WIDTH, to + at * WIDTH });
            }
        }
        same(y, each, n, WIDTH, isa, "experts and a plain MLP");
    }
    vlk_free(x);
    free_weight(be, &w);
    free_weight(be, &up);
    free_weight(be, &down);
    free_weight(be, &router);
}

struct cache {
    float *k, *v, *table;
    vlk_dtype dtype;
};

/* n tokens at `pos` of MHA with kv_heads heads of keys (0: MLA) into out [n][HEADS*DIM]. */
static void attend(struct vlk_backend *be, const struct cache *c, int32_t kv_heads, int32_t pos, int32_t n, const float *x, float *out,
                   const struct test_weight *kv_b, const struct test_weight *norm)
{
    float q[MOST * HEADS * (DIM + ROPE)], rows[MOST * HEADS * DIM];
    struct vlk_step step = { .pos = pos };
    const struct vlk_rope halves = { c->table, c->table, DIM, false }, pairs = { c->table, c->table, ROPE, true };

    if (kv_heads) {
        memcpy(q, x, (size_t)n * HEADS * DIM * sizeof *q);
        for (int32_t i = 0; i < n; i++)
            memcpy(rows + i * kv_heads * DIM, x + i * HEADS * DIM, (size_t)kv_heads * DIM * sizeof *rows);
        be->ops->mha_write(be, &(struct vlk_mha_write_args){ n, HEADS, kv_heads, DIM, halves, &step, q, rows, rows, c->k, c->v,
                                                             c->dtype });
        be->ops->mha_attend(be, &(struct vlk_mha_attend_args){ n, HEADS, kv_heads, DIM, 0.2f, pos + n, &step, q, c->k, c->v, c->dtype,
                                                               out, NULL, 0 });
        return;
    }
    for (int32_t i = 0; i < n; i++) {
        memcpy(q + (size_t)i * HEADS * (DIM + ROPE), x + (size_t)i * HEADS * DIM, HEADS * DIM * sizeof *q);
        memcpy(q + (size_t)i * HEADS * (DIM + ROPE) + HEADS * DIM, x + (size_t)i * HEADS * DIM, HEADS * ROPE * sizeof *q);
        memcpy(rows + (size_t)i * (LORA + ROPE), x + (size_t)i * HEADS * DIM, sizeof *rows * (LORA + ROPE));
    }
    be->ops->mla_write(be, &(struct vlk_mla_write_args){ n, HEADS, DIM, LORA, 1e-6f, pairs, norm->w, &step, q, rows, c->k, c->dtype });
    be->ops->mla_attend(be, &(struct vlk_mla_attend_args){ n, HEADS, DIM, LORA, DIM, ROPE, 0.2f, pos + n, &step, kv_b->w, q, c->k,
                                                           c->dtype, out, NULL, 0 });
}

/* Behind so many tokens, of which the first passes are about to reach the next range of keys. */
static void test_attention(struct vlk_backend *be, const char *isa, int32_t kv_heads, vlk_dtype dtype, vlk_dtype weights)
{
    static const int32_t behind[] = { 0, 3, 190, 191, 192, 383 };
    struct test_weight kv_b = make_weight(be, weights, HEADS * 2 * DIM, LORA, 0.2), norm = make_weight(be, VLK_BF16, 1, LORA, 1);
    struct cache c = { random_floats(CAPACITY * HEADS * DIM, 1), random_floats(CAPACITY * HEADS * DIM, 1),
                       random_floats(CAPACITY * DIM, 0.5), dtype };
    float *x = random_floats(MOST * HEADS * DIM, 1), y[MOST * HEADS * DIM], each[MOST * HEADS * DIM];
    char name[80];

    for (size_t i = 0; dtype == VLK_BF16 && i < CAPACITY * HEADS * DIM; i++) { /* every half is a small number */
        ((uint16_t *)(void *)c.k)[i] = (uint16_t)(0x3e00 + i * 7 % 300);
        ((uint16_t *)(void *)c.v)[i] = (uint16_t)(0xbe00 + i * 5 % 300);
    }
    snprintf(name, sizeof name, "%d heads of keys, cache %s, weights %s", kv_heads, vlk_dtype_name(dtype), vlk_dtype_name(weights));
    for (size_t p = 0; p < sizeof behind / sizeof *behind; p++) {
        const int32_t n = same_rows(be);

        for (int32_t at = 0; at < n; at++)
            attend(be, &c, kv_heads, behind[p] + at, 1, x + at * HEADS * DIM, each + at * HEADS * DIM, &kv_b, &norm);
        attend(be, &c, kv_heads, behind[p], n, x, y, &kv_b, &norm);
        same(y, each, n, HEADS * DIM, isa, name);
    }
    vlk_free(c.k);
    vlk_free(c.v);
    vlk_free(c.table);
    vlk_free(x);
    free_weight(be, &kv_b);
    free_weight(be, &norm);
}

int main(void)
{
    for (const char *const *isa = vlk_cpu_isa_available(); *isa; isa++) {
        struct vlk_backend *be = vlk_cpu_open(&(struct vlk_cpu_options){ .threads = 2, .isa = *isa }, NULL);

        is_int(same_rows(be), MOST, "the CPU promises as much for four rows");
        for (vlk_dtype dtype = 0; dtype < VLK_DTYPE_COUNT; dtype++)
            test_products(be, *isa, dtype);
        for (vlk_dtype dtype = VLK_F32; dtype <= VLK_BF16; dtype++) {
            test_attention(be, *isa, HEADS, dtype, VLK_BF16);
            test_attention(be, *isa, HEADS / 2, dtype, VLK_BF16);
            test_attention(be, *isa, 1, dtype, VLK_BF16);
            test_attention(be, *isa, 0, dtype, VLK_BF16);
            test_attention(be, *isa, 0, dtype, VLK_I8G);
        }
        is_int(be->ops->wait(be, NULL), VLK_OK, "and all of it ran");
        be->ops->close(be);
    }
    return tap_done();
}
