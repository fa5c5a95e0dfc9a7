/* SPDX-License-Identifier: MIT
 *
 * Heap allocation with a failure hook for tests, and the arithmetic of weight dtypes.
 * Called by everything in kernels/ and engine/, on any thread. Knows nothing of backends.
 */
#include "kernels/vlk.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernels/quant.h"

#define ALIGNMENT 64
#if defined(__has_feature) /* clang */
#if __has_feature(address_sanitizer)
#define WATCHED
#endif
#elif defined(__SANITIZE_ADDRESS__) /* gcc */
#define WATCHED
#endif
#ifdef WATCHED
#define MAY_MAP 0 /* what watches the ends of blocks knows the heap alone */
#else
#define MAY_MAP 1
#endif

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

/* What lies just below a block. */
struct header {
    void *from;    /* for free(), or the mapping */
    size_t mapped; /* bytes of the mapping; 0: from the heap */
};

/* Large blocks are mappings of their own on huge pages: with pages of 4 KiB a product of 512 rows touches more of them than a core's
 * table of addresses holds, and a third of its time goes into looking them up. Where there are no huge pages the advice does nothing.
 * Blocks begin at different lines of a page, lest all of them meet in the same cache sets. */
static void *map_huge(size_t bytes)
{
    static atomic_uint colour;
    const size_t head = ALIGNMENT * (1 + 5 * (size_t)(atomic_fetch_add(&colour, 1) % 12));
    struct header h = { .mapped = (head + bytes + VLK_HUGE_PAGE - 1) / VLK_HUGE_PAGE * VLK_HUGE_PAGE };
    char *raw = mmap(NULL, h.mapped + VLK_HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t before;

    if (raw == MAP_FAILED)
        return NULL;
    before = (VLK_HUGE_PAGE - (uintptr_t)raw % VLK_HUGE_PAGE) % VLK_HUGE_PAGE;
    if (before)
        munmap(raw, before);
    if (before < VLK_HUGE_PAGE)
        munmap(raw + before + h.mapped, VLK_HUGE_PAGE - before);
    h.from = raw + before;
    madvise(h.from, h.mapped, MADV_HUGEPAGE);
    memcpy(raw + before + head - sizeof h, &h, sizeof h);
    return raw + before + head;
}

/* calloc() rather than memset(): fresh pages stay untouched until they are used, so a large cache costs what it holds. */
static void *aligned_calloc(size_t bytes)
{
    struct header h = { 0 };
    char *p;

    h.from = calloc(1, (bytes ? bytes : 1) + ALIGNMENT + sizeof h);
    if (!h.from)
        return NULL;
    p = (char *)h.from + sizeof h + ALIGNMENT - 1;
    p -= (uintptr_t)p % ALIGNMENT;
    memcpy(p - sizeof h, &h, sizeof h);
    return p;
}

void *vlk_alloc(size_t count, size_t size)
{
    size_t bytes;

    if (must_fail() || __builtin_mul_overflow(count, size, &bytes) || bytes > PTRDIFF_MAX / 2)
        return NULL;
    return bytes >= VLK_HUGE_PAGE && MAY_MAP ? map_huge(bytes) : aligned_calloc(bytes);
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
    struct header h;

    if (!p)
        return;
    memcpy(&h, (char *)p - sizeof h, sizeof h);
    if (h.mapped)
        munmap(h.from, h.mapped);
    else
        free(h.from);
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
