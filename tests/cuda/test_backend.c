/* SPDX-License-Identifier: MIT
 *
 * The CUDA backend itself: memory, the joining of launches, graphs, and what goes wrong: every call of the runtime that fails, a GPU
 * that is lost, full, or of another kind, two of them, and cuBLAS that is not there or does not work.
 */
#include "tests/cuda/machines.h"

static void test_memory(void)
{
    unsigned char host[5000], back[5000];
    unsigned char *p = gpu->ops->mem_alloc(gpu, 5000);
    int wrong = 0;

    gpu->ops->mem_read(gpu, back, p, 5000);
    for (int i = 0; i < 5000; i++) {
        wrong += back[i] != 0;
        host[i] = (unsigned char)(i * 7);
    }
    is_int(wrong, 0, "memory is zeroed");
    gpu->ops->mem_write(gpu, p, host, 5000);
    gpu->ops->mem_copy(gpu, p + 100, p, 3000);
    gpu->ops->mem_zero(gpu, p + 4001, 998);
    gpu->ops->mem_read(gpu, back, p, 5000);
    memmove(host + 100, host, 3000);
    memset(host + 4001, 0, 998);
    ok(!memcmp(host, back, 5000), "write, overlapping copy and zero");
    drop(p);
    ran("memory");
}

/* q, k, v in one launch; a product that reads what another wrote is not joined. */
static void test_joining(void)
{
    struct both a = make_both(VLK_BF16, 20, 40, 0.2), b = make_both(VLK_I8G, 33, 40, 0.2), c = make_both(VLK_BF16, 9, 20, 0.2);
    float *x = random_floats(40, 1), y1[20], y2[33], y3[9], *dx = gpu_floats(x, 40), *d1 = gpu->ops->mem_alloc(gpu, sizeof y1);
    float *d2 = gpu->ops->mem_alloc(gpu, sizeof y2), *d3 = gpu->ops->mem_alloc(gpu, sizeof y3);

    gpu->ops->linear(gpu, &(struct vlk_linear_args){ .n = 1, .w = a.device, .x = dx, .y = d1 });
    gpu->ops->linear(gpu, &(struct vlk_linear_args){ .n = 1, .w = b.device, .x = dx, .y = d2 });
    gpu->ops->linear(gpu, &(struct vlk_linear_args){ .n = 1, .w = c.device, .x = d1, .y = d3 });
    cpu->ops->linear(cpu, &(struct vlk_linear_args){ .n = 1, .w = a.host.w, .x = x, .y = y1 });
    cpu->ops->linear(cpu, &(struct vlk_linear_args){ .n = 1, .w = b.host.w, .x = x, .y = y2 });
    cpu->ops->linear(cpu, &(struct vlk_linear_args){ .n = 1, .w = c.host.w, .x = y1, .y = y3 });
    compare(d3, y3, 9, NMSE_FEW, "a chain of products");
    compare(d2, y2, 33, NMSE_FEW, "a joined product of another dtype");
    drop(d1);
    drop(dx);
    free_both(&a);
    free_both(&b);
    free_both(&c);
    vlk_free(x);
}

/* The same ops again and again: the second round is recorded, later ones are replayed, and positions still move. */
static void test_graphs(void)
{
    struct both w = make_both(VLK_BF16, 40, 40, 0.15), norm = make_both(VLK_BF16, 1, 40, 1);
    float *x = random_floats(40, 1), *dx = gpu_floats(x, 40), h[40], *dh = gpu->ops->mem_alloc(gpu, sizeof h);
    struct vlk_step step, *dstep = gpu->ops->mem_alloc(gpu, sizeof step);
#ifndef CUDA_ON_DEVICE
    long before = emulate_graph_launches;
#endif

    for (int round = 0; round < 5; round++) {
        for (int layer = 0; layer < 2; layer++) {
            gpu->ops->rmsnorm(gpu, &(struct vlk_rmsnorm_args){ 1, 40, 1e-6f, norm.device, dx, dh });
            gpu->ops->linear(gpu, &(struct vlk_linear_args){ .n = 1, .w = w.device, .accumulate = true, .x = dh, .y = dx });
            cpu->ops->rmsnorm(cpu, &(struct vlk_rmsnorm_args){ 1, 40, 1e-6f, norm.host.w, x, h });
            cpu->ops->linear(cpu, &(struct vlk_linear_args){ .n = 1, .w = w.host.w, .accumulate = true, .x = h, .y = x });
        }
        gpu->ops->step_advance(gpu, dstep, 1);
        is_int(gpu->ops->wait(gpu, NULL), VLK_OK, "a round runs");
    }
#ifndef CUDA_ON_DEVICE
    is_int(emulate_graph_launches - before, 4, "all rounds but the first are one graph");
#endif
    gpu->ops->mem_read(gpu, &step, dstep, sizeof step);
    is_int(step.pos, 5, "the position moves with every replay");
    compare(dx, x, 40, 1e-8, "five rounds");
    drop(dh);
    drop(dstep);
    free_both(&w);
    free_both(&norm);
    vlk_free(x);
}

#ifndef CUDA_ON_DEVICE
static void test_faults(void)
{
    struct vlk_backend *be = open_gpu();
    struct vlk_error err = { 0 };
    float values[32] = { 0 }, *out = be->ops->mem_alloc(be, 32);
    struct vlk_weight table = be->ops->weight_import(be, VLK_F32, 4, 8, values, VLK_PLACE_DEVICE);
    int32_t bad = 9, *ids = be->ops->mem_alloc(be, 4);

    be->ops->mem_write(be, ids, &bad, 4);
    be->ops->embed(be, &(struct vlk_embed_args){ 1, 8, ids, table, NULL, out });
    is_int(be->ops->wait(be, &err), VLK_ERR_DEVICE, "an id outside the table poisons the backend");
    ok(strstr(err.text, "9") != NULL, "with its sentence: %s", err.text);
    be->ops->weight_release(be, &table);
    be->ops->mem_free(be, out);
    be->ops->mem_free(be, ids);
    be->ops->close(be);

    be = open_gpu();
    out = be->ops->mem_alloc(be, 32);
    emulate_fail.launch = 0;
    be->ops->mem_zero(be, out, 32);
    is_int(be->ops->wait(be, &err), VLK_ERR_DEVICE, "a lost device poisons the backend");
    ok(strstr(err.text, "GPU") != NULL, "with its sentence: %s", err.text);
    emulate_fail.launch = -1;
    emulate_mend();
    be->ops->mem_free(be, out);
    be->ops->close(be);
}

/* Fails the first, second, … allocation of a fresh backend's work until none fails; nothing may be left behind. */
static void test_memory_failure(void)
{
    const long live = emulate_live_allocations;
    int refused = 0, reported = 0, leaks = 0;
    float *x = random_floats(20 * 40, 1);
    uint16_t bits[40 * 40] = { 0 };
    long n = 0;

    for (bool done = false; !done && n < 100; n++) {
        struct vlk_error err = { 0 };
        struct vlk_backend *be;

        emulate_fail.alloc = n;
        be = vlk_cuda_module.open(0, &err);
        if (!be) {
            refused += err.code == VLK_ERR_MEMORY && err.text[0];
        } else {
            float *dx = be->ops->mem_alloc(be, 20 * 40 * 4), *dy = be->ops->mem_alloc(be, 20 * 40 * 4);
            struct vlk_weight w = be->ops->weight_import(be, VLK_BF16, 40, 40, bits, VLK_PLACE_DEVICE);

            if (dx && dy && w.data) {
                be->ops->mem_write(be, dx, x, 20 * 40 * 4);
                be->ops->linear(be, &(struct vlk_linear_args){ .n = 20, .w = w, .x = dx, .y = dy });
                done = be->ops->wait(be, &err) == VLK_OK;
                reported += !done && err.code == VLK_ERR_MEMORY && strstr(err.text, "memory");
            } else {
                reported++;
            }
            emulate_fail.alloc = -1;
            be->ops->close(be); /* frees what is left, released or not */
        }
        leaks += emulate_live_allocations != live;
    }
    emulate_fail.alloc = -1;
    ok(refused >= 8 && reported >= 4 && refused + reported == n - 1, "every failed allocation was reported (%d at opening, %d later)", refused,
       reported);
    is_int(leaks, 0, "and none left memory behind");
    vlk_free(x);
}

#endif

int main(int argc, char **argv)
{
    static const struct gpu_test tests[] = {
        { "memory", test_memory }, { "joining", test_joining }, { "graphs", test_graphs },
#ifndef CUDA_ON_DEVICE
        { "faults", test_faults }, { "allocations", test_memory_failure },
#endif
    };

    return RUN_TESTS(tests, argc, argv);
}
