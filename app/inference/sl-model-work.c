/* SPDX-License-Identifier: MIT
 *
 * A GTask runs the work; a timeout looks at its numbers while it lasts.
 */
#include "app/inference/sl-model-work.h"

#include "app/hub/sl-library.h"
#include "app/inference/sl-quantise.h"
#include "app/system/sl-output.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>

#define TICK_MS 250

struct _SlModelWork
{
  GObject parent_instance;

  SlModelWorkKind kind;
  SlModelWorkState state;
  char *dir, *dest, *sentence;
  SlFormat format;
  gboolean vision_int8;
  GCancellable *cancellable;
  vl2_cancel cancel;
  gint64 start; /* monotonic µs, of what is under way: writing, then reading back */
  guint tick;

  GMutex mutex; /* what follows is the thread's */
  guint64 bytes, total;
  gboolean reading_back;
};

static guint changed_signal;

G_DEFINE_FINAL_TYPE (SlModelWork, sl_model_work, G_TYPE_OBJECT)

/* ------------------------------------------------------------------------------------------------ on the thread */

static void
tell (guint64  bytes,
      guint64  total,
      gpointer data)
{
  SlModelWork *self = data;

  g_mutex_lock (&self->mutex);
  /* Only reading back begins anew. */
  if (bytes < self->bytes && self->kind == SL_MODEL_WORK_QUANTISE)
    {
      self->reading_back = TRUE;
      self->start = g_get_monotonic_time ();
    }
  self->bytes = bytes;
  self->total = total;
  g_mutex_unlock (&self->mutex);
}

static void
tell_stage (vl2_stage stage,
            uint64_t  done,
            uint64_t  total,
            void     *user)
{
  tell (done, total, user);
}

/* The sentence of a model that is as it was; NULL with error, or with INVALID_DATA that names what is not. */
static char *
verify (SlModelWork  *self,
        const char   *dir,
        GError      **error)
{
  g_autoptr (GPtrArray) wrong = g_ptr_array_new_with_free_func (g_free);

  if (!sl_library_verify (dir, wrong, tell, self, self->cancellable, error))
    return NULL;
  if (wrong->len == 0)
    return g_strdup (_("Every file has the hash that it came with."));
  g_ptr_array_add (wrong, NULL);
  {
    g_autofree char *all = g_strjoinv (" ", (char **) wrong->pdata);

    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, all);
  }
  return NULL;
}

static char *
quantise (SlModelWork  *self,
          GError      **error)
{
  const struct vl2_watch watch = { .cancel = &self->cancel, .progress = tell_stage, .user = self };
  SlQuantiseOptions options = { .model = self->dir,
                                      .out = self->dest,
                                      .vision_int8 = self->vision_int8,
                                      .verify = TRUE,
                                      .watch = &watch,
                                      .cancellable = self->cancellable };
  struct vl2_quantise_report report;
  g_autofree char *folder = g_path_get_dirname (self->dest);
  g_autofree char *name = g_path_get_basename (self->dest);
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;

  if (g_mkdir_with_parents (folder, 0777) != 0)
    {
      sl_output_set_error (error, folder, errno);
      return NULL;
    }
  vl2_format_from_name (sl_format_get_name (self->format), &options.format);
  if (!sl_quantise_folder (&options, &report, error))
    return NULL;
  before = g_format_size (report.source_bytes);
  after = g_format_size (report.bytes);
  /* Translators: name of the new model, its size, the original's size */
  return g_strdup_printf (_("“%s” is in the list: %s instead of %s, read back and right."), name, after, before);
}

static void
tell_copied (goffset  now,
             goffset  total,
             gpointer data)
{
  const struct { SlModelWork *self; guint64 before, all; } *copy = data;

  tell (copy->before + now, copy->all, copy->self);
}

static gboolean
copy_file (const char    *from,
           const char    *to,
           gpointer       copy,
           GCancellable  *cancellable,
           GError       **error)
{
  g_autoptr (GFile) source = g_file_new_for_path (from);
  g_autoptr (GFile) target = g_file_new_for_path (to);
  int fd;

  if (!g_file_copy (source, target, G_FILE_COPY_TARGET_DEFAULT_PERMS, cancellable, tell_copied, copy, error))
    return FALSE;
  fd = g_open (to, O_RDONLY | O_CLOEXEC, 0);
  if (fd >= 0)
    {
      fsync (fd);
      close (fd);
    }
  return TRUE;
}

/* The files of a model's folder, which has no folders in it. */
static gboolean
copy_folder (SlModelWork  *self,
             const char   *to,
             GError      **error)
{
  struct { SlModelWork *self; guint64 before, all; } copy = { self, 0, 0 };
  g_autoptr (GDir) dir = g_dir_open (self->dir, 0, error);
  const char *name;

  for (int pass = 0; dir != NULL && pass < 2; pass++, g_dir_rewind (dir))
    while ((name = g_dir_read_name (dir)) != NULL)
      {
        g_autofree char *from = g_build_filename (self->dir, name, NULL);
        g_autofree char *target = g_build_filename (to, name, NULL);
        GStatBuf info;

        if (g_stat (from, &info) != 0 || !S_ISREG (info.st_mode))
          continue;
        if (pass == 0)
          copy.all += info.st_size;
        else if (!copy_file (from, target, &copy, self->cancellable, error))
          return FALSE;
        else
          copy.before += info.st_size;
      }
  return dir != NULL;
}

/* What has no hashes is what was copied, as far as the copy ended without an error. */
static gboolean
check_copy (SlModelWork  *self,
            const char   *dir,
            GError      **error)
{
  g_autoptr (GError) cause = NULL;
  g_autofree char *good = verify (self, dir, &cause);

  if (good != NULL || g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&cause));
  return FALSE;
}

static gboolean
move_to_other_disk (SlModelWork  *self,
                    GError      **error)
{
  g_autofree char *partial = sl_output_folder_begin (self->dest, error);
  gboolean good;
  int hold;

  if (partial == NULL)
    return FALSE;
  hold = sl_output_folder_hold (partial);
  good = copy_folder (self, partial, error) && check_copy (self, partial, error) && sl_output_folder_finish (partial, self->dest, error);
  sl_output_folder_discard (good ? self->dir : partial);
  if (hold >= 0)
    close (hold);
  return good;
}

static char *
move (SlModelWork  *self,
      GError      **error)
{
  g_autofree char *shown = g_filename_display_name (self->dest);
  int code = renameat2 (AT_FDCWD, self->dir, AT_FDCWD, self->dest, RENAME_NOREPLACE) == 0 ? 0 : errno;

  if (code == EEXIST || code == ENOTEMPTY)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_EXISTS, _("“%s” exists already."), shown);
      return NULL;
    }
  if (code != 0 && code != EXDEV && code != EINVAL)
    {
      sl_output_set_error (error, self->dest, code);
      return NULL;
    }
  if (code != 0 && !move_to_other_disk (self, error))
    return NULL;
  /* Translators: a folder */
  return g_strdup_printf (_("It is in “%s” now."), shown);
}

static void
work (GTask        *task,
      gpointer      source,
      gpointer      data,
      GCancellable *cancellable)
{
  SlModelWork *self = source;
  GError *error = NULL;
  char *sentence = self->kind == SL_MODEL_WORK_VERIFY     ? verify (self, self->dir, &error)
                   : self->kind == SL_MODEL_WORK_QUANTISE ? quantise (self, &error)
                                                          : move (self, &error);

  if (sentence != NULL)
    g_task_return_pointer (task, sentence, g_free);
  else
    g_task_return_error (task, error);
}

/* ------------------------------------------------------------------------------------------------ on the UI thread */

static SlModelWorkState
state_of (SlModelWork  *self,
          const GError *error)
{
  if (error == NULL)
    return SL_MODEL_WORK_DONE;
  if (g_cancellable_is_cancelled (self->cancellable))
    return SL_MODEL_WORK_CANCELLED;
  if (self->kind == SL_MODEL_WORK_VERIFY && g_error_matches (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA))
    return SL_MODEL_WORK_WRONG;
  return SL_MODEL_WORK_FAILED;
}

static void
on_worked (GObject      *source,
           GAsyncResult *result,
           gpointer      data)
{
  SlModelWork *self = SL_MODEL_WORK (source);
  g_autoptr (GError) error = NULL;

  g_clear_handle_id (&self->tick, g_source_remove);
  self->sentence = g_task_propagate_pointer (G_TASK (result), &error);
  self->state = state_of (self, error);
  if (error != NULL)
    self->sentence = g_strdup (self->state == SL_MODEL_WORK_CANCELLED ? _("It was stopped; nothing was changed.") : error->message);
  g_signal_emit (self, changed_signal, 0);
}

static gboolean
on_tick (gpointer data)
{
  g_signal_emit (data, changed_signal, 0);
  return G_SOURCE_CONTINUE;
}

static SlModelWork *
begin (SlModelWorkKind kind,
       const char     *dir,
       const char     *dest,
       SlFormat        format,
       gboolean        vision_int8)
{
  SlModelWork *self = g_object_new (SL_TYPE_MODEL_WORK, NULL);
  g_autoptr (GTask) task = g_task_new (self, NULL, on_worked, NULL);

  self->kind = kind;
  self->dir = g_strdup (dir);
  self->dest = g_strdup (dest);
  self->format = format;
  self->vision_int8 = vision_int8;
  self->start = g_get_monotonic_time ();
  self->tick = g_timeout_add (TICK_MS, on_tick, self);
  g_task_set_source_tag (task, begin);
  g_task_run_in_thread (task, work);
  return self;
}

SlModelWork *
sl_model_work_new_verify (const char *dir)
{
  return begin (SL_MODEL_WORK_VERIFY, dir, NULL, SL_FORMAT_INT8, FALSE);
}

SlModelWork *
sl_model_work_new_quantise (const char *dir,
                            const char *dest,
                            SlFormat    format,
                            gboolean    vision_int8)
{
  return begin (SL_MODEL_WORK_QUANTISE, dir, dest, format, vision_int8);
}

SlModelWork *
sl_model_work_new_move (const char *dir,
                        const char *dest)
{
  return begin (SL_MODEL_WORK_MOVE, dir, dest, SL_FORMAT_INT8, FALSE);
}

void
sl_model_work_cancel (SlModelWork *self)
{
  g_return_if_fail (SL_IS_MODEL_WORK (self));

  if (self->state != SL_MODEL_WORK_RUNNING)
    return;
  atomic_store (&self->cancel, true);
  g_cancellable_cancel (self->cancellable);
}

/* ------------------------------------------------------------------------------------------------ what it says */

SlModelWorkKind
sl_model_work_get_kind (SlModelWork *self)
{
  g_return_val_if_fail (SL_IS_MODEL_WORK (self), SL_MODEL_WORK_VERIFY);

  return self->kind;
}

SlModelWorkState
sl_model_work_get_state (SlModelWork *self)
{
  g_return_val_if_fail (SL_IS_MODEL_WORK (self), SL_MODEL_WORK_FAILED);

  return self->state;
}

const char *
sl_model_work_get_dir (SlModelWork *self)
{
  g_return_val_if_fail (SL_IS_MODEL_WORK (self), NULL);

  return self->dir;
}

const char *
sl_model_work_get_dest (SlModelWork *self)
{
  g_return_val_if_fail (SL_IS_MODEL_WORK (self), NULL);

  return self->dest;
}

SlFormat
sl_model_work_get_format (SlModelWork *self)
{
  g_return_val_if_fail (SL_IS_MODEL_WORK (self), SL_FORMAT_INT8);

  return self->format;
}

const char *
sl_model_work_get_sentence (SlModelWork *self)
{
  g_return_val_if_fail (SL_IS_MODEL_WORK (self), NULL);

  return self->sentence;
}

void
sl_model_work_get_progress (SlModelWork         *self,
                            SlModelWorkProgress *progress)
{
  double seconds;

  g_return_if_fail (SL_IS_MODEL_WORK (self));

  g_mutex_lock (&self->mutex);
  seconds = (g_get_monotonic_time () - self->start) / (double) G_USEC_PER_SEC;
  *progress = (SlModelWorkProgress) { .bytes = self->bytes, .total = self->total, .seconds_left = -1, .reading_back = self->reading_back };
  g_mutex_unlock (&self->mutex);
  if (seconds > 0)
    progress->bytes_per_second = progress->bytes / seconds;
  if (progress->bytes_per_second > 0)
    progress->seconds_left = (progress->total - progress->bytes) / progress->bytes_per_second;
}

/* ------------------------------------------------------------------------------------------------ object */

static void
sl_model_work_finalize (GObject *object)
{
  SlModelWork *self = SL_MODEL_WORK (object);

  g_clear_handle_id (&self->tick, g_source_remove);
  g_object_unref (self->cancellable);
  g_mutex_clear (&self->mutex);
  g_free (self->dir);
  g_free (self->dest);
  g_free (self->sentence);
  G_OBJECT_CLASS (sl_model_work_parent_class)->finalize (object);
}

static void
sl_model_work_class_init (SlModelWorkClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = sl_model_work_finalize;
  changed_signal = g_signal_new ("changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
sl_model_work_init (SlModelWork *self)
{
  g_mutex_init (&self->mutex);
  self->cancellable = g_cancellable_new ();
}
