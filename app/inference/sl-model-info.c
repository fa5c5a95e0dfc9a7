/* SPDX-License-Identifier: MIT
 *
 * Copies and frees what is known of a model.
 */
#include "app/inference/sl-model-info.h"

SlModelInfo *
sl_model_info_copy (const SlModelInfo *self)
{
  SlModelInfo *copy = g_memdup2 (self, sizeof *self);

  if (copy == NULL)
    return NULL;
  copy->dir = g_strdup (self->dir);
  copy->name = g_strdup (self->name);
  copy->family = g_strdup (self->family);
  copy->device = g_strdup (self->device);
  copy->isa = g_strdup (self->isa);
  copy->architecture = g_strdup (self->architecture);
  copy->router = g_strdup (self->router);
  copy->weight_dtype = g_strdup (self->weight_dtype);
  copy->identity = g_strdup (self->identity);
  copy->fallback = g_strdup (self->fallback);
  return copy;
}

void
sl_model_info_free (SlModelInfo *self)
{
  if (self == NULL)
    return;
  g_free (self->dir);
  g_free (self->name);
  g_free (self->family);
  g_free (self->device);
  g_free (self->isa);
  g_free (self->architecture);
  g_free (self->router);
  g_free (self->weight_dtype);
  g_free (self->identity);
  g_free (self->fallback);
  g_free (self);
}
