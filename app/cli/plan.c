/* SPDX-License-Identifier: MIT
 *
 * See plan.h.
 */
#include "app/cli/plan.h"

#include <glib/gi18n.h>

static const char *const fit_nicks[] = {
  [VL2_FIT_DROP_OLDEST] = "drop-oldest",
  [VL2_FIT_LOW_DETAIL] = "low-detail",
  [VL2_FIT_SHORTEN] = "shorten",
};

static const char *const role_nicks[] = {
  [VL2_SYSTEM] = "system",
  [VL2_USER] = "user",
  [VL2_ASSISTANT] = "assistant",
};

/* ------------------------------------------------------------------------------------------------ JSON */

static json_t *
memory_to_json (const struct vl2_memory *memory)
{
  json_t *object = json_pack ("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}",
                              "weights", (json_int_t) memory->weights,
                              "tables", (json_int_t) memory->tables,
                              "cache", (json_int_t) memory->cache,
                              "scratch", (json_int_t) memory->scratch,
                              "vision", (json_int_t) memory->vision,
                              "pictures", (json_int_t) memory->pictures,
                              "branches", (json_int_t) memory->branches,
                              "backend", (json_int_t) memory->backend,
                              "peak", (json_int_t) memory->peak);

  json_object_set_new (object, "available",
                       memory->available == UINT64_MAX ? json_null () : json_integer ((json_int_t) memory->available));

  return object;
}

static json_t *
choices_to_json (const struct vl2_plan *plan)
{
  json_t *object = json_object ();

  for (int i = 0; i < VL2_FIT_COUNT; i++)
    {
      const struct vl2_plan_choice *choice = &plan->choices[i];
      json_t *entry = json_pack ("{s:b,s:I}", "possible", (int) choice->possible, "tokens", (json_int_t) choice->tokens);

      if (choice->kind == VL2_FIT_DROP_OLDEST)
        json_object_set_new (entry, "messages", json_integer ((json_int_t) choice->messages));
      if (choice->kind == VL2_FIT_SHORTEN)
        json_object_set_new (entry, "excess", json_integer ((json_int_t) choice->excess));
      json_object_set_new (object, fit_nicks[i], entry);
    }

  return object;
}

json_t *
cli_plan_to_json (const struct vl2_plan *plan)
{
  json_t *messages = json_array (), *pictures = json_array ();
  json_t *object = json_pack ("{s:I,s:I,s:b,s:I,s:i,s:b}",
                              "tokens", (json_int_t) plan->tokens,
                              "context", (json_int_t) plan->context,
                              "fits", (int) plan->fits,
                              "room", (json_int_t) plan->room,
                              "chunk", (int) plan->chunk,
                              "tiling_changed", (int) plan->tiling_changed);

  for (gsize i = 0; i < plan->n_messages; i++)
    json_array_append_new (messages, json_pack ("{s:s,s:I,s:I}",
                                                "role", role_nicks[plan->messages[i].role],
                                                "tokens", (json_int_t) plan->messages[i].tokens,
                                                "images", (json_int_t) plan->messages[i].n_pictures));
  for (gsize i = 0; i < plan->n_pictures; i++)
    {
      const struct vl2_plan_picture *p = &plan->pictures[i];

      json_array_append_new (pictures, json_pack ("{s:I,s:i,s:i,s:[i,i],s:b,s:b,s:I}",
                                                  "message", (json_int_t) p->message,
                                                  "width", (int) p->width,
                                                  "height", (int) p->height,
                                                  "tiles", (int) p->grid_w, (int) p->grid_h,
                                                  "tiled", (int) p->crop,
                                                  "tiling_changed", (int) p->tiling_changed,
                                                  "tokens", (json_int_t) p->tokens));
    }
  json_object_set_new (object, "messages", messages);
  json_object_set_new (object, "images", pictures);
  json_object_set_new (object, "choices", choices_to_json (plan));
  json_object_set_new (object, "memory", memory_to_json (&plan->now));
  json_object_set_new (object, "memory_full", memory_to_json (&plan->full));
  json_object_set_new (object, "process_bytes", json_integer ((json_int_t) cli_peak_bytes ()));

  return object;
}

/* ------------------------------------------------------------------------------------------------ text */

/* The ways out with their costs, one after another. */
static char *
describe_choices (const struct vl2_plan *plan)
{
  const struct vl2_plan_choice *drop = &plan->choices[VL2_FIT_DROP_OLDEST], *low = &plan->choices[VL2_FIT_LOW_DETAIL];
  const struct vl2_plan_choice *shorten = &plan->choices[VL2_FIT_SHORTEN];
  GString *text = g_string_new (NULL);

  if (drop->possible)
    g_string_append_printf (text, _(" --on-overflow=drop-oldest leaves out %zu messages: %zu tokens."), drop->messages, drop->tokens);
  if (low->possible)
    g_string_append_printf (text, _(" --on-overflow=low-detail reads every picture as one tile: %zu tokens."), low->tokens);
  if (shorten->possible)
    g_string_append_printf (text, _(" Or make the last message %zu tokens shorter."), shorten->excess);
  if (text->len == 0)
    g_string_append (text, _(" Nothing that can be left out would be enough."));

  return g_string_free (text, FALSE);
}

/* Columns of a terminal: a Chinese character takes two, an accent of its own none. */
static int
count_columns (const char *text)
{
  int columns = 0;

  for (const char *p = text; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      columns += g_unichar_iszerowidth (c) ? 0 : g_unichar_iswide (c) ? 2 : 1;
    }
  return columns;
}

static void
print_memory (const struct vl2_memory *now,
              const struct vl2_memory *full)
{
  const struct
  {
    const char *name;
    guint64 bytes;
  } lines[] = {
    { _("weights"), now->weights },
    { _("cache"), now->cache },
    { _("pictures"), now->pictures + now->vision },
    { _("computing"), now->scratch + now->backend + now->tables },
    { _("peak"), now->peak },
    { _("full context"), full->peak },
    { _("available"), now->available },
  };
  int widest = 0;

  printf ("%s\n", _("Memory"));
  for (gsize i = 0; i < G_N_ELEMENTS (lines); i++)
    widest = MAX (widest, count_columns (lines[i].name));
  for (gsize i = 0; i < G_N_ELEMENTS (lines); i++)
    {
      g_autofree char *size = g_format_size_full (lines[i].bytes, G_FORMAT_SIZE_IEC_UNITS);

      if (lines[i].bytes != UINT64_MAX) /* what nobody knows */
        printf ("  %s%*s %s\n", lines[i].name, widest - count_columns (lines[i].name), "", size);
    }
}

void
cli_plan_print (const struct vl2_plan *plan)
{
  printf (_("Tokens       %zu of %zu, %zu left for the answer, read %d at once\n"),
          plan->tokens, plan->context, plan->room, (int) plan->chunk);
  for (gsize i = 0; i < plan->n_messages; i++)
    printf (_("  message %zu: %zu tokens, %zu pictures\n"), i + 1, plan->messages[i].tokens, plan->messages[i].n_pictures);
  for (gsize i = 0; i < plan->n_pictures; i++)
    {
      const struct vl2_plan_picture *p = &plan->pictures[i];

      printf (_("  picture %zu: %d × %d pixels, %d × %d tiles, %zu tokens%s\n"), i + 1, (int) p->width, (int) p->height,
              (int) p->grid_w, (int) p->grid_h, p->tokens, p->tiling_changed ? _(" (cut anew)") : "");
    }
  if (!plan->fits)
    {
      g_autofree char *choices = describe_choices (plan);

      printf (_("It does not fit.%s\n"), choices);
    }
  print_memory (&plan->now, &plan->full);
}

/* ------------------------------------------------------------------------------------------------ reading */

static gboolean
read_as_it_is (vl2_session            *session,
               const vl2_conversation *conversation,
               CliAnswer              *answer,
               vl2_error              *cause)
{
  const struct vl2_watch watch = { .cancel = &cli_cancel };

  vl2_prompt_deinit (&answer->prompt);
  return vl2_session_prompt (session, conversation, &answer->prompt, cause) == VL2_OK &&
         vl2_session_sync (session, conversation, &watch, &answer->sync, cause) == VL2_OK;
}

static gboolean
read_fitted (vl2_session                  *session,
             const vl2_conversation       *conversation,
             const struct vl2_plan_choice *choice,
             CliAnswer                    *answer,
             vl2_error                    *cause)
{
  struct vl2_fitted fitted;
  gboolean read;

  if (vl2_plan_apply (conversation, choice, &fitted, cause) != VL2_OK)
    return FALSE;
  read = read_as_it_is (session, &fitted.conversation, answer, cause);
  vl2_fitted_deinit (&fitted);
  answer->dropped_messages = choice->messages;
  answer->low_detail = choice->kind == VL2_FIT_LOW_DETAIL;

  return read;
}

gboolean
cli_read (vl2_session             *session,
          const vl2_conversation  *conversation,
          const CliAskSettings    *settings,
          CliAnswer               *answer,
          GError                 **error)
{
  const struct vl2_plan_choice *choice;
  struct vl2_plan plan;
  vl2_error cause = { 0 };
  gboolean read = read_as_it_is (session, conversation, answer, &cause);

  if (read || cause.code != VL2_ERR_CONTEXT)
    {
      if (!read)
        cli_set_vl2 (error, &cause);
      return read;
    }

  if (vl2_session_plan (session, conversation, 0, &plan, &cause) != VL2_OK)
    {
      cli_set_vl2 (error, &cause);
      return FALSE;
    }

  choice = settings->overflow == SL_OVERFLOW_REFUSE ? NULL : &plan.choices[settings->overflow - 1];
  if (choice != NULL && choice->possible)
    {
      read = read_fitted (session, conversation, choice, answer, &cause);
      if (!read)
        cli_set_vl2 (error, &cause);
    }
  else
    {
      g_autofree char *choices = describe_choices (&plan);

      cli_set_error (error, CLI_INPUT, _("The conversation needs %zu tokens; the context holds %zu.%s"), plan.tokens, plan.context,
                     choices);
    }
  vl2_plan_deinit (&plan);

  return read;
}
