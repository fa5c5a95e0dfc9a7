/* SPDX-License-Identifier: MIT
 *
 * Files of labelling programs (labelme, Label Studio) and Sightline's own tables (JSON, CSV), which hold every box,
 * unusable ones with their reason. Called by SlBoxExport.
 */
#include "app/exports/sl-box-export-private.h"

#include <math.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------------ labelme */

gboolean
sl_export_labelme_add (SlBoxExport      *self,
                       SlExportPicture  *record,
                       SlPicture        *picture,
                       GError          **error)
{
  g_autofree char *name = g_strconcat (record->stem, ".json", NULL);
  json_t *shapes = json_array ();

  if (!sl_box_export_ship (self, record, picture, error))
    {
      json_decref (shapes);
      return FALSE;
    }

  for (guint i = 0; i < record->boxes->len; i++)
    {
      guint class_id;
      int px[4];

      if (sl_box_export_get_object (self, record, record->boxes->pdata[i], px, &class_id))
        sl_box_export_append (self, shapes, json_pack ("{s:s,s:[[f,f],[f,f]],s:n,s:s,s:s,s:{}}",
                                                       "label", sl_box_export_get_class (self, class_id),
                                                       "points", (double) px[0], (double) px[1], (double) px[2], (double) px[3],
                                                       "group_id", "description", "", "shape_type", "rectangle", "flags"));
    }

  return sl_box_export_write_json (self, NULL, name,
                                   json_pack ("{s:s,s:{},s:o,s:s,s:n,s:i,s:i,s:s*,s:s*}", "version", "5.0.1", "flags", "shapes",
                                              shapes, "imagePath", record->file, "imageData", "imageHeight", record->height,
                                              "imageWidth", record->width, "source",
                                              record->path != NULL ? record->path : record->name, "sha256", record->sha256),
                                   9, error);
}

/* ------------------------------------------------------------------------------------------------ Label Studio */

gboolean
sl_export_label_studio_add (SlBoxExport      *self,
                            SlExportPicture  *record,
                            SlPicture        *picture,
                            GError          **error)
{
  return sl_box_export_ship (self, record, picture, error);
}

/* The percentage that a reader, which cuts to whole pixels, takes back to just this pixel. */
static double
to_percent (int pixel,
            int side)
{
  double percent = 100.0 * pixel / side;

  while ((int) (percent / 100.0 * side) < pixel || (int) (percent * side / 100.0) < pixel)
    percent = nextafter (percent, 200);

  return percent;
}

static json_t *
region_to_json (const SlExportPicture *record,
                const SlExportBox     *box,
                const char            *class,
                const int              px[4],
                guint                  index)
{
  g_autofree char *id = g_strdup_printf ("box-%u", index + 1);
  json_t *region = json_pack ("{s:s,s:s,s:s,s:s,s:i,s:i,s:i,s:{s:f,s:f,s:f,s:f,s:i,s:[s]}}",
                              "id", id, "type", "rectanglelabels", "from_name", "label", "to_name", "image",
                              "original_width", record->width, "original_height", record->height, "image_rotation", 0,
                              "value",
                              "x", to_percent (px[0], record->width), "y", to_percent (px[1], record->height),
                              "width", to_percent (px[2] - px[0], record->width),
                              "height", to_percent (px[3] - px[1], record->height),
                              "rotation", 0, "rectanglelabels", class);

  if (box->overlap >= 0)
    json_object_set_new (region, "score", json_real (box->overlap));

  return region;
}

/* What the model said is a prediction, beside an annotation that says the same: without one the picture counts as not annotated,
 * and the set is converted without its boxes. What the user corrected is an annotation alone. */
static json_t *
task_to_json (SlBoxExport           *self,
              const SlExportPicture *record,
              guint                  id)
{
  g_autofree char *address = g_strconcat ("/data/local-files/?d=", record->file, NULL);
  json_t *result = json_array ();
  gboolean edited = FALSE;
  json_t *task;

  for (guint i = 0; i < record->boxes->len; i++)
    {
      const SlExportBox *box = record->boxes->pdata[i];
      guint class_id;
      int px[4];

      edited |= box->edited;
      if (sl_box_export_get_object (self, record, box, px, &class_id))
        sl_box_export_append (self, result, region_to_json (record, box, sl_box_export_get_class (self, class_id), px, i));
    }

  task = json_pack ("{s:i,s:{s:s,s:s*,s:s*},s:[{s:O}]}", "id", (int) id, "data", "image", address, "source",
                    record->path != NULL ? record->path : record->name, "sha256", record->sha256, "annotations", "result", result);
  if (!edited)
    json_object_set_new (task, "predictions", json_pack ("[{s:s,s:O}]", "model_version", record->model != NULL ? record->model : "",
                                                         "result", result));
  json_decref (result);

  return task;
}

gboolean
sl_export_label_studio_finish (SlBoxExport  *self,
                               GError      **error)
{
  json_t *tasks = json_array ();
  g_autoptr(GString) config = g_string_new ("<View>\n  <Image name=\"image\" value=\"$image\"/>\n"
                                            "  <RectangleLabels name=\"label\" toName=\"image\">\n");

  for (guint i = 0; i < self->pictures->len; i++)
    sl_box_export_append (self, tasks, task_to_json (self, self->pictures->pdata[i], i + 1));
  for (guint i = 0; i < self->classes->len; i++)
    {
      g_autofree char *name = sl_export_escape_xml (self->classes->pdata[i]);

      g_string_append_printf (config, "    <Label value=\"%s\" category=\"%u\"/>\n", name, i);
    }
  g_string_append (config, "  </RectangleLabels>\n</View>\n");

  return sl_box_export_write_json (self, NULL, "tasks.json", tasks, 17, error) &&
         sl_box_export_write_text (self, NULL, "label-config.xml", config->str, error);
}

/* ------------------------------------------------------------------------------------------------ JSON */

static json_t *
four_to_json (gboolean  known,
              const int v[4])
{
  return known ? json_pack ("[i,i,i,i]", v[0], v[1], v[2], v[3]) : json_null ();
}

/* Text of a model may be cut inside a character. */
static json_t *
text_to_json (const char *text)
{
  g_autofree char *valid = text != NULL ? g_utf8_make_valid (text, -1) : NULL;

  return valid != NULL ? json_string (valid) : json_null ();
}

static json_t *
box_to_json (const SlExportPicture *record,
             const SlExportBox     *box)
{
  int px[4];
  gboolean placed = sl_export_picture_get_pixels (record, box, px);

  return json_pack ("{s:i,s:o,s:o,s:o,s:o,s:o,s:s,s:s,s:b,s:o}", "number", box->number, "label", text_to_json (box->label),
                    "box_px", four_to_json (placed, px), "box_999", four_to_json (placed, box->coords),
                    "expected_overlap", box->overlap >= 0 ? json_real (box->overlap) : json_null (),
                    "token_probability", box->confidence >= 0 ? json_real (box->confidence) : json_null (),
                    "status", sl_box_status_get_nick (box->status), "reason", box->reason != NULL ? box->reason : "",
                    "edited", box->edited, "raw", text_to_json (box->raw));
}

gboolean
sl_export_json_finish (SlBoxExport  *self,
                       GError      **error)
{
  json_t *pictures = json_array ();

  for (guint i = 0; i < self->pictures->len; i++)
    {
      const SlExportPicture *record = self->pictures->pdata[i];
      json_t *boxes = json_array ();

      for (guint k = 0; k < record->boxes->len; k++)
        sl_box_export_append (self, boxes, box_to_json (record, record->boxes->pdata[k]));
      sl_box_export_append (self, pictures, json_pack ("{s:o,s:o,s:o,s:i,s:i,s:o,s:o,s:o,s:o}", "name", text_to_json (record->name),
                                                       "source", text_to_json (record->path), "sha256", text_to_json (record->sha256),
                                                       "width", record->width, "height", record->height, "model",
                                                       text_to_json (record->model), "prompt", text_to_json (record->prompt), "answer",
                                                       text_to_json (record->answer), "boxes", boxes));
    }

  return sl_box_export_write_json (self, NULL, "boxes.json",
                                   json_pack ("{s:s,s:i,s:o}", "format", "sightline-boxes", "version", 1, "pictures", pictures),
                                   9, error);
}

/* ------------------------------------------------------------------------------------------------ CSV */

static void
append_four (GString   *line,
             gboolean   known,
             const int  v[4])
{
  for (int i = 0; i < 4; i++)
    if (known)
      g_string_append_printf (line, ",%d", v[i]);
    else
      g_string_append_c (line, ',');
}

static void
append_row (GString               *table,
            const SlExportPicture *record,
            const SlExportBox     *box)
{
  g_autoptr(GString) line = g_string_new (NULL);
  int px[4];
  gboolean placed = sl_export_picture_get_pixels (record, box, px);

  sl_export_append_field (line, record->name);
  g_string_append_printf (line, ",%d,%d,%d", record->width, record->height, box->number);
  sl_export_append_field (line, box->label);
  append_four (line, placed, px);
  append_four (line, placed, box->coords);
  g_string_append_c (line, ',');
  if (box->overlap >= 0)
    sl_export_append_number (line, box->overlap);
  g_string_append_c (line, ',');
  if (box->confidence >= 0)
    sl_export_append_number (line, box->confidence);
  sl_export_append_field (line, sl_box_status_get_nick (box->status));
  sl_export_append_field (line, box->reason);
  sl_export_append_field (line, box->edited ? "user" : "model");
  sl_export_append_field (line, record->model);
  sl_export_append_field (line, record->prompt);
  sl_export_append_field (line, record->path);
  sl_export_append_field (line, record->sha256);
  g_string_append (table, line->str);
  g_string_append (table, "\r\n");
}

gboolean
sl_export_csv_finish (SlBoxExport  *self,
                      GError      **error)
{
  g_autoptr(GString) table = g_string_new (self->format == SL_EXPORT_CSV_BOM ? "\xef\xbb\xbf" : "");

  g_string_append (table, "picture,width,height,number,label,x1,y1,x2,y2,x1_999,y1_999,x2_999,y2_999,"
                          "expected_overlap,token_probability,status,reason,source,model,prompt,path,sha256\r\n");

  for (guint i = 0; i < self->pictures->len; i++)
    {
      const SlExportPicture *record = self->pictures->pdata[i];

      for (guint k = 0; k < record->boxes->len; k++)
        append_row (table, record, record->boxes->pdata[k]);
    }

  return sl_box_export_write_text (self, NULL, "boxes.csv", table->str, error);
}
