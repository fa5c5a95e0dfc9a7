/* SPDX-License-Identifier: MIT
 *
 * Text to ids: added tokens are cut out in two passes, the rest goes through the pre-tokenizer and BPE. Words that come again in
 * one text are copied from their first result. Part of engine/text/tokenizer.h.
 */
#include "engine/text/tokenizer.h"

#include "engine/error.h"
#include "engine/text/utf8.h"
#include "kernels/vlk.h"

#include <string.h>

#define CACHE_SLOTS 8192u
#define CACHED_WORD 40     /* bytes; longer words rarely come again */
#define CACHE_FROM 256     /* bytes of text; for less it does not pay */

struct cached {
    const char *word; /* in the text being encoded */
    uint32_t length, n_ids;
    size_t first; /* its ids begin here */
};

struct encoder {
    const vl2_tokenizer *tokenizer;
    const char *text;
    const struct vl2_markup_span *spans;
    struct vl2_ids *ids;
    vl2_regex_scratch *regex;
    struct vl2_bpe_scratch bpe;
    struct cached *cache; /* [CACHE_SLOTS] or NULL */
};

/* ------------------------------------------------------------------------------------------------- ids */

vl2_status vl2_ids_reserve(struct vl2_ids *ids, size_t more, vl2_error *err) {
    if (ids->capacity - ids->n >= more)
        return VL2_OK;
    size_t capacity = ids->n + more + ids->capacity / 2 + 64;
    int32_t *data = capacity <= SIZE_MAX / sizeof *data ? vlk_realloc(ids->data, ids->n * sizeof *data, capacity * sizeof *data) : NULL;
    if (!data)
        return vl2_fail(err, VL2_ERR_MEMORY, "Not enough memory for %zu tokens.", capacity);
    ids->data = data;
    ids->capacity = capacity;
    return VL2_OK;
}

void vl2_ids_deinit(struct vl2_ids *ids) {
    vlk_free(ids->data);
    *ids = (struct vl2_ids){0};
}

/* ------------------------------------------------------------------------------------------------- words */

static struct cached *cache_slot(struct encoder *e, const char *word, size_t length) {
    uint64_t h = length * UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = 0; i < length; i += 8) {
        uint64_t part = 0;
        memcpy(&part, word + i, length - i < 8 ? length - i : 8);
        h = (h ^ part) * UINT64_C(0xff51afd7ed558ccd);
        h ^= h >> 32;
    }
    return &e->cache[h & (CACHE_SLOTS - 1)];
}

static vl2_status encode_word(const char *word, size_t length, bool stable, void *user, vl2_error *err) {
    struct encoder *e = user;
    struct vl2_ids *ids = e->ids;
    struct cached *slot = NULL;
    size_t n = 0;
    vl2_status status = vl2_ids_reserve(ids, length, err);
    if (status != VL2_OK)
        return status;
    if (e->cache && stable && length <= CACHED_WORD) {
        slot = cache_slot(e, word, length);
        if (slot->word && slot->length == length && memcmp(slot->word, word, length) == 0) {
            memcpy(ids->data + ids->n, ids->data + slot->first, slot->n_ids * sizeof *ids->data);
            ids->n += slot->n_ids;
            return VL2_OK;
        }
    }
    status = vl2_bpe_encode(&e->tokenizer->bpe, &e->bpe, word, length, ids->data + ids->n, &n, err);
    if (status == VL2_OK && slot)
        *slot = (struct cached){word, (uint32_t)length, (uint32_t)n, ids->n};
    ids->n += n;
    return status;
}

/* ------------------------------------------------------------------------------------------------- added tokens */

static bool allowed(const struct vl2_added_token *token, vl2_markup markup) {
    return markup == VL2_MARKUP_ALL || (markup == VL2_MARKUP_GROUNDING && token->grounding);
}

/* The longest token at text[at] that ends by `end` and that every span it touches allows. `span` is the one that contains `at`.
 * The candidates are a shrinking range of the sorted list. */
static const struct vl2_added_token *match_added(const struct encoder *e, size_t pass, size_t at, size_t end,
                                                 const struct vl2_markup_span *span) {
    const struct vl2_added_token **list = e->tokenizer->passes[pass], *best = NULL;
    size_t low = 0, high = e->tokenizer->n_passes[pass];
    bool grounding_only = false;
    for (size_t depth = 0; at + depth < end && low < high; depth++) {
        uint8_t c = (uint8_t)e->text[at + depth];
        while (at + depth >= span->end)
            span++;
        if (span->markup == VL2_MARKUP_NONE || c == 0)
            break;
        grounding_only |= span->markup == VL2_MARKUP_GROUNDING;
        for (size_t bound = 0; bound < 2; bound++) { /* low: first token with a byte >= c, high: first with a byte > c */
            size_t a = low, b = high;
            while (a < b) {
                size_t middle = (a + b) / 2;
                if ((uint8_t)list[middle]->text[depth] < c + bound)
                    a = middle + 1;
                else
                    b = middle;
            }
            if (bound)
                high = a;
            else
                low = a;
        }
        if (low < high && list[low]->length == depth + 1 &&
            allowed(list[low], grounding_only ? VL2_MARKUP_GROUNDING : VL2_MARKUP_ALL))
            best = list[low];
    }
    return best;
}

static vl2_status encode_range(struct encoder *e, size_t pass, size_t start, size_t end, vl2_error *err);

/* What lies between added tokens goes on to the next pass. */
static vl2_status encode_plain(struct encoder *e, size_t pass, size_t start, size_t end, vl2_error *err) {
    if (pass + 1 < 2)
        return encode_range(e, pass + 1, start, end, err);
    return vl2_pretokenize(e->tokenizer->pretokenizer, e->regex, e->text + start, end - start, encode_word, e, err);
}

static vl2_status encode_range(struct encoder *e, size_t pass, size_t start, size_t end, vl2_error *err) {
    const struct vl2_markup_span *span = e->spans;
    size_t plain = start;
    const bool *first = e->tokenizer->first[pass];
    vl2_status status = VL2_OK;
    for (size_t at = start; status == VL2_OK && at < end;) {
        while (at >= span->end)
            span++;
        if (span->markup == VL2_MARKUP_NONE) {
            at = span->end < end ? span->end : end;
            continue;
        }
        const struct vl2_added_token *token = first[(uint8_t)e->text[at]] ? match_added(e, pass, at, end, span) : NULL;
        if (!token) {
            at++;
            continue;
        }
        status = encode_plain(e, pass, plain, at, err);
        if (status == VL2_OK)
            status = vl2_ids_reserve(e->ids, 1, err);
        if (status == VL2_OK)
            e->ids->data[e->ids->n++] = token->id;
        at += token->length;
        plain = at;
    }
    return status == VL2_OK ? encode_plain(e, pass, plain, end, err) : status;
}

vl2_status vl2_tokenizer_append(const vl2_tokenizer *tokenizer, const char *text, size_t length,
                                const struct vl2_markup_span *spans, size_t n_spans, struct vl2_ids *ids, vl2_error *err) {
    struct encoder e = {.tokenizer = tokenizer, .text = text, .spans = spans, .ids = ids};
    if (length == 0)
        return VL2_OK;
    if (length > VL2_MAX_TEXT_BYTES)
        return vl2_fail(err, VL2_ERR_INPUT, "A text of %zu bytes is longer than the limit of %u.", length, VL2_MAX_TEXT_BYTES);
    if (n_spans == 0 || spans[n_spans - 1].end < length)
        return vl2_fail(err, VL2_ERR_USAGE, "The markup does not cover the text.");
    e.regex = vl2_regex_scratch_new();
    if (length >= CACHE_FROM)
        e.cache = vlk_alloc(CACHE_SLOTS, sizeof *e.cache);
    vl2_status status = e.regex && (e.cache || length < CACHE_FROM)
                            ? encode_range(&e, 0, 0, length, err)
                            : vl2_fail(err, VL2_ERR_MEMORY, "Not enough memory to tokenize a text of %zu bytes.", length);
    vl2_regex_scratch_free(e.regex);
    vl2_bpe_scratch_deinit(&e.bpe);
    vlk_free(e.cache);
    return status;
}

vl2_status vl2_tokenizer_encode(const vl2_tokenizer *tokenizer, const char *text, size_t length, vl2_markup markup,
                                int32_t **out, size_t *n_out, vl2_error *err) {
    struct vl2_ids ids = {0};
    char *repaired = NULL;
    *out = NULL;
    *n_out = 0;
    if (length > VL2_MAX_TEXT_BYTES)
        return vl2_fail(err, VL2_ERR_INPUT, "A text of %zu bytes is longer than the limit of %u.", length, VL2_MAX_TEXT_BYTES);
    if (length && !vl2_utf8_valid(text, length)) {
        repaired = vlk_alloc(length, 3);
        if (!repaired)
            return vl2_fail(err, VL2_ERR_MEMORY, "Not enough memory to tokenize a text of %zu bytes.", length);
        length = vl2_utf8_repair(repaired, text, length);
        text = repaired;
    }
    struct vl2_markup_span span = {length, markup};
    vl2_status status = vl2_ids_reserve(&ids, 1, err); /* never NULL on success */
    if (status == VL2_OK)
        status = vl2_tokenizer_append(tokenizer, text, length, &span, 1, &ids, err);
    vlk_free(repaired);
    if (status != VL2_OK) {
        vl2_ids_deinit(&ids);
        return status;
    }
    *out = ids.data;
    *n_out = ids.n;
    return VL2_OK;
}
