/* SPDX-License-Identifier: MIT
 *
 * Collects what answers located and writes it on a worker. An entry is what one answer located, with its picture either decoded
 * already or as a file to decode.
 */
#include "app/exports/sl-export-job.h"

#include <errno.h>
#include <string.h>

typedef struct
{
  SlExportPicture *record;
  SlPicture *picture; /* or NULL: read from path */
  char *path, *name;
} Entry;

struct _SlExportJob
{
  GObject parent_instance;

  SlExportFormat format;
  GPtrArray *entries;
  guint n_done; /* of them; atomic */
  char *path;
  GBytes *classes; /* or NULL */
  char *classes_name;
  char *notes;
};

G_DEFINE_FINAL_TYPE (SlExportJob, sl_export_job, G_TYPE_OBJECT)

static void
entry_free (gpointer data)
{
  Entry *entry = data;

  g_clear_pointer (&entry->record, sl_export_picture_free);
  g_clear_object (&entry->picture);
  g_free (entry->path);
  g_free (entry->name);
  g_free (entry);
}

static void
sl_export_job_finalize (GObject *object)
{
  SlExportJob *self = SL_EXPORT_JOB (object);

  g_ptr_array_unref (self->entries);
  g_free (self->path);
  g_clear_pointer (&self->classes, g_bytes_unref);
  g_free (self->classes_name);
  g_free (self->notes);
  G_OBJECT_CLASS (sl_export_job_parent_class)->finalize (object);
}

static void
sl_export_job_class_init (SlExportJobClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = sl_export_job_finalize;
}

static void
sl_export_job_init (SlExportJob *self)
{
  self->entries = g_ptr_array_new_with_free_func (entry_free);
}

SlExportJob *
sl_export_job_new (SlExportFormat format)
{
  SlExportJob *self = g_object_new (SL_TYPE_EXPORT_JOB, NULL);

  self->format = format;
  return self;
}

void
sl_export_job_set_classes (SlExportJob *self,
                           GBytes      *list,
                           const char  *name)
{
  g_return_if_fail (SL_IS_EXPORT_JOB (self));

  g_clear_pointer (&self->classes, g_bytes_unref);
  g_free (self->classes_name);
  self->classes = list != NULL ? g_bytes_ref (list) : NULL;
  self->classes_name = g_strdup (name);
}

/* ------------------------------------------------------------------------------------------------ collecting */

static SlExportBox *
describe (SlBoxItem  *item,
          const char *text)
{
  SlExportBox *box = sl_export_box_new ();
  gsize start, end;

  box->label = g_strdup (sl_box_item_get_label (item));
  box->reason = g_strdup (sl_box_item_get_reason_english (item));
  box->status = sl_box_item_get_status (item);
  box->confidence = sl_box_item_get_confidence (item);
  box->overlap = sl_box_item_get_overlap (item, NULL);
  box->edited = sl_box_item_get_kind (item) == SL_BOX_KIND_EDITED;
  sl_box_item_get_coords (item, box->coords);
  sl_box_item_get_range (item, &start, &end);
  if (end > start && end <= strlen (text))
    box->raw = g_strndup (text + start, end - start);
  return box;
}

typedef enum { WHICH_VISIBLE, WHICH_ACCEPTED, WHICH_ONE } Which;

static gboolean
is_wanted (SlBoxItem *item,
           Which      which,
           SlBoxItem *only)
{
  if (which == WHICH_ONE)
    return item == only;
  return which == WHICH_ACCEPTED ? sl_box_item_get_accepted (item) : sl_box_item_get_visible (item);
}

/* Numbers are those on the picture: the placed boxes in order, also where one is left out. */
static void
add_boxes (SlExportPicture *record,
           SlMessage       *answer,
           Which            which,
           SlBoxItem       *only)
{
  GListModel *items = sl_message_get_boxes (answer);
  g_autoptr (GHashTable) replaced = sl_box_item_find_replaced (items);
  int number = 0;

  for (guint i = 0; i < g_list_model_get_n_items (items); i++)
    {
      g_autoptr (SlBoxItem) item = g_list_model_get_item (items, i);
      SlExportBox *box;
      int coords[4];
      gboolean placed = sl_box_item_get_coords (item, coords);

      if (sl_box_item_is_replaced (item, replaced))
        continue;
      number += placed;
      if (!is_wanted (item, which, only))
        continue;
      box = describe (item, sl_message_get_text (answer));
      box->number = placed ? number : 0;
      g_ptr_array_add (record->boxes, box);
    }
}

static char *
dup_question (SlConversation *conversation,
              SlMessage      *answer)
{
  SlMessage *question = sl_conversation_get_question (conversation, answer);

  return question != NULL ? g_strdup (sl_message_get_text (question)) : NULL;
}

/* Two answers that found the same thing found it once. */
static gboolean
has_box (GPtrArray         *boxes,
         const SlExportBox *box)
{
  for (guint i = 0; i < boxes->len; i++)
    {
      const SlExportBox *other = boxes->pdata[i];

      if (other->status == box->status && g_strcmp0 (other->label, box->label) == 0
          && memcmp (other->coords, box->coords, sizeof box->coords) == 0)
        return TRUE;
    }
  return FALSE;
}

/* A set holds a picture once, with what all answers located on it: half-labelled copies of it would contradict each other. */
static gboolean
join (SlExportJob     *self,
      SlExportPicture *record)
{
  for (guint i = 0; sl_export_format_is_set (self->format) && i < self->entries->len; i++)
    {
      SlExportPicture *earlier = ((Entry *) self->entries->pdata[i])->record;

      if (g_strcmp0 (earlier->sha256, record->sha256) != 0)
        continue;
      while (record->boxes->len > 0)
        {
          SlExportBox *box = g_ptr_array_steal_index (record->boxes, 0);

          if (has_box (earlier->boxes, box))
            sl_export_box_free (box);
          else
            g_ptr_array_add (earlier->boxes, box);
        }
      return TRUE;
    }
  return FALSE;
}

static void
add_answer (SlExportJob    *self,
            SlConversation *conversation,
            SlMessage      *answer,
            Which           which,
            SlBoxItem      *only)
{
  SlMessagePart *part;
  const SlGeneration *generation;
  Entry *entry;

  part = sl_conversation_find_picture (conversation, answer);
  if (part == NULL)
    return;
  generation = sl_message_get_generation (answer);
  entry = g_new0 (Entry, 1);
  entry->picture = sl_message_part_get_picture (part) ? g_object_ref (sl_message_part_get_picture (part)) : NULL;
  entry->path = g_strdup (sl_message_part_get_path (part));
  entry->name = g_strdup (sl_message_part_get_name (part));
  entry->record = sl_export_picture_new (NULL);
  entry->record->name = g_strdup (entry->name);
  entry->record->sha256 = g_strdup (sl_message_part_get_sha256 (part));
  entry->record->width = sl_message_part_get_width (part);
  entry->record->height = sl_message_part_get_height (part);
  entry->record->model = g_strdup (generation != NULL ? generation->model : NULL);
  entry->record->prompt = dup_question (conversation, answer);
  entry->record->answer = g_strdup (sl_message_get_text (answer));
  add_boxes (entry->record, answer, which, only);
  if (join (self, entry->record))
    entry_free (entry);
  else
    g_ptr_array_add (self->entries, entry);
}

void
sl_export_job_add_answer (SlExportJob    *self,
                          SlConversation *conversation,
                          SlMessage      *answer,
                          SlBoxItem      *only)
{
  g_return_if_fail (SL_IS_EXPORT_JOB (self));

  add_answer (self, conversation, answer, only != NULL ? WHICH_ONE : WHICH_VISIBLE, only);
}

void
sl_export_job_add_accepted (SlExportJob    *self,
                            SlConversation *conversation,
                            SlMessage      *answer)
{
  g_return_if_fail (SL_IS_EXPORT_JOB (self));

  add_answer (self, conversation, answer, WHICH_ACCEPTED, NULL);
}

void
sl_export_job_add_conversation (SlExportJob    *self,
                                SlConversation *conversation)
{
  g_return_if_fail (SL_IS_EXPORT_JOB (self));

  for (guint i = 0; i < g_list_model_get_n_items (G_LIST_MODEL (conversation)); i++)
    {
      g_autoptr (SlMessage) message = g_list_model_get_item (G_LIST_MODEL (conversation), i);

      if (sl_message_get_role (message) == SL_ROLE_ASSISTANT &&
          g_list_model_get_n_items (sl_message_get_boxes (message)) > 0)
        sl_export_job_add_answer (self, conversation, message, NULL);
    }
}

guint
sl_export_job_get_n_pictures (SlExportJob *self)
{
  g_return_val_if_fail (SL_IS_EXPORT_JOB (self), 0);

  return self->entries->len;
}

gboolean
sl_export_job_is_file (SlExportJob *self)
{
  g_return_val_if_fail (SL_IS_EXPORT_JOB (self), FALSE);

  return sl_export_format_get_extension (self->format) != NULL &&
         (self->entries->len == 1 || sl_export_format_is_table (self->format));
}

char *
sl_export_job_dup_name (SlExportJob *self)
{
  const char *first;
  const char *dot;
  g_autofree char *stem = NULL;

  g_return_val_if_fail (SL_IS_EXPORT_JOB (self), NULL);

  first = self->entries->len > 0 ? ((Entry *) self->entries->pdata[0])->name : NULL;
  first = first != NULL && *first != '\0' ? first : "boxes";
  dot = strrchr (first, '.');
  stem = dot != NULL && dot > first ? g_strndup (first, dot - first) : g_strdup (first);
  g_strdelimit (stem, "/", '_');
  if (sl_export_job_is_file (self))
    return g_strdup_printf ("%s-boxes.%s", stem, sl_export_format_get_extension (self->format));
  return g_strdup_printf ("%s-%s", stem, sl_export_format_get_nick (self->format));
}

/* ------------------------------------------------------------------------------------------------ writing */

static SlPicture *
read_picture (const Entry   *entry,
              GCancellable  *cancellable,
              GError       **error)
{
  g_autoptr (GFile) file = NULL;

  if (entry->picture != NULL)
    return g_object_ref (entry->picture);
  file = g_file_new_for_path (entry->path != NULL ? entry->path : "");
  return sl_picture_new_from_file (file, cancellable, error);
}

static gboolean
use_classes (SlExportJob  *self,
             SlBoxExport  *export,
             GError      **error)
{
  gsize size;
  const char *text = g_bytes_get_data (self->classes, &size);

  return sl_box_export_set_classes (export, text != NULL ? text : "", size, self->classes_name, error);
}

static gboolean
write_entries (SlExportJob   *self,
               const char    *path,
               SlOutputs     *outputs,
               GCancellable  *cancellable,
               GError       **error)
{
  g_autoptr (SlBoxExport) export = sl_box_export_new (self->format, path, sl_export_job_is_file (self), outputs, error);

  if (export == NULL || (self->classes != NULL && !use_classes (self, export, error)))
    return FALSE;
  for (guint i = 0; i < self->entries->len; i++)
    {
      Entry *entry = self->entries->pdata[i];
      gboolean table = sl_export_format_is_table (self->format);
      g_autoptr (SlPicture) picture = NULL;

      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return FALSE;
      picture = table ? NULL : read_picture (entry, cancellable, error);
      if ((picture == NULL && !table) || !sl_box_export_add (export, g_steal_pointer (&entry->record), picture, error))
        return FALSE;
      g_atomic_int_inc (&self->n_done);
    }
  self->notes = sl_box_export_dup_notes (export);
  return sl_box_export_finish (export, error);
}

/* "scene-coco", then "scene-coco 2": nobody was asked whether a folder of that name may be written into. */
static gboolean
name_folder (SlExportJob  *self,
             const char   *temporary,
             GError      **error)
{
  g_autofree char *wanted = g_strdup (self->path);

  for (guint i = 2; i < 10000; i++)
    {
      g_autoptr (GError) cause = NULL;

      if (sl_output_folder_finish (temporary, self->path, &cause))
        return TRUE;
      if (!g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_EXISTS))
        {
          g_propagate_error (error, g_steal_pointer (&cause));
          return FALSE;
        }
      g_free (self->path);
      self->path = g_strdup_printf ("%s %u", wanted, i);
    }
  sl_output_set_error (error, wanted, EEXIST);
  return FALSE;
}

static gboolean
write_folder (SlExportJob   *self,
              SlOutputs     *outputs,
              GCancellable  *cancellable,
              GError       **error)
{
  g_autofree char *temporary = sl_output_folder_begin (self->path, error);

  if (temporary == NULL)
    return FALSE;
  if (write_entries (self, temporary, outputs, cancellable, error) && !g_cancellable_set_error_if_cancelled (cancellable, error) &&
      name_folder (self, temporary, error))
    return TRUE;
  sl_output_folder_discard (temporary);
  return FALSE;
}

static void
write_all (GTask        *task,
           gpointer      source,
           gpointer      data,
           GCancellable *cancellable)
{
  SlExportJob *self = SL_EXPORT_JOB (source);
  /* The file chooser has asked about a file that exists. */
  g_autoptr (SlOutputs) outputs = sl_outputs_new (sl_export_job_is_file (self));
  GError *error = NULL;
  gboolean written;

  sl_outputs_set_cancellable (outputs, cancellable);
  for (guint i = 0; i < self->entries->len; i++)
    if (((Entry *) self->entries->pdata[i])->path != NULL)
      sl_outputs_add_input (outputs, ((Entry *) self->entries->pdata[i])->path);
  written = sl_export_job_is_file (self) ? write_entries (self, self->path, outputs, cancellable, &error)
                                         : write_folder (self, outputs, cancellable, &error);
  if (written)
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

void
sl_export_job_run_async (SlExportJob         *self,
                         const char          *path,
                         GCancellable        *cancellable,
                         GAsyncReadyCallback  callback,
                         gpointer             user_data)
{
  g_autoptr (GTask) task = NULL;

  g_return_if_fail (SL_IS_EXPORT_JOB (self));
  g_return_if_fail (self->path == NULL);

  self->path = g_strdup (path);
  task = g_task_new (self, cancellable, callback, user_data);
  /* What has its name is there, also for those who cancelled too late. */
  g_task_set_check_cancellable (task, FALSE);
  g_task_run_in_thread (task, write_all);
}

gboolean
sl_export_job_run_finish (SlExportJob   *self,
                          GAsyncResult  *result,
                          GError       **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}

guint
sl_export_job_get_n_done (SlExportJob *self)
{
  g_return_val_if_fail (SL_IS_EXPORT_JOB (self), 0);

  return g_atomic_int_get (&self->n_done);
}

const char *
sl_export_job_get_notes (SlExportJob *self)
{
  g_return_val_if_fail (SL_IS_EXPORT_JOB (self), NULL);

  return self->notes;
}

const char *
sl_export_job_get_path (SlExportJob *self)
{
  g_return_val_if_fail (SL_IS_EXPORT_JOB (self), NULL);

  return self->path;
}
