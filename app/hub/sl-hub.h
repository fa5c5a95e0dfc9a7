/* SPDX-License-Identifier: MIT
 *
 * A model hub that speaks Hugging Face's protocol, or a mirror of it: which files a repository holds at one commit, how long they
 * are, and the hash of each. What a name may be is checked here, because it becomes a path. Calls block: worker threads only.
 * It must not know where files are put.
 */
#pragma once

#include "app/hub/sl-http.h"

G_BEGIN_DECLS

#define SL_HUB_ENDPOINT "https://huggingface.co"

/* How the bytes of a file are known to be right. */
typedef enum
{
  SL_HUB_HASH_SHA256,  /* of the bytes: files that the repository keeps outside of git */
  SL_HUB_HASH_GIT_BLOB /* SHA-1 of "blob LENGTH\0" and the bytes */
} SlHubHash;

typedef struct
{
  char *name; /* one component, fit for a folder */
  guint64 size;
  SlHubHash kind;
  char *hash; /* lower-case hex */
} SlHubFile;

typedef struct
{
  char *endpoint, *repo; /* "https://host", "owner/name" */
  char *commit;          /* 40 hex digits */
  GPtrArray *files;      /* of SlHubFile, those that a checkpoint needs, smallest first */
} SlHubTree;

/* The part before "/api/", without a slash at its end. From HF_ENDPOINT where `given` is NULL, else the default. NULL with a
 * sentence for what is no http(s) address; plain http only where it leads to this computer. (transfer full) */
char *sl_hub_dup_endpoint (const char *given, GError **error);

/* "host" or "host:port" of such an address: what a token belongs to. (transfer full) */
char *sl_hub_dup_host (const char *endpoint);

/* Is it "owner/name" with characters that a hub allows? */
gboolean sl_hub_is_repo (const char *repo);

/* What a user named: "owner/name", or a page's address "https://host/owner/name" with or without "/tree/revision" behind it. FALSE
 * with a sentence. endpoint: NULL for a mere name; revision: NULL where there is none. (out) (transfer full) */
gboolean sl_hub_parse (const char *text, char **endpoint, char **repo, char **revision, GError **error);

/* What a checkpoint is made of, by its name: settings, tokenizer, weights, and the terms that it comes under. */
gboolean sl_hub_is_part_of_checkpoint (const char *name);
/* Is it a hash of this kind in lower-case hex? NULL is none. */
gboolean sl_hub_is_hash (const char *text, SlHubHash kind);

/* Resolves the revision (NULL: "main") to a commit, then lists it, page by page. NULL with SL_HTTP_ERROR, or G_IO_ERROR
 * INVALID_FILENAME for a name that would lead out of a folder, INVALID_DATA for an answer that is not understood, NOT_SUPPORTED for
 * a repository without weights that this program reads. (transfer full) */
SlHubTree *sl_hub_list (SlHttp *http, const char *endpoint, const char *repo, const char *revision, GCancellable *cancellable,
                        GError **error);
void sl_hub_tree_free (SlHubTree *self);

typedef struct
{
  char *repo;
  guint64 downloads, likes; /* as the hub counts */
} SlHubHit;

/* Repositories of DeepSeek-VL2's kind that a hub finds for these words (NULL: all), most downloaded first, 100 at most. NULL as
 * sl_hub_list(). (transfer full) array of SlHubHit that frees its elements. */
GPtrArray *sl_hub_search (SlHttp *http, const char *endpoint, const char *words, GCancellable *cancellable, GError **error);

SlHubFile *sl_hub_file_new (const char *name, guint64 size, SlHubHash kind, const char *hash);
void sl_hub_file_free (SlHubFile *self);

/* Where the file's bytes are asked for. (transfer full) */
char *sl_hub_dup_file_uri (const SlHubTree *self, const SlHubFile *file);

/* One line of JSON that says all of it, with its end, and back: NULL for what is no such line. (transfer full) */
char *sl_hub_tree_to_line (const SlHubTree *self);
SlHubTree *sl_hub_tree_from_line (const char *line);

/* Bytes of all files. */
guint64 sl_hub_tree_get_size (const SlHubTree *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlHubTree, sl_hub_tree_free)

G_END_DECLS
