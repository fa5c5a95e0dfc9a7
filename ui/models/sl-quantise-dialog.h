/* SPDX-License-Identifier: MIT
 *
 * Asks how a model shall be quantised: format with its size and what it costs in answers, room on the disk. UI thread.
 */
#pragma once

#include "app/inference/sl-format.h"

#include <adwaita.h>

G_BEGIN_DECLS

#define SL_TYPE_QUANTISE_DIALOG (sl_quantise_dialog_get_type ())

G_DECLARE_FINAL_TYPE (SlQuantiseDialog, sl_quantise_dialog, SL, QUANTISE_DIALOG, AdwMessageDialog)

/* dir: the model. Response "quantise" when the user begins. */
GtkWidget *sl_quantise_dialog_new (GtkWindow  *parent,
                                   const char *dir);

SlFormat sl_quantise_dialog_get_format (SlQuantiseDialog *self);
gboolean sl_quantise_dialog_get_vision_int8 (SlQuantiseDialog *self);
/* The folder to make, in the library. (transfer full) */
char *sl_quantise_dialog_dup_dest (SlQuantiseDialog *self);

G_END_DECLS
