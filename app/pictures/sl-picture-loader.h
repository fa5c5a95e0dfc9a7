/* SPDX-License-Identifier: MIT
 *
 * What this system's GdkPixbuf loaders do by themselves, found out by trying. Only sl-picture-decode.c uses it, on any thread.
 */
#pragma once

#include <glib.h>

#include "app/pictures/sl-picture-format.h"

G_BEGIN_DECLS

/* Does the loader turn a png or webp picture upright by its EXIF orientation and not leave that to its caller? The builtin png loader
 * and webp-pixbuf-loader do not; a GdkPixbuf whose pictures come from another library may. Tried once for each format. */
gboolean sl_picture_loader_turns (SlPictureFormat  format);

/* Whether a picture of 2 × 1 pixels that is to be turned by a quarter comes out as 1 × 2. FALSE also where it does not load. */
gboolean sl_picture_loader_turns_this (const char   *mime_type,
                                       const guint8 *data,
                                       gsize         size);

G_END_DECLS
