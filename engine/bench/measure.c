/* SPDX-License-Identifier: MIT
 *
 * Times the forward passes of an engine: vision per tile, prefill, decoding at several lengths, a second turn. Every timed run is
 * what a session does, op by op, on random tokens; the work and the bytes of a run are counted from the model's shape.
 * Called by the command line on the inference thread. See struct vl2_bench_report in engine/vl2.h.
 */
#include "engine/bench.h"

#include "engine/error.h"
#include "engine/loading/memory_plan.h"
#include "engine/model/backend_wait.h"
#include "engine/model/decoder.h"
#include "engine/model/device_memory.h"
#include "engine/model/vision.h"
#include "kernels/ceilings.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_RUNS = 32, SECOND_TURN_TOKENS = 20, FEW_TILES = 3, ALL_TILES = 10, BOX_TOKENS = 13, BOX_PASS = 4, MAX_NEIGHBOURS = 64 };
/* A box as the published vocabularies write it: four numbers, each one token, with what leads to the next: `,` ` `, at last `],` ` ` `[`. */
static const int32_t box_passes[] = {3, 3, 3, 4};
static const double enough_ms = 1500; /* of runs of one kind; of a warm-up, to count as a run */

struct bench {
    vl2_engine *engine;
    const vl2_cancel *cancel;
    vl2_bench_fn on_row;
    void *user;
    struct vl2_bench_report *report;
    vl2_error *err;
    struct vl2_kv kv;
    struct vl2_scratch scratch;
    uint8_t *seen;              /* (be) [vocab] */
    struct vlk_sampled *result; /* (be) */
    uint8_t *experts;           /* [layers][experts] that a decode step has used */
    int32_t *ids;               /* [context] */
    uint64_t random;
    int32_t tokens, context;    /* of the run */
    struct vl2_tiles tiles;
    float *several;             /* (be) [BOX_PASS][vocab] */
};

/* ------------------------------------------------------------------------------------------------ counting */

static double weight_bytes(const struct vlk_weight *w) {
    return w->rows ? (double)w->rows * (double)vlk_row_bytes(w->dtype, w->cols) : 0;
}

static double weight_flops(const struct vlk_weight *w) {
    return 2.0 * w->rows * w->cols;
}

struct count {
    double flops, bytes; /* per token; of weights that all tokens share */
};

static void add(struct count *c, const struct vlk_weight *w, double times) {
    c->flops += times * weight_flops(w);
    c->bytes += times * weight_bytes(w);
}

/* What one token needs of a layer, attention over the cache aside. */
static struct count count_layer(const struct vl2_engine *e, int32_t layer) {
    const struct vl2_layer *l = &e->weights.layers[layer];
    const struct vlk_weight *parts[] = {&l->q, &l->q_a, &l->q_up, &l->kv_a, &l->kv_b, &l->k, &l->v, &l->o, &l->gate, &l->up, &l->down,
                                        &l->router};
    struct count c = {0};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        add(&c, parts[i], 1);
    if (vl2_config_is_moe(&e->config, layer)) {
        double k = e->config.lm.experts_per_token;
        add(&c, &l->expert_gate[0], k);
        add(&c, &l->expert_up[0], k);
        add(&c, &l->expert_down[0], k);
    }
    return c;
}

/* Multiply-adds of n tokens behind `context` others, and the bytes that n == 1 reads. */
static struct count count_tokens(const struct bench *b, int32_t n, int32_t context) {
    const struct vl2_engine *e = b->engine;
    const struct vl2_config *c = &e->config;
    double pairs = (double)n * context + (double)n * (n + 1) / 2;
    double width = c->lm.mla ? c->lm.nope + c->lm.rope + c->lm.v : 2 * c->lm.head_dim;
    struct count all = {0};
    for (int32_t i = 0; i < c->lm.layers; i++) {
        struct count layer = count_layer(e, i);
        all.flops += n * layer.flops + 2 * pairs * c->lm.heads * width;
        all.bytes += layer.bytes;
    }
    all.flops += weight_flops(&e->weights.head);
    all.bytes += weight_bytes(&e->weights.head) + (double)vlk_row_bytes(e->weights.embed.dtype, e->weights.embed.cols);
    all.bytes += (double)vl2_kv_bytes(c, context + n, b->kv.dtype);
    return all;
}

static double block_flops(const struct vl2_vision_block *v) {
    return weight_flops(&v->qkv_w) + weight_flops(&v->proj_w) + weight_flops(&v->fc1_w) + weight_flops(&v->fc2_w);
}

/* The view of a whole page: windows, whole attentions, convolutions, and the second tower. */
static double count_page(const struct vl2_engine *e) {
    const struct vl2_config *c = &e->config;
    const struct vl2_document_weights *d = &e->weights.document;
    double tokens = c->vision.tokens, cells = (double)c->projector.grid * c->projector.grid, window = c->document.window;
    double flops = tokens * (weight_flops(&e->weights.patch_w) + weight_flops(&d->neck_w[0]) + weight_flops(&d->neck_w[1])) +
                   tokens / 4 * weight_flops(&d->conv_w[0]) + cells * (weight_flops(&d->conv_w[1]) + weight_flops(&e->weights.proj_w[0]));
    for (int32_t i = 0; i < c->vision.layers; i++)
        flops += tokens * block_flops(&e->weights.vision[i]) +
                 4 * tokens * (c->document.whole >> i & 1 ? tokens : window * window) * c->vision.width;
    for (int32_t i = 0; i < c->document.clip_layers; i++)
        flops += (1 + cells) * (block_flops(&d->clip[i]) + 4 * (1 + cells) * c->document.clip_width);
    return flops;
}

static double count_tile(const struct vl2_engine *e) {
    const struct vl2_config *c = &e->config;
    if (c->family != VL2_FAMILY_VL2)
        return count_page(e);
    double tokens = c->vision.tokens, cells = (double)c->projector.grid * c->projector.grid, flops = tokens * weight_flops(&e->weights.patch_w);
    for (int32_t i = 0; i < c->vision.layers; i++)
        flops += tokens * block_flops(&e->weights.vision[i]) + 4 * tokens * tokens * c->vision.width;
    for (int32_t i = 0; i < c->projector.depth; i++)
        flops += cells * weight_flops(&e->weights.proj_w[i]);
    return flops;
}

/* ------------------------------------------------------------------------------------------------ the timed runs */

static uint64_t next_random(struct bench *b) {
    b->random ^= b->random << 13;
    b->random ^= b->random >> 7;
    b->random ^= b->random << 17;
    return b->random >> 16;
}

static void new_tokens(struct bench *b) {
    for (int32_t i = 0; i < b->tokens; i++)
        b->ids[i] = (int32_t)(next_random(b) % (uint64_t)b->engine->config.lm.vocab);
}

static void set_position(struct bench *b, int32_t pos) {
    struct vlk_step step = {.pos = pos, .rng = 1};
    b->engine->backend->ops->mem_write(b->engine->backend, b->scratch.step, &step, sizeof step);
}

/* Remembers which experts the step that has just run chose in this layer. */
static void note_experts(struct bench *b, int32_t layer) {
    struct vlk_backend *be = b->engine->backend;
    const struct vl2_config *c = &b->engine->config;
    int32_t chosen[VLK_MAX_TOPK];
    if (!vl2_config_is_moe(c, layer))
        return;
    be->ops->mem_read(be, chosen, b->scratch.expert_ids, (size_t)c->lm.experts_per_token * sizeof *chosen);
    for (int32_t j = 0; j < c->lm.experts_per_token; j++)
        if (chosen[j] >= 0 && chosen[j] < c->lm.experts)
            b->experts[(size_t)layer * (size_t)c->lm.experts + (size_t)chosen[j]] = 1;
}

static void enqueue_sample(struct bench *b, const float *logits) {
    struct vlk_backend *be = b->engine->backend;
    be->ops->sample(be, &(struct vlk_sample_args){.vocab = b->engine->config.lm.vocab,
                                                  .top_p = 1,
                                                  .repetition_penalty = 1,
                                                  .logits = logits,
                                                  .seen = b->seen,
                                                  .step = b->scratch.step,
                                                  .result = b->result});
}

/* Reads b->tokens tokens behind b->context others and draws the next, as a session does. */
static vl2_status run_tokens(struct bench *b, bool note) {
    const struct vl2_engine *e = b->engine;
    struct vlk_backend *be = e->backend;
    int32_t hidden = e->config.lm.hidden, n = 0;
    vl2_status status = VL2_OK;
    set_position(b, b->context);
    for (int32_t at = 0; at < b->tokens && status == VL2_OK; at += n) {
        n = b->tokens - at < b->scratch.rows ? b->tokens - at : b->scratch.rows;
        be->ops->mem_write(be, b->scratch.ids, b->ids + at, (size_t)n * sizeof *b->ids);
        be->ops->embed(be, &(struct vlk_embed_args){
            .n = n, .width = hidden, .ids = b->scratch.ids, .table = e->weights.embed, .out = b->scratch.x});
        const struct vl2_sequence sequence = {.kv = &b->kv, .step = b->scratch.step, .max_pos = b->context + at + n};
        for (int32_t layer = 0; layer < e->config.lm.layers; layer++) {
            vl2_decoder_layer(e, &sequence, 1, &b->scratch, layer, n);
            if (note)
                note_experts(b, layer);
        }
        be->ops->step_advance(be, b->scratch.step, n);
        if (at + n == b->tokens)
            vl2_decoder_logits(e, &b->scratch, n - 1, 1, false, b->scratch.logits);
        else
            status = vl2_backend_wait(e, b->err);
    }
    if (status == VL2_OK)
        enqueue_sample(b, b->scratch.logits);
    return status == VL2_OK ? vl2_backend_wait(e, b->err) : status;
}

/* The tokens of a box in passes of one, or in as few as reading ahead leaves; a token is drawn behind each. */
static vl2_status run_box(struct bench *b, bool drafted) {
    const struct vl2_engine *e = b->engine;
    size_t vocab = (size_t)e->config.lm.vocab;
    for (int32_t at = 0, i = 0, n = 0; at < BOX_TOKENS; at += n, i++) {
        n = drafted ? box_passes[i] : 1;
        set_position(b, b->context + at);
        e->backend->ops->mem_write(e->backend, b->scratch.ids, b->ids + at, (size_t)n * sizeof *b->ids);
        const struct vl2_sequence sequence = {.kv = &b->kv, .step = b->scratch.step, .max_pos = b->context + at + n};
        vl2_decoder_tokens(e, &sequence, &b->scratch, n);
        vl2_decoder_logits(e, &b->scratch, 0, n, false, b->several);
        for (int32_t row = 0; row < n; row++) {
            enqueue_sample(b, b->several + (size_t)row * vocab);
            vl2_status status = vl2_backend_wait(e, b->err);
            if (status != VL2_OK)
                return status;
        }
    }
    return VL2_OK;
}

static vl2_status run_tiles(struct bench *b) {
    struct vl2_picture_rows rows;
    uint64_t done = 0;
    const struct vl2_watch watch = {.cancel = b->cancel};
    const struct vl2_vision_work work = {.watch = &watch, .done = &done, .total = (uint64_t)b->tiles.n_tiles};
    vl2_status status = vl2_vision_encode(b->engine, &b->tiles, &work, &rows, b->err);
    if (status == VL2_OK)
        vl2_picture_rows_deinit(b->engine, &rows);
    return status;
}

static int compare_times(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* With one thread the clock is that thread's own, so that a busy machine can still be measured on. */
static double now_ms(const struct bench *b) {
    struct timespec t;
    if (vl2_engine_info(b->engine)->threads != 1)
        return vl2_now_ms();
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

/* Runs that are not counted: decoding steps to see which experts are chosen, none before what takes seconds and comes after a
 * shorter run of the same kind. */
static int32_t warm_up(const struct vl2_bench_row *row) {
    return row->kind == VL2_BENCH_DECODE ? 8 : row->kind == VL2_BENCH_PREFILL && row->tokens > 256 ? 0 : 1;
}

/* A warm-up so long that what it warmed was a small part of it is a run like any other: models of many layers take their time. */
static bool counts(const struct vl2_bench_row *row, int32_t i, double ms) {
    return i >= 0 || (row->kind != VL2_BENCH_DECODE && ms > enough_ms);
}

static vl2_status run(struct bench *b, const struct vl2_bench_row *row, bool warming) {
    switch (row->kind) {
    case VL2_BENCH_VISION:
        return run_tiles(b);
    case VL2_BENCH_BOXES:
    case VL2_BENCH_BOXES_DRAFTED:
        return run_box(b, row->kind == VL2_BENCH_BOXES_DRAFTED);
    case VL2_BENCH_PREFILL:
    case VL2_BENCH_DECODE:
    case VL2_BENCH_BUSY:
    case VL2_BENCH_SECOND_TURN:
        break;
    }
    return run_tokens(b, warming && row->kind == VL2_BENCH_DECODE);
}

static vl2_status measure(struct bench *b, struct vl2_bench_row *row, int32_t least) {
    double times[MAX_RUNS] = {0}, total = 0;
    b->tokens = row->tokens;
    b->context = row->context;
    for (int32_t i = -warm_up(row); row->runs < MAX_RUNS && (row->runs < least || total < enough_ms); i++) {
        new_tokens(b);
        double start = now_ms(b);
        vl2_status status = run(b, row, i < 0);
        if (status == VL2_OK && b->cancel && atomic_load(b->cancel))
            status = vl2_fail(b->err, VL2_CANCELLED, "The bench was cancelled.");
        if (status != VL2_OK)
            return status;
        double ms = now_ms(b) - start;
        if (counts(row, i, ms)) {
            times[row->runs++] = ms;
            total += ms;
        }
    }
    qsort(times, (size_t)row->runs, sizeof *times, compare_times);
    row->best_ms = times[0];
    row->median_ms = times[row->runs / 2];
    if (b->on_row)
        b->on_row(row, b->user);
    return VL2_OK;
}

/* ------------------------------------------------------------------------------------------------ the series */

/* Too much for the caches to keep. */
static size_t read_bytes(void) {
    size_t bytes = 4 * vlk_cache_bytes();
    return bytes > 256u << 20 ? bytes : 256u << 20;
}

double vl2_measure_read_rate(void) {
    struct vlk_backend *backend = vlk_cpu_open(&(struct vlk_cpu_options){0}, NULL);
    double rate = backend ? vlk_measure_read(vlk_cpu_isa(backend), vlk_cpu_threads(backend), read_bytes()) : 0;
    if (backend)
        backend->ops->close(backend);
    return rate;
}

static void measure_machine(struct bench *b) {
    struct vl2_bench_machine *m = &b->report->machine;
    const struct vl2_info *info = vl2_engine_info(b->engine);
    if (strcmp(b->engine->backend->ops->name, "cpu") != 0)
        return;
    m->cache_bytes = vlk_cache_bytes();
    m->read_bytes = read_bytes();
    m->read_per_s = fmax(m->read_per_s, vlk_measure_read(info->isa, info->threads, (size_t)m->read_bytes));
    m->flops_per_s = fmax(m->flops_per_s, vlk_measure_fma(info->isa, info->threads));
}

/* Ticks that all processors were busy since the system started, and those among them that the host gave to others. */
static bool read_ticks(double *busy, double *stolen) {
    double t[8];
    FILE *f = fopen("/proc/stat", "re");
    bool known = f && fscanf(f, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", t, t + 1, t + 2, t + 3, t + 4, t + 5, t + 6, t + 7) == 8;
    if (f)
        fclose(f);
    if (known) {
        *stolen = t[7];
        *busy = t[0] + t[1] + t[2] + t[5] + t[6] + t[7]; /* not idle, not waiting for a disk */
    }
    return known;
}

static vl2_status measure_vision(struct bench *b) {
    const struct vl2_config *c = &b->engine->config;
    bool page = c->family != VL2_FAMILY_VL2; /* one view of a whole page */
    int32_t tiles = page ? 1 : b->engine->backend->traits.batch_bytes ? ALL_TILES : FEW_TILES; /* a GPU does a picture's in one pass */
    struct vl2_bench_row row = {.kind = VL2_BENCH_VISION, .tokens = tiles};
    size_t bytes = (size_t)tiles * 3 * (size_t)c->vision.side * (size_t)c->vision.side;
    b->tiles = (struct vl2_tiles){.side = c->vision.side,
                                  .local_side = c->tiles.local_side,
                                  .grid_w = page ? 1 : tiles - 1,
                                  .grid_h = 1,
                                  .n_tiles = tiles,
                                  .data = vlk_alloc(bytes, 1)};
    if (!b->tiles.data)
        return vl2_fail(b->err, VL2_ERR_MEMORY, "There is not enough memory for %d tiles.", tiles);
    for (size_t i = 0; i < bytes; i++)
        b->tiles.data[i] = (uint8_t)next_random(b);
    row.flops = tiles * count_tile(b->engine);
    vl2_status status = measure(b, &row, 2);
    b->report->vision_fma_ratio = row.flops / (row.best_ms / 1e3) / b->report->machine.flops_per_s;
    b->report->vision_ms_per_tile = row.best_ms / tiles;
    b->report->first_token_10_tiles_ms += ALL_TILES * row.best_ms / tiles;
    return status;
}

/* Threads that compute and nothing else. */
struct neighbours {
    atomic_bool leave;
    pthread_t threads[MAX_NEIGHBOURS];
    int n;
};

static void *compute(void *user) {
    struct neighbours *all = user;
    for (volatile unsigned work = 0; !atomic_load_explicit(&all->leave, memory_order_relaxed);)
        work++;
    return NULL;
}

/* A thread that waits for one which has lost its core must not burn its own share. */
static vl2_status measure_busy(struct bench *b, const struct vl2_bench_row *quiet) {
    struct vl2_bench_row row = {.kind = VL2_BENCH_BUSY, .tokens = 1, .context = quiet->context, .flops = quiet->flops, .bytes = quiet->bytes};
    int threads = vl2_engine_info(b->engine)->threads;
    struct neighbours all = {.n = 0};
    while (all.n < threads && all.n < MAX_NEIGHBOURS && pthread_create(&all.threads[all.n], NULL, compute, &all) == 0)
        all.n++;
    vl2_status status = measure(b, &row, 8);
    atomic_store(&all.leave, true);
    for (int i = 0; i < all.n; i++)
        pthread_join(all.threads[i], NULL);
    if (threads > 1 && all.n == threads)
        b->report->busy_ratio = row.median_ms / (2 * quiet->median_ms);
    return status;
}

static vl2_status measure_decode(struct bench *b) {
    static const int32_t contexts[] = {0, 1024, 4095};
    vl2_status status = VL2_OK;
    for (size_t i = 0; i < sizeof contexts / sizeof contexts[0] && status == VL2_OK; i++) {
        struct vl2_bench_row row = {.kind = VL2_BENCH_DECODE, .tokens = 1, .context = contexts[i]};
        if (row.context >= b->kv.capacity)
            continue;
        struct count c = count_tokens(b, 1, row.context);
        row.flops = c.flops;
        row.bytes = c.bytes;
        status = measure(b, &row, 8);
        if (status == VL2_OK && row.context == 1024 && vl2_engine_info(b->engine)->threads > 0)
            status = measure_busy(b, &row);
        if (status == VL2_OK && row.context == 0)
            b->report->decode_bandwidth_ratio = row.bytes / (row.best_ms / 1e3) / b->report->machine.read_per_s;
    }
    return status;
}

/* In the middle of a long answer about a picture. */
static vl2_status measure_boxes(struct bench *b) {
    struct vl2_bench_row row = {.kind = VL2_BENCH_BOXES, .tokens = BOX_TOKENS, .context = 1024};
    if (row.context + row.tokens > b->kv.capacity || b->engine->backend->traits.same_rows < BOX_PASS || b->scratch.rows < BOX_PASS)
        return VL2_OK;
    b->several = vl2_device_alloc(b->engine, BOX_PASS * (size_t)b->engine->config.lm.vocab * sizeof *b->several);
    if (!b->several)
        return vl2_fail(b->err, VL2_ERR_MEMORY, "There is not enough memory to measure %d tokens at once.", BOX_PASS);
    row.flops = count_tokens(b, row.tokens, row.context).flops;
    vl2_status status = measure(b, &row, 2);
    row = (struct vl2_bench_row){.kind = VL2_BENCH_BOXES_DRAFTED, .tokens = row.tokens, .context = row.context, .flops = row.flops};
    return status == VL2_OK ? measure(b, &row, 2) : status;
}

static vl2_status measure_prefill(struct bench *b) {
    static const int32_t lengths[] = {128, 512, 2048};
    vl2_status status = VL2_OK;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0] && status == VL2_OK; i++) {
        struct vl2_bench_row row = {.kind = VL2_BENCH_PREFILL, .tokens = lengths[i]};
        if (row.tokens > b->kv.capacity)
            continue;
        row.flops = count_tokens(b, row.tokens, 0).flops;
        status = measure(b, &row, row.tokens == 512 ? 2 : 1);
        if (status == VL2_OK && row.tokens == 512)
            b->report->prefill_fma_ratio = row.flops / (row.best_ms / 1e3) / b->report->machine.flops_per_s;
        if (row.tokens == 2048)
            b->report->first_token_10_tiles_ms = row.best_ms; /* the tiles come to it */
    }
    struct vl2_bench_row turn = {.kind = VL2_BENCH_SECOND_TURN, .tokens = SECOND_TURN_TOKENS, .context = 1024};
    if (status != VL2_OK || turn.context + turn.tokens > b->kv.capacity)
        return status;
    turn.flops = count_tokens(b, turn.tokens, turn.context).flops;
    return measure(b, &turn, 2);
}

/* The cache is written, so that reading it is reading memory. */
static void fill_cache(struct bench *b) {
    struct vlk_backend *be = b->engine->backend;
    size_t bytes = vl2_kv_bytes(&b->engine->config, 1, b->kv.dtype) / (size_t)b->engine->config.lm.layers / (b->kv.v[0] ? 2 : 1);
    float values[8192];
    uint8_t row[sizeof values];
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        values[i] = (float)(int32_t)(next_random(b) & 0xffff) * 0x1p-16f - 0.5f;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        if (b->kv.dtype == VLK_F32)
            memcpy(row + 4 * i, values + i, 4);
        else
            memcpy(row + 2 * i, (uint8_t *)(values + i) + 2, 2); /* the upper half is the bf16 */
    }
    for (int32_t layer = 0; layer < b->engine->config.lm.layers; layer++) {
        for (size_t at = 0, all = bytes * (size_t)b->kv.capacity; at < all; at += sizeof row) {
            size_t n = all - at < sizeof row ? all - at : sizeof row;
            be->ops->mem_write(be, (uint8_t *)b->kv.k[layer] + at, row, n);
            if (b->kv.v[layer])
                be->ops->mem_write(be, (uint8_t *)b->kv.v[layer] + at, row, n);
        }
    }
}

static vl2_status open_bench(struct bench *b) {
    const struct vl2_config *c = &b->engine->config;
    struct vlk_backend *be = b->engine->backend;
    int32_t context = c->lm.context < 4096 ? c->lm.context : 4096;
    int32_t chunk = vl2_chunk_size(c, context, be->traits.chunk);
    vl2_status status = vl2_kv_init(b->engine, context, be->traits.half_cache ? VLK_BF16 : vl2_cache_dtype(c, context), &b->kv, b->err);
    if (status == VL2_OK)
        status = vl2_scratch_init(b->engine, chunk, &b->scratch, b->err);
    if (status != VL2_OK)
        return status;
    b->seen = be->ops->mem_alloc(be, (size_t)c->lm.vocab);
    b->result = be->ops->mem_alloc(be, sizeof *b->result);
    b->ids = vlk_alloc((size_t)context, sizeof *b->ids);
    b->experts = vlk_alloc((size_t)c->lm.layers, (size_t)(c->lm.experts ? c->lm.experts : 1));
    if (!b->seen || !b->result || !b->ids || !b->experts)
        return vl2_fail(b->err, VL2_ERR_MEMORY, "There is not enough memory to measure %d tokens.", context);
    b->report->weight_bytes = b->engine->weights.bytes;
    b->report->cache_bytes = vl2_kv_bytes(c, context, b->kv.dtype);
    b->report->scratch_bytes = vl2_scratch_bytes(c, chunk, 0);
    fill_cache(b);
    return VL2_OK;
}

static void close_bench(struct bench *b) {
    struct vlk_backend *be = b->engine->backend;
    if (b->seen)
        be->ops->mem_free(be, b->seen);
    if (b->result)
        be->ops->mem_free(be, b->result);
    if (b->several)
        be->ops->mem_free(be, b->several);
    vl2_scratch_deinit(b->engine, &b->scratch);
    vl2_kv_deinit(b->engine, &b->kv);
    vlk_free(b->ids);
    vlk_free(b->experts);
    vlk_free(b->tiles.data);
}

vl2_status vl2_bench(vl2_engine *engine, const vl2_cancel *cancel, vl2_bench_fn on_row, void *user, struct vl2_bench_report *out,
                     vl2_error *err) {
    struct bench b = {.engine = engine, .cancel = cancel, .on_row = on_row, .user = user, .report = out, .err = err, .random = 88172645463325252u};
    *out = (struct vl2_bench_report){
        .decode_bandwidth_ratio = NAN, .busy_ratio = NAN, .prefill_fma_ratio = NAN, .vision_fma_ratio = NAN, .first_token_10_tiles_ms = NAN};
    if (!engine->backend)
        return vl2_fail(err, VL2_ERR_USAGE, "An engine that read headers only cannot be measured.");
    double busy = 0, stolen = 0, busy_before = 0, stolen_before = 0;
    bool known = read_ticks(&busy_before, &stolen_before);
    vl2_status status = open_bench(&b);
    if (status == VL2_OK) {
        measure_machine(&b);
        status = measure_decode(&b);
    }
    if (status == VL2_OK)
        status = measure_boxes(&b);
    if (status == VL2_OK)
        status = measure_prefill(&b);
    if (status == VL2_OK)
        status = measure_vision(&b);
    if (status == VL2_OK) {
        struct vl2_bench_machine before = out->machine;
        measure_machine(&b);
        double read = before.read_per_s / out->machine.read_per_s, fma = before.flops_per_s / out->machine.flops_per_s;
        out->decode_bandwidth_ratio *= read;
        out->prefill_fma_ratio *= fma;
        out->vision_fma_ratio *= fma;
        out->machine.stolen_share = known && read_ticks(&busy, &stolen) && busy > busy_before
                                        ? (stolen - stolen_before) / (busy - busy_before) : NAN;
        for (int32_t i = 0; i < engine->config.lm.layers; i++) {
            for (int32_t e = 0; vl2_config_is_moe(&engine->config, i) && e < engine->config.lm.experts; e++, out->experts++)
                out->experts_used += b.experts[(size_t)i * (size_t)engine->config.lm.experts + (size_t)e];
        }
    }
    close_bench(&b);
    return status;
}
