#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures the command line on the bundled model: `bench.py CLI PICTURE [ARGUMENT…]` prints a table of medians and writes
bench.csv beside the program. ARGUMENTs go to `sightline-cli ask` (--model DIR, --threads N, …). Called by `./dev bench`.
Absolute times depend on the machine, so nothing here passes or fails.

The second table is about what a conversation pays twice: two questions about a picture of 3 × 3 tiles in one process, and the
second one alone in a new process that goes on from a snapshot. The bundled model knows no grid that large, so its folder is
linked with one more resolution, which is a matter of cutting pictures only.

Then cancelling: an interrupt at evenly spaced moments of such a question, from the signal to the end of the process. What is
computed after the wish is counted by tests/engine/session/test_cancel.c.

The last lines are about tokenizers of the published size, made up by make_tokenizer.py: how long one takes to load, and how fast it
encodes mixed English and Chinese text (bench-tokenizer.c beside this file).
"""
import csv
import json
import os
import pathlib
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import make_tokenizer

WARM_UP, REPEATS, INTERRUPTS = 1, 7, 24
TEXT_MEGABYTES = 4
COLUMNS = ["load_ms", "vision_ms", "first_token_ms", "prefill_tokens_per_s", "decode_tokens_per_s", "peak_mib"]


def cases(picture):
    return {
        "describe": ["--image", picture, "--mode", "ground", "Describe the picture."],
        "find": ["--image", picture, "--mode", "find", "the red circle"],
        "text": ["--mode", "chat", "What can you do?"],
    }


def run(arguments):
    """The objects that a run prints, one per answer."""
    child = subprocess.run(arguments, stdout=subprocess.PIPE, text=True, encoding="utf-8", check=False)
    if child.returncode:
        sys.exit(f"{' '.join(map(str, arguments))} ended with {child.returncode}")
    return [json.loads(line) for line in child.stdout.splitlines()]


def ask(arguments):
    """One run: the timings that it reports, and the peak memory of its process."""
    timings = run(arguments)[0]["timings"]
    per_second = [1000 * timings[f"{stage}_tokens"] / max(timings[f"{stage}_ms"], 1e-3) for stage in ("prefill", "decode")]
    return dict(zip(COLUMNS, [timings["load_ms"], timings["vision_ms"], timings["vision_ms"] + timings["prefill_ms"],
                              *per_second, timings["peak_bytes"] / 2**20]))


def first_token(result):
    """Milliseconds from the question to its answer's first token, the model being loaded."""
    timings = result["timings"]
    return timings["vision_ms"] + timings["prefill_ms"] + timings["first_token_ms"]


def model_with_nine_tiles(model, folder):
    """The model's files linked into a folder, with a resolution of 3 × 3 tiles where it has none."""
    for file in model.iterdir():
        if file.is_file():
            (folder / file.name).symlink_to(file.resolve())
    for name in ("config.json", "processor_config.json"):
        config = json.loads((model / name).read_text(encoding="utf-8"))
        side = config["candidate_resolutions"][0][0]
        if [3 * side, 3 * side] not in config["candidate_resolutions"]:
            config["candidate_resolutions"].append([3 * side, 3 * side])
        (folder / name).unlink()
        (folder / name).write_text(json.dumps(config), encoding="utf-8")
    return 3 * side


def write_picture(path, side):
    """A square picture with something in it, as a BMP of 32 bits per pixel."""
    pixels = bytes((x * y // 7 + c * 80) % 256 for y in range(side) for x in range(side) for c in range(4))
    header = struct.pack("<2sIII IiiHHIIiiII", b"BM", 54 + len(pixels), 0, 54, 40, side, side, 1, 32, 0, len(pixels), 0, 0, 0, 0)
    path.write_bytes(header + pixels)


def split_model(cli, extra):
    """--model out of the arguments: what is measured, and the rest."""
    extra = list(extra)
    if "--model" in extra:
        at = extra.index("--model")
        return pathlib.Path(extra[at + 1]), extra[:at] + extra[at + 2:]
    return pathlib.Path(run([cli, "info", "--json"])[0]["model"]), extra


def interrupt(command, after):
    """Seconds from the signal, `after` seconds behind the start, to the end; None where the process had ended before."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            child.wait(after)
            return None
        except subprocess.TimeoutExpired:
            sent = time.monotonic()
            child.send_signal(signal.SIGINT)
            child.wait()
            return time.monotonic() - sent


def interrupts(command):
    """Milliseconds that cancelling took, at evenly spaced moments of a run."""
    lasts = []
    for _ in range(3):
        start = time.monotonic()
        run(command)
        lasts.append(time.monotonic() - start)
    taken = [interrupt(command, statistics.median(lasts) * (i + 0.5) / INTERRUPTS) for i in range(INTERRUPTS)]
    return [1000 * seconds for seconds in taken if seconds is not None]


def conversations(cli, extra):
    """Rows: first and second question, and the second one from a snapshot; how far the plan's memory is off; what cancelling took."""
    model, extra = split_model(cli, extra)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "model").mkdir()
        write_picture(folder / "picture.bmp", model_with_nine_tiles(model, folder / "model"))
        picture, text = str(folder / "picture.bmp"), "What is in the picture?"
        base = [cli, "ask", "--json", "--greedy", "--max-tokens", "32", *extra, "--model", str(folder / "model")]
        times = {"first question": [], "second question": [], "second, from a snapshot": []}
        for _ in range(WARM_UP + REPEATS):
            snapshot = folder / "snapshot"
            snapshot.unlink(missing_ok=True)
            first, = run([*base, "--snapshot", str(snapshot), "--image", picture, text])
            turns = [{"role": "user", "content": [{"type": "image", "path": picture}, {"type": "text", "text": "\n" + text}]},
                     {"role": "assistant", "content": first["text"]}]
            (folder / "turns.json").write_text(json.dumps({"messages": turns}), encoding="utf-8")
            both = run([*base, "--image", picture, text, "--then", "Where is it?"])
            later, = run([*base, "--snapshot", str(snapshot), "--conversation", str(folder / "turns.json"), "Where is it?"])
            assert both[0]["images"][0]["tiles"] == [3, 3] and both[1]["ids"] == later["ids"]
            for row, result in zip(times, (*both, later)):
                times[row].append(first_token(result))
        cancelled = interrupts([*base, "--image", picture, text, "--then", "Where is it?"])
        plan, = run([cli, "info", "--plan", "--json", "--max-tokens", "32", "--model", str(folder / "model"), "--image", picture, text])
    measured = first["timings"]["peak_bytes"]
    medians = {row: statistics.median(values[WARM_UP:]) for row, values in times.items()}
    return medians, (plan["memory"]["peak"] + plan["process_bytes"]) / measured - 1, measured, cancelled


def tokenizers(program):
    """Rows: family, then by the clock and by the processor: milliseconds to load, megabytes per second."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        make_tokenizer.write_text(folder / "text", TEXT_MEGABYTES)
        for family in make_tokenizer.FAMILIES:
            make_tokenizer.write(family, folder / family)
            runs = [run([program, str(folder / family), str(folder / "text")])[0] for _ in range(WARM_UP + REPEATS)][WARM_UP:]
            load, encode = ([statistics.median(r[key][which] for r in runs) for which in (0, 1)] for key in ("load_ms", "encode_ms"))
            yield family, load, [runs[0]["bytes"] / 1e3 / ms for ms in encode]


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
    times, error, peak, cancelled = conversations(cli, extra)
    print("\na picture of 3 × 3 tiles: question to first token")
    for name, value in times.items():
        print(f"{name:>24} {value:10.1f} ms {value / times['first question']:8.1%}")
    print(f"planned memory is {error:+.1%} off the measured peak of {peak / 2**20:.1f} MiB")
    print(f"{'cancelled':>24} {statistics.median(cancelled):10.1f} ms, at most {max(cancelled):.1f} ms, at {len(cancelled)} moments")
    print("\ntokenizers of the published size")
    for family, load, speed in tokenizers(pathlib.Path(cli).resolve().parents[1] / "tests" / "bench" / "bench-tokenizer"):
        print(f"{family:>24} {load[0]:10.1f} ms to load {speed[0]:8.2f} MB/s; processor time {load[1]:.1f} ms, {speed[1]:.2f} MB/s")
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
