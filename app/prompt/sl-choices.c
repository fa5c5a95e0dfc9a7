/* SPDX-License-Identifier: MIT
 *
 * The choices of a conversation, each a line of a table. See the header; nothing here has state.
 */
#include "app/prompt/sl-choices.h"

#include <math.h>

#include <glib/gi18n-lib.h>
#include <jansson.h>

#define WHOLE 9007199254740991.0 /* the largest whole number below which a double holds each */

static const struct
{
  const char *nick; /* stored */
  const char *name;
  double least, most;
  int digits;
  gboolean truth;
} choices[SL_N_CHOICES] = {
  [SL_CHOICE_TEMPERATURE] = { "temperature", N_("Temperature"), 0, 2, 2 },
  [SL_CHOICE_TOP_P] = { "top_p", N_("Top-p"), 0.01, 1, 2 },
  [SL_CHOICE_TOP_K] = { "top_k", N_("Top-k"), 0, 1000, 0 },
  [SL_CHOICE_REPETITION] = { "repetition_penalty", N_("Repetition Penalty"), 1, 2, 2 },
  [SL_CHOICE_LENGTH] = { "max_tokens", N_("Longest Answer"), 0, 1000000, 0 },
  [SL_CHOICE_SEED] = { "seed", N_("Seed"), -1, WHOLE, 0 },
  [SL_CHOICE_BOXES] = { "constrain_boxes", N_("Keep Boxes Well-Formed"), 0, 1, 0, TRUE },
  [SL_CHOICE_DETAIL] = { "low_detail", N_("Pictures in Low Detail"), 0, 1, 0, TRUE },
};

gboolean
sl_choices_has (const SlChoices *self,
                SlChoice         choice)
{
  return (self->set & (1u << choice)) != 0;
}

static double
get_number (const SlChoices *self,
            SlChoice         choice)
{
  switch (choice)
    {
    case SL_CHOICE_TEMPERATURE:
      return self->sampling.temperature;
    case SL_CHOICE_TOP_P:
      return self->sampling.top_p;
    case SL_CHOICE_TOP_K:
      return self->sampling.top_k;
    case SL_CHOICE_REPETITION:
      return self->sampling.repetition_penalty;
    case SL_CHOICE_LENGTH:
      return self->max_tokens;
    case SL_CHOICE_SEED:
      return (double) self->seed;
    case SL_CHOICE_BOXES:
      return self->constrain_boxes;
    case SL_CHOICE_DETAIL:
    case SL_N_CHOICES:
    default:
      return self->detail == SL_DETAIL_LOW;
    }
}

static void
set_number (SlChoices *self,
            SlChoice   choice,
            double     number)
{
  switch (choice)
    {
    case SL_CHOICE_TEMPERATURE:
      self->sampling.temperature = number;
      break;
    case SL_CHOICE_TOP_P:
      self->sampling.top_p = number;
      break;
    case SL_CHOICE_TOP_K:
      self->sampling.top_k = (int) number;
      break;
    case SL_CHOICE_REPETITION:
      self->sampling.repetition_penalty = number;
      break;
    case SL_CHOICE_LENGTH:
      self->max_tokens = (int) number;
      break;
    case SL_CHOICE_SEED:
      self->seed = (guint64) MAX (number, 0);
      break;
    case SL_CHOICE_BOXES:
      self->constrain_boxes = number != 0;
      break;
    case SL_CHOICE_DETAIL:
    case SL_N_CHOICES:
    default:
      self->detail = number != 0 ? SL_DETAIL_LOW : SL_DETAIL_AUTO;
      break;
    }
}

gboolean
sl_choices_equal (const SlChoices *a,
                  const SlChoices *b)
{
  if (a->set != b->set)
    return FALSE;
  for (int i = 0; i < SL_N_CHOICES; i++)
    if (sl_choices_has (a, i) && get_number (a, i) != get_number (b, i))
      return FALSE;
  return TRUE;
}

void
sl_choices_apply (const SlChoices *self,
                  SlSettings      *settings)
{
  if (sl_choices_has (self, SL_CHOICE_TEMPERATURE))
    settings->sampling.temperature = self->sampling.temperature;
  if (sl_choices_has (self, SL_CHOICE_TOP_P))
    settings->sampling.top_p = self->sampling.top_p;
  if (sl_choices_has (self, SL_CHOICE_TOP_K))
    settings->sampling.top_k = self->sampling.top_k;
  if (sl_choices_has (self, SL_CHOICE_REPETITION))
    settings->sampling.repetition_penalty = self->sampling.repetition_penalty;
  if (sl_choices_has (self, SL_CHOICE_LENGTH))
    settings->max_tokens = self->max_tokens;
  if (sl_choices_has (self, SL_CHOICE_SEED))
    settings->seed = self->seed;
  if (sl_choices_has (self, SL_CHOICE_BOXES))
    settings->constrain_boxes = self->constrain_boxes;
}

double
sl_choice_get_default (SlChoice choice,
                       SlMode   mode)
{
  SlSettings settings = sl_settings_for_mode (mode);
  SlChoices all = { .sampling = settings.sampling, .max_tokens = settings.max_tokens, .constrain_boxes = settings.constrain_boxes };

  return choice == SL_CHOICE_SEED ? -1 : get_number (&all, choice);
}

double
sl_choices_get (const SlChoices *self,
                SlChoice         choice,
                SlMode           mode)
{
  return sl_choices_has (self, choice) ? get_number (self, choice) : sl_choice_get_default (choice, mode);
}

void
sl_choice_get_range (SlChoice  choice,
                     double   *least,
                     double   *most)
{
  *least = choices[choice].least;
  *most = choices[choice].most;
}

static void
choose (SlChoices *self,
        SlChoice   choice,
        double     value)
{
  double unit = pow (10, choices[choice].digits);

  value = round (CLAMP (value, choices[choice].least, choices[choice].most) * unit) / unit;
  self->set |= 1u << choice;
  set_number (self, choice, value);
}

void
sl_choices_choose (SlChoices *self,
                   SlChoice   choice,
                   double     value,
                   SlMode     mode)
{
  if (isnan (value))
    return;
  choose (self, choice, value);
  if (choice == SL_CHOICE_SEED ? value < 0 : get_number (self, choice) == sl_choice_get_default (choice, mode))
    self->set &= ~(1u << choice);
}

gboolean
sl_choice_is_truth (SlChoice choice)
{
  return choices[choice].truth;
}

int
sl_choice_get_digits (SlChoice choice)
{
  return choices[choice].digits;
}

const char *
sl_choice_get_display_name (SlChoice choice)
{
  return _(choices[choice].name);
}

char *
sl_choices_dup_text (const SlChoices *self)
{
  GString *text = g_string_new (NULL);

  for (int i = 0; i < SL_N_CHOICES; i++)
    {
      if (!sl_choices_has (self, i))
        continue;
      if (text->len > 0)
        g_string_append (text, " · ");
      if (!choices[i].truth)
        g_string_append_printf (text, "%s %.*f", _(choices[i].name), choices[i].digits, get_number (self, i));
      else if (get_number (self, i) != 0)
        g_string_append (text, _(choices[i].name));
      else
        /* Translators: the name of a setting that is switched off */
        g_string_append_printf (text, _("%s: off"), _(choices[i].name));
    }
  return g_string_free (text, FALSE);
}

char *
sl_choices_to_json (const SlChoices *self)
{
  json_t *object = json_object ();
  char *text, *copy;

  for (int i = 0; i < SL_N_CHOICES; i++)
    if (sl_choices_has (self, i))
      json_object_set_new (object, choices[i].nick,
                           choices[i].truth         ? json_boolean (get_number (self, i) != 0)
                           : choices[i].digits == 0 ? json_integer ((json_int_t) get_number (self, i))
                                                       : json_real (get_number (self, i)));
  text = self->set != 0 ? json_dumps (object, JSON_COMPACT | JSON_REAL_PRECISION (6)) : NULL;
  copy = g_strdup (text != NULL ? text : "");
  free (text);
  json_decref (object);
  return copy;
}

SlChoices
sl_choices_from_json (const char *json)
{
  SlChoices self = { 0 };
  json_t *object = json != NULL ? json_loads (json, JSON_REJECT_DUPLICATES, NULL) : NULL;

  for (int i = 0; i < SL_N_CHOICES; i++)
    {
      const json_t *value = json_object_get (object, choices[i].nick);

      if (choices[i].truth ? json_is_boolean (value) : json_is_number (value) && json_number_value (value) >= 0)
        choose (&self, i, choices[i].truth ? json_is_true (value) : json_number_value (value));
    }
  json_decref (object);
  return self;
}
