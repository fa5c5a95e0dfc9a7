/* SPDX-License-Identifier: MIT
 *
 * vl2: DeepSeek-VL2 as a C library. The one public header of engine/: checkpoints, tokenizer, pictures → tiles,
 * conversations → tokens, sessions that generate, grounding text → boxes.
 * Called by app/ (and tests). It must not know GLib, GTK, files that it was not given, or what a user is.
 *
 * engine  = a loaded model: backend, config, weights, tokenizer. Immutable after opening.
 * session = one mutable timeline over an engine: KV cache, tokens, picture embeddings, random state.
 *
 * Threads: open, sync, generate and close of one engine and its sessions happen on one thread (the inference thread).
 * vl2_cancel may be set from any thread. Functions marked "pure" may be called from any thread at any time.
 * Errors: a status, and one sentence in vl2_error that names the file, tensor or value and the reason. Nothing aborts.
 */
#ifndef VL2_H
#define VL2_H

#include "engine/vl2_engine.h"
#include "engine/vl2_session.h"
#include "engine/vl2_status.h"
#include "engine/vl2_text.h"

#endif
