/* SPDX-License-Identifier: MIT
 *
 * See sl-engine-dialog.h. Nothing is kept before Save; a check uses what is written, the key too.
 */
#include "ui/models/sl-engine-dialog.h"

#include "app/remote/sl-remote-check.h"
#include "app/system/sl-places.h"
#include "app/system/sl-secret.h"

#include <glib/gi18n.h>

struct _SlEngineDialog
{
  AdwWindow parent_instance;

  SlRemotes *remotes;
  SlRemoteServer *server; /* as it was */
  AdwComboRow *preset, *models, *scale, *order;
  GtkEditable *name, *address, *key, *model, *ca_file;
  GtkSwitch *plain;
  AdwPreferencesGroup *checks, *setup;
  AdwActionRow *start, *template;
  GtkSpinner *spinner;
  GtkWidget *check;
  GPtrArray *findings; /* rows, borrowed */
  GCancellable *cancellable;
};

G_DEFINE_FINAL_TYPE (SlEngineDialog, sl_engine_dialog, ADW_TYPE_WINDOW)

/* --- what is found --------------------------------------------------------- */

static void
clear_findings (SlEngineDialog *self)
{
  for (guint i = 0; i < self->findings->len; i++)
    adw_preferences_group_remove (self->checks, self->findings->pdata[i]);
  g_ptr_array_set_size (self->findings, 0);
}

static void
show_finding (SlEngineDialog      *self,
              SlRemoteFindingKind  kind,
              const char          *sentence)
{
  static const char *const icons[] = { "emblem-ok-symbolic", "dialog-question-symbolic", "dialog-warning-symbolic" };
  static const char *const words[] = { N_("Right"), N_("Doubtful"), N_("Wrong") };
  GtkWidget *row = adw_action_row_new ();
  GtkWidget *icon = gtk_image_new_from_icon_name (icons[kind]);
  g_autofree char *escaped = g_markup_escape_text (sentence, -1);

  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), escaped);
  adw_action_row_set_title_lines (ADW_ACTION_ROW (row), 0);
  gtk_widget_set_tooltip_text (icon, _(words[kind]));
  gtk_accessible_update_property (GTK_ACCESSIBLE (icon), GTK_ACCESSIBLE_PROPERTY_LABEL, _(words[kind]), -1);
  adw_action_row_add_prefix (ADW_ACTION_ROW (row), icon);
  adw_preferences_group_add (self->checks, row);
  g_ptr_array_add (self->findings, row);
}

/* --- fields ---------------------------------------------------------------- */

static void
set_text (char       **field,
          const char  *text)
{
  g_free (*field);
  *field = g_strstrip (g_strdup (text));
}

/* The server as it is written; NULL with the sentence shown. */
static SlRemoteServer *
read_fields (SlEngineDialog *self)
{
  g_autoptr (SlRemoteServer) server = sl_remote_server_copy (self->server);
  g_autofree char *address = NULL;
  g_autofree char *before = sl_remote_server_dup_host (server);
  g_autofree char *after = NULL;
  g_autoptr (GError) error = NULL;
  SlRemotePreset preset = adw_combo_row_get_selected (self->preset);

  if (preset != server->preset)
    server->ask = sl_remote_preset_get_traits (preset)->ask;
  server->preset = preset;
  set_text (&server->name, gtk_editable_get_text (self->name));
  set_text (&server->model, gtk_editable_get_text (self->model));
  g_clear_pointer (&server->ca_file, g_free);
  if (gtk_editable_get_text (self->ca_file)[0] != '\0')
    set_text (&server->ca_file, gtk_editable_get_text (self->ca_file));
  server->space.scale = adw_combo_row_get_selected (self->scale);
  server->space.order = adw_combo_row_get_selected (self->order);
  server->plain_allowed = gtk_switch_get_active (self->plain);
  address = sl_remote_server_normalise (gtk_editable_get_text (self->address), &error);
  if (address != NULL)
    {
      set_text (&server->address, address);
      after = sl_remote_server_dup_host (server);
      server->confirmed &= g_str_equal (before, after); /* another host is asked about anew */
      if (server->name[0] == '\0')
        set_text (&server->name, after);
    }
  if (address != NULL && sl_remote_server_check (server, &error))
    return g_steal_pointer (&server);
  clear_findings (self);
  show_finding (self, SL_REMOTE_FINDING_BAD, error->message);
  return NULL;
}

static void
on_preset (SlEngineDialog *self)
{
  SlRemotePreset preset = adw_combo_row_get_selected (self->preset);
  const SlRemoteTraits *traits = sl_remote_preset_get_traits (preset);
  const char *warning = sl_remote_preset_get_warning (preset);
  g_autofree char *start = traits->start != NULL ? g_markup_escape_text (traits->start, -1) : NULL;
  g_autofree char *data_dir = sl_places_dup_data_dir ();
  g_autofree char *path = traits->template_name != NULL ? g_build_filename (data_dir, "servers", traits->template_name, NULL) : NULL;

  adw_preferences_group_set_description (self->setup, warning[0] != '\0' ? warning : NULL);
  gtk_widget_set_visible (GTK_WIDGET (self->setup), start != NULL || warning[0] != '\0');
  gtk_widget_set_visible (GTK_WIDGET (self->start), start != NULL);
  adw_action_row_set_subtitle (self->start, start != NULL ? start : "");
  gtk_widget_set_visible (GTK_WIDGET (self->template), path != NULL);
  adw_action_row_set_subtitle (self->template, path != NULL ? path : "");
}

static void
on_copy (SlEngineDialog *self)
{
  const SlRemoteTraits *traits = sl_remote_preset_get_traits (adw_combo_row_get_selected (self->preset));

  if (traits->start != NULL)
    gdk_clipboard_set_text (gtk_widget_get_clipboard (GTK_WIDGET (self)), traits->start);
}

static void
on_model (SlEngineDialog *self)
{
  GtkStringObject *chosen = adw_combo_row_get_selected_item (self->models);

  if (chosen != NULL && gtk_widget_get_visible (GTK_WIDGET (self->models)))
    gtk_editable_set_text (self->model, gtk_string_object_get_string (chosen));
}

static void
show_models (SlEngineDialog *self,
             char          **models)
{
  g_autoptr (GtkStringList) list = NULL;
  g_autofree char *wanted = g_strdup (gtk_editable_get_text (self->model));

  gtk_widget_set_visible (GTK_WIDGET (self->models), FALSE);
  if (models == NULL || models[0] == NULL)
    return;
  list = gtk_string_list_new ((const char *const *) models);
  adw_combo_row_set_model (self->models, G_LIST_MODEL (list));
  adw_combo_row_set_selected (self->models, GTK_INVALID_LIST_POSITION);
  for (guint i = 0; models[i] != NULL; i++)
    if (g_str_equal (models[i], wanted))
      adw_combo_row_set_selected (self->models, i);
  gtk_widget_set_visible (GTK_WIDGET (self->models), models[1] != NULL);
}

/* --- check ----------------------------------------------------------------- */

static void
on_checked (GObject      *source,
            GAsyncResult *result,
            gpointer      data)
{
  g_autoptr (SlEngineDialog) self = data;
  g_autoptr (SlRemoteCheck) check = sl_remote_check_finish (result, NULL);

  if (check == NULL || self->findings == NULL)
    return;
  gtk_spinner_stop (self->spinner);
  gtk_widget_set_sensitive (self->check, TRUE);
  clear_findings (self);
  for (guint i = 0; i < check->findings->len; i++)
    {
      const SlRemoteFinding *finding = g_ptr_array_index (check->findings, i);

      show_finding (self, finding->kind, finding->sentence);
    }
  show_models (self, check->models);
  if (!check->measured)
    return;
  adw_combo_row_set_selected (self->scale, check->space.scale);
  adw_combo_row_set_selected (self->order, check->space.order);
}

static void
on_check (SlEngineDialog *self)
{
  g_autoptr (SlRemoteServer) server = read_fields (self);
  const char *key = gtk_editable_get_text (self->key);

  if (server == NULL)
    return;
  clear_findings (self);
  gtk_spinner_start (self->spinner);
  gtk_widget_set_sensitive (self->check, FALSE);
  sl_remote_check_async (server, key[0] != '\0' ? key : NULL, self->cancellable, on_checked, g_object_ref (self));
}

/* --- save ------------------------------------------------------------------ */

typedef struct
{
  char *host, *label, *key;
} Keeping;

static void
keeping_free (gpointer data)
{
  Keeping *keeping = data;

  g_free (keeping->host);
  g_free (keeping->label);
  g_free (keeping->key);
  g_free (keeping);
}

static void
keep_key (GTask        *task,
          gpointer      source,
          gpointer      data,
          GCancellable *cancellable)
{
  const Keeping *keeping = data;
  GError *error = NULL;

  if (sl_secret_store (SL_SECRET_ENGINE, keeping->host, keeping->label, keeping->key, cancellable, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

static void
on_kept (GObject      *source,
         GAsyncResult *result,
         gpointer      data)
{
  SlEngineDialog *self = SL_ENGINE_DIALOG (source);
  g_autoptr (GError) error = NULL;

  if (g_task_propagate_boolean (G_TASK (result), &error))
    gtk_window_close (GTK_WINDOW (self));
  else if (self->findings != NULL)
    {
      clear_findings (self);
      show_finding (self, SL_REMOTE_FINDING_BAD, error->message);
    }
}

static void
on_save (SlEngineDialog *self)
{
  g_autoptr (SlRemoteServer) server = read_fields (self);
  g_autoptr (GError) error = NULL;
  g_autoptr (GTask) task = NULL;
  Keeping *keeping;

  if (server == NULL)
    return;
  if (!sl_remotes_put (self->remotes, server, &error))
    {
      clear_findings (self);
      show_finding (self, SL_REMOTE_FINDING_BAD, error->message);
      return;
    }
  if (gtk_editable_get_text (self->key)[0] == '\0') /* the one in the keyring stays */
    {
      gtk_window_close (GTK_WINDOW (self));
      return;
    }
  keeping = g_new0 (Keeping, 1);
  keeping->host = sl_remote_server_dup_host (server);
  keeping->label = g_strdup_printf (_("Sightline: key of %s"), keeping->host);
  keeping->key = g_strdup (gtk_editable_get_text (self->key));
  task = g_task_new (self, NULL, on_kept, NULL);
  g_task_set_task_data (task, keeping, keeping_free);
  g_task_run_in_thread (task, keep_key);
}

/* --- object ---------------------------------------------------------------- */

static void
sl_engine_dialog_dispose (GObject *object)
{
  SlEngineDialog *self = SL_ENGINE_DIALOG (object);

  if (self->cancellable != NULL)
    g_cancellable_cancel (self->cancellable);
  g_clear_object (&self->cancellable);
  g_clear_object (&self->remotes);
  g_clear_pointer (&self->server, sl_remote_server_unref);
  g_clear_pointer (&self->findings, g_ptr_array_unref);
  G_OBJECT_CLASS (sl_engine_dialog_parent_class)->dispose (object);
}

static void
sl_engine_dialog_class_init (SlEngineDialogClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = sl_engine_dialog_dispose;
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/sightline/Sightline/sl-engine-dialog.ui");
  gtk_widget_class_bind_template_child (widget_class, SlEngineDialog, preset);
  gtk_widget_class_bind_template_child (widget_class, SlEngineDialog, models);
  gtk_widget_class_bind_template_child (widget_class, SlEngineDialog, scale);
  gtk_widget_class_bind_template_child (widget_class, SlEngineDialog, order);
  gtk_widget_class_bind_template_child (widget_class, SlEngineDialog, name);
  gtk_widget_class_bind_template_child (widget_class, SlEngineDialog, address);
  gtk_widget_class_bind_template_child (widget_class, SlEngineDialog, key);
  gtk_widget_class_bind_template_child (widget_class, SlEngineDialog, model);
  gtk_widget_class_bind_template_child (widget_class, SlEngineDialog, ca_file);
  gtk_widget_class_bind_template_child (widget_class, SlEngineDialog, plain);
  gtk_widget_class_bind_template_child (widget_class, SlEngineDialog, checks);
  gtk_widget_class_bind_template_child (widget_class, SlEngineDialog, setup);
  gtk_widget_class_bind_template_child (widget_class, SlEngineDialog, start);
  gtk_widget_class_bind_template_child (widget_class, SlEngineDialog, template);
  gtk_widget_class_bind_template_child (widget_class, SlEngineDialog, spinner);
  gtk_widget_class_bind_template_child (widget_class, SlEngineDialog, check);
  gtk_widget_class_bind_template_callback (widget_class, on_preset);
  gtk_widget_class_bind_template_callback (widget_class, on_model);
  gtk_widget_class_bind_template_callback (widget_class, on_check);
  gtk_widget_class_bind_template_callback (widget_class, on_copy);
  gtk_widget_class_bind_template_callback (widget_class, on_save);
  gtk_widget_class_bind_template_callback (widget_class, gtk_window_close);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_Escape, 0, "window.close", NULL);
}

static void
sl_engine_dialog_init (SlEngineDialog *self)
{
  g_autoptr (GtkStringList) presets = gtk_string_list_new (NULL);
  g_autoptr (GtkStringList) scales = gtk_string_list_new (NULL);
  g_autoptr (GtkStringList) orders = gtk_string_list_new (NULL);

  self->findings = g_ptr_array_new ();
  self->cancellable = g_cancellable_new ();
  gtk_widget_init_template (GTK_WIDGET (self));
  for (guint i = 0; i < SL_N_REMOTE_PRESETS; i++)
    gtk_string_list_append (presets, _(sl_remote_preset_get_traits (i)->name));
  for (guint i = 0; i < SL_N_BOX_SCALES; i++)
    gtk_string_list_append (scales, sl_box_scale_get_display_name (i));
  for (guint i = 0; i < SL_N_BOX_ORDERS; i++)
    gtk_string_list_append (orders, sl_box_order_get_display_name (i));
  adw_combo_row_set_model (self->preset, G_LIST_MODEL (presets));
  adw_combo_row_set_model (self->scale, G_LIST_MODEL (scales));
  adw_combo_row_set_model (self->order, G_LIST_MODEL (orders));
}

GtkWidget *
sl_engine_dialog_new (SlRemotes            *remotes,
                      const SlRemoteServer *server)
{
  SlEngineDialog *self = g_object_new (SL_TYPE_ENGINE_DIALOG, NULL);

  self->remotes = g_object_ref (remotes);
  self->server = server != NULL ? sl_remote_server_copy (server) : sl_remote_server_new (SL_REMOTE_OTHER);
  adw_combo_row_set_selected (self->preset, self->server->preset);
  gtk_editable_set_text (self->name, server != NULL ? self->server->name : "");
  gtk_editable_set_text (self->address, self->server->address);
  gtk_editable_set_text (self->model, self->server->model);
  gtk_editable_set_text (self->ca_file, self->server->ca_file != NULL ? self->server->ca_file : "");
  gtk_switch_set_active (self->plain, self->server->plain_allowed);
  adw_combo_row_set_selected (self->scale, self->server->space.scale);
  adw_combo_row_set_selected (self->order, self->server->space.order);
  on_preset (self);
  return GTK_WIDGET (self);
}
