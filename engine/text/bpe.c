/* SPDX-License-Identifier: MIT
 *
 * Vocabulary and merges, and the merging of one word. tokenizer.json writes bytes as printable characters (GPT-2's table); here
 * tokens are bytes from the start. The lowest-ranked pair merges first, the leftmost of equals: short words by scanning, long
 * ones through a heap.
 */
#include "engine/text/bpe.h"

#include "engine/error.h"
#include "engine/text/utf8.h"
#include "kernels/vlk.h"

#include <string.h>

#define SHORT_WORD 48
#define NO_MERGE UINT64_MAX

/* ------------------------------------------------------------------------------------------------- bytes as characters */

/* The character that stands for a byte: printable Latin-1 for itself, the rest from U+0100 on. */
static void fill_byte_table(int16_t byte_of[0x144]) {
    int32_t next = 0x100;
    memset(byte_of, -1, 0x144 * sizeof *byte_of);
    for (int32_t b = 0; b < 256; b++) {
        bool printable = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
        byte_of[printable ? b : next++] = (int16_t)b;
    }
}

/* Characters to bytes; false where a character stands for no byte. out needs `length` bytes. */
static bool to_bytes(const int16_t byte_of[0x144], const char *text, size_t length, char *out, uint32_t *n) {
    *n = 0;
    for (size_t i = 0; i < length;) {
        int32_t c;
        i += vl2_utf8_next(text + i, length - i, &c, NULL);
        if (c < 0 || c >= 0x144 || byte_of[c] < 0)
            return false;
        out[(*n)++] = (char)byte_of[c];
    }
    return true;
}

/* ------------------------------------------------------------------------------------------------- tables */

static uint64_t mix(uint64_t h) {
    h ^= h >> 32;
    h *= UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 29;
}

static uint32_t hash_bytes(const char *s, size_t n) {
    uint64_t h = n;
    for (; n >= 8; s += 8, n -= 8) {
        uint64_t word;
        memcpy(&word, s, 8);
        h = mix(h ^ word);
    }
    uint64_t tail = 0;
    if (n)
        memcpy(&tail, s, n);
    return (uint32_t)mix(h ^ tail ^ (uint64_t)n << 56);
}

/* A power of two with at least as many free slots as used ones. */
static uint32_t table_mask(size_t entries) {
    uint32_t size = 16;
    while (size < 2 * entries)
        size *= 2;
    return size - 1;
}

static int32_t find_word(const struct vl2_bpe *bpe, const char *s, size_t n) {
    for (uint32_t i = hash_bytes(s, n) & bpe->word_mask;; i = (i + 1) & bpe->word_mask) {
        int32_t id = bpe->words[i];
        if (id < 0 || (bpe->pieces[id].length == n && memcmp(bpe->pieces[id].text, s, n) == 0))
            return id;
    }
}

static void insert_word(struct vl2_bpe *bpe, int32_t id) {
    uint32_t i = hash_bytes(bpe->pieces[id].text, bpe->pieces[id].length) & bpe->word_mask;
    while (bpe->words[i] >= 0)
        i = (i + 1) & bpe->word_mask;
    bpe->words[i] = id;
}

static uint64_t find_merge(const struct vl2_bpe *bpe, int32_t left, int32_t right) {
    uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    for (uint32_t i = (uint32_t)mix(pair) & bpe->merge_mask;; i = (i + 1) & bpe->merge_mask) {
        if (bpe->merges[i].pair == pair)
            return bpe->merges[i].rank_id;
        if (bpe->merges[i].pair == VL2_NO_PAIR)
            return NO_MERGE;
    }
}

/* A pair that comes twice keeps its later rank, as in tokenizers. */
static void insert_merge(struct vl2_bpe *bpe, int32_t left, int32_t right, uint32_t rank, int32_t id) {
    uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    uint32_t i = (uint32_t)mix(pair) & bpe->merge_mask;
    while (bpe->merges[i].pair != VL2_NO_PAIR && bpe->merges[i].pair != pair)
        i = (i + 1) & bpe->merge_mask;
    bpe->merges[i] = (struct vl2_merge){pair, (uint64_t)rank << 32 | (uint32_t)id};
}

/* ------------------------------------------------------------------------------------------------- reading the file */

static vl2_status no_memory(vl2_error *err) {
    return vl2_fail(err, VL2_ERR_MEMORY, "Not enough memory for the tokenizer.");
}

/* What changes the result and is not implemented. */
static vl2_status check_options(const char *file, const json_t *model, bool *ignore_merges, vl2_error *err) {
    const char *type = json_string_value(json_object_get(model, "type"));
    const json_t *dropout = json_object_get(model, "dropout");
    static const char *const affixes[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    if (type && strcmp(type, "BPE") != 0)
        return vl2_fail(err, VL2_ERR_MODEL, "%s: the model type %.60s is not implemented.", file, type);
    if (dropout && !json_is_null(dropout) && json_number_value(dropout) != 0)
        return vl2_fail(err, VL2_ERR_MODEL, "%s: BPE with dropout is not implemented.", file);
    for (size_t i = 0; i < 2; i++) {
        const json_t *affix = json_object_get(model, affixes[i]);
        if (affix && !json_is_null(affix) && !(json_is_string(affix) && json_string_length(affix) == 0))
            return vl2_fail(err, VL2_ERR_MODEL, "%s: BPE with %s is not implemented.", file, affixes[i]);
    }
    if (json_is_true(json_object_get(model, "byte_fallback")))
        return vl2_fail(err, VL2_ERR_MODEL, "%s: BPE with byte_fallback is not implemented.", file);
    *ignore_merges = json_is_true(json_object_get(model, "ignore_merges"));
    return VL2_OK;
}

/* Highest id and bytes of all tokens. */
static vl2_status measure_vocabulary(const char *file, json_t *vocab, struct vl2_bpe *bpe, size_t *bytes, vl2_error *err) {
    const char *key;
    json_t *value;
    *bytes = 0;
    json_object_foreach (vocab, key, value) {
        json_int_t id = json_integer_value(value);
        if (!json_is_integer(value) || id < 0 || id >= VL2_MAX_TOKEN_ID)
            return vl2_fail(err, VL2_ERR_MODEL, "%s: the token \"%.60s\" has no id from 0 to %d.", file, key, VL2_MAX_TOKEN_ID - 1);
        if (id >= bpe->size)
            bpe->size = (int32_t)id + 1;
        *bytes += strlen(key);
    }
    bpe->count = (int32_t)json_object_size(vocab);
    if (bpe->count == 0)
        return vl2_fail(err, VL2_ERR_MODEL, "%s: the vocabulary is empty.", file);
    return VL2_OK;
}

static vl2_status check_bytes(const char *file, struct vl2_bpe *bpe, vl2_error *err) {
    for (int32_t b = 0; b < 256; b++) {
        char byte = (char)b;
        bool in_utf8 = b < 0xc0 || (b >= 0xc2 && b <= 0xf4);
        bpe->byte_id[b] = find_word(bpe, &byte, 1);
        if (bpe->byte_id[b] < 0 && in_utf8)
            return vl2_fail(err, VL2_ERR_MODEL, "%s: the vocabulary has no token for the byte 0x%02x.", file, (unsigned)b);
    }
    return VL2_OK;
}

/* Tokens with a character that stands for no byte (control tokens that are also listed as added tokens) keep their text; no
 * word can become one of them, so they are not in `words`. */
static vl2_status read_vocabulary(const char *file, json_t *vocab, struct vl2_bpe *bpe, const int16_t byte_of[0x144],
                                  vl2_error *err) {
    const char *key;
    json_t *value;
    size_t bytes, at = 0;
    vl2_status status = measure_vocabulary(file, vocab, bpe, &bytes, err);
    if (status != VL2_OK)
        return status;
    bpe->word_mask = table_mask((size_t)bpe->count);
    bpe->pieces = vlk_alloc((size_t)bpe->size, sizeof *bpe->pieces);
    bpe->words = vlk_alloc((size_t)bpe->word_mask + 1, sizeof *bpe->words);
    bpe->text = vlk_alloc(bytes + 1, 1);
    if (!bpe->pieces || !bpe->words || !bpe->text)
        return no_memory(err);
    memset(bpe->words, -1, ((size_t)bpe->word_mask + 1) * sizeof *bpe->words);
    json_object_foreach (vocab, key, value) {
        int32_t id = (int32_t)json_integer_value(value);
        struct vl2_piece *piece = &bpe->pieces[id];
        size_t length = strlen(key);
        if (piece->text)
            return vl2_fail(err, VL2_ERR_MODEL, "%s: two tokens of the vocabulary have the id %d; one is \"%.60s\".", file,
                            (int)id, key);
        if (length == 0)
            return vl2_fail(err, VL2_ERR_MODEL, "%s: the token %d of the vocabulary is empty.", file, (int)id);
        piece->text = bpe->text + at;
        if (to_bytes(byte_of, key, length, bpe->text + at, &piece->length)) {
            insert_word(bpe, id);
        } else {
            memcpy(bpe->text + at, key, length);
            piece->length = (uint32_t)length;
        }
        at += piece->length;
    }
    return check_bytes(file, bpe, err);
}

/* "left right" or ["left", "right"]. */
static bool split_merge(const json_t *entry, const char **left, size_t *n_left, const char **right, size_t *n_right) {
    if (json_is_array(entry) && json_array_size(entry) == 2) {
        *left = json_string_value(json_array_get(entry, 0));
        *right = json_string_value(json_array_get(entry, 1));
        if (!*left || !*right)
            return false;
        *n_left = strlen(*left);
    } else {
        *left = json_string_value(entry);
        const char *space = *left ? strchr(*left, ' ') : NULL;
        if (!space || strchr(space + 1, ' '))
            return false;
        *n_left = (size_t)(space - *left);
        *right = space + 1;
    }
    *n_right = strlen(*right);
    return *n_left > 0 && *n_right > 0;
}

/* The three ids of a merge; false where one is not in the vocabulary. */
static bool merge_ids(const struct vl2_bpe *bpe, const int16_t byte_of[0x144], const json_t *entry, int32_t ids[3]) {
    const char *left, *right;
    size_t n_left, n_right;
    uint32_t a, b;
    char bytes[1024];
    if (!split_merge(entry, &left, &n_left, &right, &n_right) || n_left + n_right > sizeof bytes)
        return false;
    if (!to_bytes(byte_of, left, n_left, bytes, &a) || !to_bytes(byte_of, right, n_right, bytes + a, &b))
        return false;
    ids[0] = find_word(bpe, bytes, a);
    ids[1] = find_word(bpe, bytes + a, b);
    ids[2] = find_word(bpe, bytes, a + b);
    return ids[0] >= 0 && ids[1] >= 0 && ids[2] >= 0;
}

static vl2_status read_merges(const char *file, const json_t *merges, struct vl2_bpe *bpe, const int16_t byte_of[0x144],
                              vl2_error *err) {
    size_t n = json_array_size(merges);
    if (!json_is_array(merges) || n > 4 * (size_t)VL2_MAX_TOKEN_ID)
        return vl2_fail(err, VL2_ERR_MODEL, "%s: the model has no usable list \"merges\".", file);
    bpe->merge_mask = table_mask(n);
    bpe->merges = vlk_alloc((size_t)bpe->merge_mask + 1, sizeof *bpe->merges);
    if (!bpe->merges)
        return no_memory(err);
    memset(bpe->merges, 0xff, ((size_t)bpe->merge_mask + 1) * sizeof *bpe->merges);
    for (size_t i = 0; i < n; i++) {
        int32_t ids[3];
        if (!merge_ids(bpe, byte_of, json_array_get(merges, i), ids))
            return vl2_fail(err, VL2_ERR_MODEL, "%s: merge %zu is not two tokens whose join is a token of the vocabulary.", file, i);
        insert_merge(bpe, ids[0], ids[1], (uint32_t)i, ids[2]);
    }
    return VL2_OK;
}

vl2_status vl2_bpe_init(const char *file, const json_t *model, struct vl2_bpe *bpe, vl2_error *err) {
    int16_t byte_of[0x144];
    *bpe = (struct vl2_bpe){0};
    fill_byte_table(byte_of);
    json_t *vocab = json_object_get(model, "vocab");
    if (!json_is_object(vocab))
        return vl2_fail(err, VL2_ERR_MODEL, "%s: the model has no object \"vocab\".", file);
    vl2_status status = check_options(file, model, &bpe->ignore_merges, err);
    if (status == VL2_OK)
        status = read_vocabulary(file, vocab, bpe, byte_of, err);
    if (status == VL2_OK)
        status = read_merges(file, json_object_get(model, "merges"), bpe, byte_of, err);
    if (status != VL2_OK)
        vl2_bpe_deinit(bpe);
    return status;
}

void vl2_bpe_deinit(struct vl2_bpe *bpe) {
    vlk_free(bpe->pieces);
    vlk_free(bpe->text);
    vlk_free(bpe->merges);
    vlk_free(bpe->words);
    *bpe = (struct vl2_bpe){0};
}

/* ------------------------------------------------------------------------------------------------- merging */

static size_t encode_short(const struct vl2_bpe *bpe, const uint8_t *word, size_t n, int32_t *ids) {
    uint64_t merge[SHORT_WORD]; /* of symbol i and i + 1 */
    for (size_t i = 0; i < n; i++)
        ids[i] = bpe->byte_id[word[i]];
    for (size_t i = 0; i + 1 < n; i++)
        merge[i] = find_merge(bpe, ids[i], ids[i + 1]);
    while (n > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < n; i++)
            if (merge[i] < merge[best])
                best = i;
        if (merge[best] == NO_MERGE)
            break;
        ids[best] = (int32_t)(uint32_t)merge[best];
        n--;
        memmove(ids + best + 1, ids + best + 2, (n - best - 1) * sizeof *ids);
        if (best + 1 < n) {
            memmove(merge + best + 1, merge + best + 2, (n - best - 2) * sizeof *merge);
            merge[best] = find_merge(bpe, ids[best], ids[best + 1]);
        }
        if (best > 0)
            merge[best - 1] = find_merge(bpe, ids[best - 1], ids[best]);
    }
    return n;
}

/* A candidate merge of the symbol at `at` with its right neighbour, valid while that pair still gives rank_id. */
struct candidate {
    uint64_t rank_id;
    uint32_t at;
};

struct long_word {
    int32_t *id; /* -1: merged into the symbol before it */
    uint32_t *previous, *next;
    struct candidate *heap;
    size_t n_heap;
};

static bool before(struct candidate a, struct candidate b) {
    return a.rank_id != b.rank_id ? a.rank_id < b.rank_id : a.at < b.at;
}

static void heap_push(struct long_word *w, struct candidate c) {
    size_t i = w->n_heap++;
    while (i > 0 && before(c, w->heap[(i - 1) / 2])) {
        w->heap[i] = w->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    w->heap[i] = c;
}

static struct candidate heap_pop(struct long_word *w) {
    struct candidate top = w->heap[0], last = w->heap[--w->n_heap];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= w->n_heap)
            break;
        if (child + 1 < w->n_heap && before(w->heap[child + 1], w->heap[child]))
            child++;
        if (!before(w->heap[child], last))
            break;
        w->heap[i] = w->heap[child];
        i = child;
    }
    w->heap[i] = last;
    return top;
}

static void push_pair(const struct vl2_bpe *bpe, struct long_word *w, uint32_t at) {
    uint64_t merge = find_merge(bpe, w->id[at], w->id[w->next[at]]);
    if (merge != NO_MERGE)
        heap_push(w, (struct candidate){merge, at});
}

/* One block for n symbols. Every merge removes a symbol and adds at most two candidates: 3 n candidates in all. */
static vl2_status prepare_long(struct vl2_bpe_scratch *scratch, size_t n, struct long_word *w, vl2_error *err) {
    const size_t per_symbol = 3 * sizeof(struct candidate) + sizeof *w->id + 2 * sizeof *w->next;
    if (scratch->capacity < n) {
        vlk_free(scratch->memory);
        scratch->capacity = 0;
        scratch->memory = vlk_alloc(2 * n, per_symbol);
        if (!scratch->memory)
            return vl2_fail(err, VL2_ERR_MEMORY, "Not enough memory to tokenize a word of %zu bytes.", n);
        scratch->capacity = 2 * n;
    }
    w->heap = scratch->memory;
    w->id = (int32_t *)(w->heap + 3 * n);
    w->previous = (uint32_t *)(w->id + n);
    w->next = w->previous + n;
    w->n_heap = 0;
    return VL2_OK;
}

static vl2_status encode_long(const struct vl2_bpe *bpe, struct vl2_bpe_scratch *scratch, const uint8_t *word, size_t length,
                              int32_t *ids, size_t *n_ids, vl2_error *err) {
    struct long_word w = {0};
    const uint32_t n = (uint32_t)length;
    vl2_status status = prepare_long(scratch, length, &w, err);
    if (status != VL2_OK)
        return status;
    for (uint32_t i = 0; i < n; i++) {
        w.id[i] = bpe->byte_id[word[i]];
        w.previous[i] = i - 1;
        w.next[i] = i + 1;
    }
    for (uint32_t i = 0; i + 1 < n; i++)
        push_pair(bpe, &w, i);
    while (w.n_heap > 0) {
        struct candidate c = heap_pop(&w);
        uint32_t right = w.next[c.at];
        if (w.id[c.at] < 0 || right == n || find_merge(bpe, w.id[c.at], w.id[right]) != c.rank_id)
            continue;
        w.id[c.at] = (int32_t)(uint32_t)c.rank_id;
        w.id[right] = -1;
        w.next[c.at] = w.next[right];
        if (w.next[c.at] < n) {
            w.previous[w.next[c.at]] = c.at;
            push_pair(bpe, &w, c.at);
        }
        if (c.at > 0)
            push_pair(bpe, &w, w.previous[c.at]);
    }
    *n_ids = 0;
    for (uint32_t i = 0; i < n; i = w.next[i])
        ids[(*n_ids)++] = w.id[i];
    return VL2_OK;
}

void vl2_bpe_scratch_deinit(struct vl2_bpe_scratch *scratch) {
    vlk_free(scratch->memory);
    *scratch = (struct vl2_bpe_scratch){0};
}

vl2_status vl2_bpe_encode(const struct vl2_bpe *bpe, struct vl2_bpe_scratch *scratch, const char *word, size_t length,
                          int32_t *ids, size_t *n_ids, vl2_error *err) {
    int32_t whole = bpe->ignore_merges ? find_word(bpe, word, length) : -1;
    if (whole >= 0) {
        ids[0] = whole;
        *n_ids = 1;
        return VL2_OK;
    }
    if (length > SHORT_WORD)
        return encode_long(bpe, scratch, (const uint8_t *)word, length, ids, n_ids, err);
    *n_ids = encode_short(bpe, (const uint8_t *)word, length, ids);
    return VL2_OK;
}
