/* SPDX-License-Identifier: MIT
 *
 * See sl-remote-tokens.h.
 */
#include "app/remote/sl-remote-tokens.h"

#include <math.h>
#include <string.h>

static gboolean
tokens_are_text (const SlReply *reply,
                 gsize          length)
{
  gsize at = 0;

  for (guint i = 0; i < reply->tokens->len; i++)
    {
      const SlReplyToken *token = &g_array_index (reply->tokens, SlReplyToken, i);

      if (token->length > length - at || memcmp (reply->text + at, token->text, token->length) != 0)
        return FALSE;
      at += token->length;
    }
  return at == length;
}

gboolean
sl_remote_tokens_split (const SlReply *reply,
                        SlRemoteMark   mark,
                        gpointer       user_data)
{
  gsize length = reply->text != NULL ? strlen (reply->text) : 0;
  float sum = reply->tokens != NULL && reply->tokens->len > 0 ? 0 : NAN;

  if (length == 0)
    return FALSE;
  if (reply->tokens != NULL && tokens_are_text (reply, length))
    {
      for (guint i = 0; i < reply->tokens->len; i++)
        {
          const SlReplyToken *token = &g_array_index (reply->tokens, SlReplyToken, i);

          mark (token->text, token->length, token->logprob, user_data);
        }
      return TRUE;
    }
  for (guint i = 0; reply->tokens != NULL && i < reply->tokens->len; i++)
    sum += g_array_index (reply->tokens, SlReplyToken, i).logprob;
  mark (reply->text, length, sum, user_data);
  return FALSE;
}

void
sl_remote_tokens_note_coordinates (const SlReply *reply,
                                   guint          first,
                                   guint          n_tokens,
                                   SlGeneration  *record)
{
  for (guint i = 0; reply->coordinates != NULL && i < reply->coordinates->len; i++)
    {
      SlCoordinate coordinate = g_array_index (reply->coordinates, SlCoordinate, i);

      coordinate.token += first;
      if (coordinate.token < n_tokens)
        sl_generation_add_coordinate (record, &coordinate, FALSE);
    }
}
