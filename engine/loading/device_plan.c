/* SPDX-License-Identifier: MIT
 *
 * Adds up what a model and its work take of a GPU's memory. What kernels take is their scratch at the shapes that they are called with
 * (enum vlk_cuda_slot in kernels/cuda/backend.cuh): a slot grows to the largest op that used it, and by a quarter more. See
 * engine/loading/device_plan.h.
 */
#include "engine/loading/device_plan.h"

#include "engine/checkpoint/weights.h"
#include "engine/error.h"
#include "engine/files/system_memory.h"
#include "engine/loading/memory_plan.h"
#include "engine/model/decoder.h"
#include "engine/model/kv_cache.h"
#include "engine/model/rope.h"
#include "engine/model/vision.h"

enum {
    TOWER_PARTS = 8, /* allocations of the tower's scratch, and slots of the kernels */
    SLOTS = 9,
    FEW_TOKENS = 32,    /* attention over absorbed keys, and of splits */
    SPLIT_ROWS = 8192   /* partial results of attention: a few per head, token and multiprocessor */
};

/* Loaded code, graphs and the workspace of cuBLAS, as far as anybody can say without a GPU. */
static const uint64_t unseen = (uint64_t)256 << 20, system_reserve = (uint64_t)1 << 30;

static uint64_t most(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

uint64_t vl2_device_session_bytes(const struct vlk_backend *be, const struct vl2_config *c, int32_t context, int32_t chunk) {
    uint64_t parts = (uint64_t)c->lm.layers * (c->lm.mla ? 1 : 2), cache = vl2_kv_bytes(c, context, VLK_BF16);
    return parts * vlk_taken(cache / parts, be->traits.granule) + vl2_scratch_bytes(c, chunk, be->traits.granule);
}

/* Bytes of the kernels' scratch for n tokens of text and `rows` patches. */
static uint64_t kernel_bytes(const struct vl2_config *c, uint64_t context, uint64_t n, uint64_t rows) {
    uint64_t heads = (uint64_t)c->lm.heads, k = (uint64_t)c->lm.experts_per_token, hidden = (uint64_t)c->lm.hidden;
    uint64_t dense = (uint64_t)c->lm.dense_inter, inter = (uint64_t)c->lm.moe_inter, shared = (uint64_t)c->lm.shared_inter;
    uint64_t lora = (uint64_t)c->lm.kv_lora, rope = (uint64_t)c->lm.rope, v = (uint64_t)(c->lm.mla ? c->lm.v : c->lm.head_dim);
    uint64_t width = (uint64_t)c->vision.width, gated = most(dense, shared);
    uint64_t packed = most(n * most(most(hidden, heads * v), dense), context * lora);
    packed = most(packed, rows * most((uint64_t)c->vision.mlp, (uint64_t)c->projector.in));
    uint64_t inner = most(n * dense, n * (k * inter + shared));
    uint64_t pairs = most(n * k * hidden, 2 * n * gated);
    uint64_t partial = SPLIT_ROWS * (most(lora, v) + 2) + FEW_TOKENS * heads * (lora + rope);
    uint64_t expanded = c->lm.mla ? context * heads * ((uint64_t)c->lm.nope + v) : 0;
    uint64_t wide = c->quantised ? most(2 * gated * hidden, most(4 * width * width, (uint64_t)c->vision.mlp * width)) : 0;
    return (2 * (packed + inner + expanded + wide) + 4 * (pairs + partial + n * k * 3 + 2 * (uint64_t)c->lm.vocab)) * 5 / 4;
}

uint64_t vl2_device_work_bytes(const struct vlk_backend *be, const struct vl2_config *c, int32_t context, int32_t chunk) {
    struct vl2_memory_use use = {.context = context, .chunk = chunk};
    vl2_memory_use_all(c, &use);
    uint64_t tower = vl2_vision_scratch_bytes(c, use.most_tiles) + TOWER_PARTS * be->traits.granule;
    uint64_t kernels = kernel_bytes(c, (uint64_t)context, (uint64_t)chunk, (uint64_t)vl2_vision_rows(c, use.most_tiles));
    return tower + use.picture_bytes + kernels + SLOTS * be->traits.granule + unseen;
}

vl2_status vl2_device_plan(struct vl2_engine *e, int32_t asked, vl2_error *err) {
    struct vlk_backend *be = e->backend;
    int32_t layers = e->config.lm.layers, context = e->config.lm.context, chunk = vl2_chunk_size(&e->config, context, be->traits.chunk);
    uint64_t left = be->ops->memory_left(be), available = vl2_memory_available(), needed = 0;
    uint64_t rope = 2 * vlk_taken((size_t)context * (size_t)vl2_rope_dim(&e->config) / 2 * sizeof(float), be->traits.granule);
    e->working_space = vl2_device_work_bytes(be, &e->config, context, chunk);
    for (int32_t host = asked < layers ? asked : layers; host <= layers; host++) {
        struct vlk_room room[2];
        vl2_status status = vl2_weights_room(be, &e->config, e->checkpoint, host, room, err);
        if (status != VL2_OK)
            return status;
        if (room[VLK_PLACE_HOST].bytes + (room[VLK_PLACE_HOST].bytes ? system_reserve : 0) > available)
            break;
        needed = room[VLK_PLACE_DEVICE].bytes + rope + vl2_device_session_bytes(be, &e->config, context, chunk) + e->working_space;
        e->host_layers = host;
        e->host_bytes = room[VLK_PLACE_HOST].bytes;
        if (needed <= left)
            return VL2_OK;
    }
    e->host_layers = 0;
    e->host_bytes = 0;
    return vl2_fail(err, VL2_ERR_MEMORY, "%s has %llu MiB free, and the model needs %llu MiB besides the experts that fit "
                    "into the computer's memory; close other programs that use the GPU, or use the CPU.",
                    be->ops->describe(be), (unsigned long long)(left >> 20), (unsigned long long)(needed >> 20));
}
