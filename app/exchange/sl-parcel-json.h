/* SPDX-License-Identifier: MIT
 *
 * A parcel as JSON: what an archive (sl-archive.h) holds of each conversation. The same conversation is always the same bytes, whatever
 * history it comes from: names by content (sl-content-id.h) stand for row ids, and a model's folder begins with "~" where it
 * lies below the user's own. docs/exchange.md describes the format. Pure functions, any thread. It must not know archives.
 */
#pragma once

#include <gio/gio.h>

#include "app/store/sl-content-id.h"
#include "app/store/sl-parcel.h"

G_BEGIN_DECLS

#define SL_PARCEL_VERSION 1

/* (transfer full), UTF-8, *length bytes. */
char *sl_parcel_to_json (const SlParcel *self, const SlContentIds *names, gsize *length);

/* What is said of the pictures, without bytes. NULL with G_IO_ERROR_INVALID_DATA and part of a sentence (“what is wrong”) where anything in
 * it is not what it should be, or the content is not what the names say. */
SlParcel *sl_parcel_from_json (const char *text, gsize length, GError **error);

G_END_DECLS
