/* SPDX-License-Identifier: MIT
 *
 * Reads from the logits how sure a box's numbers are. The logits are read back only at the few steps at which a number begins;
 * no op is needed for it.
 */
#include "engine/grounding/box_confidence.h"

#include "engine/error.h"

#include <math.h>

vl2_status vl2_confidence_init(const struct vl2_engine *e, struct vl2_confidence *c, vl2_error *err) {
    *c = (struct vl2_confidence){.engine = e};
    c->logits = vlk_alloc((size_t) e->config.lm.vocab, sizeof *c->logits);
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
    return (double) logits[id] - (double) logprob;
}

bool vl2_confidence_read(struct vl2_confidence *c, const struct vl2_box_state *state, int32_t id, const float *logits, float logprob) {
    const struct vl2_engine *e = c->engine;
    struct vl2_box_number written;
    if (!c->logits || !vl2_box_grammar_number(e->grammar, state, id, &written))
        return false;
    e->backend->ops->mem_read(e->backend, c->logits, logits, (size_t) e->config.lm.vocab * sizeof *logits);
    double norm = log_norm(c->logits, id, logprob), mass = 0, sum = 0, squares = 0, digits[10] = {0};
    size_t n = vl2_box_grammar_numbers(e->grammar, state, c->numbers);
    for (size_t i = 0; i < n; i++) {
        const struct vl2_box_number *number = &c->numbers[i];
        if (number->id >= e->config.lm.vocab || number->index != written.index)
            continue;
        double p = exp((double) c->logits[number->id] - norm);
        mass += p;
        sum += p * number->value;
        squares += p * number->value * number->value;
        digits[number->digit] += p;
    }
    if (!(mass > 0) || !isfinite(mass))
        return false;
    double mean = sum / mass, variance = squares / mass - mean * mean;
    c->coordinate = (struct vl2_coordinate){.index = written.index, .whole = vl2_box_grammar_whole_numbers(e->grammar), .mass = (float) mass};
    c->coordinate.expected = (float) mean;
    c->coordinate.deviation = (float) sqrt(variance > 0 ? variance : 0);
    for (int d = 0; d < 10; d++)
        c->coordinate.digits[d] = (float) (digits[d] / mass);
    return true;
}
