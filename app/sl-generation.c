/* SPDX-License-Identifier: MIT
 *
 * The record of one answer as a boxed value, and what is computed from its token marks. Any thread that owns the value.
 */
#include "app/sl-generation.h"

#include <math.h>

G_DEFINE_BOXED_TYPE (SlGeneration, sl_generation, sl_generation_copy, sl_generation_free)

SlGeneration *
sl_generation_new (void)
{
  SlGeneration *self = g_new0 (SlGeneration, 1);

  self->model = g_strdup ("");
  self->model_dir = g_strdup ("");
  self->quantisation = g_strdup ("");
  self->device = g_strdup ("");
  self->tiling = g_strdup ("");
  self->tokens = g_array_new (FALSE, FALSE, sizeof (SlTokenMark));
  return self;
}

SlGeneration *
sl_generation_copy (const SlGeneration *self)
{
  SlGeneration *copy = g_memdup2 (self, sizeof *self);

  copy->model = g_strdup (self->model);
  copy->model_dir = g_strdup (self->model_dir);
  copy->quantisation = g_strdup (self->quantisation);
  copy->device = g_strdup (self->device);
  copy->tiling = g_strdup (self->tiling);
  copy->error = g_strdup (self->error);
  copy->tokens = g_array_copy (self->tokens);
  return copy;
}

void
sl_generation_free (SlGeneration *self)
{
  if (self == NULL)
    return;
  g_free (self->model);
  g_free (self->model_dir);
  g_free (self->quantisation);
  g_free (self->device);
  g_free (self->tiling);
  g_free (self->error);
  g_array_unref (self->tokens);
  g_free (self);
}

double
sl_generation_get_speed (const SlGeneration *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->decode_ms > 0 ? self->output_tokens * 1000.0 / self->decode_ms : 0;
}

/* The first mark that ends behind `offset`; tokens->len if there is none. Ends never fall. */
static guint
first_ending_behind (const GArray *tokens,
                     gsize         offset)
{
  guint low = 0, high = tokens->len;

  while (low < high)
    {
      guint middle = low + (high - low) / 2;

      if (g_array_index (tokens, SlTokenMark, middle).end > offset)
        high = middle;
      else
        low = middle + 1;
    }
  return low;
}

double
sl_generation_get_confidence (const SlGeneration *self,
                              gsize               start,
                              gsize               end)
{
  double sum = 0;
  guint first;

  g_return_val_if_fail (self != NULL, -1);

  first = first_ending_behind (self->tokens, start);
  if (start >= end || first == self->tokens->len
      || g_array_index (self->tokens, SlTokenMark, self->tokens->len - 1).end < end)
    return -1;

  for (guint i = first; i < self->tokens->len; i++)
    {
      const SlTokenMark *mark = &g_array_index (self->tokens, SlTokenMark, i);
      gsize begin = i > 0 ? g_array_index (self->tokens, SlTokenMark, i - 1).end : 0;

      if (begin >= end)
        break;
      sum += mark->logprob;
    }
  return isnan (sum) ? -1 : exp (sum);
}
