/* SPDX-License-Identifier: MIT
 *
 * Words and CJK pairs for the full-text index. A word is a run of letters, digits and marks; a CJK run is a run of characters
 * that are written without blanks between words. Pure functions, any thread.
 */
#include "app/store/sl-search-text.h"

#include <string.h>

typedef enum { OTHER, WORD, CJK } CharKind;

static CharKind
char_kind (gunichar c)
{
  switch (g_unichar_get_script (c))
    {
    case G_UNICODE_SCRIPT_HAN:
    case G_UNICODE_SCRIPT_HIRAGANA:
    case G_UNICODE_SCRIPT_KATAKANA:
    case G_UNICODE_SCRIPT_HANGUL:
    case G_UNICODE_SCRIPT_BOPOMOFO:
    case G_UNICODE_SCRIPT_THAI:
      return g_unichar_isalnum (c) || g_unichar_ismark (c) ? CJK : OTHER;
    default:
      return g_unichar_isalnum (c) || g_unichar_ismark (c) ? WORD : OTHER;
    }
}

/* NFKC makes full-width Latin ordinary, and halves of Hangul whole. */
static char *
normalise (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  g_autofree char *composed = g_utf8_normalize (valid, -1, G_NORMALIZE_ALL_COMPOSE);

  return g_utf8_strdown (composed, -1);
}

/* The next run of one kind at or behind *cursor; FALSE at the end. */
static gboolean
next_run (const char **cursor,
          const char **start,
          const char **end,
          CharKind    *kind)
{
  const char *p = *cursor;

  while (*p != '\0' && char_kind (g_utf8_get_char (p)) == OTHER)
    p = g_utf8_next_char (p);
  if (*p == '\0')
    return FALSE;

  *start = p;
  *kind = char_kind (g_utf8_get_char (p));
  while (*p != '\0' && char_kind (g_utf8_get_char (p)) == *kind)
    p = g_utf8_next_char (p);
  *end = *cursor = p;
  return TRUE;
}

static void
append_word (GString    *out,
             const char *start,
             gsize       length)
{
  if (out->len > 0 && out->str[out->len - 1] != '"')
    g_string_append_c (out, ' ');
  g_string_append_len (out, start, length);
}

static void
append_pairs (GString    *out,
              const char *start,
              const char *end)
{
  for (const char *p = start; p < end; p = g_utf8_next_char (p))
    {
      const char *second = g_utf8_next_char (p);

      if (second < end)
        append_word (out, p, g_utf8_next_char (second) - p);
    }
}

char *
sl_search_text_index (const char *text)
{
  g_autofree char *normal = normalise (text);
  const char *cursor = normal, *start, *end;
  GString *out = g_string_new (NULL);
  CharKind kind;

  while (next_run (&cursor, &start, &end, &kind))
    {
      if (kind == WORD)
        {
          append_word (out, start, end - start);
          continue;
        }
      append_pairs (out, start, end);
      start = g_utf8_prev_char (end);
      append_word (out, start, end - start);
    }
  return g_string_free (out, FALSE);
}

char *
sl_search_text_query (const char *query)
{
  g_autofree char *normal = normalise (query);
  const char *cursor = normal, *start, *end;
  GString *out = g_string_new (NULL);
  CharKind kind;

  while (next_run (&cursor, &start, &end, &kind))
    {
      gboolean single = kind == CJK && g_utf8_next_char (start) == end;

      /* Between quotes FTS5 knows no syntax, and words hold no quote. */
      g_string_append (out, out->len > 0 ? " \"" : "\"");
      if (kind == WORD || single)
        g_string_append_len (out, start, end - start);
      else
        append_pairs (out, start, end);
      g_string_append_c (out, '"');
      if (single || (kind == WORD && *end == '\0'))
        g_string_append_c (out, '*');
    }
  if (out->len == 0)
    {
      g_string_free (out, TRUE);
      return NULL;
    }
  return g_string_free (out, FALSE);
}

/* Byte offset in text of the first run of the query, compared without case; -1 if none occurs. */
static gssize
find_first (const char *text,
            const char *query)
{
  g_autofree char *normal = normalise (query);
  g_autofree char *folded = g_utf8_strdown (text, -1);
  const char *cursor = normal, *start, *end;
  CharKind kind;

  while (next_run (&cursor, &start, &end, &kind))
    {
      g_autofree char *word = g_strndup (start, end - start);
      const char *hit = strstr (folded, word);

      /* Lower case may differ in bytes, not in the number of characters, from what people search. */
      if (hit != NULL)
        return g_utf8_offset_to_pointer (text, MIN (g_utf8_pointer_to_offset (folded, hit), g_utf8_strlen (text, -1))) - text;
    }
  return -1;
}

char *
sl_search_text_snippet (const char *text,
                        const char *query,
                        guint       width)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  gssize hit = query != NULL ? find_first (valid, query) : -1;
  const char *start = valid, *p;
  gboolean blank = TRUE;
  guint taken = 0;
  GString *out = g_string_new (NULL);

  if (hit > 0)
    {
      start = valid + hit;
      for (guint back = 0; back < width / 3 && start > valid; back++)
        start = g_utf8_prev_char (start);
      if (start > valid)
        g_string_append (out, "…");
    }
  for (p = start; *p != '\0' && taken < width; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);
      gboolean space = g_unichar_isspace (c) || g_unichar_iscntrl (c);

      if (space && blank)
        continue;
      g_string_append_unichar (out, space ? ' ' : c);
      blank = space;
      taken++;
    }
  if (*p != '\0')
    g_string_append (out, "…");
  else
    while (out->len > 0 && out->str[out->len - 1] == ' ')
      g_string_truncate (out, out->len - 1);
  return g_string_free (out, FALSE);
}
