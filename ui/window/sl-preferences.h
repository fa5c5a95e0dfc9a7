/* SPDX-License-Identifier: MIT
 *
 * The preferences window: general switches, models, engines, diagnostics. UI thread.
 */
#pragma once

#include "app/inference/sl-engine.h"
#include "app/inference/sl-models.h"
#include "app/remote/sl-remotes.h"
#include "app/server/sl-server-switch.h"

#include <adwaita.h>

G_BEGIN_DECLS

#define SL_TYPE_PREFERENCES (sl_preferences_get_type ())

G_DECLARE_FINAL_TYPE (SlPreferences, sl_preferences, SL, PREFERENCES, AdwPreferencesWindow)

/* Loading activates an action of the window that it is transient for. page: "general", "models", "engines" or "diagnostics". */
GtkWidget *sl_preferences_new (SlEngine       *engine,
                               SlModels       *models,
                               SlRemotes      *remotes,
                               SlServerSwitch *server,
                               const char     *page);

G_END_DECLS
