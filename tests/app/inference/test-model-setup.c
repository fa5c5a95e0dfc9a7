/* SPDX-License-Identifier: MIT
 *
 * The queue of downloads in its order, and a setup that is stopped, discarded and refused, against a hub that listens and never answers,
 * or is not there.
 */
#include "app/hub/sl-http.h"
#include "app/inference/sl-model-setup.h"
#include "tests/app/app-test.h"

#include <string.h>

#include <glib/gstdio.h>

typedef struct
{
  char *dir, *endpoint;
  GSocketListener *listener;
  SlDownloads *downloads;
} Fixture;

/* data: NULL, a hub that answers nothing; else nobody listens. */
static void
set_up (Fixture      *self,
        gconstpointer data)
{
  guint16 port;

  self->dir = app_test_make_dir ();
  g_setenv ("SIGHTLINE_MODELS", self->dir, TRUE);
  self->listener = g_socket_listener_new ();
  port = g_socket_listener_add_any_inet_port (self->listener, NULL, NULL);
  g_assert_cmpuint (port, >, 0);
  self->endpoint = g_strdup_printf ("http://127.0.0.1:%u", port);
  if (data != NULL)
    g_socket_listener_close (self->listener);
  self->downloads = sl_downloads_new (self->endpoint);
}

static void
tear_down (Fixture      *self,
           gconstpointer data)
{
  sl_downloads_close (self->downloads);
  g_object_unref (self->downloads);
  g_object_unref (self->listener);
  g_free (self->endpoint);
  app_test_remove_dir (self->dir);
}

static void
expect_ahead (SlDownloadItem *item,
              guint           ahead)
{
  g_assert_cmpint (sl_download_item_get_state (item), ==, ahead > 0 ? SL_DOWNLOAD_ITEM_QUEUED : SL_DOWNLOAD_ITEM_RUNNING);
  g_assert_cmpuint (sl_download_item_get_ahead (item), ==, ahead);
}

static gboolean
is_running (gpointer item)
{
  return sl_download_item_get_state (item) == SL_DOWNLOAD_ITEM_RUNNING;
}

static void
test_queue (Fixture      *self,
            gconstpointer data)
{
  SlDownloadItem *a = sl_downloads_add (self->downloads, "owner/a");
  SlDownloadItem *b = sl_downloads_add (self->downloads, "owner/b");
  SlDownloadItem *c = sl_downloads_add (self->downloads, "owner/c");
  SlDownloadItem *d = sl_downloads_add (self->downloads, "owner/d");

  expect_ahead (a, 0);
  expect_ahead (b, 1);
  expect_ahead (c, 2);
  expect_ahead (d, 3);
  sl_downloads_put_first (self->downloads, d);
  expect_ahead (d, 1);
  expect_ahead (b, 2);
  expect_ahead (c, 3);
  sl_downloads_put_first (self->downloads, c);
  expect_ahead (c, 1);
  expect_ahead (d, 2);
  sl_downloads_discard (self->downloads, d);
  expect_ahead (b, 2);
  sl_downloads_stop (self->downloads, a);
  app_test_wait (is_running, c);
  expect_ahead (b, 1);
  g_assert_cmpint (sl_download_item_get_state (a), ==, SL_DOWNLOAD_ITEM_STOPPED);
  sl_downloads_resume (self->downloads, a);
  expect_ahead (a, 2); /* behind what waits already */
}

/* ------------------------------------------------------------------------------------------------ setting up */

static gboolean
is_downloading (gpointer setup)
{
  return sl_model_setup_get_state (setup) == SL_MODEL_SETUP_DOWNLOADING;
}

static gboolean
is_over (gpointer setup)
{
  return !sl_model_setup_is_busy (setup);
}

static void
test_stopped (Fixture      *self,
              gconstpointer data)
{
  g_autoptr (SlModelSetup) setup = sl_model_setup_new (self->downloads);

  sl_model_setup_begin (setup, "owner/a", SL_FORMAT_INT8);
  g_assert_cmpint (sl_model_setup_get_state (setup), ==, SL_MODEL_SETUP_LOOKING);
  sl_model_setup_stop (setup);
  g_assert_cmpint (sl_model_setup_get_state (setup), ==, SL_MODEL_SETUP_IDLE);
  sl_model_setup_begin (setup, "owner/a", SL_FORMAT_INT8);
  app_test_wait (is_downloading, setup);
  sl_model_setup_stop (setup);
  app_test_wait (is_over, setup);
  g_assert_cmpint (sl_model_setup_get_state (setup), ==, SL_MODEL_SETUP_IDLE);
  g_assert_nonnull (sl_downloads_find (self->downloads, "owner/a"));
}

/* By somebody else, while it waits for it. */
static void
test_discarded (Fixture      *self,
                gconstpointer data)
{
  g_autoptr (SlModelSetup) setup = sl_model_setup_new (self->downloads);

  sl_model_setup_begin (setup, "owner/a", SL_FORMAT_INT8);
  app_test_wait (is_downloading, setup);
  sl_downloads_discard (self->downloads, sl_downloads_find (self->downloads, "owner/a"));
  app_test_wait (is_over, setup);
  g_assert_cmpint (sl_model_setup_get_state (setup), ==, SL_MODEL_SETUP_IDLE);
  g_assert_cmpuint (app_test_count_files (self->dir), ==, 0);
}

static void
test_no_network (Fixture      *self,
                 gconstpointer data)
{
  g_autoptr (SlModelSetup) setup = sl_model_setup_new (self->downloads);

  sl_model_setup_begin (setup, "owner/a", SL_FORMAT_INT8);
  app_test_wait (is_over, setup);
  g_assert_cmpint (sl_model_setup_get_state (setup), ==, SL_MODEL_SETUP_FAILED);
  g_assert_error (sl_model_setup_get_error (setup), SL_HTTP_ERROR, SL_HTTP_ERROR_NETWORK);
  g_assert_nonnull (strstr (sl_model_setup_get_error (setup)->message, "127.0.0.1"));
}

/* What is there is not made again. */
static void
remember (SlModelSetup *setup,
          const char   *dir,
          char        **ready)
{
  *ready = g_strdup (dir);
}

static void
test_there (Fixture      *self,
            gconstpointer data)
{
  g_autoptr (SlModelSetup) setup = sl_model_setup_new (self->downloads);
  g_autofree char *dir = g_build_filename (self->dir, "a-mix", NULL);
  g_autofree char *config = g_build_filename (dir, "config.json", NULL);
  g_autofree char *ready = NULL;

  g_assert_no_errno (g_mkdir_with_parents (dir, 0700));
  g_assert_true (g_file_set_contents (config, "{}", -1, NULL));
  g_signal_connect (setup, "ready", G_CALLBACK (remember), &ready);
  sl_model_setup_begin (setup, "owner/a", SL_FORMAT_MIX);
  app_test_wait (is_over, setup);
  g_assert_cmpint (sl_model_setup_get_state (setup), ==, SL_MODEL_SETUP_READY);
  g_assert_cmpstr (ready, ==, dir);
  g_assert_null (sl_downloads_find (self->downloads, "owner/a"));
}

int
main (int    argc,
      char **argv)
{
  g_setenv ("no_proxy", "*", TRUE);
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/downloads/queue", Fixture, NULL, set_up, test_queue, tear_down);
  g_test_add ("/model-setup/stopped", Fixture, NULL, set_up, test_stopped, tear_down);
  g_test_add ("/model-setup/discarded", Fixture, NULL, set_up, test_discarded, tear_down);
  g_test_add ("/model-setup/no-network", Fixture, "nobody", set_up, test_no_network, tear_down);
  g_test_add ("/model-setup/there", Fixture, NULL, set_up, test_there, tear_down);
  return g_test_run ();
}
