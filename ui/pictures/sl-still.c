/* SPDX-License-Identifier: MIT
 *
 * One picture as small as it is shown: asked for when its widget is mapped, let go when it is not.
 */
#include "ui/pictures/sl-still.h"

#include "app/pictures/sl-preview.h"

struct _SlStill
{
  GObject parent_instance;

  SlMessagePart *part;
  SlMipmap *mipmap;
  GCancellable *loading;
  char *error_text;
  int side; /* 0: stopped */
};

static guint changed_signal;

G_DEFINE_FINAL_TYPE (SlStill, sl_still, G_TYPE_OBJECT)

static void
emit_changed (SlStill *self)
{
  g_signal_emit (self, changed_signal, 0);
}

static void
drop_mipmap (SlStill *self)
{
  if (self->mipmap != NULL)
    g_signal_handlers_disconnect_by_data (self->mipmap, self);
  g_clear_object (&self->mipmap);
}

static void
take (SlStill   *self,
      SlPreview *preview)
{
  drop_mipmap (self);
  sl_message_part_set_ground (self->part, preview->ground);
  self->mipmap = sl_mipmap_for_pixels (preview->rgb, preview->width, preview->height, preview->stride);
  g_signal_connect_object (self->mipmap, "ready", G_CALLBACK (emit_changed), self, G_CONNECT_SWAPPED);
  emit_changed (self);
}

static void
on_loaded (GObject      *source,
           GAsyncResult *result,
           gpointer      data)
{
  g_autoptr (SlStill) self = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (SlPreview) preview = sl_preview_load_finish (result, &error);

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  g_clear_object (&self->loading);
  if (preview != NULL)
    {
      take (self, preview);
      return;
    }
  g_free (self->error_text);
  self->error_text = g_strdup (error->message);
  emit_changed (self);
}

void
sl_still_start (SlStill *self,
                int      side)
{
  const char *sha256;
  g_autoptr (SlPreview) kept = NULL;

  g_return_if_fail (SL_IS_STILL (self));

  if (side <= self->side)
    return;
  g_cancellable_cancel (self->loading);
  g_clear_object (&self->loading);
  g_clear_pointer (&self->error_text, g_free);
  self->side = side;
  sha256 = sl_message_part_get_sha256 (self->part);
  kept = sl_preview_lookup (sha256, side);
  if (kept != NULL)
    {
      take (self, kept);
      return;
    }
  if (sl_message_part_get_bytes (self->part) == NULL && sl_message_part_get_path (self->part) == NULL)
    return;
  self->loading = g_cancellable_new ();
  sl_preview_load_async (sha256, sl_message_part_get_bytes (self->part), sl_message_part_get_path (self->part),
                         sl_message_part_get_name (self->part), side, self->loading, on_loaded, g_object_ref (self));
}

void
sl_still_stop (SlStill *self)
{
  g_return_if_fail (SL_IS_STILL (self));
  g_cancellable_cancel (self->loading);
  g_clear_object (&self->loading);
  drop_mipmap (self);
  self->side = 0;
}

static void
sl_still_dispose (GObject *object)
{
  SlStill *self = SL_STILL (object);

  sl_still_stop (self);
  g_clear_object (&self->part);
  g_clear_pointer (&self->error_text, g_free);
  G_OBJECT_CLASS (sl_still_parent_class)->dispose (object);
}

static void
sl_still_class_init (SlStillClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = sl_still_dispose;
  changed_signal = g_signal_new ("changed", SL_TYPE_STILL, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
sl_still_init (SlStill *self)
{
}

SlStill *
sl_still_new (SlMessagePart *part)
{
  SlStill *self = g_object_new (SL_TYPE_STILL, NULL);

  self->part = g_object_ref (part);
  return self;
}

SlMipmap *
sl_still_get_mipmap (SlStill *self)
{
  g_return_val_if_fail (SL_IS_STILL (self), NULL);
  return self->mipmap;
}

const char *
sl_still_get_error_text (SlStill *self)
{
  g_return_val_if_fail (SL_IS_STILL (self), NULL);
  return self->error_text;
}
