/* SPDX-License-Identifier: MIT
 *
 * The checkpoints that DeepSeek publishes: their repositories, what each is good for, and what they take. Constants and plain
 * functions, any thread. Sizes: the published files, and those that `quantize` makes of them (docs/quantisation.md).
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct
{
  const char *repo, *name;
  const char *about;            /* not yet translated */
  guint64 bytes;                /* of the download; about what it takes in memory, too */
  guint64 int8_bytes, mix_bytes; /* quantised */
  guint64 int8_token_bytes, mix_token_bytes; /* weights that one token of an answer reads: the layers, six experts of each, the head */
} SlPublished;

/* Smallest first. */
const SlPublished *sl_published_get (guint *n);

/* NULL where the repository is none of them. */
const SlPublished *sl_published_find (const char *repo);

/* Whether it fits a computer with so much memory, and how: a translated sentence. (transfer full) */
char *sl_published_dup_fit (const SlPublished *self, guint64 memory);

/* The largest that takes no more than half of the memory in int8; the smallest where none does. */
const SlPublished *sl_published_recommend (guint64 memory);
gboolean sl_published_fits (const SlPublished *self, gboolean mix, guint64 memory); /* quantised */
/* Does it fit in mix only? Otherwise int8 is the format to have. */
gboolean sl_published_wants_mix (const SlPublished *self, guint64 memory);

/* About how many words of an answer a computer makes in a second that reads so many bytes in a second; 0 where that is 0: unknown. */
double sl_published_estimate_words (const SlPublished *self, gboolean mix, double read_rate);

G_END_DECLS
