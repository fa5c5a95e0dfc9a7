/* SPDX-License-Identifier: MIT
 *
 * Asks for another name of something: a conversation, a box; or, where it begins empty, for the first one. UI thread.
 */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

/* name: as it was typed, maybe empty. */
typedef void (*SlRenamed) (GtkWindow  *parent,
                           const char *name,
                           gpointer    data);

/* A dialog over @parent that begins with @name; @what says to a screen reader what is being typed. renamed (parent, name, data) comes
 * when the user accepts; destroy (data) at the end in any case. */
void sl_rename_ask (GtkWindow      *parent,
                    const char     *heading,
                    const char     *what,
                    const char     *name,
                    SlRenamed       renamed,
                    gpointer        data,
                    GDestroyNotify  destroy);

G_END_DECLS
