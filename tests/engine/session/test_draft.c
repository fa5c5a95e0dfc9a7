/* SPDX-License-Identifier: MIT
 *
 * Drafting: an answer with it is the answer without it, bit by bit, whether greedy or drawn, and the session goes on alike; how many
 * passes a list of boxes and a repeated text take; that it stops where it loses.
 *
 *   test_draft DEMO-MODEL [PROMPTS]   how many questions are asked both ways, 12 without
 */
#include "engine/model/model.h"
#include "engine/session/draft.h"
#include "tests/engine/talk.h"
#include "tests/tap.h"

enum { SIDE = 220, FEW_PROMPTS = 12, MOST_IDS = 4096 };

static vl2_engine *engine;

/* ------------------------------------------------------------------------------------------------ questions */

static uint32_t state = 1;

static uint32_t random_below(uint32_t n) {
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % n;
}

static const struct {
    const char *name;
    uint8_t rgb[3];
} colours[] = {{"red", {220, 40, 40}}, {"green", {40, 160, 60}}, {"blue", {40, 80, 220}}, {"black", {20, 20, 20}}, {"purple", {140, 50, 160}}};

/* Circles and squares on a light ground. */
static void draw_scene(uint8_t *rgb) {
    memset(rgb, 240, (size_t)SIDE * SIDE * 3);
    for (uint32_t shapes = 1 + random_below(6); shapes > 0; shapes--) {
        const uint8_t *colour = colours[random_below(5)].rgb;
        int r = 12 + (int)random_below(20);
        int cx = r + (int)random_below((uint32_t)(SIDE - 2 * r)), cy = r + (int)random_below((uint32_t)(SIDE - 2 * r));
        bool circle = random_below(2);
        for (int y = -r; y < r; y++)
            for (int x = -r; x < r; x++)
                if (!circle || x * x + y * y < r * r)
                    memcpy(rgb + ((size_t)(cy + y) * SIDE + (size_t)(cx + x)) * 3, colour, 3);
    }
}

static void make_question(char *text, size_t size) {
    static const char *const shapes[] = {"circle", "square"};
    const char *colour = colours[random_below(5)].name, *shape = shapes[random_below(2)];
    switch (random_below(5)) {
    case 0:
        snprintf(text, size, "How many %s shapes are in the picture?", colour);
        break;
    case 1:
        snprintf(text, size, "<|grounding|>Describe the picture.");
        break;
    case 2:
        snprintf(text, size, "<|ref|>%s shapes<|/ref|>", colour);
        break;
    default:
        snprintf(text, size, "<|ref|>the %s %s<|/ref|>", colour, shape);
    }
}

/* ------------------------------------------------------------------------------------------------ both ways */

struct answer {
    struct talk_text text;
    float logprobs[MOST_IDS], expected[MOST_IDS];
    int32_t seconds[MOST_IDS]; /* the likeliest other token */
    struct vl2_generation done;
    size_t length; /* of the session then */
};

static bool on_token(const struct vl2_token *token, void *user) {
    struct answer *a = user;
    size_t i = a->text.tokens;
    if (i < MOST_IDS) {
        a->logprobs[i] = token->logprob;
        a->expected[i] = token->coordinate ? token->coordinate->mass : -1;
        a->seconds[i] = token->n_alternatives > 1 ? token->alternative_ids[1] : -1;
    }
    return talk_on_token(token, &a->text);
}

static void answer(vl2_session *session, const struct talk *talk, struct vl2_generate_options options, bool one_by_one, struct answer *out) {
    vl2_error err = {.text = ""};
    memset(out, 0, sizeof *out);
    options.one_by_one = one_by_one;
    if (vl2_session_sync(session, &talk->conversation, NULL, NULL, &err) != VL2_OK ||
        vl2_session_generate(session, &options, NULL, on_token, out, &out->done, &err) != VL2_OK)
        tap_diag("%s", err.text);
    out->length = vl2_session_length(session);
}

static bool same(const struct answer *a, const struct answer *b) {
    size_t n = a->text.tokens;
    return n > 0 && n == b->text.tokens && n < MOST_IDS && memcmp(a->text.ids, b->text.ids, n * sizeof a->text.ids[0]) == 0 &&
           memcmp(a->logprobs, b->logprobs, n * sizeof a->logprobs[0]) == 0 && memcmp(a->expected, b->expected, n * sizeof a->expected[0]) == 0 &&
           memcmp(a->seconds, b->seconds, n * sizeof a->seconds[0]) == 0 && strcmp(a->text.text, b->text.text) == 0 &&
           a->done.stop == b->done.stop && a->done.mask_changed == b->done.mask_changed && a->length == b->length;
}

static struct vl2_generate_options options_of(int i) {
    struct vl2_generate_options o = talk_greedy(i % 8 == 3 ? 17 : 160);
    o.constrain_boxes = i % 4 != 2;
    o.coordinates = i % 2 == 0;
    o.alternatives = i % 3;
    if (i % 3 == 1)
        o.sampling = (struct vl2_sampling){.temperature = 0.9f, .top_p = 0.95f, .repetition_penalty = i % 2 ? 1.1f : 1, .seed = (uint64_t)i};
    return o;
}

/* The first answer, and one to a question behind it, for which the cache must be as if nothing had been read ahead. */
static void test_same_answers(int prompts) {
    static struct answer with, without;
    static uint8_t rgb[SIDE * SIDE * 3];
    static char said[sizeof with.text.text];
    struct vl2_session_options options = {.context = 1024};
    vl2_session *fast = NULL, *slow = NULL;
    vl2_error err = {.text = ""};
    size_t tokens = 0, passes = 0, drafted = 0, right = 0, turns = 0;
    int wrong = 0, greedy = 0;
    bool opened = vl2_session_open(engine, &options, &fast, &err) == VL2_OK && vl2_session_open(engine, &options, &slow, &err) == VL2_OK;
    for (int i = 0; opened && i < prompts; i++) {
        struct vl2_generate_options o = options_of(i);
        struct talk talk = {.n_parts = 0};
        char question[128];
        vl2_picture picture = {.width = SIDE, .height = SIDE, .stride = SIDE * 3, .rgb = rgb};
        draw_scene(rgb);
        make_question(question, sizeof question);
        talk_user(&talk, &picture, question);
        for (int turn = 0; turn < 2; turn++) {
            answer(slow, &talk, o, true, &without);
            answer(fast, &talk, o, false, &with);
            wrong += !same(&with, &without);
            turns++;
            tokens += with.text.tokens;
            passes += with.done.passes;
            drafted += with.done.drafted;
            right += with.done.drafted_right;
            greedy += o.sampling.temperature == 0;
            strcpy(said, without.text.text);
            talk_answer(&talk, said);
            talk_user(&talk, NULL, "<|grounding|>And all other shapes?");
        }
    }
    ok(opened && !wrong && turns == 2 * (size_t)prompts, "%zu answers, %d of them greedy: with drafts as without, bit by bit (%d differ)",
       turns, greedy, wrong);
    ok(right > 0 && right <= drafted && passes < tokens, "%zu tokens in %zu passes, %zu of %zu drafted ones were right", tokens, passes,
       right, drafted);
    vl2_session_close(fast);
    vl2_session_close(slow);
}

/* ------------------------------------------------------------------------------------------------ drafts alone */

static struct vl2_draft new_draft(void) {
    struct vl2_draft d = {0};
    vl2_error err;
    vl2_draft_init(&d, engine->grammar, vl2_engine_tokenizer(engine), &err);
    return d;
}

/* Passes that ids[from … n) take, each of as many tokens as its draft is right. */
static size_t count_passes(struct vl2_draft *d, const int32_t *ids, size_t from, size_t n) {
    int32_t *line = calloc(n + VL2_DRAFT_MOST + 1, sizeof *line);
    struct vl2_box_state boxes = {0};
    size_t passes = 0;
    memcpy(line, ids, from * sizeof *line);
    for (size_t at = from; at < n; passes++) {
        int32_t drafted = vl2_draft_make(d, line, at, &boxes, VL2_DRAFT_MOST), right = 0;
        while (at < n) {
            bool was_drafted = right < drafted && line[at] == ids[at];
            vl2_draft_learn(d, ids, at, &boxes, ids[at]);
            vl2_box_grammar_feed(engine->grammar, &boxes, ids[at]);
            line[at] = ids[at];
            at++;
            right++;
            if (!was_drafted)
                break;
        }
    }
    free(line);
    return passes;
}

static size_t encode(const char *text, int32_t **ids) {
    size_t n = 0;
    vl2_error err;
    vl2_tokenizer_encode(vl2_engine_tokenizer(engine), text, strlen(text), VL2_MARKUP_GROUNDING, ids, &n, &err);
    return n;
}

static void test_boxes(void) {
    char text[8192] = "<|ref|>ring<|/ref|><|det|>[";
    int32_t *ids = NULL;
    struct vl2_draft d = new_draft();
    for (int i = 0; i < 100; i++) {
        unsigned x = 100 + random_below(400), y = 100 + random_below(400);
        sprintf(text + strlen(text), "%s[%u, %u, %u, %u]", i ? ", " : "", x, y, x + 40 + random_below(300), y + 40 + random_below(300));
    }
    strcat(text, "]<|/det|>");
    size_t n = encode(text, &ids), passes = count_passes(&d, ids, 1, n);
    ok(n > 1000 && (double)passes < 0.67 * (double)n, "100 boxes, all numbers new: %zu tokens in %zu passes", n, passes);
    vl2_free(ids);
}

static void test_repeated_text(void) {
    static const char row[] = "| apples | 3 of them | ripe |\n";
    char text[40 * sizeof row] = "";
    int32_t *ids = NULL;
    struct vl2_draft d = new_draft();
    for (int i = 0; i < 40; i++)
        strcat(text, row);
    size_t n = encode(text, &ids), first = n / 40, passes = count_passes(&d, ids, 1, n);
    ok(passes < first + (n - first) / 3, "rows of a table, the same again and again: %zu tokens in %zu passes", n, passes);
    vl2_free(ids);
}

/* One two three four, and then something new each time. */
static void test_no_luck(void) {
    enum { N = 300 };
    int32_t ids[N + VL2_DRAFT_MOST];
    struct vl2_draft d = new_draft(), fresh = d;
    struct vl2_box_state none = {0};
    for (size_t i = 0; i < N; i++)
        ids[i] = i % 5 == 0 ? 100 + (int32_t)i : (int32_t)(i % 5);
    for (size_t i = 1; i < N; i++)
        vl2_draft_learn(&d, ids, i, &none, ids[i]);
    ok(vl2_draft_make(&fresh, ids, N, &none, VL2_DRAFT_MOST) > 0, "four equal tokens are worth a guess");
    is_int(vl2_draft_make(&d, ids, N, &none, VL2_DRAFT_MOST), 0, "where such guesses were wrong, none is made any more");
}

static void test_price(void) {
    static const char rows[] = "one two three four five six seven eight one two three four five six";
    int32_t *ids = NULL, line[64];
    struct vl2_box_state none = {0};
    struct vl2_draft d = new_draft();
    size_t n = encode(rows, &ids);
    memcpy(line, ids, n * sizeof *ids);
    int32_t cheap = vl2_draft_make(&d, line, n, &none, VL2_DRAFT_MOST);
    for (int i = 0; i < 60; i++)
        for (int32_t k = 1; k <= VL2_DRAFT_MOST + 1; k++)
            vl2_draft_timed(&d, k, 10 * k);
    int32_t dear = vl2_draft_make(&d, line, n, &none, VL2_DRAFT_MOST);
    ok(n < 60 && cheap == VL2_DRAFT_MOST && dear == 0, "a likely text is drafted (%d), but not where each token costs a pass anyway (%d)",
       cheap, dear);
    for (int i = 0; i < 600 && dear == 0; i++)
        dear = vl2_draft_make(&d, line, n, &none, VL2_DRAFT_MOST);
    ok(dear > 0, "after a while it is tried again");
    vl2_draft_timed(&d, 1, 1e9);
    ok(d.one_ms < 20, "a disturbed pass counts as one that took twice as long (%.1f ms)", d.one_ms);
    vl2_free(ids);
}

int main(int argc, char **argv) {
    vl2_error err = {.text = ""};
    folder_expect(argv[1]);
    if (!ok(vl2_engine_open(argv[1], &(struct vl2_engine_options){.device = "cpu", .threads = 2}, &engine, &err) == VL2_OK, "the model opens"))
        tap_diag("%s", err.text);
    test_same_answers(argc > 2 ? atoi(argv[2]) : FEW_PROMPTS);
    test_boxes();
    test_repeated_text();
    test_no_luck();
    test_price();
    vl2_engine_close(engine);
    return tap_done();
}
