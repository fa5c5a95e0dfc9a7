/* SPDX-License-Identifier: MIT
 *
 * The two machines that the CUDA tests compare: the CPU's ops and the module, which is the emulated one, or with CUDA_ON_DEVICE that
 * of a real GPU (tests/gpu/run.sh). Weights and arrays on both, the comparison, the kernels that ran, and the main loop. Included by
 * tests/cuda/test_*.c.
 */
#ifndef TESTS_CUDA_MACHINES_H
#define TESTS_CUDA_MACHINES_H

#include "kernels/cuda/module.h"
#include "tests/cuda/kernels.h"
#include "tests/kernels/reference.h"

#ifndef CUDA_ON_DEVICE
extern const struct vlk_cuda_module vlk_cuda_module;
extern struct { long alloc, launch, capture, instantiate, graph_launch; } emulate_fail;
extern long emulate_live_allocations, emulate_graph_launches;
void emulate_mend(void);
extern size_t emulate_device_bytes;
extern int emulate_capability, emulate_images;
extern unsigned emulate_seed, emulate_blocks;
void emulate_names(void (*visit)(const char *kernel, long launches, void *user), void *user);
void emulate_names_reset(void);
#endif

/* Rounding to bf16 errs by 2^-8 at most, (2^-8)^2 / 3 = 5e-6 of the power on average. Up to four vectors: x is the sum of two
 * halves, which leaves 2^-16 or 8e-11, and the same again for f16 and f32 weights. Many vectors: x is rounded, and weights that
 * are not bf16. Gated products round x in both factors, two weights, and their product. Attention rounds q, k, v and the
 * softmax weights; an error of q k moves a weight by as much again. A missing term of K is 1/K, above 1e-3 everywhere here. */
#define NMSE_FEW 2e-10
#define NMSE_MANY 1e-5
#define NMSE_GATED 2.5e-5
#define NMSE_FLASH 6e-5

static struct vlk_backend *cpu, *gpu;

/* ------------------------------------------------------------------------------------------------ two machines */

static inline void *to_gpu(const void *src, size_t bytes)
{
    void *p = gpu->ops->mem_alloc(gpu, bytes);

    gpu->ops->mem_write(gpu, p, src, bytes);
    return p;
}

static inline float *gpu_floats(const float *x, size_t n)
{
    return to_gpu(x, n * sizeof *x);
}

static inline void drop(void *p)
{
    gpu->ops->mem_free(gpu, p);
}

/* The GPU's n floats at p against the CPU's; frees p. */
static inline void compare(void *p, const float *want, size_t n, double bound, const char *name)
{
    float *got = vlk_alloc(n, sizeof *got);
    double *reference = doubles(n);

    gpu->ops->mem_read(gpu, got, p, n * sizeof *got);
    for (size_t i = 0; i < n; i++)
        reference[i] = (double)want[i];
    close_to(got, reference, n, bound, name);
    drop(p);
    vlk_free(got);
    vlk_free(reference);
}

struct both {
    struct test_weight host;
    struct vlk_weight device;
};

/* The CPU rounds the vectors that meet int8 and int4 weights; with the very values of such weights in f32 it does not. */
static inline struct both make_both(vlk_dtype dtype, int rows, int cols, double scale)
{
    struct both b = { .host = make_weight(cpu, dtype, rows, cols, scale) };

    b.device = gpu->ops->weight_import(gpu, dtype, rows, cols, b.host.bytes, VLK_PLACE_DEVICE);
    if (dtype == VLK_I8G || dtype == VLK_I4G) {
        cpu->ops->weight_release(cpu, &b.host.w);
        b.host.w = cpu->ops->weight_import(cpu, VLK_F32, rows, cols, b.host.values, VLK_PLACE_DEVICE);
    }
    return b;
}

static inline void free_both(struct both *b)
{
    gpu->ops->weight_release(gpu, &b->device);
    free_weight(cpu, &b->host);
}

#ifdef CUDA_ON_DEVICE
static inline void ran(const char *check)
{
    tap_diag("%s: %s", check, gpu->ops->describe(gpu));
}
#else
struct launched {
    const char *kernel;
    bool found;
};

static inline void look(const char *kernel, long launches, void *user)
{
    struct launched *l = user;

    l->found |= launches > 0 && !strcmp(kernel, l->kernel);
}

/* Every kernel that names this check ran in it. */
static inline void ran(const char *check)
{
    for (size_t i = 0; i < sizeof cuda_kernels / sizeof *cuda_kernels; i++) {
        struct launched l = { cuda_kernels[i].kernel, false };

        if (strcmp(cuda_kernels[i].check, check) != 0)
            continue;
        emulate_names(look, &l);
        ok(l.found, "%s ran %s", check, l.kernel);
    }
    emulate_names_reset();
}
#endif

#ifdef CUDA_ON_DEVICE
static inline struct vlk_backend *open_gpu(void)
{
    struct vlk_error err = { 0 };
    struct vlk_backend *be = vlk_cuda_open(NULL, &err);

    if (!be)
        tap_diag("%s", err.text);
    return be;
}
#else
static inline struct vlk_backend *open_gpu(void)
{
    struct vlk_error err = { 0 };
    struct vlk_backend *be = vlk_cuda_module.open(0, &err);

    if (!be)
        tap_diag("%s", err.text);
    return be;
}
#endif

struct gpu_test {
    const char *name;
    void (*run)(void);
};

/* All of them, or the one that is named. */
static inline int run_tests(const struct gpu_test *tests, size_t count, int argc, char **argv)
{
#ifndef CUDA_ON_DEVICE
    const long live = emulate_live_allocations;
#endif

    setenv("FAKE_BLAS_CREATE", "1", 1); /* a machine without cuBLAS, but where a test wants it */
    cpu = vlk_cpu_open(&(struct vlk_cpu_options){ .threads = 1 }, NULL);
    gpu = open_gpu();
    if (!cpu || !gpu)
        return ok(false, "the backends open") ? 0 : 1;
    for (size_t i = 0; i < count; i++)
        if (argc < 2 || !strcmp(argv[1], tests[i].name))
            tests[i].run();
    is_int(gpu->ops->wait(gpu, NULL), VLK_OK, "no error");
    gpu->ops->close(gpu);
#ifndef CUDA_ON_DEVICE
    is_int(emulate_live_allocations, live, "closing gives back all of the GPU's memory");
#endif
    cpu->ops->close(cpu);
    return tap_done();
}
#define RUN_TESTS(tests, argc, argv) run_tests(tests, sizeof tests / sizeof *tests, argc, argv)

#endif
