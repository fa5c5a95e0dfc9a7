/* SPDX-License-Identifier: MIT
 *
 * Conversations of other programs. The files are made here after what those programs write, as their sources and exports document it:
 * Open WebUI's list of chats, ChatGPT's conversations.json, LM Studio's conversation, and the tables that Alpaca makes.
 */
#include <string.h>

#include <glib/gstdio.h>
#include <sqlite3.h>

#include "exchange-test.h"

/* Paths are below it: names of nothing else. */
static char *
write_text (const char *dir,
            const char *name,
            const char *text)
{
  g_autofree char *path = g_build_filename (dir, name, NULL);
  g_autofree char *folder = g_path_get_dirname (path);

  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
  return g_steal_pointer (&path);
}

static char *
write_picture (const char *dir,
               const char *name,
               SlPicture  *picture)
{
  g_autofree char *path = write_text (dir, name, "");
  GBytes *bytes = sl_picture_get_bytes (picture);

  g_assert_true (g_file_set_contents (path, g_bytes_get_data (bytes, NULL), (gssize) g_bytes_get_size (bytes), NULL));
  return g_steal_pointer (&path);
}

static char *
encode (SlPicture *picture)
{
  GBytes *bytes = sl_picture_get_bytes (picture);

  return g_base64_encode (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
}

/* Imported twice, the second time nothing; the one conversation that there is. */
static SlConversationRecord *
import_it (const char *dir,
           const char *path,
           guint       n_messages,
           guint       n_faults)
{
  g_autofree char *inside = g_build_filename (dir, "history", NULL);
  g_auto (Outcome) once = { 0 }, again = { 0 };
  g_autoptr (SlDatabase) database = NULL;
  g_autoptr (GPtrArray) list = NULL;

  exchange_test_import (inside, path, &once);
  g_assert_no_error (once.error);
  g_assert_cmpuint (once.faults->len, ==, n_faults);
  g_assert_cmpuint (once.n_messages, ==, n_messages);
  exchange_test_import (inside, path, &again);
  g_assert_cmpuint (again.n_conversations, ==, 1);
  g_assert_cmpuint (again.n_messages + again.n_new, ==, 0);
  database = database_test_open (inside);
  database_test_assert_sound (database);
  list = sl_database_list (database, NULL);
  return sl_database_load (database, ((SlSummaryRecord *) g_ptr_array_index (list, 0))->id, NULL);
}

static const SlMessageRecord *
message_of (const SlConversationRecord *record,
            guint                       index)
{
  return g_ptr_array_index (record->messages, index);
}

static const SlPartRecord *
part_of (const SlConversationRecord *record,
         guint                       message,
         guint                       part)
{
  return g_ptr_array_index (message_of (record, message)->parts, part);
}

static void
test_open_webui (void)
{
  char *dir = app_test_make_dir ();
  g_autoptr (SlPicture) picture = app_test_make_picture (8, 6, 0x336699);
  g_autofree char *data = encode (picture);
  g_autofree char *text = g_strdup_printf (
    "[{\"id\": \"1\", \"user_id\": \"u\", \"title\": \"图片\", \"created_at\": 1700000000, \"updated_at\": 1700000100, \"chat\": {"
    "\"history\": {\"currentId\": \"b\", \"messages\": {"
    "\"q\": {\"id\": \"q\", \"parentId\": null, \"childrenIds\": [\"a\", \"b\"], \"role\": \"user\", \"content\": \"Look\","
    " \"timestamp\": 1700000001, \"files\": [{\"type\": \"image\", \"url\": \"data:image/png;base64,%s\"}]},"
    "\"a\": {\"id\": \"a\", \"parentId\": \"q\", \"role\": \"assistant\", \"content\": \"One\", \"timestamp\": 1700000002, \"model\": \"llava\"},"
    "\"b\": {\"id\": \"b\", \"parentId\": \"q\", \"role\": \"assistant\", \"content\": \"Two\", \"timestamp\": 1700000003, \"model\": \"llava\"},"
    "\"x\": {\"id\": \"x\", \"parentId\": \"y\", \"role\": \"user\"}, \"y\": {\"id\": \"y\", \"parentId\": \"x\", \"role\": \"user\"}}}}}]", data);
  g_autofree char *path = write_text (dir, "chats.json", text);
  g_autoptr (SlConversationRecord) record = import_it (dir, path, 3, 0);

  g_assert_cmpstr (record->title, ==, "图片");
  g_assert_cmpint (record->created, ==, G_GINT64_CONSTANT (1700000000000000));
  g_assert_cmpint (record->updated, ==, G_GINT64_CONSTANT (1700000100000000));
  g_assert_cmpstr (part_of (record, 0, 0)->sha256, ==, sl_picture_get_sha256 (picture));
  g_assert_cmpstr (part_of (record, 0, 1)->text, ==, "Look");
  g_assert_cmpint (message_of (record, 2)->parent, ==, message_of (record, 0)->id);
  g_assert_cmpuint (message_of (record, 2)->ordinal, ==, 1);
  g_assert_cmpstr (message_of (record, 2)->generation->model, ==, "llava");
  g_assert_cmpstr (message_of (record, 2)->generation->place, ==, "Open WebUI");
  g_assert_cmpint (record->leaf, ==, message_of (record, 2)->id);
  app_test_remove_dir (dir);
}

static void
test_chatgpt (void)
{
  static const char text[] =
    "[{\"title\": \"Cat\", \"create_time\": 1700000000.5, \"update_time\": 1700000009, \"current_node\": \"a2\", \"mapping\": {"
    "\"r\": {\"id\": \"r\", \"message\": null, \"parent\": null, \"children\": [\"s\"]},"
    "\"s\": {\"id\": \"s\", \"parent\": \"r\", \"message\": {\"author\": {\"role\": \"system\"}, \"content\": {\"content_type\": \"text\","
    " \"parts\": [\"\"]}}},"
    "\"q\": {\"id\": \"q\", \"parent\": \"s\", \"message\": {\"author\": {\"role\": \"user\"}, \"create_time\": 1700000001,"
    " \"content\": {\"content_type\": \"multimodal_text\", \"parts\": ["
    "{\"content_type\": \"image_asset_pointer\", \"asset_pointer\": \"file-service://file-AbC123\"},"
    "{\"content_type\": \"image_asset_pointer\", \"asset_pointer\": \"file-service://../../secret\"}, \"What is it?\"]}}},"
    "\"a1\": {\"id\": \"a1\", \"parent\": \"q\", \"message\": {\"author\": {\"role\": \"assistant\"}, \"create_time\": null,"
    " \"metadata\": {\"model_slug\": \"gpt\"}, \"content\": {\"content_type\": \"text\", \"parts\": [\"A cat,\"]}}},"
    "\"a2\": {\"id\": \"a2\", \"parent\": \"a1\", \"message\": {\"author\": {\"role\": \"assistant\"}, \"content\": {\"content_type\":"
    " \"text\", \"parts\": [\"asleep.\"]}}}}}, 7]";
  char *dir = app_test_make_dir ();
  g_autoptr (SlPicture) picture = app_test_make_picture (8, 6, 0x996633);
  g_autofree char *file = write_picture (dir, "export/file-AbC123-cat.png", picture);
  g_autofree char *path = write_text (dir, "export/conversations.json", text);
  /* What is told: an entry that is none, twice, and the picture whose address leads elsewhere. */
  g_autoptr (SlConversationRecord) record = import_it (dir, path, 2, 2);

  g_assert_cmpint (record->created, ==, G_GINT64_CONSTANT (1700000000500000));
  g_assert_cmpstr (part_of (record, 0, 0)->sha256, ==, sl_picture_get_sha256 (picture));
  g_assert_cmpstr (part_of (record, 0, 1)->text, ==, "[../../secret]\n\nWhat is it?");
  g_assert_cmpstr (part_of (record, 1, 0)->text, ==, "A cat,\n\nasleep.");
  g_assert_cmpint (message_of (record, 1)->role, ==, SL_ROLE_ASSISTANT);
  g_assert_cmpstr (message_of (record, 1)->generation->model, ==, "gpt");
  g_assert_cmpint (record->leaf, ==, message_of (record, 1)->id);
  app_test_remove_dir (dir);
}

static void
test_lm_studio (void)
{
  static const char text[] =
    "{\"name\": \"Talk\", \"createdAt\": 1700000000000, \"systemPrompt\": \"Be brief.\", \"messages\": ["
    "{\"currentlySelected\": 0, \"versions\": [{\"type\": \"singleStep\", \"role\": \"user\", \"content\": ["
    "{\"type\": \"file\", \"fileType\": \"image\", \"fileIdentifier\": \"1700 - cat.png\"}, {\"type\": \"text\", \"text\": \"What?\"}]}]},"
    "{\"currentlySelected\": 1, \"versions\": ["
    "{\"type\": \"multiStep\", \"role\": \"assistant\", \"senderInfo\": {\"senderName\": \"vl\"}, \"steps\": [{\"type\": \"contentBlock\","
    " \"content\": [{\"type\": \"text\", \"text\": \"One\"}]}]},"
    "{\"type\": \"multiStep\", \"role\": \"assistant\", \"senderInfo\": {\"senderName\": \"vl\"}, \"steps\": ["
    "{\"type\": \"contentBlock\", \"style\": {\"type\": \"thinking\"}, \"content\": [{\"type\": \"text\", \"text\": \"hm\"}]},"
    "{\"type\": \"contentBlock\", \"content\": [{\"type\": \"text\", \"text\": \"Two\"}]}]}]}]}";
  char *dir = app_test_make_dir ();
  g_autoptr (SlPicture) picture = app_test_make_picture (8, 6, 0x669933);
  g_autofree char *file = write_picture (dir, "user-files/1700 - cat.png", picture);
  g_autofree char *path = write_text (dir, "conversations/1700.conversation.json", text);
  g_autoptr (SlConversationRecord) record = import_it (dir, path, 3, 0);

  g_assert_cmpstr (record->system_text, ==, "Be brief.");
  g_assert_cmpstr (part_of (record, 0, 0)->sha256, ==, sl_picture_get_sha256 (picture));
  g_assert_cmpstr (part_of (record, 2, 0)->text, ==, "Two");
  g_assert_cmpint (record->leaf, ==, message_of (record, 2)->id);
  app_test_remove_dir (dir);
}

static void
test_alpaca (void)
{
  char *dir = app_test_make_dir ();
  g_autoptr (SlPicture) picture = app_test_make_picture (8, 6, 0x123456);
  g_autofree char *data = encode (picture);
  g_autofree char *path = g_build_filename (dir, "alpaca.db", NULL);
  g_autofree char *sql = g_strdup_printf (
    "CREATE TABLE chat (id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL);"
    "CREATE TABLE message (id TEXT NOT NULL PRIMARY KEY, chat_id TEXT NOT NULL, role TEXT NOT NULL, model TEXT, date_time DATETIME NOT NULL,"
    " content TEXT NOT NULL);"
    "CREATE TABLE attachment (id TEXT NOT NULL PRIMARY KEY, message_id TEXT NOT NULL, type TEXT NOT NULL, name TEXT NOT NULL,"
    " content TEXT NOT NULL);"
    "INSERT INTO chat VALUES ('c', '对话'), ('empty', 'Nothing');"
    "INSERT INTO message VALUES ('m2', 'c', 'assistant', 'llava:7b', '2024/05/06 07:08:10', 'Blue'),"
    " ('m1', 'c', 'user', NULL, '2024/05/06 07:08:09', 'Which colour?'), ('m3', 'c', 'system', NULL, '2024/05/06 07:08:11', 'note');"
    "INSERT INTO attachment VALUES ('f', 'm1', 'image', 'sky.png', '%s'), ('g', 'm1', 'plain_text', 'x.txt', 'eA==');", data);
  sqlite3 *db = NULL;
  g_autoptr (SlConversationRecord) record = NULL;

  g_assert_cmpint (sqlite3_open (path, &db), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_exec (db, sql, NULL, NULL, NULL), ==, SQLITE_OK);
  sqlite3_close (db);
  record = import_it (dir, path, 2, 0);
  g_assert_cmpstr (record->title, ==, "对话");
  g_assert_cmpstr (part_of (record, 0, 0)->sha256, ==, sl_picture_get_sha256 (picture));
  g_assert_cmpstr (part_of (record, 0, 0)->name, ==, "sky.png");
  g_assert_cmpstr (part_of (record, 0, 1)->text, ==, "Which colour?");
  g_assert_cmpstr (part_of (record, 1, 0)->text, ==, "Blue");
  g_assert_cmpstr (message_of (record, 1)->generation->model, ==, "llava:7b");
  g_assert_cmpint (message_of (record, 1)->created - message_of (record, 0)->created, ==, G_USEC_PER_SEC);
  app_test_remove_dir (dir);
}

static void
test_neither (void)
{
  static const char *const texts[] = { "{}", "[]", "[1, 2]", "{\"chat\": {\"history\": {\"messages\": []}}}", "[[[[", "SQLite format 3\n and more",
                                       "{\"mapping\": 5}" };
  char *dir = app_test_make_dir ();
  g_autofree char *inside = g_build_filename (dir, "history", NULL);

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autofree char *path = write_text (dir, "some.json", texts[i]);
      g_auto (Outcome) outcome = { 0 };

      exchange_test_import (inside, path, &outcome);
      g_assert_nonnull (outcome.error);
      g_assert_nonnull (strstr (outcome.error->message, "some.json"));
    }
  app_test_remove_dir (dir);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/import-other/open-webui", test_open_webui);
  g_test_add_func ("/import-other/chatgpt", test_chatgpt);
  g_test_add_func ("/import-other/lm-studio", test_lm_studio);
  g_test_add_func ("/import-other/alpaca", test_alpaca);
  g_test_add_func ("/import-other/neither", test_neither);
  return g_test_run ();
}
