/* SPDX-License-Identifier: MIT
 *
 * `sightline-cli info`: what a checkpoint is, after loading it, and what a conversation would cost, before.
 */
#include "app/cli/plan.h"

#include <glib/gi18n.h>

#include "app/inference/sl-model-folder.h"

static json_t *
info_to_json (const struct vl2_info *info,
              double                 load_ms)
{
  g_autofree char *dir = g_filename_display_name (info->dir);
  g_autofree char *folder = sl_model_folder_dup_name (info->dir);
  g_autofree char *name = g_filename_display_name (folder);
  json_t *candidates = json_array ();
  json_t *object = json_pack ("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:I,s:I}",
                              "model", dir,
                              "name", name,
                              "device", info->device,
                              "isa", info->isa,
                              "architecture", info->architecture,
                              "router", info->router,
                              "weight_dtype", info->weight_dtype,
                              "parameters", (json_int_t) info->parameters,
                              "weight_bytes", (json_int_t) info->weight_bytes);

  for (int i = 0; i < info->n_candidates; i++)
    json_array_append_new (candidates, json_pack ("[i,i]", (int) info->candidates[i][0], (int) info->candidates[i][1]));

  json_object_update_new (object, json_pack ("{s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i}",
                                             "layers", (int) info->layers,
                                             "hidden", (int) info->hidden,
                                             "heads", (int) info->heads,
                                             "vocab", (int) info->vocab,
                                             "experts", (int) info->experts,
                                             "experts_per_token", (int) info->experts_per_token,
                                             "context", (int) info->context,
                                             "vision_layers", (int) info->vision_layers,
                                             "vision_width", (int) info->vision_width,
                                             "tile_side", (int) info->tile_side,
                                             "patch", (int) info->patch,
                                             "tokens_per_tile", (int) info->tokens_per_tile,
                                             "threads", (int) info->threads));
  json_object_set_new (object, "family", json_string (info->family));
  json_object_set_new (object, "candidate_resolutions", candidates);
  json_object_set_new (object, "load_ms", json_real (load_ms));

  return object;
}

static double
bits_of (const struct vl2_contents *contents,
         int                        part)
{
  return 8.0 * contents->parts[part].bytes / MAX (contents->parts[part].parameters, 1);
}

static json_t *
contents_to_json (const struct vl2_contents *contents)
{
  json_t *parts = json_array ();

  for (int i = 0; i < VL2_OF_COUNT; i++)
    {
      if (contents->parts[i].tensors > 0)
        json_array_append_new (parts, json_pack ("{s:s,s:s,s:I,s:I,s:I,s:f}",
                                                 "part", vl2_part_name (i),
                                                 "dtype", contents->parts[i].dtype,
                                                 "tensors", (json_int_t) contents->parts[i].tensors,
                                                 "parameters", (json_int_t) contents->parts[i].parameters,
                                                 "bytes", (json_int_t) contents->parts[i].bytes,
                                                 "bits_per_weight", bits_of (contents, i)));
    }

  if (*contents->quantisation == '\0')
    return json_pack ("{s:o}", "parts", parts);
  return json_pack ("{s:o,s:s,s:s,s:s}", "parts", parts, "quantisation", contents->quantisation, "source", contents->source,
                    "content", contents->content);
}

static void
print_contents (const struct vl2_contents *contents)
{
  for (int i = 0; i < VL2_OF_COUNT; i++)
    {
      g_autofree char *size = g_format_size (contents->parts[i].bytes);

      if (contents->parts[i].tensors > 0)
        printf (_("  %-16s %-5s %5.2f bits per weight, %10.3f million, %s\n"), vl2_part_name (i), contents->parts[i].dtype,
                bits_of (contents, i), contents->parts[i].parameters / 1e6, size);
    }
  if (*contents->quantisation != '\0')
    printf (_("Quantised    %s, from weights with the hash %s\n"), contents->quantisation, contents->source);
}

static void
print_info (const struct vl2_info *info,
            double                 load_ms)
{
  g_autofree char *dir = g_filename_display_name (info->dir);
  g_autofree char *folder = sl_model_folder_dup_name (info->dir);
  g_autofree char *name = g_filename_display_name (folder);
  g_autofree char *size = g_format_size (info->weight_bytes);

  printf (_("Model        %s (%s)\n"), name, dir);
  printf (_("Computes on  %s (%s), %d threads\n"), info->device, info->isa, info->threads);
  printf (_("Parameters   %.3f million, %s of %s\n"), info->parameters / 1e6, size, info->weight_dtype);
  printf (_("Decoder      %d layers of %d, %d heads, %s attention\n"), info->layers, info->hidden, info->heads, info->architecture);
  printf (_("Experts      %d, %d per token, %s\n"), info->experts, info->experts_per_token, info->router);
  printf (_("Vocabulary   %d, context %d tokens\n"), info->vocab, info->context);
  printf (_("Vision       %d layers of %d, patches of %d, tiles of %d pixels = %d tokens, %d tile arrangements\n"),
          info->vision_layers, info->vision_width, info->patch, info->tile_side, info->tokens_per_tile, info->n_candidates);
  printf (_("Loaded in    %.0f ms\n"), load_ms);
}

typedef struct
{
  CliEngineOptions   engine;
  CliOutput          output;
  gboolean           plan, verify;
  char             **images;
  char              *conversation;
  char              *mode;
  char             **words;
  gboolean           low;
  int                context, chunk_size, max_tokens;
} Options;

static void
options_clear (Options *options)
{
  cli_engine_options_clear (&options->engine);
  g_strfreev (options->images);
  g_free (options->conversation);
  g_free (options->mode);
  g_strfreev (options->words);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Options, options_clear)

static const char *
describe_plan (void)
{
  return _("--plan lays out a conversation with the headers of the checkpoint alone: tokens of every message and picture, room for "
           "the answer, what could be done where it does not fit, and the memory that reading and answering it takes. Without a "
           "PROMPT or --conversation it is the memory of the model and a short question.");
}

/* One conversation, as `ask` would read it. */
static CliConversation *
build_conversation (const Options  *options,
                    GError        **error)
{
  const char *usual = options->conversation == NULL ? "?" : NULL;
  const char *text = options->words != NULL ? options->words[0] : usual;
  g_autoptr(CliConversation) conversation =
    cli_conversation_build (options->conversation, (const char *const *) options->images, text, options->mode, FALSE, error);

  if (conversation != NULL && options->low)
    cli_conversation_lower_detail (conversation);

  return g_steal_pointer (&conversation);
}

static CliStatus
print_plan (const Options *options)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(CliConversation) conversation = build_conversation (options, &error);
  g_autoptr(vl2_engine) engine = NULL;
  CliEngineOptions engine_options = options->engine;
  const struct vl2_session_options session = { .context = options->context, .chunk_size = options->chunk_size };
  struct vl2_plan plan;
  vl2_error cause = { 0 };
  CliStatus status;

  engine_options.headers_only = TRUE;
  if (conversation == NULL || (engine = cli_open_engine (&engine_options, NULL, &error)) == NULL)
    return cli_fail_error (&options->output, cli_status_of_error (error), error);
  if (vl2_plan_make (engine, cli_conversation_get (conversation), &session, options->max_tokens, &plan, &cause) != VL2_OK)
    return cli_fail_vl2 (&options->output, &cause);

  if (options->output.json)
    {
      status = cli_print_json (cli_plan_to_json (&plan));
    }
  else
    {
      cli_plan_print (&plan);
      status = cli_finish_stdout (&options->output);
    }
  vl2_plan_deinit (&plan);

  return status;
}

/* Loads and describes; with --verify the data's hash is compared first. */
static CliStatus
describe_model (const Options *options)
{
  const CliOutput *output = &options->output;
  const struct vl2_watch watch = { .cancel = &cli_cancel };
  struct vl2_contents contents;
  double load_ms = 0;
  vl2_error cause = { 0 };
  g_autoptr(GError) error = NULL;
  g_autoptr(vl2_engine) engine = cli_open_engine (&options->engine, &load_ms, &error);
  const char *dir;

  if (engine == NULL)
    return cli_fail_error (output, cli_status_of_error (error), error);

  dir = vl2_engine_info (engine)->dir;
  if (vl2_contents_read (dir, &contents, &cause) != VL2_OK ||
      (options->verify && vl2_contents_verify (dir, &watch, &cause) != VL2_OK))
    return cli_fail_vl2 (output, &cause);

  if (output->json)
    {
      json_t *object = info_to_json (vl2_engine_info (engine), load_ms);

      json_object_update_new (object, contents_to_json (&contents));
      if (options->verify)
        json_object_set_new (object, "verified", json_true ());
      return cli_print_json (object);
    }

  print_info (vl2_engine_info (engine), load_ms);
  print_contents (&contents);
  if (options->verify)
    puts (_("Verified     the data has the hash that its header says"));
  return cli_finish_stdout (output);
}

CliStatus
cli_info (int    argc,
          char **argv)
{
  g_auto(Options) options = { 0 };
  CliStatus status;
  const GOptionEntry entries[] = {
    CLI_ENGINE_ENTRIES (options.engine),
    { "verify", 0, 0, G_OPTION_ARG_NONE, &options.verify, N_("Compare a quantised checkpoint's data with its hash"), NULL },
    { "plan", 0, 0, G_OPTION_ARG_NONE, &options.plan, N_("What a conversation costs, without loading the weights"), NULL },
    { "image", 'i', 0, G_OPTION_ARG_FILENAME_ARRAY, &options.images, N_("A picture (repeatable, in order)"), N_("FILE") },
    CLI_PICTURE_ENTRIES,
    { "conversation", 'c', 0, G_OPTION_ARG_FILENAME, &options.conversation, N_("Earlier turns"), N_("FILE.json") },
    { "mode", 0, 0, G_OPTION_ARG_FILENAME, &options.mode, N_("chat (default), find or ground"), N_("MODE") },
    { "low-detail", 0, 0, G_OPTION_ARG_NONE, &options.low, N_("One tile per picture"), NULL },
    { "context", 0, 0, G_OPTION_ARG_INT, &options.context, N_("Most tokens of the conversation (default: the model's)"), N_("N") },
    { "chunk-size", 0, 0, G_OPTION_ARG_INT, &options.chunk_size, N_("Tokens read at once (default: chosen)"), N_("N") },
    { "max-tokens", 0, 0, G_OPTION_ARG_INT, &options.max_tokens, N_("Longest answer"), N_("N") },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.words, NULL, NULL },
    { NULL },
  };

  if (!cli_parse (&argc, &argv, _("[OPTION…] [PROMPT]"), _("Loads a checkpoint and describes it, or plans a conversation."),
                  describe_plan (), entries, &options.output, &status))
    return status;
  if (!options.plan && (options.words != NULL || options.images != NULL || options.conversation != NULL))
    return cli_fail (&options.output, CLI_USAGE, "%s", _("A PROMPT, --image and --conversation go with --plan."));
  if (options.words != NULL && g_strv_length (options.words) > 1)
    return cli_fail (&options.output, CLI_USAGE, "%s", _("There is more than one PROMPT; put it in quotes."));

  return options.plan ? print_plan (&options) : describe_model (&options);
}
