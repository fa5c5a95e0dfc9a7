#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Speed beside the official PyTorch code on this machine's CPU: `official.py CLI --ref CHECKOUT [--layers N] [--work DIR] …`.

Both read the same folder: tiny's shape with noise for weights (--layers of the decoder and of the vision tower; the full model in f32
takes 14 GB). One picture and one question; the clock runs from the decoded picture to the first token, then over the tokens after it.
The official code runs in bf16 and in f32, Sightline with the weights as they are and quantised; --threads on both sides. The best of
--repeats counts after one run that does not. Each is a process of its own. Needs what tests/parity/make_fixtures.py needs.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).parent
for folder in ("bench", "cli", "parity"):
    sys.path.insert(0, str(HERE.parent / folder))
import full_size  # noqa: E402
import make_tokenizer  # noqa: E402,F401
import published  # noqa: E402

TEXT = "Describe the picture in a few words."


def shorten(layers):
    """Makes published.config() and tensors() those of a model with fewer layers."""
    config, tensors = published.config, published.tensors

    def is_kept(name):
        parts = name.split(".")
        at = {"language": 3, "vision": 2}.get(parts[0])
        return at is None or parts[at - 1] not in ("layers", "blocks") or int(parts[at]) < layers

    def short_config(key):
        model, processor = config(key)
        model["vision_config"]["layers"] = min(layers, 27)
        return model, processor
    published.config = short_config
    published.tensors = lambda key: {name: shape for name, shape in tensors(key).items() if is_kept(name)}


def make_folder(folder, layers):
    if layers:
        shorten(layers)
    full_size.generate("tiny", folder, layers)


def draw(path, side):
    from PIL import Image
    picture = Image.linear_gradient("L").resize((side, side)).convert("RGB")
    picture.paste((220, 30, 30), (side // 5, side // 4, side // 2, side // 2))
    picture.save(path)


# ---------------------------------------------------------------------------------------------- the official code

def official(options):
    """In a process of its own; prints one line of JSON."""
    import make_fixtures
    make_fixtures.install_shims()
    sys.path.insert(0, str(options.ref))
    import torch
    torch.set_num_threads(options.threads)
    torch.nn.Linear.reset_parameters = lambda self: None
    from deepseek_vl2.models import DeepseekVLV2ForCausalLM, DeepseekVLV2Processor
    from PIL import Image
    dtype = {"bf16": torch.bfloat16, "f32": torch.float32}[options.official]
    processor = DeepseekVLV2Processor.from_pretrained(str(options.folder))
    model = DeepseekVLV2ForCausalLM.from_pretrained(str(options.folder), torch_dtype=dtype).eval()
    picture = Image.open(options.folder / "picture.png").convert("RGB")
    talk = [{"role": "<|User|>", "content": "<image>\n" + TEXT, "images": []}, {"role": "<|Assistant|>", "content": ""}]

    def answer(tokens):
        start = time.perf_counter()
        inputs = processor(conversations=talk, images=[picture], force_batchify=True, system_prompt="").to("cpu", dtype=dtype)
        with torch.inference_mode():
            embeds = model.prepare_inputs_embeds(**inputs)
            model.language.generate(inputs_embeds=embeds, attention_mask=inputs.attention_mask, max_new_tokens=tokens, min_new_tokens=tokens,
                                    do_sample=False, use_cache=True)
        return time.perf_counter() - start, inputs.input_ids.shape[1]

    answer(2)
    first, prompt = min(answer(1) for _ in range(options.repeats))
    total = min(answer(options.tokens)[0] for _ in range(options.repeats))
    print(json.dumps({"first_ms": 1e3 * first, "decode": (options.tokens - 1) / (total - first), "prompt": prompt}))


def run_official(options, dtype):
    done = subprocess.run([sys.executable, __file__, options.cli, "--ref", str(options.ref), "--folder", str(options.folder), "--threads",
                           str(options.threads), "--tokens", str(options.tokens), "--repeats", str(options.repeats), "--official", dtype],
                          stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


# ---------------------------------------------------------------------------------------------- Sightline

def run_own(options, folder):
    command = [options.cli, "ask", "--json", "--greedy", "--threads", str(options.threads), "--model", str(folder), "--max-tokens",
               str(options.tokens), "--mode", "chat", "--image", str(options.folder / "picture.png"), TEXT]
    runs = []
    for _ in range(1 + options.repeats):
        result = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
        times = result["timings"]
        runs.append({"first_ms": times["vision_ms"] + times["prefill_ms"] + times["first_token_ms"],
                     "decode": 1e3 * times["decode_tokens"] / times["decode_ms"], "prompt": len(result["prompt_ids"])})
    return {"first_ms": min(r["first_ms"] for r in runs[1:]), "decode": max(r["decode"] for r in runs[1:]), "prompt": runs[0]["prompt"]}


def quantised(options, name):
    out = options.folder.with_name(f"{options.folder.name}-{name}")
    extra = ["--vision", "int8"] if name.endswith("-v8") else []
    if not out.exists():
        subprocess.run([options.cli, "quantize", "--model", str(options.folder), "--out", str(out), "--format", name.removesuffix("-v8"),
                        *extra], check=True, stdout=subprocess.DEVNULL)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cli")
    parser.add_argument("--ref", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("."))
    parser.add_argument("--layers", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--side", type=int, default=1152, help="of the square picture: 1152 are ten tiles, 384 is one")
    parser.add_argument("--dtypes", default="bf16,f32", help="of the official code")
    parser.add_argument("--formats", default="bf16,int8,mix,mix-v8", help="of Sightline; -v8: with int8 in the vision tower")
    parser.add_argument("--folder", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--official", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.official:
        return official(options)
    options.folder = options.work / f"tiny-{options.layers or 'all'}"
    if not options.folder.exists():
        make_folder(options.folder, options.layers)
    draw(options.folder / "picture.png", options.side)
    theirs = {dtype: run_official(options, dtype) for dtype in options.dtypes.split(",")}
    ours = {name: run_own(options, options.folder if name == "bf16" else quantised(options, name)) for name in options.formats.split(",")}
    best_first, best_decode = min(t["first_ms"] for t in theirs.values()), max(t["decode"] for t in theirs.values())
    print(f"tiny's shape, {options.layers or 'all'} layers, {options.threads} threads, picture {options.side} × {options.side}, "
          f"{ours[options.formats.split(',')[0]]['prompt']} tokens\n")
    print("| what | picture to first token, ms | decode, tokens/s | first token: official best ÷ this | decode: this ÷ official best |\n|---|---|---|---|---|")
    for side, rows in (("official", theirs), ("Sightline", ours)):
        for name, row in rows.items():
            print(f"| {side} {name} | {row['first_ms']:.0f} | {row['decode']:.2f} | {best_first / row['first_ms']:.2f} | {row['decode'] / best_decode:.2f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
