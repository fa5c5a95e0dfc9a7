/* SPDX-License-Identifier: MIT
 *
 * config.json of document models: which one it is, where its settings stand, and everything that is refused, by key and value.
 *   test_document_config CHECKPOINTS   (of tests/parity/make_document_checkpoints.py)
 */
#include "engine/checkpoint/config.h"
#include "tests/tap.h"

#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

static char dir[] = "/tmp/sightline-document-XXXXXX";
static const char *checkpoints;

static json_t *load(const char *variant, const char *file) {
    char path[1200];
    snprintf(path, sizeof path, "%s/%s/%s", checkpoints, variant, file);
    return json_load_file(path, 0, NULL);
}

/* Sets the key at `path`, whose parts are separated by slashes, to a JSON value; NULL removes it. */
static void change(json_t *root, const char *path, const char *value) {
    char part[64];
    json_t *object = root;
    for (const char *slash; (slash = strchr(path, '/')); path = slash + 1) {
        snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
        object = json_object_get(object, part);
    }
    if (value)
        json_object_set_new(object, path, json_loads(value, JSON_DECODE_ANY, NULL));
    else
        json_object_del(object, path);
}

static void store(json_t *root, const char *file) {
    char path[64];
    snprintf(path, sizeof path, "%s/%s", dir, file);
    json_dump_file(root, path, 0);
    json_decref(root);
}

static vl2_status read_changed(const char *variant, const char *path, const char *value, struct vl2_config *config, vl2_error *err) {
    json_t *root = load(variant, "config.json");
    if (path)
        change(root, path, value);
    store(root, "config.json");
    *err = (vl2_error){.text = ""};
    return vl2_config_load(dir, config, err);
}

static void test_families(void) {
    static const struct {
        const char *variant, *path, *value;
        vl2_family family;
        int ring, tiles;
    } cases[] = {
        {"document_ocr", NULL, NULL, VL2_FAMILY_OCR, 0, 6},
        {"document_ocr", "architectures", NULL, VL2_FAMILY_OCR, 0, 6},
        {"document_ring", NULL, NULL, VL2_FAMILY_UNLIMITED_OCR, 8, 32},
        {"document_ring", "architectures", NULL, VL2_FAMILY_UNLIMITED_OCR, 8, 32},
        {"document_ring", "language_config/sliding_window_size", "0", VL2_FAMILY_UNLIMITED_OCR, 0, 32},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct vl2_config c;
        vl2_error err;
        vl2_status status = read_changed(cases[i].variant, cases[i].path, cases[i].value, &c, &err);
        ok(status == VL2_OK && c.family == cases[i].family && c.lm.ring == cases[i].ring && c.document.most_tiles == cases[i].tiles,
           "%s with %s: %s", cases[i].variant, cases[i].path ? cases[i].path : "everything", err.text);
    }
}

static void test_values(void) {
    struct vl2_config c;
    vl2_error err;
    ok(read_changed("document_half", NULL, NULL, &c, &err) == VL2_OK, "an empty language_config: %s", err.text);
    ok(c.lm.hidden == 40 && c.lm.heads == 4 && !c.lm.mla && c.lm.rope_scaling.theta == 5000, "its settings stand at the top level");
    ok(c.document.window == 5 && c.document.neck == 24 && c.document.whole == 2 && c.document.channels[0] == 28, "the first tower");
    ok(c.vision.grid == 16 && c.vision.mlp == 160 && c.document.clip_grid == 4 && c.document.clip_mlp == 144, "both towers");
    ok(c.projector.in == 72 && c.projector.grid == 4 && c.tiles.local_side == 160 && !c.global_first, "what follows from them");
    ok(read_changed("document_ocr", "vision_config/width/sam_vit_b/window_size", NULL, &c, &err) == VL2_OK && c.document.window == 14,
       "windows are of 14 patches where nothing is said");
}

static void test_refusals(void) {
    static const struct {
        const char *variant, *path, *value, *part; /* part NULL: accepted */
    } cases[] = {
        {"document_ocr", "architectures", "[\"DeepseekOCR2ForCausalLM\"]", "the architecture DeepseekOCR2ForCausalLM is not implemented"},
        {"document_ocr", "architectures", "[\"DeepseekVLV2ForCausalLM\"]", "\"intermediate_size\" (70) is not known"},
        {"document_ocr", "model_type", "\"deepseek_ocr2\"", "model_type \"deepseek_ocr2\" is not implemented"},
        {"document_ocr", "tile_tag", "\"1D\"", "tile_tag \"1D\" is not implemented"},
        {"document_ocr", "global_view_pos", "\"tail\"", "global_view_pos \"tail\" is not implemented"},
        {"document_ocr", "vision_config/image_size", "250", "image_size 250 is not a multiple of 8 patches of 16"},
        {"document_ocr", "vision_config/width", "768", "vision_config: width is not an object"},
        {"document_ocr", "vision_config/width/sam_vit_b", NULL, "sam_vit_b is missing"},
        {"document_ocr", "vision_config/width/sam_vit_b/heads", "3", "width 40 is not a multiple of heads 3"},
        {"document_ocr", "vision_config/width/sam_vit_b/layers", "65", "layers is 65"},
        {"document_ocr", "vision_config/width/sam_vit_b/global_attn_indexes", "[3]", "global_attn_indexes[0] is not one of its 3 blocks"},
        {"document_ocr", "vision_config/width/sam_vit_b/downsample_channels", "[512]", "downsample_channels has not two entries"},
        {"document_ocr", "vision_config/width/sam_vit_b/use_rel_pos", "true", "\"use_rel_pos\" (true) is not known"},
        {"document_ocr", "vision_config/width/clip-l-14-224/width", "39", "width 39 is not the last of sam_vit_b's"},
        {"document_ocr", "projector_config/input_dim", "36", "input_dim 36 is not the width of both towers, 72"},
        {"document_ocr", "projector_config/projector_type", "\"mlp_gelu\"", "projector_type \"mlp_gelu\" is not implemented"},
        {"document_ocr", "language_config/sliding_window", "128", "\"sliding_window\" (128) is not known"},
        {"document_ocr", "language_config/hidden_act", "\"gelu\"", "hidden_act \"gelu\" is not implemented"},
        {"document_ocr", "surprise", "7", "\"surprise\" (7) is not known"},
        {"document_ocr", "language_config/rope_theta", "1000000", NULL},
        {"document_ocr", "num_nextn_predict_layers", "1", NULL},
        {"document_ring", "language_config/use_mla", "true", "qk_rope_head_dim is 0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct vl2_config c;
        vl2_error err;
        vl2_status status = read_changed(cases[i].variant, cases[i].path, cases[i].value, &c, &err);
        bool fine = cases[i].part ? status == VL2_ERR_MODEL && strstr(err.text, cases[i].part) : status == VL2_OK;
        if (!ok(fine, "%s = %s is %s", cases[i].path, cases[i].value ? cases[i].value : "(removed)", cases[i].part ? "refused" : "accepted"))
            tap_diag("status %d, \"%s\"", status, err.text);
    }
}

static void test_processor(void) {
    static const struct {
        const char *path, *value, *part;
    } cases[] = {
        {"patch_size", "14", "patch_size 14 is not the vision tower's 16"},
        {"downsample_ratio", "2", "downsample_ratio 2 is not implemented; 4 is"},
        {"candidate_resolutions", "[[256, 512]]", "candidate_resolutions[0] is not implemented; 256 × 256 is"},
        {"image_mean", "[0.48, 0.5, 0.5]", "image_mean other than 0.5"},
        {"patch_size", NULL, NULL},
    };
    struct vl2_config c;
    vl2_error err;
    char path[64];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *root = load("document_ocr", "processor_config.json");
        change(root, cases[i].path, cases[i].value);
        store(root, "processor_config.json");
        vl2_status status = read_changed("document_ocr", NULL, NULL, &c, &err);
        bool fine = cases[i].part ? status == VL2_ERR_MODEL && strstr(err.text, cases[i].part) : status == VL2_OK;
        if (!ok(fine, "processor: %s = %s", cases[i].path, cases[i].value ? cases[i].value : "(removed)"))
            tap_diag("status %d, \"%s\"", status, err.text);
    }
    snprintf(path, sizeof path, "%s/processor_config.json", dir);
    unlink(path);
    ok(read_changed("document_ocr", NULL, NULL, &c, &err) == VL2_OK, "without processor_config.json: %s", err.text);
}

int main(int argc, char **argv) {
    char path[64];
    if (argc != 2 || !mkdtemp(dir)) {
        fprintf(stderr, "usage: %s CHECKPOINTS\n", argv[0]);
        return 2;
    }
    checkpoints = argv[1];
    test_families();
    test_values();
    test_refusals();
    test_processor();
    snprintf(path, sizeof path, "%s/config.json", dir);
    unlink(path);
    rmdir(dir);
    return tap_done();
}
