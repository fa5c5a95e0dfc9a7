/* SPDX-License-Identifier: MIT
 *
 * The emulation itself: right kernels give right results in every schedule, and the same kernels with a mistake planted in them
 * (a missing barrier, a missing wait, a barrier that some threads skip, a misaligned copy, a read of what nobody wrote, and between
 * blocks a missing fence of who writes, of who reads, or a counter that is no atomic one) are seen.
 */
#include "tests/cuda/emulate.h"
#include "kernels/cuda/prims.cuh"

#include <sys/wait.h>
#include <unistd.h>

static int tests, failures;

static void check(bool pass, const char *name)
{
    printf("%sok %d - %s\n", pass ? "" : "not ", ++tests, name);
    fflush(stdout);
    failures += !pass;
}

enum mistake { NONE, NO_BARRIER, NO_WAIT, SKIPPED_BARRIER, LEFT_EARLY, MISALIGNED, UNWRITTEN };

struct reverse_args {
    const float *x;
    float *y;
    mistake planted;
};

/* y = x reversed within each block of 128, by way of shared memory and asynchronous copies. */
static __global__ void reverse_kernel(reverse_args a)
{
    VLK_SHARED(float, room);
    const int tid = (int)threadIdx.x, base = (int)blockIdx.x * 128;

    if (tid < 32)
        vlk_copy_async((char *)(room + 4 * tid) + (a.planted == MISALIGNED ? 4 : 0), a.x + base + 4 * tid, a.planted != UNWRITTEN || tid < 31);
    if (a.planted == UNWRITTEN && tid == 31)
        emulate::current->copies.clear();
    vlk_copy_commit();
    if (a.planted != NO_WAIT)
        vlk_copy_wait<0>();
    if (a.planted == LEFT_EARLY && tid == 5)
        return;
    if (a.planted != NO_BARRIER && !(a.planted == SKIPPED_BARRIER && tid / 32 == 2))
        __syncthreads();
    if (a.planted == NO_WAIT)
        vlk_copy_wait<0>();
    a.y[base + tid] = room[127 - tid];
    if (a.planted == SKIPPED_BARRIER)
        __syncthreads();
}

enum slip { SOUND, NO_WRITERS_FENCE, NO_READERS_FENCE, NO_ATOMIC };

struct total_args {
    float *parts, *total;
    int *counter;
    slip planted;
};

/* total = 1 + 2 + …, a part by each block, put together by the one that is done last. */
static __global__ void total_kernel(total_args a)
{
    __shared__ int last;

    if (threadIdx.x == 0)
        a.parts[blockIdx.x] = (float)(blockIdx.x + 1);
    if (a.planted != NO_WRITERS_FENCE)
        __threadfence();
    __syncthreads();
    if (threadIdx.x == 0)
        last = (a.planted == NO_ATOMIC ? (*a.counter)++ : atomicAdd(a.counter, 1)) == (int)gridDim.x - 1;
    __syncthreads();
    if (!last)
        return;
    if (a.planted != NO_READERS_FENCE)
        __threadfence();
    if (threadIdx.x == 0) {
        float sum = 0;

        for (unsigned i = 0; i < gridDim.x; i++)
            sum += a.parts[i];
        *a.total = sum;
    }
}

/* Wrong totals over many schedules of blocks that are alive together. */
static int wrong_totals(slip planted)
{
    const int blocks = 7;
    float *parts, *total;
    int *counter, wrong = 0;

    cudaMalloc((void **)&parts, sizeof(float) * blocks);
    cudaMalloc((void **)&total, sizeof(float));
    cudaMalloc((void **)&counter, sizeof(int));
    emulate_blocks = 4;
    for (unsigned seed = 1; seed <= 40; seed++) {
        emulate_seed = seed;
        *counter = 0;
        *total = 0;
        for (int i = 0; i < blocks; i++)
            parts[i] = 0;
        VLK_RUN("total", total_kernel, dim3(blocks), 32, 0, NULL, (total_args{parts, total, counter, planted}));
        wrong += *total != 28;
    }
    emulate_blocks = 1;
    cudaFree(parts);
    cudaFree(total);
    cudaFree(counter);
    return wrong;
}

struct product_args {
    const float *a, *b;
    float *c;
};

/* c[16][8] = a[16][16] b[16][8] by one warp, with fragments as prims.cuh documents them. */
static __global__ void product_kernel(product_args p)
{
    const int lane = (int)threadIdx.x, g = lane >> 2, t = lane & 3;
    float c[4] = {0, 0, 0, 0};
    const uint32_t a[4] = {vlk_pack_bf16(p.a[g * 16 + 2 * t], p.a[g * 16 + 2 * t + 1]),
                           vlk_pack_bf16(p.a[(g + 8) * 16 + 2 * t], p.a[(g + 8) * 16 + 2 * t + 1]),
                           vlk_pack_bf16(p.a[g * 16 + 2 * t + 8], p.a[g * 16 + 2 * t + 9]),
                           vlk_pack_bf16(p.a[(g + 8) * 16 + 2 * t + 8], p.a[(g + 8) * 16 + 2 * t + 9])};

    vlk_mma(c, a, vlk_pack_bf16(p.b[2 * t * 8 + g], p.b[(2 * t + 1) * 8 + g]), vlk_pack_bf16(p.b[(2 * t + 8) * 8 + g], p.b[(2 * t + 9) * 8 + g]));
    for (int i = 0; i < 4; i++)
        p.c[(g + (i >> 1) * 8) * 8 + 2 * t + (i & 1)] = c[i];
}

/* Wrong results over a few schedules; -1: the emulation ended the program. */
static int wrong_results(mistake planted)
{
    static float x[256], y[256];
    int wrong = 0, status = 0;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        fclose(stderr);
        for (int i = 0; i < 256; i++)
            x[i] = (float)i;
        for (unsigned seed = 1; seed <= 8; seed++) {
            emulate_seed = seed;
            VLK_RUN("reverse", reverse_kernel, dim3(2), 128, 128 * sizeof(float), NULL, (reverse_args{x, y, planted}));
            for (int i = 0; i < 256; i++)
                wrong += !(y[i] == (float)(i / 128 * 128 + 127 - i % 128));
        }
        _exit(wrong ? 1 : 0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return -2;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_product()
{
    float a[256], b[128], c[128];
    int wrong = 0;

    for (int i = 0; i < 256; i++)
        a[i] = (float)(i * 7 % 23 - 11);
    for (int i = 0; i < 128; i++)
        b[i] = (float)(i * 5 % 19 - 9);
    VLK_RUN("product", product_kernel, dim3(1), 32, 0, NULL, (product_args{a, b, c}));
    for (int m = 0; m < 16; m++)
        for (int n = 0; n < 8; n++) {
            float sum = 0;

            for (int k = 0; k < 16; k++)
                sum += a[m * 16 + k] * b[k * 8 + n];
            wrong += sum != c[m * 8 + n];
        }
    check(wrong == 0, "the tensor-core product is exact for small integers");
}

int main()
{
    test_product();
    check(wrong_results(NONE) == 0, "a right kernel is right in every schedule");
    check(wrong_results(NO_BARRIER) == 1, "a missing barrier gives wrong results");
    check(wrong_results(NO_WAIT) == 1, "a missing wait gives wrong results");
    check(wrong_results(UNWRITTEN) == 1, "shared memory that nobody wrote is not a number");
    check(wrong_results(SKIPPED_BARRIER) != 0, "a barrier that some threads skip is seen");
    check(wrong_results(LEFT_EARLY) == -1, "a thread that ends before a barrier ends the test");
    check(wrong_results(MISALIGNED) == -1, "a misaligned copy ends the test");
    check(wrong_totals(SOUND) == 0, "blocks that are alive together give the right total");
#ifndef __SANITIZE_ADDRESS__
    check(wrong_totals(NO_WRITERS_FENCE) > 0, "a missing fence of who writes is seen");
    check(wrong_totals(NO_READERS_FENCE) > 0, "a missing fence of who reads is seen");
    check(wrong_totals(NO_ATOMIC) > 0, "a counter that is not atomic is seen");
#endif
    printf("1..%d\n", tests);
    return failures != 0;
}
