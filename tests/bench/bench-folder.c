/* SPDX-License-Identifier: MIT
 *
 * bench-folder [PICTURES [MILLISECONDS]]: what a step from one picture of a folder to the next costs whoever looks through it: 500 photographs
 * of 12 megapixels with four boxes each, in the real page at 1280×800 with the renderer that GSK_RENDERER names, a step every 400 ms (a
 * fast worker), while two threads at the engine's priority keep two cores busy. In milliseconds, median, 99th of a hundred and worst:
 * "key" is our time until the viewer knows the next picture, "cpu" what of it the processor worked for the main thread, which does not
 * depend on who else is there; "step" ends with the first frame that shows the picture sharp, "work" is the main thread's processor time
 * until then; "table" is the time to build the page with all its pictures. Called by `./dev bench`; absolute times depend on the machine,
 * nothing passes or fails. The history lies in a folder of its own below the temporary one, which is removed.
 */
#include "app/store/sl-database.h"
#include "ui/folder/sl-folder-page-private.h"
#include "ui/inspector/sl-picture-viewer-private.h"
#include "ui/pictures/sl-picture-view-private.h"

#include <adwaita.h>
#include <gdk-pixbuf/gdk-pixbuf.h>
#include <sys/resource.h>
#include <time.h>

#define WIDTH 4000
#define HEIGHT 3000
#define GOAL 50 /* ms */
#define N_FILES 12 /* different ones; each picture is decoded for itself */
#define ANSWER                                                                                                                         \
  "<|ref|>scratch<|/ref|><|det|>[[100, 100, 300, 250], [400, 420, 520, 600]]<|/det|> "                                                 \
  "<|ref|>dent<|/ref|><|det|>[[600, 100, 900, 350], [50, 700, 200, 980]]<|/det|>"

typedef struct
{
  GMainLoop *loop;
  SlFolderPage *page;
  guint n_pictures, pause, step;
  gint64 begun;
  gboolean waiting;
  double cpu_begun;
  GArray *keys, *cpus, *steps, *works; /* double, ms */
  volatile gint stop;
} Bench;

static Bench bench;

/* --- a history ------------------------------------------------------------- */

/* Smooth with noise, about 3 MB as a camera's. */
static GBytes *
make_photo (guint n)
{
  g_autoptr (GdkPixbuf) pixbuf = gdk_pixbuf_new (GDK_COLORSPACE_RGB, FALSE, 8, WIDTH, HEIGHT);
  guint8 *pixels = gdk_pixbuf_get_pixels (pixbuf);
  int stride = gdk_pixbuf_get_rowstride (pixbuf);
  guint32 seed = n + 1;
  char *data;
  gsize size;

  for (int y = 0; y < HEIGHT; y++)
    for (int x = 0; x < WIDTH; x++)
      {
        guint8 *p = pixels + (gsize) y * stride + (gsize) x * 3;

        seed = seed * 1664525 + 1013904223;
        p[0] = (x >> 4) + (seed >> 28);
        p[1] = (y >> 4) + (seed >> 28);
        p[2] = ((x ^ y) >> 5) + n * 20;
      }
  if (!gdk_pixbuf_save_to_buffer (pixbuf, &data, &size, "jpeg", NULL, "quality", "88", NULL))
    g_error ("no JPEG");
  return g_bytes_new_take (data, size);
}

static void
put (SlDatabase      *database,
     SlMessageRecord *message)
{
  g_autoptr (GError) error = NULL;

  if (!sl_database_put_message (database, message, FALSE, &error))
    g_error ("%s", error->message);
}

static void
put_question (SlDatabase *database,
              gint64      id,
              guint       n,
              GBytes     *photo)
{
  g_autoptr (SlMessageRecord) message = sl_message_record_new ();
  SlPartRecord *part = sl_part_record_new (SL_PART_PICTURE), *text = sl_part_record_new (SL_PART_TEXT);

  message->id = id;
  message->conversation = 1;
  message->ordinal = n;
  message->role = SL_ROLE_USER;
  message->mode = SL_MODE_FIND;
  part->sha256 = g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, photo);
  part->mime_type = g_strdup ("image/jpeg");
  part->extension = g_strdup ("jpg");
  part->name = g_strdup_printf ("photo-%03u.jpg", n);
  part->width = WIDTH;
  part->height = HEIGHT;
  part->bytes = g_bytes_ref (photo);
  text->text = g_strdup ("scratch");
  g_ptr_array_add (message->parts, part);
  g_ptr_array_add (message->parts, text);
  put (database, message);
}

static void
put_answer (SlDatabase *database,
            gint64      id,
            GBytes     *photo)
{
  g_autoptr (SlMessageRecord) message = sl_message_record_new ();
  SlPartRecord *text = sl_part_record_new (SL_PART_TEXT);

  message->id = id + 1;
  message->conversation = 1;
  message->parent = id;
  message->role = SL_ROLE_ASSISTANT;
  message->mode = SL_MODE_FIND;
  message->box_picture = g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, photo);
  text->text = g_strdup (ANSWER);
  g_ptr_array_add (message->parts, text);
  put (database, message);
}

static void
make_history (const char *dir)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SlDatabase) database = sl_database_open (dir, SL_DATABASE_WRITE, &error);
  g_autoptr (SlConversationRecord) conversation = sl_conversation_record_new ();
  g_autoptr (SlFolderRecord) folder = sl_folder_record_new ("/photos", FALSE, "scratch", SL_MODE_FIND);
  g_autoptr (GPtrArray) photos = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);

  for (guint i = 0; i < N_FILES; i++)
    g_ptr_array_add (photos, make_photo (i));
  conversation->id = folder->conversation = 1;
  conversation->title = g_strdup ("photos: scratch");
  if (database == NULL || !sl_database_put_conversation (database, conversation, &error))
    g_error ("%s", error->message);
  for (guint i = 0; i < bench.n_pictures; i++)
    {
      g_autofree char *name = g_strdup_printf ("photo-%03u.jpg", i);
      SlFolderPictureRecord *picture = sl_folder_picture_record_new (name);

      picture->question = 1000 + 2 * i;
      put_question (database, picture->question, i, photos->pdata[i % N_FILES]);
      put_answer (database, picture->question, photos->pdata[i % N_FILES]);
      g_ptr_array_add (folder->pictures, picture);
    }
  if (!sl_database_put_folder (database, folder, &error))
    g_error ("%s", error->message);
}

/* Of this thread, ms. */
static double
get_cpu (void)
{
  struct timespec now;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

/* --- stepping -------------------------------------------------------------- */

static gboolean
is_sharp (void)
{
  SlPictureView *view = SL_PICTURE_VIEW (bench.page->viewer->view);

  return view->mipmap != NULL && sl_mipmap_is_ready (view->mipmap);
}

static gboolean
on_step (gpointer data)
{
  gint64 begin = g_get_monotonic_time ();
  double ms;

  if (bench.step + 1 >= bench.n_pictures)
    {
      g_main_loop_quit (bench.loop);
      return G_SOURCE_REMOVE;
    }
  bench.step++;
  bench.begun = begin;
  bench.cpu_begun = get_cpu ();
  g_signal_emit_by_name (bench.page->viewer, "turn", 1, TRUE);
  ms = (double) (g_get_monotonic_time () - begin) / 1000;
  g_array_append_val (bench.keys, ms);
  ms = get_cpu () - bench.cpu_begun;
  g_array_append_val (bench.cpus, ms);
  bench.waiting = TRUE;
  gtk_widget_queue_draw (bench.page->viewer->view);
  return G_SOURCE_REMOVE;
}

static void
on_painted (void)
{
  double ms = (double) (g_get_monotonic_time () - bench.begun) / 1000;

  if (!bench.waiting || !is_sharp ())
    return;
  bench.waiting = FALSE;
  g_array_append_val (bench.steps, ms);
  ms = get_cpu () - bench.cpu_begun;
  g_array_append_val (bench.works, ms);
  g_timeout_add (bench.pause, on_step, NULL);
}

static gboolean
begin (gpointer data)
{
  GdkFrameClock *clock = gtk_widget_get_frame_clock (GTK_WIDGET (bench.page));
  g_autoptr (SlFolderRow) first = g_list_model_get_item (G_LIST_MODEL (sl_folder_page_get_job (bench.page)), 0);

  sl_folder_page_review (bench.page, first);
  g_signal_connect (clock, "after-paint", G_CALLBACK (on_painted), NULL);
  g_timeout_add_seconds (2, on_step, NULL);
  return G_SOURCE_REMOVE;
}

static int
compare (gconstpointer a,
         gconstpointer b)
{
  double x = *(const double *) a, y = *(const double *) b;

  return (x > y) - (x < y);
}

static void
print (const char *name,
       GArray     *times)
{
  guint n_slow = 0;

  g_array_sort (times, compare);
  for (guint i = 0; i < times->len; i++)
    n_slow += g_array_index (times, double, i) > GOAL;
  g_print ("%-6s median %6.1f   99 %% %6.1f   worst %6.1f   over %d ms: %u of %u\n", name, g_array_index (times, double, times->len / 2),
           g_array_index (times, double, times->len * 99 / 100), g_array_index (times, double, times->len - 1), GOAL, n_slow, times->len);
}

/* --- the rest -------------------------------------------------------------- */

static gpointer
keep_busy (gpointer data)
{
  setpriority (PRIO_PROCESS, 0, 5); /* as the engine's threads */
  while (!g_atomic_int_get (&bench.stop))
    for (volatile int i = 0; i < 1000000; i++)
      ;
  return NULL;
}

static void
on_opened (GObject      *source,
           GAsyncResult *result,
           gpointer      data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SlConversation) conversation = sl_history_open_finish (SL_HISTORY (source), result, &error);
  g_autoptr (SlFolderJob) job = NULL;
  gint64 start = g_get_monotonic_time ();
  double cpu = get_cpu ();

  if (conversation == NULL)
    g_error ("%s", error->message);
  job = sl_folder_job_get (SL_HISTORY (source), conversation);
  sl_folder_page_set_job (bench.page, job);
  g_print ("table  %.1f ms, computed %.1f ms, for %u pictures\n", (double) (g_get_monotonic_time () - start) / 1000, get_cpu () - cpu,
           g_list_model_get_n_items (G_LIST_MODEL (job)));
  g_timeout_add_seconds (2, begin, NULL);
}

int
main (int    argc,
      char **argv)
{
  g_autofree char *dir = g_dir_make_tmp ("sightline-bench-XXXXXX", NULL), *command = NULL;
  GThread *busy[2];
  GtkWidget *window;
  SlStore *store;
  SlEngine *engine;
  SlHistory *history;

  adw_init ();
  bench.n_pictures = argc > 1 ? MAX (2, atoi (argv[1])) : 500;
  bench.pause = argc > 2 ? MAX (1, atoi (argv[2])) : 400;
  bench.keys = g_array_new (FALSE, FALSE, sizeof (double));
  bench.cpus = g_array_new (FALSE, FALSE, sizeof (double));
  bench.steps = g_array_new (FALSE, FALSE, sizeof (double));
  bench.works = g_array_new (FALSE, FALSE, sizeof (double));
  bench.loop = g_main_loop_new (NULL, FALSE);
  make_history (dir);
  window = gtk_window_new ();
  bench.page = g_object_new (SL_TYPE_FOLDER_PAGE, NULL);
  gtk_window_set_child (GTK_WINDOW (window), GTK_WIDGET (bench.page));
  gtk_window_set_default_size (GTK_WINDOW (window), 1280, 800);
  gtk_window_present (GTK_WINDOW (window));
  for (guint i = 0; i < G_N_ELEMENTS (busy); i++)
    busy[i] = g_thread_new ("busy", keep_busy, NULL);
  store = sl_store_new (dir);
  engine = sl_engine_new ();
  history = sl_history_new (store, engine);
  sl_history_open_async (history, 1, NULL, on_opened, NULL);
  g_main_loop_run (bench.loop);
  print ("key", bench.keys);
  print ("cpu", bench.cpus);
  print ("step", bench.steps);
  print ("work", bench.works);
  g_atomic_int_set (&bench.stop, 1);
  for (guint i = 0; i < G_N_ELEMENTS (busy); i++)
    g_thread_join (busy[i]);
  sl_history_shutdown (history);
  sl_store_close (store, NULL);
  command = g_strdup_printf ("rm -r '%s'", dir);
  return system (command);
}
