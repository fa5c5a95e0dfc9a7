/* SPDX-License-Identifier: MIT
 *
 * A checkpoint folder compared with what its config.json describes and with the three published models: their settings
 * (published config.json files and the official classes' defaults), their tensors and their token ids. Headers only.
 * See vl2_inspect in engine/vl2.h. It must not compute with weights.
 */
#include "engine/checkpoint/checkpoint.h"
#include "engine/checkpoint/config.h"
#include "engine/checkpoint/published_shapes.h"
#include "engine/checkpoint/weights.h"
#include "engine/error.h"
#include "engine/text/tokenizer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { N_SETTINGS = 44 };

/* Of all tensors, the unused pooling head of the vision tower included. */
static const uint64_t published_parameters[VL2_N_PUBLISHED] = {3370501440, 16148349504, 27480134248};

struct inspector {
    struct vl2_config config;
    vl2_finding_fn finding;
    void *user;
    struct vl2_inspection *out;
    int published; /* index, -1 = none */
};

static void tell(vl2_finding kind, const char *sentence, void *user) {
    struct inspector *in = user;
    in->out->findings++;
    if (in->finding)
        in->finding(kind, sentence, in->user);
}

static void __attribute__((format(printf, 3, 4))) find(struct inspector *in, vl2_finding kind, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    tell(kind, text, in);
}

/* ------------------------------------------------------------------------------------------ settings */

/* In the order of read_settings(). */
static const char *const setting_names[N_SETTINGS] = {
    "vision image_size", "vision patch_size", "vision width", "vision layers", "vision heads", "vision MLP width",
    "projector type", "projector depth", "projector downsample_ratio", "projector mlp width", "global_view_pos head",
    "hidden_size", "num_hidden_layers", "vocab_size", "num_attention_heads", "num_key_value_heads", "use_mla",
    "attention_bias", "q_lora_rank", "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim",
    "intermediate_size", "moe_intermediate_size", "width of the shared experts", "n_routed_experts",
    "num_experts_per_tok", "n_group", "topk_group", "first_k_dense_replace", "moe_layer_freq", "scoring_func",
    "topk_method", "norm_topk_prob", "routed_scaling_factor", "rms_norm_eps", "max_position_embeddings", "bos_token_id",
    "eos_token_id", "rope_scaling", "rope_theta", "number of candidate_resolutions", "tile side",
};

/* What a model has no use for is 0. */
static void read_settings(const struct vl2_config *c, double values[N_SETTINGS]) {
    const double read[N_SETTINGS] = {
        c->vision.side, c->vision.patch, c->vision.width, c->vision.layers, c->vision.heads, c->vision.mlp,
        c->projector.type, c->projector.depth, c->projector.r, c->projector.hidden, c->global_first,
        c->lm.hidden, c->lm.layers, c->lm.vocab, c->lm.heads, c->lm.kv_heads, c->lm.mla, c->lm.attention_bias,
        c->lm.q_lora, c->lm.kv_lora, c->lm.nope, c->lm.rope, c->lm.v,
        c->lm.dense_inter, c->lm.moe_inter, c->lm.shared_inter, c->lm.experts, c->lm.experts_per_token,
        c->lm.n_group, c->lm.topk_group, c->lm.first_dense, c->lm.moe_freq,
        c->lm.score, c->lm.topk, c->lm.norm_topk, (double)c->lm.routed_scaling, (double)c->lm.rms_eps,
        c->lm.context, c->lm.bos, c->lm.eos[0], c->lm.rope_scaling.type, c->lm.rope_scaling.theta,
        c->tiles.n_candidates, c->tiles.side,
    };
    memcpy(values, read, sizeof read);
}

static void check_candidates(struct inspector *in, const struct vl2_config *published) {
    for (int32_t i = 0; i < in->config.tiles.n_candidates && i < published->tiles.n_candidates; i++) {
        const int32_t *pair = in->config.candidates[i], *wanted = published->candidates[i];
        if (pair[0] != wanted[0] || pair[1] != wanted[1])
            find(in, VL2_FINDING_CONFIG, "candidate_resolutions[%d] is %d × %d, in the published model %d × %d.", i, pair[0], pair[1],
                 wanted[0], wanted[1]);
    }
}

/* How many settings are those of the published model. */
static int count_agreeing(const double values[N_SETTINGS], int which) {
    struct vl2_config published;
    double wanted[N_SETTINGS];
    int agree = 0;
    vl2_published_config(which, &published);
    read_settings(&published, wanted);
    for (int i = 0; i < N_SETTINGS; i++)
        agree += values[i] == wanted[i];
    return agree;
}

/* The published model that nearly all settings agree with; the others are findings. */
static void check_settings(struct inspector *in) {
    struct vl2_config published;
    double values[N_SETTINGS], wanted[N_SETTINGS];
    int best = 0, agree[VL2_N_PUBLISHED];
    read_settings(&in->config, values);
    for (int m = 0; m < VL2_N_PUBLISHED; m++) {
        agree[m] = count_agreeing(values, m);
        best = agree[m] > agree[best] ? m : best;
    }
    in->published = agree[best] >= N_SETTINGS - 6 ? best : -1;
    if (in->published < 0)
        return;
    in->out->published = vl2_published_config(best, &published);
    read_settings(&published, wanted);
    for (int i = 0; i < N_SETTINGS; i++)
        if (values[i] != wanted[i])
            find(in, VL2_FINDING_CONFIG, "%s is %g, in the published model %g.", setting_names[i], values[i], wanted[i]);
    check_candidates(in, &published);
}

/* ------------------------------------------------------------------------------------------ tensors */

struct pool_tensor {
    const char *name;
    int32_t n_dims;
    int64_t dims[3];
};

/* The pooling head of the vision tower: published, and not used.   timm: AttentionPoolLatent */
static const struct pool_tensor pool_tensors[] = {
    {"latent", 3, {1, 1, 1152}},          {"q.weight", 2, {1152, 1152}},        {"q.bias", 1, {1152}},
    {"kv.weight", 2, {2304, 1152}},       {"kv.bias", 1, {2304}},               {"proj.weight", 2, {1152, 1152}},
    {"proj.bias", 1, {1152}},             {"norm.weight", 1, {1152}},           {"norm.bias", 1, {1152}},
    {"mlp.fc1.weight", 2, {4304, 1152}},  {"mlp.fc1.bias", 1, {4304}},          {"mlp.fc2.weight", 2, {1152, 4304}},
    {"mlp.fc2.bias", 1, {1152}},
};

static void check_pool(struct inspector *in, vl2_checkpoint *checkpoint) {
    for (size_t i = 0; i < sizeof pool_tensors / sizeof pool_tensors[0]; i++) {
        const struct pool_tensor *want = &pool_tensors[i];
        char name[64];
        snprintf(name, sizeof name, "vision.attn_pool.%s", want->name);
        const struct vl2_tensor *t = vl2_checkpoint_find(checkpoint, name);
        if (!t)
            find(in, VL2_FINDING_MISSING, "The checkpoint has no tensor \"%s\"; it is not used, but the published model has it.", name);
        else if (t->n_dims != want->n_dims || memcmp(t->dims, want->dims, (size_t)want->n_dims * sizeof *t->dims) != 0)
            find(in, VL2_FINDING_SHAPE, "%s: tensor \"%s\" has another shape than in the published model.", t->file, name);
    }
}

static uint64_t elements(const struct vl2_tensor *t) {
    uint64_t n = 1;
    for (int32_t d = 0; d < t->n_dims; d++)
        n *= (uint64_t)t->dims[d];
    return n;
}

static vl2_status check_tensors(struct inspector *in, vl2_checkpoint *checkpoint, vl2_error *err) {
    uint64_t bound;
    vl2_status status = vl2_weights_survey(&in->config, checkpoint, tell, in, &bound, err);
    if (status != VL2_OK)
        return status;
    for (size_t i = 0; i < vl2_checkpoint_count(checkpoint); i++) {
        const struct vl2_tensor *t = vl2_checkpoint_tensor(checkpoint, i);
        in->out->tensors++;
        in->out->bytes += t->bytes;
        in->out->parameters += elements(t);
        if (in->published >= 0 && strcmp(t->dtype_name, "BF16") != 0)
            find(in, VL2_FINDING_DTYPE, "%s: tensor \"%.200s\" has dtype %s, in the published model BF16.", t->file, t->name, t->dtype_name);
    }
    if (in->published < 0)
        return VL2_OK;
    check_pool(in, checkpoint);
    if (in->out->findings == 0 && in->out->parameters != published_parameters[in->published])
        find(in, VL2_FINDING_SHAPE, "The tensors have %llu parameters, the published model %llu.", (unsigned long long)in->out->parameters,
             (unsigned long long)published_parameters[in->published]);
    return VL2_OK;
}

/* ------------------------------------------------------------------------------------------ token ids */

enum { UNSTATED = -2 };

static void check_token(struct inspector *in, const char *name, int32_t id, int32_t published) {
    if (id >= in->config.lm.vocab)
        find(in, VL2_FINDING_TOKEN, "%s has the id %d, outside the vocabulary of %d.", name, id, in->config.lm.vocab);
    else if (in->published >= 0 && published != UNSTATED && id != published)
        find(in, VL2_FINDING_TOKEN, "%s has the id %d, in the published model %d.", name, id, published);
}

static vl2_status check_tokens(struct inspector *in, const char *dir, vl2_error *err) {
    vl2_tokenizer *tokenizer = NULL;
    vl2_status status = vl2_tokenizer_open(dir, &tokenizer, err);
    if (status != VL2_OK)
        return status;
    const struct vl2_special s = *vl2_tokenizer_special(tokenizer);
    bool small = in->published == 1;
    in->out->tokens.bos = s.bos;
    in->out->tokens.eos = s.eos;
    in->out->tokens.pad = s.pad;
    in->out->tokens.image = s.image;
    in->out->tokens.ref = s.ref;
    in->out->tokens.ref_end = s.ref_end;
    in->out->tokens.det = s.det;
    in->out->tokens.det_end = s.det_end;
    in->out->tokens.grounding = s.grounding;
    in->out->tokens.user = s.user;
    in->out->tokens.assistant = s.assistant;
    check_token(in, "The beginning of a sentence", s.bos, small ? 100000 : 0);
    check_token(in, "The end of a sentence", s.eos, small ? 100001 : 1);
    check_token(in, "Padding", s.pad, small ? 100002 : 2);
    check_token(in, "<image>", s.image, small ? 100003 : 128815);
    check_token(in, "<|ref|>", s.ref, small ? 100004 : 128816);
    check_token(in, "<|/ref|>", s.ref_end, small ? 100005 : 128817);
    check_token(in, "<|det|>", s.det, small ? 100006 : 128818);
    check_token(in, "<|/det|>", s.det_end, small ? 100007 : 128819);
    check_token(in, "<|grounding|>", s.grounding, small ? 100008 : 128820);
    check_token(in, "<|User|>", s.user, small ? 100009 : UNSTATED);
    check_token(in, "<|Assistant|>", s.assistant, small ? 100010 : UNSTATED);
    if (vl2_tokenizer_size(tokenizer) > in->config.lm.vocab)
        find(in, VL2_FINDING_TOKEN, "%s/tokenizer.json uses token ids up to %d, but the model has %d embeddings.", dir,
             vl2_tokenizer_size(tokenizer) - 1, in->config.lm.vocab);
    vl2_tokenizer_close(tokenizer);
    return VL2_OK;
}

vl2_status vl2_inspect(const char *dir, vl2_finding_fn finding, void *user, struct vl2_inspection *out, vl2_error *err) {
    struct inspector in = {.finding = finding, .user = user, .out = out};
    vl2_checkpoint *checkpoint = NULL;
    *out = (struct vl2_inspection){0};
    vl2_status status = vl2_config_load(dir, &in.config, err);
    if (status == VL2_OK)
        status = vl2_checkpoint_open(dir, &checkpoint, err);
    if (status != VL2_OK)
        return status;
    check_settings(&in);
    status = check_tensors(&in, checkpoint, err);
    vl2_checkpoint_close(checkpoint);
    return status == VL2_OK ? check_tokens(&in, dir, err) : status;
}
