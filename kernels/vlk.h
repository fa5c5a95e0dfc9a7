/* SPDX-License-Identifier: MIT
 *
 * vlk: what the machine can compute. The whole contract between the model (engine/) and the hardware:
 * dtypes, buffers, weights, and one table of fused ops that a CPU and a CUDA backend implement.
 * Called by engine/ on the one inference thread; a backend uses its own threads underneath.
 * It must not know what a model, a checkpoint or a conversation is, and it uses no GLib.
 *
 * Conventions
 *  - Every `*_dev` or unmarked array argument of an op is backend memory: for the CPU plain memory, for CUDA device
 *    memory. Pointers into it may be offset by the caller (they are byte addresses) but never dereferenced.
 *  - Activations are f32, row-major, contiguous: x[n][width]. Weights are [out][in] in any vlk_dtype.
 *  - Ops only enqueue and return nothing: the first error sticks to the backend ("poisoned") and comes back from
 *    vlk_submit()/vlk_wait(); later ops do nothing. VLK_ERR_MEMORY ends with the wait that returns it: what was enqueued since the
 *    last wait is undone, and the same may be asked again. Any other error is for good. Shapes are validated by the engine when it
 *    binds weights.
 *  - Nothing that changes from one decode step to the next is a host scalar: positions, token ids, expert ids and the
 *    sampler's state live in `struct vlk_step` in backend memory, so that a decode step is one fixed launch sequence.
 *  - Results do not depend on the number of threads: a row's sum is always formed by one worker in one order. Of rows that are
 *    `apart` they do not depend on each other either: each is, bit for bit, what the op gives for it alone. At most VLK_MAX_APART of
 *    them, and only where traits.together says that the backend can.
 */
#ifndef VLK_H
#define VLK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VLK_ABI_VERSION 7 /* counts every change of a struct or of the table below */
#define VLK_MAX_TOPK 16      /* experts per token */
#define VLK_MAX_EXPERTS 512  /* routed experts per layer */
#define VLK_MAX_ALTERNATIVES 20
#define VLK_MAX_APART 16    /* rows of one op that may be apart */

typedef enum {
    VLK_OK = 0,
    VLK_ERR_MEMORY,      /* host or device memory exhausted; the backend works on after wait() has said so */
    VLK_ERR_DEVICE,      /* driver, device or kernel failure: the backend is lost */
    VLK_ERR_UNSUPPORTED, /* this backend has no kernel for what was asked */
    VLK_CANCELLED
} vlk_status;

struct vlk_error {
    vlk_status code;
    char text[256]; /* one sentence, no trailing newline */
};

/* Element types of weights. Quantised types are defined, with their scalar dequantisation, in kernels/quant.h. */
typedef enum {
    VLK_F32 = 0,
    VLK_BF16,
    VLK_F16,
    VLK_I8G,  /* int8 groups with bf16 scales */
    VLK_I4G,  /* int4 groups with bf16 scales */
    VLK_DTYPE_COUNT
} vlk_dtype;

size_t vlk_row_bytes(vlk_dtype dtype, int64_t cols); /* bytes of one weight row; 0 if cols does not suit the dtype */
const char *vlk_dtype_name(vlk_dtype dtype);

/* Where an imported weight lies: a GPU computes with both, and reads what lies on the host through the bus every time. The CPU has
 * one memory. */
typedef enum { VLK_PLACE_DEVICE = 0, VLK_PLACE_HOST } vlk_place;

/* A weight matrix [rows = out][cols = in] or vector [1][cols] in backend memory. `data` is owned by the backend from
 * weight_import() to weight_release(). rows == 0 means "absent" (no bias, no shared expert). */
struct vlk_weight {
    vlk_dtype dtype;
    int32_t rows, cols;
    const void *data;
    bool owned; /* the backend's note that data is its copy; copying the struct does not copy the ownership */
};

/* Everything that changes between decode steps; one per session, in backend memory (see step_* in vlk_ops).
 * `pos` is the position (= number of cached tokens) at which the next enqueued tokens are written. */
struct vlk_step {
    int32_t pos;
    int32_t token;              /* last sampled id: the input of the next decode step */
    uint64_t rng;               /* sampler's counter; with the seed it determines every draw */
};

/* ------------------------------------------------------------------------------------------------ op arguments */

/* out[i] = ids[i] >= 0 ? table[ids[i]] : rows[-1 - ids[i]]
 * ids [n] i32; table [vocab][width]; rows [*][width] f32 (picture rows; may be NULL when no id is negative). */
struct vlk_embed_args {
    int32_t n, width;
    const int32_t *ids;
    struct vlk_weight table;
    const float *rows;
    float *out;
};

/* RMSNorm: y = x * rsqrt(mean(x^2) + eps) * w, in f32.   modeling_deepseek.py: DeepseekV2RMSNorm.forward */
struct vlk_rmsnorm_args {
    int32_t n, width;
    float eps;
    struct vlk_weight w;
    const float *x;
    float *y;
};

/* LayerNorm: y = (x - mean) / sqrt(var + eps) * w + b, biased variance.   siglip_vit.py: Block.norm1/norm2 */
struct vlk_layernorm_args {
    int32_t n, width;
    float eps;
    struct vlk_weight w, b;
    const float *x;
    float *y;
};

typedef enum { VLK_ACT_NONE = 0, VLK_ACT_GELU_TANH, VLK_ACT_GELU_ERF, VLK_ACT_SILU, VLK_ACT_GELU_QUICK /* x sigmoid(1.702 x) */ } vlk_act;

/* y = act(x W^T + b), or y += act(...) when accumulate. x [n][w.cols], y [n][w.rows]. */
struct vlk_linear_args {
    int32_t n;
    struct vlk_weight w, b; /* b.rows == 0: no bias; b is [1][w.rows] */
    vlk_act act;
    bool accumulate;
    const float *x;
    float *y;
    bool apart;
};

/* Rotary embedding table: cos and sin [positions][dim/2] f32, already scaled (yarn's mscale included). */
struct vlk_rope {
    const float *cos, *sin;
    int32_t dim;       /* rotated dims: head_dim (MHA) or qk_rope (MLA) */
    bool interleaved;  /* pairs (2i, 2i+1) → stored de-interleaved [evens | odds] (MLA); else halves (i, i + dim/2) (MHA) */
};

/* MHA: rotate q and k of n new tokens at step->pos…, write k and v to the cache.
 * q [n][heads*head_dim] in place; k, v [n][kv_heads*head_dim]; caches [capacity][kv_heads*head_dim] in cache_dtype.
 * modeling_llama.py (transformers 4.38): apply_rotary_pos_emb */
struct vlk_mha_write_args {
    int32_t n, heads, kv_heads, head_dim;
    struct vlk_rope rope;
    const struct vlk_step *step;
    float *q;
    const float *k, *v;
    void *k_cache, *v_cache;
    vlk_dtype cache_dtype; /* F32 or BF16 */
};

/* Causal attention of n new tokens over cache rows 0 … step->pos + i. out [n][heads*head_dim].
 * probs, when not NULL: [n][heads][probs_stride] f32, softmax weights of each row over the first probs_stride cache rows, which may
 * be fewer than the row sees (the rest is left out, not scaled) or more (entries beyond the row are 0). */
struct vlk_mha_attend_args {
    int32_t n, heads, kv_heads, head_dim;
    float scale;
    int32_t max_pos; /* host bound on step->pos + n: sizes the launch, not the result */
    const struct vlk_step *step;
    const float *q;
    const void *k_cache, *v_cache;
    vlk_dtype cache_dtype;
    float *out, *probs;
    int32_t probs_stride;
};

/* MLA: rotate q_pe of every head (in place, de-interleaved) and k_pe, normalise the compressed part, write the cache row
 * [lora | rope]. q [n][heads*(nope+rope)]; kv_a [n][lora+rope]; cache [capacity][lora+rope] in cache_dtype.
 * modeling_deepseek.py: DeepseekV2Attention.forward, apply_rotary_pos_emb; the norm's eps is 1e-6 whatever the config says. */
struct vlk_mla_write_args {
    int32_t n, heads, nope, lora;
    float eps;
    struct vlk_rope rope;
    struct vlk_weight kv_norm; /* [1][lora] */
    const struct vlk_step *step;
    float *q;
    const float *kv_a;
    void *cache;
    vlk_dtype cache_dtype;
};

/* MLA attention of n new tokens over cache rows 0 … step->pos + i. kv_b [heads*(nope+v)][lora], per head nope rows (W_UK)
 * then v rows (W_UV). out [n][heads*v]. The backend chooses the absorbed form (q W_UK against the compressed rows) or the
 * expanded one by length; both are the same function. probs as in vlk_mha_attend_args. */
struct vlk_mla_attend_args {
    int32_t n, heads, nope, lora, v, rope;
    float scale;
    int32_t max_pos;
    const struct vlk_step *step;
    struct vlk_weight kv_b;
    const float *q;
    const void *cache;
    vlk_dtype cache_dtype;
    float *out, *probs;
    int32_t probs_stride;
};

typedef enum { VLK_SCORE_SOFTMAX = 0, VLK_SCORE_SIGMOID } vlk_score;
typedef enum { VLK_TOPK_GREEDY = 0, VLK_TOPK_GROUP_LIMITED, VLK_TOPK_NOAUX_TC } vlk_topk;

/* Router: logits = x W^T in f32; scores; choice of k experts (ties: the lower id); weights (normalised, scaled).
 * x [n][w.cols] already normalised; expert_ids, expert_weights [n][k], in descending order of choice score.
 * modeling_deepseek.py: MoEGate.forward (excluded groups score 0.0, not -inf). */
struct vlk_router_args {
    int32_t n, k, n_group, topk_group;
    vlk_score score;
    vlk_topk method;
    bool norm_topk;
    float scaling;
    struct vlk_weight w, bias; /* [experts][width] f32/bf16/f16; bias [1][experts], NOAUX_TC only */
    const float *x;
    int32_t *expert_ids;
    float *expert_weights;
    bool apart;
};

/* Gated MLP: y (+)= down(silu(gate x) * (up x)). gate, up [inter][width]; down [width][inter]. x, y [n][width].
 * modeling_deepseek.py: DeepseekV2MLP.forward */
struct vlk_mlp_args {
    int32_t n;
    struct vlk_weight gate, up, down;
    bool accumulate;
    const float *x;
    float *y;
    bool apart;
};

/* y += sum_j weight_j * expert_{id_j}(x) + shared(x). The j-sum is formed in f32 in the order of expert_ids.
 * gate, up, down: arrays of `experts` weights (host arrays of descriptors). n == 1 is the decode kernel, larger n the grouped
 * GEMM over tokens sorted by expert.   modeling_deepseek.py: DeepseekV2MoE.moe_infer */
struct vlk_moe_args {
    int32_t n, k, experts;
    const struct vlk_weight *gate, *up, *down;
    struct vlk_weight shared_gate, shared_up, shared_down; /* rows == 0: no shared expert */
    const int32_t *expert_ids;
    const float *expert_weights;
    const float *x;
    float *y;
    bool apart;
};

/* Patch embedding: out[t][p] = W · norm(patch) + b + pos[p]; norm(u8) = u8/127.5 - 1. tiles [n][3][side][side] u8,
 * grid = side / patch (floor; the rest of the tile is never read), W [width][3*patch*patch] in conv order (c, y, x).
 * siglip_vit.py: PatchEmbed, VisionTransformer._pos_embed; processing: (x/255 - 0.5)/0.5 */
struct vlk_patch_embed_args {
    int32_t n, side, patch, width;
    struct vlk_weight w, b, pos; /* pos [grid*grid][width] */
    const uint8_t *tiles;
    float *out; /* [n][grid*grid][width] */
};

/* Full (unmasked) attention inside each tile. qkv [n*tokens][3*heads*head_dim], rows [q|k|v][head][head_dim];
 * out [n*tokens][heads*head_dim]; scale = head_dim^-0.5.   siglip_vit.py: Attention.forward */
struct vlk_vit_attend_args {
    int32_t n, tokens, heads, head_dim;
    const float *qkv;
    float *out;
};

/* Attention inside windows of window × window cells of a grid, with a bias by the difference of places, in units of cells:
 *   score(i, j) = q_i · k_j / sqrt(head_dim) + q_i · down[yi - yj + window - 1] + q_i · across[xi - xj + window - 1]
 * The first window lies in the upper left corner. What of a window lies outside of the grid is a key and a value nevertheless, those
 * of the row `outside` [1][3*heads*head_dim] (rows 0: zeros). window == grid: one window. down, across [2*window-1][head_dim], not
 * quantised. qkv [n*grid*grid][3*heads*head_dim], rows [q|k|v][head][head_dim]; out [n*grid*grid][heads*head_dim].
 * deepencoder/sam_vary_sdpa.py: window_partition, Attention.forward, add_decomposed_rel_pos */
struct vlk_window_attend_args {
    int32_t n, grid, window, heads, head_dim;
    struct vlk_weight outside, down, across;
    const float *qkv;
    float *out;
};

/* One block of a vision tower: x += proj(attention(qkv(norm1 x))), then x += fc2(act(fc1(norm2 x))). x [n*tokens][width];
 * h [n*tokens][width], qkv [n*tokens][3*width] and mid [n*tokens][mlp] are working space of the caller, its contents lost.
 * Attention sees the whole tile or, where window is not 0, what vlk_window_attend_args says, with qkv_b as `outside`; tokens are grid².
 * The products of I8G weights may round weights and activations once more, to one scale per row of at least 1024 columns, and those
 * of bf16 weights may round activations to bf16: what a backend gains by it, it states.
 * siglip_vit.py: Block.forward; deepencoder/clip_sdpa.py: NoTPTransformerBlock.forward; deepencoder/sam_vary_sdpa.py: Block.forward */
struct vlk_vit_block_args {
    int32_t n, tokens, width, heads, mlp;
    float eps;
    struct vlk_weight norm1_w, norm1_b, qkv_w, qkv_b, proj_w, proj_b;
    struct vlk_weight norm2_w, norm2_b, fc1_w, fc1_b, fc2_w, fc2_b;
    float *x, *h, *qkv, *mid;
    vlk_act act;
    int32_t grid, window;
    struct vlk_weight down, across;
};

/* Joins r×r cells that begin at multiples of `stride` less `pad`, cells outside of the grid being zeros: column = c*r*r + dy*r + dx.
 * x [n][grid*grid][width] → out [n][vlk_unfolded()²][width*r*r]. A linear op behind it makes a convolution, whose weights are in that
 * order.   modeling_deepseek_vl_v2.py: MlpProjector.forward (F.unfold); deepencoder/sam_vary_sdpa.py: neck, net_2, net_3 (nn.Conv2d) */
struct vlk_unfold_args {
    int32_t n, grid, width, r, stride, pad;
    const float *x;
    float *out;
};

/* Cells of the result's side: without pad every cell of the grid has a part, with it cells of the frame follow as a convolution has it. */
static inline int32_t vlk_unfolded(int32_t grid, int32_t r, int32_t stride, int32_t pad)
{
    return pad ? (grid + 2 * pad - r) / stride + 1 : (grid + stride - 1) / stride;
}

/* Sampling of one token from logits [vocab].
 * Order: repetition penalty (once per id with seen[id] != 0; > 0 divided, < 0 multiplied) → temperature → top_k → top_p.
 * temperature == 0: the largest penalised logit (ties: lowest id). `allowed`, when not NULL, is a bit mask over ids applied
 * last (the box grammar). Writes step->token, seen[token] = 1, result; advances step->rng.
 * The log-probability and the alternatives are those of the raw logits (no penalty, temperature or mask). */
struct vlk_sample_args {
    int32_t vocab;
    float temperature, top_p, repetition_penalty;
    int32_t top_k;            /* 0 = off */
    uint64_t seed;
    int32_t n_alternatives;   /* 0 … VLK_MAX_ALTERNATIVES */
    const float *logits;
    const uint32_t *allowed;  /* host memory, copied when enqueued; [(vocab+31)/32] */
    uint8_t *seen;            /* [vocab] */
    struct vlk_step *step;
    struct vlk_sampled *result; /* backend memory */
};

struct vlk_sampled {
    int32_t id;
    int32_t unmasked_id; /* what would have been drawn without `allowed` (same draw) */
    float logprob;       /* natural log, of `id`, raw */
    int32_t n_alternatives;
    int32_t alt_id[VLK_MAX_ALTERNATIVES];
    float alt_logprob[VLK_MAX_ALTERNATIVES];
};

/* ------------------------------------------------------------------------------------------------ backend */

struct vlk_backend;
struct vlk_room;

/* One implementation of the contract. All functions are called on the thread that opened the backend. */
struct vlk_ops {
    const char *name; /* "cpu", "cuda" */
    const char *(*describe)(const struct vlk_backend *be); /* what computes: "avx512", "NVIDIA H100 (sm_90)"; lives as long as be */
    uint64_t (*memory_left)(const struct vlk_backend *be); /* bytes that mem_alloc and weight_import can take now; UINT64_MAX: unknown */

    /* memory: zero-filled, 64-byte aligned; NULL (and a poisoned backend is NOT the result) when there is not enough. */
    void *(*mem_alloc)(struct vlk_backend *be, size_t bytes);
    void (*mem_free)(struct vlk_backend *be, void *p);
    void (*mem_write)(struct vlk_backend *be, void *dst, const void *src, size_t bytes);      /* host → backend */
    void (*mem_read)(struct vlk_backend *be, void *dst, const void *src, size_t bytes);       /* backend → host, waits */
    void (*mem_copy)(struct vlk_backend *be, void *dst, const void *src, size_t bytes);       /* inside the backend; may overlap */
    void (*mem_zero)(struct vlk_backend *be, void *dst, size_t bytes);

    /* weights: weight_room adds to *room, which is zero at first, what one more import will take. `host` stays valid and unchanged until
     * weight_release(). The CPU keeps aligned data in place (mapped file) and copies what is not element-aligned; CUDA uploads.
     * data == NULL in the result: not enough memory. */
    void (*weight_room)(struct vlk_backend *be, struct vlk_room *room, vlk_dtype dtype, int32_t rows, int32_t cols);
    struct vlk_weight (*weight_import)(struct vlk_backend *be, vlk_dtype dtype, int32_t rows, int32_t cols, const void *host,
                                       vlk_place place);
    void (*weight_release)(struct vlk_backend *be, struct vlk_weight *w);

    void (*embed)(struct vlk_backend *be, const struct vlk_embed_args *a);
    void (*rmsnorm)(struct vlk_backend *be, const struct vlk_rmsnorm_args *a);
    void (*layernorm)(struct vlk_backend *be, const struct vlk_layernorm_args *a);
    void (*linear)(struct vlk_backend *be, const struct vlk_linear_args *a);
    void (*mha_write)(struct vlk_backend *be, const struct vlk_mha_write_args *a);
    void (*mha_attend)(struct vlk_backend *be, const struct vlk_mha_attend_args *a);
    void (*mla_write)(struct vlk_backend *be, const struct vlk_mla_write_args *a);
    void (*mla_attend)(struct vlk_backend *be, const struct vlk_mla_attend_args *a);
    void (*router)(struct vlk_backend *be, const struct vlk_router_args *a);
    void (*mlp)(struct vlk_backend *be, const struct vlk_mlp_args *a);
    void (*moe)(struct vlk_backend *be, const struct vlk_moe_args *a);
    void (*patch_embed)(struct vlk_backend *be, const struct vlk_patch_embed_args *a);
    void (*vit_attend)(struct vlk_backend *be, const struct vlk_vit_attend_args *a);
    void (*window_attend)(struct vlk_backend *be, const struct vlk_window_attend_args *a);
    void (*vit_block)(struct vlk_backend *be, const struct vlk_vit_block_args *a); /* at least vlk_vit_block_by_parts() */
    void (*unfold)(struct vlk_backend *be, const struct vlk_unfold_args *a);
    void (*sample)(struct vlk_backend *be, const struct vlk_sample_args *a);
    void (*step_advance)(struct vlk_backend *be, struct vlk_step *step, int32_t n); /* step->pos += n */

    vlk_status (*submit)(struct vlk_backend *be);                          /* start what was enqueued; first error, which stays */
    vlk_status (*wait)(struct vlk_backend *be, struct vlk_error *err);     /* until all of it has run; first error */
    void (*close)(struct vlk_backend *be);                                 /* frees everything it still owns */
};

/* Memory that weights will take, counted before it is taken. Blocks are shared: `left` is what is free in the last one. */
struct vlk_room {
    uint64_t bytes, left;
};

/* Bytes that an allocation takes of a device that gives multiples of `granule` for more than half of it (struct vlk_traits). */
static inline size_t vlk_taken(size_t bytes, size_t granule)
{
    return granule && bytes > granule / 2 ? (bytes + granule - 1) / granule * granule : bytes;
}

/* What suits a backend where the engine has a choice; 0 = no wish. Constant after opening. */
struct vlk_traits {
    int32_t chunk;      /* tokens per prefill chunk */
    size_t batch_bytes; /* scratch that one batch of tiles may take */
    size_t granule;     /* what mem_alloc takes multiples of, for more than half of it */
    bool half_cache;    /* keys and values in bf16 whatever their size */
    int32_t together;   /* sequences that gain from a common step, their rows apart; at most VLK_MAX_APART, 0 and 1: none */
    int32_t same_rows;  /* a pass over up to so many tokens gives each, bit for bit, what a pass of its own gives it; 0: none is promised */
};

struct vlk_backend {
    const struct vlk_ops *ops;
    struct vlk_traits traits;
    /* implementation's own fields follow */
};

/* ------------------------------------------------------------------------------------------------ CPU backend */

struct vlk_cpu_options {
    int threads;     /* 0 = physical cores this process may run on */
    const char *isa; /* NULL = best; "generic", "avx2", "avx512" …; SL_CPU in the environment overrides */
};

/* Opens the CPU backend: starts its thread pool (sleeping while idle). NULL + err when out of memory or the ISA asked for
 * is unknown or not available here. */
struct vlk_backend *vlk_cpu_open(const struct vlk_cpu_options *options, struct vlk_error *err);

/* Facts for `devices` and the bench; valid for a CPU backend only. */
const char *vlk_cpu_isa(const struct vlk_backend *be);
int vlk_cpu_threads(const struct vlk_backend *be);

/* The ISA levels compiled in and runnable here, best first, ending with NULL ("avx512", "avx2", "generic", NULL). */
const char *const *vlk_cpu_isa_available(void);

/* ------------------------------------------------------------------------------------------------ CUDA backend */

#define VLK_CUDA_MAX_DEVICES 16

struct vlk_cuda_device {
    int ordinal; /* as the driver counts: CUDA_VISIBLE_DEVICES is already applied */
    char name[96];
    int capability; /* 90 for sm_90 */
    uint64_t free_bytes, total_bytes;
    char problem[256]; /* one sentence why it cannot be used, "" = it can */
};

/* The GPUs that the driver shows, at most `room`. 0 + err: a sentence that says why there is none, and what helps. */
int vlk_cuda_devices(struct vlk_cuda_device *out, int room, struct vlk_error *err);

struct vlk_cuda_options {
    int device; /* -1 = of those that can be used the one with the most free memory */
};

/* Loads libsightline-cuda.so and opens a GPU. NULL + err (why, and what helps) where that is not possible. */
struct vlk_backend *vlk_cuda_open(const struct vlk_cuda_options *options, struct vlk_error *err);

/* ------------------------------------------------------------------------------------------------ allocation */

#define VLK_HUGE_PAGE ((size_t)2 << 20) /* blocks from this size on are mapped by themselves, on huge pages where there are any */

/* Every heap allocation of kernels/ and engine/ goes through these (64-byte aligned, zeroed), so that a test can make the
 * N-th one fail. vlk_alloc(0) returns a unique non-NULL pointer; count * size overflow returns NULL. Thread-safe. */
void *vlk_alloc(size_t count, size_t size);
void *vlk_realloc(void *p, size_t old_bytes, size_t new_bytes); /* grown part zeroed; NULL leaves p untouched */
void vlk_free(void *p);
void vlk_alloc_fail_after(long n); /* tests: the n-th allocation from now (0 = next) and all later ones fail; < 0 = never */

#ifdef __cplusplus
}
#endif
#endif
