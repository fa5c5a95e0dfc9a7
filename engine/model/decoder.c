/* SPDX-License-Identifier: MIT
 *
 * modeling_deepseek.py: DeepseekV2DecoderLayer.forward, DeepseekV2Attention.forward, DeepseekV2MoE.forward; transformers 4.38
 * modeling_llama.py: LlamaAttention.forward for MHA. See engine/model/decoder.h.
 */
#include "engine/model/decoder.h"

#include "engine/error.h"
#include "engine/model/device_memory.h"

#include <string.h>

static const float lora_norm_eps = 1e-6f; /* q_a_layernorm, kv_a_layernorm: the class default whatever rms_norm_eps says */

struct widths { /* floats per token of each scratch array */
    size_t q, q_a, k, v, attended;
};

static struct widths scratch_widths(const struct vl2_config *c) {
    size_t heads = (size_t)c->lm.heads;
    if (c->lm.mla)
        return (struct widths){.q = heads * (size_t)(c->lm.nope + c->lm.rope),
                               .q_a = (size_t)c->lm.q_lora,
                               .k = vl2_kv_width(c),
                               .attended = heads * (size_t)c->lm.v};
    return (struct widths){.q = heads * (size_t)c->lm.head_dim,
                           .k = vl2_kv_width(c),
                           .v = vl2_kv_width(c),
                           .attended = heads * (size_t)c->lm.head_dim};
}

enum { PARTS = 13 };

/* 4-byte elements of each array, in the order of vl2_scratch_init(); 0 = this model has no such array. */
static void count_parts(const struct vl2_config *c, int32_t rows, size_t counts[PARTS]) {
    struct widths w = scratch_widths(c);
    size_t hidden = (size_t)c->lm.hidden, k = (size_t)c->lm.experts_per_token, n = (size_t)rows;
    const size_t all[PARTS] = {n, n * hidden, n * hidden, n * w.q, n * w.q_a, n * w.k, n * w.v, n * w.attended, n * k, n * k,
                               (size_t)c->lm.vocab, sizeof(struct vlk_step) / 4, c->lm.ring ? sizeof(struct vlk_step) / 4 : 0};
    memcpy(counts, all, sizeof all);
}

size_t vl2_scratch_bytes(const struct vl2_config *c, int32_t rows, size_t granule) {
    size_t counts[PARTS], bytes = 0;
    count_parts(c, rows, counts);
    for (int i = 0; i < PARTS; i++)
        bytes += vlk_taken(4 * counts[i], granule);
    return bytes;
}

vl2_status vl2_scratch_init(const struct vl2_engine *e, int32_t rows, struct vl2_scratch *s, vl2_error *err) {
    const struct vl2_config *c = &e->config;
    size_t counts[PARTS];
    count_parts(c, rows, counts);
    *s = (struct vl2_scratch){.rows = rows};
    void **const parts[PARTS] = {(void **)&s->ids, (void **)&s->x, (void **)&s->h, (void **)&s->q,
                                 (void **)&s->q_a, (void **)&s->k, (void **)&s->v, (void **)&s->attended,
                                 (void **)&s->expert_ids, (void **)&s->expert_weights, (void **)&s->logits, (void **)&s->step,
                                 (void **)&s->ring_step};
    for (size_t i = 0; i < PARTS; i++) {
        if (counts[i] == 0)
            continue;
        *parts[i] = vl2_device_alloc(e, 4 * counts[i]);
        if (!*parts[i]) {
            vl2_scratch_deinit(e, s);
            return vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory to compute chunks of %d tokens (%zu MiB).", rows,
                            vl2_scratch_bytes(c, rows, 0) >> 20);
        }
    }
    return VL2_OK;
}

void vl2_scratch_deinit(const struct vl2_engine *e, struct vl2_scratch *s) {
    void *const parts[] = {s->ids, s->x, s->h, s->q, s->q_a, s->k, s->v, s->attended, s->expert_ids, s->expert_weights, s->logits,
                           s->step, s->ring_step};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (parts[i])
            e->backend->ops->mem_free(e->backend, parts[i]);
    *s = (struct vl2_scratch){0};
}

/* One block of one pass. */
struct block {
    const struct vl2_engine *engine;
    const struct vl2_layer *weights;
    const struct vl2_scratch *scratch;
    const struct vl2_sequence *sequences;
    int32_t count, layer, n;
    bool apart; /* the rows are of as many sequences */
};

static void linear(const struct block *b, struct vlk_weight w, struct vlk_weight bias, const float *x, float *y) {
    struct vlk_backend *be = b->engine->backend;
    be->ops->linear(be, &(struct vlk_linear_args){.n = b->n, .w = w, .b = bias, .x = x, .y = y, .apart = b->apart});
}

static void rmsnorm(struct vlk_backend *be, int32_t n, struct vlk_weight w, float eps, const float *x, float *y) {
    be->ops->rmsnorm(be, &(struct vlk_rmsnorm_args){.n = n, .width = w.cols, .eps = eps, .w = w, .x = x, .y = y});
}

/* The attention of the n rows of sequence i. */
static void attend_mla(const struct block *b, int32_t i, int32_t n) {
    const struct vl2_config *c = &b->engine->config;
    struct vlk_backend *be = b->engine->backend;
    const struct vl2_scratch *s = b->scratch;
    const struct vl2_sequence *sequence = &b->sequences[i];
    struct widths w = scratch_widths(c);
    size_t row = (size_t)i * (size_t)n;
    be->ops->mla_write(be, &(struct vlk_mla_write_args){.n = n,
                                                        .heads = c->lm.heads,
                                                        .nope = c->lm.nope,
                                                        .lora = c->lm.kv_lora,
                                                        .eps = lora_norm_eps,
                                                        .rope = b->engine->rope,
                                                        .kv_norm = b->weights->kv_a_norm,
                                                        .step = sequence->step,
                                                        .q = s->q + row * w.q,
                                                        .kv_a = s->k + row * w.k,
                                                        .cache = sequence->kv->k[b->layer],
                                                        .cache_dtype = sequence->kv->dtype});
    be->ops->mla_attend(be, &(struct vlk_mla_attend_args){.n = n,
                                                          .heads = c->lm.heads,
                                                          .nope = c->lm.nope,
                                                          .lora = c->lm.kv_lora,
                                                          .v = c->lm.v,
                                                          .rope = c->lm.rope,
                                                          .scale = b->engine->attention_scale,
                                                          .max_pos = sequence->max_pos,
                                                          .step = sequence->step,
                                                          .kv_b = b->weights->kv_b,
                                                          .q = s->q + row * w.q,
                                                          .cache = sequence->kv->k[b->layer],
                                                          .cache_dtype = sequence->kv->dtype,
                                                          .out = s->attended + row * w.attended,
                                                          .probs = s->probs,
                                                          .probs_stride = s->probs_stride});
}

/* The cache as if it began `shift` rows earlier. */
static void *shifted(const struct block *b, const struct vl2_sequence *sequence, void *cache) {
    size_t row = vl2_kv_width(&b->engine->config) * (sequence->kv->dtype == VLK_BF16 ? 2 : 4);
    return (char *)cache - sequence->shift * row;
}

static void attend_mha(const struct block *b, int32_t i, int32_t n) {
    const struct vl2_config *c = &b->engine->config;
    struct vlk_backend *be = b->engine->backend;
    const struct vl2_scratch *s = b->scratch;
    const struct vl2_sequence *sequence = &b->sequences[i];
    struct widths w = scratch_widths(c);
    size_t row = (size_t)i * (size_t)n;
    be->ops->mha_write(be, &(struct vlk_mha_write_args){.n = n,
                                                        .heads = c->lm.heads,
                                                        .kv_heads = c->lm.kv_heads,
                                                        .head_dim = c->lm.head_dim,
                                                        .rope = b->engine->rope,
                                                        .step = sequence->step,
                                                        .q = s->q + row * w.q,
                                                        .k = s->k + row * w.k,
                                                        .v = s->v + row * w.v,
                                                        .k_cache = shifted(b, sequence, sequence->kv->k[b->layer]),
                                                        .v_cache = shifted(b, sequence, sequence->kv->v[b->layer]),
                                                        .cache_dtype = sequence->kv->dtype});
    be->ops->mha_attend(be, &(struct vlk_mha_attend_args){.n = n,
                                                          .heads = c->lm.heads,
                                                          .kv_heads = c->lm.kv_heads,
                                                          .head_dim = c->lm.head_dim,
                                                          .scale = b->engine->attention_scale,
                                                          .max_pos = sequence->max_pos,
                                                          .step = sequence->seen ? sequence->seen : sequence->step,
                                                          .q = s->q + row * w.q,
                                                          .k_cache = sequence->kv->k[b->layer],
                                                          .v_cache = sequence->kv->v[b->layer],
                                                          .cache_dtype = sequence->kv->dtype,
                                                          .out = s->attended + row * w.attended,
                                                          .probs = s->probs,
                                                          .probs_stride = s->probs_stride});
}

/* Queries, and what becomes keys and values. */
static void project(const struct block *b) {
    const struct vl2_scratch *s = b->scratch;
    const struct vl2_layer *l = b->weights;
    if (!b->engine->config.lm.mla) {
        linear(b, l->q, l->q_b, s->h, s->q);
        linear(b, l->k, l->k_b, s->h, s->k);
        linear(b, l->v, l->v_b, s->h, s->v);
        return;
    }
    if (b->engine->config.lm.q_lora) {
        linear(b, l->q_a, l->q_a_b, s->h, s->q_a);
        rmsnorm(b->engine->backend, b->n, l->q_a_norm, lora_norm_eps, s->q_a, s->q_a);
        linear(b, l->q_up, (struct vlk_weight){0}, s->q_a, s->q);
    } else {
        linear(b, l->q, (struct vlk_weight){0}, s->h, s->q);
    }
    linear(b, l->kv_a, l->kv_a_b, s->h, s->k);
}

static void run_experts(const struct block *b) {
    const struct vl2_config *c = &b->engine->config;
    const struct vl2_layer *l = b->weights;
    const struct vl2_scratch *s = b->scratch;
    struct vlk_backend *be = b->engine->backend;
    be->ops->router(be, &(struct vlk_router_args){.n = b->n,
                                                  .k = c->lm.experts_per_token,
                                                  .n_group = c->lm.n_group,
                                                  .topk_group = c->lm.topk_group,
                                                  .score = c->lm.score,
                                                  .method = c->lm.topk,
                                                  .norm_topk = c->lm.norm_topk,
                                                  .scaling = c->lm.routed_scaling,
                                                  .w = l->router,
                                                  .bias = l->router_bias,
                                                  .x = s->h,
                                                  .expert_ids = s->expert_ids,
                                                  .expert_weights = s->expert_weights,
                                                  .apart = b->apart});
    be->ops->moe(be, &(struct vlk_moe_args){.n = b->n,
                                            .k = c->lm.experts_per_token,
                                            .experts = c->lm.experts,
                                            .gate = l->expert_gate,
                                            .up = l->expert_up,
                                            .down = l->expert_down,
                                            .shared_gate = l->gate,
                                            .shared_up = l->up,
                                            .shared_down = l->down,
                                            .expert_ids = s->expert_ids,
                                            .expert_weights = s->expert_weights,
                                            .x = s->h,
                                            .y = s->x,
                                            .apart = b->apart});
}

void vl2_decoder_layer(const struct vl2_engine *e, const struct vl2_sequence *sequences, int32_t count, const struct vl2_scratch *s,
                       int32_t layer, int32_t n) {
    const struct vl2_layer *l = &e->weights.layers[layer];
    const struct block b = {e, l, s, sequences, count, layer, n, count > 1};
    struct vlk_backend *be = e->backend;
    rmsnorm(be, n, l->input_norm, e->config.lm.rms_eps, s->x, s->h);
    project(&b);
    for (int32_t i = 0; i < count; i++) {
        if (e->config.lm.mla)
            attend_mla(&b, i, n / count);
        else
            attend_mha(&b, i, n / count);
    }
    be->ops->linear(be, &(struct vlk_linear_args){
        .n = n, .w = l->o, .b = l->o_b, .accumulate = true, .x = s->attended, .y = s->x, .apart = b.apart});
    rmsnorm(be, n, l->post_norm, e->config.lm.rms_eps, s->x, s->h);
    if (vl2_config_is_moe(&e->config, layer))
        run_experts(&b);
    else
        be->ops->mlp(be, &(struct vlk_mlp_args){.n = n,
                                                .gate = l->gate,
                                                .up = l->up,
                                                .down = l->down,
                                                .accumulate = true,
                                                .x = s->h,
                                                .y = s->x,
                                                .apart = b.apart});
}

void vl2_decoder_tokens(const struct vl2_engine *e, const struct vl2_sequence *sequence, const struct vl2_scratch *s, int32_t n) {
    e->backend->ops->embed(e->backend, &(struct vlk_embed_args){
        .n = n, .width = e->config.lm.hidden, .ids = s->ids, .table = e->weights.embed, .out = s->x});
    for (int32_t layer = 0; layer < e->config.lm.layers; layer++)
        vl2_decoder_layer(e, sequence, 1, s, layer, n);
}

void vl2_decoder_logits(const struct vl2_engine *e, const struct vl2_scratch *s, int32_t first, int32_t n, bool apart, float *logits) {
    size_t offset = (size_t)first * (size_t)e->config.lm.hidden;
    rmsnorm(e->backend, n, e->weights.norm, e->config.lm.rms_eps, s->x + offset, s->h);
    e->backend->ops->linear(e->backend, &(struct vlk_linear_args){.n = n, .w = e->weights.head, .x = s->h, .y = logits, .apart = apart});
}
