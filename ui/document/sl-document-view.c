/* SPDX-License-Identifier: MIT
 *
 * The view as a whole: which page is shown, and how its two panes follow each other. See sl-document-view.h.
 */
#include "ui/document/sl-document-view-private.h"

#include <glib/gi18n.h>
#include <math.h>

enum { CLOSE, SAID, N_SIGNALS };

static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (SlDocumentView, sl_document_view, GTK_TYPE_WIDGET)

void
sl_document_view_say (SlDocumentView *self,
                      const char     *sentence)
{
  g_signal_emit (self, signals[SAID], 0, sentence);
}

/* --- the page -------------------------------------------------------------- */

static void
forget_part (SlDocumentView *self)
{
  sl_picture_view_set_model (SL_PICTURE_VIEW (self->view), NULL);
  sl_picture_view_set_part (SL_PICTURE_VIEW (self->view), NULL);
  g_clear_object (&self->part);
}

static void
on_picture (SlDocumentView *self)
{
  SlPicture *picture = sl_document_page_get_picture (self->shown);

  if (picture == NULL || (self->part != NULL && sl_message_part_get_picture (self->part) == picture))
    return;
  g_clear_object (&self->part);
  self->part = sl_message_part_new_picture (picture, SL_DETAIL_AUTO);
  sl_block_list_show_page (SL_BLOCK_LIST (self->blocks), self->page, self->part);
  sl_picture_view_set_model (SL_PICTURE_VIEW (self->view), sl_block_list_get_boxes (SL_BLOCK_LIST (self->blocks)));
  sl_picture_view_set_part (SL_PICTURE_VIEW (self->view), self->part);
  sl_document_view_update_actions (self);
}

static void
on_page_changed (SlDocumentView *self)
{
  sl_block_list_show_page (SL_BLOCK_LIST (self->blocks), self->page, self->part);
  sl_picture_view_set_editable (SL_PICTURE_VIEW (self->view), sl_document_page_get_state (self->shown) != SL_PAGE_READING);
  sl_document_view_update_actions (self);
}

static void
leave_page (SlDocumentView *self)
{
  if (self->shown != NULL)
    g_signal_handlers_disconnect_by_data (self->shown, self);
  g_clear_object (&self->shown);
}

static void
show_place (SlDocumentView *self)
{
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->document));
  /* Translators: a page's number, how many there are */
  g_autofree char *place = g_strdup_printf (_("%u of %u"), self->page + 1, n);

  gtk_label_set_label (self->place, place);
  adw_window_title_set_title (self->title, sl_document_page_get_file_name (self->shown));
}

void
sl_document_view_show_page (SlDocumentView *self,
                            guint           page)
{
  SlDocumentPage *found = self->document != NULL ? sl_document_get_page (self->document, page) : NULL;

  if (found == NULL || found == self->shown)
    return;
  leave_page (self);
  self->page = page;
  self->shown = g_object_ref (found);
  g_signal_connect_object (found, "changed", G_CALLBACK (on_page_changed), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (found, "picture", G_CALLBACK (on_picture), self, G_CONNECT_SWAPPED);
  sl_document_show_page (self->document, page);
  if (sl_document_page_get_picture (found) == NULL)
    forget_part (self); /* not the one before with these boxes */
  on_page_changed (self);
  on_picture (self);
  show_place (self);
  sl_page_list_set_page (SL_PAGE_LIST (self->list), page);
}

/* --- panes that follow each other ------------------------------------------ */

static void
on_block_selected (SlDocumentView *self,
                   int             block)
{
  sl_picture_view_reveal (SL_PICTURE_VIEW (self->view), sl_block_list_find_box (SL_BLOCK_LIST (self->blocks), block));
  sl_document_view_update_actions (self);
}

static void
on_block_zoom (SlDocumentView *self,
               int             block)
{
  adw_leaflet_set_visible_child_name (self->panes, "page");
  sl_picture_view_zoom_to (SL_PICTURE_VIEW (self->view), sl_block_list_find_box (SL_BLOCK_LIST (self->blocks), block));
}

static void
on_list_scrolled (SlDocumentView *self,
                  int             block)
{
  double x, y;
  int box = sl_block_list_find_box (SL_BLOCK_LIST (self->blocks), block);

  if (self->following || box < 0 || !sl_picture_view_get_middle (SL_PICTURE_VIEW (self->view), &x, &y))
    return;
  self->following = TRUE;
  sl_picture_view_reveal (SL_PICTURE_VIEW (self->view), box);
  self->following = FALSE;
}

/* The block whose middle is nearest to what is looked at. */
static void
on_view_moved (SlDocumentView *self)
{
  gsize n_boxes;
  const SlPaintBox *boxes = sl_box_model_get_paint_boxes (sl_block_list_get_boxes (SL_BLOCK_LIST (self->blocks)), &n_boxes);
  double x, y, least = INFINITY;
  int nearest = -1;

  if (self->following || !sl_picture_view_get_middle (SL_PICTURE_VIEW (self->view), &x, &y))
    return;
  for (gsize i = 0; i < n_boxes; i++)
    {
      double dx = x - CLAMP (x, boxes[i].x1, boxes[i].x2), dy = y - CLAMP (y, boxes[i].y1, boxes[i].y2);

      if (dx * dx + dy * dy < least)
        {
          least = dx * dx + dy * dy;
          nearest = (int) i;
        }
    }
  self->following = TRUE;
  sl_block_list_reveal (SL_BLOCK_LIST (self->blocks), sl_block_list_find_block (SL_BLOCK_LIST (self->blocks), nearest));
  self->following = FALSE;
}

static void
on_box_activated (SlDocumentView *self,
                  int             box)
{
  sl_block_list_select (SL_BLOCK_LIST (self->blocks), sl_block_list_find_block (SL_BLOCK_LIST (self->blocks), box));
  sl_document_view_update_actions (self);
}

/* A box was moved, or an area drawn; picture pixels. */
static void
on_area (SlDocumentView *self,
         int             box,
         double          x1,
         double          y1,
         double          x2,
         double          y2)
{
  double size[2] = { sl_message_part_get_width (self->part), sl_message_part_get_height (self->part) };
  const double area[4] = { x1, y1, x2, y2 };
  int block = sl_block_list_find_block (SL_BLOCK_LIST (self->blocks), box), place[4];

  sl_document_view_set_drawing (self, FALSE);
  if (box < 0)
    {
      sl_document_view_read_area (self, area);
      return;
    }
  for (int i = 0; i < 4; i++)
    place[i] = (int) lrint (area[i] / size[i % 2] * 999);
  sl_document_set_place (self->document, self->page, (guint) block, place);
}

void
sl_document_view_set_drawing (SlDocumentView *self,
                              gboolean        drawing)
{
  self->drawing = drawing;
  sl_picture_view_set_drawing (SL_PICTURE_VIEW (self->view), drawing);
}

static void
on_text_toggle (SlDocumentView *self)
{
  adw_leaflet_set_visible_child_name (self->panes, gtk_toggle_button_get_active (self->text_toggle) ? "text" : "page");
}

static void
on_visible_pane (SlDocumentView *self)
{
  gtk_toggle_button_set_active (self->text_toggle, g_str_equal (adw_leaflet_get_visible_child_name (self->panes), "text"));
}

/* --- document -------------------------------------------------------------- */

static void
on_opened (SlDocumentView *self)
{
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->document));
  guint n_read = sl_document_count_read (self->document);
  g_autofree char *pages = g_strdup_printf (ngettext ("%u page", "%u pages", n), n);
  /* Translators: how many pages, how many of them were read */
  g_autofree char *subtitle = n_read > 0 ? g_strdup_printf (_("%s, %u read"), pages, n_read) : g_strdup (pages);

  adw_window_title_set_subtitle (self->title, subtitle);
  if (n == 0)
    {
      g_signal_emit (self, signals[CLOSE], 0);
      return;
    }
  sl_document_view_show_page (self, 0);
  adw_flap_set_reveal_flap (self->flap, n > 1 && !adw_flap_get_folded (self->flap));
}

SlDocument *
sl_document_view_get_document (SlDocumentView *self)
{
  return self->document;
}

void
sl_document_view_set_document (SlDocumentView *self,
                               SlDocument     *document)
{
  g_return_if_fail (SL_IS_DOCUMENT_VIEW (self));

  if (self->document != NULL)
    {
      sl_document_stop (self->document);
      g_signal_handlers_disconnect_by_data (self->document, self);
    }
  leave_page (self);
  forget_part (self);
  sl_page_list_set_document (SL_PAGE_LIST (self->list), document);
  sl_block_list_set_document (SL_BLOCK_LIST (self->blocks), document);
  g_set_object (&self->document, document);
  gtk_search_bar_set_search_mode (self->find_bar, FALSE);
  adw_window_title_set_title (self->title, _("Document"));
  adw_window_title_set_subtitle (self->title, "");
  gtk_label_set_label (self->place, "");
  sl_document_view_update_progress (self);
  sl_document_view_update_actions (self);
  if (document == NULL)
    return;
  g_signal_connect_object (document, "opened", G_CALLBACK (on_opened), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (document, "failed", G_CALLBACK (sl_document_view_say), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (document, "progress", G_CALLBACK (sl_document_view_update_progress), self, G_CONNECT_SWAPPED);
  if (sl_document_is_open (document))
    on_opened (self);
}

int
sl_document_view_get_block (SlDocumentView *self)
{
  return sl_block_list_get_selected (SL_BLOCK_LIST (self->blocks));
}

guint
sl_document_view_get_page (SlDocumentView *self)
{
  return self->page;
}

void
sl_document_view_select (SlDocumentView *self,
                         guint           page,
                         int             block)
{
  sl_document_view_show_page (self, page);
  sl_block_list_select (SL_BLOCK_LIST (self->blocks), block);
  on_block_selected (self, block);
}

/* --- object ---------------------------------------------------------------- */

static void
on_back (SlDocumentView *self)
{
  g_signal_emit (self, signals[CLOSE], 0);
}

static void
sl_document_view_dispose (GObject *object)
{
  SlDocumentView *self = SL_DOCUMENT_VIEW (object);

  if (self->box != NULL && self->view != NULL)
    sl_document_view_set_document (self, NULL);
  g_clear_object (&self->engine);
  g_clear_pointer (&self->box, gtk_widget_unparent);
  G_OBJECT_CLASS (sl_document_view_parent_class)->dispose (object);
}

static void
bind_template (GtkWidgetClass *widget_class)
{
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/sightline/Sightline/sl-document-view.ui");
  gtk_widget_class_bind_template_child (widget_class, SlDocumentView, box);
  gtk_widget_class_bind_template_child (widget_class, SlDocumentView, title);
  gtk_widget_class_bind_template_child (widget_class, SlDocumentView, back);
  gtk_widget_class_bind_template_child (widget_class, SlDocumentView, read_button);
  gtk_widget_class_bind_template_child (widget_class, SlDocumentView, text_toggle);
  gtk_widget_class_bind_template_child (widget_class, SlDocumentView, find_bar);
  gtk_widget_class_bind_template_child (widget_class, SlDocumentView, find_entry);
  gtk_widget_class_bind_template_child (widget_class, SlDocumentView, find_nothing);
  gtk_widget_class_bind_template_child (widget_class, SlDocumentView, progress);
  gtk_widget_class_bind_template_child (widget_class, SlDocumentView, progress_label);
  gtk_widget_class_bind_template_child (widget_class, SlDocumentView, progress_bar);
  gtk_widget_class_bind_template_child (widget_class, SlDocumentView, flap);
  gtk_widget_class_bind_template_child (widget_class, SlDocumentView, panes);
  gtk_widget_class_bind_template_child (widget_class, SlDocumentView, page_pane);
  gtk_widget_class_bind_template_child (widget_class, SlDocumentView, text_pane);
  gtk_widget_class_bind_template_child (widget_class, SlDocumentView, place);
}

static void
sl_document_view_class_init (SlDocumentViewClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  GType type = G_TYPE_FROM_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = sl_document_view_dispose;
  signals[CLOSE] = g_signal_new ("close", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  signals[SAID] = g_signal_new ("said", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_css_name (widget_class, "documentview");
  bind_template (widget_class);
  sl_document_view_install_actions (widget_class);
}

static void
sl_document_view_init (SlDocumentView *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  self->view = sl_picture_view_new (TRUE);
  self->blocks = sl_block_list_new ();
  self->list = sl_page_list_new ();
  gtk_widget_set_vexpand (self->view, TRUE);
  gtk_widget_set_vexpand (self->blocks, TRUE);
  gtk_widget_set_size_request (self->list, 130, -1);
  gtk_widget_add_css_class (self->list, "background");
  gtk_box_prepend (self->page_pane, self->view);
  gtk_box_append (self->text_pane, self->blocks);
  adw_flap_set_flap (self->flap, self->list);
  g_signal_connect_swapped (self->back, "clicked", G_CALLBACK (on_back), self);
  g_signal_connect_swapped (self->list, "chosen", G_CALLBACK (sl_document_view_show_page), self);
  g_signal_connect_swapped (self->blocks, "selected", G_CALLBACK (on_block_selected), self);
  g_signal_connect_swapped (self->blocks, "zoom", G_CALLBACK (on_block_zoom), self);
  g_signal_connect_swapped (self->blocks, "scrolled", G_CALLBACK (on_list_scrolled), self);
  g_signal_connect_swapped (self->view, "activated", G_CALLBACK (on_box_activated), self);
  g_signal_connect_swapped (self->view, "area", G_CALLBACK (on_area), self);
  g_signal_connect_swapped (self->view, "moved", G_CALLBACK (on_view_moved), self);
  g_signal_connect_swapped (self->text_toggle, "toggled", G_CALLBACK (on_text_toggle), self);
  g_signal_connect_swapped (self->panes, "notify::visible-child", G_CALLBACK (on_visible_pane), self);
  sl_document_view_init_reading (self);
}

GtkWidget *
sl_document_view_new (SlEngine *engine)
{
  SlDocumentView *self = g_object_new (SL_TYPE_DOCUMENT_VIEW, NULL);

  self->engine = g_object_ref (engine);
  sl_document_view_update_actions (self);
  return GTK_WIDGET (self);
}
