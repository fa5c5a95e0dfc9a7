/* SPDX-License-Identifier: MIT
 *
 * The box grammar: inside <|det|> … <|/det|> only `[[int, int, int, int], …]` with integers 0 … 999 can be sampled, so that
 * digit runs, missing numbers and a label inside a block cannot happen. Works on the bytes of the tokens, because vocabularies
 * hold merges such as `]],`. Built once per engine; the state belongs to one generation. Used by engine/session/generate.c on the
 * inference thread. It must not know how tokens are sampled.
 *
 * The second corner lies right of and below the first one, so that every box that is sampled has area: a digit is only offered if
 * the number can still become large enough. A given beginning that rules this out is gone on with in any order.
 *
 *   block := '[' box ( ',' ' '? box )* ']'        box := '[' num ( ',' ' '? num ){3} ']'        num := '0' | [1-9][0-9]{0,2}
 *
 * Unlimited-OCR writes what a block is in front of its one box, `title [357, 135, 642, 155]`; a list may stand there as well:
 *
 *   labelled := [A-Za-z_ -]{0,48} ( box | block )
 */
#ifndef VL2_BOX_GRAMMAR_H
#define VL2_BOX_GRAMMAR_H

#include "engine/vl2.h"

#define VL2_MAX_BOXES_PER_BLOCK 128

struct vl2_box_grammar;

struct vl2_box_state {
    int8_t node;    /* of the grammar: enum in box_grammar.c; 0 = outside a block */
    int8_t number;  /* index of the current number in its box, 0 … 3 */
    int8_t digits;  /* of the current number so far; bytes of a label */
    bool single;    /* the block is one box without a list around it */
    bool zero;      /* the current number is "0" */
    int16_t boxes;  /* completed in this block */
    int16_t value;  /* of the current number so far */
    int16_t corner[2]; /* x1 and y1 of this box, those before the current number */
};

/* Collects the tokens that can occur inside a block. det, det_end: the ids of <|det|> and <|/det|>. labelled: blocks are of that form. */
vl2_status vl2_box_grammar_open(const vl2_tokenizer *tokenizer, int32_t det, int32_t det_end, bool labelled,
                                struct vl2_box_grammar **out, vl2_error *err);
void vl2_box_grammar_close(struct vl2_box_grammar *grammar);

/* Moves on by one token of the answer, generated or given as its prefix. A given block that is already malformed is not
 * constrained until it closes. */
void vl2_box_grammar_feed(const struct vl2_box_grammar *grammar, struct vl2_box_state *state, int32_t id);

/* Writes the bit mask over `vocab` ids of what may come next: bit id of allowed[id / 32]. `remaining` is how many tokens may
 * still be generated, this one included: a block is only opened, and a box only begun, if it can also be closed.
 * False: nothing is constrained here and `allowed` is untouched. */
bool vl2_box_grammar_mask(const struct vl2_box_grammar *grammar, const struct vl2_box_state *state, int32_t remaining,
                          int32_t vocab, uint32_t *allowed);

/* The spot within a block, so coarse that what follows a spot once is likely to follow it again; 0 where the grammar holds nothing. */
enum { VL2_BOX_SPOTS = 14 * 4 * 4 };
int vl2_box_grammar_spot(const struct vl2_box_state *state);
/* The only token that can come next, -1 where the state alone does not say. */
int32_t vl2_box_grammar_only(const struct vl2_box_grammar *grammar, const struct vl2_box_state *state);

/* True inside a block that the grammar holds, where the answer may not end. */
bool vl2_box_grammar_inside(const struct vl2_box_state *state);
/* An upper bound on the tokens that lead out of it, the end mark included: as `remaining` of a mask it closes the block. */
int32_t vl2_box_grammar_way_out(const struct vl2_box_state *state);

/* A number of a box that begins in a token: its digits as far as the token holds them. */
struct vl2_box_number {
    int32_t id, value;
    int8_t index, digit; /* 0 … 3 for x1 y1 x2 y2; its first digit */
    bool alone;          /* the token is this one digit and nothing else */
};

/* Whether the vocabulary has each of 0 … 999 as one token. */
bool vl2_box_grammar_whole_numbers(const struct vl2_box_grammar *grammar);
/* The first number that begins in the token with this id, written in this state; false if none does. */
bool vl2_box_grammar_number(const struct vl2_box_grammar *grammar, const struct vl2_box_state *state, int32_t id,
                            struct vl2_box_number *out);
/* All tokens in which a number can begin here: into out [vl2_box_grammar_pieces()], ascending by id; returns how many. */
size_t vl2_box_grammar_numbers(const struct vl2_box_grammar *grammar, const struct vl2_box_state *state, struct vl2_box_number *out);
/* Inside a number: all tokens that go on with it or end it, `digit` the next digit or VL2_NUMBER_ENDS, as above. */
enum { VL2_NUMBER_ENDS = 10 };
size_t vl2_box_grammar_continuations(const struct vl2_box_grammar *grammar, const struct vl2_box_state *state,
                                     struct vl2_box_number *out);
size_t vl2_box_grammar_pieces(const struct vl2_box_grammar *grammar);

#endif
