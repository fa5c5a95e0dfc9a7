/* SPDX-License-Identifier: MIT
 *
 * Whom encoding a picture tells how far it is and what it made: of both encoders. Inference thread.
 */
#ifndef VL2_VISION_WORK_H
#define VL2_VISION_WORK_H

#include "engine/vl2.h"

struct vl2_vision_taps { /* host copies for the dump; "vision" and "projected" of the tiles that were computed */
    float *vision;       /* [n_tiles · vision.tokens][vision.width], document models: [n_rows − 2][projector.in]; or NULL */
    float *projected;    /* [n_rows − 2][hidden] or NULL */
    /* What block i of a tower of a document model made of a batch, x [rows][cols] (be); or NULL */
    void (*block)(const char *tower, int32_t i, const float *x, int32_t rows, int32_t cols, void *user);
    void *user;
};

struct vl2_vision_work { /* what encoding one picture reports to */
    const struct vl2_watch *watch;
    uint64_t *done, total; /* in tiles' blocks, of all pictures that are encoded */
    const struct vl2_vision_taps *taps;
};

#endif
