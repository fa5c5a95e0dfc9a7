/* SPDX-License-Identifier: MIT
 *
 * Data sets for training and scoring: COCO, YOLO, Pascal VOC. Called by SlBoxExport. Coordinates are in pixels of the
 * upright picture that is shipped with them; classes are numbered in the order in which their labels appear.
 */
#include "app/exports/sl-box-export-private.h"

#include <string.h>

/* ------------------------------------------------------------------------------------------------ COCO */

gboolean
sl_export_coco_add (SlBoxExport      *self,
                    SlExportPicture  *record,
                    SlPicture        *picture,
                    GError          **error)
{
  return sl_box_export_ship (self, record, picture, error);
}

/* The rectangle also as a polygon: many readers draw only that. */
static json_t *
annotation_to_json (SlBoxExport       *self,
                    const SlExportBox *box,
                    const int          px[4],
                    guint              id,
                    guint              image_id)
{
  int width = px[2] - px[0];
  int height = px[3] - px[1];
  json_t *object = json_pack ("{s:i,s:i,s:i,s:[i,i,i,i],s:i,s:i,s:[[i,i,i,i,i,i,i,i]]}",
                              "id", (int) id, "image_id", (int) image_id,
                              "category_id", (int) sl_box_export_get_class_id (self, sl_export_box_get_class (box)) + 1,
                              "bbox", px[0], px[1], width, height,
                              "area", width * height, "iscrowd", 0,
                              "segmentation", px[0], px[1], px[2], px[1], px[2], px[3], px[0], px[3]);

  if (box->confidence >= 0)
    json_object_set_new (object, "score", json_real (box->confidence));

  return object;
}

static json_t *
categories_to_json (SlBoxExport *self)
{
  json_t *categories = json_array ();

  for (guint i = 0; i < self->classes->len; i++)
    json_array_append_new (categories, json_pack ("{s:i,s:s,s:s}", "id", (int) i + 1, "name", self->classes->pdata[i],
                                                  "supercategory", ""));

  return categories;
}

/* image_id and category_id count from 1, as in the published sets. */
gboolean
sl_export_coco_finish (SlBoxExport  *self,
                       GError      **error)
{
  json_t *images = json_array ();
  json_t *annotations = json_array ();
  json_t *set;

  for (guint i = 0; i < self->pictures->len; i++)
    {
      const SlExportPicture *record = self->pictures->pdata[i];

      json_array_append_new (images, json_pack ("{s:i,s:s,s:i,s:i}", "id", (int) i + 1, "file_name",
                                                record->file + strlen ("images/"), "width", record->width, "height",
                                                record->height));
      for (guint k = 0; k < record->boxes->len; k++)
        {
          int px[4];

          if (sl_export_picture_get_pixels (record, record->boxes->pdata[k], px))
            json_array_append_new (annotations, annotation_to_json (self, record->boxes->pdata[k], px,
                                                                    json_array_size (annotations) + 1, i + 1));
        }
    }

  set = json_pack ("{s:{s:s,s:s},s:[],s:o,s:o,s:o}", "info", "description", "Boxes exported from Sightline", "version", "1",
                   "licenses", "images", images, "annotations", annotations, "categories", categories_to_json (self));

  return sl_box_export_write_json (self, NULL, "annotations.json", set, error);
}

/* ------------------------------------------------------------------------------------------------ YOLO */

static void
append_number (GString *text,
               double   value)
{
  char number[G_ASCII_DTOSTR_BUF_SIZE];

  g_string_append_printf (text, " %s", g_ascii_formatd (number, sizeof number, "%.6f", value));
}

/* A picture without boxes has an empty file: it is an example of nothing. */
gboolean
sl_export_yolo_add (SlBoxExport      *self,
                    SlExportPicture  *record,
                    SlPicture        *picture,
                    GError          **error)
{
  g_autofree char *name = g_strconcat (record->stem, ".txt", NULL);
  g_autoptr(GString) lines = g_string_new (NULL);

  for (guint i = 0; i < record->boxes->len; i++)
    {
      const SlExportBox *box = record->boxes->pdata[i];
      int px[4];

      if (!sl_export_picture_get_pixels (record, box, px))
        continue;
      g_string_append_printf (lines, "%u", sl_box_export_get_class_id (self, sl_export_box_get_class (box)));
      append_number (lines, (px[0] + px[2]) / 2.0 / record->width);
      append_number (lines, (px[1] + px[3]) / 2.0 / record->height);
      append_number (lines, (double) (px[2] - px[0]) / record->width);
      append_number (lines, (double) (px[3] - px[1]) / record->height);
      g_string_append_c (lines, '\n');
    }

  return sl_box_export_ship (self, record, picture, error) &&
         sl_box_export_write_text (self, "labels", name, lines->str, error);
}

static void
append_yaml_string (GString    *yaml,
                    const char *text)
{
  g_string_append_c (yaml, '\'');
  for (const char *p = text; *p != '\0'; p++)
    {
      if (*p == '\'')
        g_string_append_c (yaml, '\'');
      g_string_append_c (yaml, g_ascii_iscntrl (*p) ? ' ' : *p);
    }
  g_string_append_c (yaml, '\'');
}

gboolean
sl_export_yolo_finish (SlBoxExport  *self,
                       GError      **error)
{
  g_autoptr(GString) names = g_string_new (NULL);
  g_autoptr(GString) yaml = g_string_new ("path: .\ntrain: images\nval: images\nnames:\n");

  for (guint i = 0; i < self->classes->len; i++)
    {
      g_autofree char *line = g_strdelimit (g_strdup (self->classes->pdata[i]), "\r\n", ' ');

      g_string_append_printf (names, "%s\n", line);
      g_string_append_printf (yaml, "  %u: ", i);
      append_yaml_string (yaml, self->classes->pdata[i]);
      g_string_append_c (yaml, '\n');
    }

  return sl_box_export_write_text (self, NULL, "classes.txt", names->str, error) &&
         sl_box_export_write_text (self, NULL, "data.yaml", yaml->str, error);
}

/* ------------------------------------------------------------------------------------------------ Pascal VOC */

static void
append_voc_object (GString           *xml,
                   const SlExportBox *box,
                   const int          px[4])
{
  g_autofree char *name = g_markup_escape_text (sl_export_box_get_class (box), -1);

  g_string_append_printf (xml,
                          "  <object>\n"
                          "    <name>%s</name>\n"
                          "    <pose>Unspecified</pose>\n"
                          "    <truncated>0</truncated>\n"
                          "    <difficult>0</difficult>\n"
                          "    <bndbox>\n"
                          "      <xmin>%d</xmin>\n      <ymin>%d</ymin>\n"
                          "      <xmax>%d</xmax>\n      <ymax>%d</ymax>\n"
                          "    </bndbox>\n"
                          "  </object>\n",
                          name, px[0], px[1], px[2], px[3]);
}

/* Corners count from 0, as labelling programs write and read them, not from 1 as the original set of 2007. */
gboolean
sl_export_voc_add (SlBoxExport      *self,
                   SlExportPicture  *record,
                   SlPicture        *picture,
                   GError          **error)
{
  g_autofree char *name = g_strconcat (record->stem, ".xml", NULL);
  g_autoptr(GString) xml = g_string_new ("<annotation>\n  <folder>JPEGImages</folder>\n");
  g_autofree char *file = NULL;

  if (!sl_box_export_ship (self, record, picture, error))
    return FALSE;

  file = g_markup_escape_text (record->file + strlen ("JPEGImages/"), -1);
  g_string_append_printf (xml,
                          "  <filename>%s</filename>\n"
                          "  <source>\n    <database>Sightline</database>\n  </source>\n"
                          "  <size>\n    <width>%d</width>\n    <height>%d</height>\n    <depth>3</depth>\n  </size>\n"
                          "  <segmented>0</segmented>\n",
                          file, record->width, record->height);
  for (guint i = 0; i < record->boxes->len; i++)
    {
      int px[4];

      if (sl_export_picture_get_pixels (record, record->boxes->pdata[i], px))
        append_voc_object (xml, record->boxes->pdata[i], px);
    }
  g_string_append (xml, "</annotation>\n");

  return sl_box_export_write_text (self, "Annotations", name, xml->str, error);
}
