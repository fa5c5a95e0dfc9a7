/* SPDX-License-Identifier: MIT
 *
 * What every function of the engine shares: the status that it returns, the sentence that explains it, cancelling and progress.
 * Part of engine/vl2.h.
 */
#ifndef VL2_PUBLIC_STATUS_H
#define VL2_PUBLIC_STATUS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    VL2_OK = 0,
    VL2_ERR_USAGE,   /* the caller's arguments make no sense */
    VL2_ERR_MODEL,   /* the checkpoint is broken, lying, foreign or uses something not implemented (named) */
    VL2_ERR_INPUT,   /* the prompt or a picture cannot be used */
    VL2_ERR_CONTEXT, /* the conversation does not fit the context */
    VL2_ERR_IO,      /* reading or writing a file failed */
    VL2_ERR_DEVICE,  /* the compute device failed; the engine must be closed */
    VL2_ERR_MEMORY,  /* not enough memory; what was asked for was undone */
    VL2_CANCELLED
} vl2_status;

typedef struct {
    vl2_status code;
    char text[512]; /* one sentence, no trailing newline */
} vl2_error;

/* Set to true from any thread; polled per ViT layer, 64 tokens of prefill and generated token. Owned by the caller. */
typedef atomic_bool vl2_cancel;

typedef enum { VL2_STAGE_LOAD, VL2_STAGE_VISION, VL2_STAGE_PREFILL } vl2_stage;

/* done of total units of work of a stage (bytes bound, tile-layers, tokens). Called on the inference thread. */
typedef void (*vl2_progress_fn)(vl2_stage stage, uint64_t done, uint64_t total, void *user);

struct vl2_watch { /* how a long call reports and is cancelled; every field may be NULL */
    const vl2_cancel *cancel;
    vl2_progress_fn progress;
    void *user;
};

#endif
