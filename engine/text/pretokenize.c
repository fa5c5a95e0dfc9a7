/* SPDX-License-Identifier: MIT
 *
 * Cuts a text into the pieces inside which tokens may merge. Each stage cuts what the stage before it left; pieces flow through
 * the stages depth first, so that nothing is stored. The recursion is as deep as the file has stages (VL2_MAX_STAGES).
 */
#include "engine/text/pretokenize.h"

#include "engine/error.h"
#include "kernels/vlk.h"

#include <string.h>

/* What becomes of the matches of a Split.   tokenizers: SplitDelimiterBehavior */
enum behavior { REMOVED, ISOLATED, MERGED_WITH_PREVIOUS, MERGED_WITH_NEXT, CONTIGUOUS };
static const char *const behavior_names[] = {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"};

enum stage_kind { STAGE_SPLIT, STAGE_PREFIX_SPACE };

struct stage {
    enum stage_kind kind;
    vl2_regex *regex;
    enum behavior behavior;
    bool invert;
};

struct vl2_pretokenizer {
    struct stage stages[VL2_MAX_STAGES];
    size_t n_stages;
    bool byte_level; /* seen: it must be the last component */
};

/* The words of GPT-2, which ByteLevel cuts out when use_regex is true. */
#define BYTE_LEVEL_PATTERN "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

/* ------------------------------------------------------------------------------------------------- reading the file */

static vl2_status add_stage(const char *file, vl2_pretokenizer *p, struct stage stage, const char *pattern, bool literal,
                            vl2_error *err) {
    if (p->n_stages == VL2_MAX_STAGES)
        return vl2_fail(err, VL2_ERR_MODEL, "%s: the pre-tokenizer has more than %d components.", file, VL2_MAX_STAGES);
    if (pattern) {
        vl2_status status = vl2_regex_open(file, pattern, literal, &stage.regex, err);
        if (status != VL2_OK)
            return status;
    }
    p->stages[p->n_stages++] = stage;
    return VL2_OK;
}

/* A bool of the spec; absent means `fallback`. */
static vl2_status get_bool(const char *file, const json_t *spec, const char *key, bool fallback, bool *out, vl2_error *err) {
    const json_t *value = json_object_get(spec, key);
    *out = value ? json_is_true(value) : fallback;
    if (value && !json_is_boolean(value))
        return vl2_fail(err, VL2_ERR_MODEL, "%s: pre_tokenizer: \"%s\" is not true or false.", file, key);
    return VL2_OK;
}

static vl2_status add_split(const char *file, const json_t *spec, vl2_pretokenizer *p, vl2_error *err) {
    const json_t *pattern = json_object_get(spec, "pattern");
    const char *regex = json_string_value(json_object_get(pattern, "Regex"));
    const char *literal = json_string_value(json_object_get(pattern, "String"));
    const char *name = json_string_value(json_object_get(spec, "behavior"));
    struct stage stage = {.kind = STAGE_SPLIT};
    size_t n = sizeof behavior_names / sizeof *behavior_names, i = 0;
    while (i < n && !(name && strcmp(name, behavior_names[i]) == 0))
        i++;
    if (i == n)
        return vl2_fail(err, VL2_ERR_MODEL, "%s: pre_tokenizer: Split with the behavior \"%.60s\" is not implemented.", file,
                        name ? name : "(none)");
    stage.behavior = (enum behavior)i;
    if (!regex == !literal)
        return vl2_fail(err, VL2_ERR_MODEL, "%s: pre_tokenizer: Split has no pattern of the kind Regex or String.", file);
    vl2_status status = get_bool(file, spec, "invert", false, &stage.invert, err);
    return status != VL2_OK ? status : add_stage(file, p, stage, regex ? regex : literal, !regex, err);
}

/* Digits are what Rust's char::is_numeric says: Nd, Nl and No. */
static vl2_status add_digits(const char *file, const json_t *spec, vl2_pretokenizer *p, vl2_error *err) {
    bool individual;
    vl2_status status = get_bool(file, spec, "individual_digits", false, &individual, err);
    struct stage stage = {.kind = STAGE_SPLIT, .behavior = individual ? ISOLATED : CONTIGUOUS};
    return status != VL2_OK ? status : add_stage(file, p, stage, "\\p{N}", false, err);
}

static vl2_status add_byte_level(const char *file, const json_t *spec, vl2_pretokenizer *p, vl2_error *err) {
    bool prefix, words;
    vl2_status status = get_bool(file, spec, "add_prefix_space", true, &prefix, err);
    if (status == VL2_OK)
        status = get_bool(file, spec, "use_regex", true, &words, err);
    if (status == VL2_OK && prefix)
        status = add_stage(file, p, (struct stage){.kind = STAGE_PREFIX_SPACE}, NULL, false, err);
    if (status == VL2_OK && words)
        status = add_stage(file, p, (struct stage){.kind = STAGE_SPLIT, .behavior = ISOLATED}, BYTE_LEVEL_PATTERN, false, err);
    p->byte_level = true;
    return status;
}

static vl2_status add_component(const char *file, const json_t *spec, vl2_pretokenizer *p, int depth, vl2_error *err) {
    const char *type = json_string_value(json_object_get(spec, "type"));
    if (!type)
        return vl2_fail(err, VL2_ERR_MODEL, "%s: a component of pre_tokenizer has no type.", file);
    if (p->byte_level)
        return vl2_fail(err, VL2_ERR_MODEL, "%s: pre_tokenizer: %.60s after ByteLevel is not implemented.", file, type);
    if (strcmp(type, "Split") == 0)
        return add_split(file, spec, p, err);
    if (strcmp(type, "Digits") == 0)
        return add_digits(file, spec, p, err);
    if (strcmp(type, "ByteLevel") == 0)
        return add_byte_level(file, spec, p, err);
    if (strcmp(type, "Sequence") != 0 || depth > 3)
        return vl2_fail(err, VL2_ERR_MODEL, "%s: the pre_tokenizer component %.60s is not implemented%s.", file, type,
                        depth > 3 ? " at this depth" : "");
    const json_t *list = json_object_get(spec, "pretokenizers");
    if (!json_is_array(list))
        return vl2_fail(err, VL2_ERR_MODEL, "%s: pre_tokenizer: a Sequence has no list \"pretokenizers\".", file);
    for (size_t i = 0; i < json_array_size(list); i++) {
        vl2_status status = add_component(file, json_array_get(list, i), p, depth + 1, err);
        if (status != VL2_OK)
            return status;
    }
    return VL2_OK;
}

vl2_status vl2_pretokenizer_open(const char *file, const json_t *spec, vl2_pretokenizer **out, vl2_error *err) {
    *out = NULL;
    vl2_pretokenizer *p = vlk_alloc(1, sizeof *p);
    if (!p)
        return vl2_fail(err, VL2_ERR_MEMORY, "Not enough memory for the tokenizer.");
    vl2_status status = add_component(file, spec, p, 0, err);
    if (status == VL2_OK && !p->byte_level)
        status = vl2_fail(err, VL2_ERR_MODEL, "%s: a pre_tokenizer without ByteLevel is not implemented.", file);
    if (status == VL2_OK)
        *out = p;
    else
        vl2_pretokenizer_close(p);
    return status;
}

void vl2_pretokenizer_close(vl2_pretokenizer *p) {
    if (!p)
        return;
    for (size_t i = 0; i < p->n_stages; i++)
        vl2_regex_close(p->stages[i].regex);
    vlk_free(p);
}

/* ------------------------------------------------------------------------------------------------- cutting */

struct cut {
    const vl2_pretokenizer *pretokenizer;
    vl2_regex_scratch *scratch;
    bool stable;
    vl2_piece_fn piece;
    void *user;
    vl2_error *err;
};

/* The pieces of one text at one stage; `pending` is the run that the next piece may still join. */
struct split {
    const struct cut *cut;
    const struct stage *stage;
    size_t next_stage;
    const char *text;
    size_t pending_start, pending_end;
    bool previous_match;
};

static vl2_status run_stage(const struct cut *cut, size_t index, const char *text, size_t length);

static vl2_status flush(struct split *s) {
    size_t start = s->pending_start, end = s->pending_end;
    s->pending_start = end;
    return end > start ? run_stage(s->cut, s->next_stage, s->text + start, end - start) : VL2_OK;
}

/* Takes the run [pending_end, end), a match or a gap between matches, as tokenizers' NormalizedString::split does. */
static vl2_status take(struct split *s, size_t end, bool match) {
    bool join = false, previous = s->previous_match;
    if (end == s->pending_end)
        return VL2_OK;
    match ^= s->stage->invert;
    s->previous_match = match;
    switch (s->stage->behavior) {
    case REMOVED:
    case ISOLATED: break;
    case MERGED_WITH_PREVIOUS: join = match && !previous; break;
    case MERGED_WITH_NEXT: join = !match && previous; break;
    case CONTIGUOUS: join = match == previous; break;
    }
    vl2_status status = join ? VL2_OK : flush(s);
    s->pending_end = end;
    if (s->stage->behavior == REMOVED && match)
        s->pending_start = end;
    return status;
}

static vl2_status run_split(const struct cut *cut, size_t index, const char *text, size_t length) {
    struct split s = {.cut = cut, .stage = &cut->pretokenizer->stages[index], .next_stage = index + 1, .text = text};
    vl2_status status = VL2_OK;
    for (size_t at = 0; status == VL2_OK && at < length;) {
        bool found;
        size_t start, end;
        status = vl2_regex_find(s.stage->regex, cut->scratch, text, length, at, &found, &start, &end, cut->err);
        if (status != VL2_OK || !found)
            break;
        status = take(&s, start, false);
        if (status == VL2_OK)
            status = take(&s, end, true);
        at = end;
    }
    if (status == VL2_OK)
        status = take(&s, length, false);
    return status == VL2_OK ? flush(&s) : status;
}

static vl2_status run_prefix_space(const struct cut *cut, size_t index, const char *text, size_t length) {
    if (text[0] == ' ')
        return run_stage(cut, index + 1, text, length);
    struct cut moved = *cut;
    char *copy = vlk_alloc(length + 1, 1);
    if (!copy)
        return vl2_fail(cut->err, VL2_ERR_MEMORY, "Not enough memory to tokenize a text of %zu bytes.", length);
    copy[0] = ' ';
    memcpy(copy + 1, text, length);
    moved.stable = false;
    vl2_status status = run_stage(&moved, index + 1, copy, length + 1);
    vlk_free(copy);
    return status;
}

static vl2_status run_stage(const struct cut *cut, size_t index, const char *text, size_t length) {
    if (index == cut->pretokenizer->n_stages)
        return cut->piece(text, length, cut->stable, cut->user, cut->err);
    if (cut->pretokenizer->stages[index].kind == STAGE_PREFIX_SPACE)
        return run_prefix_space(cut, index, text, length);
    return run_split(cut, index, text, length);
}

vl2_status vl2_pretokenize(const vl2_pretokenizer *pretokenizer, vl2_regex_scratch *scratch, const char *text, size_t length,
                           vl2_piece_fn piece, void *user, vl2_error *err) {
    struct cut cut = {pretokenizer, scratch, true, piece, user, err};
    return length ? run_stage(&cut, 0, text, length) : VL2_OK;
}
