/* SPDX-License-Identifier: MIT
 *
 * Models that move and are quantised: what is at its new place is all of it, and what was cancelled or failed left the original as it was
 * and nothing else. Another disk is a renameat2() that refuses; copying waits for the test, which cancels meanwhile.
 */
#include "app/hub/sl-library.h"
#include "app/inference/sl-model-work.h"
#include "app/system/sl-output.h"
#include "app/system/sl-places.h"
#include "tests/app/app-test.h"

#include <errno.h>

#include <glib/gstdio.h>

static gboolean other_disk;
static gpointer to_cancel; /* not NULL: the second file waits until the work is cancelled */
static int copies;

int __real_renameat2 (int, const char *, int, const char *, unsigned int);
int __wrap_renameat2 (int, const char *, int, const char *, unsigned int);

/* A folder that is being filled lies on the disk that it is for. */
int
__wrap_renameat2 (int          from_dir,
                  const char  *from,
                  int          to_dir,
                  const char  *to,
                  unsigned int flags)
{
  if (other_disk && g_str_has_suffix (from, "/model"))
    {
      errno = EXDEV;
      return -1;
    }
  return __real_renameat2 (from_dir, from, to_dir, to, flags);
}

gboolean __real_g_file_copy (GFile *, GFile *, GFileCopyFlags, GCancellable *, GFileProgressCallback, gpointer, GError **);
gboolean __wrap_g_file_copy (GFile *, GFile *, GFileCopyFlags, GCancellable *, GFileProgressCallback, gpointer, GError **);

gboolean
__wrap_g_file_copy (GFile                *from,
                    GFile                *to,
                    GFileCopyFlags        flags,
                    GCancellable         *cancellable,
                    GFileProgressCallback progress,
                    gpointer              data,
                    GError              **error)
{
  g_atomic_int_inc (&copies);
  while (g_atomic_pointer_get (&to_cancel) != NULL && g_atomic_int_get (&copies) == 2 && !g_cancellable_is_cancelled (cancellable))
    g_usleep (1000);
  return __real_g_file_copy (from, to, flags, cancellable, progress, data, error);
}

/* ------------------------------------------------------------------------------------------------ a model, and waiting */

typedef struct
{
  char *root, *dir, *place, *dest;
  guint n_files;
} Fixture;

/* The demo model, that nothing in it says is ours. */
static void
copy_demo (Fixture *self)
{
  g_autofree char *demo = sl_places_dup_demo_dir ();
  g_autoptr (GDir) dir = g_dir_open (demo, 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *from = g_build_filename (demo, name, NULL);
      g_autofree char *to = g_build_filename (self->dir, name, NULL);
      g_autofree char *text = NULL;
      gsize length;

      if (g_str_equal (name, "demo.json") || !g_file_get_contents (from, &text, &length, NULL))
        continue;
      g_assert_true (g_file_set_contents (to, text, length, NULL));
    }
  self->n_files = app_test_count_files (self->dir);
  g_assert_cmpuint (self->n_files, >, 4);
}

static void
set_up (Fixture      *self,
        gconstpointer data)
{
  self->root = app_test_make_dir ();
  self->dir = g_build_filename (self->root, "model", NULL);
  self->place = g_build_filename (self->root, "elsewhere", NULL);
  self->dest = g_build_filename (self->place, "model", NULL);
  g_assert_no_errno (g_mkdir (self->dir, 0700));
  g_assert_no_errno (g_mkdir (self->place, 0700));
  copy_demo (self);
  other_disk = GPOINTER_TO_INT (data);
  copies = 0;
}

static void
tear_down (Fixture      *self,
           gconstpointer data)
{
  g_free (self->dir);
  g_free (self->place);
  g_free (self->dest);
  app_test_remove_dir (self->root);
}

static gboolean
is_over (gpointer work)
{
  return sl_model_work_get_state (work) != SL_MODEL_WORK_RUNNING;
}

static void
expect (SlModelWork     *work,
        SlModelWorkState state,
        const char      *words)
{
  app_test_wait (is_over, work);
  g_assert_cmpint (sl_model_work_get_state (work), ==, state);
  g_assert_nonnull (strstr (sl_model_work_get_sentence (work), words));
}

static void
expect_moved (Fixture *self)
{
  g_assert_false (g_file_test (self->dir, G_FILE_TEST_EXISTS));
  g_assert_cmpuint (app_test_count_files (self->dest), ==, self->n_files);
  g_assert_cmpuint (app_test_count_files (self->root), ==, self->n_files);
}

static void
expect_unmoved (Fixture *self)
{
  g_assert_cmpuint (app_test_count_files (self->dir), ==, self->n_files);
  g_assert_cmpuint (app_test_count_files (self->place), ==, 0);
}

/* ------------------------------------------------------------------------------------------------ tests */

static void
test_move (Fixture      *self,
           gconstpointer data)
{
  g_autoptr (SlModelWork) work = sl_model_work_new_move (self->dir, self->dest);

  expect (work, SL_MODEL_WORK_DONE, self->dest);
  expect_moved (self);
}

static void
test_move_onto_another (Fixture      *self,
                        gconstpointer data)
{
  g_autoptr (SlModelWork) work = NULL;

  g_assert_no_errno (g_mkdir (self->dest, 0700));
  work = sl_model_work_new_move (self->dir, self->dest);
  expect (work, SL_MODEL_WORK_FAILED, "exists already");
  expect_unmoved (self);
}

static gboolean
is_copying (gpointer data)
{
  return g_atomic_int_get (&copies) == 2;
}

/* Lists see that it is under way. */
static void
expect_held (Fixture *self)
{
  g_autoptr (GDir) dir = g_dir_open (self->place, 0, NULL);
  g_autofree char *partial = g_build_filename (self->place, g_dir_read_name (dir), NULL);

  g_assert_true (sl_output_folder_is_held (partial));
  g_assert_false (sl_output_folder_is_held (self->dir));
}

static void
test_move_cancelled (Fixture      *self,
                     gconstpointer data)
{
  g_autoptr (SlModelWork) work = NULL;

  g_atomic_pointer_set (&to_cancel, (gpointer) self);
  work = sl_model_work_new_move (self->dir, self->dest);
  app_test_wait (is_copying, NULL);
  expect_held (self);
  sl_model_work_cancel (work);
  expect (work, SL_MODEL_WORK_CANCELLED, "nothing was changed");
  g_atomic_pointer_set (&to_cancel, NULL);
  expect_unmoved (self);
}

/* What was downloaded is compared with its hashes before the original goes. */
static void
test_move_damaged (Fixture      *self,
                   gconstpointer data)
{
  g_autoptr (SlHubTree) tree = g_new0 (SlHubTree, 1);
  g_autofree char *hash = g_compute_checksum_for_string (G_CHECKSUM_SHA256, "what it was", -1);
  g_autofree char *note = g_build_filename (self->dir, "sightline-download.json", NULL);
  g_autoptr (SlModelWork) work = NULL;
  g_autoptr (GError) error = NULL;

  tree->endpoint = g_strdup ("https://hub.example");
  tree->repo = g_strdup ("owner/model");
  tree->commit = g_strdup ("0123456789abcdef0123456789abcdef01234567");
  tree->files = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_hub_file_free);
  g_ptr_array_add (tree->files, sl_hub_file_new ("model.safetensors", 1 << 20, SL_HUB_HASH_SHA256, hash));
  g_assert_true (sl_library_write_note (self->dir, tree, &error));
  g_assert_no_error (error);
  work = sl_model_work_new_move (self->dir, self->dest);
  expect (work, SL_MODEL_WORK_FAILED, "model.safetensors is not what was downloaded");
  g_assert_no_errno (g_unlink (note));
  expect_unmoved (self);
}

static void
test_quantise_cancelled (Fixture      *self,
                         gconstpointer data)
{
  g_autofree char *demo = sl_places_dup_demo_dir ();
  g_autoptr (SlModelWork) work = sl_model_work_new_quantise (demo, self->dest, SL_FORMAT_INT8, FALSE);

  sl_model_work_cancel (work);
  expect (work, SL_MODEL_WORK_CANCELLED, "nothing was changed");
  expect_unmoved (self);
}

int
main (int    argc,
      char **argv)
{
  static const struct
  {
    const char *path;
    gboolean other_disk;
    void (*test) (Fixture *self, gconstpointer data);
  } tests[] = {
    { "/model-work/move", FALSE, test_move },
    { "/model-work/move-onto-another", FALSE, test_move_onto_another },
    { "/model-work/move-to-another-disk", TRUE, test_move },
    { "/model-work/move-cancelled", TRUE, test_move_cancelled },
    { "/model-work/move-damaged", TRUE, test_move_damaged },
    { "/model-work/quantise-cancelled", FALSE, test_quantise_cancelled },
  };

  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, GINT_TO_POINTER (tests[i].other_disk), set_up, tests[i].test, tear_down);
  return g_test_run ();
}
