/* SPDX-License-Identifier: MIT
 *
 * SlEnginePage: the page of the preferences with the engines that can be asked: this computer, and those on servers. UI thread.
 */
#pragma once

#include <adwaita.h>

#include "app/remote/sl-remotes.h"

G_BEGIN_DECLS

#define SL_TYPE_ENGINE_PAGE (sl_engine_page_get_type ())
G_DECLARE_FINAL_TYPE (SlEnginePage, sl_engine_page, SL, ENGINE_PAGE, AdwPreferencesPage)

GtkWidget *sl_engine_page_new (SlRemotes *remotes);

G_END_DECLS
