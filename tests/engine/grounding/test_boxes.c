/* SPDX-License-Identifier: MIT
 *
 * Boxes that cannot be malformed: 2,000 generations at temperature 1.5, half of them forced to open a block, on random weights with
 * four vocabularies and on the bundled model. Blocks are read by an automaton of this file, which knows bytes and not tokens.
 *
 *   test_boxes VOCABULARIES CHECKPOINTS DEMO-MODEL
 */
#include "engine/session/repeat_guard.h"
#include "engine/session/session_parts.h"
#include "tests/engine/talk.h"
#include "tests/tap.h"

enum { MOST_TOKENS_MIN = 14, MOST_TOKENS_SPAN = 15 };
static const char opened[] = "<|ref|>ring<|/ref|><|det|>";

static vl2_engine *open_engine(const char *dir, const char *name) {
    char path[4096];
    vl2_engine *engine = NULL;
    vl2_error err = {.text = ""};
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (vl2_engine_open(path, &(struct vl2_engine_options){.threads = 1}, &engine, &err) != VL2_OK) {
        tap_diag("%s", err.text);
        exit(1);
    }
    return engine;
}

/* ------------------------------------------------------------------------------------------------ reading blocks */

struct blocks {
    int blocks, boxes, malformed;
};

/* A number as boxes have it: 0 … 999 without leading zeros; the byte behind it, NULL if there is none. */
static const char *read_number(const char *p) {
    int digits = 0;
    bool zero = *p == '0';
    for (; *p >= '0' && *p <= '9'; p++)
        digits++;
    return digits >= 1 && digits <= 3 && !(zero && digits > 1) ? p : NULL;
}

static const char *read_separator(const char *p) {
    return *p != ',' ? NULL : p[1] == ' ' ? p + 2 : p + 1;
}

/* [[n, n, n, n], …] with at least one box; the byte behind it, NULL if it is anything else. */
static const char *read_list(const char *p, int *boxes) {
    int n = 0;
    if (*p++ != '[')
        return NULL;
    for (;;) {
        if (*p++ != '[')
            return NULL;
        for (int i = 0; i < 4; i++) {
            if (i > 0 && !(p = read_separator(p)))
                return NULL;
            if (!(p = read_number(p)))
                return NULL;
        }
        if (*p++ != ']')
            return NULL;
        n++;
        if (*p == ']')
            break;
        if (!(p = read_separator(p)))
            return NULL;
    }
    *boxes += n;
    return n <= 128 ? p + 1 : NULL;
}

static void read_blocks(const char *text, struct blocks *out) {
    static const char begin[] = "<|det|>", end[] = "<|/det|>";
    for (const char *p = strstr(text, begin); p; p = strstr(p, begin)) {
        const char *behind = read_list(p += strlen(begin), &out->boxes);
        bool good = behind && strncmp(behind, end, strlen(end)) == 0;
        out->blocks++;
        if (!good && out->malformed++ == 0)
            tap_diag("the first malformed one: %.60s", p);
    }
}

/* ------------------------------------------------------------------------------------------------ generating */

struct campaign {
    struct blocks forced, free;
    size_t generations, mask_changed;
    int parser_complaints;
};

/* The application's own parser finds nothing to complain of either: corners come in order, and no box is without area. */
static int complaints(const char *text) {
    struct vl2_grounding g = {0};
    vl2_error err = {.text = ""};
    int n = vl2_grounding_parse(text, strlen(text), &g, &err) != VL2_OK;
    for (size_t i = 0; i < g.n_boxes; i++)
        n += g.boxes[i].status != VL2_BOX_OK;
    vl2_grounding_deinit(&g);
    return n;
}

static void generate(vl2_session *session, uint64_t seed, bool forced, bool constrain, struct campaign *c) {
    static struct talk_text out;
    static char text[sizeof out.text + sizeof opened];
    struct talk talk = {.n_parts = 0};
    struct vl2_generate_options options = {.sampling = {.temperature = 1.5f, .top_p = 1, .repetition_penalty = 1, .seed = seed},
                                           .max_tokens = MOST_TOKENS_MIN + (int32_t) (seed * 7 % MOST_TOKENS_SPAN),
                                           .constrain_boxes = constrain};
    struct vl2_generation done = {0};
    vl2_error err = {.text = ""};
    talk_user(&talk, NULL, "Where?");
    if (forced)
        talk_answer(&talk, opened);
    out = (struct talk_text){.length = 0};
    if (vl2_session_sync(session, &talk.conversation, NULL, NULL, &err) != VL2_OK ||
        vl2_session_generate(session, &options, NULL, talk_on_token, &out, &done, &err) != VL2_OK) {
        tap_diag("%s", err.text);
        exit(1);
    }
    snprintf(text, sizeof text, "%s%s", forced ? opened : "", out.text);
    c->generations++;
    c->mask_changed += done.mask_changed;
    read_blocks(text, forced ? &c->forced : &c->free);
    c->parser_complaints += complaints(text);
}

static void run(vl2_engine *engine, uint64_t first, int n, bool constrain, struct campaign *c) {
    vl2_session *session = NULL;
    vl2_error err = {.text = ""};
    vl2_session_open(engine, &(struct vl2_session_options){.context = 256}, &session, &err);
    for (int i = 0; i < n; i++)
        generate(session, first + (uint64_t) i, i < n / 2, constrain, c); /* in this order the session reads each prompt once */
    vl2_session_close(session);
}

static void test_campaign(vl2_engine *const *engines, const char *const *names, const int *counts, size_t n) {
    struct campaign all = {.generations = 0}, loose = {.generations = 0};
    for (size_t i = 0; i < n; i++) {
        struct campaign before = all;
        run(engines[i], 10000 * i, counts[i], true, &all);
        tap_diag("%s: %d generations, blocks: %d forced, %d free", names[i], counts[i], all.forced.blocks - before.forced.blocks,
                 all.free.blocks - before.free.blocks);
        ok(all.forced.blocks - before.forced.blocks >= counts[i] / 2, "%s: every forced block was written", names[i]);
    }
    tap_diag("%zu generations, %d blocks (%d forced, %d free), %d boxes, the mask changed %zu steps", all.generations,
             all.forced.blocks + all.free.blocks, all.forced.blocks, all.free.blocks, all.forced.boxes + all.free.boxes, all.mask_changed);
    is_int((int64_t) all.generations, 2000, "2,000 generations");
    ok(all.forced.blocks >= 1000 && all.free.blocks >= 5, "more than 1,000 blocks, some of them opened by the model itself");
    ok(all.forced.boxes + all.free.boxes >= all.forced.blocks + all.free.blocks, "with a box in each");
    is_int(all.forced.malformed + all.free.malformed, 0, "none is malformed");
    is_int(all.parser_complaints, 0, "nor does the parser find anything");
    run(engines[0], 77, 40, false, &loose);
    ok(loose.forced.malformed >= 15 && loose.mask_changed == 0, "without the grammar nearly all of %d are", loose.forced.blocks);
}

/* ------------------------------------------------------------------------------------------------ log-probabilities */

struct first_token {
    float logprob, alternatives[20];
    int32_t id, ids[20];
};

static bool keep_first(const struct vl2_token *token, void *user) {
    struct first_token *f = user;
    f->logprob = token->logprob;
    f->id = token->id;
    memcpy(f->alternatives, token->alternative_logprobs, sizeof f->alternatives);
    memcpy(f->ids, token->alternative_ids, sizeof f->ids);
    return false;
}

struct last_row {
    float values[8192];
    size_t n;
};

static void keep_logits(const char *name, const float *data, size_t rows, size_t cols, void *user) {
    struct last_row *row = user;
    if (strcmp(name, "logits") != 0 || cols > sizeof row->values / sizeof row->values[0])
        return;
    memcpy(row->values, data + (rows - 1) * cols, cols * sizeof *data);
    row->n = cols;
}

/* A mask decides what is drawn, not what the model is said to have thought. */
static void test_logprobs(vl2_engine *engine) {
    static struct last_row row;
    struct talk talk = {.n_parts = 0};
    struct first_token masked, free;
    struct vl2_generate_options options = {.sampling = {.top_p = 1, .repetition_penalty = 1}, .max_tokens = 40, .alternatives = 20};
    struct vl2_generation done[2];
    vl2_session *session = NULL;
    vl2_error err = {.text = ""};
    vl2_session_open(engine, NULL, &session, &err);
    talk_user(&talk, NULL, "Where?");
    talk_answer(&talk, opened);
    for (int i = 0; i < 2; i++) {
        options.constrain_boxes = i == 0;
        for (int twice = 0; twice < 2; twice++) /* the second time reads one token, whatever was known before */
            vl2_session_sync(session, &talk.conversation, NULL, NULL, &err);
        vl2_session_generate(session, &options, NULL, keep_first, i == 0 ? &masked : &free, &done[i], &err);
    }
    ok(masked.id != free.id && done[0].mask_changed == 1 && done[1].mask_changed == 0, "the mask changed the first token");
    ok(memcmp(masked.ids, free.ids, sizeof masked.ids) == 0 && memcmp(masked.alternatives, free.alternatives, sizeof masked.alternatives) == 0,
       "but not the alternatives");
    vl2_session_dump(session, &talk.conversation, keep_logits, &row, NULL, &err);
    double sum = 0;
    for (size_t i = 0; i < row.n; i++)
        sum += exp((double) row.values[i]);
    near((double) masked.logprob, (double) row.values[masked.id] - log(sum), 1e-4, "and its log-probability is the model's own");
    ok(masked.logprob < free.logprob, "which is less than that of what the model wanted");
    vl2_session_close(session);
}

/* ------------------------------------------------------------------------------------------------ repetition */

/* At how many tokens the guard would have ended this text; 0: never. */
static size_t cut_at(vl2_engine *engine, const char *text) {
    int32_t *ids;
    size_t n, at = 0;
    vl2_error err = {.text = ""};
    vl2_tokenizer_encode(vl2_engine_tokenizer(engine), text, strlen(text), VL2_MARKUP_GROUNDING, &ids, &n, &err);
    for (size_t i = 1; i <= n && at == 0; i++)
        at = vl2_is_cycling(ids, i) ? i : 0;
    vl2_free(ids);
    return at;
}

static void test_guard_on_texts(vl2_engine *engine) {
    static char text[20000];
    size_t n = (size_t) snprintf(text, sizeof text, "<|ref|>star<|/ref|><|det|>[");
    for (int i = 0; i < 128; i++)
        n += (size_t) snprintf(text + n, sizeof text - n, "%s[%d, %d, %d, %d]", i ? ", " : "", i * 7 % 900, i * 3, i * 7 % 900 + 20, i * 3 + 17);
    snprintf(text + n, sizeof text - n, "]<|/det|>");
    is_int((int64_t) cut_at(engine, text), 0, "a list of 128 boxes is not a cycle");
    n = (size_t) snprintf(text, sizeof text, "| shape | colour | count |\n|---|---|---|\n");
    for (int i = 0; i < 90; i++)
        n += (size_t) snprintf(text + n, sizeof text - n, "| square | %s | %d |\n", i % 3 ? "red" : "green", i);
    is_int((int64_t) cut_at(engine, text), 0, "nor is a table of 90 rows");
    n = 0;
    for (int i = 0; i < 90; i++)
        n += (size_t) snprintf(text + n, sizeof text - n, "| square | red | 4 |\n");
    size_t rows = cut_at(engine, text);
    ok(rows >= 128 && rows < 400, "the same row again and again is one, after %zu tokens", rows);
    n = 0;
    for (int i = 0; i < 300; i++)
        n += (size_t) snprintf(text + n, sizeof text - n, "!");
    ok(cut_at(engine, text) > 0, "and so is one character for ever");
}

static void test_guard_while_generating(vl2_engine *engine, bool in_block) {
    static struct talk_text out;
    struct talk talk = {.n_parts = 0};
    struct vl2_generate_options options = talk_greedy(480);
    struct vl2_generation done = {0};
    vl2_session *session = NULL;
    vl2_error err = {.text = ""};
    options.constrain_boxes = true;
    vl2_session_open(engine, NULL, &session, &err);
    talk_user(&talk, NULL, "Where?");
    if (in_block)
        talk_answer(&talk, opened);
    vl2_session_sync(session, &talk.conversation, NULL, NULL, &err);
    out = (struct talk_text){.length = 0};
    vl2_session_generate(session, &options, NULL, talk_on_token, &out, &done, &err);
    tap_diag("%zu tokens, ends with: %s", out.tokens, out.text + (out.length > 60 ? out.length - 60 : 0));
    ok(done.stop == VL2_STOP_REPETITION && done.tokens >= 128 && done.tokens < 480, "a cycle ends the answer %s",
       in_block ? "inside a block too" : "with its reason");
    if (in_block) {
        struct blocks blocks = {0};
        static char text[sizeof out.text + sizeof opened];
        snprintf(text, sizeof text, "%s%s", opened, out.text);
        read_blocks(text, &blocks);
        ok(blocks.blocks == 1 && blocks.malformed == 0 && blocks.boxes > 4, "after closing the block");
    } else {
        ok(vl2_is_cycling(out.ids, out.tokens) && !vl2_is_cycling(out.ids, out.tokens - 1), "at the token that makes it one");
    }
    vl2_session_close(session);
}

int main(int argc, char **argv) {
    if (argc != 4)
        return 2;
    const char *const names[] = {"digits", "numbers", "messy", "small_style", "demo-model"};
    const int counts[] = {490, 490, 490, 490, 40};
    vl2_engine *engines[5];
    for (int i = 0; i < 5; i++)
        engines[i] = open_engine(argv[i < 3 ? 1 : i < 4 ? 2 : 3], i < 4 ? names[i] : ".");
    test_campaign(engines, names, counts, 5);
    test_logprobs(engines[1]);
    test_guard_on_texts(engines[3]);
    vl2_engine *circle = open_engine(argv[1], "circle");
    test_guard_while_generating(circle, false);
    test_guard_while_generating(circle, true);
    vl2_engine_close(circle);
    for (int i = 0; i < 5; i++)
        vl2_engine_close(engines[i]);
    return tap_done();
}
