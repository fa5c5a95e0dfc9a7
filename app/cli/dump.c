/* SPDX-License-Identifier: MIT
 *
 * `sightline-cli dump`: every intermediate result of one prompt in a safetensors file, for comparison with the official
 * code layer by layer.
 */
#include "app/cli/cli.h"

#include <glib/gi18n.h>

#include "app/cli/conversation.h"
#include "app/cli/safetensors-writer.h"

typedef struct
{
  CliOutput         output;
  CliEngineOptions  engine;
  char            **images;
  char             *conversation;
  char             *mode;
  char             *out;
  char            **words;
  int               chunk_size;
  gboolean          raw;
  gboolean          force;
} Options;

static void
options_clear (Options *options)
{
  cli_engine_options_clear (&options->engine);
  g_strfreev (options->images);
  g_free (options->conversation);
  g_free (options->mode);
  g_free (options->out);
  g_strfreev (options->words);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Options, options_clear)

static void
on_tap (const char  *name,
        const float *data,
        size_t       rows,
        size_t       cols,
        void        *user)
{
  cli_tensors_append (user, name, CLI_TENSOR_F32, (gint64[]) { rows, cols }, 2, data);
}

/* What the vision tower reads: u8 / 127.5 − 1, as f32 [n][3][S][S], all pictures one after the other. */
static gboolean
append_tiles (CliTensors               *tensors,
              vl2_engine               *engine,
              const struct vl2_prompt  *prompt,
              GError                  **error)
{
  struct vl2_tile_rule rule = vl2_engine_tile_rule (engine);
  gint64 n_tiles = 0;

  if (rule.page) /* views of two sizes */
    return TRUE;

  for (size_t i = 0; i < prompt->n_pictures; i++)
    n_tiles += 1 + (gint64) prompt->pictures[i].grid_w * prompt->pictures[i].grid_h;
  if (n_tiles == 0)
    return TRUE;

  cli_tensors_begin (tensors, "tiles", CLI_TENSOR_F32, (gint64[]) { n_tiles, 3, rule.side, rule.side }, 4);
  for (size_t i = 0; i < prompt->n_pictures; i++)
    {
      struct vl2_tiles tiles = { 0 };
      vl2_error cause = { 0 };
      gsize size;
      g_autofree float *values = NULL;

      if (vl2_tiles_make (&rule, prompt->pictures[i].picture, prompt->pictures[i].crop, &tiles, &cause) != VL2_OK)
        {
          cli_set_vl2 (error, &cause);
          return FALSE;
        }

      size = (gsize) tiles.n_tiles * 3 * tiles.side * tiles.side;
      values = g_new (float, size);
      for (gsize k = 0; k < size; k++)
        values[k] = tiles.data[k] / 127.5f - 1.0f;
      cli_tensors_write (tensors, values, size * sizeof *values);
      vl2_free (tiles.data);
    }

  return TRUE;
}

static gboolean
dump (const Options    *options,
      vl2_engine       *engine,
      CliConversation  *conversation,
      GError          **error)
{
  const vl2_conversation *view = cli_conversation_get (conversation);
  const struct vl2_session_options session_options = { .chunk_size = options->chunk_size };
  const struct vl2_watch watch = { .cancel = &cli_cancel };
  g_autoptr(CliTensors) tensors = cli_tensors_new (options->out, error);
  g_autoptr(vl2_session) session = NULL;
  struct vl2_prompt prompt = { 0 };
  vl2_error cause = { 0 };
  gboolean dumped = FALSE;

  if (tensors == NULL)
    return FALSE;

  if (vl2_session_open (engine, &session_options, &session, &cause) != VL2_OK ||
      vl2_prompt_build (engine, view, &prompt, &cause) != VL2_OK)
    {
      cli_set_vl2 (error, &cause);
      return FALSE;
    }

  cli_tensors_append (tensors, "input_ids", CLI_TENSOR_I32, (gint64[]) { prompt.n_ids }, 1, prompt.ids);
  if (append_tiles (tensors, engine, &prompt, error))
    {
      if (vl2_session_dump (session, view, on_tap, tensors, &watch, &cause) != VL2_OK)
        cli_set_vl2 (error, &cause);
      else
        dumped = cli_tensors_finish (tensors, error);
    }
  vl2_prompt_deinit (&prompt);

  return dumped;
}

static CliStatus
run (const Options *options)
{
  g_autoptr(GError) error = NULL;
  const char *text = options->words != NULL ? options->words[0] : NULL;
  g_autoptr(CliConversation) conversation =
    cli_conversation_build (options->conversation, (const char *const *) options->images, text, options->mode, options->raw, &error);
  g_autoptr(vl2_engine) engine = NULL;

  sl_outputs_set_replace (cli_outputs, options->force);
  if (conversation != NULL && cli_check_output (options->out, &error))
    engine = cli_open_engine (&options->engine, NULL, &error);
  if (engine == NULL || !dump (options, engine, conversation, &error))
    return cli_fail_error (&options->output, cli_status_of_error (error), error);

  if (options->output.json)
    {
      g_autofree char *name = g_filename_display_name (options->out);

      return cli_print_json (json_pack ("{s:s}", "out", name));
    }

  return CLI_OK;
}

CliStatus
cli_dump (int    argc,
          char **argv)
{
  g_auto(Options) options = { 0 };
  CliStatus status;
  guint n_words;
  const GOptionEntry entries[] = {
    CLI_ENGINE_ENTRIES (options.engine),
    { "image", 'i', 0, G_OPTION_ARG_FILENAME_ARRAY, &options.images, N_("A picture (repeatable, in order)"), N_("FILE") },
    CLI_PICTURE_ENTRIES,
    { "conversation", 'c', 0, G_OPTION_ARG_FILENAME, &options.conversation, N_("Earlier turns, as for ask"), N_("FILE.json") },
    { "mode", 0, 0, G_OPTION_ARG_FILENAME, &options.mode, N_("chat (default), find or ground"), N_("MODE") },
    { "raw", 0, 0, G_OPTION_ARG_NONE, &options.raw, N_("Special tokens in PROMPT are tokens"), NULL },
    { "chunk-size", 0, 0, G_OPTION_ARG_INT, &options.chunk_size, N_("Tokens read at once (default: chosen)"), N_("N") },
    CLI_FORCE_ENTRY (options.force),
    { "out", 'o', 0, G_OPTION_ARG_FILENAME, &options.out, N_("The file to write"), N_("F.safetensors") },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.words, NULL, NULL },
    { NULL },
  };

  if (!cli_parse (&argc, &argv, _("--out F.safetensors [OPTION…] PROMPT"), _("Writes every intermediate result of a prompt."),
                  _("Tensors: “input_ids” i32 [n]; f32: “tiles” [tiles, 3, S, S] as the vision tower reads them, “vision” "
                    "[tiles · patches, width], “projected” [tiles · tokens, hidden], “embeds” [n, hidden], “layer.N” [n, hidden] "
                    "after each block, “experts.N” [n, experts per token] their ids, “logits” [n, vocabulary] of every "
                    "position. Without pictures the first three are missing."),
                  entries, &options.output, &status))
    return status;

  n_words = options.words != NULL ? g_strv_length (options.words) : 0;
  if (options.out == NULL || n_words > 1 || (n_words == 0 && (options.conversation == NULL || options.images != NULL)))
    return cli_fail (&options.output, CLI_USAGE, "%s", _("dump needs --out and one PROMPT or --conversation."));

  return run (&options);
}
