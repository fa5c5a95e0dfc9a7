# SPDX-License-Identifier: MIT
"""Draws the sample pictures of the application's first page (data/samples).   samples.py --out DIR"""
import argparse
import os

import render as R


def scene(width, height, a, b, things, angle=1.57):
    """things: (shape, colour, centre x, centre y, diameter, turn) or ("text", colour, word, x, y, pixel size, font)."""
    objects = []
    for t in things:
        if t[0] == "text":
            _, color, word, x, y, size, face = t
            objects.append({"kind": "text", "text": word, "font": face, "size": size, "x": x, "y": y, "color": color, "rgb": list(R.COLORS[color])})
            continue
        shape, color, x, y, d, turn = t
        p = R.polygon(shape, x, y, d / 2, turn)
        lo, hi = p.min(0), p.max(0)
        objects.append({"kind": "shape", "shape": shape, "color": color, "rgb": list(R.COLORS[color]), "points": p.tolist(), "center": [x, y],
                        "box": [float(lo[0]), float(lo[1]), float(hi[0]), float(hi[1])]})
    kind = "plain" if a == b else "gradient"
    return {"width": width, "height": height, "background": {"kind": kind, "a": a, "b": b, "angle": angle}, "objects": objects, "noise_seed": 1}


SANS, SERIF = "DejaVuSans-Bold.ttf", "DejaVuSerif-Bold.ttf"
CREAM, MINT, NIGHT, SKY, ROSE = (250, 246, 232), (226, 244, 236), (28, 32, 58), (226, 238, 250), (250, 232, 236)


def pictures():
    out = {
        "shapes-1": scene(480, 360, CREAM, (244, 226, 204), [
            ("circle", "red", 110, 110, 120, 0), ("square", "blue", 300, 92, 118, 0.3), ("star", "purple", 400, 248, 130, 0.2),
            ("triangle", "green", 110, 268, 118, 0), ("heart", "pink", 254, 254, 112, 0.1)]),
        "shapes-2": scene(420, 420, NIGHT, (52, 40, 84), [
            ("star", "yellow", 96, 92, 104, 0.3), ("star", "yellow", 320, 110, 128, 0), ("moon", "white", 210, 220, 118, 0.5),
            ("ring", "cyan", 96, 322, 112, 0), ("star", "orange", 322, 318, 110, 0.6)]),
        "wide": scene(640, 200, SKY, SKY, [
            ("square", "orange", 80, 100, 104, 0), ("circle", "green", 216, 92, 96, 0), ("cross", "red", 344, 108, 104, 0),
            ("heart", "purple", 462, 98, 104, 0), ("moon", "black", 572, 100, 96, 0.4)]),
        "tall": scene(200, 600, MINT, (206, 232, 244), [
            ("star", "red", 98, 84, 112, 0), ("ring", "blue", 104, 232, 112, 0), ("triangle", "orange", 96, 374, 120, 0),
            ("circle", "purple", 102, 510, 110, 0)]),
        "words": scene(460, 320, (252, 250, 240), (252, 250, 240), [
            ("text", "blue", "OPEN", 60, 56, 74, SANS), ("heart", "red", 366, 92, 104, 0), ("text", "green", "CAFE", 190, 208, 70, SERIF),
            ("circle", "orange", 96, 232, 100, 0)]),
        "numbers": scene(400, 300, ROSE, (238, 226, 250), [
            ("text", "black", "57", 56, 52, 78, SANS), ("text", "red", "204", 214, 190, 70, SANS), ("square", "green", 300, 84, 96, 0.2),
            ("triangle", "blue", 96, 226, 104, 0)]),
        "pair-a": scene(360, 270, CREAM, CREAM, [
            ("star", "green", 92, 92, 96, 0.2), ("circle", "blue", 262, 88, 92, 0), ("heart", "orange", 178, 194, 96, 0)]),
        "pair-b": scene(360, 270, SKY, SKY, [
            ("square", "red", 86, 84, 88, 0.1), ("star", "purple", 258, 98, 104, 0), ("ring", "black", 102, 198, 92, 0),
            ("circle", "pink", 262, 212, 82, 0)]),
    }
    out["pair-a"]["marker"] = 0
    return out


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--out", required=True)
    a = ap.parse_args()
    os.makedirs(a.out, exist_ok=True)
    for name, description in pictures().items():
        img, _ = R.draw(description)
        img.save(os.path.join(a.out, name + ".png"), optimize=True)


if __name__ == "__main__":
    main()
