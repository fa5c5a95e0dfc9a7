/* SPDX-License-Identifier: MIT
 *
 * SlModels: where models are: the bundled demo model, folders that the user added and the one chosen last. The choice is kept in a
 * small key file in $XDG_CONFIG_HOME/io.github.sightline.Sightline/ (tests: $SIGHTLINE_CONFIG_DIR). UI thread; the file is written
 * on one of its own, the last state last, and so is a folder looked at, which may be on a disk that is asleep or far away. What a
 * folder holds is sl-model-folder.h's to say.
 */
#pragma once

#include <gio/gio.h>

#include "app/hub/sl-downloads.h"
#include "app/inference/sl-model-setup.h"
#include "app/inference/sl-model-work.h"
#include "app/sl-types.h"

G_BEGIN_DECLS

#define SL_TYPE_MODELS (sl_models_get_type ())
G_DECLARE_FINAL_TYPE (SlModels, sl_models, SL, MODELS, GObject)

/* Properties (notify): "last-dir" (string or NULL), "dirs" (string array: folders that the user added; notified also when the library
 * got or lost a model otherwise).
 * Signal: "not-saved" (const char *sentence): the list or the choice could not be written; it holds for this run. */

SlModels *sl_models_new (void);

/* What to load at start: the user's choice if that folder still holds a model, else the bundled one, else NULL without an error.
 * The caller owns what finish returns. */
void sl_models_find_start_dir_async (SlModels            *self,
                                     GAsyncReadyCallback  callback,
                                     gpointer             data);
char *sl_models_find_start_dir_finish (SlModels      *self,
                                       GAsyncResult  *result,
                                       GError       **error);
const char *sl_models_get_last_dir (SlModels *self);
/* Remembers the choice; NULL goes back to the bundled model. */
void sl_models_set_last_dir (SlModels *self, const char *dir);

/* Folders that the user added, oldest first; the bundled one is not among them. (transfer full) */
char **sl_models_dup_dirs (SlModels *self);
/* Adding one that is there changes nothing; removing the folder that is loaded at start goes back to the bundled model. The files
 * stay untouched. */
void sl_models_add_dir (SlModels *self, const char *dir);
void sl_models_remove_dir (SlModels *self, const char *dir);
/* Waits until what was remembered is written: for the end of the program. FALSE with the reason if it could not be. */
gboolean sl_models_flush (SlModels *self, GError **error);

/* The folder is gone: nothing points to it any more, and "dirs" is notified. */
void sl_models_forget_dir (SlModels *self, const char *dir);

/* When a model of this folder was loaded last, in seconds of Unix time; 0: never, or not known. */
gint64 sl_models_get_used (SlModels *self, const char *dir);
/* It is loaded now. What cannot be written is not remembered. */
void sl_models_note_used (SlModels *self, const char *dir);
/* The folder of a model by the name that the library shows, or the repository's; NULL if there is none. (transfer full) */
char *sl_models_find (SlModels *self, const char *name);

/* Holds the work (taken) on its folder's behalf, in the place of an earlier one, until the next. When it is done "dirs" is notified:
 * a folder that moved is known by its new place. */
void sl_models_take_work (SlModels *self, SlModelWork *work);
/* NULL: none since the program began. Borrowed. */
SlModelWork *sl_models_get_work (SlModels *self, const char *dir);

/* The downloads; made with the first call. A folder that is there at the end of one is added. Borrowed. */
SlDownloads *sl_models_get_downloads (SlModels *self);

/* What brings a published model here and quantises it; made with the first call. What it makes is added. Borrowed. */
SlModelSetup *sl_models_get_setup (SlModels *self);

G_END_DECLS
