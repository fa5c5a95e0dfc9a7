/* SPDX-License-Identifier: MIT
 *
 * What libsightline-cuda.so and the program that loads it agree on: one exported symbol, checked before anything is called.
 * Included by kernels/cuda/loader.c (the loader) and kernels/cuda/backend.cu (the module). Private to kernels/.
 */
#ifndef VLK_CUDA_MODULE_H
#define VLK_CUDA_MODULE_H

#include "kernels/vlk.h"

#define VLK_CUDA_FILE "libsightline-cuda.so"
#define VLK_CUDA_SYMBOL "vlk_cuda_module"

struct vlk_cuda_module {
    uint32_t abi;      /* VLK_ABI_VERSION of the module's sources */
    const char *build; /* VLK_BUILD_ID: program and module come from one build */
    int toolkit;       /* CUDA version it was built with, as cuDriverGetVersion() counts: 13000 */
    /* Whether GPU `device` can run this module: loads a kernel of it. False + err. On the caller's thread. */
    bool (*check)(int device, struct vlk_error *err);
    /* Opens GPU `device` as the driver numbers them. NULL + err when it cannot. On the caller's thread, like all ops. */
    struct vlk_backend *(*open)(int device, struct vlk_error *err);
};

#endif
