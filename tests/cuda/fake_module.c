/* SPDX-License-Identifier: MIT
 *
 * A libsightline-cuda.so of another build, which must not be called.
 */
#include "kernels/cuda/module.h"

extern const struct vlk_cuda_module vlk_cuda_module;
const struct vlk_cuda_module vlk_cuda_module = { VLK_ABI_VERSION + FAKE_ABI, FAKE_BUILD, 13000, NULL };
