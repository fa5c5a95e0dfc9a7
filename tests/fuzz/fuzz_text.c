/* SPDX-License-Identifier: MIT
 *
 * Fuzz target: text that a user typed, through the demo model's tokenizer ($SIGHTLINE_DATA/demo-model). Text without markup
 * never holds a control token, and comes back as it was where it was valid UTF-8.
 */
#include "engine/vl2.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static vl2_tokenizer *tokenizer;

static void close_tokenizer(void)
{
    vl2_tokenizer_close(tokenizer);
}

static void open_tokenizer(void)
{
    const char *root = getenv("SIGHTLINE_DATA");
    char dir[1024];
    vl2_error err = {0};

    CHECK(root);
    snprintf(dir, sizeof dir, "%s/demo-model", root);
    CHECK(vl2_tokenizer_open(dir, &tokenizer, &err) == VL2_OK);
    atexit(close_tokenizer);
}

static void check_literal(const char *text, size_t size, const int32_t *ids, size_t n, const char *decoded, size_t length)
{
    static const char *const control[] = {"<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>", "<|grounding|>", "<image>"};

    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < sizeof control / sizeof *control; c++)
            CHECK(ids[i] != vl2_tokenizer_id(tokenizer, control[c]));
    if (!memmem(decoded, length, "\xef\xbf\xbd", 3))
        CHECK(length == size && (size == 0 || memcmp(decoded, text, size) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const vl2_markup markups[] = {VL2_MARKUP_NONE, VL2_MARKUP_GROUNDING, VL2_MARKUP_ALL};
    const char *text = (const char *)data;

    if (!tokenizer)
        open_tokenizer();
    for (size_t m = 0; m < sizeof markups / sizeof *markups; m++) {
        int32_t *ids;
        char *decoded;
        size_t n, length;
        vl2_error err = {0};

        if (vl2_tokenizer_encode(tokenizer, text, size, markups[m], &ids, &n, &err) != VL2_OK)
            continue;
        CHECK(vl2_tokenizer_decode(tokenizer, ids, n, &decoded, &length, &err) == VL2_OK);
        if (markups[m] == VL2_MARKUP_NONE)
            check_literal(text, size, ids, n, decoded, length);
        vl2_free(decoded);
        vl2_free(ids);
    }
    return 0;
}
