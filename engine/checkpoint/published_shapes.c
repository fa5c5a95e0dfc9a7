/* SPDX-License-Identifier: MIT
 *
 * The settings of tiny, small and base. The numbers are those of the published config.json files with the official classes' defaults
 * filled in.
 */
#include "engine/checkpoint/published_shapes.h"

#include "engine/checkpoint/synthetic_weights.h"
#include "engine/error.h"

#include <string.h>

static const struct {
    const char *name;
    int32_t hidden, layers, heads, dense_inter, moe_inter, experts, vocab, bos, eos;
    bool mla, sigmoid;
} shapes[VL2_N_PUBLISHED] = {
    {"tiny", 1280, 12, 10, 6848, 896, 64, 129280, 0, 1, false, false},
    {"small", 2048, 27, 16, 10944, 1408, 64, 102400, 100000, 100001, true, false},
    {"base", 2560, 30, 32, 12288, 1536, 72, 129280, 0, 1, true, true},
};

/* Units of 384 pixels, in the order in which ties are decided.   the published processor_config.json */
static const uint8_t candidates[][2] = {{1, 1}, {1, 2}, {2, 1}, {1, 3}, {3, 1}, {1, 4}, {4, 1}, {2, 2}, {1, 5}, {5, 1}, {1, 6}, {6, 1},
                                        {2, 3}, {3, 2}, {1, 7}, {7, 1}, {1, 8}, {8, 1}, {2, 4}, {4, 2}, {1, 9}, {9, 1}, {3, 3}};

static void fill_vision(struct vl2_config *c) {
    c->vision.side = 384;
    c->vision.patch = 14;
    c->vision.width = 1152;
    c->vision.layers = 27;
    c->vision.heads = 16;
    c->vision.mlp = 4304;
    c->vision.grid = 27;
    c->vision.tokens = 729;
    c->projector.type = VL2_PROJ_DOWNSAMPLE_MLP_GELU;
    c->projector.in = 4 * 1152;
    c->projector.depth = 2;
    c->projector.r = 2;
    c->projector.grid = 14;
    c->global_first = true;
}

static void fill_candidates(struct vl2_config *c) {
    int32_t n = sizeof candidates / sizeof candidates[0];
    for (int32_t i = 0; i < n; i++) {
        c->candidates[i][0] = 384 * candidates[i][0];
        c->candidates[i][1] = 384 * candidates[i][1];
    }
    c->tiles = (struct vl2_tile_rule){.side = 384, .n_candidates = n, .candidates = (const int32_t (*)[2])c->candidates};
}

static void fill_language(struct vl2_config *c, int which) {
    c->lm.layers = shapes[which].layers;
    c->lm.hidden = c->projector.hidden = c->projector.out = shapes[which].hidden;
    c->lm.vocab = shapes[which].vocab;
    c->lm.heads = c->lm.kv_heads = shapes[which].heads;
    c->lm.mla = shapes[which].mla;
    if (c->lm.mla) {
        c->lm.kv_lora = 512;
        c->lm.nope = c->lm.v = 128;
        c->lm.rope = 64;
    } else {
        c->lm.head_dim = 128;
    }
    c->lm.dense_inter = shapes[which].dense_inter;
    c->lm.moe_inter = shapes[which].moe_inter;
    c->lm.shared_inter = 2 * shapes[which].moe_inter;
    c->lm.experts = shapes[which].experts;
    c->lm.experts_per_token = 6;
    c->lm.n_group = c->lm.topk_group = 1;
    c->lm.first_dense = c->lm.moe_freq = 1;
    c->lm.score = shapes[which].sigmoid ? VLK_SCORE_SIGMOID : VLK_SCORE_SOFTMAX;
    c->lm.topk = shapes[which].sigmoid ? VLK_TOPK_NOAUX_TC : VLK_TOPK_GREEDY;
    c->lm.norm_topk = shapes[which].sigmoid;
    c->lm.routed_scaling = shapes[which].sigmoid ? 2 : 1;
    c->lm.rms_eps = 1e-6f;
    c->lm.context = 4096;
    c->lm.bos = shapes[which].bos;
    c->lm.eos[0] = shapes[which].eos;
    c->lm.n_eos = 1;
    c->lm.rope_scaling.theta = 10000;
    c->lm.rope_scaling.factor = c->lm.rope_scaling.table_scale = c->lm.rope_scaling.score_scale = 1;
}

const char *vl2_published_config(int which, struct vl2_config *config) {
    *config = (struct vl2_config){0};
    fill_vision(config);
    fill_language(config, which);
    fill_candidates(config);
    return shapes[which].name;
}

/* DeepSeek-OCR: tiny's language model behind another encoder.   deepencoder/sam_vary_sdpa.py, clip_sdpa.py */
static void fill_page_encoder(struct vl2_config *c) {
    c->family = VL2_FAMILY_OCR;
    c->vision.side = 1024;
    c->vision.patch = 16;
    c->vision.width = 768;
    c->vision.layers = c->vision.heads = 12;
    c->vision.mlp = 3072;
    c->vision.grid = 64;
    c->vision.tokens = 4096;
    c->document.window = 14;
    c->document.neck = 256;
    c->document.channels[0] = 512;
    c->document.channels[1] = c->document.clip_width = 1024;
    c->document.whole = 1 << 2 | 1 << 5 | 1 << 8 | 1 << 11;
    c->document.clip_layers = 24;
    c->document.clip_heads = c->document.clip_grid = 16;
    c->document.clip_mlp = 4096;
    c->document.most_tiles = 6;
    c->projector.type = VL2_PROJ_LINEAR;
    c->projector.in = 2048;
    c->projector.depth = c->projector.r = 1;
    c->projector.grid = 16;
    c->tiles = (struct vl2_tile_rule){.side = 1024, .local_side = 640, .page = true, .most_tiles = 6};
}

/* A published model's settings, or those of a document model; false for other names. */
static bool fill_shape(const char *name, struct vl2_config *config) {
    for (int i = 0; i < VL2_N_PUBLISHED; i++)
        if (strcmp(shapes[i].name, name) == 0) {
            vl2_published_config(i, config);
            return true;
        }
    if (strcmp(name, "ocr") != 0)
        return false;
    *config = (struct vl2_config){0};
    fill_page_encoder(config);
    fill_language(config, 0);
    config->lm.context = 8192;
    return true;
}

static int32_t at_most(int32_t all, int32_t wanted) {
    return wanted > 0 && wanted < all ? wanted : all;
}

vl2_status vl2_shape_open(const struct vl2_shape *shape, struct vl2_config *config, vl2_checkpoint **checkpoint, vl2_error *err) {
    *config = (struct vl2_config){0};
    *checkpoint = NULL;
    if (shape->layers < 0 || shape->format < VL2_FORMAT_MIX || shape->format > VL2_FORMAT_BF16 || !fill_shape(shape->name, config))
        return vl2_fail(err, VL2_ERR_USAGE, "There is no shape \"%.20s\" with %d layers; tiny, small, base and ocr are known.", shape->name,
                        shape->layers);
    config->vision.layers = at_most(config->vision.layers, shape->layers);
    config->document.clip_layers = at_most(config->document.clip_layers, shape->layers);
    config->lm.layers = at_most(config->lm.layers, shape->layers);
    config->quantised = shape->format != VL2_FORMAT_BF16;
    size_t most = 64 + 14 * (size_t)(config->vision.layers + config->document.clip_layers) +
                  (size_t)config->lm.layers * (32 + 3 * (size_t)config->lm.experts);
    struct vl2_tensor_source source;
    vl2_status status = vl2_synthetic_weights(shape->format, shape->vision_int8, most, &source, err);
    return status == VL2_OK ? vl2_checkpoint_from_source(&source, most, checkpoint, err) : status;
}
