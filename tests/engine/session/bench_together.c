/* SPDX-License-Identifier: MIT
 *
 * Tokens per second of one answer and of several that are written together, in turns so that a busy machine slows both: what a common
 * step gains. A benchmark, not a test.
 *   bench_together MODEL|tiny|small [ANSWERS [LAYERS [THREADS]]]   (a folder, or generated weights of a published shape with fewer
 * layers, 0 = all)
 * With one thread the clock is the thread's own CPU time, so that a busy machine can still be measured on.
 */
#include "engine/bench.h"
#include "engine/model/backend_wait.h"
#include "engine/session/step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TOKENS = 48, ROUNDS = 5, MOST = 16 };

static clockid_t which_clock = CLOCK_MONOTONIC;
static vl2_error err;

static double now(void) {
    struct timespec t;
    clock_gettime(which_clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void check(vl2_status status) {
    if (status == VL2_OK)
        return;
    fprintf(stderr, "%s\n", err.text);
    exit(1);
}

/* Passes of tokens that differ from session to session, and what is drawn from their logits. */
static double measure(vl2_session **sessions, int n) {
    struct vl2_engine *e = sessions[0]->engine;
    struct vlk_backend *be = e->backend;
    uint32_t random = 1;
    check(vl2_step_prepare(e, n, &err));
    for (int i = 0; i < n; i++)
        sessions[i]->length = 0;
    double start = now();
    for (int token = 0; token < TOKENS; token++) {
        for (int i = 0; i < n; i++) {
            random = random * 1664525 + 1013904223;
            struct vlk_step step = {.pos = token, .token = (int32_t)((random >> 8) % (uint32_t)e->config.lm.vocab)};
            be->ops->mem_write(be, sessions[i]->scratch.step, &step, sizeof step);
            sessions[i]->length = (size_t)token;
        }
        vl2_step_enqueue(sessions, n, NULL, true);
        for (int i = 0; i < n; i++)
            be->ops->sample(be, &(struct vlk_sample_args){.vocab = e->config.lm.vocab, .top_p = 1, .repetition_penalty = 1,
                                                          .logits = sessions[i]->scratch.logits, .seen = sessions[i]->seen,
                                                          .step = sessions[i]->scratch.step, .result = sessions[i]->result});
        check(vl2_backend_wait(e, &err));
    }
    return n * TOKENS / (now() - start);
}

int main(int argc, char **argv) {
    int n = argc > 2 ? atoi(argv[2]) : 8;
    struct vl2_shape shape = {.name = argc > 1 ? argv[1] : "", .format = VL2_FORMAT_BF16, .layers = argc > 3 ? atoi(argv[3]) : 0};
    struct vl2_engine_options engine_options = {.threads = argc > 4 ? atoi(argv[4]) : 0};
    struct vl2_session_options options = {.context = 256};
    vl2_engine *engine;
    vl2_session *sessions[MOST];
    bool folder = argc > 1 && strchr(argv[1], '/');
    if (argc < 2 || n < 1 || n > MOST)
        return 2;
    which_clock = engine_options.threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
    check(folder ? vl2_engine_open(argv[1], &engine_options, &engine, &err) : vl2_engine_open_shape(&shape, &engine_options, &engine, &err));
    for (int i = 0; i < n; i++)
        check(vl2_session_open(engine, &options, &sessions[i], &err));
    for (int round = 0; round < ROUNDS; round++) {
        double one = measure(sessions, 1), many = measure(sessions, n);
        printf("one %.1f tokens/s, %d together %.1f: %.2f times\n", one, n, many, many / one);
    }
    return 0;
}
