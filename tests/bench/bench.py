#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures the command line on the bundled model: `bench.py CLI PICTURE [ARGUMENT…]` prints a table of medians and writes
bench.csv beside the program. ARGUMENTs go to `sightline-cli ask` (--model DIR, --threads N, …). Called by `./dev bench`.
Absolute times depend on the machine, so nothing here passes or fails.
"""
import csv
import json
import os
import pathlib
import statistics
import subprocess
import sys

WARM_UP, REPEATS = 1, 7
COLUMNS = ["load_ms", "vision_ms", "first_token_ms", "prefill_tokens_per_s", "decode_tokens_per_s", "peak_mib"]


def cases(picture):
    return {
        "describe": ["--image", picture, "--mode", "ground", "Describe the picture."],
        "find": ["--image", picture, "--mode", "find", "the red circle"],
        "text": ["--mode", "chat", "What can you do?"],
    }


def ask(arguments):
    """One run: the timings that it reports, and the peak memory of its process."""
    child = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{' '.join(arguments)} ended with {child.returncode}")
    timings = json.loads(output)["timings"]
    per_second = [1000 * timings[f"{stage}_tokens"] / max(timings[f"{stage}_ms"], 1e-3) for stage in ("prefill", "decode")]
    return dict(zip(COLUMNS, [timings["load_ms"], timings["vision_ms"], timings["vision_ms"] + timings["prefill_ms"],
                              *per_second, usage.ru_maxrss / 1024]))


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        names = [line.split(":", 1)[1].strip() for line in info if line.startswith("model name")]
    return f"{names[0] if names else os.uname().machine}, {os.cpu_count()} processors"


def main(cli, picture, *extra):
    rows = []
    for name, arguments in cases(picture).items():
        command = [cli, "ask", "--json", "--greedy", *extra, *arguments]
        runs = [ask(command) for _ in range(WARM_UP + REPEATS)][WARM_UP:]
        rows.append({"case": name, **{column: statistics.median(run[column] for run in runs) for column in COLUMNS}})

    print(f"{machine()}; medians of {REPEATS} runs")
    print("".join(f"{title:>22}" for title in ["case", *COLUMNS]))
    for row in rows:
        print(f"{row['case']:>22}" + "".join(f"{row[column]:22.1f}" for column in COLUMNS))
    path = pathlib.Path(cli).resolve().with_name("bench.csv")
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["case", *COLUMNS])
        writer.writeheader()
        writer.writerows(rows)
    print(f"written to {path}")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: bench.py CLI PICTURE [ARGUMENT…]")
    main(*sys.argv[1:])
