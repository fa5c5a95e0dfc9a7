/* SPDX-License-Identifier: MIT
 *
 * Calls that are held until the test lets them go, one queue for each kind, in the order in which they were made.
 */
#pragma once

#include <glib.h>

extern gboolean hold_plans, hold_openings, hold_files;
extern GQueue plans, openings, files;
extern gboolean nothing_fits; /* what the next plan says */

/* Makes the first call of the queue, which may not be empty. */
void release_plan (void);
void release_opening (void);
void release_file (void);

/* A condition, of a queue. */
gboolean is_held (gpointer queue);
