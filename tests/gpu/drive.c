/* SPDX-License-Identifier: MIT
 *
 * Engine and kernels without the application, for machines that have a GPU and little else: answers one question about one
 * picture, and measures loading, vision, prefill, decoding and a second question. Takes a PPM (P6) or draws one; no GLib.
 *   drive MODEL [--device D] [--ppm FILE | --size WxH] [--prompt TEXT] [--tokens N] [--runs N] [--chunk N] [--ids] [--row LABEL]
 *   drive MODEL --quantise FORMAT --to FILE
 *   drive --shape tiny|small|base --format bf16|int8|mix|int4 [--layers N] [--device D] --row LABEL
 * --ids prints the greedy ids and the text, --row a line of CSV; --shape makes weights of noise in memory, needs no file, and prints
 * a line for each pass of the engine's bench. Used by tests/gpu/run.sh.
 */
#include "engine/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_TOKENS = 4096, EXIT_USAGE = 2, EXIT_INPUT = 3, EXIT_DEVICE = 4 };

struct options {
    const char *model, *device, *ppm, *prompt, *label, *format, *to, *shape;
    int width, height, tokens, runs, chunk, layers;
    bool ids;
};

struct answer {
    int32_t ids[MAX_TOKENS];
    size_t n;
    char text[32 * MAX_TOKENS];
    size_t length;
};

struct timing { /* milliseconds */
    double load, vision, prefill, first, decode, second;
    size_t prompt_tokens, tokens, second_tokens;
};

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec * 1e3 + (double) t.tv_nsec / 1e6;
}

static int fail(int code, const char *text) {
    fprintf(stderr, "drive: %s\n", text);
    return code;
}

static bool parse_value(struct options *o, const char *name, const char *value) {
    struct {
        const char *name, **text;
        int *number;
    } const known[] = {
        {"--device", &o->device, NULL}, {"--ppm", &o->ppm, NULL},       {"--prompt", &o->prompt, NULL}, {"--row", &o->label, NULL},
        {"--tokens", NULL, &o->tokens}, {"--runs", NULL, &o->runs},     {"--chunk", NULL, &o->chunk},   {"--quantise", &o->format, NULL},
        {"--to", &o->to, NULL},         {"--shape", &o->shape, NULL},   {"--format", &o->format, NULL}, {"--layers", NULL, &o->layers},
    };
    if (!strcmp(name, "--size"))
        return sscanf(value, "%dx%d", &o->width, &o->height) == 2;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(name, known[i].name) != 0)
            continue;
        if (known[i].text)
            *known[i].text = value;
        else
            *known[i].number = atoi(value);
        return true;
    }
    return false;
}

static bool parse(int argc, char **argv, struct options *o) {
    *o = (struct options) {.device = "auto", .prompt = "<|ref|>the red circle<|/ref|>", .width = 1000, .height = 1000, .tokens = 128, .runs = 3};
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-' && !o->model)
            o->model = argv[i];
        else if (!strcmp(argv[i], "--ids"))
            o->ids = true;
        else if (i + 1 == argc || !parse_value(o, argv[i], argv[i + 1]))
            return false;
        else
            i++;
    }
    if (o->shape)
        return !o->model && o->format && o->label && !o->to;
    return o->model && o->tokens > 0 && o->tokens <= MAX_TOKENS && o->runs > 0 && o->width > 0 && o->height > 0 && o->width <= 1 << 14 &&
           o->height <= 1 << 14 && !o->format == !o->to;
}

/* White with a red disc and a blue bar. */
static uint8_t *draw(int width, int height) {
    uint8_t *rgb = malloc((size_t) width * (size_t) height * 3), *at = rgb;
    for (int y = 0; rgb && y < height; y++)
        for (int x = 0; x < width; x++, at += 3) {
            int64_t dx = 10 * x - 7 * width, dy = 10 * y - 3 * height, r = 2 * (width < height ? width : height);
            bool disc = dx * dx + dy * dy < r * r, bar = 10 * y > 7 * height && 10 * y < 8 * height && 10 * x > width && 10 * x < 6 * width;
            at[0] = disc ? 220 : bar ? 30 : 255;
            at[1] = disc ? 30 : bar ? 60 : 255;
            at[2] = disc ? 30 : bar ? 200 : 255;
        }
    return rgb;
}

static uint8_t *read_ppm(const char *path, int *width, int *height) {
    FILE *f = fopen(path, "rb");
    uint8_t *rgb = NULL;
    int most;
    if (f && fscanf(f, "P6 %d %d %d", width, height, &most) == 3 && most == 255 && fgetc(f) != EOF && *width > 0 && *height > 0 &&
        *width <= 1 << 14 && *height <= 1 << 14)
        rgb = malloc((size_t) *width * (size_t) *height * 3);
    if (rgb && fread(rgb, 3, (size_t) *width * (size_t) *height, f) != (size_t) *width * (size_t) *height) {
        free(rgb);
        rgb = NULL;
    }
    if (f)
        fclose(f);
    return rgb;
}

static bool on_token(const struct vl2_token *token, void *user) {
    struct answer *a = user;
    a->ids[a->n++] = token->id;
    if (a->length + token->length < sizeof a->text) {
        memcpy(a->text + a->length, token->text, token->length);
        a->length += token->length;
    }
    return a->n < MAX_TOKENS;
}

static vl2_status ask(vl2_session *session, const vl2_message *messages, size_t n, int tokens, struct answer *out,
                      struct vl2_sync_report *report, struct vl2_generation *done, vl2_error *err) {
    struct vl2_generate_options options = {.sampling = {.top_p = 1, .repetition_penalty = 1}, .max_tokens = tokens};
    *out = (struct answer) {.n = 0};
    vl2_status status = vl2_session_sync(session, &(vl2_conversation) {messages, n}, NULL, report, err);
    return status == VL2_OK ? vl2_session_generate(session, &options, NULL, on_token, out, done, err) : status;
}

/* One picture, one question, its answer, and a second question of about 20 tokens, in a session of its own. */
static vl2_status run(vl2_engine *engine, const struct options *o, const vl2_picture *picture, struct answer *first, struct timing *t,
                      vl2_error *err) {
    static struct answer second;
    static const char again[] = "What else can be seen in this picture, and where exactly is it to be found?";
    vl2_part question[] = {{.kind = VL2_PART_PICTURE, .picture = picture},
                           {.kind = VL2_PART_TEXT, .text = "\n", .length = 1}, /* as the official conversations have it */
                           {.kind = VL2_PART_TEXT, .text = o->prompt, .length = strlen(o->prompt), .markup = VL2_MARKUP_GROUNDING}};
    vl2_part answer = {.kind = VL2_PART_TEXT, .markup = VL2_MARKUP_GROUNDING};
    vl2_part more = {.kind = VL2_PART_TEXT, .text = again, .length = sizeof again - 1};
    vl2_message messages[] = {{VL2_USER, question, 3}, {VL2_ASSISTANT, &answer, 1}, {VL2_USER, &more, 1}};
    struct vl2_sync_report report;
    struct vl2_generation done;
    vl2_session *session = NULL;
    vl2_status status = vl2_session_open(engine, &(struct vl2_session_options) {.chunk_size = o->chunk}, &session, err);
    if (status == VL2_OK)
        status = ask(session, messages, 1, o->tokens, first, &report, &done, err);
    if (status == VL2_OK) {
        t->vision = report.vision_ms;
        t->prefill = report.prefill_ms;
        t->prompt_tokens = report.prompt_tokens;
        t->first = report.vision_ms + report.prefill_ms + done.first_token_ms;
        t->decode = done.decode_ms - done.first_token_ms;
        t->tokens = done.tokens;
        answer.text = first->text;
        answer.length = first->length;
        status = ask(session, messages, 3, 1, &second, &report, &done, err);
        t->second = report.prefill_ms + done.first_token_ms;
        t->second_tokens = report.prefilled_tokens;
    }
    vl2_session_close(session);
    return status;
}

/* The run that answered fastest: what the machine can do when nothing else disturbs it. The first one warms up. */
static vl2_status measure(vl2_engine *engine, const struct options *o, const vl2_picture *picture, struct answer *answer, struct timing *best,
                          vl2_error *err) {
    vl2_status status = VL2_OK;
    for (int i = 0; i <= o->runs && status == VL2_OK; i++) {
        struct timing t = {.load = best->load};
        status = run(engine, o, picture, answer, &t, err);
        if (i < 2 || t.first + t.decode < best->first + best->decode)
            *best = t;
    }
    return status;
}

static void print_result(const vl2_engine *engine, const struct options *o, const struct answer *a, const struct timing *t) {
    const struct vl2_info *info = vl2_engine_info(engine);
    double rate = t->tokens > 1 && t->decode > 0 ? (double) (t->tokens - 1) / t->decode * 1e3 : 0;
    for (size_t i = 0; o->ids && i < a->n; i++)
        printf("%d%c", a->ids[i], i + 1 < a->n ? ' ' : '\n');
    if (o->ids)
        printf("%.*s\n", (int) a->length, a->text);
    if (o->label)
        printf("%s,%s,\"%s\",%s,%llu,%zu,%.1f,%.2f,%.2f,%.2f,%zu,%.1f,%zu,%.2f\n", o->label, info->device, info->isa, info->weight_dtype,
               (unsigned long long) info->weight_bytes, t->prompt_tokens, t->load, t->vision, t->prefill, t->first, t->tokens, rate,
               t->second_tokens, t->second);
}

static int quantise(const struct options *o) {
    struct vl2_quantise_options options = {.program = "Sightline, tests/gpu"};
    vl2_error err = {.text = "the format is not one of mix, int8, int4"};
    struct vl2_quantise_report report;
    if (!vl2_format_from_name(o->format, &options.format) || vl2_quantise(o->model, o->to, &options, &report, &err) != VL2_OK)
        return fail(EXIT_INPUT, err.text);
    printf("%s: %llu of %llu bytes\n", o->to, (unsigned long long) report.bytes, (unsigned long long) report.source_bytes);
    return 0;
}

static void print_pass(const struct vl2_bench_row *row, void *user) {
    static const char *const kinds[] = {"vision tiles", "prefill", "decode", "second turn"};
    const struct options *o = user;
    printf("%s,%s,%d,%d,%.3f,%.3f,%.1f,%.1f,%.2f\n", o->label, kinds[row->kind], row->tokens, row->context, row->best_ms, row->median_ms,
           row->tokens / row->best_ms * 1e3, row->bytes / row->best_ms / 1e6, row->flops / row->best_ms / 1e9);
    fflush(stdout);
}

/* The passes of a published shape, in the order of the bench: what a cut-short run leaves is the beginning. */
static int measure_shape(struct options *o) {
    struct vl2_shape shape = {.name = o->shape, .layers = o->layers};
    struct vl2_bench_report report;
    vl2_engine *engine = NULL;
    vl2_error err = {.text = "the format is not one of bf16, mix, int8, int4"};
    if (!vl2_format_from_name(o->format, &shape.format))
        return fail(EXIT_INPUT, err.text);
    double start = now_ms();
    vl2_status status = vl2_engine_open_shape(&shape, &(struct vl2_engine_options) {.device = o->device}, &engine, &err);
    if (status == VL2_OK)
        printf("# %s: %s, %llu bytes of weights, made and loaded in %.0f ms\n", o->label, vl2_engine_info(engine)->isa,
               (unsigned long long) vl2_engine_info(engine)->weight_bytes, now_ms() - start);
    if (status == VL2_OK)
        status = vl2_bench(engine, NULL, print_pass, o, &report, &err);
    if (status == VL2_OK)
        printf("# %s: %d of %d experts used\n", o->label, (int) report.experts_used, (int) report.experts);
    vl2_engine_close(engine);
    return status == VL2_OK ? 0 : fail(status == VL2_ERR_DEVICE || status == VL2_ERR_MEMORY ? EXIT_DEVICE : EXIT_INPUT, err.text);
}

int main(int argc, char **argv) {
    static struct answer answer;
    struct options o;
    struct timing timing = {0};
    vl2_engine *engine = NULL;
    vl2_error err = {.text = ""};
    if (!parse(argc, argv, &o))
        return fail(EXIT_USAGE, "drive MODEL [--device D] [--ppm FILE | --size WxH] [--prompt TEXT] [--tokens N] [--runs N] [--chunk N] "
                                "[--ids] [--row LABEL] | drive MODEL --quantise FORMAT --to FILE | "
                                "drive --shape SIZE --format FORMAT [--layers N] [--device D] --row LABEL");
    if (o.shape)
        return measure_shape(&o);
    if (o.format)
        return quantise(&o);
    uint8_t *rgb = o.ppm ? read_ppm(o.ppm, &o.width, &o.height) : draw(o.width, o.height);
    if (!rgb)
        return fail(EXIT_INPUT, "the picture cannot be read as a P6 file of 8 bits, or there is no memory for it");
    double start = now_ms();
    vl2_status status = vl2_engine_open(o.model, &(struct vl2_engine_options) {.device = o.device}, &engine, &err);
    timing.load = now_ms() - start;
    if (status == VL2_OK)
        status = measure(engine, &o, &(vl2_picture) {o.width, o.height, (size_t) o.width * 3, rgb}, &answer, &timing, &err);
    if (status == VL2_OK)
        print_result(engine, &o, &answer, &timing);
    vl2_engine_close(engine);
    free(rgb);
    return status == VL2_OK ? 0 : fail(status == VL2_ERR_DEVICE || status == VL2_ERR_MEMORY ? EXIT_DEVICE : EXIT_INPUT, err.text);
}
