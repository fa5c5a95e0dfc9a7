/* SPDX-License-Identifier: MIT
 *
 * Every way in which a graphics processor is missing or broken gets its own sentence and advice, told from a folder that stands
 * for the system; and the self-test finds that the ways to compute agree.
 */
#include "app/system/sl-diagnostics-private.h"
#include "tests/app/app-test.h"

#include <string.h>

#include <glib/gstdio.h>

typedef struct
{
  char *root;
} Fixture;

static void
put (Fixture    *fixture,
     const char *name,
     const char *text)
{
  g_autofree char *path = g_build_filename (fixture->root, name, NULL);
  g_autofree char *dir = g_path_get_dirname (path);

  g_assert_no_errno (g_mkdir_with_parents (dir, 0700));
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

static void
drop (Fixture    *fixture,
      const char *name)
{
  g_autofree char *path = g_build_filename (fixture->root, name, NULL);

  g_assert_no_errno (g_remove (path));
}

/* value and advice (NULL: none) each hold these words. */
static void
expect (Fixture    *fixture,
        const char *value,
        const char *advice)
{
  SlDiagnostic *found = sl_diagnostics_explain_gpu (fixture->root);

  g_test_message ("%s → %s", found->value, found->advice ? found->advice : "-");
  g_assert_nonnull (strstr (found->value, value));
  if (advice == NULL)
    g_assert_null (found->advice);
  else
    {
      g_assert_nonnull (found->advice);
      g_assert_nonnull (strstr (found->advice, advice));
    }
  sl_diagnostic_free (found);
}

static void
set_up (Fixture      *fixture,
        gconstpointer data)
{
  fixture->root = app_test_make_dir ();
}

static void
tear_down (Fixture      *fixture,
           gconstpointer data)
{
  app_test_remove_dir (fixture->root);
}

static void
put_working_driver (Fixture *fixture)
{
  put (fixture, "sys/module/nvidia/version", "580.95.05\n");
  put (fixture, "dev/nvidiactl", "");
  put (fixture, "dev/nvidia-uvm", "");
  put (fixture, "proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: \t\t NVIDIA GeForce RTX 4070\nIRQ: 1\n");
  put (fixture, "usr/lib/x86_64-linux-gnu/libcuda.so.1", "");
}

static void
test_no_card (Fixture      *fixture,
              gconstpointer data)
{
  expect (fixture, "No NVIDIA", NULL);
  put (fixture, "sys/bus/pci/devices/0000:00:02.0/vendor", "0x8086\n");
  put (fixture, "sys/bus/pci/devices/0000:00:02.0/class", "0x030000\n");
  expect (fixture, "No NVIDIA", NULL);
}

static void
test_no_driver (Fixture      *fixture,
                gconstpointer data)
{
  put (fixture, "sys/bus/pci/devices/0000:01:00.0/vendor", "0x10de\n");
  put (fixture, "sys/bus/pci/devices/0000:01:00.0/class", "0x030200\n");
  expect (fixture, "driver is not loaded", "Install NVIDIA's driver");
  put (fixture, "sys/module/nouveau/parameters/x", "");
  expect (fixture, "nouveau", "NVIDIA's own driver");
}

static void
test_driver (Fixture      *fixture,
             gconstpointer data)
{
  put_working_driver (fixture);
  expect (fixture, "NVIDIA GeForce RTX 4070, driver 580.95.05", NULL);
  drop (fixture, "usr/lib/x86_64-linux-gnu/libcuda.so.1");
  expect (fixture, "libcuda.so.1 is not installed", "libcuda1");
  drop (fixture, "dev/nvidia-uvm");
  expect (fixture, "nvidia_uvm", "modprobe nvidia_uvm");
  drop (fixture, "dev/nvidiactl");
  expect (fixture, "/dev/nvidiactl", "--device=dri");
  put (fixture, "sys/module/nvidia/version", "535.183.01\n");
  expect (fixture, "535.183.01 is too old; version 580", "Update the driver");
}

static void
test_flatpak (Fixture      *fixture,
              gconstpointer data)
{
  put_working_driver (fixture);
  put (fixture, ".flatpak-info", "[Application]\n");
  expect (fixture, "lacks the driver extension", "org.freedesktop.Platform.GL.nvidia-580-95-05");
  put (fixture, "usr/lib/x86_64-linux-gnu/GL/nvidia-570-86-10/lib/libcuda.so.1", "");
  expect (fixture, "has the driver extension “nvidia-570-86-10”", "flatpak update");
  put (fixture, "usr/lib/x86_64-linux-gnu/GL/nvidia-580-95-05/lib/libcuda.so.1", "");
  expect (fixture, "driver 580.95.05", NULL);
}

static void
test_text (void)
{
  g_autoptr (GPtrArray) list = sl_diagnostics_collect ();
  g_autofree char *text = sl_diagnostics_to_text (list);

  g_assert_cmpuint (list->len, ==, 5);
  g_assert_nonnull (strstr (text, "Sightline "));
  g_assert_nonnull (strstr (text, "SQLite "));
  g_assert_nonnull (strstr (text, "Graphics processor: "));
  g_assert_true (g_utf8_validate (text, -1, NULL));
}

static void
on_self_test (GObject      *source,
              GAsyncResult *result,
              gpointer      user_data)
{
  GPtrArray **list = user_data;
  g_autoptr (GError) error = NULL;

  *list = sl_diagnostics_self_test_finish (result, &error);
  g_assert_no_error (error);
}

static void
test_self_test (void)
{
  GPtrArray *list = NULL;

  sl_diagnostics_self_test_async (NULL, on_self_test, &list);
  while (list == NULL)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (list->len, ==, 3);
  for (guint i = 0; i < list->len; i++)
    {
      const SlDiagnostic *item = g_ptr_array_index (list, i);

      g_test_message ("%s: %s", item->name, item->value);
      g_assert_null (item->advice);
      if (i < 2)
        g_assert_nonnull (strstr (item->value, "differs from the reference by"));
    }
  g_ptr_array_unref (list);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/diagnostics/gpu/no-card", Fixture, NULL, set_up, test_no_card, tear_down);
  g_test_add ("/diagnostics/gpu/no-driver", Fixture, NULL, set_up, test_no_driver, tear_down);
  g_test_add ("/diagnostics/gpu/driver", Fixture, NULL, set_up, test_driver, tear_down);
  g_test_add ("/diagnostics/gpu/flatpak", Fixture, NULL, set_up, test_flatpak, tear_down);
  g_test_add_func ("/diagnostics/text", test_text);
  g_test_add_func ("/diagnostics/self-test", test_self_test);
  return g_test_run ();
}
