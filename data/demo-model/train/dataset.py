# SPDX-License-Identifier: MIT
"""Pre-rendered training pictures on disk, and the arrays that training reads from them.

`dataset.py --out DIR --first A --last B` renders shards A..B-1 of 2,000 pictures each (seed 1).  Shard k holds scenes k*2000 ..., shards from
100 on hold scenes with many words; those from 105 on only teach the vision tower its letters.  Validation uses seed 2 and the held-out set
seed 3, so no picture is ever shared.
"""
import argparse
import os
import pickle

import numpy as np

import render as R

SHARD = 2000
WORDY = 100
LETTERS = 105
KINDS = {name: i for i, name in enumerate(R.SHAPES)}


def render_range(seed, first, last):
    parts = {"tiles": [], "oid": [], "chars": [], "places": [], "mark": [], "maps": []}
    start, scenes = [0], []
    for index in range(first, last):
        scene, img, ids = R.make(seed, index, wordy=first >= WORDY * SHARD)
        grid = R.grid_of(*img.size)
        labels = R.dense_labels(scene, ids, grid)
        for key, value in zip(parts, (R.tiles_of(img, grid), *labels)):
            parts[key].append(value)
        start.append(start[-1] + len(labels[0]))
        scene["grid"] = grid
        scenes.append(scene)
    out = {k: np.concatenate(v) for k, v in parts.items()}
    out["start"] = np.array(start)
    out["scenes"] = scenes
    attach_targets(out)
    return out


def attach_targets(d):
    """kind i8 [n,81] (0 background, 1.. shapes, 9 text), color i8 [n,81] (0 none), box f16 [n,81,4] in tile pixels (not clipped)."""
    n = len(d["oid"])
    d["kind"], d["color"] = np.zeros((n, 81), np.int8), np.zeros((n, 81), np.int8)
    d["box"] = np.zeros((n, 81, 4), np.float16)
    for p, scene in enumerate(d["scenes"]):
        if not scene["objects"]:
            continue
        kind = np.array([0] + [1 + KINDS[o["shape"]] if o["kind"] == "shape" else 1 + R.TEXT_CLASS for o in scene["objects"]], np.int8)
        color = np.array([0] + [1 + R.COLOR_NAMES.index(o["color"]) for o in scene["objects"]], np.int8)
        boxes = np.array([[0, 0, 0, 0]] + [o["box"] for o in scene["objects"]], np.float32)
        for t in range(d["start"][p], d["start"][p + 1]):
            o = d["oid"][t].astype(int) + 1
            sx, sy, ox, oy = d["maps"][t]
            b = boxes[o] * (sx, sy, sx, sy) + (ox, oy, ox, oy)
            d["kind"][t], d["color"][t] = kind[o], color[o]
            d["box"][t] = np.where(o[:, None] > 0, b, 0)


def write(folder, k, seed=1):
    d = render_range(seed, k * SHARD, (k + 1) * SHARD)
    scenes = d.pop("scenes")
    tmp = os.path.join(folder, f"tmp-{seed}-{k}")
    os.makedirs(tmp, exist_ok=True)
    for key, value in d.items():
        np.save(os.path.join(tmp, key + ".npy"), value)
    with open(os.path.join(tmp, "scenes.pickle"), "wb") as f:
        pickle.dump(scenes, f)
    os.rename(tmp, os.path.join(folder, f"shard-{seed}-{k}"))


def load(folder, k, seed=1):
    path = os.path.join(folder, f"shard-{seed}-{k}")
    d = {f[:-4]: np.load(os.path.join(path, f), mmap_mode="r" if f == "tiles.npy" else None) for f in os.listdir(path) if f.endswith(".npy")}
    with open(os.path.join(path, "scenes.pickle"), "rb") as f:
        d["scenes"] = pickle.load(f)
    return d


def available(folder, seed=1):
    return sorted(int(n.split("-")[2]) for n in os.listdir(folder) if n.startswith(f"shard-{seed}-"))


if __name__ == "__main__":
    ap = argparse.ArgumentParser()
    ap.add_argument("--out", required=True)
    ap.add_argument("--first", type=int, default=0)
    ap.add_argument("--last", type=int, default=24)
    ap.add_argument("--seed", type=int, default=1)
    a = ap.parse_args()
    os.makedirs(a.out, exist_ok=True)
    if a.seed != 1:
        SHARD = 600
    for shard in range(a.first, a.last):
        if not os.path.isdir(os.path.join(a.out, f"shard-{a.seed}-{shard}")):
            write(a.out, shard, a.seed)
            print("shard", shard, flush=True)
