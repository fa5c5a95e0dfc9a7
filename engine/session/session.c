/* SPDX-License-Identifier: MIT
 *
 * Sessions: what is in the cache, what of it a new conversation can keep, and reading the rest. See engine/vl2.h and
 * engine/session/session_parts.h. Everything runs on the inference thread; `length` only ever counts tokens whose keys and values are
 * complete in every layer, so that a cancel or an error anywhere leaves a valid shorter timeline.
 */
#include "engine/session/session_parts.h"

#include "engine/error.h"
#include "engine/loading/memory_check.h"
#include "engine/loading/memory_plan.h"
#include "engine/model/backend_wait.h"
#include "engine/model/device_memory.h"
#include "engine/session/eviction.h"

#include <string.h>

enum { DEFAULT_PICTURE_BYTES = 256 << 20 };

static bool allocate_host_parts(struct vl2_session *s) {
    size_t vocab = (size_t)s->engine->config.lm.vocab;
    s->ids = vlk_alloc(s->capacity, sizeof *s->ids);
    s->answer = vlk_alloc(s->capacity + 1, sizeof *s->answer);
    s->seen_host = vlk_alloc(vocab, 1);
    s->allowed = vlk_alloc((vocab + 31) / 32, sizeof *s->allowed);
    s->seen = vl2_device_alloc(s->engine, vocab);
    s->result = vl2_device_alloc(s->engine, sizeof *s->result);
    return s->ids && s->answer && s->seen_host && s->allowed && s->seen && s->result;
}

vl2_status vl2_session_options_check(const struct vl2_engine *engine, const struct vl2_session_options *options, vl2_error *err) {
    int32_t limit = engine->config.lm.context, context = options->context ? options->context : limit;
    if (context < 1 || context > limit)
        return vl2_fail(err, VL2_ERR_USAGE, "A context of %d tokens was asked for; the model's is %d.", context, limit);
    if (options->chunk_size < 0)
        return vl2_fail(err, VL2_ERR_USAGE, "A chunk of %d tokens makes no sense.", options->chunk_size);
    return VL2_OK;
}

vl2_status vl2_session_open(vl2_engine *engine, const struct vl2_session_options *options, vl2_session **out, vl2_error *err) {
    static const struct vl2_session_options defaults = {0};
    options = options ? options : &defaults;
    *out = NULL;
    vl2_status status = vl2_session_options_check(engine, options, err);
    if (status != VL2_OK)
        return status;
    if (!engine->backend)
        return vl2_fail(err, VL2_ERR_USAGE, "Only the headers of %s were opened; nothing can be computed with them.", engine->dir);
    int32_t context = options->context ? options->context : engine->config.lm.context;
    const struct vlk_traits *traits = &engine->backend->traits;
    int32_t chunk = vl2_chunk_size(&engine->config, context, options->chunk_size ? options->chunk_size : traits->chunk);
    vlk_dtype dtype = traits->half_cache ? VLK_BF16 : vl2_cache_dtype(&engine->config, context);
    struct vl2_session *s = vlk_alloc(1, sizeof *s);
    if (!s)
        return vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory for a session.");
    s->engine = engine;
    s->capacity = (size_t)context;
    s->pictures.budget = options->picture_cache_bytes ? options->picture_cache_bytes : DEFAULT_PICTURE_BYTES;
    s->branches.budget = options->branch_bytes ? options->branch_bytes : vl2_branch_budget(&engine->config, context);
    s->options = *options;
    vl2_session_bring_back(s, NULL);
    vl2_device_make_room(engine, vl2_kv_bytes(&engine->config, context, dtype) +
                                     vl2_scratch_bytes(&engine->config, chunk, traits->granule));
    if (engine->memory_limit != UINT64_MAX)
        status = vl2_memory_check(engine, context, chunk, err);
    if (status == VL2_OK)
        status = vl2_kv_init(engine, context, dtype, &s->kv, err);
    if (status == VL2_OK)
        status = vl2_scratch_init(engine, chunk, &s->scratch, err);
    if (status == VL2_OK && !allocate_host_parts(s))
        status = vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory for a session of %d tokens.", context);
    if (status != VL2_OK) {
        vl2_session_close(s);
        return status;
    }
    *out = s;
    return VL2_OK;
}

void vl2_session_close(vl2_session *s) {
    if (!s)
        return;
    struct vlk_backend *be = s->engine->backend;
    vl2_eviction_leave(s);
    vl2_picture_cache_deinit(s->engine, &s->pictures);
    vl2_answers_deinit(&s->answers);
    vl2_branches_deinit(&s->branches);
    vl2_kv_deinit(s->engine, &s->kv);
    vl2_scratch_deinit(s->engine, &s->scratch);
    if (s->seen)
        be->ops->mem_free(be, s->seen);
    if (s->result)
        be->ops->mem_free(be, s->result);
    vlk_free(s->seen_host);
    vlk_free(s->allowed);
    vlk_free(s->ids);
    vlk_free(s->spans);
    vlk_free(s->answer);
    vlk_free(s->answer_text);
    vlk_free(s);
}

vl2_status vl2_session_plan(const vl2_session *s, const vl2_conversation *conversation, int32_t answer_tokens, struct vl2_plan *out,
                            vl2_error *err) {
    return vl2_plan_build(s->engine, conversation, &s->answers, &s->options, answer_tokens, out, err);
}

vl2_status vl2_session_prompt(const vl2_session *s, const vl2_conversation *conversation, struct vl2_prompt *out, vl2_error *err) {
    return vl2_prompt_build_reusing(s->engine, conversation, &s->answers, out, err);
}

size_t vl2_session_length(const vl2_session *s) {
    return s->length;
}

size_t vl2_session_capacity(const vl2_session *s) {
    return s->capacity;
}

/* ------------------------------------------------------------------------------------------------ layout */

vl2_status vl2_layout_make(struct vl2_session *s, const vl2_conversation *conversation, struct vl2_layout *layout, vl2_error *err) {
    *layout = (struct vl2_layout){0};
    vl2_status status = vl2_prompt_build_reusing(s->engine, conversation, &s->answers, &layout->prompt, err);
    if (status != VL2_OK)
        return status;
    const struct vl2_prompt *prompt = &layout->prompt;
    if (prompt->n_ids > s->capacity) {
        status = vl2_fail(err, VL2_ERR_CONTEXT, "The conversation needs %zu tokens; the context holds %zu.", prompt->n_ids,
                          s->capacity);
        vl2_layout_deinit(layout);
        return status;
    }
    layout->spans = vlk_alloc(prompt->n_pictures, sizeof *layout->spans);
    layout->rows = vlk_alloc(prompt->n_pictures, sizeof *layout->rows);
    if (!layout->spans || !layout->rows) {
        vl2_layout_deinit(layout);
        return vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory for the conversation's pictures.");
    }
    for (size_t i = 0; i < prompt->n_pictures; i++) {
        const struct vl2_prompt_picture *p = &prompt->pictures[i];
        layout->spans[i] = (struct vl2_picture_span){.first = p->first, .count = p->count};
        vl2_picture_key_make(p->picture, &p->rule, p->grid_w, p->grid_h, &layout->spans[i].key);
    }
    return VL2_OK;
}

void vl2_layout_deinit(struct vl2_layout *layout) {
    vl2_prompt_deinit(&layout->prompt);
    vlk_free(layout->spans);
    vlk_free(layout->rows);
    *layout = (struct vl2_layout){0};
}

static struct vl2_timeline live_timeline(const struct vl2_session *s) {
    return (struct vl2_timeline){.ids = s->ids, .spans = s->spans, .length = s->length, .n_spans = s->n_spans};
}

static struct vl2_timeline wanted_timeline(const struct vl2_layout *layout) {
    return (struct vl2_timeline){.ids = layout->prompt.ids,
                                 .spans = layout->spans,
                                 .length = layout->prompt.n_ids,
                                 .n_spans = layout->prompt.n_pictures};
}

/* A third picture takes the tiles from the first two; its departure gives them back. */
static void report_tiling(const struct vl2_session *s, const struct vl2_layout *layout, struct vl2_sync_report *report) {
    size_t before = 0, now = layout->prompt.n_pictures;
    report->retiled = report->retiled_by = SIZE_MAX;
    while (before < s->n_spans && s->spans[before].first < s->length)
        before++;
    for (size_t i = 0; i < now; i++)
        for (size_t k = 0; k < before && report->retiled == SIZE_MAX; k++)
            if (vl2_picture_key_same_pixels(&layout->spans[i].key, &s->spans[k].key) &&
                !vl2_picture_key_equal(&layout->spans[i].key, &s->spans[k].key))
                report->retiled = i;
    report->tiling_changed = report->retiled != SIZE_MAX;
    if (report->tiling_changed && now > VL2_MAX_TILED_PICTURES && before <= VL2_MAX_TILED_PICTURES)
        report->retiled_by = VL2_MAX_TILED_PICTURES;
}

vl2_status vl2_session_adopt(struct vl2_session *s, const struct vl2_layout *layout, size_t prefix, vl2_error *err) {
    size_t n = layout->prompt.n_pictures;
    struct vl2_picture_span *spans = vlk_alloc(n, sizeof *spans);
    if (!spans)
        return vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory to read the conversation.");
    if (n)
        memcpy(spans, layout->spans, n * sizeof *spans);
    vlk_free(s->spans);
    s->spans = spans;
    s->n_spans = n;
    memcpy(s->ids, layout->prompt.ids, layout->prompt.n_ids * sizeof *s->ids);
    s->length = prefix;
    s->whole = 0;
    return VL2_OK;
}

/* Keeps of the cache what the layout shares with it, parks the rest, and fetches what was parked earlier. The last token is
 * never reused, because its logits are wanted. */
static vl2_status reuse_cache(struct vl2_session *s, const struct vl2_layout *layout, struct vl2_sync_report *report, vl2_error *err) {
    struct vl2_timeline live = live_timeline(s), want = wanted_timeline(layout);
    size_t chunk = s->options.repeatable ? (size_t)s->scratch.rows : 1, limit = (want.length - 1) / chunk * chunk;
    if (s->options.repeatable && live.length > s->whole)
        live.length = s->whole;
    size_t prefix = vl2_timeline_match(&live, &want, limit, &report->reread);
    prefix -= prefix % chunk;
    report_tiling(s, layout, report);
    vl2_branches_park(s->engine, &s->branches, &s->kv, &live, prefix);
    vl2_status status = vl2_session_adopt(s, layout, prefix, err);
    if (status != VL2_OK)
        return status;
    s->length = vl2_branches_fetch(s->engine, &s->branches, &s->kv, &want, prefix, limit, &report->reread);
    s->length -= s->length % chunk;
    s->length = vl2_session_share(s, &want, limit, &report->reread);
    s->whole = s->length;
    report->reused_tokens = s->length;
    report->branch_tokens = s->length - prefix;
    return VL2_OK;
}

/* ------------------------------------------------------------------------------------------------ pictures */

/* What encoding the picture counts as, in tiles' blocks. */
static uint64_t blocks_of(const struct vl2_config *c, const struct vl2_prompt_picture *p) {
    return (uint64_t)vl2_vision_layers(c) * (uint64_t)vl2_picture_layout(c, &p->rule, p->grid_w, p->grid_h).n_tiles;
}

static vl2_status encode_picture(struct vl2_session *s, struct vl2_layout *layout, size_t i, const struct vl2_vision_work *work,
                                 vl2_error *err) {
    const struct vl2_prompt_picture *p = &layout->prompt.pictures[i];
    struct vl2_tiles tiles = {0};
    vl2_status status = vl2_tiles_make(&p->rule, p->picture, p->crop, &tiles, err);
    if (status != VL2_OK)
        return status;
    if (tiles.grid_w != p->grid_w || tiles.grid_h != p->grid_h)
        status = vl2_fail(err, VL2_ERR_INPUT, "Picture %zu was planned as %d × %d tiles and cut into %d × %d.", i + 1, p->grid_w,
                          p->grid_h, tiles.grid_w, tiles.grid_h);
    else
        status = vl2_vision_encode(s->engine, &tiles, work, &layout->rows[i], err);
    vl2_free(tiles.data);
    return status;
}

/* Finds or computes the rows of every picture that reaches beyond the kept prefix. */
static vl2_status load_pictures(struct vl2_session *s, struct vl2_layout *layout, size_t prefix, const struct vl2_watch *watch,
                                struct vl2_sync_report *report, vl2_error *err) {
    const struct vl2_config *c = &s->engine->config;
    uint64_t done = 0;
    struct vl2_vision_work work = {.watch = watch, .done = &done};
    vl2_picture_cache_begin(&s->pictures);
    for (size_t i = 0; i < layout->prompt.n_pictures; i++) {
        const struct vl2_picture_span *span = &layout->spans[i];
        bool kept = span->first + span->count <= prefix;
        if (kept || vl2_picture_cache_find(s->engine, &s->pictures, &span->key, &layout->rows[i]) ||
            vl2_session_share_picture(s, &span->key, &layout->rows[i]))
            report->pictures_reused++;
        else
            work.total += blocks_of(c, &layout->prompt.pictures[i]);
    }
    for (size_t i = 0; i < layout->prompt.n_pictures; i++) {
        const struct vl2_picture_span *span = &layout->spans[i];
        if (layout->rows[i].rows || span->first + span->count <= prefix)
            continue;
        if (vl2_picture_cache_find(s->engine, &s->pictures, &span->key, &layout->rows[i])) { /* the same picture twice */
            report->pictures_reused++;
            continue;
        }
        vl2_status status = encode_picture(s, layout, i, &work, err);
        if (status == VL2_OK)
            status = vl2_picture_cache_put(s->engine, &s->pictures, &span->key, layout->rows[i], err);
        if (status != VL2_OK)
            return status;
    }
    return VL2_OK;
}

/* ------------------------------------------------------------------------------------------------ prefill */

/* ids [n] for the embed op: a picture's token j becomes -1 - (its row). */
static void fill_ids(const struct vl2_session *s, const struct vl2_layout *layout, size_t first, size_t n, int32_t *ids) {
    memcpy(ids, layout->prompt.ids + first, n * sizeof *ids);
    for (size_t i = 0; i < layout->prompt.n_pictures; i++) {
        const struct vl2_picture_span *span = &layout->spans[i];
        size_t from = span->first > first ? span->first : first;
        size_t to = span->first + span->count < first + n ? span->first + span->count : first + n;
        for (size_t p = from; p < to; p++)
            ids[p - first] = -1 - vl2_picture_row_index(&s->engine->config, &layout->rows[i], (int32_t)(p - span->first));
    }
}

static void embed_run(const struct vl2_session *s, size_t at, size_t n, const float *rows) {
    struct vlk_backend *be = s->engine->backend;
    int32_t width = s->engine->config.lm.hidden;
    if (n)
        be->ops->embed(be, &(struct vlk_embed_args){.n = (int32_t)n,
                                                    .width = width,
                                                    .ids = s->scratch.ids + at,
                                                    .table = s->engine->weights.embed,
                                                    .rows = rows,
                                                    .out = s->scratch.x + at * (size_t)width});
}

/* Embeds tokens first … first+n: one op per run of text and per picture, as each picture has its own rows. */
static void embed_chunk(const struct vl2_session *s, const struct vl2_layout *layout, size_t first, size_t n) {
    size_t at = first;
    for (size_t i = 0; i < layout->prompt.n_pictures; i++) {
        const struct vl2_picture_span *span = &layout->spans[i];
        size_t from = span->first > at ? span->first : at;
        size_t to = span->first + span->count < first + n ? span->first + span->count : first + n;
        if (from >= to)
            continue;
        embed_run(s, at - first, from - at, NULL);
        embed_run(s, from - first, to - from, layout->rows[i].rows);
        at = to;
    }
    embed_run(s, at - first, first + n - at, NULL);
}

static void tap_rows(const struct vl2_session *s, float *to, size_t first, size_t n) {
    size_t width = (size_t)s->engine->config.lm.hidden;
    struct vlk_backend *be = s->engine->backend;
    be->ops->mem_read(be, to + first * width, s->scratch.x, n * width * sizeof(float));
}

/* What the layer's router chose, as floats like every tap. */
static void tap_experts(const struct vl2_session *s, const struct vl2_forward_taps *taps, int32_t layer, size_t first, size_t n) {
    const struct vl2_config *c = &s->engine->config;
    struct vlk_backend *be = s->engine->backend;
    size_t k = (size_t)c->lm.experts_per_token;
    float *to = taps->experts + ((size_t)layer * taps->n + first) * k;
    if (!vl2_config_is_moe(c, layer))
        return;
    be->ops->mem_read(be, to, s->scratch.expert_ids, n * k * sizeof *to);
    for (size_t i = 0; i < n * k; i++) {
        int32_t id;
        memcpy(&id, &to[i], sizeof id);
        to[i] = (float)id;
    }
}

static void tap_logits(const struct vl2_session *s, const struct vl2_forward_taps *taps, size_t first, size_t n) {
    size_t vocab = (size_t)s->engine->config.lm.vocab;
    struct vlk_backend *be = s->engine->backend;
    vl2_decoder_logits(s->engine, &s->scratch, 0, (int32_t)n, false, taps->chunk_logits);
    be->ops->mem_read(be, taps->logits + first * vocab, taps->chunk_logits, n * vocab * sizeof(float));
}

/* Layers of n tokens that are at most as much work as this many tokens through all of them. */
enum { WORK_TOKENS = 64 };

static int32_t layers_per_look(const struct vl2_config *c, size_t n) {
    size_t layers = WORK_TOKENS * (size_t)c->lm.layers / n;
    return layers < 1 ? 1 : (int32_t)layers;
}

struct reading { /* one call of vl2_session_prefill */
    const struct vl2_layout *layout;
    const struct vl2_watch *watch;
    const struct vl2_forward_taps *taps;
    size_t from; /* the first token that is read */
    int32_t *ids;
};

/* Waits for what was enqueued, says how far layer `done` of n tokens is, and looks whether to go on. */
static vl2_status report_layer(const struct vl2_session *s, const struct reading *r, size_t n, int32_t done, vl2_error *err) {
    size_t tokens = s->length - r->from + n * (size_t)done / (size_t)s->engine->config.lm.layers;
    vl2_status status = vl2_backend_wait(s->engine, err);
    if (status != VL2_OK)
        return status;
    vl2_watch_report(r->watch, VL2_STAGE_PREFILL, tokens, r->layout->prompt.n_ids - r->from);
    return vl2_watch_cancelled(r->watch) ? vl2_fail(err, VL2_CANCELLED, "Reading the conversation was cancelled.") : VL2_OK;
}

/* Runs tokens s->length … s->length+n, which are in the timeline but not in the cache yet. */
static vl2_status run_chunk(struct vl2_session *s, const struct reading *r, size_t n, bool last, vl2_error *err) {
    struct vl2_engine *e = s->engine;
    struct vlk_backend *be = e->backend;
    const struct vl2_forward_taps *taps = r->taps;
    size_t first = s->length;
    int32_t layers = e->config.lm.layers, step = layers_per_look(&e->config, n);
    const struct vl2_sequence sequence = {.kv = &s->kv, .step = s->scratch.step, .max_pos = (int32_t)(first + n)};
    fill_ids(s, r->layout, first, n, r->ids);
    be->ops->mem_write(be, s->scratch.ids, r->ids, n * sizeof *r->ids);
    embed_chunk(s, r->layout, first, n);
    if (taps && taps->embeds)
        tap_rows(s, taps->embeds, first, n);
    for (int32_t layer = 0; layer < layers; layer++) {
        vl2_decoder_layer(e, &sequence, 1, &s->scratch, layer, (int32_t)n);
        if (taps && taps->layers)
            tap_rows(s, taps->layers + (size_t)layer * taps->n * (size_t)e->config.lm.hidden, first, n);
        if (taps && taps->experts)
            tap_experts(s, taps, layer, first, n);
        vl2_status status = (layer + 1) % step == 0 && layer + 1 < layers ? report_layer(s, r, n, layer + 1, err) : VL2_OK;
        if (status != VL2_OK)
            return status;
    }
    if (taps && taps->logits)
        tap_logits(s, taps, first, n);
    if (last)
        vl2_decoder_logits(e, &s->scratch, (int32_t)n - 1, 1, false, s->scratch.logits);
    be->ops->step_advance(be, s->scratch.step, (int32_t)n);
    return vl2_backend_wait(e, err);
}

vl2_status vl2_session_prefill(struct vl2_session *s, const struct vl2_layout *layout, const struct vl2_watch *watch,
                               const struct vl2_forward_taps *taps, vl2_error *err) {
    struct vlk_backend *be = s->engine->backend;
    size_t n_ids = layout->prompt.n_ids, chunk = (size_t)s->scratch.rows;
    struct reading r = {.layout = layout, .watch = watch, .taps = taps, .from = s->length};
    r.ids = vlk_alloc(chunk, sizeof *r.ids);
    if (!r.ids)
        return vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory to read the conversation.");
    be->ops->mem_write(be, s->scratch.step, &(struct vlk_step){.pos = (int32_t)s->length}, sizeof(struct vlk_step));
    vl2_status status = VL2_OK;
    while (status == VL2_OK && s->length < n_ids) {
        size_t n = n_ids - s->length < chunk ? n_ids - s->length : chunk;
        if (vl2_watch_cancelled(watch)) {
            status = vl2_fail(err, VL2_CANCELLED, "Reading the conversation was cancelled.");
            break;
        }
        status = run_chunk(s, &r, n, s->length + n == n_ids, err);
        if (status == VL2_OK)
            s->length += n;
        if (s->length % chunk == 0)
            s->whole = s->length;
        if (status == VL2_OK)
            vl2_watch_report(watch, VL2_STAGE_PREFILL, s->length - r.from, n_ids - r.from);
    }
    vlk_free(r.ids);
    return status;
}

/* ------------------------------------------------------------------------------------------------ sync */

/* Notes what the coming answer begins with, so that the whole of it can be remembered. */
static void begin_answer(struct vl2_session *s, const vl2_conversation *conversation, const struct vl2_prompt *prompt) {
    s->answer_prefix = s->answer_bytes = 0;
    const vl2_message *last = &conversation->messages[conversation->n_messages - 1];
    if (last->role != VL2_ASSISTANT)
        return;
    size_t bytes = 0;
    for (size_t i = 0; i < last->n_parts; i++)
        bytes += last->parts[i].kind == VL2_PART_TEXT ? last->parts[i].length : 0;
    if (bytes > s->answer_room) {
        void *p = vlk_realloc(s->answer_text, s->answer_room, bytes);
        if (!p)
            return;
        s->answer_text = p;
        s->answer_room = bytes;
    }
    for (size_t i = 0; i < last->n_parts; i++) {
        if (last->parts[i].kind != VL2_PART_TEXT)
            continue;
        memcpy(s->answer_text + s->answer_bytes, last->parts[i].text, last->parts[i].length);
        s->answer_bytes += last->parts[i].length;
    }
    s->answer_prefix = prompt->n_ids - prompt->answer_first;
    memcpy(s->answer, prompt->ids + prompt->answer_first, s->answer_prefix * sizeof *s->answer);
}

vl2_status vl2_session_sync(vl2_session *s, const vl2_conversation *conversation, const struct vl2_watch *watch,
                            struct vl2_sync_report *report, vl2_error *err) {
    struct vl2_sync_report unused;
    struct vl2_layout layout;
    report = report ? report : &unused;
    *report = (struct vl2_sync_report){0};
    s->ready = false;
    vl2_status status = vl2_layout_make(s, conversation, &layout, err);
    if (status != VL2_OK) {
        vl2_session_look_at(s, NULL, 0);
        return status;
    }
    report->prompt_tokens = layout.prompt.n_ids;
    report->pictures = layout.prompt.n_pictures;
    status = vl2_session_bring_back(s, err);
    if (status == VL2_OK)
        status = reuse_cache(s, &layout, report, err);
    double start = vl2_now_ms();
    if (status == VL2_OK)
        status = load_pictures(s, &layout, s->length, watch, report, err);
    double encoded = vl2_now_ms();
    report->vision_ms = encoded - start;
    if (status == VL2_OK) {
        status = vl2_session_prefill(s, &layout, watch, NULL, err);
        report->prefilled_tokens = s->length - report->reused_tokens;
        report->prefill_ms = vl2_now_ms() - encoded;
    }
    if (status == VL2_OK) {
        begin_answer(s, conversation, &layout.prompt);
        s->ready = true;
    }
    vl2_layout_deinit(&layout);
    vl2_session_look_at(s, NULL, 0);
    return status;
}
