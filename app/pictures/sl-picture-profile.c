/* SPDX-License-Identifier: MIT
 *
 * ICC.1:2010, 7.2: the profile's header; PNG (Second Edition), 5.3 and 11.3.3.3: chunks, and iCCP.
 */
#include "app/pictures/sl-picture-profile.h"

#include <string.h>

#include <gio/gio.h>

#define HEADER_BYTES 132 /* with the number of tags */
#define SPACE_AT     16
#define SIGNATURE_AT 36

static guint32
read_u32 (const guint8 *at)
{
  return (guint32) at[0] << 24 | (guint32) at[1] << 16 | (guint32) at[2] << 8 | at[3];
}

static void
append_u32 (GByteArray *to,
            guint32     value)
{
  value = GUINT32_TO_BE (value);
  g_byte_array_append (to, (const guint8 *) &value, sizeof value);
}

GBytes *
sl_picture_profile_read (GdkPixbuf *pixbuf)
{
  const char *text = gdk_pixbuf_get_option (pixbuf, "icc-profile");
  g_autofree guint8 *profile = NULL;
  gsize size;

  if (text == NULL)
    return NULL;
  profile = g_base64_decode (text, &size);
  if (size < HEADER_BYTES || read_u32 (profile) != size || memcmp (profile + SPACE_AT, "RGB ", 4) != 0 ||
      memcmp (profile + SIGNATURE_AT, "acsp", 4) != 0)
    return NULL;

  return g_bytes_new_take (g_steal_pointer (&profile), size);
}

static guint32
get_crc (const guint8 *data,
         gsize         size)
{
  guint32 crc = 0xffffffff;

  for (gsize i = 0; i < size; i++)
    {
      crc ^= data[i];
      for (int bit = 0; bit < 8; bit++)
        crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }

  return ~crc;
}

GBytes *
sl_picture_profile_to_chunk (GBytes *profile)
{
  static const char head[] = "iCCPICC profile\0"; /* the type, the name, the method of compression */
  g_autoptr(GOutputStream) packed = g_memory_output_stream_new_resizable ();
  g_autoptr(GZlibCompressor) zlib = g_zlib_compressor_new (G_ZLIB_COMPRESSOR_FORMAT_ZLIB, 9);
  g_autoptr(GOutputStream) stream = g_converter_output_stream_new (packed, G_CONVERTER (zlib));
  GByteArray *chunk = g_byte_array_new ();
  gsize size;
  const void *data = g_bytes_get_data (profile, &size);

  g_output_stream_write_all (stream, data, size, NULL, NULL, NULL); /* into memory: cannot fail */
  g_output_stream_close (stream, NULL, NULL);
  size = g_memory_output_stream_get_data_size (G_MEMORY_OUTPUT_STREAM (packed));

  append_u32 (chunk, sizeof head - 4 + size);
  g_byte_array_append (chunk, (const guint8 *) head, sizeof head);
  g_byte_array_append (chunk, g_memory_output_stream_get_data (G_MEMORY_OUTPUT_STREAM (packed)), size);
  append_u32 (chunk, get_crc (chunk->data + 4, chunk->len - 4));

  return g_byte_array_free_to_bytes (chunk);
}
