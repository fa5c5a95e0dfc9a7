/* SPDX-License-Identifier: MIT
 *
 * What of config.json is different in a document model: which one it is, its two towers, and settings that stand at another place.
 * Used by config.c on the inference thread.
 */
#ifndef VL2_CONFIG_DOCUMENT_H
#define VL2_CONFIG_DOCUMENT_H

#include "engine/checkpoint/config_section.h"
#include "engine/model/model.h"

/* By its architecture, and where the file names none by the form of its vision_config; model_type alone does not tell them apart. Refuses
 * what is neither, by name. */
vl2_family vl2_config_family(struct vl2_section *root);

/* vision_config and projector_config of a document model, and how it cuts pages. */
void vl2_config_read_encoder(struct vl2_section *root, struct vl2_config *out);

/* The language model's settings: those of language_config, and those at the top level that are missing there. A new reference. */
json_t *vl2_config_merge_language(json_t *root);

/* processor_config.json says nothing that is not fixed: it is only checked. */
void vl2_config_check_page_processor(struct vl2_section *processor, const struct vl2_config *config);

#endif
