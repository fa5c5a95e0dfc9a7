/* SPDX-License-Identifier: MIT
 *
 * See sl-block-row.h. What did not change is not touched, so that a page may be set again while it is being read.
 */
#include "ui/document/sl-block-row.h"

#include "app/document/sl-page-table.h"
#include "ui/chat/sl-markdown-view.h"
#include "ui/chat/sl-table.h"
#include "ui/inspector/sl-box-row.h"

#include <glib/gi18n.h>
#include <math.h>

#define UNSURE 0.8 /* below it, how sure a block is stands out */

struct _SlBlockRow
{
  GtkListBoxRow parent_instance;

  GtkLabel *badge, *type, *certainty;
  GtkToggleButton *accepted;
  GtkWidget *body;    /* GtkBox: text, table or editor */
  GtkWidget *content; /* the first two of them, or NULL */
  GtkWidget *editor;  /* GtkTextView's frame, or NULL */

  char *text;         /* that is shown */
  SlPageTable *table; /* of it, or NULL */
  gboolean filling;
};

enum { TEXT, WISH, LIT, N_SIGNALS };

static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (SlBlockRow, sl_block_row, GTK_TYPE_LIST_BOX_ROW)

/* --- names ----------------------------------------------------------------- */

static const struct
{
  const char *type, *name;
} types[] = {
  { "text", N_("Text") }, { "title", N_("Title") }, { "sub_title", N_("Heading") }, { "table", N_("Table") },
  { "image", N_("Picture") }, { "equation", N_("Formula") }, { "image_caption", N_("Caption of a picture") },
  { "table_caption", N_("Caption of a table") }, { "table_footnote", N_("Footnote of a table") }, { "header", N_("Page header") },
  { "footer", N_("Page footer") }, { "page_number", N_("Page number") },
};

const char *
sl_block_type_get_display_name (const char *type)
{
  for (guint i = 0; i < G_N_ELEMENTS (types); i++)
    if (g_str_equal (types[i].type, type))
      return _(types[i].name);
  return type;
}

const char *const *
sl_block_types_get_display_names (void)
{
  static const char *names[G_N_ELEMENTS (types) + 1];

  for (guint i = 0; i < G_N_ELEMENTS (types); i++)
    names[i] = _(types[i].name);
  return names;
}

/* --- tables ---------------------------------------------------------------- */

static void
say_text (SlBlockRow *self,
          const char *text)
{
  if (!g_str_equal (text, self->text))
    g_signal_emit (self, signals[TEXT], 0, text);
}

static void
on_cell_edited (GtkEditableLabel *label,
                GParamSpec       *pspec,
                SlBlockRow       *self)
{
  guint cell = GPOINTER_TO_UINT (g_object_get_data (G_OBJECT (label), "cell"));
  g_autofree char *html = NULL;

  if (gtk_editable_label_get_editing (label) || self->table == NULL || cell >= self->table->cells->len)
    return;
  if (g_str_equal (gtk_editable_get_text (GTK_EDITABLE (label)), ((const SlTableCell *) self->table->cells->pdata[cell])->text))
    return;
  sl_page_table_set_cell (self->table, cell, gtk_editable_get_text (GTK_EDITABLE (label)));
  html = sl_page_table_to_html (self->table);
  say_text (self, html);
}

/* GTK (seen in 4.8) looks at a label 100 ms after the focus has left it, whether it is still there or not. */
static gboolean
let_go (gpointer label)
{
  g_object_unref (label);
  return G_SOURCE_REMOVE;
}

static void
on_cell_left (GtkEventController *focus)
{
  g_timeout_add (300, let_go, g_object_ref (gtk_event_controller_get_widget (focus)));
}

static GtkWidget *
make_cell (SlBlockRow        *self,
           const SlTableCell *cell,
           guint              index)
{
  GtkWidget *label = gtk_editable_label_new (cell->text);
  GtkEventController *focus = gtk_event_controller_focus_new ();
  g_autofree char *name = NULL;

  /* Translators: accessible name of a table's cell */
  name = g_strdup_printf (_("Row %u, column %u"), cell->row + 1, cell->column + 1);
  gtk_accessible_update_property (GTK_ACCESSIBLE (label), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
  gtk_widget_add_css_class (label, "table-cell");
  if (cell->heading)
    gtk_widget_add_css_class (label, "heading");
  g_object_set_data (G_OBJECT (label), "cell", GUINT_TO_POINTER (index));
  g_signal_connect_object (label, "notify::editing", G_CALLBACK (on_cell_edited), self, 0);
  g_signal_connect (focus, "leave", G_CALLBACK (on_cell_left), NULL);
  gtk_widget_add_controller (label, focus);
  return label;
}

static GtkWidget *
make_table (SlBlockRow *self)
{
  GtkWidget *table = sl_table_new ();

  for (guint i = 0; i < self->table->cells->len; i++)
    {
      const SlTableCell *cell = self->table->cells->pdata[i];

      gtk_grid_attach (sl_table_get_grid (SL_TABLE (table)), make_cell (self, cell, i), (int) cell->column, (int) cell->row,
                       (int) cell->colspan, (int) cell->rowspan);
    }
  gtk_widget_set_halign (table, GTK_ALIGN_START);
  return table;
}

/* The same cells in the same places: only texts differ, and the focus stays where it is. */
static gboolean
update_table (SlBlockRow  *self,
              SlPageTable *table)
{
  GtkGrid *grid;

  if (self->table == NULL || self->content == NULL || table->cells->len != self->table->cells->len)
    return FALSE;
  for (guint i = 0; i < table->cells->len; i++)
    {
      const SlTableCell *a = table->cells->pdata[i], *b = self->table->cells->pdata[i];

      if (a->row != b->row || a->column != b->column || a->rowspan != b->rowspan || a->colspan != b->colspan)
        return FALSE;
    }
  grid = sl_table_get_grid (SL_TABLE (self->content));
  for (guint i = 0; i < table->cells->len; i++)
    {
      const SlTableCell *cell = table->cells->pdata[i];
      GtkWidget *label = gtk_grid_get_child_at (grid, (int) cell->column, (int) cell->row);

      if (!gtk_editable_label_get_editing (GTK_EDITABLE_LABEL (label)))
        gtk_editable_set_text (GTK_EDITABLE (label), cell->text);
    }
  return TRUE;
}

/* --- text ------------------------------------------------------------------ */

static void
show_content (SlBlockRow *self)
{
  g_autoptr (SlPageTable) table = sl_page_table_parse (self->text);
  gboolean same = table != NULL ? update_table (self, table) : self->table == NULL && self->content != NULL;

  g_clear_pointer (&self->table, sl_page_table_free);
  self->table = g_steal_pointer (&table);
  if (!same)
    {
      if (self->content != NULL)
        gtk_box_remove (GTK_BOX (self->body), self->content);
      self->content = self->table != NULL ? make_table (self) : sl_markdown_view_new ();
      gtk_box_append (GTK_BOX (self->body), self->content);
    }
  if (self->table == NULL)
    sl_markdown_view_set_text (SL_MARKDOWN_VIEW (self->content), self->text);
  gtk_widget_set_visible (self->content, self->editor == NULL && *self->text != '\0');
}

static GtkTextBuffer *
get_buffer (SlBlockRow *self)
{
  return gtk_text_view_get_buffer (GTK_TEXT_VIEW (gtk_scrolled_window_get_child (GTK_SCROLLED_WINDOW (self->editor))));
}

/* keep: what was written is the text from now on. */
static void
stop_editing (SlBlockRow *self,
              gboolean    keep)
{
  g_autofree char *text = NULL;

  if (self->editor == NULL)
    return;
  g_object_get (get_buffer (self), "text", &text, NULL);
  gtk_box_remove (GTK_BOX (self->body), g_steal_pointer (&self->editor));
  gtk_widget_set_visible (self->content, *self->text != '\0');
  if (keep)
    say_text (self, text);
}

static gboolean
on_editor_key (SlBlockRow      *self,
               guint            key,
               guint            code,
               GdkModifierType  state)
{
  gboolean enter = key == GDK_KEY_Return || key == GDK_KEY_KP_Enter;

  if (key != GDK_KEY_Escape && !(enter && state & GDK_CONTROL_MASK))
    return GDK_EVENT_PROPAGATE;
  stop_editing (self, enter);
  gtk_widget_grab_focus (GTK_WIDGET (self));
  return GDK_EVENT_STOP;
}

static gboolean
stop_soon (gpointer data)
{
  stop_editing (data, TRUE);
  return G_SOURCE_REMOVE;
}

/* GTK is still telling everybody where the focus goes. */
static void
on_editor_left (SlBlockRow *self)
{
  g_idle_add_full (G_PRIORITY_DEFAULT, stop_soon, g_object_ref (self), g_object_unref);
}

static void
watch_editor (SlBlockRow *self,
              GtkWidget  *view)
{
  GtkEventController *keys = gtk_event_controller_key_new ();
  GtkEventController *focus = gtk_event_controller_focus_new ();

  g_signal_connect_swapped (keys, "key-pressed", G_CALLBACK (on_editor_key), self);
  g_signal_connect_swapped (focus, "leave", G_CALLBACK (on_editor_left), self);
  gtk_event_controller_set_propagation_phase (keys, GTK_PHASE_CAPTURE);
  gtk_widget_add_controller (view, keys);
  gtk_widget_add_controller (view, focus);
}

static void
open_editor (SlBlockRow *self)
{
  GtkWidget *view = gtk_text_view_new ();

  gtk_text_view_set_wrap_mode (GTK_TEXT_VIEW (view), GTK_WRAP_WORD_CHAR);
  gtk_text_buffer_set_text (gtk_text_view_get_buffer (GTK_TEXT_VIEW (view)), self->text, -1);
  gtk_accessible_update_property (GTK_ACCESSIBLE (view), GTK_ACCESSIBLE_PROPERTY_LABEL, _("Text of the block"), -1);
  self->editor = gtk_scrolled_window_new ();
  gtk_scrolled_window_set_propagate_natural_height (GTK_SCROLLED_WINDOW (self->editor), TRUE);
  gtk_scrolled_window_set_max_content_height (GTK_SCROLLED_WINDOW (self->editor), 320);
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (self->editor), view);
  gtk_widget_add_css_class (self->editor, "editor");
  gtk_box_append (GTK_BOX (self->body), self->editor);
  gtk_widget_set_visible (self->content, FALSE);
  watch_editor (self, view);
  gtk_widget_grab_focus (view);
}

/* A table in its cells. */
void
sl_block_row_edit (SlBlockRow *self)
{
  GtkWidget *first;

  g_return_if_fail (SL_IS_BLOCK_ROW (self));

  if (self->editor != NULL)
    return;
  if (self->table == NULL)
    {
      open_editor (self);
      return;
    }
  first = gtk_widget_get_first_child (GTK_WIDGET (sl_table_get_grid (SL_TABLE (self->content))));
  gtk_widget_grab_focus (first);
  gtk_editable_label_start_editing (GTK_EDITABLE_LABEL (first));
}

/* --- block ----------------------------------------------------------------- */

static void
show_certainty (SlBlockRow    *self,
                const SlPageBlock *block)
{
  double score = sl_page_block_get_score (block);
  g_autofree char *text = NULL, *tip = NULL;

  if (block->edited)
    text = g_strdup (_("Corrected"));
  else if (block->cut)
    text = g_strdup (_("Repeated itself"));
  else if (block->certainty >= 0 || block->overlap >= 0)
    text = g_strdup_printf ("%.0f %%", 100 * MAX (0, MIN (block->certainty >= 0 ? block->certainty : 1, block->overlap >= 0 ? block->overlap : 1)));
  if (!block->edited && block->certainty >= 0 && block->overlap >= 0)
    /* Translators: mean probability of a text's tokens, and how much its box and the true one can be expected to have in common */
    tip = g_strdup_printf (_("Text %.0f %% certain, expected overlap of the box %.0f %%"), 100 * block->certainty, 100 * block->overlap);
  else if (!block->edited && block->certainty >= 0)
    tip = g_strdup_printf (_("Text %.0f %% certain"), 100 * block->certainty);
  gtk_label_set_label (self->certainty, text != NULL ? text : "");
  gtk_widget_set_tooltip_text (GTK_WIDGET (self->certainty), tip);
  if (block->cut || (score >= 0 && score < UNSURE))
    gtk_widget_add_css_class (GTK_WIDGET (self->certainty), "warning");
  else
    gtk_widget_remove_css_class (GTK_WIDGET (self->certainty), "warning");
}

static void
show_badge (SlBlockRow       *self,
            const SlPaintBox *paint_box)
{
  g_autofree char *markup = paint_box != NULL ? sl_box_row_dup_badge (paint_box) : g_strdup ("–");

  if (!g_str_equal (gtk_label_get_label (self->badge), markup))
    gtk_label_set_markup (self->badge, markup);
}

static void
show_name (SlBlockRow    *self,
           const SlPageBlock *block)
{
  const char *type = sl_block_type_get_display_name (block->type);
  /* Translators: accessible name of a block of a page: its type, its text */
  g_autofree char *name = g_strdup_printf (_("%s: %s"), type, block->text);

  gtk_label_set_label (self->type, type);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
}

void
sl_block_row_set_block (SlBlockRow       *self,
                        const SlPageBlock    *block,
                        const SlPaintBox *paint_box)
{
  g_return_if_fail (SL_IS_BLOCK_ROW (self));

  self->filling = TRUE;
  show_badge (self, paint_box);
  show_certainty (self, block);
  gtk_toggle_button_set_active (self->accepted, block->accepted);
  if (self->text == NULL || !g_str_equal (self->text, block->text))
    {
      g_free (self->text);
      self->text = g_strdup (block->text);
      show_content (self);
    }
  show_name (self, block);
  self->filling = FALSE;
}

/* --- object ---------------------------------------------------------------- */

static void
on_accepted (SlBlockRow *self)
{
  if (!self->filling)
    g_signal_emit (self, signals[WISH], 0, "accept");
}

static void
wish (GtkWidget  *widget,
      const char *name,
      GVariant   *parameter)
{
  if (g_str_equal (name, "block.edit"))
    sl_block_row_edit (SL_BLOCK_ROW (widget));
  else
    g_signal_emit (widget, signals[WISH], 0, name + strlen ("block."));
}

static void
on_enter (SlBlockRow *self)
{
  g_signal_emit (self, signals[LIT], 0, TRUE);
}

static void
on_leave (SlBlockRow *self)
{
  g_signal_emit (self, signals[LIT], 0, FALSE);
}

static void
sl_block_row_finalize (GObject *object)
{
  SlBlockRow *self = SL_BLOCK_ROW (object);

  g_free (self->text);
  sl_page_table_free (self->table);
  G_OBJECT_CLASS (sl_block_row_parent_class)->finalize (object);
}

static void
sl_block_row_class_init (SlBlockRowClass *klass)
{
  static const char *const actions[] = { "block.edit", "block.read-area", "block.up", "block.down", "block.remove", "block.zoom" };
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  GType type = G_TYPE_FROM_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = sl_block_row_finalize;
  for (guint i = 0; i < G_N_ELEMENTS (actions); i++)
    gtk_widget_class_install_action (widget_class, actions[i], NULL, wish);
  signals[TEXT] = g_signal_new ("text", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
  signals[WISH] = g_signal_new ("wish", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
  signals[LIT] = g_signal_new ("lit", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_BOOLEAN);
}

static GMenuModel *
make_menu (void)
{
  GMenu *menu = g_menu_new ();

  g_menu_append (menu, _("_Correct the Text"), "block.edit");
  g_menu_append (menu, _("_Read This Area Again"), "block.read-area");
  g_menu_append (menu, _("_Zoom to It"), "block.zoom");
  g_menu_append (menu, _("Earlier in the _Order"), "block.up");
  g_menu_append (menu, _("_Later in the Order"), "block.down");
  g_menu_append (menu, _("Re_move"), "block.remove");
  return G_MENU_MODEL (menu);
}

static void
add_buttons (SlBlockRow *self,
             GtkBox     *head)
{
  g_autoptr (GMenuModel) model = make_menu ();
  GtkWidget *menu = gtk_menu_button_new ();

  self->accepted = GTK_TOGGLE_BUTTON (gtk_toggle_button_new ());
  gtk_button_set_icon_name (GTK_BUTTON (self->accepted), "object-select-symbolic");
  gtk_widget_set_tooltip_text (GTK_WIDGET (self->accepted), _("Accept"));
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->accepted), GTK_ACCESSIBLE_PROPERTY_LABEL, _("Accept"), -1);
  g_signal_connect_swapped (self->accepted, "toggled", G_CALLBACK (on_accepted), self);
  gtk_menu_button_set_icon_name (GTK_MENU_BUTTON (menu), "view-more-symbolic");
  gtk_menu_button_set_menu_model (GTK_MENU_BUTTON (menu), model);
  gtk_widget_set_tooltip_text (menu, _("Block Menu"));
  gtk_accessible_update_property (GTK_ACCESSIBLE (menu), GTK_ACCESSIBLE_PROPERTY_LABEL, _("Block Menu"), -1);
  gtk_widget_add_css_class (GTK_WIDGET (self->accepted), "flat");
  gtk_widget_add_css_class (menu, "flat");
  gtk_box_append (head, GTK_WIDGET (self->accepted));
  gtk_box_append (head, menu);
}

static void
sl_block_row_init (SlBlockRow *self)
{
  GtkWidget *all = gtk_box_new (GTK_ORIENTATION_VERTICAL, 3), *head = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  GtkEventController *motion = gtk_event_controller_motion_new ();

  self->badge = GTK_LABEL (gtk_label_new ("–"));
  self->type = GTK_LABEL (gtk_label_new (NULL));
  self->certainty = GTK_LABEL (gtk_label_new (NULL));
  gtk_widget_add_css_class (GTK_WIDGET (self->badge), "box-number");
  gtk_widget_add_css_class (GTK_WIDGET (self->type), "heading");
  gtk_widget_add_css_class (GTK_WIDGET (self->certainty), "caption");
  gtk_widget_add_css_class (GTK_WIDGET (self->certainty), "numeric");
  gtk_label_set_ellipsize (self->type, PANGO_ELLIPSIZE_END);
  gtk_label_set_xalign (self->type, 0);
  gtk_widget_set_hexpand (GTK_WIDGET (self->type), TRUE);
  gtk_box_append (GTK_BOX (head), GTK_WIDGET (self->badge));
  gtk_box_append (GTK_BOX (head), GTK_WIDGET (self->type));
  gtk_box_append (GTK_BOX (head), GTK_WIDGET (self->certainty));
  add_buttons (self, GTK_BOX (head));
  self->body = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);
  gtk_box_append (GTK_BOX (all), head);
  gtk_box_append (GTK_BOX (all), self->body);
  gtk_list_box_row_set_child (GTK_LIST_BOX_ROW (self), all);
  g_signal_connect_swapped (motion, "enter", G_CALLBACK (on_enter), self);
  g_signal_connect_swapped (motion, "leave", G_CALLBACK (on_leave), self);
  gtk_widget_add_controller (GTK_WIDGET (self), motion);
}

GtkWidget *
sl_block_row_new (void)
{
  return g_object_new (SL_TYPE_BLOCK_ROW, NULL);
}
