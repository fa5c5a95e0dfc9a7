/* SPDX-License-Identifier: MIT
 *
 * Defaults are those of the official code, which builds its towers from constants: deepencoder/sam_vary_sdpa.py (build_sam_vit_b),
 * deepencoder/clip_sdpa.py (vit_model_cfg), process/image_process.py. See engine/checkpoint/config_document.h.
 */
#include "engine/checkpoint/config_document.h"

#include "engine/checkpoint/config_keys.h"
#include "engine/error.h"

#include <string.h>
#include <strings.h>

enum { MOST_WIDTH = 1 << 16, MOST_BLOCKS = 64, PATCH = 16, WINDOW = 14, NECK = 256, MLP_RATIO = 4, DOWN = 4 /* of the convolutions */ };

static const char *architecture(const json_t *root) {
    return json_string_value(json_array_get(json_object_get(root, "architectures"), 0));
}

vl2_family vl2_config_family(struct vl2_section *root) {
    static const struct {
        const char *name;
        vl2_family family;
    } known[] = {{"DeepseekVLV2", VL2_FAMILY_VL2},
                 {"DeepseekOCRForCausalLM", VL2_FAMILY_OCR},
                 {"UnlimitedOCRForCausalLM", VL2_FAMILY_UNLIMITED_OCR}};
    const char *name = architecture(root->object), *type = vl2_section_string(root, "model_type", "");
    for (size_t i = 0; name && i < sizeof known / sizeof known[0]; i++)
        if (strncasecmp(name, known[i].name, strlen(known[i].name)) == 0)
            return known[i].family;
    if (name)
        vl2_section_refuse(root, "%s: the architecture %.80s is not implemented.", root->where, name);
    else if (strcmp(type, "unlimited-ocr") == 0)
        return VL2_FAMILY_UNLIMITED_OCR;
    else if (json_is_object(json_object_get(json_object_get(root->object, "vision_config"), "width")))
        return VL2_FAMILY_OCR;
    return VL2_FAMILY_VL2;
}

/* ------------------------------------------------------------------------------------------------ towers */

static void read_indexes(struct vl2_section *r, struct vl2_config *c) {
    static const int defaults[] = {2, 5, 8, 11};
    json_t *list = json_object_get(r->object, "global_attn_indexes"), *value;
    size_t i;
    for (i = 0; !list && i < sizeof defaults / sizeof defaults[0]; i++)
        c->document.whole |= UINT64_C(1) << defaults[i];
    json_array_foreach (list, i, value) {
        json_int_t index = json_integer_value(value);
        if (!json_is_integer(value) || index < 0 || index >= c->vision.layers)
            vl2_section_refuse(r, "%s: global_attn_indexes[%zu] is not one of its %d blocks.", r->where, i, c->vision.layers);
        else
            c->document.whole |= UINT64_C(1) << index;
    }
}

static void read_channels(struct vl2_section *r, struct vl2_config *c) {
    static const int32_t defaults[] = {512, 1024};
    json_t *list = json_object_get(r->object, "downsample_channels");
    if (list && json_array_size(list) != 2)
        vl2_section_refuse(r, "%s: downsample_channels has not two entries.", r->where);
    for (size_t i = 0; i < 2; i++) {
        json_t *value = list ? json_array_get(list, i) : NULL;
        json_int_t number = list ? json_integer_value(value) : defaults[i];
        if (number < 1 || number > MOST_WIDTH)
            vl2_section_refuse(r, "%s: downsample_channels[%zu] is not from 1 to %d.", r->where, i, MOST_WIDTH);
        else
            c->document.channels[i] = (int32_t)number;
    }
}

static void check_heads(struct vl2_section *r, int32_t width, int32_t heads) {
    if (!r->failed && width % heads)
        vl2_section_refuse(r, "%s: width %d is not a multiple of heads %d.", r->where, width, heads);
}

static void read_sam(struct vl2_section *r, struct vl2_config *c) {
    vl2_config_check_keys(r, VL2_KEYS_TOWER);
    c->vision.patch = vl2_section_int(r, "patch_size", PATCH, 1, 256);
    c->vision.width = vl2_section_int(r, "width", 768, 1, MOST_WIDTH);
    c->vision.layers = vl2_section_int(r, "layers", 12, 1, MOST_BLOCKS);
    c->vision.heads = vl2_section_int(r, "heads", 12, 1, 4096);
    c->document.window = vl2_section_int(r, "window_size", WINDOW, 1, 64);
    c->document.neck = vl2_section_int(r, "out_chans", NECK, 1, MOST_WIDTH);
    check_heads(r, c->vision.width, c->vision.heads);
    read_channels(r, c);
    if (r->failed)
        return;
    read_indexes(r, c);
    c->vision.mlp = MLP_RATIO * c->vision.width;
    if (c->vision.side % (8 * c->vision.patch))
        vl2_section_refuse(r, "config.json: vision_config: image_size %d is not a multiple of 8 patches of %d.", c->vision.side,
                           c->vision.patch);
    c->vision.grid = c->vision.side / c->vision.patch;
    c->vision.tokens = c->vision.grid * c->vision.grid;
    vl2_section_product(r, "3 × patch_size²", 3 * c->vision.patch, c->vision.patch);
}

static void read_clip(struct vl2_section *r, struct vl2_config *c) {
    vl2_config_check_keys(r, VL2_KEYS_TOWER);
    c->document.clip_width = vl2_section_int(r, "width", 1024, 1, MOST_WIDTH);
    c->document.clip_layers = vl2_section_int(r, "layers", 24, 1, MOST_BLOCKS);
    c->document.clip_heads = vl2_section_int(r, "heads", 16, 1, 4096);
    int32_t side = vl2_section_int(r, "image_size", 224, 1, 4096), patch = vl2_section_int(r, "patch_size", 14, 1, 4096);
    check_heads(r, c->document.clip_width, c->document.clip_heads);
    if (r->failed)
        return;
    c->document.clip_mlp = MLP_RATIO * c->document.clip_width;
    c->document.clip_grid = side / patch;
    if (c->document.clip_grid < 1 || c->document.clip_grid > 256)
        vl2_section_refuse(r, "%s: image_size %d in patches of %d is not implemented.", r->where, side, patch);
    else if (c->document.channels[1] != c->document.clip_width)
        vl2_section_refuse(r, "%s: width %d is not the last of sam_vit_b's downsample_channels, %d.", r->where, c->document.clip_width,
                           c->document.channels[1]);
}

static void read_projector(struct vl2_section *r, struct vl2_config *c) {
    static const char *const types[] = {"linear", NULL};
    vl2_config_check_keys(r, VL2_KEYS_PROJECTOR);
    vl2_section_choice(r, "projector_type", "linear", types);
    int32_t input = vl2_section_int(r, "input_dim", 2048, 1, 2 * MOST_WIDTH), cells = c->vision.grid;
    for (int i = 1; i < DOWN; i *= 2)
        cells = vlk_unfolded(cells, 3, 2, 1);
    c->projector.type = VL2_PROJ_LINEAR;
    c->projector.out = c->projector.hidden = vl2_section_int(r, "n_embed", 1280, 1, MOST_WIDTH);
    c->projector.in = input;
    c->projector.depth = c->projector.r = 1;
    c->projector.grid = cells;
    if (!r->failed && input != 2 * c->document.clip_width)
        vl2_section_refuse(r, "%s: input_dim %d is not the width of both towers, %d.", r->where, input, 2 * c->document.clip_width);
}

void vl2_config_read_encoder(struct vl2_section *root, struct vl2_config *c) {
    struct vl2_section vision = vl2_section_open(root->object, "vision_config", "config.json: vision_config", root);
    if (!vision.failed)
        vl2_config_check_keys(&vision, VL2_KEYS_VISION);
    c->vision.side = vl2_section_int(&vision, "image_size", 1024, 64, 8192);
    struct vl2_section towers = vl2_section_open(vision.object, "width", "config.json: vision_config: width", &vision);
    struct vl2_section sam = vl2_section_open(towers.object, "sam_vit_b", "config.json: vision_config: width: sam_vit_b", &towers);
    if (!sam.failed)
        read_sam(&sam, c);
    struct vl2_section clip = vl2_section_open(towers.object, "clip-l-14-224", "config.json: vision_config: width: clip-l-14-224", &sam);
    if (!clip.failed)
        read_clip(&clip, c);
    struct vl2_section projector = vl2_section_open(root->object, "projector_config", "config.json: projector_config", &clip);
    if (!projector.failed)
        read_projector(&projector, c);
    root->failed = projector.failed;
    c->document.most_tiles = c->family == VL2_FAMILY_UNLIMITED_OCR ? 32 : 6;
    c->tiles = (struct vl2_tile_rule){
        .side = c->vision.side, .local_side = c->vision.side / 8 * 5, .page = true, .most_tiles = c->document.most_tiles};
}

/* ------------------------------------------------------------------------------------------------ the rest */

json_t *vl2_config_merge_language(json_t *root) {
    json_t *own = json_object_get(root, "language_config"), *merged = json_is_object(own) ? json_copy(own) : json_object(), *value;
    const char *key;
    json_object_foreach (root, key, value)
        if (merged && vl2_config_knows_key(VL2_KEYS_LANGUAGE | VL2_KEYS_RING, key) && !json_object_get(merged, key))
            json_object_set(merged, key, value);
    return merged;
}

void vl2_config_check_page_processor(struct vl2_section *r, const struct vl2_config *c) {
    json_t *list = json_object_get(r->object, "candidate_resolutions");
    int32_t patch = vl2_section_int(r, "patch_size", c->vision.patch, 1, 1024), ratio = vl2_section_int(r, "downsample_ratio", DOWN, 1, 64);
    if (r->failed)
        return;
    if (patch != c->vision.patch)
        vl2_section_refuse(r, "%s: patch_size %d is not the vision tower's %d.", r->where, patch, c->vision.patch);
    else if (ratio != DOWN)
        vl2_section_refuse(r, "%s: downsample_ratio %d is not implemented; %d is.", r->where, ratio, DOWN);
    for (size_t i = 0; i < json_array_size(list); i++)
        for (size_t k = 0; k < 2; k++)
            if (json_integer_value(json_array_get(json_array_get(list, i), k)) != c->vision.side)
                vl2_section_refuse(r, "%s: candidate_resolutions[%zu] is not implemented; %d × %d is.", r->where, i, c->vision.side,
                                   c->vision.side);
}
