/* SPDX-License-Identifier: MIT
 *
 * `sightline-cli devices`: asks the engine itself, by opening a model on each device: what is printed is what works.
 */
#include "app/cli/cli.h"

#include <glib/gi18n.h>

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

static void
print_device (json_t *device)
{
  const char *name = json_string_value (json_object_get (device, "device"));

  if (json_is_true (json_object_get (device, "available")))
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
  g_autoptr(GError) error = NULL;
  g_autofree char *dir = cli_model_dir (model, &error);

  if (dir == NULL)
    return cli_fail_error (output, CLI_INPUT, error);

  for (guint i = 0; i < G_N_ELEMENTS (devices); i++)
    json_array_append_new (array, try_device (dir, devices[i]));

  if (cli_cancel)
    return cli_fail (output, CLI_CANCELLED, "%s", _("Cancelled."));
  if (output->json)
    return cli_print_json (json_pack ("{s:O}", "devices", array));

  for (gsize i = 0; i < json_array_size (array); i++)
    print_device (json_array_get (array, i));

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
