/* SPDX-License-Identifier: MIT
 *
 * SlExportJob and what its formats promise to their readers: one entry per picture in a set, what is left out and counted, names,
 * folders that exist, a missing picture, cancelling, classes by a list, percentages that come back as the same pixels. Two functions
 * of SlOutput come here first (linked with --wrap), so that a job can be cancelled at a certain byte.
 */
#include <jansson.h>
#include <string.h>

#include <glib/gstdio.h>

#include "app/exports/sl-export-job.h"
#include "app/inference/sl-engine.h"
#include "app/store/sl-store.h"
#include "tests/app/app-test.h"

typedef struct
{
  char *dir, *out;
  SlStore *store;
  SlEngine *engine;
  SlConversationRecord *record;
  SlConversation *conversation;
} Scene;

static void
add_box (SlMessageRecord *answer,
         SlPicture       *picture,
         gint64           id,
         gint64           origin,
         const char      *label,
         const int        coords[4])
{
  SlBoxRecord *box = sl_box_record_new ();

  box->id = id;
  box->origin = origin;
  box->kind = origin != 0 ? SL_BOX_KIND_EDITED : SL_BOX_KIND_MODEL;
  box->label = g_strdup (label);
  box->picture = g_strdup (sl_picture_get_sha256 (picture));
  box->status = SL_BOX_OK;
  memcpy (box->coords, coords, sizeof box->coords);
  g_ptr_array_add (answer->boxes, box);
}

static void
keep_file (Scene     *scene,
           SlPicture *picture)
{
  g_autofree char *path = sl_store_dup_picture_path (scene->store, sl_picture_get_sha256 (picture), sl_picture_get_extension (picture));
  g_autofree char *folder = g_path_get_dirname (path);
  gsize size;
  const char *data = g_bytes_get_data (sl_picture_get_bytes (picture), &size);

  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  g_assert_true (g_file_set_contents (path, data, size, NULL));
}

/* ------------------------------------------------------------------------------------------------ cancelling */

static SlExportJob *watched;
static GCancellable *cancellable;    /* of the job that runs; NULL: as ever */
static guint cancel_when_done;       /* in the first bytes behind so many pictures */
static gboolean cancel_when_named;

int __real_sl_output_write (SlOutput *output, const void *data, gsize size);
int __wrap_sl_output_write (SlOutput *output, const void *data, gsize size);
gboolean __real_sl_output_folder_finish (const char *temporary, const char *path, GError **error);
gboolean __wrap_sl_output_folder_finish (const char *temporary, const char *path, GError **error);

int
__wrap_sl_output_write (SlOutput   *output,
                        const void *data,
                        gsize       size)
{
  if (cancellable != NULL && !cancel_when_named && sl_export_job_get_n_done (watched) == cancel_when_done)
    g_cancellable_cancel (cancellable);
  return __real_sl_output_write (output, data, size);
}

gboolean
__wrap_sl_output_folder_finish (const char  *temporary,
                                const char  *path,
                                GError     **error)
{
  gboolean named = __real_sl_output_folder_finish (temporary, path, error);

  if (cancellable != NULL && cancel_when_named)
    g_cancellable_cancel (cancellable);
  return named;
}

/* ------------------------------------------------------------------------------------------------ a conversation */

/* Two questions on one picture, the second answer with a box that says again what the first one found. */
static void
scene_init (Scene *scene)
{
  g_autoptr (SlPicture) picture = app_test_make_picture (200, 100, 0x336699);
  SlMessageRecord *rows[4];

  scene->dir = app_test_make_dir ();
  scene->out = g_build_filename (scene->dir, "out", NULL);
  g_assert_cmpint (g_mkdir (scene->out, 0700), ==, 0);
  scene->store = sl_store_new (scene->dir);
  scene->engine = sl_engine_new ();
  scene->record = sl_conversation_record_new ();
  for (guint i = 0; i < 4; i++)
    {
      rows[i] = app_test_make_message (i + 1, 1, i, i % 2 == 0 ? SL_ROLE_USER : SL_ROLE_ASSISTANT, "red circle");
      g_ptr_array_add (scene->record->messages, rows[i]);
      if (i % 2 == 1)
        rows[i]->box_picture = g_strdup (sl_picture_get_sha256 (picture));
    }
  app_test_add_picture (rows[0], picture);
  add_box (rows[1], picture, 11, 0, "red circle", (int[]) { 0, 0, 500, 500 });
  add_box (rows[3], picture, 12, 0, "blue square", (int[]) { 500, 500, 999, 999 });
  add_box (rows[3], picture, 13, 0, "red circle", (int[]) { 0, 0, 500, 500 });
  add_box (rows[3], picture, 14, 0, "green star", (int[]) { 100, 100, 200, 200 });
  add_box (rows[3], picture, 15, 14, "green star", (int[]) { 300, 300, 400, 400 });
  scene->record->id = 1;
  scene->record->leaf = 4;
  keep_file (scene, picture);
  scene->conversation = sl_conversation_new_from_record (scene->store, scene->engine, scene->record);
}

static void
scene_deinit (Scene *scene)
{
  g_object_unref (scene->conversation);
  sl_conversation_record_free (scene->record);
  g_object_unref (scene->engine);
  g_assert_true (sl_store_close (scene->store, NULL));
  g_object_unref (scene->store);
  g_free (scene->out);
  app_test_remove_dir (scene->dir);
}

static gboolean
run (SlExportJob  *job,
     const char   *path,
     GError      **error)
{
  GAsyncResult *slot = NULL;
  g_autoptr (GAsyncResult) result = NULL;

  watched = job;
  sl_export_job_run_async (job, path, cancellable, app_test_store_result, &slot);
  result = app_test_wait_result (&slot);
  return sl_export_job_run_finish (job, result, error);
}

static SlExportJob *
export_all (Scene          *scene,
            SlExportFormat  format,
            const char     *name)
{
  SlExportJob *job = sl_export_job_new (format);
  g_autofree char *path = g_build_filename (scene->out, name, NULL);
  g_autoptr (GError) error = NULL;

  sl_export_job_add_conversation (job, scene->conversation);
  g_assert_true (run (job, path, &error));
  g_assert_no_error (error);
  return job;
}

static json_t *
load (SlExportJob *job,
      const char  *name)
{
  g_autofree char *path = g_build_filename (sl_export_job_get_path (job), name, NULL);
  json_t *value = json_load_file (path, 0, NULL);

  g_assert_nonnull (value);
  return value;
}

static gsize
count (json_t     *set,
       const char *key)
{
  return json_array_size (json_object_get (set, key));
}

static void
test_a_picture_is_in_a_set_once (void)
{
  Scene scene;
  g_autoptr (SlExportJob) job = NULL;
  json_t *set;

  scene_init (&scene);
  job = export_all (&scene, SL_EXPORT_COCO, "set");
  set = load (job, "annotations.json");
  g_assert_cmpuint (count (set, "images"), ==, 1);
  /* red once, blue, and the star where the user has put it */
  g_assert_cmpuint (count (set, "annotations"), ==, 3);
  g_assert_cmpuint (count (set, "categories"), ==, 3);
  json_decref (set);

  g_clear_object (&job);
  job = export_all (&scene, SL_EXPORT_PNG, "drawings");
  g_assert_cmpuint (sl_export_job_get_n_pictures (job), ==, 2);
  scene_deinit (&scene);
}

static void
test_a_folder_that_exists (void)
{
  Scene scene;
  g_autofree char *corrected = NULL;
  g_autofree char *content = NULL;
  g_autoptr (SlExportJob) first = NULL;
  g_autoptr (SlExportJob) second = NULL;

  scene_init (&scene);
  first = export_all (&scene, SL_EXPORT_COCO, "set");
  corrected = g_build_filename (sl_export_job_get_path (first), "annotations.json", NULL);
  g_assert_true (g_file_set_contents (corrected, "corrected", -1, NULL));
  second = export_all (&scene, SL_EXPORT_COCO, "set");
  g_assert_true (g_str_has_suffix (sl_export_job_get_path (second), "/set 2"));
  g_assert_true (g_file_get_contents (corrected, &content, NULL, NULL));
  g_assert_cmpstr (content, ==, "corrected");
  g_assert_cmpuint (app_test_count_files (scene.out), ==, 4);
  scene_deinit (&scene);
}

/* Nothing is left of a set of which one picture is gone; a table needs no picture. */
static void
test_a_picture_that_is_gone (void)
{
  Scene scene;
  g_autoptr (SlExportJob) job = sl_export_job_new (SL_EXPORT_COCO);
  g_autoptr (SlExportJob) table = NULL;
  g_autoptr (GError) error = NULL;
  const SlPartRecord *part;
  g_autofree char *path = NULL;
  g_autofree char *set = NULL;

  scene_init (&scene);
  part = ((SlMessageRecord *) scene.record->messages->pdata[0])->parts->pdata[1];
  path = sl_store_dup_picture_path (scene.store, part->sha256, part->extension);
  g_assert_cmpint (g_unlink (path), ==, 0);
  set = g_build_filename (scene.out, "set", NULL);
  sl_export_job_add_conversation (job, scene.conversation);
  g_assert_false (run (job, set, &error));
  g_assert_nonnull (error);
  g_assert_cmpuint (app_test_count_files (scene.out), ==, 0);
  g_assert_false (g_file_test (set, G_FILE_TEST_EXISTS));

  table = export_all (&scene, SL_EXPORT_CSV, "table.csv");
  g_assert_true (app_test_dir_contains (scene.out, "blue square"));
  scene_deinit (&scene);
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

/* Cancelled in the middle of a picture, the first or a later one: neither the folder nor a part of it is there. */
static void
test_cancelled_folder (void)
{
  Scene scene;
  g_autofree char *path = NULL;

  scene_init (&scene);
  path = g_build_filename (scene.out, "drawings", NULL);
  for (cancel_when_done = 0; cancel_when_done < 2; cancel_when_done++)
    {
      g_autoptr (SlExportJob) job = sl_export_job_new (SL_EXPORT_PNG);
      g_autoptr (GError) error = NULL;

      cancellable = g_cancellable_new ();
      sl_export_job_add_conversation (job, scene.conversation);
      g_assert_false (run (job, path, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      g_assert_cmpuint (sl_export_job_get_n_done (job), ==, cancel_when_done);
      g_assert_cmpuint (count_names (scene.out), ==, 0);
      g_clear_object (&cancellable);
    }
  scene_deinit (&scene);
}

/* A file that is to be replaced is the old one until the new one is whole. */
static void
test_cancelled_file (void)
{
  Scene scene;
  g_autoptr (SlExportJob) job = sl_export_job_new (SL_EXPORT_PDF);
  g_autoptr (SlMessage) answer = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *path = NULL;
  g_autofree char *content = NULL;

  scene_init (&scene);
  path = g_build_filename (scene.out, "drawing.pdf", NULL);
  g_assert_true (g_file_set_contents (path, "old", -1, NULL));
  answer = g_list_model_get_item (G_LIST_MODEL (scene.conversation), 1);
  sl_export_job_add_answer (job, scene.conversation, answer, NULL);
  g_assert_true (sl_export_job_is_file (job));
  cancel_when_done = 0;
  cancellable = g_cancellable_new ();
  g_assert_false (run (job, path, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_object (&cancellable);
  g_assert_true (g_file_get_contents (path, &content, NULL, NULL));
  g_assert_cmpstr (content, ==, "old");
  g_assert_cmpuint (count_names (scene.out), ==, 1);
  scene_deinit (&scene);
}

/* Whoever cancels too late has the whole, and is told so. */
static void
test_cancelled_too_late (void)
{
  Scene scene;
  g_autoptr (SlExportJob) job = NULL;
  json_t *set;

  scene_init (&scene);
  cancel_when_named = TRUE;
  cancellable = g_cancellable_new ();
  job = export_all (&scene, SL_EXPORT_COCO, "set");
  g_assert_true (g_cancellable_is_cancelled (cancellable));
  cancel_when_named = FALSE;
  g_clear_object (&cancellable);
  g_assert_cmpuint (sl_export_job_get_n_done (job), ==, 1);
  set = load (job, "annotations.json");
  g_assert_cmpuint (count (set, "annotations"), ==, 3);
  json_decref (set);
  scene_deinit (&scene);
}

static void
use_classes (SlExportJob *job,
             const char  *list)
{
  g_autoptr (GBytes) bytes = g_bytes_new (list, strlen (list));

  sl_export_job_set_classes (job, bytes, "list.txt");
}

static void
test_classes_by_a_list (void)
{
  Scene scene;
  g_autoptr (SlExportJob) job = sl_export_job_new (SL_EXPORT_COCO);
  g_autoptr (SlExportJob) bad = sl_export_job_new (SL_EXPORT_COCO);
  g_autoptr (GError) error = NULL;
  g_autofree char *path = NULL;
  json_t *set, *annotation;
  gsize i;

  scene_init (&scene);
  path = g_build_filename (scene.out, "set", NULL);
  use_classes (job, "\xef\xbb\xbfsquare\tblue square\tsky\r\nmoon\r\n\r\nred circle\n");
  sl_export_job_add_conversation (job, scene.conversation);
  g_assert_true (run (job, path, &error));
  set = load (job, "annotations.json");
  g_assert_cmpuint (count (set, "categories"), ==, 3);
  g_assert_cmpuint (count (set, "annotations"), ==, 2);
  json_array_foreach (json_object_get (set, "annotations"), i, annotation)
    g_assert_cmpint (json_integer_value (json_object_get (annotation, "category_id")), ==, i == 0 ? 3 : 1);
  g_assert_cmpstr (sl_export_job_get_notes (job), ==, "1 box was left out: its label is not in the list of classes.");
  json_decref (set);

  use_classes (bad, "a\nb\ta\n");
  sl_export_job_add_conversation (bad, scene.conversation);
  g_assert_false (run (bad, path, &error));
  g_assert_nonnull (strstr (error->message, "line 2"));
  scene_deinit (&scene);
}

/* A list of classes is cut into lines by its readers, some at every separator that Unicode knows; and JSON is valid UTF-8 or is not
 * written. */
static void
test_text_of_others (void)
{
  g_autofree char *dir = app_test_make_dir ();

  for (guint broken = 0; broken < 2; broken++)
    {
      g_autoptr (SlPicture) picture = app_test_make_picture (40, 20, 0x112233);
      g_autofree char *yolo_path = g_strdup_printf ("%s/yolo-%u", dir, broken);
      g_autofree char *coco_path = g_strdup_printf ("%s/coco-%u", dir, broken);
      g_autofree char *list = g_build_filename (yolo_path, "classes.txt", NULL);
      g_autofree char *classes = NULL;
      g_autoptr (SlOutputs) outputs = sl_outputs_new (FALSE);
      g_autoptr (SlBoxExport) yolo = sl_box_export_new (SL_EXPORT_YOLO, yolo_path, FALSE, outputs, NULL);
      g_autoptr (SlBoxExport) coco = sl_box_export_new (SL_EXPORT_COCO, coco_path, FALSE, outputs, NULL);
      g_autoptr (GError) error = NULL;

      for (guint i = 0; i < 2; i++)
        {
          SlExportPicture *record = sl_export_picture_new (picture);
          SlExportBox *box = sl_export_box_new ();

          box->label = g_strdup ("a\xe2\x80\xa8" "b\xe2\x80\xa9" "c\xc2\x85" "d\ve\xe2");
          box->coords[2] = box->coords[3] = 500;
          record->path = g_strdup (broken ? "/pictures/\xff.png" : "/pictures/1.png");
          g_ptr_array_add (record->boxes, box);
          g_assert_true (sl_box_export_add (i == 0 ? yolo : coco, record, picture, NULL));
        }
      g_assert_true (sl_box_export_finish (yolo, NULL));
      g_assert_true (g_file_get_contents (list, &classes, NULL, NULL));
      g_assert_cmpstr (classes, ==, "a b c d e\xef\xbf\xbd\n");
      g_assert_cmpint (sl_box_export_finish (coco, &error), ==, !broken);
      g_assert_true (!broken || strstr (error->message, "annotations.json") != NULL);
    }
  app_test_remove_dir (g_steal_pointer (&dir));
}

static void
add_random_boxes (SlExportPicture *record,
                  GRand           *random)
{
  for (guint i = 0; i < 200; i++)
    {
      SlExportBox *box = sl_export_box_new ();

      for (int k = 0; k < 2; k++)
        {
          box->coords[k] = g_rand_int_range (random, 0, 998);
          box->coords[k + 2] = g_rand_int_range (random, box->coords[k] + 1, 1000);
        }
      box->label = g_strdup ("a");
      g_ptr_array_add (record->boxes, box);
    }
}

static int
cut (json_t     *value,
     const char *key,
     int         side)
{
  return (int) (json_number_value (json_object_get (value, key)) / 100 * side);
}

/* Its converter cuts percentages to whole pixels: what it gets are those that were exported, for pictures of any size. */
static void
test_percentages_come_back (void)
{
  static const int sizes[][2] = { { 997, 613 }, { 48, 31 }, { 1920, 1080 }, { 7, 3 }, { 4001, 11 } };
  g_autofree char *dir = app_test_make_dir ();
  g_autoptr (GRand) random = g_rand_new_with_seed (5);

  for (guint s = 0; s < G_N_ELEMENTS (sizes); s++)
    {
      g_autoptr (SlPicture) picture = app_test_make_picture (sizes[s][0], sizes[s][1], 0x112233);
      g_autofree char *path = g_strdup_printf ("%s/%u", dir, s);
      g_autofree char *tasks_path = g_build_filename (path, "tasks.json", NULL);
      g_autoptr (SlOutputs) outputs = sl_outputs_new (FALSE);
      g_autoptr (SlBoxExport) export = sl_box_export_new (SL_EXPORT_LABEL_STUDIO, path, FALSE, outputs, NULL);
      SlExportPicture *record = sl_export_picture_new (picture);
      json_t *tasks, *result;

      add_random_boxes (record, random);
      g_assert_true (sl_box_export_add (export, record, picture, NULL));
      g_assert_true (sl_box_export_finish (export, NULL));
      tasks = json_load_file (tasks_path, 0, NULL);
      result = json_object_get (json_array_get (json_object_get (json_array_get (tasks, 0), "annotations"), 0), "result");
      g_assert_cmpuint (json_array_size (result), ==, record->boxes->len);
      for (guint i = 0; i < record->boxes->len; i++)
        {
          json_t *value = json_object_get (json_array_get (result, i), "value");
          int px[4];

          g_assert_true (sl_export_picture_get_pixels (record, record->boxes->pdata[i], px));
          g_assert_cmpint (cut (value, "x", sizes[s][0]), ==, px[0]);
          g_assert_cmpint (cut (value, "y", sizes[s][1]), ==, px[1]);
          g_assert_cmpint (cut (value, "width", sizes[s][0]), ==, px[2] - px[0]);
          g_assert_cmpint (cut (value, "height", sizes[s][1]), ==, px[3] - px[1]);
          g_assert_true (px[2] > px[0] && px[3] > px[1]);
        }
      json_decref (tasks);
    }
  app_test_remove_dir (g_steal_pointer (&dir));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/export-job/a-picture-is-in-a-set-once", test_a_picture_is_in_a_set_once);
  g_test_add_func ("/export-job/a-folder-that-exists", test_a_folder_that_exists);
  g_test_add_func ("/export-job/a-picture-that-is-gone", test_a_picture_that_is_gone);
  g_test_add_func ("/export-job/cancelled-folder", test_cancelled_folder);
  g_test_add_func ("/export-job/cancelled-file", test_cancelled_file);
  g_test_add_func ("/export-job/cancelled-too-late", test_cancelled_too_late);
  g_test_add_func ("/export-job/classes-by-a-list", test_classes_by_a_list);
  g_test_add_func ("/export-job/text-of-others", test_text_of_others);
  g_test_add_func ("/export-job/percentages-come-back", test_percentages_come_back);
  return g_test_run ();
}
