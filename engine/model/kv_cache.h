/* SPDX-License-Identifier: MIT
 *
 * The KV cache: keys and values of every token that a session has read. Used by the decoder, and by the session for what is in it.
 * On the inference thread.
 */
#ifndef VL2_KV_CACHE_H
#define VL2_KV_CACHE_H

#include "engine/model/model.h"

/* The cache of one session. MHA: k and v [capacity][kv_heads·head_dim] per layer. MLA: k is [capacity][kv_lora+rope], no v. */
struct vl2_kv {
    void **k, **v; /* [layers] of (be); v is NULL for MLA */
    vlk_dtype dtype;
    int32_t capacity;
};

/* Elements of one token in one array of one layer. */
size_t vl2_kv_width(const struct vl2_config *config);

/* Of all layers. */
size_t vl2_kv_bytes(const struct vl2_config *config, int32_t capacity, vlk_dtype dtype);
vl2_status vl2_kv_init(const struct vl2_engine *engine, int32_t capacity, vlk_dtype dtype, struct vl2_kv *out, vl2_error *err);
void vl2_kv_deinit(const struct vl2_engine *engine, struct vl2_kv *kv);

/* Rows of tokens first … first+n-1 of every layer to host memory and back. On the host: layer by layer its keys, then its
 * values, [rows][row bytes] each. Reading takes rows = n; writing takes n rows from row `at` of each array of `rows`. */
void vl2_kv_read(const struct vl2_engine *engine, const struct vl2_kv *kv, size_t first, size_t n, uint8_t *host);
void vl2_kv_write(const struct vl2_engine *engine, const struct vl2_kv *kv, size_t first, size_t n, const uint8_t *host, size_t rows,
                  size_t at);

#endif
