/* SPDX-License-Identifier: MIT
 *
 * What the window shows and remembers. Actions are in sl-window-actions.c.
 */
#include "ui/window/sl-window-private.h"

#include "app/system/sl-places.h"
#include "ui/inspector/sl-export-dialog.h"
#include "ui/window/sl-window-state.h"

#include <glib/gi18n.h>

G_DEFINE_FINAL_TYPE (SlWindow, sl_window, ADW_TYPE_APPLICATION_WINDOW)

/* --- sentences ------------------------------------------------------------- */

void
sl_window_toast (SlWindow   *self,
                 const char *sentence)
{
  g_autofree char *escaped = g_markup_escape_text (sentence, -1);
  AdwToast *toast = adw_toast_new (escaped);

  g_return_if_fail (SL_IS_WINDOW (self));
  /* What has just happened does not wait until an offer to undo is over; that comes back behind it. */
  adw_toast_set_priority (toast, ADW_TOAST_PRIORITY_HIGH);
  adw_toast_overlay_add_toast (self->toasts, toast);
}

void
sl_window_warn (SlWindow   *self,
                const char *sentence)
{
  g_return_if_fail (SL_IS_WINDOW (self));
  gtk_label_set_label (self->warning_label, sentence);
  gtk_widget_set_visible (self->warning, TRUE);
}

/* --- conversation ---------------------------------------------------------- */

void
sl_window_update_title (SlWindow *self)
{
  const char *title = sl_conversation_get_title (self->conversation);
  const SlModelInfo *info = sl_engine_get_info (self->engine);
  SlRemoteEngine *remote = sl_window_get_remote (self->conversation);
  const char *model = "";

  if (title == NULL || *title == '\0')
    title = _("New Conversation");
  if (remote != NULL)
    model = sl_remote_engine_get_server (remote)->name;
  else if (info != NULL)
    model = info->is_demo ? _("Demo model") : info->name;
  adw_window_title_set_title (self->title, title);
  adw_window_title_set_subtitle (self->title, model);
  gtk_window_set_title (GTK_WINDOW (self), title);
}

static SlWindowState
get_state (SlWindow *self)
{
  SlWindowState state = {
    .maximized = gtk_window_is_maximized (GTK_WINDOW (self)),
    .sidebar = adw_flap_get_folded (self->flap) || adw_flap_get_reveal_flap (self->flap),
    .mode = sl_composer_get_mode (self->composer),
    .conversation = sl_window_key_of (self->conversation),
  };

  gtk_window_get_default_size (GTK_WINDOW (self), &state.width, &state.height);
  return state;
}

/* A crash leaves no time to say which conversation it was. */
static void
remember_conversation (SlWindow *self)
{
  SlWindowState state = get_state (self);

  if (!self->restored || self->restoring || state.conversation == self->remembered)
    return;
  self->remembered = state.conversation;
  sl_window_state_save_soon (&state);
}

static void
update_content (SlWindow *self)
{
  guint n_messages = g_list_model_get_n_items (G_LIST_MODEL (self->conversation));

  gtk_stack_set_visible_child_name (self->content, n_messages ? "chat" : "empty");
  sl_sidebar_set_current (self->sidebar, n_messages ? sl_conversation_get_id (self->conversation) : 0);
  sl_window_update_actions (self);
  remember_conversation (self);
}

static void
on_busy (SlWindow *self)
{
  g_object_set (self->composer, "generating", sl_conversation_is_busy (self->conversation), NULL);
  sl_window_update_actions (self);
}

void
sl_window_stop_editing (SlWindow *self)
{
  if (self->editing == NULL)
    return;
  g_clear_object (&self->editing);
  sl_composer_set_editing (self->composer, FALSE);
  sl_composer_clear (self->composer);
}

/* Nothing that belongs to it stays in sight, or takes what comes next for its own. */
static void
leave_conversation (SlWindow *self)
{
  sl_window_leave_question (self);
  if (!self->carrying)
    sl_window_leave_draft (self);
  sl_window_cancel_plan (self);
  sl_composer_set_plan (self->composer, NULL);
  gtk_menu_button_popdown (self->menu_button);
  if (self->viewer != NULL)
    sl_picture_viewer_clear (self->viewer);
  if (self->compare != NULL)
    sl_compare_view_clear (self->compare);
}

/* The conversation that was to be opened is no longer wanted. */
void
sl_window_stay (SlWindow *self)
{
  g_cancellable_cancel (self->opening);
  g_clear_object (&self->opening);
  self->opening_id = self->opening_message = 0;
  self->restoring = FALSE;
}

void
sl_window_set_conversation (SlWindow       *self,
                            SlConversation *conversation)
{
  g_autoptr (SlConversation) fresh = NULL;

  sl_window_stay (self);
  if (conversation == NULL)
    conversation = fresh = sl_history_create (self->history);
  if (conversation != self->conversation)
    {
      leave_conversation (self);
      if (self->conversation != NULL)
        g_signal_handlers_disconnect_by_data (self->conversation, self);
      g_set_object (&self->conversation, conversation);
      g_signal_connect_object (conversation, "notify::title", G_CALLBACK (sl_window_update_title), self,
                               G_CONNECT_SWAPPED);
      g_signal_connect_object (conversation, "notify::busy", G_CALLBACK (on_busy), self,
                               G_CONNECT_SWAPPED);
      g_signal_connect_object (conversation, "items-changed", G_CALLBACK (update_content), self,
                               G_CONNECT_SWAPPED);
      sl_window_stop_finding (self);
      sl_window_watch_settings (self);
      sl_window_take_engine (self);
      sl_chat_view_set_conversation (self->chat, conversation);
      sl_window_show_draft (self, self->carrying);
      self->carrying = FALSE;
      sl_window_take_waiting_pictures (self);
      if (!sl_composer_is_empty (self->composer))
        sl_window_queue_plan (self);
    }
  sl_window_update_title (self);
  update_content (self);
  on_busy (self);
  gtk_stack_set_visible_child_name (self->pages, "main");
  sl_composer_grab_focus (self->composer);
}

/* What a search has found is brought into sight; 0: nothing was looked for. */
static void
show_message (SlWindow *self,
              gint64    id)
{
  SlMessage *message = id != 0 ? sl_conversation_reveal (self->conversation, id) : NULL;

  if (message != NULL)
    sl_chat_view_show_words (self->chat, message, sl_sidebar_get_query (self->sidebar));
}

static void
on_opened (GObject      *source,
           GAsyncResult *result,
           gpointer      data)
{
  g_autoptr (SlWindow) self = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (SlConversation) conversation =
    sl_history_open_finish (SL_HISTORY (source), result, &error);
  gint64 message;

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED) || self->toasts == NULL)
    return;
  message = self->opening_message;
  /* What came while the last conversation was being opened is for it. */
  self->carrying = self->restoring;
  sl_window_stay (self);
  if (conversation == NULL)
    {
      self->carrying = FALSE;
      sl_window_toast (self, error->message);
      sl_window_show_draft (self, TRUE);
      return;
    }
  if (sl_conversation_get_folder (conversation) != NULL)
    {
      self->carrying = FALSE;
      sl_window_show_folder (self, conversation, message);
      return;
    }
  sl_window_set_conversation (self, conversation);
  self->carrying = FALSE;
  show_message (self, message);
}

static void
start_opening (SlWindow *self,
               gint64    id,
               gint64    message)
{
  self->opening_message = message;
  self->opening = g_cancellable_new ();
  self->opening_id = id;
  sl_history_open_async (self->history, id, self->opening, on_opened, g_object_ref (self));
}

void
sl_window_open (SlWindow *self,
                gint64    id,
                gint64    message)
{
  sl_window_stay (self);
  if (id == sl_conversation_get_id (self->conversation))
    show_message (self, message);
  else
    start_opening (self, id, message);
}

static void
on_sidebar_open (SlWindow *self,
                 gint64    id,
                 gint64    message)
{
  sl_window_open (self, id, message);
  if (adw_flap_get_folded (self->flap))
    adw_flap_set_reveal_flap (self->flap, FALSE);
}

/* --- viewer ---------------------------------------------------------------- */

static void
on_close_viewer (SlWindow *self)
{
  gtk_stack_set_visible_child_name (self->pages, "main");
  sl_picture_viewer_clear (self->viewer);
  sl_composer_grab_focus (self->composer);
}

void
sl_window_take_area (SlWindow  *self,
                     SlPicture *picture,
                     gboolean   marked)
{
  sl_composer_add_picture (self->composer, picture);
  if (marked)
    {
      sl_composer_set_mode (self->composer, SL_MODE_GROUND);
      sl_window_toast (self, _("Add the picture to search, then ask for what the rectangle marks"));
    }
}

static void
on_viewer_ask (SlWindow  *self,
               SlPicture *picture,
               gboolean   marked)
{
  on_close_viewer (self);
  sl_window_take_area (self, picture, marked);
}

static void
on_close_compare (SlWindow *self)
{
  gtk_stack_set_visible_child_name (self->pages, self->compared_from);
  sl_compare_view_clear (self->compare);
  gtk_widget_child_focus (gtk_stack_get_visible_child (self->pages), GTK_DIR_TAB_FORWARD);
}

void
sl_window_compare (SlWindow  *self,
                   SlMessage *answer)
{
  const char *page = gtk_stack_get_visible_child_name (self->pages);

  if (self->compare == NULL)
    {
      self->compare = g_object_new (SL_TYPE_COMPARE_VIEW, NULL);
      g_signal_connect_swapped (self->compare, "close", G_CALLBACK (on_close_compare), self);
      gtk_stack_add_named (self->pages, GTK_WIDGET (self->compare), "compare");
    }
  if (!sl_compare_view_show (self->compare, self->conversation, answer))
    {
      sl_window_toast (self, _("No other answer has boxes on this picture yet"));
      return;
    }
  g_free (self->compared_from);
  self->compared_from = g_strdup (page);
  gtk_stack_set_visible_child_name (self->pages, "compare");
}

static void
on_viewer_find_again (SlWindow   *self,
                      SlMessage  *answer,
                      const char *label)
{
  g_autoptr (SlMessage) kept = g_object_ref (answer);
  g_autofree char *words = g_strdup (label);

  on_close_viewer (self);
  sl_window_find_again (self, kept, words);
}

static void
on_exported (GtkWindow  *window,
             const char *sentence)
{
  sl_window_toast (SL_WINDOW (window), sentence);
}

static void
on_viewer_export (SlWindow  *self,
                  SlMessage *answer,
                  SlBoxItem *box)
{
  sl_export_dialog_present (GTK_WINDOW (self), self->conversation, answer, box, on_exported);
}

/* The viewer's widgets are made when it is first opened: a window is there a third sooner without them and the comparison's. */
static SlPictureViewer *
open_viewer (SlWindow *self)
{
  if (self->viewer == NULL)
    {
      self->viewer = g_object_new (SL_TYPE_PICTURE_VIEWER, NULL);
      g_signal_connect_swapped (self->viewer, "close", G_CALLBACK (on_close_viewer), self);
      g_signal_connect_swapped (self->viewer, "ask", G_CALLBACK (on_viewer_ask), self);
      g_signal_connect_swapped (self->viewer, "export", G_CALLBACK (on_viewer_export), self);
      g_signal_connect_swapped (self->viewer, "compare", G_CALLBACK (sl_window_compare), self);
      g_signal_connect_swapped (self->viewer, "find-again", G_CALLBACK (on_viewer_find_again), self);
      g_signal_connect_swapped (self->viewer, "failed", G_CALLBACK (sl_window_toast), self);
      gtk_stack_add_named (self->pages, GTK_WIDGET (self->viewer), "viewer");
    }
  gtk_stack_set_visible_child_name (self->pages, "viewer");
  return self->viewer;
}

static void
on_open_answer (SlWindow   *self,
                SlMessage  *answer,
                SlBoxModel *boxes)
{
  sl_picture_viewer_show_answer (open_viewer (self), self->conversation, answer, boxes);
}

static void
on_open_part (SlWindow      *self,
              SlMessage     *message,
              SlMessagePart *part)
{
  g_autoptr (GPtrArray) parts = sl_conversation_list_pictures (self->conversation, NULL);

  sl_picture_viewer_show_parts (open_viewer (self), parts, part);
}

static void
on_composer_open (SlWindow      *self,
                  SlMessagePart *part)
{
  g_autoptr (GPtrArray) parts = sl_composer_dup_parts (self->composer);
  g_autoptr (GPtrArray) pictures = g_ptr_array_new ();

  for (guint i = 0; i < parts->len; i++)
    if (sl_message_part_get_kind (parts->pdata[i]) == SL_PART_PICTURE)
      g_ptr_array_add (pictures, parts->pdata[i]);
  sl_picture_viewer_show_parts (open_viewer (self), pictures, part);
}

/* --- model ----------------------------------------------------------------- */

static void
on_engine_state (SlWindow *self)
{
  const SlModelInfo *info = sl_engine_get_info (self->engine);

  sl_window_update_title (self);
  sl_empty_state_set_samples_visible (self->empty, info == NULL || info->is_demo);
  sl_window_update_actions (self);
}

/* --- size ------------------------------------------------------------------ */

/* The composer never takes more than a third of the window. */
static void
on_layout (SlWindow *self,
           int       width,
           int       height)
{
  sl_composer_set_max_height (self->composer, height / 3);
}

static void
sl_window_realize (GtkWidget *widget)
{
  GTK_WIDGET_CLASS (sl_window_parent_class)->realize (widget);
  g_signal_connect_object (gtk_native_get_surface (GTK_NATIVE (widget)), "layout",
                           G_CALLBACK (on_layout), widget, G_CONNECT_SWAPPED);
}

static gboolean
sl_window_close_request (GtkWindow *window)
{
  SlWindow *self = SL_WINDOW (window);
  SlWindowState state;

  sl_window_keep_draft (self);
  if (!sl_window_may_close (self))
    return GDK_EVENT_STOP;
  state = get_state (self);
  sl_window_state_save (&state);
  return GTK_WINDOW_CLASS (sl_window_parent_class)->close_request (window);
}

static void
restore_state (SlWindow *self)
{
  SlWindowState state;

  sl_window_state_load (&state);
  gtk_window_set_default_size (GTK_WINDOW (self), state.width, state.height);
  if (state.maximized)
    gtk_window_maximize (GTK_WINDOW (self));
  if (!state.sidebar)
    adw_flap_set_reveal_flap (self->flap, FALSE);
  sl_composer_set_mode (self->composer, state.mode);
  self->restored = TRUE;
  self->remembered = state.conversation;
  if (state.conversation != 0)
    {
      start_opening (self, state.conversation, 0);
      self->restoring = TRUE;
    }
}

/* --- object ---------------------------------------------------------------- */

static void
sl_window_dispose (GObject *object)
{
  SlWindow *self = SL_WINDOW (object);

  sl_window_cancel_plan (self);
  sl_window_cancel_question (self, 0);
  g_cancellable_cancel (self->opening);
  g_clear_object (&self->opening);
  sl_window_dispose_pictures (self);
  g_clear_handle_id (&self->draft_source, g_source_remove);
  g_clear_object (&self->editing);
  g_clear_object (&self->conversation);
  g_clear_object (&self->engine);
  g_clear_object (&self->store);
  g_clear_object (&self->history);
  g_clear_object (&self->models);
  g_clear_object (&self->remotes);
  g_clear_object (&self->server);
  g_clear_pointer (&self->compared_from, g_free);
  self->toasts = NULL;
  G_OBJECT_CLASS (sl_window_parent_class)->dispose (object);
}

static void
bind_template (GtkWidgetClass *klass)
{
  gtk_widget_class_set_template_from_resource (klass, "/io/github/sightline/Sightline/sl-window.ui");
  gtk_widget_class_bind_template_child (klass, SlWindow, toasts);
  gtk_widget_class_bind_template_child (klass, SlWindow, pages);
  gtk_widget_class_bind_template_child (klass, SlWindow, flap);
  gtk_widget_class_bind_template_child (klass, SlWindow, sidebar);
  gtk_widget_class_bind_template_child (klass, SlWindow, title);
  gtk_widget_class_bind_template_child (klass, SlWindow, menu_button);
  gtk_widget_class_bind_template_child (klass, SlWindow, settings_button);
  gtk_widget_class_bind_template_child (klass, SlWindow, content);
  gtk_widget_class_bind_template_child (klass, SlWindow, empty);
  gtk_widget_class_bind_template_child (klass, SlWindow, chat);
  gtk_widget_class_bind_template_child (klass, SlWindow, engine_bar);
  gtk_widget_class_bind_template_child (klass, SlWindow, model_bar);
  gtk_widget_class_bind_template_child (klass, SlWindow, warning);
  gtk_widget_class_bind_template_child (klass, SlWindow, warning_label);
  gtk_widget_class_bind_template_child (klass, SlWindow, composer);
  gtk_widget_class_bind_template_child (klass, SlWindow, drop_highlight);
  gtk_widget_class_bind_template_child (klass, SlWindow, store_bar);
}

static void
sl_window_class_init (SlWindowClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = sl_window_dispose;
  widget_class->realize = sl_window_realize;
  GTK_WINDOW_CLASS (klass)->close_request = sl_window_close_request;
  g_type_ensure (SL_TYPE_CHAT_VIEW);
  g_type_ensure (SL_TYPE_COMPOSER);
  g_type_ensure (SL_TYPE_EMPTY_STATE);
  g_type_ensure (SL_TYPE_ENGINE_BAR);
  g_type_ensure (SL_TYPE_MODEL_BAR);
  g_type_ensure (SL_TYPE_SIDEBAR);
  g_type_ensure (SL_TYPE_STORE_BAR);
  bind_template (widget_class);
  sl_window_install_actions (widget_class);
}

static void
sl_window_init (SlWindow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  sl_window_init_pictures (self);
  sl_window_init_settings (self);
  sl_window_init_find (self);
  g_signal_connect_swapped (self->sidebar, "open", G_CALLBACK (on_sidebar_open), self);
  g_signal_connect_swapped (self->chat, "open-answer", G_CALLBACK (on_open_answer), self);
  g_signal_connect_swapped (self->chat, "open-part", G_CALLBACK (on_open_part), self);
  g_signal_connect_swapped (self->chat, "find-again", G_CALLBACK (sl_window_find_again), self);
  g_signal_connect_swapped (self->chat, "failed", G_CALLBACK (sl_window_toast), self);
  g_signal_connect_swapped (self->composer, "failed", G_CALLBACK (sl_window_toast), self);
  g_signal_connect_swapped (self->composer, "open-picture", G_CALLBACK (on_composer_open), self);
  sl_window_connect_composer (self);
}

SlWindow *
sl_window_new (GtkApplication *application,
               SlEngine       *engine,
               SlStore        *store,
               SlHistory      *history,
               SlModels       *models,
               SlRemotes      *remotes,
               SlServerSwitch *server)
{
  SlWindow *self = g_object_new (SL_TYPE_WINDOW, "application", application, NULL);
  g_autofree char *data_dir = sl_places_dup_data_dir ();
  g_autoptr (GPtrArray) samples = sl_sample_load_all (data_dir);

  self->engine = g_object_ref (engine);
  sl_composer_set_engine (self->composer, engine);
  sl_window_set_store (self, store);
  self->history = g_object_ref (history);
  self->models = g_object_ref (models);
  g_signal_connect_object (models, "not-saved", G_CALLBACK (sl_window_toast), self, G_CONNECT_SWAPPED);
  sl_sidebar_set_history (self->sidebar, history);
  sl_window_init_folder (self);
  sl_model_bar_set_engine (self->model_bar, engine);
  sl_empty_state_set_samples (self->empty, samples);
  sl_window_set_remotes (self, remotes);
  self->server = g_object_ref (server);
  sl_window_set_conversation (self, NULL);
  g_signal_connect_object (engine, "notify::state", G_CALLBACK (on_engine_state), self,
                           G_CONNECT_SWAPPED);
  on_engine_state (self);
  restore_state (self);
  sl_window_connect_drafts (self);
  sl_window_show_opening (self);
  return self;
}
