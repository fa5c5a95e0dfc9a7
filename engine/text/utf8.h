/* SPDX-License-Identifier: MIT
 *
 * UTF-8 as the engine needs it: strict decoding, replacement of what is not UTF-8, white space as Python's str.strip sees it.
 * Used by tokenizer.c, detokenizer.c, prompt.c and grounding.c. Pure.
 */
#ifndef VL2_UTF8_H
#define VL2_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads the code point at text[0 … length), length > 0. Returns the bytes it takes. Where the text is not UTF-8: *code_point is
 * -1 and the value is the length of the maximal subpart that one U+FFFD replaces (Unicode, "U+FFFD substitution"). *truncated,
 * if not NULL, says whether the sequence is a valid beginning that the end of the text cut off. */
size_t vl2_utf8_next(const char *text, size_t length, int32_t *code_point, bool *truncated);

/* Writes 1 … 4 bytes. */
size_t vl2_utf8_put(char *out, int32_t code_point);

bool vl2_utf8_valid(const char *text, size_t length);

/* Copies text with every ill-formed subpart replaced by U+FFFD. `out` needs 3 * length bytes. Returns the bytes written. */
size_t vl2_utf8_repair(char *out, const char *text, size_t length);

/* A NUL-terminated copy, released with vlk_free(); NULL: out of memory. */
char *vl2_text_copy(const char *text, size_t length);

/* What str.isspace() is true for. */
bool vl2_is_space(int32_t code_point);

/* Shrinks [*start, *end) of text by the white space at its beginning or its end. Ill-formed bytes are not space. */
void vl2_strip_start(const char *text, size_t *start, size_t end);
void vl2_strip_end(const char *text, size_t start, size_t *end);

#endif
