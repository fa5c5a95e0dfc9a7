# SPDX-License-Identifier: MIT
"""Writes the model in the layout of the published DeepSeek-VL2 checkpoints (bf16), and reads such a checkpoint back for training.

export.py --state FILE --out DIR      Needs: torch, safetensors.
"""
import argparse
import json
import os

import torch
from safetensors.torch import load_file, save_file

import render as R
from model import CONFIG, DemoModel

STACKED = ("gate_proj", "up_proj", "down_proj")


def names(model):
    """Pairs (published name, tensor)."""
    for name, p in model.state_dict().items():
        if not name.startswith("language."):
            yield name, p
            continue
        tail = name[len("language."):]
        if tail.startswith("lm_head"):
            yield name, p
            continue
        base = "language.model." + tail
        parts = base.split(".")
        if parts[-2] == "mlp" and parts[-1] in STACKED:
            for e in range(len(p)):
                yield ".".join(parts[:-1]) + f".experts.{e}.{parts[-1]}.weight", p[e]
        else:
            yield base, p


def attention_pool(width, mlp):
    """The pooling head that the published files carry and nothing reads; small seeded noise."""
    g = torch.Generator().manual_seed(8)
    shapes = {"latent": (1, 1, width), "q.weight": (width, width), "q.bias": (width,), "kv.weight": (2 * width, width), "kv.bias": (2 * width,),
              "proj.weight": (width, width), "proj.bias": (width,), "norm.weight": (width,), "norm.bias": (width,),
              "mlp.fc1.weight": (mlp, width), "mlp.fc1.bias": (mlp,), "mlp.fc2.weight": (width, mlp), "mlp.fc2.bias": (width,)}
    return {"vision.attn_pool." + k: torch.randn(s, generator=g) * 0.02 for k, s in shapes.items()}


def configuration(vocab):
    c, v = CONFIG, CONFIG["vision"]
    resolutions = [[w * R.TILE, h * R.TILE] for w, h in R.CANDIDATES]
    config = {
        "architectures": ["DeepseekVLV2ForCausalLM"], "candidate_resolutions": resolutions, "global_view_pos": "head",
        "language_config": {
            "architectures": ["DeepseekV2ForCausalLM"], "attention_bias": False, "attention_dropout": 0.0, "aux_loss_alpha": 0.001,
            "bos_token_id": 0, "eos_token_id": 1, "ep_size": 1, "first_k_dense_replace": 1, "hidden_act": "silu", "hidden_size": c["hidden"],
            "initializer_range": 0.02, "intermediate_size": c["dense_inter"], "kv_lora_rank": c["kv_rank"], "lm_head": True,
            "max_position_embeddings": 4096, "model_type": "deepseek_v2", "moe_intermediate_size": c["moe_inter"], "moe_layer_freq": 1, "n_group": 1,
            "n_routed_experts": c["experts"], "n_shared_experts": c["shared"], "norm_topk_prob": True, "num_attention_heads": c["heads"],
            "num_experts_per_tok": c["top_k"], "num_hidden_layers": c["layers"], "num_key_value_heads": c["heads"], "pad_token_id": 2,
            "pretraining_tp": 1, "q_lora_rank": None, "qk_nope_head_dim": c["nope"], "qk_rope_head_dim": c["rope"], "rm_head": False,
            "rms_norm_eps": c["eps"], "rope_scaling": None, "rope_theta": c["theta"], "routed_scaling_factor": c["scale"],
            "scoring_func": "sigmoid", "seq_aux": True, "tie_word_embeddings": False, "topk_group": 1, "topk_method": "noaux_tc",
            "torch_dtype": "bfloat16", "use_cache": True, "use_mla": True, "v_head_dim": c["v"], "vocab_size": vocab},
        "model_type": "deepseek_vl_v2",
        "projector_config": {"depth": 2, "downsample_ratio": 2, "input_dim": v["width"], "mlp_ratio": 1, "model_type": "mlp_projector",
                             "n_embed": c["hidden"], "projector_type": "downsample_mlp_gelu", "token_pooling": False},
        "tile_tag": "2D", "torch_dtype": "bfloat16", "transformers_version": "4.38.2",
        "vision_config": {"class_token": False, "deterministic": False, "global_pool": "map", "heads": v["heads"], "ignore_head": True,
                          "image_size": v["image"], "layers": v["layers"], "mlp_ratio": v["mlp"] / v["width"], "model_name": "sightline_demo_vit",
                          "model_type": "vision", "num_classes": 0, "num_recomputing_layers": 0, "patch_size": v["patch"],
                          "use_checkpoint": False, "weight_init": "skip", "width": v["width"]},
    }
    processor = {
        "add_special_token": False, "candidate_resolutions": resolutions, "downsample_ratio": 2, "ignore_id": -100,
        "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "image_token": "<image>", "mask_prompt": False, "normalize": True,
        "pad_token": "<｜▁pad▁｜>", "patch_size": v["patch"], "processor_class": "DeepseekVLV2Processor", "sft_format": "deepseek",
    }
    return config, processor


def write(model, vocab, folder):
    tensors = {n: t.detach().to(torch.bfloat16).contiguous() for n, t in names(model)}
    tensors.update({n: t.to(torch.bfloat16) for n, t in attention_pool(CONFIG["vision"]["width"], CONFIG["vision"]["mlp"]).items()})
    save_file(tensors, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
    for file, data in zip(("config.json", "processor_config.json"), configuration(vocab)):
        with open(os.path.join(folder, file), "w", encoding="utf-8") as f:
            json.dump(data, f, ensure_ascii=False, indent=2)
            f.write("\n")


def load_into(model, folder):
    """The inverse of `write`: fills a DemoModel with the f32 values of an exported checkpoint."""
    tensors = load_file(os.path.join(folder, "model.safetensors"))
    with torch.no_grad():
        for n, t in names(model):
            t.copy_(tensors[n].float())


def from_state(path):
    saved = torch.load(path, map_location="cpu")
    state = saved.get("average", saved["model"])
    model = DemoModel(state["language.embed_tokens.weight"].shape[0])
    model.load_state_dict(state)
    return model


if __name__ == "__main__":
    ap = argparse.ArgumentParser()
    ap.add_argument("--state", required=True)
    ap.add_argument("--out", required=True)
    a = ap.parse_args()
    made = from_state(a.state)
    write(made, made.language.embed_tokens.weight.shape[0], a.out)
    print(sum(p.numel() for p in made.parameters()), "parameters,", os.path.getsize(os.path.join(a.out, "model.safetensors")), "bytes")
