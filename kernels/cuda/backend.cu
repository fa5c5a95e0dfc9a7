/* SPDX-License-Identifier: MIT
 *
 * The CUDA backend's life: device, errors, what kernels may take of shared memory, and the op table. Called by engine/ on its inference
 * thread, through the one symbol of the module. Knows no op's mathematics.
 */
#include "kernels/cuda/backend.cuh"

#include <stdarg.h>
#include <stdio.h>

#include "kernels/cuda/module.h"
#include "kernels/vit_block.h"

/* ------------------------------------------------------------------------------------------------ errors */

void vlk_cuda_poison(struct vlk_cuda *cuda, vlk_status code, const char *format, ...)
{
    va_list args;

    if (cuda->error.code)
        return;
    cuda->error.code = code;
    va_start(args, format);
    vsnprintf(cuda->error.text, sizeof cuda->error.text, format, args);
    va_end(args);
}

bool vlk_cuda_failed(struct vlk_cuda *cuda, cudaError_t e, const char *doing)
{
    if (e == cudaSuccess)
        return false;
    if (e == cudaErrorMemoryAllocation)
        vlk_cuda_poison(cuda, VLK_ERR_MEMORY, "The GPU's memory is full (%s).", doing);
    else
        vlk_cuda_poison(cuda, VLK_ERR_DEVICE, "The GPU failed (%s: %s); open the model again, or use the CPU.", doing,
                        cudaGetErrorString(e));
    return true;
}

/* ------------------------------------------------------------------------------------------------ device and kernels */

/* The current device belongs to the thread, and another engine may have another one. */
void vlk_cuda_enter(struct vlk_cuda *cuda)
{
    int now = -1;

    if (cudaGetDevice(&now) != cudaSuccess || now != cuda->device)
        vlk_cuda_failed(cuda, cudaSetDevice(cuda->device), "choosing the device");
}

/* What is known of a kernel, asked of the driver when it is first used; NULL after poisoning. */
static struct vlk_kernel *find_kernel(struct vlk_cuda *cuda, const char *name, const void *kernel)
{
    cudaFuncAttributes attributes;
    int i = 0;

    while (i < cuda->kernel_count && cuda->kernels[i].kernel != kernel)
        i++;
    if (i < cuda->kernel_count)
        return &cuda->kernels[i];
    vlk_cuda_enter(cuda);
    if (i == VLK_CUDA_KERNELS || vlk_cuda_failed(cuda, VLK_ASK_KERNEL(&attributes, name, kernel), name))
        return NULL;
    cuda->kernels[i].kernel = kernel;
    cuda->kernels[i].fixed = attributes.sharedSizeBytes;
    cuda->kernels[i].raised = false;
    cuda->kernel_count++;
    return &cuda->kernels[i];
}

bool vlk_cuda_allow(struct vlk_cuda *cuda, const char *name, const void *kernel, size_t shared)
{
    struct vlk_kernel *k = vlk_cuda_poisoned(cuda) ? NULL : find_kernel(cuda, name, kernel);

    if (!k)
        return false;
    if (k->fixed + shared > cuda->shared_limit) {
        vlk_cuda_poison(cuda, VLK_ERR_UNSUPPORTED, "%s needs %zu KB of shared memory; this GPU has %zu.", name, (k->fixed + shared) >> 10,
                        cuda->shared_limit >> 10);
        return false;
    }
    if (k->raised || k->fixed + shared <= VLK_CUDA_PLAIN_SHARED)
        return true;
    k->raised = true;
    return !vlk_cuda_failed(cuda, VLK_RAISE_SHARED(kernel, name, cuda->shared_limit - k->fixed), name);
}

/* ------------------------------------------------------------------------------------------------ life */

static const char *describe(const struct vlk_backend *be)
{
    return ((const struct vlk_cuda *)be)->description;
}

static void close_backend(struct vlk_backend *be)
{
    struct vlk_cuda *cuda = vlk_cuda_of(be);

    vlk_cuda_enter(cuda);
    if (cuda->stream)
        cudaStreamSynchronize(cuda->stream);
    vlk_cuda_blas_close(cuda);
    vlk_cuda_forget_graphs(cuda);
    vlk_cuda_forget_tables(cuda);
    vlk_cuda_give_all(cuda);
    for (int i = 0; i < VLK_CUDA_SLOTS; i++)
        cudaFree(cuda->slots[i].data);
    for (int i = 0; i < 2; i++) {
        cudaFreeHost(cuda->upload.pinned[i]);
        cudaFree(cuda->upload.raw[i]);
        if (cuda->upload.free[i])
            cudaEventDestroy(cuda->upload.free[i]);
    }
    cudaFreeHost(cuda->fault);
    cudaFreeHost(cuda->masks);
    cudaFreeHost(cuda->sampled.pinned);
    cudaFree(cuda->counters);
    if (cuda->stream)
        cudaStreamDestroy(cuda->stream);
    vlk_free(cuda->list.commands);
    vlk_free(cuda->list.arena);
    vlk_free(cuda->list.before);
    vlk_free(cuda);
}

static const struct vlk_ops *table(void)
{
    static struct vlk_ops ops;

    ops.name = "cuda";
    ops.describe = describe;
    ops.memory_left = vlk_cuda_memory_left;
    ops.mem_alloc = vlk_cuda_mem_alloc;
    ops.mem_free = vlk_cuda_mem_free;
    ops.mem_write = vlk_cuda_mem_write;
    ops.mem_read = vlk_cuda_mem_read;
    ops.mem_copy = vlk_cuda_mem_copy;
    ops.mem_zero = vlk_cuda_mem_zero;
    ops.weight_room = vlk_cuda_weight_room;
    ops.weight_import = vlk_cuda_weight_import;
    ops.weight_release = vlk_cuda_weight_release;
    ops.embed = vlk_cuda_embed;
    ops.rmsnorm = vlk_cuda_rmsnorm;
    ops.layernorm = vlk_cuda_layernorm;
    ops.linear = vlk_cuda_linear;
    ops.mha_write = vlk_cuda_mha_write;
    ops.mha_attend = vlk_cuda_mha_attend;
    ops.mla_write = vlk_cuda_mla_write;
    ops.mla_attend = vlk_cuda_mla_attend;
    ops.router = vlk_cuda_router;
    ops.mlp = vlk_cuda_mlp;
    ops.moe = vlk_cuda_moe;
    ops.patch_embed = vlk_cuda_patch_embed;
    ops.vit_attend = vlk_cuda_vit_attend;
    ops.window_attend = vlk_cuda_window_attend;
    ops.vit_block = vlk_vit_block_by_parts;
    ops.unfold = vlk_cuda_unfold;
    ops.sample = vlk_cuda_sample;
    ops.step_advance = vlk_cuda_step_advance;
    ops.submit = vlk_cuda_submit;
    ops.wait = vlk_cuda_wait;
    ops.close = close_backend;
    return &ops;
}

static bool take_buffers(struct vlk_cuda *cuda)
{
    cudaError_t e = cudaStreamCreateWithFlags(&cuda->stream, cudaStreamNonBlocking);

    for (int i = 0; i < 2 && e == cudaSuccess; i++) {
        e = cudaHostAlloc((void **)&cuda->upload.pinned[i], VLK_CUDA_UPLOAD, cudaHostAllocMapped);
        if (e == cudaSuccess)
            e = cudaMalloc((void **)&cuda->upload.raw[i], VLK_CUDA_UPLOAD);
        if (e == cudaSuccess)
            e = cudaEventCreateWithFlags(&cuda->upload.free[i], cudaEventDisableTiming);
    }
    if (e == cudaSuccess)
        e = cudaHostAlloc((void **)&cuda->fault, sizeof *cuda->fault, cudaHostAllocMapped);
    if (e == cudaSuccess)
        e = cudaHostAlloc((void **)&cuda->masks, VLK_CUDA_MASK_BYTES, cudaHostAllocMapped);
    if (e == cudaSuccess)
        e = cudaHostAlloc((void **)&cuda->sampled.pinned, sizeof *cuda->sampled.pinned, cudaHostAllocMapped);
    if (e == cudaSuccess)
        e = cudaMalloc((void **)&cuda->counters, VLK_CUDA_COUNTERS * sizeof *cuda->counters);
    if (e == cudaSuccess)
        e = cudaMemsetAsync(cuda->counters, 0, VLK_CUDA_COUNTERS * sizeof *cuda->counters, cuda->stream);
    return !vlk_cuda_failed(cuda, e, "taking its buffers");
}

static bool open_device(struct vlk_cuda *cuda, int device)
{
    cudaDeviceProp properties;

    cuda->list.commands = (struct vlk_command *)vlk_alloc(VLK_CUDA_COMMANDS, sizeof *cuda->list.commands);
    cuda->list.arena = (unsigned char *)vlk_alloc(VLK_CUDA_ARENA, 1);
    cuda->list.before = (uint64_t *)vlk_alloc(VLK_CUDA_COMMANDS, sizeof *cuda->list.before);
    cuda->device = device;
    if (!cuda->list.commands || !cuda->list.arena || !cuda->list.before) {
        vlk_cuda_poison(cuda, VLK_ERR_MEMORY, "There is not enough memory to start the CUDA backend.");
        return false;
    }
    if (vlk_cuda_failed(cuda, cudaSetDevice(device), "choosing the device") ||
        vlk_cuda_failed(cuda, cudaGetDeviceProperties(&properties, device), "asking the device") || !take_buffers(cuda))
        return false;
    memset(cuda->fault, 0, sizeof *cuda->fault);
    cuda->multiprocessors = properties.multiProcessorCount;
    cuda->capability = 10 * properties.major + properties.minor;
    cuda->shared_limit = properties.sharedMemPerBlockOptin;
    snprintf(cuda->description, sizeof cuda->description, "%.120s (sm_%d)", properties.name, cuda->capability);
    return true;
}

static struct vlk_backend *open_backend(int device, struct vlk_error *err)
{
    struct vlk_cuda *cuda = (struct vlk_cuda *)vlk_alloc(1, sizeof *cuda);

    if (!cuda) {
        if (err) {
            err->code = VLK_ERR_MEMORY;
            snprintf(err->text, sizeof err->text, "There is not enough memory to start the CUDA backend.");
        }
        return NULL;
    }
    cuda->base.ops = table();
    cuda->base.traits.chunk = 2048;
    cuda->base.traits.batch_bytes = (size_t)1 << 30;
    cuda->base.traits.half_cache = true;
    cuda->base.traits.granule = VLK_CUDA_GRANULE;
    if (!open_device(cuda, device)) {
        if (err)
            *err = cuda->error;
        close_backend(&cuda->base);
        return NULL;
    }
    if (err)
        memset(err, 0, sizeof *err);
    return &cuda->base;
}

static bool check_device(int device, struct vlk_error *err)
{
    cudaDeviceProp properties;
    cudaError_t e = cudaSetDevice(device);

    if (e == cudaSuccess)
        e = vlk_cuda_try_kernel();
    if (e == cudaSuccess)
        return true;
    cudaGetLastError();
    if (err) {
        err->code = VLK_ERR_UNSUPPORTED;
        const bool no_code = e == cudaErrorNoKernelImageForDevice || e == cudaErrorUnsupportedPtxVersion;

        if (no_code && cudaGetDeviceProperties(&properties, device) == cudaSuccess)
            snprintf(err->text, sizeof err->text, "The CUDA module has no code for compute capability %d.%d that this driver can take; "
                     "install a newer driver, or build Sightline on this machine.", properties.major, properties.minor);
        else
            snprintf(err->text, sizeof err->text, "GPU %d cannot run the CUDA module (%s).", device, cudaGetErrorString(e));
    }
    return false;
}

extern "C" __attribute__((visibility("default"))) const struct vlk_cuda_module vlk_cuda_module;
const struct vlk_cuda_module vlk_cuda_module = {VLK_ABI_VERSION, VLK_BUILD_ID, CUDART_VERSION, check_device, open_backend};
