/* SPDX-License-Identifier: MIT
 *
 * A history of 100,000 messages, and what opening, listing and searching it take: bench-history DIR. Fills DIR where it is empty,
 * then prints one JSON object of milliseconds. Called by budget.py.
 */
#include <stdio.h>

#include "app/sl-database.h"

#define CONVERSATIONS 2500
#define MESSAGES      40 /* each */
#define WORDS         12
#define RUNS          9

static const char *const vocabulary[] = {
  "the", "red", "circle", "left", "of", "a", "blue", "house", "and", "two", "people", "walking", "near", "water", "bridge", "window",
  "photo", "shows", "where", "is", "small", "large", "green", "tree", "behind", "car", "street", "sign", "says", "open", "红色", "圆形",
};

static SlMessageRecord *
make_message (GRand *random,
              gint64 id,
              gint64 conversation,
              gint64 parent,
              guint  number)
{
  SlMessageRecord *message = sl_message_record_new ();
  SlPartRecord *part = sl_part_record_new (SL_PART_TEXT);
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < WORDS; i++)
    g_string_append_printf (text, "%s ", vocabulary[g_rand_int_range (random, 0, G_N_ELEMENTS (vocabulary))]);
  if (number == 20 && conversation % 1000 == 0)
    g_string_append (text, "lighthouse");
  part->text = g_string_free (text, FALSE);
  g_ptr_array_add (message->parts, part);
  message->id = id;
  message->conversation = conversation;
  message->parent = parent;
  message->role = number % 2 == 0 ? SL_ROLE_USER : SL_ROLE_ASSISTANT;
  message->created = id;
  return message;
}

static gboolean
fill (const char  *dir,
      GError     **error)
{
  g_autoptr (SlDatabase) database = sl_database_open (dir, SL_DATABASE_WRITE, error);
  GRand *random = g_rand_new_with_seed (1);
  gboolean ok = database != NULL;

  for (guint i = 0; ok && i < CONVERSATIONS; i++)
    {
      g_autoptr (SlConversationRecord) conversation = sl_conversation_record_new ();

      conversation->id = (gint64) (i + 1) * 1000;
      conversation->created = conversation->updated = conversation->id;
      conversation->title = g_strdup_printf ("Conversation %u", i);
      ok = sl_database_put_conversation (database, conversation, error);
      for (guint j = 0; ok && j < MESSAGES; j++)
        {
          g_autoptr (SlMessageRecord) message =
            make_message (random, conversation->id + j + 1, conversation->id, j ? conversation->id + j : 0, j);

          ok = sl_database_put_message (database, message, TRUE, error);
        }
    }
  g_rand_free (random);
  return ok;
}

static int
compare_doubles (gconstpointer a,
                 gconstpointer b)
{
  double x = *(const double *) a, y = *(const double *) b;

  return (x > y) - (x < y);
}

static double
median (double *values)
{
  qsort (values, RUNS, sizeof *values, compare_doubles);
  return values[RUNS / 2];
}

/* Opens as the window does and reads the list. */
static gboolean
measure_open (const char  *dir,
              double      *milliseconds,
              GError     **error)
{
  double values[RUNS];

  for (guint i = 0; i < RUNS; i++)
    {
      gint64 start = g_get_monotonic_time ();
      g_autoptr (SlDatabase) database = sl_database_open (dir, SL_DATABASE_WRITE, error);
      g_autoptr (GPtrArray) list = database != NULL ? sl_database_list (database, error) : NULL;

      if (list == NULL)
        return FALSE;
      values[i] = (g_get_monotonic_time () - start) / 1000.0;
    }
  *milliseconds = median (values);
  return TRUE;
}

static gboolean
measure_search (const char  *dir,
                const char  *query,
                double      *milliseconds,
                guint       *found,
                GError     **error)
{
  g_autoptr (SlDatabase) database = sl_database_open (dir, SL_DATABASE_READ, error);
  double values[RUNS];

  for (guint i = 0; database != NULL && i < RUNS; i++)
    {
      gint64 start = g_get_monotonic_time ();
      g_autoptr (GPtrArray) hits = sl_database_search (database, query, 200, error);

      if (hits == NULL)
        return FALSE;
      *found = hits->len;
      values[i] = (g_get_monotonic_time () - start) / 1000.0;
    }
  *milliseconds = database != NULL ? median (values) : 0;
  return database != NULL;
}

int
main (int    argc,
      char **argv)
{
  g_autofree char *file = argc == 2 ? g_build_filename (argv[1], "history.db", NULL) : NULL;
  g_autoptr (GError) error = NULL;
  double open = 0, common = 0, rare = 0, chinese = 0;
  guint n_common = 0, n_rare = 0, n_chinese = 0;

  if (argc != 2)
    {
      fputs ("usage: bench-history DIR\n", stderr);
      return 2;
    }
  if ((!g_file_test (file, G_FILE_TEST_EXISTS) && !fill (argv[1], &error)) || !measure_open (argv[1], &open, &error) ||
      !measure_search (argv[1], "red circle", &common, &n_common, &error) ||
      !measure_search (argv[1], "lighthouse", &rare, &n_rare, &error) ||
      !measure_search (argv[1], "红色 圆形", &chinese, &n_chinese, &error))
    {
      fprintf (stderr, "%s\n", error->message);
      return 1;
    }
  printf ("{\"messages\": %d, \"open_ms\": %.1f, \"search_common_ms\": %.1f, \"common\": %u, \"search_rare_ms\": %.1f, \"rare\": %u, "
          "\"search_chinese_ms\": %.1f, \"chinese\": %u}\n",
          CONVERSATIONS * MESSAGES, open, common, n_common, rare, n_rare, chinese, n_chinese);
  return 0;
}
