/* SPDX-License-Identifier: MIT
 *
 * One model folder in the list of models: what it is, whether it fits this computer, loading and unloading, its licence. Looks at the
 * folder on a thread. Made by SlModelPage. UI thread.
 */
#pragma once

#include "app/inference/sl-engine.h"

#include <adwaita.h>

G_BEGIN_DECLS

#define SL_TYPE_MODEL_ROW (sl_model_row_get_type ())

G_DECLARE_FINAL_TYPE (SlModelRow, sl_model_row, SL, MODEL_ROW, AdwExpanderRow)

/* bundled: the demo model, which has no licence to show and cannot be taken from the list.
 * Signals, each about the row's own folder: "load" (), "remove" (). */
GtkWidget *sl_model_row_new (SlEngine   *engine,
                             const char *dir,
                             gboolean    bundled);

const char *sl_model_row_get_dir (SlModelRow *self);

G_END_DECLS
