/* SPDX-License-Identifier: MIT
 *
 * Reads from the logits how sure a box's numbers are. The logits are read back only at the few steps at which a number begins;
 * no op is needed for it.
 */
#include "engine/grounding/box_confidence.h"

#include "engine/error.h"

#include <math.h>
#include <string.h>

vl2_status vl2_confidence_init(const struct vl2_engine *e, struct vl2_confidence *c, vl2_error *err) {
    *c = (struct vl2_confidence){.engine = e};
    c->logits = vlk_alloc((size_t)e->config.lm.vocab, sizeof *c->logits);
    c->numbers = vlk_alloc(vl2_box_grammar_pieces(e->grammar), sizeof *c->numbers);
    if (c->logits && c->numbers)
        return VL2_OK;
    vl2_confidence_deinit(c);
    return vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory to tell how sure the model is of its boxes.");
}

void vl2_confidence_deinit(struct vl2_confidence *c) {
    vlk_free(c->logits);
    vlk_free(c->numbers);
    *c = (struct vl2_confidence){0};
}

/* log of the sum over the vocabulary of exp(logit), from one token's log-probability. */
static double log_norm(const float *logits, int32_t id, float logprob) {
    return (double)logits[id] - (double)logprob;
}

/* The share of each digit and of the end among the n tokens in c->numbers; their mass. */
static double share(struct vl2_confidence *c, size_t n, double norm, double out[VL2_NUMBER_ENDS + 1]) {
    double mass = 0;
    for (int i = 0; i <= VL2_NUMBER_ENDS; i++)
        out[i] = 0;
    for (size_t i = 0; i < n; i++)
        if (c->numbers[i].id < c->engine->config.lm.vocab) {
            double p = exp((double)c->logits[c->numbers[i].id] - norm);
            out[c->numbers[i].digit] += p;
            mass += p;
        }
    for (int i = 0; i <= VL2_NUMBER_ENDS; i++)
        out[i] /= mass;
    return mass;
}

struct moments {
    double mass, sum, squares;
};

/* Numbers of `free` unknown digits behind `prefix`, all as likely. */
static void add_numbers(struct moments *m, double p, int prefix, int free) {
    double width = free > 0 ? free > 1 ? 100 : 10 : 1, mean = prefix * width + (width - 1) / 2;
    m->mass += p;
    m->sum += p * mean;
    m->squares += p * (mean * mean + (width * width - 1) / 12);
}

static void set_moments(struct vl2_coordinate *out, const struct moments *m) {
    double mean = m->sum / m->mass, variance = m->squares / m->mass - mean * mean;
    out->expected = (float)mean;
    out->deviation = (float)sqrt(variance > 0 ? variance : 0);
}

/* All ways that the number could have gone: away from the written digits at any of them, or on behind the last. */
static void complete(struct vl2_confidence *c) {
    struct moments m = {0};
    double path = 1;
    int prefix = 0;
    for (int level = 0; level < c->levels; level++) {
        for (int d = 0; d < 10; d++)
            if (d != c->written[level])
                add_numbers(&m, path * c->offered[level][d], 10 * prefix + d, level == 0 && d == 0 ? 0 : c->levels - 1 - level);
        if (level > 0)
            add_numbers(&m, path * c->offered[level][VL2_NUMBER_ENDS], prefix, 0);
        path *= c->offered[level][c->written[level]];
        prefix = 10 * prefix + c->written[level];
    }
    for (int d = 0; d < 10 && c->levels < 3; d++)
        add_numbers(&m, path * c->offered[c->levels][d], 10 * prefix + d, 0);
    add_numbers(&m, c->levels < 3 ? path * c->offered[c->levels][VL2_NUMBER_ENDS] : path, prefix, 0);
    c->coordinate.whole = c->coordinate.completes = true;
    set_moments(&c->coordinate, &m);
}

/* A token inside of a number that began with a digit alone. True when it ends the number. */
static bool follow_digits(struct vl2_confidence *c, const struct vl2_box_state *state, int32_t id, double norm) {
    size_t n = vl2_box_grammar_continuations(c->engine->grammar, state, c->numbers);
    const struct vl2_box_number *found = NULL;
    int level = c->levels;
    for (size_t i = 0; i < n && !found; i++)
        found = c->numbers[i].id == id ? &c->numbers[i] : NULL;
    c->levels = 0;
    if (!found || level > 3 || !(share(c, n, norm, c->offered[level]) > 0))
        return false;
    c->levels = level;
    if (found->digit == VL2_NUMBER_ENDS) {
        complete(c);
        c->levels = 0;
        return isfinite(c->coordinate.expected) && isfinite(c->coordinate.deviation);
    }
    c->levels = found->alone && level < 3 ? level + 1 : 0;
    if (c->levels)
        c->written[level] = found->digit;
    return false;
}

static bool begin_number(struct vl2_confidence *c, const struct vl2_box_state *state, const struct vl2_box_number *written, double norm) {
    size_t n = vl2_box_grammar_numbers(c->engine->grammar, state, c->numbers), kept = 0;
    struct moments m = {0};
    double offered[VL2_NUMBER_ENDS + 1];
    for (size_t i = 0; i < n; i++)
        if (c->numbers[i].index == written->index)
            c->numbers[kept++] = c->numbers[i];
    double mass = share(c, kept, norm, offered);
    if (!(mass > 0) || !isfinite(mass))
        return false;
    for (size_t i = 0; i < kept; i++)
        if (c->numbers[i].id < c->engine->config.lm.vocab)
            add_numbers(&m, exp((double)c->logits[c->numbers[i].id] - norm) / mass, c->numbers[i].value, 0);
    c->coordinate = (struct vl2_coordinate){.index = written->index, .whole = vl2_box_grammar_whole_numbers(c->engine->grammar),
                                            .mass = (float)mass};
    set_moments(&c->coordinate, &m);
    for (int d = 0; d < 10; d++)
        c->coordinate.digits[d] = (float)offered[d];
    c->levels = !c->coordinate.whole && written->alone;
    c->written[0] = written->digit;
    memcpy(c->offered[0], offered, sizeof offered);
    return true;
}

bool vl2_confidence_read(struct vl2_confidence *c, const struct vl2_box_state *state, int32_t id, const float *logits, float logprob) {
    const struct vl2_engine *e = c->engine;
    struct vl2_box_number written;
    bool begins = c->logits && vl2_box_grammar_number(e->grammar, state, id, &written);
    if (!begins && !c->levels)
        return false;
    e->backend->ops->mem_read(e->backend, c->logits, logits, (size_t)e->config.lm.vocab * sizeof *logits);
    double norm = log_norm(c->logits, id, logprob);
    if (c->levels && follow_digits(c, state, id, norm))
        return true; /* where the same token begins the next number, that one is told of by its end */
    return begins && begin_number(c, state, &written, norm);
}
