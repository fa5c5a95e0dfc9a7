/* SPDX-License-Identifier: MIT
 *
 * A picture to tiles, as the official processor cuts it: the global view first, then the local view row by row. Every division,
 * comparison and rounding is done in the order and precision of the original, because other orders give other grids for some sizes.
 * processing_deepseek_vl_v2.py: select_best_resolution, tokenize_with_images; Pillow: ImageOps.pad; of document models
 * image_process.py: dynamic_preprocess, find_closest_aspect_ratio, tokenize_with_images
 * Pure; called by session.c, prompt.c and through engine/vl2.h.
 */
#include "engine/error.h"
#include "engine/picture/resize.h"
#include "engine/vl2.h"
#include "kernels/vlk.h"

#include <math.h>
#include <string.h>

#define GREY 127 /* int(0.5 * 255): what is outside the picture */

/* The candidate that keeps most of the picture's pixels, then the one that wastes least; ties keep the earlier. */
static void best_resolution(const struct vl2_tile_rule *rule, int32_t width, int32_t height, int32_t best[2]) {
    int64_t most = 0, least_waste = INT64_MAX, pixels = (int64_t)width * height;
    best[0] = best[1] = rule->side;
    for (int32_t i = 0; i < rule->n_candidates; i++) {
        int32_t w = rule->candidates[i][0], h = rule->candidates[i][1];
        double across = (double)w / width, down = (double)h / height, scale = across < down ? across : down;
        int64_t scaled = (int64_t)(width * scale) * (int64_t)(height * scale);
        int64_t kept = scaled < pixels ? scaled : pixels, waste = (int64_t)w * h - kept;
        if (kept > most || (kept == most && waste < least_waste)) {
            most = kept;
            least_waste = waste;
            best[0] = w;
            best[1] = h;
        }
    }
}

/* The grid whose shape is nearest to the page's. Of equally near ones the later, which has more tiles, if the page has more than half of
 * their pixels. Grids of as many tiles are never equally near and nearer than all others, so that their order does not matter. */
static void page_grid(const struct vl2_tile_rule *rule, int32_t width, int32_t height, int32_t *grid_w, int32_t *grid_h) {
    double shape = (double)width / height, nearest = INFINITY;
    int64_t area = (int64_t)width * height, tile = (int64_t)rule->local_side * rule->local_side;
    *grid_w = *grid_h = 1;
    for (int32_t n = 2; n <= rule->most_tiles; n++) {
        for (int32_t w = 1; w <= n; w++) {
            if (n % w)
                continue;
            double distance = fabs(shape - (double)w / (n / w));
            if (distance < nearest || (distance == nearest && 2 * area > tile * n)) {
                nearest = distance;
                *grid_w = w;
                *grid_h = n / w;
            }
        }
    }
}

void vl2_tile_grid(const struct vl2_tile_rule *rule, int32_t width, int32_t height, bool crop, int32_t *grid_w, int32_t *grid_h) {
    int32_t best[2] = {rule->side, rule->side};
    if (rule->page) {
        bool small = width <= rule->local_side && height <= rule->local_side;
        *grid_w = *grid_h = 1;
        if (crop && !small)
            page_grid(rule, width, height, grid_w, grid_h);
        return;
    }
    if (crop)
        best_resolution(rule, width, height, best);
    *grid_w = best[0] / rule->side;
    *grid_h = best[1] / rule->side;
}

/* The size of the picture inside w × h. Python's round(): half to even. A side that rounds to nothing gets one pixel; Pillow
 * raises an error or pads it away, depending on its version.   ImageOps.contain */
static void contain(int32_t width, int32_t height, int32_t w, int32_t h, int32_t size[2]) {
    double ratio = (double)width / height, wanted = (double)w / h;
    size[0] = w;
    size[1] = h;
    if (ratio > wanted)
        size[1] = (int32_t)rint((double)height / width * w);
    else if (ratio < wanted)
        size[0] = (int32_t)rint((double)width / height * h);
    for (int i = 0; i < 2; i++)
        size[i] = size[i] < 1 ? 1 : size[i];
}

void vl2_tile_content(int32_t width, int32_t height, int32_t view_w, int32_t view_h, int32_t content[4]) {
    contain(width, height, view_w, view_h, content + 2);
    content[0] = (int32_t)rint((view_w - content[2]) * 0.5);
    content[1] = (int32_t)rint((view_h - content[3]) * 0.5);
}

/* Puts u8 [content[3]][content[2]][3] at its corner in the view, which is cut into tiles, `columns` of them in a row. */
static void paste(const uint8_t *rgb, const int32_t content[4], int32_t columns, int32_t side, uint8_t *tiles) {
    const size_t plane = (size_t)side * (size_t)side;
    for (int32_t y = 0; y < content[3]; y++) {
        int32_t view_y = content[1] + y;
        for (int32_t x = 0; x < content[2]; x++, rgb += 3) {
            int32_t view_x = content[0] + x;
            size_t tile = (size_t)(view_y / side) * (size_t)columns + (size_t)(view_x / side);
            uint8_t *out = tiles + 3 * plane * tile + (size_t)(view_y % side) * (size_t)side + (size_t)(view_x % side);
            out[0] = rgb[0];
            out[plane] = rgb[1];
            out[2 * plane] = rgb[2];
        }
    }
}

/* The picture, in a frame of grey or stretched, as a view of w × h pixels in tiles of that side. */
static vl2_status make_view(const vl2_picture *picture, int32_t w, int32_t h, bool stretched, int32_t side, uint8_t *tiles, vl2_error *err) {
    int32_t content[4] = {0, 0, w, h};
    if (!stretched)
        vl2_tile_content(picture->width, picture->height, w, h, content);
    uint8_t *resized = vlk_alloc((size_t)content[2] * (size_t)content[3], 3);
    if (!resized)
        return vl2_fail(err, VL2_ERR_MEMORY, "Not enough memory to resize a picture to %d × %d pixels.", (int)content[2], (int)content[3]);
    vl2_status status = vl2_resize_bicubic(picture, content[2], content[3], resized, err);
    if (status == VL2_OK)
        paste(resized, content, w / side, side, tiles);
    vlk_free(resized);
    return status;
}

vl2_status vl2_tiles_make(const struct vl2_tile_rule *rule, const vl2_picture *picture, bool crop, struct vl2_tiles *out,
                          vl2_error *err) {
    int32_t side = rule->side, local = rule->local_side ? rule->local_side : side;
    *out = (struct vl2_tiles){.side = side, .local_side = local};
    if (picture->width < 1 || picture->height < 1 || !picture->rgb || picture->stride < 3 * (size_t)picture->width)
        return vl2_fail(err, VL2_ERR_INPUT, "A picture of %d × %d pixels cannot be used.", (int)picture->width, (int)picture->height);
    vl2_tile_grid(rule, picture->width, picture->height, crop, &out->grid_w, &out->grid_h);
    int32_t n_local = rule->page && out->grid_w * out->grid_h == 1 ? 0 : out->grid_w * out->grid_h;
    out->n_tiles = 1 + n_local;
    size_t view = 3 * (size_t)side * (size_t)side, bytes = view + (size_t)n_local * 3 * (size_t)local * (size_t)local;
    uint8_t *data = vlk_alloc(bytes, 1);
    if (!data)
        return vl2_fail(err, VL2_ERR_MEMORY, "Not enough memory for %d tiles.", (int)out->n_tiles);
    memset(data, GREY, bytes);
    vl2_status status = make_view(picture, side, side, rule->stretched, side, data, err);
    if (status == VL2_OK && n_local == 1)
        memcpy(data + view, data, view); /* the only local tile shows the same as the global view */
    else if (status == VL2_OK && n_local > 1)
        status = make_view(picture, out->grid_w * local, out->grid_h * local, rule->page, local, data + view, err);
    if (status == VL2_OK)
        out->data = data;
    else
        vlk_free(data);
    return status;
}
