/* SPDX-License-Identifier: MIT
 *
 * The grounding parser on what models write, well formed and not. Each expectation is one line:
 *   spans  T = text, L"label" = label, B = block of boxes; a trailing ~ = the text ended inside it
 *   boxes  label index or -, status letter (o ok, c clamped, i incomplete, r rejected), coordinates or reason
 */
#include "engine/vl2.h"
#include "kernels/vlk.h"
#include "tests/tap.h"

#include <stdlib.h>
#include <time.h>

static const struct {
    const char *text, *spans, *boxes;
} cases[] = {
    {"", "", ""},
    {"plain", "T", ""},
    {"<|ref|>the giraffe<|/ref|><|det|>[[580, 270, 999, 900]]<|/det|>.", "L\"the giraffe\" B T", "0o 580,270,999,900"},
    {"A <|ref|> a b \n<|/ref|><|det|>[[1, 2, 3, 4], [5, 6, 7, 8]]<|/det|> and <|ref|>c<|/ref|><|det|>[[9,9,10,10]]<|/det|>",
     "T L\"a b\" B T L\"c\" B", "0o 1,2,3,4; 0o 5,6,7,8; 1o 9,9,10,10"},
    /* pairing */
    {"<|det|>[[1,2,3,4]]<|/det|>", "B", "-o 1,2,3,4"},
    {"<|ref|>a<|/ref|> no boxes", "L\"a\" T", ""},
    {"<|ref|>a<|/ref|><|ref|>b<|/ref|><|det|>[[1,2,3,4]]<|/det|>", "L\"a\" L\"b\" B", "1o 1,2,3,4"},
    {"<|ref|>a<|/ref|> at <|det|>[[1,2,3,4]]<|/det|><|det|>[[5,6,7,8]]<|/det|>", "L\"a\" T B B", "0o 1,2,3,4; -o 5,6,7,8"},
    {"<|ref|><|/ref|><|det|>[[1,2,3,4]]<|/det|>", "L\"\" B", "0o 1,2,3,4"},
    {"<|ref|>\u3000红色的圆\u3000<|/ref|><|det|>[[1，2、3 4]]<|/det|>", "L\"红色的圆\" B", "0o 1,2,3,4"},
    /* wrong counts */
    {"<|det|>[[533, 132, 457]]<|/det|>", "B", "-r three numbers instead of four"},
    {"<|det|>[[470,]]<|/det|>", "B", "-r one number instead of four"},
    {"<|det|>[[]]<|/det|>", "B", "-r no numbers"},
    {"<|det|><|/det|>", "B", ""},
    {"<|det|>[[1,2,3,4,5]]<|/det|>", "B", "-c 1,2,3,4 more than four numbers, the first four are used"},
    {"<|det|>[245,[234,543,542,244]]<|/det|>", "B",
     "-r one number instead of four; -c 234,244,542,543 the corners were swapped"},
    {"<|det|>[[1,2,3,4], 5]<|/det|>", "B", "-o 1,2,3,4; -r one number instead of four"},
    {"<|det|>[1,2,3,4]<|/det|>", "B", "-o 1,2,3,4"},
    {"<|det|>1,2,3,4<|/det|>", "B", "-c 1,2,3,4 the brackets are missing"},
    {"<|det|>[[1 2 3 4]]<|/det|>", "B", "-o 1,2,3,4"},
    /* wrong values */
    {"<|det|>[[2, 311, 99999, 98]]<|/det|>", "B", "-c 2,98,999,311 a coordinate was above 999"},
    {"<|det|>[[1000, 0, 1001, 5]]<|/det|>", "B", "-r the box has no area"},
    {"<|det|>[[-5, 0, 7, 8]]<|/det|>", "B", "-c 0,0,7,8 a coordinate was below 0"},
    {"<|det|>[[-0, +1, 007, 8]]<|/det|>", "B", "-o 0,1,7,8"},
    {"<|det|>[[1, 2, 3, 99999999999999999999999999]]<|/det|>", "B", "-r a run of digits instead of a coordinate"},
    {"<|det|>[[0.1, 0.2, 0.5, 0.6]]<|/det|>", "B", "-r a coordinate is not a whole number"},
    {"<|det|>[[.1, 2, 3, 4]]<|/det|>", "B", "-r a coordinate is not a whole number"},
    {"<|det|>[[10, 20, 5, 6]]<|/det|>", "B", "-c 5,6,10,20 the corners were swapped"},
    {"<|det|>[[5, 5, 5, 5]]<|/det|>", "B", "-r the box has no area"},
    {"<|det|>[[5, 6, 9, 6]]<|/det|>", "B", "-r the box has no area"},
    {"<|det|>[[5, 6, 6, 7]]<|/det|>", "B", "-o 5,6,6,7"},
    {"<|det|>[[1, 2, x, 4]]<|/det|>", "B", "-r something other than numbers in the list"},
    {"<|det|>[[nothing]]<|/det|>", "B", "-r something other than numbers in the list"},
    {"<|det|>none [[1,2,3,4]] or so<|/det|>", "B", "-o 1,2,3,4"},
    /* broken off, while streaming or for good */
    {"<|ref|>the gir", "L\"the gir\"~", ""},
    {"<|ref|>the giraffe<|/re", "L\"the giraffe\"~", ""},
    {"<|ref|>a<|/ref|><|det|>", "L\"a\" B~", ""},
    {"<|ref|>a<|/ref|><|det|>[[", "L\"a\" B~", ""},
    {"<|ref|>a<|/ref|><|det|>[[58", "L\"a\" B~", "0i the text ends inside the box"},
    {"<|det|>[[1,2,3,4", "B~", "-i the text ends inside the box"},
    {"<|det|>[[1,2,3,4]", "B~", "-o 1,2,3,4"},
    {"<|det|>[[1,2,3,4]]<|/d", "B~", "-o 1,2,3,4"},
    {"<|det|>[[1,2,3,4], [9999999999999", "B~", "-o 1,2,3,4; -i the text ends inside the box"},
    /* interrupted and mixed up */
    {"<|det|>[[1,2,3,4], [5, 6<|ref|>b<|/ref|>", "B L\"b\"", "-o 1,2,3,4; -r two numbers instead of four"},
    {"<|ref|>a<|/ref|><|det|>[[1,2,3,4<|/det|>", "L\"a\" B", "0c 1,2,3,4 the closing bracket is missing"},
    {"<|det|>[<|/det|>", "B", "-r no numbers"},
    {"<|ref|>a<|det|>[[1,2,3,4]]<|/det|>", "L\"a\" B", "0o 1,2,3,4"},
    {"<|ref|>a<|ref|>b<|/ref|>", "L\"a\" L\"b\"", ""},
    {"<|ref|>a<|/det|> x", "L\"a\" T", ""},
    {"<|det|>[[1,2,3,4]]<|/ref|> x", "B T", "-o 1,2,3,4"},
    {"<|det|>[[1,2,3,4]]<|det|>[[5,6,7,8]]<|/det|>", "B B", "-o 1,2,3,4; -o 5,6,7,8"},
    {"x<|/ref|>y<|/det|>z<|grounding|>", "T", ""},
    {"< <| <|re <|ref| <|REF|>", "T", ""},
    {"\xff<|ref|>\xc3\x28<|/ref|>\xe2\x82", "T L\"\xc3\x28\" T", ""},
};

static void describe_spans(const char *text, const struct vl2_grounding *g, char *out, size_t room) {
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < g->n_spans; i++) {
        const struct vl2_span *s = &g->spans[i];
        const char *space = i ? " " : "", *open = s->open ? "~" : "";
        if (s->kind == VL2_SPAN_LABEL)
            n += (size_t)snprintf(out + n, room - n, "%sL\"%.*s\"%s", space, (int)(s->inner_end - s->inner_start), text + s->inner_start, open);
        else
            n += (size_t)snprintf(out + n, room - n, "%s%c%s", space, s->kind == VL2_SPAN_TEXT ? 'T' : 'B', open);
    }
}

static void describe_boxes(const struct vl2_grounding *g, char *out, size_t room) {
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < g->n_boxes; i++) {
        const struct vl2_box *b = &g->boxes[i];
        bool usable = b->status == VL2_BOX_OK || b->status == VL2_BOX_CLAMPED;
        n += (size_t)snprintf(out + n, room - n, b->label == SIZE_MAX ? "%s-" : "%s%zu", i ? "; " : "", b->label);
        n += (size_t)snprintf(out + n, room - n, "%c", "ocir"[b->status]);
        if (usable)
            n += (size_t)snprintf(out + n, room - n, " %d,%d,%d,%d", b->coords[0], b->coords[1], b->coords[2], b->coords[3]);
        if (b->reason)
            n += (size_t)snprintf(out + n, room - n, " %s", vl2_box_reason_text(b->reason));
    }
}

/* Spans cover every byte in order; boxes lie inside blocks, in order. */
static bool is_sound(const struct vl2_grounding *g, size_t length) {
    size_t at = 0, box = 0;
    for (size_t i = 0; i < g->n_spans; i++) {
        const struct vl2_span *s = &g->spans[i];
        if (s->start != at || s->end <= s->start || s->inner_start < s->start || s->inner_end > s->end || s->inner_start > s->inner_end)
            return false;
        for (; box < g->n_boxes && g->boxes[box].start < s->end; box++)
            if (s->kind != VL2_SPAN_BOXES || g->boxes[box].start < s->start || g->boxes[box].end > s->end || g->boxes[box].label != s->label)
                return false;
        at = s->end;
    }
    return at == length && box == g->n_boxes;
}

/* While a text grows, what is complete stays: closed spans and finished boxes of a prefix are those of the whole text. */
static bool grows_steadily(const char *text, size_t length) {
    struct vl2_grounding whole, part;
    bool fine = vl2_grounding_parse(text, length, &whole, NULL) == VL2_OK && is_sound(&whole, length);
    for (size_t n = 0; fine && n < length; n++) {
        fine = vl2_grounding_parse(text, n, &part, NULL) == VL2_OK && is_sound(&part, n);
        for (size_t i = 0; fine && i < part.n_boxes; i++)
            if (part.boxes[i].status != VL2_BOX_INCOMPLETE && part.boxes[i].end < n)
                fine = i < whole.n_boxes && part.boxes[i].status == whole.boxes[i].status && part.boxes[i].end == whole.boxes[i].end &&
                       memcmp(part.boxes[i].coords, whole.boxes[i].coords, sizeof part.boxes[i].coords) == 0;
        vl2_grounding_deinit(&part);
    }
    vl2_grounding_deinit(&whole);
    return fine;
}

static bool same_box(const struct vl2_box *a, const struct vl2_box *b) {
    return a->status == b->status && a->reason == b->reason && a->label == b->label && a->start == b->start && a->end == b->end &&
           a->numbers_start == b->numbers_start && a->numbers_end == b->numbers_end && memcmp(a->coords, b->coords, sizeof a->coords) == 0;
}

/* Read on after every `step` bytes: settled boxes and those behind them are the boxes of the text so far, each time. */
static bool reads_on(const char *text, size_t length, size_t step) {
    struct vl2_grounding_place place = VL2_GROUNDING_START;
    size_t n_before = 0;
    bool fine = true;
    for (size_t n = 0; fine && n < length; ) {
        struct vl2_grounding whole, part;
        size_t n_settled, last = place.at;
        n = n + step < length ? n + step : length;
        fine = vl2_grounding_parse(text, n, &whole, NULL) == VL2_OK &&
               vl2_grounding_parse_on(text, n, &place, &n_settled, &part, NULL) == VL2_OK;
        fine = fine && n_before + part.n_boxes == whole.n_boxes && part.n_labels == whole.n_labels && n_settled <= part.n_boxes &&
               place.at >= last && place.at <= n;
        for (size_t i = 0; fine && i < part.n_boxes; i++)
            fine = same_box(&part.boxes[i], &whole.boxes[n_before + i]);
        n_before += n_settled;
        vl2_grounding_deinit(&whole);
        vl2_grounding_deinit(&part);
    }
    return fine;
}

/* Bytes that are gone through when a text is read on with every token of a few bytes, as a share of its length. */
static double work_of(const char *before, const char *unit, size_t times) {
    size_t n = strlen(unit), first = strlen(before), length = first + n * times;
    char *text = malloc(length);
    struct vl2_grounding_place place = VL2_GROUNDING_START;
    double work = 0;
    for (size_t i = 0; text && i < length; i++)
        text[i] = i < first ? before[i] : unit[(i - first) % n];
    for (size_t at = 3; text && at <= length; at += 3) {
        struct vl2_grounding part;
        size_t n_settled;
        work += (double)(at - place.at);
        if (vl2_grounding_parse_on(text, at, &place, &n_settled, &part, NULL) == VL2_OK)
            vl2_grounding_deinit(&part);
    }
    free(text);
    return work / (double)length;
}

/* A token costs its own bytes and those of the box or label that it continues, however long the answer is. */
static void check_work(void) {
    static const struct {
        const char *before, *unit;
        double most; /* a token of 3 bytes costs 3 and the open part, half a unit on average */
    } units[] = {{"", "a word of text, and no box at all. ", 1 + 7 / 3.0},
                 {"", "<|ref|>a circle<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|> and ", 1 + 57 / 3.0},
                 {"<|det|>[", "[100, 200, 300, 400], ", 1 + 22 / 3.0}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        double work = work_of(units[i].before, units[i].unit, 2000);
        ok(work <= units[i].most, "%.1f times the bytes of 2000 × %s", work, units[i].unit);
    }
}

static double parse_seconds(const char *unit, size_t times) {
    size_t n = strlen(unit);
    char *text = malloc(n * times);
    struct vl2_grounding g;
    struct timespec a, b;
    for (size_t i = 0; text && i < times; i++)
        memcpy(text + i * n, unit, n);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    vl2_status status = text ? vl2_grounding_parse(text, n * times, &g, NULL) : VL2_ERR_MEMORY;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    if (status == VL2_OK)
        vl2_grounding_deinit(&g);
    free(text);
    return status == VL2_OK ? (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec) : 1e9;
}

/* 16 times the text may take 16 times as long, with slack; a quadratic parser would take 256 times. */
static void check_linear(void) {
    static const char *const units[] = {"[", "9", "<|det|>", "<|ref|>", "<|ref|><|det|>[", "<|det|>[[1,2,3,4]]", "<", "[]"};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t times = 400000 / strlen(units[i]);
        double small = parse_seconds(units[i], times / 16), large = parse_seconds(units[i], times);
        ok(large < 16 * 6 * small + 0.05, "linear time on %s…: %.1f ms for 400 kB", units[i], 1e3 * large);
    }
}

static void check_allocation_failures(void) {
    const char *text = "<|ref|>a<|/ref|><|det|>[[1,2,3,4],[1,2,3,4],[1,2,3,4],[1,2,3,4],[1,2,3,4],[1,2,3,4],[1,2,3,4],[1,2,3,4],[1,2,3,4]]<|/det|>";
    struct vl2_grounding g;
    vl2_error err;
    for (long n = 0; n < 3; n++) {
        vlk_alloc_fail_after(n);
        vl2_status status = vl2_grounding_parse(text, strlen(text), &g, &err);
        vlk_alloc_fail_after(-1);
        ok(status == VL2_ERR_MEMORY && g.n_boxes == 0 && !g.spans, "allocation %ld fails: an error and nothing else", n);
    }
}

int main(void) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vl2_grounding g;
        char got[2048];
        size_t length = strlen(cases[i].text);
        ok(vl2_grounding_parse(cases[i].text, length, &g, NULL) == VL2_OK, "case %zu", i);
        describe_spans(cases[i].text, &g, got, sizeof got);
        is_str(got, cases[i].spans, "  spans");
        describe_boxes(&g, got, sizeof got);
        is_str(got, cases[i].boxes, "  boxes");
        vl2_grounding_deinit(&g);
        ok(grows_steadily(cases[i].text, length), "  streams");
        ok(reads_on(cases[i].text, length, 1) && reads_on(cases[i].text, length, 5), "  is read on with");
    }
    is_int(vl2_box_to_pixels(0, 640), 0, "0 is the left edge");
    is_int(vl2_box_to_pixels(999, 640), 640, "999 is the right edge");
    is_int(vl2_box_to_pixels(580, 1024), 594, "580 of 1024 pixels is cut, not rounded");
    is_int(vl2_box_to_pixels(333, 3), 1, "a third is exact");
    check_linear();
    check_work();
    check_allocation_failures();
    return tap_done();
}
