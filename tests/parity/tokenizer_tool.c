/* SPDX-License-Identifier: MIT
 *
 * The tokenizer as a filter, for the scripts of this folder: reads records (u32 length, bytes) from stdin and writes records
 * (u32 count, i32 ids) to stdout, in the byte order of the machine.
 *   tokenizer_tool DIR none|grounding|all     encode
 *   tokenizer_tool DIR decode                 the other way round: i32 ids in, text out; checks the streaming detokenizer
 *   tokenizer_tool DIR bench FILE             load time and encoding speed
 */
#include "engine/text/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool read_record(char **data, uint32_t *length, size_t unit) {
    if (fread(length, sizeof *length, 1, stdin) != 1)
        return false;
    char *grown = realloc(*data, (size_t)*length * unit + 1);
    if (!grown)
        return false;
    *data = grown;
    return fread(*data, unit, *length, stdin) == *length;
}

static int encode_all(const vl2_tokenizer *tokenizer, vl2_markup markup) {
    char *text = NULL;
    uint32_t length;
    vl2_error err;
    while (read_record(&text, &length, 1)) {
        int32_t *ids;
        size_t n;
        if (vl2_tokenizer_encode(tokenizer, text, length, markup, &ids, &n, &err) != VL2_OK) {
            fprintf(stderr, "%s\n", err.text);
            return 1;
        }
        uint32_t count = (uint32_t)n;
        fwrite(&count, sizeof count, 1, stdout);
        fwrite(ids, sizeof *ids, n, stdout);
        vl2_free(ids);
    }
    free(text);
    return 0;
}

/* True if feeding the ids one by one gives `text` in pieces that are each valid UTF-8. */
static bool streams_alike(struct vl2_detokenizer *d, const int32_t *ids, size_t n, const char *text, size_t length) {
    size_t at = 0;
    for (size_t i = 0; i <= n; i++) {
        const char *piece;
        size_t n_piece;
        if (i < n)
            vl2_detokenizer_feed(d, ids[i], &piece, &n_piece);
        else
            vl2_detokenizer_flush(d, &piece, &n_piece);
        if (n_piece > length - at || memcmp(piece, text + at, n_piece) != 0)
            return false;
        at += n_piece;
    }
    return at == length;
}

static int decode_all(const vl2_tokenizer *tokenizer) {
    char *ids = NULL;
    uint32_t count;
    struct vl2_detokenizer d;
    vl2_error err;
    if (vl2_detokenizer_init(&d, tokenizer, &err) != VL2_OK)
        return 1;
    while (read_record(&ids, &count, sizeof(int32_t))) {
        char *text;
        size_t length;
        if (vl2_tokenizer_decode(tokenizer, (const int32_t *)(void *)ids, count, &text, &length, &err) != VL2_OK ||
            !streams_alike(&d, (const int32_t *)(void *)ids, count, text, length)) {
            fprintf(stderr, "decoding failed or differs from streaming\n");
            return 1;
        }
        uint32_t n = (uint32_t)length;
        fwrite(&n, sizeof n, 1, stdout);
        fwrite(text, 1, length, stdout);
        vl2_free(text);
    }
    vl2_detokenizer_deinit(&d);
    free(ids);
    return 0;
}

static int bench(const vl2_tokenizer *tokenizer, const char *path, double load_ms) {
    FILE *file = fopen(path, "rb");
    char *text = malloc(VL2_MAX_TEXT_BYTES);
    if (!file || !text)
        return 1;
    size_t length = fread(text, 1, VL2_MAX_TEXT_BYTES, file), n = 0;
    int32_t *ids = NULL;
    vl2_error err;
    double best = 1e9;
    for (int i = 0; i < 5; i++) {
        double start = now();
        if (vl2_tokenizer_encode(tokenizer, text, length, VL2_MARKUP_ALL, &ids, &n, &err) != VL2_OK) {
            fprintf(stderr, "%s\n", err.text);
            return 1;
        }
        double took = now() - start;
        best = took < best ? took : best;
        vl2_free(ids);
    }
    printf("load %.1f ms, %zu bytes, %zu tokens, %.2f MB/s\n", load_ms, length, n, (double)length / best / 1e6);
    fclose(file);
    free(text);
    return 0;
}

int main(int argc, char **argv) {
    static const char *const levels[] = {"none", "grounding", "all"};
    vl2_tokenizer *tokenizer;
    vl2_error err;
    int result = 2;
    if (argc < 3) {
        fprintf(stderr, "usage: tokenizer_tool DIR none|grounding|all|decode|bench [FILE]\n");
        return 2;
    }
    double start = now();
    if (vl2_tokenizer_open(argv[1], &tokenizer, &err) != VL2_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    double load_ms = 1e3 * (now() - start);
    for (int i = 0; i < 3; i++)
        if (strcmp(argv[2], levels[i]) == 0)
            result = encode_all(tokenizer, (vl2_markup)i);
    if (strcmp(argv[2], "decode") == 0)
        result = decode_all(tokenizer);
    if (strcmp(argv[2], "bench") == 0 && argc > 3)
        result = bench(tokenizer, argv[3], load_ms);
    vl2_tokenizer_close(tokenizer);
    return result;
}
