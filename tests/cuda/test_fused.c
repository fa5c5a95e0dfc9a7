/* SPDX-License-Identifier: MIT
 *
 * A decode step's launches. The ops of a layer, once enqueued together and once with a wait behind each, leave the same bytes in
 * every array, for plain heads and for latent attention, with experts and with a dense MLP: what is fused is an order of launches
 * and nothing else. The number of launches is written down here. Chains that look alike and must not be fused are tried too.
 * With CUDA_ON_DEVICE it is a program for tests/gpu/run.sh, where the bytes may differ in the last bits of a rotation.
 */
#include "kernels/cuda/module.h"
#include "tests/kernels/reference.h"

#ifndef CUDA_ON_DEVICE
extern const struct vlk_cuda_module vlk_cuda_module;
extern long emulate_live_allocations;
extern unsigned emulate_seed;
void emulate_names(void (*visit)(const char *kernel, long launches, void *user), void *user);
void emulate_names_reset(void);
#endif

/* Keys and values are bf16 in the cache: 2^-9 of each, which a rounding of the result before it moves across a tie. */
#define NMSE_STEP 1e-5

enum { WIDTH = 72, HEADS = 4, KV_HEADS = 2, DIM = 32, NOPE = 20, ROPE = 8, LORA = 40, VALUE = 24, EXPERTS = 9, TOP = 3, INTER = 40,
       SHARED = 20, VOCAB = 50, CAPACITY = 8, STEPS = 3 };

static struct vlk_backend *cpu, *gpu;

enum part { NORM_IN, NORM_POST, NORM_LAST, NORM_KV, Q, Q_BIAS, K, V, KV_A, KV_B, OUT_MHA, OUT_MLA, ROUTER, GATE, UP, DOWN, HEAD, PARTS };

static const struct {
    vlk_dtype dtype;
    int rows, cols;
} shapes[PARTS] = {
    [NORM_IN] = { VLK_BF16, 1, WIDTH }, [NORM_POST] = { VLK_F32, 1, WIDTH }, [NORM_LAST] = { VLK_BF16, 1, WIDTH },
    [NORM_KV] = { VLK_BF16, 1, LORA }, [Q] = { VLK_BF16, HEADS * DIM, WIDTH }, [Q_BIAS] = { VLK_BF16, 1, HEADS * DIM },
    [K] = { VLK_F16, KV_HEADS * DIM, WIDTH }, [V] = { VLK_BF16, KV_HEADS * DIM, WIDTH }, [KV_A] = { VLK_BF16, LORA + ROPE, WIDTH },
    [KV_B] = { VLK_BF16, HEADS * (NOPE + VALUE), LORA }, [OUT_MHA] = { VLK_BF16, WIDTH, HEADS * DIM },
    [OUT_MLA] = { VLK_BF16, WIDTH, HEADS * VALUE }, [ROUTER] = { VLK_F32, EXPERTS, WIDTH }, [GATE] = { VLK_BF16, SHARED, WIDTH },
    [UP] = { VLK_BF16, SHARED, WIDTH }, [DOWN] = { VLK_BF16, WIDTH, SHARED }, [HEAD] = { VLK_BF16, VOCAB, WIDTH },
};

struct weights { /* of one machine */
    struct vlk_weight part[PARTS], expert[3][EXPERTS];
};

/* Everything that a step reads and writes, in one piece of backend memory. */
struct arrays {
    float x[WIDTH], h[WIDTH], q[HEADS * DIM], k[KV_HEADS * DIM], v[KV_HEADS * DIM], out[HEADS * DIM], chosen[TOP], logits[VOCAB];
    int32_t ids[TOP];
    float cosine[CAPACITY * DIM / 2], sine[CAPACITY * DIM / 2];
    struct vlk_step step;
    struct vlk_sampled sampled;
    uint8_t seen[VOCAB];
    _Alignas(64) uint16_t cache[2][CAPACITY * KV_HEADS * DIM]; /* MLA has one, of narrower rows */
};

struct layer {
    bool mla, dense;
    int launches; /* of a step */
};

/* One op; the second machine waits behind each. */
#define OP(name, ...)                                           \
    do {                                                        \
        be->ops->name(be, &(struct vlk_##name##_args)__VA_ARGS__); \
        if (apart)                                              \
            be->ops->wait(be, NULL);                            \
    } while (0)

static void attend(struct vlk_backend *be, const struct layer *l, const struct weights *w, struct arrays *a, int pos, bool apart)
{
    const struct vlk_rope rope = { a->cosine, a->sine, l->mla ? ROPE : DIM, l->mla };

    if (l->mla) {
        OP(linear, { .n = 1, .w = w->part[KV_A], .x = a->h, .y = a->k });
        OP(mla_write, { 1, HEADS, NOPE, LORA, 1e-6f, rope, w->part[NORM_KV], &a->step, a->q, a->k, a->cache[0], VLK_BF16 });
        OP(mla_attend, { .n = 1, .heads = HEADS, .nope = NOPE, .lora = LORA, .v = VALUE, .rope = ROPE, .scale = 0.19f, .max_pos = pos + 1,
                         .step = &a->step, .kv_b = w->part[KV_B], .q = a->q, .cache = a->cache[0], .cache_dtype = VLK_BF16, .out = a->out });
    } else {
        OP(linear, { .n = 1, .w = w->part[K], .x = a->h, .y = a->k });
        OP(linear, { .n = 1, .w = w->part[V], .x = a->h, .y = a->v });
        OP(mha_write, { 1, HEADS, KV_HEADS, DIM, rope, &a->step, a->q, a->k, a->v, a->cache[0], a->cache[1], VLK_BF16 });
        OP(mha_attend, { .n = 1, .heads = HEADS, .kv_heads = KV_HEADS, .head_dim = DIM, .scale = 0.17f, .max_pos = pos + 1,
                         .step = &a->step, .q = a->q, .k_cache = a->cache[0], .v_cache = a->cache[1], .cache_dtype = VLK_BF16,
                         .out = a->out });
    }
}

/* A decode step of one layer, in the order of engine/model/decoder.c and engine/session/generate.c. */
static void run_step(struct vlk_backend *be, const struct layer *l, const struct weights *w, struct arrays *a, int pos, bool apart)
{
    const struct vlk_weight none = { 0 }, q = { w->part[Q].dtype, l->mla ? HEADS * (NOPE + ROPE) : HEADS * DIM, WIDTH, w->part[Q].data, false };

    OP(rmsnorm, { 1, WIDTH, 1e-6f, w->part[NORM_IN], a->x, a->h });
    OP(linear, { .n = 1, .w = q, .b = l->mla ? none : w->part[Q_BIAS], .x = a->h, .y = a->q });
    attend(be, l, w, a, pos, apart);
    OP(linear, { .n = 1, .w = w->part[l->mla ? OUT_MLA : OUT_MHA], .accumulate = true, .x = a->out, .y = a->x });
    OP(rmsnorm, { 1, WIDTH, 1e-6f, w->part[NORM_POST], a->x, a->h });
    if (l->dense) {
        OP(mlp, { 1, w->part[GATE], w->part[UP], w->part[DOWN], true, a->h, a->x });
    } else {
        OP(router, { .n = 1, .k = TOP, .n_group = 1, .topk_group = 1, .norm_topk = true, .scaling = 1.5f, .w = w->part[ROUTER], .x = a->h,
                     .expert_ids = a->ids, .expert_weights = a->chosen });
        OP(moe, { 1, TOP, EXPERTS, w->expert[0], w->expert[1], w->expert[2], w->part[GATE], w->part[UP], w->part[DOWN], a->ids, a->chosen,
                  a->h, a->x });
    }
    OP(rmsnorm, { 1, WIDTH, 1e-6f, w->part[NORM_LAST], a->x, a->h });
    OP(linear, { .n = 1, .w = w->part[HEAD], .x = a->h, .y = a->logits });
    be->ops->step_advance(be, &a->step, 1);
    if (apart)
        be->ops->wait(be, NULL);
    OP(sample, { .vocab = VOCAB, .top_p = 1, .repetition_penalty = 1.1f, .n_alternatives = 2, .logits = a->logits, .seen = a->seen,
                 .step = &a->step, .result = &a->sampled });
    be->ops->wait(be, NULL);
}

static void fill(struct arrays *a, int rotated)
{
    float *x = random_floats(WIDTH, 1);

    memset(a, 0, sizeof *a);
    memcpy(a->x, x, sizeof a->x);
    for (int p = 0; p < CAPACITY; p++)
        for (int i = 0; i < rotated / 2; i++) {
            a->cosine[p * (rotated / 2) + i] = (float)cos(p * pow(10000, -2.0 * i / rotated));
            a->sine[p * (rotated / 2) + i] = (float)sin(p * pow(10000, -2.0 * i / rotated));
        }
    vlk_free(x);
}

static void close_floats(const float *got, const float *want, size_t n, double bound, const char *name)
{
    double *reference = vlk_alloc(n, sizeof *reference);

    for (size_t i = 0; i < n; i++)
        reference[i] = (double)want[i];
    close_to(got, reference, n, bound, name);
    vlk_free(reference);
}

#ifndef CUDA_ON_DEVICE
static void count(const char *kernel, long launches, void *user)
{
    tap_diag("%s: %ld", kernel, launches);
    *(long *)user += launches;
}
#endif

static void check_step(const struct layer *l, const struct weights *here, const struct weights *there)
{
    struct arrays *start = vlk_alloc(1, sizeof *start), *want = vlk_alloc(1, sizeof *want), *got[2];
    struct arrays *fused = gpu->ops->mem_alloc(gpu, sizeof *fused), *apart = gpu->ops->mem_alloc(gpu, sizeof *apart);
    char name[80];

    snprintf(name, sizeof name, "%s with %s", l->mla ? "latent attention" : "plain heads", l->dense ? "a dense MLP" : "experts");
    fill(start, l->mla ? ROPE : DIM);
    *want = *start;
    gpu->ops->mem_write(gpu, fused, start, sizeof *start);
    gpu->ops->mem_write(gpu, apart, start, sizeof *start);
    for (int step = 0; step < STEPS; step++) {
        run_step(cpu, l, here, want, step, false);
        run_step(gpu, l, there, apart, step, true);
#ifndef CUDA_ON_DEVICE
        long launches = 0;

        emulate_names_reset();
        run_step(gpu, l, there, fused, step, false);
        if (step == STEPS - 1) {
            emulate_names(count, &launches);
            ok(launches == l->launches, "%s: a step is %d launches (%ld)", name, l->launches, launches);
        }
#else
        run_step(gpu, l, there, fused, step, false);
#endif
    }
    got[0] = vlk_alloc(1, sizeof *got[0]);
    got[1] = vlk_alloc(1, sizeof *got[1]);
    gpu->ops->mem_read(gpu, got[0], fused, sizeof *fused);
    gpu->ops->mem_read(gpu, got[1], apart, sizeof *apart);
#ifndef CUDA_ON_DEVICE
    ok(!memcmp(got[0], got[1], sizeof *got[0]), "%s: fused launches leave the bytes that single ones leave", name);
#else
    close_floats(got[0]->x, got[1]->x, WIDTH, NMSE_STEP, "fused and single launches agree");
#endif
    close_floats(got[0]->x, want->x, WIDTH, NMSE_STEP, "the stream is the CPU's");
    close_floats(got[0]->logits, want->logits, VOCAB, NMSE_STEP, "and so are the logits");
    ok(got[0]->step.pos == STEPS && got[0]->step.token == want->step.token && got[0]->sampled.id == want->sampled.id,
       "%s: position %d and token %d", name, (int)got[0]->step.pos, (int)got[0]->step.token);
    gpu->ops->mem_free(gpu, fused);
    gpu->ops->mem_free(gpu, apart);
    vlk_free(got[0]);
    vlk_free(got[1]);
    vlk_free(start);
    vlk_free(want);
}

/* The product that a norm must not be folded into: it adds to the row that the norm reads; and a norm in place, or of two rows. */
static void test_not_fused(const struct weights *here, const struct weights *there)
{
    struct arrays *a = vlk_alloc(1, sizeof *a), *b = gpu->ops->mem_alloc(gpu, sizeof *b), *got = vlk_alloc(1, sizeof *got);

    fill(a, DIM);
    gpu->ops->mem_write(gpu, b, a, sizeof *a);
    for (int machine = 0; machine < 2; machine++) {
        struct vlk_backend *be = machine ? gpu : cpu;
        const struct weights *w = machine ? there : here;
        struct arrays *r = machine ? b : a;
        const bool apart = false;
        struct vlk_weight square = w->part[Q];

        square.rows = WIDTH;
        OP(rmsnorm, { 1, WIDTH, 1e-6f, w->part[NORM_IN], r->x, r->h });
        OP(linear, { .n = 1, .w = square, .accumulate = true, .x = r->h, .y = r->x });
        OP(rmsnorm, { 1, WIDTH, 1e-6f, w->part[NORM_IN], r->x, r->x });
        OP(linear, { .n = 1, .w = w->part[K], .x = r->x, .y = r->k });
        OP(rmsnorm, { 2, WIDTH, 1e-6f, w->part[NORM_IN], r->x, r->q }); /* x and h */
        OP(linear, { .n = 1, .w = w->part[HEAD], .x = r->q, .y = r->logits });
        be->ops->wait(be, NULL);
    }
    gpu->ops->mem_read(gpu, got, b, sizeof *b);
    close_floats(got->x, a->x, WIDTH, 1e-8, "a product adds to the row that was normalised");
    close_floats(got->k, a->k, KV_HEADS * DIM, 1e-8, "a row is normalised in place before a product");
    close_floats(got->q, a->q, 2 * WIDTH, 1e-8, "two rows are normalised");
    close_floats(got->logits, a->logits, VOCAB, 1e-8, "and one of them is read");
    gpu->ops->mem_free(gpu, b);
    vlk_free(a);
    vlk_free(got);
}

static struct vlk_backend *open_gpu(void)
{
    struct vlk_error err = { 0 };
#ifdef CUDA_ON_DEVICE
    struct vlk_backend *be = vlk_cuda_open(NULL, &err);
#else
    struct vlk_backend *be = vlk_cuda_module.open(0, &err);
#endif

    if (!be)
        tap_diag("%s", err.text);
    return be;
}

int main(void)
{
    /* Norm + q + k + v + rotation + cache write; attention; output; norm + router; gate and up; down. Latent attention: norm + q +
     * kv_a; rotation + cache write + W_UK; attention; W_UV. Behind them norm + head, and the sample, which moves the position. */
    static const struct layer layers[] = { { false, false, 8 }, { false, true, 7 }, { true, false, 10 }, { true, true, 9 } };
    struct test_weight part[PARTS], expert[3][EXPERTS];
    struct weights here, there;

    cpu = vlk_cpu_open(&(struct vlk_cpu_options){ .threads = 1 }, NULL);
    gpu = open_gpu();
    if (!cpu || !gpu)
        return ok(false, "the backends open") ? 0 : 1;
    for (int i = 0; i < PARTS; i++) {
        part[i] = make_weight(cpu, shapes[i].dtype, shapes[i].rows, shapes[i].cols, shapes[i].rows == 1 ? 1 : 1 / sqrt(shapes[i].cols));
        here.part[i] = part[i].w;
        there.part[i] = gpu->ops->weight_import(gpu, shapes[i].dtype, shapes[i].rows, shapes[i].cols, part[i].bytes, VLK_PLACE_DEVICE);
    }
    for (int p = 0; p < 3; p++)
        for (int e = 0; e < EXPERTS; e++) {
            const int rows = p == 2 ? WIDTH : INTER, cols = p == 2 ? INTER : WIDTH;

            expert[p][e] = make_weight(cpu, VLK_BF16, rows, cols, 1 / sqrt(cols));
            here.expert[p][e] = expert[p][e].w;
            there.expert[p][e] = gpu->ops->weight_import(gpu, VLK_BF16, rows, cols, expert[p][e].bytes, VLK_PLACE_DEVICE);
        }
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        check_step(&layers[i], &here, &there);
    test_not_fused(&here, &there);
#ifndef CUDA_ON_DEVICE
    emulate_seed = 3;
    check_step(&layers[0], &here, &there);
    check_step(&layers[2], &here, &there);
#endif
    is_int(gpu->ops->wait(gpu, NULL), VLK_OK, "no error");
    gpu->ops->close(gpu);
#ifndef CUDA_ON_DEVICE
    is_int(emulate_live_allocations, 0, "closing gives back all of the GPU's memory");
#endif
    for (int i = 0; i < PARTS; i++)
        free_weight(cpu, &part[i]);
    for (int p = 0; p < 3; p++)
        for (int e = 0; e < EXPERTS; e++)
            free_weight(cpu, &expert[p][e]);
    cpu->ops->close(cpu);
    return tap_done();
}
