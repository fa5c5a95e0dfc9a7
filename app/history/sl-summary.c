/* SPDX-License-Identifier: MIT
 *
 * One line of the list of conversations, or one hit of a search, as a row shows it. UI thread.
 */
#include "app/history/sl-summary-private.h"

struct _SlSummary
{
  GObject parent_instance;

  gint64 id, message, updated_us;
  char *title, *snippet;
  GDateTime *updated;
  gboolean busy, folder, pinned;
};

enum { PROP_0, PROP_TITLE, PROP_SNIPPET, PROP_UPDATED, PROP_BUSY, PROP_FOLDER, PROP_PINNED, N_PROPS };

static GParamSpec *properties[N_PROPS];

G_DEFINE_FINAL_TYPE (SlSummary, sl_summary, G_TYPE_OBJECT)

static void
sl_summary_get_property (GObject    *object,
                         guint       id,
                         GValue     *value,
                         GParamSpec *pspec)
{
  SlSummary *self = SL_SUMMARY (object);

  switch (id)
    {
    case PROP_TITLE:
      g_value_set_string (value, self->title);
      break;
    case PROP_SNIPPET:
      g_value_set_string (value, self->snippet);
      break;
    case PROP_UPDATED:
      g_value_set_boxed (value, self->updated);
      break;
    case PROP_BUSY:
      g_value_set_boolean (value, self->busy);
      break;
    case PROP_FOLDER:
      g_value_set_boolean (value, self->folder);
      break;
    case PROP_PINNED:
      g_value_set_boolean (value, self->pinned);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
sl_summary_finalize (GObject *object)
{
  SlSummary *self = SL_SUMMARY (object);

  g_free (self->title);
  g_free (self->snippet);
  g_clear_pointer (&self->updated, g_date_time_unref);
  G_OBJECT_CLASS (sl_summary_parent_class)->finalize (object);
}

static void
sl_summary_class_init (SlSummaryClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = sl_summary_get_property;
  object_class->finalize = sl_summary_finalize;
  properties[PROP_TITLE] = g_param_spec_string ("title", NULL, NULL, "", flags);
  properties[PROP_SNIPPET] = g_param_spec_string ("snippet", NULL, NULL, "", flags);
  properties[PROP_UPDATED] = g_param_spec_boxed ("updated", NULL, NULL, G_TYPE_DATE_TIME, flags);
  properties[PROP_BUSY] = g_param_spec_boolean ("busy", NULL, NULL, FALSE, flags);
  properties[PROP_FOLDER] = g_param_spec_boolean ("folder", NULL, NULL, FALSE, flags);
  properties[PROP_PINNED] = g_param_spec_boolean ("pinned", NULL, NULL, FALSE, flags);
  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
sl_summary_init (SlSummary *self)
{
  self->title = g_strdup ("");
  self->snippet = g_strdup ("");
}

static void
set_text (SlSummary   *self,
          char       **field,
          const char  *text,
          guint        property)
{
  if (g_strcmp0 (*field, text) == 0)
    return;
  g_free (*field);
  *field = g_strdup (text);
  g_object_notify_by_pspec (G_OBJECT (self), properties[property]);
}

static void
set_flag (SlSummary *self,
          gboolean  *field,
          gboolean   value,
          guint      property)
{
  if (*field == value)
    return;
  *field = value;
  g_object_notify_by_pspec (G_OBJECT (self), properties[property]);
}

void
sl_summary_update (SlSummary             *self,
                   const SlSummaryRecord *record)
{
  set_text (self, &self->title, record->title, PROP_TITLE);
  set_text (self, &self->snippet, record->snippet, PROP_SNIPPET);
  set_flag (self, &self->folder, record->folder, PROP_FOLDER);
  set_flag (self, &self->pinned, record->pinned, PROP_PINNED);
  if (self->updated == NULL || self->updated_us != record->updated)
    {
      g_autoptr (GDateTime) utc = g_date_time_new_from_unix_utc (record->updated / G_USEC_PER_SEC);

      g_clear_pointer (&self->updated, g_date_time_unref);
      self->updated_us = record->updated;
      self->updated = utc != NULL ? g_date_time_to_local (utc) : g_date_time_new_now_local ();
      g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_UPDATED]);
    }
}

void
sl_summary_set_title (SlSummary  *self,
                      const char *title)
{
  set_text (self, &self->title, title, PROP_TITLE);
}

SlSummary *
sl_summary_new (const SlSummaryRecord *record)
{
  SlSummary *self = g_object_new (SL_TYPE_SUMMARY, NULL);

  self->id = record->id;
  self->message = record->message;
  sl_summary_update (self, record);
  return self;
}

void
sl_summary_set_busy (SlSummary *self,
                     gboolean   busy)
{
  set_flag (self, &self->busy, busy, PROP_BUSY);
}

gint64
sl_summary_get_id (SlSummary *self)
{
  g_return_val_if_fail (SL_IS_SUMMARY (self), 0);

  return self->id;
}

const char *
sl_summary_get_title (SlSummary *self)
{
  g_return_val_if_fail (SL_IS_SUMMARY (self), NULL);

  return self->title;
}

const char *
sl_summary_get_snippet (SlSummary *self)
{
  g_return_val_if_fail (SL_IS_SUMMARY (self), NULL);

  return self->snippet;
}

GDateTime *
sl_summary_get_updated (SlSummary *self)
{
  g_return_val_if_fail (SL_IS_SUMMARY (self), NULL);

  return self->updated;
}

gint64
sl_summary_get_updated_us (SlSummary *self)
{
  return self->updated_us;
}

gboolean
sl_summary_get_busy (SlSummary *self)
{
  g_return_val_if_fail (SL_IS_SUMMARY (self), FALSE);

  return self->busy;
}

gint64
sl_summary_get_message (SlSummary *self)
{
  g_return_val_if_fail (SL_IS_SUMMARY (self), 0);

  return self->message;
}

gboolean
sl_summary_get_folder (SlSummary *self)
{
  g_return_val_if_fail (SL_IS_SUMMARY (self), FALSE);

  return self->folder;
}

gboolean
sl_summary_get_pinned (SlSummary *self)
{
  g_return_val_if_fail (SL_IS_SUMMARY (self), FALSE);

  return self->pinned;
}
