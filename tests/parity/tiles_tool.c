/* SPDX-License-Identifier: MIT
 *
 * The tiler as a filter, for tiles_check.py: reads records (i32 side, n, crop, width, height; i32 candidates [n][2]; u8 rgb) from
 * stdin and writes (i32 grid_w, grid_h, n_tiles; u8 tiles) to stdout.
 *   tiles_tool                     filter
 *   tiles_tool pages               the same of document models, for pages_check.py: records (i32 side, detail, most, width, height; u8 rgb)
 *   tiles_tool bench WIDTH HEIGHT  time of one picture with the published candidates of a 384-pixel model, best of 3
 */
#include "engine/model/vision.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int filter(void) {
    int32_t head[5], candidates[64][2];
    uint8_t *rgb = NULL;
    vl2_error err;
    while (fread(head, sizeof head, 1, stdin) == 1) {
        if (head[1] < 1 || head[1] > 64 || fread(candidates, sizeof *candidates, (size_t)head[1], stdin) != (size_t)head[1])
            return 1;
        vl2_picture picture = {.width = head[3], .height = head[4], .stride = 3 * (size_t)head[3]};
        size_t bytes = picture.stride * (size_t)head[4];
        free(rgb);
        rgb = malloc(bytes);
        if (!rgb || fread(rgb, 1, bytes, stdin) != bytes)
            return 1;
        picture.rgb = rgb;
        struct vl2_tile_rule rule = {
            .side = head[0], .n_candidates = head[1], .candidates = (const int32_t(*)[2])candidates};
        struct vl2_tiles tiles;
        if (vl2_tiles_make(&rule, &picture, head[2] != 0, &tiles, &err) != VL2_OK) {
            fprintf(stderr, "%s\n", err.text);
            return 1;
        }
        int32_t result[3] = {tiles.grid_w, tiles.grid_h, tiles.n_tiles};
        fwrite(result, sizeof result, 1, stdout);
        fwrite(tiles.data, 3 * (size_t)tiles.side * (size_t)tiles.side, (size_t)tiles.n_tiles, stdout);
        fflush(stdout);
        vl2_free(tiles.data);
    }
    free(rgb);
    return 0;
}

static int filter_pages(void) {
    int32_t head[5];
    vl2_error err;
    while (fread(head, sizeof head, 1, stdin) == 1) {
        struct vl2_config config = {
            .family = VL2_FAMILY_OCR,
            .tiles = {.side = head[0], .local_side = head[0] / 8 * 5, .page = true, .most_tiles = head[2]}};
        const struct vl2_tile_rule rule = vl2_vision_tile_rule(&config, (vl2_detail)head[1]);
        vl2_picture picture = {.width = head[3], .height = head[4], .stride = 3 * (size_t)head[3]};
        uint8_t *rgb = malloc(picture.stride * (size_t)head[4]);
        struct vl2_tiles tiles = {0};
        picture.rgb = rgb;
        if (!rgb || fread(rgb, picture.stride, (size_t)head[4], stdin) != (size_t)head[4] ||
            vl2_tiles_make(&rule, &picture, head[1] == VL2_DETAIL_AUTO, &tiles, &err) != VL2_OK) {
            free(rgb);
            return 1;
        }
        int32_t result[3] = {tiles.grid_w, tiles.grid_h, tiles.n_tiles};
        fwrite(result, sizeof result, 1, stdout);
        fwrite(tiles.data, 3 * (size_t)tiles.side * (size_t)tiles.side, 1, stdout);
        fwrite(tiles.data + 3 * (size_t)tiles.side * (size_t)tiles.side, 3 * (size_t)tiles.local_side * (size_t)tiles.local_side,
               (size_t)tiles.n_tiles - 1, stdout);
        fflush(stdout);
        vl2_free(tiles.data);
        free(rgb);
    }
    return 0;
}

static int bench(int32_t width, int32_t height) {
    static const int32_t candidates[][2] = {{384, 384}, {768, 384}, {384, 768}, {768, 768}, {1152, 768}, {768, 1152}, {1152, 1152}};
    struct vl2_tile_rule rule = {.side = 384, .n_candidates = sizeof candidates / sizeof *candidates, .candidates = candidates};
    vl2_picture picture = {width, height, 3 * (size_t)width, calloc((size_t)height, 3 * (size_t)width)};
    double best = 1e9;
    for (int i = 0; i < 3 && picture.rgb; i++) {
        struct timespec a, b;
        struct vl2_tiles tiles;
        vl2_error err;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
        if (vl2_tiles_make(&rule, &picture, true, &tiles, &err) != VL2_OK)
            return 1;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
        double ms = 1e3 * (double)(b.tv_sec - a.tv_sec) + 1e-6 * (double)(b.tv_nsec - a.tv_nsec);
        best = ms < best ? ms : best;
        vl2_free(tiles.data);
    }
    printf("%d x %d: %.0f ms of CPU time\n", (int)width, (int)height, best);
    free((void *)picture.rgb);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 4 && strcmp(argv[1], "bench") == 0)
        return bench(atoi(argv[2]), atoi(argv[3]));
    return argc == 2 && strcmp(argv[1], "pages") == 0 ? filter_pages() : filter();
}
