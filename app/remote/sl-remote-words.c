/* SPDX-License-Identifier: MIT
 *
 * See sl-remote-words.h. The words for the model are English, whatever the user speaks: they are part of a prompt.
 */
#include "app/remote/sl-remote-words.h"

#include <string.h>

#define JOINER "\xe2\x81\xa0" /* U+2060, has no width */

/* Placeholders of the servers' own prompt builders, besides everything of the form <|…|>. */
static const char *const placeholders[] = { "<image>", "<IMAGE_TOKEN>", "<image_placeholder>" };
static const char *const grounding_tokens[] = { "<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>", "<|grounding|>" };

/* Bytes of what a tokenizer would take for a control token at text; 0 for none. */
static gsize
control_token (const char *text)
{
  static const char *const bars[] = { "|", "｜" };

  for (guint i = 0; i < G_N_ELEMENTS (placeholders); i++)
    if (g_str_has_prefix (text, placeholders[i]))
      return strlen (placeholders[i]);
  for (guint i = 0; i < G_N_ELEMENTS (bars); i++)
    if (g_str_has_prefix (text + 1, bars[i]))
      {
        g_autofree char *close = g_strconcat (bars[i], ">", NULL);
        const char *end = strstr (text + 1 + strlen (bars[i]), close);

        if (end != NULL && end - text < 64)
          return (gsize) (end - text) + strlen (close);
      }
  return 0;
}

static gboolean
is_allowed (const char *text,
            gsize       length,
            SlMarkup    markup)
{
  for (guint i = 0; markup == SL_MARKUP_GROUNDING && i < G_N_ELEMENTS (grounding_tokens); i++)
    if (strlen (grounding_tokens[i]) == length && memcmp (text, grounding_tokens[i], length) == 0)
      return TRUE;
  return markup == SL_MARKUP_ALL;
}

static void
append_literal (GString    *out,
                const char *text,
                SlMarkup    markup)
{
  for (const char *p = text; *p != '\0';)
    {
      gsize token = *p == '<' ? control_token (p) : 0;

      if (token > 0 && !is_allowed (p, token, markup))
        {
          g_string_append (out, "<" JOINER);
          g_string_append_len (out, p + 1, (gssize) token - 1);
        }
      else
        g_string_append_len (out, p, MAX ((gssize) token, 1));
      p += MAX (token, 1);
    }
}

static const char *
scale_words (SlBoxScale scale)
{
  switch (scale)
    {
    case SL_BOX_SCALE_999:
      return "numbers from 0 to 999 of the picture's width and height";
    case SL_BOX_SCALE_PIXELS:
      return "pixels";
    case SL_BOX_SCALE_ONE:
      return "numbers from 0 to 1 of the picture's width and height";
    case SL_BOX_SCALE_AUTO:
    case SL_BOX_SCALE_1000:
    default:
      return "numbers from 0 to 1000 of the picture's width and height";
    }
}

static void
append_form (GString              *out,
             const SlRemoteServer *server)
{
  const char *order = server->space.order == SL_BOX_ORDER_Y_FIRST ? "[y1, x1, y2, x2]" : "[x1, y1, x2, y2]";

  if (server->ask == SL_REMOTE_ASK_WIDE)
    g_string_append_printf (out, " Write each as <｜ref｜>label<｜/ref｜><｜box｜>[%s]<｜/box｜>.", order);
  else
    g_string_append_printf (out, " Answer with a JSON list of {\"%s\": %s, \"label\": \"…\"}, the coordinates as %s.",
                            server->space.order == SL_BOX_ORDER_Y_FIRST ? "box_2d" : "bbox_2d", order,
                            scale_words (server->space.scale));
}

void
sl_remote_words_append (GString              *out,
                        const SlRemoteServer *server,
                        const char           *text,
                        SlMarkup              markup,
                        gboolean             *asking)
{
  gboolean mark = markup == SL_MARKUP_GROUNDING && server->ask != SL_REMOTE_ASK_MARKS;

  if (mark && strcmp (text, "<|ref|>") == 0)
    {
      *asking = TRUE;
      g_string_append (out, "Locate every instance of: ");
    }
  else if (mark && *asking && strcmp (text, "<|/ref|>") == 0)
    {
      *asking = FALSE;
      g_string_append_c (out, '.');
      append_form (out, server);
    }
  else if (mark && strcmp (text, "<|grounding|>") == 0)
    {
      g_string_append (out, "Say where in the picture the things are that you name.");
      append_form (out, server);
      g_string_append_c (out, '\n');
    }
  else
    append_literal (out, text, markup);
}
