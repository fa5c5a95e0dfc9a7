/* SPDX-License-Identifier: MIT
 *
 * Fuzz target: an answer of any served model → spans and boxes, in every scale and order. Whatever the text, the spans cover it in
 * order, labels and boxes point inside it, and a usable box lies inside the picture with some area.
 */
#include "app/prompt/sl-grounding.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void check(SlGrounding *grounding)
{
    gsize size = strlen(sl_grounding_get_text(grounding)), at = 0, n_spans, n_boxes;
    const SlSpan *spans = sl_grounding_get_spans(grounding, &n_spans);
    const SlBox *boxes = sl_grounding_get_boxes(grounding, &n_boxes);
    int n_labels = (int)sl_grounding_get_n_labels(grounding);

    for (gsize i = 0; i < n_spans; i++) {
        CHECK(spans[i].start == at && spans[i].end > at);
        CHECK(spans[i].inner_start >= at && spans[i].inner_end >= spans[i].inner_start && spans[i].inner_end <= spans[i].end);
        CHECK(spans[i].label_index < n_labels);
        at = spans[i].end;
    }
    CHECK(at == size);
    for (gsize i = 0; i < n_boxes; i++) {
        const SlBox *box = &boxes[i];
        int px[4];

        CHECK(box->start <= box->end && box->end <= size && box->label_index < n_labels);
        CHECK(box->numbers_start <= box->numbers_end && box->numbers_end <= box->end);
        CHECK((box->reason != SL_BOX_REASON_NONE) == (box->status != SL_BOX_OK));
        if (!sl_box_get_pixels(box, 640, 480, px))
            continue;
        CHECK(px[0] >= 0 && px[1] >= 0 && px[2] <= 640 && px[3] <= 480 && px[0] <= px[2] && px[1] <= px[3]);
        CHECK(box->coords[0] < box->coords[2] && box->coords[1] < box->coords[3] && box->coords[3] <= 999 && box->coords[0] >= 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gsize valid = memchr(data, 0, size) ? (gsize)((const uint8_t *)memchr(data, 0, size) - data) : size;

    for (int scale = 0; scale < SL_N_BOX_SCALES; scale++) {
        SlBoxSpace space = {(SlBoxScale)scale, (SlBoxOrder)(scale % SL_N_BOX_ORDERS), 640, 480};
        g_autoptr(SlGrounding) grounding = sl_grounding_parse_in((const char *)data, (gssize)valid, &space);
        g_autofree char *plain = sl_grounding_dup_plain_text(grounding);

        check(grounding);
        CHECK(plain);
    }
    return 0;
}
