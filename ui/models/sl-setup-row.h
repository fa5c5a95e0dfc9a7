/* SPDX-License-Identifier: MIT
 *
 * The one model that is recommended for this computer: what it is, whether it fits, how fast it will be, and a button that does
 * everything up to the first answer. Made by SlModelPage. UI thread.
 */
#pragma once

#include "app/inference/sl-models.h"

#include <adwaita.h>

G_BEGIN_DECLS

#define SL_TYPE_SETUP_ROW (sl_setup_row_get_type ())

G_DECLARE_FINAL_TYPE (SlSetupRow, sl_setup_row, SL, SETUP_ROW, AdwPreferencesRow)

/* memory: of this computer, 0 unknown. */
GtkWidget *sl_setup_row_new (SlModels *models,
                             guint64   memory);

G_END_DECLS
