/* SPDX-License-Identifier: MIT
 *
 * Lists the model folders and where to get more. Loading goes through the window's action "win.load-model", so that the page
 * does what everything else does. Each folder is looked at on a thread of its own.
 */
#include "ui/models/sl-model-page.h"

#include "app/inference/sl-model-fit.h"
#include "app/inference/sl-model-folder.h"
#include "app/system/sl-places.h"
#include "ui/models/sl-licence.h"

#include <glib/gi18n.h>

struct _SlModelPage
{
  AdwPreferencesPage parent_instance;

  SlEngine *engine;
  SlModels *models;
  GSettings *settings; /* may be NULL */
  AdwPreferencesGroup *list;
  GPtrArray *rows; /* borrowed: AdwExpanderRow, each with its "dir" */
  GtkFileChooserNative *chooser;
  GCancellable *cancellable;
};

G_DEFINE_FINAL_TYPE (SlModelPage, sl_model_page, ADW_TYPE_PREFERENCES_PAGE)

static const struct
{
  const char *name, *about;
} published[] = {
  { "deepseek-vl2-tiny", N_("3.4 billion parameters, 6.7 GB: runs on most computers with 16 GB of memory") },
  { "deepseek-vl2-small", N_("16 billion parameters, 32 GB: for 48 GB of memory or more") },
  { "deepseek-vl2", N_("27 billion parameters, 55 GB: for 80 GB of memory or more") },
};

static const guint idle_minutes[] = { 0, 5, 15, 60 };
static const char *const devices[] = { "auto", "cpu", "cuda" };

static GtkWindow *
get_window (SlModelPage *self)
{
  return GTK_WINDOW (gtk_widget_get_root (GTK_WIDGET (self)));
}

static void
toast (SlModelPage *self,
       const char  *sentence)
{
  g_autofree char *escaped = g_markup_escape_text (sentence, -1);
  GtkWindow *window = get_window (self);

  if (ADW_IS_PREFERENCES_WINDOW (window))
    adw_preferences_window_add_toast (ADW_PREFERENCES_WINDOW (window), adw_toast_new (escaped));
}

/* --- rows ------------------------------------------------------------------ */

static void
load (GtkWindow  *window,
      const char *dir)
{
  GtkWindow *main_window = gtk_window_get_transient_for (window);

  if (main_window != NULL)
    gtk_widget_activate_action (GTK_WIDGET (main_window), "win.load-model", "^ay", dir);
}

static void
on_load (GtkWidget *row)
{
  sl_licence_ask (GTK_WINDOW (gtk_widget_get_root (row)), g_object_get_data (G_OBJECT (row), "dir"), load);
}

static void
on_unload (SlModelPage *self)
{
  sl_engine_unload (self->engine);
}

static void
on_licence (GtkWidget *row)
{
  sl_licence_show (GTK_WINDOW (gtk_widget_get_root (row)), g_object_get_data (G_OBJECT (row), "dir"));
}

static void
on_remove (GtkWidget *row)
{
  SlModelPage *self = SL_MODEL_PAGE (gtk_widget_get_ancestor (row, SL_TYPE_MODEL_PAGE));
  g_autoptr (GError) error = NULL;

  if (!sl_models_remove_dir (self->models, g_object_get_data (G_OBJECT (row), "dir"), &error))
    toast (self, error->message);
}

static GtkWidget *
new_button (const char *label,
            GCallback   clicked,
            gpointer    data)
{
  GtkWidget *button = gtk_button_new_with_label (label);

  gtk_widget_set_valign (button, GTK_ALIGN_CENTER);
  g_signal_connect_swapped (button, "clicked", clicked, data);
  return button;
}

static GtkWidget *
add_detail (AdwExpanderRow *row,
            const char     *title,
            const char     *text)
{
  GtkWidget *detail = adw_action_row_new ();
  g_autofree char *escaped = g_markup_escape_text (text, -1);

  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (detail), title);
  adw_action_row_set_subtitle (ADW_ACTION_ROW (detail), escaped);
  adw_action_row_set_subtitle_lines (ADW_ACTION_ROW (detail), 0);
  adw_expander_row_add_row (row, detail);
  return detail;
}

static gboolean
is_loaded (SlModelPage *self,
           const char  *dir)
{
  SlEngineState state = sl_engine_get_state (self->engine);

  return (state == SL_ENGINE_READY || state == SL_ENGINE_LOADING) &&
         g_strcmp0 (sl_engine_get_model_dir (self->engine), dir) == 0;
}

static void
update_buttons (SlModelPage *self)
{
  for (guint i = 0; i < self->rows->len; i++)
    {
      GObject *row = self->rows->pdata[i];
      gboolean loaded = is_loaded (self, g_object_get_data (row, "dir"));

      gtk_widget_set_visible (g_object_get_data (row, "load"), !loaded);
      gtk_widget_set_visible (g_object_get_data (row, "unload"), loaded);
    }
}

static void
on_fit (GObject      *source,
        GAsyncResult *result,
        gpointer      data)
{
  g_autoptr (AdwExpanderRow) row = data;
  g_autoptr (GError) error = NULL;
  g_autofree char *sentence = sl_model_fit_describe_finish (result, &error);

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  add_detail (row, _("Memory"), sentence ? sentence : error->message);
}

static void
add_row (SlModelPage *self,
         const char  *dir,
         gboolean     bundled)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SlModelFolder) folder = sl_model_folder_inspect (dir, &error);
  g_autofree char *model = sl_model_folder_dup_name (dir);
  g_autofree char *name = g_filename_display_name (model);
  g_autofree char *title = g_markup_escape_text (bundled ? _("Demo model") : name, -1);
  g_autofree char *subtitle =
    g_markup_escape_text (folder ? folder->description : error->message, -1);
  GtkWidget *row = adw_expander_row_new ();
  GtkWidget *load_button = new_button (_("Load"), G_CALLBACK (on_load), row);
  GtkWidget *unload_button = new_button (_("Unload"), G_CALLBACK (on_unload), self);
  GtkWidget *detail;

  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), title);
  adw_expander_row_set_subtitle (ADW_EXPANDER_ROW (row), subtitle);
  adw_expander_row_add_action (ADW_EXPANDER_ROW (row), load_button);
  adw_expander_row_add_action (ADW_EXPANDER_ROW (row), unload_button);
  gtk_widget_set_sensitive (load_button, folder != NULL);
  g_object_set_data_full (G_OBJECT (row), "dir", g_strdup (dir), g_free);
  g_object_set_data (G_OBJECT (row), "load", load_button);
  g_object_set_data (G_OBJECT (row), "unload", unload_button);
  detail = add_detail (ADW_EXPANDER_ROW (row), _("Folder"), dir);
  if (!bundled)
    {
      adw_action_row_add_suffix (ADW_ACTION_ROW (detail),
                                 new_button (_("Licence"), G_CALLBACK (on_licence), row));
      adw_action_row_add_suffix (ADW_ACTION_ROW (detail),
                                 new_button (_("Remove from List"), G_CALLBACK (on_remove), row));
    }
  if (folder != NULL)
    sl_model_fit_describe_async (dir, self->cancellable, on_fit, g_object_ref (row));
  adw_preferences_group_add (self->list, row);
  g_ptr_array_add (self->rows, row);
}

static void
fill_list (SlModelPage *self)
{
  g_autofree char *demo = sl_places_dup_demo_dir ();
  g_auto (GStrv) dirs = sl_models_dup_dirs (self->models);

  for (guint i = 0; i < self->rows->len; i++)
    adw_preferences_group_remove (self->list, self->rows->pdata[i]);
  g_ptr_array_set_size (self->rows, 0);
  if (demo != NULL)
    add_row (self, demo, TRUE);
  for (guint i = 0; dirs[i] != NULL; i++)
    add_row (self, dirs[i], FALSE);
  update_buttons (self);
}

/* --- adding a folder ------------------------------------------------------- */

static void
add_accepted (GtkWindow  *window,
              const char *dir)
{
  SlModelPage *self = g_object_get_data (G_OBJECT (window), "model-page");
  g_autoptr (GError) error = NULL;

  if (!sl_models_add_dir (self->models, dir, &error))
    toast (self, error->message);
}

static void
on_chosen (SlModelPage *self,
           int          response)
{
  g_autoptr (GFile) folder = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (SlModelFolder) found = NULL;
  GtkWindow *window = get_window (self);

  if (response == GTK_RESPONSE_ACCEPT)
    folder = gtk_file_chooser_get_file (GTK_FILE_CHOOSER (self->chooser));
  g_clear_object (&self->chooser);
  if (folder == NULL || g_file_peek_path (folder) == NULL || window == NULL)
    return;
  found = sl_model_folder_inspect (g_file_peek_path (folder), &error);
  if (found == NULL)
    {
      toast (self, error->message);
      return;
    }
  g_object_set_data (G_OBJECT (window), "model-page", self);
  sl_licence_ask (window, g_file_peek_path (folder), add_accepted);
}

static void
on_add (SlModelPage *self)
{
  if (self->chooser != NULL)
    return;
  self->chooser = gtk_file_chooser_native_new (_("Choose a Model Folder"), get_window (self),
                                               GTK_FILE_CHOOSER_ACTION_SELECT_FOLDER, _("_Add"), NULL);
  g_signal_connect_object (self->chooser, "response", G_CALLBACK (on_chosen), self, G_CONNECT_SWAPPED);
  gtk_native_dialog_set_modal (GTK_NATIVE_DIALOG (self->chooser), TRUE);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (self->chooser));
}

/* --- where and how long ---------------------------------------------------- */

static void
on_device (AdwComboRow *row,
           GParamSpec  *pspec,
           SlModelPage *self)
{
  const char *dir = sl_engine_get_model_dir (self->engine);
  g_autofree char *copy = g_strdup (dir);

  g_settings_set_string (self->settings, "device", devices[adw_combo_row_get_selected (row)]);
  /* What is loaded moves at once. */
  if (copy != NULL && sl_engine_get_state (self->engine) != SL_ENGINE_UNLOADED)
    load (get_window (self), copy);
}

static void
on_idle (AdwComboRow *row,
         GParamSpec  *pspec,
         SlModelPage *self)
{
  guint minutes = idle_minutes[adw_combo_row_get_selected (row)];

  g_settings_set_uint (self->settings, "idle-minutes", minutes);
  sl_engine_set_idle_seconds (self->engine, minutes * 60);
}

static GtkWidget *
new_combo (const char        *title,
           const char        *subtitle,
           const char *const *choices,
           guint              selected)
{
  GtkWidget *row = adw_combo_row_new ();
  g_autoptr (GtkStringList) list = gtk_string_list_new (choices);

  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), title);
  adw_action_row_set_subtitle (ADW_ACTION_ROW (row), subtitle);
  adw_combo_row_set_model (ADW_COMBO_ROW (row), G_LIST_MODEL (list));
  adw_combo_row_set_selected (ADW_COMBO_ROW (row), selected);
  return row;
}

static void
add_computing (SlModelPage *self)
{
  const char *const device_names[] = { _("Automatic"), _("Processor"), _("Graphics processor"), NULL };
  const char *const idle_names[] = { _("Never"), _("After 5 minutes"), _("After 15 minutes"),
                                     _("After an hour"), NULL };
  g_autofree char *device = g_settings_get_string (self->settings, "device");
  guint minutes = g_settings_get_uint (self->settings, "idle-minutes");
  guint i_device = 0, i_idle = 0;
  GtkWidget *group = adw_preferences_group_new ();
  GtkWidget *row;

  for (guint i = 0; i < G_N_ELEMENTS (devices); i++)
    if (g_str_equal (device, devices[i]))
      i_device = i;
  for (guint i = 0; i < G_N_ELEMENTS (idle_minutes); i++)
    if (minutes >= idle_minutes[i])
      i_idle = i;
  adw_preferences_group_set_title (ADW_PREFERENCES_GROUP (group), _("Computing"));
  row = new_combo (_("Compute on"), _("Automatic takes a graphics processor where one can be used"),
                   device_names, i_device);
  g_signal_connect (row, "notify::selected", G_CALLBACK (on_device), self);
  adw_preferences_group_add (ADW_PREFERENCES_GROUP (group), row);
  row = new_combo (_("Unload When Idle"), _("Gives the memory back; the next question loads the model again"),
                   idle_names, i_idle);
  g_signal_connect (row, "notify::selected", G_CALLBACK (on_idle), self);
  adw_preferences_group_add (ADW_PREFERENCES_GROUP (group), row);
  adw_preferences_page_add (ADW_PREFERENCES_PAGE (self), ADW_PREFERENCES_GROUP (group));
}

/* --- where to get more ----------------------------------------------------- */

static void
on_open_page (AdwActionRow *row)
{
  GtkWidget *widget = GTK_WIDGET (row);

  gtk_show_uri (GTK_WINDOW (gtk_widget_get_root (widget)), g_object_get_data (G_OBJECT (row), "uri"),
                GDK_CURRENT_TIME);
}

static void
on_guide (SlModelPage *self)
{
  gtk_widget_activate_action (GTK_WIDGET (self), "app.guide", "s", "models");
}

static void
add_published (SlModelPage *self)
{
  GtkWidget *group = adw_preferences_group_new ();

  adw_preferences_group_set_title (ADW_PREFERENCES_GROUP (group), _("Get More Models"));
  adw_preferences_group_set_description (
    ADW_PREFERENCES_GROUP (group),
    _("DeepSeek publishes them on Hugging Face under a licence of its own. Download all files of one into a folder with any "
      "tool, then add the folder above."));
  adw_preferences_group_set_header_suffix (ADW_PREFERENCES_GROUP (group),
                                           new_button (_("Help"), G_CALLBACK (on_guide), self));
  for (guint i = 0; i < G_N_ELEMENTS (published); i++)
    {
      GtkWidget *row = adw_action_row_new ();

      adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), published[i].name);
      adw_action_row_set_subtitle (ADW_ACTION_ROW (row), _(published[i].about));
      adw_action_row_add_suffix (ADW_ACTION_ROW (row), gtk_image_new_from_icon_name ("web-browser-symbolic"));
      gtk_list_box_row_set_activatable (GTK_LIST_BOX_ROW (row), TRUE);
      g_object_set_data_full (G_OBJECT (row), "uri",
                              g_strconcat ("https://huggingface.co/deepseek-ai/", published[i].name, NULL),
                              g_free);
      g_signal_connect (row, "activated", G_CALLBACK (on_open_page), NULL);
      adw_preferences_group_add (ADW_PREFERENCES_GROUP (group), row);
    }
  adw_preferences_page_add (ADW_PREFERENCES_PAGE (self), ADW_PREFERENCES_GROUP (group));
}

/* --- object ---------------------------------------------------------------- */

static void
sl_model_page_dispose (GObject *object)
{
  SlModelPage *self = SL_MODEL_PAGE (object);

  g_cancellable_cancel (self->cancellable);
  g_clear_object (&self->cancellable);
  g_clear_object (&self->chooser);
  g_clear_object (&self->engine);
  g_clear_object (&self->models);
  g_clear_object (&self->settings);
  g_clear_pointer (&self->rows, g_ptr_array_unref);
  G_OBJECT_CLASS (sl_model_page_parent_class)->dispose (object);
}

static void
sl_model_page_class_init (SlModelPageClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = sl_model_page_dispose;
}

static void
sl_model_page_init (SlModelPage *self)
{
  self->cancellable = g_cancellable_new ();
  self->rows = g_ptr_array_new ();
  adw_preferences_page_set_title (ADW_PREFERENCES_PAGE (self), _("Models"));
  adw_preferences_page_set_name (ADW_PREFERENCES_PAGE (self), "models");
  adw_preferences_page_set_icon_name (ADW_PREFERENCES_PAGE (self), "folder-symbolic");
  self->list = ADW_PREFERENCES_GROUP (adw_preferences_group_new ());
  adw_preferences_group_set_title (self->list, _("Models"));
  adw_preferences_group_set_description (
    self->list, _("Folders with a DeepSeek-VL2 checkpoint as it is published. Nothing in them is changed."));
  adw_preferences_group_set_header_suffix (self->list,
                                           new_button (_("Add Folder…"), G_CALLBACK (on_add), self));
  adw_preferences_page_add (ADW_PREFERENCES_PAGE (self), self->list);
}

GtkWidget *
sl_model_page_new (SlEngine  *engine,
                   SlModels  *models,
                   GSettings *settings)
{
  SlModelPage *self = g_object_new (SL_TYPE_MODEL_PAGE, NULL);

  self->engine = g_object_ref (engine);
  self->models = g_object_ref (models);
  if (settings != NULL)
    self->settings = g_object_ref (settings);
  fill_list (self);
  if (settings != NULL)
    add_computing (self);
  add_published (self);
  g_signal_connect_object (engine, "notify::state", G_CALLBACK (update_buttons), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (engine, "notify::model-dir", G_CALLBACK (update_buttons), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (models, "notify::dirs", G_CALLBACK (fill_list), self, G_CONNECT_SWAPPED);
  return GTK_WIDGET (self);
}
