/* SPDX-License-Identifier: MIT
 *
 * Shows the licence of a model's weights before Sightline uses them for the first time, and remembers what was accepted.
 * UI thread.
 */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

typedef void (*SlLicenceAccepted) (GtkWindow  *parent,
                                   const char *dir);

/* Calls accepted (parent, dir) once the licence of the model in @dir is accepted: at once where it was accepted before or is
 * Sightline's own, else when the user accepts it in a dialog; never, when they decline. */
void sl_licence_ask (GtkWindow         *parent,
                     const char        *dir,
                     SlLicenceAccepted  accepted);

/* Only shows it. */
void sl_licence_show (GtkWindow  *parent,
                      const char *dir);

G_END_DECLS
