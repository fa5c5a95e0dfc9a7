/* SPDX-License-Identifier: MIT
 *
 * How much of the context a question would take, as a small bar with the numbers in its
 * tooltip and name. Shows a plan that somebody else made (sl-window-plan.c). UI thread
 * only.
 */
#pragma once

#include "app/prompt/sl-plan.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_CONTEXT_METER (sl_context_meter_get_type ())

G_DECLARE_FINAL_TYPE (SlContextMeter, sl_context_meter, SL, CONTEXT_METER, GtkWidget)

GtkWidget *sl_context_meter_new      (void);
/* @plan NULL: nothing is known, nothing is shown. */
void       sl_context_meter_set_plan (SlContextMeter *self,
                                      const SlPlan   *plan);

G_END_DECLS
