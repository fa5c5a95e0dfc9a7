/* SPDX-License-Identifier: MIT
 *
 * Sampling: the order of the filters, exact distributions against a brute-force reference, ties, masks, penalties, reports,
 * determinism and hostile logits.
 */
#include "tests/kernels/reference.h"

#define MAX_VOCAB 64

static const char *level;
static struct vlk_backend *be;

struct setting {
    int vocab, top_k;
    float temperature, top_p, penalty;
    const uint32_t *allowed;
};

static struct vlk_sampled sample(const struct setting *s, const float *logits, const uint8_t *seen, uint64_t seed,
                                 struct vlk_step *step)
{
    struct vlk_sampled result = { 0 };
    uint8_t marks[MAX_VOCAB] = { 0 };

    if (seen)
        memcpy(marks, seen, (size_t)s->vocab);
    be->ops->sample(be, &(struct vlk_sample_args){
        .vocab = s->vocab, .temperature = s->temperature, .top_p = s->top_p, .repetition_penalty = s->penalty,
        .top_k = s->top_k, .seed = seed, .n_alternatives = 5, .logits = logits, .allowed = s->allowed, .seen = marks,
        .step = step, .result = &result });
    if (!marks[result.id] || step->token != result.id)
        tap_diag("the chosen id is not marked");
    return result;
}

/* The distribution as transformers' processors define it: sorts ascending and removes what the cumulated probability says. */
static void distribution(const struct setting *s, const float *logits, const uint8_t *seen, double *p)
{
    double value[MAX_VOCAB], total = 0;
    int order[MAX_VOCAB];

    for (int i = 0; i < s->vocab; i++) {
        value[i] = (double)logits[i];
        if (seen && seen[i])
            value[i] = value[i] > 0 ? value[i] / (double)s->penalty : value[i] * (double)s->penalty;
        value[i] /= (double)s->temperature;
        order[i] = i;
    }
    /* ascending; of equal values the higher id first, so that the lower one survives longer */
    for (int i = 1; i < s->vocab; i++)
        for (int j = i; j > 0 && (value[order[j]] < value[order[j - 1]] ||
                                  (value[order[j]] == value[order[j - 1]] && order[j] > order[j - 1])); j--) {
            int swap = order[j];

            order[j] = order[j - 1];
            order[j - 1] = swap;
        }
    if (s->top_k > 0 && s->top_k < s->vocab) {
        double limit = value[order[s->vocab - s->top_k]];

        for (int i = 0; i < s->vocab; i++)
            value[i] = value[i] < limit ? -INFINITY : value[i];
    }
    for (int i = 0; i < s->vocab; i++)
        total += exp(value[i]);
    if (s->top_p < 1) {
        double sum = 0;

        for (int i = 0; i < s->vocab - 1; i++) {
            sum += exp(value[order[i]]) / total;
            if (sum <= 1 - (double)s->top_p)
                value[order[i]] = -INFINITY;
        }
    }
    total = 0;
    for (int i = 0; i < s->vocab; i++) {
        p[i] = s->allowed && !(s->allowed[i / 32] >> (i % 32) & 1) ? 0 : exp(value[i]);
        total += p[i];
    }
    for (int i = 0; i < s->vocab; i++)
        p[i] /= total;
}

/* Chi-square of many draws with consecutive counters. With the fixed seed the outcome is a constant; a right sampler passes
 * for 999 of 1000 seeds (mean d, variance 2d, bound d + 4 sqrt(2d) + 4). */
static void check_distribution(const struct setting *s, const float *logits, const uint8_t *seen, const char *name)
{
    enum { DRAWS = 20000 };
    struct vlk_step step = { 0 };
    double p[MAX_VOCAB], chi = 0;
    int count[MAX_VOCAB] = { 0 }, impossible = 0, classes = 0;

    distribution(s, logits, seen, p);
    for (int i = 0; i < DRAWS; i++)
        count[sample(s, logits, seen, 7, &step).id]++;
    for (int i = 0; i < s->vocab; i++) {
        double want = p[i] * DRAWS;

        impossible += p[i] == 0 && count[i];
        if (want >= 5) {
            chi += (count[i] - want) * (count[i] - want) / want;
            classes++;
        }
    }
    ok(impossible == 0, "%s %s: nothing that the filters removed", level, name);
    ok(chi <= classes - 1 + 4 * sqrt(2.0 * (classes > 1 ? classes - 1 : 0)) + 4, "%s %s: distribution (chi-square %.1f of %d)",
       level, name, chi, classes);
    is_int((int64_t)step.rng, DRAWS, "one counter per draw");
}

static void test_distributions(void)
{
    float logits[40], flat[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };
    uint8_t seen[40] = { 0 };
    uint32_t mask[2] = { 0x0f0f0f0f, 0x55 };

    for (int i = 0; i < 40; i++)
        logits[i] = 2 * normal();
    seen[3] = seen[8] = seen[21] = 1;
    check_distribution(&(struct setting){ 40, 0, 1, 1, 1, NULL }, logits, NULL, "plain");
    check_distribution(&(struct setting){ 40, 0, 0.7f, 1, 1.3f, NULL }, logits, seen, "temperature and penalty");
    check_distribution(&(struct setting){ 40, 7, 1, 1, 1, NULL }, logits, NULL, "top-k");
    check_distribution(&(struct setting){ 40, 0, 1, 0.8f, 1, NULL }, logits, NULL, "top-p");
    check_distribution(&(struct setting){ 40, 12, 1.5f, 0.9f, 1.2f, NULL }, logits, seen, "all filters");
    check_distribution(&(struct setting){ 40, 0, 1, 0.9f, 1, mask }, logits, NULL, "mask after top-p");
    check_distribution(&(struct setting){ 8, 3, 1, 1, 1, NULL }, flat, NULL, "ties at the top-k limit stay");
    check_distribution(&(struct setting){ 8, 0, 1, 0.5f, 1, NULL }, flat, NULL, "top-p of equal logits keeps the lower ids");
    check_distribution(&(struct setting){ 40, 0, 1, 0.0001f, 1, NULL }, logits, NULL, "top-p keeps at least one");
}

static void test_greedy(void)
{
    float logits[6] = { 1, 3, -2, 3, 2.9f, -8 };
    uint8_t seen[6] = { 0, 1, 0, 0, 0, 0 };
    uint32_t mask = 1u << 2 | 1u << 4, none = 0;
    struct vlk_step step = { .rng = 5 };
    struct setting s = { 6, 0, 0, 0.9f, 1, NULL };
    struct vlk_sampled r = sample(&s, logits, NULL, 1, &step);
    double norm = 0;

    for (int i = 0; i < 6; i++)
        norm += exp((double)logits[i]);
    is_int(r.id, 1, "greedy: ties choose the lowest id");
    near((double)r.logprob, 3 - log(norm), 1e-6, "log-probability of the raw logits");
    is_int(r.n_alternatives, 5, "as many alternatives as asked for");
    ok(r.alt_id[0] == 1 && r.alt_id[1] == 3 && r.alt_id[2] == 4 && r.alt_id[3] == 0 && r.alt_id[4] == 2,
       "alternatives in order, ties by id");
    near((double)r.alt_logprob[4], -2 - log(norm), 1e-6, "their log-probabilities");
    is_int((int64_t)step.rng, 6, "greedy advances the counter too");
    s.penalty = 1.5f;
    r = sample(&s, logits, seen, 1, &step);
    is_int(r.id, 3, "the penalty divides a positive logit");
    near((double)r.logprob, 3 - log(norm), 1e-6, "the report ignores the penalty");
    logits[1] = -1;
    logits[3] = logits[4] = -9;
    logits[0] = -1.2f;
    r = sample(&s, logits, seen, 1, &step);
    is_int(r.id, 0, "the penalty multiplies a negative logit");
    s.allowed = &mask;
    r = sample(&s, logits, seen, 1, &step);
    is_int(r.id, 2, "the mask chooses among what it allows");
    is_int(r.unmasked_id, 0, "and says what would have been");
    s.temperature = 0.01f;
    r = sample(&s, logits, seen, 1, &step);
    is_int(r.id, 2, "a mask that excludes all that top-p kept falls back to the best allowed");
    s.allowed = &none;
    r = sample(&s, logits, seen, 1, &step);
    is_int(r.id, r.unmasked_id, "an empty mask is no mask");
}

static void test_hostile(void)
{
    static const float values[] = { NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 0 };
    struct vlk_step step = { 0 };
    float logits[37];
    int bad = 0, nans = 0;

    for (int round = 0; round < 3000; round++) {
        struct setting s = { 1 + round % 37, round % 5, round % 3 ? 0.3f : 0, round % 2 ? 0.9f : 1, round % 4 ? 1.1f : 1, NULL };
        uint8_t seen[37];
        struct vlk_sampled r;

        for (int i = 0; i < 37; i++) {
            logits[i] = uniform_double() < 0.7 ? values[(int)(uniform_double() * 6)] : normal();
            seen[i] = uniform_double() < 0.5;
        }
        r = sample(&s, logits, seen, (uint64_t)round, &step);
        bad += r.id < 0 || r.id >= s.vocab || r.unmasked_id < 0 || r.unmasked_id >= s.vocab;
        nans += isnan(r.logprob);
    }
    is_int(bad, 0, "NaN and infinities: the id is always one of the vocabulary");
    is_int(nans, 0, "NaN and infinities: the log-probability is never NaN");
    logits[0] = NAN;
    logits[1] = -50;
    is_int(sample(&(struct setting){ 2, 0, 1, 1, 1, NULL }, logits, NULL, 1, &step).id, 1, "NaN is never drawn before a number");
}

static void test_repeatability(void)
{
    struct setting s = { 50, 0, 1, 0.95f, 1, NULL };
    struct vlk_step a = { 0 }, b = { 0 }, c = { 0 };
    int same = 0, other = 0;
    float logits[50];

    for (int i = 0; i < 50; i++)
        logits[i] = normal();
    for (int i = 0; i < 200; i++) {
        int id = sample(&s, logits, NULL, 11, &a).id;

        same += id == sample(&s, logits, NULL, 11, &b).id;
        other += id == sample(&s, logits, NULL, 12, &c).id;
    }
    is_int(same, 200, "the same seed and counter draw the same ids");
    ok(other < 40, "another seed draws others (%d of 200 agree)", other);
}

int main(void)
{
    for (const char *const *isa = vlk_cpu_isa_available(); *isa; isa++) {
        struct vlk_error err;

        be = vlk_cpu_open(&(struct vlk_cpu_options){ .threads = 2, .isa = *isa }, &err);
        level = *isa;
        if (!ok(be != NULL, "open %s", level))
            continue;
        test_distributions();
        test_greedy();
        test_hostile();
        test_repeatability();
        be->ops->close(be);
    }
    return tap_done();
}
