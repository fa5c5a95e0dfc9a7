/* SPDX-License-Identifier: MIT
 *
 * What a model and its sessions take, added up from sizes alone. What the CPU kernels allocate for themselves is estimated from the
 * shapes that they are called with. See engine/loading/memory_plan.h.
 */
#include "engine/loading/memory_plan.h"

#include "engine/files/system_memory.h"
#include "engine/model/decoder.h"
#include "engine/model/rope.h"
#include "engine/model/vision.h"

enum { DEFAULT_CHUNK = 256, CANCEL_TOKENS = 64, F32_CACHE_LIMIT = 512 << 20, BRANCH_LIMIT = 128 << 20 };

/* ------------------------------------------------------------------------------------------------ a session's shape */

int32_t vl2_chunk_size(const struct vl2_config *c, int32_t context, int32_t wanted) {
    int32_t chunk = wanted ? wanted : DEFAULT_CHUNK, most = CANCEL_TOKENS * c->lm.layers;
    chunk = chunk < most ? chunk : most;
    return chunk < context ? chunk : context;
}

/* Halving the cache is worth a rounding of 2^-9 where it is large, and where the weights were rounded more than that: reading it is
 * up to half of a decode step of the tiny model. */
vlk_dtype vl2_cache_dtype(const struct vl2_config *c, int32_t context) {
    return !c->quantised && vl2_kv_bytes(c, context, VLK_F32) <= F32_CACHE_LIMIT ? VLK_F32 : VLK_BF16;
}

size_t vl2_branch_budget(const struct vl2_config *c, int32_t context) {
    size_t cache = vl2_kv_bytes(c, context, vl2_cache_dtype(c, context));
    return cache < BRANCH_LIMIT ? cache : BRANCH_LIMIT;
}

/* ------------------------------------------------------------------------------------------------ estimates */

static uint64_t most(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* Floats that the CPU keeps beside our arrays: packed rows, inner activations, expert outputs, expanded keys, panels of a
 * block of the tower, tiles of a worker. kernels/cpu/cpu.h: enum vlk_slot; a slot grows to the largest op that used it, and by a quarter more. */
static uint64_t backend_floats(const struct vl2_config *c, const struct vl2_memory_use *use) {
    const uint64_t pass = 1024, moe_pass = 512, panel = 8 * 32 * (512 + 32), heads = (uint64_t)c->lm.heads;
    uint64_t n = least((uint64_t)use->chunk, (uint64_t)use->tokens), k = (uint64_t)c->lm.experts_per_token;
    uint64_t m = least(n, pass), e = least(n, moe_pass);
    uint64_t hidden = (uint64_t)c->lm.hidden, inter = (uint64_t)c->lm.moe_inter, shared = (uint64_t)c->lm.shared_inter;
    uint64_t v = c->lm.mla ? (uint64_t)c->lm.v : (uint64_t)c->lm.head_dim, wide = most(hidden, heads * v);
    uint64_t inner = most(m * (uint64_t)c->lm.dense_inter, c->lm.experts ? e * (k * inter + shared) : 0);
    uint64_t packed = most(m * most(wide, (uint64_t)c->lm.dense_inter), c->lm.experts ? e * (k + 1) * most(hidden, inter) : 0);
    uint64_t pairs = c->lm.experts ? e * (k + 2) * hidden : 0, query = 0, expanded = 0, block = 0;
    if (c->lm.mla) {
        uint64_t dk = (uint64_t)(c->lm.nope + c->lm.rope), lora = (uint64_t)c->lm.kv_lora;
        pairs = most(pairs, n * heads * lora);
        query = n * heads * (lora + (uint64_t)c->lm.rope);
        expanded = 4 * (uint64_t)use->tokens * (dk + v);
    }
    if (use->most_tiles) {
        uint64_t rows = (uint64_t)vl2_vision_rows(c, use->most_tiles);
        uint64_t widest = most((uint64_t)c->vision.mlp, (uint64_t)c->projector.in);
        packed = most(packed, least(rows, pass) * widest);
        query = most(query, rows * 3 * (uint64_t)c->vision.patch * (uint64_t)c->vision.patch);
        block = (uint64_t)c->vision.width * (2 * (uint64_t)c->vision.width + (uint64_t)c->vision.mlp); /* two weights to a float */
    }
    uint64_t partial = n * heads * (v + 2), sample = 5 * (uint64_t)c->lm.vocab;
    uint64_t workers = 2 * panel * (uint64_t)(use->threads ? use->threads : 1);
    return (2 * inner + packed + pairs + query + expanded + block + partial + sample + workers) * 5 / 4;
}

void vl2_memory_estimate(const struct vl2_config *c, const struct vl2_memory_use *use, struct vl2_memory *out) {
    uint64_t rope = (uint64_t)c->lm.context * (uint64_t)vl2_rope_dim(c) * sizeof(float), vocab = (uint64_t)c->lm.vocab;
    *out = (struct vl2_memory){
        .weights = use->weight_bytes,
        .tables = rope + use->tokenizer_bytes,
        .cache = vl2_kv_bytes(c, use->tokens, vl2_cache_dtype(c, use->context)),
        .scratch = vl2_scratch_bytes(c, use->chunk, 0) + (3 + 4 * sizeof(float)) * vocab, /* and the logits of a drafted pass */
        .vision = use->most_tiles ? vl2_vision_scratch_bytes(c, use->most_tiles) : 0,
        .pictures = use->picture_bytes,
        .branches = use->branch_bytes,
        .backend = backend_floats(c, use) * sizeof(float),
        .available = vl2_memory_available(),
    };
    out->peak = out->weights + out->tables + out->cache + out->scratch + out->vision + out->pictures + out->branches + out->backend;
}

/* Two pictures of the largest grid, or as many as the context holds. */
void vl2_memory_use_all(const struct vl2_config *c, struct vl2_memory_use *use) {
    size_t bytes;
    use->tokens = use->context;
    use->branch_bytes = vl2_branch_budget(c, use->context);
    vl2_vision_largest(c, &use->most_tiles, &bytes);
    use->picture_bytes = VL2_MAX_TILED_PICTURES * (uint64_t)bytes;
    use->picture_bytes = least(use->picture_bytes, (uint64_t)use->context * (uint64_t)c->lm.hidden * sizeof(float));
}
