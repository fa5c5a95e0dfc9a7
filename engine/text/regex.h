/* SPDX-License-Identifier: MIT
 *
 * The regular expressions of a tokenizer.json. They are written for Oniguruma in its Ruby syntax; this translates them to PCRE2,
 * keeping what differs (white space, line anchors, escapes) and refusing by name what has no exact counterpart.
 * Used by pretokenize.c. A compiled expression is immutable and may be used by any number of threads.
 */
#ifndef VL2_REGEX_H
#define VL2_REGEX_H

#include "engine/vl2.h"

#define VL2_MAX_PATTERN_BYTES 65536

typedef struct vl2_regex vl2_regex;

/* `pattern` is UTF-8. literal: the text itself is searched. Refuses patterns that can match the empty string.
 * `file` is named in errors. */
vl2_status vl2_regex_open(const char *file, const char *pattern, bool literal, vl2_regex **out, vl2_error *err);
void vl2_regex_close(vl2_regex *regex); /* NULL is allowed */

/* What one thread needs while it searches; reusable for every expression. */
typedef struct vl2_regex_scratch vl2_regex_scratch;
vl2_regex_scratch *vl2_regex_scratch_new(void); /* NULL: out of memory */
void vl2_regex_scratch_free(vl2_regex_scratch *scratch);

/* The leftmost match in text[0 … length), which is valid UTF-8, at or after `from`. *found says whether there is one. Fails when
 * the expression needs more steps than any sane one. */
vl2_status vl2_regex_find(const vl2_regex *regex, vl2_regex_scratch *scratch, const char *text, size_t length, size_t from,
                          bool *found, size_t *start, size_t *end, vl2_error *err);

#endif
