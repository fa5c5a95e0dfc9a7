/* SPDX-License-Identifier: MIT
 *
 * Mapping and the SIGBUS guard. See engine/files/mapped_file.h.
 * The handler may interrupt any thread at any instruction: it uses only atomics, mmap and sigaction, and its registry is a
 * fixed array that is claimed and released without locks.
 */
#include "engine/files/mapped_file.h"

#include "engine/error.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_MAPPINGS = 4096 };

enum slot_state { SLOT_FREE = 0, SLOT_FILLING, SLOT_ACTIVE };

struct slot {
    atomic_int state;
    atomic_uintptr_t start;
    atomic_size_t size;
    atomic_bool damaged;
};

static struct slot slots[MAX_MAPPINGS];
static atomic_int slots_used; /* highest slot ever claimed + 1: how far the handler looks */
static struct sigaction previous_action;
static size_t page_size;
static pthread_once_t guard_once = PTHREAD_ONCE_INIT;
static bool guard_installed;

/* Replaces the rest of the mapping from the faulting page on: after a truncation everything behind it is lost as well, and
 * one call per fault keeps a run over gigabytes of lost pages short. */
static bool replace_lost_pages(uintptr_t address) {
    int used = atomic_load_explicit(&slots_used, memory_order_acquire);
    for (int i = 0; i < used; i++) {
        struct slot *slot = &slots[i];
        if (atomic_load_explicit(&slot->state, memory_order_acquire) != SLOT_ACTIVE)
            continue;
        uintptr_t start = atomic_load_explicit(&slot->start, memory_order_relaxed);
        size_t size = atomic_load_explicit(&slot->size, memory_order_relaxed);
        if (address < start || address - start >= size)
            continue;
        uintptr_t page = address & ~((uintptr_t)page_size - 1);
        void *p = mmap((void *)page, start + size - page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        if (p == MAP_FAILED)
            return false;
        atomic_store_explicit(&slot->damaged, true, memory_order_release);
        return true;
    }
    return false;
}

static void on_sigbus(int signo, siginfo_t *info, void *context) {
    int saved_errno = errno;
    bool handled = info && replace_lost_pages((uintptr_t)info->si_addr);
    errno = saved_errno;
    if (handled)
        return;
    if (previous_action.sa_flags & SA_SIGINFO) {
        previous_action.sa_sigaction(signo, info, context);
    } else if (previous_action.sa_handler != SIG_DFL && previous_action.sa_handler != SIG_IGN) {
        previous_action.sa_handler(signo);
    } else {
        struct sigaction fallback = {.sa_handler = SIG_DFL};
        sigaction(SIGBUS, &fallback, NULL); /* the access is repeated on return and takes its default course */
    }
}

static void install_guard(void) {
    long size = sysconf(_SC_PAGESIZE);
    page_size = size > 0 ? (size_t)size : 4096;
    struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    guard_installed = sigaction(SIGBUS, NULL, &previous_action) == 0 && sigaction(SIGBUS, &action, NULL) == 0;
}

static int claim_slot(uintptr_t start, size_t size) {
    pthread_once(&guard_once, install_guard);
    if (!guard_installed)
        return -1;
    for (int i = 0; i < MAX_MAPPINGS; i++) {
        int expected = SLOT_FREE;
        if (!atomic_compare_exchange_strong(&slots[i].state, &expected, SLOT_FILLING))
            continue;
        atomic_store(&slots[i].start, start);
        atomic_store(&slots[i].size, size);
        atomic_store(&slots[i].damaged, false);
        int used = atomic_load(&slots_used);
        while (used < i + 1 && !atomic_compare_exchange_weak(&slots_used, &used, i + 1)) {
        }
        atomic_store_explicit(&slots[i].state, SLOT_ACTIVE, memory_order_release);
        return i;
    }
    return -1;
}

vl2_status vl2_mapped_file_open(const char *path, struct vl2_mapped_file *out, vl2_error *err) {
    *out = (struct vl2_mapped_file){.slot = -1};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return vl2_fail(err, VL2_ERR_IO, "%s cannot be opened: %s.", path, strerror(errno));
    struct stat st;
    vl2_status status = VL2_OK;
    if (fstat(fd, &st) != 0)
        status = vl2_fail(err, VL2_ERR_IO, "%s cannot be examined: %s.", path, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        status = vl2_fail(err, VL2_ERR_IO, "%s is not a regular file.", path);
    if (status == VL2_OK && st.st_size > 0) {
        size_t size = (size_t)st.st_size;
        void *p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED) {
            status = vl2_fail(err, VL2_ERR_IO, "%s (%zu bytes) cannot be mapped: %s.", path, size, strerror(errno));
        } else {
            madvise(p, size, MADV_HUGEPAGE); /* advice: larger reads when the file is cold, fewer addresses to look up afterwards */
            out->data = p;
            out->size = size;
            out->slot = claim_slot((uintptr_t)p, size);
            if (out->slot < 0) {
                vl2_mapped_file_close(out);
                status = vl2_fail(err, VL2_ERR_IO, "%s cannot be guarded against read errors: more than %d mapped files.", path,
                                  (int)MAX_MAPPINGS);
            }
        }
    }
    close(fd);
    return status;
}

void vl2_mapped_file_close(struct vl2_mapped_file *file) {
    if (file->data) {
        /* Before the unmapping, after which the address may be another mapping's, whose damage would be charged to this one. Nobody
         * reads a file that is being closed. */
        if (file->slot >= 0)
            atomic_store_explicit(&slots[file->slot].state, SLOT_FREE, memory_order_release);
        munmap((void *)(uintptr_t)file->data, file->size);
    }
    *file = (struct vl2_mapped_file){.slot = -1};
}

bool vl2_mapped_file_damaged(const struct vl2_mapped_file *file) {
    return file->slot >= 0 && atomic_load_explicit(&slots[file->slot].damaged, memory_order_acquire);
}
