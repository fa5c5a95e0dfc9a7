/* SPDX-License-Identifier: MIT
 *
 * Reads the size that a drawing says it has. Only what stands before the end of the root's start tag is looked at.
 */
#include "app/pictures/sl-picture-svg.h"

#include <string.h>

static const char *
skip_past (const char *p,
           const char *end,
           const char *mark)
{
  const char *found = memmem (p, end - p, mark, strlen (mark));

  return found != NULL ? found + strlen (mark) : end;
}

/* Past the internal subset, if there is one. */
static const char *
skip_doctype (const char *p,
              const char *end)
{
  int depth = 0;

  for (; p < end; p++)
    {
      if (*p == '[')
        depth++;
      else if (*p == ']')
        depth--;
      else if (*p == '>' && depth <= 0)
        return p + 1;
    }

  return end;
}

static gboolean
is_name_character (char c)
{
  return g_ascii_isalnum (c) || c == '_' || c == '-' || c == ':' || c == '.';
}

/* Behind the name of the root element, NULL if that is not svg. */
static const char *
find_root (const char *p,
           const char *end)
{
  const char *name;

  if (end - p >= 3 && memcmp (p, "\xef\xbb\xbf", 3) == 0)
    p += 3;

  while (p < end)
    {
      if (g_ascii_isspace (*p))
        p++;
      else if (end - p >= 2 && memcmp (p, "<?", 2) == 0)
        p = skip_past (p, end, "?>");
      else if (end - p >= 4 && memcmp (p, "<!--", 4) == 0)
        p = skip_past (p, end, "-->");
      else if (end - p >= 9 && g_ascii_strncasecmp (p, "<!DOCTYPE", 9) == 0)
        p = skip_doctype (p, end);
      else
        break;
    }

  if (p >= end || *p != '<')
    return NULL;

  name = ++p;
  while (p < end && is_name_character (*p))
    {
      if (*p++ == ':')
        name = p;
    }

  return p - name == 3 && memcmp (name, "svg", 3) == 0 ? p : NULL;
}

gboolean
sl_picture_svg_sniff (const char *text,
                      gsize       length)
{
  return find_root (text, text + length) != NULL;
}

typedef struct
{
  const char *name, *name_end;
  const char *value, *value_end; /* between the quotes */
} Attribute;

/* The attribute that begins at or behind p; where the next one may, or NULL at the end of the tag and where it is no XML. */
static const char *
next_attribute (const char *p,
                const char *end,
                Attribute  *attribute)
{
  while (p < end && g_ascii_isspace (*p))
    p++;
  attribute->name = p;
  while (p < end && is_name_character (*p))
    p++;
  attribute->name_end = p;
  while (p < end && g_ascii_isspace (*p))
    p++;
  if (p == attribute->name || p >= end || *p++ != '=')
    return NULL;
  while (p < end && g_ascii_isspace (*p))
    p++;
  if (p >= end || (*p != '"' && *p != '\''))
    return NULL;

  attribute->value = p + 1;
  attribute->value_end = memchr (p + 1, *p, end - p - 1);

  return attribute->value_end != NULL ? attribute->value_end + 1 : NULL;
}

static gboolean
is_called (const Attribute *attribute,
           const char      *name)
{
  gsize length = attribute->name_end - attribute->name;

  return length == strlen (name) && memcmp (attribute->name, name, length) == 0;
}

/* A length that stands for itself begins with its number and ends with no per cent. */
static gboolean
is_absolute (const Attribute *attribute)
{
  const char *first = attribute->value, *last = attribute->value_end;

  while (first < last && g_ascii_isspace (*first))
    first++;
  while (first < last && g_ascii_isspace (last[-1]))
    last--;

  return first < last && last[-1] != '%' && (g_ascii_isdigit (*first) || strchr ("+-.", *first) != NULL);
}

static guint
edit_side (const char      *text,
           const char      *root,
           const Attribute *side,
           const char      *name,
           const char      *length,
           SlPictureEdit   *edit)
{
  if (side->name == NULL)
    {
      edit->at = root - text;
      edit->skip = 0;
      edit->length = g_snprintf (edit->text, sizeof edit->text, " %s=\"%s\"", name, length);
      return 1;
    }
  if (is_absolute (side))
    return 0;

  edit->at = side->value - text;
  edit->skip = side->value_end - side->value;
  edit->length = g_strlcpy (edit->text, length, sizeof edit->text);
  return 1;
}

guint
sl_picture_svg_size_edits (const char    *text,
                           gsize          length,
                           SlPictureEdit  edits[2])
{
  const char *end = text + length;
  const char *root = find_root (text, end);
  const char *p = root;
  Attribute attribute, width = { 0 }, height = { 0 };
  guint n;

  while (p != NULL && (p = next_attribute (p, end, &attribute)) != NULL)
    {
      if (is_called (&attribute, "viewBox"))
        return 0;
      if (is_called (&attribute, "width"))
        width = attribute;
      else if (is_called (&attribute, "height"))
        height = attribute;
    }
  if (root == NULL)
    return 0;

  n = edit_side (text, root, &width, "width", SL_PICTURE_SVG_DEFAULT_WIDTH, &edits[0]);
  n += edit_side (text, root, &height, "height", SL_PICTURE_SVG_DEFAULT_HEIGHT, &edits[n]);
  if (n == 2 && edits[1].at < edits[0].at)
    {
      SlPictureEdit first = edits[1];

      edits[1] = edits[0];
      edits[0] = first;
    }

  return n;
}
