/* SPDX-License-Identifier: MIT
 *
 * The views that document models cut pages into against the official code's, by checksum, over the cases of fixtures/pages.txt
 * (tests/parity/pages_check.py), in every mode. The pictures come from the same integer formula as there.
 *   test_pages CASES.txt
 */
#include "engine/model/vision.h"
#include "tests/tap.h"

#include <stdlib.h>

static uint32_t crc32_of(const uint8_t *data, size_t n) {
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < n; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

static uint8_t *make_picture(int32_t width, int32_t height) {
    uint8_t *rgb = malloc((size_t)width * (size_t)height * 3);
    for (uint32_t y = 0; rgb && y < (uint32_t)height; y++)
        for (uint32_t x = 0; x < (uint32_t)width; x++)
            for (uint32_t c = 0; c < 3; c++)
                rgb[((size_t)y * (size_t)width + x) * 3 + c] = (uint8_t)(x * 5 + y * 3 + c * 85 + ((x * x + y * y * 7 + x * y * 3) >> 4));
    return rgb;
}

static void check_line(const char *line) {
    int side, detail, most, width, height, grid_w, grid_h;
    unsigned crc;
    if (sscanf(line, "%d %d %d %d %d %d %d %x", &side, &detail, &most, &width, &height, &grid_w, &grid_h, &crc) != 8) {
        ok(false, "a case is readable: %s", line);
        return;
    }
    const struct vl2_config config = {.family = VL2_FAMILY_OCR,
                                      .tiles = {.side = side, .local_side = side / 8 * 5, .page = true, .most_tiles = most}};
    const struct vl2_tile_rule rule = vl2_vision_tile_rule(&config, (vl2_detail)detail);
    vl2_picture picture = {width, height, 3 * (size_t)width, make_picture(width, height)};
    struct vl2_tiles tiles = {0};
    vl2_error err;
    bool made = picture.rgb && vl2_tiles_make(&rule, &picture, detail == VL2_DETAIL_AUTO, &tiles, &err) == VL2_OK;
    size_t view = 3 * (size_t)tiles.side * (size_t)tiles.side, tile = 3 * (size_t)tiles.local_side * (size_t)tiles.local_side;
    bool grid = made && tiles.grid_w == grid_w && tiles.grid_h == grid_h;
    uint32_t got = made ? crc32_of(tiles.data, view + (size_t)(tiles.n_tiles - 1) * tile) : 0;
    ok(grid && got == crc, "mode %d, %d x %d, at most %d tiles", detail, width, height, most);
    if (!grid || got != crc)
        tap_diag("grid %d x %d, checksum %08x; want %d x %d, %08x", (int)tiles.grid_w, (int)tiles.grid_h, got, grid_w, grid_h, crc);
    vl2_free(tiles.data);
    free((void *)(uintptr_t)picture.rgb);
}

int main(int argc, char **argv) {
    char line[256];
    FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
    if (!file) {
        fprintf(stderr, "usage: %s CASES.txt\n", argv[0]);
        return 2;
    }
    while (fgets(line, sizeof line, file))
        if (line[0] != '#')
            check_line(line);
    fclose(file);
    return tap_done();
}
