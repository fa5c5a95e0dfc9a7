/* SPDX-License-Identifier: MIT
 *
 * Attention on the pictures: every token's rectangle against gradients that go through the real tile maker, weights that lose
 * nothing on the way to the cells, and taps that change no answer. The numbers themselves are compared with the official code by
 * tests/parity/test_attention.c.
 *
 *   test_attention CHECKPOINTS
 */
#include "engine/session/attention_map.h"
#include "tests/engine/talk.h"
#include "tests/tap.h"

static vl2_engine *open_engine(const char *checkpoints, const char *name) {
    char path[4096];
    vl2_engine *engine = NULL;
    vl2_error err = {.text = ""};
    snprintf(path, sizeof path, "%s/%s", checkpoints, name);
    if (vl2_engine_open(path, &(struct vl2_engine_options){.threads = 2}, &engine, &err) != VL2_OK) {
        tap_diag("%s", err.text);
        exit(1);
    }
    return engine;
}

/* ------------------------------------------------------------------------------------------------ rectangles */

/* red says how far right a pixel is, green how far down, blue that it is the picture and not padding (grey). */
static vl2_picture gradient(int width, int height) {
    uint8_t *rgb = malloc((size_t) width * (size_t) height * 3);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint8_t *p = rgb + (y * width + x) * 3;
            p[0] = (uint8_t) ((2 * x + 1) * 255 / (2 * width));
            p[1] = (uint8_t) ((2 * y + 1) * 255 / (2 * height));
            p[2] = 255;
        }
    return (vl2_picture){.width = width, .height = height, .stride = (size_t) width * 3, .rgb = rgb};
}

struct cell { /* where a token stands: its tile and its place there; tile -1: newline or separator */
    int tile, row, col;
};

/* The official layout, written down once more: a view is its rows of cells with a newline behind each, and between the two views
 * is the separator.   processing_deepseek_vl_v2.py: tokenize_with_images */
static size_t lay_out(int grid, int grid_w, int grid_h, bool global_first, struct cell *out) {
    size_t n = 0;
    for (int view = 0; view < 2; view++) {
        bool global = (view == 0) == global_first;
        int w = global ? 1 : grid_w, h = global ? 1 : grid_h;
        if (view == 1)
            out[n++] = (struct cell){.tile = -1};
        for (int row = 0; row < grid * h; row++) {
            for (int col = 0; col < grid * w; col++)
                out[n++] = (struct cell){.tile = global ? 0 : 1 + row / grid * w + col / grid, .row = row % grid, .col = col % grid};
            out[n++] = (struct cell){.tile = -1};
        }
    }
    return n;
}

struct extent {
    double low[2], high[2];
    int seen, all;
};

/* What the pixels of a cell say about where they are from. */
static struct extent measure(const struct vl2_config *c, const struct vl2_tiles *tiles, struct cell cell) {
    int step = c->projector.r * c->vision.patch, read = c->vision.grid * c->vision.patch, side = tiles->side;
    struct extent e = {.low = {1e9, 1e9}, .high = {-1, -1}};
    const uint8_t *tile = tiles->data + (size_t) cell.tile * 3 * (size_t) (side * side);
    for (int y = cell.row * step; y < (cell.row + 1) * step && y < read; y++)
        for (int x = cell.col * step; x < (cell.col + 1) * step && x < read; x++) {
            e.all++;
            if (tile[2 * side * side + y * side + x] < 200)
                continue;
            e.seen++;
            for (int i = 0; i < 2; i++) {
                double v = tile[i * side * side + y * side + x] / 255.0;
                e.low[i] = v < e.low[i] ? v : e.low[i];
                e.high[i] = v > e.high[i] ? v : e.high[i];
            }
        }
    return e;
}

/* Of one picture: tokens whose rectangle is not where their pixels are from. */
static int wrong_rects(const vl2_engine *e, const vl2_picture *picture, bool crop, struct vl2_tiles *tiles) {
    static struct cell cells[4096];
    const struct vl2_config *c = &e->config;
    int size[2] = {picture->width, picture->height}, wrong = 0;
    size_t n = lay_out(c->projector.grid, tiles->grid_w, tiles->grid_h, c->global_first, cells);
    if (n != (size_t) vl2_engine_picture_tokens(e, picture->width, picture->height, crop))
        return -1;
    for (size_t j = 0; j < n; j++) {
        double rect[4] = {0};
        bool shown = vl2_engine_token_rect(e, picture->width, picture->height, crop, (int32_t) j, rect);
        if (cells[j].tile < 0) {
            wrong += shown;
            continue;
        }
        struct extent extent = measure(c, tiles, cells[j]);
        bool good = shown == (extent.seen > 0);
        for (int i = 0; i < 2 && shown && good; i++) {
            /* Pixel centres lie half a pixel of the view inside of the rectangle's edges; a level of the gradient is 1/255, and
             * at the picture's own edges the resampling flattens it. */
            int view = (cells[j].tile > 0 ? (i == 0 ? tiles->grid_w : tiles->grid_h) : 1) * tiles->side, place[4];
            vl2_tile_content(picture->width, picture->height, cells[j].tile > 0 ? tiles->grid_w * tiles->side : tiles->side,
                           cells[j].tile > 0 ? tiles->grid_h * tiles->side : tiles->side, place);
            double half = 0.5 / place[2 + i], slack = 1.5 / 255 + half;
            good = view > 0 && fabs(extent.low[i] - (rect[i] / size[i] + half)) <= slack &&
                   fabs(extent.high[i] - (rect[i + 2] / size[i] - half)) <= slack;
        }
        if (!good && wrong++ == 0)
            tap_diag("%d×%d grid %d×%d token %zu: rect %.1f %.1f %.1f %.1f, %d of %d pixels seen, x %.3f…%.3f y %.3f…%.3f", size[0], size[1],
                     tiles->grid_w, tiles->grid_h, j, rect[0], rect[1], rect[2], rect[3], extent.seen, extent.all, extent.low[0],
                     extent.high[0], extent.low[1], extent.high[1]);
    }
    return wrong;
}

static void test_rects(const vl2_engine *e, const char *name) {
    static const int sizes[][2] = {{60, 60}, {640, 480}, {300, 900}, {1000, 100}, {97, 801}, {23, 20}, {500, 260}, {40, 41}};
    int wrong = 0, grids = 0;
    bool seen[8][8] = {{false}};
    vl2_error err = {.text = ""};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (int crop = 0; crop < 2; crop++) {
            vl2_picture picture = gradient(sizes[i][0], sizes[i][1]);
            struct vl2_tiles tiles;
            struct vl2_tile_rule rule = vl2_engine_tile_rule(e);
            vl2_tiles_make(&rule, &picture, crop, &tiles, &err);
            wrong += wrong_rects(e, &picture, crop, &tiles) != 0;
            grids += !seen[tiles.grid_w][tiles.grid_h];
            seen[tiles.grid_w][tiles.grid_h] = true;
            vl2_free(tiles.data);
            free((void *) (uintptr_t) picture.rgb);
        }
    is_int(wrong, 0, name);
    ok(grids >= 4, "in %d different grids", grids);
}

/* ------------------------------------------------------------------------------------------------ cells */

static void test_spread(const vl2_engine *e) {
    struct vl2_patch_map map;
    vl2_error err = {.text = ""};
    float inside, outside;
    int32_t grid_w, grid_h;
    const int32_t width = 300, height = 170;
    vl2_tile_grid(&e->config.tiles, width, height, true, &grid_w, &grid_h);
    vl2_patch_map_init(&e->config, &e->config.tiles, width, height, grid_w, grid_h, 20, &map, &err);
    ok(map.cols == 20 && map.rows == 11, "cells are as square as whole numbers allow");
    float *weights = calloc(map.count, sizeof *weights);
    int wrong = 0, shown = 0;
    for (size_t j = 0; j < map.count; j++) { /* one token after the other has all the weight */
        double rect[4], sum = 0, stray = 0;
        bool seen = vl2_engine_token_rect(e, width, height, true, (int32_t) j, rect);
        weights[j] = 1;
        vl2_patch_map_spread(&map, weights, &inside, &outside);
        weights[j] = 0;
        for (int r = 0; r < map.rows; r++)
            for (int c = 0; c < map.cols; c++) {
                double x = width / (double) map.cols, y = height / (double) map.rows, v = map.cells[r * map.cols + c];
                bool touches = seen && c * x < rect[2] + 1e-3 && (c + 1) * x > rect[0] - 1e-3 && r * y < rect[3] + 1e-3 &&
                               (r + 1) * y > rect[1] - 1e-3;
                sum += v;
                stray += touches ? 0 : v;
            }
        shown += seen;
        wrong += fabs(sum - (seen ? 1 : 0)) > 1e-4 || stray > 0 || inside != (seen ? 1.f : 0.f) || inside + outside != 1.f;
    }
    ok(wrong == 0 && shown > 20, "the weight of each of %d tokens lands on its rectangle and nowhere else", shown);
    for (size_t j = 0; j < map.count; j++)
        weights[j] = (float) (j * 37 % 101);
    double total = 0, cells = 0;
    vl2_patch_map_spread(&map, weights, &inside, &outside);
    for (size_t j = 0; j < map.count; j++)
        total += (double) weights[j];
    for (int i = 0; i < map.cols * map.rows; i++)
        cells += (double) map.cells[i];
    ok(fabs((double) inside + (double) outside - total) < 1e-3 * total && fabs(cells - (double) inside) < 1e-3 * total, "nothing is lost");
    free(weights);
    vl2_patch_map_deinit(&map);
}

/* ------------------------------------------------------------------------------------------------ generation */

enum { TOKENS = 12, CELLS = 9, MOST_CELLS = CELLS * CELLS };

struct looks {
    int32_t ids[TOKENS];
    float logprobs[TOKENS], cells[TOKENS][2][MOST_CELLS], inside[TOKENS][2];
    int n, pictures;
    struct vl2_attention shape[2];
};

static bool on_token(const struct vl2_token *token, void *user) {
    struct looks *l = user;
    l->ids[l->n] = token->id;
    l->logprobs[l->n] = token->logprob;
    l->pictures = (int) token->n_attention;
    for (size_t i = 0; i < token->n_attention; i++) {
        l->shape[i] = token->attention[i];
        l->inside[l->n][i] = token->attention[i].inside;
        memcpy(l->cells[l->n][i], token->attention[i].cells, (size_t) (l->shape[i].cols * l->shape[i].rows) * sizeof(float));
    }
    l->n++;
    return true;
}

static struct looks look(vl2_session *session, const struct talk *talk, struct vl2_generate_options options) {
    struct looks looks = {.n = 0};
    vl2_error err = {.text = ""};
    /* The second sync reads one token, whatever was known before: the same numbers each time. */
    if (vl2_session_sync(session, &talk->conversation, NULL, NULL, &err) != VL2_OK ||
        vl2_session_sync(session, &talk->conversation, NULL, NULL, &err) != VL2_OK ||
        vl2_session_generate(session, &options, NULL, on_token, &looks, NULL, &err) != VL2_OK)
        tap_diag("%s", err.text);
    return looks;
}

static bool same_answer(const struct looks *a, const struct looks *b) {
    return a->n == b->n && a->n > 0 && memcmp(a->ids, b->ids, sizeof a->ids) == 0 && memcmp(a->logprobs, b->logprobs, sizeof a->logprobs) == 0;
}

/* tapped: all layers of a small model with three. */
static void check_layers(vl2_session *session, struct talk *talk, struct vl2_generate_options options, const struct looks *tapped) {
    static struct looks layer[3];
    int32_t layers[3] = {0, 1, 2};
    double worst = 0;
    for (int i = 0; i < 3; i++) {
        options.attention_layers = &layers[i];
        options.n_attention_layers = 1;
        layer[i] = look(session, talk, options);
    }
    for (int t = 0; t < tapped->n; t++)
        for (int i = 0; i < CELLS * 4; i++) {
            double mean = ((double) layer[0].cells[t][0][i] + (double) layer[1].cells[t][0][i] + (double) layer[2].cells[t][0][i]) / 3;
            double apart = fabs(mean - (double) tapped->cells[t][0][i]);
            worst = apart > worst ? apart : worst;
        }
    ok(worst < 1e-6 && memcmp(layer[0].cells, layer[1].cells, sizeof layer[0].cells) != 0, "all layers are the mean of each");
}

static void check_refused(vl2_session *session, struct talk *talk, struct vl2_generate_options options, int vocab) {
    vl2_error err = {.text = ""};
    const int32_t layers_wrong[][2] = {{3, 0}, {-1, 0}, {1, 1}};
    int refused = 0;
    options.max_tokens = 4;
    for (int i = 0; i < 3; i++) {
        options.attention_layers = layers_wrong[i];
        options.n_attention_layers = 2;
        vl2_session_sync(session, &talk->conversation, NULL, NULL, &err);
        refused += vl2_session_generate(session, &options, NULL, NULL, NULL, NULL, &err) == VL2_ERR_USAGE;
    }
    options.n_attention_layers = 0;
    options.attention_cells = VL2_MAX_ATTENTION_CELLS + 1;
    refused += vl2_session_generate(session, &options, NULL, NULL, NULL, NULL, &err) == VL2_ERR_USAGE;
    options.attention_cells = 0;
    options.replay = &(int32_t){vocab};
    options.n_replay = 1;
    refused += vl2_session_generate(session, &options, NULL, NULL, NULL, NULL, &err) == VL2_ERR_USAGE;
    is_int(refused, 5, "layers, cells and ids that do not exist are refused");
}

static void test_taps(vl2_engine *engine) {
    static struct looks plain, tapped, again, replayed;
    vl2_picture one = talk_picture(50, 20, 3), two = talk_picture(20, 70, 4);
    const vl2_picture *pictures[] = {&one, &two};
    struct talk talk = {.n_parts = 0};
    struct vl2_generate_options options = talk_greedy(TOKENS);
    vl2_session *session = NULL;
    vl2_error err = {.text = ""};
    vl2_session_open(engine, &(struct vl2_session_options){.chunk_size = 16}, &session, &err);
    talk_add(&talk, VL2_USER, pictures, 2, "What is this?");
    plain = look(session, &talk, options);
    options.attention_cells = CELLS;
    tapped = look(session, &talk, options);
    ok(plain.pictures == 0 && same_answer(&plain, &tapped), "looking on changes no answer, bit by bit");
    ok(tapped.pictures == 2 && tapped.shape[0].cols == CELLS && tapped.shape[0].rows == 4 && tapped.shape[1].rows == CELLS &&
           tapped.shape[1].cols == 3,
       "each picture has a grid of its own shape");
    again = look(session, &talk, options);
    ok(same_answer(&plain, &again) && memcmp(tapped.cells, again.cells, sizeof tapped.cells) == 0, "nor does it leave traces");
    double most = 0, least = 2;
    for (int t = 0; t < tapped.n; t++) {
        double both = (double) tapped.inside[t][0] + (double) tapped.inside[t][1];
        most = both > most ? both : most;
        least = both < least ? both : least;
    }
    ok(least > 0 && most < 1, "the pictures have a part of each token's attention, never all of it");
    check_layers(session, &talk, options, &tapped);
    options.replay = tapped.ids;
    options.n_replay = (size_t) tapped.n;
    options.sampling.temperature = 2;
    options.max_tokens = 0;
    replayed = look(session, &talk, options);
    ok(same_answer(&tapped, &replayed) && memcmp(tapped.cells, replayed.cells, sizeof tapped.cells) == 0,
       "going through a known answer tells the same of it");
    options.n_replay = 0;
    check_refused(session, &talk, options, engine->config.lm.vocab);
    options.attention_cells = 0;
    options.max_tokens = 4;
    ok(vl2_session_generate(session, &options, NULL, NULL, NULL, NULL, &err) == VL2_OK, "and the conversation can still be answered");
    struct talk words = {.n_parts = 0};
    talk_user(&words, NULL, "Hello.");
    options.attention_cells = CELLS;
    plain = look(session, &words, options);
    ok(plain.n > 0 && plain.pictures == 0, "without pictures there is nothing to look at");
    vl2_session_close(session);
}

int main(int argc, char **argv) {
    if (argc != 2)
        return 2;
    vl2_engine *mha = open_engine(argv[1], "tiny_style"), *mla = open_engine(argv[1], "small_style");
    vl2_engine *tail = open_engine(argv[1], "base_style"), *thirds = open_engine(argv[1], "deep_projector");
    test_rects(mha, "every token's rectangle is where its pixels come from");
    test_rects(tail, "with the global view behind the local one");
    test_rects(thirds, "with three by three patches in a token");
    test_spread(mla);
    test_taps(mha);
    test_taps(mla);
    vl2_engine_close(mha);
    vl2_engine_close(mla);
    vl2_engine_close(tail);
    vl2_engine_close(thirds);
    return tap_done();
}
