/* SPDX-License-Identifier: MIT
 *
 * Writes the sentence under an answer. Sentences are built from whole translatable pieces that are joined with a middle dot,
 * never from parts of sentences.
 */
#include "ui/chat/sl-answer-status.h"

#include <glib/gi18n.h>

/* Too short a time says nothing about the rate. */
#define MIN_RATE_SECONDS 0.5

static void
add (GPtrArray *pieces,
     char      *piece)
{
  g_ptr_array_add (pieces, piece);
}

static char *
join (GPtrArray *pieces)
{
  g_ptr_array_add (pieces, NULL);
  return g_strjoinv (" · ", (char **) pieces->pdata);
}

static char *
format_seconds (double seconds)
{
  if (seconds < 60)
    /* Translators: time left */
    return g_strdup_printf (ngettext ("%u second left", "%u seconds left", (guint) seconds + 1),
                            (guint) seconds + 1);
  return g_strdup_printf (ngettext ("%u minute left", "%u minutes left", (guint) (seconds / 60) + 1),
                          (guint) (seconds / 60) + 1);
}

static void
add_time_left (GPtrArray *pieces,
               double     fraction,
               double     elapsed)
{
  if (elapsed >= MIN_RATE_SECONDS && fraction > 0.02 && fraction < 1)
    add (pieces, format_seconds (elapsed / fraction * (1 - fraction)));
}

static void
add_prefill (GPtrArray         *pieces,
             const SlJobStatus *status,
             double             elapsed)
{
  double tokens = (double) status->prompt_tokens - status->reused_tokens;

  add (pieces, g_strdup_printf (_("Reading the conversation: %.0f %%"), status->fraction * 100));
  if (elapsed >= MIN_RATE_SECONDS && status->fraction > 0)
    add (pieces, g_strdup_printf (_("%.0f tokens per second"), tokens * status->fraction / elapsed));
  add_time_left (pieces, status->fraction, elapsed);
}

char *
sl_answer_status_dup_running (const SlJobStatus *status,
                              double             stage_elapsed)
{
  g_autoptr (GPtrArray) pieces = g_ptr_array_new_with_free_func (g_free);

  switch (status->state)
    {
    case SL_JOB_QUEUED:
      if (status->position == 0)
        add (pieces, g_strdup (_("Waiting for the model")));
      else
        add (pieces, g_strdup_printf (ngettext ("Waiting: %u answer before this one",
                                                "Waiting: %u answers before this one",
                                                status->position),
                                      status->position));
      break;
    case SL_JOB_VISION:
      add (pieces, g_strdup_printf (_("Looking at the pictures: %.0f %%"), status->fraction * 100));
      add_time_left (pieces, status->fraction, stage_elapsed);
      break;
    case SL_JOB_PREFILL:
      if (status->elsewhere)
        {
          add (pieces, g_strdup (status->reasoning_bytes > 0 ? _("Thinking") : _("Waiting for the server")));
          break;
        }
      add_prefill (pieces, status, stage_elapsed);
      break;
    case SL_JOB_DECODING:
    case SL_JOB_DONE:
    case SL_JOB_STOPPED:
    case SL_JOB_FAILED:
    default:
      add (pieces, g_strdup_printf (ngettext ("%u token", "%u tokens", status->decoded_tokens),
                                    status->decoded_tokens));
      if (status->tokens_per_second > 0)
        add (pieces, g_strdup_printf (_("%.1f tokens per second"), status->tokens_per_second));
      if (status->context_capacity > 0)
        add (pieces, g_strdup_printf (_("context %u of %u"), status->context_used,
                                      status->context_capacity));
      break;
    }
  return join (pieces);
}

static const char *
stop_sentence (SlMessageStatus     status,
               const SlGeneration *generation)
{
  if (status == SL_MESSAGE_INTERRUPTED)
    return _("Interrupted");
  if (status == SL_MESSAGE_STOPPED)
    return _("Stopped");
  if (generation == NULL)
    return NULL;
  switch (generation->stop)
    {
    case SL_STOP_MAX_TOKENS:
      return _("Ended at the length limit");
    case SL_STOP_CONTEXT:
      return _("The context is full");
    case SL_STOP_REPETITION:
      return _("Ended because it repeated itself");
    case SL_STOP_NONE:
    case SL_STOP_EOS:
    case SL_STOP_USER:
    case SL_STOP_ERROR:
    default:
      return NULL;
    }
}

char *
sl_answer_status_dup_finished (SlMessageStatus     status,
                               const SlGeneration *generation)
{
  g_autoptr (GPtrArray) pieces = g_ptr_array_new_with_free_func (g_free);
  const char *stop = stop_sentence (status, generation);
  double speed;

  if (stop != NULL)
    add (pieces, g_strdup (stop));
  if (generation != NULL && generation->place[0] != '\0')
    /* Translators: a model, the host of the server that runs it */
    add (pieces, g_strdup_printf (_("%s on %s"), generation->model, generation->place));
  if (generation != NULL && generation->output_tokens > 0)
    {
      speed = sl_generation_get_speed (generation);
      add (pieces, g_strdup_printf (ngettext ("%u token", "%u tokens", generation->output_tokens),
                                    generation->output_tokens));
      if (speed > 0)
        add (pieces, g_strdup_printf (_("%.1f tokens per second"), speed));
    }
  if (generation != NULL && generation->context_capacity > 0)
    add (pieces, g_strdup_printf (_("context %u of %u"), generation->context_used,
                                  generation->context_capacity));
  if (generation != NULL && generation->reused_tokens > 0)
    add (pieces, g_strdup_printf (ngettext ("%u token reused", "%u tokens reused",
                                            generation->reused_tokens),
                                  generation->reused_tokens));
  return join (pieces);
}
