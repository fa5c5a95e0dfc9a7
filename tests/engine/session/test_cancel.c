/* SPDX-License-Identifier: MIT
 *
 * How much is still computed after a wish to cancel, counted in work instead of time: the wish comes in the middle of every
 * operation of reading a picture, reading text and answering, and the operations that follow it are counted. At most one layer of
 * the vision tower, 64 tokens' worth of decoder layers, or one token of an answer; then the session goes on as if never stopped.
 *   test_cancel CHECKPOINTS   (of tests/parity/make_checkpoints.py)
 */
#include "engine/model/model.h"
#include "tests/engine/talk.h"
#include "tests/tap.h"

enum { ANSWER = 12, WORK_TOKENS = 64 };

static vl2_engine *engine;
static vl2_error err;

/* The backend's operations with a look at the clock of operations in front of them. */
static struct {
    const struct vlk_ops *real;
    struct vlk_ops ops;
    vl2_cancel wish;
    long left; /* operations before the wish; < 0 = it has come, or never does */
    long operations;
    long vision_layers, token_layers, samples; /* begun after the wish */
} work;

static bool tick(void) {
    bool late = atomic_load(&work.wish);
    work.operations++;
    if (work.left >= 0 && work.left-- == 0)
        atomic_store(&work.wish, true);
    return late;
}

static void linear(struct vlk_backend *be, const struct vlk_linear_args *a) {
    tick();
    work.real->linear(be, a);
}

static void vit_block(struct vlk_backend *be, const struct vlk_vit_block_args *a) {
    work.vision_layers += tick();
    work.real->vit_block(be, a);
}

static void mla_attend(struct vlk_backend *be, const struct vlk_mla_attend_args *a) {
    work.token_layers += tick() ? a->n : 0;
    work.real->mla_attend(be, a);
}

static void mha_attend(struct vlk_backend *be, const struct vlk_mha_attend_args *a) {
    work.token_layers += tick() ? a->n : 0;
    work.real->mha_attend(be, a);
}

static void sample(struct vlk_backend *be, const struct vlk_sample_args *a) {
    work.samples += tick();
    work.real->sample(be, a);
}

static void watch_backend(void) {
    work.real = engine->backend->ops;
    work.ops = *work.real;
    work.ops.linear = linear;
    work.ops.vit_block = vit_block;
    work.ops.mla_attend = mla_attend;
    work.ops.mha_attend = mha_attend;
    work.ops.sample = sample;
    engine->backend->ops = &work.ops;
}

/* The wish comes in operation `after` from now, < 0: never. */
static void wish_after(long after) {
    atomic_store(&work.wish, false);
    work.left = after;
    work.operations = work.vision_layers = work.token_layers = work.samples = 0;
}

static vl2_session *open_session(int32_t chunk) {
    vl2_session *session = NULL;
    if (vl2_session_open(engine, &(struct vl2_session_options){.chunk_size = chunk}, &session, &err) != VL2_OK)
        tap_diag("%s", err.text);
    return session;
}

static vl2_status read_talk(vl2_session *session, const struct talk *talk) {
    return vl2_session_sync(session, &talk->conversation, &(struct vl2_watch){.cancel = &work.wish}, NULL, &err);
}

static vl2_status answer(vl2_session *session, struct talk_text *out, struct vl2_generation *done) {
    struct vl2_generate_options options = talk_greedy(ANSWER);
    *out = (struct talk_text){.length = 0};
    return vl2_session_generate(session, &options, &work.wish, talk_on_token, out, done, &err);
}

/* True when the session reads the rest and answers like one that was never stopped. */
static bool goes_on(vl2_session *session, const struct talk *talk, const struct talk_text *whole) {
    static struct talk_text text;
    struct vl2_generation done;
    wish_after(-1);
    return read_talk(session, talk) == VL2_OK && answer(session, &text, &done) == VL2_OK && text.tokens == whole->tokens &&
           memcmp(text.ids, whole->ids, text.tokens * sizeof text.ids[0]) == 0;
}

static void make_talk(struct talk *talk) {
    static char text[1600];
    static vl2_picture pictures[2];
    const vl2_picture *both[] = {&pictures[0], &pictures[1]};
    if (!pictures[0].rgb) {
        pictures[0] = talk_picture(70, 30, 1);
        pictures[1] = talk_picture(20, 20, 2);
        for (int i = 0; i < 50; i++)
            strcat(text, "circle ring ");
    }
    talk_add(talk, VL2_USER, both, 2, text);
}

static void test_reading(int32_t chunk, const struct talk *talk, const struct talk_text *whole, const char *name) {
    long most_vision = 0, most_tokens = 0, wrong = 0, cancelled = 0, limit = WORK_TOKENS * engine->config.lm.layers;
    wish_after(-1);
    vl2_session *session = open_session(chunk);
    wrong += read_talk(session, talk) != VL2_OK;
    long operations = work.operations;
    vl2_session_close(session);
    for (long at = 0; at < operations; at++) {
        session = open_session(chunk);
        wish_after(at);
        vl2_status status = read_talk(session, talk);
        most_vision = work.vision_layers > most_vision ? work.vision_layers : most_vision;
        most_tokens = work.token_layers > most_tokens ? work.token_layers : most_tokens;
        cancelled += status == VL2_CANCELLED;
        wrong += status != VL2_OK && status != VL2_CANCELLED;
        if (at % 7 == 0)
            wrong += !goes_on(session, talk, whole);
        vl2_session_close(session);
    }
    ok(most_vision <= 1, "%s, chunks of %d (0: the usual): at most %ld layer of the vision tower after the wish", name, chunk,
       most_vision);
    ok(most_tokens > 0 && most_tokens <= limit, "at most %ld token-layers, %ld being 64 tokens", most_tokens, limit);
    /* What is left after the last look, a part of the last chunk's layers and the head, is finished. */
    ok(cancelled * 2 > operations, "%ld of %ld wishes end the reading", cancelled, operations);
    is_int(wrong, 0, "and the session goes on to the same answer");
}

static void test_answering(const struct talk *talk, const struct talk_text *whole, const char *name) {
    static struct talk_text text;
    struct vl2_generation done;
    long most_layers = 0, most_samples = 0, cancelled = 0, wrong = 0;
    vl2_session *session = open_session(0);
    wish_after(-1);
    wrong += read_talk(session, talk) != VL2_OK;
    wish_after(-1);
    wrong += answer(session, &text, &done) != VL2_OK;
    long operations = work.operations;
    for (long at = 0; at < operations; at++) {
        wish_after(-1);
        wrong += read_talk(session, talk) != VL2_OK;
        wish_after(at);
        wrong += answer(session, &text, &done) != VL2_OK;
        most_layers = work.token_layers > most_layers ? work.token_layers : most_layers;
        most_samples = work.samples > most_samples ? work.samples : most_samples;
        cancelled += done.stop == VL2_STOP_CANCELLED;
        wrong += text.tokens == 0 || memcmp(text.ids, whole->ids, text.tokens * sizeof text.ids[0]) != 0;
        if (at % 7 == 0)
            wrong += !goes_on(session, talk, whole);
    }
    ok(most_layers <= engine->config.lm.layers && most_samples <= 1, "%s: at most one token of an answer after the wish", name);
    ok(cancelled * 2 > operations, "%ld of %ld wishes end the answer", cancelled, operations);
    is_int(wrong, 0, "which is the beginning of the whole one, and the session goes on to it");
    vl2_session_close(session);
}

int main(int argc, char **argv) {
    static const char *const models[] = {"small_style", "tiny_style"};
    static struct talk_text whole;
    struct talk talk = {.n_parts = 0};
    if (argc != 2)
        return 2;
    make_talk(&talk);
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        char dir[4096];
        snprintf(dir, sizeof dir, "%s/%s", argv[1], models[i]);
        struct vl2_engine_options options = {.device = "cpu", .threads = 1};
        if (!ok(vl2_engine_open(dir, &options, &engine, &err) == VL2_OK, "%s opens", models[i])) {
            tap_diag("%s", err.text);
            continue;
        }
        watch_backend();
        vl2_session *session = open_session(0);
        struct vl2_generation done;
        wish_after(-1);
        ok(read_talk(session, &talk) == VL2_OK && answer(session, &whole, &done) == VL2_OK && whole.tokens == ANSWER,
           "an answer in one go");
        vl2_session_close(session);
        test_reading(0, &talk, &whole, models[i]);
        test_reading(100, &talk, &whole, models[i]);
        test_answering(&talk, &whole, models[i]);
        engine->backend->ops = work.real;
        vl2_engine_close(engine);
    }
    return tap_done();
}
