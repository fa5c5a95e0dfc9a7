/* SPDX-License-Identifier: MIT
 *
 * Private to the CPU backend: its state, scratch memory, and the grouped matrix product that linear, mlp and moe share.
 * Everything runs on the thread that opened the backend, which hands items to the pool. Ops run at once ("enqueue" is
 * immediate); a failed op poisons the backend and later ops do nothing.
 */
#ifndef VLK_CPU_H
#define VLK_CPU_H

#include "kernels/cpu/isa.h"
#include "kernels/cpu/pool.h"
#include "kernels/vlk.h"

/* Scratch buffers; each grows on demand and stays, so that a decode loop soon stops allocating. */
enum vlk_slot {
    VLK_SLOT_WORKER,  /* per worker: panels and small tiles of the product */
    VLK_SLOT_PACK,    /* activations in the order of the product's chunks */
    VLK_SLOT_HIDDEN,  /* inner activations of mlp and moe */
    VLK_SLOT_GATE,    /* their gate half */
    VLK_SLOT_PAIRS,   /* moe: expert outputs; mla: latent outputs */
    VLK_SLOT_SORT,    /* moe: tokens sorted by expert */
    VLK_SLOT_VECTOR,  /* norm weights and biases as f32 */
    VLK_SLOT_QUERY,   /* attention: prepared queries; patches of a picture */
    VLK_SLOT_PARTIAL, /* attention: partial results of key ranges */
    VLK_SLOT_ATTEND,  /* per worker: attention tiles */
    VLK_SLOT_EXPAND,  /* mla: expanded keys and values */
    VLK_SLOT_SAMPLE,
    VLK_SLOT_NARROW,  /* vision tower: a block's weights in panels */
    VLK_SLOT_COUNT
};

typedef enum { VLK_MLA_AUTO = 0, VLK_MLA_ABSORBED, VLK_MLA_EXPANDED } vlk_mla_form;

struct vlk_copy;

struct vlk_cpu {
    struct vlk_backend base;
    const struct vlk_isa *isa;
    struct vlk_pool *pool;
    int threads;
    vlk_mla_form mla_form; /* AUTO but in tests */
    struct vlk_error error;
    struct vlk_copy *copies; /* weights that could not stay where they were */
    struct {
        void *data;
        size_t bytes;
    } slots[VLK_SLOT_COUNT];
};

static inline struct vlk_cpu *vlk_cpu_of(struct vlk_backend *be)
{
    return (struct vlk_cpu *)be;
}

/* The level of that name, the best one where none is named; NULL where it is unknown or does not run here. */
const struct vlk_isa *vlk_choose_isa(const char *wanted);

/* Sets the first error; later calls change nothing. */
__attribute__((format(printf, 3, 4))) void vlk_cpu_poison(struct vlk_cpu *cpu, vlk_status code, const char *format, ...);
bool vlk_cpu_poisoned(const struct vlk_cpu *cpu);

/* At least `bytes` of uninitialised memory, valid until the next call for the same slot; NULL after poisoning. */
void *vlk_scratch(struct vlk_cpu *cpu, enum vlk_slot slot, size_t bytes);

/* A vector weight as f32 in its slot: `part` selects one of a few of `width` floats. NULL after poisoning. */
float *vlk_vector_scratch(struct vlk_cpu *cpu, int parts, int width);
void vlk_unpack_vector(struct vlk_cpu *cpu, const struct vlk_weight *w, float *dst);

/* ------------------------------------------------------------------------------------------------ grouped product */

#define VLK_FEW_ROWS 4 /* up to this many rows a product is done vector by vector, without packing weights */

/* y (+)= act(x w^T + bias), or with a gate y (+)= silu(x gate^T) * (x w^T). Few rows lie at `rows`, ld floats from each other, as f32
 * or, for quantised weights, as codes; many are `packed`; both as vlk_pack_groups writes them. What a few rows give does not depend
 * on how many they are, so rows that are apart are always few. */
struct vlk_product {
    int32_t m;
    bool few; /* vlk_are_few() */
    struct vlk_weight w, gate; /* gate.rows == 0: none */
    const float *rows;
    size_t ld;
    const float *packed;
    const float *bias; /* f32 [w.rows] or NULL */
    vlk_act act;
    bool accumulate;
    float *y, *g; /* g: scratch of y's shape where there are many rows and a gate, or act and accumulate */
    size_t ldy;
    int64_t first_item; /* set by vlk_products_run */
    int32_t block, split; /* columns and rows per item */
};

static inline bool vlk_are_few(int32_t m, bool apart)
{
    return m <= (apart ? VLK_MAX_APART : VLK_FEW_ROWS);
}

/* Whether the weight's products round the activations to int8: all quantised ones, whatever the level and the number of rows. */
bool vlk_takes_codes(const struct vlk_weight *w);

/* Floats that m packed rows for a weight take, few or many; and a row of few. */
size_t vlk_packed_floats(const struct vlk_cpu *cpu, int64_t m, const struct vlk_weight *w);
size_t vlk_few_floats(const struct vlk_weight *w);

/* Packs row index[i] (or i) of x for a product, in parallel; several groups of rows in one call. */
struct vlk_pack_group {
    int32_t m;
    const int32_t *index; /* NULL: rows 0 … m-1 */
    const float *x;
    size_t ldx;
    int cols;
    bool few;   /* row by row: what products of few rows read */
    bool coded; /* for weights that take codes */
    vlk_dtype dtype; /* of those weights */
    float *dst;
    int64_t first_item;
};
void vlk_pack_groups(struct vlk_cpu *cpu, struct vlk_pack_group *groups, int count);

/* Runs all products in one parallel region; poisons on lack of memory. */
void vlk_products_run(struct vlk_cpu *cpu, struct vlk_product *products, int count);

/* ------------------------------------------------------------------------------------------------ ops, by file */

void vlk_cpu_linear(struct vlk_backend *be, const struct vlk_linear_args *a);
void vlk_cpu_mlp(struct vlk_backend *be, const struct vlk_mlp_args *a);
void vlk_cpu_router(struct vlk_backend *be, const struct vlk_router_args *a);
void vlk_cpu_moe(struct vlk_backend *be, const struct vlk_moe_args *a);
void vlk_cpu_rmsnorm(struct vlk_backend *be, const struct vlk_rmsnorm_args *a);
void vlk_cpu_layernorm(struct vlk_backend *be, const struct vlk_layernorm_args *a);
void vlk_cpu_mha_write(struct vlk_backend *be, const struct vlk_mha_write_args *a);
void vlk_cpu_mha_attend(struct vlk_backend *be, const struct vlk_mha_attend_args *a);
void vlk_cpu_mla_write(struct vlk_backend *be, const struct vlk_mla_write_args *a);
void vlk_cpu_mla_attend(struct vlk_backend *be, const struct vlk_mla_attend_args *a);
void vlk_cpu_vit_attend(struct vlk_backend *be, const struct vlk_vit_attend_args *a);
void vlk_cpu_window_attend(struct vlk_backend *be, const struct vlk_window_attend_args *a);
void vlk_cpu_vit_block(struct vlk_backend *be, const struct vlk_vit_block_args *a);
void vlk_cpu_embed(struct vlk_backend *be, const struct vlk_embed_args *a);
void vlk_cpu_patch_embed(struct vlk_backend *be, const struct vlk_patch_embed_args *a);
void vlk_cpu_unfold(struct vlk_backend *be, const struct vlk_unfold_args *a);
void vlk_cpu_sample(struct vlk_backend *be, const struct vlk_sample_args *a);

#endif
