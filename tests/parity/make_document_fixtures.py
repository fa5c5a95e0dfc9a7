#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the official code of DeepSeek-OCR in float32 on generated checkpoints and writes what it computes as small fixtures.

  make_document_fixtures.py --ref DIR --vl2 DIR [--work DIR] [NAME…]

--ref: a checkout of github.com/deepseek-ai/DeepSeek-OCR; --vl2: one of github.com/deepseek-ai/DeepSeek-VL2, whose language model is the
same; both as make_fixtures.py has them installed, and easydict. Of the first repository these run as they are, but for element type,
sides of views and widths of convolutions that it has as constants: deepencoder/*.py, process/image_process.py (DeepseekOCRProcessor),
process/ngram_norepeat.py and deepseek_ocr.py (_pixel_values_to_embedding). A window over generated tokens (Unlimited-OCR) is the mask
that its ring of keys amounts to. For every entry of documents.json: ids, the logits of the prompt's last tokens, greedy ids; where it
says so also every block of both towers (of the whole page's view), joined features, what is projected, and every layer's output.
"""
import argparse
import ast
import functools
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile
import types

import PIL
import torch

import make_document_checkpoints as documents
import make_fixtures as vl2

HERE = pathlib.Path(__file__).parent
SIDES = {"tiny": (128, 128, False), "small": (160, 160, False), "base": (256, 256, False), "large": (320, 320, False),
         "gundam": (256, 160, True)}
SMALL = 160  # where the original says 640
MIN_ROUTER_GAP = 1e-5  # as make_fixtures.py, of ten times as many tokens


def load_process(ref, small):
    """image_process.py, with the side up to which a page is not cut."""
    code = ref / "DeepSeek-OCR-master" / "DeepSeek-OCR-vllm"
    config = types.ModuleType("config")
    config.IMAGE_SIZE, config.BASE_SIZE, config.CROP_MODE, config.MIN_CROPS, config.MAX_CROPS = small, 0, True, 2, 6
    config.PROMPT, config.TOKENIZER = "", None
    sys.modules["config"] = config
    process = types.ModuleType("image_process")
    source = (code / "process" / "image_process.py").read_text()
    assert source.count("<= 640") == 3
    exec(compile(source.replace("<= 640", f"<= {small}"), "image_process.py", "exec"), process.__dict__)
    return process


def load_official(ref):
    """The repository's modules, with what they import and do not use here replaced."""
    code = (ref / "DeepSeek-OCR-master" / "DeepSeek-OCR-vllm").resolve()
    flash = types.ModuleType("flash_attn")
    flash.flash_attn_qkvpacked_func = flash.flash_attn_func = None
    sys.modules["flash_attn"] = flash
    sys.path.insert(0, str(code))
    from deepencoder import build_linear, clip_sdpa, sam_vary_sdpa
    from process import ngram_norepeat
    del sys.modules["flash_attn"]  # transformers looks whether it is there
    tree = ast.parse((code / "deepseek_ocr.py").read_text())
    embed = next(n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "_pixel_values_to_embedding")
    names = {"torch": torch, "PRINT_NUM_VIS_TOKENS": False, "NestedTensors": object}
    exec(ast.unparse(embed).replace("torch.bfloat16", "torch.float32"), names)
    return types.SimpleNamespace(sam=sam_vary_sdpa, clip=clip_sdpa, linear=build_linear, guard=ngram_norepeat.NoRepeatNGramLogitsProcessor,
                                 process=load_process(ref, SMALL), embed=names["_pixel_values_to_embedding"])


def make_towers(official, config):
    from easydict import EasyDict
    sam, clip = config["vision_config"]["width"]["sam_vit_b"], config["vision_config"]["width"]["clip-l-14-224"]
    tower = official.sam.ImageEncoderViT(
        depth=sam["layers"], embed_dim=sam["width"], img_size=config["vision_config"]["image_size"], mlp_ratio=4,
        norm_layer=functools.partial(torch.nn.LayerNorm, eps=1e-6), num_heads=sam["heads"], patch_size=16, qkv_bias=True,
        use_rel_pos=True, global_attn_indexes=sam["global_attn_indexes"], window_size=sam.get("window_size", 14),
        out_chans=sam["out_chans"])
    first, second = sam["downsample_channels"]
    tower.net_2 = torch.nn.Conv2d(sam["out_chans"], first, kernel_size=3, stride=2, padding=1, bias=False)
    tower.net_3 = torch.nn.Conv2d(first, second, kernel_size=3, stride=2, padding=1, bias=False)
    settings = dict(official.clip.vit_model_cfg, num_layers=clip["layers"], hidden_size=clip["width"], num_heads=clip["heads"],
                    num_attention_heads=clip["heads"], ffn_hidden_size=4 * clip["width"], image_size=clip["image_size"],
                    patch_size=clip["patch_size"])
    return tower, official.clip.VitModel(cfg=EasyDict(settings))


class Page(torch.nn.Module):
    """What _pixel_values_to_embedding finds at `self`."""

    def __init__(self, official, config, width):
        super().__init__()
        from easydict import EasyDict
        self.sam_model, self.vision_model = make_towers(official, config)
        self.projector = official.linear.MlpProjector(EasyDict(config["projector_config"]))
        self.image_newline, self.view_seperator = (torch.nn.Parameter(torch.zeros(width)) for _ in range(2))
        self.blocks, self.joined, self.projected = {}, [], []
        for i, block in enumerate(self.sam_model.blocks):
            block.register_forward_hook(lambda m, a, out, i=i: self.blocks.__setitem__(f"sam.{i}", out[0].flatten(0, 1)))
        for i, block in enumerate(self.vision_model.transformer.layers):
            block.register_forward_hook(lambda m, a, out, i=i: self.blocks.__setitem__(f"clip.{i}", out[0]))
        self.projector.register_forward_hook(self.see_projector)

    def see_projector(self, module, inputs, out):
        self.joined.append(inputs[0].flatten(0, 1))
        self.projected.append(out.flatten(0, 1))


def load_model(official, folder):
    from deepseek_vl2.models import modeling_deepseek as language
    from deepseek_vl2.models.configuration_deepseek import DeepseekV2Config
    config = json.loads((folder / "config.json").read_text())
    settings = DeepseekV2Config(**(config["language_config"] or {k: config[k] for k in documents.LANGUAGE | {"rope_theta": 0} if k in config}))
    settings._attn_implementation = "eager"
    lm = language.DeepseekV2ForCausalLM(settings).float().eval()
    page = Page(official, config, settings.hidden_size).float().eval()
    tensors = vl2.load_tensors(folder)
    own = {name.removeprefix("model."): t for name, t in tensors.items() if name.split(".")[1] in
           ("sam_model", "vision_model", "projector", "image_newline", "view_seperator")}
    missing, unexpected = page.load_state_dict(own, strict=False)
    missing = [name for name in missing if not name.endswith("position_ids")]
    rest = {name: t for name, t in tensors.items() if name.removeprefix("model.") not in own}
    lm_missing, lm_unexpected = lm.load_state_dict(rest, strict=False)
    if missing or unexpected or lm_missing or lm_unexpected:
        raise SystemExit(f"{folder.name}: missing {missing + lm_missing}, unexpected {unexpected + lm_unexpected}")
    return types.SimpleNamespace(language=lm, vision=page.sam_model, page=page, ring=config.get("sliding_window_size", 0),
                                 most_tiles=32 if config["architectures"][0].startswith("Unlimited") else 6)


def load_tokenizer(folder):
    """With the tokens that the published tokenizers have, in the order in which the engine adds those that a tokenizer lacks."""
    from transformers import LlamaTokenizerFast
    tokenizer = LlamaTokenizerFast.from_pretrained(str(folder))
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>", "<|grounding|>"]})
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|User|>", "<|Assistant|>"]})
    return tokenizer


def preprocess(official, tokenizer, entry, picture, most_tiles):
    process = official.process
    processor = object.__new__(process.DeepseekOCRProcessor)
    processor.base_size, processor.image_size, crop = SIDES[entry["mode"]]
    processor.patch_size, processor.downsample_ratio, processor.ignore_id = 16, 4, -100
    processor.image_transform = process.ImageTransform()
    processor.tokenizer, processor.image_token = tokenizer, "<image>"
    processor.image_token_id = tokenizer.convert_tokens_to_ids("<image>")
    process.PROMPT, process.IMAGE_SIZE = entry["prompt"], processor.image_size
    process.dynamic_preprocess.__defaults__ = (2, most_tiles, SMALL, False)
    ids, pixels, crops, mask, grid, _, _ = processor.tokenize_with_images(images=[picture], bos=True, eos=True, cropping=crop)[0]
    return ids, pixels.unsqueeze(0), crops.unsqueeze(0), mask, grid.unsqueeze(0)


def run_logits(model, embeds, prompt):
    """With the window over generated tokens, a generated token sees the prompt and the last `ring` of them, itself included."""
    import deepseek_vl2.models.modeling_deepseek as language
    n = embeds.shape[1]
    seen = torch.ones(n, n, dtype=torch.bool).tril()
    for i in range(prompt, n if model.ring else 0):
        seen[i, prompt:max(prompt, i - model.ring + 1)] = False
    mask = torch.zeros(1, 1, n, n).masked_fill(~seen, torch.finfo(torch.float32).min)
    language._prepare_4d_causal_attention_mask = lambda *args, **kwargs: mask
    return model.language(inputs_embeds=embeds, attention_mask=torch.ones(1, n, dtype=torch.long), use_cache=False).logits[0]


def run(official, model, watch, tokenizer, entry):
    page, ids_of = model.page, model.language.get_input_embeddings()
    ids, pixels, crops, mask, grid = preprocess(official, tokenizer, entry, vl2.make_picture(*entry["pictures"][0]), model.most_tiles)
    page.joined, page.projected = [], []
    rows = official.embed(page, pixels, crops, grid)
    embeds = ids_of(ids)
    embeds[0, mask] = rows[0]
    prompt = embeds.shape[1]
    logits = run_logits(model, embeds, prompt)
    out = {"ids": ids[0].int(), "logits": logits[-vl2.LOGIT_ROWS:].clone()}
    if entry.get("layers"):  # the view of the whole page was encoded last, and comes first here
        out.update({name: block.clone() for name, block in page.blocks.items()})
        out["vision"], out["projected"] = torch.cat(page.joined[::-1]), torch.cat(page.projected[::-1])
        out["embeds"] = embeds[0].clone()
        out.update({f"layer.{i}": value.clone() for i, value in watch.layers.items()})
    guard = entry.get("guard")
    guard = official.guard(guard["ngram"], guard["window"], set(guard["exempt"])) if guard else lambda seen, scores: scores
    greedy, gap = [], float("inf")
    for _ in range(entry["tokens"]):
        best = guard(greedy, logits[-1].clone()).topk(2)
        gap = min(gap, (best.values[0] - best.values[1]).item())
        greedy.append(best.indices[0].item())
        if greedy[-1] == tokenizer.eos_token_id:
            break
        embeds = torch.cat([embeds, ids_of(torch.tensor([[greedy[-1]]]))], dim=1)
        logits = run_logits(model, embeds, prompt)
    out["greedy"] = torch.tensor(greedy, dtype=torch.int32)
    return out, gap


def provenance(args):
    scripts = hashlib.sha256()
    for name in ("make_document_checkpoints.py", "make_document_fixtures.py", "make_checkpoints.py", "documents.json"):
        scripts.update((HERE / name).read_bytes())
    commits = [subprocess.run(["git", "-C", str(path), "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
               for path in (args.ref, args.vl2)]
    return {"official_commit": commits[0], "language_commit": commits[1], "scripts_sha256": scripts.hexdigest(),
            "torch": torch.__version__, "pillow": PIL.__version__}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ref", type=pathlib.Path, required=True)
    parser.add_argument("--vl2", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, help="where the checkpoints are written; a temporary folder by default")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    if int(PIL.__version__.split(".")[0]) >= 13:
        parser.error(f"Pillow {PIL.__version__} resizes in another order; use 12 or older")
    vl2.install_shims()
    sys.path.insert(0, str(args.vl2))
    official = load_official(args.ref)
    from safetensors.torch import save_file
    torch.set_num_threads(1)
    entries = json.loads((HERE / "documents.json").read_text())
    metadata = provenance(args)
    with tempfile.TemporaryDirectory() as scratch, torch.no_grad():
        work = args.work or pathlib.Path(scratch)
        for name in args.names or documents.VARIANTS:
            documents.write_checkpoint(work / name, name)
            model, tokenizer = load_model(official, work / name), load_tokenizer(work / name)
            watch, tensors, gaps = vl2.Watch(model), {}, {}
            for key, entry in entries.items():
                out, gaps[key] = run(official, model, watch, tokenizer, entry)
                tensors.update({f"{key}.{k}": v.contiguous() for k, v in out.items()})
            print(f"{name}: logit gaps {gaps}, smallest router gap {watch.gap:.2g}", file=sys.stderr)
            if min(gaps.values()) < vl2.MIN_LOGIT_GAP or watch.gap < MIN_ROUTER_GAP:
                raise SystemExit(f"{name}: a near-tie would make the comparison a matter of luck; give the variant another seed")
            out = HERE / "fixtures" / name
            out.mkdir(parents=True, exist_ok=True)
            save_file(tensors, str(out / "model.safetensors"), metadata)


if __name__ == "__main__":
    main()
