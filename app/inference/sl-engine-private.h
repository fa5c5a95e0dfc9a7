/* SPDX-License-Identifier: MIT
 *
 * What the parts of the engine's class call of each other: sl-engine.c and sl-engine-plan.c. UI thread.
 */
#pragma once

#include "app/inference/sl-engine.h"
#include "app/inference/sl-inference.h"

G_BEGIN_DECLS

/* NULL after the shutdown. */
SlInference *sl_engine_get_inference (SlEngine *self);

G_END_DECLS
