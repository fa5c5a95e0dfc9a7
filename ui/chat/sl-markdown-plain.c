/* SPDX-License-Identifier: MIT
 *
 * Blocks back to text: Pango's marks and the breaks that were put into long words go.
 */
#include "ui/chat/sl-markdown-plain.h"

#include <pango/pango.h>
#include <string.h>

#define BREAK "\342\200\213"
#define INDENT 2

/* Pango knows no links. */
static char *
dup_unmarked (const char *markup)
{
  g_autoptr (GString) text = g_string_new (markup);
  g_autofree char *plain = NULL;
  char *open, *close;

  while ((open = strstr (text->str, "<a href=")) != NULL && (close = strchr (open, '>')) != NULL)
    g_string_erase (text, open - text->str, close + 1 - open);
  g_string_replace (text, "</a>", "", 0);
  if (!pango_parse_markup (text->str, -1, 0, NULL, &plain, NULL, NULL))
    return g_strdup (markup);
  g_string_assign (text, plain);
  g_string_replace (text, BREAK, "", 0);
  return g_strdup (text->str);
}

static void
append_quoted (GString    *out,
               const char *cell)
{
  gboolean formula = *cell != '\0' && strchr ("=+-@", *cell) != NULL && !g_ascii_isdigit (cell[1]) && cell[1] != '.';
  g_autoptr (GString) text = g_string_new (cell);

  if (formula)
    g_string_prepend_c (text, '\'');
  if (strpbrk (text->str, ",\"\r\n") == NULL)
    {
      g_string_append (out, text->str);
      return;
    }
  g_string_replace (text, "\"", "\"\"", 0);
  g_string_append_printf (out, "\"%s\"", text->str);
}

char *
sl_block_dup_table (const SlBlock *table,
                    char           separator)
{
  GString *out = g_string_new (NULL);

  for (guint i = 0; table->n_columns > 0 && i < table->cells->len; i++)
    {
      g_autofree char *cell = dup_unmarked (g_ptr_array_index (table->cells, i));

      if (separator == '\t')
        g_string_append (out, g_strdelimit (cell, "\t\r\n", ' '));
      else
        append_quoted (out, cell);
      g_string_append_c (out, (i + 1) % table->n_columns == 0 ? '\n' : separator);
    }
  return g_string_free (out, FALSE);
}

static void
append_block (GString       *out,
              const SlBlock *block)
{
  guint indent = block->indent > 0 ? (block->indent - 1) * INDENT : 0;
  g_autofree char *text = NULL;

  if (block->kind == SL_BLOCK_TABLE)
    text = sl_block_dup_table (block, '\t');
  else if (block->kind == SL_BLOCK_CODE)
    text = g_strdup (block->content);
  else if (block->kind == SL_BLOCK_RULE)
    text = g_strdup ("---");
  else
    text = dup_unmarked (block->content);
  g_string_append_printf (out, "%*s", (int) indent, "");
  if (block->marker != NULL)
    g_string_append_printf (out, "%s ", block->marker);
  g_string_append (out, g_strchomp (text));
}

char *
sl_markdown_dup_plain (const char *markdown)
{
  g_autoptr (GPtrArray) blocks = sl_markdown_parse (markdown);
  GString *out = g_string_new (NULL);

  for (guint i = 0; i < blocks->len; i++)
    {
      const SlBlock *block = g_ptr_array_index (blocks, i);

      if (i > 0) /* items of a list stand close */
        g_string_append (out, block->marker != NULL && ((SlBlock *) blocks->pdata[i - 1])->indent > 0 ? "\n" : "\n\n");
      append_block (out, block);
    }
  return g_string_free (out, FALSE);
}
