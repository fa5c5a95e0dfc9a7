/* SPDX-License-Identifier: MIT
 *
 * Loading reports its progress and can be cancelled at every step: at most one tensor more is bound after the wish. A file whose
 * gate and up projection are not quantised alike is refused when it is opened, not when it is used.
 *   test_load CHECKPOINTS
 */
#include "tests/engine/talk.h"
#include "tests/tap.h"

#include <jansson.h>

struct load {
    vl2_cancel cancel;
    long calls, cancel_at; /* cancel_at < 0: never */
    uint64_t done, total;
    bool backwards;
};

static void on_progress(vl2_stage stage, uint64_t done, uint64_t total, void *user) {
    struct load *l = user;
    l->backwards = l->backwards || done < l->done || done > total || stage != VL2_STAGE_LOAD;
    l->done = done;
    l->total = total;
    if (l->calls++ == l->cancel_at)
        atomic_store(&l->cancel, true);
}

static vl2_status load(const char *dir, struct load *l, vl2_error *err) {
    struct vl2_engine_options options = {.threads = 1, .progress = on_progress, .progress_user = l, .cancel = &l->cancel};
    vl2_engine *engine = NULL;
    vl2_status status = vl2_engine_open(dir, &options, &engine, err);
    ok((status == VL2_OK) == (engine != NULL), "an engine exactly where loading worked");
    vl2_engine_close(engine);
    return status;
}

/* Makes `name`, [rows][cols] and quantised, an f32 tensor of zeros behind all others. */
static void widen(const char *dir, const char *name, size_t rows, size_t cols) {
    size_t size, bytes = rows * cols * 4, grown;
    uint8_t *file = folder_read(dir, "model.safetensors", &size);
    uint64_t length;
    memcpy(&length, file, sizeof length);
    json_t *header = json_loadb((char *) file + 8, length, 0, NULL);
    size_t data = size - 8 - length;
    json_object_del(json_object_get(header, "__metadata__"), name);
    json_object_set_new(header, name, json_pack("{s:s,s:[I,I],s:[I,I]}", "dtype", "F32", "shape", (json_int_t) rows, (json_int_t) cols,
                                                "data_offsets", (json_int_t) data, (json_int_t) (data + bytes)));
    char *text = json_dumps(header, JSON_COMPACT);
    uint64_t written = strlen(text);
    grown = 8 + written + data + bytes;
    uint8_t *out = calloc(1, grown);
    memcpy(out, &written, sizeof written);
    memcpy(out + 8, text, written);
    memcpy(out + 8 + written, file + 8 + length, data);
    folder_write(dir, "model.safetensors", out, grown);
    json_decref(header);
    free(text);
    free(out);
    free(file);
}

static void test_halves(const char *base) {
    char dir[256], file[300];
    vl2_error err = {.text = ""};
    vl2_engine *engine = NULL;
    struct vl2_quantise_report report;
    folder_make(dir, sizeof dir);
    folder_copy(base, dir);
    snprintf(file, sizeof file, "%s/model.safetensors", dir);
    unlink(file);
    ok(vl2_quantise(base, file, &(struct vl2_quantise_options){.format = VL2_FORMAT_INT8}, &report, &err) == VL2_OK, "int8 is made: %s", err.text);
    ok(vl2_engine_open(dir, &(struct vl2_engine_options){.threads = 1}, &engine, &err) == VL2_OK, "and opens: %s", err.text);
    vl2_engine_close(engine);
    widen(dir, "language.model.layers.1.mlp.experts.3.down_proj.weight", 44, 26);
    ok(vl2_engine_open(dir, &(struct vl2_engine_options){.threads = 1}, &engine, &err) == VL2_OK, "also with one tensor of another type: %s",
       err.text);
    vl2_engine_close(engine);
    widen(dir, "language.model.layers.1.mlp.experts.3.up_proj.weight", 26, 44);
    ok(vl2_engine_open(dir, &(struct vl2_engine_options){.threads = 1}, &engine, &err) == VL2_ERR_MODEL && strstr(err.text, "experts.3") &&
           strstr(err.text, "int8") && strstr(err.text, "f32"),
       "a gate and an up projection that are quantised differently are refused by name: %s", err.text);
    folder_remove(dir);
}

int main(int argc, char **argv) {
    char dir[4096];
    vl2_error err = {.text = ""};
    struct load whole = {.cancel_at = -1}, early = {.cancel_at = -1};
    if (argc != 2)
        return 2;
    folder_expect(argv[1]);
    snprintf(dir, sizeof dir, "%s/tiny_style", argv[1]);
    ok(load(dir, &whole, &err) == VL2_OK && !whole.backwards && whole.calls > 50, "progress is told for every tensor, forwards");
    atomic_store(&early.cancel, true);
    ok(load(dir, &early, &err) == VL2_CANCELLED && early.calls == 0, "a wish to cancel before the start binds nothing");
    for (long at = 0; at < whole.calls - 1; at += 7) { /* after the last report there is nothing left to cancel */
        struct load l = {.cancel_at = at};
        vl2_status status = load(dir, &l, &err);
        ok(status == VL2_CANCELLED && l.calls == at + 1 && strstr(err.text, "cancelled"), "cancelled at tensor %ld, bound no other", at);
    }
    snprintf(dir, sizeof dir, "%s/small_style", argv[1]);
    test_halves(dir);
    return tap_done();
}
