/* SPDX-License-Identifier: MIT
 *
 * Fuzz target: conversations to prompts, with the demo model's tokenizer ($SIGHTLINE_DATA/demo-model). The bytes are a little
 * program: each record is a control byte (role, new message, markup, picture) and, for text, a length byte and the text.
 * Whatever the conversation, pictures own exactly the picture ids, and text without markup forges no role.
 */
#include "engine/model/model.h"
#include "engine/text/tokenizer.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_PARTS 32

static const int32_t candidates[][2] = {{44, 44}, {88, 44}, {44, 88}};
static vl2_engine engine = {.config = {.projector = {.grid = 2}, .tiles = {.side = 44, .n_candidates = 3, .candidates = candidates}}};

static void close_engine(void)
{
    vl2_tokenizer_close(engine.tokenizer);
}

static void open_engine(void)
{
    const char *root = getenv("SIGHTLINE_DATA");
    char dir[1024];
    vl2_error err = {0};

    CHECK(root);
    snprintf(dir, sizeof dir, "%s/demo-model", root);
    CHECK(vl2_tokenizer_open(dir, &engine.tokenizer, &err) == VL2_OK);
    engine.special = *vl2_tokenizer_special(engine.tokenizer);
    atexit(close_engine);
}

struct script {
    vl2_message messages[MAX_PARTS];
    vl2_part parts[MAX_PARTS];
    vl2_picture pictures[MAX_PARTS];
    size_t n_messages, n_parts, users;
    bool literal; /* no text has more markup than none */
};

static void read_script(struct script *s, const uint8_t *data, size_t size)
{
    s->literal = true;
    for (size_t at = 0; at < size && s->n_parts < MAX_PARTS;) {
        uint8_t control = data[at++];
        vl2_part *part = &s->parts[s->n_parts];

        if (s->n_messages == 0 || (control & 1)) {
            s->messages[s->n_messages++] = (vl2_message){(vl2_role)(control >> 1 & 3), part, 0};
            s->users += (control >> 1 & 3) == VL2_USER;
        }
        if (control & 8) {
            s->pictures[s->n_parts] = (vl2_picture){.width = control >> 4, .height = at < size ? data[at++] : 1};
            *part = (vl2_part){.kind = VL2_PART_PICTURE, .picture = &s->pictures[s->n_parts], .detail = control >> 7};
        } else {
            size_t length = at < size ? data[at++] : 0;

            length = length > size - at ? size - at : length;
            *part = (vl2_part){.kind = VL2_PART_TEXT, .text = (const char *)data + at, .length = length, .markup = (control >> 4) % 3};
            s->literal &= part->markup == VL2_MARKUP_NONE;
            at += length;
        }
        s->messages[s->n_messages - 1].n_parts++;
        s->n_parts++;
    }
}

static void check_prompt(const struct script *s, const struct vl2_prompt *prompt)
{
    size_t pictures = 0, images = 0, users = 0;

    for (size_t i = 0; i < prompt->n_pictures; i++) {
        CHECK(prompt->pictures[i].first + prompt->pictures[i].count <= prompt->n_ids);
        CHECK(i == 0 || prompt->pictures[i].first >= prompt->pictures[i - 1].first + prompt->pictures[i - 1].count);
        pictures += prompt->pictures[i].count;
    }
    for (size_t i = 0; i < prompt->n_ids; i++) {
        images += prompt->ids[i] == engine.special.image;
        users += prompt->ids[i] == engine.special.user;
    }
    CHECK(images == pictures);
    CHECK(!s->literal || users == s->users);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script script = {0};
    struct vl2_prompt prompt;
    vl2_error err = {0};

    if (!engine.tokenizer)
        open_engine();
    read_script(&script, data, size);
    vl2_conversation conversation = {script.messages, script.n_messages};
    if (vl2_prompt_build(&engine, &conversation, &prompt, &err) == VL2_OK)
        check_prompt(&script, &prompt);
    else
        CHECK(!prompt.ids && err.text[0]);
    vl2_prompt_deinit(&prompt);
    return 0;
}
