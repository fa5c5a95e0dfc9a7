/* SPDX-License-Identifier: MIT
 *
 * Plans and sessions: whether a conversation fits and what it takes, reading it, and generating an answer. Part of engine/vl2.h.
 */
#ifndef VL2_PUBLIC_SESSION_H
#define VL2_PUBLIC_SESSION_H

#include "engine/vl2_text.h"

/* ------------------------------------------------------------------------------------------------- plans (pure) */

/* What a loaded model with one session takes, in bytes. An estimate: every part but `backend` is the size of an array. */
struct vl2_memory {
    uint64_t weights;  /* all of them; on the CPU they are pages of the mapped files */
    uint64_t tables;   /* rotary tables, tokenizer */
    uint64_t cache;    /* keys and values of the tokens in question */
    uint64_t scratch;  /* of one chunk */
    uint64_t vision;   /* scratch of the largest batch of tiles; 0 without pictures */
    uint64_t pictures; /* encoded pictures that are kept */
    uint64_t branches; /* the budget of left branches; 0 in the plan of one conversation */
    uint64_t backend;  /* what the kernels allocate for themselves */
    uint64_t peak;     /* all of it at the worst moment */
    uint64_t available; /* what the system can give now: free or reclaimable, and allowed by the control group */
};

struct vl2_plan_message {
    vl2_role role;
    size_t first, tokens; /* span in the prompt, pictures included */
    size_t n_pictures;
};

struct vl2_plan_picture {
    size_t message;
    int32_t width, height, grid_w, grid_h;
    struct vl2_tile_rule rule;
    bool crop;           /* cut into grid_w × grid_h tiles beside the global view */
    bool tiling_changed; /* before the last message it was cut otherwise: it has to be read anew */
    size_t first, tokens;
};

/* Ways out when a conversation does not fit. */
typedef enum {
    VL2_FIT_DROP_OLDEST, /* leave out the oldest turns; the system message and the last question stay */
    VL2_FIT_LOW_DETAIL,  /* every picture as one tile */
    VL2_FIT_SHORTEN,     /* the last message's text has to become shorter */
    VL2_FIT_COUNT
} vl2_fit;

struct vl2_plan_choice {
    vl2_fit kind;
    bool possible;   /* it would fit then, with room for the answer that was asked for */
    size_t tokens;   /* of the prompt then, exactly; SHORTEN: what it may have */
    size_t messages; /* DROP_OLDEST: how many go, after a system message */
    size_t excess;   /* SHORTEN: tokens that have to go */
};

struct vl2_session_options;

struct vl2_plan {
    struct vl2_plan_message *messages;
    size_t n_messages;
    struct vl2_plan_picture *pictures;
    size_t n_pictures;
    size_t tokens, context;
    bool fits;                                     /* tokens <= context */
    size_t room;                                   /* tokens left for the answer, 0 where it does not fit */
    bool tiling_changed;                           /* of any picture */
    struct vl2_plan_choice choices[VL2_FIT_COUNT]; /* in the order of vl2_fit; meant for !fits or little room */
    int32_t chunk;                                 /* tokens that are read at once */
    struct vl2_memory now, full;                   /* with this conversation and its answer; with the whole context in use */
};

/* Lays a conversation out without running it. Pictures need no pixels, only their size. options: those of the session that
 * will read it, may be NULL. answer_tokens: what an answer wants, 0 = a default. A conversation that is too long is no error. */
vl2_status vl2_plan_make(const vl2_engine *engine, const vl2_conversation *conversation, const struct vl2_session_options *options,
                         int32_t answer_tokens, struct vl2_plan *out, vl2_error *err);
void vl2_plan_deinit(struct vl2_plan *plan);

/* The conversation that a choice leaves: *out borrows what `conversation` points to and is released with vl2_fitted_deinit().
 * VL2_ERR_CONTEXT for SHORTEN, and for a choice that is not possible. */
struct vl2_fitted {
    vl2_conversation conversation;
    vl2_message *messages;
    vl2_part *parts;
    size_t n_parts;
};
vl2_status vl2_plan_apply(const vl2_conversation *conversation, const struct vl2_plan_choice *choice, struct vl2_fitted *out,
                          vl2_error *err);
void vl2_fitted_deinit(struct vl2_fitted *fitted);

/* ------------------------------------------------------------------------------------------------- sessions */

/* Sessions of one engine share the device's memory. Where it is short, sessions that are not in use wait in the computer's memory,
 * and their next call brings them back, or fails with VL2_ERR_MEMORY and leaves them there. */
typedef struct vl2_session vl2_session;

struct vl2_session_options {
    int32_t context;          /* 0 = the model's max_position_embeddings, which is also the most */
    int32_t chunk_size;       /* prefill chunk, 0 = chosen; at most 64 per layer, see vl2_session_sync */
    size_t picture_cache_bytes; /* budget of projected picture embeddings, 0 = default */
    size_t branch_bytes;        /* budget of what edits and other conversations took out of the cache, 0 = default */
    bool repeatable;            /* of the cache only whole chunks are reused, as they were read: an answer does not depend, in any bit, on
                                   what was asked before. Costs the reading of less than a chunk, and of earlier answers */
};
vl2_status vl2_session_open(vl2_engine *engine, const struct vl2_session_options *options, vl2_session **out, vl2_error *err);
void vl2_session_close(vl2_session *session);

/* What the next vl2_session_sync() of `session` may copy from other sessions of its engine, answering or not: of their conversations the
 * longest beginning in whole chunks that is also its own, and their encoded pictures. Nothing where not both are repeatable, with chunks
 * of one size. Borrows the array and the sessions until that sync has returned. */
void vl2_session_look_at(vl2_session *session, vl2_session *const *others, size_t n_others);

/* vl2_plan_make() and vl2_prompt_build() as this session would read it: with the ids of the answers that it generated. Not pure. */
vl2_status vl2_session_plan(const vl2_session *session, const vl2_conversation *conversation, int32_t answer_tokens,
                            struct vl2_plan *out, vl2_error *err);
vl2_status vl2_session_prompt(const vl2_session *session, const vl2_conversation *conversation, struct vl2_prompt *out, vl2_error *err);

/* What ended the part that was reused, at token `reused_tokens`. */
typedef enum {
    VL2_REREAD_NOTHING, /* the end: all but the last token was there, and that one is read for its logits */
    VL2_REREAD_NEW,     /* all that was cached fits; what follows is new */
    VL2_REREAD_EMPTY,   /* nothing had been read yet */
    VL2_REREAD_TEXT,    /* another text stood there: an edit, or another conversation */
    VL2_REREAD_PICTURE, /* another picture, or none */
    VL2_REREAD_TILING   /* the same picture, cut otherwise: see retiled */
} vl2_reread;

/* What sync found and did. */
struct vl2_sync_report {
    size_t prompt_tokens, reused_tokens, prefilled_tokens;
    size_t branch_tokens; /* of the reused ones, those that came from a left branch or a snapshot */
    size_t pictures, pictures_reused;
    vl2_reread reread;
    bool tiling_changed;  /* a third picture switched earlier ones to one tile, or back */
    size_t retiled;       /* the first picture, counted from 0, that is cut otherwise than in the timeline before; SIZE_MAX none */
    size_t retiled_by;    /* the picture that made it so, the third; SIZE_MAX: a picture went, or its detail changed */
    double vision_ms, prefill_ms;
};

/* Brings the session to the state "the whole conversation has been read": reuses the longest matching prefix of the cache and of
 * what was in it before, encodes pictures that are not in the picture cache, prefills the rest. After a cancel or an error the
 * session holds a valid shorter prefix and stays usable. VL2_ERR_CONTEXT says the numbers.
 *
 * There is one cache, for one timeline at a time, since a cache of the whole context is large. What a new conversation or an
 * edit takes out of it is copied to host memory first, from where it differs on, within branch_bytes: switching back to a
 * branch, another answer or another conversation costs that copy, not a reading (engine/session/branches.h). Ids that were generated
 * are kept as they are (vl2_session_generate); encoded pictures have a budget of their own.
 *
 * The cancel flag is polled, and progress reported, at least once per ViT layer and per 64 tokens' worth of layers: no more
 * than that is enqueued between two looks. */
vl2_status vl2_session_sync(vl2_session *session, const vl2_conversation *conversation, const struct vl2_watch *watch,
                            struct vl2_sync_report *report, vl2_error *err);

struct vl2_sampling {
    float temperature; /* 0 = greedy */
    float top_p;       /* 1 = off */
    int32_t top_k;     /* 0 = off */
    float repetition_penalty; /* 1 = off */
    uint64_t seed;
};

/* No n-gram twice: of the tokens that would complete one that stands in the last `window` ids of the answer none is taken, but for
 * the `exempt` ones. Where that would leave no token, or the box grammar none, it has no say. ngram 0: off, else at least 2.
 * process/ngram_norepeat.py: NoRepeatNGramLogitsProcessor */
struct vl2_repeat_guard {
    int32_t ngram, window;
    const int32_t *exempt; /* [n_exempt], borrowed */
    size_t n_exempt;
};

/* What becomes of an answer that repeats itself as VL2_STOP_REPETITION says. KEEP: it goes on, as a page may hold a table of empty cells.
 * BREAK: `breaker` is taken once, and it goes on from there. */
typedef enum { VL2_CYCLES_END, VL2_CYCLES_KEEP, VL2_CYCLES_BREAK } vl2_cycles;

#define VL2_MAX_ATTENTION_CELLS 256

struct vl2_generate_options {
    struct vl2_sampling sampling;
    int32_t max_tokens;     /* of this answer; also bounded by the context */
    int32_t alternatives;   /* top log-probabilities per token, 0 … 20 */
    struct vl2_repeat_guard guard;
    vl2_cycles cycles;
    int32_t breaker;        /* of VL2_CYCLES_BREAK: the token that begins something else, as <|ref|> the next block of a page */
    bool constrain_boxes;   /* box grammar inside <|det|> … <|/det|> */
    bool coordinates;       /* tell of the distribution of every number of a box: vl2_token.coordinate */

    /* Attention over the pictures: vl2_token.attention. attention_cells: cells of a grid's longer side, 0 = none.
     * attention_layers [n_attention_layers]: decoder layers to average over, 0 … layers-1, each once; none named = all. */
    int32_t attention_cells;
    const int32_t *attention_layers;
    size_t n_attention_layers;

    /* An answer that exists already [n_replay], without EOS: nothing is drawn, these ids are taken one by one, so that everything
     * that can be told of a token can be told of them. The sampling, max_tokens, mask and repetition guard have no say; the end
     * is VL2_STOP_EOS. n_replay 0: off. */
    const int32_t *replay;
    size_t n_replay;

    /* A pass of the model per token. Otherwise a pass also reads tokens that are likely to come next, where passes of several tokens give
     * the same bits as of one (the CPU): ids, probabilities and all else are the same, in less time. Attention to pictures goes token
     * by token, and so does a model whose cache is a ring. */
    bool one_by_one;
};

/* The distribution at the step at which a number of a box began, over all tokens that can begin a number there by the box
 * grammar, before temperature, penalty and mask, and scaled to sum to 1: `mass` is what they had together.
 * whole: the vocabulary has each of 0 … 999 as one token, as those of the published models do, so that the token is the number:
 * `expected` and `deviation` are the mean and the standard deviation of its value. Else only digits [10] says something: the
 * probability of each first digit. Where the number was written digit by digit, its last one is followed by a second report of the
 * same index, with `completes` and `whole`: mean and deviation over all numbers, those that left the written digits counted evenly
 * over what could follow. index: 0 … 3 for x1 y1 x2 y2. */
struct vl2_coordinate {
    int32_t index;
    bool whole, completes;
    float mass, expected, deviation, digits[10];
};

/* Attention from the position that wrote a token to one picture: softmax weights, averaged over heads and chosen layers, laid
 * over the upright original as a grid of rows × cols equal cells: cells [rows][cols], row by row. Every picture token's weight
 * is spread evenly over what it shows (vl2_engine_token_rect), of the global view and of the local tiles alike.
 * inside: the sum of the cells; outside: of the picture's other tokens (newlines, separator, padding). */
struct vl2_attention {
    int32_t cols, rows;
    const float *cells;
    float inside, outside;
};

/* One generated token. `text` is the newly completed UTF-8 (may be empty while a code point is open, special tokens as text);
 * bytes of a code point that is still open when the generation ends are dropped. Log-probabilities are those of the model's own
 * distribution: before repetition penalty, temperature, top-k, top-p and the box grammar's mask. */
struct vl2_token {
    int32_t id;
    const char *text;
    size_t length;
    float logprob;
    bool breaks_cycle; /* it is the breaker: what stands before it repeated itself */
    int32_t n_alternatives;
    const int32_t *alternative_ids;
    const float *alternative_logprobs;
    const struct vl2_coordinate *coordinate; /* where asked for and a number of a box begins in this token; else NULL */
    size_t n_attention;                      /* pictures of the conversation where asked for, else 0 */
    const struct vl2_attention *attention;   /* [n_attention], in the order of the conversation */
};
/* Return false to stop (the answer so far stays in the session). Called on the inference thread. */
typedef bool (*vl2_token_fn)(const struct vl2_token *token, void *user);

typedef enum { VL2_STOP_EOS, VL2_STOP_MAX_TOKENS, VL2_STOP_CONTEXT, VL2_STOP_CALLER, VL2_STOP_CANCELLED, VL2_STOP_REPETITION } vl2_stop;

struct vl2_generation {
    vl2_stop stop;
    size_t tokens;       /* generated, EOS excluded */
    double decode_ms;    /* first token included */
    double first_token_ms;
    size_t mask_changed; /* steps where the box grammar, the guard or the breaker changed the choice */
    size_t cycles_broken;
    size_t passes;       /* of the model behind the prompt */
    size_t drafted, drafted_right; /* tokens that were read ahead, and those of them that came */
    double one_by_one_ms; /* what decode_ms would be with a pass per token, by the time of those that read one; 0 where there were none */
};

/* Generates after a successful sync. A cancel returns VL2_OK with stop = VL2_STOP_CANCELLED. The session remembers the ids of
 * the answer: a later sync with the same text (white space at its ends aside) reuses them and their place in the cache.
 * VL2_STOP_REPETITION: the last 128 or more tokens were at least four rounds of one cycle of at most 64 tokens; a constrained
 * block of boxes that is open then is closed first. */
vl2_status vl2_session_generate(vl2_session *session, const struct vl2_generate_options *options, const vl2_cancel *cancel,
                                vl2_token_fn on_token, void *user, struct vl2_generation *out, vl2_error *err);

/* Several answers of one engine that are written together, each after a successful sync of a session of its own: begin, advance until it
 * is over, end. A token costs less the more go on together, where what is computed for one row reads what serves others too (on the CPU
 * up to 16; a GPU takes one after the other); which token it is does not depend on them, bit for bit. vl2_session_generate() is the same for one.
 * What the options point to is borrowed until the end, and the session is not used otherwise meanwhile. */
typedef struct vl2_writing vl2_writing;
vl2_status vl2_writing_begin(vl2_session *session, const struct vl2_generate_options *options, const vl2_cancel *cancel,
                             vl2_token_fn on_token, void *user, vl2_writing **out, vl2_error *err);
/* One token for each of n that is not over. on_token may not end any of them. On failure all n are over. May be called from a
 * progress function of vl2_session_sync() of another session: that is how answers go on while a prompt is read. */
vl2_status vl2_writings_advance(vl2_writing *const *writings, size_t n, vl2_error *err);
bool vl2_writing_is_over(const vl2_writing *writing);
/* Also of one that is not over, whose stop is VL2_STOP_CALLER then. out may be NULL. */
void vl2_writing_end(vl2_writing *writing, struct vl2_generation *out);

/* Tokens now in the session's cache, and its capacity. */
size_t vl2_session_length(const vl2_session *session);
size_t vl2_session_capacity(const vl2_session *session);

/* Snapshots: what the session has read and generated, in a file, so that going on with it later costs no reading.
 * save writes the timeline of the last sync beside its place and renames it: whatever happens, `path` is whole or as it was.
 * The file is private (0600) and holds as many tokens as max_bytes allow (0 = all; VL2_ERR_INPUT for not even one). A cancel ends it between
 * two blocks. restore checks version, model, form of the cache, lengths, ids and checksums before it keeps anything; what
 * differs is refused with VL2_ERR_INPUT and the session is as before. What was restored is reused by the syncs that fit it, as a
 * branch: it counts against branch_bytes. Both take as long as the file; the key of the model is computed once per engine. */
vl2_status vl2_session_save(vl2_session *session, const char *path, uint64_t max_bytes, const vl2_cancel *cancel, vl2_error *err);
vl2_status vl2_session_restore(vl2_session *session, const char *path, vl2_error *err);
/* Does the file begin as vl2_session_save() begins one, whichever model and version wrote it? */
bool vl2_is_snapshot(const char *path);

/* Intermediate results, for `dump` and the parity tests: called with host copies, f32 [rows][cols], in the order
 * of a document model "sam.N" and "clip.N" after each block of its towers for the view of the first page,
 * "vision" [tiles*patches][width], "projected" [tiles*tokens][hidden], "embeds" [n][hidden], "layer.N" after each block
 * [n][hidden], "experts.N" the ids that the router of an MoE block chose [n][experts per token], "logits"
 * [n][vocab] (every prompt position). Implies one prefill without reuse. */
typedef void (*vl2_tap_fn)(const char *name, const float *data, size_t rows, size_t cols, void *user);
vl2_status vl2_session_dump(vl2_session *session, const vl2_conversation *conversation, vl2_tap_fn tap, void *user,
                            const struct vl2_watch *watch, vl2_error *err);

#endif
