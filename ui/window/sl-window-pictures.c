/* SPDX-License-Identifier: MIT
 *
 * Pictures that come into the window: dropped, pasted, chosen, given at the start. They are for the conversation that was shown
 * when they came, and wait for it where another one is shown by the time they are decoded. Part of SlWindow; UI thread.
 */
#include "ui/window/sl-window-private.h"

#include "ui/sl-choose.h"

#include <glib/gi18n.h>

/* --- decoded --------------------------------------------------------------- */

/* A picture whose conversation is not shown. */
typedef struct
{
  gint64 conversation; /* 0: one in which nothing has been asked yet; one such is like another */
  SlPicture *picture;
} Waiting;

static void
waiting_free (gpointer data)
{
  Waiting *waiting = data;

  g_object_unref (waiting->picture);
  g_free (waiting);
}

gint64
sl_window_key_of (SlConversation *conversation)
{
  return g_list_model_get_n_items (G_LIST_MODEL (conversation)) > 0 ? sl_conversation_get_id (conversation) : 0;
}

/* What is a logo elsewhere may be a black rectangle here. */
static void
tell_if_transparent (SlWindow  *self,
                     SlPicture *picture)
{
  g_autofree char *sentence = NULL;

  if (!sl_picture_get_transparent (picture))
    return;
  sentence = g_strdup_printf (_("“%s” is transparent, and the model sees the colors below. Its swatch lays it on white."),
                              sl_picture_get_name (picture));
  sl_window_toast (self, sentence);
}

static void
on_picture (SlWindow       *self,
            SlPicture      *picture,
            SlConversation *conversation)
{
  Waiting *waiting;

  if (conversation == NULL || conversation == self->conversation)
    {
      gtk_stack_set_visible_child_name (self->pages, "main");
      sl_composer_add_picture (self->composer, picture);
      sl_composer_grab_focus (self->composer);
      tell_if_transparent (self, picture);
      return;
    }
  waiting = g_new (Waiting, 1);
  waiting->conversation = sl_window_key_of (conversation);
  waiting->picture = g_object_ref (picture);
  g_ptr_array_add (self->waiting, waiting);
}

void
sl_window_take_waiting_pictures (SlWindow *self)
{
  gint64 key = sl_window_key_of (self->conversation);

  for (guint i = 0; i < self->waiting->len;)
    {
      Waiting *waiting = self->waiting->pdata[i];

      if (waiting->conversation != key)
        {
          i++;
          continue;
        }
      sl_composer_add_picture (self->composer, waiting->picture);
      g_ptr_array_remove_index (self->waiting, i);
    }
}

/* Whom a picture is for that comes now. While the last conversation is being opened: the one that is shown then. */
static GObject *
get_target (SlWindow *self)
{
  return self->restoring ? NULL : G_OBJECT (self->conversation);
}

static void
on_intake_failed (SlWindow   *self,
                  guint       count,
                  const char *sentence)
{
  g_autofree char *more = NULL;

  if (count > 1)
    more = g_strdup_printf (ngettext ("%s (and %u more)", "%s (and %u more)", count - 1), sentence,
                            count - 1);
  sl_window_toast (self, more ? more : sentence);
}

static void
on_intake_busy (SlWindow *self)
{
  g_object_set (self->composer, "receiving", sl_intake_is_busy (self->intake), NULL);
}

void
sl_window_add_files (SlWindow   *self,
                     GListModel *files)
{
  g_return_if_fail (SL_IS_WINDOW (self));
  sl_intake_add_files (self->intake, files, get_target (self));
}

/* --- dropped --------------------------------------------------------------- */

static gboolean
on_drop_accept (SlWindow *self,
                GdkDrop  *drop)
{
  /* A picture that is moved inside the composer is not for us. */
  return gdk_drop_get_drag (drop) == NULL && sl_intake_accepts (gdk_drop_get_formats (drop));
}

static GdkDragAction
on_drop_enter (SlWindow *self)
{
  gtk_revealer_set_reveal_child (self->drop_highlight, TRUE);
  return GDK_ACTION_COPY;
}

static void
let_go (GtkDropTarget *target)
{
  g_signal_emit_by_name (target, "leave"); /* so that it shows no place for the text */
  gtk_drop_target_reject (target);
}

/* Text below the pointer would take the address, too. GTK on X11 tells of a drop's end only when the next drag comes, and
 * only what is under it by then; text that was hidden in the meantime would keep the old drop and complain about the next. */
static void
keep_from_text (SlWindow *self,
                GdkDrop  *drop,
                double    x,
                double    y)
{
  GtkWidget *widget = gtk_widget_pick (GTK_WIDGET (self), x, y, GTK_PICK_DEFAULT);

  for (; widget != NULL && widget != GTK_WIDGET (self); widget = gtk_widget_get_parent (widget))
    {
      g_autoptr (GListModel) controllers = gtk_widget_observe_controllers (widget);

      for (guint i = 0; i < g_list_model_get_n_items (controllers); i++)
        {
          g_autoptr (GtkEventController) controller = g_list_model_get_item (controllers, i);

          if (GTK_IS_DROP_TARGET (controller) && gtk_drop_target_get_current_drop (GTK_DROP_TARGET (controller)) == drop)
            let_go (GTK_DROP_TARGET (controller));
        }
    }
}

static GdkDragAction
on_drop_motion (SlWindow *self,
                GdkDrop  *drop,
                double    x,
                double    y)
{
  keep_from_text (self, drop, x, y);
  return GDK_ACTION_COPY;
}

static void
on_drop_leave (SlWindow *self)
{
  gtk_revealer_set_reveal_child (self->drop_highlight, FALSE);
}

static gboolean
on_drop (SlWindow *self,
         GdkDrop  *drop,
         double    x,
         double    y)
{
  keep_from_text (self, drop, x, y);
  gtk_revealer_set_reveal_child (self->drop_highlight, FALSE);
  sl_intake_add_drop (self->intake, drop, get_target (self));
  return TRUE;
}

static void
add_drop_target (SlWindow *self)
{
  GtkDropTargetAsync *target = gtk_drop_target_async_new (NULL, GDK_ACTION_COPY);

  g_signal_connect_swapped (target, "accept", G_CALLBACK (on_drop_accept), self);
  g_signal_connect_swapped (target, "drag-enter", G_CALLBACK (on_drop_enter), self);
  g_signal_connect_swapped (target, "drag-motion", G_CALLBACK (on_drop_motion), self);
  g_signal_connect_swapped (target, "drag-leave", G_CALLBACK (on_drop_leave), self);
  g_signal_connect_swapped (target, "drop", G_CALLBACK (on_drop), self);
  /* Before the text view, which would insert the address as text. */
  gtk_event_controller_set_propagation_phase (GTK_EVENT_CONTROLLER (target), GTK_PHASE_CAPTURE);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (target));
}

/* --- chosen ---------------------------------------------------------------- */

/* For which conversation. */
typedef struct
{
  SlIntake *intake;
  GObject *target; /* NULL: the one that is shown then */
} Choosing;

static void
on_chosen (GListModel *files,
           gpointer    data)
{
  Choosing *choosing = data;

  if (files != NULL)
    sl_intake_add_files (choosing->intake, files, choosing->target);
  g_object_unref (choosing->intake);
  g_clear_object (&choosing->target);
  g_free (choosing);
}

void
sl_window_choose_pictures (SlWindow *self)
{
  g_autoptr (GtkFileFilter) pictures = gtk_file_filter_new ();
  g_autoptr (GtkFileFilter) all = gtk_file_filter_new ();
  Choosing *choosing = g_new0 (Choosing, 1);
  GtkFileChooser *chooser;

  choosing->intake = g_object_ref (self->intake);
  g_set_object (&choosing->target, get_target (self));
  chooser = sl_choose_new (GTK_WINDOW (self), GTK_FILE_CHOOSER_ACTION_OPEN, _("Add Pictures"), _("_Add"), on_chosen, choosing);
  gtk_file_chooser_set_select_multiple (chooser, TRUE);
  gtk_file_filter_set_name (pictures, _("Pictures"));
  gtk_file_filter_add_mime_type (pictures, "image/*");
  gtk_file_filter_set_name (all, _("All Files"));
  gtk_file_filter_add_pattern (all, "*");
  gtk_file_chooser_add_filter (chooser, pictures);
  gtk_file_chooser_add_filter (chooser, all);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (chooser));
}

gboolean
sl_window_paste (SlWindow *self)
{
  return sl_intake_add_clipboard (self->intake, gtk_widget_get_clipboard (GTK_WIDGET (self)), get_target (self));
}

/* --- object ---------------------------------------------------------------- */

void
sl_window_init_pictures (SlWindow *self)
{
  self->waiting = g_ptr_array_new_with_free_func (waiting_free);
  self->intake = sl_intake_new ();
  g_signal_connect_object (self->intake, "picture", G_CALLBACK (on_picture), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->intake, "files", G_CALLBACK (sl_window_open_documents), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->intake, "failed", G_CALLBACK (on_intake_failed), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->intake, "notify::busy", G_CALLBACK (on_intake_busy), self, G_CONNECT_SWAPPED);
  add_drop_target (self);
}

void
sl_window_dispose_pictures (SlWindow *self)
{
  if (self->intake != NULL)
    g_object_run_dispose (G_OBJECT (self->intake));
  g_clear_object (&self->intake);
  g_clear_pointer (&self->waiting, g_ptr_array_unref);
}
