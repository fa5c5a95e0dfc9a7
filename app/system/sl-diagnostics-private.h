/* SPDX-License-Identifier: MIT
 *
 * What the parts of the diagnostics call of each other, and tests with a folder that stands for the system. Any thread.
 */
#pragma once

#include "app/system/sl-diagnostics.h"

G_BEGIN_DECLS

/* root: "/", or a folder with the parts of /sys, /proc, /dev and /usr that matter. (transfer full) */
SlDiagnostic *sl_diagnostics_explain_gpu (const char *root);

SlDiagnostic *sl_diagnostic_new (const char *name, const char *value, const char *advice);
void sl_diagnostic_free (SlDiagnostic *self);

G_END_DECLS
