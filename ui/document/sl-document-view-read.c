/* SPDX-License-Identifier: MIT
 *
 * Starting to read from the view, and how far it is.
 */
#include "ui/document/sl-document-view-private.h"

#include <glib/gi18n.h>
#include <math.h>

static void
on_read (SlDocumentView       *self,
         const SlPageQuestion *question,
         const GArray         *pages,
         gboolean              again)
{
  if (self->document != NULL)
    sl_document_read (self->document, question, pages, again);
}

/* Before the popover is shown. */
static void
on_popover (GtkMenuButton *button,
            gpointer       data)
{
  SlDocumentView *self = data;
  const SlModelInfo *info = sl_engine_get_info (self->engine);
  g_autofree char *why_not = self->document != NULL ? sl_document_dup_why_not (self->document) : NULL;

  sl_read_popover_set (SL_READ_POPOVER (self->popover),
                       self->document != NULL ? g_list_model_get_n_items (G_LIST_MODEL (self->document)) : 0,
                       info != NULL ? info->family : NULL, why_not);
}

static char *
dup_step (const SlDocumentProgress *progress)
{
  switch (progress->state)
    {
    case SL_JOB_VISION:
      return g_strdup_printf (_("looking, %.0f %%"), 100 * progress->fraction);
    case SL_JOB_DECODING:
      return g_strdup_printf (ngettext ("%u token", "%u tokens", progress->tokens), progress->tokens);
    default:
      return NULL;
    }
}

static char *
dup_progress (const SlDocumentProgress *progress)
{
  g_autofree char *step = dup_step (progress);
  /* Translators: the page that is being read, how many are done of how many */
  GString *text = g_string_new (NULL);

  g_string_printf (text, _("Page %u, %u of %u done"), progress->page + 1, progress->n_done, progress->n_pages);
  if (step != NULL)
    g_string_append_printf (text, " · %s", step);
  if (progress->tokens > 0 && progress->seconds > 0.5)
    g_string_append_printf (text, _(" · %.1f tokens/s"), progress->tokens / progress->seconds);
  if (progress->left >= 0 && progress->left < 90)
    g_string_append_printf (text, _(" · about %.0f s left"), progress->left);
  else if (progress->left >= 0)
    g_string_append_printf (text, _(" · about %.0f min left"), ceil (progress->left / 60));
  if (progress->n_failed > 0)
    g_string_append_printf (text, _(" · %u failed"), progress->n_failed);
  return g_string_free (text, FALSE);
}

void
sl_document_view_update_progress (SlDocumentView *self)
{
  SlDocumentProgress progress = { 0 };
  g_autofree char *text = NULL;

  if (self->document != NULL)
    sl_document_get_progress (self->document, &progress);
  gtk_widget_set_visible (self->progress, progress.busy);
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "document.stop", progress.busy);
  if (!progress.busy)
    return;
  text = dup_progress (&progress);
  gtk_label_set_label (self->progress_label, text);
  gtk_progress_bar_set_fraction (self->progress_bar, progress.n_pages > 0 ? (double) progress.n_done / progress.n_pages : 0);
}

void
sl_document_view_read_area (SlDocumentView *self,
                            const double    area[4])
{
  double size[2] = { sl_message_part_get_width (self->part), sl_message_part_get_height (self->part) };
  g_autofree char *why_not = sl_document_dup_why_not (self->document);
  int place[4];

  for (int i = 0; i < 4; i++)
    place[i] = CLAMP ((int) (area[i] / size[i % 2] * 999), 0, 999);
  if (why_not != NULL)
    sl_document_view_say (self, why_not);
  else if (place[2] > place[0] && place[3] > place[1])
    sl_document_read_area (self->document, self->page, -1, place);
}

void
sl_document_view_init_reading (SlDocumentView *self)
{
  self->popover = sl_read_popover_new ();
  gtk_menu_button_set_popover (self->read_button, self->popover);
  gtk_menu_button_set_create_popup_func (self->read_button, on_popover, self, NULL);
  g_signal_connect_swapped (self->popover, "read", G_CALLBACK (on_read), self);
}
