# SPDX-License-Identifier: MIT
"""How an answer about a scene is scored. Standard library only: shared by evaluate.py and by tests/demo."""
import re

COLOR_ZH = {"red": "红色", "orange": "橙色", "yellow": "黄色", "green": "绿色", "cyan": "青色", "blue": "蓝色", "purple": "紫色", "pink": "粉色",
            "black": "黑色", "white": "白色"}
SHAPE_ZH = {"circle": "圆形", "square": "正方形", "triangle": "三角形", "star": "星形", "heart": "心形", "cross": "十字", "ring": "圆环",
            "moon": "月牙"}


def boxes_in(text):
    """Every complete box of the raw answer, 0-999."""
    out = []
    for inner in re.findall(r"<\|det\|>(.*?)(?:<\|/det\|>|$)", text, re.S):
        for b in re.findall(r"\[\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\]", inner):
            out.append([int(v) for v in b])
    return out


def iou(a, b):
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    inter = max(w, 0) * max(h, 0)
    total = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter
    return inter / total if total > 0 else 0.0


def matched(got, want, limit=0.5):
    """Number of one-to-one pairs with IoU >= limit, best pairs first."""
    pairs = sorted(((iou(g, w), i, j) for i, g in enumerate(got) for j, w in enumerate(want)), reverse=True)
    used_g, used_w = set(), set()
    for v, i, j in pairs:
        if v >= limit and i not in used_g and j not in used_w:
            used_g.add(i), used_w.add(j)
    return len(used_g)


def first_number(text):
    m = re.search(r"\d+", text)
    return int(m.group()) if m else 0 if re.search("no |没有", text) else None


def named(text, table):
    """The first English key or Chinese value of `table` in the text."""
    found = [(text.find(w), k) for k, zh in table.items() for w in (k, zh) if w in text]
    return min(found)[1] if found else None


def score(x, text):
    """(hits, tries) of one answer; for boxes (true positives, (predicted + true) / 2), whose ratio is F1."""
    task, e = x["task"], x["expect"]
    if task == "locate":
        got = boxes_in(text)
        return (float(bool(got) and iou(got[0], e["boxes"][0]) >= 0.5), 1)
    if task in ("findall", "ground", "incontext"):
        got = boxes_in(text)
        return (matched(got, e["boxes"]), (len(got) + len(e["boxes"])) / 2)
    if task == "count":
        return (float(first_number(text) == e["n"]), 1)
    if task == "color":
        return (float(named(text, COLOR_ZH) == e["color"]), 1)
    if task == "shape":
        return (float(named(text, SHAPE_ZH) == e["shape"]), 1)
    if task == "read":
        return (float(re.findall(r'"([^"]*)"', text) == e["text"]), 1)
    return (float(text.strip() == x["answer"]), 1)
