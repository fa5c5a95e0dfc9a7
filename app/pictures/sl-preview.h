/* SPDX-License-Identifier: MIT
 *
 * SlPreview: a picture's pixels at about the size at which it is shown, and no more. A photograph of 24 megapixels takes 72 MB decoded
 * and half a megabyte as it stands in a conversation; a JPEG is not even decoded at its full size for it. Those that were shown last
 * are kept, up to a number of bytes. Asked for on the UI thread, made on workers of its own. It must not know GTK or where pictures
 * are kept.
 */
#pragma once

#include <gio/gio.h>

#include "app/sl-types.h"

G_BEGIN_DECLS

/* Immutable. */
typedef struct
{
  gatomicrefcount refs;
  GBytes *rgb; /* [height][stride], R G B */
  int width, height;
  gsize stride;
  SlGround ground;
} SlPreview;

SlPreview *sl_preview_ref (SlPreview *self);
void sl_preview_unref (SlPreview *self);

/* Upright and whole, its longer side at least `side` pixels unless the picture itself is smaller. Either the picture's bytes or the
 * path of a file that holds them; sha256 is that of the bytes. name: what the user knows it by, for errors, which are sentences as
 * those of sl-picture.h. */
void sl_preview_load_async (const char *sha256, GBytes *bytes, const char *path, const char *name, int side,
                            GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
SlPreview *sl_preview_load_finish (GAsyncResult *result, GError **error);

/* One that is kept, or NULL. (transfer full) */
SlPreview *sl_preview_lookup (const char *sha256, int side);

/* How many bytes are kept for those that may be shown again. */
gsize sl_preview_get_kept_bytes (void);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlPreview, sl_preview_unref)

G_END_DECLS
