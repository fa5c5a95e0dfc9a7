/* SPDX-License-Identifier: MIT
 *
 * What helps where a hub gives no access: a button to the page with the publisher's terms, and one for a token. Part of the rows of
 * downloads, hidden otherwise. UI thread.
 */
#pragma once

#include "app/hub/sl-downloads.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_ACCESS_BOX (sl_access_box_get_type ())

G_DECLARE_FINAL_TYPE (SlAccessBox, sl_access_box, SL, ACCESS_BOX, GtkBox)

/* Signal "again" (): there is a token now. */

/* Shows itself if the download failed for want of access. item: NULL where there is none. */
void sl_access_box_update (SlAccessBox    *self,
                           SlDownloads    *downloads,
                           SlDownloadItem *item);

G_END_DECLS
