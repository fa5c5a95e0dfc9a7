/* SPDX-License-Identifier: MIT
 *
 * Markdown, taken apart by md4c, to words that Pango lays out.
 */
#include "app/exchange/sl-transcript-words.h"

#include <string.h>

#include <md4c.h>

#define MOST_LISTS 16

typedef struct
{
  GString *text;
  PangoAttrList *attributes;
  guint begins[8];             /* of what is open: where it began, by its kind */
  guint numbers[MOST_LISTS];   /* of the lists that are open: the next entry, 0 for one without numbers */
  guint n_lists;
  gboolean cell;               /* the last thing was one, of the same row */
} Words;

enum { BOLD, ITALIC, CODE, HEADING };

static void
add_attribute (Words          *self,
               guint           kind,
               PangoAttribute *attribute)
{
  attribute->start_index = self->begins[kind];
  attribute->end_index = (guint) self->text->len;
  pango_attr_list_insert (self->attributes, attribute);
}

/* Blocks stand apart by an empty line, entries of lists by a new one. */
static void
break_line (Words      *self,
            const char *breaks)
{
  gsize n = strlen (breaks);

  while (self->text->len > 0 && n > 0 && !g_str_has_suffix (self->text->str, breaks))
    {
      g_string_append_c (self->text, '\n');
      n--;
    }
}

static void
begin_entry (Words *self)
{
  guint *number = self->n_lists > 0 ? &self->numbers[MIN (self->n_lists, MOST_LISTS) - 1] : NULL;

  break_line (self, "\n");
  for (guint i = 1; i < self->n_lists; i++)
    g_string_append (self->text, "    ");
  if (number != NULL && *number > 0)
    g_string_append_printf (self->text, "%u. ", (*number)++);
  else
    g_string_append (self->text, "• ");
}

static int
enter_block (MD_BLOCKTYPE  type,
             void         *detail,
             void         *data)
{
  Words *self = data;

  if (type == MD_BLOCK_UL || type == MD_BLOCK_OL)
    {
      if (self->n_lists < MOST_LISTS)
        self->numbers[self->n_lists] = type == MD_BLOCK_OL ? ((MD_BLOCK_OL_DETAIL *) detail)->start : 0;
      self->n_lists++;
    }
  else if (type == MD_BLOCK_LI)
    begin_entry (self);
  else if (type == MD_BLOCK_TR)
    {
      break_line (self, "\n");
      self->cell = FALSE;
    }
  else if (type == MD_BLOCK_TH || type == MD_BLOCK_TD)
    {
      if (self->cell)
        g_string_append (self->text, "  |  ");
      self->cell = TRUE;
    }
  else if (self->n_lists == 0 && (type == MD_BLOCK_P || type == MD_BLOCK_H || type == MD_BLOCK_CODE || type == MD_BLOCK_TABLE))
    break_line (self, "\n\n");
  if (type == MD_BLOCK_H)
    self->begins[HEADING] = (guint) self->text->len;
  if (type == MD_BLOCK_CODE)
    self->begins[CODE] = (guint) self->text->len;
  return 0;
}

static int
leave_block (MD_BLOCKTYPE  type,
             void         *detail,
             void         *data)
{
  Words *self = data;

  if (type == MD_BLOCK_UL || type == MD_BLOCK_OL)
    self->n_lists--;
  else if (type == MD_BLOCK_H)
    {
      add_attribute (self, HEADING, pango_attr_weight_new (PANGO_WEIGHT_BOLD));
      add_attribute (self, HEADING, pango_attr_scale_new (PANGO_SCALE_LARGE));
    }
  else if (type == MD_BLOCK_CODE)
    add_attribute (self, CODE, pango_attr_family_new ("Monospace"));
  return 0;
}

static int
enter_span (MD_SPANTYPE  type,
            void        *detail,
            void        *data)
{
  Words *self = data;

  self->begins[type == MD_SPAN_STRONG ? BOLD : type == MD_SPAN_EM ? ITALIC : CODE] = (guint) self->text->len;
  return 0;
}

static int
leave_span (MD_SPANTYPE  type,
            void        *detail,
            void        *data)
{
  Words *self = data;

  if (type == MD_SPAN_STRONG)
    add_attribute (self, BOLD, pango_attr_weight_new (PANGO_WEIGHT_BOLD));
  else if (type == MD_SPAN_EM)
    add_attribute (self, ITALIC, pango_attr_style_new (PANGO_STYLE_ITALIC));
  else if (type == MD_SPAN_CODE)
    add_attribute (self, CODE, pango_attr_family_new ("Monospace"));
  return 0;
}

static int
take_text (MD_TEXTTYPE    type,
           const MD_CHAR *text,
           MD_SIZE        length,
           void          *data)
{
  Words *self = data;

  if (type == MD_TEXT_BR)
    g_string_append_c (self->text, '\n');
  else if (type == MD_TEXT_SOFTBR)
    g_string_append_c (self->text, ' ');
  else if (type != MD_TEXT_NULLCHAR)
    g_string_append_len (self->text, text, length);
  return 0;
}

char *
sl_transcript_lay_out (const char     *markdown,
                       PangoAttrList **attributes)
{
  const MD_PARSER parser = { 0, MD_DIALECT_GITHUB | MD_FLAG_NOHTML, enter_block, leave_block, enter_span, leave_span, take_text, NULL, NULL };
  Words self = { .text = g_string_new (NULL), .attributes = pango_attr_list_new () };

  md_parse (markdown, (MD_SIZE) strlen (markdown), &parser, &self);
  *attributes = self.attributes;
  return g_string_free (self.text, FALSE);
}
