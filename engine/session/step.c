/* SPDX-License-Identifier: MIT
 *
 * Sessions that go through a pass together share the scratch of the first: a row of it is a session. Each has its own cache, and its
 * token and position in its own step. See engine/session/step.h.
 */
#include "engine/session/step.h"

#include "engine/error.h"
#include "engine/model/backend_wait.h"
#include "engine/model/device_memory.h"

int32_t vl2_step_width(const struct vl2_engine *e) {
    return e->backend->traits.together > 1 ? e->backend->traits.together : 1;
}

vl2_status vl2_step_prepare(struct vl2_engine *e, int32_t n, vl2_error *err) {
    size_t bytes = (size_t)vl2_step_width(e) * (size_t)e->config.lm.vocab * sizeof *e->common_logits;
    if (n == 1 || e->common_logits)
        return VL2_OK;
    e->common_logits = vl2_device_alloc(e, bytes);
    return e->common_logits ? VL2_OK : vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory for several answers at once (%zu MiB).",
                                                bytes >> 20);
}

static void embed_tokens(struct vl2_session *const *sessions, int32_t n) {
    const struct vl2_engine *e = sessions[0]->engine;
    struct vlk_backend *be = e->backend;
    for (int32_t i = 0; i < n; i++)
        be->ops->embed(be, &(struct vlk_embed_args){.n = 1,
                                                    .width = e->config.lm.hidden,
                                                    .ids = &sessions[i]->scratch.step->token,
                                                    .table = e->weights.embed,
                                                    .out = sessions[0]->scratch.x + (size_t)i * (size_t)e->config.lm.hidden});
}

/* Everybody's logits to where they are looked for. */
static void finish(struct vl2_session *const *sessions, int32_t n) {
    const struct vl2_engine *e = sessions[0]->engine;
    struct vlk_backend *be = e->backend;
    size_t vocab = (size_t)e->config.lm.vocab;
    float *logits = n == 1 ? sessions[0]->scratch.logits : e->common_logits;
    vl2_decoder_logits(e, &sessions[0]->scratch, 0, n, n > 1, logits);
    for (int32_t i = 0; i < n; i++) {
        if (n > 1)
            be->ops->mem_copy(be, sessions[i]->scratch.logits, logits + (size_t)i * vocab, vocab * sizeof *logits);
        be->ops->step_advance(be, sessions[i]->scratch.step, 1);
    }
}

void vl2_step_enqueue(struct vl2_session *const *sessions, int32_t n, const struct vl2_attention_tap *tap, bool logits) {
    const struct vl2_engine *e = sessions[0]->engine;
    struct vl2_sequence sequences[VLK_MAX_APART];
    for (int32_t i = 0; i < n; i++) {
        const struct vl2_scratch *own = &sessions[i]->scratch;
        sequences[i] = (struct vl2_sequence){&sessions[i]->kv, own->step, own->seen, own->shift, (int32_t)sessions[i]->length + 1};
    }
    embed_tokens(sessions, n);
    for (int32_t layer = 0; layer < e->config.lm.layers; layer++) {
        if (tap)
            vl2_attention_tap_layer(tap, layer);
        vl2_decoder_layer(e, sequences, n, &sessions[0]->scratch, layer, n);
    }
    if (logits)
        finish(sessions, n);
}

void vl2_step_ahead(struct vl2_session *s, int32_t n, float *logits) {
    const struct vl2_engine *e = s->engine;
    struct vlk_backend *be = e->backend;
    const struct vl2_sequence sequence = {&s->kv, s->scratch.step, s->scratch.seen, s->scratch.shift, (int32_t)s->length + n};
    be->ops->mem_write(be, s->scratch.ids, s->ids + s->length, (size_t)n * sizeof *s->ids);
    vl2_decoder_tokens(e, &sequence, &s->scratch, n);
    vl2_decoder_logits(e, &s->scratch, 0, n, false, logits);
    be->ops->mem_copy(be, s->scratch.logits, logits, (size_t)e->config.lm.vocab * sizeof *logits);
    be->ops->step_advance(be, s->scratch.step, 1);
}

/* The cache rows of one position between the cache and `saved`. */
static void copy_rows(const struct vl2_attention_tap *tap, size_t position, uint8_t *saved, bool restore) {
    struct vl2_session *s = tap->session;
    struct vlk_backend *be = s->engine->backend;
    int32_t layers = s->engine->config.lm.layers;
    size_t halves = s->kv.v[0] ? 2 : 1, row = vl2_kv_bytes(&s->engine->config, 1, s->kv.dtype) / (size_t)layers / halves;
    for (int32_t layer = 0; layer < layers; layer++)
        for (size_t half = 0; half < halves; half++, saved += row) {
            uint8_t *cached = (uint8_t *)(half ? s->kv.v[layer] : s->kv.k[layer]) + position * row;
            be->ops->mem_copy(be, restore ? cached : saved, restore ? saved : cached, row);
        }
}

vl2_status vl2_step_again(const struct vl2_attention_tap *tap, vl2_error *err) {
    if (!tap->probs)
        return VL2_OK;
    struct vl2_session *s = tap->session;
    struct vl2_engine *e = s->engine;
    struct vlk_backend *be = e->backend;
    size_t last = s->length - 1;
    uint8_t *saved = vl2_device_alloc(e, vl2_kv_bytes(&e->config, 1, s->kv.dtype));
    if (!saved)
        return vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory for the attention to pictures.");
    copy_rows(tap, last, saved, false);
    be->ops->mem_write(be, s->scratch.step, &(struct vlk_step){.pos = (int32_t)last, .token = s->ids[last]}, sizeof(struct vlk_step));
    vl2_step_enqueue(&s, 1, tap, false);
    be->ops->step_advance(be, s->scratch.step, 1);
    copy_rows(tap, last, saved, true);
    vl2_status status = vl2_backend_wait(e, err);
    be->ops->mem_free(be, saved);
    return status;
}
