/* SPDX-License-Identifier: MIT
 *
 * What the parts of SlPicture share: the object's fields and the decoder. Included by sl-picture.c and sl-picture-decode.c only.
 */
#pragma once

#include <gdk-pixbuf/gdk-pixbuf.h>

#include "app/pictures/sl-picture.h"

G_BEGIN_DECLS

/* Read and decoded at a time; between two of them a caller's wish to stop is heard. */
#define SL_PICTURE_CHUNK_BYTES (64 * 1024)

struct _SlPicture
{
  GObject  parent_instance;

  GBytes  *bytes;
  GBytes  *rgb;
  char    *name;
  char    *sha256;
  const char *mime_type;  /* static */
  const char *extension;  /* static */
  gsize    stride;
  int      width;
  int      height;
  gboolean turned;
};

/* Whole bytes to a picture, or NULL with one sentence. Blocks until the deadline of the limits at most; any thread.
 * `name` is valid UTF-8. */
SlPicture *sl_picture_decode (GBytes                 *bytes,
                              const char             *name,
                              const SlPictureLimits  *limits,
                              GCancellable           *cancellable,
                              GError                **error);

/* RGB8 of the pixbuf into `self`, whose size it sets; the pixbuf's own memory where it is RGB already. Alpha is dropped, or laid over
 * white. FALSE: no memory. */
gboolean   sl_picture_take_pixels (SlPicture *self,
                                   GdkPixbuf *pixbuf,
                                   gboolean   over_white);

/* Sentences that both parts say. */
void       sl_picture_set_too_many_pixels (const char             *name,
                                           guint                   width,
                                           guint                   height,
                                           const SlPictureLimits  *limits,
                                           GError                **error);
void       sl_picture_set_no_memory       (const char             *name,
                                           GError                **error);

G_END_DECLS
