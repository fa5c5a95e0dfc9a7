/* SPDX-License-Identifier: MIT
 *
 * Asks for the access token of a model hub and keeps it in the desktop's keyring, for that host alone; or forgets it. Nothing else sees
 * or stores it. UI thread; the keyring is asked on another.
 */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

/* endpoint: of the hub. kept (may be NULL) is called with data once a token is kept, destroy at the end of it all. */
void sl_token_dialog_show (GtkWindow      *parent,
                           const char     *endpoint,
                           void          (*kept) (gpointer data),
                           gpointer        data,
                           GDestroyNotify  destroy);

G_END_DECLS
