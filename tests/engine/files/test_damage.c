/* SPDX-License-Identifier: MIT
 *
 * A model file that is cut while it is in use: the process lives, the call says which file, and the engine can be closed.
 * A SIGBUS elsewhere still reaches the handler that was there before.
 *   test_damage CHECKPOINTS
 */
#include "tests/engine/talk.h"
#include "tests/tap.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

static sigjmp_buf escape;
static volatile sig_atomic_t foreign_faults;

static void on_foreign_fault(int signo) {
    foreign_faults++;
    siglongjmp(escape, 1);
}

/* Pads the header so that the tensors are aligned and stay in the mapped file: the backend copies what is not. */
static void align_tensors(const char *dir) {
    size_t size, padding;
    uint8_t *data = folder_read(dir, "model.safetensors", &size), *padded = calloc(1, size + 64);
    uint64_t length;
    memcpy(&length, data, sizeof length);
    padding = (64 - (8 + (size_t) length) % 64) % 64;
    memcpy(padded, data, 8 + (size_t) length);
    memset(padded + 8 + length, ' ', padding);
    memcpy(padded + 8 + length + padding, data + 8 + length, size - 8 - (size_t) length);
    length += padding;
    memcpy(padded, &length, sizeof length);
    folder_write(dir, "model.safetensors", padded, size + padding);
    free(padded);
    free(data);
}

static void test_cut(const char *base, bool before_sync) {
    char dir[256], path[300];
    vl2_engine *engine = NULL;
    vl2_session *session = NULL;
    vl2_error err = {.text = ""};
    vl2_picture picture = talk_picture(40, 37, 1);
    struct talk talk = {.n_parts = 0};
    talk_user(&talk, &picture, "What is this?");
    folder_make(dir, sizeof dir);
    folder_copy(base, dir);
    align_tensors(dir);
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    ok(vl2_engine_open(dir, &(struct vl2_engine_options){.threads = 2}, &engine, &err) == VL2_OK &&
           vl2_session_open(engine, NULL, &session, &err) == VL2_OK,
       "the copy opens");
    vl2_status status;
    if (before_sync) {
        ok(truncate(path, 4096) == 0, "the file is cut");
        status = vl2_session_sync(session, &talk.conversation, NULL, NULL, &err);
    } else {
        struct vl2_generate_options options = talk_greedy(8);
        ok(vl2_session_sync(session, &talk.conversation, NULL, NULL, &err) == VL2_OK && truncate(path, 4096) == 0,
           "the file is cut after the prompt was read");
        status = vl2_session_generate(session, &options, NULL, NULL, NULL, NULL, &err);
    }
    if (!ok(status == VL2_ERR_IO && strstr(err.text, path), "the call fails and names the file"))
        tap_diag("status %d, \"%s\"", status, err.text);
    ok(vl2_session_sync(session, &talk.conversation, NULL, NULL, &err) == VL2_ERR_IO, "and fails from then on");
    vl2_session_close(session);
    vl2_engine_close(engine);
    ok(vl2_engine_open(dir, NULL, &engine, &err) == VL2_ERR_MODEL && !engine, "the cut file does not open again");
    folder_remove(dir);
}

static void test_foreign(void) {
    char dir[256], path[300];
    folder_make(dir, sizeof dir);
    folder_write(dir, "other", "x", 1);
    snprintf(path, sizeof path, "%s/other", dir);
    int fd = open(path, O_RDWR);
    volatile char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    ok(ftruncate(fd, 0) == 0, "another mapping is cut");
    if (sigsetjmp(escape, 1) == 0)
        (void) p[0];
    is_int(foreign_faults, 1, "its fault reaches the earlier handler, once");
    munmap((void *) (uintptr_t) p, 4096);
    close(fd);
    folder_remove(dir);
}

int main(int argc, char **argv) {
    char base[4096];
    if (argc != 2)
        return 2;
    folder_expect(argv[1]);
    snprintf(base, sizeof base, "%s/tiny_style", argv[1]);
    sigaction(SIGBUS, &(struct sigaction){.sa_handler = on_foreign_fault}, NULL);
    test_cut(base, true);
    test_cut(base, false);
    test_foreign();
    return tap_done();
}
