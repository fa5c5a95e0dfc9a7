/* SPDX-License-Identifier: MIT
 *
 * See ask.h: one conversation → one answer → JSON.
 */
#include "app/cli/answer-remote.h"
#include "app/cli/ask.h"
#include "app/cli/plan.h"
#include "app/generation/sl-coordinate-json.h"

#include <math.h>
#include <string.h>

#include <glib/gi18n.h>

static const char *const stop_nicks[] = {
  [VL2_STOP_EOS] = "eos",
  [VL2_STOP_MAX_TOKENS] = "max_tokens",
  [VL2_STOP_CONTEXT] = "context",
  [VL2_STOP_CALLER] = "caller",
  [VL2_STOP_CANCELLED] = "cancelled",
  [VL2_STOP_REPETITION] = "repetition",
};

static const char *const reread_nicks[] = {
  [VL2_REREAD_NOTHING] = "nothing",
  [VL2_REREAD_NEW] = "new",
  [VL2_REREAD_EMPTY] = "empty",
  [VL2_REREAD_TEXT] = "text",
  [VL2_REREAD_PICTURE] = "image",
  [VL2_REREAD_TILING] = "tiling",
};

typedef struct
{
  CliAnswer            *answer;
  const vl2_tokenizer  *tokenizer;
  const CliAskSettings *settings;
  gboolean              stream;
} Sink;

void
cli_answer_clear (CliAnswer *self)
{
  if (self->text != NULL)
    g_string_free (self->text, TRUE);
  g_free (self->continued);
  g_clear_pointer (&self->ids, g_array_unref);
  g_clear_pointer (&self->grounding, sl_grounding_unref);
  g_clear_pointer (&self->record, sl_generation_free);
  g_clear_pointer (&self->tokens, json_decref);
  g_clear_pointer (&self->remote, cli_remote_answer_free);
  vl2_prompt_deinit (&self->prompt);
  memset (self, 0, sizeof *self);
}

/* ------------------------------------------------------------------------------------------------ tokens */

static json_t *
id_to_json (const vl2_tokenizer *tokenizer,
            int32_t              id,
            float                logprob)
{
  json_t *object = json_object ();
  vl2_error cause;
  char *text = NULL;

  json_object_set_new (object, "id", json_integer (id));
  if (vl2_tokenizer_decode (tokenizer, &id, 1, &text, NULL, &cause) == VL2_OK)
    json_object_set_new (object, "text", json_string (text));
  vl2_free (text);
  json_object_set_new (object, "logprob", json_real (logprob));

  return object;
}

static json_t *
floats_to_json (const float *values,
                gsize        n_values)
{
  json_t *array = json_array ();

  for (gsize i = 0; i < n_values; i++)
    json_array_append_new (array, json_real (values[i]));

  return array;
}

static json_t *
attention_to_json (const struct vl2_token *token)
{
  json_t *array = json_array ();

  for (size_t i = 0; i < token->n_attention; i++)
    {
      const struct vl2_attention *map = &token->attention[i];
      json_t *object = json_pack ("{s:i,s:i,s:i,s:f,s:f}", "image", (int) i, "cols", (int) map->cols, "rows", (int) map->rows,
                                  "inside", (double) map->inside, "outside", (double) map->outside);

      json_object_set_new (object, "cells", floats_to_json (map->cells, (gsize) map->cols * (gsize) map->rows));
      json_array_append_new (array, object);
    }

  return array;
}

static json_t *
token_to_json (const Sink             *sink,
               const struct vl2_token *token)
{
  json_t *object = id_to_json (sink->tokenizer, token->id, token->logprob);

  if (sink->settings->alternatives > 0)
    {
      json_t *top = json_array ();

      for (int32_t i = 0; i < token->n_alternatives; i++)
        json_array_append_new (top, id_to_json (sink->tokenizer, token->alternative_ids[i], token->alternative_logprobs[i]));
      json_object_set_new (object, "top", top);
    }
  if (sink->settings->cells > 0)
    json_object_set_new (object, "attention", attention_to_json (token));

  return object;
}

static void
note_token (CliAnswer              *answer,
            const struct vl2_token *token)
{
  gsize begun = answer->continued != NULL ? strlen (answer->continued) : 0;
  SlTokenMark mark = { token->id, token->logprob, begun + answer->text->len };

  if (token->coordinate != NULL)
    {
      SlCoordinate coordinate = { .token = answer->record->tokens->len, .index = token->coordinate->index,
                                  .whole = token->coordinate->whole, .mass = token->coordinate->mass,
                                  .expected = token->coordinate->expected, .deviation = token->coordinate->deviation };

      memcpy (coordinate.digits, token->coordinate->digits, sizeof coordinate.digits);
      sl_generation_add_coordinate (answer->record, &coordinate, token->coordinate->completes);
    }
  g_array_append_val (answer->record->tokens, mark);
}

static bool
on_token (const struct vl2_token *token,
          void                   *user)
{
  Sink *sink = user;

  g_string_append_len (sink->answer->text, token->text, token->length);
  g_array_append_val (sink->answer->ids, token->id);
  note_token (sink->answer, token);
  if (sink->answer->tokens != NULL)
    json_array_append_new (sink->answer->tokens, token_to_json (sink, token));

  if (!sink->stream || token->length == 0)
    return true;

  fwrite (token->text, 1, token->length, stdout);

  return fflush (stdout) == 0;
}

static struct vl2_sampling
resolve_sampling (const CliAskSettings *settings)
{
  SlSampling mode = sl_mode_get_sampling (settings->mode);

  return (struct vl2_sampling) {
    .temperature = settings->temperature == CLI_UNSET ? mode.temperature : settings->temperature,
    .top_p = settings->top_p == CLI_UNSET ? mode.top_p : settings->top_p,
    .top_k = settings->top_k < 0 ? mode.top_k : settings->top_k,
    .repetition_penalty = settings->repetition_penalty == CLI_UNSET ? mode.repetition_penalty : settings->repetition_penalty,
    .seed = settings->seed,
  };
}

/* What a last message of the assistant begins with is part of the answer: a box may have been cut in it. Nothing is known of the
 * tokens that wrote it. */
static void
take_beginning (CliAnswer              *answer,
                const vl2_conversation *conversation)
{
  const vl2_message *last = &conversation->messages[conversation->n_messages - 1];
  g_autoptr(GString) text = g_string_new (NULL);
  SlTokenMark mark = { -1, NAN, 0 };

  if (last->role != VL2_ASSISTANT)
    return;
  for (size_t i = 0; i < last->n_parts; i++)
    if (last->parts[i].kind == VL2_PART_TEXT)
      g_string_append_len (text, last->parts[i].text, last->parts[i].length);
  answer->continued = g_strstrip (g_strdup (text->str)); /* as the prompt has it */
  mark.end = strlen (answer->continued);
  if (mark.end > 0)
    g_array_append_val (answer->record->tokens, mark);
}

static void
parse (const CliSource *source,
       CliConversation *conversation,
       CliAnswer       *answer)
{
  g_autoptr(GString) whole = g_string_new (answer->continued);
  gsize n_pictures = cli_conversation_get_n_pictures (conversation);
  SlPicture *picture = n_pictures > 0 ? cli_conversation_get_picture (conversation, n_pictures - 1) : NULL;

  g_string_append_len (whole, answer->text->str, answer->text->len);
  if (source->server != NULL)
    {
      SlBoxSpace space = source->server->space;

      if (answer->remote->has_boxes && space.scale == SL_BOX_SCALE_AUTO && space.order == SL_BOX_ORDER_AUTO)
        {
          space.scale = SL_BOX_SCALE_999;
          space.order = SL_BOX_ORDER_X_FIRST;
        }
      space.width = picture != NULL ? sl_picture_get_width (picture) : 0;
      space.height = picture != NULL ? sl_picture_get_height (picture) : 0;
      answer->grounding = sl_grounding_parse_in (whole->str, (gssize) whole->len, &space);
    }
  else
    answer->grounding = sl_grounding_parse (whole->str, whole->len);
}

static gboolean
answer_here (vl2_engine            *engine,
             vl2_session           *session,
             CliConversation       *conversation,
             const CliAskSettings  *settings,
             gboolean               stream,
             CliAnswer             *answer,
             GError               **error)
{
  const vl2_conversation *view = cli_conversation_get (conversation);
  struct vl2_generate_options options = {
    .max_tokens = settings->max_tokens,
    .constrain_boxes = settings->constrain,
    .alternatives = MAX (settings->alternatives, 0),
    .coordinates = true,
    .attention_cells = settings->cells,
    .attention_layers = settings->layers != NULL ? (const int32_t *) settings->layers->data : NULL,
    .n_attention_layers = settings->layers != NULL ? settings->layers->len : 0,
  };
  Sink sink = { answer, vl2_engine_tokenizer (engine), settings, stream };
  vl2_error cause = { 0 };

  answer->constrained = settings->constrain;
  options.sampling = answer->sampling;
  if (!cli_read (session, view, settings, answer, error))
    {
      answer->generation.stop = VL2_STOP_CANCELLED;
      return FALSE;
    }

  if (vl2_session_generate (session, &options, &cli_cancel, on_token, &sink, &answer->generation, &cause) != VL2_OK)
    {
      cli_set_vl2 (error, &cause);
      return FALSE;
    }
  if (answer->generation.stop == VL2_STOP_CANCELLED)
    {
      cli_set_error (error, CLI_CANCELLED, "%s", _("Cancelled."));
      return FALSE;
    }

  return TRUE;
}

gboolean
cli_answer (const CliSource       *source,
            CliConversation       *conversation,
            const CliAskSettings  *settings,
            gboolean               stream,
            CliAnswer             *answer,
            GError               **error)
{
  gboolean ok;

  answer->text = g_string_new (NULL);
  answer->ids = g_array_new (FALSE, FALSE, sizeof (int32_t));
  answer->record = sl_generation_new ();
  answer->tokens = settings->alternatives >= 0 || settings->cells > 0 ? json_array () : NULL;
  answer->sampling = resolve_sampling (settings);
  take_beginning (answer, cli_conversation_get (conversation));
  ok = source->server != NULL
         ? cli_answer_remote (source, conversation, settings, stream, answer, error)
         : answer_here (source->engine, source->session, conversation, settings, stream, answer, error);
  parse (source, conversation, answer);

  return ok;
}

/* ------------------------------------------------------------------------------------------------ JSON */

static json_t *
ids_to_json (const int32_t *ids,
             gsize          n_ids)
{
  json_t *array = json_array ();

  for (gsize i = 0; i < n_ids; i++)
    json_array_append_new (array, json_integer (ids[i]));

  return array;
}

static json_t *
four_to_json (const int v[4])
{
  return json_pack ("[i,i,i,i]", v[0], v[1], v[2], v[3]);
}

/* What the model offered for x1 y1 x2 y2. */
static json_t *
coordinates_to_json (const SlCoordinate coordinates[4])
{
  json_t *array = json_array ();

  for (guint i = 0; i < 4; i++)
    json_array_append_new (array, sl_coordinate_to_json (&coordinates[i]));

  return array;
}

static void
add_certainty (json_t          *object,
               const SlBox     *box,
               const CliAnswer *answer)
{
  const SlGeneration *record = answer->record;
  double confidence = sl_generation_get_confidence (record, box->numbers_start, box->numbers_end);
  SlCoordinate coordinates[4];
  double spread[4];
  double overlap = sl_generation_get_overlap (record, box->numbers_start, box->numbers_end, box->coords, spread);

  json_object_set_new (object, "expected_overlap", overlap >= 0 ? json_real (overlap) : json_null ());
  json_object_set_new (object, "spread_999", overlap >= 0 ? json_pack ("[f,f,f,f]", spread[0], spread[1], spread[2], spread[3])
                                                          : json_null ());
  json_object_set_new (object, "token_probability", confidence >= 0 ? json_real (confidence) : json_null ());
  if (answer->tokens != NULL && sl_generation_get_coordinates (record, box->numbers_start, box->numbers_end, coordinates))
    json_object_set_new (object, "coordinates", coordinates_to_json (coordinates));
}

/* Boxes lie on the last picture, as in the official program. */
static json_t *
box_to_json (const SlBox     *box,
             CliConversation *conversation)
{
  gsize n_pictures = cli_conversation_get_n_pictures (conversation);
  gboolean usable = box->status == SL_BOX_OK || box->status == SL_BOX_CLAMPED;
  json_t *object = json_object ();
  int pixels[4];

  json_object_set_new (object, "label", box->label != NULL ? json_string (box->label) : json_null ());
  json_object_set_new (object, "image", n_pictures > 0 ? json_integer ((json_int_t) n_pictures - 1) : json_null ());
  json_object_set_new (object, "box_999", usable ? four_to_json (box->coords) : json_null ());
  json_object_set_new (object, "box_px", json_null ());
  if (n_pictures > 0)
    {
      SlPicture *picture = cli_conversation_get_picture (conversation, n_pictures - 1);

      if (sl_box_get_pixels (box, sl_picture_get_width (picture), sl_picture_get_height (picture), pixels))
        json_object_set_new (object, "box_px", four_to_json (pixels));
    }
  json_object_set_new (object, "status", json_string (sl_box_status_get_nick (box->status)));
  json_object_set_new (object, "reason", json_string (sl_box_reason_get_english (box->reason)));

  return object;
}

static json_t *
boxes_to_json (CliAnswer       *answer,
               CliConversation *conversation)
{
  json_t *array = json_array ();
  gsize n_boxes;
  const SlBox *boxes = sl_grounding_get_boxes (answer->grounding, &n_boxes);

  for (gsize i = 0; i < n_boxes; i++)
    {
      json_t *object = box_to_json (&boxes[i], conversation);

      add_certainty (object, &boxes[i], answer);
      json_array_append_new (array, object);
    }

  return array;
}

static json_t *
pictures_to_json (CliAnswer       *answer,
                  CliConversation *conversation)
{
  json_t *array = json_array ();
  gsize n_dropped = cli_conversation_get_n_pictures (conversation) - answer->prompt.n_pictures;

  for (gsize i = 0; i < cli_conversation_get_n_pictures (conversation); i++)
    {
      SlPicture *picture = cli_conversation_get_picture (conversation, i);
      json_t *object = json_pack ("{s:s,s:i,s:i,s:s}",
                                  "name", sl_picture_get_name (picture),
                                  "width", sl_picture_get_width (picture),
                                  "height", sl_picture_get_height (picture),
                                  "sha256", sl_picture_get_sha256 (picture));

      if (sl_picture_get_transparent (picture))
        json_object_set_new (object, "transparent", json_true ());
      if (sl_picture_get_on_white (picture))
        json_object_set_new (object, "on_white", json_true ());
      if (i >= n_dropped)
        {
          const struct vl2_prompt_picture *span = &answer->prompt.pictures[i - n_dropped];

          json_object_set_new (object, "tiles", json_pack ("[i,i]", (int) span->grid_w, (int) span->grid_h));
          json_object_set_new (object, "tokens", json_integer ((json_int_t) span->count));
        }
      json_array_append_new (array, object);
    }

  return array;
}

static json_t *
timings_to_json (const CliAnswer *answer,
                 double           load_ms)
{
  return json_pack ("{s:f,s:f,s:f,s:I,s:f,s:I,s:f,s:I,s:I}",
                    "load_ms", load_ms,
                    "vision_ms", answer->sync.vision_ms,
                    "prefill_ms", answer->sync.prefill_ms,
                    "prefill_tokens", (json_int_t) answer->sync.prefilled_tokens,
                    "decode_ms", answer->generation.decode_ms,
                    "decode_tokens", (json_int_t) answer->generation.tokens,
                    "first_token_ms", answer->generation.first_token_ms,
                    "reused_tokens", (json_int_t) answer->sync.reused_tokens,
                    "peak_bytes", (json_int_t) cli_peak_bytes ());
}

/* A count, or null for none. */
static json_t *
index_to_json (gsize index)
{
  return index == SIZE_MAX ? json_null () : json_integer ((json_int_t) index);
}

/* What did not have to be read, and why the rest had to. */
static json_t *
reuse_to_json (const struct vl2_sync_report *sync)
{
  json_t *object = json_pack ("{s:I,s:I,s:I,s:s}",
                              "tokens", (json_int_t) sync->reused_tokens,
                              "branch_tokens", (json_int_t) sync->branch_tokens,
                              "images", (json_int_t) sync->pictures_reused,
                              "reread", reread_nicks[sync->reread]);

  json_object_set_new (object, "retiled", index_to_json (sync->retiled));
  json_object_set_new (object, "retiled_by", index_to_json (sync->retiled_by));

  return object;
}

/* What reading likely tokens ahead was good for. */
static json_t *
drafting_to_json (const struct vl2_generation *generation)
{
  return json_pack ("{s:I,s:I,s:I,s:f}",
                    "passes", (json_int_t) generation->passes,
                    "tokens", (json_int_t) generation->drafted,
                    "right", (json_int_t) generation->drafted_right,
                    "one_by_one_ms", generation->one_by_one_ms);
}

json_t *
cli_answer_to_json (CliAnswer       *answer,
                    CliConversation *conversation,
                    double           load_ms)
{
  g_autofree char *plain = sl_grounding_dup_plain_text (answer->grounding);
  g_autofree char *text = g_utf8_make_valid (answer->text->str, answer->text->len);
  g_autofree char *valid_plain = g_utf8_make_valid (plain, -1);
  json_t *object = json_object ();

  json_object_set_new (object, "text", json_string (text));
  if (answer->continued != NULL)
    {
      g_autofree char *continued = g_utf8_make_valid (answer->continued, -1);

      json_object_set_new (object, "continued", json_string (continued));
    }
  json_object_set_new (object, "plain", json_string (valid_plain));
  json_object_set_new (object, "ids", ids_to_json ((const int32_t *) answer->ids->data, answer->ids->len));
  json_object_set_new (object, "prompt_ids", ids_to_json (answer->prompt.ids, answer->prompt.n_ids));
  json_object_set_new (object, "boxes", boxes_to_json (answer, conversation));
  json_object_set_new (object, "images", pictures_to_json (answer, conversation));
  json_object_set_new (object, "stop", json_string (stop_nicks[answer->generation.stop]));
  json_object_set_new (object, "constrained", json_boolean (answer->constrained));
  json_object_set_new (object, "mask_changed", json_integer ((json_int_t) answer->generation.mask_changed));
  json_object_set_new (object, "sampling",
                       json_pack ("{s:f,s:f,s:i,s:f,s:I}",
                                  "temperature", answer->sampling.temperature,
                                  "top_p", answer->sampling.top_p,
                                  "top_k", (int) answer->sampling.top_k,
                                  "repetition_penalty", answer->sampling.repetition_penalty,
                                  "seed", (json_int_t) answer->sampling.seed));
  json_object_set_new (object, "reuse", reuse_to_json (&answer->sync));
  json_object_set_new (object, "dropped_messages", json_integer ((json_int_t) answer->dropped_messages));
  json_object_set_new (object, "low_detail", json_boolean (answer->low_detail));
  json_object_set_new (object, "timings", timings_to_json (answer, load_ms));
  json_object_set_new (object, "drafting", drafting_to_json (&answer->generation));
  if (answer->tokens != NULL)
    json_object_set (object, "tokens", answer->tokens);
  if (answer->remote != NULL)
    cli_remote_answer_to_json (answer->remote, answer->grounding, object);

  return object;
}
