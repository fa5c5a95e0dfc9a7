/* SPDX-License-Identifier: MIT
 *
 * Conversations as a PDF document: pages of A4, text that can be searched and copied, pictures as they came where PDF can hold them so, boxes
 * drawn over them. Words are laid out by Pango; what of them is Markdown is sl-transcript-words.c's.
 */
#include "app/boxes/sl-box-picture.h"
#include "app/exchange/sl-transcript-words.h"

#include <errno.h>
#include <string.h>

#include <cairo-pdf.h>
#include <glib/gi18n-lib.h>
#include <pango/pangocairo.h>

#define PAGE_WIDTH 595.0 /* points */
#define PAGE_HEIGHT 842.0
#define MARGIN 56.0
#define WIDTH (PAGE_WIDTH - 2 * MARGIN)
#define BOTTOM (PAGE_HEIGHT - MARGIN)
#define MOST_PICTURE 360.0 /* of a page's height */
#define GAP 8.0

typedef struct
{
  const SlExport *export;
  SlOutput *output;
  int cause; /* errno */
  cairo_t *cr;
  double y;  /* where the next thing goes */
} Writing;

static cairo_status_t
write_block (void                *data,
             const unsigned char *bytes,
             unsigned int         length)
{
  Writing *self = data;

  if (self->cause == 0)
    self->cause = sl_output_write (self->output, bytes, length);
  return self->cause == 0 ? CAIRO_STATUS_SUCCESS : CAIRO_STATUS_WRITE_ERROR;
}

/* A new page where this does not fit any more. */
static void
need (Writing *self,
      double   height)
{
  if (self->y + height <= BOTTOM || self->y == MARGIN)
    return;
  cairo_show_page (self->cr);
  self->y = MARGIN;
}

/* ------------------------------------------------------------------------------------------------ words */

static void
put_text (Writing       *self,
          const char    *text,
          double         size,
          gboolean       bold,
          double         grey,
          PangoAttrList *attributes)
{
  g_autoptr (PangoLayout) layout = pango_cairo_create_layout (self->cr);
  PangoFontDescription *font = pango_font_description_from_string ("Sans");
  PangoLayoutIter *iter;

  pango_font_description_set_absolute_size (font, size * PANGO_SCALE);
  pango_font_description_set_weight (font, bold ? PANGO_WEIGHT_BOLD : PANGO_WEIGHT_NORMAL);
  pango_layout_set_font_description (layout, font);
  pango_font_description_free (font);
  pango_layout_set_width (layout, (int) (WIDTH * PANGO_SCALE));
  pango_layout_set_wrap (layout, PANGO_WRAP_WORD_CHAR);
  pango_layout_set_attributes (layout, attributes);
  pango_layout_set_text (layout, text, -1);
  cairo_set_source_rgb (self->cr, grey, grey, grey);
  iter = pango_layout_get_iter (layout);
  do
    {
      PangoRectangle line;

      pango_layout_iter_get_line_extents (iter, NULL, &line);
      need (self, line.height / (double) PANGO_SCALE);
      cairo_move_to (self->cr, MARGIN + line.x / (double) PANGO_SCALE,
                     self->y + (pango_layout_iter_get_baseline (iter) - line.y) / (double) PANGO_SCALE);
      pango_cairo_show_layout_line (self->cr, pango_layout_iter_get_line_readonly (iter));
      self->y += line.height / (double) PANGO_SCALE;
    }
  while (pango_layout_iter_next_line (iter));
  pango_layout_iter_free (iter);
  self->y += GAP / 2;
}

static void
put_words (Writing               *self,
           const SlMessageRecord *message)
{
  g_autofree char *text = sl_transcript_dup_markdown (message);

  if (text[0] == '\0')
    return;
  if (message->role == SL_ROLE_ASSISTANT)
    {
      PangoAttrList *attributes = NULL;
      g_autofree char *words = sl_transcript_lay_out (text, &attributes);

      put_text (self, words, 11, FALSE, 0, attributes);
      pango_attr_list_unref (attributes);
    }
  else
    put_text (self, text, 11, FALSE, 0, NULL);
}

/* ------------------------------------------------------------------------------------------------ pictures */

static void
draw_boxes (Writing      *self,
            const GArray *boxes,
            SlPicture    *picture,
            double        scale)
{
  SlBoxPainter *painter = sl_box_painter_new ();
  SlBoxView view = { .x = MARGIN, .y = self->y, .scale = scale, .width = sl_picture_get_width (picture),
                     .height = sl_picture_get_height (picture) };
  SlBoxStyle style = sl_box_default_style;

  style.line_width = 1.2;
  style.font_size = 8;
  sl_box_painter_set_boxes (painter, (const SlPaintBox *) (gconstpointer) boxes->data, boxes->len);
  sl_box_painter_set_view (painter, &view);
  sl_box_painter_set_style (painter, &style);
  sl_box_painter_draw (painter, self->cr);
  sl_box_painter_free (painter);
}

/* boxes: of SlPaintBox, or NULL. */
static void
put_picture (Writing            *self,
             const SlPartRecord *record,
             const GArray       *boxes)
{
  g_autoptr (GBytes) bytes = sl_transcript_read_picture (self->export, record);
  g_autoptr (SlPicture) picture = bytes != NULL ? sl_picture_new_from_bytes (bytes, record->sha256, NULL, NULL) : NULL;
  double scale, height;

  if (picture == NULL)
    {
      put_text (self, record->name != NULL ? record->name : _("A picture that cannot be shown"), 9, FALSE, 0.4, NULL);
      return;
    }
  scale = MIN (MIN (1, WIDTH / sl_picture_get_width (picture)), MOST_PICTURE / sl_picture_get_height (picture));
  height = scale * sl_picture_get_height (picture);
  need (self, height);
  cairo_save (self->cr);
  cairo_translate (self->cr, MARGIN, self->y);
  cairo_scale (self->cr, scale, scale);
  sl_box_picture_paint (picture, self->cr);
  cairo_restore (self->cr);
  if (boxes != NULL)
    draw_boxes (self, boxes, picture, scale);
  self->y += height + GAP;
}

static void
put_boxed (Writing               *self,
           const SlParcel        *parcel,
           const SlMessageRecord *message)
{
  g_autoptr (GPtrArray) boxed = sl_transcript_get_boxed (parcel, message);

  for (guint i = 0; i < boxed->len; i++)
    {
      g_autoptr (GArray) boxes = sl_transcript_get_boxes (message, g_ptr_array_index (boxed, i));
      g_autoptr (GString) list = g_string_new (NULL);

      put_picture (self, g_ptr_array_index (boxed, i), boxes);
      for (guint k = 0; k < boxes->len; k++)
        {
          const SlPaintBox *box = &g_array_index (boxes, SlPaintBox, k);

          g_string_append_printf (list, "%s%d  %s (%.0f, %.0f) – (%.0f, %.0f)", k > 0 ? "\n" : "", box->number,
                                  box->label != NULL ? box->label : "", box->x1, box->y1, box->x2, box->y2);
        }
      put_text (self, list->str, 9, FALSE, 0.4, NULL);
    }
}

/* ------------------------------------------------------------------------------------------------ conversations */

static void
put_message (Writing               *self,
             const SlParcel        *parcel,
             const SlMessageRecord *message)
{
  g_autofree char *speaker = sl_transcript_dup_speaker (message);

  self->y += GAP;
  need (self, 40); /* no name alone at the end of a page */
  put_text (self, speaker, 9, TRUE, 0.4, NULL);
  for (guint i = 0; i < message->parts->len; i++)
    if (((const SlPartRecord *) g_ptr_array_index (message->parts, i))->kind == SL_PART_PICTURE)
      put_picture (self, g_ptr_array_index (message->parts, i), NULL);
  put_words (self, message);
  put_boxed (self, parcel, message);
}

static gboolean
put_conversation (const SlParcel  *parcel,
                  guint            index,
                  gpointer         data,
                  GError         **error)
{
  Writing *self = data;
  g_autoptr (GPtrArray) path = sl_transcript_get_path (parcel->conversation);
  g_autofree char *time = sl_transcript_dup_time (parcel->conversation->created);

  if (index > 0)
    {
      cairo_show_page (self->cr);
      self->y = MARGIN;
    }
  put_text (self, sl_transcript_get_title (parcel), 18, TRUE, 0, NULL);
  put_text (self, time, 9, FALSE, 0.4, NULL);
  for (guint i = 0; i < path->len; i++)
    put_message (self, parcel, g_ptr_array_index (path, i));
  if (self->cause == 0 && cairo_status (self->cr) == CAIRO_STATUS_SUCCESS)
    return TRUE;
  sl_output_set_error (error, self->export->path, self->cause != 0 ? self->cause : ENOMEM);
  return FALSE;
}

gboolean
sl_transcript_write_pdf (const SlExport  *export,
                         GError         **error)
{
  Writing self = { .export = export, .output = sl_outputs_open (export->outputs, export->path, error), .y = MARGIN };
  cairo_surface_t *document;
  gboolean ok;

  if (self.output == NULL)
    return FALSE;
  document = cairo_pdf_surface_create_for_stream (write_block, &self, PAGE_WIDTH, PAGE_HEIGHT);
  self.cr = cairo_create (document);
  ok = sl_transcript_foreach (export, put_conversation, &self, error);
  cairo_destroy (self.cr);
  cairo_surface_finish (document);
  cairo_surface_destroy (document);
  if (ok)
    return sl_output_finish (self.output, self.cause, error);
  sl_output_discard (self.output);
  return FALSE;
}
