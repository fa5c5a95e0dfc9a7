/* SPDX-License-Identifier: MIT
 *
 * RMSNorm and LayerNorm on the CPU: rows are shared out to the workers. Called on the backend's thread.
 */
#include "kernels/cpu/cpu.h"

#define ROWS_PER_ITEM 16

struct norm_job {
    const struct vlk_isa *isa;
    int32_t n, width;
    float eps;
    const float *w, *b, *x; /* b NULL: RMSNorm */
    float *y;
};

static void norm_item(void *ctx, int64_t item, int worker)
{
    const struct norm_job *job = ctx;
    int64_t from = item * ROWS_PER_ITEM, to = job->n - from < ROWS_PER_ITEM ? job->n : from + ROWS_PER_ITEM;

    for (int64_t i = from; i < to; i++) {
        const float *x = job->x + i * job->width;
        float *y = job->y + i * job->width;

        if (job->b)
            job->isa->layernorm(y, x, job->w, job->b, job->width, job->eps);
        else
            job->isa->rmsnorm(y, x, job->w, job->width, job->eps);
    }
}

void vlk_cpu_rmsnorm(struct vlk_backend *be, const struct vlk_rmsnorm_args *a)
{
    struct vlk_cpu *cpu = vlk_cpu_of(be);
    struct norm_job job = { cpu->isa, a->n, a->width, a->eps, NULL, NULL, a->x, a->y };
    float *w = vlk_cpu_poisoned(cpu) ? NULL : vlk_vector_scratch(cpu, 1, a->width);

    if (!w)
        return;
    vlk_unpack_vector(cpu, &a->w, w);
    job.w = w;
    vlk_pool_run(cpu->pool, (a->n + ROWS_PER_ITEM - 1) / ROWS_PER_ITEM, norm_item, &job);
}

void vlk_cpu_layernorm(struct vlk_backend *be, const struct vlk_layernorm_args *a)
{
    struct vlk_cpu *cpu = vlk_cpu_of(be);
    struct norm_job job = { cpu->isa, a->n, a->width, a->eps, NULL, NULL, a->x, a->y };
    float *w = vlk_cpu_poisoned(cpu) ? NULL : vlk_vector_scratch(cpu, 2, a->width);

    if (!w)
        return;
    vlk_unpack_vector(cpu, &a->w, w);
    vlk_unpack_vector(cpu, &a->b, w + a->width);
    job.w = w;
    job.b = w + a->width;
    vlk_pool_run(cpu->pool, (a->n + ROWS_PER_ITEM - 1) / ROWS_PER_ITEM, norm_item, &job);
}
