/* SPDX-License-Identifier: MIT
 *
 * Answers: sample, decode bytes to text, hand the token over, run it through the model, for one answer or for several that go on
 * together. One submission per token and group; nothing is allocated on the way but the answers' growing text. See
 * engine/vl2_session.h and engine/session/session_parts.h.
 *
 * The pass of an answer that goes on alone may read drafted tokens behind the drawn one (engine/session/draft.h). Each has logits of its
 * own, from which the next token is drawn as ever; while that is the one that was drafted, no pass is needed. What was not drawn lies
 * behind `length`: it is written over.
 */
#include "engine/session/session_parts.h"

#include "engine/error.h"
#include "engine/grounding/box_confidence.h"
#include "engine/grounding/box_grammar.h"
#include "engine/model/backend_wait.h"
#include "engine/model/device_memory.h"
#include "engine/session/attention_map.h"
#include "engine/session/draft.h"
#include "engine/session/eviction.h"
#include "engine/session/repeat_guard.h"
#include "engine/session/step.h"
#include "engine/text/tokenizer.h"

#include <math.h>
#include <string.h>

struct vl2_writing { /* one answer */
    struct vl2_session *session;
    struct vl2_generate_options options;
    const vl2_cancel *cancel;
    vl2_token_fn on_token;
    void *user;
    struct vl2_detokenizer detokenizer;
    struct vl2_box_state boxes;
    struct vl2_confidence confidence;
    struct vl2_attention_tap attention;
    struct vlk_sampled sampled;
    struct vl2_draft draft;
    float *logits;      /* (be) [most + 1][vocab], of a pass with drafted tokens; NULL where nothing is drafted */
    int32_t most;       /* tokens that may be drafted for a pass */
    int32_t rows, row;  /* of the last pass of this answer alone, and the one in scratch.logits; no rows: several shared it */
    bool ahead;         /* the drawn token is that of the next row */
    double pass_start, single_ms;
    size_t singles;     /* passes over one token that single_ms counts */
    size_t prompt;      /* tokens that were there before */
    bool closing;       /* it repeats itself: only a block of boxes is still written to its end */
    bool breaking;      /* the breaker comes next */
    size_t cycle_from;  /* tokens of the answer before which nothing counts as a cycle */
    bool over;
    struct vl2_generation out;
    bool text_complete; /* answer_text holds everything: there was memory for it */
    double start;
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
    if (o->cycles == VL2_CYCLES_BREAK && (o->breaker < 0 || o->breaker >= s->engine->config.lm.vocab))
        return vl2_fail(err, VL2_ERR_USAGE, "Token %d is to break cycles; the model knows 0 to %d.", o->breaker, s->engine->config.lm.vocab - 1);
    if (o->guard.ngram && (o->guard.ngram < 2 || o->guard.window < 1))
        return vl2_fail(err, VL2_ERR_USAGE, "A guard against the same %d tokens within %d makes no sense.", o->guard.ngram, o->guard.window);
    if (o->alternatives < 0 || o->alternatives > VLK_MAX_ALTERNATIVES)
        return vl2_fail(err, VL2_ERR_USAGE, "%d alternatives were asked for; 0 to %d are possible.", o->alternatives,
                        VLK_MAX_ALTERNATIVES);
    return VL2_OK;
}

/* The grammar is wanted for its mask, or to know where numbers are. */
static bool follows_boxes(const struct vl2_generate_options *o) {
    return o->constrain_boxes || o->coordinates;
}

static int32_t tokens_left(const struct vl2_writing *r) {
    size_t room = r->session->capacity - r->session->length + 1; /* the last one need not enter the cache */
    size_t left = (size_t)r->options.max_tokens - r->out.tokens;
    size_t out = r->closing ? (size_t)vl2_box_grammar_way_out(&r->boxes) : left;
    left = out < left ? out : left;
    return (int32_t)(left < room ? left : room);
}

/* The ids that may come next, in s->allowed; false: all. */
static bool make_mask(struct vl2_writing *r) {
    struct vl2_session *s = r->session;
    const struct vl2_generate_options *o = &r->options;
    int32_t vocab = s->engine->config.lm.vocab;
    if (o->n_replay > 0 || r->breaking) {
        int32_t id = r->breaking ? o->breaker : o->replay[r->out.tokens];
        memset(s->allowed, 0, ((size_t)vocab + 31) / 32 * sizeof *s->allowed);
        s->allowed[id / 32] = 1u << (id % 32);
        return true;
    }
    bool masked = o->constrain_boxes && vl2_box_grammar_mask(s->engine->grammar, &r->boxes, tokens_left(r), vocab, s->allowed);
    return vl2_repeat_guard_mask(&o->guard, s->answer, s->answer_prefix + r->out.tokens, vocab, masked, s->allowed);
}

static void enqueue_sample(struct vl2_writing *r) {
    struct vl2_session *s = r->session;
    struct vl2_engine *e = s->engine;
    const struct vl2_sampling *p = &r->options.sampling;
    bool masked = make_mask(r);
    e->backend->ops->sample(e->backend, &(struct vlk_sample_args){.vocab = e->config.lm.vocab,
                                                                  .temperature = p->temperature,
                                                                  .top_p = p->top_p,
                                                                  .repetition_penalty = p->repetition_penalty,
                                                                  .top_k = p->top_k,
                                                                  .seed = p->seed,
                                                                  .n_alternatives = r->options.alternatives,
                                                                  .logits = s->scratch.logits,
                                                                  .allowed = masked ? s->allowed : NULL,
                                                                  .seen = s->seen,
                                                                  .step = s->scratch.step,
                                                                  .result = s->result});
}

/* The token that comes next, `i` behind the prompt, takes the place of the one that leaves the ring.
 * modeling_deepseekv2.py of Unlimited-OCR: SlidingWindowLlamaAttention.forward */
static void turn_ring(struct vl2_writing *r) {
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
static void end_ring(struct vl2_writing *r) {
    struct vl2_session *s = r->session;
    if (s->scratch.shift)
        s->length = r->prompt;
    s->scratch.seen = NULL;
    s->scratch.shift = 0;
}

static void keep_text(struct vl2_writing *r, const char *text, size_t length) {
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
static bool deliver(struct vl2_writing *r) {
    struct vl2_session *s = r->session;
    vl2_attention_tap_read(&r->attention);
    struct vl2_token token = {.id = r->sampled.id,
                              .logprob = r->sampled.logprob,
                              .breaks_cycle = r->breaking,
                              .n_alternatives = r->sampled.n_alternatives,
                              .alternative_ids = r->sampled.alt_id,
                              .alternative_logprobs = r->sampled.alt_logprob,
                              .n_attention = r->attention.n_pictures,
                              .attention = r->attention.maps};
    if (r->options.coordinates && vl2_confidence_read(&r->confidence, &r->boxes, token.id, s->scratch.logits, token.logprob))
        token.coordinate = &r->confidence.coordinate;
    s->answer[s->answer_prefix + r->out.tokens++] = token.id;
    if (r->most)
        vl2_draft_learn(&r->draft, s->ids, s->length, &r->boxes, token.id);
    r->breaking = false;
    if (follows_boxes(&r->options))
        vl2_box_grammar_feed(s->engine->grammar, &r->boxes, token.id);
    vl2_detokenizer_feed(&r->detokenizer, token.id, &token.text, &token.length);
    keep_text(r, token.text, token.length);
    return !r->on_token || r->on_token(&token, r->user);
}

/* Whether the answer repeats itself so that it has to end; where a breaker ends the cycle instead, that comes next. */
static bool ends_by_cycle(struct vl2_writing *r) {
    struct vl2_session *s = r->session;
    const struct vl2_generate_options *o = &r->options;
    if (o->n_replay > 0 || o->cycles == VL2_CYCLES_KEEP)
        return false;
    r->closing = r->closing || vl2_is_cycling(s->answer + s->answer_prefix + r->cycle_from, r->out.tokens - r->cycle_from);
    if (!r->closing || (o->constrain_boxes && vl2_box_grammar_inside(&r->boxes)))
        return false;
    if (o->cycles == VL2_CYCLES_END)
        return true;
    r->closing = false;
    r->breaking = true;
    r->cycle_from = r->out.tokens;
    r->out.cycles_broken++;
    return false;
}

/* What ends the answer after a token, if anything does. */
static bool is_over(struct vl2_writing *r, vl2_stop *stop) {
    struct vl2_session *s = r->session;
    const struct vl2_generate_options *o = &r->options;
    bool replaying = o->n_replay > 0;
    *stop = replaying ? VL2_STOP_EOS : VL2_STOP_MAX_TOKENS;
    if (r->out.tokens == (replaying ? o->n_replay : (size_t)o->max_tokens))
        return true;
    *stop = VL2_STOP_CONTEXT;
    if (s->length == s->capacity)
        return true;
    *stop = VL2_STOP_REPETITION;
    if (ends_by_cycle(r))
        return true;
    *stop = VL2_STOP_CANCELLED;
    return r->cancel && atomic_load(r->cancel);
}

/* The tokenizer's end of a sentence and, where the model's configuration lists several, each of them. */
static bool ends_answer(const struct vl2_engine *e, int32_t id) {
    bool ends = id == e->special.eos;
    for (int32_t i = 0; e->config.lm.n_eos > 1 && i < e->config.lm.n_eos; i++)
        ends |= id == e->config.lm.eos[i];
    return ends;
}

/* The token that was drawn into the answer; over: nothing more is to be run. */
static void take_token(struct vl2_writing *r) {
    struct vl2_session *s = r->session;
    struct vl2_engine *e = s->engine;
    vl2_stop *stop = &r->out.stop;
    e->backend->ops->mem_read(e->backend, &r->sampled, s->result, sizeof r->sampled);
    if (r->out.tokens > 0)
        s->length++; /* the token before this one is in the cache now */
    else
        r->out.first_token_ms = vl2_now_ms() - r->start;
    r->out.mask_changed += r->options.n_replay == 0 && r->sampled.id != r->sampled.unmasked_id;
    r->over = true;
    *stop = VL2_STOP_EOS;
    if (ends_answer(e, r->sampled.id))
        return;
    *stop = VL2_STOP_CALLER;
    if (!deliver(r) || is_over(r, stop))
        return;
    r->ahead = r->row + 1 < r->rows && s->ids[s->length] == r->sampled.id;
    s->ids[s->length] = r->sampled.id;
    r->over = false;
}

/* ------------------------------------------------------------------------------------------------ one alone */

/* The first token behind a pass has been drawn. */
static void time_pass(struct vl2_writing *r) {
    double ms = vl2_now_ms() - r->pass_start;
    if (r->rows == 0 || r->row > 0)
        return;
    vl2_draft_timed(&r->draft, r->rows, ms);
    r->singles += r->rows == 1;
    r->single_ms += r->rows == 1 ? ms : 0;
}

static int32_t draft(struct vl2_writing *r) {
    struct vl2_session *s = r->session;
    size_t room = s->capacity - s->length - 1;
    int32_t most = tokens_left(r) - 1 < r->most ? tokens_left(r) - 1 : r->most;
    most = (size_t)most < room ? most : (int32_t)room;
    return most > 0 ? vl2_draft_make(&r->draft, s->ids, s->length + 1, &r->boxes, most) : 0;
}

/* The drawn token's logits, if the last pass read it ahead. */
static bool use_ahead(struct vl2_writing *r) {
    struct vl2_session *s = r->session;
    struct vlk_backend *be = s->engine->backend;
    size_t vocab = (size_t)s->engine->config.lm.vocab;
    if (!r->ahead)
        return false;
    r->row++;
    r->out.drafted_right++;
    be->ops->mem_copy(be, s->scratch.logits, r->logits + (size_t)r->row * vocab, vocab * sizeof *r->logits);
    be->ops->step_advance(be, s->scratch.step, 1);
    return true;
}

/* A pass over the drawn token and what is drafted behind it. */
static void run_alone(struct vl2_writing *r) {
    r->pass_start = vl2_now_ms();
    r->rows = 1 + draft(r);
    r->row = 0;
    r->out.drafted += (size_t)r->rows - 1;
    if (r->rows == 1)
        vl2_step_enqueue(&r->session, 1, &r->attention, true);
    else
        vl2_step_ahead(r->session, r->rows, r->logits);
}

/* ------------------------------------------------------------------------------------------------ several at once */

/* Writings that draw and run their next token together. */
struct group {
    struct vl2_writing *writings[VLK_MAX_APART];
    int32_t n;
};

/* As many of the n writings, from *at on, as go into one pass. Attention is told of one session at a time. */
static void gather(struct vl2_writing *const *writings, size_t n, size_t *at, struct group *out) {
    out->n = 0;
    for (; *at < n; (*at)++) {
        struct vl2_writing *r = writings[*at];
        if (r->over)
            continue;
        int32_t width = vl2_step_width(r->session->engine), rows = out->n ? out->writings[0]->session->scratch.rows : 1;
        if (out->n > 0 && (out->n == width || out->n == rows || r->attention.probs || out->writings[0]->attention.probs))
            return;
        out->writings[out->n++] = r;
    }
}

static vl2_status draw(struct group *g, vl2_error *err) {
    struct vl2_engine *e = g->writings[0]->session->engine;
    for (int32_t i = 0; i < g->n; i++) {
        vl2_status status = vl2_session_bring_back(g->writings[i]->session, err);
        if (status != VL2_OK)
            return status;
    }
    for (int32_t i = 0; i < g->n; i++)
        enqueue_sample(g->writings[i]);
    return vl2_backend_wait(e, err);
}

static vl2_status advance(struct group *g, vl2_error *err) {
    struct vl2_session *sessions[VLK_MAX_APART];
    int32_t n = 0;
    vl2_status status = draw(g, err);
    if (status != VL2_OK)
        return status;
    for (int32_t i = 0; i < g->n; i++) {
        struct vl2_writing *r = g->writings[i];
        time_pass(r);
        take_token(r);
        if (r->over || use_ahead(r))
            continue;
        turn_ring(r);
        r->rows = 0;
        r->out.passes++;
        sessions[n++] = r->session;
    }
    if (n > 0 && g->n == 1)
        run_alone(g->writings[0]);
    if (n == 0 || g->n == 1)
        return VL2_OK;
    status = vl2_step_prepare(sessions[0]->engine, n, err);
    if (status == VL2_OK)
        vl2_step_enqueue(sessions, n, NULL, true);
    return status;
}

vl2_status vl2_writings_advance(vl2_writing *const *writings, size_t n, vl2_error *err) {
    vl2_status status = VL2_OK;
    struct group group;
    for (size_t at = 0; status == VL2_OK;) {
        gather(writings, n, &at, &group);
        if (group.n == 0)
            return VL2_OK;
        status = advance(&group, err);
    }
    for (size_t i = 0; i < n; i++) /* what was enqueued for them is lost */
        writings[i]->over = true;
    return status;
}

bool vl2_writing_is_over(const vl2_writing *r) {
    return r->over;
}

/* ------------------------------------------------------------------------------------------------ beginning and end */

/* Drafting, where it changes nothing and there is memory for it. */
static vl2_status prepare_draft(struct vl2_writing *r, vl2_error *err) {
    struct vl2_session *s = r->session;
    struct vl2_engine *e = s->engine;
    bool follow = follows_boxes(&r->options);
    int32_t rows = e->backend->traits.same_rows < s->scratch.rows ? e->backend->traits.same_rows : s->scratch.rows;
    if (rows < 2 || r->options.one_by_one || r->options.attention_cells || e->config.lm.ring)
        return VL2_OK;
    r->most = rows - 1 < VL2_DRAFT_MOST ? rows - 1 : VL2_DRAFT_MOST;
    r->logits = vl2_device_alloc(e, ((size_t)r->most + 1) * (size_t)e->config.lm.vocab * sizeof *r->logits);
    if (!r->logits)
        return vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory to draft %d tokens ahead.", r->most);
    return vl2_draft_init(&r->draft, follow ? e->grammar : NULL, follow ? e->tokenizer : NULL, err);
}

/* Everything that the tokens must find in place. */
static vl2_status prepare(struct vl2_writing *r, vl2_error *err) {
    struct vl2_session *s = r->session;
    struct vl2_engine *e = s->engine;
    struct vlk_backend *be = e->backend;
    bool follow = follows_boxes(&r->options);
    vl2_status status = VL2_OK;
    if (follow && !e->grammar)
        status = vl2_box_grammar_open(e->tokenizer, e->special.det, e->special.det_end, e->config.family == VL2_FAMILY_UNLIMITED_OCR,
                                      &e->grammar, err);
    if (status == VL2_OK && r->options.coordinates)
        status = vl2_confidence_init(e, &r->confidence, err);
    if (status == VL2_OK)
        status = vl2_attention_tap_init(s, &r->options, &r->attention, err);
    if (status == VL2_OK)
        status = vl2_step_again(&r->attention, err);
    if (status == VL2_OK)
        status = prepare_draft(r, err);
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
    return vl2_detokenizer_init(&r->detokenizer, e->tokenizer, err);
}

static void tear_down(struct vl2_writing *r) {
    vl2_detokenizer_deinit(&r->detokenizer);
    vl2_confidence_deinit(&r->confidence);
    vl2_attention_tap_deinit(&r->attention);
    if (r->logits)
        r->session->engine->backend->ops->mem_free(r->session->engine->backend, r->logits);
    vlk_free(r);
}

vl2_status vl2_writing_begin(vl2_session *s, const struct vl2_generate_options *options, const vl2_cancel *cancel, vl2_token_fn on_token,
                             void *user, vl2_writing **out, vl2_error *err) {
    *out = NULL;
    vl2_status status = check_options(s, options, err);
    if (status == VL2_OK)
        status = vl2_session_bring_back(s, err);
    if (status != VL2_OK)
        return status;
    struct vl2_writing *r = vlk_alloc(1, sizeof *r);
    if (!r)
        return vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory for an answer.");
    r->session = s;
    r->prompt = s->length;
    r->options = *options;
    r->cancel = cancel;
    r->on_token = on_token;
    r->user = user;
    r->text_complete = true;
    status = prepare(r, err);
    if (status != VL2_OK) {
        tear_down(r);
        return status;
    }
    s->ready = false;
    r->start = vl2_now_ms();
    *out = r;
    return VL2_OK;
}

void vl2_writing_end(vl2_writing *r, struct vl2_generation *out) {
    struct vl2_session *s = r->session;
    r->out.decode_ms = vl2_now_ms() - r->start;
    if (r->singles)
        r->out.one_by_one_ms = r->out.first_token_ms + r->single_ms / (double)r->singles * (double)(r->out.tokens ? r->out.tokens - 1 : 0);
    if (!r->over)
        r->out.stop = VL2_STOP_CALLER;
    if (r->text_complete)
        vl2_answers_remember(&s->answers, s->answer_text, s->answer_bytes, s->answer, s->answer_prefix + r->out.tokens);
    if (out)
        *out = r->out;
    end_ring(r);
    tear_down(r);
}

vl2_status vl2_session_generate(vl2_session *s, const struct vl2_generate_options *options, const vl2_cancel *cancel,
                                vl2_token_fn on_token, void *user, struct vl2_generation *out, vl2_error *err) {
    vl2_writing *writing;
    if (out)
        *out = (struct vl2_generation){0};
    vl2_status status = vl2_writing_begin(s, options, cancel, on_token, user, &writing, err);
    if (status != VL2_OK)
        return status;
    while (status == VL2_OK && !writing->over)
        status = vl2_writings_advance(&writing, 1, err);
    vl2_writing_end(writing, out);
    return status;
}
