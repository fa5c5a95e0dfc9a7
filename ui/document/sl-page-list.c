/* SPDX-License-Identifier: MIT
 *
 * See sl-page-list.h. Pictures are made for rows that are seen.
 */
#include "ui/document/sl-page-list.h"

#include <glib/gi18n.h>

#define THUMBNAIL_HEIGHT 110

struct _SlPageList
{
  GtkWidget parent_instance;

  GtkWidget *scroller;
  GtkListView *view;
  GtkSingleSelection *selection;
  SlDocument *document;
  gboolean silent;
};

static guint chosen_signal;

G_DEFINE_FINAL_TYPE (SlPageList, sl_page_list, GTK_TYPE_WIDGET)

/* --- rows ------------------------------------------------------------------ */

static void
show_thumbnail (SlDocumentPage *page,
                GtkListItem    *item)
{
  GtkWidget *picture = gtk_widget_get_first_child (gtk_list_item_get_child (item));
  SlPicture *small = sl_document_page_get_thumbnail (page);
  g_autoptr (GdkTexture) texture = NULL;

  if (small != NULL)
    texture = gdk_memory_texture_new (sl_picture_get_width (small), sl_picture_get_height (small), GDK_MEMORY_R8G8B8,
                                      sl_picture_get_rgb_bytes (small), sl_picture_get_stride (small));
  gtk_picture_set_paintable (GTK_PICTURE (picture), GDK_PAINTABLE (texture));
}

static const char *
state_word (SlDocumentPage *page)
{
  switch (sl_document_page_get_state (page))
    {
    case SL_PAGE_WAITING:
      return _("waiting");
    case SL_PAGE_READING:
      return _("being read");
    case SL_PAGE_READ:
      return _("read");
    case SL_PAGE_FAILED:
      return _("failed");
    case SL_PAGE_UNREAD:
    default:
      return _("not read");
    }
}

static void
show_state (SlDocumentPage *page,
            GtkListItem    *item)
{
  GtkWidget *label = gtk_widget_get_last_child (gtk_list_item_get_child (item));
  /* Translators: a page's number, and how far it is */
  g_autofree char *text = g_strdup_printf (_("%u: %s"), sl_document_page_get_index (page) + 1, state_word (page));
  gboolean failed = sl_document_page_get_state (page) == SL_PAGE_FAILED;

  gtk_label_set_label (GTK_LABEL (label), text);
  (failed ? gtk_widget_add_css_class : gtk_widget_remove_css_class) (label, "error");
  gtk_widget_set_tooltip_text (gtk_list_item_get_child (item), sl_document_page_get_error (page));
}

static void
on_setup (SlPageList  *self,
          GtkListItem *item)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 3), *picture = gtk_picture_new (), *label = gtk_label_new (NULL);

  gtk_widget_set_size_request (picture, -1, THUMBNAIL_HEIGHT);
  gtk_picture_set_can_shrink (GTK_PICTURE (picture), TRUE);
  gtk_accessible_update_state (GTK_ACCESSIBLE (picture), GTK_ACCESSIBLE_STATE_HIDDEN, TRUE, -1);
  gtk_widget_add_css_class (label, "caption");
  gtk_widget_add_css_class (label, "numeric");
  gtk_label_set_ellipsize (GTK_LABEL (label), PANGO_ELLIPSIZE_END);
  gtk_box_append (GTK_BOX (box), picture);
  gtk_box_append (GTK_BOX (box), label);
  gtk_list_item_set_child (item, box);
}

static void
on_bind (SlPageList  *self,
         GtkListItem *item)
{
  SlDocumentPage *page = gtk_list_item_get_item (item);

  g_signal_connect (page, "changed", G_CALLBACK (show_state), item);
  g_signal_connect (page, "picture", G_CALLBACK (show_thumbnail), item);
  show_state (page, item);
  show_thumbnail (page, item);
  sl_document_want_thumbnail (self->document, sl_document_page_get_index (page));
}

static void
on_unbind (SlPageList  *self,
           GtkListItem *item)
{
  g_signal_handlers_disconnect_by_data (gtk_list_item_get_item (item), item);
}

/* --- object ---------------------------------------------------------------- */

static void
on_selected (SlPageList *self)
{
  guint page = gtk_single_selection_get_selected (self->selection);

  if (!self->silent && page != GTK_INVALID_LIST_POSITION)
    g_signal_emit (self, chosen_signal, 0, page);
}

void
sl_page_list_set_page (SlPageList *self,
                       guint       page)
{
  g_return_if_fail (SL_IS_PAGE_LIST (self));

  if (gtk_single_selection_get_selected (self->selection) == page)
    return;
  self->silent = TRUE;
  gtk_single_selection_set_selected (self->selection, page);
  self->silent = FALSE;
  if (gtk_widget_get_mapped (GTK_WIDGET (self->view)))
    gtk_widget_activate_action (GTK_WIDGET (self->view), "list.scroll-to-item", "u", page);
}

void
sl_page_list_set_document (SlPageList *self,
                           SlDocument *document)
{
  g_return_if_fail (SL_IS_PAGE_LIST (self));

  self->silent = TRUE;
  gtk_single_selection_set_model (self->selection, G_LIST_MODEL (document));
  g_set_object (&self->document, document);
  self->silent = FALSE;
}

static void
sl_page_list_dispose (GObject *object)
{
  SlPageList *self = SL_PAGE_LIST (object);

  if (self->selection != NULL)
    sl_page_list_set_document (self, NULL);
  g_clear_pointer (&self->scroller, gtk_widget_unparent);
  g_clear_object (&self->selection);
  G_OBJECT_CLASS (sl_page_list_parent_class)->dispose (object);
}

static void
sl_page_list_class_init (SlPageListClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = sl_page_list_dispose;
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_css_name (widget_class, "pagelist");
  chosen_signal = g_signal_new ("chosen", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_UINT);
}

static void
sl_page_list_init (SlPageList *self)
{
  GtkListItemFactory *factory = gtk_signal_list_item_factory_new ();

  g_signal_connect_swapped (factory, "setup", G_CALLBACK (on_setup), self);
  g_signal_connect_swapped (factory, "bind", G_CALLBACK (on_bind), self);
  g_signal_connect_swapped (factory, "unbind", G_CALLBACK (on_unbind), self);
  self->selection = gtk_single_selection_new (NULL);
  g_signal_connect_swapped (self->selection, "notify::selected", G_CALLBACK (on_selected), self);
  self->view = GTK_LIST_VIEW (gtk_list_view_new (g_object_ref (GTK_SELECTION_MODEL (self->selection)), factory));
  gtk_widget_add_css_class (GTK_WIDGET (self->view), "navigation-sidebar");
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->view), GTK_ACCESSIBLE_PROPERTY_LABEL, _("Pages"), -1);
  self->scroller = gtk_scrolled_window_new ();
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (self->scroller), GTK_POLICY_NEVER, GTK_POLICY_AUTOMATIC);
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (self->scroller), GTK_WIDGET (self->view));
  gtk_widget_set_parent (self->scroller, GTK_WIDGET (self));
}

GtkWidget *
sl_page_list_new (void)
{
  return g_object_new (SL_TYPE_PAGE_LIST, NULL);
}
