/* SPDX-License-Identifier: MIT
 *
 * {"bbox_2d": [1, 2, 3, 4], "label": "x"} and its relatives inside of an answer, also while it is still being written. jansson says
 * what an object holds, the scan only looks up where. See sl-grounding-private.h.
 */
#include "app/prompt/sl-grounding-private.h"

#include <string.h>

#include <jansson.h>

#define OBJECT_LIMIT 4096 /* bytes; keeps the scan linear */

static const struct
{
  const char *key;
  SlForm      form;
  guint       count;
} places[] = {
  { "bbox_2d", SL_FORM_BBOX_2D, 4 }, { "box_2d", SL_FORM_BOX_2D, 4 }, { "bbox", SL_FORM_BBOX_2D, 4 }, { "point_2d", SL_FORM_BBOX_2D, 2 },
};
static const char *const label_keys[] = { "label", "text_content", "text" };

/* Behind `"key" :` and blanks in [from, to); `to` if it is not there. */
static gsize
find_value (const SlScan *scan,
            gsize         from,
            gsize         to,
            const char   *key)
{
  g_autofree char *quoted = g_strdup_printf ("\"%s\"", key);
  gsize n = strlen (quoted);

  for (gsize at = from; at + n <= to; at++)
    if (scan->text[at] == '"' && memcmp (scan->text + at, quoted, n) == 0)
      {
        gsize value = at + n;

        while (value < to && strchr (" \t\r\n", scan->text[value]) != NULL)
          value++;
        if (value == to || scan->text[value] != ':')
          continue;
        for (value++; value < to && strchr (" \t\r\n", scan->text[value]) != NULL;)
          value++;
        return value;
      }
  return to;
}

static gsize
string_end (const SlScan *scan,
            gsize         at,
            gsize         to)
{
  for (at++; at < to && scan->text[at] != '"'; at++)
    if (scan->text[at] == '\\')
      at++;
  return MIN (at, to);
}

static gsize
list_end (const SlScan *scan,
          gsize         at,
          gsize         to)
{
  int depth = 0;

  for (; at < to; at++)
    {
      depth += (scan->text[at] == '[') - (scan->text[at] == ']');
      if (depth == 0)
        return at + 1;
    }
  return to;
}

/* "```json\n[\n" before the first object of a list belongs to it, so that it is not shown as text. */
static gsize
list_start (const SlScan *scan)
{
  gsize at = scan->at, bracket;

  while (at > scan->plain && strchr (" \t\r\n", scan->text[at - 1]) != NULL)
    at--;
  if (at == scan->plain || scan->text[at - 1] != '[')
    return scan->at;
  bracket = --at;
  while (at > scan->plain && strchr (" \t\r\n", scan->text[at - 1]) != NULL)
    at--;
  if (at >= scan->plain + 4 && memcmp (scan->text + at - 4, "json", 4) == 0)
    at -= 4;
  return at >= scan->plain + 3 && memcmp (scan->text + at - 3, "```", 3) == 0 ? at - 3 : bracket;
}

/* "\n]\n```" behind the last one likewise. */
static gsize
skip_list_end (const SlScan *scan,
               gsize         end)
{
  gsize at = end;

  while (at < scan->length && strchr (" \t\r\n", scan->text[at]) != NULL && scan->text[at] != '\0')
    at++;
  if (at == scan->length || scan->text[at] != ']')
    return end;
  end = ++at;
  while (at < scan->length && scan->text[at] != '\0' && strchr (" \t\r\n", scan->text[at]) != NULL)
    at++;
  return at + 3 <= scan->length && memcmp (scan->text + at, "```", 3) == 0 ? at + 3 : end;
}

static void
add_numbers (SlScan *scan,
             gsize   from,
             gsize   to,
             guint   place,
             int     label,
             gboolean cut)
{
  SlFound found = { .form = places[place].form, .shape = places[place].count == 2 ? SL_SHAPE_POINT : SL_SHAPE_BOX, .label = label,
                    .cut = cut, .start = from, .end = to, .numbers_start = from, .numbers_end = from };

  for (gsize at = from; at < to;)
    {
      double value;
      gsize end = sl_scan_number (scan, at, &value, &found.digits);

      if (end == at)
        {
          found.other |= g_ascii_isalpha (scan->text[at]) || scan->text[at] == '"';
          at++;
          continue;
        }
      if (found.count == 0)
        found.numbers_start = at;
      if (found.count < 4)
        found.numbers[found.count] = value;
      found.count++;
      found.numbers_end = at = MIN (end, to);
    }
  if (found.shape == SL_SHAPE_POINT)
    memcpy (found.numbers + 2, found.numbers, 2 * sizeof (double));
  g_array_append_val (scan->found, found);
}

/* The object [at, end) is whole. */
static void
add_object (SlScan *scan,
            json_t *object,
            gsize   end,
            guint   place)
{
  gsize at = scan->at, start = list_start (scan), full = skip_list_end (scan, end);
  gsize numbers = find_value (scan, at, end, places[place].key), label_at = end, label_end;
  const char *words = NULL;
  int label = -1;

  for (guint i = 0; i < G_N_ELEMENTS (label_keys) && words == NULL; i++)
    {
      words = json_string_value (json_object_get (object, label_keys[i]));
      label_at = words != NULL ? find_value (scan, at, end, label_keys[i]) : end;
    }
  if (label_at < end)
    {
      label_end = string_end (scan, label_at, end);
      label = sl_scan_add_label (scan, start, MIN (label_end + 1, end), label_at + 1, label_end, words, FALSE);
      start = MIN (label_end + 1, end);
    }
  add_numbers (scan, numbers, list_end (scan, numbers, end), place, label, FALSE);
  sl_scan_add_span (scan, SL_SPAN_BOXES, start, full, label, FALSE);
  scan->at = full;
}

gboolean
sl_scan_object (SlScan *scan)
{
  gsize left = scan->length - scan->at, limit = MIN (left, OBJECT_LIMIT);
  json_error_t error;
  json_t *object = json_loadb (scan->text + scan->at, limit, JSON_DISABLE_EOF_CHECK, &error);
  gboolean cut = object == NULL && limit == left && json_error_code (&error) == json_error_premature_end_of_input;
  gsize end = object != NULL ? scan->at + (gsize) error.position : scan->length;
  guint place = 0;

  for (; place < G_N_ELEMENTS (places); place++)
    if (object != NULL ? json_is_array (json_object_get (object, places[place].key))
                       : cut && find_value (scan, scan->at, scan->length, places[place].key) < scan->length)
      break;
  if (place < G_N_ELEMENTS (places) && object != NULL)
    add_object (scan, object, end, place);
  else if (place < G_N_ELEMENTS (places))
    {
      add_numbers (scan, find_value (scan, scan->at, end, places[place].key), end, place, -1, TRUE);
      sl_scan_add_span (scan, SL_SPAN_BOXES, list_start (scan), end, -1, TRUE);
      scan->at = end;
    }
  scan->foreign |= place < G_N_ELEMENTS (places);
  json_decref (object);
  return place < G_N_ELEMENTS (places);
}
