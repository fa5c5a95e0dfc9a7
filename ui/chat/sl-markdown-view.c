/* SPDX-License-Identifier: MIT
 *
 * Makes widgets of blocks, and changes only those that differ. Each block sits in a row of its own: [indent][marker][content].
 */
#include "ui/chat/sl-markdown-view.h"

#include "ui/chat/sl-code-block.h"
#include "ui/chat/sl-flow-label.h"
#include "ui/chat/sl-markdown-plain.h"
#include "ui/chat/sl-markdown.h"
#include "ui/chat/sl-table.h"

#include <glib/gi18n.h>

#define INDENT 20
/* A cell is as wide as its text, up to this: then it wraps. */
#define CELL_WIDTH 220

struct _SlMarkdownView
{
  GtkWidget parent_instance;

  GtkWidget *box;
  GPtrArray *blocks;   /* SlBlock, what is shown */
  GPtrArray *rows;     /* GtkWidget, one per block */
  GPtrArray *contents; /* GtkWidget, the content inside each row */
  GPtrArray *anchors;  /* GtkWidget (owned) by anchor index */

  SlAnchorFunc anchor_func;
  gpointer anchor_data;
};

G_DEFINE_FINAL_TYPE (SlMarkdownView, sl_markdown_view, GTK_TYPE_WIDGET)

static void
sl_markdown_view_dispose (GObject *object)
{
  SlMarkdownView *self = SL_MARKDOWN_VIEW (object);

  g_clear_pointer (&self->box, gtk_widget_unparent);
  g_clear_pointer (&self->rows, g_ptr_array_unref);
  g_clear_pointer (&self->contents, g_ptr_array_unref);
  g_clear_pointer (&self->blocks, g_ptr_array_unref);
  g_clear_pointer (&self->anchors, g_ptr_array_unref);
  G_OBJECT_CLASS (sl_markdown_view_parent_class)->dispose (object);
}

/* An index of a table's block and ',' or '\t'. */
static void
copy_table (GtkWidget  *widget,
            const char *name,
            GVariant   *parameter)
{
  SlMarkdownView *self = SL_MARKDOWN_VIEW (widget);
  g_autofree char *text = NULL;
  guint32 index;
  guchar separator;

  g_variant_get (parameter, "(uy)", &index, &separator);
  if (self->blocks == NULL || index >= self->blocks->len || ((SlBlock *) self->blocks->pdata[index])->kind != SL_BLOCK_TABLE)
    return;
  text = sl_block_dup_table (self->blocks->pdata[index], separator);
  gdk_clipboard_set_text (gtk_widget_get_clipboard (widget), text);
}

static void
sl_markdown_view_class_init (SlMarkdownViewClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = sl_markdown_view_dispose;
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_css_name (widget_class, "markdown");
  gtk_widget_class_install_action (widget_class, "markdown.copy-table", "(uy)", copy_table);
}

static void
sl_markdown_view_init (SlMarkdownView *self)
{
  self->box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);
  gtk_widget_set_parent (self->box, GTK_WIDGET (self));
  self->rows = g_ptr_array_new ();
  self->contents = g_ptr_array_new ();
  self->anchors = g_ptr_array_new_with_free_func (g_object_unref);
}

static GtkWidget *
get_anchor (SlMarkdownView *self,
            guint           index)
{
  while (self->anchors->len <= index)
    {
      GtkWidget *anchor = self->anchor_func (self->anchors->len, self->anchor_data);
      g_ptr_array_add (self->anchors, g_object_ref_sink (anchor));
    }
  return self->anchors->pdata[index];
}

/* Takes anchors out of the paragraph that held them before. */
static GPtrArray *
collect_anchors (SlMarkdownView *self,
                 guint           first,
                 guint           count,
                 GtkWidget      *content)
{
  GPtrArray *children = g_ptr_array_new ();

  for (guint i = 0; self->anchor_func != NULL && i < count; i++)
    {
      GtkWidget *anchor = get_anchor (self, first + i);
      GtkWidget *parent = gtk_widget_get_parent (anchor);

      if (parent != NULL && parent != content)
        sl_flow_label_set_content (SL_FLOW_LABEL (parent), "", NULL);
      g_ptr_array_add (children, anchor);
    }
  return children;
}

static void
fill_label (SlMarkdownView *self,
            GtkWidget      *label,
            const char     *markup,
            guint           first_anchor)
{
  g_autoptr (GPtrArray) children =
    collect_anchors (self, first_anchor, sl_markdown_count_anchors (markup), label);

  sl_flow_label_set_content (SL_FLOW_LABEL (label), markup, children);
}

static void
empty_label (GtkWidget *widget)
{
  if (SL_IS_FLOW_LABEL (widget))
    sl_flow_label_set_content (SL_FLOW_LABEL (widget), "", NULL);
}

static void
empty_table (GtkGrid *grid)
{
  GtkWidget *child;

  while ((child = gtk_widget_get_first_child (GTK_WIDGET (grid))) != NULL)
    {
      empty_label (child);
      gtk_grid_remove (grid, child);
    }
}

static void
align_cell (SlFlowLabel *cell,
            char         align)
{
  GtkLabel *label = sl_flow_label_get_label (cell);

  gtk_label_set_xalign (label, align == 'r' ? 1 : align == 'c' ? 0.5 : 0);
  gtk_label_set_justify (label, align == 'r' ? GTK_JUSTIFY_RIGHT : align == 'c' ? GTK_JUSTIFY_CENTER : GTK_JUSTIFY_LEFT);
}

static void
fill_table (SlMarkdownView *self,
            GtkGrid        *grid,
            const SlBlock  *block)
{
  guint anchor = block->first_anchor;

  empty_table (grid);
  for (guint i = 0; block->n_columns > 0 && i < block->cells->len; i++)
    {
      GtkWidget *cell = sl_flow_label_new ();

      sl_flow_label_set_least_width (SL_FLOW_LABEL (cell), CELL_WIDTH);
      gtk_widget_add_css_class (cell, "table-cell");
      if (i < block->n_columns)
        gtk_widget_add_css_class (cell, "heading");
      align_cell (SL_FLOW_LABEL (cell), block->aligns[i % block->n_columns]);
      gtk_grid_attach (grid, cell, i % block->n_columns, i / block->n_columns, 1, 1);
      fill_label (self, cell, block->cells->pdata[i], anchor);
      anchor += sl_markdown_count_anchors (block->cells->pdata[i]);
    }
}

static GtkWidget *
make_content (const SlBlock *block)
{
  GtkWidget *content;

  switch (block->kind)
    {
    case SL_BLOCK_CODE:
      return sl_code_block_new ();
    case SL_BLOCK_TABLE:
      content = sl_table_new ();
      gtk_widget_set_halign (content, GTK_ALIGN_START);
      return content;
    case SL_BLOCK_RULE:
      return gtk_separator_new (GTK_ORIENTATION_HORIZONTAL);
    case SL_BLOCK_HEADING:
    case SL_BLOCK_TEXT:
    default:
      return sl_flow_label_new ();
    }
}

static void
update_content (SlMarkdownView *self,
                GtkWidget      *content,
                const SlBlock  *block)
{
  if (block->kind == SL_BLOCK_CODE)
    sl_code_block_set_content (SL_CODE_BLOCK (content), block->content, block->language);
  else if (block->kind == SL_BLOCK_TABLE)
    fill_table (self, sl_table_get_grid (SL_TABLE (content)), block);
  else if (SL_IS_FLOW_LABEL (content))
    fill_label (self, content, block->content, block->first_anchor);
}

/* A paragraph that begins with Hebrew or Arabic stands at the right, and so do its bullet and its indentation. */
static void
update_direction (GtkWidget *row,
                  GtkWidget *content)
{
  if (SL_IS_FLOW_LABEL (content))
    gtk_widget_set_direction (row, sl_flow_label_get_text_direction (SL_FLOW_LABEL (content)));
}

static void
fill_table_menu (GtkMenuButton *button,
                 gpointer       index)
{
  g_autoptr (GMenu) menu = g_menu_new ();
  static const struct { const char *label; char separator; } entries[] = {
    { N_("Copy for a _Spreadsheet"), '\t' },
    { N_("Copy as _CSV"), ',' },
  };

  for (guint i = 0; i < G_N_ELEMENTS (entries); i++)
    {
      g_autoptr (GMenuItem) item = g_menu_item_new (_(entries[i].label), NULL);

      g_menu_item_set_action_and_target (item, "markdown.copy-table", "(uy)", GPOINTER_TO_UINT (index), entries[i].separator);
      g_menu_append_item (menu, item);
    }
  gtk_menu_button_set_menu_model (button, G_MENU_MODEL (menu));
}

/* Beside a table; its entries are made when it is opened. */
static GtkWidget *
make_table_button (guint index)
{
  GtkWidget *button = gtk_menu_button_new ();

  gtk_menu_button_set_icon_name (GTK_MENU_BUTTON (button), "edit-copy-symbolic");
  gtk_menu_button_set_create_popup_func (GTK_MENU_BUTTON (button), fill_table_menu, GUINT_TO_POINTER (index), NULL);
  gtk_widget_set_valign (button, GTK_ALIGN_START);
  gtk_widget_add_css_class (button, "flat");
  gtk_widget_set_tooltip_text (button, _("Copy Table"));
  gtk_accessible_update_property (GTK_ACCESSIBLE (button), GTK_ACCESSIBLE_PROPERTY_LABEL, _("Copy Table"), -1);
  return button;
}

static GtkWidget *
make_row (const SlBlock *block,
          guint          index,
          GtkWidget     *content)
{
  GtkWidget *row = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  guint indent = block->indent - (block->marker && block->indent ? 1 : 0);

  gtk_widget_set_margin_start (row, indent * INDENT + block->quote * 12);
  if (block->marker != NULL)
    {
      GtkWidget *marker = gtk_label_new (block->marker);
      gtk_widget_set_valign (marker, GTK_ALIGN_START);
      gtk_widget_set_size_request (marker, INDENT - 6, -1);
      gtk_widget_add_css_class (marker, "marker");
      gtk_box_append (GTK_BOX (row), marker);
      gtk_widget_add_css_class (row, "item");
    }
  if (block->quote > 0)
    gtk_widget_add_css_class (row, "quote");
  if (block->kind == SL_BLOCK_HEADING)
    {
      g_autofree char *class_name = g_strdup_printf ("h%u", MIN (block->level, 4));
      gtk_widget_add_css_class (row, class_name);
    }
  gtk_widget_add_css_class (row, "block");
  gtk_widget_set_hexpand (content, block->kind != SL_BLOCK_TABLE);
  gtk_box_append (GTK_BOX (row), content);
  if (block->kind == SL_BLOCK_TABLE)
    gtk_box_append (GTK_BOX (row), make_table_button (index));
  return row;
}

/* Same widgets, other words: the usual case while text streams in. */
static gboolean
same_shape (const SlBlock *a,
            const SlBlock *b)
{
  return a->kind == b->kind && a->level == b->level && a->indent == b->indent &&
         a->quote == b->quote && a->first_anchor == b->first_anchor &&
         g_strcmp0 (a->marker, b->marker) == 0;
}

static void
truncate_rows (SlMarkdownView *self,
               guint           length)
{
  while (self->rows->len > length)
    {
      guint last = self->rows->len - 1;
      GtkWidget *content = self->contents->pdata[last];

      empty_label (content);
      if (SL_IS_TABLE (content))
        empty_table (sl_table_get_grid (SL_TABLE (content)));
      gtk_box_remove (GTK_BOX (self->box), self->rows->pdata[last]);
      g_ptr_array_set_size (self->rows, last);
      g_ptr_array_set_size (self->contents, last);
    }
}

void
sl_markdown_view_set_text (SlMarkdownView *self,
                           const char     *markdown)
{
  g_autoptr (GPtrArray) old = NULL;
  guint same = 0;

  g_return_if_fail (SL_IS_MARKDOWN_VIEW (self));

  old = self->blocks ? g_steal_pointer (&self->blocks) : g_ptr_array_new ();
  self->blocks = sl_markdown_parse (markdown);
  while (same < old->len && same < self->blocks->len &&
         sl_block_equal (old->pdata[same], self->blocks->pdata[same]))
    same++;

  if (same < old->len && same < self->blocks->len &&
      same_shape (old->pdata[same], self->blocks->pdata[same]))
    {
      truncate_rows (self, same + 1);
      update_content (self, self->contents->pdata[same], self->blocks->pdata[same]);
      update_direction (self->rows->pdata[same], self->contents->pdata[same]);
      same++;
    }
  truncate_rows (self, same);

  for (guint i = same; i < self->blocks->len; i++)
    {
      const SlBlock *block = self->blocks->pdata[i];
      GtkWidget *content = make_content (block);
      GtkWidget *row = make_row (block, i, content);

      update_content (self, content, block);
      update_direction (row, content);
      gtk_box_append (GTK_BOX (self->box), row);
      g_ptr_array_add (self->rows, row);
      g_ptr_array_add (self->contents, content);
    }
}

GtkWidget *
sl_markdown_view_new (void)
{
  return g_object_new (SL_TYPE_MARKDOWN_VIEW, NULL);
}

void
sl_markdown_view_set_anchor_func (SlMarkdownView *self,
                                  SlAnchorFunc    func,
                                  gpointer        user_data)
{
  g_return_if_fail (SL_IS_MARKDOWN_VIEW (self));
  self->anchor_func = func;
  self->anchor_data = user_data;
}
