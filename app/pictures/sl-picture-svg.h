/* SPDX-License-Identifier: MIT
 *
 * The root element of a drawing, read without a parser: is it an svg element, and how large does it say that it is? Only the decoder
 * and sl-picture-format.c use it, on any thread. It must not render.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* A drawing that gives no size gets the one that CSS gives to what has none of its own. */
#define SL_PICTURE_SVG_DEFAULT_WIDTH  "300"
#define SL_PICTURE_SVG_DEFAULT_HEIGHT "150"

/* What a loader is given instead of `skip` bytes at `at` of the file. */
typedef struct
{
  gsize at;
  gsize skip;
  gsize length; /* of text */
  char  text[24];
} SlPictureEdit;

/* Is the root element of this XML text an svg element, with or without a namespace prefix? */
gboolean sl_picture_svg_sniff     (const char    *text,
                                   gsize          length);

/* The edits, in their order, that give the drawing its width and height where they are left out, automatic or a share of what is
 * around it, and no viewBox says them. Their number, 0 … 2. */
guint    sl_picture_svg_size_edits (const char    *text,
                                    gsize          length,
                                    SlPictureEdit  edits[2]);

G_END_DECLS
