#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Pictures as sightline-cli reads them: formats, orientation, transparency, drawings, what is none; tiles. Arguments: see command.py.
"""
import json
import os
import shutil
import struct
import subprocess

from command import INPUT, PICTURES, ROOT, SAMPLE, TMP, USAGE, path, run, run_json, tiles_of, tap, write


@tap.test
def preprocess_writes_tiles():
    wide = os.path.join(ROOT, "data", "samples", "wide.png")
    (columns, rows), _ = tiles_of(wide)
    assert columns > rows
    assert tiles_of(wide, SAMPLE)[0][:2] == (columns, rows)
    grid, data = tiles_of(wide, SAMPLE, wide)
    assert grid == (1, 1) * 3, "three pictures are not tiled"
    summary = run_json("preprocess", "--image", wide, "--out", path("t.safetensors"))
    assert summary["images"][0]["grid"] == [columns, rows]
    run("preprocess", "--image", wide, "--out", "/dev/null/t.safetensors", want=INPUT)
    assert "/dev/null/t.safetensors" in run.stderr


@tap.test
def formats():
    want_grid, want = tiles_of(os.path.join(PICTURES, "quadrants.png"))
    for name, tolerance in (("quadrants.bmp", 0), ("quadrants.tiff", 0), ("quadrants.webp", 0), ("animated.gif", 0),
                            ("quadrants.jpg", 4), ("progressive.jpg", 4), ("quadrants.avif", 24), ("quadrants.heic", 24)):
        grid, data = tiles_of(os.path.join(PICTURES, name))
        assert grid == want_grid
        # Ringing of the lossy codecs at the edges of the quadrants is allowed for by the mean.
        worst = max(abs(a - b) for a, b in zip(data, want)) if tolerance == 0 else 0
        mean = sum(abs(a - b) for a, b in zip(data, want)) / len(want)
        assert worst == 0 and mean <= tolerance, f"{name}: {worst}, {mean}"


def with_orientation(jpeg, orientation):
    exif = b"Exif\0\0MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


@tap.test
def exif_orientation():
    """The same scene stored in all eight ways, turned by ImageMagick, is the same picture."""
    upright = os.path.join(PICTURES, "quadrants.png")
    stored = {1: [], 2: ["-flop"], 3: ["-rotate", "180"], 4: ["-flip"], 5: ["-transpose"], 6: ["-rotate", "270"], 7: ["-transverse"],
              8: ["-rotate", "90"]}
    want_grid, want = tiles_of(upright)
    for orientation, operation in stored.items():
        name = path(f"held-{orientation}.jpg")
        subprocess.run(["convert", upright, *operation, "+repage", "-strip", "-quality", "98", "-sampling-factor", "1x1", name], check=True)
        with open(name, "rb") as file:
            jpeg = file.read()
        write(f"held-{orientation}.jpg", with_orientation(jpeg, orientation))
        grid, data = tiles_of(name)
        assert grid == want_grid, orientation
        mean = sum(abs(a - b) for a, b in zip(data, want)) / len(want)
        assert mean < 4, f"orientation {orientation}: {mean}"


@tap.test
def bad_pictures():
    def refuse(name, *mentions):
        for command in (["ask", "--image", name, "hi"], ["preprocess", "--image", name, "--out", path("bad.safetensors")]):
            run(*command, want=INPUT)
            for mention in (os.path.basename(name), *mentions):
                assert mention in run.stderr, run.stderr

    refuse(write("text.png", "this is a text file\n"), "not a picture")
    refuse(write("empty.jpg", b""), "empty")
    refuse(os.path.join(PICTURES, "huge-header.png"), "400.0 megapixels")
    refuse(path("absent.png"), "no such file")
    refuse(TMP)
    with open(SAMPLE, "rb") as file:
        whole = file.read()
    refuse(write("half.png", whole[:len(whole) // 2]), "damaged")
    bad = bytearray(whole)
    bad[len(bad) // 2] ^= 0xff
    refuse(write("flipped.png", bytes(bad)), "damaged")
    assert not os.path.exists(path("bad.safetensors")), "a half result was left"


@tap.test
def files_as_addresses():
    """As other programs write a file's place; and what is not there is named with the place where it was looked for."""
    with_blank = path("a scene.png")
    shutil.copy(SAMPLE, with_blank)
    address = "file://" + with_blank.replace(" ", "%20")
    assert tiles_of(address) == tiles_of(SAMPLE)
    plan = run_json("info", "--plan", "--image", address, "hi")
    assert plan["images"] == run_json("info", "--plan", "--image", SAMPLE, "hi")["images"], plan
    talk = write("address.json", json.dumps({"messages": [{"role": "user", "content": [{"type": "image", "path": address}]}]}))
    assert run_json("info", "--plan", "--conversation", talk, "hi")["images"] == plan["images"]
    run("ask", "--image", "file:///nowhere/scene.png", "hi", want=INPUT)
    assert "/nowhere/scene.png" in run.stderr, run.stderr


@tap.test
def transparent_pictures():
    """The colours below are what the official pipeline sees; on white it is another picture, with a hash of its own."""
    name = os.path.join(PICTURES, "transparent.png")
    answers = [run_json("ask", "--image", name, "--max-tokens", "1", *more, "hi")["images"][0] for more in ([], ["--on-white"])]
    assert answers[0]["transparent"] is True and "on_white" not in answers[0], answers
    assert answers[1]["on_white"] is True and "transparent" not in answers[1], answers
    assert answers[0]["sha256"] != answers[1]["sha256"]
    opaque = run_json("ask", "--image", SAMPLE, "--max-tokens", "1", "--on-white", "hi")["images"][0]
    assert "transparent" not in opaque and "on_white" not in opaque, opaque
    part = {"type": "image", "path": name, "on_white": True}
    talk = write("white.json", json.dumps({"messages": [{"role": "user", "content": [part]}]}))
    assert run_json("ask", "--conversation", talk, "--max-tokens", "1", "hi")["images"][0] == answers[1]
    batch = ["batch", "--prompt", "the red circle", "--on-white", "--out", path("white"), "-e", "yolo", name]
    run(*batch)
    assert "1 done, 0 from" in run.stderr, run.stderr
    run(*batch)
    assert "0 done, 1 from" in run.stderr, run.stderr
    run(*(word for word in batch if word != "--on-white"), want=USAGE)
    with open(path("white/images/transparent.png"), "rb") as file:
        assert file.read()[25] == 2, "the copy has alpha, the picture that was asked about has none"
    part["on_white"] = "yes"
    talk = write("white.json", json.dumps({"messages": [{"role": "user", "content": [part]}]}))
    run("ask", "--conversation", talk, "hi", want=INPUT)
    assert "on_white" in run.stderr, run.stderr


@tap.test
def svg_stays_inside():
    target = os.path.join(PICTURES, "quadrants.png")
    picture = "<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink' width='48' height='32'>" \
              "<rect width='48' height='32' fill='#00f'/>%s</svg>"
    plain = tiles_of(write("plain.svg", picture % ""))
    for link in (target, "file://" + target, "quadrants.png", "http://127.0.0.1:9/a.png"):
        name = write("link.svg", picture % f"<image xlink:href='{link}' width='48' height='32'/>")
        shutil.copy(target, path("quadrants.png"))
        assert tiles_of(name) == plain, link


tap.run(TMP)
