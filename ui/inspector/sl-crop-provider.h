/* SPDX-License-Identifier: MIT
 *
 * SlCropProvider: a piece of a picture as a file that other programs are given, in a drag. The file is written when the first of them
 * asks for it, on a thread, and the one who asked is answered when it is whole; nothing is written where none asks. UI thread.
 */
#pragma once

#include "app/pictures/sl-picture.h"

#include <gdk/gdk.h>

G_BEGIN_DECLS

#define SL_TYPE_CROP_PROVIDER (sl_crop_provider_get_type ())

G_DECLARE_FINAL_TYPE (SlCropProvider, sl_crop_provider, SL, CROP_PROVIDER, GdkContentProvider)

/* area: whole pixels inside of the picture, at least one. The file is called after label (its first characters) and number, in a
 * folder of this program's; no two providers of a run have the same. */
GdkContentProvider *sl_crop_provider_new (SlPicture               *picture,
                                          const cairo_rectangle_t *area,
                                          const char              *label,
                                          int                      number);

/* Removes the files, also those of a run that crashed: they show what a deleted conversation may have shown. */
void sl_crop_provider_forget_files (void);

G_END_DECLS
