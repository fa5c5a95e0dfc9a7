/* SPDX-License-Identifier: MIT
 *
 * See sl-page-layout.h. Characters count as half as wide as a line is high, those of East Asian scripts as whole.
 */
#include "app/document/sl-page-layout.h"

#include <math.h>
#include <string.h>

#include "app/document/sl-page-text.h"

/* What cannot be cut: a word, or one wide character. */
typedef struct
{
  char *text;
  guint units;
  gboolean glued;  /* no blank in front of it */
  gboolean breaks; /* a line begins with it */
} Piece;

static void
piece_clear (gpointer data)
{
  g_free (((Piece *) data)->text);
}

static void
word_clear (gpointer data)
{
  g_free (((SlWord *) data)->text);
}

static void
end_piece (GArray  *pieces,
           GString *text,
           Piece   *next)
{
  if (text->len == 0)
    return;
  next->text = g_strndup (text->str, text->len);
  g_array_append_val (pieces, *next);
  *next = (Piece) { NULL, 0, TRUE, FALSE };
  g_string_truncate (text, 0);
}

static GArray *
cut (const char *plain)
{
  GArray *pieces = g_array_new (FALSE, FALSE, sizeof (Piece));
  g_autoptr(GString) text = g_string_new (NULL);
  Piece next = { NULL, 0, TRUE, TRUE };

  g_array_set_clear_func (pieces, piece_clear);
  for (const char *at = plain; *at != '\0'; at = g_utf8_next_char (at))
    {
      gunichar c = g_utf8_get_char (at);
      gboolean wide = g_unichar_iswide (c);

      if (wide || g_unichar_isspace (c))
        end_piece (pieces, text, &next);
      if (g_unichar_isspace (c))
        {
          next.glued = FALSE;
          next.breaks |= c == '\n';
          continue;
        }
      g_string_append_unichar (text, c);
      next.units += wide ? 2 : 1;
      if (wide)
        end_piece (pieces, text, &next);
    }
  end_piece (pieces, text, &next);
  return pieces;
}

static const Piece *
piece_at (const GArray *pieces,
          guint         i)
{
  return &g_array_index (pieces, Piece, i);
}

/* Breaks lines at `most` units; fills line [pieces], and returns how many lines there are and how wide the widest is. */
static guint
break_lines (const GArray *pieces,
             guint         most,
             guint        *line,
             guint        *widest)
{
  guint n = 0, used = 0;

  *widest = 1;
  for (guint i = 0; i < pieces->len; i++)
    {
      const Piece *piece = piece_at (pieces, i);
      guint units = piece->units + (used > 0 && !piece->glued);

      if (i == 0 || piece->breaks || used + units > most)
        {
          n++;
          used = 0;
          units = piece->units;
        }
      used += units;
      line[i] = n - 1;
      *widest = MAX (*widest, used);
    }
  return n;
}

static guint
line_units (const GArray *pieces,
            double        width,
            double        height)
{
  guint all = 0;
  double lines;

  for (guint i = 0; i < pieces->len; i++)
    all += piece_at (pieces, i)->units + 1;
  lines = ceil (sqrt (all * height / (2 * MAX (width, 1))));
  return (guint) ceil (all / MAX (lines, 1));
}

GArray *
sl_page_lay_words (const SlPage  *page,
                   const SlPageBlock *block)
{
  g_autofree char *plain = sl_page_block_dup_plain (block);
  g_autoptr(GArray) pieces = cut (plain);
  g_autofree guint *line = g_new0 (guint, pieces->len + 1);
  GArray *words = g_array_new (FALSE, FALSE, sizeof (SlWord));
  double place[4], unit, height, x = 0;
  guint n, widest;

  g_array_set_clear_func (words, word_clear);
  if (!sl_page_get_pixels (page, block, place))
    {
      place[0] = place[1] = 0;
      place[2] = page->width;
      place[3] = page->height;
    }
  n = break_lines (pieces, line_units (pieces, place[2] - place[0], place[3] - place[1]), line, &widest);
  unit = (place[2] - place[0]) / widest;
  height = (place[3] - place[1]) / MAX (n, 1);
  for (guint i = 0; i < pieces->len; i++)
    {
      const Piece *piece = piece_at (pieces, i);
      SlWord word = { g_strdup (piece->text), line[i], 0, place[1] + line[i] * height, piece->units * unit, height };

      x = i == 0 || line[i] != line[i - 1] ? 0 : x + (piece->glued ? 0 : unit);
      word.x = place[0] + x;
      x += word.width;
      g_array_append_val (words, word);
    }
  return words;
}

/* ------------------------------------------------------------------------------------------------ hOCR */

static void
append_hocr_box (GString *out,
                 double   x,
                 double   y,
                 double   width,
                 double   height)
{
  g_string_append_printf (out, "bbox %d %d %d %d", (int) x, (int) y, (int) ceil (x + width), (int) ceil (y + height));
}

static void
append_hocr_block (GString       *out,
                   const SlPage  *page,
                   guint          index)
{
  const SlPageBlock *block = page->blocks->pdata[index];
  g_autoptr(GArray) words = sl_page_lay_words (page, block);
  int percent = block->certainty >= 0 ? (int) lrint (100 * block->certainty) : 100;
  double p[4];

  if (!sl_page_get_pixels (page, block, p))
    memcpy (p, (double[]) { 0, 0, page->width, page->height }, sizeof p);
  g_string_append_printf (out, "<div class=\"%s\" id=\"block_%d_%u\" title=\"", words->len > 0 ? "ocr_carea" : "ocr_photo", page->number,
                          index + 1);
  append_hocr_box (out, p[0], p[1], p[2] - p[0], p[3] - p[1]);
  g_string_append (out, "\">");
  for (guint i = 0; i < words->len; i++)
    {
      const SlWord *word = &g_array_index (words, SlWord, i);
      g_autofree char *text = sl_escape_xml (word->text);

      if (i == 0 || word->line != g_array_index (words, SlWord, i - 1).line)
        {
          g_string_append_printf (out, "%s\n<span class=\"ocr_line\" title=\"", i > 0 ? "</span>" : "");
          append_hocr_box (out, p[0], word->y, p[2] - p[0], word->height);
          g_string_append (out, "\">");
        }
      g_string_append (out, "<span class=\"ocrx_word\" title=\"");
      append_hocr_box (out, word->x, word->y, word->width, word->height);
      g_string_append_printf (out, "; x_wconf %d\">%s</span> ", percent, text);
    }
  g_string_append (out, words->len > 0 ? "</span></div>\n" : "</div>\n");
}

char *
sl_pages_to_hocr (GPtrArray  *pages,
                  const char *name)
{
  g_autofree char *title = sl_escape_xml (name);
  g_autoptr(GString) out = g_string_new (NULL);

  g_string_append_printf (out,
                          "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                          "<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Transitional//EN\" "
                          "\"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd\">\n"
                          "<html xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n<title>%s</title>\n"
                          "<meta http-equiv=\"Content-Type\" content=\"text/html;charset=utf-8\"/>\n"
                          "<meta name=\"ocr-system\" content=\"Sightline\"/>\n"
                          "<meta name=\"ocr-capabilities\" content=\"ocr_page ocr_carea ocr_line ocrx_word ocr_photo\"/>\n"
                          "</head>\n<body>\n", title);
  for (guint p = 0; p < pages->len; p++)
    {
      const SlPage *page = pages->pdata[p];
      g_autofree char *source = sl_escape_xml (page->source);

      g_string_append_printf (out, "<div class=\"ocr_page\" id=\"page_%d\" title='image \"%s\"; bbox 0 0 %d %d; ppageno %d; scan_res %d %d'>\n",
                              page->number, source, page->width, page->height, page->number - 1, (int) lrint (page->dpi),
                              (int) lrint (page->dpi));
      for (guint i = 0; i < page->blocks->len; i++)
        append_hocr_block (out, page, i);
      g_string_append (out, "</div>\n");
    }
  g_string_append (out, "</body>\n</html>\n");
  return g_string_free (g_steal_pointer (&out), FALSE);
}

/* ------------------------------------------------------------------------------------------------ ALTO */

static void
append_alto_place (GString *out,
                   double   x,
                   double   y,
                   double   width,
                   double   height)
{
  g_string_append_printf (out, " HPOS=\"%d\" VPOS=\"%d\" WIDTH=\"%d\" HEIGHT=\"%d\"", (int) x, (int) y, (int) ceil (width), (int) ceil (height));
}

static void
append_alto_words (GString      *out,
                   const GArray *words,
                   double        certainty,
                   const char   *id)
{
  for (guint i = 0; i < words->len; i++)
    {
      const SlWord *word = &g_array_index (words, SlWord, i);
      g_autofree char *text = sl_escape_xml (word->text);

      if (i == 0 || word->line != g_array_index (words, SlWord, i - 1).line)
        {
          double end = word->x;

          for (guint k = i; k < words->len && g_array_index (words, SlWord, k).line == word->line; k++)
            end = g_array_index (words, SlWord, k).x + g_array_index (words, SlWord, k).width;
          g_string_append_printf (out, "%s<TextLine ID=\"%s_l%u\"", i > 0 ? "</TextLine>\n" : "", id, word->line + 1);
          append_alto_place (out, word->x, word->y, end - word->x, word->height);
          g_string_append (out, ">");
        }
      else
        g_string_append (out, "<SP/>");
      g_string_append_printf (out, "<String ID=\"%s_w%u\" CONTENT=\"%s\"", id, i + 1, text);
      append_alto_place (out, word->x, word->y, word->width, word->height);
      if (certainty >= 0)
        {
          char number[G_ASCII_DTOSTR_BUF_SIZE];

          g_string_append_printf (out, " WC=\"%s\"", g_ascii_formatd (number, sizeof number, "%.3f", certainty));
        }
      g_string_append (out, "/>");
    }
  if (words->len > 0)
    g_string_append (out, "</TextLine>\n");
}

static void
append_alto_block (GString      *out,
                   const SlPage *page,
                   guint         index)
{
  const SlPageBlock *block = page->blocks->pdata[index];
  g_autoptr(GArray) words = sl_page_lay_words (page, block);
  g_autofree char *id = g_strdup_printf ("p%d_b%u", page->number, index + 1);
  double p[4];

  if (!sl_page_get_pixels (page, block, p))
    memcpy (p, (double[]) { 0, 0, page->width, page->height }, sizeof p);
  g_string_append_printf (out, "<%s ID=\"%s\"", words->len > 0 ? "TextBlock" : "Illustration", id);
  append_alto_place (out, p[0], p[1], p[2] - p[0], p[3] - p[1]);
  if (words->len == 0)
    {
      g_string_append (out, "/>\n");
      return;
    }
  g_string_append (out, ">\n");
  append_alto_words (out, words, block->certainty, id);
  g_string_append (out, "</TextBlock>\n");
}

char *
sl_pages_to_alto (GPtrArray  *pages,
                  const char *name)
{
  g_autofree char *file = sl_escape_xml (name);
  g_autoptr(GString) out = g_string_new (NULL);

  g_string_append_printf (out,
                          "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                          "<alto xmlns=\"http://www.loc.gov/standards/alto/ns-v4#\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" "
                          "xsi:schemaLocation=\"http://www.loc.gov/standards/alto/ns-v4# http://www.loc.gov/standards/alto/v4/alto-4-2.xsd\">\n"
                          "<Description>\n<MeasurementUnit>pixel</MeasurementUnit>\n"
                          "<sourceImageInformation><fileName>%s</fileName></sourceImageInformation>\n</Description>\n<Layout>\n", file);
  for (guint p = 0; p < pages->len; p++)
    {
      const SlPage *page = pages->pdata[p];

      g_string_append_printf (out, "<Page ID=\"p%d\" PHYSICAL_IMG_NR=\"%d\" WIDTH=\"%d\" HEIGHT=\"%d\">\n<PrintSpace HPOS=\"0\" VPOS=\"0\" "
                              "WIDTH=\"%d\" HEIGHT=\"%d\">\n", page->number, page->number, page->width, page->height, page->width,
                              page->height);
      for (guint i = 0; i < page->blocks->len; i++)
        append_alto_block (out, page, i);
      g_string_append (out, "</PrintSpace>\n</Page>\n");
    }
  g_string_append (out, "</Layout>\n</alto>\n");
  return g_string_free (g_steal_pointer (&out), FALSE);
}
