/* SPDX-License-Identifier: MIT
 *
 * Scales rows of packed pixels. Two passes per row: the two rows of the picture that it lies between become one, then the two
 * columns of each pixel. Weights have 8 bits; the places are found with doubles once per row and column.
 */
#include "ui/pictures/sl-resample.h"

#include <math.h>
#include <string.h>

/* Bytes mixed at a time: a fixed count that compilers turn into vector instructions. */
#define BLOCK 64

/* Between which two pixels a place lies; `weight` of the second, 0…256. */
typedef struct
{
  guint32 first, second;
  guint32 weight;
} Between;

/* Place @at of the surface on one axis, whose picture of @n pixels begins at @origin and takes @length there. */
static Between
find_between (int      at,
              double   origin,
              double   length,
              int      n,
              gboolean nearest)
{
  double place = (at + 0.5 - origin) * n / length - 0.5;
  double below = nearest ? floor (place + 0.5) : floor (place);
  int first = CLAMP (below, 0, n - 1);
  int second = nearest ? first : CLAMP (below + 1, 0, n - 1);

  return (Between) { first, second, second > first ? (guint32) ((place - below) * 256 + 0.5) : 0 };
}

/* @count is a multiple of BLOCK. */
static void
mix_rows (guint8       *restrict mixed,
          const guint8 *restrict top,
          const guint8 *restrict bottom,
          gsize         count,
          guint16       weight)
{
  for (; count > 0; count -= BLOCK, mixed += BLOCK, top += BLOCK, bottom += BLOCK)
    for (int i = 0; i < BLOCK; i++)
      mixed[i] = (guint8) ((guint16) (top[i] * (guint16) (256 - weight) + bottom[i] * (guint16) weight + 128) >> 8);
}

/* The picture's row that lies at @between, @count bytes from @offset on. Whole blocks at a time may be read, except at
 * the very end of the picture. */
static void
get_row (const SlRgb   *picture,
         const Between *between,
         gsize          offset,
         gsize          count,
         guint8        *row)
{
  const guint8 *top = picture->pixels + between->first * picture->stride + offset;
  const guint8 *bottom = picture->pixels + between->second * picture->stride + offset;
  gsize left = (picture->height - 1 - between->second) * picture->stride + picture->width * 3 - offset;
  gsize whole = MIN (count + BLOCK - 1, left) / BLOCK * BLOCK;

  if (between->weight == 0)
    {
      memcpy (row, top, count);
      return;
    }
  mix_rows (row, top, bottom, whole, between->weight);
  for (gsize i = whole; i < count; i++)
    row[i] = (guint8) ((top[i] * (256 - between->weight) + bottom[i] * between->weight + 128) >> 8);
}

/* Red, blue and green of the pixel that begins at @bytes, 16 bits each; one byte more than the pixel is read. */
static guint64
spread (const guint8 *bytes)
{
  guint32 pixel;

  memcpy (&pixel, bytes, sizeof pixel);
  pixel = GUINT32_FROM_LE (pixel);
  return (pixel & 0xff00ff) | (guint64) (pixel & 0xff00) << 24;
}

/* All three colours in one multiplication: a sum of weights of 256 keeps each within its 16 bits. */
static void
mix_columns (const guint8  *restrict row,
             const Between *restrict columns,
             guint32       *restrict out,
             int            n)
{
  for (int x = 0; x < n; x++)
    {
      guint32 weight = columns[x].weight;
      guint64 mixed = spread (row + columns[x].first) * (256 - weight) + spread (row + columns[x].second) * weight +
                      G_GUINT64_CONSTANT (0x8000800080);

      out[x] = (guint32) ((mixed & 0xff00) << 8 | (mixed >> 32 & 0xff00) | (mixed >> 24 & 0xff));
    }
}

static void
pick_columns (const guint8  *restrict row,
              const Between *restrict columns,
              guint32       *restrict out,
              int            n)
{
  for (int x = 0; x < n; x++)
    {
      const guint8 *pixel = row + columns[x].first;

      out[x] = (guint32) pixel[0] << 16 | (guint32) pixel[1] << 8 | pixel[2];
    }
}

void
sl_resample (const SlRgb                 *picture,
             const SlPlacement           *placement,
             cairo_surface_t             *surface,
             const cairo_rectangle_int_t *part)
{
  g_autofree Between *columns = g_new (Between, MAX (1, part->width));
  g_autofree guint8 *row = NULL;
  guint8 *out = cairo_image_surface_get_data (surface);
  int stride = cairo_image_surface_get_stride (surface);
  gsize offset, count;

  if (out == NULL || part->width <= 0 || part->height <= 0)
    return;
  for (int x = 0; x < part->width; x++)
    columns[x] = find_between (part->x + x, placement->x, placement->width, picture->width, placement->nearest);
  offset = columns[0].first * 3;
  count = (columns[part->width - 1].second + 1) * 3 - offset;
  for (int x = 0; x < part->width; x++)
    {
      columns[x].first = columns[x].first * 3 - offset;
      columns[x].second = columns[x].second * 3 - offset;
    }
  row = placement->nearest ? NULL : g_malloc (count + BLOCK);

  cairo_surface_flush (surface);
  for (int y = part->y; y < part->y + part->height; y++)
    {
      Between between = find_between (y, placement->y, placement->height, picture->height, placement->nearest);
      guint32 *pixels = (guint32 *) (out + (gsize) y * stride) + part->x;

      if (placement->nearest)
        {
          pick_columns (picture->pixels + between.first * picture->stride + offset, columns, pixels, part->width);
        }
      else
        {
          get_row (picture, &between, offset, count, row);
          mix_columns (row, columns, pixels, part->width);
        }
    }
  cairo_surface_mark_dirty_rectangle (surface, part->x, part->y, part->width, part->height);
}
