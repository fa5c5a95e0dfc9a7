/* SPDX-License-Identifier: MIT
 *
 * Every allocation fails once: opening a model, reading a conversation with a picture, answering and saving either works or ends with
 * VL2_ERR_MEMORY, leaks nothing and can be repeated: by the same engine and the same session, with the same answer, once there is
 * room. The JSON library reports some of its own failures as bad syntax.
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

/* What is asked of one session; a failed answer starts again with its sync, as its tokens are told already. */
struct work {
    vl2_session *session;
    struct talk talk;
    struct talk_text text;
};

static vl2_status work(struct work *w, const char **step) {
    struct vl2_generate_options options = talk_greedy(6);
    options.constrain_boxes = true;
    w->text = (struct talk_text){.length = 0};
    *step = "sync";
    vl2_status status = vl2_session_sync(w->session, &w->talk.conversation, NULL, NULL, &err);
    if (status == VL2_OK) {
        *step = "generate";
        status = vl2_session_generate(w->session, &options, NULL, talk_on_token, &w->text, NULL, &err);
    }
    if (status == VL2_OK) {
        *step = "save";
        status = vl2_session_save(w->session, snapshot, 0, NULL, &err);
    }
    return status;
}

/* The n-th allocation and all later ones fail; then the same is asked again of the same engine. */
static void sweep_again(const char *dir) {
    static struct work w;
    static struct talk_text whole;
    long n = 0, failed = 0, wrong = 0;
    size_t bytes = 0, kept;
    for (bool done = false; !done; n++) {
        const char *step = "open", *again;
        vl2_engine *engine = NULL;
        w = (struct work){.session = NULL};
        talk_user(&w.talk, &picture, "What is this?");
        if (vl2_engine_open(dir, &(struct vl2_engine_options){.threads = 1}, &engine, &err) != VL2_OK ||
            vl2_session_open(engine, NULL, &w.session, &err) != VL2_OK) {
            ok(false, "%s", err.text);
            return;
        }
        if (n == 0) { /* how it is when nothing fails */
            ok(work(&w, &step) == VL2_OK && w.text.tokens > 0, "it works while memory lasts");
            whole = w.text;
        } else {
            char *before = folder_read_path(snapshot, &bytes);
            vlk_alloc_fail_after(n - 1);
            vl2_status status = work(&w, &step);
            vlk_alloc_fail_after(-1);
            char *now = folder_read_path(snapshot, &kept);
            bool right = status == VL2_OK || (status == VL2_ERR_MEMORY && kept == bytes && memcmp(before, now, bytes) == 0);
            free(before);
            free(now);
            done = status == VL2_OK;
            failed += !done;
            status = work(&w, &again);
            right = right && status == VL2_OK && w.text.tokens == whole.tokens &&
                    memcmp(w.text.ids, whole.ids, whole.tokens * sizeof whole.ids[0]) == 0;
            if (!right && wrong++ < 5)
                tap_diag("allocation %ld, %s: then %s has status %d, \"%s\"", n - 1, step, again, status, err.text);
        }
        vl2_session_close(w.session);
        vl2_engine_close(engine);
    }
    ok(failed > 50 && wrong == 0, "after each of %ld failures the same engine gives the same answer and the file was as before", failed);
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
    sweep_again(dir);
    json_set_alloc_funcs(json_alloc, vlk_free);
    sweep(live, dir, "with the JSON library", 23, true);
    ok(live(dir, &step) == VL2_OK, "everything works again afterwards");
    folder_remove(folder);
    return tap_done();
}
