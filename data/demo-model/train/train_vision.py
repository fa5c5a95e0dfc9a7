# SPDX-License-Identifier: MIT
"""Stage 1: the vision tower alone, with dense per-patch supervision (object class, colour, box, centre, marker, characters).

train_vision.py --data DIR --out FILE --minutes M   resumes from FILE when it exists; writes it every two minutes.
"""
import argparse
import os
import time

import numpy as np
import torch

import dataset
from model import CONFIG, DenseHead, Vision, dense_loss, total_dense
from muon import Muon

PATCH_CENTER = torch.stack([torch.arange(81) % 9 * 10 + 5.0, torch.arange(81) // 9 * 10 + 5.0], 1)


def tile_targets(d, picks):
    """Dense targets of the tiles `picks` of shard d, boxes as offsets from the patch centre in units of 10 px, clipped to the tile."""
    t = lambda key: torch.from_numpy(np.ascontiguousarray(d[key][picks]))
    raw = t("box").float()
    clipped = raw.clamp(0, 92)
    c = PATCH_CENTER
    box = torch.stack([c[:, 0] - clipped[..., 0], c[:, 1] - clipped[..., 1], clipped[..., 2] - c[:, 0], clipped[..., 3] - c[:, 1]], -1) / 10
    mid = torch.stack([(raw[..., 0] + raw[..., 2]) / 2, (raw[..., 1] + raw[..., 3]) / 2], -1)
    center = ((mid - c).abs().amax(-1) <= 5).float() * (t("kind") > 0)
    return t("kind").long(), t("color").long(), box, center, t("mark").float(), t("chars").long(), t("places").long()


def matrix_groups(modules, lr):
    """Blocks' matrices for the orthogonalised update, everything else for Adam."""
    matrix, rest = [], []
    for name, p in modules:
        if ("blocks" in name or "layers" in name) and p.dim() >= 2 and "gate.weight" not in name:
            if "qkv" in name:
                p.row_blocks = 3
            matrix.append(p)
        else:
            rest.append(p)
    return [{"params": matrix, "matrix": True, "lr": lr}, {"params": rest, "lr": lr}]


@torch.no_grad()
def accuracy(vision, head, d, limit=600):
    picks = np.arange(min(limit, len(d["oid"])))
    hit = {"kind": [], "color": [], "iou": [], "char": [], "center": []}
    for part in np.array_split(picks, 6):
        o = head(vision(torch.from_numpy(np.ascontiguousarray(d["tiles"][part]))))
        kind, color, box, center, mark, chars, _ = tile_targets(d, part)
        kl, cl, bl, zl, ml, hl, _ = o.split(DenseHead.PARTS, -1)
        on = kind > 0
        hit["kind"].append((kl.argmax(-1) == kind)[on].float())
        hit["color"].append((cl.argmax(-1) == color)[on].float())
        inter = torch.minimum(bl, box)
        iou = (inter[..., 0] + inter[..., 2]).clamp(min=0) * (inter[..., 1] + inter[..., 3]).clamp(min=0)
        area = lambda b: (b[..., 0] + b[..., 2]).clamp(min=0) * (b[..., 1] + b[..., 3]).clamp(min=0)
        hit["iou"].append((iou / (area(bl) + area(box) - iou + 1e-6))[on])
        has = chars >= 0
        hit["char"].append((hl.unflatten(-1, (2, 37)).argmax(-1) == chars + 1)[has].float())
        hit["center"].append(((zl[..., 0] > 0) == (center > 0))[on].float())
    return {k: round(torch.cat(v).mean().item(), 3) for k, v in hit.items()}


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--data", required=True)
    ap.add_argument("--out", required=True)
    ap.add_argument("--minutes", type=float, default=20)
    ap.add_argument("--batch", type=int, default=64)
    ap.add_argument("--lr", type=float, default=2e-3)
    a = ap.parse_args()
    torch.set_num_threads(2)
    torch.manual_seed(1)
    rng = np.random.default_rng(1)
    vision, head = Vision(CONFIG["vision"]), DenseHead(CONFIG["vision"]["width"])
    params = list(vision.named_parameters()) + list(head.named_parameters())
    opt = Muon(matrix_groups(params, a.lr), a.lr)
    step, spent = 0, 0.0
    if os.path.exists(a.out):
        s = torch.load(a.out)
        vision.load_state_dict(s["vision"]), head.load_state_dict(s["head"]), opt.load_state_dict(s["opt"])
        step, spent = s["step"], s["spent"]
        rng = np.random.default_rng(step)
    shards, valid = {}, dataset.load(a.data, 0, 2)
    begun, last_save, ema = time.time(), time.time(), {}
    while spent + time.time() - begun < a.minutes * 60:
        if not shards or step % 200 == 0:
            for k in dataset.available(a.data):
                if k not in shards:
                    shards[k] = dataset.load(a.data, k)
        done = (spent + time.time() - begun) / (a.minutes * 60)
        for g in opt.param_groups:
            g["lr"] = a.lr * min(1, (step + 1) / 60) * min(1.0, 0.05 + (1 - done) / 0.5)
        d = shards[list(shards)[rng.integers(len(shards))]]
        picks = np.sort(rng.integers(0, len(d["oid"]), a.batch))
        tiles = torch.from_numpy(np.ascontiguousarray(d["tiles"][picks]))
        parts = dense_loss(head(vision(tiles)), *tile_targets(d, picks))
        opt.zero_grad(set_to_none=True)
        total_dense(parts).backward()
        torch.nn.utils.clip_grad_norm_([p for _, p in params], 5.0)
        opt.step()
        step += 1
        for k, v in parts.items():
            ema[k] = ema.get(k, v.item()) * 0.98 + 0.02 * v.item()
        if step % 50 == 0:
            print(step, f"{spent + time.time() - begun:.0f}s", " ".join(f"{k} {v:.3f}" for k, v in ema.items()), flush=True)
        if step % 300 == 0:
            print("  valid", accuracy(vision, head, valid), flush=True)
        if time.time() - last_save > 120:
            save(a.out, vision, head, opt, step, spent + time.time() - begun)
            last_save = time.time()
    save(a.out, vision, head, opt, step, spent + time.time() - begun)
    print("done", step, accuracy(vision, head, valid), flush=True)


def save(path, vision, head, opt, step, spent):
    torch.save({"vision": vision.state_dict(), "head": head.state_dict(), "opt": opt.state_dict(), "step": step, "spent": spent}, path + ".tmp")
    os.replace(path + ".tmp", path)


if __name__ == "__main__":
    main()
