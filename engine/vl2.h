/* SPDX-License-Identifier: MIT
 *
 * vl2: DeepSeek-VL2 as a C library. The one public header of engine/: checkpoints, tokenizer, pictures → tiles,
 * conversations → tokens, sessions that generate, grounding text → boxes.
 * Called by app/ (and tests). It must not know GLib, GTK, files that it was not given, or what a user is.
 *
 * engine  = a loaded model: backend, config, weights, tokenizer. Immutable after opening.
 * session = one mutable timeline over an engine: KV cache, tokens, picture embeddings, random state.
 *
 * Threads: open, sync, generate and close of one engine and its sessions happen on one thread (the inference thread).
 * vl2_cancel may be set from any thread. Functions marked "pure" may be called from any thread at any time.
 * Errors: a status, and one sentence in vl2_error that names the file, tensor or value and the reason. Nothing aborts.
 */
#ifndef VL2_H
#define VL2_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    VL2_OK = 0,
    VL2_ERR_USAGE,   /* the caller's arguments make no sense */
    VL2_ERR_MODEL,   /* the checkpoint is broken, lying, foreign or uses something not implemented (named) */
    VL2_ERR_INPUT,   /* the prompt or a picture cannot be used */
    VL2_ERR_CONTEXT, /* the conversation does not fit the context */
    VL2_ERR_IO,      /* reading or writing a file failed */
    VL2_ERR_DEVICE,  /* the compute device failed; the engine must be closed */
    VL2_ERR_MEMORY,  /* not enough memory; what was asked for was undone */
    VL2_CANCELLED
} vl2_status;

typedef struct {
    vl2_status code;
    char text[512]; /* one sentence, no trailing newline */
} vl2_error;

/* Set to true from any thread; polled per ViT layer, 64 tokens of prefill and generated token. Owned by the caller. */
typedef atomic_bool vl2_cancel;

typedef enum { VL2_STAGE_LOAD, VL2_STAGE_VISION, VL2_STAGE_PREFILL } vl2_stage;

/* done of total units of work of a stage (bytes bound, tile-layers, tokens). Called on the inference thread. */
typedef void (*vl2_progress_fn)(vl2_stage stage, uint64_t done, uint64_t total, void *user);

/* ---------------------------------------------------------------------------------------------- engine */

typedef struct vl2_engine vl2_engine;

struct vl2_engine_options {
    const char *device;  /* NULL or "auto", "cpu", "cuda", "cuda:1" (a GPU as vl2_gpus() counts) */
    const char *isa;     /* CPU ISA level, NULL = best */
    int threads;         /* CPU threads, 0 = physical cores */
    vl2_progress_fn progress;
    void *progress_user;
    const vl2_cancel *cancel;
    bool headers_only;     /* no weights and no device: what is pure works (plans, prompts, tiles); sessions are refused */
    uint64_t memory_limit; /* bytes that model and session may take: 0 = what the system can give, UINT64_MAX = not checked */
    int32_t host_layers;   /* on a GPU: of at least so many last layers the routed experts stay in the computer's own memory; more of
                              them where they would not fit into the GPU's */
};

/* Opens a checkpoint directory in the published layout. On failure *out is NULL and err says why. What would not fit into
 * memory is refused before a weight is touched: VL2_ERR_MEMORY with the numbers. */
vl2_status vl2_engine_open(const char *dir, const struct vl2_engine_options *options, vl2_engine **out, vl2_error *err);
void vl2_engine_close(vl2_engine *engine); /* NULL is allowed; all sessions must be closed first */

/* The GPUs that the driver shows. Takes up to a second: the driver is started and each GPU asked. Any thread, one at a time. */
struct vl2_gpu {
    char name[96];
    int capability;                   /* 90 for compute capability 9.0 */
    uint64_t free_bytes, total_bytes;
    char problem[256];                /* one sentence why it cannot be used, "" = it can */
};
/* Fills at most `room` and returns how many; 0 + err: why there is none, and what helps. */
int vl2_gpus(struct vl2_gpu *out, int room, vl2_error *err);

/* What a user may want to know about a loaded model. Strings live as long as the engine. */
struct vl2_info {
    const char *dir, *device; /* device: "cpu", "cuda"; headers_only: device and isa are "none" */
    const char *isa;          /* what of it computes: "avx512", "NVIDIA H100 80GB HBM3 (sm_90)" */
    const char *architecture; /* "MHA" or "MLA" */
    const char *router;       /* "softmax greedy", "sigmoid noaux_tc", … */
    uint64_t parameters;      /* of the tensors in use */
    uint64_t weight_bytes;
    int32_t layers, hidden, heads, vocab, experts, experts_per_token, context;
    int32_t vision_layers, vision_width, tile_side, patch, tokens_per_tile;
    int32_t n_candidates;
    const int32_t (*candidates)[2]; /* width, height in pixels */
    int32_t threads;                /* 0: on a GPU */
    int32_t host_layers;            /* layers whose routed experts a GPU reads from the computer's memory */
    uint64_t host_bytes;            /* of those experts */
    const char *fallback;           /* why "auto" computes on the CPU although there is a GPU; "": it does not */
    const char *weight_dtype;       /* of the largest part: "bf16", "f32", … */
};
const struct vl2_info *vl2_engine_info(const vl2_engine *engine); /* pure */
/* What the model is, wherever its folder lies and whatever it is called: a hash of its settings, its tokenizer, and of every
 * tensor's name, shape and a page of its data. "xxh3-128:" and 32 digits; reads that much of the files. */
void vl2_engine_identity(const vl2_engine *engine, char out[48]);

/* What is not as it should be in a checkpoint folder. */
typedef enum {
    VL2_FINDING_MISSING, /* a tensor that config.json asks for, or that the published model has */
    VL2_FINDING_EXTRA,   /* a tensor that it does not */
    VL2_FINDING_SHAPE,
    VL2_FINDING_DTYPE,
    VL2_FINDING_CONFIG, /* a setting other than the published model's */
    VL2_FINDING_TOKEN   /* a control token with another id than in the published model, or outside the vocabulary */
} vl2_finding;
typedef void (*vl2_finding_fn)(vl2_finding kind, const char *sentence, void *user); /* the sentence is borrowed */

struct vl2_inspection {
    const char *published;    /* "tiny", "small" or "base" (static), NULL: none of the published models */
    uint64_t tensors, bytes, parameters; /* of all tensors in the files */
    size_t findings;
    struct { /* ids of the control tokens, -1 = none */
        int32_t bos, eos, pad, image, ref, ref_end, det, det_end, grounding, user, assistant;
    } tokens;
};
/* Compares a checkpoint folder with what its config.json describes and, where that is one of the three published models, with
 * what was published: settings, tensors with shapes and element types, token ids. Tells every difference through `finding`
 * (may be NULL). Reads headers only, so the size of the model does not matter. Fails where a file cannot be read at all. */
vl2_status vl2_inspect(const char *dir, vl2_finding_fn finding, void *user, struct vl2_inspection *out, vl2_error *err);

/* ---------------------------------------------------------------------------------------------- tokenizer (pure) */

typedef struct vl2_tokenizer vl2_tokenizer;

/* How much markup a piece of text may carry. Everything else in it is literal: it cannot become a control token. */
typedef enum {
    VL2_MARKUP_NONE = 0,  /* what a user typed */
    VL2_MARKUP_GROUNDING, /* <|ref|> <|/ref|> <|det|> <|/det|> <|grounding|> are tokens: modes, raw view, model answers */
    VL2_MARKUP_ALL        /* every added token, as the official code does */
} vl2_markup;

vl2_status vl2_tokenizer_open(const char *dir, vl2_tokenizer **out, vl2_error *err);
void vl2_tokenizer_close(vl2_tokenizer *tokenizer);
const vl2_tokenizer *vl2_engine_tokenizer(const vl2_engine *engine);

/* Encodes UTF-8 text; invalid sequences become U+FFFD. *ids is allocated with vl2_free() as its release. */
vl2_status vl2_tokenizer_encode(const vl2_tokenizer *tokenizer, const char *text, size_t length, vl2_markup markup,
                                int32_t **ids, size_t *n_ids, vl2_error *err);
/* Decodes ids to text (special tokens kept as their text). *text is NUL-terminated, released with vl2_free(). */
vl2_status vl2_tokenizer_decode(const vl2_tokenizer *tokenizer, const int32_t *ids, size_t n_ids, char **text,
                                size_t *length, vl2_error *err);
int32_t vl2_tokenizer_size(const vl2_tokenizer *tokenizer);        /* highest id + 1 */
int32_t vl2_tokenizer_id(const vl2_tokenizer *tokenizer, const char *token); /* added token's id, -1 if none */
void vl2_free(void *p);

/* ---------------------------------------------------------------------------------------------- pictures (pure) */

/* An upright RGB8 picture, borrowed for the duration of a call. rows are `stride` bytes apart. */
typedef struct {
    int32_t width, height;
    size_t stride;
    const uint8_t *rgb;
} vl2_picture;

/* The tiles of one picture before normalisation: u8 [n_tiles][3][side][side], the global view first, then
 * grid_h × grid_w local tiles row-major.   processing_deepseek_vl_v2.py: tokenize_with_images */
struct vl2_tiles {
    int32_t side, grid_w, grid_h, n_tiles; /* n_tiles = 1 + grid_w * grid_h */
    uint8_t *data;                         /* vl2_free() */
};

struct vl2_tile_rule {
    int32_t side;
    int32_t n_candidates;
    const int32_t (*candidates)[2];
};
/* crop false: one local tile (3 or more pictures in the conversation, or low detail). */
vl2_status vl2_tiles_make(const struct vl2_tile_rule *rule, const vl2_picture *picture, bool crop, struct vl2_tiles *out,
                          vl2_error *err);
void vl2_tile_grid(const struct vl2_tile_rule *rule, int32_t width, int32_t height, bool crop, int32_t *grid_w, int32_t *grid_h);
/* Where the whole picture lies inside a view of view_w × view_h pixels, the rest being padding: x, y, width, height.
 * The global view is side × side, the local one grid_w·side × grid_h·side.   ImageOps.pad */
void vl2_tile_place(int32_t width, int32_t height, int32_t view_w, int32_t view_h, int32_t place[4]);
struct vl2_tile_rule vl2_engine_tile_rule(const vl2_engine *engine);
/* Tokens of a picture: h·(h+1) + 1 + h·gh·(h·gw + 1), h = tokens per tile side. */
int32_t vl2_engine_picture_tokens(const vl2_engine *engine, int32_t width, int32_t height, bool crop);
/* What token j of such a picture shows: a rectangle of the upright original, x0 y0 x1 y1 in pixels (fractions count: a token is
 * r×r patches of a resized tile). Tiles overlap nowhere, but the global view shows again what the local tiles show. False, rect
 * untouched, for the tokens that show nothing of it: newlines, the separator, and cells of nothing but padding. */
bool vl2_engine_token_rect(const vl2_engine *engine, int32_t width, int32_t height, bool crop, int32_t j, double rect[4]);

/* ---------------------------------------------------------------------------------------------- conversations */

typedef enum { VL2_SYSTEM, VL2_USER, VL2_ASSISTANT } vl2_role;
typedef enum { VL2_PART_TEXT, VL2_PART_PICTURE } vl2_part_kind;
typedef enum { VL2_DETAIL_AUTO, VL2_DETAIL_LOW } vl2_detail; /* LOW: a 1×1 grid whatever the size */

typedef struct {
    vl2_part_kind kind;
    const char *text; /* TEXT: UTF-8, `length` bytes */
    size_t length;
    vl2_markup markup;
    const vl2_picture *picture; /* PICTURE */
    vl2_detail detail;
} vl2_part;

typedef struct {
    vl2_role role;
    const vl2_part *parts;
    size_t n_parts;
} vl2_message;

/* The whole conversation, the last message being the user's (an answer follows) or the assistant's (its text is continued). */
typedef struct {
    const vl2_message *messages;
    size_t n_messages;
} vl2_conversation;

/* The token layout of a conversation. ids [n]; a picture occupies its span with the <image> id.   (pure; see prompt.c) */
#define VL2_MAX_TILED_PICTURES 2 /* with more in the conversation every picture is one tile */

struct vl2_prompt_picture {
    const vl2_picture *picture;
    size_t message;           /* that it belongs to */
    bool crop;                /* tiled (at most two pictures in the conversation and full detail) */
    int32_t grid_w, grid_h;
    size_t first, count;      /* span in ids */
};
struct vl2_prompt {
    int32_t *ids;
    size_t n_ids;
    struct vl2_prompt_picture *pictures; /* in order of appearance */
    size_t n_pictures;
    size_t answer_first; /* where a last assistant message begins, whose text is continued; n_ids if there is none */
    size_t *message_first; /* [n_messages + 1]: where each message begins; the first one follows the token that opens a text */
    size_t n_messages;
};
vl2_status vl2_prompt_build(const vl2_engine *engine, const vl2_conversation *conversation, struct vl2_prompt *out, vl2_error *err);
void vl2_prompt_deinit(struct vl2_prompt *prompt);

/* ---------------------------------------------------------------------------------------------- plans (pure) */

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

/* ---------------------------------------------------------------------------------------------- sessions */

/* Sessions of one engine share the device's memory. Where it is short, sessions that are not in use wait in the computer's memory,
 * and their next call brings them back, or fails with VL2_ERR_MEMORY and leaves them there. */
typedef struct vl2_session vl2_session;

struct vl2_session_options {
    int32_t context;          /* 0 = the model's max_position_embeddings, which is also the most */
    int32_t chunk_size;       /* prefill chunk, 0 = chosen; at most 64 per layer, see vl2_session_sync */
    size_t picture_cache_bytes; /* budget of projected picture embeddings, 0 = default */
    size_t branch_bytes;        /* budget of what edits and other conversations took out of the cache, 0 = default */
};
vl2_status vl2_session_open(vl2_engine *engine, const struct vl2_session_options *options, vl2_session **out, vl2_error *err);
void vl2_session_close(vl2_session *session);

/* vl2_plan_make() and vl2_prompt_build() as this session would read it: with the ids of the answers that it generated. Not pure. */
vl2_status vl2_session_plan(const vl2_session *session, const vl2_conversation *conversation, int32_t answer_tokens,
                            struct vl2_plan *out, vl2_error *err);
vl2_status vl2_session_prompt(const vl2_session *session, const vl2_conversation *conversation, struct vl2_prompt *out, vl2_error *err);

struct vl2_watch { /* how a long call reports and is cancelled; every field may be NULL */
    const vl2_cancel *cancel;
    vl2_progress_fn progress;
    void *user;
};

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

#define VL2_MAX_ATTENTION_CELLS 256

struct vl2_generate_options {
    struct vl2_sampling sampling;
    int32_t max_tokens;     /* of this answer; also bounded by the context */
    int32_t alternatives;   /* top log-probabilities per token, 0 … 20 */
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
    size_t mask_changed; /* steps where the box grammar changed the choice */
};

/* Generates after a successful sync. A cancel returns VL2_OK with stop = VL2_STOP_CANCELLED. The session remembers the ids of
 * the answer: a later sync with the same text (white space at its ends aside) reuses them and their place in the cache.
 * VL2_STOP_REPETITION: the last 128 or more tokens were at least four rounds of one cycle of at most 64 tokens; a constrained
 * block of boxes that is open then is closed first. */
vl2_status vl2_session_generate(vl2_session *session, const struct vl2_generate_options *options, const vl2_cancel *cancel,
                                vl2_token_fn on_token, void *user, struct vl2_generation *out, vl2_error *err);

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
 * "vision" [tiles*patches][width], "projected" [tiles*tokens][hidden], "embeds" [n][hidden], "layer.N" after each block
 * [n][hidden], "experts.N" the ids that the router of an MoE block chose [n][experts per token], "logits"
 * [n][vocab] (every prompt position). Implies one prefill without reuse. */
typedef void (*vl2_tap_fn)(const char *name, const float *data, size_t rows, size_t cols, void *user);
vl2_status vl2_session_dump(vl2_session *session, const vl2_conversation *conversation, vl2_tap_fn tap, void *user,
                            const struct vl2_watch *watch, vl2_error *err);

/* ---------------------------------------------------------------------------------------------- grounding (pure) */

typedef enum {
    VL2_BOX_OK,
    VL2_BOX_CLAMPED,    /* usable after clamping to 0…999, swapping corners or dropping surplus numbers: see reason */
    VL2_BOX_INCOMPLETE, /* the text ended inside it */
    VL2_BOX_REJECTED    /* not four numbers: see reason */
} vl2_box_status;

typedef enum {
    VL2_REASON_NONE, /* OK */
    VL2_REASON_CUT,  /* INCOMPLETE */
    VL2_REASON_NO_NUMBERS, VL2_REASON_ONE_NUMBER, VL2_REASON_TWO_NUMBERS, VL2_REASON_THREE_NUMBERS, /* REJECTED */
    VL2_REASON_FRACTION, VL2_REASON_DIGITS, VL2_REASON_NOT_NUMBERS,
    VL2_REASON_SURPLUS, VL2_REASON_ABOVE, VL2_REASON_BELOW, VL2_REASON_SWAPPED, /* CLAMPED */
    VL2_REASON_NO_BRACKETS, VL2_REASON_NO_CLOSING_BRACKET,
    VL2_REASON_NO_AREA, /* REJECTED */
    VL2_N_REASONS
} vl2_box_reason;
/* Part of an English sentence, "" for NONE; the words never change, so that they may be stored. */
const char *vl2_box_reason_text(vl2_box_reason reason);

/* The joint probability of a box is the product of the probabilities of the tokens whose text overlaps
 * [numbers_start, numbers_end): its four numbers and what is between them. Brackets, which rather say whether there is another
 * box, have no part in it unless a merged token holds them together with a digit. */
struct vl2_box {
    int32_t coords[4];      /* x1 y1 x2 y2, 0…999 of the original picture; valid for OK and CLAMPED */
    vl2_box_status status;
    vl2_box_reason reason;
    size_t label;           /* index into labels, SIZE_MAX if the block has none */
    size_t start, end;      /* byte range in the text */
    size_t numbers_start, numbers_end; /* of its first number's first byte to behind its last number; equal if there is none */
};

typedef enum { VL2_SPAN_TEXT, VL2_SPAN_LABEL, VL2_SPAN_BOXES } vl2_span_kind;
struct vl2_span { /* the text cut into runs, in order, covering every byte; markup included in LABEL and BOXES */
    vl2_span_kind kind;
    size_t start, end;             /* whole run */
    size_t inner_start, inner_end; /* LABEL: without its markup */
    size_t label;                  /* LABEL: its index; BOXES: index of its label or SIZE_MAX */
    bool open;                     /* the text ended inside it */
};

struct vl2_grounding {
    struct vl2_span *spans;
    size_t n_spans;
    struct vl2_box *boxes;
    size_t n_boxes;
    size_t n_labels;
};

/* Parses model text (complete or still streaming). Never evaluates it. A label pairs with the <|det|> block that follows it. */
vl2_status vl2_grounding_parse(const char *text, size_t length, struct vl2_grounding *out, vl2_error *err);
void vl2_grounding_deinit(struct vl2_grounding *grounding);

/* 0…999 → pixels as the official code: (int)(c / 999 · size).   deepseek_vl2/serve/app_modules/utils.py */
int32_t vl2_box_to_pixels(int32_t coord, int32_t size);

/* ---------------------------------------------------------------------------------------------- quantised weights */

/* How many bits the weights of the language model take. MIX: routed experts 4.5, all other matrices 8.5. */
typedef enum { VL2_FORMAT_MIX, VL2_FORMAT_INT8, VL2_FORMAT_INT4, VL2_FORMAT_BF16 /* of generated weights only */ } vl2_format;
bool vl2_format_from_name(const char *name, vl2_format *out); /* "mix", "int8", "int4", "bf16" */
const char *vl2_format_name(vl2_format format);
/* The smallest format that costs the model in `dir` at most a point of any task (docs/quantisation.md): MIX, but INT8 where experts
 * are narrower than 512, as the demo model's are. Reads its config only. */
vl2_status vl2_format_for(const char *dir, vl2_format *out, vl2_error *err);

typedef enum {
    VL2_OF_VISION,
    VL2_OF_PROJECTOR,
    VL2_OF_EMBEDDINGS,
    VL2_OF_ATTENTION,
    VL2_OF_DENSE,
    VL2_OF_SHARED,
    VL2_OF_EXPERTS,
    VL2_OF_ROUTER,
    VL2_OF_NORMS,
    VL2_OF_HEAD,
    VL2_OF_COUNT
} vl2_part_of;
const char *vl2_part_name(vl2_part_of part); /* static, in English */

/* What a checkpoint folder's tensors are made of; headers only, no data is read. */
struct vl2_contents {
    struct {
        uint64_t tensors, parameters, bytes;
        const char *dtype; /* of most of its bytes: "bf16", "i4g", …; NULL when there is none */
    } parts[VL2_OF_COUNT];
    char quantisation[16], source[64], content[64]; /* "" where the checkpoint is not quantised; hashes as "xxh3-128:…" */
};
vl2_status vl2_contents_read(const char *dir, struct vl2_contents *out, vl2_error *err);

/* Reads all of a quantised checkpoint's data and compares its hash with the one that it carries. */
vl2_status vl2_contents_verify(const char *dir, const struct vl2_watch *watch, vl2_error *err);

struct vl2_quantise_options {
    vl2_format format;       /* not BF16 */
    bool vision_int8;        /* the vision tower's and the projector's matrices too */
    int threads;             /* 0 = as many as there are processors */
    const char *program;     /* name and version, for the note of change in the file */
    const struct vl2_watch *watch; /* VL2_STAGE_LOAD in bytes of the source; may be NULL */
};
struct vl2_quantise_report {
    uint64_t source_bytes, bytes; /* of tensors */
    char source[64];              /* hash of the source's tensors */
};

/* Writes the checkpoint of `dir` as one quantised safetensors file to `path`, which must not exist. Reads and writes piece by
 * piece. On failure the file may be there and is worthless: its header is written last. */
vl2_status vl2_quantise(const char *dir, const char *path, const struct vl2_quantise_options *options,
                        struct vl2_quantise_report *report, vl2_error *err);

#endif
