/* SPDX-License-Identifier: MIT
 *
 * `sightline-cli ask`: options, one answer to one conversation, the picture with its boxes.
 */
#include "app/cli/ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <glib/gi18n.h>

#include "app/boxes/sl-box-picture.h"

#define DEFAULT_MAX_TOKENS 512
#define DEFAULT_ALTERNATIVES 5
#define MAX_ALTERNATIVES 20
#define ATTENTION_CELLS 32

typedef struct
{
  CliOutput         output;
  CliEngineOptions  engine;
  CliEndpointOptions endpoint;
  CliAskSettings    settings;
  char            **images;
  char             *conversation;
  char             *batch;
  char             *draw;
  char             *mode;
  char            **words;
  gint64            seed;
  int               chunk_size;
  int               context;
  char            **then;
  char             *detail;
  char             *overflow;
  char             *snapshot;
  gboolean          greedy;
  gboolean          raw;
  gboolean          unconstrained;
  gboolean          force;
} Options;

/* Options whose value may be left out need a callback, which GOption gives no data. */
static CliAskSettings requested;

static void
options_clear (Options *options)
{
  cli_engine_options_clear (&options->engine);
  cli_endpoint_options_clear (&options->endpoint);
  g_strfreev (options->images);
  g_free (options->conversation);
  g_free (options->batch);
  g_free (options->draw);
  g_free (options->mode);
  g_strfreev (options->then);
  g_free (options->detail);
  g_free (options->overflow);
  g_free (options->snapshot);
  g_strfreev (options->words);
  g_clear_pointer (&options->settings.layers, g_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Options, options_clear)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (CliAnswer, cli_answer_clear)

static const char *
describe (void)
{
  return _("PROMPT “-” reads the prompt from the standard input. Special tokens that it contains stay literal text unless --raw "
           "is given.\n\n"
           "--conversation FILE holds several turns:\n"
           "  {\"messages\": [\n"
           "    {\"role\": \"user\", \"content\": [\n"
           "      {\"type\": \"image\", \"path\": \"a.png\", \"detail\": \"auto|low\"},\n"
           "      {\"type\": \"text\", \"text\": \"What is this?\", \"markup\": \"none|grounding|all\"}]},\n"
           "    {\"role\": \"assistant\", \"content\": \"A red circle.\"}]}\n"
           "roles: system (first only), user, assistant. Paths are relative to the file. “markup” says which special tokens of "
           "the text count: none (default of user and system), grounding (default of assistant), all. A PROMPT and --image "
           "after it become one more user message; without PROMPT the file's last message is answered or continued.\n\n"
           "--batch FILE reads one JSON object per line, {\"images\": [\"a.png\"], \"prompt\": \"red circle\", \"mode\": \"find\"}, "
           "optionally with \"id\", \"seed\" and \"max_tokens\", paths relative to the file, and prints one object per line as "
           "--json does, with \"index\" and \"id\"; a line that fails prints {\"error\": …} and the rest goes on.\n\n"
           "--then TEXT asks on in the same conversation; with --json each answer is one line. --snapshot FILE goes on where the "
           "last run with it ended, without reading the same again, and is written afterwards; a file that does not fit the "
           "model is ignored.\n\n"
           "--on-overflow says what happens to a conversation that is longer than the context: refuse (default) with the ways out "
           "and their tokens, drop-oldest leaves out the oldest turns, low-detail reads every picture as one tile.\n\n"
           "Boxes of --json: \"box_999\" in 0…999 of the upright picture, \"box_px\" in its pixels, \"image\" counts the "
           "conversation's pictures from 0, \"status\" is ok, clamped, incomplete or rejected.\n\n"
           "“expected_overlap” of a box is how much of the union it can be expected to share with the true one, “spread_999” the "
           "standard deviation of its numbers, “token_probability” the joint probability of the tokens that they were written with. "
           "--logprobs adds "
           "“tokens” with the log-probability of each and its K most likely alternatives, and to each box “coordinates”: the mean "
           "and standard deviation of each number over all that could stand there, or the probabilities of its first digit where "
           "a number is several tokens. --attention adds to each token, for every picture, a grid of rows × cols cells (row by row, "
           "over the upright picture) that the attention was spread on, averaged over heads and LAYERS (counted from 0, 3,4,11).\n\n"
           "Exit status: 0 ok, 2 wrong usage, 3 bad input or model, 4 device or memory, 5 cancelled (the text so far is kept).");
}

static gboolean
read_number (const char *text,
             int         lowest,
             int         highest,
             int        *value)
{
  char *end;
  long number;

  errno = 0;
  number = strtol (text, &end, 10);
  if (errno != 0 || end == text || *end != '\0' || number < lowest || number > highest)
    return FALSE;
  *value = (int) number;

  return TRUE;
}

static gboolean
on_logprobs (const char  *name,
             const char  *value,
             gpointer     data,
             GError     **error)
{
  requested.alternatives = DEFAULT_ALTERNATIVES;
  if (value == NULL || read_number (value, 0, MAX_ALTERNATIVES, &requested.alternatives))
    return TRUE;
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, _("--logprobs has to be between 0 and %d."), MAX_ALTERNATIVES);

  return FALSE;
}

static gboolean
on_attention (const char  *name,
              const char  *value,
              gpointer     data,
              GError     **error)
{
  g_auto(GStrv) words = g_strsplit (value != NULL ? value : "", ",", -1);

  requested.cells = ATTENTION_CELLS;
  g_clear_pointer (&requested.layers, g_array_unref);
  requested.layers = g_array_new (FALSE, FALSE, sizeof (int32_t));
  for (guint i = 0; words[i] != NULL; i++)
    {
      int32_t layer = 0;

      if (!read_number (words[i], 0, G_MAXINT32, &layer))
        {
          g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s",
                       _("--attention has to be a list of layers such as 0,3,11."));
          return FALSE;
        }
      g_array_append_val (requested.layers, layer);
    }

  return TRUE;
}

static gboolean
parse (Options    *options,
       int         argc,
       char      **argv,
       CliStatus  *status)
{
  CliAskSettings *s = &options->settings;
  const GOptionEntry entries[] = {
    CLI_ENGINE_ENTRIES (options->engine),
    CLI_ENDPOINT_ENTRIES (options->endpoint),
    { "image", 'i', 0, G_OPTION_ARG_FILENAME_ARRAY, &options->images, N_("A picture (repeatable, in order)"), N_("FILE") },
    CLI_PICTURE_ENTRIES,
    { "conversation", 'c', 0, G_OPTION_ARG_FILENAME, &options->conversation, N_("Earlier turns, see below"), N_("FILE.json") },
    { "batch", 0, 0, G_OPTION_ARG_FILENAME, &options->batch, N_("Many prompts with one model load, see below"), N_("FILE.jsonl") },
    { "mode", 0, 0, G_OPTION_ARG_FILENAME, &options->mode, N_("chat (default), find or ground"), N_("MODE") },
    { "raw", 0, 0, G_OPTION_ARG_NONE, &options->raw, N_("Special tokens in PROMPT are tokens"), NULL },
    { "draw", 0, 0, G_OPTION_ARG_FILENAME, &options->draw, N_("Write the last picture with its boxes"), N_("OUT.png") },
    CLI_FORCE_ENTRY (options->force),
    { "greedy", 0, 0, G_OPTION_ARG_NONE, &options->greedy, N_("Temperature 0, no repetition penalty"), NULL },
    { "seed", 0, 0, G_OPTION_ARG_INT64, &options->seed, N_("Random seed (default: 0)"), N_("N") },
    { "temperature", 0, 0, G_OPTION_ARG_DOUBLE, &s->temperature, N_("0 = greedy"), N_("T") },
    { "top-p", 0, 0, G_OPTION_ARG_DOUBLE, &s->top_p, N_("1 = off"), N_("P") },
    { "top-k", 0, 0, G_OPTION_ARG_INT, &s->top_k, N_("0 = off"), N_("K") },
    { "repetition-penalty", 0, 0, G_OPTION_ARG_DOUBLE, &s->repetition_penalty, N_("1 = off"), N_("R") },
    { "max-tokens", 0, 0, G_OPTION_ARG_INT, &s->max_tokens, N_("Longest answer (default: 512)"), N_("N") },
    { "then", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options->then, N_("A further question (repeatable, in order)"), N_("TEXT") },
    { "detail", 0, 0, G_OPTION_ARG_FILENAME, &options->detail, N_("auto (default), or low: one tile per picture"), N_("DETAIL") },
    { "on-overflow", 0, 0, G_OPTION_ARG_FILENAME, &options->overflow, N_("refuse (default), drop-oldest or low-detail"), N_("CHOICE") },
    { "snapshot", 0, 0, G_OPTION_ARG_FILENAME, &options->snapshot, N_("Go on from here, and save here"), N_("FILE") },
    { "context", 0, 0, G_OPTION_ARG_INT, &options->context, N_("Most tokens of the conversation (default: the model's)"), N_("N") },
    { "no-constrain", 0, 0, G_OPTION_ARG_NONE, &options->unconstrained, N_("Let boxes be written in any form"), NULL },
    { "logprobs", 0, G_OPTION_FLAG_OPTIONAL_ARG, G_OPTION_ARG_CALLBACK, on_logprobs,
      N_("Log-probabilities and K alternatives of each token (default: 5), with --json"), N_("K") },
    { "attention", 0, G_OPTION_FLAG_OPTIONAL_ARG, G_OPTION_ARG_CALLBACK, on_attention,
      N_("Attention of each token to the pictures (default: all layers), with --json"), N_("LAYERS") },
    { "chunk-size", 0, 0, G_OPTION_ARG_INT, &options->chunk_size, N_("Tokens read at once (default: chosen)"), N_("N") },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options->words, NULL, NULL },
    { NULL },
  };

  return cli_parse (&argc, &argv, _("[OPTION…] PROMPT"), _("Asks the model and streams its answer."), describe (),
                    entries, &options->output, status);
}

static void
set_defaults (Options *options)
{
  options->settings.temperature = CLI_UNSET;
  options->settings.top_p = CLI_UNSET;
  options->settings.repetition_penalty = CLI_UNSET;
  options->settings.top_k = -1;
  options->settings.max_tokens = DEFAULT_MAX_TOKENS;
  requested = (CliAskSettings) { .alternatives = -1 };
}

static const char *
check_numbers (const Options *options)
{
  const CliAskSettings *s = &options->settings;

  if (s->temperature != CLI_UNSET && !(s->temperature >= 0 && s->temperature <= 100))
    return _("--temperature has to lie between 0 and 100.");
  if (s->top_p != CLI_UNSET && !(s->top_p > 0 && s->top_p <= 1))
    return _("--top-p has to be over 0 and at most 1.");
  if (s->repetition_penalty != CLI_UNSET && !(s->repetition_penalty > 0 && s->repetition_penalty <= 100))
    return _("--repetition-penalty has to be over 0 and at most 100.");
  if (s->top_k < -1)
    return _("--top-k cannot be negative.");
  if (s->max_tokens < 1)
    return _("--max-tokens has to be at least 1.");
  if (options->seed < 0)
    return _("--seed cannot be negative.");
  if (options->chunk_size < 0)
    return _("--chunk-size cannot be negative.");
  if (options->context < 0)
    return _("--context cannot be negative.");

  return NULL;
}

static const char *
check_usage (const Options *options)
{
  guint n_words = options->words != NULL ? g_strv_length (options->words) : 0;

  if (options->batch != NULL && (n_words > 0 || options->images != NULL || options->conversation != NULL || options->draw != NULL
                                 || options->then != NULL || options->snapshot != NULL))
    return _("--batch goes with no PROMPT, --image, --conversation, --draw, --then or --snapshot.");
  if (options->then != NULL && options->draw != NULL)
    return _("--draw goes with one answer, not with --then.");
  if (options->detail != NULL && strcmp (options->detail, "auto") != 0 && strcmp (options->detail, "low") != 0)
    return _("--detail has to be auto or low.");
  if (options->batch == NULL && n_words == 0 && options->conversation == NULL)
    return _("A PROMPT is missing (see “sightline-cli ask --help”).");
  if (n_words > 1)
    return _("There is more than one PROMPT; put it in quotes.");
  if ((requested.alternatives >= 0 || requested.cells > 0) && !options->output.json && options->batch == NULL)
    return _("--logprobs and --attention go with --json or --batch.");
  if (n_words == 0 && options->images != NULL)
    return _("--image needs a PROMPT.");

  return check_numbers (options);
}

static gboolean
parse_overflow (const char *nick,
                SlOverflow *out)
{
  static const char *const nicks[] = { "refuse", "drop-oldest", "low-detail" };

  for (guint i = 0; i < G_N_ELEMENTS (nicks); i++)
    if (strcmp (nick, nicks[i]) == 0)
      {
        *out = (SlOverflow) i;
        return TRUE;
      }
  return FALSE;
}

static gboolean
resolve (Options  *options,
         GError  **error)
{
  const char *complaint = check_usage (options);

  if (complaint == NULL && options->mode != NULL && !sl_mode_from_nick (options->mode, &options->settings.mode))
    complaint = _("--mode has to be chat, find or ground.");
  if (complaint == NULL && options->overflow != NULL && !parse_overflow (options->overflow, &options->settings.overflow))
    complaint = _("--on-overflow has to be refuse, drop-oldest or low-detail.");
  if (complaint != NULL)
    {
      cli_set_error (error, CLI_USAGE, "%s", complaint);
      return FALSE;
    }

  if (options->greedy)
    {
      options->settings.temperature = 0;
      if (options->settings.repetition_penalty == CLI_UNSET)
        options->settings.repetition_penalty = 1;
    }
  options->settings.seed = options->seed;
  options->settings.constrain = !options->unconstrained;
  options->settings.alternatives = requested.alternatives;
  options->settings.cells = requested.cells;
  options->settings.layers = g_steal_pointer (&requested.layers);

  return TRUE;
}

static char *
read_prompt (const Options  *options,
             GError        **error)
{
  g_autofree char *text = NULL;
  gsize length;

  if (strcmp (options->words[0], "-") != 0)
    return g_strdup (options->words[0]);

  text = cli_read_stdin (&length, error);
  if (text == NULL)
    return NULL;

  if (strlen (text) != length)
    {
      cli_set_error (error, CLI_INPUT, "%s", _("The prompt contains a NUL character."));
      return NULL;
    }

  return g_steal_pointer (&text);
}

static CliConversation *
build_conversation (const Options  *options,
                    GError        **error)
{
  g_autoptr(CliConversation) conversation = cli_conversation_new ();
  g_autofree char *prompt = NULL;

  if (options->conversation != NULL && !cli_conversation_load (conversation, options->conversation, error))
    return NULL;

  if (options->words != NULL)
    {
      prompt = read_prompt (options, error);
      if (prompt == NULL ||
          !cli_conversation_add_prompt (conversation, (const char *const *) options->images, prompt,
                                        options->settings.mode, options->raw, error))
        return NULL;
    }

  if (g_strcmp0 (options->detail, "low") == 0)
    cli_conversation_lower_detail (conversation);

  if (options->draw != NULL && cli_conversation_get_n_pictures (conversation) == 0)
    {
      cli_set_error (error, CLI_USAGE, "%s", _("--draw needs a picture."));
      return NULL;
    }

  return g_steal_pointer (&conversation);
}

static gboolean
draw (const Options    *options,
      CliConversation  *conversation,
      const CliAnswer  *answer,
      GError          **error)
{
  SlPicture *picture = cli_conversation_get_picture (conversation, cli_conversation_get_n_pictures (conversation) - 1);
  g_autoptr(GArray) paint = g_array_new (FALSE, TRUE, sizeof (SlPaintBox));
  gsize n_boxes;
  const SlBox *boxes = sl_grounding_get_boxes (answer->grounding, &n_boxes);

  for (gsize i = 0; i < n_boxes; i++)
    {
      int px[4];
      SlPaintBox box = { .label = boxes[i].label, .number = i + 1, .uncertain = boxes[i].status == SL_BOX_CLAMPED };

      if (!sl_box_get_pixels (&boxes[i], sl_picture_get_width (picture), sl_picture_get_height (picture), px))
        continue;
      box.x1 = px[0];
      box.y1 = px[1];
      box.x2 = px[2];
      box.y2 = px[3];
      g_array_append_val (paint, box);
    }

  sl_box_painter_assign_colors ((SlPaintBox *) paint->data, paint->len, SL_BOX_COLORING_LABEL, NULL);

  return sl_box_picture_write (picture, (const SlPaintBox *) paint->data, paint->len, NULL, SL_BOX_PICTURE_PNG, cli_outputs,
                               options->draw, error);
}

static CliStatus
answer_one (const Options   *options,
            const CliSource *source,
            CliConversation *conversation)
{
  g_auto(CliAnswer) answer = { 0 };
  g_autoptr(GError) error = NULL;
  gboolean json = options->output.json;
  gboolean answered = cli_answer (source, conversation, &options->settings, !json, &answer, &error);
  CliStatus status = answered ? CLI_OK : cli_status_of_error (error);
  CliStatus printed;

  if (!answered && status != CLI_CANCELLED)
    {
      if (!json && answer.text->len > 0)
        putchar ('\n');
      return cli_fail_error (&options->output, status, error);
    }

  /* After a cancel the text so far is an answer too. */
  if (json)
    {
      printed = cli_print_json (cli_answer_to_json (&answer, conversation, source->load_ms));
    }
  else
    {
      putchar ('\n');
      printed = cli_finish_stdout (&options->output);
    }
  status = MAX (status, printed);

  if (status == CLI_OK)
    cli_conversation_add_answer (conversation, answer.text->str);
  if (status == CLI_OK && options->draw != NULL && !draw (options, conversation, &answer, &error))
    return cli_fail_error (NULL, CLI_INPUT, error);
  if (status == CLI_CANCELLED)
    cli_fail_error (NULL, status, error);

  return status;
}

/* The first question and those that follow it. */
static CliStatus
answer_all (const Options   *options,
            const CliSource *source,
            CliConversation *conversation)
{
  CliStatus status = answer_one (options, source, conversation);

  for (guint i = 0; status == CLI_OK && options->then != NULL && options->then[i] != NULL; i++)
    {
      g_autoptr(GError) error = NULL;

      if (!cli_conversation_add_prompt (conversation, NULL, options->then[i], options->settings.mode, options->raw, &error))
        return cli_fail_error (&options->output, cli_status_of_error (error), error);
      status = answer_one (options, source, conversation);
    }

  return status;
}

/* A snapshot is a shortcut: one that cannot be used is said and ignored. */
static void
restore (const Options *options,
         vl2_session   *session)
{
  vl2_error cause = { 0 };

  if (options->snapshot == NULL || !g_file_test (options->snapshot, G_FILE_TEST_EXISTS))
    return;
  if (vl2_session_restore (session, options->snapshot, &cause) != VL2_OK)
    g_printerr ("sightline-cli: %s\n", cause.text);
}

static CliStatus
save (const Options *options,
      vl2_session   *session,
      CliStatus      status)
{
  vl2_error cause = { 0 };

  if (options->snapshot == NULL || vl2_session_length (session) == 0)
    return status;
  if (vl2_session_save (session, options->snapshot, 0, &cli_cancel, &cause) == VL2_OK || cause.code == VL2_CANCELLED)
    return status;

  return MAX (status, cli_fail_vl2 (NULL, &cause));
}

/* A snapshot is there to be gone on from and written anew; anything else of that name is somebody's file. */
static gboolean
check_snapshot (const Options  *options,
                GError        **error)
{
  if (options->snapshot == NULL || vl2_is_snapshot (options->snapshot))
    return TRUE;

  return cli_check_output (options->snapshot, error);
}

/* What only a model that is loaded here can do. */
static const char *
check_endpoint (const Options *options)
{
  if (options->endpoint.endpoint == NULL)
    return NULL;
  if (options->snapshot != NULL || options->chunk_size > 0 || options->context > 0)
    return _("--snapshot, --chunk-size and --context go with a model on this computer, not with --endpoint.");
  if (options->settings.cells > 0)
    return _("--attention goes with a model on this computer: servers do not tell it.");
  if (options->settings.overflow != SL_OVERFLOW_REFUSE || options->detail != NULL)
    return _("--on-overflow and --detail go with a model on this computer, not with --endpoint.");

  return NULL;
}

static CliStatus
run (const Options *options)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(CliConversation) conversation = NULL;
  g_auto(CliSource) source = { 0 };
  const struct vl2_session_options session_options = { .chunk_size = options->chunk_size, .context = options->context };
  const char *complaint = check_endpoint (options);

  if (complaint != NULL)
    return cli_fail (&options->output, CLI_USAGE, "%s", complaint);
  if (options->batch == NULL)
    {
      conversation = build_conversation (options, &error);
      if (conversation == NULL)
        return cli_fail_error (&options->output, cli_status_of_error (error), error);
    }

  sl_outputs_set_replace (cli_outputs, options->force);
  if (!cli_check_output (options->draw, &error) || !check_snapshot (options, &error) ||
      !cli_source_open (&source, &options->engine, &options->endpoint, &session_options, &error))
    return cli_fail_error (&options->output, cli_status_of_error (error), error);

  if (options->batch != NULL)
    return cli_ask_batch (&source, options->batch, &options->settings, options->raw, &options->output);
  if (source.session == NULL)
    return answer_all (options, &source, conversation);

  restore (options, source.session);

  return save (options, source.session, answer_all (options, &source, conversation));
}

CliStatus
cli_ask (int    argc,
         char **argv)
{
  g_auto(Options) options = { 0 };
  g_autoptr(GError) error = NULL;
  CliStatus status;

  set_defaults (&options);
  if (!parse (&options, argc, argv, &status))
    return status;

  if (!resolve (&options, &error))
    return cli_fail_error (&options.output, CLI_USAGE, error);

  return run (&options);
}
