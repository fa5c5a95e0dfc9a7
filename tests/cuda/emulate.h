/* SPDX-License-Identifier: MIT
 *
 * Runs CUDA C++ kernel source on the CPU, for tests: every CUDA thread is a fiber, warps step to their barriers, blocks run one
 * after the other in a random order that VLK_EMULATE_SEED decides, or several at a time (emulate_blocks): then each sees the memory as
 * it was when it last had a fence, and what it writes is seen by others when it has its next one. Brings what kernels/cuda/prims.cuh
 * has in PTX (tensor-core product, matrix loads, asynchronous copies that happen only when waited for) and the part of the CUDA
 * runtime that kernels/cuda/ uses, so that no header of CUDA is needed. Forced into the .cu files with -include; a misuse (divergent
 * barrier, misaligned copy) ends the test. Not emulated: timing.
 */
#ifndef TESTS_CUDA_EMULATE_H
#define TESTS_CUDA_EMULATE_H

#define VLK_EMULATED 1

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <math.h>
#include <vector>

typedef int cudaError_t;
struct emulate_stream;
typedef emulate_stream *cudaStream_t;

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#ifdef __SANITIZE_ADDRESS__
#define __shared__ static /* with its ends watched; blocks one after the other */
#else
#define __shared__ static __attribute__((section("vlk_shared"))) /* kept apart for every block that is alive */
#endif
#define __launch_bounds__(...)
#define __align__(n) alignas(n)
#define VLK_UNROLL

struct uint3 { unsigned x, y, z; };
struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};
struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
static inline float2 make_float2(float x, float y) { return {x, y}; }
static inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

namespace emulate {
enum state : uint8_t { RUNNING, AT_WARP, AT_BLOCK, DONE };
struct pending_copy { void *to; const void *from; bool valid; int group; };
struct fiber {
    void *stack_pointer;
    char *stack;
    uint3 thread;
    int lane, warp, line, copy_group;
    uint32_t mask, generation;
    state at;
    std::vector<pending_copy> copies;
};
struct exchange_room {
    alignas(16) uint8_t value[2][32][32];
    float product[16][8]; /* of the tensor cores: the first lane to go on makes it for all */
    uint32_t made;        /* exchange that it belongs to */
};
struct block_state {
    uint3 index;
    dim3 block, grid;
    std::vector<exchange_room> warps;
    unsigned char *dynamic;
    size_t dynamic_bytes;
};
struct region { char *at; size_t bytes; };
std::vector<region> device_memory(); /* all allocations but the large ones, of staging */
extern fiber *current;
extern block_state here;

[[noreturn]] void stuck(const char *why);
void wait(state at, uint32_t mask, int line);
void run(dim3 grid, dim3 block, size_t bytes, const std::function<void()> &body);
void fence();
/* The truth of a word of the device's memory, where blocks have views of it (else p), and its way back into the view. */
void *cell_of(void *p, size_t bytes);
void show_cell(void *p, const void *cell, size_t bytes);
template <class T, class F> T atomically(T *p, F change)
{
    T *cell = (T *)cell_of(p, sizeof *p), old = *cell;
    *cell = change(old);
    show_cell(p, cell, sizeof *p);
    return old;
}
bool capturing(std::function<void()> later); /* true: taken into the graph that is being captured */

/* Every lane of the mask gives a value; after the return it can read the others'. The two halves of the room alternate, so that
 * a lane which is one exchange ahead does not overwrite what a slower one still reads. */
template <class T> struct given {
    const uint8_t (*values)[32];
    T operator[](int lane) const { T v; memcpy(&v, values[lane], sizeof v); return v; }
};
template <class T> given<T> exchange(uint32_t mask, const T &v, int line = 0)
{
    static_assert(sizeof(T) <= 32, "room of an exchange");
    auto &half = here.warps[(size_t)current->warp].value[current->generation++ & 1];
    memcpy(half[current->lane], &v, sizeof v);
    wait(AT_WARP, mask, line);
    return {half};
}
} // namespace emulate

#define threadIdx (::emulate::current->thread)
#define blockIdx (::emulate::here.index)
#define blockDim (::emulate::here.block)
#define gridDim (::emulate::here.grid)
#define __syncthreads() ::emulate::wait(::emulate::AT_BLOCK, 0, __LINE__)
#define __syncwarp() ::emulate::wait(::emulate::AT_WARP, 0xffffffffu, __LINE__)
#define VLK_SHARED(type, name) type *name = reinterpret_cast<type *>(::emulate::here.dynamic)
#define VLK_RUN(name, kernel, grid, block, bytes, stream, args) \
    ::emulate::launch(name, (const void *)(kernel), grid, block, bytes, stream, [k = kernel, a = args] { k(a); })
#define VLK_ASK_KERNEL(attributes, name, kernel) ::emulate::ask(attributes, name)
#define VLK_RAISE_SHARED(kernel, name, bytes) ::emulate::raise(kernel, name, bytes)

template <class T> T __shfl_xor_sync(unsigned mask, T v, int o) { int l = emulate::current->lane; return emulate::exchange(mask, v)[l ^ o]; }
template <class T> T __shfl_sync(unsigned mask, T v, int from) { return emulate::exchange(mask, v)[from & 31]; }
template <class T> T __shfl_up_sync(unsigned mask, T v, unsigned d)
{
    int l = emulate::current->lane;
    auto all = emulate::exchange(mask, v);
    return l >= (int)d ? all[l - (int)d] : v;
}
static inline unsigned __ballot_sync(unsigned mask, int p)
{
    auto all = emulate::exchange(mask, p);
    unsigned r = 0;
    for (int i = 0; i < 32; i++)
        r |= (unsigned)(all[i] != 0) << i;
    return r;
}
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline float __uint_as_float(unsigned u) { float f; memcpy(&f, &u, 4); return f; }
static inline unsigned __float_as_uint(float f) { unsigned u; memcpy(&u, &f, 4); return u; }
static inline int atomicAdd(int *p, int v) { return emulate::atomically(p, [=](int old) { return old + v; }); }
static inline unsigned atomicAdd(unsigned *p, unsigned v) { return emulate::atomically(p, [=](unsigned old) { return old + v; }); }
static inline unsigned long long atomicAdd(unsigned long long *p, unsigned long long v)
{
    return emulate::atomically(p, [=](unsigned long long old) { return old + v; });
}
static inline unsigned __match_any_sync(unsigned mask, unsigned v)
{
    auto all = emulate::exchange(mask, v);
    unsigned r = 0;
    for (int i = 0; i < 32; i++)
        r |= (unsigned)(all[i] == v) << i;
    return r;
}
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b)
{
    return (unsigned long long)((unsigned __int128)a * b >> 64);
}
static inline void __threadfence() { emulate::fence(); }
static inline void __threadfence_system() { emulate::fence(); }
static inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
static inline unsigned __byte_perm(unsigned a, unsigned b, unsigned s)
{
    uint64_t both = (uint64_t)b << 32 | a;
    unsigned r = 0;
    for (int i = 0; i < 4; i++)
        r |= (unsigned)(both >> 8 * (s >> 4 * i & 7) & 255) << 8 * i;
    return r;
}
template <class T> static inline T min(T a, T b) { return b < a ? b : a; }
template <class T> static inline T max(T a, T b) { return a < b ? b : a; }

/* ------------------------------------------------------------------------------------------------ prims.cuh */

static inline uint32_t vlk_round_bf16(float f)
{
    uint32_t u = __float_as_uint(f);
    if ((u & 0x7fffffffu) > 0x7f800000u)
        return 0x7fff;
    return (u + 0x7fffu + (u >> 16 & 1)) >> 16 & 0xffff;
}
static inline uint32_t vlk_pack_bf16(float low, float high) { return vlk_round_bf16(low) | vlk_round_bf16(high) << 16; }
static inline uint4 vlk_stream16(const void *p)
{
    uint4 v;
    if ((uintptr_t)p & 15)
        emulate::stuck("a 16-byte load is misaligned");
    memcpy(&v, p, 16);
    return v;
}
void vlk_mma(float c[4], const uint32_t a[4], uint32_t b0, uint32_t b1);
void vlk_ldmatrix(uint32_t r[4], const void *row);
void vlk_ldmatrix_trans(uint32_t r[4], const void *row);
static inline void vlk_copy_async(void *shared, const void *global, bool valid)
{
    if (((uintptr_t)shared | (valid ? (uintptr_t)global : 0)) & 15)
        emulate::stuck("an asynchronous copy is misaligned");
    emulate::current->copies.push_back({shared, global, valid, emulate::current->copy_group});
}
static inline void vlk_copy_commit() { emulate::current->copy_group++; }
/* The copies happen here: a missing wait reads what was there before. */
template <int PENDING> void vlk_copy_wait()
{
    auto &copies = emulate::current->copies;
    size_t i = 0;
    for (; i < copies.size() && copies[i].group < emulate::current->copy_group - PENDING; i++) {
        if (copies[i].valid)
            memcpy(copies[i].to, copies[i].from, 16);
        else
            memset(copies[i].to, 0, 16);
    }
    copies.erase(copies.begin(), copies.begin() + (long)i);
}

/* ------------------------------------------------------------------------------------------------ runtime */

enum { cudaSuccess = 0, cudaErrorInvalidValue = 1, cudaErrorMemoryAllocation = 2, cudaErrorNoKernelImageForDevice = 209,
       cudaErrorUnsupportedPtxVersion = 222, cudaErrorInvalidResourceHandle = 400, cudaErrorLaunchFailure = 719, cudaErrorUnknown = 999 };
#define CUDART_VERSION 13000
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3, cudaMemcpyDefault = 4 };
enum { cudaStreamNonBlocking = 1, cudaStreamCaptureModeThreadLocal = 1, cudaEventDisableTiming = 2, cudaHostAllocMapped = 2
};
struct emulate_graph;
struct emulate_event;
typedef emulate_graph *cudaGraph_t, *cudaGraphExec_t;
typedef emulate_event *cudaEvent_t;
struct cudaFuncAttributes { size_t sharedSizeBytes; };
struct cudaDeviceProp { char name[256]; int major, minor, multiProcessorCount; size_t sharedMemPerBlockOptin; };

const char *cudaGetErrorString(cudaError_t e);
cudaError_t cudaGetLastError();
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDevice(int *device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *p, int device);
cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total);
cudaError_t cudaMalloc(void **p, size_t bytes);
cudaError_t cudaFree(void *p);
cudaError_t cudaHostAlloc(void **p, size_t bytes, unsigned flags);
cudaError_t cudaFreeHost(void *p);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t s);
cudaError_t cudaMemsetAsync(void *p, int value, size_t bytes, cudaStream_t s);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t s);
cudaError_t cudaStreamSynchronize(cudaStream_t s);
cudaError_t cudaStreamBeginCapture(cudaStream_t s, int mode);
cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t s);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned flags);
cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s);
cudaError_t cudaEventSynchronize(cudaEvent_t e);
cudaError_t cudaEventDestroy(cudaEvent_t e);

namespace emulate {
void launch(const char *name, const void *kernel, dim3 grid, dim3 block, size_t bytes, cudaStream_t stream, std::function<void()> body);
cudaError_t ask(cudaFuncAttributes *a, const char *name);
cudaError_t raise(const void *kernel, const char *name, size_t bytes);
} // namespace emulate

/* What tests look at and set. */
extern "C" {
/* Calls that still work before all later ones fail; < 0: they never do. A failed launch loses the device; a failed graph does not. */
struct emulate_counts { long alloc, launch, capture, instantiate, graph_launch; };
extern struct emulate_counts emulate_fail;
extern int emulate_capability; /* of the GPU: its shared memory; 80, 86, 89, 90, 100, 120 */
extern int emulate_images;     /* 0: the module has no code for it */
void emulate_mend(void);       /* a new device in place of the lost one */
extern long emulate_live_allocations, emulate_graph_launches;
extern size_t emulate_device_bytes, emulate_device_limit; /* of cudaMalloc, large ones in whole granules; no limit: 0 */
extern unsigned emulate_seed, emulate_blocks; /* blocks: alive at a time; 1: one after the other */
void emulate_names(void (*visit)(const char *kernel, long launches, void *user), void *user); /* all kernels that ran */
void emulate_names_reset(void);
}

#endif
