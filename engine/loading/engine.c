/* SPDX-License-Identifier: MIT
 *
 * Opening and closing a model: backend, config, tokenizer, tensors, rotary tables, facts. See engine/vl2.h. Everything is
 * checked here, so that the forward pass never meets a shape or an id that does not fit.
 */
#include "engine/model/model.h"

#include "engine/checkpoint/checkpoint.h"
#include "engine/checkpoint/config.h"
#include "engine/checkpoint/published_shapes.h"
#include "engine/checkpoint/weights.h"
#include "engine/error.h"
#include "engine/files/read_ahead.h"
#include "engine/files/system_memory.h"
#include "engine/grounding/box_grammar.h"
#include "engine/loading/device_plan.h"
#include "engine/loading/memory_check.h"
#include "engine/loading/memory_plan.h"
#include "engine/model/backend_wait.h"
#include "engine/model/decoder.h"
#include "engine/model/rope.h"
#include "engine/text/tokenizer.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

enum { TOKENIZER_GROWTH = 4 }; /* tables of a tokenizer over its file, measured on 129,000 entries */
enum { KEPT_MEMORY = 512 << 10 };

static vl2_status backend_failure(const struct vlk_error *failure, vl2_error *err) {
    return vl2_fail(err, failure->code == VLK_ERR_MEMORY ? VL2_ERR_MEMORY : VL2_ERR_DEVICE, "%s", failure->text);
}

static vl2_status open_cpu(struct vl2_engine *e, const struct vl2_engine_options *options, vl2_error *err) {
    struct vlk_error failure = {0};
    e->backend = vlk_cpu_open(&(struct vlk_cpu_options){.threads = options->threads, .isa = options->isa}, &failure);
    return e->backend ? VL2_OK : backend_failure(&failure, err);
}

static void close_backend(struct vl2_engine *e) {
    if (!e->backend)
        return;
    vl2_weights_deinit(e->backend, &e->config, &e->weights);
    if (e->rope_cos)
        e->backend->ops->mem_free(e->backend, e->rope_cos);
    if (e->rope_sin)
        e->backend->ops->mem_free(e->backend, e->rope_sin);
    if (e->common_logits)
        e->backend->ops->mem_free(e->backend, e->common_logits);
    e->rope_cos = e->rope_sin = e->common_logits = NULL;
    e->backend->ops->close(e->backend);
    e->backend = NULL;
    e->host_layers = 0;
    e->host_bytes = 0;
}

static vl2_status open_cuda(struct vl2_engine *e, int gpu, const struct vl2_engine_options *options, vl2_error *err) {
    struct vlk_error failure = {0};
    e->backend = vlk_cuda_open(&(struct vlk_cuda_options){.device = gpu}, &failure);
    return e->backend ? vl2_device_plan(e, options->host_layers, err) : backend_failure(&failure, err);
}

/* bos and eos come from the tokenizer; config.json fills in for a tokenizer that names none. */
static vl2_status open_tokenizer(struct vl2_engine *e, const char *dir, vl2_error *err) {
    vl2_status status = vl2_tokenizer_open(dir, &e->tokenizer, err);
    if (status != VL2_OK)
        return status;
    char path[4200];
    struct stat file;
    bool fits = snprintf(path, sizeof path, "%s/tokenizer.json", dir) < (int)sizeof path;
    e->tokenizer_bytes = fits && stat(path, &file) == 0 ? TOKENIZER_GROWTH * (uint64_t)file.st_size : 0;
    e->special = *vl2_tokenizer_special(e->tokenizer);
    if (e->special.bos < 0)
        e->special.bos = e->config.lm.bos;
    if (e->special.eos < 0)
        e->special.eos = e->config.lm.eos[0];
    int32_t size = vl2_tokenizer_size(e->tokenizer);
    if (size > e->config.lm.vocab)
        return vl2_fail(err, VL2_ERR_MODEL, "%s/tokenizer.json uses token ids up to %d, but the model has %d embeddings.", dir,
                        size - 1, e->config.lm.vocab);
    return VL2_OK;
}

static vl2_status make_rope(struct vl2_engine *e, vl2_error *err) {
    struct vlk_backend *be = e->backend;
    int32_t positions = e->config.lm.context, dim = vl2_rope_dim(&e->config);
    size_t half = (size_t)dim / 2, count = (size_t)positions * half;
    float *host = vlk_alloc(2 * count + half, sizeof *host);
    e->rope_cos = be->ops->mem_alloc(be, count * sizeof *host);
    e->rope_sin = be->ops->mem_alloc(be, count * sizeof *host);
    if (host && e->rope_cos && e->rope_sin) {
        vl2_rope_fill(&e->config, positions, host + 2 * count, host, host + count);
        be->ops->mem_write(be, e->rope_cos, host, count * sizeof *host);
        be->ops->mem_write(be, e->rope_sin, host + count, count * sizeof *host);
    }
    bool ok = host && e->rope_cos && e->rope_sin;
    vlk_free(host);
    if (!ok)
        return vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory for the rotary tables of %d positions.", positions);
    e->rope = (struct vlk_rope){.cos = e->rope_cos, .sin = e->rope_sin, .dim = dim, .interleaved = e->config.lm.mla};
    e->attention_scale = vl2_attention_scale(&e->config);
    return VL2_OK;
}

/* The element type that holds most of the model's bytes. */
static const char *main_dtype(vl2_checkpoint *checkpoint) {
    uint64_t bytes[VLK_DTYPE_COUNT] = {0};
    vlk_dtype most = VLK_F32;
    for (size_t i = 0; i < vl2_checkpoint_count(checkpoint); i++) {
        const struct vl2_tensor *t = vl2_checkpoint_tensor(checkpoint, i);
        if (!t->is_float)
            continue;
        bytes[t->dtype] += t->bytes;
        if (bytes[t->dtype] > bytes[most])
            most = t->dtype;
    }
    return vlk_dtype_name(most);
}

static void fill_info(struct vl2_engine *e) {
    static const char *const scores[] = {"softmax", "sigmoid"}, *const methods[] = {"greedy", "group_limited_greedy", "noaux_tc"};
    static const char *const families[] = {"DeepSeek-VL2", "DeepSeek-OCR", "Unlimited-OCR"};
    const struct vl2_config *c = &e->config;
    if (c->lm.experts)
        snprintf(e->router, sizeof e->router, "%s %s", scores[c->lm.score], methods[c->lm.topk]);
    else
        snprintf(e->router, sizeof e->router, "none");
    e->info = (struct vl2_info){
        .dir = e->dir,
        .device = e->backend ? e->backend->ops->name : "none",
        .isa = e->backend ? e->backend->ops->describe(e->backend) : "none",
        .family = families[c->family],
        .document = c->family != VL2_FAMILY_VL2,
        .architecture = c->lm.mla ? "MLA" : "MHA",
        .router = e->router,
        .parameters = e->weights.parameters,
        .weight_bytes = e->weights.bytes,
        .layers = c->lm.layers,
        .hidden = c->lm.hidden,
        .heads = c->lm.heads,
        .vocab = c->lm.vocab,
        .experts = c->lm.experts,
        .experts_per_token = c->lm.experts_per_token,
        .context = c->lm.context,
        .vision_layers = c->vision.layers,
        .vision_width = c->vision.width,
        .tile_side = c->tiles.side,
        .patch = c->vision.patch,
        .tokens_per_tile = c->projector.grid * c->projector.grid,
        .n_candidates = c->tiles.n_candidates,
        .candidates = c->tiles.candidates,
        .threads = e->backend && strcmp(e->backend->ops->name, "cpu") == 0 ? vlk_cpu_threads(e->backend) : 0,
        .host_layers = e->host_layers,
        .host_bytes = e->host_bytes,
        .fallback = e->fallback,
        .weight_dtype = main_dtype(e->checkpoint),
    };
}

/* Between the steps that read whole files; binding polls for every tensor. */
static vl2_status poll_cancel(const struct vl2_engine_options *options, vl2_error *err) {
    bool cancelled = options->cancel && atomic_load(options->cancel);
    return cancelled ? vl2_fail(err, VL2_CANCELLED, "Loading was cancelled.") : VL2_OK;
}

static vl2_status open_folder(struct vl2_engine *e, const char *dir, const struct vl2_engine_options *options, vl2_error *err) {
    vl2_status status = vl2_config_load(dir, &e->config, err);
    if (status == VL2_OK)
        status = poll_cancel(options, err);
    if (status == VL2_OK)
        status = open_tokenizer(e, dir, err);
    if (status == VL2_OK)
        status = poll_cancel(options, err);
    if (status == VL2_OK)
        status = vl2_checkpoint_open(dir, &e->checkpoint, err);
    if (status == VL2_OK)
        e->config.quantised = vl2_checkpoint_metadata(e->checkpoint, "quantisation") != NULL;
    return status;
}

/* What the opened backend computes with. */
static vl2_status load(struct vl2_engine *e, const struct vl2_engine_options *options, vl2_error *err) {
    vl2_status status = VL2_OK;
    if (e->memory_limit != UINT64_MAX)
        status = vl2_memory_check(e, e->config.lm.context, vl2_chunk_size(&e->config, e->config.lm.context, 0), err);
    if (status == VL2_OK)
        status = vl2_weights_bind(e->backend, &e->config, e->checkpoint, options, e->host_layers, &e->weights, err);
    if (status == VL2_OK)
        status = make_rope(e, err);
    return status == VL2_OK ? vl2_backend_wait(e, err) : status;
}

static vl2_status load_on_cpu(struct vl2_engine *e, const struct vl2_engine_options *options, vl2_error *err) {
    vl2_status status = open_cpu(e, options, err);
    vl2_weights_count(e->checkpoint, &e->weights.bytes, &e->weights.parameters);
    return status == VL2_OK ? load(e, options, err) : status;
}

static vl2_status load_on_gpu(struct vl2_engine *e, int gpu, const struct vl2_engine_options *options, vl2_error *err) {
    vl2_status status = open_cuda(e, gpu, options, err);
    return status == VL2_OK ? load(e, options, err) : status;
}

/* "auto" takes a GPU that works and has room. Where there is one that fails, be it in the middle of the upload, the CPU takes over, and
 * info says why; of a machine without any there is nothing to say. */
static vl2_status load_anywhere(struct vl2_engine *e, const struct vl2_engine_options *options, vl2_error *err) {
    vl2_error why = {.text = ""};
    vl2_status status = load_on_gpu(e, -1, options, &why);
    bool opened = e->backend != NULL;
    if (status != VL2_ERR_MEMORY && status != VL2_ERR_DEVICE) {
        if (err && status != VL2_OK)
            *err = why;
        return status;
    }
    close_backend(e);
    if (opened)
        memcpy(e->fallback, why.text, sizeof e->fallback);
    return load_on_cpu(e, options, err);
}

static vl2_status open_device(struct vl2_engine *e, const struct vl2_engine_options *options, vl2_error *err) {
    const char *device = options->device ? options->device : "auto";
    int gpu = -1, end = 0;
    if (strcmp(device, "cuda") == 0 || (sscanf(device, "cuda:%3d%n", &gpu, &end) == 1 && gpu >= 0 && !device[end]))
        return load_on_gpu(e, gpu, options, err);
    if (strcmp(device, "auto") != 0 && strcmp(device, "cpu") != 0)
        return vl2_fail(err, VL2_ERR_USAGE, "The device \"%.40s\" is unknown; auto, cpu and cuda are known.", device);
    return strcmp(device, "auto") == 0 ? load_anywhere(e, options, err) : load_on_cpu(e, options, err);
}

/* The folder, or a shape where that is not NULL. */
static vl2_status open_parts(struct vl2_engine *e, const char *dir, const struct vl2_shape *shape,
                             const struct vl2_engine_options *options, vl2_error *err) {
    vl2_status status = shape ? vl2_shape_open(shape, &e->config, &e->checkpoint, err) : open_folder(e, dir, options, err);
    if (status == VL2_OK)
        status = poll_cancel(options, err);
    if (status == VL2_OK)
        vl2_weights_count(e->checkpoint, &e->weights.bytes, &e->weights.parameters);
    if (status != VL2_OK || options->headers_only)
        return status;
    return open_device(e, options, err);
}

/* What glibc keeps of freed memory, per thread, grows to 64 MiB with the blocks that it sees freed, unless told not to. */
static void bound_kept_memory(void) {
#ifdef __GLIBC__
    mallopt(M_TRIM_THRESHOLD, KEPT_MEMORY);
#endif
}

/* Of a cold folder the weights are read in the order in which a first question needs them, unless that would push out what it has read
 * before: the table of embeddings, of which it needs few rows, and the output head at the end. */
static vl2_status read_ahead(struct vl2_engine *e, vl2_error *err) {
    const struct vl2_weights *w = &e->weights;
    struct vl2_range *ranges;
    size_t n = 0;
    if (strcmp(e->backend->ops->name, "cpu") != 0 || w->bytes > vl2_memory_available())
        return VL2_OK;
    ranges = vlk_alloc(w->n_bound, sizeof *ranges);
    for (int last = 0; ranges && last < 2; last++)
        for (size_t i = 0; i < w->n_bound; i++)
            if (!w->bound[i]->owned && last == (w->bound[i] == &w->embed || w->bound[i] == &w->head))
                ranges[n++] = (struct vl2_range){w->bound[i]->data, (size_t)w->bound[i]->rows *
                                                                        vlk_row_bytes(w->bound[i]->dtype, w->bound[i]->cols)};
    e->reading = ranges ? vl2_read_ahead_start(ranges, n) : NULL;
    return e->reading ? VL2_OK : vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory to read %s.", e->dir);
}

static vl2_status weights_intact(const struct vl2_engine *e, vl2_error *err) {
    return vl2_checkpoint_check(e->checkpoint, err);
}

static vl2_status open_engine(const char *dir, const struct vl2_shape *shape, const struct vl2_engine_options *options,
                              vl2_engine **out, vl2_error *err) {
    static const struct vl2_engine_options defaults = {0};
    *out = NULL;
    bound_kept_memory();
    size_t length = strlen(dir) + 1;
    struct vl2_engine *e = vlk_alloc(1, sizeof *e);
    char *dir_copy = vlk_alloc(length, 1);
    if (!e || !dir_copy) {
        vlk_free(e);
        vlk_free(dir_copy);
        return vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory to open %s.", dir);
    }
    memcpy(dir_copy, dir, length);
    e->dir = dir_copy;
    options = options ? options : &defaults;
    e->memory_limit = options->memory_limit;
    e->hooks.weights_intact = weights_intact;
    vl2_status status = open_parts(e, dir, shape, options, err);
    if (status == VL2_OK && !shape && e->backend)
        status = read_ahead(e, err);
    if (status != VL2_OK) {
        vl2_engine_close(e);
        return status;
    }
    fill_info(e);
    *out = e;
    return VL2_OK;
}

vl2_status vl2_engine_open(const char *dir, const struct vl2_engine_options *options, vl2_engine **out, vl2_error *err) {
    return open_engine(dir, NULL, options, out, err);
}

vl2_status vl2_engine_open_shape(const struct vl2_shape *shape, const struct vl2_engine_options *options, vl2_engine **out,
                                 vl2_error *err) {
    char name[80];
    snprintf(name, sizeof name, "generated weights of the shape %.20s", shape->name);
    return open_engine(name, shape, options, out, err);
}

/* What was freed goes back to the system when a model is closed. */
static void give_memory_back(void) {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

void vl2_engine_close(vl2_engine *e) {
    if (!e)
        return;
    vl2_read_ahead_stop(e->reading);
    vl2_box_grammar_close(e->grammar);
    close_backend(e);
    vl2_checkpoint_close(e->checkpoint);
    vl2_tokenizer_close(e->tokenizer);
    vlk_free(e->dir);
    vlk_free(e);
    give_memory_back();
}

int vl2_gpus(struct vl2_gpu *out, int room, vl2_error *err) {
    struct vlk_cuda_device devices[VLK_CUDA_MAX_DEVICES];
    struct vlk_error failure = {0};
    int count = vlk_cuda_devices(devices, room < VLK_CUDA_MAX_DEVICES ? room : VLK_CUDA_MAX_DEVICES, &failure);
    for (int i = 0; i < count; i++) {
        const struct vlk_cuda_device *d = &devices[i];
        out[i] = (struct vl2_gpu){.capability = d->capability, .free_bytes = d->free_bytes, .total_bytes = d->total_bytes};
        memcpy(out[i].name, d->name, sizeof out[i].name);
        memcpy(out[i].problem, d->problem, sizeof out[i].problem);
    }
    if (count == 0)
        backend_failure(&failure, err);
    return count;
}

const struct vl2_info *vl2_engine_info(const vl2_engine *engine) {
    return &engine->info;
}

const vl2_tokenizer *vl2_engine_tokenizer(const vl2_engine *engine) {
    return engine->tokenizer;
}

struct vl2_tile_rule vl2_engine_tile_rule(const vl2_engine *engine) {
    return engine->config.tiles;
}
