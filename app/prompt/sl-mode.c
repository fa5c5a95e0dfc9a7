/* SPDX-License-Identifier: MIT
 *
 * What each mode adds around the user's words and how it samples. See the header; nothing here has state.
 */
#include "app/prompt/sl-mode.h"

#include <string.h>

#include <glib/gi18n-lib.h>

static const struct
{
  const char *nick;
  const char *display_name;
  SlSampling  sampling;
} modes[SL_N_MODES] = {
  [SL_MODE_CHAT] = { "chat", NC_("mode", "Chat"), { 0.1, 0.9, 0, 1.1 } },
  [SL_MODE_FIND] = { "find", NC_("mode", "Find"), { 0.0, 1.0, 0, 1.0 } },
  [SL_MODE_GROUND] = { "ground", NC_("mode", "Ground"), { 0.0, 1.0, 0, 1.0 } },
};

static const char *const markup_nicks[] = { "none", "grounding", "all" };

static const char *const grounding_tokens[] = {
  "<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>", "<|grounding|>",
};

SlSampling
sl_mode_get_sampling (SlMode mode)
{
  return modes[mode].sampling;
}

const char *
sl_mode_get_nick (SlMode mode)
{
  return modes[mode].nick;
}

const char *
sl_mode_get_display_name (SlMode mode)
{
  return g_dpgettext2 (NULL, "mode", modes[mode].display_name);
}

gboolean
sl_mode_from_nick (const char *nick,
                   SlMode     *mode)
{
  for (int i = 0; i < SL_N_MODES; i++)
    {
      if (g_strcmp0 (nick, modes[i].nick) == 0)
        {
          *mode = i;
          return TRUE;
        }
    }

  return FALSE;
}

const char *
sl_markup_get_nick (SlMarkup markup)
{
  return markup_nicks[markup];
}

gboolean
sl_markup_from_nick (const char *nick,
                     SlMarkup   *markup)
{
  for (guint i = 0; i < G_N_ELEMENTS (markup_nicks); i++)
    {
      if (g_strcmp0 (nick, markup_nicks[i]) == 0)
        {
          *markup = i;
          return TRUE;
        }
    }

  return FALSE;
}

SlPiece *
sl_piece_new (const char *text,
              SlMarkup    markup)
{
  SlPiece *piece = g_new0 (SlPiece, 1);

  piece->text = g_strdup (text);
  piece->markup = markup;

  return piece;
}

void
sl_piece_free (SlPiece *piece)
{
  if (piece != NULL)
    {
      g_free (piece->text);
      g_free (piece);
    }
}

static gboolean
is_blank (const char *text)
{
  for (; *text != '\0'; text = g_utf8_next_char (text))
    {
      if (!g_unichar_isspace (g_utf8_get_char (text)))
        return FALSE;
    }

  return TRUE;
}

static gboolean
has_grounding_tokens (const char *text)
{
  for (guint i = 0; i < G_N_ELEMENTS (grounding_tokens); i++)
    {
      if (strstr (text, grounding_tokens[i]) != NULL)
        return TRUE;
    }

  return FALSE;
}

/* White space around the words stays outside of the reference, where it would be part of the thing's name. */
static void
append_reference (GPtrArray  *pieces,
                  const char *text,
                  SlMarkup    markup)
{
  const char *first = text;
  const char *last = text + strlen (text);
  g_autofree char *before = NULL;
  g_autofree char *words = NULL;

  while (g_unichar_isspace (g_utf8_get_char (first)))
    first = g_utf8_next_char (first);
  while (last > first && g_unichar_isspace (g_utf8_get_char (g_utf8_prev_char (last))))
    last = g_utf8_prev_char (last);

  before = g_strndup (text, first - text);
  words = g_strndup (first, last - first);

  if (*before != '\0')
    g_ptr_array_add (pieces, sl_piece_new (before, SL_MARKUP_NONE));
  g_ptr_array_add (pieces, sl_piece_new ("<|ref|>", SL_MARKUP_GROUNDING));
  g_ptr_array_add (pieces, sl_piece_new (words, markup));
  g_ptr_array_add (pieces, sl_piece_new ("<|/ref|>", SL_MARKUP_GROUNDING));
  if (*last != '\0')
    g_ptr_array_add (pieces, sl_piece_new (last, SL_MARKUP_NONE));
}

static void
append_text (GPtrArray  *pieces,
             SlMode      mode,
             const char *text,
             gboolean    raw)
{
  SlMarkup markup = raw ? SL_MARKUP_GROUNDING : SL_MARKUP_NONE;

  if (mode == SL_MODE_FIND && !is_blank (text))
    {
      append_reference (pieces, text, markup);
      return;
    }

  if (mode == SL_MODE_GROUND)
    g_ptr_array_add (pieces, sl_piece_new ("<|grounding|>", SL_MARKUP_GROUNDING));
  if (*text != '\0')
    g_ptr_array_add (pieces, sl_piece_new (text, markup));
}

/* Which of the texts the mode works on; n_texts if none. */
static gsize
find_target (SlMode             mode,
             const char *const *texts,
             gsize              n_texts,
             gboolean           raw)
{
  gsize target = n_texts;

  for (gsize i = 0; i < n_texts; i++)
    {
      if (texts[i] == NULL || is_blank (texts[i]))
        continue;
      if (raw && has_grounding_tokens (texts[i]))
        return n_texts;
      if (mode == SL_MODE_FIND || target == n_texts)
        target = i;
    }

  return target;
}

static gboolean
needs_line_break (const char *const *texts,
                  gsize              n_texts,
                  gsize              after)
{
  const char *next;

  if (after + 1 >= n_texts)
    return FALSE;

  next = texts[after + 1];

  return next == NULL || (*next != '\0' && !g_unichar_isspace (g_utf8_get_char (next)));
}

GPtrArray *
sl_mode_compose (SlMode             mode,
                 const char *const *texts,
                 gsize              n_texts,
                 gboolean           raw)
{
  GPtrArray *pieces = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_piece_free);
  gsize target = find_target (mode, texts, n_texts, raw);

  for (gsize i = 0; i < n_texts; i++)
    {
      if (texts[i] != NULL)
        {
          append_text (pieces, i == target ? mode : SL_MODE_CHAT, texts[i], raw);
        }
      else
        {
          g_ptr_array_add (pieces, sl_piece_new (NULL, SL_MARKUP_NONE));
          if (needs_line_break (texts, n_texts, i))
            g_ptr_array_add (pieces, sl_piece_new ("\n", SL_MARKUP_NONE));
        }
    }

  return pieces;
}

GPtrArray *
sl_mode_wrap (SlMode      mode,
              const char *text,
              gboolean    raw)
{
  return sl_mode_compose (mode, &text, 1, raw);
}
