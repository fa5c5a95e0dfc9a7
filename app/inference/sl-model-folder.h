/* SPDX-License-Identifier: MIT
 *
 * A model's folder in words: one sentence about what it holds before anything is loaded, and one about why it does not open, with
 * the cause and what helps. The looking is the engine's (engine/model_folder.h). Plain functions, any thread; the disk may keep
 * them waiting.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Where the model's files are: the folder itself, or the snapshot in a hub's cache folder. Owned by the caller. */
char *sl_model_folder_resolve (const char *dir);
/* What the model in a folder is called: by the folder, in a hub's cache by the model and not by its snapshot. May hold any bytes;
 * owned by the caller. */
char *sl_model_folder_dup_name (const char *dir);

/* Sentences about all that is missing in the folder or is not what its name says, the one that says most first; empty if there
 * is nothing. `shown` stands for the folder in them. (transfer full) (element-type utf8) */
GPtrArray *sl_model_folder_list_problems (const char *dir, const char *shown);
/* Why a model's files could not be read, for who was told so: the first of these sentences, and whether there are more. only: the
 * beginning of the names of the files that matter, NULL for all. NULL where the folder does not say why; owned by the caller. */
char *sl_model_folder_explain (const char *dir, const char *only);

/* The folder holds the bundled model or a copy of it (it has a demo.json). */
gboolean sl_model_folder_is_demo (const char *dir);

/* A look at a folder without loading it. */
typedef struct
{
  char *dir, *name;
  guint64 weight_bytes; /* of its files of weights */
  gboolean is_demo;
  char *quantisation; /* "int8" …; NULL: the weights are as they were trained */
  char *description; /* one sentence for the user */
} SlModelFolder;

/* NULL with a sentence if the folder does not hold a DeepSeek-VL2 checkpoint. */
SlModelFolder *sl_model_folder_inspect (const char *dir, GError **error);
void sl_model_folder_free (SlModelFolder *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlModelFolder, sl_model_folder_free)

G_END_DECLS
