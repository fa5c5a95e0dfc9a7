/* SPDX-License-Identifier: MIT
 *
 * Fuzz target: snapshot files. Checksums would keep every change of a byte out, and the key of the model belongs to this machine,
 * so the input is what to change in a good file of the demo model ($SIGHTLINE_DATA/demo-model): a byte of flags, then bytes that
 * are XORed over its counts (or its whole head), picture spans, answers and ids, in this order; after that lengths and checksums
 * are put right. What is refused says why and leaves the session empty; what is taken is no longer than what it is good for.
 */
#include "engine/session/session_parts.h"
#include "tests/fuzz/fuzz.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The format, see engine/session/snapshot.c: where its numbers stand in the head, and the sizes of head, answer and hash. */
enum { FILE_BYTES = 32, LAYERS = 48, ROW_BYTES = 52, LENGTH = 56, SPANS = 60, ANSWERS = 64, ANSWER_IDS = 68, HEAD = 72 };
enum { ANSWER = 32, HASH = 16, MOST = 1 << 18, ROOM = 16 };
enum { WHOLE_HEAD = 1, BAD_HASH = 2, BAD_ROWS_HASH = 4, KEEP_FILE_BYTES = 8, CUT = 16, LONGER = 32 };

static vl2_engine *engine;
static uint8_t *good, *made; /* made [3 * MOST] */
static size_t good_size, good_length;
static uint8_t pixels[8 * 8 * 3];
static const vl2_picture picture = {.width = 8, .height = 8, .stride = 24, .rgb = pixels};
static const char answer[] = "It is a red circle.";
static char path[300];

struct parts { /* bytes, in the order of the file */
    uint64_t ids, spans, answers, rows;
};

static uint32_t number(const uint8_t *file, size_t at)
{
    uint32_t value;

    memcpy(&value, file + at, sizeof value);
    return value;
}

static struct parts parts_of(const uint8_t *file)
{
    uint64_t per_token = (uint64_t)number(file, LAYERS) * number(file, ROW_BYTES);

    return (struct parts){.ids = 4ull * number(file, LENGTH),
                          .spans = (uint64_t)number(file, SPANS) * sizeof(struct vl2_picture_span),
                          .answers = (uint64_t)number(file, ANSWERS) * ANSWER + 4ull * number(file, ANSWER_IDS),
                          .rows = per_token < MOST ? per_token * number(file, LENGTH) : UINT64_MAX};
}

/* A question about a picture, its answer, and the next question: the first `n` messages. */
static vl2_status sync_talk(vl2_session *session, size_t n, const vl2_cancel *cancel, struct vl2_sync_report *report)
{
    static const vl2_part parts[] = {{.kind = VL2_PART_PICTURE, .picture = &picture},
                                     {.kind = VL2_PART_TEXT, .text = "What is it?", .length = 11},
                                     {.kind = VL2_PART_TEXT, .text = answer, .length = sizeof answer - 1},
                                     {.kind = VL2_PART_TEXT, .text = "Where?", .length = 6}};
    static const vl2_message messages[] = {{VL2_USER, parts, 2}, {VL2_ASSISTANT, parts + 2, 1}, {VL2_USER, parts + 3, 1}};
    struct vl2_watch watch = {.cancel = cancel};
    vl2_error err = {0};

    return vl2_session_sync(session, &(vl2_conversation){messages, n}, &watch, report, &err);
}

static vl2_session *open_session(int32_t context)
{
    vl2_session *session = NULL;
    vl2_error err = {0};

    CHECK(vl2_session_open(engine, &(struct vl2_session_options){.context = context}, &session, &err) == VL2_OK);
    return session;
}

static void close_engine(void)
{
    vl2_engine_close(engine);
    free(good);
    free(made);
}

/* The good file: the picture, the question and the answer, which is not up to the model. */
static void open_engine(void)
{
    const char *root = getenv("SIGHTLINE_DATA");
    struct vl2_generate_options options = {.sampling = {.top_p = 1, .repetition_penalty = 1}, .max_tokens = 1};
    int32_t *ids;
    char dir[1024];
    vl2_error err = {0};

    CHECK(root);
    snprintf(dir, sizeof dir, "%s/demo-model", root);
    CHECK(vl2_engine_open(dir, &(struct vl2_engine_options){.device = "cpu", .threads = 1, .memory_limit = UINT64_MAX}, &engine,
                          &err) == VL2_OK);
    snprintf(path, sizeof path, "%s/snapshot", fuzz_dir());
    vl2_session *session = open_session(512);
    CHECK(vl2_tokenizer_encode(vl2_engine_tokenizer(engine), answer, sizeof answer - 1, VL2_MARKUP_NONE, &ids, &options.n_replay,
                               &err) == VL2_OK);
    options.replay = ids;
    CHECK(sync_talk(session, 1, NULL, NULL) == VL2_OK);
    CHECK(vl2_session_generate(session, &options, NULL, NULL, NULL, NULL, &err) == VL2_OK);
    good_length = vl2_session_length(session);
    fuzz_write("snapshot", "", 0);
    CHECK(vl2_session_save(session, path, 0, NULL, &err) == VL2_OK);
    vl2_session_close(session);
    vl2_free(ids);
    good = fuzz_read(path, &good_size);
    made = malloc(3 * MOST);
    CHECK(good && made);
    struct parts p = parts_of(good);
    CHECK(HEAD + p.ids + p.spans + p.answers + HASH + p.rows + HASH == good_size && good_size < MOST);
    CHECK(number(good, LENGTH) == good_length && number(good, SPANS) == 1 && number(good, ANSWERS) == 1);
    atexit(close_engine);
}

struct changes {
    const uint8_t *data;
    size_t size;
};

static void change(struct changes *c, uint8_t *at, size_t bytes)
{
    bytes = bytes < c->size ? bytes : c->size;
    for (size_t i = 0; i < bytes; i++)
        at[i] ^= c->data[i];
    c->data += bytes;
    c->size -= bytes;
}

/* `bytes` of a part: those of the good file, then zeros. */
static uint8_t *put(uint8_t *to, uint64_t bytes, const uint8_t *from, uint64_t there)
{
    memset(to, 0, bytes);
    memcpy(to, from, bytes < there ? bytes : there);
    return to + bytes;
}

static uint8_t *put_hash(uint8_t *to, const uint8_t *from, bool wrong)
{
    XXH128_hash_t hash = XXH3_128bits(from, (size_t)(to - from));

    hash.low64 ^= wrong;
    memcpy(to, &hash, sizeof hash);
    return to + sizeof hash;
}

/* Lengths that no session could have keep the good file's parts behind them. Returns the size. */
static size_t make_file(struct changes c)
{
    uint8_t flags = 0;

    change(&c, &flags, 1);
    memcpy(made, good, HEAD);
    change(&c, flags & WHOLE_HEAD ? made : made + LENGTH, flags & WHOLE_HEAD ? HEAD : HEAD - LENGTH);
    struct parts there = parts_of(good), p = parts_of(made);
    if (p.ids + p.spans + p.answers > MOST || p.rows > MOST)
        p = there;
    uint64_t size = HEAD + p.ids + p.spans + p.answers + HASH + p.rows + HASH;
    if (!(flags & KEEP_FILE_BYTES))
        memcpy(made + FILE_BYTES, &size, sizeof size);
    uint8_t *ids = made + HEAD, *spans = put(ids, p.ids, good + HEAD, there.ids);
    uint8_t *answers = put(spans, p.spans, good + HEAD + there.ids, there.spans);
    uint8_t *end = put(answers, p.answers, good + HEAD + there.ids + there.spans, there.answers);
    change(&c, spans, p.spans);
    change(&c, answers, p.answers);
    change(&c, ids, p.ids);
    uint8_t *rows = put_hash(end, made, flags & BAD_HASH);
    put_hash(put(rows, p.rows, good + good_size - HASH - there.rows, there.rows), rows, flags & BAD_ROWS_HASH);
    memset(made + size, 0, 1);
    return size - !!(flags & CUT) + !!(flags & LONGER);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vl2_sync_report report;
    vl2_cancel cancel = true; /* what was restored is laid under the conversation, and nothing is computed */
    vl2_error err = {0};

    if (!engine)
        open_engine();
    size_t bytes = make_file((struct changes){data, size});
    bool untouched = bytes == good_size && memcmp(made, good, good_size) == 0;
    fuzz_write("snapshot", made, bytes);
    vl2_session *session = open_session((int32_t)good_length + ROOM);
    vl2_status status = vl2_session_restore(session, path, &err);
    CHECK(vl2_session_length(session) == 0 && (status == VL2_OK || !untouched));
    if (status != VL2_OK)
        CHECK(status == VL2_ERR_INPUT && err.text[0]);
    status = sync_talk(session, 3, &cancel, &report);
    CHECK(status == VL2_CANCELLED || status == VL2_ERR_CONTEXT);
    if (status == VL2_CANCELLED)
        CHECK(report.reused_tokens < report.prompt_tokens && vl2_session_length(session) == report.reused_tokens);
    CHECK(!untouched || report.reused_tokens == good_length);
    for (size_t i = 0; status == VL2_CANCELLED && i < report.prompt_tokens; i++) /* answers of the file may stand in it */
        CHECK(session->ids[i] >= 0 && session->ids[i] < engine->config.lm.vocab);
    vl2_session_close(session);
    return 0;
}
