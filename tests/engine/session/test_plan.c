/* SPDX-License-Identifier: MIT
 *
 * Plans: costs against prompts that are really laid out, every way out against the prompt that it leaves, the memory that the
 * system is said to have, and models that are refused before a weight is touched.
 *   test_plan CHECKPOINTS   (of tests/parity/make_checkpoints.py)
 */
#include "engine/files/system_memory.h"
#include "engine/loading/memory_plan.h"
#include "tests/engine/talk.h"
#include "tests/tap.h"

static vl2_engine *engine;
static vl2_error err;

static size_t count_tokens(const vl2_conversation *conversation) {
    struct vl2_prompt prompt;
    size_t n = vl2_prompt_build(engine, conversation, &prompt, &err) == VL2_OK ? prompt.n_ids : 0;
    if (n)
        vl2_prompt_deinit(&prompt);
    return n;
}

static struct vl2_plan make_plan(const struct talk *talk, int32_t context, int32_t answer) {
    struct vl2_plan plan = {0};
    struct vl2_session_options options = {.context = context};
    if (vl2_plan_make(engine, &talk->conversation, &options, answer, &plan, &err) != VL2_OK)
        tap_diag("%s", err.text);
    return plan;
}

/* Four turns with one, none, `more` and no pictures, and a system message. */
static void long_talk(struct talk *talk, size_t more) {
    static vl2_picture a, b, c;
    a = talk_picture(50, 20, 1), b = talk_picture(20, 70, 2), c = talk_picture(30, 30, 3);
    const vl2_picture *two[] = {&b, &c};
    talk_add(talk, VL2_SYSTEM, NULL, 0, "You are brief.");
    talk_user(talk, &a, "What is this?");
    talk_answer(talk, "A circle, I think.");
    talk_user(talk, NULL, "Are you sure of that?");
    talk_answer(talk, "Yes.");
    talk_add(talk, VL2_USER, two, more, "Compare with it.");
    talk_answer(talk, "They are different.");
    talk_user(talk, NULL, "How many squares are there in all of them?");
}

static void test_costs(void) {
    struct talk talk = {.n_parts = 0};
    struct vl2_prompt prompt;
    long_talk(&talk, 2);
    struct vl2_plan plan = make_plan(&talk, 0, 0);
    vl2_prompt_build(engine, &talk.conversation, &prompt, &err);
    size_t sum = 1, pictures = 0;
    bool same = plan.n_pictures == prompt.n_pictures, in_place = true;
    for (size_t i = 0; i < plan.n_messages; i++) {
        in_place = in_place && plan.messages[i].first == sum;
        sum += plan.messages[i].tokens;
        pictures += plan.messages[i].n_pictures;
    }
    for (size_t i = 0; same && i < plan.n_pictures; i++)
        same = plan.pictures[i].tokens == prompt.pictures[i].count && plan.pictures[i].first == prompt.pictures[i].first &&
               plan.pictures[i].grid_w == prompt.pictures[i].grid_w && plan.pictures[i].crop == prompt.pictures[i].crop;
    is_int((int64_t) plan.tokens, (int64_t) prompt.n_ids, "a plan has the prompt's tokens");
    ok(sum == plan.tokens && in_place, "they are the messages' tokens and the one that opens the text");
    ok(same && pictures == 3, "pictures cost what they cost in the prompt");
    ok(plan.fits && plan.room == plan.context - plan.tokens, "the rest is room for the answer");
    vl2_prompt_deinit(&prompt);
    vl2_plan_deinit(&plan);
}

static void test_tiling(void) {
    struct talk talk = {.n_parts = 0};
    vl2_picture a = talk_picture(50, 20, 1), b = talk_picture(20, 70, 2), c = talk_picture(30, 30, 3);
    talk_user(&talk, &a, "One.");
    talk_user(&talk, &b, "Two.");
    struct vl2_plan plan = make_plan(&talk, 0, 0);
    ok(!plan.tiling_changed && plan.pictures[0].crop, "a second picture changes nothing");
    vl2_plan_deinit(&plan);
    talk_user(&talk, &c, "Three.");
    plan = make_plan(&talk, 0, 0);
    ok(plan.tiling_changed && plan.pictures[0].tiling_changed && plan.pictures[1].tiling_changed &&
           !plan.pictures[2].tiling_changed && !plan.pictures[0].crop,
       "a third one takes the tiles from the first two, and the plan says from which");
    vl2_plan_deinit(&plan);
}

/* Whatever the context, a way out that is called possible costs exactly what it says and fits; one that is not does not fit. */
static void test_choices(void) {
    int wrong = 0, possible[VL2_FIT_COUNT] = {0}, overflows = 0;
    struct talk talk = {.n_parts = 0};
    long_talk(&talk, 1);
    size_t whole = count_tokens(&talk.conversation);
    for (int32_t context = 20; context < (int32_t) whole; context += 3) {
        struct vl2_plan plan = make_plan(&talk, context, 8);
        overflows += !plan.fits && plan.room == 0;
        for (int i = 0; i < VL2_FIT_SHORTEN; i++) {
            struct vl2_fitted fitted;
            vl2_status status = vl2_plan_apply(&talk.conversation, &plan.choices[i], &fitted, &err);
            if (status == VL2_OK) {
                possible[i]++;
                const vl2_message *last = &fitted.conversation.messages[fitted.conversation.n_messages - 1];
                wrong += count_tokens(&fitted.conversation) != plan.choices[i].tokens;
                wrong += plan.choices[i].tokens + 8 > (size_t) context;
                wrong += fitted.conversation.messages[0].role != VL2_SYSTEM || last->role != VL2_USER;
                vl2_fitted_deinit(&fitted);
            }
            wrong += (status == VL2_OK) != plan.choices[i].possible;
        }
        const struct vl2_plan_choice *shorten = &plan.choices[VL2_FIT_SHORTEN];
        possible[VL2_FIT_SHORTEN] += shorten->possible;
        wrong += shorten->tokens + 8 != (size_t) context || shorten->excess != plan.tokens - shorten->tokens;
        vl2_plan_deinit(&plan);
    }
    is_int(wrong, 0, "ways out cost what they say");
    tap_diag("%d overflows; possible: %d by dropping, %d in low detail, %d shorter", overflows, possible[0], possible[1], possible[2]);
    ok(overflows > 50 && possible[0] > 5 && possible[1] > 5 && possible[2] > 1, "and there were some of each kind");
}

/* Leaving the first turn out leaves two pictures, which get their tiles back. */
static void test_fewer_pictures(void) {
    struct talk talk = {.n_parts = 0};
    vl2_picture small = talk_picture(12, 12, 1), b = talk_picture(20, 70, 2), c = talk_picture(20, 70, 3);
    const vl2_picture *two[] = {&b, &c};
    talk_user(&talk, &small, "One.");
    talk_add(&talk, VL2_USER, two, 2, "Two more.");
    struct vl2_plan plan = make_plan(&talk, 0, 0);
    struct talk rest = {.n_parts = 0};
    talk_add(&rest, VL2_USER, two, 2, "Two more.");
    is_int((int64_t) plan.choices[VL2_FIT_DROP_OLDEST].tokens, (int64_t) count_tokens(&rest.conversation),
           "leaving out one of three pictures counts the tiles that the others get back");
    ok(plan.choices[VL2_FIT_DROP_OLDEST].tokens > plan.tokens, "which can make the prompt longer");
    vl2_plan_deinit(&plan);
}

static void test_refusals(void) {
    struct talk talk = {.n_parts = 0}, empty = {.n_parts = 0};
    struct vl2_plan plan;
    talk_user(&talk, NULL, "Hello");
    struct vl2_session_options long_context = {.context = 513}, wrong_chunk = {.chunk_size = -1};
    is_int(vl2_plan_make(engine, &talk.conversation, &long_context, 0, &plan, &err), VL2_ERR_USAGE, "too long a context");
    is_int(vl2_plan_make(engine, &talk.conversation, &wrong_chunk, 0, &plan, &err), VL2_ERR_USAGE, "a negative chunk");
    is_int(vl2_plan_make(engine, &empty.conversation, NULL, 0, &plan, &err), VL2_ERR_USAGE, "no messages");
    struct vl2_fitted fitted;
    is_int(vl2_plan_apply(&talk.conversation, &(struct vl2_plan_choice){.kind = VL2_FIT_SHORTEN, .possible = true}, &fitted, &err),
           VL2_ERR_CONTEXT, "nobody but a person shortens a text");
}

/* ------------------------------------------------------------------------------------------------ memory */

static void make_folders(const char *root, const char *path) {
    char full[2000];
    snprintf(full, sizeof full, "%s/%s", root, path);
    for (char *p = full + strlen(root) + 1; *p; p++)
        if (*p == '/') {
            *p = 0;
            mkdir(full, 0777);
            *p = '/';
        }
    mkdir(full, 0777);
}

static void write_text(const char *root, const char *path, const char *text) {
    folder_write(root, path, text, strlen(text));
}

static void test_available(void) {
    char root[1000], command[1100];
    folder_make(root, sizeof root);
    ok(vl2_memory_available_in(root) == UINT64_MAX, "a system that says nothing has no limit");
    make_folders(root, "proc/self");
    make_folders(root, "sys/fs/cgroup/a/b");
    make_folders(root, "sys/fs/cgroup/memory/x");
    write_text(root, "proc/meminfo", "MemTotal: 9000 kB\nMemFree: 10 kB\nMemAvailable:    4000 kB\n");
    is_int((int64_t) vl2_memory_available_in(root), 4000 << 10, "MemAvailable counts");
    write_text(root, "proc/self/cgroup", "0::/a/b\n");
    write_text(root, "sys/fs/cgroup/a/b/memory.max", "max\n");
    write_text(root, "sys/fs/cgroup/a/b/memory.current", "1000\n");
    is_int((int64_t) vl2_memory_available_in(root), 4000 << 10, "a group without limit changes nothing");
    write_text(root, "sys/fs/cgroup/a/memory.max", "3000000\n");
    write_text(root, "sys/fs/cgroup/a/memory.current", "2500000\n");
    is_int((int64_t) vl2_memory_available_in(root), 500000, "the group above it has one");
    write_text(root, "sys/fs/cgroup/a/memory.stat", "anon 5\nactive_file 100000\ninactive_file 1000000\n");
    is_int((int64_t) vl2_memory_available_in(root), 1600000, "of which pages of files can be taken back");
    write_text(root, "sys/fs/cgroup/a/memory.current", "9000000\n");
    is_int((int64_t) vl2_memory_available_in(root), 0, "a group above its limit has nothing left");
    write_text(root, "proc/self/cgroup", "5:cpu:/x\n4:memory:/x\n");
    write_text(root, "sys/fs/cgroup/memory/x/memory.limit_in_bytes", "2000000\n");
    write_text(root, "sys/fs/cgroup/memory/x/memory.usage_in_bytes", "500000\n");
    is_int((int64_t) vl2_memory_available_in(root), 1500000, "version 1 has other names");
    write_text(root, "proc/self/cgroup", "nonsense\n::::\n4:memory\n0:\n");
    is_int((int64_t) vl2_memory_available_in(root), 4000 << 10, "nonsense says nothing");
    snprintf(command, sizeof command, "rm -r '%s'", root);
    ok(system(command) == 0, "the folders go");
}

static void test_limit(const char *dir) {
    vl2_engine *e = NULL;
    struct vl2_engine_options options = {.threads = 1, .memory_limit = 200 << 10};
    err.text[0] = 0;
    ok(vl2_engine_open(dir, &options, &e, &err) == VL2_ERR_MEMORY && !e, "a model above the limit is refused");
    ok(strstr(err.text, "weights") && strstr(err.text, "context of 512 tokens") && strstr(err.text, "allowed"), "with the numbers: %s",
       err.text);
    options.memory_limit = UINT64_MAX;
    ok(vl2_engine_open(dir, &options, &e, &err) == VL2_OK, "and loaded when nobody asks");
    vl2_engine_close(e);
    options.memory_limit = 1ull << 32;
    ok(vl2_engine_open(dir, &options, &e, &err) == VL2_OK, "or when it fits");
    vl2_engine_close(e);
}

static void test_headers(const char *dir) {
    vl2_engine *e = NULL, *loaded = engine;
    vl2_session *session = NULL;
    struct talk talk = {.n_parts = 0};
    ok(vl2_engine_open(dir, &(struct vl2_engine_options){.headers_only = true}, &e, &err) == VL2_OK, "headers alone open");
    long_talk(&talk, 2);
    struct vl2_plan with = make_plan(&talk, 0, 0);
    engine = e;
    struct vl2_plan without = make_plan(&talk, 0, 0);
    engine = loaded;
    is_int((int64_t) without.tokens, (int64_t) with.tokens, "and plan the same tokens");
    ok(without.now.weights == with.now.weights && without.now.cache == with.now.cache && without.full.scratch == with.full.scratch &&
           with.now.weights == vl2_engine_info(loaded)->weight_bytes,
       "and the same memory");
    ok(vl2_engine_info(e)->parameters == vl2_engine_info(loaded)->parameters, "and know the number of parameters");
    ok(with.full.peak >= with.now.peak, "a full context takes no less");
    ok(vl2_session_open(e, NULL, &session, &err) == VL2_ERR_USAGE && !session, "but compute nothing");
    vl2_plan_deinit(&with);
    vl2_plan_deinit(&without);
    vl2_engine_close(e);
}

int main(int argc, char **argv) {
    char dir[4096];
    if (argc != 2)
        return 2;
    snprintf(dir, sizeof dir, "%s/small_style", argv[1]);
    if (!ok(vl2_engine_open(dir, &(struct vl2_engine_options){.threads = 1}, &engine, &err) == VL2_OK, "the checkpoint opens")) {
        tap_diag("%s", err.text);
        return tap_done();
    }
    test_costs();
    test_tiling();
    test_choices();
    test_fewer_pictures();
    test_refusals();
    test_available();
    test_limit(dir);
    test_headers(dir);
    vl2_engine_close(engine);
    return tap_done();
}
