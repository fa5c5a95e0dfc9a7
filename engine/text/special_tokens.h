/* SPDX-License-Identifier: MIT
 *
 * The control tokens of a model. Read by the tokenizer, used by the prompt and the generation loop.
 */
#ifndef VL2_SPECIAL_TOKENS_H
#define VL2_SPECIAL_TOKENS_H

#include <stdint.h>

/* Their ids; -1 = the tokenizer has none, until the engine is open: then all are below the model's vocabulary. */
struct vl2_special {
    int32_t bos, eos, pad, image, ref, ref_end, det, det_end, grounding, user, assistant;
};

#endif
