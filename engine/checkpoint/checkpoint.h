/* SPDX-License-Identifier: MIT
 *
 * A checkpoint directory: its tensors. One or many safetensors files (with model.safetensors.index.json),
 * mapped read-only; every header, offset, shape and dtype is checked before a byte of data is believed.
 *
 * A quantised checkpoint is safetensors too, with these entries of __metadata__: "format" = "sightline", "version" = "1",
 * "layout" = "rows", "quantisation" (what it was made as), "source" and "content" (hashes, engine/checkpoint/quantise.c), and for every
 * quantised tensor its name → its type and columns ("I4G 1280"); such a tensor is U8 [rows][bytes of a row of kernels/quant.h].
 * A later layout gets its own name, and the backend's weight_import() turns what is not its own.
 * Used by engine.c and weights.c on the inference thread. It must not know what a tensor means.
 */
#ifndef VL2_CHECKPOINT_H
#define VL2_CHECKPOINT_H

#include "engine/vl2.h"
#include "kernels/vlk.h"

#define VL2_MAX_DIMS 8
#define VL2_MAX_SHARDS 1024
#define VL2_MAX_TENSORS 1000000
#define VL2_MAX_HEADER_BYTES (100u << 20) /* the limit that the safetensors library itself sets */

struct vl2_tensor {
    const char *name;
    const char *dtype_name; /* as in the file: "BF16", "I64", …; "I8G" and "I4G" for quantised ones */
    bool is_float;          /* dtype is valid: F32, BF16, F16 or quantised */
    vlk_dtype dtype;
    int32_t n_dims;
    int64_t dims[VL2_MAX_DIMS]; /* in weights, whatever their type */
    const uint8_t *data; /* in the mapped file, any alignment */
    size_t bytes;
    const char *file; /* path, for messages */
    bool used;        /* set by weights.c */
};

typedef struct vl2_checkpoint vl2_checkpoint;

/* Opens every tensor file of a directory. Does not read the tensors' data. */
vl2_status vl2_checkpoint_open(const char *dir, vl2_checkpoint **out, vl2_error *err);
void vl2_checkpoint_close(vl2_checkpoint *checkpoint);

/* What makes the tensors of a checkpoint without files (engine/checkpoint/synthetic_weights.h). */
struct vl2_tensor_source {
    /* Fills *out, whose name and data belong to the source. False without memory. */
    bool (*make)(void *user, const char *name, int32_t n_dims, const int64_t *dims, struct vl2_tensor *out);
    vlk_dtype (*dtype)(void *user, const char *name, int32_t n_dims); /* of what make would make */
    void (*close)(void *user);
    void *user;
};

/* A checkpoint without files, of at most `most` tensors, which the source makes when they are looked for with their shape. Takes
 * the source, which is closed with the checkpoint, or at once where this fails. */
vl2_status vl2_checkpoint_from_source(const struct vl2_tensor_source *source, size_t most, vl2_checkpoint **out, vl2_error *err);
bool vl2_checkpoint_generated(const vl2_checkpoint *checkpoint);
/* A tensor of a generated checkpoint; NULL for others, and when memory is short. */
struct vl2_tensor *vl2_checkpoint_make(vl2_checkpoint *checkpoint, const char *name, int32_t n_dims, const int64_t *dims);

/* The type of a tensor, made or not; false where there is none of that name, or none of a type that is computed with. */
bool vl2_checkpoint_dtype(vl2_checkpoint *checkpoint, const char *name, int32_t n_dims, vlk_dtype *out);

/* NULL when there is no tensor of that name. */
struct vl2_tensor *vl2_checkpoint_find(vl2_checkpoint *checkpoint, const char *name);

size_t vl2_checkpoint_count(const vl2_checkpoint *checkpoint);
size_t vl2_checkpoint_most(const vl2_checkpoint *checkpoint); /* the count, and what may still be made */
struct vl2_tensor *vl2_checkpoint_tensor(vl2_checkpoint *checkpoint, size_t i); /* sorted by name */
uint64_t vl2_checkpoint_bytes(const vl2_checkpoint *checkpoint);                /* of all tensors */

/* An entry of the first file's __metadata__, NULL when there is none. */
const char *vl2_checkpoint_metadata(const vl2_checkpoint *checkpoint, const char *key);
/* The data section of the first file, where "content" is the hash of. */
const uint8_t *vl2_checkpoint_data(const vl2_checkpoint *checkpoint, size_t *size);

/* VL2_ERR_IO naming the file when a mapped file shrank or failed while it was in use. */
vl2_status vl2_checkpoint_check(const vl2_checkpoint *checkpoint, vl2_error *err);

#endif
