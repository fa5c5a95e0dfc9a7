/* SPDX-License-Identifier: MIT
 *
 * MHA, MLA (both forms) and the vision tower's attention against double references: every level, f32 and bf16 caches, tokens
 * arriving in uneven chunks, probabilities. Opens the backend's private header only to force the form of MLA.
 */
#include "kernels/cpu/cpu.h"
#include "tests/kernels/reference.h"

static const char *level;

struct rope_table {
    struct vlk_rope rope;
    float *cosine, *sine;
};

static struct rope_table make_rope(int positions, int dim, bool interleaved)
{
    size_t n = (size_t)positions * (size_t)(dim / 2);
    struct rope_table t = { .cosine = vlk_alloc(n, 4), .sine = vlk_alloc(n, 4) };

    for (int p = 0; p < positions; p++) {
        for (int i = 0; i < dim / 2; i++) {
            double angle = p * pow(10000, -2.0 * i / dim);

            t.cosine[p * (dim / 2) + i] = (float)cos(angle);
            t.sine[p * (dim / 2) + i] = (float)sin(angle);
        }
    }
    t.rope = (struct vlk_rope){ t.cosine, t.sine, dim, interleaved };
    return t;
}

static void free_rope(struct rope_table *t)
{
    vlk_free(t->cosine);
    vlk_free(t->sine);
}

/* out[dim] = x[dim] rotated to position p, pairs halves or interleaved (then stored [evens | odds]). */
static void rotate(const float *x, int dim, int p, bool interleaved, double *out)
{
    for (int i = 0; i < dim / 2; i++) {
        double angle = p * pow(10000, -2.0 * i / dim), c = cos(angle), s = sin(angle);
        double a = (double)(interleaved ? x[2 * i] : x[i]), b = (double)(interleaved ? x[2 * i + 1] : x[i + dim / 2]);

        out[i] = a * c - b * s;
        out[i + dim / 2] = b * c + a * s;
    }
}

/* Softmax attention of one query over `keys` keys of width dk at stride sk, values dv at stride sv; p may be NULL. */
static void attend_reference(const double *q, const double *k, size_t sk, int dk, const double *v, size_t sv, int dv, int keys,
                             double scale, double *out, double *p)
{
    double *s = doubles((size_t)keys), peak = -1e300, sum = 0;

    for (int i = 0; i < keys; i++) {
        for (int c = 0; c < dk; c++)
            s[i] += q[c] * k[(size_t)i * sk + (size_t)c];
        s[i] *= scale;
        peak = s[i] > peak ? s[i] : peak;
    }
    for (int i = 0; i < keys; i++)
        sum += s[i] = exp(s[i] - peak);
    memset(out, 0, (size_t)dv * sizeof *out);
    for (int i = 0; i < keys; i++) {
        for (int c = 0; c < dv; c++)
            out[c] += s[i] / sum * v[(size_t)i * sv + (size_t)c];
        if (p)
            p[i] = s[i] / sum;
    }
    vlk_free(s);
}

static double round_to(vlk_dtype dtype, double x)
{
    return dtype == VLK_BF16 ? (double)vlk_bf16_to_f32(vlk_f32_to_bf16((float)x)) : x;
}

/* ------------------------------------------------------------------------------------------------ MHA */

struct mha_shape {
    int heads, kv_heads, dim, total;
    vlk_dtype cache;
    int chunks[8]; /* token counts, 0-terminated */
};

static void check_mha(struct vlk_backend *be, const struct mha_shape *m)
{
    const int H = m->heads, G = m->kv_heads, D = m->dim, T = m->total;
    struct rope_table rope = make_rope(T, D, false);
    float *q = random_floats((size_t)(T * H * D), 1.5), *k = random_floats((size_t)(T * G * D), 1.5);
    float *v = random_floats((size_t)(T * G * D), 1), *out = vlk_alloc((size_t)(T * H * D), 4);
    float *probs = vlk_alloc((size_t)(T * H * (T + 5)), 4);
    double *kd = doubles((size_t)(T * G * D)), *vd = doubles((size_t)(T * G * D)), *want = doubles((size_t)(T * H * D));
    double *want_probs = doubles((size_t)(T * H * (T + 5))), *qd = doubles((size_t)D);
    size_t element = m->cache == VLK_BF16 ? 2 : 4;
    void *kc = be->ops->mem_alloc(be, (size_t)(T * G * D) * element), *vc = be->ops->mem_alloc(be, (size_t)(T * G * D) * element);
    struct vlk_step step = { 0 };
    char name[160];

    for (int t = 0; t < T; t++) {
        for (int g = 0; g < G; g++)
            rotate(k + (t * G + g) * D, D, t, false, kd + (t * G + g) * D);
        for (int i = 0; i < G * D; i++) {
            kd[t * G * D + i] = round_to(m->cache, kd[t * G * D + i]);
            vd[t * G * D + i] = round_to(m->cache, (double)v[t * G * D + i]);
        }
        for (int h = 0; h < H; h++) {
            int g = h / (H / G);

            rotate(q + (t * H + h) * D, D, t, false, qd);
            attend_reference(qd, kd + g * D, (size_t)(G * D), D, vd + g * D, (size_t)(G * D), D, t + 1, 0.17,
                             want + (t * H + h) * D, want_probs + (t * H + h) * (T + 5));
        }
    }
    for (int c = 0; m->chunks[c]; c++) {
        int n = m->chunks[c], at = step.pos;

        be->ops->mha_write(be, &(struct vlk_mha_write_args){ n, H, G, D, rope.rope, &step, q + at * H * D, k + at * G * D,
                                                             v + at * G * D, kc, vc, m->cache });
        be->ops->mha_attend(be, &(struct vlk_mha_attend_args){ n, H, G, D, 0.17f, at + n, &step, q + at * H * D, kc, vc, m->cache,
                                                               out + at * H * D, probs + at * H * (T + 5), T + 5 });
        be->ops->step_advance(be, &step, n);
    }
    is_int(step.pos, T, "the chunks cover the tokens");
    snprintf(name, sizeof name, "%s mha %d/%d heads of %d, %d tokens, %s cache", level, H, G, D, T, vlk_dtype_name(m->cache));
    /* A key that rounds the other way moves by 2^-8 of itself: few do, so the bf16 bound holds with room. */
    close_to(out, want, (size_t)(T * H * D), m->cache == VLK_BF16 ? NMSE_BF16 : NMSE_F32, name);
    close_to(probs, want_probs, (size_t)(T * H * (T + 5)), m->cache == VLK_BF16 ? NMSE_BF16 : NMSE_F32, "its probabilities");
    be->ops->mem_free(be, kc);
    be->ops->mem_free(be, vc);
    free_rope(&rope);
    vlk_free(q);
    vlk_free(k);
    vlk_free(v);
    vlk_free(out);
    vlk_free(probs);
    vlk_free(kd);
    vlk_free(vd);
    vlk_free(want);
    vlk_free(want_probs);
    vlk_free(qd);
}

/* ------------------------------------------------------------------------------------------------ MLA */

struct mla_shape {
    int heads, nope, rope, lora, v, total;
    vlk_dtype cache, weight;
    vlk_mla_form form;
    bool probs;
    int chunks[8];
};

/* As the op's equation says it: latents normalised and rotated, expanded to keys and values, attended one head and token at a time. */
static void reference_mla(const struct mla_shape *m, const float *norm, const float *weight, const float *q, const float *kv,
                          double *want, double *want_probs)
{
    const int H = m->heads, N = m->nope, R = m->rope, L = m->lora, V = m->v, T = m->total, K = N + R, C = L + R, P = T + 3;
    double *cd = doubles((size_t)(T * C)), *kd = doubles((size_t)(T * K)), *vd = doubles((size_t)(T * V)), *qd = doubles((size_t)K);

    for (int t = 0; t < T; t++) {
        double square = 0;

        for (int i = 0; i < L; i++)
            square += (double)kv[t * C + i] * (double)kv[t * C + i];
        for (int i = 0; i < L; i++)
            cd[t * C + i] = (double)kv[t * C + i] / sqrt(square / L + 1e-6) * (double)norm[i];
        rotate(kv + t * C + L, R, t, true, cd + t * C + L);
        for (int i = 0; i < C; i++)
            cd[t * C + i] = round_to(m->cache, cd[t * C + i]);
    }
    for (int h = 0; h < H; h++) {
        const float *rows = weight + (size_t)(h * (N + V)) * (size_t)L;

        for (int t = 0; t < T; t++) {
            for (int i = 0; i < N + V; i++) {
                double sum = 0;

                for (int l = 0; l < L; l++)
                    sum += (double)rows[i * L + l] * cd[t * C + l];
                *(i < N ? kd + t * K + i : vd + t * V + i - N) = sum;
            }
            memcpy(kd + t * K + N, cd + t * C + L, (size_t)R * sizeof *kd);
        }
        for (int t = 0; t < T; t++) {
            for (int i = 0; i < N; i++)
                qd[i] = (double)q[(t * H + h) * K + i];
            rotate(q + (t * H + h) * K + N, R, t, true, qd + N);
            attend_reference(qd, kd, (size_t)K, K, vd, (size_t)V, V, t + 1, 0.13, want + (t * H + h) * V,
                             want_probs + (t * H + h) * P);
        }
    }
    vlk_free(cd);
    vlk_free(kd);
    vlk_free(vd);
    vlk_free(qd);
}

static void check_mla(struct vlk_backend *be, const struct mla_shape *m)
{
    const int H = m->heads, N = m->nope, R = m->rope, L = m->lora, V = m->v, T = m->total, K = N + R, C = L + R, P = T + 3;
    struct rope_table rope = make_rope(T, R, true);
    struct test_weight norm = make_weight(be, VLK_BF16, 1, L, 1), b = make_weight(be, m->weight, H * (N + V), L, 1 / sqrt(L));
    float *q = random_floats((size_t)(T * H * K), 1.5), *kv = random_floats((size_t)(T * C), 2);
    float *out = vlk_alloc((size_t)(T * H * V), 4), *probs = vlk_alloc((size_t)(T * H * P), 4);
    double *want = doubles((size_t)(T * H * V)), *want_probs = doubles((size_t)(T * H * P));
    void *cache = be->ops->mem_alloc(be, (size_t)(T * C) * (m->cache == VLK_BF16 ? 2 : 4));
    struct vlk_step step = { 0 };
    char name[200];

    reference_mla(m, norm.values, b.values, q, kv, want, want_probs);
    ((struct vlk_cpu *)be)->mla_form = m->form;
    for (int c = 0; m->chunks[c]; c++) {
        int n = m->chunks[c], at = step.pos;

        be->ops->mla_write(be, &(struct vlk_mla_write_args){ n, H, N, L, 1e-6f, rope.rope, norm.w, &step, q + at * H * K,
                                                             kv + at * C, cache, m->cache });
        be->ops->mla_attend(be, &(struct vlk_mla_attend_args){ n, H, N, L, V, R, 0.13f, at + n, &step, b.w, q + at * H * K,
                                                               cache, m->cache, out + at * H * V,
                                                               m->probs ? probs + at * H * P : NULL, P });
        be->ops->step_advance(be, &step, n);
    }
    ((struct vlk_cpu *)be)->mla_form = VLK_MLA_AUTO;
    snprintf(name, sizeof name, "%s mla %d heads %d+%d/%d lora %d, %d tokens, %s cache, %s weights, form %d", level, H, N, R, V,
             L, T, vlk_dtype_name(m->cache), vlk_dtype_name(m->weight), (int)m->form);
    /* The absorbed form may round the latent result for quantised weights. */
    close_to(out, want, (size_t)(T * H * V),
             is_quantised_dtype(m->weight) ? NMSE_ROUNDED : m->cache == VLK_BF16 ? NMSE_BF16 : NMSE_F32, name);
    if (m->probs)
        close_to(probs, want_probs, (size_t)(T * H * P), m->cache == VLK_BF16 ? NMSE_BF16 : NMSE_F32, "its probabilities");
    be->ops->mem_free(be, cache);
    free_rope(&rope);
    free_weight(be, &norm);
    free_weight(be, &b);
    vlk_free(q);
    vlk_free(kv);
    vlk_free(out);
    vlk_free(probs);
    vlk_free(want);
    vlk_free(want_probs);
}

/* ------------------------------------------------------------------------------------------------ vision tower */

static void check_vit(struct vlk_backend *be, int n, int tokens, int heads, int dim)
{
    const size_t row = 3 * (size_t)(heads * dim), size = (size_t)(n * tokens * heads * dim);
    float *qkv = random_floats((size_t)(n * tokens) * row, 1), *out = vlk_alloc(size, 4);
    double *d = doubles((size_t)(n * tokens) * row), *want = doubles(size);
    char name[128];

    for (size_t i = 0; i < (size_t)(n * tokens) * row; i++)
        d[i] = (double)qkv[i];
    for (int t = 0; t < n * tokens; t++) {
        for (int h = 0; h < heads; h++) {
            const double *tile = d + (size_t)(t / tokens * tokens) * row + h * dim;

            attend_reference(d + (size_t)t * row + h * dim, tile + heads * dim, row, dim, tile + 2 * heads * dim, row, dim,
                             tokens, 1 / sqrt(dim), want + (t * heads + h) * dim, NULL);
        }
    }
    be->ops->vit_attend(be, &(struct vlk_vit_attend_args){ n, tokens, heads, dim, qkv, out });
    snprintf(name, sizeof name, "%s vit %d tiles of %d tokens, %d heads of %d", level, n, tokens, heads, dim);
    close_to(out, want, size, NMSE_F32, name);
    vlk_free(qkv);
    vlk_free(out);
    vlk_free(d);
    vlk_free(want);
}

static void test_all(struct vlk_backend *be)
{
    static const struct mha_shape mha[] = {
        { 3, 3, 24, 40, VLK_F32, { 17, 1, 1, 3, 18 } },
        { 4, 2, 20, 150, VLK_F32, { 140, 2, 1, 7 } },
        { 2, 2, 128, 300, VLK_BF16, { 1, 1, 3, 290, 5 } },
        { 6, 1, 16, 33, VLK_BF16, { 33 } },
        { 1, 1, 8, 1100, VLK_F32, { 1050, 1, 4, 45 } },
    };
    static const struct mla_shape mla[] = {
        { 3, 20, 8, 40, 12, 60, VLK_F32, VLK_BF16, VLK_MLA_AUTO, true, { 1, 1, 17, 3, 38 } },
        { 3, 20, 8, 40, 12, 60, VLK_F32, VLK_BF16, VLK_MLA_ABSORBED, false, { 1, 40, 19 } },
        { 3, 20, 8, 40, 12, 60, VLK_F32, VLK_BF16, VLK_MLA_EXPANDED, false, { 1, 40, 19 } },
        { 5, 24, 16, 64, 24, 300, VLK_BF16, VLK_F32, VLK_MLA_EXPANDED, false, { 270, 30 } },
        { 5, 24, 16, 64, 24, 300, VLK_BF16, VLK_F32, VLK_MLA_ABSORBED, false, { 270, 30 } },
        { 16, 16, 8, 32, 16, 620, VLK_BF16, VLK_F16, VLK_MLA_AUTO, true, { 600, 1, 4, 15 } },
        { 2, 32, 8, 64, 32, 20, VLK_F32, VLK_I8G, VLK_MLA_ABSORBED, false, { 1, 3, 16 } },
        { 2, 32, 8, 64, 32, 20, VLK_F32, VLK_I4G, VLK_MLA_EXPANDED, false, { 1, 3, 16 } },
    };

    for (size_t i = 0; i < sizeof mha / sizeof *mha; i++)
        check_mha(be, &mha[i]);
    for (size_t i = 0; i < sizeof mla / sizeof *mla; i++)
        check_mla(be, &mla[i]);
    check_vit(be, 1, 1, 2, 24);
    check_vit(be, 2, 81, 3, 24);
    check_vit(be, 1, 300, 2, 72);
    check_vit(be, 3, 3, 1, 20);
}

int main(void)
{
    for (const char *const *isa = vlk_cpu_isa_available(); *isa; isa++) {
        struct vlk_error err;
        struct vlk_backend *be = vlk_cpu_open(&(struct vlk_cpu_options){ .threads = 2, .isa = *isa }, &err);

        level = *isa;
        if (!ok(be != NULL, "open %s", level))
            continue;
        test_all(be);
        is_int(be->ops->wait(be, &err), VLK_OK, "no error");
        be->ops->close(be);
    }
    return tap_done();
}
