/* SPDX-License-Identifier: MIT
 *
 * SlServerSwitch: the server of a program with a window: on or off, at this computer only, with a key that is made here and kept in the
 * keyring. It shares the window's engine, behind what the window asks. When it is switched off, answers that were begun end. Lives on
 * the thread of its engine and never waits: the keyring is asked by a worker. It must not know GTK or settings.
 */
#pragma once

#include "app/server/sl-server.h"

G_BEGIN_DECLS

#define SL_TYPE_SERVER_SWITCH (sl_server_switch_get_type ())
G_DECLARE_FINAL_TYPE (SlServerSwitch, sl_server_switch, SL, SERVER_SWITCH, GObject)

/* Properties (all notify): "on" (gboolean, read and write), "port" (guint, read and write: from now on); read-only: "address"
 * ("http://127.0.0.1:8080/v1"; NULL while nobody listens), "key" (NULL until it is known), "key-is-kept" (gboolean: the next run will have
 * the same), "status" (a translated sentence, "" while it is off), "failed" (gboolean: it is on and cannot listen; status says why). */
SlServerSwitch *sl_server_switch_new (SlEngine *engine); /* off, port 8080 */

void sl_server_switch_set_on (SlServerSwitch *self, gboolean on);
/* The old one is good for nothing any more. */
void sl_server_switch_renew_key (SlServerSwitch *self);
/* At the end of the program: what is being answered is broken off. */
void sl_server_switch_close (SlServerSwitch *self);

G_END_DECLS
