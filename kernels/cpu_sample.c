/* SPDX-License-Identifier: MIT
 *
 * Sampling of one token on the CPU: penalty, temperature, top-k, top-p, mask, draw; log-probabilities of the raw logits.
 * The generator is counter-based: seed and counter alone determine a draw. Called on the backend's thread.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "kernels/cpu.h"

/* A finite or -inf value that everything below can compare and subtract. */
static inline float tame(float x)
{
    return isnan(x) ? -INFINITY : x > FLT_MAX ? FLT_MAX : x;
}

/* Uniform in [0, 1) with 53 bits; splitmix64 of a mix of seed and counter. */
static double uniform(uint64_t seed, uint64_t counter)
{
    uint64_t z = seed * 0xd1342543de82ef95u + counter * 0x9e3779b97f4a7c15u + 0x9e3779b97f4a7c15u;

    for (int i = 0; i < 2; i++) {
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        z ^= z >> 31;
    }
    return (double)(z >> 11) * 0x1p-53;
}

static bool is_allowed(const struct vlk_sample_args *a, int32_t id)
{
    return !a->allowed || (a->allowed[id >> 5] >> (id & 31) & 1);
}

/* Larger value first; equal values: lower id first. */
static inline bool before(const float *values, int32_t a, int32_t b)
{
    return values[a] > values[b] || (values[a] == values[b] && a < b);
}

/* Restores the heap whose best id is at the top, after ids[at] changed. */
static void sift_down(const float *values, int32_t *ids, int32_t n, int32_t at)
{
    for (;;) {
        int32_t child = 2 * at + 1, moved = ids[at];

        if (child >= n)
            return;
        if (child + 1 < n && before(values, ids[child + 1], ids[child]))
            child++;
        if (!before(values, ids[child], moved))
            return;
        ids[at] = ids[child];
        ids[child] = moved;
        at = child;
    }
}

static void make_heap(const float *values, int32_t *ids, int32_t n)
{
    for (int32_t i = n / 2; i-- > 0;)
        sift_down(values, ids, n, i);
}

static int32_t pop_best(const float *values, int32_t *ids, int32_t *n)
{
    int32_t best = ids[0];

    ids[0] = ids[--*n];
    sift_down(values, ids, *n, 0);
    return best;
}

static int32_t largest(const struct vlk_sample_args *a, const float *values, bool masked)
{
    int32_t best = -1;

    for (int32_t i = 0; i < a->vocab; i++)
        if ((best < 0 || values[i] > values[best]) && (!masked || is_allowed(a, i)))
            best = i;
    return best;
}

/* ------------------------------------------------------------------------------------------------ filters */

/* Sets everything below the k-th largest value to -inf; values equal to it stay (as TopKLogitsWarper). */
static void keep_top_k(const struct vlk_sample_args *a, float *values, int32_t *heap)
{
    int32_t n = a->vocab;
    float limit = -INFINITY;

    for (int32_t i = 0; i < n; i++)
        heap[i] = i;
    make_heap(values, heap, n);
    for (int32_t i = 0; i < a->top_k && n > 0; i++)
        limit = values[pop_best(values, heap, &n)];
    for (int32_t i = 0; i < a->vocab; i++)
        if (values[i] < limit)
            values[i] = -INFINITY;
}

/* Keeps, from the largest down, what comes before the cumulated probability reaches top_p, at least one. That is
 * TopPLogitsWarper's "ascending, drop while the cumulated probability is <= 1 - top_p" seen from the other end. */
static void keep_top_p(struct vlk_cpu *cpu, const struct vlk_sample_args *a, float *values, int32_t *heap)
{
    float peak = cpu->isa->max(values, a->vocab);
    double total = cpu->isa->exp_sum_of(values, a->vocab, peak), sum = 0;
    int32_t n = 0, best = -1;

    for (int32_t i = 0; i < a->vocab; i++)
        if (values[i] > -INFINITY)
            heap[n++] = i;
    make_heap(values, heap, n);
    while (n > 0 && (best < 0 || sum < (double)a->top_p * total)) {
        best = pop_best(values, heap, &n);
        sum += exp((double)values[best] - (double)peak);
    }
    for (int32_t i = 0; i < n; i++)
        values[heap[i]] = -INFINITY;
}

/* ------------------------------------------------------------------------------------------------ draw */

/* Inverse of the cumulated distribution over ids in ascending order. -1 when nothing has a chance. */
static int32_t draw(const struct vlk_sample_args *a, const float *values, bool masked, double u)
{
    int32_t last = -1;
    double total = 0, sum = 0;
    float peak = -INFINITY;

    for (int32_t i = 0; i < a->vocab; i++)
        if (values[i] > peak && (!masked || is_allowed(a, i)))
            peak = values[i];
    if (peak == -INFINITY)
        return -1;
    for (int pass = 0; pass < 2; pass++) {
        for (int32_t i = 0; i < a->vocab; i++) {
            /* exp() of less than -745 is 0 in double */
            if (values[i] - peak < -745 || (masked && !is_allowed(a, i)))
                continue;
            sum += exp((double)values[i] - (double)peak);
            if (pass) {
                last = i;
                if (sum > u * total)
                    return i;
            }
        }
        total = pass ? total : sum;
        sum = 0;
    }
    return last;
}

/* ------------------------------------------------------------------------------------------------ report */

/* Log-probabilities of the raw logits: of the chosen id and of the n most likely. */
static void report(struct vlk_cpu *cpu, const struct vlk_sample_args *a, const float *raw, struct vlk_sampled *out)
{
    float peak = cpu->isa->max(raw, a->vocab);
    double norm = (double)peak + log(cpu->isa->exp_sum_of(raw, a->vocab, peak));
    int n = a->n_alternatives < 0 ? 0 : a->n_alternatives < VLK_MAX_ALTERNATIVES ? a->n_alternatives : VLK_MAX_ALTERNATIVES;
    int count = 0;

    if (peak == -INFINITY)
        norm = 0;
    n = n < a->vocab ? n : a->vocab;
    for (int32_t i = 0; i < a->vocab && n; i++) {
        int at;

        if (count == n && raw[i] <= raw[out->alt_id[n - 1]])
            continue;
        for (at = count < n ? count++ : n - 1; at > 0 && raw[i] > raw[out->alt_id[at - 1]]; at--)
            out->alt_id[at] = out->alt_id[at - 1];
        out->alt_id[at] = i;
    }
    for (int i = 0; i < count; i++)
        out->alt_logprob[i] = (float)((double)raw[out->alt_id[i]] - norm);
    out->n_alternatives = count;
    out->logprob = (float)((double)raw[out->id] - norm);
}

/* The id under the penalised, filtered values; with the mask the same draw among what it allows. Where filters and mask
 * leave nothing in common, the best allowed value. */
static void choose(struct vlk_cpu *cpu, const struct vlk_sample_args *a, float *values, int32_t *heap, struct vlk_sampled *out)
{
    const bool greedy = !(a->temperature > 0);
    int32_t best = largest(a, values, false), fallback = a->allowed ? largest(a, values, true) : best;
    double u = uniform(a->seed, a->step->rng);

    out->unmasked_id = best;
    out->id = fallback >= 0 ? fallback : best;
    if (greedy || best < 0)
        return;
    cpu->isa->scale(values, a->vocab, 1 / a->temperature);
    for (int32_t i = 0; i < a->vocab; i++)
        values[i] = tame(values[i]);
    if (a->top_k > 0 && a->top_k < a->vocab)
        keep_top_k(a, values, heap);
    if (a->top_p < 1)
        keep_top_p(cpu, a, values, heap);
    best = draw(a, values, false, u);
    if (best < 0)
        return;
    out->unmasked_id = best;
    best = a->allowed && fallback >= 0 ? draw(a, values, true, u) : best;
    if (best >= 0)
        out->id = best;
}

void vlk_cpu_sample(struct vlk_backend *be, const struct vlk_sample_args *a)
{
    struct vlk_cpu *cpu = vlk_cpu_of(be);
    const size_t vocab = a->vocab > 0 ? (size_t)a->vocab : 0;
    float *raw = vlk_cpu_poisoned(cpu) ? NULL : vlk_scratch(cpu, VLK_SLOT_SAMPLE, vocab * (2 * sizeof *raw + sizeof(int32_t)));
    float *values = raw + vocab;
    const float penalty = a->repetition_penalty;

    if (!raw || !vocab)
        return;
    for (size_t i = 0; i < vocab; i++) {
        float x = raw[i] = tame(a->logits[i]);

        if (a->seen[i] && penalty > 0 && penalty != 1)
            x = tame(x > 0 ? x / penalty : x * penalty);
        values[i] = x;
    }
    memset(a->result, 0, sizeof *a->result);
    choose(cpu, a, values, (int32_t *)(values + vocab), a->result);
    report(cpu, a, raw, a->result);
    a->seen[a->result->id] = 1;
    a->step->token = a->result->id;
    a->step->rng++;
}
