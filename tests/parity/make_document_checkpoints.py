#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes small random-weight checkpoints of the document models in their published layout, one folder per variant.

Like make_checkpoints.py, whose language model and file writer it uses: standard library only, the same bytes on every machine. The
sides of the views are a quarter of the published ones, so that every tiling mode has a small twin; widths are awkward on purpose.
"""
import argparse
import json
import pathlib
import shutil

import make_checkpoints as base

SAM = dict(width=40, layers=3, heads=2, global_attn_indexes=[1], downsample_channels=[28, 36], out_chans=24)
CLIP = dict(width=36, layers=2, heads=3, image_size=56, patch_size=14)
VISION = dict(image_size=256, mlp_ratio=3.7362, model_name="deeplip_b_l", model_type="vision")
WINDOW, PATCH, MLP_RATIO = 14, 16, 4
LANGUAGE = dict(base.LANGUAGE, **base.MHA)

# name: architecture, model_type, changes to the language model, element type
VARIANTS = {
    "document_ocr": dict(architecture="DeepseekOCRForCausalLM", model_type="deepseek_vl_v2", dtype="F32"),
    "document_half": dict(architecture="DeepseekOCRForCausalLM", model_type="deepseek_vl_v2", dtype="BF16", window=5,
                          language=dict(rope_theta=5000.0), nested=False),
    "document_ring": dict(architecture="UnlimitedOCRForCausalLM", model_type="unlimited-ocr", dtype="F32",
                          language=dict(sliding_window=8, sliding_window_size=8)),
}
SEEDS = {"document_ocr": 1, "document_half": 1, "document_ring": 11}


def add_block(w, name, width, heads, mlp, names, gain):
    norm1, qkv, proj, norm2, fc1, fc2 = (name + n for n in names)
    w.norm(norm1, width, bias=True)
    w.linear(qkv, 3 * width, width, bias=True, gain=gain)
    w.linear(proj, width, width, bias=True)
    w.norm(norm2, width, bias=True)
    w.linear(fc1, mlp, width, bias=True)
    w.linear(fc2, width, mlp, bias=True)


def add_sam(w, spec, sam, window):
    width, head, grid = sam["width"], sam["width"] // sam["heads"], VISION["image_size"] // PATCH
    w.add("model.sam_model.patch_embed.proj.weight", width, 3, PATCH, PATCH)
    w.add("model.sam_model.patch_embed.proj.bias", width, scale=0.3)
    w.add("model.sam_model.pos_embed", 1, grid, grid, width, scale=0.8)
    for i in range(sam["layers"]):
        block = f"model.sam_model.blocks.{i}."
        add_block(w, block, width, sam["heads"], MLP_RATIO * width,
                  ("norm1", "attn.qkv", "attn.proj", "norm2", "mlp.lin1", "mlp.lin2"), 1.5)
        size = grid if i in sam["global_attn_indexes"] else window
        for axis in "hw":
            w.add(f"{block}attn.rel_pos_{axis}", 2 * size - 1, head, scale=0.3)
    neck, (first, second) = sam["out_chans"], sam["downsample_channels"]
    w.add("model.sam_model.neck.0.weight", neck, width, 1, 1)
    w.norm("model.sam_model.neck.1", neck, bias=True)
    w.add("model.sam_model.neck.2.weight", neck, neck, 3, 3)
    w.norm("model.sam_model.neck.3", neck, bias=True)
    w.add("model.sam_model.net_2.weight", first, neck, 3, 3)
    w.add("model.sam_model.net_3.weight", second, first, 3, 3)


def add_clip(w, clip):
    width, cells = clip["width"], (clip["image_size"] // clip["patch_size"]) ** 2
    name = "model.vision_model."
    w.add(name + "embeddings.class_embedding", width, scale=0.8)
    w.add(name + "embeddings.patch_embedding.weight", width, 3, clip["patch_size"], clip["patch_size"])
    w.add(name + "embeddings.position_embedding.weight", 1 + cells, width, scale=0.8)
    w.norm(name + "pre_layrnorm", width, bias=True)
    for i in range(clip["layers"]):
        add_block(w, f"{name}transformer.layers.{i}.", width, clip["heads"], MLP_RATIO * width,
                  ("layer_norm1", "self_attn.qkv_proj", "self_attn.out_proj", "layer_norm2", "mlp.fc1", "mlp.fc2"), 1.5)


def make_config(spec):
    language = dict(LANGUAGE, **spec.get("language", {}))
    sam = dict(SAM, **({"window_size": spec["window"]} if "window" in spec else {}))
    projector = dict(model_type="mlp_projector", projector_type="linear", input_dim=2 * CLIP["width"], n_embed=language["hidden_size"])
    side = VISION["image_size"]
    config = dict(language, architectures=[spec["architecture"]], model_type=spec["model_type"], tile_tag="2D", global_view_pos="head",
                  candidate_resolutions=[[side, side]], projector_config=projector,
                  language_config=language if spec.get("nested", True) else {},
                  vision_config=dict(VISION, width={"clip-l-14-224": CLIP, "sam_vit_b": sam}))
    processor = dict(processor_class="DeepseekVLV2Processor", candidate_resolutions=[[side, side]], patch_size=PATCH, downsample_ratio=4,
                     image_mean=[0.5] * 3, image_std=[0.5] * 3, normalize=True, image_token="<image>", pad_token="<\uff5c\u2581pad\u2581\uff5c>",
                     sft_format="deepseek", add_special_token=False, mask_prompt=False, ignore_id=-100)
    return config, processor, language, sam


def write_checkpoint(out, name):
    spec = VARIANTS[name]
    config, processor, language, sam = make_config(spec)
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.json").write_text(json.dumps(config, indent=1))
    (out / "processor_config.json").write_text(json.dumps(processor, indent=1))
    for file in sorted((base.HERE / "tokenizer").iterdir()):
        shutil.copy(file, out / file.name)
    weights = base.Weights(f"{name}/{SEEDS.get(name, 0)}", spec["dtype"])
    add_sam(weights, spec, sam, spec.get("window", WINDOW))
    add_clip(weights, CLIP)
    weights.linear("model.projector.layers", language["hidden_size"], 2 * CLIP["width"], bias=True)
    weights.add("model.image_newline", language["hidden_size"], scale=0.9)
    weights.add("model.view_seperator", language["hidden_size"], scale=0.9)
    base.add_language(weights, language, 0.0)
    weights.tensors = {key.removeprefix("language."): value for key, value in weights.tensors.items()}
    base.write_tensors(out, weights, 1)


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
