/* SPDX-License-Identifier: MIT
 *
 * libsecret with one schema. See the header.
 */
#include "app/system/sl-secret.h"

#include <glib/gi18n-lib.h>
#include <libsecret/secret.h>

static const SecretSchema schema = {
  "io.github.sightline.Sightline", SECRET_SCHEMA_NONE,
  { { "purpose", SECRET_SCHEMA_ATTRIBUTE_STRING }, { "host", SECRET_SCHEMA_ATTRIBUTE_STRING } },
};

static gboolean
explain (GError **error,
         GError  *cause)
{
  if (cause == NULL)
    return TRUE;
  if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    g_propagate_error (error, cause);
  else
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, _("The keyring does not answer: %s"), cause->message);
      g_error_free (cause);
    }
  return FALSE;
}

char *
sl_secret_lookup (const char    *purpose,
                  const char    *host,
                  GCancellable  *cancellable,
                  GError       **error)
{
  GError *cause = NULL;
  char *secret = secret_password_lookup_nonpageable_sync (&schema, cancellable, &cause, "purpose", purpose, "host", host, NULL);

  return explain (error, cause) ? secret : NULL;
}

gboolean
sl_secret_store (const char    *purpose,
                 const char    *host,
                 const char    *label,
                 const char    *secret,
                 GCancellable  *cancellable,
                 GError       **error)
{
  GError *cause = NULL;

  if (secret == NULL || secret[0] == '\0')
    secret_password_clear_sync (&schema, cancellable, &cause, "purpose", purpose, "host", host, NULL);
  else
    secret_password_store_sync (&schema, SECRET_COLLECTION_DEFAULT, label, secret, cancellable, &cause, "purpose", purpose, "host",
                                host, NULL);
  return explain (error, cause);
}

void
sl_secret_free (char *secret)
{
  secret_password_free (secret);
}
