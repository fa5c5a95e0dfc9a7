/* SPDX-License-Identifier: MIT
 *
 * Conversations as one HTML file. Everything in it is escaped; Markdown goes through md4c without HTML of its own, and a policy in the file
 * keeps a browser from loading or running anything, whatever an answer holds.
 */
#include "app/boxes/sl-box-picture.h"
#include "app/exchange/sl-transcript-private.h"

#include <errno.h>
#include <string.h>

#include <glib/gi18n-lib.h>
#include <md4c-html.h>

typedef struct
{
  const SlExport *export;
  SlOutput *output;
  int cause;           /* errno */
  GHashTable *written; /* hash of a picture → whether it is there */
} Writing;

static const char style[] =
  ":root{color-scheme:light dark;--ground:#fafafa;--card:#fff;--text:#1e1e1e;--dim:#5e5e5e;--line:#d8d8d8;--said:#e4eefb}"
  "@media(prefers-color-scheme:dark){:root{--ground:#1e1e1e;--card:#2a2a2a;--text:#f2f2f2;--dim:#b0b0b0;--line:#454545;--said:#233a55}}"
  "body{margin:0 auto;padding:1rem;max-width:50rem;background:var(--ground);color:var(--text);font:1rem/1.5 system-ui,sans-serif;"
  "overflow-wrap:anywhere}"
  "h1{font-size:1.5rem;margin:2rem 0 0}h2{font-size:.85rem;color:var(--dim);margin:0 0 .25rem}.when{color:var(--dim);margin:0 0 1rem}"
  "section{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:.75rem 1rem;margin:.75rem 0}"
  "section.user{background:var(--said);margin-inline-start:10%}.plain{white-space:pre-wrap;margin:0}.note{color:var(--dim)}"
  "figure{margin:.5rem 0}figure svg{max-width:100%;max-height:80vh;height:auto;display:block}figcaption{color:var(--dim);font-size:.85rem}"
  "pre,table{overflow-x:auto;display:block}td,th{border:1px solid var(--line);padding:.25rem .5rem}table{border-collapse:collapse}"
  "code{font-family:monospace}svg text{font-family:system-ui,sans-serif;font-weight:600;paint-order:stroke}"
  "@media print{section{break-inside:avoid}}";

/* ------------------------------------------------------------------------------------------------ bytes out */

static void
put (Writing    *self,
     const char *text)
{
  if (self->cause == 0)
    self->cause = sl_output_write (self->output, text, strlen (text));
}

static void
put_escaped (Writing    *self,
             const char *text)
{
  g_autofree char *escaped = g_markup_escape_text (text, -1);

  put (self, escaped);
}

static void put_format (Writing *self, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void
put_format (Writing    *self,
            const char *format,
            ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  put (self, text);
}

static void
put_html (const MD_CHAR *text,
          MD_SIZE        length,
          void          *data)
{
  Writing *self = data;

  if (self->cause == 0)
    self->cause = sl_output_write (self->output, text, length);
}

/* ------------------------------------------------------------------------------------------------ pictures */

/* What every browser shows, upright; of others the pixels. */
static GBytes *
make_showable (GBytes      *bytes,
               const char  *name,
               const char **type)
{
  g_autoptr (SlPicture) picture = sl_picture_new_from_bytes (bytes, name, NULL, NULL);
  g_autoptr (SlPicture) pixels = NULL;
  const char *own = picture != NULL ? sl_picture_get_mime_type (picture) : "";

  if (picture == NULL)
    return NULL;
  *type = strcmp (own, "image/png") == 0    ? "image/png"
          : strcmp (own, "image/jpeg") == 0 ? "image/jpeg"
          : strcmp (own, "image/webp") == 0 ? "image/webp"
                                            : NULL;
  if (*type != NULL && !sl_picture_get_turned (picture))
    return g_bytes_ref (bytes);
  *type = "image/png";
  pixels = sl_box_picture_crop (picture, &(cairo_rectangle_t) { 0, 0, sl_picture_get_width (picture), sl_picture_get_height (picture) },
                                name, NULL);
  return pixels != NULL ? g_bytes_ref (sl_picture_get_bytes (pixels)) : NULL;
}

/* Once in the file; every place that shows it uses that. FALSE: it is not to be had. */
static gboolean
put_picture (Writing            *self,
             const SlPartRecord *picture)
{
  gpointer there;
  g_autoptr (GBytes) bytes = NULL, shown = NULL;
  g_autofree char *data = NULL;
  const char *type = NULL;

  if (g_hash_table_lookup_extended (self->written, picture->sha256, NULL, &there))
    return GPOINTER_TO_INT (there);
  bytes = sl_transcript_read_picture (self->export, picture);
  shown = bytes != NULL ? make_showable (bytes, picture->sha256, &type) : NULL;
  g_hash_table_insert (self->written, g_strdup (picture->sha256), GINT_TO_POINTER (shown != NULL));
  if (shown == NULL)
    return FALSE;
  data = g_base64_encode (g_bytes_get_data (shown, NULL), g_bytes_get_size (shown));
  put_format (self, "<svg width=\"0\" height=\"0\" style=\"position:absolute\" aria-hidden=\"true\"><defs><image id=\"p%s\" width=\"%d\""
              " height=\"%d\" preserveAspectRatio=\"none\" href=\"data:%s;base64,", picture->sha256, picture->width, picture->height, type);
  put (self, data);
  put (self, "\"/></defs></svg>\n");
  return TRUE;
}

static void
put_box (Writing          *self,
         const SlPaintBox *box,
         double            unit)
{
  SlBoxColor c = sl_box_palette_get (box->color);
  g_autofree char *colour = g_strdup_printf ("#%02x%02x%02x", (guint) (c.red * 255), (guint) (c.green * 255), (guint) (c.blue * 255));
  double top = box->y1 > 1.4 * unit ? box->y1 - 0.35 * unit : box->y1 + 1.05 * unit;

  for (int halo = 1; halo >= 0; halo--)
    put_format (self, "<rect x=\"%.0f\" y=\"%.0f\" width=\"%.0f\" height=\"%.0f\" fill=\"none\" stroke=\"%s\" stroke-width=\"%d\""
                " vector-effect=\"non-scaling-stroke\"%s/>", box->x1, box->y1, box->x2 - box->x1, box->y2 - box->y1,
                halo ? "#000" : colour, halo ? 4 : 2, box->uncertain && !halo ? " stroke-dasharray=\"6 3\"" : "");
  put_format (self, "<text x=\"%.0f\" y=\"%.0f\" font-size=\"%.0f\" fill=\"#fff\" stroke=\"%s\" stroke-width=\"%.1f\">%d ", box->x1, top,
              unit, colour, unit / 4, box->number);
  put_escaped (self, box->label != NULL ? box->label : "");
  put (self, "</text>\n");
}

/* boxes: of SlPaintBox, or NULL. */
static void
put_figure (Writing            *self,
            const SlPartRecord *picture,
            const GArray       *boxes)
{
  double unit = MAX (picture->width, picture->height) / 40.0;

  if (!put_picture (self, picture))
    {
      put (self, "<p class=\"note\">");
      put_escaped (self, picture->name != NULL ? picture->name : _("A picture that cannot be shown"));
      put (self, "</p>\n");
      return;
    }
  put_format (self, "<figure><svg viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\" aria-label=\"", picture->width,
              picture->height, picture->width, picture->height);
  put_escaped (self, picture->name != NULL ? picture->name : _("Picture"));
  put_format (self, "\"><use href=\"#p%s\"/>\n", picture->sha256);
  for (guint i = 0; boxes != NULL && i < boxes->len; i++)
    put_box (self, &g_array_index (boxes, SlPaintBox, i), unit);
  put (self, "</svg>");
  if (boxes != NULL)
    put (self, "<figcaption>");
  for (guint i = 0; boxes != NULL && i < boxes->len; i++)
    {
      const SlPaintBox *box = &g_array_index (boxes, SlPaintBox, i);

      put_format (self, "%s%d ", i > 0 ? "<br>" : "", box->number);
      put_escaped (self, box->label != NULL ? box->label : "");
      put_format (self, " (%.0f, %.0f) – (%.0f, %.0f)", box->x1, box->y1, box->x2, box->y2);
    }
  put (self, boxes != NULL ? "</figcaption></figure>\n" : "</figure>\n");
}

/* ------------------------------------------------------------------------------------------------ what is said */

static void
put_words (Writing               *self,
           const SlMessageRecord *message)
{
  g_autofree char *text = sl_transcript_dup_markdown (message);

  if (message->role == SL_ROLE_ASSISTANT)
    md_html (text, (MD_SIZE) strlen (text), put_html, self, MD_DIALECT_GITHUB | MD_FLAG_NOHTML, 0);
  else if (text[0] != '\0')
    {
      put (self, "<p class=\"plain\">");
      put_escaped (self, text);
      put (self, "</p>\n");
    }
}

static void
put_message (Writing               *self,
             const SlParcel        *parcel,
             const SlMessageRecord *message)
{
  g_autofree char *speaker = sl_transcript_dup_speaker (message);
  g_autoptr (GPtrArray) boxed = sl_transcript_get_boxed (parcel, message);

  put_format (self, "<section class=\"%s\"><h2>", sl_role_nicks[message->role]);
  put_escaped (self, speaker);
  put (self, "</h2>\n");
  for (guint i = 0; i < message->parts->len; i++)
    if (((const SlPartRecord *) g_ptr_array_index (message->parts, i))->kind == SL_PART_PICTURE)
      put_figure (self, g_ptr_array_index (message->parts, i), NULL);
  put_words (self, message);
  for (guint i = 0; i < boxed->len; i++)
    {
      g_autoptr (GArray) boxes = sl_transcript_get_boxes (message, g_ptr_array_index (boxed, i));

      put_figure (self, g_ptr_array_index (boxed, i), boxes);
    }
  put (self, "</section>\n");
}

static gboolean
put_conversation (const SlParcel  *parcel,
                  guint            index,
                  gpointer         data,
                  GError         **error)
{
  Writing *self = data;
  g_autoptr (GPtrArray) path = sl_transcript_get_path (parcel->conversation);
  g_autofree char *time = sl_transcript_dup_time (parcel->conversation->created);

  put (self, "<article><h1>");
  put_escaped (self, sl_transcript_get_title (parcel));
  put (self, "</h1><p class=\"when\">");
  put_escaped (self, time);
  put (self, "</p>\n");
  for (guint i = 0; i < path->len; i++)
    put_message (self, parcel, g_ptr_array_index (path, i));
  put (self, "</article>\n");
  if (self->cause == 0)
    return TRUE;
  sl_output_set_error (error, self->export->path, self->cause);
  return FALSE;
}

gboolean
sl_transcript_write_html (const SlExport  *export,
                          GError         **error)
{
  g_autoptr (GHashTable) written = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  Writing self = { export, sl_outputs_open (export->outputs, export->path, error), 0, written };

  if (self.output == NULL)
    return FALSE;
  put (&self, "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><meta http-equiv=\"Content-Security-Policy\" content=\"default-src"
       " 'none'; img-src data:; style-src 'unsafe-inline'\"><meta name=\"viewport\" content=\"width=device-width\"><title>Sightline</title>"
       "<style>");
  put (&self, style);
  put (&self, "</style></head><body>\n");
  if (!sl_transcript_foreach (export, put_conversation, &self, error))
    {
      sl_output_discard (self.output);
      return FALSE;
    }
  put (&self, "</body></html>\n");
  return sl_output_finish (self.output, self.cause, error);
}
