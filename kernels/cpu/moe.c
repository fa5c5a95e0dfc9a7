/* SPDX-License-Identifier: MIT
 *
 * Router and mixture of experts on the CPU. Tokens are sorted by expert (count, prefix sum, scatter: deterministic), all
 * experts and the shared one run as one grouped product, and each token adds its experts in the order of its ids.
 * Called on the backend's thread.
 */
#include "kernels/cpu/cpu.h"

#include <math.h>
#include <string.h>

#define TOKENS_PER_PASS 512 /* bounds the sorted copies */

/* ------------------------------------------------------------------------------------------------ router */

struct router_job {
    const struct vlk_cpu *cpu;
    const struct vlk_router_args *a;
    const float *logits, *bias;
};

/* Scores of one token (in double: 64 experts cost nothing, and ties stay what they are). */
static void score_token(const struct vlk_router_args *a, const float *logits, float *scores)
{
    const int experts = a->w.rows;
    double peak = -INFINITY, sum = 0;

    if (a->score == VLK_SCORE_SIGMOID) {
        for (int e = 0; e < experts; e++)
            scores[e] = (float)(1 / (1 + exp(-(double)logits[e])));
        return;
    }
    for (int e = 0; e < experts; e++)
        peak = logits[e] > peak ? logits[e] : peak;
    for (int e = 0; e < experts; e++)
        sum += exp((double)logits[e] - peak);
    for (int e = 0; e < experts; e++)
        scores[e] = (float)(exp((double)logits[e] - peak) / sum);
}

/* The index of the largest value not yet taken; ties: the lowest index. NaN is never chosen before a number. */
static int take_largest(const float *values, int n, bool *taken)
{
    int best = -1;

    for (int i = 0; i < n; i++)
        if (!taken[i] && (best < 0 || values[i] > values[best] || (isnan(values[best]) && !isnan(values[i]))))
            best = i;
    if (best >= 0)
        taken[best] = true;
    return best;
}

static float group_score(const struct vlk_router_args *a, const float *choice, int size)
{
    float first = -INFINITY, second = -INFINITY;

    for (int i = 0; i < size; i++) {
        if (choice[i] > first) {
            second = first;
            first = choice[i];
        } else if (choice[i] > second) {
            second = choice[i];
        }
    }
    return a->method == VLK_TOPK_NOAUX_TC && size > 1 ? first + second : first;
}

/* Sets the choice score of every expert outside the best topk_group groups to 0. */
static void limit_groups(const struct vlk_router_args *a, float *choice)
{
    const int size = a->w.rows / a->n_group;
    float scores[VLK_MAX_EXPERTS];
    bool kept[VLK_MAX_EXPERTS] = { false };

    for (int g = 0; g < a->n_group; g++)
        scores[g] = group_score(a, choice + g * size, size);
    for (int i = 0; i < a->topk_group && i < a->n_group; i++)
        take_largest(scores, a->n_group, kept);
    for (int g = 0; g < a->n_group; g++)
        for (int i = 0; !kept[g] && i < size; i++)
            choice[g * size + i] = 0;
}

static void route_token(void *ctx, int64_t token, int worker)
{
    const struct router_job *job = ctx;
    const struct vlk_router_args *a = job->a;
    const int experts = a->w.rows;
    int32_t *ids = a->expert_ids + token * a->k;
    float *weights = a->expert_weights + token * a->k;
    float scores[VLK_MAX_EXPERTS], choice[VLK_MAX_EXPERTS];
    bool taken[VLK_MAX_EXPERTS] = { false };
    float sum = 0;

    score_token(a, job->logits + token * experts, scores);
    for (int e = 0; e < experts; e++)
        choice[e] = job->bias ? scores[e] + job->bias[e] : scores[e];
    if (a->method != VLK_TOPK_GREEDY && a->n_group > 1)
        limit_groups(a, choice);
    for (int j = 0; j < a->k; j++) {
        ids[j] = take_largest(choice, experts, taken);
        /* group_limited_greedy takes the masked scores, so an excluded expert weighs nothing; noaux_tc the unmasked ones. */
        weights[j] = a->method == VLK_TOPK_GROUP_LIMITED ? choice[ids[j]] : scores[ids[j]];
        sum += weights[j];
    }
    for (int j = 0; j < a->k; j++) {
        if (a->norm_topk && a->k > 1)
            weights[j] /= sum + 1e-20f;
        weights[j] *= a->scaling;
    }
}

void vlk_cpu_router(struct vlk_backend *be, const struct vlk_router_args *a)
{
    struct vlk_cpu *cpu = vlk_cpu_of(be);
    struct router_job job = { .cpu = cpu, .a = a };
    float *logits;

    if (vlk_cpu_poisoned(cpu) || a->n <= 0)
        return;
    if (a->w.rows > VLK_MAX_EXPERTS || a->k > VLK_MAX_TOPK || a->k > a->w.rows || a->n_group > a->w.rows) {
        vlk_cpu_poison(cpu, VLK_ERR_UNSUPPORTED, "The router of %d experts, %d per token, is beyond this backend.",
                       a->w.rows, a->k);
        return;
    }
    logits = vlk_scratch(cpu, VLK_SLOT_PAIRS, (size_t)(a->n + 1) * (size_t)a->w.rows * sizeof *logits);
    if (!logits)
        return;
    vlk_cpu_linear(be, &(struct vlk_linear_args){ .n = a->n, .w = a->w, .x = a->x, .y = logits, .apart = a->apart });
    job.logits = logits;
    if (a->method == VLK_TOPK_NOAUX_TC && a->bias.rows) {
        vlk_unpack_vector(cpu, &a->bias, logits + (size_t)a->n * (size_t)a->w.rows);
        job.bias = logits + (size_t)a->n * (size_t)a->w.rows;
    }
    if (!vlk_cpu_poisoned(cpu))
        vlk_pool_run(cpu->pool, a->n, route_token, &job);
}

/* ------------------------------------------------------------------------------------------------ experts */

/* One pass over at most TOKENS_PER_PASS tokens. Pairs (token, j) are numbered by their slot after sorting. */
struct moe_pass {
    const struct vlk_moe_args *a;
    int32_t from, n;
    int32_t *first;  /* [experts + 1]: the first slot of each expert */
    int32_t *token;  /* [n*k]: the token at a slot */
    int32_t *slot;   /* [n*k]: the slot of pair token*k + j */
    struct vlk_product *products; /* [experts + 1] */
    struct vlk_pack_group *groups;
    int group_count;
    float *out, *shared; /* expert outputs by slot, the shared expert's by token */
};

static bool take_sort_memory(struct vlk_cpu *cpu, struct moe_pass *p, int32_t n)
{
    const size_t experts = (size_t)p->a->experts, pairs = (size_t)n * (size_t)p->a->k;
    char *at = vlk_scratch(cpu, VLK_SLOT_SORT, (experts + 1) * (sizeof *p->products + sizeof *p->groups + sizeof *p->first) +
                                                   2 * pairs * sizeof *p->token);

    if (!at)
        return false;
    p->products = (struct vlk_product *)at;
    p->groups = (struct vlk_pack_group *)(p->products + experts + 1);
    p->first = (int32_t *)(p->groups + experts + 1);
    p->token = p->first + experts + 1;
    p->slot = p->token + pairs;
    return true;
}

static bool sort_by_expert(struct vlk_cpu *cpu, struct moe_pass *p)
{
    const int32_t experts = p->a->experts, pairs = p->n * p->a->k;
    const int32_t *ids = p->a->expert_ids + (size_t)p->from * (size_t)p->a->k;

    memset(p->first, 0, (size_t)(experts + 1) * sizeof *p->first);
    for (int32_t i = 0; i < pairs; i++) {
        if (ids[i] < 0 || ids[i] >= experts) {
            vlk_cpu_poison(cpu, VLK_ERR_DEVICE, "Expert %d of %d was asked for.", ids[i], experts);
            return false;
        }
        p->first[ids[i] + 1]++;
    }
    for (int32_t e = 0; e < experts; e++)
        p->first[e + 1] += p->first[e];
    for (int32_t i = 0; i < pairs; i++) {
        int32_t at = p->first[ids[i]]++;

        p->token[at] = i / p->a->k;
        p->slot[i] = at;
    }
    memmove(p->first + 1, p->first, (size_t)experts * sizeof *p->first);
    p->first[0] = 0;
    return true;
}

/* Gives the product its rows, through a group where they have to be gathered or packed; floats of packed rows used. */
static size_t add_rows(const struct vlk_cpu *cpu, struct moe_pass *p, struct vlk_product *product, float *dst,
                       const int32_t *index, const float *x, size_t ldx)
{
    const bool few = product->few, coded = vlk_takes_codes(&product->w);

    if (few && !coded && (!index || product->m == 1)) {
        product->rows = x + (index ? (size_t)index[0] * ldx : 0);
        product->ld = ldx;
        return 0;
    }
    p->groups[p->group_count++] = (struct vlk_pack_group){ .m = product->m, .index = index, .x = x, .ldx = ldx,
                                                           .cols = product->w.cols, .few = few, .coded = coded,
                                                           .dtype = product->w.dtype, .dst = dst };
    product->rows = product->packed = dst;
    product->ld = vlk_few_floats(&product->w);
    return few ? (size_t)product->m * product->ld : vlk_packed_floats(cpu, product->m, &product->w);
}

/* Runs gate and up, or down, of all experts that have tokens and of the shared one. x is by token for gate/up
 * (index by slot), by slot for down. */
static bool run_layer(struct vlk_cpu *cpu, struct moe_pass *p, bool down, const float *x, const float *x_shared, float *y,
                      float *y_shared, float *g, float *g_shared)
{
    const struct vlk_moe_args *a = p->a;
    const struct vlk_weight *any = down ? a->down : a->up, *shared = down ? &a->shared_down : &a->shared_up;
    size_t floats = shared->rows ? vlk_packed_floats(cpu, p->n, shared) : 0;
    float *dst;
    int count = 0;

    for (int32_t e = 0; e < a->experts; e++) /* each by its own dtype */
        floats += vlk_packed_floats(cpu, p->first[e + 1] - p->first[e], &any[e]);
    dst = vlk_scratch(cpu, VLK_SLOT_PACK, floats * sizeof *dst);
    if (!dst)
        return false;
    p->group_count = 0;
    if (shared->rows) {
        struct vlk_product *q = &p->products[count];

        *q = (struct vlk_product){ .m = p->n, .few = vlk_are_few(p->n, a->apart), .w = *shared, .y = y_shared, .g = g_shared,
                                   .ldy = (size_t)shared->rows };
        if (!down)
            q->gate = a->shared_gate;
        dst += add_rows(cpu, p, q, dst, NULL, x_shared, (size_t)shared->cols);
        count++;
    }
    for (int32_t e = 0; e < a->experts; e++) {
        struct vlk_product *q = &p->products[count];
        int32_t at = p->first[e], m = p->first[e + 1] - at;
        size_t rows = (size_t)any[e].rows;

        if (!m)
            continue;
        *q = (struct vlk_product){ .m = m, .few = vlk_are_few(m, a->apart), .w = any[e], .y = y + (size_t)at * rows,
                                   .g = g ? g + (size_t)at * rows : NULL, .ldy = rows };
        if (!down)
            q->gate = a->gate[e];
        dst += add_rows(cpu, p, q, dst, down ? NULL : p->token + at, down ? x + (size_t)at * (size_t)any[e].cols : x,
                        (size_t)any[e].cols);
        count++;
    }
    vlk_pack_groups(cpu, p->groups, p->group_count);
    vlk_products_run(cpu, p->products, count);
    return !vlk_cpu_poisoned(cpu);
}

struct combine_job {
    const struct vlk_isa *isa;
    const struct moe_pass *pass;
    float *sums; /* [n][width] */
    int width;
};

static void combine_token(void *ctx, int64_t token, int worker)
{
    const struct combine_job *job = ctx;
    const struct moe_pass *p = job->pass;
    const int32_t k = p->a->k;
    const size_t width = (size_t)job->width;
    const float *weights = p->a->expert_weights + (size_t)(p->from + token) * (size_t)k;
    float *sum = job->sums + (size_t)token * width;

    memset(sum, 0, width * sizeof *sum);
    for (int32_t j = 0; j < k; j++)
        job->isa->axpy(sum, p->out + (size_t)p->slot[token * k + j] * width, job->width, weights[j]);
    if (p->shared)
        job->isa->add(sum, p->shared + (size_t)token * width, job->width);
    job->isa->add(p->a->y + (size_t)(p->from + token) * width, sum, job->width);
}

static void run_pass(struct vlk_cpu *cpu, struct moe_pass *p)
{
    const struct vlk_moe_args *a = p->a;
    const size_t n = (size_t)p->n, pairs = n * (size_t)a->k, width = (size_t)a->down[0].rows;
    const size_t inter = (size_t)a->up[0].rows, shared_inter = (size_t)a->shared_up.rows;
    const float *x = a->x + (size_t)p->from * (size_t)a->up[0].cols;
    const size_t hidden = pairs * inter + n * shared_inter;
    float *h = vlk_scratch(cpu, VLK_SLOT_HIDDEN, hidden * sizeof *h), *g = vlk_scratch(cpu, VLK_SLOT_GATE, hidden * sizeof *g);
    struct combine_job combine = { .isa = cpu->isa, .pass = p, .width = (int)width };

    p->out = vlk_scratch(cpu, VLK_SLOT_PAIRS, (pairs + 2 * n) * width * sizeof *p->out);
    if (!h || !g || !p->out || !sort_by_expert(cpu, p))
        return;
    p->shared = a->shared_up.rows ? p->out + pairs * width : NULL;
    combine.sums = p->out + (pairs + n) * width;
    if (run_layer(cpu, p, false, x, x, h, h + pairs * inter, g, g + pairs * inter) &&
        run_layer(cpu, p, true, h, h + pairs * inter, p->out, p->shared, NULL, NULL))
        vlk_pool_run(cpu->pool, p->n, combine_token, &combine);
}

void vlk_cpu_moe(struct vlk_backend *be, const struct vlk_moe_args *a)
{
    struct vlk_cpu *cpu = vlk_cpu_of(be);
    struct moe_pass pass = { .a = a };

    if (vlk_cpu_poisoned(cpu) || a->n <= 0 || !take_sort_memory(cpu, &pass, a->n < TOKENS_PER_PASS ? a->n : TOKENS_PER_PASS))
        return;
    for (; pass.from < a->n && !vlk_cpu_poisoned(cpu); pass.from += TOKENS_PER_PASS) {
        pass.n = a->n - pass.from < TOKENS_PER_PASS ? a->n - pass.from : TOKENS_PER_PASS;
        run_pass(cpu, &pass);
    }
}
