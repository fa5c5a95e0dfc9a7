/* SPDX-License-Identifier: MIT
 *
 * What the exporters share (sl-box-export.c) and what each of them is: the pictures drawn on (sl-export-pictures.c), data
 * sets for training (sl-export-sets.c), files of labelling programs and tables (sl-export-tables.c). Nobody else
 * includes this.
 */
#pragma once

#include <jansson.h>

#include "app/exports/sl-box-export.h"

G_BEGIN_DECLS

struct _SlBoxExport
{
  SlExportFormat  format;
  char           *path;
  gboolean        as_file;
  SlOutputs      *outputs;
  GPtrArray      *pictures; /* SlExportPicture, in order */
  GHashTable     *stems;    /* folded stem, a set */
  GPtrArray      *classes;  /* char *, by their numbers */
  GHashTable     *class_ids; /* label → its class's number + 1 */
  gboolean        classes_given;
  gboolean        json_failed; /* something is missing in what will be written: text that is not UTF-8, or no memory */
  guint           n_without_area, n_unlisted, n_tiny; /* boxes, boxes, pictures */
};

/* A picture's own files. picture is never NULL. */
typedef gboolean (*SlExportAdd) (SlBoxExport *self, SlExportPicture *record, SlPicture *picture, GError **error);
/* The files that all share; NULL where there are none. */
typedef gboolean (*SlExportFinish) (SlBoxExport *self, GError **error);

gboolean sl_export_picture_add_png (SlBoxExport *self, SlExportPicture *record, SlPicture *picture, GError **error);
gboolean sl_export_picture_add_svg (SlBoxExport *self, SlExportPicture *record, SlPicture *picture, GError **error);
gboolean sl_export_picture_add_pdf (SlBoxExport *self, SlExportPicture *record, SlPicture *picture, GError **error);
gboolean sl_export_crops_add (SlBoxExport *self, SlExportPicture *record, SlPicture *picture, GError **error);
gboolean sl_export_coco_add (SlBoxExport *self, SlExportPicture *record, SlPicture *picture, GError **error);
gboolean sl_export_coco_finish (SlBoxExport *self, GError **error);
gboolean sl_export_yolo_add (SlBoxExport *self, SlExportPicture *record, SlPicture *picture, GError **error);
gboolean sl_export_yolo_finish (SlBoxExport *self, GError **error);
gboolean sl_export_voc_add (SlBoxExport *self, SlExportPicture *record, SlPicture *picture, GError **error);
gboolean sl_export_labelme_add (SlBoxExport *self, SlExportPicture *record, SlPicture *picture, GError **error);
gboolean sl_export_label_studio_add (SlBoxExport *self, SlExportPicture *record, SlPicture *picture, GError **error);
gboolean sl_export_label_studio_finish (SlBoxExport *self, GError **error);
gboolean sl_export_json_finish (SlBoxExport *self, GError **error);
gboolean sl_export_csv_finish (SlBoxExport *self, GError **error);

/* The box's label; a box without one is an "object". */
const char *sl_export_box_get_label (const SlExportBox *box);
/* A box that a reader of rectangles takes: its pixels and its class's number, from 0. FALSE for any other. */
gboolean sl_box_export_get_object (SlBoxExport *self, const SlExportPicture *record, const SlExportBox *box, int px[4],
                                   guint *class_id);
const char *sl_box_export_get_class (SlBoxExport *self, guint class_id);
/* Notes what no reader of the format will see of the picture. */
void sl_box_export_count_left_out (SlBoxExport *self, const SlExportPicture *record);
/* Which file came from where, for formats that have no room for it: written last of all where the format's line names it. */
#define SL_EXPORT_SOURCES "sources.csv"
gboolean sl_box_export_write_sources (SlBoxExport *self, GError **error);
/* Without control characters, which neither XML 1.0 nor PDF know, the last two code points of a plane and separators of lines, at which
 * some readers cut: one line of valid UTF-8. (transfer full) */
char *sl_export_clean_text (const char *text);
char *sl_export_escape_xml (const char *text);
/* A field of a CSV line, and a number of nine digits. */
void sl_export_append_field (GString *line, const char *text);
void sl_export_append_number (GString *line, double value);
/* The name of a box's own picture. (transfer full) */
char *sl_export_dup_crop_name (const SlExportPicture *record, const SlExportBox *box);
gboolean sl_export_voc_finish (SlBoxExport *self, GError **error);

/* "DIR/FOLDER/NAME", the folder made; folder NULL: DIR itself. With as_file the one path. NULL with error. */
char *sl_box_export_make_path (SlBoxExport *self, const char *folder, const char *name, GError **error);
/* Puts the picture into its folder and its relative name into record->file: untouched where every reader sees it upright. */
gboolean sl_box_export_ship (SlBoxExport *self, SlExportPicture *record, SlPicture *picture, GError **error);
gboolean sl_box_export_write_text (SlBoxExport *self, const char *folder, const char *name, const char *text, GError **error);
/* Takes the reference. What could not be made, NULL, makes the next file of JSON fail: nothing is left out in silence. */
void sl_box_export_append (SlBoxExport *self, json_t *array, json_t *value);
/* Takes the reference. digits: of a number with a fraction; 17 lose nothing. */
gboolean sl_box_export_write_json (SlBoxExport *self, const char *folder, const char *name, json_t *value, int digits,
                                   GError **error);

G_END_DECLS
