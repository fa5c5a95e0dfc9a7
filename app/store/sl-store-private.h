/* SPDX-License-Identifier: MIT
 *
 * What the parts of SlStore share: the operation that waits in the queue between the UI thread and the writer thread, the ways into
 * that queue, and what the two threads share. Included by sl-store*.c only.
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
  gboolean chore;  /* nothing of the user's is lost with it */
  char *text;
  gpointer record;
  GDestroyNotify free_record;
  GTask *task;
};

struct _SlStore
{
  GObject parent_instance;

  char *dir;
  GMainContext *context;
  GThread *thread;
  GArray *deletions; /* of (number, monotonic time), oldest first */

  /* the writer thread's */
  SlDatabase *database; /* NULL where there is none that can be read */
  gboolean writable;
  gint64 retry_at, patient_until; /* monotonic */

  /* shared */
  GMutex lock;
  GCond wake;    /* for the writer: work, or a reason to try again */
  GCond settled; /* for flush: the queue is empty or an attempt has failed */
  GQueue writes, reads;
  guint64 serial, attempts;
  gint64 last_id;
  SlStoreState state;
  guint n_opened;      /* how often, for who has to read anew */
  GTask *mend;         /* what the user wants to be done about the history, with an SlStoreMend */
  gboolean blocked;    /* the first write cannot be done */
  gboolean retry_now, closing;
  gboolean untidy;     /* a purge has left something for a quiet moment */
  gboolean unsaved;    /* something new waits while blocked */
  GError *failure;     /* why blocked */
  GError *damage;      /* of a part that was read; until it is opened anew */
  GError *refusal;     /* of a write that will never succeed; until the user has read it */
  char *notice;        /* until the user has read it */
  GArray *changed;     /* of gint64, to be signalled */
  GSource *source;     /* one pending call of the UI thread */

  /* as last signalled */
  char *error_text;
  int error_code;
  guint pending, told_opened;
  SlStoreState told_state;
  gboolean told_blocked;
};

/* The writer thread, with its SlStore: until it is closing and the queue is empty or blocked. */
gpointer sl_store_writer_main (gpointer self);
void     sl_store_op_free     (SlStoreOp *op);
/* Any thread, with the lock held: the UI thread looks at what has changed. */
void     sl_store_post_news   (SlStore *self);
/* With the lock held: writes in the queue that are the user's. */
guint    sl_store_count_pending (SlStore *self);

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

/* The same for one that is whole: it takes the place of one of its kind for the same rows at the end of the queue. */
void       sl_store_push_newest (SlStore   *self,
                                 SlStoreOp *op);

/* The writer thread: what a read has met. Damage is told to the user until it is mended. */
void       sl_store_report (SlStore      *self,
                            const GError *error);

G_END_DECLS
