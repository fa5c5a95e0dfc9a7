/* SPDX-License-Identifier: MIT
 *
 * The demo model through the emulated CUDA module, opened as a real one is: the same greedy ids as on the CPU, for a picture, for
 * a second question, and with the box grammar; the decode steps are one graph; every kernel that ran has its own test in
 * test_ops.c; experts in the computer's own memory change nothing; what does not fit even so is refused before loading.
 *   test-cuda-model MODEL_DIR MODULE_FILE     (fake libcuda.so.1 on LD_LIBRARY_PATH, SIGHTLINE_CUDA_DIR set)
 */
#include "engine/model/device_memory.h"
#include "engine/session/session_parts.h"
#include "tests/cuda/kernels.h"
#include "tests/engine/talk.h"
#include "tests/tap.h"

#include <dlfcn.h>

typedef void (*visit_fn)(const char *kernel, long launches, void *user);

static void (*emulate_names)(visit_fn visit, void *user);
static long *graph_launches, *live_allocations;
static size_t *device_bytes, *device_limit;
static struct {
    long alloc, launch, capture, instantiate, graph_launch;
} *fail;

/* White, with a red disc on the left and a blue bar below. Of a thousand places and sizes of the disc, one whose numbers are chosen most
 * clearly: no id leads the next one by less than 0.05, and the drift is 0.01. */
static vl2_picture draw_picture(void)
{
    enum { W = 184, H = 140 };
    static uint8_t rgb[H][W][3];

    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            bool disc = (x - 55) * (x - 55) + (y - 45) * (y - 45) < 29 * 29, bar = y > 95 && y < 120 && x > 20 && x < 100;

            rgb[y][x][0] = disc ? 220 : bar ? 30 : 255;
            rgb[y][x][1] = disc ? 30 : bar ? 60 : 255;
            rgb[y][x][2] = disc ? 30 : bar ? 200 : 255;
        }
    return (vl2_picture){ .width = W, .height = H, .stride = W * 3, .rgb = &rgb[0][0][0] };
}

static vl2_engine *open_model(const char *dir, const char *device)
{
    vl2_engine *engine = NULL;
    vl2_error err = { 0 };

    if (!ok(vl2_engine_open(dir, &(struct vl2_engine_options){ .device = device, .threads = 1 }, &engine, &err) == VL2_OK, "%s opens", device))
        tap_diag("%s", err.text);
    return engine;
}

/* Greedy ids with the two most likely of every step. */
struct told {
    int32_t ids[64];
    float best[64], lead[64]; /* log-probability of the chosen id, and how far the next one is behind */
    size_t n;
    char text[4096];
    size_t length;
    long launched, step; /* kernels up to this token, and between it and the one before */
};

static void add_launches(const char *kernel, long launches, void *user)
{
    *(long *)user += launches;
}

static bool on_token(const struct vl2_token *token, void *user)
{
    struct told *t = user;
    long launched = 0;

    emulate_names(add_launches, &launched);
    t->step = launched - t->launched;
    t->launched = launched;
    t->ids[t->n] = token->id;
    t->best[t->n] = token->alternative_logprobs[0];
    t->lead[t->n++] = token->alternative_logprobs[0] - token->alternative_logprobs[1];
    if (t->length + token->length < sizeof t->text) {
        memcpy(t->text + t->length, token->text, token->length);
        t->length += token->length;
    }
    return t->n < 64;
}

static bool answer(vl2_session *session, const struct talk *talk, int32_t tokens, bool boxes, struct told *out)
{
    struct vl2_generate_options options = talk_greedy(tokens);
    vl2_error err = { 0 };

    *out = (struct told){ .n = 0 };
    options.constrain_boxes = boxes;
    options.alternatives = 3;
    if (vl2_session_sync(session, &talk->conversation, NULL, NULL, &err) == VL2_OK &&
        vl2_session_generate(session, &options, NULL, on_token, out, NULL, &err) == VL2_OK)
        return true;
    tap_diag("%s", err.text);
    return false;
}

/* Many rows at a time are computed in bf16 (2^-8) where the CPU has f32: logits of 20 and sums over the layers leave hundredths of
 * a unit. */
#define MOST_DRIFT 0.1f

static void same(const struct told *cpu, const struct told *cuda, const char *name)
{
    size_t n = cpu->n < cuda->n ? cpu->n : cuda->n, same = 0;
    float drift = 0, closest = INFINITY;

    while (same < n && cpu->ids[same] == cuda->ids[same]) {
        drift = fmaxf(drift, fabsf(cpu->best[same] - cuda->best[same]));
        closest = fminf(closest, cpu->lead[same]);
        same++;
    }
    tap_diag("cpu: %s; cuda: %s; %zu of %zu and %zu ids alike, log-probabilities within %.3f, closest call %.3f", cpu->text, cuda->text,
             same, cpu->n, cuda->n, (double)drift, (double)closest);
    ok(same > 0 && same == cpu->n && same == cuda->n, "%s: the same ids", name);
    ok(drift < MOST_DRIFT, "%s: with the same confidence", name);
}

/* The embedding; per layer norm + q + kv_a, cache + W_UK, attention, W_UV, output, norm + router, gate and up, down, of which the
 * dense first layer has no router; the last norm, the head, the sample. */
enum { STEP_LAUNCHES = 1 + 7 + 4 * 8 + 3 };

static void test_answers(vl2_engine *cpu, vl2_engine *cuda)
{
    static struct told a, b;
    vl2_picture picture = draw_picture();
    struct talk talk = { .n_parts = 0 };
    vl2_session *one = NULL, *two = NULL;
    vl2_error err = { 0 };
    long before;

    /* Chunks of 45 tokens: prefill meets a cache that is partly filled, and a last chunk of few. */
    if (vl2_session_open(cpu, &(struct vl2_session_options){ .chunk_size = 45 }, &one, &err) != VL2_OK ||
        vl2_session_open(cuda, &(struct vl2_session_options){ .chunk_size = 45 }, &two, &err) != VL2_OK) {
        ok(false, "sessions open: %s", err.text);
        return;
    }
    talk_user(&talk, &picture, "<|ref|>the red circle<|/ref|>");
    talk.parts[0].detail = VL2_DETAIL_LOW;
    answer(one, &talk, 24, false, &a);
    before = *graph_launches;
    answer(two, &talk, 24, false, &b);
    same(&a, &b, "a question about a picture");
    is_int(b.step, STEP_LAUNCHES, "kernels of a decode step");
    ok(*graph_launches - before >= (long)b.n - 2, "decode steps were replayed as graphs (%ld of %zu)", *graph_launches - before, b.n);
    talk = (struct talk){ .n_parts = 0 };
    talk_user(&talk, NULL, "What can you do?");
    answer(one, &talk, 24, true, &a);
    answer(two, &talk, 24, true, &b);
    same(&a, &b, "a question without one, with the box grammar");
    vl2_session_close(one);
    vl2_session_close(two);
}

/* Experts in the computer's memory: the same kernels on the same numbers, so every id and every probability is the same. */
static void test_host_experts(const char *dir, vl2_engine *cuda)
{
    static struct told a, b;
    const struct vl2_info *info;
    struct talk talk = { .n_parts = 0 };
    vl2_engine *split = NULL;
    vl2_session *one = NULL, *two = NULL;
    vl2_error err = { 0 };
    unsigned needed = 0;
    char free_mib[16];

    setenv("VLK_EMULATE_FREE_MIB", "100", 1);
    is_int(vl2_engine_open(dir, &(struct vl2_engine_options){ .device = "cuda:0" }, &split, &err), VL2_ERR_MEMORY,
           "a model that does not fit even without its experts is refused before it is loaded");
    ok(strstr(err.text, "100 MiB free") != NULL, "with the numbers: %s", err.text);
    if (strstr(err.text, "needs "))
        sscanf(strstr(err.text, "needs "), "needs %u MiB", &needed);
    snprintf(free_mib, sizeof free_mib, "%u", needed + 1);
    setenv("VLK_EMULATE_FREE_MIB", free_mib, 1);
    if (!ok(vl2_engine_open(dir, &(struct vl2_engine_options){ .device = "cuda:0" }, &split, &err) == VL2_OK, "with %s MiB it opens",
            free_mib)) {
        tap_diag("%s", err.text);
        return;
    }
    unsetenv("VLK_EMULATE_FREE_MIB");
    err.text[0] = '\0';
    info = vl2_engine_info(split);
    ok(info->host_layers > 0 && info->host_bytes > 0, "and keeps the experts of %d layers, %llu bytes, with the computer",
       (int)info->host_layers, (unsigned long long)info->host_bytes);
    is_int(vl2_engine_info(cuda)->host_layers, 0, "where there is room none are kept there");
    talk_user(&talk, NULL, "What can you do?");
    if (ok(vl2_session_open(cuda, NULL, &one, &err) == VL2_OK && vl2_session_open(split, NULL, &two, &err) == VL2_OK, "sessions open: %s",
           err.text) &&
        ok(answer(one, &talk, 6, false, &a) && answer(two, &talk, 6, false, &b), "both answer"))
        ok(a.n == b.n && !memcmp(a.ids, b.ids, a.n * sizeof *a.ids) && !memcmp(a.best, b.best, a.n * sizeof *a.best),
           "%zu ids and their probabilities are the same, bit for bit", a.n);
    vl2_session_close(one);
    vl2_session_close(two);
    vl2_engine_close(split);
    split = NULL;
    if (ok(vl2_engine_open(dir, &(struct vl2_engine_options){ .device = "cuda:0", .host_layers = 1 }, &split, &err) == VL2_OK,
           "one layer is asked for"))
        is_int(vl2_engine_info(split)->host_layers, 1, "and kept");
    vl2_engine_close(split);
}

static bool same_answer(const struct told *a, const struct told *b)
{
    return a->n > 0 && a->n == b->n && !memcmp(a->ids, b->ids, a->n * sizeof *a->ids) && !memcmp(a->best, b->best, a->n * sizeof *a->best);
}

/* The bytes of an encoded picture that is put into the cache. */
enum { ROW_FLOATS = 1000 };

static void put_picture(vl2_engine *engine, vl2_session *session, struct vl2_picture_key *key, float *rows)
{
    struct vl2_picture_rows picture = vl2_picture_layout(&engine->config, &engine->config.tiles, 1, 1);
    const size_t bytes = vl2_picture_rows_bytes(&engine->config, &picture);

    picture.rows = vl2_device_alloc(engine, bytes);

    *key = (struct vl2_picture_key){ .hash = { 1, 2 }, .width = 3, .height = 4, .grid_w = 1, .grid_h = 1 };
    for (int i = 0; i < ROW_FLOATS; i++)
        rows[i] = (float)i;
    engine->backend->ops->mem_write(engine->backend, picture.rows, rows, ROW_FLOATS * sizeof *rows);
    is_int(vl2_picture_cache_put(engine, &session->pictures, key, picture, NULL), VL2_OK, "a picture is in its cache");
}

/* A GPU that holds one session beside the model: the one that is not used moves to the computer's memory and comes back. */
static void test_full_memory(vl2_engine *engine)
{
    static struct told fresh, again, got;
    static float rows[ROW_FLOATS], back[ROW_FLOATS];
    const struct vl2_session_options options = { .chunk_size = 45, .context = 1024 };
    struct vl2_generate_options short_answer = talk_greedy(3);
    struct vl2_picture_key key;
    struct vl2_picture_rows picture;
    struct vl2_sync_report report;
    struct talk talk = { .n_parts = 0 };
    vl2_session *one = NULL, *two = NULL, *three = NULL;
    vl2_error err = { 0 };
    const size_t before = *device_bytes;
    size_t session;

    talk_user(&talk, NULL, "What can you do?");
    short_answer.alternatives = 3;
    is_int(vl2_session_open(engine, &options, &one, &err), VL2_OK, "a session opens");
    session = *device_bytes - before;
    ok(answer(one, &talk, 3, false, &fresh) && answer(one, &talk, 3, false, &again), "and answers, reading everything and then one token");
    put_picture(engine, one, &key, rows);

    *device_limit = *device_bytes + session / 2;
    if (!ok(vl2_session_open(engine, &options, &two, &err) == VL2_OK, "a second session opens where there is no room for both"))
        tap_diag("%s", err.text);
    ok(one->away.rows && !one->kv.k, "as the first one made room");
    ok(answer(two, &talk, 3, false, &got) && same_answer(&got, &fresh), "it gives the same answer");
    is_int(vl2_session_sync(one, &talk.conversation, NULL, &report, &err), VL2_OK, "the first one is used again");
    ok(!one->away.rows && two->away.rows && report.prefilled_tokens == 1, "and comes back without reading anything anew (%zu of %zu tokens)",
       report.prefilled_tokens, report.prompt_tokens);
    is_int(vl2_session_sync(two, &talk.conversation, NULL, NULL, &err), VL2_OK, "the second one is used between question and answer");
    got = (struct told){ .n = 0 };
    is_int(vl2_session_generate(one, &short_answer, NULL, on_token, &got, NULL, &err), VL2_OK, "the first one answers");
    ok(same_answer(&got, &again), "with the same ids and probabilities, bit for bit");
    vl2_picture_cache_begin(&one->pictures);
    if (ok(vl2_picture_cache_find(engine, &one->pictures, &key, &picture), "its picture is found"))
        engine->backend->ops->mem_read(engine->backend, back, picture.rows, sizeof back);
    ok(!memcmp(rows, back, sizeof rows), "as it was");

    *device_limit = *device_bytes - session / 2;
    is_int(vl2_session_open(engine, &(struct vl2_session_options){ .context = 4096 }, &three, &err), VL2_ERR_MEMORY,
           "a session that is too large for all of the memory is refused");
    ok(strstr(err.text, "GPU's memory") != NULL, "with the numbers: %s", err.text);
    *device_limit = before + session / 2;
    ok(vl2_session_sync(two, &talk.conversation, NULL, NULL, &err) == VL2_ERR_MEMORY, "one that cannot come back says so: %s", err.text);
    *device_limit = 0;
    ok(answer(two, &talk, 3, false, &got) && same_answer(&got, &again), "and comes back when there is room");
    vl2_session_close(one);
    vl2_session_close(two);
    is_int((long)*device_bytes, (long)before, "closed sessions leave nothing behind");
}

/* The n-th allocation of the GPU fails, and all later ones: the same question to the same engine and session is answered once there is
 * room, with the same ids. */
static void test_memory_again(vl2_engine *engine)
{
    static struct told whole, got;
    const struct vl2_session_options options = { .chunk_size = 45, .context = 512 };
    struct talk talk = { .n_parts = 0 };
    long failed = 0, wrong = 0;

    talk_user(&talk, NULL, "What can you do?");
    for (long n = -1, done = 0; !done && n < 60; n++) {
        vl2_session *session = NULL;
        vl2_error err = { 0 };
        vl2_status status;

        fail->alloc = n;
        status = vl2_session_open(engine, &options, &session, &err);
        if (status == VL2_OK)
            status = vl2_session_sync(session, &talk.conversation, NULL, NULL, &err);
        fail->alloc = -1;
        if (status != VL2_OK) {
            failed++;
            wrong += status != VL2_ERR_MEMORY || !err.text[0];
        }
        done = n >= 0 && status == VL2_OK;
        if (!session)
            wrong += vl2_session_open(engine, &options, &session, &err) != VL2_OK;
        wrong += !session || !answer(session, &talk, 1, false, n < 0 ? &whole : &got);
        wrong += n >= 0 && (got.n != whole.n || memcmp(got.ids, whole.ids, whole.n * sizeof *whole.ids) != 0);
        vl2_session_close(session);
    }
    ok(failed > 5 && wrong == 0, "after each of %ld failures the same engine gives the same answer", failed);
}

/* The plan has room and the device has not: the upload fails in its middle, and the CPU takes over, with the reason. */
static void test_failed_upload(const char *dir)
{
    vl2_engine *engine = NULL;
    vl2_error err = { 0 };

    for (long n = 8; n < 11; n++) { /* behind the buffers of the backend */
        fail->alloc = n;
        is_int(vl2_engine_open(dir, &(struct vl2_engine_options){ .device = "auto", .threads = 1 }, &engine, &err), VL2_OK,
               "an upload that fails leaves auto the CPU");
        fail->alloc = -1;
        is_str(engine ? vl2_engine_info(engine)->device : "none", "cpu", "which computes");
        ok(engine && strstr(vl2_engine_info(engine)->fallback, "memory"), "and info says why: %s",
           engine ? vl2_engine_info(engine)->fallback : "");
        vl2_engine_close(engine);
        engine = NULL;
    }
    fail->alloc = 8;
    is_int(vl2_engine_open(dir, &(struct vl2_engine_options){ .device = "cuda", .threads = 1 }, &engine, &err), VL2_ERR_MEMORY,
           "where the GPU was asked for it is an error");
    fail->alloc = -1;
}

static void look(const char *kernel, long launches, void *user)
{
    for (size_t i = 0; i < sizeof cuda_kernels / sizeof *cuda_kernels; i++)
        if (!strcmp(kernel, cuda_kernels[i].kernel)) {
            tap_diag("%-36s %6ld launches, test_ops: %s", kernel, launches, cuda_kernels[i].check);
            return;
        }
    ok(false, "%s has a test", kernel);
    ++*(int *)user;
}

int main(int argc, char **argv)
{
    vl2_engine *cpu, *cuda, *none = NULL;
    vl2_error err = { 0 };
    void *module;
    int untested = 0;

    if (argc != 3)
        return 2;
    cpu = open_model(argv[1], "cpu");
    cuda = open_model(argv[1], "cuda");
    module = dlopen(argv[2], RTLD_NOW | RTLD_NOLOAD);
    if (!cpu || !cuda || !ok(module != NULL, "the module that was loaded is the emulated one"))
        return 1;
    *(void **)&emulate_names = dlsym(module, "emulate_names");
    graph_launches = dlsym(module, "emulate_graph_launches");
    live_allocations = dlsym(module, "emulate_live_allocations");
    device_bytes = dlsym(module, "emulate_device_bytes");
    device_limit = dlsym(module, "emulate_device_limit");
    fail = dlsym(module, "emulate_fail");
    is_str(vl2_engine_info(cuda)->device, "cuda", "the engine says where it computes");
    ok(strstr(vl2_engine_info(cuda)->isa, "Emulated GPU") != NULL, "and on what: %s", vl2_engine_info(cuda)->isa);
    test_answers(cpu, cuda);
    test_host_experts(argv[1], cuda);
    test_full_memory(cuda);
    test_memory_again(cuda);
    test_failed_upload(argv[1]);
    emulate_names(look, &untested);
    is_int(untested, 0, "every kernel that the model launches is compared with the CPU's op");
    vl2_engine_close(cuda);
    vl2_engine_close(cpu);
    is_int(*live_allocations, 0, "unloading gives back all of the GPU's memory");
    setenv("VLK_EMULATE_FREE_MIB", "100", 1);
    is_int(vl2_engine_open(argv[1], &(struct vl2_engine_options){ .device = "auto" }, &none, &err), VL2_OK, "auto goes on with the CPU");
    is_str(none ? vl2_engine_info(none)->device : "none", "cpu", "and says so");
    vl2_engine_close(none);
    dlclose(module);
    return tap_done();
}
