/* SPDX-License-Identifier: MIT
 *
 * The CUDA backend's life: device, memory, upload of weights, the command list and its graphs, errors, and the op table.
 * Called by engine/ on its inference thread, through the one symbol of the module. Knows no op's mathematics.
 */
#include "kernels/cuda/backend.cuh"

#include <stdarg.h>
#include <stdio.h>

#include "kernels/cuda/module.h"
#include "kernels/vit_block.h"

enum { UPLOAD_BYTES = 16 << 20, HOST_BYTES = 128 << 20 };

struct vlk_allocation {
    struct vlk_allocation *next;
    void *p;
    bool host;
};

struct vlk_expert_table {
    struct vlk_expert_table *next;
    int32_t experts;
    struct vlk_weight *source;  /* [3 * experts]: gate, up, down as they were given */
    struct vlk_matrix *device;  /* [3 * experts] */
};

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

/* ------------------------------------------------------------------------------------------------ command list */

/* FNV-1a over 8 bytes at a time; a collision costs a comparison. */
static uint64_t mix(uint64_t hash, const void *data, size_t bytes)
{
    const unsigned char *p = (const unsigned char *)data;
    uint64_t word;

    for (size_t i = 0; i + 8 <= bytes; i += 8) {
        memcpy(&word, p + i, 8);
        hash = (hash ^ word) * 0x100000001b3u;
    }
    return hash;
}

void *vlk_cuda_append(struct vlk_cuda *cuda, struct vlk_command c, const void *args, size_t bytes)
{
    struct vlk_command_list *list = &cuda->list;
    const size_t room = (bytes + 15) / 16 * 16;

    if (vlk_cuda_poisoned(cuda))
        return NULL;
    if (list->count == VLK_CUDA_COMMANDS || list->used + room > VLK_CUDA_ARENA)
        vlk_cuda_flush(cuda);
    c.args = list->used;
    c.args_bytes = (uint32_t)room;
    memset(list->arena + list->used, 0, room);
    memcpy(list->arena + list->used, args, bytes);
    list->used += (uint32_t)room;
    list->eager |= c.eager;
    list->commands[list->count++] = c;
    return list->arena + c.args;
}

void *vlk_cuda_last(struct vlk_cuda *cuda, const void *kernel)
{
    struct vlk_command_list *list = &cuda->list;

    return list->count && list->commands[list->count - 1].kernel == kernel ? list->arena + list->commands[list->count - 1].args : NULL;
}

void vlk_cuda_drop_last(struct vlk_cuda *cuda)
{
    cuda->list.used = cuda->list.commands[--cuda->list.count].args;
}

static bool same_list(const struct vlk_command_list *a, const struct vlk_command_list *b)
{
    return a->hash == b->hash && a->count == b->count && a->used == b->used &&
           !memcmp(a->commands, b->commands, a->count * sizeof *a->commands) && !memcmp(a->arena, b->arena, a->used);
}

static void forget_graph(struct vlk_graph *g)
{
    if (g->exec)
        cudaGraphExecDestroy(g->exec);
    vlk_free(g->list.commands);
    vlk_free(g->list.arena);
    memset(g, 0, sizeof *g);
}

/* The remembered list that equals the current one, or NULL after remembering it in place of the one unused for longest. */
static struct vlk_graph *find_graph(struct vlk_cuda *cuda)
{
    struct vlk_command_list *list = &cuda->list;
    struct vlk_graph *oldest = &cuda->graphs[0];

    list->hash = mix(mix(0xcbf29ce484222325u, list->commands, list->count * sizeof *list->commands), list->arena, list->used);
    cuda->clock++;
    for (int i = 0; i < VLK_CUDA_GRAPHS; i++) {
        struct vlk_graph *g = &cuda->graphs[i];

        if (g->list.commands && same_list(&g->list, list)) {
            g->used = cuda->clock;
            return g;
        }
        if (g->used < oldest->used)
            oldest = g;
    }
    forget_graph(oldest);
    oldest->list.commands = (struct vlk_command *)vlk_alloc(list->count, sizeof *list->commands);
    oldest->list.arena = (unsigned char *)vlk_alloc(list->used, 1);
    if (!oldest->list.commands || !oldest->list.arena) {
        forget_graph(oldest);
        return NULL;
    }
    memcpy(oldest->list.commands, list->commands, list->count * sizeof *list->commands);
    memcpy(oldest->list.arena, list->arena, list->used);
    oldest->list.count = list->count;
    oldest->list.used = list->used;
    oldest->list.hash = list->hash;
    oldest->used = cuda->clock;
    return NULL;
}

static void run_commands(struct vlk_cuda *cuda)
{
    for (uint32_t i = 0; i < cuda->list.count; i++)
        cuda->list.commands[i].run(cuda, &cuda->list.commands[i]);
}

/* Records the list as a graph. False: not possible, nothing ran. */
static bool make_graph(struct vlk_cuda *cuda, struct vlk_graph *g)
{
    cudaGraph_t graph = NULL;

    if (cudaStreamBeginCapture(cuda->stream, cudaStreamCaptureModeThreadLocal) != cudaSuccess)
        return false;
    run_commands(cuda);
    if (cudaStreamEndCapture(cuda->stream, &graph) != cudaSuccess || !graph) {
        cudaGetLastError(); /* a failed capture is no failed device */
        return false;
    }
    if (cudaGraphInstantiate(&g->exec, graph, 0) != cudaSuccess)
        g->exec = NULL;
    cudaGraphDestroy(graph);
    return g->exec != NULL;
}

void vlk_cuda_flush(struct vlk_cuda *cuda)
{
    struct vlk_command_list *list = &cuda->list;
    struct vlk_graph *g;

    if (list->count == 0)
        return;
    if (!vlk_cuda_poisoned(cuda)) {
        g = list->eager || list->count < 4 ? NULL : find_graph(cuda);
        cuda->submitted = true;
        if (g && (g->exec || make_graph(cuda, g)))
            vlk_cuda_failed(cuda, cudaGraphLaunch(g->exec, cuda->stream), "starting a step");
        else
            run_commands(cuda);
        vlk_cuda_failed(cuda, cudaGetLastError(), list->commands[list->count - 1].name);
    }
    list->count = list->used = list->eager = 0;
}

static vlk_status submit(struct vlk_backend *be)
{
    vlk_cuda_flush(vlk_cuda_of(be));
    return vlk_cuda_of(be)->error.code;
}

static void check_fault(struct vlk_cuda *cuda)
{
    struct vlk_fault fault = *cuda->fault;

    if (fault.code == VLK_FAULT_TOKEN)
        vlk_cuda_poison(cuda, VLK_ERR_DEVICE, "Token id %d is outside the embedding table of %d rows.", fault.value, fault.limit);
    else if (fault.code == VLK_FAULT_EXPERT)
        vlk_cuda_poison(cuda, VLK_ERR_DEVICE, "Expert %d of %d was asked for.", fault.value, fault.limit);
}

static void finish(struct vlk_cuda *cuda, const char *doing)
{
    vlk_cuda_flush(cuda);
    if (!vlk_cuda_poisoned(cuda) && !vlk_cuda_failed(cuda, cudaStreamSynchronize(cuda->stream), doing))
        check_fault(cuda);
    cuda->submitted = false;
    cuda->masks_used = 0;
}

static vlk_status wait(struct vlk_backend *be, struct vlk_error *err)
{
    struct vlk_cuda *cuda = vlk_cuda_of(be);

    finish(cuda, "computing");
    if (err)
        *err = cuda->error;
    return cuda->error.code;
}

/* ------------------------------------------------------------------------------------------------ memory */

/* Memory of the device, or pinned memory of the host, that is written down for close; NULL when there is none. */
static void *take_memory(struct vlk_cuda *cuda, size_t bytes, vlk_place place)
{
    struct vlk_allocation *a = (struct vlk_allocation *)vlk_alloc(1, sizeof *a);
    const bool host = place == VLK_PLACE_HOST;

    bytes = bytes ? bytes : 1;
    if (!a || (host ? cudaHostAlloc(&a->p, bytes, cudaHostAllocMapped) : cudaMalloc(&a->p, bytes)) != cudaSuccess) {
        cudaGetLastError();
        vlk_free(a);
        return NULL;
    }
    a->host = host;
    a->next = cuda->allocations;
    cuda->allocations = a;
    return a->p;
}

static void give_memory(struct vlk_cuda *cuda, const void *p)
{
    for (struct vlk_allocation **link = &cuda->allocations; *link; link = &(*link)->next) {
        struct vlk_allocation *a = *link;

        if (a->p != p)
            continue;
        *link = a->next;
        if (a->host)
            cudaFreeHost(a->p);
        else
            cudaFree(a->p);
        vlk_free(a);
        return;
    }
}

void *vlk_cuda_scratch(struct vlk_cuda *cuda, enum vlk_cuda_slot slot, size_t bytes)
{
    size_t grown = bytes + bytes / 4;

    if (vlk_cuda_poisoned(cuda))
        return NULL;
    if (cuda->slots[slot].bytes >= bytes && cuda->slots[slot].data)
        return cuda->slots[slot].data;
    finish(cuda, "computing"); /* what is enqueued still uses the old memory */
    cudaFree(cuda->slots[slot].data);
    cuda->slots[slot].data = NULL;
    cuda->slots[slot].bytes = 0;
    if (vlk_cuda_failed(cuda, cudaMalloc(&cuda->slots[slot].data, grown), "taking working space"))
        return NULL;
    cuda->slots[slot].bytes = grown;
    return cuda->slots[slot].data;
}

static void *mem_alloc(struct vlk_backend *be, size_t bytes)
{
    struct vlk_cuda *cuda = vlk_cuda_of(be);
    void *p = take_memory(cuda, bytes, VLK_PLACE_DEVICE);

    if (p && bytes)
        vlk_cuda_failed(cuda, cudaMemsetAsync(p, 0, bytes, cuda->stream), "clearing memory");
    return p;
}

static void mem_free(struct vlk_backend *be, void *p)
{
    struct vlk_cuda *cuda = vlk_cuda_of(be);

    if (!p)
        return;
    if (cuda->list.count || cuda->submitted)
        finish(cuda, "computing");
    cuda->sampled.device = NULL;
    give_memory(cuda, p);
}

/* Copies go through pinned memory piece by piece: `src` may change when this returns, and the driver need not stage again. */
static void mem_write(struct vlk_backend *be, void *dst, const void *src, size_t bytes)
{
    struct vlk_cuda *cuda = vlk_cuda_of(be);

    vlk_cuda_flush(cuda);
    cuda->sampled.device = NULL;
    for (size_t at = 0; at < bytes && !vlk_cuda_poisoned(cuda); at += UPLOAD_BYTES) {
        const size_t n = bytes - at < UPLOAD_BYTES ? bytes - at : (size_t)UPLOAD_BYTES;
        const int turn = cuda->upload.turn ^= 1;

        if (vlk_cuda_failed(cuda, cudaEventSynchronize(cuda->upload.free[turn]), "uploading"))
            return;
        memcpy(cuda->upload.pinned[turn], (const char *)src + at, n);
        vlk_cuda_failed(cuda, cudaMemcpyAsync((char *)dst + at, cuda->upload.pinned[turn], n, cudaMemcpyHostToDevice, cuda->stream),
                        "uploading");
        vlk_cuda_failed(cuda, cudaEventRecord(cuda->upload.free[turn], cuda->stream), "uploading");
    }
}

static void mem_read(struct vlk_backend *be, void *dst, const void *src, size_t bytes)
{
    struct vlk_cuda *cuda = vlk_cuda_of(be);

    if (vlk_cuda_poisoned(cuda) || bytes == 0)
        return;
    if (src == cuda->sampled.device && bytes <= sizeof *cuda->sampled.pinned && !cuda->submitted && cuda->list.count == 0) {
        memcpy(dst, cuda->sampled.pinned, bytes); /* the sampler wrote it here too */
        return;
    }
    vlk_cuda_flush(cuda);
    if (!vlk_cuda_failed(cuda, cudaMemcpyAsync(dst, src, bytes, cudaMemcpyDeviceToHost, cuda->stream), "reading back"))
        finish(cuda, "reading back");
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
static void mem_copy(struct vlk_backend *be, void *dst, const void *src, size_t bytes)
{
    struct vlk_cuda *cuda = vlk_cuda_of(be);
    const char *d = (const char *)dst, *s = (const char *)src;

    cuda->sampled.device = NULL;
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

static void mem_zero(struct vlk_backend *be, void *dst, size_t bytes)
{
    VLK_ARGS(zero_args, args);

    vlk_cuda_of(be)->sampled.device = NULL;
    args.dst = (unsigned char *)dst;
    args.bytes = bytes;
    VLK_PUSH(vlk_cuda_of(be), zero_kernel, dim3((unsigned)(bytes / 4096 < 1024 ? bytes / 4096 + (bytes != 0) : 1024)), 256, 0, args);
}

/* ------------------------------------------------------------------------------------------------ weights */

/* Rows as files have them → rows as kernels read them (weights.cuh); each in turns through pinned and device staging, so that
 * reading the file, the bus and the rearranging overlap. */
static bool upload_rows(struct vlk_cuda *cuda, vlk_dtype dtype, int32_t rows, int32_t cols, const char *host, char *dst)
{
    const size_t row = vlk_row_bytes(dtype, cols), stride = vlk_device_stride(dtype, cols);
    const bool plain = vlk_block_groups(dtype) == 0 && row == stride;
    const int32_t most = row <= UPLOAD_BYTES ? (int32_t)(UPLOAD_BYTES / row) : 0;

    for (int32_t at = 0; at < rows && most; at += most) {
        const int32_t n = rows - at < most ? rows - at : most;
        const int turn = cuda->upload.turn ^= 1;
        void *to = plain ? dst + (size_t)at * stride : (char *)cuda->upload.raw[turn];

        if (vlk_cuda_failed(cuda, cudaEventSynchronize(cuda->upload.free[turn]), "uploading weights"))
            return false;
        memcpy(cuda->upload.pinned[turn], host + (size_t)at * row, (size_t)n * row);
        if (vlk_cuda_failed(cuda, cudaMemcpyAsync(to, cuda->upload.pinned[turn], (size_t)n * row, cudaMemcpyDefault, cuda->stream),
                            "uploading weights"))
            return false;
        if (!plain)
            vlk_cuda_import_rows(cuda, dtype, cols, n, to, dst + (size_t)at * stride);
        if (vlk_cuda_failed(cuda, cudaEventRecord(cuda->upload.free[turn], cuda->stream), "uploading weights"))
            return false;
    }
    return most > 0;
}

/* A piece of a large pinned block, as pinning costs about a millisecond however little it is; given back when the model is closed. */
static void *take_host_piece(struct vlk_cuda *cuda, size_t bytes)
{
    const size_t size = (bytes + 255) / 256 * 256, block = size > HOST_BYTES ? size : (size_t)HOST_BYTES;
    void *piece;

    if (size > cuda->host.left) {
        cuda->host.at = (unsigned char *)take_memory(cuda, block, VLK_PLACE_HOST);
        cuda->host.left = cuda->host.at ? block : 0;
    }
    if (size > cuda->host.left)
        return NULL;
    piece = cuda->host.at;
    cuda->host.at += size;
    cuda->host.left -= size;
    return piece;
}

static struct vlk_weight weight_import(struct vlk_backend *be, vlk_dtype dtype, int32_t rows, int32_t cols, const void *host,
                                       vlk_place place)
{
    struct vlk_cuda *cuda = vlk_cuda_of(be);
    struct vlk_weight w = {dtype, rows, cols, NULL, false};
    void *p;

    if (rows <= 0 || !vlk_row_bytes(dtype, cols) || !host || vlk_cuda_poisoned(cuda))
        return w;
    const size_t bytes = (size_t)rows * vlk_device_stride(dtype, cols);

    w.owned = place == VLK_PLACE_DEVICE;
    p = w.owned ? take_memory(cuda, bytes, place) : take_host_piece(cuda, bytes);
    if (!p)
        return w;
    if (!upload_rows(cuda, dtype, rows, cols, (const char *)host, (char *)p)) {
        if (w.owned)
            give_memory(cuda, p);
        return w;
    }
    w.data = p;
    return w;
}

static void weight_release(struct vlk_backend *be, struct vlk_weight *w)
{
    if (w->owned)
        mem_free(be, (void *)w->data);
    memset(w, 0, sizeof *w);
}

static void forget_table(struct vlk_expert_table *t)
{
    cudaFree(t->device);
    vlk_free(t->source);
    vlk_free(t);
}

static struct vlk_expert_table *make_table(struct vlk_cuda *cuda, const struct vlk_moe_args *a)
{
    const size_t n = (size_t)a->experts;
    struct vlk_expert_table *t = (struct vlk_expert_table *)vlk_alloc(1, sizeof *t);
    struct vlk_matrix *host = (struct vlk_matrix *)vlk_alloc(3 * n, sizeof *host);
    const struct vlk_weight *parts[3] = {a->gate, a->up, a->down};

    if (t)
        t->source = (struct vlk_weight *)vlk_alloc(3 * n, sizeof *t->source);
    if (!t || !host || !t->source || cudaMalloc((void **)&t->device, 3 * n * sizeof *host) != cudaSuccess) {
        vlk_cuda_poison(cuda, VLK_ERR_MEMORY, "There is not enough memory for the table of %d experts.", a->experts);
        vlk_free(host);
        if (t)
            forget_table(t);
        return NULL;
    }
    t->experts = a->experts;
    for (size_t p = 0; p < 3; p++) {
        memcpy(t->source + p * n, parts[p], n * sizeof *t->source);
        for (size_t e = 0; e < n; e++)
            host[p * n + e] = vlk_matrix_of(&parts[p][e]);
    }
    vlk_cuda_failed(cuda, cudaMemcpyAsync(t->device, host, 3 * n * sizeof *host, cudaMemcpyHostToDevice, cuda->stream), "uploading");
    vlk_cuda_failed(cuda, cudaStreamSynchronize(cuda->stream), "uploading");
    vlk_free(host);
    t->next = cuda->tables;
    cuda->tables = t;
    return t;
}

bool vlk_cuda_experts(struct vlk_cuda *cuda, const struct vlk_moe_args *a, struct vlk_experts *out)
{
    const size_t n = (size_t)a->experts, bytes = n * sizeof *a->gate;
    struct vlk_expert_table *t = cuda->tables;

    while (t && (t->experts != a->experts || memcmp(t->source, a->gate, bytes) || memcmp(t->source + n, a->up, bytes) ||
                 memcmp(t->source + 2 * n, a->down, bytes)))
        t = t->next;
    if (!t)
        t = make_table(cuda, a);
    if (!t)
        return false;
    out->gate = t->device;
    out->up = t->device + n;
    out->down = t->device + 2 * n;
    return true;
}

/* ------------------------------------------------------------------------------------------------ life */

static const char *describe(const struct vlk_backend *be)
{
    return ((const struct vlk_cuda *)be)->description;
}

static uint64_t memory_left(const struct vlk_backend *be)
{
    size_t left = 0, total = 0;

    (void)be;
    return cudaMemGetInfo(&left, &total) == cudaSuccess ? left : UINT64_MAX;
}

static void close_backend(struct vlk_backend *be)
{
    struct vlk_cuda *cuda = vlk_cuda_of(be);

    if (cuda->stream)
        cudaStreamSynchronize(cuda->stream);
    vlk_cuda_blas_close(cuda);
    for (int i = 0; i < VLK_CUDA_GRAPHS; i++)
        forget_graph(&cuda->graphs[i]);
    while (cuda->tables) {
        struct vlk_expert_table *next = cuda->tables->next;

        forget_table(cuda->tables);
        cuda->tables = next;
    }
    while (cuda->allocations)
        give_memory(cuda, cuda->allocations->p);
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
    vlk_free(cuda);
}

static const struct vlk_ops *table(void)
{
    static struct vlk_ops ops;

    ops.name = "cuda";
    ops.describe = describe;
    ops.memory_left = memory_left;
    ops.mem_alloc = mem_alloc;
    ops.mem_free = mem_free;
    ops.mem_write = mem_write;
    ops.mem_read = mem_read;
    ops.mem_copy = mem_copy;
    ops.mem_zero = mem_zero;
    ops.weight_import = weight_import;
    ops.weight_release = weight_release;
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
    ops.vit_block = vlk_vit_block_by_parts;
    ops.unfold = vlk_cuda_unfold;
    ops.sample = vlk_cuda_sample;
    ops.step_advance = vlk_cuda_step_advance;
    ops.submit = submit;
    ops.wait = wait;
    ops.close = close_backend;
    return &ops;
}

static bool take_buffers(struct vlk_cuda *cuda)
{
    cudaError_t e = cudaStreamCreateWithFlags(&cuda->stream, cudaStreamNonBlocking);

    for (int i = 0; i < 2 && e == cudaSuccess; i++) {
        e = cudaHostAlloc((void **)&cuda->upload.pinned[i], UPLOAD_BYTES, cudaHostAllocMapped);
        if (e == cudaSuccess)
            e = cudaMalloc((void **)&cuda->upload.raw[i], UPLOAD_BYTES);
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
    if (!cuda->list.commands || !cuda->list.arena) {
        vlk_cuda_poison(cuda, VLK_ERR_MEMORY, "There is not enough memory to start the CUDA backend.");
        return false;
    }
    if (vlk_cuda_failed(cuda, cudaSetDevice(device), "choosing the device") ||
        vlk_cuda_failed(cuda, cudaGetDeviceProperties(&properties, device), "asking the device") || !take_buffers(cuda))
        return false;
    memset(cuda->fault, 0, sizeof *cuda->fault);
    cuda->device = device;
    cuda->multiprocessors = properties.multiProcessorCount;
    cuda->capability = 10 * properties.major + properties.minor;
    cuda->shared_limit = properties.sharedMemPerBlockOptin;
    snprintf(cuda->description, sizeof cuda->description, "%.120s (sm_%d)", properties.name, cuda->capability);
    vlk_cuda_blas_open(cuda);
    return !vlk_cuda_poisoned(cuda);
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

extern "C" __attribute__((visibility("default"))) const struct vlk_cuda_module vlk_cuda_module;
const struct vlk_cuda_module vlk_cuda_module = {VLK_ABI_VERSION, VLK_BUILD_ID, 13000, open_backend};
