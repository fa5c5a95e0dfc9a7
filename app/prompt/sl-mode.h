/* SPDX-License-Identifier: MIT
 *
 * SlMode: the three ways of asking (Chat, Find, Ground), so that nobody types special tokens: how each wraps the user's
 * words, and the sampling it starts from. Called by the window and the command line. Pure functions, any thread.
 * It must not know GTK or the engine.
 */
#pragma once

#include <glib-object.h>

G_BEGIN_DECLS

typedef enum
{
  SL_MODE_CHAT,   /* the text as it is */
  SL_MODE_FIND,   /* <|ref|>text<|/ref|>: where is it */
  SL_MODE_GROUND, /* <|grounding|>text: an answer with boxes inside */
} SlMode;
#define SL_N_MODES 3

/* How much markup a piece of text may carry; same values as vl2_markup in the engine. */
typedef enum
{
  SL_MARKUP_NONE,      /* literal: nothing in it can become a control token */
  SL_MARKUP_GROUNDING, /* the five grounding tokens */
  SL_MARKUP_ALL,       /* every special token, as the official code does */
} SlMarkup;

typedef struct
{
  double temperature;        /* 0 = greedy */
  double top_p;              /* 1 = off */
  int    top_k;              /* 0 = off */
  double repetition_penalty; /* 1 = off */
} SlSampling;

/* Chat: 0.1, 0.9, off, 1.1. Find and Ground: greedy, no penalty (a penalty distorts repeated digits). */
SlSampling  sl_mode_get_sampling     (SlMode      mode);
const char *sl_mode_get_nick         (SlMode      mode); /* "chat", "find", "ground": files, options, settings */
const char *sl_mode_get_display_name (SlMode      mode); /* translated */
gboolean    sl_mode_from_nick        (const char *nick,
                                      SlMode     *mode); /* FALSE if it names none */

const char *sl_markup_get_nick       (SlMarkup    markup); /* "none", "grounding", "all" */
gboolean    sl_markup_from_nick      (const char *nick,
                                      SlMarkup   *markup);

/* A run of a message as the engine wants it. */
typedef struct
{
  char     *text;   /* UTF-8; NULL stands for the next picture */
  SlMarkup  markup;
} SlPiece;

SlPiece *sl_piece_new  (const char *text,
                        SlMarkup    markup);
void     sl_piece_free (SlPiece    *piece);

/* One text without pictures → (transfer full) array of SlPiece.
 * raw: the raw view was used, so grounding tokens that the text contains are tokens; if it contains any, the mode adds
 * nothing. Without raw everything typed is literal. */
GPtrArray *sl_mode_wrap (SlMode      mode,
                         const char *text,
                         gboolean    raw);

/* A whole user message: texts[i] is a text, or NULL where a picture lies → (transfer full) array of SlPiece, whose
 * NULL texts are the pictures in the same order. As in the official samples a picture is followed by a line break
 * unless the text after it begins with white space; Find wraps the last text that is not blank, Ground marks the first. */
GPtrArray *sl_mode_compose (SlMode             mode,
                            const char *const *texts,
                            gsize              n_texts,
                            gboolean           raw);

G_END_DECLS
