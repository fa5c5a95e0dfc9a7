/* SPDX-License-Identifier: MIT
 *
 * Work on a model's folder as a row: what is done, how far it is, Cancel, and what came of it. Made by SlModelRow. UI thread.
 */
#pragma once

#include "app/inference/sl-model-work.h"

#include <adwaita.h>

G_BEGIN_DECLS

#define SL_TYPE_WORK_ROW (sl_work_row_get_type ())

G_DECLARE_FINAL_TYPE (SlWorkRow, sl_work_row, SL, WORK_ROW, AdwPreferencesRow)

/* Signal "delete-original" (): its button, which is there when a model of one's own was quantised and the new one is right. */

/* work: NULL hides it. original: the folder that was quantised may be deleted here. */
void sl_work_row_set_work (SlWorkRow   *self,
                           SlModelWork *work,
                           gboolean     original);

G_END_DECLS
