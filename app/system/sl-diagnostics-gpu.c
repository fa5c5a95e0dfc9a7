/* SPDX-License-Identifier: MIT
 *
 * Why a graphics processor can or cannot be used, told from what the system says about itself: the card on the bus, the driver's
 * kernel modules and device nodes, and the driver's library, which a Flatpak gets from an extension of the same version. Nothing
 * is opened or loaded, so that a broken driver cannot harm the window.
 */
#include "app/system/sl-diagnostics-private.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#define OLDEST_DRIVER 580 /* of CUDA 13 */

static const char *const library_dirs[] = {
  "usr/lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu/nvidia/current", "usr/lib/aarch64-linux-gnu", "usr/lib64", "usr/lib", "usr/lib/wsl/lib",
};

/* The first line of a small file under root; NULL if it is not there. (transfer full) */
static char *
read_line (const char *root,
           const char *name)
{
  g_autofree char *path = g_build_filename (root, name, NULL);
  char *text = NULL;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return NULL;
  text[strcspn (text, "\n")] = '\0';
  return g_strstrip (text);
}

static gboolean
exists (const char *root,
        const char *first,
        ...) G_GNUC_NULL_TERMINATED;

static gboolean
exists (const char *root,
        const char *first,
        ...)
{
  va_list names;
  g_autofree char *path = NULL;
  g_autofree char *below = NULL;

  va_start (names, first);
  below = g_build_filename_valist ((char *) first, &names);
  va_end (names);
  path = g_build_filename (root, below, NULL);
  return g_file_test (path, G_FILE_TEST_EXISTS);
}

/* A display controller or accelerator of NVIDIA on the PCI bus. */
static gboolean
has_card (const char *root)
{
  g_autofree char *bus = g_build_filename (root, "sys/bus/pci/devices", NULL);
  g_autoptr (GDir) dir = g_dir_open (bus, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *device = g_build_filename (bus, name, NULL);
      g_autofree char *vendor = read_line (device, "vendor");
      g_autofree char *class = read_line (device, "class");

      if (g_strcmp0 (vendor, "0x10de") == 0 && class != NULL
          && (g_str_has_prefix (class, "0x03") || g_str_has_prefix (class, "0x12")))
        return TRUE;
    }
  return FALSE;
}

static gboolean
has_library (const char *root)
{
  for (guint i = 0; i < G_N_ELEMENTS (library_dirs); i++)
    if (exists (root, library_dirs[i], "libcuda.so.1", NULL))
      return TRUE;
  return FALSE;
}

/* "Model: " of each card that the driver lists. (transfer full) */
static char *
read_models (const char *root)
{
  g_autofree char *gpus = g_build_filename (root, "proc/driver/nvidia/gpus", NULL);
  g_autoptr (GDir) dir = g_dir_open (gpus, 0, NULL);
  g_autoptr (GPtrArray) models = g_ptr_array_new_with_free_func (g_free);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (gpus, name, "information", NULL);
      g_autofree char *text = NULL;

      if (g_file_get_contents (path, &text, NULL, NULL) && g_str_has_prefix (text, "Model:"))
        {
          text[strcspn (text, "\n")] = '\0';
          g_ptr_array_add (models, g_strdup (g_strstrip (text + strlen ("Model:"))));
        }
    }
  if (models->len == 0)
    return g_strdup (_("NVIDIA graphics processor"));
  g_ptr_array_add (models, NULL);
  return g_strjoinv (", ", (char **) models->pdata);
}

/* The name of another version of the driver extension that is there; NULL for none. (transfer full) */
static char *
find_other_extension (const char *root)
{
  static const char *const parents[] = { "usr/lib/x86_64-linux-gnu/GL", "usr/lib/aarch64-linux-gnu/GL" };

  for (guint i = 0; i < G_N_ELEMENTS (parents); i++)
    {
      g_autofree char *path = g_build_filename (root, parents[i], NULL);
      g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
      const char *name;

      while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
        if (g_str_has_prefix (name, "nvidia-"))
          return g_strdup (name);
    }
  return NULL;
}

static gboolean
has_extension (const char *root,
               const char *name)
{
  return exists (root, "usr/lib/x86_64-linux-gnu/GL", name, "lib", "libcuda.so.1", NULL)
         || exists (root, "usr/lib/aarch64-linux-gnu/GL", name, "lib", "libcuda.so.1", NULL);
}

/* Inside Flatpak the driver's library comes as an extension whose version has to be the kernel module's. */
static gboolean
explain_extension (SlDiagnostic *self,
                   const char   *root,
                   const char   *version)
{
  g_autofree char *name = g_strconcat ("nvidia-", version, NULL);
  g_autofree char *other = NULL;

  g_strdelimit (name, ".", '-');
  if (has_extension (root, name))
    return FALSE;
  other = find_other_extension (root);
  if (other != NULL)
    self->value = g_strdup_printf (_("The driver of this computer is %s, but the sandbox has the driver extension “%s”: they have to "
                                     "be of the same version."),
                                   version, other);
  else
    self->value = g_strdup_printf (_("The driver of this computer is %s, but the sandbox lacks the driver extension."), version);
  self->advice = g_strdup_printf (_("Run “flatpak update” or “flatpak install org.freedesktop.Platform.GL.%s”, then start Sightline "
                                    "again. If there is no extension of that version, install a driver version that has one."),
                                  name);
  return TRUE;
}

static void
explain_missing_driver (SlDiagnostic *self,
                        const char   *root)
{
  if (!has_card (root))
    self->value = g_strdup (_("No NVIDIA graphics processor was found. Sightline computes on the processor."));
  else if (exists (root, "sys/module/nouveau", NULL))
    {
      self->value = g_strdup (_("An NVIDIA card is there, but it runs with the driver “nouveau”, which cannot compute for Sightline."));
      self->advice = g_strdup (_("Install NVIDIA's own driver with the tools of your distribution, and restart the computer."));
    }
  else
    {
      self->value = g_strdup (_("An NVIDIA card is there, but its driver is not loaded."));
      self->advice = g_strdup (_("Install NVIDIA's driver with the tools of your distribution, and restart the computer. With Secure "
                                 "Boot, the driver's modules have to be signed."));
    }
}

/* TRUE: something is wrong, and value and advice say what. */
static gboolean
explain_driver (SlDiagnostic *self,
                const char   *root,
                const char   *version)
{
  if (atoi (version) < OLDEST_DRIVER)
    {
      self->value = g_strdup_printf (_("The driver %s is too old; version %d or newer is needed."), version, OLDEST_DRIVER);
      self->advice = g_strdup (_("Update the driver with the tools of your distribution, and restart the computer."));
      return TRUE;
    }
  if (!exists (root, "dev/nvidiactl", NULL))
    {
      self->value = g_strdup_printf (_("The driver %s is loaded, but its device /dev/nvidiactl cannot be seen from here."), version);
      self->advice = g_strdup (_("In a sandbox or container, let the device in (Flatpak: “flatpak override --user --device=dri "
                                 "io.github.sightline.Sightline”)."));
      return TRUE;
    }
  if (!exists (root, "dev/nvidia-uvm", NULL))
    {
      self->value = g_strdup_printf (_("The driver %s is loaded, but its part for computing (nvidia_uvm) is not."), version);
      self->advice = g_strdup (_("Run “sudo modprobe nvidia_uvm” outside of any sandbox, then start Sightline again. To load it at every "
                                 "start, write nvidia_uvm into a file in /etc/modules-load.d."));
      return TRUE;
    }
  return FALSE;
}

SlDiagnostic *
sl_diagnostics_explain_gpu (const char *root)
{
  g_autofree char *version = read_line (root, "sys/module/nvidia/version");
  g_autofree char *models = NULL;
  SlDiagnostic *self = g_new0 (SlDiagnostic, 1);

  self->name = g_strdup (_("Graphics processor"));
  if (version == NULL)
    {
      explain_missing_driver (self, root);
      return self;
    }
  if (explain_driver (self, root, version))
    return self;
  if (exists (root, ".flatpak-info", NULL))
    {
      if (explain_extension (self, root, version))
        return self;
    }
  else if (!has_library (root))
    {
      self->value = g_strdup_printf (_("The driver %s is loaded, but its library libcuda.so.1 is not installed."), version);
      self->advice = g_strdup (_("Install the library of the same version; on Debian it is the package libcuda1."));
      return self;
    }
  models = read_models (root);
  /* Translators: name of the graphics processor, version of its driver */
  self->value = g_strdup_printf (_("%s, driver %s"), models, version);
  return self;
}
