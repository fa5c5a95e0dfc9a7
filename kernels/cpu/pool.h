/* SPDX-License-Identifier: MIT
 *
 * A persistent thread pool for one caller: run(items) hands items 0 … n-1 to the workers and the calling thread and returns
 * when all are done. Idle workers sleep; between the ops of one step they spin for some tens of microseconds at most.
 * Used by the CPU backend only, always from the thread that opened it.
 */
#ifndef VLK_POOL_H
#define VLK_POOL_H

#include <stdint.h>

struct vlk_pool;

/* fn(ctx, item, worker): worker in 0 … threads-1 is unique among the calls that run at the same time. */
typedef void vlk_pool_fn(void *ctx, int64_t item, int worker);

struct vlk_pool *vlk_pool_new(int threads); /* NULL: out of memory or threads */
void vlk_pool_free(struct vlk_pool *pool);
int vlk_pool_threads(const struct vlk_pool *pool);
void vlk_pool_run(struct vlk_pool *pool, int64_t items, vlk_pool_fn *fn, void *ctx);

/* Physical cores among the CPUs this process may run on; at least 1. */
int vlk_physical_cores(void);

#endif
