/* SPDX-License-Identifier: MIT
 *
 * Who is answered when: one queue with turns between clients, and up to SL_MAX_GUESTS slots whose answers advance in one pass. A slot's
 * session goes on with what it has read as long as it stays in one room; for another room it begins empty. While a question is read,
 * answers go on between its chunks.
 */
#include "app/inference/sl-guest-private.h"

#include <math.h>
#include <string.h>

#include "app/prompt/sl-prompt-view.h"

#define MOST_ALTERNATIVES 20 /* of a token, as the protocol of servers has it */

#define CHUNK 128 /* tokens that are read at once, and multiples of which are reused: see vl2_session_options.repeatable */

typedef struct
{
  vl2_session *session; /* NULL until it is needed */
  char *room;
  guint64 used; /* tick of the last use */
  SlGuest *guest; /* NULL: free */
  vl2_writing *writing;
  const vl2_tokenizer *tokenizer;
  guint n_tokens;
} Slot;

struct _SlGuests
{
  GQueue waiting; /* of SlGuest */
  GHashTable *turns; /* client → tick of its last turn */
  guint64 tick;
  guint at_once, context;
  gint n_going; /* atomic */
  gint hurried; /* atomic: somebody who comes first waits for the end of a reading */
  GMutex lock;  /* of the slots' guests, which another thread may stop */
  Slot slots[SL_MAX_GUESTS];
};

SlGuests *
sl_guests_new (void)
{
  SlGuests *self = g_new0 (SlGuests, 1);

  g_queue_init (&self->waiting);
  g_mutex_init (&self->lock);
  self->turns = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_free);
  self->at_once = SL_MAX_GUESTS / 2;
  return self;
}

void
sl_guests_free (SlGuests *self)
{
  g_hash_table_unref (self->turns);
  g_mutex_clear (&self->lock);
  g_free (self);
}

/* ------------------------------------------------------------------------------------------------ the queue, under lock */

void
sl_guests_set_limits (SlGuests *self,
                      guint     at_once,
                      guint     context)
{
  self->at_once = MIN (at_once, SL_MAX_GUESTS);
  self->context = context;
}

void
sl_guests_push (SlGuests *self,
                SlGuest  *guest)
{
  g_queue_push_tail (&self->waiting, sl_guest_ref (guest));
}

void
sl_guests_push_first (SlGuests *self,
                      SlGuest  *guest)
{
  g_queue_push_head (&self->waiting, guest);
}

void
sl_guests_hurry (SlGuests *self)
{
  g_atomic_int_set (&self->hurried, TRUE);
}

static void
stop (SlGuest *guest)
{
  atomic_store (&guest->cancel, true);
  g_cancellable_cancel (guest->reading);
}

gboolean
sl_guests_cancel (SlGuests *self,
                  SlGuest  *guest)
{
  stop (guest);
  return g_queue_remove (&self->waiting, guest);
}

void
sl_guests_cancel_all (SlGuests *self)
{
  g_mutex_lock (&self->lock);
  for (guint i = 0; i < SL_MAX_GUESTS; i++)
    if (self->slots[i].guest != NULL)
      stop (self->slots[i].guest);
  g_mutex_unlock (&self->lock);
}

guint
sl_guests_count_waiting (SlGuests *self)
{
  return self->waiting.length;
}

guint
sl_guests_count_going (SlGuests *self)
{
  return g_atomic_int_get (&self->n_going);
}

static guint
count_of_client (SlGuests *self,
                 guint64   client)
{
  guint n = 0;

  for (guint i = 0; i < SL_MAX_GUESTS; i++)
    n += self->slots[i].guest != NULL && self->slots[i].guest->client == client;
  return n;
}

static guint64
turn_of_client (SlGuests *self,
                guint64   client)
{
  guint64 *turn = g_hash_table_lookup (self->turns, &client);

  return turn != NULL ? *turn : 0;
}

/* Clients that nobody waits for are forgotten: whoever comes back later has waited long enough. */
static void
note_turn (SlGuests *self,
           guint64   client)
{
  guint64 now = ++self->tick;

  if (g_hash_table_size (self->turns) > 4096)
    g_hash_table_remove_all (self->turns);
  g_hash_table_replace (self->turns, g_memdup2 (&client, sizeof client), g_memdup2 (&now, sizeof now));
}

SlGuest *
sl_guests_pop (SlGuests *self)
{
  GList *best = NULL;
  guint fewest = 0;
  guint64 oldest = 0;

  g_atomic_int_set (&self->hurried, FALSE); /* it is the guests' turn */
  if ((guint) g_atomic_int_get (&self->n_going) >= self->at_once)
    return NULL;
  for (GList *l = self->waiting.head; l != NULL; l = l->next)
    {
      SlGuest *guest = l->data;
      guint n = count_of_client (self, guest->client);
      guint64 turn = turn_of_client (self, guest->client);

      if (best != NULL && (n > fewest || (n == fewest && turn >= oldest)))
        continue;
      best = l;
      fewest = n;
      oldest = turn;
    }
  if (best == NULL)
    return NULL;
  SlGuest *guest = best->data;
  g_queue_delete_link (&self->waiting, best);
  note_turn (self, guest->client);
  return guest;
}

SlGuest *
sl_guests_pop_any (SlGuests *self)
{
  return g_queue_pop_head (&self->waiting);
}

gboolean
sl_guests_are_over (SlGuests *self)
{
  gboolean over = self->at_once == 0 && g_atomic_int_get (&self->n_going) == 0 && self->waiting.length == 0;

  for (guint i = 0; over && i < SL_MAX_GUESTS; i++)
    if (self->slots[i].session != NULL)
      return TRUE;
  return FALSE;
}

/* ------------------------------------------------------------------------------------------------ slots */

static void
close_slot (Slot *slot)
{
  g_clear_pointer (&slot->session, vl2_session_close);
  g_clear_pointer (&slot->room, g_free);
}

/* A free slot of the room, the one used last, so that a conversation goes on where it was; else the one unused for longest. */
static Slot *
choose_slot (SlGuests   *self,
             const char *room)
{
  Slot *own = NULL, *other = NULL;

  for (guint i = 0; i < SL_MAX_GUESTS; i++)
    {
      Slot *slot = &self->slots[i];

      if (i >= self->at_once && (own != NULL || other != NULL)) /* beyond them only where the limit has been lowered just now */
        break;
      if (slot->guest != NULL)
        continue;
      if (slot->session != NULL && strcmp (slot->room, room) == 0)
        own = own == NULL || slot->used > own->used ? slot : own;
      else
        other = other == NULL || slot->used < other->used ? slot : other;
    }
  return own != NULL ? own : other;
}

static vl2_status
open_slot (SlGuests   *self,
           Slot       *slot,
           vl2_engine *engine,
           const char *room,
           vl2_error  *err)
{
  const struct vl2_info *info = vl2_engine_info (engine);
  int32_t context = self->context > 0 ? MIN ((int32_t) self->context, info->context) : info->context;
  struct vl2_session_options options = { .context = context, .chunk_size = CHUNK, .repeatable = true };

  slot->used = ++self->tick;
  if (slot->session != NULL && strcmp (slot->room, room) == 0)
    return VL2_OK;
  close_slot (slot);
  slot->room = g_strdup (room);
  slot->tokenizer = vl2_engine_tokenizer (engine);
  return vl2_session_open (engine, &options, &slot->session, err);
}

/* ------------------------------------------------------------------------------------------------ answers */

SlStopReason
sl_guests_stop_reason (vl2_stop stop)
{
  switch (stop)
    {
    case VL2_STOP_EOS:
      return SL_STOP_EOS;
    case VL2_STOP_MAX_TOKENS:
      return SL_STOP_MAX_TOKENS;
    case VL2_STOP_CONTEXT:
      return SL_STOP_CONTEXT;
    case VL2_STOP_REPETITION:
      return SL_STOP_REPETITION;
    case VL2_STOP_CALLER:
    case VL2_STOP_CANCELLED:
    default:
      return SL_STOP_USER;
    }
}

static guint
take_alternatives (const Slot             *slot,
                   const struct vl2_token *token,
                   SlAlternative          *out)
{
  guint n = 0;

  for (int32_t i = 0; i < MIN (token->n_alternatives, MOST_ALTERNATIVES); i++)
    {
      vl2_error err;
      char *text = NULL;

      if (vl2_tokenizer_decode (slot->tokenizer, &token->alternative_ids[i], 1, &text, NULL, &err) != VL2_OK)
        break;
      out[n++] = (SlAlternative) { slot->n_tokens, token->alternative_ids[i], token->alternative_logprobs[i], text };
    }
  return n;
}

static bool
on_token (const struct vl2_token *token,
          void                   *user)
{
  Slot *slot = user;
  SlAlternative alternatives[MOST_ALTERNATIVES];
  SlCoordinate coordinate = { .token = slot->n_tokens };
  SlGuestToken out = { .id = token->id, .logprob = token->logprob, .text = token->text, .length = token->length,
                       .alternatives = alternatives, .n_alternatives = take_alternatives (slot, token, alternatives) };

  if (token->coordinate != NULL)
    {
      coordinate.index = token->coordinate->index;
      coordinate.whole = token->coordinate->whole;
      coordinate.mass = token->coordinate->mass;
      coordinate.expected = token->coordinate->expected;
      coordinate.deviation = token->coordinate->deviation;
      memcpy (coordinate.digits, token->coordinate->digits, sizeof coordinate.digits);
      out.coordinate = &coordinate;
      out.completes = token->coordinate->completes;
    }
  slot->guest->events->token (slot->guest->user_data, &out);
  slot->n_tokens++;
  for (guint i = 0; i < out.n_alternatives; i++)
    vl2_free (alternatives[i].text);
  return true;
}

static SlGuest *
set_guest (SlGuests *self,
           Slot     *slot,
           SlGuest  *guest)
{
  SlGuest *before;

  g_mutex_lock (&self->lock);
  before = slot->guest;
  slot->guest = guest;
  g_mutex_unlock (&self->lock);
  return before;
}

static void
leave_slot (SlGuests     *self,
            Slot         *slot,
            SlGuestEnd    end,
            SlStopReason  reason,
            const char   *text)
{
  SlGuest *guest = set_guest (self, slot, NULL);

  g_atomic_int_add (&self->n_going, -1);
  sl_guest_end (guest, atomic_load (&guest->cancel) ? SL_GUEST_CANCELLED : end, reason, text);
}

static SlGuestEnd
end_of (vl2_status status)
{
  switch (status)
    {
    case VL2_OK:
      return SL_GUEST_DONE;
    case VL2_CANCELLED:
      return SL_GUEST_CANCELLED;
    case VL2_ERR_CONTEXT:
      return SL_GUEST_TOO_LONG;
    case VL2_ERR_INPUT:
    case VL2_ERR_USAGE:
      return SL_GUEST_REFUSED;
    default:
      return SL_GUEST_FAILED;
    }
}

typedef struct
{
  SlGuests *guests;
  SlGuest *guest;
  gboolean put_off;
  vl2_status status;
  vl2_error err;
} Reading;

/* Between two chunks of a question: a failure is told when it is read. What has been read stays in the slot's session. */
static void
on_progress (vl2_stage  stage,
             uint64_t   done,
             uint64_t   total,
             void      *user)
{
  Reading *reading = user;

  if (reading->status == VL2_OK)
    reading->status = sl_guests_advance (reading->guests, NULL, &reading->err);
  if (!reading->put_off && g_atomic_int_get (&reading->guests->hurried))
    {
      reading->put_off = TRUE;
      atomic_store (&reading->guest->cancel, true);
    }
}

/* It was not cancelled but put off: it may go on, unless it has been cancelled since. */
static gboolean
is_put_off (const Reading *reading,
            vl2_status     status)
{
  SlGuest *guest = reading->guest;

  if (!reading->put_off)
    return FALSE;
  atomic_store (&guest->cancel, false);
  if (g_cancellable_is_cancelled (guest->reading))
    atomic_store (&guest->cancel, true);
  return status == VL2_CANCELLED && !atomic_load (&guest->cancel);
}

/* The sessions of the slot's room, which it may copy from: nothing of one key's reading gets to another's. */
static gsize
find_others (SlGuests    *self,
             const Slot  *slot,
             vl2_session *others[SL_MAX_GUESTS])
{
  gsize n = 0;

  for (guint i = 0; i < SL_MAX_GUESTS; i++)
    {
      const Slot *other = &self->slots[i];

      if (other != slot && other->session != NULL && strcmp (other->room, slot->room) == 0)
        others[n++] = other->session;
    }
  return n;
}

static vl2_status
read_question (SlGuests  *self,
               Slot      *slot,
               gboolean  *put_off,
               vl2_error *err)
{
  SlGuest *guest = slot->guest;
  Reading reading = { .guests = self, .guest = guest };
  struct vl2_watch watch = { &guest->cancel, on_progress, &reading };
  struct vl2_sync_report report;
  vl2_session *others[SL_MAX_GUESTS];
  g_autoptr (GError) error = NULL;
  g_autoptr (SlPromptView) view = sl_prompt_view_new (guest->prompt, 0, guest->reading, &error);
  vl2_status status;

  if (view == NULL)
    {
      g_strlcpy (err->text, error->message, sizeof err->text);
      return g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED) ? VL2_CANCELLED : VL2_ERR_INPUT;
    }
  vl2_session_look_at (slot->session, others, find_others (self, slot, others));
  status = vl2_session_sync (slot->session, sl_prompt_view_get (view), &watch, &report, err);
  *put_off = is_put_off (&reading, status);
  if (status == VL2_OK && reading.status != VL2_OK)
    {
      *err = reading.err;
      status = reading.status;
    }
  if (status == VL2_OK)
    guest->events->read (guest->user_data, report.prompt_tokens, report.reused_tokens);
  return status;
}

static vl2_status
begin_answer (Slot      *slot,
              vl2_error *err)
{
  const SlSettings *settings = sl_prompt_get_settings (slot->guest->prompt);
  struct vl2_generate_options options = {
    .sampling = { .temperature = settings->sampling.temperature, .top_p = settings->sampling.top_p,
                  .top_k = settings->sampling.top_k, .repetition_penalty = settings->sampling.repetition_penalty,
                  .seed = settings->seed },
    .max_tokens = settings->max_tokens > 0 ? settings->max_tokens : (int32_t) vl2_session_capacity (slot->session),
    .constrain_boxes = settings->constrain_boxes,
    .alternatives = slot->guest->n_alternatives,
    .coordinates = true,
  };

  slot->n_tokens = 0;
  return vl2_writing_begin (slot->session, &options, &slot->guest->cancel, on_token, slot, &slot->writing, err);
}

vl2_status
sl_guests_begin (SlGuests   *self,
                 vl2_engine *engine,
                 SlGuest    *guest,
                 SlGuest   **put_off,
                 vl2_error  *err)
{
  Slot *slot = choose_slot (self, guest->room);
  gboolean later = FALSE;
  vl2_status status;

  *put_off = NULL;
  g_atomic_int_inc (&self->n_going);
  set_guest (self, slot, guest);
  status = open_slot (self, slot, engine, guest->room, err);
  if (status == VL2_OK)
    status = read_question (self, slot, &later, err);
  if (later)
    {
      *put_off = set_guest (self, slot, NULL);
      g_atomic_int_add (&self->n_going, -1);
      return VL2_OK;
    }
  if (status == VL2_OK)
    status = begin_answer (slot, err);
  if (status == VL2_OK)
    return VL2_OK;
  leave_slot (self, slot, end_of (status), SL_STOP_ERROR, err->text);
  if (slot->session == NULL)
    close_slot (slot);
  return status;
}

/* Those whose answer is over, or all that are going where the pass failed. */
static void
end_answers (SlGuests        *self,
             vl2_status       status,
             const vl2_error *err)
{
  for (guint i = 0; i < SL_MAX_GUESTS; i++)
    {
      Slot *slot = &self->slots[i];
      struct vl2_generation generation;

      if (slot->writing == NULL || !vl2_writing_is_over (slot->writing))
        continue;
      vl2_writing_end (g_steal_pointer (&slot->writing), &generation);
      leave_slot (self, slot, end_of (status), sl_guests_stop_reason (generation.stop), status == VL2_OK ? NULL : err->text);
    }
}

vl2_status
sl_guests_advance (SlGuests    *self,
                   vl2_writing *own,
                   vl2_error   *err)
{
  vl2_writing *writings[SL_MAX_GUESTS + 1];
  size_t n = 0;
  vl2_status status;

  if (own != NULL)
    writings[n++] = own;
  for (guint i = 0; i < SL_MAX_GUESTS; i++)
    if (self->slots[i].writing != NULL)
      writings[n++] = self->slots[i].writing;
  if (n == 0)
    return VL2_OK;
  status = vl2_writings_advance (writings, n, err);
  end_answers (self, status, err);
  return status;
}

void
sl_guests_close (SlGuests   *self,
                 const char *reason)
{
  for (guint i = 0; i < SL_MAX_GUESTS; i++)
    {
      Slot *slot = &self->slots[i];

      if (slot->writing != NULL)
        {
          vl2_writing_end (g_steal_pointer (&slot->writing), NULL);
          leave_slot (self, slot, reason != NULL ? SL_GUEST_FAILED : SL_GUEST_CANCELLED, SL_STOP_ERROR, reason);
        }
      close_slot (slot);
    }
}
