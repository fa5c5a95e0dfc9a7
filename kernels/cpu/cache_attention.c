/* SPDX-License-Identifier: MIT
 *
 * Causal attention over a cache for MHA and MLA: cut into tasks (a few panels of query rows of one head) and, for few tokens,
 * into ranges of keys that are joined afterwards. Few query rows per head read the cache in order, all heads of a key before
 * the next key. Ranges start at fixed multiples, so the result does not depend on the number of threads.
 * Called by the attention ops on the backend's thread.
 */
#include "kernels/cpu/attention.h"

#include <math.h>
#include <string.h>

#define FEW VLK_FEW_ROWS /* up to this many tokens: ranges of keys; with up to this many heads that share keys: no panels */
#define TASK_PANELS 4    /* most panels of a task: a block of keys is loaded once for them */

struct cache_job {
    struct vlk_cpu *cpu;
    const struct vlk_cache_attention *a;
    int32_t rows, blocks, splits; /* rows per task, tasks per head, ranges of keys */
    float *out;                   /* [splits][rows of all heads][v]: results of the ranges, when more than one */
    float *peak, *sum;            /* [splits][rows of all heads] */
    float *scratch;               /* per worker */
    size_t scratch_floats;
};

static int32_t all_rows(const struct vlk_cache_attention *a)
{
    return a->n * a->kv_heads * a->group;
}

/* Row i of a kv head is head i % group of token i / group; its number among all rows. */
static size_t row_of(const struct vlk_cache_attention *a, int32_t head, int32_t i)
{
    return ((size_t)(i / a->group) * (size_t)a->kv_heads + (size_t)head) * (size_t)a->group + (size_t)(i % a->group);
}

/* Where row `row` of a range's result goes. */
static float *result_row(const struct cache_job *job, int32_t split, size_t row)
{
    if (job->splits == 1)
        return job->a->out + row * job->a->ldo;
    return job->out + ((size_t)split * (size_t)all_rows(job->a) + row) * (size_t)job->a->v.width;
}

/* ------------------------------------------------------------------------------------------------ panels of rows */

/* A task: rows from … of one kv head. */
struct task {
    struct vlk_attention t;
    int32_t head, from;
};

/* Later blocks of rows see more keys: they are handed out first. */
static struct task make_task(const struct cache_job *job, int64_t number, int worker)
{
    const struct vlk_cache_attention *a = job->a;
    const int32_t rows = a->n * a->group, block = job->blocks - 1 - (int32_t)(number / a->kv_heads);
    struct task task = { .head = (int32_t)(number % a->kv_heads), .from = block * job->rows };
    struct vlk_attention *t = &task.t;

    *t = (struct vlk_attention){ .isa = job->cpu->isa, .k = a->k, .v = a->v, .group = a->group };
    t->m = rows - task.from < job->rows ? rows - task.from : job->rows;
    t->first_limit = a->pos + task.from / a->group + 1;
    t->k1 = a->pos + (task.from + t->m - 1) / a->group + 1;
    t->k.data = (const char *)a->k.data + (size_t)task.head * a->k_step;
    t->v.data = (const char *)a->v.data + (size_t)task.head * a->v_step;
    vlk_attention_place(t, job->scratch + (size_t)worker * job->scratch_floats);
    return task;
}

static int panel_rows(const struct task *task, int r)
{
    return task->t.m - r < task->t.isa->nr ? task->t.m - r : task->t.isa->nr;
}

static void load_queries(const struct cache_job *job, const struct task *task)
{
    const float *rows[VLK_MAX_NR];
    const int nr = task->t.isa->nr;

    for (int r = 0; r < task->t.m; r += nr) {
        int n = panel_rows(task, r);

        for (int i = 0; i < n; i++)
            rows[i] = job->a->q + row_of(job->a, task->head, task->from + r + i) * job->a->ldq;
        vlk_attention_query(&task->t, r / nr, rows, n, job->a->scale);
    }
}

/* Rows of a token group must not straddle tasks, for their limit is counted from the task's first row: job->rows is a multiple
 * of the group. */
static void attend_item(void *ctx, int64_t item, int worker)
{
    const struct cache_job *job = ctx;
    const int32_t split = (int32_t)(item % job->splits);
    struct task task = make_task(job, item / job->splits, worker);
    const int64_t end = task.t.k1;
    const int nr = task.t.isa->nr;
    float *dst[VLK_MAX_NR];

    if (job->splits > 1) {
        task.t.k0 = (int64_t)split * VLK_KEY_SPLIT;
        task.t.k1 = end - task.t.k0 < VLK_KEY_SPLIT ? end : task.t.k0 + VLK_KEY_SPLIT;
    }
    load_queries(job, &task);
    vlk_attention_run(&task.t);
    for (int r = 0; r < task.t.m; r += nr) {
        int n = panel_rows(&task, r);

        for (int i = 0; i < n; i++) {
            size_t row = row_of(job->a, task.head, task.from + r + i), at = (size_t)split * (size_t)all_rows(job->a) + row;

            dst[i] = result_row(job, split, row);
            job->peak[at] = task.t.peak[r + i];
            job->sum[at] = task.t.sum[r + i];
        }
        vlk_attention_result(&task.t, r / nr, n, job->splits == 1, dst);
    }
}

static void probs_item(void *ctx, int64_t item, int worker)
{
    const struct cache_job *job = ctx;
    struct task task = make_task(job, item, worker);
    const int nr = task.t.isa->nr;
    float *dst[VLK_MAX_NR];

    load_queries(job, &task);
    for (int r = 0; r < task.t.m; r += nr) {
        int n = panel_rows(&task, r);

        for (int i = 0; i < n; i++) {
            size_t row = row_of(job->a, task.head, task.from + r + i);

            dst[i] = job->a->probs + row * (size_t)job->a->probs_stride;
            task.t.peak[r + i] = job->peak[row];
            task.t.sum[r + i] = job->sum[row];
        }
        vlk_attention_probs(&task.t, r / nr, n, job->a->probs_stride, dst);
    }
}

/* ------------------------------------------------------------------------------------------------ few rows */

/* The queries of all heads, rows of a head together, scaled. */
static void gather_queries(const struct cache_job *job, float *q)
{
    const struct vlk_cache_attention *a = job->a;
    const size_t width = (size_t)a->k.width;

    for (int32_t head = 0; head < a->kv_heads; head++) {
        for (int32_t i = 0; i < a->n * a->group; i++, q += width) {
            memcpy(q, a->q + row_of(a, head, i) * a->ldq, width * sizeof *q);
            job->cpu->isa->scale(q, a->k.width, a->scale);
        }
    }
}

/* Scores of one row to exponentials; what the row does not see becomes 0. */
static void soften_row(const struct cache_job *job, float *s, int n, int64_t seen, size_t at)
{
    int known = seen < 0 ? 0 : seen < n ? (int)seen : n;

    job->peak[at] = known ? job->cpu->isa->max(s, known) : VLK_NO_PEAK;
    job->sum[at] = known ? (float)job->cpu->isa->exp_sum(s, known, job->peak[at]) : 0;
    memset(s + known, 0, (size_t)(n - known) * sizeof *s);
}

/* One range of keys for all heads. */
static void stream_item(void *ctx, int64_t split, int worker)
{
    const struct cache_job *job = ctx;
    const struct vlk_cache_attention *a = job->a;
    const int32_t rows = a->n * a->group, all = all_rows(a);
    const int64_t k0 = split * VLK_KEY_SPLIT, left = a->pos + a->n - k0;
    struct vlk_heads h = { a->k.dtype, (const char *)a->k.data + (size_t)k0 * a->k.stride, a->k.stride, a->k_step,
                           left < VLK_KEY_SPLIT ? (int)left : VLK_KEY_SPLIT, a->kv_heads, a->k.width, rows };
    float *q = job->scratch + (size_t)worker * job->scratch_floats, *s = q + (size_t)all * (size_t)a->k.width;
    float *o = s + (size_t)all * VLK_KEY_SPLIT;

    gather_queries(job, q);
    job->cpu->isa->dot_heads(&h, q, s, VLK_KEY_SPLIT);
    for (int32_t i = 0; i < all; i++)
        soften_row(job, s + (size_t)i * VLK_KEY_SPLIT, h.keys, a->pos + i % rows / a->group + 1 - k0,
                   (size_t)split * (size_t)all + row_of(a, i / rows, i % rows));
    h = (struct vlk_heads){ a->v.dtype, (const char *)a->v.data + (size_t)k0 * a->v.stride, a->v.stride, a->v_step,
                            h.keys, a->kv_heads, a->v.width, rows };
    memset(o, 0, (size_t)all * (size_t)a->v.width * sizeof *o);
    job->cpu->isa->mix_heads(&h, s, VLK_KEY_SPLIT, o);
    for (int32_t i = 0; i < all; i++) {
        size_t row = row_of(a, i / rows, i % rows);
        float *dst = result_row(job, (int32_t)split, row);

        memcpy(dst, o + (size_t)i * (size_t)a->v.width, (size_t)a->v.width * sizeof *o);
        if (job->splits == 1)
            job->cpu->isa->scale(dst, a->v.width, 1 / job->sum[row]);
    }
}

/* ------------------------------------------------------------------------------------------------ joining */

/* Joins the ranges of one row in ascending order; leaves its peak and sum in the first range. */
static void join_item(void *ctx, int64_t row, int worker)
{
    const struct cache_job *job = ctx;
    const size_t all = (size_t)all_rows(job->a), at = (size_t)row;
    const int width = job->a->v.width;
    float *out = job->a->out + at * job->a->ldo, peak = VLK_NO_PEAK, sum = 0;

    for (size_t s = 0; s < (size_t)job->splits; s++)
        peak = job->peak[s * all + at] > peak ? job->peak[s * all + at] : peak;
    memset(out, 0, (size_t)width * sizeof *out);
    for (size_t s = 0; s < (size_t)job->splits; s++) {
        float f = expf(job->peak[s * all + at] - peak);

        sum += f * job->sum[s * all + at];
        job->cpu->isa->axpy(out, result_row(job, (int32_t)s, at), width, f);
    }
    job->cpu->isa->scale(out, width, 1 / sum);
    job->peak[at] = peak;
    job->sum[at] = sum;
}

/* ------------------------------------------------------------------------------------------------ the whole */

/* Rows per task: whole tokens, so few that every thread has several tasks, so many that a block of keys serves them all. */
static int32_t rows_per_task(const struct vlk_cpu *cpu, const struct vlk_cache_attention *a)
{
    const int32_t rows = a->n * a->group, nr = cpu->isa->nr;
    int32_t panels = TASK_PANELS;

    while (panels > 1 && (int64_t)a->kv_heads * ((rows + panels * nr - 1) / (panels * nr)) < 3 * cpu->threads)
        panels--;
    return panels * nr > a->group ? panels * nr / a->group * a->group : a->group;
}

static bool take_memory(struct cache_job *job, bool few)
{
    const struct vlk_cache_attention *a = job->a;
    const size_t all = (size_t)all_rows(a), results = (size_t)job->splits * all;
    const size_t panels = vlk_attention_floats(job->cpu->isa, job->rows, a->k.width, a->v.width);
    const size_t stream = few ? all * ((size_t)a->k.width + VLK_KEY_SPLIT + (size_t)a->v.width) : 0;

    job->scratch_floats = panels > stream ? panels : stream;
    job->scratch = vlk_scratch(job->cpu, VLK_SLOT_ATTEND, (size_t)job->cpu->threads * job->scratch_floats * sizeof(float));
    job->peak = vlk_scratch(job->cpu, VLK_SLOT_PARTIAL,
                            results * ((job->splits > 1 ? (size_t)a->v.width : 0) + 2) * sizeof(float));
    if (!job->scratch || !job->peak)
        return false;
    job->sum = job->peak + results;
    job->out = job->sum + results;
    return true;
}

void vlk_cache_attend(struct vlk_cpu *cpu, const struct vlk_cache_attention *a)
{
    struct cache_job job = { .cpu = cpu, .a = a, .splits = 1 };
    const bool few = a->n <= FEW && a->group <= FEW; /* a token gets beside others what it gets alone */
    int64_t tasks;

    if (vlk_cpu_poisoned(cpu) || a->n <= 0)
        return;
    job.rows = rows_per_task(cpu, a);
    job.blocks = (a->n * a->group + job.rows - 1) / job.rows;
    if (a->n <= FEW)
        job.splits = (int32_t)((a->pos + a->n + VLK_KEY_SPLIT - 1) / VLK_KEY_SPLIT);
    if (!take_memory(&job, few))
        return;
    tasks = (int64_t)job.blocks * a->kv_heads;
    if (few)
        vlk_pool_run(cpu->pool, job.splits, stream_item, &job);
    else
        vlk_pool_run(cpu->pool, tasks * job.splits, attend_item, &job);
    if (job.splits > 1)
        vlk_pool_run(cpu->pool, all_rows(a), join_item, &job);
    if (a->probs)
        vlk_pool_run(cpu->pool, tasks, probs_item, &job);
}
