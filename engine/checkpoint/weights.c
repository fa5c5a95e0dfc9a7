/* SPDX-License-Identifier: MIT
 *
 * The table of tensors: one line per tensor with its name and shape. Names are those of the published checkpoints, whose
 * "view_seperator" is misspelt. Element types may differ from tensor to tensor.
 */
#include "engine/checkpoint/weights.h"

#include "engine/error.h"
#include "kernels/quant.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct binder {
    struct vlk_backend *backend;
    const struct vl2_config *config;
    vl2_checkpoint *checkpoint;
    const struct vl2_engine_options *options;
    struct vl2_weights *weights;
    vl2_finding_fn finding; /* a survey: tell every difference and bind nothing; NULL when binding */
    void *user;
    vl2_error *err;
    vl2_status status; /* the first failure sticks, later lines do nothing; in a survey only memory fails */
    uint64_t total;
    struct vlk_room *room; /* [2], by place: count what binding would take, and bind nothing; NULL otherwise */
    int32_t host_layers;
    vlk_place place; /* of what is bound next */
    char prefix[64];
};

static void format_dims(char *text, size_t size, int32_t n_dims, const int64_t *dims) {
    size_t used = (size_t)snprintf(text, size, "[");
    for (int32_t d = 0; d < n_dims && used < size; d++)
        used += (size_t)snprintf(text + used, size - used, d ? ", %lld" : "%lld", (long long)dims[d]);
    if (used < size)
        snprintf(text + used, size - used, "]");
}

/* A tensor that is not as config.json wants it: the end when binding, a finding in a survey. */
static void __attribute__((format(printf, 3, 4))) object(struct binder *b, vl2_finding kind, const char *format, ...) {
    char text[sizeof b->err->text];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (b->finding)
        b->finding(kind, text, b->user);
    else
        b->status = vl2_fail(b->err, VL2_ERR_MODEL, "%s", text);
}

/* Finds a tensor of exactly these dims and a float dtype, or objects. */
static struct vl2_tensor *find_tensor(struct binder *b, const char *name, int32_t n_dims, const int64_t *dims) {
    char full[128];
    if (b->status != VL2_OK)
        return NULL;
    snprintf(full, sizeof full, "%s%s", b->prefix, name);
    struct vl2_tensor *t = vl2_checkpoint_find(b->checkpoint, full);
    if (!t)
        t = vl2_checkpoint_make(b->checkpoint, full, n_dims, dims);
    if (!t && vl2_checkpoint_generated(b->checkpoint)) {
        b->status = vl2_fail(b->err, VL2_ERR_MEMORY, "There is not enough memory to generate tensor \"%s\".", full);
        return NULL;
    }
    if (!t) {
        object(b, VL2_FINDING_MISSING, "The checkpoint has no tensor \"%s\", which its config.json asks for.", full);
        return NULL;
    }
    t->used = true;
    if (t->n_dims != n_dims || memcmp(t->dims, dims, (size_t)n_dims * sizeof *dims) != 0) {
        char found[160], wanted[160];
        format_dims(found, sizeof found, t->n_dims, t->dims);
        format_dims(wanted, sizeof wanted, n_dims, dims);
        object(b, VL2_FINDING_SHAPE, "%s: tensor \"%s\" has the shape %s where config.json asks for %s.", t->file, full, found, wanted);
        return NULL;
    }
    if (!t->is_float) {
        object(b, VL2_FINDING_DTYPE, "%s: tensor \"%s\" has dtype %s, which is not implemented; F32, BF16 and F16 are.", t->file, full,
               t->dtype_name);
        return NULL;
    }
    uint64_t elements = 1;
    for (int32_t d = 0; d < n_dims; d++)
        elements *= (uint64_t)dims[d];
    b->weights->parameters += elements;
    b->weights->bytes += t->bytes;
    return t;
}

static void report(struct binder *b) {
    if (b->options->cancel && atomic_load(b->options->cancel))
        b->status = vl2_fail(b->err, VL2_CANCELLED, "Loading was cancelled.");
    else if (b->options->progress)
        b->options->progress(VL2_STAGE_LOAD, b->weights->bytes, b->total, b->options->progress_user);
}

/* What is missing or of another shape is said when it is bound. */
static void count_room(struct binder *b, const char *name, int32_t rows, int32_t cols, int32_t n_dims) {
    char full[128];
    vlk_dtype dtype;
    snprintf(full, sizeof full, "%s%s", b->prefix, name);
    if (vl2_checkpoint_dtype(b->checkpoint, full, n_dims, &dtype))
        b->backend->ops->weight_room(b->backend, &b->room[b->place], dtype, rows, cols);
}

static void bind_dims(struct binder *b, struct vlk_weight *out, int32_t rows, int32_t cols, const char *name, int32_t n_dims,
                      const int64_t *dims) {
    if (b->room) {
        count_room(b, name, rows, cols, n_dims);
        return;
    }
    struct vl2_tensor *t = find_tensor(b, name, n_dims, dims);
    if (!t || b->finding)
        return;
    *out = b->backend->ops->weight_import(b->backend, t->dtype, rows, cols, t->data, b->place);
    if (!out->data) {
        *out = (struct vlk_weight){0};
        b->status = vl2_fail(b->err, VL2_ERR_MEMORY, "There is not enough memory for tensor \"%s\" (%zu bytes) of %s.", t->name,
                             t->bytes, t->file);
        return;
    }
    b->weights->bound[b->weights->n_bound++] = out;
    report(b);
}

static void matrix(struct binder *b, struct vlk_weight *out, const char *name, int32_t rows, int32_t cols) {
    bind_dims(b, out, rows, cols, name, 2, (const int64_t[]){rows, cols});
}

static void vector(struct binder *b, struct vlk_weight *out, const char *name, int32_t size) {
    bind_dims(b, out, 1, size, name, 1, (const int64_t[]){size});
}

/* What the engine itself places among rows, or resizes: kept on the host as f32. */
static void host_table(struct binder *b, float **out, const char *name, int32_t n_dims, const int64_t *dims) {
    if (b->room)
        return;
    struct vl2_tensor *t = find_tensor(b, name, n_dims, dims);
    if (!t || b->finding)
        return;
    size_t element = t->dtype == VLK_F32 ? 4 : 2, size = t->bytes / element;
    *out = vlk_alloc(size, sizeof **out);
    if (!*out) {
        b->status = vl2_fail(b->err, VL2_ERR_MEMORY, "There is not enough memory for tensor \"%s\".", t->name);
        return;
    }
    b->weights->tables[b->weights->n_tables++] = *out;
    for (size_t i = 0; i < size; i++)
        (*out)[i] = vlk_float_at(t->dtype, t->data + i * element);
}

static void host_row(struct binder *b, float **out, const char *name, int32_t size) {
    host_table(b, out, name, 1, (const int64_t[]){size});
}

/* Calls of matrix/vector that follow name tensors below this prefix. */
static void __attribute__((format(printf, 2, 3))) set_prefix(struct binder *b, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(b->prefix, sizeof b->prefix, format, args);
    va_end(args);
}

static bool is_document(const struct binder *b) {
    return b->config->family != VL2_FAMILY_VL2;
}

static const char *language_prefix(const struct binder *b) {
    return is_document(b) ? "" : "language.";
}

/* A block of a tower, whose parts have these names: norm1, qkv, proj, norm2, fc1, fc2. */
static void bind_block(struct binder *b, struct vl2_vision_block *v, const char *const names[6], int32_t width, int32_t mlp) {
    struct vlk_weight *const out[6][2] = {{&v->norm1_w, &v->norm1_b}, {&v->qkv_w, &v->qkv_b}, {&v->proj_w, &v->proj_b},
                                          {&v->norm2_w, &v->norm2_b}, {&v->fc1_w, &v->fc1_b}, {&v->fc2_w, &v->fc2_b}};
    const int32_t rows[6] = {width, 3 * width, width, width, mlp, width}, cols[6] = {0, width, width, 0, width, mlp};
    for (int i = 0; i < 6; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.weight", names[i]);
        if (cols[i])
            matrix(b, out[i][0], name, rows[i], cols[i]);
        else
            vector(b, out[i][0], name, rows[i]);
        snprintf(name, sizeof name, "%s.bias", names[i]);
        vector(b, out[i][1], name, rows[i]);
    }
}

static void bind_vision(struct binder *b) {
    static const char *const names[] = {"norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2"};
    const struct vl2_config *c = b->config;
    struct vl2_weights *w = b->weights;
    int32_t width = c->vision.width, patch = c->vision.patch, tokens = c->vision.tokens;
    set_prefix(b, "vision.");
    bind_dims(b, &w->patch_w, width, 3 * patch * patch, "patch_embed.proj.weight", 4, (const int64_t[]){width, 3, patch, patch});
    vector(b, &w->patch_b, "patch_embed.proj.bias", width);
    bind_dims(b, &w->pos, tokens, width, "pos_embed", 3, (const int64_t[]){1, tokens, width});
    vector(b, &w->vision_norm_w, "norm.weight", width);
    vector(b, &w->vision_norm_b, "norm.bias", width);
    for (int32_t i = 0; i < c->vision.layers; i++) {
        set_prefix(b, "vision.blocks.%d.", i);
        bind_block(b, &w->vision[i], names, width, c->vision.mlp);
    }
}

static void convolution(struct binder *b, struct vlk_weight *out, const char *name, int32_t rows, int32_t inside, int32_t side) {
    bind_dims(b, out, rows, inside * side * side, name, 4, (const int64_t[]){rows, inside, side, side});
}

static void bind_sam(struct binder *b) {
    static const char *const names[] = {"norm1", "attn.qkv", "attn.proj", "norm2", "mlp.lin1", "mlp.lin2"};
    const struct vl2_config *c = b->config;
    struct vl2_document_weights *d = &b->weights->document;
    int32_t width = c->vision.width, neck = c->document.neck, grid = c->vision.grid;
    set_prefix(b, "model.sam_model.");
    convolution(b, &b->weights->patch_w, "patch_embed.proj.weight", width, 3, c->vision.patch);
    vector(b, &b->weights->patch_b, "patch_embed.proj.bias", width);
    host_table(b, &d->pos, "pos_embed", 4, (const int64_t[]){1, grid, grid, width});
    convolution(b, &d->neck_w[0], "neck.0.weight", neck, width, 1);
    convolution(b, &d->neck_w[1], "neck.2.weight", neck, neck, 3);
    convolution(b, &d->conv_w[0], "net_2.weight", c->document.channels[0], neck, 3);
    convolution(b, &d->conv_w[1], "net_3.weight", c->document.channels[1], c->document.channels[0], 3);
    vector(b, &d->neck_norm_w[0], "neck.1.weight", neck);
    vector(b, &d->neck_norm_b[0], "neck.1.bias", neck);
    vector(b, &d->neck_norm_w[1], "neck.3.weight", neck);
    vector(b, &d->neck_norm_b[1], "neck.3.bias", neck);
    for (int32_t i = 0; i < c->vision.layers && b->status == VL2_OK; i++) {
        const int64_t dims[] = {2 * (c->document.whole >> i & 1 ? grid : c->document.window) - 1, width / c->vision.heads};
        set_prefix(b, "model.sam_model.blocks.%d.", i);
        bind_block(b, &b->weights->vision[i], names, width, c->vision.mlp);
        host_table(b, &d->down[i], "attn.rel_pos_h", 2, dims);
        host_table(b, &d->across[i], "attn.rel_pos_w", 2, dims);
    }
}

static void bind_clip(struct binder *b) {
    static const char *const names[] = {"layer_norm1", "self_attn.qkv_proj", "self_attn.out_proj", "layer_norm2", "mlp.fc1", "mlp.fc2"};
    const struct vl2_config *c = b->config;
    struct vl2_document_weights *d = &b->weights->document;
    int32_t width = c->document.clip_width;
    set_prefix(b, "model.vision_model.");
    host_row(b, &d->class_row, "embeddings.class_embedding", width);
    host_table(b, &d->clip_pos, "embeddings.position_embedding.weight", 2,
               (const int64_t[]){1 + c->document.clip_grid * c->document.clip_grid, width});
    vector(b, &d->pre_norm_w, "pre_layrnorm.weight", width);
    vector(b, &d->pre_norm_b, "pre_layrnorm.bias", width);
    for (int32_t i = 0; i < c->document.clip_layers && b->status == VL2_OK; i++) {
        set_prefix(b, "model.vision_model.transformer.layers.%d.", i);
        bind_block(b, &d->clip[i], names, width, c->document.clip_mlp);
    }
}

/* nn.Sequential of Linears and GELUs: the Linears are layers.0, layers.2, …; a lone Linear has no number. */
static void bind_projector(struct binder *b) {
    const struct vl2_config *c = b->config;
    const char *outer = is_document(b) ? "model." : "";
    int32_t depth = c->projector.depth;
    for (int32_t i = 0; i < depth; i++) {
        if (c->projector.type == VL2_PROJ_LINEAR)
            set_prefix(b, "%sprojector.layers.", outer);
        else
            set_prefix(b, "%sprojector.layers.%d.", outer, 2 * i);
        int32_t out = i == depth - 1 ? c->projector.out : c->projector.hidden;
        matrix(b, &b->weights->proj_w[i], "weight", out, i == 0 ? c->projector.in : c->projector.hidden);
        vector(b, &b->weights->proj_b[i], "bias", out);
    }
    set_prefix(b, "%s", outer);
    host_row(b, &b->weights->newline, "image_newline", c->projector.out);
    host_row(b, &b->weights->separator, "view_seperator", c->projector.out);
}

static void bind_mla(struct binder *b, struct vl2_layer *l) {
    const struct vl2_config *c = b->config;
    int32_t hidden = c->lm.hidden, heads = c->lm.heads, head = c->lm.nope + c->lm.rope;
    bool bias = c->lm.attention_bias;
    if (c->lm.q_lora == 0) {
        matrix(b, &l->q, "self_attn.q_proj.weight", heads * head, hidden);
    } else {
        matrix(b, &l->q_a, "self_attn.q_a_proj.weight", c->lm.q_lora, hidden);
        if (bias)
            vector(b, &l->q_a_b, "self_attn.q_a_proj.bias", c->lm.q_lora);
        vector(b, &l->q_a_norm, "self_attn.q_a_layernorm.weight", c->lm.q_lora);
        matrix(b, &l->q_up, "self_attn.q_b_proj.weight", heads * head, c->lm.q_lora);
    }
    matrix(b, &l->kv_a, "self_attn.kv_a_proj_with_mqa.weight", c->lm.kv_lora + c->lm.rope, hidden);
    if (bias)
        vector(b, &l->kv_a_b, "self_attn.kv_a_proj_with_mqa.bias", c->lm.kv_lora + c->lm.rope);
    vector(b, &l->kv_a_norm, "self_attn.kv_a_layernorm.weight", c->lm.kv_lora);
    matrix(b, &l->kv_b, "self_attn.kv_b_proj.weight", heads * (c->lm.nope + c->lm.v), c->lm.kv_lora);
    matrix(b, &l->o, "self_attn.o_proj.weight", hidden, heads * c->lm.v);
    if (bias)
        vector(b, &l->o_b, "self_attn.o_proj.bias", hidden);
}

static void bind_mha(struct binder *b, struct vl2_layer *l) {
    const struct vl2_config *c = b->config;
    int32_t hidden = c->lm.hidden, q = c->lm.heads * c->lm.head_dim, kv = c->lm.kv_heads * c->lm.head_dim;
    matrix(b, &l->q, "self_attn.q_proj.weight", q, hidden);
    matrix(b, &l->k, "self_attn.k_proj.weight", kv, hidden);
    matrix(b, &l->v, "self_attn.v_proj.weight", kv, hidden);
    matrix(b, &l->o, "self_attn.o_proj.weight", hidden, q);
    if (!c->lm.attention_bias)
        return;
    vector(b, &l->q_b, "self_attn.q_proj.bias", q);
    vector(b, &l->k_b, "self_attn.k_proj.bias", kv);
    vector(b, &l->v_b, "self_attn.v_proj.bias", kv);
    vector(b, &l->o_b, "self_attn.o_proj.bias", hidden);
}

static bool is_quantised(const struct vlk_weight *w) {
    return w->dtype == VLK_I8G || w->dtype == VLK_I4G;
}

/* The MLP at the prefix. Quantised halves meet the same rounded activations in one product. */
static void gated(struct binder *b, struct vlk_weight *gate, struct vlk_weight *up, struct vlk_weight *down, int32_t inter, int32_t hidden) {
    matrix(b, gate, "gate_proj.weight", inter, hidden);
    matrix(b, up, "up_proj.weight", inter, hidden);
    matrix(b, down, "down_proj.weight", hidden, inter);
    if (b->status == VL2_OK && gate->dtype != up->dtype && (is_quantised(gate) || is_quantised(up)))
        b->status = vl2_fail(b->err, VL2_ERR_MODEL, "Of %sgate_proj and up_proj one is %s and one %s; they must be quantised alike.", b->prefix,
                             vlk_dtype_name(gate->dtype), vlk_dtype_name(up->dtype));
}

/* transformers holds the experts of a layer in two tensors and saves them one by one; other programs save what they hold. */
static bool are_fused(struct binder *b, int32_t layer) {
    static const char *const names[] = {"gate_up_proj", "gate_up_proj.weight", "gate_proj.weight", "up_proj.weight", "down_proj",
                                        "down_proj.weight"};
    bool fused = false;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && !vl2_checkpoint_generated(b->checkpoint); i++) {
        char full[128];
        snprintf(full, sizeof full, "%smodel.layers.%d.mlp.experts.%s", language_prefix(b), (int)layer, names[i]);
        struct vl2_tensor *t = vl2_checkpoint_find(b->checkpoint, full);
        if (!t)
            continue;
        if (!fused)
            object(b, VL2_FINDING_SHAPE,
                   "%s: the experts of layer %d are fused in one tensor (\"%s\"), which is not implemented; save them one by one, as "
                   "save_pretrained() of transformers does.",
                   t->file, (int)layer, full);
        t->used = fused = true;
    }
    return fused;
}

static void bind_moe(struct binder *b, struct vl2_layer *l, int32_t layer) {
    const struct vl2_config *c = b->config;
    int32_t hidden = c->lm.hidden, inter = c->lm.moe_inter, shared = c->lm.shared_inter, experts = c->lm.experts;
    matrix(b, &l->router, "mlp.gate.weight", experts, hidden);
    if (b->status == VL2_OK && is_quantised(&l->router))
        b->status = vl2_fail(b->err, VL2_ERR_MODEL, "The router of layer %d is quantised, which it must not be.", layer);
    if (c->lm.topk == VLK_TOPK_NOAUX_TC)
        vector(b, &l->router_bias, "mlp.gate.e_score_correction_bias", experts);
    if (shared) {
        set_prefix(b, "%smodel.layers.%d.mlp.shared_experts.", language_prefix(b), layer);
        gated(b, &l->gate, &l->up, &l->down, shared, hidden);
    }
    l->expert_gate = vlk_alloc((size_t)experts, sizeof *l->expert_gate);
    l->expert_up = vlk_alloc((size_t)experts, sizeof *l->expert_up);
    l->expert_down = vlk_alloc((size_t)experts, sizeof *l->expert_down);
    if (b->status == VL2_OK && (!l->expert_gate || !l->expert_up || !l->expert_down))
        b->status = vl2_fail(b->err, VL2_ERR_MEMORY, "There is not enough memory for the experts of layer %d.", layer);
    if (b->status == VL2_OK && are_fused(b, layer))
        return;
    b->place = layer >= c->lm.layers - b->host_layers ? VLK_PLACE_HOST : VLK_PLACE_DEVICE;
    for (int32_t e = 0; e < experts && b->status == VL2_OK; e++) {
        set_prefix(b, "%smodel.layers.%d.mlp.experts.%d.", language_prefix(b), layer, e);
        gated(b, &l->expert_gate[e], &l->expert_up[e], &l->expert_down[e], inter, hidden);
    }
    b->place = VLK_PLACE_DEVICE;
}

static void bind_language(struct binder *b) {
    const struct vl2_config *c = b->config;
    struct vl2_weights *w = b->weights;
    int32_t hidden = c->lm.hidden, inter = c->lm.dense_inter;
    set_prefix(b, "%s", language_prefix(b));
    matrix(b, &w->embed, "model.embed_tokens.weight", c->lm.vocab, hidden);
    vector(b, &w->norm, "model.norm.weight", hidden);
    matrix(b, &w->head, "lm_head.weight", c->lm.vocab, hidden);
    for (int32_t i = 0; i < c->lm.layers && b->status == VL2_OK; i++) {
        struct vl2_layer *l = &w->layers[i];
        set_prefix(b, "%smodel.layers.%d.", language_prefix(b), i);
        vector(b, &l->input_norm, "input_layernorm.weight", hidden);
        vector(b, &l->post_norm, "post_attention_layernorm.weight", hidden);
        if (c->lm.mla)
            bind_mla(b, l);
        else
            bind_mha(b, l);
        if (vl2_config_is_moe(c, i)) {
            bind_moe(b, l, i);
            continue;
        }
        set_prefix(b, "%smodel.layers.%d.mlp.", language_prefix(b), i);
        gated(b, &l->gate, &l->up, &l->down, inter, hidden);
    }
}

/* Tensors that published or converted checkpoints carry and the model does not use. */
static bool is_known_unused(const char *name) {
    static const char *const starts[] = {"vision.attn_pool.", "padding.", "model.vision_model.embeddings.patch_embedding.",
                                         "model.vision_model.embeddings.position_ids"};
    static const char rope[] = ".rotary_emb.inv_freq";
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
        if (strncmp(name, starts[i], strlen(starts[i])) == 0)
            return true;
    return length >= sizeof rope && strcmp(name + length - (sizeof rope - 1), rope) == 0;
}

/* A layer behind the last one guesses further tokens, in document models that were trained to. */
static bool is_guessing_layer(const struct binder *b, const char *name) {
    int layer;
    return is_document(b) && sscanf(name, "model.layers.%5d.", &layer) == 1 && layer >= b->config->lm.layers;
}

void vl2_weights_count(vl2_checkpoint *checkpoint, uint64_t *bytes, uint64_t *parameters) {
    *bytes = *parameters = 0;
    for (size_t i = 0; i < vl2_checkpoint_count(checkpoint); i++) {
        const struct vl2_tensor *t = vl2_checkpoint_tensor(checkpoint, i);
        if (is_known_unused(t->name))
            continue;
        uint64_t elements = 1;
        for (int32_t d = 0; d < t->n_dims; d++)
            elements *= (uint64_t)t->dims[d];
        *bytes += t->bytes;
        *parameters += elements;
    }
}

static void refuse_unknown(struct binder *b) {
    for (size_t i = 0; b->status == VL2_OK && i < vl2_checkpoint_count(b->checkpoint); i++) {
        const struct vl2_tensor *t = vl2_checkpoint_tensor(b->checkpoint, i);
        if (!t->used && !is_known_unused(t->name) && !is_guessing_layer(b, t->name))
            object(b, VL2_FINDING_EXTRA, "%s: tensor \"%.200s\" is not part of the model that config.json describes.", t->file, t->name);
    }
}

/* The table itself, line by line. */
static vl2_status walk(struct binder *b) {
    struct vl2_weights *w = b->weights;
    size_t most = vl2_checkpoint_most(b->checkpoint);
    w->bound = vlk_alloc(most, sizeof *w->bound);
    w->tables = vlk_alloc(most, sizeof *w->tables);
    w->vision = vlk_alloc((size_t)b->config->vision.layers, sizeof *w->vision);
    w->layers = vlk_alloc((size_t)b->config->lm.layers, sizeof *w->layers);
    w->document.down = vlk_alloc((size_t)b->config->vision.layers, sizeof *w->document.down);
    w->document.across = vlk_alloc((size_t)b->config->vision.layers, sizeof *w->document.across);
    w->document.clip = vlk_alloc((size_t)b->config->document.clip_layers, sizeof *w->document.clip);
    if (!w->bound || !w->tables || !w->vision || !w->layers || !w->document.down || !w->document.across || !w->document.clip)
        return vl2_fail(b->err, VL2_ERR_MEMORY, "There is not enough memory for the table of tensors.");
    if (is_document(b)) {
        bind_sam(b);
        bind_clip(b);
    } else {
        bind_vision(b);
    }
    bind_projector(b);
    bind_language(b);
    if (!b->room)
        refuse_unknown(b);
    return b->status;
}

vl2_status vl2_weights_bind(struct vlk_backend *backend, const struct vl2_config *config, vl2_checkpoint *checkpoint,
                            const struct vl2_engine_options *options, int32_t host_layers, struct vl2_weights *out, vl2_error *err) {
    struct binder b = {.backend = backend, .config = config, .checkpoint = checkpoint, .options = options, .weights = out, .err = err,
                       .host_layers = host_layers, .total = vl2_checkpoint_bytes(checkpoint)};
    *out = (struct vl2_weights){0};
    return walk(&b);
}

static void free_tables(const struct vl2_config *config, struct vl2_weights *w) {
    for (int32_t i = 0; w->layers && i < config->lm.layers; i++) {
        vlk_free(w->layers[i].expert_gate);
        vlk_free(w->layers[i].expert_up);
        vlk_free(w->layers[i].expert_down);
    }
    for (size_t i = 0; i < w->n_tables; i++)
        vlk_free(w->tables[i]);
    vlk_free(w->tables);
    vlk_free(w->document.down);
    vlk_free(w->document.across);
    vlk_free(w->document.clip);
    vlk_free(w->layers);
    vlk_free(w->vision);
    vlk_free(w->bound);
    *w = (struct vl2_weights){0};
}

vl2_status vl2_weights_survey(const struct vl2_config *config, vl2_checkpoint *checkpoint, vl2_finding_fn finding, void *user,
                              uint64_t *parameters, vl2_error *err) {
    struct vl2_weights weights = {0};
    struct binder b = {.config = config, .checkpoint = checkpoint, .weights = &weights, .finding = finding, .user = user, .err = err};
    vl2_status status = walk(&b);
    *parameters = weights.parameters;
    free_tables(config, &weights);
    return status;
}

vl2_status vl2_weights_room(struct vlk_backend *backend, const struct vl2_config *config, vl2_checkpoint *checkpoint, int32_t host_layers,
                            struct vlk_room room[2], vl2_error *err) {
    struct vl2_weights weights = {0};
    struct binder b = {.backend = backend, .config = config, .checkpoint = checkpoint, .weights = &weights, .err = err,
                       .host_layers = host_layers, .room = room};
    room[VLK_PLACE_DEVICE] = room[VLK_PLACE_HOST] = (struct vlk_room){0};
    vl2_status status = walk(&b);
    free_tables(config, &weights);
    return status;
}

void vl2_weights_deinit(struct vlk_backend *backend, const struct vl2_config *config, struct vl2_weights *w) {
    for (size_t i = 0; i < w->n_bound; i++)
        backend->ops->weight_release(backend, w->bound[i]);
    free_tables(config, w);
}
