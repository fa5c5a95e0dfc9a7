/* SPDX-License-Identifier: MIT
 *
 * Keeps a window of rows over a conversation, and scrolls it; the rows are sl-chat-view-rows.c's. GtkListView jumps with tall rows
 * of unequal height (and GTK 4.8 cannot scroll to a row), so there are plain rows for at most WINDOW messages, and others in their
 * place when an edge comes into sight.
 */
#include "ui/chat/sl-chat-view-private.h"

#include "ui/chat/sl-answer-row.h"
#include "ui/chat/sl-question-row.h"

#include <adwaita.h>
#include <glib/gi18n.h>

#define WINDOW 100 /* messages, about 50 turns */
#define STEP 50
#define END_SLACK 12

enum
{
  EDIT,
  OPEN_ANSWER,
  OPEN_PART,
  FIND_AGAIN,
  FAILED,
  N_SIGNALS,
};

static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (SlChatView, sl_chat_view, GTK_TYPE_WIDGET)

static GtkAdjustment *
get_adjustment (SlChatView *self)
{
  return gtk_scrolled_window_get_vadjustment (GTK_SCROLLED_WINDOW (self->scrolled));
}

static double
end_value (GtkAdjustment *adjustment)
{
  return gtk_adjustment_get_upper (adjustment) - gtk_adjustment_get_page_size (adjustment);
}

/* --- scrolling ------------------------------------------------------------- */

static void
update_to_end (SlChatView *self)
{
  gtk_widget_set_visible (self->to_end, !self->stuck);
}

static guint
count_messages (SlChatView *self)
{
  return self->conversation != NULL ? g_list_model_get_n_items (G_LIST_MODEL (self->conversation)) : 0;
}

static void on_extent_changed (SlChatView *self);
static gboolean page (GtkWidget     *widget,
                      GdkFrameClock *clock,
                      gpointer       data);
static double offset_of (SlChatView *self,
                         GtkWidget  *wanted,
                         int         width);

/* Less than a view away from the first or the last row, of which there are more. */
static int
edge_in_sight (SlChatView *self)
{
  GtkAdjustment *adjustment = get_adjustment (self);
  double view = gtk_adjustment_get_page_size (adjustment);

  if (self->first > 0 && gtk_adjustment_get_value (adjustment) < view)
    return -1;
  if (self->last < count_messages (self) && gtk_adjustment_get_value (adjustment) > end_value (adjustment) - view)
    return 1;
  return 0;
}

static void
on_value_changed (SlChatView    *self,
                  GtkAdjustment *adjustment)
{
  self->stuck = self->last == count_messages (self) &&
                gtk_adjustment_get_value (adjustment) >= end_value (adjustment) - END_SLACK;
  update_to_end (self);
  if (self->paging == 0 && edge_in_sight (self) != 0)
    self->paging = gtk_widget_add_tick_callback (GTK_WIDGET (self), page, NULL, NULL);
}

/* A quarter of the view above the row. It may not be laid out yet, so first its place is computed. */
static void
reveal (SlChatView *self)
{
  GtkAdjustment *adjustment = get_adjustment (self);
  double view = gtk_adjustment_get_page_size (adjustment);
  int width = gtk_widget_get_width (self->column);
  graphene_point_t at = GRAPHENE_POINT_INIT (0, 0);
  double value;

  if (width <= 0)
    return; /* the next extent brings us here again */
  if (self->reveal_pass == 0)
    value = offset_of (self, self->reveal, width);
  else if (gtk_widget_compute_point (self->reveal, self->column, &GRAPHENE_POINT_INIT (0, 0), &at))
    value = at.y;
  else
    value = gtk_adjustment_get_value (adjustment) + view / 4;
  if (self->reveal_pass++ > 0)
    self->reveal = NULL;
  else
    on_extent_changed (self);
  value = MAX (0, value - view / 4);
  gtk_adjustment_set_upper (adjustment, MAX (gtk_adjustment_get_upper (adjustment), value + view));
  gtk_adjustment_set_value (adjustment, value);
}

static gboolean
follow (GtkWidget     *widget,
        GdkFrameClock *clock,
        gpointer       data)
{
  SlChatView *self = SL_CHAT_VIEW (widget);
  GtkAdjustment *adjustment = get_adjustment (self);

  self->following = 0;

  if (self->reveal != NULL)
    reveal (self);
  else if (self->stuck)
    gtk_adjustment_set_value (adjustment, end_value (adjustment));
  else
    on_value_changed (self, adjustment);
  return G_SOURCE_REMOVE;
}

/* The content grew or the view changed its size. This comes in the middle of an
 * allocation, where a new value would be lost: it is set with the next frame. */
static void
on_extent_changed (SlChatView *self)
{
  if (self->following == 0)
    self->following = gtk_widget_add_tick_callback (GTK_WIDGET (self), follow, NULL, NULL);
}

static void show_end (SlChatView *self);

void
sl_chat_view_scroll_to_end (SlChatView *self)
{
  g_return_if_fail (SL_IS_CHAT_VIEW (self));
  self->stuck = TRUE;
  self->reveal = NULL;
  show_end (self);
  gtk_adjustment_set_value (get_adjustment (self), end_value (get_adjustment (self)));
  update_to_end (self);
}

/* --- draining -------------------------------------------------------------- */

static gboolean
on_tick (GtkWidget     *widget,
         GdkFrameClock *clock,
         gpointer       data)
{
  SlChatView *self = SL_CHAT_VIEW (widget);
  SlMessage *answering = self->conversation ? sl_conversation_get_answering (self->conversation)
                                            : NULL;
  SlJob *job = answering ? sl_message_get_job (answering) : NULL;

  if (job == NULL)
    {
      self->tick = 0;
      return G_SOURCE_REMOVE;
    }
  g_object_ref (job);
  sl_job_drain (job);
  g_object_unref (job);
  return G_SOURCE_CONTINUE;
}

void
sl_chat_view_update_busy (SlChatView *self)
{
  gboolean busy = sl_conversation_is_busy (self->conversation);
  GHashTableIter iter;
  gpointer row;

  if (busy && self->tick == 0)
    self->tick = gtk_widget_add_tick_callback (GTK_WIDGET (self), on_tick, NULL, NULL);
  g_hash_table_iter_init (&iter, self->rows);
  while (g_hash_table_iter_next (&iter, NULL, &row))
    if (SL_IS_ANSWER_ROW (row))
      sl_answer_row_set_busy (row, busy);
    else
      sl_question_row_set_busy (row, busy);
}

/* --- which rows ------------------------------------------------------------ */

static void
show_end (SlChatView *self)
{
  guint n_items = count_messages (self);
  guint first = n_items > WINDOW ? n_items - WINDOW : 0;

  if (self->last == n_items && self->first == first)
    return;
  self->last = n_items;
  self->first = first;
  sl_chat_view_update_rows (self);
}

/* Who reads stays where they read, whatever comes or changes below; who is at the end stays there. */
static void
on_items_changed (SlChatView *self,
                  guint       position,
                  guint       removed,
                  guint       added)
{
  guint n_items = count_messages (self);

  if (self->stuck || position < self->first || self->last == 0)
    {
      self->last = n_items;
      self->first = n_items > WINDOW ? n_items - WINDOW : 0;
    }
  else
    self->last = MIN (n_items, MAX (position + added, self->first + WINDOW));
  sl_chat_view_update_rows (self);
  on_extent_changed (self);
}

/* The row at the top edge of the view, or the first one below it. */
static GtkWidget *
find_visible_row (SlChatView *self)
{
  double top = gtk_adjustment_get_value (get_adjustment (self));

  for (guint i = self->first; i < self->last; i++)
    {
      GtkWidget *row = sl_chat_view_row_at (self, i);
      graphene_rect_t bounds;

      if (row != NULL && gtk_widget_compute_bounds (row, self->column, &bounds) &&
          bounds.origin.y + bounds.size.height > top)
        return row;
    }
  return NULL;
}

/* How far below the first row this one is, before GTK has laid them out. */
static double
offset_of (SlChatView *self,
           GtkWidget  *wanted,
           int         width)
{
  double offset = 0;

  for (guint i = self->first; i < self->last; i++)
    {
      GtkWidget *row = sl_chat_view_row_at (self, i);
      int height;

      if (row == wanted)
        break;
      if (row == NULL)
        continue;
      gtk_widget_measure (row, GTK_ORIENTATION_VERTICAL, width, &height, NULL, NULL, NULL);
      offset += height + gtk_box_get_spacing (GTK_BOX (self->column));
    }
  return offset;
}

/* More rows at the edge that comes into sight, fewer at the other one; what is in sight does not move. */
static gboolean
page (GtkWidget     *widget,
      GdkFrameClock *clock,
      gpointer       data)
{
  SlChatView *self = SL_CHAT_VIEW (widget);
  GtkAdjustment *adjustment = get_adjustment (self);
  int edge = edge_in_sight (self);
  GtkWidget *kept = find_visible_row (self);
  double offset, value;
  int width;

  self->paging = 0;
  if (edge == 0 || kept == NULL || self->reveal != NULL)
    return G_SOURCE_REMOVE;
  width = gtk_widget_get_width (kept);
  offset = offset_of (self, kept, width);
  value = gtk_adjustment_get_value (adjustment);
  if (edge < 0)
    {
      self->first -= MIN (STEP, self->first);
      self->last = MIN (count_messages (self), self->first + WINDOW);
    }
  else
    {
      self->last = MIN (count_messages (self), self->last + STEP);
      self->first = self->last > WINDOW ? self->last - WINDOW : 0;
    }
  sl_chat_view_update_rows (self);
  value += offset_of (self, kept, width) - offset;
  gtk_adjustment_set_upper (adjustment, MAX (gtk_adjustment_get_upper (adjustment), value + gtk_adjustment_get_page_size (adjustment)));
  gtk_adjustment_set_value (adjustment, value);
  self->stuck = FALSE;
  return G_SOURCE_REMOVE;
}

/* --- what was looked for --------------------------------------------------- */

static void
unmark (SlChatView *self)
{
  if (self->marked == NULL)
    return;
  gtk_widget_remove_css_class (self->marked, "found");
  gtk_accessible_reset_state (GTK_ACCESSIBLE (self->marked), GTK_ACCESSIBLE_STATE_SELECTED);
  self->marked = NULL;
}

void
sl_chat_view_scroll_to (SlChatView *self,
                        SlMessage  *message)
{
  guint n_items = count_messages (self);
  guint position = 0;

  g_return_if_fail (SL_IS_CHAT_VIEW (self));

  unmark (self);
  while (position < n_items)
    {
      g_autoptr (SlMessage) item = g_list_model_get_item (G_LIST_MODEL (self->conversation), position);

      if (item == message)
        break;
      position++;
    }
  if (position == n_items)
    return;
  if (position < self->first || position >= self->last)
    {
      self->first = position > WINDOW / 2 ? position - WINDOW / 2 : 0;
      self->last = MIN (n_items, self->first + WINDOW);
      sl_chat_view_update_rows (self);
    }
  self->stuck = FALSE;
  self->reveal_pass = 0;
  self->reveal = self->marked = g_hash_table_lookup (self->rows, message);
  if (self->marked == NULL) /* it has no row */
    return;
  gtk_widget_add_css_class (self->marked, "found");
  gtk_accessible_update_state (GTK_ACCESSIBLE (self->marked), GTK_ACCESSIBLE_STATE_SELECTED, TRUE, -1);
  on_extent_changed (self);
}

/* --- object ---------------------------------------------------------------- */

static void
sl_chat_view_dispose (GObject *object)
{
  SlChatView *self = SL_CHAT_VIEW (object);

  if (self->conversation != NULL)
    g_signal_handlers_disconnect_by_data (self->conversation, self);
  g_clear_object (&self->conversation);
  g_hash_table_remove_all (self->rows);
  while (gtk_widget_get_first_child (GTK_WIDGET (self)) != NULL)
    gtk_widget_unparent (gtk_widget_get_first_child (GTK_WIDGET (self)));
  G_OBJECT_CLASS (sl_chat_view_parent_class)->dispose (object);
}

static void
sl_chat_view_finalize (GObject *object)
{
  g_hash_table_unref (SL_CHAT_VIEW (object)->rows);
  G_OBJECT_CLASS (sl_chat_view_parent_class)->finalize (object);
}

static void
sl_chat_view_class_init (SlChatViewClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->dispose = sl_chat_view_dispose;
  object_class->finalize = sl_chat_view_finalize;
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_css_name (widget_class, "chatview");
  signals[EDIT] = g_signal_new ("edit", SL_TYPE_CHAT_VIEW, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                G_TYPE_NONE, 1, SL_TYPE_MESSAGE);
  signals[OPEN_ANSWER] = g_signal_new ("open-answer", SL_TYPE_CHAT_VIEW, G_SIGNAL_RUN_LAST, 0, NULL,
                                       NULL, NULL, G_TYPE_NONE, 2, SL_TYPE_MESSAGE,
                                       SL_TYPE_BOX_MODEL);
  signals[OPEN_PART] = g_signal_new ("open-part", SL_TYPE_CHAT_VIEW, G_SIGNAL_RUN_LAST, 0, NULL,
                                     NULL, NULL, G_TYPE_NONE, 2, SL_TYPE_MESSAGE,
                                     SL_TYPE_MESSAGE_PART);
  signals[FIND_AGAIN] = g_signal_new ("find-again", SL_TYPE_CHAT_VIEW, G_SIGNAL_RUN_LAST, 0, NULL,
                                      NULL, NULL, G_TYPE_NONE, 2, SL_TYPE_MESSAGE, G_TYPE_STRING);
  signals[FAILED] = g_signal_new ("failed", SL_TYPE_CHAT_VIEW, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                  NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
}

static GtkWidget *
make_to_end (SlChatView *self)
{
  GtkWidget *button = gtk_button_new_from_icon_name ("go-down-symbolic");

  gtk_widget_add_css_class (button, "circular");
  gtk_widget_add_css_class (button, "osd");
  gtk_widget_set_tooltip_text (button, _("Scroll to the End"));
  gtk_accessible_update_property (GTK_ACCESSIBLE (button), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  _("Scroll to the End"), -1);
  g_signal_connect_swapped (button, "clicked", G_CALLBACK (sl_chat_view_scroll_to_end), self);
  gtk_widget_set_halign (button, GTK_ALIGN_END);
  gtk_widget_set_valign (button, GTK_ALIGN_END);
  gtk_widget_set_margin_end (button, 18);
  gtk_widget_set_margin_bottom (button, 12);
  gtk_widget_set_visible (button, FALSE);
  return button;
}

static void
sl_chat_view_init (SlChatView *self)
{
  GtkWidget *overlay = gtk_overlay_new ();
  GtkWidget *clamp = adw_clamp_new ();

  self->rows = g_hash_table_new_full (NULL, NULL, g_object_unref, NULL);
  self->stuck = TRUE;
  self->column = gtk_box_new (GTK_ORIENTATION_VERTICAL, 18);
  gtk_widget_add_css_class (self->column, "chat");
  adw_clamp_set_maximum_size (ADW_CLAMP (clamp), 860);
  adw_clamp_set_tightening_threshold (ADW_CLAMP (clamp), 600);
  adw_clamp_set_child (ADW_CLAMP (clamp), self->column);

  self->scrolled = gtk_scrolled_window_new ();
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (self->scrolled), GTK_POLICY_EXTERNAL,
                                  GTK_POLICY_AUTOMATIC);
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (self->scrolled), clamp);
  gtk_widget_set_vexpand (self->scrolled, TRUE);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->scrolled), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  _("Messages"), -1);
  self->to_end = make_to_end (self);
  gtk_overlay_set_child (GTK_OVERLAY (overlay), self->scrolled);
  gtk_overlay_add_overlay (GTK_OVERLAY (overlay), self->to_end);
  gtk_widget_set_parent (overlay, GTK_WIDGET (self));

  g_signal_connect_swapped (get_adjustment (self), "value-changed", G_CALLBACK (on_value_changed),
                            self);
  g_signal_connect_swapped (get_adjustment (self), "changed", G_CALLBACK (on_extent_changed), self);
}

void
sl_chat_view_set_conversation (SlChatView     *self,
                               SlConversation *conversation)
{
  g_return_if_fail (SL_IS_CHAT_VIEW (self));

  if (self->conversation == conversation)
    return;
  if (self->conversation != NULL)
    g_signal_handlers_disconnect_by_data (self->conversation, self);
  g_clear_object (&self->conversation);
  self->first = self->last = 0;
  sl_chat_view_update_rows (self);

  self->reveal = self->marked = NULL;
  self->stuck = TRUE;
  if (conversation == NULL)
    return;
  self->conversation = g_object_ref (conversation);
  g_signal_connect_object (conversation, "items-changed", G_CALLBACK (on_items_changed), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (conversation, "notify::busy", G_CALLBACK (sl_chat_view_update_busy), self,
                           G_CONNECT_SWAPPED);
  on_items_changed (self, 0, 0, g_list_model_get_n_items (G_LIST_MODEL (conversation)));
}

SlConversation *
sl_chat_view_get_conversation (SlChatView *self)
{
  g_return_val_if_fail (SL_IS_CHAT_VIEW (self), NULL);
  return self->conversation;
}
