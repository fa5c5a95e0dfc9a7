/* SPDX-License-Identifier: MIT
 *
 * The tokenizer against ids that Hugging Face tokenizers gave (tests/parity/tokenizer_check.py), the rule for control tokens,
 * streaming, and files that must be refused with a reason.
 *   test_tokenizer FIXTURE_DIR
 */
#include "engine/text/tokenizer.h"
#include "kernels/vlk.h"
#include "engine/text/utf8.h"
#include "tests/tap.h"

#include <stdlib.h>

/* ------------------------------------------------------------------------------------------------- fixture */

static bool same_ids(const int32_t *ids, size_t n, const json_t *want) {
    if (n != json_array_size(want))
        return false;
    for (size_t i = 0; i < n; i++)
        if (ids[i] != json_integer_value(json_array_get(want, i)))
            return false;
    return true;
}

/* The ids one by one give the same text in pieces of valid UTF-8. */
static bool streams_alike(const vl2_tokenizer *tokenizer, const int32_t *ids, size_t n, const char *text, size_t length) {
    struct vl2_detokenizer d;
    size_t at = 0;
    bool fine = vl2_detokenizer_init(&d, tokenizer, NULL) == VL2_OK;
    for (size_t i = 0; fine && i <= n; i++) {
        const char *piece;
        size_t n_piece;
        if (i < n)
            vl2_detokenizer_feed(&d, ids[i], &piece, &n_piece);
        else
            vl2_detokenizer_flush(&d, &piece, &n_piece);
        fine = n_piece <= length - at && memcmp(piece, text + at, n_piece) == 0 && vl2_utf8_valid(piece, n_piece);
        at += n_piece;
    }
    vl2_detokenizer_deinit(&d);
    return fine && at == length;
}

static bool check_case(const vl2_tokenizer *tokenizer, const char *text, const json_t *want) {
    int32_t *ids;
    size_t n, length = strlen(text), n_back;
    char *back;
    vl2_error err;
    if (vl2_tokenizer_encode(tokenizer, text, length, VL2_MARKUP_ALL, &ids, &n, &err) != VL2_OK)
        return false;
    bool fine = same_ids(ids, n, want);
    vl2_free(ids);
    fine &= vl2_tokenizer_encode(tokenizer, text, length, VL2_MARKUP_NONE, &ids, &n, &err) == VL2_OK;
    for (size_t i = 0; i < n; i++) /* no control token, whatever was typed */
        fine &= ids[i] < tokenizer->bpe.size && ids[i] != tokenizer->special.bos && ids[i] != tokenizer->special.eos;
    fine &= vl2_tokenizer_decode(tokenizer, ids, n, &back, &n_back, &err) == VL2_OK && n_back == length && memcmp(back, text, length) == 0;
    fine &= streams_alike(tokenizer, ids, n, back, n_back);
    vl2_free(ids);
    vl2_free(back);
    return fine;
}

static void check_fixture(const char *root, const char *name, const json_t *fixture) {
    char dir[1024];
    vl2_tokenizer *tokenizer;
    vl2_error err = {0};
    const char *text;
    json_t *id;
    const json_t *cases = json_object_get(fixture, "cases");
    size_t bad = 0;
    snprintf(dir, sizeof dir, "%s/%s", root, name);
    if (!ok(vl2_tokenizer_open(dir, &tokenizer, &err) == VL2_OK, "%s opens", name)) {
        tap_diag("%s", err.text);
        return;
    }
    json_object_foreach (json_object_get(fixture, "added"), text, id)
        is_int(vl2_tokenizer_id(tokenizer, text), json_integer_value(id), text);
    is_int(vl2_tokenizer_id(tokenizer, "<nothing>"), -1, "no such added token");
    ok(json_array_size(cases) > 300, "%s has cases", name);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *entry = json_array_get(cases, i);
        if (!check_case(tokenizer, json_string_value(json_array_get(entry, 0)), json_array_get(entry, 1))) {
            bad++;
            tap_diag("%s: case %zu differs", name, i);
        }
    }
    is_int((int64_t)bad, 0, "ids equal those of Hugging Face, text comes back");
    vl2_tokenizer_close(tokenizer);
}

/* ------------------------------------------------------------------------------------------------- files made here */

/* A byte-level tokenizer with a few merges, to be changed by the tests. */
static json_t *make_json(void) {
    json_t *vocab = json_object(), *merges = json_array();
    int32_t next = 0x100, id = 0;
    for (int32_t b = 0; b < 256; b++) {
        char key[8] = {0};
        bool printable = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
        vl2_utf8_put(key, printable ? b : next++);
        json_object_set_new(vocab, key, json_integer(id++));
    }
    static const char *const pairs[][2] = {{"a", "b"}, {"ab", "c"}, {"b", "c"}, {"Ġ", "a"}};
    for (size_t i = 0; i < 4; i++) {
        char joined[16], merge[16];
        snprintf(joined, sizeof joined, "%s%s", pairs[i][0], pairs[i][1]);
        snprintf(merge, sizeof merge, "%s %s", pairs[i][0], pairs[i][1]);
        json_object_set_new(vocab, joined, json_integer(id++));
        json_array_append_new(merges, json_string(merge));
    }
    return json_pack("{s:[], s:n, s:{s:s, s:b, s:b, s:b}, s:{s:s}, s:{s:s, s:o, s:o}}", "added_tokens", "normalizer", "pre_tokenizer", "type",
                     "ByteLevel", "add_prefix_space", 0, "trim_offsets", 1, "use_regex", 1, "decoder", "type", "ByteLevel", "model", "type", "BPE",
                     "vocab", vocab, "merges", merges);
}

static vl2_tokenizer *open_json(const json_t *json, const json_t *config, vl2_error *err) {
    vl2_tokenizer *tokenizer = NULL;
    *err = (vl2_error){0};
    vl2_tokenizer_from_json("tokenizer.json", json, config, &tokenizer, err);
    return tokenizer;
}

/* ids as "1 2 3". */
static const char *encode(const vl2_tokenizer *tokenizer, const char *text, size_t length, vl2_markup markup) {
    static char out[512];
    int32_t *ids;
    size_t n, at = 0;
    vl2_error err;
    out[0] = '\0';
    if (vl2_tokenizer_encode(tokenizer, text, length, markup, &ids, &n, &err) != VL2_OK)
        return "(error)";
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(out + at, sizeof out - at, i ? " %d" : "%d", (int)ids[i]);
    vl2_free(ids);
    return out;
}

/* What the published files hold beyond what a tokenizer needs, in small files of the same form: no limit as 10^30, a template
 * with long numbers, a padding that is the end, AddedToken objects and plain texts side by side, control tokens in the
 * vocabulary and behind it, some of them normalized, placeholders, a vocabulary without the bytes that UTF-8 never has and
 * their letters as added tokens, and a class that ends at U+D7FF. Ids: tokenizers 0.23.3. */
static void check_published(const char *root) {
    static const char first[] = "abc Á abc<｜fim▁hole｜>1234";
    static const char second[] = "<｜end▁of▁sentence｜><｜▁pad▁｜><｜place▁holder▁no▁0｜>龥<|User|>: a";
    char dir[1024];
    vl2_tokenizer *t;
    vl2_error err = {0};
    snprintf(dir, sizeof dir, "%s/published", root);
    if (!ok(vl2_tokenizer_open(dir, &t, &err) == VL2_OK, "files of the published form open")) {
        tap_diag("%s", err.text);
        return;
    }
    const struct vl2_special *s = vl2_tokenizer_special(t);
    ok(s->bos == 0 && s->eos == 1 && s->pad == 1 && s->image == 252 && s->ref == 253 && s->grounding == 257 && s->user == 258 &&
           s->assistant == 259,
       "with the ids that the files give");
    is_int(vl2_tokenizer_size(t), 260, "and no others");
    is_str(encode(t, first, strlen(first), VL2_MARKUP_ALL), "248 35 250 246 101 102 251 52 53 54 55", "letters that are added tokens");
    is_str(encode(t, second, strlen(second), VL2_MARKUP_ALL), "1 2 249 234 193 168 258 61 246", "control tokens of every kind");
    vl2_tokenizer_close(t);
}

static void check_rule(void) {
    json_t *json = make_json(), *config = json_pack("{s:s, s:{s:s}}", "bos_token", "<s>", "eos_token", "content", "<e>");
    vl2_error err;
    vl2_tokenizer *t = open_json(json, NULL, &err);
    const struct vl2_special *s = vl2_tokenizer_special(t);
    ok(s->bos == -1 && s->eos == -1, "unnamed begin and end are unknown");
    ok(s->pad == 260 && s->image == 261 && s->ref == 262 && s->ref_end == 263 && s->det == 264 && s->det_end == 265 && s->grounding == 266 &&
           s->user == 267 && s->assistant == 268,
       "control tokens are added in the official order");
    is_int(vl2_tokenizer_size(t), 269, "size");
    vl2_tokenizer_close(t);

    json_array_append_new(json_object_get(json, "added_tokens"), json_pack("{s:i, s:s, s:b}", "id", 260, "content", "<|User|>", "special", 1));
    t = open_json(json, config, &err);
    s = vl2_tokenizer_special(t);
    ok(s->user == 260 && s->bos == 261 && s->eos == 262 && s->pad == 263 && s->assistant == 270, "what exists keeps its id");
    vl2_tokenizer_close(t);

    json_object_set_new(json_object_get(json_object_get(json, "model"), "vocab"), "<image>", json_integer(260));
    json_array_clear(json_object_get(json, "added_tokens"));
    t = open_json(json, NULL, &err);
    s = vl2_tokenizer_special(t);
    ok(s->image == 260 && s->pad == 261 && s->ref == 262, "<image> in the vocabulary stays there");
    is_str(encode(t, "<image>", 7, VL2_MARKUP_ALL), "60 105 109 97 103 101 62", "and is not cut out of a text");
    vl2_tokenizer_close(t);
    json_decref(json);
    json_decref(config);
}

static void check_encoding(void) {
    json_t *json = make_json();
    vl2_error err;
    json_array_append_new(json_object_get(json, "added_tokens"), json_pack("{s:i, s:s, s:b}", "id", 260, "content", "<|ref|>x", "normalized", 1));
    vl2_tokenizer *t = open_json(json, NULL, &err);
    is_str(encode(t, "", 0, VL2_MARKUP_ALL), "", "no text, no ids");
    is_str(encode(t, "abc bc abc", 10, VL2_MARKUP_NONE), "257 32 258 32 257", "the lowest rank merges first");
    is_str(encode(t, "\xff", 1, VL2_MARKUP_NONE), "239 191 189", "an invalid byte is U+FFFD");
    is_str(encode(t, "\xe4\xbd", 2, VL2_MARKUP_NONE), "239 191 189", "so is a sequence that is cut off, once");
    is_str(encode(t, "a\0b", 3, VL2_MARKUP_ALL), "97 0 98", "a NUL is a byte like others");
    is_str(encode(t, "<image>\0", 8, VL2_MARKUP_ALL), "262 0", "also behind a token");
    is_str(encode(t, "<|ref|>x", 8, VL2_MARKUP_ALL), "263 120", "the pass without normalization goes first, even if shorter");
    is_str(encode(t, "<|ref|>x", 8, VL2_MARKUP_GROUNDING), "263 120", "grounding marks alone");
    ok(vl2_tokenizer_encode(t, "x", (size_t)VL2_MAX_TEXT_BYTES + 1, VL2_MARKUP_NONE, &(int32_t *){NULL}, &(size_t){0}, &err) == VL2_ERR_INPUT,
       "a text beyond the limit is refused before it is read");
    char *text;
    size_t n;
    is_int(vl2_tokenizer_decode(t, (const int32_t[]){-5, 97, 100000, 261}, 4, &text, &n, &err), VL2_OK, "unknown ids decode");
    is_str(text, "a<｜▁pad▁｜>", "to nothing");
    vl2_free(text);
    vl2_tokenizer_close(t);
    json_object_set_new(json_object_get(json, "model"), "ignore_merges", json_true());
    json_array_clear(json_object_get(json_object_get(json, "model"), "merges"));
    t = open_json(json, NULL, &err);
    is_str(encode(t, "abc abc", 7, VL2_MARKUP_NONE), "257 32 97 98 99", "ignore_merges keeps whole words only");
    vl2_tokenizer_close(t);
    json_decref(json);
}

/* 100 kB of one word and of white space: linear, and the same as merging by hand. */
static void check_long_words(void) {
    enum { N = 100000 };
    json_t *json = make_json();
    vl2_error err;
    vl2_tokenizer *t = open_json(json, NULL, &err);
    char *text = malloc(N);
    int32_t *ids;
    size_t n;
    for (size_t i = 0; i < N; i++)
        text[i] = "abcbc"[i % 5];
    is_int(vl2_tokenizer_encode(t, text, N, VL2_MARKUP_NONE, &ids, &n, &err), VL2_OK, "a word of 100 kB");
    bool alternate = n == N / 5 * 2;
    for (size_t i = 0; alternate && i < n; i++)
        alternate = ids[i] == (i % 2 ? 258 : 257);
    ok(alternate, "merges like a short one");
    vl2_free(ids);
    free(text);
    vl2_tokenizer_close(t);
    json_decref(json);
}

/* ------------------------------------------------------------------------------------------------- refusals */

/* path "a.b", value JSON or NULL to remove; the error names `word`. */
static const struct {
    const char *path, *value, *word;
} refusals[] = {
    {"normalizer", "{\"type\": \"NFC\"}", "NFC"},
    {"normalizer", "{\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Lowercase\"}]}", "Lowercase"},
    {"normalizer", "[]", "normalizer"},
    {"decoder", "{\"type\": \"Metaspace\"}", "Metaspace"},
    {"decoder", NULL, "decoder"},
    {"pre_tokenizer", "{\"type\": \"Metaspace\"}", "Metaspace"},
    {"pre_tokenizer", "null", "pre_tokenizer"},
    {"pre_tokenizer", "{\"type\": \"Sequence\", \"pretokenizers\": []}", "ByteLevel"},
    {"pre_tokenizer", "{\"type\": \"Sequence\", \"pretokenizers\": {}}", "pretokenizers"},
    {"pre_tokenizer", "{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"ByteLevel\"}, {\"type\": \"Digits\"}]}", "Digits"},
    {"pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"a\"}, \"behavior\": \"Sideways\"}", "Sideways"},
    {"pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {}, \"behavior\": \"Isolated\"}", "pattern"},
    {"pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"a*\"}, \"behavior\": \"Isolated\"}", "match nothing"},
    {"pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"(a\"}, \"behavior\": \"Isolated\"}", "(a"},
    {"pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"\\\\w+\"}, \"behavior\": \"Isolated\"}", "escape \\w"},
    {"pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"[a&&b]\"}, \"behavior\": \"Isolated\"}", "&&"},
    {"pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"[a[b]]\"}, \"behavior\": \"Isolated\"}", "class inside a class"},
    {"pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"(?<x>a)\"}, \"behavior\": \"Isolated\"}", "group"},
    {"pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"[a\"}, \"behavior\": \"Isolated\"}", "class"},
    {"pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"a\\\\\"}, \"behavior\": \"Isolated\"}", "escape"},
    {"pre_tokenizer.add_prefix_space", "3", "add_prefix_space"},
    {"model", NULL, "model"},
    {"model.type", "\"Unigram\"", "Unigram"},
    {"model.vocab", NULL, "vocab"},
    {"model.vocab", "{}", "empty"},
    {"model.vocab.a", NULL, "0x61"},
    {"model.vocab.a", "-1", "\"a\""},
    {"model.vocab.a", "99999999", "\"a\""},
    {"model.vocab.a", "\"0\"", "\"a\""},
    {"model.vocab.a", "1", "id 1"},
    {"model.vocab.", "300", "empty"},
    {"model.merges", NULL, "merges"},
    {"model.merges", "[\"a b\", \"a z\"]", "merge 1"},
    {"model.merges", "[\"a\"]", "merge 0"},
    {"model.merges", "[[\"a\", 3]]", "merge 0"},
    {"model.merges", "[[\"\", \"a\"]]", "merge 0"},
    {"model.dropout", "0.1", "dropout"},
    {"model.byte_fallback", "true", "byte_fallback"},
    {"model.end_of_word_suffix", "\"</w>\"", "end_of_word_suffix"},
    {"added_tokens", "{}", "added_tokens"},
    {"added_tokens", "[{\"id\": 260}]", "content"},
    {"added_tokens", "[{\"id\": 260, \"content\": \"\"}]", "content"},
    {"added_tokens", "[{\"id\": 261, \"content\": \"<x>\"}]", "id 261"},
    {"added_tokens", "[{\"id\": 260, \"content\": \"<x>\", \"lstrip\": true}]", "lstrip"},
    {"added_tokens", "[{\"id\": 260, \"content\": \"<x>\", \"single_word\": true}]", "single_word"},
};

static void set_path(json_t *json, const char *path, const char *value) {
    char key[64];
    const char *dot = strchr(path, '.');
    snprintf(key, sizeof key, "%.*s", dot ? (int)(dot - path) : 60, path);
    if (dot)
        set_path(json_object_get(json, key), dot + 1, value);
    else if (value)
        json_object_set_new(json, key, json_loads(value, JSON_DECODE_ANY, NULL));
    else
        json_object_del(json, key);
}

static void check_refusals(void) {
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        json_t *json = make_json();
        vl2_error err;
        set_path(json, refusals[i].path, refusals[i].value);
        vl2_tokenizer *t = open_json(json, NULL, &err);
        if (!ok(!t && err.code == VL2_ERR_MODEL && strstr(err.text, refusals[i].word), "%s = %s is refused by name", refusals[i].path,
                refusals[i].value ? refusals[i].value : "(nothing)"))
            tap_diag("%s", err.text);
        vl2_tokenizer_close(t);
        json_decref(json);
    }
}

/* A pattern with exponential backtracking ends with an error instead of never. */
static void check_hostile_pattern(void) {
    json_t *json = make_json();
    vl2_error err;
    set_path(json, "pre_tokenizer",
             "{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Split\", \"pattern\": {\"Regex\": \"(?:(?:a|aa|aaa)+)+[bc]\"}, "
             "\"behavior\": \"Isolated\"}, {\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": false}]}");
    vl2_tokenizer *t = open_json(json, NULL, &err);
    int32_t *ids;
    size_t n;
    char text[200];
    memset(text, 'a', sizeof text);
    is_int(vl2_tokenizer_encode(t, text, sizeof text, VL2_MARKUP_NONE, &ids, &n, &err), VL2_ERR_MODEL, "a pattern that explodes is stopped");
    ok(strstr(err.text, "gave up") && ids == NULL, "and named");
    vl2_tokenizer_close(t);
    json_decref(json);
}

static void check_allocation_failures(void) {
    json_t *json = make_json();
    bool fine = true;
    long n = 0;
    for (bool done = false; !done && n < 10000; n++) {
        vl2_error err;
        int32_t *ids = NULL;
        size_t count;
        vlk_alloc_fail_after(n);
        vl2_tokenizer *t = open_json(json, NULL, &err);
        done = t && vl2_tokenizer_encode(t, "abc <|ref|> abc", 15, VL2_MARKUP_ALL, &ids, &count, &err) == VL2_OK;
        vlk_alloc_fail_after(-1);
        fine &= done || err.code == VL2_ERR_MEMORY;
        vl2_free(ids);
        vl2_tokenizer_close(t);
    }
    ok(fine && n > 20 && n < 10000, "each of %ld allocations may fail", n - 1);
    json_decref(json);
}

int main(int argc, char **argv) {
    char path[1024];
    const char *name;
    json_t *fixture;
    if (argc != 2)
        return 2;
    snprintf(path, sizeof path, "%s/cases.json", argv[1]);
    json_t *json = json_load_file(path, 0, NULL);
    ok(json != NULL, "%s is readable", path);
    json_object_foreach (json_object_get(json, "tokenizers"), name, fixture)
        check_fixture(argv[1], name, fixture);
    json_decref(json);
    check_published(argv[1]);
    check_rule();
    check_encoding();
    check_long_words();
    check_refusals();
    check_hostile_pattern();
    check_allocation_failures();
    return tap_done();
}
