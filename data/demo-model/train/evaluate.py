# SPDX-License-Identifier: MIT
"""Scores a checkpoint on scenes that training never saw, greedy, one question of each kind per scene.

evaluate.py --model DIR [--seed 3] [--count 1000] [--renderer pillow|cairo]          decodes with the training model (batched)
evaluate.py --model DIR --cli PATH/sightline-cli …                                  asks the application's engine, one process for all
evaluate.py --model DIR --cli PATH/sightline-cli --pairs …                          two pictures at a time: the in-context form, comparing
Seed 2 is for validation, seed 3 is the held-out set: look at it, never tune on it.
"""
import argparse
import json
import os
import subprocess
import tempfile
from collections import defaultdict

import torch

import export
import render as R
import tasks
from generate import answer
from model import DemoModel
from scoring import score
from train import Text


def slices(scene, x):
    """Names of the groups in which a result is reported; of two pictures the second counts, which answers are about."""
    scene = scene if isinstance(scene, dict) else scene[-1]
    n = len(scene["objects"])
    out = [x["lang"], "objects " + ("1-3" if n <= 3 else "4-6" if n <= 6 else "7+")]
    a = max(scene["width"], scene["height"]) / min(scene["width"], scene["height"])
    out.append("aspect " + ("< 1.5" if a < 1.5 else "1.5-2.5" if a < 2.5 else "> 2.5"))
    gw, gh = R.grid_of(scene["width"], scene["height"])
    out.append(f"tiles {max(gw, gh)}x{min(gw, gh)}")
    if x["task"] in ("locate", "findall"):
        b = min(x["expect"]["boxes"], key=lambda b: (b[2] - b[0]) * (b[3] - b[1]))
        s = (b[2] - b[0]) * (b[3] - b[1]) / 998001
        out.append("size " + ("< 3 %" if s < 0.03 else "3-10 %" if s < 0.1 else "> 10 %"))
    return out


def build(seed, count, renderer):
    if renderer == "cairo":
        import scenes_cairo
    items = []
    for index in range(count):
        scene, img, _ = R.make(seed, index, marker_share=0.0)
        if renderer == "cairo":
            img = scenes_cairo.draw(scene)
        items.append((scene, img, tasks.exam(scene, R.scene_rng(seed + 1000, index))))
    return items


def build_pairs(seed, count):
    """Two scenes each, a shape of the first marked in red; the second is the next scene, or one soon after it, that shows the same shape."""
    items = []
    for index in range(count):
        rng = R.scene_rng(seed + 2000, index)
        first, img, _ = R.make(seed, index, marker_share=1.0)
        if "marker" not in first:
            continue
        shape = first["objects"][first["marker"]]["shape"]
        for step in range(1, 9):
            second, other, _ = R.make(seed, index + step, marker_share=0.0)
            if rng.random() < 0.15 or any(o["kind"] == "shape" and o["shape"] == shape for o in second["objects"]):
                break
        lang = tasks.ZH if rng.random() < 0.28 else tasks.EN
        items.append(((first, second), (img, other), [f(rng, lang) for f in (
            lambda r, l: tasks.in_context(first, second, r, l), lambda r, l: tasks.compare((first, second), r, l))]))
    return items


def by_model(folder, items, threads=1):
    torch.set_num_threads(threads)
    text = Text(os.path.join(folder, "tokenizer.json"))
    model = DemoModel(len(text))
    export.load_into(model, folder)
    return answers_of(model.eval(), text, items)


def answers_of(model, text, items):
    groups = defaultdict(list)
    for i, (scene, img, _) in enumerate(items):
        groups[R.grid_of(*img.size)].append(i)
    results = [None] * len(items)
    for grid, members in groups.items():
        for k in range(0, len(members), 12):
            part = members[k:k + 12]
            texts, _ = answer(model, text, [(R.tiles_of(items[i][1], grid), grid) for i in part], [[x["user"] for x in items[i][2]] for i in part])
            at = 0
            for i in part:
                results[i] = texts[at:at + len(items[i][2])]
                at += len(items[i][2])
    return results


def by_cli(cli, folder, items):
    """Answers of the application's engine: one process reads all questions as JSON lines."""
    results = [[] for _ in items]
    with tempfile.TemporaryDirectory() as tmp:
        where = []
        with open(os.path.join(tmp, "ask.jsonl"), "w", encoding="utf-8") as f:
            for i, (_, img, questions) in enumerate(items):
                names = [f"{i}-{j}.png" for j in range(len(img) if isinstance(img, tuple) else 1)]
                for name, picture in zip(names, img if isinstance(img, tuple) else [img]):
                    picture.save(os.path.join(tmp, name))
                for x in questions:
                    where.append(i)
                    f.write(json.dumps({"images": names, "prompt": x["prompt"], "mode": x["mode"], "max_tokens": 220}) + "\n")
        cmd = [cli, "ask", "--json", "--greedy", "--model", folder, "--batch", os.path.join(tmp, "ask.jsonl")]
        lines = subprocess.run(cmd, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    if len(lines) != len(where):
        raise SystemExit(f"{cli} answered {len(lines)} of {len(where)} questions")
    for i, line in zip(where, lines):
        results[i].append(json.loads(line).get("text", ""))
    return results


def report(items, results):
    total, cut = defaultdict(lambda: [0.0, 0.0]), defaultdict(lambda: defaultdict(lambda: [0.0, 0.0]))
    for (scene, _, questions), texts in zip(items, results):
        for x, t in zip(questions, texts):
            hit, tries = score(x, t)
            for cell in [total[x["task"]]] + [cut[x["task"]][s] for s in slices(scene, x)]:
                cell[0] += hit
                cell[1] += tries
    ratio = lambda c: c[0] / max(c[1], 1e-9)
    table = {t: {"score": round(ratio(c), 4), "n": c[1], "by": {s: round(ratio(v), 3) for s, v in sorted(cut[t].items())}} for t, c in total.items()}
    return table


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--model", required=True)
    ap.add_argument("--seed", type=int, default=3)
    ap.add_argument("--count", type=int, default=1000)
    ap.add_argument("--renderer", default="pillow")
    ap.add_argument("--tasks", default="", help="comma-separated kinds of question; all when empty")
    ap.add_argument("--pairs", action="store_true", help="questions about two pictures, through --cli")
    ap.add_argument("--threads", type=int, default=1)
    ap.add_argument("--cli")
    ap.add_argument("--out", help="write the full table as JSON")
    ap.add_argument("--show", type=int, default=0, help="print this many wrong answers")
    a = ap.parse_args()
    if a.pairs and not a.cli:
        ap.error("--pairs needs --cli")
    items = build_pairs(a.seed, a.count) if a.pairs else build(a.seed, a.count, a.renderer)
    if a.tasks:
        items = [(scene, img, [x for x in questions if x["task"] in a.tasks.split(",")]) for scene, img, questions in items]
        items = [item for item in items if item[2]]
    results = by_cli(a.cli, a.model, items) if a.cli else by_model(a.model, items, a.threads)
    table = report(items, results)
    for task, row in table.items():
        print(f"{task:9s} {row['score']:.3f}  (n {row['n']:.0f})  ", "  ".join(f"{k}: {v:.2f}" for k, v in row["by"].items()))
    shown = 0
    for (scene, _, questions), texts in zip(items, results):
        for x, t in zip(questions, texts):
            hit, tries = score(x, t)
            if hit < tries and shown < a.show:
                shown += 1
                print(f"[{x['task']}] {x['user']} | {x['answer']} | {t}")
    if a.out:
        with open(a.out, "w") as f:
            json.dump(table, f, indent=1)


if __name__ == "__main__":
    main()
