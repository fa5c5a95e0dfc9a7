/* SPDX-License-Identifier: MIT
 *
 * The main window: conversation list, chat, composer, picture viewer. Ties the
 * widgets to the application's history and engine; everything a user can do is an
 * action here. Owned by SlApplication; UI thread only.
 */
#pragma once

#include "app/history/sl-history.h"
#include "app/inference/sl-engine.h"
#include "app/inference/sl-models.h"
#include "app/remote/sl-remotes.h"
#include "app/server/sl-server-switch.h"

#include <adwaita.h>

G_BEGIN_DECLS

#define SL_TYPE_WINDOW (sl_window_get_type ())

G_DECLARE_FINAL_TYPE (SlWindow, sl_window, SL, WINDOW, AdwApplicationWindow)

SlWindow *sl_window_new (GtkApplication *application,
                         SlEngine       *engine,
                         SlStore        *store,
                         SlHistory      *history,
                         SlModels       *models,
                         SlRemotes      *remotes,
                         SlServerSwitch *server);

/* Puts pictures (GFile) into the composer. */
void sl_window_add_files (SlWindow   *self,
                          GListModel *files);

/* Shows this conversation, and where @message is not 0 that message of it. */
void sl_window_open (SlWindow *self,
                     gint64    id,
                     gint64    message);

/* Opens the list's search; query: what to look for, NULL leaves what is there. */
void sl_window_search (SlWindow   *self,
                       const char *query);

/* Loads a checkpoint; @remember: also at the next start. */
void sl_window_load_model (SlWindow   *self,
                           const char *dir,
                           gboolean    remember);

/* Loads a model that has just come and asks it the first sample in a new conversation, where the model of this computer answers. */
void sl_window_try_model (SlWindow   *self,
                          const char *dir);

/* Loads the one that was remembered or, while its folder is away, the bundled one, which is then said; nothing, if the user was
 * faster. */
void sl_window_load_start_model (SlWindow *self);

void sl_window_toast (SlWindow   *self,
                      const char *sentence);

/* A sentence that stays until it is dismissed. */
void sl_window_warn (SlWindow   *self,
                     const char *sentence);

G_END_DECLS
