/* SPDX-License-Identifier: MIT
 *
 * Attention inside windows of a grid with a bias by places, on the core that all attention of this backend shares. One part of a
 * head's queries in one window runs on one worker. Called on the backend's thread.
 */
#include <math.h>
#include <string.h>

#include "kernels/cpu/attention.h"

#define PART_ROWS 256 /* queries of an item: with their biases and results they stay in the second cache */

struct window_job {
    struct vlk_cpu *cpu;
    const struct vlk_window_attend_args *a;
    const float *outside; /* [3*heads*head_dim] */
    int across;           /* windows in a row */
    int rows, parts;      /* queries of an item, items of a window's head */
    size_t core_floats, panel_floats, key_floats, scratch_floats;
    float *scratch; /* per worker */
};

/* A window's cells of the grid: tile, first row and column, rows and columns that are inside. */
struct window {
    int64_t tile;
    int y0, x0, inside_y, inside_x;
};

static struct window window_at(const struct window_job *job, int64_t index)
{
    const struct vlk_window_attend_args *a = job->a;
    const int64_t each = (int64_t)job->across * job->across;
    struct window w = { .tile = index / each };

    w.y0 = (int)(index % each) / job->across * a->window;
    w.x0 = (int)(index % each) % job->across * a->window;
    w.inside_y = a->grid - w.y0 < a->window ? a->grid - w.y0 : a->window;
    w.inside_x = a->grid - w.x0 < a->window ? a->grid - w.x0 : a->window;
    return w;
}

/* Cell (y, x) of the window among all rows; both inside. */
static size_t row_of(const struct window_job *job, const struct window *w, int y, int x)
{
    const int64_t grid = job->a->grid;

    return (size_t)((w->tile * grid + w->y0 + y) * grid + w->x0 + x);
}

/* Keys or values of a head, cell by cell: `part` 1 or 2 of a row of qkv. */
static void gather(const struct window_job *job, const struct window *w, int head, int part, float *to)
{
    const struct vlk_window_attend_args *a = job->a;
    const size_t dim = (size_t)a->head_dim, width = (size_t)a->heads * dim, column = (size_t)part * width + (size_t)head * dim;

    for (int y = 0; y < a->window; y++)
        for (int x = 0; x < a->window; x++, to += dim) {
            const bool inside = y < w->inside_y && x < w->inside_x;
            const float *row = inside ? a->qkv + row_of(job, w, y, x) * 3 * width : job->outside;

            memcpy(to, row + column, dim * sizeof *to);
        }
}

/* The bias of query q at `at` of its axis towards the key at every place of it: q · table[at - key + window - 1], to lane i of a panel. */
static void relate(const struct window_job *job, const struct vlk_weight *table, int at, const float *q, int lane, float *panel)
{
    const int side = job->a->window, nr = job->cpu->isa->nr;
    const size_t stride = vlk_row_bytes(table->dtype, table->cols);
    float *sums = panel + (size_t)(side * nr); /* behind the panel: room for them */

    job->cpu->isa->dot_rows(table->dtype, (const char *)table->data + (size_t)at * stride, stride, side, table->cols, q,
                            (size_t)table->cols, 1, sums, (size_t)side);
    for (int key = 0; key < side; key++)
        panel[key * nr + lane] = sums[side - 1 - key];
}

/* Panel r0 / nr of queries: rows to score with, and their biases. */
static void prepare_panel(const struct window_job *job, struct vlk_attention *t, const struct window *w, int head, int first, int r0, int n,
                          float *down, float *across)
{
    const struct vlk_window_attend_args *a = job->a;
    const size_t width = (size_t)a->heads * (size_t)a->head_dim, panel = (size_t)(a->window * t->isa->nr);
    const float *from[VLK_MAX_NR];
    float *d = down + (size_t)(r0 / t->isa->nr) * panel, *x = across + (size_t)(r0 / t->isa->nr) * panel;

    for (int i = 0; i < n; i++) {
        const int cell = first + r0 + i, cy = cell / w->inside_x, cx = cell % w->inside_x;

        from[i] = a->qkv + row_of(job, w, cy, cx) * 3 * width + (size_t)head * (size_t)a->head_dim;
        relate(job, &a->down, cy, from[i], i, d);
        relate(job, &a->across, cx, from[i], i, x);
    }
    for (size_t key = 0; key < (size_t)a->window; key++)
        for (size_t i = (size_t)n; i < (size_t)t->isa->nr; i++)
            d[key * (size_t)t->isa->nr + i] = x[key * (size_t)t->isa->nr + i] = 0;
    vlk_attention_query(t, r0 / t->isa->nr, from, n, 1 / sqrtf((float)a->head_dim));
}

static void set_keys(const struct window_job *job, const struct window *w, int head, float *gathered, struct vlk_attention *t)
{
    const struct vlk_window_attend_args *a = job->a;
    const size_t dim = (size_t)a->head_dim, width = (size_t)a->heads * dim;
    const float *k = a->qkv + row_of(job, w, 0, 0) * 3 * width + width + (size_t)head * dim;

    t->k = (struct vlk_kv){ VLK_F32, k, 3 * width * sizeof *k, a->head_dim };
    t->v = (struct vlk_kv){ VLK_F32, k + width, 3 * width * sizeof *k, a->head_dim };
    if (a->window == a->grid)
        return;
    gather(job, w, head, 1, gathered);
    gather(job, w, head, 2, gathered + job->key_floats);
    t->k = (struct vlk_kv){ VLK_F32, gathered, dim * sizeof *k, a->head_dim };
    t->v = (struct vlk_kv){ VLK_F32, gathered + job->key_floats, dim * sizeof *k, a->head_dim };
}

static void window_item(void *ctx, int64_t item, int worker)
{
    const struct window_job *job = ctx;
    const struct vlk_window_attend_args *a = job->a;
    const int head = (int)(item / job->parts % a->heads), first = (int)(item % job->parts) * job->rows, nr = job->cpu->isa->nr;
    const struct window w = window_at(job, item / job->parts / a->heads);
    const int cells = w.inside_y * w.inside_x, m = cells - first < job->rows ? cells - first : job->rows;
    float *core = job->scratch + (size_t)worker * job->scratch_floats, *down = core + job->core_floats, *across = down + job->panel_floats;
    struct vlk_attention t = { .isa = job->cpu->isa, .m = m, .k1 = (int64_t)a->window * a->window, .side = a->window };
    float *to[VLK_MAX_NR];

    if (m <= 0)
        return;
    set_keys(job, &w, head, across + job->panel_floats, &t);
    t.down = down;
    t.across = across;
    vlk_attention_place(&t, core);
    for (int r = 0; r < m; r += nr)
        prepare_panel(job, &t, &w, head, first, r, m - r < nr ? m - r : nr, down, across);
    vlk_attention_run(&t);
    for (int r = 0; r < m; r += nr) {
        const int n = m - r < nr ? m - r : nr;

        for (int i = 0; i < n; i++) {
            const int cell = first + r + i;

            to[i] = a->out + (row_of(job, &w, cell / w.inside_x, cell % w.inside_x) * (size_t)a->heads + (size_t)head) * (size_t)a->head_dim;
        }
        vlk_attention_result(&t, r / nr, n, true, to);
    }
}

void vlk_cpu_window_attend(struct vlk_backend *be, const struct vlk_window_attend_args *a)
{
    struct vlk_cpu *cpu = vlk_cpu_of(be);
    const int cells = a->window * a->window, width = 3 * a->heads * a->head_dim;
    struct window_job job = { .cpu = cpu, .a = a, .across = (a->grid + a->window - 1) / a->window };
    float *outside = vlk_cpu_poisoned(cpu) ? NULL : vlk_vector_scratch(cpu, 1, width);

    if (!outside)
        return;
    memset(outside, 0, (size_t)width * sizeof *outside);
    if (a->outside.rows)
        vlk_unpack_vector(cpu, &a->outside, outside);
    job.outside = outside;
    job.rows = cells < PART_ROWS ? cells : PART_ROWS;
    job.parts = (cells + job.rows - 1) / job.rows;
    job.core_floats = vlk_attention_floats(cpu->isa, job.rows, a->head_dim, a->head_dim);
    job.panel_floats = (size_t)((job.rows + cpu->isa->nr - 1) / cpu->isa->nr * a->window * cpu->isa->nr + a->window);
    job.key_floats = a->window == a->grid ? 0 : (size_t)cells * (size_t)a->head_dim;
    job.scratch_floats = job.core_floats + 2 * (job.panel_floats + job.key_floats);
    job.scratch = vlk_scratch(cpu, VLK_SLOT_ATTEND, (size_t)cpu->threads * job.scratch_floats * sizeof(float));
    if (job.scratch)
        vlk_pool_run(cpu->pool, (int64_t)a->n * job.across * job.across * a->heads * job.parts, window_item, &job);
}
