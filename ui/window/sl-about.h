/* SPDX-License-Identifier: MIT
 *
 * The About window with the licences of what Sightline is made of, and the way to the user guide. UI thread.
 */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

/* parent may be NULL. */
void sl_about_show (GtkWindow *parent);

/* Opens the user guide in the browser, in the user's language where it is written in it. page: a file of
 * docs/guide/en without its ending ("models", "gpu"), NULL for the first. */
void sl_about_show_guide (GtkWindow  *parent,
                          const char *page);

G_END_DECLS
