/* SPDX-License-Identifier: MIT
 *
 * SlRemoteCheck: asks a server about a drawn picture whose answer is known, and says in words what is right and what is wrong: reachable,
 * key, model, pictures, marks of boxes, and where the boxes lie. The last measures which scale and axis order its numbers have. It sends
 * nothing of the user's. UI thread; the work is done on another. It must not know widgets.
 */
#pragma once

#include "app/remote/sl-remote-server.h"

G_BEGIN_DECLS

typedef enum
{
  SL_REMOTE_FINDING_GOOD,
  SL_REMOTE_FINDING_DOUBTFUL,
  SL_REMOTE_FINDING_BAD,
} SlRemoteFindingKind;

typedef struct
{
  SlRemoteFindingKind kind;
  char *sentence;
} SlRemoteFinding;

typedef struct
{
  GPtrArray *findings; /* of SlRemoteFinding, in the order in which they were made */
  char **models;       /* ids; NULL where the server did not tell */
  gboolean measured;   /* a box lay where it should in just one way to read it: */
  SlBoxSpace space;
} SlRemoteCheck;

/* key: NULL for the one in the keyring. */
void sl_remote_check_async (SlRemoteServer *server, const char *key, GCancellable *cancellable, GAsyncReadyCallback callback,
                            gpointer user_data);
/* NULL only if cancelled. (transfer full) */
SlRemoteCheck *sl_remote_check_finish (GAsyncResult *result, GError **error);
void sl_remote_check_free (SlRemoteCheck *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlRemoteCheck, sl_remote_check_free)

G_END_DECLS
