/* SPDX-License-Identifier: MIT
 *
 * The CUDA backend's memory: blocks that weights share, allocations of the engine, scratch of the ops, and copies. Above a mebibyte a
 * driver gives multiples of two, so that a matrix of 2.1 MiB with an allocation of its own would take 4. Called through the op table
 * and by the other .cu files, on the inference thread.
 */
#include "kernels/cuda/backend.cuh"

enum { PIECE = 256 };

static const size_t most_block = (size_t)64 << 20;

struct vlk_allocation {
    struct vlk_allocation *next;
    void *p;
    size_t bytes, used; /* used, pieces: of a block that weights share */
    int32_t pieces;
    bool host;
};

static size_t round_up(size_t bytes, size_t to)
{
    return (bytes + to - 1) / to * to;
}

/* Memory of the device, or pinned memory of the host, that is written down for close; NULL when there is none. */
static struct vlk_allocation *take_memory(struct vlk_cuda *cuda, size_t bytes, vlk_place place)
{
    struct vlk_allocation *a = (struct vlk_allocation *)vlk_alloc(1, sizeof *a);
    const bool host = place == VLK_PLACE_HOST;

    vlk_cuda_enter(cuda);
    bytes = bytes ? bytes : 1;
    if (!a || (host ? cudaHostAlloc(&a->p, bytes, cudaHostAllocMapped) : cudaMalloc(&a->p, bytes)) != cudaSuccess) {
        cudaGetLastError();
        vlk_free(a);
        return NULL;
    }
    a->bytes = bytes;
    a->host = host;
    a->next = cuda->allocations;
    cuda->allocations = a;
    return a;
}

static void give_memory(struct vlk_cuda *cuda, struct vlk_allocation **link)
{
    struct vlk_allocation *a = *link;

    vlk_cuda_enter(cuda);
    *link = a->next;
    if (a->host)
        cudaFreeHost(a->p);
    else
        cudaFree(a->p);
    vlk_free(a);
}

void vlk_cuda_give_all(struct vlk_cuda *cuda)
{
    while (cuda->allocations)
        give_memory(cuda, &cuda->allocations);
}

/* ------------------------------------------------------------------------------------------------ pieces of blocks */

/* Bytes of the next block, behind `taken` of them: an eighth of those, but of eight pieces at least, as what is behind the last piece of
 * a block is lost. A piece that fills its granules nearly by itself shares them with nobody. */
static size_t block_for(size_t piece, uint64_t taken)
{
    const size_t own = round_up(piece, VLK_CUDA_GRANULE), eight = 8 * piece < most_block ? round_up(8 * piece, VLK_CUDA_GRANULE) : most_block;
    const size_t block = taken / 8 < most_block ? round_up((size_t)taken / 8 + 1, VLK_CUDA_GRANULE) : most_block;

    return own - piece <= own / 16 ? own : piece > most_block ? own : eight > block ? eight : block;
}

void vlk_cuda_weight_room(struct vlk_backend *be, struct vlk_room *room, vlk_dtype dtype, int32_t rows, int32_t cols)
{
    const size_t piece = round_up((size_t)rows * vlk_device_stride(dtype, cols), PIECE), block = block_for(piece, room->bytes);

    (void)be;
    if (piece <= room->left) {
        room->left -= piece;
        return;
    }
    room->bytes += block;
    if (block - piece > room->left)
        room->left = block - piece;
}

void *vlk_cuda_take_piece(struct vlk_cuda *cuda, size_t bytes, vlk_place place)
{
    const size_t piece = round_up(bytes ? bytes : 1, PIECE);
    struct vlk_allocation *a = cuda->allocations;

    while (a && !(a->pieces && a->host == (place == VLK_PLACE_HOST) && a->bytes - a->used >= piece))
        a = a->next;
    if (!a)
        a = take_memory(cuda, block_for(piece, cuda->weight_bytes[place]), place);
    if (!a)
        a = take_memory(cuda, round_up(piece, VLK_CUDA_GRANULE), place); /* the last corner of the memory */
    if (!a)
        return NULL;
    cuda->weight_bytes[place] += a->pieces ? 0 : a->bytes;
    a->pieces++;
    a->used += piece;
    return (unsigned char *)a->p + a->used - piece;
}

void vlk_cuda_give_piece(struct vlk_cuda *cuda, const void *p)
{
    const unsigned char *at = (const unsigned char *)p;

    for (struct vlk_allocation **link = &cuda->allocations; *link; link = &(*link)->next) {
        struct vlk_allocation *a = *link;

        if (!a->pieces || at < (unsigned char *)a->p || at >= (unsigned char *)a->p + a->bytes)
            continue;
        if (--a->pieces == 0) {
            cuda->weight_bytes[a->host ? VLK_PLACE_HOST : VLK_PLACE_DEVICE] -= a->bytes;
            give_memory(cuda, link);
        }
        return;
    }
}

/* ------------------------------------------------------------------------------------------------ scratch */

void *vlk_cuda_scratch(struct vlk_cuda *cuda, enum vlk_cuda_slot slot, size_t bytes)
{
    const size_t grown = round_up(bytes + bytes / 4, bytes > VLK_CUDA_GRANULE / 2 ? (size_t)VLK_CUDA_GRANULE : (size_t)PIECE);

    if (vlk_cuda_poisoned(cuda))
        return NULL;
    if (cuda->slots[slot].bytes >= bytes && cuda->slots[slot].data)
        return cuda->slots[slot].data;
    vlk_cuda_finish(cuda, "computing"); /* what is enqueued still uses the old memory */
    cudaFree(cuda->slots[slot].data);
    cuda->slots[slot].data = NULL;
    cuda->slots[slot].bytes = 0;
    if (vlk_cuda_failed(cuda, cudaMalloc(&cuda->slots[slot].data, grown), "taking working space"))
        return NULL;
    cuda->slots[slot].bytes = grown;
    return cuda->slots[slot].data;
}

/* ------------------------------------------------------------------------------------------------ the engine's memory */

void *vlk_cuda_mem_alloc(struct vlk_backend *be, size_t bytes)
{
    struct vlk_cuda *cuda = vlk_cuda_of(be);
    struct vlk_allocation *a = take_memory(cuda, bytes, VLK_PLACE_DEVICE);

    if (a && bytes)
        vlk_cuda_failed(cuda, cudaMemsetAsync(a->p, 0, bytes, cuda->stream), "clearing memory");
    return a ? a->p : NULL;
}

void vlk_cuda_mem_free(struct vlk_backend *be, void *p)
{
    struct vlk_cuda *cuda = vlk_cuda_of(be);

    if (!p)
        return;
    if (cuda->list.count || cuda->submitted)
        vlk_cuda_finish(cuda, "computing");
    cuda->sampled.device = NULL;
    for (struct vlk_allocation **link = &cuda->allocations; *link; link = &(*link)->next)
        if ((*link)->p == p) {
            give_memory(cuda, link);
            return;
        }
}

/* Copies go through pinned memory piece by piece: `src` may change when this returns, and the driver need not stage again. */
void vlk_cuda_mem_write(struct vlk_backend *be, void *dst, const void *src, size_t bytes)
{
    struct vlk_cuda *cuda = vlk_cuda_of(be);

    vlk_cuda_enter(cuda);
    vlk_cuda_flush(cuda);
    cuda->sampled.device = NULL;
    cuda->submitted = true;
    for (size_t at = 0; at < bytes && !vlk_cuda_poisoned(cuda); at += VLK_CUDA_UPLOAD) {
        const size_t n = bytes - at < VLK_CUDA_UPLOAD ? bytes - at : (size_t)VLK_CUDA_UPLOAD;
        const int half = cuda->upload.half ^= 1;

        if (vlk_cuda_failed(cuda, cudaEventSynchronize(cuda->upload.free[half]), "uploading"))
            return;
        memcpy(cuda->upload.pinned[half], (const char *)src + at, n);
        vlk_cuda_failed(cuda, cudaMemcpyAsync((char *)dst + at, cuda->upload.pinned[half], n, cudaMemcpyHostToDevice, cuda->stream),
                        "uploading");
        vlk_cuda_failed(cuda, cudaEventRecord(cuda->upload.free[half], cuda->stream), "uploading");
    }
}

void vlk_cuda_mem_read(struct vlk_backend *be, void *dst, const void *src, size_t bytes)
{
    struct vlk_cuda *cuda = vlk_cuda_of(be);

    if (vlk_cuda_poisoned(cuda) || bytes == 0)
        return;
    if (src == cuda->sampled.device && bytes <= sizeof *cuda->sampled.pinned && !cuda->submitted && cuda->list.count == 0) {
        memcpy(dst, cuda->sampled.pinned, bytes); /* the sampler wrote it here too */
        return;
    }
    vlk_cuda_enter(cuda);
    vlk_cuda_flush(cuda);
    if (!vlk_cuda_failed(cuda, cudaMemcpyAsync(dst, src, bytes, cudaMemcpyDeviceToHost, cuda->stream), "reading back"))
        vlk_cuda_finish(cuda, "reading back");
}

struct zero_args {
    unsigned char *dst;
    uint64_t bytes;
};

static __global__ void zero_kernel(zero_args a)
{
    uint64_t at = (uint64_t)blockIdx.x * blockDim.x + threadIdx.x, step = (uint64_t)gridDim.x * blockDim.x;

    for (; at < a.bytes; at += step)
        a.dst[at] = 0;
}

/* Copies that overlap go through scratch memory. */
void vlk_cuda_mem_copy(struct vlk_backend *be, void *dst, const void *src, size_t bytes)
{
    struct vlk_cuda *cuda = vlk_cuda_of(be);
    const char *d = (const char *)dst, *s = (const char *)src;

    cuda->sampled.device = NULL;
    vlk_cuda_enter(cuda);
    vlk_cuda_flush(cuda);
    if (bytes == 0 || vlk_cuda_poisoned(cuda))
        return;
    if (d < s + bytes && s < d + bytes) {
        void *between = vlk_cuda_scratch(cuda, VLK_CUDA_PACKED, bytes);

        if (!between)
            return;
        vlk_cuda_failed(cuda, cudaMemcpyAsync(between, src, bytes, cudaMemcpyDeviceToDevice, cuda->stream), "copying");
        src = between;
    }
    vlk_cuda_failed(cuda, cudaMemcpyAsync(dst, src, bytes, cudaMemcpyDeviceToDevice, cuda->stream), "copying");
    cuda->submitted = true;
}

void vlk_cuda_mem_zero(struct vlk_backend *be, void *dst, size_t bytes)
{
    VLK_ARGS(zero_args, args);

    vlk_cuda_of(be)->sampled.device = NULL;
    args.dst = (unsigned char *)dst;
    args.bytes = bytes;
    VLK_PUSH(vlk_cuda_of(be), zero_kernel, dim3((unsigned)(bytes / 4096 < 1024 ? bytes / 4096 + (bytes != 0) : 1024)), 256, 0, args);
}

uint64_t vlk_cuda_memory_left(const struct vlk_backend *be)
{
    size_t left = 0, total = 0;

    vlk_cuda_enter((struct vlk_cuda *)be);
    return cudaMemGetInfo(&left, &total) == cudaSuccess ? left : UINT64_MAX;
}

/* Whether this build holds code that the current device runs: a kernel is loaded, which a module for other GPUs cannot do. */
cudaError_t vlk_cuda_try_kernel(void)
{
    cudaFuncAttributes attributes;

    return VLK_ASK_KERNEL(&attributes, "zero_kernel", zero_kernel);
}
