/* SPDX-License-Identifier: MIT
 *
 * The table of keys. See engine/checkpoint/config_keys.h. The names are those of the official classes, of the classes that they
 * derive from (PretrainedConfig of transformers 4.38 to 5.24, ProcessorMixin), of the configurations that transformers itself
 * has for this language model (DeepseekV2Config, DeepseekV3Config), and of what training programs leave in a file.
 */
#include "engine/checkpoint/config_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROOT = VL2_KEYS_ROOT,
    VISION = VL2_KEYS_VISION,
    PROJECTOR = VL2_KEYS_PROJECTOR,
    LANGUAGE = VL2_KEYS_LANGUAGE,
    ROPE = VL2_KEYS_ROPE,
    PROCESSOR = VL2_KEYS_PROCESSOR,
    TOWER = VL2_KEYS_TOWER,
    RING = VL2_KEYS_RING,
    MODEL = VL2_KEYS_ROOT | VL2_KEYS_VISION | VL2_KEYS_PROJECTOR | VL2_KEYS_LANGUAGE
};

static const struct {
    int sections;
    const char *only; /* the one value that is implemented, as JSON; NULL: any, as far as this table goes */
    const char *keys; /* separated by blanks */
} known[] = {
    /* What is read: whoever reads it has its say about the value. */
    {ROOT, NULL, "model_type tile_tag global_view_pos vision_config projector_config language_config"},
    {VISION, NULL, "image_size patch_size width layers heads mlp_ratio global_pool"},
    {PROJECTOR, NULL, "projector_type input_dim n_embed depth mlp_ratio downsample_ratio"},
    {LANGUAGE, NULL,
     "vocab_size hidden_size intermediate_size num_hidden_layers max_position_embeddings bos_token_id eos_token_id "
     "rms_norm_eps hidden_act num_attention_heads num_key_value_heads use_mla attention_bias q_lora_rank kv_lora_rank "
     "qk_rope_head_dim qk_nope_head_dim v_head_dim head_dim qk_head_dim n_routed_experts first_k_dense_replace "
     "moe_layer_freq moe_intermediate_size num_experts_per_tok n_shared_experts scoring_func topk_method norm_topk_prob "
     "routed_scaling_factor n_group topk_group rope_theta rope_scaling rope_parameters rope_interleave"},
    {ROPE, NULL,
     "type rope_type rope_theta factor beta_fast beta_slow mscale mscale_all_dim original_max_position_embeddings "
     "attention_factor"},
    {PROCESSOR, NULL, "candidate_resolutions patch_size downsample_ratio image_mean image_std sft_format image_token"},
    {TOWER, NULL,
     "width layers heads image_size patch_size global_attn_indexes downsample_channels out_chans window_size"},
    {RING, NULL, "sliding_window sliding_window_size"},

    /* What changes the arithmetic and is implemented in one form. */
    {VISION, "false", "class_token qk_norm dynamic_img_size"},
    {VISION, "true", "ignore_head"},
    {VISION, "-1", "select_layer"},
    {PROJECTOR, "false", "token_pooling"},
    {LANGUAGE, "false", "tie_word_embeddings mlp_bias rm_head add_cross_attention is_encoder_decoder use_sliding_window"},
    {LANGUAGE, "true", "lm_head"},
    {LANGUAGE | ROPE, "1", "partial_rotary_factor"},
    {ROPE, "true", "truncate"},
    {PROCESSOR, "true", "normalize"},

    /* What has no part in the answer: names and versions, training, batches, devices, how a program shall generate. */
    {MODEL | PROCESSOR, NULL,
     "architectures auto_map name_or_path transformers_version torch_dtype dtype processor_class tokenizer_class"},
    {VISION | PROJECTOR | LANGUAGE, NULL, "model_type model_name"},
    {MODEL, NULL,
     "attn_implementation experts_implementation chunk_size_feed_forward finetuning_task id2label label2id num_labels "
     "output_attentions output_hidden_states prefix problem_type return_dict sep_token_id pad_token_id "
     "decoder_start_token_id task_specific_params torchscript use_bfloat16 use_return_dict is_decoder "
     "keys_to_ignore_at_inference"},
    {MODEL, NULL,
     "assistant_confidence_threshold assistant_lookbehind begin_suppress_tokens diversity_penalty do_sample early_stopping "
     "epsilon_cutoff eta_cutoff exponential_decay_length_penalty length_penalty max_length min_length no_repeat_ngram_size "
     "num_assistant_tokens num_assistant_tokens_schedule num_beam_groups num_beams num_return_sequences repetition_penalty "
     "suppress_tokens target_lookbehind temperature top_k top_p typical_p use_cache cache_implementation"},
    {ROOT, NULL,
     "candidate_resolutions tie_word_embeddings hidden_size vocab_size num_hidden_layers num_attention_heads bos_token_id "
     "eos_token_id image_token_id image_token_index ignore_index unsloth_fixed unsloth_version use_mla"},
    {VISION | PROJECTOR, NULL, "tie_word_embeddings bos_token_id eos_token_id"},
    {VISION, NULL, "num_classes use_checkpoint weight_init deterministic num_recomputing_layers"},
    {LANGUAGE, NULL,
     "attention_dropout aux_loss_alpha ep_size initializer_range num_nextn_predict_layers original_max_position_embeddings "
     "output_router_logits pretraining_tp router_aux_loss_coef seq_aux"},
    {PROCESSOR, NULL, "add_special_token ignore_id mask_prompt pad_token"},
};

static bool lists(const char *keys, const char *key) {
    size_t length = strlen(key);
    for (const char *at = keys; length > 0 && (at = strstr(at, key)); at += length)
        if ((at == keys || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
            return true;
    return false;
}

bool vl2_config_knows_key(int which, const char *key) {
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].sections & which && lists(known[i].keys, key))
            return true;
    return false;
}

/* null says what a missing key says. Numbers are compared as numbers: 1 is 1.0. */
static bool is_value(json_t *value, const char *only) {
    json_t *wanted = json_loads(only, JSON_DECODE_ANY, NULL);
    bool same = json_is_null(value) || (json_is_number(value) && json_is_number(wanted)
                                            ? json_number_value(value) == json_number_value(wanted)
                                            : json_equal(value, wanted) == 1);
    json_decref(wanted);
    return same;
}

static bool is_off(const json_t *value) {
    switch (json_typeof(value)) {
    case JSON_NULL:
    case JSON_FALSE:
        return true;
    case JSON_INTEGER:
    case JSON_REAL:
        return json_number_value(value) == 0;
    case JSON_STRING:
        return json_string_length(value) == 0;
    case JSON_OBJECT:
        return json_object_size(value) == 0;
    case JSON_ARRAY:
        return json_array_size(value) == 0;
    default:
        return false;
    }
}

static void refuse(struct vl2_section *r, const char *key, json_t *value, bool is_known) {
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    if (is_known)
        vl2_section_refuse(r, "%s: %s %.80s is not implemented.", r->where, key, text ? text : "");
    else
        vl2_section_refuse(r,
                           "%s: \"%.80s\" (%.80s) is not known and may change what the model computes. If it does not, take it out.",
                           r->where, key, text ? text : "");
    free(text);
}

/* "quantization_config" and its kin: the tensors are not what their names say. */
static bool refuse_quantised(struct vl2_section *r, const char *key, json_t *value) {
    if (!lists("quantization_config compression_config quantization", key) || is_off(value))
        return false;
    const char *method = json_string_value(json_object_get(value, "quant_method"));
    vl2_section_refuse(r,
                       "%s: %s%s%.40s%s: weights that another program has quantised are not implemented. Take the original "
                       "weights; \"sightline-cli quantize\" makes them small.",
                       r->where, key, method ? " \"" : "", method ? method : "", method ? "\"" : "");
    return true;
}

void vl2_config_check_keys(struct vl2_section *r, int which) {
    const char *key;
    json_t *value;
    if (r->failed)
        return;
    json_object_foreach (r->object, key, value) {
        bool is_known = false, fine = true;
        for (size_t i = 0; i < sizeof known / sizeof known[0] && !is_known; i++)
            if (known[i].sections & which && lists(known[i].keys, key)) {
                is_known = true;
                fine = !known[i].only || is_value(value, known[i].only);
            }
        if (is_known ? !fine : !refuse_quantised(r, key, value) && !is_off(value) && key[0] != '_')
            refuse(r, key, value, is_known);
        if (r->failed)
            return;
    }
}
