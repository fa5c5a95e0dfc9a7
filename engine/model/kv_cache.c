/* SPDX-License-Identifier: MIT
 *
 * The memory of a KV cache, and its rows to the host and back. See engine/model/kv_cache.h.
 */
#include "engine/model/kv_cache.h"

#include "engine/error.h"
#include "engine/model/device_memory.h"

size_t vl2_kv_width(const struct vl2_config *c) {
    return c->lm.mla ? (size_t)(c->lm.kv_lora + c->lm.rope) : (size_t)c->lm.kv_heads * (size_t)c->lm.head_dim;
}

size_t vl2_kv_bytes(const struct vl2_config *c, int32_t capacity, vlk_dtype dtype) {
    size_t row = vlk_row_bytes(dtype, (int64_t)vl2_kv_width(c));
    return (size_t)capacity * row * (c->lm.mla ? 1 : 2) * (size_t)c->lm.layers;
}

vl2_status vl2_kv_init(const struct vl2_engine *e, int32_t capacity, vlk_dtype dtype, struct vl2_kv *kv, vl2_error *err) {
    int32_t layers = e->config.lm.layers;
    size_t bytes = (size_t)capacity * vlk_row_bytes(dtype, (int64_t)vl2_kv_width(&e->config));
    *kv = (struct vl2_kv){.capacity = capacity, .dtype = dtype};
    kv->k = vlk_alloc((size_t)layers, sizeof *kv->k);
    kv->v = vlk_alloc((size_t)layers, sizeof *kv->v);
    bool ok = kv->k && kv->v;
    for (int32_t i = 0; ok && i < layers; i++) {
        kv->k[i] = vl2_device_alloc(e, bytes);
        kv->v[i] = e->config.lm.mla ? NULL : vl2_device_alloc(e, bytes);
        ok = kv->k[i] && (e->config.lm.mla || kv->v[i]);
    }
    if (ok)
        return VL2_OK;
    vl2_kv_deinit(e, kv);
    return vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory for a cache of %d tokens (%zu MiB).", capacity,
                    vl2_kv_bytes(&e->config, capacity, dtype) >> 20);
}

void vl2_kv_deinit(const struct vl2_engine *e, struct vl2_kv *kv) {
    for (int32_t i = 0; i < e->config.lm.layers; i++) {
        if (kv->k && kv->k[i])
            e->backend->ops->mem_free(e->backend, kv->k[i]);
        if (kv->v && kv->v[i])
            e->backend->ops->mem_free(e->backend, kv->v[i]);
    }
    vlk_free(kv->k);
    vlk_free(kv->v);
    *kv = (struct vl2_kv){0};
}

void vl2_kv_read(const struct vl2_engine *e, const struct vl2_kv *kv, size_t first, size_t n, uint8_t *host) {
    struct vlk_backend *be = e->backend;
    size_t row = vlk_row_bytes(kv->dtype, (int64_t)vl2_kv_width(&e->config));
    for (int32_t i = 0; i < e->config.lm.layers; i++) {
        const void *const parts[] = {kv->k[i], kv->v[i]};
        for (int p = 0; p < 2 && parts[p]; p++, host += n * row)
            be->ops->mem_read(be, host, (const uint8_t *)parts[p] + first * row, n * row);
    }
}

void vl2_kv_write(const struct vl2_engine *e, const struct vl2_kv *kv, size_t first, size_t n, const uint8_t *host, size_t rows,
                  size_t at) {
    struct vlk_backend *be = e->backend;
    size_t row = vlk_row_bytes(kv->dtype, (int64_t)vl2_kv_width(&e->config));
    for (int32_t i = 0; i < e->config.lm.layers; i++) {
        void *const parts[] = {kv->k[i], kv->v[i]};
        for (int p = 0; p < 2 && parts[p]; p++, host += rows * row)
            be->ops->mem_write(be, (uint8_t *)parts[p] + first * row, host + at * row, n * row);
    }
}
