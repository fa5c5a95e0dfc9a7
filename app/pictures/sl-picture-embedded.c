/* SPDX-License-Identifier: MIT
 *
 * Measures the pictures inside of a drawing by their headers, before librsvg decodes them. Whatever could hide the address of one from
 * this search (an entity, an encoding, a packed drawing) makes the drawing one of which it cannot be told.
 */
#include "app/pictures/sl-picture-embedded.h"

#include <string.h>

#include "app/pictures/sl-picture-private.h"

#define MAX_DEPTH 4

static void
on_size_prepared (GdkPixbufLoader *loader,
                  int              width,
                  int              height,
                  gpointer         user_data)
{
  guint64 *pixels = user_data;

  *pixels = (guint64) MAX (width, 0) * (guint64) MAX (height, 0);
  gdk_pixbuf_loader_set_size (loader, 0, 0);
}

/* The size that the header of a picture announces, 0 if it is none. */
static guint64
measure (const guint8 *data,
         gsize         size)
{
  g_autoptr (GdkPixbufLoader) loader = gdk_pixbuf_loader_new ();
  guint64 pixels = 0;

  g_signal_connect (loader, "size-prepared", G_CALLBACK (on_size_prepared), &pixels);
  for (gsize at = 0; at < size && pixels == 0; at += SL_PICTURE_CHUNK_BYTES)
    {
      if (!gdk_pixbuf_loader_write (loader, data + at, MIN (SL_PICTURE_CHUNK_BYTES, size - at), NULL))
        break;
    }
  gdk_pixbuf_loader_close (loader, NULL);

  return pixels;
}

/* ------------------------------------------------------------------------------------------------ text */

/* The text as an address is read: numeric references are characters, tabs and line ends count for nothing. */
static GString *
flatten (const char *text,
         gsize       size)
{
  GString *flat = g_string_sized_new (size);
  const char *end = text + size;

  for (const char *at = text; at < end;)
    {
      guint64 character = (guchar) *at;
      char *after = NULL;

      if (*at == '&' && end - at > 3 && at[1] == '#')
        {
          g_autofree char *digits = g_strndup (at + 2, MIN (12, end - at - 2));
          gboolean hex = *digits == 'x';
          guint64 number = g_ascii_strtoull (digits + hex, &after, hex ? 16 : 10);

          if (after > digits + hex && *after == ';')
            {
              character = number < 128 ? number : '?';
              at += 2 + (after - digits);
            }
        }
      at++;
      if (character != '\t' && character != '\n' && character != '\r')
        g_string_append_c (flat, (char) character);
    }

  return flat;
}

static gboolean
contains (const char *text,
          const char *word)
{
  gsize length = strlen (word);

  for (; *text != '\0'; text++)
    if (g_ascii_strncasecmp (text, word, length) == 0)
      return TRUE;
  return FALSE;
}

/* Entities as drawing programs write them stand for the addresses of name spaces; others could spell a picture's address. */
static gboolean
has_odd_entity (const char *text)
{
  while ((text = strstr (text, "<!ENTITY")) != NULL)
    {
      text += strcspn (text, "\"'>");
      if (*text == '>' || *text == '\0')
        return TRUE;
      text++;
      if (!g_str_has_prefix (text, "http://") && !g_str_has_prefix (text, "https://"))
        return TRUE;
    }
  return FALSE;
}

/* One in which letters are not bytes of ASCII. */
static gboolean
has_odd_encoding (const char *text)
{
  static const char *const plain[] = { "utf-8", "utf8", "us-ascii", "ascii", "iso-8859-", "latin", "windows-125" };
  const char *end = g_str_has_prefix (text, "<?xml") ? strstr (text, "?>") : NULL;
  const char *encoding = end != NULL ? strstr (text, "encoding") : NULL;

  if (encoding == NULL || encoding > end)
    return FALSE;
  encoding += strcspn (encoding, "\"'");
  for (guint i = 0; *encoding != '\0' && i < G_N_ELEMENTS (plain); i++)
    if (g_ascii_strncasecmp (encoding + 1, plain[i], strlen (plain[i])) == 0)
      return FALSE;
  return TRUE;
}

/* ------------------------------------------------------------------------------------------------ addresses */

static guint8 *
unescape (const char *body,
          gsize       length,
          gsize      *size)
{
  guint8 *bytes = g_malloc (length + 1);
  gsize n = 0;

  for (gsize i = 0; i < length; i++)
    if (body[i] == '%' && i + 2 < length && g_ascii_isxdigit (body[i + 1]) && g_ascii_isxdigit (body[i + 2]))
      {
        bytes[n++] = g_ascii_xdigit_value (body[i + 1]) << 4 | g_ascii_xdigit_value (body[i + 2]);
        i += 2;
      }
    else
      bytes[n++] = body[i];
  bytes[n] = '\0';
  *size = n;
  return bytes;
}

static gboolean
is_base64 (const char *header,
           gsize       length)
{
  while (length > 0 && header[length - 1] == ' ')
    length--;
  return length >= 6 && g_ascii_strncasecmp (header + length - 6, "base64", 6) == 0;
}

static guint64 count (const char *text,
                      gsize       size,
                      guint64     enough,
                      guint       depth);

/* body: what follows "data:" in an address. */
static guint64
count_address (const char *address,
               gsize       length,
               guint64     enough,
               guint       depth)
{
  const char *comma = memchr (address, ',', length);
  g_autofree guint8 *data = NULL;
  gsize size;

  if (comma == NULL)
    return 0;
  data = unescape (comma + 1, length - (comma + 1 - address), &size);
  if (is_base64 (address, comma - address))
    {
      guint8 *decoded = g_base64_decode ((char *) data, &size);

      g_free (data);
      data = decoded;
    }
  if (size >= 2 && data[0] == 0x1f && data[1] == 0x8b)
    return SL_PICTURE_EMBEDDED_UNKNOWN; /* packed */
  if (memmem (data, size, "<svg", 4) != NULL || memmem (data, size, ":svg", 4) != NULL)
    return depth < MAX_DEPTH ? count ((char *) data, size, enough, depth + 1) : SL_PICTURE_EMBEDDED_UNKNOWN;
  return measure (data, size);
}

static guint64
count (const char *text,
       gsize       size,
       guint64     enough,
       guint       depth)
{
  g_autoptr (GString) flat = flatten (text, size);
  guint64 pixels = 0;

  if (has_odd_encoding (flat->str) || (has_odd_entity (flat->str) && contains (flat->str, "image")))
    return SL_PICTURE_EMBEDDED_UNKNOWN;
  for (const char *at = flat->str; *at != '\0' && pixels <= enough; at++)
    {
      const char *before = at;
      guint64 more;
      gsize length;

      if (g_ascii_strncasecmp (at, "data:", 5) != 0)
        continue;
      while (before > flat->str && before[-1] == ' ')
        before--;
      /* It goes on to the quote that it began with. */
      length = before > flat->str && before[-1] == '\'' ? strcspn (at, "'") : strcspn (at, "\"");
      more = count_address (at + 5, length - 5, enough, depth);
      if (more == SL_PICTURE_EMBEDDED_UNKNOWN)
        return more;
      pixels += more;
      at += 4;
    }

  return pixels;
}

guint64
sl_picture_embedded_count_pixels (const char *text,
                                  gsize       size,
                                  guint64     enough)
{
  return count (text, size, enough, 0);
}
