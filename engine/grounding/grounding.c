/* SPDX-License-Identifier: MIT
 *
 * Model text to labels and boxes. Reads what models really write: wrong counts, nested lists, runs of digits, blocks that break
 * off or are interrupted. One pass, no recursion, nothing is evaluated; every number list becomes a box with a status.
 *   - A label ends at its end mark or where any other mark begins; a block of boxes likewise. A mixed-up end mark ends it too.
 *   - [1, 2, 3, 4] and [[1, 2, 3, 4]] are both one box; each innermost list is one. White space and fullwidth commas separate too.
 *   - Numbers with a fraction are refused rather than cut: 0.1 is a share of the width to the model that wrote it, not 0 of 999.
 * Pure; called by app/ through engine/vl2.h.
 */
#include "engine/error.h"
#include "engine/text/utf8.h"
#include "engine/vl2.h"
#include "kernels/vlk.h"

#include <string.h>

#define HIGHEST 999
#define MOST_DIGITS 6 /* more is a run of digits, not a coordinate */

enum mark { MARK_REF, MARK_REF_END, MARK_DET, MARK_DET_END, N_MARKS };
static const char *const marks[N_MARKS] = {"<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>"};

/* What is wrong with the box being read; the first one found is the reason. */
struct draft {
    int32_t numbers[4];
    size_t count;
    size_t start;       /* of its bracket or first number */
    size_t numbers_start, numbers_end;
    bool bracket, open; /* began with a bracket; something has begun */
    bool above, below, digits, fraction, other;
};

struct parser {
    const char *text;
    size_t length, at;
    struct vl2_grounding out;
    size_t spans_capacity, boxes_capacity;
    size_t label; /* waiting for its block, SIZE_MAX = none */
    struct draft draft;
    struct vl2_grounding_place settled; /* where reading can go on later */
    size_t n_settled;                   /* boxes before that */
    bool failed; /* out of memory */
};

/* ------------------------------------------------------------------------------------------------- output */

/* Room for one more element. */
static bool grow(struct parser *p, void **data, size_t n, size_t *capacity, size_t size) {
    if (n < *capacity)
        return true;
    size_t wanted = 2 * *capacity + 8;
    void *grown = vlk_realloc(*data, n * size, wanted * size);
    if (!grown) {
        p->failed = true;
        return false;
    }
    *data = grown;
    *capacity = wanted;
    return true;
}

static void add_span(struct parser *p, struct vl2_span span) {
    void *data = p->out.spans;
    if (span.end == span.start || !grow(p, &data, p->out.n_spans, &p->spans_capacity, sizeof span))
        return;
    p->out.spans = data;
    p->out.spans[p->out.n_spans++] = span;
}

static void add_box(struct parser *p, struct vl2_box box) {
    void *data = p->out.boxes;
    if (!grow(p, &data, p->out.n_boxes, &p->boxes_capacity, sizeof box))
        return;
    p->out.boxes = data;
    p->out.boxes[p->out.n_boxes++] = box;
}

/* ------------------------------------------------------------------------------------------------- boxes */

static vl2_box_reason refusal(const struct draft *d) {
    static const vl2_box_reason counts[] = {VL2_REASON_NO_NUMBERS, VL2_REASON_ONE_NUMBER, VL2_REASON_TWO_NUMBERS,
                                            VL2_REASON_THREE_NUMBERS};
    if (d->fraction)
        return VL2_REASON_FRACTION;
    if (d->digits)
        return VL2_REASON_DIGITS;
    if (d->other)
        return VL2_REASON_NOT_NUMBERS;
    return d->count < 4 ? counts[d->count] : VL2_REASON_NONE;
}

static void swap(int32_t *a, int32_t *b) {
    int32_t c = *a;
    *a = *b;
    *b = c;
}

/* Ends the box at `end`. `closed`: its bracket was closed; `cut`: the text ended inside it. */
static void finish_box(struct parser *p, size_t end, bool closed, bool cut) {
    struct draft *d = &p->draft;
    struct vl2_box box = {.status = VL2_BOX_OK,
                          .label = p->label,
                          .start = d->start,
                          .end = end,
                          .numbers_start = d->numbers_start,
                          .numbers_end = d->numbers_end};
    vl2_box_reason refused = refusal(d);
    if (cut) {
        box.status = VL2_BOX_INCOMPLETE;
        box.reason = VL2_REASON_CUT;
    } else if (refused) {
        box.status = VL2_BOX_REJECTED;
        box.reason = refused;
    } else {
        memcpy(box.coords, d->numbers, sizeof box.coords);
        bool swapped = box.coords[0] > box.coords[2] || box.coords[1] > box.coords[3];
        if (box.coords[0] > box.coords[2])
            swap(&box.coords[0], &box.coords[2]);
        if (box.coords[1] > box.coords[3])
            swap(&box.coords[1], &box.coords[3]);
        box.reason = d->count > 4  ? VL2_REASON_SURPLUS
                     : d->above    ? VL2_REASON_ABOVE
                     : d->below    ? VL2_REASON_BELOW
                     : swapped     ? VL2_REASON_SWAPPED
                     : !d->bracket ? VL2_REASON_NO_BRACKETS
                     : !closed     ? VL2_REASON_NO_CLOSING_BRACKET
                                   : VL2_REASON_NONE;
        box.status = box.reason ? VL2_BOX_CLAMPED : VL2_BOX_OK;
        if (box.coords[0] == box.coords[2] || box.coords[1] == box.coords[3]) {
            box.status = VL2_BOX_REJECTED;
            box.reason = VL2_REASON_NO_AREA;
        }
    }
    add_box(p, box);
    p->draft = (struct draft){0};
}

/* A number, sign included. Consumes all digits, however many; a fraction too. */
static void read_number(struct parser *p) {
    struct draft *d = &p->draft;
    bool negative = p->text[p->at] == '-';
    int32_t value = 0;
    size_t digits = 0;
    if (!d->open)
        *d = (struct draft){.start = p->at, .open = true};
    if (d->count == 0)
        d->numbers_start = p->at;
    if (p->text[p->at] == '-' || p->text[p->at] == '+')
        p->at++;
    for (; p->at < p->length && p->text[p->at] >= '0' && p->text[p->at] <= '9'; p->at++) {
        if (digits > 0 || p->text[p->at] != '0')
            digits++;
        if (digits <= MOST_DIGITS)
            value = value * 10 + (p->text[p->at] - '0');
    }
    if (p->at < p->length && p->text[p->at] == '.') {
        p->at++;
        d->fraction = true;
        while (p->at < p->length && p->text[p->at] >= '0' && p->text[p->at] <= '9')
            p->at++;
    }
    d->digits |= digits > MOST_DIGITS;
    if (d->count < 4) {
        d->above |= !negative && value > HIGHEST;
        d->below |= negative && value > 0;
        d->numbers[d->count] = negative ? 0 : value > HIGHEST ? HIGHEST : value;
        d->numbers_end = p->at;
    }
    d->count++;
}

static bool starts_number(const struct parser *p) {
    char c = p->text[p->at];
    if (c >= '0' && c <= '9')
        return true;
    if (c == '.' || ((c == '-' || c == '+') && p->at + 1 < p->length))
        c = p->text[p->at + 1 < p->length ? p->at + 1 : p->at];
    else
        return false;
    return c >= '0' && c <= '9';
}

/* White space, commas, and their fullwidth forms. */
static size_t separator_length(const struct parser *p) {
    int32_t c;
    size_t used = vl2_utf8_next(p->text + p->at, p->length - p->at, &c, NULL);
    return vl2_is_space(c) || c == ',' || c == 0xff0c || c == 0x3001 ? used : 0;
}

/* One step inside a block of boxes. */
static void read_box_text(struct parser *p) {
    struct draft *d = &p->draft;
    size_t separator;
    if (p->text[p->at] == '[') {
        if (d->open && (d->count > 0 || d->other)) /* a list inside a list that has numbers of its own */
            finish_box(p, p->at, true, false);
        p->draft = (struct draft){.start = p->at++, .open = true, .bracket = true};
    } else if (p->text[p->at] == ']') {
        p->at++;
        if (d->open)
            finish_box(p, p->at, true, false);
    } else if (starts_number(p)) {
        read_number(p);
    } else if ((separator = separator_length(p)) > 0) {
        p->at += separator;
    } else {
        d->other |= d->open;
        p->at++;
    }
}

/* ------------------------------------------------------------------------------------------------- marks */

static enum mark mark_at(const struct parser *p, size_t at) {
    for (enum mark m = 0; p->text[at] == '<' && m < N_MARKS; m++) {
        size_t n = strlen(marks[m]);
        if (p->length - at >= n && memcmp(p->text + at, marks[m], n) == 0)
            return m;
    }
    return N_MARKS;
}

/* No text that follows changes what has been read. */
static void settle(struct parser *p, size_t at, bool in_boxes) {
    p->settled = (struct vl2_grounding_place){at, p->label, p->out.n_labels, in_boxes};
    p->n_settled = p->out.n_boxes;
}

/* How many bytes at the end of [start, end) may be the beginning of a mark that is still being written. */
static size_t partial_mark(const struct parser *p, size_t start, size_t end) {
    for (size_t n = 1; n < 8 && n <= end - start; n++)
        for (enum mark m = 0; m < N_MARKS; m++)
            if (n < strlen(marks[m]) && memcmp(p->text + end - n, marks[m], n) == 0)
                return n;
    return 0;
}

/* Ends a label or a block at the mark under p->at: takes the mark along if it is an end mark. Sets *open at the text's end. */
static size_t end_run(struct parser *p, enum mark mark, bool *open) {
    *open = p->at >= p->length;
    if (mark == MARK_REF_END || mark == MARK_DET_END)
        p->at += strlen(marks[mark]);
    return p->at;
}

static void read_label(struct parser *p) {
    struct vl2_span span = {.kind = VL2_SPAN_LABEL, .start = p->at, .label = p->out.n_labels++};
    enum mark mark = N_MARKS;
    p->at += strlen(marks[MARK_REF]);
    span.inner_start = p->at;
    while (p->at < p->length && (mark = mark_at(p, p->at)) == N_MARKS)
        p->at++;
    span.inner_end = p->at;
    span.end = end_run(p, mark, &span.open);
    if (span.open)
        span.inner_end -= partial_mark(p, span.inner_start, span.inner_end);
    vl2_strip_start(p->text, &span.inner_start, span.inner_end);
    vl2_strip_end(p->text, span.inner_start, &span.inner_end);
    p->label = span.label;
    if (!span.open)
        settle(p, p->at, false);
    add_span(p, span);
}

/* `begun`: its mark lies before p->at. */
static void read_boxes(struct parser *p, bool begun) {
    struct vl2_span span = {.kind = VL2_SPAN_BOXES, .start = p->at, .label = p->label};
    enum mark mark = N_MARKS;
    p->at += begun ? 0 : strlen(marks[MARK_DET]);
    span.inner_start = p->at;
    p->draft = (struct draft){0};
    while (p->at < p->length && (mark = mark_at(p, p->at)) == N_MARKS) {
        read_box_text(p);
        if (!p->draft.open && p->text[p->at - 1] == ']')
            settle(p, p->at, true);
    }
    span.inner_end = p->at;
    if (p->draft.open && (p->draft.count > 0 || p->draft.other || p->at < p->length))
        finish_box(p, p->at, false, p->at >= p->length);
    span.end = end_run(p, mark, &span.open);
    p->label = SIZE_MAX;
    if (!span.open)
        settle(p, p->at, false);
    add_span(p, span);
}

static void read_text(struct parser *p) {
    struct vl2_span span = {.kind = VL2_SPAN_TEXT, .start = p->at, .inner_start = p->at, .label = SIZE_MAX};
    enum mark mark;
    while (p->at < p->length && (mark = mark_at(p, p->at)) != MARK_REF && mark != MARK_DET)
        p->at++;
    span.end = span.inner_end = p->at;
    settle(p, p->at < p->length ? p->at : p->at - partial_mark(p, span.start, p->at), false);
    add_span(p, span);
}

/* ------------------------------------------------------------------------------------------------- public */

vl2_status vl2_grounding_parse_on(const char *text, size_t length, struct vl2_grounding_place *place, size_t *n_settled,
                                  struct vl2_grounding *out, vl2_error *err) {
    struct parser p = {.text = text, .length = length, .at = place->at, .label = place->label, .settled = *place};
    p.out.n_labels = place->n_labels;
    if (place->in_boxes)
        read_boxes(&p, true);
    while (p.at < length && !p.failed) {
        enum mark mark = mark_at(&p, p.at);
        if (mark == MARK_REF)
            read_label(&p);
        else if (mark == MARK_DET)
            read_boxes(&p, false);
        else
            read_text(&p);
    }
    *out = p.out;
    if (!p.failed) {
        *place = p.settled;
        *n_settled = p.n_settled;
        return VL2_OK;
    }
    vl2_grounding_deinit(out);
    return vl2_fail(err, VL2_ERR_MEMORY, "Not enough memory to read the boxes of a text of %zu bytes.", length);
}

vl2_status vl2_grounding_parse(const char *text, size_t length, struct vl2_grounding *out, vl2_error *err) {
    struct vl2_grounding_place place = VL2_GROUNDING_START;
    size_t n_settled;
    return vl2_grounding_parse_on(text, length, &place, &n_settled, out, err);
}

const char *vl2_box_reason_text(vl2_box_reason reason) {
    static const char *const texts[VL2_N_REASONS] = {
        [VL2_REASON_NONE] = "",
        [VL2_REASON_CUT] = "the text ends inside the box",
        [VL2_REASON_NO_NUMBERS] = "no numbers",
        [VL2_REASON_ONE_NUMBER] = "one number instead of four",
        [VL2_REASON_TWO_NUMBERS] = "two numbers instead of four",
        [VL2_REASON_THREE_NUMBERS] = "three numbers instead of four",
        [VL2_REASON_FRACTION] = "a coordinate is not a whole number",
        [VL2_REASON_DIGITS] = "a run of digits instead of a coordinate",
        [VL2_REASON_NOT_NUMBERS] = "something other than numbers in the list",
        [VL2_REASON_SURPLUS] = "more than four numbers, the first four are used",
        [VL2_REASON_ABOVE] = "a coordinate was above 999",
        [VL2_REASON_BELOW] = "a coordinate was below 0",
        [VL2_REASON_SWAPPED] = "the corners were swapped",
        [VL2_REASON_NO_BRACKETS] = "the brackets are missing",
        [VL2_REASON_NO_CLOSING_BRACKET] = "the closing bracket is missing",
        [VL2_REASON_NO_AREA] = "the box has no area",
    };
    return (unsigned)reason < VL2_N_REASONS ? texts[reason] : "";
}

void vl2_grounding_deinit(struct vl2_grounding *grounding) {
    vlk_free(grounding->spans);
    vlk_free(grounding->boxes);
    *grounding = (struct vl2_grounding){0};
}

int32_t vl2_box_to_pixels(int32_t coord, int32_t size) {
    return (int32_t)((double)coord / HIGHEST * size);
}
