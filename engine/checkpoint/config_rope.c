/* SPDX-License-Identifier: MIT
 *
 * Reads how positions are turned into rotations. Two generations of files say it: rope_theta beside rope_scaling {"type": …}, as
 * the official class reads it, and rope_parameters {"rope_type": …, "rope_theta": …}, which transformers 5 writes in the place
 * of both. Where a file holds several, they have the precedence that transformers 5.24 gives them. See config.h.
 *   transformers modeling_rope_utils.py: RotaryEmbeddingConfigMixin, modeling_deepseek.py: DeepseekV2YarnRotaryEmbedding
 */
#include "engine/checkpoint/config.h"
#include "engine/checkpoint/config_keys.h"

#include <math.h>
#include <string.h>

static double yarn_mscale(double factor, double mscale) {
    return factor <= 1 ? 1.0 : 0.1 * mscale * log(factor) + 1.0;
}

/* The factors of yarn on cosines and sines, and on the scores. */
static void read_mscale(struct vl2_section *s, bool old, struct vl2_rope_scaling *rope) {
    double mscale = vl2_section_number(s, "mscale", 1, 0, 1e3), all = vl2_section_number(s, "mscale_all_dim", 0, 0, 1e3);
    /* The official code does this for every type of scaling, not for yarn alone. */
    if (all != 0)
        rope->score_scale = pow(yarn_mscale(rope->factor, all), 2);
    if (rope->type != VL2_ROPE_YARN)
        return;
    /* transformers takes the two only together; the official code takes each alone. */
    if (!old && (mscale == 0 || all == 0 || !json_is_number(json_object_get(s->object, "mscale")))) {
        mscale = 1;
        all = 0;
    }
    rope->table_scale = yarn_mscale(rope->factor, mscale) / yarn_mscale(rope->factor, all);
    rope->table_scale = vl2_section_number(s, "attention_factor", rope->table_scale, 0, 1e6);
}

/* The object that counts, with the type's key; NULL where there is none. */
static const char *find_object(struct vl2_section *r, struct vl2_section *s) {
    json_t *scaling = json_object_get(r->object, "rope_scaling"), *parameters = json_object_get(r->object, "rope_parameters");
    if (scaling && !json_is_null(scaling) && !(json_is_object(scaling) && json_object_size(scaling) == 0))
        *s = vl2_section_open(r->object, "rope_scaling", "config.json: language_config.rope_scaling", r);
    else if (parameters && !json_is_null(parameters))
        *s = vl2_section_open(r->object, "rope_parameters", "config.json: language_config.rope_parameters", r);
    else
        return NULL;
    r->failed = s->failed;
    return json_is_string(json_object_get(s->object, "rope_type")) ? "rope_type" : "type";
}

void vl2_config_read_rope(struct vl2_section *r, struct vl2_config *c) {
    static const char *const mla_types[] = {"default", "linear", "dynamic", "yarn", NULL};
    static const char *const mha_types[] = {"default", "linear", "dynamic", NULL};
    static const vl2_rope_type order[] = {VL2_ROPE_NONE, VL2_ROPE_LINEAR, VL2_ROPE_DYNAMIC, VL2_ROPE_YARN};
    struct vl2_rope_scaling *rope = &c->lm.rope_scaling;
    struct vl2_section s = {0};
    *rope = (struct vl2_rope_scaling){.factor = 1, .table_scale = 1, .score_scale = 1};
    rope->theta = vl2_section_number(r, "rope_theta", 10000, 1.001, 1e15);
    if (vl2_section_bool(r, "rope_interleave", c->lm.mla) != c->lm.mla)
        vl2_section_refuse(r, "%s: rope_interleave %s is not implemented with use_mla %s.", r->where, c->lm.mla ? "false" : "true",
                           c->lm.mla ? "true" : "false");
    const char *type = find_object(r, &s);
    if (!type || r->failed)
        return;
    bool old = strcmp(type, "type") == 0 && json_object_get(r->object, "rope_scaling") == s.object;
    rope->type = order[vl2_section_choice(&s, type, "default", c->lm.mla ? mla_types : mha_types)];
    rope->theta = vl2_section_number(&s, "rope_theta", rope->theta, 1.001, 1e15);
    vl2_config_check_keys(&s, VL2_KEYS_ROPE);
    bool has_factor = json_is_number(json_object_get(s.object, "factor"));
    if (rope->type != VL2_ROPE_NONE) {
        if (!has_factor)
            vl2_section_refuse(&s, "%s has no factor.", s.where);
        rope->factor = vl2_section_number(&s, "factor", 1, 1e-3, 1e6);
        rope->beta_fast = vl2_section_number(&s, "beta_fast", 32, 1e-6, 1e9);
        rope->beta_slow = vl2_section_number(&s, "beta_slow", 1, 1e-6, 1e9);
        rope->original_context = vl2_section_int(&s, "original_max_position_embeddings", old ? 4096 : c->lm.context, 1, 1 << 24);
        read_mscale(&s, old, rope);
    } else if (has_factor && !json_object_get(s.object, type)) {
        vl2_section_refuse(&s, "%s has a factor but no rope_type.", s.where);
    }
    r->failed = s.failed;
}
