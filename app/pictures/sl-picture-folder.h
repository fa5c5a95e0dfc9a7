/* SPDX-License-Identifier: MIT
 *
 * What of a folder is taken for its pictures, where somebody gives the folder and means them. Any thread; reads the disk.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Paths (char *) of all that lies in a folder and is not hidden, sub folders too, in the order of the bytes of their names. */
GPtrArray *sl_picture_folder_list (const char *path, GError **error);
/* Whether it is called as pictures are; nothing is opened. */
gboolean sl_picture_folder_takes (const char *path);

G_END_DECLS
