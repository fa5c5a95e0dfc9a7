/* SPDX-License-Identifier: MIT
 *
 * What a conversation costs before it is read: tokens of every message and picture, the ways out when they do not fit, memory.
 * A message's text is tokenised on its own (prompt.c), so that costs add up exactly; only the number of pictures links them.
 * Pure; called through engine/vl2.h on any thread.
 */
#include "engine/error.h"
#include "engine/loading/memory_plan.h"
#include "engine/model/vision.h"
#include "engine/session/answer_ids.h"
#include "engine/session/session_parts.h"

#include <string.h>

enum { LEAST_ANSWER = 64, MOST_ANSWER = 256 };

/* Without a wish: enough for a sentence, at most a sixteenth of the context. */
static size_t answer_room(size_t context, int32_t wanted) {
    size_t part = context / 16;
    if (wanted > 0)
        return (size_t)wanted < context ? (size_t)wanted : context;
    part = part < LEAST_ANSWER ? LEAST_ANSWER : part > MOST_ANSWER ? MOST_ANSWER : part;
    return part < context / 2 ? part : context / 2;
}

/* ------------------------------------------------------------------------------------------------ what there is */

static size_t pictures_before(const struct vl2_plan *plan, size_t message) {
    size_t n = 0;
    while (n < plan->n_pictures && plan->pictures[n].message < message)
        n++;
    return n;
}

/* Were the earlier pictures cut otherwise before the last message came? Only their number changes that. */
static void find_tiling_changes(const struct vl2_engine *e, const struct vl2_prompt *prompt, const vl2_conversation *conversation,
                                struct vl2_plan *plan) {
    size_t last = conversation->n_messages - 1, before = pictures_before(plan, last);
    for (size_t i = 0, at = 0; i < last; i++) {
        for (size_t k = 0; k < conversation->messages[i].n_parts; k++) {
            const vl2_part *part = &conversation->messages[i].parts[k];
            if (part->kind != VL2_PART_PICTURE)
                continue;
            struct vl2_plan_picture *p = &plan->pictures[at];
            int32_t w, h;
            bool crop = before <= VL2_MAX_TILED_PICTURES && part->detail == VL2_DETAIL_AUTO;
            vl2_tile_grid(&prompt->pictures[at].rule, p->width, p->height, crop, &w, &h);
            p->tiling_changed = w != prompt->pictures[at].grid_w || h != prompt->pictures[at].grid_h;
            plan->tiling_changed |= p->tiling_changed;
            at++;
        }
    }
}

static vl2_status describe(const struct vl2_engine *e, const struct vl2_prompt *prompt, const vl2_conversation *conversation,
                           struct vl2_plan *plan, vl2_error *err) {
    plan->messages = vlk_alloc(prompt->n_messages, sizeof *plan->messages);
    plan->pictures = vlk_alloc(prompt->n_pictures, sizeof *plan->pictures);
    if (!plan->messages || !plan->pictures)
        return vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory to plan the conversation.");
    plan->n_messages = prompt->n_messages;
    plan->n_pictures = prompt->n_pictures;
    plan->tokens = prompt->n_ids;
    for (size_t i = 0; i < prompt->n_messages; i++)
        plan->messages[i] = (struct vl2_plan_message){.role = conversation->messages[i].role,
                                                      .first = prompt->message_first[i],
                                                      .tokens = prompt->message_first[i + 1] - prompt->message_first[i]};
    for (size_t i = 0; i < prompt->n_pictures; i++) {
        const struct vl2_prompt_picture *p = &prompt->pictures[i];
        plan->messages[p->message].n_pictures++;
        plan->pictures[i] = (struct vl2_plan_picture){.message = p->message,
                                                      .width = p->picture->width,
                                                      .height = p->picture->height,
                                                      .rule = p->rule,
                                                      .grid_w = p->grid_w,
                                                      .grid_h = p->grid_h,
                                                      .crop = p->crop,
                                                      .first = p->first,
                                                      .tokens = p->count};
    }
    find_tiling_changes(e, prompt, conversation, plan);
    return VL2_OK;
}

/* ------------------------------------------------------------------------------------------------ ways out */

static bool wants_detail(const vl2_conversation *conversation, size_t picture) {
    for (size_t i = 0; i < conversation->n_messages; i++)
        for (size_t k = 0; k < conversation->messages[i].n_parts; k++)
            if (conversation->messages[i].parts[k].kind == VL2_PART_PICTURE && picture-- == 0)
                return conversation->messages[i].parts[k].detail == VL2_DETAIL_AUTO;
    return false;
}

/* Tokens of a picture in low detail, or as it wants to be. */
static size_t picture_tokens(const struct vl2_config *c, const struct vl2_plan_picture *p, bool low, bool crop) {
    struct vl2_tile_rule rule = low ? vl2_vision_tile_rule(c, VL2_DETAIL_LOW) : p->rule;
    int32_t w, h;
    vl2_tile_grid(&rule, p->width, p->height, crop, &w, &h);
    struct vl2_picture_rows layout = vl2_picture_layout(c, &rule, w, h);
    return (size_t)vl2_picture_token_count(c, &layout);
}

/* Tokens without messages from … to-1, with all pictures in low detail or as they want to be. Fewer pictures may be tiled again,
 * so that leaving a turn out can even make a prompt longer. */
static size_t tokens_without(const struct vl2_engine *e, const vl2_conversation *conversation, const struct vl2_plan *plan,
                             size_t from, size_t to, bool low) {
    size_t tokens = plan->tokens, first = pictures_before(plan, from), end = pictures_before(plan, to);
    size_t left = plan->n_pictures - (end - first);
    for (size_t i = from; i < to; i++)
        tokens -= plan->messages[i].tokens;
    for (size_t i = 0; i < plan->n_pictures; i++) {
        const struct vl2_plan_picture *p = &plan->pictures[i];
        if (i >= first && i < end)
            continue;
        bool crop = !low && left <= VL2_MAX_TILED_PICTURES && wants_detail(conversation, i);
        tokens += picture_tokens(&e->config, p, low, crop);
        tokens -= p->tokens;
    }
    return tokens;
}

/* Turns begin with a question. The first ones go, as few as will do; the last question stays. */
static struct vl2_plan_choice drop_oldest(const struct vl2_engine *e, const vl2_conversation *conversation,
                                          const struct vl2_plan *plan, size_t most) {
    struct vl2_plan_choice choice = {.kind = VL2_FIT_DROP_OLDEST, .tokens = plan->tokens};
    size_t first = plan->messages[0].role == VL2_SYSTEM;
    for (size_t i = first + 1; i < plan->n_messages && !choice.possible; i++) {
        if (plan->messages[i].role != VL2_USER)
            continue;
        choice.messages = i - first;
        choice.tokens = tokens_without(e, conversation, plan, first, i, false);
        choice.possible = choice.tokens <= most;
    }
    return choice;
}

static struct vl2_plan_choice low_detail(const struct vl2_engine *e, const vl2_conversation *conversation,
                                         const struct vl2_plan *plan, size_t most) {
    size_t tokens = tokens_without(e, conversation, plan, 0, 0, true);
    return (struct vl2_plan_choice){
        .kind = VL2_FIT_LOW_DETAIL, .tokens = tokens, .possible = tokens <= most && tokens < plan->tokens};
}

/* The text of the last message can give no more tokens than it has. */
static struct vl2_plan_choice shorten(const struct vl2_plan *plan, size_t most) {
    struct vl2_plan_choice choice = {.kind = VL2_FIT_SHORTEN, .tokens = plan->tokens < most ? plan->tokens : most};
    size_t text = plan->messages[plan->n_messages - 1].tokens;
    for (size_t i = pictures_before(plan, plan->n_messages - 1); i < plan->n_pictures; i++)
        text -= plan->pictures[i].tokens;
    choice.excess = plan->tokens - choice.tokens;
    choice.possible = choice.excess < text;
    return choice;
}

/* ------------------------------------------------------------------------------------------------ memory */

static void plan_memory(const struct vl2_engine *e, size_t answer, struct vl2_plan *plan) {
    struct vl2_memory_use use = {.weight_bytes = e->info.weight_bytes,
                                 .tokenizer_bytes = e->tokenizer_bytes,
                                 .context = (int32_t)plan->context,
                                 .chunk = plan->chunk,
                                 .threads = e->info.threads};
    size_t end = plan->tokens + answer;
    for (size_t i = 0; i < plan->n_pictures; i++) {
        const struct vl2_plan_picture *p = &plan->pictures[i];
        struct vl2_picture_rows layout = vl2_picture_layout(&e->config, &p->rule, p->grid_w, p->grid_h);
        use.most_tiles = layout.n_tiles > use.most_tiles ? layout.n_tiles : use.most_tiles;
        use.picture_bytes += vl2_picture_rows_bytes(&e->config, &layout);
    }
    use.tokens = (int32_t)(end < plan->context ? end : plan->context);
    vl2_memory_estimate(&e->config, &use, &plan->now);
    vl2_memory_use_all(&e->config, &use);
    vl2_memory_estimate(&e->config, &use, &plan->full);
}

/* ------------------------------------------------------------------------------------------------ the plan */

vl2_status vl2_plan_build(const vl2_engine *e, const vl2_conversation *conversation, const struct vl2_answers *answers,
                          const struct vl2_session_options *options, int32_t answer_tokens, struct vl2_plan *out, vl2_error *err) {
    static const struct vl2_session_options defaults = {0};
    struct vl2_prompt prompt;
    *out = (struct vl2_plan){0};
    options = options ? options : &defaults;
    vl2_status status = vl2_session_options_check(e, options, err);
    if (status == VL2_OK)
        status = vl2_prompt_build_reusing(e, conversation, answers, &prompt, err);
    if (status != VL2_OK)
        return status;
    out->context = (size_t)(options->context ? options->context : e->config.lm.context);
    out->chunk = vl2_chunk_size(&e->config, (int32_t)out->context, options->chunk_size);
    status = describe(e, &prompt, conversation, out, err);
    vl2_prompt_deinit(&prompt);
    if (status != VL2_OK) {
        vl2_plan_deinit(out);
        return status;
    }
    size_t answer = answer_room(out->context, answer_tokens), most = out->context - answer;
    out->fits = out->tokens <= out->context;
    out->room = out->fits ? out->context - out->tokens : 0;
    out->choices[VL2_FIT_DROP_OLDEST] = drop_oldest(e, conversation, out, most);
    out->choices[VL2_FIT_LOW_DETAIL] = low_detail(e, conversation, out, most);
    out->choices[VL2_FIT_SHORTEN] = shorten(out, most);
    plan_memory(e, answer, out);
    return VL2_OK;
}

vl2_status vl2_plan_make(const vl2_engine *engine, const vl2_conversation *conversation, const struct vl2_session_options *options,
                         int32_t answer_tokens, struct vl2_plan *out, vl2_error *err) {
    return vl2_plan_build(engine, conversation, NULL, options, answer_tokens, out, err);
}

void vl2_plan_deinit(struct vl2_plan *plan) {
    vlk_free(plan->messages);
    vlk_free(plan->pictures);
    *plan = (struct vl2_plan){0};
}

/* ------------------------------------------------------------------------------------------------ applying a choice */

static vl2_status copy_messages(const vl2_conversation *from, struct vl2_fitted *out, vl2_error *err) {
    size_t at = 0;
    for (size_t i = 0; i < from->n_messages; i++)
        out->n_parts += from->messages[i].n_parts;
    out->messages = vlk_alloc(from->n_messages, sizeof *out->messages);
    out->parts = vlk_alloc(out->n_parts, sizeof *out->parts);
    if (!out->messages || !out->parts)
        return vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory to fit the conversation.");
    for (size_t i = 0; i < from->n_messages; i++) {
        const vl2_message *message = &from->messages[i];
        out->messages[i] = (vl2_message){message->role, out->parts + at, message->n_parts};
        if (message->n_parts)
            memcpy(out->parts + at, message->parts, message->n_parts * sizeof *out->parts);
        at += message->n_parts;
    }
    out->conversation = (vl2_conversation){out->messages, from->n_messages};
    return VL2_OK;
}

static void drop_messages(struct vl2_fitted *f, size_t count) {
    size_t first = f->messages[0].role == VL2_SYSTEM, n = f->conversation.n_messages;
    memmove(f->messages + first, f->messages + first + count, (n - first - count) * sizeof *f->messages);
    f->conversation.n_messages = n - count;
}

static void lower_detail(struct vl2_fitted *f) {
    for (size_t i = 0; i < f->n_parts; i++)
        f->parts[i].detail = VL2_DETAIL_LOW;
}

vl2_status vl2_plan_apply(const vl2_conversation *conversation, const struct vl2_plan_choice *choice, struct vl2_fitted *out,
                          vl2_error *err) {
    *out = (struct vl2_fitted){0};
    if (!choice->possible || choice->kind == VL2_FIT_SHORTEN || choice->messages >= conversation->n_messages)
        return vl2_fail(err, VL2_ERR_CONTEXT, "The conversation cannot be made to fit that way.");
    vl2_status status = copy_messages(conversation, out, err);
    if (status != VL2_OK)
        vl2_fitted_deinit(out);
    else if (choice->kind == VL2_FIT_DROP_OLDEST)
        drop_messages(out, choice->messages);
    else
        lower_detail(out);
    return status;
}

void vl2_fitted_deinit(struct vl2_fitted *fitted) {
    vlk_free(fitted->messages);
    vlk_free(fitted->parts);
    *fitted = (struct vl2_fitted){0};
}
