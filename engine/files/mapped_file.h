/* SPDX-License-Identifier: MIT
 *
 * Read-only mapped files that cannot kill the process. A page that cannot be read any more (the file shrank, the disk or the
 * network failed) would raise SIGBUS; the guard maps zero pages over the rest of the mapping instead and marks it damaged.
 * Whoever computed with the bytes must ask vl2_mapped_file_damaged() before believing the result.
 * Used by checkpoint.c on the inference thread; the signal may arrive on any thread of the backend.
 */
#ifndef VL2_MAPPED_FILE_H
#define VL2_MAPPED_FILE_H

#include "engine/vl2.h"

struct vl2_mapped_file {
    const uint8_t *data; /* NULL when closed; an empty file has data == NULL too */
    size_t size;
    int slot; /* in the guard's registry, -1 = none */
};

/* Maps `path` read-only and registers the mapping with the SIGBUS guard. */
vl2_status vl2_mapped_file_open(const char *path, struct vl2_mapped_file *out, vl2_error *err);
void vl2_mapped_file_close(struct vl2_mapped_file *file);

/* True once a page of the mapping had to be replaced by zeros. */
bool vl2_mapped_file_damaged(const struct vl2_mapped_file *file);

#endif
