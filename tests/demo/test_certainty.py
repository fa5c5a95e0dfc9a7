#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the bundled model says about its own certainty means something.

test_certainty.py CLI SOURCE_ROOT. Prints TAP. Asks the questions of scenes.jsonl that name one thing, with --logprobs and --attention,
and then without the box grammar. Asserted: while the model writes a box it looks at that box more than its share of the picture, boxes
that hit are more probable than boxes that miss, the spread of a coordinate tells how far it is off, and the grammar costs no accuracy.

test_certainty.py CLI SOURCE_ROOT --compare prints the accuracy of all questions with and without the grammar instead.
"""
import json
import math
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from statistics import median

CLI, ROOT = sys.argv[1:3]
HERE = os.path.join(ROOT, "tests", "demo")
MODEL = os.path.join(ROOT, "data", "demo-model")
sys.path.insert(0, os.path.join(MODEL, "train"))
import scoring  # noqa: E402


def ask(questions, *options):
    with tempfile.TemporaryDirectory(prefix="sightline-demo-") as tmp:
        batch = os.path.join(tmp, "questions.jsonl")
        with open(batch, "w", encoding="utf-8") as file:
            for x in questions:
                line = {"images": [os.path.join(HERE, x["picture"])], "prompt": x["prompt"], "mode": x["mode"], "max_tokens": 400}
                file.write(json.dumps(line) + "\n")
        env = {**os.environ, "HOME": tmp, "XDG_DATA_HOME": tmp, "XDG_CONFIG_HOME": tmp, "LC_ALL": "C.UTF-8"}
        done = subprocess.run([CLI, "ask", "--model", MODEL, "--greedy", *options, "--batch", batch], capture_output=True, env=env, check=True)
    return [json.loads(line) for line in done.stdout.decode("utf-8").splitlines()]


def share_inside(attention, box):
    """Of the attention on the picture the part that falls on the box (0-999), cells cut at its edges."""
    cols, rows, inside = attention["cols"], attention["rows"], 0.0
    for i, value in enumerate(attention["cells"]):
        col, row = i % cols, i // cols
        across = min((col + 1) / cols, box[2] / 999) - max(col / cols, box[0] / 999)
        down = min((row + 1) / rows, box[3] / 999) - max(row / rows, box[1] / 999)
        inside += value * max(0, across * cols) * max(0, down * rows)
    return inside / attention["inside"]


def focus(question, answer):
    """How many times its share of the picture the right box got while the numbers were written."""
    box = question["expect"]["boxes"][0]
    area = (box[2] - box[0]) * (box[3] - box[1]) / 998001
    tokens = [t for t in numbers_of(answer) if t["text"].strip().isdigit()]
    return sum(share_inside(t["attention"][0], box) for t in tokens) / max(1, len(tokens)) / area


def log_confidence(answer):
    return math.log(max(answer["boxes"][0]["token_probability"], 1e-30))


def accuracy(questions, answers):
    hits, tries = defaultdict(float), defaultdict(float)
    for x, answer in zip(questions, answers):
        hit, of = scoring.score(x, answer["text"])
        hits[x["task"]] += hit
        tries[x["task"]] += of
    return {task: (hits[task], tries[task]) for task in sorted(tries)}


def compare(questions):
    held, free = ask(questions), ask(questions, "--no-constrain")
    for (task, (hit, of)), (loose, _) in zip(accuracy(questions, held).items(), accuracy(questions, free).values()):
        print(f"{task:9s} {hit / of:.3f} with the box grammar, {loose / of:.3f} without (n {of:.0f})")
    print(f'{sum(a["mask_changed"] for a in held)} steps changed by the mask in {sum(len(a["ids"]) for a in held)}')
    return 0


def spread_and_error(asked):
    """Median distance to the nearest true box of the half of all coordinates that spread less, and of the other half."""
    coordinates = []
    for x, answer in asked:
        for box in answer["boxes"]:
            expected = [c["expected"] for c in box["coordinates"] or []]
            if expected:
                true = min(x["expect"]["boxes"], key=lambda b: sum(abs(e - v) for e, v in zip(expected, b)))
                coordinates += [(c["deviation"], abs(c["expected"] - v)) for c, v in zip(box["coordinates"], true)]
    coordinates.sort()
    half = len(coordinates) // 2
    return median(gap for _, gap in coordinates[:half]), median(gap for _, gap in coordinates[half:])


def checks(questions, others):
    """`questions` have one box for an answer, `others` several."""
    answers = ask(questions, "--logprobs=3", "--attention")
    free = ask(questions, "--no-constrain")
    found = [(x, a) for x, a in zip(questions, answers) if a["boxes"]]
    right = [(x, a) for x, a in found if scoring.score(x, a["text"])[0] > 0]
    wrong = [(x, a) for x, a in found if scoring.score(x, a["text"])[0] == 0]
    ratios = [focus(x, a) for x, a in right]
    sure, unsure = spread_and_error(list(zip(questions, answers)) + list(zip(others, ask(others, "--logprobs=1"))))
    product = max(abs(math.log(a["boxes"][0]["token_probability"]) - sum(t["logprob"] for t in numbers_of(a))) for _, a in found)
    held_hits = sum(h for h, _ in accuracy(questions, answers).values())
    free_hits = sum(h for h, _ in accuracy(questions, free).values())
    yield f"{len(found)} of {len(questions)} questions have a box, {len(right)} of them right", len(right) >= len(questions) // 2
    yield f"while it is written, the right box gets {median(ratios):.1f} times its share of the attention", median(ratios) > 1.5
    yield f"in {sum(r > 1 for r in ratios)} of {len(ratios)} answers more than its share", sum(r > 1 for r in ratios) > 0.75 * len(ratios)
    yield f"a confidence is the product of its tokens' probabilities (worst error {product:.1g} in the logarithm)", product < 1e-3
    if wrong:
        a, b = median(log_confidence(a) for _, a in right), median(log_confidence(a) for _, a in wrong)
        yield f"boxes that hit are more probable than boxes that miss (log {a:.1f} and {b:.1f})", a > b
    yield f"coordinates with less spread are less far off ({sure:.1f} and {unsure:.1f} of 999)", sure < unsure
    yield f"the box grammar costs no accuracy ({held_hits:.0f} hits, {free_hits:.0f} without it)", held_hits >= free_hits
    yield "and every answer says whether it was used", all(a["constrained"] for a in answers) and not any(a["constrained"] for a in free)
    yield "alternatives are sorted and hold the greedy choice", all(
        t["top"][0]["id"] == t["id"] and t["top"][0]["logprob"] >= t["top"][1]["logprob"] >= t["top"][2]["logprob"]
        for a in answers for t in a["tokens"] if not a["mask_changed"])


def numbers_of(answer):
    """The tokens of the first box's numbers and what is between them."""
    texts = [t["text"] for t in answer["tokens"]]
    first = next(i for i, t in enumerate(texts) if t.strip().isdigit() and "<|det|>" in texts[:i])
    last = [i for i, t in enumerate(texts) if t.strip().isdigit() and i >= first][3]
    return answer["tokens"][first:last + 1]


def main():
    with open(os.path.join(HERE, "scenes.jsonl"), encoding="utf-8") as file:
        questions = [json.loads(line) for line in file]
    if "--compare" in sys.argv:
        return compare(questions)
    results = list(checks([x for x in questions if x["task"] == "locate"], [x for x in questions if x["task"] in ("findall", "ground")]))
    print(f"1..{len(results)}")
    for i, (name, good) in enumerate(results, 1):
        print(f'{"ok" if good else "not ok"} {i} - {name}')
    return 0 if all(good for _, good in results) else 1


if __name__ == "__main__":
    sys.exit(main())
