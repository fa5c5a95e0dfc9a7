/* SPDX-License-Identifier: MIT
 *
 * See sl-plan.h.
 */
#include "app/prompt/sl-plan.h"

SlPlan *
sl_plan_new (void)
{
  SlPlan *self = g_new0 (SlPlan, 1);

  self->messages = g_array_new (FALSE, TRUE, sizeof (SlPlanMessage));
  self->pictures = g_array_new (FALSE, TRUE, sizeof (SlPlanPicture));
  return self;
}

void
sl_plan_free (SlPlan *self)
{
  if (self == NULL)
    return;
  g_array_unref (self->messages);
  g_array_unref (self->pictures);
  g_free (self);
}
