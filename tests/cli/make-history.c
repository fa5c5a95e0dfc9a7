/* SPDX-License-Identifier: MIT
 *
 * Writes a small history for the tests of `sightline-cli history`: make-history DIR PICTURE. One conversation: a Find question
 * about the picture and its answer with a box; the question was edited once, so that one message is not on the shown path.
 */
#include <stdio.h>

#include "app/store/sl-database.h"
#include "app/conversation/sl-message-part.h"
#include "app/pictures/sl-picture.h"

#define CONVERSATION 1000

static void
add_text (SlMessageRecord *message,
          const char      *text)
{
  SlPartRecord *part = sl_part_record_new (SL_PART_TEXT);

  part->text = g_strdup (text);
  g_ptr_array_add (message->parts, part);
}

static void
add_picture (SlMessageRecord *message,
             SlPicture       *picture)
{
  SlPartRecord *part = sl_part_record_new (SL_PART_PICTURE);

  part->sha256 = g_strdup (sl_picture_get_sha256 (picture));
  part->mime_type = g_strdup (sl_picture_get_mime_type (picture));
  part->extension = g_strdup (sl_picture_get_extension (picture));
  part->name = g_strdup (sl_picture_get_name (picture));
  part->width = sl_picture_get_width (picture);
  part->height = sl_picture_get_height (picture);
  part->bytes = g_bytes_ref (sl_picture_get_bytes (picture));
  g_ptr_array_add (message->parts, part);
}

static SlMessageRecord *
create_message (gint64 id,
                gint64 parent,
                SlRole role)
{
  SlMessageRecord *message = sl_message_record_new ();

  message->id = id;
  message->conversation = CONVERSATION;
  message->parent = parent;
  message->role = role;
  message->created = G_GINT64_CONSTANT (1700000000) * G_USEC_PER_SEC;

  return message;
}

static SlMessageRecord *
create_answer (SlPicture *picture)
{
  SlMessageRecord *message = create_message (3, 2, SL_ROLE_ASSISTANT);
  SlBoxRecord *box = sl_box_record_new ();

  add_text (message, "<|ref|>红色的圆<|/ref|><|det|>[[10, 20, 300, 400]]<|/det|>");
  box->id = 77;
  box->label = g_strdup ("红色的圆");
  box->picture = g_strdup (sl_picture_get_sha256 (picture));
  memcpy (box->coords, (int[]) { 10, 20, 300, 400 }, sizeof box->coords);
  g_ptr_array_add (message->boxes, box);

  return message;
}

int
main (int    argc,
      char **argv)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GFile) file = g_file_new_for_path (argv[2]);
  g_autoptr(SlPicture) picture = sl_picture_new_from_file (file, NULL, &error);
  g_autoptr(SlDatabase) database = picture != NULL ? sl_database_open (argv[1], SL_DATABASE_WRITE, &error) : NULL;
  g_autoptr(SlConversationRecord) conversation = sl_conversation_record_new ();
  g_autoptr(SlMessageRecord) old = create_message (1, 0, SL_ROLE_USER);
  g_autoptr(SlMessageRecord) question = create_message (2, 0, SL_ROLE_USER);
  g_autoptr(SlMessageRecord) answer = NULL;

  if (database != NULL)
    {
      conversation->id = CONVERSATION;
      conversation->created = conversation->updated = G_GINT64_CONSTANT (1700000000) * G_USEC_PER_SEC;
      conversation->title = g_strdup ("圆形 and <b>");
      add_text (old, "before the edit");
      add_picture (question, picture);
      add_text (question, "红色的圆");
      question->mode = SL_MODE_FIND;
      question->ordinal = 1;
      answer = create_answer (picture);
    }

  if (database == NULL || !sl_database_put_conversation (database, conversation, &error) ||
      !sl_database_put_message (database, old, TRUE, &error) || !sl_database_put_message (database, question, TRUE, &error) ||
      !sl_database_put_message (database, answer, TRUE, &error))
    {
      fprintf (stderr, "%s\n", error->message);
      return 1;
    }

  return 0;
}
