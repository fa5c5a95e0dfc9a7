/* SPDX-License-Identifier: MIT
 *
 * SlSearchProvider: conversations in the search of GNOME Shell: org.gnome.Shell.SearchProvider2 on the session bus. Made by the
 * application while it registers, given the history at startup. UI thread. Choosing a result activates the application's actions
 * "open-conversation" (x) and "search" (s). It must not know GTK.
 */
#pragma once

#include "app/history/sl-history.h"

G_BEGIN_DECLS

#define SL_TYPE_SEARCH_PROVIDER (sl_search_provider_get_type ())
G_DECLARE_FINAL_TYPE (SlSearchProvider, sl_search_provider, SL, SEARCH_PROVIDER, GObject)

/* application: held while a search runs; not owned. */
SlSearchProvider *sl_search_provider_new (GApplication *application);
/* Searches before this find nothing. */
void sl_search_provider_set_history (SlSearchProvider *self, SlHistory *history);

/* path: the ObjectPath of data/…search-provider.ini.in. */
gboolean sl_search_provider_export (SlSearchProvider *self, GDBusConnection *connection, const char *path, GError **error);
void sl_search_provider_unexport (SlSearchProvider *self);

G_END_DECLS
