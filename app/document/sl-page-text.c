/* SPDX-License-Identifier: MIT
 *
 * See sl-page-text.h.
 */
#include "app/document/sl-page-text.h"

#include <string.h>

#include "app/document/sl-page-table.h"

/* ------------------------------------------------------------------------------------------------ tables */

char *
sl_escape_xml (const char *text)
{
  g_autofree char *escaped = g_markup_escape_text (text, -1);
  g_autoptr(GString) out = g_string_new (NULL);

  /* g_markup_escape_text() writes forbidden controls as references, which no XML reader takes. */
  for (const char *at = escaped; *at != '\0'; at++)
    {
      if (strncmp (at, "&#x", 3) == 0 && strchr (at, ';') != NULL)
        {
          at = strchr (at, ';');
          continue;
        }
      if ((guchar) *at >= ' ' || *at == '\n' || *at == '\t')
        g_string_append_c (out, *at);
    }
  return g_string_free (g_steal_pointer (&out), FALSE);
}

/* The model's table with its own tags, everything else as text. */
static void
append_table (GString    *out,
              const char *text)
{
  while (*text != '\0')
    {
      SlTag tag = *text == '<' ? sl_tag_read (text) : (SlTag) { "", FALSE, 1, 1, 0 };

      if (sl_tag_is_of_table (&tag))
        {
          g_string_append_printf (out, "<%s%s", tag.closing ? "/" : "", tag.name);
          if (!tag.closing && tag.rowspan > 1)
            g_string_append_printf (out, " rowspan=\"%d\"", tag.rowspan);
          if (!tag.closing && tag.colspan > 1)
            g_string_append_printf (out, " colspan=\"%d\"", tag.colspan);
          g_string_append_c (out, '>');
          text += tag.length;
          continue;
        }

      const char *next = strchr (text + 1, '<');
      g_autofree char *words = next != NULL ? g_strndup (text, next - text) : g_strdup (text);
      g_autofree char *plain = sl_dup_without_entities (words);
      g_autofree char *escaped = sl_escape_xml (plain);

      g_string_append (out, escaped);
      text += strlen (words);
    }
}

char *
sl_page_block_dup_plain (const SlPageBlock *block)
{
  g_autoptr(GString) out = g_string_new (NULL);
  const char *text = block->text;
  gboolean table = sl_page_block_is_table (block);

  if (!table)
    while (*text == '#')
      text++;
  while (*text != '\0')
    {
      SlTag tag = table && *text == '<' ? sl_tag_read (text) : (SlTag) { "", FALSE, 1, 1, 0 };

      if (!sl_tag_is_of_table (&tag))
        {
          g_string_append_c (out, *text++);
          continue;
        }
      if (tag.closing && (g_str_equal (tag.name, "td") || g_str_equal (tag.name, "th")))
        g_string_append_c (out, '\t');
      else if (tag.closing && g_str_equal (tag.name, "tr"))
        {
          if (out->len > 0 && out->str[out->len - 1] == '\t')
            g_string_truncate (out, out->len - 1);
          g_string_append_c (out, '\n');
        }
      text += tag.length;
    }
  if (table)
    {
      g_autofree char *plain = sl_dup_without_entities (out->str);

      return g_strstrip (g_steal_pointer (&plain));
    }
  return g_strstrip (g_string_free (g_steal_pointer (&out), FALSE));
}

/* ------------------------------------------------------------------------------------------------ files */

char *
sl_page_dup_picture_name (const SlPage *page,
                          guint         index,
                          const char   *name)
{
  guint number = 0;

  for (guint i = 0; i <= index; i++)
    number += sl_page_block_is_picture (page->blocks->pdata[i]) && ((const SlPageBlock *) page->blocks->pdata[i])->has_place;
  if (!sl_page_block_is_picture (page->blocks->pdata[index]) || !((const SlPageBlock *) page->blocks->pdata[index])->has_place)
    return NULL;
  return g_strdup_printf ("%s_images/%d_%u.png", name, page->number, number);
}

static gboolean
is_title (const SlPageBlock *block)
{
  return g_str_equal (block->type, "title") || g_str_equal (block->type, "doc_title");
}

/* The model writes Markdown itself, but for the marks of titles in the second form of its answers. */
char *
sl_pages_to_markdown (GPtrArray  *pages,
                      const char *name)
{
  g_autoptr(GString) out = g_string_new (NULL);

  for (guint p = 0; p < pages->len; p++)
    {
      const SlPage *page = pages->pdata[p];

      for (guint i = 0; i < page->blocks->len; i++)
        {
          const SlPageBlock *block = page->blocks->pdata[i];
          g_autofree char *picture = sl_page_dup_picture_name (page, i, name);
          g_autofree char *escaped = picture != NULL ? g_uri_escape_string (picture, "/", TRUE) : NULL;

          if (escaped != NULL)
            g_string_append_printf (out, "![](%s)\n\n", escaped);
          if (*block->text == '\0')
            continue;
          if (is_title (block) && *block->text != '#')
            g_string_append (out, "# ");
          g_string_append_printf (out, "%s\n\n", block->text);
        }
    }
  return g_string_free (g_steal_pointer (&out), FALSE);
}

static void
append_html_block (GString    *out,
                   const char *name,
                   const SlPage *page,
                   guint       index)
{
  const SlPageBlock *block = page->blocks->pdata[index];
  g_autofree char *picture = sl_page_dup_picture_name (page, index, name);
  g_autofree char *plain = sl_page_block_dup_plain (block);
  g_autofree char *escaped = sl_escape_xml (plain);
  const char *tag = is_title (block) ? "h1" : g_str_equal (block->type, "sub_title") ? "h2" : "p";

  if (picture != NULL)
    {
      g_autofree char *uri = g_uri_escape_string (picture, "/", TRUE);

      g_string_append_printf (out, "<figure><img src=\"%s\" alt=\"\"></figure>\n", uri);
    }
  if (sl_page_block_is_table (block))
    {
      append_table (out, block->text);
      g_string_append_c (out, '\n');
    }
  else if (*escaped != '\0')
    g_string_append_printf (out, "<%s>%s</%s>\n", tag, escaped, tag);
}

char *
sl_pages_to_html (GPtrArray  *pages,
                  const char *name)
{
  g_autofree char *title = sl_escape_xml (name);
  g_autoptr(GString) out = g_string_new (NULL);

  g_string_append_printf (out, "<!DOCTYPE html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n<title>%s</title>\n</head>\n<body>\n", title);
  for (guint p = 0; p < pages->len; p++)
    {
      const SlPage *page = pages->pdata[p];

      g_string_append_printf (out, "<section id=\"page-%d\">\n", page->number);
      for (guint i = 0; i < page->blocks->len; i++)
        append_html_block (out, name, page, i);
      g_string_append (out, "</section>\n");
    }
  g_string_append (out, "</body>\n</html>\n");
  return g_string_free (g_steal_pointer (&out), FALSE);
}

char *
sl_pages_to_text (GPtrArray *pages)
{
  g_autoptr(GString) out = g_string_new (NULL);

  for (guint p = 0; p < pages->len; p++)
    {
      const SlPage *page = pages->pdata[p];

      for (guint i = 0; i < page->blocks->len; i++)
        {
          g_autofree char *plain = sl_page_block_dup_plain (page->blocks->pdata[i]);

          if (*plain != '\0')
            g_string_append_printf (out, "%s\n\n", plain);
        }
      if (p + 1 < pages->len)
        g_string_append (out, "\f");
    }
  return g_string_free (g_steal_pointer (&out), FALSE);
}
