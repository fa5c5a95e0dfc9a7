/* SPDX-License-Identifier: MIT
 *
 * SlBoxExport: boxes and their pictures as files that other programs read. One exporter takes one picture after the
 * other (its files are written at once, so a folder of thousands needs no memory) and is finished once, which writes
 * what all of them share. Called by the window and `sightline-cli batch`; one thread at a time, any thread; it takes as
 * long as its pictures are large. It must not know GTK, the store or the engine.
 *
 * What a reader gets is always upright: a photo that its camera turned is shipped as the PNG that was looked at.
 * Hidden boxes are left out. What may be written over is up to the SlOutputs that it is given. Errors are one translated
 * sentence that names the file.
 */
#pragma once

#include "app/pictures/sl-picture.h"
#include "app/prompt/sl-grounding.h"
#include "app/system/sl-output.h"

G_BEGIN_DECLS

typedef enum
{
  SL_EXPORT_PNG, /* the picture with its boxes drawn on it */
  SL_EXPORT_SVG,
  SL_EXPORT_PDF,
  SL_EXPORT_CROPS, /* a PNG per box */
  SL_EXPORT_JSON,  /* everything that Sightline knows, rejected boxes included */
  SL_EXPORT_CSV,   /* the same as a table */
  SL_EXPORT_CSV_BOM, /* with the mark by which spreadsheets know UTF-8 */
  SL_EXPORT_COCO,
  SL_EXPORT_YOLO,
  SL_EXPORT_VOC,
  SL_EXPORT_LABELME,
  SL_EXPORT_LABEL_STUDIO,
} SlExportFormat;
#define SL_N_EXPORT_FORMATS 12

const char *sl_export_format_get_nick         (SlExportFormat  format); /* "coco": options and files */
const char *sl_export_format_get_display_name (SlExportFormat  format); /* translated */
gboolean    sl_export_format_from_nick        (const char     *nick,
                                               SlExportFormat *format);
/* The ending ("png", without a dot) where one picture can be one file; NULL for what is always a folder. */
const char *sl_export_format_get_extension    (SlExportFormat  format);
/* One file however many pictures there are (JSON, CSV). */
gboolean    sl_export_format_is_table         (SlExportFormat  format);
/* Examples to learn from or to score with: a picture is in it once, with all that is on it, and classes have numbers. */
gboolean    sl_export_format_is_set           (SlExportFormat  format);

typedef struct
{
  char        *label;
  char        *reason;     /* English, "" for none */
  char        *raw;        /* what the model wrote for it; NULL for a box of the user's */
  int          coords[4];  /* 0 … 999; only where the status is OK or CLAMPED */
  int          number;     /* as drawn; 0 where it has no place */
  SlBoxStatus  status;
  double       confidence; /* joint token probability; negative: unknown */
  double       overlap;    /* expected with the true box, 0 … 1: the score of other programs; negative: unknown */
  gboolean     edited;     /* by the user */
} SlExportBox;

/* A picture without its pixels, and what was located on it. */
typedef struct
{
  char      *name;          /* as the user knows it */
  char      *path;          /* where it is, absolute, UTF-8; NULL: unknown */
  char      *stem;          /* of its files in the export; NULL: the exporter chooses, unique */
  char      *file;          /* the picture in the export, relative; NULL until it is there */
  char      *sha256;
  int        width, height; /* upright pixels */
  char      *model, *prompt, *answer; /* answer: the raw text; each may be NULL */
  GPtrArray *boxes;         /* SlExportBox */
  gboolean   claimed;       /* sl_box_export_claim() */
} SlExportPicture;

SlExportBox     *sl_export_box_new      (void);
void             sl_export_box_free     (SlExportBox     *self);
SlExportPicture *sl_export_picture_new  (SlPicture       *picture);
void             sl_export_picture_free (SlExportPicture *self);
/* Pixels of a box; FALSE where it has no place. */
gboolean         sl_export_picture_get_pixels (const SlExportPicture *self,
                                               const SlExportBox     *box,
                                               int                    pixels[4]);

typedef struct _SlBoxExport SlBoxExport;

/* path: a folder (made where it is missing), or with as_file the one file; see sl_export_format_get_extension(). outputs is
 * borrowed. */
SlBoxExport *sl_box_export_new    (SlExportFormat   format,
                                   const char      *path,
                                   gboolean         as_file,
                                   SlOutputs       *outputs,
                                   GError         **error);
void         sl_box_export_free   (SlBoxExport     *self);

/* Gives classes their numbers, before anything is added: text has a class on each line, in order, behind it after tabs other
 * labels that mean it. A box whose label is not there is left out. Without a list classes are numbered as they appear. FALSE with
 * G_IO_ERROR_INVALID_DATA where text is no such list; name is the file's, for that. */
gboolean     sl_box_export_set_classes (SlBoxExport *self,
                                        const char  *text,
                                        gsize        length,
                                        const char  *name,
                                        GError     **error);
/* What was left out and what a reader will not take, a sentence on each line; NULL for nothing. (transfer full) */
char        *sl_box_export_dup_notes (SlBoxExport  *self);

/* Could the files that all pictures share be written? To be asked before the work. */
gboolean     sl_box_export_check  (SlBoxExport     *self,
                                   GError         **error);
/* Removes what a killed run left; only where no other is at work in the folder. */
void         sl_box_export_sweep  (SlBoxExport     *self);
/* Chooses the names of a picture's files and looks whether they could be written, before somebody works for them; the record is
 * to be added next. Optional: sl_box_export_add() does it else. */
gboolean     sl_box_export_claim  (SlBoxExport     *self,
                                   SlExportPicture *record,
                                   SlPicture       *picture,
                                   GError         **error);
/* Takes the record. picture NULL: its files are there already (a batch that goes on), stem and file say how they are
 * called; only what is shared will mention it. */
gboolean     sl_box_export_add    (SlBoxExport     *self,
                                   SlExportPicture *record,
                                   SlPicture       *picture,
                                   GError         **error);
/* Writes what all pictures share; nothing can be added afterwards. */
gboolean     sl_box_export_finish (SlBoxExport     *self,
                                   GError         **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlExportBox, sl_export_box_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlExportPicture, sl_export_picture_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlBoxExport, sl_box_export_free)

G_END_DECLS
