/* SPDX-License-Identifier: MIT
 *
 * Measuring an engine: the times of its forward passes beside what the machine could do, and engines with generated weights.
 * Public beside vl2.h, whose conventions of errors and threads it shares. Called by the command line on the inference thread.
 */
#ifndef VL2_BENCH_H
#define VL2_BENCH_H

#include "engine/vl2.h"

/* Weights of a published model's shape, made of noise: tiny, small, base, or ocr (DeepSeek-OCR). */
struct vl2_shape {
    const char *name; /* "tiny", "small", "base" */
    vl2_format format;
    bool vision_int8; /* the tower's and the projector's matrices, else bf16 */
    int32_t layers;   /* of the decoder and of the vision tower, at most as many as there are; 0 = all */
};

/* As vl2_engine_open(), without a folder: no tokenizer, so that the engine is good for vl2_bench() only. */
vl2_status vl2_engine_open_shape(const struct vl2_shape *shape, const struct vl2_engine_options *options, vl2_engine **out,
                                 vl2_error *err);

/* BOXES: the tokens of one box in a list of boxes, whose numbers are new, one pass after the other; BOXES_DRAFTED: the same when what
 * stands between the numbers is read ahead (engine/session/draft.h), where the backend has it. */
typedef enum {
    VL2_BENCH_VISION,
    VL2_BENCH_PREFILL,
    VL2_BENCH_DECODE,
    VL2_BENCH_BOXES,
    VL2_BENCH_BOXES_DRAFTED,
    VL2_BENCH_BUSY, /* DECODE beside as many threads that compute all the time as the engine has */
    VL2_BENCH_SECOND_TURN
} vl2_bench_kind;

struct vl2_bench_row {
    vl2_bench_kind kind;
    int32_t tokens;      /* that one run reads or makes; VISION: tiles */
    int32_t context;     /* in the cache before it */
    int32_t runs;        /* that were counted, after a warm-up */
    double best_ms, median_ms;
    double flops, bytes; /* of one run: multiply-adds twice; weights that the run touches, once, and the cache that it reads */
};

struct vl2_bench_machine { /* measured before and after the rows, the better of both; 0 where there is no way to know (CUDA) */
    uint64_t cache_bytes, read_bytes; /* last-level cache, and the buffer that was read */
    double read_per_s, flops_per_s;   /* all threads of the engine together */
    double stolen_share; /* of the processors' busy time meanwhile, what the host gave to other virtual machines; NAN where unknown */
};

struct vl2_bench_report {
    struct vl2_bench_machine machine;
    int32_t experts_used, experts; /* distinct (layer, expert) of the decode steps, and of the model */
    uint64_t weight_bytes, cache_bytes, scratch_bytes; /* what the engine and the measured session hold */
    double decode_bandwidth_ratio; /* achieved ÷ read_per_s at an empty cache, best of the runs; NAN where unknown */
    double busy_ratio;             /* BUSY ÷ twice DECODE behind as many tokens, medians: 1 is a fair share; NAN with one thread */
    double prefill_fma_ratio;      /* achieved ÷ flops_per_s at 512 tokens */
    double vision_fma_ratio;
    double vision_ms_per_tile;      /* best of the runs */
    double first_token_10_tiles_ms; /* ten times that, and reading 2048 tokens with the first choice: a picture of the largest grid
                                       (2,017 tokens) and a short question */
};

/* Measures the forward passes of an engine. Reports every row as it is known. Works on an engine without tokenizer. */
typedef void (*vl2_bench_fn)(const struct vl2_bench_row *row, void *user);
vl2_status vl2_bench(vl2_engine *engine, const vl2_cancel *cancel, vl2_bench_fn on_row, void *user, struct vl2_bench_report *out,
                     vl2_error *err);

/* Bytes per second that the cores of this computer read together from memory; 0 where there is no room to measure. Takes some tenths of
 * a second, all cores, and for that long 256 MiB or four times the last cache. Any thread, without an engine. */
double vl2_measure_read_rate(void);

#endif
