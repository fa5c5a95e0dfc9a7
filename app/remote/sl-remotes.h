/* SPDX-License-Identifier: MIT
 *
 * SlRemotes: the engines on servers that the user has described: a GListModel of SlRemoteEngine, kept in engines.ini beside the other
 * choices ($XDG_CONFIG_HOME/io.github.sightline.Sightline/, tests: $SIGHTLINE_CONFIG_DIR). Keys are not in it. UI thread.
 */
#pragma once

#include "app/remote/sl-remote-engine.h"

G_BEGIN_DECLS

#define SL_TYPE_REMOTES (sl_remotes_get_type ())
G_DECLARE_FINAL_TYPE (SlRemotes, sl_remotes, SL, REMOTES, GObject)

/* Signal: edited ()  one of them is called or described otherwise now. */
SlRemotes *sl_remotes_new (void);
/* NULL if there is none with this id (any more). Borrowed. */
SlRemoteEngine *sl_remotes_find (SlRemotes *self, const char *id);
/* Adds the server, or changes the engine with its id. FALSE with the reason where it cannot be written: it then holds for this run. */
gboolean sl_remotes_put (SlRemotes *self, SlRemoteServer *server, GError **error);
gboolean sl_remotes_remove (SlRemotes *self, const char *id, GError **error);

G_END_DECLS
