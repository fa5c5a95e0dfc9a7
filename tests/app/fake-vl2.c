/* SPDX-License-Identifier: MIT
 *
 * The engine's functions that own a model, as strings and gates. The pure parts (grounding, tiles) stay the real ones. One fake with one
 * state: it reads better whole.
 */
#include "fake-vl2.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "engine/vl2.h"
#include "kernels/vlk.h"

#define CAPACITY 4096
#define POLL_US  500

static struct
{
  GMutex lock;
  GCond changed;
  char *answer, *load_failure, *sync_failure, *prompt, *restored;
  const char *family;
  size_t longest;
  gsize piece;
  gboolean load_closed;
  guint allowed, generated, open_engines;
  int priority;
} fake;

struct vl2_engine
{
  char *dir;
  struct vl2_info info;
};

struct vl2_session
{
  size_t length;
};

static const int32_t candidates[][2] = { { 4, 4 }, { 8, 4 } };

/* ------------------------------------------------------------------------------------------------ the test's side */

static void
set (char       **field,
     const char  *text)
{
  g_mutex_lock (&fake.lock);
  g_free (*field);
  *field = g_strdup (text);
  g_mutex_unlock (&fake.lock);
}

void
fake_reset (void)
{
  g_mutex_lock (&fake.lock);
  g_clear_pointer (&fake.answer, g_free);
  g_clear_pointer (&fake.load_failure, g_free);
  g_clear_pointer (&fake.sync_failure, g_free);
  g_clear_pointer (&fake.prompt, g_free);
  g_clear_pointer (&fake.restored, g_free);
  fake.family = NULL;
  fake.piece = 1;
  fake.longest = 0;
  fake.load_closed = FALSE;
  fake.allowed = G_MAXUINT;
  fake.generated = 0;
  g_mutex_unlock (&fake.lock);
}

void
fake_set_answer (const char *text,
                 gsize       bytes)
{
  set (&fake.answer, text);
  fake.piece = bytes;
}

void
fake_set_document (const char *family)
{
  fake.family = family;
}

void
fake_fail_load (const char *sentence)
{
  set (&fake.load_failure, sentence);
}

void
fake_fail_sync (const char *sentence)
{
  set (&fake.sync_failure, sentence);
}

void
fake_set_longest_prompt (gsize bytes)
{
  fake.longest = bytes;
}

void
fake_close_load_gate (void)
{
  g_mutex_lock (&fake.lock);
  fake.load_closed = TRUE;
  g_mutex_unlock (&fake.lock);
}

void
fake_open_load_gate (void)
{
  g_mutex_lock (&fake.lock);
  fake.load_closed = FALSE;
  g_cond_broadcast (&fake.changed);
  g_mutex_unlock (&fake.lock);
}

void
fake_allow_tokens (guint n)
{
  g_mutex_lock (&fake.lock);
  fake.allowed = n;
  g_cond_broadcast (&fake.changed);
  g_mutex_unlock (&fake.lock);
}

guint
fake_get_generated (void)
{
  guint n;

  g_mutex_lock (&fake.lock);
  n = fake.generated;
  g_mutex_unlock (&fake.lock);
  return n;
}

void
fake_wait_generated (guint n)
{
  g_mutex_lock (&fake.lock);
  while (fake.generated < n)
    g_cond_wait (&fake.changed, &fake.lock);
  g_mutex_unlock (&fake.lock);
}

char *
fake_dup_prompt (void)
{
  char *prompt;

  g_mutex_lock (&fake.lock);
  prompt = g_strdup (fake.prompt);
  g_mutex_unlock (&fake.lock);
  return prompt;
}

char *
fake_dup_restored (void)
{
  char *restored;

  g_mutex_lock (&fake.lock);
  restored = g_strdup (fake.restored);
  g_mutex_unlock (&fake.lock);
  return restored;
}

guint
fake_get_open_engines (void)
{
  guint n;

  g_mutex_lock (&fake.lock);
  n = fake.open_engines;
  g_mutex_unlock (&fake.lock);
  return n;
}

int
fake_get_priority (void)
{
  int priority;

  g_mutex_lock (&fake.lock);
  priority = fake.priority;
  g_mutex_unlock (&fake.lock);
  return priority;
}

/* ------------------------------------------------------------------------------------------------ the engine's side */

/* With the lock held: a cancel has no condition of its own, so it is looked for. */
static gboolean
wait_at (const gboolean   *closed,
         const vl2_cancel *cancel)
{
  while (*closed && !(cancel != NULL && atomic_load (cancel)))
    g_cond_wait_until (&fake.changed, &fake.lock, g_get_monotonic_time () + POLL_US);
  return !(cancel != NULL && atomic_load (cancel));
}

static vl2_status
fail (vl2_error  *err,
      vl2_status  code,
      const char *sentence)
{
  err->code = code;
  g_strlcpy (err->text, sentence, sizeof err->text);
  return code;
}

vl2_status
vl2_engine_open (const char                       *dir,
                 const struct vl2_engine_options  *options,
                 vl2_engine                      **out,
                 vl2_error                        *err)
{
  vl2_engine *engine;
  g_autofree char *failure = NULL;
  gboolean go_on;

  *out = NULL;
  options->progress (VL2_STAGE_LOAD, 40, 100, options->progress_user);
  g_mutex_lock (&fake.lock);
  fake.priority = getpriority (PRIO_PROCESS, 0);
  go_on = wait_at (&fake.load_closed, options->cancel);
  failure = g_strdup (fake.load_failure);
  g_mutex_unlock (&fake.lock);
  if (!go_on)
    return fail (err, VL2_CANCELLED, "cancelled");
  if (failure != NULL)
    return fail (err, g_str_has_prefix (failure, "memory: ") ? VL2_ERR_MEMORY : VL2_ERR_MODEL, failure);
  options->progress (VL2_STAGE_LOAD, 100, 100, options->progress_user);
  engine = g_new0 (vl2_engine, 1);
  engine->dir = g_strdup (dir);
  engine->info = (struct vl2_info) { .dir = engine->dir, .family = fake.family != NULL ? fake.family : "DeepSeek-VL2",
                                     .document = fake.family != NULL, .device = "fake", .isa = "none", .architecture = "MLA",
                                     .router = "none", .weight_dtype = "strings", .fallback = "No GPU was lent.",
                                     .parameters = 7, .context = CAPACITY };
  g_mutex_lock (&fake.lock);
  fake.open_engines++;
  g_mutex_unlock (&fake.lock);
  *out = engine;
  return VL2_OK;
}

void
vl2_engine_close (vl2_engine *engine)
{
  if (engine == NULL)
    return;
  g_mutex_lock (&fake.lock);
  fake.open_engines--;
  g_mutex_unlock (&fake.lock);
  g_free (engine->dir);
  g_free (engine);
}

const struct vl2_info *
vl2_engine_info (const vl2_engine *engine)
{
  return &engine->info;
}

void
vl2_engine_identity (const vl2_engine *engine,
                     char              out[48])
{
  g_snprintf (out, 48, "fake:%s", engine->dir);
}

/* Memory of a tokenizer that knows no token. */
const vl2_tokenizer *
vl2_engine_tokenizer (const vl2_engine *engine)
{
  static const guint64 nothing[512];

  return (const vl2_tokenizer *) nothing;
}

/* Token n is the text "<n>". */
vl2_status
vl2_tokenizer_decode (const vl2_tokenizer  *tokenizer,
                      const int32_t        *ids,
                      size_t                n_ids,
                      char                **text,
                      size_t               *length,
                      vl2_error            *err)
{
  char name[16];

  g_snprintf (name, sizeof name, "<%d>", (int) ids[0]);
  *text = vlk_alloc (strlen (name) + 1, 1);
  strcpy (*text, name);
  return VL2_OK;
}

struct vl2_tile_rule
vl2_engine_tile_rule (const vl2_engine *engine)
{
  return (struct vl2_tile_rule) { .side = 4, .n_candidates = G_N_ELEMENTS (candidates), .candidates = candidates };
}

int32_t
vl2_engine_picture_tokens (const vl2_engine *engine,
                           int32_t           width,
                           int32_t           height,
                           bool              crop)
{
  return crop ? 100 : 10;
}

/* A byte is a token, a picture 100 of them, 10 in low detail. */
vl2_status
vl2_plan_make (const vl2_engine                 *engine,
               const vl2_conversation           *conversation,
               const struct vl2_session_options *options,
               int32_t                           answer_tokens,
               struct vl2_plan                  *out,
               vl2_error                        *err)
{
  size_t low = 0;

  *out = (struct vl2_plan) { .context = options->context, .n_messages = conversation->n_messages, .chunk = 64 };
  out->messages = g_new0 (struct vl2_plan_message, conversation->n_messages);
  out->pictures = g_new0 (struct vl2_plan_picture, 64);
  for (size_t m = 0; m < conversation->n_messages; m++)
    {
      const vl2_message *message = &conversation->messages[m];

      out->messages[m] = (struct vl2_plan_message) { .role = message->role, .first = out->tokens };
      for (size_t p = 0; p < message->n_parts; p++)
        if (message->parts[p].kind == VL2_PART_TEXT)
          out->tokens += message->parts[p].length;
        else
          {
            const vl2_picture *picture = message->parts[p].picture;

            out->pictures[out->n_pictures++] = (struct vl2_plan_picture) {
              .message = m, .width = picture->width, .height = picture->height, .grid_w = 2, .grid_h = 1, .crop = true,
              .first = out->tokens, .tokens = 100 };
            out->messages[m].n_pictures++;
            out->tokens += 100;
            low += 90;
          }
      out->messages[m].tokens = out->tokens - out->messages[m].first;
    }
  out->fits = out->tokens <= out->context;
  out->room = out->fits ? out->context - out->tokens : 0;
  if (conversation->n_messages > 1)
    out->choices[VL2_FIT_DROP_OLDEST] = (struct vl2_plan_choice) { VL2_FIT_DROP_OLDEST, true, out->messages[1].tokens, 1, 0 };
  out->choices[VL2_FIT_LOW_DETAIL] = (struct vl2_plan_choice) { VL2_FIT_LOW_DETAIL, low > 0, out->tokens - low, 0, 0 };
  out->choices[VL2_FIT_SHORTEN].kind = VL2_FIT_SHORTEN;
  out->now = (struct vl2_memory) { .weights = 7, .cache = 8, .peak = 20, .available = 1000 };
  out->full.peak = 30;
  return VL2_OK;
}

void
vl2_plan_deinit (struct vl2_plan *plan)
{
  g_free (plan->messages);
  g_free (plan->pictures);
}

vl2_status
vl2_session_plan (const vl2_session      *session,
                  const vl2_conversation *conversation,
                  int32_t                 answer_tokens,
                  struct vl2_plan        *out,
                  vl2_error              *err)
{
  struct vl2_session_options options = { .context = CAPACITY };

  return vl2_plan_make (NULL, conversation, &options, answer_tokens, out, err);
}

/* The real one is pure, but lies in the same object as those above. */
vl2_status
vl2_plan_apply (const vl2_conversation       *conversation,
                const struct vl2_plan_choice *choice,
                struct vl2_fitted            *out,
                vl2_error                    *err)
{
  *out = (struct vl2_fitted) { .messages = g_memdup2 (conversation->messages,
                                                      conversation->n_messages * sizeof *conversation->messages) };
  if (choice->kind == VL2_FIT_LOW_DETAIL)
    {
      out->parts = g_memdup2 (out->messages[0].parts, out->messages[0].n_parts * sizeof *out->parts);
      for (size_t i = 0; i < out->messages[0].n_parts; i++)
        out->parts[i].detail = VL2_DETAIL_LOW;
      out->messages[0].parts = out->parts;
    }
  out->conversation = (vl2_conversation) { out->messages + choice->messages, conversation->n_messages - choice->messages };
  return VL2_OK;
}

void
vl2_fitted_deinit (struct vl2_fitted *fitted)
{
  g_free (fitted->messages);
  g_free (fitted->parts);
}

vl2_status
vl2_session_open (vl2_engine                        *engine,
                  const struct vl2_session_options  *options,
                  vl2_session                      **out,
                  vl2_error                         *err)
{
  *out = g_new0 (vl2_session, 1);
  return VL2_OK;
}

void
vl2_session_close (vl2_session *session)
{
  g_free (session);
}

static char *
spell (const vl2_conversation *conversation)
{
  static const char *const roles[] = { "system:", "user:", "assistant:" };
  GString *out = g_string_new (NULL);

  for (size_t m = 0; m < conversation->n_messages; m++)
    {
      const vl2_message *message = &conversation->messages[m];

      g_string_append_printf (out, "%s%s", m > 0 ? "|" : "", roles[message->role]);
      for (size_t p = 0; p < message->n_parts; p++)
        {
          const vl2_part *part = &message->parts[p];

          if (part->kind == VL2_PART_TEXT)
            g_string_append_len (out, part->text, part->length);
          else
            g_string_append_printf (out, "[%dx%d%s]", (int) part->picture->width, (int) part->picture->height,
                                    part->detail == VL2_DETAIL_LOW ? " low" : "");
        }
    }
  return g_string_free (out, FALSE);
}

vl2_status
vl2_session_sync (vl2_session            *session,
                  const vl2_conversation *conversation,
                  const struct vl2_watch *watch,
                  struct vl2_sync_report *report,
                  vl2_error              *err)
{
  g_autofree char *failure = NULL;

  g_mutex_lock (&fake.lock);
  g_free (fake.prompt);
  fake.prompt = spell (conversation);
  failure = g_strdup (fake.sync_failure);
  g_mutex_unlock (&fake.lock);
  if (failure != NULL)
    return fail (err, VL2_ERR_CONTEXT, failure);
  if (fake.longest > 0 && strlen (fake.prompt) > fake.longest && strstr (fake.prompt, " low]") == NULL)
    return fail (err, VL2_ERR_CONTEXT, "too long");
  if (atomic_load (watch->cancel))
    return fail (err, VL2_CANCELLED, "cancelled");
  watch->progress (VL2_STAGE_PREFILL, 1, 2, watch->user);
  session->length = 50;
  *report = (struct vl2_sync_report) { .prompt_tokens = 50, .reused_tokens = 20, .prefilled_tokens = 30, .prefill_ms = 3 };
  return VL2_OK;
}

/* What the strings are said to have thought: three alternatives, the last one hopeless; a number's mean is its index in the box;
 * of a picture the left half got a quarter and the right half the token's number. */
typedef struct
{
  int32_t alternatives[3], numbers;
  struct vl2_coordinate coordinate;
  struct vl2_attention attention;
  float cells[2];
} Thoughts;

static void
think (Thoughts                          *thoughts,
       const struct vl2_generate_options *options,
       const char                        *answer,
       struct vl2_token                  *token)
{
  static const float logprobs[] = { -0.5f, -2, -9 };

  for (int i = 0; i < 3; i++)
    thoughts->alternatives[i] = token->id + i;
  token->n_alternatives = MIN (options->alternatives, 3);
  token->alternative_ids = thoughts->alternatives;
  token->alternative_logprobs = logprobs;
  for (const char *p = token->text; p < token->text + token->length && options->coordinates; p++)
    if (g_ascii_isdigit (*p) && p > answer && !g_ascii_isdigit (p[-1]))
      {
        thoughts->coordinate = (struct vl2_coordinate) { .index = thoughts->numbers % 4, .whole = true, .mass = 1, .digits = { 1 } };
        thoughts->coordinate.expected = thoughts->numbers++ % 4;
        token->coordinate = &thoughts->coordinate;
      }
  thoughts->cells[0] = 0.25f;
  thoughts->cells[1] = token->id;
  thoughts->attention = (struct vl2_attention) { .cols = 2, .rows = 1, .cells = thoughts->cells, .inside = 1 };
  token->n_attention = options->attention_cells > 0;
  token->attention = &thoughts->attention;
}

struct vl2_writing
{
  vl2_session *session;
  struct vl2_generate_options options;
  const vl2_cancel *cancel;
  vl2_token_fn on_token;
  void *user;
  char *answer;
  size_t length, at;
  Thoughts thoughts;
  struct vl2_generation out;
  gboolean over;
};

vl2_status
vl2_writing_begin (vl2_session                       *session,
                   const struct vl2_generate_options *options,
                   const vl2_cancel                  *cancel,
                   vl2_token_fn                       on_token,
                   void                              *user,
                   vl2_writing                      **out,
                   vl2_error                         *err)
{
  vl2_writing *writing = g_new0 (vl2_writing, 1);

  writing->session = session;
  writing->options = *options;
  writing->cancel = cancel;
  writing->on_token = on_token;
  writing->user = user;
  g_mutex_lock (&fake.lock);
  writing->answer = g_strdup (fake.answer != NULL ? fake.answer : "");
  g_mutex_unlock (&fake.lock);
  writing->length = strlen (writing->answer);
  writing->out = (struct vl2_generation) { .stop = VL2_STOP_EOS, .decode_ms = 1 };
  writing->over = writing->length == 0;
  *out = writing;
  return VL2_OK;
}

/* Waits until a token is allowed. FALSE: it was cancelled meanwhile. */
static gboolean
take_leave (const vl2_cancel *cancel)
{
  gboolean go_on;

  g_mutex_lock (&fake.lock);
  while (fake.allowed == 0 && !atomic_load (cancel))
    g_cond_wait_until (&fake.changed, &fake.lock, g_get_monotonic_time () + POLL_US);
  go_on = !atomic_load (cancel);
  if (go_on && fake.allowed != G_MAXUINT)
    fake.allowed--;
  g_mutex_unlock (&fake.lock);
  return go_on;
}

static void
write_token (vl2_writing *w)
{
  struct vl2_token token = { .id = (int32_t) w->out.tokens, .text = w->answer + w->at, .length = MIN (fake.piece, w->length - w->at),
                             .logprob = -0.5f };

  if (!take_leave (w->cancel))
    {
      w->out.stop = VL2_STOP_CANCELLED;
      w->over = TRUE;
      return;
    }
  if (w->options.n_replay > 0)
    token.id = w->options.replay[w->out.tokens];
  think (&w->thoughts, &w->options, w->answer, &token);
  w->at += token.length;
  w->out.tokens++;
  w->session->length++;
  if (!w->on_token (&token, w->user))
    w->out.stop = VL2_STOP_CALLER;
  g_mutex_lock (&fake.lock);
  fake.generated++;
  g_cond_broadcast (&fake.changed);
  g_mutex_unlock (&fake.lock);
  if (w->out.stop == VL2_STOP_EOS && w->options.max_tokens > 0 && w->out.tokens >= (size_t) w->options.max_tokens)
    w->out.stop = VL2_STOP_MAX_TOKENS;
  w->over = w->out.stop != VL2_STOP_EOS || w->at >= w->length;
}

vl2_status
vl2_writings_advance (vl2_writing *const *writings,
                      size_t              n,
                      vl2_error          *err)
{
  for (size_t i = 0; i < n; i++)
    if (!writings[i]->over)
      write_token (writings[i]);
  return VL2_OK;
}

bool
vl2_writing_is_over (const vl2_writing *writing)
{
  return writing->over;
}

void
vl2_writing_end (vl2_writing           *writing,
                 struct vl2_generation *out)
{
  if (out != NULL)
    *out = writing->out;
  g_free (writing->answer);
  g_free (writing);
}

/* A session in a file is the prompt of its last sync. */
vl2_status
vl2_session_save (vl2_session      *session,
                  const char       *path,
                  uint64_t          max_bytes,
                  const vl2_cancel *cancel,
                  vl2_error        *err)
{
  g_autofree char *prompt = fake_dup_prompt ();

  if (cancel != NULL && atomic_load (cancel))
    return fail (err, VL2_CANCELLED, "cancelled");
  return g_file_set_contents (path, prompt, -1, NULL) ? VL2_OK : fail (err, VL2_ERR_IO, "no place");
}

vl2_status
vl2_session_restore (vl2_session *session,
                     const char  *path,
                     vl2_error   *err)
{
  g_autofree char *text = NULL;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return fail (err, VL2_ERR_IO, "no file");
  set (&fake.restored, text);
  return g_str_has_prefix (text, "user:") ? VL2_OK : fail (err, VL2_ERR_INPUT, "no snapshot");
}

size_t
vl2_session_length (const vl2_session *session)
{
  return session->length;
}

size_t
vl2_session_capacity (const vl2_session *session)
{
  return CAPACITY;
}
