/* SPDX-License-Identifier: MIT
 *
 * Writes a quantised checkpoint: every tensor is read once, in pieces, rounded on all processors, hashed and written. The
 * header's place is kept free and filled at the very end, so that an interrupted file does not open.
 * Called by the command line on its main thread. It knows the file format (engine/checkpoint/checkpoint.h), not the folder around it.
 */
#include "engine/checkpoint/checkpoint.h"
#include "engine/checkpoint/config.h"
#include "engine/checkpoint/tensor_parts.h"
#include "engine/error.h"
#include "engine/model/backend_wait.h"
#include "kernels/quant.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#define ALIGNMENT 64
#define PIECE_BYTES (8u << 20) /* of the source, at least a row */
#define MAX_THREADS 64

struct output { /* one tensor of the new file */
    struct vl2_tensor *source; /* NULL: padding */
    char padding[32];
    vlk_dtype dtype;
    uint64_t rows, cols, row_bytes, offset, bytes;
};

struct writer {
    vl2_checkpoint *checkpoint;
    const struct vl2_quantise_options *options;
    const char *path;
    struct output *outputs;
    size_t n_outputs;
    uint64_t bytes, done, total;
    int fd, threads;
    size_t header_bytes;
    XXH3_state_t *content, *source;
    uint8_t *piece;   /* rows as they are written */
    float *rows;      /* [threads][widest row] */
    size_t piece_bytes, widest;
    vl2_error *err;
};

bool vl2_format_from_name(const char *name, vl2_format *out) {
    for (vl2_format f = VL2_FORMAT_MIX; f <= VL2_FORMAT_BF16; f++) {
        if (strcmp(name, vl2_format_name(f)) == 0) {
            *out = f;
            return true;
        }
    }
    return false;
}

const char *vl2_format_name(vl2_format format) {
    static const char *const names[] = {"mix", "int8", "int4", "bf16"};
    return names[format];
}

vl2_status vl2_format_for(const char *dir, vl2_format *out, vl2_error *err) {
    struct vl2_config config;
    vl2_status status = vl2_config_load(dir, &config, err);
    if (status == VL2_OK)
        *out = config.lm.moe_inter < 512 ? VL2_FORMAT_INT8 : VL2_FORMAT_MIX;
    return status;
}

/* ------------------------------------------------------------------------------------------------ layout of the file */

static bool is_quantised(vlk_dtype dtype) {
    return dtype == VLK_I8G || dtype == VLK_I4G;
}

/* Names that stand in the metadata for something else than a tensor. */
static const char *const own_entries[] = {"format", "version", "layout", "quantisation", "source", "content", "changed"};

static bool is_own_entry(const char *name) {
    for (size_t i = 0; i < sizeof own_entries / sizeof own_entries[0]; i++)
        if (strcmp(name, own_entries[i]) == 0)
            return true;
    return false;
}

static void plan_output(const struct vl2_quantise_options *options, struct vl2_tensor *t, struct output *o) {
    *o = (struct output){.source = t, .rows = 1, .cols = 1, .dtype = t->dtype};
    for (int32_t d = 0; d < t->n_dims; d++)
        *(d == t->n_dims - 1 ? &o->cols : &o->rows) *= (uint64_t) t->dims[d];
    if (t->is_float)
        o->dtype = vl2_part_dtype(vl2_part_of_tensor(t->name, t->n_dims), t->n_dims, options->format, options->vision_int8, t->dtype);
    /* Groups do not pay for narrow rows, and only matrices can have them. */
    if (is_quantised(o->dtype) && (t->n_dims != 2 || vlk_row_bytes(o->dtype, (int64_t)o->cols) >= 2 * o->cols))
        o->dtype = VLK_BF16;
    if (t->is_float && o->dtype != t->dtype)
        o->row_bytes = vlk_row_bytes(o->dtype, (int64_t)o->cols);
    else
        o->row_bytes = o->rows ? t->bytes / o->rows : 0;
    o->bytes = o->rows * o->row_bytes;
}

/* Tensors in order of name, each at a multiple of 64; readers of safetensors accept no gaps, so that gaps are tensors. */
static vl2_status plan_file(struct writer *w) {
    size_t n = vl2_checkpoint_count(w->checkpoint);
    w->outputs = vlk_alloc(2 * n, sizeof *w->outputs);
    if (!w->outputs)
        return vl2_fail(w->err, VL2_ERR_MEMORY, "There is not enough memory for the list of %zu tensors.", n);
    for (size_t i = 0; i < n; i++) {
        struct vl2_tensor *t = vl2_checkpoint_tensor(w->checkpoint, i);
        struct output *o = &w->outputs[w->n_outputs++];
        plan_output(w->options, t, o);
        if (is_quantised(o->dtype) && is_own_entry(t->name))
            return vl2_fail(w->err, VL2_ERR_MODEL, "%s: a tensor cannot be called \"%s\" in a quantised file, where that is an entry of its "
                            "own.", t->file, t->name);
        o->offset = w->bytes;
        w->bytes += o->bytes;
        w->total += t->bytes;
        w->widest = o->cols > w->widest ? (size_t)o->cols : w->widest;
        w->piece_bytes = o->row_bytes > w->piece_bytes ? (size_t)o->row_bytes : w->piece_bytes;
        if (w->bytes % ALIGNMENT == 0 || i + 1 == n)
            continue;
        o = &w->outputs[w->n_outputs++];
        *o = (struct output){.offset = w->bytes, .bytes = ALIGNMENT - w->bytes % ALIGNMENT};
        snprintf(o->padding, sizeof o->padding, "padding.%zu", i);
        w->bytes += o->bytes;
    }
    return VL2_OK;
}

/* NULL without memory. */
static json_t *entry_of(const struct output *o) {
    json_t *shape = json_array();
    const char *dtype = "U8";
    int lost = 0;
    if (!o->source) {
        lost = json_array_append_new(shape, json_integer((json_int_t)o->bytes));
    } else if (is_quantised(o->dtype)) {
        lost = json_array_append_new(shape, json_integer((json_int_t)o->rows)) |
               json_array_append_new(shape, json_integer((json_int_t)o->row_bytes));
    } else {
        static const char *const names[] = {[VLK_F32] = "F32", [VLK_BF16] = "BF16", [VLK_F16] = "F16"};
        dtype = o->source->is_float ? names[o->dtype] : o->source->dtype_name;
        for (int32_t d = 0; d < o->source->n_dims; d++)
            lost |= json_array_append_new(shape, json_integer((json_int_t)o->source->dims[d]));
    }
    if (lost) {
        json_decref(shape);
        return NULL;
    }
    return json_pack("{s:s,s:o,s:[I,I]}", "dtype", dtype, "shape", shape, "data_offsets", (json_int_t)o->offset,
                     (json_int_t)(o->offset + o->bytes));
}

/* What the file is, and the type of every quantised tensor. NULL without memory. */
static json_t *make_metadata(const struct writer *w, const char *source, const char *content) {
    json_t *metadata = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "format", "sightline", "version", "1", "layout", "rows", "quantisation",
                                 vl2_format_name(w->options->format), "source", source, "content", content);
    char changed[256];
    snprintf(changed, sizeof changed, "These weights were changed: %s rounded them to %s. source is the hash of the unchanged ones.",
             w->options->program ? w->options->program : "Sightline", vl2_format_name(w->options->format));
    bool whole = json_object_set_new(metadata, "changed", json_string(changed)) == 0;
    for (size_t i = 0; i < w->n_outputs; i++) {
        const struct output *o = &w->outputs[i];
        char type[48];
        if (!o->source || !is_quantised(o->dtype))
            continue;
        snprintf(type, sizeof type, "%s %llu", o->dtype == VLK_I4G ? "I4G" : "I8G", (unsigned long long)o->cols);
        whole &= json_object_set_new(metadata, o->source->name, json_string(type)) == 0;
    }
    if (whole)
        return metadata;
    json_decref(metadata);
    return NULL;
}

/* The header as text, padded so that the data begins at a multiple of 64. Hashes have a fixed length, so that the text's
 * length is known before they are. NULL without memory. */
static char *make_header(const struct writer *w, const char *source, const char *content, size_t *length) {
    json_t *header = json_object();
    bool whole = json_object_set_new(header, "__metadata__", make_metadata(w, source, content)) == 0;
    for (size_t i = 0; i < w->n_outputs; i++)
        whole &= json_object_set_new(header, w->outputs[i].source ? w->outputs[i].source->name : w->outputs[i].padding,
                                     entry_of(&w->outputs[i])) == 0;
    size_t text = whole ? json_dumpb(header, NULL, 0, JSON_COMPACT) : 0;
    *length = (text + 8 + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    char *out = text ? vlk_alloc(*length, 1) : NULL;
    if (out) {
        for (int i = 0; i < 8; i++)
            out[i] = (char)((*length - 8) >> (8 * i) & 255);
        json_dumpb(header, out + 8, text, JSON_COMPACT);
        memset(out + 8 + text, ' ', *length - 8 - text);
    }
    json_decref(header);
    return out;
}

/* ------------------------------------------------------------------------------------------------ reading and rounding */

static bool convert_row(const struct output *o, const uint8_t *from, float *values, uint8_t *to) {
    size_t element = o->source->dtype == VLK_F32 ? 4 : 2;
    for (size_t i = 0; i < o->cols; i++)
        values[i] = vlk_float_at(o->source->dtype, from + i * element);
    if (is_quantised(o->dtype))
        return vlk_quantise(o->dtype, values, (int64_t)o->cols, to);
    if (o->dtype == VLK_F32) {
        memcpy(to, values, (size_t)o->cols * 4);
        return true;
    }
    for (size_t i = 0; i < o->cols; i++) {
        uint16_t half = vlk_f32_to_bf16(values[i]);
        memcpy(to + 2 * i, &half, 2);
    }
    return true;
}

struct share { /* one thread's rows of a piece */
    const struct output *output;
    const uint8_t *from;
    uint8_t *to;
    float *values;
    uint64_t rows;
    bool finite;
};

static void *convert_share(void *data) {
    struct share *s = data;
    size_t row = s->output->source->bytes / (size_t)s->output->rows;
    s->finite = true;
    for (uint64_t r = 0; r < s->rows && s->finite; r++)
        s->finite = convert_row(s->output, s->from + r * row, s->values, s->to + r * s->output->row_bytes);
    return NULL;
}

/* Rounds `rows` rows into w->piece; false when a value is not finite. */
static bool convert_piece(struct writer *w, const struct output *o, const uint8_t *from, uint64_t rows) {
    struct share shares[MAX_THREADS];
    pthread_t threads[MAX_THREADS];
    bool started[MAX_THREADS] = {false}, finite = true;
    uint64_t each = (rows + (uint64_t)w->threads - 1) / (uint64_t)w->threads, row = o->source->bytes / o->rows;
    int n = 0;
    for (uint64_t at = 0; at < rows; at += each, n++)
        shares[n] = (struct share){o, from + at * row, w->piece + at * o->row_bytes, w->rows + (size_t)n * w->widest,
                                   rows - at < each ? rows - at : each, false};
    for (int i = 1; i < n; i++)
        started[i] = pthread_create(&threads[i], NULL, convert_share, &shares[i]) == 0;
    for (int i = 0; i < n; i++) {
        if (!started[i]) /* the first share, and those that found no thread */
            convert_share(&shares[i]);
    }
    for (int i = 0; i < n; i++) {
        if (started[i])
            pthread_join(threads[i], NULL);
        finite = finite && shares[i].finite;
    }
    return finite;
}

/* ------------------------------------------------------------------------------------------------ writing */

static vl2_status write_bytes(struct writer *w, const void *data, size_t size) {
    const uint8_t *p = data;
    XXH3_128bits_update(w->content, data, size);
    while (size) {
        ssize_t n = write(w->fd, p, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return vl2_fail(w->err, VL2_ERR_IO, "%s cannot be written after %lld of %llu bytes: %s.", w->path,
                            (long long)lseek(w->fd, 0, SEEK_CUR), (unsigned long long)(w->header_bytes + w->bytes), strerror(errno));
        p += n;
        size -= (size_t)n;
    }
    return VL2_OK;
}

/* Pages of the source that are done with count as this process's memory until they are given back. */
static void forget(const uint8_t *from, uint64_t bytes) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), first = ((uintptr_t)from + page - 1) / page * page;
    uintptr_t last = ((uintptr_t)from + bytes) / page * page;
    if (last > first)
        madvise((void *)first, last - first, MADV_DONTNEED);
}

static vl2_status write_tensor(struct writer *w, const struct output *o) {
    static const uint8_t zeros[ALIGNMENT];
    const struct vl2_tensor *t = o->source;
    if (!t)
        return write_bytes(w, zeros, (size_t)o->bytes);
    XXH3_128bits_update(w->source, t->name, strlen(t->name) + 1);
    XXH3_128bits_update(w->source, t->dtype_name, strlen(t->dtype_name) + 1);
    XXH3_128bits_update(w->source, t->dims, (size_t)t->n_dims * sizeof t->dims[0]);
    bool same = !t->is_float || o->dtype == t->dtype;
    uint64_t row = o->rows ? t->bytes / o->rows : 0, rows = row ? PIECE_BYTES / row : 0;
    rows = rows ? rows : 1;
    for (uint64_t at = 0; at < o->rows && row; at += rows) {
        uint64_t n = o->rows - at < rows ? o->rows - at : rows;
        const uint8_t *from = t->data + at * row;
        XXH3_128bits_update(w->source, from, (size_t)(n * row));
        if (!same && !convert_piece(w, o, from, n))
            return vl2_fail(w->err, VL2_ERR_MODEL, "%s: tensor \"%.200s\" has values that are not finite.", t->file, t->name);
        vl2_status status = vl2_checkpoint_check(w->checkpoint, w->err);
        if (status == VL2_OK)
            status = write_bytes(w, same ? from : w->piece, (size_t)(same ? n * row : n * o->row_bytes));
        if (status == VL2_OK && vl2_watch_cancelled(w->options->watch))
            status = vl2_fail(w->err, VL2_CANCELLED, "Quantising was cancelled.");
        if (status != VL2_OK)
            return status;
        forget(from, n * row);
        w->done += n * row;
        vl2_watch_report(w->options->watch, VL2_STAGE_LOAD, w->done, w->total);
    }
    return VL2_OK;
}

static void hash_text(XXH3_state_t *state, char out[64]) {
    XXH128_hash_t hash = XXH3_128bits_digest(state);
    snprintf(out, 64, "xxh3-128:%016llx%016llx", (unsigned long long)hash.high64, (unsigned long long)hash.low64);
}

/* The header comes when all the data is safe: until then the file begins with zeros and is no safetensors file. */
static vl2_status write_header(struct writer *w, const char *source, const char *content) {
    size_t length = 0;
    char *header = make_header(w, source, content, &length);
    if (!header || length != w->header_bytes) {
        vlk_free(header);
        return vl2_fail(w->err, VL2_ERR_MEMORY, "There is not enough memory for the header of %s.", w->path);
    }
    bool ok = fsync(w->fd) == 0;
    for (size_t at = 0; ok && at < length;) {
        ssize_t n = pwrite(w->fd, header + at, length - at, (off_t)at);
        ok = n > 0 || (n < 0 && errno == EINTR);
        at += n > 0 ? (size_t)n : 0;
    }
    ok = ok && fsync(w->fd) == 0;
    vlk_free(header);
    return ok ? VL2_OK : vl2_fail(w->err, VL2_ERR_IO, "%s cannot be written: %s.", w->path, strerror(errno));
}

static vl2_status write_file(struct writer *w, struct vl2_quantise_report *report) {
    char content[64];
    char *header = make_header(w, "xxh3-128:00000000000000000000000000000000", "xxh3-128:00000000000000000000000000000000",
                               &w->header_bytes);
    bool room = header != NULL;
    vlk_free(header);
    size_t piece = w->piece_bytes > 2 * PIECE_BYTES ? w->piece_bytes : 2 * PIECE_BYTES; /* bf16 may become f32 */
    w->piece = vlk_alloc(piece, 1);
    w->rows = vlk_alloc((size_t)w->threads * w->widest, sizeof *w->rows);
    if (!room || !w->piece || !w->rows)
        return vl2_fail(w->err, VL2_ERR_MEMORY, "There is not enough memory to quantise %zu tensors.", w->n_outputs);
    w->fd = open(w->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (w->fd < 0)
        return vl2_fail(w->err, VL2_ERR_IO, "%s cannot be created: %s.", w->path, strerror(errno));
    if (lseek(w->fd, (off_t)w->header_bytes, SEEK_SET) < 0)
        return vl2_fail(w->err, VL2_ERR_IO, "%s cannot be written: %s.", w->path, strerror(errno));
    for (size_t i = 0; i < w->n_outputs; i++) {
        vl2_status status = write_tensor(w, &w->outputs[i]);
        if (status != VL2_OK)
            return status;
    }
    hash_text(w->source, report->source);
    hash_text(w->content, content);
    report->source_bytes = w->total;
    report->bytes = w->bytes;
    return write_header(w, report->source, content);
}

vl2_status vl2_quantise(const char *dir, const char *path, const struct vl2_quantise_options *options,
                        struct vl2_quantise_report *report, vl2_error *err) {
    struct writer w = {.options = options, .path = path, .fd = -1, .err = err};
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    w.threads = options->threads > 0 ? options->threads : processors > 0 ? (int)processors : 1;
    w.threads = w.threads > MAX_THREADS ? MAX_THREADS : w.threads;
    *report = (struct vl2_quantise_report){0};
    vl2_status status = vl2_checkpoint_open(dir, &w.checkpoint, err);
    if (status != VL2_OK)
        return status;
    w.content = XXH3_createState();
    w.source = XXH3_createState();
    if (!w.content || !w.source) {
        status = vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory to quantise %s.", dir);
    } else if (vl2_checkpoint_metadata(w.checkpoint, "quantisation")) {
        status = vl2_fail(err, VL2_ERR_MODEL, "%s is quantised already; quantise the original.", dir);
    } else {
        XXH3_128bits_reset(w.content);
        XXH3_128bits_reset(w.source);
        status = plan_file(&w);
        if (status == VL2_OK)
            status = write_file(&w, report);
    }
    if (w.fd >= 0 && close(w.fd) != 0 && status == VL2_OK)
        status = vl2_fail(err, VL2_ERR_IO, "%s cannot be written: %s.", path, strerror(errno));
    XXH3_freeState(w.content);
    XXH3_freeState(w.source);
    vlk_free(w.outputs);
    vlk_free(w.piece);
    vlk_free(w.rows);
    vl2_checkpoint_close(w.checkpoint);
    return status;
}

/* ------------------------------------------------------------------------------------------------ looking at one */

static void copy_entry(const vl2_checkpoint *checkpoint, const char *key, char *out, size_t size) {
    const char *value = vl2_checkpoint_metadata(checkpoint, key);
    snprintf(out, size, "%s", value ? value : "");
}

vl2_status vl2_contents_read(const char *dir, struct vl2_contents *out, vl2_error *err) {
    vl2_checkpoint *checkpoint;
    uint64_t bytes[VL2_OF_COUNT][VLK_DTYPE_COUNT] = {0};
    *out = (struct vl2_contents){0};
    vl2_status status = vl2_checkpoint_open(dir, &checkpoint, err);
    if (status != VL2_OK)
        return status;
    for (size_t i = 0; i < vl2_checkpoint_count(checkpoint); i++) {
        const struct vl2_tensor *t = vl2_checkpoint_tensor(checkpoint, i);
        vl2_part_of part = vl2_part_of_tensor(t->name, t->n_dims);
        uint64_t elements = 1;
        if (!t->is_float)
            continue;
        for (int32_t d = 0; d < t->n_dims; d++)
            elements *= (uint64_t)t->dims[d];
        out->parts[part].tensors++;
        out->parts[part].parameters += elements;
        out->parts[part].bytes += t->bytes;
        bytes[part][t->dtype] += t->bytes;
    }
    for (int part = 0; part < VL2_OF_COUNT; part++) {
        uint64_t most = 0;
        for (int dtype = 0; dtype < VLK_DTYPE_COUNT; dtype++) {
            if (bytes[part][dtype] > most) {
                most = bytes[part][dtype];
                out->parts[part].dtype = vlk_dtype_name((vlk_dtype)dtype);
            }
        }
    }
    if (vl2_checkpoint_metadata(checkpoint, "quantisation")) {
        copy_entry(checkpoint, "quantisation", out->quantisation, sizeof out->quantisation);
        copy_entry(checkpoint, "source", out->source, sizeof out->source);
        copy_entry(checkpoint, "content", out->content, sizeof out->content);
    }
    vl2_checkpoint_close(checkpoint);
    return VL2_OK;
}

vl2_status vl2_contents_verify(const char *dir, const struct vl2_watch *watch, vl2_error *err) {
    vl2_checkpoint *checkpoint;
    vl2_status status = vl2_checkpoint_open(dir, &checkpoint, err);
    if (status != VL2_OK)
        return status;
    const char *wanted = vl2_checkpoint_metadata(checkpoint, "content");
    XXH3_state_t *state = XXH3_createState();
    char found[64];
    if (!wanted)
        status = vl2_fail(err, VL2_ERR_MODEL, "%s carries no hash of its data to compare with.", dir);
    else if (!state)
        status = vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory to read %s.", dir);
    if (status == VL2_OK) {
        size_t size, n;
        const uint8_t *data = vl2_checkpoint_data(checkpoint, &size);
        XXH3_128bits_reset(state);
        for (size_t at = 0; at < size && status == VL2_OK; at += n) {
            n = size - at < PIECE_BYTES ? size - at : PIECE_BYTES;
            XXH3_128bits_update(state, data + at, n);
            forget(data + at, n);
            vl2_watch_report(watch, VL2_STAGE_LOAD, at + n, size);
            if (vl2_watch_cancelled(watch))
                status = vl2_fail(err, VL2_CANCELLED, "Verifying was cancelled.");
        }
        hash_text(state, found);
        if (status == VL2_OK)
            status = vl2_checkpoint_check(checkpoint, err);
        if (status == VL2_OK && strcmp(found, wanted) != 0)
            status = vl2_fail(err, VL2_ERR_MODEL, "%s is damaged: its data has the hash %s, its header says %.60s.", dir, found, wanted);
    }
    XXH3_freeState(state);
    vl2_checkpoint_close(checkpoint);
    return status;
}
