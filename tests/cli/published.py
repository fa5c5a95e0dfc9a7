# SPDX-License-Identifier: MIT
"""The three published checkpoints as files without data: their config.json as published (most keys left to the class defaults), and
safetensors headers over holes, which take no room on the disk. Written from the architecture, not from the engine's table.
Used by test_check.py and the scripts in tests/parity and tests/peers.
"""
import json
import math
import os
import pathlib
import struct

LANGUAGE = {
    "tiny": dict(hidden_size=1280, num_hidden_layers=12, num_attention_heads=10, num_key_value_heads=10, use_mla=False, kv_lora_rank=None,
                 qk_nope_head_dim=0, qk_rope_head_dim=0, v_head_dim=0, intermediate_size=6848, moe_intermediate_size=896, n_routed_experts=64,
                 topk_method="greedy", vocab_size=129280, bos_token_id=0, eos_token_id=1),
    "small": dict(hidden_size=2048, num_hidden_layers=27, num_attention_heads=16, num_key_value_heads=16, intermediate_size=10944,
                  moe_intermediate_size=1408, n_routed_experts=64, topk_method="greedy"),
    "base": dict(hidden_size=2560, intermediate_size=12288, moe_intermediate_size=1536, n_routed_experts=72, topk_method="noaux_tc",
                 scoring_func="sigmoid", norm_topk_prob=True, routed_scaling_factor=2.0, vocab_size=129280, bos_token_id=0, eos_token_id=1),
}
COMMON = dict(model_type="deepseek_v2", q_lora_rank=None, first_k_dense_replace=1, n_shared_experts=2, num_experts_per_tok=6, n_group=1,
              topk_group=1, max_position_embeddings=4096, rm_head=False)
DEFAULTS = dict(num_hidden_layers=30, num_attention_heads=32, num_key_value_heads=32, vocab_size=102400, use_mla=True)
UNITS = [(1, 1), (1, 2), (2, 1), (1, 3), (3, 1), (1, 4), (4, 1), (2, 2), (1, 5), (5, 1), (1, 6), (6, 1), (2, 3), (3, 2), (1, 7), (7, 1), (1, 8), (8, 1),
         (2, 4), (4, 2), (1, 9), (9, 1), (3, 3)]
PARAMETERS = {"tiny": 3370501440, "small": 16148349504, "base": 27480134248}


def linear(out, name, rows, cols, bias=False):
    out[name + ".weight"] = [rows, cols]
    if bias:
        out[name + ".bias"] = [rows]


def norm(out, name, size, bias=False):
    out[name + ".weight"] = [size]
    if bias:
        out[name + ".bias"] = [size]


def vision(out):
    width, mlp = 1152, 4304
    out["vision.patch_embed.proj.weight"], out["vision.patch_embed.proj.bias"], out["vision.pos_embed"] = [width, 3, 14, 14], [width], [1, 729, width]
    for i in range(27):
        block = f"vision.blocks.{i}."
        norm(out, block + "norm1", width, True)
        linear(out, block + "attn.qkv", 3 * width, width, True)
        linear(out, block + "attn.proj", width, width, True)
        norm(out, block + "norm2", width, True)
        linear(out, block + "mlp.fc1", mlp, width, True)
        linear(out, block + "mlp.fc2", width, mlp, True)
    norm(out, "vision.norm", width, True)
    out["vision.attn_pool.latent"] = [1, 1, width]
    for name, rows, cols in (("q", width, width), ("kv", 2 * width, width), ("proj", width, width), ("mlp.fc1", mlp, width), ("mlp.fc2", width, mlp)):
        linear(out, "vision.attn_pool." + name, rows, cols, True)
    norm(out, "vision.attn_pool.norm", width, True)


def gated(out, name, hidden, inter):
    linear(out, name + ".gate_proj", inter, hidden)
    linear(out, name + ".up_proj", inter, hidden)
    linear(out, name + ".down_proj", hidden, inter)


def layer(out, c, i):
    hidden, heads, name = c["hidden_size"], c["num_attention_heads"], f"language.model.layers.{i}"
    norm(out, name + ".input_layernorm", hidden)
    norm(out, name + ".post_attention_layernorm", hidden)
    if c["use_mla"]:
        linear(out, name + ".self_attn.q_proj", heads * 192, hidden)
        linear(out, name + ".self_attn.kv_a_proj_with_mqa", 576, hidden)
        norm(out, name + ".self_attn.kv_a_layernorm", 512)
        linear(out, name + ".self_attn.kv_b_proj", heads * 256, 512)
        linear(out, name + ".self_attn.o_proj", hidden, heads * 128)
    else:
        for part in "qkvo":
            linear(out, f"{name}.self_attn.{part}_proj", hidden, hidden)
    if i == 0:
        return gated(out, name + ".mlp", hidden, c["intermediate_size"])
    linear(out, name + ".mlp.gate", c["n_routed_experts"], hidden)
    if c["topk_method"] == "noaux_tc":
        out[name + ".mlp.gate.e_score_correction_bias"] = [c["n_routed_experts"]]
    for e in range(c["n_routed_experts"]):
        gated(out, f"{name}.mlp.experts.{e}", hidden, c["moe_intermediate_size"])
    return gated(out, name + ".mlp.shared_experts", hidden, 2 * c["moe_intermediate_size"])


def tensors(key):
    """Names and shapes."""
    c, out = {**DEFAULTS, **LANGUAGE[key]}, {}
    hidden = c["hidden_size"]
    vision(out)
    linear(out, "projector.layers.0", hidden, 4608, True)
    linear(out, "projector.layers.2", hidden, hidden, True)
    out["image_newline"], out["view_seperator"] = [hidden], [hidden]
    out["language.model.embed_tokens.weight"] = [c["vocab_size"], hidden]
    for i in range(c["num_hidden_layers"]):
        layer(out, c, i)
    norm(out, "language.model.norm", hidden)
    linear(out, "language.lm_head", c["vocab_size"], hidden)
    return out


def config(key):
    candidates = [[384 * w, 384 * h] for w, h in UNITS]
    hidden = LANGUAGE[key]["hidden_size"]
    projector = dict(model_type="mlp_projector", n_embed=hidden) if key != "small" else dict(model_type="mlp_projector")
    model = dict(model_type="deepseek_vl_v2", tile_tag="2D", candidate_resolutions=candidates, language_config={**COMMON, **LANGUAGE[key]},
                 vision_config=dict(model_type="vision", layers=27, mlp_ratio=3.7362, model_name="siglip_so400m_patch14_384", patch_size=14, width=1152),
                 projector_config=projector)
    processor = dict(processor_class="DeepseekVLV2Processor", candidate_resolutions=candidates, patch_size=14, downsample_ratio=2,
                     image_mean=[0.5] * 3, image_std=[0.5] * 3, normalize=True, image_token="<image>", sft_format="deepseek")
    return model, processor


def write_tensors(path, shapes, dtypes):
    header, at = {}, 0
    for name, shape in shapes.items():
        size = {"BF16": 2, "F32": 4, "I32": 4}[dtypes.get(name, "BF16")]
        for side in shape:
            size *= side
        header[name] = {"dtype": dtypes.get(name, "BF16"), "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + at)


def mix_entry(name, shape):
    """Element type, shape and bytes of a tensor in a file of the format mix; docs/quantisation.md."""
    kind, count = "BF16", math.prod(shape)
    if ".mlp.experts." in name:
        kind = "I4G"
    elif name.startswith("language."):
        kind = "I8G" if len(shape) == 2 and ".mlp.gate." not in name else "F32"
    if kind in ("I4G", "I8G"):
        row = -(-shape[1] // 32) * (18 if kind == "I4G" else 34)
        return kind, [shape[0], row], shape[0] * row
    return kind, shape, count * (4 if kind == "F32" else 2)


def write_mix(path, shapes):
    """What `quantize` would write, without the data."""
    header, at, about = {}, 0, {"format": "sightline", "version": "1", "layout": "rows", "quantisation": "mix"}
    for name, shape in shapes.items():
        kind, sides, size = mix_entry(name, shape)
        if at % 64:
            header[f"padding.{at}"] = {"dtype": "U8", "shape": [-at % 64], "data_offsets": [at, at + -at % 64]}
            at += -at % 64
        if kind in ("I4G", "I8G"):
            about[name], kind = f"{kind} {shape[1]}", "U8"
        header[name] = {"dtype": kind, "shape": sides, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps({"__metadata__": about, **header}).encode()
    text += b" " * (-(8 + len(text)) % 64)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + at)


def write(folder, key, tokenizer, change=lambda model, shapes, dtypes: None):
    """A checkpoint folder in one file; `change` may damage it first."""
    folder, (model, processor), shapes, dtypes = pathlib.Path(folder), config(key), tensors(key), {}
    change(model, shapes, dtypes)
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(model))
    (folder / "processor_config.json").write_text(json.dumps(processor))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        os.symlink(pathlib.Path(tokenizer).resolve() / name, folder / name)
    write_tensors(folder / "model.safetensors", shapes, dtypes)
    return folder
