/* SPDX-License-Identifier: MIT
 *
 * What of a folder is taken for its pictures, where somebody gives the folder and means them. Any thread; reads the disk.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Paths (char *) of all that lies in a folder and is not hidden, sub folders too, in the order of the bytes of their names. */
GPtrArray *sl_picture_folder_list (const char *path, GError **error);
/* What of it is for nobody. */
typedef struct
{
  gsize n_folders; /* sub folders that were not looked into */
  gsize n_others;  /* files that are not called as pictures are */
} SlPictureFolderRest;

/* Paths (char *) of the pictures in a folder, in the same order; recursive: of its sub folders too, where no link leads to them. Not
 * looked into: the folder `except`, NULL for none. rest: may be NULL. */
GPtrArray *sl_picture_folder_find (const char *path, gboolean recursive, const char *except, SlPictureFolderRest *rest,
                                   GCancellable *cancellable, GError **error);
/* Whether it is called as pictures are; nothing is opened. */
gboolean sl_picture_folder_takes (const char *path);

G_END_DECLS
