/* SPDX-License-Identifier: MIT
 *
 * SlPicture: one picture, untouched bytes and upright RGB8 pixels together, immutable and usable from any thread.
 * The one decode function of Sightline: what the model sees, what the window shows and what an export draws on are
 * the same pixels. Called by everything that imports pictures (window, command line, history).
 * It must not know GTK, the engine, or where pictures are kept.
 */
#pragma once

#include <gio/gio.h>

#include "app/sl-types.h"

G_BEGIN_DECLS

#define SL_TYPE_PICTURE (sl_picture_get_type ())
G_DECLARE_FINAL_TYPE (SlPicture, sl_picture, SL, PICTURE, GObject)

#define SL_PICTURE_ERROR (sl_picture_error_quark ())
GQuark sl_picture_error_quark (void);

/* Every message is one translated sentence that names the picture and the reason. A cancelled call gives
 * G_IO_ERROR_CANCELLED. */
typedef enum
{
  SL_PICTURE_ERROR_READ,         /* the file cannot be read */
  SL_PICTURE_ERROR_FORMAT,       /* not a picture, or a format that is not supported here */
  SL_PICTURE_ERROR_BROKEN,       /* truncated or damaged */
  SL_PICTURE_ERROR_TOO_LARGE,    /* over a limit: pixels (from the header, before decoding) or bytes */
  SL_PICTURE_ERROR_TOO_SLOW,     /* decoding ran into the deadline */
  SL_PICTURE_ERROR_MEMORY,
} SlPictureError;

/* What one decode may cost. */
typedef struct
{
  guint64 max_pixels;  /* width × height as the header says it */
  guint64 max_bytes;   /* of the file */
  gint64  deadline_us; /* from the start of the call */
} SlPictureLimits;

/* 256,000,000 pixels, 1 GiB, 30 s. */
extern const SlPictureLimits sl_picture_default_limits;

/* Decodes png, jpeg, webp, tiff, gif (first frame), bmp, svg, and heic/avif where a GdkPixbuf loader is installed.
 * `name` is what the user knows the picture by (a file name), used in errors and as sl_picture_get_name().
 *
 * Pixels: the EXIF orientation is applied, alpha is dropped without compositing (as PIL's convert("RGB")), 16-bit and
 * CMYK pictures become 8-bit RGB as GdkPixbuf does it; colours that a TIFF, HEIC or AVIF file holds multiplied by alpha are divided by
 * it first, rounded down as Pillow does it. Only for svg, which has no pixels behind its transparency, the ground is white. An svg
 * without a size is 300 × 150, one larger than 4096 on its longer side is rendered at that size, and nothing outside its own bytes
 * is loaded: the loader is given no base URI, so file and network references stay empty. docs/pictures.md has the table.
 *
 * Blocks at most until the deadline of the limits. `cancellable` may be NULL. */
SlPicture *sl_picture_new_from_bytes (GBytes       *bytes,
                                      const char   *name,
                                      GCancellable *cancellable,
                                      GError      **error);
SlPicture *sl_picture_new_from_file  (GFile        *file,
                                      GCancellable *cancellable,
                                      GError      **error);
/* As sl_picture_new_from_bytes() with limits of the caller's own. */
SlPicture *sl_picture_new_with_limits (GBytes                *bytes,
                                       const char            *name,
                                       const SlPictureLimits *limits,
                                       GCancellable          *cancellable,
                                       GError               **error);

/* The same on the decode pool (two workers for the whole process); the callback runs in the caller's main context. */
void       sl_picture_new_from_bytes_async (GBytes              *bytes,
                                            const char          *name,
                                            GCancellable        *cancellable,
                                            GAsyncReadyCallback  callback,
                                            gpointer             user_data);
void       sl_picture_new_from_file_async  (GFile               *file,
                                            GCancellable        *cancellable,
                                            GAsyncReadyCallback  callback,
                                            gpointer             user_data);
/* Finishes both. */
SlPicture *sl_picture_new_finish           (GAsyncResult        *result,
                                            GError             **error);

/* Raw pixels from another program (a dropped or pasted texture): R, G, B, A bytes, not premultiplied, rows `stride`
 * bytes apart. The original bytes of the new picture are a PNG of them, alpha kept. */
SlPicture *sl_picture_new_from_rgba (const guint8 *rgba,
                                     int           width,
                                     int           height,
                                     gsize         stride,
                                     const char   *name,
                                     GError      **error);

/* The same of pixels that were another picture's, whose colour profile theirs is. */
SlPicture *sl_picture_new_part      (SlPicture    *of,
                                     const guint8 *rgba,
                                     int           width,
                                     int           height,
                                     gsize         stride,
                                     const char   *name,
                                     GError      **error);

/* What is transparent laid over white: a picture of its own, whose bytes are a PNG without alpha, so that its SHA-256, what is stored,
 * what a cache knows it by and what an export copies are those of the pixels that the model sees. One that is opaque comes back as it
 * is. Blocks as decoding does, and as long as the PNG takes. */
SlPicture *sl_picture_new_on_white       (SlPicture           *picture,
                                          GCancellable        *cancellable,
                                          GError             **error);
/* The same on a worker, of a picture that is transparent: its bytes, or NULL and the path of the file that holds them. Finished by
 * sl_picture_new_finish(). */
void       sl_picture_new_on_white_async (GBytes              *bytes,
                                          const char          *path,
                                          const char          *name,
                                          GCancellable        *cancellable,
                                          GAsyncReadyCallback  callback,
                                          gpointer             user_data);

/* All borrowed, valid as long as the picture. */
GBytes       *sl_picture_get_bytes     (SlPicture *self); /* as they came */
const char   *sl_picture_get_sha256    (SlPicture *self); /* of the bytes, 64 lower-case hex digits */
const char   *sl_picture_get_mime_type (SlPicture *self); /* "image/png" */
const char   *sl_picture_get_extension (SlPicture *self); /* "png", without a dot */
const char   *sl_picture_get_name      (SlPicture *self); /* never NULL, valid UTF-8 */
/* The bytes hold it turned or mirrored, as an EXIF orientation says: readers without EXIF see it differently. */
gboolean      sl_picture_get_turned    (SlPicture *self);
/* Every reader of the format opens the bytes and sees what is seen here: neither turned, nor a JPEG without its end mark. */
gboolean      sl_picture_get_plain     (SlPicture *self);
/* Some of its pixels are transparent to other programs; their colours are shown here, and seen by the model. */
gboolean      sl_picture_get_transparent (SlPicture *self);
/* It was such a picture and lies on white now, also when it was stored and read again. */
gboolean      sl_picture_get_on_white  (SlPicture *self);
/* The file that sl_picture_new_on_white() made it from; NULL for every other picture, also for one that was stored and read again. */
GBytes       *sl_picture_get_source    (SlPicture *self);
/* The ICC profile by which other programs show the colours; NULL: there is none, or none for red, green and blue. It is not applied
 * here, as in the official pipeline, and goes along into what is made of the picture. */
GBytes       *sl_picture_get_profile   (SlPicture *self);
SlGround      sl_picture_get_ground    (SlPicture *self); /* the two in one */
int           sl_picture_get_width     (SlPicture *self); /* upright pixels */
int           sl_picture_get_height    (SlPicture *self);
gsize         sl_picture_get_stride    (SlPicture *self); /* bytes from row to row */
const guint8 *sl_picture_get_rgb       (SlPicture *self); /* [height][stride], R G B */
GBytes       *sl_picture_get_rgb_bytes (SlPicture *self); /* the same memory, for a GdkMemoryTexture (R8G8B8) */

G_END_DECLS
