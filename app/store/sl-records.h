/* SPDX-License-Identifier: MIT
 *
 * The rows of the history as plain values, passed between the UI thread and the store's thread, and to the command line.
 * Each is owned by whoever holds it; copy and free are deep. They must not know SQL, GObjects of the UI, or the engine.
 */
#pragma once

#include "app/generation/sl-generation.h"
#include "app/prompt/sl-grounding.h"
#include "app/prompt/sl-mode.h"
#include "app/sl-types.h"

G_BEGIN_DECLS

/* One part: text, or a picture by its hash. Stored pictures have no bytes; new ones bring them. */
typedef struct
{
  SlPartKind kind;
  char *text;
  char *sha256, *mime_type, *extension, *name; /* name: what the user knows it by */
  int width, height;
  SlDetail detail;
  GBytes *bytes; /* NULL where the file exists */
} SlPartRecord;

typedef struct
{
  gint64 id, origin;
  SlBoxKind kind;
  char *label, *picture; /* picture: sha256 or NULL */
  int label_index;
  int coords[4];
  SlBoxStatus status;
  SlBoxReason reason;
  double confidence; /* see sl_box_item_get_confidence() */
  double overlap, spread[4]; /* see sl_box_item_get_overlap(); not stored: it follows from the generation */
  gboolean accepted;         /* see sl_box_item_get_accepted() */
  guint32 start, end;
} SlBoxRecord;

typedef struct
{
  gint64 id, conversation, parent; /* parent 0: a first message */
  guint ordinal;                   /* place among its siblings */
  SlRole role;
  SlMode mode;
  gboolean raw;
  SlMessageStatus status;
  gint64 created; /* µs since 1970, UTC */
  GPtrArray *parts;         /* of SlPartRecord */
  SlGeneration *generation; /* NULL for questions */
  char *box_picture;        /* sha256 or NULL */
  GPtrArray *boxes;         /* of SlBoxRecord */
} SlMessageRecord;

/* A picture of a folder that is asked about. */
typedef struct
{
  char *path;            /* bytes, below the folder's */
  char *sha256;          /* of the file as it was asked about; "" before */
  gint64 size, modified; /* of that file: bytes, µs since 1970 */
  gint64 question;       /* id of the message, 0 before */
  char *error;           /* why it cannot be asked about, or NULL */
  gboolean seen;         /* a user has looked through what was found on it */
} SlFolderPictureRecord;

/* What a conversation asks about each picture of a folder. */
typedef struct
{
  gint64 conversation;
  char *path; /* bytes */
  gboolean recursive;
  char *prompt;
  SlMode mode;
  char *model, *model_name; /* which one is asked: what tells it from others, and what people call it; "" before */
  GPtrArray *pictures;      /* of SlFolderPictureRecord, in the order of their paths */
} SlFolderRecord;

typedef struct
{
  gint64 id, created, updated, leaf; /* leaf: last message of the shown path, 0 for none */
  char *title, *system_text;
  char *engine;        /* id of the engine that is asked; "" for this computer */
  char *choices; /* sl_choices_to_json(); NULL: none */
  GPtrArray *messages; /* of SlMessageRecord, in order of creation, so parents come first; may be empty */
  SlFolderRecord *folder; /* that it asks about; or NULL */
} SlConversationRecord;

/* What is being written: of a conversation, or (0) of one that has not begun; a new version of a question, or (0) the next one. */
typedef struct
{
  gint64 conversation, question;
  SlMode mode;
  gboolean raw;
  GPtrArray *parts; /* of SlPartRecord; empty: there is none any more */
} SlDraftRecord;

/* A line of the list or a search hit. */
typedef struct
{
  gint64 id, updated;
  gint64 message; /* of a hit, 0 where the title matched */
  char *title, *snippet;
  gboolean folder; /* it asks about one */
  gboolean pinned; /* it stands above those that are not */
} SlSummaryRecord;

/* What files call an SlRole and an SlMessageStatus. */
extern const char *const sl_role_nicks[SL_ROLE_ASSISTANT + 1];
extern const char *const sl_message_status_nicks[SL_MESSAGE_INTERRUPTED + 1];

SlPartRecord *sl_part_record_new (SlPartKind kind);
SlPartRecord *sl_part_record_copy (const SlPartRecord *self);
void sl_part_record_free (SlPartRecord *self);
SlBoxRecord *sl_box_record_new (void);
SlBoxRecord *sl_box_record_copy (const SlBoxRecord *self);
void sl_box_record_free (SlBoxRecord *self);
SlMessageRecord *sl_message_record_new (void);
SlMessageRecord *sl_message_record_copy (const SlMessageRecord *self);
void sl_message_record_free (SlMessageRecord *self);
SlFolderPictureRecord *sl_folder_picture_record_new (const char *path);
SlFolderPictureRecord *sl_folder_picture_record_copy (const SlFolderPictureRecord *self);
/* Counted: a row of a list may outlive the list. */
SlFolderPictureRecord *sl_folder_picture_record_ref (SlFolderPictureRecord *self);
void sl_folder_picture_record_unref (SlFolderPictureRecord *self);
SlFolderRecord *sl_folder_record_new (const char *path, gboolean recursive, const char *prompt, SlMode mode);
SlFolderRecord *sl_folder_record_copy (const SlFolderRecord *self);
void sl_folder_record_free (SlFolderRecord *self);
SlConversationRecord *sl_conversation_record_new (void);
SlConversationRecord *sl_conversation_record_copy (const SlConversationRecord *self);
void sl_conversation_record_free (SlConversationRecord *self);
SlDraftRecord *sl_draft_record_new (void);
void sl_draft_record_free (SlDraftRecord *self);
SlSummaryRecord *sl_summary_record_new (void);
void sl_summary_record_free (SlSummaryRecord *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlPartRecord, sl_part_record_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlBoxRecord, sl_box_record_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlMessageRecord, sl_message_record_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlFolderPictureRecord, sl_folder_picture_record_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlFolderRecord, sl_folder_record_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlConversationRecord, sl_conversation_record_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlDraftRecord, sl_draft_record_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlSummaryRecord, sl_summary_record_free)

G_END_DECLS
