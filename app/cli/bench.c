/* SPDX-License-Identifier: MIT
 *
 * `sightline-cli bench`: how fast this computer runs a model, or one of a published shape with generated weights, beside what
 * the computer could do at most. The engine measures; this file opens it, times picture files, and prints.
 */
#include "app/cli/bench-compare.h"
#include "app/cli/cli.h"

#include <math.h>
#include <string.h>
#include <sys/resource.h>

#include <gdk-pixbuf/gdk-pixbuf.h>
#include <glib/gi18n.h>

#include "app/pictures/sl-picture.h"
#include "engine/bench.h"

#define PICTURE_WIDTH 3000
#define PICTURE_HEIGHT 2000

typedef struct
{
  CliOutput         output;
  CliEngineOptions  engine;
  char             *shape;
  char             *format;
  char             *vision;
  char             *compare;
  int               layers;
  gboolean          csv;
} Options;

static void
options_clear (Options *options)
{
  cli_engine_options_clear (&options->engine);
  g_free (options->shape);
  g_free (options->format);
  g_free (options->vision);
  g_free (options->compare);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Options, options_clear)

typedef struct
{
  const Options *options;
  GArray        *rows; /* struct vl2_bench_row */
} Run;

typedef struct
{
  const char *type;
  double      decode_ms;
  double      tiles_ms; /* resize and cut */
  int         n_tiles;
} PictureTime;

static const char *const kinds[] = {
  [VL2_BENCH_VISION] = "vision",
  [VL2_BENCH_PREFILL] = "prefill",
  [VL2_BENCH_DECODE] = "decode",
  [VL2_BENCH_BUSY] = "busy",
  [VL2_BENCH_BOXES] = "boxes",
  [VL2_BENCH_BOXES_DRAFTED] = "boxes_drafted",
  [VL2_BENCH_SECOND_TURN] = "second_turn",
};

/* ------------------------------------------------------------------------------------------------ rows */

static double
per_second (const struct vl2_bench_row *row)
{
  return row->tokens / (row->best_ms / 1e3);
}

static void
print_row (const struct vl2_bench_row *row)
{
  double seconds = row->best_ms / 1e3;

  switch (row->kind)
    {
    case VL2_BENCH_VISION:
      printf (_("vision        %8.1f ms per tile (median %.1f), %.1f GFLOP/s\n"), row->best_ms / row->tokens,
              row->median_ms / row->tokens, row->flops / seconds / 1e9);
      break;
    case VL2_BENCH_PREFILL:
      printf (_("prefill %5d %8.1f tokens/s (%.0f ms, median %.0f), %.1f GFLOP/s\n"), row->tokens, per_second (row), row->best_ms,
              row->median_ms, row->flops / seconds / 1e9);
      break;
    case VL2_BENCH_DECODE:
      printf (_("decode @%-5d %8.2f tokens/s (%.2f ms, median %.2f), %.2f GB/s\n"), row->context, per_second (row), row->best_ms,
              row->median_ms, row->bytes / seconds / 1e9);
      break;
    case VL2_BENCH_BUSY:
      printf (_("busy @%-7d %8.2f tokens/s (%.2f ms, median %.2f) beside as many busy threads\n"), row->context, per_second (row),
              row->best_ms, row->median_ms);
      break;
    case VL2_BENCH_BOXES:
      printf (_("boxes         %8.2f tokens/s (%.0f ms for 100 boxes behind %d tokens), token by token\n"), per_second (row),
              100 * row->best_ms, row->context);
      break;
    case VL2_BENCH_BOXES_DRAFTED:
      printf (_("boxes         %8.2f tokens/s (%.0f ms for 100 boxes behind %d tokens), drafted\n"), per_second (row),
              100 * row->best_ms, row->context);
      break;
    case VL2_BENCH_SECOND_TURN:
      printf (_("second turn   %8.1f ms to the first token, %d new tokens behind %d (median %.1f)\n"), row->best_ms, row->tokens,
              row->context, row->median_ms);
      break;
    }
  fflush (stdout);
}

static void
print_csv_row (const struct vl2_bench_row *row)
{
  double seconds = row->best_ms / 1e3;

  printf ("%s,%d,%d,%d,%.4f,%.4f,%.4f,%.4f,%.4f\n", kinds[row->kind], row->tokens, row->context, row->runs, row->best_ms,
          row->median_ms, per_second (row), row->bytes / seconds / 1e9, row->flops / seconds / 1e9);
  fflush (stdout);
}

static void
on_row (const struct vl2_bench_row *row,
        void                       *user)
{
  Run *run = user;

  g_array_append_val (run->rows, *row);
  if (run->options->csv)
    print_csv_row (row);
  else if (!run->options->output.json)
    print_row (row);
}

static json_t *
row_to_json (const struct vl2_bench_row *row)
{
  double seconds = row->best_ms / 1e3;

  return json_pack ("{s:s,s:i,s:i,s:i,s:f,s:f,s:f,s:f,s:f}",
                    "kind", kinds[row->kind],
                    "tokens", (int) row->tokens,
                    "context", (int) row->context,
                    "runs", (int) row->runs,
                    "best_ms", row->best_ms,
                    "median_ms", row->median_ms,
                    "per_second", per_second (row),
                    "gb_per_s", row->bytes / seconds / 1e9,
                    "gflop_per_s", row->flops / seconds / 1e9);
}

/* ------------------------------------------------------------------------------------------------ picture files */

/* A picture of slopes and noise, which compress neither well nor badly. */
static GBytes *
make_picture (const char  *type,
              GError     **error)
{
  g_autoptr(GdkPixbuf) pixbuf = gdk_pixbuf_new (GDK_COLORSPACE_RGB, FALSE, 8, PICTURE_WIDTH, PICTURE_HEIGHT);
  guint32 state = 1;
  char *data = NULL;
  gsize size;

  if (pixbuf == NULL)
    {
      cli_set_error (error, CLI_DEVICE, "%s", _("There is not enough memory for a picture."));
      return NULL;
    }

  for (int y = 0; y < PICTURE_HEIGHT; y++)
    {
      guint8 *row = gdk_pixbuf_get_pixels (pixbuf) + (gsize) y * gdk_pixbuf_get_rowstride (pixbuf);

      for (int x = 0; x < 3 * PICTURE_WIDTH; x++)
        {
          state = state * 1664525u + 1013904223u;
          row[x] = (x / 40 + y / 8 + (state >> 29)) & 255;
        }
    }

  return gdk_pixbuf_save_to_buffer (pixbuf, &data, &size, type, error, NULL) ? g_bytes_new_take (data, size) : NULL;
}

static gboolean
time_picture (vl2_engine   *engine,
              PictureTime  *time,
              GError      **error)
{
  g_autoptr(GBytes) bytes = make_picture (time->type, error);
  struct vl2_tile_rule rule = vl2_engine_tile_rule (engine);
  g_autoptr(SlPicture) picture = NULL;
  struct vl2_tiles tiles = { 0 };
  vl2_error cause = { 0 };
  gint64 start = g_get_monotonic_time ();
  gint64 decoded;

  if (bytes != NULL)
    picture = sl_picture_new_from_bytes (bytes, "bench", cli_cancellable, error);
  if (picture == NULL)
    return FALSE;

  decoded = g_get_monotonic_time ();
  if (vl2_tiles_make (&rule,
                      &(vl2_picture) { .width = sl_picture_get_width (picture),
                                       .height = sl_picture_get_height (picture),
                                       .stride = sl_picture_get_stride (picture),
                                       .rgb = sl_picture_get_rgb (picture) },
                      TRUE, &tiles, &cause) != VL2_OK)
    {
      cli_set_vl2 (error, &cause);
      return FALSE;
    }

  time->decode_ms = (decoded - start) / 1e3;
  time->tiles_ms = (g_get_monotonic_time () - decoded) / 1e3;
  time->n_tiles = tiles.n_tiles;
  vl2_free (tiles.data);

  return TRUE;
}

/* ------------------------------------------------------------------------------------------------ the command */

static vl2_engine *
open_shape (const Options  *options,
            double         *load_ms,
            GError        **error)
{
  vl2_format format = VL2_FORMAT_MIX;
  gint64 start = g_get_monotonic_time ();
  vl2_engine *engine = NULL;
  vl2_error cause = { 0 };

  vl2_format_from_name (options->format, &format);
  if (vl2_engine_open_shape (&(struct vl2_shape) { options->shape, format, g_str_equal (options->vision, "int8"), options->layers },
                             &(struct vl2_engine_options) {
                               .device = options->engine.device,
                               .threads = options->engine.threads,
                               .host_layers = options->engine.host_layers,
                               .cancel = &cli_cancel,
                             },
                             &engine, &cause) != VL2_OK)
    cli_set_vl2 (error, &cause);

  *load_ms = (g_get_monotonic_time () - start) / 1e3;

  return engine;
}

static json_t *
number_or_null (double value)
{
  return isfinite (value) ? json_real (value) : json_null ();
}

static json_t *
report_to_json (const Run                     *run,
                const struct vl2_info         *info,
                const struct vl2_bench_report *report,
                const PictureTime             *pictures,
                guint                          n_pictures,
                double                         load_ms,
                gint64                         peak)
{
  json_t *rows = json_array ();
  json_t *times = json_array ();
  json_t *object;

  for (guint i = 0; i < run->rows->len; i++)
    json_array_append_new (rows, row_to_json (&g_array_index (run->rows, struct vl2_bench_row, i)));
  for (guint i = 0; i < n_pictures; i++)
    json_array_append_new (times, json_pack ("{s:s,s:i,s:i,s:f,s:f,s:i}", "type", pictures[i].type, "width", PICTURE_WIDTH, "height",
                                             PICTURE_HEIGHT, "decode_ms", pictures[i].decode_ms, "tiles_ms", pictures[i].tiles_ms,
                                             "tiles", pictures[i].n_tiles));

  object = json_pack ("{s:s,s:s,s:s,s:i,s:s,s:i,s:i,s:f,s:o,s:o}",
                      "model", info->dir,
                      "device", info->device,
                      "isa", info->isa,
                      "threads", (int) info->threads,
                      "weight_dtype", info->weight_dtype,
                      "layers", (int) info->layers,
                      "vision_layers", (int) info->vision_layers,
                      "load_ms", load_ms,
                      "rows", rows,
                      "pictures", times);
  json_object_update_new (object, json_pack ("{s:I,s:I,s:I,s:I,s:I,s:i,s:i}",
                                             "weight_bytes", (json_int_t) report->weight_bytes,
                                             "host_bytes", (json_int_t) info->host_bytes,
                                             "cache_bytes", (json_int_t) report->cache_bytes,
                                             "scratch_bytes", (json_int_t) report->scratch_bytes,
                                             "peak_memory_bytes", (json_int_t) peak,
                                             "experts_used", (int) report->experts_used,
                                             "experts", (int) report->experts));
  json_object_set_new (object, "machine",
                       json_pack ("{s:f,s:f,s:I,s:I}",
                                  "read_gb_per_s", report->machine.read_per_s / 1e9,
                                  "fma_gflop_per_s", report->machine.flops_per_s / 1e9,
                                  "cache_bytes", (json_int_t) report->machine.cache_bytes,
                                  "read_bytes", (json_int_t) report->machine.read_bytes));
  json_object_set_new (json_object_get (object, "machine"), "stolen_share", number_or_null (report->machine.stolen_share));
  json_object_set_new (object, "decode_bandwidth_ratio", number_or_null (report->decode_bandwidth_ratio));
  json_object_set_new (object, "busy_ratio", number_or_null (report->busy_ratio));
  json_object_set_new (object, "prefill_fma_ratio", number_or_null (report->prefill_fma_ratio));
  json_object_set_new (object, "vision_fma_ratio", number_or_null (report->vision_fma_ratio));
  json_object_set_new (object, "vision_ms_per_tile", json_real (report->vision_ms_per_tile));
  json_object_set_new (object, "first_token_10_tiles_ms", number_or_null (report->first_token_10_tiles_ms));

  return object;
}

static void
print_head (const struct vl2_info *info,
            double                 load_ms)
{
  g_autofree char *dir = g_filename_display_name (info->dir);

  printf (_("%s: %d + %d layers, mostly %s, on %s (%s), %d threads; opened in %.0f ms\n"), dir, info->vision_layers, info->layers,
          info->weight_dtype, info->device, info->isa, info->threads, load_ms);
}

static void
print_summary (const struct vl2_bench_report *report,
               const PictureTime             *pictures,
               guint                          n_pictures,
               gint64                         peak)
{
  g_autofree char *weights = g_format_size (report->weight_bytes);
  g_autofree char *session = g_format_size (report->cache_bytes + report->scratch_bytes);
  g_autofree char *most = g_format_size (peak);

  if (isfinite (report->busy_ratio))
    printf (_("neighbours    a token beside busy threads takes %.2f times what a fair share would\n"), report->busy_ratio);
  if (isfinite (report->first_token_10_tiles_ms))
    printf (_("first token   %8.1f ms behind a picture of 10 tiles and a question (vision and prefill 2048)\n"),
            report->first_token_10_tiles_ms);
  for (guint i = 0; i < n_pictures; i++)
    printf (_("picture %-5s %8.1f ms to decode %d × %d, %.1f ms to make %d tiles\n"), pictures[i].type, pictures[i].decode_ms,
            PICTURE_WIDTH, PICTURE_HEIGHT, pictures[i].tiles_ms, pictures[i].n_tiles);
  printf (_("memory        %s of weights, %s of session, %s at the peak\n"), weights, session, most);
  if (report->experts > 0)
    printf (_("experts       %d of %d used by the first decode steps\n"), report->experts_used, report->experts);
  if (report->machine.read_per_s > 0)
    printf (_("this machine  %.1f GB/s read, %.0f GFLOP/s of fused multiply-adds\n"
              "reached       %.0f %% of the read rate in decode, %.0f %% of the multiply-adds in prefill 512, %.0f %% in vision\n"),
            report->machine.read_per_s / 1e9, report->machine.flops_per_s / 1e9, 100 * report->decode_bandwidth_ratio,
            100 * report->prefill_fma_ratio, 100 * report->vision_fma_ratio);
  if (report->machine.stolen_share > 0.01)
    printf (_("disturbed     %.0f %% of the processor time went to other virtual machines; the ratios are off by as much\n"),
            100 * report->machine.stolen_share);
}

static CliStatus
run_bench (const Options *options)
{
  Run run = { options, g_array_new (FALSE, FALSE, sizeof (struct vl2_bench_row)) };
  g_autoptr(GArray) rows = run.rows;
  g_autoptr(GError) error = NULL;
  double load_ms = 0;
  g_autoptr(vl2_engine) engine = options->shape != NULL ? open_shape (options, &load_ms, &error)
                                                        : cli_open_engine (&options->engine, &load_ms, &error);
  PictureTime pictures[] = { { .type = "jpeg" }, { .type = "png" } };
  guint n_pictures = 0;
  struct vl2_bench_report report;
  struct rusage usage;
  gint64 peak;
  vl2_error cause = { 0 };

  if (engine == NULL)
    return cli_fail_error (&options->output, cli_status_of_error (error), error);

  if (options->csv)
    puts ("kind,tokens,context,runs,best_ms,median_ms,per_second,gb_per_s,gflop_per_s");
  else if (!options->output.json)
    print_head (vl2_engine_info (engine), load_ms);

  if (vl2_bench (engine, &cli_cancel, on_row, &run, &report, &cause) != VL2_OK)
    return cli_fail_vl2 (&options->output, &cause);
  getrusage (RUSAGE_SELF, &usage);
  peak = (gint64) usage.ru_maxrss * 1024;

  /* A machine so busy that a decoder gives up still has a report, without the pictures. */
  while (n_pictures < G_N_ELEMENTS (pictures) && time_picture (engine, &pictures[n_pictures], &error))
    n_pictures++;
  if (error != NULL && g_cancellable_is_cancelled (cli_cancellable))
    return cli_fail_error (&options->output, cli_status_of_error (error), error);
  if (error != NULL)
    g_printerr ("sightline-cli: %s\n", error->message);

  if (options->output.json)
    return cli_print_json (report_to_json (&run, vl2_engine_info (engine), &report, pictures, n_pictures, load_ms, peak));
  if (!options->csv)
    print_summary (&report, pictures, n_pictures, peak);

  return cli_finish_stdout (&options->output);
}

/* What another build is to be told so that it measures the same. */
static GStrv
arguments_of (const Options *options)
{
  g_autoptr(GStrvBuilder) builder = g_strv_builder_new ();
  const struct
  {
    const char *name, *text;
    int number;
  } all[] = {
    { "--model", options->engine.model, 0 },
    { "--device", options->engine.device, 0 },
    { "--shape", options->shape, 0 },
    { "--format", options->shape != NULL ? options->format : NULL, 0 },
    { "--vision", options->vision, 0 },
    { "--threads", NULL, options->engine.threads },
    { "--host-layers", NULL, options->engine.host_layers },
    { "--layers", NULL, options->layers },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (all); i++)
    {
      g_autofree char *number = all[i].number != 0 ? g_strdup_printf ("%d", all[i].number) : NULL;

      if (all[i].text != NULL || number != NULL)
        g_strv_builder_add_many (builder, all[i].name, number != NULL ? number : all[i].text, NULL);
    }
  return g_strv_builder_end (builder);
}

CliStatus
cli_bench (int    argc,
           char **argv)
{
  g_auto(Options) options = { 0 };
  CliStatus status;
  vl2_format format;
  const GOptionEntry entries[] = {
    CLI_ENGINE_ENTRIES (options.engine),
    { "shape", 0, 0, G_OPTION_ARG_FILENAME, &options.shape, N_("Generated weights instead of DIR: tiny, small, base or ocr"), N_("SHAPE") },
    { "format", 'f', 0, G_OPTION_ARG_FILENAME, &options.format, N_("Of generated weights: mix (default), int8, int4 or bf16"), N_("FORMAT") },
    { "vision", 0, 0, G_OPTION_ARG_FILENAME, &options.vision, N_("Of the generated vision tower: bf16 (default) or int8"), N_("TYPE") },
    { "layers", 0, 0, G_OPTION_ARG_INT, &options.layers, N_("Generate only so many layers (default: all)"), N_("N") },
    { "csv", 0, 0, G_OPTION_ARG_NONE, &options.csv, N_("Print CSV"), NULL },
    { "compare", 0, 0, G_OPTION_ARG_FILENAME, &options.compare, N_("Run another build in turn with this one and print ratios"), N_("PROGRAM") },
    { NULL },
  };

  if (!cli_parse (&argc, &argv, _("[OPTION…]"), _("Measures how fast this computer runs a model."),
                  _("Every figure is the best of several runs after a warm-up. GB/s counts each byte that a step needs once; what "
                    "this machine can read and multiply at most is measured in the same run."),
                  entries, &options.output, &status))
    return status;

  if (options.format == NULL)
    options.format = g_strdup ("mix");
  if (argc > 1)
    return cli_fail (&options.output, CLI_USAGE, "%s", _("bench takes options only."));
  if (options.csv && options.output.json)
    return cli_fail (&options.output, CLI_USAGE, "%s", _("--csv and --json exclude each other."));
  if (options.shape == NULL && options.layers != 0)
    return cli_fail (&options.output, CLI_USAGE, "%s", _("--layers needs --shape."));
  if (options.shape != NULL && options.engine.model != NULL)
    return cli_fail (&options.output, CLI_USAGE, "%s", _("--shape and --model exclude each other."));
  if (options.shape != NULL && !g_strv_contains ((const char *const[]) { "tiny", "small", "base", "ocr", NULL }, options.shape))
    return cli_fail (&options.output, CLI_USAGE, "%s", _("--shape has to be tiny, small, base or ocr."));
  if (!vl2_format_from_name (options.format, &format))
    return cli_fail (&options.output, CLI_USAGE, "%s", _("--format has to be mix, int8, int4 or bf16."));
  if (options.vision != NULL && options.shape == NULL)
    return cli_fail (&options.output, CLI_USAGE, "%s", _("--vision needs --shape."));
  if (options.vision != NULL && !g_str_equal (options.vision, "bf16") && !g_str_equal (options.vision, "int8"))
    return cli_fail (&options.output, CLI_USAGE, "%s", _("--vision has to be bf16 or int8."));
  if (options.compare != NULL && options.csv)
    return cli_fail (&options.output, CLI_USAGE, "%s", _("--csv and --compare exclude each other."));
  if (options.layers < 0 || options.engine.threads < 0)
    return cli_fail (&options.output, CLI_USAGE, "%s", _("The numbers of layers and threads cannot be negative."));

  if (options.compare != NULL)
    {
      g_auto(GStrv) arguments = arguments_of (&options);

      return cli_bench_compare (&options.output, options.compare, (const char *const *) arguments);
    }
  if (options.vision == NULL)
    options.vision = g_strdup ("bf16");

  return run_bench (&options);
}
