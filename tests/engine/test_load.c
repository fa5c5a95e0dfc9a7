/* SPDX-License-Identifier: MIT
 *
 * Loading reports its progress and can be cancelled at every step: at most one tensor more is bound after the wish.
 *   test_load CHECKPOINTS
 */
#include "tests/engine/talk.h"
#include "tests/tap.h"

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
    return tap_done();
}
