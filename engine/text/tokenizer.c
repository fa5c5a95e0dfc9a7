/* SPDX-License-Identifier: MIT
 *
 * Opens a tokenizer: reads tokenizer.json, checks every component, applies the official code's rule for control tokens. What it
 * does with a text is in tokenizer_encode.c, with ids in detokenizer.c. Part of engine/text/tokenizer.h.
 */
#include "engine/text/tokenizer.h"

#include "engine/error.h"
#include "engine/files/json.h"
#include "engine/text/utf8.h"
#include "kernels/vlk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const grounding_tokens[] = {"<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>", "<|grounding|>"};
#define N_GROUNDING (sizeof grounding_tokens / sizeof *grounding_tokens)

void vl2_free(void *p) {
    vlk_free(p);
}

static vl2_status no_memory(vl2_error *err) {
    return vl2_fail(err, VL2_ERR_MEMORY, "Not enough memory for the tokenizer.");
}

/* ------------------------------------------------------------------------------------------------- components */

/* No normalizer, or Sequences of none. */
static vl2_status check_normalizer(const char *file, const json_t *spec, int depth, vl2_error *err) {
    if (!spec || json_is_null(spec))
        return VL2_OK;
    const char *type = json_string_value(json_object_get(spec, "type"));
    const json_t *list = json_object_get(spec, "normalizers");
    if (!type || strcmp(type, "Sequence") != 0 || !json_is_array(list) || depth > 3)
        return vl2_fail(err, VL2_ERR_MODEL, "%s: the normalizer %.60s is not implemented.", file, type ? type : "without a type");
    for (size_t i = 0; i < json_array_size(list); i++) {
        vl2_status status = check_normalizer(file, json_array_get(list, i), depth + 1, err);
        if (status != VL2_OK)
            return status;
    }
    return VL2_OK;
}

static vl2_status check_decoder(const char *file, const json_t *spec, vl2_error *err) {
    const char *type = json_string_value(json_object_get(spec, "type"));
    if (type && strcmp(type, "ByteLevel") == 0)
        return VL2_OK;
    return vl2_fail(err, VL2_ERR_MODEL, "%s: the decoder %.60s is not implemented.", file, type ? type : "(none)");
}

/* ------------------------------------------------------------------------------------------------- added tokens */

static struct vl2_added_token *find_added(const vl2_tokenizer *t, const char *text) {
    size_t length = strlen(text);
    for (size_t i = 0; i < t->n_added; i++)
        if (t->added[i].length == length && memcmp(t->added[i].text, text, length) == 0)
            return &t->added[i];
    return NULL;
}

/* The id of a token that is being added: the vocabulary's own, else the next free one.   tokenizers: AddedVocabulary */
static int32_t id_for_added(const vl2_tokenizer *t, const json_t *vocab, const char *text) {
    const json_t *known = json_object_get(vocab, text);
    int32_t next = t->bpe.count;
    if (json_is_integer(known))
        return (int32_t)json_integer_value(known);
    for (size_t i = 0; i < t->n_added; i++)
        if (t->added[i].id >= next)
            next = t->added[i].id + 1;
    return next;
}

static vl2_status add_token(vl2_tokenizer *t, const json_t *vocab, const char *text, bool normalized, int32_t *id, vl2_error *err) {
    const struct vl2_added_token *known = find_added(t, text);
    if (known) {
        *id = known->id;
        return VL2_OK;
    }
    *id = id_for_added(t, vocab, text);
    if (t->n_added == VL2_MAX_ADDED_TOKENS || *id >= VL2_MAX_TOKEN_ID)
        return vl2_fail(err, VL2_ERR_MODEL, "%s: too many added tokens.", t->file);
    if (*id < t->bpe.size && t->bpe.pieces[*id].text && !json_object_get(vocab, text))
        return vl2_fail(err, VL2_ERR_MODEL, "%s: the added token \"%.60s\" would get the id %d of a token of the vocabulary.", t->file,
                        text, (int)*id);
    if ((t->n_added & (t->n_added - 1)) == 0) { /* grows at powers of two */
        struct vl2_added_token *grown = vlk_realloc(t->added, t->n_added * sizeof *grown, (t->n_added ? 2 * t->n_added : 1) * sizeof *grown);
        if (!grown)
            return no_memory(err);
        t->added = grown;
    }
    struct vl2_added_token *token = &t->added[t->n_added];
    size_t length = strlen(text);
    *token = (struct vl2_added_token){.text = vl2_text_copy(text, length), .length = (uint32_t)length, .id = *id, .normalized = normalized};
    if (!token->text)
        return no_memory(err);
    for (size_t i = 0; i < N_GROUNDING; i++)
        token->grounding |= strcmp(text, grounding_tokens[i]) == 0;
    t->n_added++;
    return VL2_OK;
}

static vl2_status read_added(vl2_tokenizer *t, const json_t *vocab, const json_t *entry, vl2_error *err) {
    static const char *const flags[] = {"single_word", "lstrip", "rstrip"};
    const char *text = json_string_value(json_object_get(entry, "content"));
    const json_t *id = json_object_get(entry, "id");
    int32_t assigned;
    if (!text || !*text || strlen(text) > VL2_MAX_ADDED_BYTES || !json_is_integer(id))
        return vl2_fail(err, VL2_ERR_MODEL, "%s: an entry of added_tokens has no usable content or no id.", t->file);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (json_is_true(json_object_get(entry, flags[i])))
            return vl2_fail(err, VL2_ERR_MODEL, "%s: the added token \"%.60s\" is %s, which is not implemented.", t->file, text,
                            flags[i]);
    vl2_status status = add_token(t, vocab, text, json_is_true(json_object_get(entry, "normalized")), &assigned, err);
    if (status == VL2_OK && json_integer_value(id) != assigned)
        status = vl2_fail(err, VL2_ERR_MODEL, "%s: the added token \"%.60s\" says id %lld, but it gets %d.", t->file, text,
                          (long long)json_integer_value(id), (int)assigned);
    return status;
}

/* A special token of tokenizer_config.json: a string or an object with "content"; NULL where it is not named. */
static const char *configured(const json_t *config, const char *key) {
    const json_t *value = json_object_get(config, key);
    const char *text = json_string_value(json_is_object(value) ? json_object_get(value, "content") : value);
    return text && *text ? text : NULL;
}

/* Tokens that the official code sees to when it opens a tokenizer, in its order.
 * processing_deepseek_vl_v2.py: DeepseekVLV2Processor.__init__ */
static vl2_status apply_rule(vl2_tokenizer *t, const json_t *vocab, const json_t *config, vl2_error *err) {
    struct vl2_special *s = &t->special;
    const char *pad = configured(config, "pad_token");
    const struct {
        const char *text;
        int32_t *id;
    } tokens[] = {
        {configured(config, "bos_token"), &s->bos},
        {configured(config, "eos_token"), &s->eos},
        {configured(config, "unk_token"), &(int32_t){0}},
        {pad ? pad : "<｜▁pad▁｜>", &s->pad},
        {"<image>", &s->image},
        {"<|ref|>", &s->ref},
        {"<|/ref|>", &s->ref_end},
        {"<|det|>", &s->det},
        {"<|/det|>", &s->det_end},
        {"<|grounding|>", &s->grounding},
        {"<|User|>", &s->user},
        {"<|Assistant|>", &s->assistant},
    };
    s->bos = s->eos = -1;
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        if (!tokens[i].text)
            continue;
        const json_t *in_vocab = tokens[i].id == &s->image ? json_object_get(vocab, tokens[i].text) : NULL;
        if (in_vocab) { /* the official code leaves this one as it is */
            s->image = (int32_t)json_integer_value(in_vocab);
            continue;
        }
        vl2_status status = add_token(t, vocab, tokens[i].text, false, tokens[i].id, err);
        if (status != VL2_OK)
            return status;
    }
    return VL2_OK;
}

static int compare_added(const void *a, const void *b) {
    const struct vl2_added_token *x = *(const struct vl2_added_token *const *)a, *y = *(const struct vl2_added_token *const *)b;
    return strcmp(x->text, y->text);
}

/* Sorts the added tokens for the two passes and fills the table of pieces. */
static vl2_status seal(vl2_tokenizer *t, vl2_error *err) {
    t->size = t->bpe.size;
    for (size_t i = 0; i < t->n_added; i++)
        if (t->added[i].id >= t->size)
            t->size = t->added[i].id + 1;
    t->pieces = vlk_alloc((size_t)t->size, sizeof *t->pieces);
    for (size_t pass = 0; pass < 2; pass++)
        t->passes[pass] = vlk_alloc(t->n_added + 1, sizeof *t->passes[pass]);
    if (!t->pieces || !t->passes[0] || !t->passes[1])
        return no_memory(err);
    memcpy(t->pieces, t->bpe.pieces, (size_t)t->bpe.size * sizeof *t->pieces);
    for (size_t i = 0; i < t->n_added; i++) {
        const struct vl2_added_token *a = &t->added[i];
        t->passes[a->normalized][t->n_passes[a->normalized]++] = a;
        t->first[a->normalized][(uint8_t)a->text[0]] = true;
        t->pieces[a->id] = (struct vl2_piece){a->text, a->length};
    }
    for (size_t pass = 0; pass < 2; pass++)
        qsort(t->passes[pass], t->n_passes[pass], sizeof *t->passes[pass], compare_added);
    for (int32_t i = 0; i < t->size; i++)
        if (t->pieces[i].length > t->longest)
            t->longest = t->pieces[i].length;
    return VL2_OK;
}

/* ------------------------------------------------------------------------------------------------- opening */

static vl2_status fill(vl2_tokenizer *t, const json_t *json, const json_t *config, vl2_error *err) {
    const json_t *model = json_object_get(json, "model");
    const json_t *pre = json_object_get(json, "pre_tokenizer");
    const json_t *added = json_object_get(json, "added_tokens");
    if (!json_is_object(model))
        return vl2_fail(err, VL2_ERR_MODEL, "%s: there is no object \"model\".", t->file);
    vl2_status status = check_normalizer(t->file, json_object_get(json, "normalizer"), 0, err);
    if (status == VL2_OK)
        status = check_decoder(t->file, json_object_get(json, "decoder"), err);
    /* The post_processor only adds tokens that the official code asks not to add. */
    if (status == VL2_OK)
        status = vl2_pretokenizer_open(t->file, pre, &t->pretokenizer, err);
    if (status == VL2_OK)
        status = vl2_bpe_init(t->file, model, &t->bpe, err);
    const json_t *vocab = json_object_get(model, "vocab");
    if (status == VL2_OK && added && !json_is_array(added))
        status = vl2_fail(err, VL2_ERR_MODEL, "%s: added_tokens is not a list.", t->file);
    for (size_t i = 0; status == VL2_OK && i < json_array_size(added); i++)
        status = read_added(t, vocab, json_array_get(added, i), err);
    if (status == VL2_OK)
        status = apply_rule(t, vocab, config, err);
    return status == VL2_OK ? seal(t, err) : status;
}

vl2_status vl2_tokenizer_from_json(const char *file, const json_t *json, const json_t *config, vl2_tokenizer **out,
                                   vl2_error *err) {
    *out = NULL;
    vl2_tokenizer *t = vlk_alloc(1, sizeof *t);
    if (!t || !(t->file = vl2_text_copy(file, strlen(file)))) {
        vlk_free(t);
        return no_memory(err);
    }
    vl2_status status = fill(t, json, config, err);
    if (status == VL2_OK)
        *out = t;
    else
        vl2_tokenizer_close(t);
    return status;
}

static bool is_absent(const char *dir, const char *name) {
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", dir, name);
    return n > 0 && (size_t)n < sizeof path && access(path, F_OK) != 0 && errno == ENOENT;
}

vl2_status vl2_tokenizer_open(const char *dir, vl2_tokenizer **out, vl2_error *err) {
    char file[512];
    json_t *json = NULL, *config = NULL;
    *out = NULL;
    snprintf(file, sizeof file, "%.400s/tokenizer.json", dir);
    vl2_status status = vl2_json_load(dir, "tokenizer.json", &json, err);
    if (status == VL2_OK && !is_absent(dir, "tokenizer_config.json"))
        status = vl2_json_load(dir, "tokenizer_config.json", &config, err);
    if (status == VL2_OK)
        status = vl2_tokenizer_from_json(file, json, config, out, err);
    json_decref(json);
    json_decref(config);
    return status;
}

void vl2_tokenizer_close(vl2_tokenizer *t) {
    if (!t)
        return;
    for (size_t i = 0; i < t->n_added; i++)
        vlk_free(t->added[i].text);
    vlk_free(t->added);
    vlk_free(t->passes[0]);
    vlk_free(t->passes[1]);
    vlk_free(t->pieces);
    vl2_bpe_deinit(&t->bpe);
    vl2_pretokenizer_close(t->pretokenizer);
    vlk_free(t->file);
    vlk_free(t);
}

/* ------------------------------------------------------------------------------------------------- asking */

int32_t vl2_tokenizer_size(const vl2_tokenizer *tokenizer) {
    return tokenizer->size;
}

int32_t vl2_tokenizer_id(const vl2_tokenizer *tokenizer, const char *token) {
    const struct vl2_added_token *added = find_added(tokenizer, token);
    return added ? added->id : -1;
}

const struct vl2_special *vl2_tokenizer_special(const vl2_tokenizer *tokenizer) {
    return &tokenizer->special;
}

const char *vl2_tokenizer_piece(const vl2_tokenizer *tokenizer, int32_t id, size_t *length) {
    *length = 0;
    if (id < 0 || id >= tokenizer->size || !tokenizer->pieces[id].text)
        return "";
    *length = tokenizer->pieces[id].length;
    return tokenizer->pieces[id].text;
}
