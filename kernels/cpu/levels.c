/* SPDX-License-Identifier: MIT
 *
 * Which instruction set levels run on this machine, and which is best. That a processor has bf16 products does not make them fast:
 * some multiply bf16 at half the rate of f32, others at twice; so their level is the best one only where a short measurement says so.
 * Called when a backend opens, and by whoever lists the levels; any thread.
 */
#include "kernels/cpu/cpu.h"

#include <stdatomic.h>
#include <string.h>
#include <time.h>

#ifdef VLK_HAVE_X86
#include <cpuid.h>
#endif

#define MAX_LEVELS 5

#ifdef VLK_HAVE_X86
/* Read from the CPU itself: not every compiler's builtin knows the name. */
static bool has_f16c(void)
{
    unsigned a, b, c, d;

    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

static bool runs_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
}

static bool runs_avx512(void)
{
    return runs_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

static bool runs_avx512vnni(void)
{
    return runs_avx512() && __builtin_cpu_supports("avx512vnni");
}

static bool runs_avx512bf16(void)
{
    return runs_avx512vnni() && __builtin_cpu_supports("avx512bf16");
}

/* ------------------------------------------------------------------------------------------------ a measurement */

#define TRIAL_K 256    /* with it the operands stay in the first cache */
#define TRIAL_PASSES 8 /* some microseconds */
#define TRIALS 24      /* so that the shortest was not interrupted */

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The shortest time that a product of one block takes, in bf16 or in f32, on zeros. */
static double trial(const struct vlk_isa *isa, bool halves, float *memory)
{
    const size_t rows = (size_t)isa->mr, nr = (size_t)isa->nr;
    float *a = memory, *b = a + rows * TRIAL_K, *c = b + nr * TRIAL_K;
    double best = 1;

    for (int i = 0; i < TRIALS; i++) {
        double from = now(), t;

        for (int j = 0; j < TRIAL_PASSES; j++) {
            if (halves)
                isa->narrow_bf16->gemm(isa->mr, isa->nr, TRIAL_K, &(struct vlk_narrow_tile){ .a = (char *)a, .b = (char *)b, .c = c,
                                                                                             .ldc = nr });
            else
                isa->gemm(isa->mr, isa->nr, TRIAL_K, &(struct vlk_tile){ .a = a, .lda = rows, .b = b, .c = c, .ldc = nr });
        }
        t = now() - from;
        best = t < best ? t : best;
    }
    return best;
}

/* Whether bf16 products gain enough to be worth their rounding. Measured once. */
static bool gains_by_bf16(void)
{
    enum { UNKNOWN, YES, NO };
    static atomic_int answer = UNKNOWN;
    const struct vlk_isa *isa = &vlk_avx512bf16_table;

    if (atomic_load(&answer) == UNKNOWN) {
        _Alignas(64) float memory[(12 + 32) * TRIAL_K + 12 * 32] = { 0 };

        atomic_store(&answer, trial(isa, false, memory) > 1.25 * trial(isa, true, memory) ? YES : NO);
    }
    return atomic_load(&answer) == YES;
}
#endif

/* ------------------------------------------------------------------------------------------------ the choice */

/* Fills the tables of what runs here, best first; returns their number. */
static int runnable(const struct vlk_isa *out[MAX_LEVELS])
{
    int n = 0;

#ifdef VLK_HAVE_X86
    __builtin_cpu_init();
    if (runs_avx512bf16() && gains_by_bf16())
        out[n++] = &vlk_avx512bf16_table;
    if (runs_avx512vnni())
        out[n++] = &vlk_avx512vnni_table;
    if (runs_avx512bf16() && !gains_by_bf16())
        out[n++] = &vlk_avx512bf16_table;
    if (runs_avx512())
        out[n++] = &vlk_avx512_table;
    if (runs_avx2())
        out[n++] = &vlk_avx2_table;
#endif
    out[n++] = &vlk_generic_table;
    return n;
}

const char *const *vlk_cpu_isa_available(void)
{
    static _Thread_local const char *names[MAX_LEVELS + 1];
    const struct vlk_isa *isas[MAX_LEVELS];
    int n = runnable(isas);

    for (int i = 0; i < n; i++)
        names[i] = isas[i]->name;
    names[n] = NULL;
    return names;
}

const struct vlk_isa *vlk_choose_isa(const char *wanted)
{
    const struct vlk_isa *isas[MAX_LEVELS];
    int n = runnable(isas);

    if (!wanted || !*wanted)
        return isas[0];
    for (int i = 0; i < n; i++)
        if (!strcmp(isas[i]->name, wanted))
            return isas[i];
    return NULL;
}
