/* SPDX-License-Identifier: MIT
 *
 * SlEnginePage: the page of the preferences with the engines that can be asked: this computer, and those on servers; and with what lets
 * other programs ask this one. UI thread.
 */
#pragma once

#include <adwaita.h>

#include "app/remote/sl-remotes.h"
#include "app/server/sl-server-switch.h"

G_BEGIN_DECLS

#define SL_TYPE_ENGINE_PAGE (sl_engine_page_get_type ())
G_DECLARE_FINAL_TYPE (SlEnginePage, sl_engine_page, SL, ENGINE_PAGE, AdwPreferencesPage)

/* server: of this computer's model, for other programs. */
GtkWidget *sl_engine_page_new (SlRemotes *remotes, SlServerSwitch *server);

G_END_DECLS
