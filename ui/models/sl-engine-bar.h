/* SPDX-License-Identifier: MIT
 *
 * SlEngineBar: the line that says at all times that a conversation's questions and pictures leave this computer, and to where. It is
 * not there while this computer answers. Its menu chooses another engine by the window's action "win.engine". UI thread.
 */
#pragma once

#include <gtk/gtk.h>

#include "app/remote/sl-remotes.h"

G_BEGIN_DECLS

#define SL_TYPE_ENGINE_BAR (sl_engine_bar_get_type ())
G_DECLARE_FINAL_TYPE (SlEngineBar, sl_engine_bar, SL, ENGINE_BAR, GtkWidget)

/* engine: NULL for this computer. */
void sl_engine_bar_set_engine (SlEngineBar *self, SlRemoteEngine *engine);
void sl_engine_bar_set_menu (SlEngineBar *self, GMenuModel *menu);

/* "This Computer", every engine of the list (borrowed, followed), and the way to the preferences: what "win.engine" takes. */
GMenu *sl_engine_menu_new (SlRemotes *remotes);

G_END_DECLS
