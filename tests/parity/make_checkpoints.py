#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes small random-weight checkpoints in the published layout, one folder per variant of the architecture.

Standard library only, and the same bytes on every machine: the build runs it for tests/parity/test_parity.c, and
make_fixtures.py runs it before it asks the official code. Shapes are awkward on purpose.
"""
import argparse
import array
import hashlib
import json
import math
import pathlib
import random
import shutil
import struct

HERE = pathlib.Path(__file__).parent
VOCAB = 431  # 420 + image, grounding and role tokens, and some that no token has

VISION = dict(model_type="vision", image_size=22, patch_size=4, width=30, layers=2, heads=3, mlp_ratio=2.7, global_pool="map",
              ignore_head=True, class_token=False)
PROJECTOR = dict(model_type="mlp_projector", projector_type="downsample_mlp_gelu", depth=2, mlp_ratio=1, downsample_ratio=2,
                 token_pooling=False)
LANGUAGE = dict(model_type="deepseek_v2", vocab_size=VOCAB, hidden_size=44, intermediate_size=70, moe_intermediate_size=26,
                num_hidden_layers=3, num_attention_heads=3, num_key_value_heads=3, n_shared_experts=2, n_routed_experts=7,
                num_experts_per_tok=3, first_k_dense_replace=1, moe_layer_freq=1, topk_method="greedy", scoring_func="softmax",
                n_group=1, topk_group=1, norm_topk_prob=False, routed_scaling_factor=1.0, q_lora_rank=None, kv_lora_rank=22,
                qk_nope_head_dim=14, qk_rope_head_dim=10, v_head_dim=18, max_position_embeddings=512, bos_token_id=0,
                eos_token_id=1, use_mla=True)
MHA = dict(use_mla=False, hidden_size=40, num_attention_heads=4, num_key_value_heads=4, kv_lora_rank=None, qk_nope_head_dim=0,
           qk_rope_head_dim=0, v_head_dim=0)
SIGMOID = dict(scoring_func="sigmoid", topk_method="noaux_tc", norm_topk_prob=True, routed_scaling_factor=2.0)
CANDIDATES = [[1, 1], [1, 2], [2, 1], [2, 2], [1, 3]]

# name: changes to the language, vision and projector configs; file layout
VARIANTS = {
    "tiny_style": dict(language=MHA, dtype="BF16"),
    "small_style": dict(dtype="F16"),
    "base_style": dict(language=dict(SIGMOID, n_routed_experts=9), dtype="BF16", shards=3, head=False),
    "mha_grouped_bias": dict(language=dict(MHA, num_key_value_heads=2, attention_bias=True, n_routed_experts=None,
                                           n_shared_experts=None, num_experts_per_tok=None), attn_pool=True),
    "q_lora_bias": dict(language=dict(q_lora_rank=17, attention_bias=True, topk_method="group_limited_greedy", n_routed_experts=9,
                                      n_group=3, topk_group=2), dtype="mixed"),
    "noaux_groups": dict(language=dict(SIGMOID, n_routed_experts=12, n_group=4, topk_group=2, moe_layer_freq=2,
                                       num_hidden_layers=4, first_k_dense_replace=0, rms_norm_eps=1e-3)),
    "softmax_noaux": dict(language=dict(SIGMOID, scoring_func="softmax", n_routed_experts=8, n_group=2, topk_group=1,
                                        n_shared_experts=None), head=False, bias_offset=0.25),
    "norm_one": dict(language=dict(norm_topk_prob=True, num_experts_per_tok=1, routed_scaling_factor=1.7)),
    "yarn": dict(language=dict(rope_scaling=dict(type="yarn", factor=4.0, original_max_position_embeddings=64, beta_fast=8,
                                                 beta_slow=1, mscale=0.9, mscale_all_dim=0.6))),
    "yarn_defaults": dict(language=dict(q_lora_rank=12, rope_scaling=dict(type="yarn", factor=40.0))),
    "linear_mla": dict(language=dict(rope_scaling=dict(type="linear", factor=2.5, mscale_all_dim=0.7))),
    "linear_mha": dict(language=dict(MHA, rope_scaling=dict(type="linear", factor=3.0))),
    "dynamic_mla": dict(language=dict(rope_scaling=dict(type="dynamic", factor=2.0))),
    "dynamic_mha": dict(language=dict(MHA, rope_scaling=dict(type="dynamic", factor=2.0), rope_theta=500.0)),
    "deep_projector": dict(projector=dict(depth=3, mlp_ratio=2, downsample_ratio=3)),
    "mlp_projector": dict(projector=dict(projector_type="mlp_gelu", depth=3), head=False),
    "linear_projector": dict(projector=dict(projector_type="linear"), vision=dict(image_size=9, patch_size=3)),
    "identity_projector": dict(projector=dict(projector_type="identity"), vision=dict(image_size=9, patch_size=3, width=44, heads=2)),
}


# Where the first draw has a near-tie that rounding could decide, another one: make_fixtures.py says so.
SEEDS = {"tiny_style": 2, "base_style": 2, "q_lora_bias": 5, "yarn": 1, "yarn_defaults": 12, "linear_mla": 9, "linear_mha": 1,
         "dynamic_mla": 1, "dynamic_mha": 2, "deep_projector": 1, "mlp_projector": 4, "identity_projector": 5}


def bits_bf16(values):
    out = array.array("H")
    for (bits,) in struct.iter_unpack("<I", values.tobytes()):
        out.append((bits + 0x7FFF + (bits >> 16 & 1)) >> 16 & 0xFFFF)
    return out.tobytes()


def encode(values, dtype):
    if dtype == "F32":
        return values.tobytes()
    if dtype == "BF16":
        return bits_bf16(values)
    return struct.pack(f"<{len(values)}e", *values)


class Weights:
    """Uniform random tensors; each has its own generator, so that adding one changes no other."""

    def __init__(self, name, dtype):
        self.name, self.dtype, self.tensors = name, dtype, {}

    def add(self, name, *shape, scale=None, offset=0.0):
        rng = random.Random(f"{self.name}/{SEEDS.get(self.name, 0)}/{name}")
        count = math.prod(shape)
        if scale is None:
            scale = math.sqrt(3 / max(1, count // shape[0]))
        values = array.array("f", [offset + scale * (2 * rng.random() - 1) for _ in range(count)])
        dtype = self.dtype
        if dtype == "mixed":
            dtype = ("F32", "BF16", "F16")[hashlib.sha256(name.encode()).digest()[0] % 3]
        self.tensors[name] = (dtype, list(shape), encode(values, dtype))

    def linear(self, name, rows, cols, bias=False, gain=1.0):
        self.add(name + ".weight", rows, cols, scale=gain * math.sqrt(3 / cols))
        if bias:
            self.add(name + ".bias", rows, scale=0.3)

    def norm(self, name, size, bias=False):
        self.add(name + ".weight", size, scale=0.4, offset=1.0)
        if bias:
            self.add(name + ".bias", size, scale=0.3)


def add_vision(w, v, attn_pool):
    width, mlp, patch = v["width"], int(v["width"] * v["mlp_ratio"]), v["patch_size"]
    tokens = (v["image_size"] // patch) ** 2
    w.add("vision.patch_embed.proj.weight", width, 3, patch, patch)
    w.add("vision.patch_embed.proj.bias", width, scale=0.3)
    w.add("vision.pos_embed", 1, tokens, width, scale=0.8)
    for i in range(v["layers"]):
        block = f"vision.blocks.{i}."
        w.norm(block + "norm1", width, bias=True)
        w.linear(block + "attn.qkv", 3 * width, width, bias=True, gain=1.5)
        w.linear(block + "attn.proj", width, width, bias=True)
        w.norm(block + "norm2", width, bias=True)
        w.linear(block + "mlp.fc1", mlp, width, bias=True)
        w.linear(block + "mlp.fc2", width, mlp, bias=True)
    w.norm("vision.norm", width, bias=True)
    if attn_pool:
        w.add("vision.attn_pool.latent", 1, 1, width)
        for name, rows, cols in (("q", width, width), ("kv", 2 * width, width), ("proj", width, width),
                                 ("mlp.fc1", mlp, width), ("mlp.fc2", width, mlp)):
            w.linear("vision.attn_pool." + name, rows, cols, bias=True)
        w.norm("vision.attn_pool.norm", width, bias=True)


def add_projector(w, p):
    inside, out = p["input_dim"], p["n_embed"]
    kind = p["projector_type"]
    if kind == "linear":
        w.linear("projector.layers", out, inside, bias=True)
    elif kind != "identity":
        down = kind == "downsample_mlp_gelu"
        hidden = out * p["mlp_ratio"] if down else out
        depth = max(p["depth"], 2 if down else 1)
        inside *= p["downsample_ratio"] ** 2 if down else 1
        for i in range(depth):
            rows = out if i == depth - 1 else hidden
            w.linear(f"projector.layers.{2 * i}", rows, inside, bias=True)
            inside = hidden
    w.add("image_newline", out, scale=0.9)
    w.add("view_seperator", out, scale=0.9)


def add_mlp(w, name, hidden, inter):
    w.linear(name + ".gate_proj", inter, hidden)
    w.linear(name + ".up_proj", inter, hidden)
    w.linear(name + ".down_proj", hidden, inter)


def add_attention(w, name, c):
    hidden, heads, bias = c["hidden_size"], c["num_attention_heads"], c.get("attention_bias", False)
    if not c["use_mla"]:
        size = hidden // heads
        w.linear(name + ".q_proj", hidden, hidden, bias, gain=1.5)
        w.linear(name + ".k_proj", c["num_key_value_heads"] * size, hidden, bias, gain=1.5)
        w.linear(name + ".v_proj", c["num_key_value_heads"] * size, hidden, bias)
        w.linear(name + ".o_proj", hidden, hidden, bias)
        return
    nope, rope, v, lora = (c[k] for k in ("qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim", "kv_lora_rank"))
    if c["q_lora_rank"] is None:
        w.linear(name + ".q_proj", heads * (nope + rope), hidden, gain=1.5)
    else:
        w.linear(name + ".q_a_proj", c["q_lora_rank"], hidden, bias)
        w.norm(name + ".q_a_layernorm", c["q_lora_rank"])
        w.linear(name + ".q_b_proj", heads * (nope + rope), c["q_lora_rank"], gain=1.5)
    w.linear(name + ".kv_a_proj_with_mqa", lora + rope, hidden, bias, gain=1.5)
    w.norm(name + ".kv_a_layernorm", lora)
    w.linear(name + ".kv_b_proj", heads * (nope + v), lora)
    w.linear(name + ".o_proj", hidden, heads * v, bias)


def add_language(w, c, bias_offset):
    hidden = c["hidden_size"]
    w.add("language.model.embed_tokens.weight", c["vocab_size"], hidden, scale=1.0)
    for i in range(c["num_hidden_layers"]):
        layer = f"language.model.layers.{i}"
        w.norm(layer + ".input_layernorm", hidden)
        add_attention(w, layer + ".self_attn", c)
        w.norm(layer + ".post_attention_layernorm", hidden)
        experts = c["n_routed_experts"]
        if experts is None or i < c["first_k_dense_replace"] or i % c["moe_layer_freq"]:
            add_mlp(w, layer + ".mlp", hidden, c["intermediate_size"])
            continue
        w.linear(layer + ".mlp.gate", experts, hidden, gain=2.0)
        if c["topk_method"] == "noaux_tc":
            w.add(layer + ".mlp.gate.e_score_correction_bias", experts, scale=0.2, offset=bias_offset)
        for e in range(experts):
            add_mlp(w, f"{layer}.mlp.experts.{e}", hidden, c["moe_intermediate_size"])
        if c["n_shared_experts"]:
            add_mlp(w, layer + ".mlp.shared_experts", hidden, c["moe_intermediate_size"] * c["n_shared_experts"])
    w.norm("language.model.norm", hidden)
    w.linear("language.lm_head", c["vocab_size"], hidden, gain=3.0)


def write_safetensors(path, tensors):
    header, offset = {}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header).encode()
    with open(path, "wb") as f:
        # Not padded: the data of many tensors is then unaligned, as it may be in any file.
        f.write(struct.pack("<Q", len(text)) + text)
        for _, _, data in tensors.values():
            f.write(data)


def write_tensors(out, w, shards):
    if shards == 1:
        write_safetensors(out / "model.safetensors", w.tensors)
        return
    names, index = list(w.tensors), {}
    for i in range(shards):
        file = f"model-{i + 1:05}-of-{shards:05}.safetensors"
        part = names[i * len(names) // shards:(i + 1) * len(names) // shards]
        write_safetensors(out / file, {n: w.tensors[n] for n in part})
        index.update({n: file for n in part})
    total = sum(len(data) for _, _, data in w.tensors.values())
    (out / "model.safetensors.index.json").write_text(json.dumps({"metadata": {"total_size": total}, "weight_map": index}))


def write_checkpoint(out, name):
    spec = VARIANTS[name]
    vision = dict(VISION, **spec.get("vision", {}))
    language = dict(LANGUAGE, **spec.get("language", {}))
    projector = dict(PROJECTOR, input_dim=vision["width"], n_embed=language["hidden_size"], **{})
    projector.update(spec.get("projector", {}))
    side = vision["image_size"]
    candidates = [[w * side, h * side] for w, h in CANDIDATES]
    down = projector["downsample_ratio"] if projector["projector_type"] == "downsample_mlp_gelu" else 1
    config = dict(architectures=["DeepseekVLV2ForCausalLM"], model_type="deepseek_vl_v2", tile_tag="2D",
                  global_view_pos="head" if spec.get("head", True) else "tail", candidate_resolutions=candidates,
                  vision_config=vision, projector_config=projector, language_config=language)
    processor = dict(processor_class="DeepseekVLV2Processor", candidate_resolutions=candidates, patch_size=vision["patch_size"],
                     downsample_ratio=down, image_mean=[0.5] * 3, image_std=[0.5] * 3, normalize=True, image_token="<image>",
                     pad_token="<\uff5c\u2581pad\u2581\uff5c>", sft_format="deepseek", add_special_token=False, mask_prompt=False,
                     ignore_id=-100)
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.json").write_text(json.dumps(config, indent=1))
    (out / "processor_config.json").write_text(json.dumps(processor, indent=1))
    for file in sorted((HERE / "tokenizer").iterdir()):
        shutil.copy(file, out / file.name)
    weights = Weights(name, spec.get("dtype", "F32"))
    add_vision(weights, vision, spec.get("attn_pool", False))
    add_projector(weights, projector)
    add_language(weights, language, spec.get("bias_offset", 0.0))
    write_tensors(out, weights, spec.get("shards", 1))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--stamp", type=pathlib.Path, help="file that is touched at the end, for the build")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    for name in args.names or VARIANTS:
        write_checkpoint(args.out / name, name)
    if args.stamp:
        args.stamp.touch()


if __name__ == "__main__":
    main()
