/* SPDX-License-Identifier: MIT
 *
 * Tiles against Pillow's, by checksum, over the cases of fixtures/tiles.txt (tests/parity/tiles_check.py). The pictures come from
 * the same integer formula as there.
 *   test_tiles CASES.txt
 */
#include "engine/vl2.h"
#include "kernels/vlk.h"
#include "tests/tap.h"

#include <stdlib.h>

#define MAX_UNITS 23
static const int32_t units[MAX_UNITS][2] = {{1, 1}, {1, 2}, {2, 1}, {1, 3}, {3, 1}, {1, 4}, {4, 1}, {2, 2}, {1, 5}, {5, 1}, {1, 6}, {6, 1},
                                            {2, 3}, {3, 2}, {1, 7}, {7, 1}, {1, 8}, {8, 1}, {2, 4}, {4, 2}, {1, 9}, {9, 1}, {3, 3}};
static int32_t candidates[2][MAX_UNITS][2];

/* The published rule (23 candidates of 384 pixels) and a small one (up to 4 tiles of 44 pixels). */
static void make_rules(struct vl2_tile_rule rules[2]) {
    static const int32_t sides[2] = {384, 44}, most[2] = {9, 4};
    for (int r = 0; r < 2; r++) {
        int32_t n = 0;
        for (int i = 0; i < MAX_UNITS; i++) {
            if (units[i][0] * units[i][1] > most[r])
                continue;
            candidates[r][n][0] = units[i][0] * sides[r];
            candidates[r][n++][1] = units[i][1] * sides[r];
        }
        rules[r] = (struct vl2_tile_rule){.side = sides[r], .n_candidates = n, .candidates = (const int32_t(*)[2])candidates[r]};
    }
}

static uint32_t crc32_of(const uint8_t *data, size_t n) {
    static uint32_t table[256];
    uint32_t crc = 0xffffffff;
    for (uint32_t i = 0; i < 256 && !table[255]; i++) {
        table[i] = i;
        for (int bit = 0; bit < 8; bit++)
            table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xedb88320 : 0);
    }
    for (size_t i = 0; i < n; i++)
        crc = table[(crc ^ data[i]) & 255] ^ crc >> 8;
    return ~crc;
}

/* stride may be larger than the row, as in pictures from elsewhere. */
static uint8_t *make_picture(int32_t width, int32_t height, size_t stride) {
    uint8_t *rgb = calloc((size_t)height, stride);
    for (uint32_t y = 0; rgb && y < (uint32_t)height; y++)
        for (uint32_t x = 0; x < (uint32_t)width; x++)
            for (uint32_t c = 0; c < 3; c++)
                rgb[y * stride + 3 * x + c] = (uint8_t)(x * 5 + y * 3 + c * 85 + ((x * x + y * y * 7 + x * y * 3) >> 4));
    return rgb;
}

static void check_line(const struct vl2_tile_rule rules[2], const char *line, size_t padding) {
    char name[16];
    int width, height, crop, grid_w, grid_h;
    unsigned crc;
    if (sscanf(line, "%15s %d %d %d %d %d %x", name, &width, &height, &crop, &grid_w, &grid_h, &crc) != 7) {
        ok(false, "a case is readable: %s", line);
        return;
    }
    const struct vl2_tile_rule *rule = &rules[name[0] == 's'];
    size_t stride = 3 * (size_t)width + padding;
    vl2_picture picture = {width, height, stride, make_picture(width, height, stride)};
    struct vl2_tiles tiles = {0};
    vl2_error err;
    bool made = picture.rgb && vl2_tiles_make(rule, &picture, crop, &tiles, &err) == VL2_OK;
    bool grid = made && tiles.grid_w == grid_w && tiles.grid_h == grid_h && tiles.n_tiles == 1 + grid_w * grid_h;
    uint32_t got = made ? crc32_of(tiles.data, (size_t)tiles.n_tiles * 3 * (size_t)rule->side * (size_t)rule->side) : 0;
    ok(grid && got == crc, "%s %d x %d%s", name, width, height, crop ? "" : " without tiling");
    if (!grid || got != crc)
        tap_diag("grid %d x %d, checksum %08x; want %d x %d, %08x", (int)tiles.grid_w, (int)tiles.grid_h, got, grid_w, grid_h, crc);
    vl2_free(tiles.data);
    free((void *)picture.rgb);
}

static void check_file(const char *path, const struct vl2_tile_rule rules[2]) {
    char line[256];
    FILE *file = fopen(path, "r");
    size_t n = 0;
    if (!ok(file != NULL, "%s opens", path))
        return;
    while (fgets(line, sizeof line, file))
        if (line[0] != '#')
            check_line(rules, line, n++ % 5);
    fclose(file);
    ok(n >= 300, "%zu cases", n);
}

/* A side that would round to nothing is one pixel wide; the rest is the grey of the padding. */
static void check_thin(const struct vl2_tile_rule *rule) {
    uint8_t *rgb = make_picture(1, 2000, 3);
    vl2_picture picture = {1, 2000, 3, rgb};
    struct vl2_tiles tiles;
    vl2_error err;
    is_int(vl2_tiles_make(rule, &picture, true, &tiles, &err), VL2_OK, "a picture of 1 x 2000 has tiles");
    size_t coloured = 0, plane = (size_t)rule->side * (size_t)rule->side;
    for (size_t i = 0; i < plane; i++)
        coloured += tiles.data[i] != 127;
    ok(coloured > 0 && coloured <= (size_t)rule->side, "one column of them is the picture");
    vl2_free(tiles.data);
    picture.width = 0;
    is_int(vl2_tiles_make(rule, &picture, true, &tiles, &err), VL2_ERR_INPUT, "no width, no tiles");
    picture = (vl2_picture){2, 2, 5, rgb};
    is_int(vl2_tiles_make(rule, &picture, true, &tiles, &err), VL2_ERR_INPUT, "rows shorter than the width are refused");
    free(rgb);
}

static void check_allocation_failures(const struct vl2_tile_rule *rule) {
    uint8_t *rgb = make_picture(90, 50, 270);
    vl2_picture picture = {90, 50, 270, rgb};
    bool fine = true;
    long n = 0;
    for (vl2_status status = VL2_ERR_MEMORY; status != VL2_OK && n < 200; n++) {
        struct vl2_tiles tiles;
        vl2_error err;
        vlk_alloc_fail_after(n);
        status = vl2_tiles_make(rule, &picture, true, &tiles, &err);
        vlk_alloc_fail_after(-1);
        fine &= status == VL2_OK || (status == VL2_ERR_MEMORY && !tiles.data);
        vl2_free(tiles.data);
    }
    ok(fine && n > 8 && n < 200, "each of %ld allocations may fail", n - 1);
    free(rgb);
}

int main(int argc, char **argv) {
    struct vl2_tile_rule rules[2];
    if (argc != 2)
        return 2;
    make_rules(rules);
    is_int(rules[0].n_candidates, 23, "the published candidates");
    check_file(argv[1], rules);
    check_thin(&rules[1]);
    check_allocation_failures(&rules[1]);
    return tap_done();
}
