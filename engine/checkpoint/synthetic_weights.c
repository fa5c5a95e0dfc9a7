/* SPDX-License-Identifier: MIT
 *
 * Noise in the shapes of a model. Matrices are uniform with variance 1 / columns, which keeps the length of what passes through
 * them; norms are 1; biases are small. The rows of a tensor are taken from the block at a start that differs from tensor to
 * tensor, so that no two experts are the same and the router chooses different ones for different tokens.
 */
#include "engine/checkpoint/synthetic_weights.h"

#include "engine/checkpoint/tensor_parts.h"
#include "engine/error.h"
#include "engine/files/system_memory.h"
#include "kernels/quant.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define BLOCK_ROWS 127 /* prime, so that the rows of a matrix of 2^n rows do not line up with it */
#define MAX_BLOCKS 48
#define RESERVE ((uint64_t)512 << 20)
#define SHARD ((size_t)64 << 20) /* tensors lie behind each other, as in a file */
#define ALIGNMENT 64

struct block {
    vlk_dtype dtype;
    int64_t cols;
    size_t row_bytes;
    uint8_t *rows; /* [BLOCK_ROWS][row_bytes] */
};

struct noise {
    vl2_format format;
    bool vision_int8;
    uint64_t state;
    struct block blocks[MAX_BLOCKS];
    size_t n_blocks;
    void **owned; /* names and shards */
    size_t n_owned, most;
    uint8_t *shard; /* the last one */
    size_t shard_used, shard_bytes;
};

static void *own(struct noise *noise, uint64_t bytes) {
    if (noise->n_owned == noise->most || bytes > SIZE_MAX || (bytes > 1 << 16 && vl2_memory_available() < bytes + RESERVE))
        return NULL;
    void *p = vlk_alloc((size_t)bytes, 1);
    if (p)
        noise->owned[noise->n_owned++] = p;
    return p;
}

static uint8_t *own_data(struct noise *noise, size_t bytes) {
    if (bytes > SIZE_MAX - ALIGNMENT)
        return NULL;
    bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (!noise->shard || bytes > noise->shard_bytes - noise->shard_used) {
        size_t size = bytes > SHARD ? bytes : SHARD;
        noise->shard = own(noise, size);
        noise->shard_used = 0;
        noise->shard_bytes = noise->shard ? size : 0;
        if (!noise->shard)
            return NULL;
    }
    noise->shard_used += bytes;
    return noise->shard + noise->shard_used - bytes;
}

/* -1 … 1, from an xorshift generator */
static float next_float(struct noise *noise) {
    noise->state ^= noise->state << 13;
    noise->state ^= noise->state >> 7;
    noise->state ^= noise->state << 17;
    return (float)(int32_t)(noise->state >> 32) * 0x1p-31f;
}

static void store_row(vlk_dtype dtype, const float *values, int64_t cols, uint8_t *row) {
    if (dtype == VLK_I8G || dtype == VLK_I4G) {
        vlk_quantise(dtype, values, cols, row);
        return;
    }
    for (int64_t i = 0; i < cols; i++) {
        uint16_t half = vlk_f32_to_bf16(values[i]);
        if (dtype == VLK_F32)
            memcpy(row + 4 * i, values + i, 4);
        else
            memcpy(row + 2 * i, &half, 2);
    }
}

static const struct block *find_block(struct noise *noise, vlk_dtype dtype, int64_t cols) {
    for (size_t i = 0; i < noise->n_blocks; i++)
        if (noise->blocks[i].dtype == dtype && noise->blocks[i].cols == cols)
            return &noise->blocks[i];
    if (noise->n_blocks == MAX_BLOCKS)
        return NULL;
    struct block *block = &noise->blocks[noise->n_blocks];
    *block = (struct block){.dtype = dtype, .cols = cols, .row_bytes = vlk_row_bytes(dtype, cols)};
    block->rows = vlk_alloc(BLOCK_ROWS, block->row_bytes);
    float *values = vlk_alloc((size_t)cols, sizeof *values);
    if (block->rows && values) {
        float scale = sqrtf(3.0f / (float)cols);
        for (int r = 0; r < BLOCK_ROWS; r++) {
            for (int64_t i = 0; i < cols; i++)
                values[i] = scale * next_float(noise);
            store_row(dtype, values, cols, block->rows + (size_t)r * block->row_bytes);
        }
        noise->n_blocks++;
    } else {
        vlk_free(block->rows);
        block = NULL;
    }
    vlk_free(values);
    return block;
}

static void fill_vector(struct noise *noise, struct vl2_tensor *t, uint8_t *data, int64_t size) {
    bool norm = strstr(t->name, "norm") && strstr(t->name, ".weight");
    for (int64_t i = 0; i < size; i++) {
        float value = norm ? 1 : 0.01f * next_float(noise);
        store_row(t->dtype, &value, 1, data + (size_t)i * vlk_row_bytes(t->dtype, 1));
    }
}

static vlk_dtype dtype_of(void *user, const char *name, int32_t n_dims) {
    const struct noise *noise = user;
    vl2_part_of part = vl2_part_of_tensor(name, n_dims);
    vlk_dtype dtype = VLK_BF16;
    if (noise->format != VL2_FORMAT_BF16 || part == VL2_OF_VISION || part == VL2_OF_PROJECTOR)
        dtype = vl2_part_dtype(part, n_dims, noise->format, noise->vision_int8, VLK_BF16);
    return n_dims != 2 && (dtype == VLK_I8G || dtype == VLK_I4G) ? VLK_BF16 : dtype;
}

static bool make_tensor(void *user, const char *name, int32_t n_dims, const int64_t *dims, struct vl2_tensor *out) {
    struct noise *noise = user;
    int64_t cols = dims[n_dims - 1], rows = 1;
    *out = (struct vl2_tensor){.is_float = true, .dtype = dtype_of(user, name, n_dims), .n_dims = n_dims, .file = "generated weights"};
    out->dtype_name = vlk_dtype_name(out->dtype);
    for (int32_t d = 0; d < n_dims; d++) {
        out->dims[d] = dims[d];
        rows *= d < n_dims - 1 ? dims[d] : 1;
    }
    out->bytes = (size_t)rows * vlk_row_bytes(out->dtype, cols);
    char *text = own(noise, strlen(name) + 1);
    uint8_t *data = text ? own_data(noise, out->bytes) : NULL;
    const struct block *block = data && n_dims > 1 ? find_block(noise, out->dtype, cols) : NULL;
    if (!data || (n_dims > 1 && !block))
        return false;
    memcpy(text, name, strlen(name) + 1);
    out->name = text;
    out->data = data;
    if (n_dims == 1)
        fill_vector(noise, out, data, cols);
    for (int64_t r = 0; n_dims > 1 && r < rows; r++)
        memcpy(data + (size_t)r * block->row_bytes,
               block->rows + (((size_t)r * 5 + noise->n_owned * 11) % BLOCK_ROWS) * block->row_bytes, block->row_bytes);
    return true;
}

static void close_noise(void *user) {
    struct noise *noise = user;
    for (size_t i = 0; i < noise->n_owned; i++)
        vlk_free(noise->owned[i]);
    for (size_t i = 0; i < noise->n_blocks; i++)
        vlk_free(noise->blocks[i].rows);
    vlk_free(noise->owned);
    vlk_free(noise);
}

vl2_status vl2_synthetic_weights(vl2_format format, bool vision_int8, size_t most, struct vl2_tensor_source *out, vl2_error *err) {
    struct noise *noise = vlk_alloc(1, sizeof *noise);
    void **owned = vlk_alloc(2 * most, sizeof *owned);
    if (!noise || !owned) {
        vlk_free(noise);
        vlk_free(owned);
        return vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory to generate %zu tensors.", most);
    }
    *noise = (struct noise){.format = format, .vision_int8 = vision_int8, .state = 1, .most = 2 * most, .owned = owned};
    *out = (struct vl2_tensor_source){.make = make_tensor, .dtype = dtype_of, .close = close_noise, .user = noise};
    return VL2_OK;
}
