/* SPDX-License-Identifier: MIT
 *
 * Which boxes an export takes and what number their classes have: as they appear, or as a list says; and what is said of the
 * others. Called by SlBoxExport and its formats.
 */
#include "app/exports/sl-box-export-private.h"

#include <string.h>

#include <glib/gi18n-lib.h>

/* Ultralytics takes a smaller picture for a damaged one. */
#define LEAST_SIDE 10

#define BOM "\xef\xbb\xbf"

static gboolean
is_placed (const SlExportBox *box)
{
  return box->status == SL_BOX_OK || box->status == SL_BOX_CLAMPED;
}

static guint
add_class (SlBoxExport *self,
           const char  *name)
{
  g_ptr_array_add (self->classes, g_strdup (name));
  g_hash_table_insert (self->class_ids, g_strdup (name), GUINT_TO_POINTER (self->classes->len));

  return self->classes->len - 1;
}

static gboolean
find_class (SlBoxExport       *self,
            const SlExportBox *box,
            guint             *id)
{
  const char *label = sl_export_box_get_label (box);
  guint found = GPOINTER_TO_UINT (g_hash_table_lookup (self->class_ids, label));

  if (found == 0 && self->classes_given)
    return FALSE;
  *id = found != 0 ? found - 1 : add_class (self, label);

  return TRUE;
}

const char *
sl_box_export_get_class (SlBoxExport *self,
                         guint        class_id)
{
  return self->classes->pdata[class_id];
}

gboolean
sl_box_export_get_object (SlBoxExport           *self,
                          const SlExportPicture *record,
                          const SlExportBox     *box,
                          int                    px[4],
                          guint                 *class_id)
{
  return sl_export_picture_get_pixels (record, box, px) && px[2] > px[0] && px[3] > px[1] && find_class (self, box, class_id);
}

static gboolean
refuse_classes (const char *sentence,
                const char *name,
                guint       line,
                GError    **error)
{
  g_autofree char *shown = g_filename_display_name (name);

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, sentence, shown, line);

  return FALSE;
}

gboolean
sl_box_export_set_classes (SlBoxExport  *self,
                           const char   *text,
                           gsize         length,
                           const char   *name,
                           GError      **error)
{
  g_autofree char *copy = g_strndup (text, length);
  g_auto(GStrv) lines = g_strsplit (g_str_has_prefix (copy, BOM) ? copy + strlen (BOM) : copy, "\n", -1);

  if (!g_utf8_validate (text, length, NULL))
    return refuse_classes (_("“%s” is not a list of classes: it is not UTF-8."), name, 0, error);
  self->classes_given = TRUE;
  for (guint i = 0; lines[i] != NULL; i++)
    {
      g_auto(GStrv) labels = g_strsplit (g_strchomp (lines[i]), "\t", -1);

      for (guint k = 0; labels[k] != NULL; k++)
        {
          const char *label = g_strstrip (labels[k]);

          if (*label == '\0')
            continue;
          if (g_hash_table_contains (self->class_ids, label))
            return refuse_classes (_("“%s” is not a list of classes: line %u repeats a label."), name, i + 1, error);
          if (k == 0)
            add_class (self, label);
          else
            g_hash_table_insert (self->class_ids, g_strdup (label), GUINT_TO_POINTER (self->classes->len));
        }
    }
  if (self->classes->len > 0)
    return TRUE;

  return refuse_classes (_("“%s” is not a list of classes: it holds none."), name, 0, error);
}

void
sl_box_export_count_left_out (SlBoxExport           *self,
                              const SlExportPicture *record)
{
  for (guint i = 0; i < record->boxes->len; i++)
    {
      const SlExportBox *box = record->boxes->pdata[i];
      guint class_id;
      int px[4];

      if (sl_export_picture_get_pixels (record, box, px) ? px[2] <= px[0] || px[3] <= px[1]
                                                         : sl_box_reason_from_english (box->reason) == SL_BOX_REASON_NO_AREA)
        self->n_without_area++;
      else if (is_placed (box) && sl_export_format_is_set (self->format) && !find_class (self, box, &class_id))
        self->n_unlisted++;
    }
  if (self->format == SL_EXPORT_YOLO && MIN (record->width, record->height) < LEAST_SIDE)
    self->n_tiny++;
}

static void
append_note (GString    *notes,
             const char *sentence,
             guint       n)
{
  if (n == 0)
    return;
  if (notes->len > 0)
    g_string_append_c (notes, '\n');
  g_string_append_printf (notes, sentence, n);
}

char *
sl_box_export_dup_notes (SlBoxExport *self)
{
  g_autoptr(GString) notes = g_string_new (NULL);

  append_note (notes, ngettext ("%u box without area was left out.", "%u boxes without area were left out.", self->n_without_area),
               self->n_without_area);
  append_note (notes, ngettext ("%u box was left out: its label is not in the list of classes.",
                                "%u boxes were left out: their labels are not in the list of classes.", self->n_unlisted),
               self->n_unlisted);
  append_note (notes, ngettext ("%u picture has a side of less than 10 pixels: Ultralytics will leave it out.",
                                "%u pictures have a side of less than 10 pixels: Ultralytics will leave them out.", self->n_tiny),
               self->n_tiny);

  return notes->len > 0 ? g_strdup (notes->str) : NULL;
}
