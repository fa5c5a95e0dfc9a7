/* SPDX-License-Identifier: MIT
 *
 * A document from its files to corrected pages, with an engine of strings: pages one after the other, a page that fails, stopping and
 * going on, an area read again; corrections that a killed program leaves behind; finding; and the searchable PDF of what was corrected.
 */
#include "app/document/sl-document.h"

#include <math.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <cairo.h>
#include <glib/gstdio.h>

#include "app/document/sl-page-files.h"
#include "tests/app/app-test.h"
#include "tests/app/fake-vl2.h"

#define LEFT_IN "SIGHTLINE_LEFT_IN" /* where the killed program leaves what it kept */

static const char answer[] = "<|ref|>title<|/ref|><|det|>[[100, 50, 900, 110]]<|/det|>\n# Annual report\n\n"
                             "<|ref|>table<|/ref|><|det|>[[100, 620, 900, 800]]<|/det|>\n"
                             "<table><tr><td>Year</td><td>Sum</td></tr><tr><td>2025</td><td>17</td></tr></table>";

typedef struct
{
  char *dir, *kept;
  SlEngine *engine;
  SlDocument *document;
  GPtrArray *paths;
  GPtrArray *said;
} Fixture;

static void
on_failed (Fixture    *fixture,
           const char *sentence)
{
  g_ptr_array_add (fixture->said, g_strdup (sentence));
}

static char *
make_picture (const char *dir,
              const char *name,
              double      grey)
{
  char *path = g_build_filename (dir, name, NULL);
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_RGB24, 300, 400);
  cairo_t *cr = cairo_create (surface);

  cairo_set_source_rgb (cr, grey, grey, grey);
  cairo_paint (cr);
  cairo_destroy (cr);
  g_assert_cmpint (cairo_surface_write_to_png (surface, path), ==, CAIRO_STATUS_SUCCESS);
  cairo_surface_destroy (surface);
  return path;
}

static gboolean
is_loaded (Fixture *fixture)
{
  return sl_engine_get_state (fixture->engine) == SL_ENGINE_READY;
}

static gboolean
is_open (Fixture *fixture)
{
  return sl_document_is_open (fixture->document);
}

static gboolean
is_quiet (Fixture *fixture)
{
  SlDocumentProgress progress;

  sl_document_get_progress (fixture->document, &progress);
  return !progress.busy;
}

static void
wait_for (Fixture   *fixture,
          gboolean (*condition) (Fixture *))
{
  while (!condition (fixture))
    g_main_context_iteration (NULL, TRUE);
}

static void
open_document (Fixture *fixture)
{
  g_clear_object (&fixture->document);
  fixture->document = sl_document_new (fixture->engine, fixture->kept);
  g_signal_connect_swapped (fixture->document, "failed", G_CALLBACK (on_failed), fixture);
  sl_document_open (fixture->document, fixture->paths);
  wait_for (fixture, is_open);
}

static void
set_up (Fixture       *fixture,
        gconstpointer  unused)
{
  fake_reset ();
  fake_set_document ("DeepSeek-OCR");
  fake_set_answer (answer, 8);
  fixture->dir = app_test_make_dir ();
  fixture->kept = g_build_filename (fixture->dir, "kept", NULL);
  fixture->paths = g_ptr_array_new_with_free_func (g_free);
  fixture->said = g_ptr_array_new_with_free_func (g_free);
  for (int i = 0; i < 3; i++)
    {
      g_autofree char *name = g_strdup_printf ("page-%d.png", i);

      g_ptr_array_add (fixture->paths, make_picture (fixture->dir, name, 0.5 + i / 8.0));
    }
  fixture->engine = sl_engine_new ();
  sl_engine_load (fixture->engine, "/model", NULL);
  wait_for (fixture, is_loaded);
  open_document (fixture);
}

static void
tear_down (Fixture       *fixture,
           gconstpointer  unused)
{
  g_clear_object (&fixture->document);
  sl_engine_shutdown (fixture->engine);
  g_clear_object (&fixture->engine);
  app_test_remove_dir (fixture->dir);
  g_free (fixture->kept);
  g_ptr_array_unref (fixture->paths);
  g_ptr_array_unref (fixture->said);
}

static void
start_reading (Fixture  *fixture,
               gboolean  again)
{
  const SlPageQuestion question = { .max_tokens = 500, .view = SL_DETAIL_TINY };
  g_autoptr(GArray) pages = g_array_new (FALSE, FALSE, sizeof (guint));

  for (guint i = 0; i < 3; i++)
    g_array_append_val (pages, i);
  sl_document_read (fixture->document, &question, pages, again);
}

static SlPageState
state_of (Fixture *fixture,
          guint    page)
{
  return sl_document_page_get_state (sl_document_get_page (fixture->document, page));
}

static const SlPageBlock *
block_at (Fixture *fixture,
          guint    page,
          guint    block)
{
  const SlPage *read = sl_document_page_get_page (sl_document_get_page (fixture->document, page));

  g_assert_nonnull (read);
  g_assert_cmpuint (block, <, read->blocks->len);
  return read->blocks->pdata[block];
}

static void
test_reading (Fixture       *fixture,
              gconstpointer  unused)
{
  g_autofree char *prompt = NULL;

  start_reading (fixture, FALSE);
  wait_for (fixture, is_quiet);
  for (guint i = 0; i < 3; i++)
    g_assert_cmpint (state_of (fixture, i), ==, SL_PAGE_READ);
  prompt = fake_dup_prompt ();
  g_assert_cmpstr (prompt, ==, "user:[300x400]\n<|grounding|>Convert the document to markdown.");
  g_assert_cmpstr (block_at (fixture, 2, 0)->text, ==, "# Annual report");
  g_assert_cmpint (block_at (fixture, 2, 0)->place[2], ==, 900);
  g_assert_cmpfloat_with_epsilon (block_at (fixture, 2, 0)->certainty, exp (-0.5), 1e-6);
  g_assert_cmpuint (fixture->said->len, ==, 0);
}

static void
on_first_failed (SlDocumentPage *page)
{
  if (sl_document_page_get_state (page) == SL_PAGE_FAILED)
    fake_fail_sync (NULL);
}

/* One page that fails says so, the others are read, and reading again takes only that one. */
static void
test_failing (Fixture       *fixture,
              gconstpointer  unused)
{
  guint written;

  g_signal_connect (sl_document_get_page (fixture->document, 0), "changed", G_CALLBACK (on_first_failed), NULL);
  fake_fail_sync ("the page is too long");
  start_reading (fixture, FALSE);
  wait_for (fixture, is_quiet);
  g_assert_cmpint (state_of (fixture, 0), ==, SL_PAGE_FAILED);
  g_assert_cmpstr (sl_document_page_get_error (sl_document_get_page (fixture->document, 0)), ==, "the page is too long");
  g_assert_cmpint (state_of (fixture, 1), ==, SL_PAGE_READ);
  g_assert_cmpint (state_of (fixture, 2), ==, SL_PAGE_READ);
  written = fake_get_generated ();
  start_reading (fixture, FALSE);
  wait_for (fixture, is_quiet);
  g_assert_cmpint (state_of (fixture, 0), ==, SL_PAGE_READ);
  g_assert_cmpuint (fake_get_generated (), ==, written * 3 / 2);
}

static gboolean
has_block (Fixture *fixture)
{
  const SlPage *page = sl_document_page_get_page (sl_document_get_page (fixture->document, 1));

  return page != NULL && page->blocks->len > 0;
}

/* What was read stays, what was under way is as it was, and all of it is there when the files are opened again. */
static void
test_stopping (Fixture       *fixture,
               gconstpointer  unused)
{
  guint tokens = (sizeof answer - 1 + 7) / 8;

  fake_allow_tokens (tokens + 12);
  start_reading (fixture, FALSE);
  wait_for (fixture, has_block);
  g_assert_cmpint (state_of (fixture, 1), ==, SL_PAGE_READING);
  g_assert_cmpint (state_of (fixture, 2), ==, SL_PAGE_WAITING);
  sl_document_stop (fixture->document);
  g_assert_cmpint (state_of (fixture, 0), ==, SL_PAGE_READ);
  g_assert_cmpint (state_of (fixture, 1), ==, SL_PAGE_UNREAD);
  g_assert_cmpint (state_of (fixture, 2), ==, SL_PAGE_UNREAD);
  open_document (fixture);
  g_assert_cmpint (state_of (fixture, 0), ==, SL_PAGE_READ);
  g_assert_cmpstr (block_at (fixture, 0, 0)->text, ==, "# Annual report");
  fake_allow_tokens (G_MAXUINT);
  start_reading (fixture, FALSE);
  wait_for (fixture, is_quiet);
  g_assert_cmpuint (sl_document_count_read (fixture->document), ==, 3);
}

/* The text becomes that of the block, and what it was can be brought back. */
static void
test_area (Fixture       *fixture,
           gconstpointer  unused)
{
  static const int area[4] = { 100, 100, 600, 600 };
  g_autofree char *prompt = NULL;

  start_reading (fixture, FALSE);
  wait_for (fixture, is_quiet);
  fake_set_answer ("Annual report of 2026", 8);
  sl_document_read_area (fixture->document, 0, 0, block_at (fixture, 0, 0)->place);
  wait_for (fixture, is_quiet);
  prompt = fake_dup_prompt ();
  g_assert_cmpstr (prompt, ==, "user:[241x25]\nFree OCR."); /* what of 300 x 400 lies in 100 … 900 and 50 … 110 of 999 */
  g_assert_cmpstr (block_at (fixture, 0, 0)->text, ==, "Annual report of 2026");
  g_assert_cmpint (block_at (fixture, 0, 0)->place[2], ==, 900);
  g_assert_true (sl_document_undo (fixture->document, 0));
  g_assert_cmpstr (block_at (fixture, 0, 0)->text, ==, "# Annual report");
  fake_set_answer ("<|ref|>text<|/ref|><|det|>[[0, 0, 999, 500]]<|/det|>a corner", 8);
  sl_document_read_area (fixture->document, 0, -1, area);
  wait_for (fixture, is_quiet);
  g_assert_cmpstr (block_at (fixture, 0, 2)->text, ==, "a corner");
  g_assert_cmpint (block_at (fixture, 0, 2)->place[0], ==, 100);
  g_assert_cmpint (block_at (fixture, 0, 2)->place[2], ==, 600);
  g_assert_cmpint (block_at (fixture, 0, 2)->place[3], ==, 350);
}

static void
test_corrections (Fixture       *fixture,
                  gconstpointer  unused)
{
  static const int place[4] = { 500, 40, 90, 120 };
  guint page = 0;
  int block = -1;

  start_reading (fixture, FALSE);
  wait_for (fixture, is_quiet);
  sl_document_move_block (fixture->document, 0, 0, 1);
  g_assert_cmpstr (block_at (fixture, 0, 0)->type, ==, "table");
  sl_document_set_place (fixture->document, 0, 1, place);
  g_assert_cmpint (block_at (fixture, 0, 1)->place[0], ==, 90);
  g_assert_cmpint (block_at (fixture, 0, 1)->place[2], ==, 500);
  sl_document_set_text (fixture->document, 1, 0, "# A BETTER title");
  sl_document_set_accepted (fixture->document, 0, 0, TRUE);
  g_assert_true (sl_document_find (fixture->document, "better", FALSE, &page, &block));
  g_assert_cmpuint (page, ==, 1);
  g_assert_cmpint (block, ==, 0);
  g_assert_false (sl_document_find (fixture->document, "worse", FALSE, &page, &block));
  page = 0;
  block = -1;
  for (int i = 0; i < 6; i++) /* four blocks, and around */
    {
      g_assert_true (sl_document_find_unsure (fixture->document, &page, &block));
      g_assert_false (page == 0 && block == 0);
      g_assert_false (page == 1 && block == 0);
    }
  g_assert_true (sl_document_undo (fixture->document, 0)); /* accepting */
  g_assert_false (block_at (fixture, 0, 0)->accepted);
  sl_document_remove_block (fixture->document, 2, 0);
  open_document (fixture);
  g_assert_cmpstr (block_at (fixture, 0, 0)->type, ==, "table");
  g_assert_cmpint (block_at (fixture, 0, 1)->place[0], ==, 90);
  g_assert_cmpstr (block_at (fixture, 1, 0)->text, ==, "# A BETTER title");
  g_assert_true (block_at (fixture, 1, 0)->edited);
  g_assert_cmpstr (block_at (fixture, 2, 0)->type, ==, "table");
}

/* Of a program that is killed right after a correction was kept, and whose last line a crash cut off, nothing is missing. */
static void
test_kill (Fixture       *fixture,
           gconstpointer  unused)
{
  g_autoptr(GDir) kept = NULL;
  const char *name;

  if (g_test_subprocess ())
    {
      start_reading (fixture, FALSE);
      wait_for (fixture, is_quiet);
      sl_document_set_text (fixture->document, 1, 0, "never lost");
      sl_document_flush (fixture->document);
      g_assert_cmpint (g_rename (fixture->kept, g_getenv (LEFT_IN)), ==, 0);
      kill (getpid (), SIGKILL);
    }
  g_test_trap_subprocess (NULL, 0, 0);
  g_assert_false (g_test_trap_has_passed ());
  g_assert_cmpint (g_rename (g_getenv (LEFT_IN), fixture->kept), ==, 0);
  kept = g_dir_open (fixture->kept, 0, NULL);
  g_assert_nonnull (kept);
  while ((name = g_dir_read_name (kept)) != NULL)
    {
      g_autofree char *path = g_build_filename (fixture->kept, name, NULL);
      FILE *file = fopen (path, "ae");

      fputs ("{\"source\": \"half a li", file);
      fclose (file);
    }
  open_document (fixture);
  g_assert_cmpuint (sl_document_count_read (fixture->document), ==, 3);
  g_assert_cmpstr (block_at (fixture, 1, 0)->text, ==, "never lost");
  sl_document_set_text (fixture->document, 1, 0, "still not");
  open_document (fixture);
  g_assert_cmpstr (block_at (fixture, 1, 0)->text, ==, "still not");
}

static void
on_exported (GObject      *source,
             GAsyncResult *result,
             gpointer      data)
{
  g_autoptr(GError) error = NULL;

  g_assert_true (sl_document_export_finish (SL_DOCUMENT (source), result, &error));
  g_assert_no_error (error);
  *(gboolean *) data = TRUE;
}

static void
on_refused (GObject      *source,
            GAsyncResult *result,
            gpointer      data)
{
  g_autoptr(GError) error = NULL;

  g_assert_false (sl_document_export_finish (SL_DOCUMENT (source), result, &error));
  g_assert_nonnull (strstr (error->message, "out.txt"));
  *(gboolean *) data = TRUE;
}

/* What is there already stays, unless somebody has agreed. */
static void
export_again (Fixture    *fixture,
              const char *path,
              const char *text_path)
{
  g_autofree char *text = NULL;

  g_assert_true (g_file_set_contents (text_path, "mine", -1, NULL));
  for (guint agreed = 0; agreed < 2; agreed++)
    {
      gboolean done = FALSE;

      sl_document_export_async (fixture->document, SL_PAGES_TEXT, path, agreed, NULL, agreed ? on_exported : on_refused, &done);
      while (!done)
        g_main_context_iteration (NULL, TRUE);
      g_clear_pointer (&text, g_free);
      g_assert_true (g_file_get_contents (text_path, &text, NULL, NULL));
      g_assert_cmpint (g_str_equal (text, "mine"), ==, !agreed);
    }
}

static void
test_export (Fixture       *fixture,
             gconstpointer  unused)
{
  g_autofree char *path = g_build_filename (fixture->dir, "out", NULL), *text = NULL, *csv = NULL;
  g_autofree char *text_path = g_strconcat (path, ".txt", NULL), *csv_path = g_build_filename (fixture->dir, "out_tables", "3_1.csv", NULL);
  static const SlPagesFormat formats[] = { SL_PAGES_TEXT, SL_PAGES_CSV };

  start_reading (fixture, FALSE);
  wait_for (fixture, is_quiet);
  sl_document_set_text (fixture->document, 1, 0, "# Corrected");
  for (guint i = 0; i < G_N_ELEMENTS (formats); i++)
    {
      gboolean done = FALSE;

      sl_document_export_async (fixture->document, formats[i], path, FALSE, NULL, on_exported, &done);
      while (!done)
        g_main_context_iteration (NULL, TRUE);
    }
  g_assert_true (g_file_get_contents (text_path, &text, NULL, NULL));
  g_assert_nonnull (strstr (text, "Corrected\n"));
  g_assert_nonnull (strstr (text, "Year\tSum\n2025\t17"));
  g_assert_true (g_file_get_contents (csv_path, &csv, NULL, NULL));
  g_assert_cmpstr (csv, ==, "\xef\xbb\xbfYear,Sum\r\n2025,17\r\n");
  export_again (fixture, path, text_path);
}

int
main (int    argc,
      char **argv)
{
  static const struct
  {
    const char *path;
    void (*run) (Fixture *, gconstpointer);
  } tests[] = { { "/document/reading", test_reading }, { "/document/failing", test_failing }, { "/document/stopping", test_stopping },
                { "/document/area", test_area }, { "/document/corrections", test_corrections }, { "/document/kill", test_kill },
                { "/document/export", test_export } };

  g_autofree char *left_in = g_strdup_printf ("%s/sightline-left-%d", g_get_tmp_dir (), (int) getpid ());

  g_test_init (&argc, &argv, NULL);
  g_setenv (LEFT_IN, left_in, FALSE);
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, NULL, set_up, tests[i].run, tear_down);
  return g_test_run ();
}
