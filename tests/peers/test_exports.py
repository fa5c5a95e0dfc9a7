#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Exports as other programs read them, and `sightline-cli batch`: test_exports.py MAKE_EXPORT CLI SOURCE_ROOT. Prints TAP.
The readers themselves run in `./dev peers`; exports.json holds what they saw and the hashes of the files they saw it in.
"""
import csv
import hashlib
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as tree

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import pdf  # noqa: E402
import tap  # noqa: E402

MAKE_EXPORT, CLI, ROOT = sys.argv[1:4]
TMP = pathlib.Path(tempfile.mkdtemp(prefix="sightline-exports-"))
SCENE = TMP / "scene"
SAMPLES = pathlib.Path(ROOT, "data", "samples")
with open(pathlib.Path(__file__).with_name("exports.json"), encoding="utf-8") as stream:
    TRANSCRIPT = json.load(stream)

# Picture, label, pixels: int(c / 999 · side) of what make-export.c gives, on pictures of 480 × 360 and, turned, H × W.
# The third has no pixel between its edges and is given one; what no file can hold of its label is blank.
SHAPES = [["红色的 <圆> & \"co\"", [95, 130, 345, 470]], ["object", [490, 85, 999, 435]], ["control   &", [1, 2, 2, 990]]]


def png_size(path):
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", f"{path} is not a PNG"
    return struct.unpack(">II", data[16:24])


def to_pixels(coords, size):
    x1, y1, x2, y2 = (int(c / 999 * side) for c, side in zip(coords, size * 2))
    return [x1, y1, max(x2, x1 + 1), max(y2, y1 + 1)]


def expected():
    photo = png_size(SCENE / "coco" / "images" / "Shapes-2.png")
    return sorted([["shapes.png", label, to_pixels(coords, (480, 360))] for label, coords in SHAPES] +
                  [["Shapes-2.png", "it's", to_pixels([0, 0, 499, 999], photo)]])


@tap.test
def readers_saw_these_files():
    """Every text file is the one that the readers opened, and they saw the boxes that were put in."""
    found = {str(path.relative_to(SCENE)): hashlib.sha256(path.read_bytes()).hexdigest()
             for path in SCENE.rglob("*") if path.suffix in {".json", ".txt", ".xml", ".yaml", ".csv"}}
    assert found == TRANSCRIPT["files"], sorted(set(found.items()) ^ set(TRANSCRIPT["files"].items()))
    for kind, boxes in TRANSCRIPT["boxes"].items():
        assert sorted(boxes) == expected(), f"{kind}: {boxes}"


@tap.test
def turned_photo_is_upright():
    """The JPEG lies on its side; what is shipped is a PNG of the upright pixels, red above yellow as seen."""
    size = png_size(SCENE / "coco" / "images" / "Shapes-2.png")
    with open(SCENE / "coco" / "annotations.json", encoding="utf-8") as stream:
        entry = json.load(stream)["images"][1]
    assert (entry["width"], entry["height"]) == size
    original = subprocess.run(["identify", "-format", "%w %h", os.path.join(ROOT, "tests/app/pictures/quadrants.jpg")],
                              check=True, capture_output=True, text=True).stdout.split()
    assert size == (int(original[1]), int(original[0])), f"{size} is not {original} turned"
    assert (SCENE / "coco" / "images" / "shapes.png").read_bytes() == (SAMPLES / "shapes-1.png").read_bytes(), "touched"


@tap.test
def tables():
    with open(SCENE / "csv" / "boxes.csv", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["status"] for row in rows] == ["ok", "clamped", "ok", "ok", "rejected", "ok"]
    assert rows[0]["label"] == SHAPES[0][0] and rows[0]["token_probability"] == "0.75"
    assert rows[4]["x1"] == "" and rows[4]["reason"] == "the text ended inside it"
    assert rows[0]["sha256"] == hashlib.sha256((SAMPLES / "shapes-1.png").read_bytes()).hexdigest()
    assert (SCENE / "csv-bom" / "boxes.csv").read_bytes() == b"\xef\xbb\xbf" + (SCENE / "csv" / "boxes.csv").read_bytes()
    assert rows[5]["source"] == "user" and rows[0]["prompt"].startswith("'=everything, \"quoted\"")
    with open(SCENE / "json" / "boxes.json", encoding="utf-8") as stream:
        pictures = json.load(stream)["pictures"]
    assert [len(picture["boxes"]) for picture in pictures] == [5, 1, 0]
    assert pictures[0]["boxes"][0]["raw"] == "[95, 130, 345, 470]" and pictures[0]["boxes"][4]["box_px"] is None


@tap.test
def drawings():
    """PNG at full resolution, SVG and PDF with the picture and one shape per box, crops as large as their boxes."""
    assert png_size(SCENE / "png" / "shapes-boxes.png") == (480, 360)
    assert (SCENE / "png" / "shapes-boxes.png").read_bytes() != (SAMPLES / "shapes-1.png").read_bytes()
    svg = tree.parse(SCENE / "svg" / "shapes-boxes.svg").getroot()
    assert svg.get("viewBox") == "0 0 480 360", svg.attrib
    assert list(svg.iter("{http://www.w3.org/2000/svg}image")), "the picture is not in the SVG"
    strokes = [path for path in svg.iter("{http://www.w3.org/2000/svg}path")
               if path.get("stroke-linejoin") == "miter" or "stroke-linejoin:miter" in path.get("style", "")]
    assert len(strokes) >= 6, f"{len(strokes)} lines: three boxes have a halo and a line each"
    document = (SCENE / "pdf" / "shapes-boxes.pdf").read_bytes()
    assert document.startswith(b"%PDF-") and b"/MediaBox [ 0 0 480 360 ]" in pdf.unpacked(document)
    x1, y1, x2, y2 = to_pixels(SHAPES[0][1], (480, 360))
    (crop,) = (SCENE / "crops").glob("shapes-01-*.png")
    assert png_size(crop) == (x2 - x1, y2 - y1)


def batch(out, *arguments, want=0):
    env = {k: v for k, v in os.environ.items() if not k.startswith("SIGHTLINE_")}
    env.update(LC_ALL="C.UTF-8", HOME=str(TMP))
    result = subprocess.run([CLI, "batch", "-p", "the red circle", "-o", out, *map(str, arguments)], capture_output=True,
                            timeout=120, env=env, text=True)
    assert result.returncode == want, f"exit {result.returncode}: {result.stderr}"
    return result


def ask(picture):
    result = subprocess.run([CLI, "ask", "--json", "--mode", "find", "--max-tokens", "1024", "--image", picture, "the red circle"],
                            capture_output=True, timeout=120, env=dict(os.environ, LC_ALL="C.UTF-8", HOME=str(TMP)), check=True)
    return json.loads(result.stdout)


@tap.test
def batch_goes_on():
    """A bad picture is reported and skipped; a cut journal is repaired; the second run asks only what is missing.

    Boxes have the expected overlap that `ask` gives them.
    """
    folder = TMP / "pictures"
    folder.mkdir()
    for name in ("shapes-1.png", "tall.png"):
        shutil.copy(SAMPLES / name, folder)
    (folder / "broken.png").write_bytes(b"not a picture")
    (folder / "notes.txt").write_text("no picture")
    out = TMP / "out"
    result = batch(out, "-e", "coco", "--json", folder, want=3)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert "broken.png" in lines[0]["error"] and lines[-1] == {"done": 2, "kept": 0, "failed": 1}, lines
    first = (out / "annotations.json").read_bytes()
    scores = [annotation["score"] for annotation in json.loads(first)["annotations"]]
    asked = [box["expected_overlap"] for name in ("shapes-1.png", "tall.png") for box in ask(folder / name)["boxes"]]
    assert scores and all(0 < score < 1 for score in scores), scores
    assert scores == asked, f"a box's score is its expected overlap: {scores}, not {asked}"
    kept = [box["expected_overlap"] for line in (out / "sightline-batch.jsonl").read_text().splitlines()
            for box in json.loads(line).get("boxes", [])]
    assert [f"{score:.6g}" for score in kept] == [f"{score:.6g}" for score in scores], kept

    journal = out / "sightline-batch.jsonl"
    data = journal.read_bytes()
    journal.write_bytes(data[:data.index(b"\n", data.rindex(b'{"key"')) - 20])  # the power went while that line was written
    os.remove(folder / "broken.png")
    (out / "annotations.json").unlink()
    result = batch(out, "-e", "coco", "--json", folder)
    assert json.loads(result.stdout.splitlines()[-1]) == {"done": 1, "kept": 1, "failed": 0}, result.stdout
    assert (out / "annotations.json").read_bytes() == first, "going on gives another export"
    assert json.loads(batch(out, "-e", "coco", "--json", folder).stdout) == {"done": 0, "kept": 2, "failed": 0}
    assert "--again" in batch(out, "-e", "yolo", folder, want=2).stderr


@tap.test
def batch_usage():
    for arguments in ([], ["-e", "gif", SAMPLES], ["--mode", "guess", SAMPLES], ["--max-tokens", "0", SAMPLES]):
        batch(TMP / "never", *arguments, want=2)
    batch("/dev/null/x", SAMPLES, want=3)
    batch(TMP / "never", TMP / "no such folder.png", want=3)


subprocess.run([MAKE_EXPORT, ROOT, str(SCENE)], check=True)
tap.run(TMP)
