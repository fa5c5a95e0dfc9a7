/* SPDX-License-Identifier: MIT
 *
 * bench-viewer [--busy MODEL]: what a frame of the picture viewer costs with 500 boxes on a picture of 40 megapixels, at
 * 1280×800 with the renderer that GSK_RENDERER names: light moving from box to box, panning, zooming. --busy: while the
 * engine answers. Prints milliseconds from the beginning to the end of the frame clock's paint phase, which holds our
 * snapshot and GTK's rendering of it. Called by `./dev bench`; absolute times depend on the machine, nothing passes or fails.
 */
#include "app/sl-engine.h"
#include "app/sl-message-private.h"
#include "ui/sl-picture-view.h"

#include <adwaita.h>
#include <string.h>

#define WIDTH 7680
#define HEIGHT 5208
#define N_BOXES 500
#define FRAMES 200 /* of each kind */

static const char *const kinds[] = { "light", "pan", "zoom" };

typedef struct
{
  GMainLoop *loop;
  GtkWidget *view;
  SlBoxModel *model;
  gint64 begin;
  guint frame;
  GArray *times[G_N_ELEMENTS (kinds)]; /* double, ms */
} Bench;

static SlPicture *
make_picture (void)
{
  guint8 *rgba = g_malloc ((gsize) WIDTH * HEIGHT * 4);
  g_autoptr (GError) error = NULL;
  SlPicture *picture;

  for (int y = 0; y < HEIGHT; y++)
    for (int x = 0; x < WIDTH; x++)
      {
        guint8 *pixel = rgba + ((gsize) y * WIDTH + x) * 4;

        pixel[0] = x >> 5;
        pixel[1] = y >> 5;
        pixel[2] = (x ^ y) >> 6;
        pixel[3] = 255;
      }
  picture = sl_picture_new_from_rgba (rgba, WIDTH, HEIGHT, (gsize) WIDTH * 4, "bench.png", &error);
  if (picture == NULL)
    g_error ("%s", error->message);
  g_free (rgba);
  return picture;
}

/* An answer with boxes in 25 columns and 20 rows, of ten labels. */
static char *
make_answer (void)
{
  GString *answer = g_string_new (NULL);

  for (int label = 0; label < 10; label++)
    {
      g_string_append_printf (answer, "<|ref|>things of kind %d<|/ref|><|det|>[", label);
      for (int i = 0; i < N_BOXES / 10; i++)
        {
          int n = label * N_BOXES / 10 + i;
          int x = n % 25 * 40, y = n / 25 * 50;

          g_string_append_printf (answer, "%s[%d, %d, %d, %d]", i ? ", " : "", x, y, x + 36, y + 44);
        }
      g_string_append (answer, "]<|/det|>");
    }
  return g_string_free (answer, FALSE);
}

static GListStore *
make_items (SlGrounding *grounding)
{
  GListStore *items = g_list_store_new (SL_TYPE_BOX_ITEM);
  gsize n_boxes;
  const SlBox *boxes = sl_grounding_get_boxes (grounding, &n_boxes);

  for (gsize i = 0; i < n_boxes; i++)
    {
      SlBoxRecord *record = sl_box_record_new ();
      g_autoptr (SlBoxItem) item = NULL;

      record->id = i + 1;
      record->label = g_strdup (boxes[i].label);
      record->label_index = boxes[i].label_index;
      record->status = boxes[i].status;
      memcpy (record->coords, boxes[i].coords, sizeof record->coords);
      item = sl_box_item_new (record);
      g_list_store_append (items, item);
    }
  return items;
}

static void
on_before_paint (Bench *bench)
{
  bench->begin = g_get_monotonic_time ();
}

static void
on_after_paint (Bench *bench)
{
  double ms = (g_get_monotonic_time () - bench->begin) / 1000.0;
  guint kind = bench->frame / FRAMES;

  if (bench->frame % FRAMES > 0 && kind < G_N_ELEMENTS (kinds))
    g_array_append_val (bench->times[kind], ms);
}

static gboolean
on_tick (GtkWidget     *widget,
         GdkFrameClock *clock,
         gpointer       data)
{
  Bench *bench = data;
  SlPictureView *view = SL_PICTURE_VIEW (bench->view);
  guint step = ++bench->frame % FRAMES;

  if (bench->frame == 1)
    {
      g_signal_connect_swapped (clock, "before-paint", G_CALLBACK (on_before_paint), bench);
      g_signal_connect_swapped (clock, "after-paint", G_CALLBACK (on_after_paint), bench);
    }
  switch (bench->frame / FRAMES)
    {
    case 0:
      sl_box_model_light_box (bench->model, bench->frame % N_BOXES);
      break;
    case 1:
      if (step == 0)
        sl_picture_view_set_scale (view, 0.4);
      sl_picture_view_reveal (view, (step * 7) % N_BOXES);
      break;
    case 2:
      sl_picture_view_set_scale (view, 0.15 + step * 0.01);
      break;
    default:
      g_main_loop_quit (bench->loop);
      return G_SOURCE_REMOVE;
    }
  gtk_widget_queue_draw (widget);
  return G_SOURCE_CONTINUE;
}

static int
compare (gconstpointer a,
         gconstpointer b)
{
  double difference = *(const double *) a - *(const double *) b;

  return (difference > 0) - (difference < 0);
}

static void
print_times (Bench *bench)
{
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      GArray *times = bench->times[i];

      g_array_sort (times, compare);
      g_print ("%-6s frames %3u  median %5.2f ms  p99 %5.2f ms  worst %5.2f ms\n", kinds[i], times->len,
               g_array_index (times, double, times->len / 2), g_array_index (times, double, times->len * 99 / 100),
               g_array_index (times, double, times->len - 1));
    }
}

static void
keep_busy (SlEngine *engine)
{
  SlSettings settings = sl_settings_for_mode (SL_MODE_CHAT);
  g_autoptr (SlPrompt) prompt = NULL;
  SlJob *job;

  settings.sampling.temperature = 2;
  prompt = sl_prompt_new (&settings);
  sl_prompt_add_message (prompt, SL_ROLE_USER);
  sl_prompt_add_text (prompt, "What can you do?", -1, SL_MARKUP_NONE);
  job = sl_engine_submit (engine, prompt);
  g_signal_connect_swapped (job, "finished", G_CALLBACK (keep_busy), engine);
}

int
main (int    argc,
      char **argv)
{
  Bench bench = { 0 };
  g_autoptr (SlPicture) picture = NULL;
  g_autoptr (SlGrounding) grounding = NULL;
  g_autoptr (SlEngine) engine = NULL;
  g_autoptr (GListStore) items = NULL;
  g_autofree char *answer = make_answer ();
  GtkWidget *window;

  adw_init ();
  window = gtk_window_new ();
  bench.loop = g_main_loop_new (NULL, FALSE);
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    bench.times[i] = g_array_new (FALSE, FALSE, sizeof (double));
  picture = make_picture ();
  grounding = sl_grounding_parse (answer, -1);
  bench.model = sl_box_model_new ();
  items = make_items (grounding);
  sl_box_model_set_answer (bench.model, grounding, G_LIST_MODEL (items), picture);
  bench.view = sl_picture_view_new (TRUE);
  sl_picture_view_set_picture (SL_PICTURE_VIEW (bench.view), picture);
  sl_picture_view_set_model (SL_PICTURE_VIEW (bench.view), bench.model);
  gtk_window_set_child (GTK_WINDOW (window), bench.view);
  gtk_window_set_default_size (GTK_WINDOW (window), 1280, 800);
  if (argc == 3)
    {
      engine = sl_engine_new ();
      sl_engine_load (engine, argv[2], NULL);
      keep_busy (engine);
      keep_busy (engine);
    }
  gtk_widget_add_tick_callback (bench.view, on_tick, &bench, NULL);
  gtk_window_present (GTK_WINDOW (window));
  g_main_loop_run (bench.loop);
  print_times (&bench);
  return 0;
}
