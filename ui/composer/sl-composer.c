/* SPDX-License-Identifier: MIT
 *
 * Edits a question: text, pictures between its words, mode. Pictures are GtkTextChildAnchors with an SlThumbnail each; the
 * anchor is found through the thumbnail, so moving one is deleting its anchor and making another. Undo is cut where pictures
 * change: GtkTextBuffer cannot replay anchors.
 */
#include "ui/composer/sl-composer.h"

#include "ui/composer/sl-context-meter.h"
#include "ui/composer/sl-template.h"
#include "ui/pictures/sl-thumbnail.h"

#include <glib/gi18n.h>

#define THUMBNAIL_SIDE 72
#define ANCHOR_CHAR 0xFFFC

struct _SlComposer
{
  GtkWidget parent_instance;

  GtkWidget *card;
  GtkWidget *edit_bar;
  GtkButton *cancel_edit;
  GtkLabel *placeholder;
  GtkScrolledWindow *scrolled;
  GtkTextView *text_view;
  GtkToggleButton *modes_buttons[SL_N_MODES];
  GtkLabel *raw_badge;
  GtkMenuButton *options;
  GtkBox *meter_box;
  GtkWidget *meter;  /* SlContextMeter */
  SlEngine *engine;  /* knows what pictures cost, or NULL */
  GtkSpinner *spinner;
  GtkButton *send;

  GtkTextBuffer *buffer; /* of text_view, borrowed */
  gboolean preedit;      /* an input method is composing: Enter is its key */
  gboolean raw;
  gboolean generating;
  gboolean receiving;
};

enum
{
  PROP_0,
  PROP_MODE,
  PROP_RAW,
  PROP_GENERATING,
  PROP_RECEIVING,
  PROP_EMPTY,
  N_PROPS,
};

enum
{
  SEND,
  STOP,
  CANCEL_EDIT,
  PASTE,
  OPEN_PICTURE,
  CHANGED,
  FAILED,
  N_SIGNALS,
};

static GParamSpec *properties[N_PROPS];
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (SlComposer, sl_composer, GTK_TYPE_WIDGET)

/* --- pictures in the text -------------------------------------------------- */

static SlThumbnail *
get_thumbnail (const GtkTextIter *iter)
{
  GtkTextChildAnchor *anchor = gtk_text_iter_get_child_anchor (iter);
  g_autofree GtkWidget **widgets = NULL;
  guint n_widgets = 0;

  if (anchor == NULL || gtk_text_child_anchor_get_deleted (anchor))
    return NULL;
  widgets = gtk_text_child_anchor_get_widgets (anchor, &n_widgets);
  return n_widgets > 0 && SL_IS_THUMBNAIL (widgets[0]) ? SL_THUMBNAIL (widgets[0]) : NULL;
}

static gboolean
find_thumbnail (SlComposer  *self,
                SlThumbnail *thumbnail,
                GtkTextIter *iter)
{
  gtk_text_buffer_get_start_iter (self->buffer, iter);
  do
    if (get_thumbnail (iter) == thumbnail)
      return TRUE;
  while (gtk_text_iter_forward_char (iter));
  return FALSE;
}

static void
number_thumbnails (SlComposer *self)
{
  GtkTextIter iter;
  guint count = 0;

  for (guint pass = 0; pass < 2; pass++)
    {
      guint position = 0;
      gtk_text_buffer_get_start_iter (self->buffer, &iter);
      do
        {
          SlThumbnail *thumbnail = get_thumbnail (&iter);
          if (thumbnail != NULL)
            {
              position++;
              if (pass == 1)
                sl_thumbnail_set_position (thumbnail, position, count);
            }
        }
      while (gtk_text_iter_forward_char (&iter));
      count = position;
    }
}

static void insert_part (SlComposer    *self,
                         GtkTextIter   *iter,
                         SlMessagePart *part,
                         gboolean       focus);

static void
delete_at (SlComposer  *self,
           GtkTextIter *iter)
{
  GtkTextIter end = *iter;

  gtk_text_iter_forward_char (&end);
  gtk_text_buffer_begin_irreversible_action (self->buffer);
  gtk_text_buffer_delete (self->buffer, iter, &end);
  gtk_text_buffer_end_irreversible_action (self->buffer);
}

static void
on_remove (SlComposer  *self,
           SlThumbnail *thumbnail)
{
  GtkTextIter iter;

  if (find_thumbnail (self, thumbnail, &iter))
    delete_at (self, &iter);
  gtk_widget_grab_focus (GTK_WIDGET (self->text_view));
}

static void
move_to (SlComposer  *self,
         SlThumbnail *thumbnail,
         GtkTextIter *target,
         gboolean     focus)
{
  g_autoptr (SlMessagePart) part = g_object_ref (sl_thumbnail_get_part (thumbnail));
  GtkTextMark *mark = gtk_text_buffer_create_mark (self->buffer, NULL, target, TRUE);
  GtkTextIter iter;

  if (find_thumbnail (self, thumbnail, &iter))
    {
      delete_at (self, &iter);
      gtk_text_buffer_get_iter_at_mark (self->buffer, &iter, mark);
      insert_part (self, &iter, part, focus);
    }
  gtk_text_buffer_delete_mark (self->buffer, mark);
}

/* Past the next picture or word. */
static void
on_move (SlComposer  *self,
         int          direction,
         SlThumbnail *thumbnail)
{
  GtkTextIter iter;

  if (!find_thumbnail (self, thumbnail, &iter))
    return;
  if (direction > 0)
    {
      gtk_text_iter_forward_char (&iter);
      if (gtk_text_iter_is_end (&iter))
        return;
      if (gtk_text_iter_get_char (&iter) == ANCHOR_CHAR || !gtk_text_iter_forward_word_end (&iter))
        gtk_text_iter_forward_char (&iter);
    }
  else
    {
      GtkTextIter before = iter;
      if (!gtk_text_iter_backward_char (&before))
        return;
      if (gtk_text_iter_get_char (&before) == ANCHOR_CHAR || !gtk_text_iter_backward_word_start (&iter))
        iter = before;
    }
  move_to (self, thumbnail, &iter, TRUE);
}

static void
on_thumbnail_activated (SlComposer  *self,
                        SlThumbnail *thumbnail)
{
  g_signal_emit (self, signals[OPEN_PICTURE], 0, sl_thumbnail_get_part (thumbnail));
}

static void
on_detail (SlComposer *self)
{
  g_signal_emit (self, signals[CHANGED], 0);
}

static void update_send (SlComposer *self);

/* The part in its place may be another one. */
static void
on_thumbnail_changed (SlComposer  *self,
                      SlThumbnail *thumbnail)
{
  SlMessagePart *part = sl_thumbnail_get_part (thumbnail);

  g_signal_handlers_disconnect_by_func (part, on_detail, self);
  g_signal_connect_object (part, "notify::detail", G_CALLBACK (on_detail), self, G_CONNECT_SWAPPED);
  update_send (self);
  g_signal_emit (self, signals[CHANGED], 0);
}

static void
on_thumbnail_failed (SlComposer *self,
                     const char *sentence)
{
  g_signal_emit (self, signals[FAILED], 0, sentence);
}

static void
insert_part (SlComposer    *self,
             GtkTextIter   *iter,
             SlMessagePart *part,
             gboolean       focus)
{
  GtkTextChildAnchor *anchor;
  GtkWidget *thumbnail;

  if (sl_message_part_get_kind (part) == SL_PART_TEXT)
    {
      gtk_text_buffer_insert (self->buffer, iter, sl_message_part_get_text (part), -1);
      return;
    }
  gtk_text_buffer_begin_irreversible_action (self->buffer);
  anchor = gtk_text_buffer_create_child_anchor (self->buffer, iter);
  gtk_text_buffer_end_irreversible_action (self->buffer);
  thumbnail = sl_thumbnail_new (part, THUMBNAIL_SIDE, TRUE);
  sl_thumbnail_set_engine (SL_THUMBNAIL (thumbnail), self->engine);
  g_signal_connect_object (part, "notify::detail", G_CALLBACK (on_detail), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (thumbnail, "remove", G_CALLBACK (on_remove), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (thumbnail, "move", G_CALLBACK (on_move), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (thumbnail, "changed", G_CALLBACK (on_thumbnail_changed), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (thumbnail, "failed", G_CALLBACK (on_thumbnail_failed), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (thumbnail, "activated", G_CALLBACK (on_thumbnail_activated), self,
                           G_CONNECT_SWAPPED);
  gtk_text_view_add_child_at_anchor (self->text_view, thumbnail, anchor);
  number_thumbnails (self);
  if (focus)
    gtk_widget_grab_focus (thumbnail);
}

static gboolean
on_drop_thumbnail (SlComposer   *self,
                   const GValue *value,
                   double        x,
                   double        y)
{
  SlThumbnail *thumbnail = g_value_get_object (value);
  GtkTextIter iter;
  int buffer_x, buffer_y;

  gtk_text_view_window_to_buffer_coords (self->text_view, GTK_TEXT_WINDOW_WIDGET, x, y, &buffer_x,
                                         &buffer_y);
  gtk_text_view_get_iter_at_position (self->text_view, &iter, NULL, buffer_x, buffer_y);
  if (thumbnail == NULL || get_thumbnail (&iter) == thumbnail)
    return FALSE;
  move_to (self, thumbnail, &iter, FALSE);
  return TRUE;
}

/* --- state ----------------------------------------------------------------- */

gboolean
sl_composer_is_empty (SlComposer *self)
{
  g_autofree char *text = NULL;

  g_return_val_if_fail (SL_IS_COMPOSER (self), TRUE);
  text = sl_composer_dup_content (self);
  return *g_strstrip (text) == '\0';
}

/* For pictures that are still coming, or being laid over white. */
static gboolean
is_waiting (SlComposer *self)
{
  GtkTextIter iter;

  gtk_text_buffer_get_start_iter (self->buffer, &iter);
  do
    {
      SlThumbnail *thumbnail = get_thumbnail (&iter);
      if (thumbnail != NULL && sl_thumbnail_is_busy (thumbnail))
        return TRUE;
    }
  while (gtk_text_iter_forward_char (&iter));
  return self->receiving;
}

static void
update_send (SlComposer *self)
{
  const char *name = self->generating ? _("Stop") : _("Send");

  gtk_button_set_icon_name (self->send, self->generating ? "media-playback-stop-symbolic"
                                                         : "go-up-symbolic");
  gtk_widget_set_tooltip_text (GTK_WIDGET (self->send), name);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->send), GTK_ACCESSIBLE_PROPERTY_LABEL, name,
                                  -1);
  gtk_widget_set_sensitive (GTK_WIDGET (self->send),
                            self->generating || (!is_waiting (self) && !sl_composer_is_empty (self)));
}

static void
on_buffer_changed (SlComposer *self)
{
  gboolean nothing = gtk_text_buffer_get_char_count (self->buffer) == 0;

  gtk_widget_set_visible (GTK_WIDGET (self->placeholder), nothing && !self->preedit);
  number_thumbnails (self);
  update_send (self);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_EMPTY]);
  g_signal_emit (self, signals[CHANGED], 0);
}

static void
on_preedit_changed (SlComposer *self,
                    const char *preedit)
{
  self->preedit = preedit != NULL && *preedit != '\0';
  gtk_widget_set_visible (GTK_WIDGET (self->placeholder),
                          !self->preedit && gtk_text_buffer_get_char_count (self->buffer) == 0);
}

static void
update_placeholder (SlComposer *self)
{
  static const char *const hints[SL_N_MODES] = {
    [SL_MODE_CHAT] = N_("Ask about your pictures"),
    [SL_MODE_FIND] = N_("What should be found? For example: the red circle"),
    [SL_MODE_GROUND] = N_("Ask, and the answer points at what it mentions"),
  };

  gtk_label_set_label (self->placeholder, _(hints[sl_composer_get_mode (self)]));
}

static void
on_mode_toggled (SlComposer      *self,
                 GtkToggleButton *button)
{
  if (!gtk_toggle_button_get_active (button))
    return;
  update_placeholder (self);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_MODE]);
  g_signal_emit (self, signals[CHANGED], 0);
}

static void
on_send_clicked (SlComposer *self)
{
  if (self->generating)
    g_signal_emit (self, signals[STOP], 0);
  else if (!is_waiting (self) && !sl_composer_is_empty (self))
    g_signal_emit (self, signals[SEND], 0);
}

static gboolean
on_key (SlComposer      *self,
        guint            keyval,
        guint            keycode,
        GdkModifierType  state)
{
  gboolean enter = keyval == GDK_KEY_Return || keyval == GDK_KEY_KP_Enter ||
                   keyval == GDK_KEY_ISO_Enter;

  if (!enter || self->preedit || state & (GDK_SHIFT_MASK | GDK_ALT_MASK))
    return GDK_EVENT_PROPAGATE;
  if (!self->generating)
    on_send_clicked (self);
  return GDK_EVENT_STOP;
}

static void
on_paste (SlComposer *self)
{
  gboolean taken = FALSE;

  g_signal_emit (self, signals[PASTE], 0, &taken);
  if (taken)
    g_signal_stop_emission_by_name (self->text_view, "paste-clipboard");
}

/* --- object ---------------------------------------------------------------- */

static void
sl_composer_dispose (GObject *object)
{
  SlComposer *self = SL_COMPOSER (object);

  g_clear_pointer (&self->card, gtk_widget_unparent);
  g_clear_object (&self->engine);
  G_OBJECT_CLASS (sl_composer_parent_class)->dispose (object);
}

static void
sl_composer_get_property (GObject    *object,
                          guint       id,
                          GValue     *value,
                          GParamSpec *pspec)
{
  SlComposer *self = SL_COMPOSER (object);

  switch (id)
    {
    case PROP_MODE:
      g_value_set_int (value, sl_composer_get_mode (self));
      break;
    case PROP_RAW:
      g_value_set_boolean (value, self->raw);
      break;
    case PROP_GENERATING:
      g_value_set_boolean (value, self->generating);
      break;
    case PROP_RECEIVING:
      g_value_set_boolean (value, self->receiving);
      break;
    case PROP_EMPTY:
      g_value_set_boolean (value, sl_composer_is_empty (self));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
sl_composer_set_property (GObject      *object,
                          guint         id,
                          const GValue *value,
                          GParamSpec   *pspec)
{
  SlComposer *self = SL_COMPOSER (object);

  switch (id)
    {
    case PROP_MODE:
      sl_composer_set_mode (self, g_value_get_int (value));
      break;
    case PROP_RAW:
      sl_composer_set_raw (self, g_value_get_boolean (value));
      break;
    case PROP_GENERATING:
      self->generating = g_value_get_boolean (value);
      update_send (self);
      break;
    case PROP_RECEIVING:
      self->receiving = g_value_get_boolean (value);
      gtk_widget_set_visible (GTK_WIDGET (self->spinner), self->receiving);
      gtk_spinner_set_spinning (self->spinner, self->receiving);
      update_send (self);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

/* --- templates ------------------------------------------------------------- */

/* Everything between the pictures. */
static void
delete_words (SlComposer *self)
{
  GtkTextIter start, end;

  gtk_text_buffer_get_start_iter (self->buffer, &start);
  while (!gtk_text_iter_is_end (&start))
    {
      end = start;
      while (!gtk_text_iter_is_end (&end) && get_thumbnail (&end) == NULL)
        gtk_text_iter_forward_char (&end);
      gtk_text_buffer_delete (self->buffer, &start, &end);
      gtk_text_iter_forward_char (&start);
    }
}

/* Pictures stay; the words are the template's, what has to be filled in is selected. Undo brings back what was written. */
static void
use_template (GtkWidget  *widget,
              const char *name,
              GVariant   *parameter)
{
  SlComposer *self = SL_COMPOSER (widget);
  const SlTemplate *template = sl_template_get (g_variant_get_uint32 (parameter));
  g_autofree char *text = NULL;
  GtkTextIter start, end;
  guint first, last;

  if (template == NULL)
    return;
  text = sl_template_dup_text (template, &first, &last);
  sl_composer_set_mode (self, template->mode);
  sl_composer_set_raw (self, template->raw);
  gtk_text_buffer_begin_user_action (self->buffer);
  delete_words (self);
  gtk_text_buffer_get_end_iter (self->buffer, &end);
  gtk_text_buffer_insert (self->buffer, &end, text, -1);
  gtk_text_buffer_end_user_action (self->buffer);
  gtk_text_buffer_get_end_iter (self->buffer, &start);
  end = start;
  gtk_text_iter_backward_chars (&start, g_utf8_strlen (text, -1) - first);
  gtk_text_iter_backward_chars (&end, g_utf8_strlen (text, -1) - last);
  gtk_text_buffer_select_range (self->buffer, &start, &end);
  sl_composer_grab_focus (self);
}

static void
add_templates (SlComposer *self)
{
  GMenu *menu = G_MENU (gtk_menu_button_get_menu_model (self->options));
  g_autoptr (GMenuModel) templates = sl_template_create_menu ("composer.template");

  g_menu_prepend_submenu (menu, _("_Templates"), templates);
}

static void
install_signals (GType type)
{
  signals[SEND] = g_signal_new ("send", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  signals[STOP] = g_signal_new ("stop", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  signals[CANCEL_EDIT] = g_signal_new ("cancel-edit", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                       G_TYPE_NONE, 0);
  signals[PASTE] = g_signal_new ("paste", type, G_SIGNAL_RUN_LAST, 0,
                                 g_signal_accumulator_true_handled, NULL, NULL, G_TYPE_BOOLEAN, 0);
  signals[OPEN_PICTURE] = g_signal_new ("open-picture", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                        NULL, G_TYPE_NONE, 1, SL_TYPE_MESSAGE_PART);
  signals[CHANGED] = g_signal_new ("changed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                   G_TYPE_NONE, 0);
  signals[FAILED] = g_signal_new ("failed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
}

static void
sl_composer_class_init (SlComposerClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS;

  object_class->dispose = sl_composer_dispose;
  object_class->get_property = sl_composer_get_property;
  object_class->set_property = sl_composer_set_property;

  properties[PROP_MODE] = g_param_spec_int ("mode", NULL, NULL, 0, SL_N_MODES - 1, 0, flags);
  properties[PROP_RAW] = g_param_spec_boolean ("raw", NULL, NULL, FALSE, flags);
  properties[PROP_GENERATING] = g_param_spec_boolean ("generating", NULL, NULL, FALSE, flags);
  properties[PROP_RECEIVING] = g_param_spec_boolean ("receiving", NULL, NULL, FALSE, flags);
  properties[PROP_EMPTY] = g_param_spec_boolean ("empty", NULL, NULL, TRUE,
                                                 G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, properties);
  install_signals (SL_TYPE_COMPOSER);

  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_css_name (widget_class, "composer");
  gtk_widget_class_install_property_action (widget_class, "composer.raw", "raw");
  gtk_widget_class_install_action (widget_class, "composer.template", "u", use_template);
  gtk_widget_class_set_template_from_resource (widget_class,
                                               "/io/github/sightline/Sightline/sl-composer.ui");
  gtk_widget_class_bind_template_child (widget_class, SlComposer, card);
  gtk_widget_class_bind_template_child (widget_class, SlComposer, edit_bar);
  gtk_widget_class_bind_template_child (widget_class, SlComposer, cancel_edit);
  gtk_widget_class_bind_template_child (widget_class, SlComposer, placeholder);
  gtk_widget_class_bind_template_child (widget_class, SlComposer, scrolled);
  gtk_widget_class_bind_template_child (widget_class, SlComposer, text_view);
  gtk_widget_class_bind_template_child_full (
    widget_class, "mode_chat", FALSE,
    G_STRUCT_OFFSET (SlComposer, modes_buttons) + SL_MODE_CHAT * sizeof (gpointer));
  gtk_widget_class_bind_template_child_full (
    widget_class, "mode_find", FALSE,
    G_STRUCT_OFFSET (SlComposer, modes_buttons) + SL_MODE_FIND * sizeof (gpointer));
  gtk_widget_class_bind_template_child_full (
    widget_class, "mode_ground", FALSE,
    G_STRUCT_OFFSET (SlComposer, modes_buttons) + SL_MODE_GROUND * sizeof (gpointer));
  gtk_widget_class_bind_template_child (widget_class, SlComposer, raw_badge);
  gtk_widget_class_bind_template_child (widget_class, SlComposer, options);
  gtk_widget_class_bind_template_child (widget_class, SlComposer, meter_box);
  gtk_widget_class_bind_template_child (widget_class, SlComposer, spinner);
  gtk_widget_class_bind_template_child (widget_class, SlComposer, send);
}

static void
emit_cancel_edit (SlComposer *self)
{
  g_signal_emit (self, signals[CANCEL_EDIT], 0);
}

static void
sl_composer_init (SlComposer *self)
{
  GtkEventController *keys = gtk_event_controller_key_new ();
  GtkDropTarget *drop = gtk_drop_target_new (SL_TYPE_THUMBNAIL, GDK_ACTION_MOVE);

  gtk_widget_init_template (GTK_WIDGET (self));
  self->buffer = gtk_text_view_get_buffer (self->text_view);
  g_signal_connect_swapped (self->buffer, "changed", G_CALLBACK (on_buffer_changed), self);
  g_signal_connect_swapped (self->text_view, "preedit-changed", G_CALLBACK (on_preedit_changed),
                            self);
  g_signal_connect_swapped (self->text_view, "paste-clipboard", G_CALLBACK (on_paste), self);
  g_signal_connect_swapped (keys, "key-pressed", G_CALLBACK (on_key), self);
  gtk_widget_add_controller (GTK_WIDGET (self->text_view), keys);
  g_signal_connect_swapped (drop, "drop", G_CALLBACK (on_drop_thumbnail), self);
  gtk_event_controller_set_propagation_phase (GTK_EVENT_CONTROLLER (drop), GTK_PHASE_CAPTURE);
  gtk_widget_add_controller (GTK_WIDGET (self->text_view), GTK_EVENT_CONTROLLER (drop));

  for (guint i = 0; i < SL_N_MODES; i++)
    g_signal_connect_swapped (self->modes_buttons[i], "toggled", G_CALLBACK (on_mode_toggled), self);
  g_signal_connect_swapped (self->send, "clicked", G_CALLBACK (on_send_clicked), self);
  g_signal_connect_swapped (self->cancel_edit, "clicked", G_CALLBACK (emit_cancel_edit), self);
  self->meter = sl_context_meter_new ();
  gtk_box_append (self->meter_box, self->meter);
  add_templates (self);
  update_placeholder (self);
  update_send (self);
}

/* --- public ---------------------------------------------------------------- */

SlMode
sl_composer_get_mode (SlComposer *self)
{
  g_return_val_if_fail (SL_IS_COMPOSER (self), SL_MODE_CHAT);
  for (guint i = 0; i < SL_N_MODES; i++)
    if (gtk_toggle_button_get_active (self->modes_buttons[i]))
      return i;
  return SL_MODE_CHAT;
}

void
sl_composer_set_mode (SlComposer *self,
                      SlMode      mode)
{
  g_return_if_fail (SL_IS_COMPOSER (self));
  g_return_if_fail (mode < SL_N_MODES);
  gtk_toggle_button_set_active (self->modes_buttons[mode], TRUE);
}

gboolean
sl_composer_get_raw (SlComposer *self)
{
  g_return_val_if_fail (SL_IS_COMPOSER (self), FALSE);
  return self->raw;
}

void
sl_composer_set_raw (SlComposer *self,
                     gboolean    raw)
{
  g_return_if_fail (SL_IS_COMPOSER (self));
  if (self->raw == raw)
    return;
  self->raw = raw;
  gtk_widget_set_visible (GTK_WIDGET (self->raw_badge), raw);
  gtk_text_view_set_monospace (self->text_view, raw);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_RAW]);
  g_signal_emit (self, signals[CHANGED], 0);
}

static void
take_text (GPtrArray         *parts,
           const GtkTextIter *start,
           const GtkTextIter *end,
           gboolean           trim_start,
           gboolean           trim_end)
{
  g_autofree char *text = gtk_text_iter_get_visible_text (start, end);

  if (trim_end)
    g_strchomp (text);
  if (trim_start)
    g_strchug (text);
  if (*text != '\0')
    g_ptr_array_add (parts, sl_message_part_new_text (text));
}

static GPtrArray *
list_parts (SlComposer *self,
            gboolean    trim)
{
  GPtrArray *parts = g_ptr_array_new_with_free_func (g_object_unref);
  GtkTextIter iter, start;

  gtk_text_buffer_get_start_iter (self->buffer, &start);
  iter = start;
  while (!gtk_text_iter_is_end (&iter))
    {
      SlThumbnail *thumbnail = get_thumbnail (&iter);
      if (thumbnail != NULL)
        {
          take_text (parts, &start, &iter, trim && parts->len == 0, FALSE);
          g_ptr_array_add (parts, g_object_ref (sl_thumbnail_get_part (thumbnail)));
        }
      gtk_text_iter_forward_char (&iter);
      if (thumbnail != NULL)
        start = iter;
    }
  take_text (parts, &start, &iter, trim && parts->len == 0, trim);
  return parts;
}

GPtrArray *
sl_composer_dup_parts (SlComposer *self)
{
  g_return_val_if_fail (SL_IS_COMPOSER (self), NULL);
  return list_parts (self, TRUE);
}

GPtrArray *
sl_composer_dup_draft (SlComposer *self)
{
  g_return_val_if_fail (SL_IS_COMPOSER (self), NULL);
  return list_parts (self, FALSE);
}

void
sl_composer_set_parts (SlComposer *self,
                       GPtrArray  *parts)
{
  g_return_if_fail (SL_IS_COMPOSER (self));

  sl_composer_clear (self);
  sl_composer_add_parts (self, parts);
}

void
sl_composer_add_parts (SlComposer *self,
                       GPtrArray  *parts)
{
  g_return_if_fail (SL_IS_COMPOSER (self));

  for (guint i = 0; i < parts->len; i++)
    {
      GtkTextIter end;
      gtk_text_buffer_get_end_iter (self->buffer, &end);
      insert_part (self, &end, parts->pdata[i], FALSE);
    }
}

void
sl_composer_clear (SlComposer *self)
{
  g_return_if_fail (SL_IS_COMPOSER (self));
  gtk_text_buffer_begin_irreversible_action (self->buffer);
  gtk_text_buffer_set_text (self->buffer, "", 0);
  gtk_text_buffer_end_irreversible_action (self->buffer);
}

char *
sl_composer_dup_content (SlComposer *self)
{
  GtkTextIter start, end;

  g_return_val_if_fail (SL_IS_COMPOSER (self), NULL);
  gtk_text_buffer_get_bounds (self->buffer, &start, &end);
  return gtk_text_buffer_get_slice (self->buffer, &start, &end, TRUE);
}

void
sl_composer_forget_content (SlComposer *self,
                            const char *content)
{
  g_autofree char *now = NULL;
  GtkTextIter start, end;

  g_return_if_fail (SL_IS_COMPOSER (self));
  now = sl_composer_dup_content (self);
  if (!g_str_has_prefix (now, content))
    return;
  gtk_text_buffer_get_start_iter (self->buffer, &start);
  gtk_text_buffer_get_iter_at_offset (self->buffer, &end, g_utf8_strlen (content, -1));
  gtk_text_buffer_begin_irreversible_action (self->buffer);
  gtk_text_buffer_delete (self->buffer, &start, &end);
  gtk_text_buffer_end_irreversible_action (self->buffer);
}

void
sl_composer_add_picture (SlComposer *self,
                         SlPicture  *picture)
{
  g_autoptr (SlMessagePart) part = sl_message_part_new_picture (picture, SL_DETAIL_AUTO);
  GtkTextIter iter;

  g_return_if_fail (SL_IS_COMPOSER (self));
  gtk_text_buffer_get_iter_at_mark (self->buffer, &iter, gtk_text_buffer_get_insert (self->buffer));
  insert_part (self, &iter, part, FALSE);
}

void
sl_composer_set_plan (SlComposer   *self,
                      const SlPlan *plan)
{
  g_return_if_fail (SL_IS_COMPOSER (self));
  sl_context_meter_set_plan (SL_CONTEXT_METER (self->meter), plan);
}

void
sl_composer_set_engine (SlComposer *self,
                        SlEngine   *engine)
{
  g_return_if_fail (SL_IS_COMPOSER (self));
  g_set_object (&self->engine, engine);
}

void
sl_composer_set_editing (SlComposer *self,
                         gboolean    editing)
{
  g_return_if_fail (SL_IS_COMPOSER (self));
  gtk_widget_set_visible (self->edit_bar, editing);
}

void
sl_composer_set_max_height (SlComposer *self,
                            int         height)
{
  g_return_if_fail (SL_IS_COMPOSER (self));
  gtk_scrolled_window_set_max_content_height (self->scrolled, MAX (64, height - 56));
}

void
sl_composer_grab_focus (SlComposer *self)
{
  g_return_if_fail (SL_IS_COMPOSER (self));
  gtk_widget_grab_focus (GTK_WIDGET (self->text_view));
}
