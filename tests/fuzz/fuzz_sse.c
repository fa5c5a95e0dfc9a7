/* SPDX-License-Identifier: MIT
 *
 * Fuzz target: bytes of a server → events → pieces of an answer. Cut in two anywhere, the events are the same; a piece is either
 * refused with a sentence or has values in range.
 */
#include "app/remote/sl-reply.h"
#include "app/remote/sl-sse.h"
#include "tests/fuzz/fuzz.h"

static gboolean on_event(const char *event, const char *data, gsize length, gpointer user_data)
{
    GString *all = user_data;
    SlReply reply = {0};
    g_autoptr(GError) error = NULL;
    g_autofree char *sentence = sl_reply_dup_error(data, length);

    g_string_append(all, event);
    g_string_append_len(all, data, (gssize)length);
    g_string_append_c(all, '\n');
    CHECK(!sentence || g_utf8_validate(sentence, -1, NULL));
    if (!sl_reply_parse(data, length, &reply, &error)) {
        CHECK(error && error->message[0]);
        return TRUE;
    }
    for (guint i = 0; reply.tokens && i < reply.tokens->len; i++)
        CHECK(!(g_array_index(reply.tokens, SlReplyToken, i).logprob > 0));
    CHECK(!reply.coordinates || (reply.has_boxes && reply.coordinates->len % 4 == 0));
    for (guint i = 0; reply.coordinates && i < reply.coordinates->len; i++) {
        const SlCoordinate *c = &g_array_index(reply.coordinates, SlCoordinate, i);

        CHECK(c->index == i % 4 && c->expected >= 0 && c->deviation >= 0 && c->mass >= 0 && c->mass < 2);
        CHECK(i == 0 || c->token >= c[-1].token);
    }
    sl_reply_clear(&reply);
    return TRUE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t cut = size > 0 ? data[0] % (size + 1) : 0;
    g_autoptr(GString) whole = g_string_new(NULL);
    g_autoptr(GString) halves = g_string_new(NULL);
    g_autoptr(SlSse) one = sl_sse_new(on_event, whole);
    g_autoptr(SlSse) two = sl_sse_new(on_event, halves);

    CHECK(sl_sse_push(one, (const char *)data, size, NULL));
    CHECK(sl_sse_push(two, (const char *)data, cut, NULL));
    CHECK(sl_sse_push(two, (const char *)data + cut, size - cut, NULL));
    sl_sse_end(one);
    sl_sse_end(two);
    CHECK(g_string_equal(whole, halves));
    return 0;
}
