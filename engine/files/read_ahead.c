/* SPDX-License-Identifier: MIT
 *
 * A thread that walks through the ranges piece by piece (engine/files/read_ahead.h). The kernel is asked for a few pieces while it
 * fills the one before: so few that little is read in vain when it is stopped, so many that the disk never waits. A page that was
 * cut off the file is no fault here, only an error of the call.
 */
#include "engine/files/read_ahead.h"

#include "kernels/vlk.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14; an older kernel refuses it */
#endif

enum { PIECE = 8 << 20, AHEAD = 4 };

struct vl2_read_ahead {
    pthread_t thread;
    atomic_bool stop, done;
    struct vl2_range *ranges;
    size_t n;
};

/* Where the reading is: bytes from `at` on of a range. */
struct cursor {
    size_t range, at;
};

/* The next piece, on whole pages; 0 bytes: there is none. */
static struct vl2_range take_piece(const struct vl2_read_ahead *r, struct cursor *p) {
    while (p->range < r->n && p->at >= r->ranges[p->range].bytes)
        *p = (struct cursor){p->range + 1, 0};
    if (p->range == r->n)
        return (struct vl2_range){NULL, 0};
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)r->ranges[p->range].data + p->at, first = from & ~(page - 1);
    size_t left = r->ranges[p->range].bytes - p->at, bytes = left < PIECE ? left : PIECE;
    p->at += bytes;
    return (struct vl2_range){(const void *)first, bytes + (from - first)};
}

static void ask(struct vl2_range piece) {
    if (piece.bytes > 0)
        madvise((void *)(uintptr_t)piece.data, piece.bytes, MADV_WILLNEED);
}

static void *read_all(void *user) {
    struct vl2_read_ahead *r = user;
    struct cursor asked = {0}, cursor = {0};
    struct vl2_range piece;
    for (int i = 0; i < AHEAD; i++)
        ask(take_piece(r, &asked));
    while (!atomic_load(&r->stop) && (piece = take_piece(r, &cursor)).bytes > 0) {
        ask(take_piece(r, &asked));
        madvise((void *)(uintptr_t)piece.data, piece.bytes, MADV_POPULATE_READ);
    }
    atomic_store(&r->done, true);
    return NULL;
}

struct vl2_read_ahead *vl2_read_ahead_start(struct vl2_range *ranges, size_t n) {
    struct vl2_read_ahead *r = vlk_alloc(1, sizeof *r);
    if (r) {
        r->ranges = ranges;
        r->n = n;
    }
    if (!r || pthread_create(&r->thread, NULL, read_all, r) != 0) {
        vlk_free(ranges);
        vlk_free(r);
        return NULL;
    }
    return r;
}

bool vl2_read_ahead_done(const struct vl2_read_ahead *r) {
    return atomic_load(&r->done);
}

void vl2_read_ahead_stop(struct vl2_read_ahead *r) {
    if (!r)
        return;
    atomic_store(&r->stop, true);
    pthread_join(r->thread, NULL);
    vlk_free(r->ranges);
    vlk_free(r);
}
