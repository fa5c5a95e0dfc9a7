/* SPDX-License-Identifier: MIT
 *
 * The sample pictures and prompts that come with Sightline, read from
 * samples.json in its data folder. Immutable values without widgets; UI thread.
 * A missing or odd file gives fewer samples, never an error.
 */
#pragma once

#include "app/prompt/sl-mode.h"

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct
{
  GPtrArray *paths; /* of char*, at least one */
  char *prompt;
  char *title;      /* of the card; the prompt where the file has none */
  SlMode mode;
  gboolean raw;     /* the prompt holds grounding tokens */
} SlSample;

/* (transfer full) array of SlSample that frees its elements. */
GPtrArray *sl_sample_load_all (const char *data_dir);

G_END_DECLS
