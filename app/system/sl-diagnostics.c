/* SPDX-License-Identifier: MIT
 *
 * Collecting facts from small files of the system. The graphics processor has sl-diagnostics-gpu.c, the self-test
 * sl-self-test.c.
 */
#include "app/system/sl-diagnostics-private.h"

#include <string.h>

#include <glib/gi18n-lib.h>
#include <sqlite3.h>

/* Features that kernels/ chooses by, and those that a newer version may. */
static const char *const cpu_features[] = {
  "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni", "avx_vnni",
  "avx512_bf16", "amx_tile", "asimd", "i8mm", "bf16", "sve",
};

SlDiagnostic *
sl_diagnostic_new (const char *name,
                   const char *value,
                   const char *advice)
{
  SlDiagnostic *self = g_new0 (SlDiagnostic, 1);

  self->name = g_strdup (name);
  self->value = g_strdup (value);
  self->advice = g_strdup (advice);
  return self;
}

void
sl_diagnostic_free (SlDiagnostic *self)
{
  g_free (self->name);
  g_free (self->value);
  g_free (self->advice);
  g_free (self);
}

/* What stands behind "key<spaces>:" or "key=" in a text of lines; NULL if it is not there. (transfer full) */
static char *
find_value (const char *text,
            const char *key,
            char        separator)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (guint i = 0; lines[i] != NULL; i++)
    {
      char *mark = strchr (lines[i], separator);

      if (mark == NULL)
        continue;
      *mark = '\0';
      if (strcmp (g_strstrip (lines[i]), key) == 0)
        return g_strdup (g_strstrip (mark + 1));
    }
  return NULL;
}

/* The same of a file; NULL also where it cannot be read. */
static char *
read_value (const char *path,
            const char *key,
            char        separator)
{
  g_autofree char *text = NULL;

  return g_file_get_contents (path, &text, NULL, NULL) ? find_value (text, key, separator) : NULL;
}

static SlDiagnostic *
describe_versions (void)
{
  g_autofree char *value = g_strdup_printf ("Sightline %s, GLib %u.%u.%u, SQLite %s", SL_VERSION, glib_major_version, glib_minor_version,
                                            glib_micro_version, sqlite3_libversion ());

  return sl_diagnostic_new (_("Versions"), value, NULL);
}

static SlDiagnostic *
describe_system (void)
{
  g_autofree char *name = g_get_os_info (G_OS_INFO_KEY_PRETTY_NAME);
  g_autofree char *runtime = read_value ("/.flatpak-info", "runtime", '=');
  g_autofree char *release = NULL;
  g_autofree char *value = NULL;

  if (!g_file_get_contents ("/proc/sys/kernel/osrelease", &release, NULL, NULL))
    release = g_strdup ("");
  g_strstrip (release);
  /* Translators: name of the system, version of its kernel */
  value = g_strdup_printf (_("%s, Linux %s"), name ? name : _("unknown"), release);
  if (runtime != NULL)
    {
      g_autofree char *host = g_steal_pointer (&value);

      /* Translators: the system; the Flatpak runtime */
      value = g_strdup_printf (_("%s, in Flatpak (%s)"), host, runtime);
    }
  return sl_diagnostic_new (_("System"), value, NULL);
}

static SlDiagnostic *
describe_processor (void)
{
  g_autofree char *text = NULL;
  g_autofree char *model = NULL;
  g_autofree char *flags = NULL;
  g_autofree char *value = NULL;
  g_autoptr (GString) features = g_string_new (NULL);
  g_auto (GStrv) words = NULL;
  guint n_processors = g_get_num_processors ();

  if (!g_file_get_contents ("/proc/cpuinfo", &text, NULL, NULL))
    text = g_strdup ("");
  model = find_value (text, "model name", ':');
  flags = find_value (text, "flags", ':');
  if (flags == NULL)
    flags = find_value (text, "Features", ':');
  words = g_strsplit (flags ? flags : "", " ", -1);
  for (guint i = 0; i < G_N_ELEMENTS (cpu_features); i++)
    if (g_strv_contains ((const char *const *) words, cpu_features[i]))
      g_string_append_printf (features, " %s", cpu_features[i]);
  /* Translators: name of the processor, how many there are, names of its features */
  value = g_strdup_printf (ngettext ("%s, %u processor:%s", "%s, %u processors:%s", n_processors), model ? model : _("unknown"),
                           n_processors, features->str);
  return sl_diagnostic_new (_("Processor"), value, NULL);
}

guint64
sl_diagnostics_read_memory (const char *key)
{
  g_autofree char *value = read_value ("/proc/meminfo", key, ':');

  return value != NULL ? g_ascii_strtoull (value, NULL, 10) * 1024 : 0;
}

static SlDiagnostic *
describe_memory (void)
{
  g_autofree char *total = g_format_size_full (sl_diagnostics_read_memory ("MemTotal"), G_FORMAT_SIZE_IEC_UNITS);
  g_autofree char *available = g_format_size_full (sl_diagnostics_read_memory ("MemAvailable"), G_FORMAT_SIZE_IEC_UNITS);
  /* Translators: two sizes */
  g_autofree char *value = g_strdup_printf (_("%s, of which %s can be used now"), total, available);

  return sl_diagnostic_new (_("Memory"), value, NULL);
}

GPtrArray *
sl_diagnostics_collect (void)
{
  GPtrArray *list = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_diagnostic_free);

  g_ptr_array_add (list, describe_versions ());
  g_ptr_array_add (list, describe_system ());
  g_ptr_array_add (list, describe_processor ());
  g_ptr_array_add (list, sl_diagnostics_explain_gpu ("/"));
  g_ptr_array_add (list, describe_memory ());
  return list;
}

char *
sl_diagnostics_to_text (GPtrArray *diagnostics)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < diagnostics->len; i++)
    {
      const SlDiagnostic *item = g_ptr_array_index (diagnostics, i);

      g_string_append_printf (text, "%s: %s\n", item->name, item->value);
      if (item->advice != NULL)
        g_string_append_printf (text, "  → %s\n", item->advice);
    }
  return g_string_free (text, FALSE);
}
