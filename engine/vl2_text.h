/* SPDX-License-Identifier: MIT
 *
 * Text, pictures and conversations as the model reads them: tokens, tiles, the layout of a prompt, and boxes in an answer. All of it
 * is pure. Part of engine/vl2.h.
 */
#ifndef VL2_PUBLIC_TEXT_H
#define VL2_PUBLIC_TEXT_H

#include "engine/vl2_engine.h"

/* ------------------------------------------------------------------------------------------------- tokenizer */

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

/* ------------------------------------------------------------------------------------------------- pictures */

/* An upright RGB8 picture, borrowed for the duration of a call. rows are `stride` bytes apart. */
typedef struct {
    int32_t width, height;
    size_t stride;
    const uint8_t *rgb;
} vl2_picture;

/* The tiles of one picture before normalisation: the global view u8 [3][side][side], then grid_h × grid_w local tiles
 * [3][local_side][local_side] row-major.   processing_deepseek_vl_v2.py: tokenize_with_images; image_process.py: tokenize_with_images */
struct vl2_tiles {
    int32_t side, local_side, grid_w, grid_h, n_tiles; /* n_tiles = 1 + grid_w * grid_h; a page in one view: 1 */
    uint8_t *data;                                     /* vl2_free() */
};

struct vl2_tile_rule {
    int32_t side, local_side; /* local_side 0: as side */
    int32_t n_candidates;
    const int32_t (*candidates)[2];
    /* Document models: a page has no candidates, but a grid of 2 … most_tiles tiles whose shape is nearest to its own, into which it
     * is stretched; one view without tiles where it is not larger than a tile, or most_tiles is 0. The global view is padded, or
     * stretched as well. */
    bool page, stretched;
    int32_t most_tiles;
};
/* crop false: one local tile (3 or more pictures in the conversation, or low detail); of a page none. */
vl2_status vl2_tiles_make(const struct vl2_tile_rule *rule, const vl2_picture *picture, bool crop, struct vl2_tiles *out,
                          vl2_error *err);
void vl2_tile_grid(const struct vl2_tile_rule *rule, int32_t width, int32_t height, bool crop, int32_t *grid_w, int32_t *grid_h);
/* Where the whole picture lies inside a view of view_w × view_h pixels, the rest being padding: x, y, width, height.
 * The global view is side × side, the local one grid_w·side × grid_h·side.   ImageOps.pad */
void vl2_tile_content(int32_t width, int32_t height, int32_t view_w, int32_t view_h, int32_t content[4]);
struct vl2_tile_rule vl2_engine_tile_rule(const vl2_engine *engine);
/* Tokens of a picture: h·(h+1) + 1 + h·gh·(h·gw + 1), h = tokens per tile side. */
int32_t vl2_engine_picture_tokens(const vl2_engine *engine, int32_t width, int32_t height, bool crop);
/* What token j of such a picture shows: a rectangle of the upright original, x0 y0 x1 y1 in pixels (fractions count: a token is
 * r×r patches of a resized tile). Tiles overlap nowhere, but the global view shows again what the local tiles show. False, rect
 * untouched, for the tokens that show nothing of it: newlines, the separator, and cells of nothing but padding. */
bool vl2_engine_token_rect(const vl2_engine *engine, int32_t width, int32_t height, bool crop, int32_t j, double rect[4]);

/* ------------------------------------------------------------------------------------------------- conversations */

typedef enum { VL2_SYSTEM, VL2_USER, VL2_ASSISTANT } vl2_role;
typedef enum { VL2_PART_TEXT, VL2_PART_PICTURE } vl2_part_kind;
/* LOW: a 1×1 grid whatever the size. Document models, whose published modes are called so, at their usual size of 1024: AUTO is
 * "gundam", tiles of 640 beside a view of 1024; LOW is BASE; TINY 512 and SMALL 640 are stretched, BASE 1024 and LARGE 1280 padded. The
 * others read more than LOW as AUTO. */
typedef enum { VL2_DETAIL_AUTO, VL2_DETAIL_LOW, VL2_DETAIL_TINY, VL2_DETAIL_SMALL, VL2_DETAIL_BASE, VL2_DETAIL_LARGE } vl2_detail;

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
    struct vl2_tile_rule rule; /* by which it is cut */
    size_t message;            /* that it belongs to */
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

/* ------------------------------------------------------------------------------------------------- grounding */

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

/* Where reading goes on when a text has grown: everything before `at` is settled. */
struct vl2_grounding_place {
    size_t at;
    size_t label;    /* waiting for its block, or the block's that `at` lies in; SIZE_MAX: none */
    size_t n_labels; /* before `at` */
    bool in_boxes;
};
#define VL2_GROUNDING_START ((struct vl2_grounding_place){0, SIZE_MAX, 0, false})
/* The same for a text of which *place was reached before: out has what follows from there, with offsets and labels of the whole text.
 * The first *n_settled boxes of it stay as they are, however the text goes on; *place moves behind them. On failure nothing moves. */
vl2_status vl2_grounding_parse_on(const char *text, size_t length, struct vl2_grounding_place *place, size_t *n_settled,
                                  struct vl2_grounding *out, vl2_error *err);
void vl2_grounding_deinit(struct vl2_grounding *grounding);

/* 0…999 → pixels as the official code: (int)(c / 999 · size).   deepseek_vl2/serve/app_modules/utils.py */
int32_t vl2_box_to_pixels(int32_t coord, int32_t size);

#endif
