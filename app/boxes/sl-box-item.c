/* SPDX-License-Identifier: MIT
 *
 * A box as a list row: a record and whether it is shown. UI thread.
 */
#include "app/boxes/sl-box-item.h"

#include <string.h>

#include "app/boxes/sl-box-item-record.h"

#define RIGHT_OVERLAP 0.5 /* The PASCAL Visual Object Classes Challenge, 2010, section 4.2 */

struct _SlBoxItem
{
  GObject parent_instance;

  SlBoxRecord *record;
  gboolean visible;
};

enum { PROP_0, PROP_VISIBLE, N_PROPS };

static GParamSpec *properties[N_PROPS];
static guint changed_signal;

G_DEFINE_FINAL_TYPE (SlBoxItem, sl_box_item, G_TYPE_OBJECT)

static void
sl_box_item_get_property (GObject    *object,
                          guint       id,
                          GValue     *value,
                          GParamSpec *pspec)
{
  if (id == PROP_VISIBLE)
    g_value_set_boolean (value, SL_BOX_ITEM (object)->visible);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
sl_box_item_set_property (GObject      *object,
                          guint         id,
                          const GValue *value,
                          GParamSpec   *pspec)
{
  if (id == PROP_VISIBLE)
    sl_box_item_set_visible (SL_BOX_ITEM (object), g_value_get_boolean (value));
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
sl_box_item_finalize (GObject *object)
{
  sl_box_record_free (SL_BOX_ITEM (object)->record);
  G_OBJECT_CLASS (sl_box_item_parent_class)->finalize (object);
}

static void
sl_box_item_class_init (SlBoxItemClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = sl_box_item_get_property;
  object_class->set_property = sl_box_item_set_property;
  object_class->finalize = sl_box_item_finalize;
  properties[PROP_VISIBLE] = g_param_spec_boolean ("visible", NULL, NULL, TRUE,
                                                   G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY);
  g_object_class_install_properties (object_class, N_PROPS, properties);
  changed_signal = g_signal_new ("changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
sl_box_item_init (SlBoxItem *self)
{
  self->visible = TRUE;
}

SlBoxItem *
sl_box_item_new (SlBoxRecord *record)
{
  SlBoxItem *self = g_object_new (SL_TYPE_BOX_ITEM, NULL);

  self->record = record;
  return self;
}

const SlBoxRecord *
sl_box_item_get_record (SlBoxItem *self)
{
  return self->record;
}

static gboolean
same_box (const SlBoxRecord *a,
          const SlBoxRecord *b)
{
  return a->id == b->id && a->origin == b->origin && a->status == b->status && a->label_index == b->label_index
         && a->start == b->start && a->end == b->end && a->confidence == b->confidence && a->overlap == b->overlap
         && memcmp (a->coords, b->coords, sizeof a->coords) == 0 && g_strcmp0 (a->label, b->label) == 0
         && a->reason == b->reason && a->accepted == b->accepted && g_strcmp0 (a->picture, b->picture) == 0;
}

void
sl_box_item_take_record (SlBoxItem   *self,
                         SlBoxRecord *record)
{
  gboolean same = same_box (self->record, record);

  sl_box_record_free (self->record);
  self->record = record;
  if (!same)
    g_signal_emit (self, changed_signal, 0);
}

gint64
sl_box_item_get_id (SlBoxItem *self)
{
  g_return_val_if_fail (SL_IS_BOX_ITEM (self), 0);

  return self->record->id;
}

SlBoxKind
sl_box_item_get_kind (SlBoxItem *self)
{
  g_return_val_if_fail (SL_IS_BOX_ITEM (self), SL_BOX_KIND_MODEL);

  return self->record->kind;
}

gint64
sl_box_item_get_origin (SlBoxItem *self)
{
  g_return_val_if_fail (SL_IS_BOX_ITEM (self), 0);

  return self->record->origin;
}

const char *
sl_box_item_get_label (SlBoxItem *self)
{
  g_return_val_if_fail (SL_IS_BOX_ITEM (self), NULL);

  return self->record->label != NULL ? self->record->label : "";
}

gboolean
sl_box_item_get_coords (SlBoxItem *self,
                        int        coords[4])
{
  g_return_val_if_fail (SL_IS_BOX_ITEM (self), FALSE);

  if (self->record->status != SL_BOX_OK && self->record->status != SL_BOX_CLAMPED)
    return FALSE;
  memcpy (coords, self->record->coords, sizeof self->record->coords);
  return TRUE;
}

SlBoxStatus
sl_box_item_get_status (SlBoxItem *self)
{
  g_return_val_if_fail (SL_IS_BOX_ITEM (self), SL_BOX_REJECTED);

  return self->record->status;
}

const char *
sl_box_item_get_reason (SlBoxItem *self)
{
  g_return_val_if_fail (SL_IS_BOX_ITEM (self), NULL);

  return sl_box_reason_get_text (self->record->reason);
}

const char *
sl_box_item_get_reason_english (SlBoxItem *self)
{
  g_return_val_if_fail (SL_IS_BOX_ITEM (self), NULL);

  return sl_box_reason_get_english (self->record->reason);
}

int
sl_box_item_get_label_index (SlBoxItem *self)
{
  g_return_val_if_fail (SL_IS_BOX_ITEM (self), -1);

  return self->record->label_index;
}

double
sl_box_item_get_confidence (SlBoxItem *self)
{
  g_return_val_if_fail (SL_IS_BOX_ITEM (self), -1);

  return self->record->confidence;
}

double
sl_box_item_get_overlap (SlBoxItem *self,
                         double     spread[4])
{
  g_return_val_if_fail (SL_IS_BOX_ITEM (self), -1);

  if (spread != NULL)
    memcpy (spread, self->record->spread, sizeof self->record->spread);
  return self->record->overlap;
}

gboolean
sl_box_item_get_accepted (SlBoxItem *self)
{
  int coords[4];

  g_return_val_if_fail (SL_IS_BOX_ITEM (self), FALSE);

  return sl_box_item_get_coords (self, coords) && (self->record->accepted || self->record->kind == SL_BOX_KIND_EDITED);
}

gboolean
sl_box_item_is_doubtful (SlBoxItem *self)
{
  const SlBoxRecord *record;

  g_return_val_if_fail (SL_IS_BOX_ITEM (self), FALSE);

  record = self->record;
  if (record->kind != SL_BOX_KIND_MODEL || *sl_box_item_get_label (self) == '\0')
    return FALSE;
  return record->status == SL_BOX_INCOMPLETE || record->status == SL_BOX_REJECTED
         || (record->overlap >= 0 && record->overlap < RIGHT_OVERLAP);
}

const char *
sl_box_item_get_picture (SlBoxItem *self)
{
  g_return_val_if_fail (SL_IS_BOX_ITEM (self), NULL);

  return self->record->picture;
}

void
sl_box_item_get_range (SlBoxItem *self,
                       gsize     *start,
                       gsize     *end)
{
  g_return_if_fail (SL_IS_BOX_ITEM (self));

  *start = self->record->start;
  *end = self->record->end;
}

gboolean
sl_box_item_get_visible (SlBoxItem *self)
{
  g_return_val_if_fail (SL_IS_BOX_ITEM (self), FALSE);

  return self->visible;
}

void
sl_box_item_set_visible (SlBoxItem *self,
                         gboolean   visible)
{
  g_return_if_fail (SL_IS_BOX_ITEM (self));

  if (self->visible == !!visible)
    return;
  self->visible = !!visible;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_VISIBLE]);
}

GHashTable *
sl_box_item_find_replaced (GListModel *items)
{
  GHashTable *replaced = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);

  for (guint i = 0; i < g_list_model_get_n_items (items); i++)
    {
      g_autoptr (SlBoxItem) item = g_list_model_get_item (items, i);

      if (sl_box_item_get_kind (item) == SL_BOX_KIND_EDITED && item->record->origin != 0)
        g_hash_table_add (replaced, g_memdup2 (&item->record->origin, sizeof item->record->origin));
    }
  return replaced;
}

gboolean
sl_box_item_is_replaced (SlBoxItem  *self,
                         GHashTable *replaced)
{
  g_return_val_if_fail (SL_IS_BOX_ITEM (self), FALSE);

  return sl_box_item_get_kind (self) == SL_BOX_KIND_MODEL && g_hash_table_contains (replaced, &self->record->id);
}
