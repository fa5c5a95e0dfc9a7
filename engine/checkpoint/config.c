/* SPDX-License-Identifier: MIT
 *
 * Reads the two JSON files that say what the model is. Published files omit many keys, so every default here is that of the
 * official classes: configuration_deepseek.py (DeepseekV2Config), modeling_deepseek_vl_v2.py (VisionEncoderConfig,
 * MlpProjectorConfig, DeepseekVLV2Config), processing_deepseek_vl_v2.py (DeepseekVLV2Processor).
 * Nothing that is not implemented passes silently: it is refused by its key and value.
 */
#include "engine/checkpoint/config.h"
#include "engine/checkpoint/config_document.h"
#include "engine/checkpoint/config_keys.h"

#include "engine/error.h"
#include "engine/files/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_WIDTH = 1 << 20 };

static void read_vision(struct vl2_section *r, struct vl2_config *c) {
    vl2_config_check_keys(r, VL2_KEYS_VISION);
    c->vision.side = vl2_section_int(r, "image_size", 384, 1, 8192);
    c->vision.patch = vl2_section_int(r, "patch_size", 16, 1, 1024);
    c->vision.width = vl2_section_int(r, "width", 1024, 1, MAX_WIDTH);
    c->vision.layers = vl2_section_int(r, "layers", 24, 1, VL2_MAX_LAYERS);
    c->vision.heads = vl2_section_int(r, "heads", 16, 1, 4096);
    double ratio = vl2_section_number(r, "mlp_ratio", 4, 1e-6, 1024);
    double mlp = (double)c->vision.width * ratio;
    static const char *const pools[] = {"map", "", NULL};
    vl2_section_choice(r, "global_pool", "map", pools);
    if (r->failed)
        return;
    if (mlp < 1 || mlp > MAX_WIDTH)
        vl2_section_refuse(r, "%s: width × mlp_ratio is %g; 1 to %d is accepted.", r->where, mlp, MAX_WIDTH);
    if (c->vision.patch > c->vision.side)
        vl2_section_refuse(r, "%s: patch_size %d is larger than image_size %d.", r->where, c->vision.patch, c->vision.side);
    if (c->vision.width % c->vision.heads)
        vl2_section_refuse(r, "%s: width %d is not a multiple of heads %d.", r->where, c->vision.width, c->vision.heads);
    if (r->failed)
        return;
    c->vision.mlp = (int32_t)mlp;
    c->vision.grid = c->vision.side / c->vision.patch;
    c->vision.tokens = c->vision.grid * c->vision.grid;
    vl2_section_product(r, "the number of patches of a tile", c->vision.grid, c->vision.grid);
    vl2_section_product(r, "3 × patch_size²", 3 * c->vision.patch, c->vision.patch);
}

/* MlpProjector.__init__: a list of depth Linears; downsample_mlp_gelu has at least two of them. */
static void read_projector(struct vl2_section *r, struct vl2_config *c) {
    static const char *const types[] = {"downsample_mlp_gelu", "mlp_gelu", "linear", "identity", NULL};
    vl2_config_check_keys(r, VL2_KEYS_PROJECTOR);
    c->projector.type = (vl2_projector_type)vl2_section_choice(r, "projector_type", "downsample_mlp_gelu", types);
    int32_t input = vl2_section_int(r, "input_dim", 1152, 1, MAX_WIDTH);
    c->projector.out = vl2_section_int(r, "n_embed", 2048, 1, MAX_WIDTH);
    int32_t depth = vl2_section_int(r, "depth", 2, 0, VL2_MAX_PROJECTOR_LAYERS);
    int32_t ratio = vl2_section_int(r, "mlp_ratio", 1, 1, 64);
    int32_t r_down = vl2_section_int(r, "downsample_ratio", 2, 1, 64);
    if (r->failed)
        return;
    if (input != c->vision.width)
        vl2_section_refuse(r, "%s: input_dim %d is not the vision tower's width %d.", r->where, input, c->vision.width);
    bool down = c->projector.type == VL2_PROJ_DOWNSAMPLE_MLP_GELU;
    c->projector.r = down ? r_down : 1;
    vl2_section_product(r, "input_dim × downsample_ratio²", input, c->projector.r * c->projector.r);
    vl2_section_product(r, "n_embed × mlp_ratio", c->projector.out, ratio);
    c->projector.in = r->failed ? input : input * c->projector.r * c->projector.r;
    c->projector.hidden = down ? c->projector.out * ratio : c->projector.out;
    switch (c->projector.type) {
    case VL2_PROJ_DOWNSAMPLE_MLP_GELU:
        c->projector.depth = depth < 2 ? 2 : depth;
        break;
    case VL2_PROJ_MLP_GELU:
        c->projector.depth = depth < 1 ? 1 : depth;
        break;
    case VL2_PROJ_LINEAR:
        c->projector.depth = 1;
        break;
    case VL2_PROJ_IDENTITY:
        c->projector.depth = 0;
        if (c->projector.out != input)
            vl2_section_refuse(r, "%s: projector_type identity needs n_embed %d equal to input_dim %d.", r->where, c->projector.out,
                               input);
        break;
    }
    c->projector.grid = (c->vision.grid + c->projector.r - 1) / c->projector.r;
}

/* transformers 5 writes down what follows from other settings. */
static void check_size(struct vl2_section *r, const char *key, int32_t size) {
    int32_t said = vl2_section_int(r, key, size, 0, MAX_WIDTH);
    if (!r->failed && said != size)
        vl2_section_refuse(r, "%s: %s %d is not implemented; by the other settings it is %d.", r->where, key, said, size);
}

static void read_attention(struct vl2_section *r, struct vl2_config *c) {
    c->lm.heads = vl2_section_int(r, "num_attention_heads", 32, 1, 4096);
    json_t *kv_heads = json_object_get(r->object, "num_key_value_heads");
    /* An explicit null means "as many as heads"; only a missing key has the class default. */
    c->lm.kv_heads = json_is_null(kv_heads) ? c->lm.heads : vl2_section_int(r, "num_key_value_heads", 32, 1, 4096);
    c->lm.mla = vl2_section_bool(r, "use_mla", true);
    c->lm.attention_bias = vl2_section_bool(r, "attention_bias", false);
    if (c->lm.mla) {
        c->lm.q_lora = vl2_section_nullable(r, "q_lora_rank", 1536, MAX_WIDTH);
        c->lm.kv_lora = vl2_section_int(r, "kv_lora_rank", 512, 1, MAX_WIDTH);
        c->lm.rope = vl2_section_int(r, "qk_rope_head_dim", 64, 2, 4096);
        c->lm.nope = vl2_section_int(r, "qk_nope_head_dim", 128, 1, 4096);
        c->lm.v = vl2_section_int(r, "v_head_dim", 128, 1, 4096);
        if (!r->failed && c->lm.rope % 2)
            vl2_section_refuse(r, "%s: qk_rope_head_dim %d is odd.", r->where, c->lm.rope);
        check_size(r, "qk_head_dim", c->lm.nope + c->lm.rope);
        return;
    }
    if (r->failed)
        return;
    if (c->lm.hidden % c->lm.heads || (c->lm.hidden / c->lm.heads) % 2)
        vl2_section_refuse(r, "%s: hidden_size %d does not give %d heads of even size.", r->where, c->lm.hidden, c->lm.heads);
    else if (c->lm.heads % c->lm.kv_heads)
        vl2_section_refuse(r, "%s: num_attention_heads %d is not a multiple of num_key_value_heads %d.", r->where, c->lm.heads,
                           c->lm.kv_heads);
    c->lm.head_dim = c->lm.hidden / c->lm.heads;
    check_size(r, "head_dim", c->lm.head_dim);
}

static void read_experts(struct vl2_section *r, struct vl2_config *c) {
    static const char *const scores[] = {"softmax", "sigmoid", NULL};
    static const char *const methods[] = {"greedy", "group_limited_greedy", "noaux_tc", NULL};
    c->lm.experts = vl2_section_nullable(r, "n_routed_experts", 0, VLK_MAX_EXPERTS);
    c->lm.first_dense = vl2_section_int(r, "first_k_dense_replace", 0, 0, VL2_MAX_LAYERS);
    c->lm.moe_freq = vl2_section_int(r, "moe_layer_freq", 1, 1, VL2_MAX_LAYERS);
    c->lm.n_group = c->lm.topk_group = 1;
    if (c->lm.experts == 0 || r->failed)
        return;
    c->lm.moe_inter = vl2_section_int(r, "moe_intermediate_size", 1407, 1, MAX_WIDTH);
    c->lm.experts_per_token = vl2_section_int(r, "num_experts_per_tok", VL2_REQUIRED, 1, VLK_MAX_TOPK);
    int32_t shared = vl2_section_nullable(r, "n_shared_experts", 0, 1024);
    c->lm.score = (vlk_score)vl2_section_choice(r, "scoring_func", "softmax", scores);
    /* The class default is the misspelt "gready", which no branch of the official code knows. */
    c->lm.topk = (vlk_topk)vl2_section_choice(r, "topk_method", NULL, methods);
    c->lm.norm_topk = vl2_section_bool(r, "norm_topk_prob", false);
    c->lm.routed_scaling = (float)vl2_section_number(r, "routed_scaling_factor", 1, -1e6, 1e6);
    if (c->lm.topk != VLK_TOPK_GREEDY) {
        c->lm.n_group = vl2_section_int(r, "n_group", VL2_REQUIRED, 1, c->lm.experts);
        c->lm.topk_group = vl2_section_int(r, "topk_group", VL2_REQUIRED, 1, c->lm.n_group);
    }
    vl2_section_product(r, "moe_intermediate_size × n_shared_experts", c->lm.moe_inter, shared);
    if (r->failed)
        return;
    c->lm.shared_inter = c->lm.moe_inter * shared;
    int32_t group = c->lm.experts / c->lm.n_group;
    if (c->lm.experts % c->lm.n_group)
        vl2_section_refuse(r, "%s: n_routed_experts %d is not a multiple of n_group %d.", r->where, c->lm.experts, c->lm.n_group);
    else if (c->lm.topk == VLK_TOPK_NOAUX_TC && group < 2)
        vl2_section_refuse(r, "%s: noaux_tc needs groups of at least 2 experts; %d groups of %d have fewer.", r->where,
                           c->lm.n_group, c->lm.experts);
    else if (c->lm.experts_per_token > group * c->lm.topk_group)
        vl2_section_refuse(r, "%s: num_experts_per_tok %d is more than the %d experts to choose from.", r->where,
                           c->lm.experts_per_token, group * c->lm.topk_group);
}

/* One id, or a list: each of it ends an answer. */
static void read_eos(struct vl2_section *r, struct vl2_config *c) {
    json_t *list = json_object_get(r->object, "eos_token_id"), *value;
    size_t i, n = json_array_size(list);
    c->lm.n_eos = 1;
    if (!json_is_array(list)) {
        c->lm.eos[0] = vl2_section_int(r, "eos_token_id", 100001, 0, VL2_MAX_PRODUCT);
        return;
    }
    if (n < 1 || n > VL2_MAX_EOS) {
        vl2_section_refuse(r, "%s: eos_token_id has %zu entries; 1 to %d are accepted.", r->where, n, VL2_MAX_EOS);
        return;
    }
    c->lm.n_eos = (int32_t)n;
    json_array_foreach (list, i, value) {
        if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > VL2_MAX_PRODUCT)
            vl2_section_refuse(r, "%s: eos_token_id[%zu] is not a token id.", r->where, i);
        c->lm.eos[i] = (int32_t)json_integer_value(value);
    }
}

static void read_language(struct vl2_section *r, struct vl2_config *c) {
    static const char *const acts[] = {"silu", NULL};
    bool ring = c->family == VL2_FAMILY_UNLIMITED_OCR;
    vl2_config_check_keys(r, VL2_KEYS_LANGUAGE | (ring ? VL2_KEYS_RING : 0));
    c->lm.ring = ring ? vl2_section_int(r, "sliding_window_size", vl2_section_int(r, "sliding_window", 0, 0, MAX_WIDTH), 0, MAX_WIDTH) : 0;
    c->lm.vocab = vl2_section_int(r, "vocab_size", 102400, 1, VL2_MAX_PRODUCT);
    c->lm.hidden = vl2_section_int(r, "hidden_size", 4096, 1, MAX_WIDTH);
    c->lm.dense_inter = vl2_section_int(r, "intermediate_size", 11008, 1, MAX_WIDTH);
    c->lm.layers = vl2_section_int(r, "num_hidden_layers", 30, 1, VL2_MAX_LAYERS);
    c->lm.context = vl2_section_int(r, "max_position_embeddings", 2048, 1, 1 << 20);
    c->lm.bos = vl2_section_int(r, "bos_token_id", 100000, 0, VL2_MAX_PRODUCT);
    read_eos(r, c);
    c->lm.rms_eps = (float)vl2_section_number(r, "rms_norm_eps", 1e-6, 0, 1);
    vl2_section_choice(r, "hidden_act", "silu", acts);
    read_attention(r, c);
    read_experts(r, c);
    vl2_config_read_rope(r, c);
    if (r->failed)
        return;
    vl2_section_product(r, "num_attention_heads × head size", c->lm.heads,
                        c->lm.mla ? c->lm.nope + c->lm.rope + c->lm.v : c->lm.head_dim);
    if (c->lm.ring && c->lm.mla)
        vl2_section_refuse(r, "%s: sliding_window_size with use_mla is not implemented.", r->where);
    if (c->projector.out != c->lm.hidden)
        vl2_section_refuse(r, "%s: hidden_size %d is not the projector's n_embed %d.", r->where, c->lm.hidden, c->projector.out);
    for (int32_t i = 0; i < c->lm.n_eos; i++)
        if (c->lm.bos >= c->lm.vocab || c->lm.eos[i] >= c->lm.vocab)
            vl2_section_refuse(r, "%s: bos_token_id %d or eos_token_id %d is outside the vocabulary of %d.", r->where, c->lm.bos,
                               c->lm.eos[i], c->lm.vocab);
}

static void read_candidates(struct vl2_section *r, struct vl2_config *c) {
    json_t *list = json_object_get(r->object, "candidate_resolutions"), *pair;
    size_t n = json_array_size(list), i;
    if (n < 1 || n > VL2_MAX_CANDIDATES) {
        vl2_section_refuse(r, "%s: candidate_resolutions has %zu entries; 1 to %d are accepted.", r->where, n, VL2_MAX_CANDIDATES);
        return;
    }
    json_array_foreach (list, i, pair) {
        for (size_t k = 0; k < 2; k++) {
            json_t *value = json_array_get(pair, k);
            json_int_t number = json_integer_value(value);
            if (json_array_size(pair) != 2 || !json_is_integer(value) || number < c->vision.side ||
                number > 64 * (json_int_t)c->vision.side || number % c->vision.side) {
                vl2_section_refuse(r, "%s: candidate_resolutions[%zu] is not two multiples of %d up to 64 of them.", r->where, i,
                                   c->vision.side);
                return;
            }
            c->candidates[i][k] = (int32_t)number;
        }
    }
    if (c->candidates[0][0] != c->vision.side)
        vl2_section_refuse(r, "%s: the first candidate resolution is %d wide, the vision tower's tile %d.", r->where,
                           c->candidates[0][0], c->vision.side);
    c->tiles = (struct vl2_tile_rule){.side = c->vision.side, .n_candidates = (int32_t)n};
}

static void check_pixels(struct vl2_section *r) {
    static const char *const stats[] = {"image_mean", "image_std"};
    for (int k = 0; k < 2; k++) {
        json_t *list = json_object_get(r->object, stats[k]), *value;
        size_t i;
        if (list && json_array_size(list) != 3)
            vl2_section_refuse(r, "%s: %s has not three entries.", r->where, stats[k]);
        json_array_foreach (list, i, value)
            if (json_number_value(value) != 0.5)
                vl2_section_refuse(r, "%s: %s other than 0.5 is not implemented.", r->where, stats[k]);
    }
}

static void read_processor(struct vl2_section *r, struct vl2_config *c) {
    static const char *const formats[] = {"deepseek", NULL}, *const image_tokens[] = {"<image>", NULL};
    vl2_config_check_keys(r, VL2_KEYS_PROCESSOR);
    check_pixels(r);
    vl2_section_choice(r, "sft_format", "deepseek", formats);
    vl2_section_choice(r, "image_token", "<image>", image_tokens);
    if (c->family != VL2_FAMILY_VL2) {
        vl2_config_check_page_processor(r, c);
        return;
    }
    read_candidates(r, c);
    int32_t patch = vl2_section_int(r, "patch_size", VL2_REQUIRED, 1, 1024);
    int32_t ratio = vl2_section_int(r, "downsample_ratio", VL2_REQUIRED, 1, 64);
    if (r->failed)
        return;
    if (patch != c->vision.patch)
        vl2_section_refuse(r, "%s: patch_size %d is not the vision tower's %d.", r->where, patch, c->vision.patch);
    else if ((c->vision.grid + ratio - 1) / ratio != c->projector.grid)
        vl2_section_refuse(r, "%s: downsample_ratio %d gives other than the projector's %d tokens per tile side.", r->where, ratio,
                           c->projector.grid);
}

/* The file has the language model's settings twice, or at its top level alone. */
static void read_document_model(struct vl2_section *root, struct vl2_config *c) {
    static const char *const models[] = {"deepseek_vl_v2", "unlimited-ocr", NULL}, *const tags[] = {"2D", NULL}, *const views[] = {"head", NULL};
    vl2_section_choice(root, "model_type", NULL, models);
    vl2_config_check_keys(root, VL2_KEYS_ROOT | VL2_KEYS_LANGUAGE | (c->family == VL2_FAMILY_UNLIMITED_OCR ? VL2_KEYS_RING : 0));
    vl2_section_choice(root, "tile_tag", "2D", tags);
    vl2_section_choice(root, "global_view_pos", "head", views); /* and yet the tiles come first */
    vl2_config_read_encoder(root, c);
    struct vl2_section language = {.object = vl2_config_merge_language(root->object),
                                   .where = "config.json: language_config",
                                   .err = root->err,
                                   .failed = root->failed};
    if (language.object)
        read_language(&language, c);
    else
        vl2_section_refuse(&language, "There is not enough memory to read config.json.");
    json_decref(language.object);
    root->failed = language.failed;
}

static void read_model(struct vl2_section *root, struct vl2_config *c) {
    static const char *const models[] = {"deepseek_vl_v2", NULL}, *const tags[] = {"2D", NULL};
    c->family = vl2_config_family(root);
    if (c->family != VL2_FAMILY_VL2) {
        read_document_model(root, c);
        return;
    }
    vl2_section_choice(root, "model_type", NULL, models);
    vl2_config_check_keys(root, VL2_KEYS_ROOT);
    /* The class default is the literal "tile_tag", which the official code refuses. */
    vl2_section_choice(root, "tile_tag", "tile_tag", tags);
    c->global_first = strcmp(vl2_section_string(root, "global_view_pos", "head"), "head") == 0;
    struct vl2_section vision = vl2_section_open(root->object, "vision_config", "config.json: vision_config", root);
    read_vision(&vision, c);
    struct vl2_section projector = vl2_section_open(root->object, "projector_config", "config.json: projector_config", &vision);
    if (!projector.failed)
        read_projector(&projector, c);
    struct vl2_section language = vl2_section_open(root->object, "language_config", "config.json: language_config", &projector);
    if (!language.failed)
        read_language(&language, c);
    root->failed = language.failed;
}

/* Document models do without the file; where it is there, it is checked. */
static bool has_processor(const char *dir) {
    char path[4200];
    struct stat file;
    return snprintf(path, sizeof path, "%s/processor_config.json", dir) < (int)sizeof path && stat(path, &file) == 0;
}

vl2_status vl2_config_load(const char *dir, struct vl2_config *out, vl2_error *err) {
    *out = (struct vl2_config){0};
    json_t *config = NULL, *processor = NULL;
    vl2_status status = vl2_json_load(dir, "config.json", &config, err);
    if (status == VL2_OK) {
        struct vl2_section r = {.object = config, .where = "config.json", .err = err};
        read_model(&r, out);
        status = r.failed ? VL2_ERR_MODEL : VL2_OK;
    }
    bool read = status == VL2_OK && (out->family == VL2_FAMILY_VL2 || has_processor(dir));
    if (read)
        status = vl2_json_load(dir, "processor_config.json", &processor, err);
    if (read && status == VL2_OK) {
        struct vl2_section r = {.object = processor, .where = "processor_config.json", .err = err};
        read_processor(&r, out);
        status = r.failed ? VL2_ERR_MODEL : VL2_OK;
    }
    out->tiles.candidates = (const int32_t (*)[2])out->candidates;
    json_decref(processor);
    json_decref(config);
    return status;
}

bool vl2_config_is_moe(const struct vl2_config *config, int32_t layer) {
    return config->lm.experts > 0 && layer >= config->lm.first_dense && layer % config->lm.moe_freq == 0;
}
