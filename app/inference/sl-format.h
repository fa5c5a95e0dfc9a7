/* SPDX-License-Identifier: MIT
 *
 * The formats of quantised weights for those who may not see the engine: their names, what they cost in answers, how large a model is
 * in them. Plain functions, any thread.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum { SL_FORMAT_INT8, SL_FORMAT_MIX, SL_FORMAT_INT4, SL_N_FORMATS } SlFormat;

const char *sl_format_get_name (SlFormat format); /* "int8", static */
/* What it costs in answers: a translated sentence. */
const char *sl_format_get_cost (SlFormat format);
/* The one that costs a model so little that it is not noticed; INT8 where its settings cannot be read. */
SlFormat sl_format_for (const char *dir);
/* Bytes of the weights of a model in a format, before anything is computed; 0 where its headers cannot be read. */
guint64 sl_format_estimate (const char *dir, SlFormat format);

G_END_DECLS
