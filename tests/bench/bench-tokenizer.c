/* SPDX-License-Identifier: MIT
 *
 * Times one loading of a tokenizer and one encoding of a text: the clock's time, and the processor's, which is the same on a
 * machine that others use. One thread. Called by bench.py, which makes the files.
 *   bench-tokenizer DIR TEXT-FILE
 */
#include "engine/vl2.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct moment {
    double clock_ms, processor_ms;
};

static double now_ms(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double) t.tv_sec * 1e3 + (double) t.tv_nsec / 1e6;
}

static struct moment now(void) {
    return (struct moment){now_ms(CLOCK_MONOTONIC), now_ms(CLOCK_PROCESS_CPUTIME_ID)};
}

/* NULL where the file cannot be read. */
static char *read_text(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    if (!file)
        return NULL;
    if (fseek(file, 0, SEEK_END) == 0 && ftell(file) > 0) {
        size_t size = (size_t) ftell(file);
        rewind(file);
        text = malloc(size);
        *length = text ? fread(text, 1, size, file) : 0;
    }
    fclose(file);
    return text;
}

int main(int argc, char **argv) {
    vl2_tokenizer *tokenizer = NULL;
    vl2_error err = {.text = "the text cannot be read"};
    int32_t *ids = NULL;
    size_t length = 0, n_ids = 0;
    char *text = argc == 3 ? read_text(argv[2], &length) : NULL;
    struct moment start = now(), loaded = start, encoded = start;
    vl2_status status = text ? vl2_tokenizer_open(argv[1], &tokenizer, &err) : VL2_ERR_USAGE;
    loaded = now();
    if (status == VL2_OK)
        status = vl2_tokenizer_encode(tokenizer, text, length, VL2_MARKUP_NONE, &ids, &n_ids, &err);
    encoded = now();
    if (status == VL2_OK)
        printf("{\"bytes\": %zu, \"ids\": %zu, \"load_ms\": [%.3f, %.3f], \"encode_ms\": [%.3f, %.3f]}\n", length, n_ids,
               loaded.clock_ms - start.clock_ms, loaded.processor_ms - start.processor_ms, encoded.clock_ms - loaded.clock_ms,
               encoded.processor_ms - loaded.processor_ms);
    else
        fprintf(stderr, "bench-tokenizer: %s\n", err.text);
    vl2_free(ids);
    vl2_tokenizer_close(tokenizer);
    free(text);
    return status != VL2_OK;
}
