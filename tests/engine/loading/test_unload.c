/* SPDX-License-Identifier: MIT
 *
 * What a model took is given back when it is closed: memory of the process as the kernel counts it (smaps_rollup), before a model is
 * opened, while a conversation about a picture is held, and after everything is closed, on a thread of its own as in the application.
 *   test_unload MODEL
 */
#include "engine/bench.h"
#include "tests/engine/talk.h"
#include "tests/tap.h"

#include <pthread.h>

enum { LIVES = 4 };

/* What may stay: for each thread that ever allocated (main, ours, the engine's other one) glibc keeps the end of its heap, up to the
 * engine's KEPT_MEMORY of 512 KiB and a top pad of 128 KiB. */
static const int64_t slack = 3 * (int64_t) (512 + 128) * 1024;

struct life {
    const char *dir; /* NULL: generated weights, one layer of the tiny shape */
    bool ok;
    int64_t held; /* anonymous bytes at the end of the answer */
    vl2_error err;
};

/* Bytes of one line of smaps_rollup; "Pss_Anon" is what this process alone has written. */
static int64_t resident(const char *key) {
    FILE *f = fopen("/proc/self/smaps_rollup", "re");
    char line[256];
    long long kib = -1;
    size_t length = strlen(key);
    while (f && kib < 0 && fgets(line, sizeof line, f))
        if (strncmp(line, key, length) == 0 && line[length] == ':')
            sscanf(line + length + 1, "%lld", &kib);
    if (f)
        fclose(f);
    return kib < 0 ? -1 : (int64_t) kib * 1024;
}

static vl2_picture picture;

static bool is_mapped(const char *text) {
    FILE *f = fopen("/proc/self/maps", "re");
    char line[5000];
    bool found = false;
    while (f && fgets(line, sizeof line, f))
        found = found || strstr(line, text);
    if (f)
        fclose(f);
    return found;
}

static bool talk_about(vl2_engine *engine, struct life *life) {
    vl2_session *session = NULL;
    struct talk talk = {.n_parts = 0};
    struct vl2_generate_options options = talk_greedy(8);
    talk_user(&talk, &picture, "What is in the picture?");
    bool good = vl2_session_open(engine, NULL, &session, &life->err) == VL2_OK &&
                vl2_session_sync(session, &talk.conversation, NULL, NULL, &life->err) == VL2_OK &&
                vl2_session_generate(session, &options, NULL, NULL, NULL, NULL, &life->err) == VL2_OK;
    life->held = resident("Pss_Anon");
    vl2_session_close(session);
    return good;
}

/* Generated weights have no tokenizer to talk with. They are large, and all of them memory that was written. */
static bool hold_weights(struct life *life) {
    const struct vl2_shape shape = {.name = "tiny", .format = VL2_FORMAT_INT8, .layers = 1};
    vl2_engine *engine = NULL;
    bool good = vl2_engine_open_shape(&shape, &(struct vl2_engine_options){.threads = 2}, &engine, &life->err) == VL2_OK;
    life->held = resident("Pss_Anon");
    vl2_engine_close(engine);
    return good;
}

static void *live(void *data) {
    struct life *life = data;
    vl2_engine *engine = NULL;
    if (!life->dir) {
        life->ok = hold_weights(life);
        return NULL;
    }
    life->ok = vl2_engine_open(life->dir, &(struct vl2_engine_options){.threads = 2}, &engine, &life->err) == VL2_OK &&
               talk_about(engine, life);
    vl2_engine_close(engine);
    return NULL;
}

/* Runs a life on a new thread; what the process has more than before is in *left. */
static bool run_life(struct life *life, int64_t before, int64_t *left) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, live, life) != 0)
        return false;
    pthread_join(thread, NULL);
    *left = resident("Pss_Anon") - before;
    if (!life->ok)
        tap_diag("%s", life->err.text);
    return life->ok;
}

static void test_model(const char *dir, const char *what, int64_t least) {
    struct life life = {.dir = dir};
    int64_t before = resident("Pss_Anon"), left = 0, most = 0, held = INT64_MAX;
    bool good = true;
    for (int i = 0; i < LIVES && good; i++) {
        good = run_life(&life, before, &left);
        most = left > most ? left : most;
        held = life.held - before < held ? life.held - before : held;
    }
    tap_diag("%s: %.1f MiB held, %.2f MiB left after the last of %d, %.2f MiB at most", what, (double) held / (1 << 20),
             (double) left / (1 << 20), LIVES, (double) most / (1 << 20));
    ok(good && held > least, "%s: memory is taken", what);
    ok(good && most <= slack, "%s: all of it is given back, every time", what);
    ok(!is_mapped(".safetensors"), "%s: no file of weights is mapped any more", what);
}

int main(int argc, char **argv) {
    if (argc != 2)
        return 2;
    if (!ok(resident("Pss_Anon") > 0, "the kernel says what is resident"))
        return tap_done();
    picture = talk_picture(300, 200, 1);
    test_model(argv[1], "a conversation", 2 << 20);
    test_model(NULL, "generated weights", 300 << 20);
    return tap_done();
}
