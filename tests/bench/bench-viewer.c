/* SPDX-License-Identifier: MIT
 *
 * bench-viewer [--busy MODEL]: what a frame of the picture viewer costs with 500 boxes on a picture of 40 megapixels, at
 * 1280×800 with the renderer that GSK_RENDERER names: light moving from box to box, panning by the pointer's steps, jumping
 * from box to box, zooming. --busy: while the engine answers. Four figures in milliseconds for each: "ours" is the view's
 * snapshot, where boxes are laid out and painted and, for the cairo renderer, the picture is scaled; "cpu" the processor time
 * that it took; "nodes" adds to ours what GTK takes to draw the cairo nodes that came of it, inside of what has changed since
 * the last frame; "frame" is the frame clock's paint phase, which holds both and the way to the display. Called by `./dev
 * bench`; absolute times depend on the machine, nothing passes or fails.
 */
#include "app/inference/sl-engine.h"
#include "app/conversation/sl-message-private.h"
#include "ui/pictures/sl-picture-view-private.h"

#include <adwaita.h>
#include <string.h>
#include <time.h>

#define WIDTH 7680
#define HEIGHT 5208
#define N_BOXES 500
#define FRAMES 200 /* of each kind */

static const char *const kinds[] = { "light", "pan", "jump", "zoom" };
static const char *const parts[] = { "ours", "cpu", "nodes", "frame" };

typedef struct
{
  GMainLoop *loop;
  GtkWidget *view;
  SlBoxModel *model;
  gint64 begin, ours, cpu, nodes_time; /* of this frame, µs */
  guint frame, painted;
  GPtrArray *nodes;         /* what the last frame was made of */
  cairo_surface_t *surface; /* where nodes are drawn to be timed */
  GArray *times[G_N_ELEMENTS (kinds)][G_N_ELEMENTS (parts)]; /* double, ms */
} Bench;

static Bench bench;
static void (*view_snapshot) (GtkWidget *, GtkSnapshot *);

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

/* The nodes that draw something, in their order. */
static void
collect (GskRenderNode *node,
         GPtrArray     *nodes)
{
  switch ((int) gsk_render_node_get_node_type (node))
    {
    case GSK_CONTAINER_NODE:
      for (guint i = 0; i < gsk_container_node_get_n_children (node); i++)
        collect (gsk_container_node_get_child (node, i), nodes);
      break;
    case GSK_CLIP_NODE:
      collect (gsk_clip_node_get_child (node), nodes);
      break;
    default:
      g_ptr_array_add (nodes, gsk_render_node_ref (node));
      break;
    }
}

static void
add_changed (cairo_region_t *region,
             GPtrArray      *nodes,
             GPtrArray      *others)
{
  for (guint i = 0; i < nodes->len; i++)
    {
      graphene_rect_t bounds;

      if (g_ptr_array_find (others, nodes->pdata[i], NULL))
        continue;
      gsk_render_node_get_bounds (nodes->pdata[i], &bounds);
      graphene_rect_round_extents (&bounds, &bounds);
      cairo_region_union_rectangle (region, &(cairo_rectangle_int_t) { bounds.origin.x, bounds.origin.y,
                                                                       bounds.size.width, bounds.size.height });
    }
}

/* Draws our cairo nodes as the renderer will, where a node has come or gone; a texture is the renderer's own. */
static void
draw_changed (GPtrArray *nodes)
{
  cairo_region_t *region = cairo_region_create ();
  cairo_t *cr = cairo_create (bench.surface);

  add_changed (region, nodes, bench.nodes);
  add_changed (region, bench.nodes, nodes);
  for (int i = 0; i < cairo_region_num_rectangles (region); i++)
    {
      cairo_rectangle_int_t box;

      cairo_region_get_rectangle (region, i, &box);
      cairo_rectangle (cr, box.x, box.y, box.width, box.height);
    }
  cairo_clip (cr);
  for (guint i = 0; i < nodes->len; i++)
    if (gsk_render_node_get_node_type (nodes->pdata[i]) == GSK_CAIRO_NODE)
      gsk_render_node_draw (nodes->pdata[i], cr);
  cairo_destroy (cr);
  cairo_region_destroy (region);
}

static gint64
cpu_time (void)
{
  struct timespec time;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * G_USEC_PER_SEC + time.tv_nsec / 1000;
}

static void
timed_snapshot (GtkWidget   *widget,
                GtkSnapshot *snapshot)
{
  GtkSnapshot *own = gtk_snapshot_new ();
  GPtrArray *nodes = g_ptr_array_new_with_free_func ((GDestroyNotify) gsk_render_node_unref);
  gint64 begin = g_get_monotonic_time (), cpu = cpu_time (), drawn, end;
  g_autoptr (GskRenderNode) node = NULL;

  view_snapshot (widget, own);
  node = gtk_snapshot_free_to_node (own);
  bench.ours = g_get_monotonic_time () - begin;
  bench.cpu = cpu_time () - cpu;
  if (node != NULL)
    {
      gtk_snapshot_append_node (snapshot, node);
      collect (node, nodes);
    }
  drawn = g_get_monotonic_time ();
  draw_changed (nodes);
  end = g_get_monotonic_time ();
  bench.nodes_time = end - drawn;
  g_ptr_array_unref (bench.nodes);
  bench.nodes = nodes;
}

static void
on_before_paint (void)
{
  bench.begin = g_get_monotonic_time ();
  bench.ours = 0;
}

/* Frames that drew nothing new and the first of each kind, which changes everything, are no sample. */
static void
on_after_paint (void)
{
  double ms[] = { bench.ours / 1000.0, bench.cpu / 1000.0, (bench.ours + bench.nodes_time) / 1000.0,
                  (g_get_monotonic_time () - bench.begin - bench.nodes_time) / 1000.0 };
  guint kind = bench.frame / FRAMES;

  if (bench.frame == bench.painted || bench.ours == 0)
    return;
  bench.painted = bench.frame;
  for (guint i = 0; bench.frame % FRAMES > 0 && kind < G_N_ELEMENTS (kinds) && i < G_N_ELEMENTS (parts); i++)
    g_array_append_val (bench.times[kind][i], ms[i]);
}

static gboolean
on_tick (GtkWidget     *widget,
         GdkFrameClock *clock,
         gpointer       data)
{
  SlPictureView *view = SL_PICTURE_VIEW (bench.view);
  guint step = ++bench.frame % FRAMES;

  switch (bench.frame / FRAMES)
    {
    case 0:
      sl_box_model_light_box (bench.model, bench.frame % N_BOXES);
      break;
    case 1:
      if (step == 0)
        sl_picture_view_set_scale (view, 0.4);
      sl_picture_view_move_to (view, -7.3 * step, -3.1 * step);
      break;
    case 2:
      sl_picture_view_reveal (view, (step * 7) % N_BOXES);
      break;
    case 3:
      sl_picture_view_set_scale (view, 0.15 + step * 0.01);
      break;
    default:
      g_main_loop_quit (bench.loop);
      return G_SOURCE_REMOVE;
    }
  gtk_widget_queue_draw (widget);
  return G_SOURCE_CONTINUE;
}

static gboolean
begin (gpointer data)
{
  GdkFrameClock *clock = gtk_widget_get_frame_clock (bench.view);

  g_signal_connect (clock, "before-paint", G_CALLBACK (on_before_paint), NULL);
  g_signal_connect (clock, "after-paint", G_CALLBACK (on_after_paint), NULL);
  gtk_widget_add_tick_callback (bench.view, on_tick, NULL, NULL);
  return G_SOURCE_REMOVE;
}

static int
compare (gconstpointer a,
         gconstpointer b)
{
  double difference = *(const double *) a - *(const double *) b;

  return (difference > 0) - (difference < 0);
}

static void
print_times (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    for (guint j = 0; j < G_N_ELEMENTS (parts); j++)
      {
        GArray *times = bench.times[i][j];

        g_array_sort (times, compare);
        g_print ("%-6s %-5s of %3u  median %6.2f ms  p99 %6.2f ms  worst %6.2f ms\n", kinds[i], parts[j], times->len,
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
  g_autoptr (SlPicture) picture = NULL;
  g_autoptr (SlMessagePart) part = NULL;
  g_autoptr (SlGrounding) grounding = NULL;
  g_autoptr (SlEngine) engine = NULL;
  g_autoptr (GListStore) items = NULL;
  g_autofree char *answer = make_answer ();
  GtkWidget *window;

  adw_init ();
  window = gtk_window_new ();
  bench.loop = g_main_loop_new (NULL, FALSE);
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    for (guint j = 0; j < G_N_ELEMENTS (parts); j++)
      bench.times[i][j] = g_array_new (FALSE, FALSE, sizeof (double));
  bench.nodes = g_ptr_array_new ();
  bench.surface = cairo_image_surface_create (CAIRO_FORMAT_ARGB32, 1280, 800);
  picture = make_picture ();
  part = sl_message_part_new_picture (picture, SL_DETAIL_AUTO);
  grounding = sl_grounding_parse (answer, -1);
  bench.model = sl_box_model_new ();
  items = make_items (grounding);
  sl_box_model_set_answer (bench.model, grounding, G_LIST_MODEL (items), part);
  bench.view = sl_picture_view_new (TRUE);
  sl_picture_view_set_part (SL_PICTURE_VIEW (bench.view), part);
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
  view_snapshot = GTK_WIDGET_GET_CLASS (bench.view)->snapshot;
  GTK_WIDGET_GET_CLASS (bench.view)->snapshot = timed_snapshot;
  gtk_window_present (GTK_WINDOW (window));
  g_timeout_add_seconds (2, begin, NULL); /* the smaller sizes and the model are there */
  g_main_loop_run (bench.loop);
  print_times ();
  return 0;
}
