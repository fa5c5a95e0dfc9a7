/* SPDX-License-Identifier: MIT
 *
 * `sightline-cli ask --batch`: JSON lines in, JSON lines out, one model load. A bad line is reported in its place and the
 * rest goes on; only a broken device, memory or a cancel ends the run.
 */
#include "app/cli/ask.h"

#include <errno.h>
#include <string.h>

#include <glib/gi18n.h>

#define LINE_LIMIT ((gsize) 16 * 1024 * 1024)

typedef struct
{
  const CliSource      *source;
  const CliAskSettings *defaults;
  char                 *folder; /* what relative paths start from */
  gboolean              raw;
} Batch;

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (CliAnswer, cli_answer_clear)

static gboolean
read_settings (json_t          *line,
               CliAskSettings  *settings,
               GError         **error)
{
  json_t *mode = json_object_get (line, "mode");
  json_t *seed = json_object_get (line, "seed");
  json_t *max_tokens = json_object_get (line, "max_tokens");

  if (mode != NULL && !sl_mode_from_nick (json_string_value (mode), &settings->mode))
    {
      cli_set_error (error, CLI_INPUT, "%s", _("“mode” has to be “chat”, “find” or “ground”."));
      return FALSE;
    }

  if (seed != NULL)
    {
      if (!json_is_integer (seed) || json_integer_value (seed) < 0)
        {
          cli_set_error (error, CLI_INPUT, "%s", _("“seed” has to be a whole number from 0."));
          return FALSE;
        }
      settings->seed = json_integer_value (seed);
    }

  if (max_tokens != NULL)
    {
      if (!json_is_integer (max_tokens) || json_integer_value (max_tokens) < 1 || json_integer_value (max_tokens) > G_MAXINT32)
        {
          cli_set_error (error, CLI_INPUT, "%s", _("“max_tokens” has to be a whole number from 1."));
          return FALSE;
        }
      settings->max_tokens = (int) json_integer_value (max_tokens);
    }

  return TRUE;
}

static char **
read_images (const Batch  *batch,
             json_t       *line,
             GError      **error)
{
  g_autoptr(GStrvBuilder) paths = g_strv_builder_new ();
  json_t *images = json_object_get (line, "images");
  json_t *image;
  gsize i;

  if (images != NULL && !json_is_array (images))
    {
      cli_set_error (error, CLI_INPUT, "%s", _("“images” has to be a list of file names."));
      return NULL;
    }

  json_array_foreach (images, i, image)
    {
      const char *path = json_string_value (image);
      g_autofree char *full = NULL;

      if (path == NULL || *path == '\0')
        {
          cli_set_error (error, CLI_INPUT, "%s", _("“images” has to be a list of file names."));
          return NULL;
        }
      full = g_path_is_absolute (path) ? g_strdup (path) : g_build_filename (batch->folder, path, NULL);
      g_strv_builder_add (paths, full);
    }

  return g_strv_builder_end (paths);
}

/* NULL with error where the line cannot be answered. */
static json_t *
answer_line (const Batch  *batch,
             json_t       *line,
             GError      **error)
{
  g_autoptr(CliConversation) conversation = cli_conversation_new ();
  g_auto(GStrv) images = NULL;
  g_auto(CliAnswer) answer = { 0 };
  CliAskSettings settings = *batch->defaults;
  const char *prompt = json_string_value (json_object_get (line, "prompt"));

  if (prompt == NULL)
    {
      cli_set_error (error, CLI_INPUT, "%s", _("“prompt” has to be a string."));
      return NULL;
    }

  images = read_images (batch, line, error);
  if (images == NULL || !read_settings (line, &settings, error) ||
      !cli_conversation_add_prompt (conversation, (const char *const *) images, prompt, settings.mode, batch->raw, error) ||
      !cli_answer (batch->source, conversation, &settings, FALSE, &answer, error))
    return NULL;

  return cli_answer_to_json (&answer, conversation, batch->source->load_ms);
}

/* What is longer than the limit is not kept. */
static json_t *
parse_line (const GString  *text,
            gsize           length,
            GError        **error)
{
  if (length == text->len)
    return cli_parse_line (text->str, text->len, error);
  cli_set_error (error, CLI_INPUT, _("The line has %zu bytes; the longest that is read has %zu."), length, LINE_LIMIT);
  return NULL;
}

static CliStatus
run_line (const Batch   *batch,
          const GString *text,
          gsize          length,
          gsize          index)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(json_t) line = parse_line (text, length, &error);
  json_t *result = line != NULL ? answer_line (batch, line, &error) : NULL;
  json_t *id = json_object_get (line, "id");
  CliStatus status = CLI_OK;
  CliStatus printed;

  if (result == NULL)
    {
      status = cli_status_of_error (error);
      result = cli_error_to_json (status, error->message);
    }

  json_object_set_new (result, "index", json_integer ((json_int_t) index));
  if (id != NULL)
    json_object_set (result, "id", id);
  printed = cli_print_json (result);

  /* Nobody reads on: as good as a cancel. */
  return printed != CLI_OK ? CLI_CANCELLED : status;
}

static gboolean
is_blank (const GString *text)
{
  return strspn (text->str, " \t\r") == text->len;
}

/* Its length without the end of line; of more than LINE_LIMIT bytes only the first are in text. FALSE: there is none. */
static gboolean
read_line (FILE    *in,
           GString *text,
           gsize   *length)
{
  int c;

  g_string_truncate (text, 0);
  *length = 0;
  while ((c = getc_unlocked (in)) != EOF && c != '\n')
    if ((*length)++ < LINE_LIMIT)
      g_string_append_c (text, (char) c);
  return c != EOF || (*length > 0 && !ferror (in));
}

static CliStatus
run_lines (const Batch     *batch,
           FILE            *in,
           const char      *path,
           const CliOutput *output)
{
  CliStatus worst = CLI_OK;
  g_autoptr(GString) text = g_string_new (NULL);
  gsize length, index = 0, n_failed = 0;

  while (!cli_cancel && read_line (in, text, &length))
    {
      CliStatus status;

      if (is_blank (text) && length == text->len)
        continue;

      status = run_line (batch, text, length, index++);
      worst = MAX (worst, status);
      n_failed += status != CLI_OK;
      if (status >= CLI_DEVICE)
        break;
    }

  if (ferror (in))
    {
      g_autofree char *reason = g_strdup (g_strerror (errno));
      g_autofree char *name = g_filename_display_name (path);

      cli_fail (output, CLI_INPUT, _("“%s” cannot be read: %s."), name, reason);
      worst = MAX (worst, CLI_INPUT);
    }
  if (n_failed > 0)
    cli_fail (NULL, worst, _("%zu of %zu lines could not be answered."), n_failed, index);

  return cli_cancel ? CLI_CANCELLED : worst;
}

CliStatus
cli_ask_batch (const CliSource       *source,
               const char            *path,
               const CliAskSettings  *defaults,
               gboolean               raw,
               const CliOutput       *output)
{
  gboolean from_stdin = strcmp (path, "-") == 0;
  g_autofree char *folder = from_stdin ? g_strdup (".") : g_path_get_dirname (path);
  Batch batch = { source, defaults, folder, raw };
  FILE *in = from_stdin ? stdin : fopen (path, "re");
  CliStatus status;

  if (in == NULL)
    {
      g_autofree char *name = g_filename_display_name (path);

      return cli_fail (output, CLI_INPUT, _("“%s” cannot be read: %s."), name, g_strerror (errno));
    }

  status = run_lines (&batch, in, path, output);
  if (!from_stdin)
    fclose (in);

  return status;
}
