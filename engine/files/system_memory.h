/* SPDX-License-Identifier: MIT
 *
 * How much memory the system can still give. Used before anything large is made: by the memory plan, a dump, generated weights.
 * Any thread.
 */
#ifndef VL2_SYSTEM_MEMORY_H
#define VL2_SYSTEM_MEMORY_H

#include <stdint.h>

/* Bytes that can still be taken without swapping: free and reclaimable, and no more than the control groups of this process
 * still allow. UINT64_MAX when unknown. */
uint64_t vl2_memory_available(void);

/* The same with `root` before every path that is read: a folder with proc/meminfo, proc/self/cgroup, sys/fs/cgroup. */
uint64_t vl2_memory_available_in(const char *root);

#endif
