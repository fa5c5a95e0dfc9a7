/* SPDX-License-Identifier: MIT
 *
 * SlStoreBar: what is wrong with the history, for as long as it is, and the buttons for what can be done about it. They activate
 * the window's win.store-… actions. UI thread only. It must not know what the actions do.
 */
#pragma once

#include "app/store/sl-store.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_STORE_BAR (sl_store_bar_get_type ())

G_DECLARE_FINAL_TYPE (SlStoreBar, sl_store_bar, SL, STORE_BAR, GtkWidget)

/* Once. */
void sl_store_bar_set_store (SlStoreBar *self,
                             SlStore    *store);

G_END_DECLS
