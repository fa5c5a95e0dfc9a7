/* SPDX-License-Identifier: MIT
 *
 * Keeps timelines that a session has left, and finds what they share. There are few branches, so the list is searched linearly.
 */
#include "engine/session/branches.h"

#include "engine/model/backend_wait.h"

#include <string.h>

enum { LEAST_TOKENS = 16 }; /* what is read again as fast as it is found */

/* ------------------------------------------------------------------------------------------------ timelines */

static vl2_reread why_pictures_differ(const struct vl2_picture_span *a, const struct vl2_picture_span *b) {
    return vl2_picture_key_same_pixels(&a->key, &b->key) ? VL2_REREAD_TILING : VL2_REREAD_PICTURE;
}

size_t vl2_timeline_match(const struct vl2_timeline *have, const struct vl2_timeline *want, size_t limit, vl2_reread *reason) {
    size_t n = 0, span = 0, end = limit < have->length ? limit : have->length;
    while (n < end) {
        bool mine = span < have->n_spans && have->spans[span].first == n;
        bool theirs = span < want->n_spans && want->spans[span].first == n;
        if (mine && theirs && !vl2_picture_key_equal(&have->spans[span].key, &want->spans[span].key)) {
            *reason = why_pictures_differ(&have->spans[span], &want->spans[span]);
            return n;
        }
        if (mine != theirs || have->ids[n] != want->ids[n]) {
            *reason = mine != theirs ? VL2_REREAD_PICTURE : VL2_REREAD_TEXT;
            return n;
        }
        n += mine ? want->spans[span].count : 1;
        span += mine;
    }
    *reason = end == limit ? VL2_REREAD_NOTHING : end ? VL2_REREAD_NEW : VL2_REREAD_EMPTY;
    return end;
}

static struct vl2_timeline timeline_of(const struct vl2_branch *b) {
    return (struct vl2_timeline){.ids = b->ids, .spans = b->spans, .length = b->length, .n_spans = b->n_spans};
}

/* Everything that `small` stands for is a part of `whole`. */
static bool contains(const struct vl2_timeline *whole, const struct vl2_branch *small) {
    vl2_reread reason;
    struct vl2_timeline t = timeline_of(small);
    return t.length <= whole->length && vl2_timeline_match(&t, whole, whole->length, &reason) == t.length;
}

/* ------------------------------------------------------------------------------------------------ the list */

bool vl2_branch_alloc(const struct vl2_engine *e, const struct vl2_kv *kv, size_t base, size_t length, size_t n_spans,
                      struct vl2_branch *out) {
    size_t bytes = vl2_kv_bytes(&e->config, (int32_t)(length - base), kv->dtype);
    *out = (struct vl2_branch){.length = length, .n_spans = n_spans, .base = base, .bytes = bytes};
    out->ids = vlk_alloc(length, sizeof *out->ids);
    out->spans = vlk_alloc(n_spans, sizeof *out->spans);
    out->rows = vlk_alloc(bytes, 1);
    if (out->ids && out->spans && out->rows)
        return true;
    vl2_branch_free(out);
    return false;
}

void vl2_branch_free(struct vl2_branch *branch) {
    vlk_free(branch->ids);
    vlk_free(branch->spans);
    vlk_free(branch->rows);
    *branch = (struct vl2_branch){0};
}

static void forget(struct vl2_branches *all, size_t i) {
    all->bytes -= all->list[i].bytes;
    vl2_branch_free(&all->list[i]);
    all->list[i] = all->list[--all->n];
}

static void trim(struct vl2_branches *all) {
    while (all->bytes > all->budget) {
        size_t oldest = 0;
        for (size_t i = 1; i < all->n; i++)
            if (all->list[i].used < all->list[oldest].used)
                oldest = i;
        forget(all, oldest);
    }
}

void vl2_branches_add(struct vl2_branches *all, struct vl2_branch *branch) {
    struct vl2_timeline whole = timeline_of(branch);
    for (size_t i = all->n; i-- > 0;)
        if (all->list[i].base >= branch->base && contains(&whole, &all->list[i]))
            forget(all, i);
    if (all->n == all->room) {
        size_t old = all->room * sizeof *all->list, room = 2 * all->room + 8;
        void *p = vlk_realloc(all->list, old, room * sizeof *all->list);
        if (!p) {
            vl2_branch_free(branch);
            return;
        }
        all->list = p;
        all->room = room;
    }
    branch->used = ++all->tick;
    all->bytes += branch->bytes;
    all->list[all->n++] = *branch;
    *branch = (struct vl2_branch){0};
    trim(all);
}

void vl2_branches_deinit(struct vl2_branches *all) {
    while (all->n)
        forget(all, 0);
    vlk_free(all->list);
    *all = (struct vl2_branches){0};
}

/* ------------------------------------------------------------------------------------------------ leaving and coming back */

/* Already here, with all its rows? */
static struct vl2_branch *find_holder(struct vl2_branches *all, const struct vl2_timeline *live, size_t from) {
    for (size_t i = 0; i < all->n; i++) {
        vl2_reread reason;
        struct vl2_timeline t = timeline_of(&all->list[i]);
        if (all->list[i].base <= from && vl2_timeline_match(&t, live, live->length, &reason) == live->length)
            return &all->list[i];
    }
    return NULL;
}

void vl2_branches_park(const struct vl2_engine *e, struct vl2_branches *all, const struct vl2_kv *kv,
                       const struct vl2_timeline *live, size_t from) {
    size_t most = all->budget / vl2_kv_bytes(&e->config, 1, kv->dtype), length = live->length, n_spans = 0;
    struct vl2_branch branch, *holder = find_holder(all, live, from);
    if (holder)
        holder->used = ++all->tick;
    length = length - from < most ? length : from + most;
    if (holder || length < from + LEAST_TOKENS)
        return;
    while (n_spans < live->n_spans && live->spans[n_spans].first < length)
        n_spans++;
    if (!vl2_branch_alloc(e, kv, from, length, n_spans, &branch))
        return;
    memcpy(branch.ids, live->ids, length * sizeof *branch.ids);
    if (n_spans)
        memcpy(branch.spans, live->spans, n_spans * sizeof *branch.spans);
    vl2_kv_read(e, kv, from, length - from, branch.rows);
    if (vl2_backend_is_sound(e))
        vl2_branches_add(all, &branch);
    else /* nothing was read */
        vl2_branch_free(&branch);
}

size_t vl2_branches_fetch(const struct vl2_engine *e, struct vl2_branches *all, const struct vl2_kv *kv,
                          const struct vl2_timeline *want, size_t length, size_t limit, vl2_reread *reason) {
    for (;;) {
        size_t best = 0, most = length;
        for (size_t i = 0; i < all->n; i++) {
            vl2_reread why;
            struct vl2_timeline t = timeline_of(&all->list[i]);
            size_t n = all->list[i].base <= length ? vl2_timeline_match(&t, want, limit, &why) : 0;
            if (n <= most)
                continue;
            best = i;
            most = n;
            *reason = why;
        }
        if (most == length)
            return length;
        struct vl2_branch *b = &all->list[best];
        vl2_kv_write(e, kv, length, most - length, b->rows, b->length - b->base, length - b->base);
        b->used = ++all->tick;
        length = most;
        if (most == b->length)
            forget(all, best);
    }
}
