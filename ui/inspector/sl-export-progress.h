/* SPDX-License-Identifier: MIT
 *
 * SlExportProgress: says how far an export is and lets it be cancelled. It is no modal dialog: the window can be used meanwhile.
 * Made by the export dialog for an export that takes long enough to be seen; whoever made it destroys it. UI thread only.
 */
#pragma once

#include "app/exports/sl-export-job.h"

#include <adwaita.h>

G_BEGIN_DECLS

#define SL_TYPE_EXPORT_PROGRESS (sl_export_progress_get_type ())
G_DECLARE_FINAL_TYPE (SlExportProgress, sl_export_progress, SL, EXPORT_PROGRESS, AdwMessageDialog)

/* @began: g_get_monotonic_time() at the export's start. @cancellable is cancelled where the user says so. */
GtkWidget *sl_export_progress_new (GtkWindow    *parent,
                                   SlExportJob  *job,
                                   gint64        began,
                                   GCancellable *cancellable);

/* "12 of 40 pictures", after a second with the rate and the time that is left on a second line. (transfer full) */
char *sl_export_progress_dup_sentence (guint  n_done,
                                       guint  n_pictures,
                                       double seconds);

G_END_DECLS
