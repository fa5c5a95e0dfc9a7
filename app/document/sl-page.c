/* SPDX-License-Identifier: MIT
 *
 * See sl-page.h. The parser of boxes (app/prompt/sl-grounding.h) finds labels and boxes; what stands between them is text.
 */
#include "app/document/sl-page.h"

#include <math.h>
#include <string.h>

#include "app/prompt/sl-grounding.h"
#include "app/prompt/sl-page-question.h"

static void
block_free (gpointer data)
{
  SlPageBlock *self = data;

  g_free (self->type);
  g_free (self->text);
  g_free (self);
}

static SlPageBlock *
block_new (const char *type,
           gsize       length)
{
  SlPageBlock *self = g_new0 (SlPageBlock, 1);

  self->type = g_strstrip (g_strndup (type, length));
  if (*self->type == '\0')
    {
      g_free (self->type);
      self->type = g_strdup ("text");
    }
  self->text = g_strdup ("");
  self->certainty = self->overlap = -1;
  return self;
}

SlPageBlock *
sl_page_add_block (SlPage     *self,
                   int         at,
                   const char *type)
{
  SlPageBlock *block = block_new (type, strlen (type));

  g_ptr_array_insert (self->blocks, at, block);
  return block;
}

SlPage *
sl_page_new (const char *source,
             int         number,
             int         width,
             int         height,
             double      dpi)
{
  SlPage *self = g_new0 (SlPage, 1);

  self->source = g_utf8_make_valid (source, -1);
  self->number = number;
  self->width = width;
  self->height = height;
  self->dpi = dpi;
  self->stop = g_strdup ("");
  self->blocks = g_ptr_array_new_with_free_func (block_free);
  return self;
}

void
sl_page_free (SlPage *self)
{
  if (self == NULL)
    return;
  g_free (self->source);
  g_free (self->stop);
  g_ptr_array_unref (self->blocks);
  g_free (self);
}

gboolean
sl_page_block_is_picture (const SlPageBlock *self)
{
  return g_str_equal (self->type, "image") || g_str_equal (self->type, "figure");
}

gboolean
sl_page_block_is_table (const SlPageBlock *self)
{
  return strstr (self->text, "<table") != NULL;
}

double
sl_page_block_get_score (const SlPageBlock *self)
{
  if (self->edited || self->accepted)
    return 1;
  if (self->certainty < 0 || self->overlap < 0)
    return MAX (self->certainty, self->overlap);
  return MIN (self->certainty, self->overlap);
}

gboolean
sl_page_get_pixels (const SlPage  *self,
                    const SlPageBlock *block,
                    double         pixels[4])
{
  for (int i = 0; i < 4; i++)
    pixels[i] = block->place[i] / 999.0 * (i % 2 == 0 ? self->width : self->height);
  return block->has_place;
}

/* ------------------------------------------------------------------------------------------------ the answer */

/* Of the tokens whose text ends in the range; negative where nothing is known of one of them. */
static double
mean_probability (const SlGeneration *record,
                  gsize               start,
                  gsize               end)
{
  double sum = 0;
  guint n = 0;

  for (guint i = 0; record != NULL && i < record->tokens->len; i++)
    {
      const SlTokenMark *mark = &g_array_index (record->tokens, SlTokenMark, i);

      if (mark->end <= start || mark->end > end)
        continue;
      if (!isfinite (mark->logprob))
        return -1;
      sum += exp (mark->logprob);
      n++;
    }
  return n > 0 ? sum / n : -1;
}

/* Where several boxes belong to one block, the one around them. */
static void
set_place (SlPageBlock            *block,
           const SlBox        *boxes,
           gsize               n_boxes,
           const SlSpan       *span,
           const SlGeneration *record)
{
  for (gsize i = 0; i < n_boxes; i++)
    {
      const SlBox *box = &boxes[i];

      if (box->start < span->start || box->end > span->end || (box->status != SL_BOX_OK && box->status != SL_BOX_CLAMPED))
        continue;
      for (int k = 0; k < 4; k++)
        block->place[k] = !block->has_place ? box->coords[k]
                          : k < 2           ? MIN (block->place[k], box->coords[k])
                                            : MAX (block->place[k], box->coords[k]);
      if (record != NULL && box->status == SL_BOX_OK)
        block->overlap = sl_generation_get_overlap (record, box->start, box->end, box->coords, NULL);
      block->has_place = TRUE;
    }
}

static gboolean
is_blank (const char *text,
          gsize       length)
{
  for (gsize i = 0; i < length; i++)
    if (!g_ascii_isspace (text[i]))
      return FALSE;
  return TRUE;
}

/* "title [" of <|det|>title [1, 2, 3, 4]<|/det|>, where no label stands in front. */
static SlPageBlock *
block_of_boxes (const char   *text,
                const SlSpan *span,
                const char   *label)
{
  static const char mark[] = "<|det|>";
  const char *name = text + span->start, *end = text + span->end, *list;

  if (label != NULL)
    return block_new (label, strlen (label));
  if (span->end - span->start >= strlen (mark) && strncmp (name, mark, strlen (mark)) == 0)
    name += strlen (mark);
  list = memchr (name, '[', end - name);
  return block_new (name, list != NULL ? (gsize) (list - name) : 0);
}

static void
add_text (SlPage             *self,
          SlPageBlock            *block,
          const char         *text,
          const SlSpan       *span,
          const SlGeneration *record)
{
  g_autofree char *words = g_strndup (text + span->start, span->end - span->start);

  if (is_blank (text + span->start, span->end - span->start))
    return;
  if (block == NULL || *block->text != '\0')
    {
      block = block_new ("", 0);
      g_ptr_array_add (self->blocks, block);
    }
  g_free (block->text);
  block->text = g_utf8_make_valid (g_strstrip (words), -1);
  block->certainty = mean_probability (record, span->start, span->end);
}

static gboolean
is_cut (const SlGeneration *record,
        const SlSpan       *span)
{
  for (guint i = 0; record != NULL && i < record->cuts->len; i++)
    if (g_array_index (record->cuts, gsize, i) > span->start && g_array_index (record->cuts, gsize, i) <= span->end)
      return TRUE;
  return FALSE;
}

void
sl_page_read (SlPage             *self,
              const char         *answer,
              const SlGeneration *record)
{
  const SlBoxSpace space = { SL_BOX_SCALE_999, SL_BOX_ORDER_X_FIRST, self->width, self->height };
  gsize length = strlen (answer), n_spans, n_boxes;
  g_autoptr(SlGrounding) grounding = sl_grounding_parse_in (answer, length, &space);
  const SlSpan *spans = sl_grounding_get_spans (grounding, &n_spans);
  const SlBox *boxes = sl_grounding_get_boxes (grounding, &n_boxes);
  SlPageBlock *open = NULL; /* the block whose text comes next */
  const char *label = NULL;

  for (gsize i = 0; i < n_spans; i++)
    {
      const SlSpan *span = &spans[i];

      if (span->kind == SL_SPAN_LABEL)
        label = sl_grounding_get_label (grounding, (gsize) span->label_index);
      else if (span->kind == SL_SPAN_BOXES)
        {
          open = block_of_boxes (answer, span, label);
          set_place (open, boxes, n_boxes, span, record);
          g_ptr_array_add (self->blocks, open);
          label = NULL;
        }
      else
        {
          add_text (self, open, answer, span, record);
          if (self->blocks->len > 0 && is_cut (record, span))
            ((SlPageBlock *) self->blocks->pdata[self->blocks->len - 1])->cut = TRUE;
        }
    }
}

/* Bytes [from, to) of the answer and what is known of their tokens. */
static void
read_part (SlPage             *self,
           const char         *answer,
           gsize               from,
           gsize               to,
           const SlGeneration *record)
{
  g_autofree char *text = g_strndup (answer + from, to - from);
  g_autoptr(SlGeneration) part = sl_generation_new ();

  for (guint i = 0; record != NULL && i < record->tokens->len; i++)
    {
      SlTokenMark mark = g_array_index (record->tokens, SlTokenMark, i);

      if (mark.end <= from || mark.end > to)
        continue;
      mark.end -= (guint32) from;
      g_array_append_val (part->tokens, mark);
    }
  for (guint i = 0; record != NULL && i < record->cuts->len; i++)
    {
      gsize cut = g_array_index (record->cuts, gsize, i);

      if (cut < from || cut > to)
        continue;
      cut -= from;
      g_array_append_val (part->cuts, cut);
    }
  sl_page_read (self, text, part);
}

/* A mark may stand in front of the first page as well. */
static gsize
find_first (const char *answer)
{
  gsize from = strspn (answer, " \n\t");

  return g_str_has_prefix (answer + from, SL_PAGE_MARK) ? from + strlen (SL_PAGE_MARK) : 0;
}

guint
sl_pages_read (GPtrArray          *pages,
               const char         *answer,
               const SlGeneration *record)
{
  gsize from = pages->len > 1 ? find_first (answer) : 0;

  if (pages->len == 1)
    {
      sl_page_read (pages->pdata[0], answer, record);
      return 1;
    }
  for (guint i = 0; i < pages->len; i++)
    {
      const char *next = i + 1 < pages->len ? strstr (answer + from, SL_PAGE_MARK) : NULL;

      read_part (pages->pdata[i], answer, from, next != NULL ? (gsize) (next - answer) : strlen (answer), record);
      if (next == NULL)
        return i + 1;
      from = (gsize) (next - answer) + strlen (SL_PAGE_MARK);
    }
  return pages->len;
}

/* ------------------------------------------------------------------------------------------------ JSON */

json_t *
sl_page_to_json (const SlPage *self)
{
  json_t *blocks = json_array ();

  for (guint i = 0; i < self->blocks->len; i++)
    {
      const SlPageBlock *block = self->blocks->pdata[i];
      json_t *object = json_pack ("{s:s, s:n, s:n, s:n, s:n, s:s}", "type", block->type, "box_999", "box_px", "certainty", "overlap",
                                  "text", block->text);
      double pixels[4];

      if (sl_page_get_pixels (self, block, pixels))
        {
          const int *p = block->place;

          json_object_set_new (object, "box_999", json_pack ("[i,i,i,i]", p[0], p[1], p[2], p[3]));
          json_object_set_new (object, "box_px", json_pack ("[i,i,i,i]", (int) pixels[0], (int) pixels[1], (int) pixels[2], (int) pixels[3]));
        }
      if (block->cut)
        json_object_set_new (object, "cut", json_true ());
      if (block->certainty >= 0)
        json_object_set_new (object, "certainty", json_real (block->certainty));
      if (block->overlap >= 0)
        json_object_set_new (object, "overlap", json_real (block->overlap));
      if (block->edited)
        json_object_set_new (object, "edited", json_true ());
      if (block->accepted)
        json_object_set_new (object, "accepted", json_true ());
      json_array_append_new (blocks, object);
    }
  return json_pack ("{s:s, s:i, s:i, s:i, s:f, s:s, s:o}", "source", self->source, "page", self->number, "width", self->width, "height",
                    self->height, "dpi", self->dpi, "stop", self->stop, "blocks", blocks);
}

static SlPageBlock *
block_from_json (json_t *object)
{
  const char *type = json_string_value (json_object_get (object, "type")), *text = json_string_value (json_object_get (object, "text"));
  json_t *place = json_object_get (object, "box_999"), *certainty = json_object_get (object, "certainty");
  json_t *overlap = json_object_get (object, "overlap");
  SlPageBlock *self;

  if (type == NULL || text == NULL)
    return NULL;
  self = block_new (type, strlen (type));
  g_free (self->text);
  self->text = g_strdup (text);
  self->certainty = json_is_number (certainty) ? json_number_value (certainty) : -1;
  self->overlap = json_is_number (overlap) ? json_number_value (overlap) : -1;
  self->cut = json_is_true (json_object_get (object, "cut"));
  self->edited = json_is_true (json_object_get (object, "edited"));
  self->accepted = json_is_true (json_object_get (object, "accepted"));
  self->has_place = json_array_size (place) == 4;
  for (int i = 0; i < 4; i++)
    self->place[i] = CLAMP ((int) json_integer_value (json_array_get (place, i)), 0, 999);
  return self;
}

SlPage *
sl_page_copy (const SlPage *self)
{
  json_t *object = sl_page_to_json (self);
  SlPage *copy = sl_page_from_json (object);

  json_decref (object);
  return copy;
}

SlPage *
sl_page_from_json (json_t *object)
{
  const char *source = json_string_value (json_object_get (object, "source")), *stop = json_string_value (json_object_get (object, "stop"));
  int number = (int) json_integer_value (json_object_get (object, "page"));
  int width = (int) json_integer_value (json_object_get (object, "width")), height = (int) json_integer_value (json_object_get (object, "height"));
  double dpi = json_number_value (json_object_get (object, "dpi"));
  json_t *blocks = json_object_get (object, "blocks"), *value;
  g_autoptr(SlPage) self = NULL;
  size_t i;

  if (source == NULL || stop == NULL || number < 1 || width < 1 || height < 1 || !(dpi >= 1) || !json_is_array (blocks))
    return NULL;
  self = sl_page_new (source, number, width, height, dpi);
  g_free (self->stop);
  self->stop = g_strdup (stop);
  json_array_foreach (blocks, i, value)
    {
      SlPageBlock *block = block_from_json (value);

      if (block == NULL)
        return NULL;
      g_ptr_array_add (self->blocks, block);
    }
  return g_steal_pointer (&self);
}
