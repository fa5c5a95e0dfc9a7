/* SPDX-License-Identifier: MIT
 *
 * Asks for the folder of a model: chosen, looked into, and its licence accepted. UI thread.
 */
#pragma once

#include "ui/models/sl-licence.h"

G_BEGIN_DECLS

/* sentence: why a folder is no model's. */
typedef void (*SlModelRefused) (const char *sentence,
                                gpointer    data);

/* A dialog over @parent whose button says @accept; then accepted (dir, data) or refused (sentence, data), neither where the user
 * declines or @parent is closed. destroy (data) comes at the end in any case. */
void sl_model_choose (GtkWindow         *parent,
                      const char        *accept,
                      SlLicenceAccepted  accepted,
                      SlModelRefused     refused,
                      gpointer           data,
                      GDestroyNotify     destroy);

G_END_DECLS
