/* SPDX-License-Identifier: MIT
 *
 * Asks for files or a folder in the desktop's own dialog. UI thread.
 */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

/* files: GFile, at least one; NULL where none was chosen. The dialog is gone by then, and watches no folder any more. */
typedef void (*SlChosen) (GListModel *files,
                          gpointer    data);

/* A modal dialog over @parent, borrowed, to be set up further and shown with gtk_native_dialog_show(). chosen (files, data) comes once:
 * when the user answers, or, with NULL, when @parent is closed first. */
GtkFileChooser *sl_choose_new (GtkWindow            *parent,
                               GtkFileChooserAction  action,
                               const char           *title,
                               const char           *accept,
                               SlChosen              chosen,
                               gpointer              data);

/* The path of the first of files; NULL where there are none, or where it is not on this computer. Owned by the caller. */
char           *sl_choose_dup_path (GListModel *files);

G_END_DECLS
