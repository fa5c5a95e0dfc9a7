/* SPDX-License-Identifier: MIT
 *
 * What a conversation without messages shows: how to begin, and sample cards
 * that do the whole job with one click. Owned by SlWindow; UI thread only.
 */
#pragma once

#include "ui/chat/sl-sample.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_EMPTY_STATE (sl_empty_state_get_type ())

G_DECLARE_FINAL_TYPE (SlEmptyState, sl_empty_state, SL, EMPTY_STATE, GtkWidget)

/* Signal: "sample" (gpointer SlSample, valid during the call). */

void sl_empty_state_set_samples (SlEmptyState *self,
                                 GPtrArray    *samples);

/* The samples fit the demo model; others know more than they show. */
void sl_empty_state_set_samples_visible (SlEmptyState *self,
                                         gboolean      visible);

/* FALSE: another computer answers, so that the promise that nothing leaves this one does not hold. */
void sl_empty_state_set_local (SlEmptyState *self,
                               gboolean      local);

G_END_DECLS
