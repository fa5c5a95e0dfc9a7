/* SPDX-License-Identifier: MIT
 *
 * The preferences window: which model is loaded at start and what the loaded one
 * is. UI thread only.
 */
#pragma once

#include "app/sl-engine.h"
#include "app/sl-models.h"

#include <adwaita.h>

G_BEGIN_DECLS

/* Choosing activates the actions of the window that it is transient for. */
GtkWidget *sl_preferences_new (SlEngine *engine,
                               SlModels *models);

G_END_DECLS
