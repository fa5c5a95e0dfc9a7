/* SPDX-License-Identifier: MIT
 *
 * `sightline-cli preprocess`: pictures → tiles as the vision tower gets them, before normalisation, for comparison with
 * other implementations.
 */
#include "app/cli/cli.h"

#include <glib/gi18n.h>

#include "app/cli/conversation.h"
#include "app/cli/safetensors-writer.h"

/* With more pictures than this in a conversation none is tiled.   processing_deepseek_vl_v2.py: tokenize_with_images */
#define MAX_TILED_PICTURES 2

typedef struct
{
  CliOutput         output;
  CliEngineOptions  engine;
  char            **images;
  char             *out;
  gboolean          force;
} Options;

static void
options_clear (Options *options)
{
  cli_engine_options_clear (&options->engine);
  g_strfreev (options->images);
  g_free (options->out);
}

static void
tiles_free (gpointer data)
{
  struct vl2_tiles *tiles = data;

  vl2_free (tiles->data);
  g_free (tiles);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Options, options_clear)

static GPtrArray *
make_tiles (const Options  *options,
            vl2_engine     *engine,
            GError        **error)
{
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func (tiles_free);
  struct vl2_tile_rule rule = vl2_engine_tile_rule (engine);
  gboolean crop = g_strv_length (options->images) <= MAX_TILED_PICTURES;

  if (rule.page)
    {
      cli_set_error (error, CLI_INPUT, _("The tiles of a document model have two sizes; this command writes tiles of one."));
      return NULL;
    }

  for (char **path = options->images; *path != NULL; path++)
    {
      g_autoptr(SlPicture) picture = cli_load_picture (*path, FALSE, error);
      struct vl2_tiles *tiles;
      vl2_picture pixels;
      vl2_error cause = { 0 };

      if (picture == NULL)
        return NULL;

      pixels = cli_picture_pixels (picture);
      tiles = g_new0 (struct vl2_tiles, 1);
      g_ptr_array_add (all, tiles);
      if (vl2_tiles_make (&rule, &pixels, crop, tiles, &cause) != VL2_OK)
        {
          cli_set_error (error, cli_status_of (cause.code), "“%s”: %s", sl_picture_get_name (picture), cause.text);
          return NULL;
        }
    }

  return g_steal_pointer (&all);
}

static gboolean
write_tiles (const Options  *options,
             GPtrArray      *all,
             GError        **error)
{
  g_autoptr(CliTensors) tensors = cli_tensors_new (options->out, error);
  g_autoptr(GArray) grids = g_array_new (FALSE, FALSE, sizeof (gint32));
  const struct vl2_tiles *first = g_ptr_array_index (all, 0);
  gint64 n_tiles = 0;

  if (tensors == NULL)
    return FALSE;

  for (guint i = 0; i < all->len; i++)
    {
      const struct vl2_tiles *tiles = g_ptr_array_index (all, i);

      g_array_append_vals (grids, &(gint32[]) { tiles->grid_w, tiles->grid_h }, 2);
      n_tiles += tiles->n_tiles;
    }

  cli_tensors_append (tensors, "spatial_crop", CLI_TENSOR_I32, (gint64[]) { all->len, 2 }, 2, grids->data);
  cli_tensors_begin (tensors, "tiles", CLI_TENSOR_U8, (gint64[]) { n_tiles, 3, first->side, first->side }, 4);
  for (guint i = 0; i < all->len; i++)
    {
      const struct vl2_tiles *tiles = g_ptr_array_index (all, i);

      cli_tensors_write (tensors, tiles->data, (gsize) tiles->n_tiles * 3 * tiles->side * tiles->side);
    }

  return cli_tensors_finish (tensors, error);
}

static CliStatus
print_summary (const Options *options,
               vl2_engine    *engine,
               GPtrArray     *all)
{
  g_autoptr(json_t) images = json_array ();

  for (guint i = 0; i < all->len; i++)
    {
      const struct vl2_tiles *tiles = g_ptr_array_index (all, i);
      g_autofree char *name = g_filename_display_name (options->images[i]);

      if (options->output.json)
        json_array_append_new (images, json_pack ("{s:s,s:i,s:[i,i],s:i}", "image", name, "side", (int) tiles->side, "grid",
                                                  (int) tiles->grid_w, (int) tiles->grid_h, "tiles", (int) tiles->n_tiles));
      else
        printf (_("%s: %d × %d tiles of %d pixels and the whole picture\n"), name, tiles->grid_w, tiles->grid_h, tiles->side);
    }

  return options->output.json ? cli_print_json (json_pack ("{s:O}", "images", images)) : cli_finish_stdout (&options->output);
}

static CliStatus
run (const Options *options)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) all = NULL;
  g_autoptr(vl2_engine) engine = cli_open_engine (&options->engine, NULL, &error);

  sl_outputs_set_replace (cli_outputs, options->force);
  for (char **path = options->images; *path != NULL; path++)
    sl_outputs_add_input (cli_outputs, *path);
  if (engine != NULL && cli_check_output (options->out, &error))
    all = make_tiles (options, engine, &error);
  if (all == NULL || !write_tiles (options, all, &error))
    return cli_fail_error (&options->output, cli_status_of_error (error), error);

  return print_summary (options, engine, all);
}

CliStatus
cli_preprocess (int    argc,
                char **argv)
{
  g_auto(Options) options = { 0 };
  CliStatus status;
  const GOptionEntry entries[] = {
    CLI_ENGINE_ENTRIES (options.engine),
    { "image", 'i', 0, G_OPTION_ARG_FILENAME_ARRAY, &options.images, N_("A picture (repeatable, in order)"), N_("FILE") },
    CLI_PICTURE_ENTRIES,
    CLI_FORCE_ENTRY (options.force),
    { "out", 'o', 0, G_OPTION_ARG_FILENAME, &options.out, N_("The file to write"), N_("F.safetensors") },
    { NULL },
  };

  if (!cli_parse (&argc, &argv, _("--image FILE… --out F.safetensors"), _("Cuts pictures into the tiles that the model sees."),
                  _("Writes “tiles”, u8 [n, 3, S, S] before normalisation, of each picture first the whole and then its tiles row by "
                    "row, and “spatial_crop”, i32 [pictures, 2]: columns and rows of tiles. As in a conversation, three and more "
                    "pictures are not tiled."),
                  entries, &options.output, &status))
    return status;

  if (argc > 1 || options.images == NULL || options.out == NULL)
    return cli_fail (&options.output, CLI_USAGE, "%s", _("preprocess needs --image and --out, and nothing else."));

  return run (&options);
}
