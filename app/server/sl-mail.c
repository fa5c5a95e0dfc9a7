/* SPDX-License-Identifier: MIT
 *
 * One lock, one queue, one source that runs while there is something to read.
 */
#include "app/server/sl-mail.h"

struct _SlMail
{
  gatomicrefcount refs;
  GMainContext *context;
  void (*arrived) (gpointer reader, SlNews *news);
  gpointer reader; /* the context's thread only; NULL: it has left */

  GMutex lock;
  SlNews news;
  gboolean woken;
};

static void
news_clear (SlNews *news)
{
  SlChatToken *token;

  while ((token = g_queue_pop_head (&news->tokens)) != NULL)
    sl_chat_token_free (token);
  g_clear_pointer (&news->reason, g_free);
}

SlMail *
sl_mail_new (GMainContext *context,
             void        (*arrived) (gpointer reader, SlNews *news),
             gpointer      reader)
{
  SlMail *self = g_new0 (SlMail, 1);

  g_atomic_ref_count_init (&self->refs);
  g_mutex_init (&self->lock);
  g_queue_init (&self->news.tokens);
  self->context = g_main_context_ref (context);
  self->arrived = arrived;
  self->reader = reader;
  return self;
}

SlMail *
sl_mail_ref (SlMail *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
sl_mail_unref (gpointer data)
{
  SlMail *self = data;

  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  news_clear (&self->news);
  g_main_context_unref (self->context);
  g_mutex_clear (&self->lock);
  g_free (self);
}

void
sl_mail_close (SlMail *self)
{
  self->reader = NULL;
  sl_mail_unref (self);
}

gpointer
sl_mail_get_reader (SlMail *self)
{
  return self->reader;
}

GMainContext *
sl_mail_get_context (SlMail *self)
{
  return self->context;
}

static gboolean
on_woken (gpointer data)
{
  SlMail *self = data;
  SlNews news;

  g_mutex_lock (&self->lock);
  news = self->news;
  g_queue_init (&self->news.tokens);
  self->news.reason = NULL;
  self->news.has_read = FALSE;
  self->woken = FALSE;
  g_mutex_unlock (&self->lock);
  if (self->reader != NULL)
    self->arrived (self->reader, &news);
  news_clear (&news);
  return G_SOURCE_REMOVE;
}

/* With the lock held. */
static void
wake (SlMail *self)
{
  GSource *source;

  if (self->woken)
    return;
  self->woken = TRUE;
  source = g_idle_source_new ();
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, on_woken, sl_mail_ref (self), sl_mail_unref);
  g_source_attach (source, self->context);
  g_source_unref (source);
}

/* ------------------------------------------------------------------------------------------------ on the engine's thread */

static void
on_read (gpointer data,
         guint    prompt_tokens,
         guint    reused_tokens)
{
  SlMail *self = data;

  g_mutex_lock (&self->lock);
  self->news.has_read = TRUE;
  self->news.prompt_tokens = prompt_tokens;
  self->news.reused_tokens = reused_tokens;
  wake (self);
  g_mutex_unlock (&self->lock);
}

static SlChatToken *
copy_token (const SlGuestToken *in)
{
  SlChatToken *token = g_new0 (SlChatToken, 1);

  token->id = in->id;
  token->logprob = in->logprob;
  token->text = g_strndup (in->text, in->length);
  token->length = in->length;
  if (in->n_alternatives > 0)
    token->alternatives = g_array_sized_new (FALSE, FALSE, sizeof (SlAlternative), in->n_alternatives);
  for (guint i = 0; i < in->n_alternatives; i++)
    {
      SlAlternative copy = in->alternatives[i];

      copy.text = g_strdup (copy.text);
      g_array_append_val (token->alternatives, copy);
    }
  token->has_coordinate = in->coordinate != NULL;
  if (in->coordinate != NULL)
    token->coordinate = *in->coordinate;
  token->completes = in->completes;
  return token;
}

static void
on_token (gpointer            data,
          const SlGuestToken *in)
{
  SlMail *self = data;
  SlChatToken *token = copy_token (in);

  g_mutex_lock (&self->lock);
  g_queue_push_tail (&self->news.tokens, token);
  wake (self);
  g_mutex_unlock (&self->lock);
}

static void
on_ended (gpointer      data,
          SlGuestEnd    end,
          SlStopReason  stop,
          const char   *reason)
{
  SlMail *self = data;

  g_mutex_lock (&self->lock);
  self->news.has_ended = TRUE;
  self->news.end = end;
  self->news.stop = stop;
  self->news.reason = g_strdup (reason);
  wake (self);
  g_mutex_unlock (&self->lock);
}

const SlGuestEvents sl_mail_events = { on_read, on_token, on_ended };
