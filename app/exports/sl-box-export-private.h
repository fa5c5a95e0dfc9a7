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
  GPtrArray      *classes;  /* char *, in order of appearance */
  GHashTable     *class_ids; /* class → index + 1 */
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

/* The box's class; a box without a label is an "object". */
const char *sl_export_box_get_class (const SlExportBox *box);
guint sl_box_export_get_class_id (SlBoxExport *self, const char *name);
/* Has the box a place, so that a reader of rectangles can take it? */
gboolean sl_export_box_is_placed (const SlExportBox *box);

/* "DIR/FOLDER/NAME", the folder made; folder NULL: DIR itself. With as_file the one path. NULL with error. */
char *sl_box_export_make_path (SlBoxExport *self, const char *folder, const char *name, GError **error);
/* Puts the picture into its folder and its relative name into record->file: untouched where every reader sees it upright. */
gboolean sl_box_export_ship (SlBoxExport *self, SlExportPicture *record, SlPicture *picture, GError **error);
gboolean sl_box_export_write_text (SlBoxExport *self, const char *folder, const char *name, const char *text, GError **error);
/* Takes the reference. */
gboolean sl_box_export_write_json (SlBoxExport *self, const char *folder, const char *name, json_t *value, GError **error);

G_END_DECLS
