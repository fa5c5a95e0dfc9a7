/* SPDX-License-Identifier: MIT
 *
 * The grammar of Unlimited-OCR's blocks, `title [357, 135, 642, 155]`: whatever is drawn from its masks is one, and whatever is one is
 * offered token by token, so that an answer that was well-formed is the same with it.
 *
 *   test_labelled TOKENIZER
 */
#include "engine/grounding/box_grammar.h"
#include "tests/tap.h"

#include <stdlib.h>
#include <string.h>

enum { DET = 0, DET_END = 1, ROUNDS = 3000, MOST_WORDS = 1 << 10 };

static uint64_t random_state = 19;

static uint32_t draw(uint32_t below) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % below;
}

static bool allows(const uint32_t *mask, int32_t id) {
    return mask[id / 32] >> (id % 32) & 1;
}

/* One box, or a list of them, behind a label: with area. */
static bool is_block(const char *text) {
    const char *p = text + strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_- ");
    bool list = p[0] == '[' && p[1] == '[';
    int n[4], used, boxes = 0;
    for (p += list; *p == '['; boxes++) {
        used = 0;
        if (sscanf(p, "[%3d,%3d,%3d,%3d]%n", &n[0], &n[1], &n[2], &n[3], &used) != 4 || !used || n[2] <= n[0] || n[3] <= n[1])
            return false;
        p += used;
        p += list && *p == ',' ? strspn(p, ", ") : 0;
    }
    return boxes > 0 && (list ? strcmp(p, "]") == 0 : *p == '\0' && boxes == 1);
}

/* Draws tokens until the block ends; false where none is offered or the budget does not reach. */
static bool draw_block(const struct vl2_box_grammar *grammar, const vl2_tokenizer *tokenizer, int32_t budget, char *text, size_t size) {
    struct vl2_box_state state = {0};
    uint32_t mask[MOST_WORDS];
    int32_t vocab = vl2_tokenizer_size(tokenizer), offered[32 * MOST_WORDS], n;
    vl2_error err;
    *text = '\0';
    vl2_box_grammar_feed(grammar, &state, DET);
    for (; budget > 0 && vl2_box_grammar_mask(grammar, &state, budget, vocab, mask); budget--) {
        n = 0;
        for (int32_t id = 0; id < vocab; id++)
            if (allows(mask, id))
                offered[n++] = id;
        if (n == 0)
            return false;
        int32_t id = offered[draw((uint32_t)n)];
        vl2_box_grammar_feed(grammar, &state, id);
        if (id == DET_END)
            return true;
        char *piece;
        if (vl2_tokenizer_decode(tokenizer, &id, 1, &piece, NULL, &err) != VL2_OK)
            return false;
        strncat(text, piece, size - strlen(text) - 1);
        vl2_free(piece);
    }
    return false;
}

static void test_drawn(const struct vl2_box_grammar *grammar, const vl2_tokenizer *tokenizer) {
    int good = 0, single = 0;
    for (int i = 0; i < ROUNDS; i++) {
        char text[1024];
        bool ended = draw_block(grammar, tokenizer, 12 + (int32_t)draw(60), text, sizeof text);
        if (!ended || !is_block(text))
            tap_diag("not a block: %s", text);
        good += ended && is_block(text);
        single += !strstr(text, "[[");
    }
    ok(good == ROUNDS, "every one of %d blocks that were drawn is well-formed and ends within its budget", ROUNDS);
    ok(single > ROUNDS / 4 && single < ROUNDS, "both forms come: %d are one box", single);
}

/* Every token of the text is offered, and then the end. */
static bool is_offered(const struct vl2_box_grammar *grammar, const vl2_tokenizer *tokenizer, const char *text) {
    struct vl2_box_state state = {0};
    uint32_t mask[MOST_WORDS];
    int32_t *ids, vocab = vl2_tokenizer_size(tokenizer);
    size_t n;
    vl2_error err;
    bool all = true;
    if (vl2_tokenizer_encode(tokenizer, text, strlen(text), VL2_MARKUP_NONE, &ids, &n, &err) != VL2_OK)
        return false;
    vl2_box_grammar_feed(grammar, &state, DET);
    for (size_t i = 0; i <= n && all; i++) {
        int32_t id = i < n ? ids[i] : DET_END;
        all = vl2_box_grammar_mask(grammar, &state, 1000, vocab, mask) && allows(mask, id);
        vl2_box_grammar_feed(grammar, &state, id);
    }
    vl2_free(ids);
    return all;
}

static void test_offered(const struct vl2_box_grammar *grammar, const vl2_tokenizer *tokenizer) {
    static const char *const labels[] = {"title", "text", "sub_title", "table", "image", "equation", "page_number", "header"};
    int offered = 0;
    for (int i = 0; i < ROUNDS; i++) {
        char text[128];
        uint32_t x = draw(999), y = draw(999);
        snprintf(text, sizeof text, "%s [%u, %u, %u, %u]", labels[draw(8)], x, y, x + 1 + draw(999 - x), y + 1 + draw(999 - y));
        offered += is_offered(grammar, tokenizer, text);
    }
    ok(offered == ROUNDS, "every one of %d published blocks is offered: %d", ROUNDS, offered);
    ok(is_offered(grammar, tokenizer, "[[1, 2, 3, 4], [5, 6, 7, 8]]"), "and a list of the other form");
    ok(!is_offered(grammar, tokenizer, "title [5, 6, 5, 8]"), "not a box without area");
    ok(!is_offered(grammar, tokenizer, "title [1, 2, 3]"), "nor one of three numbers");
    ok(!is_offered(grammar, tokenizer, "title"), "nor a label alone");
    ok(!is_offered(grammar, tokenizer, "title [1, 2, 3, 4], [5, 6, 7, 8]"), "nor two boxes without a list");
}

int main(int argc, char **argv) {
    vl2_tokenizer *tokenizer;
    struct vl2_box_grammar *grammar;
    vl2_error err = {.text = ""};
    if (argc != 2)
        return 2;
    if (vl2_tokenizer_open(argv[1], &tokenizer, &err) != VL2_OK || vl2_tokenizer_size(tokenizer) > 32 * MOST_WORDS ||
        vl2_box_grammar_open(tokenizer, DET, DET_END, true, &grammar, &err) != VL2_OK) {
        tap_diag("%s", err.text);
        return 1;
    }
    test_drawn(grammar, tokenizer);
    test_offered(grammar, tokenizer);
    vl2_box_grammar_close(grammar);
    vl2_tokenizer_close(tokenizer);
    return tap_done();
}
