#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the 16 codes of the int4 format and compares the format with others of 4.5 bits per weight.

    python3 tests/kernels/make_codes.py [FILE.safetensors [PATTERN]]

Prints, for normal weights, for heavy-tailed ones (Student's t, 5 degrees of freedom) and for the BF16 matrices of FILE whose
name matches PATTERN, the squared error relative to the weights in ten-thousandths, and the codes that suit those weights best.
kernels/quant.h holds those of the normal weights, which trained matrices resemble. Needs numpy; takes a minute.
"""
import json
import re
import struct
import sys
from statistics import NormalDist

import numpy as np

RNG = np.random.default_rng(1)
FACTORS = np.linspace(0.7, 1.15, 10)  # of the scale that maps the largest magnitude to an end of the codes


def bf16(x):
    bits = np.asarray(x, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)


def matrices(path, pattern, most=40):
    with open(path, "rb") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(length))
        names = [n for n, e in header.items() if re.search(pattern, n) and len(e.get("shape", [])) == 2 and e["dtype"] == "BF16"]
        RNG.shuffle(names)
        for name in names[:most]:
            first, last = header[name]["data_offsets"]
            file.seek(8 + length + first)
            bits = np.frombuffer(file.read(last - first), np.uint16).astype(np.uint32) << 16
            yield bits.view(np.float32).reshape(header[name]["shape"])


def coded(groups, codes, factors):
    """Squared error and scale of every group: the best of scales of both signs, each also refined by least squares."""
    peak = groups[np.arange(len(groups)), np.abs(groups).argmax(1)]
    best = np.full(len(groups), np.inf)
    scales = np.ones(len(groups), np.float32)
    middles = (codes[1:] + codes[:-1]) / 2
    for end in (codes[0], codes[-1]) if len(factors) > 1 else (codes[0],):
        for factor in factors:
            scale = bf16(peak / end * factor)
            for _ in range(2 if len(factors) > 1 else 1):
                scale = np.where(scale == 0, 1, scale)
                q = codes[np.searchsorted(middles, groups / scale[:, None])]
                error = ((q * scale[:, None] - groups) ** 2).sum(1)
                better = error < best
                best[better], scales[better] = error[better], scale[better]
                scale = bf16((groups * q).sum(1) / np.maximum((q * q).sum(1), 1e-30))
    return best, scales


def with_minimum(groups):
    """Squared error of 16 even steps between a bf16 minimum and maximum, the best of a grid and of least squares."""
    best = np.full(len(groups), np.inf)
    low, high = groups.min(1), groups.max(1)
    for a in np.linspace(0.8, 1, 5):
        for b in np.linspace(0.8, 1, 5):
            scale, base = bf16((high * b - low * a) / 15), bf16(low * a)
            for _ in range(2):
                scale = np.where(scale == 0, 1, scale)
                q = np.clip(np.rint((groups - base[:, None]) / scale[:, None]), 0, 15)
                best = np.minimum(best, ((q * scale[:, None] + base[:, None] - groups) ** 2).sum(1))
                spread = q - q.mean(1, keepdims=True)
                scale = bf16((spread * groups).sum(1) / np.maximum((spread**2).sum(1), 1e-20))
                base = bf16(groups.mean(1) - scale * q.mean(1))
    return best


def lloyd(groups, rounds=25):
    quantiles = np.array([NormalDist().inv_cdf((i + 0.5) / 16) for i in range(16)])
    codes = np.float32(quantiles / -quantiles[0] * np.where(quantiles > 0, 112, 127))  # sides that differ, as a signed scale allows
    for _ in range(rounds):
        _, scales = coded(groups, codes, FACTORS)
        scaled = groups / scales[:, None]
        index = np.searchsorted((codes[1:] + codes[:-1]) / 2, scaled)
        weight = np.broadcast_to((scales**2)[:, None], groups.shape)
        total = np.bincount(index.ravel(), weight.ravel(), 16)
        mean = np.bincount(index.ravel(), (weight * scaled).ravel(), 16) / np.maximum(total, 1e-30)
        codes = np.where(total > 0, mean, codes).astype(np.float32)
        codes *= -127 / codes[0]
    return np.rint(codes).astype(np.float32)


def report(name, weights, codes):
    cut = np.concatenate([w[:, : w.shape[1] // 64 * 64].reshape(-1, 64) for w in weights])
    if len(cut) > 10000:
        cut = cut[RNG.choice(len(cut), 10000, False)]
    small = cut.reshape(-1, 32)
    linear = np.arange(-8, 8).astype(np.float32)
    own = lloyd(small[:4000])
    codes = own if codes is None else codes
    energy = (cut**2).sum() / 1e4
    print(f"{name}: {len(cut) * 64} weights")
    print(f"  linear, groups of 32, largest magnitude     {coded(small, linear, [1.0])[0].sum() / energy:7.2f}")
    print(f"  linear, groups of 32, best scale            {coded(small, linear, FACTORS)[0].sum() / energy:7.2f}")
    print(f"  minimum and scale, groups of 64, best       {with_minimum(cut).sum() / energy:7.2f}")
    print(f"  codes of the normal weights, 32, best scale {coded(small, codes, FACTORS)[0].sum() / energy:7.2f}")
    print(f"  codes made for these weights, 32            {coded(small, own, FACTORS)[0].sum() / energy:7.2f}  {own.astype(int).tolist()}")
    return codes


def main():
    codes = report("normal", [RNG.standard_normal((256, 1280)).astype(np.float32)], None)
    report("Student's t", [RNG.standard_t(5, (256, 1280)).astype(np.float32)], codes)
    if len(sys.argv) > 1:
        pattern = sys.argv[2] if len(sys.argv) > 2 else r"mlp\.experts\."
        report(f"{sys.argv[1]} {pattern}", list(matrices(sys.argv[1], pattern)), codes)


if __name__ == "__main__":
    main()
