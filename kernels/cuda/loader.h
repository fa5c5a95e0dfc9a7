/* SPDX-License-Identifier: MIT
 *
 * The explanations behind vlk_cuda_open(), apart so that tests can give them a machine that is not there. Private to kernels/.
 */
#ifndef VLK_CUDA_LOADER_H
#define VLK_CUDA_LOADER_H

#include "kernels/vlk.h"

/* Why libcuda.so.1 is not there, and why it does not start (code: CUresult), judged by /sys, /proc and /dev below `root`
 * ("" = this machine). Always 0. */
int vlk_cuda_explain_no_driver(const char *root, struct vlk_error *err);
int vlk_cuda_explain_init(const char *root, int code, struct vlk_error *err);

#endif
