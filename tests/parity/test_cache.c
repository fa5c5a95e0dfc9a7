/* SPDX-License-Identifier: MIT
 *
 * What a cache of bf16 costs: the same conversation with keys and values kept in f32 and in bf16, layer by layer, for every
 * variant of the architecture. The f32 cache is what test_parity compares with the official code; large contexts and GPUs take
 * the other (engine/loading/memory_plan.c). Tokens whose experts differ, and those behind them, are counted instead of compared.
 *
 *   test_cache CHECKPOINTS NAME…
 */
#include "engine/model/model.h"
#include "tests/engine/talk.h"
#include "tests/tap.h"

#include <math.h>

enum { MAX_LAYERS = 8 };
static const double unit = 0x1p-8; /* rounding to bf16 moves a number by at most this part of itself */

struct pass {
    float *layers[MAX_LAYERS], *experts[MAX_LAYERS], *logits;
    size_t n, hidden, k, vocab;
};

static float *copy(const float *data, size_t count) {
    float *p = malloc(count * sizeof *p);
    return memcpy(p, data, count * sizeof *p);
}

static void on_tap(const char *name, const float *data, size_t rows, size_t cols, void *user) {
    struct pass *p = user;
    int layer;
    if (sscanf(name, "layer.%d", &layer) == 1 && layer < MAX_LAYERS) {
        p->layers[layer] = copy(data, rows * cols);
        p->n = rows;
        p->hidden = cols;
    } else if (sscanf(name, "experts.%d", &layer) == 1 && layer < MAX_LAYERS) {
        p->experts[layer] = copy(data, rows * cols);
        p->k = cols;
    } else if (strcmp(name, "logits") == 0) {
        p->logits = copy(data, rows * cols);
        p->vocab = cols;
    }
}

static void pass_deinit(struct pass *p) {
    for (int i = 0; i < MAX_LAYERS; i++) {
        free(p->layers[i]);
        free(p->experts[i]);
    }
    free(p->logits);
}

static vl2_status run_pass(vl2_engine *engine, const struct talk *talk, bool half, struct pass *out, vl2_error *err) {
    vl2_session *session = NULL;
    engine->backend->traits.half_cache = half; /* as the CUDA module asks for it */
    vl2_status status = vl2_session_open(engine, &(struct vl2_session_options){.chunk_size = 16}, &session, err);
    if (status == VL2_OK)
        status = vl2_session_dump(session, &talk->conversation, on_tap, out, NULL, err);
    vl2_session_close(session);
    return status;
}

static double row_error(const float *a, const float *b, size_t cols) {
    double difference = 0, norm = 0;
    for (size_t c = 0; c < cols; c++) {
        difference += ((double) a[c] - (double) b[c]) * ((double) a[c] - (double) b[c]);
        norm += (double) b[c] * (double) b[c];
    }
    return sqrt(difference / norm);
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *) a, y = *(const double *) b;
    return (x > y) - (x < y);
}

struct errors {
    double *list, worst, median;
    size_t n, tokens, rerouted; /* rerouted: tokens with other experts in any layer */
};

/* Tokens of this layer up to the first one whose experts differ here or differed before. */
static size_t alike(const struct pass *a, const struct pass *b, int layer, size_t before) {
    size_t t = 0;
    if (!a->experts[layer])
        return before;
    while (t < before && memcmp(a->experts[layer] + t * a->k, b->experts[layer] + t * a->k, a->k * sizeof(float)) == 0)
        t++;
    return t;
}

static size_t count_rerouted(const struct pass *a, const struct pass *b) {
    size_t count = 0;
    for (size_t t = 0; t < a->n; t++) {
        bool other = false;
        for (int layer = 0; layer < MAX_LAYERS; layer++)
            other = other || (a->experts[layer] &&
                              memcmp(a->experts[layer] + t * a->k, b->experts[layer] + t * a->k, a->k * sizeof(float)) != 0);
        count += other;
    }
    return count;
}

static struct errors compare(const struct pass *full, const struct pass *half, int layers) {
    size_t tokens = full->n;
    struct errors e = {.tokens = tokens, .rerouted = count_rerouted(full, half)};
    e.list = malloc((size_t) (layers + 1) * tokens * sizeof *e.list);
    for (int layer = 0; layer < layers; layer++) {
        tokens = alike(full, half, layer, tokens);
        for (size_t t = 0; t < tokens; t++)
            e.list[e.n++] = row_error(half->layers[layer] + t * full->hidden, full->layers[layer] + t * full->hidden, full->hidden);
    }
    for (size_t t = 0; t < tokens; t++)
        e.list[e.n++] = row_error(half->logits + t * full->vocab, full->logits + t * full->vocab, full->vocab);
    qsort(e.list, e.n, sizeof *e.list, compare_doubles);
    e.worst = e.n ? e.list[e.n - 1] : NAN;
    e.median = e.n ? e.list[e.n / 2] : NAN;
    return e;
}

static void check_variant(const char *checkpoint, const char *name, const struct talk *talk) {
    vl2_engine *engine = NULL;
    vl2_error err = {.text = ""};
    struct vl2_engine_options options = {.device = "cpu", .threads = 1};
    struct pass full = {.n = 0}, half = {.n = 0};
    if (!ok(vl2_engine_open(checkpoint, &options, &engine, &err) == VL2_OK, "%s opens", name)) {
        tap_diag("%s", err.text);
        return;
    }
    int layers = engine->config.lm.layers;
    bool ran = layers <= MAX_LAYERS && run_pass(engine, talk, false, &full, &err) == VL2_OK;
    ran = ran && run_pass(engine, talk, true, &half, &err) == VL2_OK;
    if (ok(ran, "%s runs with both caches", name)) {
        /* Each layer rounds keys and values, and what it adds is a part of the residual stream: at worst the largest roundings of
         * all layers add up; as they are independent, usually their squares do, and the root of a rounding's mean square is 0.4. */
        double most = 2 * layers * unit, usual = 0.4 * sqrt(2 * layers) * unit;
        struct errors e = compare(&full, &half, layers);
        ok(e.n > e.tokens && e.worst <= most, "%s: no token is farther than %.2g", name, most);
        ok(e.median <= usual, "%s: half of them not farther than %.2g", name, usual);
        ok(e.median > unit / 256, "%s: and not without a rounding", name);
        ok(e.rerouted * 10 <= e.tokens, "%s: few tokens meet other experts", name);
        tap_diag("cache %s median %.2e of %.2e worst %.2e of %.2e rerouted %zu of %zu compared %zu", name, e.median, usual, e.worst,
                 most, e.rerouted, e.tokens, e.n);
        free(e.list);
    } else {
        tap_diag("%s", err.text);
    }
    pass_deinit(&full);
    pass_deinit(&half);
    vl2_engine_close(engine);
}

int main(int argc, char **argv) {
    vl2_picture picture = talk_picture(40, 37, 1);
    struct talk talk = {.n_parts = 0};
    if (argc < 3)
        return 2;
    talk_user(&talk, &picture, "What is this?");
    talk_answer(&talk, "A red circle and two squares.");
    talk_user(&talk, NULL, "Where is the second one?");
    for (int i = 2; i < argc; i++) {
        char checkpoint[4096];
        snprintf(checkpoint, sizeof checkpoint, "%s/%s", argv[1], argv[i]);
        check_variant(checkpoint, argv[i], &talk);
    }
    return tap_done();
}
