/* SPDX-License-Identifier: MIT
 *
 * modeling_deepseek.py: DeepseekV2RotaryEmbedding and its Linear, DynamicNTK and Yarn forms; transformers 4.38
 * modeling_llama.py: LlamaRotaryEmbedding for MHA, which has the same tables.
 *
 * Frequencies and angles are rounded to f32 where the official code rounds them: at position 4000 that rounding is worth
 * 1e-4 rad, and the model was trained with it. The powers, cosines and sines themselves are computed in double.
 *
 * "dynamic" changes the frequencies only for sequences longer than max_position_embeddings, which is also the longest
 * context that a session may have: within it, dynamic and none are the same table.
 */
#include "engine/model/rope.h"

#include <math.h>

int32_t vl2_rope_dim(const struct vl2_config *c) {
    return c->lm.mla ? c->lm.rope : c->lm.head_dim;
}

static double yarn_correction_dim(const struct vl2_config *c, double rotations) {
    double original = c->lm.rope_scaling.original_context;
    return vl2_rope_dim(c) * log(original / (rotations * 2 * M_PI)) / (2 * log(c->lm.rope_scaling.theta));
}

/* Blends the plain frequency (fast dims) and the interpolated one (slow dims) along a linear ramp. */
static void yarn_frequencies(const struct vl2_config *c, float *frequencies) {
    int32_t dim = vl2_rope_dim(c);
    double low = fmax(floor(yarn_correction_dim(c, c->lm.rope_scaling.beta_fast)), 0);
    double high = fmin(ceil(yarn_correction_dim(c, c->lm.rope_scaling.beta_slow)), dim - 1);
    if (low == high)
        high += 0.001;
    for (int32_t i = 0; i < dim / 2; i++) {
        float power = (float)pow(c->lm.rope_scaling.theta, (double)((float)(2 * i) / (float)dim));
        float plain = 1.0f / power, interpolated = 1.0f / ((float)c->lm.rope_scaling.factor * power);
        float ramp = (float)fmin(fmax(((double)i - low) / (high - low), 0), 1);
        float keep = 1.0f - ramp;
        frequencies[i] = interpolated * (1.0f - keep) + plain * keep;
    }
}

void vl2_rope_fill(const struct vl2_config *c, int32_t positions, float *frequencies, float *cos_table, float *sin_table) {
    int32_t half = vl2_rope_dim(c) / 2;
    float divisor = c->lm.rope_scaling.type == VL2_ROPE_LINEAR ? (float)c->lm.rope_scaling.factor : 1.0f;
    double scale = 1;
    if (c->lm.rope_scaling.type == VL2_ROPE_YARN) {
        yarn_frequencies(c, frequencies);
        scale = c->lm.rope_scaling.table_scale;
    } else {
        for (int32_t i = 0; i < half; i++)
            frequencies[i] = 1.0f / (float)pow(c->lm.rope_scaling.theta, (double)((float)(2 * i) / (float)(2 * half)));
    }
    for (int32_t p = 0; p < positions; p++) {
        float t = (float)p / divisor;
        for (int32_t i = 0; i < half; i++) {
            float angle = t * frequencies[i];
            cos_table[(size_t)p * (size_t)half + (size_t)i] = (float)(cos((double)angle) * scale);
            sin_table[(size_t)p * (size_t)half + (size_t)i] = (float)(sin((double)angle) * scale);
        }
    }
}

float vl2_attention_scale(const struct vl2_config *c) {
    if (!c->lm.mla)
        return (float)(1.0 / sqrt((double)c->lm.head_dim));
    return (float)(c->lm.rope_scaling.score_scale / sqrt((double)(c->lm.nope + c->lm.rope)));
}
