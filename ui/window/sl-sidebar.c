/* SPDX-License-Identifier: MIT
 *
 * Shows the list of conversations and searches it. Rows are of equal height, so a GtkListView holds any number of conversations.
 */
#include "ui/window/sl-sidebar.h"

#include "ui/window/sl-conversation-row.h"

#include <adwaita.h>
#include <glib/gi18n.h>

struct _SlSidebar
{
  GtkWidget parent_instance;

  SlHistory *history;
  gint64 current;
  GCancellable *search; /* of the search under way */
  gboolean updating;    /* the selection is set by us */

  GtkWidget *box;
  GtkToggleButton *search_toggle;
  GtkSearchBar *search_bar;
  GtkSearchEntry *search_entry;
  GtkStack *stack;
  GtkListView *list;
  GtkLabel *empty;
  GtkSingleSelection *selection;
};

static guint open_signal;

G_DEFINE_FINAL_TYPE (SlSidebar, sl_sidebar, GTK_TYPE_WIDGET)

/* --- rows ------------------------------------------------------------------ */

static char *
display_title (gpointer    item,
               const char *title)
{
  return g_strdup (title != NULL && *title != '\0' ? title : _("New Conversation"));
}

/* The rows bind themselves to the summaries; this scope knows the function that they name. */
static GtkListItemFactory *
make_factory (void)
{
  g_autoptr (GtkBuilderScope) scope = gtk_builder_cscope_new ();

  g_type_ensure (SL_TYPE_SUMMARY);
  g_type_ensure (SL_TYPE_CONVERSATION_ROW);
  gtk_builder_cscope_add_callback_symbol (GTK_BUILDER_CSCOPE (scope), "display_title", G_CALLBACK (display_title));
  return gtk_builder_list_item_factory_new_from_resource (
    scope, "/io/github/sightline/Sightline/sl-conversation-row.ui");
}

static void
update_selection (SlSidebar *self)
{
  GListModel *model = G_LIST_MODEL (self->selection);
  guint found = GTK_INVALID_LIST_POSITION;

  /* Of what a search has found, what the user chose is selected: it leads to a message, in the open conversation, too. */
  if (gtk_single_selection_get_model (self->selection) != G_LIST_MODEL (self->history))
    return;
  for (guint i = 0; self->current != 0 && i < g_list_model_get_n_items (model); i++)
    {
      g_autoptr (SlSummary) summary = g_list_model_get_item (model, i);
      if (sl_summary_get_id (summary) == self->current)
        {
          found = i;
          break;
        }
    }
  self->updating = TRUE;
  gtk_single_selection_set_selected (self->selection, found);
  self->updating = FALSE;
}

static void
update_empty (SlSidebar *self)
{
  guint n_items = g_list_model_get_n_items (G_LIST_MODEL (self->selection));
  gboolean searching = gtk_search_bar_get_search_mode (self->search_bar) &&
                       *gtk_editable_get_text (GTK_EDITABLE (self->search_entry)) != '\0';

  gtk_label_set_label (self->empty, searching ? _("Nothing was found")
                                              : _("Conversations will be listed here"));
  gtk_stack_set_visible_child_name (self->stack, n_items ? "list" : "empty");
}

static void
on_items_changed (SlSidebar *self)
{
  update_selection (self);
  update_empty (self);
}

static void
emit_open (SlSidebar *self)
{
  SlSummary *summary = gtk_single_selection_get_selected_item (self->selection);

  if (summary != NULL)
    g_signal_emit (self, open_signal, 0, sl_summary_get_id (summary),
                   sl_summary_get_message (summary));
}

static void
on_selected (SlSidebar *self)
{
  SlSummary *summary = gtk_single_selection_get_selected_item (self->selection);

  if (!self->updating && summary != NULL &&
      (sl_summary_get_id (summary) != self->current || sl_summary_get_message (summary) != 0))
    emit_open (self);
}

/* --- search ---------------------------------------------------------------- */

static void
set_model (SlSidebar  *self,
           GListModel *model)
{
  self->updating = TRUE;
  gtk_single_selection_set_model (self->selection, model);
  self->updating = FALSE;
  on_items_changed (self);
}

static void
on_found (GObject      *source,
          GAsyncResult *result,
          gpointer      data)
{
  g_autoptr (SlSidebar) self = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GListModel) hits = sl_history_search_finish (SL_HISTORY (source), result, &error);

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED) || self->box == NULL)
    return;
  if (hits == NULL)
    hits = G_LIST_MODEL (g_list_store_new (SL_TYPE_SUMMARY));
  set_model (self, hits);
}

static void
on_search_changed (SlSidebar *self)
{
  g_autofree char *query = g_strdup (gtk_editable_get_text (GTK_EDITABLE (self->search_entry)));

  g_cancellable_cancel (self->search);
  g_clear_object (&self->search);
  if (*g_strstrip (query) == '\0' || !gtk_search_bar_get_search_mode (self->search_bar))
    {
      set_model (self, G_LIST_MODEL (self->history));
      return;
    }
  self->search = g_cancellable_new ();
  sl_history_search_async (self->history, query, self->search, on_found, g_object_ref (self));
}

void
sl_sidebar_start_search (SlSidebar  *self,
                         const char *query)
{
  g_return_if_fail (SL_IS_SIDEBAR (self));
  gtk_search_bar_set_search_mode (self->search_bar, TRUE);
  if (query != NULL)
    gtk_editable_set_text (GTK_EDITABLE (self->search_entry), query);
  gtk_widget_grab_focus (GTK_WIDGET (self->search_entry));
  /* Opening a result leaves the search in place; what is typed next replaces it. */
  gtk_editable_select_region (GTK_EDITABLE (self->search_entry), query != NULL ? -1 : 0, -1);
}

void
sl_sidebar_stop_search (SlSidebar *self)
{
  g_return_if_fail (SL_IS_SIDEBAR (self));
  gtk_search_bar_set_search_mode (self->search_bar, FALSE);
}

/* --- object ---------------------------------------------------------------- */

static void
sl_sidebar_dispose (GObject *object)
{
  SlSidebar *self = SL_SIDEBAR (object);

  g_cancellable_cancel (self->search);
  g_clear_object (&self->search);
  g_clear_pointer (&self->box, gtk_widget_unparent);
  g_clear_object (&self->selection);
  g_clear_object (&self->history);
  G_OBJECT_CLASS (sl_sidebar_parent_class)->dispose (object);
}

/* The row that is selected may not be shown yet. */
static gboolean
act_on_selected (GtkWidget *widget,
                 GVariant  *action,
                 gpointer   data)
{
  SlSummary *summary = gtk_single_selection_get_selected_item (SL_SIDEBAR (widget)->selection);

  return summary != NULL &&
         gtk_widget_activate_action (widget, g_variant_get_string (action, NULL), "x", sl_summary_get_id (summary));
}

/* Of the row that has the keyboard. */
static gboolean
open_menu (GtkWidget *widget,
           GVariant  *args,
           gpointer   data)
{
  GtkWidget *focus = gtk_root_get_focus (gtk_widget_get_root (widget));
  GtkWidget *row = focus != NULL ? gtk_widget_get_first_child (focus) : NULL;

  if (!SL_IS_CONVERSATION_ROW (row))
    return FALSE;
  sl_conversation_row_open_menu (SL_CONVERSATION_ROW (row));
  return TRUE;
}

static void
sl_sidebar_class_init (SlSidebarClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = sl_sidebar_dispose;
  open_signal = g_signal_new ("open", SL_TYPE_SIDEBAR, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                              G_TYPE_NONE, 2, G_TYPE_INT64, G_TYPE_INT64);
  gtk_widget_class_add_binding (widget_class, GDK_KEY_Delete, 0, act_on_selected, "s", "win.delete-conversation");
  gtk_widget_class_add_binding (widget_class, GDK_KEY_F2, 0, act_on_selected, "s", "win.rename-conversation");
  gtk_widget_class_add_binding (widget_class, GDK_KEY_Menu, 0, open_menu, NULL);
  gtk_widget_class_add_binding (widget_class, GDK_KEY_F10, GDK_SHIFT_MASK, open_menu, NULL);
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_css_name (widget_class, "sidebar");
  gtk_widget_class_set_template_from_resource (widget_class,
                                               "/io/github/sightline/Sightline/sl-sidebar.ui");
  gtk_widget_class_bind_template_child (widget_class, SlSidebar, box);
  gtk_widget_class_bind_template_child (widget_class, SlSidebar, search_toggle);
  gtk_widget_class_bind_template_child (widget_class, SlSidebar, search_bar);
  gtk_widget_class_bind_template_child (widget_class, SlSidebar, search_entry);
  gtk_widget_class_bind_template_child (widget_class, SlSidebar, stack);
  gtk_widget_class_bind_template_child (widget_class, SlSidebar, list);
  gtk_widget_class_bind_template_child (widget_class, SlSidebar, empty);
}

static void
sl_sidebar_init (SlSidebar *self)
{
  g_autoptr (GtkListItemFactory) factory = make_factory ();

  gtk_widget_init_template (GTK_WIDGET (self));
  gtk_search_bar_connect_entry (self->search_bar, GTK_EDITABLE (self->search_entry));
  self->selection = gtk_single_selection_new (NULL);
  gtk_single_selection_set_autoselect (self->selection, FALSE);
  gtk_single_selection_set_can_unselect (self->selection, TRUE);
  gtk_list_view_set_factory (self->list, factory);
  gtk_list_view_set_model (self->list, GTK_SELECTION_MODEL (self->selection));
  g_signal_connect_swapped (self->list, "activate", G_CALLBACK (emit_open), self);
  g_signal_connect_swapped (self->selection, "notify::selected-item", G_CALLBACK (on_selected), self);
  g_signal_connect_swapped (self->selection, "items-changed", G_CALLBACK (on_items_changed), self);
  g_signal_connect_swapped (self->search_entry, "search-changed", G_CALLBACK (on_search_changed),
                            self);
  update_empty (self);
}

void
sl_sidebar_set_history (SlSidebar *self,
                        SlHistory *history)
{
  g_return_if_fail (SL_IS_SIDEBAR (self));
  g_set_object (&self->history, history);
  set_model (self, G_LIST_MODEL (history));
}

const char *
sl_sidebar_get_query (SlSidebar *self)
{
  g_return_val_if_fail (SL_IS_SIDEBAR (self), "");
  return gtk_search_bar_get_search_mode (self->search_bar) ? gtk_editable_get_text (GTK_EDITABLE (self->search_entry)) : "";
}

GtkSelectionModel *
sl_sidebar_get_selection (SlSidebar *self)
{
  g_return_val_if_fail (SL_IS_SIDEBAR (self), NULL);
  return GTK_SELECTION_MODEL (self->selection);
}

void
sl_sidebar_set_current (SlSidebar *self,
                        gint64     id)
{
  g_return_if_fail (SL_IS_SIDEBAR (self));
  self->current = id;
  update_selection (self);
}
