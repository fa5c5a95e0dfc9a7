/* SPDX-License-Identifier: MIT
 *
 * SlRemoteServer: an engine that runs elsewhere, as the user described it: where it is, which model, what kind of server, and what its
 * numbers mean. Immutable once made but by its owner's thread, reference counted; the key is no part of it (app/system/sl-secret.h).
 * SlRemoteTraits: what is known of a kind of server, from the sources that docs/servers.md names. It must not know HTTP.
 */
#pragma once

#include <gio/gio.h>

#include "app/prompt/sl-box-space.h"

G_BEGIN_DECLS

/* Kept by nick: the order is free. */
typedef enum
{
  SL_REMOTE_OTHER,
  SL_REMOTE_SIGHTLINE, /* sightline-cli serve */
  SL_REMOTE_VLLM,
  SL_REMOTE_SGLANG,
  SL_REMOTE_LMDEPLOY,
  SL_REMOTE_DEEPSEEK, /* DeepSeek's own service */
} SlRemotePreset;
#define SL_N_REMOTE_PRESETS 6

/* How the modes Find and Ground are put to the model. */
typedef enum
{
  SL_REMOTE_ASK_MARKS, /* as DeepSeek-VL2 was taught: <|ref|>x<|/ref|>, <|grounding|> */
  SL_REMOTE_ASK_WIDE,  /* in words, with DeepSeek-V4.1's marks for the answer */
  SL_REMOTE_ASK_JSON,  /* in words, with "bbox_2d" objects for the answer */
} SlRemoteAsk;

typedef struct
{
  const char *nick, *name;    /* "vllm", "vLLM" */
  const char *start;          /* the command that starts it with DeepSeek-VL2; NULL */
  const char *template_name;  /* of data/servers/: makes the official prompt; NULL */
  const char *versions;       /* that were tried, and how; "" */
  gboolean    skips_special;  /* the fields skip_special_tokens and spaces_between_special_tokens are known and have to be false */
  gboolean    samples_more;   /* top_k and repetition_penalty are known */
  gboolean    seeds;          /* seed is known */
  gboolean    ours;           /* constrain_boxes and the detail of a picture are known; boxes are written as DeepSeek-VL2 does */
  gboolean    continues;      /* an answer can be gone on with (continue_final_message) */
  gboolean    pictures_first; /* all pictures of a conversation are moved to its front */
  gboolean    picture_token;  /* "<IMAGE_TOKEN>" says in the text where a picture is; only the first text of a message counts */
  gboolean    repeats_roles;  /* earlier answers are replayed as the user's */
  SlRemoteAsk ask;
  guint       max_pictures;   /* of a prompt; 0: not known */
  gsize       max_picture_bytes;
} SlRemoteTraits;

const SlRemoteTraits *sl_remote_preset_get_traits (SlRemotePreset preset);
gboolean sl_remote_preset_from_nick (const char *nick, SlRemotePreset *preset);
/* What is different there from DeepSeek-VL2's own code: sentences for people, translated; "" for nothing known. */
const char *sl_remote_preset_get_warning (SlRemotePreset preset);

typedef struct
{
  gatomicrefcount refs;
  char *id;               /* never changes; what a conversation keeps */
  char *name;             /* the user's */
  char *address;          /* "https://host:port/v1", normal form */
  char *model;            /* "" where the server has one only */
  char *ca_file;          /* PEM that its certificate is checked with instead of the system's; NULL */
  SlRemotePreset preset;
  SlRemoteAsk ask;
  SlBoxSpace space;       /* scale and order */
  guint max_pictures;     /* 0: the preset's */
  gboolean plain_allowed; /* plain http to another computer was agreed to */
  gboolean confirmed;     /* that pictures go there was agreed to */
} SlRemoteServer;

/* With an id of its own, the preset's way to ask and no address. */
SlRemoteServer *sl_remote_server_new (SlRemotePreset preset);
SlRemoteServer *sl_remote_server_copy (const SlRemoteServer *self); /* the same id; to be changed */
SlRemoteServer *sl_remote_server_ref (SlRemoteServer *self);
void sl_remote_server_unref (SlRemoteServer *self);

/* The normal form: http or https, a host, no user, query or fragment, "/v1" where there is no path; what people paste behind it
 * ("/chat/completions", "/") goes. NULL with a sentence. (transfer full) */
char *sl_remote_server_normalise (const char *given, GError **error);
/* May a request go to this address? FALSE with G_IO_ERROR_PERMISSION_DENIED for plain http to another computer without leave. */
gboolean sl_remote_server_check (const SlRemoteServer *self, GError **error);
/* "host" or "host:port", as people know it. (transfer full) */
char *sl_remote_server_dup_host (const SlRemoteServer *self);
gboolean sl_remote_server_is_loopback (const SlRemoteServer *self);
guint sl_remote_server_get_max_pictures (const SlRemoteServer *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlRemoteServer, sl_remote_server_unref)

G_END_DECLS
