/* SPDX-License-Identifier: MIT
 *
 * `sightline-cli history`: looks into the window's conversations, while the window runs or not, and hands them over: export into a
 * conversation file is here, everything else in history-exchange.c.
 */
#include "app/cli/history.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <glib/gi18n.h>

#include "app/exchange/sl-transcript.h"
#include "app/prompt/sl-mode.h"
#include "app/store/sl-database.h"
#include "app/store/sl-store.h"

static void
options_clear (HistoryOptions *options)
{
  g_free (options->dir);
  g_free (options->out);
  g_free (options->format);
  g_strfreev (options->words);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (HistoryOptions, options_clear)

static char *
format_time (gint64 microseconds)
{
  g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc (microseconds / G_USEC_PER_SEC);

  return time != NULL ? g_date_time_format (time, "%Y-%m-%dT%H:%M:%SZ") : g_strdup ("");
}

/* ------------------------------------------------------------------------------------------------ list */

static CliStatus
list (const HistoryOptions *options,
      SlDatabase    *database)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) summaries = sl_database_list (database, &error);
  g_autoptr(json_t) array = json_array ();

  if (summaries == NULL)
    return cli_fail_error (&options->output, CLI_INPUT, error);

  for (guint i = 0; i < summaries->len; i++)
    {
      const SlSummaryRecord *summary = g_ptr_array_index (summaries, i);
      g_autofree char *updated = format_time (summary->updated);

      if (options->output.json)
        json_array_append_new (array, json_pack ("{s:I,s:s,s:s,s:s}", "id", (json_int_t) summary->id, "updated", updated, "title",
                                                 summary->title != NULL ? summary->title : "", "snippet",
                                                 summary->snippet != NULL ? summary->snippet : ""));
      else
        printf ("%" G_GINT64_FORMAT "  %s  %s\n", summary->id, updated,
                summary->title != NULL && *summary->title != '\0' ? summary->title : _("(untitled)"));
    }

  return options->output.json ? cli_print_json (json_pack ("{s:O}", "conversations", array))
                              : cli_finish_stdout (&options->output);
}

/* ------------------------------------------------------------------------------------------------ check */

static CliStatus
check (const HistoryOptions *options,
       SlDatabase    *database)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) faults = sl_database_check (database, &error);
  g_autoptr(json_t) array = json_array ();
  CliStatus printed;

  if (faults == NULL)
    return cli_fail_error (&options->output, CLI_INPUT, error);

  for (guint i = 0; i < faults->len; i++)
    {
      if (options->output.json)
        json_array_append_new (array, json_string (g_ptr_array_index (faults, i)));
      else
        puts (g_ptr_array_index (faults, i));
    }

  if (!options->output.json && faults->len == 0)
    puts (_("The history is sound."));
  printed = options->output.json ? cli_print_json (json_pack ("{s:O}", "faults", array)) : cli_finish_stdout (&options->output);

  if (faults->len > 0)
    return cli_fail (NULL, CLI_INPUT, _("The history has %u faults."), faults->len);

  return printed;
}

/* ------------------------------------------------------------------------------------------------ export */

typedef struct
{
  const HistoryOptions *options;
  const char    *dir;
  GHashTable    *copied; /* sha256 of pictures that are beside the file already */
} Export;

/* A picture of another conversation's export is called by the same hash and is the same. */
static gboolean
holds (const char *path,
       const char *sha256)
{
  g_autofree char *data = NULL;
  g_autofree char *found = NULL;
  gsize size;

  if (!g_file_get_contents (path, &data, &size, NULL))
    return FALSE;
  found = g_compute_checksum_for_data (G_CHECKSUM_SHA256, (const guchar *) data, size);

  return g_str_equal (found, sha256);
}

static gboolean
copy_picture (Export              *export,
              const SlPartRecord  *part,
              const char          *source,
              const char          *name,
              GError             **error)
{
  g_autofree char *target = g_build_filename (export->options->out, name, NULL);
  g_autofree char *data = NULL;
  gsize size;

  if (!g_hash_table_add (export->copied, g_strdup (part->sha256)))
    return TRUE;
  if (!g_file_get_contents (source, &data, &size, error))
    return FALSE;
  if (holds (target, part->sha256))
    return TRUE;

  return sl_outputs_write (cli_outputs, target, data, size, error);
}

static json_t *
picture_to_json (Export              *export,
                 const SlPartRecord  *part,
                 GError             **error)
{
  g_autofree char *source = sl_database_dup_picture_path (export->dir, part->sha256, part->extension);
  g_autofree char *name = g_strdup_printf ("%s.%s", part->sha256, part->extension);
  g_autofree char *shown = NULL;

  if (export->options->out != NULL && !copy_picture (export, part, source, name, error))
    return NULL;

  shown = g_filename_display_name (export->options->out != NULL ? name : source);

  return json_pack ("{s:s,s:s,s:s,s:s,s:i,s:i}", "type", "image", "path", shown, "detail",
                    part->detail == SL_DETAIL_LOW ? "low" : "auto", "name", part->name != NULL ? part->name : "", "width",
                    part->width, "height", part->height);
}

/* As the model reads it: the mode's tokens are in the text, so that the file can be asked again. */
static json_t *
content_to_json (Export                 *export,
                 const SlMessageRecord  *message,
                 GError                **error)
{
  g_autofree const char **texts = g_new0 (const char *, message->parts->len + 1);
  g_autoptr(GPtrArray) pieces = NULL;
  g_autoptr(GPtrArray) pictures = g_ptr_array_new ();
  g_autoptr(json_t) content = json_array ();
  guint next = 0;

  for (guint i = 0; i < message->parts->len; i++)
    {
      SlPartRecord *part = g_ptr_array_index (message->parts, i);

      if (part->kind == SL_PART_PICTURE)
        g_ptr_array_add (pictures, part);
      else
        texts[i] = part->text != NULL ? part->text : "";
    }

  if (message->role == SL_ROLE_USER)
    pieces = sl_mode_compose (message->mode, texts, message->parts->len, message->raw);
  else
    pieces = sl_mode_compose (SL_MODE_CHAT, texts, message->parts->len, message->role == SL_ROLE_ASSISTANT);

  for (guint i = 0; i < pieces->len; i++)
    {
      const SlPiece *piece = g_ptr_array_index (pieces, i);
      json_t *entry;

      if (piece->text != NULL)
        entry = json_pack ("{s:s,s:s,s:s}", "type", "text", "text", piece->text, "markup", sl_markup_get_nick (piece->markup));
      else
        entry = picture_to_json (export, g_ptr_array_index (pictures, next++), error);
      if (entry == NULL)
        return NULL;
      json_array_append_new (content, entry);
    }

  return g_steal_pointer (&content);
}

static json_t *
boxes_to_json (const SlMessageRecord *message)
{
  json_t *array = json_array ();

  for (guint i = 0; i < message->boxes->len; i++)
    {
      const SlBoxRecord *box = g_ptr_array_index (message->boxes, i);
      gboolean usable = box->status == SL_BOX_OK || box->status == SL_BOX_CLAMPED;
      json_t *entry = json_pack ("{s:s,s:s,s:s,s:b}", "label", box->label != NULL ? box->label : "", "status",
                                 sl_box_status_get_nick (box->status), "reason", sl_box_reason_get_english (box->reason), "edited",
                                 box->kind == SL_BOX_KIND_EDITED);

      json_object_set_new (entry, "box_999", usable ? json_pack ("[i,i,i,i]", box->coords[0], box->coords[1], box->coords[2],
                                                                 box->coords[3])
                                                    : json_null ());
      json_object_set_new (entry, "picture", box->picture != NULL ? json_string (box->picture) : json_null ());
      json_array_append_new (array, entry);
    }

  return array;
}

static json_t *
message_to_json (Export                 *export,
                 const SlMessageRecord  *message,
                 GError                **error)
{
  g_autofree char *created = format_time (message->created);
  json_t *content = content_to_json (export, message, error);
  json_t *object;

  if (content == NULL)
    return NULL;

  object = json_pack ("{s:s,s:o,s:I,s:s,s:s}", "role", sl_role_nicks[message->role], "content", content, "id",
                      (json_int_t) message->id, "created", created, "status", sl_message_status_nicks[message->status]);
  if (message->role == SL_ROLE_USER)
    json_object_set_new (object, "mode", json_string (sl_mode_get_nick (message->mode)));
  if (message->boxes != NULL && message->boxes->len > 0)
    json_object_set_new (object, "boxes", boxes_to_json (message));

  return object;
}

static json_t *
conversation_to_json (Export                      *export,
                      const SlConversationRecord  *conversation,
                      GError                     **error)
{
  g_autoptr(GPtrArray) path = sl_transcript_get_path (conversation);
  g_autofree char *created = format_time (conversation->created);
  g_autoptr(json_t) messages = json_array ();

  if (conversation->system_text != NULL && *conversation->system_text != '\0')
    json_array_append_new (messages, json_pack ("{s:s,s:s}", "role", "system", "content", conversation->system_text));

  for (guint i = 0; i < path->len; i++)
    {
      json_t *message = message_to_json (export, g_ptr_array_index (path, i), error);

      if (message == NULL)
        return NULL;
      json_array_append_new (messages, message);
    }

  return json_pack ("{s:I,s:s,s:s,s:O}", "id", (json_int_t) conversation->id, "title",
                    conversation->title != NULL ? conversation->title : "", "created", created, "messages", messages);
}

static gboolean
write_export (const HistoryOptions  *options,
              json_t         *json,
              GError        **error)
{
  g_autofree char *path = g_build_filename (options->out, "conversation.json", NULL);
  g_autofree char *text = json_dumps (json, JSON_INDENT (2));

  return sl_outputs_write (cli_outputs, path, text, strlen (text), error);
}

static gboolean
check_export (const HistoryOptions  *options,
              GError        **error)
{
  g_autofree char *path = options->out != NULL ? g_build_filename (options->out, "conversation.json", NULL) : NULL;

  return cli_check_output (path, error);
}

static CliStatus
export_one (const HistoryOptions *options,
            SlDatabase    *database,
            const char    *dir,
            gint64         id)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GHashTable) copied = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr(SlConversationRecord) conversation = sl_database_load (database, id, &error);
  g_autoptr(json_t) json = NULL;
  Export export = { options, dir, copied };

  if (conversation == NULL && error == NULL)
    return cli_fail (&options->output, CLI_INPUT, _("There is no conversation %" PRId64 "."), id);

  if (conversation != NULL && options->out != NULL && g_mkdir_with_parents (options->out, 0777) != 0)
    {
      g_autofree char *name = g_filename_display_name (options->out);

      return cli_fail (&options->output, CLI_INPUT, _("“%s” cannot be created: %s."), name, g_strerror (errno));
    }

  if (conversation != NULL && check_export (options, &error))
    json = conversation_to_json (&export, conversation, &error);
  if (json == NULL || (options->out != NULL && !write_export (options, json, &error)))
    return cli_fail_error (&options->output, cli_status_of_error (error), error);

  return options->out != NULL && !options->output.json ? CLI_OK : cli_print_json (g_steal_pointer (&json));
}

/* ------------------------------------------------------------------------------------------------ dispatch */

static CliStatus
usage (const HistoryOptions *options)
{
  return cli_fail (&options->output, CLI_USAGE, "%s",
                   _("history needs “list”, “check”, “export ID” or “import FILE” (see “sightline-cli history --help”)."));
}

/* The words behind “export”; NULL where one of them is no number. */
static GArray *
read_ids (const HistoryOptions *options)
{
  g_autoptr(GArray) ids = g_array_new (FALSE, FALSE, sizeof (gint64));

  for (char **word = options->words + 1; *word != NULL; word++)
    {
      gint64 id;

      if (!g_ascii_string_to_signed (*word, 10, 1, G_MAXINT64, &id, NULL))
        return NULL;
      g_array_append_val (ids, id);
    }

  return g_steal_pointer (&ids);
}

#define TALK SL_N_EXCHANGE_FORMATS /* "json": a conversation file, which is written here */

static gboolean
find_format (const char       *nick,
             SlExchangeFormat *format)
{
  for (*format = 0; *format < SL_N_EXCHANGE_FORMATS; (*format)++)
    if (strcmp (nick, sl_exchange_format_get_nick (*format)) == 0)
      return TRUE;

  return strcmp (nick, "json") == 0;
}

/* FALSE with *status where the words make no sense; before anything is opened. */
static gboolean
check_words (const HistoryOptions  *options,
             SlExchangeFormat      *format,
             GArray               **ids,
             CliStatus             *status)
{
  g_autoptr(GArray) numbers = read_ids (options);
  const CliOutput *output = &options->output;

  *format = TALK;
  if (numbers == NULL)
    *status = cli_fail (output, CLI_USAGE, "%s", _("The ID of a conversation is a number (see “sightline-cli history list”)."));
  else if (options->format != NULL && !find_format (options->format, format))
    *status = cli_fail (output, CLI_USAGE, _("“%s” is no format of an export."), options->format);
  else if (*format == TALK && numbers->len != 1)
    *status = cli_fail (output, CLI_USAGE, "%s", _("A conversation file holds one conversation: give one ID, or another --format."));
  else if (*format != TALK && options->out == NULL)
    *status = cli_fail (output, CLI_USAGE, "%s", _("Where to? --out names the file."));
  else
    *ids = g_steal_pointer (&numbers);

  return *ids != NULL;
}

static gboolean
makes_sense (const HistoryOptions *options,
             const char           *verb)
{
  guint n_words = options->words != NULL ? g_strv_length (options->words) : 0;
  gboolean exporting = strcmp (verb, "export") == 0;

  if (!exporting && (options->out != NULL || options->format != NULL || options->all))
    return FALSE;
  if (exporting)
    return (n_words > 1) != options->all;
  if (strcmp (verb, "import") == 0)
    return n_words > 1;

  return n_words == 1 && (strcmp (verb, "list") == 0 || strcmp (verb, "check") == 0);
}

static CliStatus
run (const HistoryOptions *options)
{
  const char *verb = options->words != NULL ? options->words[0] : "";
  g_autofree char *dir = options->dir != NULL ? g_strdup (options->dir) : sl_store_dup_default_dir ();
  gboolean exporting = strcmp (verb, "export") == 0;
  g_autoptr(SlDatabase) database = NULL;
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) ids = NULL;
  SlExchangeFormat format;
  CliStatus status;

  if (!makes_sense (options, verb))
    return usage (options);
  if (strcmp (verb, "import") == 0)
    return history_import (options, dir);
  if (exporting && !check_words (options, &format, &ids, &status))
    return status;

  sl_outputs_set_replace (cli_outputs, options->force);
  database = sl_database_open (dir, SL_DATABASE_READ, &error);
  if (database == NULL)
    return cli_fail_error (&options->output, CLI_INPUT, error);

  if (exporting && format != TALK)
    return history_export (options, database, dir, format, ids);
  if (exporting)
    return export_one (options, database, dir, g_array_index (ids, gint64, 0));

  return *verb == 'l' ? list (options, database) : check (options, database);
}

CliStatus
cli_history (int    argc,
             char **argv)
{
  g_auto(HistoryOptions) options = { 0 };
  CliStatus status;
  const GOptionEntry entries[] = {
    { "data-dir", 0, 0, G_OPTION_ARG_FILENAME, &options.dir, N_("Folder of the history (default: the window's)"), N_("DIR") },
    { "all", 'a', 0, G_OPTION_ARG_NONE, &options.all, N_("Export every conversation"), NULL },
    { "format", 'f', 0, G_OPTION_ARG_FILENAME, &options.format,
      N_("Form of the export: json (the default), sightline, markdown, html or pdf"), N_("FORMAT") },
    { "out", 'o', 0, G_OPTION_ARG_FILENAME, &options.out, N_("File of the export; json and markdown: folder, pictures included"), N_("PATH") },
    CLI_FORCE_ENTRY (options.force),
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.words, NULL, NULL },
    { NULL },
  };

  if (!cli_parse (&argc, &argv, _("list|check|export ID…|import FILE… [OPTION…]"), _("Looks into the conversations of the window."),
                  _("list: id, time and title of every conversation, newest first.\n"
                    "check: faults of the history, one per line; exit status 3 if there are any.\n"
                    "export: conversations, or --all of them, into one file.\n"
                    "  sightline: everything, with every version and the pictures as they came, for “import”.\n"
                    "  html: the shown messages, with pictures and boxes, for any browser.\n"
                    "  pdf: the same on pages.\n"
                    "  markdown: the same as a folder, pictures beside the text.\n"
                    "  json: the shown messages of one conversation as a conversation file (see “ask --help”), to the standard "
                    "output with pictures where they are, or into a folder as conversation.json with its pictures beside it.\n"
                    "import: conversations from files that “export --format sightline” has written, or from those of Open WebUI, ChatGPT, "
                    "LM Studio and Alpaca, while no window has the history open. "
                    "What is there already stays as it is; what is not whole is told, exit status 3, and the rest is imported."),
                  entries, &options.output, &status))
    return status;

  return run (&options);
}
