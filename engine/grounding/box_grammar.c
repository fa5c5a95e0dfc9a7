/* SPDX-License-Identifier: MIT
 *
 * A byte automaton for box blocks and the token mask derived from it. See engine/grounding/box_grammar.h.
 * A block's alphabet is ten digits, brackets, comma and space, so only a few thousand tokens of any vocabulary can occur in
 * it: a mask costs that many short walks.
 */
#include "engine/grounding/box_grammar.h"

#include "engine/error.h"
#include "kernels/vlk.h"

#include <string.h>

enum node {
    OUTSIDE = 0,
    START,      /* after <|det|>: '[' */
    LIST,       /* '[' of the first box */
    BOX,        /* first digit of a box */
    NUMBER,     /* inside a number */
    COMMA,      /* after ',' inside a box: ' ' or a digit */
    COMMA_GAP,  /* after ", " inside a box: a digit */
    BOX_END,    /* after ']' of a box: ',' or ']' */
    NEXT,       /* after ',' between boxes: ' ' or '[' */
    NEXT_GAP,   /* after ", " between boxes: '[' */
    END,        /* only <|/det|> */
    LABEL,      /* after <|det|> of a labelled block: its label, or '[' */
    OPEN,       /* after the '[' behind a label: a digit, or '[' of a list */
    MALFORMED   /* given text broke the grammar: unconstrained until <|/det|> */
};

enum { HIGHEST = 999, LONGEST_LABEL = 48 };

struct piece {
    int32_t id;
    uint32_t start;
    uint16_t length;
};

struct vl2_box_grammar {
    int32_t det, det_end;
    struct piece *pieces; /* tokens made of the block alphabet */
    size_t n_pieces;
    char *bytes;
    bool whole; /* 0 … 999 are one token each */
    bool labelled;
};

static bool begin_number(struct vl2_box_state *s, char c) {
    if (c < '0' || c > '9')
        return false;
    s->node = NUMBER;
    s->digits = 1;
    s->zero = c == '0';
    s->value = (int16_t)(c - '0');
    return true;
}

static bool continue_number(struct vl2_box_state *s, char c) {
    if (c >= '0' && c <= '9') {
        s->digits++;
        if (s->zero || s->digits > 3)
            return false;
        s->value = (int16_t)(10 * s->value + (c - '0'));
        return true;
    }
    if (c == ',' && s->number < 3) {
        if (s->number < 2)
            s->corner[s->number] = s->value;
        s->number++;
        s->node = COMMA;
        return true;
    }
    if (c == ']' && s->number == 3) {
        s->boxes++;
        s->node = s->single ? END : BOX_END;
        return true;
    }
    return false;
}

static bool begin_box(struct vl2_box_state *s, char c) {
    if (c != '[')
        return false;
    s->node = BOX;
    s->number = 0;
    return true;
}

static bool is_of_label(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' || c == ' ';
}

static bool continue_label(struct vl2_box_state *s, char c) {
    if (c != '[')
        return is_of_label(c) && s->digits++ < LONGEST_LABEL;
    s->node = OPEN;
    s->digits = 0;
    return true;
}

static bool open_box(struct vl2_box_state *s, char c) {
    s->single = c != '[';
    return s->single ? begin_number(s, c) : begin_box(s, c);
}

/* One byte; false when the grammar has no such continuation. */
static bool step(struct vl2_box_state *s, char c) {
    switch ((enum node)s->node) {
    case START:
        s->node = LIST;
        return c == '[';
    case LIST:
    case NEXT_GAP:
        return begin_box(s, c);
    case BOX:
    case COMMA_GAP:
        return begin_number(s, c);
    case NUMBER:
        return continue_number(s, c);
    case COMMA:
        if (c != ' ')
            return begin_number(s, c);
        s->node = COMMA_GAP;
        return true;
    case BOX_END:
        if (c == ']') {
            s->node = END;
            return true;
        }
        s->node = NEXT;
        return c == ',' && s->boxes < VL2_MAX_BOXES_PER_BLOCK;
    case NEXT:
        if (c != ' ')
            return begin_box(s, c);
        s->node = NEXT_GAP;
        return true;
    case LABEL:
        return continue_label(s, c);
    case OPEN:
        return open_box(s, c);
    case OUTSIDE:
    case END:
    case MALFORMED:
        return false;
    }
    return false;
}

/* What number `index` of the box has to be at least, as far as the corner before it is known; 0 where nothing could be that. */
static int32_t lowest(const struct vl2_box_state *s, int index) {
    int corner = index - 2;
    if (corner < 0 || corner > s->number || (corner == s->number && s->node != NUMBER))
        return 0;
    int32_t before = corner == s->number ? s->value : s->corner[corner];
    return before < HIGHEST ? before + 1 : 0;
}

/* Whether the number that has begun can become one that leaves the box its area. */
static bool can_be_in_order(const struct vl2_box_state *s) {
    int32_t most = s->value;
    for (int digits = s->digits; digits < 3 && !s->zero; digits++)
        most = 10 * most + 9;
    return s->number < 2 ? s->value < HIGHEST : most >= lowest(s, s->number);
}

static int32_t width_of(int32_t number) {
    return number < 10 ? 1 : number < 100 ? 2 : 3;
}

/* Bytes that number `index` needs yet. */
static int32_t missing(const struct vl2_box_state *s, int index) {
    int32_t low = lowest(s, index), n = 0;
    if (index > s->number || s->node != NUMBER)
        return width_of(low);
    if (can_be_in_order(s))
        for (int32_t most = s->value; index >= 2 && most < low; n++)
            most = 10 * most + 9;
    return n;
}

/* Bytes of the shortest way to END, an upper bound on the tokens that it takes. */
static int32_t distance(const struct vl2_box_state *s) {
    int32_t bytes = s->single ? 1 : 2; /* "]]" */
    switch ((enum node)s->node) {
    case START:
        return 11;
    case LIST:
    case NEXT:
    case NEXT_GAP:
        return 10;
    case BOX:
    case LABEL:
        return 9;
    case OPEN:
        return 8;
    case NUMBER:
    case COMMA:
    case COMMA_GAP:
        for (int i = s->number; i < 4; i++)
            bytes += missing(s, i) + (i > s->number); /* and its comma */
        return bytes;
    case BOX_END:
        return 1;
    case OUTSIDE:
    case END:
    case MALFORMED:
        return 0;
    }
    return 0;
}

bool vl2_box_grammar_inside(const struct vl2_box_state *state) {
    return state->node != OUTSIDE && state->node != MALFORMED;
}

int vl2_box_grammar_spot(const struct vl2_box_state *state) {
    int digits = state->node != NUMBER ? 0 : state->zero ? 3 : state->digits;
    return vl2_box_grammar_inside(state) ? (state->node * 4 + state->number) * 4 + digits : 0;
}

int32_t vl2_box_grammar_only(const struct vl2_box_grammar *grammar, const struct vl2_box_state *state) {
    return state->node == END ? grammar->det_end : -1;
}

int32_t vl2_box_grammar_way_out(const struct vl2_box_state *state) {
    return vl2_box_grammar_inside(state) ? distance(state) + 1 : 0;
}

static bool walk(const struct vl2_box_grammar *g, const struct piece *p, struct vl2_box_state *s) {
    for (uint16_t i = 0; i < p->length; i++)
        if (!step(s, g->bytes[p->start + i]))
            return false;
    return true;
}

/* The same for a token that is to be offered: no number in it ends too small or can only become so. */
static bool walk_in_order(const struct vl2_box_grammar *g, const struct piece *p, struct vl2_box_state *s) {
    for (uint16_t i = 0; i < p->length; i++) {
        const struct vl2_box_state before = *s;
        bool bound = before.node != NUMBER || can_be_in_order(&before);
        if (!step(s, g->bytes[p->start + i]))
            return false;
        bool ended = before.node == NUMBER && s->node != NUMBER;
        if (bound && ((ended && before.value < lowest(&before, before.number)) || (s->node == NUMBER && !can_be_in_order(s))))
            return false;
    }
    return true;
}

static bool in_alphabet(const struct vl2_box_grammar *g, const char *text, size_t length) {
    if (length == 0 || length > 64)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!text[i] || (!strchr("0123456789[], ", text[i]) && !(g->labelled && is_of_label(text[i]))))
            return false;
    return true;
}

static vl2_status collect(struct vl2_box_grammar *g, const vl2_tokenizer *tokenizer, vl2_error *err) {
    size_t capacity = 0, bytes_capacity = 0, n_bytes = 0;
    for (int32_t id = 0; id < vl2_tokenizer_size(tokenizer); id++) {
        char *text;
        size_t length;
        vl2_status status = vl2_tokenizer_decode(tokenizer, &id, 1, &text, &length, err);
        if (status)
            return status;
        bool fits = in_alphabet(g, text, length);
        if (fits && g->n_pieces == capacity) {
            struct piece *grown = vlk_realloc(g->pieces, capacity * sizeof *grown, (capacity * 2 + 256) * sizeof *grown);
            capacity = capacity * 2 + 256;
            if (grown)
                g->pieces = grown;
            else
                status = VL2_ERR_MEMORY;
        }
        if (fits && !status && n_bytes + length > bytes_capacity) {
            char *grown = vlk_realloc(g->bytes, bytes_capacity, bytes_capacity * 2 + 1024);
            bytes_capacity = bytes_capacity * 2 + 1024;
            if (grown)
                g->bytes = grown;
            else
                status = VL2_ERR_MEMORY;
        }
        if (fits && !status) {
            g->pieces[g->n_pieces++] = (struct piece){.id = id, .start = (uint32_t)n_bytes, .length = (uint16_t)length};
            memcpy(g->bytes + n_bytes, text, length);
            n_bytes += length;
        }
        vl2_free(text);
        if (status)
            return vl2_fail(err, status, "Not enough memory for the box grammar");
    }
    return VL2_OK;
}

/* The value of a token that is nothing but a number as it is written in a box, -1 for any other. */
static int32_t plain_number(const char *text, size_t length) {
    int32_t value = 0;
    if (length > 3 || (length > 1 && text[0] == '0'))
        return -1;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        value = 10 * value + (text[i] - '0');
    }
    return value;
}

static bool has_whole_numbers(const struct vl2_box_grammar *g) {
    bool seen[1000] = {false};
    int count = 0;
    for (size_t i = 0; i < g->n_pieces; i++) {
        int32_t value = plain_number(g->bytes + g->pieces[i].start, g->pieces[i].length);
        if (value >= 0 && !seen[value])
            count++;
        if (value >= 0)
            seen[value] = true;
    }
    return count == 1000;
}

vl2_status vl2_box_grammar_open(const vl2_tokenizer *tokenizer, int32_t det, int32_t det_end, bool labelled,
                                struct vl2_box_grammar **out, vl2_error *err) {
    *out = NULL;
    struct vl2_box_grammar *g = vlk_alloc(1, sizeof *g);
    if (!g)
        return vl2_fail(err, VL2_ERR_MEMORY, "Not enough memory for the box grammar");
    g->det = det;
    g->det_end = det_end;
    g->labelled = labelled;
    vl2_status status = collect(g, tokenizer, err);
    if (status) {
        vl2_box_grammar_close(g);
        return status;
    }
    g->whole = has_whole_numbers(g);
    *out = g;
    return VL2_OK;
}

void vl2_box_grammar_close(struct vl2_box_grammar *grammar) {
    if (!grammar)
        return;
    vlk_free(grammar->pieces);
    vlk_free(grammar->bytes);
    vlk_free(grammar);
}

static struct vl2_box_state start_of(const struct vl2_box_grammar *g) {
    return (struct vl2_box_state){.node = g->labelled ? LABEL : START};
}

static const struct piece *find_piece(const struct vl2_box_grammar *g, int32_t id) {
    size_t low = 0, high = g->n_pieces; /* pieces ascend by id */
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (g->pieces[mid].id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low < g->n_pieces && g->pieces[low].id == id ? &g->pieces[low] : NULL;
}

void vl2_box_grammar_feed(const struct vl2_box_grammar *grammar, struct vl2_box_state *state, int32_t id) {
    if (id == grammar->det_end) {
        *state = (struct vl2_box_state){.node = OUTSIDE};
    } else if (state->node == OUTSIDE) {
        if (id == grammar->det)
            *state = start_of(grammar);
    } else if (state->node != MALFORMED) {
        const struct piece *piece = find_piece(grammar, id);
        if (!piece || !walk(grammar, piece, state))
            *state = (struct vl2_box_state){.node = MALFORMED};
    }
}

static void allow(uint32_t *allowed, int32_t vocab, int32_t id) {
    if (id >= 0 && id < vocab)
        allowed[id / 32] |= 1u << (id % 32);
}

bool vl2_box_grammar_mask(const struct vl2_box_grammar *grammar, const struct vl2_box_state *state, int32_t remaining,
                          int32_t vocab, uint32_t *allowed) {
    const size_t words = ((size_t)vocab + 31) / 32;
    if (state->node == MALFORMED)
        return false;
    if (state->node == OUTSIDE) {
        const struct vl2_box_state start = start_of(grammar);
        if (remaining >= distance(&start) + 2 || grammar->det < 0 || grammar->det >= vocab)
            return false;
        memset(allowed, 0xff, words * sizeof *allowed);
        allowed[grammar->det / 32] &= ~(1u << (grammar->det % 32));
        return true;
    }
    memset(allowed, 0, words * sizeof *allowed);
    if (state->node == END) {
        allow(allowed, vocab, grammar->det_end);
        return true;
    }
    /* When the budget is smaller than the shortest way out (a given prefix), nothing can be saved: stay in the grammar. */
    const int32_t budget = remaining - 2 < distance(state) - 1 ? INT32_MAX : remaining - 2;
    for (size_t i = 0; i < grammar->n_pieces; i++) {
        struct vl2_box_state next = *state;
        if (walk_in_order(grammar, &grammar->pieces[i], &next) && distance(&next) <= budget)
            allow(allowed, vocab, grammar->pieces[i].id);
    }
    return true;
}

/* ------------------------------------------------------------------------------------------------- numbers */

bool vl2_box_grammar_whole_numbers(const struct vl2_box_grammar *grammar) {
    return grammar->whole;
}

size_t vl2_box_grammar_pieces(const struct vl2_box_grammar *grammar) {
    return grammar->n_pieces;
}

/* Walks the token to its end and notes the first number that begins in it. */
static bool first_number(const struct vl2_box_grammar *g, const struct piece *p, struct vl2_box_state s, struct vl2_box_number *out) {
    bool begun = false, ended = false;
    for (uint16_t i = 0; i < p->length; i++) {
        char c = g->bytes[p->start + i];
        bool was_number = s.node == NUMBER, digit = c >= '0' && c <= '9';
        if (!step(&s, c))
            return false;
        if (digit && !was_number && !begun) {
            begun = true;
            *out = (struct vl2_box_number){.id = p->id, .index = s.number, .digit = (int8_t)(c - '0'), .value = c - '0', .alone = p->length == 1};
        } else if (digit && begun && !ended) {
            out->value = 10 * out->value + (c - '0');
        } else if (!digit) {
            ended = begun;
        }
    }
    return begun;
}

bool vl2_box_grammar_number(const struct vl2_box_grammar *grammar, const struct vl2_box_state *state, int32_t id,
                            struct vl2_box_number *out) {
    const struct piece *piece = vl2_box_grammar_inside(state) ? find_piece(grammar, id) : NULL;
    return piece && first_number(grammar, piece, *state, out);
}

size_t vl2_box_grammar_numbers(const struct vl2_box_grammar *grammar, const struct vl2_box_state *state, struct vl2_box_number *out) {
    size_t n = 0;
    for (size_t i = 0; i < grammar->n_pieces; i++)
        n += first_number(grammar, &grammar->pieces[i], *state, &out[n]);
    return n;
}

size_t vl2_box_grammar_continuations(const struct vl2_box_grammar *grammar, const struct vl2_box_state *state,
                                     struct vl2_box_number *out) {
    size_t n = 0;
    for (size_t i = 0; state->node == NUMBER && i < grammar->n_pieces; i++) {
        const struct piece *p = &grammar->pieces[i];
        struct vl2_box_state next = *state;
        char first = grammar->bytes[p->start];
        bool digit = first >= '0' && first <= '9';
        if (walk(grammar, p, &next))
            out[n++] = (struct vl2_box_number){.id = p->id, .index = state->number, .alone = p->length == 1,
                                               .digit = (int8_t)(digit ? first - '0' : VL2_NUMBER_ENDS)};
    }
    return n;
}
