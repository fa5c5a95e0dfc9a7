/* SPDX-License-Identifier: MIT
 *
 * What has happened on the writer thread, told on the UI thread as changed properties and signals, however often it happened.
 */
#include "app/store/sl-store-private.h"

guint
sl_store_count_pending (SlStore *self)
{
  guint count = 0;

  for (GList *l = self->writes.head; l != NULL; l = l->next)
    count += !((SlStoreOp *) l->data)->chore;
  return count;
}

typedef struct
{
  char *text;
  int code;
  SlStoreState state;
  guint n_opened, pending;
  gboolean blocked;
  GArray *changed, *unsaved;
} News;

/* What matters most first. */
static void
choose_sentence (SlStore *self,
                 News    *news)
{
  const GError *errors[] = { self->failure, self->damage, self->refusal };

  news->code = -1;
  for (guint i = 0; i < G_N_ELEMENTS (errors) && news->text == NULL; i++)
    if (errors[i] != NULL)
      {
        news->text = g_strdup (errors[i]->message);
        news->code = errors[i]->code;
      }
  if (news->text == NULL)
    news->text = g_strdup (self->notice);
}

static void
note_id (GArray *ids,
         gint64  id)
{
  for (guint i = 0; i < ids->len; i++)
    if (g_array_index (ids, gint64, i) == id)
      return;
  g_array_append_val (ids, id);
}

static News
take_news (SlStore *self)
{
  News news = { 0 };

  g_mutex_lock (&self->lock);
  g_clear_pointer (&self->source, g_source_unref);
  choose_sentence (self, &news);
  news.state = self->state;
  news.n_opened = self->n_opened;
  news.pending = sl_store_count_pending (self);
  news.blocked = self->blocked;
  news.changed = self->changed;
  self->changed = g_array_new (FALSE, FALSE, sizeof (gint64));
  news.unsaved = g_array_new (FALSE, FALSE, sizeof (gint64));
  for (GList *l = self->writes.head; self->blocked && self->unsaved && l != NULL; l = l->next)
    if (((SlStoreOp *) l->data)->changes != 0)
      note_id (news.unsaved, ((SlStoreOp *) l->data)->changes);
  self->unsaved = self->unsaved && !self->blocked;
  g_mutex_unlock (&self->lock);
  return news;
}

static void
tell_properties (SlStore *self,
                 News    *news)
{
  gboolean opened = news->state != self->told_state || news->n_opened != self->told_opened;
  gboolean text = g_strcmp0 (news->text, self->error_text) != 0 || news->code != self->error_code;
  gboolean blocked = news->blocked != self->told_blocked;
  gboolean pending = news->pending != self->pending;

  g_free (self->error_text);
  self->error_text = g_steal_pointer (&news->text);
  self->error_code = news->code;
  self->told_state = news->state;
  self->told_opened = news->n_opened;
  self->told_blocked = news->blocked;
  self->pending = news->pending;
  if (opened)
    g_object_notify (G_OBJECT (self), "state");
  if (blocked)
    g_object_notify (G_OBJECT (self), "blocked");
  if (text)
    g_object_notify (G_OBJECT (self), "error-text");
  if (pending)
    g_object_notify (G_OBJECT (self), "pending");
}

static gboolean
tell_news (gpointer data)
{
  g_autoptr (SlStore) self = g_object_ref (data);
  News news = take_news (self);
  g_autoptr (GArray) changed = news.changed, unsaved = news.unsaved;

  tell_properties (self, &news);
  for (guint i = 0; i < changed->len; i++)
    g_signal_emit_by_name (self, "conversation-changed", g_array_index (changed, gint64, i));
  for (guint i = 0; i < unsaved->len; i++)
    g_signal_emit_by_name (self, "conversation-unsaved", g_array_index (unsaved, gint64, i));
  return G_SOURCE_REMOVE;
}

void
sl_store_post_news (SlStore *self)
{
  if (self->source != NULL)
    return;
  self->source = g_idle_source_new ();
  g_source_set_priority (self->source, G_PRIORITY_DEFAULT);
  g_source_set_callback (self->source, tell_news, self, NULL);
  g_source_attach (self->source, self->context);
}
