/* SPDX-License-Identifier: MIT
 *
 * Heap allocation with a failure hook for tests, and the arithmetic of weight dtypes.
 * Called by everything in kernels/ and engine/, on any thread. Knows nothing of backends.
 */
#include "kernels/vlk.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/quant.h"

#define ALIGNMENT 64

static atomic_long fail_after = -1;

void vlk_alloc_fail_after(long n)
{
    atomic_store(&fail_after, n);
}

/* Counts one allocation; true when the hook wants it (and all later ones) to fail. */
static bool must_fail(void)
{
    long left = atomic_load(&fail_after);

    while (left > 0 && !atomic_compare_exchange_weak(&fail_after, &left, left - 1))
        ;
    return left == 0;
}

/* calloc() rather than memset(): fresh pages stay untouched until they are used, so a large cache costs what it holds.
 * The pointer that free() needs lies just below the aligned block. */
static void *aligned_calloc(size_t bytes)
{
    char *raw, *p;

    if (bytes > PTRDIFF_MAX - ALIGNMENT - sizeof(void *) - 1)
        return NULL;
    raw = calloc(1, (bytes ? bytes : 1) + ALIGNMENT + sizeof(void *));
    if (!raw)
        return NULL;
    p = raw + sizeof(void *) + ALIGNMENT - 1;
    p -= (uintptr_t)p % ALIGNMENT;
    memcpy(p - sizeof(void *), &raw, sizeof raw);
    return p;
}

void *vlk_alloc(size_t count, size_t size)
{
    size_t bytes;

    if (must_fail() || __builtin_mul_overflow(count, size, &bytes))
        return NULL;
    return aligned_calloc(bytes);
}

void *vlk_realloc(void *p, size_t old_bytes, size_t new_bytes)
{
    void *fresh = vlk_alloc(new_bytes, 1);

    if (!fresh)
        return NULL;
    if (p)
        memcpy(fresh, p, old_bytes < new_bytes ? old_bytes : new_bytes);
    vlk_free(p);
    return fresh;
}

void vlk_free(void *p)
{
    void *raw;

    if (!p)
        return;
    memcpy(&raw, (char *)p - sizeof(void *), sizeof raw);
    free(raw);
}

size_t vlk_row_bytes(vlk_dtype dtype, int64_t cols)
{
    if (cols <= 0)
        return 0;
    switch (dtype) {
    case VLK_F32:
        return (size_t)cols * 4;
    case VLK_BF16:
    case VLK_F16:
        return (size_t)cols * 2;
    case VLK_I8G:
    case VLK_I4G:
        return vlk_quant_row_bytes(dtype, cols);
    default:
        return 0;
    }
}

const char *vlk_dtype_name(vlk_dtype dtype)
{
    static const char *const names[VLK_DTYPE_COUNT] = { "f32", "bf16", "f16", "int8", "int4" };

    return (unsigned)dtype < VLK_DTYPE_COUNT ? names[dtype] : "unknown";
}
