/* SPDX-License-Identifier: MIT
 *
 * What the parts of SlStore share: the operation that waits in the queue between the UI thread and the writer thread, and the ways into
 * that queue. Included by sl-store*.c only.
 */
#pragma once

#include "app/store/sl-database.h"
#include "app/store/sl-store.h"

G_BEGIN_DECLS

typedef struct _SlStoreOp SlStoreOp;
/* Run on the writer thread, which owns the database. A write that fails is tried again unless the row was refused; a read returns its
 * result through op->task. */
typedef gboolean (*SlStoreRunWrite) (SlDatabase *database, SlStoreOp *op, GError **error);
typedef void (*SlStoreRunRead) (SlDatabase *database, SlStoreOp *op);

struct _SlStoreOp
{
  SlStoreRunWrite write; /* one of the two */
  SlStoreRunRead read;
  guint64 serial;
  gint64 id, second; /* rows that it is about */
  gint64 changes;    /* conversation whose line in the list changes, 0 for none */
  guint number;
  gboolean flag;
  gboolean untidy; /* set by a write: sl_database_tidy() has to go on behind it */
  char *text;
  gpointer record;
  GDestroyNotify free_record;
  GTask *task;
};

/* UI thread. An operation that the caller completes and then pushes, which takes it. */
SlStoreOp *sl_store_write_op   (SlStoreRunWrite      run,
                                gint64               id);
SlStoreOp *sl_store_read_op    (SlStoreRunRead       run);
void       sl_store_push_write (SlStore             *self,
                                SlStoreOp           *op);
void       sl_store_push_read  (SlStore             *self,
                                SlStoreOp           *op,
                                gpointer             tag,
                                GCancellable        *cancellable,
                                GAsyncReadyCallback  callback,
                                gpointer             user_data);

/* UI thread. When something is deleted, as sl_database_delete_…() wants it; and the last of these numbers that is at least so many seconds
 * old, 0 for none. Seconds are those that have passed, whatever the clock says. */
gint64     sl_store_note_deletion        (SlStore *self);
gint64     sl_store_last_deletion_before (SlStore *self,
                                          guint    seconds);

/* A newer text takes the place of one that still waits at the end of the queue for the same row. FALSE: there is none. */
gboolean   sl_store_replace_write (SlStore         *self,
                                   SlStoreRunWrite  run,
                                   gint64           id,
                                   const char      *text);

/* Any thread: the sentence for "error-text". */
void       sl_store_report (SlStore      *self,
                            const GError *error);

G_END_DECLS
