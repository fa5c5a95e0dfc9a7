/* SPDX-License-Identifier: MIT
 *
 * cuBLAS, where the machine has it: products of bf16 weights with many rows. It is opened when the first of them comes, as it costs
 * 150 MB and a good part of a second; whatever goes wrong with it, our own tiles do the work. Called by linear.cu.
 */
#include "kernels/cuda/backend.cuh"
#include "kernels/cuda/gemv.cuh"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>

/* The few entries of cublas_v2.h that are used; values from its documentation. */
typedef int (*blas_create_fn)(void **handle);
typedef int (*blas_destroy_fn)(void *handle);
typedef int (*blas_stream_fn)(void *handle, cudaStream_t stream);
typedef int (*blas_gemm_fn)(void *handle, int trans_a, int trans_b, int m, int n, int k, const void *alpha, const void *a, int type_a, int lda,
                            const void *b, int type_b, int ldb, const void *beta, void *c, int type_c, int ldc, int compute, int algorithm);
enum { BLAS_T = 1, BLAS_N = 0, TYPE_F32 = 0, TYPE_BF16 = 14, COMPUTE_F32 = 68, DEFAULT_ALGORITHM = -1, BLAS_ROWS = 128, BLAS_COLUMNS = 64 };

struct vlk_blas {
    void *lt, *library, *handle;
    blas_gemm_fn gemm;
    blas_destroy_fn destroy;
    bool off; /* it is not there, or it failed */
};

static void close_blas(struct vlk_blas *b)
{
    if (b->handle)
        b->destroy(b->handle);
    if (b->library)
        dlclose(b->library);
    if (b->lt)
        dlclose(b->lt);
    memset(b, 0, sizeof *b);
    b->off = true;
}

/* libcublas needs the libcublasLt of its own build, and the loader takes whichever has been loaded: the latter first, and then the one
 * that lies beside it. */
static bool open_pair(struct vlk_blas *b, const char *lt, int major)
{
    char folder[4096], path[4200];

    b->lt = dlopen(lt, RTLD_NOW | RTLD_LOCAL);
    if (!b->lt || dlinfo(b->lt, RTLD_DI_ORIGIN, folder) != 0)
        return false;
    snprintf(path, sizeof path, "%s/libcublas.so.%d", folder, major);
    b->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    return b->library != NULL;
}

static bool start(struct vlk_blas *b, cudaStream_t stream)
{
    const blas_create_fn create = (blas_create_fn)dlsym(b->library, "cublasCreate_v2");
    const blas_stream_fn set_stream = (blas_stream_fn)dlsym(b->library, "cublasSetStream_v2");

    b->gemm = (blas_gemm_fn)dlsym(b->library, "cublasGemmEx");
    b->destroy = (blas_destroy_fn)dlsym(b->library, "cublasDestroy_v2");
    if (!create || !set_stream || !b->gemm || !b->destroy)
        return false;
    if (create(&b->handle) != 0) {
        b->handle = NULL;
        return false;
    }
    return set_stream(b->handle, stream) == 0;
}

static void open_blas(struct vlk_cuda *cuda, struct vlk_blas *b)
{
    static const struct {
        const char *lt;
        int major;
    } places[] = {
        {"libcublasLt.so.13", 13},
#ifndef VLK_EMULATED /* whose stand-in is the first; a real one has no business with the memory of an emulation */
        {"libcublasLt.so.12", 12},
        {"/usr/local/cuda/lib64/libcublasLt.so.13", 13},
        {"/usr/local/cuda/lib64/libcublasLt.so.12", 12},
#endif
    };

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (open_pair(b, places[i].lt, places[i].major) && start(b, cuda->stream)) {
            b->off = false;
            return;
        }
        close_blas(b);
    }
    cudaGetLastError(); /* of a handle that could not be made */
}

static bool has_blas(struct vlk_cuda *cuda)
{
    if (!cuda->blas) {
        cuda->blas = (struct vlk_blas *)vlk_alloc(1, sizeof *cuda->blas);
        if (!cuda->blas)
            return false;
        vlk_cuda_enter(cuda);
        open_blas(cuda, cuda->blas);
    }
    return !cuda->blas->off;
}

void vlk_cuda_blas_close(struct vlk_cuda *cuda)
{
    if (cuda->blas)
        close_blas(cuda->blas);
    vlk_free(cuda->blas);
    cuda->blas = NULL;
}

/* ------------------------------------------------------------------------------------------------ a product */

struct finish_args {
    float *y;
    int64_t n;
    struct vlk_matrix bias;
    int32_t rows, act;
};

/* What cuBLAS leaves to do: y = act(y + bias). */
static __global__ void __launch_bounds__(256) finish_kernel(finish_args a)
{
    int64_t at = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;

    for (; at < a.n * a.rows; at += (int64_t)gridDim.x * blockDim.x) {
        float v = a.y[at];

        if (a.bias.data)
            v += vlk_vector_at(a.bias, (int)(at % a.rows));
        a.y[at] = vlk_activate(a.act, v);
    }
}

static unsigned blocks_for(int64_t elements)
{
    const int64_t blocks = (elements + 1023) / 1024;

    return (unsigned)(blocks < 8192 ? blocks : 8192);
}

static void finish_product(struct vlk_cuda *cuda, const struct vlk_gemm *g)
{
    VLK_ARGS(finish_args, f);

    if (!g->bias.data && !g->act)
        return;
    f.y = g->y;
    f.n = g->n;
    f.bias = g->bias;
    f.rows = g->w.rows;
    f.act = g->act;
    VLK_RUN("finish_kernel", finish_kernel, dim3(blocks_for(f.n * f.rows)), 256, 0, cuda->stream, f);
}

/* Row-major y[n][rows] = x w^T is column-major y^T = w x^T. What cuBLAS cannot do, for want of memory first of all, our tiles do. */
static void run_blas(struct vlk_cuda *cuda, const struct vlk_command *c)
{
    struct vlk_blas *b = cuda->blas;
    struct vlk_gemm g;
    const float one = 1;

    memcpy(&g, cuda->list.arena + c->args, sizeof g);
    const float beta = g.accumulate ? 1.0f : 0.0f;
    const int lost = b->off ? 1
                            : b->gemm(b->handle, BLAS_T, BLAS_N, g.w.rows, g.n, g.ld, &one, g.w.data, TYPE_BF16, (int)(g.w.stride / 2), g.x,
                                      TYPE_BF16, g.ld, &beta, g.y, TYPE_F32, g.ldy, COMPUTE_F32, DEFAULT_ALGORITHM);
    if (!lost) {
        finish_product(cuda, &g);
        return;
    }
    b->off = true;
    cudaGetLastError();
    const struct vlk_gemm_launch l = vlk_cuda_gemm_tiles(cuda, &g);
    VLK_RUN(l.name, l.kernel, l.grid, l.block, l.shared, cuda->stream, g);
}

static bool push_product(struct vlk_cuda *cuda, const struct vlk_gemm *g)
{
    const struct vlk_gemm_launch own = vlk_cuda_gemm_tiles(cuda, g);
    VLK_ARGS(vlk_command, c);

    if (!vlk_cuda_allow(cuda, own.name, (const void *)own.kernel, own.shared) ||
        !vlk_cuda_allow(cuda, "finish_kernel", (const void *)finish_kernel, 0))
        return false;
    c.run = run_blas;
    c.name = "cuBLAS";
    c.eager = 1;
    return vlk_cuda_append(cuda, c, g, sizeof *g) != NULL;
}

/* ------------------------------------------------------------------------------------------------ a gated product */

struct gate_args {
    const float *gate, *up; /* [n][rows] */
    uint16_t *half;         /* [n][ld] */
    int64_t n;
    int32_t rows, ld;
};

/* half = silu(gate) * up, columns behind the last one 0. */
static __global__ void __launch_bounds__(256) gate_kernel(gate_args a)
{
    int64_t at = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;

    for (; at < a.n * a.ld; at += (int64_t)gridDim.x * blockDim.x) {
        const int64_t row = at / a.ld, col = at % a.ld, from = row * a.rows + col;

        a.half[at] = col < a.rows ? vlk_to_bf16(vlk_silu(a.gate[from]) * a.up[from]) : 0;
    }
}

/* Both halves by cuBLAS, and one pass that joins them. */
static bool push_gated(struct vlk_cuda *cuda, const struct vlk_gemm *g)
{
    const size_t each = (size_t)g->n * (size_t)g->w.rows;
    float *up = (float *)vlk_cuda_scratch(cuda, VLK_CUDA_PAIRS, 2 * each * sizeof *up);
    VLK_ARGS(gate_args, a);
    struct vlk_gemm one;

    if (!up)
        return false;
    memcpy(&one, g, sizeof one);
    memset(&one.gate, 0, sizeof one.gate);
    one.half = NULL;
    one.ldy = g->w.rows;
    one.y = up;
    push_product(cuda, &one);
    one.w = g->gate;
    one.y = up + each;
    push_product(cuda, &one);
    a.gate = one.y;
    a.up = up;
    a.half = g->half;
    a.n = g->n;
    a.rows = g->w.rows;
    a.ld = g->ldy;
    return VLK_PUSH(cuda, gate_kernel, dim3(blocks_for(a.n * a.ld)), 256, 0, a) != NULL;
}

bool vlk_cuda_blas_gemm(struct vlk_cuda *cuda, const struct vlk_gemm *g)
{
    const bool gated = g->gate.data != NULL;

    if (g->experts || g->n < BLAS_ROWS || g->w.rows < BLAS_COLUMNS || g->w.dtype != VLK_BF16 || (gated && g->gate.dtype != VLK_BF16) ||
        (gated ? !g->half || g->bias.data || g->act : !g->y || g->ldy != g->w.rows || (g->accumulate && g->act)) || vlk_cuda_poisoned(cuda) ||
        !has_blas(cuda))
        return false;
    if (gated)
        push_gated(cuda, g);
    else
        push_product(cuda, g);
    return true;
}
