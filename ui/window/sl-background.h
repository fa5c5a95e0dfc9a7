/* SPDX-License-Identifier: MIT
 *
 * SlBackground: what the desktop is told about answers: a notification when one ends while the window is not looked at, no
 * suspend while one is made, a word to screen readers. Made by SlApplication, which outlives it; UI thread. It must not know
 * how answers are made.
 */
#pragma once

#include "app/history/sl-history.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_BACKGROUND (sl_background_get_type ())

G_DECLARE_FINAL_TYPE (SlBackground, sl_background, SL, BACKGROUND, GObject)

/* settings: the user's preferences, NULL for the defaults. */
SlBackground *sl_background_new (GtkApplication *application,
                               SlEngine       *engine,
                               SlHistory      *history,
                               GSettings      *settings);

/* Asks the desktop's portal that the program may run without a window. What it answers changes nothing: where it says no, it ends the
 * program some time later, and the download goes on at the next start. */
void sl_background_ask_to_stay (GApplication *application, const char *reason);

G_END_DECLS
