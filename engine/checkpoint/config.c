/* SPDX-License-Identifier: MIT
 *
 * Reads the two JSON files that say what the model is. Published files omit many keys, so every default here is that of the
 * official classes: configuration_deepseek.py (DeepseekV2Config), modeling_deepseek_vl_v2.py (VisionEncoderConfig,
 * MlpProjectorConfig, DeepseekVLV2Config), processing_deepseek_vl_v2.py (DeepseekVLV2Processor).
 * Nothing that is not implemented passes silently: it is refused by its key and value.
 */
#include "engine/checkpoint/config.h"

#include "engine/error.h"
#include "engine/files/json.h"

#include <math.h>
#include <string.h>

enum { MAX_WIDTH = 1 << 20, MAX_PRODUCT = 1 << 24 };

/* One JSON object being read. The first failure sticks; later reads return harmless values, so that a section reads as a
 * flat list and is checked once at its end. */
struct reader {
    json_t *object;
    const char *where; /* "config.json: language_config" */
    vl2_error *err;
    bool failed;
};

#define REFUSE(r, ...) ((r)->failed ? (void) 0 : ((r)->failed = true, (void) vl2_fail((r)->err, VL2_ERR_MODEL, __VA_ARGS__)))

/* Missing and null are the same to the caller, who passes REQUIRED when there is no default. */
#define REQUIRED INT64_MIN

static int32_t read_int(struct reader *r, const char *key, int64_t missing, int64_t min, int64_t max) {
    json_t *value = json_object_get(r->object, key);
    if (r->failed)
        return (int32_t) max;
    if (!value || json_is_null(value)) {
        if (missing == REQUIRED)
            REFUSE(r, "%s has no %s.", r->where, key);
        return missing == REQUIRED ? (int32_t) max : (int32_t) missing;
    }
    double real = json_real_value(value); /* of an integer that none can hold */
    if (fabs(real) >= 0x1p63) {
        REFUSE(r, "%s: %s is %g; %lld to %lld is accepted.", r->where, key, real, (long long) min, (long long) max);
        return (int32_t) max;
    }
    if (!json_is_integer(value)) {
        REFUSE(r, "%s: %s is not an integer.", r->where, key);
        return (int32_t) max;
    }
    int64_t number = json_integer_value(value);
    if (number < min || number > max) {
        REFUSE(r, "%s: %s is %lld; %lld to %lld is accepted.", r->where, key, (long long) number, (long long) min,
               (long long) max);
        return (int32_t) max;
    }
    return (int32_t) number;
}

/* A key whose explicit null means "none" (0) while a missing key means the class default. */
static int32_t read_nullable(struct reader *r, const char *key, int64_t missing, int64_t max) {
    json_t *value = json_object_get(r->object, key);
    return value && json_is_null(value) ? 0 : read_int(r, key, missing, 1, max);
}

static double read_number(struct reader *r, const char *key, double missing, double min, double max) {
    json_t *value = json_object_get(r->object, key);
    if (r->failed || !value || json_is_null(value))
        return missing;
    double number = json_number_value(value);
    if (!json_is_number(value) || !(number >= min && number <= max)) {
        REFUSE(r, "%s: %s is not a number from %g to %g.", r->where, key, min, max);
        return missing;
    }
    return number;
}

static bool read_bool(struct reader *r, const char *key, bool missing) {
    json_t *value = json_object_get(r->object, key);
    if (!value || json_is_null(value))
        return missing;
    if (!json_is_boolean(value))
        REFUSE(r, "%s: %s is neither true nor false.", r->where, key);
    return json_is_true(value);
}

static const char *read_string(struct reader *r, const char *key, const char *missing) {
    json_t *value = json_object_get(r->object, key);
    if (!value || json_is_null(value))
        return missing;
    if (!json_is_string(value))
        REFUSE(r, "%s: %s is not a string.", r->where, key);
    return json_is_string(value) ? json_string_value(value) : missing;
}

static void refuse_if_true(struct reader *r, const char *key, bool missing) {
    if (read_bool(r, key, missing))
        REFUSE(r, "%s: %s is not implemented.", r->where, key);
}

/* Picks the index of a string in a NULL-terminated list; refuses everything else by name. */
static int read_choice(struct reader *r, const char *key, const char *missing, const char *const *choices) {
    const char *value = read_string(r, key, missing);
    for (int i = 0; value && choices[i]; i++)
        if (strcmp(value, choices[i]) == 0)
            return i;
    REFUSE(r, "%s: %s \"%.80s\" is not implemented.", r->where, key, value ? value : "(missing)");
    return 0;
}

static void check_product(struct reader *r, const char *what, int64_t a, int64_t b) {
    if (a * b > MAX_PRODUCT)
        REFUSE(r, "%s: %s is %lld; at most %d is accepted.", r->where, what, (long long) (a * b), MAX_PRODUCT);
}

static struct reader open_section(json_t *root, const char *key, const char *where, struct reader *parent) {
    struct reader r = {.object = json_object_get(root, key), .where = where, .err = parent->err, .failed = parent->failed};
    if (!json_is_object(r.object))
        REFUSE(&r, "%s is missing.", where);
    return r;
}

static void read_vision(struct reader *r, struct vl2_config *c) {
    c->vision.side = read_int(r, "image_size", 384, 1, 8192);
    c->vision.patch = read_int(r, "patch_size", 16, 1, 1024);
    c->vision.width = read_int(r, "width", 1024, 1, MAX_WIDTH);
    c->vision.layers = read_int(r, "layers", 24, 1, VL2_MAX_LAYERS);
    c->vision.heads = read_int(r, "heads", 16, 1, 4096);
    double ratio = read_number(r, "mlp_ratio", 4, 1e-6, 1024);
    double mlp = (double) c->vision.width * ratio;
    refuse_if_true(r, "class_token", false);
    refuse_if_true(r, "qk_norm", false);
    refuse_if_true(r, "dynamic_img_size", false);
    if (!read_bool(r, "ignore_head", true))
        REFUSE(r, "%s: ignore_head false (a pooled picture) is not implemented.", r->where);
    static const char *const pools[] = {"map", "", NULL};
    read_choice(r, "global_pool", "map", pools);
    if (r->failed)
        return;
    if (mlp < 1 || mlp > MAX_WIDTH)
        REFUSE(r, "%s: width × mlp_ratio is %g; 1 to %d is accepted.", r->where, mlp, MAX_WIDTH);
    if (c->vision.patch > c->vision.side)
        REFUSE(r, "%s: patch_size %d is larger than image_size %d.", r->where, c->vision.patch, c->vision.side);
    if (c->vision.width % c->vision.heads)
        REFUSE(r, "%s: width %d is not a multiple of heads %d.", r->where, c->vision.width, c->vision.heads);
    if (r->failed)
        return;
    c->vision.mlp = (int32_t) mlp;
    c->vision.grid = c->vision.side / c->vision.patch;
    c->vision.tokens = c->vision.grid * c->vision.grid;
    check_product(r, "the number of patches of a tile", c->vision.grid, c->vision.grid);
    check_product(r, "3 × patch_size²", 3 * c->vision.patch, c->vision.patch);
}

/* MlpProjector.__init__: a list of depth Linears; downsample_mlp_gelu has at least two of them. */
static void read_projector(struct reader *r, struct vl2_config *c) {
    static const char *const types[] = {"downsample_mlp_gelu", "mlp_gelu", "linear", "identity", NULL};
    c->projector.type = (vl2_projector_type) read_choice(r, "projector_type", "downsample_mlp_gelu", types);
    refuse_if_true(r, "token_pooling", false);
    int32_t input = read_int(r, "input_dim", 1152, 1, MAX_WIDTH);
    c->projector.out = read_int(r, "n_embed", 2048, 1, MAX_WIDTH);
    int32_t depth = read_int(r, "depth", 2, 0, VL2_MAX_PROJECTOR_LAYERS);
    int32_t ratio = read_int(r, "mlp_ratio", 1, 1, 64);
    int32_t r_down = read_int(r, "downsample_ratio", 2, 1, 64);
    if (r->failed)
        return;
    if (input != c->vision.width)
        REFUSE(r, "%s: input_dim %d is not the vision tower's width %d.", r->where, input, c->vision.width);
    bool down = c->projector.type == VL2_PROJ_DOWNSAMPLE_MLP_GELU;
    c->projector.r = down ? r_down : 1;
    check_product(r, "input_dim × downsample_ratio²", input, c->projector.r * c->projector.r);
    check_product(r, "n_embed × mlp_ratio", c->projector.out, ratio);
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
            REFUSE(r, "%s: projector_type identity needs n_embed %d equal to input_dim %d.", r->where, c->projector.out, input);
        break;
    }
    c->projector.grid = (c->vision.grid + c->projector.r - 1) / c->projector.r;
}

static void read_attention(struct reader *r, struct vl2_config *c) {
    c->lm.heads = read_int(r, "num_attention_heads", 32, 1, 4096);
    json_t *kv_heads = json_object_get(r->object, "num_key_value_heads");
    /* An explicit null means "as many as heads"; only a missing key has the class default. */
    c->lm.kv_heads = json_is_null(kv_heads) ? c->lm.heads : read_int(r, "num_key_value_heads", 32, 1, 4096);
    c->lm.mla = read_bool(r, "use_mla", true);
    c->lm.attention_bias = read_bool(r, "attention_bias", false);
    if (c->lm.mla) {
        c->lm.q_lora = read_nullable(r, "q_lora_rank", 1536, MAX_WIDTH);
        c->lm.kv_lora = read_int(r, "kv_lora_rank", 512, 1, MAX_WIDTH);
        c->lm.rope = read_int(r, "qk_rope_head_dim", 64, 2, 4096);
        c->lm.nope = read_int(r, "qk_nope_head_dim", 128, 1, 4096);
        c->lm.v = read_int(r, "v_head_dim", 128, 1, 4096);
        if (!r->failed && c->lm.rope % 2)
            REFUSE(r, "%s: qk_rope_head_dim %d is odd.", r->where, c->lm.rope);
        return;
    }
    if (r->failed)
        return;
    if (c->lm.hidden % c->lm.heads || (c->lm.hidden / c->lm.heads) % 2)
        REFUSE(r, "%s: hidden_size %d does not give %d heads of even size.", r->where, c->lm.hidden, c->lm.heads);
    else if (c->lm.heads % c->lm.kv_heads)
        REFUSE(r, "%s: num_attention_heads %d is not a multiple of num_key_value_heads %d.", r->where, c->lm.heads,
               c->lm.kv_heads);
    c->lm.head_dim = c->lm.hidden / c->lm.heads;
}

static void read_experts(struct reader *r, struct vl2_config *c) {
    static const char *const scores[] = {"softmax", "sigmoid", NULL};
    static const char *const methods[] = {"greedy", "group_limited_greedy", "noaux_tc", NULL};
    c->lm.experts = read_nullable(r, "n_routed_experts", 0, VLK_MAX_EXPERTS);
    c->lm.first_dense = read_int(r, "first_k_dense_replace", 0, 0, VL2_MAX_LAYERS);
    c->lm.moe_freq = read_int(r, "moe_layer_freq", 1, 1, VL2_MAX_LAYERS);
    c->lm.n_group = c->lm.topk_group = 1;
    if (c->lm.experts == 0 || r->failed)
        return;
    c->lm.moe_inter = read_int(r, "moe_intermediate_size", 1407, 1, MAX_WIDTH);
    c->lm.experts_per_token = read_int(r, "num_experts_per_tok", REQUIRED, 1, VLK_MAX_TOPK);
    int32_t shared = read_nullable(r, "n_shared_experts", 0, 1024);
    c->lm.score = (vlk_score) read_choice(r, "scoring_func", "softmax", scores);
    /* The class default is the misspelt "gready", which no branch of the official code knows. */
    c->lm.topk = (vlk_topk) read_choice(r, "topk_method", NULL, methods);
    c->lm.norm_topk = read_bool(r, "norm_topk_prob", false);
    c->lm.routed_scaling = (float) read_number(r, "routed_scaling_factor", 1, -1e6, 1e6);
    if (c->lm.topk != VLK_TOPK_GREEDY) {
        c->lm.n_group = read_int(r, "n_group", REQUIRED, 1, c->lm.experts);
        c->lm.topk_group = read_int(r, "topk_group", REQUIRED, 1, c->lm.n_group);
    }
    check_product(r, "moe_intermediate_size × n_shared_experts", c->lm.moe_inter, shared);
    if (r->failed)
        return;
    c->lm.shared_inter = c->lm.moe_inter * shared;
    int32_t group = c->lm.experts / c->lm.n_group;
    if (c->lm.experts % c->lm.n_group)
        REFUSE(r, "%s: n_routed_experts %d is not a multiple of n_group %d.", r->where, c->lm.experts, c->lm.n_group);
    else if (c->lm.topk == VLK_TOPK_NOAUX_TC && group < 2)
        REFUSE(r, "%s: noaux_tc needs groups of at least 2 experts; %d groups of %d have fewer.", r->where, c->lm.n_group,
               c->lm.experts);
    else if (c->lm.experts_per_token > group * c->lm.topk_group)
        REFUSE(r, "%s: num_experts_per_tok %d is more than the %d experts to choose from.", r->where, c->lm.experts_per_token,
               group * c->lm.topk_group);
}

static void read_rope(struct reader *r, struct vl2_config *c) {
    static const char *const mla_types[] = {"linear", "dynamic", "yarn", NULL}, *const mha_types[] = {"linear", "dynamic", NULL};
    c->lm.rope_scaling.type = VL2_ROPE_NONE;
    c->lm.rope_scaling.theta = read_number(r, "rope_theta", 10000, 1.001, 1e15);
    c->lm.rope_scaling.factor = 1;
    json_t *scaling = json_object_get(r->object, "rope_scaling");
    if (!scaling || json_is_null(scaling))
        return;
    struct reader s = open_section(r->object, "rope_scaling", "config.json: language_config.rope_scaling", r);
    static const vl2_rope_type order[] = {VL2_ROPE_LINEAR, VL2_ROPE_DYNAMIC, VL2_ROPE_YARN};
    c->lm.rope_scaling.type = order[read_choice(&s, "type", NULL, c->lm.mla ? mla_types : mha_types)];
    if (!json_is_number(json_object_get(s.object, "factor")))
        REFUSE(&s, "%s has no factor.", s.where);
    c->lm.rope_scaling.factor = read_number(&s, "factor", 1, 1e-3, 1e6);
    c->lm.rope_scaling.beta_fast = read_number(&s, "beta_fast", 32, 1e-6, 1e9);
    c->lm.rope_scaling.beta_slow = read_number(&s, "beta_slow", 1, 1e-6, 1e9);
    c->lm.rope_scaling.mscale = read_number(&s, "mscale", 1, 0, 1e3);
    c->lm.rope_scaling.mscale_all_dim = read_number(&s, "mscale_all_dim", 0, 0, 1e3);
    c->lm.rope_scaling.original_context = read_int(&s, "original_max_position_embeddings", 4096, 1, 1 << 24);
    r->failed = s.failed;
}

static void read_language(struct reader *r, struct vl2_config *c) {
    static const char *const acts[] = {"silu", NULL};
    c->lm.vocab = read_int(r, "vocab_size", 102400, 1, MAX_PRODUCT);
    c->lm.hidden = read_int(r, "hidden_size", 4096, 1, MAX_WIDTH);
    c->lm.dense_inter = read_int(r, "intermediate_size", 11008, 1, MAX_WIDTH);
    c->lm.layers = read_int(r, "num_hidden_layers", 30, 1, VL2_MAX_LAYERS);
    c->lm.context = read_int(r, "max_position_embeddings", 2048, 1, 1 << 20);
    c->lm.bos = read_int(r, "bos_token_id", 100000, 0, MAX_PRODUCT);
    c->lm.eos = read_int(r, "eos_token_id", 100001, 0, MAX_PRODUCT);
    c->lm.rms_eps = (float) read_number(r, "rms_norm_eps", 1e-6, 0, 1);
    read_choice(r, "hidden_act", "silu", acts);
    refuse_if_true(r, "tie_word_embeddings", false);
    read_attention(r, c);
    read_experts(r, c);
    read_rope(r, c);
    if (r->failed)
        return;
    check_product(r, "num_attention_heads × head size", c->lm.heads, c->lm.mla ? c->lm.nope + c->lm.rope + c->lm.v : c->lm.head_dim);
    if (c->projector.out != c->lm.hidden)
        REFUSE(r, "%s: hidden_size %d is not the projector's n_embed %d.", r->where, c->lm.hidden, c->projector.out);
    if (c->lm.bos >= c->lm.vocab || c->lm.eos >= c->lm.vocab)
        REFUSE(r, "%s: bos_token_id %d or eos_token_id %d is outside the vocabulary of %d.", r->where, c->lm.bos, c->lm.eos,
               c->lm.vocab);
}

static void read_candidates(struct reader *r, struct vl2_config *c) {
    json_t *list = json_object_get(r->object, "candidate_resolutions"), *pair;
    size_t n = json_array_size(list), i;
    if (n < 1 || n > VL2_MAX_CANDIDATES) {
        REFUSE(r, "%s: candidate_resolutions has %zu entries; 1 to %d are accepted.", r->where, n, VL2_MAX_CANDIDATES);
        return;
    }
    json_array_foreach (list, i, pair) {
        for (size_t k = 0; k < 2; k++) {
            json_t *value = json_array_get(pair, k);
            json_int_t number = json_integer_value(value);
            if (json_array_size(pair) != 2 || !json_is_integer(value) || number < c->vision.side ||
                number > 64 * (json_int_t) c->vision.side || number % c->vision.side) {
                REFUSE(r, "%s: candidate_resolutions[%zu] is not two multiples of %d up to 64 of them.", r->where, i,
                       c->vision.side);
                return;
            }
            c->candidates[i][k] = (int32_t) number;
        }
    }
    if (c->candidates[0][0] != c->vision.side)
        REFUSE(r, "%s: the first candidate resolution is %d wide, the vision tower's tile %d.", r->where, c->candidates[0][0],
               c->vision.side);
    c->tiles = (struct vl2_tile_rule){.side = c->vision.side, .n_candidates = (int32_t) n};
}

static void read_processor(struct reader *r, struct vl2_config *c) {
    static const char *const formats[] = {"deepseek", NULL}, *const image_tokens[] = {"<image>", NULL};
    read_candidates(r, c);
    int32_t patch = read_int(r, "patch_size", REQUIRED, 1, 1024), ratio = read_int(r, "downsample_ratio", REQUIRED, 1, 64);
    static const char *const stats[] = {"image_mean", "image_std"};
    for (int k = 0; k < 2; k++) {
        json_t *list = json_object_get(r->object, stats[k]), *value;
        size_t i;
        if (list && json_array_size(list) != 3)
            REFUSE(r, "%s: %s has not three entries.", r->where, stats[k]);
        json_array_foreach (list, i, value)
            if (json_number_value(value) != 0.5)
                REFUSE(r, "%s: %s other than 0.5 is not implemented.", r->where, stats[k]);
    }
    if (!read_bool(r, "normalize", true))
        REFUSE(r, "%s: normalize false is not implemented.", r->where);
    read_choice(r, "sft_format", "deepseek", formats);
    read_choice(r, "image_token", "<image>", image_tokens);
    if (r->failed)
        return;
    if (patch != c->vision.patch)
        REFUSE(r, "%s: patch_size %d is not the vision tower's %d.", r->where, patch, c->vision.patch);
    else if ((c->vision.grid + ratio - 1) / ratio != c->projector.grid)
        REFUSE(r, "%s: downsample_ratio %d gives other than the projector's %d tokens per tile side.", r->where, ratio,
               c->projector.grid);
}

static void read_model(struct reader *root, struct vl2_config *c) {
    static const char *const models[] = {"deepseek_vl_v2", NULL}, *const tags[] = {"2D", NULL};
    read_choice(root, "model_type", NULL, models);
    /* The class default is the literal "tile_tag", which the official code refuses. */
    read_choice(root, "tile_tag", "tile_tag", tags);
    c->global_first = strcmp(read_string(root, "global_view_pos", "head"), "head") == 0;
    struct reader vision = open_section(root->object, "vision_config", "config.json: vision_config", root);
    read_vision(&vision, c);
    struct reader projector = open_section(root->object, "projector_config", "config.json: projector_config", &vision);
    if (!projector.failed)
        read_projector(&projector, c);
    struct reader language = open_section(root->object, "language_config", "config.json: language_config", &projector);
    if (!language.failed)
        read_language(&language, c);
    root->failed = language.failed;
}

vl2_status vl2_config_load(const char *dir, struct vl2_config *out, vl2_error *err) {
    *out = (struct vl2_config){0};
    json_t *config = NULL, *processor = NULL;
    vl2_status status = vl2_json_load(dir, "config.json", &config, err);
    if (status == VL2_OK) {
        struct reader r = {.object = config, .where = "config.json", .err = err};
        read_model(&r, out);
        status = r.failed ? VL2_ERR_MODEL : VL2_OK;
    }
    if (status == VL2_OK)
        status = vl2_json_load(dir, "processor_config.json", &processor, err);
    if (status == VL2_OK) {
        struct reader r = {.object = processor, .where = "processor_config.json", .err = err};
        read_processor(&r, out);
        status = r.failed ? VL2_ERR_MODEL : VL2_OK;
    }
    out->tiles.candidates = (const int32_t (*)[2]) out->candidates;
    json_decref(processor);
    json_decref(config);
    return status;
}

bool vl2_config_is_moe(const struct vl2_config *config, int32_t layer) {
    return config->lm.experts > 0 && layer >= config->lm.first_dense && layer % config->lm.moe_freq == 0;
}
