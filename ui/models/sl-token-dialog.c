/* SPDX-License-Identifier: MIT
 *
 * A message dialog with one entry, and the thread that keeps what is in it.
 */
#include "ui/models/sl-token-dialog.h"

#include "app/hub/sl-hub.h"
#include "app/system/sl-secret.h"

#include <glib/gi18n.h>

typedef struct
{
  GtkWindow *parent;
  GtkWidget *entry; /* the dialog's */
  char *host, *token;
  void (*kept) (gpointer data);
  gpointer data;
  GDestroyNotify destroy;
} Asking;

static void
asking_free (Asking *self)
{
  if (self->destroy != NULL)
    self->destroy (self->data);
  g_object_unref (self->parent);
  g_free (self->host);
  g_free (self->token);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Asking, asking_free)

/* ------------------------------------------------------------------------------------------------ keeping */

static void
keep (GTask        *task,
      gpointer      source,
      gpointer      data,
      GCancellable *cancellable)
{
  const Asking *self = data;
  /* Translators: what the keyring's own program shows; a host */
  g_autofree char *label = g_strdup_printf (_("Sightline: token of %s"), self->host);
  GError *error = NULL;

  if (sl_secret_store (SL_SECRET_HUB, self->host, label, self->token, cancellable, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

static void
on_kept (GObject      *source,
         GAsyncResult *result,
         gpointer      data)
{
  g_autoptr (Asking) self = data;
  g_autoptr (GError) error = NULL;
  GtkWidget *dialog;

  if (g_task_propagate_boolean (G_TASK (result), &error))
    {
      if (self->token != NULL && self->kept != NULL)
        self->kept (self->data);
      return;
    }
  if (!gtk_widget_get_visible (GTK_WIDGET (self->parent)))
    return;
  dialog = adw_message_dialog_new (self->parent, _("The Token Was Not Kept"), error->message);
  adw_message_dialog_add_response (ADW_MESSAGE_DIALOG (dialog), "close", _("_Close"));
  gtk_window_present (GTK_WINDOW (dialog));
}

/* ------------------------------------------------------------------------------------------------ asking */

static void
on_response (AdwMessageDialog *dialog,
             const char       *response,
             Asking           *self)
{
  g_autoptr (GTask) task = NULL;
  Asking *taken;

  if (g_str_equal (response, "cancel"))
    return;
  taken = g_new (Asking, 1);
  *taken = *self;
  *self = (Asking) { .parent = g_object_ref (taken->parent) };
  if (g_str_equal (response, "keep"))
    taken->token = g_strstrip (g_strdup (gtk_editable_get_text (GTK_EDITABLE (taken->entry))));
  /* With the keyboard in it the entry's text outlives the entry, and calls it at its own end (GTK 4.8, libadwaita 1.2). */
  gtk_window_set_focus (GTK_WINDOW (dialog), NULL);
  task = g_task_new (NULL, NULL, on_kept, taken);
  g_task_set_source_tag (task, on_response);
  g_task_set_task_data (task, taken, NULL);
  g_task_run_in_thread (task, keep);
}

static void
on_changed (GtkEditable      *entry,
            AdwMessageDialog *dialog)
{
  adw_message_dialog_set_response_enabled (dialog, "keep", *gtk_editable_get_text (entry) != '\0');
}

static void
free_asking (gpointer  data,
             GClosure *closure)
{
  asking_free (data);
}

void
sl_token_dialog_show (GtkWindow      *parent,
                      const char     *endpoint,
                      void          (*kept) (gpointer data),
                      gpointer        data,
                      GDestroyNotify  destroy)
{
  Asking *self = g_new (Asking, 1);
  GtkWidget *dialog = adw_message_dialog_new (parent, NULL, NULL);
  AdwMessageDialog *message = ADW_MESSAGE_DIALOG (dialog);
  GtkWidget *group = adw_preferences_group_new ();
  GtkWidget *entry = adw_password_entry_row_new ();

  *self = (Asking) { .parent = g_object_ref (parent), .entry = entry, .host = sl_hub_dup_host (endpoint), .kept = kept, .data = data,
                     .destroy = destroy };
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (entry), _("Access Token"));
  adw_entry_row_set_activates_default (ADW_ENTRY_ROW (entry), TRUE);
  adw_preferences_group_add (ADW_PREFERENCES_GROUP (group), entry);
  /* Translators: a host */
  adw_message_dialog_format_heading (message, _("Access Token of %s"), self->host);
  /* Translators: a host */
  adw_message_dialog_format_body (message, _("Some repositories ask for one. Make it in the settings of your account there; reading is all "
                                             "that it has to allow. It is kept in this desktop's keyring and shown to %s alone."),
                                  self->host);
  adw_message_dialog_set_extra_child (message, group);
  adw_message_dialog_add_responses (message, "cancel", _("_Cancel"), "forget", _("_Forget It"), "keep", _("_Keep"), NULL);
  adw_message_dialog_set_response_appearance (message, "keep", ADW_RESPONSE_SUGGESTED);
  adw_message_dialog_set_default_response (message, "keep");
  adw_message_dialog_set_close_response (message, "cancel");
  adw_message_dialog_set_response_enabled (message, "keep", FALSE);
  g_signal_connect_object (entry, "changed", G_CALLBACK (on_changed), dialog, 0);
  g_signal_connect_data (dialog, "response", G_CALLBACK (on_response), self, free_asking, 0);
  gtk_window_present (GTK_WINDOW (dialog));
}
