#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares Sightline's tiles with Pillow's, byte by byte, over many picture sizes.

    tiles_check.py --tool BUILD/tests/parity/tiles_tool --reference DEEPSEEK_VL2_CHECKOUT
    tiles_check.py --reference DEEPSEEK_VL2_CHECKOUT --write-fixture tests/engine/fixtures/tiles.txt

The grid comes from the official select_best_resolution, the views from ImageOps.pad. Pictures are computed from an integer
formula that tests/engine/picture/test_tiles.c repeats. Needs Pillow, numpy, and what reference.py needs. Pillow must be older than 13,
which began to resize tall pictures vertically first: other bytes than those the model was trained on.
"""
import argparse
import random
import struct
import subprocess
import sys
import zlib

import numpy as np
import PIL
from PIL import Image, ImageOps

import reference

UNITS = [(1, 1), (1, 2), (2, 1), (1, 3), (3, 1), (1, 4), (4, 1), (2, 2), (1, 5), (5, 1), (1, 6), (6, 1), (2, 3), (3, 2), (1, 7), (7, 1), (1, 8), (8, 1),
         (2, 4), (4, 2), (1, 9), (9, 1), (3, 3)]
RULES = {"published": (384, UNITS), "small": (44, [u for u in UNITS if u[0] * u[1] <= 4])}


def picture(width, height):
    x, y, c = np.meshgrid(np.arange(width, dtype=np.uint32), np.arange(height, dtype=np.uint32), np.arange(3, dtype=np.uint32), indexing="xy")
    v = x * 5 + y * 3 + c * 85 + ((x * x + y * y * 7 + x * y * 3) >> 4)
    return np.ascontiguousarray(v.astype(np.uint8)).reshape(height, width, 3)


def expected(module, side, candidates, pixels, crop):
    image = Image.fromarray(pixels)
    best = module.select_best_resolution(image.size, candidates) if crop else (side, side)
    views = [ImageOps.pad(image, (side, side), color=(127, 127, 127)), ImageOps.pad(image, best, color=(127, 127, 127))]
    tiles = [views[0]] + [views[1].crop((j, i, j + side, i + side)) for i in range(0, best[1], side) for j in range(0, best[0], side)]
    return best[0] // side, best[1] // side, np.stack([np.asarray(t).transpose(2, 0, 1) for t in tiles]).tobytes()


def rounds_to_nothing(width, height, candidates):
    return any(round(height / width * w) < 1 or round(width / height * h) < 1 for w, h in candidates)


def sizes(side, units, count, seed):
    """Edges first, then every candidate at once, twice and half its size, then random sizes of every shape."""
    rng = random.Random(seed)
    result = [(1, 1), (1, 2), (2, 1), (3, 3), (side, side), (side - 1, side), (side, side - 1), (side + 1, side), (2 * side, 2 * side), (8000, 50), (50, 8000),
              (8000, 7), (5, 300), (640, 480), (480, 640), (1920, 1080), (1080, 1920), (1000, 1000), (999, 333), (333, 1000), (4000, 3000)]
    for w, h in units:
        result += [(w * side, h * side), (w * side * 2 - 1, h * side * 2 + 1), (max(1, w * side // 2), max(1, h * side // 2 - 1))]
    while len(result) < count:
        area = 10 ** rng.uniform(0, 6.3)
        ratio = 10 ** rng.uniform(-1.6, 1.6)
        result.append((max(1, round((area * ratio) ** 0.5)), max(1, round((area / ratio) ** 0.5))))
    return result[:count]


def cases(rule, count, seed):
    side, units = RULES[rule]
    candidates = [(w * side, h * side) for w, h in units]
    for n, (width, height) in enumerate(sizes(side, units, count, seed)):
        if not rounds_to_nothing(width, height, candidates):
            yield rule, side, candidates, width, height, n % 7 != 6


def check(module, tool, count):
    process = subprocess.Popen([tool], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    seen, total, bad = {}, 0, 0
    for rule in RULES:
        for name, side, candidates, width, height, crop in cases(rule, count, 3):
            pixels = picture(width, height)
            process.stdin.write(struct.pack("=5i", side, len(candidates), crop, width, height))
            process.stdin.write(struct.pack(f"={2 * len(candidates)}i", *sum(candidates, ())) + pixels.tobytes())
            process.stdin.flush()
            gw, gh, n = struct.unpack("=3i", process.stdout.read(12))
            got = process.stdout.read(3 * side * side * n)
            want = expected(module, side, candidates, pixels, crop)
            seen.setdefault(name, set()).add((gw, gh) if crop else None)
            total += 1
            if (gw, gh, got) != want:
                bad += 1
                print(f"differs: {name} {width}x{height} crop={crop}: grid {gw}x{gh}, want {want[0]}x{want[1]}")
    process.stdin.close()
    missing = {name: set(units) - seen[name] for name, (_, units) in RULES.items()}
    print(f"{total} pictures: {bad} differ; grids never chosen: {missing}; Pillow {PIL.__version__}")
    return bad + process.wait() + sum(map(len, missing.values()))


def write_fixture(module, checkout, path):
    lines = [f"# made by tests/parity/tiles_check.py: Pillow {PIL.__version__}, DeepSeek-VL2 {reference.commit(checkout)}",
             "# rule width height crop grid_w grid_h crc32(tiles)"]
    for rule, count in (("published", 105), ("small", 240)):
        for name, side, candidates, width, height, crop in cases(rule, count, 5):
            if width * height > 1_300_000:
                continue  # the test computes every picture
            gw, gh, data = expected(module, side, candidates, picture(width, height), crop)
            lines.append(f"{name} {width} {height} {int(crop)} {gw} {gh} {zlib.crc32(data):08x}")
    with open(path, "w", encoding="ascii") as out:
        out.write("\n".join(lines) + "\n")
    print(len(lines) - 2, "cases in", path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool")
    parser.add_argument("--reference", required=True)
    parser.add_argument("--count", type=int, default=320)
    parser.add_argument("--write-fixture")
    args = parser.parse_args()
    if int(PIL.__version__.split(".")[0]) >= 13:
        parser.error(f"Pillow {PIL.__version__} resizes in another order; use 12 or older")
    module = reference.load(args.reference)
    if args.write_fixture:
        return write_fixture(module, args.reference, args.write_fixture)
    return 1 if check(module, args.tool, args.count) else 0


if __name__ == "__main__":
    sys.exit(main())
