/* SPDX-License-Identifier: MIT
 *
 * `sightline-cli devices`: asks the engine itself, by opening a model on each device: what is printed is what works. Then lists
 * the GPUs that the driver shows, with the memory that is free now.
 */
#include "app/cli/cli.h"

#include <glib/gi18n.h>

#include "app/system/sl-diagnostics.h"

#define MAX_GPUS 16

static const char *const devices[] = { "cpu", "cuda" };

static json_t *
try_device (const char *model,
            const char *device)
{
  CliEngineOptions options = { .model = (char *) model, .device = (char *) device };
  g_autoptr(GError) error = NULL;
  g_autoptr(vl2_engine) engine = cli_open_engine (&options, NULL, &error);
  const struct vl2_info *info;

  if (engine == NULL)
    {
      g_autofree char *reason = g_utf8_make_valid (error->message, -1);

      return json_pack ("{s:s,s:b,s:s}", "device", device, "available", FALSE, "reason", reason);
    }

  info = vl2_engine_info (engine);

  return json_pack ("{s:s,s:b,s:s,s:i}", "device", device, "available", TRUE, "isa", info->isa, "threads", (int) info->threads);
}

/* The GPUs one by one: `cuda` takes the one with the most free memory, `--device cuda:N` another. */
static json_t *
list_gpus (void)
{
  json_t *array = json_array ();
  struct vl2_gpu gpus[MAX_GPUS];
  int n_gpus = vl2_gpus (gpus, MAX_GPUS, NULL);

  for (int i = 0; i < n_gpus; i++)
    {
      const struct vl2_gpu *gpu = &gpus[i];
      g_autofree char *device = g_strdup_printf ("cuda:%d", i);

      json_array_append_new (array, json_pack ("{s:s,s:s,s:i,s:I,s:I,s:s}", "device", device, "name", gpu->name,
                                               "capability", gpu->capability, "free_bytes", (json_int_t) gpu->free_bytes,
                                               "total_bytes", (json_int_t) gpu->total_bytes, "problem", gpu->problem));
    }

  return array;
}

static void
print_gpu (json_t *gpu)
{
  const char *problem = json_string_value (json_object_get (gpu, "problem"));
  const char *device = json_string_value (json_object_get (gpu, "device"));
  g_autofree char *left = g_format_size (json_integer_value (json_object_get (gpu, "free_bytes")));
  g_autofree char *total = g_format_size (json_integer_value (json_object_get (gpu, "total_bytes")));

  if (*problem != '\0')
    printf (_("%s  cannot be used: %s\n"), device, problem);
  else
    printf (_("%s  %s, %s of %s free\n"), device, json_string_value (json_object_get (gpu, "name")), left, total);
}

/* What the system says about its graphics processor without asking the driver: the window's diagnostics page shows the same. */
static json_t *
diagnose (void)
{
  g_autoptr(GPtrArray) facts = sl_diagnostics_collect ();
  json_t *array = json_array ();

  for (guint i = 0; i < facts->len; i++)
    {
      const SlDiagnostic *fact = g_ptr_array_index (facts, i);

      json_array_append_new (array, json_pack ("{s:s,s:s,s:s?}", "name", fact->name, "value", fact->value, "advice", fact->advice));
    }

  return array;
}

static void
print_advice (json_t *diagnosis)
{
  for (gsize i = 0; i < json_array_size (diagnosis); i++)
    {
      json_t *fact = json_array_get (diagnosis, i);
      const char *advice = json_string_value (json_object_get (fact, "advice"));

      if (advice != NULL)
        printf ("%s: %s\n  %s\n", json_string_value (json_object_get (fact, "name")), json_string_value (json_object_get (fact, "value")),
                advice);
    }
}

static void
print_device (json_t *device)
{
  const char *name = json_string_value (json_object_get (device, "device"));

  if (json_is_true (json_object_get (device, "available")) && json_integer_value (json_object_get (device, "threads")) == 0)
    printf (_("%-5s available: %s\n"), name, json_string_value (json_object_get (device, "isa")));
  else if (json_is_true (json_object_get (device, "available")))
    printf (_("%-5s available: %s, %d threads\n"), name, json_string_value (json_object_get (device, "isa")),
            (int) json_integer_value (json_object_get (device, "threads")));
  else
    printf (_("%-5s not available: %s\n"), name, json_string_value (json_object_get (device, "reason")));
}

static CliStatus
list (const CliOutput *output,
      const char      *model)
{
  g_autoptr(json_t) array = json_array ();
  g_autoptr(json_t) gpus = NULL;
  g_autoptr(json_t) diagnosis = NULL;
  g_autoptr(GError) error = NULL;
  g_autofree char *dir = cli_model_dir (model, &error);

  if (dir == NULL)
    return cli_fail_error (output, CLI_INPUT, error);

  for (guint i = 0; i < G_N_ELEMENTS (devices); i++)
    json_array_append_new (array, try_device (dir, devices[i]));

  if (cli_cancel)
    return cli_fail (output, CLI_CANCELLED, "%s", _("Cancelled."));

  gpus = list_gpus ();
  diagnosis = diagnose ();
  if (output->json)
    return cli_print_json (json_pack ("{s:O,s:O,s:O}", "devices", array, "gpus", gpus, "diagnosis", diagnosis));

  for (gsize i = 0; i < json_array_size (array); i++)
    print_device (json_array_get (array, i));
  for (gsize i = 0; i < json_array_size (gpus); i++)
    print_gpu (json_array_get (gpus, i));
  print_advice (diagnosis);

  return cli_finish_stdout (output);
}

CliStatus
cli_devices (int    argc,
             char **argv)
{
  CliOutput output = { 0 };
  CliStatus status;
  g_autofree char *model = NULL;
  const GOptionEntry entries[] = {
    { "model", 'm', 0, G_OPTION_ARG_FILENAME, &model, N_("Checkpoint to try them with (default: the bundled demo model)"), N_("DIR") },
    { NULL },
  };

  if (!cli_parse (&argc, &argv, _("[OPTION…]"), _("Lists what this computer can compute on."), NULL, entries, &output, &status))
    return status;

  if (argc > 1)
    return cli_fail (&output, CLI_USAGE, "%s", _("devices takes options only."));

  return list (&output, model);
}
