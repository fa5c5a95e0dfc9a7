/* SPDX-License-Identifier: MIT
 *
 * The record of one answer as a boxed value, and what is computed from its token marks. Any thread that owns the value.
 */
#include "app/generation/sl-generation.h"

#include <math.h>
#include <string.h>

G_DEFINE_BOXED_TYPE (SlGeneration, sl_generation, sl_generation_copy, sl_generation_free)

static void
alternative_clear (gpointer data)
{
  g_free (((SlAlternative *) data)->text);
}

static void
attention_free (gpointer data)
{
  SlAttention *attention = data;

  g_array_unref (attention->cells);
  g_free (attention);
}

SlAttention *
sl_attention_new (guint cols,
                  guint rows)
{
  SlAttention *self = g_new0 (SlAttention, 1);

  self->cols = cols;
  self->rows = rows;
  self->cells = g_array_new (FALSE, FALSE, sizeof (float));
  return self;
}

static gpointer
attention_copy (gconstpointer source,
                gpointer      unused)
{
  SlAttention *copy = g_memdup2 (source, sizeof *copy);

  copy->cells = g_array_copy (copy->cells);
  return copy;
}

static GArray *
alternatives_new (void)
{
  GArray *array = g_array_new (FALSE, FALSE, sizeof (SlAlternative));

  g_array_set_clear_func (array, alternative_clear);
  return array;
}

static void
append_alternatives (GArray       *to,
                     const GArray *from,
                     guint         token)
{
  for (guint i = 0; i < from->len; i++)
    {
      SlAlternative copy = g_array_index (from, SlAlternative, i);

      copy.token += token;
      copy.text = g_strdup (copy.text);
      g_array_append_val (to, copy);
    }
}

SlGeneration *
sl_generation_new (void)
{
  SlGeneration *self = g_new0 (SlGeneration, 1);

  self->model = g_strdup ("");
  self->model_dir = g_strdup ("");
  self->quantisation = g_strdup ("");
  self->device = g_strdup ("");
  self->place = g_strdup ("");
  self->boxes_as = g_strdup ("");
  self->reasoning = g_strdup ("");
  self->tiling = g_strdup ("");
  self->tokens = g_array_new (FALSE, FALSE, sizeof (SlTokenMark));
  self->alternatives = alternatives_new ();
  self->coordinates = g_array_new (FALSE, FALSE, sizeof (SlCoordinate));
  self->cuts = g_array_new (FALSE, FALSE, sizeof (gsize));
  self->attentions = g_ptr_array_new_with_free_func (attention_free);
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
  copy->place = g_strdup (self->place);
  copy->boxes_as = g_strdup (self->boxes_as);
  copy->reasoning = g_strdup (self->reasoning);
  copy->tiling = g_strdup (self->tiling);
  copy->error = g_strdup (self->error);
  copy->system_text = g_strdup (self->system_text);
  copy->tokens = g_array_copy (self->tokens);
  copy->alternatives = alternatives_new ();
  append_alternatives (copy->alternatives, self->alternatives, 0);
  copy->coordinates = g_array_copy (self->coordinates);
  copy->cuts = g_array_copy (self->cuts);
  copy->attentions = g_ptr_array_copy (self->attentions, (GCopyFunc) attention_copy, NULL);
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
  g_free (self->place);
  g_free (self->boxes_as);
  g_free (self->reasoning);
  g_free (self->tiling);
  g_free (self->error);
  g_free (self->system_text);
  g_array_unref (self->tokens);
  g_array_unref (self->alternatives);
  g_array_unref (self->coordinates);
  g_array_unref (self->cuts);
  g_ptr_array_unref (self->attentions);
  g_free (self);
}

void
sl_generation_add_alternative (SlGeneration *self,
                               guint         token,
                               gint32        id,
                               float         logprob,
                               const char   *text)
{
  SlAlternative alternative = { token, id, logprob, g_strdup (text) };

  g_array_append_val (self->alternatives, alternative);
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

static gsize
start_of (const GArray *tokens,
          guint         token)
{
  return token > 0 ? g_array_index (tokens, SlTokenMark, token - 1).end : 0;
}

gboolean
sl_generation_find_token (const SlGeneration *self,
                          gsize               offset,
                          guint              *token,
                          gsize              *start,
                          gsize              *end)
{
  guint found;

  g_return_val_if_fail (self != NULL, FALSE);

  found = first_ending_behind (self->tokens, offset);
  if (found == self->tokens->len || g_array_index (self->tokens, SlTokenMark, found).id < 0)
    return FALSE;
  *token = found;
  *start = start_of (self->tokens, found);
  *end = g_array_index (self->tokens, SlTokenMark, found).end;
  return TRUE;
}

const SlAlternative *
sl_generation_get_alternatives (const SlGeneration *self,
                                guint               token,
                                guint              *n_alternatives)
{
  const SlAlternative *all;
  guint low = 0, high, n = 0;

  g_return_val_if_fail (self != NULL, NULL);

  all = (const SlAlternative *) self->alternatives->data;
  high = self->alternatives->len;
  while (low < high)
    {
      guint middle = low + (high - low) / 2;

      if (all[middle].token < token)
        low = middle + 1;
      else
        high = middle;
    }
  while (low + n < self->alternatives->len && all[low + n].token == token)
    n++;
  *n_alternatives = n;
  return n > 0 ? &all[low] : NULL;
}

void
sl_generation_add_coordinate (SlGeneration       *self,
                              const SlCoordinate *coordinate,
                              gboolean            completes)
{
  SlCoordinate *last;

  g_return_if_fail (self != NULL);

  if (!completes)
    {
      g_array_append_val (self->coordinates, *coordinate);
      return;
    }
  last = self->coordinates->len > 0 ? &g_array_index (self->coordinates, SlCoordinate, self->coordinates->len - 1) : NULL;
  if (last == NULL || last->index != coordinate->index)
    return;
  last->whole = TRUE;
  last->expected = coordinate->expected;
  last->deviation = coordinate->deviation;
}

gboolean
sl_generation_get_coordinates (const SlGeneration *self,
                               gsize               start,
                               gsize               end,
                               SlCoordinate        coordinates[4])
{
  guint next = 0;

  g_return_val_if_fail (self != NULL, FALSE);

  /* A token that ends one box may begin the next one's first number: the first four in order are this box's. */
  for (guint i = 0; i < self->coordinates->len && next < 4; i++)
    {
      const SlCoordinate *coordinate = &g_array_index (self->coordinates, SlCoordinate, i);

      if (coordinate->token >= self->tokens->len || coordinate->index != next
          || g_array_index (self->tokens, SlTokenMark, coordinate->token).end <= start
          || start_of (self->tokens, coordinate->token) >= end)
        continue;
      coordinates[next++] = *coordinate;
    }
  return next == 4;
}

const float *
sl_generation_get_attention (const SlGeneration *self,
                             guint               token,
                             guint               picture,
                             guint              *cols,
                             guint              *rows)
{
  const SlAttention *attention;
  gsize size;

  g_return_val_if_fail (self != NULL, NULL);

  if (picture >= self->attentions->len)
    return NULL;
  attention = g_ptr_array_index (self->attentions, picture);
  size = (gsize) attention->cols * attention->rows;
  if (size == 0 || token >= attention->cells->len / size)
    return NULL;
  *cols = attention->cols;
  *rows = attention->rows;
  return &g_array_index (attention->cells, float, token * size);
}

void
sl_generation_prepend (SlGeneration       *self,
                       const SlGeneration *earlier,
                       gsize               from)
{
  g_autoptr (SlGeneration) beginning = earlier != NULL ? sl_generation_copy (earlier) : sl_generation_new ();
  guint n = beginning->tokens->len;

  for (guint i = 0; i < self->tokens->len; i++)
    g_array_index (self->tokens, SlTokenMark, i).end += from;
  g_ptr_array_set_size (self->attentions, 0);
  if (from == 0)
    return;
  if (n == 0 || g_array_index (beginning->tokens, SlTokenMark, n - 1).end != from)
    {
      const SlTokenMark unknown = { -1, NAN, from };

      g_array_set_size (beginning->tokens, 0);
      g_array_set_size (beginning->alternatives, 0);
      g_array_set_size (beginning->coordinates, 0);
      g_array_append_val (beginning->tokens, unknown);
      n = 1;
    }
  g_array_prepend_vals (self->tokens, beginning->tokens->data, n);
  append_alternatives (beginning->alternatives, self->alternatives, n);
  for (guint i = 0; i < self->coordinates->len; i++)
    g_array_index (self->coordinates, SlCoordinate, i).token += n;
  g_array_prepend_vals (self->coordinates, beginning->coordinates->data, beginning->coordinates->len);
  g_array_unref (self->alternatives);
  self->alternatives = g_steal_pointer (&beginning->alternatives);
  beginning->alternatives = alternatives_new ();
}
