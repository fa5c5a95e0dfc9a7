#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The bundled model does its job through the real engine: boxes on the right shapes, right colours, counts and words.

test_demo.py CLI SOURCE_ROOT. Prints TAP. Asks every question of scenes.jsonl (never trained on) in one batch, greedy, and holds each
task's score against the model card's (data/demo-model/demo.json, scored on other scenes): it may fall short by three standard errors of
the questions asked here, so that chance does not fail the test and a broken tower, router or box does. A model that scores too little
for that to mean anything fails as well: a floor is stated per task.
"""
import json
import math
import os
import subprocess
import sys
import tempfile
from collections import defaultdict

CLI, ROOT = sys.argv[1:3]
HERE = os.path.join(ROOT, "tests", "demo")
MODEL = os.path.join(ROOT, "data", "demo-model")
sys.path.insert(0, os.path.join(MODEL, "train"))
import scoring  # noqa: E402

# What an answer would reach without seeing the picture, doubled: below it a passing score would say nothing.
FLOOR = {"locate": 0.10, "findall": 0.10, "count": 0.40, "color": 0.30, "shape": 0.30}


def ask(questions):
    with tempfile.TemporaryDirectory(prefix="sightline-demo-") as tmp:
        batch = os.path.join(tmp, "questions.jsonl")
        with open(batch, "w", encoding="utf-8") as file:
            for x in questions:
                line = {"images": [os.path.join(HERE, x["picture"])], "prompt": x["prompt"], "mode": x["mode"], "max_tokens": 400}
                file.write(json.dumps(line) + "\n")
        env = {**os.environ, "HOME": tmp, "XDG_DATA_HOME": tmp, "XDG_CONFIG_HOME": tmp, "LC_ALL": "C.UTF-8"}
        done = subprocess.run([CLI, "ask", "--model", MODEL, "--greedy", "--batch", batch], capture_output=True, env=env, check=True)
    return [json.loads(line) for line in done.stdout.decode("utf-8").splitlines()]


def main():
    with open(os.path.join(HERE, "scenes.jsonl"), encoding="utf-8") as file:
        questions = [json.loads(line) for line in file]
    with open(os.path.join(MODEL, "demo.json"), encoding="utf-8") as file:
        card = json.load(file)["scores"]
    answers = ask(questions)
    hits, tries, wrong = defaultdict(float), defaultdict(float), defaultdict(list)
    for x, answer in zip(questions, answers):
        hit, of = scoring.score(x, answer["text"])
        hits[x["task"]] += hit
        tries[x["task"]] += of
        if hit < of:
            wrong[x["task"]].append(f'{x["picture"]} {x["prompt"]!r}: wanted {x["answer"]!r}, got {answer["text"]!r}')
    results = [("every question was answered", len(answers) == len(questions) and all("text" in a for a in answers), [])]
    for task in sorted(FLOOR):
        p, n = card[task], tries[task]
        bound = max(FLOOR[task], p - 3 * math.sqrt(p * (1 - p) / n))
        got = hits[task] / n
        results.append((f"{task}: {got:.3f} of {n:.0f}, at least {bound:.3f} (card: {p:.3f})", got >= bound, wrong[task]))
    boxes = [b for a in answers for b in a["boxes"]]
    results.append((f"all {len(boxes)} boxes are well-formed", boxes and all(b["status"] == "ok" for b in boxes), []))
    print(f"1..{len(results)}")
    for i, (name, good, notes) in enumerate(results, 1):
        print(f'{"ok" if good else "not ok"} {i} - {name}')
        for note in notes if not good else []:
            print("# " + note)
    return 0 if all(good for _, good, _ in results) else 1


if __name__ == "__main__":
    sys.exit(main())
