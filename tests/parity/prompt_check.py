#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares Sightline's prompt layout with the official processor on generated conversations.

    prompt_check.py --reference DEEPSEEK_VL2_CHECKOUT --tokenizers DIR --test BUILD/tests/engine/test_prompt [--count 1500]
    prompt_check.py --reference DEEPSEEK_VL2_CHECKOUT --tokenizers DIR --write-fixture tests/engine/fixtures/prompts.json

DIR holds the tokenizer folders llm and v3 of the fixture. Only text is compared here, pictures by their count and grid
(tiles_check.py compares pixels). Needs what reference.py needs.
"""
import argparse
import json
import math
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import tokenizers
import transformers
from PIL import Image

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import reference
import texts
from tiles_check import RULES

PATCH, RATIO = 14, 2
EDGES = ["", " ", "\n", "\u3000", "\x1c\u2028 ", "\u200b", "\ufeff", "\t x \n", "<|User|>", "\n\n"]


def text(rng, source):
    pick = rng.random()
    if pick < 0.25:
        return rng.choice(EDGES)
    if pick < 0.35:
        return rng.choice(["<|grounding|>", "<|ref|>the giraffe<|/ref|>", "Find all the <|ref|>Watermelon slices<|/ref|>", "This is image_1: "])
    return rng.choice(source).replace("<image>", "<image").replace("\x00", "")[:120]


def conversation(rng, source):
    """Messages as lists of parts; a part is a text or a picture's size. The last one is the assistant's."""
    turns, messages = rng.choice([1, 1, 1, 2, 3]), []
    pictures = rng.choice([0, 0, 1, 1, 1, 2, 2, 3])
    if rng.random() < 0.2:
        messages.append({"role": "system", "parts": [text(rng, source)]})
    for turn in range(turns):
        parts = []
        for _ in range(rng.choice([0, 1, 1, 2, 3])):
            parts.append(text(rng, source))
        here = pictures if turn == turns - 1 else rng.randint(0, pictures)
        pictures -= here
        for _ in range(here):
            size = [rng.choice([20, 44, 90, 300, 777]), rng.choice([20, 44, 90, 300, 777])]
            parts.insert(rng.randint(0, len(parts)), size)
        messages.append({"role": "user", "parts": parts})
        answer = text(rng, source) if turn < turns - 1 or rng.random() < 0.3 else ""
        messages.append({"role": "assistant", "parts": [answer] if answer or rng.random() < 0.5 else []})
    return messages


def expected(processor, messages):
    """The official result; pictures as sizes, ids with runs of the picture's id as one negative number."""
    turns = [{"role": m["role"], "content": "".join("<image>" if isinstance(p, list) else p for p in m["parts"])} for m in messages]
    images = [Image.new("RGB", p) for m in messages for p in m["parts"] if isinstance(p, list)]
    if sum(t["content"].count("<image>") for t in turns) != len(images):
        return None, None  # two texts happened to join into a marker
    out = processor.process_one(conversations=turns, images=images)
    ids, grids = [], []
    for token, is_image in zip(out.input_ids.tolist(), out.images_seq_mask.tolist()):
        if is_image and ids and ids[-1] < 0:
            ids[-1] -= 1
        else:
            ids.append(-1 if is_image else token)
    if images:
        grids = out.images_spatial_crop.tolist()
    return ids, grids


def group(module, folder, rule, count, seed):
    side, units = RULES[rule]
    candidates = [[w * side, h * side] for w, h in units]
    processor = reference.processor(module, folder, [tuple(c) for c in candidates], PATCH, RATIO)
    rng, source, cases = random.Random(seed), list(texts.strings(seed, 400)), []
    while len(cases) < count:
        messages = conversation(rng, source)
        ids, grids = expected(processor, messages)
        if ids is None:
            continue
        if not messages[-1]["parts"] and rng.random() < 0.5:
            messages = messages[:-1]  # an answer follows: the same as an empty one
        cases.append({"messages": messages, "ids": ids, "grids": grids})
    grid = math.ceil((side // PATCH) / RATIO)
    return {"tokenizer": folder.name, "rule": {"side": side, "grid": grid, "candidates": candidates}, "cases": cases}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", required=True)
    parser.add_argument("--tokenizers", required=True, type=pathlib.Path)
    parser.add_argument("--test")
    parser.add_argument("--count", type=int, default=1500)
    parser.add_argument("--write-fixture")
    args = parser.parse_args()
    module = reference.load(args.reference)
    count = 40 if args.write_fixture else args.count // 4
    groups = [group(module, args.tokenizers / t, rule, count, seed)
              for seed, (t, rule) in enumerate([("llm", "published"), ("llm", "small"), ("v3", "published"), ("v3", "small")])]
    data = {"made_by": f"tests/parity/prompt_check.py, DeepSeek-VL2 {reference.commit(args.reference)}, transformers {transformers.__version__}, "
                       f"tokenizers {tokenizers.__version__}", "groups": groups}
    content = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace('{"messages"', '\n{"messages"') + "\n"
    if args.write_fixture:
        return pathlib.Path(args.write_fixture).write_text(content) and 0
    with tempfile.TemporaryDirectory() as temporary:
        path = pathlib.Path(temporary) / "cases.json"
        path.write_text(content)
        result = subprocess.run([args.test, path, args.tokenizers, "cases"], stdout=subprocess.PIPE, text=True, check=False)
    bad = [line for line in result.stdout.splitlines() if not line.startswith("ok")]
    print("\n".join(bad[:20]))
    print(f"{sum(len(g['cases']) for g in groups)} conversations, exit status {result.returncode}")
    return result.returncode


if __name__ == "__main__":
    sys.exit(main())
