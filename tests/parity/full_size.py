#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Full-width checkpoints against the official code, layer by layer, in little memory.

  full_size.py generate tiny|small|base DIR [--layers N]     random bf16 weights of the published shapes (tiny: 6.7 GB)
  full_size.py compare DIR --ref CHECKOUT --cli sightline-cli [--image FILE] [--threads N] [--f32-only]

`compare` lets the command line dump every intermediate result of one prompt and runs the official modules on the same input, one layer in
memory at a time: in float32, which is the truth here, and in bfloat16, as the model is published. Experts are forced to those that the
engine chose, so that a near-tie does not hide the arithmetic; where the official float32 router would have chosen others is counted.
Printed per stage: median and 99th percentile over tokens of |a - b| / |b|, of the engine and of the official bfloat16 run. The engine has
to be at least as near to the truth. A vision tower whose weights were not generated (small, base) is left out, and the prompt is text.
Needs what make_fixtures.py needs.
"""
import argparse
import hashlib
import json
import math
import pathlib
import struct
import subprocess
import sys
import tempfile
import types

import torch

HERE = pathlib.Path(__file__).parent
for folder in (HERE, HERE.parent / "cli", HERE.parent / "bench"):
    sys.path.insert(0, str(folder))
import make_tokenizer  # noqa: E402
import published  # noqa: E402

PROMPT = "Where is the largest red circle, and how many shapes of its colour are there? 请描述图片里的蓝色方块。"


# ------------------------------------------------------------------------------------------ generate

def scale_of(name, shape):
    """(centre, half width) of a uniform distribution that keeps activations at their size."""
    if "norm" in name.rsplit(".", 1)[0].rsplit(".", 1)[-1]:
        return (1.0, 0.2) if name.endswith("weight") else (0.0, 0.2)
    if "embed_tokens" in name or "image_newline" in name or "seperator" in name:
        return 0.0, 1.0
    if len(shape) == 1:
        return 0.0, 0.1
    if "pos_embed" in name:
        return 0.0, 0.5
    return 0.0, math.sqrt(3 / math.prod(shape[1:]))


def generate(key, folder, layers):
    folder.mkdir(parents=True)
    model, processor = published.config(key)
    shapes = published.tensors(key)
    if layers:
        model["language_config"]["num_hidden_layers"] = layers
        prefix = "language.model.layers."
        shapes = {n: s for n, s in shapes.items() if not n.startswith(prefix) or int(n[len(prefix):].split(".")[0]) < layers}
    (folder / "config.json").write_text(json.dumps(model))
    (folder / "processor_config.json").write_text(json.dumps(processor))
    make_tokenizer.write("llm" if key == "small" else "v3", folder)
    header, at = {}, 0
    for name, shape in shapes.items():
        size = 2 * math.prod(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()  # transformers insists on the format
    text += b" " * (-(8 + len(text)) % 64)
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape in shapes.items():
            if key != "tiny" and name.startswith("vision."):
                file.seek(2 * math.prod(shape), 1)  # a hole
                continue
            rng = torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "little"))
            centre, half = scale_of(name, shape)
            values = torch.empty(shape, dtype=torch.bfloat16).uniform_(centre - half, centre + half, generator=rng)
            file.write(values.view(torch.int16).numpy().tobytes())
        file.truncate(8 + len(text) + at)
    print(f"{folder}: {at / 1e9:.2f} GB")


# ------------------------------------------------------------------------------------------ the official code, in pieces

class Official:
    """One precision of the official model; weights come from the file when a layer needs them."""

    def __init__(self, folder, dtype):
        from deepseek_vl2.models.modeling_deepseek_vl_v2 import DeepseekVLV2Config
        from safetensors import safe_open
        self.file = safe_open(str(folder / "model.safetensors"), "pt")
        self.names = list(self.file.keys())
        self.config = DeepseekVLV2Config(**json.loads((folder / "config.json").read_text()))
        self.config.language_config._attn_implementation = "eager"
        self.dtype = dtype

    def get(self, name):
        return self.file.get_tensor(name).to(self.dtype)

    def fill(self, module, prefix):
        weights = {n[len(prefix):]: self.get(n) for n in self.names if n.startswith(prefix)}
        missing, unexpected = module.load_state_dict(weights, strict=False, assign=True)
        missing = [m for m in missing if "attn_pool" not in m]
        assert not missing and not [u for u in unexpected if "attn_pool" not in u], (prefix, missing, unexpected)
        return module.eval()

    def see(self, tiles):
        from deepseek_vl2.models.modeling_deepseek_vl_v2 import MlpProjector
        from deepseek_vl2.models.siglip_vit import VisionTransformer
        v = self.config.vision_config
        tower = VisionTransformer(img_size=v.image_size, patch_size=v.patch_size, embed_dim=v.width, depth=v.layers, num_heads=v.heads,
                                  mlp_ratio=v.mlp_ratio, class_token=v.class_token, global_pool=v.global_pool, ignore_head=v.ignore_head,
                                  weight_init="skip", num_classes=0)
        features = self.fill(tower, "vision.")(tiles.to(self.dtype))
        return features, self.fill(MlpProjector(self.config.projector_config), "projector.")(features)

    def embed(self, ids, projected, tiles, grid, image_id):
        from deepseek_vl2.models.modeling_deepseek_vl_v2 import DeepseekVLV2ForCausalLM
        table = self.file.get_slice("language.model.embed_tokens.weight")
        rows = torch.cat([table[int(i):int(i) + 1] for i in ids]).to(self.dtype)[None]
        if projected is None:
            return rows
        stand_in = types.SimpleNamespace(
            vision=lambda x: x, projector=lambda x: projected, tile_tag="2D", global_view_pos="head", image_newline=self.get("image_newline"),
            view_seperator=self.get("view_seperator"), language=types.SimpleNamespace(get_input_embeddings=lambda: lambda _: rows.clone()))
        return DeepseekVLV2ForCausalLM.prepare_inputs_embeds(stand_in, input_ids=ids[None], images=tiles[None],
                                                             images_seq_mask=(ids == image_id)[None], images_spatial_crop=grid[None])

    def layer(self, i, x, experts):
        from deepseek_vl2.models.modeling_deepseek import DeepseekV2DecoderLayer
        block = self.fill(DeepseekV2DecoderLayer(self.config.language_config, i), f"language.model.layers.{i}.")
        note = {}
        if experts is not None:
            block.mlp.gate.forward = lambda h, gate=block.mlp.gate: forced(gate, h, experts, note)
        n = x.shape[1]
        mask = torch.full((n, n), torch.finfo(self.dtype).min, dtype=self.dtype).triu(1)[None, None]
        return block(x, attention_mask=mask, position_ids=torch.arange(n)[None])[0], note

    def logits(self, x):
        from deepseek_vl2.models.modeling_deepseek import DeepseekV2RMSNorm
        c = self.config.language_config
        norm = self.fill(DeepseekV2RMSNorm(c.hidden_size, eps=c.rms_norm_eps), "language.model.norm.")
        return torch.nn.functional.linear(norm(x), self.get("language.lm_head.weight")).float()


def forced(gate, hidden, experts, note):
    """The official gate's weights for given experts; counts the tokens for which it would have chosen others."""
    x = hidden.reshape(-1, hidden.shape[-1])
    logits = torch.nn.functional.linear(x.float(), gate.weight.float())
    scores = logits.softmax(-1) if gate.scoring_func == "softmax" else logits.sigmoid()
    choice = scores + gate.e_score_correction_bias.float() if gate.topk_method == "noaux_tc" else scores
    own = choice.topk(gate.top_k, -1).indices.sort(-1).values
    note["other"] = (own != experts.sort(-1).values).any(-1).sum().item()
    weights = scores.gather(1, experts)
    if gate.top_k > 1 and gate.norm_topk_prob:
        weights = weights / (weights.sum(-1, keepdim=True) + 1e-20)
    return experts, weights * gate.routed_scaling_factor, None


# ------------------------------------------------------------------------------------------ compare

def errors(a, b):
    a, b = a.double().reshape(-1, a.shape[-1]), b.double().reshape(-1, b.shape[-1])
    return (a - b).norm(dim=-1) / b.norm(dim=-1)


def spread(values):
    return f"{values.median().item():.2e} / {values.quantile(0.99).item():.2e}"


class Table:
    def __init__(self, with_bf16):
        self.with_bf16, self.good = with_bf16, True
        print("| stage | engine: median / p99 |" + (" official bf16: median / p99 |" if with_bf16 else "") + " other experts in f32 |")
        print("|---|---|" + ("---|" if with_bf16 else "") + "---|")

    def row(self, stage, engine, truth, bf16, other=""):
        ours = errors(engine, truth)
        line = f"| {stage} | {spread(ours)} |"
        if self.with_bf16:
            theirs = errors(bf16.float(), truth)
            line += f" {spread(theirs)} |"
            self.good &= ours.median().item() <= theirs.median().item() and ours.quantile(0.99).item() <= theirs.quantile(0.99).item()
        else:
            self.good &= ours.max().item() <= 1e-4
        print(f"{line} {other} |", flush=True)


def dump(args, out):
    command = [args.cli, "dump", "--model", str(args.folder), "--threads", str(args.threads), "--out", str(out), "--force"]
    command += ["--image", str(args.image)] if args.image else []
    subprocess.run([*command, PROMPT], check=True)
    from safetensors import safe_open
    return safe_open(str(out), "pt")


def compare(args):
    import make_fixtures
    make_fixtures.install_shims()
    sys.path.insert(0, str(args.ref))
    torch.nn.Linear.reset_parameters = lambda self: None
    from deepseek_vl2.models.modeling_deepseek import MoEGate
    MoEGate.reset_parameters = lambda self: None
    torch.set_num_threads(args.threads)
    versions = make_fixtures.provenance(args.ref) | {"scripts_sha256": hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest()}
    print(f"{args.folder.name}: DeepSeek-VL2 {versions['official_commit'][:7]}, torch {versions['torch']}, transformers {versions['transformers']}, "
          f"script {versions['scripts_sha256'][:12]}\n")
    with tempfile.TemporaryDirectory(dir=args.folder) as scratch, torch.no_grad():
        engine = dump(args, pathlib.Path(scratch) / "dump.safetensors")
        runs = [Official(args.folder, torch.float32)] + ([] if args.f32_only else [Official(args.folder, torch.bfloat16)])
        table = Table(not args.f32_only)
        ids, projected, tiles, grid = engine.get_tensor("input_ids").long(), [None, None], None, None
        if args.image:
            # A 1×1 grid: the global view and the tile are the same picture, which is seen once.
            tiles, grid = engine.get_tensor("tiles"), torch.tensor([[1, 1]])
            seen = [run.see(tiles[:1]) for run in runs] + [None]
            projected = [s and s[1].repeat(2, 1, 1) for s in seen]
            table.row("vision", engine.get_tensor("vision")[:729], seen[0][0], seen[1] and seen[1][0])
            table.row("projector", engine.get_tensor("projected")[:196], seen[0][1], seen[1] and seen[1][1])
        image_id = int(ids.mode().values) if args.image else -1
        x = [run.embed(ids, p, tiles, grid, image_id) for run, p in zip(runs, projected)]
        table.row("embeddings", engine.get_tensor("embeds"), x[0], x[-1])
        for i in range(runs[0].config.language_config.num_hidden_layers):
            name = f"experts.{i}"
            experts = engine.get_tensor(name).long() if name in engine.keys() else None
            done = [run.layer(i, value, experts) for run, value in zip(runs, x)]
            x = [value for value, _ in done]
            table.row(f"layer {i}", engine.get_tensor(f"layer.{i}"), x[0], x[-1], f"{done[0][1]['other']} of {len(ids)}" if experts is not None else "")
        logits = [run.logits(value) for run, value in zip(runs, x)]
        ours = engine.get_tensor("logits")
        table.row("logits", ours, logits[0], logits[-1])
        agree = (ours.argmax(-1) == logits[0][0].argmax(-1)).sum().item()
        print(f"\n{len(ids)} tokens; the most likely next token is the same for {agree}"
              + ("" if args.f32_only else f", in the official bf16 run for {(logits[1][0].argmax(-1) == logits[0][0].argmax(-1)).sum().item()}"))
    return 0 if table.good else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("generate")
    one.add_argument("key", choices=published.LANGUAGE)
    one.add_argument("folder", type=pathlib.Path)
    one.add_argument("--layers", type=int)
    two = commands.add_parser("compare")
    two.add_argument("folder", type=pathlib.Path)
    two.add_argument("--ref", type=pathlib.Path, required=True)
    two.add_argument("--cli", required=True)
    two.add_argument("--image", type=pathlib.Path)
    two.add_argument("--threads", type=int, default=1)
    two.add_argument("--f32-only", action="store_true")
    args = parser.parse_args()
    return generate(args.key, args.folder, args.layers) if args.command == "generate" else compare(args)


if __name__ == "__main__":
    sys.exit(main())
