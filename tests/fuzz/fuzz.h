/* SPDX-License-Identifier: MIT
 *
 * What the fuzz targets share: a private folder in memory to hold the file under test, and CHECK, which ends the process so
 * that libFuzzer (or the replay in `./dev test`) keeps the input. One thread.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#define CHECK(condition)                               \
    do {                                               \
        if (!(condition))                              \
            fuzz_failed(__FILE__, __LINE__, #condition); \
    } while (0)

_Noreturn void fuzz_failed(const char *file, int line, const char *condition);

/* Folder of this process, removed at exit. */
const char *fuzz_dir(void);
/* Writes one file into it, replacing the last one of that name. */
void fuzz_write(const char *name, const void *data, size_t size);
/* Reads a whole file; NULL where it cannot. Released with free(). */
uint8_t *fuzz_read(const char *path, size_t *size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
