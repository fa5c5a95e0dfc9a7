/* SPDX-License-Identifier: MIT
 *
 * Scales and axis orders: their names and their arithmetic. See the header.
 */
#include "app/prompt/sl-box-space.h"

#include <string.h>

#include <glib/gi18n-lib.h>

static const char *const scale_nicks[SL_N_BOX_SCALES] = { "auto", "999", "1000", "pixels", "one" };
static const char *const order_nicks[SL_N_BOX_ORDERS] = { "auto", "x", "y" };

const char *
sl_box_scale_get_nick (SlBoxScale scale)
{
  return scale_nicks[scale];
}

const char *
sl_box_order_get_nick (SlBoxOrder order)
{
  return order_nicks[order];
}

const char *
sl_box_scale_get_display_name (SlBoxScale scale)
{
  static const char *const names[SL_N_BOX_SCALES] = { N_("As the answer's form says"), N_("0 to 999"), N_("0 to 1000"),
                                                      N_("Pixels"), N_("0 to 1") };

  return _(names[scale]);
}

const char *
sl_box_order_get_display_name (SlBoxOrder order)
{
  static const char *const names[SL_N_BOX_ORDERS] = { N_("As the answer's form says"), N_("x first"), N_("y first") };

  return _(names[order]);
}

char *
sl_box_space_to_text (const SlBoxSpace *self)
{
  return g_strdup_printf ("%s %s", scale_nicks[self->scale], order_nicks[self->order]);
}

static int
find_nick (const char *const *nicks,
           int                n_nicks,
           const char        *nick)
{
  for (int i = 0; i < n_nicks; i++)
    if (g_strcmp0 (nicks[i], nick) == 0)
      return i;
  return -1;
}

gboolean
sl_box_space_from_text (const char *text,
                        SlBoxSpace *out)
{
  g_auto (GStrv) words = g_strsplit (text != NULL ? text : "", " ", 2);
  int scale = words[0] != NULL ? find_nick (scale_nicks, SL_N_BOX_SCALES, words[0]) : -1;
  int order = scale >= 0 && words[1] != NULL ? find_nick (order_nicks, SL_N_BOX_ORDERS, words[1]) : -1;

  if (scale < 0 || order < 0)
    return FALSE;
  out->scale = scale;
  out->order = order;
  return TRUE;
}

gboolean
sl_box_space_place (const SlBoxSpace *self,
                    const double      numbers[4],
                    double            place[4])
{
  double wide = self->scale == SL_BOX_SCALE_999 ? 999 : self->scale == SL_BOX_SCALE_1000 ? 1000 : 1;
  double high = wide;
  int x = self->order == SL_BOX_ORDER_Y_FIRST;

  if (self->scale == SL_BOX_SCALE_PIXELS)
    {
      if (self->width <= 0 || self->height <= 0)
        return FALSE;
      wide = self->width;
      high = self->height;
    }
  for (int i = 0; i < 4; i += 2)
    {
      place[i] = numbers[i + x] / wide;
      place[i + 1] = numbers[i + 1 - x] / high;
    }
  return TRUE;
}
