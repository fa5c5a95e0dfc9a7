/* SPDX-License-Identifier: MIT
 *
 * A block of the vision tower on levels that multiply in narrow numbers (isa.h: struct vlk_narrow): a worker takes some rows of
 * activations through everything that needs no other rows, so that what lies between norm, product and activation never leaves its
 * cache and is rounded once, where it arises. Weights become panels once per call, for all rows. Called on the backend's thread.
 */
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/vit_attention.h"
#include "kernels/vit_block.h"

#include <string.h>

#define ITEM_ROWS (4 * VLK_NARROW_ROWS) /* of activations: with their inner ones they stay in the second cache */
#define MOST_COLS 1152                  /* of the inner activations at a time, and of what shares a scale */
#define WIDEST 8192                     /* columns of a panel */

/* A product's panels: parts of K in turn, each with the panels of all its columns. */
struct part {
    const struct vlk_weight *w;
    int32_t k;      /* of a part, but the last one */
    int64_t first;  /* the first of its panels among all */
    size_t bytes;   /* of a panel */
    size_t at;     /* of its panels among all, in bytes */
    const float *bias; /* [w->rows] */
};

struct block_job {
    struct vlk_cpu *cpu;
    const struct vlk_vit_block_args *a;
    const struct vlk_narrow *narrow;
    bool halves; /* queries, keys and values are bf16 */
    struct part qkv, proj, fc1, fc2;
    const float *norm1, *norm2; /* weights, then biases */
    int64_t panels;
    char *memory;  /* all panels */
    char *scratch; /* per worker */
    size_t scratch_bytes, code_bytes;
};

static int32_t parts_of(const struct part *p)
{
    return (p->w->cols + p->k - 1) / p->k;
}

static int32_t columns_of(const struct block_job *job, const struct part *p)
{
    return (p->w->rows + job->cpu->isa->nr - 1) / job->cpu->isa->nr;
}

/* ------------------------------------------------------------------------------------------------ weights */

static void pack_item(void *ctx, int64_t item, int worker)
{
    const struct block_job *job = ctx;
    const struct part *p = item < job->proj.first ? &job->qkv : item < job->fc1.first ? &job->proj
                         : item < job->fc2.first  ? &job->fc1 : &job->fc2;
    const int32_t nr = job->cpu->isa->nr, columns = columns_of(job, p), at = (int32_t)(item - p->first);
    const int32_t col0 = at / columns * p->k, row0 = at % columns * nr;
    const int32_t rows = p->w->rows - row0 < nr ? p->w->rows - row0 : nr, k = p->w->cols - col0 < p->k ? p->w->cols - col0 : p->k;
    const size_t row_bytes = vlk_row_bytes(p->w->dtype, p->w->cols);

    job->narrow->pack_panel((const char *)p->w->data + (size_t)row0 * row_bytes, row_bytes, rows, p->w->cols, col0, k,
                            job->memory + p->at + (size_t)at * p->bytes);
}

/* ------------------------------------------------------------------------------------------------ rows of activations */

/* Some rows on their way: blocks of codes, and floats that are to become some. */
struct rows {
    int32_t from, m;
    char *codes;
    float *floats;
};

static struct rows rows_of(const struct block_job *job, int64_t item, int worker)
{
    const int32_t all = job->a->n * job->a->tokens, from = (int32_t)item * ITEM_ROWS;
    char *scratch = job->scratch + (size_t)worker * job->scratch_bytes;

    return (struct rows){ from, all - from < ITEM_ROWS ? all - from : ITEM_ROWS, scratch,
                          (float *)(void *)(scratch + job->code_bytes) };
}

/* Codes m rows of k floats, ld apart. */
static void code_rows(const struct block_job *job, const struct rows *r, const float *x, size_t ld, int32_t k)
{
    const size_t step = job->narrow->block_bytes(k);
    const float *at[VLK_NARROW_ROWS];

    for (int32_t i = 0; i < r->m; i += VLK_NARROW_ROWS) {
        const int32_t m = r->m - i < VLK_NARROW_ROWS ? r->m - i : VLK_NARROW_ROWS;

        for (int32_t j = 0; j < m; j++)
            at[j] = x + (size_t)(i + j) * ld;
        job->narrow->code_block(at, m, k, r->codes + (size_t)(i / VLK_NARROW_ROWS) * step);
    }
}

/* The coded rows times columns c0 … c0 + n - 1 (whole panels) of part `part`; `to` is the place of the first row's column c0. */
static void multiply(const struct block_job *job, const struct part *p, int32_t part, const struct rows *r, int32_t c0, int32_t n,
                     struct vlk_narrow_tile to)
{
    const int32_t nr = job->cpu->isa->nr, k = p->w->cols - part * p->k < p->k ? p->w->cols - part * p->k : p->k;
    const char *panels = job->memory + p->at + ((size_t)part * (size_t)columns_of(job, p) + (size_t)(c0 / nr)) * p->bytes;

    to.a = r->codes;
    to.a_step = job->narrow->block_bytes(k);
    for (int32_t c = 0; c < n; c += nr) {
        struct vlk_narrow_tile t = to;

        t.b = panels + (size_t)(c / nr) * p->bytes;
        t.bias = part ? NULL : p->bias + c0 + c;
        t.c += t.half ? 0 : c;
        t.half += t.half ? c : 0;
        job->narrow->gemm(r->m, n - c < nr ? n - c : nr, k, &t);
    }
}

static void norm_rows(const struct block_job *job, const struct rows *r, const float *norm)
{
    const int32_t width = job->a->width;

    for (int32_t i = 0; i < r->m; i++)
        job->cpu->isa->layernorm(r->floats + (size_t)i * (size_t)width, job->a->x + (size_t)(r->from + i) * (size_t)width, norm,
                                 norm + width, width, job->a->eps);
    code_rows(job, r, r->floats, (size_t)width, width);
}

static void qkv_item(void *ctx, int64_t item, int worker)
{
    const struct block_job *job = ctx;
    const struct rows r = rows_of(job, item, worker);
    const size_t ld = 3 * (size_t)job->a->width;

    norm_rows(job, &r, job->norm1);
    multiply(job, &job->qkv, 0, &r, 0, 3 * job->a->width,
             (struct vlk_narrow_tile){ .c = job->a->qkv + (size_t)r.from * ld,
                                       .half = job->halves ? (uint16_t *)(void *)job->a->qkv + (size_t)r.from * ld : NULL,
                                       .ldc = ld });
}

/* What follows attention: its projection, and the MLP, some inner columns at a time. */
static void mlp_item(void *ctx, int64_t item, int worker)
{
    const struct block_job *job = ctx;
    const struct vlk_vit_block_args *a = job->a;
    const struct rows r = rows_of(job, item, worker);
    const size_t width = (size_t)a->width, inner = (size_t)job->fc2.k;
    const struct vlk_narrow_tile to_x = { .c = a->x + (size_t)r.from * width, .ldc = width, .add = true };
    char *normed = r.codes, *codes = r.codes + job->code_bytes / 2;

    code_rows(job, &r, a->h + (size_t)r.from * width, width, a->width);
    multiply(job, &job->proj, 0, &r, 0, a->width, to_x);
    norm_rows(job, &r, job->norm2);
    for (int32_t part = 0, c0 = 0; c0 < a->mlp; part++, c0 += job->fc2.k) {
        const int32_t n = a->mlp - c0 < job->fc2.k ? a->mlp - c0 : job->fc2.k;
        struct rows middle = { r.from, r.m, normed, r.floats };

        multiply(job, &job->fc1, 0, &middle, c0, n, (struct vlk_narrow_tile){ .c = r.floats, .ldc = inner });
        for (int32_t i = 0; i < r.m; i++)
            job->cpu->isa->act(a->act, r.floats + (size_t)i * inner, n);
        middle.codes = codes;
        code_rows(job, &middle, r.floats, inner, n);
        multiply(job, &job->fc2, part, &middle, 0, a->width, to_x);
    }
}

/* ------------------------------------------------------------------------------------------------ the op */

/* What multiplies this block, NULL where the level has nothing for it. */
static const struct vlk_narrow *narrow_for(const struct vlk_cpu *cpu, const struct vlk_vit_block_args *a)
{
    const vlk_dtype dtype = a->qkv_w.dtype;

    if (a->window || a->width > WIDEST || a->proj_w.dtype != dtype || a->fc1_w.dtype != dtype || a->fc2_w.dtype != dtype)
        return NULL;
    return dtype == VLK_I8G ? cpu->isa->narrow_int8 : dtype == VLK_BF16 ? cpu->isa->narrow_bf16 : NULL;
}

/* A bias as floats; zeros where there is none. Returns what follows it. */
static float *place_bias(struct vlk_cpu *cpu, struct part *p, const struct vlk_weight *bias, float *at)
{
    p->bias = at;
    if (bias->rows)
        vlk_unpack_vector(cpu, bias, at);
    else
        memset(at, 0, (size_t)p->w->rows * sizeof *at);
    return at + p->w->rows;
}

static bool place_vectors(struct block_job *job)
{
    const struct vlk_vit_block_args *a = job->a;
    const int32_t width = a->width;
    float *v = vlk_vector_scratch(job->cpu, 1, 9 * width + a->mlp);

    if (!v)
        return false;
    job->norm1 = v;
    job->norm2 = v + 2 * width;
    vlk_unpack_vector(job->cpu, &a->norm1_w, v);
    vlk_unpack_vector(job->cpu, &a->norm1_b, v + width);
    vlk_unpack_vector(job->cpu, &a->norm2_w, v + 2 * width);
    vlk_unpack_vector(job->cpu, &a->norm2_b, v + 3 * width);
    v = place_bias(job->cpu, &job->qkv, &a->qkv_b, v + 4 * width);
    v = place_bias(job->cpu, &job->proj, &a->proj_b, v);
    v = place_bias(job->cpu, &job->fc1, &a->fc1_b, v);
    place_bias(job->cpu, &job->fc2, &a->fc2_b, v);
    return true;
}

/* Gives the product's panels their place behind `at` bytes of all; returns their end. */
static size_t place_part(struct block_job *job, struct part *p, const struct vlk_weight *w, int32_t k, size_t at)
{
    p->w = w;
    p->k = k;
    p->first = job->panels;
    p->bytes = job->narrow->panel_bytes(k);
    p->at = at;
    job->panels += (int64_t)parts_of(p) * columns_of(job, p);
    return at + (size_t)(job->panels - p->first) * p->bytes;
}

/* False after poisoning. */
static bool place_memory(struct block_job *job)
{
    const struct vlk_vit_block_args *a = job->a;
    const int32_t nr = job->cpu->isa->nr, parts = (a->mlp + MOST_COLS - 1) / MOST_COLS;
    const int32_t inner = ((a->mlp + parts - 1) / parts + nr - 1) / nr * nr, widest = inner > a->width ? inner : a->width;
    size_t end = place_part(job, &job->qkv, &a->qkv_w, a->width, 0);

    end = place_part(job, &job->proj, &a->proj_w, a->width, end);
    end = place_part(job, &job->fc1, &a->fc1_w, a->width, end);
    end = place_part(job, &job->fc2, &a->fc2_w, inner, end);
    job->code_bytes = 2 * (ITEM_ROWS / VLK_NARROW_ROWS) * job->narrow->block_bytes(widest);
    job->scratch_bytes = job->code_bytes + (size_t)ITEM_ROWS * (size_t)widest * sizeof(float);
    job->memory = vlk_scratch(job->cpu, VLK_SLOT_NARROW, end);
    job->scratch = vlk_scratch(job->cpu, VLK_SLOT_WORKER, (size_t)job->cpu->threads * job->scratch_bytes);
    return job->memory && job->scratch && place_vectors(job);
}

void vlk_cpu_vit_block(struct vlk_backend *be, const struct vlk_vit_block_args *a)
{
    struct vlk_cpu *cpu = vlk_cpu_of(be);
    struct block_job job = { .cpu = cpu, .a = a, .narrow = narrow_for(cpu, a),
                             .halves = vlk_vit_takes_halves(cpu, a->width / a->heads) };
    const int32_t dim = a->width / a->heads;
    const int64_t items = ((int64_t)a->n * a->tokens + ITEM_ROWS - 1) / ITEM_ROWS;

    if (!job.narrow) {
        vlk_vit_block_by_parts(be, a);
        return;
    }
    if (vlk_cpu_poisoned(cpu) || !place_memory(&job))
        return;
    vlk_pool_run(cpu->pool, job.panels, pack_item, &job);
    vlk_pool_run(cpu->pool, items, qkv_item, &job);
    if (job.halves)
        vlk_vit_attend_halves(cpu, &(struct vlk_vit_halves){ a->n, a->tokens, a->heads, dim, (const uint16_t *)(const void *)a->qkv, a->h });
    else if (!cpu->isa->soften_row)
        vlk_cpu_vit_attend(be, &(struct vlk_vit_attend_args){ a->n, a->tokens, a->heads, dim, a->qkv, a->h });
    else
        vlk_vit_attend_codes(cpu, &(struct vlk_vit_attend_args){ a->n, a->tokens, a->heads, dim, a->qkv, a->h });
    vlk_pool_run(cpu->pool, items, mlp_item, &job);
}
