/* SPDX-License-Identifier: MIT
 *
 * The stream of a served answer: every row is read whole, byte by byte, and cut in two at every place, with the same events each time;
 * and what the data of the servers' dialects mean.
 */
#include "app/remote/sl-reply.h"
#include "app/remote/sl-sse.h"

#include <math.h>
#include <string.h>

static const struct
{
  const char *what;
  const char *stream;
  const char *events; /* "data|" or "name:data|" */
} rows[] = {
  { "one event", "data: a\n\n", "a|" },
  { "CRLF", "data: a\r\n\r\ndata: b\r\n\r\n", "a|b|" },
  { "CR alone", "data: a\r\rdata: b\r\r", "a|b|" },
  { "no blank behind the colon; only one is taken", "data:a\n\ndata:  b\n\n", "a| b|" },
  { "comments, as servers send to keep a connection", ": keep-alive\n\n:\n\ndata: a\n: in between\ndata: b\n\n", "a\nb|" },
  { "several data lines", "data: {\ndata: }\n\n", "{\n}|" },
  { "an empty data line", "data\ndata: a\ndata:\n\n", "\na\n|" },
  { "a named event", "event: error\ndata: bad\n\ndata: a\n\n", "error:bad|a|" },
  { "fields that are nobody's", "id: 7\nretry: 10\nfoo: x\ndata: a\n\n", "a|" },
  { "nothing to say", "event: ping\n\ndata: a\n\n", "a|" },
  { "a byte order mark", "\xef\xbb\xbf" "data: a\n\n", "a|" },
  { "an end without its empty line", "data: a\n\ndata: b", "a|b|" },
  { "an end in the middle of an event", "data: a\n\ndata: b\n", "a|b|" },
  { "no event at all", "", "" },
  { "characters of several bytes", "data: 看 ｜\n\n", "看 ｜|" },
};

static gboolean
on_event (const char *event,
          const char *data,
          gsize       length,
          gpointer    user_data)
{
  GString *out = user_data;

  g_assert_cmpuint (strlen (data), ==, length);
  if (strcmp (event, "message") != 0)
    g_string_append_printf (out, "%s:", event);
  g_string_append (out, data);
  g_string_append_c (out, '|');
  return TRUE;
}

static void
check (const char *stream,
       gsize       first,
       gsize       step,
       const char *expected)
{
  g_autoptr (GString) out = g_string_new (NULL);
  g_autoptr (SlSse) sse = sl_sse_new (on_event, out);
  gsize length = strlen (stream);

  for (gsize at = 0; at < length; at += step)
    {
      gsize n = MIN (at == 0 && first > 0 ? first : step, length - at);

      g_assert_true (sl_sse_push (sse, stream + at, n, NULL));
      if (at == 0 && first > 0)
        {
          g_assert_true (sl_sse_push (sse, stream + n, length - n, NULL));
          break;
        }
    }
  sl_sse_end (sse);
  g_assert_cmpstr (out->str, ==, expected);
}

static void
test_rows (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      gsize length = strlen (rows[i].stream);

      g_test_message ("%s", rows[i].what);
      check (rows[i].stream, 0, MAX (length, 1), rows[i].events);
      check (rows[i].stream, 0, 1, rows[i].events);
      for (gsize cut = 1; cut < length; cut++)
        check (rows[i].stream, cut, length, rows[i].events);
    }
}

static gboolean
on_only_event (const char *event,
               const char *data,
               gsize       length,
               gpointer    user_data)
{
  ++*(guint *) user_data;
  return FALSE;
}

/* Nothing is read behind [DONE], and an event without an end takes no more memory than the limit. */
static void
test_ends (void)
{
  guint n_events = 0;
  g_autoptr (SlSse) ended = sl_sse_new (on_only_event, &n_events);
  g_autoptr (SlSse) endless = sl_sse_new (on_only_event, &n_events);
  g_autofree char *block = g_strnfill (1 << 20, 'x');
  g_autoptr (GError) error = NULL;
  guint n_blocks = 0;

  g_assert_false (sl_sse_push (ended, "data: a\n\ndata: b\n\n", 18, NULL));
  sl_sse_end (ended);
  g_assert_cmpuint (n_events, ==, 1);
  while (sl_sse_push (endless, block, 1 << 20, &error))
    n_blocks++;
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE);
  g_assert_cmpuint (n_blocks, ==, SL_SSE_LIMIT >> 20);
}

/* ------------------------------------------------------------------------------------------------ what the data mean */

static const struct
{
  const char *what, *json;
  const char *text, *reasoning, *error, *finish;
  SlStopReason stop;
  int prompt_tokens; /* -1: no usage */
} pieces[] = {
  { "a token", "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}", "a", NULL, NULL, NULL, 0, -1 },
  { "the role that comes first", "{\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}],\"usage\":null}", NULL, NULL,
    NULL, NULL, 0, -1 },
  { "no content", "{\"choices\":[{\"delta\":{\"content\":null}}]}", NULL, NULL, NULL, NULL, 0, -1 },
  { "content in parts", "{\"choices\":[{\"delta\":{\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}]}}]}",
    "ab", NULL, NULL, NULL, 0, -1 },
  { "reasoning of DeepSeek and SGLang", "{\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\",\"content\":null}}]}", NULL, "hm", NULL,
    NULL, 0, -1 },
  { "reasoning of vLLM since 0.11", "{\"choices\":[{\"delta\":{\"reasoning\":\"hm\"}}]}", NULL, "hm", NULL, NULL, 0, -1 },
  { "the end", "{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}", NULL, NULL, NULL, "stop", SL_STOP_EOS, -1 },
  { "cut", "{\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}", NULL, NULL, NULL, "length", SL_STOP_MAX_TOKENS, -1 },
  { "aborted", "{\"choices\":[{\"delta\":{},\"finish_reason\":\"abort\"}]}", NULL, NULL, NULL, "abort", SL_STOP_USER, -1 },
  { "usage without choices", "{\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}", NULL, NULL, NULL, NULL, 0, 7 },
  { "usage and nothing else", "{\"usage\":{\"prompt_tokens\":7}}", NULL, NULL, NULL, NULL, 0, 7 },
  { "a whole answer", "{\"choices\":[{\"message\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3}}", "a",
    NULL, NULL, "stop", SL_STOP_EOS, 3 },
  { "vLLM's error in a stream", "{\"error\":{\"object\":\"error\",\"message\":\"too long\",\"code\":400}}", NULL, NULL, "too long", NULL,
    0, -1 },
  { "an older error of the same", "{\"object\":\"error\",\"message\":\"too long\\nby far\",\"code\":400}", NULL, NULL, "too long by far",
    NULL, 0, -1 },
  { "an error in one word", "{\"error\":\"overloaded\"}", NULL, NULL, "overloaded", NULL, 0, -1 },
  { "no error", "{\"error\":null,\"choices\":[{\"delta\":{\"content\":\"a\"}}]}", "a", NULL, NULL, NULL, 0, -1 },
  { "numbers that are none", "{\"choices\":[],\"usage\":{\"prompt_tokens\":-7}}", NULL, NULL, NULL, NULL, 0, 0 },
};

static void
test_pieces (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (pieces); i++)
    {
      g_auto (SlReply) reply = { 0 };
      g_autoptr (GError) error = NULL;

      g_test_message ("%s", pieces[i].what);
      g_assert_true (sl_reply_parse (pieces[i].json, strlen (pieces[i].json), &reply, &error));
      g_assert_cmpstr (reply.text, ==, pieces[i].text);
      g_assert_cmpstr (reply.reasoning, ==, pieces[i].reasoning);
      g_assert_cmpstr (reply.error, ==, pieces[i].error);
      g_assert_cmpstr (reply.finish, ==, pieces[i].finish);
      g_assert_cmpint (reply.stop, ==, pieces[i].stop);
      g_assert_cmpint (reply.has_usage ? (int) reply.prompt_tokens : -1, ==, pieces[i].prompt_tokens);
    }
}

static void
test_nonsense (void)
{
  static const char *const texts[] = {
    "", "[]", "{", "7", "{}", "{\"choices\":7}", "<html>", "{\"choices\":[{\"delta\":{\"content\":\"\xff\"}}]}" };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_auto (SlReply) reply = { 0 };
      g_autoptr (GError) error = NULL;

      g_assert_false (sl_reply_parse (texts[i], strlen (texts[i]), &reply, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
    }
}

static void
test_tokens (void)
{
  const char *json = "{\"choices\":[{\"delta\":{\"content\":\"看\"},\"logprobs\":{\"content\":["
                     "{\"token\":\"x\",\"logprob\":-0.5,\"bytes\":[231,156],\"top_logprobs\":[{\"token\":\"a\",\"logprob\":-0.5},"
                     "{\"token\":\"b\",\"logprob\":null},{\"token\":\"c\",\"logprob\":-2}]},"
                     "{\"token\":\"\",\"logprob\":0.01,\"bytes\":[139]},{\"token\":\"z\"}]}}]}";
  g_auto (SlReply) reply = { 0 };
  const SlReplyToken *tokens;

  g_assert_true (sl_reply_parse (json, strlen (json), &reply, NULL));
  g_assert_cmpuint (reply.tokens->len, ==, 3);
  tokens = (const SlReplyToken *) reply.tokens->data;
  g_assert_cmpmem (tokens[0].text, tokens[0].length, "\xe7\x9c", 2);
  g_assert_cmpmem (tokens[1].text, tokens[1].length, "\x8b", 1);
  g_assert_cmpfloat (tokens[0].logprob, ==, -0.5f);
  g_assert_cmpfloat (tokens[1].logprob, ==, 0); /* a probability over 1 is rounding */
  g_assert_true (isnan (tokens[2].logprob));
  g_assert_cmpuint (tokens[0].alternatives->len, ==, 2);
  g_assert_cmpstr (g_array_index (tokens[0].alternatives, SlReplyAlternative, 1).text, ==, "c");
}

static void
test_refusals (void)
{
  static const char *const bodies[][2] = {
    { "{\"error\":{\"message\":\"The model `x` does not exist.\",\"type\":\"NotFoundError\",\"code\":404}}", "The model `x` does not exist." },
    { "{\"detail\":\"Not Found\"}", "Not Found" },
    { "{\"detail\":[{\"loc\":[\"body\",\"n\"],\"msg\":\"field required\",\"type\":\"value_error\"}]}", "field required" },
    { "{\"message\":\"no\\u0007 way\"}", "no way" },
    { "Too many requests\n", "Too many requests" },
    { "<html><body>Bad gateway</body></html>", NULL },
    { "", NULL },
    { "{}", NULL },
  };
  g_autofree char *endless = g_strnfill (100000, 'a');
  g_autofree char *sentence = sl_reply_dup_error (endless, 100000);

  for (gsize i = 0; i < G_N_ELEMENTS (bodies); i++)
    {
      g_autofree char *text = sl_reply_dup_error (bodies[i][0], strlen (bodies[i][0]));

      g_assert_cmpstr (text, ==, bodies[i][1]);
    }
  g_assert_cmpuint (strlen (sentence), <, 500);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/sse/rows", test_rows);
  g_test_add_func ("/sse/ends", test_ends);
  g_test_add_func ("/reply/pieces", test_pieces);
  g_test_add_func ("/reply/nonsense", test_nonsense);
  g_test_add_func ("/reply/tokens", test_tokens);
  g_test_add_func ("/reply/refusals", test_refusals);
  return g_test_run ();
}
