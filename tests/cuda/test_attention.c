/* SPDX-License-Identifier: MIT
 *
 * Attention of the CUDA module, run by the emulation, against the CPU's op on the same data: plain heads, latent ones, and the vision
 * tower's, in chunks that meet every kernel.
 */
#include "tests/cuda/machines.h"

/* ------------------------------------------------------------------------------------------------ attention */

static float *rope_table(int positions, int dim, bool sine)
{
    float *table = vlk_alloc((size_t)(positions * (dim / 2)), 4);

    for (int p = 0; p < positions; p++)
        for (int i = 0; i < dim / 2; i++) {
            double angle = p * pow(10000, -2.0 * i / dim);

            table[p * (dim / 2) + i] = (float)(sine ? sin(angle) : cos(angle));
        }
    return table;
}

struct attention_case {
    int heads, kv_heads, dim, rotated, total;
    vlk_dtype cache;
    bool probs;
    int chunks[8];
};

static void check_mha(const struct attention_case *m)
{
    const int H = m->heads, G = m->kv_heads, D = m->dim, T = m->total, P = T + 5;
    const size_t qs = (size_t)(T * H * D), ks = (size_t)(T * G * D), cache = ks * (m->cache == VLK_BF16 ? 2 : 4);
    float *cosine = rope_table(T, m->rotated, false), *sine = rope_table(T, m->rotated, true);
    float *q = random_floats(qs, 1.5), *k = random_floats(ks, 1.5), *v = random_floats(ks, 1), *out = vlk_alloc(qs, 4);
    float *probs = vlk_alloc((size_t)(T * H * P), 4), *dq = gpu_floats(q, qs), *dk = gpu_floats(k, ks), *dv = gpu_floats(v, ks);
    float *dout = gpu->ops->mem_alloc(gpu, qs * 4), *dprobs = gpu->ops->mem_alloc(gpu, (size_t)(T * H * P) * 4);
    float *dc = gpu_floats(cosine, (size_t)(T * (m->rotated / 2))), *ds = gpu_floats(sine, (size_t)(T * (m->rotated / 2)));
    void *kc = vlk_alloc(cache, 1), *vc = vlk_alloc(cache, 1), *dkc = gpu->ops->mem_alloc(gpu, cache), *dvc = gpu->ops->mem_alloc(gpu, cache);
    struct vlk_step step = { 0 }, *dstep = gpu->ops->mem_alloc(gpu, sizeof step);
    char name[160];

    for (int c = 0, at = 0; m->chunks[c]; at += m->chunks[c++]) {
        const int n = m->chunks[c];

        gpu->ops->mha_write(gpu, &(struct vlk_mha_write_args){ n, H, G, D, { dc, ds, m->rotated, false }, dstep, dq + at * H * D,
                                                               dk + at * G * D, dv + at * G * D, dkc, dvc, m->cache });
        gpu->ops->mha_attend(gpu, &(struct vlk_mha_attend_args){ n, H, G, D, 0.17f, at + n, dstep, dq + at * H * D, dkc, dvc, m->cache,
                                                                 dout + at * H * D, m->probs ? dprobs + at * H * P : NULL, P });
        gpu->ops->step_advance(gpu, dstep, n);
        cpu->ops->mha_write(cpu, &(struct vlk_mha_write_args){ n, H, G, D, { cosine, sine, m->rotated, false }, &step, q + at * H * D,
                                                               k + at * G * D, v + at * G * D, kc, vc, m->cache });
        cpu->ops->mha_attend(cpu, &(struct vlk_mha_attend_args){ n, H, G, D, 0.17f, at + n, &step, q + at * H * D, kc, vc, m->cache,
                                                                 out + at * H * D, m->probs ? probs + at * H * P : NULL, P });
        cpu->ops->step_advance(cpu, &step, n);
    }
    snprintf(name, sizeof name, "mha %d/%d heads of %d, %d tokens, %s cache", H, G, D, T, vlk_dtype_name(m->cache));
    compare(dout, out, qs, NMSE_FLASH, name);
    if (m->probs)
        compare(dprobs, probs, (size_t)(T * H * P), 1e-8, "its probabilities");
    else
        drop(dprobs);
    void *const device[] = { dq, dk, dv, dc, ds, dkc, dvc, dstep }, *const host[] = { cosine, sine, q, k, v, out, probs, kc, vc };
    for (size_t i = 0; i < sizeof device / sizeof *device; i++)
        drop(device[i]);
    for (size_t i = 0; i < sizeof host / sizeof *host; i++)
        vlk_free(host[i]);
}

static void test_mha(void)
{
    static const struct attention_case cases[] = {
        { 3, 3, 24, 24, 40, VLK_F32, true, { 17, 1, 1, 3, 18 } },
        { 4, 2, 20, 16, 150, VLK_F32, false, { 140, 2, 1, 7 } },
        { 2, 2, 128, 128, 80, VLK_BF16, false, { 1, 1, 3, 70, 5 } },
        { 6, 1, 16, 16, 33, VLK_BF16, true, { 33 } },
        { 1, 1, 8, 8, 700, VLK_BF16, false, { 690, 1, 4, 5 } },
        { 1, 1, 140, 140, 20, VLK_F32, false, { 20 } }, /* wider than blocks of queries can be */
        { 34, 2, 16, 16, 5, VLK_F32, false, { 4, 1 } }, /* more heads of a group than rows of a tile */
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_mha(&cases[i]);
    ran("mha");
}

struct mla_case {
    int heads, nope, rope, lora, v, total;
    vlk_dtype cache, weight;
    bool probs, interleaved;
    int chunks[8];
};

static void check_mla(const struct mla_case *m)
{
    const int H = m->heads, N = m->nope, R = m->rope, L = m->lora, V = m->v, T = m->total, K = N + R, C = L + R, P = T + 3;
    const size_t qs = (size_t)(T * H * K), outs = (size_t)(T * H * V), probs_size = (size_t)(T * H * P);
    const size_t cache = (size_t)(T * C) * (m->cache == VLK_BF16 ? 2 : 4);
    float *cosine = rope_table(T, R, false), *sine = rope_table(T, R, true);
    struct both norm = make_both(VLK_BF16, 1, L, 1), b = make_both(m->weight, H * (N + V), L, 1 / sqrt(L));
    float *q = random_floats(qs, 1.5), *kv = random_floats((size_t)(T * C), 2), *out = vlk_alloc(outs, 4), *probs = vlk_alloc(probs_size, 4);
    float *dq = gpu_floats(q, qs), *dkv = gpu_floats(kv, (size_t)(T * C)), *dout = gpu->ops->mem_alloc(gpu, outs * 4);
    float *dprobs = gpu->ops->mem_alloc(gpu, probs_size * 4), *dc = gpu_floats(cosine, (size_t)(T * (R / 2)));
    float *ds = gpu_floats(sine, (size_t)(T * (R / 2)));
    void *hc = vlk_alloc(cache, 1), *dcache = gpu->ops->mem_alloc(gpu, cache);
    struct vlk_step step = { 0 }, *dstep = gpu->ops->mem_alloc(gpu, sizeof step);
    char name[200];

    for (int c = 0, at = 0; m->chunks[c]; at += m->chunks[c++]) {
        const int n = m->chunks[c];

        gpu->ops->mla_write(gpu, &(struct vlk_mla_write_args){ n, H, N, L, 1e-6f, { dc, ds, R, m->interleaved }, norm.device, dstep,
                                                               dq + at * H * K, dkv + at * C, dcache, m->cache });
        gpu->ops->mla_attend(gpu, &(struct vlk_mla_attend_args){ n, H, N, L, V, R, 0.13f, at + n, dstep, b.device, dq + at * H * K, dcache,
                                                                 m->cache, dout + at * H * V, m->probs ? dprobs + at * H * P : NULL, P });
        gpu->ops->step_advance(gpu, dstep, n);
        cpu->ops->mla_write(cpu, &(struct vlk_mla_write_args){ n, H, N, L, 1e-6f, { cosine, sine, R, m->interleaved }, norm.host.w, &step,
                                                               q + at * H * K, kv + at * C, hc, m->cache });
        cpu->ops->mla_attend(cpu, &(struct vlk_mla_attend_args){ n, H, N, L, V, R, 0.13f, at + n, &step, b.host.w, q + at * H * K, hc,
                                                                 m->cache, out + at * H * V, m->probs ? probs + at * H * P : NULL, P });
        cpu->ops->step_advance(cpu, &step, n);
    }
    snprintf(name, sizeof name, "mla %d heads %d+%d/%d lora %d, %d tokens, %s cache, %s weights", H, N, R, V, L, T, vlk_dtype_name(m->cache),
             vlk_dtype_name(m->weight));
    compare(dout, out, outs, NMSE_FLASH, name);
    if (m->probs)
        compare(dprobs, probs, probs_size, 1e-8, "its probabilities");
    else
        drop(dprobs);
    void *const device[] = { dq, dkv, dc, ds, dcache, dstep }, *const host[] = { cosine, sine, q, kv, out, probs, hc };
    for (size_t i = 0; i < sizeof device / sizeof *device; i++)
        drop(device[i]);
    for (size_t i = 0; i < sizeof host / sizeof *host; i++)
        vlk_free(host[i]);
    free_both(&norm);
    free_both(&b);
}

static void test_mla(void)
{
    static const struct mla_case cases[] = {
        { 3, 20, 8, 40, 12, 60, VLK_F32, VLK_BF16, true, true, { 1, 1, 17, 3, 38 } },
        { 4, 18, 10, 56, 28, 90, VLK_BF16, VLK_BF16, false, true, { 60, 1, 29 } },
        { 3, 20, 8, 40, 12, 50, VLK_F32, VLK_F32, false, false, { 40, 10 } },
        { 18, 16, 8, 33, 16, 40, VLK_BF16, VLK_F16, true, true, { 33, 1, 6 } },
        { 2, 32, 8, 64, 32, 40, VLK_F32, VLK_I8G, false, true, { 1, 3, 36 } },
        { 2, 128, 64, 512, 128, 40, VLK_BF16, VLK_I4G, false, true, { 34, 1, 5 } },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_mla(&cases[i]);
    ran("mla");
}

static void check_vit(int n, int tokens, int heads, int dim)
{
    const size_t row = 3 * (size_t)(heads * dim), rows = (size_t)(n * tokens), size = rows * (size_t)(heads * dim);
    float *qkv = random_floats(rows * row, 1), *out = vlk_alloc(size, 4), *dqkv = gpu_floats(qkv, rows * row);
    float *dout = gpu->ops->mem_alloc(gpu, size * 4);
    char name[128];

    gpu->ops->vit_attend(gpu, &(struct vlk_vit_attend_args){ n, tokens, heads, dim, dqkv, dout });
    cpu->ops->vit_attend(cpu, &(struct vlk_vit_attend_args){ n, tokens, heads, dim, qkv, out });
    snprintf(name, sizeof name, "vit %d tiles of %d tokens, %d heads of %d", n, tokens, heads, dim);
    compare(dout, out, size, NMSE_FLASH, name);
    drop(dqkv);
    vlk_free(qkv);
    vlk_free(out);
}

static void test_vit(void)
{
    check_vit(1, 1, 2, 24);
    check_vit(2, 81, 3, 24);
    check_vit(1, 100, 2, 72);
    check_vit(3, 3, 1, 20);
    ran("vit");
}

static void check_windows(int n, int grid, int window, int heads, int dim, bool outside)
{
    const size_t size = (size_t)(n * grid * grid * heads * dim);
    float *qkv = random_floats(3 * size, 1), *out = vlk_alloc(size, 4), *dqkv = gpu_floats(qkv, 3 * size);
    float *dout = gpu->ops->mem_alloc(gpu, size * 4);
    struct both down = make_both(VLK_BF16, 2 * window - 1, dim, 0.4), across = make_both(VLK_F32, 2 * window - 1, dim, 0.4);
    struct both row = make_both(VLK_BF16, 1, 3 * heads * dim, 1);
    struct vlk_weight none = { 0 };
    char name[128];

    gpu->ops->window_attend(gpu, &(struct vlk_window_attend_args){ n, grid, window, heads, dim, outside ? row.device : none, down.device,
                                                                   across.device, dqkv, dout });
    cpu->ops->window_attend(cpu, &(struct vlk_window_attend_args){ n, grid, window, heads, dim, outside ? row.host.w : none, down.host.w,
                                                                   across.host.w, qkv, out });
    snprintf(name, sizeof name, "windows of %d in %d tiles of %d, %d heads of %d", window, n, grid, heads, dim);
    compare(dout, out, size, NMSE_FLASH, name);
    drop(dqkv);
    free_both(&down);
    free_both(&across);
    free_both(&row);
    vlk_free(qkv);
    vlk_free(out);
}

static void test_windows(void)
{
    check_windows(2, 7, 3, 2, 20, true);
    check_windows(1, 5, 5, 2, 64, false);
    check_windows(1, 10, 14, 1, 24, false);
    check_windows(1, 9, 9, 1, 32, false);
    ran("windows");
}

#ifndef CUDA_ON_DEVICE
static void test_schedules(void)
{
    unsigned seed = emulate_seed;

    for (unsigned s = 1; s <= 3; s++) {
        emulate_seed = s;
        check_mha(&(struct attention_case){ 2, 1, 20, 20, 75, VLK_BF16, true, { 66, 1, 8 } });
    }
    emulate_seed = seed;
}

/* Blocks that are alive together: the one that has the last part of a head puts all of them together. */
static void test_together(void)
{
    unsigned seed = emulate_seed;

    emulate_blocks = 4;
    for (unsigned s = 1; s <= 2; s++) {
        emulate_seed = s;
        check_mha(&(struct attention_case){ 1, 1, 8, 8, 300, VLK_BF16, false, { 290, 1, 4, 5 } });
        check_mla(&(struct mla_case){ 2, 20, 8, 40, 12, 40, VLK_F32, VLK_BF16, false, true, { 30, 1, 3, 6 } });
    }
    emulate_blocks = 1;
    emulate_seed = seed;
}
#endif

int main(int argc, char **argv)
{
    static const struct gpu_test tests[] = {
        { "mha", test_mha }, { "mla", test_mla }, { "vit", test_vit }, { "windows", test_windows },
#ifndef CUDA_ON_DEVICE
        { "schedules", test_schedules }, { "together", test_together },
#endif
    };

    return RUN_TESTS(tests, argc, argv);
}
