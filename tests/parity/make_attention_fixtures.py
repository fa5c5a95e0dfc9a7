#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Asks the official code where it looks (output_attentions) and writes what test_attention.c compares the engine with.

  make_attention_fixtures.py --ref DIR [NAME…]

Needs what make_fixtures.py needs. One file per variant, fixtures/attention-NAME.json: greedy ids of a conversation with two
pictures, and for each of them the attention of the position that wrote it, averaged over heads and layers and laid on a grid over
each picture. The way from a picture token to the grid is written here once more, in fractions, from the official processor's layout
and Pillow's sizes; the engine's own is engine/session/attention_map.c.
"""
import argparse
import json
import pathlib
import sys
import tempfile
from fractions import Fraction

import make_checkpoints
import make_fixtures
import PIL
import torch
from PIL import ImageOps

HERE = pathlib.Path(__file__).parent
VARIANTS = ("tiny_style", "small_style", "base_style")  # MHA; MLA; MLA with the local view first
PICTURES = [(50, 20, 3), (20, 70, 4)]
QUESTION = "Compare <image> with <image>."
TOKENS, CELLS = 6, 10
LAYERS = [None, [1]]


def token_rects(picture, grid, config):
    """One (x0, y0, x1, y1) in shares of the picture, or None, per token of it."""
    vision = config["vision_config"]
    side, patch, ratio = vision["image_size"], vision["patch_size"], config["projector_config"]["downsample_ratio"]
    per_side = -(-(side // patch) // ratio)
    seen = side // patch * patch  # what patches cover

    def view(across, down):
        fitted = ImageOps.contain(picture, (across * side, down * side))
        left, top = round((across * side - fitted.width) * 0.5), round((down * side - fitted.height) * 0.5)
        for row in range(down * per_side):
            for col in range(across * per_side):
                box = []
                for at, padding, size in ((col, left, fitted.width), (row, top, fitted.height)):
                    tile, cell = divmod(at, per_side)
                    first = tile * side + cell * ratio * patch
                    last = tile * side + min((cell + 1) * ratio * patch, seen)
                    box.append([min(max(Fraction(edge - padding, size), 0), 1) for edge in (first, last)])
                (x0, x1), (y0, y1) = box
                yield (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None
            yield None  # newline

    both = [list(view(1, 1)), list(view(*grid))]
    if config["global_view_pos"] != "head":
        both.reverse()
    return both[0] + [None] + both[1]


def shared(a, b, cell):
    return max(Fraction(0), min(b, cell + 1) - max(a, Fraction(cell)))


def spread(weights, rects, cols, rows):
    cells = [0.0] * (cols * rows)
    inside = outside = 0.0
    for weight, rect in zip(weights, rects):
        if rect is None:
            outside += weight
            continue
        inside += weight
        x0, y0, x1, y1 = rect[0] * cols, rect[1] * rows, rect[2] * cols, rect[3] * rows
        for row in range(int(y0), min(rows, -int(-y1 // 1))):
            for col in range(int(x0), min(cols, -int(-x1 // 1))):
                share = shared(x0, x1, col) * shared(y0, y1, row) / ((x1 - x0) * (y1 - y0))
                cells[row * cols + col] += weight * float(share)
    return inside, outside, cells


def grid_shape(width, height):
    other = max(1, round(CELLS * min(width, height) / max(width, height)))
    return (CELLS, other) if width >= height else (other, CELLS)


def compute(folder):
    model, processor = make_fixtures.load_model(folder), make_fixtures.load_processor(folder)
    config = json.loads((folder / "config.json").read_text())
    pictures = [make_fixtures.make_picture(*p) for p in PICTURES]
    messages = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": ""}]
    inputs = processor(conversations=messages, images=pictures, force_batchify=True, system_prompt="").to("cpu", torch.float32)
    embeds = model.prepare_inputs_embeds(input_ids=inputs.input_ids, images=inputs.images, images_seq_mask=inputs.images_seq_mask,
                                         images_spatial_crop=inputs.images_spatial_crop)
    prompt = inputs.input_ids.shape[1]
    ids = []
    for _ in range(TOKENS):
        mask = torch.ones(embeds.shape[:2], dtype=torch.long)
        out = model.language(inputs_embeds=embeds, attention_mask=mask, use_cache=False, output_attentions=True)
        ids.append(out.logits[0, -1].argmax().item())
        embeds = torch.cat([embeds, model.language.get_input_embeddings()(torch.tensor([[ids[-1]]]))], dim=1)
    places = torch.nonzero(inputs.images_seq_mask[0]).flatten().tolist()
    rects = [token_rects(p, grid, config) for p, grid in zip(pictures, inputs.images_spatial_crop[0].tolist())]
    if len(places) != sum(len(r) for r in rects):
        raise SystemExit(f"{folder.name}: {len(places)} picture tokens, {[len(r) for r in rects]} expected")
    runs = []
    for layers in LAYERS:
        chosen = range(len(out.attentions)) if layers is None else layers
        looks = torch.stack([out.attentions[i][0] for i in chosen]).mean(dim=(0, 1))  # [n][n]; the last token's row is not needed
        tokens = []
        for t in range(TOKENS):
            weights = looks[prompt - 1 + t][places].tolist()
            maps = []
            for i, (width, height, _) in enumerate(PICTURES):
                mine = weights[:len(rects[0])] if i == 0 else weights[len(rects[0]):]
                inside, outside, cells = spread(mine, rects[i], *grid_shape(width, height))
                maps.append({"inside": round(inside, 7), "outside": round(outside, 7), "cells": [round(c, 8) for c in cells]})
            tokens.append(maps)
        runs.append({"layers": layers or [], "tokens": tokens})
    return {"pictures": PICTURES, "question": QUESTION, "ids": ids, "cells": CELLS, "runs": runs}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ref", type=pathlib.Path, required=True)
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    if int(PIL.__version__.split(".")[0]) >= 13:
        parser.error(f"Pillow {PIL.__version__} resizes in another order; use 12 or older")
    make_fixtures.install_shims()
    sys.path.insert(0, str(args.ref))
    torch.set_num_threads(1)
    metadata = make_fixtures.provenance(args.ref)
    with tempfile.TemporaryDirectory() as work, torch.no_grad():
        for name in args.names or VARIANTS:
            folder = pathlib.Path(work) / name
            make_checkpoints.write_checkpoint(folder, name)
            out = dict(compute(folder), made_with=metadata)
            (HERE / "fixtures" / f"attention-{name}.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
