/* SPDX-License-Identifier: MIT
 *
 * The table of a folder's pictures. What changes many times a second is shown once a frame.
 */
#include "ui/folder/sl-folder-page-private.h"

#include "ui/folder/sl-folder-cell.h"

#include <glib/gi18n.h>

G_DEFINE_FINAL_TYPE (SlFolderPage, sl_folder_page, GTK_TYPE_WIDGET)

#define CELL_WIDTH 168 /* at least: the picture and what is around it */

/* As the lists of the template have them. */
typedef enum { STATE_ALL, STATE_TO_REVIEW, STATE_REVIEWED, STATE_FAILED, STATE_WAITING } State;
typedef enum { CERTAINTY_ANY, CERTAINTY_90, CERTAINTY_70, CERTAINTY_50, CERTAINTY_NOTHING } Certainty;

/* --- filter ---------------------------------------------------------------- */

static gboolean
has_state (SlFolderRow *row,
           State        wanted)
{
  SlFolderState state = sl_folder_row_get_state (row);

  switch (wanted)
    {
    case STATE_TO_REVIEW:
      return state == SL_FOLDER_ANSWERED && !sl_folder_row_get_reviewed (row);
    case STATE_REVIEWED:
      return sl_folder_row_get_reviewed (row);
    case STATE_FAILED:
      return state == SL_FOLDER_FAILED;
    case STATE_WAITING:
      return state == SL_FOLDER_WAITING || state == SL_FOLDER_ASKING;
    case STATE_ALL:
    default:
      return TRUE;
    }
}

static gboolean
has_certainty (SlFolderRow *row,
               Certainty    wanted)
{
  static const double limits[] = { [CERTAINTY_90] = 0.9, [CERTAINTY_70] = 0.7, [CERTAINTY_50] = 0.5 };
  double overlap = sl_folder_row_get_overlap (row);

  if (wanted == CERTAINTY_ANY)
    return TRUE;
  if (wanted == CERTAINTY_NOTHING)
    return sl_folder_row_get_state (row) == SL_FOLDER_ANSWERED && sl_folder_row_get_n_boxes (row) == 0;
  return overlap >= 0 && overlap < limits[wanted];
}

static gboolean
is_wanted (gpointer item,
           gpointer data)
{
  SlFolderPage *self = data;

  return has_state (item, gtk_drop_down_get_selected (self->states))
         && has_certainty (item, gtk_drop_down_get_selected (self->certainties));
}

/* --- what is shown ---------------------------------------------------------- */

static char *
dup_time (double seconds)
{
  guint s = (guint) seconds;

  return s >= 3600 ? g_strdup_printf ("%u:%02u:%02u", s / 3600, s / 60 % 60, s % 60) : g_strdup_printf ("%u:%02u", s / 60, s % 60);
}

static char *
dup_progress (SlFolderPage           *self,
              const SlFolderProgress *progress)
{
  GString *text = g_string_new (NULL);
  SlFolderJobState state = sl_folder_job_get_state (self->job);
  g_autofree char *left = dup_time (progress->seconds_left);

  if (state == SL_FOLDER_JOB_LOOKING)
    g_string_append (text, _("Reading the folder…"));
  else
    /* Translators: pictures of a folder: answered, all */
    g_string_append_printf (text, _("%u of %u answered"), progress->n_answered, progress->n_pictures);
  if (progress->n_failed > 0)
    g_string_append_printf (text, _(" · %u failed"), progress->n_failed);
  if (progress->n_answered > 0)
    g_string_append_printf (text, _(" · %u reviewed"), progress->n_reviewed);
  if (state == SL_FOLDER_JOB_RUNNING && progress->per_minute > 0)
    /* Translators: pictures in a minute; time left as hours, minutes, seconds */
    g_string_append_printf (text, _(" · %.1f per minute · %s left"), progress->per_minute, left);
  if (state == SL_FOLDER_JOB_PAUSED && progress->n_waiting > 0)
    g_string_append (text, _(" · paused"));
  return g_string_free (text, FALSE);
}

static void
update_run (SlFolderPage           *self,
            const SlFolderProgress *progress)
{
  SlFolderJobState state = sl_folder_job_get_state (self->job);
  gboolean busy = state == SL_FOLDER_JOB_LOOKING || state == SL_FOLDER_JOB_RUNNING;
  const char *name = busy ? _("Pause") : progress->n_answered > 0 ? _("Resume") : _("Start");

  gtk_button_set_icon_name (self->run, busy ? "media-playback-pause-symbolic" : "media-playback-start-symbolic");
  gtk_actionable_set_action_name (GTK_ACTIONABLE (self->run), busy ? "folder.pause" : "folder.run");
  gtk_widget_set_visible (GTK_WIDGET (self->run), state != SL_FOLDER_JOB_DONE);
  gtk_widget_set_tooltip_text (GTK_WIDGET (self->run), name);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->run), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
}

static void
update_error (SlFolderPage *self)
{
  const char *sentence = sl_folder_job_get_error_text (self->job);

  gtk_widget_set_visible (self->error, sentence != NULL);
  gtk_widget_set_visible (GTK_WIDGET (self->go_on), sl_folder_job_get_other_model (self->job));
  if (sentence != NULL)
    gtk_label_set_label (self->error_label, sentence);
}

static void
update (SlFolderPage *self)
{
  GtkWidget *widget = GTK_WIDGET (self);
  SlFolderProgress progress;
  g_autofree char *words = NULL;
  guint n_shown;

  sl_folder_job_get_progress (self->job, &progress);
  words = dup_progress (self, &progress);
  gtk_label_set_label (self->progress_label, words);
  gtk_progress_bar_set_fraction (self->progress, (double) (progress.n_answered + progress.n_failed) / MAX (1, progress.n_pictures));
  update_run (self, &progress);
  update_error (self);
  gtk_filter_changed (self->filter, GTK_FILTER_CHANGE_DIFFERENT);
  n_shown = g_list_model_get_n_items (G_LIST_MODEL (self->filtered));
  gtk_stack_set_visible_child_name (self->content, n_shown > 0 ? "pictures" : "none");
  gtk_widget_action_set_enabled (widget, "folder.review", progress.n_answered > 0);
  gtk_widget_action_set_enabled (widget, "folder.export", progress.n_reviewed > 0);
  gtk_widget_action_set_enabled (widget, "folder.retry", progress.n_failed > 0);
  gtk_widget_action_set_enabled (widget, "folder.look", sl_folder_job_get_state (self->job) == SL_FOLDER_JOB_DONE);
}

static gboolean
on_update (gpointer data)
{
  SlFolderPage *self = data;

  self->update_source = 0;
  update (self);
  return G_SOURCE_REMOVE;
}

static void
queue_update (SlFolderPage *self)
{
  if (self->update_source == 0 && self->job != NULL)
    self->update_source = g_idle_add (on_update, self);
}

/* --- actions --------------------------------------------------------------- */

static void
close_page (GtkWidget  *widget,
            const char *name,
            GVariant   *parameter)
{
  g_signal_emit_by_name (widget, "close");
}

static void
run (GtkWidget  *widget,
     const char *name,
     GVariant   *parameter)
{
  sl_folder_job_run (SL_FOLDER_PAGE (widget)->job, g_str_equal (name, "folder.any-model"));
}

static void
pause_job (GtkWidget  *widget,
           const char *name,
           GVariant   *parameter)
{
  sl_folder_job_pause (SL_FOLDER_PAGE (widget)->job);
}

static void
retry (GtkWidget  *widget,
       const char *name,
       GVariant   *parameter)
{
  sl_folder_job_retry (SL_FOLDER_PAGE (widget)->job);
}

/* The first that is not reviewed, of those that are shown. */
static void
review (GtkWidget  *widget,
        const char *name,
        GVariant   *parameter)
{
  SlFolderPage *self = SL_FOLDER_PAGE (widget);
  GListModel *rows = G_LIST_MODEL (self->filtered);
  g_autoptr (SlFolderRow) first = NULL;

  for (guint i = 0; i < g_list_model_get_n_items (rows); i++)
    {
      g_autoptr (SlFolderRow) row = g_list_model_get_item (rows, i);

      if (sl_folder_row_get_state (row) != SL_FOLDER_ANSWERED || (first != NULL && sl_folder_row_get_reviewed (row)))
        continue;
      if (first == NULL || sl_folder_row_get_reviewed (first))
        g_set_object (&first, row);
      if (!sl_folder_row_get_reviewed (first))
        break;
    }
  if (first != NULL)
    sl_folder_page_review (self, first);
}

static void
export_accepted (GtkWidget  *widget,
                 const char *name,
                 GVariant   *parameter)
{
  sl_folder_page_export (SL_FOLDER_PAGE (widget));
}

static void
on_activate (SlFolderPage *self,
             guint         position)
{
  g_autoptr (SlFolderRow) row = g_list_model_get_item (G_LIST_MODEL (self->filtered), position);

  if (row == NULL)
    return;
  if (sl_folder_row_get_state (row) == SL_FOLDER_ANSWERED)
    sl_folder_page_review (self, row);
  else if (sl_folder_row_get_error_text (row) != NULL)
    g_signal_emit_by_name (self, "failed", sl_folder_row_get_error_text (row));
}

/* --- object ---------------------------------------------------------------- */

static void
sl_folder_page_dispose (GObject *object)
{
  SlFolderPage *self = SL_FOLDER_PAGE (object);

  if (self->stack != NULL)
    sl_folder_page_set_job (self, NULL);
  if (self->stack != NULL)
    gtk_widget_unparent (GTK_WIDGET (self->stack));
  self->stack = NULL;
  g_clear_object (&self->filtered);
  g_clear_object (&self->boxes);
  g_clear_pointer (&self->series, g_ptr_array_unref);
  g_clear_pointer (&self->held, g_ptr_array_unref);
  g_clear_pointer (&self->mipmaps, g_ptr_array_unref);
  G_OBJECT_CLASS (sl_folder_page_parent_class)->dispose (object);
}

/* A GtkGridView makes as many cells as 30 rows of its widest could have, however few are seen. */
static void
on_layout (SlFolderPage *self,
           int           width)
{
  gtk_grid_view_set_max_columns (self->grid, MAX (1, width / CELL_WIDTH));
}

static void
sl_folder_page_map (GtkWidget *widget)
{
  GdkSurface *surface = gtk_native_get_surface (gtk_widget_get_native (widget));

  on_layout (SL_FOLDER_PAGE (widget), gdk_surface_get_width (surface));
  GTK_WIDGET_CLASS (sl_folder_page_parent_class)->map (widget);
  g_signal_connect_object (surface, "layout", G_CALLBACK (on_layout), widget, G_CONNECT_SWAPPED);
}

static void
sl_folder_page_unmap (GtkWidget *widget)
{
  g_signal_handlers_disconnect_by_func (gtk_native_get_surface (gtk_widget_get_native (widget)), on_layout, widget);
  GTK_WIDGET_CLASS (sl_folder_page_parent_class)->unmap (widget);
}

static void
bind_template (GtkWidgetClass *widget_class)
{
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/sightline/Sightline/sl-folder-page.ui");
  gtk_widget_class_bind_template_child (widget_class, SlFolderPage, stack);
  gtk_widget_class_bind_template_child (widget_class, SlFolderPage, title);
  gtk_widget_class_bind_template_child (widget_class, SlFolderPage, run);
  gtk_widget_class_bind_template_child (widget_class, SlFolderPage, progress);
  gtk_widget_class_bind_template_child (widget_class, SlFolderPage, progress_label);
  gtk_widget_class_bind_template_child (widget_class, SlFolderPage, error);
  gtk_widget_class_bind_template_child (widget_class, SlFolderPage, error_label);
  gtk_widget_class_bind_template_child (widget_class, SlFolderPage, go_on);
  gtk_widget_class_bind_template_child (widget_class, SlFolderPage, states);
  gtk_widget_class_bind_template_child (widget_class, SlFolderPage, certainties);
  gtk_widget_class_bind_template_child (widget_class, SlFolderPage, grid);
  gtk_widget_class_bind_template_child (widget_class, SlFolderPage, content);
}

static void
sl_folder_page_class_init (SlFolderPageClass *klass)
{
  static const struct
  {
    const char *name;
    GtkWidgetActionActivateFunc activate;
  } actions[] = {
    { "folder.close", close_page },   { "folder.run", run },       { "folder.any-model", run },       { "folder.pause", pause_job },
    { "folder.retry", retry },        { "folder.look", run },      { "folder.review", review },       { "folder.export", export_accepted },
  };
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = sl_folder_page_dispose;
  widget_class->map = sl_folder_page_map;
  widget_class->unmap = sl_folder_page_unmap;
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_css_name (widget_class, "folderpage");
  bind_template (widget_class);
  for (guint i = 0; i < G_N_ELEMENTS (actions); i++)
    gtk_widget_class_install_action (widget_class, actions[i].name, NULL, actions[i].activate);
  g_signal_new ("close", SL_TYPE_FOLDER_PAGE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  g_signal_new ("failed", SL_TYPE_FOLDER_PAGE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
  g_signal_new ("ask", SL_TYPE_FOLDER_PAGE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 2, SL_TYPE_PICTURE, G_TYPE_BOOLEAN);
}

static void
on_setup (GtkSignalListItemFactory *factory,
          GtkListItem              *item)
{
  gtk_list_item_set_child (item, sl_folder_cell_new ());
}

static void
on_bind (GtkSignalListItemFactory *factory,
         GtkListItem              *item)
{
  sl_folder_cell_set_row (SL_FOLDER_CELL (gtk_list_item_get_child (item)), gtk_list_item_get_item (item));
}

static void
on_unbind (GtkSignalListItemFactory *factory,
           GtkListItem              *item)
{
  sl_folder_cell_set_row (SL_FOLDER_CELL (gtk_list_item_get_child (item)), NULL);
}

static gboolean
on_key (SlFolderPage *self,
        guint         keyval)
{
  if (keyval != GDK_KEY_Escape || g_strcmp0 (gtk_stack_get_visible_child_name (self->stack), "table") != 0)
    return GDK_EVENT_PROPAGATE;
  g_signal_emit_by_name (self, "close");
  return GDK_EVENT_STOP;
}

static void
sl_folder_page_init (SlFolderPage *self)
{
  g_autoptr (GtkListItemFactory) factory = gtk_signal_list_item_factory_new ();
  g_autoptr (GtkNoSelection) selection = NULL;
  GtkEventController *keys = gtk_event_controller_key_new ();

  gtk_widget_init_template (GTK_WIDGET (self));
  self->held = g_ptr_array_new_with_free_func (g_object_unref);
  self->mipmaps = g_ptr_array_new_with_free_func (g_object_unref);
  self->filter = GTK_FILTER (gtk_custom_filter_new (is_wanted, self, NULL));
  self->filtered = gtk_filter_list_model_new (NULL, self->filter);
  selection = gtk_no_selection_new (g_object_ref (G_LIST_MODEL (self->filtered)));
  g_signal_connect (factory, "setup", G_CALLBACK (on_setup), NULL);
  g_signal_connect (factory, "bind", G_CALLBACK (on_bind), NULL);
  g_signal_connect (factory, "unbind", G_CALLBACK (on_unbind), NULL);
  gtk_grid_view_set_factory (self->grid, factory);
  gtk_grid_view_set_model (self->grid, GTK_SELECTION_MODEL (selection));
  g_signal_connect_swapped (self->grid, "activate", G_CALLBACK (on_activate), self);
  g_signal_connect_swapped (self->states, "notify::selected", G_CALLBACK (queue_update), self);
  g_signal_connect_swapped (self->certainties, "notify::selected", G_CALLBACK (queue_update), self);
  g_signal_connect_swapped (keys, "key-pressed", G_CALLBACK (on_key), self);
  gtk_widget_add_controller (GTK_WIDGET (self), keys);
}

void
sl_folder_page_set_job (SlFolderPage *self,
                        SlFolderJob  *job)
{
  g_return_if_fail (SL_IS_FOLDER_PAGE (self));

  if (self->job == job)
    return;
  sl_folder_page_stop_review (self);
  g_clear_handle_id (&self->update_source, g_source_remove);
  if (self->job != NULL)
    g_signal_handlers_disconnect_by_data (self->job, self);
  gtk_filter_list_model_set_model (self->filtered, G_LIST_MODEL (job));
  g_set_object (&self->job, job);
  if (job == NULL)
    return;
  gtk_drop_down_set_selected (self->states, STATE_ALL);
  gtk_drop_down_set_selected (self->certainties, CERTAINTY_ANY);
  adw_window_title_set_title (self->title, sl_conversation_get_title (sl_folder_job_get_conversation (job)));
  g_signal_connect_object (job, "progress", G_CALLBACK (queue_update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (job, "notify::state", G_CALLBACK (queue_update), self, G_CONNECT_SWAPPED);
  update (self);
  gtk_widget_grab_focus (GTK_WIDGET (self->grid));
}

SlFolderJob *
sl_folder_page_get_job (SlFolderPage *self)
{
  g_return_val_if_fail (SL_IS_FOLDER_PAGE (self), NULL);
  return self->job;
}

void
sl_folder_page_reveal (SlFolderPage *self,
                       gint64        message)
{
  g_return_if_fail (SL_IS_FOLDER_PAGE (self));

  for (guint i = 0; message != 0 && i < g_list_model_get_n_items (G_LIST_MODEL (self->job)); i++)
    {
      g_autoptr (SlFolderRow) row = g_list_model_get_item (G_LIST_MODEL (self->job), i);
      SlMessage *answer = sl_folder_row_get_answer (row);

      if (answer == NULL || sl_folder_row_get_state (row) != SL_FOLDER_ANSWERED)
        continue;
      if (sl_message_get_id (answer) == message
          || sl_message_get_id (sl_conversation_get_question (sl_folder_job_get_conversation (self->job), answer)) == message)
        {
          sl_folder_page_review (self, row);
          return;
        }
    }
}
