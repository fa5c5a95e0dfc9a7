/* SPDX-License-Identifier: MIT
 *
 * Exports boxes: the table of formats, names, and the files that every format writes alike.
 */
#include "app/exports/sl-box-export-private.h"

#include <errno.h>
#include <string.h>

#include <glib/gi18n-lib.h>

#include "app/boxes/sl-box-picture.h"

/* Long enough to recognise a picture, short enough for every file system with a suffix behind it, as characters and as bytes. */
#define STEM_CHARACTERS 80
#define STEM_BYTES      120

static const struct
{
  const char     *nick;
  const char     *name;
  const char     *extension; /* as one file; NULL: a folder */
  gboolean        table;
  const char     *pictures;  /* folder that they are shipped into, "" for the export's own; NULL: they are not */
  const char     *own[3];    /* what each picture has beside that: "FOLDER/" and what follows the stem */
  const char     *shared[4]; /* what all have in common */
  gboolean        set;       /* see sl_export_format_is_set() */
  SlExportAdd     add;
  SlExportFinish  finish;
} formats[SL_N_EXPORT_FORMATS] = {
  [SL_EXPORT_PNG] = { "png", N_("Picture with boxes (PNG)"), "png", FALSE, NULL, { "", "-boxes.png" }, { SL_EXPORT_SOURCES }, FALSE,
                      sl_export_picture_add_png, NULL },
  [SL_EXPORT_SVG] = { "svg", N_("Picture with boxes (SVG)"), "svg", FALSE, NULL, { "", "-boxes.svg" }, { SL_EXPORT_SOURCES }, FALSE,
                      sl_export_picture_add_svg, NULL },
  [SL_EXPORT_PDF] = { "pdf", N_("Picture with boxes (PDF)"), "pdf", FALSE, NULL, { "", "-boxes.pdf" }, { SL_EXPORT_SOURCES }, FALSE,
                      sl_export_picture_add_pdf, NULL },
  [SL_EXPORT_CROPS] = { "crops", N_("A picture of each box"), NULL, FALSE, NULL, { NULL }, { SL_EXPORT_SOURCES }, FALSE,
                        sl_export_crops_add, NULL },
  [SL_EXPORT_JSON] = { "json", N_("JSON"), "json", TRUE, NULL, { NULL }, { "boxes.json" }, FALSE, NULL, sl_export_json_finish },
  [SL_EXPORT_CSV] = { "csv", N_("Table (CSV)"), "csv", TRUE, NULL, { NULL }, { "boxes.csv" }, FALSE, NULL, sl_export_csv_finish },
  [SL_EXPORT_CSV_BOM] = { "csv-bom", N_("Table for spreadsheets (CSV)"), "csv", TRUE, NULL, { NULL }, { "boxes.csv" }, FALSE, NULL,
                          sl_export_csv_finish },
  [SL_EXPORT_COCO] = { "coco", N_("COCO"), NULL, FALSE, "images", { NULL }, { "annotations.json" }, TRUE, sl_export_coco_add,
                       sl_export_coco_finish },
  [SL_EXPORT_YOLO] = { "yolo", N_("YOLO"), NULL, FALSE, "images", { "labels/", ".txt" },
                       { "classes.txt", "data.yaml", SL_EXPORT_SOURCES }, TRUE, sl_export_yolo_add, sl_export_yolo_finish },
  [SL_EXPORT_VOC] = { "voc", N_("Pascal VOC"), NULL, FALSE, "JPEGImages", { "Annotations/", ".xml" },
                      { "labelmap.txt", "ImageSets/Main/default.txt" }, TRUE, sl_export_voc_add, sl_export_voc_finish },
  [SL_EXPORT_LABELME] = { "labelme", N_("labelme"), NULL, FALSE, "", { "", ".json" }, { NULL }, TRUE, sl_export_labelme_add, NULL },
  [SL_EXPORT_LABEL_STUDIO] = { "label-studio", N_("Label Studio"), NULL, FALSE, "images", { NULL },
                               { "tasks.json", "label-config.xml" }, TRUE, sl_export_label_studio_add,
                               sl_export_label_studio_finish },
};

const char *
sl_export_format_get_nick (SlExportFormat format)
{
  return formats[format].nick;
}

const char *
sl_export_format_get_display_name (SlExportFormat format)
{
  return _(formats[format].name);
}

const char *
sl_export_format_get_extension (SlExportFormat format)
{
  return formats[format].extension;
}

gboolean
sl_export_format_is_table (SlExportFormat format)
{
  return formats[format].table;
}

gboolean
sl_export_format_is_set (SlExportFormat format)
{
  return formats[format].set;
}

gboolean
sl_export_format_from_nick (const char     *nick,
                            SlExportFormat *format)
{
  for (guint i = 0; i < SL_N_EXPORT_FORMATS; i++)
    if (g_strcmp0 (nick, formats[i].nick) == 0)
      {
        *format = i;
        return TRUE;
      }

  return FALSE;
}

/* ------------------------------------------------------------------------------------------------ records */

SlExportBox *
sl_export_box_new (void)
{
  SlExportBox *self = g_new0 (SlExportBox, 1);

  self->confidence = -1;
  self->overlap = -1;

  return self;
}

void
sl_export_box_free (SlExportBox *self)
{
  if (self == NULL)
    return;

  g_free (self->label);
  g_free (self->reason);
  g_free (self->raw);
  g_free (self);
}

const char *
sl_export_box_get_label (const SlExportBox *box)
{
  return box->label != NULL && *box->label != '\0' ? box->label : "object";
}

SlExportPicture *
sl_export_picture_new (SlPicture *picture)
{
  SlExportPicture *self = g_new0 (SlExportPicture, 1);

  self->boxes = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_export_box_free);
  if (picture != NULL)
    {
      self->name = g_strdup (sl_picture_get_name (picture));
      self->sha256 = g_strdup (sl_picture_get_sha256 (picture));
      self->width = sl_picture_get_width (picture);
      self->height = sl_picture_get_height (picture);
    }

  return self;
}

void
sl_export_picture_free (SlExportPicture *self)
{
  if (self == NULL)
    return;

  g_free (self->name);
  g_free (self->path);
  g_free (self->stem);
  g_free (self->file);
  g_free (self->sha256);
  g_free (self->model);
  g_free (self->prompt);
  g_free (self->answer);
  g_ptr_array_unref (self->boxes);
  g_free (self);
}

gboolean
sl_export_picture_get_pixels (const SlExportPicture *self,
                              const SlExportBox     *box,
                              int                    pixels[4])
{
  SlBox value = { .status = box->status };

  memcpy (value.coords, box->coords, sizeof value.coords);

  return sl_box_get_pixels (&value, self->width, self->height, pixels);
}

/* ------------------------------------------------------------------------------------------------ files */

static gboolean
make_folder (const char  *path,
             GError     **error)
{
  if (g_mkdir_with_parents (path, 0777) == 0)
    return TRUE;

  sl_output_set_error (error, path, errno);

  return FALSE;
}

char *
sl_box_export_make_path (SlBoxExport  *self,
                         const char   *folder,
                         const char   *name,
                         GError      **error)
{
  g_autofree char *dir = NULL;

  if (self->as_file)
    return g_strdup (self->path);

  dir = g_build_filename (self->path, folder, NULL);
  if (!make_folder (dir, error))
    return NULL;

  return g_build_filename (dir, name, NULL);
}

gboolean
sl_box_export_write_text (SlBoxExport  *self,
                          const char   *folder,
                          const char   *name,
                          const char   *text,
                          GError      **error)
{
  g_autofree char *path = sl_box_export_make_path (self, folder, name, error);

  return path != NULL && sl_outputs_write (self->outputs, path, text, strlen (text), error);
}

void
sl_box_export_append (SlBoxExport *self,
                      json_t      *array,
                      json_t      *value)
{
  if (json_array_append_new (array, value) != 0)
    self->json_failed = TRUE;
}

gboolean
sl_box_export_write_json (SlBoxExport  *self,
                          const char   *folder,
                          const char   *name,
                          json_t       *value,
                          int           digits,
                          GError      **error)
{
  char *text = value != NULL && !self->json_failed ? json_dumps (value, JSON_INDENT (2) | JSON_REAL_PRECISION (digits)) : NULL;
  g_autofree char *line = text != NULL ? g_strconcat (text, "\n", NULL) : NULL;

  free (text);
  json_decref (value);
  if (line == NULL)
    {
      sl_output_set_error (error, name, EILSEQ);
      return FALSE;
    }

  return sl_box_export_write_text (self, folder, name, line, error);
}

static gboolean
is_shipped_untouched (SlPicture *picture)
{
  const char *extension = sl_picture_get_extension (picture);

  return sl_picture_get_plain (picture) && (g_str_equal (extension, "png") || g_str_equal (extension, "jpg"));
}

static const char *
get_shipped_extension (SlPicture *picture)
{
  return is_shipped_untouched (picture) ? sl_picture_get_extension (picture) : "png";
}

/* A set that is made where its pictures are has them already. */
static gboolean
is_there (SlBoxExport     *self,
          const char      *path,
          SlPicture       *picture)
{
  g_autofree char *data = NULL;
  gsize size, length;
  const void *bytes = g_bytes_get_data (sl_picture_get_bytes (picture), &size);

  return is_shipped_untouched (picture) && sl_outputs_is_input (self->outputs, path) &&
         g_file_get_contents (path, &data, &length, NULL) && length == size && memcmp (data, bytes, size) == 0;
}

gboolean
sl_box_export_ship (SlBoxExport      *self,
                    SlExportPicture  *record,
                    SlPicture        *picture,
                    GError          **error)
{
  const char *folder = formats[self->format].pictures;
  g_autofree char *name = g_strconcat (record->stem, ".", get_shipped_extension (picture), NULL);
  g_autofree char *path = sl_box_export_make_path (self, *folder != '\0' ? folder : NULL, name, error);
  gsize size;
  const void *data;

  if (path == NULL)
    return FALSE;
  g_free (record->file);
  record->file = *folder != '\0' ? g_strconcat (folder, "/", name, NULL) : g_strdup (name);

  if (is_there (self, path, picture))
    return TRUE;
  if (!is_shipped_untouched (picture))
    return sl_box_picture_write_plain (picture, self->outputs, path, error);
  data = g_bytes_get_data (sl_picture_get_bytes (picture), &size);

  return sl_outputs_write (self->outputs, path, data, size, error);
}

/* ------------------------------------------------------------------------------------------------ names */

/* Letters and digits of every script stay; what a shell, a URL or another system could trip over becomes "_". */
static char *
make_stem (const char *name)
{
  const char *dot = strrchr (name, '.');
  const char *end = dot != NULL && dot > name ? dot : name + strlen (name);
  g_autoptr(GString) stem = g_string_new (NULL);

  for (const char *p = name; p < end && g_utf8_strlen (stem->str, -1) < STEM_CHARACTERS; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (stem->len + g_unichar_to_utf8 (c, NULL) > STEM_BYTES)
        break;

      if (g_unichar_isalnum (c) || c == '-' || c == '_' || (c == '.' && stem->len > 0))
        g_string_append_unichar (stem, c);
      else
        g_string_append_c (stem, '_');
    }
  if (stem->len == 0)
    g_string_append (stem, "picture");

  return g_strdup (stem->str);
}

static char *
make_shipped_path (SlBoxExport *self,
                   const char  *stem,
                   SlPicture   *picture)
{
  g_autofree char *name = g_strconcat (stem, ".", get_shipped_extension (picture), NULL);

  return g_build_filename (self->path, formats[self->format].pictures, name, NULL);
}

/* "a.png" and "A.jpg" would be one file on some systems; the upright copy of "b.jpg" would be "b.png", which may be another of
 * the pictures. */
static gboolean
take_stem (SlBoxExport *self,
           const char  *stem,
           SlPicture   *picture)
{
  g_autofree char *folded = g_utf8_casefold (stem, -1);

  if (g_hash_table_contains (self->stems, folded))
    return FALSE;
  if (picture != NULL && formats[self->format].pictures != NULL)
    {
      g_autofree char *path = make_shipped_path (self, stem, picture);

      if (sl_outputs_is_input (self->outputs, path) && !is_there (self, path, picture))
        return FALSE;
    }

  return g_hash_table_add (self->stems, g_steal_pointer (&folded));
}

static void
claim_stem (SlBoxExport     *self,
            SlExportPicture *record,
            SlPicture       *picture)
{
  g_autofree char *wanted = record->stem != NULL ? g_steal_pointer (&record->stem)
                                                 : make_stem (record->name != NULL ? record->name : "");

  for (guint i = 1; record->stem == NULL; i++)
    {
      g_autofree char *stem = i == 1 ? g_strdup (wanted) : g_strdup_printf ("%s-%u", wanted, i);

      if (take_stem (self, stem, picture))
        record->stem = g_steal_pointer (&stem);
    }
}

/* All of a picture's files, before the first of them is made: half of a picture helps nobody. */
static gboolean
check_own_files (SlBoxExport            *self,
                 const SlExportPicture  *record,
                 SlPicture              *picture,
                 GError                **error)
{
  const char *const *own = formats[self->format].own;
  g_autofree char *name = g_strconcat (record->stem, own[0] != NULL ? own[1] : "", NULL);
  g_autofree char *path = self->as_file ? g_strdup (self->path) : g_build_filename (self->path, own[0], name, NULL);
  g_autofree char *shipped = NULL;

  if (own[0] != NULL && !sl_outputs_check (self->outputs, path, error))
    return FALSE;
  if (formats[self->format].pictures == NULL)
    return TRUE;
  shipped = make_shipped_path (self, record->stem, picture);

  return is_there (self, shipped, picture) || sl_outputs_check (self->outputs, shipped, error);
}

gboolean
sl_box_export_claim (SlBoxExport      *self,
                     SlExportPicture  *record,
                     SlPicture        *picture,
                     GError          **error)
{
  g_autofree char *folded = NULL;

  claim_stem (self, record, picture);
  record->claimed = TRUE;
  if (check_own_files (self, record, picture, error))
    return TRUE;

  folded = g_utf8_casefold (record->stem, -1);
  g_hash_table_remove (self->stems, folded);

  return FALSE;
}

void
sl_box_export_sweep (SlBoxExport *self)
{
  const char *folders[] = { "", formats[self->format].pictures, formats[self->format].own[0] };

  for (guint i = 0; i < G_N_ELEMENTS (folders); i++)
    {
      g_autofree char *path = folders[i] != NULL ? g_build_filename (self->path, folders[i], NULL) : NULL;

      if (path != NULL)
        sl_output_sweep (path);
    }
}

gboolean
sl_box_export_check (SlBoxExport  *self,
                     GError      **error)
{
  if (self->as_file)
    return sl_outputs_check (self->outputs, self->path, error);

  for (guint i = 0; formats[self->format].shared[i] != NULL; i++)
    {
      g_autofree char *path = g_build_filename (self->path, formats[self->format].shared[i], NULL);

      if (!sl_outputs_check (self->outputs, path, error))
        return FALSE;
    }

  return TRUE;
}

/* ------------------------------------------------------------------------------------------------ exporter */

SlBoxExport *
sl_box_export_new (SlExportFormat   format,
                   const char      *path,
                   gboolean         as_file,
                   SlOutputs       *outputs,
                   GError         **error)
{
  SlBoxExport *self;

  g_return_val_if_fail (!as_file || formats[format].extension != NULL, NULL);

  if (!as_file && !make_folder (path, error))
    return NULL;

  self = g_new0 (SlBoxExport, 1);
  self->format = format;
  self->path = g_strdup (path);
  self->as_file = as_file;
  self->outputs = outputs;
  self->pictures = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_export_picture_free);
  self->stems = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self->classes = g_ptr_array_new_with_free_func (g_free);
  self->class_ids = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  return self;
}

void
sl_box_export_free (SlBoxExport *self)
{
  if (self == NULL)
    return;

  g_free (self->path);
  g_ptr_array_unref (self->pictures);
  g_hash_table_unref (self->stems);
  g_hash_table_unref (self->class_ids);
  g_ptr_array_unref (self->classes);
  g_free (self);
}

/* A label is a name in the files of others; in the tables it is what the model wrote. */
static void
clean_labels (SlExportPicture *record)
{
  for (guint i = 0; i < record->boxes->len; i++)
    {
      SlExportBox *box = record->boxes->pdata[i];
      char *clean = box->label != NULL ? sl_export_clean_text (box->label) : NULL;

      g_free (box->label);
      box->label = clean;
    }
}

gboolean
sl_box_export_add (SlBoxExport      *self,
                   SlExportPicture  *record,
                   SlPicture        *picture,
                   GError          **error)
{
  g_autoptr(SlExportPicture) taken = record;

  if (picture == NULL)
    claim_stem (self, taken, NULL);
  else if (!taken->claimed && !sl_box_export_claim (self, taken, picture, error))
    return FALSE;
  if (!formats[self->format].table)
    clean_labels (taken);
  sl_box_export_count_left_out (self, taken);
  if (picture != NULL && formats[self->format].add != NULL && !formats[self->format].add (self, taken, picture, error))
    return FALSE;
  g_ptr_array_add (self->pictures, g_steal_pointer (&taken));

  return TRUE;
}

static gboolean
has_sources (const SlBoxExport *self)
{
  return !self->as_file && g_strv_contains (formats[self->format].shared, SL_EXPORT_SOURCES);
}

gboolean
sl_box_export_finish (SlBoxExport  *self,
                      GError      **error)
{
  return (formats[self->format].finish == NULL || formats[self->format].finish (self, error)) &&
         (!has_sources (self) || sl_box_export_write_sources (self, error));
}
