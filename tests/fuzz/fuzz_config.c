/* SPDX-License-Identifier: MIT
 *
 * Fuzz target: config.json and processor_config.json, divided by the first NUL byte. A configuration that is accepted has sizes
 * that can be multiplied; one that is not says why.
 */
#include "engine/checkpoint/config.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    size_t first = nul ? (size_t)(nul - data) : size;
    struct vl2_config config;
    vl2_error err = {0};

    fuzz_write("config.json", data, first);
    fuzz_write("processor_config.json", nul ? nul + 1 : data, nul ? size - first - 1 : 0);
    if (vl2_config_load(fuzz_dir(), &config, &err) != VL2_OK) {
        CHECK(err.text[0]);
        return 0;
    }
    CHECK(config.lm.layers > 0 && config.lm.layers <= VL2_MAX_LAYERS && config.lm.vocab > 0 && config.lm.heads > 0);
    CHECK(config.vision.patch > 0 && config.vision.grid > 0 && config.vision.tokens == config.vision.grid * config.vision.grid);
    CHECK(config.lm.experts_per_token <= VLK_MAX_TOPK && config.lm.experts <= VLK_MAX_EXPERTS);
    CHECK(config.tiles.n_candidates > 0 && config.tiles.n_candidates <= VL2_MAX_CANDIDATES);
    return 0;
}
