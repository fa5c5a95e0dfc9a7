/* SPDX-License-Identifier: MIT
 *
 * Counts as Prometheus reads them. No label says who asked or what.
 */
#include "app/server/sl-server-private.h"

static void
add (GString    *out,
     const char *name,
     const char *kind,
     const char *help,
     double      value)
{
  char number[G_ASCII_DTOSTR_BUF_SIZE];

  g_ascii_dtostr (number, sizeof number, value);
  g_string_append_printf (out, "# HELP sightline_%s %s\n# TYPE sightline_%s %s\nsightline_%s %s\n", name, help, name, kind, name, number);
}

char *
sl_server_dup_metrics (SlServer *self)
{
  const SlServerCounts *c = &self->counts;
  GString *out = g_string_new (NULL);
  guint waiting, going;

  sl_engine_count_guests (self->engine, &waiting, &going);
  add (out, "requests_total", "counter", "Chat requests that were let in.", c->requests);
  add (out, "answers_total", "counter", "Answers that were completed.", c->answers);
  add (out, "requests_refused_total", "counter", "Requests that were wrong.", c->refused);
  add (out, "requests_busy_total", "counter", "Requests that came when the queue was full.", c->busy);
  add (out, "answers_cancelled_total", "counter", "Answers whose client left, read too slowly or ran out of time.", c->cancelled);
  add (out, "answers_failed_total", "counter", "Answers that failed.", c->failed);
  add (out, "prompt_tokens_total", "counter", "Tokens of questions.", c->prompt_tokens);
  add (out, "cached_tokens_total", "counter", "Tokens of questions that were not read again.", c->cached_tokens);
  add (out, "generated_tokens_total", "counter", "Tokens of answers.", c->tokens);
  add (out, "time_to_first_token_seconds_sum", "counter", "Seconds from a question to its first token, added up.",
       c->first_token_seconds);
  add (out, "answer_seconds_sum", "counter", "Seconds from a question to the end of its answer, added up.", c->seconds);
  add (out, "answers_waiting", "gauge", "Questions in the queue.", waiting);
  add (out, "answers_going", "gauge", "Answers that are being written.", going);
  add (out, "connections", "gauge", "Connections that are open.", self->n_connections);
  return g_string_free (out, FALSE);
}
