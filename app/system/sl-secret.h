/* SPDX-License-Identifier: MIT
 *
 * Keys and tokens in the Secret Service (the desktop's keyring): one for each purpose and host, so that none is ever shown to another
 * host. Calls block, and the desktop may ask the user to unlock: worker threads. It must not know what a key is good for.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define SL_SECRET_ENGINE "engine" /* purpose: the key of an engine on a server; host is "host:port" of its address */
#define SL_SECRET_SERVER "server" /* purpose: the key of the window's own server; host is the address that it listens at */
#define SL_SECRET_HUB    "hub"    /* purpose: the token of a model hub */

/* NULL without error where there is none; with a sentence where the keyring does not answer. (transfer full, wiped by sl_secret_free) */
char *sl_secret_lookup (const char *purpose, const char *host, GCancellable *cancellable, GError **error);
/* secret NULL or "": forgets it. label: what the keyring's own program shows. */
gboolean sl_secret_store (const char *purpose, const char *host, const char *label, const char *secret, GCancellable *cancellable,
                          GError **error);
void sl_secret_free (char *secret);

G_END_DECLS
