/* SPDX-License-Identifier: MIT
 *
 * How sure the model is of a number of a box: what generation tells of each coordinate against a softmax over the logits that
 * vl2_session_dump gives for the same tokens; with whole numbers as tokens and with single digits.
 *
 *   test_confidence VOCABULARIES CHECKPOINTS DEMO-MODEL
 */
#include "engine/vl2.h"
#include "tests/engine/talk.h"
#include "tests/tap.h"

enum { MOST = 64 };
static const char opened[] = "<|ref|>ring<|/ref|><|det|>";

struct seen {
    struct talk_text text;
    struct vl2_coordinate coordinates[MOST];
    size_t at[MOST], n; /* tokens */
    size_t completed;   /* of numbers that were written digit by digit */
    bool sound;
};

static bool on_token(const struct vl2_token *token, void *user) {
    struct seen *s = user;
    if (token->coordinate && token->coordinate->completes) {
        const struct vl2_coordinate *c = token->coordinate, *begun = &s->coordinates[s->n - 1];
        s->sound = (s->completed++ == 0 || s->sound) && s->n > 0 && c->index == begun->index && c->whole && c->mass == begun->mass &&
                   c->expected >= 0 && c->expected <= 999 && c->deviation >= 0 && c->deviation <= 500;
    } else if (token->coordinate && s->n < MOST) {
        s->at[s->n] = s->text.tokens;
        s->coordinates[s->n++] = *token->coordinate;
    }
    return talk_on_token(token, &s->text);
}

struct rows {
    float *data;
    size_t rows, cols;
};

static void keep_logits(const char *name, const float *data, size_t rows, size_t cols, void *user) {
    struct rows *r = user;
    if (strcmp(name, "logits") != 0)
        return;
    *r = (struct rows){malloc(rows * cols * sizeof *data), rows, cols};
    memcpy(r->data, data, rows * cols * sizeof *data);
}

/* The value of a token that is a number as boxes have it, -1 otherwise. */
static int number_of(const vl2_tokenizer *tokenizer, int32_t id) {
    char *text = NULL, again[8];
    vl2_error err;
    if (vl2_tokenizer_decode(tokenizer, &id, 1, &text, NULL, &err) != VL2_OK)
        return -1;
    int value = atoi(text);
    snprintf(again, sizeof again, "%d", value);
    value = strcmp(text, again) == 0 && value >= 0 && value <= 999 ? value : -1;
    vl2_free(text);
    return value;
}

/* What the header promises, from one row of logits. */
static struct vl2_coordinate expect(const vl2_tokenizer *tokenizer, const float *logits, size_t vocab) {
    double norm = 0, mass = 0, mean = 0, squares = 0, digits[10] = {0};
    struct vl2_coordinate out = {0};
    for (size_t i = 0; i < vocab; i++)
        norm += exp((double) logits[i]);
    for (size_t i = 0; i < vocab; i++) {
        int value = number_of(tokenizer, (int32_t) i);
        double p = exp((double) logits[i]) / norm;
        if (value < 0)
            continue;
        mass += p;
        mean += p * value;
        squares += p * value * value;
        digits[value >= 100 ? value / 100 : value >= 10 ? value / 10 : value] += p;
    }
    out.mass = (float) mass;
    out.expected = (float) (mean / mass);
    out.deviation = (float) sqrt(squares / mass - mean / mass * (mean / mass));
    for (int d = 0; d < 10; d++)
        out.digits[d] = (float) (digits[d] / mass);
    return out;
}

static bool close_to(double got, double want, double scale) {
    return fabs(got - want) <= 1e-3 * scale;
}

static void test_vocabulary(const char *dir, const char *name, bool whole) {
    static struct seen seen;
    char path[4096];
    struct talk talk = {.n_parts = 0}, answered = {.n_parts = 0};
    struct vl2_generate_options options = {.sampling = {.temperature = 1, .top_p = 1, .repetition_penalty = 1, .seed = 5},
                                           .max_tokens = 60, .constrain_boxes = true, .coordinates = true};
    vl2_engine *engine = NULL;
    vl2_session *session = NULL;
    vl2_error err = {.text = ""};
    struct rows logits = {0};
    static char text[sizeof seen.text.text + sizeof opened];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    vl2_engine_open(path, &(struct vl2_engine_options){.threads = 1}, &engine, &err);
    vl2_session_open(engine, NULL, &session, &err);
    talk_user(&talk, NULL, "Where?");
    talk_answer(&talk, opened);
    seen = (struct seen){.n = 0};
    vl2_session_sync(session, &talk.conversation, NULL, NULL, &err);
    vl2_session_generate(session, &options, NULL, on_token, &seen, NULL, &err);
    snprintf(text, sizeof text, "%s%s", opened, seen.text.text);
    tap_diag("%s: %s", name, text);
    struct vl2_grounding boxes = {0};
    vl2_grounding_parse(text, strlen(text), &boxes, &err);
    bool order = seen.n > 0;
    for (size_t i = 0; i < seen.n; i++)
        order = order && seen.coordinates[i].index == (int32_t) (i % 4) && seen.coordinates[i].whole == whole;
    ok(boxes.n_boxes > 0 && seen.n == 4 * boxes.n_boxes && order, "%s: x1 y1 x2 y2 of each of %zu boxes", name, boxes.n_boxes);
    ok(whole ? seen.completed == 0 : seen.completed == seen.n && seen.sound, "%s", whole ? "none comes in pieces" :
       "each is told of as a whole where it ends");
    /* The same ids once more, at once: the session remembers which tokens the text was made of. */
    talk_user(&answered, NULL, "Where?");
    talk_answer(&answered, text);
    vl2_session_dump(session, &answered.conversation, keep_logits, &logits, NULL, &err);
    int wrong = 0, vague = 0;
    for (size_t i = 0; i < seen.n; i++) {
        const float *row = logits.data + (logits.rows - seen.text.tokens + seen.at[i] - 1) * logits.cols;
        struct vl2_coordinate got = seen.coordinates[i], want = expect(vl2_engine_tokenizer(engine), row, logits.cols);
        bool good = close_to(got.mass, want.mass, want.mass);
        for (int d = 0; d < 10; d++)
            good = good && close_to(got.digits[d], want.digits[d], 1);
        if (whole)
            good = good && close_to(got.expected, want.expected, 1000) && close_to(got.deviation, want.deviation, 1000);
        vague += whole && got.deviation > 30;
        if (!good)
            tap_diag("coordinate %zu: mass %g expected %g deviation %g, want %g %g %g", i, (double) got.mass, (double) got.expected,
                     (double) got.deviation, (double) want.mass, (double) want.expected, (double) want.deviation);
        wrong += !good;
    }
    is_int(wrong, 0, "their distributions are those of the model's logits");
    ok(!whole || vague > 0, "and random weights are not sure of them");
    free(logits.data);
    vl2_grounding_deinit(&boxes);
    vl2_session_close(session);
    vl2_engine_close(engine);
}

/* The joint probability belongs to the four numbers and what is between them. */
static void test_range(void) {
    static const char text[] = "a<|det|>[[ 1, 20, 300, 4], [5, 6]]<|/det|>";
    struct vl2_grounding g = {0};
    vl2_error err = {.text = ""};
    vl2_grounding_parse(text, strlen(text), &g, &err);
    if (!ok(g.n_boxes == 2, "two boxes"))
        return;
    char numbers[32] = "";
    memcpy(numbers, text + g.boxes[0].numbers_start, g.boxes[0].numbers_end - g.boxes[0].numbers_start);
    is_str(numbers, "1, 20, 300, 4", "the numbers of a box, without its brackets");
    is_int(g.boxes[1].reason, VL2_REASON_TWO_NUMBERS, "a reason is a number");
    is_str(vl2_box_reason_text(g.boxes[1].reason), "two numbers instead of four", "that has words");
    vl2_grounding_deinit(&g);
}

/* Asking for more does not change the answer. */
static void test_unchanged(const char *dir) {
    static struct seen plain, asked;
    struct talk talk = {.n_parts = 0};
    struct vl2_generate_options options = {.sampling = {.top_p = 1, .repetition_penalty = 1}, .max_tokens = 40};
    vl2_engine *engine = NULL;
    vl2_session *session = NULL;
    vl2_error err = {.text = ""};
    char path[4096];
    snprintf(path, sizeof path, "%s/numbers", dir);
    vl2_engine_open(path, &(struct vl2_engine_options){.threads = 1}, &engine, &err);
    vl2_session_open(engine, NULL, &session, &err);
    talk_user(&talk, NULL, "Where?");
    talk_answer(&talk, opened);
    for (int i = 0; i < 2; i++) {
        options.coordinates = i == 1;
        options.alternatives = i * 5;
        vl2_session_sync(session, &talk.conversation, NULL, NULL, &err);
        vl2_session_generate(session, &options, NULL, on_token, i ? &asked : &plain, NULL, &err);
    }
    is_str(asked.text.text, plain.text.text, "asking how sure it is changes no answer");
    is_int((int64_t) plain.n, 0, "and without asking nothing is told");
    vl2_session_close(session);
    vl2_engine_close(engine);
}

int main(int argc, char **argv) {
    if (argc != 4)
        return 2;
    folder_expect(argv[1]);
    test_vocabulary(argv[1], "numbers", true);
    test_vocabulary(argv[1], "digits", false);
    test_range();
    test_unchanged(argv[1]);
    return tap_done();
}
