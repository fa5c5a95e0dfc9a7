/* SPDX-License-Identifier: MIT
 *
 * A history of 100,000 messages, and what opening, listing and searching it take: bench-history DIR. Fills DIR where it is empty,
 * then prints one JSON object: milliseconds that pass, and those that the process computes, which a busy machine changes less. Called
 * by budget.py.
 */
#include <stdio.h>
#include <time.h>

#include "app/store/sl-database.h"

#define CONVERSATIONS 2500
#define MESSAGES      40 /* each */
#define WORDS         12
#define RUNS          9

/* The rare word is in two conversations, the spread one once in each of the others. */
static const struct
{
  const char *kind, *query;
} searches[] = {
  { "two common words", "red circle" }, { "a word of every conversation", "sundial" }, { "a rare word", "lighthouse" },
  { "one letter", "s" },                { "Chinese", "红色 圆形" },
};

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
  if (number == 20)
    g_string_append (text, conversation % 1000000 == 0 ? "lighthouse " : "sundial ");
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

static double
computed_ms (void)
{
  struct timespec time;

  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &time);
  return time.tv_sec * 1000.0 + time.tv_nsec / 1e6;
}

/* Opens as the window does and reads the list. */
static gboolean
measure_open (const char  *dir,
              GError     **error)
{
  double passed[RUNS], computed[RUNS];

  for (guint i = 0; i < RUNS; i++)
    {
      double before = computed_ms ();
      gint64 start = g_get_monotonic_time ();
      g_autoptr (SlDatabase) database = sl_database_open (dir, SL_DATABASE_WRITE, error);
      g_autoptr (GPtrArray) list = database != NULL ? sl_database_list (database, error) : NULL;

      if (list == NULL)
        return FALSE;
      passed[i] = (g_get_monotonic_time () - start) / 1000.0;
      computed[i] = computed_ms () - before;
    }
  printf ("{\"messages\": %d, \"open\": {\"ms\": %.1f, \"computed_ms\": %.1f}, \"searches\": [", CONVERSATIONS * MESSAGES,
          median (passed), median (computed));
  return TRUE;
}

static gboolean
measure_search (SlDatabase  *database,
                const char  *kind,
                const char  *query,
                GError     **error)
{
  double passed[RUNS], computed[RUNS];
  guint found = 0;

  for (guint i = 0; i < RUNS; i++)
    {
      double before = computed_ms ();
      gint64 start = g_get_monotonic_time ();
      g_autoptr (GPtrArray) hits = sl_database_search (database, query, 200, error);

      if (hits == NULL)
        return FALSE;
      found = hits->len;
      passed[i] = (g_get_monotonic_time () - start) / 1000.0;
      computed[i] = computed_ms () - before;
    }
  printf ("{\"kind\": \"%s\", \"found\": %u, \"ms\": %.1f, \"computed_ms\": %.1f}", kind, found, median (passed),
          median (computed));
  return TRUE;
}

static gboolean
measure (const char  *dir,
         GError     **error)
{
  g_autoptr (SlDatabase) database = NULL;

  if (!measure_open (dir, error))
    return FALSE;
  database = sl_database_open (dir, SL_DATABASE_READ, error);
  if (database == NULL)
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (searches); i++)
    {
      fputs (i > 0 ? ", " : "", stdout);
      if (!measure_search (database, searches[i].kind, searches[i].query, error))
        return FALSE;
    }
  puts ("]}");
  return TRUE;
}

int
main (int    argc,
      char **argv)
{
  g_autofree char *file = argc == 2 ? g_build_filename (argv[1], "history.db", NULL) : NULL;
  g_autoptr (GError) error = NULL;

  if (argc != 2)
    {
      fputs ("usage: bench-history DIR\n", stderr);
      return 2;
    }
  if ((!g_file_test (file, G_FILE_TEST_EXISTS) && !fill (argv[1], &error)) || !measure (argv[1], &error))
    {
      fprintf (stderr, "%s\n", error->message);
      return 1;
    }
  return 0;
}
