#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What quantising costs: size, distance of the distributions, and scores on scenes, paired with the unquantised model.

    python3 tests/quality/formats.py build/app/sightline-cli [--model DIR] [--scenes 1000] [--formats mix,int8,int4,mix+vision] [--out F.json]

Quantises the demo model (or DIR) in every format, "+vision" meaning int8 in the vision tower too, and prints
 - bytes of the weights and bits per weight of the routed experts;
 - the mean of KL(unquantised ‖ quantised) in nats and the share of equal first choices, over the tokens behind the picture of
   teacher-forced answers of tests/demo (every position of question and answer);
 - the scores per task of the same questions about the same scenes (held-out seed), their difference in points, and the standard error of
   that difference over scenes.
Needs numpy and what data/demo-model/train/evaluate.py needs. Nothing is kept but --out.
"""
import argparse
import json
import os
import struct
import subprocess
import sys
import tempfile

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "data", "demo-model", "train"))


def call(*args):
    return subprocess.run(args, stdout=subprocess.PIPE, check=True, text=True).stdout


def tensors(path):
    with open(path, "rb") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(length))
        data = file.read()
    out = {}
    for name, entry in header.items():
        if name != "__metadata__":
            first, last = entry["data_offsets"]
            out[name] = np.frombuffer(data[first:last], {"F32": np.float32, "I32": np.int32}[entry["dtype"]]).reshape(entry["shape"])
    return out


def log_softmax(x):
    x = x.astype(np.float64)
    x -= x.max(1, keepdims=True)
    return x - np.log(np.exp(x).sum(1, keepdims=True))


def distributions(cli, folder, tmp, threads, count):
    """Log-probabilities of every position behind the picture, for `count` questions with their answers."""
    scenes = os.path.join(ROOT, "tests", "demo", "scenes.jsonl")
    with open(scenes, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    out = []
    for x in lines[:: max(1, len(lines) // count)]:
        talk = {"messages": [
            {"role": "user", "content": [{"type": "image", "path": os.path.join(ROOT, "tests", "demo", x["picture"])},
                                         {"type": "text", "text": "\n" + x["user"], "markup": "grounding"}]},
            {"role": "assistant", "content": x["answer"]}]}
        with open(os.path.join(tmp, "talk.json"), "w", encoding="utf-8") as file:
            json.dump(talk, file)
        result = os.path.join(tmp, "dump.safetensors")
        call(cli, "dump", "--model", folder, "--threads", str(threads), "-c", os.path.join(tmp, "talk.json"), "-o", result, "--force")
        found = tensors(result)
        ids = found["input_ids"]
        picture = np.bincount(ids).argmax()
        out.append(log_softmax(found["logits"][np.nonzero(ids == picture)[0][-1]:]))
    return np.concatenate(out)


def ask(cli, folder, items, tmp, threads):
    """Share of hits per question, by task, and the scene of each."""
    from scoring import score
    batch = os.path.join(tmp, "ask.jsonl")
    where = []
    with open(batch, "w", encoding="utf-8") as file:
        for i, (_, picture, questions) in enumerate(items):
            name = os.path.join(tmp, f"{i}.png")
            if not os.path.exists(name):
                picture.save(name)
            for x in questions:
                where.append((i, x))
                file.write(json.dumps({"images": [name], "prompt": x["prompt"], "mode": x["mode"], "max_tokens": 220}) + "\n")
    lines = call(cli, "ask", "--json", "--greedy", "--threads", str(threads), "--model", folder, "--batch", batch).splitlines()
    if len(lines) != len(where):
        raise SystemExit(f"{cli} answered {len(lines)} of {len(where)} questions")
    found = {}
    for (scene, x), line in zip(where, lines):
        hit, tries = score(x, json.loads(line).get("text", ""))
        row = found.setdefault(x["task"], {}).setdefault(scene, [0.0, 0.0])
        row[0] += hit
        row[1] += tries
    return found


def paired(before, after):
    """Scores of both in points, their difference, and its standard error over scenes (ratio of sums)."""
    scenes = sorted(before)
    a = np.array([before[s] for s in scenes])
    b = np.array([after[s] for s in scenes])
    tries = (a[:, 1].sum() + b[:, 1].sum()) / 2
    first, second = a[:, 0].sum() / max(a[:, 1].sum(), 1e-9), b[:, 0].sum() / max(b[:, 1].sum(), 1e-9)
    residual = (b[:, 0] - second * b[:, 1]) - (a[:, 0] - first * a[:, 1])
    return 100 * first, 100 * second, 100 * (second - first), 100 * np.sqrt((residual**2).sum()) / max(tries, 1e-9)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("cli")
    parser.add_argument("--model", default=os.path.join(ROOT, "data", "demo-model"))
    parser.add_argument("--scenes", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="of the scenes")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--questions", type=int, default=60, help="for the distributions")
    parser.add_argument("--formats", default="mix,int8,int4,mix+vision")
    parser.add_argument("--tasks", default="locate,findall,count,color,shape,read")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out")
    options = parser.parse_args()
    table = {}
    with tempfile.TemporaryDirectory(prefix="sightline-formats-") as tmp:
        folders = {"unquantised": options.model}
        for name in options.formats.split(","):
            folders[name] = os.path.join(tmp, name)
            call(options.cli, "quantize", "--model", options.model, "--out", folders[name], "--format", name.split("+")[0],
                 "--vision", "int8" if name.endswith("+vision") else "bf16", "--threads", str(options.threads))
        base = None
        for name, folder in folders.items():
            info = json.loads(call(options.cli, "info", "--json", "--model", folder))
            bits = {part["part"]: part["bits_per_weight"] for part in info["parts"]}
            table[name] = {"bytes": info["weight_bytes"], "expert_bits": bits.get("routed experts")}
            if options.questions:
                found = distributions(options.cli, folder, tmp, options.threads, options.questions)
                base = found if base is None else base
                table[name].update(tokens=len(found), kl=float((np.exp(base) * (base - found)).sum(1).mean()),
                                   top1=float((base.argmax(1) == found.argmax(1)).mean()))
            print(name, json.dumps(table[name]), flush=True)
        if options.scenes:
            import evaluate
            wanted = set(options.tasks.split(","))
            items = evaluate.build(options.seed, options.first + options.scenes, "pillow")[options.first:]
            items = [(scene, picture, [x for x in questions if x["task"] in wanted]) for scene, picture, questions in items]
            before = None
            for name, folder in folders.items():
                found = ask(options.cli, folder, items, tmp, options.threads)
                before = before or found
                table[name]["tasks"] = {}
                for task in sorted(found):
                    first, second, difference, error = paired(before[task], found[task])
                    table[name]["tasks"][task] = {"score": second, "difference": difference, "standard_error": error}
                    print(f"{name:12s} {task:8s} {second:6.2f}  {difference:+5.2f} ± {error:.2f}", flush=True)
                every = [sum(np.array(list(found[task].values()))) for task in found]
                print(f"{name:12s} all      {100 * sum(e[0] for e in every) / sum(e[1] for e in every):6.2f}", flush=True)
                if options.out:
                    with open(options.out, "w", encoding="utf-8") as file:
                        json.dump(table, file, indent=1)
    if options.out:
        with open(options.out, "w", encoding="utf-8") as file:
            json.dump(table, file, indent=1)


if __name__ == "__main__":
    main()
