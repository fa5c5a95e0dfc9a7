/* SPDX-License-Identifier: MIT
 *
 * Edits a question: the card with its mode, templates, Send and Stop. The text itself is sl-composer-text.c's.
 */
#include "ui/composer/sl-composer-private.h"

#include "ui/composer/sl-context-meter.h"
#include "ui/composer/sl-template.h"

#include <glib/gi18n.h>

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
  RECALL,
  FAILED,
  N_SIGNALS,
};

static GParamSpec *properties[N_PROPS];
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (SlComposer, sl_composer, GTK_TYPE_WIDGET)

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
  return self->receiving || sl_composer_has_busy_picture (self);
}

void
sl_composer_update_send (SlComposer *self)
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
  sl_composer_number_pictures (self);
  sl_composer_update_send (self);
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

/* Up where nothing is written, and on from what that brought, as long as it is not changed. */
static gboolean
recall (SlComposer *self,
        guint       keyval)
{
  g_autofree char *content = sl_composer_dup_content (self);
  gboolean taken = FALSE;

  if (*content == '\0' ? keyval == GDK_KEY_Up : g_strcmp0 (content, self->recalled) == 0)
    g_signal_emit (self, signals[RECALL], 0, keyval == GDK_KEY_Up ? -1 : 1, &taken);
  return taken;
}

static gboolean
on_key (SlComposer      *self,
        guint            keyval,
        guint            keycode,
        GdkModifierType  state)
{
  gboolean enter = keyval == GDK_KEY_Return || keyval == GDK_KEY_KP_Enter ||
                   keyval == GDK_KEY_ISO_Enter;

  if ((keyval == GDK_KEY_Up || keyval == GDK_KEY_Down) && !self->preedit && !(state & gtk_accelerator_get_default_mod_mask ()))
    return recall (self, keyval) ? GDK_EVENT_STOP : GDK_EVENT_PROPAGATE;
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
  g_clear_pointer (&self->recalled, g_free);
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
      sl_composer_update_send (self);
      break;
    case PROP_RECEIVING:
      self->receiving = g_value_get_boolean (value);
      gtk_widget_set_visible (GTK_WIDGET (self->spinner), self->receiving);
      gtk_spinner_set_spinning (self->spinner, self->receiving);
      sl_composer_update_send (self);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

/* --- templates ------------------------------------------------------------- */

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
  sl_composer_delete_words (self);
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
  signals[RECALL] = g_signal_new ("recall", type, G_SIGNAL_RUN_LAST, 0, g_signal_accumulator_true_handled, NULL, NULL, G_TYPE_BOOLEAN, 1,
                                  G_TYPE_INT);
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
  gtk_widget_class_bind_template_child (widget_class, SlComposer, settings_badge);
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

  gtk_widget_init_template (GTK_WIDGET (self));
  self->buffer = gtk_text_view_get_buffer (self->text_view);
  g_signal_connect_swapped (self->buffer, "changed", G_CALLBACK (on_buffer_changed), self);
  g_signal_connect_swapped (self->text_view, "preedit-changed", G_CALLBACK (on_preedit_changed),
                            self);
  g_signal_connect_swapped (self->text_view, "paste-clipboard", G_CALLBACK (on_paste), self);
  g_signal_connect_swapped (keys, "key-pressed", G_CALLBACK (on_key), self);
  gtk_widget_add_controller (GTK_WIDGET (self->text_view), keys);
  sl_composer_add_drop_target (self);

  for (guint i = 0; i < SL_N_MODES; i++)
    g_signal_connect_swapped (self->modes_buttons[i], "toggled", G_CALLBACK (on_mode_toggled), self);
  g_signal_connect_swapped (self->send, "clicked", G_CALLBACK (on_send_clicked), self);
  g_signal_connect_swapped (self->cancel_edit, "clicked", G_CALLBACK (emit_cancel_edit), self);
  self->meter = sl_context_meter_new ();
  gtk_box_append (self->meter_box, self->meter);
  add_templates (self);
  update_placeholder (self);
  sl_composer_update_send (self);
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

void
sl_composer_set_recalled (SlComposer *self,
                          const char *words)
{
  g_return_if_fail (SL_IS_COMPOSER (self));
  g_free (self->recalled);
  self->recalled = g_strdup (words);
  gtk_text_buffer_set_text (self->buffer, words, -1);
}

void
sl_composer_set_settings_text (SlComposer *self,
                               const char *text)
{
  g_return_if_fail (SL_IS_COMPOSER (self));
  gtk_label_set_label (self->settings_badge, text);
  gtk_widget_set_tooltip_text (GTK_WIDGET (self->settings_badge), text);
  gtk_widget_set_visible (GTK_WIDGET (self->settings_badge), *text != '\0');
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
