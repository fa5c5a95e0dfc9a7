/* SPDX-License-Identifier: MIT
 *
 * What a user can do about the model from the window: choose a folder, load, unload.
 */
#include "ui/window/sl-window-private.h"

#include "app/inference/sl-model-folder.h"
#include "app/system/sl-places.h"
#include "ui/models/sl-model-choose.h"

#include <glib/gi18n.h>

void
sl_window_load_model (SlWindow   *self,
                      const char *dir,
                      gboolean    remember)
{
  g_autoptr (GSettings) settings = sl_places_open_settings ();
  g_autofree char *demo = sl_places_dup_demo_dir ();
  g_autofree char *device = NULL;
  SlEngineOptions options = { 0 };

  g_return_if_fail (SL_IS_WINDOW (self));
  if (remember)
    {
      sl_models_set_last_dir (self->models, g_strcmp0 (dir, demo) == 0 ? NULL : dir);
      sl_model_bar_set_missing (self->model_bar, NULL);
    }
  options.device = device = settings ? g_settings_get_string (settings, "device") : NULL;
  sl_models_note_used (self->models, dir);
  sl_engine_load (self->engine, dir, &options);
}

static void
on_start_dir (GObject      *source,
              GAsyncResult *result,
              gpointer      data)
{
  g_autoptr (SlWindow) self = data;
  g_autofree char *dir = sl_models_find_start_dir_finish (SL_MODELS (source), result, NULL);
  const char *chosen = sl_models_get_last_dir (SL_MODELS (source));

  /* Closed meanwhile, or the user chose. */
  if (self->toasts == NULL || sl_engine_get_state (self->engine) != SL_ENGINE_UNLOADED)
    return;
  sl_model_bar_set_missing (self->model_bar, chosen != NULL && g_strcmp0 (dir, chosen) != 0 ? chosen : NULL);
  if (dir != NULL)
    sl_window_load_model (self, dir, FALSE);
}

void
sl_window_load_start_model (SlWindow *self)
{
  g_return_if_fail (SL_IS_WINDOW (self));

  sl_models_find_start_dir_async (self->models, on_start_dir, g_object_ref (self));
}

static void
on_licence_accepted (const char *dir,
                     gpointer    window)
{
  sl_window_load_model (window, dir, TRUE);
}

void
sl_window_model_load (GtkWidget  *widget,
                      const char *name,
                      GVariant   *parameter)
{
  sl_window_load_model (SL_WINDOW (widget), g_variant_get_bytestring (parameter), TRUE);
}

static void
on_refused (const char *sentence,
            gpointer    window)
{
  sl_window_warn (window, sentence);
}

void
sl_window_model_choose (GtkWidget  *widget,
                        const char *name,
                        GVariant   *parameter)
{
  sl_model_choose (GTK_WINDOW (widget), _("_Choose"), on_licence_accepted, on_refused, g_object_ref (widget), g_object_unref);
}

void
sl_window_model_demo (GtkWidget  *widget,
                      const char *name,
                      GVariant   *parameter)
{
  g_autofree char *dir = sl_places_dup_demo_dir ();

  if (dir != NULL)
    sl_window_load_model (SL_WINDOW (widget), dir, TRUE);
}

void
sl_window_model_unload (GtkWidget  *widget,
                        const char *name,
                        GVariant   *parameter)
{
  sl_engine_unload (SL_WINDOW (widget)->engine);
}

void
sl_window_model_cancel (GtkWidget  *widget,
                        const char *name,
                        GVariant   *parameter)
{
  sl_engine_cancel_load (SL_WINDOW (widget)->engine);
}
