/* SPDX-License-Identifier: MIT
 *
 * Where the engine says it looked against the official code's output_attentions, averaged and laid over the pictures by
 * make_attention_fixtures.py in its own words.
 *
 *   test_attention CHECKPOINTS FIXTURES NAME
 */
#include "engine/vl2.h"
#include "kernels/vlk.h"
#include "tests/engine/talk.h"
#include "tests/tap.h"

#include <jansson.h>

enum { MOST_TOKENS = 16, MOST_PICTURES = 2, MOST_CELLS = 256 };
static const double bound = 2e-5; /* of ‖a−b‖₂ / ‖b‖₂ per picture and token, as for layers; measured errors are below 1e-5 */

/* The same pixels as make_fixtures.py makes. */
static vl2_picture make_picture(int width, int height, int seed) {
    uint8_t *rgb = malloc((size_t) width * (size_t) height * 3);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < 3; c++)
                rgb[(y * width + x) * 3 + c] = (uint8_t) ((x * (7 + seed) + y * 13 + c * 50 + x * y * 3 + x / 5 * (y / 7) * seed) % 256);
    return (vl2_picture){.width = width, .height = height, .stride = (size_t) width * 3, .rgb = rgb};
}

struct seen {
    int32_t ids[MOST_TOKENS];
    struct vl2_attention maps[MOST_TOKENS][MOST_PICTURES];
    float cells[MOST_TOKENS][MOST_PICTURES][MOST_CELLS];
    size_t n, pictures;
};

static bool on_token(const struct vl2_token *token, void *user) {
    struct seen *s = user;
    s->ids[s->n] = token->id;
    s->pictures = token->n_attention;
    for (size_t i = 0; i < token->n_attention; i++) {
        s->maps[s->n][i] = token->attention[i];
        memcpy(s->cells[s->n][i], token->attention[i].cells,
               (size_t) (token->attention[i].cols * token->attention[i].rows) * sizeof(float));
    }
    s->n++;
    return true;
}

/* The question's text, cut at its pictures. */
static void make_talk(json_t *fixture, vl2_picture *pictures, vl2_part *parts, vl2_message *message, vl2_conversation *conversation) {
    const char *text = json_string_value(json_object_get(fixture, "question"));
    *message = (vl2_message){.role = VL2_USER, .parts = parts};
    *conversation = (vl2_conversation){.messages = message, .n_messages = 1};
    for (size_t i = 0;; i++) {
        const char *image = strstr(text, "<image>");
        parts[message->n_parts++] = (vl2_part){.kind = VL2_PART_TEXT, .text = text, .length = image ? (size_t) (image - text) : strlen(text)};
        if (!image)
            return;
        json_t *size = json_array_get(json_object_get(fixture, "pictures"), i);
        pictures[i] = make_picture((int) json_integer_value(json_array_get(size, 0)), (int) json_integer_value(json_array_get(size, 1)),
                                   (int) json_integer_value(json_array_get(size, 2)));
        parts[message->n_parts++] = (vl2_part){.kind = VL2_PART_PICTURE, .picture = &pictures[i]};
        text = image + strlen("<image>");
    }
}

/* Relative error of one map; infinite where its shape is another. */
static double compare(json_t *want, const struct vl2_attention *map, const float *cells) {
    json_t *list = json_object_get(want, "cells");
    size_t n = (size_t) (map->cols * map->rows);
    double difference = 0, norm = 0;
    if (json_array_size(list) != n)
        return INFINITY;
    for (size_t i = 0; i < n; i++) {
        double w = json_number_value(json_array_get(list, i));
        difference += ((double) cells[i] - w) * ((double) cells[i] - w);
        norm += w * w;
    }
    double inside = fabs((double) map->inside - json_number_value(json_object_get(want, "inside")));
    double outside = fabs((double) map->outside - json_number_value(json_object_get(want, "outside")));
    return fmax(sqrt(difference / norm), fmax(inside, outside));
}

static void test_run(vl2_engine *engine, const vl2_conversation *conversation, json_t *fixture, json_t *run) {
    static struct seen seen;
    int32_t layers[16];
    json_t *list = json_object_get(run, "layers"), *tokens = json_object_get(run, "tokens"), *ids = json_object_get(fixture, "ids");
    struct vl2_generate_options options = talk_greedy((int32_t) json_array_size(ids));
    vl2_session *session = NULL;
    vl2_error err = {.text = ""};
    for (size_t i = 0; i < json_array_size(list); i++)
        layers[i] = (int32_t) json_integer_value(json_array_get(list, i));
    options.attention_cells = (int32_t) json_integer_value(json_object_get(fixture, "cells"));
    options.attention_layers = layers;
    options.n_attention_layers = json_array_size(list);
    seen = (struct seen){.n = 0};
    bool went = vl2_session_open(engine, NULL, &session, &err) == VL2_OK &&
                vl2_session_sync(session, conversation, NULL, NULL, &err) == VL2_OK &&
                vl2_session_generate(session, &options, NULL, on_token, &seen, NULL, &err) == VL2_OK;
    if (!went)
        tap_diag("%s", err.text);
    bool same = went && seen.n == json_array_size(ids);
    for (size_t i = 0; same && i < seen.n; i++)
        same = seen.ids[i] == json_integer_value(json_array_get(ids, i));
    ok(same, "%zu layers named: the official code's greedy ids", options.n_attention_layers);
    double worst = 0;
    for (size_t t = 0; same && t < seen.n; t++)
        for (size_t i = 0; i < MOST_PICTURES; i++)
            worst = fmax(worst, compare(json_array_get(json_array_get(tokens, t), i), &seen.maps[t][i], seen.cells[t][i]));
    ok(same && seen.pictures == MOST_PICTURES && worst <= bound, "and its attention to both pictures, within %.2g", worst);
    vl2_session_close(session);
}

/* The best level that rounds no activations of unquantised weights: the official code's figures are f32. */
static const char *exact_level(void) {
    const char *const *level = vlk_cpu_isa_available();
    while (strcmp(*level, "avx512bf16") == 0)
        level++;
    return *level;
}

int main(int argc, char **argv) {
    char path[4096];
    vl2_picture pictures[MOST_PICTURES];
    vl2_part parts[2 * MOST_PICTURES + 1];
    vl2_message message;
    vl2_conversation conversation;
    vl2_engine *engine = NULL;
    vl2_error err = {.text = ""};
    json_error_t where;
    if (argc != 4)
        return 2;
    snprintf(path, sizeof path, "%s/attention-%s.json", argv[2], argv[3]);
    json_t *fixture = json_load_file(path, 0, &where), *run;
    snprintf(path, sizeof path, "%s/%s", argv[1], argv[3]);
    vl2_engine_open(path, &(struct vl2_engine_options){.isa = exact_level(), .threads = 2}, &engine, &err);
    if (!ok(fixture && engine, "%s opens", argv[3])) {
        tap_diag("%s %s", where.text, err.text);
        return tap_done();
    }
    size_t i;
    make_talk(fixture, pictures, parts, &message, &conversation);
    json_array_foreach (json_object_get(fixture, "runs"), i, run)
        test_run(engine, &conversation, fixture, run);
    for (i = 0; i < MOST_PICTURES; i++)
        free((void *) (uintptr_t) pictures[i].rgb);
    json_decref(fixture);
    vl2_engine_close(engine);
    return tap_done();
}
