/* SPDX-License-Identifier: MIT
 *
 * The folder and files of a fuzz target, see fuzz.h. Used by the targets only.
 */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_NAMES 8

static char dir[256];
static char names[MAX_NAMES][300];
static size_t n_names;

void fuzz_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: not true: %s\n", file, line, condition);
    abort();
}

static void remove_dir(void)
{
    for (size_t i = 0; i < n_names; i++)
        unlink(names[i]);
    rmdir(dir);
}

const char *fuzz_dir(void)
{
    if (!dir[0]) {
        snprintf(dir, sizeof dir, "%s/sightline-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        CHECK(mkdtemp(dir));
        atexit(remove_dir);
    }
    return dir;
}

static const char *remember(const char *name)
{
    char path[300];

    CHECK((size_t)snprintf(path, sizeof path, "%s/%s", fuzz_dir(), name) < sizeof path);
    for (size_t i = 0; i < n_names; i++)
        if (strcmp(names[i], path) == 0)
            return names[i];
    CHECK(n_names < MAX_NAMES);
    return strcpy(names[n_names++], path);
}

void fuzz_write(const char *name, const void *data, size_t size)
{
    FILE *file = fopen(remember(name), "wb");

    CHECK(file);
    CHECK(fwrite(data, 1, size, file) == size);
    CHECK(fclose(file) == 0);
}

uint8_t *fuzz_read(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;

    *size = 0;
    if (!file)
        return NULL;
    if (fseek(file, 0, SEEK_END) == 0) {
        long end = ftell(file);

        rewind(file);
        data = end >= 0 ? malloc((size_t)end + 1) : NULL;
        if (data)
            *size = fread(data, 1, (size_t)end, file);
    }
    fclose(file);
    return data;
}
