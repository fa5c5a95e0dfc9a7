/* SPDX-License-Identifier: MIT
 *
 * Everything on the GPU that goes row by row: norms, embedding, patches, unfold, the step's position, and the arrangement of
 * uploaded weights. Called by the op table and by backend.cu.
 */
#include "kernels/cuda/backend.cuh"

enum { ROW_THREADS = 256 };

/* ------------------------------------------------------------------------------------------------ norms */

struct norm_args {
    int32_t width, layer;
    float eps;
    struct vlk_matrix w, b;
    const float *x;
    float *y;
};

static __global__ void __launch_bounds__(ROW_THREADS) norm_kernel(norm_args a)
{
    __shared__ float room[32];
    const float *x = a.x + (int64_t)blockIdx.x * a.width;
    float *y = a.y + (int64_t)blockIdx.x * a.width;
    float sum = 0, mean = 0, square = 0, r;

    for (int i = (int)threadIdx.x; a.layer && i < a.width; i += ROW_THREADS)
        sum += x[i];
    if (a.layer)
        mean = vlk_block_sum(sum, room) / (float)a.width;
    for (int i = (int)threadIdx.x; i < a.width; i += ROW_THREADS)
        square += (x[i] - mean) * (x[i] - mean);
    r = 1.0f / sqrtf(vlk_block_sum(square, room) / (float)a.width + a.eps);
    for (int i = (int)threadIdx.x; i < a.width; i += ROW_THREADS)
        y[i] = (x[i] - mean) * r * vlk_vector_at(a.w, i) + (a.b.data ? vlk_vector_at(a.b, i) : 0.0f);
}

void vlk_cuda_rmsnorm(struct vlk_backend *be, const struct vlk_rmsnorm_args *n)
{
    VLK_ARGS(norm_args, a);

    a.width = n->width;
    a.eps = n->eps;
    a.w = vlk_matrix_of(&n->w);
    a.x = n->x;
    a.y = n->y;
    VLK_PUSH(vlk_cuda_of(be), norm_kernel, dim3((unsigned)n->n), ROW_THREADS, 0, a);
}

/* Blocks of a launch that may repeat a norm: about two waves. More of them, and repeating costs more than a launch. */
enum { NORM_WAVES = 16 };

const float *vlk_cuda_take_norm(struct vlk_cuda *cuda, const float *x, int32_t cols, const void *y, size_t y_bytes, struct vlk_prenorm *norm)
{
    const struct norm_args *a = (const struct norm_args *)vlk_cuda_last(cuda, (const void *)norm_kernel);
    const size_t bytes = (size_t)cols * sizeof *x;
    const float *row;

    if (!a || a->layer || a->y != x || a->width != cols || cuda->list.commands[cuda->list.count - 1].grid[0] != 1 ||
        y_bytes / sizeof *x > (size_t)(NORM_WAVES * 16 * cuda->multiprocessors) || vlk_overlap(a->x, bytes, a->y, bytes) ||
        vlk_overlap(a->x, bytes, y, y_bytes) || vlk_overlap(x, bytes, y, y_bytes))
        return x;
    row = a->x;
    norm->w = a->w;
    norm->y = a->y;
    norm->eps = a->eps;
    vlk_cuda_drop_last(cuda);
    return row;
}

void vlk_cuda_layernorm(struct vlk_backend *be, const struct vlk_layernorm_args *n)
{
    VLK_ARGS(norm_args, a);

    a.width = n->width;
    a.layer = 1;
    a.eps = n->eps;
    a.w = vlk_matrix_of(&n->w);
    a.b = vlk_matrix_of(&n->b);
    a.x = n->x;
    a.y = n->y;
    VLK_PUSH(vlk_cuda_of(be), norm_kernel, dim3((unsigned)n->n), ROW_THREADS, 0, a);
}

/* ------------------------------------------------------------------------------------------------ embedding */

struct embed_args {
    int32_t width;
    const int32_t *ids;
    struct vlk_matrix table;
    const float *rows;
    float *out;
    struct vlk_fault *fault;
};

static __global__ void __launch_bounds__(ROW_THREADS) embed_kernel(embed_args a)
{
    const int32_t id = a.ids[blockIdx.x];
    float *out = a.out + (int64_t)blockIdx.x * a.width;

    if (id >= a.table.rows || (id < 0 && !a.rows)) {
        if (threadIdx.x == 0) {
            a.fault->value = id;
            a.fault->limit = a.table.rows;
            __threadfence_system();
            a.fault->code = VLK_FAULT_TOKEN;
        }
        return;
    }
    for (int i = (int)threadIdx.x; i < a.width; i += ROW_THREADS)
        out[i] = id < 0 ? a.rows[(int64_t)(-1 - id) * a.width + i]
                        : vlk_element(a.table.data + (size_t)id * a.table.stride, a.table.dtype, a.table.cols, i);
}

void vlk_cuda_embed(struct vlk_backend *be, const struct vlk_embed_args *e)
{
    VLK_ARGS(embed_args, a);

    a.width = e->width;
    a.ids = e->ids;
    a.table = vlk_matrix_of(&e->table);
    a.rows = e->rows;
    a.out = e->out;
    a.fault = vlk_cuda_of(be)->fault;
    VLK_PUSH(vlk_cuda_of(be), embed_kernel, dim3((unsigned)e->n), ROW_THREADS, 0, a);
}

/* ------------------------------------------------------------------------------------------------ pictures */

struct patch_args {
    int32_t side, patch, grid, cols, ld;
    const uint8_t *tiles;
    uint16_t *out;
};

/* One patch in conv order (c, y, x) as a packed row. */
static __global__ void __launch_bounds__(ROW_THREADS) patch_kernel(patch_args a)
{
    const int cells = a.grid * a.grid, tile = (int)blockIdx.x / cells, cell = (int)blockIdx.x % cells;
    const uint8_t *corner = a.tiles + (int64_t)tile * 3 * a.side * a.side + (int64_t)(cell / a.grid) * a.patch * a.side + cell % a.grid * a.patch;

    for (int i = (int)threadIdx.x; i < a.ld; i += ROW_THREADS) {
        int c = i / (a.patch * a.patch), y = i / a.patch % a.patch, x = i % a.patch;
        float v = i < a.cols ? (float)corner[((int64_t)c * a.side + y) * a.side + x] / 127.5f - 1.0f : 0.0f;

        a.out[(int64_t)blockIdx.x * a.ld + i] = vlk_to_bf16(v);
    }
}

struct position_args {
    int32_t width, cells;
    struct vlk_matrix pos;
    float *out;
};

static __global__ void __launch_bounds__(ROW_THREADS) position_kernel(position_args a)
{
    const uint8_t *pos = a.pos.data + (size_t)((int)blockIdx.x % a.cells) * a.pos.stride;
    float *out = a.out + (int64_t)blockIdx.x * a.width;

    for (int i = (int)threadIdx.x; i < a.width; i += ROW_THREADS)
        out[i] += vlk_element(pos, a.pos.dtype, a.pos.cols, i);
}

void vlk_cuda_patch_embed(struct vlk_backend *be, const struct vlk_patch_embed_args *p)
{
    struct vlk_cuda *cuda = vlk_cuda_of(be);
    const int32_t grid = p->patch > 0 ? p->side / p->patch : 0, n = p->n * grid * grid;
    VLK_ARGS(patch_args, a);
    VLK_ARGS(vlk_gemm, g);
    VLK_ARGS(position_args, q);

    if (n <= 0)
        return;
    a.side = p->side;
    a.patch = p->patch;
    a.grid = grid;
    a.cols = p->w.cols;
    a.ld = vlk_packed_ld(p->w.cols);
    a.tiles = p->tiles;
    a.out = (uint16_t *)vlk_cuda_scratch(cuda, VLK_CUDA_PACKED, (size_t)n * (size_t)a.ld * sizeof *a.out);
    if (!a.out)
        return;
    VLK_PUSH(cuda, patch_kernel, dim3((unsigned)n), ROW_THREADS, 0, a);
    g.n = n;
    g.x = a.out;
    g.ld = a.ld;
    g.w = vlk_matrix_of(&p->w);
    g.bias = vlk_matrix_of(&p->b);
    g.y = p->out;
    g.ldy = p->w.rows;
    vlk_cuda_gemm(cuda, &g);
    if (!p->pos.rows)
        return;
    q.width = p->width;
    q.cells = grid * grid;
    q.pos = vlk_matrix_of(&p->pos);
    q.out = p->out;
    VLK_PUSH(cuda, position_kernel, dim3((unsigned)n), ROW_THREADS, 0, q);
}

struct unfold_args {
    int32_t grid, width, r, out_grid, stride, pad;
    const float *x;
    float *out;
};

static __global__ void __launch_bounds__(ROW_THREADS) unfold_kernel(unfold_args a)
{
    const int g = a.out_grid, r = a.r, cell = (int)blockIdx.x, tile = cell / (g * g);
    const int cy = cell / g % g * a.stride - a.pad, cx = cell % g * a.stride - a.pad;
    float *out = a.out + (int64_t)cell * a.width * r * r;

    for (int i = (int)threadIdx.x; i < a.width * r * r; i += ROW_THREADS) {
        int c = i / (r * r), y = cy + i / r % r, x = cx + i % r;

        out[i] = y >= 0 && y < a.grid && x >= 0 && x < a.grid ? a.x[(((int64_t)tile * a.grid + y) * a.grid + x) * a.width + c] : 0.0f;
    }
}

void vlk_cuda_unfold(struct vlk_backend *be, const struct vlk_unfold_args *u)
{
    VLK_ARGS(unfold_args, a);

    a.grid = u->grid;
    a.width = u->width;
    a.r = u->r;
    a.stride = u->stride;
    a.pad = u->pad;
    a.out_grid = vlk_unfolded(u->grid, u->r, u->stride, u->pad);
    a.x = u->x;
    a.out = u->out;
    VLK_PUSH(vlk_cuda_of(be), unfold_kernel, dim3((unsigned)(u->n * a.out_grid * a.out_grid)), ROW_THREADS, 0, a);
}

/* ------------------------------------------------------------------------------------------------ step */

struct advance_args {
    struct vlk_step *step;
    int32_t n, zero;
};

static __global__ void advance_kernel(advance_args a)
{
    if (threadIdx.x == 0)
        a.step->pos += a.n;
}

void vlk_cuda_step_advance(struct vlk_backend *be, struct vlk_step *step, int32_t n)
{
    VLK_ARGS(advance_args, a);

    a.step = step;
    a.n = n;
    VLK_PUSH(vlk_cuda_of(be), advance_kernel, dim3(1), 32, 0, a);
}

int32_t vlk_cuda_take_advance(struct vlk_cuda *cuda, const struct vlk_step *step)
{
    const struct advance_args *a = (const struct advance_args *)vlk_cuda_last(cuda, (const void *)advance_kernel);
    const int32_t n = a && a->step == step ? a->n : 0;

    if (n)
        vlk_cuda_drop_last(cuda);
    return n;
}

/* ------------------------------------------------------------------------------------------------ upload */

struct import_args {
    int32_t dtype, cols;
    uint32_t row, stride;
    const uint8_t *raw;
    uint8_t *dst;
};

/* The code of a column in a stored row (kernels/quant.h), 0 behind the last group. */
static __device__ inline int code_at(const import_args &a, const uint8_t *raw, int col)
{
    if (col >= (a.cols + 31) / 32 * 32)
        return 0;
    return a.dtype == VLK_I8G ? raw[col] : raw[col / 32 * 16 + col % 16] >> (col % 32 < 16 ? 0 : 4) & 15;
}

/* Byte i of a row in device memory (weights.cuh). */
static __device__ inline uint8_t device_byte(const import_args &a, const uint8_t *raw, uint32_t i)
{
    const int blocks = vlk_blocks(a.dtype, a.cols), groups = vlk_block_groups(a.dtype), at = (int)i % 64, block = (int)i / 64, t = at / 16;

    if (groups == 0)
        return i < a.row ? raw[i] : 0;
    if ((int)i >= blocks * 64) {
        uint32_t scale = i - (uint32_t)blocks * 64, scales = (uint32_t)(a.cols + 31) / 32 * 2;
        return scale < scales ? raw[a.row - scales + scale] : 0;
    }
    if (a.dtype == VLK_I8G)
        return (uint8_t)code_at(a, raw, block * 64 + at % 16 / 8 * 32 + 8 * t + at % 8);
    /* Byte b of a word: nibbles 2b and 2b + 1. */
    const int b = at % 4, column = block * 128 + at % 16 / 4 * 32 + 4 * t + (b >> 1) * 16 + (b & 1) * 2;
    return (uint8_t)(code_at(a, raw, column) | code_at(a, raw, column + 1) << 4);
}

static __global__ void __launch_bounds__(ROW_THREADS) import_kernel(import_args a)
{
    const uint8_t *raw = a.raw + (size_t)blockIdx.x * a.row;
    uint8_t *dst = a.dst + (size_t)blockIdx.x * a.stride;

    for (uint32_t i = threadIdx.x; i < a.stride / 4; i += ROW_THREADS) {
        uint32_t word = 0;

        for (uint32_t b = 0; b < 4; b++)
            word |= (uint32_t)device_byte(a, raw, 4 * i + b) << 8 * b;
        ((uint32_t *)dst)[i] = word;
    }
}

void vlk_cuda_import_rows(struct vlk_cuda *cuda, vlk_dtype dtype, int32_t cols, int32_t rows, const void *raw, void *dst)
{
    VLK_ARGS(import_args, a);

    a.dtype = dtype;
    a.cols = cols;
    a.row = (uint32_t)vlk_row_bytes(dtype, cols);
    a.stride = vlk_device_stride(dtype, cols);
    a.raw = (const uint8_t *)raw;
    a.dst = (uint8_t *)dst;
    if (!vlk_cuda_allow(cuda, "import_kernel", (const void *)import_kernel, 0))
        return;
    VLK_RUN("import_kernel", import_kernel, dim3((unsigned)rows), ROW_THREADS, 0, cuda->stream, a);
}
