/* SPDX-License-Identifier: MIT
 *
 * Fuzz target: model text → spans and boxes. Whatever the text, the spans cover it in order, labels and boxes point inside it,
 * and a usable box is inside the picture.
 */
#include "engine/vl2.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void check_spans(const struct vl2_grounding *g, size_t size)
{
    size_t at = 0;

    for (size_t i = 0; i < g->n_spans; i++) {
        const struct vl2_span *span = &g->spans[i];

        CHECK(span->start == at && span->end >= span->start);
        at = span->end;
        if (span->kind == VL2_SPAN_LABEL) {
            CHECK(span->inner_start >= span->start && span->inner_end >= span->inner_start && span->inner_end <= span->end);
            CHECK(span->label < g->n_labels);
        }
        if (span->kind == VL2_SPAN_BOXES)
            CHECK(span->label < g->n_labels || span->label == SIZE_MAX);
    }
    CHECK(at == size);
}

static void check_boxes(const struct vl2_grounding *g, size_t size)
{
    for (size_t i = 0; i < g->n_boxes; i++) {
        const struct vl2_box *box = &g->boxes[i];

        CHECK(box->start <= box->end && box->end <= size);
        CHECK(box->label < g->n_labels || box->label == SIZE_MAX);
        CHECK(box->reason < VL2_N_REASONS && (box->reason != VL2_REASON_NONE) == (box->status != VL2_BOX_OK));
        CHECK(box->numbers_start <= box->numbers_end && box->numbers_end <= box->end);
        CHECK(box->numbers_start == box->numbers_end || box->start <= box->numbers_start);
        if (box->status == VL2_BOX_OK || box->status == VL2_BOX_CLAMPED) {
            for (int c = 0; c < 4; c++)
                CHECK(box->coords[c] >= 0 && box->coords[c] <= 999);
            CHECK(box->coords[0] <= box->coords[2] && box->coords[1] <= box->coords[3]);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vl2_grounding grounding;
    vl2_error err;

    if (vl2_grounding_parse((const char *)data, size, &grounding, &err) == VL2_OK) {
        check_spans(&grounding, size);
        check_boxes(&grounding, size);
        vl2_grounding_deinit(&grounding);
    }
    return 0;
}
