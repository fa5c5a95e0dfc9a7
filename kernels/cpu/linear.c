/* SPDX-License-Identifier: MIT
 *
 * Matrix products of the CPU backend: the grouped product that linear, mlp and moe share, and linear and mlp themselves.
 * Few rows stream the weights once (dot products); many rows pack blocks of weights to f32 panels and run a register-blocked
 * GEMM. Which worker takes which block never changes a sum. Called on the backend's thread.
 */
#include "kernels/cpu/cpu.h"
#include "kernels/quant.h"

#include <string.h>

#define CHUNK 448            /* largest part of K at a time: a block of rows of it stays in the first cache */
#define BLOCK_PANELS 4       /* most panels per item, a gate's included: they stay in the second cache */
#define PANEL_FLOATS (BLOCK_PANELS * 32 * CHUNK) /* of f32 panels, nr being 32 at most; those of codes are smaller */
#define ROWS_PER_PASS 1024   /* bounds the packed activations */
#define CODE_CHUNK 1024      /* CHUNK for codes */
#define PACK_ALONE 16384     /* floats that are packed before the other threads would have come */
#define DOT_ITEM_BYTES 131072
#define MAX_MR 16

/* ------------------------------------------------------------------------------------------------ packing of rows */

/* K in equal parts of at most `most`, multiples of 32 so that quantised groups stay whole. */
static int part_of(int cols, int most)
{
    int parts = (cols + most - 1) / most;

    return ((cols + parts - 1) / parts + 31) / 32 * 32;
}

/* Quantised weights meet activations that are rounded to int8, whatever the number of rows. */
bool vlk_takes_codes(const struct vlk_weight *w)
{
    return w->dtype == VLK_I8G || w->dtype == VLK_I4G;
}

/* Whether blocks of rows are packed as codes: where the level has no product for them, they become rounded floats. */
static bool packs_codes(const struct vlk_isa *isa, bool coded)
{
    return coded && isa->gemm_codes;
}

static int block_rows(const struct vlk_isa *isa, bool coded)
{
    return packs_codes(isa, coded) ? VLK_CODE_ROWS : isa->mr;
}

/* Floats per row of a packed block. */
static size_t left_floats(const struct vlk_isa *isa, bool coded, int cols)
{
    return packs_codes(isa, coded) ? (size_t)vlk_quant_groups(cols) * (size_t)isa->left_floats / VLK_CODE_ROWS : (size_t)cols;
}

size_t vlk_packed_floats(const struct vlk_cpu *cpu, int64_t m, const struct vlk_weight *w)
{
    const bool coded = vlk_takes_codes(w);
    const int64_t block = block_rows(cpu->isa, coded);
    size_t row = left_floats(cpu->isa, coded, w->cols), few = coded ? vlk_coded_floats(w->cols) : 0;

    return (size_t)((m + block - 1) / block * block) * (row > few ? row : few);
}

size_t vlk_few_floats(const struct vlk_weight *w)
{
    return vlk_takes_codes(w) ? vlk_coded_floats(w->cols) : (size_t)w->cols;
}

struct pack_job {
    const struct vlk_isa *isa;
    struct vlk_pack_group *groups;
    int count;
};

/* Few rows, one by one: codes, or copied as they are. */
static void pack_few(const struct vlk_isa *isa, const struct vlk_pack_group *g, const float *const *rows, int32_t from, int32_t m)
{
    const size_t ld = g->coded ? vlk_coded_floats(g->cols) : (size_t)g->cols;

    for (int32_t i = 0; i < m; i++) {
        float *dst = g->dst + (size_t)(from + i) * ld;

        if (g->coded)
            isa->code_row(g->dtype, rows[i], g->cols, dst);
        else
            memcpy(dst, rows[i], (size_t)g->cols * sizeof *dst);
    }
}

/* A block of rounded floats, in pieces that stay in the first cache. */
static void pack_rounded(const struct vlk_isa *isa, const float *const *rows, int32_t m, int cols, float *dst)
{
    enum { PIECE = 8 * VLK_QUANT_GROUP };
    float rounded[MAX_MR][PIECE];
    const float *at[MAX_MR];

    for (int c = 0; c < cols; c += PIECE) {
        int n = cols - c < PIECE ? cols - c : PIECE;

        for (int32_t i = 0; i < m; i++) {
            isa->round_row(rows[i] + c, n, rounded[i]);
            at[i] = rounded[i];
        }
        isa->pack_left(at, m, n, dst + (size_t)c * (size_t)isa->mr);
    }
}

static void pack_block(const struct vlk_isa *isa, const struct vlk_pack_group *g, int32_t from)
{
    const int32_t block = block_rows(isa, g->coded), m = g->m - from < block ? g->m - from : block;
    float *dst = g->dst + (size_t)from * left_floats(isa, g->coded, g->cols);
    const float *rows[MAX_MR];

    for (int32_t i = 0; i < m; i++)
        rows[i] = g->x + (size_t)(g->index ? g->index[from + i] : from + i) * g->ldx;
    if (g->few)
        pack_few(isa, g, rows, from, m);
    else if (packs_codes(isa, g->coded))
        isa->pack_left_codes(rows, m, g->cols, dst);
    else if (g->coded)
        pack_rounded(isa, rows, m, g->cols, dst);
    else
        isa->pack_left(rows, m, g->cols, dst);
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

    pack_block(job->isa, g, (int32_t)(item - g->first_item) * block_rows(job->isa, g->coded));
}

void vlk_pack_groups(struct vlk_cpu *cpu, struct vlk_pack_group *groups, int count)
{
    struct pack_job job = { cpu->isa, groups, count };
    int64_t items = 0, floats = 0;

    for (int i = 0; i < count; i++) {
        const int block = block_rows(cpu->isa, groups[i].coded);

        groups[i].first_item = items;
        items += (groups[i].m + block - 1) / block;
        floats += (int64_t)groups[i].m * groups[i].cols;
    }
    if (floats > PACK_ALONE)
        vlk_pool_run(cpu->pool, items, pack_item, &job);
    for (int64_t i = 0; floats <= PACK_ALONE && i < items; i++)
        pack_item(&job, i, 0);
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

/* v[m][n] = rows · columns c0 … of one weight. */
static void dot_few(const struct vlk_isa *isa, const struct vlk_product *p, const struct vlk_weight *w, int32_t c0, int n, float *v)
{
    const size_t row_bytes = vlk_row_bytes(w->dtype, w->cols);
    const char *at = (const char *)w->data + (size_t)c0 * row_bytes;

    if (vlk_takes_codes(w))
        isa->dot_codes(w->dtype, at, row_bytes, n, w->cols, p->rows, p->ld, p->m, v, (size_t)n);
    else
        isa->dot_rows(w->dtype, at, row_bytes, n, w->cols, p->rows, p->ld, p->m, v, (size_t)n);
}

/* Few rows: weights are read once, in order. */
static void dot_item(const struct vlk_isa *isa, const struct vlk_product *p, int32_t c0, int n, float *scratch)
{
    float *v = scratch, *gate = scratch + (size_t)VLK_MAX_APART * (size_t)n;

    dot_few(isa, p, &p->w, c0, n, v);
    if (p->gate.rows) {
        dot_few(isa, p, &p->gate, c0, n, gate);
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

/* Some rows of an item. */
struct block {
    const struct vlk_isa *isa;
    const struct vlk_product *p;
    int32_t row, rows, c0, n; /* its rows and columns */
    int at, k;                /* the part of K whose panels are held */
};

/* c[row …][c0 …] (+)= the block's product with one weight's panels. */
static void multiply_block(const struct block *b, const float *panels, float *c, bool add)
{
    const struct vlk_isa *isa = b->isa;
    const struct vlk_product *p = b->p;
    const bool codes = packs_codes(isa, vlk_takes_codes(&p->w));
    const size_t rows = (size_t)block_rows(isa, codes), left = left_floats(isa, codes, p->w.cols);
    const int groups = (b->k + VLK_QUANT_GROUP - 1) / VLK_QUANT_GROUP;
    struct vlk_tile t = { .lda = rows, .a_step = rows * left, .ldc = p->ldy, .add = add };

    t.a = p->packed + (size_t)b->row * left + (codes ? (size_t)(b->at / VLK_QUANT_GROUP) * (size_t)isa->left_floats : (size_t)b->at * rows);
    t.b = panels;
    t.b_step = (size_t)isa->nr * (size_t)(codes ? groups * isa->right_floats : b->k);
    t.c = c + (size_t)b->row * p->ldy + b->c0;
    if (codes)
        isa->gemm_codes(b->rows, b->n, groups, &t);
    else
        isa->gemm(b->rows, b->n, b->k, &t);
}

static void finish_block(const struct block *b, float *c, const float *gate, bool aside)
{
    for (int32_t i = b->row; i < b->row + b->rows; i++) {
        size_t at = (size_t)i * b->p->ldy + (size_t)b->c0;

        if (gate)
            b->isa->act(VLK_ACT_SILU, b->p->g + at, b->n);
        finish_row(b->isa, b->p, c + at, gate ? gate + at : NULL, b->c0, b->n);
        if (aside)
            b->isa->add(b->p->y + at, c + at, b->n);
    }
}

static void pack_panels(const struct block *b, const struct vlk_weight *w, float *panels)
{
    const size_t row_bytes = vlk_row_bytes(w->dtype, w->cols);
    const char *at = (const char *)w->data + (size_t)b->c0 * row_bytes;

    if (packs_codes(b->isa, vlk_takes_codes(w)))
        b->isa->pack_codes(w->dtype, at, row_bytes, b->n, w->cols, b->at / VLK_QUANT_GROUP,
                           (b->k + VLK_QUANT_GROUP - 1) / VLK_QUANT_GROUP, panels);
    else
        b->isa->pack_rows(w->dtype, at, row_bytes, b->n, w->cols, b->at, b->k, panels);
}

/* Parts of K in turn: their panels are packed once for all rows. */
static void gemm_item(const struct vlk_isa *isa, const struct vlk_product *p, int32_t c0, int n, int32_t r0, int32_t m,
                      float *panels)
{
    const bool aside = p->accumulate && p->act != VLK_ACT_NONE, gated = p->gate.rows != 0, coded = vlk_takes_codes(&p->w);
    const int part = part_of(p->w.cols, packs_codes(isa, coded) ? CODE_CHUNK : CHUNK);
    const int32_t rows = block_rows(isa, coded);
    float *c = aside ? p->g : p->y, *gate_panels = panels + PANEL_FLOATS / 2;

    for (int at = 0; at < p->w.cols; at += part) {
        struct block b = { isa, p, r0, 0, c0, n, at, p->w.cols - at < part ? p->w.cols - at : part };

        pack_panels(&b, &p->w, panels);
        if (gated)
            pack_panels(&b, &p->gate, gate_panels);
        for (; b.row < r0 + m; b.row += b.rows) {
            b.rows = r0 + m - b.row < rows ? r0 + m - b.row : rows;
            multiply_block(&b, panels, c, at || (p->accumulate && !aside));
            if (gated)
                multiply_block(&b, gate_panels, p->g, at > 0);
            if (at + b.k == p->w.cols)
                finish_block(&b, c, gated ? p->g : NULL, aside);
        }
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

    if (p->few)
        dot_item(job->cpu->isa, p, c0, n, scratch);
    else
        gemm_item(job->cpu->isa, p, c0, n, r0, p->m - r0 < p->split ? p->m - r0 : p->split, scratch);
}

/* Columns and rows per item: never a matter of results, only of balance. Packing a panel costs about as much as 16 rows. */
static void plan_product(const struct vlk_cpu *cpu, struct vlk_product *p, int count)
{
    const int nr = cpu->isa->nr, mr = block_rows(cpu->isa, vlk_takes_codes(&p->w)), panels = (p->w.rows + nr - 1) / nr;
    int64_t best = INT64_MAX;

    p->split = p->m;
    if (p->few) {
        int64_t rows = DOT_ITEM_BYTES / (int64_t)vlk_row_bytes(p->w.dtype, p->w.cols);

        p->block = rows < 8 ? 8 : rows > 256 ? 256 : (int32_t)rows / 8 * 8;
        return;
    }
    for (int splits = 1; splits <= (count > 1 ? 1 : 8); splits *= 2) {
        int32_t rows = ((p->m + splits - 1) / splits + mr - 1) / mr * mr;

        for (int size = p->gate.rows ? BLOCK_PANELS / 2 : BLOCK_PANELS; size >= 1; size--) {
            int64_t items = (int64_t)((panels + size - 1) / size) * ((p->m + rows - 1) / rows);
            int64_t cost = (items + cpu->threads - 1) / cpu->threads * size * (rows + 16);

            if (cost < best) {
                best = cost;
                p->block = size * nr;
                p->split = rows;
            }
        }
    }
}

void vlk_products_run(struct vlk_cpu *cpu, struct vlk_product *products, int count)
{
    const size_t few = 2 * (size_t)VLK_MAX_APART * 256;
    struct product_job job = { cpu, products, count, NULL, few > PANEL_FLOATS ? few : PANEL_FLOATS };
    int64_t items = 0;

    if (vlk_cpu_poisoned(cpu))
        return;
    job.scratch = vlk_scratch(cpu, VLK_SLOT_WORKER, (size_t)cpu->threads * job.scratch_floats * sizeof(float));
    if (!job.scratch)
        return;
    for (int i = 0; i < count; i++) {
        struct vlk_product *p = &products[i];

        if (p->gate.rows && p->gate.dtype != p->w.dtype && (vlk_takes_codes(&p->gate) || vlk_takes_codes(&p->w))) {
            vlk_cpu_poison(cpu, VLK_ERR_UNSUPPORTED, "Gate and up projection must be quantised alike.");
            return;
        }
        plan_product(cpu, p, count);
        p->first_item = items;
        items += (int64_t)((p->w.rows + p->block - 1) / p->block) * ((p->m + p->split - 1) / (p->split ? p->split : 1));
    }
    vlk_pool_run(cpu->pool, items, product_item, &job);
}

/* ------------------------------------------------------------------------------------------------ linear, mlp */

/* Gives the product its rows: few floats as they are, all else packed. False after poisoning. */
static bool set_rows(struct vlk_cpu *cpu, struct vlk_product *p, const float *x)
{
    struct vlk_pack_group group = { .m = p->m, .x = x, .ldx = (size_t)p->w.cols, .cols = p->w.cols,
                                    .few = p->few, .coded = vlk_takes_codes(&p->w), .dtype = p->w.dtype };

    p->rows = x;
    p->ld = vlk_few_floats(&p->w);
    if (group.few && !group.coded)
        return true;
    group.dst = vlk_scratch(cpu, VLK_SLOT_PACK, vlk_packed_floats(cpu, p->m, &p->w) * sizeof(float));
    if (!group.dst)
        return false;
    vlk_pack_groups(cpu, &group, 1);
    p->rows = p->packed = group.dst;
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

        p.few = vlk_are_few(p.m, a->apart);
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
        const bool few = vlk_are_few(m, a->apart);
        struct vlk_product in = { .m = m, .few = few, .w = a->up, .gate = a->gate, .ldy = inter };
        struct vlk_product out = { .m = m, .few = few, .w = a->down, .accumulate = a->accumulate,
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
