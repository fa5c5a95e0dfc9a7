/* SPDX-License-Identifier: MIT
 *
 * make-export SOURCE_ROOT DIR: one fixed scene in every export format, as DIR/FORMAT. The scene has what trips readers up: a
 * photo that its camera turned, two pictures of one name, a label in Chinese with markup characters, a box without a label,
 * a corrected and an edited one, one that is unusable, and a picture without boxes.
 */
#include "app/exports/sl-box-export.h"

#include <string.h>

static void
add_box (SlExportPicture *record,
         const char      *label,
         SlBoxStatus      status,
         const int        coords[4],
         double           confidence,
         gboolean         edited)
{
  SlExportBox *box = sl_export_box_new ();
  gboolean placed = status == SL_BOX_OK || status == SL_BOX_CLAMPED;

  box->label = g_strdup (label);
  box->status = status;
  box->reason = g_strdup (status == SL_BOX_OK ? "" : "the text ended inside it");
  box->raw = edited ? NULL : g_strdup_printf ("[%d, %d, %d, %d]", coords[0], coords[1], coords[2], coords[3]);
  memcpy (box->coords, coords, sizeof box->coords);
  box->number = placed ? (int) record->boxes->len + 1 : 0;
  box->confidence = confidence;
  box->overlap = confidence;
  box->edited = edited;
  g_ptr_array_add (record->boxes, box);
}

/* An EXIF block with nothing but “turn right by 90°” behind the start of a JPEG. */
static GBytes *
turn (GBytes *jpeg)
{
  static const guint8 exif[] = {
    0xff, 0xe1, 0x00, 0x22, 'E', 'x', 'i', 'f', 0, 0, 'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1,
    0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0,
  };
  gsize size;
  const guint8 *data = g_bytes_get_data (jpeg, &size);
  GByteArray *out = g_byte_array_new ();

  g_byte_array_append (out, data, 2);
  g_byte_array_append (out, exif, sizeof exif);
  g_byte_array_append (out, data + 2, size - 2);

  return g_byte_array_free_to_bytes (out);
}

static SlPicture *
load (const char *root,
      const char *file,
      const char *name,
      gboolean    turned)
{
  g_autofree char *path = g_build_filename (root, file, NULL);
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) bytes = NULL;
  g_autoptr(GBytes) used = NULL;
  SlPicture *picture;
  char *data;
  gsize size;

  if (!g_file_get_contents (path, &data, &size, &error))
    g_error ("%s", error->message);
  bytes = g_bytes_new_take (data, size);
  used = turned ? turn (bytes) : g_bytes_ref (bytes);
  picture = sl_picture_new_from_bytes (used, name, NULL, &error);
  if (picture == NULL)
    g_error ("%s", error->message);

  return picture;
}

static SlExportPicture *
make_record (SlPicture *picture)
{
  SlExportPicture *record = sl_export_picture_new (picture);

  record->model = g_strdup ("fixed");
  record->prompt = g_strdup ("=everything, \"quoted\"");
  record->answer = g_strdup ("…");

  return record;
}

static void
add (SlBoxExport     *export,
     SlExportPicture *record,
     SlPicture       *picture)
{
  g_autoptr(GError) error = NULL;

  if (!sl_box_export_add (export, record, picture, &error))
    g_error ("%s", error->message);
}

static void
export_scene (const char     *root,
              const char     *dir,
              SlExportFormat  format)
{
  g_autofree char *path = g_build_filename (dir, sl_export_format_get_nick (format), NULL);
  g_autoptr(GError) error = NULL;
  g_autoptr(SlOutputs) outputs = sl_outputs_new (FALSE);
  g_autoptr(SlBoxExport) export = sl_box_export_new (format, path, FALSE, outputs, &error);
  g_autoptr(SlPicture) shapes = load (root, "data/samples/shapes-1.png", "shapes.png", FALSE);
  g_autoptr(SlPicture) photo = load (root, "tests/app/pictures/quadrants.jpg", "Shapes.jpg", TRUE);
  g_autoptr(SlPicture) empty = load (root, "data/samples/tall.png", "红 色/tall.png", FALSE);
  SlExportPicture *record = make_record (shapes);

  add_box (record, "红色的 <圆> & \"co\"", SL_BOX_OK, (int[]) { 95, 130, 345, 470 }, 0.75, FALSE);
  add_box (record, "", SL_BOX_CLAMPED, (int[]) { 490, 85, 999, 435 }, -1, FALSE);
  add_box (record, "control \x01 & \xef\xbf\xbe", SL_BOX_OK, (int[]) { 1, 2, 2, 990 }, 0.25, FALSE);
  add_box (record, "nothing", SL_BOX_OK, (int[]) { 500, 500, 500, 600 }, 0.5, FALSE);
  add_box (record, "it's", SL_BOX_REJECTED, (int[]) { 0, 0, 0, 0 }, -1, FALSE);
  add (export, record, shapes);
  record = make_record (photo);
  add_box (record, "it's", SL_BOX_OK, (int[]) { 0, 0, 499, 999 }, -1, TRUE);
  add (export, record, photo);
  add (export, make_record (empty), empty);
  if (!sl_box_export_finish (export, &error))
    g_error ("%s", error->message);
}

int
main (int    argc,
      char **argv)
{
  if (argc != 3)
    return 2;
  for (int format = 0; format < SL_N_EXPORT_FORMATS; format++)
    export_scene (argv[1], argv[2], format);

  return 0;
}
