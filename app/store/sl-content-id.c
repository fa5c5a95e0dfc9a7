/* SPDX-License-Identifier: MIT
 *
 * The walk through a conversation's tree that names its messages, each after what it answers. Thousands of turns are thousands of levels:
 * it keeps its own stack.
 */
#include "app/store/sl-content-id.h"

#include <string.h>

static void
add_field (GChecksum  *sum,
           const char *bytes)
{
  g_autofree char *length = g_strdup_printf ("%zu:", strlen (bytes));

  g_checksum_update (sum, (const guchar *) length, -1);
  g_checksum_update (sum, (const guchar *) bytes, strlen (bytes));
  g_checksum_update (sum, (const guchar *) ",", 1);
}

static void
add_number (GChecksum *sum,
            gint64     number)
{
  g_autofree char *text = g_strdup_printf ("%" G_GINT64_FORMAT, number);

  add_field (sum, text);
}

static char *
name_message (const SlMessageRecord *message,
              const char            *parent,
              guint                  again)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);

  add_field (sum, "sightline message 1");
  add_field (sum, parent);
  add_field (sum, sl_role_nicks[message->role]);
  add_field (sum, sl_mode_get_nick (message->mode));
  add_field (sum, message->raw ? "raw" : "");
  add_number (sum, message->created);
  for (guint i = 0; i < message->parts->len; i++)
    {
      const SlPartRecord *part = g_ptr_array_index (message->parts, i);
      const char *content = part->kind == SL_PART_TEXT ? part->text : part->sha256;

      add_field (sum, part->kind == SL_PART_TEXT ? "text" : "picture");
      add_field (sum, content != NULL ? content : "");
    }
  if (again > 0)
    {
      add_field (sum, "again");
      add_number (sum, again);
    }
  return g_strdup (g_checksum_get_string (sum));
}

static char *
name_conversation (const SlConversationRecord *record,
                   const char                 *first)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);

  add_field (sum, "sightline conversation 1");
  add_number (sum, record->created);
  add_field (sum, first);
  return g_strdup (g_checksum_get_string (sum));
}

/* ------------------------------------------------------------------------------------------------ the walk */

typedef struct
{
  const SlConversationRecord *record;
  GHashTable *below; /* id of a parent, 0 for none → GArray of guint: its messages */
  GHashTable *taken; /* names that have been given, with how often they would have been given again */
} Walk;

static const SlMessageRecord *
message_at (const Walk *walk,
            guint       index)
{
  return g_ptr_array_index (walk->record->messages, index);
}

static int
compare_siblings (gconstpointer a,
                  gconstpointer b,
                  gpointer      data)
{
  guint x = *(const guint *) a, y = *(const guint *) b;
  const SlMessageRecord *first = message_at (data, x), *second = message_at (data, y);

  if (first->ordinal != second->ordinal)
    return first->ordinal < second->ordinal ? -1 : 1;
  return first->id != second->id ? (first->id < second->id ? -1 : 1) : (x > y) - (x < y);
}

static void
find_siblings (Walk *walk)
{
  static const gint64 none = 0;
  g_autoptr (GHashTable) known = g_hash_table_new (g_int64_hash, g_int64_equal);
  GHashTableIter iter;
  gpointer siblings;

  for (guint i = 0; i < walk->record->messages->len; i++)
    g_hash_table_add (known, (gpointer) &message_at (walk, i)->id);
  for (guint i = 0; i < walk->record->messages->len; i++)
    {
      const gint64 *parent = &message_at (walk, i)->parent;
      GArray *array;

      if (!g_hash_table_contains (known, parent))
        parent = &none;
      array = g_hash_table_lookup (walk->below, parent);
      if (array == NULL)
        {
          array = g_array_new (FALSE, FALSE, sizeof (guint));
          g_hash_table_insert (walk->below, (gpointer) parent, array);
        }
      g_array_append_val (array, i);
    }
  g_hash_table_iter_init (&iter, walk->below);
  while (g_hash_table_iter_next (&iter, NULL, &siblings))
    g_array_sort_with_data (siblings, compare_siblings, walk);
}

static char *
name_once (Walk                  *walk,
           const SlMessageRecord *message,
           const char            *parent)
{
  char *name = name_message (message, parent, 0);
  gpointer again = NULL;

  if (g_hash_table_lookup_extended (walk->taken, name, NULL, &again))
    {
      guint n = GPOINTER_TO_UINT (again) + 1;

      g_hash_table_insert (walk->taken, name, GUINT_TO_POINTER (n));
      return name_message (message, parent, n);
    }
  g_hash_table_insert (walk->taken, g_strdup (name), GUINT_TO_POINTER (0));
  return name;
}

typedef struct
{
  guint index;
  const char *parent;
} Step;

/* The last of them lies on top, so they are put there backwards. */
static void
push_below (Walk       *walk,
            GArray     *stack,
            gint64      id,
            const char *name)
{
  const GArray *array = g_hash_table_lookup (walk->below, &id);

  for (guint i = array != NULL ? array->len : 0; i > 0; i--)
    {
      Step step = { g_array_index (array, guint, i - 1), name };

      g_array_append_val (stack, step);
    }
}

SlContentIds *
sl_content_ids_new (const SlConversationRecord *record)
{
  SlContentIds *self = g_new0 (SlContentIds, 1);
  g_autoptr (GHashTable) below = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, (GDestroyNotify) g_array_unref);
  g_autoptr (GHashTable) taken = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GArray) stack = g_array_new (FALSE, FALSE, sizeof (Step));
  Walk walk = { record, below, taken };
  const char *first = "";

  self->messages = g_ptr_array_new_with_free_func (g_free);
  g_ptr_array_set_size (self->messages, record->messages->len);
  self->order = g_array_new (FALSE, FALSE, sizeof (guint));
  find_siblings (&walk);
  push_below (&walk, stack, 0, "");
  while (stack->len > 0)
    {
      Step step = g_array_index (stack, Step, stack->len - 1);
      const SlMessageRecord *message = message_at (&walk, step.index);
      char *name = name_once (&walk, message, step.parent);

      g_array_set_size (stack, stack->len - 1);
      self->messages->pdata[step.index] = name;
      if (self->order->len == 0)
        first = name;
      g_array_append_val (self->order, step.index);
      push_below (&walk, stack, message->id, name);
    }
  self->conversation = name_conversation (record, first);
  return self;
}

void
sl_content_ids_free (SlContentIds *self)
{
  if (self == NULL)
    return;
  g_free (self->conversation);
  g_ptr_array_unref (self->messages);
  g_array_unref (self->order);
  g_free (self);
}
