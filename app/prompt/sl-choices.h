/* SPDX-License-Identifier: MIT
 *
 * SlChoices: what a user has chosen for the answers of a conversation in the place of what the mode starts from. A plain value; what
 * is not in `set` is the mode's. Pure functions, any thread. It must not know conversations.
 */
#pragma once

#include "app/prompt/sl-prompt.h"

G_BEGIN_DECLS

typedef enum
{
  SL_CHOICE_TEMPERATURE,
  SL_CHOICE_TOP_P,
  SL_CHOICE_TOP_K,
  SL_CHOICE_REPETITION,
  SL_CHOICE_LENGTH,
  SL_CHOICE_SEED,
  SL_CHOICE_BOXES,  /* constrained */
  SL_CHOICE_DETAIL,
  SL_N_CHOICES
} SlChoice;

typedef struct
{
  guint set; /* bits 1 << SlChoice */
  SlSampling sampling;
  int max_tokens;
  guint64 seed;
  gboolean constrain_boxes;
  SlDetail detail;
} SlChoices;

gboolean sl_choices_has (const SlChoices *self, SlChoice choice);
gboolean sl_choices_equal (const SlChoices *a, const SlChoices *b);

/* All but the detail, which belongs to the pictures. */
void sl_choices_apply (const SlChoices *self, SlSettings *settings);

/* A choice as a number (a truth is 0 or 1), and what the mode has in its place (no seed: −1). A number that is out of the choice's
 * range is brought into it; choosing what the mode has anyway is no choice. */
double sl_choices_get (const SlChoices *self, SlChoice choice, SlMode mode);
double sl_choice_get_default (SlChoice choice, SlMode mode);
void sl_choices_choose (SlChoices *self, SlChoice choice, double value, SlMode mode);
/* Its smallest and largest number. Seeds are whole numbers that a double holds. */
void sl_choice_get_range (SlChoice choice, double *least, double *most);
/* A truth is chosen with a switch, any other as a number with so many digits behind the point. */
gboolean sl_choice_is_truth (SlChoice choice);
int sl_choice_get_digits (SlChoice choice);
const char *sl_choice_get_display_name (SlChoice choice); /* translated */

/* "Temperature 0.7 · Seed 5", translated, "" where nothing is chosen. (transfer full) */
char *sl_choices_dup_text (const SlChoices *self);

/* One line of JSON with a member for each choice: as it is stored; "" for none. What cannot be read is no choice. (transfer full) */
char *sl_choices_to_json (const SlChoices *self);
SlChoices sl_choices_from_json (const char *json);

G_END_DECLS
