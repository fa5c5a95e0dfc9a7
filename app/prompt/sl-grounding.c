/* SPDX-License-Identifier: MIT
 *
 * The engine's parse result copied into plain structs that own their strings. See the header.
 */
#include "app/prompt/sl-grounding.h"

#include "app/prompt/sl-grounding-private.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "engine/vl2.h"

G_DEFINE_BOXED_TYPE (SlGrounding, sl_grounding, sl_grounding_ref, sl_grounding_unref)

/* The engine's numbers are ours; what only other models write comes behind. */
G_STATIC_ASSERT ((int) SL_BOX_REASON_POINT == (int) VL2_N_REASONS);
G_STATIC_ASSERT ((int) SL_BOX_REASON_CUT == (int) VL2_REASON_CUT && (int) SL_BOX_REASON_NOT_NUMBERS == (int) VL2_REASON_NOT_NUMBERS);
G_STATIC_ASSERT ((int) SL_BOX_REASON_SURPLUS == (int) VL2_REASON_SURPLUS && (int) SL_BOX_REASON_SWAPPED == (int) VL2_REASON_SWAPPED);

static const char *const status_nicks[] = { "ok", "clamped", "incomplete", "rejected" };

static int
to_index (size_t index)
{
  return index == SIZE_MAX ? -1 : (int) index;
}

static char *
dup_label (const char             *text,
           const struct vl2_span  *span)
{
  return g_strstrip (g_strndup (text + span->inner_start, span->inner_end - span->inner_start));
}

static void
copy_spans (SlGrounding                *self,
            const struct vl2_grounding *parsed)
{
  for (size_t i = 0; i < parsed->n_spans; i++)
    {
      const struct vl2_span *in = &parsed->spans[i];
      SlSpan span = {
        .kind = in->kind == VL2_SPAN_LABEL ? SL_SPAN_LABEL : in->kind == VL2_SPAN_BOXES ? SL_SPAN_BOXES : SL_SPAN_TEXT,
        .start = in->start,
        .end = in->end,
        .inner_start = in->kind == VL2_SPAN_LABEL ? in->inner_start : in->start,
        .inner_end = in->kind == VL2_SPAN_LABEL ? in->inner_end : in->end,
        .label_index = in->kind == VL2_SPAN_TEXT ? -1 : to_index (in->label),
        .open = in->open,
      };

      g_array_append_val (self->spans, span);
      if (span.kind == SL_SPAN_LABEL)
        g_ptr_array_add (self->labels, dup_label (self->text, in));
    }
}

static SlBoxStatus
to_status (vl2_box_status status)
{
  switch (status)
    {
    case VL2_BOX_OK:
      return SL_BOX_OK;
    case VL2_BOX_CLAMPED:
      return SL_BOX_CLAMPED;
    case VL2_BOX_INCOMPLETE:
      return SL_BOX_INCOMPLETE;
    case VL2_BOX_REJECTED:
    default:
      return SL_BOX_REJECTED;
    }
}

/* labels: all of the text, char *. */
static void
copy_boxes (GArray                     *boxes,
            const struct vl2_grounding *parsed,
            GPtrArray                  *labels)
{
  for (size_t i = 0; i < parsed->n_boxes; i++)
    {
      const struct vl2_box *in = &parsed->boxes[i];
      SlBox box = {
        .coords = { in->coords[0], in->coords[1], in->coords[2], in->coords[3] },
        .status = to_status (in->status),
        .reason = (SlBoxReason) in->reason,
        .label_index = to_index (in->label),
        .start = in->start,
        .end = in->end,
        .numbers_start = in->numbers_start,
        .numbers_end = in->numbers_end,
      };

      box.label = box.label_index >= 0 ? labels->pdata[box.label_index] : NULL;
      g_array_append_val (boxes, box);
    }
}

static SlGrounding *
grounding_new (const char *text,
               gsize       size)
{
  SlGrounding *self = g_new0 (SlGrounding, 1);

  g_atomic_ref_count_init (&self->refs);
  self->text = g_strndup (text, size);
  self->spans = g_array_new (FALSE, TRUE, sizeof (SlSpan));
  self->boxes = g_array_new (FALSE, TRUE, sizeof (SlBox));
  self->labels = g_ptr_array_new_with_free_func (g_free);
  self->space = (SlBoxSpace) { .scale = SL_BOX_SCALE_999, .order = SL_BOX_ORDER_X_FIRST };

  return self;
}

static void
read_own_marks (SlGrounding *self,
                gsize        size)
{
  struct vl2_grounding parsed = { 0 };
  vl2_error error = { 0 };

  if (vl2_grounding_parse (self->text, size, &parsed, &error) == VL2_OK)
    {
      copy_spans (self, &parsed);
      copy_boxes (self->boxes, &parsed, self->labels);
      vl2_grounding_deinit (&parsed);
    }
  else if (size > 0)
    {
      SlSpan span = { SL_SPAN_TEXT, 0, size, 0, size, -1, FALSE };

      g_array_append_val (self->spans, span);
    }
}

SlGrounding *
sl_grounding_parse (const char *text,
                    gssize      length)
{
  gsize size = length >= 0 ? (gsize) length : strlen (text);
  SlGrounding *self = grounding_new (text, size);

  read_own_marks (self, size);

  return self;
}

SlGrounding *
sl_grounding_parse_in (const char       *text,
                       gssize            length,
                       const SlBoxSpace *space)
{
  gsize size = length >= 0 ? (gsize) length : strlen (text);
  SlGrounding *self = grounding_new (text, size);

  if (!sl_dialect_read (self, space))
    read_own_marks (self, size);

  return self;
}

const SlBoxSpace *
sl_grounding_get_space (SlGrounding *self)
{
  return &self->space;
}

SlGrounding *
sl_grounding_ref (SlGrounding *self)
{
  g_atomic_ref_count_inc (&self->refs);

  return self;
}

void
sl_grounding_unref (SlGrounding *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;

  g_free (self->text);
  g_array_unref (self->spans);
  g_array_unref (self->boxes);
  g_ptr_array_unref (self->labels);
  g_free (self);
}

const char *
sl_grounding_get_text (SlGrounding *self)
{
  return self->text;
}

const SlSpan *
sl_grounding_get_spans (SlGrounding *self,
                        gsize       *n_spans)
{
  *n_spans = self->spans->len;

  return (const SlSpan *) self->spans->data;
}

const SlBox *
sl_grounding_get_boxes (SlGrounding *self,
                        gsize       *n_boxes)
{
  *n_boxes = self->boxes->len;

  return (const SlBox *) self->boxes->data;
}

gsize
sl_grounding_get_n_labels (SlGrounding *self)
{
  return self->labels->len;
}

const char *
sl_grounding_get_label (SlGrounding *self,
                        gsize        index)
{
  return index < self->labels->len ? g_ptr_array_index (self->labels, index) : NULL;
}

/* Markup that stands alone in a text run: a stray closing token, a mode token. */
static void
append_without_tokens (GString    *plain,
                       const char *text,
                       gsize       length)
{
  static const char *const tokens[] = { "<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>", "<|grounding|>", "<｜ref｜>", "<｜/ref｜>",
                                        "<｜/box｜>", "<｜/point｜>", "<｜/polygon｜>" };
  g_autoptr(GString) run = g_string_new_len (text, length);

  for (guint i = 0; i < G_N_ELEMENTS (tokens); i++)
    g_string_replace (run, tokens[i], "", 0);

  g_string_append_len (plain, run->str, run->len);
}

/* A box block between two words leaves one space; before punctuation it leaves none. */
static void
tidy_after_boxes (GString    *plain,
                  const char *next)
{
  gboolean space_before = plain->len == 0 || g_ascii_isspace (plain->str[plain->len - 1]);

  if (*next == '\0')
    return;

  if (space_before && plain->len > 0 && (g_ascii_ispunct (*next) || *next == ' '))
    g_string_truncate (plain, plain->len - 1);
}

char *
sl_grounding_dup_plain_text (SlGrounding *self)
{
  GString *plain = g_string_new (NULL);
  gboolean after_boxes = FALSE;

  for (guint i = 0; i < self->spans->len; i++)
    {
      const SlSpan *span = &g_array_index (self->spans, SlSpan, i);

      if (span->kind == SL_SPAN_BOXES)
        {
          after_boxes = TRUE;
          continue;
        }

      if (after_boxes)
        tidy_after_boxes (plain, self->text + span->start);
      after_boxes = FALSE;

      if (span->kind == SL_SPAN_LABEL)
        g_string_append (plain, sl_grounding_get_label (self, span->label_index));
      else
        append_without_tokens (plain, self->text + span->start, span->end - span->start);
    }

  return g_strstrip (g_string_free (plain, FALSE));
}

/* ------------------------------------------------------------------------------------------------ a text that grows */

struct _SlBoxReader
{
  struct vl2_grounding_place  place;
  gsize                       n_settled; /* boxes before the place */
  GPtrArray                  *labels;    /* char *, of the whole text */
  GArray                     *boxes;     /* SlBox, behind the place that was */
};

SlBoxReader *
sl_box_reader_new (void)
{
  SlBoxReader *self = g_new0 (SlBoxReader, 1);

  self->place = VL2_GROUNDING_START;
  self->labels = g_ptr_array_new_with_free_func (g_free);
  self->boxes = g_array_new (FALSE, TRUE, sizeof (SlBox));

  return self;
}

void
sl_box_reader_free (SlBoxReader *self)
{
  g_ptr_array_unref (self->labels);
  g_array_unref (self->boxes);
  g_free (self);
}

const SlBox *
sl_box_reader_read (SlBoxReader *self,
                    const char  *text,
                    gsize        length,
                    gsize       *n_before,
                    gsize       *n_boxes)
{
  struct vl2_grounding parsed = { 0 };
  vl2_error error = { 0 };
  size_t n_settled = 0;

  *n_before = self->n_settled;
  g_array_set_size (self->boxes, 0);
  g_ptr_array_set_size (self->labels, self->place.n_labels);
  if (vl2_grounding_parse_on (text, length, &self->place, &n_settled, &parsed, &error) == VL2_OK)
    {
      for (size_t i = 0; i < parsed.n_spans; i++)
        if (parsed.spans[i].kind == VL2_SPAN_LABEL)
          g_ptr_array_add (self->labels, dup_label (text, &parsed.spans[i]));
      copy_boxes (self->boxes, &parsed, self->labels);
      vl2_grounding_deinit (&parsed);
    }
  self->n_settled += n_settled;
  *n_boxes = self->boxes->len;

  return (const SlBox *) self->boxes->data;
}

/* ------------------------------------------------------------------------------------------------ boxes */

gboolean
sl_box_get_pixels (const SlBox *box,
                   int          width,
                   int          height,
                   int          pixels[4])
{
  if (box->status != SL_BOX_OK && box->status != SL_BOX_CLAMPED)
    return FALSE;

  for (int i = 0; i < 4; i++)
    {
      int size = i % 2 == 0 ? width : height;

      pixels[i] = box->placed ? (int) (box->place[i] * size + 0.5) : vl2_box_to_pixels (box->coords[i], size);
    }
  for (int i = 0; i < 2; i++)
    if (pixels[i + 2] == pixels[i] && box->coords[i + 2] > box->coords[i])
      pixels[i + 2]++;

  return TRUE;
}

const char *
sl_box_status_get_nick (SlBoxStatus status)
{
  return status_nicks[status];
}

gboolean
sl_box_status_from_nick (const char  *nick,
                         SlBoxStatus *status)
{
  for (guint i = 0; i < G_N_ELEMENTS (status_nicks); i++)
    {
      if (g_strcmp0 (nick, status_nicks[i]) == 0)
        {
          *status = i;
          return TRUE;
        }
    }

  return FALSE;
}

const char *
sl_box_reason_get_text (SlBoxReason reason)
{
  switch (reason)
    {
    case SL_BOX_REASON_CUT:
      return _("the text ends inside the box");
    case SL_BOX_REASON_NO_NUMBERS:
      return _("no numbers");
    case SL_BOX_REASON_ONE_NUMBER:
      return _("one number instead of four");
    case SL_BOX_REASON_TWO_NUMBERS:
      return _("two numbers instead of four");
    case SL_BOX_REASON_THREE_NUMBERS:
      return _("three numbers instead of four");
    case SL_BOX_REASON_FRACTION:
      return _("a coordinate is not a whole number");
    case SL_BOX_REASON_DIGITS:
      return _("a run of digits instead of a coordinate");
    case SL_BOX_REASON_NOT_NUMBERS:
      return _("something other than numbers in the list");
    case SL_BOX_REASON_SURPLUS:
      return _("more than four numbers, the first four are used");
    case SL_BOX_REASON_ABOVE:
      return _("a coordinate was above 999");
    case SL_BOX_REASON_BELOW:
      return _("a coordinate was below 0");
    case SL_BOX_REASON_SWAPPED:
      return _("the corners were swapped");
    case SL_BOX_REASON_NO_BRACKETS:
      return _("the brackets are missing");
    case SL_BOX_REASON_NO_CLOSING_BRACKET:
      return _("the closing bracket is missing");
    case SL_BOX_REASON_NO_AREA:
      return _("the box has no area");
    case SL_BOX_REASON_POINT:
      return _("a point, shown as a small box");
    case SL_BOX_REASON_POLYGON:
      return _("a polygon, shown as the box around it");
    case SL_BOX_REASON_NO_PICTURE:
      return _("pixels of a picture whose size is not known");
    case SL_BOX_REASON_NONE:
    default:
      return "";
    }
}

const char *
sl_box_reason_get_english (SlBoxReason reason)
{
  switch (reason)
    {
    case SL_BOX_REASON_POINT:
      return "a point, shown as a small box";
    case SL_BOX_REASON_POLYGON:
      return "a polygon, shown as the box around it";
    case SL_BOX_REASON_NO_PICTURE:
      return "pixels of a picture whose size is not known";
    default:
      return vl2_box_reason_text ((vl2_box_reason) reason);
    }
}

SlBoxReason
sl_box_reason_from_english (const char *english)
{
  for (SlBoxReason reason = SL_BOX_REASON_NONE; reason < SL_N_BOX_REASONS; reason++)
    if (g_strcmp0 (english, sl_box_reason_get_english (reason)) == 0)
      return reason;
  return SL_BOX_REASON_NONE;
}
