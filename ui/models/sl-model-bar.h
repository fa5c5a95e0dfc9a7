/* SPDX-License-Identifier: MIT
 *
 * The strip below the header bar that says how the model is: loading with
 * progress and Cancel, failed with the reason, not loaded, or the demo model
 * with what it knows. Hidden for a real model that is ready. UI thread only.
 */
#pragma once

#include "app/inference/sl-engine.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_MODEL_BAR (sl_model_bar_get_type ())

G_DECLARE_FINAL_TYPE (SlModelBar, sl_model_bar, SL, MODEL_BAR, GtkWidget)

void sl_model_bar_set_engine (SlModelBar *self,
                              SlEngine   *engine);
/* The folder that was chosen and is not there now, so that the demo model is loaded in its place: said until another model is
 * loaded. NULL: it is there, or the demo model was chosen. */
void sl_model_bar_set_missing (SlModelBar *self,
                               const char *dir);

/* FALSE while another engine answers: how the model of this computer is does not matter then. */
void sl_model_bar_set_wanted (SlModelBar *self,
                              gboolean    wanted);

G_END_DECLS
