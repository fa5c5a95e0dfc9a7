/* SPDX-License-Identifier: MIT
 *
 * What this machine can do at most, measured: bytes read per second from memory and fused multiply-adds per second from
 * registers. The bench states its figures as shares of these. Starts its own threads; nothing else should run meanwhile.
 */
#include "kernels/ceilings.h"

#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kernels/vlk.h"

#define MAX_THREADS 256
#define ROUNDS 12 /* of some milliseconds each, so that one of them is undisturbed */
#define FMA_STEPS 2000000

struct load {
    const uint64_t *from; /* NULL: multiply and add */
    size_t words;
    const char *isa;
    double work;   /* done: bytes or floating point operations */
    uint64_t kept; /* so that nothing is optimised away */
};

/* One thread is measured by its own clock, so that a busy machine does not count. */
static double now(int threads)
{
    struct timespec t;

    clock_gettime(threads > 1 ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Sums that stay in registers, by name: an array of them lives on the stack unless every loop over it is unrolled in time. */
#define EIGHT(do) do(0) do(1) do(2) do(3) do(4) do(5) do(6) do(7)
#define TWELVE(do) EIGHT(do) do(8) do(9) do(10) do(11)

/* Eight lines at a time, asked for well before they are needed, as the matrix-vector products do. */
#define READ_AHEAD 2048
#define READ_START(k) v s##k = { 0 };
#define READ_STEP(k)                                                                                                       \
    __builtin_prefetch(p + i + 8 * (k) + READ_AHEAD / 8);                                                                  \
    for (size_t j = 0; j < 64 / sizeof(v); j++) {                                                                          \
        v x;                                                                                                               \
                                                                                                                           \
        memcpy(&x, p + i + 8 * (k) + j * sizeof(v) / 8, sizeof x);                                                         \
        s##k += x;                                                                                                         \
    }
#define READ_END(k) total += s##k[0] + s##k[1];
#define READ_LOOP(name, W, TARGET)                                                                                         \
    TARGET static uint64_t name(const uint64_t *p, size_t words)                                                           \
    {                                                                                                                      \
        typedef uint64_t v __attribute__((vector_size(4 * (W))));                                                          \
        uint64_t total = 0;                                                                                                \
        EIGHT(READ_START)                                                                                                  \
                                                                                                                           \
        for (size_t i = 0; i + 64 <= words; i += 64) {                                                                     \
            EIGHT(READ_STEP)                                                                                               \
        }                                                                                                                  \
        EIGHT(READ_END)                                                                                                    \
        return total;                                                                                                      \
    }

/* Twelve independent sums of W lanes: the latency of 4 or 5 cycles times the two units that some machines have. */
#define FMA_START(k) v s##k = x + (float)(k);
#define FMA_STEP(k) s##k = s##k * x + y;
#define FMA_END(k) total += s##k;
#define FMA_LOOP(name, W, TARGET)                                                                                          \
    TARGET static double name(float *keep)                                                                                 \
    {                                                                                                                      \
        typedef float v __attribute__((vector_size(4 * (W))));                                                             \
        v x = { 0 }, y = { 0 }, total = { 0 };                                                                             \
                                                                                                                           \
        x = x + 0.999f;                                                                                                    \
        y = y + 1e-3f;                                                                                                     \
        TWELVE(FMA_START)                                                                                                  \
        for (int i = 0; i < FMA_STEPS; i++) {                                                                              \
            TWELVE(FMA_STEP)                                                                                               \
        }                                                                                                                  \
        TWELVE(FMA_END)                                                                                                    \
        *keep = total[0];                                                                                                  \
        return 2.0 * 12 * (W) * FMA_STEPS;                                                                                 \
    }

#define LOOPS(level, W, TARGET)                                                                                            \
    READ_LOOP(read_##level, W, TARGET)                                                                                     \
    FMA_LOOP(fma_##level, W, TARGET)

LOOPS(generic, 4, )
#ifdef VLK_HAVE_X86
LOOPS(avx2, 8, __attribute__((target("avx2,fma"))))
LOOPS(avx512, 16, __attribute__((target("avx512f,fma,prefer-vector-width=512"))))
#endif

static void *run(void *data)
{
    struct load *l = data;
    float keep = 0;

    uint64_t (*read)(const uint64_t *, size_t) = read_generic;
    double (*multiply)(float *) = fma_generic;

#ifdef VLK_HAVE_X86
    if (strncmp(l->isa, "avx512", 6) == 0) {
        read = read_avx512;
        multiply = fma_avx512;
    } else if (strncmp(l->isa, "avx2", 4) == 0) {
        read = read_avx2;
        multiply = fma_avx2;
    }
#endif
    if (l->from) {
        l->kept = read(l->from, l->words);
        l->work = (double)l->words * 8;
    } else {
        l->work = multiply(&keep);
        l->kept = (uint64_t)(keep != 0);
    }
    return NULL;
}

/* Work per second of all threads together, the best of some rounds. */
static double measure(struct load *loads, int threads)
{
    double best = 0;

    for (int round = 0; round < ROUNDS; round++) {
        pthread_t ids[MAX_THREADS];
        bool started[MAX_THREADS] = { false };
        double start = now(threads), work = 0;

        for (int i = 1; i < threads; i++)
            started[i] = pthread_create(&ids[i], NULL, run, &loads[i]) == 0;
        run(&loads[0]);
        work = loads[0].work;
        for (int i = 1; i < threads; i++) {
            if (started[i]) {
                pthread_join(ids[i], NULL);
                work += loads[i].work;
            }
        }
        work /= now(threads) - start;
        best = work > best ? work : best;
    }
    return best;
}

size_t vlk_cache_bytes(void)
{
    long level3 = sysconf(_SC_LEVEL3_CACHE_SIZE), level2 = sysconf(_SC_LEVEL2_CACHE_SIZE);

    return level3 > 0 ? (size_t)level3 : level2 > 0 ? (size_t)level2 : (size_t)32 << 20;
}

double vlk_measure_read(const char *isa, int threads, size_t bytes)
{
    struct load loads[MAX_THREADS] = { { 0 } };
    uint64_t *data;
    size_t words;
    double best;

    threads = threads < 1 ? 1 : threads > MAX_THREADS ? MAX_THREADS : threads;
    words = bytes / 8 / (size_t)threads / 64 * 64;
    data = vlk_alloc((size_t)threads * words, 8);
    if (!data || !words) {
        vlk_free(data);
        return 0;
    }
    memset(data, 1, (size_t)threads * words * 8); /* fresh pages are one page of zeros until they are written */
    for (int i = 0; i < threads; i++)
        loads[i] = (struct load){ .from = data + (size_t)i * words, .words = words, .isa = isa };
    best = measure(loads, threads);
    vlk_free(data);
    return best;
}

double vlk_measure_fma(const char *isa, int threads)
{
    struct load loads[MAX_THREADS] = { { 0 } };

    threads = threads < 1 ? 1 : threads > MAX_THREADS ? MAX_THREADS : threads;
    for (int i = 0; i < threads; i++)
        loads[i].isa = isa;
    return measure(loads, threads);
}
