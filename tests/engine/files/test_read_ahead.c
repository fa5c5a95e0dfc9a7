/* SPDX-License-Identifier: MIT
 *
 * Reading mapped files ahead: every page of every range is in memory afterwards, a file that was cut meanwhile is no fault, and it can be
 * stopped at any time. On a file system that forgets pages when told to; elsewhere they are there from the start.
 */
#include "engine/files/read_ahead.h"
#include "kernels/vlk.h"
#include "tests/engine/talk.h"
#include "tests/tap.h"

#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>

enum { BYTES = 21 << 20, ODD = 12345 };

struct cold_file {
    char dir[1024], path[1100];
    int fd;
    uint8_t *data;
};

static struct cold_file make_file(void) {
    struct cold_file f;
    uint8_t *bytes = malloc(BYTES);
    memset(bytes, 7, BYTES);
    folder_make(f.dir, sizeof f.dir);
    folder_write(f.dir, "weights", bytes, BYTES);
    free(bytes);
    snprintf(f.path, sizeof f.path, "%s/weights", f.dir);
    f.fd = open(f.path, O_RDWR);
    fdatasync(f.fd);
    posix_fadvise(f.fd, 0, 0, POSIX_FADV_DONTNEED);
    f.data = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, f.fd, 0);
    return f;
}

static void remove_file(struct cold_file *f) {
    munmap(f->data, BYTES);
    close(f->fd);
    folder_remove(f->dir);
}

static size_t pages_missing(const struct cold_file *f) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), n = BYTES / page, missing = 0;
    unsigned char *there = calloc(n, 1);
    mincore(f->data, BYTES, there);
    for (size_t i = 0; i < n; i++)
        missing += !(there[i] & 1);
    free(there);
    return missing;
}

/* Three ranges, out of order and at odd places, that are the whole file. */
static struct vl2_read_ahead *start(const struct cold_file *f) {
    struct vl2_range *ranges = vlk_alloc(3, sizeof *ranges);
    ranges[0] = (struct vl2_range){f->data + BYTES / 2 + ODD, BYTES / 2 - ODD};
    ranges[1] = (struct vl2_range){f->data, ODD};
    ranges[2] = (struct vl2_range){f->data + ODD, BYTES / 2};
    return vl2_read_ahead_start(ranges, 3);
}

static void wait_until_done(const struct vl2_read_ahead *reader) {
    while (!vl2_read_ahead_done(reader))
        sched_yield();
}

int main(void) {
    struct cold_file f = make_file();
    size_t missing = pages_missing(&f);
    tap_diag("%zu of %zu pages are not in memory at first", missing, BYTES / (size_t)sysconf(_SC_PAGESIZE));
    struct vl2_read_ahead *reader = start(&f);
    if (ok(reader != NULL, "it begins"))
        wait_until_done(reader);
    is_int((int64_t)pages_missing(&f), 0, "every page is in memory");
    vl2_read_ahead_stop(reader);
    remove_file(&f);

    f = make_file();
    bool cut = ftruncate(f.fd, BYTES / 3) == 0;
    reader = start(&f);
    if (ok(cut && reader, "it begins on a file that was cut"))
        wait_until_done(reader);
    vl2_read_ahead_stop(reader);
    ok(f.data[0] == 7, "and what is left of it can be read");
    remove_file(&f);

    f = make_file();
    reader = start(&f);
    vl2_read_ahead_stop(reader);
    ok(reader != NULL && f.data[BYTES - 1] == 7, "stopped at once, pages come when they are touched");
    vl2_read_ahead_stop(NULL);
    remove_file(&f);
    return tap_done();
}
