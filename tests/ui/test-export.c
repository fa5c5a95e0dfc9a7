/* SPDX-License-Identifier: MIT
 *
 * Exporting from the window, from the dialog to the files: how far it is, cancelling, closing the window meanwhile. The worker is
 * held between two pictures (linked with --wrap) until the test lets it go, and the file chooser answers by itself. Run by
 * in_session.py, which gives it a display and a home.
 */
#include <glib/gstdio.h>

#include "app/inference/sl-engine.h"
#include "app/store/sl-store.h"
#include "tests/app/app-test.h"
#include "ui/inspector/sl-export-dialog.h"
#include "ui/inspector/sl-export-progress.h"

#define PATIENCE_SECONDS 90
#define N_PICTURES       30
#define HELD_AT          12 /* pictures are done when the worker is held */

/* ------------------------------------------------------------------------------------------------ what is held */

static GMutex lock;
static GCond changed;
static gboolean holds;         /* the worker is to wait at HELD_AT */
static gboolean held;          /* and does */
static guint n_added;
static GThread *worker;
static gboolean finished;      /* the window has taken the result */
static char *place;            /* what the file chooser answers */

gboolean __real_sl_box_export_add (SlBoxExport *self, SlExportPicture *record, SlPicture *picture, GError **error);
gboolean __wrap_sl_box_export_add (SlBoxExport *self, SlExportPicture *record, SlPicture *picture, GError **error);
gboolean __real_sl_export_job_run_finish (SlExportJob *self, GAsyncResult *result, GError **error);
gboolean __wrap_sl_export_job_run_finish (SlExportJob *self, GAsyncResult *result, GError **error);
void __wrap_gtk_native_dialog_show (GtkNativeDialog *dialog);
GListModel *__wrap_gtk_file_chooser_get_files (GtkFileChooser *chooser);

gboolean
__wrap_sl_box_export_add (SlBoxExport      *self,
                          SlExportPicture  *record,
                          SlPicture        *picture,
                          GError          **error)
{
  g_mutex_lock (&lock);
  worker = g_thread_self ();
  if (n_added++ == HELD_AT && holds)
    {
      held = TRUE;
      g_main_context_wakeup (NULL);
      while (holds)
        g_cond_wait (&changed, &lock);
    }
  g_mutex_unlock (&lock);
  return __real_sl_box_export_add (self, record, picture, error);
}

gboolean
__wrap_sl_export_job_run_finish (SlExportJob   *self,
                                 GAsyncResult  *result,
                                 GError       **error)
{
  finished = TRUE;
  return __real_sl_export_job_run_finish (self, result, error);
}

static gboolean
choose (gpointer dialog)
{
  g_signal_emit_by_name (dialog, "response", GTK_RESPONSE_ACCEPT);
  return G_SOURCE_REMOVE;
}

void
__wrap_gtk_native_dialog_show (GtkNativeDialog *dialog)
{
  g_idle_add_full (G_PRIORITY_DEFAULT, choose, g_object_ref (dialog), g_object_unref);
}

GListModel *
__wrap_gtk_file_chooser_get_files (GtkFileChooser *chooser)
{
  g_autoptr (GFile) file = g_file_new_for_path (place);
  GListStore *files = g_list_store_new (G_TYPE_FILE);

  g_list_store_append (files, file);
  return G_LIST_MODEL (files);
}

static gboolean
let_go (gpointer unused)
{
  g_mutex_lock (&lock);
  holds = FALSE;
  g_cond_signal (&changed);
  g_mutex_unlock (&lock);
  return G_SOURCE_REMOVE;
}

/* ------------------------------------------------------------------------------------------------ a conversation */

typedef struct
{
  char *dir;
  SlStore *store;
  SlEngine *engine;
  SlConversation *conversation;
  GtkWindow *window;
  guint frames;
} Fixture;

static char *said; /* when an export ended */

static void
keep_file (Fixture   *fixture,
           SlPicture *picture)
{
  g_autofree char *path = sl_store_dup_picture_path (fixture->store, sl_picture_get_sha256 (picture), sl_picture_get_extension (picture));
  g_autofree char *folder = g_path_get_dirname (path);
  gsize size;
  const char *data = g_bytes_get_data (sl_picture_get_bytes (picture), &size);

  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  g_assert_true (g_file_set_contents (path, data, size, NULL));
}

static SlBoxRecord *
make_box (SlPicture *picture,
          gint64     id)
{
  SlBoxRecord *box = sl_box_record_new ();

  box->id = id;
  box->label = g_strdup ("red circle");
  box->picture = g_strdup (sl_picture_get_sha256 (picture));
  box->coords[2] = box->coords[3] = 500;
  return box;
}

/* A question with a picture of its own and an answer that has found something on it. */
static void
add_turn (Fixture              *fixture,
          SlConversationRecord *record,
          guint                 i)
{
  g_autoptr (SlPicture) picture = app_test_make_picture (40, 20, 0x336600 + i);
  SlMessageRecord *question = app_test_make_message (2 * i + 1, 1, 2 * i, SL_ROLE_USER, "Where?");
  SlMessageRecord *answer = app_test_make_message (2 * i + 2, 1, 2 * i + 1, SL_ROLE_ASSISTANT, "red circle");

  app_test_add_picture (question, picture);
  answer->box_picture = g_strdup (sl_picture_get_sha256 (picture));
  g_ptr_array_add (answer->boxes, make_box (picture, 100 + i));
  g_ptr_array_add (record->messages, question);
  g_ptr_array_add (record->messages, answer);
  keep_file (fixture, picture);
}

static gboolean
on_frame (GtkWidget     *widget,
          GdkFrameClock *clock,
          gpointer       frames)
{
  ++*(guint *) frames;
  gtk_widget_queue_draw (widget);
  return G_SOURCE_CONTINUE;
}

static void
fixture_init (Fixture        *fixture,
              GtkApplication *application)
{
  g_autoptr (SlConversationRecord) record = sl_conversation_record_new ();

  *fixture = (Fixture) { .dir = app_test_make_dir () };
  place = g_build_filename (fixture->dir, "out", NULL);
  g_assert_cmpint (g_mkdir (place, 0700), ==, 0);
  fixture->store = sl_store_new (fixture->dir);
  fixture->engine = sl_engine_new ();
  for (guint i = 0; i < N_PICTURES; i++)
    add_turn (fixture, record, i);
  record->id = 1;
  record->leaf = 2 * N_PICTURES;
  fixture->conversation = sl_conversation_new_from_record (fixture->store, fixture->engine, record);
  fixture->window = GTK_WINDOW (application != NULL ? adw_application_window_new (application) : adw_window_new ());
  gtk_window_present (fixture->window);
  gtk_widget_add_tick_callback (GTK_WIDGET (fixture->window), on_frame, &fixture->frames, NULL);
  n_added = 0;
  held = finished = FALSE;
}

static void
fixture_deinit (Fixture *fixture)
{
  if (fixture->window != NULL)
    gtk_window_destroy (fixture->window);
  g_object_unref (fixture->conversation);
  g_object_unref (fixture->engine);
  g_assert_true (sl_store_close (fixture->store, NULL));
  g_object_unref (fixture->store);
  g_clear_pointer (&place, g_free);
  g_clear_pointer (&said, g_free);
  app_test_remove_dir (fixture->dir);
}

/* ------------------------------------------------------------------------------------------------ doing and looking */

typedef gboolean (*Condition) (gpointer data);

static gboolean
give_up (gpointer what)
{
  g_error ("waited %d seconds in vain for %s", PATIENCE_SECONDS, (const char *) what);
  return G_SOURCE_REMOVE;
}

static void
wait_until (const char *what,
            Condition   condition,
            gpointer    data)
{
  guint patience = g_timeout_add_seconds (PATIENCE_SECONDS, give_up, (gpointer) what);

  while (!condition (data))
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (patience);
}

static gboolean
is_held (gpointer unused)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&lock);

  return held;
}

static gboolean
is_finished (gpointer unused)
{
  return finished;
}

static gboolean
has_frames (gpointer fixture)
{
  return ((Fixture *) fixture)->frames >= 3;
}

static GtkWidget *
find_dialog (gboolean progress)
{
  GListModel *windows = gtk_window_get_toplevels ();

  for (guint i = 0; i < g_list_model_get_n_items (windows); i++)
    {
      g_autoptr (GtkWidget) window = g_list_model_get_item (windows, i);

      if (ADW_IS_MESSAGE_DIALOG (window) && SL_IS_EXPORT_PROGRESS (window) == progress && gtk_widget_get_mapped (window))
        return window;
    }
  return NULL;
}

static gboolean
has_dialog (gpointer progress)
{
  return find_dialog (GPOINTER_TO_INT (progress)) != NULL;
}

/* The first widget of a type below another, and with a title where there is to be one. */
static GtkWidget *
find_below (GtkWidget  *widget,
            GType       type,
            const char *title)
{
  if (G_TYPE_CHECK_INSTANCE_TYPE (widget, type) &&
      (title == NULL || g_str_equal (adw_preferences_row_get_title (ADW_PREFERENCES_ROW (widget)), title)))
    return widget;
  for (GtkWidget *child = gtk_widget_get_first_child (widget); child != NULL; child = gtk_widget_get_next_sibling (child))
    {
      GtkWidget *found = find_below (child, type, title);

      if (found != NULL)
        return found;
    }
  return NULL;
}

static void
on_done (GtkWindow  *window,
         const char *sentence)
{
  g_free (said);
  said = g_strdup (sentence);
}

static void
begin_export (Fixture *fixture)
{
  GtkWidget *dialog;

  sl_export_dialog_present (fixture->window, fixture->conversation, NULL, NULL, on_done);
  wait_until ("the dialog", has_dialog, GINT_TO_POINTER (FALSE));
  dialog = find_dialog (FALSE);
  adw_combo_row_set_selected (ADW_COMBO_ROW (find_below (dialog, ADW_TYPE_COMBO_ROW, "Format")), SL_EXPORT_COCO);
  adw_message_dialog_response (ADW_MESSAGE_DIALOG (dialog), "export");
  gtk_window_destroy (GTK_WINDOW (dialog));
}

static guint
count_names (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  guint n = 0;

  while (g_dir_read_name (dir) != NULL)
    n++;
  return n;
}

static void
assert_complete (void)
{
  g_autofree char *pictures = g_build_filename (place, "drop-coco", "images", NULL);

  g_assert_cmpuint (count_names (place), ==, 1);
  g_assert_cmpuint (count_names (pictures), ==, N_PICTURES);
}

/* ------------------------------------------------------------------------------------------------ tests */

static void
test_sentence (void)
{
  static const struct
  {
    guint n_done, n_pictures;
    double seconds;
    const char *sentence;
  } cases[] = {
    { 0, 1, 5, "0 of 1 picture\n" },
    { 3, 40, 0.9, "3 of 40 pictures\n" },
    { 10, 40, 2, "10 of 40 pictures\n5.0 per second · 6 seconds left" },
    { 39, 40, 2, "39 of 40 pictures\n20 per second · 1 second left" },
    { 40, 40, 2, "40 of 40 pictures\n20 per second · 0 seconds left" },
    { 1, 40, 4, "1 of 40 pictures\n0.25 per second · 3 minutes left" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *sentence = sl_export_progress_dup_sentence (cases[i].n_done, cases[i].n_pictures, cases[i].seconds);

      g_assert_cmpstr (sentence, ==, cases[i].sentence);
    }
}

/* The worker is in the middle of a set: the window draws and answers, says how far it is, and cancelling leaves nothing. */
static void
test_cancel (void)
{
  Fixture fixture;
  GtkWidget *progress;
  GtkWidget *bar;

  fixture_init (&fixture, NULL);
  holds = TRUE;
  begin_export (&fixture);
  wait_until ("the worker", is_held, NULL);
  g_assert_true (worker != g_thread_self ());
  wait_until ("the progress", has_dialog, GINT_TO_POINTER (TRUE));
  fixture.frames = 0;
  wait_until ("frames of the window", has_frames, &fixture);
  progress = find_dialog (TRUE);
  g_assert_false (gtk_window_get_modal (GTK_WINDOW (progress)));
  bar = find_below (progress, GTK_TYPE_PROGRESS_BAR, NULL);
  g_assert_cmpfloat_with_epsilon (gtk_progress_bar_get_fraction (GTK_PROGRESS_BAR (bar)), HELD_AT / (double) N_PICTURES, 1e-9);
  g_assert_true (g_str_has_prefix (gtk_label_get_label (GTK_LABEL (gtk_widget_get_next_sibling (bar))), "12 of 30 pictures"));
  g_assert_cmpuint (count_names (place), ==, 1);

  adw_message_dialog_response (ADW_MESSAGE_DIALOG (progress), "cancel");
  let_go (NULL);
  wait_until ("the end", is_finished, NULL);
  g_assert_cmpuint (count_names (place), ==, 0);
  g_assert_cmpuint (n_added, ==, HELD_AT + 1);
  g_assert_null (find_dialog (TRUE));
  g_assert_null (said);
  fixture_deinit (&fixture);
}

static void
test_complete (void)
{
  Fixture fixture;

  fixture_init (&fixture, NULL);
  holds = TRUE;
  begin_export (&fixture);
  wait_until ("the progress", has_dialog, GINT_TO_POINTER (TRUE));
  let_go (NULL);
  wait_until ("the end", is_finished, NULL);
  g_assert_null (find_dialog (TRUE));
  g_assert_cmpstr (said, ==, "“drop-coco” was exported");
  assert_complete ();
  fixture_deinit (&fixture);
}

static void
on_activate (GtkApplication *application,
             Fixture        *fixture)
{
  fixture_init (fixture, application);
  holds = TRUE;
  begin_export (fixture);
  wait_until ("the worker", is_held, NULL);
  wait_until ("the progress", has_dialog, GINT_TO_POINTER (TRUE));
  gtk_window_destroy (g_steal_pointer (&fixture->window));
  g_assert_null (find_dialog (TRUE));
  g_idle_add (let_go, NULL);
}

/* The last window goes meanwhile: the program stays until the folder is whole. */
static void
test_closed (void)
{
  g_autoptr (AdwApplication) application = adw_application_new (NULL, G_APPLICATION_NON_UNIQUE);
  Fixture fixture;

  g_signal_connect (application, "activate", G_CALLBACK (on_activate), &fixture);
  g_assert_cmpint (g_application_run (G_APPLICATION (application), 0, NULL), ==, 0);
  g_assert_true (finished);
  g_assert_null (said);
  assert_complete ();
  fixture_deinit (&fixture);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  adw_init ();
  g_test_add_func ("/export/sentence", test_sentence);
  g_test_add_func ("/export/cancel", test_cancel);
  g_test_add_func ("/export/complete", test_complete);
  g_test_add_func ("/export/closed", test_closed);
  return g_test_run ();
}
