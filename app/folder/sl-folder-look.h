/* SPDX-License-Identifier: MIT
 *
 * What lies in a folder now, compared with what was asked about before: by content, so that nothing is asked about twice where a file was
 * renamed or touched, and what was overwritten is asked about again. Any thread; reads the disk.
 */
#pragma once

#include <gio/gio.h>

#include "app/store/sl-records.h"

G_BEGIN_DECLS

/* The record's pictures as they are to be now (transfer full), of SlFolderPictureRecord, in the order of their paths:
 *  - as it was where the file is the same, found again where it is called otherwise;
 *  - waiting where the content is another one, or what could not be read is another file now;
 *  - new ones; and those of which the file is gone though they have been asked about.
 * NULL with error: the folder cannot be read. The record stays as it is. */
GPtrArray *sl_folder_look (const SlFolderRecord *record, GCancellable *cancellable, GError **error);

G_END_DECLS
