/* SPDX-License-Identifier: MIT
 *
 * A folder that is asked about: chosen, begun, shown in the place of the conversation, which goes on beside it. Part of SlWindow; UI thread.
 */
#include "ui/window/sl-window-private.h"

#include "ui/folder/sl-folder-dialog.h"
#include "ui/folder/sl-folder-page.h"
#include "ui/sl-choose.h"

#include <glib/gi18n.h>

/* --- showing --------------------------------------------------------------- */

static void
leave_page (SlWindow *self)
{
  sl_folder_page_set_job (self->folder, NULL);
  sl_sidebar_set_current (self->sidebar, sl_window_key_of (self->conversation));
  gtk_stack_set_visible_child_name (self->pages, "main");
}

static void
on_close (SlWindow *self)
{
  leave_page (self);
  sl_composer_grab_focus (self->composer);
}

static void
on_ask (SlWindow  *self,
        SlPicture *picture,
        gboolean   marked)
{
  leave_page (self);
  sl_window_take_area (self, picture, marked);
}

static void
show_job (SlWindow    *self,
          SlFolderJob *job)
{
  if (self->folder == NULL)
    {
      self->folder = g_object_new (SL_TYPE_FOLDER_PAGE, NULL);
      g_signal_connect_swapped (self->folder, "close", G_CALLBACK (on_close), self);
      g_signal_connect_swapped (self->folder, "failed", G_CALLBACK (sl_window_toast), self);
      g_signal_connect_swapped (self->folder, "ask", G_CALLBACK (on_ask), self);
      gtk_stack_add_named (self->pages, GTK_WIDGET (self->folder), "folder");
    }
  gtk_stack_set_visible_child_name (self->pages, "folder");
  sl_folder_page_set_job (self->folder, job);
  /* Its line in the list leads here again, once this page is left. */
  sl_sidebar_set_current (self->sidebar, sl_conversation_get_id (sl_folder_job_get_conversation (job)));
}

/* The engine that it asked before. */
static void
take_engine (SlWindow       *self,
             SlConversation *conversation)
{
  const char *id = sl_conversation_get_engine_id (conversation);
  SlRemoteEngine *remote = id[0] != '\0' ? sl_remotes_find (self->remotes, id) : NULL;

  if (remote != NULL)
    sl_conversation_set_answerer (conversation, SL_ANSWERER (remote));
}

void
sl_window_show_folder (SlWindow       *self,
                       SlConversation *conversation,
                       gint64          message)
{
  g_autoptr (SlFolderJob) job = sl_folder_job_get (self->history, conversation);

  take_engine (self, conversation);
  show_job (self, job);
  sl_folder_page_reveal (self->folder, message);
}

static void
on_leaving (SlWindow *self,
            gint64    id)
{
  SlFolderJob *job = self->folder != NULL ? sl_folder_page_get_job (self->folder) : NULL;

  if (job != NULL && sl_conversation_get_id (sl_folder_job_get_conversation (job)) == id)
    leave_page (self);
}

void
sl_window_init_folder (SlWindow *self)
{
  g_signal_connect_object (self->history, "leaving", G_CALLBACK (on_leaving), self, G_CONNECT_SWAPPED);
}

/* --- beginning ------------------------------------------------------------- */

typedef struct
{
  SlWindow *window;
  char *path, *prompt;
  gboolean recursive;
  SlMode mode;
} Order;

static void
order_free (Order *order)
{
  g_object_unref (order->window);
  g_free (order->path);
  g_free (order->prompt);
  g_free (order);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Order, order_free)

/* As the conversation that is shown is asked: its engine, its settings. */
static void
begin (const Order *order)
{
  SlWindow *self = order->window;
  g_autoptr (SlFolderJob) job =
    sl_folder_job_new (self->history, self->conversation, order->path, order->recursive, order->prompt, order->mode);

  show_job (self, job);
  sl_folder_job_run (job, FALSE);
}

static void
on_leave (AdwMessageDialog *dialog,
          const char       *response,
          gpointer          data)
{
  g_autoptr (Order) order = data;

  if (!g_str_equal (response, "agree") || order->window->toasts == NULL)
    return;
  sl_window_give_leave (order->window, order->window->conversation);
  begin (order);
}

static void
on_chosen (GtkWindow  *window,
           const char *path,
           gboolean    recursive,
           const char *prompt,
           SlMode      mode)
{
  SlWindow *self = SL_WINDOW (window);
  g_autoptr (Order) order = g_new0 (Order, 1);
  GtkWidget *dialog;

  order->window = g_object_ref (self);
  order->path = g_strdup (path);
  order->prompt = g_strdup (prompt);
  order->recursive = recursive;
  order->mode = mode;
  if (!sl_window_needs_leave (self->conversation))
    {
      begin (order);
      return;
    }
  dialog = sl_window_make_leave_dialog (self, self->conversation);
  g_signal_connect (dialog, "response", G_CALLBACK (on_leave), g_steal_pointer (&order));
  gtk_window_present (GTK_WINDOW (dialog));
}

/* What stands in the composer is most likely what is to be asked. */
static char *
dup_written (SlWindow *self)
{
  g_autoptr (GPtrArray) parts = sl_composer_dup_parts (self->composer);
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < parts->len; i++)
    if (sl_message_part_get_text (parts->pdata[i]) != NULL)
      g_string_append (text, sl_message_part_get_text (parts->pdata[i]));
  g_strdelimit (text->str, "\n", ' ');
  return g_strstrip (g_string_free (text, FALSE));
}

/* The window is there as long as the dialog. */
static void
on_folder (GListModel *files,
           gpointer    data)
{
  SlWindow *self = data;
  g_autofree char *path = sl_choose_dup_path (files);
  g_autofree char *words = NULL;

  if (path == NULL)
    return;
  words = dup_written (self);
  sl_folder_dialog_present (GTK_WINDOW (self), path, words,
                            *words != '\0' ? sl_composer_get_mode (self->composer) : SL_MODE_FIND, on_chosen);
}

static void
ask_folder (GtkWidget  *widget,
            const char *name,
            GVariant   *parameter)
{
  GtkFileChooser *chooser = sl_choose_new (GTK_WINDOW (widget), GTK_FILE_CHOOSER_ACTION_SELECT_FOLDER,
                                           _("Choose a Folder of Pictures"), _("_Choose"), on_folder, widget);

  gtk_native_dialog_show (GTK_NATIVE_DIALOG (chooser));
}

void
sl_window_install_folder (GtkWidgetClass *klass)
{
  gtk_widget_class_install_action (klass, "win.ask-folder", NULL, ask_folder);
  gtk_widget_class_add_binding_action (klass, GDK_KEY_O, GDK_CONTROL_MASK | GDK_SHIFT_MASK, "win.ask-folder", NULL);
}
