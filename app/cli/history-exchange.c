/* SPDX-License-Identifier: MIT
 *
 * `sightline-cli history export --format …` and `history import`: conversations to files and back. Main thread.
 */
#include "app/cli/history.h"

#include <inttypes.h>
#include <string.h>

#include <glib/gi18n.h>

#include "app/exchange/sl-import.h"
#include "app/store/sl-store-error.h"

static json_t *
strings_to_json (GPtrArray *strings)
{
  json_t *array = json_array ();

  for (guint i = 0; i < strings->len; i++)
    json_array_append_new (array, json_string (g_ptr_array_index (strings, i)));

  return array;
}

static CliStatus
finish (GPtrArray *faults,
        CliStatus  printed)
{
  for (guint i = 0; i < faults->len; i++)
    fprintf (stderr, "sightline-cli: %s\n", (const char *) g_ptr_array_index (faults, i));

  return faults->len > 0 && printed == CLI_OK ? CLI_INPUT : printed;
}

/* ------------------------------------------------------------------------------------------------ export */

CliStatus
history_export (const HistoryOptions *options,
                SlDatabase           *database,
                const char           *dir,
                SlExchangeFormat      format,
                GArray               *ids)
{
  g_autoptr(GPtrArray) faults = g_ptr_array_new_with_free_func (g_free);
  g_autoptr(GError) error = NULL;
  SlExport job = { .database = database, .dir = dir, .outputs = cli_outputs, .path = options->out, .faults = faults };
  CliStatus printed = CLI_OK;
  g_autofree char *name = NULL;
  g_autoptr(GArray) all = NULL;

  sl_outputs_add_input (cli_outputs, dir);
  sl_outputs_set_cancellable (cli_outputs, cli_cancellable);
  if (options->all)
    ids = all = sl_export_list_all (database, &error);
  if (ids == NULL || !cli_check_output (options->out, &error))
    return cli_fail_error (&options->output, cli_status_of_error (error), error);

  job.ids = (const gint64 *) (gpointer) ids->data;
  job.n_ids = ids->len;
  if (!sl_export_write (&job, format, &error))
    return cli_fail_error (&options->output, cli_status_of_error (error), error);

  name = g_filename_display_name (options->out);
  if (options->output.json)
    printed = cli_print_json (json_pack ("{s:s,s:I,s:o}", "file", name, "conversations", (json_int_t) ids->len, "faults",
                                         strings_to_json (faults)));

  return finish (faults, printed);
}

/* ------------------------------------------------------------------------------------------------ import */

static void
print_line (const SlImported *imported)
{
  const char *title = imported->title != NULL && *imported->title != '\0' ? imported->title : _("(untitled)");

  if (imported->merge.n_messages == 0 && !imported->merge.is_new)
    /* Translators: the id and title of a conversation */
    printf (_("%" PRId64 "  %s: was there already"), imported->merge.conversation, title);
  else
    printf (ngettext ("%" PRId64 "  %s: %u message", "%" PRId64 "  %s: %u messages", imported->merge.n_messages),
            imported->merge.conversation, title, imported->merge.n_messages);
  putchar ('\n');
}

static CliStatus
print_import (const HistoryOptions *options,
              SlImport             *import)
{
  GPtrArray *conversations = sl_import_get_conversations (import);
  g_autoptr(json_t) array = json_array ();

  for (guint i = 0; i < conversations->len; i++)
    {
      const SlImported *imported = g_ptr_array_index (conversations, i);

      if (options->output.json)
        json_array_append_new (array, json_pack ("{s:I,s:s,s:b,s:i}", "id", (json_int_t) imported->merge.conversation, "title",
                                                 imported->title != NULL ? imported->title : "", "new", imported->merge.is_new,
                                                 "messages", (int) imported->merge.n_messages));
      else
        print_line (imported);
    }

  return options->output.json ? cli_print_json (json_pack ("{s:O,s:o}", "conversations", array, "faults",
                                                           strings_to_json (sl_import_get_faults (import))))
                              : cli_finish_stdout (&options->output);
}

/* A file that cannot be read does not keep the next one out. */
static CliStatus
import_one (const HistoryOptions *options,
            SlImport             *import,
            const char           *word)
{
  g_autofree char *path = cli_dup_path (word);
  g_autoptr(GError) error = NULL;
  CliStatus status;

  if (sl_import_file (import, path, cli_cancellable, &error))
    return CLI_OK;
  status = cli_status_of_error (error);
  if (status != CLI_INPUT || error->domain == SL_STORE_ERROR)
    return cli_fail_error (&options->output, status, error);
  g_ptr_array_add (sl_import_get_faults (import), g_strdup (error->message));

  return CLI_OK;
}

CliStatus
history_import (const HistoryOptions *options,
                const char           *dir)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(SlDatabase) database = sl_database_open (dir, SL_DATABASE_WRITE, &error);
  g_autoptr(SlImport) import = NULL;
  CliStatus status;

  if (database == NULL)
    return cli_fail_error (&options->output, CLI_INPUT, error);

  import = sl_import_new_for_database (database, dir);
  for (char **word = options->words + 1; *word != NULL; word++)
    {
      status = import_one (options, import, *word);
      if (status != CLI_OK)
        return finish (sl_import_get_faults (import), status);
    }
  status = print_import (options, import);

  return finish (sl_import_get_faults (import), status);
}
