/* SPDX-License-Identifier: MIT
 *
 * The part of the CUDA runtime that kernels/cuda/ uses, for tests/cuda/emulate.h: memory with the granularity of a driver, devices,
 * streams, graphs, errors that stick and errors that do not, shared memory as an architecture has it, and every call that a test wants
 * to fail. Launches go to emulate.cpp at once.
 */
#include "tests/cuda/emulate.h"
#include "tests/cuda/static_shared.h"

#include <map>
#include <set>
#include <string>

struct emulate_stream { int device; };
struct emulate_event { int unused; };
struct emulate_graph { std::vector<std::function<void()>> nodes; };

struct emulate_counts emulate_fail = {-1, -1, -1, -1, -1};
long emulate_live_allocations, emulate_graph_launches;
size_t emulate_device_bytes, emulate_device_limit;
int emulate_capability = 90, emulate_images = 1;
unsigned emulate_blocks = 1;
unsigned emulate_seed = getenv("VLK_EMULATE_SEED") ? (unsigned)atoi(getenv("VLK_EMULATE_SEED")) : 0;

namespace {
constexpr size_t GRANULE = 2 << 20;
emulate_graph *captured;
struct block { size_t bytes; bool device; int where; };
std::map<void *, block> live;
std::map<std::string, long> names;
std::map<const void *, size_t> raised;
int current_device;
cudaError_t sticky, last;

/* Counts a call down: at 0 it fails, and all later ones. */
bool fails(long *left)
{
    if (*left > 0)
        --*left;
    else
        return *left == 0;
    return false;
}

cudaError_t say(cudaError_t e)
{
    if (e != cudaSuccess)
        last = e;
    return e;
}

/* What a driver takes for it: multiples of two mebibytes, which small ones share. */
void count_device(long sign, size_t bytes)
{
    emulate_device_bytes += (size_t)sign * (bytes > GRANULE / 2 ? (bytes + GRANULE - 1) / GRANULE * GRANULE : bytes);
}

cudaError_t allocate(void **p, size_t bytes, bool device)
{
    if (fails(&emulate_fail.alloc) || bytes > (size_t)1 << 36)
        return say(cudaErrorMemoryAllocation);
    if (device) {
        count_device(1, bytes);
        if (emulate_device_limit && emulate_device_bytes > emulate_device_limit) {
            count_device(-1, bytes);
            return say(cudaErrorMemoryAllocation);
        }
    }
    if (posix_memalign(p, 256, bytes ? bytes : 1)) {
        if (device)
            count_device(-1, bytes);
        return say(cudaErrorMemoryAllocation);
    }
    memset(*p, 0xff, bytes); /* the device's memory is not zeroed either */
    live[*p] = {bytes, device, current_device};
    emulate_live_allocations++;
    return cudaSuccess;
}

cudaError_t release(void *p)
{
    if (!p)
        return cudaSuccess;
    auto found = live.find(p);
    if (found == live.end())
        emulate::stuck("memory is freed that was not allocated");
    if (found->second.device && found->second.where != current_device)
        emulate::stuck("memory of one device is freed while another one is current");
    if (found->second.device)
        count_device(-1, found->second.bytes);
    live.erase(found);
    emulate_live_allocations--;
    free(p);
    return cudaSuccess;
}

/* A stream belongs to the device that was current when it was made, which has to be current when it is used. */
bool foreign(cudaStream_t s)
{
    if (s && s->device != current_device)
        last = cudaErrorInvalidResourceHandle;
    return s && s->device != current_device;
}

size_t shared_most()
{
    return emulate_capability == 90 || emulate_capability == 100 ? 227 << 10 : emulate_capability == 80 ? 163 << 10 : 99 << 10;
}

size_t fixed_shared(const char *name)
{
    for (auto &k : emulate_static_shared)
        if (!strcmp(k.kernel, name))
            return k.bytes;
    fprintf(stderr, "emulated kernel: %s is not in tests/cuda/static_shared.h\n", name);
    abort();
}
} // namespace

std::vector<emulate::region> emulate::device_memory()
{
    std::vector<region> all;

    for (auto &entry : live)
        if (entry.second.bytes < 1 << 19) /* staging buffers are not what blocks meet in */
            all.push_back({(char *)entry.first, entry.second.bytes});
    return all;
}

bool emulate::capturing(std::function<void()> later)
{
    if (captured)
        captured->nodes.push_back(later);
    return captured != nullptr;
}

void emulate::launch(const char *name, const void *kernel, dim3 grid, dim3 block, size_t bytes, cudaStream_t stream, std::function<void()> fn)
{
    const size_t all = fixed_shared(name) + bytes, plain = 48 << 10;

    if (foreign(stream))
        return;
    /* The limit holds for both kinds of shared memory together. */
    if (all > shared_most() || (all > plain && (!raised.count(kernel) || bytes > raised[kernel]))) {
        last = cudaErrorInvalidValue;
        return;
    }
    if (capturing([=] { launch(name, kernel, grid, block, bytes, stream, fn); }))
        return;
    if (fails(&emulate_fail.launch))
        sticky = cudaErrorLaunchFailure;
    if (sticky)
        return;
    names[name]++;
    run(grid, block, bytes, fn);
}

cudaError_t emulate::ask(cudaFuncAttributes *a, const char *name)
{
    *a = {};
    a->sharedSizeBytes = fixed_shared(name);
    return say(emulate_images ? cudaSuccess : cudaErrorNoKernelImageForDevice);
}

cudaError_t emulate::raise(const void *kernel, const char *name, size_t bytes)
{
    if (fixed_shared(name) + bytes > shared_most())
        return say(cudaErrorInvalidValue);
    raised[kernel] = bytes;
    return cudaSuccess;
}

void emulate_names(void (*visit)(const char *, long, void *), void *user)
{
    for (auto &entry : names)
        visit(entry.first.c_str(), entry.second, user);
}

void emulate_names_reset(void) { names.clear(); }

const char *cudaGetErrorString(cudaError_t e)
{
    return e == cudaErrorMemoryAllocation ? "out of memory" : e == cudaErrorLaunchFailure ? "unspecified launch failure" : "invalid argument";
}
/* An error that does not stick is told once. */
cudaError_t cudaGetLastError()
{
    const cudaError_t e = sticky ? sticky : last;

    last = cudaSuccess;
    return e;
}
cudaError_t cudaSetDevice(int device)
{
    if (device < 0 || device > 15)
        return say(cudaErrorInvalidValue);
    current_device = device;
    return cudaSuccess;
}
cudaError_t cudaGetDevice(int *device)
{
    *device = current_device;
    return cudaSuccess;
}
void emulate_mend(void) { sticky = last = cudaSuccess; }
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *p, int)
{
    *p = {};
    snprintf(p->name, sizeof p->name, "Emulated GPU");
    p->major = emulate_capability / 10;
    p->minor = emulate_capability % 10;
    p->multiProcessorCount = 3; /* few blocks of attention, so that every split has work in a small test */
    p->sharedMemPerBlockOptin = shared_most();
    return cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total)
{
    *total = (size_t)8 << 30;
    if (emulate_device_limit)
        *free_bytes = emulate_device_bytes < emulate_device_limit ? emulate_device_limit - emulate_device_bytes : 0;
    else
        *free_bytes = getenv("VLK_EMULATE_FREE_MIB") ? (size_t)atol(getenv("VLK_EMULATE_FREE_MIB")) << 20 : (size_t)7 << 30;
    return cudaSuccess;
}
cudaError_t cudaMalloc(void **p, size_t bytes) { return allocate(p, bytes, true); }
cudaError_t cudaFree(void *p) { return release(p); }
cudaError_t cudaHostAlloc(void **p, size_t bytes, unsigned) { return allocate(p, bytes, false); }
cudaError_t cudaFreeHost(void *p) { return release(p); }
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind, cudaStream_t s)
{
    if (foreign(s))
        return last;
    if (!sticky && !emulate::capturing([=] { memmove(to, from, bytes); }) && bytes)
        memmove(to, from, bytes);
    return sticky;
}
cudaError_t cudaMemsetAsync(void *p, int value, size_t bytes, cudaStream_t s)
{
    if (foreign(s))
        return last;
    if (!sticky && !emulate::capturing([=] { memset(p, value, bytes); }) && bytes)
        memset(p, value, bytes);
    return sticky;
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned) { *s = new emulate_stream{current_device}; return cudaSuccess; }
cudaError_t cudaStreamDestroy(cudaStream_t s) { delete s; return cudaSuccess; }
cudaError_t cudaStreamSynchronize(cudaStream_t s) { return foreign(s) ? last : sticky; }
cudaError_t cudaStreamBeginCapture(cudaStream_t, int)
{
    if (fails(&emulate_fail.capture))
        return say(cudaErrorUnknown);
    captured = new emulate_graph();
    return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t *graph)
{
    *graph = captured;
    captured = nullptr;
    return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long)
{
    if (fails(&emulate_fail.instantiate))
        return say(cudaErrorMemoryAllocation);
    *exec = new emulate_graph(*graph);
    return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t)
{
    if (fails(&emulate_fail.graph_launch))
        return say(cudaErrorMemoryAllocation);
    emulate_graph_launches++;
    for (auto &node : exec->nodes)
        node();
    return sticky;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) { delete graph; return cudaSuccess; }
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) { delete exec; return cudaSuccess; }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned) { *e = new emulate_event(); return cudaSuccess; }
cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t s) { return foreign(s) ? last : sticky; }
cudaError_t cudaEventSynchronize(cudaEvent_t) { return sticky; }
cudaError_t cudaEventDestroy(cudaEvent_t e) { delete e; return cudaSuccess; }
