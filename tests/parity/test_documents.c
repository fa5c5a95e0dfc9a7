/* SPDX-License-Identifier: MIT
 *
 * Document models against the official code: generated checkpoints (make_document_checkpoints.py) and what the official towers and
 * language model computed on them in float32 (make_document_fixtures.py). Ids, every block of both towers, joined features, projected
 * rows, embeddings, layers and logits agree to 2e-5 per row, and the greedy ids are the same, with the guard against repeated n-grams
 * where the entry has one: in every mode, on every instruction set level of this machine.
 *
 *   test_documents CHECKPOINT FIXTURE documents.json
 */
#include "engine/checkpoint/checkpoint.h"
#include "engine/vl2.h"
#include "kernels/vlk.h"
#include "tests/tap.h"

#include <jansson.h>
#include <stdlib.h>

enum { MAX_IDS = 128, MAX_EXEMPT = 8 };
static const double bound = 2e-5; /* of ‖a−b‖₂ / ‖b‖₂ per row, in f32: as test_parity.c */

struct entry { /* of documents.json */
    const char *key;
    int32_t tokens;
    struct vl2_repeat_guard guard;
    int32_t exempt[MAX_EXEMPT];
    vl2_picture picture;
    vl2_part parts[2];
    vl2_message message;
    vl2_conversation conversation;
};

/* The same pixels as make_fixtures.py makes. */
static vl2_picture make_picture(int width, int height, int seed) {
    uint8_t *rgb = malloc((size_t)width * (size_t)height * 3);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < 3; c++)
                rgb[(y * width + x) * 3 + c] = (uint8_t)((x * (7 + seed) + y * 13 + c * 50 + x * y * 3 + x / 5 * (y / 7) * seed) % 256);
    return (vl2_picture){.width = width, .height = height, .stride = (size_t)width * 3, .rgb = rgb};
}

static vl2_detail detail_of(const char *mode) {
    static const char *const names[] = {"gundam", "", "tiny", "small", "base", "large"};
    int detail = VL2_DETAIL_LARGE;
    while (detail > 0 && strcmp(names[detail], mode) != 0)
        detail--;
    return (vl2_detail)detail;
}

static int number(json_t *array, size_t i) {
    return (int)json_integer_value(json_array_get(array, i));
}

/* The prompt begins with "<image>". */
static void make_entry(const char *key, json_t *json, struct entry *e) {
    json_t *picture = json_array_get(json_object_get(json, "pictures"), 0), *guard = json_object_get(json, "guard"), *id;
    const char *text = json_string_value(json_object_get(json, "prompt")) + strlen("<image>");
    size_t i;
    *e = (struct entry){.key = key, .tokens = (int32_t)json_integer_value(json_object_get(json, "tokens"))};
    e->picture = make_picture(number(picture, 0), number(picture, 1), number(picture, 2));
    e->parts[0] = (vl2_part){.kind = VL2_PART_PICTURE, .picture = &e->picture,
                             .detail = detail_of(json_string_value(json_object_get(json, "mode")))};
    e->parts[1] = (vl2_part){.kind = VL2_PART_TEXT, .text = text, .length = strlen(text), .markup = VL2_MARKUP_GROUNDING};
    e->message = (vl2_message){VL2_USER, e->parts, 2};
    e->conversation = (vl2_conversation){&e->message, 1};
    e->guard = (struct vl2_repeat_guard){.ngram = (int32_t)json_integer_value(json_object_get(guard, "ngram")),
                                         .window = (int32_t)json_integer_value(json_object_get(guard, "window")),
                                         .exempt = e->exempt};
    json_array_foreach (json_object_get(guard, "exempt"), i, id)
        e->exempt[e->guard.n_exempt++] = (int32_t)json_integer_value(id);
}

static struct vl2_tensor *fixture(vl2_checkpoint *fixtures, const char *key, const char *name) {
    char full[128];
    snprintf(full, sizeof full, "%s.%s", key, name);
    return vl2_checkpoint_find(fixtures, full);
}

/* ------------------------------------------------------------------------------------------------ what is computed */

struct comparison {
    vl2_checkpoint *fixtures;
    const char *key;
    double worst;
    char where[64];
    int compared;
    bool shape_ok;
};

/* Largest relative error of a row. */
static double compare_rows(const float *a, const uint8_t *b_bytes, size_t rows, size_t cols) {
    double worst = 0;
    for (size_t r = 0; r < rows; r++) {
        double difference = 0, norm = 0;
        for (size_t c = 0; c < cols; c++) {
            float b;
            memcpy(&b, b_bytes + (r * cols + c) * sizeof b, sizeof b);
            difference += ((double)a[r * cols + c] - (double)b) * ((double)a[r * cols + c] - (double)b);
            norm += (double)b * (double)b;
        }
        double error = sqrt(difference / norm);
        worst = error > worst || isnan(error) ? error : worst;
    }
    return worst;
}

static void on_tap(const char *name, const float *data, size_t rows, size_t cols, void *user) {
    struct comparison *c = user;
    const struct vl2_tensor *t = fixture(c->fixtures, c->key, name);
    if (!t)
        return;
    size_t kept = (size_t)t->dims[0], last = strcmp(name, "logits") == 0 && kept <= rows ? (rows - kept) * cols : 0;
    bool fits = (size_t)t->dims[1] == cols && (last > 0 || kept == rows);
    c->shape_ok = c->shape_ok && fits;
    if (!fits)
        return;
    double error = compare_rows(data + last, t->data, kept, cols);
    c->compared++;
    if (!(error <= c->worst)) {
        c->worst = error;
        snprintf(c->where, sizeof c->where, "%s", name);
    }
}

static int wanted_tensors(vl2_checkpoint *fixtures, const char *key) {
    size_t length = strlen(key);
    int wanted = 0;
    for (size_t i = 0; i < vl2_checkpoint_count(fixtures); i++) {
        const char *name = vl2_checkpoint_tensor(fixtures, i)->name;
        if (strncmp(name, key, length) == 0 && name[length] == '.')
            wanted += strcmp(name + length, ".ids") != 0 && strcmp(name + length, ".greedy") != 0;
    }
    return wanted;
}

static void check_dump(vl2_engine *engine, vl2_checkpoint *fixtures, const struct entry *e, const char *level) {
    struct comparison c = {.fixtures = fixtures, .key = e->key, .shape_ok = true};
    vl2_session *session = NULL;
    vl2_error err = {.text = ""};
    int wanted = wanted_tensors(fixtures, e->key);
    vl2_status status = vl2_session_open(engine, &(struct vl2_session_options){.chunk_size = 64}, &session, &err);
    if (status == VL2_OK)
        status = vl2_session_dump(session, &e->conversation, on_tap, &c, NULL, &err);
    ok(status == VL2_OK && c.shape_ok && c.compared == wanted && c.worst <= bound, "%s %s: %d results within %g", level, e->key, wanted,
       bound);
    tap_diag("worst %.3g at %s, %d of %d compared%s%s", c.worst, c.where, c.compared, wanted, err.text[0] ? ": " : "", err.text);
    vl2_session_close(session);
}

struct answer {
    int32_t ids[MAX_IDS];
    size_t n;
};

static bool on_token(const struct vl2_token *token, void *user) {
    struct answer *a = user;
    if (a->n < MAX_IDS)
        a->ids[a->n++] = token->id;
    return true;
}

static void check_greedy(vl2_engine *engine, vl2_checkpoint *fixtures, const struct entry *e, const char *level) {
    const struct vl2_tensor *expected = fixture(fixtures, e->key, "greedy");
    struct vl2_generate_options options = {
        .sampling = {.top_p = 1, .repetition_penalty = 1}, .max_tokens = e->tokens, .guard = e->guard};
    struct vl2_generation done = {0};
    struct answer a = {.n = 0};
    vl2_session *session = NULL;
    vl2_error err = {.text = ""};
    vl2_status status = vl2_session_open(engine, NULL, &session, &err);
    if (status == VL2_OK)
        status = vl2_session_sync(session, &e->conversation, NULL, NULL, &err);
    if (status == VL2_OK)
        status = vl2_session_generate(session, &options, NULL, on_token, &a, &done, &err);
    if (done.stop == VL2_STOP_EOS)
        a.ids[a.n++] = 1;
    bool same = status == VL2_OK && expected && a.n == (size_t)expected->dims[0] && memcmp(a.ids, expected->data, expected->bytes) == 0;
    ok(same, "%s %s: the same %zu greedy ids", level, e->key, expected ? (size_t)expected->dims[0] : 0);
    if (!same)
        tap_diag("%zu ids: %s", a.n, err.text);
    if (e->guard.ngram)
        tap_diag("the guard changed %zu of them", done.mask_changed);
    vl2_session_close(session);
}

struct watched {
    size_t n, broken_at;
    int32_t breaker;
};

static bool watch_token(const struct vl2_token *token, void *user) {
    struct watched *w = user;
    w->n++;
    if (token->breaks_cycle && w->broken_at == 0 && token->id == w->breaker)
        w->broken_at = w->n;
    return true;
}

/* With a penalty that rewards repetition the model repeats itself: then its answer ends, or goes on to its limit, or with the breaker. */
static void check_cycles(vl2_engine *engine, const struct entry *e) {
    static const vl2_cycles all[] = {VL2_CYCLES_END, VL2_CYCLES_KEEP, VL2_CYCLES_BREAK};
    struct watched w[3] = {{.n = 0}};
    struct vl2_generation done[3] = {{0}};
    vl2_error err = {.text = ""};
    vl2_status status = VL2_OK;
    for (int i = 0; i < 3 && status == VL2_OK; i++) {
        struct vl2_generate_options options = {.sampling = {.top_p = 1, .repetition_penalty = 0.1f},
                                               .max_tokens = 400,
                                               .cycles = all[i],
                                               .breaker = vl2_tokenizer_id(vl2_engine_tokenizer(engine), "<|ref|>")};
        vl2_session *session = NULL;
        w[i].breaker = options.breaker;
        status = vl2_session_open(engine, NULL, &session, &err);
        if (status == VL2_OK)
            status = vl2_session_sync(session, &e->conversation, NULL, NULL, &err);
        if (status == VL2_OK)
            status = vl2_session_generate(session, &options, NULL, watch_token, &w[i], &done[i], &err);
        vl2_session_close(session);
    }
    ok(status == VL2_OK && done[0].stop == VL2_STOP_REPETITION && done[0].tokens < 400, "%s: a cycle ends the answer at %zu tokens: %s",
       e->key, done[0].tokens, err.text);
    ok(done[1].stop == VL2_STOP_MAX_TOKENS && done[1].tokens == 400 && done[1].cycles_broken == 0, "or is kept");
    ok(done[2].cycles_broken > 0 && w[2].broken_at == done[0].tokens + 1, "or is broken where it would have ended, %zu times",
       done[2].cycles_broken);
}

static void check_prompt(vl2_engine *engine, vl2_checkpoint *fixtures, const struct entry *e) {
    const struct vl2_tensor *ids = fixture(fixtures, e->key, "ids");
    struct vl2_prompt prompt;
    vl2_error err;
    if (vl2_prompt_build(engine, &e->conversation, &prompt, &err) != VL2_OK) {
        ok(false, "%s: prompt: %s", e->key, err.text);
        return;
    }
    ok(ids && prompt.n_ids == (size_t)ids->dims[0] && memcmp(prompt.ids, ids->data, ids->bytes) == 0, "%s: the same %zu ids", e->key,
       prompt.n_ids);
    vl2_prompt_deinit(&prompt);
}

int main(int argc, char **argv) {
    const char *const *levels = vlk_cpu_isa_available();
    json_t *json = argc == 4 ? json_load_file(argv[3], 0, NULL) : NULL, *value;
    vl2_checkpoint *fixtures = NULL;
    vl2_error err = {.text = ""};
    const char *key;
    if (!json || vl2_checkpoint_open(argv[2], &fixtures, &err) != VL2_OK) {
        fprintf(stderr, "usage: %s CHECKPOINT FIXTURE documents.json\n%s\n", argv[0], err.text);
        return 2;
    }
    for (size_t level = 0; levels[level]; level++) {
        vl2_engine *engine = NULL;
        struct vl2_engine_options options = {.device = "cpu", .isa = levels[level], .threads = 2};
        if (!ok(vl2_engine_open(argv[1], &options, &engine, &err) == VL2_OK, "opens on %s: %s", levels[level], err.text))
            continue;
        json_object_foreach (json, key, value) {
            struct entry e;
            make_entry(key, value, &e);
            if (level == 0)
                check_prompt(engine, fixtures, &e);
            check_dump(engine, fixtures, &e, levels[level]);
            check_greedy(engine, fixtures, &e, levels[level]);
            if (level == 0 && strcmp(key, "small") == 0 && strstr(argv[1], "document_ocr"))
                check_cycles(engine, &e);
            free((void *)(uintptr_t)e.picture.rgb);
        }
        vl2_engine_close(engine);
    }
    vl2_checkpoint_close(fixtures);
    json_decref(json);
    return tap_done();
}
