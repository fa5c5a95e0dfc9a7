/* SPDX-License-Identifier: MIT
 *
 * Fuzz target: the bytes of model.safetensors. A checkpoint that opens has tensors whose every byte can be read; one that does
 * not says why.
 */
#include "engine/checkpoint/checkpoint.h"
#include "tests/fuzz/fuzz.h"

static uint32_t touched; /* keeps the reads */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vl2_checkpoint *checkpoint = NULL;
    vl2_error err = {0};

    fuzz_write("model.safetensors", data, size);
    if (vl2_checkpoint_open(fuzz_dir(), &checkpoint, &err) != VL2_OK) {
        CHECK(!checkpoint && err.text[0]);
        return 0;
    }
    for (size_t i = 0; i < vl2_checkpoint_count(checkpoint); i++) {
        const struct vl2_tensor *tensor = vl2_checkpoint_tensor(checkpoint, i);

        CHECK(tensor->n_dims >= 0 && tensor->n_dims <= VL2_MAX_DIMS);
        for (size_t byte = 0; byte < tensor->bytes; byte++)
            touched += tensor->data[byte];
    }
    vl2_checkpoint_close(checkpoint);
    return 0;
}
