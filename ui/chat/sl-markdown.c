/* SPDX-License-Identifier: MIT
 *
 * md4c callbacks that fill a flat list of SlBlock. Inline spans become Pango
 * markup, so that a stock GtkLabel shows them (and a screen reader reads them).
 * Raw HTML is switched off: a model's answer is text, never markup of ours.
 */
#include "ui/chat/sl-markdown.h"

#include "ui/chat/sl-formula.h"

#include <md4c.h>
#include <string.h>

#define MAX_NESTING 6
#define MAX_COLUMNS 16
#define LONGEST_WORD 60
#define BREAK_EVERY 16

typedef struct
{
  gboolean ordered;
  guint number;
} ListLevel;

typedef struct
{
  GPtrArray *blocks;
  GArray *lists;      /* ListLevel, innermost last */
  guint quote;
  char *marker;       /* waits for the first block of the item */
  SlBlock *block;     /* under construction */
  GString *content;
  gboolean in_cell;
  guint image;        /* depth of image spans: their text is the alternative */
  GPtrArray *links;   /* whether each open link span has been written */
  guint n_anchors;
} Parser;

static void
sl_block_free (gpointer data)
{
  SlBlock *block = data;

  g_free (block->marker);
  g_free (block->content);
  g_free (block->language);
  g_free (block->aligns);
  g_clear_pointer (&block->cells, g_ptr_array_unref);
  g_free (block);
}

static guint
count_anchors (const char *text,
               gsize       size)
{
  const char *end = text + size;
  guint count = 0;

  while ((text = g_strstr_len (text, end - text, SL_MARKDOWN_ANCHOR)) != NULL)
    {
      count++;
      text += strlen (SL_MARKDOWN_ANCHOR);
    }
  return count;
}

guint
sl_markdown_count_anchors (const char *text)
{
  return count_anchors (text, strlen (text));
}

gboolean
sl_block_equal (const SlBlock *a,
                const SlBlock *b)
{
  if (a->kind != b->kind || a->level != b->level || a->indent != b->indent ||
      a->quote != b->quote || a->n_columns != b->n_columns ||
      a->first_anchor != b->first_anchor || a->n_anchors != b->n_anchors ||
      g_strcmp0 (a->marker, b->marker) != 0 ||
      g_strcmp0 (a->content, b->content) != 0 ||
      g_strcmp0 (a->language, b->language) != 0 || g_strcmp0 (a->aligns, b->aligns) != 0)
    return FALSE;

  if (a->cells == NULL || b->cells == NULL)
    return a->cells == b->cells;
  if (a->cells->len != b->cells->len)
    return FALSE;
  for (guint i = 0; i < a->cells->len; i++)
    if (g_strcmp0 (a->cells->pdata[i], b->cells->pdata[i]) != 0)
      return FALSE;
  return TRUE;
}

static void
open_block (Parser *p,
            SlBlockKind kind)
{
  if (p->block != NULL)
    return;
  p->block = g_new0 (SlBlock, 1);
  p->block->kind = kind;
  p->block->indent = MIN (p->lists->len, MAX_NESTING);
  p->block->quote = MIN (p->quote, MAX_NESTING);
  p->block->marker = g_steal_pointer (&p->marker);
  p->block->first_anchor = p->n_anchors;
  g_string_truncate (p->content, 0);
}

static void
close_block (Parser *p)
{
  if (p->block == NULL)
    return;
  while (p->block->kind != SL_BLOCK_CODE && p->content->len > 0 &&
         p->content->str[p->content->len - 1] == '\n')
    g_string_truncate (p->content, p->content->len - 1);
  p->block->content = g_strdup (p->content->str);
  p->block->n_anchors = p->n_anchors - p->block->first_anchor;
  g_ptr_array_add (p->blocks, g_steal_pointer (&p->block));
}

static char *
attribute_text (const MD_ATTRIBUTE *attribute)
{
  if (attribute->text == NULL || attribute->size == 0)
    return NULL;
  return g_strndup (attribute->text, attribute->size);
}

static void
open_item (Parser *p,
           const MD_BLOCK_LI_DETAIL *item)
{
  ListLevel *list = &g_array_index (p->lists, ListLevel, p->lists->len - 1);

  g_clear_pointer (&p->marker, g_free);
  if (item->is_task)
    p->marker = g_strdup (item->task_mark == ' ' ? "☐" : "☑");
  else if (list->ordered)
    p->marker = g_strdup_printf ("%u.", list->number++);
  else
    p->marker = g_strdup (p->lists->len % 2 ? "•" : "◦");
}

/* ordered: NULL for a list without numbers. */
static void
open_list (Parser                   *p,
           const MD_BLOCK_OL_DETAIL *ordered)
{
  ListLevel list = { ordered != NULL, ordered != NULL ? ordered->start : 1 };

  g_array_append_val (p->lists, list);
}

/* Of the column that the next cell of the heading row begins; the others repeat it. */
static void
note_align (Parser                  *p,
            const MD_BLOCK_TD_DETAIL *cell)
{
  if (p->block == NULL || p->block->cells == NULL || p->block->cells->len >= p->block->n_columns)
    return;
  if (cell->align == MD_ALIGN_CENTER || cell->align == MD_ALIGN_RIGHT)
    p->block->aligns[p->block->cells->len] = cell->align == MD_ALIGN_CENTER ? 'c' : 'r';
}

static int
enter_block (MD_BLOCKTYPE type,
             void        *detail,
             void        *data)
{
  Parser *p = data;

  switch (type)
    {
    case MD_BLOCK_QUOTE:
      close_block (p);
      p->quote++;
      break;
    case MD_BLOCK_UL:
    case MD_BLOCK_OL:
      close_block (p);
      open_list (p, type == MD_BLOCK_OL ? detail : NULL);
      break;
    case MD_BLOCK_LI:
      close_block (p);
      open_item (p, detail);
      break;
    case MD_BLOCK_HR:
      open_block (p, SL_BLOCK_RULE);
      close_block (p);
      break;
    case MD_BLOCK_H:
      close_block (p);
      open_block (p, SL_BLOCK_HEADING);
      p->block->level = ((MD_BLOCK_H_DETAIL *) detail)->level;
      break;
    case MD_BLOCK_CODE:
      close_block (p);
      open_block (p, SL_BLOCK_CODE);
      p->block->language = attribute_text (&((MD_BLOCK_CODE_DETAIL *) detail)->lang);
      break;
    case MD_BLOCK_P:
      close_block (p);
      open_block (p, SL_BLOCK_TEXT);
      break;
    case MD_BLOCK_TABLE:
      close_block (p);
      open_block (p, SL_BLOCK_TABLE);
      p->block->n_columns = MIN (((MD_BLOCK_TABLE_DETAIL *) detail)->col_count, MAX_COLUMNS);
      p->block->cells = g_ptr_array_new_with_free_func (g_free);
      p->block->aligns = g_strnfill (p->block->n_columns, 'l');
      break;
    case MD_BLOCK_TR:
      g_string_truncate (p->content, 0);
      break;
    case MD_BLOCK_TH:
    case MD_BLOCK_TD:
      note_align (p, detail);
      p->in_cell = TRUE;
      g_string_truncate (p->content, 0);
      break;
    case MD_BLOCK_DOC:
    case MD_BLOCK_HTML:
    case MD_BLOCK_THEAD:
    case MD_BLOCK_TBODY:
    default:
      break;
    }
  return 0;
}

static int
leave_block (MD_BLOCKTYPE type,
             void        *detail,
             void        *data)
{
  Parser *p = data;

  switch (type)
    {
    case MD_BLOCK_QUOTE:
      close_block (p);
      p->quote--;
      break;
    case MD_BLOCK_UL:
    case MD_BLOCK_OL:
      close_block (p);
      g_array_set_size (p->lists, p->lists->len - 1);
      break;
    case MD_BLOCK_LI:
      if (p->marker != NULL) /* an item that is still empty shows its bullet */
        open_block (p, SL_BLOCK_TEXT);
      close_block (p);
      break;
    case MD_BLOCK_TH:
    case MD_BLOCK_TD:
      p->in_cell = FALSE;
      if (p->block != NULL && p->block->cells != NULL)
        g_ptr_array_add (p->block->cells, g_strdup (p->content->str));
      g_string_truncate (p->content, 0);
      break;
    case MD_BLOCK_H:
    case MD_BLOCK_CODE:
    case MD_BLOCK_P:
    case MD_BLOCK_TABLE:
      close_block (p);
      break;
    case MD_BLOCK_DOC:
    case MD_BLOCK_HR:
    case MD_BLOCK_HTML:
    case MD_BLOCK_THEAD:
    case MD_BLOCK_TBODY:
    case MD_BLOCK_TR:
    default:
      break;
    }
  return 0;
}

static void
open_link (Parser             *p,
           const MD_SPAN_A_DETAIL *link)
{
  g_autofree char *href = attribute_text (&link->href);
  gboolean shown = href != NULL && (g_str_has_prefix (href, "https://") ||
                                    g_str_has_prefix (href, "http://") ||
                                    g_str_has_prefix (href, "mailto:"));

  /* GtkLabel refuses nested links, and md4c can report none inside another. */
  if (shown)
    {
      g_autofree char *escaped = g_markup_escape_text (href, -1);
      g_string_append_printf (p->content, "<a href=\"%s\" title=\"%s\">", escaped, escaped); /* seen before it is opened */
    }
  g_ptr_array_add (p->links, GINT_TO_POINTER (shown));
}

static void
close_link (Parser *p)
{
  if (p->links->len == 0)
    return;
  if (GPOINTER_TO_INT (g_ptr_array_steal_index (p->links, p->links->len - 1)))
    g_string_append (p->content, "</a>");
}

static const char *
span_tag (MD_SPANTYPE type)
{
  switch (type)
    {
    case MD_SPAN_EM:
      return "i";
    case MD_SPAN_STRONG:
      return "b";
    case MD_SPAN_CODE:
      return "tt";
    case MD_SPAN_DEL:
      return "s";
    case MD_SPAN_U:
      return "u";
    case MD_SPAN_A:
    case MD_SPAN_IMG:
    case MD_SPAN_LATEXMATH:
    case MD_SPAN_LATEXMATH_DISPLAY:
    case MD_SPAN_WIKILINK:
    default:
      return NULL;
    }
}

static int
enter_span (MD_SPANTYPE type,
            void       *detail,
            void       *data)
{
  Parser *p = data;
  const char *tag = span_tag (type);

  if (type == MD_SPAN_A)
    open_link (p, detail);
  else if (type == MD_SPAN_IMG)
    p->image++;
  else if (tag != NULL)
    g_string_append_printf (p->content, "<%s>", tag);
  return 0;
}

static int
leave_span (MD_SPANTYPE type,
            void       *detail,
            void       *data)
{
  Parser *p = data;
  const char *tag = span_tag (type);

  if (type == MD_SPAN_A)
    close_link (p);
  else if (type == MD_SPAN_IMG)
    p->image--;
  else if (tag != NULL)
    g_string_append_printf (p->content, "</%s>", tag);
  return 0;
}

static void
append_entity (GString    *content,
               const char *text,
               gsize       size)
{
  static const char *const known[] = { "&amp;", "&lt;", "&gt;", "&quot;", "&apos;" };
  g_autofree char *entity = g_strndup (text, size);

  for (guint i = 0; i < G_N_ELEMENTS (known); i++)
    if (g_str_equal (entity, known[i]))
      {
        g_string_append (content, entity);
        return;
      }
  if (g_str_equal (entity, "&nbsp;"))
    {
      g_string_append (content, "\302\240");
      return;
    }
  /* Any other is shown as it was written rather than guessed. */
  g_autofree char *escaped = g_markup_escape_text (entity, -1);
  g_string_append (content, escaped);
}

static gboolean
can_break (gunichar character)
{
  return g_unichar_isspace (character) || g_unichar_iswide (character);
}

static gsize
word_length (const char *at,
             const char *end)
{
  gsize length = 0;

  for (; at < end && !can_break (g_utf8_get_char (at)); at = g_utf8_next_char (at))
    length++;
  return length;
}

char *
sl_markdown_break_long_words (const char *text,
                              gsize       size)
{
  const char *end = text + size;
  GString *broken = g_string_sized_new (size);

  while (text < end)
    {
      gsize length = word_length (text, end);

      for (gsize i = 0; i < length; i++)
        {
          const char *next = g_utf8_next_char (text);

          g_string_append_len (broken, text, next - text);
          text = next;
          if (length > LONGEST_WORD && i % BREAK_EVERY == BREAK_EVERY - 1)
            g_string_append (broken, "\342\200\213");
        }
      for (; text < end && can_break (g_utf8_get_char (text)); text = g_utf8_next_char (text))
        g_string_append_len (broken, text, g_utf8_next_char (text) - text);
    }
  return g_string_free (broken, FALSE);
}

static void
append_text (Parser     *p,
             const char *text,
             gsize       size)
{
  g_autofree char *broken = sl_markdown_break_long_words (text, size);
  g_autofree char *escaped = g_markup_escape_text (broken, -1);

  p->n_anchors += count_anchors (text, size);
  g_string_append (p->content, escaped);
}

static int
add_text (MD_TEXTTYPE    type,
          const MD_CHAR *text,
          MD_SIZE        size,
          void          *data)
{
  Parser *p = data;

  if (p->block == NULL && !p->in_cell)
    open_block (p, SL_BLOCK_TEXT); /* the text of a tight list item */

  switch (type)
    {
    case MD_TEXT_NULLCHAR:
      g_string_append (p->content, "\357\277\275");
      break;
    case MD_TEXT_BR:
    case MD_TEXT_SOFTBR:
      /* A model that ends a line means it: both kinds break. */
      g_string_append_c (p->content, '\n');
      break;
    case MD_TEXT_ENTITY:
      append_entity (p->content, text, size);
      break;
    case MD_TEXT_CODE:
      if (p->block != NULL && p->block->kind == SL_BLOCK_CODE)
        {
          p->n_anchors += count_anchors (text, size);
          g_string_append_len (p->content, text, size);
        }
      else
        append_text (p, text, size);
      break;
    case MD_TEXT_NORMAL:
    case MD_TEXT_HTML:
    case MD_TEXT_LATEXMATH:
    default:
      append_text (p, text, size);
      break;
    }
  return 0;
}

GPtrArray *
sl_markdown_parse (const char *text)
{
  static const MD_PARSER parser = {
    .flags = MD_FLAG_TABLES | MD_FLAG_STRIKETHROUGH | MD_FLAG_TASKLISTS | MD_FLAG_NOHTML |
             MD_FLAG_NOINDENTEDCODEBLOCKS | MD_FLAG_PERMISSIVEURLAUTOLINKS,
    .enter_block = enter_block,
    .leave_block = leave_block,
    .enter_span = enter_span,
    .leave_span = leave_span,
    .text = add_text,
  };
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  g_autofree char *safe = sl_formula_protect (valid);
  Parser p = {
    .blocks = g_ptr_array_new_with_free_func (sl_block_free),
    .lists = g_array_new (FALSE, FALSE, sizeof (ListLevel)),
    .content = g_string_new (NULL),
    .links = g_ptr_array_new (),
  };

  md_parse (safe, strlen (safe), &parser, &p);
  close_block (&p);

  g_free (p.marker);
  g_array_unref (p.lists);
  g_string_free (p.content, TRUE);
  g_ptr_array_unref (p.links);
  return p.blocks;
}
