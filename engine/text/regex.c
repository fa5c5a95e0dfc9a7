/* SPDX-License-Identifier: MIT
 *
 * Translates Oniguruma's expressions to PCRE2. The translation is one pass over the pattern; what it does not touch means the
 * same to both libraries.
 */
#define PCRE2_CODE_UNIT_WIDTH 8

#include "engine/text/regex.h"

#include "engine/error.h"
#include "engine/text/utf8.h"
#include "kernels/vlk.h"

#include <pcre2.h>
#include <string.h>

/* White_Space of Unicode as class members; PCRE2's own \s adds U+180E. */
#define SPACE "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
#define NOT_SPACE \
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}" \
    "\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{10ffff}"
#define LONGEST_INSERT 256

#define MATCH_LIMIT 20000000u
#define HEAP_LIMIT_KIB 65536u

struct vl2_regex {
    pcre2_code *code;
    char *pattern; /* as the file has it, for messages */
    char *file;
};

struct vl2_regex_scratch {
    pcre2_match_context *context;
    pcre2_match_data *data;
};

struct translation {
    const char *file, *in;
    size_t at;
    char *out;
    size_t n, capacity;
    vl2_error *err;
    vl2_status status;
};

static bool put(struct translation *t, const char *text, size_t length) {
    if (t->n + length + 1 > t->capacity) {
        size_t capacity = 2 * (t->n + length + LONGEST_INSERT);
        char *out = vlk_realloc(t->out, t->n, capacity);
        if (!out) {
            t->status = vl2_fail(t->err, VL2_ERR_MEMORY, "Not enough memory for the tokenizer.");
            return false;
        }
        t->out = out;
        t->capacity = capacity;
    }
    memcpy(t->out + t->n, text, length);
    t->n += length;
    t->out[t->n] = '\0';
    return true;
}

static bool put_string(struct translation *t, const char *text) {
    return put(t, text, strlen(text));
}

static bool refuse(struct translation *t, const char *what) {
    t->status = vl2_fail(t->err, VL2_ERR_MODEL, "%s: the pre-tokenizer's pattern \"%.120s\" uses %s, which is not implemented.",
                         t->file, t->in, what);
    return false;
}

/* \p{…}, \P{…}, \x{…}: copied with their braces. */
static bool copy_braced(struct translation *t) {
    const char *start = t->in + t->at;
    const char *close = start[2] == '{' ? strchr(start, '}') : NULL;
    if (!close)
        return refuse(t, "a property or code without braces");
    size_t length = (size_t)(close - start) + 1;
    t->at += length;
    return put(t, start, length);
}

static bool copy_u_escape(struct translation *t) {
    const char *digits = t->in + t->at + 2;
    if (strspn(digits, "0123456789abcdefABCDEF") < 4)
        return refuse(t, "a broken \\u escape");
    t->at += 6;
    return put_string(t, "\\x{") && put(t, digits, 4) && put_string(t, "}");
}

/* One backslash escape, inside a class or outside. */
static bool translate_escape(struct translation *t, bool in_class) {
    char c = t->in[t->at + 1];
    char name[24];
    switch (c) {
    case 's':
        t->at += 2;
        return put_string(t, in_class ? SPACE : "[" SPACE "]");
    case 'S':
        t->at += 2;
        return put_string(t, in_class ? NOT_SPACE : "[^" SPACE "]");
    case 'h':
        t->at += 2;
        return put_string(t, in_class ? "0-9A-Fa-f" : "[0-9A-Fa-f]");
    case 'd':
        t->at += 2;
        return put_string(t, "\\p{Nd}");
    case 'D':
        t->at += 2;
        return put_string(t, "\\P{Nd}");
    case 'v':
        t->at += 2;
        return put_string(t, "\\x{b}");
    case 'p':
    case 'P':
    case 'x':
        return copy_braced(t);
    case 'u':
        return copy_u_escape(t);
    case 'A':
    case 'z':
    case 'Z':
        if (in_class)
            return refuse(t, "an anchor inside a class");
        break;
    default:
        if (c == '\0' || (strchr("0123456789", c) != NULL) || ((c | 32) >= 'a' && (c | 32) <= 'z' && !strchr("rntfae", c))) {
            memcpy(name, "the escape \\?", 14);
            name[12] = c ? c : ' ';
            return refuse(t, name);
        }
    }
    t->at += 2;
    return put(t, t->in + t->at - 2, 2);
}

static bool translate_class(struct translation *t) {
    const char *in = t->in;
    size_t start = t->at;
    t->at += in[t->at + 1] == '^' ? 2 : 1;
    if (!put(t, in + start, t->at - start))
        return false;
    if (in[t->at] == ']')
        return refuse(t, "a class that begins with ]");
    while (in[t->at] != ']') {
        if (in[t->at] == '\0')
            return refuse(t, "a class without its end");
        if (in[t->at] == '[')
            return refuse(t, "a class inside a class");
        if (in[t->at] == '&' && in[t->at + 1] == '&')
            return refuse(t, "the class intersection &&");
        if (in[t->at] == '\\') {
            if (!translate_escape(t, true))
                return false;
        } else if (!put(t, in + t->at++, 1))
            return false;
    }
    t->at++;
    return put_string(t, "]");
}

/* "(" and what may follow it. */
static bool translate_group(struct translation *t) {
    static const char *const known[] = {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:", "(?-i:", "(?i)", "(?-i)"};
    const char *in = t->in + t->at;
    if (in[1] == '*')
        return refuse(t, "a group that begins with (*");
    if (in[1] != '?') {
        t->at++;
        return put_string(t, "(");
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strncmp(in, known[i], strlen(known[i])) == 0) {
            t->at += strlen(known[i]);
            return put_string(t, known[i]);
        }
    return refuse(t, "a kind of group");
}

/* {n,m}: the same in both, except {,m} and a + after it. A brace that begins no repetition is a plain character. */
static bool translate_brace(struct translation *t) {
    const char *in = t->in + t->at;
    size_t length = 1 + strspn(in + 1, "0123456789,");
    if (in[length] == '}' && length > 1) {
        if (in[1] == ',')
            return refuse(t, "a repetition without its minimum");
        if (in[length + 1] == '+')
            return refuse(t, "a + after a counted repetition");
    }
    t->at++;
    return put_string(t, "{");
}

static bool translate(struct translation *t) {
    /* Searching a run of n spaces that does not end its line takes n² steps as it stands. A match can only begin where the run
     * begins: every later start would end where the first one ends. */
    if (strcmp(t->in, "\\s+$") == 0)
        return put_string(t, "(?<![" SPACE "])[" SPACE "]+$");
    while (t->in[t->at] != '\0') {
        bool fine;
        switch (t->in[t->at]) {
        case '\\': fine = translate_escape(t, false); break;
        case '[': fine = translate_class(t); break;
        case '(': fine = translate_group(t); break;
        case '{': fine = translate_brace(t); break;
        default: fine = put(t, t->in + t->at++, 1);
        }
        if (!fine)
            return false;
    }
    return true;
}

static void *allocate(size_t bytes, void *user) {
    return vlk_alloc(1, bytes);
}

static void release(void *p, void *user) {
    vlk_free(p);
}

/* Everything that PCRE2 allocates counts as the engine's. */
static pcre2_general_context *new_memory_context(void) {
    return pcre2_general_context_create(allocate, release, NULL);
}

/* Ruby's ^ and $ are line anchors, and only \n ends a line. */
static pcre2_code *compile(const char *pattern, size_t length, bool literal, int *code, PCRE2_SIZE *offset) {
    pcre2_general_context *memory = new_memory_context();
    pcre2_compile_context *context = memory ? pcre2_compile_context_create(memory) : NULL;
    pcre2_general_context_free(memory);
    if (!context) {
        *code = PCRE2_ERROR_NOMEMORY;
        return NULL;
    }
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    uint32_t options = PCRE2_UTF | (literal ? PCRE2_LITERAL : PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C);
    pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)pattern, length, options, code, offset, context);
    pcre2_compile_context_free(context);
    return compiled;
}

static vl2_status compile_into(vl2_regex *regex, const char *pattern, size_t length, bool literal, vl2_error *err) {
    int code = 0;
    PCRE2_SIZE offset = 0;
    uint32_t may_be_empty = 1;
    regex->code = compile(pattern, length, literal, &code, &offset);
    if (!regex->code) {
        char reason[160] = "";
        if (code == PCRE2_ERROR_NOMEMORY || code == PCRE2_ERROR_HEAP_FAILED)
            return vl2_fail(err, VL2_ERR_MEMORY, "Not enough memory for the tokenizer.");
        pcre2_get_error_message(code, (PCRE2_UCHAR *)reason, sizeof reason);
        return vl2_fail(err, VL2_ERR_MODEL, "%s: the pre-tokenizer's pattern \"%.120s\" cannot be used: %s.", regex->file,
                        regex->pattern, reason);
    }
    pcre2_pattern_info(regex->code, PCRE2_INFO_MATCHEMPTY, &may_be_empty);
    if (may_be_empty)
        return vl2_fail(err, VL2_ERR_MODEL, "%s: the pre-tokenizer's pattern \"%.120s\" can match nothing.", regex->file,
                        regex->pattern);
    pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE); /* where it is not available the interpreter does the same */
    return VL2_OK;
}

vl2_status vl2_regex_open(const char *file, const char *pattern, bool literal, vl2_regex **out, vl2_error *err) {
    struct translation t = {.file = file, .in = pattern, .err = err};
    *out = NULL;
    if (strlen(pattern) > VL2_MAX_PATTERN_BYTES)
        return vl2_fail(err, VL2_ERR_MODEL, "%s: a pattern of the pre-tokenizer is longer than %d bytes.", file,
                        VL2_MAX_PATTERN_BYTES);
    if (!put_string(&t, "") || !(literal ? put_string(&t, pattern) : translate(&t))) {
        vlk_free(t.out);
        return t.status;
    }
    vl2_regex *regex = vlk_alloc(1, sizeof *regex);
    if (regex) {
        regex->pattern = vl2_text_copy(pattern, strlen(pattern));
        regex->file = vl2_text_copy(file, strlen(file));
    }
    vl2_status status = regex && regex->pattern && regex->file
                            ? compile_into(regex, t.out, t.n, literal, err)
                            : vl2_fail(err, VL2_ERR_MEMORY, "Not enough memory for the tokenizer.");
    vlk_free(t.out);
    if (status == VL2_OK)
        *out = regex;
    else
        vl2_regex_close(regex);
    return status;
}

void vl2_regex_close(vl2_regex *regex) {
    if (!regex)
        return;
    pcre2_code_free(regex->code);
    vlk_free(regex->pattern);
    vlk_free(regex->file);
    vlk_free(regex);
}

vl2_regex_scratch *vl2_regex_scratch_new(void) {
    vl2_regex_scratch *scratch = vlk_alloc(1, sizeof *scratch);
    pcre2_general_context *memory = new_memory_context();
    if (scratch && memory) {
        scratch->context = pcre2_match_context_create(memory);
        scratch->data = pcre2_match_data_create(1, memory);
    }
    pcre2_general_context_free(memory);
    if (!scratch || !scratch->context || !scratch->data) {
        vl2_regex_scratch_free(scratch);
        return NULL;
    }
    pcre2_set_match_limit(scratch->context, MATCH_LIMIT);
    pcre2_set_heap_limit(scratch->context, HEAP_LIMIT_KIB);
    return scratch;
}

void vl2_regex_scratch_free(vl2_regex_scratch *scratch) {
    if (!scratch)
        return;
    pcre2_match_context_free(scratch->context);
    pcre2_match_data_free(scratch->data);
    vlk_free(scratch);
}

vl2_status vl2_regex_find(const vl2_regex *regex, vl2_regex_scratch *scratch, const char *text, size_t length, size_t from,
                          bool *found, size_t *start, size_t *end, vl2_error *err) {
    int code = pcre2_match(regex->code, (PCRE2_SPTR)text, length, from, PCRE2_NO_UTF_CHECK, scratch->data, scratch->context);
    if (code == PCRE2_ERROR_JIT_STACKLIMIT)
        code = pcre2_match(regex->code, (PCRE2_SPTR)text, length, from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, scratch->data,
                           scratch->context);
    *found = code >= 0;
    if (code >= 0) {
        const PCRE2_SIZE *offsets = pcre2_get_ovector_pointer(scratch->data);
        *start = offsets[0];
        *end = offsets[1];
        /* \K and look-around tricks are refused above; this keeps a loop over matches finite whatever a pattern does. */
        if (*end > *start && *start >= from)
            return VL2_OK;
        return vl2_fail(err, VL2_ERR_MODEL, "%s: the pattern \"%.120s\" matched nothing.", regex->file, regex->pattern);
    }
    if (code == PCRE2_ERROR_NOMATCH)
        return VL2_OK;
    char reason[160] = "";
    pcre2_get_error_message(code, (PCRE2_UCHAR *)reason, sizeof reason);
    return vl2_fail(err, code == PCRE2_ERROR_NOMEMORY ? VL2_ERR_MEMORY : VL2_ERR_MODEL,
                    "%s: the pattern \"%.120s\" gave up on a text of %zu bytes: %s.", regex->file, regex->pattern, length, reason);
}
