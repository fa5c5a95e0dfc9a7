/* SPDX-License-Identifier: MIT
 *
 * `sightline-cli verify`: is this checkpoint one of the published models, complete and unchanged, and does it answer as it
 * should? Compares the files without reading their data, then asks one question in text and, with a picture, the official
 * giraffe. The report is made to be sent: it names no folder and no picture's name. Main thread.
 */
#include "app/cli/ask.h"

#include <string.h>

#include <glib/gi18n.h>

#include "app/inference/sl-model-folder.h"

#define TEXT_PROMPT "How many days does a week have? Answer with one word."
#define GIRAFFE_PROMPT "<|ref|>The giraffe at the back.<|/ref|>." /* the official example with visual_grounding_1.jpeg */
#define GIRAFFE_IOU 0.9
#define MAX_TOKENS 128

static const double giraffe_box[4] = { 580, 270, 999, 900 };

typedef struct
{
  CliOutput        output;
  CliEngineOptions engine;
  char            *image;
  char            *report;
  gboolean         files_only;
  gboolean         force;
} Options;

typedef struct
{
  const Options *options;
  char          *dir, *name;
  json_t        *report;
  gboolean       published;
  gboolean       unread; /* its files could not be compared */
  gboolean       good;
} Verify;

static void
options_clear (Options *options)
{
  cli_engine_options_clear (&options->engine);
  g_free (options->image);
  g_free (options->report);
}

static void
verify_clear (Verify *self)
{
  g_free (self->dir);
  g_free (self->name);
  g_clear_pointer (&self->report, json_decref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Options, options_clear)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Verify, verify_clear)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (CliAnswer, cli_answer_clear)

/* ------------------------------------------------------------------------------------------------ files */

static void
on_finding (vl2_finding  kind,
            const char  *sentence,
            void        *user)
{
  static const char *const nicks[] = { "missing", "extra", "shape", "dtype", "config", "token" };
  Verify *self = user;
  g_autoptr(GString) text = g_string_new (sentence);
  g_autofree char *valid = NULL;

  g_string_replace (text, self->dir, self->name, 0);
  valid = g_utf8_make_valid (text->str, text->len);
  json_array_append_new (json_object_get (self->report, "findings"), json_pack ("{s:s,s:s}", "kind", nicks[kind], "text", valid));
}

/* What is missing, or is not what its name says: all of it, since each file may be a long download. */
static guint
list_missing (Verify *self)
{
  g_autofree char *shown = g_filename_display_name (self->name);
  g_autoptr(GPtrArray) problems = sl_model_folder_list_problems (self->dir, shown);

  for (guint i = 0; i < problems->len; i++)
    json_array_append_new (json_object_get (self->report, "findings"),
                           json_pack ("{s:s,s:s}", "kind", "file", "text", (const char *) problems->pdata[i]));

  return problems->len;
}

static gboolean
check_files (Verify  *self,
             GError **error)
{
  struct vl2_inspection found = { .published = NULL };
  vl2_error cause = { 0 };
  guint missing;

  json_object_set_new (self->report, "findings", json_array ());
  missing = list_missing (self);
  self->unread = vl2_inspect (self->dir, on_finding, self, &found, &cause) != VL2_OK;
  if (self->unread && missing == 0)
    {
      cli_set_vl2 (error, &cause);
      return FALSE;
    }

  self->published = found.published != NULL;
  self->good = found.findings == 0 && missing == 0 && !self->unread;
  json_object_set_new (self->report, "published", self->published ? json_string (found.published) : json_null ());
  json_object_update_new (self->report, json_pack ("{s:I,s:I,s:I}", "tensors", (json_int_t) found.tensors, "bytes",
                                                   (json_int_t) found.bytes, "parameters", (json_int_t) found.parameters));
  json_object_set_new (self->report, "tokens",
                       json_pack ("{s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i}", "bos", (int) found.tokens.bos, "eos",
                                  (int) found.tokens.eos, "pad", (int) found.tokens.pad, "<image>", (int) found.tokens.image, "<|ref|>",
                                  (int) found.tokens.ref, "<|/ref|>", (int) found.tokens.ref_end, "<|det|>", (int) found.tokens.det,
                                  "<|/det|>", (int) found.tokens.det_end, "<|grounding|>", (int) found.tokens.grounding, "<|User|>",
                                  (int) found.tokens.user, "<|Assistant|>", (int) found.tokens.assistant));

  return TRUE;
}

/* ------------------------------------------------------------------------------------------------ answers */

/* Judges the box of a published model; other models' boxes are only reported. */
static void
judge_giraffe (Verify    *self,
               CliAnswer *answer,
               json_t    *run)
{
  const SlBox *box = cli_first_box (answer->grounding);
  double found[4] = { 0 };
  double overlap;

  for (int i = 0; box != NULL && i < 4; i++)
    found[i] = box->coords[i];
  overlap = cli_iou (found, giraffe_box);

  json_object_set_new (run, "expected_999", json_pack ("[i,i,i,i]", 580, 270, 999, 900));
  json_object_set_new (run, "iou", json_real (overlap));
  if (!self->published)
    return;
  json_object_set_new (run, "good", json_boolean (overlap >= GIRAFFE_IOU));
  self->good = self->good && overlap >= GIRAFFE_IOU;
}

static gboolean
ask (Verify       *self,
     vl2_engine   *engine,
     const char   *picture,
     const char   *prompt,
     GError      **error)
{
  g_autoptr(CliConversation) conversation = cli_conversation_new ();
  g_auto(CliAnswer) answer = { 0 };
  g_autoptr(vl2_session) session = NULL;
  const char *pictures[] = { picture, NULL };
  const CliAskSettings settings = { .mode = SL_MODE_CHAT, .top_p = 1, .repetition_penalty = 1, .max_tokens = MAX_TOKENS };
  CliSource source;
  vl2_error cause = { 0 };
  json_t *full, *run;

  if (!cli_conversation_add_prompt (conversation, pictures, prompt, SL_MODE_CHAT, TRUE, error))
    return FALSE;

  if (vl2_session_open (engine, NULL, &session, &cause) != VL2_OK)
    {
      cli_set_vl2 (error, &cause);
      return FALSE;
    }

  source = (CliSource) { .engine = engine, .session = session }; /* borrowed */
  if (!cli_answer (&source, conversation, &settings, FALSE, &answer, error))
    return FALSE;

  full = cli_answer_to_json (&answer, conversation, 0);
  run = json_pack ("{s:s,s:O,s:O,s:O,s:O,s:O}", "prompt", prompt, "text", json_object_get (full, "text"), "ids",
                   json_object_get (full, "ids"), "prompt_ids", json_object_get (full, "prompt_ids"), "stop",
                   json_object_get (full, "stop"), "timings", json_object_get (full, "timings"));
  json_decref (full);
  if (picture != NULL)
    {
      SlPicture *loaded = cli_conversation_get_picture (conversation, 0);

      json_object_set_new (run, "picture", json_pack ("{s:s,s:i,s:i}", "sha256", sl_picture_get_sha256 (loaded), "width",
                                                      sl_picture_get_width (loaded), "height", sl_picture_get_height (loaded)));
      judge_giraffe (self, &answer, run);
    }
  json_array_append_new (json_object_get (self->report, "runs"), run);

  return TRUE;
}

static gboolean
check_answers (Verify  *self,
               GError **error)
{
  double load_ms = 0;
  g_autoptr(vl2_engine) engine = cli_open_engine (&self->options->engine, &load_ms, error);
  const struct vl2_info *info;

  if (engine == NULL)
    return FALSE;

  info = vl2_engine_info (engine);
  json_object_set_new (self->report, "computer", json_pack ("{s:s,s:s,s:i,s:f}", "device", info->device, "isa", info->isa, "threads",
                                                            (int) info->threads, "load_ms", load_ms));
  json_object_set_new (self->report, "runs", json_array ());

  return ask (self, engine, NULL, TEXT_PROMPT, error) &&
         (self->options->image == NULL || ask (self, engine, self->options->image, GIRAFFE_PROMPT, error));
}

/* ------------------------------------------------------------------------------------------------ report */

static gboolean
write_report (const Verify  *self,
              GError       **error)
{
  g_autofree char *text = json_dumps (self->report, JSON_INDENT (1));

  return self->options->report == NULL || sl_outputs_write (cli_outputs, self->options->report, text, strlen (text), error);
}

static CliStatus
print_report (const Verify *self)
{
  json_t *value;
  gsize i;

  if (self->options->output.json)
    return cli_print_json (json_incref (self->report));

  if (self->published)
    printf (_("%s is the published model “%s”: "), self->name, json_string_value (json_object_get (self->report, "published")));
  else if (self->unread)
    printf (_("The files of %s cannot be compared: "), self->name);
  else
    printf (_("%s is none of the published models, so that only its own consistency can be checked: "), self->name);
  printf (_("%lld tensors, %.3f million parameters, %zu differences\n"), (long long) json_integer_value (json_object_get (self->report, "tensors")),
          json_integer_value (json_object_get (self->report, "parameters")) / 1e6, json_array_size (json_object_get (self->report, "findings")));
  json_array_foreach (json_object_get (self->report, "findings"), i, value)
    printf ("  %s\n", json_string_value (json_object_get (value, "text")));

  json_array_foreach (json_object_get (self->report, "runs"), i, value)
    {
      json_t *overlap = json_object_get (value, "iou");

      printf ("%s\n  %s\n", json_string_value (json_object_get (value, "prompt")), json_string_value (json_object_get (value, "text")));
      if (overlap != NULL)
        printf (_("  IoU with the expected box: %.3f\n"), json_number_value (overlap));
    }
  printf ("%s\n", !self->good ? _("Not as published.") : self->published ? _("As published.") : _("Consistent."));

  return cli_finish_stdout (&self->options->output);
}

static CliStatus
run (const Options *options)
{
  g_auto(Verify) self = { .options = options };
  g_autoptr(GError) error = NULL;
  CliStatus status;

  self.dir = cli_model_dir (options->engine.model, &error);
  if (self.dir == NULL)
    return cli_fail_error (&options->output, CLI_INPUT, error);
  for (gsize length = strlen (self.dir); length > 1 && self.dir[length - 1] == '/'; length--)
    self.dir[length - 1] = '\0';
  self.name = sl_model_folder_dup_name (self.dir);
  self.report = json_pack ("{s:s,s:s%}", "sightline", SIGHTLINE_VERSION, "model", self.name, strlen (self.name));
  if (self.report == NULL) /* the folder's name is not UTF-8 */
    self.report = json_pack ("{s:s,s:n}", "sightline", SIGHTLINE_VERSION, "model");

  sl_outputs_set_replace (cli_outputs, options->force);
  if (options->image != NULL)
    sl_outputs_add_input (cli_outputs, options->image);
  if (!cli_check_output (options->report, &error) || !check_files (&self, &error))
    return cli_fail_error (&options->output, cli_status_of_error (error), error);

  /* What differs may keep the model from opening; then the differences are the answer. */
  if (!options->files_only && !check_answers (&self, &error))
    {
      status = cli_status_of_error (error);
      if (self.good || status >= CLI_DEVICE)
        return cli_fail_error (&options->output, status, error);
      g_clear_error (&error);
    }

  json_object_set_new (self.report, "good", json_boolean (self.good));
  if (!write_report (&self, &error))
    return cli_fail_error (&options->output, CLI_INPUT, error);

  status = print_report (&self);

  return self.good ? status : CLI_INPUT;
}

CliStatus
cli_verify (int    argc,
            char **argv)
{
  g_auto(Options) options = { 0 };
  CliStatus status;
  const GOptionEntry entries[] = {
    CLI_ENGINE_ENTRIES (options.engine),
    { "image", 'i', 0, G_OPTION_ARG_FILENAME, &options.image, N_("The official example's picture of the giraffes"), N_("FILE") },
    { "report", 0, 0, G_OPTION_ARG_FILENAME, &options.report, N_("Write everything that was found"), N_("FILE.json") },
    CLI_FORCE_ENTRY (options.force),
    { "files-only", 0, 0, G_OPTION_ARG_NONE, &options.files_only, N_("Do not load the model and ask it"), NULL },
    { NULL },
  };

  if (!cli_parse (&argc, &argv, "[OPTION…]", _("Checks a checkpoint against the published models."),
                  _("Compares settings, tensors, shapes, element types and token ids with those of DeepSeek-VL2-Tiny, -Small and the base "
                    "model, without reading the weights; then asks one question in text and, with --image, for “The giraffe at the back.”, "
                    "whose box has to be 580, 270, 999, 900 (IoU 0.9). Another model's files are checked against its own config.json. The "
                    "report names no folders and no pictures, so that it can be sent."),
                  entries, &options.output, &status))
    return status;

  if (argc > 1 || (options.files_only && options.image != NULL))
    return cli_fail (&options.output, CLI_USAGE, "%s", argc > 1 ? _("verify takes options only.") : _("--image goes without --files-only."));

  return run (&options);
}
