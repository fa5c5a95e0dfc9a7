/* SPDX-License-Identifier: MIT
 *
 * Fuzz target: the bytes of tokenizer.json. A tokenizer that opens encodes and decodes a sentence with ids in its range.
 */
#include "engine/vl2.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char sentence[] = "a red circle, 12 \xe4\xb8\xad\xe6\x96\x87 <|ref|>\n";
    vl2_tokenizer *tokenizer = NULL;
    vl2_error err = {0};
    int32_t *ids;
    size_t n;

    fuzz_write("tokenizer.json", data, size);
    fuzz_write("tokenizer_config.json", "{}", 2);
    if (vl2_tokenizer_open(fuzz_dir(), &tokenizer, &err) != VL2_OK) {
        CHECK(!tokenizer && err.text[0]);
        return 0;
    }
    if (vl2_tokenizer_encode(tokenizer, sentence, strlen(sentence), VL2_MARKUP_ALL, &ids, &n, &err) == VL2_OK) {
        char *text;
        size_t length;

        for (size_t i = 0; i < n; i++)
            CHECK(ids[i] >= 0 && ids[i] < vl2_tokenizer_size(tokenizer));
        if (vl2_tokenizer_decode(tokenizer, ids, n, &text, &length, &err) == VL2_OK)
            vl2_free(text);
        vl2_free(ids);
    }
    vl2_tokenizer_close(tokenizer);
    return 0;
}
