/* SPDX-License-Identifier: MIT
 *
 * See sl-session-keeper.h. `lock` guards every field; it is not held while a file is written or read, but after writing it is
 * asked again whether the name was forgotten meanwhile.
 */
#include "app/inference/sl-session-keeper.h"

#include <string.h>
#include <sys/stat.h>
#include <utime.h>

#include <glib/gstdio.h>

#define SUFFIX ".session"

struct _SlSessionKeeper
{
  GMutex lock;
  char *dir;
  char *live;            /* whose tokens the session holds */
  gboolean due;          /* they are not saved as they are now */
  GHashTable *seen;      /* names that this session has had */
  GHashTable *forgotten; /* names that are not saved until they are asked in again */
};

SlSessionKeeper *
sl_session_keeper_new (void)
{
  SlSessionKeeper *self = g_new0 (SlSessionKeeper, 1);

  g_mutex_init (&self->lock);
  self->seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self->forgotten = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  return self;
}

void
sl_session_keeper_free (SlSessionKeeper *self)
{
  g_hash_table_unref (self->seen);
  g_hash_table_unref (self->forgotten);
  g_mutex_clear (&self->lock);
  g_free (self->dir);
  g_free (self->live);
  g_free (self);
}

/* A name comes from us, but becomes a path. */
static gboolean
is_plain (const char *name)
{
  return name[0] != '\0' && name[0] != '.' && strchr (name, '/') == NULL;
}

/* With the lock held; NULL where nothing is kept. */
static char *
dup_path (SlSessionKeeper *self,
          const char      *name)
{
  g_autofree char *file = NULL;

  if (self->dir == NULL || name == NULL || !is_plain (name))
    return NULL;
  file = g_strconcat (name, SUFFIX, NULL);
  return g_build_filename (self->dir, file, NULL);
}

void
sl_session_keeper_set_dir (SlSessionKeeper *self,
                           const char      *dir)
{
  g_mutex_lock (&self->lock);
  g_free (self->dir);
  self->dir = g_strdup (dir);
  g_mutex_unlock (&self->lock);
}

char *
sl_session_keeper_forget (SlSessionKeeper *self,
                          const char      *name)
{
  char *path;

  g_mutex_lock (&self->lock);
  g_hash_table_add (self->forgotten, g_strdup (name));
  path = dup_path (self, name);
  g_mutex_unlock (&self->lock);
  return path;
}

gboolean
sl_session_keeper_is_due (SlSessionKeeper *self)
{
  gboolean due;

  g_mutex_lock (&self->lock);
  due = self->due && self->dir != NULL && self->live != NULL && !g_hash_table_contains (self->forgotten, self->live);
  g_mutex_unlock (&self->lock);
  return due;
}

void
sl_session_keeper_reset (SlSessionKeeper *self)
{
  g_mutex_lock (&self->lock);
  g_clear_pointer (&self->live, g_free);
  self->due = FALSE;
  g_hash_table_remove_all (self->seen);
  g_mutex_unlock (&self->lock);
}

void
sl_session_keeper_save (SlSessionKeeper  *self,
                        vl2_session      *session,
                        const vl2_cancel *cancel)
{
  g_autofree char *path = NULL, *dir = NULL;
  vl2_error err = { 0 };
  vl2_status status;

  if (!sl_session_keeper_is_due (self))
    return;
  g_mutex_lock (&self->lock);
  path = dup_path (self, self->live);
  dir = g_strdup (self->dir);
  g_mutex_unlock (&self->lock);
  if (path == NULL || g_mkdir_with_parents (dir, 0700) != 0)
    return;
  status = vl2_session_save (session, path, SL_SESSION_FILE_LIMIT, cancel, &err);
  g_mutex_lock (&self->lock);
  self->due = status == VL2_CANCELLED;
  if (self->live != NULL && g_hash_table_contains (self->forgotten, self->live))
    g_unlink (path);
  g_mutex_unlock (&self->lock);
  sl_session_keeper_trim (dir, SL_SESSION_TOTAL_LIMIT);
}

void
sl_session_keeper_begin (SlSessionKeeper  *self,
                         vl2_session      *session,
                         const char       *name,
                         const vl2_cancel *cancel)
{
  g_autofree char *path = NULL;
  vl2_error err = { 0 };
  gboolean other;

  g_mutex_lock (&self->lock);
  other = g_strcmp0 (self->live, name) != 0;
  g_mutex_unlock (&self->lock);
  if (!other)
    return;
  sl_session_keeper_save (self, session, cancel);

  g_mutex_lock (&self->lock);
  g_free (self->live);
  self->live = g_strdup (name);
  self->due = FALSE;
  if (name != NULL)
    {
      g_hash_table_remove (self->forgotten, name);
      if (g_hash_table_add (self->seen, g_strdup (name)))
        path = dup_path (self, name);
    }
  g_mutex_unlock (&self->lock);
  if (path == NULL || !g_file_test (path, G_FILE_TEST_EXISTS))
    return;
  if (vl2_session_restore (session, path, &err) == VL2_OK)
    g_utime (path, NULL); /* used now */
  else if (err.code == VL2_ERR_INPUT)
    g_unlink (path);
}

void
sl_session_keeper_end (SlSessionKeeper *self,
                       const char      *name)
{
  g_mutex_lock (&self->lock);
  self->due = name != NULL && g_strcmp0 (self->live, name) == 0;
  g_mutex_unlock (&self->lock);
}

/* ------------------------------------------------------------------------------------------------ the folder */

typedef struct
{
  char *path;
  guint64 bytes;
  gint64 used;
} Kept;

static void
kept_clear (gpointer data)
{
  g_free (((Kept *) data)->path);
}

static int
compare_age (gconstpointer a,
             gconstpointer b)
{
  const Kept *left = a, *right = b;

  return left->used != right->used ? (left->used < right->used ? -1 : 1) : strcmp (left->path, right->path);
}

void
sl_session_keeper_trim (const char *dir,
                        guint64     limit)
{
  g_autoptr (GDir) files = g_dir_open (dir, 0, NULL);
  g_autoptr (GArray) kept = g_array_new (FALSE, FALSE, sizeof (Kept));
  const char *file;
  guint64 total = 0;

  g_array_set_clear_func (kept, kept_clear);
  while (files != NULL && (file = g_dir_read_name (files)) != NULL)
    {
      g_autofree char *path = g_build_filename (dir, file, NULL);
      GStatBuf st;
      Kept entry;

      if (g_lstat (path, &st) != 0 || !S_ISREG (st.st_mode))
        continue;
      entry = (Kept) { g_steal_pointer (&path), st.st_size, st.st_mtim.tv_sec * G_USEC_PER_SEC + st.st_mtim.tv_nsec / 1000 };
      total += entry.bytes;
      g_array_append_val (kept, entry);
    }
  g_array_sort (kept, compare_age);
  for (guint i = 0; i < kept->len && total > limit; i++)
    {
      const Kept *entry = &g_array_index (kept, Kept, i);

      if (g_unlink (entry->path) == 0)
        total -= entry->bytes;
    }
}
