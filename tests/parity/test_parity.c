/* SPDX-License-Identifier: MIT
 *
 * The engine against the official code: generated checkpoints (make_checkpoints.py) and what the official code computed on
 * them in float32 (make_fixtures.py). Ids, vision features, embeddings, every layer and logits agree to 2e-5 per token, and
 * the greedy ids are the same, for several chunk sizes and on every instruction set level of this machine. A level that multiplies
 * bf16 weights in bf16 is held to its own bound, in what the tower makes of the picture: behind it all levels are one.
 *
 *   test_parity CHECKPOINTS FIXTURES CONVERSATIONS.json NAME…
 */
#include "engine/checkpoint/checkpoint.h"
#include "engine/vl2.h"
#include "kernels/vlk.h"
#include "tests/tap.h"

#include <jansson.h>
#include <stdlib.h>

enum { MAX_PARTS = 16, MAX_MESSAGES = 8, MAX_PICTURES = 4 };
static const double bound = 2e-5; /* of ‖a−b‖₂ / ‖b‖₂ per token, in f32; 7e-6 was measured at most, over every variant and level */
/* Eight roundings to 2^-9 / sqrt(3) per block of the tower (activations of four products, queries, keys, values, probabilities) are
 * sqrt(8) 1.1e-3 = 3e-3 of what a block adds, on average over rows; the worst row of two blocks, whose scores are far apart, measures
 * 1.4e-2. */
static const double bf16_bound = 2.5e-2;

struct talk { /* a conversation of conversations.json */
    const char *key;
    int32_t tokens;
    float penalty;
    vl2_message messages[MAX_MESSAGES];
    vl2_part parts[MAX_PARTS];
    vl2_picture pictures[MAX_PICTURES];
    size_t n_parts, n_pictures;
    vl2_conversation conversation;
};

/* The same pixels as make_fixtures.py makes. */
static vl2_picture make_picture(int width, int height, int seed) {
    uint8_t *rgb = malloc((size_t) width * (size_t) height * 3);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < 3; c++)
                rgb[(y * width + x) * 3 + c] = (uint8_t) ((x * (7 + seed) + y * 13 + c * 50 + x * y * 3 + x / 5 * (y / 7) * seed) % 256);
    return (vl2_picture){.width = width, .height = height, .stride = (size_t) width * 3, .rgb = rgb};
}

/* Cuts text at <image>, as the official processor does. */
static void add_message(struct talk *t, const char *role, const char *text) {
    vl2_message *m = &t->messages[t->conversation.n_messages++];
    m->role = strcmp(role, "user") == 0 ? VL2_USER : strcmp(role, "system") == 0 ? VL2_SYSTEM : VL2_ASSISTANT;
    m->parts = &t->parts[t->n_parts];
    for (;;) {
        const char *image = strstr(text, "<image>");
        size_t length = image ? (size_t) (image - text) : strlen(text);
        t->parts[t->n_parts++] =
            (vl2_part){.kind = VL2_PART_TEXT, .text = text, .length = length, .markup = VL2_MARKUP_GROUNDING};
        m->n_parts++;
        if (!image)
            return;
        t->parts[t->n_parts++] = (vl2_part){.kind = VL2_PART_PICTURE, .picture = &t->pictures[t->n_pictures++]};
        m->n_parts++;
        text = image + strlen("<image>");
    }
}

static void make_talk(const char *key, json_t *json, struct talk *t) {
    *t = (struct talk){.key = key, .tokens = (int32_t) json_integer_value(json_object_get(json, "tokens"))};
    double penalty = json_number_value(json_object_get(json, "penalty"));
    t->penalty = penalty > 0 ? (float) penalty : 1;
    t->conversation.messages = t->messages;
    json_t *value;
    size_t i;
    json_array_foreach (json_object_get(json, "pictures"), i, value)
        t->pictures[i] = make_picture((int) json_integer_value(json_array_get(value, 0)), (int) json_integer_value(json_array_get(value, 1)),
                                      (int) json_integer_value(json_array_get(value, 2)));
    json_array_foreach (json_object_get(json, "messages"), i, value)
        add_message(t, json_string_value(json_object_get(value, "role")), json_string_value(json_object_get(value, "content")));
}

static struct vl2_tensor *fixture(vl2_checkpoint *fixtures, const char *key, const char *name) {
    char full[128];
    snprintf(full, sizeof full, "%s.%s", key, name);
    return vl2_checkpoint_find(fixtures, full);
}

struct comparison {
    vl2_checkpoint *fixtures;
    const char *key;
    double worst;
    char where[64];
    int compared;
    bool shape_ok;
    bool tower; /* nothing but the vision features counts */
};

/* Whether the level rounds what it multiplies with this checkpoint's tower. */
static bool rounds_tower(const char *checkpoint, const char *level) {
    vl2_checkpoint *open = NULL;
    bool rounds = strcmp(level, "avx512bf16") == 0 && vl2_checkpoint_open(checkpoint, &open, NULL) == VL2_OK;
    const struct vl2_tensor *t = rounds ? vl2_checkpoint_find(open, "vision.blocks.0.attn.qkv.weight") : NULL;
    rounds = t && t->dtype == VLK_BF16;
    vl2_checkpoint_close(open);
    return rounds;
}

/* Largest relative error of a row. */
static double compare_rows(const float *a, const uint8_t *b_bytes, size_t rows, size_t cols) {
    double worst = 0;
    for (size_t r = 0; r < rows; r++) {
        double difference = 0, norm = 0;
        for (size_t c = 0; c < cols; c++) {
            float b;
            memcpy(&b, b_bytes + (r * cols + c) * sizeof b, sizeof b);
            difference += ((double) a[r * cols + c] - b) * ((double) a[r * cols + c] - b);
            norm += (double) b * b;
        }
        double error = sqrt(difference / norm);
        worst = error > worst || isnan(error) ? error : worst;
    }
    return worst;
}

static void on_tap(const char *name, const float *data, size_t rows, size_t cols, void *user) {
    struct comparison *c = user;
    const struct vl2_tensor *t = fixture(c->fixtures, c->key, name);
    if (!t || (c->tower && strcmp(name, "vision") != 0))
        return;
    size_t kept = (size_t) t->dims[0];
    c->shape_ok = c->shape_ok && (size_t) t->dims[1] == cols && kept <= rows;
    if (!c->shape_ok)
        return;
    /* Of the logits the fixture holds the last rows, of the vision features the first, of the rest all. */
    double error = compare_rows(strcmp(name, "logits") == 0 ? data + (rows - kept) * cols : data, t->data, kept, cols);
    c->compared++;
    if (!(error <= c->worst)) {
        c->worst = error;
        snprintf(c->where, sizeof c->where, "%s", name);
    }
}

static void check_prompt(vl2_engine *engine, vl2_checkpoint *fixtures, const struct talk *t, const char *name) {
    const struct vl2_tensor *ids = fixture(fixtures, t->key, "ids");
    struct vl2_prompt prompt;
    vl2_error err;
    if (vl2_prompt_build(engine, &t->conversation, &prompt, &err) != VL2_OK) {
        ok(false, "%s %s: prompt: %s", name, t->key, err.text);
        return;
    }
    ok(ids && prompt.n_ids == (size_t) ids->dims[0] && memcmp(prompt.ids, ids->data, ids->bytes) == 0, "%s %s: the same %zu ids", name,
       t->key, prompt.n_ids);
    vl2_prompt_deinit(&prompt);
}

static void check_dump(vl2_engine *engine, vl2_checkpoint *fixtures, const struct talk *t, int32_t chunk, bool tower, const char *name) {
    struct comparison c = {.fixtures = fixtures, .key = t->key, .shape_ok = true, .tower = tower};
    const double limit = tower ? bf16_bound : bound;
    vl2_session *session = NULL;
    vl2_error err = {.text = ""};
    vl2_status status = vl2_session_open(engine, &(struct vl2_session_options){.chunk_size = chunk}, &session, &err);
    if (status == VL2_OK)
        status = vl2_session_dump(session, &t->conversation, on_tap, &c, NULL, &err);
    int wanted = 0;
    for (size_t i = 0; i < vl2_checkpoint_count(fixtures); i++) {
        const char *tensor = vl2_checkpoint_tensor(fixtures, i)->name;
        size_t length = strlen(t->key);
        wanted += strncmp(tensor, t->key, length) == 0 && tensor[length] == '.' && strcmp(tensor + length, ".ids") != 0 &&
                  strcmp(tensor + length, ".greedy") != 0 && (!tower || strcmp(tensor + length, ".vision") == 0);
    }
    ok(status == VL2_OK && c.shape_ok && c.compared == wanted && c.worst <= limit, "%s %s, chunks of %d: %d results within %g", name,
       t->key, chunk, wanted, limit);
    tap_diag("worst %.3g at %s, %d of %d compared%s%s", c.worst, c.where, c.compared, wanted, err.text[0] ? ": " : "", err.text);
    vl2_session_close(session);
}

struct greedy {
    int32_t ids[128];
    size_t n;
};

static bool on_token(const struct vl2_token *token, void *user) {
    struct greedy *g = user;
    if (g->n < 128)
        g->ids[g->n++] = token->id;
    return true;
}

static void check_greedy(vl2_engine *engine, vl2_checkpoint *fixtures, const struct talk *t, int32_t chunk, const char *name) {
    const struct vl2_tensor *expected = fixture(fixtures, t->key, "greedy");
    struct vl2_generate_options options = {.sampling = {.top_p = 1, .repetition_penalty = t->penalty}, .max_tokens = t->tokens};
    struct vl2_generation done = {0};
    struct greedy g = {.n = 0};
    vl2_session *session = NULL;
    vl2_error err = {.text = ""};
    vl2_status status = vl2_session_open(engine, &(struct vl2_session_options){.chunk_size = chunk}, &session, &err);
    if (status == VL2_OK)
        status = vl2_session_sync(session, &t->conversation, NULL, NULL, &err);
    if (status == VL2_OK)
        status = vl2_session_generate(session, &options, NULL, on_token, &g, &done, &err);
    if (done.stop == VL2_STOP_EOS)
        g.ids[g.n++] = 1;
    bool same = status == VL2_OK && expected && g.n == (size_t) expected->dims[0] && memcmp(g.ids, expected->data, expected->bytes) == 0;
    ok(same, "%s %s, chunks of %d: the same %lld greedy ids", name, t->key, chunk, expected ? (long long) expected->dims[0] : 0);
    if (!same)
        tap_diag("%zu ids: %s", g.n, err.text);
    vl2_session_close(session);
}

struct logits {
    float *data;
    size_t count;
};

static void keep_logits(const char *name, const float *data, size_t rows, size_t cols, void *user) {
    struct logits *kept = user;
    if (strcmp(name, "logits") != 0)
        return;
    kept->count = rows * cols;
    kept->data = malloc(kept->count * sizeof *data);
    memcpy(kept->data, data, kept->count * sizeof *data);
}

/* Bit for bit the same logits and the same sampled ids, however many threads share the work. */
static void check_threads(const char *checkpoint, const struct talk *t, const char *variant) {
    struct vl2_generate_options options = {.sampling = {.temperature = 1.5f, .top_p = 0.95f, .top_k = 50, .repetition_penalty = 1.1f, .seed = 3},
                                           .max_tokens = 24};
    struct logits logits[3] = {{0}};
    static struct greedy drawn[3];
    bool worked = true;
    for (int i = 0; i < 3; i++) {
        vl2_engine *engine = NULL;
        vl2_session *session = NULL;
        vl2_error err;
        drawn[i].n = 0;
        worked = worked && vl2_engine_open(checkpoint, &(struct vl2_engine_options){.device = "cpu", .threads = i + 1}, &engine, &err) == VL2_OK &&
                 vl2_session_open(engine, NULL, &session, &err) == VL2_OK &&
                 vl2_session_dump(session, &t->conversation, keep_logits, &logits[i], NULL, &err) == VL2_OK &&
                 vl2_session_sync(session, &t->conversation, NULL, NULL, &err) == VL2_OK &&
                 vl2_session_generate(session, &options, NULL, on_token, &drawn[i], NULL, &err) == VL2_OK;
        vl2_session_close(session);
        vl2_engine_close(engine);
    }
    bool same_logits = worked, same_ids = worked;
    for (int i = 1; i < 3; i++) {
        same_logits = same_logits && memcmp(logits[i].data, logits[0].data, logits[0].count * sizeof(float)) == 0;
        same_ids = same_ids && drawn[i].n == drawn[0].n && memcmp(drawn[i].ids, drawn[0].ids, drawn[0].n * sizeof(int32_t)) == 0;
    }
    ok(same_logits, "%s: the same logits with 1, 2 and 3 threads", variant);
    ok(same_ids, "%s: the same %zu sampled ids with 1, 2 and 3 threads", variant, drawn[0].n);
    for (int i = 0; i < 3; i++)
        free(logits[i].data);
}

static void check_variant(const char *checkpoint, const char *fixture_dir, const char *variant, const struct talk *talks, size_t n_talks) {
    static const int32_t chunks[] = {1, 7, 64, 512};
    const char *const *levels = vlk_cpu_isa_available();
    vl2_checkpoint *fixtures = NULL;
    vl2_error err;
    if (vl2_checkpoint_open(fixture_dir, &fixtures, &err) != VL2_OK) {
        ok(false, "%s: %s", variant, err.text);
        return;
    }
    for (size_t level = 0; levels[level]; level++) {
        char name[64];
        vl2_engine *engine = NULL;
        struct vl2_engine_options options = {.device = "cpu", .isa = levels[level], .threads = 2};
        snprintf(name, sizeof name, "%s %s", variant, levels[level]);
        if (!ok(vl2_engine_open(checkpoint, &options, &engine, &err) == VL2_OK, "%s opens", name)) {
            tap_diag("%s", err.text);
            continue;
        }
        bool tower = rounds_tower(checkpoint, levels[level]);
        for (size_t i = 0; i < n_talks; i++) {
            if (level == 0)
                check_prompt(engine, fixtures, &talks[i], name);
            bool full = fixture(fixtures, talks[i].key, "embeds") != NULL;
            for (size_t k = 0; k < 4; k++) /* every chunk size where every layer is known, one elsewhere */
                if (full || k == 2)
                    check_dump(engine, fixtures, &talks[i], chunks[k], tower, name);
            if (!tower)
                check_greedy(engine, fixtures, &talks[i], level == 0 ? chunks[i % 4] : 64, name);
        }
        vl2_engine_close(engine);
    }
    check_threads(checkpoint, &talks[n_talks - 1], variant);
    vl2_checkpoint_close(fixtures);
}

int main(int argc, char **argv) {
    struct talk talks[8];
    size_t n_talks = 0;
    json_error_t where;
    json_t *json = argc > 4 ? json_load_file(argv[3], 0, &where) : NULL, *value;
    const char *key;
    if (!json) {
        fprintf(stderr, "usage: %s CHECKPOINTS FIXTURES CONVERSATIONS.json NAME...\n", argv[0]);
        return 2;
    }
    json_object_foreach (json, key, value)
        make_talk(key, value, &talks[n_talks++]);
    for (int i = 4; i < argc; i++) {
        char checkpoint[4096], fixture_dir[4096];
        snprintf(checkpoint, sizeof checkpoint, "%s/%s", argv[1], argv[i]);
        snprintf(fixture_dir, sizeof fixture_dir, "%s/%s", argv[2], argv[i]);
        check_variant(checkpoint, fixture_dir, argv[i], talks, n_talks);
    }
    for (size_t i = 0; i < n_talks; i++)
        for (size_t k = 0; k < talks[i].n_pictures; k++)
            free((void *) (uintptr_t) talks[i].pictures[k].rgb);
    json_decref(json);
    return tap_done();
}
