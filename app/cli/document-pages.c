/* SPDX-License-Identifier: MIT
 *
 * See document.h: the words of its options, one page through the model, and what is written of a file.
 */
#include "app/cli/document.h"

#include <string.h>

#include <glib/gi18n.h>

#include "app/prompt/sl-page-options.h"
#include "app/prompt/sl-prompt-view.h"

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
cli_formats_from_text (const char *text,
                       guint      *out)
{
  g_auto(GStrv) words = g_strsplit (text, ",", -1);

  *out = 0;
  for (char **word = words; *word != NULL; word++)
    {
      guint i = 0;

      while (i < SL_N_PAGES_FORMATS && !g_str_equal (*word, sl_pages_format_get_nick (i)))
        i++;
      if (i == SL_N_PAGES_FORMATS)
        return FALSE;
      *out |= 1u << i;
    }
  return *out != 0;
}

/* ------------------------------------------------------------------------------------------------ a page */

typedef struct
{
  GString      *text;
  SlGeneration *record;
} Sink;

static bool
on_token (const struct vl2_token *token,
          void                   *user)
{
  Sink *sink = user;
  SlTokenMark mark = { token->id, token->logprob, 0 };

  if (token->breaks_cycle)
    g_array_append_val (sink->record->cuts, sink->text->len);
  g_string_append_len (sink->text, token->text, token->length);
  mark.end = (guint32) sink->text->len;
  g_array_append_val (sink->record->tokens, mark);
  return true;
}

static const char *
stop_nick (vl2_stop stop)
{
  return stop == VL2_STOP_EOS ? "eos" : stop == VL2_STOP_CONTEXT ? "context" : stop == VL2_STOP_CANCELLED ? "cancelled" : "max_tokens";
}

static gboolean
generate (const CliReading       *reading,
          const SlSettings       *settings,
          Sink                   *sink,
          struct vl2_generation  *done,
          GError                **error)
{
  int32_t exempt[2];
  struct vl2_generate_options options = { .sampling = { .top_p = 1, .repetition_penalty = 1 }, .max_tokens = settings->max_tokens };
  vl2_error cause = { 0 };

  sl_page_options_fill (reading->engine, settings, exempt, &options);
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
     GPtrArray              *pictures,
     Sink                   *sink,
     struct vl2_generation  *done,
     GError                **error)
{
  g_autoptr(SlPrompt) prompt = NULL;
  g_autoptr(SlPromptView) view = NULL;
  struct vl2_watch watch = { .cancel = &cli_cancel };
  vl2_error cause = { 0 };

  prompt = sl_page_question_make_prompt (&reading->question, vl2_engine_info (reading->engine)->family, pictures);
  view = sl_prompt_view_new (prompt, 0, cli_cancellable, error);
  if (view == NULL)
    return FALSE;
  if (vl2_session_sync (reading->session, sl_prompt_view_get (view), &watch, NULL, &cause) != VL2_OK)
    {
      cli_set_vl2 (error, &cause);
      return FALSE;
    }
  return generate (reading, sl_prompt_get_settings (prompt), sink, done, error);
}

static GPtrArray *
render_pages (const CliReading  *reading,
              CliFile           *file,
              const int         *numbers,
              guint              n,
              double            *dpi,
              GError           **error)
{
  g_autoptr(GPtrArray) pictures = g_ptr_array_new_with_free_func (g_object_unref);

  for (guint i = 0; i < n; i++)
    {
      SlPicture *picture = sl_page_source_render (file->source, numbers[i], sl_page_question_get_longer_side (&reading->question), &dpi[i],
                                                  error);

      if (picture == NULL)
        return NULL;
      g_ptr_array_add (pictures, picture);
    }
  return g_steal_pointer (&pictures);
}

/* NULL for those that the answer does not have. */
static GPtrArray *
make_pages (const CliFile               *file,
            const int                   *numbers,
            GPtrArray                   *pictures,
            const double                *dpi,
            const Sink                  *sink,
            const struct vl2_generation *done)
{
  GPtrArray *pages = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_page_free);
  guint n;

  for (guint i = 0; i < pictures->len; i++)
    {
      SlPage *page = sl_page_new (sl_page_source_get_name (file->source), numbers[i] + 1, sl_picture_get_width (pictures->pdata[i]),
                                  sl_picture_get_height (pictures->pdata[i]), dpi[i]);

      g_free (page->stop);
      page->stop = g_strdup (stop_nick (done->stop));
      g_ptr_array_add (pages, page);
    }
  n = sl_pages_read (pages, sink->text->str, sink->record);
  for (guint i = n; i < pages->len; i++)
    g_clear_pointer (&pages->pdata[i], sl_page_free);
  return pages;
}

GPtrArray *
cli_read_pages (const CliReading  *reading,
                CliFile           *file,
                const int         *numbers,
                guint              n,
                gsize             *tokens,
                GError           **error)
{
  g_autofree double *dpi = g_new0 (double, n);
  g_autoptr(GPtrArray) pictures = render_pages (reading, file, numbers, n, dpi, error);
  g_autoptr(GString) text = g_string_new (NULL);
  g_autoptr(SlGeneration) record = sl_generation_new ();
  Sink sink = { text, record };
  struct vl2_generation done = { 0 };

  if (pictures == NULL || !ask (reading, pictures, &sink, &done, error))
    return NULL;
  *tokens = done.tokens;
  return make_pages (file, numbers, pictures, dpi, &sink, &done);
}

/* ------------------------------------------------------------------------------------------------ what is written */

static SlPageSource *
find_source (guint     index,
             int      *page,
             gpointer  user_data,
             GError  **error)
{
  CliFile *file = user_data;

  *page = ((const SlPage *) file->pages->pdata[index])->number - 1;
  return file->source;
}

gboolean
cli_write_file (CliFile     *file,
                const char  *dir,
                guint        formats,
                GError     **error)
{
  const SlPagesWork work = { file->pages, file->name, dir, find_source, file, cli_outputs };

  for (guint i = 0; i < SL_N_PAGES_FORMATS && file->pages->len > 0; i++)
    if (formats & 1u << i && !sl_pages_write (&work, i, error))
      return FALSE;
  return TRUE;
}
