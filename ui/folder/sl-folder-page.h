/* SPDX-License-Identifier: MIT
 *
 * A folder that is asked about: the pictures as a table that fills, how far it is, what failed, a filter; and the viewer, in which they
 * are looked through one after the other. Owned by SlWindow; UI thread only.
 */
#pragma once

#include "app/folder/sl-folder-job.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_FOLDER_PAGE (sl_folder_page_get_type ())

G_DECLARE_FINAL_TYPE (SlFolderPage, sl_folder_page, SL, FOLDER_PAGE, GtkWidget)

/* Signals: "close" (); "failed" (string sentence): something to tell; "ask" (SlPicture, gboolean marked), as the viewer's. */

/* NULL: nothing is shown, and nothing is kept. */
void sl_folder_page_set_job (SlFolderPage *self,
                             SlFolderJob  *job);
SlFolderJob *sl_folder_page_get_job (SlFolderPage *self);
/* Opens the picture that the message is about, where there is one. */
void sl_folder_page_reveal  (SlFolderPage *self,
                             gint64        message);

G_END_DECLS
