/* SPDX-License-Identifier: MIT
 *
 * A conversation to token ids, laid out as the official processor does it. A turn becomes one string, cut at its pictures; every
 * piece is tokenized on its own, so that merges never cross a picture or a message. What people wrote keeps its own markup
 * level inside that string; only the template around it may name roles.
 *   processing_deepseek_vl_v2.py: format_messages_v2, tokenize_with_images; conversation.py: Conversation.get_prompt
 * Pure; called by session.c and through engine/vl2.h.
 */
#include "engine/error.h"
#include "engine/model/model.h"
#include "engine/model/vision.h"
#include "engine/session/answer_ids.h"
#include "engine/text/tokenizer.h"
#include "engine/text/utf8.h"

#include <string.h>

struct builder {
    const vl2_engine *engine;
    const struct vl2_answers *answers;
    struct vl2_ids ids;
    char *text; /* the piece being collected, valid UTF-8 */
    size_t n_text, text_capacity;
    struct vl2_markup_span *spans;
    size_t n_spans, span_capacity;
    struct vl2_prompt_picture *pictures; /* [total_pictures] */
    size_t n_pictures, total_pictures;
    size_t message; /* being added */
    vl2_error *err;
};

/* The parts of a message without the white space at both ends: bytes [start, …) of part `first` to [… , end) of part `last`. */
struct content {
    size_t first, last; /* first > last: nothing */
    size_t start, end;
};

/* ------------------------------------------------------------------------------------------------- collecting text */

static vl2_status no_memory(struct builder *b) {
    return vl2_fail(b->err, VL2_ERR_MEMORY, "Not enough memory for the prompt.");
}

static vl2_status add_text(struct builder *b, const char *text, size_t length, vl2_markup markup) {
    if (length == 0)
        return VL2_OK;
    if (length > VL2_MAX_TEXT_BYTES || b->n_text + 3 * length > VL2_MAX_TEXT_BYTES)
        return vl2_fail(b->err, VL2_ERR_INPUT, "A message has more text than %u bytes.", VL2_MAX_TEXT_BYTES / 3);
    if (b->n_text + 3 * length > b->text_capacity) {
        size_t capacity = 2 * b->text_capacity + 3 * length + 256;
        char *grown = vlk_realloc(b->text, b->n_text, capacity);
        if (!grown)
            return no_memory(b);
        b->text = grown;
        b->text_capacity = capacity;
    }
    if (b->n_spans == b->span_capacity) {
        size_t capacity = 2 * b->span_capacity + 8;
        struct vl2_markup_span *grown = vlk_realloc(b->spans, b->n_spans * sizeof *grown, capacity * sizeof *grown);
        if (!grown)
            return no_memory(b);
        b->spans = grown;
        b->span_capacity = capacity;
    }
    b->n_text += vl2_utf8_repair(b->text + b->n_text, text, length);
    b->spans[b->n_spans++] = (struct vl2_markup_span){b->n_text, markup};
    return VL2_OK;
}

static vl2_status add_template(struct builder *b, const char *text) {
    return add_text(b, text, strlen(text), VL2_MARKUP_ALL);
}

static vl2_status add_id(struct builder *b, int32_t id) {
    vl2_status status = vl2_ids_reserve(&b->ids, 1, b->err);
    if (status == VL2_OK)
        b->ids.data[b->ids.n++] = id;
    return status;
}

/* Tokenizes the collected piece. The id of a picture must not come from text: nothing would stand behind it. */
static vl2_status end_piece(struct builder *b) {
    size_t before = b->ids.n;
    vl2_status status =
        vl2_tokenizer_append(b->engine->tokenizer, b->text, b->n_text, b->spans, b->n_spans, &b->ids, b->err);
    b->n_text = b->n_spans = 0;
    for (size_t i = before; status == VL2_OK && i < b->ids.n; i++)
        if (b->ids.data[i] == b->engine->special.image)
            status = vl2_fail(b->err, VL2_ERR_INPUT, "A text contains <image> as a token without a picture.");
    return status;
}

/* ------------------------------------------------------------------------------------------------- pictures */

/* processing_deepseek_vl_v2.py, image_process.py: tokenize_with_images; the count does not depend on global_view_pos. */
static int64_t picture_tokens(const vl2_engine *engine, const struct vl2_tile_rule *rule, int32_t grid_w, int32_t grid_h) {
    struct vl2_picture_rows layout = vl2_picture_layout(&engine->config, rule, grid_w, grid_h);
    return vl2_picture_token_count(&engine->config, &layout);
}

int32_t vl2_engine_picture_tokens(const vl2_engine *engine, int32_t width, int32_t height, bool crop) {
    int32_t grid_w, grid_h;
    vl2_tile_grid(&engine->config.tiles, width, height, crop, &grid_w, &grid_h);
    int64_t tokens = picture_tokens(engine, &engine->config.tiles, grid_w, grid_h);
    return tokens > INT32_MAX ? INT32_MAX : (int32_t)tokens;
}

static vl2_status add_picture(struct builder *b, const vl2_part *part) {
    struct vl2_prompt_picture *p = &b->pictures[b->n_pictures];
    const vl2_picture *picture = part->picture;
    if (!picture || picture->width < 1 || picture->height < 1)
        return vl2_fail(b->err, VL2_ERR_INPUT, "Picture %zu of the conversation is empty.", b->n_pictures + 1);
    vl2_status status = end_piece(b);
    if (status != VL2_OK)
        return status;
    *p = (struct vl2_prompt_picture){.picture = picture, .message = b->message, .first = b->ids.n};
    p->rule = vl2_vision_tile_rule(&b->engine->config, part->detail);
    p->crop = b->total_pictures <= VL2_MAX_TILED_PICTURES && part->detail == VL2_DETAIL_AUTO;
    vl2_tile_grid(&p->rule, picture->width, picture->height, p->crop, &p->grid_w, &p->grid_h);
    p->count = (size_t)picture_tokens(b->engine, &p->rule, p->grid_w, p->grid_h);
    status = vl2_ids_reserve(&b->ids, p->count, b->err);
    for (size_t i = 0; status == VL2_OK && i < p->count; i++)
        b->ids.data[b->ids.n++] = b->engine->special.image;
    b->n_pictures++;
    return status;
}

/* ------------------------------------------------------------------------------------------------- messages */

/* str.strip() of the whole content; a picture is not white space. */
static struct content strip(const vl2_message *message) {
    struct content c = {.first = 0, .last = message->n_parts};
    for (; c.first < message->n_parts; c.first++) {
        const vl2_part *part = &message->parts[c.first];
        c.start = 0;
        if (part->kind == VL2_PART_TEXT)
            vl2_strip_start(part->text, &c.start, part->length);
        if (part->kind != VL2_PART_TEXT || c.start < part->length)
            break;
    }
    while (c.last > c.first) {
        const vl2_part *part = &message->parts[--c.last];
        c.end = part->length;
        if (part->kind == VL2_PART_TEXT)
            vl2_strip_end(part->text, c.last == c.first ? c.start : 0, &c.end);
        if (part->kind != VL2_PART_TEXT || c.end > 0)
            return c;
    }
    return (struct content){.first = 1, .last = 0};
}

static bool is_empty(struct content c) {
    return c.first > c.last;
}

static vl2_status add_content(struct builder *b, const vl2_message *message, struct content c) {
    vl2_status status = VL2_OK;
    for (size_t i = c.first; status == VL2_OK && i <= c.last; i++) {
        const vl2_part *part = &message->parts[i];
        if (part->kind == VL2_PART_PICTURE) {
            status = add_picture(b, part);
            continue;
        }
        size_t start = i == c.first ? c.start : 0, end = i == c.last ? c.end : part->length;
        if (start < end)
            status = add_text(b, part->text + start, end - start, part->markup);
    }
    return status;
}

static vl2_status add_user(struct builder *b, const vl2_message *message) {
    struct content c = strip(message);
    vl2_status status = add_template(b, is_empty(c) ? "<|User|>:" : "<|User|>: ");
    if (status == VL2_OK && !is_empty(c))
        status = add_content(b, message, c);
    if (status == VL2_OK)
        status = add_template(b, is_empty(c) ? "<|Assistant|>:" : "\n\n<|Assistant|>:");
    return status == VL2_OK ? end_piece(b) : status;
}

/* A system or assistant message. An answer that was generated here comes back with the ids it was generated with. */
static vl2_status add_plain(struct builder *b, const vl2_message *message, bool answer) {
    struct content c = strip(message);
    const int32_t *ids;
    size_t n;
    for (size_t i = 0; i < message->n_parts; i++)
        if (message->parts[i].kind != VL2_PART_TEXT)
            return vl2_fail(b->err, VL2_ERR_INPUT, "Only messages of the user can contain pictures.");
    if (is_empty(c))
        return VL2_OK;
    vl2_status status = add_content(b, message, c);
    if (status != VL2_OK || !answer || !b->answers || !vl2_answers_find(b->answers, b->text, b->n_text, &ids, &n))
        return status == VL2_OK ? end_piece(b) : status;
    b->n_text = b->n_spans = 0;
    status = vl2_ids_reserve(&b->ids, n, b->err);
    if (status == VL2_OK) {
        memcpy(b->ids.data + b->ids.n, ids, n * sizeof *ids);
        b->ids.n += n;
    }
    return status;
}

static vl2_status add_message(struct builder *b, const vl2_message *message, bool first, bool last) {
    vl2_status status = VL2_OK;
    switch (message->role) {
    case VL2_USER: return add_user(b, message);
    case VL2_SYSTEM:
        if (!first)
            return vl2_fail(b->err, VL2_ERR_USAGE, "A system message can only be the first one.");
        if (last)
            return vl2_fail(b->err, VL2_ERR_USAGE, "The conversation ends with a system message.");
        return add_plain(b, message, false);
    case VL2_ASSISTANT:
        status = add_plain(b, message, true);
        return status == VL2_OK && !last ? add_id(b, b->engine->special.eos) : status;
    }
    return vl2_fail(b->err, VL2_ERR_USAGE, "A message has an unknown role.");
}

/* A document model knows no roles: its text is the page and the instruction.   image_process.py: tokenize_with_images;
 * conversation "plain" of the published code */
static vl2_status add_instruction(struct builder *b, const vl2_message *message, size_t n_messages) {
    struct content c = strip(message);
    if (n_messages > 2 || (b->message == 0) != (message->role == VL2_USER))
        return vl2_fail(b->err, VL2_ERR_USAGE,
                        "This model reads documents: it takes one instruction with its pages, and no system message or earlier turns.");
    if (message->role == VL2_ASSISTANT)
        return add_plain(b, message, true);
    vl2_status status = is_empty(c) ? VL2_OK : add_content(b, message, c);
    return status == VL2_OK ? end_piece(b) : status;
}

/* ------------------------------------------------------------------------------------------------- the conversation */

static vl2_status count_pictures(struct builder *b, const vl2_conversation *conversation) {
    for (size_t i = 0; i < conversation->n_messages; i++) {
        const vl2_message *message = &conversation->messages[i];
        for (size_t j = 0; j < message->n_parts; j++) {
            const vl2_part *part = &message->parts[j];
            if (part->kind != VL2_PART_TEXT && part->kind != VL2_PART_PICTURE)
                return vl2_fail(b->err, VL2_ERR_USAGE, "A message has a part of an unknown kind.");
            if (part->kind == VL2_PART_TEXT && !part->text && part->length)
                return vl2_fail(b->err, VL2_ERR_USAGE, "A text part has no text.");
            b->total_pictures += part->kind == VL2_PART_PICTURE;
        }
    }
    b->pictures = vlk_alloc(b->total_pictures, sizeof *b->pictures);
    return b->pictures ? VL2_OK : no_memory(b);
}

vl2_status vl2_prompt_build_reusing(const vl2_engine *engine, const vl2_conversation *conversation,
                                    const struct vl2_answers *answers, struct vl2_prompt *out, vl2_error *err) {
    struct builder b = {.engine = engine, .answers = answers, .err = err};
    *out = (struct vl2_prompt){0};
    if (conversation->n_messages == 0)
        return vl2_fail(err, VL2_ERR_USAGE, "The conversation has no messages.");
    vl2_status status = count_pictures(&b, conversation);
    if (status == VL2_OK)
        status = add_id(&b, engine->special.bos);
    size_t n = conversation->n_messages, *first = vlk_alloc(n + 1, sizeof *first);
    if (!first && status == VL2_OK)
        status = no_memory(&b);
    for (; status == VL2_OK && b.message < n; b.message++) {
        first[b.message] = b.ids.n;
        if (engine->config.family != VL2_FAMILY_VL2)
            status = add_instruction(&b, &conversation->messages[b.message], n);
        else
            status = add_message(&b, &conversation->messages[b.message], b.message == 0, b.message == n - 1);
        first[b.message + 1] = b.ids.n;
    }
    vlk_free(b.text);
    vlk_free(b.spans);
    *out = (struct vl2_prompt){.ids = b.ids.data, .n_ids = b.ids.n, .pictures = b.pictures, .n_pictures = b.n_pictures,
                               .message_first = first, .n_messages = n};
    if (status == VL2_OK)
        out->answer_first = conversation->messages[n - 1].role == VL2_ASSISTANT ? first[n - 1] : b.ids.n;
    if (status != VL2_OK)
        vl2_prompt_deinit(out);
    return status;
}

vl2_status vl2_prompt_build(const vl2_engine *engine, const vl2_conversation *conversation, struct vl2_prompt *out, vl2_error *err) {
    return vl2_prompt_build_reusing(engine, conversation, NULL, out, err);
}

void vl2_prompt_deinit(struct vl2_prompt *prompt) {
    vlk_free(prompt->ids);
    vlk_free(prompt->pictures);
    vlk_free(prompt->message_first);
    *prompt = (struct vl2_prompt){0};
}
