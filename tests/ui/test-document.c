/* SPDX-License-Identifier: MIT
 *
 * A document in its view, from the PDF to the exported one: opened, read with an engine of strings, a block chosen on either side, a cell of
 * its table corrected, the searchable PDF written, and the corrected word found in it with poppler. The file dialog answers by itself. Run
 * by in_session.py, which gives it a display and a home.
 */
#include <math.h>
#include <time.h>

#include <cairo-pdf.h>
#include <poppler.h>

#include "tests/app/app-test.h"
#include "tests/app/fake-vl2.h"
#include "ui/document/sl-document-view.h"
#include "ui/pictures/sl-picture-view.h"

#include <adwaita.h>

/* Of the processor, that turning to a page may take whose pixels are there. */
#ifdef __SANITIZE_ADDRESS__ /* with a whole call stack for each allocation: 435 and 586 ms were seen */
#define TURN_US (5 * 1000 * 1000)
#else
#define TURN_US (50 * 1000)
#endif

static const char answer[] = "<|ref|>title<|/ref|><|det|>[[100, 50, 900, 110]]<|/det|>\n# Annual report\n\n"
                             "<|ref|>text<|/ref|><|det|>[[100, 150, 900, 400]]<|/det|>\nProfits rose by a **third**, and nobody knows why.\n\n"
                             "<|ref|>table<|/ref|><|det|>[[100, 620, 900, 800]]<|/det|>\n"
                             "<table><tr><th>Year</th><th>Sum</th></tr><tr><td>2025</td><td>seventeen</td></tr></table>";

typedef struct
{
  char *dir;
  SlEngine *engine;
  SlDocument *document;
  GtkWidget *view;
  GtkWindow *window;
  char *said;
} Fixture;

static char *place; /* what the file dialog answers */

void __wrap_gtk_native_dialog_show (GtkNativeDialog *dialog);
GListModel *__wrap_gtk_file_chooser_get_files (GtkFileChooser *chooser);

static gboolean
choose (gpointer dialog)
{
  g_signal_emit_by_name (dialog, "response", GTK_RESPONSE_ACCEPT);
  return G_SOURCE_REMOVE;
}

void
__wrap_gtk_native_dialog_show (GtkNativeDialog *dialog)
{
  g_idle_add_full (G_PRIORITY_DEFAULT, choose, g_object_ref (dialog), g_object_unref);
}

GListModel *
__wrap_gtk_file_chooser_get_files (GtkFileChooser *chooser)
{
  g_autoptr (GFile) file = g_file_new_for_path (place);
  GListStore *files = g_list_store_new (G_TYPE_FILE);

  g_list_store_append (files, file);
  return G_LIST_MODEL (files);
}

/* ------------------------------------------------------------------------------------------------ set up */

static char *
make_pdf (const char *dir)
{
  char *path = g_build_filename (dir, "report.pdf", NULL);
  cairo_surface_t *surface = cairo_pdf_surface_create (path, 300, 400);
  cairo_t *cr = cairo_create (surface);

  for (int i = 0; i < 3; i++)
    {
      g_autofree char *text = g_strdup_printf ("Scanned page %d", i + 1);

      cairo_move_to (cr, 40, 40);
      cairo_text_path (cr, text); /* lines, not letters: nothing to be found */
      cairo_fill (cr);
      cairo_rectangle (cr, 30, 250, 240, 70);
      cairo_stroke (cr);
      cairo_show_page (cr);
    }
  cairo_destroy (cr);
  cairo_surface_destroy (surface);
  return path;
}

static void
on_said (Fixture    *fixture,
         const char *sentence)
{
  g_free (fixture->said);
  fixture->said = g_strdup (sentence);
}

static gboolean
is_ready (gpointer data)
{
  Fixture *fixture = data;

  return sl_engine_get_state (fixture->engine) == SL_ENGINE_READY && sl_document_is_open (fixture->document);
}

static void
set_up (Fixture       *fixture,
        gconstpointer  unused)
{
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);

  fake_reset ();
  fake_set_document ("DeepSeek-OCR");
  fake_set_answer (answer, 8);
  fixture->dir = app_test_make_dir ();
  fixture->engine = sl_engine_new ();
  sl_engine_load (fixture->engine, "/model", NULL);
  fixture->view = sl_document_view_new (fixture->engine);
  g_signal_connect_swapped (fixture->view, "said", G_CALLBACK (on_said), fixture);
  fixture->window = GTK_WINDOW (adw_window_new ());
  adw_window_set_content (ADW_WINDOW (fixture->window), fixture->view);
  gtk_window_set_default_size (fixture->window, 1000, 700);
  gtk_window_present (fixture->window);
  fixture->document = sl_document_new (fixture->engine, fixture->dir);
  sl_document_view_set_document (SL_DOCUMENT_VIEW (fixture->view), fixture->document);
  g_ptr_array_add (paths, make_pdf (fixture->dir));
  sl_document_open (fixture->document, paths);
  app_test_wait (is_ready, fixture);
}

static void
tear_down (Fixture       *fixture,
           gconstpointer  unused)
{
  gtk_window_destroy (fixture->window);
  g_clear_object (&fixture->document);
  sl_engine_shutdown (fixture->engine);
  g_clear_object (&fixture->engine);
  app_test_remove_dir (fixture->dir);
  g_free (fixture->said);
}

/* ------------------------------------------------------------------------------------------------ looking for widgets */

typedef gboolean (*Match) (GtkWidget *widget, const char *text);

static GtkWidget *
find_below (GtkWidget  *widget,
            Match       match,
            const char *text)
{
  GtkWidget *found = match (widget, text) ? widget : NULL;

  for (GtkWidget *child = gtk_widget_get_first_child (widget); child != NULL && found == NULL; child = gtk_widget_get_next_sibling (child))
    found = find_below (child, match, text);
  return found;
}

static gboolean
is_cell (GtkWidget  *widget,
         const char *text)
{
  return GTK_IS_EDITABLE_LABEL (widget) && g_str_equal (gtk_editable_get_text (GTK_EDITABLE (widget)), text);
}

static gboolean
is_picture_view (GtkWidget  *widget,
                 const char *text)
{
  return SL_IS_PICTURE_VIEW (widget);
}

static gboolean
is_label (GtkWidget  *widget,
          const char *text)
{
  return GTK_IS_LABEL (widget) && g_str_equal (gtk_label_get_text (GTK_LABEL (widget)), text);
}

static GtkListBoxRow *
row_of (GtkWidget *widget)
{
  return GTK_LIST_BOX_ROW (gtk_widget_get_ancestor (widget, GTK_TYPE_LIST_BOX_ROW));
}

static gboolean
is_read (gpointer data)
{
  return sl_document_count_read (((Fixture *) data)->document) == 3;
}

static gboolean
has_pixels (gpointer data)
{
  Fixture *fixture = data;

  return sl_document_page_get_picture (sl_document_get_page (fixture->document, 0)) != NULL &&
         sl_document_page_get_picture (sl_document_get_page (fixture->document, 1)) != NULL;
}

static gboolean
has_said (gpointer data)
{
  return ((Fixture *) data)->said != NULL;
}

static gboolean
is_dialog_open (gpointer unused)
{
  g_autoptr (GListModel) windows = g_object_ref (gtk_window_get_toplevels ());

  return g_list_model_get_n_items (windows) == 2;
}

static void
read_all (Fixture *fixture)
{
  const SlPageQuestion question = { .max_tokens = 500 };
  g_autoptr (GArray) pages = sl_page_numbers_parse (NULL, 3);

  sl_document_read (fixture->document, &question, pages, FALSE);
  app_test_wait (is_read, fixture);
}

/* ------------------------------------------------------------------------------------------------ the way of a document */

static void
press_export (GtkWindow *parent)
{
  g_autoptr (GListModel) windows = g_object_ref (gtk_window_get_toplevels ());

  for (guint i = 0; i < g_list_model_get_n_items (windows); i++)
    {
      g_autoptr (GtkWidget) window = g_list_model_get_item (windows, i);

      if (ADW_IS_MESSAGE_DIALOG (window))
        {
          adw_message_dialog_response (ADW_MESSAGE_DIALOG (window), "export");
          gtk_window_close (GTK_WINDOW (window));
          return;
        }
    }
  g_assert_not_reached ();
}

static void
check_pdf (const char *path,
           const char *word)
{
  g_autofree char *uri = g_filename_to_uri (path, NULL, NULL);
  g_autoptr (GError) error = NULL;
  PopplerDocument *document = poppler_document_new_from_file (uri, NULL, &error);
  PopplerPage *page;
  GList *found;
  const PopplerRectangle *at;

  g_assert_no_error (error);
  g_assert_cmpint (poppler_document_get_n_pages (document), ==, 3);
  page = poppler_document_get_page (document, 0);
  found = poppler_page_find_text (page, word);
  g_assert_cmpuint (g_list_length (found), ==, 1);
  at = found->data;
  g_assert_cmpfloat (400 - at->y2, >=, 400 * 0.62 - 2); /* inside of the table's box */
  g_assert_cmpfloat (400 - at->y1, <=, 400 * 0.80 + 2);
  g_list_free_full (found, (GDestroyNotify) poppler_rectangle_free);
  g_object_unref (page);
  g_object_unref (document);
}

/* Of this thread, µs: other programs do not count. */
static gint64
get_own_time (void)
{
  struct timespec now;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000;
}

static void
test_whole_way (Fixture       *fixture,
                gconstpointer  unused)
{
  SlDocumentView *view = SL_DOCUMENT_VIEW (fixture->view);
  GtkWidget *cell, *canvas;
  gint64 before, took;

  read_all (fixture);
  app_test_wait (has_pixels, fixture);
  canvas = find_below (fixture->view, is_picture_view, NULL);

  g_signal_emit_by_name (canvas, "activated", 0); /* the title's box */
  g_assert_cmpint (sl_document_view_get_block (view), ==, 0);
  cell = find_below (fixture->view, is_cell, "seventeen");
  g_assert_nonnull (cell);
  g_signal_emit_by_name (gtk_widget_get_parent (GTK_WIDGET (row_of (cell))), "row-selected", row_of (cell));
  gtk_list_box_select_row (GTK_LIST_BOX (gtk_widget_get_parent (GTK_WIDGET (row_of (cell)))), row_of (cell));
  g_assert_cmpint (sl_document_view_get_block (view), ==, 2);

  gtk_editable_label_start_editing (GTK_EDITABLE_LABEL (cell));
  gtk_editable_set_text (GTK_EDITABLE (cell), "nineteen");
  gtk_editable_label_stop_editing (GTK_EDITABLE_LABEL (cell), TRUE);
  g_assert_nonnull (find_below (GTK_WIDGET (row_of (cell)), is_label, "Corrected"));

  before = get_own_time ();
  gtk_widget_activate_action (fixture->view, "document.next", NULL);
  took = get_own_time () - before;
  g_test_message ("Turning to the next page took %.1f ms.", took / 1e3);
  g_assert_cmpint (took, <, TURN_US);
  g_assert_cmpuint (sl_document_view_get_page (view), ==, 1);
  g_assert_nonnull (find_below (fixture->view, is_cell, "seventeen"));
  gtk_widget_activate_action (fixture->view, "document.unsure", NULL);
  g_assert_cmpint (sl_document_view_get_block (view), >=, 0);

  place = g_build_filename (fixture->dir, "out.pdf", NULL);
  gtk_widget_activate_action (fixture->view, "document.export", NULL);
  app_test_wait (is_dialog_open, NULL);
  press_export (fixture->window);
  app_test_wait (has_said, fixture);
  g_assert_cmpstr (fixture->said, ==, "The document was exported");
  check_pdf (place, "nineteen");
  g_clear_pointer (&place, g_free);
}

/* Where there is no room for both panes there is one, and the window is no wider. */
static void
test_narrow (Fixture       *fixture,
             gconstpointer  unused)
{
  int minimum;

  gtk_widget_measure (fixture->view, GTK_ORIENTATION_HORIZONTAL, -1, &minimum, NULL, NULL, NULL);
  g_assert_cmpint (minimum, <=, 360);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  adw_init ();
  g_test_add ("/document-view/whole-way", Fixture, NULL, set_up, test_whole_way, tear_down);
  g_test_add ("/document-view/narrow", Fixture, NULL, set_up, test_narrow, tear_down);
  return g_test_run ();
}
