/* SPDX-License-Identifier: MIT
 *
 * Answers in threads: a ticket is filled from the pieces of a stream. See the header.
 */
#include "app/remote/sl-remote-engine.h"

#include <math.h>
#include <string.h>

#include <glib/gi18n-lib.h>

#include "app/inference/sl-job-list.h"
#include "app/inference/sl-job-make.h"
#include "app/remote/sl-remote-client.h"
#include "app/remote/sl-remote-request.h"
#include "app/remote/sl-remote-tokens.h"
#include "app/system/sl-secret.h"

struct _SlRemoteEngine
{
  GObject parent_instance;

  SlRemoteServer *server;
  SlJobList *jobs;
};

enum { PROP_0, PROP_SERVER, N_PROPS };

static GParamSpec *properties[N_PROPS];

static void init_answerer (SlAnswererInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (SlRemoteEngine, sl_remote_engine, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (SL_TYPE_ANSWERER, init_answerer))

/* ------------------------------------------------------------------------------------------------ an answer, in its thread */

typedef struct
{
  SlTicket *ticket;
  SlRemoteServer *server;
  gint64 start;   /* monotonic µs */
  gboolean coarse; /* some stretch of the text was no token: those that came have other places than the server's */
} Answer;

static void
answer_free (Answer *self)
{
  sl_ticket_unref (self->ticket);
  sl_remote_server_unref (self->server);
  g_free (self);
}

static void
take_text (char       **field,
           char        *text)
{
  g_free (*field);
  *field = text;
}

/* Nothing has to be assumed of what its numbers are, unless the user said something else. */
static gboolean
writes_our_boxes (const SlRemoteServer *server)
{
  return sl_remote_preset_get_traits (server->preset)->ours && server->space.scale == SL_BOX_SCALE_AUTO &&
         server->space.order == SL_BOX_ORDER_AUTO;
}

/* What is known before the server is asked. */
static void
describe (Answer *self)
{
  const SlSettings *settings = sl_prompt_get_settings (self->ticket->prompt);
  SlGeneration *g = self->ticket->generation;

  g_mutex_lock (&self->ticket->lock);
  take_text (&g->model, g_strdup (self->server->model[0] != '\0' ? self->server->model : self->server->name));
  take_text (&g->device, g_strdup (self->server->name));
  take_text (&g->place, sl_remote_server_dup_host (self->server));
  if (!writes_our_boxes (self->server))
    take_text (&g->boxes_as, sl_box_space_to_text (&self->server->space));
  g->temperature = settings->sampling.temperature;
  g->top_p = settings->sampling.top_p;
  g->top_k = settings->sampling.top_k;
  g->repetition_penalty = settings->sampling.repetition_penalty;
  g->seed = settings->seed;
  g->max_tokens = settings->max_tokens;
  g->constrained = settings->constrain_boxes && sl_remote_preset_get_traits (self->server->preset)->ours;
  self->ticket->status.state = SL_JOB_PREFILL;
  self->ticket->status.elsewhere = TRUE;
  g_mutex_unlock (&self->ticket->lock);
}

static void
on_mark (const char *text,
         gsize       length,
         float       logprob,
         gpointer    user_data)
{
  Answer *self = user_data;

  sl_token_ring_push (self->ticket->ring, isnan (logprob) ? -1 : SL_TOKEN_UNNUMBERED, logprob, text, length);
}

/* With the lock held: the alternatives of tokens that come next. */
static void
note_alternatives (SlGeneration  *g,
                   guint          first,
                   const SlReply *reply)
{
  for (guint i = 0; i < reply->tokens->len; i++)
    {
      const SlReplyToken *token = &g_array_index (reply->tokens, SlReplyToken, i);
      const GArray *others = token->alternatives;

      for (guint a = 0; others != NULL && a < MIN (others->len, SL_MAX_ALTERNATIVES); a++)
        {
          const SlReplyAlternative *other = &g_array_index (others, SlReplyAlternative, a);
          g_autofree char *text = g_utf8_make_valid (other->text, (gssize) other->length);
          gboolean chosen = other->length == token->length && memcmp (other->text, token->text, token->length) == 0;

          sl_generation_add_alternative (g, first + i, chosen ? SL_TOKEN_UNNUMBERED : -1, other->logprob, text);
        }
    }
}

/* With the lock held: our own server says what its numbers are, and what they were drawn from. */
static void
note_boxes (Answer        *self,
            const SlReply *reply)
{
  const SlBoxSpace *said = &self->server->space;
  const SlBoxSpace known = { .scale = SL_BOX_SCALE_999, .order = SL_BOX_ORDER_X_FIRST };
  SlGeneration *g = self->ticket->generation;

  if (!writes_our_boxes (self->server) && said->scale == SL_BOX_SCALE_AUTO && said->order == SL_BOX_ORDER_AUTO)
    take_text (&g->boxes_as, sl_box_space_to_text (&known));
  if (!self->coarse)
    sl_remote_tokens_note_coordinates (reply, 0, self->ticket->status.decoded_tokens, g);
}

static void
on_piece (const SlReply *reply,
          gpointer       user_data)
{
  Answer *self = user_data;
  SlTicket *ticket = self->ticket;
  SlGeneration *g = ticket->generation;
  gboolean one_each = sl_remote_tokens_split (reply, on_mark, self);
  guint n_marks = reply->text == NULL ? 0 : one_each ? reply->tokens->len : 1;

  g_mutex_lock (&ticket->lock);
  if (one_each)
    note_alternatives (g, ticket->status.decoded_tokens, reply);
  if (n_marks > 0 && ticket->status.state != SL_JOB_DECODING)
    {
      ticket->status.state = SL_JOB_DECODING;
      ticket->decoding_since = g_get_monotonic_time ();
      g->first_token_ms = (double) (ticket->decoding_since - self->start) / 1000;
    }
  ticket->status.decoded_tokens += n_marks;
  self->coarse |= n_marks > 0 && !one_each;
  if (reply->has_boxes)
    note_boxes (self, reply);
  if (reply->reasoning != NULL)
    {
      take_text (&g->reasoning, g_strconcat (g->reasoning, reply->reasoning, NULL));
      ticket->status.reasoning_bytes = strlen (g->reasoning);
    }
  if (reply->model != NULL && self->server->model[0] == '\0')
    take_text (&g->model, g_strdup (reply->model));
  if (reply->stop != SL_STOP_NONE)
    g->stop = reply->stop;
  if (reply->has_usage)
    {
      g->prompt_tokens = ticket->status.prompt_tokens = reply->prompt_tokens;
      g->reused_tokens = ticket->status.reused_tokens = reply->cached_tokens;
      g->output_tokens = reply->output_tokens;
    }
  g_mutex_unlock (&ticket->lock);
}

static gboolean
ask_server (Answer          *self,
            SlRemoteClient  *client,
            GError         **error)
{
  SlRemoteWish wish = { .stream = TRUE, .logprobs = TRUE };

  for (;;)
    {
      g_autoptr (GError) cause = NULL;
      g_autoptr (GBytes) body = sl_remote_request_build (self->server, self->ticket->prompt, &wish, NULL, self->ticket->reading, error);

      if (body == NULL)
        return FALSE;
      if (sl_remote_client_ask (client, body, on_piece, self, self->ticket->reading, &cause))
        return TRUE;
      if (!wish.logprobs || !g_error_matches (cause, SL_REMOTE_ERROR, SL_REMOTE_ERROR_REFUSED) || strstr (cause->message, "logprob") == NULL)
        {
          g_propagate_error (error, g_steal_pointer (&cause));
          return FALSE;
        }
      wish.logprobs = FALSE; /* a server that has none: ask without */
    }
}

static void
end_answer (Answer       *self,
            const GError *error)
{
  SlTicket *ticket = self->ticket;

  g_mutex_lock (&ticket->lock);
  if (ticket->generation->output_tokens > 0) /* as the server counts them: a piece may hold several */
    ticket->status.decoded_tokens = ticket->generation->output_tokens;
  ticket->generation->output_tokens = ticket->status.decoded_tokens;
  if (ticket->decoding_since > 0)
    ticket->generation->decode_ms = (double) (g_get_monotonic_time () - ticket->decoding_since) / 1000;
  ticket->status.tokens_per_second = sl_generation_get_speed (ticket->generation);
  g_mutex_unlock (&ticket->lock);
  if (error == NULL)
    sl_ticket_finish (ticket, SL_JOB_DONE, NULL);
  else if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    sl_ticket_finish (ticket, SL_JOB_STOPPED, NULL);
  else
    sl_ticket_finish (ticket, SL_JOB_FAILED, error->message);
}

static gpointer
answer_main (gpointer data)
{
  Answer *self = data;
  g_autoptr (GError) error = NULL;
  g_autofree char *host = sl_remote_server_dup_host (self->server);
  char *key;

  describe (self);
  key = sl_secret_lookup (SL_SECRET_ENGINE, host, self->ticket->reading, NULL); /* without one the server says whether it wants one */
  if (!g_cancellable_set_error_if_cancelled (self->ticket->reading, &error))
    {
      g_autoptr (SlRemoteClient) client = sl_remote_client_new (self->server, key, NULL);

      ask_server (self, client, &error);
    }
  sl_secret_free (key);
  end_answer (self, error);
  answer_free (self);
  return NULL;
}

/* ------------------------------------------------------------------------------------------------ UI thread */

static void
stop_ticket (SlTicket *ticket,
             gpointer  owner)
{
  sl_ticket_cancel (ticket);
}

static SlJob *
answerer_submit (SlAnswerer *answerer,
                 SlPrompt   *prompt)
{
  SlRemoteEngine *self = SL_REMOTE_ENGINE (answerer);
  SlTicket *ticket = sl_ticket_new (prompt);
  SlJob *job = sl_job_new (ticket, stop_ticket, self);

  if (!self->server->confirmed)
    {
      g_autofree char *host = sl_remote_server_dup_host (self->server);
      g_autofree char *reason = g_strdup_printf (_("Nothing was sent: nobody has agreed yet that questions and pictures go to %s."), host);

      sl_ticket_finish (ticket, SL_JOB_FAILED, reason);
    }
  else
    {
      Answer *answer = g_new0 (Answer, 1);

      *answer = (Answer) { sl_ticket_ref (ticket), sl_remote_server_ref (self->server), g_get_monotonic_time () };
      g_thread_unref (g_thread_new ("sightline-remote", answer_main, answer));
    }
  sl_ticket_unref (ticket);
  sl_job_list_add (self->jobs, job);
  return job;
}

static const char *
answerer_get_id (SlAnswerer *answerer)
{
  return SL_REMOTE_ENGINE (answerer)->server->id;
}

static char *
answerer_dup_place (SlAnswerer *answerer)
{
  return sl_remote_server_dup_host (SL_REMOTE_ENGINE (answerer)->server);
}

static char *
answerer_dup_why_not (SlAnswerer *answerer,
                      SlAbility   ability)
{
  SlRemoteServer *server = SL_REMOTE_ENGINE (answerer)->server;

  switch (ability)
    {
    case SL_ABILITY_PLAN:
      return g_strdup_printf (_("%s does not tell beforehand what a question costs."), server->name);
    case SL_ABILITY_ATTENTION:
      return g_strdup_printf (_("%s does not tell what its model looked at."), server->name);
    case SL_ABILITY_CONSTRAIN:
      return sl_remote_preset_get_traits (server->preset)->ours
               ? NULL
               : g_strdup_printf (_("%s does not keep boxes to their grammar."), server->name);
    case SL_ABILITY_CONTINUE:
      return sl_remote_preset_get_traits (server->preset)->continues
               ? NULL
               : g_strdup_printf (_("%s cannot go on with an answer: ask again instead."), server->name);
    case SL_ABILITY_SAMPLE:
      return sl_remote_preset_get_traits (server->preset)->samples_more
               ? NULL
               : g_strdup_printf (_("%s does not know this setting."), server->name);
    case SL_ABILITY_SEED:
      return sl_remote_preset_get_traits (server->preset)->seeds ? NULL
                                                                 : g_strdup_printf (_("%s does not know this setting."), server->name);
    case SL_ABILITY_DETAIL:
      return sl_remote_preset_get_traits (server->preset)->ours ? NULL
                                                                : g_strdup_printf (_("%s does not know this setting."), server->name);
    default:
      return NULL;
    }
}

static void
init_answerer (SlAnswererInterface *iface)
{
  iface->submit = answerer_submit;
  iface->get_id = answerer_get_id;
  iface->dup_place = answerer_dup_place;
  iface->dup_why_not = answerer_dup_why_not;
}

static void
sl_remote_engine_get_property (GObject    *object,
                               guint       id,
                               GValue     *value,
                               GParamSpec *pspec)
{
  if (id == PROP_SERVER)
    g_value_set_pointer (value, SL_REMOTE_ENGINE (object)->server);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
sl_remote_engine_finalize (GObject *object)
{
  SlRemoteEngine *self = SL_REMOTE_ENGINE (object);

  sl_remote_server_unref (self->server);
  sl_job_list_free (self->jobs);
  G_OBJECT_CLASS (sl_remote_engine_parent_class)->finalize (object);
}

static void
sl_remote_engine_class_init (SlRemoteEngineClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = sl_remote_engine_get_property;
  object_class->finalize = sl_remote_engine_finalize;
  properties[PROP_SERVER] = g_param_spec_pointer ("server", NULL, NULL,
                                                  G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY);
  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
sl_remote_engine_init (SlRemoteEngine *self)
{
  self->jobs = sl_job_list_new ();
}

SlRemoteEngine *
sl_remote_engine_new (SlRemoteServer *server)
{
  SlRemoteEngine *self = g_object_new (SL_TYPE_REMOTE_ENGINE, NULL);

  self->server = sl_remote_server_ref (server);
  return self;
}

SlRemoteServer *
sl_remote_engine_get_server (SlRemoteEngine *self)
{
  g_return_val_if_fail (SL_IS_REMOTE_ENGINE (self), NULL);

  return self->server;
}

void
sl_remote_engine_set_server (SlRemoteEngine *self,
                             SlRemoteServer *server)
{
  g_return_if_fail (SL_IS_REMOTE_ENGINE (self));

  sl_remote_server_ref (server);
  sl_remote_server_unref (self->server);
  self->server = server;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_SERVER]);
}
