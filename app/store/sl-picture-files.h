/* SPDX-License-Identifier: MIT
 *
 * Pictures as files named by the SHA-256 of their untouched bytes: <dir>/<ab>/<sha256>.<extension>. A file is complete or not
 * there: written beside, synced, renamed, its folder synced. Called by sl-database.c on the store's thread.
 * It must not know rows: who refers to a file is the database's business.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* 64 lower-case hex digits, and 1 … 8 lower-case letters or digits: safe as a file name. */
gboolean sl_picture_files_valid_name (const char *sha256, const char *extension);
char *sl_picture_files_dup_path (const char *dir, const char *sha256, const char *extension);

/* Does nothing if the file is there with the right size. FALSE: SL_STORE_ERROR with the file and the reason. */
gboolean sl_picture_files_write (const char *dir, const char *sha256, const char *extension, GBytes *bytes, GError **error);
/* Removes one; a file that is not there is no error. */
gboolean sl_picture_files_remove (const char *dir, const char *sha256, const char *extension, GError **error);

/* Moves one between two such folders of one file system; its time is then that of the move. A half-written one is removed; one that is
 * not there is no error. */
gboolean sl_picture_files_move (const char *from, const char *to, const char *sha256, const char *extension, GError **error);

/* Calls `visit` with each file's path and its SHA-256 by name (NULL for one whose name is none, such as a half-written one). */
typedef void (*SlPictureFilesVisit) (const char *path, const char *sha256, gpointer user_data);
void sl_picture_files_foreach (const char *dir, SlPictureFilesVisit visit, gpointer user_data);

G_END_DECLS
