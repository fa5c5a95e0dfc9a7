/* SPDX-License-Identifier: MIT
 *
 * SlEngineDialog: describes an engine on a server: kind, address, key (kept in the keyring, never in a file), model, what its boxes'
 * numbers are; and checks it with a drawn picture. UI thread.
 */
#pragma once

#include <adwaita.h>

#include "app/remote/sl-remotes.h"

G_BEGIN_DECLS

#define SL_TYPE_ENGINE_DIALOG (sl_engine_dialog_get_type ())
G_DECLARE_FINAL_TYPE (SlEngineDialog, sl_engine_dialog, SL, ENGINE_DIALOG, AdwWindow)

/* server: the one to change, NULL for a new one. */
GtkWidget *sl_engine_dialog_new (SlRemotes *remotes, const SlRemoteServer *server);

G_END_DECLS
