/* SPDX-License-Identifier: MIT
 *
 * The preferences' page of diagnostics: what this computer is, why a graphics processor is not used, a self-test, and all of it
 * as text for a bug report. Made by sl_preferences_new(); UI thread.
 */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

#define SL_TYPE_DIAGNOSTICS_PAGE (sl_diagnostics_page_get_type ())

G_DECLARE_FINAL_TYPE (SlDiagnosticsPage, sl_diagnostics_page, SL, DIAGNOSTICS_PAGE, AdwPreferencesPage)

GtkWidget *sl_diagnostics_page_new (void);

G_END_DECLS
