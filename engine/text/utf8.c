/* SPDX-License-Identifier: MIT
 *
 * Decodes strictly, replaces what is not UTF-8, and strips white space.
 */
#include "engine/text/utf8.h"

#include "kernels/vlk.h"

#include <string.h>

/* Length of the sequence that a lead byte announces and the range of its second byte (Unicode, table 3-7); 0 = no lead byte. */
static size_t sequence_length(uint8_t lead, uint8_t *low, uint8_t *high) {
    *low = 0x80;
    *high = 0xbf;
    if (lead < 0x80)
        return 1;
    if (lead >= 0xc2 && lead <= 0xdf)
        return 2;
    if (lead >= 0xe0 && lead <= 0xef) {
        if (lead == 0xe0)
            *low = 0xa0;
        if (lead == 0xed)
            *high = 0x9f; /* no surrogates */
        return 3;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        if (lead == 0xf0)
            *low = 0x90;
        if (lead == 0xf4)
            *high = 0x8f;
        return 4;
    }
    return 0;
}

size_t vl2_utf8_next(const char *text, size_t length, int32_t *code_point, bool *truncated) {
    const uint8_t *s = (const uint8_t *)text;
    uint8_t low, high;
    size_t need = sequence_length(s[0], &low, &high);
    if (truncated)
        *truncated = false;
    *code_point = -1;
    if (need == 0)
        return 1;
    if (need == 1) {
        *code_point = s[0];
        return 1;
    }
    int32_t value = s[0] & (0x7f >> need);
    for (size_t i = 1; i < need; i++) {
        if (i == length) {
            if (truncated)
                *truncated = true;
            return i;
        }
        if (s[i] < low || s[i] > high)
            return i;
        value = value << 6 | (s[i] & 0x3f);
        low = 0x80;
        high = 0xbf;
    }
    *code_point = value;
    return need;
}

size_t vl2_utf8_put(char *out, int32_t c) {
    uint8_t *o = (uint8_t *)out;
    if (c < 0x80) {
        o[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        o[0] = (uint8_t)(0xc0 | c >> 6);
        o[1] = (uint8_t)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        o[0] = (uint8_t)(0xe0 | c >> 12);
        o[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        o[2] = (uint8_t)(0x80 | (c & 0x3f));
        return 3;
    }
    o[0] = (uint8_t)(0xf0 | c >> 18);
    o[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
    o[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    o[3] = (uint8_t)(0x80 | (c & 0x3f));
    return 4;
}

/* Bytes at the start of text that are ASCII, eight at a time. */
static size_t ascii_run(const char *text, size_t length) {
    size_t i = 0;
    for (; i + 8 <= length; i += 8) {
        uint64_t word;
        memcpy(&word, text + i, 8);
        if (word & UINT64_C(0x8080808080808080))
            break;
    }
    while (i < length && (uint8_t)text[i] < 0x80)
        i++;
    return i;
}

bool vl2_utf8_valid(const char *text, size_t length) {
    size_t i = 0;
    while (i < length) {
        i += ascii_run(text + i, length - i);
        int32_t c = 0;
        if (i < length)
            i += vl2_utf8_next(text + i, length - i, &c, NULL);
        if (c < 0)
            return false;
    }
    return true;
}

size_t vl2_utf8_repair(char *out, const char *text, size_t length) {
    size_t n = 0;
    for (size_t i = 0; i < length;) {
        int32_t c;
        size_t used = vl2_utf8_next(text + i, length - i, &c, NULL);
        n += vl2_utf8_put(out + n, c < 0 ? 0xfffd : c);
        i += used;
    }
    return n;
}

char *vl2_text_copy(const char *text, size_t length) {
    char *copy = vlk_alloc(length + 1, 1);
    if (copy)
        memcpy(copy, text, length);
    return copy;
}

bool vl2_is_space(int32_t c) {
    return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

void vl2_strip_start(const char *text, size_t *start, size_t end) {
    while (*start < end) {
        int32_t c;
        size_t used = vl2_utf8_next(text + *start, end - *start, &c, NULL);
        if (!vl2_is_space(c))
            return;
        *start += used;
    }
}

void vl2_strip_end(const char *text, size_t start, size_t *end) {
    while (*end > start) {
        size_t at = *end - 1;
        while (at > start && *end - at < 4 && ((uint8_t)text[at] & 0xc0) == 0x80)
            at--;
        int32_t c;
        size_t used = vl2_utf8_next(text + at, *end - at, &c, NULL);
        if (at + used != *end || !vl2_is_space(c))
            return;
        *end = at;
    }
}
