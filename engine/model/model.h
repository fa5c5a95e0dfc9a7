/* SPDX-License-Identifier: MIT
 *
 * The page that explains the model: what DeepSeek-VL2 is (config), what it learned (weights), what a conversation adds (kv),
 * and what a pass needs (scratch). Private to engine/; every pointer has its shape. All float pointers marked (be) are
 * backend memory (kernels/vlk.h).
 *
 *   tiles u8 ──patch_embed──▶ vision blocks ──norm──▶ unfold 2×2 ──projector──▶ picture rows (+ newline, separator)
 *   ids ──embed (picture rows where id < 0)──▶ L × [ norm → attention → + ; norm → MLP or router+experts → + ] ──norm──▶ lm_head
 *
 *   config   immutable, every field range-checked (config.c)
 *   weights  immutable after binding, shared by sessions (weights.c: one table line per tensor)
 *   kv       per session: the cache (kv_cache.c) and what is in it (session.c)
 *   scratch  per session: sized once from config and chunk, nothing is allocated while decoding (decoder.c)
 */
#ifndef VL2_MODEL_H
#define VL2_MODEL_H

#include "engine/text/special_tokens.h"
#include "engine/vl2.h"
#include "kernels/vlk.h"

#define VL2_MAX_LAYERS 512
#define VL2_MAX_CANDIDATES 64
#define VL2_MAX_EOS 16
#define VL2_MAX_PROJECTOR_LAYERS 8

typedef enum { VL2_ROPE_NONE, VL2_ROPE_LINEAR, VL2_ROPE_DYNAMIC, VL2_ROPE_YARN } vl2_rope_type;
/* DeepSeek-VL2 and the document models that share its language model: one picture of a page and one instruction, no roles, another
 * encoder (document_encoder.h). */
typedef enum { VL2_FAMILY_VL2, VL2_FAMILY_OCR, VL2_FAMILY_UNLIMITED_OCR } vl2_family;
typedef enum { VL2_PROJ_DOWNSAMPLE_MLP_GELU, VL2_PROJ_MLP_GELU, VL2_PROJ_LINEAR, VL2_PROJ_IDENTITY } vl2_projector_type;

struct vl2_config {
    vl2_family family;
    struct { /* siglip_vit.py: VisionTransformer; document models: sam_vary_sdpa.py: ImageEncoderViT, on a view of the base mode */
        int32_t side, patch, width, layers, heads, mlp; /* mlp = int(width * mlp_ratio) */
        int32_t grid, tokens;                           /* grid = side / patch (floor), tokens = grid² */
    } vision;
    struct { /* modeling_deepseek_vl_v2.py: MlpProjector */
        vl2_projector_type type;
        int32_t in, hidden, out, depth, r; /* depth = Linears; r = downsample ratio, 1 where there is none */
        int32_t grid;                      /* tokens per tile side = ceil(vision.grid / r) */
    } projector;
    struct { /* document models: the rest of ImageEncoderViT, and clip_sdpa.py: VitModel */
        int32_t window, neck, channels[2]; /* channels[1] is clip_width */
        uint64_t whole;                    /* bit i: block i has no windows */
        int32_t clip_width, clip_layers, clip_heads, clip_mlp, clip_grid; /* clip_grid²: learned positions */
        int32_t most_tiles;
    } document;
    bool global_first; /* global_view_pos == "head"; document models: false */
    struct { /* modeling_deepseek.py: DeepseekV2Config */
        int32_t layers, hidden, vocab, heads, kv_heads, head_dim; /* head_dim: MHA */
        bool mla, attention_bias;
        int32_t q_lora, kv_lora, nope, rope, v; /* MLA; q_lora 0 = plain q_proj */
        int32_t dense_inter, moe_inter, shared_inter; /* shared_inter 0 = no shared experts */
        int32_t experts, experts_per_token, n_group, topk_group, first_dense, moe_freq;
        vlk_score score;
        vlk_topk topk;
        bool norm_topk;
        float routed_scaling, rms_eps;
        int32_t ring; /* of the generated tokens, the last so many are seen; 0: all */
        int32_t context, bos, eos[VL2_MAX_EOS], n_eos; /* eos: each ends an answer; the first also stands behind earlier ones */
        struct vl2_rope_scaling {
            vl2_rope_type type;
            double theta, factor, beta_fast, beta_slow;
            double table_scale, score_scale; /* on cosines and sines (yarn), on the attention's scores (MLA) */
            int32_t original_context;
        } rope_scaling;
    } lm;
    struct vl2_tile_rule tiles; /* from processor_config.json */
    int32_t candidates[VL2_MAX_CANDIDATES][2];
    bool quantised; /* the language model's weights; from the checkpoint */
};

/* A layer is MoE iff experts > 0, i >= first_dense and i % moe_freq == 0. */
bool vl2_config_is_moe(const struct vl2_config *config, int32_t layer);

struct vl2_vision_block {
    struct vlk_weight norm1_w, norm1_b; /* [width] */
    struct vlk_weight qkv_w, qkv_b;     /* [3·width][width], rows [q|k|v][head][head_dim] */
    struct vlk_weight proj_w, proj_b;   /* [width][width] */
    struct vlk_weight norm2_w, norm2_b;
    struct vlk_weight fc1_w, fc1_b;     /* [mlp][width] */
    struct vlk_weight fc2_w, fc2_b;     /* [width][mlp] */
};

struct vl2_layer {
    struct vlk_weight input_norm, post_norm; /* [hidden] */
    struct vlk_weight q, q_b;                /* plain: [heads·(nope+rope)][hidden] or MHA [heads·head_dim][hidden]; bias (MHA) */
    struct vlk_weight q_a, q_a_b, q_a_norm, q_up; /* q_lora: [q_lora][hidden], bias, [q_lora], [heads·(nope+rope)][q_lora] */
    struct vlk_weight kv_a, kv_a_b, kv_a_norm;    /* MLA: [kv_lora+rope][hidden], bias, [kv_lora] */
    struct vlk_weight kv_b;                       /* MLA: [heads·(nope+v)][kv_lora] */
    struct vlk_weight k, k_b, v, v_b;             /* MHA: [kv_heads·head_dim][hidden] */
    struct vlk_weight o, o_b;                     /* [hidden][heads·v] or [hidden][heads·head_dim] */
    struct vlk_weight gate, up, down;             /* dense: [inter][hidden] ×2, [hidden][inter]; MoE: the shared experts */
    struct vlk_weight router, router_bias;        /* MoE: [experts][hidden], [experts] */
    struct vlk_weight *expert_gate, *expert_up, *expert_down; /* MoE: [experts] of [moe_inter][hidden] ×2, [hidden][moe_inter] */
};

/* The encoder of the document models, besides patch_w, patch_b and the windowed blocks, which lie in vl2_weights. Positions lie on the
 * host, since they are resized for every size of views. */
struct vl2_document_weights {
    float *pos;              /* f32 [vision.tokens][vision.width] */
    float **down, **across;  /* [vision.layers] of f32 [2·side − 1][head_dim]; side: the block's window, or vision.grid */
    struct vlk_weight neck_w[2], neck_norm_w[2], neck_norm_b[2]; /* [neck][width] and [neck][9·neck]; [neck] */
    struct vlk_weight conv_w[2];          /* [channels[0]][9·neck], [channels[1]][9·channels[0]] */
    float *class_row, *clip_pos;          /* f32 [clip_width], [1 + clip_grid²][clip_width] */
    struct vlk_weight pre_norm_w, pre_norm_b;
    struct vl2_vision_block *clip;        /* [clip_layers] */
};

struct vl2_weights {
    struct vlk_weight patch_w, patch_b, pos;  /* [width][3·patch²], [width], [tokens][width]; pos: not of document models */
    struct vl2_vision_block *vision;          /* [vision.layers] */
    struct vlk_weight vision_norm_w, vision_norm_b;
    struct vlk_weight proj_w[VL2_MAX_PROJECTOR_LAYERS], proj_b[VL2_MAX_PROJECTOR_LAYERS];
    struct vl2_document_weights document;
    float *newline, *separator;               /* host f32 [hidden] */
    struct vlk_weight embed;                  /* [vocab][hidden] */
    struct vl2_layer *layers;                 /* [lm.layers] */
    struct vlk_weight norm, head;             /* [hidden], [vocab][hidden] */
    uint64_t parameters, bytes;               /* of what is bound */
    struct vlk_weight **bound;                /* every weight above that was imported, for its release */
    size_t n_bound;
    float **tables;                           /* every table above that is kept on the host, for the same */
    size_t n_tables;
};

/* What the rooms above do for a pass. NULL: there is nothing to do. */
struct vl2_hooks {
    /* VL2_ERR_IO when a mapped weight was cut under the pass, which is worthless then. Set by engine.c. */
    vl2_status (*weights_intact)(const struct vl2_engine *engine, vl2_error *err);
    /* Device memory is short: moves something to the host; false when there is nothing left to move. Set by eviction.c. */
    bool (*make_room)(const struct vl2_engine *engine);
};

struct vl2_session;    /* engine/session/session_parts.h */
struct vl2_checkpoint; /* mapped files: engine/checkpoint/checkpoint.h */
struct vl2_read_ahead; /* engine/files/read_ahead.h */

struct vl2_engine {
    struct vlk_backend *backend;
    struct vl2_config config;
    struct vl2_weights weights;
    struct vl2_special special;
    vl2_tokenizer *tokenizer;
    struct vl2_checkpoint *checkpoint; /* kept open: weights may point into it */
    struct vl2_read_ahead *reading;    /* of the mapped files; NULL: nothing is read ahead */
    uint64_t tokenizer_bytes;          /* about what the tokenizer takes */
    uint64_t memory_limit;             /* of vl2_engine_options */
    int32_t host_layers;               /* as in vl2_info, chosen before the weights are bound */
    uint64_t host_bytes;
    uint64_t working_space;            /* of a GPU: what sessions and kernels take for a while (device_plan.h) */
    char fallback[512];                /* of vl2_info */
    struct vl2_hooks hooks;
    struct vl2_session *sessions;      /* unused for longest first (eviction.c) */
    uint64_t key[2];                   /* of snapshots (snapshot.c); 0 until it is first wanted */
    struct vlk_rope rope;              /* tables (be) for positions 0 … context-1 */
    float *rope_cos, *rope_sin;        /* (be) [context][dim/2], what `rope` points to */
    float attention_scale;             /* of the decoder's softmax, yarn's mscale included */
    float *common_logits;              /* (be) [traits.together][vocab], of sessions that go on together; NULL until they do */
    struct vl2_box_grammar *grammar;   /* made when it is first wanted; NULL until then */
    char *dir, router[48];             /* texts of info */
    struct vl2_info info;
};

#endif
