/* SPDX-License-Identifier: MIT
 *
 * Tells by a tensor's name what it is part of, and its type in each format. Why these types: docs/quantisation.md.
 */
#include "engine/checkpoint/tensor_parts.h"

#include <string.h>

static bool begins(const char *name, const char *const *starts, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (strncmp(name, starts[i], strlen(starts[i])) == 0)
            return true;
    return false;
}

vl2_part_of vl2_part_of_tensor(const char *name, int32_t n_dims) {
    static const struct {
        const char *text;
        vl2_part_of part;
    } known[] = {
        {".mlp.experts.", VL2_OF_EXPERTS}, {".mlp.shared_experts.", VL2_OF_SHARED}, {".mlp.gate.", VL2_OF_ROUTER},
        {".mlp.", VL2_OF_DENSE},           {".self_attn.", VL2_OF_ATTENTION},       {"embed_tokens", VL2_OF_EMBEDDINGS},
        {"lm_head", VL2_OF_HEAD},
    };
    static const char *const towers[] = {"vision.", "model.sam_model.", "model.vision_model."};
    static const char *const language[] = {"language.", "model.layers.", "model.embed_tokens.", "model.norm.", "lm_head."};
    if (strstr(name, ".rel_pos_") || strstr(name, ".position_embedding.")) /* tables, though they have two dimensions */
        return VL2_OF_NORMS;
    if (begins(name, towers, 3))
        return VL2_OF_VISION;
    if (!begins(name, language, 5))
        return VL2_OF_PROJECTOR;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strstr(name, known[i].text) && (n_dims > 1 || known[i].part == VL2_OF_ROUTER))
            return known[i].part;
    return VL2_OF_NORMS;
}

const char *vl2_part_name(vl2_part_of part) {
    static const char *const names[VL2_OF_COUNT] = {"vision", "projector", "embeddings", "attention", "dense layers",
                                                    "shared experts", "routed experts", "router", "norms", "output head"};
    return names[part];
}

vlk_dtype vl2_part_dtype(vl2_part_of part, int32_t n_dims, vl2_format format, bool vision_int8, vlk_dtype source) {
    switch (part) {
    case VL2_OF_EXPERTS:
        return format == VL2_FORMAT_INT8 ? VLK_I8G : VLK_I4G;
    case VL2_OF_ATTENTION:
    case VL2_OF_DENSE:
    case VL2_OF_SHARED:
    case VL2_OF_HEAD:
        return format == VL2_FORMAT_INT4 ? VLK_I4G : VLK_I8G;
    case VL2_OF_EMBEDDINGS:
        return VLK_I8G;
    case VL2_OF_ROUTER:
    case VL2_OF_NORMS:
        return VLK_F32;
    default:
        if (vision_int8 && n_dims == 2)
            return VLK_I8G;
        return source == VLK_F32 ? VLK_BF16 : source;
    }
}
