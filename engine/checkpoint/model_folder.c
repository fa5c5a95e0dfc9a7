/* SPDX-License-Identifier: MIT
 *
 * What lies in a folder that shall hold a model: vl2_folder_look() of engine/model_folder.h. What people have when a model does not open
 * are downloads that lack a file, stopped half-way, or brought something else under the file's name, and models in other forms.
 * It must not judge what is in a configuration or a header beyond its length: that is for who reads them.
 */
#include "engine/model_folder.h"

#include "engine/files/json.h"
#include "engine/files/mapped_file.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static const char index_name[] = "model.safetensors.index.json", single_name[] = "model.safetensors";

struct look {
    struct vl2_folder *out;
    vl2_folder_fn problem;
    void *user;
    bool headers; /* look into those of weights */
    size_t problems;
};

static void tell(struct look *l, vl2_folder_kind kind, const char *file, const char *wanted, uint64_t bytes, uint64_t needed) {
    l->problems++;
    if (l->problem)
        l->problem(&(struct vl2_folder_problem){kind, file, wanted, bytes, needed}, l->user);
}

static bool join(char out[PATH_MAX], const char *dir, const char *name) {
    return snprintf(out, PATH_MAX, "%s/%s", dir, name) < PATH_MAX;
}

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcasecmp(text + n - m, end) == 0;
}

/* ------------------------------------------------------------------------------------------------ names and snapshots */

static bool is_folder(const char *dir, const char *name) {
    char path[PATH_MAX];
    struct stat st;
    return join(path, dir, name) && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool is_there(const char *dir, const char *name) {
    char path[PATH_MAX];
    return join(path, dir, name) && access(path, F_OK) == 0;
}

struct part {
    const char *text;
    size_t length;
};

/* The last part of path[0 … *end), where *end then is. */
static struct part last_part(const char *path, size_t *end) {
    while (*end > 0 && path[*end - 1] == '/')
        --*end;
    size_t start = *end;
    while (start > 0 && path[start - 1] != '/')
        start--;
    struct part part = {path + start, *end - start};
    *end = start;
    return part;
}

static bool is_part(struct part part, const char *text) {
    return part.length == strlen(text) && memcmp(part.text, text, part.length) == 0;
}

/* "models--ORG--NAME" → NAME. */
static bool cached_name(struct part part, char *name, size_t size) {
    static const char prefix[] = "models--";
    const size_t skip = sizeof prefix - 1;
    if (part.length <= skip || memcmp(part.text, prefix, skip) != 0)
        return false;
    const char *start = part.text + skip, *end = part.text + part.length;
    const char *second = memmem(start, (size_t)(end - start), "--", 2);
    if (second && second + 2 < end)
        start = second + 2;
    snprintf(name, size, "%.*s", (int)(end - start), start);
    return true;
}

void vl2_folder_name(const char *dir, char *name, size_t size) {
    char real[PATH_MAX];
    size_t end = strlen(dir);
    struct part parts[3] = {last_part(dir, &end)};
    if (realpath(dir, real)) { /* for what is above; but a link keeps the name that it was given */
        size_t real_end = strlen(real);
        struct part last = last_part(real, &real_end);
        if (parts[0].length == 0 || is_part(parts[0], ".") || is_part(parts[0], "..") ||
            (last.length == parts[0].length && memcmp(last.text, parts[0].text, last.length) == 0)) {
            dir = real;
            end = real_end;
            parts[0] = last;
        }
    }
    parts[1] = last_part(dir, &end);
    parts[2] = last_part(dir, &end);
    if (cached_name(parts[0], name, size) || (is_part(parts[0], "snapshots") && cached_name(parts[1], name, size)) ||
        (is_part(parts[1], "snapshots") && cached_name(parts[2], name, size)))
        return;
    snprintf(name, size, "%.*s", (int)parts[0].length, parts[0].text);
}

/* The commit that refs/main names, "" where there is none. */
static void read_ref(const char *dir, char ref[NAME_MAX + 1]) {
    char path[PATH_MAX];
    ref[0] = 0;
    FILE *file = join(path, dir, "refs/main") ? fopen(path, "re") : NULL;
    if (!file)
        return;
    size_t n = fread(ref, 1, NAME_MAX, file);
    ref[n] = 0;
    ref[strcspn(ref, "\r\n \t")] = 0;
    if (strchr(ref, '/') || ref[0] == '.')
        ref[0] = 0;
    fclose(file);
}

/* Puts the only snapshot's name into *name, and returns how many there are. */
static size_t find_snapshot(const char *snapshots, char name[NAME_MAX + 1]) {
    size_t found = 0;
    DIR *d = opendir(snapshots);
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.' && is_folder(snapshots, e->d_name)) {
            found++;
            snprintf(name, NAME_MAX + 1, "%s", e->d_name);
        }
    if (d)
        closedir(d);
    return found;
}

/* Moves out->dir from a cache's folder to the snapshot in it. */
static bool enter_cache(struct look *l) {
    char ref[NAME_MAX + 1], snapshots[PATH_MAX], above[PATH_MAX], *dir = l->out->dir;
    size_t end = strlen(dir);
    bool inside = is_part(last_part(dir, &end), "snapshots");
    if (is_there(dir, "config.json") || (!inside && !is_folder(dir, "snapshots")))
        return true;
    if (inside ? !join(above, dir, "..") || snprintf(snapshots, sizeof snapshots, "%s", dir) >= PATH_MAX
               : !join(snapshots, dir, "snapshots") || snprintf(above, sizeof above, "%s", dir) >= PATH_MAX)
        return true;
    read_ref(above, ref);
    size_t found = 1;
    if (!ref[0] || !is_folder(snapshots, ref))
        found = find_snapshot(snapshots, ref);
    if (found != 1) {
        tell(l, found ? VL2_FOLDER_MANY_SNAPSHOTS : VL2_FOLDER_NO_SNAPSHOT, "", "", 0, 0);
        return false;
    }
    char path[PATH_MAX];
    if (join(path, snapshots, ref))
        snprintf(dir, sizeof l->out->dir, "%s", path);
    return true;
}

/* ------------------------------------------------------------------------------------------------ what a file is */

static bool begins(const struct vl2_mapped_file *f, size_t at, const char *text) {
    size_t n = strlen(text);
    return f->size >= at + n && strncasecmp((const char *)f->data + at, text, n) == 0;
}

/* A line or a page of text where weights or an object should be. */
static bool is_page(const struct vl2_mapped_file *f, bool weights) {
    size_t at = begins(f, 0, "\xef\xbb\xbf") ? 3 : 0, end = f->size < 512 ? f->size : 512;
    while (at < end && isspace(f->data[at]))
        at++;
    if (begins(f, at, "<!doctype") || begins(f, at, "<html") || begins(f, at, "<?xml"))
        return true;
    if (at == end || (!weights && (f->data[at] == '{' || f->data[at] == '[')))
        return false;
    for (; at < end; at++)
        if (f->data[at] < ' ' && !isspace(f->data[at]))
            return false;
    return true;
}

/* Bytes that the file must have by the ranges in its header; 0 where the header itself says nothing. */
static uint64_t needed_bytes(const struct vl2_mapped_file *f) {
    static const char key[] = "\"data_offsets\":[";
    uint64_t length = 0, most = 0;
    for (int i = 7; i >= 0; i--)
        length = length << 8 | f->data[i];
    if (length > 100u << 20 || f->size < 9 || f->data[8] != '{')
        return 0;
    if (length > f->size - 8)
        return 8 + length;
    const char *at = (const char *)f->data + 8, *end = at + length;
    while ((at = memmem(at, (size_t)(end - at), key, sizeof key - 1))) {
        uint64_t numbers[2] = {0};
        at += sizeof key - 1;
        for (int k = 0; k < 2; k++, at += at < end)
            for (; at < end && *at >= '0' && *at <= '9'; at++)
                numbers[k] = numbers[k] * 10 + (uint64_t)(*at - '0');
        most = numbers[1] > most ? numbers[1] : most;
    }
    return 8 + length + most;
}

/* Says what is wrong with a file that is there or should be; true where nothing is. */
static bool check_file(struct look *l, const char *name, bool weights) {
    char path[PATH_MAX];
    struct stat st;
    struct vl2_mapped_file f;
    size_t before = l->problems;
    if (!join(path, l->out->dir, name) || lstat(path, &st) != 0) {
        tell(l, VL2_FOLDER_MISSING, name, "", 0, 0);
        return false;
    }
    if (stat(path, &st) != 0) {
        tell(l, VL2_FOLDER_DANGLING, name, "", 0, 0);
        return false;
    }
    if (!S_ISREG(st.st_mode) || vl2_mapped_file_open(path, &f, NULL) != VL2_OK)
        return true; /* whoever reads it says why not */
    if (f.size == 0)
        tell(l, VL2_FOLDER_EMPTY, name, "", 0, 0);
    else if (begins(&f, 0, "version https://git-lfs"))
        tell(l, VL2_FOLDER_POINTER, name, "", 0, 0);
    else if (is_page(&f, weights))
        tell(l, VL2_FOLDER_PAGE, name, "", 0, 0);
    else if (weights && begins(&f, 0, "GGUF"))
        tell(l, VL2_FOLDER_GGUF, name, "", 0, 0);
    else if (weights && begins(&f, 0, "PK\x03\x04"))
        tell(l, VL2_FOLDER_PICKLE, name, "", 0, 0);
    else if (weights && l->headers && f.size > 8 && needed_bytes(&f) > f.size)
        tell(l, VL2_FOLDER_CUT, name, "", f.size, needed_bytes(&f));
    if (weights)
        l->out->weight_bytes += f.size;
    vl2_mapped_file_close(&f);
    return l->problems == before;
}

/* ------------------------------------------------------------------------------------------------ weights */

/* Of each kind, the first by name. */
struct found {
    char shard[NAME_MAX + 1], single[NAME_MAX + 1], index[NAME_MAX + 1], unfinished[NAME_MAX + 1], gguf[NAME_MAX + 1],
        pickle[NAME_MAX + 1], adapter[NAME_MAX + 1];
};

static bool is_shard(const char *name, unsigned *of) {
    const char *mark = strstr(name, "-of-");
    unsigned part;
    return mark && mark - name >= 6 && sscanf(mark - 6, "-%5u-of-%9u", &part, of) == 2 && ends_with(name, ".safetensors");
}

static void keep_first(char *slot, const char *name) {
    if (!slot[0] || strcmp(name, slot) < 0)
        snprintf(slot, NAME_MAX + 1, "%s", name);
}

static void sort_name(struct found *found, const char *name) {
    static const char *const unfinished[] = {".incomplete", ".part", ".crdownload", ".download", ".aria2", ".partial", ".tmp"};
    static const char *const of_training[] = {"training_args", "optimizer", "scheduler", "rng_state"};
    for (size_t i = 0; i < sizeof unfinished / sizeof unfinished[0]; i++)
        if (ends_with(name, unfinished[i])) {
            keep_first(found->unfinished, name);
            return;
        }
    for (size_t i = 0; i < sizeof of_training / sizeof of_training[0]; i++)
        if (strncmp(name, of_training[i], strlen(of_training[i])) == 0)
            return;
    if (strncmp(name, "adapter_", 8) == 0)
        keep_first(found->adapter, name);
    else if (is_shard(name, &(unsigned){0}))
        keep_first(found->shard, name);
    else if (ends_with(name, ".safetensors"))
        keep_first(found->single, name);
    else if (ends_with(name, ".safetensors.index.json"))
        keep_first(found->index, name);
    else if (ends_with(name, ".gguf"))
        keep_first(found->gguf, name);
    else if (ends_with(name, ".bin") || ends_with(name, ".pth") || ends_with(name, ".pt") || ends_with(name, ".ckpt"))
        keep_first(found->pickle, name);
}

/* What a hub's programs have begun to download lies beside the snapshots, or in a hidden folder. */
static void list_folder(const char *dir, struct found *found) {
    static const char *const below[] = {".", "../../blobs", ".cache/huggingface/download"};
    for (size_t i = 0; i < sizeof below / sizeof below[0]; i++) {
        char path[PATH_MAX];
        DIR *d = join(path, dir, below[i]) ? opendir(path) : NULL;
        for (struct dirent *e; d && (e = readdir(d));)
            if (i == 0)
                sort_name(found, e->d_name);
            else if (ends_with(e->d_name, ".incomplete"))
                keep_first(found->unfinished, e->d_name);
        if (d)
            closedir(d);
    }
}

/* The other files of "model-00001-of-00008.safetensors". */
static void check_series(struct look *l, const char *shard) {
    char name[NAME_MAX + 32];
    unsigned of = 0;
    is_shard(shard, &of);
    const char *mark = strstr(shard, "-of-");
    for (unsigned i = 1; i <= of && i <= 1024; i++) {
        snprintf(name, sizeof name, "%.*s-%05u%s", (int)(mark - 6 - shard), shard, i, mark);
        check_file(l, name, true);
    }
}

/* The cause, where no file of weights has the name that is looked for. */
static void explain(struct look *l, const struct found *f) {
    static const struct {
        vl2_folder_kind kind;
        size_t offset;
        const char *wanted;
    } causes[] = {
        {VL2_FOLDER_NO_INDEX, offsetof(struct found, shard), index_name},
        {VL2_FOLDER_OTHER_NAME, offsetof(struct found, single), single_name},
        {VL2_FOLDER_ADAPTER, offsetof(struct found, adapter), ""},
        {VL2_FOLDER_GGUF, offsetof(struct found, gguf), ""},
        {VL2_FOLDER_PICKLE, offsetof(struct found, pickle), ""},
    };
    for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++) {
        const char *file = (const char *)f + causes[i].offset;
        if (!file[0])
            continue;
        if (causes[i].kind == VL2_FOLDER_NO_INDEX && f->index[0])
            tell(l, VL2_FOLDER_OTHER_NAME, f->index, index_name, 0, 0);
        else
            tell(l, causes[i].kind, file, causes[i].wanted, 0, 0);
        if (causes[i].kind == VL2_FOLDER_NO_INDEX)
            check_series(l, file);
        return;
    }
    if (!f->unfinished[0])
        tell(l, VL2_FOLDER_NO_WEIGHTS, "", "", 0, 0);
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Each file that the index names, once. */
static void check_indexed(struct look *l) {
    json_t *index = NULL, *value;
    const char *tensor;
    if (!check_file(l, index_name, false) || vl2_json_load(l->out->dir, index_name, &index, NULL) != VL2_OK)
        return;
    json_t *map = json_object_get(index, "weight_map");
    size_t n = 0;
    const char **names = calloc(json_object_size(map) + 1, sizeof *names);
    json_object_foreach (map, tensor, value)
        if (names && json_is_string(value) && !strchr(json_string_value(value), '/'))
            names[n++] = json_string_value(value);
    if (n)
        qsort(names, n, sizeof *names, compare_names);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(names[i], names[i - 1]) != 0)
            check_file(l, names[i], true);
    free(names);
    json_decref(index);
}

static void check_weights(struct look *l, const struct found *found) {
    if (is_there(l->out->dir, index_name))
        check_indexed(l);
    else if (strcmp(found->single, single_name) == 0 || is_there(l->out->dir, single_name))
        check_file(l, single_name, true);
    else
        explain(l, found);
}

/* ------------------------------------------------------------------------------------------------ the folder */

static void read_type(struct look *l) {
    json_t *config = NULL;
    if (vl2_json_load(l->out->dir, "config.json", &config, NULL) != VL2_OK)
        return;
    const char *type = json_string_value(json_object_get(config, "model_type"));
    snprintf(l->out->model_type, sizeof l->out->model_type, "%s", type ? type : "");
    json_decref(config);
}

static void check_files(struct look *l) {
    static const char *const needed[] = {"config.json", "processor_config.json", "tokenizer.json"};
    struct found found = {.shard = ""};
    const char *dir = l->out->dir;
    list_folder(dir, &found);
    bool has_weights = is_there(dir, index_name) || found.shard[0] || found.single[0] || found.gguf[0] || found.pickle[0] ||
                       found.adapter[0] || found.unfinished[0];
    if (!has_weights && !is_there(dir, needed[0]) && !is_there(dir, needed[1])) {
        tell(l, VL2_FOLDER_NO_MODEL, "", "", 0, 0);
        return;
    }
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
        check_file(l, needed[i], false);
    if (is_there(dir, "tokenizer_config.json"))
        check_file(l, "tokenizer_config.json", false);
    read_type(l);
    check_weights(l, &found);
    if (found.unfinished[0] && (l->problems > 0 || l->out->weight_bytes == 0)) /* beside a whole model it is no matter */
        tell(l, VL2_FOLDER_UNFINISHED, found.unfinished, "", 0, 0);
}

void vl2_folder_find(const char *dir, char *out, size_t size) {
    struct vl2_folder folder;
    struct look l = {.out = &folder};
    bool fits = snprintf(folder.dir, sizeof folder.dir, "%s", dir) < (int)sizeof folder.dir;
    snprintf(out, size, "%s", fits && enter_cache(&l) ? folder.dir : dir);
}

size_t vl2_folder_look(const char *dir, bool headers, struct vl2_folder *out, vl2_folder_fn problem, void *user) {
    struct look l = {.out = out, .problem = problem, .user = user, .headers = headers};
    struct stat st;
    *out = (struct vl2_folder){.weight_bytes = 0};
    vl2_folder_name(dir, out->name, sizeof out->name);
    if (snprintf(out->dir, sizeof out->dir, "%s", dir) >= (int)sizeof out->dir || stat(dir, &st) != 0)
        tell(&l, VL2_FOLDER_ABSENT, "", "", 0, 0);
    else if (!S_ISDIR(st.st_mode))
        tell(&l, VL2_FOLDER_NO_FOLDER, "", "", 0, 0);
    else if (enter_cache(&l))
        check_files(&l);
    return l.problems;
}
