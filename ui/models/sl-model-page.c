/* SPDX-License-Identifier: MIT
 *
 * Lists the model folders, what can be downloaded, and where to compute. Loading goes through the window's action "win.load-model",
 * so that the page does what everything else does.
 */
#include "ui/models/sl-model-page.h"

#include "app/hub/sl-library.h"
#include "app/hub/sl-published.h"
#include "app/inference/sl-model-folder.h"
#include "app/system/sl-diagnostics.h"
#include "app/system/sl-places.h"
#include "ui/models/sl-download-row.h"
#include "ui/models/sl-model-choose.h"
#include "ui/models/sl-model-row.h"
#include "ui/models/sl-setup-row.h"
#include "ui/models/sl-token-dialog.h"

#include <glib/gi18n.h>

struct _SlModelPage
{
  AdwPreferencesPage parent_instance;

  SlEngine *engine;
  SlModels *models;
  GSettings *settings; /* may be NULL */
  AdwPreferencesGroup *recommended, *list, *get;
  GtkWidget *computing;
  GtkEditable *repository;
  AdwComboRow *device, *idle, *limit;
  GtkStringList *limits;
  GPtrArray *rows;      /* borrowed: SlModelRow */
  GPtrArray *downloads; /* borrowed: SlDownloadRow */
  GCancellable *cancellable;
};

G_DEFINE_FINAL_TYPE (SlModelPage, sl_model_page, ADW_TYPE_PREFERENCES_PAGE)

static const guint idle_minutes[] = { 0, 5, 15, 60 };
static const guint limits[] = { 0, 1, 2, 5, 10, 20, 50, 100 }; /* megabytes a second */
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

/* --- models that are here -------------------------------------------------- */

static void
load (const char *dir,
      gpointer    page)
{
  GtkWindow *window = get_window (page);
  GtkWindow *main_window = window != NULL ? gtk_window_get_transient_for (window) : NULL;

  if (main_window != NULL)
    gtk_widget_activate_action (GTK_WIDGET (main_window), "win.load-model", "^ay", dir);
}

static void
on_load (SlModelPage *self,
         SlModelRow  *row)
{
  sl_licence_ask (get_window (self), sl_model_row_get_dir (row), load, g_object_ref (self), g_object_unref);
}

static void
add_row (SlModelPage          *self,
         const SlLibraryModel *model,
         gboolean              bundled)
{
  GtkWidget *row = sl_model_row_new (self->engine, self->models, model, bundled);

  g_signal_connect_object (row, "load", G_CALLBACK (on_load), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (row, "failed", G_CALLBACK (toast), self, G_CONNECT_SWAPPED);
  adw_preferences_group_add (self->list, row);
  g_ptr_array_add (self->rows, row);
}

static void
add_demo (SlModelPage *self)
{
  g_autofree char *dir = sl_places_dup_demo_dir ();
  SlLibraryModel demo = { .name = (char *) "", .dir = dir, .place = SL_LIBRARY_FOLDER };

  if (dir == NULL)
    return;
  demo.bytes = sl_library_count_bytes (dir);
  add_row (self, &demo, TRUE);
}

/* The rows are new ones: what they show may have changed. */
static void
on_listed (GObject      *source,
           GAsyncResult *result,
           gpointer      data)
{
  SlModelPage *self = SL_MODEL_PAGE (source);
  g_autoptr (GPtrArray) library = g_task_propagate_pointer (G_TASK (result), NULL);

  if (library == NULL)
    return;
  for (guint i = 0; i < self->rows->len; i++)
    adw_preferences_group_remove (self->list, self->rows->pdata[i]);
  g_ptr_array_set_size (self->rows, 0);
  add_demo (self);
  for (guint i = 0; i < library->len; i++)
    {
      const SlLibraryModel *model = library->pdata[i];

      if (model->place != SL_LIBRARY_OWN || model->state != SL_LIBRARY_UNFINISHED)
        add_row (self, model, FALSE);
    }
}

static void
list (GTask        *task,
      gpointer      source,
      gpointer      dirs,
      GCancellable *cancellable)
{
  g_task_return_pointer (task, sl_library_list (dirs), (GDestroyNotify) g_ptr_array_unref);
}

static void
fill_list (SlModelPage *self)
{
  g_autoptr (GTask) task = g_task_new (self, self->cancellable, on_listed, NULL);

  g_task_set_source_tag (task, fill_list);
  g_task_set_task_data (task, sl_models_dup_dirs (self->models), (GDestroyNotify) g_strfreev);
  g_task_run_in_thread (task, list);
}

/* --- adding a folder ------------------------------------------------------- */

static void
on_accepted (const char *dir,
             gpointer    page)
{
  sl_models_add_dir (SL_MODEL_PAGE (page)->models, dir);
}

static void
on_refused (const char *sentence,
            gpointer    page)
{
  toast (page, sentence);
}

static void
on_add (SlModelPage *self)
{
  sl_model_choose (get_window (self), _("_Add"), on_accepted, on_refused, g_object_ref (self), g_object_unref);
}

/* --- getting more ---------------------------------------------------------- */

static SlDownloadRow *
add_download (SlModelPage *self,
              const char  *repo)
{
  GtkWidget *row;

  for (guint i = 0; i < self->downloads->len; i++)
    if (g_str_equal (sl_download_row_get_repo (self->downloads->pdata[i]), repo))
      return self->downloads->pdata[i];
  row = sl_download_row_new (sl_models_get_downloads (self->models), repo, sl_diagnostics_read_memory ("MemTotal"));
  adw_preferences_group_add (self->get, row);
  g_ptr_array_add (self->downloads, row);
  return SL_DOWNLOAD_ROW (row);
}

/* The published models, the recommended one first, and whatever else was begun. */
static void
fill_downloads (SlModelPage *self)
{
  GListModel *items = G_LIST_MODEL (sl_models_get_downloads (self->models));
  guint n;
  const SlPublished *published = sl_published_get (&n);

  add_download (self, sl_published_recommend (sl_diagnostics_read_memory ("MemTotal"))->repo);
  for (guint i = 0; i < n; i++)
    add_download (self, published[i].repo);
  for (guint i = 0; i < g_list_model_get_n_items (items); i++)
    {
      g_autoptr (SlDownloadItem) item = g_list_model_get_item (items, i);

      add_download (self, sl_download_item_get_repo (item));
    }
}

static void
on_repository (SlModelPage *self)
{
  g_autofree char *repo = g_strstrip (g_strdup (gtk_editable_get_text (self->repository)));

  if (!sl_hub_is_repo (repo))
    {
      g_autofree char *sentence = g_strdup_printf (_("“%s” is not the name of a repository (OWNER/NAME)."), repo);

      toast (self, sentence);
      return;
    }
  gtk_editable_set_text (self->repository, "");
  sl_download_row_begin (add_download (self, repo));
}

static void
on_limit (SlModelPage *self)
{
  g_settings_set_uint (self->settings, "download-limit", limits[adw_combo_row_get_selected (self->limit)]);
}

/* The program sets what the setting says. */
static void
show_limit (SlModelPage *self)
{
  guint limit = g_settings_get_uint (self->settings, "download-limit"), chosen = 0;

  for (guint i = 0; i < G_N_ELEMENTS (limits); i++)
    {
      g_autofree char *size = g_format_size ((guint64) limits[i] * 1000 * 1000);
      /* Translators: a size */
      g_autofree char *text = limits[i] > 0 ? g_strdup_printf (_("%s a second"), size) : g_strdup (_("None"));

      gtk_string_list_append (self->limits, text);
      chosen = limit >= limits[i] ? i : chosen;
    }
  adw_combo_row_set_selected (self->limit, chosen);
  g_signal_connect_object (self->limit, "notify::selected", G_CALLBACK (on_limit), self, G_CONNECT_SWAPPED);
}

static void
on_token (SlModelPage *self)
{
  sl_token_dialog_show (get_window (self), sl_downloads_get_endpoint (sl_models_get_downloads (self->models)), NULL, NULL, NULL);
}

/* The answer to the first question is what there is to see now. */
static void
on_ready (SlModelPage *self)
{
  GtkWindow *window = get_window (self);

  if (window != NULL)
    gtk_window_close (window);
}

static void
on_guide (SlModelPage *self)
{
  gtk_widget_activate_action (GTK_WIDGET (self), "app.guide", "s", "models");
}

/* --- where and how long ---------------------------------------------------- */

static void
on_device (SlModelPage *self)
{
  g_autofree char *dir = g_strdup (sl_engine_get_model_dir (self->engine));

  g_settings_set_string (self->settings, "device", devices[adw_combo_row_get_selected (self->device)]);
  /* What is loaded moves at once. */
  if (dir != NULL && sl_engine_get_state (self->engine) != SL_ENGINE_UNLOADED)
    load (dir, self);
}

static void
on_idle (SlModelPage *self)
{
  guint minutes = idle_minutes[adw_combo_row_get_selected (self->idle)];

  g_settings_set_uint (self->settings, "idle-minutes", minutes);
  sl_engine_set_idle_seconds (self->engine, minutes * 60);
}

static void
show_computing (SlModelPage *self)
{
  g_autofree char *device = g_settings_get_string (self->settings, "device");
  guint minutes = g_settings_get_uint (self->settings, "idle-minutes");
  const SlModelInfo *info = sl_engine_get_info (self->engine);

  if (info != NULL && *info->fallback != '\0')
    {
      /* Translators: a sentence that says what happened */
      g_autofree char *sentence = g_strdup_printf (_("The processor computes, as the graphics processor could not: %s"),
                                                   info->fallback);

      g_autofree char *markup = g_markup_escape_text (sentence, -1);

      adw_action_row_set_subtitle (ADW_ACTION_ROW (self->device), markup);
    }
  for (guint i = 0; i < G_N_ELEMENTS (devices); i++)
    if (g_str_equal (device, devices[i]))
      adw_combo_row_set_selected (self->device, i);
  for (guint i = 0; i < G_N_ELEMENTS (idle_minutes); i++)
    if (minutes >= idle_minutes[i])
      adw_combo_row_set_selected (self->idle, i);
  gtk_widget_set_visible (self->computing, TRUE);
  g_signal_connect_object (self->device, "notify::selected", G_CALLBACK (on_device), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->idle, "notify::selected", G_CALLBACK (on_idle), self, G_CONNECT_SWAPPED);
}

/* --- object ---------------------------------------------------------------- */

static void
sl_model_page_dispose (GObject *object)
{
  SlModelPage *self = SL_MODEL_PAGE (object);

  g_cancellable_cancel (self->cancellable);
  g_clear_object (&self->cancellable);
  g_clear_object (&self->engine);
  g_clear_object (&self->models);
  g_clear_object (&self->settings);
  g_clear_pointer (&self->rows, g_ptr_array_unref);
  g_clear_pointer (&self->downloads, g_ptr_array_unref);
  G_OBJECT_CLASS (sl_model_page_parent_class)->dispose (object);
}

static void
sl_model_page_class_init (SlModelPageClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = sl_model_page_dispose;
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/sightline/Sightline/sl-model-page.ui");
  gtk_widget_class_bind_template_child (widget_class, SlModelPage, recommended);
  gtk_widget_class_bind_template_child (widget_class, SlModelPage, list);
  gtk_widget_class_bind_template_child (widget_class, SlModelPage, get);
  gtk_widget_class_bind_template_child (widget_class, SlModelPage, repository);
  gtk_widget_class_bind_template_child (widget_class, SlModelPage, computing);
  gtk_widget_class_bind_template_child (widget_class, SlModelPage, device);
  gtk_widget_class_bind_template_child (widget_class, SlModelPage, idle);
  gtk_widget_class_bind_template_child (widget_class, SlModelPage, limit);
  gtk_widget_class_bind_template_child (widget_class, SlModelPage, limits);
  gtk_widget_class_bind_template_callback (widget_class, on_add);
  gtk_widget_class_bind_template_callback (widget_class, on_guide);
  gtk_widget_class_bind_template_callback (widget_class, on_repository);
  gtk_widget_class_bind_template_callback (widget_class, on_token);
}

static void
sl_model_page_init (SlModelPage *self)
{
  self->cancellable = g_cancellable_new ();
  self->rows = g_ptr_array_new ();
  self->downloads = g_ptr_array_new ();
  gtk_widget_init_template (GTK_WIDGET (self));
}

GtkWidget *
sl_model_page_new (SlEngine  *engine,
                   SlModels  *models,
                   GSettings *settings)
{
  SlModelPage *self = g_object_new (SL_TYPE_MODEL_PAGE, NULL);

  self->engine = g_object_ref (engine);
  self->models = g_object_ref (models);
  fill_list (self);
  fill_downloads (self);
  adw_preferences_group_add (self->recommended, sl_setup_row_new (models, sl_diagnostics_read_memory ("MemTotal")));
  g_signal_connect_object (sl_models_get_setup (models), "ready", G_CALLBACK (on_ready), self, G_CONNECT_SWAPPED);
  if (settings != NULL)
    {
      self->settings = g_object_ref (settings);
      show_computing (self);
      show_limit (self);
    }
  gtk_widget_set_visible (GTK_WIDGET (self->limit), settings != NULL);
  g_signal_connect_object (models, "notify::dirs", G_CALLBACK (fill_list), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (models, "not-saved", G_CALLBACK (toast), self, G_CONNECT_SWAPPED);
  return GTK_WIDGET (self);
}
