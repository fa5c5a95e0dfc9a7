/* SPDX-License-Identifier: MIT
 *
 * SlLibrary: the folder of models that Sightline downloaded, each a folder of its own that was verified when it came, with a note
 * of where from. Plain functions on the disk as it is, any thread; they block as long as a disk does.
 */
#pragma once

#include "app/hub/sl-hub.h"

G_BEGIN_DECLS

/* $SIGHTLINE_MODELS, or models/ in the user's data folder. (transfer full) */
char *sl_library_dup_dir (void);

/* Where a repository goes: its own name, or with its owner's where another one has that name. (transfer full) */
char *sl_library_dup_dest (const char *repo);

typedef struct
{
  char *name, *dir;
  char *repo, *commit, *endpoint; /* NULL: it did not come by a download */
  guint64 bytes;                  /* of all its files */
  gboolean unfinished;            /* a download that can go on */
} SlLibraryModel;

/* By name; what is no model is left out. (transfer full) array of SlLibraryModel. */
GPtrArray *sl_library_list (void);
/* The folder of the model of this name, NULL if there is none. (transfer full) */
char *sl_library_find (const char *name);
void sl_library_model_free (SlLibraryModel *self);

/* Leaves the note in a folder that a download is about to publish. */
gboolean sl_library_write_note (const char *dir, const SlHubTree *tree, GError **error);

/* Reads every file of a downloaded model and compares it with the hash that came with it. `wrong` gets a sentence for each that
 * differs or is missing; progress (may be NULL) is told bytes read and in all. FALSE with error where there is no note, or for
 * CANCELLED. */
gboolean sl_library_verify (const char *dir, GPtrArray *wrong, void (*progress) (guint64 done, guint64 total, gpointer data), gpointer data,
                            GCancellable *cancellable, GError **error);

G_END_DECLS
