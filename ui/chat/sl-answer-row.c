/* SPDX-License-Identifier: MIT
 *
 * Lays an answer out and keeps it up to date while it streams. Whatever arrives only marks the row; it is brought up to date at
 * most once per frame, from a tick callback of its own.
 */
#include "ui/chat/sl-answer-row.h"

#include "ui/chat/sl-answer-source.h"
#include "ui/chat/sl-answer-status.h"
#include "ui/chat/sl-flow-label.h"
#include "ui/chat/sl-markdown-view.h"
#include "ui/chat/sl-markdown.h"
#include "ui/chat/sl-message-bar.h"
#include "ui/composer/sl-chip.h"
#include "ui/pictures/sl-picture-view.h"

#include <glib/gi18n.h>

#define PARAGRAPH_BYTE_US 100

struct _SlAnswerRow
{
  GtkWidget parent_instance;

  SlConversation *conversation;
  SlMessage *message;
  SlBoxModel *boxes;
  SlMessagePart *box_part; /* the picture that the boxes lie on, or NULL */
  SlJob *job;              /* whose "changed" we listen to */
  GPtrArray *chips;        /* SlChip, borrowed, as long as the markdown view lives */
  GArray *anchor_labels;   /* int: label of the n-th anchor in the text */

  GtkWidget *box;
  GtkWidget *source; /* of an answer from a server */
  GtkWidget *markdown;
  GtkLabel *raw;
  GtkWidget *error_box;
  GtkLabel *error;
  GtkWidget *picture;
  GtkWidget *progress_box;
  GtkSpinner *spinner;
  GtkProgressBar *progress;
  GtkWidget *cancel;
  GtkWidget *footer;
  GtkWidget *bar;
  GtkLabel *status;

  SlJobState stage;
  gint64 stage_start;
  guint tick;
  gint64 updated; /* when the text was last laid out */
};

enum
{
  REGENERATE,
  STOP,
  SIBLING,
  OPEN_VIEWER,
  FIND_AGAIN,
  N_SIGNALS,
};

static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (SlAnswerRow, sl_answer_row, GTK_TYPE_WIDGET)

/* --- text ------------------------------------------------------------------ */

/* The raw answer as Markdown with an anchor for each label; boxes are drawn, not
 * printed. A label that is still being written is text until it is closed. */
static char *
dup_markdown (SlAnswerRow *self,
              SlGrounding *grounding)
{
  const char *text = sl_grounding_get_text (grounding);
  GString *markdown = g_string_new (NULL);
  const SlSpan *spans;
  gsize n_spans;

  g_array_set_size (self->anchor_labels, 0);
  spans = sl_grounding_get_spans (grounding, &n_spans);
  for (gsize i = 0; i < n_spans; i++)
    {
      const SlSpan *span = &spans[i];

      if (span->kind == SL_SPAN_BOXES)
        continue;
      if (span->kind == SL_SPAN_LABEL && !span->open)
        {
          g_string_append (markdown, SL_MARKDOWN_ANCHOR);
          g_array_append_val (self->anchor_labels, span->label_index);
          continue;
        }
      g_autoptr (GString) part = g_string_new_len (text + span->inner_start,
                                                   span->inner_end - span->inner_start);
      g_string_replace (part, SL_MARKDOWN_ANCHOR, "\357\277\275", 0);
      g_string_append_len (markdown, part->str, part->len);
    }
  return g_string_free (markdown, FALSE);
}

static void
on_chip_clicked (SlAnswerRow *self,
                 SlChip      *chip)
{
  int label = sl_chip_get_label_index (chip);
  int first = sl_box_model_get_label_first (self->boxes, label);

  if (sl_chip_offers_again (chip))
    g_signal_emit (self, signals[FIND_AGAIN], 0,
                   sl_grounding_get_label (sl_box_model_get_grounding (self->boxes), label));
  if (first < 0)
    return;
  sl_box_model_select (self->boxes, first);
  g_signal_emit (self, signals[OPEN_VIEWER], 0, self->boxes);
}

static GtkWidget *
make_chip (guint    index,
           gpointer user_data)
{
  SlAnswerRow *self = user_data;
  GtkWidget *chip = sl_chip_new (self->boxes, g_array_index (self->anchor_labels, int, index));

  g_signal_connect_object (chip, "clicked", G_CALLBACK (on_chip_clicked), self, G_CONNECT_SWAPPED);
  g_ptr_array_add (self->chips, chip);
  return chip;
}

static void
update_chips (SlAnswerRow *self)
{
  for (guint i = 0; i < self->chips->len; i++)
    {
      GtkWidget *parent = gtk_widget_get_parent (self->chips->pdata[i]);
      sl_chip_update (self->chips->pdata[i],
                      sl_message_get_status (self->message) != SL_MESSAGE_STREAMING);
      if (SL_IS_FLOW_LABEL (parent))
        sl_flow_label_update_children (SL_FLOW_LABEL (parent));
    }
}

static void
update_text (SlAnswerRow *self)
{
  const char *raw = sl_message_get_text (self->message);
  g_autoptr (SlGrounding) grounding = sl_message_parse (self->message);
  g_autofree char *markdown = dup_markdown (self, grounding);
  gsize n_boxes;

  sl_answer_source_update (SL_ANSWER_SOURCE (self->source), grounding);
  sl_box_model_set_answer (self->boxes, grounding, sl_message_get_boxes (self->message), self->box_part);
  sl_markdown_view_set_text (SL_MARKDOWN_VIEW (self->markdown), markdown);
  update_chips (self);
  if (gtk_widget_get_visible (GTK_WIDGET (self->raw)))
    {
      g_autofree char *broken = sl_markdown_break_long_words (raw, strlen (raw));
      gtk_label_set_label (self->raw, broken);
    }

  sl_box_model_get_paint_boxes (self->boxes, &n_boxes);
  sl_picture_view_set_part (SL_PICTURE_VIEW (self->picture), n_boxes > 0 ? self->box_part : NULL);
  gtk_widget_set_visible (self->picture, n_boxes > 0);
}

/* --- which picture --------------------------------------------------------- */

static void queue_update (SlAnswerRow *self);

static void
update_box_part (SlAnswerRow *self)
{
  SlMessagePart *found = sl_conversation_find_picture (self->conversation, self->message);

  if (found == self->box_part)
    return;
  g_set_object (&self->box_part, found);
  queue_update (self);
}

/* --- status ---------------------------------------------------------------- */

static void
update_running (SlAnswerRow *self)
{
  const SlJobStatus *status = sl_job_get_status (self->job);
  gint64 now = g_get_monotonic_time ();
  g_autofree char *sentence = NULL;
  gboolean reading = status->state == SL_JOB_VISION || status->state == SL_JOB_PREFILL;

  if (status->state != self->stage)
    {
      self->stage = status->state;
      self->stage_start = now;
    }
  sentence = sl_answer_status_dup_running (status, (now - self->stage_start) / 1e6);
  gtk_label_set_label (self->status, sentence);
  gtk_widget_set_visible (GTK_WIDGET (self->progress), reading);
  gtk_progress_bar_set_fraction (self->progress, reading ? CLAMP (status->fraction, 0, 1) : 0);
  gtk_widget_set_visible (self->cancel, status->state == SL_JOB_QUEUED);
}

static void
update_status (SlAnswerRow *self)
{
  SlMessageStatus status = sl_message_get_status (self->message);
  const SlGeneration *generation = sl_message_get_generation (self->message);
  gboolean running = status == SL_MESSAGE_STREAMING && self->job != NULL;
  gboolean failed = status == SL_MESSAGE_FAILED;

  gtk_widget_set_visible (self->progress_box, running);
  gtk_spinner_set_spinning (self->spinner, running);
  gtk_widget_set_visible (self->bar, !running);
  gtk_widget_set_visible (self->error_box, failed);
  if (failed)
    gtk_label_set_label (self->error, generation && generation->error
                                        ? generation->error
                                        : _("The answer could not be finished."));
  if (running)
    update_running (self);
  else
    {
      g_autofree char *sentence = sl_answer_status_dup_finished (status, generation);
      gtk_label_set_label (self->status, sentence);
    }
}

/* Laying out one endless paragraph (a model that fell into a loop) takes longer
 * with every token: it is then shown less often, so that the window stays fluid. */
static gboolean
is_too_early (SlAnswerRow *self)
{
  const char *text = sl_message_get_text (self->message);
  const char *paragraph = strrchr (text, '\n');
  gsize length = strlen (paragraph ? paragraph : text);

  return sl_message_get_status (self->message) == SL_MESSAGE_STREAMING &&
         g_get_monotonic_time () - self->updated < (gint64) length * PARAGRAPH_BYTE_US;
}

static gboolean
on_tick (GtkWidget     *widget,
         GdkFrameClock *clock,
         gpointer       data)
{
  SlAnswerRow *self = SL_ANSWER_ROW (widget);

  if (is_too_early (self))
    return G_SOURCE_CONTINUE;
  self->tick = 0;
  self->updated = g_get_monotonic_time ();
  update_text (self);
  update_status (self);
  return G_SOURCE_REMOVE;
}

static void
queue_update (SlAnswerRow *self)
{
  if (self->tick == 0)
    self->tick = gtk_widget_add_tick_callback (GTK_WIDGET (self), on_tick, NULL, NULL);
}

static void
on_job (SlAnswerRow *self)
{
  SlJob *job = sl_message_get_job (self->message);

  if (self->job != NULL)
    g_signal_handlers_disconnect_by_data (self->job, self);
  g_set_object (&self->job, job);
  if (job != NULL)
    g_signal_connect_object (job, "changed", G_CALLBACK (queue_update), self, G_CONNECT_SWAPPED);
  queue_update (self);
}

/* --- actions --------------------------------------------------------------- */

static void
on_copy (SlAnswerRow *self)
{
  SlGrounding *grounding = sl_box_model_get_grounding (self->boxes);
  g_autofree char *plain = sl_grounding_dup_plain_text (grounding);
  gboolean raw = gtk_widget_get_visible (GTK_WIDGET (self->raw));

  gdk_clipboard_set_text (gtk_widget_get_clipboard (GTK_WIDGET (self)),
                          raw ? sl_message_get_text (self->message) : plain);
}

static void
on_again (SlAnswerRow *self)
{
  g_signal_emit (self, signals[REGENERATE], 0);
}

static void
on_stop (SlAnswerRow *self)
{
  g_signal_emit (self, signals[STOP], 0);
}

static void
on_raw (SlAnswerRow *self,
        gboolean     raw)
{
  gtk_widget_set_visible (GTK_WIDGET (self->raw), raw);
  gtk_widget_set_visible (self->markdown, !raw);
  queue_update (self);
}

static void
on_sibling (SlAnswerRow *self,
            guint        position)
{
  g_signal_emit (self, signals[SIBLING], 0, position);
}

static void
on_picture_activated (SlAnswerRow *self)
{
  g_signal_emit (self, signals[OPEN_VIEWER], 0, self->boxes);
}

/* --- object ---------------------------------------------------------------- */

static void
sl_answer_row_dispose (GObject *object)
{
  SlAnswerRow *self = SL_ANSWER_ROW (object);

  g_clear_pointer (&self->box, gtk_widget_unparent);
  g_clear_object (&self->conversation);
  g_clear_object (&self->message);
  g_clear_object (&self->boxes);
  g_clear_object (&self->box_part);
  g_clear_object (&self->job);
  G_OBJECT_CLASS (sl_answer_row_parent_class)->dispose (object);
}

static void
sl_answer_row_finalize (GObject *object)
{
  SlAnswerRow *self = SL_ANSWER_ROW (object);

  g_ptr_array_unref (self->chips);
  g_array_unref (self->anchor_labels);
  G_OBJECT_CLASS (sl_answer_row_parent_class)->finalize (object);
}

static void
sl_answer_row_class_init (SlAnswerRowClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->dispose = sl_answer_row_dispose;
  object_class->finalize = sl_answer_row_finalize;
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_css_name (widget_class, "answer");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_GROUP);
  signals[REGENERATE] = g_signal_new ("regenerate", SL_TYPE_ANSWER_ROW, G_SIGNAL_RUN_LAST, 0, NULL,
                                      NULL, NULL, G_TYPE_NONE, 0);
  signals[STOP] = g_signal_new ("stop", SL_TYPE_ANSWER_ROW, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                G_TYPE_NONE, 0);
  signals[SIBLING] = g_signal_new ("sibling", SL_TYPE_ANSWER_ROW, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                   NULL, G_TYPE_NONE, 1, G_TYPE_UINT);
  signals[OPEN_VIEWER] = g_signal_new ("open-viewer", SL_TYPE_ANSWER_ROW, G_SIGNAL_RUN_LAST, 0,
                                       NULL, NULL, NULL, G_TYPE_NONE, 1, SL_TYPE_BOX_MODEL);
  signals[FIND_AGAIN] = g_signal_new ("find-again", SL_TYPE_ANSWER_ROW, G_SIGNAL_RUN_LAST, 0, NULL,
                                      NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
}

static GtkWidget *
make_error_box (SlAnswerRow *self)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 8);
  GtkWidget *icon = gtk_image_new_from_icon_name ("dialog-warning-symbolic");

  self->error = GTK_LABEL (gtk_label_new (NULL));
  gtk_label_set_wrap (self->error, TRUE);
  gtk_label_set_wrap_mode (self->error, PANGO_WRAP_WORD_CHAR);
  gtk_label_set_xalign (self->error, 0);
  gtk_label_set_selectable (self->error, TRUE);
  gtk_widget_set_valign (icon, GTK_ALIGN_START);
  gtk_box_append (GTK_BOX (box), icon);
  gtk_box_append (GTK_BOX (box), GTK_WIDGET (self->error));
  gtk_widget_add_css_class (box, "failure");
  return box;
}

static GtkWidget *
make_progress_box (SlAnswerRow *self)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 8);

  self->spinner = GTK_SPINNER (gtk_spinner_new ());
  self->progress = GTK_PROGRESS_BAR (gtk_progress_bar_new ());
  gtk_widget_set_valign (GTK_WIDGET (self->progress), GTK_ALIGN_CENTER);
  gtk_widget_set_size_request (GTK_WIDGET (self->progress), 80, -1);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->progress), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  _("Progress"), -1);
  self->cancel = gtk_button_new_with_label (_("Cancel"));
  gtk_widget_add_css_class (self->cancel, "flat");
  gtk_widget_add_css_class (self->cancel, "caption");
  g_signal_connect_swapped (self->cancel, "clicked", G_CALLBACK (on_stop), self);
  gtk_box_append (GTK_BOX (box), GTK_WIDGET (self->spinner));
  gtk_box_append (GTK_BOX (box), GTK_WIDGET (self->progress));
  gtk_box_append (GTK_BOX (box), self->cancel);
  return box;
}

static GtkWidget *
make_footer (SlAnswerRow *self)
{
  GtkWidget *footer = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);

  self->progress_box = make_progress_box (self);
  self->status = GTK_LABEL (gtk_label_new (NULL));
  gtk_label_set_xalign (self->status, 0);
  gtk_label_set_wrap (self->status, TRUE);
  gtk_widget_set_hexpand (GTK_WIDGET (self->status), TRUE);
  gtk_widget_add_css_class (GTK_WIDGET (self->status), "caption");
  gtk_widget_add_css_class (GTK_WIDGET (self->status), "dim-label");
  gtk_widget_add_css_class (GTK_WIDGET (self->status), "numeric");

  self->bar = sl_message_bar_new (self->message);
  g_signal_connect_swapped (self->bar, "copy", G_CALLBACK (on_copy), self);
  g_signal_connect_swapped (self->bar, "again", G_CALLBACK (on_again), self);
  g_signal_connect_swapped (self->bar, "raw", G_CALLBACK (on_raw), self);
  g_signal_connect_swapped (self->bar, "sibling", G_CALLBACK (on_sibling), self);
  gtk_box_append (GTK_BOX (footer), self->progress_box);
  gtk_box_append (GTK_BOX (footer), self->bar);
  gtk_box_append (GTK_BOX (footer), GTK_WIDGET (self->status));
  gtk_widget_add_css_class (footer, "footer");
  return footer;
}

static void
sl_answer_row_init (SlAnswerRow *self)
{
  self->chips = g_ptr_array_new ();
  self->anchor_labels = g_array_new (FALSE, FALSE, sizeof (int));
  self->boxes = sl_box_model_new ();
  self->box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 6);
  gtk_widget_set_parent (self->box, GTK_WIDGET (self));

  self->markdown = sl_markdown_view_new ();
  sl_markdown_view_set_anchor_func (SL_MARKDOWN_VIEW (self->markdown), make_chip, self);
  self->raw = GTK_LABEL (gtk_label_new (NULL));
  gtk_label_set_wrap (self->raw, TRUE);
  gtk_label_set_wrap_mode (self->raw, PANGO_WRAP_WORD);
  gtk_label_set_xalign (self->raw, 0);
  gtk_label_set_selectable (self->raw, TRUE);
  gtk_widget_add_css_class (GTK_WIDGET (self->raw), "monospace");
  gtk_widget_set_visible (GTK_WIDGET (self->raw), FALSE);

  self->picture = sl_picture_view_new (FALSE);
  gtk_widget_add_css_class (self->picture, "card");
  sl_picture_view_set_model (SL_PICTURE_VIEW (self->picture), self->boxes);
  gtk_widget_set_visible (self->picture, FALSE);
  g_signal_connect_swapped (self->picture, "activated", G_CALLBACK (on_picture_activated), self);
  self->error_box = make_error_box (self);
}

GtkWidget *
sl_answer_row_new (SlConversation *conversation,
                   SlMessage      *message)
{
  SlAnswerRow *self = g_object_new (SL_TYPE_ANSWER_ROW, NULL);

  g_return_val_if_fail (SL_IS_CONVERSATION (conversation), NULL);
  g_return_val_if_fail (SL_IS_MESSAGE (message), NULL);

  self->conversation = g_object_ref (conversation);
  self->message = g_object_ref (message);
  self->footer = make_footer (self);
  self->source = sl_answer_source_new (conversation, message);
  gtk_box_append (GTK_BOX (self->box), self->source);
  gtk_box_append (GTK_BOX (self->box), self->markdown);
  gtk_box_append (GTK_BOX (self->box), GTK_WIDGET (self->raw));
  gtk_box_append (GTK_BOX (self->box), self->picture);
  gtk_box_append (GTK_BOX (self->box), self->error_box);
  gtk_box_append (GTK_BOX (self->box), self->footer);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  _("Answer"), -1);

  g_signal_connect_object (message, "notify::text", G_CALLBACK (queue_update), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (message, "notify::status", G_CALLBACK (queue_update), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (message, "notify::job", G_CALLBACK (on_job), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (message, "notify::box-picture", G_CALLBACK (update_box_part), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (sl_message_get_boxes (message), "items-changed",
                           G_CALLBACK (queue_update), self, G_CONNECT_SWAPPED);
  on_job (self);
  update_box_part (self);
  update_text (self);
  update_status (self);
  return GTK_WIDGET (self);
}

SlMessage *
sl_answer_row_get_message (SlAnswerRow *self)
{
  g_return_val_if_fail (SL_IS_ANSWER_ROW (self), NULL);
  return self->message;
}

void
sl_answer_row_set_busy (SlAnswerRow *self,
                        gboolean     busy)
{
  g_return_if_fail (SL_IS_ANSWER_ROW (self));
  sl_message_bar_set_busy (SL_MESSAGE_BAR (self->bar), busy);
}
