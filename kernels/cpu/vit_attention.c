/* SPDX-License-Identifier: MIT
 *
 * The vision tower's attention in bf16, for levels that multiply it (isa.h: narrow_bf16). Lanes are query rows, as in attention.c:
 * scores are K Q^T, results V^T P^T with probabilities rounded to bf16; sums and softmax are f32. One head of one tile runs on one
 * worker. Called by the tower's block on the backend's thread.
 */
#include "kernels/cpu/vit_attention.h"

#include <math.h>
#include <string.h>

#define ROWS VLK_NARROW_ROWS
#define KEYS 96 /* per step of the softmax: a multiple of ROWS and of two; with its scores a step stays in the first cache */

struct attend_job {
    struct vlk_cpu *cpu;
    const struct vlk_vit_halves *a;
    float scale;
    size_t key_step, value_step; /* bytes of a block of keys, and of a block of columns of values with all keys */
    size_t query_bytes, score_bytes, out_bytes, prob_bytes, head_bytes;
    char *scratch; /* per worker */
};

/* What a worker holds: a head's keys and values, and one panel of queries on its way. */
struct head {
    const struct attend_job *job;
    char *keys, *values, *query, *probs;
    float *scores, *out, peak[VLK_MAX_NR], sum[VLK_MAX_NR];
};

static size_t rounded(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static void plan(struct attend_job *job)
{
    const struct vlk_narrow *narrow = job->cpu->isa->narrow_bf16;
    const size_t nr = (size_t)job->cpu->isa->nr, dim = (size_t)job->a->head_dim;
    const size_t key_blocks = ((size_t)job->a->tokens + ROWS - 1) / ROWS, column_blocks = (dim + ROWS - 1) / ROWS;

    job->key_step = narrow->block_bytes(job->a->head_dim);
    job->value_step = narrow->block_bytes(job->a->tokens);
    job->query_bytes = rounded(narrow->panel_bytes(job->a->head_dim));
    job->prob_bytes = rounded(narrow->panel_bytes(KEYS));
    job->score_bytes = KEYS * nr * sizeof(float);
    job->out_bytes = dim * nr * sizeof(float);
    job->head_bytes = job->query_bytes + job->prob_bytes + job->score_bytes + job->out_bytes +
                      rounded(key_blocks * job->key_step) + rounded(column_blocks * job->value_step);
}

static struct head head_at(const struct attend_job *job, char *at)
{
    struct head h = { .job = job };

    h.query = at;
    h.probs = h.query + job->query_bytes;
    h.scores = (float *)(void *)(h.probs + job->prob_bytes);
    h.out = (float *)(void *)((char *)h.scores + job->score_bytes);
    h.values = (char *)h.out + job->out_bytes;
    h.keys = h.values + rounded((size_t)((job->a->head_dim + ROWS - 1) / ROWS) * job->value_step);
    return h;
}

/* Pairs of bf16 are turned as if each were one float. */
static void load_keys(const struct head *h, const uint16_t *k, size_t ld)
{
    const struct attend_job *job = h->job;
    const float *rows[ROWS];

    for (int32_t key = 0; key < job->a->tokens; key += ROWS) {
        const int32_t m = job->a->tokens - key < ROWS ? job->a->tokens - key : ROWS;

        for (int32_t i = 0; i < m; i++)
            rows[i] = (const float *)(const void *)(k + (size_t)(key + i) * ld);
        job->cpu->isa->pack_left(rows, m, job->a->head_dim / 2, (float *)(void *)(h->keys + (size_t)(key / ROWS) * job->key_step));
    }
}

static void attend_keys(struct head *h, int32_t key, int lanes)
{
    const struct attend_job *job = h->job;
    const struct vlk_isa *isa = job->cpu->isa;
    const int n = job->a->tokens - key < KEYS ? job->a->tokens - key : KEYS;
    const size_t nr = (size_t)isa->nr;
    float factor[VLK_MAX_NR];

    isa->narrow_bf16->gemm(n, isa->nr, job->a->head_dim,
                           &(struct vlk_narrow_tile){ .a = h->keys + (size_t)(key / ROWS) * job->key_step, .a_step = job->key_step,
                                                      .b = h->query, .c = h->scores, .ldc = nr });
    if (isa->softmax_step(h->scores, n, lanes, job->scale, NULL, h->peak, h->sum, factor))
        isa->scale_lanes(h->out, job->a->head_dim, lanes, factor);
    isa->pair_up(h->scores, n, h->probs);
    isa->narrow_bf16->gemm(job->a->head_dim, isa->nr, n,
                           &(struct vlk_narrow_tile){ .a = h->values + isa->narrow_bf16->block_bytes(key), .a_step = job->value_step,
                                                      .b = h->probs, .c = h->out, .ldc = nr, .add = true });
}

/* Queries r … of a head, as many as a panel has lanes. */
static void attend_panel(struct head *h, const uint16_t *q, size_t ld, int32_t r, float *out)
{
    const struct vlk_vit_halves *a = h->job->a;
    const struct vlk_isa *isa = h->job->cpu->isa;
    const int lanes = a->tokens - r < isa->nr ? a->tokens - r : isa->nr;
    float *to[VLK_MAX_NR], inverse[VLK_MAX_NR];

    isa->narrow_bf16->pack_panel(q + (size_t)r * ld, ld * sizeof *q, lanes, a->head_dim, 0, a->head_dim, h->query);
    memset(h->out, 0, h->job->out_bytes);
    for (int i = 0; i < VLK_MAX_NR; i++) {
        h->peak[i] = VLK_NO_PEAK;
        h->sum[i] = 0;
    }
    for (int32_t key = 0; key < a->tokens; key += KEYS)
        attend_keys(h, key, lanes);
    for (int i = 0; i < lanes; i++) {
        inverse[i] = 1 / h->sum[i];
        to[i] = out + (size_t)(r + i) * (size_t)a->heads * (size_t)a->head_dim;
    }
    isa->transpose(h->out, a->head_dim, lanes, inverse, to);
}

/* One head of one tile. */
static void head_item(void *ctx, int64_t item, int worker)
{
    const struct attend_job *job = ctx;
    const struct vlk_vit_halves *a = job->a;
    const size_t dim = (size_t)a->head_dim, width = (size_t)a->heads * dim, tokens = (size_t)a->tokens;
    const size_t tile = (size_t)(item / a->heads) * tokens, column = (size_t)(item % a->heads) * dim;
    const uint16_t *q = a->qkv + tile * 3 * width + column;
    struct head h = head_at(job, job->scratch + (size_t)worker * job->head_bytes);

    load_keys(&h, q + width, 3 * width);
    job->cpu->isa->pack_values(q + 2 * width, 3 * width, a->tokens, a->head_dim, h.values, job->value_step);
    for (int32_t r = 0; r < a->tokens; r += job->cpu->isa->nr)
        attend_panel(&h, q, 3 * width, r, a->out + tile * width + column);
}

bool vlk_vit_takes_halves(const struct vlk_cpu *cpu, int32_t head_dim)
{
    return cpu->isa->narrow_bf16 && head_dim % 2 == 0;
}

void vlk_vit_attend_halves(struct vlk_cpu *cpu, const struct vlk_vit_halves *a)
{
    struct attend_job job = { .cpu = cpu, .a = a, .scale = 1 / sqrtf((float)a->head_dim) };

    plan(&job);
    job.scratch = vlk_scratch(cpu, VLK_SLOT_ATTEND, (size_t)cpu->threads * job.head_bytes);
    if (job.scratch)
        vlk_pool_run(cpu->pool, (int64_t)a->n * a->heads, head_item, &job);
}
