/* SPDX-License-Identifier: MIT
 *
 * SlRemoteEngine: an engine on a server as an answerer of conversations. Each answer has a thread and a connection of its own, so that
 * none waits for another here; the server has its own queue. The key is looked up in the keyring by the thread. UI thread. It must not
 * know conversations or the list that it stands in.
 */
#pragma once

#include "app/inference/sl-answerer.h"
#include "app/remote/sl-remote-server.h"

G_BEGIN_DECLS

#define SL_TYPE_REMOTE_ENGINE (sl_remote_engine_get_type ())
G_DECLARE_FINAL_TYPE (SlRemoteEngine, sl_remote_engine, SL, REMOTE_ENGINE, GObject)

/* Property: "server" (notify when it was changed; no value). References the server, which nobody changes any more. */
SlRemoteEngine *sl_remote_engine_new (SlRemoteServer *server);

SlRemoteServer *sl_remote_engine_get_server (SlRemoteEngine *self);
/* From the next answer on. The id stays. */
void sl_remote_engine_set_server (SlRemoteEngine *self, SlRemoteServer *server);

G_END_DECLS
