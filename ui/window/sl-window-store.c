/* SPDX-License-Identifier: MIT
 *
 * The window and its history: the page while it is opened, the user's choices where it cannot be used, and closing, which loses nothing
 * without being told to. Nothing here waits for the disk.
 */
#include "ui/window/sl-window-private.h"

#include <glib/gi18n.h>

/* --- opening and mending --------------------------------------------------- */

static void
on_store_state (SlWindow *self)
{
  gboolean opening = sl_store_get_state (self->store) == SL_STORE_OPENING;
  gboolean shown = g_strcmp0 (gtk_stack_get_visible_child_name (self->pages), "opening") == 0;

  if (opening && !shown)
    gtk_stack_set_visible_child_name (self->pages, "opening");
  else if (!opening && shown)
    {
      gtk_stack_set_visible_child_name (self->pages, "main");
      sl_composer_grab_focus (self->composer);
    }
}

void
sl_window_set_store (SlWindow *self,
                     SlStore  *store)
{
  self->store = g_object_ref (store);
  sl_store_bar_set_store (self->store_bar, store);
  g_signal_connect_object (store, "notify::state", G_CALLBACK (on_store_state), self, G_CONNECT_SWAPPED);
}

void
sl_window_show_opening (SlWindow *self)
{
  on_store_state (self);
}

/* Where it worked, the bar says so. */
static void
on_mended (GObject      *source,
           GAsyncResult *result,
           gpointer      data)
{
  g_autoptr (SlWindow) self = data;
  g_autoptr (GError) error = NULL;
  GtkWidget *dialog;

  if (sl_store_mend_finish (SL_STORE (source), result, &error) || self->toasts == NULL)
    return;
  dialog = adw_message_dialog_new (GTK_WINDOW (self), _("The History Could Not Be Mended"), error->message);
  adw_message_dialog_add_response (ADW_MESSAGE_DIALOG (dialog), "close", _("_Close"));
  gtk_window_present (GTK_WINDOW (dialog));
}

static void
on_mend_response (AdwMessageDialog *dialog,
                  const char       *response,
                  SlWindow         *self)
{
  if (g_str_equal (response, "repair"))
    sl_store_mend_async (self->store, SL_STORE_REPAIR, on_mended, g_object_ref (self));
  else if (g_str_equal (response, "begin"))
    sl_store_mend_async (self->store, SL_STORE_BEGIN, on_mended, g_object_ref (self));
}

static void
ask_to_mend (SlWindow   *self,
             const char *heading,
             const char *body,
             const char *response,
             const char *label)
{
  GtkWidget *dialog = adw_message_dialog_new (GTK_WINDOW (self), heading, body);

  adw_message_dialog_add_responses (ADW_MESSAGE_DIALOG (dialog), "cancel", _("_Cancel"), response, label, NULL);
  adw_message_dialog_set_default_response (ADW_MESSAGE_DIALOG (dialog), response);
  adw_message_dialog_set_close_response (ADW_MESSAGE_DIALOG (dialog), "cancel");
  adw_message_dialog_set_response_appearance (ADW_MESSAGE_DIALOG (dialog), response, ADW_RESPONSE_SUGGESTED);
  g_signal_connect_object (dialog, "response", G_CALLBACK (on_mend_response), self, 0);
  gtk_window_present (GTK_WINDOW (dialog));
}

void
sl_window_store_repair (GtkWidget  *widget,
                        const char *name,
                        GVariant   *parameter)
{
  ask_to_mend (SL_WINDOW (widget), _("Repair the History?"),
               _("Whatever can still be read of it becomes a new history, and what is not saved yet is added. The damaged one is kept as "
                 "it is, in a folder of its own."),
               "repair", _("_Repair"));
}

void
sl_window_store_begin (GtkWidget  *widget,
                       const char *name,
                       GVariant   *parameter)
{
  ask_to_mend (SL_WINDOW (widget), _("Start a New History?"),
               _("The old one is kept as it is, with its pictures, in a folder of its own. The new one begins with what is not saved yet."),
               "begin", _("_Start a New One"));
}

void
sl_window_store_retry (GtkWidget  *widget,
                       const char *name,
                       GVariant   *parameter)
{
  sl_store_retry (SL_WINDOW (widget)->store);
}

void
sl_window_store_dismiss (GtkWidget  *widget,
                         const char *name,
                         GVariant   *parameter)
{
  sl_store_dismiss (SL_WINDOW (widget)->store);
}

/* --- closing --------------------------------------------------------------- */

static void save_before_closing (SlWindow *self);

static void
close_now (SlWindow *self)
{
  self->may_close = TRUE;
  gtk_window_close (GTK_WINDOW (self));
}

static gboolean
on_closed_dialog (gpointer data)
{
  close_now (data);
  return G_SOURCE_REMOVE;
}

/* The window takes the dialog with it, so the dialog goes first. */
static void
on_close_response (AdwMessageDialog *dialog,
                   const char       *response,
                   SlWindow         *self)
{
  if (g_str_equal (response, "lose"))
    g_idle_add_full (G_PRIORITY_DEFAULT_IDLE, on_closed_dialog, g_object_ref (self), g_object_unref);
  else if (g_str_equal (response, "retry"))
    save_before_closing (self);
}

static void
ask_to_lose (SlWindow   *self,
             const char *reason)
{
  guint pending = sl_store_get_pending (self->store);
  g_autofree char *count = g_strdup_printf (ngettext ("%u change would be lost.", "%u changes would be lost.", pending), pending);
  g_autofree char *body = g_strdup_printf ("%s\n\n%s", reason, count);
  GtkWidget *dialog = adw_message_dialog_new (GTK_WINDOW (self), _("Close Without Saving?"), body);

  adw_message_dialog_add_responses (ADW_MESSAGE_DIALOG (dialog), "cancel", _("_Keep Open"), "lose", _("_Close Without Saving"), "retry",
                                    _("_Try Again"), NULL);
  adw_message_dialog_set_default_response (ADW_MESSAGE_DIALOG (dialog), "cancel");
  adw_message_dialog_set_close_response (ADW_MESSAGE_DIALOG (dialog), "cancel");
  adw_message_dialog_set_response_appearance (ADW_MESSAGE_DIALOG (dialog), "lose", ADW_RESPONSE_DESTRUCTIVE);
  g_signal_connect_object (dialog, "response", G_CALLBACK (on_close_response), self, 0);
  gtk_window_present (GTK_WINDOW (dialog));
}

static void
on_flushed (GObject      *source,
            GAsyncResult *result,
            gpointer      data)
{
  g_autoptr (SlWindow) self = data;
  g_autoptr (GError) error = NULL;
  gboolean saved = sl_store_flush_finish (SL_STORE (source), result, &error);

  self->closing = FALSE;
  if (self->toasts == NULL)
    return;
  if (saved)
    close_now (self);
  else
    ask_to_lose (self, error->message);
}

static void
save_before_closing (SlWindow *self)
{
  if (self->closing)
    return;
  self->closing = TRUE;
  sl_store_flush_async (self->store, on_flushed, g_object_ref (self));
}

gboolean
sl_window_may_close (SlWindow *self)
{
  if (self->may_close || (sl_store_get_pending (self->store) == 0 && !sl_store_get_blocked (self->store)))
    return TRUE;
  save_before_closing (self);
  return FALSE;
}
