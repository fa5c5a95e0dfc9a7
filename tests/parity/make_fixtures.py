#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the official code in float32 on the generated checkpoints and writes what it computes as small fixtures.

  make_fixtures.py --ref DIR [--work DIR] [NAME…]

DIR is a checkout of github.com/deepseek-ai/DeepSeek-VL2; needs torch, transformers 4.38.2, timm, einops, torchvision and a
Pillow older than 13, which resizes tall pictures in another order.
One folder per variant in tests/parity/fixtures/, read by test_parity.c: for every conversation of conversations.json the ids,
the logits of the prompt's last tokens and the greedily generated ids (with transformers' repetition penalty over prompt and answer
where the conversation names one); where the conversation says so also vision features, embeddings and every layer's output (only the
last one's where a variant is about the projector). A fixture records the commit, the versions and the hash of the scripts that made it.
"""
import argparse
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile
import types

import numpy as np
import PIL
import torch
from PIL import Image
from transformers import RepetitionPenaltyLogitsProcessor

import make_checkpoints

HERE = pathlib.Path(__file__).parent
LOGIT_ROWS = 3  # of the prompt's end
MIN_LOGIT_GAP = 2e-3   # between the best and the second best token of a greedy step
MIN_ROUTER_GAP = 2e-5  # between the last expert taken and the first one left; float32 errors are below 1e-6


def install_shims():
    """The official code imports xformers, whose attention is plain softmax attention, and attrdict, which it does not use."""
    def attention(q, k, v, p=0.0):
        q, k, v = (t.transpose(1, 2) for t in (q, k, v))
        return torch.nn.functional.scaled_dot_product_attention(q, k, v, dropout_p=p).transpose(1, 2)
    xformers, ops = types.ModuleType("xformers"), types.ModuleType("xformers.ops")
    ops.memory_efficient_attention = attention
    xformers.ops = ops
    attrdict = types.ModuleType("attrdict")
    attrdict.AttrDict = dict
    sys.modules.update({"xformers": xformers, "xformers.ops": ops, "attrdict": attrdict})


def provenance(ref):
    import timm
    import tokenizers
    import transformers
    scripts = hashlib.sha256()
    for name in ("make_checkpoints.py", "make_fixtures.py", "conversations.json", "tokenizer/tokenizer.json"):
        scripts.update((HERE / name).read_bytes())
    commit = subprocess.run(["git", "-C", str(ref), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    return {"official_commit": commit.stdout.strip(), "scripts_sha256": scripts.hexdigest(), "torch": torch.__version__,
            "transformers": transformers.__version__, "tokenizers": tokenizers.__version__,
            "timm": timm.__version__, "pillow": PIL.__version__}


def make_picture(width, height, seed):
    """The same pixels as test_parity.c makes: integers only."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    values = (x * (7 + seed) + y * 13 + c * 50 + x * y * 3 + (x // 5) * (y // 7) * seed) % 256
    return Image.fromarray(values.astype(np.uint8), "RGB")


def load_tensors(folder):
    from safetensors.torch import load_file
    tensors = {}
    for path in sorted(folder.glob("*.safetensors")):
        tensors.update({name: t.float() for name, t in load_file(str(path)).items()})
    return tensors


def load_model(folder):
    from deepseek_vl2.models.modeling_deepseek_vl_v2 import DeepseekVLV2Config, DeepseekVLV2ForCausalLM
    config = DeepseekVLV2Config(**json.loads((folder / "config.json").read_text()))
    config.language_config._attn_implementation = "eager"
    config._attn_implementation = "eager"
    model = DeepseekVLV2ForCausalLM(config).float().eval()
    missing, unexpected = model.load_state_dict(load_tensors(folder), strict=False)
    missing = [name for name in missing if not name.startswith("vision.attn_pool.")]
    if missing or unexpected:
        raise SystemExit(f"{folder.name}: missing {missing}, unexpected {unexpected}")
    return model


def load_processor(folder):
    from deepseek_vl2.models.processing_deepseek_vl_v2 import DeepseekVLV2Processor
    return DeepseekVLV2Processor.from_pretrained(str(folder))


class Watch:
    """Layer outputs and router gaps, through hooks."""

    def __init__(self, model):
        self.layers, self.features, self.gap = {}, None, float("inf")
        for i, layer in enumerate(model.language.model.layers):
            layer.register_forward_hook(lambda m, a, out, i=i: self.layers.__setitem__(i, out[0][0]))
            if hasattr(layer.mlp, "gate"):
                layer.mlp.gate.register_forward_hook(self.see_router)
        model.vision.register_forward_hook(lambda m, a, out: setattr(self, "features", out))

    def see_router(self, gate, inputs, output):
        """The gap at the border of the choice, among experts and, where there are groups, among groups."""
        x = inputs[0].reshape(-1, inputs[0].shape[-1]).float()
        logits = x @ gate.weight.float().T
        scores = logits.softmax(-1) if gate.scoring_func == "softmax" else logits.sigmoid()
        if gate.topk_method == "noaux_tc":
            scores = scores + gate.e_score_correction_bias
        if gate.topk_method != "greedy" and gate.n_group > 1:
            grouped = scores.view(len(x), gate.n_group, -1)
            value = grouped.topk(2, -1).values.sum(-1) if gate.topk_method == "noaux_tc" else grouped.max(-1).values
            if gate.topk_group < gate.n_group:
                best = value.sort(-1, descending=True).values
                self.note(best[:, gate.topk_group - 1] - best[:, gate.topk_group])
            kept = torch.zeros_like(value).scatter_(1, value.topk(gate.topk_group, -1).indices, 1).bool()
            scores = scores.view(len(x), gate.n_group, -1).masked_fill(~kept.unsqueeze(-1), 0.0).view(len(x), -1)
        best = scores.sort(-1, descending=True).values
        self.note(best[:, gate.top_k - 1] - best[:, gate.top_k])

    def note(self, gaps):
        self.gap = min(self.gap, gaps.min().item())


def run_logits(model, embeds):
    mask = torch.ones(embeds.shape[:2], dtype=torch.long)
    return model.language(inputs_embeds=embeds, attention_mask=mask, use_cache=False).logits[0]


def run(model, watch, processor, conversation, every_layer):
    pictures = [make_picture(*p) for p in conversation.get("pictures", [])]
    messages = [dict(m) for m in conversation["messages"]]
    if messages[-1]["role"] != "assistant":
        messages.append({"role": "assistant", "content": ""})
    inputs = processor(conversations=messages, images=pictures, force_batchify=True, system_prompt="").to("cpu", torch.float32)
    ids = inputs.input_ids
    embeds = model.prepare_inputs_embeds(input_ids=ids, images=inputs.images, images_seq_mask=inputs.images_seq_mask,
                                         images_spatial_crop=inputs.images_spatial_crop)
    logits = run_logits(model, embeds)
    out = {"ids": ids[0].int(), "embeds": embeds[0].clone(), "logits": logits[-LOGIT_ROWS:].clone()}
    if conversation.get("layers"):
        out["vision"] = watch.features.reshape(-1, watch.features.shape[-1])[:40].clone()
        layers = list(watch.layers.items())
        for i, value in layers if every_layer else layers[-1:]:
            out[f"layer.{i}"] = value.clone()
    else:
        del out["embeds"]
    greedy, gap, seen = [], float("inf"), ids
    penalise = RepetitionPenaltyLogitsProcessor(conversation["penalty"]) if "penalty" in conversation else lambda seen, scores: scores
    for _ in range(conversation["tokens"]):
        best = penalise(seen, logits[-1:].clone())[0].topk(2)
        gap = min(gap, (best.values[0] - best.values[1]).item())
        token = best.indices[0].item()
        greedy.append(token)
        if token == processor.tokenizer.eos_token_id:
            break
        seen = torch.cat([seen, torch.tensor([[token]])], dim=1)
        embeds = torch.cat([embeds, model.language.get_input_embeddings()(torch.tensor([[token]]))], dim=1)
        logits = run_logits(model, embeds)
    out["greedy"] = torch.tensor(greedy, dtype=torch.int32)
    return out, gap


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ref", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, help="where the checkpoints are written; a temporary folder by default")
    parser.add_argument("--checkpoint", type=pathlib.Path, 
                        help="another checkpoint instead of a generated one; NAME names the fixture")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    if int(PIL.__version__.split(".")[0]) >= 13:
        parser.error(f"Pillow {PIL.__version__} resizes in another order; use 12 or older")
    install_shims()
    sys.path.insert(0, str(args.ref))
    from safetensors.torch import save_file
    torch.set_num_threads(1)
    conversations = json.loads((HERE / "conversations.json").read_text())
    metadata = provenance(args.ref)
    with tempfile.TemporaryDirectory() as scratch, torch.no_grad():
        work = args.work or pathlib.Path(scratch)
        for name in args.names or make_checkpoints.VARIANTS:
            if args.checkpoint is None:
                make_checkpoints.write_checkpoint(work / name, name)
            folder = args.checkpoint or work / name
            model, processor = load_model(folder), load_processor(folder)
            watch, tensors, gaps = Watch(model), {}, []
            for key, conversation in conversations.items():
                out, gap = run(model, watch, processor, conversation, "projector" not in name)
                tensors.update({f"{key}.{k}": v.contiguous() for k, v in out.items()})
                gaps.append(gap)
            print(f"{name}: smallest logit gap {min(gaps):.2g}, smallest router gap {watch.gap:.2g}", file=sys.stderr)
            if args.checkpoint is None and (min(gaps) < MIN_LOGIT_GAP or watch.gap < MIN_ROUTER_GAP):
                raise SystemExit(f"{name}: a near-tie would make the comparison a matter of luck; give the variant another seed")
            out = HERE / "fixtures" / name
            out.mkdir(parents=True, exist_ok=True)
            save_file(tensors, str(out / "model.safetensors"), metadata)


if __name__ == "__main__":
    main()
