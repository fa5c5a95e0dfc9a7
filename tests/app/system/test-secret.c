/* SPDX-License-Identifier: MIT
 *
 * A key is found again for its own purpose and host and for no other. Against libsecret's own store in a file, so that no keyring is
 * asked: SECRET_BACKEND and its companions are set before the library looks.
 */
#include "app/system/sl-secret.h"

#include <glib/gstdio.h>

static void
expect (const char *purpose,
        const char *host,
        const char *expected)
{
  g_autoptr (GError) error = NULL;
  char *secret = sl_secret_lookup (purpose, host, NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (secret, ==, expected);
  sl_secret_free (secret);
}

static void
store (const char *purpose,
       const char *host,
       const char *secret)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (sl_secret_store (purpose, host, "Sightline: a test", secret, NULL, &error));
  g_assert_no_error (error);
}

static void
test_hosts (void)
{
  expect (SL_SECRET_ENGINE, "a.example:8000", NULL);
  store (SL_SECRET_ENGINE, "a.example:8000", "sk-a");
  store (SL_SECRET_ENGINE, "b.example", "sk-b");
  store (SL_SECRET_HUB, "a.example:8000", "hf-a");
  expect (SL_SECRET_ENGINE, "a.example:8000", "sk-a");
  expect (SL_SECRET_ENGINE, "b.example", "sk-b");
  expect (SL_SECRET_ENGINE, "a.example", NULL);
  expect (SL_SECRET_HUB, "a.example:8000", "hf-a");
  store (SL_SECRET_ENGINE, "a.example:8000", "sk-new");
  expect (SL_SECRET_ENGINE, "a.example:8000", "sk-new");
  store (SL_SECRET_ENGINE, "a.example:8000", NULL);
  expect (SL_SECRET_ENGINE, "a.example:8000", NULL);
  expect (SL_SECRET_HUB, "a.example:8000", "hf-a");
}

static void
test_cancelled (void)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;

  g_cancellable_cancel (cancellable);
  g_assert_null (sl_secret_lookup (SL_SECRET_ENGINE, "b.example", cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

int
main (int    argc,
      char **argv)
{
  g_autofree char *folder = g_dir_make_tmp ("sightline-secret-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "keyring", NULL);
  int status;

  g_setenv ("SECRET_BACKEND", "file", TRUE);
  g_setenv ("SECRET_FILE_TEST_PATH", path, TRUE);
  g_setenv ("SECRET_FILE_TEST_PASSWORD", "test", TRUE);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/secret/hosts", test_hosts);
  g_test_add_func ("/secret/cancelled", test_cancelled);
  status = g_test_run ();
  g_unlink (path);
  g_rmdir (folder);
  return status;
}
