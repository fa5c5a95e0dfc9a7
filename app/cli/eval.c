/* SPDX-License-Identifier: MIT
 *
 * `sightline-cli eval`: how well a model finds things. JSON lines with a picture, an expression and its box in, accuracy at
 * IoU 0.5 and mean IoU out, one result line per question in a file that a later run can go on from. A line that cannot be
 * asked is recorded and the rest goes on; only a broken device, memory or a cancel ends the run. Main thread.
 */
#include "app/cli/eval.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include <glib/gi18n.h>

#define DEFAULT_MAX_TOKENS 256
#define PROGRESS_SECONDS 10
#define SHOWN_FAILURES 10

static void
options_clear (CliEvalOptions *options)
{
  cli_engine_options_clear (&options->engine);
  cli_endpoint_options_clear (&options->endpoint);
  g_free (options->out);
}

static void
eval_clear (CliEval *self)
{
  cli_source_close (&self->source);
  g_clear_pointer (&self->lines, g_ptr_array_unref);
  g_clear_pointer (&self->done, g_hash_table_unref);
  g_clear_pointer (&self->results, fclose);
  g_clear_pointer (&self->failures, json_decref);
  g_free (self->folder);
  g_free (self->sha256);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (CliEvalOptions, options_clear)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (CliEval, eval_clear)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (CliAnswer, cli_answer_clear)

/* ------------------------------------------------------------------------------------------------ one question */

double
cli_iou (const double a[4],
         const double b[4])
{
  double width = MIN (a[2], b[2]) - MAX (a[0], b[0]);
  double height = MIN (a[3], b[3]) - MAX (a[1], b[1]);
  double common = width > 0 && height > 0 ? width * height : 0;
  double both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common;

  return both > 0 ? common / both : 0;
}

/* "box" in pixels or "box_999", as fractions of the picture. */
static gboolean
read_box (json_t     *line,
          SlPicture  *picture,
          double      box[4],
          GError    **error)
{
  json_t *pixels = json_object_get (line, "box");
  json_t *list = pixels != NULL ? pixels : json_object_get (line, "box_999");
  double size[2] = { 999, 999 };

  if (pixels != NULL)
    {
      size[0] = sl_picture_get_width (picture);
      size[1] = sl_picture_get_height (picture);
    }

  for (gsize i = 0; i < 4; i++)
    {
      json_t *value = json_array_get (list, i);

      box[i] = json_number_value (value) / size[i % 2];
      if (json_array_size (list) != 4 || !json_is_number (value) || !isfinite (box[i]))
        {
          cli_set_error (error, CLI_INPUT, "%s", _("“box” (or “box_999”) has to be four numbers: left, top, right, bottom."));
          return FALSE;
        }
    }

  if (box[2] <= box[0] || box[3] <= box[1])
    {
      cli_set_error (error, CLI_INPUT, "%s", _("The box is empty; its numbers are left, top, right, bottom."));
      return FALSE;
    }

  return TRUE;
}

const SlBox *
cli_first_box (SlGrounding *grounding)
{
  gsize n_boxes;
  const SlBox *boxes = sl_grounding_get_boxes (grounding, &n_boxes);

  for (gsize i = 0; i < n_boxes; i++)
    if (boxes[i].status == SL_BOX_OK || boxes[i].status == SL_BOX_CLAMPED)
      return &boxes[i];

  return NULL;
}

static char *
dup_full_path (const CliEval *self,
               const char *path)
{
  return g_path_is_absolute (path) ? g_strdup (path) : g_build_filename (self->folder, path, NULL);
}

static gboolean
ask (const CliEval       *self,
     const char       *path,
     const char       *expression,
     CliConversation  *conversation,
     CliAnswer        *answer,
     GError          **error)
{
  g_autofree char *full = dup_full_path (self, path);
  const char *pictures[] = { full, NULL };
  const CliAskSettings settings = {
    .mode = SL_MODE_FIND,
    .temperature = 0,
    .top_p = 1,
    .repetition_penalty = 1,
    .top_k = 0,
    .max_tokens = self->options->max_tokens,
    .patient = TRUE,
  };

  return cli_conversation_add_prompt (conversation, pictures, expression, SL_MODE_FIND, FALSE, error) &&
         cli_answer (&self->source, conversation, &settings, FALSE, answer, error);
}

static json_t *
score (json_t          *line,
       CliConversation *conversation,
       CliAnswer       *answer,
       GError         **error)
{
  g_autofree char *text = g_utf8_make_valid (answer->text->str, answer->text->len);
  const SlBox *found = cli_first_box (answer->grounding);
  double want[4], got[4];
  json_t *result;

  if (!read_box (line, cli_conversation_get_picture (conversation, 0), want, error))
    return NULL;

  result = json_pack ("{s:s}", "text", text);
  json_object_set_new (result, "box_999", json_null ());
  json_object_set_new (result, "iou", json_real (0));
  if (found != NULL)
    {
      for (int i = 0; i < 4; i++)
        got[i] = found->placed ? found->place[i] : found->coords[i] / 999.0;
      json_object_set_new (result, "box_999", json_pack ("[i,i,i,i]", found->coords[0], found->coords[1], found->coords[2],
                                                         found->coords[3]));
      json_object_set_new (result, "iou", json_real (cli_iou (want, got)));
    }

  return result;
}

/* NULL with error where the line cannot be asked. */
static json_t *
answer_line (const CliEval  *self,
             const char  *text,
             GError     **error)
{
  g_autoptr(CliConversation) conversation = cli_conversation_new ();
  g_auto(CliAnswer) answer = { 0 };
  g_autoptr(json_t) line = cli_parse_line (text, strlen (text), error);
  const char *path = json_string_value (json_object_get (line, "image"));
  const char *expression = json_string_value (json_object_get (line, "expression"));
  json_t *id = json_object_get (line, "id");
  json_t *result;

  if (line == NULL)
    return NULL;

  if (path == NULL || *path == '\0' || expression == NULL || *expression == '\0')
    {
      cli_set_error (error, CLI_INPUT, "%s", _("“image” and “expression” have to be strings."));
      return NULL;
    }

  if (!ask (self, path, expression, conversation, &answer, error))
    return NULL;

  result = score (line, conversation, &answer, error);
  if (result != NULL && id != NULL)
    json_object_set (result, "id", id);

  return result;
}

/* ------------------------------------------------------------------------------------------------ the run */

static void
show_progress (CliEval     *self,
               gboolean  last)
{
  gboolean terminal = isatty (STDERR_FILENO);
  gint64 pause = terminal ? G_USEC_PER_SEC / 5 : PROGRESS_SECONDS * G_USEC_PER_SEC;
  gint64 now = g_get_monotonic_time ();
  double seconds = (now - self->start) / 1e6;
  double rate = seconds > 0 ? self->asked / seconds : 0;
  gsize all = self->lines->len, finished = self->scored + json_array_size (self->failures);
  int left = rate > 0 ? (int) ((all - finished) / rate) : 0;

  if (!last && now - self->shown < pause)
    return;
  self->shown = now;
  if (self->scored > 0)
    fprintf (stderr, _("%s%zu of %zu, acc@0.5 %.3f, mean IoU %.3f, %.2f per second, %d:%02d left%s"), terminal ? "\r\033[K" : "",
             finished, all, (double) self->hits / self->scored, self->iou_sum / self->scored, rate, left / 60, left % 60,
             terminal && !last ? "" : "\n");
  else
    fprintf (stderr, _("%s%zu of %zu, none scored%s"), terminal ? "\r\033[K" : "", finished, all, terminal && !last ? "" : "\n");
}

static CliStatus
run_line (CliEval  *self,
          gsize  index)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(json_t) result = answer_line (self, g_ptr_array_index (self->lines, index), &error);
  CliStatus status = CLI_OK;

  if (result == NULL)
    {
      status = cli_status_of_error (error);
      if (status >= CLI_DEVICE)
        {
          cli_fail_error (NULL, status, error);
          return status;
        }
      result = cli_error_to_json (status, error->message);
      g_clear_error (&error);
    }

  json_object_set_new (result, "index", json_integer ((json_int_t) index));
  self->asked++;
  cli_eval_count (self, result);
  if (!cli_eval_write_line (self, result, &error))
    {
      cli_fail_error (NULL, CLI_DEVICE, error);
      return CLI_DEVICE;
    }

  return status;
}

static CliStatus
run_lines (CliEval *self)
{
  CliStatus worst = CLI_OK;

  self->start = self->shown = g_get_monotonic_time ();
  for (gsize i = 0; i < self->lines->len && worst < CLI_DEVICE; i++)
    {
      CliStatus status;

      if (cli_cancel)
        return CLI_CANCELLED;
      if (g_hash_table_contains (self->done, GSIZE_TO_POINTER (i)))
        continue;
      status = run_line (self, i);
      worst = MAX (worst, status);
      show_progress (self, FALSE);
    }

  return worst;
}

/* The first reasons; mistakes in a file of questions mostly repeat. */
static void
print_failures (const CliEval *self)
{
  gsize n = json_array_size (self->failures);

  for (gsize i = 0; i < MIN (n, SHOWN_FAILURES); i++)
    {
      json_t *failure = json_array_get (self->failures, i);

      printf (_("  question %lld: %s\n"), (long long) json_integer_value (json_object_get (failure, "index")) + 1,
              json_string_value (json_object_get (failure, "message")));
    }
  if (n > SHOWN_FAILURES)
    printf (_("  and %zu more: with --json or --out all of them are told\n"), n - SHOWN_FAILURES);
}

/* A mean of nothing is no number. */
static json_t *
mean_to_json (const CliEval *self,
              double      sum)
{
  return self->scored > 0 ? json_real (sum / self->scored) : json_null ();
}

static CliStatus
print_scores (const CliEval *self)
{
  gsize failed = json_array_size (self->failures);

  if (self->options->output.json)
    return cli_print_json (json_pack ("{s:I,s:I,s:I,s:O,s:o,s:o,s:f}", "questions", (json_int_t) self->lines->len, "scored",
                                      (json_int_t) self->scored, "failed", (json_int_t) failed, "failures", self->failures, "acc_0.5",
                                      mean_to_json (self, self->hits), "mean_iou", mean_to_json (self, self->iou_sum), "seconds",
                                      (g_get_monotonic_time () - self->start) / 1e6));

  printf (_("%zu of %u questions scored, %zu could not be asked\n"), self->scored, self->lines->len, failed);
  print_failures (self);
  if (self->scored > 0)
    printf (_("acc@0.5   %.4f\nmean IoU  %.4f\n"), (double) self->hits / self->scored, self->iou_sum / self->scored);

  return cli_finish_stdout (&self->options->output);
}

/* So that --out is none of them. */
static void
note_picture (const CliEval *self,
              const char *text)
{
  g_autoptr(json_t) line = cli_parse_line (text, strlen (text), NULL);
  const char *path = json_string_value (json_object_get (line, "image"));
  g_autofree char *full = path != NULL ? dup_full_path (self, path) : NULL;

  if (full != NULL && self->options->out != NULL)
    sl_outputs_add_input (cli_outputs, full);
}

static gboolean
read_questions (CliEval        *self,
                const char  *path,
                GError     **error)
{
  g_autofree char *text = NULL;
  g_auto(GStrv) lines = NULL;
  gsize length;

  if (!g_file_get_contents (path, &text, &length, error))
    return FALSE;

  self->sha256 = g_compute_checksum_for_data (G_CHECKSUM_SHA256, (const guchar *) text, length);
  self->folder = g_path_get_dirname (path);
  lines = g_strsplit (text, "\n", -1);
  for (char **line = lines; *line != NULL; line++)
    if (*g_strstrip (*line) != '\0')
      {
        g_ptr_array_add (self->lines, g_strdup (*line));
        note_picture (self, *line);
      }
  if (self->lines->len > 0)
    return TRUE;

  cli_set_error (error, CLI_INPUT, _("“%s” holds no questions."), path);

  return FALSE;
}

static CliStatus
run (const CliEvalOptions *options,
     const char    *path)
{
  g_autoptr(GError) error = NULL;
  g_auto(CliEval) self = { .options = options };
  CliStatus status, printed;

  self.lines = g_ptr_array_new_with_free_func (g_free);
  self.failures = json_array ();
  self.done = g_hash_table_new (NULL, NULL);
  sl_outputs_set_replace (cli_outputs, options->force);
  sl_outputs_add_input (cli_outputs, path);
  if (!read_questions (&self, path, &error) || (!options->resume && !cli_check_output (options->out, &error)) ||
      !cli_source_open (&self.source, &options->engine, &options->endpoint, NULL, &error))
    return cli_fail_error (&options->output, cli_status_of_error (error), error);
  if (!cli_eval_open_results (&self, &error))
    return cli_fail_error (&options->output, cli_status_of_error (error), error);

  status = run_lines (&self);
  show_progress (&self, TRUE);
  printed = print_scores (&self);

  return MAX (status, printed);
}

CliStatus
cli_eval (int    argc,
          char **argv)
{
  g_auto(CliEvalOptions) options = { .max_tokens = DEFAULT_MAX_TOKENS };
  CliStatus status;
  const GOptionEntry entries[] = {
    CLI_ENGINE_ENTRIES (options.engine),
    CLI_ENDPOINT_ENTRIES (options.endpoint),
    CLI_PICTURE_ENTRIES,
    { "out", 'o', 0, G_OPTION_ARG_FILENAME, &options.out, N_("Write one result per line"), N_("F.jsonl") },
    CLI_FORCE_ENTRY (options.force),
    { "resume", 0, 0, G_OPTION_ARG_NONE, &options.resume, N_("Go on with the results in --out"), NULL },
    { "max-tokens", 0, 0, G_OPTION_ARG_INT, &options.max_tokens, N_("Longest answer (default: 256)"), N_("N") },
    { NULL },
  };

  if (!cli_parse (&argc, &argv, _("[OPTION…] FILE.jsonl"), _("Scores how well a model finds things in pictures."),
                  _("Each line of FILE.jsonl is {\"image\": \"a.png\", \"expression\": \"the red circle\", \"box\": [x1, y1, x2, y2]}, the box in "
                    "pixels of the upright picture (or “box_999” in 0…999), paths relative to the file. Asked in mode find, greedily; "
                    "the answer's first box counts. A line that cannot be asked is recorded with its error and the rest goes on. "
                    "After an interruption, --resume asks what is not in --out yet."),
                  entries, &options.output, &status))
    return status;

  if (argc != 2)
    return cli_fail (&options.output, CLI_USAGE, "%s", _("eval needs one FILE.jsonl."));
  if (options.resume && options.out == NULL)
    return cli_fail (&options.output, CLI_USAGE, "%s", _("--resume needs --out."));
  if (options.max_tokens < 1)
    return cli_fail (&options.output, CLI_USAGE, "%s", _("--max-tokens has to be at least 1."));

  return run (&options, argv[1]);
}
