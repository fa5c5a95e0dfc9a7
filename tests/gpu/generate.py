#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes a checkpoint of a published model's shape with random bf16 weights: `generate.py tiny|small|base FOLDER [--layers N]`.

For measuring speed only. Needs numpy. The tokenizer is the demo model's, whose ids all are below the vocabularies; every matrix
gets its own part of a block of noise, so that experts differ and the router chooses among all of them.
"""
import argparse
import json
import pathlib
import shutil
import struct

import numpy

DEMO = pathlib.Path(__file__).resolve().parents[2] / "data/demo-model"
MLA = dict(kv_lora_rank=512, qk_nope_head_dim=128, qk_rope_head_dim=64, v_head_dim=128, use_mla=True)
SIZES = {
    "tiny": dict(hidden_size=1280, num_hidden_layers=12, num_attention_heads=10, num_key_value_heads=10, use_mla=False,
                 kv_lora_rank=None, qk_nope_head_dim=0, qk_rope_head_dim=0, v_head_dim=0, intermediate_size=6848,
                 moe_intermediate_size=896, n_routed_experts=64, vocab_size=129280),
    "small": dict(MLA, hidden_size=2048, num_hidden_layers=27, num_attention_heads=16, num_key_value_heads=16, intermediate_size=10944,
                  moe_intermediate_size=1408, n_routed_experts=64, vocab_size=102400),
    "base": dict(MLA, hidden_size=2560, num_hidden_layers=30, num_attention_heads=32, num_key_value_heads=32, intermediate_size=12288,
                 moe_intermediate_size=1536, n_routed_experts=72, vocab_size=129280, scoring_func="sigmoid", topk_method="noaux_tc",
                 norm_topk_prob=True, routed_scaling_factor=2.0),
}
LANGUAGE = dict(model_type="deepseek_v2", n_shared_experts=2, num_experts_per_tok=6, first_k_dense_replace=1, moe_layer_freq=1,
                topk_method="greedy", scoring_func="softmax", n_group=1, topk_group=1, norm_topk_prob=False, routed_scaling_factor=1.0,
                q_lora_rank=None, max_position_embeddings=4096, bos_token_id=0, eos_token_id=1)
VISION = dict(model_type="vision", model_name="siglip_so400m_patch14_384", image_size=384, patch_size=14, width=1152, layers=27, heads=16,
              mlp_ratio=3.7362, class_token=False, global_pool="map", ignore_head=True, weight_init="skip", deterministic=False,
              num_classes=0, num_recomputing_layers=0, use_checkpoint=False)
GRIDS = [[1, 1], [1, 2], [2, 1], [1, 3], [3, 1], [1, 4], [4, 1], [2, 2], [1, 5], [5, 1], [1, 6], [6, 1], [2, 3], [3, 2], [1, 7], [7, 1],
         [1, 8], [8, 1], [2, 4], [4, 2], [1, 9], [9, 1], [3, 3]]


def config(size, layers):
    language = dict(LANGUAGE, **SIZES[size])
    if layers:
        language["num_hidden_layers"] = layers
    projector = dict(model_type="mlp_projector", projector_type="downsample_mlp_gelu", depth=2, mlp_ratio=1, downsample_ratio=2,
                     input_dim=1152, n_embed=language["hidden_size"], token_pooling=False)
    return dict(architectures=["DeepseekVLV2ForCausalLM"], model_type="deepseek_vl_v2", tile_tag="2D", global_view_pos="head",
                candidate_resolutions=[[384 * w, 384 * h] for w, h in GRIDS], torch_dtype="bfloat16", language_config=language,
                vision_config=VISION, projector_config=projector)


def vision_shapes(width, mlp, layers):
    yield "vision.patch_embed.proj.weight", (width, 3, 14, 14)
    yield "vision.patch_embed.proj.bias", (width,)
    yield "vision.pos_embed", (1, 729, width)
    for i in range(layers):
        for name, rows, cols in (("attn.qkv", 3 * width, width), ("attn.proj", width, width), ("mlp.fc1", mlp, width), ("mlp.fc2", width, mlp)):
            yield f"vision.blocks.{i}.{name}.weight", (rows, cols)
            yield f"vision.blocks.{i}.{name}.bias", (rows,)
        for name in ("norm1", "norm2"):
            yield f"vision.blocks.{i}.{name}.weight", (width,)
            yield f"vision.blocks.{i}.{name}.bias", (width,)
    yield "vision.norm.weight", (width,)
    yield "vision.norm.bias", (width,)


def attention_shapes(c, hidden, heads):
    if not c["use_mla"]:
        for name in "qkvo":
            yield f"self_attn.{name}_proj.weight", (hidden, hidden)
        return
    lora, nope, rope, v = c["kv_lora_rank"], c["qk_nope_head_dim"], c["qk_rope_head_dim"], c["v_head_dim"]
    yield "self_attn.q_proj.weight", (heads * (nope + rope), hidden)
    yield "self_attn.kv_a_proj_with_mqa.weight", (lora + rope, hidden)
    yield "self_attn.kv_a_layernorm.weight", (lora,)
    yield "self_attn.kv_b_proj.weight", (heads * (nope + v), lora)
    yield "self_attn.o_proj.weight", (hidden, heads * v)


def mlp_shapes(prefix, hidden, inter):
    yield f"{prefix}.gate_proj.weight", (inter, hidden)
    yield f"{prefix}.up_proj.weight", (inter, hidden)
    yield f"{prefix}.down_proj.weight", (hidden, inter)


def language_shapes(c):
    hidden, heads, vocab = c["hidden_size"], c["num_attention_heads"], c["vocab_size"]
    yield "language.model.embed_tokens.weight", (vocab, hidden)
    for i in range(c["num_hidden_layers"]):
        layer = f"language.model.layers.{i}."
        yield layer + "input_layernorm.weight", (hidden,)
        yield layer + "post_attention_layernorm.weight", (hidden,)
        for name, shape in attention_shapes(c, hidden, heads):
            yield layer + name, shape
        if i < c["first_k_dense_replace"]:
            yield from mlp_shapes(layer + "mlp", hidden, c["intermediate_size"])
            continue
        yield layer + "mlp.gate.weight", (c["n_routed_experts"], hidden)
        if c["topk_method"] == "noaux_tc":
            yield layer + "mlp.gate.e_score_correction_bias", (c["n_routed_experts"],)
        yield from mlp_shapes(layer + "mlp.shared_experts", hidden, c["n_shared_experts"] * c["moe_intermediate_size"])
        for e in range(c["n_routed_experts"]):
            yield from mlp_shapes(f"{layer}mlp.experts.{e}", hidden, c["moe_intermediate_size"])
    yield "language.model.norm.weight", (hidden,)
    yield "language.lm_head.weight", (vocab, hidden)


def shapes(c):
    hidden = c["language_config"]["hidden_size"]
    yield from vision_shapes(1152, 4304, 27)
    yield from (("projector.layers.0.weight", (hidden, 4608)), ("projector.layers.0.bias", (hidden,)))
    yield from (("projector.layers.2.weight", (hidden, hidden)), ("projector.layers.2.bias", (hidden,)))
    yield from (("image_newline", (hidden,)), ("view_seperator", (hidden,)))
    yield from language_shapes(c["language_config"])


def bf16(x):
    return (x.astype(numpy.float32).view(numpy.uint32) >> 16).astype(numpy.uint16)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("size", choices=SIZES)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--layers", type=int, default=0, help="of the decoder; all where not given")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    c = config(options.size, options.layers)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(DEMO / name, options.folder)
    processor = json.loads((DEMO / "processor_config.json").read_text())
    processor.update(candidate_resolutions=c["candidate_resolutions"], patch_size=14, downsample_ratio=2)
    (options.folder / "processor_config.json").write_text(json.dumps(processor))
    (options.folder / "config.json").write_text(json.dumps(c, indent=1))
    header, at, everything = {"__metadata__": {"format": "pt"}}, 0, list(shapes(c))
    for name, shape in everything:
        size = 2 * int(numpy.prod(shape))
        header[name] = dict(dtype="BF16", shape=shape, data_offsets=[at, at + size])
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-(len(text) + 8) % 64)
    noise, blocks = numpy.random.default_rng(1).standard_normal(1 << 24, numpy.float32), {}
    with open(options.folder / "model.safetensors.part", "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for i, (name, shape) in enumerate(everything):
            n = int(numpy.prod(shape))
            if "norm" in name and name.endswith(".weight"):
                f.write(bf16(numpy.ones(n)).tobytes())
                continue
            scale = shape[-1] ** -0.5 if len(shape) > 1 else 0.02
            if scale not in blocks:
                blocks[scale] = numpy.tile(bf16(noise * scale), 2)  # any start has a whole block behind it
            start = 977 * i % len(noise)
            for at in range(0, n, len(noise)):
                f.write(memoryview(blocks[scale][start:start + min(len(noise), n - at)]))
    (options.folder / "model.safetensors.part").rename(options.folder / "model.safetensors")


main()
