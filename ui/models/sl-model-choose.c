/* SPDX-License-Identifier: MIT
 *
 * From a folder that the user chooses to a model that may be used. The folder may lie on a slow disk: a worker looks into it.
 */
#include "ui/models/sl-model-choose.h"

#include "app/inference/sl-model-folder.h"
#include "ui/sl-choose.h"

#include <glib/gi18n.h>

typedef struct
{
  GtkWindow *parent; /* weak */
  SlLicenceAccepted accepted;
  SlModelRefused refused;
  gpointer data;
  GDestroyNotify destroy; /* NULL: somebody else has the data now */
} Choosing;

static void
choosing_free (Choosing *self)
{
  g_clear_weak_pointer (&self->parent);
  if (self->destroy != NULL)
    self->destroy (self->data);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Choosing, choosing_free)

static void
inspect (GTask        *task,
         gpointer      source,
         gpointer      dir,
         GCancellable *cancellable)
{
  GError *error = NULL;
  g_autoptr (SlModelFolder) folder = sl_model_folder_inspect (dir, &error);

  if (folder != NULL)
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

static void
on_inspected (GObject      *source,
              GAsyncResult *result,
              gpointer      data)
{
  g_autoptr (Choosing) self = data;
  g_autoptr (GError) error = NULL;
  gboolean found = g_task_propagate_boolean (G_TASK (result), &error);

  if (self->parent == NULL)
    return;
  if (!found)
    {
      self->refused (error->message, self->data);
      return;
    }
  sl_licence_ask (self->parent, g_task_get_task_data (G_TASK (result)), self->accepted, self->data, g_steal_pointer (&self->destroy));
}

static void
on_chosen (GListModel *files,
           gpointer    data)
{
  g_autoptr (Choosing) self = data;
  g_autofree char *dir = sl_choose_dup_path (files);
  g_autoptr (GTask) task = NULL;

  if (dir == NULL)
    return;
  task = g_task_new (NULL, NULL, on_inspected, g_steal_pointer (&self));
  g_task_set_task_data (task, g_steal_pointer (&dir), g_free);
  g_task_run_in_thread (task, inspect);
}

void
sl_model_choose (GtkWindow         *parent,
                 const char        *accept,
                 SlLicenceAccepted  accepted,
                 SlModelRefused     refused,
                 gpointer           data,
                 GDestroyNotify     destroy)
{
  Choosing *self = g_new0 (Choosing, 1);
  GtkFileChooser *chooser;

  g_set_weak_pointer (&self->parent, parent);
  self->accepted = accepted;
  self->refused = refused;
  self->data = data;
  self->destroy = destroy;
  chooser = sl_choose_new (parent, GTK_FILE_CHOOSER_ACTION_SELECT_FOLDER, _("Choose a Model Folder"), accept, on_chosen, self);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (chooser));
}
