/* SPDX-License-Identifier: MIT
 *
 * What a user can do in the document view, as a table of actions and keys.
 */
#include "ui/document/sl-document-view-private.h"

#include <glib/gi18n.h>
#include <string.h>

#define ZOOM_STEP 1.25

static void
turn (GtkWidget  *widget,
      const char *name,
      GVariant   *parameter)
{
  SlDocumentView *self = SL_DOCUMENT_VIEW (widget);

  if (g_str_equal (name, "document.next"))
    sl_document_view_show_page (self, self->page + 1);
  else if (self->page > 0)
    sl_document_view_show_page (self, self->page - 1);
}

static void
zoom (GtkWidget  *widget,
      const char *name,
      GVariant   *parameter)
{
  SlPictureView *view = SL_PICTURE_VIEW (SL_DOCUMENT_VIEW (widget)->view);

  if (g_str_equal (name, "document.zoom-fit"))
    sl_picture_view_fit (view);
  else
    sl_picture_view_set_scale (view, sl_picture_view_get_scale (view) * (g_str_equal (name, "document.zoom-in") ? ZOOM_STEP : 1 / ZOOM_STEP));
}

/* "document.block-accept" and the like, of the selected block. */
static void
on_block (GtkWidget  *widget,
          const char *name,
          GVariant   *parameter)
{
  SlBlockList *blocks = SL_BLOCK_LIST (SL_DOCUMENT_VIEW (widget)->blocks);
  const char *wish = name + strlen ("document.block-");

  if (g_str_equal (wish, "edit"))
    sl_block_list_edit (blocks, sl_block_list_get_selected (blocks));
  else
    sl_block_list_do (blocks, sl_block_list_get_selected (blocks), wish);
}

static void
unsure (GtkWidget  *widget,
        const char *name,
        GVariant   *parameter)
{
  SlDocumentView *self = SL_DOCUMENT_VIEW (widget);
  guint page = self->page;
  int block = sl_document_view_get_block (self);

  if (self->document != NULL && sl_document_find_unsure (self->document, &page, &block))
    sl_document_view_select (self, page, block);
  else
    sl_document_view_say (self, _("There is no block that the model was unsure of."));
}

static void
undo (GtkWidget  *widget,
      const char *name,
      GVariant   *parameter)
{
  SlDocumentView *self = SL_DOCUMENT_VIEW (widget);

  if (self->document != NULL && !sl_document_undo (self->document, self->page))
    sl_document_view_say (self, _("There is nothing to undo on this page."));
}

static void
stop (GtkWidget  *widget,
      const char *name,
      GVariant   *parameter)
{
  SlDocumentView *self = SL_DOCUMENT_VIEW (widget);

  if (self->document != NULL)
    sl_document_stop (self->document);
}

static void
draw (GtkWidget  *widget,
      const char *name,
      GVariant   *parameter)
{
  SlDocumentView *self = SL_DOCUMENT_VIEW (widget);

  adw_leaflet_set_visible_child_name (self->panes, "page");
  sl_document_view_set_drawing (self, TRUE);
  sl_document_view_say (self, _("Draw a rectangle over what is to be read."));
}

static void
export (GtkWidget  *widget,
        const char *name,
        GVariant   *parameter)
{
  sl_document_view_export (SL_DOCUMENT_VIEW (widget));
}

/* --- finding --------------------------------------------------------------- */

static void
find (GtkWidget  *widget,
      const char *name,
      GVariant   *parameter)
{
  SlDocumentView *self = SL_DOCUMENT_VIEW (widget);

  gtk_search_bar_set_search_mode (self->find_bar, TRUE);
  gtk_widget_grab_focus (GTK_WIDGET (self->find_entry));
}

static void
find_on (SlDocumentView *self,
         gboolean        backwards,
         gboolean        stay)
{
  const char *words = gtk_editable_get_text (GTK_EDITABLE (self->find_entry));
  guint page = self->page;
  int block = sl_document_view_get_block (self);
  gboolean found;

  if (stay && block >= 0)
    block--;
  found = self->document != NULL && sl_document_find (self->document, words, backwards, &page, &block);
  gtk_widget_set_visible (self->find_nothing, !found && *words != '\0');
  if (found)
    sl_document_view_select (self, page, block);
}

static void
on_find_changed (SlDocumentView *self)
{
  find_on (self, FALSE, TRUE);
}

static void
on_find_next (SlDocumentView *self)
{
  find_on (self, FALSE, FALSE);
}

static void
on_find_previous (SlDocumentView *self)
{
  find_on (self, TRUE, FALSE);
}

/* --- table ----------------------------------------------------------------- */

void
sl_document_view_update_actions (SlDocumentView *self)
{
  GtkWidget *widget = GTK_WIDGET (self);
  guint n = self->document != NULL ? g_list_model_get_n_items (G_LIST_MODEL (self->document)) : 0;

  gtk_widget_action_set_enabled (widget, "document.previous", self->shown != NULL && self->page > 0);
  gtk_widget_action_set_enabled (widget, "document.next", self->shown != NULL && self->page + 1 < n);
  gtk_widget_action_set_enabled (widget, "document.undo", self->shown != NULL && sl_document_page_can_undo (self->shown));
  gtk_widget_action_set_enabled (widget, "document.export", self->document != NULL && sl_document_count_read (self->document) > 0);
  gtk_widget_action_set_enabled (widget, "document.draw", self->part != NULL);
}

void
sl_document_view_install_actions (GtkWidgetClass *klass)
{
  static const struct
  {
    const char *name;
    GtkWidgetActionActivateFunc activate;
    guint key;
    GdkModifierType modifiers;
  } actions[] = {
    { "document.next", turn, GDK_KEY_Page_Down, 0 },
    { "document.previous", turn, GDK_KEY_Page_Up, 0 },
    { "document.zoom-in", zoom, GDK_KEY_plus, GDK_CONTROL_MASK },
    { "document.zoom-out", zoom, GDK_KEY_minus, GDK_CONTROL_MASK },
    { "document.zoom-fit", zoom, GDK_KEY_0, GDK_CONTROL_MASK },
    { "document.unsure", unsure, GDK_KEY_w, 0 },
    { "document.block-accept", on_block, GDK_KEY_a, 0 },
    { "document.block-edit", on_block, GDK_KEY_F2, 0 },
    { "document.block-zoom", on_block, GDK_KEY_z, 0 },
    { "document.block-read-area", on_block, GDK_KEY_r, 0 },
    { "document.block-up", on_block, GDK_KEY_Up, GDK_ALT_MASK },
    { "document.block-down", on_block, GDK_KEY_Down, GDK_ALT_MASK },
    { "document.block-remove", on_block, GDK_KEY_Delete, 0 },
    { "document.undo", undo, GDK_KEY_z, GDK_CONTROL_MASK },
    { "document.find", find, GDK_KEY_f, GDK_CONTROL_MASK },
    { "document.export", export, GDK_KEY_e, GDK_CONTROL_MASK },
    { "document.draw", draw, 0, 0 },
    { "document.stop", stop, 0, 0 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (actions); i++)
    {
      gtk_widget_class_install_action (klass, actions[i].name, NULL, actions[i].activate);
      if (actions[i].key != 0)
        gtk_widget_class_add_binding_action (klass, actions[i].key, actions[i].modifiers, actions[i].name, NULL);
    }
  gtk_widget_class_bind_template_callback (klass, on_find_changed);
  gtk_widget_class_bind_template_callback (klass, on_find_next);
  gtk_widget_class_bind_template_callback (klass, on_find_previous);
}
