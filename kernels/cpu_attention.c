/* SPDX-License-Identifier: MIT
 *
 * Blocked attention with an online softmax: memory stays bounded whatever the length. Few rows use dot products, many the
 * GEMM micro-kernel on packed blocks of keys and values. Ranges of keys start at fixed multiples, so the result depends
 * neither on the number of threads nor on how many tokens came before in the same call.
 */
#include "kernels/cpu_attention.h"

#include <math.h>
#include <string.h>

#define FEW 4 /* up to this many rows: no packing */

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

size_t vlk_attention_scratch(const struct vlk_isa *isa, int k_width, int v_width)
{
    return (size_t)VLK_ROW_BLOCK * VLK_KEY_BLOCK + (size_t)k_width * VLK_KEY_BLOCK +
           round_up((size_t)v_width, (size_t)isa->nr) * VLK_KEY_BLOCK;
}

static const void *kv_row(const struct vlk_kv *kv, int64_t i)
{
    return (const char *)kv->data + (size_t)i * kv->stride;
}

/* How many of the keys from `key` on row i sees. */
static int visible(const struct vlk_attention *a, int i, int64_t key, int n)
{
    int64_t limit = a->group ? a->first_limit + i / a->group - key : n;

    return limit < 0 ? 0 : limit < n ? (int)limit : n;
}

/* s[m][KEY_BLOCK] = q k^T for rows r0 … and n keys from `key`; panels are the packed keys. */
static void score(const struct vlk_attention *a, int r0, int m, int64_t key, int n, const float *panels, float *s)
{
    const float *q = a->q + (size_t)r0 * a->ldq;

    if (a->m <= FEW)
        a->isa->dot_rows(a->k.dtype, kv_row(&a->k, key), a->k.stride, n, a->k.width, q, a->ldq, m, s, VLK_KEY_BLOCK);
    else
        a->isa->gemm(m, n, a->k.width, q, a->ldq, panels, s, VLK_KEY_BLOCK, false);
}

/* Turns the scores of row r into exp(score - peak), moving the peak and rescaling what was summed before. */
static void soften(const struct vlk_attention *a, int r, int n, int seen, float *s)
{
    float peak = a->isa->max(s, seen), old = a->peak[r];

    if (peak > old) {
        float f = old == -INFINITY ? 0 : expf(old - peak);

        a->isa->scale(a->o + (size_t)r * (size_t)a->v.width, a->v.width, f);
        a->sum[r] *= f;
        a->peak[r] = peak;
    }
    if (seen)
        a->sum[r] += (float)a->isa->exp_sum(s, seen, a->peak[r]);
    memset(s + seen, 0, (size_t)(n - seen) * sizeof *s);
}

static void attend_rows(const struct vlk_attention *a, int r0, int m, int64_t key, int n, float *s, const float *k_panels,
                        const float *v_panels)
{
    float *o = a->o + (size_t)r0 * (size_t)a->v.width;

    if (!visible(a, r0 + m - 1, key, n))
        return;
    score(a, r0, m, key, n, k_panels, s);
    for (int i = 0; i < m; i++)
        soften(a, r0 + i, n, visible(a, r0 + i, key, n), s + i * VLK_KEY_BLOCK);
    if (a->m <= FEW) {
        for (int i = 0; i < m; i++)
            a->isa->mix_rows(a->v.dtype, kv_row(&a->v, key), a->v.stride, visible(a, r0 + i, key, n), a->v.width,
                             s + i * VLK_KEY_BLOCK, true, o + (size_t)i * (size_t)a->v.width);
    } else {
        a->isa->gemm(m, a->v.width, n, s, VLK_KEY_BLOCK, v_panels, o, (size_t)a->v.width, true);
    }
}

void vlk_attention_run(const struct vlk_attention *a)
{
    float *s = a->scratch, *k_panels = s + VLK_ROW_BLOCK * VLK_KEY_BLOCK;
    float *v_panels = k_panels + (size_t)a->k.width * VLK_KEY_BLOCK;

    memset(a->o, 0, (size_t)a->m * (size_t)a->v.width * sizeof *a->o);
    memset(a->sum, 0, (size_t)a->m * sizeof *a->sum);
    for (int i = 0; i < a->m; i++)
        a->peak[i] = -INFINITY;
    for (int64_t key = a->k0; key < a->k1; key += VLK_KEY_BLOCK) {
        int n = a->k1 - key < VLK_KEY_BLOCK ? (int)(a->k1 - key) : VLK_KEY_BLOCK;

        if (a->m > FEW) {
            a->isa->pack_rows(a->k.dtype, kv_row(&a->k, key), a->k.stride, n, a->k.width, 0, a->k.width, k_panels);
            a->isa->pack_cols(a->v.dtype, kv_row(&a->v, key), a->v.stride, n, a->v.width, v_panels);
        }
        for (int r = 0; r < a->m; r += VLK_ROW_BLOCK)
            attend_rows(a, r, a->m - r < VLK_ROW_BLOCK ? a->m - r : VLK_ROW_BLOCK, key, n, s, k_panels, v_panels);
    }
}

void vlk_attention_probs(const struct vlk_attention *a, float *const *probs, int64_t count)
{
    float *s = a->scratch, *panels = s + VLK_ROW_BLOCK * VLK_KEY_BLOCK;

    for (int64_t key = 0; key < count; key += VLK_KEY_BLOCK) {
        int n = count - key < VLK_KEY_BLOCK ? (int)(count - key) : VLK_KEY_BLOCK;
        int known = a->k1 <= key ? 0 : a->k1 - key < n ? (int)(a->k1 - key) : n;

        if (a->m > FEW && known)
            a->isa->pack_rows(a->k.dtype, kv_row(&a->k, key), a->k.stride, known, a->k.width, 0, a->k.width, panels);
        for (int r = 0; r < a->m; r++) {
            int seen = visible(a, r, key, known);
            float *row = probs[r] + key;

            if (seen) {
                score(a, r, 1, key, known, panels, s);
                a->isa->exp_sum(s, seen, a->peak[r]);
                a->isa->scale(s, seen, 1 / a->sum[r]);
                memcpy(row, s, (size_t)seen * sizeof *row);
            }
            memset(row + seen, 0, (size_t)(n - seen) * sizeof *row);
        }
    }
}

/* ------------------------------------------------------------------------------------------------ over a cache */

struct cache_job {
    struct vlk_cpu *cpu;
    const struct vlk_cache_attention *a;
    int32_t tokens, blocks, splits; /* tokens per block, blocks of tokens, ranges of keys */
    size_t part;                    /* floats of one range's result */
    float *partial;                 /* [blocks * kv_heads][splits][part] */
    float *scratch;                 /* per worker */
    size_t scratch_floats;
};

/* Where the result of a block's range lies: o [rows][v], peak [rows], sum [rows]. */
static void place_result(const struct cache_job *job, struct vlk_attention *t, int64_t task, int32_t split)
{
    t->o = job->partial + ((size_t)task * (size_t)job->splits + (size_t)split) * job->part;
    t->peak = t->o + (size_t)job->tokens * (size_t)job->a->group * (size_t)job->a->v.width;
    t->sum = t->peak + job->tokens * job->a->group;
}

/* The queries of a task in their scratch, scaled, and what it sees of the cache. */
static struct vlk_attention prepare(const struct cache_job *job, int64_t task, int worker)
{
    const struct vlk_cache_attention *a = job->a;
    int32_t head = (int32_t)(task % a->kv_heads), t0 = (int32_t)(task / a->kv_heads) * job->tokens;
    int32_t n = a->n - t0 < job->tokens ? a->n - t0 : job->tokens;
    float *q = job->scratch + (size_t)worker * job->scratch_floats;
    struct vlk_attention t = { .isa = job->cpu->isa, .m = n * a->group, .q = q, .ldq = (size_t)a->k.width, .k = a->k, .v = a->v,
                               .first_limit = a->pos + t0 + 1, .group = a->group, .k1 = a->pos + t0 + n };

    for (int i = 0; i < t.m; i++) {
        int64_t row = ((int64_t)t0 + i / a->group) * a->kv_heads * a->group + head * a->group + i % a->group;

        memcpy(q + (size_t)i * t.ldq, a->q + (size_t)row * a->ldq, t.ldq * sizeof *q);
        t.isa->scale(q + (size_t)i * t.ldq, a->k.width, a->scale);
    }
    t.k.data = (const char *)a->k.data + (size_t)head * a->k_step;
    t.v.data = (const char *)a->v.data + (size_t)head * a->v_step;
    t.scratch = q + (size_t)job->tokens * (size_t)a->group * t.ldq;
    return t;
}

static void attend_item(void *ctx, int64_t item, int worker)
{
    const struct cache_job *job = ctx;
    int64_t task = item / job->splits;
    int32_t split = (int32_t)(item % job->splits);
    struct vlk_attention t = prepare(job, task, worker);
    int64_t end = t.k1;

    place_result(job, &t, task, split);
    if (job->splits > 1) {
        t.k0 = (int64_t)split * VLK_KEY_SPLIT;
        t.k1 = end - t.k0 < VLK_KEY_SPLIT ? end : t.k0 + VLK_KEY_SPLIT;
    }
    vlk_attention_run(&t);
}

/* Joins the ranges of one row in ascending order; leaves peak and sum of the whole row in the first range. */
static void join_row(const struct cache_job *job, int64_t task, int i, float *out)
{
    const int width = job->a->v.width;
    struct vlk_attention first = { 0 }, t = { 0 };
    float peak = -INFINITY, sum = 0;

    place_result(job, &first, task, 0);
    for (int32_t s = 0; s < job->splits; s++) {
        place_result(job, &t, task, s);
        peak = t.peak[i] > peak ? t.peak[i] : peak;
    }
    memset(out, 0, (size_t)width * sizeof *out);
    for (int32_t s = 0; s < job->splits; s++) {
        float f;

        place_result(job, &t, task, s);
        f = t.peak[i] == -INFINITY ? 0 : expf(t.peak[i] - peak);
        sum += f * t.sum[i];
        job->cpu->isa->axpy(out, t.o + (size_t)i * (size_t)width, width, f);
    }
    job->cpu->isa->scale(out, width, 1 / sum);
    first.peak[i] = peak;
    first.sum[i] = sum;
}

static void join_item(void *ctx, int64_t task, int worker)
{
    const struct cache_job *job = ctx;
    const struct vlk_cache_attention *a = job->a;
    int32_t head = (int32_t)(task % a->kv_heads), t0 = (int32_t)(task / a->kv_heads) * job->tokens;
    int32_t n = a->n - t0 < job->tokens ? a->n - t0 : job->tokens;

    for (int i = 0; i < n * a->group; i++) {
        int64_t row = ((int64_t)t0 + i / a->group) * a->kv_heads * a->group + head * a->group + i % a->group;

        join_row(job, task, i, a->out + (size_t)row * a->ldo);
    }
}

static void probs_item(void *ctx, int64_t task, int worker)
{
    const struct cache_job *job = ctx;
    const struct vlk_cache_attention *a = job->a;
    struct vlk_attention t = prepare(job, task, worker);
    float *rows[VLK_ROW_BLOCK * 4];

    place_result(job, &t, task, 0);
    for (int i = 0; i < t.m; i++) {
        int64_t token = task / a->kv_heads * job->tokens + i / a->group;
        int64_t row = token * a->kv_heads * a->group + task % a->kv_heads * a->group + i % a->group;

        rows[i] = a->probs + (size_t)row * (size_t)a->probs_stride;
    }
    vlk_attention_probs(&t, rows, a->probs_stride);
}

void vlk_cache_attend(struct vlk_cpu *cpu, const struct vlk_cache_attention *a)
{
    struct cache_job job = { .cpu = cpu, .a = a };
    const int rows = a->group < VLK_ROW_BLOCK ? VLK_ROW_BLOCK * 2 / a->group : 1;
    int64_t tasks;

    if (vlk_cpu_poisoned(cpu) || a->n <= 0)
        return;
    if (a->group > VLK_ROW_BLOCK * 4) {
        vlk_cpu_poison(cpu, VLK_ERR_UNSUPPORTED, "Attention with %d heads per cache row is beyond this backend.", a->group);
        return;
    }
    job.tokens = a->n < rows ? a->n : rows;
    job.blocks = (a->n + job.tokens - 1) / job.tokens;
    job.splits = a->n <= FEW ? (int32_t)((a->pos + a->n + VLK_KEY_SPLIT - 1) / VLK_KEY_SPLIT) : 1;
    tasks = (int64_t)job.blocks * a->kv_heads;
    job.part = (size_t)job.tokens * (size_t)a->group * (size_t)(a->v.width + 2);
    job.scratch_floats = (size_t)job.tokens * (size_t)a->group * (size_t)a->k.width +
                         vlk_attention_scratch(cpu->isa, a->k.width, a->v.width);
    job.partial = vlk_scratch(cpu, VLK_SLOT_PARTIAL, (size_t)tasks * (size_t)job.splits * job.part * sizeof(float));
    job.scratch = vlk_scratch(cpu, VLK_SLOT_ATTEND, (size_t)cpu->threads * job.scratch_floats * sizeof(float));
    if (!job.partial || !job.scratch)
        return;
    vlk_pool_run(cpu->pool, tasks * job.splits, attend_item, &job);
    vlk_pool_run(cpu->pool, tasks, join_item, &job);
    if (a->probs)
        vlk_pool_run(cpu->pool, tasks, probs_item, &job);
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
    const size_t dim = (size_t)a->head_dim, row = 3 * (size_t)a->heads * dim, tokens = (size_t)a->tokens;
    const float *qkv = a->qkv + (size_t)(item / a->heads) * tokens * row + (size_t)(item % a->heads) * dim;
    float *q = job->scratch + (size_t)worker * job->scratch_floats, *o = q + tokens * dim;
    float *out = a->out + ((size_t)(item / a->heads) * tokens * (size_t)a->heads + (size_t)(item % a->heads)) * dim;
    struct vlk_attention t = { .isa = job->cpu->isa, .m = a->tokens, .q = q, .ldq = dim, .k1 = a->tokens, .o = o,
                               .peak = o + tokens * dim, .sum = o + tokens * (dim + 1), .scratch = o + tokens * (dim + 2) };
    const float scale = 1 / sqrtf((float)a->head_dim);

    t.k = (struct vlk_kv){ VLK_F32, qkv + (size_t)a->heads * dim, row * sizeof(float), a->head_dim };
    t.v = (struct vlk_kv){ VLK_F32, qkv + 2 * (size_t)a->heads * dim, row * sizeof(float), a->head_dim };
    for (size_t i = 0; i < tokens; i++) {
        memcpy(q + i * dim, qkv + i * row, dim * sizeof *q);
        t.isa->scale(q + i * dim, a->head_dim, scale);
    }
    vlk_attention_run(&t);
    for (size_t i = 0; i < tokens; i++) {
        float *dst = out + i * (size_t)a->heads * dim;

        memcpy(dst, o + i * dim, dim * sizeof *dst);
        t.isa->scale(dst, a->head_dim, 1 / t.sum[i]);
    }
}

void vlk_cpu_vit_attend(struct vlk_backend *be, const struct vlk_vit_attend_args *a)
{
    struct vlk_cpu *cpu = vlk_cpu_of(be);
    struct vit_job job = { .cpu = cpu, .a = a };

    if (vlk_cpu_poisoned(cpu))
        return;
    job.scratch_floats = (size_t)a->tokens * (2 * (size_t)a->head_dim + 2) +
                         vlk_attention_scratch(cpu->isa, a->head_dim, a->head_dim);
    job.scratch = vlk_scratch(cpu, VLK_SLOT_ATTEND, (size_t)cpu->threads * job.scratch_floats * sizeof(float));
    if (job.scratch)
        vlk_pool_run(cpu->pool, (int64_t)a->n * a->heads, vit_item, &job);
}
