/* SPDX-License-Identifier: MIT
 *
 * The cache of Hugging Face's own client, read and never written: which repositories lie in it, at which commit, whether all of a
 * checkpoint is there, and the hashes that its files must have. Plain functions on the disk as it is, any thread.
 *
 *   CACHE/models--OWNER--NAME/  refs/main  trees/COMMIT.json  blobs/HASH  snapshots/COMMIT/FILE (a link into blobs, or a file)
 */
#pragma once

#include "app/hub/sl-hub.h"

G_BEGIN_DECLS

/* HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, hub/ in HF_HOME, or in huggingface/ of the user's cache folder. (transfer full) */
char *sl_hub_cache_dup_dir (void);

typedef struct
{
  char *repo, *commit;
  char *dir; /* the snapshot */
} SlHubCached;

void sl_hub_cached_free (SlHubCached *self);

/* The present snapshot of each repository, in no order. (transfer full) array of SlHubCached. */
GPtrArray *sl_hub_cache_list (void);

/* What a snapshot's files have to be: from the list that newer clients leave in trees/, else from the names of the blobs that its
 * links lead to, which are their hashes. NULL where neither says anything, and for what is no snapshot. Of the list only files
 * that a checkpoint needs: one that is not there is missing. (transfer full) */
SlHubTree *sl_hub_cache_read_tree (const char *snapshot);

/* Are all of these files in the folder, and as long as they have to be? */
gboolean sl_hub_cache_is_whole (const char *snapshot, const SlHubTree *tree);

G_END_DECLS
