/* SPDX-License-Identifier: MIT
 *
 * Names, costs and sizes of formats. The costs are docs/quantisation.md's: 4,000 questions to the demo model, points of a hundred.
 */
#include "app/inference/sl-format.h"

#include "engine/vl2.h"

#include <glib/gi18n-lib.h>

/* Bits of a weight in the groups of kernels/quant.h, their scale included. */
#define INT8_BITS 8.5
#define INT4_BITS 4.5

static const struct
{
  const char *name, *cost;
  double expert_bits, matrix_bits;
} formats[SL_N_FORMATS] = {
  [SL_FORMAT_INT8] = { "int8", N_("No task loses more than 0.3 points of 100, which 4,000 questions cannot tell from nothing."), INT8_BITS,
                       INT8_BITS },
  [SL_FORMAT_MIX] = { "mix", N_("Counting loses 1.3 points of 100, nothing else more than 0.5, as measured with the demo model."), INT4_BITS,
                      INT8_BITS },
  [SL_FORMAT_INT4] = { "int4", N_("The smallest. It rounds ten times as coarsely as int8; what that costs in answers was not measured."),
                       INT4_BITS, INT4_BITS },
};

const char *
sl_format_get_name (SlFormat format)
{
  g_return_val_if_fail (format < SL_N_FORMATS, NULL);

  return formats[format].name;
}

const char *
sl_format_get_cost (SlFormat format)
{
  g_return_val_if_fail (format < SL_N_FORMATS, NULL);

  return _(formats[format].cost);
}

SlFormat
sl_format_for (const char *dir)
{
  vl2_format found;
  vl2_error cause;

  if (vl2_format_for (dir, &found, &cause) != VL2_OK)
    return SL_FORMAT_INT8;
  for (SlFormat format = 0; format < SL_N_FORMATS; format++)
    if (g_str_equal (formats[format].name, vl2_format_name (found)))
      return format;
  return SL_FORMAT_INT8;
}

/* Vision tower, projector, embeddings, router and norms stay as they are. */
guint64
sl_format_estimate (const char *dir,
                    SlFormat    format)
{
  struct vl2_contents contents = { 0 };
  vl2_error cause = { 0 };
  double bytes = 0;

  g_return_val_if_fail (format < SL_N_FORMATS, 0);

  if (vl2_contents_read (dir, &contents, &cause) != VL2_OK)
    return 0;
  for (int part = 0; part < VL2_OF_COUNT; part++)
    {
      double parameters = contents.parts[part].parameters;

      if (part == VL2_OF_EXPERTS)
        bytes += parameters * formats[format].expert_bits / 8;
      else if (part == VL2_OF_ATTENTION || part == VL2_OF_DENSE || part == VL2_OF_SHARED || part == VL2_OF_HEAD)
        bytes += parameters * formats[format].matrix_bits / 8;
      else
        bytes += contents.parts[part].bytes;
    }
  return bytes;
}
