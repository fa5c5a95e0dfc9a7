/* SPDX-License-Identifier: MIT
 *
 * Where the files that come with Sightline are: installed ones, or for a program that runs from its build folder those of that
 * folder and its source tree, also where another version is installed. No path of the build is in the programs, so that the same
 * sources give the same bytes anywhere. Plain functions, any thread. It must not know what the files hold.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* The build folder that this program runs from; NULL for an installed one. Owned by the caller. */
char *sl_places_dup_build_dir (void);
/* Folder of demo-model/ and samples/; SIGHTLINE_DATA names another one. Owned by the caller. */
char *sl_places_dup_data_dir (void);
/* Folder of the bundled model; NULL where there is none. Owned by the caller. */
char *sl_places_dup_demo_dir (void);
/* Folder of the translations, for bindtextdomain(). Owned by the caller. */
char *sl_places_dup_locale_dir (void);
/* The user's preferences (data/io.github.sightline.Sightline.gschema.xml); NULL where their schema is not installed, or not the
 * one of this version: defaults then hold. (transfer full) */
GSettings *sl_places_open_settings (void);

G_END_DECLS
