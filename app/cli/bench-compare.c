/* SPDX-License-Identifier: MIT
 *
 * Two builds measured in turn: each round runs both, the second round in the other order, and a row's ratio is taken within a round.
 * Used by bench.c; runs programs and reads their JSON, knows nothing of engines.
 */
#include "app/cli/bench-compare.h"

#include <gio/gio.h>
#include <glib/gi18n.h>

#define ROUNDS 3

typedef struct
{
  const char *kind; /* the first report's */
  int tokens, context;
  double best_ms[2]; /* of all rounds; this program, the other one */
  double ratio[ROUNDS]; /* the other's time by this one's */
} Row;

/* One run's report. */
static json_t *
run_once (const char         *program,
          const char *const  *arguments,
          GError            **error)
{
  g_autoptr(GPtrArray) argv = g_ptr_array_new ();
  g_autoptr(GSubprocess) process = NULL;
  g_autofree char *text = NULL;
  json_t *report;

  g_ptr_array_add (argv, (char *) program);
  g_ptr_array_add (argv, (char *) "bench");
  for (; *arguments != NULL; arguments++)
    g_ptr_array_add (argv, (char *) *arguments);
  g_ptr_array_add (argv, (char *) "--json");
  g_ptr_array_add (argv, NULL);

  process = g_subprocess_newv ((const char *const *) argv->pdata, G_SUBPROCESS_FLAGS_STDOUT_PIPE, error);
  if (process == NULL)
    return NULL;
  if (!g_subprocess_communicate_utf8 (process, NULL, cli_cancellable, &text, NULL, error))
    {
      g_subprocess_force_exit (process);
      return NULL;
    }
  report = g_subprocess_get_successful (process) && text != NULL ? json_loads (text, 0, NULL) : NULL;
  if (!json_is_array (json_object_get (report, "rows")))
    {
      cli_set_error (error, CLI_INPUT, _("“%s bench” has not measured anything."), program);
      json_decref (report);
      return NULL;
    }
  return report;
}

/* The row of a report that measured the same; 0 where there is none. */
static double
best_of (json_t    *report,
         const Row *row)
{
  json_t *value;
  size_t i;

  json_array_foreach (json_object_get (report, "rows"), i, value)
    {
      if (g_strcmp0 (json_string_value (json_object_get (value, "kind")), row->kind) == 0 &&
          json_integer_value (json_object_get (value, "tokens")) == row->tokens &&
          json_integer_value (json_object_get (value, "context")) == row->context)
        return json_number_value (json_object_get (value, "best_ms"));
    }
  return 0;
}

/* The rows that both programs have measured in every round; the reports stay the caller's. */
static GArray *
rows_of (json_t *reports[ROUNDS][2])
{
  GArray *rows = g_array_new (FALSE, TRUE, sizeof (Row));
  json_t *value;
  size_t i;

  json_array_foreach (json_object_get (reports[0][0], "rows"), i, value)
    {
      Row row = { json_string_value (json_object_get (value, "kind")), (int) json_integer_value (json_object_get (value, "tokens")),
                  (int) json_integer_value (json_object_get (value, "context")), { G_MAXDOUBLE, G_MAXDOUBLE }, { 0 } };
      gboolean whole = row.kind != NULL;

      for (guint round = 0; round < ROUNDS && whole; round++)
        {
          double ms[2] = { best_of (reports[round][0], &row), best_of (reports[round][1], &row) };

          whole = ms[0] > 0 && ms[1] > 0;
          for (guint side = 0; side < 2; side++)
            row.best_ms[side] = MIN (row.best_ms[side], ms[side]);
          row.ratio[round] = whole ? ms[1] / ms[0] : 0;
        }
      if (whole)
        g_array_append_val (rows, row);
    }
  return rows;
}

static int
compare_doubles (const void *a,
                 const void *b)
{
  double x = *(const double *) a, y = *(const double *) b;

  return (x > y) - (x < y);
}

static CliStatus
print_rows (const CliOutput *output,
            GArray          *rows)
{
  json_t *list = json_array ();

  for (guint i = 0; i < rows->len; i++)
    {
      Row *row = &g_array_index (rows, Row, i);

      qsort (row->ratio, ROUNDS, sizeof (double), compare_doubles);
      json_array_append_new (list, json_pack ("{s:s,s:i,s:i,s:f,s:f,s:f,s:f,s:f}", "kind", row->kind, "tokens", row->tokens, "context",
                                              row->context, "this_ms", row->best_ms[0], "other_ms", row->best_ms[1], "ratio",
                                              row->ratio[ROUNDS / 2], "ratio_least", row->ratio[0], "ratio_most",
                                              row->ratio[ROUNDS - 1]));
      if (!output->json)
        printf (_("%-12s %5d @%-5d %9.2f ms, the other %9.2f ms: %.2f times as fast (%.2f to %.2f)\n"), row->kind, row->tokens,
                row->context, row->best_ms[0], row->best_ms[1], row->ratio[ROUNDS / 2], row->ratio[0], row->ratio[ROUNDS - 1]);
    }
  if (output->json)
    return cli_print_json (json_pack ("{s:o}", "compare", list));
  json_decref (list);
  return cli_finish_stdout (output);
}

CliStatus
cli_bench_compare (const CliOutput   *output,
                   const char        *other,
                   const char *const *arguments)
{
  json_t *reports[ROUNDS][2] = { { NULL } };
  g_autoptr(GError) error = NULL;
  g_autofree char *self = g_file_read_link ("/proc/self/exe", &error);
  const char *const programs[] = { self, other };
  CliStatus status = CLI_OK;

  for (guint i = 0; i < 2 * ROUNDS && error == NULL; i++)
    {
      guint round = i / 2, side = (i + round) % 2;

      reports[round][side] = run_once (programs[side], arguments, &error);
    }
  if (error != NULL)
    status = cli_fail_error (output, cli_status_of_error (error), error);
  else
    {
      g_autoptr(GArray) rows = rows_of (reports);

      status = print_rows (output, rows);
    }
  for (guint i = 0; i < 2 * ROUNDS; i++)
    json_decref (reports[i / 2][i % 2]);
  return status;
}
