/* SPDX-License-Identifier: MIT
 *
 * data:[type][;name=value]…[;base64],data. Base64 is strict but for missing padding and for white space, which some clients put into
 * it as in mail; what is not base64 is percent-encoded bytes.
 */
#include "app/server/sl-data-url.h"

#include <string.h>

#include <glib/gi18n-lib.h>

static gboolean
fail (GError     **error,
      int          code,
      const char  *sentence)
{
  g_set_error_literal (error, G_IO_ERROR, code, sentence);
  return FALSE;
}

static int
digit_of (char c)
{
  if (c >= 'A' && c <= 'Z')
    return c - 'A';
  if (c >= 'a' && c <= 'z')
    return c - 'a' + 26;
  if (c >= '0' && c <= '9')
    return c - '0' + 52;
  if (c == '+' || c == '-')
    return 62;
  return c == '/' || c == '_' ? 63 : -1;
}

static gboolean
decode_base64 (const char  *text,
               gsize        length,
               GByteArray  *out,
               GError     **error)
{
  guint32 bits = 0;
  guint n_bits = 0;
  gsize i;

  for (i = 0; i < length && text[i] != '='; i++)
    {
      int digit = digit_of (text[i]);
      guint8 byte;

      if (g_ascii_isspace (text[i]))
        continue;
      if (digit < 0)
        return fail (error, G_IO_ERROR_INVALID_DATA, _("The data address holds something that is not base64."));
      bits = (bits << 6 | (guint32) digit) & 0xffff;
      n_bits += 6;
      if (n_bits < 8)
        continue;
      n_bits -= 8;
      byte = (guint8) (bits >> n_bits);
      g_byte_array_append (out, &byte, 1);
    }
  for (; i < length; i++)
    if (text[i] != '=' && !g_ascii_isspace (text[i]))
      return fail (error, G_IO_ERROR_INVALID_DATA, _("The data address goes on behind the end of its base64."));
  if (n_bits >= 6)
    return fail (error, G_IO_ERROR_INVALID_DATA, _("The base64 of the data address ends early."));
  return TRUE;
}

static gboolean
decode_percent (const char  *text,
                gsize        length,
                GByteArray  *out,
                GError     **error)
{
  for (gsize i = 0; i < length; i++)
    {
      guint8 byte = (guint8) text[i];

      if (byte == '%')
        {
          if (length - i < 3 || !g_ascii_isxdigit (text[i + 1]) || !g_ascii_isxdigit (text[i + 2]))
            return fail (error, G_IO_ERROR_INVALID_DATA, _("The data address has a “%” without two digits."));
          byte = (guint8) (g_ascii_xdigit_value (text[i + 1]) << 4 | g_ascii_xdigit_value (text[i + 2]));
          i += 2;
        }
      g_byte_array_append (out, &byte, 1);
    }
  return TRUE;
}

GBytes *
sl_data_url_decode (const char  *url,
                    gsize        length,
                    gsize        max_bytes,
                    GError     **error)
{
  const char *comma = length >= 5 && g_ascii_strncasecmp (url, "data:", 5) == 0 ? memchr (url, ',', length) : NULL;
  g_autoptr (GByteArray) out = NULL;
  gsize head, rest;
  gboolean base64, good;

  if (comma == NULL)
    {
      fail (error, G_IO_ERROR_INVALID_DATA, _("This is no data address."));
      return NULL;
    }
  head = comma - url;
  rest = length - head - 1;
  base64 = head >= 7 && g_ascii_strncasecmp (comma - 7, ";base64", 7) == 0;
  if (rest / 4 * (base64 ? 3 : 4) > max_bytes)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE, _("The data address holds more than %zu bytes."),
                   max_bytes);
      return NULL;
    }
  out = g_byte_array_sized_new ((guint) MIN (rest, G_MAXINT));
  good = base64 ? decode_base64 (comma + 1, rest, out, error) : decode_percent (comma + 1, rest, out, error);
  return good ? g_byte_array_free_to_bytes (g_steal_pointer (&out)) : NULL;
}
