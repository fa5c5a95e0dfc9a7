/* SPDX-License-Identifier: MIT
 *
 * Compares the plan with what there is: the computer's memory, or what a GPU has left.
 */
#include "engine/loading/memory_check.h"

#include "engine/error.h"
#include "engine/loading/device_plan.h"
#include "engine/loading/memory_plan.h"

static double mib(uint64_t bytes) {
    return (double)bytes / (1 << 20);
}

/* A GPU's memory is its own; engine.c compares the weights with it. */
static vl2_status check_device(const struct vl2_engine *e, int32_t context, int32_t chunk, uint64_t left, vl2_error *err) {
    uint64_t needed = vl2_device_session_bytes(e->backend, &e->config, context, chunk);
    if (needed <= left)
        return VL2_OK;
    return vl2_fail(err, VL2_ERR_MEMORY, "A context of %d tokens needs %.1f MiB of the GPU's memory; %.1f MiB are free.", context,
                    mib(needed), mib(left));
}

vl2_status vl2_memory_check(const struct vl2_engine *e, int32_t context, int32_t chunk, vl2_error *err) {
    uint64_t left = e->backend->ops->memory_left(e->backend);
    if (left != UINT64_MAX)
        return check_device(e, context, chunk, left, err);
    struct vl2_memory_use use = {.weight_bytes = e->weights.bytes,
                                 .tokenizer_bytes = e->tokenizer_bytes,
                                 .context = context,
                                 .chunk = chunk,
                                 .threads = vlk_cpu_threads(e->backend)};
    struct vl2_memory memory;
    vl2_memory_use_all(&e->config, &use);
    vl2_memory_estimate(&e->config, &use, &memory);
    uint64_t allowed = e->memory_limit ? e->memory_limit : memory.available;
    if (memory.peak <= allowed)
        return VL2_OK;
    return vl2_fail(err, VL2_ERR_MEMORY,
                    "%s needs %.0f MiB (weights %.0f, a context of %d tokens %.0f, computing %.0f); %.0f MiB are %s.", e->dir,
                    mib(memory.peak), mib(memory.weights), use.tokens, mib(memory.cache),
                    mib(memory.peak - memory.weights - memory.cache), mib(allowed), e->memory_limit ? "allowed" : "free");
}
