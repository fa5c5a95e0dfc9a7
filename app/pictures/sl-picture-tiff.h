/* SPDX-License-Identifier: MIT
 *
 * What the first directory of a TIFF or BigTIFF says about its channels, where the loader would change them without a word or fails
 * without a reason. Only sl-picture-decode.c uses it, on any thread. It must not decode pixels.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum
{
  SL_TIFF_ALPHA_NONE,
  SL_TIFF_ALPHA_UNSPECIFIED, /* a fourth channel that is no transparency, as far as the file says */
  SL_TIFF_ALPHA_ASSOCIATED,  /* the colours are multiplied by it */
  SL_TIFF_ALPHA_STRAIGHT,    /* they are not */
} SlTiffAlpha;

typedef struct
{
  SlTiffAlpha alpha;    /* of the first extra channel, which is the one that loaders look at */
  gsize       alpha_at; /* the byte of the file that says so; 0 without one */
  guint       bits;     /* of the first channel */
  gboolean    floating; /* its numbers are floating point */
  gboolean    colours;  /* RGB, as against grey, palettes, CMYK, Lab … */
} SlPictureTiff;

/* FALSE if the directory does not lie inside of the file. Every read is bounded by the size given. */
gboolean sl_picture_tiff_read (const guint8  *data,
                               gsize          size,
                               SlPictureTiff *tiff);

G_END_DECLS
