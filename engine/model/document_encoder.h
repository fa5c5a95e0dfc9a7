/* SPDX-License-Identifier: MIT
 *
 * The encoder of the document models: views of a page → rows of the language model. A tower with windows (SAM) and convolutions behind
 * it makes 1/64 of a view's side, a second tower (CLIP) reads its map, and both together are projected.
 *
 *   view u8 ──patch_embed──▶ windowed blocks ──neck, 2 convolutions──▶ map ─┬─▶ + positions, class row ──norm──▶ blocks ─┐
 *                                                                            └──────────────────────────────────────────┴─▶ projector
 *
 * Positions learned on one grid are resized to that of a view. Called by vision.c on the inference thread.
 * deepseek_ocr.py: DeepseekOCRForCausalLM._pixel_values_to_embedding; deepencoder/sam_vary_sdpa.py, clip_sdpa.py, build_linear.py
 */
#ifndef VL2_DOCUMENT_ENCODER_H
#define VL2_DOCUMENT_ENCODER_H

#include "engine/model/model.h"
#include "engine/model/vision_work.h"

/* Floats of scratch that one view of `side` pixels takes, and rows of its largest op. */
size_t vl2_document_view_floats(const struct vl2_config *config, int32_t side);

/* n views u8 [n][3][side][side] of one picture, in batches of at most `batch`, into out [n · cells²][hidden] (be). Reports and polls
 * like vl2_vision_encode(); taps as there. */
vl2_status vl2_document_encode(const struct vl2_engine *engine, const uint8_t *views, int32_t n, int32_t side, int32_t batch,
                               const struct vl2_vision_work *work, float *out, vl2_error *err);

#endif
