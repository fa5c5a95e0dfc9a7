/* SPDX-License-Identifier: MIT
 *
 * `sightline-cli detokenize`: ids from arguments or the standard input → text, special tokens as their names.
 */
#include "app/cli/cli.h"

#include <string.h>

#include <glib/gi18n.h>

typedef struct
{
  CliOutput   output;
  char       *model;
  char      **words;
} Options;

static void
options_clear (Options *options)
{
  g_free (options->model);
  g_strfreev (options->words);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Options, options_clear)

/* Numbers separated by white space or commas, brackets around them allowed: what tokenize prints, JSON list included. */
static gboolean
append_ids (GArray      *ids,
            const char  *text,
            GError     **error)
{
  static const char separators[] = " \t\r\n,[]";

  for (text += strspn (text, separators); *text != '\0'; text += strspn (text, separators))
    {
      gsize length = strcspn (text, separators);
      g_autofree char *word = g_strndup (text, length);
      g_autofree char *shown = NULL;
      gint64 id;

      if (!g_ascii_string_to_signed (word, 10, 0, G_MAXINT32, &id, NULL))
        {
          shown = g_utf8_make_valid (word, -1);
          cli_set_error (error, CLI_USAGE, _("“%s” is not a token id."), shown);
          return FALSE;
        }

      g_array_append_vals (ids, &(int32_t) { (int32_t) id }, 1);
      text += length;
    }

  return TRUE;
}

static gboolean
check_range (GArray               *ids,
             const vl2_tokenizer  *tokenizer,
             GError              **error)
{
  for (guint i = 0; i < ids->len; i++)
    {
      int32_t id = g_array_index (ids, int32_t, i);

      if (id >= vl2_tokenizer_size (tokenizer))
        {
          cli_set_error (error, CLI_INPUT, _("There is no token %d; the last one is %d."), id, vl2_tokenizer_size (tokenizer) - 1);
          return FALSE;
        }
    }

  return TRUE;
}

static gboolean
read_ids (const Options  *options,
          GArray         *ids,
          GError        **error)
{
  g_autofree char *text = NULL;
  gsize length;

  for (char **word = options->words; word != NULL && *word != NULL; word++)
    {
      if (!append_ids (ids, *word, error))
        return FALSE;
    }
  if (options->words != NULL)
    return TRUE;

  text = cli_read_stdin (&length, error);

  return text != NULL && append_ids (ids, text, error);
}

static CliStatus
run (const Options *options)
{
  g_autoptr(GArray) ids = g_array_new (FALSE, FALSE, sizeof (int32_t));
  g_autoptr(GError) error = NULL;
  g_autoptr(vl2_tokenizer) tokenizer = NULL;
  g_autofree char *dir = cli_model_dir (options->model, &error);
  vl2_error cause = { 0 };
  char *text = NULL;
  size_t length = 0;
  CliStatus status;

  if (dir == NULL || !read_ids (options, ids, &error))
    return cli_fail_error (&options->output, cli_status_of_error (error), error);

  if (vl2_tokenizer_open (dir, &tokenizer, &cause) != VL2_OK)
    {
      cli_set_model_error (&error, dir, "tokenizer", &cause);
      return cli_fail_error (&options->output, cli_status_of_error (error), error);
    }

  if (!check_range (ids, tokenizer, &error))
    return cli_fail_error (&options->output, cli_status_of_error (error), error);

  if (vl2_tokenizer_decode (tokenizer, (const int32_t *) ids->data, ids->len, &text, &length, &cause) != VL2_OK)
    return cli_fail_vl2 (&options->output, &cause);

  if (options->output.json)
    {
      g_autofree char *valid = g_utf8_make_valid (text, length);

      status = cli_print_json (json_pack ("{s:s}", "text", valid));
    }
  else
    {
      fwrite (text, 1, length, stdout);
      status = cli_finish_stdout (&options->output);
    }
  vl2_free (text);

  return status;
}

CliStatus
cli_detokenize (int    argc,
                char **argv)
{
  g_auto(Options) options = { 0 };
  CliStatus status;
  const GOptionEntry entries[] = {
    { "model", 'm', 0, G_OPTION_ARG_FILENAME, &options.model, N_("Checkpoint folder (default: the bundled demo model)"), N_("DIR") },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.words, NULL, NULL },
    { NULL },
  };

  if (!cli_parse (&argc, &argv, _("[OPTION…] [ID…]"), _("Prints the text of token ids, from the standard input if none are given."),
                  _("With --json: {\"text\": \"…\"}. Without, nothing is added, no line break either."), entries, &options.output,
                  &status))
    return status;

  return run (&options);
}
