/* SPDX-License-Identifier: MIT
 *
 * The preferences' page of models: which folders there are, what each is, whether it fits this computer, loading and unloading,
 * where to compute, and where to get more. Made by sl_preferences_new(); UI thread. It must not know how a model is loaded.
 */
#pragma once

#include "app/inference/sl-engine.h"
#include "app/inference/sl-models.h"

#include <adwaita.h>

G_BEGIN_DECLS

#define SL_TYPE_MODEL_PAGE (sl_model_page_get_type ())

G_DECLARE_FINAL_TYPE (SlModelPage, sl_model_page, SL, MODEL_PAGE, AdwPreferencesPage)

/* settings: the user's preferences; NULL hides what would be kept there. */
GtkWidget *sl_model_page_new (SlEngine  *engine,
                              SlModels  *models,
                              GSettings *settings);

G_END_DECLS
