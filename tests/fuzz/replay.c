/* SPDX-License-Identifier: MIT
 *
 * main() of a fuzz target in `./dev test`: runs it over every file of the kept corpus, and over every prefix of the small ones
 * (a truncated file is the commonest broken file). Speaks TAP: one line for each corpus file.
 */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PREFIXES 600

static void replay(const char *path)
{
    size_t size;
    uint8_t *data = fuzz_read(path, &size);

    CHECK(data);
    LLVMFuzzerTestOneInput(data, size);
    for (size_t prefix = 0, step = size / MAX_PREFIXES + 1; prefix < size; prefix += step) {
        uint8_t *exact = malloc(prefix + 1); /* of the exact size, so that a read past the end is seen */

        CHECK(exact);
        memcpy(exact, data, prefix);
        exact = realloc(exact, prefix ? prefix : 1);
        CHECK(exact);
        LLVMFuzzerTestOneInput(exact, prefix);
        free(exact);
    }
    free(data);
}

int main(int argc, char **argv)
{
    struct dirent **entries;
    int n, ran = 0;

    CHECK(argc == 2);
    n = scandir(argv[1], &entries, NULL, alphasort);
    CHECK(n >= 0);
    for (int i = 0; i < n; i++) {
        char path[1024];

        if (entries[i]->d_name[0] != '.') {
            snprintf(path, sizeof path, "%s/%s", argv[1], entries[i]->d_name);
            replay(path);
            printf("ok %d - %s\n", ++ran, entries[i]->d_name);
        }
        free(entries[i]);
    }
    free(entries);
    printf("1..%d\n", ran);
    return ran ? 0 : 1;
}
