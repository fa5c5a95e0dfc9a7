/* SPDX-License-Identifier: MIT
 *
 * Content-addressed picture files with plain POSIX calls: GLib's file functions do not sync folders. The store's thread.
 */
#include "app/store/sl-picture-files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <utime.h>

#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>

#include "app/store/sl-store-error.h"
#include "app/system/sl-output.h"

#define SHA256_DIGITS 64
#define TEMPORARY_SUFFIX ".part"

static gboolean
is_sha256 (const char *name,
           gsize       length)
{
  if (length != SHA256_DIGITS)
    return FALSE;
  for (gsize i = 0; i < length; i++)
    if (!g_ascii_isdigit (name[i]) && !(name[i] >= 'a' && name[i] <= 'f'))
      return FALSE;
  return TRUE;
}

gboolean
sl_picture_files_valid_name (const char *sha256,
                             const char *extension)
{
  gsize length;

  if (sha256 == NULL || extension == NULL || !is_sha256 (sha256, strlen (sha256)))
    return FALSE;
  length = strlen (extension);
  for (gsize i = 0; i < length; i++)
    if (!g_ascii_isdigit (extension[i]) && !g_ascii_islower (extension[i]))
      return FALSE;
  return length >= 1 && length <= 8;
}

char *
sl_picture_files_dup_path (const char *dir,
                           const char *sha256,
                           const char *extension)
{
  g_autofree char *name = g_strconcat (sha256, ".", extension, NULL);
  char folder[3] = { sha256[0], sha256[1], '\0' };

  return g_build_filename (dir, folder, name, NULL);
}

static void
set_errno_error (GError    **error,
                 const char *path,
                 int         code)
{
  SlStoreError kind = SL_STORE_ERROR_IO;

  if (code == ENOSPC || code == EDQUOT || code == EFBIG)
    kind = SL_STORE_ERROR_FULL;
  else if (code == EROFS || code == EACCES || code == EPERM)
    kind = SL_STORE_ERROR_READ_ONLY;
  g_set_error (error, SL_STORE_ERROR, kind, _("The picture file “%s” could not be saved: %s"), path, g_strerror (code));
}

/* Returns 0 or an errno. */
static int
write_and_sync (const char *path,
                GBytes     *bytes)
{
  int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  gsize length;
  const guint8 *data = g_bytes_get_data (bytes, &length);
  int code;

  if (fd < 0)
    return errno;
  code = sl_output_write_all (fd, data, length);
  if (code == 0 && fsync (fd) != 0)
    code = errno;
  if (close (fd) != 0 && code == 0)
    code = errno;
  return code;
}

static int
sync_folder (const char *path)
{
  int fd = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int code = 0;

  if (fd < 0)
    return errno;
  /* Some file systems cannot sync a folder; that is their promise to keep. */
  if (fsync (fd) != 0 && errno != EINVAL)
    code = errno;
  close (fd);
  return code;
}

gboolean
sl_picture_files_write (const char *dir,
                        const char *sha256,
                        const char *extension,
                        GBytes     *bytes,
                        GError    **error)
{
  g_autofree char *path = sl_picture_files_dup_path (dir, sha256, extension);
  g_autofree char *folder = g_path_get_dirname (path);
  g_autofree char *temporary = g_strconcat (path, TEMPORARY_SUFFIX, NULL);
  GStatBuf info;
  int code = 0;

  if (g_stat (path, &info) == 0 && (gsize) info.st_size == g_bytes_get_size (bytes))
    return TRUE;

  if (g_mkdir_with_parents (folder, 0700) != 0)
    code = errno;
  if (code == 0)
    code = write_and_sync (temporary, bytes);
  if (code == 0 && g_rename (temporary, path) != 0)
    code = errno;
  if (code == 0)
    code = sync_folder (folder);
  if (code == 0)
    code = sync_folder (dir);
  if (code == 0)
    return TRUE;

  g_unlink (temporary);
  set_errno_error (error, path, code);
  return FALSE;
}

gboolean
sl_picture_files_remove (const char *dir,
                         const char *sha256,
                         const char *extension,
                         GError    **error)
{
  g_autofree char *path = sl_picture_files_dup_path (dir, sha256, extension);
  g_autofree char *folder = g_path_get_dirname (path);

  if (g_unlink (path) != 0 && errno != ENOENT)
    {
      int code = errno;

      g_set_error (error, SL_STORE_ERROR, code == EROFS || code == EACCES ? SL_STORE_ERROR_READ_ONLY : SL_STORE_ERROR_IO,
                   _("The picture file “%s” could not be removed: %s"), path, g_strerror (code));
      return FALSE;
    }
  g_rmdir (folder); /* only an empty one goes */
  return TRUE;
}

gboolean
sl_picture_files_move (const char  *from,
                       const char  *to,
                       const char  *sha256,
                       const char  *extension,
                       GError     **error)
{
  g_autofree char *source = sl_picture_files_dup_path (from, sha256, extension);
  g_autofree char *target = sl_picture_files_dup_path (to, sha256, extension);
  g_autofree char *half = g_strconcat (source, TEMPORARY_SUFFIX, NULL);
  g_autofree char *source_folder = g_path_get_dirname (source);
  g_autofree char *target_folder = g_path_get_dirname (target);

  g_unlink (half);
  if (g_mkdir_with_parents (target_folder, 0700) != 0 || (g_rename (source, target) != 0 && errno != ENOENT))
    {
      set_errno_error (error, target, errno);
      return FALSE;
    }
  g_utime (target, NULL);
  g_rmdir (source_folder); /* only empty ones go */
  g_rmdir (target_folder);
  return TRUE;
}

static void
visit_folder (const char          *folder,
              SlPictureFilesVisit  visit,
              gpointer             user_data)
{
  g_autoptr (GDir) handle = g_dir_open (folder, 0, NULL);
  const char *name;

  if (handle == NULL)
    return;
  while ((name = g_dir_read_name (handle)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);
      const char *dot = strchr (name, '.');
      g_autofree char *sha256 = NULL;

      if (dot != NULL && is_sha256 (name, dot - name) && strchr (dot + 1, '.') == NULL)
        sha256 = g_strndup (name, dot - name);
      visit (path, sha256, user_data);
    }
}

void
sl_picture_files_foreach (const char          *dir,
                          SlPictureFilesVisit  visit,
                          gpointer             user_data)
{
  g_autoptr (GDir) handle = g_dir_open (dir, 0, NULL);
  const char *name;

  if (handle == NULL)
    return;
  while ((name = g_dir_read_name (handle)) != NULL)
    {
      g_autofree char *folder = g_build_filename (dir, name, NULL);

      visit_folder (folder, visit, user_data);
    }
}
