/* SPDX-License-Identifier: MIT
 *
 * Multi-head latent attention on the CPU: the cache holds one compressed row per token. For few new tokens W_UK is absorbed
 * into the query and W_UV applied to the latent result; for many the rows are expanded to keys and values, a few heads at a
 * time so that memory stays bounded. Called on the backend's thread.
 */
#include <string.h>

#include "kernels/cpu/attention.h"

#define EXPAND_HEADS 4
#define EXPAND_KEYS 256

/* ------------------------------------------------------------------------------------------------ write */

struct write_job {
    struct vlk_cpu *cpu;
    const struct vlk_mla_write_args *a;
    const float *norm;
    float *rows; /* [n][lora + rope] */
};

/* Pairs (2i, 2i+1) or (i, i + half) of x, written as [first | second]. */
static void rotate(const struct vlk_rope *rope, int64_t pos, const float *x, float *out)
{
    const int half = rope->dim / 2;
    const float *cosine = rope->cos + pos * half, *sine = rope->sin + pos * half;

    for (int i = 0; i < half; i++) {
        float a = rope->interleaved ? x[2 * i] : x[i], b = rope->interleaved ? x[2 * i + 1] : x[i + half];

        out[i] = a * cosine[i] - b * sine[i];
        out[i + half] = b * cosine[i] + a * sine[i];
    }
}

static void write_item(void *ctx, int64_t t, int worker)
{
    const struct write_job *job = ctx;
    const struct vlk_mla_write_args *a = job->a;
    const int rope = a->rope.dim, width = a->lora + rope;
    const int64_t pos = a->step->pos + t;
    const float *kv = a->kv_a + t * width;
    float *row = job->rows + t * width;

    for (int h = 0; h < a->heads; h++) {
        float *q = a->q + (t * a->heads + h) * (a->nope + rope) + a->nope;

        /* The row that is written below serves as the place to turn in. */
        rotate(&a->rope, pos, q, row);
        memcpy(q, row, (size_t)rope * sizeof *q);
    }
    job->cpu->isa->rmsnorm(row, kv, job->norm, a->lora, a->eps);
    rotate(&a->rope, pos, kv + a->lora, row + a->lora);
    if (a->cache_dtype == VLK_BF16)
        job->cpu->isa->pack_bf16((uint16_t *)a->cache + pos * width, row, width);
    else
        memcpy((float *)a->cache + pos * width, row, (size_t)width * sizeof *row);
}

void vlk_cpu_mla_write(struct vlk_backend *be, const struct vlk_mla_write_args *a)
{
    struct vlk_cpu *cpu = vlk_cpu_of(be);
    struct write_job job = { .cpu = cpu, .a = a };
    float *norm;

    if (vlk_cpu_poisoned(cpu) || a->n <= 0)
        return;
    norm = vlk_vector_scratch(cpu, 1, a->lora);
    job.rows = vlk_scratch(cpu, VLK_SLOT_QUERY, (size_t)a->n * (size_t)(a->lora + a->rope.dim) * sizeof *job.rows);
    if (!norm || !job.rows)
        return;
    vlk_unpack_vector(cpu, &a->kv_norm, norm);
    job.norm = norm;
    vlk_pool_run(cpu->pool, a->n, write_item, &job);
}

/* ------------------------------------------------------------------------------------------------ absorbed */

struct absorb_job {
    struct vlk_cpu *cpu;
    const struct vlk_mla_attend_args *a;
    float *q;      /* [n][heads][lora + rope] */
    float *latent; /* [n][heads][lora] */
    float *scratch;
    size_t scratch_floats;
};

static const char *head_rows(const struct vlk_mla_attend_args *a, int64_t head, int row)
{
    return (const char *)a->kv_b.data +
           (size_t)(head * (a->nope + a->v) + row) * vlk_row_bytes(a->kv_b.dtype, a->kv_b.cols);
}

/* q_latent[t] = W_UK^T q_nope[t] for one head and all tokens; the rotated part follows it. */
static void absorb_item(void *ctx, int64_t head, int worker)
{
    const struct absorb_job *job = ctx;
    const struct vlk_mla_attend_args *a = job->a;
    const struct vlk_isa *isa = job->cpu->isa;
    const size_t row = vlk_row_bytes(a->kv_b.dtype, a->kv_b.cols), from = (size_t)(a->nope + a->rope);
    const size_t to = (size_t)(a->lora + a->rope), heads = (size_t)a->heads;
    const float *q = a->q + (size_t)head * from;
    float *out = job->q + (size_t)head * to, *panels = job->scratch + (size_t)worker * job->scratch_floats;

    if (a->n > VLK_FEW_ROWS) {
        isa->pack_cols(a->kv_b.dtype, head_rows(a, head, 0), row, a->nope, a->lora, panels);
        isa->gemm(a->n, a->lora, a->nope, &(struct vlk_tile){ .a = q, .lda = heads * from, .a_rows = true, .b = panels,
                                                              .b_step = (size_t)a->nope * (size_t)isa->nr, .c = out,
                                                              .ldc = heads * to });
    }
    for (size_t t = 0; t < (size_t)a->n; t++) {
        if (a->n <= VLK_FEW_ROWS)
            isa->mix_rows(a->kv_b.dtype, head_rows(a, head, 0), row, a->nope, a->lora, q + t * heads * from, false,
                          out + t * heads * to);
        memcpy(out + t * heads * to + a->lora, q + t * heads * from + a->nope, (size_t)a->rope * sizeof *out);
    }
}

/* out[t] = W_UV latent[t] for one head and all tokens. */
static void release_item(void *ctx, int64_t head, int worker)
{
    const struct absorb_job *job = ctx;
    const struct vlk_mla_attend_args *a = job->a;
    const struct vlk_isa *isa = job->cpu->isa;
    const size_t row = vlk_row_bytes(a->kv_b.dtype, a->kv_b.cols), heads = (size_t)a->heads;
    const float *latent = job->latent + (size_t)(head * a->lora);
    float *out = a->out + head * a->v, *panels = job->scratch + (size_t)worker * job->scratch_floats;

    if (a->n <= VLK_FEW_ROWS && !vlk_takes_codes(&a->kv_b)) {
        isa->dot_rows(a->kv_b.dtype, head_rows(a, head, a->nope), row, a->v, a->lora, latent, heads * (size_t)a->lora, a->n,
                      out, heads * (size_t)a->v);
        return;
    }
    for (size_t t = 0; a->n <= VLK_FEW_ROWS && t < (size_t)a->n; t++) {
        isa->code_row(a->kv_b.dtype, latent + t * heads * (size_t)a->lora, a->lora, panels);
        isa->dot_codes(a->kv_b.dtype, head_rows(a, head, a->nope), row, a->v, a->lora, panels, 0, 1,
                       out + t * heads * (size_t)a->v, 0);
    }
    if (a->n <= VLK_FEW_ROWS)
        return;
    isa->pack_rows(a->kv_b.dtype, head_rows(a, head, a->nope), row, a->v, a->lora, 0, a->lora, panels);
    isa->gemm(a->n, a->v, a->lora, &(struct vlk_tile){ .a = latent, .lda = heads * (size_t)a->lora, .a_rows = true, .b = panels,
                                                       .b_step = (size_t)a->lora * (size_t)isa->nr, .c = out,
                                                       .ldc = heads * (size_t)a->v });
}

static struct vlk_kv cache_rows(const struct vlk_mla_attend_args *a, int width)
{
    const size_t element = a->cache_dtype == VLK_BF16 ? 2 : 4;

    return (struct vlk_kv){ a->cache_dtype, a->cache, (size_t)(a->lora + a->rope) * element, width };
}

static void attend_absorbed(struct vlk_cpu *cpu, const struct vlk_mla_attend_args *a)
{
    struct absorb_job job = { .cpu = cpu, .a = a };
    const size_t rows = (size_t)a->n * (size_t)a->heads, lora = (size_t)a->lora, nr = (size_t)cpu->isa->nr;
    const size_t deep = (size_t)(a->nope > a->v ? a->nope : a->v);

    job.scratch_floats = (lora + nr) * (deep + nr) + vlk_coded_floats(a->lora);
    job.q = vlk_scratch(cpu, VLK_SLOT_QUERY, rows * (lora + (size_t)a->rope) * sizeof *job.q);
    job.latent = vlk_scratch(cpu, VLK_SLOT_PAIRS, rows * lora * sizeof *job.latent);
    job.scratch = vlk_scratch(cpu, VLK_SLOT_WORKER, (size_t)cpu->threads * job.scratch_floats * sizeof(float));
    if (!job.q || !job.latent || !job.scratch)
        return;
    vlk_pool_run(cpu->pool, a->heads, absorb_item, &job);
    vlk_cache_attend(cpu, &(struct vlk_cache_attention){
        .n = a->n, .kv_heads = 1, .group = a->heads, .pos = a->step->pos, .q = job.q, .ldq = lora + (size_t)a->rope,
        .scale = a->scale, .k = cache_rows(a, a->lora + a->rope), .v = cache_rows(a, a->lora), .out = job.latent, .ldo = lora,
        .probs = a->probs, .probs_stride = a->probs_stride });
    if (!vlk_cpu_poisoned(cpu))
        vlk_pool_run(cpu->pool, a->heads, release_item, &job);
}

/* ------------------------------------------------------------------------------------------------ expanded */

struct expand_job {
    struct vlk_cpu *cpu;
    const struct vlk_mla_attend_args *a;
    int64_t keys, blocks;
    int head, heads; /* of this group */
    float *k, *v;    /* [heads][keys][nope + rope], [heads][keys][v] */
    float *scratch;
    size_t scratch_floats;
};

/* Keys and values of one head for one block of cache rows. */
static void expand_item(void *ctx, int64_t item, int worker)
{
    const struct expand_job *job = ctx;
    const struct vlk_mla_attend_args *a = job->a;
    const struct vlk_isa *isa = job->cpu->isa;
    const struct vlk_kv cache = cache_rows(a, a->lora + a->rope);
    const size_t row = vlk_row_bytes(a->kv_b.dtype, a->kv_b.cols), wide = (size_t)cache.width, dk = (size_t)(a->nope + a->rope);
    const int64_t local = item / job->blocks, from = item % job->blocks * EXPAND_KEYS;
    const int n = job->keys - from < EXPAND_KEYS ? (int)(job->keys - from) : EXPAND_KEYS;
    float *rows = job->scratch + (size_t)worker * job->scratch_floats, *panels = rows + (size_t)EXPAND_KEYS * wide;
    float *k = job->k + (size_t)(local * job->keys + from) * dk, *v = job->v + (local * job->keys + from) * a->v;
    struct vlk_tile t = { .a = rows, .lda = wide, .a_rows = true, .b = panels, .b_step = (size_t)a->lora * (size_t)isa->nr };

    for (int i = 0; i < n; i++) {
        isa->unpack(cache.dtype, (const char *)cache.data + (size_t)(from + i) * cache.stride, cache.width, 0, cache.width,
                    rows + (size_t)i * wide);
        memcpy(k + (size_t)i * dk + a->nope, rows + (size_t)i * wide + a->lora, (size_t)a->rope * sizeof *k);
    }
    isa->pack_rows(a->kv_b.dtype, head_rows(a, job->head + local, 0), row, a->nope, a->lora, 0, a->lora, panels);
    t.c = k;
    t.ldc = dk;
    isa->gemm(n, a->nope, a->lora, &t);
    isa->pack_rows(a->kv_b.dtype, head_rows(a, job->head + local, a->nope), row, a->v, a->lora, 0, a->lora, panels);
    t.c = v;
    t.ldc = (size_t)a->v;
    isa->gemm(n, a->v, a->lora, &t);
}

/* The group's queries [n][heads of the group][nope + rope] and results [n][heads of the group][v] have other strides than
 * the op's arrays: they are gathered and scattered around the shared core. */
static void attend_group(const struct expand_job *job, float *q, float *out)
{
    const struct vlk_mla_attend_args *a = job->a;
    const size_t dk = (size_t)(a->nope + a->rope), v = (size_t)a->v, heads = (size_t)job->heads, all = (size_t)a->heads;
    const size_t keys = (size_t)job->keys;

    for (size_t t = 0; t < (size_t)a->n; t++)
        memcpy(q + t * heads * dk, a->q + (t * all + (size_t)job->head) * dk, heads * dk * sizeof *q);
    vlk_cache_attend(job->cpu, &(struct vlk_cache_attention){
        .n = a->n, .kv_heads = job->heads, .group = 1, .pos = a->step->pos, .q = q, .ldq = dk, .scale = a->scale,
        .k = { VLK_F32, job->k, dk * sizeof(float), (int)dk }, .v = { VLK_F32, job->v, v * sizeof(float), a->v },
        .k_step = keys * dk * sizeof(float), .v_step = keys * v * sizeof(float), .out = out, .ldo = v });
    if (vlk_cpu_poisoned(job->cpu))
        return;
    for (size_t t = 0; t < (size_t)a->n; t++)
        memcpy(a->out + (t * all + (size_t)job->head) * v, out + t * heads * v, heads * v * sizeof *out);
}

static void attend_expanded(struct vlk_cpu *cpu, const struct vlk_mla_attend_args *a)
{
    struct expand_job job = { .cpu = cpu, .a = a, .keys = (int64_t)a->step->pos + a->n };
    const size_t dk = (size_t)(a->nope + a->rope), v = (size_t)a->v, keys = (size_t)job.keys, nr = (size_t)cpu->isa->nr;
    const size_t deep = (a->nope > a->v ? (size_t)a->nope : v) + nr;
    float *q = vlk_scratch(cpu, VLK_SLOT_QUERY, (size_t)a->n * EXPAND_HEADS * dk * sizeof *q);
    float *out = vlk_scratch(cpu, VLK_SLOT_PAIRS, (size_t)a->n * EXPAND_HEADS * v * sizeof *out);

    job.blocks = (job.keys + EXPAND_KEYS - 1) / EXPAND_KEYS;
    job.scratch_floats = (size_t)EXPAND_KEYS * (size_t)(a->lora + a->rope) + deep * (size_t)a->lora;
    job.k = vlk_scratch(cpu, VLK_SLOT_EXPAND, EXPAND_HEADS * keys * (dk + v) * sizeof *job.k);
    job.scratch = vlk_scratch(cpu, VLK_SLOT_WORKER, (size_t)cpu->threads * job.scratch_floats * sizeof(float));
    if (!q || !out || !job.k || !job.scratch)
        return;
    job.v = job.k + EXPAND_HEADS * keys * dk;
    for (; job.head < a->heads && !vlk_cpu_poisoned(cpu); job.head += job.heads) {
        job.heads = a->heads - job.head < EXPAND_HEADS ? a->heads - job.head : EXPAND_HEADS;
        vlk_pool_run(cpu->pool, job.heads * job.blocks, expand_item, &job);
        attend_group(&job, q, out);
    }
}

/* Multiplications per head of both forms, the average token seeing half of the new ones. */
static bool expanding_pays(const struct vlk_mla_attend_args *a)
{
    double n = a->n, keys = (double)a->step->pos + n, seen = n * ((double)a->step->pos + n / 2);
    double both = (double)a->lora * (a->nope + a->v);
    double absorbed = seen * (2.0 * a->lora + a->rope) + n * both;
    double expanded = seen * (a->nope + a->rope + a->v) + keys * both;

    return expanded < absorbed;
}

void vlk_cpu_mla_attend(struct vlk_backend *be, const struct vlk_mla_attend_args *a)
{
    struct vlk_cpu *cpu = vlk_cpu_of(be);
    bool expand = cpu->mla_form == VLK_MLA_EXPANDED;

    if (vlk_cpu_poisoned(cpu) || a->n <= 0)
        return;
    if (cpu->mla_form == VLK_MLA_AUTO && a->n > VLK_FEW_ROWS && !a->probs)
        expand = expanding_pays(a);
    if (expand && !a->probs)
        attend_expanded(cpu, a);
    else
        attend_absorbed(cpu, a);
}
