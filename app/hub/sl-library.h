/* SPDX-License-Identifier: MIT
 *
 * SlLibrary: the models of this computer: those in the folder of models, each verified when it came, with a note of where from; those in
 * the cache of Hugging Face's client and in folders that the user named, which are read where they are and never written.
 * Plain functions on the disk as it is, any thread; they block as long as a disk does.
 */
#pragma once

#include "app/hub/sl-hub.h"

G_BEGIN_DECLS

/* $SIGHTLINE_MODELS, or models/ in the user's data folder. (transfer full) */
char *sl_library_dup_dir (void);

/* Where a repository goes: its own name, or with its owner's where another one has that name. (transfer full) */
char *sl_library_dup_dest (const char *repo);

typedef enum
{
  SL_LIBRARY_OWN,   /* in the folder of models */
  SL_LIBRARY_CACHE, /* in the cache of Hugging Face's client */
  SL_LIBRARY_FOLDER /* where the user said */
} SlLibraryPlace;

typedef enum
{
  SL_LIBRARY_WHOLE,
  SL_LIBRARY_UNFINISHED, /* a download that can go on: ours, or of the cache by the program that began it */
  SL_LIBRARY_VANISHED,   /* the user's folder is not there now */
  SL_LIBRARY_LEFTOVER    /* "NAME.XXXXXX": work that was killed was filling it; nobody needs it */
} SlLibraryState;

typedef struct
{
  char *name, *dir;
  char *repo, *commit, *endpoint; /* NULL: not known to have come by a download */
  guint64 bytes;                  /* of all its files */
  SlLibraryPlace place;
  SlLibraryState state;
} SlLibraryModel;

/* By place, then by name; what is no DeepSeek-VL2 model is left out of the cache, and what is no model of the rest. dirs: the user's
 * folders, NULL for none; one that is listed already is not listed twice. (transfer full) array of SlLibraryModel. */
GPtrArray *sl_library_list (const char *const *dirs);
/* Our own downloads that can go on. (transfer full) array of SlLibraryModel. */
GPtrArray *sl_library_list_unfinished (void);
/* The folder of the whole model of this name, or of this repository ("owner/name"); NULL if there is none. (transfer full) */
char *sl_library_find (const char *name, const char *const *dirs);
void sl_library_model_free (SlLibraryModel *self);

/* Does the folder lie in the folder of models, so that it may be moved and deleted? */
gboolean sl_library_is_own (const char *dir);

/* Of the files in a folder, links followed. */
guint64 sl_library_count_bytes (const char *dir);

/* Leaves the note in a folder that a download is about to publish. */
gboolean sl_library_write_note (const char *dir, const SlHubTree *tree, GError **error);

/* Reads every file of a model and compares it with the hash that came with it: the hub's, for a download and in the cache, or the one
 * that a quantised model carries. `wrong` gets a sentence for each that differs or is missing; progress (may be NULL) is told bytes read
 * and in all. FALSE with error where there is no hash (G_IO_ERROR_NOT_FOUND), or for CANCELLED. */
gboolean sl_library_verify (const char *dir, GPtrArray *wrong, void (*progress) (guint64 done, guint64 total, gpointer data), gpointer data,
                            GCancellable *cancellable, GError **error);

G_END_DECLS
