/* SPDX-License-Identifier: MIT
 *
 * Shows the licence of a model's weights before Sightline uses them for the first time, and remembers what was accepted.
 * UI thread.
 */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

/* what: the folder or the repository. */
typedef void (*SlLicenceAccepted) (const char *what,
                                   gpointer    data);

/* Calls accepted (dir, data) once the licence of the model in @dir is accepted: at once where it was accepted before or is
 * Sightline's own, else when the user accepts it in a dialog; never, when they decline or close @parent first. destroy (data) comes
 * at the end in any case. Its text is read on a thread of its own. */
void sl_licence_ask (GtkWindow         *parent,
                     const char        *dir,
                     SlLicenceAccepted  accepted,
                     gpointer           data,
                     GDestroyNotify     destroy);

/* The same before anything of a repository is here: accepted (repo, data). deepseek: it is one of DeepSeek's own, whose terms are
 * known; else the address is shown where they stand. */
void sl_licence_ask_repository (GtkWindow         *parent,
                                const char        *repo,
                                const char        *address,
                                gboolean           deepseek,
                                SlLicenceAccepted  accepted,
                                gpointer           data,
                                GDestroyNotify     destroy);

/* Only shows it. */
void sl_licence_show (GtkWindow  *parent,
                      const char *dir);

G_END_DECLS
