/* SPDX-License-Identifier: MIT
 *
 * The tokens, alternatives and coordinates of an answer as bytes, for the store and for files. All numbers are little-endian, floats
 * IEEE 754; entries follow each other without padding, by ascending token. Any thread that owns the value.
 *
 *   tokens         id i32, log-probability f32, end u32
 *   alternatives   token u32, id i32, log-probability f32, length u16, text (UTF-8, `length` bytes)
 *   coordinates    token u32, index u8, whole u8, mass f32, expected f32, deviation f32, digits 10 × f32
 *
 * A format is never changed: another one gets another column.
 */
#include "app/generation/sl-generation.h"

#include <string.h>

#define TOKEN_BYTES       12
#define COORDINATE_FLOATS 13
#define COORDINATE_BYTES  (6 + 4 * COORDINATE_FLOATS)
#define ALTERNATIVE_BYTES 14 /* without the text */

static void
put_u16 (GByteArray *bytes,
         guint16     value)
{
  guint16 word = GUINT16_TO_LE (value);

  g_byte_array_append (bytes, (const guint8 *) &word, sizeof word);
}

static void
put_u32 (GByteArray *bytes,
         guint32     value)
{
  guint32 word = GUINT32_TO_LE (value);

  g_byte_array_append (bytes, (const guint8 *) &word, sizeof word);
}

static void
put_float (GByteArray *bytes,
           float       value)
{
  guint32 word;

  memcpy (&word, &value, sizeof word);
  put_u32 (bytes, word);
}

static guint16
get_u16 (const guint8 *bytes)
{
  guint16 word;

  memcpy (&word, bytes, sizeof word);
  return GUINT16_FROM_LE (word);
}

static guint32
get_u32 (const guint8 *bytes)
{
  guint32 word;

  memcpy (&word, bytes, sizeof word);
  return GUINT32_FROM_LE (word);
}

static float
get_float (const guint8 *bytes)
{
  guint32 word = get_u32 (bytes);
  float value;

  memcpy (&value, &word, sizeof value);
  return value;
}

GByteArray *
sl_generation_pack_tokens (const SlGeneration *self)
{
  GByteArray *bytes = g_byte_array_sized_new (self->tokens->len * TOKEN_BYTES);

  for (guint i = 0; i < self->tokens->len; i++)
    {
      const SlTokenMark *mark = &g_array_index (self->tokens, SlTokenMark, i);

      put_u32 (bytes, (guint32) mark->id);
      put_float (bytes, mark->logprob);
      put_u32 (bytes, mark->end);
    }
  return bytes;
}

void
sl_generation_unpack_tokens (SlGeneration *self,
                             const guint8 *bytes,
                             gsize         length)
{
  for (gsize at = 0; length - at >= TOKEN_BYTES; at += TOKEN_BYTES)
    {
      SlTokenMark mark = { (gint32) get_u32 (bytes + at), get_float (bytes + at + 4), get_u32 (bytes + at + 8) };

      g_array_append_val (self->tokens, mark);
    }
}

GByteArray *
sl_generation_pack_alternatives (const SlGeneration *self)
{
  GByteArray *bytes = g_byte_array_new ();

  for (guint i = 0; i < self->alternatives->len; i++)
    {
      const SlAlternative *alternative = &g_array_index (self->alternatives, SlAlternative, i);
      gsize length = MIN (strlen (alternative->text), G_MAXUINT16);

      put_u32 (bytes, alternative->token);
      put_u32 (bytes, (guint32) alternative->id);
      put_float (bytes, alternative->logprob);
      put_u16 (bytes, length);
      g_byte_array_append (bytes, (const guint8 *) alternative->text, length);
    }
  return bytes;
}

void
sl_generation_unpack_alternatives (SlGeneration *self,
                                   const guint8 *bytes,
                                   gsize         length)
{
  gsize at = 0;

  while (length - at >= ALTERNATIVE_BYTES)
    {
      gsize n_text = get_u16 (bytes + at + 12);
      g_autofree char *text = NULL;

      if (n_text > length - at - ALTERNATIVE_BYTES)
        return;
      text = g_utf8_make_valid ((const char *) bytes + at + ALTERNATIVE_BYTES, n_text);
      sl_generation_add_alternative (self, get_u32 (bytes + at), (gint32) get_u32 (bytes + at + 4), get_float (bytes + at + 8), text);
      at += ALTERNATIVE_BYTES + n_text;
    }
}

GByteArray *
sl_generation_pack_coordinates (const SlGeneration *self)
{
  GByteArray *bytes = g_byte_array_sized_new (self->coordinates->len * COORDINATE_BYTES);

  for (guint i = 0; i < self->coordinates->len; i++)
    {
      const SlCoordinate *coordinate = &g_array_index (self->coordinates, SlCoordinate, i);
      const guint8 flags[2] = { coordinate->index, coordinate->whole != FALSE };

      put_u32 (bytes, coordinate->token);
      g_byte_array_append (bytes, flags, sizeof flags);
      put_float (bytes, coordinate->mass);
      put_float (bytes, coordinate->expected);
      put_float (bytes, coordinate->deviation);
      for (guint d = 0; d < G_N_ELEMENTS (coordinate->digits); d++)
        put_float (bytes, coordinate->digits[d]);
    }
  return bytes;
}

void
sl_generation_unpack_coordinates (SlGeneration *self,
                                  const guint8 *bytes,
                                  gsize         length)
{
  for (gsize at = 0; length - at >= COORDINATE_BYTES; at += COORDINATE_BYTES)
    {
      SlCoordinate coordinate = {
        .token = get_u32 (bytes + at), .index = MIN (bytes[at + 4], 3), .whole = bytes[at + 5] != 0,
        .mass = get_float (bytes + at + 6), .expected = get_float (bytes + at + 10), .deviation = get_float (bytes + at + 14),
      };

      for (guint d = 0; d < G_N_ELEMENTS (coordinate.digits); d++)
        coordinate.digits[d] = get_float (bytes + at + 18 + 4 * d);
      g_array_append_val (self->coordinates, coordinate);
    }
}
