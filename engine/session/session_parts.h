/* SPDX-License-Identifier: MIT
 *
 * A session's parts, private to session.c, generate.c, snapshot.c and dump.c. One timeline: ids[0 … length) are in the cache;
 * what lies behind `length` is no more than room. What an edit or another conversation takes out of the timeline becomes a
 * branch (engine/session/branches.h).
 */
#ifndef VL2_SESSION_PARTS_H
#define VL2_SESSION_PARTS_H

#include "engine/model/decoder.h"
#include "engine/session/answer_ids.h"
#include "engine/session/branches.h"
#include "engine/session/picture_cache.h"

struct vl2_session {
    struct vl2_engine *engine;
    struct vl2_kv kv;
    struct vl2_scratch scratch;
    uint8_t *seen;              /* (be) [vocab]: ids that the repetition penalty touches */
    struct vlk_sampled *result; /* (be) */
    uint8_t *seen_host;         /* [vocab] */
    uint32_t *allowed;          /* [(vocab+31)/32]: the box grammar's mask */

    int32_t *ids;               /* [capacity] */
    size_t length, capacity;
    size_t whole;               /* of them, those that lie in whole chunks that were read from the beginning on */
    struct vl2_picture_span *spans; /* in order; those beyond `length` are void */
    size_t n_spans;
    struct vl2_session_options options; /* as given */
    bool ready;                 /* scratch.logits belong to the token ids[length-1] of a fully read conversation */

    int32_t *answer;            /* [capacity + 1]: ids generated since the last sync, behind those of `answer_prefix` */
    size_t answer_prefix;       /* ids of the answer's beginning that the conversation gave */
    char *answer_text;          /* that beginning's text; grows while generating */
    size_t answer_bytes, answer_room;

    struct vl2_session *newer;  /* in engine->sessions */
    struct {                    /* engine/session/eviction.h: in host memory, while kv and scratch hold nothing; rows NULL: they are in place */
        uint8_t *rows;          /* vl2_kv_read() of the timeline */
        float *logits;          /* [vocab] */
        int32_t chunk;          /* rows of scratch */
    } away;

    struct vl2_session *const *others; /* borrowed for the next sync: what they have read needs not be read again */
    size_t n_others;

    struct vl2_picture_cache pictures;
    struct vl2_branches branches;
    struct vl2_answers answers;
};

/* Host arrays that a dump fills while the prompt runs; every pointer may be NULL. */
struct vl2_forward_taps {
    float *embeds; /* [n][hidden] */
    float *layers; /* [layers][n][hidden] */
    float *experts; /* [layers][n][k]: ids that the router chose; rows of dense layers stay as they are */
    float *logits; /* [n][vocab] */
    size_t n;
    float *chunk_logits; /* (be) [chunk][vocab] */
};

/* A conversation laid out for this session. */
struct vl2_layout {
    struct vl2_prompt prompt;
    struct vl2_picture_span *spans; /* [prompt.n_pictures] */
    struct vl2_picture_rows *rows;  /* [prompt.n_pictures]; rows.rows == NULL where not needed; owned by the picture cache */
};

/* Tokenises and hashes; VL2_ERR_CONTEXT when it does not fit. */
vl2_status vl2_layout_make(struct vl2_session *session, const vl2_conversation *conversation, struct vl2_layout *out, vl2_error *err);
void vl2_layout_deinit(struct vl2_layout *layout);

/* VL2_ERR_USAGE for options that make no sense. */
vl2_status vl2_session_options_check(const struct vl2_engine *engine, const struct vl2_session_options *options, vl2_error *err);

/* vl2_plan_make() with the ids of remembered answers, which may be NULL. (plan.c) */
vl2_status vl2_plan_build(const vl2_engine *engine, const vl2_conversation *conversation, const struct vl2_answers *answers,
                          const struct vl2_session_options *options, int32_t answer_tokens, struct vl2_plan *out, vl2_error *err);

/* Copies into the cache, from token s->length on, what others have read of `want`, at most to `limit`. Returns the new length; *reason as
 * in vl2_timeline_match() where that moved. (share.c) */
size_t vl2_session_share(struct vl2_session *session, const struct vl2_timeline *want, size_t limit, vl2_reread *reason);
/* Puts another's rows of a picture into the session's own cache. False: nobody has it, or there is no memory for it. (share.c) */
bool vl2_session_share_picture(struct vl2_session *session, const struct vl2_picture_key *key, struct vl2_picture_rows *out);

/* Makes the layout the timeline, of which `prefix` tokens are in the cache. What else was in there is lost. */
vl2_status vl2_session_adopt(struct vl2_session *session, const struct vl2_layout *layout, size_t prefix, vl2_error *err);

/* Runs what is not in the cache of the adopted layout, in chunks. The logits of the last token are left in scratch.logits. */
vl2_status vl2_session_prefill(struct vl2_session *session, const struct vl2_layout *layout, const struct vl2_watch *watch,
                               const struct vl2_forward_taps *taps, vl2_error *err);

#endif
