#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares picture files, decoded and cut into tiles by the command line, with Pillow and the official processor.

  pictures_check.py --ref CHECKOUT --cli sightline-cli [FILE…]

Writes PNG files of every mode (RGB, RGBA, grey, grey with alpha, palette with and without transparency, 1 bit) and compares tiles and grids bit
by bit; FILEs of lossy formats may differ by two levels, as decoders do. Uses the published rule of 384 pixels and 23 arrangements, and
counts the tokens of each. Needs what reference.py needs.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import PIL
from PIL import Image, ImageOps

import reference
from tiles_check import RULES, picture

HERE = pathlib.Path(__file__).parent
for folder in ("cli", "bench"):
    sys.path.insert(0, str(HERE.parent / folder))
import make_checkpoints  # noqa: E402

MODES = ["RGB", "RGBA", "L", "LA", "P", "P transparent", "1"]


def write_mode(mode, path):
    rgb = Image.fromarray(picture(437, 291))
    if mode == "RGBA":
        image = rgb.copy()
        image.putalpha(Image.fromarray(picture(437, 291)[:, :, 1]))
    elif mode == "LA":
        image = rgb.convert("L")
        image.putalpha(Image.fromarray(picture(437, 291)[:, :, 2]))
    elif mode.startswith("P"):
        image = rgb.quantize(200)
    else:
        image = rgb.convert(mode)
    image.save(path, **({"transparency": 7} if "transparent" in mode else {}))


def checkpoint(folder):
    """A small checkpoint whose tiles follow the published rule."""
    make_checkpoints.VARIANTS["published_rule"] = dict(make_checkpoints.VARIANTS["tiny_style"], vision=dict(image_size=384, patch_size=14))
    make_checkpoints.CANDIDATES = [list(u) for u in RULES["published"][1]]
    make_checkpoints.write_checkpoint(folder, "published_rule")
    return folder


def tensor(path, name):
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    entry = json.loads(data[8:8 + length])[name]
    first, last = entry["data_offsets"]
    kind = {"U8": np.uint8, "I32": np.int32}[entry["dtype"]]
    return np.frombuffer(data[8 + length + first:8 + length + last], kind).reshape(entry["shape"])


def expected(module, image):
    side, units = RULES["published"]
    image = ImageOps.exif_transpose(image).convert("RGB")
    best = module.select_best_resolution(image.size, [(w * side, h * side) for w, h in units])
    views = [ImageOps.pad(image, (side, side), color=(127, 127, 127)), ImageOps.pad(image, best, color=(127, 127, 127))]
    tiles = [views[0]] + [views[1].crop((j, i, j + side, i + side)) for i in range(0, best[1], side) for j in range(0, best[0], side)]
    return best[0] // side, best[1] // side, np.stack([np.asarray(t).transpose(2, 0, 1) for t in tiles])


def check(args, module, model, path, name, allowed, work):
    out = work / "tiles.safetensors"
    subprocess.run([args.cli, "preprocess", "--model", model, "--image", path, "--out", out, "--force"], check=True, stdout=subprocess.DEVNULL)
    gw, gh, want = expected(module, Image.open(path))
    got, grid = tensor(out, "tiles"), tensor(out, "spatial_crop")[0]
    worst = int(np.abs(got.astype(int) - want).max()) if got.shape == want.shape else 255
    good = worst <= allowed and tuple(grid) == (gw, gh)
    tokens = 14 * 15 + 1 + 14 * gh * (14 * gw + 1)
    print(f"| {name} | {gw} × {gh} | {tokens} | {worst} | {allowed} | {'yes' if good else 'NO'} |")
    return not good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ref", required=True)
    parser.add_argument("--cli", required=True)
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    args = parser.parse_args()
    module, bad = reference.load(args.ref), 0
    print("| picture | grid | tokens | largest difference | allowed | good |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        work = pathlib.Path(scratch)
        model = checkpoint(work / "model")
        for mode in MODES:
            write_mode(mode, work / "picture.png")
            bad += check(args, module, model, work / "picture.png", f"PNG, {mode}", 0, work)
        for path in args.files:
            bad += check(args, module, model, path, path.name, 0 if path.suffix == ".png" else 2, work)
    print(f"\nPillow {PIL.__version__}, DeepSeek-VL2 {reference.commit(args.ref)[:7]}")
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
