/* SPDX-License-Identifier: MIT
 *
 * One answer: pictures and text are read into the session, tokens are written, and what the model knew about each of them is noted
 * in the ticket's generation. Runs on the inference thread without its lock; knows neither the queue nor how models are opened.
 */
#include "app/inference/sl-inference-private.h"

#include <math.h>
#include <string.h>

#include "app/inference/sl-model-folder.h"
#include "app/prompt/sl-page-options.h"
#include "app/prompt/sl-prompt-view.h"

static void
set_text (char       **field,
          const char  *text)
{
  g_free (*field);
  *field = g_strdup (text);
}

typedef struct
{
  SlTicket *ticket;
  SlGuests *guests;
} JobReading;

/* Guests go on between two looks; a failure of theirs is told to them, and what is broken shows in the next pass of the answer. */
static void
on_job_progress (vl2_stage  stage,
                 uint64_t   done,
                 uint64_t   total,
                 void      *user)
{
  JobReading *reading = user;
  SlTicket *ticket = reading->ticket;
  vl2_error err;

  g_mutex_lock (&ticket->lock);
  ticket->status.state = stage == VL2_STAGE_VISION ? SL_JOB_VISION : SL_JOB_PREFILL;
  ticket->status.fraction = total > 0 ? (double) done / total : 0;
  g_mutex_unlock (&ticket->lock);
  sl_guests_advance (reading->guests, NULL, &err);
}

typedef struct
{
  SlTicket *ticket;
  vl2_session *session;
  const vl2_tokenizer *tokenizer;
  gsize written; /* bytes */
} Decoding;

static void
note_alternatives (SlGeneration           *g,
                   const vl2_tokenizer    *tokenizer,
                   guint                   at,
                   const struct vl2_token *token)
{
  for (int32_t i = 0; i < token->n_alternatives; i++)
    {
      vl2_error err;
      char *text = NULL;

      if (i > 0 && token->alternative_logprobs[i] < log (SL_LEAST_ALTERNATIVE))
        return;
      if (vl2_tokenizer_decode (tokenizer, &token->alternative_ids[i], 1, &text, NULL, &err) != VL2_OK)
        return;
      sl_generation_add_alternative (g, at, token->alternative_ids[i], token->alternative_logprobs[i], text);
      vl2_free (text);
    }
}

static void
note_coordinate (SlGeneration                *g,
                 guint                        at,
                 const struct vl2_coordinate *in)
{
  SlCoordinate coordinate = { .token = at, .index = in->index, .whole = in->whole, .mass = in->mass, .expected = in->expected,
                              .deviation = in->deviation };

  memcpy (coordinate.digits, in->digits, sizeof coordinate.digits);
  sl_generation_add_coordinate (g, &coordinate, in->completes);
}

static void
note_attention (SlGeneration           *g,
                const struct vl2_token *token)
{
  for (size_t i = 0; i < token->n_attention; i++)
    {
      const struct vl2_attention *in = &token->attention[i];

      if (i == g->attentions->len)
        g_ptr_array_add (g->attentions, sl_attention_new (in->cols, in->rows));
      g_array_append_vals (((SlAttention *) g_ptr_array_index (g->attentions, i))->cells, in->cells,
                           (guint) in->cols * (guint) in->rows);
    }
}

static bool
on_token (const struct vl2_token *token,
          void                   *user)
{
  Decoding *decoding = user;
  SlTicket *ticket = decoding->ticket;

  sl_token_ring_push (ticket->ring, token->id, token->logprob, token->text, token->length);
  g_mutex_lock (&ticket->lock);
  note_alternatives (ticket->generation, decoding->tokenizer, ticket->status.decoded_tokens, token);
  if (token->coordinate != NULL)
    note_coordinate (ticket->generation, ticket->status.decoded_tokens, token->coordinate);
  note_attention (ticket->generation, token);
  if (token->breaks_cycle)
    g_array_append_val (ticket->generation->cuts, decoding->written);
  decoding->written += token->length;
  ticket->status.decoded_tokens++;
  ticket->status.context_used = vl2_session_length (decoding->session);
  g_mutex_unlock (&ticket->lock);
  return !atomic_load (&ticket->cancel);
}

/* The grid of every picture, in order. */
static char *
describe_tiling (const vl2_engine       *engine,
                 const vl2_conversation *conversation)
{
  struct vl2_tile_rule rule = vl2_engine_tile_rule (engine);
  GString *text = g_string_new (NULL);
  gsize n_pictures = 0;

  for (int pass = 0; pass < 2; pass++)
    for (gsize m = 0; m < conversation->n_messages; m++)
      for (gsize p = 0; p < conversation->messages[m].n_parts; p++)
        {
          const vl2_part *part = &conversation->messages[m].parts[p];
          int32_t grid_w, grid_h;

          if (part->kind != VL2_PART_PICTURE)
            continue;
          if (pass == 0)
            {
              n_pictures++;
              continue;
            }
          vl2_tile_grid (&rule, part->picture->width, part->picture->height,
                         n_pictures <= VL2_MAX_TILED_PICTURES && part->detail == VL2_DETAIL_AUTO, &grid_w, &grid_h);
          g_string_append_printf (text, "%s%d×%d", text->len > 0 ? " " : "", (int) grid_w, (int) grid_h);
        }
  return g_string_free (text, FALSE);
}

/* What is known before the model runs. */
static void
describe_job (const SlModelHandles *model,
              SlTicket             *ticket)
{
  const struct vl2_info *info = vl2_engine_info (model->engine);
  const SlSettings *settings = sl_prompt_get_settings (ticket->prompt);
  SlGeneration *g = ticket->generation;

  g_mutex_lock (&ticket->lock);
  g_free (g->model);
  g->model = sl_model_folder_dup_name (info->dir);
  set_text (&g->model_dir, info->dir);
  set_text (&g->quantisation, info->weight_dtype);
  set_text (&g->device, info->device);
  g->temperature = settings->sampling.temperature;
  g->top_p = settings->sampling.top_p;
  g->top_k = settings->sampling.top_k;
  g->repetition_penalty = settings->sampling.repetition_penalty;
  g->seed = settings->seed;
  g->max_tokens = settings->max_tokens;
  g->constrained = settings->constrain_boxes;
  g->context_capacity = ticket->status.context_capacity = vl2_session_capacity (model->session);
  g_mutex_unlock (&ticket->lock);
}

static vl2_status
read_conversation (const SlModelHandles   *model,
                   SlTicket               *ticket,
                   const vl2_conversation *conversation,
                   vl2_error              *err)
{
  JobReading reading = { ticket, model->guests };
  struct vl2_watch watch = { &ticket->cancel, on_job_progress, &reading };
  struct vl2_sync_report report = { 0 };
  g_autofree char *tiling = describe_tiling (model->engine, conversation);
  SlGeneration *g = ticket->generation;
  vl2_status status = vl2_session_sync (model->session, conversation, &watch, &report, err);

  g_mutex_lock (&ticket->lock);
  set_text (&g->tiling, tiling);
  g->prompt_tokens = ticket->status.prompt_tokens = report.prompt_tokens;
  g->reused_tokens = ticket->status.reused_tokens = report.reused_tokens;
  g->context_used = ticket->status.context_used = vl2_session_length (model->session);
  g->tiling_changed = report.tiling_changed;
  g->vision_ms = report.vision_ms;
  g->prefill_ms = report.prefill_ms;
  if (status == VL2_OK)
    {
      ticket->status.state = SL_JOB_DECODING;
      ticket->status.fraction = 0;
      ticket->decoding_since = g_get_monotonic_time ();
    }
  g_mutex_unlock (&ticket->lock);
  return status;
}

/* The way out that the settings chose for a conversation that does not fit. */
static vl2_status
read_fitted (const SlModelHandles   *model,
             SlTicket               *ticket,
             const vl2_conversation *conversation,
             vl2_error              *err)
{
  const SlSettings *settings = sl_prompt_get_settings (ticket->prompt);
  const struct vl2_plan_choice *choice;
  struct vl2_plan plan;
  struct vl2_fitted fitted;
  vl2_status status = vl2_session_plan (model->session, conversation, settings->max_tokens, &plan, err);

  if (status != VL2_OK)
    return status;
  choice = &plan.choices[settings->overflow - 1];
  status = vl2_plan_apply (conversation, choice, &fitted, err);
  if (status == VL2_OK)
    {
      g_mutex_lock (&ticket->lock);
      ticket->status.dropped_messages = choice->messages;
      ticket->status.low_detail = choice->kind == VL2_FIT_LOW_DETAIL;
      g_mutex_unlock (&ticket->lock);
      status = read_conversation (model, ticket, &fitted.conversation, err);
      vl2_fitted_deinit (&fitted);
    }
  vl2_plan_deinit (&plan);
  return status;
}

static vl2_status
read_prompt (const SlModelHandles *model,
             SlTicket             *ticket,
             SlPromptView         *view,
             vl2_error            *err)
{
  SlOverflow overflow = sl_prompt_get_settings (ticket->prompt)->overflow;
  const vl2_conversation *conversation = sl_prompt_view_get (view);
  vl2_status status = read_conversation (model, ticket, conversation, err);

  if (status == VL2_ERR_CONTEXT && (overflow == SL_OVERFLOW_DROP_OLDEST || overflow == SL_OVERFLOW_LOW_DETAIL))
    status = read_fitted (model, ticket, conversation, err);
  return status;
}

static vl2_status
write_answer (const SlModelHandles *model,
              SlTicket             *ticket,
              vl2_error            *err)
{
  const SlSettings *settings = sl_prompt_get_settings (ticket->prompt);
  struct vl2_generate_options options = {
    .sampling = { .temperature = settings->sampling.temperature, .top_p = settings->sampling.top_p,
                  .top_k = settings->sampling.top_k, .repetition_penalty = settings->sampling.repetition_penalty,
                  .seed = settings->seed },
    .max_tokens = settings->max_tokens > 0 ? settings->max_tokens : (int32_t) vl2_session_capacity (model->session),
    .constrain_boxes = settings->constrain_boxes,
    .alternatives = SL_MAX_ALTERNATIVES,
    .coordinates = true,
    .attention_cells = (int32_t) MIN (settings->attention_cells, VL2_MAX_ATTENTION_CELLS),
  };
  Decoding decoding = { ticket, model->session, vl2_engine_tokenizer (model->engine) };
  struct vl2_generation generation = { 0 };
  int32_t exempt[2];
  vl2_writing *writing;
  SlGeneration *g = ticket->generation;
  vl2_status status;

  if (settings->pages > 0)
    sl_page_options_fill (model->engine, settings, exempt, &options);
  options.replay = sl_prompt_get_replay (ticket->prompt, &options.n_replay);
  status = vl2_writing_begin (model->session, &options, &ticket->cancel, on_token, &decoding, &writing, err);
  if (status == VL2_OK)
    {
      while (status == VL2_OK && !vl2_writing_is_over (writing))
        status = sl_guests_advance (model->guests, writing, err);
      vl2_writing_end (writing, &generation);
    }
  g_mutex_lock (&ticket->lock);
  g->output_tokens = ticket->status.decoded_tokens;
  g->first_token_ms = generation.first_token_ms;
  g->decode_ms = generation.decode_ms;
  g->mask_changed = generation.mask_changed;
  g->passes = generation.passes;
  g->drafted = generation.drafted;
  g->drafted_right = generation.drafted_right;
  g->one_by_one_ms = generation.one_by_one_ms;
  g->context_used = ticket->status.context_used = vl2_session_length (model->session);
  g->stop = sl_guests_stop_reason (generation.stop);
  ticket->status.tokens_per_second = sl_generation_get_speed (g);
  g_mutex_unlock (&ticket->lock);
  return status;
}

/* The first message whose pictures will be read. What does not fit and is left out, or refused, costs no decoding: of fifty large
 * photographs that would be gigabytes. */
static guint
find_first_read (const SlModelHandles *model,
                 SlTicket             *ticket)
{
  const SlSettings *settings = sl_prompt_get_settings (ticket->prompt);
  g_autoptr (SlPromptView) sizes = sl_prompt_view_new (ticket->prompt, SL_PROMPT_VIEW_SIZES, ticket->reading, NULL);
  const vl2_conversation *conversation = sizes != NULL ? sl_prompt_view_get (sizes) : NULL;
  struct vl2_plan plan;
  guint first = 0;

  if (conversation == NULL || vl2_session_plan (model->session, conversation, settings->max_tokens, &plan, NULL) != VL2_OK)
    return 0;
  if (!plan.fits && settings->overflow == SL_OVERFLOW_DROP_OLDEST)
    first = plan.choices[VL2_FIT_DROP_OLDEST].messages + (conversation->messages[0].role == VL2_SYSTEM);
  else if (!plan.fits && settings->overflow != SL_OVERFLOW_LOW_DETAIL)
    first = SL_PROMPT_VIEW_SIZES;
  vl2_plan_deinit (&plan);
  return first;
}

vl2_status
sl_inference_answer (const SlModelHandles *model,
                     SlTicket             *ticket,
                     vl2_error            *err)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SlPromptView) view = sl_prompt_view_new (ticket->prompt, find_first_read (model, ticket), ticket->reading, &error);
  vl2_status status;

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return VL2_CANCELLED;
  if (view == NULL)
    {
      g_strlcpy (err->text, error->message, sizeof err->text);
      return VL2_ERR_INPUT;
    }
  describe_job (model, ticket);
  sl_session_keeper_begin (model->keeper, model->session, sl_prompt_get_session (ticket->prompt), &ticket->cancel);
  status = read_prompt (model, ticket, view, err);
  if (status == VL2_OK)
    sl_session_keeper_end (model->keeper, sl_prompt_get_session (ticket->prompt));
  return status == VL2_OK ? write_answer (model, ticket, err) : status;
}
