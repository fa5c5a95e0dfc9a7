/* SPDX-License-Identifier: MIT
 *
 * Sessions: what is reused, what a cancel leaves, what the third picture changes, where the context ends. The measure of every
 * shortcut is a fresh session: the same conversation must give the same ids.
 *   test_session CHECKPOINTS   (of tests/parity/make_checkpoints.py)
 */
#include "engine/error.h"
#include "engine/model/model.h"
#include "tests/engine/talk.h"
#include "tests/tap.h"

static vl2_engine *engine;

static vl2_session *open_session(int32_t context, int32_t chunk, size_t picture_bytes) {
    vl2_session *session = NULL;
    vl2_error err = {.text = ""};
    struct vl2_session_options options = {.context = context, .chunk_size = chunk, .picture_cache_bytes = picture_bytes,
                                          .branch_bytes = picture_bytes};
    if (vl2_session_open(engine, &options, &session, &err) != VL2_OK)
        tap_diag("%s", err.text);
    return session;
}

static struct vl2_sync_report read_talk(vl2_session *session, const struct talk *talk, const char *what) {
    struct vl2_sync_report report = {0};
    vl2_error err = {.text = ""};
    if (!ok(vl2_session_sync(session, &talk->conversation, NULL, &report, &err) == VL2_OK, "%s: sync", what))
        tap_diag("%s", err.text);
    return report;
}

static void generate(vl2_session *session, int32_t max_tokens, struct talk_text *out) {
    struct vl2_generate_options options = talk_greedy(max_tokens);
    struct vl2_generation done;
    vl2_error err = {.text = ""};
    size_t stop_after = out->stop_after;
    *out = (struct talk_text){.stop_after = stop_after};
    if (vl2_session_generate(session, &options, NULL, talk_on_token, out, &done, &err) != VL2_OK)
        tap_diag("generate: %s", err.text);
}

/* True when this session and a fresh one continue the conversation alike. */
static bool same_as_fresh(vl2_session *session, const struct talk *talk) {
    struct talk_text a = {.length = 0}, b = {.length = 0};
    vl2_session *fresh = open_session(0, 0, 0);
    vl2_error err;
    bool synced = vl2_session_sync(fresh, &talk->conversation, NULL, NULL, &err) == VL2_OK;
    generate(session, 16, &a);
    generate(fresh, 16, &b);
    vl2_session_close(fresh);
    return synced && a.tokens == b.tokens && a.tokens > 0 && memcmp(a.ids, b.ids, a.tokens * sizeof a.ids[0]) == 0;
}

static void test_follow_up(void) {
    static struct talk_text answer;
    vl2_picture picture = talk_picture(40, 37, 1);
    struct talk talk = {.n_parts = 0};
    vl2_session *session = open_session(0, 0, 0);
    talk_user(&talk, &picture, "What is this?");
    struct vl2_sync_report first = read_talk(session, &talk, "first question");
    is_int((int64_t) first.reused_tokens, 0, "nothing is reused at first");
    is_int((int64_t) first.pictures_reused, 0, "the picture is encoded");
    generate(session, 20, &answer);
    size_t cached = vl2_session_length(session);
    is_int((int64_t) cached, (int64_t) (first.prompt_tokens + answer.tokens - 1), "the answer but its last token is cached");
    talk_answer(&talk, answer.text);
    talk_user(&talk, NULL, "And where?");
    struct vl2_sync_report second = read_talk(session, &talk, "second question");
    is_int((int64_t) second.reused_tokens, (int64_t) cached, "question, picture and answer are all reused");
    is_int((int64_t) second.pictures_reused, 1, "the picture is not encoded again");
    ok(!second.tiling_changed && second.retiled == SIZE_MAX, "no tiling changed");
    is_int(first.reread, VL2_REREAD_EMPTY, "the first question found nothing");
    is_int(second.reread, VL2_REREAD_NEW, "the second one all there was");
    vl2_session_close(session);
}

static void test_edit_and_regenerate(void) {
    vl2_picture picture = talk_picture(30, 60, 2);
    struct talk a = {.n_parts = 0}, b = {.n_parts = 0};
    vl2_session *session = open_session(0, 13, 0);
    talk_user(&a, &picture, "How many squares are there?");
    talk_user(&b, &picture, "How many circles are there?");
    struct vl2_sync_report first = read_talk(session, &a, "question");
    ok(same_as_fresh(session, &a), "an answer in chunks of 13 is that of a fresh session");
    struct vl2_sync_report again = read_talk(session, &a, "regenerate");
    is_int((int64_t) again.prefilled_tokens, 1, "asking again computes one token");
    is_int(again.reread, VL2_REREAD_NOTHING, "which is nothing new");
    ok(same_as_fresh(session, &a), "and gives the same answer");
    struct vl2_sync_report edited = read_talk(session, &b, "edited question");
    ok(edited.reused_tokens > 0 && edited.reused_tokens < first.prompt_tokens - 1, "an edit keeps what is before it");
    is_int((int64_t) edited.pictures_reused, 1, "and the picture");
    is_int(edited.reread, VL2_REREAD_TEXT, "and says that the text is another");
    ok(same_as_fresh(session, &b), "and is answered like a fresh session does");
    vl2_session_close(session);
}

static void test_other_picture(void) {
    vl2_picture one = talk_picture(40, 37, 1), two = talk_picture(40, 37, 2);
    struct talk a = {.n_parts = 0}, b = {.n_parts = 0};
    vl2_session *session = open_session(0, 0, 0);
    talk_user(&a, &one, "What is this?");
    talk_user(&b, &two, "What is this?");
    read_talk(session, &a, "one picture");
    struct vl2_sync_report report = read_talk(session, &b, "another of the same size");
    is_int((int64_t) report.pictures_reused, 0, "other pixels are another picture");
    is_int(report.reread, VL2_REREAD_PICTURE, "which is what the report says");
    ok(same_as_fresh(session, &b), "and its answer is that of a fresh session");
    report = read_talk(session, &a, "the first one again");
    is_int((int64_t) report.pictures_reused, 1, "the first picture's rows were kept");
    ok(same_as_fresh(session, &a), "and are right");
    vl2_session_close(session);
}

static void test_small_picture_cache(void) {
    vl2_picture one = talk_picture(40, 37, 1), two = talk_picture(40, 37, 2);
    struct talk a = {.n_parts = 0}, b = {.n_parts = 0}, both = {.n_parts = 0};
    const vl2_picture *pair[] = {&one, &two};
    vl2_session *session = open_session(0, 0, 1);
    talk_user(&a, &one, "What is this?");
    talk_user(&b, &two, "What is this?");
    talk_add(&both, VL2_USER, pair, 2, "Which one?");
    read_talk(session, &a, "a budget of one byte");
    read_talk(session, &b, "a budget of one byte");
    is_int((int64_t) read_talk(session, &a, "a budget of one byte").pictures_reused, 0, "keeps only what is in use");
    read_talk(session, &both, "two pictures above the budget");
    ok(same_as_fresh(session, &both), "work all the same");
    vl2_session_close(session);
}

/* Room for two encoded pictures: the one that was not used for longest goes. */
static void test_least_recently_used(void) {
    vl2_picture pictures[3];
    struct talk talks[3] = {{.n_parts = 0}, {.n_parts = 0}, {.n_parts = 0}};
    const struct vl2_info *info = vl2_engine_info(engine);
    size_t rows = (size_t) (info->tokens_per_tile + 2) * (size_t) info->hidden * sizeof(float);
    struct vl2_session_options options = {.picture_cache_bytes = 2 * rows, .branch_bytes = 1};
    vl2_session *session = NULL;
    vl2_error err = {.text = ""};
    vl2_session_open(engine, &options, &session, &err);
    for (int i = 0; i < 3; i++) {
        pictures[i] = talk_picture(20, 20, 10 + i);
        talk_user(&talks[i], &pictures[i], "What is this?");
    }
    static const struct {
        int picture;
        bool there;
    } steps[] = {{0, false}, {1, false}, {0, true}, {2, false}, {0, true}, {1, false}, {2, false}};
    int wrong = 0;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct vl2_sync_report report = {0};
        wrong += vl2_session_sync(session, &talks[steps[i].picture].conversation, NULL, &report, &err) != VL2_OK;
        wrong += report.pictures_reused != steps[i].there;
    }
    is_int(wrong, 0, "the least recently used picture leaves first");
    vl2_session_close(session);
}

static void test_third_picture(void) {
    vl2_picture a = talk_picture(50, 20, 1), b = talk_picture(20, 70, 2), c = talk_picture(30, 30, 3);
    const vl2_picture *two[] = {&a, &b};
    struct talk before = {.n_parts = 0}, after = {.n_parts = 0};
    vl2_session *session = open_session(0, 0, 0);
    talk_add(&before, VL2_USER, two, 2, "Compare.");
    talk_add(&after, VL2_USER, two, 2, "Compare.");
    talk_answer(&after, "They differ.");
    talk_user(&after, &c, "And this?");
    struct vl2_sync_report report = read_talk(session, &before, "two pictures");
    ok(!report.tiling_changed, "two pictures are tiled as they were");
    report = read_talk(session, &after, "a third one");
    ok(report.tiling_changed && report.pictures_reused == 0, "takes the tiles from the first two, and says so");
    ok(report.reread == VL2_REREAD_TILING && report.retiled == 0 && report.retiled_by == 2, "by name");
    ok(report.reused_tokens < 12, "so that nothing behind the first picture's beginning is reused");
    ok(same_as_fresh(session, &after), "the answer is that of a fresh session");
    report = read_talk(session, &before, "two pictures again");
    ok(report.tiling_changed && report.pictures_reused == 2, "get their tiles back from the picture cache");
    ok(report.retiled == 0 && report.retiled_by == SIZE_MAX, "as a picture went");
    is_int((int64_t) report.prefilled_tokens, 1, "and all that was read of them before");
    ok(same_as_fresh(session, &before), "and the answer is right");
    vl2_session_close(session);
}

/* A picture, a question, an answer, and one of several second questions. */
static void branch_talk(struct talk *talk, const vl2_picture *picture, const char *answer, const char *second) {
    talk_user(talk, picture, "What is this?");
    talk_answer(talk, answer);
    talk_user(talk, NULL, second);
}

static void test_branches(void) {
    static struct talk_text second, unbroken, resumed;
    vl2_picture picture = talk_picture(50, 20, 5), stranger = talk_picture(20, 50, 6);
    struct talk a = {.n_parts = 0}, b = {.n_parts = 0}, other = {.n_parts = 0};
    vl2_session *session = open_session(0, 0, 0);
    talk_user(&other, &stranger, "How many squares are there, and how many circles are there beside them?");
    branch_talk(&a, &picture, "A circle.", "Where is the circle?");
    branch_talk(&b, &picture, "A circle.", "Where is the ring?");
    read_talk(session, &a, "a second question");
    generate(session, 40, &second);
    size_t first_branch = vl2_session_length(session);
    struct vl2_sync_report report = read_talk(session, &b, "the second question edited");
    ok(report.branch_tokens == 0 && report.reread == VL2_REREAD_TEXT, "is read from the edit on");
    ok(same_as_fresh(session, &b), "and answered like a fresh session does");
    report = read_talk(session, &a, "back to the first branch");
    is_int((int64_t) report.prefilled_tokens, 1, "costs one token");
    ok(report.branch_tokens > 0 && report.reread == VL2_REREAD_NOTHING, "the rest comes from the branch");
    ok(same_as_fresh(session, &a), "and is right");
    read_talk(session, &other, "another conversation");
    ok(same_as_fresh(session, &other), "is answered like a fresh session does");
    talk_answer(&a, second.text);
    talk_user(&a, NULL, "And the square?");
    report = read_talk(session, &a, "the first branch goes on");
    is_int((int64_t) report.reused_tokens, (int64_t) first_branch, "with its answer, which was not in the cache");
    generate(session, 16, &resumed);
    vl2_session *never_left = open_session(0, 0, 0);
    a.conversation.n_messages -= 2;
    read_talk(never_left, &a, "the same without branches");
    generate(never_left, 40, &second);
    a.conversation.n_messages += 2;
    read_talk(never_left, &a, "goes on");
    generate(never_left, 16, &unbroken);
    vl2_session_close(never_left);
    ok(unbroken.tokens == 16 && memcmp(resumed.ids, unbroken.ids, 16 * sizeof unbroken.ids[0]) == 0, "to the same answer");
    report = read_talk(session, &b, "the edited branch again");
    is_int((int64_t) report.prefilled_tokens, 1, "was kept over the other conversation, though they share rows");
    ok(same_as_fresh(session, &b), "and is right");
    report = read_talk(session, &other, "the other conversation again");
    is_int((int64_t) report.prefilled_tokens, 1, "was kept too");
    ok(same_as_fresh(session, &other), "and is right");
    vl2_session_close(session);
}

/* Without room for branches everything works, read anew; with room for few tokens their beginning is kept. */
static void test_branch_budget(void) {
    vl2_picture picture = talk_picture(50, 20, 5);
    struct talk a = {.n_parts = 0}, b = {.n_parts = 0};
    vl2_error err = {.text = ""};
    branch_talk(&a, &picture, "A circle.", "Where is the circle and where is the square that lies beside it?");
    talk_user(&b, NULL, "Tell me about the ring.");
    for (size_t budget = 1; budget < 200000; budget *= 3) {
        vl2_session *session = NULL;
        struct vl2_session_options options = {.branch_bytes = budget};
        vl2_session_open(engine, &options, &session, &err);
        size_t read = read_talk(session, &a, "a conversation").prompt_tokens;
        read_talk(session, &b, "another one");
        struct vl2_sync_report report = read_talk(session, &a, "back");
        if (budget == 1)
            ok(report.branch_tokens == 0 && report.prefilled_tokens > read / 2, "a budget of a byte keeps nothing");
        if (budget > 100000)
            is_int((int64_t) report.prefilled_tokens, 1, "a large one everything");
        ok(same_as_fresh(session, &a), "and the answer is right with %zu bytes (%zu tokens came back)", budget, report.branch_tokens);
        vl2_session_close(session);
    }
}

static void test_continue(void) {
    struct talk talk = {.n_parts = 0}, next = {.n_parts = 0};
    static struct talk_text head = {.stop_after = 6}, tail, whole;
    static char joined[2 * sizeof head.text];
    vl2_session *session = open_session(0, 0, 0), *fresh = open_session(0, 0, 0);
    talk_user(&talk, NULL, "Tell me about the circle.");
    read_talk(session, &talk, "a question");
    generate(session, 20, &head);
    is_int((int64_t) head.tokens, 6, "the caller stopped after six tokens");
    talk_answer(&talk, head.text);
    struct vl2_sync_report report = read_talk(session, &talk, "its beginning as the last message");
    is_int((int64_t) report.prefilled_tokens, 1, "is continued from the cache");
    generate(session, 14, &tail);
    struct talk once = {.n_parts = 0};
    talk_user(&once, NULL, "Tell me about the circle.");
    read_talk(fresh, &once, "the same question at once");
    generate(fresh, 20, &whole);
    ok(whole.tokens == head.tokens + tail.tokens && memcmp(whole.ids + 6, tail.ids, tail.tokens * sizeof tail.ids[0]) == 0,
       "continuing gives what would have come without the stop");
    snprintf(joined, sizeof joined, "%s%s", head.text, tail.text);
    talk_user(&next, NULL, "Tell me about the circle.");
    talk_answer(&next, joined);
    talk_user(&next, NULL, "Thanks.");
    size_t cached = vl2_session_length(session);
    is_int((int64_t) read_talk(session, &next, "the next turn").reused_tokens, (int64_t) cached, "knows the joined answer's ids");
    vl2_session_close(session);
    vl2_session_close(fresh);
}

/* Cancels at the n-th report of progress. */
struct cancel_at {
    vl2_cancel flag;
    int left, calls;
};

static void on_progress(vl2_stage stage, uint64_t done, uint64_t total, void *user) {
    struct cancel_at *c = user;
    c->calls++;
    if (c->left-- == 0)
        atomic_store(&c->flag, true);
}

static void test_cancel_sync(void) {
    vl2_picture picture = talk_picture(40, 37, 4);
    struct talk talk = {.n_parts = 0};
    talk_user(&talk, &picture, "What is this?");
    struct cancel_at count = {.left = -1};
    struct vl2_watch watch = {.cancel = &count.flag, .progress = on_progress, .user = &count};
    vl2_session *session = open_session(0, 20, 0);
    vl2_error err = {.text = ""};
    vl2_session_sync(session, &talk.conversation, &watch, NULL, &err);
    vl2_session_close(session);
    session = open_session(0, 20, 0);
    int cancelled = 0, wrong = 0;
    bool valid = true;
    static struct talk_text whole, after;
    read_talk(session, &talk, "uncut");
    generate(session, 4, &whole);
    for (int n = 0; n < count.calls - 1; n++) { /* after the last report there is nothing left to cancel */
        struct cancel_at at = {.left = n};
        watch.cancel = &at.flag;
        watch.user = &at;
        vl2_session_close(session);
        session = open_session(0, 20, 0);
        vl2_status status = vl2_session_sync(session, &talk.conversation, &watch, NULL, &err);
        cancelled += status == VL2_CANCELLED && at.calls == n + 1;
        valid = valid && vl2_session_length(session) % 20 == 0;
        struct vl2_generate_options options = talk_greedy(4);
        valid = valid && vl2_session_generate(session, &options, NULL, NULL, NULL, NULL, &err) == VL2_ERR_USAGE;
        if (n % 3 == 0) { /* a session goes on wherever it was cut */
            wrong += vl2_session_sync(session, &talk.conversation, NULL, NULL, &err) != VL2_OK;
            generate(session, 4, &after);
            wrong += after.tokens != whole.tokens || memcmp(after.ids, whole.ids, 4 * sizeof whole.ids[0]) != 0;
        }
    }
    is_int(cancelled, count.calls - 1, "a cancel at any point of reading ends it there");
    ok(valid, "and leaves whole chunks and no conversation to answer");
    is_int(wrong, 0, "and the next reading goes on from it to the same answer");
    vl2_session_close(session);
    session = open_session(0, 20, 0);
    struct cancel_at late = {.left = count.calls - 2};
    watch.cancel = &late.flag;
    watch.user = &late;
    vl2_session_sync(session, &talk.conversation, &watch, NULL, &err);
    struct vl2_sync_report report = read_talk(session, &talk, "after a cancel");
    ok(report.pictures_reused == 1 && report.reused_tokens > 0, "the rest is read from where it stopped");
    ok(same_as_fresh(session, &talk), "and the answer is that of a fresh session");
    vl2_session_close(session);
}

struct gaps { /* between two looks at the cancel flag */
    uint64_t last, largest;
};

static void on_gap(vl2_stage stage, uint64_t done, uint64_t total, void *user) {
    struct gaps *g = user;
    if (stage != VL2_STAGE_PREFILL)
        return;
    g->largest = done - g->last > g->largest ? done - g->last : g->largest;
    g->last = done;
}

/* Whatever the chunk, no more than 64 tokens' worth of layers lie between two looks; of the picture, one layer. */
static void test_granularity(void) {
    static char text[4000];
    struct talk talk = {.n_parts = 0};
    vl2_error err = {.text = ""};
    for (int i = 0; i < 80; i++)
        strcat(text, "circle ring ");
    talk_user(&talk, NULL, text);
    for (int32_t chunk = 1; chunk <= 512; chunk = chunk * 5 / 2 + 1) {
        struct gaps gaps = {.last = 0};
        struct vl2_watch watch = {.progress = on_gap, .user = &gaps};
        vl2_session *session = open_session(0, chunk, 0);
        struct vl2_sync_report report = {0};
        vl2_session_sync(session, &talk.conversation, &watch, &report, &err);
        ok(report.prefilled_tokens > 150 && gaps.last == report.prefilled_tokens && gaps.largest <= 64,
           "chunks of %d: at most %d of %zu tokens between two looks", chunk, (int) gaps.largest, report.prefilled_tokens);
        vl2_session_close(session);
    }
}

static bool cancel_on_token(const struct vl2_token *token, void *user) {
    struct cancel_at *c = user;
    if (++c->calls == 5)
        atomic_store(&c->flag, true);
    return true;
}

static void test_cancel_generate(void) {
    struct talk talk = {.n_parts = 0};
    struct cancel_at c = {.left = 0};
    struct vl2_generate_options options = talk_greedy(50);
    struct vl2_generation done;
    vl2_error err = {.text = ""};
    vl2_session *session = open_session(0, 0, 0);
    talk_user(&talk, NULL, "Tell me about the star.");
    read_talk(session, &talk, "a question");
    ok(vl2_session_generate(session, &options, &c.flag, cancel_on_token, &c, &done, &err) == VL2_OK && done.stop == VL2_STOP_CANCELLED &&
           done.tokens == 5,
       "a cancel ends the answer after its token");
    ok(vl2_session_generate(session, &options, NULL, NULL, NULL, &done, &err) == VL2_ERR_USAGE, "a conversation is answered once");
    read_talk(session, &talk, "again");
    ok(same_as_fresh(session, &talk), "the session goes on");
    vl2_session_close(session);
}

/* A configuration may list several ids, each of which ends an answer. */
static void test_ends(void) {
    struct talk talk = {.n_parts = 0};
    static struct talk_text whole, cut;
    struct vl2_generate_options options = talk_greedy(8);
    struct vl2_generation done;
    vl2_error err = {.text = ""};
    vl2_session *session = open_session(0, 0, 0);
    talk_user(&talk, NULL, "Tell me about the star.");
    read_talk(session, &talk, "a question");
    whole = (struct talk_text){.length = 0};
    generate(session, 8, &whole);
    size_t at = 0; /* the first token that had not been there before */
    for (size_t i = 1; i < whole.tokens && at == 0; i++)
        at = whole.ids[i] != whole.ids[0] ? i : 0;
    engine->config.lm.eos[engine->config.lm.n_eos++] = whole.ids[at];
    read_talk(session, &talk, "with that token in the list of ends");
    cut = (struct talk_text){.length = 0};
    vl2_status status = vl2_session_generate(session, &options, NULL, talk_on_token, &cut, &done, &err);
    engine->config.lm.n_eos--;
    ok(status == VL2_OK && done.stop == VL2_STOP_EOS && cut.tokens == at, "the answer ends before it");
    vl2_session_close(session);
}

static void test_context(void) {
    struct talk talk = {.n_parts = 0};
    static struct talk_text answer;
    struct vl2_generate_options options = talk_greedy(500);
    struct vl2_generation done;
    vl2_error err = {.text = ""};
    talk_user(&talk, NULL, "How many squares are there?");
    vl2_session *session = open_session(0, 0, 0);
    size_t prompt = read_talk(session, &talk, "a question").prompt_tokens;
    vl2_session_close(session);
    session = open_session((int32_t) prompt + 3, 0, 0);
    read_talk(session, &talk, "a context of three more tokens");
    answer = (struct talk_text){.length = 0};
    vl2_status status = vl2_session_generate(session, &options, NULL, talk_on_token, &answer, &done, &err);
    ok(status == VL2_OK && done.stop == VL2_STOP_CONTEXT && done.tokens == 4, "gives four tokens and says why no more");
    vl2_session_close(session);
    session = open_session((int32_t) prompt - 1, 0, 0);
    status = vl2_session_sync(session, &talk.conversation, NULL, NULL, &err);
    char wanted[64];
    snprintf(wanted, sizeof wanted, "needs %zu tokens; the context holds %zu", prompt, prompt - 1);
    ok(status == VL2_ERR_CONTEXT && strstr(err.text, wanted), "a conversation that does not fit is refused with its numbers");
    vl2_session_close(session);
    struct vl2_session_options too_long = {.context = 513};
    session = NULL;
    ok(vl2_session_open(engine, &too_long, &session, &err) == VL2_ERR_USAGE && !session, "a context beyond the model's is refused");
}

static void test_sampling(void) {
    struct talk talk = {.n_parts = 0};
    static struct talk_text a, b, c;
    struct vl2_generate_options options = {.sampling = {.temperature = 1, .top_p = 0.95f, .repetition_penalty = 1.1f, .seed = 7},
                                           .max_tokens = 30,
                                           .alternatives = 3};
    vl2_error err = {.text = ""};
    vl2_session *session = open_session(0, 0, 0);
    talk_user(&talk, NULL, "Tell me about the ring.");
    struct talk_text *runs[] = {&a, &b, &c};
    for (int i = 0; i < 3; i++) {
        options.sampling.seed = i == 2 ? 8 : 7;
        read_talk(session, &talk, "sampling");
        *runs[i] = (struct talk_text){.length = 0};
        vl2_session_generate(session, &options, NULL, talk_on_token, runs[i], NULL, &err);
    }
    ok(a.tokens == b.tokens && memcmp(a.ids, b.ids, a.tokens * sizeof a.ids[0]) == 0, "the same seed gives the same text");
    ok(a.tokens != c.tokens || memcmp(a.ids, c.ids, a.tokens * sizeof a.ids[0]) != 0, "another seed another one");
    static const struct vl2_generate_options wrong[] = {
        {.sampling = {.temperature = -1, .top_p = 1, .repetition_penalty = 1}, .max_tokens = 1},
        {.sampling = {.temperature = NAN, .top_p = 1, .repetition_penalty = 1}, .max_tokens = 1},
        {.sampling = {.top_p = 0, .repetition_penalty = 1}, .max_tokens = 1},
        {.sampling = {.top_p = 1, .repetition_penalty = 0}, .max_tokens = 1},
        {.sampling = {.top_p = 1, .repetition_penalty = 1, .top_k = -1}, .max_tokens = 1},
        {.sampling = {.top_p = 1, .repetition_penalty = 1}, .max_tokens = 0},
        {.sampling = {.top_p = 1, .repetition_penalty = 1}, .max_tokens = 1, .alternatives = 21},
    };
    int refused = 0;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        vl2_session_sync(session, &talk.conversation, NULL, NULL, &err);
        refused += vl2_session_generate(session, &wrong[i], NULL, NULL, NULL, NULL, &err) == VL2_ERR_USAGE;
    }
    is_int(refused, (int64_t) (sizeof wrong / sizeof wrong[0]), "samplings that make no sense are refused");
    vl2_session_close(session);
}

/* A random model would write anything; with the grammar, what follows an open <|det|> is a list of boxes that closes. */
static void test_boxes(void) {
    int whole = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct talk talk = {.n_parts = 0};
        static struct talk_text out;
        struct vl2_generate_options options = {
            .sampling = {.temperature = 1.5f, .top_p = 1, .repetition_penalty = 1, .seed = seed}, .max_tokens = 60, .constrain_boxes = true};
        struct vl2_generation done = {0};
        struct vl2_grounding grounding = {0};
        vl2_error err = {.text = ""};
        vl2_session *session = open_session(0, 0, 0);
        talk_user(&talk, NULL, "Where?");
        talk_answer(&talk, "<|ref|>ring<|/ref|><|det|>");
        vl2_session_sync(session, &talk.conversation, NULL, NULL, &err);
        out = (struct talk_text){.length = 0};
        vl2_session_generate(session, &options, NULL, talk_on_token, &out, &done, &err);
        static char text[70000];
        snprintf(text, sizeof text, "<|det|>%s", out.text);
        vl2_grounding_parse(text, strlen(text), &grounding, &err);
        bool good = grounding.n_boxes > 0 && done.mask_changed > 0 && strstr(text, "<|/det|>");
        for (size_t i = 0; i < grounding.n_boxes; i++)
            good = good && grounding.boxes[i].status <= VL2_BOX_CLAMPED; /* corners may be in the other order */
        if (!good)
            tap_diag("%s", text);
        whole += good;
        vl2_grounding_deinit(&grounding);
        vl2_session_close(session);
    }
    is_int(whole, 20, "constrained blocks are closed lists of whole boxes");
}

int main(int argc, char **argv) {
    char dir[4096];
    vl2_error err = {.text = ""};
    if (argc != 2)
        return 2;
    snprintf(dir, sizeof dir, "%s/small_style", argv[1]);
    if (!ok(vl2_engine_open(dir, &(struct vl2_engine_options){.threads = 2}, &engine, &err) == VL2_OK, "the checkpoint opens")) {
        tap_diag("%s", err.text);
        return tap_done();
    }
    test_follow_up();
    test_edit_and_regenerate();
    test_other_picture();
    test_small_picture_cache();
    test_least_recently_used();
    test_third_picture();
    test_branches();
    test_branch_budget();
    test_continue();
    test_cancel_sync();
    test_granularity();
    test_cancel_generate();
    test_ends();
    test_context();
    test_sampling();
    test_boxes();
    vl2_engine_close(engine);
    return tap_done();
}
