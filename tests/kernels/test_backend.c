/* SPDX-License-Identifier: MIT
 *
 * The backend itself: allocation and its failure hook, the pool, choice of the level, weights, poisoning, and results that
 * depend on neither the number of threads nor the order in which memory runs out.
 */
#include "kernels/cpu/pool.h"
#include "tests/kernels/reference.h"

#include <stdatomic.h>

static void test_allocation(void)
{
    unsigned char *p = vlk_alloc(3, 7), *q;
    int dirty = 0;

    ok((uintptr_t)p % 64 == 0, "allocations are 64-byte aligned");
    for (int i = 0; i < 21; i++)
        dirty += p[i] != 0;
    memset(p, 7, 21);
    q = vlk_realloc(p, 21, 5000);
    for (int i = 0; i < 5000; i++)
        dirty += q[i] != (i < 21 ? 7 : 0);
    is_int(dirty, 0, "zeroed, and grown with its contents");
    ok(vlk_alloc(SIZE_MAX / 2, 3) == NULL && vlk_alloc(SIZE_MAX - 8, 1) == NULL, "an overflow of count * size is refused");
    vlk_alloc_fail_after(1);
    p = vlk_alloc(1, 1);
    ok(p && !vlk_alloc(1, 1) && !vlk_alloc(1, 1), "the hook fails the n-th allocation and all later ones");
    ok(vlk_realloc(q, 5000, 6000) == NULL && q[20] == 7, "a failed realloc leaves the block");
    vlk_alloc_fail_after(-1);
    vlk_free(p);
    vlk_free(q);
    p = vlk_alloc(0, 8);
    ok(p != NULL, "an empty allocation is a pointer");
    vlk_free(p);
    vlk_free(NULL);
}

struct count_job {
    atomic_int hits[1000];
    atomic_int busy[4];
    atomic_int collisions;
};

static void count_item(void *ctx, int64_t item, int worker)
{
    struct count_job *job = ctx;

    if (atomic_fetch_add(&job->busy[worker], 1))
        atomic_fetch_add(&job->collisions, 1);
    atomic_fetch_add(&job->hits[item], 1);
    atomic_fetch_sub(&job->busy[worker], 1);
}

static void test_pool(void)
{
    for (int threads = 1; threads <= 4; threads++) {
        struct vlk_pool *pool = vlk_pool_new(threads);
        struct count_job job = { 0 };
        int wrong = 0, want[1000] = { 0 };

        is_int(vlk_pool_threads(pool), threads, "as many threads as asked for");
        for (int round = 0; round < 3000; round++) {
            int items = round * 7 % 40 + (round % 500 == 0 ? 900 : 0);

            vlk_pool_run(pool, items, count_item, &job);
            for (int i = 0; i < items; i++)
                want[i]++;
        }
        for (int i = 0; i < 1000; i++)
            wrong += job.hits[i] != want[i];
        is_int(wrong, 0, "every item ran once per job");
        is_int(job.collisions, 0, "no two items at a time on one worker");
        vlk_pool_free(pool);
    }
}

static void test_open(void)
{
    struct vlk_error err = { 0 };

    ok(!vlk_cpu_open(&(struct vlk_cpu_options){ .isa = "vax" }, &err), "an unknown instruction set is refused");
    is_int(err.code, VLK_ERR_UNSUPPORTED, "with its code");
    ok(strstr(err.text, "vax") != NULL, "and a sentence that names it: %s", err.text);
    setenv("SL_CPU", "generic", 1);
    struct vlk_backend *be = vlk_cpu_open(&(struct vlk_cpu_options){ .threads = 3 }, &err);
    is_str(vlk_cpu_isa(be), "generic", "SL_CPU overrides the choice");
    is_int(vlk_cpu_threads(be), 3, "the number of threads asked for");
    be->ops->close(be);
    unsetenv("SL_CPU");
    be = vlk_cpu_open(NULL, NULL);
    ok(be && vlk_cpu_threads(be) >= 1, "opens with no options at all");
    be->ops->close(be);
}

static void test_weights(void)
{
    struct vlk_backend *be = vlk_cpu_open(NULL, NULL);
    char *bytes = vlk_alloc(64, 1);
    struct vlk_weight w = be->ops->weight_import(be, VLK_BF16, 2, 5, bytes + 2, VLK_PLACE_DEVICE);

    ok(w.data == bytes + 2 && !w.owned, "aligned data stays where it is");
    be->ops->weight_release(be, &w);
    ok(w.data == NULL, "release forgets it");
    for (int i = 0; i < 64; i++)
        bytes[i] = (char)i;
    w = be->ops->weight_import(be, VLK_F32, 1, 5, bytes + 2, VLK_PLACE_DEVICE);
    ok(w.data && (uintptr_t)w.data % 64 == 0 && !memcmp(w.data, bytes + 2, 20), "unaligned data is copied");
    be->ops->weight_import(be, VLK_BF16, 1, 3, bytes + 1, VLK_PLACE_DEVICE); /* left to close() */
    be->ops->weight_release(be, &w);
    w = be->ops->weight_import(be, VLK_DTYPE_COUNT, 1, 32, bytes, VLK_PLACE_DEVICE);
    ok(w.data == NULL, "an unknown dtype is refused");
    w = be->ops->weight_import(be, VLK_F32, 2000000000, 2000000000, bytes + 1, VLK_PLACE_DEVICE);
    ok(w.data == NULL, "a size beyond memory is refused");
    be->ops->close(be);
    vlk_free(bytes);
}

/* ------------------------------------------------------------------------------------------------ one of everything */

enum { N = 21, WIDTH = 72, INTER = 200, HEADS = 3, DIM = 24, EXPERTS = 6, K = 2, VOCAB = 500, LORA = 40, ROPE = 8 };

struct everything {
    struct vlk_backend *be;
    struct test_weight norm, qkv, gate, up, down, router, head, kv_b, kv_norm;
    struct vlk_weight g[EXPERTS], u[EXPERTS], d[EXPERTS];
    float *x, *table;
};

/* `dtype`: of the products; the router and the head have their own. */
static void make_everything(struct everything *e, vlk_dtype dtype)
{
    const size_t wide = INTER * vlk_row_bytes(dtype, WIDTH), tall = WIDTH * vlk_row_bytes(dtype, INTER);

    e->norm = make_weight(e->be, VLK_BF16, 1, WIDTH, 1);
    e->qkv = make_weight(e->be, dtype, 3 * WIDTH, WIDTH, 0.1);
    e->gate = make_weight(e->be, dtype, EXPERTS * INTER, WIDTH, 0.1);
    e->up = make_weight(e->be, dtype, EXPERTS * INTER, WIDTH, 0.1);
    e->down = make_weight(e->be, dtype, EXPERTS * WIDTH, INTER, 0.1);
    e->router = make_weight(e->be, VLK_F32, EXPERTS, WIDTH, 0.3);
    e->head = make_weight(e->be, VLK_F16, VOCAB, WIDTH, 0.1);
    e->kv_b = make_weight(e->be, dtype, HEADS * 2 * DIM, LORA, 0.2);
    e->kv_norm = make_weight(e->be, VLK_BF16, 1, LORA, 1);
    e->x = random_floats(N * WIDTH, 1);
    e->table = random_floats(64 * DIM, 0.5);
    for (int i = 0; i < EXPERTS; i++) {
        e->g[i] = e->u[i] = (struct vlk_weight){ dtype, INTER, WIDTH, NULL, false };
        e->g[i].data = (const char *)e->gate.w.data + (size_t)i * wide;
        e->u[i].data = (const char *)e->up.w.data + (size_t)i * wide;
        e->d[i] = (struct vlk_weight){ dtype, WIDTH, INTER, (const char *)e->down.w.data + (size_t)i * tall, false };
    }
}

static void free_everything(struct everything *e)
{
    struct test_weight *all[] = { &e->norm, &e->qkv, &e->gate, &e->up, &e->down, &e->router, &e->head, &e->kv_b, &e->kv_norm };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free_weight(e->be, all[i]);
    vlk_free(e->x);
    vlk_free(e->table);
}

/* A small forward pass through nearly every op with memory of its own (never from vlk_alloc); out gets all that it made. */
struct outputs {
    float h[N * WIDTH], qkv[N * 3 * WIDTH], att[N * WIDTH], vit[N * WIDTH], mla[N * HEADS * DIM], y[N * WIDTH], logits[VOCAB];
    float weights[N * K];
    int32_t ids[N * K];
    struct vlk_sampled sampled;
};

static void run_everything(const struct everything *e, struct vlk_backend *be, struct outputs *o)
{
    static uint16_t kc[64 * WIDTH], vc[64 * WIDTH], cache[64 * (LORA + ROPE)];
    static float q[N * HEADS * (DIM + ROPE)], kv[N * (LORA + ROPE)], k[N * WIDTH], v[N * WIDTH];
    static float block_qkv[N * 3 * WIDTH], block_mid[N * INTER];
    static uint8_t seen[VOCAB];
    const struct vlk_ops *ops = be->ops;
    struct vlk_step step = { .pos = 20 };
    struct vlk_rope halves = { e->table, e->table, DIM, false }, pairs = { e->table, e->table, ROPE, true };

    memset(o, 0, sizeof *o);
    memset(seen, 0, sizeof seen);
    for (int i = 0; i < 64 * WIDTH; i++)
        kc[i] = vc[i] = (uint16_t)(0x3f00 + i % 100);
    for (int i = 0; i < 64 * (LORA + ROPE); i++)
        cache[i] = (uint16_t)(0x3f00 + i % 90);
    for (int i = 0; i < N * HEADS * (DIM + ROPE); i++)
        q[i] = e->x[i % (N * WIDTH)];
    memcpy(kv, e->x, sizeof kv);
    memcpy(k, e->x, sizeof k);
    memcpy(v, e->x, sizeof v);
    ops->rmsnorm(be, &(struct vlk_rmsnorm_args){ N, WIDTH, 1e-6f, e->norm.w, e->x, o->h });
    ops->linear(be, &(struct vlk_linear_args){ .n = N, .w = e->qkv.w, .x = o->h, .y = o->qkv });
    ops->vit_attend(be, &(struct vlk_vit_attend_args){ 1, N, HEADS, DIM, o->qkv, o->vit });
    ops->vit_block(be, &(struct vlk_vit_block_args){ .n = 1, .tokens = N, .width = WIDTH, .heads = HEADS, .mlp = INTER, .eps = 1e-6f,
                                                     .norm1_w = e->norm.w, .norm1_b = e->norm.w, .qkv_w = e->qkv.w,
                                                     .proj_w = { e->qkv.w.dtype, WIDTH, WIDTH, e->qkv.w.data, false },
                                                     .norm2_w = e->norm.w, .norm2_b = e->norm.w, .fc1_w = e->g[0], .fc2_w = e->d[0],
                                                     .x = o->vit, .h = q, .qkv = block_qkv, .mid = block_mid, .act = VLK_ACT_GELU_TANH });
    memcpy(q, e->x, sizeof e->x[0] * N * WIDTH);
    ops->mla_write(be, &(struct vlk_mla_write_args){ N, HEADS, DIM, LORA, 1e-6f, pairs, e->kv_norm.w, &step, q, kv, cache,
                                                     VLK_BF16 });
    ops->mla_attend(be, &(struct vlk_mla_attend_args){ N, HEADS, DIM, LORA, DIM, ROPE, 0.2f, 41, &step, e->kv_b.w, q, cache,
                                                       VLK_BF16, o->mla, NULL, 0 });
    ops->mha_write(be, &(struct vlk_mha_write_args){ N, HEADS, HEADS, DIM, halves, &step, o->h, k, v, kc, vc, VLK_BF16 });
    ops->mha_attend(be, &(struct vlk_mha_attend_args){ N, HEADS, HEADS, DIM, 0.2f, 41, &step, o->h, kc, vc, VLK_BF16, o->att,
                                                       NULL, 0 });
    ops->router(be, &(struct vlk_router_args){ .n = N, .k = K, .n_group = 1, .topk_group = 1, .norm_topk = true, .scaling = 1,
                                               .w = e->router.w, .x = o->att, .expert_ids = o->ids,
                                               .expert_weights = o->weights });
    ops->moe(be, &(struct vlk_moe_args){ .n = N, .k = K, .experts = EXPERTS, .gate = e->g, .up = e->u, .down = e->d,
                                         .shared_gate = e->g[0], .shared_up = e->u[0], .shared_down = e->d[0],
                                         .expert_ids = o->ids, .expert_weights = o->weights, .x = o->att, .y = o->y });
    ops->mlp(be, &(struct vlk_mlp_args){ N, e->g[1], e->u[1], e->d[1], true, o->vit, o->y });
    ops->linear(be, &(struct vlk_linear_args){ .n = 1, .w = e->head.w, .x = o->y, .y = o->logits });
    ops->sample(be, &(struct vlk_sample_args){ .vocab = VOCAB, .temperature = 1, .top_p = 0.9f, .repetition_penalty = 1,
                                               .n_alternatives = 3, .logits = o->logits, .seen = seen, .step = &step,
                                               .result = &o->sampled });
}

static void test_threads(vlk_dtype dtype)
{
    static struct outputs one, other;
    const char *name = vlk_dtype_name(dtype);

    for (const char *const *isa = vlk_cpu_isa_available(); *isa; isa++) {
        struct everything e = { .be = vlk_cpu_open(&(struct vlk_cpu_options){ .threads = 1, .isa = *isa }, NULL) };

        make_everything(&e, dtype);
        run_everything(&e, e.be, &one);
        ok(isfinite(one.y[0]) && one.y[0] != 0 && one.mla[N * HEADS * DIM - 1] != 0, "%s, %s: the pass makes something", *isa, name);
        for (int threads = 2; threads <= 5; threads++) {
            struct vlk_backend *be = vlk_cpu_open(&(struct vlk_cpu_options){ .threads = threads, .isa = *isa }, NULL);

            for (int round = 0; round < 5; round++) {
                run_everything(&e, be, &other);
                if (memcmp(&one, &other, sizeof one))
                    break;
            }
            ok(!memcmp(&one, &other, sizeof one), "%s, %s: %d threads give the same bits as one", *isa, name, threads);
            be->ops->close(be);
        }
        free_everything(&e);
        e.be->ops->close(e.be);
    }
}

/* Fails the first, second, … allocation of a fresh backend's pass until none fails. */
static void test_memory_failure(void)
{
    static struct outputs good, o;
    struct everything e = { .be = vlk_cpu_open(&(struct vlk_cpu_options){ .threads = 2 }, NULL) };
    int refused = 0, poisoned = 0, silent = 0, lost = 0;
    long n = 0;

    make_everything(&e, VLK_BF16);
    run_everything(&e, e.be, &good);
    for (;; n++) {
        struct vlk_error err = { 0 };
        struct vlk_backend *be;
        vlk_status status;

        vlk_alloc_fail_after(n);
        be = vlk_cpu_open(&(struct vlk_cpu_options){ .threads = 2 }, &err);
        if (!be) {
            vlk_alloc_fail_after(-1);
            refused += err.code == VLK_ERR_MEMORY && err.text[0];
            continue;
        }
        run_everything(&e, be, &o);
        vlk_alloc_fail_after(-1);
        status = be->ops->wait(be, &err);
        poisoned += status == VLK_ERR_MEMORY && strstr(err.text, "memory");
        if (status == VLK_ERR_MEMORY) {
            run_everything(&e, be, &o);
            lost += be->ops->wait(be, &err) != VLK_OK || memcmp(&o, &good, sizeof o) != 0;
        }
        if (status == VLK_OK) {
            silent += memcmp(&o, &good, sizeof o) != 0;
            be->ops->close(be);
            break;
        }
        be->ops->close(be);
    }
    ok(refused >= 1, "no memory at opening: refused with a sentence (%d places)", refused);
    ok(poisoned >= 8, "no memory in an op: the backend is poisoned (%d places)", poisoned);
    is_int(refused + poisoned, n, "every failed allocation was reported");
    is_int(silent, 0, "and what succeeded is right");
    is_int(lost, 0, "the same backend gives the right results once there is room");
    free_everything(&e);
    e.be->ops->close(e.be);
}

static void test_poison(void)
{
    struct vlk_backend *be = vlk_cpu_open(NULL, NULL);
    struct test_weight table = make_weight(be, VLK_F32, 4, 8, 1);
    struct vlk_step step = { .pos = 3 };
    struct vlk_error err;
    int32_t bad = 9, fine = 1;
    float out[8] = { 42 };

    be->ops->embed(be, &(struct vlk_embed_args){ 1, 8, &bad, table.w, NULL, out });
    is_int(be->ops->submit(be), VLK_ERR_DEVICE, "an id outside the table poisons the backend");
    be->ops->embed(be, &(struct vlk_embed_args){ 1, 8, &fine, table.w, NULL, out });
    be->ops->step_advance(be, &step, 5);
    ok(out[0] == 42 && step.pos == 3, "later ops do nothing");
    is_int(be->ops->wait(be, &err), VLK_ERR_DEVICE, "the first error comes back");
    ok(strstr(err.text, "9") != NULL, "with its sentence: %s", err.text);
    free_weight(be, &table);
    be->ops->close(be);
}

int main(void)
{
    test_allocation();
    test_pool();
    test_open();
    test_weights();
    test_poison();
    test_threads(VLK_BF16);
    test_threads(VLK_I8G);
    test_threads(VLK_I4G);
    test_memory_failure();
    return tap_done();
}
