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
static void mend(void)
{
    emulate_fail.alloc = emulate_fail.launch = emulate_fail.capture = emulate_fail.instantiate = emulate_fail.graph_launch = -1;
    emulate_mend();
}

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
    mend();
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

static struct vlk_backend *open_device(int device)
{
    struct vlk_error err = { 0 };
    struct vlk_backend *be = vlk_cuda_module.open(device, &err);

    if (!be)
        tap_diag("%s", err.text);
    return be;
}

/* One product of n vectors on a backend, against the CPU's. */
struct product {
    struct vlk_backend *be;
    struct vlk_weight w;
    struct test_weight host;
    float *x, *y, *dx, *dy;
    int n, rows, cols;
};

static struct product make_product(struct vlk_backend *be, vlk_dtype dtype, int n, int rows, int cols)
{
    struct product p = { .be = be, .n = n, .rows = rows, .cols = cols };

    p.host = make_weight(cpu, dtype, rows, cols, 1 / sqrt(cols));
    p.w = be->ops->weight_import(be, dtype, rows, cols, p.host.bytes, VLK_PLACE_DEVICE);
    p.x = random_floats((size_t)n * (size_t)cols, 1);
    p.y = random_floats((size_t)n * (size_t)rows, 1);
    p.dx = be->ops->mem_alloc(be, (size_t)n * (size_t)cols * 4);
    p.dy = be->ops->mem_alloc(be, (size_t)n * (size_t)rows * 4);
    be->ops->mem_write(be, p.dx, p.x, (size_t)n * (size_t)cols * 4);
    return p;
}

static void free_product(struct product *p)
{
    p->be->ops->weight_release(p->be, &p->w);
    p->be->ops->mem_free(p->be, p->dx);
    p->be->ops->mem_free(p->be, p->dy);
    free_weight(cpu, &p->host);
    vlk_free(p->x);
    vlk_free(p->y);
}

static vlk_status run_product(struct product *p, struct vlk_error *err)
{
    p->be->ops->linear(p->be, &(struct vlk_linear_args){ .n = p->n, .w = p->w, .x = p->dx, .y = p->dy });
    return p->be->ops->wait(p->be, err);
}

/* Whether what lies at dy is the product, of which rounding leaves `bound`. */
static bool is_product(struct product *p, double bound)
{
    const size_t size = (size_t)p->n * (size_t)p->rows;
    float *got = vlk_alloc(size, sizeof *got);
    double *want = doubles(size);
    bool right;

    for (int t = 0; t < p->n; t++)
        for (int r = 0; r < p->rows; r++)
            for (int c = 0; c < p->cols; c++)
                want[t * p->rows + r] += (double)p->x[t * p->cols + c] * (double)p->host.values[(size_t)r * (size_t)p->cols + (size_t)c];
    p->be->ops->mem_read(p->be, got, p->dy, size * sizeof *got);
    right = nmse(got, want, size) <= bound;
    vlk_free(got);
    vlk_free(want);
    return right;
}

/* ------------------------------------------------------------------------------------------------ graphs that cannot be made */

/* Norm and product twice, as a decode step has them. */
static bool run_rounds(struct vlk_backend *be, int rounds)
{
    struct product p = make_product(be, VLK_BF16, 1, 40, 40);
    uint16_t ones[40];
    struct vlk_step *step = be->ops->mem_alloc(be, sizeof *step), back;
    bool right = true;

    for (int i = 0; i < 40; i++)
        ones[i] = 0x3f80;
    struct vlk_weight norm = be->ops->weight_import(be, VLK_BF16, 1, 40, ones, VLK_PLACE_DEVICE);
    for (int i = 0; i < rounds; i++) {
        for (int layer = 0; layer < 2; layer++) {
            be->ops->linear(be, &(struct vlk_linear_args){ .n = 1, .w = p.w, .x = p.dx, .y = p.dy });
            be->ops->rmsnorm(be, &(struct vlk_rmsnorm_args){ 1, 40, 1e-6f, norm, p.dy, p.dy });
        }
        be->ops->linear(be, &(struct vlk_linear_args){ .n = 1, .w = p.w, .x = p.dx, .y = p.dy });
        be->ops->step_advance(be, step, 1);
        right = right && be->ops->wait(be, NULL) == VLK_OK;
    }
    be->ops->mem_read(be, &back, step, sizeof back);
    right = right && back.pos == rounds && is_product(&p, NMSE_FEW);
    be->ops->weight_release(be, &norm);
    be->ops->mem_free(be, step);
    free_product(&p);
    return right;
}

static void test_failing_graphs(void)
{
    static const char *const names[] = { "BeginCapture", "Instantiate", "GraphLaunch" };
    long *const calls[] = { &emulate_fail.capture, &emulate_fail.instantiate, &emulate_fail.graph_launch };

    for (size_t i = 0; i < 3; i++)
        for (long after = 0; after < 2; after++) {
            struct vlk_backend *be = open_gpu();

            *calls[i] = after;
            ok(run_rounds(be, 6), "%s fails after %ld: the launches run one by one, and nothing is lost", names[i], after);
            mend();
            ok(run_rounds(be, 3), "and the backend goes on");
            be->ops->close(be);
        }
}

/* Lists that come once, as those of prefill, do not push out the graph of a decode step. */
static void test_kept_graphs(void)
{
    struct vlk_backend *be = open_gpu();
    struct vlk_step *step = be->ops->mem_alloc(be, sizeof *step);
    struct product p[8];
    long before, replays = 0, made = 0;
    enum { MANY = 1000 };

    for (int i = 0; i < 8; i++)
        p[i] = make_product(be, VLK_BF16, 1, 20, 20);
    for (int turn = 0; turn < 4; turn++) {
        for (int token = 0; token < 10; token++) {
            before = emulate_graph_launches;
            emulate_fail.instantiate = MANY;
            for (int i = 0; i < 8; i++)
                be->ops->linear(be, &(struct vlk_linear_args){ .n = 1, .w = p[i].w, .x = p[i].dx, .y = p[i].dy });
            be->ops->step_advance(be, step, 1);
            be->ops->wait(be, NULL);
            replays += turn > 0 ? emulate_graph_launches - before : 0;
            made += turn > 0 ? MANY - emulate_fail.instantiate : 0;
            emulate_fail.instantiate = -1;
        }
        for (int list = 0; list < 40; list++) { /* more than there is room for, each twice, so that it is remembered */
            for (int i = 0; i < 8; i++)
                be->ops->linear(be, &(struct vlk_linear_args){ .n = 1, .w = p[i].w, .x = p[i].dx, .y = p[i].dy });
            be->ops->step_advance(be, step, turn * 20 + list / 2 + 2);
            be->ops->wait(be, NULL);
        }
    }
    is_int(replays, 3 * 10, "a decode step is replayed whatever was read in between");
    is_int(made, 0, "by the graph that was made for the first of them");
    for (int i = 0; i < 8; i++)
        free_product(&p[i]);
    be->ops->mem_free(be, step);
    be->ops->close(be);
}

/* ------------------------------------------------------------------------------------------------ memory */

/* The n-th allocation of the device fails, of scratch or of tables: MEMORY, and then the same works on the same backend. */
static void test_repeated(void)
{
    long n = 0, failed = 0, wrong = 0;

    for (bool done = false; !done && n < 50; n++) {
        struct vlk_backend *be = open_gpu();
        struct product few = make_product(be, VLK_BF16, 1, 20, 40), many = make_product(be, VLK_I8G, 150, 70, 40);
        struct vlk_error err = { 0 };
        vlk_status status;

        emulate_fail.alloc = n;
        be->ops->linear(be, &(struct vlk_linear_args){ .n = 1, .w = few.w, .x = few.dx, .y = few.dy });
        status = run_product(&many, &err);
        emulate_fail.alloc = -1;
        done = status == VLK_OK;
        failed += !done;
        wrong += !done && (status != VLK_ERR_MEMORY || !err.text[0]);
        wrong += run_product(&few, &err) != VLK_OK || run_product(&many, &err) != VLK_OK;
        wrong += !is_product(&few, NMSE_FEW) || !is_product(&many, NMSE_MANY);
        free_product(&few);
        free_product(&many);
        be->ops->close(be);
    }
    ok(failed >= 2 && wrong == 0, "after each of %ld failures the same backend does the same work", failed);
}

/* Matrices of a bit more than a granule each: what is counted is what is taken, and it is little more than they hold. */
static void test_granules(void)
{
    enum { COUNT = 40, ROWS = 1100, COLS = 1024 };
    struct vlk_backend *be = open_gpu();
    char *bytes = vlk_alloc((size_t)ROWS * COLS, 2);
    struct vlk_weight w[COUNT];
    struct vlk_room room = { 0 };
    size_t before = emulate_device_bytes, held = 0, taken;

    for (int i = 0; i < COUNT; i++) {
        be->ops->weight_room(be, &room, VLK_BF16, ROWS, COLS);
        w[i] = be->ops->weight_import(be, VLK_BF16, ROWS, COLS, bytes, VLK_PLACE_DEVICE);
        held += (size_t)ROWS * COLS * 2;
    }
    taken = emulate_device_bytes - before;
    is_int((int64_t)taken, (int64_t)room.bytes, "the plan counts what is taken");
    ok((double)taken < 1.25 * (double)held, "%zu KiB for %zu KiB of matrices of %d", taken >> 10, held >> 10, ROWS * COLS * 2 >> 10);
    for (int i = 0; i < COUNT; i++)
        be->ops->weight_release(be, &w[i]);
    is_int((int64_t)(emulate_device_bytes - before), 0, "and released weights leave nothing");
    vlk_free(bytes);
    be->ops->close(be);
}

/* ------------------------------------------------------------------------------------------------ shared memory */

/* Columns at which a launch alone stays below what every kernel has, and with its own shared memory does not. */
static void test_shared_window(void)
{
    static const int windows[][2] = { { 1, 11900 }, { 2, 5900 }, { 3, 3900 }, { 4, 2900 } };
    struct vlk_error err = { 0 };

    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        struct vlk_backend *be = open_gpu();
        struct product p = make_product(be, VLK_BF16, windows[i][0], 16, windows[i][1]);

        ok(run_product(&p, &err) == VLK_OK && is_product(&p, NMSE_FEW), "%d vectors of %d columns run: %s", p.n, p.cols, err.text);
        free_product(&p);
        be->ops->close(be);
    }
}

/* Every architecture's limit, at the widest shapes that are published; what is beyond one is a sentence. */
static void test_architectures(void)
{
    static const int capabilities[] = { 80, 86, 89, 90, 100, 120 };

    for (size_t i = 0; i < sizeof capabilities / sizeof *capabilities; i++) {
        struct vlk_error err = { 0 };
        struct vlk_backend *be;
        struct product p;

        emulate_capability = capabilities[i];
        be = open_gpu();
        p = make_product(be, VLK_BF16, 1, 16, 12288);
        ok(run_product(&p, &err) == VLK_OK, "sm_%d takes base's widest vector: %s", capabilities[i], err.text);
        free_product(&p);
        p = make_product(be, VLK_BF16, 1, 3, 40000);
        p.be->ops->router(be, &(struct vlk_router_args){ .n = 1, .k = 1, .n_group = 1, .topk_group = 1, .scaling = 1, .w = p.w, .x = p.dx,
                                                         .expert_ids = (int32_t *)(void *)p.dy, .expert_weights = p.dy + 1 });
        is_int(be->ops->wait(be, &err), VLK_OK, "and a router without a norm any width");
        free_product(&p);
        be->ops->close(be);
    }
    emulate_capability = 90;
}

/* ------------------------------------------------------------------------------------------------ devices */

static void test_two_devices(void)
{
    struct vlk_backend *one = open_device(0), *two = open_device(1);
    struct product p = make_product(one, VLK_BF16, 20, 30, 40), q = make_product(two, VLK_I4G, 1, 30, 64);
    struct vlk_error err = { 0 };

    for (int i = 0; i < 3; i++) {
        ok(run_product(&p, &err) == VLK_OK && is_product(&p, NMSE_MANY), "the first GPU works beside the second: %s", err.text);
        ok(run_product(&q, &err) == VLK_OK && is_product(&q, NMSE_FEW), "and the second beside the first: %s", err.text);
    }
    ok(one->ops->memory_left(one) > 0 && two->ops->memory_left(two) > 0, "each knows its memory");
    free_product(&p);
    one->ops->close(one);
    ok(run_product(&q, &err) == VLK_OK && is_product(&q, NMSE_FEW), "closing one leaves the other");
    free_product(&q);
    two->ops->close(two);
}

static void test_no_image(void)
{
    struct vlk_error err = { 0 };

    ok(vlk_cuda_module.check(0, &err), "a GPU that the module has code for is promised");
    emulate_images = 0;
    ok(!vlk_cuda_module.check(0, &err) && strstr(err.text, "capability 9.0"), "one that it has none for is not: %s", err.text);
    emulate_images = 1;
    ok(vlk_cuda_module.check(0, &err), "and no error is left behind");
}

#endif

int main(int argc, char **argv)
{
    static const struct gpu_test tests[] = {
        { "memory", test_memory }, { "joining", test_joining }, { "graphs", test_graphs },
#ifndef CUDA_ON_DEVICE
        { "faults", test_faults }, { "allocations", test_memory_failure }, { "failing graphs", test_failing_graphs },
        { "kept graphs", test_kept_graphs }, { "repeated", test_repeated }, { "granules", test_granules },
        { "shared window", test_shared_window }, { "architectures", test_architectures }, { "two devices", test_two_devices },
        { "no image", test_no_image },
#endif
    };

    return RUN_TESTS(tests, argc, argv);
}
