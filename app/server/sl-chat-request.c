/* SPDX-License-Identifier: MIT
 *
 * Reads the protocol's JSON: docs/server.md lists the fields. The first thing that is wrong is told, by the name of its field.
 */
#include "app/server/sl-chat-request.h"

#include <math.h>
#include <string.h>

#include <glib/gi18n-lib.h>
#include <jansson.h>

#include "app/pictures/sl-picture.h"
#include "app/server/sl-data-url.h"

#define MAX_STOPS 16
#define MAX_TOP_LOGPROBS 20

void
sl_chat_error_set (SlChatError *error,
                   guint        status,
                   const char  *code,
                   const char  *param,
                   const char  *format,
                   ...)
{
  va_list args;

  sl_chat_error_clear (error);
  error->status = status;
  error->type = status == 401 ? "authentication_error" : status == 429 ? "rate_limit_error" : status >= 500 ? "server_error"
                                                                                                            : "invalid_request_error";
  error->code = code;
  error->param = g_strdup (param);
  va_start (args, format);
  error->message = g_strdup_vprintf (format, args);
  va_end (args);
}

void
sl_chat_error_clear (SlChatError *error)
{
  g_clear_pointer (&error->param, g_free);
  g_clear_pointer (&error->message, g_free);
}

char *
sl_chat_error_dup_json (const SlChatError *error)
{
  g_autofree char *message = g_utf8_make_valid (error->message, -1);
  g_autofree char *param = error->param != NULL ? g_utf8_make_valid (error->param, -1) : NULL;
  json_t *json = json_pack ("{s:{s:s,s:s,s:s?,s:s?}}", "error", "message", message, "type", error->type, "param", param, "code",
                            error->code);
  char *dumped = json_dumps (json, JSON_COMPACT);
  char *out = g_strdup (dumped);

  json_decref (json);
  free (dumped);
  return out;
}

static void
message_free (gpointer data)
{
  SlChatMessage *message = data;

  g_ptr_array_unref (message->texts);
  g_free (message);
}

static void
picture_free (gpointer data)
{
  SlChatPicture *picture = data;

  g_bytes_unref (picture->bytes);
  g_clear_object (&picture->picture);
  g_free (picture);
}

void
sl_chat_request_free (SlChatRequest *self)
{
  g_free (self->model);
  g_ptr_array_unref (self->messages);
  g_ptr_array_unref (self->pictures);
  g_strfreev (self->stop);
  g_free (self);
}

/* ------------------------------------------------------------------------------------------------ messages */

typedef struct
{
  SlChatRequest *request;
  const SlChatLimits *limits;
  SlChatError *error;
} Parse;

static gboolean
refuse (Parse      *parse,
        const char *param,
        const char *sentence)
{
  sl_chat_error_set (parse->error, 400, NULL, param, "%s", sentence);
  return FALSE;
}

/* Is the file in a folder that was named, links followed? */
static gboolean
may_read (const Parse *parse,
          const char  *path)
{
  g_autofree char *real = realpath (path, NULL);

  for (gsize i = 0; real != NULL && parse->limits->picture_dirs != NULL && parse->limits->picture_dirs[i] != NULL; i++)
    {
      g_autofree char *dir = realpath (parse->limits->picture_dirs[i], NULL);
      gsize length = dir != NULL ? strlen (dir) : 0;

      if (length > 0 && strncmp (real, dir, length) == 0 && (real[length] == '/' || dir[length - 1] == '/'))
        return TRUE;
    }
  return FALSE;
}

static GBytes *
read_file (Parse      *parse,
           const char *url,
           const char *param)
{
  g_autofree char *path = g_filename_from_uri (url, NULL, NULL);
  g_autoptr (GFile) file = path != NULL ? g_file_new_for_path (path) : NULL;
  g_autoptr (GFileInfo) info = NULL;
  g_autoptr (GBytes) bytes = NULL;

  if (path == NULL || !may_read (parse, path))
    {
      refuse (parse, param, _("Addresses of files are only read below folders that the server was started with (--picture-dir)."));
      return NULL;
    }
  info = g_file_query_info (file, G_FILE_ATTRIBUTE_STANDARD_SIZE "," G_FILE_ATTRIBUTE_STANDARD_TYPE, G_FILE_QUERY_INFO_NONE, NULL, NULL);
  if (info == NULL || g_file_info_get_file_type (info) != G_FILE_TYPE_REGULAR)
    refuse (parse, param, _("The file that the address names cannot be read."));
  else if ((guint64) g_file_info_get_size (info) > parse->limits->max_picture_bytes)
    sl_chat_error_set (parse->error, 413, NULL, param, _("The picture has more than %zu bytes."),
                       parse->limits->max_picture_bytes);
  else if ((bytes = g_file_load_bytes (file, NULL, NULL, NULL)) == NULL)
    refuse (parse, param, _("The file that the address names cannot be read."));
  return g_steal_pointer (&bytes);
}

static GBytes *
read_url (Parse      *parse,
          const char *url,
          gsize       length,
          const char *param)
{
  g_autoptr (GError) error = NULL;
  GBytes *bytes;

  if (g_ascii_strncasecmp (url, "file:", 5) == 0)
    return read_file (parse, url, param);
  if (g_ascii_strncasecmp (url, "data:", 5) != 0)
    {
      refuse (parse, param, _("A picture has to be a data: address; nothing is fetched for a request."));
      return NULL;
    }
  bytes = sl_data_url_decode (url, length, parse->limits->max_picture_bytes, &error);
  if (bytes == NULL)
    sl_chat_error_set (parse->error, g_error_matches (error, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE) ? 413 : 400, NULL, param, "%s",
                       error->message);
  return bytes;
}

static gboolean
add_picture (Parse         *parse,
             SlChatMessage *message,
             json_t        *part,
             const char    *param)
{
  json_t *image = json_object_get (part, "image_url"), *url = json_is_object (image) ? json_object_get (image, "url") : image;
  json_t *detail = json_is_object (image) ? json_object_get (image, "detail") : NULL;
  SlChatPicture *picture;
  GBytes *bytes;

  if (!json_is_string (url))
    return refuse (parse, param, _("An image_url needs a “url”."));
  if (message->role != SL_ROLE_USER)
    return refuse (parse, param, _("Only messages of the user can hold pictures."));
  if (parse->request->pictures->len >= parse->limits->max_pictures)
    {
      sl_chat_error_set (parse->error, 400, NULL, param, _("There are more than %u pictures."), parse->limits->max_pictures);
      return FALSE;
    }
  bytes = read_url (parse, json_string_value (url), json_string_length (url), param);
  if (bytes == NULL)
    return FALSE;
  picture = g_new0 (SlChatPicture, 1);
  picture->bytes = bytes;
  picture->detail = json_is_string (detail) && strcmp (json_string_value (detail), "low") == 0 ? SL_DETAIL_LOW : SL_DETAIL_AUTO;
  g_ptr_array_add (parse->request->pictures, picture);
  g_ptr_array_add (message->texts, NULL);
  return TRUE;
}

/* A text may hold any character but NUL, which jansson refuses. */
static gboolean
add_part (Parse         *parse,
          SlChatMessage *message,
          json_t        *part,
          const char    *param)
{
  json_t *type = json_object_get (part, "type"), *text = json_object_get (part, "text");
  const char *name = json_is_string (type) ? json_string_value (type) : "";

  if (strcmp (name, "image_url") == 0)
    return add_picture (parse, message, part, param);
  if (strcmp (name, "text") != 0)
    return refuse (parse, param, _("A part of a message has to be of type text or image_url."));
  if (!json_is_string (text))
    return refuse (parse, param, _("A part of type text needs a “text”."));
  g_ptr_array_add (message->texts, g_strdup (json_string_value (text)));
  return TRUE;
}

static gboolean
add_content (Parse         *parse,
             SlChatMessage *message,
             json_t        *content,
             const char    *param)
{
  size_t i;
  json_t *part;

  if (json_is_string (content))
    {
      g_ptr_array_add (message->texts, g_strdup (json_string_value (content)));
      return TRUE;
    }
  if (json_is_null (content) && message->role == SL_ROLE_ASSISTANT)
    return TRUE;
  if (!json_is_array (content))
    return refuse (parse, param, _("The content of a message has to be a text or a list of parts."));
  json_array_foreach (content, i, part)
    {
      g_autofree char *name = g_strdup_printf ("%s[%zu]", param, i);

      if (!add_part (parse, message, part, name))
        return FALSE;
    }
  return TRUE;
}

static gboolean
read_role (Parse      *parse,
           json_t     *json,
           size_t      at,
           const char *param,
           SlRole     *role)
{
  const char *name = json_is_string (json) ? json_string_value (json) : "";

  if (strcmp (name, "user") == 0)
    *role = SL_ROLE_USER;
  else if (strcmp (name, "assistant") == 0)
    *role = SL_ROLE_ASSISTANT;
  else if (strcmp (name, "system") == 0 || strcmp (name, "developer") == 0)
    *role = SL_ROLE_SYSTEM;
  else
    return refuse (parse, param, _("The role of a message has to be system, user or assistant."));
  return *role != SL_ROLE_SYSTEM || at == 0 || refuse (parse, param, _("A system message can only be the first one."));
}

static gboolean
read_messages (Parse  *parse,
               json_t *messages)
{
  SlChatRequest *request = parse->request;
  size_t i;
  json_t *json;

  if (!json_is_array (messages) || json_array_size (messages) == 0)
    return refuse (parse, "messages", _("“messages” has to be a list of at least one message."));
  if (json_array_size (messages) > parse->limits->max_messages)
    return refuse (parse, "messages", _("There are too many messages."));
  json_array_foreach (messages, i, json)
    {
      g_autofree char *role = g_strdup_printf ("messages[%zu].role", i);
      g_autofree char *content = g_strdup_printf ("messages[%zu].content", i);
      SlChatMessage *message = g_new0 (SlChatMessage, 1);

      message->texts = g_ptr_array_new_with_free_func (g_free);
      g_ptr_array_add (request->messages, message);
      if (!read_role (parse, json_object_get (json, "role"), i, role, &message->role) ||
          !add_content (parse, message, json_object_get (json, "content"), content))
        return FALSE;
    }
  if (((SlChatMessage *) g_ptr_array_index (request->messages, request->messages->len - 1))->role == SL_ROLE_SYSTEM)
    return refuse (parse, "messages", _("The last message has to be of the user, or an answer to go on with."));
  return TRUE;
}

/* ------------------------------------------------------------------------------------------------ settings */

static gboolean
read_number (Parse      *parse,
             json_t     *root,
             const char *name,
             double      lowest,
             double      highest,
             double     *out)
{
  json_t *json = json_object_get (root, name);
  double value;

  if (json == NULL || json_is_null (json))
    return TRUE;
  value = json_is_number (json) ? json_number_value (json) : NAN;
  if (!(value >= lowest && value <= highest))
    {
      sl_chat_error_set (parse->error, 400, NULL, name, _("“%s” has to be a number between %g and %g."), name, lowest, highest);
      return FALSE;
    }
  *out = value;
  return TRUE;
}

static gboolean
read_integer (Parse       *parse,
              json_t      *root,
              const char  *name,
              json_int_t   lowest,
              json_int_t   highest,
              json_int_t  *out)
{
  json_t *json = json_object_get (root, name);

  if (json == NULL || json_is_null (json))
    return TRUE;
  if (!json_is_integer (json) || json_integer_value (json) < lowest || json_integer_value (json) > highest)
    {
      sl_chat_error_set (parse->error, 400, NULL, name, _("“%s” has to be a whole number between %lld and %lld."), name,
                         (long long) lowest, (long long) highest);
      return FALSE;
    }
  *out = json_integer_value (json);
  return TRUE;
}

static gboolean
read_boolean (Parse      *parse,
              json_t     *root,
              const char *name,
              gboolean   *out)
{
  json_t *json = json_object_get (root, name);

  if (json == NULL || json_is_null (json))
    return TRUE;
  if (!json_is_boolean (json))
    {
      sl_chat_error_set (parse->error, 400, NULL, name, _("“%s” has to be true or false."), name);
      return FALSE;
    }
  *out = json_is_true (json);
  return TRUE;
}

static gboolean
read_stop (Parse  *parse,
           json_t *stop)
{
  g_autoptr (GPtrArray) texts = g_ptr_array_new_with_free_func (g_free);
  gsize n = json_is_array (stop) ? json_array_size (stop) : json_is_string (stop) ? 1 : 0;

  if (stop == NULL || json_is_null (stop))
    return TRUE;
  if ((n == 0 && !json_is_array (stop)) || n > MAX_STOPS)
    return refuse (parse, "stop", _("“stop” has to be a text or a list of at most 16 texts."));
  for (gsize i = 0; i < n; i++)
    {
      json_t *text = json_is_array (stop) ? json_array_get (stop, i) : stop;

      if (!json_is_string (text) || json_string_length (text) == 0)
        return refuse (parse, "stop", _("A text of “stop” has to have at least one character."));
      g_ptr_array_add (texts, g_strdup (json_string_value (text)));
    }
  g_ptr_array_add (texts, NULL);
  parse->request->stop = (char **) g_ptr_array_free (g_steal_pointer (&texts), FALSE);
  return TRUE;
}

/* What the protocol knows and this server does not do. */
static gboolean
check_impossible (Parse  *parse,
                  json_t *root)
{
  static const char *const lists[] = { "tools", "functions", "logit_bias" };
  static const char *const penalties[] = { "frequency_penalty", "presence_penalty" };
  json_t *format = json_object_get (root, "response_format"), *type = json_object_get (format, "type");

  for (gsize i = 0; i < G_N_ELEMENTS (lists); i++)
    {
      json_t *list = json_object_get (root, lists[i]);

      if (json_array_size (list) > 0 || json_object_size (list) > 0)
        {
          sl_chat_error_set (parse->error, 400, NULL, lists[i], _("“%s” is not supported."), lists[i]);
          return FALSE;
        }
    }
  for (gsize i = 0; i < G_N_ELEMENTS (penalties); i++)
    if (json_number_value (json_object_get (root, penalties[i])) != 0)
      {
        sl_chat_error_set (parse->error, 400, NULL, penalties[i], _("“%s” is not supported; “repetition_penalty” is."), penalties[i]);
        return FALSE;
      }
  if (json_is_string (type) && strcmp (json_string_value (type), "text") != 0)
    return refuse (parse, "response_format", _("Answers can only be asked for as text."));
  return TRUE;
}

static gboolean
read_sampling (Parse  *parse,
               json_t *root)
{
  SlSettings *settings = &parse->request->settings;
  json_int_t top_k = settings->sampling.top_k, seed = -1, max_tokens = 0, n = 1;
  double top_p = settings->sampling.top_p;

  if (!read_number (parse, root, "temperature", 0, 100, &settings->sampling.temperature) ||
      !read_number (parse, root, "top_p", 0, 1, &top_p) || !read_integer (parse, root, "top_k", -1, G_MAXINT32, &top_k) ||
      !read_number (parse, root, "repetition_penalty", 0.01, 100, &settings->sampling.repetition_penalty) ||
      !read_integer (parse, root, "seed", G_MININT64, G_MAXINT64, &seed) ||
      !read_integer (parse, root, "max_tokens", 1, G_MAXINT32, &max_tokens) ||
      !read_integer (parse, root, "max_completion_tokens", 1, G_MAXINT32, &max_tokens) || !read_integer (parse, root, "n", 1, 128, &n))
    return FALSE;
  if (n != 1)
    return refuse (parse, "n", _("One answer can be asked for at a time."));
  settings->sampling.top_p = top_p > 0 ? top_p : 1e-6; /* the most likely token alone */
  settings->sampling.top_k = (int) MAX (top_k, 0);
  settings->max_tokens = (int) max_tokens;
  if (json_is_integer (json_object_get (root, "seed")))
    settings->seed = (guint64) seed;
  return TRUE;
}

static gboolean
read_reporting (Parse  *parse,
                json_t *root)
{
  SlChatRequest *request = parse->request;
  json_t *stream_options = json_object_get (root, "stream_options");
  json_int_t top = 0;
  gboolean skip = TRUE;

  if (!read_boolean (parse, root, "stream", &request->stream) || !read_boolean (parse, root, "logprobs", &request->logprobs) ||
      !read_integer (parse, root, "top_logprobs", 0, MAX_TOP_LOGPROBS, &top) ||
      !read_boolean (parse, root, "skip_special_tokens", &skip) ||
      !read_boolean (parse, root, "constrain_boxes", &request->settings.constrain_boxes) ||
      !read_boolean (parse, stream_options, "include_usage", &request->include_usage))
    return FALSE;
  if (top > 0 && !request->logprobs)
    return refuse (parse, "top_logprobs", _("“top_logprobs” needs “logprobs” to be true."));
  request->top_logprobs = (guint) top;
  request->special_tokens = !skip;
  return TRUE;
}

static gboolean
read_root (Parse  *parse,
           json_t *root)
{
  json_t *model = json_object_get (root, "model");

  if (!json_is_object (root))
    return refuse (parse, NULL, _("The body has to be a JSON object."));
  if (model != NULL && !json_is_string (model))
    return refuse (parse, "model", _("“model” has to be the name of a model."));
  parse->request->model = g_strdup (json_string_value (model));
  return check_impossible (parse, root) && read_sampling (parse, root) && read_reporting (parse, root) &&
         read_stop (parse, json_object_get (root, "stop")) && read_messages (parse, json_object_get (root, "messages"));
}

SlChatRequest *
sl_chat_request_parse (const char         *json,
                       gsize               length,
                       const SlChatLimits *limits,
                       SlChatError        *error)
{
  g_autoptr (SlChatRequest) self = g_new0 (SlChatRequest, 1);
  Parse parse = { self, limits, error };
  json_error_t cause;
  json_t *root = json_loadb (json, length, JSON_REJECT_DUPLICATES, &cause);
  gboolean good;

  self->messages = g_ptr_array_new_with_free_func (message_free);
  self->pictures = g_ptr_array_new_with_free_func (picture_free);
  self->settings = sl_settings_for_mode (SL_MODE_CHAT);
  self->settings.sampling.repetition_penalty = 1; /* one would distort the digits of boxes */
  if (root == NULL)
    {
      sl_chat_error_set (error, 400, NULL, NULL, _("The body is no JSON: line %d, column %d."), cause.line, cause.column);
      return NULL;
    }
  good = read_root (&parse, root);
  json_decref (root);
  return good ? g_steal_pointer (&self) : NULL;
}

SlPrompt *
sl_chat_request_make_prompt (const SlChatRequest *self)
{
  SlPrompt *prompt = sl_prompt_new (&self->settings);
  guint picture = 0;

  for (guint i = 0; i < self->messages->len; i++)
    {
      const SlChatMessage *message = g_ptr_array_index (self->messages, i);

      sl_prompt_add_message (prompt, message->role);
      for (guint j = 0; j < message->texts->len; j++)
        {
          const char *text = g_ptr_array_index (message->texts, j);
          const SlChatPicture *next = text == NULL ? g_ptr_array_index (self->pictures, picture++) : NULL;

          if (next != NULL)
            {
              sl_prompt_add_picture (prompt, next->picture, next->detail);
              continue;
            }
          /* As in the official samples. */
          if (j > 0 && g_ptr_array_index (message->texts, j - 1) == NULL && !g_ascii_isspace (text[0]))
            sl_prompt_add_text (prompt, "\n", 1, SL_MARKUP_NONE);
          sl_prompt_add_text (prompt, text, -1, message->role == SL_ROLE_SYSTEM ? SL_MARKUP_NONE : SL_MARKUP_GROUNDING);
        }
    }
  return prompt;
}
