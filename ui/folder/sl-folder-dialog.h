/* SPDX-License-Identifier: MIT
 *
 * Asks what to ask about the pictures of a folder that was chosen: words, mode, sub folders; says how many pictures there are. Used by
 * SlWindow, UI thread only.
 */
#pragma once

#include "app/prompt/sl-mode.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

/* Not called where the user gives up, or once the parent is gone. */
typedef void (*SlFolderChosen) (GtkWindow *parent, const char *path, gboolean recursive, const char *prompt, SlMode mode);

/* @prompt: what stands there at first. */
void sl_folder_dialog_present (GtkWindow      *parent,
                               const char     *path,
                               const char     *prompt,
                               SlMode          mode,
                               SlFolderChosen  chosen);

G_END_DECLS
