/* SPDX-License-Identifier: MIT
 *
 * SlModelSetup: from the name of a repository to a quantised model that can be asked, with one call: downloads and verifies, quantises,
 * reads back. Where it stands is seen on the disk and not remembered, so that it goes on after anything that ended it. SlModels holds
 * it. UI thread. It must not know GTK.
 */
#pragma once

#include "app/hub/sl-downloads.h"
#include "app/inference/sl-model-work.h"

G_BEGIN_DECLS

typedef enum
{
  SL_MODEL_SETUP_IDLE,        /* nothing was asked for, or it was stopped: sl_model_setup_begin() goes on */
  SL_MODEL_SETUP_LOOKING,     /* at what is there */
  SL_MODEL_SETUP_DOWNLOADING, /* the downloads' item of the repository says how far it is */
  SL_MODEL_SETUP_QUANTISING,  /* the work says so */
  SL_MODEL_SETUP_READY,
  SL_MODEL_SETUP_FAILED       /* the error; beginning again goes on */
} SlModelSetupState;

#define SL_TYPE_MODEL_SETUP (sl_model_setup_get_type ())
G_DECLARE_FINAL_TYPE (SlModelSetup, sl_model_setup, SL, MODEL_SETUP, GObject)

/* Signals: "changed" (): state or numbers; "working" (SlModelWork): it has begun; "ready" (const char *dir): the folder of the model. */
SlModelSetup *sl_model_setup_new (SlDownloads *downloads);

/* The user has accepted the repository's licence. No effect while one is under way. What is there is not made again. */
void sl_model_setup_begin (SlModelSetup *self, const char *repo, SlFormat format);
void sl_model_setup_stop (SlModelSetup *self);

SlModelSetupState sl_model_setup_get_state (SlModelSetup *self);
gboolean sl_model_setup_is_busy (SlModelSetup *self);
const char *sl_model_setup_get_repo (SlModelSetup *self);  /* NULL before the first */
SlModelWork *sl_model_setup_get_work (SlModelSetup *self); /* while QUANTISING; borrowed */
const GError *sl_model_setup_get_error (SlModelSetup *self); /* FAILED; borrowed */

G_END_DECLS
