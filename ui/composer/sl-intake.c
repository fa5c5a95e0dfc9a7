/* SPDX-License-Identifier: MIT
 *
 * Turns what is dropped, pasted or chosen into pictures, in order. Raw image data is taken as the other program encoded it, so
 * that no pixel is changed on the way. What is given in one go is a Batch; its results wait for their turn.
 */
#include "ui/composer/sl-intake.h"

#include "app/pictures/sl-picture-folder.h"
#include "app/pictures/sl-picture.h"

#include <glib/gi18n.h>

#define MAX_OF_FOLDER 200u

/* In order of preference: lossless first. */
static const char *const image_types[] = {
  "image/png",  "image/tiff", "image/bmp",     "image/webp", "image/jpeg",
  "image/gif",  "image/avif", "image/svg+xml", "image/heic", NULL,
};

struct _SlIntake
{
  GObject parent_instance;

  GCancellable *cancellable;
  GQueue batches; /* Batch, oldest first */
};

typedef struct
{
  SlIntake *intake;     /* owned while anything is under way */
  GObject *target;      /* whom the pictures are for, or NULL */
  GPtrArray *results;   /* SlPicture, or NULL until there or where it failed */
  guint pending;
  guint n_failed;
  char *sentence;       /* first failure */
  GdkDrop *drop;        /* to be finished */
  GdkClipboard *clipboard;
} Batch;

typedef struct
{
  Batch *batch;
  guint index;
} Slot;

enum
{
  PROP_0,
  PROP_BUSY,
  N_PROPS,
};

enum
{
  PICTURE,
  FAILED,
  FILES,
  N_SIGNALS,
};

static GParamSpec *properties[N_PROPS];
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (SlIntake, sl_intake, G_TYPE_OBJECT)

static void
unref_result (gpointer picture)
{
  if (picture != NULL)
    g_object_unref (picture);
}

static Batch *
batch_new (SlIntake *self,
           GObject  *target)
{
  Batch *batch = g_new0 (Batch, 1);

  batch->intake = g_object_ref (self);
  batch->target = target != NULL ? g_object_ref (target) : NULL;
  batch->results = g_ptr_array_new_with_free_func (unref_result);
  batch->pending = 1; /* held by the caller until everything is started */
  g_queue_push_tail (&self->batches, batch);
  if (self->batches.length == 1)
    g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_BUSY]);
  return batch;
}

static void
batch_free (Batch *batch)
{
  g_ptr_array_unref (batch->results);
  g_free (batch->sentence);
  g_clear_object (&batch->drop);
  g_clear_object (&batch->clipboard);
  g_clear_object (&batch->target);
  g_object_unref (batch->intake);
  g_free (batch);
}

static void
batch_fail (Batch      *batch,
            const char *sentence)
{
  batch->n_failed++;
  if (batch->sentence == NULL)
    batch->sentence = g_strdup (sentence);
}

/* Hands out every finished batch that is first in line. */
static void
batch_release (Batch *batch)
{
  SlIntake *self = g_object_ref (batch->intake);
  Batch *first;

  if (--batch->pending == 0 && batch->drop != NULL)
    gdk_drop_finish (batch->drop, batch->n_failed < MAX (1, batch->results->len) ? GDK_ACTION_COPY : 0);
  while ((first = g_queue_peek_head (&self->batches)) != NULL && first->pending == 0)
    {
      g_queue_pop_head (&self->batches);
      for (guint i = 0; i < first->results->len; i++)
        if (first->results->pdata[i] != NULL)
          g_signal_emit (self, signals[PICTURE], 0, first->results->pdata[i], first->target);
      if (first->n_failed > 0 && !g_cancellable_is_cancelled (self->cancellable))
        g_signal_emit (self, signals[FAILED], 0, first->n_failed, first->sentence);
      batch_free (first);
    }
  if (self->batches.length == 0)
    g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_BUSY]);
  g_object_unref (self);
}

static Slot *
slot_new (Batch *batch)
{
  Slot *slot = g_new0 (Slot, 1);

  slot->batch = batch;
  slot->index = batch->results->len;
  g_ptr_array_add (batch->results, NULL);
  batch->pending++;
  return slot;
}

static void
on_decoded (GObject      *source,
            GAsyncResult *result,
            gpointer      data)
{
  Slot *slot = data;
  Batch *batch = slot->batch;
  g_autoptr (GError) error = NULL;
  SlPicture *picture = sl_picture_new_finish (result, &error);

  if (picture != NULL)
    batch->results->pdata[slot->index] = picture;
  else
    batch_fail (batch, error->message);
  g_free (slot);
  batch_release (batch);
}

/* --- files and folders ----------------------------------------------------- */

/* What a worker makes of the files and folders that were given. */
typedef struct
{
  GPtrArray *files; /* GFile */
  guint n_failed;
  char *sentence;   /* first failure */
} Gathered;

static void
gathered_free (Gathered *gathered)
{
  g_ptr_array_unref (gathered->files);
  g_free (gathered->sentence);
  g_free (gathered);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Gathered, gathered_free)

static void G_GNUC_PRINTF (2, 3)
gathered_fail (Gathered   *gathered,
               const char *format,
               ...)
{
  va_list arguments;

  gathered->n_failed++;
  if (gathered->sentence != NULL)
    return;
  va_start (arguments, format);
  gathered->sentence = g_strdup_vprintf (format, arguments);
  va_end (arguments);
}

/* The pictures of a folder, not those of its sub folders, of which there may be any number. */
static void
gather_folder (Gathered   *gathered,
               const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) found = sl_picture_folder_list (path, &error);
  g_autoptr (GPtrArray) pictures = g_ptr_array_new ();
  g_autofree char *name = g_filename_display_basename (path);

  if (found == NULL)
    {
      gathered_fail (gathered, "%s", error->message);
      return;
    }
  for (guint i = 0; i < found->len; i++)
    if (sl_picture_folder_takes (found->pdata[i]) && !g_file_test (found->pdata[i], G_FILE_TEST_IS_DIR))
      g_ptr_array_add (pictures, found->pdata[i]);
  if (pictures->len == 0)
    gathered_fail (gathered, _("There is no picture in the folder “%s”."), name);
  else if (pictures->len > MAX_OF_FOLDER)
    gathered_fail (gathered, _("The folder “%s” holds %u pictures, and %u are taken at once: choose some of them."), name,
                   pictures->len, MAX_OF_FOLDER);
  else
    for (guint i = 0; i < pictures->len; i++)
      g_ptr_array_add (gathered->files, g_file_new_for_path (pictures->pdata[i]));
}

static void
gather (GTask        *task,
        gpointer      source,
        gpointer      given,
        GCancellable *cancellable)
{
  GPtrArray *files = given;
  Gathered *gathered = g_new0 (Gathered, 1);

  gathered->files = g_ptr_array_new_with_free_func (g_object_unref);
  for (guint i = 0; i < files->len; i++)
    {
      GFile *file = files->pdata[i];

      if (g_file_peek_path (file) != NULL && g_file_test (g_file_peek_path (file), G_FILE_TEST_IS_DIR))
        gather_folder (gathered, g_file_peek_path (file));
      else
        g_ptr_array_add (gathered->files, g_object_ref (file));
    }
  g_task_return_pointer (task, gathered, (GDestroyNotify) gathered_free);
}

static void
on_gathered (GObject      *source,
             GAsyncResult *result,
             gpointer      data)
{
  Batch *batch = data;
  g_autoptr (Gathered) gathered = g_task_propagate_pointer (G_TASK (result), NULL);

  if (gathered != NULL)
    {
      gboolean taken = FALSE;

      if (gathered->files->len > 0)
        g_signal_emit (batch->intake, signals[FILES], 0, gathered->files, &taken);
      for (guint i = 0; i < gathered->files->len && !taken; i++)
        sl_picture_new_from_file_async (gathered->files->pdata[i], batch->intake->cancellable, on_decoded,
                                        slot_new (batch));
      if (gathered->n_failed > 0)
        {
          batch_fail (batch, gathered->sentence);
          batch->n_failed += gathered->n_failed - 1;
        }
    }
  batch_release (batch);
}

/* Uses up one reference of `pending`. @files: GFile (transfer full). */
static void
batch_take_files (Batch     *batch,
                  GPtrArray *files)
{
  g_autoptr (GTask) task = g_task_new (batch->intake, batch->intake->cancellable, on_gathered, batch);

  g_task_set_task_data (task, files, (GDestroyNotify) g_ptr_array_unref);
  g_task_run_in_thread (task, gather);
}

void
sl_intake_add_files (SlIntake   *self,
                     GListModel *files,
                     GObject    *target)
{
  GPtrArray *given;

  g_return_if_fail (SL_IS_INTAKE (self));

  given = g_ptr_array_new_with_free_func (g_object_unref);
  for (guint i = 0; i < g_list_model_get_n_items (files); i++)
    g_ptr_array_add (given, g_list_model_get_item (files, i));
  batch_take_files (batch_new (self, target), given);
}

/* --- raw image data -------------------------------------------------------- */

static const char *
first_image_type (GdkContentFormats *formats)
{
  for (guint i = 0; image_types[i] != NULL; i++)
    if (gdk_content_formats_contain_mime_type (formats, image_types[i]))
      return image_types[i];
  return NULL;
}

static void
on_spliced (GObject      *source,
            GAsyncResult *result,
            gpointer      data)
{
  Batch *batch = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = NULL;

  if (g_output_stream_splice_finish (G_OUTPUT_STREAM (source), result, &error) < 0)
    batch_fail (batch, error->message);
  else
    {
      bytes = g_memory_output_stream_steal_as_bytes (G_MEMORY_OUTPUT_STREAM (source));
      sl_picture_new_from_bytes_async (bytes, batch->drop ? _("Dropped picture") : _("Pasted picture"),
                                       batch->intake->cancellable, on_decoded, slot_new (batch));
    }
  batch_release (batch);
}

static void
take_stream (Batch        *batch,
             GInputStream *stream,
             GError       *error)
{
  g_autoptr (GOutputStream) memory = NULL;

  if (stream == NULL)
    {
      batch_fail (batch, error->message);
      batch_release (batch);
      return;
    }
  memory = g_memory_output_stream_new_resizable ();
  g_output_stream_splice_async (memory, stream,
                                G_OUTPUT_STREAM_SPLICE_CLOSE_SOURCE |
                                  G_OUTPUT_STREAM_SPLICE_CLOSE_TARGET,
                                G_PRIORITY_DEFAULT, batch->intake->cancellable, on_spliced, batch);
}

static void
on_drop_stream (GObject      *source,
                GAsyncResult *result,
                gpointer      data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GInputStream) stream = gdk_drop_read_finish (GDK_DROP (source), result, NULL, &error);

  take_stream (data, stream, error);
}

static void
on_clipboard_stream (GObject      *source,
                     GAsyncResult *result,
                     gpointer      data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GInputStream) stream =
    gdk_clipboard_read_finish (GDK_CLIPBOARD (source), result, NULL, &error);

  take_stream (data, stream, error);
}

/* FALSE if there is no raw image data. Uses up one reference of `pending`. */
static gboolean
read_image (Batch *batch)
{
  GdkContentFormats *formats = batch->drop ? gdk_drop_get_formats (batch->drop)
                                           : gdk_clipboard_get_formats (batch->clipboard);
  const char *types[] = { first_image_type (formats), NULL };

  if (types[0] == NULL)
    return FALSE;
  if (batch->drop != NULL)
    gdk_drop_read_async (batch->drop, types, G_PRIORITY_DEFAULT, batch->intake->cancellable,
                         on_drop_stream, batch);
  else
    gdk_clipboard_read_async (batch->clipboard, types, G_PRIORITY_DEFAULT,
                              batch->intake->cancellable, on_clipboard_stream, batch);
  return TRUE;
}

/* --- lists of files ------------------------------------------------------------ */

/* A browser gives the address of a picture; it is never fetched, the image data
 * that comes along is taken instead. */
static void
take_file_list (Batch        *batch,
                const GValue *value,
                GError       *error)
{
  g_autoptr (GPtrArray) local = g_ptr_array_new_with_free_func (g_object_unref);
  GSList *files = value ? g_value_get_boxed (value) : NULL;
  gboolean remote = FALSE;

  for (GSList *l = files; l != NULL; l = l->next)
    if (g_file_peek_path (l->data) != NULL)
      g_ptr_array_add (local, g_object_ref (l->data));
    else
      remote = TRUE;

  if (local->len == 0 && read_image (batch))
    return;
  if (remote)
    batch_fail (batch, _("Only pictures on this computer can be added: save it first."));
  else if (local->len == 0)
    batch_fail (batch, error ? error->message : _("There is no picture in what was given."));
  batch_take_files (batch, g_steal_pointer (&local));
}

static void
on_drop_files (GObject      *source,
               GAsyncResult *result,
               gpointer      data)
{
  g_autoptr (GError) error = NULL;

  take_file_list (data, gdk_drop_read_value_finish (GDK_DROP (source), result, &error), error);
}

static void
on_clipboard_files (GObject      *source,
                    GAsyncResult *result,
                    gpointer      data)
{
  g_autoptr (GError) error = NULL;

  take_file_list (data, gdk_clipboard_read_value_finish (GDK_CLIPBOARD (source), result, &error),
                  error);
}

static gboolean
has_files (GdkContentFormats *formats)
{
  return gdk_content_formats_contain_gtype (formats, GDK_TYPE_FILE_LIST) ||
         gdk_content_formats_contain_mime_type (formats, "text/uri-list") ||
         gdk_content_formats_contain_mime_type (formats, "application/vnd.portal.filetransfer");
}

gboolean
sl_intake_accepts (GdkContentFormats *formats)
{
  return has_files (formats) || first_image_type (formats) != NULL;
}

void
sl_intake_add_drop (SlIntake *self,
                    GdkDrop  *drop,
                    GObject  *target)
{
  Batch *batch;

  g_return_if_fail (SL_IS_INTAKE (self));

  batch = batch_new (self, target);
  batch->drop = g_object_ref (drop);
  if (has_files (gdk_drop_get_formats (drop)))
    gdk_drop_read_value_async (drop, GDK_TYPE_FILE_LIST, G_PRIORITY_DEFAULT, self->cancellable,
                               on_drop_files, batch);
  else if (!read_image (batch))
    {
      batch_fail (batch, _("There is no picture in what was given."));
      batch_release (batch);
    }
}

gboolean
sl_intake_add_clipboard (SlIntake     *self,
                         GdkClipboard *clipboard,
                         GObject      *target)
{
  GdkContentFormats *formats = gdk_clipboard_get_formats (clipboard);
  Batch *batch;

  g_return_val_if_fail (SL_IS_INTAKE (self), FALSE);

  /* Office programs put a rendering beside copied text: the text is meant. */
  if (!has_files (formats) &&
      (first_image_type (formats) == NULL ||
       gdk_content_formats_contain_mime_type (formats, "text/plain") ||
       gdk_content_formats_contain_mime_type (formats, "text/plain;charset=utf-8")))
    return FALSE;

  batch = batch_new (self, target);
  batch->clipboard = g_object_ref (clipboard);
  if (has_files (formats))
    gdk_clipboard_read_value_async (clipboard, GDK_TYPE_FILE_LIST, G_PRIORITY_DEFAULT,
                                    self->cancellable, on_clipboard_files, batch);
  else
    read_image (batch);
  return TRUE;
}

/* --- object ---------------------------------------------------------------- */

static void
sl_intake_dispose (GObject *object)
{
  g_cancellable_cancel (SL_INTAKE (object)->cancellable);
  G_OBJECT_CLASS (sl_intake_parent_class)->dispose (object);
}

static void
sl_intake_finalize (GObject *object)
{
  g_clear_object (&SL_INTAKE (object)->cancellable);
  G_OBJECT_CLASS (sl_intake_parent_class)->finalize (object);
}

static void
sl_intake_get_property (GObject    *object,
                        guint       id,
                        GValue     *value,
                        GParamSpec *pspec)
{
  if (id == PROP_BUSY)
    g_value_set_boolean (value, sl_intake_is_busy (SL_INTAKE (object)));
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
sl_intake_class_init (SlIntakeClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = sl_intake_dispose;
  object_class->finalize = sl_intake_finalize;
  object_class->get_property = sl_intake_get_property;
  properties[PROP_BUSY] = g_param_spec_boolean ("busy", NULL, NULL, FALSE,
                                                G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, properties);
  signals[PICTURE] = g_signal_new ("picture", SL_TYPE_INTAKE, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                   NULL, G_TYPE_NONE, 2, SL_TYPE_PICTURE, G_TYPE_OBJECT);
  signals[FILES] = g_signal_new ("files", SL_TYPE_INTAKE, G_SIGNAL_RUN_LAST, 0, g_signal_accumulator_true_handled, NULL, NULL,
                                 G_TYPE_BOOLEAN, 1, G_TYPE_PTR_ARRAY);
  signals[FAILED] = g_signal_new ("failed", SL_TYPE_INTAKE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                  G_TYPE_NONE, 2, G_TYPE_UINT, G_TYPE_STRING);
}

static void
sl_intake_init (SlIntake *self)
{
  self->cancellable = g_cancellable_new ();
  g_queue_init (&self->batches);
}

SlIntake *
sl_intake_new (void)
{
  return g_object_new (SL_TYPE_INTAKE, NULL);
}

gboolean
sl_intake_is_busy (SlIntake *self)
{
  g_return_val_if_fail (SL_IS_INTAKE (self), FALSE);
  return self->batches.length > 0;
}
