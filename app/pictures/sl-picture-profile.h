/* SPDX-License-Identifier: MIT
 *
 * Colour profiles (ICC.1) of pictures in red, green and blue: taken from what a loader reads, and as a chunk of a PNG. GdkPixbuf 2.42
 * cannot write one: it names the profile before the kind of pixels, for which libpng then takes grey. Pure; any thread.
 */
#pragma once

#include <gdk-pixbuf/gdk-pixbuf.h>

G_BEGIN_DECLS

/* How many bytes of a PNG stand before the first chunk that follows its header. */
#define SL_PNG_HEAD_BYTES 33

/* The profile by which the pixels are meant; NULL where there is none, or one of other colours than red, green and blue: a loader
 * hands over whatever the file says, also for CMYK and grey, which are red, green and blue by then. (transfer full) */
GBytes *sl_picture_profile_read (GdkPixbuf *pixbuf);

/* The chunk that says it, to stand behind the head. (transfer full) */
GBytes *sl_picture_profile_to_chunk (GBytes *profile);

G_END_DECLS
