/* SPDX-License-Identifier: MIT
 *
 * A document model through the emulated CUDA module beside the CPU: every block of both towers, the features of a page and its tile, what
 * is projected, and the logits. The CPU is held to the official code by tests/parity/test_documents.c.
 *   test-cuda-document CHECKPOINT     (fake libcuda.so.1 on LD_LIBRARY_PATH, SIGHTLINE_CUDA_DIR set)
 */
#include "engine/vl2.h"
#include "tests/tap.h"

#include <stdlib.h>

enum { MOST_TAPS = 64 };
/* Many rows at a time are computed in bf16, 2^-9 / sqrt(3) = 1.1e-3 per rounding: eight of them in a block, sqrt(8) of that for what a
 * block adds, and the worst row of three blocks and of the two behind them. */
static const double bound = 4e-2;

struct taps {
    struct {
        char name[16];
        float *data;
        size_t rows, cols;
    } all[MOST_TAPS];
    size_t n;
};

static void keep(const char *name, const float *data, size_t rows, size_t cols, void *user) {
    struct taps *t = user;
    size_t bytes = rows * cols * sizeof *data;
    if (t->n == MOST_TAPS || strncmp(name, "experts", 7) == 0)
        return;
    snprintf(t->all[t->n].name, sizeof t->all[t->n].name, "%s", name);
    t->all[t->n].data = malloc(bytes);
    t->all[t->n].rows = rows;
    t->all[t->n].cols = cols;
    memcpy(t->all[t->n++].data, data, bytes);
}

/* A page of stripes that is cut into two tiles. */
static bool dump(const char *checkpoint, const char *device, struct taps *out) {
    enum { W = 300, H = 170 };
    static uint8_t rgb[H][W][3];
    static const char text[] = "\nFree OCR.";
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            for (int c = 0; c < 3; c++)
                rgb[y][x][c] = (uint8_t)(x * (3 + c) + y * 7 + x * y / 5);
    const vl2_picture picture = {.width = W, .height = H, .stride = 3 * W, .rgb = &rgb[0][0][0]};
    const vl2_part parts[] = {{.kind = VL2_PART_PICTURE, .picture = &picture},
                              {.kind = VL2_PART_TEXT, .text = text, .length = sizeof text - 1, .markup = VL2_MARKUP_GROUNDING}};
    const vl2_message message = {VL2_USER, parts, 2};
    const vl2_conversation conversation = {&message, 1};
    vl2_engine *engine = NULL;
    vl2_session *session = NULL;
    vl2_error err = {.text = ""};
    bool good = vl2_engine_open(checkpoint, &(struct vl2_engine_options){.device = device, .threads = 1}, &engine, &err) == VL2_OK &&
                vl2_session_open(engine, NULL, &session, &err) == VL2_OK &&
                vl2_session_dump(session, &conversation, keep, out, NULL, &err) == VL2_OK;
    ok(good, "a page on %s: %s", device, err.text);
    vl2_session_close(session);
    vl2_engine_close(engine);
    return good;
}

/* Largest relative difference of a row. */
static double worst_row(const float *a, const float *b, size_t rows, size_t cols) {
    double worst = 0;
    for (size_t r = 0; r < rows; r++) {
        double difference = 0, norm = 0;
        for (size_t c = 0; c < cols; c++) {
            double x = (double)a[r * cols + c], y = (double)b[r * cols + c];
            difference += (x - y) * (x - y);
            norm += y * y;
        }
        double error = sqrt(difference / norm);
        worst = error > worst || isnan(error) ? error : worst;
    }
    return worst;
}

int main(int argc, char **argv) {
    static struct taps cpu, cuda;
    if (argc != 2)
        return 2;
    if (!dump(argv[1], "cpu", &cpu) || !dump(argv[1], "cuda", &cuda))
        return tap_done();
    for (size_t i = 0; i < cpu.n && i < cuda.n; i++) {
        bool alike = strcmp(cpu.all[i].name, cuda.all[i].name) == 0 && cpu.all[i].rows == cuda.all[i].rows && cpu.all[i].cols == cuda.all[i].cols;
        double worst = alike ? worst_row(cuda.all[i].data, cpu.all[i].data, cpu.all[i].rows, cpu.all[i].cols) : INFINITY;
        /* Behind the towers a router may choose another expert: the language model is compared by test_model.c. */
        bool tower = strncmp(cpu.all[i].name, "layer", 5) != 0 && strcmp(cpu.all[i].name, "logits") != 0;
        ok(alike && (worst < bound || !tower), "%s: within %.2g of a row", cpu.all[i].name, worst);
        free(cpu.all[i].data);
        free(cuda.all[i].data);
    }
    ok(cpu.n == cuda.n && cpu.n > 8, "%zu results", cpu.n);
    return tap_done();
}
