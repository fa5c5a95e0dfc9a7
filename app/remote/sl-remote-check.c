/* SPDX-License-Identifier: MIT
 *
 * See sl-remote-check.h. The picture has a red circle well off the middle and off the diagonal, so that no two ways to read its box agree.
 */
#include "app/remote/sl-remote-check.h"

#include <string.h>

#include <cairo.h>
#include <glib/gi18n-lib.h>

#include "app/pictures/sl-picture.h"
#include "app/prompt/sl-grounding.h"
#include "app/remote/sl-remote-client.h"
#include "app/remote/sl-remote-request.h"
#include "app/system/sl-secret.h"

#define WIDTH     640
#define HEIGHT    400
#define CENTRE_X  500.0
#define CENTRE_Y  110.0
#define RADIUS    70.0
#define GOOD_IOU  0.5
#define BETTER    0.02 /* by which another reading has to be, to be believed */
#define MAX_WORDS 120

typedef struct
{
  SlRemoteServer *server;
  char *key;
} Job;

static void
job_free (gpointer data)
{
  Job *job = data;

  sl_remote_server_unref (job->server);
  g_free (job->key);
  g_free (job);
}

static void
finding_free (gpointer data)
{
  g_free (((SlRemoteFinding *) data)->sentence);
  g_free (data);
}

void
sl_remote_check_free (SlRemoteCheck *self)
{
  if (self == NULL)
    return;
  g_ptr_array_unref (self->findings);
  g_strfreev (self->models);
  g_free (self);
}

/* Takes the sentence. */
static void
add (SlRemoteCheck       *self,
     SlRemoteFindingKind  kind,
     char                *sentence)
{
  SlRemoteFinding *finding = g_new0 (SlRemoteFinding, 1);

  *finding = (SlRemoteFinding) { kind, sentence };
  g_ptr_array_add (self->findings, finding);
}

/* ------------------------------------------------------------------------------------------------ the question */

static SlPicture *
draw_picture (void)
{
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_RGB24, WIDTH, HEIGHT);
  cairo_t *cr = cairo_create (surface);
  g_autofree guint8 *rgba = g_malloc0 ((gsize) WIDTH * HEIGHT * 4);
  const guint32 *row;

  cairo_set_source_rgb (cr, 1, 1, 1);
  cairo_paint (cr);
  cairo_set_source_rgb (cr, 0.1, 0.3, 0.9);
  cairo_rectangle (cr, 60, 240, 150, 110);
  cairo_fill (cr);
  cairo_set_source_rgb (cr, 0.9, 0.1, 0.1);
  cairo_arc (cr, CENTRE_X, CENTRE_Y, RADIUS, 0, 2 * G_PI);
  cairo_fill (cr);
  cairo_surface_flush (surface);
  for (int y = 0; y < HEIGHT; y++)
    {
      row = (const guint32 *) (const void *) (cairo_image_surface_get_data (surface) + (gsize) y * cairo_image_surface_get_stride (surface));
      for (int x = 0; x < WIDTH; x++)
        {
          guint8 *pixel = rgba + ((gsize) y * WIDTH + x) * 4;

          pixel[0] = row[x] >> 16 & 0xff;
          pixel[1] = row[x] >> 8 & 0xff;
          pixel[2] = row[x] & 0xff;
          pixel[3] = 0xff;
        }
    }
  cairo_destroy (cr);
  cairo_surface_destroy (surface);
  return sl_picture_new_from_rgba (rgba, WIDTH, HEIGHT, WIDTH * 4, "check.png", NULL);
}

static SlPrompt *
make_prompt (void)
{
  SlSettings settings = sl_settings_for_mode (SL_MODE_FIND);
  const char *texts[] = { NULL, "the red circle" };
  g_autoptr (GPtrArray) pieces = sl_mode_compose (SL_MODE_FIND, texts, G_N_ELEMENTS (texts), FALSE);
  g_autoptr (SlPicture) picture = draw_picture ();
  SlPrompt *prompt;

  settings.max_tokens = 512;
  prompt = sl_prompt_new (&settings);
  sl_prompt_add_message (prompt, SL_ROLE_USER);
  for (guint i = 0; i < pieces->len; i++)
    {
      const SlPiece *piece = g_ptr_array_index (pieces, i);

      if (piece->text != NULL)
        sl_prompt_add_text (prompt, piece->text, -1, piece->markup);
      else
        sl_prompt_add_picture (prompt, picture, SL_DETAIL_AUTO);
    }
  return prompt;
}

/* ------------------------------------------------------------------------------------------------ the answer */

/* How well the first box fits the circle when its numbers are read so; -1 without one. */
static double
overlap (const char *text,
         SlBoxScale  scale,
         SlBoxOrder  order,
         SlBoxSpace *used)
{
  SlBoxSpace space = { scale, order, WIDTH, HEIGHT };
  g_autoptr (SlGrounding) grounding = sl_grounding_parse_in (text, -1, &space);
  const double truth[4] = { CENTRE_X - RADIUS, CENTRE_Y - RADIUS, CENTRE_X + RADIUS, CENTRE_Y + RADIUS };
  gsize n_boxes;
  const SlBox *boxes = sl_grounding_get_boxes (grounding, &n_boxes);

  for (gsize i = 0; i < n_boxes; i++)
    {
      int px[4];
      double wide, high, common;

      if (!sl_box_get_pixels (&boxes[i], WIDTH, HEIGHT, px))
        continue;
      wide = MAX (MIN (px[2], truth[2]) - MAX (px[0], truth[0]), 0);
      high = MAX (MIN (px[3], truth[3]) - MAX (px[1], truth[1]), 0);
      common = wide * high;
      *used = *sl_grounding_get_space (grounding);
      return common / ((px[2] - px[0]) * (double) (px[3] - px[1]) + 4 * RADIUS * RADIUS - common);
    }
  return -1;
}

static void
try_reading (const char *text,
             SlBoxScale  scale,
             SlBoxOrder  order,
             double     *best,
             SlBoxSpace *space)
{
  SlBoxSpace used;
  double found = overlap (text, scale, order, &used);

  if (found <= *best + BETTER)
    return;
  *best = found;
  *space = used;
}

/* 0 … 999 and 0 … 1000 can hardly be told apart: the scale that the form suggests is tried first, and wins. */
static void
judge_places (SlRemoteCheck *self,
              const char    *text)
{
  SlBoxSpace space = { 0 };
  double best = overlap (text, SL_BOX_SCALE_AUTO, SL_BOX_ORDER_AUTO, &space);

  if (best < 0)
    {
      g_autofree char *words = g_utf8_substring (text, 0, MIN (g_utf8_strlen (text, -1), MAX_WORDS));

      add (self, SL_REMOTE_FINDING_DOUBTFUL, g_strdup_printf (_("No box came back. The model said: “%s”"), words));
      return;
    }
  try_reading (text, space.scale, SL_BOX_ORDER_X_FIRST, &best, &space);
  try_reading (text, space.scale, SL_BOX_ORDER_Y_FIRST, &best, &space);
  for (SlBoxScale scale = SL_BOX_SCALE_999; scale < SL_N_BOX_SCALES; scale++)
    for (SlBoxOrder order = SL_BOX_ORDER_X_FIRST; order < SL_N_BOX_ORDERS; order++)
      try_reading (text, scale, order, &best, &space);
  self->measured = best >= GOOD_IOU;
  self->space = (SlBoxSpace) { .scale = space.scale, .order = space.order };
  if (self->measured)
    add (self, SL_REMOTE_FINDING_GOOD,
         /* Translators: the scale of numbers, which axis is first */
         g_strdup_printf (_("A box came back and lies where it should, read as: %s, %s."), sl_box_scale_get_display_name (space.scale),
                          sl_box_order_get_display_name (space.order)));
  else
    add (self, SL_REMOTE_FINDING_DOUBTFUL, g_strdup (_("A box came back, but in no scale does it lie where the red circle is.")));
}

static void
judge_answer (SlRemoteCheck        *self,
              const SlRemoteServer *server,
              const char           *text)
{
  if (text[0] == '\0')
    {
      add (self, SL_REMOTE_FINDING_BAD, g_strdup (_("The picture was taken, but the answer is empty.")));
      return;
    }
  add (self, SL_REMOTE_FINDING_GOOD, g_strdup (_("Pictures are accepted.")));
  if (server->ask == SL_REMOTE_ASK_MARKS && strstr (text, "<|det|>") == NULL)
    add (self, SL_REMOTE_FINDING_DOUBTFUL,
         g_strdup (_("The marks of boxes are left out of the answer: the server has to be told “skip_special_tokens: false”, "
                     "or runs another model than DeepSeek-VL2.")));
  else if (server->ask == SL_REMOTE_ASK_MARKS)
    add (self, SL_REMOTE_FINDING_GOOD, g_strdup (_("The marks of boxes are kept.")));
  judge_places (self, text);
}

static void
on_piece (const SlReply *reply,
          gpointer       user_data)
{
  if (reply->text != NULL)
    g_string_append (user_data, reply->text);
}

/* ------------------------------------------------------------------------------------------------ the steps */

/* FALSE: nothing more can be found. */
static gboolean
check_models (SlRemoteCheck  *self,
              SlRemoteServer *server,
              SlRemoteClient *client,
              GCancellable   *cancellable)
{
  g_autoptr (GError) error = NULL;
  gboolean known;

  self->models = sl_remote_client_list_models (client, cancellable, &error);
  if (self->models == NULL)
    {
      gboolean none = g_error_matches (error, SL_REMOTE_ERROR, SL_REMOTE_ERROR_NOT_FOUND);

      add (self, none ? SL_REMOTE_FINDING_DOUBTFUL : SL_REMOTE_FINDING_BAD, g_strdup (error->message));
      return none;
    }
  add (self, SL_REMOTE_FINDING_GOOD, g_strdup (_("The server is there and lets this program in.")));
  if (server->model[0] == '\0' && g_strv_length (self->models) == 1)
    {
      g_free (server->model);
      server->model = g_strdup (self->models[0]);
    }
  known = g_strv_contains ((const char *const *) self->models, server->model);
  if (!known)
    {
      g_autofree char *names = g_strjoinv (", ", self->models);

      add (self, SL_REMOTE_FINDING_BAD,
           server->model[0] != '\0' ? g_strdup_printf (_("It has no model “%s”, but: %s"), server->model, names)
                                    : g_strdup_printf (_("Choose one of its models: %s"), names));
    }
  return known;
}

static void
check_in_thread (GTask        *task,
                 gpointer      source,
                 gpointer      data,
                 GCancellable *cancellable)
{
  Job *job = data;
  SlRemoteCheck *self = g_new0 (SlRemoteCheck, 1);
  g_autofree char *host = sl_remote_server_dup_host (job->server);
  char *kept = job->key == NULL ? sl_secret_lookup (SL_SECRET_ENGINE, host, cancellable, NULL) : NULL;
  g_autoptr (SlRemoteClient) client = sl_remote_client_new (job->server, job->key != NULL ? job->key : kept, NULL);
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (SlPrompt) prompt = make_prompt ();
  g_autoptr (GBytes) body = NULL;
  g_autoptr (GError) error = NULL;
  SlRemoteWish wish = { .stream = TRUE };

  sl_secret_free (kept);
  self->findings = g_ptr_array_new_with_free_func (finding_free);
  if (check_models (self, job->server, client, cancellable))
    {
      body = sl_remote_request_build (job->server, prompt, &wish, NULL, cancellable, &error);
      if (body != NULL && sl_remote_client_ask (client, body, on_piece, text, cancellable, &error))
        judge_answer (self, job->server, text->str);
      else
        add (self, SL_REMOTE_FINDING_BAD, g_strdup (error->message));
    }
  if (g_task_return_error_if_cancelled (task))
    sl_remote_check_free (self);
  else
    g_task_return_pointer (task, self, (GDestroyNotify) sl_remote_check_free);
}

void
sl_remote_check_async (SlRemoteServer      *server,
                       const char          *key,
                       GCancellable        *cancellable,
                       GAsyncReadyCallback  callback,
                       gpointer             user_data)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, user_data);
  Job *job = g_new0 (Job, 1);

  job->server = sl_remote_server_copy (server);
  job->key = g_strdup (key);
  g_task_set_task_data (task, job, job_free);
  g_task_run_in_thread (task, check_in_thread);
}

SlRemoteCheck *
sl_remote_check_finish (GAsyncResult  *result,
                        GError       **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
