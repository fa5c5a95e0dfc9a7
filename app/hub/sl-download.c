/* SPDX-License-Identifier: MIT
 *
 * Begins a download or goes on with it, and gives the folder its name at the end. Until then everything lies in DEST.download/, which
 * no list of models shows.
 */
#include "app/hub/sl-download-private.h"
#include "app/hub/sl-library.h"
#include "app/system/sl-secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>

#define SUFFIX      ".download"
#define CONNECTIONS 4
#define TRIES       8
#define FIRST_WAIT  1.0
#define RESERVE     ((guint64) 64 << 20) /* that a disk keeps */

SlDownload *
sl_download_new (const SlDownloadOptions *options)
{
  SlDownload *self = g_new0 (SlDownload, 1);

  g_mutex_init (&self->mutex);
  g_cond_init (&self->changed);
  g_cond_init (&self->ended);
  self->endpoint = g_strdup (options->endpoint);
  self->repo = g_strdup (options->repo);
  self->revision = g_strdup (options->revision);
  self->dest = g_canonicalize_filename (options->dest, NULL);
  self->folder = g_strconcat (self->dest, SUFFIX, NULL);
  self->token = g_strdup (options->token);
  self->connections = options->connections > 0 ? MIN (options->connections, 16) : CONNECTIONS;
  self->tries = options->tries > 0 ? options->tries : TRIES;
  self->silence = options->silence;
  self->first_wait = options->first_wait > 0 ? options->first_wait : FIRST_WAIT;
  self->limit = options->bytes_per_second;
  self->parts = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_part_free);
  self->spare = g_ptr_array_new_with_free_func (g_free);
  return self;
}

void
sl_download_free (SlDownload *self)
{
  if (self == NULL)
    return;
  g_ptr_array_unref (self->parts);
  g_ptr_array_unref (self->spare);
  g_clear_error (&self->error);
  g_clear_object (&self->cancellable);
  g_mutex_clear (&self->mutex);
  g_cond_clear (&self->changed);
  g_cond_clear (&self->ended);
  g_free (self->endpoint);
  g_free (self->repo);
  g_free (self->revision);
  g_free (self->dest);
  g_free (self->folder);
  g_free (self->token);
  g_free (self);
}

/* ------------------------------------------------------------------------------------------------ progress */

/* The mutex is held. Bytes per second between the oldest sample and now. */
static double
measure_rate (const SlDownload *self)
{
  guint oldest = self->n_samples > SAMPLES ? self->n_samples % SAMPLES : 0;
  double seconds;

  if (self->n_samples == 0)
    return 0;
  seconds = (g_get_monotonic_time () - self->samples[oldest].time) / (double) G_USEC_PER_SEC;
  return seconds > 0 ? (self->received - self->samples[oldest].bytes) / seconds : 0;
}

void
sl_download_get_progress (SlDownload         *self,
                          SlDownloadProgress *progress)
{
  gint64 wait;

  g_mutex_lock (&self->mutex);
  *progress = self->progress;
  wait = self->wait_until - g_get_monotonic_time ();
  for (guint i = 0; i < self->parts->len; i++)
    {
      progress->bytes += sl_part_get_bytes (self->parts->pdata[i]);
      progress->files += sl_part_is_finished (self->parts->pdata[i]);
    }
  progress->bytes_per_second = measure_rate (self);
  progress->seconds_left = progress->bytes_per_second > 0 ? (progress->total - progress->bytes) / progress->bytes_per_second : -1;
  if (progress->state == SL_DOWNLOAD_FETCHING && wait > 0)
    {
      progress->state = SL_DOWNLOAD_WAITING;
      progress->wait_seconds = wait / (double) G_USEC_PER_SEC;
    }
  else if (progress->state == SL_DOWNLOAD_FETCHING && progress->bytes == progress->total)
    progress->state = SL_DOWNLOAD_CHECKING;
  g_mutex_unlock (&self->mutex);
}

void
sl_download_set_limit (SlDownload *self,
                       guint64     bytes_per_second)
{
  g_mutex_lock (&self->mutex);
  self->limit = bytes_per_second;
  self->allowed_from = 0;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->mutex);
}

/* ------------------------------------------------------------------------------------------------ beginning */

/* The journal's list if it is of this repository, else a new one. */
static gboolean
find_list (SlDownload  *self,
           SlJournal   *journal,
           GError     **error)
{
  const SlHubTree *known = sl_journal_get_tree (journal);
  g_autoptr (SlHttp) http = NULL;
  SlHubTree *tree;

  if (known != NULL && g_str_equal (known->repo, self->repo) && g_str_equal (known->endpoint, self->endpoint)
      && (self->revision == NULL || g_strcmp0 (self->revision, known->commit) == 0 || g_strcmp0 (self->revision, "main") == 0))
    return TRUE;
  http = sl_http_new (self->endpoint, self->token, self->silence);
  tree = sl_hub_list (http, self->endpoint, self->repo, self->revision, self->cancellable, error);
  return tree != NULL && sl_journal_begin (journal, tree, error);
}

/* Does the disk hold what is still to come? */
static gboolean
check_space (SlDownload  *self,
             guint64      missing,
             GError     **error)
{
  struct statvfs disk;
  guint64 left;
  g_autofree char *needed = NULL, *there = NULL;

  if (statvfs (self->folder, &disk) != 0)
    return TRUE;
  left = (guint64) disk.f_bavail * disk.f_frsize;
  if (missing == 0 || missing + RESERVE <= left)
    return TRUE;
  needed = g_format_size (missing);
  there = g_format_size (left);
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE, _("%s are still to come, and the disk has room for %s."), needed, there);
  return FALSE;
}

/* A part for each file, with what is there of it. */
static gboolean
recover (SlDownload  *self,
         SlJournal   *journal,
         GError     **error)
{
  guint64 present = 0;

  g_mutex_lock (&self->mutex);
  self->tree = sl_journal_get_tree (journal);
  self->progress.total = sl_hub_tree_get_size (self->tree);
  self->progress.total_files = self->tree->files->len;
  for (guint i = 0; i < self->tree->files->len; i++)
    g_ptr_array_add (self->parts, sl_part_new (self->folder, self->tree->files->pdata[i], i, journal));
  g_mutex_unlock (&self->mutex);
  for (guint i = 0; i < self->parts->len; i++)
    {
      if (!sl_part_recover (self->parts->pdata[i], self->cancellable, error))
        return FALSE;
      present += sl_part_get_bytes (self->parts->pdata[i]);
    }
  return check_space (self, self->progress.total - present, error);
}

/* ------------------------------------------------------------------------------------------------ the end */

static void
sync_folder (const char *path)
{
  int fd = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (fd >= 0)
    {
      fsync (fd);
      close (fd);
    }
}

static gboolean
set_exists (SlDownload  *self,
            GError     **error)
{
  g_autofree char *name = g_filename_display_name (self->dest);

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_EXISTS, _("“%s” exists already."), name);
  return FALSE;
}

/* What is on the way has its name from now on. */
static gboolean
publish (SlDownload  *self,
         SlJournal   *journal,
         GError     **error)
{
  g_autofree char *parent = g_path_get_dirname (self->dest);
  int code;

  if (!sl_library_write_note (self->folder, sl_journal_get_tree (journal), error))
    return FALSE;
  sync_folder (self->folder);
  sl_journal_remove (journal);
  if (renameat2 (AT_FDCWD, self->folder, AT_FDCWD, self->dest, RENAME_NOREPLACE) == 0
      || (errno == EINVAL && access (self->dest, F_OK) != 0 && g_rename (self->folder, self->dest) == 0))
    {
      sync_folder (parent);
      return TRUE;
    }
  code = errno;
  if (code == EEXIST)
    return set_exists (self, error);
  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (code), _("“%s” cannot be written: %s."), self->dest, g_strerror (code));
  return FALSE;
}

/* ------------------------------------------------------------------------------------------------ the run */

static void
set_state (SlDownload      *self,
           SlDownloadState  state)
{
  g_mutex_lock (&self->mutex);
  self->progress.state = state;
  g_mutex_unlock (&self->mutex);
}

static gboolean
run (SlDownload  *self,
     SlJournal   *journal,
     GError     **error)
{
  if (!find_list (self, journal, error) || !recover (self, journal, error))
    return FALSE;
  set_state (self, SL_DOWNLOAD_FETCHING);
  sl_download_fetch (self);
  if (self->error != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&self->error));
      return FALSE;
    }
  if (!publish (self, journal, error))
    return FALSE;
  set_state (self, SL_DOWNLOAD_DONE);
  return TRUE;
}

static void
cancel_run (GCancellable *cancellable,
            GCancellable *run)
{
  g_cancellable_cancel (run);
}

/* Nothing of it is under way. */
static void
forget_run (SlDownload *self)
{
  g_mutex_lock (&self->mutex);
  g_ptr_array_set_size (self->parts, 0);
  self->progress.bytes = self->progress.files = 0;
  self->tree = NULL;
  g_mutex_unlock (&self->mutex);
  g_clear_error (&self->error);
}

static gboolean
run_once (SlDownload    *self,
          SlJournal     *journal,
          GCancellable  *cancellable,
          GError       **error)
{
  gulong handler = 0;
  gboolean good;

  g_clear_object (&self->cancellable);
  self->cancellable = g_cancellable_new ();
  if (cancellable != NULL)
    handler = g_cancellable_connect (cancellable, G_CALLBACK (cancel_run), self->cancellable, NULL);
  good = run (self, journal, error);
  if (cancellable != NULL)
    g_cancellable_disconnect (cancellable, handler);
  forget_run (self);
  return good;
}

/* A keyring that does not answer has none; it is not asked before a host asks, because it may have to be unlocked. */
static gboolean
find_token (SlDownload   *self,
            GCancellable *cancellable)
{
  g_autofree char *host = sl_hub_dup_host (self->endpoint);
  char *kept = self->token == NULL ? sl_secret_lookup (SL_SECRET_HUB, host, cancellable, NULL) : NULL;

  if (kept != NULL)
    self->token = g_strdup (kept);
  sl_secret_free (kept);
  return kept != NULL;
}

gboolean
sl_download_run (SlDownload    *self,
                 GCancellable  *cancellable,
                 GError       **error)
{
  g_autoptr (SlJournal) journal = NULL;
  g_autoptr (GError) cause = NULL;
  gboolean good;

  if (g_file_test (self->dest, G_FILE_TEST_EXISTS) || g_file_test (self->dest, G_FILE_TEST_IS_SYMLINK))
    return set_exists (self, error);
  journal = sl_journal_open (self->folder, error);
  if (journal == NULL)
    return FALSE;
  good = run_once (self, journal, cancellable, &cause);
  if (g_error_matches (cause, SL_HTTP_ERROR, SL_HTTP_ERROR_ACCESS) && find_token (self, cancellable))
    {
      g_clear_error (&cause);
      good = run_once (self, journal, cancellable, &cause);
    }
  if (cause != NULL)
    g_propagate_error (error, g_steal_pointer (&cause));
  g_mutex_lock (&self->mutex);
  self->progress.bytes = good ? self->progress.total : 0;
  self->progress.files = good ? self->progress.total_files : 0;
  g_mutex_unlock (&self->mutex);
  return good;
}

/* ------------------------------------------------------------------------------------------------ unfinished ones */

char *
sl_download_dup_unfinished (const char *dest)
{
  g_autofree char *folder = g_strconcat (dest, SUFFIX, NULL);
  g_autoptr (SlJournal) journal = NULL;

  if (!g_file_test (folder, G_FILE_TEST_IS_DIR))
    return NULL;
  journal = sl_journal_open (folder, NULL);
  return journal != NULL && sl_journal_get_tree (journal) != NULL ? g_strdup (sl_journal_get_tree (journal)->repo) : NULL;
}

/* Only what a download puts there: plain files. Anything else stays, and the folder with it. */
gboolean
sl_download_discard (const char  *dest,
                     GError     **error)
{
  g_autofree char *folder = g_strconcat (dest, SUFFIX, NULL);
  g_autoptr (SlJournal) journal = NULL;
  g_autoptr (GDir) dir = NULL;
  const char *name;

  if (!g_file_test (folder, G_FILE_TEST_IS_DIR))
    return TRUE;
  journal = sl_journal_open (folder, error);
  dir = journal != NULL ? g_dir_open (folder, 0, error) : NULL;
  if (dir == NULL)
    return FALSE;
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);

      if (g_file_test (path, G_FILE_TEST_IS_REGULAR))
        g_unlink (path);
    }
  if (g_rmdir (folder) == 0)
    return TRUE;
  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errno), _("“%s” cannot be deleted: %s."), folder, g_strerror (errno));
  return FALSE;
}
