/* SPDX-License-Identifier: MIT
 *
 * Plain multi-head attention on the CPU: rotation, cache write, causal attention. Called on the backend's thread.
 */
#include <string.h>

#include "kernels/cpu/attention.h"

struct write_job {
    struct vlk_cpu *cpu;
    const struct vlk_mha_write_args *a;
};

/* Pairs (i, i + dim/2) of one head, in place. */
static void rotate_halves(float *x, const float *cosine, const float *sine, int half)
{
    for (int i = 0; i < half; i++) {
        float a = x[i], b = x[i + half];

        x[i] = a * cosine[i] - b * sine[i];
        x[i + half] = b * cosine[i] + a * sine[i];
    }
}

static void store_row(const struct vlk_isa *isa, vlk_dtype dtype, void *cache, size_t at, const float *src, int64_t n)
{
    if (dtype == VLK_BF16)
        isa->pack_bf16((uint16_t *)cache + at, src, n);
    else
        memcpy((float *)cache + at, src, (size_t)n * sizeof *src);
}

static void write_item(void *ctx, int64_t t, int worker)
{
    const struct write_job *job = ctx;
    const struct vlk_mha_write_args *a = job->a;
    const int half = a->rope.dim / 2;
    const int64_t pos = a->step->pos + t, row = (int64_t)a->kv_heads * a->head_dim;
    const float *cosine = a->rope.cos + pos * half, *sine = a->rope.sin + pos * half;
    float *q = a->q + t * a->heads * a->head_dim;
    const float *k = a->k + t * row;

    for (int h = 0; h < a->heads; h++)
        rotate_halves(q + (size_t)h * (size_t)a->head_dim, cosine, sine, half);
    for (int h = 0; h < a->kv_heads; h++) {
        const float *src = k + (size_t)h * (size_t)a->head_dim;
        size_t at = (size_t)(pos * row) + (size_t)h * (size_t)a->head_dim;

        for (int i = 0; i < half; i++) {
            float lower = src[i] * cosine[i] - src[i + half] * sine[i];
            float upper = src[i + half] * cosine[i] + src[i] * sine[i];

            store_row(job->cpu->isa, a->cache_dtype, a->k_cache, at + (size_t)i, &lower, 1);
            store_row(job->cpu->isa, a->cache_dtype, a->k_cache, at + (size_t)(i + half), &upper, 1);
        }
        store_row(job->cpu->isa, a->cache_dtype, a->k_cache, at + 2 * (size_t)half, src + 2 * half, a->head_dim - 2 * half);
    }
    store_row(job->cpu->isa, a->cache_dtype, a->v_cache, (size_t)(pos * row), a->v + t * row, row);
}

void vlk_cpu_mha_write(struct vlk_backend *be, const struct vlk_mha_write_args *a)
{
    struct write_job job = { vlk_cpu_of(be), a };

    if (!vlk_cpu_poisoned(job.cpu))
        vlk_pool_run(job.cpu->pool, a->n, write_item, &job);
}

void vlk_cpu_mha_attend(struct vlk_backend *be, const struct vlk_mha_attend_args *a)
{
    const size_t element = a->cache_dtype == VLK_BF16 ? 2 : 4, head = (size_t)a->head_dim * element;
    const struct vlk_kv k = { a->cache_dtype, a->k_cache, (size_t)a->kv_heads * head, a->head_dim };
    struct vlk_kv v = k;

    if (vlk_cpu_poisoned(vlk_cpu_of(be)))
        return;
    v.data = a->v_cache;
    vlk_cache_attend(vlk_cpu_of(be), &(struct vlk_cache_attention){
        .n = a->n, .kv_heads = a->kv_heads, .group = a->heads / a->kv_heads, .pos = a->step->pos,
        .q = a->q, .ldq = (size_t)a->head_dim, .scale = a->scale, .k = k, .v = v, .k_step = head, .v_step = head,
        .out = a->out, .ldo = (size_t)a->head_dim, .probs = a->probs, .probs_stride = a->probs_stride });
}
