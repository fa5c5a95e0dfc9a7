/* SPDX-License-Identifier: MIT
 *
 * One lock, one text, one list of marks: at a few hundred tokens a second there is nothing to gain from more. The tail of an
 * open character stays in the buffer, so its bytes are counted once.
 */
#include "app/inference/sl-token-ring.h"

struct _SlTokenRing
{
  GMutex lock;
  GCond room;
  GString *text;
  GArray *marks;
  gsize capacity, pushed; /* bytes: that may wait, ever pushed */
  gboolean released;
};

SlTokenRing *
sl_token_ring_new (gsize capacity)
{
  SlTokenRing *self = g_new0 (SlTokenRing, 1);

  g_mutex_init (&self->lock);
  g_cond_init (&self->room);
  self->text = g_string_new (NULL);
  self->marks = g_array_new (FALSE, FALSE, sizeof (SlTokenMark));
  self->capacity = capacity;
  return self;
}

void
sl_token_ring_free (SlTokenRing *self)
{
  if (self == NULL)
    return;
  g_string_free (self->text, TRUE);
  g_array_unref (self->marks);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->room);
  g_free (self);
}

void
sl_token_ring_push (SlTokenRing *self,
                    gint32       id,
                    float        logprob,
                    const char  *text,
                    gsize        length)
{
  SlTokenMark mark = { id, logprob, 0 };

  g_mutex_lock (&self->lock);
  while (self->text->len >= self->capacity && !self->released)
    g_cond_wait (&self->room, &self->lock);
  g_string_append_len (self->text, text, length);
  self->pushed += length;
  mark.end = self->pushed;
  g_array_append_val (self->marks, mark);
  g_mutex_unlock (&self->lock);
}

void
sl_token_ring_release (SlTokenRing *self)
{
  g_mutex_lock (&self->lock);
  self->released = TRUE;
  g_cond_broadcast (&self->room);
  g_mutex_unlock (&self->lock);
}

/* Bytes at the end of the text that begin a character without ending it. */
static gsize
open_tail (const GString *text)
{
  const char *end = text->str + text->len;
  const char *last = g_utf8_find_prev_char (text->str, end);

  if (last == NULL || g_utf8_get_char_validated (last, end - last) != (gunichar) -2)
    return 0;
  return end - last;
}

gboolean
sl_token_ring_drain (SlTokenRing *self,
                     gboolean     final,
                     GString     *text,
                     GArray      *marks)
{
  g_autofree char *chunk = NULL;
  gsize whole;
  gboolean any;

  g_mutex_lock (&self->lock);
  whole = final ? self->text->len : self->text->len - open_tail (self->text);
  chunk = g_strndup (self->text->str, whole);
  g_string_erase (self->text, 0, whole);
  any = whole > 0 || self->marks->len > 0;
  g_array_append_vals (marks, self->marks->data, self->marks->len);
  g_array_set_size (self->marks, 0);
  g_cond_signal (&self->room);
  g_mutex_unlock (&self->lock);

  if (g_utf8_validate_len (chunk, whole, NULL))
    g_string_append_len (text, chunk, whole);
  else
    {
      g_autofree char *valid = g_utf8_make_valid (chunk, whole);

      g_string_append (text, valid);
    }
  return any;
}
