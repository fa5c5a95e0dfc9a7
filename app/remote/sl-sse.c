/* SPDX-License-Identifier: MIT
 *
 * Lines, then fields, then events: https://html.spec.whatwg.org/multipage/server-sent-events.html, section 9.2.6.
 */
#include "app/remote/sl-sse.h"

#include <string.h>

#include <glib/gi18n-lib.h>

struct _SlSse
{
  SlSseEvent on_event;
  gpointer user_data;
  GString *line, *data, *event;
  gboolean has_data, after_cr, begun, ended;
};

SlSse *
sl_sse_new (SlSseEvent on_event,
            gpointer   user_data)
{
  SlSse *self = g_new0 (SlSse, 1);

  self->on_event = on_event;
  self->user_data = user_data;
  self->line = g_string_new (NULL);
  self->data = g_string_new (NULL);
  self->event = g_string_new (NULL);
  return self;
}

void
sl_sse_free (SlSse *self)
{
  if (self == NULL)
    return;
  g_string_free (self->line, TRUE);
  g_string_free (self->data, TRUE);
  g_string_free (self->event, TRUE);
  g_free (self);
}

static void
dispatch (SlSse *self)
{
  if (self->has_data)
    self->ended = !self->on_event (self->event->len > 0 ? self->event->str : "message", self->data->str, self->data->len,
                                   self->user_data);
  g_string_truncate (self->data, 0);
  g_string_truncate (self->event, 0);
  self->has_data = FALSE;
}

static gboolean
is_field (const GString *line,
          gsize          colon,
          const char    *name)
{
  return colon == strlen (name) && memcmp (line->str, name, colon) == 0;
}

/* A line without its end. */
static void
take_line (SlSse *self)
{
  const GString *line = self->line;
  const char *found = memchr (line->str, ':', line->len);
  gsize colon = found != NULL ? (gsize) (found - line->str) : line->len;
  gsize value = MIN (colon + 1, line->len);

  if (line->len == 0)
    {
      dispatch (self);
      return;
    }
  if (value < line->len && line->str[value] == ' ')
    value++;
  if (is_field (line, colon, "data"))
    {
      if (self->has_data)
        g_string_append_c (self->data, '\n');
      g_string_append_len (self->data, line->str + value, line->len - value);
      self->has_data = TRUE;
    }
  else if (is_field (line, colon, "event"))
    {
      g_string_truncate (self->event, 0);
      g_string_append_len (self->event, line->str + value, line->len - value);
    }
}

static void
end_line (SlSse *self)
{
  if (!self->begun && self->line->len >= 3 && memcmp (self->line->str, "\xef\xbb\xbf", 3) == 0)
    g_string_erase (self->line, 0, 3);
  self->begun = TRUE;
  take_line (self);
  g_string_truncate (self->line, 0);
}

gboolean
sl_sse_push (SlSse       *self,
             const char  *bytes,
             gsize        length,
             GError     **error)
{
  for (gsize at = 0; at < length && !self->ended;)
    {
      gsize run = 0;

      if (self->after_cr && bytes[at] == '\n')
        at++;
      self->after_cr = FALSE;
      while (at + run < length && bytes[at + run] != '\n' && bytes[at + run] != '\r')
        run++;
      g_string_append_len (self->line, bytes + at, run);
      at += run;
      if (self->line->len + self->data->len > SL_SSE_LIMIT)
        {
          self->ended = TRUE;
          g_set_error (error, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE, _("The server sends a single event of more than %u MiB."),
                       SL_SSE_LIMIT >> 20);
          return FALSE;
        }
      if (at == length)
        break;
      self->after_cr = bytes[at++] == '\r';
      end_line (self);
    }
  return !self->ended;
}

void
sl_sse_end (SlSse *self)
{
  if (!self->ended && self->line->len > 0)
    end_line (self);
  if (!self->ended)
    dispatch (self);
}
