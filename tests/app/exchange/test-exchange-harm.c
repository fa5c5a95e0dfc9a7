/* SPDX-License-Identifier: MIT
 *
 * Archives that are damaged cost what lies there, and it is said; those that are meant to harm are a sentence.
 */
#include <string.h>

#include <archive.h>
#include <archive_entry.h>

#include "app/exchange/sl-parcel-json.h"
#include "exchange-test.h"

/* ------------------------------------------------------------------------------------------------ damage */

static void
test_cut (void)
{
  char *from = app_test_make_dir (), *to = app_test_make_dir ();
  g_autoptr (GBytes) bytes = NULL;
  const guint8 *data;
  gsize length;
  guint before = 0;

  exchange_test_make_history (from, 5, 4, 12);
  bytes = exchange_test_export_bytes (from);
  data = g_bytes_get_data (bytes, &length);
  for (guint step = 1; step <= 40; step++)
    {
      g_auto (Outcome) outcome = { 0 };

      exchange_test_import_bytes (to, data, length * step / 40, &outcome);
      g_assert_true (step == 40 || outcome.error != NULL || outcome.faults->len > 0);
      g_assert_cmpuint (outcome.n_conversations, >=, before); /* more of it is never less */
      before = outcome.n_conversations;
      if (step == 36)
        g_assert_cmpuint (before, >=, 2);
    }
  g_assert_cmpuint (before, ==, 4);
  exchange_test_count_hits (to); /* it is sound */
  app_test_remove_dir (from);
  app_test_remove_dir (to);
}

static void
test_flip (void)
{
  char *from = app_test_make_dir (), *to = app_test_make_dir ();
  g_autoptr (GBytes) bytes = NULL;
  g_autofree guint8 *copy = NULL;
  gsize length;

  exchange_test_make_history (from, 9, 4, 12);
  bytes = exchange_test_export_bytes (from);
  copy = g_memdup2 (g_bytes_get_data (bytes, &length), g_bytes_get_size (bytes));
  for (guint step = 0; step < 60; step++)
    {
      gsize at = 100 + (length - 100) * step / 60;
      g_auto (Outcome) outcome = { 0 };

      copy[at] ^= 0x11;
      exchange_test_import_bytes (to, copy, length, &outcome);
      copy[at] ^= 0x11;
      g_assert_no_error (outcome.error);
      g_assert_cmpuint (outcome.n_conversations, >=, 3); /* one place costs one of four at most */
      g_assert_true (outcome.n_conversations == 4 || outcome.faults->len > 0);
    }
  app_test_remove_dir (from);
  app_test_remove_dir (to);
}

/* A picture that is damaged costs the picture; an import of the whole archive brings it. */
static void
test_healed (void)
{
  char *from = app_test_make_dir (), *to = app_test_make_dir ();
  g_autoptr (GBytes) bytes = NULL, after = NULL;
  g_autoptr (SlPicture) picture = app_test_make_picture (8, 6, 0x336699);
  g_autofree guint8 *copy = NULL;
  g_auto (Outcome) broken = { 0 }, whole = { 0 };
  gsize length, at;

  {
    g_autoptr (SlDatabase) database = database_test_open (from);
    g_autoptr (SlMessageRecord) message = app_test_make_message (10, 1, 0, SL_ROLE_USER, "look");

    database_test_put_conversation (database, 1, "一");
    app_test_add_picture (message, picture);
    g_assert_true (sl_database_put_message (database, message, TRUE, NULL));
  }
  bytes = exchange_test_export_bytes (from);
  copy = g_memdup2 (g_bytes_get_data (bytes, &length), g_bytes_get_size (bytes));
  for (at = 0; memcmp (copy + at, "IHDR", 4) != 0; at++)
    ;
  copy[at + 9] ^= 1;
  exchange_test_import_bytes (to, copy, length, &broken);
  g_assert_no_error (broken.error);
  g_assert_cmpuint (broken.n_messages, ==, 1);
  g_assert_cmpuint (broken.faults->len, ==, 1);
  exchange_test_import_whole (to, bytes, &whole);
  g_assert_cmpuint (whole.n_messages, ==, 0);
  after = exchange_test_export_bytes (to);
  exchange_test_assert_same (bytes, after);
  exchange_test_count_hits (to);
  app_test_remove_dir (from);
  app_test_remove_dir (to);
}

/* ------------------------------------------------------------------------------------------------ what is meant to harm */

typedef struct
{
  const char *name, *content;
  gsize length; /* 0: of the string */
  gboolean link, deflate;
} Item;

static void
write_zip (const char *path,
           const Item *items,
           guint       n_items)
{
  struct archive *archive = archive_write_new ();

  archive_write_set_format_zip (archive);
  archive_write_set_options (archive, items[0].deflate ? "zip:compression=deflate" : "zip:compression=store");
  g_assert_cmpint (archive_write_open_filename (archive, path), ==, ARCHIVE_OK);
  for (guint i = 0; i < n_items; i++)
    {
      struct archive_entry *entry = archive_entry_new ();
      gsize length = items[i].length > 0 ? items[i].length : strlen (items[i].content);

      archive_entry_set_pathname (entry, items[i].name);
      archive_entry_set_filetype (entry, items[i].link ? AE_IFLNK : AE_IFREG);
      archive_entry_set_perm (entry, 0777);
      archive_entry_set_size (entry, items[i].link ? 0 : (la_int64_t) length);
      if (items[i].link)
        archive_entry_set_symlink (entry, items[i].content);
      g_assert_cmpstr (archive_write_header (archive, entry) == ARCHIVE_OK ? "" : archive_error_string (archive), ==, "");
      if (!items[i].link)
        archive_write_data (archive, items[i].content, length);
      archive_entry_free (entry);
    }
  archive_write_close (archive);
  archive_write_free (archive);
}

#define HASH "8c5e617cfd47d68d9269f94b793706a14a41b7773e4cb478e2c5fba8a9603ed5"
#define PLACE "conversations/" HASH ".json"
#define OTHER_PLACE "conversations/f" "c5e617cfd47d68d9269f94b793706a14a41b7773e4cb478e2c5fba8a9603ed5.json"
#define MANIFEST "{\"conversations\": [{\"id\": \"" HASH "\", \"title\": \"Harm\"}]}"
#define TALK(messages) "{\"version\": 1, \"id\": \"" HASH "\", \"created\": 5, \"shown\": null, \"messages\": " messages "}"

/* Nothing of it gets in, and the sentence holds this. */
static void
assert_refused (const char *dir,
                const Item *items,
                guint       n_items,
                const char *says)
{
  g_autofree char *path = g_build_filename (dir, "harm.sightline", NULL);
  g_autofree char *inside = g_build_filename (dir, "history", NULL);
  g_auto (Outcome) outcome = { 0 };
  gboolean said = FALSE;

  write_zip (path, items, n_items);
  exchange_test_import (inside, path, &outcome);
  for (guint i = 0; i < outcome.faults->len; i++)
    said = said || strstr (g_ptr_array_index (outcome.faults, i), says) != NULL;
  said = said || (outcome.error != NULL && strstr (outcome.error->message, says) != NULL);
  if (!said)
    g_test_message ("%s: %s", says, outcome.error != NULL ? outcome.error->message
                                    : outcome.faults->len > 0 ? (char *) g_ptr_array_index (outcome.faults, 0) : "nothing");
  g_assert_true (said);
  g_assert_cmpuint (outcome.n_conversations, ==, 0);
  g_assert_false (app_test_dir_contains (inside, "HARMFUL"));
}

/* Somebody has changed what was said and not the name of it, or the other way round. */
static void
test_names (void)
{
  char *dir = app_test_make_dir ();
  g_autoptr (SlDatabase) database = NULL;
  g_autoptr (SlParcel) parcel = NULL, same = NULL, other = NULL;
  g_autoptr (SlContentIds) names = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  char *at;
  gsize length;

  exchange_test_put_small (dir);
  database = database_test_open (dir);
  parcel = sl_database_load_parcel (database, 1, &error);
  g_assert_no_error (error);
  names = sl_content_ids_new (parcel->conversation);
  text = sl_parcel_to_json (parcel, names, &length);
  same = sl_parcel_from_json (text, length, &error);
  g_assert_no_error (error);
  at = strstr (text, "\"answer\"");
  at[1] = 'A';
  other = sl_parcel_from_json (text, length, &error);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
  g_assert_null (other);
  g_clear_pointer (&database, sl_database_close);
  app_test_remove_dir (dir);
}

static void
test_hostile (void)
{
  static const struct { const char *json, *says; } talks[] = {
    { "[]", "JSON" },
    { "{\"version\": 1, \"version\": 1}", "JSON" },
    { "{\"version\": 2}", "newer" },
    { "{\"version\": \"1\"}", "version" },
    { TALK ("7"), "messages" },
    { TALK ("[7]"), "role" },
    { TALK ("[{\"id\": \"../../x\"}]"), "id" },
    { TALK ("[{\"id\": \"" HASH "\", \"parent\": \"" HASH "\"}]"), "not there" },
    { TALK ("[{\"id\": \"" HASH "\", \"parent\": null, \"role\": \"root\"}]"), "role" },
    { TALK ("[{\"id\": \"" HASH "\", \"parent\": null, \"role\": \"user\", \"mode\": \"chat\", \"status\": \"complete\","
            " \"created\": 1e300}]"), "created" },
    { TALK ("[{\"id\": \"" HASH "\", \"parent\": null, \"role\": \"user\", \"mode\": \"chat\", \"status\": \"complete\", \"created\": 5,"
            " \"parts\": [{\"picture\": \"" HASH "\"}]}]"), "picture" },
    { TALK ("[{\"id\": \"" HASH "\", \"parent\": null, \"role\": \"user\", \"mode\": \"chat\", \"status\": \"complete\", \"created\": 5,"
            " \"parts\": [{\"text\": \"HARMFUL\"}]}]"), "names say" },
    { TALK ("[]"), "names say" },
  };
  g_autofree char *deep = g_strnfill (100000, '[');
  g_autofree char *zeros = g_malloc0 (72 * 1024 * 1024);
  char *dir = app_test_make_dir ();

  for (guint i = 0; i < G_N_ELEMENTS (talks); i++)
    {
      const Item items[] = { { "manifest.json", MANIFEST }, { PLACE, talks[i].json } };

      assert_refused (dir, items, 2, talks[i].says);
    }
  assert_refused (dir, (Item[]) { { "manifest.json", MANIFEST }, { PLACE, deep } }, 2, "JSON");
  assert_refused (dir, (Item[]) { { PLACE, zeros, 72 * 1024 * 1024, .deflate = TRUE } }, 1, "larger");
  assert_refused (dir, (Item[]) { { PLACE, zeros, 40 * 1024 * 1024, .deflate = TRUE }, { OTHER_PLACE, zeros, 40 * 1024 * 1024 } }, 2, "larger");
  assert_refused (dir, (Item[]) { { "manifest.json", MANIFEST }, { "../../HARMFUL", "HARMFUL" } }, 2, "does not belong");
  assert_refused (dir, (Item[]) { { "manifest.json", MANIFEST }, { "/tmp/HARMFUL", "HARMFUL" } }, 2, "does not belong");
  assert_refused (dir, (Item[]) { { "manifest.json", MANIFEST }, { "pictures/../../../x.png", "HARMFUL" } }, 2, "does not belong");
  assert_refused (dir, (Item[]) { { "manifest.json", MANIFEST }, { PLACE, "/etc/passwd", .link = TRUE } }, 2, "does not belong");
  assert_refused (dir, (Item[]) { { "manifest.json", MANIFEST }, { "pictures/" HASH ".png", "HARMFUL" } }, 2, "missing");
  assert_refused (dir, (Item[]) { { "manifest.json", MANIFEST }, { "manifest.json", MANIFEST } }, 2, "more than once");
  assert_refused (dir, (Item[]) { { "x", "y" } }, 1, "does not hold");
  app_test_remove_dir (dir);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/exchange-harm/cut", test_cut);
  g_test_add_func ("/exchange-harm/flip", test_flip);
  g_test_add_func ("/exchange-harm/healed", test_healed);
  g_test_add_func ("/exchange-harm/names", test_names);
  g_test_add_func ("/exchange-harm/hostile", test_hostile);
  return g_test_run ();
}
