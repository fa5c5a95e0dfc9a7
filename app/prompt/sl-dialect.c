/* SPDX-License-Identifier: MIT
 *
 * Answers of the models that people serve, taken apart: marks, lists without marks and tags here, objects in sl-dialect-json.c, their
 * numbers in sl-dialect-places.c. See sl-grounding-private.h for the flow. Where a mark was not closed the region ends at the next
 * one or at the text's end.
 */
#include "app/prompt/sl-grounding-private.h"

#include <string.h>

#define MOST_DIGITS 6            /* more is a run of digits, not a coordinate */
#define MOST_NAME   32           /* bytes of a layout's name before its list */
#define MOST_WORDS  400          /* bytes of words before an unmarked list */

typedef enum { MARK_REF, MARK_BOX, MARK_POINT, MARK_POLYGON } MarkKind;

typedef struct
{
  const char *text;
  MarkKind    kind;
  gboolean    end;
  SlForm      form;
} Mark;

static const Mark marks[] = {
  { "<|ref|>", MARK_REF, FALSE, SL_FORM_MARKED },          { "<|/ref|>", MARK_REF, TRUE, SL_FORM_MARKED },
  { "<|det|>", MARK_BOX, FALSE, SL_FORM_MARKED },          { "<|/det|>", MARK_BOX, TRUE, SL_FORM_MARKED },
  { "<｜ref｜>", MARK_REF, FALSE, SL_FORM_WIDE },          { "<｜/ref｜>", MARK_REF, TRUE, SL_FORM_WIDE },
  { "<｜box｜>", MARK_BOX, FALSE, SL_FORM_WIDE },          { "<｜/box｜>", MARK_BOX, TRUE, SL_FORM_WIDE },
  { "<｜point｜>", MARK_POINT, FALSE, SL_FORM_WIDE },      { "<｜/point｜>", MARK_POINT, TRUE, SL_FORM_WIDE },
  { "<｜polygon｜>", MARK_POLYGON, FALSE, SL_FORM_WIDE },  { "<｜/polygon｜>", MARK_POLYGON, TRUE, SL_FORM_WIDE },
  { "<ref>", MARK_REF, FALSE, SL_FORM_TAGS },              { "</ref>", MARK_REF, TRUE, SL_FORM_TAGS },
  { "<box>", MARK_BOX, FALSE, SL_FORM_TAGS },              { "</box>", MARK_BOX, TRUE, SL_FORM_TAGS },
};

static const Mark *
mark_at (const SlScan *scan,
         gsize         at)
{
  for (guint i = 0; scan->text[at] == '<' && i < G_N_ELEMENTS (marks); i++)
    {
      gsize n = strlen (marks[i].text);

      if (scan->length - at >= n && memcmp (scan->text + at, marks[i].text, n) == 0)
        return &marks[i];
    }
  return NULL;
}

static gboolean
is_blank (char c)
{
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* ------------------------------------------------------------------------------------------------ spans */

static void
put_span (SlScan     *scan,
          SlSpanKind  kind,
          gsize       start,
          gsize       end,
          int         label,
          gboolean    open)
{
  SlSpan span = { kind, start, end, start, end, label, open };

  if (end > start)
    g_array_append_val (scan->out->spans, span);
}

void
sl_scan_add_span (SlScan     *scan,
                  SlSpanKind  kind,
                  gsize       start,
                  gsize       end,
                  int         label,
                  gboolean    open)
{
  put_span (scan, SL_SPAN_TEXT, scan->plain, start, -1, FALSE);
  put_span (scan, kind, start, end, label, open);
  scan->plain = scan->words = end;
}

int
sl_scan_add_label (SlScan     *scan,
                   gsize       start,
                   gsize       end,
                   gsize       inner_start,
                   gsize       inner_end,
                   const char *words,
                   gboolean    open)
{
  int label = (int) scan->out->labels->len;

  while (inner_start < inner_end && is_blank (scan->text[inner_start]))
    inner_start++;
  while (inner_end > inner_start && is_blank (scan->text[inner_end - 1]))
    inner_end--;
  sl_scan_add_span (scan, SL_SPAN_LABEL, start, end, label, open);
  if (end > start)
    {
      SlSpan *span = &g_array_index (scan->out->spans, SlSpan, scan->out->spans->len - 1);

      span->inner_start = inner_start;
      span->inner_end = inner_end;
    }
  g_ptr_array_add (scan->out->labels, words != NULL ? g_strdup (words) : g_strndup (scan->text + inner_start, inner_end - inner_start));
  return label;
}

/* ------------------------------------------------------------------------------------------------ lists */

gsize
sl_scan_number (const SlScan *scan,
                gsize         at,
                double       *value,
                gboolean     *digits)
{
  gsize end = at, whole;
  double sum = 0, unit = 1;
  gboolean negative;

  if (end < scan->length && (scan->text[end] == '-' || scan->text[end] == '+'))
    end++;
  negative = end > at && scan->text[at] == '-';
  whole = end;
  for (; end < scan->length && g_ascii_isdigit (scan->text[end]); end++)
    sum = MIN (sum * 10 + (scan->text[end] - '0'), 1e9);
  if (end - whole > MOST_DIGITS)
    *digits = TRUE;
  if (end + 1 < scan->length && scan->text[end] == '.' && g_ascii_isdigit (scan->text[end + 1]))
    for (end++; end < scan->length && g_ascii_isdigit (scan->text[end]); end++)
      sum += (scan->text[end] - '0') * (unit /= 10);
  *value = negative ? -sum : sum;
  return end > whole ? end : at;
}

typedef struct
{
  SlScan  *scan;
  SlFound  draft;
  gboolean open; /* something of it has been read */
} Lists;

static void
begin (Lists   *lists,
       gsize    at,
       gboolean bracket)
{
  SlFound *draft = &lists->draft;

  draft->count = 0;
  draft->cut = draft->digits = draft->other = draft->no_closing = FALSE;
  draft->no_brackets = !bracket;
  draft->start = draft->numbers_start = draft->numbers_end = at;
  lists->open = TRUE;
}

static void
finish (Lists *lists,
        gsize  end)
{
  lists->draft.end = end;
  g_array_append_val (lists->scan->found, lists->draft);
  lists->open = FALSE;
}

/* Of a polygon or a point the least and the greatest of each axis. */
static void
take_number (Lists *lists,
             gsize  start,
             gsize  end,
             double value)
{
  SlFound *draft = &lists->draft;
  guint axis = draft->count % 2;

  if (draft->count == 0)
    draft->numbers_start = start;
  if (draft->shape == SL_SHAPE_BOX)
    {
      if (draft->count < 4)
        draft->numbers[draft->count] = value;
    }
  else if (draft->count < 2)
    draft->numbers[axis] = draft->numbers[axis + 2] = value;
  else
    {
      draft->numbers[axis] = MIN (draft->numbers[axis], value);
      draft->numbers[axis + 2] = MAX (draft->numbers[axis + 2], value);
    }
  draft->numbers_end = end;
  draft->count++;
}

/* A box in brackets ends with them, one in tags behind its fourth number; a polygon with the list around its points. */
static void
close_bracket (Lists *lists,
               gsize  end,
               int    depth,
               int    point_depth)
{
  if (!lists->open)
    return;
  if (lists->draft.shape != SL_SHAPE_POLYGON || depth < point_depth - 1)
    finish (lists, end);
}

static void
read_lists (SlScan  *scan,
            gsize    from,
            gsize    to,
            SlForm   form,
            SlShape  shape,
            int      label,
            gboolean cut)
{
  Lists lists = { scan, { .form = form, .shape = shape, .label = label }, FALSE };
  int depth = 0, point_depth = 0;

  for (gsize at = from; at < to;)
    {
      double value;
      gboolean digits = FALSE;
      gsize end = sl_scan_number (scan, at, &value, &digits);

      if (end > at)
        {
          if (!lists.open)
            begin (&lists, at, FALSE);
          point_depth = depth;
          lists.draft.digits |= digits;
          take_number (&lists, at, MIN (end, to), value);
          if (form == SL_FORM_TAGS && lists.draft.count == 4)
            finish (&lists, MIN (end, to));
          at = MIN (end, to);
          continue;
        }
      if (scan->text[at] == '[')
        {
          depth++;
          if (shape != SL_SHAPE_POLYGON || !lists.open || lists.draft.count == 0)
            {
              if (lists.open && lists.draft.count > 0)
                finish (&lists, at);
              begin (&lists, at, TRUE);
            }
        }
      else if (scan->text[at] == ']')
        close_bracket (&lists, at + 1, --depth, point_depth);
      else if (lists.open && g_ascii_isalpha (scan->text[at]))
        lists.draft.other = TRUE;
      at++;
    }
  if (lists.open && (cut || lists.draft.count > 0))
    {
      lists.draft.cut = cut;
      lists.draft.no_closing = !cut && !lists.draft.no_brackets;
      finish (&lists, to);
    }
}

/* ------------------------------------------------------------------------------------------------ marks */

static gsize
find_mark (const SlScan *scan,
           gsize         from,
           const Mark  **mark)
{
  gsize at = from;

  *mark = NULL;
  while (at < scan->length && (*mark = mark_at (scan, at)) == NULL)
    at++;
  return at;
}

/* `<|det|>title [1, 2, 3, 4]`: the words before the first list; `from` where there are none. */
static gsize
find_layout_name (const SlScan *scan,
                  gsize         from,
                  gsize         to)
{
  gsize at = from;

  while (at < to && scan->text[at] != '[')
    at++;
  if (at == to)
    return from;
  for (gsize i = from; i < at; i++)
    if (g_ascii_isalpha (scan->text[i]) || (guchar) scan->text[i] >= 0x80)
      return at;
  return from;
}

/* Behind the list that begins at `from`, blanks skipped; `to` where none begins there or it is not closed before. */
static gsize
list_end (const SlScan *scan,
          gsize         from,
          gsize         to)
{
  int depth = 0;

  while (from < to && is_blank (scan->text[from]))
    from++;
  for (gsize at = from; at < to && (depth > 0 || at == from); at++)
    {
      depth += (scan->text[at] == '[') - (scan->text[at] == ']');
      if (depth == 0)
        return at > from ? at + 1 : to;
    }
  return to;
}

static void
read_marked (SlScan     *scan,
             const Mark *mark)
{
  static const SlShape shapes[] = { SL_SHAPE_BOX, SL_SHAPE_BOX, SL_SHAPE_POINT, SL_SHAPE_POLYGON };
  const Mark *next;
  gsize start = scan->at, inner = start + strlen (mark->text);
  gsize to = find_mark (scan, inner, &next);
  gsize end = next != NULL && next->end ? to + strlen (next->text) : to;
  gboolean open = next == NULL;
  gsize lists;
  SlForm form = mark->form;

  scan->foreign |= mark->form != SL_FORM_MARKED;
  if (mark->kind != MARK_REF && (next == NULL || !next->end) && list_end (scan, inner, to) < to)
    {
      to = end = list_end (scan, inner, to); /* the end mark was forgotten: what follows is text */
      open = FALSE;
    }
  scan->at = end;
  if (mark->kind == MARK_REF)
    {
      scan->label = sl_scan_add_label (scan, start, end, inner, to, NULL, open);
      return;
    }
  lists = mark->kind == MARK_BOX && form == SL_FORM_MARKED ? find_layout_name (scan, inner, to) : inner;
  if (lists > inner)
    {
      scan->foreign = TRUE;
      form = SL_FORM_LAYOUT;
      scan->label = sl_scan_add_label (scan, start, lists, inner, lists, NULL, FALSE);
      start = lists;
    }
  read_lists (scan, lists, to, form, shapes[mark->kind], scan->label, open);
  sl_scan_add_span (scan, SL_SPAN_BOXES, start, end, scan->label, open);
  scan->label = -1;
}

/* ------------------------------------------------------------------------------------------------ lists without marks */

/* The end of a list of numbers, or of a list of lists, that begins at `at` with '['; 0 where it is something else. Each innermost one
 * has four numbers, but for one that the text's end cuts; those of a single list are such as a layout has. */
static gsize
match_list (const SlScan *scan,
            gsize         at,
            gboolean     *nested,
            gboolean     *cut)
{
  int depth = 0;
  guint count = 0;

  *nested = *cut = FALSE;
  while (at < scan->length)
    {
      double value;
      gboolean digits = FALSE;
      gsize end = sl_scan_number (scan, at, &value, &digits);
      char c = scan->text[at];

      if (end > at && (digits || ++count > 4 || (depth == 1 && !(value >= 0 && value <= 999))))
        return 0;
      if (end == at && c == '[' && ((count > 0 && depth > 1) || ++depth > 2))
        return 0;
      if (end == at && c == ']' && ((count != 4 && (depth == 2 || !*nested)) || depth-- == 0))
        return 0;
      if (end == at && !is_blank (c) && c != ',' && c != '[' && c != ']')
        return 0;
      *nested |= depth == 2;
      if (end == at && c == ']')
        {
          if (depth == 0)
            return at + 1;
          count = 0;
        }
      at = MAX (end, at + 1);
    }
  *cut = TRUE;
  return scan->length;
}

/* Where the words right before `at` begin: in the same line, behind the sentence before, behind what was read before. */
static gsize
find_words (const SlScan *scan,
            gsize         at)
{
  gsize from = at, least = MAX (scan->words, at > MOST_WORDS ? at - MOST_WORDS : 0);

  while (from > least && scan->text[from - 1] != '\n'
         && !(strchr (".:;!?", scan->text[from - 1]) != NULL && from < at && is_blank (scan->text[from])))
    from--;
  while (from < at && (is_blank (scan->text[from]) || scan->text[from] == ','))
    from++;
  while (from < at && ((guchar) scan->text[from] & 0xc0) == 0x80) /* the limit cut a character */
    from++;
  return from;
}

/* "title [" at the beginning of a line: the line's beginning, else `at`. */
static gsize
find_line_name (const SlScan *scan,
                gsize         at)
{
  gsize from = at;

  if (at == scan->words || scan->text[at - 1] != ' ')
    return at;
  while (from > scan->words && at - from < MOST_NAME && (g_ascii_isalpha (scan->text[from - 1]) || strchr (" _-", scan->text[from - 1]) != NULL))
    from--;
  return from < at - 1 && (from == 0 || scan->text[from - 1] == '\n') && g_ascii_isalpha (scan->text[from]) ? from : at;
}

/* `dog[[1, 2, 3, 4]]`, whose marks were stripped, and `title [1, 2, 3, 4]text` at the beginning of a line. */
static gboolean
read_unmarked (SlScan *scan)
{
  gboolean nested, cut;
  gsize at = scan->at, name;
  gsize end = match_list (scan, at, &nested, &cut);
  int label = -1;

  if (end == 0 || (!nested && cut))
    return FALSE;
  name = nested ? find_words (scan, at) : find_line_name (scan, at);
  if (!nested && name == at)
    return FALSE;
  scan->foreign = TRUE;
  if (name < at)
    label = sl_scan_add_label (scan, name, at, name, at, NULL, FALSE);
  read_lists (scan, at, end, nested ? SL_FORM_MARKED : SL_FORM_LAYOUT, SL_SHAPE_BOX, label, cut);
  sl_scan_add_span (scan, SL_SPAN_BOXES, at, end, label, cut);
  scan->at = end;
  return TRUE;
}

/* ------------------------------------------------------------------------------------------------ the scan */

static void
scan_text (SlScan *scan)
{
  while (scan->at < scan->length)
    {
      const Mark *mark = mark_at (scan, scan->at);
      char c = scan->text[scan->at];

      if (mark != NULL && !mark->end)
        read_marked (scan, mark);
      else if (mark != NULL)
        scan->at += strlen (mark->text);
      else if (!(c == '{' && sl_scan_object (scan)) && !(c == '[' && read_unmarked (scan)))
        scan->at++;
    }
  put_span (scan, SL_SPAN_TEXT, scan->plain, scan->length, -1, FALSE);
}

gboolean
sl_dialect_read (SlGrounding      *out,
                 const SlBoxSpace *space)
{
  g_autoptr (GArray) found = g_array_new (FALSE, TRUE, sizeof (SlFound));
  SlScan scan = { .out = out, .text = out->text, .length = strlen (out->text), .label = -1, .found = found };
  gboolean own = (space->scale == SL_BOX_SCALE_AUTO || space->scale == SL_BOX_SCALE_999) && space->order != SL_BOX_ORDER_Y_FIRST;

  scan_text (&scan);
  if (!scan.foreign && own)
    {
      g_array_set_size (out->spans, 0);
      g_ptr_array_set_size (out->labels, 0);
      return FALSE;
    }
  out->space = sl_found_resolve_space (found, space);
  for (guint i = 0; i < found->len; i++)
    {
      SlBox box = sl_found_place (&g_array_index (found, SlFound, i), &out->space, out);

      g_array_append_val (out->boxes, box);
    }
  return TRUE;
}
