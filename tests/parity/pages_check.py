#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares the views that Sightline cuts pages into with the official code's, byte by byte, in every mode and over many sizes.

    pages_check.py --tool BUILD/tests/parity/tiles_tool --ref DEEPSEEK_OCR_CHECKOUT
    pages_check.py --ref DEEPSEEK_OCR_CHECKOUT --write-fixture tests/engine/fixtures/pages.txt

The official DeepseekOCRProcessor.tokenize_with_images is run (make_document_fixtures.py loads it) up to the pixels that it normalises.
Most pages are compared at an eighth of the published sides, which are the official code's parameters, some at the published ones.
Needs what make_document_fixtures.py needs.
"""
import argparse
import pathlib
import struct
import subprocess
import sys
import zlib

import numpy as np
import PIL
from PIL import Image

import make_document_fixtures as documents
import tiles_check

DETAILS = {"gundam": 0, "tiny": 2, "small": 3, "base": 4, "large": 5}
VIEWS = {"gundam": (8, 5, True), "tiny": (4, 4, False), "small": (5, 5, False), "base": (8, 8, False), "large": (10, 10, False)}


class Tokenizer:
    bos_token_id, eos_token_id, pad_token_id = 0, 1, 2

    def encode(self, text, add_special_tokens):
        return []


def expected(process, unit, mode, most, pixels):
    """unit: an eighth of the base mode's side."""
    seen = []
    processor = object.__new__(process.DeepseekOCRProcessor)
    base, image, crop = VIEWS[mode]
    processor.base_size, processor.image_size = base * unit, image * unit
    processor.patch_size, processor.downsample_ratio, processor.ignore_id, processor.image_token_id = 16, 4, -100, 7
    processor.tokenizer, processor.image_token = Tokenizer(), "<image>"
    transform = process.ImageTransform()

    def note(picture):
        seen.append(np.asarray(picture).transpose(2, 0, 1).tobytes())
        return transform(picture)
    note.mean = transform.mean
    processor.image_transform = note
    process.PROMPT, process.IMAGE_SIZE = "<image>", processor.image_size
    process.dynamic_preprocess.__defaults__ = (2, most, processor.image_size, False)
    grid = processor.tokenize_with_images(images=[Image.fromarray(pixels)], bos=True, eos=True, cropping=crop)[0][4][0]
    return int(grid[0]), int(grid[1]), b"".join(seen)


def cases(unit, count, seed):
    """Sizes near every border between two grids, and sizes of every shape."""
    sizes = tiles_check.sizes(5 * unit, [(1, 2), (2, 1), (2, 3), (3, 2), (1, 6), (6, 1), (5, 6)], count, seed)
    modes = list(DETAILS)
    for n, (width, height) in enumerate(sizes):
        if min(width, height) * 60 < max(width, height):
            continue  # a side that rounds to nothing
        yield modes[n % 2 * (1 + n // 2 % 4)], 6 if n % 3 else 32, width, height


def check(official, tool, unit, count):
    process = subprocess.Popen([tool, "pages"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    total = bad = 0
    grids = set()
    for mode, most, width, height in cases(unit, count, 11):
        pixels = tiles_check.picture(width, height)
        process.stdin.write(struct.pack("=5i", 8 * unit, DETAILS[mode], most, width, height) + pixels.tobytes())
        process.stdin.flush()
        gw, gh, n = struct.unpack("=3i", process.stdout.read(12))
        base, image, _ = VIEWS[mode]
        got = process.stdout.read(3 * unit * unit * (base * base + (n - 1) * 25))
        want = expected(official, unit, mode, most, pixels)
        grids.add((gw, gh))
        total += 1
        if (gw, gh, got) != want:
            bad += 1
            print(f"differs: {mode} {width}x{height}, at most {most}: grid {gw}x{gh}, want {want[0]}x{want[1]}")
    process.stdin.close()
    print(f"sides of {8 * unit}: {total} pages in {len(grids)} grids, {bad} differ; Pillow {PIL.__version__}")
    return bad + process.wait()


def write_fixture(official, path):
    lines = [f"# made by tests/parity/pages_check.py: Pillow {PIL.__version__}", "# side detail most width height grid_w grid_h crc32(views)"]
    for mode, most, width, height in cases(16, 260, 5):
        if width * height > 400_000:
            continue  # the test computes every picture
        gw, gh, data = expected(official, 16, mode, most, tiles_check.picture(width, height))
        lines.append(f"128 {DETAILS[mode]} {most} {width} {height} {gw} {gh} {zlib.crc32(data):08x}")
    pathlib.Path(path).write_text("\n".join(lines) + "\n", encoding="ascii")
    print(len(lines) - 2, "cases in", path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool")
    parser.add_argument("--ref", type=pathlib.Path, required=True)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--write-fixture")
    args = parser.parse_args()
    if int(PIL.__version__.split(".")[0]) >= 13:
        parser.error(f"Pillow {PIL.__version__} resizes in another order; use 12 or older")
    small, large = (documents.load_process(args.ref, side) for side in (80, 640))
    if args.write_fixture:
        return write_fixture(small, args.write_fixture)
    return 1 if check(small, args.tool, 16, args.count) + check(large, args.tool, 128, args.count // 30) else 0


if __name__ == "__main__":
    sys.exit(main())
