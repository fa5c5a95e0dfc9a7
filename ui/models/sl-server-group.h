/* SPDX-License-Identifier: MIT
 *
 * SlServerGroup: the part of the preferences where other programs are let in: a switch, the port, and what a program needs to be told,
 * with buttons that copy it. UI thread.
 */
#pragma once

#include <adwaita.h>

#include "app/server/sl-server-switch.h"

G_BEGIN_DECLS

#define SL_TYPE_SERVER_GROUP (sl_server_group_get_type ())
G_DECLARE_FINAL_TYPE (SlServerGroup, sl_server_group, SL, SERVER_GROUP, AdwPreferencesGroup)

GtkWidget *sl_server_group_new (SlServerSwitch *server);

G_END_DECLS
