/* SPDX-License-Identifier: MIT
 *
 * Shows the state of the model. Buttons only activate actions of the window.
 */
#include "ui/models/sl-model-bar.h"

#include "app/inference/sl-model-folder.h"

#include <glib/gi18n.h>

struct _SlModelBar
{
  GtkWidget parent_instance;

  SlEngine *engine;
  gboolean unwanted; /* another engine answers */
  char *missing; /* folder that the demo model stands in for, or NULL */
  GtkWidget *box;
  GtkImage *icon;
  GtkLabel *label;
  GtkProgressBar *progress;
  GtkButton *button;
};

G_DEFINE_FINAL_TYPE (SlModelBar, sl_model_bar, GTK_TYPE_WIDGET)

static void
show (SlModelBar *self,
      const char *icon_name,
      const char *sentence,
      const char *button,
      const char *action)
{
  gtk_image_set_from_icon_name (self->icon, icon_name);
  gtk_label_set_label (self->label, sentence);
  gtk_widget_set_tooltip_text (GTK_WIDGET (self->label), sentence);
  gtk_button_set_label (self->button, button);
  gtk_actionable_set_action_name (GTK_ACTIONABLE (self->button), action);
}

static void
show_loading (SlModelBar *self)
{
  const char *dir = sl_engine_get_model_dir (self->engine);
  g_autofree char *folder = sl_model_folder_dup_name (dir != NULL ? dir : "");
  g_autofree char *name = g_filename_display_name (folder);
  guint64 total = sl_engine_get_total_bytes (self->engine);
  g_autofree char *size = g_format_size (total);
  /* Translators: name of the model, its size on disk */
  g_autofree char *sentence = total > 0 ? g_strdup_printf (_("Loading %s (%s)"), name, size)
                                        : g_strdup_printf (_("Loading %s"), name);

  show (self, "content-loading-symbolic", sentence, _("Cancel"), "win.cancel-load");
  gtk_progress_bar_set_fraction (self->progress, sl_engine_get_progress (self->engine));
}

static void
show_demo (SlModelBar *self)
{
  g_autofree char *folder = self->missing ? sl_model_folder_dup_name (self->missing) : NULL;
  g_autofree char *name = folder ? g_filename_display_name (folder) : NULL;
  g_autofree char *dir = self->missing ? g_filename_display_name (self->missing) : NULL;
  /* Translators: name of a model, its folder */
  g_autofree char *sentence =
    name ? g_strdup_printf (_("“%s” is not there now (%s). Meanwhile the demo model answers, which knows shapes and short words only."),
                            name, dir)
         : g_strdup (_("Demo model: knows shapes and short words"));

  if (name != NULL)
    show (self, "dialog-warning-symbolic", sentence, _("Choose a Model…"), "win.choose-model");
  else
    show (self, "dialog-information-symbolic", sentence, _("Get a Model…"), "win.models");
}

static void
update (SlModelBar *self)
{
  SlEngineState state = sl_engine_get_state (self->engine);
  const SlModelInfo *info = sl_engine_get_info (self->engine);
  const char *error = sl_engine_get_error_text (self->engine);

  gtk_widget_set_visible (GTK_WIDGET (self->progress), state == SL_ENGINE_LOADING);
  gtk_widget_set_visible (GTK_WIDGET (self), !self->unwanted && (state != SL_ENGINE_READY || info == NULL || info->is_demo));
  gtk_widget_remove_css_class (self->box, "failed");
  if (state == SL_ENGINE_LOADING)
    show_loading (self);
  else if (state == SL_ENGINE_FAILED)
    {
      gtk_widget_add_css_class (self->box, "failed");
      show (self, "dialog-warning-symbolic", error ? error : _("The model could not be loaded."),
            _("Choose a Model…"), "win.choose-model");
    }
  else if (sl_engine_is_asleep (self->engine))
    show (self, "weather-clear-night-symbolic",
          _("The model was unloaded while idle. Your next question loads it again."),
          _("Choose a Model…"), "win.choose-model");
  else if (state == SL_ENGINE_UNLOADED)
    show (self, "dialog-information-symbolic", _("No model is loaded"), _("Choose a Model…"),
          "win.choose-model");
  else
    show_demo (self);
}

void
sl_model_bar_set_missing (SlModelBar *self,
                          const char *dir)
{
  g_autofree char *copy = g_strdup (dir);

  g_return_if_fail (SL_IS_MODEL_BAR (self));

  g_free (self->missing);
  self->missing = g_steal_pointer (&copy);
  update (self);
}

void
sl_model_bar_set_wanted (SlModelBar *self,
                         gboolean    wanted)
{
  g_return_if_fail (SL_IS_MODEL_BAR (self));

  self->unwanted = !wanted;
  update (self);
}

static void
sl_model_bar_dispose (GObject *object)
{
  SlModelBar *self = SL_MODEL_BAR (object);

  g_clear_object (&self->engine);
  g_clear_pointer (&self->missing, g_free);
  g_clear_pointer (&self->box, gtk_widget_unparent);
  G_OBJECT_CLASS (sl_model_bar_parent_class)->dispose (object);
}

static void
sl_model_bar_class_init (SlModelBarClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = sl_model_bar_dispose;
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_css_name (widget_class, "modelbar");
}

static void
sl_model_bar_init (SlModelBar *self)
{
  GtkWidget *lines = gtk_box_new (GTK_ORIENTATION_VERTICAL, 3);

  self->box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 8);
  self->icon = GTK_IMAGE (gtk_image_new ());
  self->label = GTK_LABEL (gtk_label_new (NULL));
  gtk_label_set_xalign (self->label, 0);
  gtk_label_set_wrap (self->label, TRUE);
  gtk_label_set_wrap_mode (self->label, PANGO_WRAP_WORD_CHAR);
  gtk_label_set_lines (self->label, 3);
  gtk_label_set_ellipsize (self->label, PANGO_ELLIPSIZE_END);
  self->progress = GTK_PROGRESS_BAR (gtk_progress_bar_new ());
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->progress), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  _("Loading the model"), -1);
  self->button = GTK_BUTTON (gtk_button_new ());
  gtk_widget_set_valign (GTK_WIDGET (self->button), GTK_ALIGN_CENTER);
  gtk_widget_set_hexpand (lines, TRUE);
  gtk_widget_set_valign (lines, GTK_ALIGN_CENTER);
  gtk_box_append (GTK_BOX (lines), GTK_WIDGET (self->label));
  gtk_box_append (GTK_BOX (lines), GTK_WIDGET (self->progress));
  gtk_box_append (GTK_BOX (self->box), GTK_WIDGET (self->icon));
  gtk_box_append (GTK_BOX (self->box), lines);
  gtk_box_append (GTK_BOX (self->box), GTK_WIDGET (self->button));
  gtk_widget_set_parent (self->box, GTK_WIDGET (self));
}

void
sl_model_bar_set_engine (SlModelBar *self,
                         SlEngine   *engine)
{
  g_return_if_fail (SL_IS_MODEL_BAR (self));

  g_set_object (&self->engine, engine);
  g_signal_connect_object (engine, "notify::state", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (engine, "notify::progress", G_CALLBACK (update), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (engine, "notify::total-bytes", G_CALLBACK (update), self,
                           G_CONNECT_SWAPPED);
  update (self);
}
