/* SPDX-License-Identifier: MIT
 *
 * Conversations of other programs in JSON, told apart by what they hold:
 *   Open WebUI   [{title, created_at, chat: {history: {messages: {ID: {parentId, role, content, timestamp, model, files}}, currentId}}}]
 *   ChatGPT      conversations.json, [{title, create_time, mapping: {ID: {parent, message}}, current_node}], pictures in files beside it
 *   LM Studio    {name, createdAt, messages: [{versions: [{role, content or steps}], currentlySelected}]}, pictures in ../user-files
 */
#include "app/exchange/sl-import-other.h"

#include <string.h>

#include <glib/gi18n-lib.h>
#include <jansson.h>

#include "app/pictures/sl-picture.h"
#include "app/server/sl-data-url.h"

#define MAX_FILE (256 * 1024 * 1024)

typedef struct
{
  SlImport *import;
  const char *folder; /* where the file lies */
  SlGrowing *growing;
} Reading;

static const char *
get_text (const json_t *object,
          const char   *key)
{
  const char *text = json_string_value (json_object_get (object, key));

  return text != NULL ? text : "";
}

/* A number of seconds or milliseconds, as µs; 0 for none. */
static gint64
get_time (const json_t *object,
          const char   *key)
{
  double number = json_number_value (json_object_get (object, key));

  if (!(number > 0 && number < 1e14))
    return 0;
  return (gint64) (number < 1e11 ? number * 1e6 : number * 1e3);
}

static gboolean
find_role (const char *text,
           SlRole     *role)
{
  *role = strcmp (text, "assistant") == 0 ? SL_ROLE_ASSISTANT : SL_ROLE_USER;
  return *role == SL_ROLE_ASSISTANT || strcmp (text, "user") == 0;
}

/* A file that the program kept beside its conversations: its name begins so, and no part of it leads elsewhere. */
static void
add_file (Reading         *self,
          SlMessageRecord *message,
          const char      *folder,
          const char      *begins)
{
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-. ";
  g_autoptr (GDir) dir = strspn (begins, allowed) == strlen (begins) && strlen (begins) >= 4 && begins[0] != '.' ? g_dir_open (folder, 0, NULL)
                                                                                                                 : NULL;
  g_autoptr (GBytes) bytes = NULL;
  const char *name = NULL;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    if (g_str_has_prefix (name, begins))
      {
        g_autofree char *path = g_build_filename (folder, name, NULL);
        g_autoptr (GFile) file = g_file_new_for_path (path);

        bytes = g_file_test (path, G_FILE_TEST_IS_REGULAR) ? g_file_load_bytes (file, NULL, NULL, NULL) : NULL;
        break;
      }
  sl_import_add_picture (self->import, self->growing, message, bytes, name != NULL && g_utf8_validate (name, -1, NULL) ? name : begins);
}

/* ------------------------------------------------------------------------------------------------ trees */

/* Adds a node's message below that of its parent (NULL for none); what those below it hang on, which may be the parent's. */
typedef SlMessageRecord *(*AddNode) (Reading *self, SlMessageRecord *parent, const json_t *node);

typedef struct
{
  const char *id;
  const json_t *node;
  SlMessageRecord *parent;
} Step;

static void
push_below (GArray          *stack,
            GHashTable      *below,
            const char      *id,
            SlMessageRecord *message)
{
  const GPtrArray *ids = g_hash_table_lookup (below, id);

  for (guint i = ids != NULL ? ids->len / 2 : 0; i > 0; i--)
    {
      Step step = { g_ptr_array_index (ids, 2 * i - 2), g_ptr_array_index (ids, 2 * i - 1), message };

      g_array_append_val (stack, step);
    }
}

/* Each node has one parent, so that a walk from the first ones meets none twice, whatever is written there. */
static SlMessageRecord *
add_tree (Reading      *self,
          const json_t *nodes,
          const char   *parent_key,
          const char   *shown,
          AddNode       add)
{
  g_autoptr (GHashTable) below = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) g_ptr_array_unref);
  g_autoptr (GArray) stack = g_array_new (FALSE, FALSE, sizeof (Step));
  SlMessageRecord *leaf = NULL;
  const char *id;
  json_t *node;

  json_object_foreach ((json_t *) nodes, id, node)
    {
      const char *parent = get_text (node, parent_key);
      GPtrArray *ids;

      if (json_object_get (nodes, parent) == NULL)
        parent = "";
      ids = g_hash_table_lookup (below, parent);
      if (ids == NULL)
        {
          ids = g_ptr_array_new ();
          g_hash_table_insert (below, (gpointer) parent, ids);
        }
      g_ptr_array_add (ids, (gpointer) id);
      g_ptr_array_add (ids, node);
    }
  push_below (stack, below, "", NULL);
  while (stack->len > 0)
    {
      Step step = g_array_index (stack, Step, stack->len - 1);
      SlMessageRecord *message = add (self, step.parent, step.node);

      g_array_set_size (stack, stack->len - 1);
      if (strcmp (step.id, shown) == 0)
        leaf = message;
      if (step.id[0] != '\0')
        push_below (stack, below, step.id, message);
    }
  return leaf;
}

/* ------------------------------------------------------------------------------------------------ Open WebUI */

static SlMessageRecord *
add_web_node (Reading         *self,
              SlMessageRecord *parent,
              const json_t    *node)
{
  const char *model = get_text (node, "model");
  const json_t *file;
  SlMessageRecord *message;
  SlRole role;
  gsize i;

  if (!find_role (get_text (node, "role"), &role))
    return parent;
  message = sl_growing_add (self->growing, parent, role, get_time (node, "timestamp"), "Open WebUI", model);
  json_array_foreach (json_object_get (node, "files"), i, file)
    {
      const char *url = get_text (file, "url");
      g_autoptr (GBytes) bytes = NULL;

      if (strcmp (get_text (file, "type"), "image") != 0)
        continue;
      bytes = sl_data_url_decode (url, strlen (url), sl_picture_default_limits.max_bytes, NULL); /* others lie on its server */
      sl_import_add_picture (self->import, self->growing, message, bytes, get_text (file, "name"));
    }
  sl_import_add_text (message, get_text (node, "content"));
  return message;
}

static gboolean
take_web_chat (Reading       *self,
               const json_t  *entry,
               GError       **error)
{
  const json_t *chat = json_object_get (entry, "chat"), *history = json_object_get (chat, "history");
  const char *title = get_text (entry, "title")[0] != '\0' ? get_text (entry, "title") : get_text (chat, "title");
  gint64 created = get_time (entry, "created_at");
  SlMessageRecord *leaf;

  self->growing = sl_growing_new (title, created != 0 ? created : get_time (chat, "timestamp"), get_time (entry, "updated_at"));
  leaf = add_tree (self, json_object_get (history, "messages"), "parentId", get_text (history, "currentId"), add_web_node);
  return sl_import_grown (self->import, g_steal_pointer (&self->growing), leaf, error);
}

/* ------------------------------------------------------------------------------------------------ ChatGPT */

static void
add_gpt_part (Reading         *self,
              SlMessageRecord *message,
              const json_t    *part)
{
  const char *pointer = get_text (part, "asset_pointer");
  const char *id = strstr (pointer, "://");

  if (json_is_string (part))
    sl_import_add_text (message, json_string_value (part));
  else if (id != NULL && strcmp (get_text (part, "content_type"), "image_asset_pointer") == 0)
    add_file (self, message, self->folder, id + 3);
}

static SlMessageRecord *
add_gpt_node (Reading         *self,
              SlMessageRecord *parent,
              const json_t    *node)
{
  const json_t *said = json_object_get (node, "message"), *content = json_object_get (said, "content");
  const json_t *metadata = json_object_get (said, "metadata"), *part;
  const char *kind = get_text (content, "content_type"), *model = get_text (metadata, "model_slug");
  SlMessageRecord *message;
  SlRole role;
  gsize i;

  if (!find_role (get_text (json_object_get (said, "author"), "role"), &role)
      || json_is_true (json_object_get (metadata, "is_visually_hidden_from_conversation"))
      || (strcmp (kind, "text") != 0 && strcmp (kind, "multimodal_text") != 0))
    return parent;
  message = sl_growing_add (self->growing, parent, role, get_time (said, "create_time"), "ChatGPT", model);
  json_array_foreach (json_object_get (content, "parts"), i, part)
    add_gpt_part (self, message, part);
  return message;
}

static gboolean
take_gpt_chat (Reading       *self,
               const json_t  *entry,
               GError       **error)
{
  SlMessageRecord *leaf;

  self->growing = sl_growing_new (get_text (entry, "title"), get_time (entry, "create_time"), get_time (entry, "update_time"));
  leaf = add_tree (self, json_object_get (entry, "mapping"), "parent", get_text (entry, "current_node"), add_gpt_node);
  return sl_import_grown (self->import, g_steal_pointer (&self->growing), leaf, error);
}

/* ------------------------------------------------------------------------------------------------ LM Studio */

static void
add_studio_content (Reading         *self,
                    SlMessageRecord *message,
                    const json_t    *content)
{
  g_autofree char *files = g_build_filename (self->folder, "..", "user-files", NULL);
  const json_t *piece;
  gsize i;

  json_array_foreach (content, i, piece)
    {
      if (strcmp (get_text (piece, "type"), "text") == 0)
        sl_import_add_text (message, get_text (piece, "text"));
      else if (strcmp (get_text (piece, "fileType"), "image") == 0)
        add_file (self, message, files, get_text (piece, "fileIdentifier"));
    }
}

static SlMessageRecord *
add_studio_version (Reading         *self,
                    SlMessageRecord *parent,
                    const json_t    *version)
{
  const char *model = get_text (json_object_get (version, "senderInfo"), "senderName");
  SlMessageRecord *message;
  const json_t *step;
  SlRole role;
  gsize i;

  if (!find_role (get_text (version, "role"), &role))
    return parent;
  message = sl_growing_add (self->growing, parent, role, 0, "LM Studio", model);
  add_studio_content (self, message, json_object_get (version, "content"));
  json_array_foreach (json_object_get (version, "steps"), i, step)
    if (strcmp (get_text (json_object_get (step, "style"), "type"), "thinking") != 0)
      add_studio_content (self, message, json_object_get (step, "content"));
  return message;
}

static gboolean
take_studio_chat (Reading       *self,
                  const json_t  *object,
                  GError       **error)
{
  SlMessageRecord *last = NULL;
  const json_t *turn;
  gsize i;

  self->growing = sl_growing_new (get_text (object, "name"), get_time (object, "createdAt"), 0);
  self->growing->parcel->conversation->system_text = g_strdup (get_text (object, "systemPrompt"));
  json_array_foreach (json_object_get (object, "messages"), i, turn)
    {
      json_int_t selected = json_integer_value (json_object_get (turn, "currentlySelected"));
      SlMessageRecord *parent = last;
      const json_t *version;
      gsize k;

      json_array_foreach (json_object_get (turn, "versions"), k, version)
        {
          SlMessageRecord *message = add_studio_version (self, parent, version);

          if (k == 0 || (json_int_t) k == selected)
            last = message;
        }
    }
  return sl_import_grown (self->import, g_steal_pointer (&self->growing), last, error);
}

/* ------------------------------------------------------------------------------------------------ which of them */

typedef gboolean (*TakeChat) (Reading *self, const json_t *chat, GError **error);

static TakeChat
tell (const json_t *chat)
{
  if (json_is_object (json_object_get (json_object_get (json_object_get (chat, "chat"), "history"), "messages")))
    return take_web_chat;
  if (json_is_object (json_object_get (chat, "mapping")))
    return take_gpt_chat;
  if (json_is_object (json_array_get (json_object_get (chat, "messages"), 0))
      && json_is_array (json_object_get (json_array_get (json_object_get (chat, "messages"), 0), "versions")))
    return take_studio_chat;
  return NULL;
}

static gboolean
take_all (Reading       *self,
          const json_t  *root,
          GError       **error)
{
  gsize n = json_is_array (root) ? json_array_size (root) : 1;
  gboolean any = FALSE;

  for (gsize i = 0; i < n; i++)
    {
      const json_t *chat = json_is_array (root) ? json_array_get (root, i) : root;
      TakeChat take = tell (chat);

      if (take == NULL)
        {
          if (any)
            sl_import_add_fault (self->import, _("The conversation “%s” in “%s” was not imported: %s."), get_text (chat, "title"),
                                 sl_import_get_name (self->import), _("it is damaged"));
          continue;
        }
      any = TRUE;
      if (!take (self, chat, error))
        return FALSE;
      sl_import_tell (self->import, (double) (i + 1) / (double) n);
    }
  if (!any)
    sl_import_set_unknown (self->import, error);
  return any;
}

gboolean
sl_import_json (SlImport    *import,
                const char  *path,
                GError     **error)
{
  g_autofree char *folder = g_path_get_dirname (path);
  g_autoptr (GMappedFile) file = g_mapped_file_new (path, FALSE, error);
  Reading self = { .import = import, .folder = folder };
  json_error_t failure;
  const char *text;
  gsize mark; /* that some editors put in front */
  json_t *root;
  gboolean ok;

  if (file == NULL)
    return FALSE;
  if (g_mapped_file_get_length (file) > MAX_FILE)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, _("“%s” cannot be read: %s."), sl_import_get_name (import),
                   _("it is larger than it may be"));
      return FALSE;
    }
  text = g_mapped_file_get_contents (file);
  mark = g_mapped_file_get_length (file) >= 3 && memcmp (text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
  root = json_loadb (text + mark, g_mapped_file_get_length (file) - mark, 0, &failure);
  if (root == NULL)
    {
      g_autofree char *reason = g_strdup_printf (_("it is no JSON (%s)"), failure.text);

      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, _("“%s” cannot be read: %s."), sl_import_get_name (import), reason);
      return FALSE;
    }
  ok = take_all (&self, root, error);
  json_decref (root);
  return ok;
}
