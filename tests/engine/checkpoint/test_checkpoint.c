/* SPDX-License-Identifier: MIT
 *
 * Hostile, truncated and lying safetensors files and indexes: each is refused with a sentence that names the reason, and a
 * good one is read whatever its alignment.
 */
#include "engine/checkpoint/checkpoint.h"
#include "tests/engine/talk.h"
#include "tests/tap.h"

static char dir[256];

static void put_file(const char *name, uint64_t header_length, const char *header, size_t data_bytes) {
    size_t length = strlen(header), size = 8 + length + data_bytes;
    uint8_t *file = calloc(1, size);
    for (int i = 0; i < 8; i++)
        file[i] = (uint8_t) (header_length >> 8 * i);
    memcpy(file + 8, header, length);
    for (size_t i = 0; i < data_bytes; i++)
        file[8 + length + i] = (uint8_t) i;
    folder_write(dir, name, file, size);
    free(file);
}

static void expect(const char *what, vl2_status wanted, const char *part) {
    vl2_checkpoint *cp = NULL;
    vl2_error err = {.text = ""};
    vl2_status status = vl2_checkpoint_open(dir, &cp, &err);
    bool fine = status == wanted && (status == VL2_OK) == (cp != NULL) && (!part || strstr(err.text, part));
    if (!ok(fine, "%s", what))
        tap_diag("status %d, \"%s\"", status, err.text);
    vl2_checkpoint_close(cp);
}

static void test_headers(void) {
    static const struct {
        const char *what, *header;
        size_t data;
        const char *part;
    } bad[] = {
        {"not JSON", "{\"a\"", 8, "not valid JSON"},
        {"an array", "[1, 2]", 8, "not a JSON object"},
        {"NaN in the header", "{\"a\":{\"dtype\":\"F32\",\"shape\":[NaN],\"data_offsets\":[0,4]}}", 8, "not valid JSON"},
        {"a key twice", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"a\":{}}", 8, "\"a\" is named twice"},
        {"no dtype", "{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 8, "\"a\" has no dtype"},
        {"entry is a number", "{\"a\":5}", 8, "\"a\" has no dtype"},
        {"unknown dtype", "{\"a\":{\"dtype\":\"F128\",\"shape\":[1],\"data_offsets\":[0,16]}}", 16, "unknown dtype \"F128\""},
        {"half a byte", "{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]}}", 8, "need 1 and a part of one"},
        {"six bits of the wrong number", "{\"a\":{\"dtype\":\"F6_E2M3\",\"shape\":[4],\"data_offsets\":[0,4]}}", 8, "need 3."},
        {"negative dimension", "{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 8, "dimension 0"},
        {"fractional dimension", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,6]}}", 8, "dimension 0"},
        {"shape overflows", "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}", 8, "overflows"},
        {"nine dimensions", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 8, "9 dimensions"},
        {"three offsets", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}", 8, "data_offsets"},
        {"negative offset", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}}", 8, "not a range"},
        {"reversed offsets", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 8, "not a range"},
        {"beyond the file", "{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]}}", 8, "truncated"},
        {"huge offset", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[9223372036854775803,9223372036854775807]}}", 8,
         "truncated"},
        {"size lies", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8, "8 bytes where its shape and dtype need 4"},
        {"overlap",
         "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[6,8]}}",
         8, "overlap"},
        {"overlap around an empty tensor",
         "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F16\",\"shape\":[0],\"data_offsets\":[4,4]},"
         "\"c\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[6,8]}}",
         8, "overlap"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        put_file("model.safetensors", strlen(bad[i].header), bad[i].header, bad[i].data);
        expect(bad[i].what, VL2_ERR_MODEL, bad[i].part);
    }
}

static void test_lengths(void) {
    static const char good[] = "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
    folder_write(dir, "model.safetensors", "", 0);
    expect("an empty file", VL2_ERR_MODEL, "0 bytes");
    folder_write(dir, "model.safetensors", "1234567", 7);
    expect("seven bytes", VL2_ERR_MODEL, "7 bytes");
    put_file("model.safetensors", UINT64_MAX, good, 8);
    expect("a header of 2^64 - 1 bytes", VL2_ERR_MODEL, "announces a header");
    put_file("model.safetensors", sizeof good - 1 + 9, good, 8);
    expect("a header longer than the file", VL2_ERR_MODEL, "announces a header");
    put_file("model.safetensors", sizeof good - 1, good, 7);
    expect("one byte of data missing", VL2_ERR_MODEL, "truncated");
    char deep[20000];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = 0;
    put_file("model.safetensors", sizeof deep - 1, deep, 0);
    expect("20,000 open brackets", VL2_ERR_MODEL, "not valid JSON");
}

static void test_good(void) {
    static const char header[] = "{\"__metadata__\":{\"format\":\"pt\"},\"b\":{\"dtype\":\"BF16\",\"shape\":[1,2],\"data_offsets\":[1,5]},"
                                 "\"flag\":{\"dtype\":\"BOOL\",\"shape\":[],\"data_offsets\":[0,1]},"
                                 "\"none\":{\"dtype\":\"F32\",\"shape\":[0,7],\"data_offsets\":[5,5]}}";
    vl2_checkpoint *cp = NULL;
    vl2_error err = {.text = ""};
    put_file("model.safetensors", sizeof header - 1, header, 5);
    if (!ok(vl2_checkpoint_open(dir, &cp, &err) == VL2_OK, "unaligned, scalar and empty tensors are read"))
        tap_diag("%s", err.text);
    struct vl2_tensor *b = cp ? vl2_checkpoint_find(cp, "b") : NULL, *flag = cp ? vl2_checkpoint_find(cp, "flag") : NULL;
    ok(b && b->dtype == VLK_BF16 && b->is_float && b->n_dims == 2 && b->dims[1] == 2 && b->data[0] == 1 && b->bytes == 4,
       "the tensor has its dtype, shape and bytes");
    ok(flag && !flag->is_float && flag->n_dims == 0 && cp && vl2_checkpoint_count(cp) == 3, "metadata is no tensor, a scalar is one");
    ok(cp && !vl2_checkpoint_find(cp, "__metadata__") && !vl2_checkpoint_find(cp, "c"), "what is not there is not found");
    vl2_checkpoint_close(cp);
}

/* The file is shared with whoever may write it: a header's length that changes after it was checked is not believed. */
static void test_changed_header(void) {
    static const char header[] = "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
    vl2_checkpoint *cp = NULL;
    vl2_error err = {.text = ""};
    size_t size = 0;
    char path[300];
    put_file("model.safetensors", sizeof header - 1, header, 8);
    if (!ok(vl2_checkpoint_open(dir, &cp, &err) == VL2_OK, "a file opens"))
        return;
    const uint8_t *data = vl2_checkpoint_data(cp, &size);
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    FILE *f = fopen(path, "r+b");
    ok(f && fputc(0xff, f) == 0xff && fputc(0xff, f) == 0xff && fclose(f) == 0, "the length of its header changes");
    ok(vl2_checkpoint_data(cp, &size) == data && size == 8, "its data is where it was");
    vl2_checkpoint_close(cp);
}

/* Element types that others write and the model has no use for: each takes the room that it has in safetensors 0.8.0. */
static void test_dtypes(void) {
    static const struct {
        const char *name;
        int bytes; /* of eight elements */
    } types[] = {{"F4", 4},          {"F6_E2M3", 6},     {"F6_E3M2", 6}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8},
                 {"F8_E5M2FNUZ", 8}, {"F8_E4M3", 8}, {"C64", 64},    {"BOOL", 8},    {"I16", 16}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        char header[128];
        snprintf(header, sizeof header, "{\"a\":{\"dtype\":\"%s\",\"shape\":[8],\"data_offsets\":[0,%d]}}", types[i].name, types[i].bytes);
        put_file("model.safetensors", strlen(header), header, (size_t) types[i].bytes);
        expect(types[i].name, VL2_OK, NULL);
    }
}

static void put_text(const char *name, const char *text) {
    folder_write(dir, name, text, strlen(text));
}

static void test_index(void) {
    static const char one[] = "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
    static const char two[] = "{\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
    put_file("one.safetensors", sizeof one - 1, one, 8);
    put_file("two.safetensors", sizeof two - 1, two, 8);
    put_file("again.safetensors", sizeof one - 1, one, 8);
    static const struct {
        const char *what, *index;
        vl2_status wanted;
        const char *part;
    } cases[] = {
        {"two files and their index", "{\"weight_map\":{\"a\":\"one.safetensors\",\"b\":\"two.safetensors\"}}", VL2_OK, NULL},
        {"an index without a map", "{\"metadata\":{}}", VL2_ERR_MODEL, "no weight_map"},
        {"a file outside the folder", "{\"weight_map\":{\"a\":\"../one.safetensors\"}}", VL2_ERR_MODEL, "not a file name"},
        {"a file name that is a number", "{\"weight_map\":{\"a\":7}}", VL2_ERR_MODEL, "not a file name"},
        {"a file that is missing", "{\"weight_map\":{\"a\":\"three.safetensors\"}}", VL2_ERR_IO, "three.safetensors cannot be opened"},
        {"a tensor in another file", "{\"weight_map\":{\"a\":\"two.safetensors\",\"b\":\"one.safetensors\"}}", VL2_ERR_MODEL, "is not in"},
        {"a tensor that no file has", "{\"weight_map\":{\"c\":\"one.safetensors\"}}", VL2_ERR_MODEL, "\"c\" is not in one.safetensors"},
        {"a tensor in two files", "{\"weight_map\":{\"a\":\"one.safetensors\",\"z\":\"again.safetensors\"}}", VL2_ERR_MODEL, NULL},
        {"an index that is cut", "{\"weight_map\":{\"a\":\"one", VL2_ERR_MODEL, "not valid JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put_text("model.safetensors.index.json", cases[i].index);
        expect(cases[i].what, cases[i].wanted, cases[i].part);
    }
    char path[300];
    snprintf(path, sizeof path, "%s/model.safetensors.index.json", dir);
    unlink(path);
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    unlink(path);
    expect("no tensor file at all", VL2_ERR_IO, "model.safetensors cannot be opened");
    if (mkdir(path, 0700) == 0)
        expect("a folder in the place of the file", VL2_ERR_IO, "not a regular file");
    rmdir(path);
}

int main(void) {
    folder_make(dir, sizeof dir);
    test_headers();
    test_lengths();
    test_good();
    test_dtypes();
    test_changed_header();
    test_index();
    folder_remove(dir);
    return tap_done();
}
