/* SPDX-License-Identifier: MIT
 *
 * SlModelWork: minutes of work on a model's folder, on a thread of its own: reading it back, quantising it, moving it. Goes on whoever
 * looks; SlModels holds it. UI thread, except what a thread of its own does. It must not know GTK.
 */
#pragma once

#include <gio/gio.h>

#include "app/inference/sl-format.h"

G_BEGIN_DECLS

typedef enum { SL_MODEL_WORK_VERIFY, SL_MODEL_WORK_QUANTISE, SL_MODEL_WORK_MOVE } SlModelWorkKind;

typedef enum
{
  SL_MODEL_WORK_RUNNING,
  SL_MODEL_WORK_DONE,
  SL_MODEL_WORK_WRONG, /* VERIFY: it is not what it was; the sentence names the files */
  SL_MODEL_WORK_FAILED,
  SL_MODEL_WORK_CANCELLED
} SlModelWorkState;

#define SL_TYPE_MODEL_WORK (sl_model_work_get_type ())
G_DECLARE_FINAL_TYPE (SlModelWork, sl_model_work, SL, MODEL_WORK, GObject)

/* Each begins at once. dest: the folder to make, beside which there is room. What is quantised is read back against its hash before it
 * appears; what moves to another disk is compared before the original goes. */
SlModelWork *sl_model_work_new_verify (const char *dir);
SlModelWork *sl_model_work_new_quantise (const char *dir, const char *dest, SlFormat format, gboolean vision_int8);
SlModelWork *sl_model_work_new_move (const char *dir, const char *dest);

/* Signal "changed" (): state or numbers; while it runs about four times a second. */
SlModelWorkKind sl_model_work_get_kind (SlModelWork *self);
SlModelWorkState sl_model_work_get_state (SlModelWork *self);
const char *sl_model_work_get_dir (SlModelWork *self);
const char *sl_model_work_get_dest (SlModelWork *self); /* NULL for VERIFY */
SlFormat sl_model_work_get_format (SlModelWork *self); /* of QUANTISE */

typedef struct
{
  guint64 bytes, total;
  double bytes_per_second, seconds_left; /* negative: unknown */
  gboolean reading_back;                 /* QUANTISE: all is written */
} SlModelWorkProgress;

void sl_model_work_get_progress (SlModelWork *self, SlModelWorkProgress *progress);
/* What came of it, for the user; NULL while it runs. */
const char *sl_model_work_get_sentence (SlModelWork *self);

/* It ends soon, as CANCELLED, and leaves nothing of dest. */
void sl_model_work_cancel (SlModelWork *self);

G_END_DECLS
