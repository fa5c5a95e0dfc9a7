/* SPDX-License-Identifier: MIT
 *
 * The table of published checkpoints, and which of them this computer can keep in memory.
 */
#include "app/hub/sl-published.h"

#include <glib/gi18n-lib.h>

#define GB             ((guint64) 1000 * 1000 * 1000)
#define MB             ((guint64) 1000 * 1000)
#define SHARE_FOR_FILE 0.75 /* of the memory: the rest is for the system and other programs */
#define SHARE_FOR_COMFORT 0.5 /* … and for everything else that one does with a computer */
#define SHARE_OF_RATE  0.6  /* of what can be read, that an answer about a picture reads (docs/bench.md) */
#define WORDS_A_TOKEN  0.75 /* of English */

static const SlPublished published[] = {
  { "deepseek-ai/deepseek-vl2-tiny", "DeepSeek-VL2 Tiny", N_("3.4 billion parameters: quick, good at finding things and reading short texts"),
    67 * GB / 10, 41 * GB / 10, 29 * GB / 10, 613 * MB, 499 * MB },
  { "deepseek-ai/deepseek-vl2-small", "DeepSeek-VL2 Small", N_("16 billion parameters: better descriptions, tables and charts"),
    323 * GB / 10, 178 * GB / 10, 106 * GB / 10, 2615 * MB, 1940 * MB },
  { "deepseek-ai/deepseek-vl2", "DeepSeek-VL2", N_("27 billion parameters: the best answers, and the most memory"),
    549 * GB / 10, 299 * GB / 10, 176 * GB / 10, 4398 * MB, 3372 * MB },
};

const SlPublished *
sl_published_get (guint *n)
{
  *n = G_N_ELEMENTS (published);
  return published;
}

const SlPublished *
sl_published_find (const char *repo)
{
  for (guint i = 0; i < G_N_ELEMENTS (published); i++)
    if (g_str_equal (published[i].repo, repo))
      return &published[i];
  return NULL;
}

static gboolean
fits (guint64 bytes,
      guint64 memory)
{
  return bytes <= memory * SHARE_FOR_FILE;
}

char *
sl_published_dup_fit (const SlPublished *self,
                      guint64            memory)
{
  g_autofree char *there = g_format_size (memory);
  g_autofree char *int8 = g_format_size (self->int8_bytes);
  g_autofree char *mix = g_format_size (self->mix_bytes);

  if (memory == 0)
    return g_strdup ("");
  /* Translators: the computer's memory */
  if (fits (self->bytes, memory))
    return g_strdup_printf (_("Fits your %s of memory as it is"), there);
  /* Translators: the computer's memory, size of the quantised files */
  if (fits (self->int8_bytes, memory))
    return g_strdup_printf (_("Fits your %s of memory when quantised to int8 (%s)"), there, int8);
  if (fits (self->mix_bytes, memory))
    return g_strdup_printf (_("Fits your %s of memory when quantised to mix (%s)"), there, mix);
  return g_strdup_printf (_("Needs more than your %s of memory"), there);
}

const SlPublished *
sl_published_recommend (guint64 memory)
{
  for (guint i = G_N_ELEMENTS (published); i > 0; i--)
    if (published[i - 1].int8_bytes <= memory * SHARE_FOR_COMFORT)
      return &published[i - 1];
  return &published[0];
}

gboolean
sl_published_fits (const SlPublished *self,
                   gboolean           mix,
                   guint64            memory)
{
  return fits (mix ? self->mix_bytes : self->int8_bytes, memory);
}

gboolean
sl_published_wants_mix (const SlPublished *self,
                        guint64            memory)
{
  return memory > 0 && !fits (self->int8_bytes, memory);
}

double
sl_published_estimate_words (const SlPublished *self,
                             gboolean           mix,
                             double             read_rate)
{
  return SHARE_OF_RATE * WORDS_A_TOKEN * read_rate / (mix ? self->mix_token_bytes : self->int8_token_bytes);
}
