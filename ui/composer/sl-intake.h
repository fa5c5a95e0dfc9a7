/* SPDX-License-Identifier: MIT
 *
 * Brings pictures in from outside: dropped or pasted files and raw image data,
 * chosen files. Decoding happens in the decode pool; pictures come out in the
 * order in which they were given, the bad ones as sentences. What is given carries whom
 * it is for, as that may have changed by the time it is read. Used by SlWindow, UI thread
 * only. Knows no composer and no conversation.
 */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_INTAKE (sl_intake_get_type ())

G_DECLARE_FINAL_TYPE (SlIntake, sl_intake, SL, INTAKE, GObject)

/* Property: "busy" (gboolean): something is being read or decoded.
 * Signal "files" (GPtrArray of GFile) → gboolean: TRUE takes them, as something else than pictures of a question.
 * Signals: "picture" (SlPicture, GObject *target), "failed" (guint count, const char
 * *sentence): once for each thing given that had bad pictures, with the first reason. */

SlIntake *sl_intake_new (void);

gboolean sl_intake_is_busy (SlIntake *self);

/* @files: of GFile; a folder stands for the pictures in it, in the order of their names. @target: handed back with each picture;
 * referenced until then. */
void sl_intake_add_files (SlIntake   *self,
                          GListModel *files,
                          GObject    *target);

/* Whether these formats can hold a picture for us. */
gboolean sl_intake_accepts (GdkContentFormats *formats);

/* Takes over the drop and finishes it. */
void sl_intake_add_drop (SlIntake *self,
                         GdkDrop  *drop,
                         GObject  *target);

/* FALSE if there is nothing like a picture on the clipboard. */
gboolean sl_intake_add_clipboard (SlIntake     *self,
                                  GdkClipboard *clipboard,
                                  GObject      *target);

G_END_DECLS
