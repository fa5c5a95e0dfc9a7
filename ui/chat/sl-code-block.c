/* SPDX-License-Identifier: MIT
 *
 * A highlighted block of code with its copy button. The style scheme follows AdwStyleManager.
 */
#include "ui/chat/sl-code-block.h"

#include <adwaita.h>
#include <glib/gi18n.h>
#include <gtksourceview/gtksource.h>

struct _SlCodeBlock
{
  GtkWidget parent_instance;

  GtkWidget *box;
  GtkLabel *language;
  GtkSourceBuffer *buffer;
};

G_DEFINE_FINAL_TYPE (SlCodeBlock, sl_code_block, GTK_TYPE_WIDGET)

static void
update_scheme (SlCodeBlock *self)
{
  gboolean dark = adw_style_manager_get_dark (adw_style_manager_get_default ());
  GtkSourceStyleSchemeManager *schemes = gtk_source_style_scheme_manager_get_default ();

  gtk_source_buffer_set_style_scheme (
    self->buffer,
    gtk_source_style_scheme_manager_get_scheme (schemes, dark ? "Adwaita-dark" : "Adwaita"));
}

static char *
dup_code (SlCodeBlock *self)
{
  GtkTextIter start, end;

  gtk_text_buffer_get_bounds (GTK_TEXT_BUFFER (self->buffer), &start, &end);
  return gtk_text_buffer_get_text (GTK_TEXT_BUFFER (self->buffer), &start, &end, TRUE);
}

static void
on_copy (SlCodeBlock *self)
{
  g_autofree char *code = dup_code (self);

  gdk_clipboard_set_text (gtk_widget_get_clipboard (GTK_WIDGET (self)), code);
}

static void
sl_code_block_dispose (GObject *object)
{
  SlCodeBlock *self = SL_CODE_BLOCK (object);

  g_clear_pointer (&self->box, gtk_widget_unparent);
  g_clear_object (&self->buffer);
  G_OBJECT_CLASS (sl_code_block_parent_class)->dispose (object);
}

static void
sl_code_block_class_init (SlCodeBlockClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = sl_code_block_dispose;
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_css_name (widget_class, "codeblock");
}

static GtkWidget *
make_header (SlCodeBlock *self)
{
  GtkWidget *header = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  GtkWidget *copy = gtk_button_new_from_icon_name ("edit-copy-symbolic");

  self->language = GTK_LABEL (gtk_label_new (NULL));
  gtk_label_set_xalign (self->language, 0);
  gtk_label_set_ellipsize (self->language, PANGO_ELLIPSIZE_END);
  gtk_widget_set_hexpand (GTK_WIDGET (self->language), TRUE);
  gtk_widget_add_css_class (GTK_WIDGET (self->language), "caption");
  gtk_widget_add_css_class (GTK_WIDGET (self->language), "dim-label");
  gtk_widget_add_css_class (copy, "flat");
  gtk_widget_set_tooltip_text (copy, _("Copy Code"));
  gtk_accessible_update_property (GTK_ACCESSIBLE (copy), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  _("Copy Code"), -1);
  g_signal_connect_swapped (copy, "clicked", G_CALLBACK (on_copy), self);
  gtk_widget_add_css_class (header, "code-header");
  gtk_box_append (GTK_BOX (header), GTK_WIDGET (self->language));
  gtk_box_append (GTK_BOX (header), copy);
  return header;
}

static void
sl_code_block_init (SlCodeBlock *self)
{
  GtkWidget *scrolled = gtk_scrolled_window_new ();
  GtkWidget *view;

  self->buffer = gtk_source_buffer_new (NULL);
  gtk_source_buffer_set_highlight_matching_brackets (self->buffer, FALSE);
  view = gtk_source_view_new_with_buffer (self->buffer);
  gtk_text_view_set_editable (GTK_TEXT_VIEW (view), FALSE);
  gtk_text_view_set_cursor_visible (GTK_TEXT_VIEW (view), FALSE);
  gtk_text_view_set_monospace (GTK_TEXT_VIEW (view), TRUE);
  gtk_text_view_set_left_margin (GTK_TEXT_VIEW (view), 12);
  gtk_text_view_set_right_margin (GTK_TEXT_VIEW (view), 12);
  gtk_text_view_set_bottom_margin (GTK_TEXT_VIEW (view), 10);
  gtk_accessible_update_property (GTK_ACCESSIBLE (view), GTK_ACCESSIBLE_PROPERTY_LABEL, _("Code"),
                                  -1);
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (scrolled), GTK_POLICY_AUTOMATIC,
                                  GTK_POLICY_NEVER);
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (scrolled), view);

  self->box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);
  gtk_box_append (GTK_BOX (self->box), make_header (self));
  gtk_box_append (GTK_BOX (self->box), scrolled);
  gtk_widget_set_overflow (GTK_WIDGET (self), GTK_OVERFLOW_HIDDEN);
  gtk_widget_set_parent (self->box, GTK_WIDGET (self));

  g_signal_connect_object (adw_style_manager_get_default (), "notify::dark",
                           G_CALLBACK (update_scheme), self, G_CONNECT_SWAPPED);
  update_scheme (self);
}

GtkWidget *
sl_code_block_new (void)
{
  return g_object_new (SL_TYPE_CODE_BLOCK, NULL);
}

void
sl_code_block_set_content (SlCodeBlock *self,
                           const char  *code,
                           const char  *language)
{
  g_autofree char *trimmed = g_strdup (code);
  g_autofree char *old = NULL;
  gsize length;

  g_return_if_fail (SL_IS_CODE_BLOCK (self));

  g_strchomp (trimmed);
  old = dup_code (self);
  length = strlen (old);
  if (length > 0 && strncmp (trimmed, old, length) == 0)
    {
      GtkTextIter end;
      gtk_text_buffer_get_end_iter (GTK_TEXT_BUFFER (self->buffer), &end);
      gtk_text_buffer_insert (GTK_TEXT_BUFFER (self->buffer), &end, trimmed + length, -1);
    }
  else
    gtk_text_buffer_set_text (GTK_TEXT_BUFFER (self->buffer), trimmed, -1);

  if (g_strcmp0 (gtk_label_get_label (self->language), language ? language : "") == 0)
    return;
  gtk_label_set_label (self->language, language ? language : "");
  gtk_source_buffer_set_language (
    self->buffer,
    language ? gtk_source_language_manager_get_language (
                 gtk_source_language_manager_get_default (), language)
             : NULL);
}
