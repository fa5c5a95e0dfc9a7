/* SPDX-License-Identifier: MIT
 *
 * safetensors: u64 little-endian header length, JSON header, data. See engine/checkpoint/checkpoint.h.
 * A header is data from a stranger: lengths are compared by subtraction (no sum that can wrap), data ranges may neither
 * leave the file nor overlap, names may not repeat within or across the files.
 */
#include "engine/checkpoint/checkpoint.h"

#include "engine/error.h"
#include "engine/files/json.h"
#include "engine/files/mapped_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct shard {
    char *path;
    struct vl2_mapped_file file;
    json_t *header; /* owns the tensors' names */
    size_t data;    /* where the tensors begin; the header's length in the file may change after it was checked */
};

struct vl2_checkpoint {
    struct shard *shards;
    size_t n_shards;
    struct vl2_tensor *tensors; /* sorted by name */
    size_t n_tensors, tensor_capacity;
    uint64_t bytes;
    struct vl2_tensor_source source; /* what makes the tensors of a generated checkpoint, all NULL otherwise */
};

struct dtype_info {
    const char *name;
    uint64_t bits;
    bool is_float;
    vlk_dtype dtype;
};

/* All that safetensors 0.8.0 knows; those that are no float here may lie in a file as long as the model has no use for them. */
static const struct dtype_info dtypes[] = {
    {"F32", 32, true, VLK_F32},   {"BF16", 16, true, VLK_BF16},  {"F16", 16, true, VLK_F16},   {"F64", 64, false, 0},
    {"C64", 64, false, 0},        {"I64", 64, false, 0},         {"U64", 64, false, 0},        {"I32", 32, false, 0},
    {"U32", 32, false, 0},        {"I16", 16, false, 0},         {"U16", 16, false, 0},        {"I8", 8, false, 0},
    {"U8", 8, false, 0},          {"BOOL", 8, false, 0},         {"F8_E4M3", 8, false, 0},     {"F8_E5M2", 8, false, 0},
    {"F8_E8M0", 8, false, 0},     {"F8_E4M3FNUZ", 8, false, 0},  {"F8_E5M2FNUZ", 8, false, 0}, {"F6_E2M3", 6, false, 0},
    {"F6_E3M2", 6, false, 0},     {"F4", 4, false, 0},
};

static const struct dtype_info *find_dtype(const char *name) {
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++)
        if (strcmp(dtypes[i].name, name) == 0)
            return &dtypes[i];
    return NULL;
}

static char *join_path(const char *dir, const char *name) {
    size_t length = strlen(dir) + 1 + strlen(name) + 1;
    char *path = vlk_alloc(length, 1);
    if (path)
        snprintf(path, length, "%s/%s", dir, name);
    return path;
}

/* The entry's dtype, shape and offsets → *out. `data` is the file's data section of data_bytes bytes. */
static vl2_status read_entry(const char *path, const char *name, json_t *entry, const uint8_t *data, size_t data_bytes,
                             struct vl2_tensor *out, vl2_error *err) {
    const char *dtype_name = json_string_value(json_object_get(entry, "dtype"));
    json_t *shape = json_object_get(entry, "shape"), *offsets = json_object_get(entry, "data_offsets");
    if (!dtype_name || !json_is_array(shape) || !json_is_array(offsets) || json_array_size(offsets) != 2)
        return vl2_fail(err, VL2_ERR_MODEL, "%s: tensor \"%.200s\" has no dtype, shape or data_offsets.", path, name);
    const struct dtype_info *info = find_dtype(dtype_name);
    if (!info)
        return vl2_fail(err, VL2_ERR_MODEL, "%s: tensor \"%.200s\" has the unknown dtype \"%.40s\".", path, name, dtype_name);
    size_t n_dims = json_array_size(shape);
    if (n_dims > VL2_MAX_DIMS)
        return vl2_fail(err, VL2_ERR_MODEL, "%s: tensor \"%.200s\" has %zu dimensions; at most %d are accepted.", path, name,
                        n_dims, VL2_MAX_DIMS);
    uint64_t bits = info->bits;
    for (size_t d = 0; d < n_dims; d++) {
        json_t *dim = json_array_get(shape, d);
        json_int_t value = json_integer_value(dim);
        if (!json_is_integer(dim) || value < 0)
            return vl2_fail(err, VL2_ERR_MODEL, "%s: dimension %zu of tensor \"%.200s\" is not a size.", path, d, name);
        if (__builtin_mul_overflow(bits, (uint64_t)value, &bits))
            return vl2_fail(err, VL2_ERR_MODEL, "%s: the shape of tensor \"%.200s\" overflows.", path, name);
        out->dims[d] = value;
    }
    json_t *first = json_array_get(offsets, 0), *last = json_array_get(offsets, 1);
    json_int_t begin = json_integer_value(first), end = json_integer_value(last);
    if (!json_is_integer(first) || !json_is_integer(last) || begin < 0 || end < begin)
        return vl2_fail(err, VL2_ERR_MODEL, "%s: the data_offsets of tensor \"%.200s\" are not a range.", path, name);
    if ((uint64_t)end > data_bytes)
        return vl2_fail(err, VL2_ERR_MODEL,
                        "%s: tensor \"%.200s\" ends at byte %lld of %zu data bytes: the file is truncated or its header lies.",
                        path, name, (long long)end, data_bytes);
    uint64_t bytes = bits / 8;
    if ((uint64_t)(end - begin) != bytes || bits % 8)
        return vl2_fail(err, VL2_ERR_MODEL, "%s: tensor \"%.200s\" has %lld bytes where its shape and dtype need %llu%s.", path,
                        name, (long long)(end - begin), (unsigned long long)bytes, bits % 8 ? " and a part of one" : "");
    out->name = name;
    out->dtype_name = info->name;
    out->is_float = info->is_float;
    out->dtype = info->dtype;
    out->n_dims = (int32_t)n_dims;
    out->data = data + begin;
    out->bytes = (size_t)bytes;
    out->file = path;
    return VL2_OK;
}

/* Is the file a quantised one, and one that this version understands? *metadata stays NULL where it is not quantised. */
static vl2_status read_metadata(const struct shard *shard, json_t **metadata, vl2_error *err) {
    json_t *object = json_object_get(shard->header, "__metadata__");
    const char *format = json_string_value(json_object_get(object, "format"));
    *metadata = NULL;
    if (!format || strcmp(format, "sightline") != 0) /* others write "pt", "np", … */
        return VL2_OK;
    const char *version = json_string_value(json_object_get(object, "version"));
    const char *layout = json_string_value(json_object_get(object, "layout"));
    if (!version || strcmp(version, "1") != 0 || !layout || strcmp(layout, "rows") != 0)
        return vl2_fail(err, VL2_ERR_MODEL, "%s is quantised in version %.20s, layout %.20s; this program knows version 1, layout rows.",
                        shard->path, version ? version : "?", layout ? layout : "?");
    *metadata = object;
    return VL2_OK;
}

/* "I4G 1280": makes the U8 tensor [rows][bytes] one of 1280 columns. */
static vl2_status read_quantised(struct vl2_tensor *t, const char *type, vl2_error *err) {
    static const vlk_dtype types[] = {VLK_I8G, VLK_I4G};
    static const char *const names[] = {"I8G", "I4G"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        char *end = NULL;
        if (strncmp(type, names[i], 3) != 0 || type[3] != ' ' || type[4] < '1' || type[4] > '9')
            continue;
        long long cols = strtoll(type + 4, &end, 10);
        if (*end || cols > INT32_MAX || t->n_dims != 2 || strcmp(t->dtype_name, "U8") != 0 ||
            (uint64_t)t->dims[1] != vlk_row_bytes(types[i], cols))
            break;
        t->dtype_name = names[i];
        t->dtype = types[i];
        t->is_float = true;
        t->dims[1] = cols;
        return VL2_OK;
    }
    return vl2_fail(err, VL2_ERR_MODEL, "%s: tensor \"%.200s\" is not what its metadata says (\"%.40s\").", t->file, t->name, type);
}

static int compare_data(const void *a, const void *b) {
    const struct vl2_tensor *x = a, *y = b;
    if (x->data != y->data)
        return x->data < y->data ? -1 : 1;
    return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(((const struct vl2_tensor *)a)->name, ((const struct vl2_tensor *)b)->name);
}

static vl2_status check_overlap(struct vl2_tensor *tensors, size_t n, vl2_error *err) {
    const struct vl2_tensor *before = NULL; /* the last one that has data */
    qsort(tensors, n, sizeof *tensors, compare_data);
    for (size_t i = 0; i < n; i++) {
        if (!tensors[i].bytes)
            continue;
        if (before && tensors[i].data < before->data + before->bytes)
            return vl2_fail(err, VL2_ERR_MODEL, "%s: the data of tensors \"%.120s\" and \"%.120s\" overlap.", tensors[i].file,
                            before->name, tensors[i].name);
        before = &tensors[i];
    }
    return VL2_OK;
}

static vl2_status reserve_tensors(struct vl2_checkpoint *cp, size_t more, const char *path, vl2_error *err) {
    if (more > VL2_MAX_TENSORS - cp->n_tensors)
        return vl2_fail(err, VL2_ERR_MODEL, "%s: more than %d tensors.", path, VL2_MAX_TENSORS);
    size_t needed = cp->n_tensors + more;
    if (needed <= cp->tensor_capacity)
        return VL2_OK;
    size_t capacity = needed + cp->tensor_capacity / 2;
    void *p = vlk_realloc(cp->tensors, cp->tensor_capacity * sizeof *cp->tensors, capacity * sizeof *cp->tensors);
    if (!p)
        return vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory for the list of %zu tensors.", needed);
    cp->tensors = p;
    cp->tensor_capacity = capacity;
    return VL2_OK;
}

static vl2_status read_header(struct vl2_checkpoint *cp, struct shard *shard, vl2_error *err) {
    const struct vl2_mapped_file *file = &shard->file;
    if (file->size < 8)
        return vl2_fail(err, VL2_ERR_MODEL, "%s has %zu bytes: it is not a safetensors file.", shard->path, file->size);
    uint64_t length = 0;
    for (int i = 7; i >= 0; i--)
        length = length << 8 | file->data[i];
    if (length > VL2_MAX_HEADER_BYTES || length > file->size - 8)
        return vl2_fail(err, VL2_ERR_MODEL,
                        "%s announces a header of %llu bytes in a file of %zu: it is truncated or not a safetensors file.",
                        shard->path, (unsigned long long)length, file->size);
    shard->data = 8 + (size_t)length;
    vl2_status status = vl2_json_parse((const char *)file->data + 8, (size_t)length, shard->path, &shard->header, err);
    if (status == VL2_OK)
        status = reserve_tensors(cp, json_object_size(shard->header), shard->path, err);
    if (status != VL2_OK)
        return status;
    size_t first = cp->n_tensors;
    const char *name;
    json_t *entry, *metadata;
    status = read_metadata(shard, &metadata, err);
    if (status != VL2_OK)
        return status;
    json_object_foreach (shard->header, name, entry) {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        struct vl2_tensor *tensor = &cp->tensors[cp->n_tensors];
        *tensor = (struct vl2_tensor){0};
        status = read_entry(shard->path, name, entry, file->data + shard->data, file->size - shard->data, tensor, err);
        const char *type = json_string_value(json_object_get(metadata, name));
        if (status == VL2_OK && type)
            status = read_quantised(tensor, type, err);
        if (status != VL2_OK)
            return status;
        cp->bytes += tensor->bytes;
        cp->n_tensors++;
    }
    return cp->n_tensors == first ? VL2_OK : check_overlap(cp->tensors + first, cp->n_tensors - first, err);
}

static vl2_status add_shard(struct vl2_checkpoint *cp, const char *dir, const char *name, vl2_error *err) {
    struct shard *shards = vlk_realloc(cp->shards, cp->n_shards * sizeof *shards, (cp->n_shards + 1) * sizeof *shards);
    if (!shards)
        return vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory to open %s.", name);
    cp->shards = shards;
    struct shard *shard = &shards[cp->n_shards];
    *shard = (struct shard){.file.slot = -1, .path = join_path(dir, name)};
    if (!shard->path)
        return vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory to open %s.", name);
    cp->n_shards++;
    vl2_status status = vl2_mapped_file_open(shard->path, &shard->file, err);
    return status == VL2_OK ? read_header(cp, shard, err) : status;
}

/* A shard's name comes from a file: it may only name a file beside the index. */
static bool is_plain_name(const char *name) {
    size_t length = strlen(name);
    return length > 0 && length <= NAME_MAX && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static vl2_status add_indexed_shards(struct vl2_checkpoint *cp, const char *dir, const char *index_name, vl2_error *err) {
    json_t *index = NULL;
    vl2_status status = vl2_json_load(dir, index_name, &index, err);
    if (status != VL2_OK)
        return status;
    json_t *map = json_object_get(index, "weight_map"), *value;
    if (!json_is_object(map) || json_object_size(map) == 0)
        status = vl2_fail(err, VL2_ERR_MODEL, "%s/%s has no weight_map.", dir, index_name);
    const char *tensor_name;
    json_object_foreach (map, tensor_name, value) {
        const char *file = json_string_value(value);
        if (status != VL2_OK)
            break;
        if (!file || !is_plain_name(file)) {
            status = vl2_fail(err, VL2_ERR_MODEL, "%s/%s: tensor \"%.200s\" is mapped to something that is not a file name.", dir,
                              index_name, tensor_name);
            break;
        }
        bool known = false;
        size_t dir_length = strlen(dir) + 1;
        for (size_t i = 0; i < cp->n_shards && !known; i++)
            known = strcmp(cp->shards[i].path + dir_length, file) == 0;
        if (known)
            continue;
        if (cp->n_shards == VL2_MAX_SHARDS)
            status = vl2_fail(err, VL2_ERR_MODEL, "%s/%s names more than %d files.", dir, index_name, VL2_MAX_SHARDS);
        else
            status = add_shard(cp, dir, file, err);
    }
    if (status == VL2_OK)
        qsort(cp->tensors, cp->n_tensors, sizeof *cp->tensors, compare_names);
    json_object_foreach (map, tensor_name, value) {
        if (status != VL2_OK)
            break;
        struct vl2_tensor *tensor = vl2_checkpoint_find(cp, tensor_name);
        const char *file = json_string_value(value);
        if (!tensor || strcmp(tensor->file + strlen(dir) + 1, file) != 0)
            status = vl2_fail(err, VL2_ERR_MODEL, "%s/%s: tensor \"%.200s\" is not in %s.", dir, index_name, tensor_name, file);
    }
    json_decref(index);
    return status;
}

static vl2_status check_duplicates(struct vl2_checkpoint *cp, vl2_error *err) {
    if (cp->n_tensors) /* the table does not exist before */
        qsort(cp->tensors, cp->n_tensors, sizeof *cp->tensors, compare_names);
    for (size_t i = 1; i < cp->n_tensors; i++)
        if (compare_names(&cp->tensors[i - 1], &cp->tensors[i]) == 0)
            return vl2_fail(err, VL2_ERR_MODEL, "Tensor \"%.200s\" is both in %s and in %s.", cp->tensors[i].name,
                            cp->tensors[i - 1].file, cp->tensors[i].file);
    return VL2_OK;
}

static bool file_exists(const char *dir, const char *name, bool *memory) {
    char *path = join_path(dir, name);
    bool exists = path && access(path, F_OK) == 0;
    *memory = path != NULL;
    vlk_free(path);
    return exists;
}

vl2_status vl2_checkpoint_open(const char *dir, vl2_checkpoint **out, vl2_error *err) {
    static const char index_name[] = "model.safetensors.index.json", single_name[] = "model.safetensors";
    *out = NULL;
    struct vl2_checkpoint *cp = vlk_alloc(1, sizeof *cp);
    bool memory = cp != NULL, indexed = cp && file_exists(dir, index_name, &memory);
    if (!memory) {
        vlk_free(cp);
        return vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory to open %s.", dir);
    }
    vl2_status status = indexed ? add_indexed_shards(cp, dir, index_name, err) : add_shard(cp, dir, single_name, err);
    if (status == VL2_OK)
        status = check_duplicates(cp, err);
    if (status == VL2_OK)
        status = vl2_checkpoint_check(cp, err);
    if (status != VL2_OK) {
        vl2_checkpoint_close(cp);
        return status;
    }
    *out = cp;
    return VL2_OK;
}

vl2_status vl2_checkpoint_from_source(const struct vl2_tensor_source *source, size_t most, vl2_checkpoint **out, vl2_error *err) {
    struct vl2_checkpoint *cp = vlk_alloc(1, sizeof *cp);
    struct vl2_tensor *tensors = vlk_alloc(most, sizeof *tensors);
    *out = NULL;
    if (!cp || !tensors) {
        vlk_free(cp);
        vlk_free(tensors);
        source->close(source->user);
        return vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory to generate %zu tensors.", most);
    }
    cp->tensors = tensors;
    cp->tensor_capacity = most;
    cp->source = *source;
    *out = cp;
    return VL2_OK;
}

struct vl2_tensor *vl2_checkpoint_make(vl2_checkpoint *cp, const char *name, int32_t n_dims, const int64_t *dims) {
    if (!cp->source.make || cp->n_tensors == cp->tensor_capacity)
        return NULL;
    struct vl2_tensor *tensor = &cp->tensors[cp->n_tensors];
    if (!cp->source.make(cp->source.user, name, n_dims, dims, tensor))
        return NULL;
    cp->n_tensors++;
    cp->bytes += tensor->bytes;
    return tensor;
}

bool vl2_checkpoint_dtype(vl2_checkpoint *cp, const char *name, int32_t n_dims, vlk_dtype *out) {
    const struct vl2_tensor *t = vl2_checkpoint_find(cp, name);
    if (cp->source.dtype)
        *out = cp->source.dtype(cp->source.user, name, n_dims);
    else if (t)
        *out = t->dtype;
    return cp->source.dtype || (t && t->is_float);
}

void vl2_checkpoint_close(vl2_checkpoint *cp) {
    if (!cp)
        return;
    if (cp->source.close)
        cp->source.close(cp->source.user);
    for (size_t i = 0; i < cp->n_shards; i++) {
        json_decref(cp->shards[i].header);
        vl2_mapped_file_close(&cp->shards[i].file);
        vlk_free(cp->shards[i].path);
    }
    vlk_free(cp->shards);
    vlk_free(cp->tensors);
    vlk_free(cp);
}

struct vl2_tensor *vl2_checkpoint_find(vl2_checkpoint *cp, const char *name) {
    if (cp->n_tensors == 0 || cp->source.make)
        return NULL;
    struct vl2_tensor key = {.name = name};
    return bsearch(&key, cp->tensors, cp->n_tensors, sizeof key, compare_names);
}

size_t vl2_checkpoint_count(const vl2_checkpoint *cp) {
    return cp->n_tensors;
}

size_t vl2_checkpoint_most(const vl2_checkpoint *cp) {
    return cp->source.make ? cp->tensor_capacity : cp->n_tensors;
}

bool vl2_checkpoint_generated(const vl2_checkpoint *cp) {
    return cp->source.make != NULL;
}

struct vl2_tensor *vl2_checkpoint_tensor(vl2_checkpoint *cp, size_t i) {
    return &cp->tensors[i];
}

uint64_t vl2_checkpoint_bytes(const vl2_checkpoint *cp) {
    return cp->bytes;
}

const char *vl2_checkpoint_metadata(const vl2_checkpoint *cp, const char *key) {
    if (cp->n_shards == 0)
        return NULL;
    return json_string_value(json_object_get(json_object_get(cp->shards[0].header, "__metadata__"), key));
}

const uint8_t *vl2_checkpoint_data(const vl2_checkpoint *cp, size_t *size) {
    const struct shard *shard = &cp->shards[0];
    *size = shard->file.size - shard->data;
    return shard->file.data + shard->data;
}

vl2_status vl2_checkpoint_check(const vl2_checkpoint *cp, vl2_error *err) {
    for (size_t i = 0; i < cp->n_shards; i++)
        if (vl2_mapped_file_damaged(&cp->shards[i].file))
            return vl2_fail(err, VL2_ERR_IO, "%s was cut or could not be read while it was in use.", cp->shards[i].path);
    return VL2_OK;
}
