/* SPDX-License-Identifier: MIT
 *
 * Attention inside windows of a grid with a bias by places: windows become tiles of their own, padding included, and go through the
 * kernel that all long attention shares (attention.cu), which gets the biases as a table. Called by the op table.
 */
#include "kernels/cuda/backend.cuh"

enum { WINDOW_THREADS = 256 };

struct window_rows {
    int32_t grid, window, across, heads, head_dim, zero; /* across: windows in a row */
    struct vlk_matrix outside;
    const float *from;
    float *to;
};

/* The cell of the grid, counted over all tiles, that is cell `cell` of the windows; -1: it lies outside. */
static __device__ inline int64_t cell_of(const window_rows &a, int64_t cell)
{
    const int each = a.window * a.window, at = (int)(cell % each), windows = a.across * a.across;
    const int64_t index = cell / each, tile = index / windows;
    const int y = (int)(index % windows) / a.across * a.window + at / a.window;
    const int x = (int)(index % windows) % a.across * a.window + at % a.window;

    return y < a.grid && x < a.grid ? (tile * a.grid + y) * a.grid + x : -1;
}

/* Block (cell of a window): its row of qkv, or the row that stands for what is outside. */
static __global__ void __launch_bounds__(WINDOW_THREADS) window_kernel(window_rows a)
{
    const int64_t cell = cell_of(a, blockIdx.x);
    const int width = 3 * a.heads * a.head_dim;

    for (int i = (int)threadIdx.x; i < width; i += WINDOW_THREADS)
        a.to[(int64_t)blockIdx.x * width + i] = cell >= 0        ? a.from[cell * width + i]
                                                : a.outside.data ? vlk_vector_at(a.outside, i)
                                                                 : 0.0f;
}

/* Block (cell of a window): its result back to the grid. */
static __global__ void __launch_bounds__(WINDOW_THREADS) unwindow_kernel(window_rows a)
{
    const int64_t cell = cell_of(a, blockIdx.x);
    const int width = a.heads * a.head_dim;

    for (int i = (int)threadIdx.x; cell >= 0 && i < width; i += WINDOW_THREADS)
        a.to[cell * width + i] = a.from[(int64_t)blockIdx.x * width + i];
}

struct place_args {
    int32_t window, heads, head_dim, zero;
    struct vlk_matrix down, across;
    const float *qkv;
    float *to[2]; /* [window][head][cells][window] */
};

/* Block (cell, head, window): q times the rows of both tables that are its distances to every row and column. */
static __global__ void __launch_bounds__(WINDOW_THREADS) place_kernel(place_args a)
{
    const int cell = (int)blockIdx.x, head = (int)blockIdx.y, cells = a.window * a.window, width = a.heads * a.head_dim;
    const float *q = a.qkv + ((int64_t)blockIdx.z * cells + cell) * 3 * width + head * a.head_dim;
    const int64_t row = (((int64_t)blockIdx.z * a.heads + head) * cells + cell) * a.window;

    for (int i = (int)threadIdx.x; i < 2 * a.window; i += WINDOW_THREADS) {
        const struct vlk_matrix &table = i < a.window ? a.down : a.across;
        const int place = i % a.window, at = (i < a.window ? cell / a.window : cell % a.window) - place + a.window - 1;
        float sum = 0;

        for (int c = 0; c < a.head_dim; c++)
            sum += q[c] * vlk_element(table.data + (size_t)at * table.stride, table.dtype, table.cols, c);
        a.to[i / a.window][row + place] = sum;
    }
}

static bool push_places(struct vlk_cuda *cuda, const struct vlk_window_attend_args *w, const float *qkv, int64_t windows, float *down,
                        float *across)
{
    VLK_ARGS(place_args, a);

    a.window = w->window;
    a.heads = w->heads;
    a.head_dim = w->head_dim;
    a.down = vlk_matrix_of(&w->down);
    a.across = vlk_matrix_of(&w->across);
    a.qkv = qkv;
    a.to[0] = down;
    a.to[1] = across;
    return VLK_PUSH(cuda, place_kernel, dim3((unsigned)(w->window * w->window), (unsigned)w->heads, (unsigned)windows), WINDOW_THREADS, 0,
                    a);
}

static void push_attention(struct vlk_cuda *cuda, const struct vlk_window_attend_args *w, const float *qkv, int64_t windows,
                           const float *down, const float *across, float *out)
{
    const int32_t width = w->heads * w->head_dim, row = 3 * width, cells = w->window * w->window;
    VLK_ARGS(vlk_flash, f);

    f.n = f.keys = cells;
    f.heads = w->heads;
    f.group = 1;
    f.scale = 1 / sqrtf((float)w->head_dim);
    f.q = qkv;
    f.out = out;
    f.q_stride = row;
    f.out_stride = width;
    f.q_head = f.out_head = w->head_dim;
    f.q_batch = f.kv_batch = (int64_t)cells * row;
    f.out_batch = (int64_t)cells * width;
    f.k.data = qkv + width;
    f.v.data = qkv + 2 * width;
    f.k.dtype = f.v.dtype = VLK_F32;
    f.k.stride = f.v.stride = row;
    f.k.head_step = f.v.head_step = f.k.width = f.v.width = w->head_dim;
    f.down = down;
    f.across = across;
    f.side = w->window;
    vlk_cuda_flash(cuda, &f, (int32_t)windows);
}

void vlk_cuda_window_attend(struct vlk_backend *be, const struct vlk_window_attend_args *w)
{
    struct vlk_cuda *cuda = vlk_cuda_of(be);
    const int32_t side = (w->grid + w->window - 1) / w->window, width = w->heads * w->head_dim;
    const int64_t windows = (int64_t)w->n * side * side, cells = windows * w->window * w->window;
    const size_t bias = (size_t)(cells * w->heads * w->window);
    const bool whole = w->window == w->grid;
    float *places = (float *)vlk_cuda_scratch(cuda, VLK_CUDA_LATENT, 2 * bias * sizeof(float));
    float *qkv = whole ? NULL : (float *)vlk_cuda_scratch(cuda, VLK_CUDA_EXPAND, (size_t)(cells * 4 * width) * sizeof(float));
    VLK_ARGS(window_rows, a);

    if (w->n <= 0 || !places || (!whole && !qkv))
        return;
    a.grid = w->grid;
    a.window = w->window;
    a.across = side;
    a.heads = w->heads;
    a.head_dim = w->head_dim;
    if (w->outside.rows)
        a.outside = vlk_matrix_of(&w->outside);
    a.from = w->qkv;
    a.to = qkv;
    if (!whole && !VLK_PUSH(cuda, window_kernel, dim3((unsigned)cells), WINDOW_THREADS, 0, a))
        return;
    if (!push_places(cuda, w, whole ? w->qkv : qkv, windows, places, places + bias))
        return;
    push_attention(cuda, w, whole ? w->qkv : qkv, windows, places, places + bias, whole ? w->out : qkv + cells * 3 * width);
    a.from = qkv + cells * 3 * width;
    a.to = w->out;
    if (!whole)
        VLK_PUSH(cuda, unwindow_kernel, dim3((unsigned)cells), WINDOW_THREADS, 0, a);
}
