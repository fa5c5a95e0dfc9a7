/* SPDX-License-Identifier: MIT
 *
 * How large the pictures are that a drawing carries inside of itself: librsvg decodes them without asking anybody. Used by the decoder,
 * on its thread. It must not know SlPicture.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* It cannot be told. */
#define SL_PICTURE_EMBEDDED_UNKNOWN G_MAXUINT64

/* Pixels of all pictures in the data: addresses of an SVG text, as their headers announce them, those of drawings inside of it
 * included; counting ends above `enough`. */
guint64 sl_picture_embedded_count_pixels (const char *text,
                                          gsize       size,
                                          guint64     enough);

G_END_DECLS
