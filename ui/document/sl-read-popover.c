/* SPDX-License-Identifier: MIT
 *
 * See sl-read-popover.h.
 */
#include "ui/document/sl-read-popover.h"

#include <glib/gi18n.h>

struct _SlReadPopover
{
  GtkPopover parent_instance;

  GtkDropDown *task, *view;
  GtkEntry *locate, *pages;
  GtkWidget *locate_label;
  GtkCheckButton *again, *break_cycles;
  GtkLabel *why_not;
  GtkWidget *start;
  guint n_pages;
  gboolean possible;
};

static const SlDetail views[] = { SL_DETAIL_AUTO, SL_DETAIL_TINY, SL_DETAIL_SMALL, SL_DETAIL_BASE, SL_DETAIL_LARGE };
static guint read_signal;

G_DEFINE_FINAL_TYPE (SlReadPopover, sl_read_popover, GTK_TYPE_POPOVER)

static GArray *
get_pages (SlReadPopover *self)
{
  const char *text = gtk_editable_get_text (GTK_EDITABLE (self->pages));

  return sl_page_numbers_parse (*text != '\0' ? text : NULL, (int) self->n_pages);
}

/* What cannot be started is not offered. */
static void
update (SlReadPopover *self)
{
  gboolean locates = gtk_drop_down_get_selected (self->task) == SL_PAGE_LOCATE;
  g_autoptr (GArray) pages = get_pages (self);

  gtk_widget_set_visible (GTK_WIDGET (self->locate), locates);
  gtk_widget_set_visible (self->locate_label, locates);
  if (pages == NULL)
    gtk_widget_add_css_class (GTK_WIDGET (self->pages), "error");
  else
    gtk_widget_remove_css_class (GTK_WIDGET (self->pages), "error");
  gtk_widget_set_sensitive (self->start, self->possible && pages != NULL && pages->len > 0 &&
                                           (!locates || *gtk_editable_get_text (GTK_EDITABLE (self->locate)) != '\0'));
}

static void
on_start (SlReadPopover *self)
{
  SlPageQuestion question = { .task = (SlPageTask) gtk_drop_down_get_selected (self->task),
                              .view = views[gtk_drop_down_get_selected (self->view)], .max_tokens = SL_PAGE_MAX_TOKENS,
                              .break_cycles = gtk_check_button_get_active (self->break_cycles) };
  g_autoptr (GArray) pages = get_pages (self);

  if (pages == NULL || !gtk_widget_get_sensitive (self->start))
    return;
  question.locate = g_strdup (gtk_editable_get_text (GTK_EDITABLE (self->locate)));
  gtk_popover_popdown (GTK_POPOVER (self));
  g_signal_emit (self, read_signal, 0, &question, pages, gtk_check_button_get_active (self->again));
  sl_page_question_clear (&question);
}

void
sl_read_popover_set (SlReadPopover *self,
                     guint          n_pages,
                     const char    *family,
                     const char    *why_not)
{
  g_return_if_fail (SL_IS_READ_POPOVER (self));

  self->n_pages = n_pages;
  self->possible = why_not == NULL;
  gtk_label_set_label (self->why_not, why_not != NULL ? why_not : "");
  gtk_widget_set_visible (GTK_WIDGET (self->why_not), why_not != NULL);
  if (family != NULL && !sl_page_task_is_known (SL_PAGE_TEXT, family))
    gtk_drop_down_set_selected (self->task, SL_PAGE_MARKDOWN);
  gtk_widget_set_sensitive (GTK_WIDGET (self->task), family == NULL || sl_page_task_is_known (SL_PAGE_TEXT, family));
  update (self);
}

static GtkWidget *
add_row (GtkGrid    *grid,
         int         row,
         const char *name,
         GtkWidget  *field)
{
  GtkWidget *label = gtk_label_new (name);

  gtk_label_set_xalign (GTK_LABEL (label), 0);
  gtk_grid_attach (grid, label, 0, row, 1, 1);
  gtk_grid_attach (grid, field, 1, row, 1, 1);
  gtk_widget_set_hexpand (field, TRUE);
  gtk_accessible_update_relation (GTK_ACCESSIBLE (field), GTK_ACCESSIBLE_RELATION_LABELLED_BY, label, NULL, -1);
  return label;
}

static GtkWidget *
make_fields (SlReadPopover *self)
{
  const char *tasks[SL_N_PAGE_TASKS + 1] = { NULL };
  const char *const sizes[] = { _("Finely, with tiles"), _("512 pixels"), _("640 pixels"), _("1024 pixels"), _("1280 pixels"), NULL };
  GtkWidget *grid = gtk_grid_new ();

  for (guint i = 0; i < SL_N_PAGE_TASKS; i++)
    tasks[i] = sl_page_task_get_display_name (i);
  gtk_grid_set_row_spacing (GTK_GRID (grid), 6);
  gtk_grid_set_column_spacing (GTK_GRID (grid), 12);
  self->task = GTK_DROP_DOWN (gtk_drop_down_new_from_strings (tasks));
  self->locate = GTK_ENTRY (gtk_entry_new ());
  self->pages = GTK_ENTRY (gtk_entry_new ());
  self->view = GTK_DROP_DOWN (gtk_drop_down_new_from_strings (sizes));
  gtk_entry_set_placeholder_text (self->pages, _("All, or as 1-20,25"));
  add_row (GTK_GRID (grid), 0, _("Task"), GTK_WIDGET (self->task));
  self->locate_label = add_row (GTK_GRID (grid), 1, _("What"), GTK_WIDGET (self->locate));
  add_row (GTK_GRID (grid), 2, _("Pages"), GTK_WIDGET (self->pages));
  add_row (GTK_GRID (grid), 3, _("View"), GTK_WIDGET (self->view));
  return grid;
}

static void
sl_read_popover_class_init (SlReadPopoverClass *klass)
{
  read_signal = g_signal_new ("read", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 3, G_TYPE_POINTER,
                              G_TYPE_ARRAY, G_TYPE_BOOLEAN);
}

static void
sl_read_popover_init (SlReadPopover *self)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 9);

  gtk_box_append (GTK_BOX (box), make_fields (self));
  self->break_cycles = GTK_CHECK_BUTTON (gtk_check_button_new_with_mnemonic (_("_Cut blocks that repeat themselves")));
  self->again = GTK_CHECK_BUTTON (gtk_check_button_new_with_mnemonic (_("Read pages _again that were read")));
  self->why_not = GTK_LABEL (gtk_label_new (NULL));
  self->start = gtk_button_new_with_mnemonic (_("_Start Reading"));
  gtk_label_set_wrap (self->why_not, TRUE);
  gtk_label_set_max_width_chars (self->why_not, 32);
  gtk_label_set_xalign (self->why_not, 0);
  gtk_widget_add_css_class (GTK_WIDGET (self->why_not), "dim-label");
  gtk_widget_add_css_class (self->start, "suggested-action");
  gtk_box_append (GTK_BOX (box), GTK_WIDGET (self->break_cycles));
  gtk_box_append (GTK_BOX (box), GTK_WIDGET (self->again));
  gtk_box_append (GTK_BOX (box), GTK_WIDGET (self->why_not));
  gtk_box_append (GTK_BOX (box), self->start);
  gtk_widget_set_margin_top (box, 6);
  gtk_widget_set_margin_bottom (box, 6);
  gtk_widget_set_margin_start (box, 6);
  gtk_widget_set_margin_end (box, 6);
  gtk_popover_set_child (GTK_POPOVER (self), box);
  g_signal_connect_swapped (self->task, "notify::selected", G_CALLBACK (update), self);
  g_signal_connect_swapped (self->pages, "changed", G_CALLBACK (update), self);
  g_signal_connect_swapped (self->locate, "changed", G_CALLBACK (update), self);
  g_signal_connect_swapped (self->pages, "activate", G_CALLBACK (on_start), self);
  g_signal_connect_swapped (self->locate, "activate", G_CALLBACK (on_start), self);
  g_signal_connect_swapped (self->start, "clicked", G_CALLBACK (on_start), self);
  update (self);
}

GtkWidget *
sl_read_popover_new (void)
{
  return g_object_new (SL_TYPE_READ_POPOVER, NULL);
}
