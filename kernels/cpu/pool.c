/* SPDX-License-Identifier: MIT
 *
 * The pool of kernels/cpu/pool.h. One 64-bit ticket holds the job's number (high half) and its next item (low half): claiming an
 * item is one compare-and-swap that also proves that the job read is still the current one, so a worker that wakes late can
 * neither run an old job nor delay a new one. Only workers that hold an item are waited for.
 */
#include "kernels/cpu/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

#include "kernels/vlk.h"

#define SPIN_ROUNDS 1000 /* about 40 µs of pauses */
#define MAX_THREADS 256

struct worker {
    struct vlk_pool *pool;
    pthread_t thread;
    int index;
};

struct vlk_pool {
    _Atomic uint64_t ticket;
    _Atomic int64_t items, done;
    _Atomic(vlk_pool_fn *) fn;
    _Atomic(void *) ctx;
    atomic_int sleepers, waiting;
    atomic_bool stop;
    pthread_mutex_t lock;
    pthread_cond_t work, finished;
    int threads, started; /* threads counts the caller, started the workers that exist */
    struct worker *workers;
};

static inline void pause_cpu(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Runs items of the current job until none is left. */
static void drain(struct vlk_pool *pool, int worker)
{
    for (;;) {
        uint64_t ticket = atomic_load(&pool->ticket);
        int64_t items = atomic_load(&pool->items);
        vlk_pool_fn *fn = atomic_load(&pool->fn);
        void *ctx = atomic_load(&pool->ctx);
        int64_t item = (int64_t)(uint32_t)ticket;

        if (item >= items)
            return;
        if (!atomic_compare_exchange_weak(&pool->ticket, &ticket, ticket + 1))
            continue;
        fn(ctx, item, worker);
        if (atomic_fetch_add(&pool->done, 1) == items - 1 && atomic_load(&pool->waiting)) {
            pthread_mutex_lock(&pool->lock);
            pthread_cond_signal(&pool->finished);
            pthread_mutex_unlock(&pool->lock);
        }
    }
}

/* Waits until a job other than `seen` exists (or stop): first spinning, then asleep. */
static uint32_t next_job(struct vlk_pool *pool, uint32_t seen)
{
    for (int i = 0; i < SPIN_ROUNDS; i++) {
        uint32_t job = (uint32_t)(atomic_load(&pool->ticket) >> 32);

        if (job != seen || atomic_load(&pool->stop))
            return job;
        pause_cpu();
    }
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->sleepers, 1);
    while ((uint32_t)(atomic_load(&pool->ticket) >> 32) == seen && !atomic_load(&pool->stop))
        pthread_cond_wait(&pool->work, &pool->lock);
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->lock);
    return (uint32_t)(atomic_load(&pool->ticket) >> 32);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    uint32_t seen = 0;

    for (;;) {
        seen = next_job(w->pool, seen);
        if (atomic_load(&w->pool->stop))
            return NULL;
        drain(w->pool, w->index);
    }
}

void vlk_pool_run(struct vlk_pool *pool, int64_t items, vlk_pool_fn *fn, void *ctx)
{
    uint64_t job;

    if (items <= 0)
        return;
    if (pool->threads == 1 || items == 1) {
        for (int64_t i = 0; i < items; i++)
            fn(ctx, i, 0);
        return;
    }
    /* First a ticket that has nothing left: whoever sees a field of the new job cannot claim with the old ticket any more. */
    job = (atomic_load(&pool->ticket) >> 32) + 1;
    atomic_store(&pool->ticket, job << 32 | UINT32_MAX);
    atomic_store(&pool->done, 0);
    atomic_store(&pool->fn, fn);
    atomic_store(&pool->ctx, ctx);
    atomic_store(&pool->items, items);
    atomic_store(&pool->ticket, (job + 1) << 32);
    if (atomic_load(&pool->sleepers)) {
        pthread_mutex_lock(&pool->lock);
        pthread_cond_broadcast(&pool->work);
        pthread_mutex_unlock(&pool->lock);
    }
    drain(pool, 0);
    for (int i = 0; i < SPIN_ROUNDS && atomic_load(&pool->done) < items; i++)
        pause_cpu();
    if (atomic_load(&pool->done) == items)
        return;
    pthread_mutex_lock(&pool->lock);
    atomic_store(&pool->waiting, 1);
    while (atomic_load(&pool->done) < items)
        pthread_cond_wait(&pool->finished, &pool->lock);
    atomic_store(&pool->waiting, 0);
    pthread_mutex_unlock(&pool->lock);
}

struct vlk_pool *vlk_pool_new(int threads)
{
    struct vlk_pool *pool = vlk_alloc(1, sizeof *pool);

    if (!pool)
        return NULL;
    pool->threads = threads < 1 ? 1 : threads > MAX_THREADS ? MAX_THREADS : threads;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->finished, NULL);
    pool->workers = vlk_alloc((size_t)pool->threads, sizeof *pool->workers);
    for (int i = 1; pool->workers && i < pool->threads; i++) {
        struct worker *w = &pool->workers[i];

        *w = (struct worker){ .pool = pool, .index = i };
        if (pthread_create(&w->thread, NULL, work, w))
            break;
        pool->started++;
    }
    if (!pool->workers || pool->started != pool->threads - 1) {
        vlk_pool_free(pool);
        return NULL;
    }
    return pool;
}

void vlk_pool_free(struct vlk_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    atomic_store(&pool->stop, true);
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 1; i <= pool->started; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->work);
    pthread_cond_destroy(&pool->finished);
    pthread_mutex_destroy(&pool->lock);
    vlk_free(pool->workers);
    vlk_free(pool);
}

int vlk_pool_threads(const struct vlk_pool *pool)
{
    return pool->threads;
}

/* The lowest CPU number that shares a core with `cpu`; `cpu` itself where the kernel does not say. */
static int first_sibling(int cpu)
{
    char path[96];
    int first = cpu;
    FILE *file;

    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
    file = fopen(path, "re");
    if (file) {
        if (fscanf(file, "%d", &first) != 1)
            first = cpu;
        fclose(file);
    }
    return first;
}

int vlk_physical_cores(void)
{
    enum { MOST_CPUS = 1 << 16 }; /* the kernel refuses a set that is smaller than its own, of which it does not tell the size */
    const size_t bytes = CPU_ALLOC_SIZE(MOST_CPUS);
    cpu_set_t *allowed = vlk_alloc(bytes, 1), *cores = vlk_alloc(bytes, 1);
    int count = 0;

    if (allowed && cores && !sched_getaffinity(0, bytes, allowed)) {
        for (int cpu = 0; cpu < MOST_CPUS; cpu++) {
            if (CPU_ISSET_S(cpu, bytes, allowed)) {
                int first = first_sibling(cpu);

                CPU_SET_S(first >= 0 && first < MOST_CPUS ? first : cpu, bytes, cores);
            }
        }
        count = CPU_COUNT_S(bytes, cores);
    }
    vlk_free(allowed);
    vlk_free(cores);
    return count > 0 ? count : 1;
}
