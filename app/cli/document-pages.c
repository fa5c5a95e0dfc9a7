/* SPDX-License-Identifier: MIT
 *
 * See document.h: the words of its options, and one page through the model.
 */
#include "app/cli/document.h"

#include <stdlib.h>
#include <string.h>

#include <glib/gi18n.h>

#include "app/cli/conversation.h"

#define MAX_PAGES 100000

void
cli_file_free (CliFile *self)
{
  g_clear_pointer (&self->source, sl_page_source_close);
  g_clear_pointer (&self->pages, g_ptr_array_unref);
  g_free (self->path);
  g_free (self->name);
  g_free (self->sha256);
  g_free (self);
}

/* ------------------------------------------------------------------------------------------------ options */

gboolean
cli_task_from_nick (const char *nick,
                    CliReading *reading)
{
  static const char *const nicks[] = { "markdown", "ocr", "text", "figure", "describe" };

  for (guint i = 0; i < G_N_ELEMENTS (nicks); i++)
    if (g_str_equal (nick, nicks[i]))
      {
        reading->task = (CliTask) i;
        return TRUE;
      }
  if (!g_str_has_prefix (nick, "locate:") || nick[strlen ("locate:")] == '\0')
    return FALSE;
  reading->task = CLI_TASK_LOCATE;
  reading->locate = g_strdup (nick + strlen ("locate:"));
  return TRUE;
}

gboolean
cli_formats_from_text (const char         *text,
                       CliDocumentFormats *out)
{
  static const char *const nicks[] = { "md", "html", "txt", "json", "hocr", "alto", "pdf" };
  g_auto(GStrv) words = g_strsplit (text, ",", -1);

  *out = 0;
  for (char **word = words; *word != NULL; word++)
    {
      guint i = 0;

      while (i < G_N_ELEMENTS (nicks) && !g_str_equal (*word, nicks[i]))
        i++;
      if (i == G_N_ELEMENTS (nicks))
        return FALSE;
      *out |= 1 << i;
    }
  return *out != 0;
}

/* "3", "3-7" or "3-"; from 1. */
static gboolean
read_range (const char *word,
            int         n,
            int        *from,
            int        *to)
{
  char *end;
  long first = strtol (word, &end, 10), last = first;

  if (end == word || first < 1 || first > MAX_PAGES)
    return FALSE;
  if (*end == '-')
    {
      const char *rest = end + 1;

      last = *rest != '\0' ? strtol (rest, &end, 10) : n;
      if (*rest != '\0' && (end == rest || last < first || last > MAX_PAGES))
        return FALSE;
      end = *rest != '\0' ? end : (char *) rest;
    }
  *from = (int) first;
  *to = (int) MIN (last, n);
  return *end == '\0';
}

GArray *
cli_pages_from_text (const char *text,
                     int         n)
{
  g_autoptr(GArray) pages = g_array_new (FALSE, FALSE, sizeof (int));
  g_auto(GStrv) words = g_strsplit (text != NULL ? text : "1-", ",", -1);
  g_autofree gboolean *wanted = g_new0 (gboolean, n + 1);

  for (char **word = words; *word != NULL; word++)
    {
      int from, to;

      if (!read_range (*word, n, &from, &to))
        return NULL;
      for (int i = from; i <= to; i++)
        wanted[i - 1] = TRUE;
    }
  for (int i = 0; i < n; i++)
    if (wanted[i])
      g_array_append_val (pages, i);
  return g_steal_pointer (&pages);
}

/* ------------------------------------------------------------------------------------------------ a page */

/* Pixels on the longer side that a view wants: enough for the tiles of a tall page, or for the view itself. */
static int
longer_side (vl2_detail detail)
{
  switch (detail)
    {
    case VL2_DETAIL_AUTO:
      return 1920;
    case VL2_DETAIL_TINY:
      return 1024;
    default:
      return 1280;
    }
}

static vl2_part
text_part (const char *text,
           vl2_markup  markup)
{
  return (vl2_part) { .kind = VL2_PART_TEXT, .text = text, .length = strlen (text), .markup = markup };
}

/* What stands behind the page, in at most three parts; what a user locates is no markup. */
static gsize
make_parts (const CliReading *reading,
            vl2_part          parts[3])
{
  static const char *const tasks[] = {
    "\n<|grounding|>Convert the document to markdown.", "\n<|grounding|>OCR this image.", "\nFree OCR.", "\nParse the figure.",
    "\nDescribe this image in detail.", "\nLocate <|ref|>",
  };
  const struct vl2_info *info = vl2_engine_info (reading->engine);

  if (reading->prompt != NULL)
    parts[0] = text_part (reading->prompt, VL2_MARKUP_GROUNDING);
  else if (g_str_equal (info->family, "Unlimited-OCR"))
    parts[0] = text_part ("document parsing.", VL2_MARKUP_GROUNDING);
  else
    parts[0] = text_part (tasks[reading->task], VL2_MARKUP_GROUNDING);
  if (reading->prompt != NULL || reading->task != CLI_TASK_LOCATE)
    return 1;
  parts[1] = text_part (reading->locate, VL2_MARKUP_NONE);
  parts[2] = text_part ("<|/ref|> in the image.", VL2_MARKUP_GROUNDING);
  return 3;
}

typedef struct
{
  GString      *text;
  SlGeneration *record;
  GArray       *cuts; /* gsize: where the text repeated itself and was cut */
} Sink;

static bool
on_token (const struct vl2_token *token,
          void                   *user)
{
  Sink *sink = user;
  SlTokenMark mark = { token->id, token->logprob, 0 };

  if (token->breaks_cycle)
    g_array_append_val (sink->cuts, sink->text->len);
  g_string_append_len (sink->text, token->text, token->length);
  mark.end = (guint32) sink->text->len;
  g_array_append_val (sink->record->tokens, mark);
  return true;
}

/* The published settings: greedy, no 30 tokens twice within 90 but for the cells of tables; Unlimited-OCR 35 within 128. */
static struct vl2_generate_options
make_options (const CliReading *reading,
              int32_t           exempt[2])
{
  const vl2_tokenizer *tokenizer = vl2_engine_tokenizer (reading->engine);
  gboolean unlimited = g_str_equal (vl2_engine_info (reading->engine)->family, "Unlimited-OCR");

  exempt[0] = vl2_tokenizer_id (tokenizer, "<td>");
  exempt[1] = vl2_tokenizer_id (tokenizer, "</td>");
  return (struct vl2_generate_options) {
    .sampling = { .top_p = 1, .repetition_penalty = 1 },
    .max_tokens = reading->max_tokens,
    .guard = { unlimited ? 35 : 30, unlimited ? 128 : 90, exempt, unlimited ? 0 : 2 },
    .cycles = reading->break_cycles ? VL2_CYCLES_BREAK : VL2_CYCLES_KEEP,
    .breaker = vl2_tokenizer_id (tokenizer, unlimited ? "<|det|>" : "<|ref|>"),
    .constrain_boxes = !unlimited, /* the other form of its boxes is not one that the grammar knows */
  };
}

static const char *
stop_nick (vl2_stop stop)
{
  return stop == VL2_STOP_EOS ? "eos" : stop == VL2_STOP_CONTEXT ? "context" : stop == VL2_STOP_CANCELLED ? "cancelled" : "max_tokens";
}

static gboolean
generate (const CliReading       *reading,
          Sink                   *sink,
          struct vl2_generation  *done,
          GError                **error)
{
  int32_t exempt[2];
  struct vl2_generate_options options = make_options (reading, exempt);
  vl2_error cause = { 0 };

  if (vl2_session_generate (reading->session, &options, &cli_cancel, on_token, sink, done, &cause) != VL2_OK)
    {
      cli_set_vl2 (error, &cause);
      return FALSE;
    }
  if (done->stop == VL2_STOP_CANCELLED)
    {
      cli_set_error (error, CLI_CANCELLED, "%s", _("Cancelled."));
      return FALSE;
    }
  return TRUE;
}

static gboolean
ask (const CliReading       *reading,
     SlPicture              *picture,
     Sink                   *sink,
     struct vl2_generation  *done,
     GError                **error)
{
  vl2_picture pixels = cli_picture_pixels (picture);
  vl2_part parts[4] = { { .kind = VL2_PART_PICTURE, .picture = &pixels, .detail = reading->detail } };
  vl2_message message = { VL2_USER, parts, 1 + make_parts (reading, parts + 1) };
  vl2_conversation conversation = { &message, 1 };
  struct vl2_watch watch = { .cancel = &cli_cancel };
  vl2_error cause = { 0 };

  if (vl2_session_sync (reading->session, &conversation, &watch, NULL, &cause) != VL2_OK)
    {
      cli_set_vl2 (error, &cause);
      return FALSE;
    }
  return generate (reading, sink, done, error);
}

SlPage *
cli_read_page (const CliReading  *reading,
               CliFile           *file,
               int                number,
               gsize             *tokens,
               GError           **error)
{
  double dpi;
  g_autoptr(SlPicture) picture = sl_page_source_render (file->source, number, longer_side (reading->detail), &dpi, error);
  g_autoptr(GString) text = g_string_new (NULL);
  g_autoptr(GArray) cuts = g_array_new (FALSE, FALSE, sizeof (gsize));
  struct vl2_generation done = { 0 };
  SlGeneration *record;
  SlPage *page = NULL;

  if (picture == NULL)
    return NULL;
  record = sl_generation_new ();
  if (ask (reading, picture, &(Sink) { text, record, cuts }, &done, error))
    {
      page = sl_page_new (sl_page_source_get_name (file->source), number + 1, sl_picture_get_width (picture),
                          sl_picture_get_height (picture), dpi);
      g_free (page->stop);
      page->stop = g_strdup (stop_nick (done.stop));
      sl_page_read (page, text->str, record, cuts);
      *tokens = done.tokens;
    }
  sl_generation_free (record);
  return page;
}
