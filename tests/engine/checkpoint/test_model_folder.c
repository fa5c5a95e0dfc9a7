/* SPDX-License-Identifier: MIT
 *
 * What people have in a folder when a model does not open: each is told by its kind, with the file, and all of it.
 */
#include "engine/model_folder.h"
#include "tests/engine/talk.h"
#include "tests/tap.h"

#include <limits.h>

static char root[256], dir[512];

static const char weights[] = "\x40\0\0\0\0\0\0\0{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{}}   12345678";
enum { WEIGHTS = sizeof weights - 1 };

static void put(const char *name, const void *data, size_t size) {
    folder_write(dir, name, data, size);
}

static void text(const char *name, const char *data) {
    put(name, data, strlen(data));
}

static void make_folder(const char *name) {
    snprintf(dir, sizeof dir, "%s/%s", root, name);
    mkdir(dir, 0700);
}

/* A folder with everything but the weights. */
static void begin(const char *name) {
    make_folder(name);
    text("config.json", "\xef\xbb\xbf{\"model_type\": \"deepseek_vl_v2\"}");
    text("processor_config.json", "{}");
    text("tokenizer.json", "{}");
}

static void drop(const char *name) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    unlink(path);
}

/* Problems as "kind:file:wanted ", in the order in which they are told. */
static void on_problem(const struct vl2_folder_problem *p, void *user) {
    char *out = user;
    size_t at = strlen(out);
    snprintf(out + at, 1024 - at, "%s%d:%s", at ? " " : "", (int) p->kind, p->file);
    if (p->wanted[0])
        snprintf(out + strlen(out), 1024 - strlen(out), ":%s", p->wanted);
    if (p->needed)
        snprintf(out + strlen(out), 1024 - strlen(out), ":%d/%d", (int) p->bytes, (int) p->needed);
}

static struct vl2_folder folder;

static const char *look(void) {
    static char out[1024];
    out[0] = 0;
    size_t n = vl2_folder_look(dir, true, &folder, on_problem, out), told = out[0] != 0;
    for (const char *c = out; *c; c++)
        told += *c == ' ';
    return n == told ? out : "(another number)";
}

static void expect(const char *what, const char *format, ...) {
    char want[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(want, sizeof want, format, args);
    va_end(args);
    is_str(look(), want, what);
}

static void test_files(void) {
    static const char pointer[] = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    begin("good");
    put("model.safetensors", weights, WEIGHTS);
    expect("a whole model", "%s", "");
    ok(strcmp(folder.name, "good") == 0 && strcmp(folder.dir, dir) == 0 && strcmp(folder.model_type, "deepseek_vl_v2") == 0 &&
           folder.weight_bytes == WEIGHTS,
       "and what it is");
    text("model.safetensors.part", "x");
    expect("a download beside it is no matter", "%s", "");
    drop("model.safetensors.part");
    put("model.safetensors", weights, WEIGHTS - 1);
    expect("a byte that is missing", "%d:model.safetensors:%d/%d", VL2_FOLDER_CUT, WEIGHTS - 1, WEIGHTS);
    ok(vl2_folder_look(dir, false, &folder, NULL, NULL) == 0, "is not seen without a look into the header");
    put("model.safetensors", weights, 20);
    expect("a header that ends early", "%d:model.safetensors:20/72", VL2_FOLDER_CUT);
    put("model.safetensors", "", 0);
    expect("an empty file", "%d:model.safetensors", VL2_FOLDER_EMPTY);
    text("model.safetensors", pointer);
    expect("a pointer", "%d:model.safetensors", VL2_FOLDER_POINTER);
    text("model.safetensors", "  \n<!DOCTYPE html>");
    expect("a page", "%d:model.safetensors", VL2_FOLDER_PAGE);
    text("model.safetensors", "Entry not found");
    expect("a line of a server", "%d:model.safetensors", VL2_FOLDER_PAGE);
    put("model.safetensors", "GGUF\3\0\0\0", 8);
    expect("another format under the name", "%d:model.safetensors", VL2_FOLDER_GGUF);
    put("model.safetensors", weights, WEIGHTS);
    text("tokenizer.json", pointer);
    drop("processor_config.json");
    text("tokenizer_config.json", "Access to this model is restricted.");
    expect("all of it is told", "%d:processor_config.json %d:tokenizer.json %d:tokenizer_config.json", VL2_FOLDER_MISSING, VL2_FOLDER_POINTER,
           VL2_FOLDER_PAGE);
    drop("model.safetensors");
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    ok(symlink("/nowhere/at all", path) == 0, "a link");
    text("tokenizer.json", "{}");
    text("processor_config.json", "{}");
    drop("tokenizer_config.json");
    expect("a link to nothing", "%d:model.safetensors", VL2_FOLDER_DANGLING);
}

static void test_weights(void) {
    static const char index[] = "{\"weight_map\":{\"a\":\"model-00001-of-00003.safetensors\",\"b\":\"model-00002-of-00003.safetensors\","
                                "\"c\":\"model-00003-of-00003.safetensors\",\"d\":\"model-00002-of-00003.safetensors\"}}";
    begin("none");
    expect("no weights", "%d:", VL2_FOLDER_NO_WEIGHTS);
    text("training_args.bin", "PK\3\4");
    expect("what training left is none", "%d:", VL2_FOLDER_NO_WEIGHTS);
    text("pytorch_model-00001-of-00002.bin", "PK\3\4");
    expect("PyTorch's form", "%d:pytorch_model-00001-of-00002.bin", VL2_FOLDER_PICKLE);
    text("model-Q4_K_M.gguf", "GGUF");
    expect("llama.cpp's form", "%d:model-Q4_K_M.gguf", VL2_FOLDER_GGUF);
    text("adapter_model.safetensors", "x");
    expect("an adapter", "%d:adapter_model.safetensors", VL2_FOLDER_ADAPTER);
    text("weights.safetensors", "x");
    expect("another name", "%d:weights.safetensors:model.safetensors", VL2_FOLDER_OTHER_NAME);

    begin("shards");
    put("model-00001-of-00003.safetensors", weights, WEIGHTS);
    expect("files without their index, and the other files", "%d:model-00001-of-00003.safetensors:model.safetensors.index.json "
           "%d:model-00002-of-00003.safetensors %d:model-00003-of-00003.safetensors", VL2_FOLDER_NO_INDEX, VL2_FOLDER_MISSING,
           VL2_FOLDER_MISSING);
    put("model-00002-of-00003.safetensors", weights, WEIGHTS);
    put("model-00003-of-00003.safetensors", weights, WEIGHTS);
    text("weights.safetensors.index.json", index);
    expect("an index of another name", "%d:weights.safetensors.index.json:model.safetensors.index.json", VL2_FOLDER_OTHER_NAME);
    text("model.safetensors.index.json", index);
    expect("an index and its files", "%s", "");
    ok(folder.weight_bytes == 3 * WEIGHTS, "each counted once");
    drop("model-00002-of-00003.safetensors");
    put("model-00003-of-00003.safetensors", weights, WEIGHTS - 4);
    text("model-00002-of-00003.safetensors.incomplete", "x");
    expect("what an index names and is not there, or is cut, and why", "%d:model-00002-of-00003.safetensors "
           "%d:model-00003-of-00003.safetensors:%d/%d %d:model-00002-of-00003.safetensors.incomplete", VL2_FOLDER_MISSING, VL2_FOLDER_CUT,
           WEIGHTS - 4, WEIGHTS, VL2_FOLDER_UNFINISHED);
    text("model.safetensors.index.json", "Entry not found");
    expect("an index that is a message", "%d:model.safetensors.index.json %d:model-00002-of-00003.safetensors.incomplete", VL2_FOLDER_PAGE,
           VL2_FOLDER_UNFINISHED);

    begin("started");
    text("model.safetensors.crdownload", "x");
    expect("nothing but a download that has begun", "%d:model.safetensors.crdownload", VL2_FOLDER_UNFINISHED);
}

static void test_folder(void) {
    make_folder("nothing");
    text("notes.txt", "x");
    expect("a folder of something else", "%d:", VL2_FOLDER_NO_MODEL);
    snprintf(dir, sizeof dir, "%s/nothing/notes.txt", root);
    expect("a file", "%d:", VL2_FOLDER_NO_FOLDER);
    snprintf(dir, sizeof dir, "%s/gone/", root);
    expect("no folder", "%d:", VL2_FOLDER_ABSENT);
    char found[600];
    vl2_folder_find(dir, found, sizeof found);
    is_str(found, dir, "is found where it was named");
    is_str(folder.name, "gone", "still has a name");
}

/* A snapshot of a model in a hub's cache. */
static void snapshot(const char *model, const char *commit) {
    char path[600];
    make_folder(model);
    snprintf(path, sizeof path, "%s/snapshots", model);
    make_folder(path);
    if (!commit)
        return;
    snprintf(path, sizeof path, "%s/snapshots/%s", model, commit);
    begin(path);
    put("model.safetensors", weights, WEIGHTS);
}

static void test_cache(void) {
    char wanted[1024];
    snapshot("models--deepseek-ai--deepseek-vl2-tiny", NULL);
    snprintf(dir, sizeof dir, "%s/models--deepseek-ai--deepseek-vl2-tiny", root);
    expect("a cache without a snapshot", "%d:", VL2_FOLDER_NO_SNAPSHOT);
    snapshot("models--deepseek-ai--deepseek-vl2-tiny", "66c54660");
    snprintf(wanted, sizeof wanted, "%s/models--deepseek-ai--deepseek-vl2-tiny/snapshots/66c54660", root);
    static const char *const ways[] = {"", "/", "/snapshots", "/snapshots/", "/snapshots/66c54660"};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        char path[512];
        snprintf(dir, sizeof dir, "%s/models--deepseek-ai--deepseek-vl2-tiny%s", root, ways[i]);
        expect("a cache's model", "%s", "");
        is_str(folder.name, "deepseek-vl2-tiny", ways[i]);
        ok(realpath(folder.dir, path) && strcmp(path, wanted) == 0, "is in its snapshot");
        vl2_folder_find(dir, path, sizeof path);
        is_str(path, folder.dir, "where it is found at once");
    }
    snapshot("models--deepseek-ai--deepseek-vl2-tiny", "70000000");
    snprintf(dir, sizeof dir, "%s/models--deepseek-ai--deepseek-vl2-tiny", root);
    expect("two snapshots", "%d:", VL2_FOLDER_MANY_SNAPSHOTS);
    make_folder("models--deepseek-ai--deepseek-vl2-tiny/refs");
    text("main", "70000000\n");
    snprintf(dir, sizeof dir, "%s/models--deepseek-ai--deepseek-vl2-tiny", root);
    expect("and which is the present one", "%s", "");
    ok(strstr(folder.dir, "/snapshots/70000000"), "it is taken");
    snapshot("models--a--b--c", "1");
    is_str(look(), "", "a name with two hyphens");
    is_str(folder.name, "b--c", "is kept");
    char link[PATH_MAX], name[64];
    snprintf(link, sizeof link, "%s/mine", root);
    ok(symlink(dir, link) == 0, "a link to a snapshot");
    vl2_folder_name(link, name, sizeof name);
    is_str(name, "mine", "is called as the link is");
    ok(chdir(dir) == 0, "inside of a snapshot");
    vl2_folder_name(".", name, sizeof name);
    is_str(name, "b--c", "a dot is the model's name");
    ok(chdir("/") == 0, "outside");
    vl2_folder_name("/", name, sizeof name);
    is_str(name, "", "the root has none");
}

static void remove_all(const char *path) {
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        char inner[PATH_MAX];
        snprintf(inner, sizeof inner, "%s/%s", path, e->d_name);
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && unlink(inner) != 0)
            remove_all(inner);
    }
    if (d)
        closedir(d);
    rmdir(path);
}

int main(void) {
    folder_make(root, sizeof root);
    test_files();
    test_weights();
    test_folder();
    test_cache();
    remove_all(root);
    return tap_done();
}
