/* SPDX-License-Identifier: MIT
 *
 * Every kernel of the CUDA module, and the check of test_ops.c that compares it with the CPU op. test_ops.c fails when a check
 * does not launch its kernel; test_model.c fails when a prefill or a decode step launches one that is not listed.
 */
#ifndef TESTS_CUDA_KERNELS_H
#define TESTS_CUDA_KERNELS_H

static const struct {
    const char *kernel, *check;
} cuda_kernels[] = {
    { "absorb_kernel", "mla" },
    { "advance_kernel", "mha" },
    { "down_kernel", "moe" },
    { "embed_kernel", "embed" },
    { "finish_kernel", "blas" },
    { "flash_kernel 128x128", "mha" },
    { "flash_kernel 192x128", "mla" },
    { "flash_kernel 32x32", "mla" },
    { "flash_kernel 80x80", "vit" },
    { "gate_kernel", "blas" },
    { "gated_kernel", "moe" },
    { "gemm_kernel 128x128", "linear" },
    { "gemm_kernel 128x64 gated", "mlp" },
    { "gemm_kernel 64x64", "linear" },
    { "gemm_kernel 64x64 gated", "mlp" },
    { "gemm_kernel 64x64 gated grouped", "moe" },
    { "gemm_kernel 64x64 grouped", "moe" },
    { "gemv_kernel", "linear" },
    { "import_kernel", "linear" },
    { "mha_write_kernel", "mha" },
    { "mla_write_kernel", "mla" },
    { "norm_kernel", "norms" },
    { "pack_kernel", "linear" },
    { "patch_kernel", "patches" },
    { "place_kernel", "windows" },
    { "position_kernel", "patches" },
    { "probs_kernel", "mha" },
    { "router_kernel", "router" },
    { "sample_kernel", "sample" },
    { "sort_kernel", "moe" },
    { "split_kernel", "mha" },
    { "sum_kernel", "moe" },
    { "unfold_kernel", "unfold" },
    { "value_kernel", "mla" },
    { "unwindow_kernel", "windows" },
    { "widen_kernel", "linear" },
    { "window_kernel", "windows" },
    { "zero_kernel", "memory" },
};

#endif
