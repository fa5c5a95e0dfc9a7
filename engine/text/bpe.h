/* SPDX-License-Identifier: MIT
 *
 * The byte-level BPE model of a tokenizer.json: vocabulary, merges, and the merging of one word.
 * Used by tokenizer.c. Immutable after opening, any thread.
 */
#ifndef VL2_BPE_H
#define VL2_BPE_H

#include "engine/vl2.h"

#include <jansson.h>

#define VL2_MAX_TOKEN_ID (1 << 22)

struct vl2_piece { /* the bytes of one token */
    const char *text; /* NULL: no token has this id */
    uint32_t length;
};

struct vl2_merge {
    uint64_t pair; /* left id << 32 | right id; VL2_NO_PAIR in a free slot */
    uint64_t rank_id; /* rank << 32 | id of the result: the smaller one merges first */
};
#define VL2_NO_PAIR UINT64_MAX

struct vl2_bpe {
    int32_t size;  /* highest id + 1 */
    int32_t count; /* entries of the vocabulary */
    struct vl2_piece *pieces; /* [size] into `text` */
    char *text;
    int32_t byte_id[256];      /* token of a single byte; -1 only for bytes that UTF-8 does not have */
    struct vl2_merge *merges;  /* open addressing, [merge_mask + 1] */
    uint32_t merge_mask;
    int32_t *words;            /* bytes → id, open addressing, -1 = free, [word_mask + 1] */
    uint32_t word_mask;
    bool ignore_merges; /* a word that is a token stays whole */
};

vl2_status vl2_bpe_init(const char *file, const json_t *model, struct vl2_bpe *bpe, vl2_error *err);
void vl2_bpe_deinit(struct vl2_bpe *bpe);

/* Memory for merging long words, kept between calls. */
struct vl2_bpe_scratch {
    void *memory;
    size_t capacity; /* in symbols */
};
void vl2_bpe_scratch_deinit(struct vl2_bpe_scratch *scratch);

/* Ids of one word, a piece of valid UTF-8 of `length` ≥ 1 bytes. ids needs room for `length`. */
vl2_status vl2_bpe_encode(const struct vl2_bpe *bpe, struct vl2_bpe_scratch *scratch, const char *word, size_t length,
                          int32_t *ids, size_t *n_ids, vl2_error *err);

#endif
