/* SPDX-License-Identifier: MIT
 *
 * Brings pages of mapped files into memory before they are used, in the order of their use and in pieces that a disk likes. It runs on a
 * thread of its own; what it has not reached is read when it is touched, as ever. Used while a model is open.
 */
#ifndef VL2_READ_AHEAD_H
#define VL2_READ_AHEAD_H

#include <stdbool.h>
#include <stddef.h>

struct vl2_range { /* of mapped memory */
    const void *data;
    size_t bytes;
};

struct vl2_read_ahead;

/* Takes the ranges [n], from vlk_alloc(), as its own, and begins. NULL (the ranges are freed) where there is no memory or thread for
 * it: everything works without. The mapping has to outlive it. */
struct vl2_read_ahead *vl2_read_ahead_start(struct vl2_range *ranges, size_t n);
/* True once everything has been read, or cannot be. */
bool vl2_read_ahead_done(const struct vl2_read_ahead *reader);
/* Ends it, after at most a piece that is being read. NULL is ignored. */
void vl2_read_ahead_stop(struct vl2_read_ahead *reader);

#endif
