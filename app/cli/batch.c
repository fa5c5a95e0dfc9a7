/* SPDX-License-Identifier: MIT
 *
 * `sightline-cli batch`: one prompt over many pictures, the boxes as an export. What is done is kept in a journal beside the
 * export, so that a run that was cut off goes on where it was; a picture that cannot be read is reported and skipped.
 * Main thread.
 */
#include "app/cli/ask.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <glib/gi18n.h>
#include <glib/gstdio.h>

#include "app/exports/sl-box-export.h"

#define JOURNAL            "sightline-batch.jsonl"
#define DEFAULT_MAX_TOKENS 1024

typedef struct
{
  CliOutput         output;
  CliEngineOptions  engine;
  CliAskSettings    settings;
  char             *prompt;
  char             *mode;
  char             *format;
  char             *out;
  char            **words;
  gint64            seed;
  gboolean          raw;
  gboolean          again;
} Options;

typedef struct
{
  const Options  *options;
  vl2_engine     *engine;
  vl2_session    *session;
  SlBoxExport    *export;
  FILE           *journal;
  GHashTable     *done; /* key of a picture, a set */
  GPtrArray      *pictures; /* char *, paths */
  char           *model;
  gsize           n_done, n_failed, n_kept;
} Batch;

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (CliAnswer, cli_answer_clear)

static void
options_clear (Options *options)
{
  g_free (options->engine.model);
  g_free (options->engine.device);
  g_free (options->prompt);
  g_free (options->mode);
  g_free (options->format);
  g_free (options->out);
  g_strfreev (options->words);
}

static void
batch_clear (Batch *batch)
{
  if (batch->journal != NULL)
    fclose (batch->journal);
  g_clear_pointer (&batch->session, vl2_session_close);
  g_clear_pointer (&batch->engine, vl2_engine_close);
  g_clear_pointer (&batch->export, sl_box_export_free);
  g_clear_pointer (&batch->done, g_hash_table_unref);
  g_clear_pointer (&batch->pictures, g_ptr_array_unref);
  g_free (batch->model);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Options, options_clear)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Batch, batch_clear)

static gboolean
parse (Options    *options,
       int         argc,
       char      **argv,
       CliStatus  *status)
{
  const GOptionEntry entries[] = {
    CLI_ENGINE_ENTRIES (options->engine),
    { "prompt", 'p', 0, G_OPTION_ARG_FILENAME, &options->prompt, N_("What to ask about each picture"), N_("PROMPT") },
    { "mode", 0, 0, G_OPTION_ARG_FILENAME, &options->mode, N_("chat, find (default) or ground"), N_("MODE") },
    { "raw", 0, 0, G_OPTION_ARG_NONE, &options->raw, N_("Special tokens in PROMPT are tokens"), NULL },
    { "export", 'e', 0, G_OPTION_ARG_FILENAME, &options->format,
      N_("png, svg, pdf, crops, json (default), csv, coco, yolo, voc, labelme or label-studio"), N_("FORMAT") },
    { "out", 'o', 0, G_OPTION_ARG_FILENAME, &options->out, N_("The folder that is written"), N_("DIR") },
    { "again", 0, 0, G_OPTION_ARG_NONE, &options->again, N_("Start anew instead of going on"), NULL },
    { "seed", 0, 0, G_OPTION_ARG_INT64, &options->seed, N_("Random seed (default: 0)"), N_("N") },
    { "max-tokens", 0, 0, G_OPTION_ARG_INT, &options->settings.max_tokens, N_("Longest answer (default: 1024)"), N_("N") },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options->words, NULL, NULL },
    { NULL },
  };

  return cli_parse (&argc, &argv, _("--prompt PROMPT --out DIR [OPTION…] PICTURE|FOLDER…"),
                    _("Asks the same about many pictures and writes the boxes as an export."),
                    _("A FOLDER stands for the pictures in it, in the order of their names. A run that was cut off goes on when "
                      "it is started again with the same prompt, model and format. A picture that cannot be read is reported "
                      "and the rest goes on.\n\n"
                      "Exit status: 0 ok, 2 wrong usage, 3 bad input (some pictures failed) or model, 4 device or memory, "
                      "5 cancelled."),
                    entries, &options->output, status);
}

static const char *
check_usage (Options        *options,
             SlExportFormat *format)
{
  if (options->prompt == NULL)
    return _("--prompt is missing (see “sightline-cli batch --help”).");
  if (options->out == NULL)
    return _("--out is missing (see “sightline-cli batch --help”).");
  if (options->words == NULL)
    return _("There are no pictures (see “sightline-cli batch --help”).");
  if (options->mode != NULL && !sl_mode_from_nick (options->mode, &options->settings.mode))
    return _("--mode has to be chat, find or ground.");
  if (options->format != NULL && !sl_export_format_from_nick (options->format, format))
    return _("--export has to be png, svg, pdf, crops, json, csv, coco, yolo, voc, labelme or label-studio.");
  if (options->settings.max_tokens < 1)
    return _("--max-tokens has to be at least 1.");
  if (options->seed < 0)
    return _("--seed cannot be negative.");

  return NULL;
}

/* ------------------------------------------------------------------------------------------------ pictures */

static int
compare_paths (gconstpointer a,
               gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static gboolean
looks_like_picture (const char *path)
{
  g_autofree char *type = g_content_type_guess (path, NULL, 0, NULL);
  g_autofree char *mime = g_content_type_get_mime_type (type);

  return mime != NULL && g_str_has_prefix (mime, "image/");
}

static gboolean
add_folder (Batch       *batch,
            const char  *path,
            GError     **error)
{
  g_autoptr(GError) cause = NULL;
  g_autoptr(GDir) dir = g_dir_open (path, 0, &cause);
  g_autoptr(GPtrArray) found = g_ptr_array_new ();
  const char *name;

  if (dir == NULL)
    {
      cli_set_error (error, CLI_INPUT, "%s", cause->message);
      return FALSE;
    }
  while ((name = g_dir_read_name (dir)) != NULL)
    if (looks_like_picture (name))
      g_ptr_array_add (found, g_build_filename (path, name, NULL));
  g_ptr_array_sort (found, compare_paths);
  for (guint i = 0; i < found->len; i++)
    g_ptr_array_add (batch->pictures, found->pdata[i]);

  return TRUE;
}

static gboolean
list_pictures (Batch   *batch,
               GError **error)
{
  batch->pictures = g_ptr_array_new_with_free_func (g_free);
  for (char **word = batch->options->words; *word != NULL; word++)
    {
      if (!g_file_test (*word, G_FILE_TEST_IS_DIR))
        g_ptr_array_add (batch->pictures, g_strdup (*word));
      else if (!add_folder (batch, *word, error))
        return FALSE;
    }

  return TRUE;
}

/* ------------------------------------------------------------------------------------------------ journal */

static json_t *
four_to_json (const int v[4])
{
  return json_pack ("[i,i,i,i]", v[0], v[1], v[2], v[3]);
}

/* A line of the journal: everything that the shared files need, so that a later run does not ask again. */
static json_t *
record_to_json (const SlExportPicture *record,
                const char            *key)
{
  json_t *boxes = json_array ();

  for (guint i = 0; i < record->boxes->len; i++)
    {
      const SlExportBox *box = record->boxes->pdata[i];

      json_array_append_new (boxes, json_pack ("{s:s,s:o,s:s,s:s,s:s,s:i,s:f}", "label", box->label, "box_999",
                                               four_to_json (box->coords), "status", sl_box_status_get_nick (box->status),
                                               "reason", box->reason, "raw", box->raw, "number", box->number,
                                               "token_probability", box->confidence));
    }

  return json_pack ("{s:s,s:s,s:s,s:s*,s:s,s:i,s:i,s:s,s:o}", "key", key, "name", record->name, "stem", record->stem,
                    "file", record->file, "sha256", record->sha256, "width", record->width, "height", record->height,
                    "answer", record->answer, "boxes", boxes);
}

static SlExportBox *
box_from_json (json_t *value)
{
  g_autoptr(SlExportBox) box = sl_export_box_new ();
  const char *label, *status, *reason, *raw;

  if (json_unpack (value, "{s:s,s:[i,i,i,i],s:s,s:s,s:s,s:i,s:F}", "label", &label, "box_999", &box->coords[0],
                   &box->coords[1], &box->coords[2], &box->coords[3], "status", &status, "reason", &reason, "raw", &raw,
                   "number", &box->number, "token_probability", &box->confidence) != 0 ||
      !sl_box_status_from_nick (status, &box->status))
    return NULL;
  box->label = g_strdup (label);
  box->reason = g_strdup (reason);
  box->raw = g_strdup (raw);

  return g_steal_pointer (&box);
}

static SlExportPicture *
record_from_json (const Batch *batch,
                  json_t      *line)
{
  g_autoptr(SlExportPicture) record = sl_export_picture_new (NULL);
  const char *name, *stem, *sha256, *answer;
  const char *file = NULL;
  json_t *boxes, *value;
  gsize i;

  if (json_unpack (line, "{s:s,s:s,s?s,s:s,s:i,s:i,s:s,s:o}", "name", &name, "stem", &stem, "file", &file, "sha256", &sha256,
                   "width", &record->width, "height", &record->height, "answer", &answer, "boxes", &boxes) != 0)
    return NULL;
  record->name = g_strdup (name);
  record->stem = g_strdup (stem);
  record->file = g_strdup (file);
  record->sha256 = g_strdup (sha256);
  record->answer = g_strdup (answer);
  record->prompt = g_strdup (batch->options->prompt);
  record->model = g_strdup (batch->model);
  json_array_foreach (boxes, i, value)
    {
      SlExportBox *box = box_from_json (value);

      if (box == NULL)
        return NULL;
      g_ptr_array_add (record->boxes, box);
    }

  return g_steal_pointer (&record);
}

/* What makes two runs the same work. */
static json_t *
head_to_json (const Batch    *batch,
              SlExportFormat  format)
{
  return json_pack ("{s:s,s:i,s:s,s:s,s:b,s:s,s:s,s:I,s:i}", "format", "sightline-batch", "version", 1, "prompt",
                    batch->options->prompt, "mode", sl_mode_get_nick (batch->options->settings.mode), "raw",
                    batch->options->raw, "model", batch->model, "export", sl_export_format_get_nick (format), "seed",
                    (json_int_t) batch->options->seed, "max_tokens", batch->options->settings.max_tokens);
}

static gboolean
write_line (FILE   *file,
            json_t *value)
{
  char *text = json_dumps (value, JSON_COMPACT);
  gboolean written = text != NULL && fprintf (file, "%s\n", text) >= 0 && fflush (file) == 0 && fdatasync (fileno (file)) == 0;

  free (text);
  json_decref (value);

  return written;
}

/* Takes over what earlier runs did. A line that a power cut left half written, and all behind it, is done again. */
static gsize
read_lines (Batch      *batch,
            char       *text,
            const char *path)
{
  gsize good = 0;
  char *line = strchr (text, '\n') + 1;

  for (char *end; (end = strchr (line, '\n')) != NULL; line = end + 1)
    {
      g_autoptr(json_t) value = json_loadb (line, end - line, 0, NULL);
      const char *key = json_string_value (json_object_get (value, "key"));
      SlExportPicture *record = key != NULL ? record_from_json (batch, value) : NULL;

      if (record == NULL)
        break;
      sl_box_export_add (batch->export, record, NULL, NULL);
      g_hash_table_add (batch->done, g_strdup (key));
      batch->n_kept++;
      good = end + 1 - text;
    }

  return good != 0 ? good : (gsize) (strchr (text, '\n') + 1 - text);
}

static gboolean
fail_journal (const char *path,
              GError    **error)
{
  g_autofree char *name = g_filename_display_name (path);
  int saved_errno = errno;

  cli_set_error (error, CLI_INPUT, _("“%s” cannot be written: %s."), name, g_strerror (saved_errno));

  return FALSE;
}

static gboolean
open_journal (Batch          *batch,
              SlExportFormat  format,
              GError        **error)
{
  g_autofree char *path = g_build_filename (batch->options->out, JOURNAL, NULL);
  g_autoptr(json_t) head = head_to_json (batch, format);
  g_autofree char *text = NULL;
  gboolean known = !batch->options->again && g_file_get_contents (path, &text, NULL, NULL) && strchr (text, '\n') != NULL;
  gsize length = 0;

  batch->done = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  if (known)
    {
      g_autoptr(json_t) old = json_loadb (text, strchr (text, '\n') - text, 0, NULL);

      if (!json_equal (old, head))
        {
          g_autofree char *name = g_filename_display_name (batch->options->out);

          cli_set_error (error, CLI_USAGE,
                         _("“%s” holds a run with another prompt, model or format; give another --out, or --again."), name);
          return FALSE;
        }
      length = read_lines (batch, text, path);
    }
  batch->journal = g_fopen (path, known ? "r+" : "w");
  if (batch->journal == NULL)
    return fail_journal (path, error);
  if (!known)
    return write_line (batch->journal, json_incref (head)) || fail_journal (path, error);

  return (ftruncate (fileno (batch->journal), length) == 0 && fseek (batch->journal, 0, SEEK_END) == 0) ||
         fail_journal (path, error);
}

/* ------------------------------------------------------------------------------------------------ asking */

static SlExportPicture *
make_record (const Batch     *batch,
             SlPicture       *picture,
             const CliAnswer *answer)
{
  SlExportPicture *record = sl_export_picture_new (picture);
  const char *text = sl_grounding_get_text (answer->grounding);
  gsize n_boxes;
  const SlBox *boxes = sl_grounding_get_boxes (answer->grounding, &n_boxes);
  int number = 0;

  record->model = g_strdup (batch->model);
  record->prompt = g_strdup (batch->options->prompt);
  record->answer = g_utf8_make_valid (text, -1);
  for (gsize i = 0; i < n_boxes; i++)
    {
      SlExportBox *box = sl_export_box_new ();
      g_autofree char *raw = g_strndup (text + boxes[i].start, boxes[i].end - boxes[i].start);

      box->label = g_utf8_make_valid (boxes[i].label != NULL ? boxes[i].label : "", -1);
      box->reason = g_strdup (sl_box_reason_get_english (boxes[i].reason));
      box->raw = g_utf8_make_valid (raw, -1);
      box->status = boxes[i].status;
      box->confidence = sl_generation_get_confidence (answer->record, boxes[i].numbers_start, boxes[i].numbers_end);
      memcpy (box->coords, boxes[i].coords, sizeof box->coords);
      box->number = box->status == SL_BOX_OK || box->status == SL_BOX_CLAMPED ? ++number : 0;
      g_ptr_array_add (record->boxes, box);
    }

  return record;
}

static gboolean
run_picture (Batch       *batch,
             const char  *path,
             const char  *key,
             guint       *n_boxes,
             GError     **error)
{
  g_autoptr(CliConversation) conversation = cli_conversation_new ();
  const char *const paths[] = { path, NULL };
  g_auto(CliAnswer) answer = { 0 };
  SlExportPicture *record;
  SlPicture *picture;
  g_autoptr(GError) cause = NULL;

  if (!cli_conversation_add_prompt (conversation, paths, batch->options->prompt, batch->options->settings.mode,
                                    batch->options->raw, error) ||
      !cli_answer (batch->engine, batch->session, conversation, &batch->options->settings, FALSE, &answer, error))
    return FALSE;

  picture = cli_conversation_get_picture (conversation, 0);
  record = make_record (batch, picture, &answer);
  *n_boxes = record->boxes->len;
  if (!sl_box_export_add (batch->export, record, picture, &cause))
    {
      /* Nothing else will be writable either. */
      cli_set_error (error, CLI_DEVICE, "%s", cause->message);
      return FALSE;
    }
  if (!write_line (batch->journal, record_to_json (record, key)))
    {
      g_autofree char *journal = g_build_filename (batch->options->out, JOURNAL, NULL);

      fail_journal (journal, error);
      return FALSE;
    }

  return TRUE;
}

static void
report (const Batch  *batch,
        guint         index,
        const char   *path,
        guint         n_boxes,
        const GError *error)
{
  g_autofree char *name = g_filename_display_name (path);

  if (batch->options->output.json)
    {
      cli_print_json (error != NULL ? json_pack ("{s:s,s:s}", "picture", name, "error", error->message)
                                    : json_pack ("{s:s,s:i}", "picture", name, "boxes", (int) n_boxes));
      return;
    }
  fprintf (stderr, "[%u/%u] ", index + 1, batch->pictures->len);
  if (error != NULL)
    fprintf (stderr, "%s\n", error->message);
  else
    /* Translators: progress of a batch: a file, how many boxes it has now */
    fprintf (stderr, ngettext ("%s: %u box\n", "%s: %u boxes\n", n_boxes), name, n_boxes);
}

/* The same file twice is one piece of work; the same name in two folders is two. */
static char *
make_key (const char *path)
{
  g_autofree char *absolute = g_canonicalize_filename (path, NULL);

  return g_filename_display_name (absolute);
}

static CliStatus
run_pictures (Batch *batch)
{
  CliStatus worst = CLI_OK;

  for (guint i = 0; i < batch->pictures->len && !cli_cancel; i++)
    {
      const char *path = batch->pictures->pdata[i];
      g_autofree char *key = make_key (path);
      g_autoptr(GError) error = NULL;
      guint n_boxes = 0;

      if (g_hash_table_contains (batch->done, key))
        continue;
      if (run_picture (batch, path, key, &n_boxes, &error))
        {
          g_hash_table_add (batch->done, g_steal_pointer (&key));
          batch->n_done++;
          report (batch, i, path, n_boxes, NULL);
          continue;
        }
      if (cli_status_of_error (error) == CLI_CANCELLED)
        break;
      batch->n_failed++;
      report (batch, i, path, 0, error);
      worst = MAX (worst, cli_status_of_error (error));
      if (worst >= CLI_DEVICE)
        break;
    }

  return cli_cancel ? CLI_CANCELLED : worst;
}

static CliStatus
finish (Batch     *batch,
        CliStatus  status)
{
  g_autoptr(GError) error = NULL;

  /* Also of a run that was cut off: what is there can be used. */
  if (!sl_box_export_finish (batch->export, &error))
    return cli_fail (&batch->options->output, MAX (status, CLI_INPUT), "%s", error->message);
  if (batch->options->output.json)
    cli_print_json (json_pack ("{s:i,s:i,s:i}", "done", (int) batch->n_done, "kept", (int) batch->n_kept, "failed",
                               (int) batch->n_failed));
  else
    fprintf (stderr, _("%zu done, %zu from an earlier run, %zu failed.\n"), batch->n_done, batch->n_kept, batch->n_failed);

  return status;
}

static gboolean
set_up (Batch          *batch,
        SlExportFormat  format,
        GError        **error)
{
  const Options *options = batch->options;
  g_autofree char *dir = cli_model_dir (options->engine.model, error);
  vl2_error cause = { 0 };
  g_autoptr(GError) export_error = NULL;

  if (dir == NULL || !list_pictures (batch, error))
    return FALSE;
  batch->model = g_path_get_basename (dir);
  batch->export = sl_box_export_new (format, options->out, FALSE, &export_error);
  if (batch->export == NULL)
    {
      cli_set_error (error, CLI_INPUT, "%s", export_error->message);
      return FALSE;
    }
  if (!open_journal (batch, format, error))
    return FALSE;
  batch->engine = cli_open_engine (&options->engine, NULL, error);
  if (batch->engine == NULL)
    return FALSE;
  if (vl2_session_open (batch->engine, &(struct vl2_session_options) { 0 }, &batch->session, &cause) != VL2_OK)
    {
      cli_set_vl2 (error, &cause);
      return FALSE;
    }

  return TRUE;
}

CliStatus
cli_batch (int    argc,
           char **argv)
{
  g_auto(Options) options = { .settings = { SL_MODE_FIND, CLI_UNSET, CLI_UNSET, CLI_UNSET, -1, DEFAULT_MAX_TOKENS, 0 } };
  g_auto(Batch) batch = { .options = &options };
  SlExportFormat format = SL_EXPORT_JSON;
  g_autoptr(GError) error = NULL;
  const char *complaint;
  CliStatus status;

  if (!parse (&options, argc, argv, &status))
    return status;
  complaint = check_usage (&options, &format);
  if (complaint != NULL)
    return cli_fail (&options.output, CLI_USAGE, "%s", complaint);
  if (!cli_check_utf8 (options.prompt, -1, _("The prompt"), &error))
    return cli_fail_error (&options.output, cli_status_of_error (error), error);
  options.settings.seed = options.seed;

  if (!set_up (&batch, format, &error))
    return cli_fail_error (&options.output, cli_status_of_error (error), error);

  return finish (&batch, run_pictures (&batch));
}
