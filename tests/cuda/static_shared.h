/* SPDX-License-Identifier: MIT
 *
 * Shared memory that each kernel's own code takes, as ptxas 13.0 tells for sm_90a (nvcc -Xptxas -v); what a launch asks for comes on
 * top of it, and both together are limited. Included by runtime.cpp.
 */
#ifndef TESTS_CUDA_STATIC_SHARED_H
#define TESTS_CUDA_STATIC_SHARED_H

#include <stddef.h>

static const struct {
    const char *kernel;
    size_t bytes;
} emulate_static_shared[] = {
    { "absorb_kernel", 8320 },
    { "advance_kernel", 0 },
    { "down_kernel", 2048 },
    { "embed_kernel", 0 },
    { "finish_kernel", 0 },
    { "flash_kernel 128x128", 0 },
    { "flash_kernel 192x128", 0 },
    { "flash_kernel 32x32", 0 },
    { "flash_kernel 80x80", 0 },
    { "gate_kernel", 0 },
    { "gated_kernel", 2048 },
    { "gemm_kernel 128x128", 128 },
    { "gemm_kernel 128x64 gated", 128 },
    { "gemm_kernel 64x64", 128 },
    { "gemm_kernel 64x64 gated", 128 },
    { "gemm_kernel 64x64 gated grouped", 128 },
    { "gemm_kernel 64x64 grouped", 128 },
    { "gemv_kernel", 2048 },
    { "import_kernel", 0 },
    { "mha_write_kernel", 0 },
    { "mla_write_kernel", 128 },
    { "norm_kernel", 128 },
    { "pack_kernel", 0 },
    { "patch_kernel", 0 },
    { "place_kernel", 0 },
    { "position_kernel", 0 },
    { "probs_kernel", 128 },
    { "product", 0 }, /* of test_emulate.cpp */
    { "reverse", 0 },
    { "router_kernel", 8320 },
    { "sample_kernel", 3568 },
    { "sort_kernel", 2176 },
    { "split_kernel", 4864 },
    { "sum_kernel", 0 },
    { "total", 4 },
    { "unfold_kernel", 0 },
    { "value_kernel", 2048 },
    { "unwindow_kernel", 0 },
    { "widen_kernel", 0 },
    { "window_kernel", 0 },
    { "zero_kernel", 0 },
};

#endif
