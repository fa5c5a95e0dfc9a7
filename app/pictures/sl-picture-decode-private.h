/* SPDX-License-Identifier: MIT
 *
 * What the wait for a picture (sl-picture-decode.c) and the decoding (sl-picture-decode-run.c) share.
 */
#pragma once

#include "app/pictures/sl-picture-format.h"
#include "app/pictures/sl-picture-private.h"
#include "app/pictures/sl-picture-svg.h"
#include "app/pictures/sl-picture-tiff.h"

G_BEGIN_DECLS

/* Shared by the caller, who waits, and the decoding thread, which may outlive the wait. */
typedef struct
{
  gatomicrefcount  refs;
  GBytes          *bytes;
  char            *name;
  SlPictureFormat  format;
  gboolean         on_white;
  int              side;     /* of a small copy, 0: all pixels */
  SlPictureLimits  limits;
  gint64           deadline; /* monotonic */
  gint             stop;     /* atomic: nobody waits any more */

  GMutex           lock;
  GCond            cond;
  gboolean         done;     /* lock */
  SlPicture       *result;   /* lock */
  GError          *error;    /* lock */

  /* of the decoding thread */
  SlPictureEdit    edits[2];       /* what the loader is given otherwise than it stands in the file */
  guint            n_edits;
  SlPictureAlpha   alpha;
  SlPictureTiff    tiff;           /* of a TIFF */
  guint64          refused_pixels; /* 0: the size is allowed */
  int              header_width;
  int              header_height;
  GBytes          *profile;        /* of sl_picture_get_profile() */
  gboolean         turned; /* by its EXIF orientation */
  gboolean         endless; /* a JPEG without its end mark */
} SlPictureDecode;

/* On the decoding thread. NULL, with one sentence, also where nobody waits any more. */
SlPicture *sl_picture_decode_run (SlPictureDecode *decode, GError **error);

G_END_DECLS
