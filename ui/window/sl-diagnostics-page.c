/* SPDX-License-Identifier: MIT
 *
 * Shows the diagnostics and runs the self-test. The self-test runs on a thread of its own and is cancelled with the page.
 */
#include "ui/window/sl-diagnostics-page.h"

#include "app/system/sl-diagnostics.h"
#include "ui/window/sl-about.h"

#include <glib/gi18n.h>

struct _SlDiagnosticsPage
{
  AdwPreferencesPage parent_instance;

  GPtrArray *facts;
  GPtrArray *results; /* of the last self-test, NULL before */
  AdwPreferencesGroup *computer, *test;
  GPtrArray *test_rows; /* borrowed: rows of the results */
  GtkWidget *run;       /* insensitive while a test runs; the spinner follows it */
  GCancellable *cancellable;
};

G_DEFINE_FINAL_TYPE (SlDiagnosticsPage, sl_diagnostics_page, ADW_TYPE_PREFERENCES_PAGE)

static GtkWidget *
new_row (const char *title,
         const char *value,
         const char *advice)
{
  GtkWidget *row = adw_action_row_new ();
  g_autofree char *text = advice ? g_strdup_printf ("%s\n%s", value, advice) : g_strdup (value);
  g_autofree char *escaped = g_markup_escape_text (text, -1);

  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), title);
  adw_action_row_set_subtitle (ADW_ACTION_ROW (row), escaped);
  adw_action_row_set_subtitle_lines (ADW_ACTION_ROW (row), 0);
  if (advice != NULL)
    adw_action_row_set_icon_name (ADW_ACTION_ROW (row), "dialog-warning-symbolic");
  return row;
}

static char *
dup_report (SlDiagnosticsPage *self)
{
  g_autofree char *facts = sl_diagnostics_to_text (self->facts);
  g_autofree char *results = self->results ? sl_diagnostics_to_text (self->results) : g_strdup ("");

  return g_strdup_printf ("GTK: %u.%u.%u, libadwaita %u.%u.%u\n%s%s", gtk_get_major_version (),
                          gtk_get_minor_version (), gtk_get_micro_version (), adw_get_major_version (),
                          adw_get_minor_version (), adw_get_micro_version (), facts, results);
}

static void
on_copy (SlDiagnosticsPage *self)
{
  g_autofree char *report = dup_report (self);
  GtkRoot *root = gtk_widget_get_root (GTK_WIDGET (self));

  gdk_clipboard_set_text (gtk_widget_get_clipboard (GTK_WIDGET (self)), report);
  if (ADW_IS_PREFERENCES_WINDOW (root))
    adw_preferences_window_add_toast (ADW_PREFERENCES_WINDOW (root), adw_toast_new (_("Copied")));
}

static void
on_help (SlDiagnosticsPage *self)
{
  sl_about_show_guide (GTK_WINDOW (gtk_widget_get_root (GTK_WIDGET (self))), "gpu");
}

/* --- self-test ------------------------------------------------------------- */

static void
show_results (SlDiagnosticsPage *self)
{
  for (guint i = 0; i < self->test_rows->len; i++)
    adw_preferences_group_remove (self->test, self->test_rows->pdata[i]);
  g_ptr_array_set_size (self->test_rows, 0);
  for (guint i = 0; i < self->results->len; i++)
    {
      const SlDiagnostic *result = self->results->pdata[i];
      GtkWidget *row = new_row (result->name, result->value, result->advice);

      adw_preferences_group_add (self->test, row);
      g_ptr_array_add (self->test_rows, row);
    }
}

static void
on_tested (GObject      *source,
           GAsyncResult *result,
           gpointer      data)
{
  g_autoptr (SlDiagnosticsPage) self = data;
  g_autoptr (GError) error = NULL;
  GPtrArray *results = sl_diagnostics_self_test_finish (result, &error);

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED) || self->facts == NULL)
    {
      g_clear_pointer (&results, g_ptr_array_unref);
      return;
    }
  gtk_widget_set_sensitive (self->run, TRUE);
  if (results == NULL)
    {
      adw_preferences_group_set_description (self->test, error->message);
      return;
    }
  g_clear_pointer (&self->results, g_ptr_array_unref);
  self->results = results;
  show_results (self);
}

static void
on_test (SlDiagnosticsPage *self)
{
  gtk_widget_set_sensitive (self->run, FALSE);
  sl_diagnostics_self_test_async (self->cancellable, on_tested, g_object_ref (self));
}

/* --- object ---------------------------------------------------------------- */

static void
sl_diagnostics_page_dispose (GObject *object)
{
  SlDiagnosticsPage *self = SL_DIAGNOSTICS_PAGE (object);

  g_cancellable_cancel (self->cancellable);
  g_clear_object (&self->cancellable);
  g_clear_pointer (&self->facts, g_ptr_array_unref);
  g_clear_pointer (&self->results, g_ptr_array_unref);
  g_clear_pointer (&self->test_rows, g_ptr_array_unref);
  G_OBJECT_CLASS (sl_diagnostics_page_parent_class)->dispose (object);
}

static void
sl_diagnostics_page_class_init (SlDiagnosticsPageClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = sl_diagnostics_page_dispose;
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/sightline/Sightline/sl-diagnostics-page.ui");
  gtk_widget_class_bind_template_child (widget_class, SlDiagnosticsPage, computer);
  gtk_widget_class_bind_template_child (widget_class, SlDiagnosticsPage, test);
  gtk_widget_class_bind_template_child (widget_class, SlDiagnosticsPage, run);
  gtk_widget_class_bind_template_callback (widget_class, on_help);
  gtk_widget_class_bind_template_callback (widget_class, on_copy);
  gtk_widget_class_bind_template_callback (widget_class, on_test);
}

static void
sl_diagnostics_page_init (SlDiagnosticsPage *self)
{
  self->cancellable = g_cancellable_new ();
  self->test_rows = g_ptr_array_new ();
  self->facts = sl_diagnostics_collect ();
  gtk_widget_init_template (GTK_WIDGET (self));
  for (guint i = 0; i < self->facts->len; i++)
    {
      const SlDiagnostic *fact = self->facts->pdata[i];

      adw_preferences_group_add (self->computer, new_row (fact->name, fact->value, fact->advice));
    }
}

GtkWidget *
sl_diagnostics_page_new (void)
{
  return g_object_new (SL_TYPE_DIAGNOSTICS_PAGE, NULL);
}
