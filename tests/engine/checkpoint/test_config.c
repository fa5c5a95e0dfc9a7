/* SPDX-License-Identifier: MIT
 *
 * config.json and processor_config.json: the official classes' defaults, and everything that is refused, by key and value.
 * And tensors that do not fit the config.
 *   test_config CHECKPOINTS   (of tests/parity/make_checkpoints.py)
 */
#include "engine/checkpoint/config.h"
#include "tests/engine/talk.h"
#include "tests/tap.h"

#include <jansson.h>

static char dir[256], base[1024];

/* Writes `file` of the base checkpoint with the key at `path` ("language_config.heads") set to a JSON value; NULL removes it. */
static void write_changed(const char *file, const char *path, const char *value) {
    char full[1200], part[128];
    snprintf(full, sizeof full, "%s/%s", base, file);
    json_t *root = json_load_file(full, 0, NULL), *object = root;
    const char *dot;
    while (path && (dot = strchr(path, '.'))) {
        snprintf(part, sizeof part, "%.*s", (int) (dot - path), path);
        object = json_object_get(object, part);
        path = dot + 1;
    }
    if (path && value)
        json_object_set_new(object, path, json_loads(value, JSON_DECODE_ANY, NULL));
    else if (path)
        json_object_del(object, path);
    snprintf(full, sizeof full, "%s/%s", dir, file);
    json_dump_file(root, full, 0);
    json_decref(root);
}

static void expect(const char *what, const char *part) {
    struct vl2_config config;
    vl2_error err = {.text = ""};
    vl2_status status = vl2_config_load(dir, &config, &err);
    bool fine = part ? status == VL2_ERR_MODEL && strstr(err.text, part) : status == VL2_OK;
    if (!ok(fine, "%s", what))
        tap_diag("status %d, \"%s\"", status, err.text);
}

static const struct {
    const char *path, *value, *part; /* part NULL: accepted */
} refusals[] = {
    {"model_type", "\"llava\"", "model_type \"llava\" is not implemented"},
    {"model_type", NULL, "model_type"},
    {"tile_tag", NULL, "tile_tag \"tile_tag\" is not implemented"},
    {"tile_tag", "\"1D\"", "tile_tag \"1D\" is not implemented"},
    {"global_view_pos", "\"tail\"", NULL},
    {"vision_config", NULL, "vision_config is missing"},
    {"vision_config", "[]", "vision_config is not an object"},
    {"vision_config.patch_size", "0", "patch_size is 0"},
    {"vision_config.patch_size", "23", "patch_size 23 is larger than image_size 22"},
    {"vision_config.width", "-3", "width is -3"},
    {"vision_config.width", "1e3", "width is not an integer"},
    {"vision_config.width", "31", "width 31 is not a multiple of heads 3"},
    {"vision_config.width", "99999999999999", "width is 99999999999999"},
    {"vision_config.layers", "100000", "layers is 100000"},
    {"vision_config.mlp_ratio", "\"x\"", "mlp_ratio is not a number"},
    {"vision_config.mlp_ratio", "0.001", "mlp_ratio"},
    {"vision_config.class_token", "true", "class_token true is not implemented"},
    {"vision_config.qk_norm", "true", "qk_norm true is not implemented"},
    {"vision_config.global_pool", "\"avg\"", "global_pool \"avg\" is not implemented"},
    {"vision_config.ignore_head", "false", "ignore_head false is not implemented"},
    {"projector_config.projector_type", "\"qformer\"", "projector_type \"qformer\" is not implemented"},
    {"projector_config.token_pooling", "true", "token_pooling true is not implemented"},
    {"projector_config.input_dim", "31", "input_dim 31 is not the vision tower's width 30"},
    {"projector_config.n_embed", "45", "hidden_size 44 is not the projector's n_embed 45"},
    {"projector_config.depth", "99", "depth is 99"},
    {"projector_config.downsample_ratio", "0", "downsample_ratio is 0"},
    {"language_config.num_hidden_layers", "0", "num_hidden_layers is 0"},
    {"language_config.num_hidden_layers", "null", NULL},
    {"language_config.hidden_size", "0", "hidden_size is 0"},
    {"language_config.vocab_size", "1000000000", "vocab_size"},
    {"language_config.eos_token_id", "431", "outside the vocabulary"},
    {"language_config.eos_token_id", "[1, 431]", "outside the vocabulary"},
    {"language_config.eos_token_id", "[1, 2]", NULL},
    {"language_config.eos_token_id", "[]", "eos_token_id has 0 entries"},
    {"language_config.eos_token_id", "[1, \"2\"]", "eos_token_id[1] is not a token id"},
    {"language_config.bos_token_id", "-1", "bos_token_id is -1"},
    {"language_config.hidden_act", "\"gelu\"", "hidden_act \"gelu\" is not implemented"},
    {"language_config.tie_word_embeddings", "true", "tie_word_embeddings true is not implemented"},
    {"language_config.rms_norm_eps", "-1", "rms_norm_eps"},
    {"language_config.use_mla", "1", "use_mla is neither true nor false"},
    {"language_config.qk_rope_head_dim", "9", "qk_rope_head_dim 9 is odd"},
    {"language_config.kv_lora_rank", "0", "kv_lora_rank is 0"},
    {"language_config.topk_method", NULL, "topk_method \"(missing)\" is not implemented"},
    {"language_config.topk_method", "\"gready\"", "topk_method \"gready\" is not implemented"},
    {"language_config.scoring_func", "\"tanh\"", "scoring_func \"tanh\" is not implemented"},
    {"language_config.num_experts_per_tok", NULL, "no num_experts_per_tok"},
    {"language_config.num_experts_per_tok", "8", "more than the 7 experts"},
    {"language_config.num_experts_per_tok", "17", "num_experts_per_tok is 17"},
    {"language_config.n_routed_experts", "1000", "n_routed_experts is 1000"},
    {"language_config.n_routed_experts", "null", NULL},
    {"language_config.moe_layer_freq", "0", "moe_layer_freq is 0"},
    {"language_config.rope_theta", "0", "rope_theta"},
    {"language_config.rope_scaling", "{\"type\":\"llama3\",\"factor\":2}", "type \"llama3\" is not implemented"},
    {"language_config.rope_scaling", "{\"factor\":2}", "has a factor but no rope_type"},
    {"language_config.rope_scaling", "{\"type\":\"yarn\"}", "has no factor"},
    {"language_config.rope_scaling", "{\"type\":\"yarn\",\"factor\":-1}", "factor is not a number"},
    {"language_config.rope_scaling", "7", "rope_scaling is not an object"},
    {"language_config.max_position_embeddings", "0", "max_position_embeddings is 0"},
};

static void test_refusals(void) {
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        char what[160];
        snprintf(what, sizeof what, "%s = %s is %s", refusals[i].path, refusals[i].value ? refusals[i].value : "(removed)",
                 refusals[i].part ? "refused" : "accepted");
        write_changed("config.json", refusals[i].path, refusals[i].value);
        expect(what, refusals[i].part);
    }
    write_changed("config.json", NULL, NULL);
}

/* Writes the base checkpoint's config.json with the members of a JSON object put into its language_config. */
static void write_language(const char *members) {
    char full[1200];
    snprintf(full, sizeof full, "%s/config.json", base);
    json_t *root = json_load_file(full, 0, NULL), *more = json_loads(members, 0, NULL);
    json_object_update(json_object_get(root, "language_config"), more);
    snprintf(full, sizeof full, "%s/config.json", dir);
    json_dump_file(root, full, 0);
    json_decref(more);
    json_decref(root);
}

/* Positions, as transformers 5.24.0 (DeepseekV2Config) reads them, where the file has its form; where it has the form of the
 * official class alone ("type" in rope_scaling), as that class does. The base has 512 positions. */
static void test_rope(void) {
    static const struct {
        const char *members;
        vl2_rope_type type;
        double theta, factor;
        int32_t original;
        double table_scale, score_scale;
    } cases[] = {
        {"{\"rope_theta\":50000.0}", VL2_ROPE_NONE, 50000, 1, 0, 1, 1},
        {"{\"rope_theta\":9e3,\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":7e3}}", VL2_ROPE_NONE, 7000, 1, 0, 1,
         1},
        {"{\"rope_theta\":9e3,\"rope_parameters\":{\"rope_type\":\"default\"}}", VL2_ROPE_NONE, 9000, 1, 0, 1, 1},
        {"{\"rope_theta\":9e3,\"rope_scaling\":{\"rope_type\":\"linear\",\"factor\":2},"
         "\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":7e3}}",
         VL2_ROPE_LINEAR, 9000, 2, 512, 1, 1},
        {"{\"rope_scaling\":{},\"rope_parameters\":{\"rope_type\":\"dynamic\",\"factor\":3,\"rope_theta\":7e3}}", VL2_ROPE_DYNAMIC, 7000, 3,
         512, 1, 1},
        {"{\"rope_scaling\":null,\"rope_parameters\":null}", VL2_ROPE_NONE, 10000, 1, 0, 1, 1},
        {"{\"rope_scaling\":{\"rope_type\":\"default\"}}", VL2_ROPE_NONE, 10000, 1, 0, 1, 1},
        {"{\"rope_scaling\":{\"type\":\"default\"}}", VL2_ROPE_NONE, 10000, 1, 0, 1, 1},
        {"{\"rope_scaling\":{\"rope_type\":\"linear\",\"type\":\"dynamic\",\"factor\":2}}", VL2_ROPE_LINEAR, 10000, 2, 512, 1, 1},
        {"{\"rope_parameters\":{\"rope_type\":\"yarn\",\"factor\":4,\"rope_theta\":50000,\"original_max_position_embeddings\":128,"
         "\"mscale\":0.7,\"mscale_all_dim\":0.5}}",
         VL2_ROPE_YARN, 50000, 4, 128, 1.02592865, 1.14343397},
        {"{\"rope_parameters\":{\"rope_type\":\"yarn\",\"factor\":4,\"mscale\":0.7}}", VL2_ROPE_YARN, 10000, 4, 512, 1.13862944, 1},
        {"{\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":4,\"mscale_all_dim\":0.5}}", VL2_ROPE_YARN, 10000, 4, 512, 1.13862944,
         1.14343397},
        {"{\"rope_parameters\":{\"type\":\"yarn\",\"factor\":4,\"attention_factor\":1.25,\"truncate\":true}}", VL2_ROPE_YARN, 10000, 4, 512,
         1.25, 1},
        {"{\"rope_scaling\":{\"type\":\"yarn\",\"factor\":4,\"mscale\":0.7}}", VL2_ROPE_YARN, 10000, 4, 4096, 1.09704061, 1},
        {"{\"rope_scaling\":{\"type\":\"yarn\",\"factor\":4,\"mscale_all_dim\":0.5}}", VL2_ROPE_YARN, 10000, 4, 4096, 1.06482163,
         1.14343397},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct vl2_config c;
        vl2_error err = {.text = ""};
        write_language(cases[i].members);
        vl2_status status = vl2_config_load(dir, &c, &err);
        const struct vl2_rope_scaling *r = &c.lm.rope_scaling;
        if (!ok(status == VL2_OK && r->type == cases[i].type && r->theta == cases[i].theta && r->factor == cases[i].factor &&
                    r->original_context == cases[i].original && fabs(r->table_scale - cases[i].table_scale) < 1e-8 &&
                    fabs(r->score_scale - cases[i].score_scale) < 1e-8,
                "%s", cases[i].members))
            tap_diag("%s type %d, theta %g, factor %g, original %d, scales %.9g and %.9g", err.text, (int) r->type, r->theta, r->factor,
                     (int) r->original_context, r->table_scale, r->score_scale);
    }
}

/* Keys that say more than what is read: what changes the arithmetic is refused by name, what does not passes. */
static void test_keys(void) {
    static const struct {
        const char *path, *value, *part; /* part NULL: accepted */
    } cases[] = {
        {"language_config.mlp_bias", "true", "language_config: mlp_bias true is not implemented"},
        {"language_config.mlp_bias", "false", NULL},
        {"language_config.mlp_bias", "null", NULL},
        {"language_config.lm_head", "false", "lm_head false is not implemented"},
        {"language_config.rm_head", "true", "rm_head true is not implemented"},
        {"language_config.partial_rotary_factor", "0.5", "partial_rotary_factor 0.5 is not implemented"},
        {"language_config.partial_rotary_factor", "1.0", NULL},
        {"language_config.attn_logit_softcapping", "30.0", "\"attn_logit_softcapping\" (30.0) is not known and may change"},
        {"language_config.attn_logit_softcapping", "null", NULL},
        {"language_config.layer_types", "[\"sliding_attention\"]", "\"layer_types\" ([\"sliding_attention\"]) is not known"},
        {"language_config.sliding_window", "128", "\"sliding_window\" (128) is not known"},
        {"language_config.ope_theta", "7", "\"ope_theta\" (7) is not known"},
        {"language_config.rope", "7", "\"rope\" (7) is not known"},
        {"language_config.", "7", "\"\" (7) is not known"},
        {"language_config._attn_implementation_autoset", "true", NULL},
        {"language_config.head_dim", "64", NULL},
        {"language_config.qk_head_dim", "7", "qk_head_dim 7 is not implemented"},
        {"language_config.rope_interleave", "true", NULL},
        {"language_config.rope_interleave", "false", "rope_interleave false is not implemented with use_mla true"},
        {"language_config.rope_scaling", "{\"rope_type\":\"yarn\",\"factor\":2,\"truncate\":false}",
         "rope_scaling: truncate false is not"},
        {"language_config.rope_parameters", "{\"rope_type\":\"linear\",\"factor\":2,\"low_freq_factor\":1}",
         "\"low_freq_factor\" (1) is not"},
        {"language_config.rope_parameters", "{\"full_attention\":{\"rope_type\":\"default\"}}", "\"full_attention\""},
        {"language_config.quantization_config", "{\"quant_method\":\"gptq\",\"bits\":4}",
         "quantization_config \"gptq\": weights that another"},
        {"quantization_config", "{\"bits\":4}", "config.json: quantization_config: weights that another program has quantised"},
        {"quantization_config", "{}", NULL},
        {"architectures", "[\"DeepseekOCR2ForCausalLM\"]", "the architecture DeepseekOCR2ForCausalLM is not implemented"},
        {"architectures", "[\"DeepseekOCRForCausalLM\"]", "config.json: vision_config: image_size is 22; 64 to 8192"},
        {"architectures", "[\"DeepseekVLV2ForCausalLM\"]", NULL},
        {"architectures", NULL, NULL},
        {"architectures", "[]", NULL},
        {"text_config", "{\"hidden_size\":3}", "\"text_config\" ({\"hidden_size\":3}) is not known"},
        {"dtype", "\"bfloat16\"", NULL},
        {"id2label", "{\"0\":\"LABEL_0\"}", NULL},
        {"vision_config.select_layer", "-1", NULL},
        {"vision_config.select_layer", "-2", "select_layer -2 is not implemented"},
        {"vision_config.num_classes", "1000", NULL},
        {"projector_config.model_type", "\"mlp_projector\"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char what[200];
        snprintf(what, sizeof what, "%s = %s is %s", cases[i].path, cases[i].value ? cases[i].value : "(removed)",
                 cases[i].part ? "refused" : "accepted");
        write_changed("config.json", cases[i].path, cases[i].value);
        expect(what, cases[i].part);
    }
    write_changed("config.json", NULL, NULL);
}

static void test_processor(void) {
    static const struct {
        const char *path, *value, *part;
    } cases[] = {
        {"candidate_resolutions", NULL, "0 entries"},
        {"candidate_resolutions", "[[22]]", "candidate_resolutions[0]"},
        {"candidate_resolutions", "[[22, 23]]", "candidate_resolutions[0]"},
        {"candidate_resolutions", "[[44, 22]]", "first candidate resolution is 44 wide"},
        {"candidate_resolutions", "[[22, 22], [22, 220000]]", "candidate_resolutions[1]"},
        {"patch_size", "5", "patch_size 5 is not the vision tower's 4"},
        {"patch_size", NULL, "no patch_size"},
        {"downsample_ratio", "1", "downsample_ratio 1"},
        {"do_rescale", "true", "\"do_rescale\" (true) is not known"},
        {"image_mean", "[0.48, 0.5, 0.5]", "image_mean other than 0.5"},
        {"image_std", "[0.5]", "image_std has not three entries"},
        {"normalize", "false", "normalize false is not implemented"},
        {"sft_format", "\"plain\"", "sft_format \"plain\" is not implemented"},
        {"image_token", "\"<img>\"", "image_token \"<img>\" is not implemented"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char what[160];
        snprintf(what, sizeof what, "processor: %s = %s is refused", cases[i].path, cases[i].value ? cases[i].value : "(removed)");
        write_changed("processor_config.json", cases[i].path, cases[i].value);
        expect(what, cases[i].part);
    }
    write_changed("processor_config.json", NULL, NULL);
}

/* Without these keys the model is what the classes' defaults say. */
static void test_defaults(void) {
    char full[1200];
    struct vl2_config c;
    vl2_error err = {.text = ""};
    snprintf(full, sizeof full, "%s/config.json", dir);
    json_t *root = json_load_file(full, 0, NULL), *language = json_object_get(root, "language_config");
    static const char *const kept[] = {"topk_method", "n_routed_experts", "num_experts_per_tok", "n_group", "topk_group"};
    json_t *small = json_pack("{s:i}", "hidden_size", 2048);
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        json_object_set(small, kept[i], json_object_get(language, kept[i]));
    json_object_set_new(root, "language_config", small);
    json_object_set_new(root, "projector_config", json_pack("{s:i}", "input_dim", 30));
    json_dump_file(root, full, 0);
    json_decref(root);
    vl2_status status = vl2_config_load(dir, &c, &err);
    if (!ok(status == VL2_OK, "a config that leaves most to the defaults is read"))
        tap_diag("%s", err.text);
    ok(c.lm.layers == 30 && c.lm.heads == 32 && c.lm.vocab == 102400 && c.lm.dense_inter == 11008 && c.lm.context == 2048,
       "layers, heads, vocabulary, width and context");
    ok(c.lm.mla && c.lm.q_lora == 1536 && c.lm.kv_lora == 512 && c.lm.rope == 64 && c.lm.nope == 128 && c.lm.v == 128, "attention");
    ok(c.lm.moe_inter == 1407 && c.lm.shared_inter == 0 && c.lm.first_dense == 0 && c.lm.moe_freq == 1 &&
           c.lm.score == VLK_SCORE_SOFTMAX && !c.lm.norm_topk && c.lm.routed_scaling == 1.0f,
       "experts");
    vl2_format format = VL2_FORMAT_BF16;
    ok(vl2_format_for(dir, &format, &err) == VL2_OK && format == VL2_FORMAT_MIX, "experts of 1407 bear four bits");
    ok(c.lm.bos == 100000 && c.lm.eos[0] == 100001 && c.lm.rms_eps == 1e-6f && c.lm.rope_scaling.theta == 10000, "ids, eps and theta");
    ok(c.projector.type == VL2_PROJ_DOWNSAMPLE_MLP_GELU && c.projector.out == 2048 && c.projector.depth == 2 && c.projector.r == 2,
       "projector");
    write_changed("config.json", NULL, NULL);
}

static void expect_open(const char *what, const char *part) {
    vl2_engine *engine = NULL;
    vl2_error err = {.text = ""};
    vl2_status status = vl2_engine_open(dir, &(struct vl2_engine_options){.threads = 1}, &engine, &err);
    if (!ok(part ? status == VL2_ERR_MODEL && !engine && strstr(err.text, part) : status == VL2_OK, "%s", what))
        tap_diag("status %d, \"%s\"", status, err.text);
    vl2_engine_close(engine);
}

/* Overwrites the first occurrence of `from` in the tensor file by `to`, of the same length. */
static void patch_tensors(const char *from, const char *to) {
    size_t size;
    char *data = folder_read(base, "model.safetensors", &size);
    char *at = memmem(data, size, from, strlen(from));
    if (at)
        memcpy(at, to, strlen(to));
    else
        tap_diag("%s is not in the file", from);
    folder_write(dir, "model.safetensors", data, size);
    free(data);
}

static void test_tensors(void) {
    folder_copy(base, dir);
    expect_open("the base checkpoint opens", NULL);
    patch_tensors("vision.norm.weight", "vision.norm.waight");
    expect_open("a missing tensor is named", "no tensor \"vision.norm.weight\"");
    patch_tensors("view_seperator", "view_separator");
    expect_open("the misspelt name counts", "view_seperator");
    patch_tensors("\"image_newline\": {\"dtype\": \"F16\", \"shape\": [44]", "\"image_newline\": {\"dtype\": \"I16\", \"shape\": [44]");
    expect_open("a dtype that is no float is named", "\"image_newline\" has dtype I16");
    patch_tensors("\"language.lm_head.weight\": {\"dtype\": \"F16\", \"shape\": [431, 44]",
                  "\"language.lm_head.weight\": {\"dtype\": \"F16\", \"shape\": [44, 431]");
    expect_open("a turned shape is named", "\"language.lm_head.weight\" has the shape [44, 431] where config.json asks for [431, 44]");
    patch_tensors("language.model.layers.2.mlp.experts.0.up_proj.weight", "language.model.layers.2.mlp.experts.gate_proj.weight");
    expect_open("fused experts are named", "the experts of layer 2 are fused in one tensor");
    folder_copy(base, dir);
    write_changed("config.json", "language_config.num_hidden_layers", "2");
    expect_open("a layer that the config does not know is named", "is not part of the model that config.json describes");
    write_changed("config.json", "language_config.vocab_size", "300");
    expect_open("a tokenizer larger than the vocabulary is refused", "300 embeddings");
    folder_copy(base, dir);
    folder_write(dir, "config.json", "{\"a\":1,\"a\":2}", 13);
    expect_open("a key twice is refused", "config.json: \"a\" is named twice");
}

int main(int argc, char **argv) {
    if (argc != 2)
        return 2;
    folder_expect(argv[1]);
    snprintf(base, sizeof base, "%s/small_style", argv[1]);
    folder_make(dir, sizeof dir);
    write_changed("config.json", NULL, NULL);
    write_changed("processor_config.json", NULL, NULL);
    expect("the base config is accepted", NULL);
    test_refusals();
    test_rope();
    test_keys();
    test_processor();
    test_defaults();
    test_tensors();
    folder_remove(dir);
    return tap_done();
}
