#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""VLMEvalKit evaluates a model that `sightline-cli serve` serves, through its OpenAI wrapper, on a small data set that is made here.

vlmevalkit.py CLI SOURCE_ROOT WORK. Run by `./dev peers vlmevalkit` in an environment with requirements-vlmevalkit.txt. What it shows is that
the kit gets every answer and counts it; how good the answers are is the model's matter. docs/server.md says how to do it with another
data set and model.
"""
import base64
import csv
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import urllib.request

from PIL import Image, ImageDraw

CLI, ROOT, WORK = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
KEY = "a-key-for-vlmevalkit"
COLOURS = {"A": "red", "B": "blue", "C": "green", "D": "yellow"}
NAME = "SightlineShapes"


def scene(colour, number):
    image = Image.new("RGB", (384, 384), "white")
    draw = ImageDraw.Draw(image)
    (draw.ellipse if number % 2 else draw.rectangle)((60 + 10 * number, 90, 220 + 10 * number, 250), fill=colour)
    data = io.BytesIO()
    image.save(data, "PNG")
    return base64.b64encode(data.getvalue()).decode()


def make_data(folder):
    """VLMEvalKit's format: one row for each question, the picture in base64, choices as columns."""
    with open(folder / f"{NAME}.tsv", "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, delimiter="\t")
        rows.writerow(["index", "image", "question", *COLOURS, "answer", "category"])
        for number in range(8):
            letter = "ABCD"[number % 4]
            rows.writerow([number, scene(COLOURS[letter], number), "Which colour does the shape have?", *COLOURS.values(), letter,
                           "circle" if number % 2 else "square"])


def write_config(folder, address):
    config = {"model": {"Sightline": {"class": "GPT4V", "model": "demo-model", "api_base": f"{address}/chat/completions", "key": KEY,
                                      "temperature": 0, "img_detail": "high", "max_tokens": 64, "retry": 2, "verbose": False}},
              "data": {NAME: {"class": "CustomMCQDataset", "dataset": NAME}}}
    (folder / "config.json").write_text(json.dumps(config))


def metric(address, name):
    request = urllib.request.Request(f"{address[:-3]}/metrics", headers={"Authorization": f"Bearer {KEY}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return next(float(line.split()[1]) for line in answer.read().decode().splitlines() if line.startswith(f"sightline_{name} "))


def evaluate(address):
    shutil.rmtree(WORK, ignore_errors=True)
    data = WORK / "data"
    data.mkdir(parents=True)
    make_data(data)
    write_config(WORK, address)
    subprocess.run([sys.executable, "-m", "vlmeval.run", "--config", WORK / "config.json", "--work-dir", WORK / "out", "--judge", "exact_matching",
                    "--api-nproc", "4"], check=True, cwd=WORK, env=os.environ | {"LMUData": str(data), "HF_HUB_OFFLINE": "1"})


def read_results():
    """The kit's own table of answers and its score."""
    import pandas  # pylint: disable=import-outside-toplevel
    answers = sorted(WORK.glob(f"out/**/Sightline_{NAME}.*"))
    scores = sorted(WORK.glob("out/**/*_acc.csv"))
    table = next(pandas.read_excel(f) if f.suffix == ".xlsx" else pandas.read_csv(f, sep="\t") for f in answers if f.suffix in (".xlsx", ".tsv"))
    return table["prediction"].astype(str).tolist(), pandas.read_csv(scores[0])


def main():
    WORK.mkdir(parents=True, exist_ok=True)
    (WORK / "key").write_text(KEY + "\n")
    with subprocess.Popen([CLI, "serve", "--port", "0", "--json", "--key-file", WORK / "key", "--model", ROOT / "data" / "demo-model"],
                          stdout=subprocess.PIPE, text=True) as server:
        try:
            address = json.loads(server.stdout.readline())["address"]
            evaluate(address)
            answered = metric(address, "answers_total")
        finally:
            server.terminate()
    predictions, score = read_results()
    assert len(predictions) == 8 and answered >= 8 and not any("Failed to obtain" in p for p in predictions), (predictions, answered)
    print(score.to_string())
    print(f"vlmevalkit: {len(predictions)} questions answered by the server and counted, e.g. {predictions[0]!r}")


main()
