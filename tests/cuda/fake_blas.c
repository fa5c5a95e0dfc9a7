/* SPDX-License-Identifier: MIT
 *
 * A libcublas.so.13, and beside it a libcublasLt.so.13, for tests: the four entries that kernels/cuda/blas.cu calls, computed on the
 * CPU in the layout that cuBLAS documents. FAKE_BLAS_CREATE and FAKE_BLAS_GEMM are the status that a call returns instead.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int status_of(const char *name)
{
    const char *text = getenv(name);

    return text ? atoi(text) : 0;
}

int cublasCreate_v2(void **handle);
int cublasDestroy_v2(void *handle);
int cublasSetStream_v2(void *handle, void *stream);
int cublasGemmEx(void *handle, int trans_a, int trans_b, int m, int n, int k, const void *alpha, const void *a, int type_a, int lda,
                 const void *b, int type_b, int ldb, const void *beta, void *c, int type_c, int ldc, int compute, int algorithm);

int cublasCreate_v2(void **handle)
{
    *handle = status_of("FAKE_BLAS_CREATE") ? NULL : malloc(1);
    return status_of("FAKE_BLAS_CREATE");
}

int cublasDestroy_v2(void *handle)
{
    free(handle);
    return 0;
}

int cublasSetStream_v2(void *handle, void *stream)
{
    return 0;
}

static float bf16_at(const void *p, size_t i)
{
    uint32_t bits = (uint32_t)((const uint16_t *)p)[i] << 16;
    float f;

    memcpy(&f, &bits, 4);
    return f;
}

/* c = alpha op(a) op(b) + beta c, column-major; only what is asked for: a transposed, b not, bf16 in, f32 out and between. */
int cublasGemmEx(void *handle, int trans_a, int trans_b, int m, int n, int k, const void *alpha, const void *a, int type_a, int lda,
                 const void *b, int type_b, int ldb, const void *beta, void *c, int type_c, int ldc, int compute, int algorithm)
{
    const float one = *(const float *)alpha, add = *(const float *)beta;

    if (status_of("FAKE_BLAS_GEMM"))
        return status_of("FAKE_BLAS_GEMM");
    if (!handle || trans_a != 1 || trans_b != 0 || type_a != 14 || type_b != 14 || type_c != 0 || compute != 68 || lda < k || ldb < k || ldc < m)
        return 7; /* CUBLAS_STATUS_INVALID_VALUE */
    for (int j = 0; j < n; j++)
        for (int i = 0; i < m; i++) {
            float *out = (float *)c + (size_t)j * (size_t)ldc + i, sum = 0;

            for (int l = 0; l < k; l++)
                sum += bf16_at(a, (size_t)i * (size_t)lda + (size_t)l) * bf16_at(b, (size_t)j * (size_t)ldb + (size_t)l);
            *out = one * sum + (add != 0 ? add * *out : 0);
        }
    return 0;
}
