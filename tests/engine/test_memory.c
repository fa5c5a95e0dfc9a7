/* SPDX-License-Identifier: MIT
 *
 * Every allocation fails once: opening a model, reading a conversation with a picture, answering and saving either works or ends with
 * VL2_ERR_MEMORY, leaks nothing and can be repeated. The JSON library reports some of its own failures as bad syntax.
 * Meant for the sanitizer build.
 *   test_memory CHECKPOINTS
 */
#include "kernels/vlk.h"
#include "tests/engine/talk.h"
#include "tests/tap.h"

#include <jansson.h>

static vl2_picture picture;
static vl2_error err;
static char snapshot[1100];

/* The whole life of a model. `*step` says how far it came. */
static vl2_status live(const char *dir, const char **step) {
    vl2_engine *engine = NULL;
    vl2_session *session = NULL;
    struct talk talk = {.n_parts = 0};
    struct vl2_generate_options options = talk_greedy(4);
    options.constrain_boxes = true;
    talk_user(&talk, &picture, "What is this?");
    *step = "open";
    vl2_status status = vl2_engine_open(dir, &(struct vl2_engine_options){.threads = 1}, &engine, &err);
    if (status == VL2_OK) {
        *step = "session";
        status = vl2_session_open(engine, NULL, &session, &err);
    }
    if (status == VL2_OK) {
        *step = "sync";
        status = vl2_session_sync(session, &talk.conversation, NULL, NULL, &err);
    }
    if (status == VL2_OK) {
        *step = "generate";
        status = vl2_session_generate(session, &options, NULL, NULL, NULL, NULL, &err);
    }
    if (status == VL2_OK) {
        *step = "save";
        status = vl2_session_save(session, snapshot, 0, NULL, &err);
    }
    if (status == VL2_OK) {
        *step = "restore";
        status = vl2_session_restore(session, snapshot, &err);
    }
    if (status == VL2_OK) {
        *step = "plan";
        struct vl2_plan plan;
        status = vl2_plan_make(engine, &talk.conversation, NULL, 0, &plan, &err);
        if (status == VL2_OK)
            vl2_plan_deinit(&plan);
    }
    if (status == VL2_OK)
        *step = "end";
    vl2_session_close(session);
    vl2_engine_close(engine);
    return status;
}

static vl2_status inspect(const char *dir, const char **step) {
    struct vl2_inspection found;
    *step = "inspect";
    return vl2_inspect(dir, NULL, NULL, &found, &err);
}

static void *json_alloc(size_t size) {
    return vlk_alloc(1, size);
}

/* Fails the n-th allocation and all later ones, n = first, first + stride, …, until nothing fails any more. */
static void sweep(vl2_status (*run)(const char *, const char **), const char *dir, const char *what, long stride, bool json) {
    long n = 0, wrong = 0, failed = 0;
    const char *step;
    /* What fails without this, a folder that is not there for example, would fail for every n. */
    if (!ok(run(dir, &step) == VL2_OK, "%s: works while memory lasts", what)) {
        tap_diag("%s: %s", step, err.text);
        return;
    }
    for (;; n += stride) {
        err = (vl2_error){.text = ""};
        vlk_alloc_fail_after(n);
        vl2_status status = run(dir, &step);
        vlk_alloc_fail_after(-1);
        if (status == VL2_OK)
            break;
        failed++;
        if ((status != VL2_ERR_MEMORY && !(json && status == VL2_ERR_MODEL)) || !err.text[0]) {
            if (wrong++ < 5)
                tap_diag("allocation %ld, %s: status %d, \"%s\"", n, step, status, err.text);
        }
    }
    ok(failed > 0 && wrong == 0, "%s: each of %ld failures is reported and survived", what, failed);
}

int main(int argc, char **argv) {
    char dir[4096];
    const char *step;
    if (argc != 2)
        return 2;
    snprintf(dir, sizeof dir, "%s/identity_projector", argv[1]);
    picture = talk_picture(20, 13, 1);
    char folder[1000];
    folder_make(folder, sizeof folder);
    snprintf(snapshot, sizeof snapshot, "%s/s.kv", folder);
    sweep(inspect, dir, "inspecting a folder", 1, false);
    sweep(live, dir, "kernels and engine", 1, false);
    json_set_alloc_funcs(json_alloc, vlk_free);
    sweep(live, dir, "with the JSON library", 23, true);
    ok(live(dir, &step) == VL2_OK, "everything works again afterwards");
    folder_remove(folder);
    return tap_done();
}
