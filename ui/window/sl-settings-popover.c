/* SPDX-License-Identifier: MIT
 *
 * One row for each choice. A number that is the mode's own is no choice; the name of what is chosen is bold.
 */
#include "ui/window/sl-settings-popover.h"

#include "app/system/sl-places.h"
#include "ui/sl-rename.h"

#include <glib/gi18n.h>

#define KEY "presets" /* a{s(ss)}: the system message, and what is chosen as JSON */
#define TYPE "a{s(ss)}"

struct _SlSettingsPopover
{
  GtkPopover parent_instance;

  SlConversation *conversation;
  SlMode mode;
  GSettings *settings; /* where presets are kept, or NULL */
  gboolean updating;   /* the widgets are changed by us */

  GtkDropDown *presets;
  GtkWidget *save, *forget, *reset;
  GtkLabel *system_title;
  GtkTextView *system;
  GtkGrid *grid;
  GtkLabel *names[SL_N_CHOICES];
  GtkWidget *values[SL_N_CHOICES]; /* GtkSpinButton or GtkSwitch */
};

G_DEFINE_FINAL_TYPE (SlSettingsPopover, sl_settings_popover, GTK_TYPE_POPOVER)

/* --- presets --------------------------------------------------------------- */

static GVariant *
read_presets (SlSettingsPopover *self)
{
  return self->settings != NULL ? g_settings_get_value (self->settings, KEY)
                                : g_variant_ref_sink (g_variant_new_array (G_VARIANT_TYPE ("{s(ss)}"), NULL, 0));
}

static gboolean
is_current (SlSettingsPopover *self,
            const char        *system_text,
            const char        *json)
{
  SlChoices choices = sl_choices_from_json (json);

  return g_str_equal (system_text, sl_conversation_get_system_text (self->conversation))
         && sl_choices_equal (&choices, sl_conversation_get_choices (self->conversation));
}

/* The list, and which of it the conversation has now. */
static void
update_presets (SlSettingsPopover *self)
{
  g_autoptr (GVariant) presets = read_presets (self);
  g_autoptr (GtkStringList) list = gtk_string_list_new (NULL);
  const char *name, *system_text, *json;
  guint current = 0;
  GVariantIter iter;

  gtk_string_list_append (list, _("No Preset"));
  g_variant_iter_init (&iter, presets);
  for (guint i = 1; g_variant_iter_next (&iter, "{&s(&s&s)}", &name, &system_text, &json); i++)
    {
      gtk_string_list_append (list, name);
      if (is_current (self, system_text, json))
        current = i;
    }
  gtk_drop_down_set_model (self->presets, G_LIST_MODEL (list));
  gtk_drop_down_set_selected (self->presets, current);
  gtk_widget_set_sensitive (self->forget, current > 0);
}

/* What the engine that answers cannot do is greyed, with the reason. */
static void
update_ability (SlSettingsPopover *self,
                SlChoice           choice)
{
  static const SlAbility abilities[SL_N_CHOICES] = {
    [SL_CHOICE_TOP_K] = SL_ABILITY_SAMPLE,    [SL_CHOICE_REPETITION] = SL_ABILITY_SAMPLE, [SL_CHOICE_SEED] = SL_ABILITY_SEED,
    [SL_CHOICE_BOXES] = SL_ABILITY_CONSTRAIN, [SL_CHOICE_DETAIL] = SL_ABILITY_DETAIL,
  };
  g_autofree char *why_not = NULL;

  if (abilities[choice] != 0)
    why_not = sl_answerer_dup_why_not (sl_conversation_get_answerer (self->conversation), abilities[choice]);
  gtk_widget_set_sensitive (self->values[choice], why_not == NULL);
  gtk_widget_set_tooltip_text (self->values[choice], why_not);
  gtk_widget_set_tooltip_text (GTK_WIDGET (self->names[choice]), why_not);
}

static void
update (SlSettingsPopover *self)
{
  const SlChoices *choices = sl_conversation_get_choices (self->conversation);
  GtkTextBuffer *buffer = gtk_text_view_get_buffer (self->system);
  const char *words = sl_conversation_get_system_text (self->conversation);
  g_autofree char *shown = NULL;

  self->updating = TRUE;
  g_object_get (buffer, "text", &shown, NULL);
  if (!g_str_equal (shown, words))
    gtk_text_buffer_set_text (buffer, words, -1);
  (*words ? gtk_widget_add_css_class : gtk_widget_remove_css_class) (GTK_WIDGET (self->system_title), "heading");
  for (int i = 0; i < SL_N_CHOICES; i++)
    {
      double value = sl_choices_get (choices, i, self->mode);

      if (GTK_IS_SWITCH (self->values[i]))
        gtk_switch_set_active (GTK_SWITCH (self->values[i]), value != 0);
      else
        gtk_spin_button_set_value (GTK_SPIN_BUTTON (self->values[i]), value);
      update_ability (self, i);
      (sl_choices_has (choices, i) ? gtk_widget_add_css_class : gtk_widget_remove_css_class) (GTK_WIDGET (self->names[i]), "heading");
    }
  gtk_widget_set_sensitive (self->reset, choices->set != 0 || *words != '\0');
  gtk_widget_set_sensitive (self->save, self->settings != NULL && (choices->set != 0 || *words != '\0'));
  update_presets (self);
  self->updating = FALSE;
}

static void
on_preset (SlSettingsPopover *self)
{
  guint selected = gtk_drop_down_get_selected (self->presets);
  g_autoptr (GVariant) presets = NULL;
  const char *name, *system_text, *json;
  SlChoices choices;

  if (self->updating || self->conversation == NULL || selected == GTK_INVALID_LIST_POSITION)
    return;
  presets = read_presets (self);
  if (selected == 0 || selected > g_variant_n_children (presets))
    return;
  g_variant_get_child (presets, selected - 1, "{&s(&s&s)}", &name, &system_text, &json);
  choices = sl_choices_from_json (json);
  sl_conversation_set_system_text (self->conversation, system_text);
  sl_conversation_set_choices (self->conversation, &choices);
}

/* All but the one of that name, and (json) that one anew. */
static void
write_presets (SlSettingsPopover *self,
               const char        *changed,
               const char        *system_text,
               const char        *json)
{
  g_autoptr (GVariant) presets = read_presets (self);
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE (TYPE));
  const char *name, *other_text, *other_json;
  GVariantIter iter;

  g_variant_iter_init (&iter, presets);
  while (g_variant_iter_next (&iter, "{&s(&s&s)}", &name, &other_text, &other_json))
    if (!g_str_equal (name, changed))
      g_variant_builder_add (&builder, "{s(ss)}", name, other_text, other_json);
  if (json != NULL)
    g_variant_builder_add (&builder, "{s(ss)}", changed, system_text, json);
  g_settings_set_value (self->settings, KEY, g_variant_builder_end (&builder));
  update (self);
}

static void
on_named (GtkWindow  *window,
          const char *name,
          gpointer    data)
{
  SlSettingsPopover *self = data;
  g_autofree char *title = g_strdup (name);
  g_autofree char *json = NULL;

  if (*g_strstrip (title) == '\0' || self->conversation == NULL)
    return;
  json = sl_choices_to_json (sl_conversation_get_choices (self->conversation));
  write_presets (self, title, sl_conversation_get_system_text (self->conversation), json);
}

static void
on_save (SlSettingsPopover *self)
{
  GtkWindow *window = GTK_WINDOW (gtk_widget_get_root (GTK_WIDGET (self)));

  gtk_popover_popdown (GTK_POPOVER (self));
  sl_rename_ask (window, _("Save as a Preset"), _("Name"), "", on_named, g_object_ref (self), g_object_unref);
}

static void
on_forget (SlSettingsPopover *self)
{
  GtkStringObject *selected = gtk_drop_down_get_selected_item (self->presets);

  if (selected != NULL && gtk_drop_down_get_selected (self->presets) > 0)
    {
      g_autofree char *name = g_strdup (gtk_string_object_get_string (selected));

      write_presets (self, name, NULL, NULL);
    }
}

static void
on_reset (SlSettingsPopover *self)
{
  const SlChoices none = { 0 };

  sl_conversation_set_system_text (self->conversation, "");
  sl_conversation_set_choices (self->conversation, &none);
}

/* --- rows ------------------------------------------------------------------ */

static void
on_value (SlSettingsPopover *self,
          GParamSpec        *pspec,
          GtkWidget         *widget)
{
  SlChoices choices;

  if (self->updating || self->conversation == NULL)
    return;
  choices = *sl_conversation_get_choices (self->conversation);
  for (int i = 0; i < SL_N_CHOICES; i++)
    if (self->values[i] == widget)
      sl_choices_choose (&choices, i,
                         GTK_IS_SWITCH (widget) ? gtk_switch_get_active (GTK_SWITCH (widget))
                                                : gtk_spin_button_get_value (GTK_SPIN_BUTTON (widget)),
                         self->mode);
  sl_conversation_set_choices (self->conversation, &choices);
}

static void
on_system (SlSettingsPopover *self,
           GtkTextBuffer     *buffer)
{
  g_autofree char *words = NULL;

  if (self->updating || self->conversation == NULL)
    return;
  g_object_get (buffer, "text", &words, NULL);
  sl_conversation_set_system_text (self->conversation, words);
}

/* What stands for "none of the user's". */
static gboolean
on_output (GtkSpinButton *spin,
           gpointer       choice)
{
  double value = gtk_spin_button_get_value (spin);

  if (GPOINTER_TO_INT (choice) == SL_CHOICE_SEED ? value >= 0 : value != 0)
    return FALSE;
  gtk_editable_set_text (GTK_EDITABLE (spin), GPOINTER_TO_INT (choice) == SL_CHOICE_SEED ? _("Random")
                                              : GPOINTER_TO_INT (choice) == SL_CHOICE_LENGTH ? _("No limit") : _("Off"));
  return TRUE;
}

static int
on_input (GtkSpinButton *spin,
          double        *value,
          gpointer       choice)
{
  const char *text = gtk_editable_get_text (GTK_EDITABLE (spin));

  if (g_unichar_isdigit (g_utf8_get_char (text)) || *text == '-')
    return FALSE;
  *value = GPOINTER_TO_INT (choice) == SL_CHOICE_SEED ? -1 : 0;
  return TRUE;
}

static GtkWidget *
make_spin (SlChoice choice)
{
  gboolean whole = sl_choice_get_digits (choice) == 0;
  double least, most;
  GtkWidget *spin;

  sl_choice_get_range (choice, &least, &most);
  spin = gtk_spin_button_new_with_range (least, most, choice == SL_CHOICE_LENGTH ? 64 : whole ? 1 : 0.05);
  gtk_spin_button_set_digits (GTK_SPIN_BUTTON (spin), sl_choice_get_digits (choice));
  gtk_editable_set_width_chars (GTK_EDITABLE (spin), 8);
  if (whole)
    {
      g_signal_connect (spin, "output", G_CALLBACK (on_output), GINT_TO_POINTER (choice));
      g_signal_connect (spin, "input", G_CALLBACK (on_input), GINT_TO_POINTER (choice));
      gtk_spin_button_set_numeric (GTK_SPIN_BUTTON (spin), FALSE); /* words may stand in it */
      gtk_spin_button_set_value (GTK_SPIN_BUTTON (spin), most);
    }
  return spin;
}

static void
add_row (SlSettingsPopover *self,
         SlChoice           choice)
{
  gboolean truth = sl_choice_is_truth (choice);
  const char *name = sl_choice_get_display_name (choice);
  GtkWidget *value = truth ? gtk_switch_new () : make_spin (choice);

  self->names[choice] = GTK_LABEL (gtk_label_new (name));
  self->values[choice] = value;
  gtk_label_set_xalign (self->names[choice], 0);
  gtk_widget_set_hexpand (GTK_WIDGET (self->names[choice]), TRUE);
  gtk_widget_set_halign (value, GTK_ALIGN_END);
  gtk_accessible_update_property (GTK_ACCESSIBLE (value), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
  g_signal_connect_swapped (value, truth ? "notify::active" : "notify::value", G_CALLBACK (on_value), self);
  gtk_grid_attach (self->grid, GTK_WIDGET (self->names[choice]), 0, choice, 1, 1);
  gtk_grid_attach (self->grid, value, 1, choice, 1, 1);
}

/* --- object ---------------------------------------------------------------- */

static void
sl_settings_popover_dispose (GObject *object)
{
  SlSettingsPopover *self = SL_SETTINGS_POPOVER (object);

  g_clear_object (&self->conversation);
  g_clear_object (&self->settings);
  G_OBJECT_CLASS (sl_settings_popover_parent_class)->dispose (object);
}

static void
sl_settings_popover_class_init (SlSettingsPopoverClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = sl_settings_popover_dispose;
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/sightline/Sightline/sl-settings-popover.ui");
  gtk_widget_class_bind_template_child (widget_class, SlSettingsPopover, presets);
  gtk_widget_class_bind_template_child (widget_class, SlSettingsPopover, save);
  gtk_widget_class_bind_template_child (widget_class, SlSettingsPopover, forget);
  gtk_widget_class_bind_template_child (widget_class, SlSettingsPopover, reset);
  gtk_widget_class_bind_template_child (widget_class, SlSettingsPopover, system_title);
  gtk_widget_class_bind_template_child (widget_class, SlSettingsPopover, system);
  gtk_widget_class_bind_template_child (widget_class, SlSettingsPopover, grid);
  gtk_widget_class_bind_template_callback (widget_class, on_preset);
  gtk_widget_class_bind_template_callback (widget_class, on_save);
  gtk_widget_class_bind_template_callback (widget_class, on_forget);
  gtk_widget_class_bind_template_callback (widget_class, on_reset);
}

static void
sl_settings_popover_init (SlSettingsPopover *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  self->settings = sl_places_open_settings ();
  for (int i = 0; i < SL_N_CHOICES; i++)
    add_row (self, i);
  g_signal_connect_swapped (gtk_text_view_get_buffer (self->system), "changed", G_CALLBACK (on_system), self);
}

void
sl_settings_popover_set_conversation (SlSettingsPopover *self,
                                      SlConversation    *conversation)
{
  g_return_if_fail (SL_IS_SETTINGS_POPOVER (self));

  if (self->conversation != NULL)
    g_signal_handlers_disconnect_by_data (self->conversation, self);
  g_set_object (&self->conversation, conversation);
  g_signal_connect_object (conversation, "choices-changed", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (conversation, "notify::system-text", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  update (self);
}

void
sl_settings_popover_set_mode (SlSettingsPopover *self,
                              SlMode             mode)
{
  g_return_if_fail (SL_IS_SETTINGS_POPOVER (self));

  self->mode = mode;
  if (self->conversation != NULL)
    update (self);
}
