/* SPDX-License-Identifier: MIT
 *
 * What this machine can do at most, measured. Public beside vlk.h; used by the bench. Threads are started and ended inside.
 */
#ifndef VLK_CEILINGS_H
#define VLK_CEILINGS_H

#include <stddef.h>

/* Measured ceilings of this machine: bytes per second that `threads` read together from a buffer of `bytes`, which should be a
 * multiple of vlk_cache_bytes() (the last cache that all cores share), and floating point operations per second of fused
 * multiply-adds; both at an ISA level. 0 without memory. Each takes some tenths of a second. */
size_t vlk_cache_bytes(void);
double vlk_measure_read(const char *isa, int threads, size_t bytes);
double vlk_measure_fma(const char *isa, int threads);

#endif
