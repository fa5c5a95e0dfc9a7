/* SPDX-License-Identifier: MIT
 *
 * What the parts of SlPicture share: the object's fields and the decoder. Included by sl-picture*.c only.
 */
#pragma once

#include <gdk-pixbuf/gdk-pixbuf.h>

#include "app/pictures/sl-picture.h"

G_BEGIN_DECLS

/* Read and decoded at a time; between two of them a caller's wish to stop is heard. */
#define SL_PICTURE_CHUNK_BYTES (64 * 1024)

/* A text in the PNG of a picture that was laid over white: what lies under it. */
#define SL_PICTURE_GROUND "Ground"

struct _SlPicture
{
  GObject  parent_instance;

  GBytes  *bytes;
  GBytes  *rgb;
  GBytes  *source;        /* the file that was laid over white, or NULL */
  char    *name;
  char    *sha256;
  GBytes  *profile;       /* of sl_picture_get_profile() */
  const char *mime_type;  /* static */
  const char *extension;  /* static */
  gsize    stride;
  int      width;
  int      height;
  gboolean turned;
  gboolean endless; /* a JPEG without its end mark */
  gboolean transparent;
  gboolean on_white;
};

/* What the fourth byte of a loader's pixels is. */
typedef enum
{
  SL_PICTURE_ALPHA_NONE,       /* not transparency, whatever the loader calls it */
  SL_PICTURE_ALPHA_STRAIGHT,
  SL_PICTURE_ALPHA_MULTIPLIED, /* the colours are multiplied by it */
} SlPictureAlpha;

/* Whole bytes to a picture, or NULL with one sentence. Blocks until the deadline of the limits at most; any thread.
 * `name` is valid UTF-8. on_white: what is transparent is laid over white; the bytes stay those of the file. side: 0, or the longer
 * side of a small copy: a JPEG is decoded at about that size, and no hash is taken. */
SlPicture *sl_picture_decode (GBytes                 *bytes,
                              const char             *name,
                              gboolean                on_white,
                              int                     side,
                              const SlPictureLimits  *limits,
                              GCancellable           *cancellable,
                              GError                **error);

/* A regular file's bytes, within the default limits. Blocks; any thread. */
GBytes    *sl_picture_read_file (GFile         *file,
                                 const char    *name,
                                 GCancellable  *cancellable,
                                 GError       **error);

/* RGB8 of the pixbuf into `self`, whose size it sets, and whether any of it is transparent; the pixbuf's own memory where it is RGB
 * already. Alpha is dropped, or laid over white. FALSE: no memory. */
gboolean   sl_picture_take_pixels (SlPicture      *self,
                                   GdkPixbuf      *pixbuf,
                                   SlPictureAlpha  alpha,
                                   gboolean        on_white);

/* What a worker is to read: bytes, or else a file. */
typedef struct
{
  GBytes *bytes;
  GFile  *file;
  char   *name;
} SlPictureImport;

void       sl_picture_import_free (gpointer import);

/* Sentences that several parts say. */
void       sl_picture_set_too_many_pixels (const char             *name,
                                           guint                   width,
                                           guint                   height,
                                           const SlPictureLimits  *limits,
                                           GError                **error);
void       sl_picture_set_no_memory       (const char             *name,
                                           GError                **error);

G_END_DECLS
