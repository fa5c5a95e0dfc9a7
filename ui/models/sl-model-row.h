/* SPDX-License-Identifier: MIT
 *
 * One model in the list of models: what it is, whether it fits this computer, loading and unloading, and what can be done with its
 * folder: show, verify, quantise, move, delete, take from the list. Looks at the folder on a thread. Made by SlModelPage. UI thread.
 */
#pragma once

#include "app/hub/sl-library.h"
#include "app/inference/sl-engine.h"
#include "app/inference/sl-models.h"

#include <adwaita.h>

G_BEGIN_DECLS

#define SL_TYPE_MODEL_ROW (sl_model_row_get_type ())

G_DECLARE_FINAL_TYPE (SlModelRow, sl_model_row, SL, MODEL_ROW, AdwExpanderRow)

/* model is read in the call. bundled: it is the demo model, which has no licence to show and stays in the list.
 * Signals: "load" (): the row's own folder; "failed" (sentence). */
GtkWidget *sl_model_row_new (SlEngine             *engine,
                             SlModels             *models,
                             const SlLibraryModel *model,
                             gboolean              bundled);

const char *sl_model_row_get_dir (SlModelRow *self);

G_END_DECLS
