/* SPDX-License-Identifier: MIT
 *
 * Helpers of the tests of app/. See the header.
 */
#include "app-test.h"

#include <string.h>

#include <glib/gstdio.h>

#define PATIENCE_SECONDS 60

char *
app_test_make_dir (void)
{
  g_autoptr (GError) error = NULL;
  char *dir = g_dir_make_tmp ("sightline-test-XXXXXX", &error);

  g_assert_no_error (error);
  return dir;
}

typedef void (*Visit) (const char *path, gpointer data);

static void
walk (const char *dir,
      Visit       file,
      Visit       folder,
      gpointer    data)
{
  g_autoptr (GDir) handle = g_dir_open (dir, 0, NULL);
  const char *name;

  while (handle != NULL && (name = g_dir_read_name (handle)) != NULL)
    {
      g_autofree char *path = g_build_filename (dir, name, NULL);

      if (g_file_test (path, G_FILE_TEST_IS_DIR))
        walk (path, file, folder, data);
      else if (file != NULL)
        file (path, data);
    }
  if (folder != NULL)
    folder (dir, data);
}

static void
remove_path (const char *path,
             gpointer    data)
{
  g_assert_cmpint (g_remove (path), ==, 0);
}

void
app_test_remove_dir (char *dir)
{
  walk (dir, remove_path, remove_path, NULL);
  g_free (dir);
}

static gboolean
give_up (gpointer data)
{
  g_error ("waited %d seconds in vain", PATIENCE_SECONDS);
  return G_SOURCE_REMOVE;
}

void
app_test_wait (AppTestCondition condition,
               gpointer         data)
{
  guint patience = g_timeout_add_seconds (PATIENCE_SECONDS, give_up, NULL);

  while (!condition (data))
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (patience);
}

void
app_test_store_result (GObject      *source,
                       GAsyncResult *result,
                       gpointer      user_data)
{
  *(GAsyncResult **) user_data = g_object_ref (result);
}

static gboolean
has_result (gpointer data)
{
  return *(GAsyncResult **) data != NULL;
}

GAsyncResult *
app_test_wait_result (GAsyncResult **slot)
{
  app_test_wait (has_result, slot);
  return g_steal_pointer (slot);
}

SlPicture *
app_test_make_picture (int     width,
                       int     height,
                       guint32 colour)
{
  g_autofree guint8 *rgba = g_malloc ((gsize) width * height * 4);
  g_autoptr (GError) error = NULL;
  SlPicture *picture;

  for (gsize i = 0; i < (gsize) width * height; i++)
    {
      rgba[i * 4] = colour >> 16;
      rgba[i * 4 + 1] = colour >> 8;
      rgba[i * 4 + 2] = colour;
      rgba[i * 4 + 3] = 255;
    }
  picture = sl_picture_new_from_rgba (rgba, width, height, (gsize) width * 4, "drop.png", &error);
  g_assert_no_error (error);
  return picture;
}

SlMessageRecord *
app_test_make_message (gint64      id,
                       gint64      conversation,
                       gint64      parent,
                       SlRole      role,
                       const char *text)
{
  SlMessageRecord *record = sl_message_record_new ();
  SlPartRecord *part = sl_part_record_new (SL_PART_TEXT);

  record->id = id;
  record->conversation = conversation;
  record->parent = parent;
  record->role = role;
  record->created = id;
  part->text = g_strdup (text);
  g_ptr_array_add (record->parts, part);
  return record;
}

void
app_test_add_picture (SlMessageRecord *record,
                      SlPicture       *picture)
{
  SlPartRecord *part = sl_part_record_new (SL_PART_PICTURE);

  part->sha256 = g_strdup (sl_picture_get_sha256 (picture));
  part->mime_type = g_strdup (sl_picture_get_mime_type (picture));
  part->extension = g_strdup (sl_picture_get_extension (picture));
  part->name = g_strdup (sl_picture_get_name (picture));
  part->width = sl_picture_get_width (picture);
  part->height = sl_picture_get_height (picture);
  part->bytes = g_bytes_ref (sl_picture_get_bytes (picture));
  g_ptr_array_add (record->parts, part);
}

typedef struct
{
  const char *bytes;
  gboolean found;
  guint files;
} Search;

static void
look_into (const char *path,
           gpointer    data)
{
  Search *search = data;
  g_autofree char *contents = NULL;
  gsize length;

  search->files++;
  if (search->bytes != NULL && g_file_get_contents (path, &contents, &length, NULL)
      && memmem (contents, length, search->bytes, strlen (search->bytes)) != NULL)
    search->found = TRUE;
}

gboolean
app_test_dir_contains (const char *dir,
                       const char *bytes)
{
  Search search = { bytes, FALSE, 0 };

  walk (dir, look_into, NULL, &search);
  return search.found;
}

guint
app_test_count_files (const char *dir)
{
  Search search = { NULL, FALSE, 0 };

  walk (dir, look_into, NULL, &search);
  return search.files;
}
