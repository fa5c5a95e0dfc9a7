/* SPDX-License-Identifier: MIT
 *
 * The sampler against Hugging Face transformers: the probability of every id, to 1e-6, for the fixtures of
 * sampling_fixture.py, on every instruction set level of this machine.
 * A draw is a monotone function of one uniform number, and the generator behind that number can be run backwards: the test
 * asks for the draw at any point of [0, 1) and finds by bisection where one id gives way to the next.
 *
 *   test_sampling SAMPLING.json
 */
#include "kernels/vlk.h"
#include "tests/tap.h"

#include <jansson.h>
#include <stdlib.h>

static const double bound = 1e-6;    /* of a probability */
static const double resolution = 3e-8; /* of a border between two ids; a probability has two of them */

struct fixture {
    struct vlk_sample_args args;
    struct vlk_backend *be;
    float *logits;
    double *want, *got; /* [vocab] */
    uint8_t *prompt, *seen;
};

/* ------------------------------------------------------------------------------------------ the generator, backwards */

static uint64_t undo_shift(uint64_t z, int by) {
    uint64_t x = z;
    for (int done = by; done < 64; done += by)
        x = z ^ x >> by;
    return x;
}

/* 1 / odd modulo 2^64, by Newton's iteration. */
static uint64_t inverse(uint64_t odd) {
    uint64_t x = odd;
    for (int i = 0; i < 6; i++)
        x *= 2 - odd * x;
    return x;
}

/* The counter whose uniform number, with seed 0, is u: splitmix64 as in kernels/cpu/sample.c. */
static uint64_t counter_of(double u) {
    uint64_t z = (uint64_t) (u * 0x1p53) << 11;
    for (int i = 0; i < 2; i++) {
        z = undo_shift(z, 31) * inverse(0x94d049bb133111ebu);
        z = undo_shift(z, 27) * inverse(0xbf58476d1ce4e5b9u);
        z = undo_shift(z, 30);
    }
    return z * inverse(0x9e3779b97f4a7c15u) - 1;
}

static int32_t draw(const struct fixture *f, double u) {
    struct vlk_step step = {.rng = counter_of(u)};
    struct vlk_sampled result;
    struct vlk_sample_args args = f->args;
    memcpy(f->seen, f->prompt, (size_t) f->args.vocab);
    args.step = &step;
    args.result = &result;
    f->be->ops->sample(f->be, &args);
    return result.id;
}

/* Equal logits: id i has the i-th of `vocab` equal parts, which shows that the generator is run backwards rightly. */
static void check_generator(struct vlk_backend *be, const char *level) {
    enum { VOCAB = 1000 };
    float logits[VOCAB] = {0};
    uint8_t none[VOCAB] = {0}, seen[VOCAB];
    struct fixture f = {.be = be, .prompt = none, .seen = seen,
                        .args = {.vocab = VOCAB, .temperature = 1, .top_p = 1, .repetition_penalty = 1, .logits = logits, .seen = seen}};
    int wrong = 0;
    for (int i = 0; i < VOCAB; i++)
        wrong += draw(&f, (i + 0.5) / VOCAB) != i;
    ok(wrong == 0, "%s: the number behind a draw can be chosen", level);
}

/* ------------------------------------------------------------------------------------------ the distribution */

/* Adds to got[] what [low, high) gives to each id, knowing the draws at both ends. */
static void measure(const struct fixture *f, double low, int32_t at_low, double high, int32_t at_high) {
    double middle = (low + high) / 2;
    if (at_low == at_high) {
        f->got[at_low] += high - low;
    } else if (high - low < resolution) {
        f->got[at_low] += middle - low;
        f->got[at_high] += high - middle;
    } else {
        int32_t at_middle = draw(f, middle);
        measure(f, low, at_low, middle, at_middle);
        measure(f, middle, at_middle, high, at_high);
    }
}

static void compare(const struct fixture *f, const char *level, const char *name) {
    double worst = 0;
    int32_t where = 0;
    measure(f, 0, draw(f, 0), 1, draw(f, 1 - 0x1p-53));
    for (int32_t i = 0; i < f->args.vocab; i++) {
        double error = fabs(f->got[i] - f->want[i]);
        if (error > worst) {
            worst = error;
            where = i;
        }
    }
    ok(worst <= bound, "%s %s: every probability within %g", level, name, bound);
    tap_diag("worst %.3g at id %d: %.9g, wanted %.9g", worst, where, f->got[where], f->want[where]);
}

static double number(json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

static void check_case(struct vlk_backend *be, const char *level, json_t *object) {
    json_t *logits = json_object_get(object, "logits"), *value;
    size_t vocab = json_array_size(logits), i;
    struct fixture f = {.be = be,
                        .logits = calloc(vocab, sizeof(float)),
                        .want = calloc(vocab, sizeof(double)),
                        .got = calloc(vocab, sizeof(double)),
                        .prompt = calloc(vocab, 1),
                        .seen = calloc(vocab, 1)};
    char name[96];
    json_array_foreach (logits, i, value)
        f.logits[i] = (float) json_number_value(value);
    json_array_foreach (json_object_get(object, "ids"), i, value)
        f.prompt[json_integer_value(value)] = 1;
    json_array_foreach (json_object_get(object, "p"), i, value)
        f.want[json_integer_value(json_array_get(value, 0))] = json_number_value(json_array_get(value, 1));
    f.args = (struct vlk_sample_args){.vocab = (int32_t) vocab,
                                      .temperature = (float) number(object, "temperature"),
                                      .top_p = (float) number(object, "top_p"),
                                      .repetition_penalty = (float) number(object, "penalty"),
                                      .top_k = (int32_t) number(object, "top_k"),
                                      .logits = f.logits,
                                      .seen = f.seen};
    snprintf(name, sizeof name, "%zu ids, T %g, top-k %d, top-p %g, penalty %g", vocab, (double) f.args.temperature, f.args.top_k,
             (double) f.args.top_p, (double) f.args.repetition_penalty);
    compare(&f, level, name);
    free(f.logits);
    free(f.want);
    free(f.got);
    free(f.prompt);
    free(f.seen);
}

int main(int argc, char **argv) {
    json_error_t where;
    json_t *json = argc == 2 ? json_load_file(argv[1], 0, &where) : NULL, *value;
    size_t i;
    if (!json) {
        fprintf(stderr, "usage: %s SAMPLING.json\n", argv[0]);
        return 2;
    }
    for (const char *const *isa = vlk_cpu_isa_available(); *isa; isa++) {
        struct vlk_error err;
        struct vlk_backend *be = vlk_cpu_open(&(struct vlk_cpu_options){.threads = 1, .isa = *isa}, &err);
        if (!ok(be != NULL, "%s opens", *isa))
            continue;
        check_generator(be, *isa);
        json_array_foreach (json_object_get(json, "cases"), i, value)
            check_case(be, *isa, value);
        be->ops->close(be);
    }
    json_decref(json);
    return tap_done();
}
