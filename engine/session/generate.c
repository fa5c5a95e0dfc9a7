/* SPDX-License-Identifier: MIT
 *
 * The generation loop: sample, decode bytes to text, hand the token over, run it through the model. One submission per token;
 * nothing is allocated in the loop but the answer's growing text. See engine/vl2.h and engine/session/session_parts.h.
 */
#include "engine/session/session_parts.h"

#include "engine/error.h"
#include "engine/grounding/box_confidence.h"
#include "engine/grounding/box_grammar.h"
#include "engine/model/backend_wait.h"
#include "engine/session/attention_map.h"
#include "engine/session/eviction.h"
#include "engine/session/repeat_guard.h"
#include "engine/text/tokenizer.h"

#include <math.h>
#include <string.h>

enum { MAX_CYCLE = 64, MIN_REPEATED = 128, MIN_ROUNDS = 4 };

struct run { /* one call of vl2_session_generate */
    struct vl2_session *session;
    const struct vl2_generate_options *options;
    vl2_token_fn on_token;
    void *user;
    struct vl2_detokenizer detokenizer;
    struct vl2_box_state boxes;
    struct vl2_confidence confidence;
    struct vl2_attention_tap attention;
    struct vlk_sampled sampled;
    size_t prompt;      /* tokens that were there before */
    bool closing;       /* it repeats itself: only a block of boxes is still written to its end */
    struct vl2_generation *out;
    bool text_complete; /* answer_text holds everything: there was memory for it */
    vl2_error *err;
};

static vl2_status check_options(const struct vl2_session *s, const struct vl2_generate_options *o, vl2_error *err) {
    const struct vl2_sampling *p = &o->sampling;
    if (!s->ready)
        return vl2_fail(err, VL2_ERR_USAGE, "There is no conversation to answer: the last sync failed or was already answered.");
    if (!(p->temperature >= 0 && p->temperature <= 1e6f) || !(p->top_p > 0 && p->top_p <= 1) || p->top_k < 0)
        return vl2_fail(err, VL2_ERR_USAGE, "Temperature %g, top-p %g and top-k %d are not a sampling that exists.",
                        (double)p->temperature, (double)p->top_p, p->top_k);
    if (!(p->repetition_penalty > 0 && p->repetition_penalty <= 1e6f))
        return vl2_fail(err, VL2_ERR_USAGE, "A repetition penalty of %g makes no sense.", (double)p->repetition_penalty);
    if (o->max_tokens < 1 && o->n_replay == 0)
        return vl2_fail(err, VL2_ERR_USAGE, "At most %d tokens were asked for.", o->max_tokens);
    for (size_t i = 0; i < o->n_replay; i++)
        if (o->replay[i] < 0 || o->replay[i] >= s->engine->config.lm.vocab)
            return vl2_fail(err, VL2_ERR_USAGE, "Token %zu of the answer has the id %d; the model knows 0 to %d.", i + 1, o->replay[i],
                            s->engine->config.lm.vocab - 1);
    if (o->guard.ngram && (o->guard.ngram < 2 || o->guard.window < 1))
        return vl2_fail(err, VL2_ERR_USAGE, "A guard against the same %d tokens within %d makes no sense.", o->guard.ngram, o->guard.window);
    if (o->alternatives < 0 || o->alternatives > VLK_MAX_ALTERNATIVES)
        return vl2_fail(err, VL2_ERR_USAGE, "%d alternatives were asked for; 0 to %d are possible.", o->alternatives,
                        VLK_MAX_ALTERNATIVES);
    return VL2_OK;
}

bool vl2_is_cycling(const int32_t *ids, size_t n) {
    for (size_t period = 1; period <= MAX_CYCLE; period++) {
        size_t wanted = period * MIN_ROUNDS > MIN_REPEATED ? period * MIN_ROUNDS : MIN_REPEATED, matched = period;
        if (n < wanted)
            return false;
        while (matched < wanted && ids[n - 1 - matched] == ids[n - 1 - matched + period])
            matched++;
        if (matched == wanted)
            return true;
    }
    return false;
}

/* The grammar is wanted for its mask, or to know where numbers are. */
static bool follows_boxes(const struct vl2_generate_options *o) {
    return o->constrain_boxes || o->coordinates;
}

static int32_t tokens_left(const struct run *r) {
    size_t room = r->session->capacity - r->session->length + 1; /* the last one need not enter the cache */
    size_t left = (size_t)r->options->max_tokens - r->out->tokens;
    size_t out = r->closing ? (size_t)vl2_box_grammar_way_out(&r->boxes) : left;
    left = out < left ? out : left;
    return (int32_t)(left < room ? left : room);
}

/* The ids that may come next, in s->allowed; false: all. */
static bool make_mask(struct run *r) {
    struct vl2_session *s = r->session;
    const struct vl2_generate_options *o = r->options;
    int32_t vocab = s->engine->config.lm.vocab;
    if (o->n_replay > 0) {
        int32_t id = o->replay[r->out->tokens];
        memset(s->allowed, 0, ((size_t)vocab + 31) / 32 * sizeof *s->allowed);
        s->allowed[id / 32] = 1u << (id % 32);
        return true;
    }
    bool masked = o->constrain_boxes && vl2_box_grammar_mask(s->engine->grammar, &r->boxes, tokens_left(r), vocab, s->allowed);
    return vl2_repeat_guard_mask(&o->guard, s->answer, s->answer_prefix + r->out->tokens, vocab, masked, s->allowed);
}

static void enqueue_sample(struct run *r) {
    struct vl2_session *s = r->session;
    struct vl2_engine *e = s->engine;
    const struct vl2_sampling *p = &r->options->sampling;
    bool masked = make_mask(r);
    e->backend->ops->sample(e->backend, &(struct vlk_sample_args){.vocab = e->config.lm.vocab,
                                                                  .temperature = p->temperature,
                                                                  .top_p = p->top_p,
                                                                  .repetition_penalty = p->repetition_penalty,
                                                                  .top_k = p->top_k,
                                                                  .seed = p->seed,
                                                                  .n_alternatives = r->options->alternatives,
                                                                  .logits = s->scratch.logits,
                                                                  .allowed = masked ? s->allowed : NULL,
                                                                  .seen = s->seen,
                                                                  .step = s->scratch.step,
                                                                  .result = s->result});
}

/* The token that comes next, `i` behind the prompt, takes the place of the one that leaves the ring.
 * modeling_deepseekv2.py of Unlimited-OCR: SlidingWindowLlamaAttention.forward */
static void turn_ring(struct run *r) {
    struct vl2_session *s = r->session;
    struct vlk_backend *be = s->engine->backend;
    size_t ring = (size_t)s->engine->config.lm.ring, i = s->length - r->prompt;
    if (ring == 0)
        return;
    s->scratch.seen = s->scratch.ring_step;
    s->scratch.shift = i - i % ring;
    be->ops->mem_write(be, s->scratch.seen, &(struct vlk_step){.pos = (int32_t)(r->prompt + (i < ring ? i : ring - 1))},
                       sizeof(struct vlk_step));
}

/* Behind an answer that was longer than the ring the cache holds the prompt. */
static void end_ring(struct run *r) {
    struct vl2_session *s = r->session;
    if (s->scratch.shift)
        s->length = r->prompt;
    s->scratch.seen = NULL;
    s->scratch.shift = 0;
}

/* The decode step: the last sampled token, which lies in the step's own memory, through every layer. */
static void enqueue_token(struct run *r) {
    struct vl2_session *s = r->session;
    struct vl2_engine *e = s->engine;
    struct vlk_backend *be = e->backend;
    turn_ring(r);
    vl2_attention_tap_token(&r->attention, s, (int32_t)s->length + 1);
    vl2_decoder_logits(e, &s->scratch, 0, 1, s->scratch.logits);
    be->ops->step_advance(be, s->scratch.step, 1);
}

static void keep_text(struct run *r, const char *text, size_t length) {
    struct vl2_session *s = r->session;
    if (!r->text_complete || length == 0)
        return;
    if (s->answer_room - s->answer_bytes < length) {
        size_t room = 2 * (s->answer_bytes + length) + 256;
        void *p = vlk_realloc(s->answer_text, s->answer_room, room);
        if (!p) {
            r->text_complete = false;
            return;
        }
        s->answer_text = p;
        s->answer_room = room;
    }
    memcpy(s->answer_text + s->answer_bytes, text, length);
    s->answer_bytes += length;
}

/* Takes the sampled token into the answer and hands it over. False: the caller wants no more. */
static bool deliver(struct run *r) {
    struct vl2_session *s = r->session;
    struct vl2_token token = {.id = r->sampled.id,
                              .logprob = r->sampled.logprob,
                              .n_alternatives = r->sampled.n_alternatives,
                              .alternative_ids = r->sampled.alt_id,
                              .alternative_logprobs = r->sampled.alt_logprob,
                              .n_attention = r->attention.n_pictures,
                              .attention = r->attention.maps};
    vl2_attention_tap_read(&r->attention);
    if (r->options->coordinates && vl2_confidence_read(&r->confidence, &r->boxes, token.id, s->scratch.logits, token.logprob))
        token.coordinate = &r->confidence.coordinate;
    s->answer[s->answer_prefix + r->out->tokens++] = token.id;
    if (follows_boxes(r->options))
        vl2_box_grammar_feed(s->engine->grammar, &r->boxes, token.id);
    vl2_detokenizer_feed(&r->detokenizer, token.id, &token.text, &token.length);
    keep_text(r, token.text, token.length);
    return !r->on_token || r->on_token(&token, r->user);
}

/* What ends the answer after a token, if anything does. */
static bool is_over(struct run *r, const vl2_cancel *cancel, vl2_stop *stop) {
    struct vl2_session *s = r->session;
    const struct vl2_generate_options *o = r->options;
    bool replaying = o->n_replay > 0;
    *stop = replaying ? VL2_STOP_EOS : VL2_STOP_MAX_TOKENS;
    if (r->out->tokens == (replaying ? o->n_replay : (size_t)o->max_tokens))
        return true;
    *stop = VL2_STOP_CONTEXT;
    if (s->length == s->capacity)
        return true;
    *stop = VL2_STOP_REPETITION;
    r->closing = r->closing || (!replaying && vl2_is_cycling(s->answer + s->answer_prefix, r->out->tokens));
    if (r->closing && !(o->constrain_boxes && vl2_box_grammar_inside(&r->boxes)))
        return true;
    *stop = VL2_STOP_CANCELLED;
    return cancel && atomic_load(cancel);
}

/* The tokenizer's end of a sentence and, where the model's configuration lists several, each of them. */
static bool ends_answer(const struct vl2_engine *e, int32_t id) {
    bool ends = id == e->special.eos;
    for (int32_t i = 0; e->config.lm.n_eos > 1 && i < e->config.lm.n_eos; i++)
        ends |= id == e->config.lm.eos[i];
    return ends;
}

/* Runs until something ends the answer; *stop says what. */
static vl2_status loop(struct run *r, const vl2_cancel *cancel, vl2_stop *stop) {
    struct vl2_session *s = r->session;
    struct vl2_engine *e = s->engine;
    double start = vl2_now_ms();
    for (;;) {
        enqueue_sample(r);
        vl2_status status = vl2_backend_wait(e, r->err);
        if (status != VL2_OK)
            return status;
        e->backend->ops->mem_read(e->backend, &r->sampled, s->result, sizeof r->sampled);
        if (r->out->tokens > 0)
            s->length++; /* the token before this one is in the cache now */
        else
            r->out->first_token_ms = vl2_now_ms() - start;
        r->out->mask_changed += r->options->n_replay == 0 && r->sampled.id != r->sampled.unmasked_id;
        *stop = VL2_STOP_EOS;
        if (ends_answer(e, r->sampled.id))
            return VL2_OK;
        *stop = VL2_STOP_CALLER;
        if (!deliver(r))
            return VL2_OK;
        if (is_over(r, cancel, stop))
            return VL2_OK;
        s->ids[s->length] = r->sampled.id;
        enqueue_token(r);
    }
}

/* Everything that the loop must find in place. */
static vl2_status prepare(struct run *r) {
    struct vl2_session *s = r->session;
    struct vl2_engine *e = s->engine;
    struct vlk_backend *be = e->backend;
    bool follow = follows_boxes(r->options);
    vl2_status status = VL2_OK;
    if (follow && !e->grammar)
        status = vl2_box_grammar_open(e->tokenizer, e->special.det, e->special.det_end, &e->grammar, r->err);
    if (status == VL2_OK && r->options->coordinates)
        status = vl2_confidence_init(e, &r->confidence, r->err);
    if (status == VL2_OK)
        status = vl2_attention_tap_init(s, r->options, &r->attention, r->err);
    if (status == VL2_OK)
        status = vl2_attention_tap_first(&r->attention, r->err);
    if (status != VL2_OK)
        return status;
    for (size_t i = 0; follow && i < s->answer_prefix; i++)
        vl2_box_grammar_feed(e->grammar, &r->boxes, s->answer[i]);
    size_t vocab = (size_t)e->config.lm.vocab;
    memset(s->seen_host, 0, vocab);
    for (size_t i = 0; i < s->length; i++)
        s->seen_host[s->ids[i]] = 1;
    be->ops->mem_write(be, s->seen, s->seen_host, vocab);
    be->ops->mem_write(be, s->scratch.step, &(struct vlk_step){.pos = (int32_t)s->length}, sizeof(struct vlk_step));
    return vl2_detokenizer_init(&r->detokenizer, e->tokenizer, r->err);
}

static void tear_down(struct run *r) {
    vl2_detokenizer_deinit(&r->detokenizer);
    vl2_confidence_deinit(&r->confidence);
    vl2_attention_tap_deinit(&r->attention);
}

vl2_status vl2_session_generate(vl2_session *s, const struct vl2_generate_options *options, const vl2_cancel *cancel,
                                vl2_token_fn on_token, void *user, struct vl2_generation *out, vl2_error *err) {
    struct vl2_generation unused;
    out = out ? out : &unused;
    *out = (struct vl2_generation){0};
    struct run r = {.session = s, .options = options, .on_token = on_token, .user = user, .out = out,
                    .prompt = s->length, .text_complete = true, .err = err};
    vl2_status status = check_options(s, options, err);
    if (status == VL2_OK)
        status = vl2_eviction_enter(s, err);
    if (status != VL2_OK)
        return status;
    status = prepare(&r);
    if (status != VL2_OK) {
        tear_down(&r);
        return status;
    }
    s->ready = false;
    double start = vl2_now_ms();
    status = loop(&r, cancel, &out->stop);
    out->decode_ms = vl2_now_ms() - start;
    if (r.text_complete)
        vl2_answers_remember(&s->answers, s->answer_text, s->answer_bytes, s->answer, s->answer_prefix + out->tokens);
    end_ring(&r);
    tear_down(&r);
    return status;
}
