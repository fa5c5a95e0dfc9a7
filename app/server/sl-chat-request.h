/* SPDX-License-Identifier: MIT
 *
 * SlChatRequest: the body of POST /v1/chat/completions, checked: what may be asked, with pictures still as the bytes that they came as.
 * Everything that the protocol knows and that cannot be done here is refused with a sentence, not ignored. Pure; any thread. It must
 * not know HTTP or the engine.
 */
#pragma once

#include <gio/gio.h>

#include "app/prompt/sl-prompt.h"

G_BEGIN_DECLS

/* What a request may cost. */
typedef struct
{
  gsize max_picture_bytes;
  guint max_pictures, max_messages;
  const char *const *picture_dirs; /* NULL-terminated: folders that file: addresses may name; NULL: none */
} SlChatLimits;

typedef struct
{
  SlRole role;
  GPtrArray *texts; /* of char *; NULL: the next picture */
} SlChatMessage;

typedef struct
{
  GBytes *bytes;
  SlDetail detail;
  SlPicture *picture; /* NULL until it is decoded */
} SlChatPicture;

typedef struct
{
  char *model;         /* NULL: not named */
  GPtrArray *messages; /* of SlChatMessage, at least one; a system message only first */
  GPtrArray *pictures; /* of SlChatPicture, in order */
  SlSettings settings;
  char **stop;         /* NULL-terminated, each not empty */
  guint top_logprobs;
  gboolean logprobs, stream, include_usage, special_tokens;
} SlChatRequest;

/* Errors: the HTTP status as the code, the protocol's "param" where one is to blame. */
typedef struct
{
  guint status;
  const char *type, *code; /* static; code may be NULL */
  char *param;             /* NULL: none */
  char *message;
} SlChatError;

void sl_chat_error_set (SlChatError *error, guint status, const char *code, const char *param, const char *format, ...) G_GNUC_PRINTF (5, 6);
void sl_chat_error_clear (SlChatError *error);
/* {"error": {"message", "type", "param", "code"}}, owned by the caller. */
char *sl_chat_error_dup_json (const SlChatError *error);

/* NULL with *error, which the caller clears. */
SlChatRequest *sl_chat_request_parse (const char *json, gsize length, const SlChatLimits *limits, SlChatError *error);
void sl_chat_request_free (SlChatRequest *self);

/* Once every picture is decoded. */
SlPrompt *sl_chat_request_make_prompt (const SlChatRequest *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlChatRequest, sl_chat_request_free)

G_END_DECLS
