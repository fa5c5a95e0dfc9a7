/* SPDX-License-Identifier: MIT
 *
 * The interface's type and its calls. UI thread.
 */
#include "app/inference/sl-answerer.h"

G_DEFINE_INTERFACE (SlAnswerer, sl_answerer, G_TYPE_OBJECT)

static void
sl_answerer_default_init (SlAnswererInterface *iface)
{
}

SlJob *
sl_answerer_submit (SlAnswerer *self,
                    SlPrompt   *prompt)
{
  g_return_val_if_fail (SL_IS_ANSWERER (self), NULL);

  return SL_ANSWERER_GET_IFACE (self)->submit (self, prompt);
}

const char *
sl_answerer_get_id (SlAnswerer *self)
{
  g_return_val_if_fail (SL_IS_ANSWERER (self), "");

  return SL_ANSWERER_GET_IFACE (self)->get_id (self);
}

char *
sl_answerer_dup_place (SlAnswerer *self)
{
  g_return_val_if_fail (SL_IS_ANSWERER (self), NULL);

  return SL_ANSWERER_GET_IFACE (self)->dup_place (self);
}

char *
sl_answerer_dup_why_not (SlAnswerer *self,
                         SlAbility   ability)
{
  g_return_val_if_fail (SL_IS_ANSWERER (self), NULL);

  return SL_ANSWERER_GET_IFACE (self)->dup_why_not (self, ability);
}
