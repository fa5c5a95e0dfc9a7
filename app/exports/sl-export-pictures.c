/* SPDX-License-Identifier: MIT
 *
 * Exports for people to look at: the picture with its boxes on it, and what each box contains. Called by SlBoxExport.
 */
#include "app/exports/sl-box-export-private.h"

#include <string.h>

#include "app/boxes/sl-box-picture.h"

/* Of a label in a file's name, behind the picture's stem: together within what a name may have. */
#define LABEL_BYTES 80

static GArray *
get_paint_boxes (const SlExportPicture *record)
{
  GArray *paint = g_array_new (FALSE, TRUE, sizeof (SlPaintBox));

  for (guint i = 0; i < record->boxes->len; i++)
    {
      const SlExportBox *box = record->boxes->pdata[i];
      SlPaintBox one = { .label = box->label, .number = box->number, .uncertain = box->status == SL_BOX_CLAMPED };
      int pixels[4];

      if (!sl_export_picture_get_pixels (record, box, pixels))
        continue;
      one.x1 = pixels[0];
      one.y1 = pixels[1];
      one.x2 = pixels[2];
      one.y2 = pixels[3];
      g_array_append_val (paint, one);
    }
  sl_box_painter_assign_colors ((SlPaintBox *) paint->data, paint->len, SL_BOX_COLORING_LABEL, NULL);

  return paint;
}

static gboolean
add_drawing (SlBoxExport         *self,
             SlExportPicture     *record,
             SlPicture           *picture,
             SlBoxPictureFormat   format,
             GError             **error)
{
  g_autoptr(GArray) paint = get_paint_boxes (record);
  g_autofree char *name = g_strconcat (record->stem, "-boxes.", sl_export_format_get_extension (self->format), NULL);
  g_autofree char *path = sl_box_export_make_path (self, NULL, name, error);

  if (path == NULL)
    return FALSE;
  g_free (record->file);
  record->file = g_strdup (name);

  return sl_box_picture_write (picture, (const SlPaintBox *) paint->data, paint->len, NULL, format, self->outputs, path, error);
}

gboolean
sl_export_picture_add_png (SlBoxExport      *self,
                           SlExportPicture  *record,
                           SlPicture        *picture,
                           GError          **error)
{
  return add_drawing (self, record, picture, SL_BOX_PICTURE_PNG, error);
}

gboolean
sl_export_picture_add_svg (SlBoxExport      *self,
                           SlExportPicture  *record,
                           SlPicture        *picture,
                           GError          **error)
{
  return add_drawing (self, record, picture, SL_BOX_PICTURE_SVG, error);
}

gboolean
sl_export_picture_add_pdf (SlBoxExport      *self,
                           SlExportPicture  *record,
                           SlPicture        *picture,
                           GError          **error)
{
  return add_drawing (self, record, picture, SL_BOX_PICTURE_PDF, error);
}

/* "street-03-red car": the number keeps them apart, the label says what it is. */
char *
sl_export_dup_crop_name (const SlExportPicture *record,
                         const SlExportBox     *box)
{
  const char *words = sl_export_box_get_label (box);
  g_autofree char *label = NULL;
  const char *end = words;

  while (*end != '\0' && g_utf8_next_char (end) - words <= LABEL_BYTES)
    end = g_utf8_next_char (end);
  label = g_strndup (words, end - words);
  for (char *p = label; *p != '\0'; p++)
    if (strchr ("/\\:*?\"<>|", *p) != NULL || g_ascii_iscntrl (*p))
      *p = '_';

  return g_strdup_printf ("%s-%02d-%s.png", record->stem, box->number, label);
}

gboolean
sl_export_crops_add (SlBoxExport      *self,
                     SlExportPicture  *record,
                     SlPicture        *picture,
                     GError          **error)
{
  for (guint i = 0; i < record->boxes->len; i++)
    {
      const SlExportBox *box = record->boxes->pdata[i];
      g_autofree char *name = NULL;
      g_autofree char *path = NULL;
      g_autoptr(SlPicture) crop = NULL;
      int pixels[4];

      if (!sl_export_picture_get_pixels (record, box, pixels))
        continue;
      name = sl_export_dup_crop_name (record, box);
      path = sl_box_export_make_path (self, NULL, name, error);
      if (path == NULL)
        return FALSE;
      crop = sl_box_picture_crop (picture, &(cairo_rectangle_t) { pixels[0], pixels[1], pixels[2] - pixels[0],
                                                                  pixels[3] - pixels[1] }, name, error);
      if (crop == NULL || !sl_box_picture_write_plain (crop, self->outputs, path, error))
        return FALSE;
    }

  return TRUE;
}
