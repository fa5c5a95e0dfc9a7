/* SPDX-License-Identifier: MIT
 *
 * The CUDA backend's private header: its state, and how an op becomes work. Ops append kernel launches to a list; submit runs
 * it. A list that was seen before, argument for argument, is run as a CUDA graph: as nothing in a decode step is a host scalar
 * (struct vlk_step), a decode step is one such list, and its launches cost one call. Included by the .cu files.
 */
#ifndef VLK_CUDA_BACKEND_CUH
#define VLK_CUDA_BACKEND_CUH

#include <string.h>

#include "kernels/cuda/weights.cuh"

struct vlk_cuda;
struct vlk_command;
typedef void (*vlk_run_fn)(struct vlk_cuda *cuda, const struct vlk_command *c);

/* One launch; its arguments lie in the list's arena. Compared bytewise, so every byte is set. */
struct vlk_command {
    vlk_run_fn run;
    void *kernel;
    const char *name;
    uint32_t grid[3], block, shared, args, args_bytes; /* args: offset into the arena */
    uint32_t eager; /* cannot be part of a graph */
};

enum {
    VLK_CUDA_COMMANDS = 4096,
    VLK_CUDA_ARENA = 2 << 20,
    VLK_CUDA_GRAPHS = 12,
    VLK_CUDA_SEEN = 64, /* lists that came once */
    VLK_CUDA_KERNELS = 64,
    VLK_CUDA_COUNTERS = 1 << 16,
    VLK_CUDA_MASK_BYTES = 1 << 20,
    VLK_CUDA_UPLOAD = 16 << 20,
    VLK_CUDA_GRANULE = 2 << 20,      /* what a driver gives multiples of, for more than half of it */
    VLK_CUDA_PLAIN_SHARED = 48 << 10 /* shared memory that a kernel has without asking */
};

struct vlk_command_list {
    struct vlk_command *commands;
    unsigned char *arena;
    uint64_t *before; /* hash of the commands before one; not in copies */
    uint32_t count, used, eager;
    uint64_t hash;
};

struct vlk_graph {
    struct vlk_command_list list; /* copy; commands NULL: free */
    cudaGraphExec_t exec;         /* NULL: it could not be made */
    uint64_t used, replays;
    int tries;
};

enum vlk_cuda_slot {
    VLK_CUDA_PACKED,  /* activations as bf16 rows */
    VLK_CUDA_HIDDEN,  /* inner activations of mlp and moe */
    VLK_CUDA_PAIRS,   /* expert outputs */
    VLK_CUDA_SORT,    /* tokens sorted by expert; the router's scores */
    VLK_CUDA_PARTIAL, /* attention: partial results of key ranges */
    VLK_CUDA_LATENT,  /* mla: absorbed queries, latent results */
    VLK_CUDA_EXPAND,  /* mla: expanded keys and values */
    VLK_CUDA_WIDE,    /* a weight matrix as bf16 */
    VLK_CUDA_SAMPLE,
    VLK_CUDA_SLOTS
};

/* What kernels report; pinned, written by the device, read by wait. code 0: nothing. */
struct vlk_fault {
    int32_t code, value, limit;
};
enum { VLK_FAULT_TOKEN = 1, VLK_FAULT_EXPERT };

struct vlk_expert_table; /* upload.cu */
struct vlk_blas;         /* blas.cu */
struct vlk_allocation;   /* memory.cu */

struct vlk_kernel {
    const void *kernel;
    size_t fixed; /* shared memory that its code takes besides what a launch gives it */
    bool raised;  /* may have all that the GPU has */
};

struct vlk_cuda {
    struct vlk_backend base;
    struct vlk_error error;
    char description[160];
    int device, multiprocessors, capability;
    size_t shared_limit;
    cudaStream_t stream;
    struct vlk_command_list list;
    struct vlk_graph graphs[VLK_CUDA_GRAPHS];
    uint64_t clock, seen[VLK_CUDA_SEEN];
    uint32_t seen_next;
    struct vlk_kernel kernels[VLK_CUDA_KERNELS];
    int kernel_count;
    struct {
        void *data;
        size_t bytes;
    } slots[VLK_CUDA_SLOTS];
    struct vlk_allocation *allocations; /* everything from mem_alloc and weight_import, for close */
    uint64_t weight_bytes[2];           /* of the blocks that weights share, by place */
    struct vlk_expert_table *tables;
    struct {
        unsigned char *pinned[2], *raw[2]; /* upload: host staging, device staging */
        cudaEvent_t free[2];
        int half;
    } upload;
    struct vlk_fault *fault;
    int32_t *counters;                  /* device: blocks done, zero between launches */
    unsigned char *masks;               /* pinned: the sampler's masks of the current list */
    size_t masks_used;
    struct {
        const void *device;             /* result of the list's last sample; NULL: none */
        struct vlk_sampled *pinned;
    } sampled;
    struct vlk_blas *blas;              /* blas.cu; NULL: not wanted yet */
    bool submitted;                     /* work that was not waited for */
};

static inline struct vlk_cuda *vlk_cuda_of(struct vlk_backend *be) { return (struct vlk_cuda *)be; }

__attribute__((format(printf, 3, 4))) void vlk_cuda_poison(struct vlk_cuda *cuda, vlk_status code, const char *format, ...);
static inline bool vlk_cuda_poisoned(const struct vlk_cuda *cuda) { return cuda->error.code != VLK_OK; }
/* True, and poisons, when e is an error; `doing` completes "The GPU failed while …". */
bool vlk_cuda_failed(struct vlk_cuda *cuda, cudaError_t e, const char *doing);

/* Makes the engine's device the current one: before every call of the runtime that an op of the table leads to. */
void vlk_cuda_enter(struct vlk_cuda *cuda);
/* Whether this build holds code for the current device. */
cudaError_t vlk_cuda_try_kernel(void);
/* Sees to it that `kernel` may be launched with so much shared memory; false + poisoned where the GPU has less. */
bool vlk_cuda_allow(struct vlk_cuda *cuda, const char *name, const void *kernel, size_t shared);

/* A weight's place in a block of the device's or the host's memory; NULL when there is none. Given back, or freed at the end. */
void *vlk_cuda_take_piece(struct vlk_cuda *cuda, size_t bytes, vlk_place place);
void vlk_cuda_give_piece(struct vlk_cuda *cuda, const void *p);
void vlk_cuda_give_all(struct vlk_cuda *cuda);
void vlk_cuda_forget_tables(struct vlk_cuda *cuda);
void vlk_cuda_forget_graphs(struct vlk_cuda *cuda);

/* At least `bytes` of device memory, valid for this list; NULL after poisoning. */
void *vlk_cuda_scratch(struct vlk_cuda *cuda, enum vlk_cuda_slot slot, size_t bytes);

/* Appends a command and returns its arguments' place, or NULL after poisoning. */
void *vlk_cuda_append(struct vlk_cuda *cuda, struct vlk_command c, const void *args, size_t bytes);
void vlk_cuda_flush(struct vlk_cuda *cuda);
/* Flushes and waits; `doing` is for the error's sentence. */
void vlk_cuda_finish(struct vlk_cuda *cuda, const char *doing);

/* Fusing: an op looks at the launch that was enqueued last and takes its work over. The arguments of that launch if it is of
 * `kernel`, else NULL; and the launch taken out of the list. What a fused launch leaves in memory is all that the ops leave. */
void *vlk_cuda_last(struct vlk_cuda *cuda, const void *kernel);
void vlk_cuda_drop_last(struct vlk_cuda *cuda);
static inline bool vlk_overlap(const void *a, size_t a_bytes, const void *b, size_t b_bytes)
{
    return (const char *)a < (const char *)b + b_bytes && (const char *)b < (const char *)a + a_bytes;
}

/* rows.cu: an RMSNorm of one row, done by every block of the launch that reads it; the first block also writes y. */
struct vlk_prenorm {
    struct vlk_matrix w; /* data NULL: none */
    float *y;
    float eps;
    int32_t zero;
};
/* If x [cols] is the result of a norm enqueued last, and `y` does not overlap the row that it reads, takes that norm over and
 * returns the row; else x. Nothing may be enqueued between this call and the launch that gets *norm. */
const float *vlk_cuda_take_norm(struct vlk_cuda *cuda, const float *x, int32_t cols, const void *y, size_t y_bytes, struct vlk_prenorm *norm);
/* linear.cu: the write of n tokens' keys and values becomes the end of the products that make them. False: it cannot. */
bool vlk_cuda_turn_previous(struct vlk_cuda *cuda, const struct vlk_mha_write_args *w);
/* rows.cu: tokens of the step_advance of `step` enqueued last, which is taken out of the list; 0: none. */
int32_t vlk_cuda_take_advance(struct vlk_cuda *cuda, const struct vlk_step *step);

template <class A> static void vlk_run_kernel(struct vlk_cuda *cuda, const struct vlk_command *c)
{
    A args;

    memcpy(&args, cuda->list.arena + c->args, sizeof args);
    VLK_RUN(c->name, ((void (*)(A))c->kernel), dim3(c->grid[0], c->grid[1], c->grid[2]), c->block, c->shared, cuda->stream, args);
}

/* Enqueues kernel(args). Arguments are zeroed before they are filled (VLK_ARGS), so that equal launches compare equal. */
template <class A>
static A *vlk_push(struct vlk_cuda *cuda, const char *name, void (*kernel)(A), dim3 grid, int block, size_t shared, const A &args)
{
    struct vlk_command c;

    if (grid.x == 0 || grid.y == 0 || grid.z == 0)
        return NULL;
    if (!vlk_cuda_allow(cuda, name, (const void *)kernel, shared))
        return NULL;
    memset(&c, 0, sizeof c);
    c.run = vlk_run_kernel<A>;
    c.kernel = (void *)kernel;
    c.name = name;
    c.grid[0] = grid.x;
    c.grid[1] = grid.y;
    c.grid[2] = grid.z;
    c.block = (uint32_t)block;
    c.shared = (uint32_t)shared;
    return (A *)vlk_cuda_append(cuda, c, &args, sizeof args);
}
#define VLK_PUSH(cuda, kernel, grid, block, shared, args) vlk_push(cuda, #kernel, kernel, grid, block, shared, args)
#define VLK_ARGS(type, name) \
    type name;               \
    memset(&name, 0, sizeof name)

/* Device arrays [experts] of matrices, made once per layer and kept while the weights are the same. */
struct vlk_experts {
    const struct vlk_matrix *gate, *up, *down;
};
bool vlk_cuda_experts(struct vlk_cuda *cuda, const struct vlk_moe_args *a, struct vlk_experts *out);

/* linear.cu: y (+)= act(x w^T + b) for any n, x f32; and from packed rows with gather, for the files that build on it. */
struct vlk_gemm {
    int32_t n;               /* rows of x (an upper bound when `first` is set) */
    const uint16_t *x;       /* [*][ld] bf16 packed */
    int32_t ld;
    struct vlk_matrix w, gate; /* gate.data: y = silu(x gate^T) * (x w^T) */
    struct vlk_matrix bias;
    int32_t act, accumulate;
    float *y;                /* [n][ldy], or NULL */
    uint16_t *half;          /* the same as bf16, where y is NULL; columns up to ldy are zero-filled */
    int32_t ldy;
    /* Grouped: rows first[e] … first[e+1] of the sorted order belong to expert e, whose matrices are gates[e], ws[e]. */
    int32_t experts;
    const int32_t *first, *gather; /* gather: row of x at a place, NULL = the place itself */
    const struct vlk_matrix *gates, *ws;
};
void vlk_cuda_gemm(struct vlk_cuda *cuda, const struct vlk_gemm *g);
struct vlk_gemm_launch {
    const char *name;
    void (*kernel)(struct vlk_gemm);
    dim3 grid;
    int block;
    size_t shared;
};
struct vlk_gemm_launch vlk_cuda_gemm_tiles(const struct vlk_cuda *cuda, const struct vlk_gemm *g);
/* blas.cu: the product enqueued for cuBLAS. False: it is not there or does not suit, or poisoned. */
bool vlk_cuda_blas_gemm(struct vlk_cuda *cuda, const struct vlk_gemm *g);
/* bf16 rows for vlk_gemm: dst[i] = src[i] with columns up to the next multiple of 32 zeroed. src f32 or bf16 rows at stride `lds`. */
void vlk_cuda_pack(struct vlk_cuda *cuda, int32_t n, int32_t cols, const void *src, int dtype, int32_t lds, uint16_t *dst);
static inline int32_t vlk_packed_ld(int32_t cols) { return (cols + 31) / 32 * 32; }
void vlk_cuda_blas_close(struct vlk_cuda *cuda);

/* attention.cu: rows of keys or values. Element c of key i of head h is at data + i * stride + h * head_step + c. */
struct vlk_kv_rows {
    const void *data;
    int32_t dtype, stride, head_step, width;
};
/* Queries of n tokens against cache rows, split over the keys for few tokens; partial results in VLK_CUDA_PARTIAL. */
struct vlk_split {
    int32_t n, heads, kv_heads, splits;
    float scale;
    const struct vlk_step *step;
    const float *q;       /* row (t, h) at (t * heads + h) * k.width */
    struct vlk_kv_rows k, v; /* v.data NULL: the first v.width columns of k */
    float *partial;       /* [n][heads][splits][v.width + 2]: unnormalised result, peak, sum */
    float *out;           /* [n][heads][v.width], or NULL: the caller puts the parts together */
    int32_t *counters;
};
bool vlk_cuda_split(struct vlk_cuda *cuda, struct vlk_split *s, int32_t max_pos);
/* Queries in blocks of 64 per head. k2: further columns of every key, shared by the heads (data NULL: none). */
struct vlk_flash {
    int32_t n, heads, group, keys; /* keys: all of them, where step is NULL (not causal) */
    float scale;
    const struct vlk_step *step;
    const float *q;
    float *out;
    int32_t q_stride, out_stride, q_head, out_head; /* floats per token, and from head to head */
    int64_t q_batch, kv_batch, out_batch;           /* elements from tile to tile */
    struct vlk_kv_rows k, k2, v;
    const float *down, *across; /* [tile][head][n][side] or NULL: what a score gets for the row and the column of its key in a grid */
    int32_t side, zero;
};
void vlk_cuda_flash(struct vlk_cuda *cuda, const struct vlk_flash *f, int32_t batch);
/* Softmax weights of every row, in f32, for the layers that somebody looks at. */
struct vlk_probs {
    int32_t n, heads, group, stride;
    float scale;
    const struct vlk_step *step;
    const float *q;
    struct vlk_kv_rows k;
    float *probs;
};
void vlk_cuda_probs(struct vlk_cuda *cuda, const struct vlk_probs *p);

/* backend, by file */
vlk_status vlk_cuda_submit(struct vlk_backend *be);
vlk_status vlk_cuda_wait(struct vlk_backend *be, struct vlk_error *err);
uint64_t vlk_cuda_memory_left(const struct vlk_backend *be);
void *vlk_cuda_mem_alloc(struct vlk_backend *be, size_t bytes);
void vlk_cuda_mem_free(struct vlk_backend *be, void *p);
void vlk_cuda_mem_write(struct vlk_backend *be, void *dst, const void *src, size_t bytes);
void vlk_cuda_mem_read(struct vlk_backend *be, void *dst, const void *src, size_t bytes);
void vlk_cuda_mem_copy(struct vlk_backend *be, void *dst, const void *src, size_t bytes);
void vlk_cuda_mem_zero(struct vlk_backend *be, void *dst, size_t bytes);
void vlk_cuda_weight_room(struct vlk_backend *be, struct vlk_room *room, vlk_dtype dtype, int32_t rows, int32_t cols);
struct vlk_weight vlk_cuda_weight_import(struct vlk_backend *be, vlk_dtype dtype, int32_t rows, int32_t cols, const void *host,
                                         vlk_place place);
void vlk_cuda_weight_release(struct vlk_backend *be, struct vlk_weight *w);

/* ops, by file */
void vlk_cuda_embed(struct vlk_backend *be, const struct vlk_embed_args *a);
void vlk_cuda_rmsnorm(struct vlk_backend *be, const struct vlk_rmsnorm_args *a);
void vlk_cuda_layernorm(struct vlk_backend *be, const struct vlk_layernorm_args *a);
void vlk_cuda_linear(struct vlk_backend *be, const struct vlk_linear_args *a);
void vlk_cuda_mha_write(struct vlk_backend *be, const struct vlk_mha_write_args *a);
void vlk_cuda_mha_attend(struct vlk_backend *be, const struct vlk_mha_attend_args *a);
void vlk_cuda_mla_write(struct vlk_backend *be, const struct vlk_mla_write_args *a);
void vlk_cuda_mla_attend(struct vlk_backend *be, const struct vlk_mla_attend_args *a);
void vlk_cuda_router(struct vlk_backend *be, const struct vlk_router_args *a);
void vlk_cuda_mlp(struct vlk_backend *be, const struct vlk_mlp_args *a);
void vlk_cuda_moe(struct vlk_backend *be, const struct vlk_moe_args *a);
void vlk_cuda_patch_embed(struct vlk_backend *be, const struct vlk_patch_embed_args *a);
void vlk_cuda_vit_attend(struct vlk_backend *be, const struct vlk_vit_attend_args *a);
void vlk_cuda_window_attend(struct vlk_backend *be, const struct vlk_window_attend_args *a);
void vlk_cuda_unfold(struct vlk_backend *be, const struct vlk_unfold_args *a);
void vlk_cuda_sample(struct vlk_backend *be, const struct vlk_sample_args *a);
void vlk_cuda_step_advance(struct vlk_backend *be, struct vlk_step *step, int32_t n);
void vlk_cuda_import_rows(struct vlk_cuda *cuda, vlk_dtype dtype, int32_t cols, int32_t rows, const void *raw, void *dst);

#endif
