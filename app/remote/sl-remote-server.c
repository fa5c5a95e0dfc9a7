/* SPDX-License-Identifier: MIT
 *
 * Kinds of servers, and one of them as the user described it. See the header; docs/servers.md says where each fact comes from.
 */
#include "app/remote/sl-remote-server.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "app/hub/sl-http.h"

#define MIB (1024 * 1024)

static const SlRemoteTraits traits[SL_N_REMOTE_PRESETS] = {
  [SL_REMOTE_OTHER] = { .nick = "other", .name = N_("Other"), .versions = "llama-cpp-python 0.3", .seeds = TRUE,
                        .ask = SL_REMOTE_ASK_JSON, .max_picture_bytes = 20 * MIB },
  [SL_REMOTE_SIGHTLINE] = { .nick = "sightline", .name = "Sightline", .start = "sightline-cli serve --model DIR", .versions = SL_VERSION,
                            .samples_more = TRUE, .seeds = TRUE, .skips_special = TRUE, .ours = TRUE, .continues = TRUE,
                            .ask = SL_REMOTE_ASK_MARKS, .max_picture_bytes = 32 * MIB },
  [SL_REMOTE_VLLM] = { .nick = "vllm", .name = "vLLM",
                       .start = "vllm serve deepseek-ai/deepseek-vl2-tiny --hf-overrides "
                                "'{\"architectures\":[\"DeepseekVLV2ForCausalLM\"]}' --max-model-len 4096 --limit-mm-per-prompt "
                                "'{\"image\":8}' --chat-template deepseek-vl2.jinja",
                       .template_name = "deepseek-vl2.jinja", .versions = "0.33.0", .skips_special = TRUE, .samples_more = TRUE,
                       .seeds = TRUE, .continues = TRUE, .ask = SL_REMOTE_ASK_MARKS, .max_pictures = 8, .max_picture_bytes = 32 * MIB },
  [SL_REMOTE_SGLANG] = { .nick = "sglang", .name = "SGLang",
                         .start = "python -m sglang.launch_server --model-path deepseek-ai/deepseek-vl2-tiny", .versions = "0.5.23",
                         .skips_special = TRUE, .samples_more = TRUE, .seeds = TRUE, .continues = TRUE,
                         .pictures_first = TRUE, .ask = SL_REMOTE_ASK_MARKS,
                         .max_picture_bytes = 32 * MIB },
  [SL_REMOTE_LMDEPLOY] = { .nick = "lmdeploy", .name = "LMDeploy",
                           .start = "lmdeploy serve api_server deepseek-ai/deepseek-vl2-tiny --backend pytorch",
                           .versions = "0.18.0", .skips_special = TRUE, .samples_more = TRUE, .seeds = TRUE, .picture_token = TRUE,
                           .repeats_roles = TRUE, .ask = SL_REMOTE_ASK_MARKS, .max_picture_bytes = 32 * MIB },
  [SL_REMOTE_DEEPSEEK] = { .nick = "deepseek", .name = "DeepSeek", .versions = "", .ask = SL_REMOTE_ASK_WIDE, .max_pictures = 600,
                           .max_picture_bytes = 32 * MIB },
};

const SlRemoteTraits *
sl_remote_preset_get_traits (SlRemotePreset preset)
{
  return &traits[preset];
}

gboolean
sl_remote_preset_from_nick (const char     *nick,
                            SlRemotePreset *preset)
{
  for (guint i = 0; i < SL_N_REMOTE_PRESETS; i++)
    if (g_strcmp0 (nick, traits[i].nick) == 0)
      {
        *preset = i;
        return TRUE;
      }
  return FALSE;
}

const char *
sl_remote_preset_get_warning (SlRemotePreset preset)
{
  switch (preset)
    {
    case SL_REMOTE_VLLM:
      return _("vLLM reads tiles of 392 pixels where DeepSeek-VL2 has 384, so answers differ a little from those of this computer. "
               "Start it with the chat template below, or its prompt is not the official one.");
    case SL_REMOTE_SGLANG:
      return _("SGLang moves all pictures to the front of a prompt: text between pictures loses its place. It stops at “User:” "
               "and reads tiles of 392 pixels where DeepSeek-VL2 has 384.");
    case SL_REMOTE_LMDEPLOY:
      return _("LMDeploy replays earlier answers as if the user had said them: ask in new conversations. Version 0.18.0 cannot start "
               "with DeepSeek-VL2: it wants a transformers older than its own package allows.");
    case SL_REMOTE_DEEPSEEK:
      return _("DeepSeek's service takes pictures in questions only, up to 32 MiB each. The scale of its boxes is not documented: "
               "calibrate it.");
    case SL_REMOTE_OTHER:
    case SL_REMOTE_SIGHTLINE:
    default:
      return "";
    }
}

/* ------------------------------------------------------------------------------------------------ one server */

SlRemoteServer *
sl_remote_server_new (SlRemotePreset preset)
{
  SlRemoteServer *self = g_new0 (SlRemoteServer, 1);

  g_atomic_ref_count_init (&self->refs);
  self->id = g_uuid_string_random ();
  self->name = g_strdup (traits[preset].name);
  self->address = g_strdup ("");
  self->model = g_strdup ("");
  self->preset = preset;
  self->ask = traits[preset].ask;
  return self;
}

SlRemoteServer *
sl_remote_server_copy (const SlRemoteServer *self)
{
  SlRemoteServer *copy = g_memdup2 (self, sizeof *self);

  g_atomic_ref_count_init (&copy->refs);
  copy->id = g_strdup (self->id);
  copy->name = g_strdup (self->name);
  copy->address = g_strdup (self->address);
  copy->model = g_strdup (self->model);
  copy->ca_file = g_strdup (self->ca_file);
  return copy;
}

SlRemoteServer *
sl_remote_server_ref (SlRemoteServer *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
sl_remote_server_unref (SlRemoteServer *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  g_free (self->id);
  g_free (self->name);
  g_free (self->address);
  g_free (self->model);
  g_free (self->ca_file);
  g_free (self);
}

/* ------------------------------------------------------------------------------------------------ addresses */

static void
cut_end (char       *path,
         const char *end)
{
  gsize length = strlen (path), n = strlen (end);

  if (length >= n && strcmp (path + length - n, end) == 0)
    path[length - n] = '\0';
}

char *
sl_remote_server_normalise (const char  *given,
                            GError     **error)
{
  g_autofree char *text = g_strstrip (g_strdup (given));
  g_autoptr (GUri) uri = g_uri_parse (text, G_URI_FLAGS_HAS_PASSWORD | G_URI_FLAGS_SCHEME_NORMALIZE, NULL);
  const char *scheme = uri != NULL ? g_uri_get_scheme (uri) : NULL;
  g_autofree char *path = NULL;

  if (uri == NULL || (g_strcmp0 (scheme, "http") != 0 && g_strcmp0 (scheme, "https") != 0) || g_uri_get_host (uri) == NULL
      || g_uri_get_host (uri)[0] == '\0')
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, _("“%s” is not an address such as https://host:8000/v1."), text);
  else if (g_uri_get_userinfo (uri) != NULL || g_uri_get_query (uri) != NULL || g_uri_get_fragment (uri) != NULL)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                 _("The address of an engine holds neither a user nor a password nor a question mark; the key has a place of its own."));
  else
    {
      g_autoptr (GUri) normal = NULL;

      path = g_strdup (g_uri_get_path (uri));
      for (gsize before = 0; before != strlen (path);)
        {
          before = strlen (path);
          cut_end (path, "/");
          cut_end (path, "/chat/completions");
          cut_end (path, "/models");
        }
      normal = g_uri_build (G_URI_FLAGS_NONE, scheme, NULL, g_uri_get_host (uri), g_uri_get_port (uri), path[0] != '\0' ? path : "/v1",
                            NULL, NULL);
      return g_uri_to_string (normal);
    }
  return NULL;
}

static GUri *
parse_address (const SlRemoteServer *self)
{
  return g_uri_parse (self->address, G_URI_FLAGS_NONE, NULL);
}

gboolean
sl_remote_server_is_loopback (const SlRemoteServer *self)
{
  g_autoptr (GUri) uri = parse_address (self);

  return uri != NULL && sl_http_is_loopback (g_uri_get_host (uri));
}

char *
sl_remote_server_dup_host (const SlRemoteServer *self)
{
  g_autoptr (GUri) uri = parse_address (self);

  if (uri == NULL)
    return g_strdup (self->address);
  return g_uri_get_port (uri) > 0 ? g_strdup_printf ("%s:%d", g_uri_get_host (uri), g_uri_get_port (uri))
                                  : g_strdup (g_uri_get_host (uri));
}

gboolean
sl_remote_server_check (const SlRemoteServer  *self,
                        GError               **error)
{
  g_autofree char *host = sl_remote_server_dup_host (self);

  if (g_str_has_prefix (self->address, "https://") || sl_remote_server_is_loopback (self) || self->plain_allowed)
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
               _("The connection to %s would not be encrypted: everybody on the way could read pictures, answers and the key."), host);
  return FALSE;
}

guint
sl_remote_server_get_max_pictures (const SlRemoteServer *self)
{
  return self->max_pictures > 0 ? self->max_pictures : traits[self->preset].max_pictures;
}
