/* SPDX-License-Identifier: MIT
 *
 * Ids to text, at once and streaming. Part of engine/text/tokenizer.h.
 */
#include "engine/text/tokenizer.h"

#include "engine/error.h"
#include "engine/text/utf8.h"
#include "kernels/vlk.h"

#include <string.h>

vl2_status vl2_detokenizer_init(struct vl2_detokenizer *d, const vl2_tokenizer *tokenizer, vl2_error *err) {
    /* Every byte of pending and the token may become a U+FFFD of three bytes; the token is put behind its own repaired form. */
    size_t room = tokenizer->longest + sizeof d->pending;
    *d = (struct vl2_detokenizer){.tokenizer = tokenizer, .text = vlk_alloc(room, 4)};
    return d->text ? VL2_OK : vl2_fail(err, VL2_ERR_MEMORY, "Not enough memory to decode tokens.");
}

void vl2_detokenizer_deinit(struct vl2_detokenizer *d) {
    vlk_free(d->text);
    *d = (struct vl2_detokenizer){0};
}

void vl2_detokenizer_feed(struct vl2_detokenizer *d, int32_t id, const char **text, size_t *length) {
    size_t n_piece, n = 0;
    const char *piece = vl2_tokenizer_piece(d->tokenizer, id, &n_piece);
    size_t total = d->n_pending + n_piece;
    char *raw = d->text + 3 * (d->tokenizer->longest + sizeof d->pending);
    memcpy(raw, d->pending, d->n_pending);
    if (n_piece)
        memcpy(raw + d->n_pending, piece, n_piece);
    d->n_pending = 0;
    for (size_t i = 0; i < total;) {
        int32_t c;
        bool truncated;
        size_t used = vl2_utf8_next(raw + i, total - i, &c, &truncated);
        if (truncated) {
            memcpy(d->pending, raw + i, used);
            d->n_pending = used;
        } else {
            n += vl2_utf8_put(d->text + n, c < 0 ? 0xfffd : c);
        }
        i += used;
    }
    *text = d->text;
    *length = n;
}

void vl2_detokenizer_flush(struct vl2_detokenizer *d, const char **text, size_t *length) {
    *text = d->text;
    *length = d->n_pending ? vl2_utf8_put(d->text, 0xfffd) : 0;
    d->n_pending = 0;
}

vl2_status vl2_tokenizer_decode(const vl2_tokenizer *tokenizer, const int32_t *ids, size_t n_ids, char **text, size_t *length,
                                vl2_error *err) {
    size_t raw_length = 0, at = 0, n;
    *text = NULL;
    if (length)
        *length = 0;
    for (size_t i = 0; i < n_ids; i++) {
        vl2_tokenizer_piece(tokenizer, ids[i], &n);
        if (n > (SIZE_MAX - 1) / 4 - raw_length)
            return vl2_fail(err, VL2_ERR_MEMORY, "The text of %zu tokens is too long.", n_ids);
        raw_length += n;
    }
    char *raw = vlk_alloc(4 * raw_length + 1, 1); /* the repaired text, then the bytes it is made from */
    if (!raw)
        return vl2_fail(err, VL2_ERR_MEMORY, "Not enough memory to decode %zu tokens.", n_ids);
    for (size_t i = 0; i < n_ids; i++) {
        const char *piece = vl2_tokenizer_piece(tokenizer, ids[i], &n);
        if (n)
            memcpy(raw + 3 * raw_length + at, piece, n);
        at += n;
    }
    n = vl2_utf8_repair(raw, raw + 3 * raw_length, raw_length);
    raw[n] = '\0';
    *text = raw;
    if (length)
        *length = n;
    return VL2_OK;
}
