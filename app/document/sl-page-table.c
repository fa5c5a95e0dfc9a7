/* SPDX-License-Identifier: MIT
 *
 * See sl-page-table.h.
 */
#include "app/document/sl-page-table.h"

#include <stdlib.h>
#include <string.h>

#define MAX_SPAN 1000

/* ------------------------------------------------------------------------------------------------ tags */

static int
read_span (const char *from,
           const char *to,
           const char *key)
{
  g_autofree char *inside = g_strndup (from, to - from);
  char *at = strstr (inside, key);
  long value;

  if (at == NULL)
    return 1;
  at += strlen (key);
  while (*at == ' ' || *at == '=' || *at == '"' || *at == '\'')
    at++;
  value = strtol (at, NULL, 10);
  return value >= 1 && value <= MAX_SPAN ? (int) value : 1;
}

SlTag
sl_tag_read (const char *text)
{
  SlTag tag = { "", FALSE, 1, 1, 0 };
  const char *end = strchr (text, '>'), *at = text + 1;
  gsize n = 0;

  if (end == NULL)
    return tag;
  tag.closing = *at == '/';
  at += tag.closing;
  while (at < end && g_ascii_isalnum (*at) && n + 1 < sizeof tag.name)
    tag.name[n++] = g_ascii_tolower (*at++);
  tag.rowspan = read_span (at, end, "rowspan");
  tag.colspan = read_span (at, end, "colspan");
  tag.length = n > 0 ? (gsize) (end - text) + 1 : 0;
  return tag;
}

gboolean
sl_tag_is_of_table (const SlTag *tag)
{
  static const char *const names[] = { "table", "thead", "tbody", "tr", "td", "th", "caption", "br", "sub", "sup", "b", "i", NULL };

  return tag->length > 0 && g_strv_contains (names, tag->name);
}

char *
sl_dup_without_entities (const char *text)
{
  static const struct
  {
    const char *name, *is;
  } entities[] = { { "&lt;", "<" }, { "&gt;", ">" }, { "&amp;", "&" }, { "&quot;", "\"" }, { "&#39;", "'" }, { "&nbsp;", " " } };
  g_autoptr(GString) out = g_string_new (NULL);

  while (*text != '\0')
    {
      guint i = 0;

      while (i < G_N_ELEMENTS (entities) && !g_str_has_prefix (text, entities[i].name))
        i++;
      if (i < G_N_ELEMENTS (entities))
        {
          g_string_append (out, entities[i].is);
          text += strlen (entities[i].name);
        }
      else
        g_string_append_c (out, *text++);
    }
  return g_string_free (g_steal_pointer (&out), FALSE);
}

/* ------------------------------------------------------------------------------------------------ reading */

static void
cell_free (gpointer data)
{
  SlTableCell *self = data;

  g_free (self->text);
  g_free (self->html);
  g_free (self);
}

void
sl_page_table_free (SlPageTable *self)
{
  if (self == NULL)
    return;
  g_ptr_array_unref (self->cells);
  g_free (self);
}

static char *
words_of (const char *html)
{
  g_autoptr(GString) out = g_string_new (NULL);
  g_autofree char *plain = NULL;

  while (*html != '\0')
    {
      SlTag tag = *html == '<' ? sl_tag_read (html) : (SlTag) { "", FALSE, 1, 1, 0 };

      if (!sl_tag_is_of_table (&tag))
        {
          g_string_append_c (out, *html++);
          continue;
        }
      if (g_str_equal (tag.name, "br"))
        g_string_append_c (out, '\n');
      html += tag.length;
    }
  plain = sl_dup_without_entities (out->str);
  return g_strstrip (g_steal_pointer (&plain));
}

/* How many more rows each column is taken by a cell from above. */
typedef struct
{
  SlPageTable *table;
  GArray      *taken; /* guint */
  guint        row, column;
} Reader;

static guint *
taken_at (Reader *reader,
          guint   column)
{
  if (column >= reader->taken->len)
    g_array_set_size (reader->taken, column + 1);
  return &g_array_index (reader->taken, guint, column);
}

static void
next_row (Reader *reader)
{
  for (guint i = 0; i < reader->taken->len; i++)
    if (*taken_at (reader, i) > 0)
      *taken_at (reader, i) -= 1;
  reader->row++;
  reader->column = 0;
}

static void
add_cell (Reader      *reader,
          const SlTag *tag,
          const char  *html,
          gsize        length)
{
  SlTableCell *cell;

  while (reader->column < SL_TABLE_MAX_COLUMNS && *taken_at (reader, reader->column) > 0)
    reader->column++;
  if (reader->column + (guint) tag->colspan > SL_TABLE_MAX_COLUMNS)
    return;
  cell = g_new0 (SlTableCell, 1);
  cell->html = g_strstrip (g_strndup (html, length));
  cell->text = words_of (cell->html);
  cell->row = reader->row;
  cell->column = reader->column;
  cell->rowspan = (guint) tag->rowspan;
  cell->colspan = (guint) tag->colspan;
  cell->heading = g_str_equal (tag->name, "th");
  for (guint i = 0; i < cell->colspan; i++)
    *taken_at (reader, reader->column + i) = cell->rowspan;
  reader->column += cell->colspan;
  reader->table->n_columns = MAX (reader->table->n_columns, reader->column);
  reader->table->n_rows = MAX (reader->table->n_rows, reader->row + 1);
  g_ptr_array_add (reader->table->cells, cell);
}

static gboolean
ends_cell (const SlTag *tag)
{
  return g_str_equal (tag->name, "td") || g_str_equal (tag->name, "th") || g_str_equal (tag->name, "tr") ||
         (tag->closing && g_str_equal (tag->name, "table"));
}

/* From the tag of a cell on; returns where the next one is read. */
static const char *
read_cell (Reader      *reader,
           const SlTag *tag,
           const char  *text)
{
  const char *from = text + tag->length, *at = from;
  SlTag next = { 0 };

  for (; *at != '\0'; at++)
    if (*at == '<')
      {
        next = sl_tag_read (at);
        if (next.length > 0 && ends_cell (&next))
          break;
      }
  add_cell (reader, tag, from, at - from);
  return *at != '\0' && next.closing && !g_str_equal (next.name, "tr") && !g_str_equal (next.name, "table") ? at + next.length : at;
}

SlPageTable *
sl_page_table_parse (const char *text)
{
  g_autoptr(SlPageTable) self = NULL;
  g_autoptr(GArray) taken = g_array_new (FALSE, TRUE, sizeof (guint));
  const char *at = strstr (text, "<table");
  Reader reader = { NULL, taken, 0, 0 };
  gboolean begun = FALSE;

  if (at == NULL)
    return NULL;
  self = g_new0 (SlPageTable, 1);
  self->cells = g_ptr_array_new_with_free_func (cell_free);
  reader.table = self;
  while (*at != '\0')
    {
      SlTag tag = *at == '<' ? sl_tag_read (at) : (SlTag) { "", FALSE, 1, 1, 0 };

      if (tag.length > 0 && tag.closing && g_str_equal (tag.name, "table"))
        break;
      if (tag.length > 0 && !tag.closing && g_str_equal (tag.name, "tr") && begun)
        next_row (&reader);
      begun |= tag.length > 0 && g_str_equal (tag.name, "tr");
      if (tag.length > 0 && !tag.closing && (g_str_equal (tag.name, "td") || g_str_equal (tag.name, "th")))
        at = read_cell (&reader, &tag, at);
      else
        at += MAX (tag.length, 1);
    }
  return self->cells->len > 0 ? g_steal_pointer (&self) : NULL;
}

/* ------------------------------------------------------------------------------------------------ writing */

void
sl_page_table_set_cell (SlPageTable *self,
                        guint        index,
                        const char  *text)
{
  SlTableCell *cell = self->cells->pdata[index];

  if (g_str_equal (cell->text, text))
    return;
  g_free (cell->text);
  g_free (cell->html);
  cell->text = g_strdup (text);
  cell->html = g_markup_escape_text (text, -1);
}

char *
sl_page_table_to_html (const SlPageTable *self)
{
  g_autoptr(GString) out = g_string_new ("<table>");
  guint row = G_MAXUINT;

  for (guint i = 0; i < self->cells->len; i++)
    {
      const SlTableCell *cell = self->cells->pdata[i];
      const char *tag = cell->heading ? "th" : "td";

      if (cell->row != row)
        g_string_append (out, row == G_MAXUINT ? "<tr>" : "</tr><tr>");
      row = cell->row;
      g_string_append_printf (out, "<%s", tag);
      if (cell->rowspan > 1)
        g_string_append_printf (out, " rowspan=\"%u\"", cell->rowspan);
      if (cell->colspan > 1)
        g_string_append_printf (out, " colspan=\"%u\"", cell->colspan);
      g_string_append_printf (out, ">%s</%s>", cell->html, tag);
    }
  g_string_append (out, "</tr></table>");
  return g_string_free (g_steal_pointer (&out), FALSE);
}

static void
append_field (GString    *out,
              const char *text)
{
  if (strpbrk (text, "\",\r\n") == NULL)
    {
      g_string_append (out, text);
      return;
    }
  g_string_append_c (out, '"');
  for (; *text != '\0'; text++)
    {
      if (*text == '"')
        g_string_append_c (out, '"');
      g_string_append_c (out, *text);
    }
  g_string_append_c (out, '"');
}

char *
sl_page_table_to_csv (const SlPageTable *self)
{
  g_autoptr(GString) out = g_string_new (NULL);
  guint next = 0;

  for (guint row = 0; row < self->n_rows; row++)
    {
      for (guint column = 0; column < self->n_columns; column++)
        {
          const SlTableCell *cell = next < self->cells->len ? self->cells->pdata[next] : NULL;

          if (column > 0)
            g_string_append_c (out, ',');
          if (cell == NULL || cell->row != row || cell->column != column)
            continue;
          append_field (out, cell->text);
          next++;
        }
      g_string_append (out, "\r\n");
    }
  return g_string_free (g_steal_pointer (&out), FALSE);
}
