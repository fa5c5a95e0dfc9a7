/* SPDX-License-Identifier: MIT
 *
 * SlConversation: one conversation: a GListModel of SlMessage along the active path of its message tree, and everything that a
 * user can do to it. It ties the store and the engine together: each change is queued to the store at once, an answer is
 * saved while it streams (twice a second and at its end), so that a crash leaves it as INTERRUPTED.
 * UI thread. Made by SlHistory, which keeps one object per conversation. It must not know GTK.
 *
 * Every operation works in memory at once; when the store cannot write, SlStore's "error-text" says so and nothing is lost
 * while the program lives. Errors returned here are misuse by the user (nothing to send, still answering).
 */
#pragma once

#include <gio/gio.h>

#include "app/conversation/sl-message.h"
#include "app/inference/sl-answerer.h"
#include "app/inference/sl-engine.h"
#include "app/prompt/sl-choices.h"
#include "app/store/sl-records.h"

G_BEGIN_DECLS

#define SL_TYPE_CONVERSATION (sl_conversation_get_type ())
G_DECLARE_FINAL_TYPE (SlConversation, sl_conversation, SL, CONVERSATION, GObject)

/* Properties (notify): "title" (string, "" until named), "busy" (gboolean: an answer is queued or streaming), "system-text"
 * (string), "n-pictures" (guint: on the active path). Signal choices-changed (). */

gint64 sl_conversation_get_id (SlConversation *self);
const char *sl_conversation_get_title (SlConversation *self);
/* As sl_history_rename(). */
void sl_conversation_set_title (SlConversation *self, const char *title);
/* A system message before all others; "" for none. */
const char *sl_conversation_get_system_text (SlConversation *self);
void sl_conversation_set_system_text (SlConversation *self, const char *text);
/* Who is asked from the next question on; remembered by its id. NULL: this computer's engine, which is asked until another is set, also
 * in a conversation that was opened: whoever shows it finds the engine with the id that it had. */
SlAnswerer *sl_conversation_get_answerer (SlConversation *self);
const char *sl_conversation_get_engine_id (SlConversation *self);
void sl_conversation_set_answerer (SlConversation *self, SlAnswerer *answerer);
gboolean sl_conversation_is_busy (SlConversation *self);
/* The answer being made, NULL unless busy. It may lie on a branch that is not shown. */
SlMessage *sl_conversation_get_answering (SlConversation *self);
/* What is chosen in the place of what a mode starts from; "choices-changed" is emitted. */
const SlChoices *sl_conversation_get_choices (SlConversation *self);
void sl_conversation_set_choices (SlConversation *self, const SlChoices *choices);
/* The settings of the next answer: the mode's, with what is chosen. */
SlSettings sl_conversation_get_settings (SlConversation *self, SlMode mode);
/* Pictures on the active path. */
guint sl_conversation_get_n_pictures (SlConversation *self);
/* Their parts, in order: (transfer container) array of SlMessagePart. until: those down to this message, which may lie on another path. */
GPtrArray *sl_conversation_list_pictures (SlConversation *self, SlMessage *until);
/* The one that an answer's boxes lie on, the last where it was sent twice (borrowed); NULL where they lie on none. */
SlMessagePart *sl_conversation_find_picture (SlConversation *self, SlMessage *answer);

/* Asks: appends the user's message (parts: SlMessagePart in order, text and pictures; referenced) and an answer that streams.
 * settings NULL: sl_conversation_get_settings(). Returns the answer (borrowed), or NULL with error: nothing to send, or busy. */
SlMessage *sl_conversation_send (SlConversation *self, GPtrArray *parts, SlMode mode, gboolean raw,
                                 const SlSettings *settings, GError **error);
/* The same as the first message of a branch of its own: nothing of the conversation is read with it. */
SlMessage *sl_conversation_ask_apart (SlConversation *self, GPtrArray *parts, SlMode mode, GError **error);
/* Another answer beside this one (which is kept as an alternative), or an answer to a question that has none. settings NULL: as
 * for the next one. */
SlMessage *sl_conversation_regenerate (SlConversation *self, SlMessage *answer, const SlSettings *settings, GError **error);
/* Asks again with a changed question, on a new branch; the old one is kept as an alternative. */
SlMessage *sl_conversation_edit (SlConversation *self, SlMessage *question, GPtrArray *parts, SlMode mode, gboolean raw,
                                 const SlSettings *settings, GError **error);
/* Writes on at the end of the last answer (stopped, interrupted or out of tokens). */
gboolean sl_conversation_continue (SlConversation *self, SlMessage *answer, const SlSettings *settings, GError **error);
/* Goes through a finished answer again, token by token as it was written, to learn what the model looked at: the job's record has
 * the attention of every token to every picture before it (sl_generation_get_attention), in grids whose longer side has `cells`
 * cells. Nothing in the conversation changes. The caller owns the job; NULL with error: no model is loaded, another one than the
 * answer's, or the answer's tokens were not all recorded. */
SlJob *sl_conversation_replay (SlConversation *self, SlMessage *answer, guint cells, GError **error);
/* Stops the answer being made; what it said is kept. */
void sl_conversation_stop (SlConversation *self);

/* Shows another alternative of this message (and the newest path below it). position < n-siblings. */
void sl_conversation_select_sibling (SlConversation *self, SlMessage *message, guint position);
/* The message with this id (borrowed), on whatever branch; NULL if there is none (any more). */
SlMessage *sl_conversation_find (SlConversation *self, gint64 id);
/* The message with this id (borrowed), on a path that is shown, which may be another one than before; NULL if it is not there. */
SlMessage *sl_conversation_reveal (SlConversation *self, gint64 id);
/* Removes the message and everything below it; the previous alternative is shown where there is one. The last deletion can be
 * undone for SL_UNDO_SECONDS, for which the conversation lives; then it is really gone. undo: FALSE where there is nothing to undo. */
#define SL_UNDO_SECONDS 12
void sl_conversation_delete (SlConversation *self, SlMessage *message);
gboolean sl_conversation_undo_delete (SlConversation *self);

/* What sl_conversation_send() would send, or sl_conversation_edit() where `replaced` is a question, without sending it: for the
 * context meter and the raw view. */
SlPrompt *sl_conversation_build_prompt (SlConversation *self, SlMessage *replaced, GPtrArray *parts, SlMode mode, gboolean raw,
                                        const SlSettings *settings);
/* What stands in the conversation down to this message, it included: the same for a turn of before. */
SlPrompt *sl_conversation_build_prompt_of (SlConversation *self, SlMessage *message);

/* Boxes of this answer lie on that picture; remembered. Edited boxes follow. */
void sl_conversation_set_box_picture (SlConversation *self, SlMessage *answer, const char *sha256);
/* Takes the numbers of the answer's boxes for something else (scale and order count); remembered. Boxes that were edited stay. */
void sl_conversation_set_box_space (SlConversation *self, SlMessage *answer, const SlBoxSpace *space);
/* A user has looked at the box and says that it is right, or takes that back. Stored. */
void sl_conversation_accept_box (SlConversation *self, SlMessage *answer, SlBoxItem *box, gboolean accepted);
/* A user's box: origin is the model's box that it corrects, or NULL for one that the model did not name. Stored. */
SlBoxItem *sl_conversation_add_box (SlConversation *self, SlMessage *answer, SlBoxItem *origin, const char *label,
                                    const int coords[4]);
/* Takes a model's box away: the user's box that stands for it has no rectangle. Removing that one brings it back. */
SlBoxItem *sl_conversation_discard_box (SlConversation *self, SlMessage *answer, SlBoxItem *origin);
/* Changes an edited box. */
void sl_conversation_change_box (SlConversation *self, SlMessage *answer, SlBoxItem *edited, const char *label,
                                 const int coords[4]);
/* Removes an edited box (a model's box stays what it is: hide it). */
void sl_conversation_remove_box (SlConversation *self, SlMessage *answer, SlBoxItem *edited);
/* Finished answers with boxes on that picture, from every branch, oldest first: (transfer container) array of SlMessage. */
GPtrArray *sl_conversation_list_located (SlConversation *self, const char *sha256);
/* What an answer answers; NULL for anything else. */
SlMessage *sl_conversation_get_question (SlConversation *self, SlMessage *answer);
/* Changes a stored picture's detail for the turns to come. */
void sl_conversation_set_detail (SlConversation *self, SlMessagePart *part, SlDetail detail);

/* The folder about each of whose pictures it asks the same, and how far it is; NULL: none. Whoever does that (app/folder) changes it and
 * has it stored. Its answers give way to those of other conversations. */
SlFolderRecord *sl_conversation_get_folder (SlConversation *self);
/* Takes the record and has it stored: in a conversation where nothing has been asked. */
void sl_conversation_take_folder (SlConversation *self, SlFolderRecord *folder);
/* The newest answer to a question (borrowed); NULL: it has none. */
SlMessage *sl_conversation_get_answer (SlConversation *self, SlMessage *question);

/* For SlHistory, which makes and closes conversations. */

/* Both keep references to store and engine. */
SlConversation *sl_conversation_new (SlStore *store, SlEngine *engine);
SlConversation *sl_conversation_new_from_record (SlStore *store, SlEngine *engine, const SlConversationRecord *record);
/* The messages down to `last`, which is not being written, as a conversation of their own, on its way to the disk. */
SlConversation *sl_conversation_branch (SlConversation *self, SlMessage *last);
/* Ends the answer now, wherever it is; what has arrived is kept. */
void sl_conversation_abandon_answer (SlConversation *self);
/* The deletion that could be undone is final now, and keeps the conversation no longer. */
void sl_conversation_forget_deleted (SlConversation *self);
/* What the engine keeps of it goes by this name. Owned by the caller. */
char *sl_conversation_dup_session_name (gint64 id);

G_END_DECLS
