/* SPDX-License-Identifier: MIT
 *
 * Cuts a picture and its halved sizes into tiles, and chooses among them. Tiles carry one more row and column than they are
 * drawn for: the next tile covers them, so no seam shows at fractional scales.
 */
#include "ui/pictures/sl-mipmap.h"

#include "ui/pictures/sl-resample.h"

#include <math.h>

#define TILE 512
#define SMALLEST_LEVEL 128
#define MAX_LEVELS 16
#define CRISP_SCALE 4.0
/* Below this many pixels the full size is fast enough until the rest is ready. */
#define IMMEDIATE_PIXELS (4 * 1024 * 1024)

typedef struct
{
  GBytes *pixels; /* R G B */
  int width, height;
  gsize stride;
  int columns;
  GPtrArray *tiles; /* GdkTexture or NULL, made when first drawn */
} Level;

struct _SlMipmap
{
  GObject parent_instance;

  Level levels[MAX_LEVELS];
  guint n_levels; /* drawable now */
};

static guint ready_signal;

G_DEFINE_FINAL_TYPE (SlMipmap, sl_mipmap, G_TYPE_OBJECT)

/* GBytes → SlMipmap, both borrowed: a mipmap keeps its pixels. They know nothing of it: the last to let a picture go may be a worker
 * that read it, and textures are finalised where they were made, on the UI thread. */
static GHashTable *known;

static void
clear_texture (gpointer texture)
{
  if (texture != NULL)
    g_object_unref (texture);
}

static void
level_init (Level  *level,
            GBytes *pixels,
            int     width,
            int     height,
            gsize   stride)
{
  int rows = (height + TILE - 1) / TILE;

  level->pixels = g_bytes_ref (pixels);
  level->width = width;
  level->height = height;
  level->stride = stride;
  level->columns = (width + TILE - 1) / TILE;
  level->tiles = g_ptr_array_new_with_free_func (clear_texture);
  g_ptr_array_set_size (level->tiles, level->columns * rows);
}

static void
level_clear (Level *level)
{
  g_clear_pointer (&level->pixels, g_bytes_unref);
  g_clear_pointer (&level->tiles, g_ptr_array_unref);
}

static void
sl_mipmap_finalize (GObject *object)
{
  SlMipmap *self = SL_MIPMAP (object);

  g_hash_table_remove (known, self->levels[0].pixels);
  for (guint i = 0; i < MAX_LEVELS; i++)
    level_clear (&self->levels[i]);
  G_OBJECT_CLASS (sl_mipmap_parent_class)->finalize (object);
}

static void
sl_mipmap_class_init (SlMipmapClass *klass)
{
  known = g_hash_table_new (NULL, NULL);
  G_OBJECT_CLASS (klass)->finalize = sl_mipmap_finalize;
  ready_signal = g_signal_new ("ready", SL_TYPE_MIPMAP, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                               G_TYPE_NONE, 0);
}

static void
sl_mipmap_init (SlMipmap *self)
{
}

/* Mean of 2×2; an odd last row or column is taken twice. */
static GBytes *
halve (const Level *from,
       int          width,
       int          height)
{
  const guint8 *in = g_bytes_get_data (from->pixels, NULL);
  gsize size = (gsize) width * height * 3;
  guint8 *out = g_try_malloc (size);

  if (out == NULL)
    return NULL;
  for (int y = 0; y < height; y++)
    {
      const guint8 *top = in + (gsize) (2 * y) * from->stride;
      const guint8 *bottom = in + (gsize) MIN (2 * y + 1, from->height - 1) * from->stride;
      guint8 *row = out + (gsize) y * width * 3;

      for (int x = 0; x < width; x++)
        {
          int left = 2 * x * 3;
          int right = MIN (2 * x + 1, from->width - 1) * 3;
          for (int c = 0; c < 3; c++)
            row[x * 3 + c] = (top[left + c] + top[right + c] + bottom[left + c] +
                              bottom[right + c] + 2) >> 2;
        }
    }
  return g_bytes_new_take (out, size);
}

static void
levels_free (gpointer data)
{
  Level *levels = data;

  for (guint i = 0; i < MAX_LEVELS; i++)
    level_clear (&levels[i]);
  g_free (levels);
}

static void
build_levels (GTask        *task,
              gpointer      source,
              gpointer      data,
              GCancellable *cancellable)
{
  Level *levels = g_new0 (Level, MAX_LEVELS);
  Level first = *(Level *) data;

  for (guint i = 0; i + 1 < MAX_LEVELS; i++)
    {
      const Level *from = i ? &levels[i] : &first;
      int width = (from->width + 1) / 2;
      int height = (from->height + 1) / 2;
      g_autoptr (GBytes) pixels = NULL;

      if (MAX (from->width, from->height) <= SMALLEST_LEVEL)
        break;
      pixels = halve (from, width, height);
      if (pixels == NULL) /* out of memory: the larger sizes still draw */
        break;
      level_init (&levels[i + 1], pixels, width, height, (gsize) width * 3);
    }
  g_task_return_pointer (task, levels, levels_free);
}

static void
on_built (GObject      *source,
          GAsyncResult *result,
          gpointer      data)
{
  g_autoptr (SlMipmap) self = data;
  Level *levels = g_task_propagate_pointer (G_TASK (result), NULL);

  self->n_levels = 1;
  while (self->n_levels < MAX_LEVELS && levels[self->n_levels].pixels != NULL)
    {
      self->levels[self->n_levels] = levels[self->n_levels];
      self->n_levels++;
    }
  g_free (levels);
  g_signal_emit (self, ready_signal, 0);
}

static void
free_first_level (gpointer data)
{
  level_clear (data);
  g_free (data);
}

SlMipmap *
sl_mipmap_for_pixels (GBytes *rgb,
                      int     width,
                      int     height,
                      gsize   stride)
{
  SlMipmap *self = known != NULL ? g_hash_table_lookup (known, rgb) : NULL;
  g_autoptr (GTask) task = NULL;
  Level *first;

  if (self != NULL)
    return g_object_ref (self);

  self = g_object_new (SL_TYPE_MIPMAP, NULL);
  level_init (&self->levels[0], rgb, width, height, stride);
  if ((gint64) width * height <= IMMEDIATE_PIXELS)
    self->n_levels = 1;
  g_hash_table_insert (known, rgb, self);

  first = g_new0 (Level, 1);
  level_init (first, rgb, width, height, stride);
  task = g_task_new (NULL, NULL, on_built, g_object_ref (self));
  g_task_set_task_data (task, first, free_first_level);
  g_task_run_in_thread (task, build_levels);
  return self;
}

SlMipmap *
sl_mipmap_for_picture (SlPicture *picture)
{
  g_return_val_if_fail (SL_IS_PICTURE (picture), NULL);
  return sl_mipmap_for_pixels (sl_picture_get_rgb_bytes (picture), sl_picture_get_width (picture),
                               sl_picture_get_height (picture), sl_picture_get_stride (picture));
}

static GdkTexture *
get_tile (Level *level,
          int    column,
          int    row)
{
  gpointer *slot = &level->tiles->pdata[row * level->columns + column];
  gsize offset, length;
  g_autoptr (GBytes) pixels = NULL;
  int width, height;

  if (*slot != NULL)
    return *slot;
  width = MIN (TILE + 1, level->width - column * TILE);
  height = MIN (TILE + 1, level->height - row * TILE);
  offset = (gsize) row * TILE * level->stride + (gsize) column * TILE * 3;
  length = (gsize) (height - 1) * level->stride + (gsize) width * 3;
  pixels = g_bytes_new_from_bytes (level->pixels, offset, length);
  *slot = gdk_memory_texture_new (width, height, GDK_MEMORY_R8G8B8, pixels, level->stride);
  return *slot;
}

static void
append_tiles (Level                 *level,
              GtkSnapshot           *snapshot,
              const graphene_rect_t *area,
              const graphene_rect_t *visible)
{
  double sx = area->size.width / level->width;
  double sy = area->size.height / level->height;
  int first_column = MAX (0, floor ((visible->origin.x - area->origin.x) / sx / TILE));
  int first_row = MAX (0, floor ((visible->origin.y - area->origin.y) / sy / TILE));

  for (int row = first_row; row * TILE < level->height; row++)
    {
      double y = area->origin.y + row * TILE * sy;
      if (y > visible->origin.y + visible->size.height)
        break;
      for (int column = first_column; column * TILE < level->width; column++)
        {
          double x = area->origin.x + column * TILE * sx;
          GdkTexture *tile;

          if (x > visible->origin.x + visible->size.width)
            break;
          tile = get_tile (level, column, row);
          gtk_snapshot_append_texture (
            snapshot, tile,
            &GRAPHENE_RECT_INIT (x, y, gdk_texture_get_width (tile) * sx,
                                 gdk_texture_get_height (tile) * sy));
        }
    }
}

/* The smallest size that has a pixel for each of those shown; NULL while none is ready. */
static Level *
choose_level (SlMipmap *self,
              double    shown_width)
{
  guint level = 0;

  while (level + 1 < self->n_levels && self->levels[level + 1].width >= shown_width)
    level++;
  return self->n_levels > 0 ? &self->levels[level] : NULL;
}

void
sl_mipmap_render (SlMipmap                    *self,
                  cairo_surface_t             *surface,
                  const cairo_rectangle_int_t *part,
                  const cairo_rectangle_t     *area,
                  gboolean                     rough)
{
  SlPlacement placement = { area->x, area->y, area->width, area->height, FALSE };
  Level *level;
  SlRgb picture;

  g_return_if_fail (SL_IS_MIPMAP (self));

  level = choose_level (self, area->width);
  if (level == NULL)
    return;
  picture = (SlRgb) { g_bytes_get_data (level->pixels, NULL), level->width, level->height, level->stride };
  placement.nearest = rough || area->width >= self->levels[0].width * CRISP_SCALE;
  sl_resample (&picture, &placement, surface, part);
}

gboolean
sl_mipmap_is_ready (SlMipmap *self)
{
  g_return_val_if_fail (SL_IS_MIPMAP (self), FALSE);
  return self->n_levels > 0;
}

/* GTK 4.8 always smooths textures. */
static void
append_crisp (SlMipmap              *self,
              GtkSnapshot           *snapshot,
              const graphene_rect_t *area,
              const graphene_rect_t *visible,
              int                    factor)
{
  int x = floor (visible->origin.x * factor), y = floor (visible->origin.y * factor);
  cairo_rectangle_int_t part = { 0, 0, ceil (visible->size.width * factor) + 1, ceil (visible->size.height * factor) + 1 };
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_RGB24, part.width, part.height);
  cairo_t *cr = gtk_snapshot_append_cairo (snapshot, visible);

  sl_mipmap_render (self, surface, &part,
                    &(cairo_rectangle_t) { area->origin.x * factor - x, area->origin.y * factor - y,
                                           area->size.width * factor, area->size.height * factor },
                    FALSE);
  cairo_surface_set_device_scale (surface, factor, factor);
  cairo_set_source_surface (cr, surface, (double) x / factor, (double) y / factor);
  cairo_paint (cr);
  cairo_destroy (cr);
  cairo_surface_destroy (surface);
}

void
sl_mipmap_snapshot (SlMipmap              *self,
                    GtkSnapshot           *snapshot,
                    const graphene_rect_t *area,
                    const graphene_rect_t *visible,
                    int                    scale_factor)
{
  graphene_rect_t clipped;
  double shown;

  g_return_if_fail (SL_IS_MIPMAP (self));

  if (self->n_levels == 0 || !graphene_rect_intersection (area, visible, &clipped))
    return;
  shown = area->size.width * scale_factor;
  if (shown >= self->levels[0].width * CRISP_SCALE)
    append_crisp (self, snapshot, area, &clipped, scale_factor);
  else
    append_tiles (choose_level (self, shown), snapshot, area, &clipped);
}
