/* SPDX-License-Identifier: MIT
 *
 * What document models answer, in both forms, as blocks; what is written of them, hostile text among it; and the searchable PDF, opened
 * with poppler where the build has it: every word is found inside its block, and the page looks as it did.
 */
#include "app/document/sl-page-layout.h"
#include "app/document/sl-page-pdf.h"
#include "app/document/sl-page-table.h"
#include "app/document/sl-page-text.h"

#include <math.h>
#include <string.h>

#include <glib/gstdio.h>
#ifdef SL_HAVE_POPPLER
#include <poppler.h>
#endif

#include "tests/app/app-test.h"

static const char first_form[] =
  "<|ref|>title<|/ref|><|det|>[[100, 50, 900, 110]]<|/det|>\n# Annual report\n\n"
  "<|ref|>text<|/ref|><|det|>[[100, 150, 900, 400]]<|/det|>\nProfits rose by a third, and nobody knows why.\n\n"
  "<|ref|>image<|/ref|><|det|>[[200, 420, 800, 600]]<|/det|>\n\n"
  "<|ref|>table<|/ref|><|det|>[[100, 620, 900, 800]]<|/det|>\n<table><tr><td>Year</td><td colspan=\"2\">Sum</td></tr>"
  "<tr><td>2025</td><td onclick=\"x()\">1 &lt; 2</td></tr></table><script>alert(1)</script>\n";
static const char second_form[] = "<|det|>title [100, 50, 900, 110]<|/det|>Annual report\n<|det|>text [100, 150, 900, 400]<|/det|>Profits rose.";

static SlPage *
read_page (const char *answer)
{
  SlPage *page = sl_page_new ("report.pdf", 2, 1000, 2000, 150);

  sl_page_read (page, answer, NULL);
  return page;
}

static const SlPageBlock *
block_at (const SlPage *page,
          guint         index)
{
  g_assert_cmpuint (index, <, page->blocks->len);
  return page->blocks->pdata[index];
}

static void
check_block (const SlPage *page,
             guint         index,
             const char   *type,
             const char   *text,
             int           left,
             int           bottom)
{
  const SlPageBlock *block = block_at (page, index);

  g_assert_cmpstr (block->type, ==, type);
  if (text != NULL)
    g_assert_cmpstr (block->text, ==, text);
  g_assert_true (block->has_place);
  g_assert_cmpint (block->place[0], ==, left);
  g_assert_cmpint (block->place[3], ==, bottom);
}

static void
test_forms (void)
{
  g_autoptr(SlPage) first = read_page (first_form);
  g_autoptr(SlPage) second = read_page (second_form);
  g_autoptr(SlPage) plain = read_page ("Only words.\n");

  g_assert_cmpuint (first->blocks->len, ==, 4);
  check_block (first, 0, "title", "# Annual report", 100, 110);
  check_block (first, 1, "text", "Profits rose by a third, and nobody knows why.", 100, 400);
  check_block (first, 2, "image", "", 200, 600);
  check_block (first, 3, "table", NULL, 100, 800);
  g_assert_cmpuint (second->blocks->len, ==, 2);
  check_block (second, 0, "title", "Annual report", 100, 110);
  check_block (second, 1, "text", "Profits rose.", 100, 400);
  g_assert_cmpuint (plain->blocks->len, ==, 1);
  g_assert_cmpstr (block_at (plain, 0)->text, ==, "Only words.");
  g_assert_false (block_at (plain, 0)->has_place);
}

/* Pages that were read at once, with a mark in front of the first or without one, and one that the answer does not have. */
static void
test_several (void)
{
  static const char *const answers[] = { "<|det|>title [1, 2, 30, 40]<|/det|>One\n<PAGE>\n<|det|>text [5, 6, 70, 80]<|/det|>Two words",
                                         "\n<PAGE><|det|>title [1, 2, 30, 40]<|/det|>One<PAGE><|det|>text [5, 6, 70, 80]<|/det|>Two words" };

  for (guint i = 0; i < G_N_ELEMENTS (answers); i++)
    {
      g_autoptr(GPtrArray) pages = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_page_free);
      SlGeneration *record = sl_generation_new ();
      guint32 end = (guint32) strlen (answers[i]);
      SlTokenMark marks[] = { { 1, logf (0.25f), end - 9 }, { 2, logf (0.5f), end - 5 }, { 3, 0, end } };

      g_array_append_vals (record->tokens, marks, G_N_ELEMENTS (marks));
      for (int k = 1; k <= 3; k++)
        g_ptr_array_add (pages, sl_page_new ("x.pdf", k, 1000, 2000, 72));
      g_assert_cmpuint (sl_pages_read (pages, answers[i], record), ==, 2);
      check_block (pages->pdata[0], 0, "title", "One", 1, 40);
      check_block (pages->pdata[1], 0, "text", "Two words", 5, 80);
      g_assert_cmpfloat_with_epsilon (block_at (pages->pdata[1], 0)->certainty, 0.75, 1e-6);
      g_assert_cmpuint (((SlPage *) pages->pdata[0])->blocks->len, ==, 1);
      sl_generation_free (record);
    }
}

/* The mean over the tokens of the text, those of marks and boxes aside. */
static void
test_certainty (void)
{
  static const char answer[] = "<|ref|>text<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>two words";
  SlGeneration *record = sl_generation_new ();
  g_autoptr(SlPage) page = sl_page_new ("x", 1, 100, 100, 72);
  SlTokenMark marks[] = { { 1, logf (0.01f), sizeof answer - 1 - 9 }, { 2, logf (0.5f), sizeof answer - 1 - 5 }, { 3, 0, sizeof answer - 1 } };

  g_array_append_vals (record->tokens, marks, G_N_ELEMENTS (marks));
  sl_page_read (page, answer, record);
  g_assert_cmpfloat_with_epsilon (block_at (page, 0)->certainty, 0.75, 1e-6);
  sl_generation_free (record);
}

/* A block that repeated itself says so, also when it comes back from a file. */
static void
test_cut (void)
{
  g_autoptr(SlGeneration) record = sl_generation_new ();
  g_autoptr(SlPage) page = sl_page_new ("x", 1, 100, 100, 72);
  g_autoptr(SlPage) copy = NULL;
  gsize at = strstr (first_form, "<|ref|>image") - first_form;

  g_array_append_val (record->cuts, at);
  sl_page_read (page, first_form, record);
  copy = sl_page_copy (page);
  for (guint i = 0; i < 4; i++)
    g_assert_true (block_at (copy, i)->cut == (i == 1));
}

static void
test_texts (void)
{
  g_autoptr(GPtrArray) pages = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_page_free);
  g_autofree char *markdown = NULL, *html = NULL, *text = NULL;

  g_ptr_array_add (pages, read_page (first_form));
  g_ptr_array_add (pages, read_page (second_form));
  markdown = sl_pages_to_markdown (pages, "a report");
  html = sl_pages_to_html (pages, "a <report>");
  text = sl_pages_to_text (pages);
  g_assert_nonnull (strstr (markdown, "# Annual report\n\nProfits rose by a third"));
  g_assert_nonnull (strstr (markdown, "![](a%20report_images/2_1.png)"));
  g_assert_nonnull (strstr (markdown, "\n\n# Annual report\n\nProfits rose.\n"));
  g_assert_nonnull (strstr (html, "<title>a &lt;report&gt;</title>"));
  g_assert_nonnull (strstr (html, "<h1>Annual report</h1>"));
  g_assert_nonnull (strstr (html, "<tr><td>Year</td><td colspan=\"2\">Sum</td></tr>"));
  g_assert_null (strstr (html, "<script"));
  g_assert_null (strstr (html, "onclick"));
  g_assert_nonnull (strstr (text, "Year\tSum\n2025\t"));
}

static void
test_json (void)
{
  g_autoptr(SlPage) page = read_page (first_form);
  json_t *object = sl_page_to_json (page), *again;
  g_autoptr(SlPage) back = sl_page_from_json (object);

  g_assert_nonnull (back);
  again = sl_page_to_json (back);
  g_assert_true (json_equal (object, again));
  g_assert_cmpint (json_integer_value (json_array_get (json_object_get (json_array_get (json_object_get (object, "blocks"), 0), "box_px"), 3)),
                   ==, 220);
  json_object_set_new (object, "width", json_integer (0));
  g_assert_null (sl_page_from_json (object));
  json_decref (again);
  json_decref (object);
}

/* Cells lie where their spans leave room; one that is corrected keeps the others as they were written. */
static void
test_table (void)
{
  static const char html[] = "before <table><tr><th rowspan=\"2\">Year</th><td colspan=\"2\">Sum, &quot;net&quot;</td></tr>"
                             "<tr><td>1 &lt; 2</td><td>H<sub>2</sub>O</td></tr><tr><td>2026<td>7<td></table> behind";
  g_autoptr(SlPageTable) table = sl_page_table_parse (html);
  g_autoptr(SlPageTable) again = NULL;
  g_autofree char *csv = NULL, *written = NULL, *changed = NULL;
  static const guint places[][2] = { { 0, 0 }, { 0, 1 }, { 1, 1 }, { 1, 2 }, { 2, 0 }, { 2, 1 }, { 2, 2 } };

  g_assert_nonnull (table);
  g_assert_cmpuint (table->n_rows, ==, 3);
  g_assert_cmpuint (table->n_columns, ==, 3);
  g_assert_cmpuint (table->cells->len, ==, G_N_ELEMENTS (places));
  for (guint i = 0; i < table->cells->len; i++)
    {
      const SlTableCell *cell = table->cells->pdata[i];

      g_assert_cmpuint (cell->row, ==, places[i][0]);
      g_assert_cmpuint (cell->column, ==, places[i][1]);
    }
  csv = sl_page_table_to_csv (table);
  g_assert_cmpstr (csv, ==, "Year,\"Sum, \"\"net\"\"\",\r\n,1 < 2,H2O\r\n2026,7,\r\n");
  sl_page_table_set_cell (table, 5, "8 & <9>");
  written = sl_page_table_to_html (table);
  g_assert_nonnull (strstr (written, "<td>8 &amp; &lt;9&gt;</td>"));
  g_assert_nonnull (strstr (written, "<td>H<sub>2</sub>O</td>"));
  again = sl_page_table_parse (written);
  changed = sl_page_table_to_csv (again);
  g_assert_nonnull (strstr (changed, "2026,8 & <9>,\r\n"));
  g_assert_null (sl_page_table_parse ("no table"));
  g_assert_null (sl_page_table_parse ("<table><tr>"));
}

/* Inside of the block, in the order of reading, and none on top of another. */
static void
check_words (const SlPage  *page,
             const SlPageBlock *block,
             guint          n_words)
{
  g_autoptr(GArray) words = sl_page_lay_words (page, block);
  double place[4];

  sl_page_get_pixels (page, block, place);
  g_assert_cmpuint (words->len, ==, n_words);
  for (guint i = 0; i < words->len; i++)
    {
      const SlWord *word = &g_array_index (words, SlWord, i), *before = i > 0 ? word - 1 : NULL;

      g_assert_cmpfloat (word->x, >=, place[0] - 1e-6);
      g_assert_cmpfloat (word->y, >=, place[1] - 1e-6);
      g_assert_cmpfloat (word->x + word->width, <=, place[2] + 1e-6);
      g_assert_cmpfloat (word->y + word->height, <=, place[3] + 1e-6);
      if (before != NULL && before->line == word->line)
        g_assert_cmpfloat (word->x, >=, before->x + before->width - 1e-6);
      else if (before != NULL)
        g_assert_cmpfloat (word->y, >=, before->y + before->height - 1e-6);
    }
}

static void
test_words (void)
{
  g_autoptr(SlPage) page = read_page (first_form);
  g_autoptr(SlPage) chinese = read_page ("<|det|>text [0, 0, 500, 100]<|/det|>年度报告 2025");
  g_autoptr(SlPage) empty = read_page ("<|det|>text [5, 5, 6, 6]<|/det|>a much too long text for its place");

  check_words (page, block_at (page, 0), 2);
  check_words (page, block_at (page, 1), 9);
  check_words (page, block_at (page, 2), 0);
  check_words (chinese, block_at (chinese, 0), 5);
  check_words (empty, block_at (empty, 0), 8);
}

/* Well-formed, whatever the text. */
static void
test_xml (void)
{
  g_autoptr(GPtrArray) pages = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_page_free);
  static const GMarkupParser nothing = { 0 };

  g_ptr_array_add (pages, read_page (first_form));
  g_ptr_array_add (pages, read_page ("<|det|>text [0, 0, 500, 100]<|/det|>a \"quoted\" <tag> & \x01 control"));
  for (int i = 0; i < 2; i++)
    {
      g_autofree char *text = i == 0 ? sl_pages_to_hocr (pages, "a & b") : sl_pages_to_alto (pages, "a & b");
      GMarkupParseContext *context = g_markup_parse_context_new (&nothing, 0, NULL, NULL);
      g_autoptr(GError) error = NULL;

      g_markup_parse_context_parse (context, text, -1, &error);
      g_assert_no_error (error);
      g_assert_true (g_markup_parse_context_end_parse (context, &error));
      g_assert_nonnull (strstr (text, i == 0 ? "class=\"ocrx_word\"" : "CONTENT=\"Profits\""));
      g_assert_null (strchr (text, '\x01'));
      g_markup_parse_context_free (context);
    }
}

#ifdef SL_HAVE_POPPLER
/* Every word that can be told from the others lies inside of the block. */
static void
find_words (PopplerPage   *pdf,
            const SlPage  *page,
            const SlPageBlock *block,
            const char    *word)
{
  double width, height, place[4];
  GList *found = poppler_page_find_text (pdf, word);
  const PopplerRectangle *at;

  poppler_page_get_size (pdf, &width, &height);
  sl_page_get_pixels (page, block, place);
  g_assert_nonnull (found);
  at = found->data;
  g_assert_cmpfloat (at->x1 * page->width / width, >=, place[0] - 3);
  g_assert_cmpfloat (at->x2 * page->width / width, <=, place[2] + 3);
  g_assert_cmpfloat ((height - at->y2) * page->height / height, >=, place[1] - 3);
  g_assert_cmpfloat ((height - at->y1) * page->height / height, <=, place[3] + 3);
  g_list_free_full (found, (GDestroyNotify) poppler_rectangle_free);
}

static void
check_pdf (const char   *path,
           const SlPage *page)
{
  g_autofree char *uri = g_filename_to_uri (path, NULL, NULL);
  g_autoptr(GError) error = NULL;
  PopplerDocument *document = poppler_document_new_from_file (uri, NULL, &error);
  PopplerPage *first;

  g_assert_no_error (error);
  g_assert_cmpint (poppler_document_get_n_pages (document), ==, 1);
  first = poppler_document_get_page (document, 0);
  find_words (first, page, block_at (page, 0), "Annual");
  find_words (first, page, block_at (page, 1), "nobody");
  find_words (first, page, block_at (page, 1), "third");
  g_object_unref (first);
  g_object_unref (document);
}
#else
static void
check_pdf (const char   *path,
           const SlPage *page)
{
  g_test_message ("This build has no poppler: the PDF was not opened.");
}
#endif

static SlPageSource *
get_source (guint     index,
            int      *page,
            gpointer  source,
            GError  **error)
{
  *page = (int) index;
  return source;
}

static void
test_pdf (void)
{
  g_autofree char *dir = g_dir_make_tmp ("sightline-page-XXXXXX", NULL), *picture = g_build_filename (dir, "page.png", NULL);
  g_autofree char *path = g_build_filename (dir, "page.pdf", NULL);
  g_autoptr(SlOutputs) outputs = sl_outputs_new (FALSE);
  g_autoptr(GPtrArray) pages = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_page_free);
  g_autoptr(SlPageSource) source = NULL;
  g_autoptr(GError) error = NULL;
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_RGB24, 1000, 2000);

  cairo_surface_write_to_png (surface, picture);
  cairo_surface_destroy (surface);
  source = sl_page_source_open (picture, NULL, &error);
  g_assert_no_error (error);
  g_ptr_array_add (pages, read_page (first_form));
  ((SlPage *) pages->pdata[0])->number = 1;
  g_assert_true (sl_page_pdf_write (get_source, source, pages, outputs, path, &error));
  g_assert_no_error (error);
  check_pdf (path, pages->pdata[0]);
  g_unlink (picture);
  g_unlink (path);
  g_rmdir (dir);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/page/forms", test_forms);
  g_test_add_func ("/page/several", test_several);
  g_test_add_func ("/page/certainty", test_certainty);
  g_test_add_func ("/page/cut", test_cut);
  g_test_add_func ("/page/texts", test_texts);
  g_test_add_func ("/page/json", test_json);
  g_test_add_func ("/page/table", test_table);
  g_test_add_func ("/page/words", test_words);
  g_test_add_func ("/page/xml", test_xml);
  g_test_add_func ("/page/pdf", test_pdf);
  return g_test_run ();
}
