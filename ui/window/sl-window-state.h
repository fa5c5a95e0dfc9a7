/* SPDX-License-Identifier: MIT
 *
 * What the window remembers between runs: size, sidebar, mode, the conversation
 * that was shown. A small key file beside the model choice; losing it costs
 * nothing, so nothing is reported. UI thread; no widgets.
 */
#pragma once

#include "app/prompt/sl-mode.h"

G_BEGIN_DECLS

typedef struct
{
  int width, height;
  gboolean maximized;
  gboolean sidebar;
  SlMode mode;
  gint64 conversation; /* 0 for none */
} SlWindowState;

void sl_window_state_load (SlWindowState *state);
void sl_window_state_save (const SlWindowState *state);
/* The same on a worker thread: returns at once. */
void sl_window_state_save_soon (const SlWindowState *state);

G_END_DECLS
