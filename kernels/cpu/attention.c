/* SPDX-License-Identifier: MIT
 *
 * Blocked attention with an online softmax: memory stays bounded whatever the length. Lanes are query rows: scores are
 * K Q^T, results V^T P^T, so that keys and values are used as they lie in the cache, and only queries are turned. A block of
 * keys that is not f32 is converted once for all panels of a task. Called by the attention ops; one call runs on one worker.
 */
#include "kernels/cpu/attention.h"

#include <math.h>
#include <string.h>

/* Keys per step of the softmax: a block of wide rows would not leave the second cache its queries. */
static int key_block(int k_width)
{
    return k_width > 256 ? 48 : 96;
}

/* A place for f32 rows keeps them off each other's cache sets. */
static size_t row_floats(int width)
{
    return (size_t)width + 16;
}

static int panels_of(const struct vlk_isa *isa, int m)
{
    return (m + isa->nr - 1) / isa->nr;
}

size_t vlk_attention_floats(const struct vlk_isa *isa, int m, int k_width, int v_width)
{
    const size_t rows = (size_t)panels_of(isa, m) * (size_t)isa->nr, keys = (size_t)key_block(k_width);

    return rows * ((size_t)k_width + (size_t)v_width + 2) +
           keys * (row_floats(k_width) + row_floats(v_width) + (size_t)isa->nr) + VLK_MAX_NR * row_floats(k_width);
}

void vlk_attention_place(struct vlk_attention *a, float *memory)
{
    const size_t rows = (size_t)panels_of(a->isa, a->m) * (size_t)a->isa->nr;

    a->q = memory;
    a->o = a->q + rows * (size_t)a->k.width;
    a->peak = a->o + rows * (size_t)a->v.width;
    a->sum = a->peak + rows;
    a->work = a->sum + rows;
}

void vlk_attention_query(const struct vlk_attention *a, int panel, const float *const *rows, int n, float scale)
{
    const size_t ld = row_floats(a->k.width);
    float *panel_at = a->q + (size_t)panel * (size_t)a->k.width * (size_t)a->isa->nr;

    for (int i = 0; i < n; i++) {
        memcpy(a->work + (size_t)i * ld, rows[i], (size_t)a->k.width * sizeof **rows);
        a->isa->scale(a->work + (size_t)i * ld, a->k.width, scale);
    }
    a->isa->pack_rows(VLK_F32, a->work, ld * sizeof(float), n, a->k.width, 0, a->k.width, panel_at);
}

/* ------------------------------------------------------------------------------------------------ one range of keys */

/* A block of keys and values as f32 rows: where they lie, or converted into the working space. */
struct key_rows {
    const float *k, *v;
    size_t ldk, ldv;
    float *scores; /* [keys][nr] */
};

static const void *kv_row(const struct vlk_kv *kv, int64_t i)
{
    return (const char *)kv->data + (size_t)i * kv->stride;
}

/* f32 rows that follow each other closely are read in place; wide strides would meet in few cache sets. */
static const float *float_rows(const struct vlk_isa *isa, const struct vlk_kv *kv, int64_t key, int n, float *copy, size_t *ld)
{
    if (kv->dtype == VLK_F32 && kv->stride <= (size_t)kv->width * sizeof(float)) {
        *ld = kv->stride / sizeof(float);
        return kv_row(kv, key);
    }
    *ld = row_floats(kv->width);
    for (int i = 0; i < n; i++)
        isa->unpack(kv->dtype, kv_row(kv, key + i), kv->width, 0, kv->width, copy + (size_t)i * *ld);
    return copy;
}

/* Values that are a part of the keys' rows are converted with them. */
static struct key_rows load_keys(const struct vlk_attention *a, int64_t key, int n)
{
    const size_t block = (size_t)key_block(a->k.width);
    float *k_copy = a->work, *v_copy = k_copy + block * row_floats(a->k.width);
    struct key_rows rows = { .scores = v_copy + block * row_floats(a->v.width) };

    rows.k = float_rows(a->isa, &a->k, key, n, k_copy, &rows.ldk);
    if (a->v.data == a->k.data && a->v.stride == a->k.stride) {
        rows.v = rows.k;
        rows.ldv = rows.ldk;
    } else {
        rows.v = float_rows(a->isa, &a->v, key, n, v_copy, &rows.ldv);
    }
    return rows;
}

/* How many keys row i sees. */
static int64_t limit_of(const struct vlk_attention *a, int i)
{
    return a->group ? a->first_limit + i / a->group : a->k1;
}

/* Wide rows in parts, so that a part of the queries stays in the first cache while the keys pass by. */
static void score_panel(const struct vlk_attention *a, const struct key_rows *keys, int panel, int lanes, int n)
{
    enum { PART = 192 };
    const size_t nr = (size_t)a->isa->nr;
    const float *q = a->q + (size_t)panel * (size_t)a->k.width * nr;

    for (int at = 0; at < a->k.width; at += PART)
        a->isa->gemm(n, lanes, a->k.width - at < PART ? a->k.width - at : PART,
                     &(struct vlk_tile){ .a = keys->k + at, .lda = keys->ldk, .a_rows = true, .b = q + (size_t)at * nr,
                                         .c = keys->scores, .ldc = nr, .add = at > 0 });
}

static void attend_panel(const struct vlk_attention *a, const struct key_rows *keys, int panel, int64_t key, int n)
{
    const int nr = a->isa->nr, r0 = panel * nr, lanes = a->m - r0 < nr ? a->m - r0 : nr;
    const int64_t seen = limit_of(a, r0 + lanes - 1) - key;
    float *o = a->o + (size_t)r0 * (size_t)a->v.width, limits[VLK_MAX_NR] = { 0 }, factor[VLK_MAX_NR];
    bool limited = limit_of(a, r0) - key < n;

    if (seen <= 0)
        return;
    n = seen < n ? (int)seen : n;
    for (int i = 0; i < lanes && limited; i++)
        limits[i] = (float)(limit_of(a, r0 + i) - key);
    score_panel(a, keys, panel, lanes, n);
    if (a->down)
        a->isa->relate(keys->scores, n, (int)key, a->side, lanes, a->down + (size_t)panel * (size_t)(a->side * nr),
                       a->across + (size_t)panel * (size_t)(a->side * nr));
    if (a->isa->softmax_step(keys->scores, n, lanes, 1, limited ? limits : NULL, a->peak + r0, a->sum + r0, factor))
        a->isa->scale_lanes(o, a->v.width, lanes, factor);
    a->isa->gemm(a->v.width, lanes, n, &(struct vlk_tile){ .a = keys->v, .lda = keys->ldv, .a_step = (size_t)a->isa->mr,
                                                           .b = keys->scores, .c = o, .ldc = (size_t)nr, .add = true });
}

void vlk_attention_run(const struct vlk_attention *a)
{
    const int panels = panels_of(a->isa, a->m), rows = panels * a->isa->nr, block = key_block(a->k.width);

    memset(a->o, 0, (size_t)rows * (size_t)a->v.width * sizeof *a->o);
    memset(a->sum, 0, (size_t)rows * sizeof *a->sum);
    for (int i = 0; i < rows; i++)
        a->peak[i] = VLK_NO_PEAK;
    for (int64_t key = a->k0; key < a->k1; key += block) {
        int n = a->k1 - key < block ? (int)(a->k1 - key) : block;
        struct key_rows keys = load_keys(a, key, n);

        for (int panel = 0; panel < panels; panel++)
            attend_panel(a, &keys, panel, key, n);
    }
}

void vlk_attention_result(const struct vlk_attention *a, int panel, int n, bool divided, float *const *dst)
{
    const size_t at = (size_t)panel * (size_t)a->isa->nr;
    float factor[VLK_MAX_NR];

    for (int i = 0; i < n; i++)
        factor[i] = divided ? 1 / a->sum[at + (size_t)i] : 1;
    a->isa->transpose(a->o + at * (size_t)a->v.width, a->v.width, n, factor, dst);
}

void vlk_attention_probs(const struct vlk_attention *a, int panel, int n, int64_t count, float *const *dst)
{
    const int block = key_block(a->k.width), r0 = panel * a->isa->nr;
    float peak[VLK_MAX_NR], unused[VLK_MAX_NR] = { 0 }, factor[VLK_MAX_NR];
    float limits[VLK_MAX_NR], inverse[VLK_MAX_NR], *at[VLK_MAX_NR];

    for (int64_t key = 0; key < count; key += block) {
        int known = a->k1 <= key ? 0 : a->k1 - key < block ? (int)(a->k1 - key) : block;
        int all = count - key < block ? (int)(count - key) : block;
        struct key_rows keys = load_keys(a, key, known);

        known = known < all ? known : all;
        for (int i = 0; i < n; i++) {
            peak[i] = a->peak[r0 + i];
            limits[i] = (float)(limit_of(a, r0 + i) - key);
            inverse[i] = 1 / a->sum[r0 + i];
            at[i] = dst[i] + key;
            memset(at[i] + known, 0, (size_t)(all - known) * sizeof *at[i]);
        }
        if (!known)
            continue;
        score_panel(a, &keys, panel, n, known);
        a->isa->softmax_step(keys.scores, known, n, 1, limits, peak, unused, factor);
        a->isa->transpose(keys.scores, known, n, inverse, at);
    }
}

/* ------------------------------------------------------------------------------------------------ vision tower */

struct vit_job {
    struct vlk_cpu *cpu;
    const struct vlk_vit_attend_args *a;
    float *scratch;
    size_t scratch_floats;
};

/* One head of one tile. */
static void vit_item(void *ctx, int64_t item, int worker)
{
    const struct vit_job *job = ctx;
    const struct vlk_vit_attend_args *a = job->a;
    const struct vlk_isa *isa = job->cpu->isa;
    const size_t dim = (size_t)a->head_dim, row = 3 * (size_t)a->heads * dim, tokens = (size_t)a->tokens;
    const float *qkv = a->qkv + (size_t)(item / a->heads) * tokens * row + (size_t)(item % a->heads) * dim;
    float *out = a->out + ((size_t)(item / a->heads) * tokens * (size_t)a->heads + (size_t)(item % a->heads)) * dim;
    struct vlk_attention t = { .isa = isa, .m = a->tokens, .k1 = a->tokens };
    const float *from[VLK_MAX_NR];
    float *to[VLK_MAX_NR];

    t.k = (struct vlk_kv){ VLK_F32, qkv + (size_t)a->heads * dim, row * sizeof(float), a->head_dim };
    t.v = (struct vlk_kv){ VLK_F32, qkv + 2 * (size_t)a->heads * dim, row * sizeof(float), a->head_dim };
    vlk_attention_place(&t, job->scratch + (size_t)worker * job->scratch_floats);
    for (int r = 0; r < a->tokens; r += isa->nr) {
        int n = a->tokens - r < isa->nr ? a->tokens - r : isa->nr;

        for (int i = 0; i < n; i++)
            from[i] = qkv + (size_t)(r + i) * row;
        vlk_attention_query(&t, r / isa->nr, from, n, 1 / sqrtf((float)a->head_dim));
    }
    vlk_attention_run(&t);
    for (int r = 0; r < a->tokens; r += isa->nr) {
        int n = a->tokens - r < isa->nr ? a->tokens - r : isa->nr;

        for (int i = 0; i < n; i++)
            to[i] = out + (size_t)(r + i) * (size_t)a->heads * dim;
        vlk_attention_result(&t, r / isa->nr, n, true, to);
    }
}

void vlk_cpu_vit_attend(struct vlk_backend *be, const struct vlk_vit_attend_args *a)
{
    struct vlk_cpu *cpu = vlk_cpu_of(be);
    struct vit_job job = { .cpu = cpu, .a = a };

    if (vlk_cpu_poisoned(cpu))
        return;
    job.scratch_floats = vlk_attention_floats(cpu->isa, a->tokens, a->head_dim, a->head_dim);
    job.scratch = vlk_scratch(cpu, VLK_SLOT_ATTEND, (size_t)cpu->threads * job.scratch_floats * sizeof(float));
    if (job.scratch)
        vlk_pool_run(cpu->pool, (int64_t)a->n * a->heads, vit_item, &job);
}
