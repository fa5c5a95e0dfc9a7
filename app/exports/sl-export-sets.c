/* SPDX-License-Identifier: MIT
 *
 * Data sets for training and scoring: COCO, YOLO, Pascal VOC. Called by SlBoxExport. Coordinates are in pixels of the
 * upright picture that is shipped with them; a box that a reader would choke on is in none of them.
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
annotation_to_json (const SlExportBox *box,
                    const int          px[4],
                    guint              class_id,
                    guint              id,
                    guint              image_id)
{
  int width = px[2] - px[0];
  int height = px[3] - px[1];
  json_t *object = json_pack ("{s:i,s:i,s:i,s:[i,i,i,i],s:i,s:i,s:[[i,i,i,i,i,i,i,i]]}",
                              "id", (int) id, "image_id", (int) image_id,
                              "category_id", (int) class_id + 1,
                              "bbox", px[0], px[1], width, height,
                              "area", width * height, "iscrowd", 0,
                              "segmentation", px[0], px[1], px[2], px[1], px[2], px[3], px[0], px[3]);

  if (box->overlap >= 0)
    json_object_set_new (object, "score", json_real (box->overlap));

  return object;
}

static json_t *
categories_to_json (SlBoxExport *self)
{
  json_t *categories = json_array ();

  for (guint i = 0; i < self->classes->len; i++)
    sl_box_export_append (self, categories, json_pack ("{s:i,s:s,s:s}", "id", (int) i + 1, "name", self->classes->pdata[i],
                                                       "supercategory", ""));

  return categories;
}

static json_t *
image_to_json (const SlExportPicture *record,
               guint                  id)
{
  return json_pack ("{s:i,s:s,s:i,s:i,s:s*,s:s*}", "id", (int) id, "file_name", record->file + strlen ("images/"), "width",
                    record->width, "height", record->height, "source", record->path != NULL ? record->path : record->name,
                    "sha256", record->sha256);
}

/* All ids count from 1, as in the published sets: scorers take an annotation 0 for none, and count it as missed. */
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

      sl_box_export_append (self, images, image_to_json (record, i + 1));
      for (guint k = 0; k < record->boxes->len; k++)
        {
          guint class_id;
          int px[4];

          if (sl_box_export_get_object (self, record, record->boxes->pdata[k], px, &class_id))
            sl_box_export_append (self, annotations, annotation_to_json (record->boxes->pdata[k], px, class_id,
                                                                         json_array_size (annotations) + 1, i + 1));
        }
    }

  set = json_pack ("{s:{s:s,s:s},s:[],s:o,s:o,s:o}", "info", "description", "Boxes exported from Sightline", "version", "1",
                   "licenses", "images", images, "annotations", annotations, "categories", categories_to_json (self));

  return sl_box_export_write_json (self, NULL, "annotations.json", set, 9, error);
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
      guint class_id;
      int px[4];

      if (!sl_box_export_get_object (self, record, record->boxes->pdata[i], px, &class_id))
        continue;
      g_string_append_printf (lines, "%u", class_id);
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

/* Without a "path": the folder of the file counts then. One that is relative is looked for in the folder where training starts. */
gboolean
sl_export_yolo_finish (SlBoxExport  *self,
                       GError      **error)
{
  g_autoptr(GString) names = g_string_new (NULL);
  g_autoptr(GString) yaml = g_string_new ("train: images\nval: images\nnames:\n");

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
append_voc_object (GString    *xml,
                   const char *class,
                   const int   px[4])
{
  g_autofree char *name = sl_export_escape_xml (class);

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
                          name, px[0] + 1, px[1] + 1, px[2], px[3]);
}

/* Corners are the first and the last pixel of the box, counted from 1 as in the set of 2007 and by its readers, which take one off
 * the first: from 0, a box at the edge would begin at −1. */
gboolean
sl_export_voc_add (SlBoxExport      *self,
                   SlExportPicture  *record,
                   SlPicture        *picture,
                   GError          **error)
{
  g_autofree char *name = g_strconcat (record->stem, ".xml", NULL);
  g_autoptr(GString) xml = g_string_new ("<annotation>\n  <folder>JPEGImages</folder>\n");
  g_autofree char *file = NULL;
  g_autofree char *source = NULL;

  if (!sl_box_export_ship (self, record, picture, error))
    return FALSE;

  file = sl_export_escape_xml (record->file + strlen ("JPEGImages/"));
  source = sl_export_escape_xml (record->path != NULL ? record->path : record->name != NULL ? record->name : "");
  g_string_append_printf (xml,
                          "  <filename>%s</filename>\n"
                          "  <source>\n    <database>Sightline</database>\n    <image>%s</image>\n    <sha256>%s</sha256>\n"
                          "  </source>\n"
                          "  <size>\n    <width>%d</width>\n    <height>%d</height>\n    <depth>3</depth>\n  </size>\n"
                          "  <segmented>0</segmented>\n",
                          file, source, record->sha256 != NULL ? record->sha256 : "", record->width, record->height);
  for (guint i = 0; i < record->boxes->len; i++)
    {
      guint class_id;
      int px[4];

      if (sl_box_export_get_object (self, record, record->boxes->pdata[i], px, &class_id))
        append_voc_object (xml, sl_box_export_get_class (self, class_id), px);
    }
  g_string_append (xml, "</annotation>\n");

  return sl_box_export_write_text (self, "Annotations", name, xml->str, error);
}

/* The list of pictures that the layout asks for, and of classes: without it some readers know the twenty of 2007 alone. A name
 * with a colon has no place there. */
gboolean
sl_export_voc_finish (SlBoxExport  *self,
                      GError      **error)
{
  g_autoptr(GString) stems = g_string_new (NULL);
  g_autoptr(GString) map = g_string_new ("# label:color_rgb:parts:actions\n");

  for (guint i = 0; i < self->pictures->len; i++)
    g_string_append_printf (stems, "%s\n", ((SlExportPicture *) self->pictures->pdata[i])->stem);
  for (guint i = 0; i < self->classes->len; i++)
    {
      g_autofree char *name = g_strdelimit (g_strdup (self->classes->pdata[i]), "\r\n", ' ');

      if (strchr (name, ':') == NULL && *name != '#')
        g_string_append_printf (map, "%s:::\n", name);
    }

  return sl_box_export_write_text (self, "ImageSets/Main", "default.txt", stems->str, error) &&
         sl_box_export_write_text (self, NULL, "labelmap.txt", map->str, error);
}
