/* SPDX-License-Identifier: MIT
 *
 * What the tests of app/ share: private folders, waiting for a condition on the main loop, small pictures. Main thread of a
 * test program only; it must not need a display.
 */
#pragma once

#include <gio/gio.h>

#include "app/pictures/sl-picture.h"
#include "app/store/sl-records.h"

/* A folder of this test's own; app_test_remove_dir() removes it and frees the name. */
char *app_test_make_dir (void);
void app_test_remove_dir (char *dir);

/* Runs the main loop until test() holds; fails the test after ten seconds. */
typedef gboolean (*AppTestCondition) (gpointer data);
void app_test_wait (AppTestCondition condition, gpointer data);
/* A GAsyncReadyCallback that stores its result in the GAsyncResult * at user_data. */
void app_test_store_result (GObject *source, GAsyncResult *result, gpointer user_data);
/* Waits for that. (transfer full) */
GAsyncResult *app_test_wait_result (GAsyncResult **slot);

/* A one-coloured picture; different colours have different bytes. */
SlPicture *app_test_make_picture (int width, int height, guint32 colour);

/* A message of one text, for the store's functions. */
SlMessageRecord *app_test_make_message (gint64 id, gint64 conversation, gint64 parent, SlRole role, const char *text);
void app_test_add_picture (SlMessageRecord *record, SlPicture *picture);

/* TRUE if any file below dir holds these bytes. */
gboolean app_test_dir_contains (const char *dir, const char *bytes);
/* Number of files below dir. */
guint app_test_count_files (const char *dir);
