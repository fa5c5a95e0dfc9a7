/* SPDX-License-Identifier: MIT
 *
 * Matrix products of the CPU backend: the grouped product that linear, mlp and moe share, and linear and mlp themselves.
 * Few rows stream the weights once (dot products); many rows pack blocks of weights to f32 panels and run a register-blocked
 * GEMM, K in chunks. Which worker takes which block never changes a sum. Called on the backend's thread.
 */
#include "kernels/cpu.h"

#include <string.h>

#define CHUNK 512            /* largest part of K at a time: 12 rows of it stay in the first cache */
#define CHUNK_PAD 16         /* floats that keep the rows of a chunk off each other's cache sets */
#define BLOCK_PANELS 8       /* most panels per item: 8 · 32 · 512 floats stay in the second cache */
#define ROWS_PER_PASS 1024   /* bounds the packed activations */
#define DOT_ITEM_BYTES 131072

/* ------------------------------------------------------------------------------------------------ packing of rows */

/* Length of K's chunks: equal ones, multiples of 32 so that quantised groups stay whole. */
static int chunk_length(int cols)
{
    int chunks = (cols + CHUNK - 1) / CHUNK;

    return ((cols + chunks - 1) / chunks + 31) / 32 * 32;
}

size_t vlk_packed_floats(int64_t m, int cols)
{
    int length = chunk_length(cols), chunks = (cols + length - 1) / length;

    return (size_t)m * (size_t)chunks * (size_t)(length + CHUNK_PAD);
}

#define PACK_ROWS_PER_ITEM 32

struct pack_job {
    struct vlk_pack_group *groups;
    int count;
};

static void pack_row(const struct vlk_pack_group *g, int32_t row)
{
    const float *src = g->x + (size_t)(g->index ? g->index[row] : row) * g->ldx;
    int length = chunk_length(g->cols);

    if (g->plain) {
        memcpy(g->dst + (size_t)row * (size_t)g->cols, src, (size_t)g->cols * sizeof *src);
        return;
    }
    for (int at = 0, chunk = 0; at < g->cols; at += length, chunk++) {
        float *dst = g->dst + ((size_t)chunk * (size_t)g->m + (size_t)row) * (size_t)(length + CHUNK_PAD);
        int n = g->cols - at < length ? g->cols - at : length;

        memcpy(dst, src + at, (size_t)n * sizeof *src);
    }
}

/* The last group whose first item is not after `item`. */
#define FIND_GROUP(groups, count, item)                                                                                    \
    ({                                                                                                                     \
        int low_ = 0, high_ = (count);                                                                                     \
        while (high_ - low_ > 1) {                                                                                         \
            int mid_ = (low_ + high_) / 2;                                                                                 \
            if ((groups)[mid_].first_item <= (item))                                                                       \
                low_ = mid_;                                                                                               \
            else                                                                                                           \
                high_ = mid_;                                                                                              \
        }                                                                                                                  \
        (groups) + low_;                                                                                                   \
    })

static void pack_item(void *ctx, int64_t item, int worker)
{
    struct pack_job *job = ctx;
    struct vlk_pack_group *g = FIND_GROUP(job->groups, job->count, item);
    int32_t from = (int32_t)(item - g->first_item) * PACK_ROWS_PER_ITEM;
    int32_t to = g->m - from < PACK_ROWS_PER_ITEM ? g->m : from + PACK_ROWS_PER_ITEM;

    for (int32_t row = from; row < to; row++)
        pack_row(g, row);
}

void vlk_pack_groups(struct vlk_cpu *cpu, struct vlk_pack_group *groups, int count)
{
    struct pack_job job = { groups, count };
    int64_t items = 0;

    for (int i = 0; i < count; i++) {
        groups[i].first_item = items;
        items += (groups[i].m + PACK_ROWS_PER_ITEM - 1) / PACK_ROWS_PER_ITEM;
    }
    vlk_pool_run(cpu->pool, items, pack_item, &job);
}

/* ------------------------------------------------------------------------------------------------ grouped product */

struct product_job {
    struct vlk_cpu *cpu;
    struct vlk_product *products;
    int count;
    float *scratch; /* per worker */
    size_t scratch_floats;
};

/* y (+)= act(v + bias) for the finished sums v of columns c0 …; with a gate the activation is silu(gate) * v. */
static void finish_row(const struct vlk_isa *isa, const struct vlk_product *p, float *v, const float *gate, int32_t c0, int n)
{
    if (p->bias)
        isa->add(v, p->bias + c0, n);
    if (gate)
        isa->mul(v, gate, n);
    else if (p->act != VLK_ACT_NONE)
        isa->act(p->act, v, n);
}

/* Few rows: weights are read once, in order. */
static void dot_item(const struct vlk_isa *isa, const struct vlk_product *p, int32_t c0, int n, float *scratch)
{
    size_t row_bytes = vlk_row_bytes(p->w.dtype, p->w.cols);
    float *v = scratch, *gate = scratch + (size_t)VLK_FEW_ROWS * (size_t)n;

    isa->dot_rows(p->w.dtype, (const char *)p->w.data + (size_t)c0 * row_bytes, row_bytes, n, p->w.cols, p->rows, p->ld, p->m,
                  v, (size_t)n);
    if (p->gate.rows) {
        row_bytes = vlk_row_bytes(p->gate.dtype, p->gate.cols);
        isa->dot_rows(p->gate.dtype, (const char *)p->gate.data + (size_t)c0 * row_bytes, row_bytes, n, p->gate.cols, p->rows,
                      p->ld, p->m, gate, (size_t)n);
        isa->act(VLK_ACT_SILU, gate, (int64_t)p->m * n);
    }
    for (int32_t i = 0; i < p->m; i++) {
        float *y = p->y + (size_t)i * p->ldy + c0, *row = v + (size_t)i * (size_t)n;

        finish_row(isa, p, row, p->gate.rows ? gate + (size_t)i * (size_t)n : NULL, c0, n);
        if (p->accumulate)
            isa->add(y, row, n);
        else
            memcpy(y, row, (size_t)n * sizeof *y);
    }
}

/* c[rows r0 … r0+m)[columns c0 … c0+n) (+)= product, all chunks of K. */
static void gemm_block(const struct vlk_isa *isa, const struct vlk_product *p, const struct vlk_weight *w, int32_t c0, int n,
                       int32_t r0, int32_t m, float *c, bool add, float *panels)
{
    size_t row_bytes = vlk_row_bytes(w->dtype, w->cols);
    int length = chunk_length(w->cols);
    size_t lda = (size_t)(length + CHUNK_PAD);

    for (int at = 0, chunk = 0; at < w->cols; at += length, chunk++) {
        int k = w->cols - at < length ? w->cols - at : length;
        const float *a = p->packed + ((size_t)chunk * (size_t)p->m + (size_t)r0) * lda;

        isa->pack_rows(w->dtype, (const char *)w->data + (size_t)c0 * row_bytes, row_bytes, n, w->cols, at, k, panels);
        isa->gemm(m, n, k, a, lda, panels, c + (size_t)r0 * p->ldy + c0, p->ldy, add || chunk);
    }
}

static void gemm_item(const struct vlk_isa *isa, const struct vlk_product *p, int32_t c0, int n, int32_t r0, int32_t m,
                      float *panels)
{
    bool aside = p->accumulate && p->act != VLK_ACT_NONE;
    bool gated = p->gate.rows != 0;
    float *c = aside ? p->g : p->y;

    gemm_block(isa, p, &p->w, c0, n, r0, m, c, p->accumulate && !aside, panels);
    if (gated)
        gemm_block(isa, p, &p->gate, c0, n, r0, m, p->g, false, panels);
    for (int32_t i = r0; i < r0 + m; i++) {
        size_t at = (size_t)i * p->ldy + (size_t)c0;

        if (gated)
            isa->act(VLK_ACT_SILU, p->g + at, n);
        finish_row(isa, p, c + at, gated ? p->g + at : NULL, c0, n);
        if (aside)
            isa->add(p->y + at, c + at, n);
    }
}

static void product_item(void *ctx, int64_t item, int worker)
{
    struct product_job *job = ctx;
    struct vlk_product *p = FIND_GROUP(job->products, job->count, item);
    int32_t blocks = (p->w.rows + p->block - 1) / p->block;
    int32_t at = (int32_t)(item - p->first_item), c0 = at % blocks * p->block, r0 = at / blocks * p->split;
    int32_t n = p->w.rows - c0 < p->block ? p->w.rows - c0 : p->block;
    float *scratch = job->scratch + (size_t)worker * job->scratch_floats;

    if (p->m <= VLK_FEW_ROWS)
        dot_item(job->cpu->isa, p, c0, n, scratch);
    else
        gemm_item(job->cpu->isa, p, c0, n, r0, p->m - r0 < p->split ? p->m - r0 : p->split, scratch);
}

/* Columns and rows per item: never a matter of results, only of balance. */
static void plan_product(const struct vlk_cpu *cpu, struct vlk_product *p, int count)
{
    const int nr = cpu->isa->nr;
    int panels = (p->w.rows + nr - 1) / nr, best = 1;
    int64_t best_cost = INT64_MAX;

    p->split = p->m;
    if (p->m <= VLK_FEW_ROWS) {
        int64_t rows = DOT_ITEM_BYTES / (int64_t)vlk_row_bytes(p->w.dtype, p->w.cols);

        p->block = rows < 8 ? 8 : rows > 256 ? 256 : (int32_t)rows / 8 * 8;
        return;
    }
    for (int size = BLOCK_PANELS; size >= 2; size--) {
        int64_t items = (panels + size - 1) / size, cost = (items + cpu->threads - 1) / cpu->threads * size;

        if (cost < best_cost) {
            best_cost = cost;
            best = size;
        }
    }
    p->block = best * nr;
    if (count == 1 && (panels + best - 1) / best < 2 * cpu->threads && p->m >= 256)
        p->split = (p->m / 4 + 11) / 12 * 12;
}

void vlk_products_run(struct vlk_cpu *cpu, struct vlk_product *products, int count)
{
    const size_t few = 2 * (size_t)VLK_FEW_ROWS * 256, many = (size_t)BLOCK_PANELS * (size_t)cpu->isa->nr * (CHUNK + 32);
    struct product_job job = { cpu, products, count, NULL, few > many ? few : many };
    int64_t items = 0;

    if (vlk_cpu_poisoned(cpu))
        return;
    job.scratch = vlk_scratch(cpu, VLK_SLOT_WORKER, (size_t)cpu->threads * job.scratch_floats * sizeof(float));
    if (!job.scratch)
        return;
    for (int i = 0; i < count; i++) {
        struct vlk_product *p = &products[i];

        plan_product(cpu, p, count);
        p->first_item = items;
        items += (int64_t)((p->w.rows + p->block - 1) / p->block) * ((p->m + p->split - 1) / (p->split ? p->split : 1));
    }
    vlk_pool_run(cpu->pool, items, product_item, &job);
}

/* ------------------------------------------------------------------------------------------------ linear, mlp */

/* Gives the product its rows: as they are when few, packed when many. False after poisoning. */
static bool set_rows(struct vlk_cpu *cpu, struct vlk_product *p, const float *x)
{
    struct vlk_pack_group group = { .m = p->m, .x = x, .ldx = (size_t)p->w.cols, .cols = p->w.cols };

    p->rows = x;
    p->ld = (size_t)p->w.cols;
    if (p->m <= VLK_FEW_ROWS)
        return true;
    group.dst = vlk_scratch(cpu, VLK_SLOT_PACK, vlk_packed_floats(p->m, p->w.cols) * sizeof(float));
    if (!group.dst)
        return false;
    vlk_pack_groups(cpu, &group, 1);
    p->packed = group.dst;
    return true;
}

void vlk_cpu_linear(struct vlk_backend *be, const struct vlk_linear_args *a)
{
    struct vlk_cpu *cpu = vlk_cpu_of(be);
    float *bias = NULL;

    if (vlk_cpu_poisoned(cpu))
        return;
    if (a->b.rows) {
        bias = vlk_vector_scratch(cpu, 1, a->w.rows);
        if (!bias)
            return;
        vlk_unpack_vector(cpu, &a->b, bias);
    }
    for (int32_t from = 0; from < a->n; from += ROWS_PER_PASS) {
        struct vlk_product p = { .m = a->n - from < ROWS_PER_PASS ? a->n - from : ROWS_PER_PASS,
                                 .w = a->w,
                                 .bias = bias,
                                 .act = a->act,
                                 .accumulate = a->accumulate,
                                 .y = a->y + (size_t)from * (size_t)a->w.rows,
                                 .ldy = (size_t)a->w.rows };

        if (a->accumulate && a->act != VLK_ACT_NONE) {
            p.g = vlk_scratch(cpu, VLK_SLOT_GATE, (size_t)p.m * p.ldy * sizeof(float));
            if (!p.g)
                return;
        }
        if (!set_rows(cpu, &p, a->x + (size_t)from * (size_t)a->w.cols))
            return;
        vlk_products_run(cpu, &p, 1);
    }
}

void vlk_cpu_mlp(struct vlk_backend *be, const struct vlk_mlp_args *a)
{
    struct vlk_cpu *cpu = vlk_cpu_of(be);
    const size_t width = (size_t)a->gate.cols, inter = (size_t)a->gate.rows;

    for (int32_t from = 0; from < a->n; from += ROWS_PER_PASS) {
        int32_t m = a->n - from < ROWS_PER_PASS ? a->n - from : ROWS_PER_PASS;
        struct vlk_product in = { .m = m, .w = a->up, .gate = a->gate, .ldy = inter };
        struct vlk_product out = { .m = m, .w = a->down, .accumulate = a->accumulate,
                                   .y = a->y + (size_t)from * (size_t)a->down.rows, .ldy = (size_t)a->down.rows };

        if (vlk_cpu_poisoned(cpu))
            return;
        in.y = vlk_scratch(cpu, VLK_SLOT_HIDDEN, (size_t)m * inter * sizeof(float));
        in.g = vlk_scratch(cpu, VLK_SLOT_GATE, (size_t)m * inter * sizeof(float));
        if (!in.y || !in.g || !set_rows(cpu, &in, a->x + (size_t)from * width))
            return;
        vlk_products_run(cpu, &in, 1);
        if (set_rows(cpu, &out, in.y))
            vlk_products_run(cpu, &out, 1);
    }
}
