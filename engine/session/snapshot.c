/* SPDX-License-Identifier: MIT
 *
 * A session's timeline in a file, so that a conversation of yesterday goes on without being read again. Written beside its place
 * and renamed; read with every length, id and checksum checked before anything is kept, and then it is one more branch
 * (engine/session/branches.h): whether it fits a conversation is decided by the next sync, token by token.
 *
 *   header | ids i32 [length] | spans [n_spans] | answers: { header, ids } [n_answers] | hash of all that
 *          | rows: layer by layer keys, then values [length][row] | hash of the rows
 *
 * In the byte order of the machine, for this machine. It holds what was said as ids, so it deserves the place and the end of
 * the conversation itself. A checksum finds damage, not malice: whoever can write here can write the history too.
 * Inference thread. See engine/vl2.h.
 */
#include "engine/session/session_parts.h"

#include "engine/checkpoint/checkpoint.h"
#include "engine/error.h"
#include "engine/model/backend_wait.h"
#include "engine/session/eviction.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { VERSION = 1, BLOCK = 1 << 20, SAMPLE = 4096 };

static const uint64_t magic = 0x31504e5332544c53; /* also tells the byte order */

struct header { /* no padding */
    uint64_t magic;
    uint32_t version, dtype;
    uint64_t model[2], file_bytes;
    char backend[8];
    uint32_t layers, row_bytes, length, n_spans, n_answers, answer_ids;
};

struct answer_header {
    uint64_t hash[2], length, n_ids;
};

/* ------------------------------------------------------------------------------------------------ which model */

static void add_file(XXH3_state_t *state, const char *dir, const char *name) {
    char path[4200], block[8192];
    size_t n;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "re");
    while (f && (n = fread(block, 1, sizeof block, f)) > 0)
        XXH3_128bits_update(state, block, n);
    if (f)
        fclose(f);
}

/* What it is called, how it lies, and a page from its middle. */
static void add_tensor(XXH3_state_t *state, const struct vl2_tensor *t) {
    XXH3_128bits_update(state, t->name, strlen(t->name) + 1);
    XXH3_128bits_update(state, t->dims, (size_t)t->n_dims * sizeof t->dims[0]);
    XXH3_128bits_update(state, t->dtype_name, strlen(t->dtype_name) + 1);
    XXH3_128bits_update(state, &t->bytes, sizeof t->bytes);
    size_t n = t->bytes < SAMPLE ? t->bytes : SAMPLE;
    XXH3_128bits_update(state, t->data + (t->bytes - n) / 2, n);
}

static void add_identity(XXH3_state_t *state, const char *path) {
    struct stat st;
    if (stat(path, &st) != 0)
        return;
    const int64_t facts[] = {(int64_t)st.st_size, (int64_t)st.st_mtim.tv_sec, (int64_t)st.st_mtim.tv_nsec};
    XXH3_128bits_update(state, facts, sizeof facts);
}

/* Hashing all weights would read gigabytes for each start, so a page from the middle of every tensor stands for it: no training
 * step and no conversion leaves all of those as they were. What changes a tensor elsewhere changes the time of its file, which is
 * in a cache's key with its size (files): a model that was copied starts without snapshots. */
static XXH128_hash_t hash_model(const struct vl2_engine *e, bool files) {
    static const char *const texts[] = {"config.json", "processor_config.json", "tokenizer.json", "tokenizer_config.json"};
    XXH3_state_t state;
    const char *last = NULL;
    XXH3_INITSTATE(&state);
    XXH3_128bits_reset(&state);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        add_file(&state, e->dir, texts[i]);
    for (size_t i = 0; i < vl2_checkpoint_count(e->checkpoint); i++) {
        const struct vl2_tensor *t = vl2_checkpoint_tensor(e->checkpoint, i);
        add_tensor(&state, t);
        if (files && (!last || strcmp(last, t->file) != 0))
            add_identity(&state, t->file);
        last = t->file;
    }
    return XXH3_128bits_digest(&state);
}

void vl2_engine_identity(const vl2_engine *e, char out[48]) {
    XXH128_hash_t hash = hash_model(e, false);
    snprintf(out, 48, "xxh3-128:%016llx%016llx", (unsigned long long)hash.high64, (unsigned long long)hash.low64);
}

/* Everything that a cache depends on. */
static void model_key(struct vl2_engine *e) {
    XXH128_hash_t hash = hash_model(e, true);
    e->key[0] = hash.low64;
    e->key[1] = hash.high64 | 1; /* 0 is "not computed yet" */
}

static struct header make_header(const struct vl2_session *s) {
    const struct vl2_config *c = &s->engine->config;
    struct header h = {.magic = magic, .version = VERSION, .dtype = (uint32_t)s->kv.dtype, .layers = (uint32_t)c->lm.layers};
    if (!s->engine->key[1])
        model_key(s->engine);
    memcpy(h.model, s->engine->key, sizeof h.model);
    snprintf(h.backend, sizeof h.backend, "%s", s->engine->backend->ops->name);
    h.row_bytes = (uint32_t)(vl2_kv_bytes(c, 1, s->kv.dtype) / (size_t)c->lm.layers);
    return h;
}

static uint64_t whole_bytes(const struct header *h) {
    return sizeof *h + 4ull * h->length + (uint64_t)h->n_spans * sizeof(struct vl2_picture_span) +
           (uint64_t)h->n_answers * sizeof(struct answer_header) + 4ull * h->answer_ids + 2 * sizeof(XXH128_hash_t) +
           (uint64_t)h->layers * h->row_bytes * h->length;
}

/* ------------------------------------------------------------------------------------------------ writing */

struct writer {
    int fd;
    XXH3_state_t state;
    bool failed;
};

static void put(struct writer *w, const void *data, size_t bytes) {
    const char *at = data;
    XXH3_128bits_update(&w->state, data, bytes);
    while (bytes && !w->failed) {
        ssize_t n = write(w->fd, at, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        w->failed = n <= 0;
        at += n;
        bytes -= (size_t)n;
    }
}

static void put_hash(struct writer *w) {
    XXH128_hash_t hash = XXH3_128bits_digest(&w->state);
    put(w, &hash, sizeof hash);
    XXH3_128bits_reset(&w->state);
}

/* Generated here and standing in this timeline: answers of other conversations stay where they are. The last token of an answer
 * may not have entered the cache. */
static bool is_said(const struct vl2_session *s, const struct vl2_answer *a) {
    if (!a->ids || a->n_ids < 2)
        return false;
    for (size_t at = 0; at + a->n_ids - 1 <= s->length; at++) {
        size_t n = s->length - at < a->n_ids ? s->length - at : a->n_ids;
        if (memcmp(s->ids + at, a->ids, n * sizeof *a->ids) == 0)
            return true;
    }
    return false;
}

static void put_timeline(struct writer *w, const struct vl2_session *s, const struct header *h) {
    put(w, h, sizeof *h);
    put(w, s->ids, h->length * sizeof *s->ids);
    put(w, s->spans, h->n_spans * sizeof *s->spans);
    for (size_t i = 0; i < VL2_MAX_ANSWERS; i++) {
        const struct vl2_answer *a = &s->answers.ring[i];
        if (!is_said(s, a))
            continue;
        put(w, &(struct answer_header){{a->hash[0], a->hash[1]}, a->length, a->n_ids}, sizeof(struct answer_header));
        put(w, a->ids, a->n_ids * sizeof *a->ids);
    }
    put_hash(w);
}

/* Row by row of the cache through one buffer; a cancel ends it like a failed write. */
static void put_rows(struct writer *w, const struct vl2_session *s, const struct header *h, uint8_t *block,
                     const vl2_cancel *cancel) {
    struct vlk_backend *be = s->engine->backend;
    for (uint32_t layer = 0; layer < h->layers; layer++) {
        const uint8_t *const parts[] = {s->kv.k[layer], s->kv.v[layer]};
        size_t bytes = (size_t)h->length * h->row_bytes / (parts[1] ? 2 : 1);
        for (int p = 0; p < 2 && parts[p]; p++)
            for (size_t at = 0; at < bytes && !w->failed; at += BLOCK) {
                size_t n = bytes - at < BLOCK ? bytes - at : BLOCK;
                be->ops->mem_read(be, block, parts[p] + at, n);
                put(w, block, n);
                w->failed |= cancel && atomic_load(cancel);
            }
    }
    put_hash(w);
}

static vl2_status write_file(const struct vl2_session *s, const struct header *h, char *temporary, const char *path,
                             uint8_t *block, const vl2_cancel *cancel, vl2_error *err) {
    struct writer w = {.fd = mkostemps(temporary, sizeof ".part" - 1, O_CLOEXEC)};
    if (w.fd < 0)
        return vl2_fail(err, VL2_ERR_IO, "%s cannot be written: %s.", temporary, strerror(errno));
    XXH3_INITSTATE(&w.state);
    XXH3_128bits_reset(&w.state);
    put_timeline(&w, s, h);
    put_rows(&w, s, h, block, cancel);
    int cause = errno;
    vl2_status status = vl2_backend_wait(s->engine, err); /* of a lost backend nothing was read: the hash would be right all the same */
    if (!w.failed && status == VL2_OK && fsync(w.fd) != 0) { /* else the name may be on the disk before what it names */
        cause = errno;
        w.failed = true;
    }
    if (close(w.fd) != 0 && !w.failed) {
        cause = errno;
        w.failed = true;
    }
    if (!w.failed && status == VL2_OK && rename(temporary, path) == 0)
        return VL2_OK;
    cause = w.failed ? cause : errno;
    unlink(temporary);
    if (status != VL2_OK)
        return status;
    if (cancel && atomic_load(cancel))
        return vl2_fail(err, VL2_CANCELLED, "Saving the session was cancelled.");
    return vl2_fail(err, VL2_ERR_IO, "%s cannot be written: %s.", path, strerror(cause));
}

/* A beginning is as valid as the whole: what is above the limit stays out. */
static void fit_length(struct header *h, uint64_t max_bytes) {
    uint64_t per_token = 4 + (uint64_t)h->layers * h->row_bytes, all = whole_bytes(h), above = all > max_bytes ? all - max_bytes : 0;
    uint64_t tokens = (above + per_token - 1) / per_token;
    h->length -= (uint32_t)(tokens < h->length ? tokens : h->length);
}

vl2_status vl2_session_save(vl2_session *s, const char *path, uint64_t max_bytes, const vl2_cancel *cancel, vl2_error *err) {
    struct header h = make_header(s);
    h.length = (uint32_t)s->length;
    h.n_spans = (uint32_t)s->n_spans;
    for (size_t i = 0; i < VL2_MAX_ANSWERS; i++)
        if (is_said(s, &s->answers.ring[i])) {
            h.n_answers++;
            h.answer_ids += (uint32_t)s->answers.ring[i].n_ids;
        }
    if (s->length == 0)
        return vl2_fail(err, VL2_ERR_USAGE, "The session has read nothing that could be saved.");
    if (max_bytes)
        fit_length(&h, max_bytes);
    if (h.length == 0)
        return vl2_fail(err, VL2_ERR_INPUT, "Nothing of the session can be saved in %llu bytes; %llu are allowed.",
                        (unsigned long long)whole_bytes(&h), (unsigned long long)max_bytes);
    while (h.n_spans && s->spans[h.n_spans - 1].first >= h.length)
        h.n_spans--;
    h.file_bytes = whole_bytes(&h);
    size_t length = strlen(path) + sizeof ".XXXXXX.part";
    char *temporary = vlk_alloc(length, 1);
    uint8_t *block = vlk_alloc(BLOCK, 1);
    vl2_status status = VL2_ERR_MEMORY;
    if (temporary && block) {
        snprintf(temporary, length, "%s.XXXXXX.part", path);
        status = vl2_session_bring_back(s, err);
        if (status == VL2_OK)
            status = write_file(s, &h, temporary, path, block, cancel, err);
    } else {
        vl2_fail(err, status, "There is not enough memory to save the session.");
    }
    vlk_free(temporary);
    vlk_free(block);
    return status;
}

/* ------------------------------------------------------------------------------------------------ reading */

struct reader {
    int fd;
    const char *path;
    XXH3_state_t state;
    vl2_error *err;
};

static vl2_status refuse(const struct reader *r, const char *reason) {
    return vl2_fail(r->err, VL2_ERR_INPUT, "%s is no snapshot for this model: %s.", r->path, reason);
}

/* Exactly `bytes`, hashed. */
static vl2_status get(struct reader *r, void *data, size_t bytes) {
    char *at = data;
    for (size_t left = bytes; left;) {
        ssize_t n = read(r->fd, at, left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return vl2_fail(r->err, VL2_ERR_IO, "%s cannot be read: %s.", r->path, strerror(errno));
        if (n == 0)
            return refuse(r, "it is cut short");
        at += n;
        left -= (size_t)n;
    }
    XXH3_128bits_update(&r->state, data, bytes);
    return VL2_OK;
}

static vl2_status check_hash(struct reader *r) {
    XXH128_hash_t found, wanted = XXH3_128bits_digest(&r->state);
    vl2_status status = get(r, &found, sizeof found);
    XXH3_128bits_reset(&r->state);
    if (status == VL2_OK && (found.low64 != wanted.low64 || found.high64 != wanted.high64))
        status = refuse(r, "it is damaged");
    return status;
}

bool vl2_is_snapshot(const char *path) {
    uint64_t begin = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd >= 0 ? read(fd, &begin, sizeof begin) : 0;
    if (fd >= 0)
        close(fd);
    return n == sizeof begin && (begin == magic || begin == __builtin_bswap64(magic));
}

/* Everything but the lengths has to be as this session would write it; the lengths have to add up to the file. */
static vl2_status check_header(const struct reader *r, const struct vl2_session *s, const struct header *h, uint64_t file_bytes) {
    struct header mine = make_header(s);
    if (h->magic != mine.magic || h->version != mine.version)
        return refuse(r, "it has another format");
    if (memcmp(h->model, mine.model, sizeof mine.model) != 0)
        return refuse(r, "it was made with another one");
    if (h->dtype != mine.dtype || h->layers != mine.layers || h->row_bytes != mine.row_bytes ||
        memcmp(h->backend, mine.backend, sizeof mine.backend) != 0)
        return refuse(r, "its cache has another form");
    if (h->length == 0 || h->length > s->capacity || h->n_spans > h->length || h->n_answers > VL2_MAX_ANSWERS ||
        h->answer_ids > VL2_MAX_ANSWERS * (s->capacity + 1))
        return refuse(r, "its lengths cannot be right");
    if (h->file_bytes != file_bytes || whole_bytes(h) != file_bytes)
        return refuse(r, "it is cut short");
    return VL2_OK;
}

static bool ids_are_valid(const struct vl2_session *s, const int32_t *ids, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= s->engine->config.lm.vocab)
            return false;
    return true;
}

static bool spans_are_valid(const struct vl2_branch *b) {
    for (size_t i = 0, end = 0; i < b->n_spans; i++) {
        const struct vl2_picture_span *span = &b->spans[i];
        if (span->first < end || span->first >= b->length || span->count == 0 || span->count > INT32_MAX ||
            span->key.grid_w < 1 || span->key.grid_h < 1)
            return false;
        end = span->first + span->count;
    }
    return true;
}

/* Ids without text: the text is only known by its hash. */
static vl2_status get_answers(struct reader *r, struct vl2_session *s, const struct header *h, struct vl2_answer *answers) {
    uint64_t left = h->answer_ids;
    for (uint32_t i = 0; i < h->n_answers; i++) {
        struct answer_header a;
        vl2_status status = get(r, &a, sizeof a);
        if (status != VL2_OK)
            return status;
        if (a.n_ids < 2 || a.n_ids > left || a.length == 0)
            return refuse(r, "an answer in it cannot be right");
        left -= a.n_ids;
        answers[i] = (struct vl2_answer){.hash = {a.hash[0], a.hash[1]}, .length = a.length, .n_ids = a.n_ids};
        answers[i].ids = vlk_alloc(a.n_ids, sizeof *answers[i].ids);
        if (!answers[i].ids)
            return vl2_fail(r->err, VL2_ERR_MEMORY, "There is not enough memory to restore %s.", r->path);
        status = get(r, answers[i].ids, a.n_ids * sizeof *answers[i].ids);
        if (status != VL2_OK)
            return status;
        if (!ids_are_valid(s, answers[i].ids, a.n_ids))
            return refuse(r, "an answer in it cannot be right");
    }
    return left ? refuse(r, "its lengths cannot be right") : VL2_OK;
}

static vl2_status get_branch(struct reader *r, struct vl2_session *s, const struct header *h, struct vl2_branch *b,
                             struct vl2_answer *answers) {
    vl2_status status = get(r, b->ids, b->length * sizeof *b->ids);
    if (status == VL2_OK)
        status = get(r, b->spans, b->n_spans * sizeof *b->spans);
    if (status == VL2_OK && !(ids_are_valid(s, b->ids, b->length) && spans_are_valid(b)))
        status = refuse(r, "what it says was read cannot be right");
    if (status == VL2_OK)
        status = get_answers(r, s, h, answers);
    if (status == VL2_OK)
        status = check_hash(r);
    if (status == VL2_OK)
        status = get(r, b->rows, b->bytes);
    return status == VL2_OK ? check_hash(r) : status;
}

static vl2_status read_file(struct reader *r, struct vl2_session *s, uint64_t file_bytes) {
    struct header h;
    struct vl2_branch branch;
    vl2_status status = get(r, &h, sizeof h);
    if (status == VL2_OK)
        status = check_header(r, s, &h, file_bytes);
    if (status != VL2_OK)
        return status;
    if ((uint64_t)h.layers * h.row_bytes * h.length > s->branches.budget)
        return refuse(r, "it is larger than what may be kept beside the cache");
    struct vl2_answer *answers = vlk_alloc(h.n_answers, sizeof *answers);
    if (!answers || !vl2_branch_alloc(s->engine, &s->kv, 0, h.length, h.n_spans, &branch)) {
        vlk_free(answers);
        return vl2_fail(r->err, VL2_ERR_MEMORY, "There is not enough memory to restore %s.", r->path);
    }
    status = get_branch(r, s, &h, &branch, answers);
    if (status == VL2_OK) {
        vl2_branches_add(&s->branches, &branch);
        for (uint32_t i = 0; i < h.n_answers; i++)
            vl2_answers_take(&s->answers, &answers[i]);
    }
    for (uint32_t i = 0; i < h.n_answers; i++)
        vlk_free(answers[i].ids);
    vl2_branch_free(&branch);
    vlk_free(answers);
    return status;
}

vl2_status vl2_session_restore(vl2_session *s, const char *path, vl2_error *err) {
    struct reader r = {.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), .path = path, .err = err};
    struct stat st;
    if (r.fd < 0)
        return vl2_fail(err, VL2_ERR_IO, "%s cannot be read: %s.", path, strerror(errno));
    XXH3_INITSTATE(&r.state);
    XXH3_128bits_reset(&r.state);
    vl2_status status = VL2_OK;
    if (fstat(r.fd, &st) != 0 || !S_ISREG(st.st_mode))
        status = vl2_fail(err, VL2_ERR_IO, "%s is not a file.", path);
    if (status == VL2_OK)
        status = read_file(&r, s, (uint64_t)st.st_size);
    close(r.fd);
    return status;
}
