/* SPDX-License-Identifier: MIT
 *
 * The pre_tokenizer of a tokenizer.json: cuts a text into the pieces inside which BPE may merge. Implemented components:
 * Sequence, Split, Digits, ByteLevel (the last one; it ends the sequence). Everything else is refused by name.
 * Used by tokenizer.c. Immutable after opening, any thread.
 */
#ifndef VL2_PRETOKENIZE_H
#define VL2_PRETOKENIZE_H

#include "engine/text/regex.h"
#include "engine/vl2.h"

#include <jansson.h>

#define VL2_MAX_STAGES 32

typedef struct vl2_pretokenizer vl2_pretokenizer;

vl2_status vl2_pretokenizer_open(const char *file, const json_t *spec, vl2_pretokenizer **out, vl2_error *err);
void vl2_pretokenizer_close(vl2_pretokenizer *pretokenizer); /* NULL is allowed */

/* Called for each piece in order. `stable`: the bytes are those of the text that was passed in, at the same place. */
typedef vl2_status (*vl2_piece_fn)(const char *text, size_t length, bool stable, void *user, vl2_error *err);

/* text is valid UTF-8. */
vl2_status vl2_pretokenize(const vl2_pretokenizer *pretokenizer, vl2_regex_scratch *scratch, const char *text, size_t length,
                           vl2_piece_fn piece, void *user, vl2_error *err);

#endif
