/* SPDX-License-Identifier: MIT
 *
 * Starts what was enqueued, waits, and turns what went wrong into a sentence. See engine/model/backend_wait.h.
 */
#include "engine/model/backend_wait.h"

#include "engine/error.h"

#include <time.h>

static vl2_status translate(vlk_status status) {
    switch (status) {
    case VLK_OK:
        return VL2_OK;
    case VLK_ERR_MEMORY:
        return VL2_ERR_MEMORY;
    case VLK_CANCELLED:
        return VL2_CANCELLED;
    case VLK_ERR_DEVICE:
    case VLK_ERR_UNSUPPORTED:
        break;
    }
    return VL2_ERR_DEVICE;
}

vl2_status vl2_backend_wait(const struct vl2_engine *engine, vl2_error *err) {
    struct vlk_backend *be = engine->backend;
    struct vlk_error failure = {0};
    be->ops->submit(be);
    vlk_status status = be->ops->wait(be, &failure);
    if (status != VLK_OK)
        return vl2_fail(err, translate(status), "%s: %s", be->ops->name, failure.text);
    return engine->hooks.weights_intact ? engine->hooks.weights_intact(engine, err) : VL2_OK;
}

bool vl2_backend_is_sound(const struct vl2_engine *engine) {
    return engine->backend->ops->submit(engine->backend) == VLK_OK;
}

bool vl2_watch_cancelled(const struct vl2_watch *watch) {
    return watch && watch->cancel && atomic_load(watch->cancel);
}

void vl2_watch_report(const struct vl2_watch *watch, vl2_stage stage, uint64_t done, uint64_t total) {
    if (watch && watch->progress)
        watch->progress(stage, done, total, watch->user);
}

double vl2_now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}
