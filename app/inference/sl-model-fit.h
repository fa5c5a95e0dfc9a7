/* SPDX-License-Identifier: MIT
 *
 * Whether a model fits this computer, and how, in one sentence for the user, before anything of it is loaded. Called by the model
 * page and by nobody who must not wait for a disk: a thread of GTask's does it. It must not know GTK.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

void sl_model_fit_describe_async (const char *dir, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
/* Owned by the caller; NULL with a sentence if the folder cannot be read. */
char *sl_model_fit_describe_finish (GAsyncResult *result, GError **error);

G_END_DECLS
