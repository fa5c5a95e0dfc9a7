/* SPDX-License-Identifier: MIT
 *
 * `sightline-cli document`: pages of PDF files and pictures through a document model, one after the other, and what was read as
 * Markdown, HTML, text, JSON, hOCR, ALTO, a searchable PDF, COCO layout or CSV tables. What is done is kept in a journal beside the
 * results, so that a run that was cut off goes on at the page where it was; a page that fails is reported, and the rest goes on. Main
 * thread.
 */
#include "app/cli/document.h"

#include <errno.h>
#include <string.h>

#include <glib/gi18n.h>

#include "app/inference/sl-model-folder.h"

#define PROMPT_ROOM 4096 /* tokens of a page and its instruction, at most */

typedef struct
{
  CliOutput         output;
  CliEngineOptions  engine;
  char             *out;
  char             *format;
  char             *view;
  char             *task;
  char             *pages;
  char            **words;
  gboolean          together;
  gboolean          again;
  gboolean          force;
} Options;

typedef struct
{
  const Options     *options;
  CliReading         reading;
  guint              formats; /* 1 << SlPagesFormat */
  CliJournal        *journal;
  GPtrArray         *files;  /* CliFile */
  GHashTable        *done;   /* key → SlPage of an earlier run */
  guint              n_pages, n_read, n_kept, n_failed;
  gsize              tokens; /* of the pages that were read now */
  gint64             begun;
} Run;

static void
options_clear (Options *options)
{
  cli_engine_options_clear (&options->engine);
  g_free (options->out);
  g_free (options->format);
  g_free (options->view);
  g_free (options->task);
  g_free (options->pages);
  g_strfreev (options->words);
}

static void
run_clear (Run *run)
{
  g_clear_pointer (&run->journal, cli_journal_close);
  g_clear_pointer (&run->files, g_ptr_array_unref);
  g_clear_pointer (&run->done, g_hash_table_unref);
  g_clear_pointer (&run->reading.session, vl2_session_close);
  g_clear_pointer (&run->reading.engine, vl2_engine_close);
  sl_page_question_clear (&run->reading.question);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Options, options_clear)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Run, run_clear)

static gboolean
parse (Options    *options,
       Run        *run,
       int         argc,
       char      **argv,
       CliStatus  *status)
{
  const GOptionEntry entries[] = {
    CLI_ENGINE_ENTRIES (options->engine),
    { "out", 'o', 0, G_OPTION_ARG_FILENAME, &options->out, N_("The folder that is written"), N_("DIR") },
    { "format", 'f', 0, G_OPTION_ARG_FILENAME, &options->format,
      N_("md (default), html, txt, json, hocr, alto, pdf, coco, csv; several with commas"), N_("FORMAT") },
    { "pages", 0, 0, G_OPTION_ARG_FILENAME, &options->pages, N_("Pages of each file, as 1-20,25 (default: all)"), N_("PAGES") },
    { "view", 0, 0, G_OPTION_ARG_FILENAME, &options->view, N_("How finely: tiny, small, base, large or gundam (default)"), N_("VIEW") },
    { "task", 0, 0, G_OPTION_ARG_FILENAME, &options->task,
      N_("markdown (default), ocr, text, figure, describe or locate:WORDS"), N_("TASK") },
    { "prompt", 'p', 0, G_OPTION_ARG_FILENAME, &run->reading.question.prompt, N_("What stands behind the page instead of a task"), N_("PROMPT") },
    { "max-tokens", 0, 0, G_OPTION_ARG_INT, &run->reading.question.max_tokens, N_("Longest answer of a page (default: 8192)"), N_("N") },
    { "break-cycles", 0, 0, G_OPTION_ARG_NONE, &run->reading.question.break_cycles,
      N_("Where a page repeats itself, cut the block there and go on with the next"), NULL },
    { "together", 0, 0, G_OPTION_ARG_NONE, &options->together, N_("Read the pages of a file in one context (Unlimited-OCR)"), NULL },
    { "again", 0, 0, G_OPTION_ARG_NONE, &options->again, N_("Start anew instead of going on"), NULL },
    CLI_FORCE_ENTRY (options->force),
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options->words, NULL, NULL },
    { NULL },
  };

  return cli_parse (&argc, &argv, _("--out DIR [OPTION…] FILE…"),
                    _("Reads pages of PDF files and pictures with a document model (DeepSeek-OCR, Unlimited-OCR)."),
                    _("A run that was cut off goes on at the page where it was when it is started again with the same model, task and "
                      "view. A page that cannot be read is reported and the rest goes on.\n\n"
                      "pdf is the pages as they are, with words beneath them that can be searched and selected: a model tells the place "
                      "of a block, and its words are laid out inside of it.\n\n"
                      "Exit status: 0 ok, 2 wrong usage, 3 bad input (some pages failed) or model, 4 device or memory, 5 cancelled."),
                    entries, &options->output, status);
}

static gboolean
view_from_nick (const char *nick,
                SlDetail   *view)
{
  static const struct
  {
    const char *nick;
    SlDetail    view;
  } views[] = { { "gundam", SL_DETAIL_AUTO }, { "tiny", SL_DETAIL_TINY }, { "small", SL_DETAIL_SMALL },
                { "base", SL_DETAIL_BASE }, { "large", SL_DETAIL_LARGE } };

  for (guint i = 0; i < G_N_ELEMENTS (views); i++)
    if (g_str_equal (nick, views[i].nick))
      {
        *view = views[i].view;
        return TRUE;
      }
  return FALSE;
}

static const char *
check_usage (Run *run)
{
  const Options *options = run->options;
  g_autoptr(GArray) pages = sl_page_numbers_parse (options->pages, 1);

  if (options->out == NULL)
    return _("--out is missing (see “sightline-cli document --help”).");
  if (options->words == NULL)
    return _("There are no files (see “sightline-cli document --help”).");
  if (!cli_formats_from_text (options->format != NULL ? options->format : "md", &run->formats))
    return _("--format has to be md, html, txt, json, hocr, alto, pdf, coco or csv, or several of them with commas.");
  if (options->view != NULL && !view_from_nick (options->view, &run->reading.question.view))
    return _("--view has to be tiny, small, base, large or gundam.");
  if (options->task != NULL && !sl_page_question_take_task (&run->reading.question, options->task))
    return _("--task has to be markdown, ocr, text, figure, describe or locate:WORDS.");
  if (options->task != NULL && run->reading.question.prompt != NULL)
    return _("--task and --prompt exclude each other.");
  if (pages == NULL)
    return _("--pages has to be page numbers and ranges, as 1-20,25.");
  if (run->reading.question.max_tokens < 1)
    return _("--max-tokens has to be at least 1.");
  return NULL;
}

/* ------------------------------------------------------------------------------------------------ files */

/* The name without its ending; a second file of the name gets a number. */
static char *
make_name (const Run  *run,
           const char *path)
{
  g_autofree char *base = g_path_get_basename (path);
  char *dot = strrchr (base, '.');
  guint number = 1;

  if (dot != NULL && dot != base)
    *dot = '\0';
  for (;;)
    {
      g_autofree char *name = number > 1 ? g_strdup_printf ("%s-%u", base, number) : g_strdup (base);
      gboolean taken = FALSE;

      for (guint i = 0; i < run->files->len; i++)
        taken |= g_str_equal (((const CliFile *) run->files->pdata[i])->name, name);
      if (!taken)
        return g_steal_pointer (&name);
      number++;
    }
}

static CliFile *
open_file (Run         *run,
           const char  *word,
           GError     **error)
{
  CliFile *file = g_new0 (CliFile, 1);
  g_autofree char *data = NULL;
  gsize size;

  file->path = cli_dup_path (word);
  file->name = make_name (run, file->path);
  file->pages = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_page_free);
  if (g_file_get_contents (file->path, &data, &size, error))
    file->sha256 = g_compute_checksum_for_data (G_CHECKSUM_SHA256, (const guchar *) data, size);
  if (file->sha256 != NULL)
    file->source = sl_page_source_open (file->path, cli_cancellable, error);
  if (file->source == NULL)
    {
      cli_file_free (file);
      return NULL;
    }
  sl_outputs_add_input (cli_outputs, file->path);
  return file;
}

/* What cannot be opened is reported; the others are read. */
static CliStatus
open_files (Run *run)
{
  CliStatus worst = CLI_OK;

  run->files = g_ptr_array_new_with_free_func ((GDestroyNotify) cli_file_free);
  for (char **word = run->options->words; *word != NULL; word++)
    {
      g_autoptr(GError) error = NULL;
      CliFile *file = open_file (run, *word, &error);

      if (file != NULL)
        {
          g_ptr_array_add (run->files, file);
          continue;
        }
      fprintf (stderr, "sightline-cli: %s\n", error->message);
      worst = MAX (worst, cli_status_of_error (error));
      run->n_failed++;
    }
  return worst;
}

static gboolean
open_model (Run     *run,
            GError **error)
{
  const struct vl2_info *info;
  vl2_error cause = { 0 };
  int32_t context;

  run->reading.engine = cli_open_engine (&run->options->engine, NULL, error);
  if (run->reading.engine == NULL)
    return FALSE;
  info = vl2_engine_info (run->reading.engine);
  if (!info->document)
    {
      cli_set_error (error, CLI_INPUT, _("The model in “%s” does not read documents; DeepSeek-OCR and Unlimited-OCR do."), info->dir);
      return FALSE;
    }
  if (!sl_page_task_is_known (run->reading.question.task, info->family))
    {
      cli_set_error (error, CLI_USAGE, "%s", _("Unlimited-OCR knows the task markdown alone; --prompt asks for something else."));
      return FALSE;
    }
  if (run->options->together && !sl_page_question_takes_several (info->family))
    {
      cli_set_error (error, CLI_USAGE, "%s", _("--together is for Unlimited-OCR."));
      return FALSE;
    }
  if (run->options->together && run->options->view == NULL)
    run->reading.question.view = SL_DETAIL_BASE;
  context = run->options->together ? info->context
                                    : (int32_t) MIN ((gint64) info->context, (gint64) PROMPT_ROOM + run->reading.question.max_tokens);
  if (vl2_session_open (run->reading.engine, &(struct vl2_session_options) { .context = context }, &run->reading.session, &cause) != VL2_OK)
    {
      cli_set_vl2 (error, &cause);
      return FALSE;
    }
  return TRUE;
}

/* ------------------------------------------------------------------------------------------------ journal */

/* The same page of the same bytes is one piece of work. */
static char *
make_key (const CliFile *file,
          int            page)
{
  return g_strdup_printf ("%s %d", file->sha256, page);
}

static gboolean
open_journal (Run     *run,
              GError **error)
{
  const Options *options = run->options;
  const SlPageQuestion *question = &run->reading.question;
  g_autofree char *dir = cli_model_dir (options->engine.model, error);
  g_autofree char *name = dir != NULL ? sl_model_folder_dup_name (dir) : NULL;
  g_autofree char *model = name != NULL ? g_filename_display_name (name) : NULL;
  g_autoptr(json_t) head = NULL;
  char identity[48];
  GPtrArray *lines;

  if (dir == NULL)
    return FALSE;
  vl2_engine_identity (run->reading.engine, identity);
  head = json_pack ("{s:s, s:i, s:s, s:s, s:i, s:s, s:i, s:s, s:i, s:b, s:s}", "format", "sightline-batch", "version", 2, "model", model,
                    "model_identity", identity, "task", (int) question->task, "locate", question->locate != NULL ? question->locate : "",
                    "view", (int) question->view, "prompt", question->prompt != NULL ? question->prompt : "", "max_tokens",
                    question->max_tokens, "break_cycles", question->break_cycles, "work", "document");
  if (options->together)
    json_object_set_new (head, "together", json_true ());
  if (g_mkdir_with_parents (options->out, 0777) != 0)
    {
      sl_output_set_error (error, options->out, errno);
      return FALSE;
    }
  sl_outputs_set_replace (cli_outputs, options->force);
  run->journal = cli_journal_open (options->out, head, options->again, cli_outputs, error);
  if (run->journal == NULL)
    return FALSE;
  run->done = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) sl_page_free);
  lines = cli_journal_get_done (run->journal);
  for (guint i = 0; i < lines->len; i++)
    {
      SlPage *page = sl_page_from_json (lines->pdata[i]);

      if (page != NULL)
        g_hash_table_insert (run->done, g_strdup (json_string_value (json_object_get (lines->pdata[i], "key"))), page);
    }
  return TRUE;
}

/* ------------------------------------------------------------------------------------------------ pages */

static guint
count_pages (const Run *run)
{
  guint n = 0;

  for (guint i = 0; i < run->files->len; i++)
    {
      const CliFile *file = run->files->pdata[i];
      g_autoptr(GArray) pages = sl_page_numbers_parse (run->options->pages, sl_page_source_get_n_pages (file->source));

      n += pages->len;
    }
  return n;
}

/* How far it is, how fast it goes, and how long the rest will take. */
static void
report (const Run     *run,
        const CliFile *file,
        int            number,
        const SlPage  *page,
        gsize          tokens,
        const GError  *error)
{
  g_autofree char *name = g_filename_display_basename (file->path);
  guint done = run->n_read + run->n_kept + run->n_failed;
  double seconds = (g_get_monotonic_time () - run->begun) / 1e6;
  double left = run->n_read > 0 ? seconds / run->n_read * (run->n_pages - MIN (done, run->n_pages)) : 0;

  if (run->options->output.json)
    {
      cli_print_json (error != NULL ? json_pack ("{s:s, s:i, s:s}", "file", name, "page", number + 1, "error", error->message)
                                    : json_pack ("{s:s, s:i, s:i, s:I, s:s}", "file", name, "page", number + 1, "blocks",
                                                 (int) page->blocks->len, "tokens", (json_int_t) tokens, "stop", page->stop));
      return;
    }
  fprintf (stderr, "[%u/%u] ", done, run->n_pages);
  if (error != NULL)
    /* Translators: a file, a page's number, why it failed */
    fprintf (stderr, _("%s, page %d: %s\n"), name, number + 1, error->message);
  else
    /* Translators: a file, a page's number, how many blocks it has, tokens per second, seconds */
    fprintf (stderr, ngettext ("%s, page %d: %u block; %.1f tokens/s, about %.0f s left\n",
                               "%s, page %d: %u blocks; %.1f tokens/s, about %.0f s left\n", page->blocks->len),
             name, number + 1, page->blocks->len, run->tokens / MAX (seconds, 1e-3), left);
}

/* What came of a page. FALSE: the run ends here. */
static gboolean
take_page (Run       *run,
           CliFile   *file,
           int        number,
           SlPage    *page,
           gsize      tokens,
           GError    *cause,
           CliStatus *worst)
{
  g_autofree char *key = make_key (file, number + 1);
  g_autoptr(SlPage) owned = page;
  g_autoptr(GError) error = cause;

  if (owned != NULL)
    {
      json_t *line = sl_page_to_json (owned);

      json_object_set_new (line, "key", json_string (key));
      if (!cli_journal_add (run->journal, line, &error))
        g_clear_pointer (&owned, sl_page_free);
    }
  if (owned == NULL && cli_status_of_error (error) == CLI_CANCELLED)
    return FALSE;
  *(owned != NULL ? &run->n_read : &run->n_failed) += 1;
  report (run, file, number, owned, tokens, error);
  if (owned != NULL)
    {
      g_hash_table_insert (run->done, g_steal_pointer (&key), sl_page_copy (owned));
      g_ptr_array_add (file->pages, g_steal_pointer (&owned));
    }
  else
    *worst = MAX (*worst, cli_status_of_error (error));
  return *worst < CLI_DEVICE;
}

/* All of the pages are of an earlier run. */
static gboolean
take_known (Run       *run,
            CliFile   *file,
            const int *numbers,
            guint      n)
{
  for (guint i = 0; i < n; i++)
    {
      g_autofree char *key = make_key (file, numbers[i] + 1);

      if (!g_hash_table_contains (run->done, key))
        return FALSE;
    }
  for (guint i = 0; i < n; i++)
    {
      g_autofree char *key = make_key (file, numbers[i] + 1);

      g_ptr_array_add (file->pages, sl_page_copy (g_hash_table_lookup (run->done, key)));
      run->n_kept++;
    }
  return TRUE;
}

/* Pages in one context. FALSE: the run ends here. */
static gboolean
run_pages (Run       *run,
           CliFile   *file,
           const int *numbers,
           guint      n,
           CliStatus *worst)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) pages = NULL;
  gsize tokens = 0;
  gboolean go_on = TRUE;

  if (take_known (run, file, numbers, n))
    return TRUE;
  pages = cli_read_pages (&run->reading, file, numbers, n, &tokens, &error);
  run->tokens += tokens;
  for (guint i = 0; i < n && go_on; i++)
    {
      SlPage *page = pages != NULL ? g_steal_pointer (&pages->pdata[i]) : NULL;
      GError *cause = error != NULL ? g_error_copy (error) : NULL;

      if (page == NULL && cause == NULL)
        cli_set_error (&cause, CLI_INPUT, "%s", _("The answer ended before this page."));
      go_on = take_page (run, file, numbers[i], page, tokens, cause, worst);
    }
  return go_on;
}

static CliStatus
run_files (Run       *run,
           CliStatus  worst)
{
  run->n_pages = count_pages (run) + run->n_failed;
  run->begun = g_get_monotonic_time ();
  for (guint i = 0; i < run->files->len; i++)
    {
      CliFile *file = run->files->pdata[i];
      g_autoptr(GArray) pages = sl_page_numbers_parse (run->options->pages, sl_page_source_get_n_pages (file->source));

      guint step = run->options->together ? MAX (pages->len, 1) : 1;

      for (guint k = 0; k < pages->len; k += step)
        if (cli_cancel || !run_pages (run, file, &g_array_index (pages, int, k), step, &worst))
          return cli_cancel ? CLI_CANCELLED : worst;
    }
  return worst;
}

/* Also of a run that was cut off: what is there can be used. */
static CliStatus
finish (Run       *run,
        CliStatus  status)
{
  for (guint i = 0; i < run->files->len; i++)
    {
      g_autoptr(GError) error = NULL;

      if (cli_write_file (run->files->pdata[i], run->options->out, run->formats, &error))
        continue;
      if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_EXISTS))
        return cli_fail (&run->options->output, MAX (status, CLI_INPUT), _("%s It is replaced with --force."), error->message);
      return cli_fail (&run->options->output, MAX (status, CLI_INPUT), "%s", error->message);
    }
  if (status == CLI_OK && run->options->again)
    cli_journal_drop_old (run->journal);
  if (run->options->output.json)
    cli_print_json (json_pack ("{s:i, s:i, s:i}", "read", (int) run->n_read, "kept", (int) run->n_kept, "failed", (int) run->n_failed));
  else
    fprintf (stderr, _("%u pages read, %u from an earlier run, %u failed.\n"), run->n_read, run->n_kept, run->n_failed);
  return status;
}

CliStatus
cli_document (int    argc,
              char **argv)
{
  g_auto(Options) options = { 0 };
  g_auto(Run) run = { .options = &options, .reading = { .question = { .max_tokens = SL_PAGE_MAX_TOKENS } } };
  g_autoptr(GError) error = NULL;
  const char *complaint;
  CliStatus status;

  if (!parse (&options, &run, argc, argv, &status))
    return status;
  complaint = check_usage (&run);
  if (complaint != NULL)
    return cli_fail (&options.output, CLI_USAGE, "%s", complaint);
  if ((run.reading.question.prompt != NULL && !cli_check_utf8 (run.reading.question.prompt, -1, _("The prompt"), &error)) ||
      (run.reading.question.locate != NULL && !cli_check_utf8 (run.reading.question.locate, -1, _("What is to be located"), &error)))
    return cli_fail_error (&options.output, cli_status_of_error (error), error);
  status = open_files (&run);
  if (run.files->len == 0)
    return cli_fail (&options.output, status, "%s", _("None of the files can be read."));
  if (!open_model (&run, &error) || !open_journal (&run, &error))
    return cli_fail_error (&options.output, cli_status_of_error (error), error);
  return finish (&run, run_files (&run, status));
}
