/* SPDX-License-Identifier: MIT
 *
 * Conversations into files and out of them, from the window's menus: asks where, works on a thread of its own, shows how far it is where
 * that takes long enough to be seen, and says what has become of it. The store does the writing in its turn, so the window is used meanwhile.
 */
#include "ui/window/sl-window-private.h"

#include "app/exchange/sl-exchange.h"
#include "app/exchange/sl-import.h"
#include "ui/sl-choose.h"

#include <glib/gi18n.h>

#define INTERVAL_MS 100
#define PATIENCE_US (G_USEC_PER_SEC / 2) /* before there is a dialog about it */
#define STEPS 1000                       /* of a whole */

/* Made and freed on the UI thread; `done` and what is under `result` are the worker's until it has ended. */
typedef struct
{
  SlWindow *window;
  SlStore *store;
  GCancellable *cancellable;
  gboolean importing;
  SlExchangeFormat format;
  gint64 conversation; /* to be exported, 0: all */
  GPtrArray *paths;    /* of char; one to be written, or those to be read */
  int done;            /* atomic, of STEPS */

  /* result */
  GPtrArray *faults;
  guint n_conversations, n_new, n_messages;
  gint64 last; /* of the conversations that came */

  gint64 began;
  guint source;
  GtkWidget *dialog;
  GtkProgressBar *bar;
} Exchange;

static void
exchange_free (gpointer data)
{
  Exchange *self = data;

  g_clear_handle_id (&self->source, g_source_remove);
  g_clear_object (&self->window);
  g_clear_object (&self->store);
  g_clear_object (&self->cancellable);
  g_ptr_array_unref (self->paths);
  g_clear_pointer (&self->faults, g_ptr_array_unref);
  g_free (self);
}

/* --- the worker ------------------------------------------------------------ */

static void
note_progress (double   fraction,
               gpointer data)
{
  Exchange *self = data;

  g_atomic_int_set (&self->done, (int) (fraction * STEPS));
}

static gboolean
write_file (Exchange  *self,
            GError   **error)
{
  const char *dir = sl_store_get_dir (self->store);
  g_autoptr (SlDatabase) database = NULL;
  g_autoptr (GArray) ids = NULL;
  g_autoptr (SlOutputs) outputs = sl_outputs_new (TRUE);
  SlExport job = { .dir = dir, .outputs = outputs, .path = g_ptr_array_index (self->paths, 0), .progress = note_progress,
                   .progress_data = self, .faults = self->faults };

  if (!sl_store_flush (self->store, error)) /* what was said last is in it */
    return FALSE;
  database = sl_database_open (dir, SL_DATABASE_READ, error);
  ids = database != NULL ? sl_export_list_all (database, error) : NULL;
  if (ids == NULL)
    return FALSE;
  job.database = database;
  job.ids = self->conversation != 0 ? &self->conversation : (const gint64 *) (gconstpointer) ids->data;
  job.n_ids = self->n_conversations = self->conversation != 0 ? 1 : ids->len;
  sl_outputs_set_cancellable (outputs, self->cancellable);
  return sl_export_write (&job, self->format, error);
}

/* A file that cannot be read does not keep the next one out. */
static gboolean
read_files (Exchange  *self,
            GError   **error)
{
  g_autoptr (SlImport) import = sl_import_new_for_store (self->store);
  GPtrArray *conversations = sl_import_get_conversations (import);
  gboolean ok = TRUE;

  sl_import_set_progress (import, note_progress, self);
  for (guint i = 0; i < self->paths->len && ok; i++)
    {
      g_autoptr (GError) failure = NULL;

      if (sl_import_file (import, g_ptr_array_index (self->paths, i), self->cancellable, &failure))
        continue;
      ok = failure->domain == G_IO_ERROR && failure->code != G_IO_ERROR_CANCELLED;
      if (ok)
        g_ptr_array_add (self->faults, g_strdup (failure->message));
      else
        g_propagate_error (error, g_steal_pointer (&failure));
    }
  for (guint i = 0; i < conversations->len; i++)
    {
      const SlImported *imported = g_ptr_array_index (conversations, i);

      self->n_conversations++;
      self->n_new += imported->merge.is_new;
      self->n_messages += imported->merge.n_messages;
      self->last = imported->merge.conversation;
    }
  g_ptr_array_extend (self->faults, sl_import_get_faults (import), (GCopyFunc) (GCallback) g_strdup, NULL);
  return ok;
}

static void
work (GTask        *task,
      gpointer      source,
      gpointer      data,
      GCancellable *cancellable)
{
  Exchange *self = data;
  GError *error = NULL;

  if (self->importing ? read_files (self, &error) : write_file (self, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

/* --- how far it is --------------------------------------------------------- */

static void
on_response (Exchange *self)
{
  g_cancellable_cancel (self->cancellable);
}

static void
show_dialog (Exchange *self)
{
  AdwMessageDialog *dialog;

  self->dialog = adw_message_dialog_new (GTK_WINDOW (self->window), self->importing ? _("Importing Conversations") : _("Exporting Conversations"),
                                         NULL);
  self->bar = GTK_PROGRESS_BAR (gtk_progress_bar_new ());
  dialog = ADW_MESSAGE_DIALOG (self->dialog);
  gtk_window_set_modal (GTK_WINDOW (dialog), FALSE);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->bar), GTK_ACCESSIBLE_PROPERTY_LABEL, _("Done"), -1);
  adw_message_dialog_set_extra_child (dialog, GTK_WIDGET (self->bar));
  adw_message_dialog_add_response (dialog, "cancel", _("_Cancel"));
  adw_message_dialog_set_close_response (dialog, "cancel");
  g_object_add_weak_pointer (G_OBJECT (dialog), (gpointer *) &self->dialog);
  g_signal_connect_swapped (dialog, "response", G_CALLBACK (on_response), self);
  gtk_window_present (GTK_WINDOW (dialog));
}

static gboolean
update (gpointer data)
{
  Exchange *self = data;

  if (self->window->toasts == NULL) /* it was closed */
    g_cancellable_cancel (self->cancellable);
  else if (self->bar == NULL && g_get_monotonic_time () - self->began > PATIENCE_US)
    show_dialog (self);
  if (self->dialog != NULL)
    gtk_progress_bar_set_fraction (self->bar, g_atomic_int_get (&self->done) / (double) STEPS);
  return G_SOURCE_CONTINUE;
}

/* --- what has become of it ------------------------------------------------- */

static char *
dup_sentence (Exchange *self)
{
  g_autofree char *name = g_filename_display_basename (g_ptr_array_index (self->paths, 0));

  if (!self->importing)
    /* Translators: the name of a file */
    return g_strdup_printf (_("Exported to “%s”"), name);
  if (self->n_conversations == 0)
    return g_strdup (_("No conversation was imported"));
  if (self->n_messages == 0 && self->n_new == 0)
    return g_strdup (_("Everything in it was here already"));
  return g_strdup_printf (ngettext ("%u conversation imported", "%u conversations imported", self->n_conversations),
                          self->n_conversations);
}

static void
say_faults (Exchange   *self,
            const char *heading)
{
  g_autoptr (GString) text = g_string_new (NULL);
  GtkWidget *dialog, *scrolled, *label;

  for (guint i = 0; i < self->faults->len; i++)
    g_string_append_printf (text, "%s%s", i > 0 ? "\n\n" : "", (const char *) g_ptr_array_index (self->faults, i));
  dialog = adw_message_dialog_new (GTK_WINDOW (self->window), heading, NULL);
  label = gtk_label_new (text->str);
  gtk_label_set_wrap (GTK_LABEL (label), TRUE);
  gtk_label_set_wrap_mode (GTK_LABEL (label), PANGO_WRAP_WORD_CHAR);
  gtk_label_set_selectable (GTK_LABEL (label), TRUE);
  gtk_label_set_xalign (GTK_LABEL (label), 0);
  scrolled = gtk_scrolled_window_new ();
  gtk_scrolled_window_set_propagate_natural_height (GTK_SCROLLED_WINDOW (scrolled), TRUE);
  gtk_scrolled_window_set_max_content_height (GTK_SCROLLED_WINDOW (scrolled), 320);
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (scrolled), GTK_POLICY_NEVER, GTK_POLICY_AUTOMATIC);
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (scrolled), label);
  adw_message_dialog_set_extra_child (ADW_MESSAGE_DIALOG (dialog), scrolled);
  adw_message_dialog_add_response (ADW_MESSAGE_DIALOG (dialog), "close", _("_Close"));
  gtk_window_present (GTK_WINDOW (dialog));
}

/* What came alone is what the user wants to see. */
static void
show_result (Exchange *self)
{
  g_autofree char *sentence = dup_sentence (self);

  if (self->faults->len > 0)
    say_faults (self, sentence);
  else
    sl_window_toast (self->window, sentence);
  if (self->importing && self->n_conversations == 1)
    sl_window_open (self->window, self->last, 0);
}

static void
on_done (GObject      *source,
         GAsyncResult *result,
         gpointer      data)
{
  Exchange *self = data;
  g_autoptr (GError) error = NULL;
  gboolean ok = g_task_propagate_boolean (G_TASK (result), &error);

  if (self->dialog != NULL)
    {
      g_signal_handlers_disconnect_by_data (self->dialog, self);
      g_object_remove_weak_pointer (G_OBJECT (self->dialog), (gpointer *) &self->dialog);
      gtk_window_destroy (GTK_WINDOW (g_steal_pointer (&self->dialog)));
    }
  if (self->window->toasts != NULL && ok)
    show_result (self);
  else if (self->window->toasts != NULL && !g_cancellable_is_cancelled (self->cancellable))
    {
      g_ptr_array_add (self->faults, g_strdup (error->message));
      say_faults (self, self->importing ? _("The Import Has Failed") : _("The Export Has Failed"));
    }
  exchange_free (self);
}

static void
begin (Exchange *self)
{
  g_autoptr (GTask) task = g_task_new (NULL, NULL, on_done, self);

  self->began = g_get_monotonic_time ();
  self->source = g_timeout_add (INTERVAL_MS, update, self);
  g_task_set_source_tag (task, begin);
  g_task_set_task_data (task, self, NULL);
  g_task_run_in_thread (task, work);
}

/* --- asking ---------------------------------------------------------------- */

static Exchange *
exchange_new (SlWindow *window,
              gboolean  importing)
{
  Exchange *self = g_new0 (Exchange, 1);

  self->window = g_object_ref (window);
  self->store = g_object_ref (window->store);
  self->cancellable = g_cancellable_new ();
  self->importing = importing;
  self->paths = g_ptr_array_new_with_free_func (g_free);
  self->faults = g_ptr_array_new_with_free_func (g_free);
  return self;
}

/* What was typed says the form; a name that says none is a folder's. The dialog has asked about the file of that name. */
static void
take_path (Exchange   *self,
           const char *path)
{
  g_ptr_array_add (self->paths, g_strdup (path));
  for (self->format = 0; self->format < SL_EXCHANGE_MARKDOWN; self->format++)
    if (g_str_has_suffix (path, sl_exchange_format_get_extension (self->format)))
      return;
}

static void
on_target_chosen (GListModel *files,
                  gpointer    data)
{
  Exchange *self = data;
  g_autofree char *path = sl_choose_dup_path (files);

  if (path == NULL)
    {
      exchange_free (self);
      return;
    }
  take_path (self, path);
  begin (self);
}

static void
on_sources_chosen (GListModel *files,
                   gpointer    data)
{
  Exchange *self = data;

  for (guint i = 0; files != NULL && i < g_list_model_get_n_items (files); i++)
    {
      g_autoptr (GFile) file = g_list_model_get_item (files, i);
      char *path = g_file_get_path (file);

      if (path != NULL)
        g_ptr_array_add (self->paths, path);
    }
  if (self->paths->len > 0)
    begin (self);
  else
    exchange_free (self);
}

static char *
dup_file_name (const char *title)
{
  GString *name = g_string_new (title != NULL && *title != '\0' ? title : _("Conversations"));

  for (char *c = name->str; *c != '\0'; c++)
    if (*c == '/' || *c == '\n')
      *c = ' ';
  if (name->str[0] == '.')
    name->str[0] = '_';
  if (g_utf8_strlen (name->str, -1) > 60)
    g_string_truncate (name, (gsize) (g_utf8_offset_to_pointer (name->str, 60) - name->str));
  g_string_append (name, sl_exchange_format_get_extension (SL_EXCHANGE_ARCHIVE));
  return g_string_free (name, FALSE);
}

static void
ask_for_target (SlWindow   *self,
                gint64      conversation,
                const char *title)
{
  Exchange *exchange = exchange_new (self, FALSE);
  g_autofree char *name = dup_file_name (title);
  GtkFileChooser *chooser = sl_choose_new (GTK_WINDOW (self), GTK_FILE_CHOOSER_ACTION_SAVE, _("Export"), _("_Export"), on_target_chosen,
                                           exchange);

  exchange->conversation = conversation;
  gtk_file_chooser_set_current_name (chooser, name);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (chooser));
}

/* The menu's: of the conversation that is shown. */
static void
export_shown (GtkWidget  *widget,
              const char *name,
              GVariant   *parameter)
{
  SlWindow *self = SL_WINDOW (widget);

  if (g_list_model_get_n_items (G_LIST_MODEL (self->conversation)) > 0)
    ask_for_target (self, sl_conversation_get_id (self->conversation), sl_conversation_get_title (self->conversation));
}

/* A row's of the list, whatever is shown. */
static void
export_listed (GtkWidget  *widget,
               const char *name,
               GVariant   *id)
{
  SlWindow *self = SL_WINDOW (widget);
  GListModel *list = G_LIST_MODEL (self->history);

  for (guint i = 0; i < g_list_model_get_n_items (list); i++)
    {
      g_autoptr (SlSummary) summary = g_list_model_get_item (list, i);

      if (sl_summary_get_id (summary) == g_variant_get_int64 (id))
        {
          ask_for_target (self, sl_summary_get_id (summary), sl_summary_get_title (summary));
          return;
        }
    }
}

static void
export_all (GtkWidget  *widget,
            const char *name,
            GVariant   *parameter)
{
  ask_for_target (SL_WINDOW (widget), 0, NULL);
}

static void
import (GtkWidget  *widget,
        const char *name,
        GVariant   *parameter)
{
  SlWindow *self = SL_WINDOW (widget);
  GtkFileChooser *chooser = sl_choose_new (GTK_WINDOW (self), GTK_FILE_CHOOSER_ACTION_OPEN, _("Import Conversations"), _("_Import"),
                                           on_sources_chosen, exchange_new (self, TRUE));

  gtk_file_chooser_set_select_multiple (chooser, TRUE);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (chooser));
}

void
sl_window_install_exchange (GtkWidgetClass *klass)
{
  gtk_widget_class_install_action (klass, "win.export-conversation", NULL, export_shown);
  gtk_widget_class_install_action (klass, "win.export-listed", "x", export_listed);
  gtk_widget_class_install_action (klass, "win.export-all", NULL, export_all);
  gtk_widget_class_install_action (klass, "win.import", NULL, import);
}
