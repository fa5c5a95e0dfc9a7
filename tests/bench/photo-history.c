/* SPDX-License-Identifier: MIT
 *
 * A history with one conversation about photographs: photo-history DIR COUNT WIDTH HEIGHT. Each photograph has a question, and an
 * answer with a box on it. Prints the conversation's id. Called by budget.py and the soak test before the window is started.
 */
#include <gdk-pixbuf/gdk-pixbuf.h>
#include <stdlib.h>
#include <string.h>

#include "app/store/sl-store.h"

#define ANSWER "<|ref|>the spot<|/ref|><|det|>[[250, 250, 750, 750]]<|/det|>"

/* As rough as a photograph, so that its JPEG is about as large. */
static GBytes *
make_jpeg (int      width,
           int      height,
           GError **error)
{
  g_autoptr (GdkPixbuf) pixbuf = gdk_pixbuf_new (GDK_COLORSPACE_RGB, FALSE, 8, width, height);
  g_autoptr (GRand) random = g_rand_new_with_seed (1);
  guchar *pixels = gdk_pixbuf_get_pixels (pixbuf);
  int stride = gdk_pixbuf_get_rowstride (pixbuf);
  char *data;
  gsize size;

  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++)
      {
        guint32 noise = g_rand_int (random);
        guchar *at = pixels + (gsize) y * stride + (gsize) x * 3;

        at[0] = 64 + 127 * x / width + (noise & 15);
        at[1] = 64 + 127 * y / height + (noise >> 8 & 15);
        at[2] = 64 + (x / 64 + y / 64) % 2 * 100 + (noise >> 16 & 15);
      }
  if (!gdk_pixbuf_save_to_buffer (pixbuf, &data, &size, "jpeg", error, "quality", "90", NULL))
    return NULL;
  return g_bytes_new_take (data, size);
}

/* The same pixels as other bytes: a comment after the first mark. */
static GBytes *
number_jpeg (GBytes *jpeg,
             guint8  number)
{
  const guint8 comment[] = { 0xff, 0xfe, 0, 3, number };
  GByteArray *numbered = g_byte_array_new ();
  gsize size;
  const guint8 *data = g_bytes_get_data (jpeg, &size);

  g_byte_array_append (numbered, data, 2);
  g_byte_array_append (numbered, comment, sizeof comment);
  g_byte_array_append (numbered, data + 2, size - 2);
  return g_byte_array_free_to_bytes (numbered);
}

static SlMessageRecord *
new_message (SlStore *store,
             gint64   conversation,
             gint64   parent,
             SlRole   role)
{
  SlMessageRecord *message = sl_message_record_new ();

  message->id = message->created = sl_store_new_id (store);
  message->conversation = conversation;
  message->parent = parent;
  message->role = role;
  message->mode = SL_MODE_FIND;
  return message;
}

static void
add_text (SlMessageRecord *message,
          const char      *text)
{
  SlPartRecord *part = sl_part_record_new (SL_PART_TEXT);

  part->text = g_strdup (text);
  g_ptr_array_add (message->parts, part);
}

static char *
add_photo (SlMessageRecord *message,
           GBytes          *bytes,
           guint            number,
           int              width,
           int              height)
{
  SlPartRecord *part = sl_part_record_new (SL_PART_PICTURE);

  part->bytes = g_bytes_ref (bytes);
  part->sha256 = g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, bytes);
  part->mime_type = g_strdup ("image/jpeg");
  part->extension = g_strdup ("jpg");
  part->name = g_strdup_printf ("photo-%u.jpg", number);
  part->width = width;
  part->height = height;
  g_ptr_array_add (message->parts, part);
  return g_strdup (part->sha256);
}

static void
add_box (SlStore         *store,
         SlMessageRecord *message)
{
  SlBoxRecord *box = sl_box_record_new ();

  box->id = sl_store_new_id (store);
  box->kind = SL_BOX_KIND_MODEL;
  box->label = g_strdup ("the spot");
  box->picture = g_strdup (message->box_picture);
  box->coords[0] = box->coords[1] = 250;
  box->coords[2] = box->coords[3] = 750;
  box->end = strlen (ANSWER);
  g_ptr_array_add (message->boxes, box);
}

/* One turn below the message `parent`; its answer. */
static gint64
put_turn (SlStore *store,
          gint64   conversation,
          gint64   parent,
          GBytes  *photo,
          guint    number,
          int      width,
          int      height)
{
  g_autoptr (SlMessageRecord) question = new_message (store, conversation, parent, SL_ROLE_USER);
  g_autoptr (SlMessageRecord) answer = new_message (store, conversation, question->id, SL_ROLE_ASSISTANT);

  answer->box_picture = add_photo (question, photo, number, width, height);
  add_text (question, "the spot");
  add_text (answer, ANSWER);
  add_box (store, answer);
  sl_store_put_message (store, question, TRUE);
  sl_store_put_message (store, answer, TRUE);
  return answer->id;
}

int
main (int    argc,
      char **argv)
{
  g_autoptr (SlConversationRecord) conversation = sl_conversation_record_new ();
  g_autoptr (SlStore) store = NULL;
  g_autoptr (GBytes) jpeg = NULL;
  g_autoptr (GError) error = NULL;
  gint64 last = 0;

  if (argc != 5)
    {
      g_printerr ("photo-history DIR COUNT WIDTH HEIGHT\n");
      return 2;
    }
  jpeg = make_jpeg (atoi (argv[3]), atoi (argv[4]), &error);
  store = jpeg != NULL ? sl_store_new (argv[1]) : NULL;
  if (store == NULL)
    {
      g_printerr ("%s\n", error->message);
      return 1;
    }
  conversation->id = conversation->created = conversation->updated = sl_store_new_id (store);
  conversation->title = g_strdup ("Photographs");
  sl_store_put_conversation (store, conversation);
  for (int i = 0; i < atoi (argv[2]); i++)
    {
      g_autoptr (GBytes) photo = number_jpeg (jpeg, i);

      last = put_turn (store, conversation->id, last, photo, i + 1, atoi (argv[3]), atoi (argv[4]));
    }
  if (!sl_store_close (store, &error))
    {
      g_printerr ("%s\n", error->message);
      return 1;
    }
  g_print ("%" G_GINT64_FORMAT "\n", conversation->id);
  return 0;
}
