/* SPDX-License-Identifier: MIT
 *
 * The file of an evaluation's results: a head that says what they belong to, a line per question; a later run goes on from it.
 */
#include "app/cli/eval.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <glib/gi18n.h>
#include <glib/gstdio.h>


#define HIT_IOU 0.5
#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

void
cli_eval_count (CliEval   *self,
                json_t *result)
{
  json_t *value = json_object_get (result, "iou");

  if (!json_is_number (value))
    {
      json_t *cause = json_object_get (result, "error");

      json_array_append_new (self->failures, json_pack ("{s:O?,s:O?}", "index", json_object_get (result, "index"), "message",
                                                        json_object_get (cause, "message")));
      return;
    }
  self->scored++;
  self->hits += json_number_value (value) >= HIT_IOU;
  self->iou_sum += json_number_value (value);
}

gboolean
cli_eval_write_line (const CliEval  *self,
                     json_t      *value,
                     GError     **error)
{
  g_autofree char *text = json_dumps (value, JSON_COMPACT);

  if (self->results == NULL)
    return TRUE;

  if (text != NULL && fprintf (self->results, "%s\n", text) > 0 && fflush (self->results) == 0)
    return TRUE;

  cli_set_error (error, CLI_INPUT, _("“%s” cannot be written: %s."), self->options->out, g_strerror (errno));

  return FALSE;
}

/* The first line of the results says what they belong to. */
static json_t *
make_head (const CliEval *self)
{
  g_autofree char *name = cli_source_dup_model (&self->source);
  g_autofree char *identity = cli_source_dup_identity (&self->source);
  const vl2_engine *engine = self->source.engine;
  json_t *head;

  head = json_pack ("{s:s,s:s,s:s,s:I,s:i}", "questions_sha256", self->sha256, "model", name, "model_identity", identity,
                    "parameters", (json_int_t) (engine != NULL ? vl2_engine_info (engine)->parameters : 0), "max_tokens",
                    self->options->max_tokens);
  if (cli_on_white)
    json_object_set_new (head, "on_white", json_true ());

  return head;
}

static gboolean
fail_results (const CliEval *self,
              GError    **error)
{
  sl_output_set_error (error, self->options->out, errno);

  return FALSE;
}

/* The file appears with its first line; the lines that follow are appended, each when it is known. */
static gboolean
begin_results (CliEval    *self,
               GError **error)
{
  g_autoptr(json_t) head = make_head (self);
  g_autofree char *text = json_dumps (head, JSON_COMPACT);
  g_autofree char *line = g_strconcat (text, "\n", NULL);
  g_autoptr(SlOutput) output = sl_outputs_open (cli_outputs, self->options->out, error);
  int cause;

  if (output == NULL)
    return FALSE;
  if (sl_output_is_stream (output))
    {
      self->results = fdopen (fcntl (sl_output_get_fd (output), F_DUPFD_CLOEXEC, 0), "w");
      return self->results != NULL ? cli_eval_write_line (self, head, error) : fail_results (self, error);
    }
  cause = sl_output_write_all (sl_output_get_fd (output), line, strlen (line));
  if (!sl_output_finish (g_steal_pointer (&output), cause, error))
    return FALSE;
  self->results = g_fopen (self->options->out, "ae");

  return self->results != NULL || fail_results (self, error);
}

static gboolean
refuse_results (const CliEval *self,
                const char *sentence,
                GError    **error)
{
  g_autofree char *name = g_filename_display_name (self->options->out);

  cli_set_error (error, CLI_INPUT, sentence, name);

  return FALSE;
}

/* Results of another run are somebody's work, and so is a file that holds none. */
static gboolean
check_head (const CliEval *self,
            const char *text,
            gsize       length,
            GError    **error)
{
  const char *end = memchr (text, '\n', length);
  g_autoptr(json_t) found = end != NULL ? json_loadb (text, end - text, 0, NULL) : NULL;
  g_autoptr(json_t) wanted = make_head (self);
  json_t *model = json_object_get (found, "model_identity");

  if (g_strcmp0 (json_string_value (json_object_get (found, "questions_sha256")), self->sha256) != 0)
    return refuse_results (self, _("“%s” does not hold results of these questions."), error);
  if (!json_equal (model, json_object_get (wanted, "model_identity")) ||
      !json_equal (json_object_get (found, "max_tokens"), json_object_get (wanted, "max_tokens")))
    return refuse_results (self, _("“%s” holds results of another model or --max-tokens."), error);
  if (json_is_true (json_object_get (found, "on_white")) != cli_on_white)
    return refuse_results (self, _("“%s” holds results with another choice of --on-white."), error);

  return TRUE;
}

static void
count_results (CliEval       *self,
               const char *text,
               gsize       length)
{
  g_autoptr(json_t) line = json_loadb (text, length, 0, NULL);
  json_t *value = json_object_get (line, "index");
  json_int_t index = json_is_integer (value) ? json_integer_value (value) : -1;

  if (index >= 0 && index < (json_int_t) self->lines->len && g_hash_table_add (self->done, GSIZE_TO_POINTER ((gsize) index)))
    cli_eval_count (self, line);
}

/* Counts the results of an interrupted run. A last line that was cut is taken off. */
static gboolean
take_up_results (CliEval    *self,
                 GError **error)
{
  g_autofree char *text = NULL;
  gsize length, kept = 0;

  if (sl_outputs_is_input (cli_outputs, self->options->out))
    return sl_outputs_check (cli_outputs, self->options->out, error);
  if (!g_file_get_contents (self->options->out, &text, &length, error) || !check_head (self, text, length, error))
    return FALSE;

  for (char *end; (end = memchr (text + kept, '\n', length - kept)) != NULL; kept = end + 1 - text)
    count_results (self, text + kept, end - (text + kept));

  self->results = g_fopen (self->options->out, "r+e");

  return (self->results != NULL && ftruncate (fileno (self->results), (off_t) kept) == 0 &&
          fseek (self->results, 0, SEEK_END) == 0) ||
         fail_results (self, error);
}

gboolean
cli_eval_open_results (CliEval    *self,
                       GError **error)
{
  if (self->options->out == NULL)
    return TRUE;

  /* An empty file holds nobody's work. */
  sl_outputs_add_own (cli_outputs, self->options->out, EMPTY_SHA256);
  if (self->options->resume && g_file_test (self->options->out, G_FILE_TEST_EXISTS) &&
      !sl_outputs_is_own (cli_outputs, self->options->out))
    return take_up_results (self, error);

  return begin_results (self, error);
}
