/* SPDX-License-Identifier: MIT
 *
 * Asks what a sample of the empty state shows: its pictures are read first.
 */
#include "ui/window/sl-window-private.h"

#include "app/system/sl-places.h"
#include "ui/chat/sl-sample.h"

typedef struct
{
  SlWindow *window;
  SlConversation *conversation; /* where it was chosen */
  GPtrArray *pictures; /* SlPicture or NULL, by place */
  char *prompt;
  SlMode mode;
  gboolean raw;
  guint pending;
} SampleRun;

typedef struct
{
  SampleRun *run;
  guint index;
} SamplePicture;

static void
unref_picture (gpointer picture)
{
  if (picture != NULL)
    g_object_unref (picture);
}

/* The window may have been closed, or show another conversation by now. */
static void
finish_sample (SampleRun *run)
{
  SlWindow *self = run->window;
  g_autoptr (GPtrArray) parts = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < run->pictures->len; i++)
    if (run->pictures->pdata[i] != NULL)
      g_ptr_array_add (parts, sl_message_part_new_picture (run->pictures->pdata[i], SL_DETAIL_AUTO));
  g_ptr_array_add (parts, sl_message_part_new_text (run->prompt));
  if (self->toasts != NULL && parts->len > 1)
    {
      if (self->conversation == run->conversation)
        sl_composer_set_mode (self->composer, run->mode);
      if (sl_conversation_send (run->conversation, parts, run->mode, run->raw, NULL, &error) == NULL)
        sl_window_toast (self, error->message);
    }
  g_ptr_array_unref (run->pictures);
  g_free (run->prompt);
  g_object_unref (run->conversation);
  g_object_unref (run->window);
  g_free (run);
}

static void
on_sample_picture (GObject      *source,
                   GAsyncResult *result,
                   gpointer      data)
{
  SamplePicture *slot = data;
  SampleRun *run = slot->run;
  g_autoptr (GError) error = NULL;
  SlPicture *picture = sl_picture_new_finish (result, &error);

  if (picture == NULL && run->window->toasts != NULL)
    sl_window_toast (run->window, error->message);
  run->pictures->pdata[slot->index] = picture;
  g_free (slot);
  if (--run->pending == 0)
    finish_sample (run);
}

void
sl_window_ask_sample (SlWindow       *self,
                      const SlSample *sample)
{
  SampleRun *run = g_new0 (SampleRun, 1);

  if (self->restoring)
    sl_window_stay (self);
  run->window = g_object_ref (self);
  run->conversation = g_object_ref (self->conversation);
  run->pictures = g_ptr_array_new_with_free_func (unref_picture);
  g_ptr_array_set_size (run->pictures, sample->paths->len);
  run->prompt = g_strdup (sample->prompt);
  run->mode = sample->mode;
  run->raw = sample->raw;
  run->pending = sample->paths->len;
  for (guint i = 0; i < sample->paths->len; i++)
    {
      SamplePicture *slot = g_new0 (SamplePicture, 1);
      g_autoptr (GFile) file = g_file_new_for_path (sample->paths->pdata[i]);

      slot->run = run;
      slot->index = i;
      sl_picture_new_from_file_async (file, NULL, on_sample_picture, slot);
    }
}

void
sl_window_try_model (SlWindow   *self,
                     const char *dir)
{
  g_autofree char *data_dir = sl_places_dup_data_dir ();
  g_autoptr (GPtrArray) samples = sl_sample_load_all (data_dir);

  g_return_if_fail (SL_IS_WINDOW (self));

  sl_window_load_model (self, dir, TRUE);
  gtk_widget_activate_action (GTK_WIDGET (self), "win.new-chat", NULL);
  if (samples->len > 0 && sl_conversation_get_answerer (self->conversation) == SL_ANSWERER (self->engine))
    sl_window_ask_sample (self, samples->pdata[0]);
}
