/* SPDX-License-Identifier: MIT
 *
 * What the rest of engine/ needs of the tokenizer beyond engine/vl2.h: texts whose parts carry different markup, the bytes of a
 * token, ids of the control tokens, and the streaming detokenizer.
 * Used by engine.c, prompt.c and session.c. A tokenizer is immutable after opening: any thread.
 */
#ifndef VL2_TOKENIZER_H
#define VL2_TOKENIZER_H

#include "engine/text/bpe.h"
#include "engine/text/pretokenize.h"
#include "engine/text/special_tokens.h"
#include "engine/vl2.h"

#include <jansson.h>

#define VL2_MAX_TEXT_BYTES (64u << 20)
#define VL2_MAX_ADDED_TOKENS 16384
#define VL2_MAX_ADDED_BYTES 1024

struct vl2_added_token {
    char *text;
    uint32_t length;
    int32_t id;
    bool normalized; /* found in the second pass */
    bool grounding;  /* allowed by VL2_MARKUP_GROUNDING */
};

struct vl2_tokenizer {
    char *file; /* path of tokenizer.json, for messages */
    struct vl2_bpe bpe;
    vl2_pretokenizer *pretokenizer;
    struct vl2_added_token *added; /* [n_added] in the order of their ids' assignment, until sealed; then sorted by text */
    size_t n_added;
    const struct vl2_added_token **passes[2]; /* sorted by text: [0] normalized = false, [1] normalized = true */
    size_t n_passes[2];
    bool first[2][256]; /* bytes that a token of the pass begins with */
    struct vl2_piece *pieces; /* [size]: vocabulary and added tokens */
    int32_t size;             /* highest id + 1 */
    size_t longest;           /* bytes of the longest token */
    struct vl2_special special;
};

/* As vl2_tokenizer_open from parsed files. config (tokenizer_config.json) may be NULL; file is named in errors. */
vl2_status vl2_tokenizer_from_json(const char *file, const json_t *json, const json_t *config, vl2_tokenizer **out,
                                   vl2_error *err);

/* Ids of the control tokens after the rule at load. bos and eos are -1 where tokenizer_config.json does not name them; the
 * others always exist. The caller compares all of them with the model's vocab_size. */
const struct vl2_special *vl2_tokenizer_special(const vl2_tokenizer *tokenizer);

/* Bytes of a token, borrowed. Length 0 for ids that no token has (negative, holes, beyond the tokenizer). */
const char *vl2_tokenizer_piece(const vl2_tokenizer *tokenizer, int32_t id, size_t *length);

/* ------------------------------------------------------------------------------------------------- encoding */

struct vl2_ids { /* zero-initialised = empty */
    int32_t *data;
    size_t n, capacity;
};
vl2_status vl2_ids_reserve(struct vl2_ids *ids, size_t more, vl2_error *err);
void vl2_ids_deinit(struct vl2_ids *ids);

struct vl2_markup_span {
    size_t end; /* the span ends before this byte and begins where the one before it ends */
    vl2_markup markup;
};

/* Appends the ids of one text, valid UTF-8, whose spans cover it. An added token is recognised where every byte of it lies in
 * spans that allow it. Merges cross span borders, as they do in the same text written at once. */
vl2_status vl2_tokenizer_append(const vl2_tokenizer *tokenizer, const char *text, size_t length,
                                const struct vl2_markup_span *spans, size_t n_spans, struct vl2_ids *ids, vl2_error *err);

/* ------------------------------------------------------------------------------------------------- streaming */

/* Ids in, complete code points out. All texts together equal vl2_tokenizer_decode of all ids. */
struct vl2_detokenizer {
    const vl2_tokenizer *tokenizer;
    char *text;      /* what the last call returned */
    char pending[4]; /* the beginning of a code point */
    size_t n_pending;
};
vl2_status vl2_detokenizer_init(struct vl2_detokenizer *d, const vl2_tokenizer *tokenizer, vl2_error *err);
void vl2_detokenizer_deinit(struct vl2_detokenizer *d);
/* *text is borrowed until the next call and not NUL-terminated; it may be empty. Allocates nothing. */
void vl2_detokenizer_feed(struct vl2_detokenizer *d, int32_t id, const char **text, size_t *length);
/* The end: an unfinished code point becomes U+FFFD. Ready for another text afterwards. */
void vl2_detokenizer_flush(struct vl2_detokenizer *d, const char **text, size_t *length);

#endif
