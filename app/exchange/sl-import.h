/* SPDX-License-Identifier: MIT
 *
 * SlImport: conversations from files into a history: archives of Sightline (sl-archive.h), and what Open WebUI, ChatGPT, LM Studio and
 * Alpaca export or keep, with the pictures where the file or its neighbours hold them. What a file is, its content says.
 * The command line gives it a database, the window its store; it works on a thread that may wait. Nothing in a file is trusted: what
 * is wrong is a sentence, and the rest is imported.
 */
#pragma once

#include <gio/gio.h>

#include "app/exchange/sl-export.h"
#include "app/store/sl-store.h"

G_BEGIN_DECLS

typedef struct _SlImport SlImport;

/* A conversation that a file held. */
typedef struct
{
  SlMerge merge;
  char *title;
} SlImported;

/* One of both: a history that is open for writing, or one that the window has open, whose thread does the writing. */
SlImport *sl_import_new_for_database (SlDatabase *database, const char *dir);
SlImport *sl_import_new_for_store (SlStore *store);
void sl_import_free (SlImport *self);
void sl_import_set_progress (SlImport *self, SlExchangeProgress progress, gpointer user_data);

/* FALSE with error: it is no such file or cannot be read, the history cannot be written, or it was cancelled; what was imported until then
 * is there. May be called for several files. */
gboolean sl_import_file (SlImport *self, const char *path, GCancellable *cancellable, GError **error);

/* Of all files so far: SlImported, and sentences about what was not imported. Borrowed. */
GPtrArray *sl_import_get_conversations (SlImport *self);
GPtrArray *sl_import_get_faults (SlImport *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlImport, sl_import_free)

G_END_DECLS
