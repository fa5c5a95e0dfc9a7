/* SPDX-License-Identifier: MIT
 *
 * What the readers of formats share: the ways into the history and to the sentences. Included by the readers in app/exchange/ only; the
 * thread that imports.
 */
#pragma once

#include "app/exchange/sl-import.h"
#include "app/store/sl-parcel.h"

G_BEGIN_DECLS

/* A sentence about what was not imported. After the first hundred they are counted only. */
void sl_import_add_fault (SlImport *self, const char *format, ...) G_GNUC_PRINTF (2, 3);
/* What a user calls the file that is read now. */
const char *sl_import_get_name (SlImport *self);
GCancellable *sl_import_get_cancellable (SlImport *self);
void sl_import_tell (SlImport *self, double fraction);

/* The file of a picture, before the parcels that name it; the history has one of that name already. */
gboolean sl_import_put_picture (SlImport *self, SlPartRecord *picture, GError **error);
gboolean sl_import_has_picture (SlImport *self, const char *sha256, const char *extension);
/* Notes what became of it. Takes the parcel. */
gboolean sl_import_merge (SlImport *self, SlParcel *parcel, GError **error);

/* The readers: FALSE as sl_import_file(). */
gboolean sl_import_archive (SlImport *self, const char *path, GError **error);

G_END_DECLS
