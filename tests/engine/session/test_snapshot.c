/* SPDX-License-Identifier: MIT
 *
 * Snapshots: a conversation goes on in another process as if it had never stopped; whatever is wrong with the file is refused
 * and changes nothing.
 *   test_snapshot CHECKPOINTS   (of tests/parity/make_checkpoints.py)
 */
#include "engine/session/session_parts.h"
#include "tests/engine/talk.h"
#include "tests/tap.h"

#include <utime.h>

static char folder[1000], path[1100];
static vl2_error err;
static struct talk_text answer;

static vl2_engine *open_engine(const char *dir) {
    vl2_engine *engine = NULL;
    if (vl2_engine_open(dir, &(struct vl2_engine_options){.threads = 1}, &engine, &err) != VL2_OK)
        tap_diag("%s", err.text);
    return engine;
}

static vl2_session *open_session(vl2_engine *engine, int32_t context) {
    vl2_session *session = NULL;
    struct vl2_session_options options = {.context = context};
    if (vl2_session_open(engine, &options, &session, &err) != VL2_OK)
        tap_diag("%s", err.text);
    return session;
}

static void generate(vl2_session *session, struct talk_text *out) {
    struct vl2_generate_options options = talk_greedy(24);
    *out = (struct talk_text){.length = 0};
    if (vl2_session_generate(session, &options, NULL, talk_on_token, out, NULL, &err) != VL2_OK)
        tap_diag("%s", err.text);
}

static void first_question(struct talk *talk) {
    static vl2_picture picture;
    if (!picture.rgb)
        picture = talk_picture(50, 20, 1);
    talk_user(talk, &picture, "What is this?");
}

static void second_question(struct talk *talk) {
    first_question(talk);
    talk_answer(talk, answer.text);
    talk_user(talk, NULL, "And where?");
}

/* Reads the first question, answers it and saves. Returns the tokens in the file. */
static size_t save_first(vl2_engine *engine) {
    struct talk talk = {.n_parts = 0};
    vl2_session *session = open_session(engine, 0);
    first_question(&talk);
    vl2_session_sync(session, &talk.conversation, NULL, NULL, &err);
    generate(session, &answer);
    size_t length = vl2_session_length(session);
    ok(vl2_session_save(session, path, 0, NULL, &err) == VL2_OK, "a session is saved");
    vl2_session_close(session);
    return length;
}

static void test_goes_on(const char *dir) {
    static struct talk_text resumed, unbroken;
    vl2_engine *engine = open_engine(dir);
    struct stat st;
    size_t length = save_first(engine);
    ok(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600, "in a private file");
    vl2_engine_close(engine);

    engine = open_engine(dir);
    vl2_session *session = open_session(engine, 0);
    struct talk talk = {.n_parts = 0};
    struct vl2_sync_report report;
    second_question(&talk);
    ok(vl2_session_restore(session, path, &err) == VL2_OK, "and restored by another engine");
    is_int((int64_t) vl2_session_length(session), 0, "which does not touch the cache");
    vl2_session_sync(session, &talk.conversation, NULL, &report, &err);
    is_int((int64_t) report.reused_tokens, (int64_t) length, "the next question reads nothing twice");
    ok(report.branch_tokens == length && report.pictures_reused == 1, "not even the picture, nor the generated ids");
    generate(session, &resumed);
    vl2_session_close(session);

    session = open_session(engine, 0);
    struct talk first = {.n_parts = 0};
    first_question(&first);
    vl2_session_sync(session, &first.conversation, NULL, NULL, &err);
    generate(session, &unbroken);
    vl2_session_sync(session, &talk.conversation, NULL, NULL, &err);
    generate(session, &unbroken);
    ok(resumed.tokens == unbroken.tokens && memcmp(resumed.ids, unbroken.ids, resumed.tokens * sizeof resumed.ids[0]) == 0,
       "and the answer is that of a session that never stopped");
    vl2_session_close(session);
    vl2_engine_close(engine);
}

/* True when the file is refused and the session is as it was. */
static bool is_refused(vl2_session *session, const char *why) {
    size_t before = vl2_session_length(session);
    struct talk talk = {.n_parts = 0};
    struct vl2_sync_report report;
    err.text[0] = 0;
    vl2_status status = vl2_session_restore(session, path, &err);
    bool refused = status == VL2_ERR_INPUT && strstr(err.text, why) && vl2_session_length(session) == before;
    if (!refused)
        tap_diag("status %d, \"%s\"", status, err.text);
    talk_user(&talk, NULL, "Hello");
    return vl2_session_sync(session, &talk.conversation, NULL, &report, &err) == VL2_OK && report.branch_tokens == 0 && refused;
}

/* Every byte of the head and a sample of the rest changed, every kind of length cut. */
static void test_damage(const char *dir) {
    size_t size, refused = 0, tried = 0;
    vl2_engine *engine = open_engine(dir);
    save_first(engine);
    uint8_t *good = folder_read(folder, "s.kv", &size);
    vl2_session *session = open_session(engine, 0);
    for (size_t at = 0; at < size; at += at < 400 ? 1 : size / 97 + 1) {
        uint8_t was = good[at];
        good[at] ^= (uint8_t) (1u << at % 8);
        folder_write(folder, "s.kv", good, size);
        good[at] = was;
        refused += vl2_session_restore(session, path, &err) == VL2_ERR_INPUT;
        tried++;
    }
    ok(tried > 450 && refused == tried, "%zu files with one changed bit are refused", tried);
    refused = tried = 0;
    for (size_t cut = 0; cut < size; cut += cut < 200 ? 1 : size / 53 + 1, tried++) {
        folder_write(folder, "s.kv", good, cut);
        refused += vl2_session_restore(session, path, &err) == VL2_ERR_INPUT;
    }
    is_int((int64_t) refused, (int64_t) tried, "files that end early are refused");
    uint8_t *longer = malloc(size + 8);
    memcpy(longer, good, size);
    memset(longer + size, 7, 8);
    folder_write(folder, "s.kv", longer, size + 8);
    ok(is_refused(session, "cut short"), "and one with something behind it");
    for (unsigned seed = 1; seed <= 300; seed++) { /* lengths and ids from nowhere, behind a good beginning */
        unsigned x = seed;
        memcpy(longer, good, size);
        for (size_t at = 48; at < 112; at++)
            longer[at] = (x = x * 1103515245 + 12345) >> 28 ? longer[at] : (uint8_t) (x >> 16);
        folder_write(folder, "s.kv", longer, size);
        vl2_session_restore(session, path, &err);
    }
    folder_write(folder, "s.kv", good, size);
    ok(vl2_session_restore(session, path, &err) == VL2_OK, "the whole file is taken after all that");
    vl2_session_close(session);
    free(good);
    free(longer);
    vl2_engine_close(engine);
}

static void test_other_model(const char *dir, const char *other_dir) {
    char copy[1000];
    vl2_engine *engine = open_engine(dir);
    save_first(engine);
    vl2_engine_close(engine);
    engine = open_engine(other_dir);
    vl2_session *session = open_session(engine, 0);
    ok(is_refused(session, "made with another one"), "another model's snapshot is refused");
    vl2_session_close(session);
    vl2_engine_close(engine);

    folder_make(copy, sizeof copy);
    folder_copy(dir, copy);
    size_t size;
    uint8_t *weights = folder_read(copy, "model.safetensors", &size);
    char file[1100];
    snprintf(file, sizeof file, "%s/model.safetensors", copy);
    utime(file, &(struct utimbuf){.actime = 1000, .modtime = 1000});
    engine = open_engine(copy);
    save_first(engine);
    session = open_session(engine, 0);
    ok(vl2_session_restore(session, path, &err) == VL2_OK, "a copy has snapshots of its own");
    vl2_session_close(session);
    vl2_engine_close(engine);
    for (size_t i = 8 + size / 4; i < size; i++) /* behind the header: other weights of the same shapes, at the same time */
        weights[i] ^= 1;
    folder_write(copy, "model.safetensors", weights, size);
    utime(file, &(struct utimbuf){.actime = 1000, .modtime = 1000});
    engine = open_engine(copy);
    session = open_session(engine, 0);
    ok(is_refused(session, "made with another one"), "other weights in files of the same size and time are another model");
    vl2_session_close(session);
    vl2_engine_close(engine);
    free(weights);
    folder_remove(copy);
}

static void test_limits(const char *dir) {
    vl2_engine *engine = open_engine(dir);
    size_t length = save_first(engine);
    vl2_session *small = open_session(engine, (int32_t) length - 1), *empty = open_session(engine, 0);
    ok(is_refused(small, "lengths"), "a snapshot longer than the context is refused");
    ok(vl2_session_save(empty, path, 0, NULL, &err) == VL2_ERR_USAGE, "an empty session is not saved");
    struct talk talk = {.n_parts = 0};
    first_question(&talk);
    vl2_session_sync(empty, &talk.conversation, NULL, NULL, &err);
    struct stat before, after;
    stat(path, &before);
    ok(vl2_session_save(empty, path, 100, NULL, &err) == VL2_ERR_INPUT && strstr(err.text, "allowed"), "nor anything in 100 bytes");
    vl2_cancel cancel = true;
    ok(vl2_session_save(empty, path, 0, &cancel, &err) == VL2_CANCELLED, "nor one that is cancelled");
    stat(path, &after);
    ok(before.st_ino == after.st_ino && before.st_size == after.st_size, "and what was there stays");
    char part[1200];
    snprintf(part, sizeof part, "%s.part", path);
    ok(access(part, F_OK) != 0, "without a rest beside it");
    ok(vl2_session_save(empty, "/nowhere/s.kv", 0, NULL, &err) == VL2_ERR_IO && strstr(err.text, "/nowhere"), "no folder, no file");
    ok(vl2_session_restore(empty, "/nowhere/s.kv", &err) == VL2_ERR_IO, "no file, no session");
    ok(vl2_session_restore(empty, "/dev/zero", &err) == VL2_ERR_IO, "a device is not a file");
    vl2_session_close(small);
    vl2_session_close(empty);
    struct vl2_session_options tight = {.branch_bytes = 64};
    vl2_session_open(engine, &tight, &small, &err);
    ok(is_refused(small, "larger than what may be kept"), "nor does it come in above the budget of branches");
    vl2_session_close(small);
    vl2_engine_close(engine);
}

/* A limit cuts the end off, wherever it falls. */
static void test_cut(const char *dir) {
    vl2_engine *engine = open_engine(dir);
    size_t length = save_first(engine), size, wrong = 0, shortest = length;
    struct talk talk = {.n_parts = 0};
    vl2_session *session = open_session(engine, 0);
    first_question(&talk);
    vl2_session_sync(session, &talk.conversation, NULL, NULL, &err);
    generate(session, &answer);
    free(folder_read(folder, "s.kv", &size));
    for (size_t limit = size; limit > size / 4; limit -= size / 9) {
        struct talk next = {.n_parts = 0};
        struct vl2_sync_report report;
        struct stat st;
        wrong += vl2_session_save(session, path, limit, NULL, &err) != VL2_OK || stat(path, &st) != 0 || (size_t) st.st_size > limit;
        vl2_session *later = open_session(engine, 0);
        second_question(&next);
        wrong += vl2_session_restore(later, path, &err) != VL2_OK;
        wrong += vl2_session_sync(later, &next.conversation, NULL, &report, &err) != VL2_OK;
        wrong += report.reused_tokens > shortest || report.reused_tokens == 0 || report.branch_tokens != report.reused_tokens;
        shortest = report.reused_tokens;
        vl2_session_close(later);
    }
    is_int((int64_t) wrong, 0, "a limit cuts the end off");
    ok(shortest < length / 2, "down to %zu of %zu tokens", shortest, length);
    vl2_session_close(session);
    vl2_engine_close(engine);
}

static vlk_status lost_status = VLK_ERR_DEVICE;

static vlk_status lost_wait(struct vlk_backend *be, struct vlk_error *failure) {
    if (failure)
        *failure = (struct vlk_error){.code = lost_status, .text = "It fell off the bus."};
    return lost_status;
}

static vlk_status lost_submit(struct vlk_backend *be) {
    return lost_status;
}

static void lost_read(struct vlk_backend *be, void *dst, const void *src, size_t bytes) {
}

/* A backend that fails while its cache is read back: what it left in the buffer is worth nothing, though its hash would be right. */
static void test_lost_backend(const char *dir) {
    vl2_engine *engine = open_engine(dir);
    save_first(engine);
    size_t before, after;
    char *good = folder_read(folder, "s.kv", &before), *now;
    vl2_session *session = open_session(engine, 0);
    struct talk talk = {.n_parts = 0};
    first_question(&talk);
    vl2_session_sync(session, &talk.conversation, NULL, NULL, &err);
    const struct vlk_ops *whole = engine->backend->ops;
    struct vlk_ops lost = *whole;
    lost.submit = lost_submit;
    lost.wait = lost_wait;
    lost.mem_read = lost_read;
    for (int i = 0; i < 2; i++) {
        lost_status = i ? VLK_ERR_MEMORY : VLK_ERR_DEVICE;
        engine->backend->ops = &lost;
        vl2_status status = vl2_session_save(session, path, 0, NULL, &err);
        engine->backend->ops = whole;
        is_int(status, i ? VL2_ERR_MEMORY : VL2_ERR_DEVICE, "a backend that failed is not saved");
        ok(strstr(err.text, "bus") != NULL, "it says why: %s", err.text);
        now = folder_read(folder, "s.kv", &after);
        ok(before == after && memcmp(good, now, before) == 0, "the good file stays");
        free(now);
        char part[1200];
        snprintf(part, sizeof part, "%s.part", path);
        ok(access(part, F_OK) != 0, "without a rest beside it");
    }
    /* Nor does a timeline that could not be read become a branch. */
    struct talk other = {.n_parts = 0};
    struct vl2_sync_report report;
    talk_user(&other, NULL, "Something else altogether, at some length, so that the first one has to leave.");
    engine->backend->ops = &lost;
    vl2_session_sync(session, &other.conversation, NULL, NULL, &err);
    engine->backend->ops = whole;
    vl2_session_sync(session, &other.conversation, NULL, NULL, &err);
    vl2_session_sync(session, &talk.conversation, NULL, &report, &err);
    is_int((int64_t) report.branch_tokens, 0, "what was not read is no branch");
    free(good);
    vl2_session_close(session);
    vl2_engine_close(engine);
}

/* What another conversation said does not travel along. */
static void test_privacy(const char *dir) {
    static struct talk_text secret, other;
    vl2_engine *engine = open_engine(dir);
    vl2_session *session = open_session(engine, 0);
    struct talk a = {.n_parts = 0}, b = {.n_parts = 0};
    talk_user(&a, NULL, "Tell me about the ring.");
    talk_user(&b, NULL, "How many squares are there in the picture that you have seen?");
    vl2_session_sync(session, &a.conversation, NULL, NULL, &err);
    generate(session, &secret);
    vl2_session_sync(session, &b.conversation, NULL, NULL, &err);
    generate(session, &other);
    vl2_session_save(session, path, 0, NULL, &err);
    size_t size;
    uint8_t *file = folder_read(folder, "s.kv", &size);
    ok(secret.tokens > 8 && other.tokens > 8 && memmem(file, size, other.ids, 8 * sizeof other.ids[0]), "the last answer's ids are in the file");
    ok(!memmem(file, size, secret.ids, 8 * sizeof secret.ids[0]), "those of another conversation are not");
    free(file);
    vl2_session_close(session);
    vl2_engine_close(engine);
}

int main(int argc, char **argv) {
    static const char *const models[] = {"small_style", "tiny_style"};
    char dirs[2][4096];
    if (argc != 2)
        return 2;
    folder_expect(argv[1]);
    folder_make(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/s.kv", folder);
    for (int i = 0; i < 2; i++) {
        snprintf(dirs[i], sizeof dirs[i], "%s/%s", argv[1], models[i]);
        tap_diag("%s", models[i]);
        test_goes_on(dirs[i]);
    }
    test_damage(dirs[0]);
    test_other_model(dirs[0], dirs[1]);
    test_limits(dirs[0]);
    test_cut(dirs[0]);
    test_lost_backend(dirs[0]);
    test_privacy(dirs[0]);
    folder_remove(folder);
    return tap_done();
}
