/* SPDX-License-Identifier: MIT
 *
 * The UI thread's end of a ticket: what has arrived becomes text, numbers and signals. UI thread only.
 */
#include "app/inference/sl-job.h"

#include "app/inference/sl-job-make.h"

struct _SlJob
{
  GObject parent_instance;

  SlTicket *ticket;
  GObject *owner; /* weak */
  SlTicketStop stop;
  GString *text;
  SlGeneration *generation;
  SlJobStatus status;
  guint finished : 1;
  guint draining : 1;
};

enum { PROP_0, PROP_STATE, PROP_POSITION, N_PROPS };
enum { TEXT, CHANGED, FINISHED, N_SIGNALS };

static GParamSpec *properties[N_PROPS];
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (SlJob, sl_job, G_TYPE_OBJECT)

static gboolean
is_final (SlJobState state)
{
  return state == SL_JOB_DONE || state == SL_JOB_STOPPED || state == SL_JOB_FAILED;
}

static void
sl_job_get_property (GObject    *object,
                     guint       id,
                     GValue     *value,
                     GParamSpec *pspec)
{
  SlJob *self = SL_JOB (object);

  switch (id)
    {
    case PROP_STATE:
      g_value_set_int (value, self->status.state);
      break;
    case PROP_POSITION:
      g_value_set_uint (value, self->status.position);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
sl_job_finalize (GObject *object)
{
  SlJob *self = SL_JOB (object);

  g_clear_weak_pointer (&self->owner);
  g_clear_pointer (&self->ticket, sl_ticket_unref);
  g_string_free (self->text, TRUE);
  sl_generation_free (self->generation);
  G_OBJECT_CLASS (sl_job_parent_class)->finalize (object);
}

static void
sl_job_class_init (SlJobClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;
  GType type = G_TYPE_FROM_CLASS (klass);

  object_class->get_property = sl_job_get_property;
  object_class->finalize = sl_job_finalize;

  properties[PROP_STATE] = g_param_spec_int ("state", NULL, NULL, 0, SL_JOB_FAILED, 0, flags);
  properties[PROP_POSITION] = g_param_spec_uint ("position", NULL, NULL, 0, G_MAXUINT, 0, flags);
  g_object_class_install_properties (object_class, N_PROPS, properties);

  signals[TEXT] = g_signal_new ("text", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1,
                                G_TYPE_STRING | G_SIGNAL_TYPE_STATIC_SCOPE);
  signals[CHANGED] = g_signal_new ("changed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  signals[FINISHED] = g_signal_new ("finished", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
sl_job_init (SlJob *self)
{
  self->text = g_string_new (NULL);
  self->generation = sl_generation_new ();
}

SlJob *
sl_job_new (SlTicket     *ticket,
            SlTicketStop  stop,
            gpointer      owner)
{
  SlJob *self = g_object_new (SL_TYPE_JOB, NULL);

  g_set_weak_pointer (&self->owner, owner);
  self->stop = stop;
  self->ticket = sl_ticket_ref (ticket);
  return self;
}

/* The record without its tokens, which are collected here. */
static void
take_generation (SlJob              *self,
                 const SlGeneration *live)
{
  SlGeneration *copy = sl_generation_copy (live);

  g_array_unref (copy->tokens);
  copy->tokens = g_steal_pointer (&self->generation->tokens);
  self->generation->tokens = g_array_new (FALSE, FALSE, sizeof (SlTokenMark));
  sl_generation_free (self->generation);
  self->generation = copy;
}

/* What the ticket says now. TRUE if anything differs from before. */
static gboolean
read_ticket (SlJob *self)
{
  SlTicket *ticket = self->ticket;
  SlJobStatus status;
  gboolean differs;

  g_mutex_lock (&ticket->lock);
  status = ticket->status;
  if (status.state == SL_JOB_DECODING)
    {
      double seconds = (g_get_monotonic_time () - ticket->decoding_since) / 1e6;

      status.tokens_per_second = seconds > 0 ? status.decoded_tokens / seconds : 0;
    }
  differs = status.state != self->status.state || status.position != self->status.position
            || status.fraction != self->status.fraction || status.prompt_tokens != self->status.prompt_tokens
            || status.decoded_tokens != self->status.decoded_tokens
            || status.reasoning_bytes != self->status.reasoning_bytes || status.context_used != self->status.context_used;
  if (status.state != self->status.state || is_final (status.state))
    take_generation (self, ticket->generation);
  g_mutex_unlock (&ticket->lock);

  self->generation->output_tokens = status.decoded_tokens;
  self->status = status;
  return differs;
}

static void
drain_text (SlJob *self)
{
  gsize before = self->text->len;

  sl_token_ring_drain (self->ticket->ring, is_final (self->status.state), self->text, self->generation->tokens);
  if (self->text->len > before)
    {
      g_autofree char *delta = g_strdup (self->text->str + before);

      g_signal_emit (self, signals[TEXT], 0, delta);
    }
}

gboolean
sl_job_drain (SlJob *self)
{
  g_autoptr (SlJob) alive = NULL;
  SlJobStatus before;

  g_return_val_if_fail (SL_IS_JOB (self), FALSE);

  if (self->finished || self->draining)
    return !self->finished;
  alive = g_object_ref (self);
  self->draining = TRUE;
  before = self->status;
  /* The state is read first: a final one means that the ring holds everything. */
  if (read_ticket (self))
    g_signal_emit (self, signals[CHANGED], 0);
  drain_text (self);
  if (self->status.state != before.state)
    g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_STATE]);
  if (self->status.position != before.position)
    g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_POSITION]);
  self->draining = FALSE;
  if (is_final (self->status.state))
    {
      self->finished = TRUE;
      g_signal_emit (self, signals[FINISHED], 0);
    }
  return !self->finished;
}

void
sl_job_stop (SlJob *self)
{
  g_return_if_fail (SL_IS_JOB (self));

  if (self->owner != NULL)
    self->stop (self->ticket, self->owner);
}

SlJobState
sl_job_get_state (SlJob *self)
{
  g_return_val_if_fail (SL_IS_JOB (self), SL_JOB_FAILED);

  return self->status.state;
}

gboolean
sl_job_is_finished (SlJob *self)
{
  g_return_val_if_fail (SL_IS_JOB (self), TRUE);

  return self->finished;
}

guint
sl_job_get_position (SlJob *self)
{
  g_return_val_if_fail (SL_IS_JOB (self), 0);

  return self->status.position;
}

const SlJobStatus *
sl_job_get_status (SlJob *self)
{
  g_return_val_if_fail (SL_IS_JOB (self), NULL);

  return &self->status;
}

const char *
sl_job_get_text (SlJob *self)
{
  g_return_val_if_fail (SL_IS_JOB (self), NULL);

  return self->text->str;
}

const char *
sl_job_get_error_text (SlJob *self)
{
  g_return_val_if_fail (SL_IS_JOB (self), NULL);

  return self->status.state == SL_JOB_FAILED ? self->generation->error : NULL;
}

const SlGeneration *
sl_job_get_generation (SlJob *self)
{
  g_return_val_if_fail (SL_IS_JOB (self), NULL);

  return self->generation;
}

guint
sl_job_peek_decoded (SlJob *self)
{
  guint decoded;

  g_mutex_lock (&self->ticket->lock);
  decoded = self->ticket->status.decoded_tokens;
  g_mutex_unlock (&self->ticket->lock);
  return decoded;
}
