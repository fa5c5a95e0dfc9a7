/* SPDX-License-Identifier: MIT
 *
 * Parses the JSON of a model folder. See engine/files/json.h.
 */
#include "engine/files/json.h"

#include "engine/error.h"
#include "engine/files/mapped_file.h"
#include "kernels/vlk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of the number that text begins with, and whether it is written as an integer. */
static size_t number_length(const char *text, size_t length, bool *integer) {
    size_t n = 0;
    while (n < length && text[n] && strchr("+-.0123456789Ee", text[n]))
        n++;
    *integer = n > 0 && !memchr(text, '.', n) && !memchr(text, 'e', n) && !memchr(text, 'E', n);
    return n;
}

static bool overflows(const char *number, size_t length) {
    char digits[24];
    if (length >= sizeof digits)
        return true;
    memcpy(digits, number, length);
    digits[length] = 0;
    errno = 0;
    strtoll(digits, NULL, 10);
    return errno == ERANGE;
}

/* A copy in which every integer that does not fit is written as a real: what transformers writes for "no limit" is 10^30, and
 * the parser's own switch would make reals of all integers. NULL where memory is short. */
static char *widen_integers(const char *text, size_t length, size_t *out_length) {
    char *out = vlk_alloc(length + length / 8 + 2, 1); /* two bytes more for each number of at least 19 */
    bool in_string = false;
    size_t at = 0;
    for (size_t i = 0; out && i < length;) {
        bool integer = false;
        size_t n = in_string ? 0 : number_length(text + i, length - i, &integer);
        if (n == 0) {
            in_string ^= text[i] == '"';
            n = in_string && text[i] == '\\' && i + 1 < length ? 2 : 1;
        }
        memcpy(out + at, text + i, n);
        at += n;
        if (integer && overflows(text + i, n)) {
            memcpy(out + at, "e0", 2);
            at += 2;
        }
        i += n;
    }
    *out_length = at;
    return out;
}

/* The key that ends at text[end - 1], its closing quote. */
static void find_key(const char *text, size_t end, const char **key, size_t *length) {
    size_t start = end > 0 ? end - 1 : 0;
    do {
        if (start == 0) {
            *key = "";
            *length = 0;
            return;
        }
        start--;
    } while (text[start] != '"' || (start > 0 && text[start - 1] == '\\'));
    *key = text + start + 1;
    *length = end - start - 2;
}

static vl2_status refuse(const char *text, const json_error_t *where, const char *what, vl2_error *err) {
    enum json_error_code code = json_error_code(where);
    if (code == json_error_out_of_memory || !where->text[0])
        return vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory to read %s.", what);
    if (code == json_error_duplicate_key) {
        const char *key;
        size_t length;
        find_key(text, (size_t)where->position, &key, &length);
        return vl2_fail(err, VL2_ERR_MODEL, "%s: \"%.*s\" is named twice.", what, (int)(length < 200 ? length : 200), key);
    }
    return vl2_fail(err, VL2_ERR_MODEL, "%s is not valid JSON: %s at byte %d.", what, where->text, where->position);
}

vl2_status vl2_json_parse(const char *text, size_t length, const char *what, json_t **out, vl2_error *err) {
    json_error_t where;
    char *widened = NULL;
    *out = NULL;
    if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        length -= 3;
    }
    json_t *json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &where);
    if (!json && json_error_code(&where) == json_error_numeric_overflow) {
        text = widened = widen_integers(text, length, &length);
        if (!widened)
            return vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory to read %s.", what);
        json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &where);
    }
    vl2_status status = json ? VL2_OK : refuse(text, &where, what, err);
    vlk_free(widened);
    if (json && !json_is_object(json)) {
        json_decref(json);
        return vl2_fail(err, VL2_ERR_MODEL, "%s is not a JSON object.", what);
    }
    *out = json;
    return status;
}

vl2_status vl2_json_load(const char *dir, const char *name, json_t **out, vl2_error *err) {
    size_t room = strlen(dir) + 1 + strlen(name) + 1;
    char *path = vlk_alloc(room, 1);
    *out = NULL;
    if (!path)
        return vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory to read %s.", name);
    snprintf(path, room, "%s/%s", dir, name);
    struct vl2_mapped_file file;
    vl2_status status = vl2_mapped_file_open(path, &file, err);
    if (status == VL2_OK && file.size > VL2_MAX_JSON_BYTES)
        status = vl2_fail(err, VL2_ERR_MODEL, "%s has %zu bytes; at most %u are accepted.", path, file.size, VL2_MAX_JSON_BYTES);
    if (status == VL2_OK)
        status = vl2_json_parse(file.data ? (const char *)file.data : "", file.size, path, out, err);
    if (status == VL2_OK && vl2_mapped_file_damaged(&file)) {
        json_decref(*out);
        *out = NULL;
        status = vl2_fail(err, VL2_ERR_IO, "%s changed or could not be read while it was being loaded.", path);
    }
    vl2_mapped_file_close(&file);
    vlk_free(path);
    return status;
}
