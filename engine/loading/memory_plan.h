/* SPDX-License-Identifier: MIT
 *
 * How much memory a model and a session take, known from sizes alone. Used by engine.c before weights are bound,
 * by session.c before a cache is made, and by plan.c. Any thread.
 */
#ifndef VL2_MEMORY_PLAN_H
#define VL2_MEMORY_PLAN_H

#include "engine/model/model.h"

/* The chunk that a session of this context reads at once; wanted 0 = chosen. Never so large that one layer of it is more
 * work than 64 tokens through all layers: that is how far away a cancel may be. */
int32_t vl2_chunk_size(const struct vl2_config *config, int32_t context, int32_t wanted);

/* Keys and values are kept in f32 where that is cheap and tells: bf16 beside quantised weights. */
vlk_dtype vl2_cache_dtype(const struct vl2_config *config, int32_t context);

/* What left branches of a session may take: as much as its cache, within limits. */
size_t vl2_branch_budget(const struct vl2_config *config, int32_t context);

struct vl2_memory_use { /* what is known of the work to be done */
    uint64_t weight_bytes, tokenizer_bytes;
    int32_t context, chunk, tokens; /* tokens: in the cache at the end */
    int32_t threads;                /* 0 = unknown */
    int32_t most_tiles;             /* of the picture with most tiles; 0 = no pictures */
    uint64_t picture_bytes;         /* encoded pictures */
    uint64_t branch_bytes;
};

/* Raises tokens and pictures to the most that a session of use->context will hold. */
void vl2_memory_use_all(const struct vl2_config *config, struct vl2_memory_use *use);

void vl2_memory_estimate(const struct vl2_config *config, const struct vl2_memory_use *use, struct vl2_memory *out);

#endif
