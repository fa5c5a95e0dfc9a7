/* SPDX-License-Identifier: MIT
 *
 * Reads /proc and the control groups (versions 1 and 2); a file that is not there says nothing. See engine/files/system_memory.h.
 */
#include "engine/files/system_memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const uint64_t unknown = UINT64_MAX;

static FILE *open_below(const char *root, const char *path) {
    char full[1200];
    return snprintf(full, sizeof full, "%s/%s", root, path) < (int)sizeof full ? fopen(full, "re") : NULL;
}

/* The number of the line that starts with key, or of a file of one number. */
static uint64_t read_number(const char *root, const char *path, const char *key) {
    FILE *f = open_below(root, path);
    char line[256];
    uint64_t found = unknown;
    size_t length = strlen(key);
    while (f && found == unknown && fgets(line, sizeof line, f)) {
        uint64_t value;
        if (strncmp(line, key, length) == 0 && sscanf(line + length, "%" SCNu64, &value) == 1)
            found = value;
    }
    if (f)
        fclose(f);
    return found;
}

struct group_files { /* of one version of control groups, below its folder */
    const char *folder, *limit, *used, *cached[2];
};

/* What one control group still allows; its page cache can be taken back. */
static uint64_t group_left(const char *root, const struct group_files *files, const char *group) {
    char path[1100];
    snprintf(path, sizeof path, "%s%s/%s", files->folder, group, files->limit);
    uint64_t limit = read_number(root, path, "");
    snprintf(path, sizeof path, "%s%s/%s", files->folder, group, files->used);
    uint64_t used = read_number(root, path, "");
    if (limit == unknown || used == unknown)
        return unknown;
    snprintf(path, sizeof path, "%s%s/memory.stat", files->folder, group);
    for (int i = 0; i < 2; i++) {
        uint64_t cached = read_number(root, path, files->cached[i]);
        used -= cached == unknown ? 0 : cached < used ? cached : used;
    }
    return limit > used ? limit - used : 0;
}

/* The least that a group and the groups above it allow. */
static uint64_t groups_left(const char *root, const struct group_files *files, char *group) {
    uint64_t least = unknown;
    for (;;) {
        uint64_t left = group_left(root, files, group);
        least = left < least ? left : least;
        char *slash = strrchr(group, '/');
        if (!slash)
            return least;
        *slash = 0;
    }
}

/* Lines of /proc/self/cgroup: "0::/path" (version 2), "4:memory:/path" (version 1). */
static uint64_t all_groups_left(const char *root) {
    static const struct group_files v2 = {"sys/fs/cgroup", "memory.max", "memory.current", {"active_file ", "inactive_file "}};
    static const struct group_files v1 = {"sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
                                          {"total_active_file ", "total_inactive_file "}};
    FILE *f = open_below(root, "proc/self/cgroup");
    char line[1000];
    uint64_t least = unknown;
    while (f && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path)
            continue;
        *path++ = 0;
        const struct group_files *files = controllers[1] == 0 ? &v2 : strcmp(controllers + 1, "memory") == 0 ? &v1 : NULL;
        uint64_t left = files ? groups_left(root, files, path) : unknown;
        least = left < least ? left : least;
    }
    if (f)
        fclose(f);
    return least;
}

uint64_t vl2_memory_available_in(const char *root) {
    uint64_t kib = read_number(root, "proc/meminfo", "MemAvailable:"), groups = all_groups_left(root);
    uint64_t system = kib == unknown ? unknown : kib * 1024;
    return groups < system ? groups : system;
}

uint64_t vl2_memory_available(void) {
    return vl2_memory_available_in("");
}
