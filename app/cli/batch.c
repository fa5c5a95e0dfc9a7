/* SPDX-License-Identifier: MIT
 *
 * `sightline-cli batch`: one prompt over many pictures, the boxes as an export. What is done is kept in a journal beside the
 * export, so that a run that was cut off goes on where it was; a picture that cannot be read is reported and skipped.
 * Main thread.
 */
#include "app/cli/batch-crew.h"
#include "app/cli/batch-journal.h"
#include "app/cli/batch-options.h"
#include "app/cli/batch-record.h"

#include <string.h>

#include <glib/gi18n.h>

#include "app/exports/sl-box-export.h"
#include "app/pictures/sl-picture-folder.h"

#define DEFAULT_MAX_TOKENS 1024
#define PROGRESS_US (10 * G_USEC_PER_SEC)

typedef struct
{
  const CliBatchOptions  *options;
  CliSource       source;
  SlBoxExport    *export;
  CliJournal     *journal;
  GHashTable     *done; /* keys of pictures, a set; also those on their way */
  GPtrArray      *pictures; /* char *, paths */
  char           *model;
  char           *classes; /* the list's text, or NULL */
  gsize           classes_length;
  char           *classes_sha256;
  gsize           n_folders, n_others; /* left out of the folders that were given */
  gsize           n_done, n_failed, n_kept;
  guint           n_running;
  CliStatus       worst;
  gint64          start, shown; /* monotonic µs */
} Batch;

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (CliAnswer, cli_answer_clear)

static void
batch_clear (Batch *batch)
{
  g_clear_pointer (&batch->journal, cli_journal_close);
  cli_source_close (&batch->source);
  g_clear_pointer (&batch->export, sl_box_export_free);
  g_clear_pointer (&batch->done, g_hash_table_unref);
  g_clear_pointer (&batch->pictures, g_ptr_array_unref);
  g_free (batch->model);
  g_free (batch->classes);
  g_free (batch->classes_sha256);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (CliBatchOptions, cli_batch_options_clear)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Batch, batch_clear)

/* ------------------------------------------------------------------------------------------------ pictures */

static gboolean
add_folder (Batch       *batch,
            const char  *path,
            GError     **error)
{
  SlPictureFolderRest rest = { 0 };
  g_autoptr(GError) cause = NULL;
  g_autoptr(GPtrArray) found = sl_picture_folder_find (path, batch->options->recursive, batch->options->out, &rest, NULL, &cause);

  if (found == NULL)
    {
      cli_set_error (error, CLI_INPUT, "%s", cause->message);
      return FALSE;
    }
  batch->n_folders += rest.n_folders;
  batch->n_others += rest.n_others;
  g_ptr_array_extend_and_steal (batch->pictures, g_steal_pointer (&found));

  return TRUE;
}

static gboolean
list_pictures (Batch   *batch,
               GError **error)
{
  batch->pictures = g_ptr_array_new_with_free_func (g_free);
  for (char **word = batch->options->words; *word != NULL; word++)
    {
      g_autofree char *path = cli_dup_path (*word);

      if (!g_file_test (path, G_FILE_TEST_IS_DIR))
        g_ptr_array_add (batch->pictures, g_steal_pointer (&path));
      else if (!add_folder (batch, path, error))
        return FALSE;
    }

  return TRUE;
}

/* An export into the folder of its pictures: what an earlier run put there is none of them. */
static void
drop_own_pictures (Batch *batch)
{
  for (guint i = batch->pictures->len; i > 0; i--)
    if (cli_journal_is_own (batch->journal, batch->pictures->pdata[i - 1]))
      g_ptr_array_remove_index (batch->pictures, i - 1);
  for (guint i = 0; i < batch->pictures->len; i++)
    sl_outputs_add_input (cli_outputs, batch->pictures->pdata[i]);
}

static void
say_what_is_left_out (const Batch *batch)
{
  if (batch->n_folders > 0)
    fprintf (stderr, ngettext ("%zu sub folder was left out; --recursive takes it.\n",
                               "%zu sub folders were left out; --recursive takes them.\n", batch->n_folders), batch->n_folders);
  if (batch->n_others > 0)
    fprintf (stderr, ngettext ("%zu file was left out: its name is not a picture's.\n",
                               "%zu files were left out: their names are not pictures'.\n", batch->n_others), batch->n_others);
}

/* ------------------------------------------------------------------------------------------------ journal */

/* What makes two runs the same work. */
static json_t *
head_to_json (const Batch    *batch,
              SlExportFormat  format)
{
  const CliBatchOptions *options = batch->options;
  SlSampling sampling = sl_mode_get_sampling (options->settings.mode);
  g_autofree char *identity = cli_source_dup_identity (&batch->source);

  return json_pack ("{s:o*,s:s*,s:s,s:i,s:s,s:s,s:b,s:s,s:s,s:s,s:I,s:i,s:f,s:[f,f,i,f]}", "on_white",
                    cli_on_white ? json_true () : NULL, "classes_sha256", batch->classes_sha256, "format", "sightline-batch",
                    "version", 2, "prompt", options->prompt, "mode", sl_mode_get_nick (options->settings.mode), "raw", options->raw,
                    "model", batch->model, "model_identity", identity, "export", sl_export_format_get_nick (format), "seed",
                    (json_int_t) options->seed, "max_tokens", options->settings.max_tokens, "min_overlap",
                    options->min_overlap, "sampling",
                    sampling.temperature, sampling.top_p, (int) sampling.top_k, sampling.repetition_penalty);
}

static char *
hash_picture (const char *path)
{
  g_autofree char *data = NULL;
  gsize size;

  if (!g_file_get_contents (path, &data, &size, NULL))
    return NULL;

  return g_compute_checksum_for_data (G_CHECKSUM_SHA256, (const guchar *) data, size);
}

/* What earlier runs did is done, but not of a picture that is another one by now. */
static void
add_finished (Batch *batch)
{
  GPtrArray *lines = cli_journal_get_done (batch->journal);

  for (guint i = 0; i < lines->len; i++)
    {
      const char *key = json_string_value (json_object_get (lines->pdata[i], "key"));
      g_autofree char *file = g_filename_from_utf8 (key, -1, NULL, NULL, NULL);
      g_autofree char *sha256 = file != NULL ? hash_picture (file) : NULL;
      g_autoptr(SlExportPicture) record = cli_record_from_json (lines->pdata[i]);

      if (record == NULL || (sha256 != NULL && !g_str_equal (sha256, record->sha256)))
        continue;
      record->prompt = g_strdup (batch->options->prompt);
      record->model = g_strdup (batch->model);
      sl_box_export_add (batch->export, g_steal_pointer (&record), NULL, NULL);
      g_hash_table_add (batch->done, g_strdup (key));
      batch->n_kept++;
    }
}

/* ------------------------------------------------------------------------------------------------ asking */

static SlExportPicture *
make_record (const Batch *batch,
             SlPicture   *picture,
             const char  *key)
{
  SlExportPicture *record = sl_export_picture_new (picture);
  GBytes *source = sl_picture_get_source (picture);

  /* Of the file that was given, also where the picture lies on white. */
  if (source != NULL)
    {
      g_free (record->sha256);
      record->sha256 = g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, source);
    }
  record->path = g_strdup (key);
  record->model = g_strdup (batch->model);
  record->prompt = g_strdup (batch->options->prompt);

  return record;
}

/* A disk that is full or read-only will be so for the next picture too; a name or a file that is in the way is this one's. */
static gboolean
fail_export (const GError  *cause,
             GError       **error)
{
  static const int lasting[] = { G_IO_ERROR_NO_SPACE, G_IO_ERROR_READ_ONLY, G_IO_ERROR_PERMISSION_DENIED, G_IO_ERROR_FAILED };
  CliStatus status = CLI_INPUT;

  for (guint i = 0; i < G_N_ELEMENTS (lasting); i++)
    if (g_error_matches (cause, G_IO_ERROR, lasting[i]))
      status = CLI_DEVICE;
  if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_EXISTS))
    cli_set_error (error, status, _("%s It is replaced with --force."), cause->message);
  else
    cli_set_error (error, status, "%s", cause->message);

  return FALSE;
}

/* The question about a picture, with the names of its files claimed; NULL with error. */
static CliWork *
prepare (Batch       *batch,
         guint        index,
         const char  *key,
         GError     **error)
{
  g_autoptr(CliWork) work = g_new0 (CliWork, 1);
  const char *const paths[] = { batch->pictures->pdata[index], NULL };
  g_autoptr(GError) cause = NULL;
  SlPicture *picture;

  work->index = index;
  work->path = paths[0];
  work->key = g_strdup (key);
  work->conversation = cli_conversation_new ();
  if (!cli_conversation_add_prompt (work->conversation, paths, batch->options->prompt, batch->options->settings.mode,
                                    batch->options->raw, error))
    return NULL;
  picture = cli_conversation_get_picture (work->conversation, 0);
  work->record = make_record (batch, picture, key);
  if (!sl_box_export_claim (batch->export, work->record, picture, &cause))
    {
      fail_export (cause, error);
      return NULL;
    }

  return g_steal_pointer (&work);
}

/* The answer into export and journal. */
static gboolean
keep (Batch    *batch,
      CliWork  *work,
      guint    *n_boxes,
      GError  **error)
{
  SlExportPicture *added = work->record;
  g_autoptr(GError) cause = NULL;

  if (work->error != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&work->error));
      return FALSE;
    }
  cli_record_fill (added, &work->answer, batch->options->min_overlap);
  *n_boxes = added->boxes->len;
  if (!sl_box_export_add (batch->export, g_steal_pointer (&work->record), cli_conversation_get_picture (work->conversation, 0), &cause))
    return fail_export (cause, error);

  return cli_journal_add (batch->journal, cli_record_to_json (added, work->key), error);
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

/* Every ten seconds: how fast it goes, and how long it will take. */
static void
show_rate (Batch *batch)
{
  gint64 now = g_get_monotonic_time ();
  gsize n_now = batch->n_done + batch->n_failed, left = batch->pictures->len - MIN (batch->pictures->len, n_now + batch->n_kept);
  double rate = (double) n_now / ((double) MAX (now - batch->start, 1) / G_USEC_PER_SEC);
  gsize seconds = rate > 0 ? (gsize) ((double) left / rate) : 0;

  if (batch->options->output.json || now - batch->shown < PROGRESS_US)
    return;
  batch->shown = now;
  fprintf (stderr, _("%zu left, %.1f a minute, %zu:%02zu:%02zu to go.\n"), left, rate * 60, seconds / 3600, seconds / 60 % 60, seconds % 60);
}

static void
fail (Batch        *batch,
      guint         index,
      const GError *error)
{
  CliStatus status = cli_status_of_error (error);

  if (status == CLI_CANCELLED)
    return;
  batch->n_failed++;
  report (batch, index, batch->pictures->pdata[index], 0, error);
  batch->worst = MAX (batch->worst, status);
}

static void
take_answer (Batch   *batch,
             CliCrew *crew)
{
  g_autoptr(CliWork) work = cli_crew_pop (crew);
  g_autoptr(GError) error = NULL;
  guint n_boxes = 0;

  batch->n_running--;
  if (keep (batch, work, &n_boxes, &error))
    {
      batch->n_done++;
      report (batch, work->index, work->path, n_boxes, NULL);
    }
  else
    {
      g_hash_table_remove (batch->done, work->key); /* the same file may be given once more */
      fail (batch, work->index, error);
    }
  show_rate (batch);
}

static CliStatus
run_pictures (Batch *batch)
{
  guint n_jobs = batch->source.server != NULL ? (guint) batch->options->jobs : 1;
  g_autoptr(CliCrew) crew = cli_crew_new (&batch->source, &batch->options->settings, n_jobs);

  batch->start = batch->shown = g_get_monotonic_time ();
  for (guint i = 0; i < batch->pictures->len && !cli_cancel && batch->worst < CLI_DEVICE; i++)
    {
      g_autofree char *key = make_key (batch->pictures->pdata[i]);
      g_autoptr(GError) error = NULL;
      CliWork *work;

      if (g_hash_table_contains (batch->done, key))
        continue;
      work = prepare (batch, i, key, &error);
      if (work == NULL)
        {
          fail (batch, i, error);
          continue;
        }
      g_hash_table_add (batch->done, g_steal_pointer (&key));
      batch->n_running++;
      cli_crew_push (crew, work);
      if (batch->n_running == n_jobs)
        take_answer (batch, crew);
    }
  while (batch->n_running > 0)
    take_answer (batch, crew);

  return cli_cancel ? CLI_CANCELLED : batch->worst;
}

static CliStatus
finish (Batch     *batch,
        CliStatus  status)
{
  g_autofree char *notes = NULL;
  g_autoptr(GError) error = NULL;

  /* Also of a run that was cut off: what is there can be used. */
  if (!sl_box_export_finish (batch->export, &error))
    return cli_fail (&batch->options->output, MAX (status, CLI_INPUT), "%s", error->message);
  if (status == CLI_OK && batch->options->again)
    cli_journal_drop_old (batch->journal);
  say_what_is_left_out (batch);
  notes = sl_box_export_dup_notes (batch->export);
  if (notes != NULL)
    fprintf (stderr, "%s\n", notes);
  if (batch->options->output.json)
    cli_print_json (json_pack ("{s:i,s:i,s:i}", "done", (int) batch->n_done, "kept", (int) batch->n_kept, "failed",
                               (int) batch->n_failed));
  else
    fprintf (stderr, _("%zu done, %zu from an earlier run, %zu failed.\n"), batch->n_done, batch->n_kept, batch->n_failed);

  return status;
}

static gboolean
read_classes (Batch   *batch,
              GError **error)
{
  const char *path = batch->options->classes;

  if (path == NULL)
    return TRUE;
  sl_outputs_add_input (cli_outputs, path);
  if (!g_file_get_contents (path, &batch->classes, &batch->classes_length, error))
    return FALSE;
  batch->classes_sha256 = g_compute_checksum_for_data (G_CHECKSUM_SHA256, (const guchar *) batch->classes, batch->classes_length);

  return TRUE;
}

static gboolean
set_up (Batch   *batch,
        GError **error)
{
  const CliBatchOptions *options = batch->options;

  /* A folder that is no model is complained of before pictures are looked for. */
  if (options->endpoint.endpoint == NULL)
    {
      g_autofree char *dir = cli_model_dir (options->engine.model, error);

      if (dir == NULL)
        return FALSE;
    }
  if (!read_classes (batch, error) || !list_pictures (batch, error))
    return FALSE;
  batch->done = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  if (!cli_source_open (&batch->source, &options->engine, &options->endpoint, NULL, error))
    return FALSE;
  batch->model = cli_source_dup_model (&batch->source);

  return TRUE;
}

static gboolean
use_classes (Batch   *batch,
             GError **error)
{
  return batch->classes == NULL ||
         sl_box_export_set_classes (batch->export, batch->classes, batch->classes_length, batch->options->classes, error);
}

static gboolean
set_up_export (Batch          *batch,
               SlExportFormat  format,
               GError        **error)
{
  const CliBatchOptions *options = batch->options;
  g_autoptr(json_t) head = head_to_json (batch, format);
  g_autoptr(GError) cause = NULL;

  sl_outputs_set_replace (cli_outputs, options->force);
  batch->export = sl_box_export_new (format, options->out, FALSE, cli_outputs, &cause);
  if (batch->export != NULL && use_classes (batch, &cause))
    batch->journal = cli_journal_open (options->out, head, options->again, cli_outputs, &cause);
  if (batch->journal == NULL)
    {
      g_propagate_error (error, g_steal_pointer (&cause));
      return FALSE;
    }
  drop_own_pictures (batch);
  sl_box_export_sweep (batch->export);
  if (!sl_box_export_check (batch->export, &cause))
    return fail_export (cause, error);
  add_finished (batch);

  return TRUE;
}

CliStatus
cli_batch (int    argc,
           char **argv)
{
  g_auto(CliBatchOptions) options = { .settings = { SL_MODE_FIND, CLI_UNSET, CLI_UNSET, CLI_UNSET, -1, DEFAULT_MAX_TOKENS,
                                                    .constrain = TRUE, .patient = TRUE },
                                      .jobs = 4 };
  g_auto(Batch) batch = { .options = &options };
  SlExportFormat format = SL_EXPORT_JSON;
  g_autoptr(GError) error = NULL;
  const char *complaint;
  CliStatus status;

  if (!cli_batch_options_parse (&options, argc, argv, &status))
    return status;
  complaint = cli_batch_options_check (&options, &format);
  if (complaint != NULL)
    return cli_fail (&options.output, CLI_USAGE, "%s", complaint);
  if (!cli_check_utf8 (options.prompt, -1, _("The prompt"), &error))
    return cli_fail_error (&options.output, cli_status_of_error (error), error);
  options.settings.seed = options.seed;

  if (!set_up (&batch, &error) || !set_up_export (&batch, format, &error))
    return cli_fail_error (&options.output, cli_status_of_error (error), error);

  return finish (&batch, run_pictures (&batch));
}
