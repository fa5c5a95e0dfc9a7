/* SPDX-License-Identifier: MIT
 *
 * The one place that calls what GTK and libadwaita gained after the oldest versions that Sightline builds with (the pins in
 * meson.build). Each function does nothing, or the older thing, where the library at hand is older. UI thread.
 */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

/* Lets a screen reader say the sentence without moving the focus. Before GTK 4.14 there is no such call; the status line under
 * an answer says the same to those who go there. */
static inline void
sl_newer_announce (GtkWidget  *widget,
                   const char *sentence)
{
#if GTK_CHECK_VERSION(4, 14, 0)
  G_GNUC_BEGIN_IGNORE_DEPRECATIONS
  gtk_accessible_announce (GTK_ACCESSIBLE (widget), sentence, GTK_ACCESSIBLE_ANNOUNCEMENT_PRIORITY_MEDIUM);
  G_GNUC_END_IGNORE_DEPRECATIONS
#endif
}

G_END_DECLS
