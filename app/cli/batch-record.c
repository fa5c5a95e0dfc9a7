/* SPDX-License-Identifier: MIT
 *
 * A line of the journal and back, value by value: see batch-record.h.
 */
#include "app/cli/batch-record.h"

#include <string.h>

void
cli_record_fill (SlExportPicture *record,
                 const CliAnswer *answer,
                 double           min_overlap)
{
  const char *text = sl_grounding_get_text (answer->grounding);
  gsize n_boxes;
  const SlBox *boxes = sl_grounding_get_boxes (answer->grounding, &n_boxes);
  int number = 0;

  record->answer = g_utf8_make_valid (text, -1);
  for (gsize i = 0; i < n_boxes; i++)
    {
      SlExportBox *box = sl_export_box_new ();
      g_autofree char *raw = g_strndup (text + boxes[i].start, boxes[i].end - boxes[i].start);

      box->label = g_utf8_make_valid (boxes[i].label != NULL ? boxes[i].label : "", -1);
      box->reason = g_strdup (sl_box_reason_get_english (boxes[i].reason));
      box->raw = g_utf8_make_valid (raw, -1);
      box->status = boxes[i].status;
      box->confidence = sl_generation_get_confidence (answer->record, boxes[i].numbers_start, boxes[i].numbers_end);
      memcpy (box->coords, boxes[i].coords, sizeof box->coords);
      box->overlap = sl_generation_get_overlap (answer->record, boxes[i].numbers_start, boxes[i].numbers_end, box->coords, NULL);
      if (box->overlap >= 0 && box->overlap < min_overlap)
        {
          sl_export_box_free (box);
          continue;
        }
      box->number = box->status == SL_BOX_OK || box->status == SL_BOX_CLAMPED ? ++number : 0;
      g_ptr_array_add (record->boxes, box);
    }
}

static json_t *
four_to_json (const int v[4])
{
  return json_pack ("[i,i,i,i]", v[0], v[1], v[2], v[3]);
}

/* A line of the journal: everything that the shared files need, so that a later run does not ask again. */
json_t *
cli_record_to_json (const SlExportPicture *record,
                    const char            *key)
{
  json_t *boxes = json_array ();

  for (guint i = 0; i < record->boxes->len; i++)
    {
      const SlExportBox *box = record->boxes->pdata[i];

      json_array_append_new (boxes, json_pack ("{s:s,s:o,s:s,s:s,s:s,s:i,s:f,s:f}", "label", box->label, "box_999",
                                               four_to_json (box->coords), "status", sl_box_status_get_nick (box->status),
                                               "reason", box->reason, "raw", box->raw, "number", box->number,
                                               "token_probability", box->confidence, "expected_overlap", box->overlap));
    }

  return json_pack ("{s:s,s:s,s:s,s:s,s:s*,s:s,s:i,s:i,s:s,s:o}", "key", key, "name", record->name, "path", record->path,
                    "stem", record->stem, "picture", record->file, "sha256", record->sha256, "width", record->width, "height", record->height,
                    "answer", record->answer, "boxes", boxes);
}

static SlExportBox *
box_from_json (json_t *value)
{
  g_autoptr(SlExportBox) box = sl_export_box_new ();
  const char *label, *status, *reason, *raw;

  if (json_unpack (value, "{s:s,s:[i,i,i,i],s:s,s:s,s:s,s:i,s:F,s:F}", "label", &label, "box_999", &box->coords[0],
                   &box->coords[1], &box->coords[2], &box->coords[3], "status", &status, "reason", &reason, "raw", &raw,
                   "number", &box->number, "token_probability", &box->confidence,
                   "expected_overlap", &box->overlap) != 0 ||
      !sl_box_status_from_nick (status, &box->status))
    return NULL;
  box->label = g_strdup (label);
  box->reason = g_strdup (reason);
  box->raw = g_strdup (raw);

  return g_steal_pointer (&box);
}

SlExportPicture *
cli_record_from_json (json_t *line)
{
  g_autoptr(SlExportPicture) record = sl_export_picture_new (NULL);
  const char *name, *path, *stem, *sha256, *answer;
  const char *file = NULL;
  json_t *boxes, *value;
  gsize i;

  if (json_unpack (line, "{s:s,s:s,s:s,s?s,s:s,s:i,s:i,s:s,s:o}", "name", &name, "path", &path, "stem", &stem, "picture", &file,
                   "sha256", &sha256,
                   "width", &record->width, "height", &record->height, "answer", &answer, "boxes", &boxes) != 0)
    return NULL;
  record->name = g_strdup (name);
  record->path = g_strdup (path);
  record->stem = g_strdup (stem);
  record->file = g_strdup (file);
  record->sha256 = g_strdup (sha256);
  record->answer = g_strdup (answer);
  json_array_foreach (boxes, i, value)
    {
      SlExportBox *box = box_from_json (value);

      if (box == NULL)
        return NULL;
      g_ptr_array_add (record->boxes, box);
    }

  return g_steal_pointer (&record);
}
