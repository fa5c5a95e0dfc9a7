/* SPDX-License-Identifier: MIT
 *
 * The vision tower's attention in int8, for levels that multiply nothing narrower than f32 faster (isa.h: narrow_int8). Queries and
 * probabilities are rows of activations, keys and values panels; keys are coded without their mean over a tile, which moves all
 * scores of a query alike and therefore nothing. One head of one tile runs on one worker. Called by the tower's block on the
 * backend's thread.
 */
#include "kernels/cpu/vit_attention.h"

#include <math.h>
#include <string.h>

#define ROWS VLK_NARROW_ROWS

enum { KEYS, VALUES, QUERY, PROBS, SCORES, COLUMNS, TURNED, MEAN, PARTS }; /* of a head's memory, as struct code_head has them */

struct code_job {
    struct vlk_cpu *cpu;
    const struct vlk_vit_attend_args *a;
    size_t row;          /* floats of a row of qkv */
    size_t key_bytes, value_bytes, query_bytes, prob_bytes, head_bytes; /* of a panel of keys, of values; of a block; of all */
    size_t score_floats; /* of a query's scores, and of a column of values */
    size_t at[PARTS];
    char *scratch;       /* per worker */
};

/* What a worker holds of a head. */
struct code_head {
    const struct code_job *job;
    const float *q, *k, *v;
    char *keys, *values, *query, *probs;
    float *scores, *columns; /* [ROWS][score_floats]; [head_dim][score_floats]: values, turned */
    float *turned, *mean;    /* [head_dim][nr], and keys [nr][head_dim]; [head_dim] */
};

static int panels_of(const struct code_job *job, int n)
{
    return (n + job->cpu->isa->nr - 1) / job->cpu->isa->nr;
}

/* Where a head's parts lie in its memory, and what they take together. */
static void place_parts(struct code_job *job)
{
    const size_t dim = (size_t)job->a->head_dim, nr = (size_t)job->cpu->isa->nr;
    const size_t bytes[PARTS] = {
        [KEYS] = (size_t)panels_of(job, job->a->tokens) * job->key_bytes,
        [VALUES] = (size_t)panels_of(job, job->a->head_dim) * job->value_bytes,
        [QUERY] = job->query_bytes,
        [PROBS] = job->prob_bytes,
        [SCORES] = ROWS * job->score_floats * sizeof(float),
        [COLUMNS] = dim * job->score_floats * sizeof(float),
        [TURNED] = dim * nr * sizeof(float),
        [MEAN] = dim * sizeof(float),
    };

    job->head_bytes = 0;
    for (int i = 0; i < PARTS; i++) {
        job->at[i] = job->head_bytes;
        job->head_bytes += (bytes[i] + 63) / 64 * 64;
    }
}

static struct code_head head_at(const struct code_job *job, char *memory)
{
    return (struct code_head){
        .job = job,
        .keys = memory + job->at[KEYS],
        .values = memory + job->at[VALUES],
        .query = memory + job->at[QUERY],
        .probs = memory + job->at[PROBS],
        .scores = (float *)(void *)(memory + job->at[SCORES]),
        .columns = (float *)(void *)(memory + job->at[COLUMNS]),
        .turned = (float *)(void *)(memory + job->at[TURNED]),
        .mean = (float *)(void *)(memory + job->at[MEAN]),
    };
}

static void load_keys(const struct code_head *h)
{
    const struct code_job *job = h->job;
    const int tokens = job->a->tokens, dim = job->a->head_dim, nr = job->cpu->isa->nr;
    const float *rows[VLK_MAX_NR];

    memset(h->mean, 0, (size_t)dim * sizeof *h->mean);
    for (int t = 0; t < tokens; t++)
        job->cpu->isa->axpy(h->mean, h->k + (size_t)t * job->row, dim, 1 / (float)tokens);
    for (int from = 0; from < tokens; from += nr) {
        const int n = tokens - from < nr ? tokens - from : nr;

        for (int i = 0; i < n; i++) {
            float *key = h->turned + (size_t)(i * dim);

            memcpy(key, h->k + (size_t)(from + i) * job->row, (size_t)dim * sizeof *key);
            job->cpu->isa->axpy(key, h->mean, dim, -1);
            rows[i] = key;
        }
        job->cpu->isa->narrow_int8->code_panel(rows, n, dim, h->keys + (size_t)(from / nr) * job->key_bytes);
    }
}

static void load_values(const struct code_head *h)
{
    const struct code_job *job = h->job;
    const int tokens = job->a->tokens, dim = job->a->head_dim, nr = job->cpu->isa->nr;
    const float *rows[VLK_MAX_NR];

    for (int from = 0; from < tokens; from += nr) {
        const int n = tokens - from < nr ? tokens - from : nr;

        job->cpu->isa->pack_rows(VLK_F32, h->v + (size_t)from * job->row, job->row * sizeof(float), n, dim, 0, dim, h->turned);
        for (int c = 0; c < dim; c++)
            memcpy(h->columns + (size_t)c * job->score_floats + from, h->turned + (size_t)(c * nr), (size_t)n * sizeof(float));
    }
    for (int from = 0; from < dim; from += nr) {
        const int n = dim - from < nr ? dim - from : nr;

        for (int i = 0; i < n; i++)
            rows[i] = h->columns + (size_t)(from + i) * job->score_floats;
        job->cpu->isa->narrow_int8->code_panel(rows, n, tokens, h->values + (size_t)(from / nr) * job->value_bytes);
    }
}

/* The block's products with all panels, side by side at c. */
static void multiply(const struct code_job *job, int m, int n, int k, const char *block, const char *panels, size_t step, float *c,
                     size_t ldc)
{
    const int nr = job->cpu->isa->nr;

    for (int j = 0; j < n; j += nr)
        job->cpu->isa->narrow_int8->gemm(m, n - j < nr ? n - j : nr, k,
                                         &(struct vlk_narrow_tile){ .a = block, .b = panels + (size_t)(j / nr) * step, .c = c + j,
                                                                    .ldc = ldc });
}

/* Up to ROWS queries from row r on; out is their first row's place. */
static void attend_block(const struct code_head *h, int r, float *out)
{
    const struct code_job *job = h->job;
    const struct vlk_isa *isa = job->cpu->isa;
    const int tokens = job->a->tokens, dim = job->a->head_dim, m = tokens - r < ROWS ? tokens - r : ROWS;
    const size_t width = (size_t)job->a->heads * (size_t)dim;
    const float *rows[ROWS];
    float sums[ROWS];

    for (int i = 0; i < m; i++)
        rows[i] = h->q + (size_t)(r + i) * job->row;
    isa->narrow_int8->code_block(rows, m, dim, h->query);
    multiply(job, m, tokens, dim, h->query, h->keys, job->key_bytes, h->scores, job->score_floats);
    for (int i = 0; i < m; i++) {
        float *scores = h->scores + (size_t)i * job->score_floats;

        sums[i] = isa->soften_row(scores, tokens, 1 / sqrtf((float)dim));
        rows[i] = scores;
    }
    isa->narrow_int8->code_block(rows, m, tokens, h->probs);
    multiply(job, m, dim, tokens, h->probs, h->values, job->value_bytes, out, width);
    for (int i = 0; i < m; i++)
        isa->scale(out + (size_t)i * width, dim, 1 / sums[i]);
}

/* One head of one tile. */
static void head_item(void *ctx, int64_t item, int worker)
{
    const struct code_job *job = ctx;
    const struct vlk_vit_attend_args *a = job->a;
    const size_t width = (size_t)a->heads * (size_t)a->head_dim, column = (size_t)(item % a->heads) * (size_t)a->head_dim;
    const size_t first = (size_t)(item / a->heads) * (size_t)a->tokens;
    struct code_head h = head_at(job, job->scratch + (size_t)worker * job->head_bytes);

    h.q = a->qkv + first * job->row + column;
    h.k = h.q + width;
    h.v = h.k + width;
    load_keys(&h);
    load_values(&h);
    for (int r = 0; r < a->tokens; r += ROWS)
        attend_block(&h, r, a->out + (first + (size_t)r) * width + column);
}

void vlk_vit_attend_codes(struct vlk_cpu *cpu, const struct vlk_vit_attend_args *a)
{
    const struct vlk_narrow *narrow = cpu->isa->narrow_int8;
    struct code_job job = { .cpu = cpu, .a = a, .row = 3 * (size_t)a->heads * (size_t)a->head_dim };

    job.key_bytes = narrow->panel_bytes(a->head_dim);
    job.value_bytes = narrow->panel_bytes(a->tokens);
    job.query_bytes = narrow->block_bytes(a->head_dim);
    job.prob_bytes = narrow->block_bytes(a->tokens);
    job.score_floats = (size_t)(a->tokens + 15) / 16 * 16;
    place_parts(&job);
    job.scratch = vlk_scratch(cpu, VLK_SLOT_ATTEND, (size_t)cpu->threads * job.head_bytes);
    if (job.scratch)
        vlk_pool_run(cpu->pool, (int64_t)a->n * a->heads, head_item, &job);
}
