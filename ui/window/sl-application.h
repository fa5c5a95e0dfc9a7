/* SPDX-License-Identifier: MIT
 *
 * The program: one instance, its command line, and what lives as long as it does
 * (store, engine, history, models). Made by main.c; UI thread only.
 */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

#define SL_TYPE_APPLICATION (sl_application_get_type ())

G_DECLARE_FINAL_TYPE (SlApplication, sl_application, SL, APPLICATION, AdwApplication)

SlApplication *sl_application_new (void);

G_END_DECLS
