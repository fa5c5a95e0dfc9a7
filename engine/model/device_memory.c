/* SPDX-License-Identifier: MIT
 *
 * Allocation that asks others to make room. See engine/model/device_memory.h.
 */
#include "engine/model/device_memory.h"

static bool make_room(const struct vl2_engine *e) {
    return e->hooks.make_room && e->hooks.make_room(e);
}

static uint64_t memory_left(const struct vl2_engine *e) {
    return e->backend->ops->memory_left(e->backend);
}

void *vl2_device_alloc(const struct vl2_engine *e, size_t bytes) {
    void *p = e->backend->ops->mem_alloc(e->backend, bytes);
    while (!p && memory_left(e) != UINT64_MAX && make_room(e))
        p = e->backend->ops->mem_alloc(e->backend, bytes);
    return p;
}

void vl2_device_make_room(const struct vl2_engine *e, uint64_t bytes) {
    while (memory_left(e) < bytes + e->working_space && make_room(e))
        continue;
}
