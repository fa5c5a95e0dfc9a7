#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whatever sightline-cli writes is new, asked for, or refused: test_outputs.py CLI MAKE_HISTORY SOURCE_ROOT. Prints TAP.

A file of the user's is put in the way of every output of every subcommand; afterwards it is there, byte for byte, or it was
asked for with --force. What a command reads is never replaced, under no name.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import pdf  # noqa: E402
import tap  # noqa: E402

CLI, MAKE_HISTORY, ROOT = map(pathlib.Path.resolve, map(pathlib.Path, sys.argv[1:4]))
TMP = pathlib.Path(tempfile.mkdtemp(prefix="sightline-outputs-"))
SHAPES = ROOT / "data" / "samples" / "shapes-1.png"
TALL = ROOT / "data" / "samples" / "tall.png"
MODEL = ROOT / "data" / "demo-model"
USAGE, INPUT, CANCELLED = 2, 3, 5
MINE = b"checked by hand\n"
FORMATS = {"png": "a-boxes.png", "svg": "a-boxes.svg", "pdf": "a-boxes.pdf", "json": "boxes.json", "csv": "boxes.csv",
           "coco": "annotations.json", "yolo": "classes.txt", "labelme": "a.json", "voc": "Annotations/a.xml",
           "label-studio": "tasks.json"}
ENV = {k: v for k, v in os.environ.items() if not k.startswith("SIGHTLINE_")} | {"LC_ALL": "C.UTF-8", "HOME": str(TMP)}


def run(*args, want=0, cwd=None, **more):
    result = subprocess.run([CLI, *map(str, args)], capture_output=True, timeout=120, env=ENV | more, cwd=cwd, check=False)
    run.stderr = result.stderr.decode()
    assert result.returncode == want, f"{args}: exit {result.returncode}, wanted {want}: {run.stderr}"
    return result.stdout


def folder(name):
    path = TMP / name
    path.mkdir(parents=True)
    return path


def mine(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(MINE)
    return path


def batch(out, *args, **more):
    return run("batch", "-p", "the red circle", "-o", out, *args, **more)


def turned(path):
    """A photo as a camera stores it: on its side, with an orientation."""
    jpeg = (ROOT / "tests" / "app" / "pictures" / "quadrants.jpg").read_bytes()
    exif = b"Exif\0\0MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, 6, 0, 0)
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:])


def tree(path):
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}


def single_outputs(out):
    """Every command that writes one file, but for `eval`, which goes on with its own."""
    questions = TMP / "one.jsonl"
    questions.write_text(json.dumps({"image": str(SHAPES), "expression": "the red circle", "box": [0, 0, 100, 100]}) + "\n")
    return [["ask", "--image", SHAPES, "--mode", "find", "--draw", out, "the red circle"],
            ["ask", "--snapshot", out, "--max-tokens", "2", "hello"],
            ["preprocess", "--image", SHAPES, "--out", out],
            ["dump", "--out", out, "hello"],
            ["verify", "--files-only", "--report", out],
            ["eval", questions, "--out", out]]


@tap.test
def a_file_in_the_way_stays():
    for number, command in enumerate(single_outputs(TMP / "way" / "mine")):
        shutil.rmtree(TMP / "way", ignore_errors=True)
        path = mine(TMP / "way" / "mine")
        run(*command, want=INPUT)
        assert "exists already" in run.stderr and "--force" in run.stderr and "mine" in run.stderr, run.stderr
        assert tree(TMP / "way") == {"mine": MINE}, command
        path.unlink()
        path.symlink_to("nowhere")
        run(*command, want=INPUT)
        assert os.readlink(path) == "nowhere" and not (TMP / "way" / "nowhere").exists(), command
        path.unlink()
        mine(path)
        command = command[:1] + ["--force"] + command[1:]
        if "verify" not in command:
            run(*command)
            assert path.read_bytes() != MINE, command
            assert len(tree(TMP / "way")) == 1, f"{number}: something is left beside it: {list(tree(TMP / 'way'))}"


@tap.test
def a_file_that_is_read_is_never_replaced():
    """Not by its own name, not by a link, a hard link or a longer way, not with --force."""
    place = folder("read")
    picture, conversation = place / "picture.png", place / "talk.json"
    shutil.copy(SHAPES, picture)
    conversation.write_text(json.dumps({"messages": [{"role": "user", "content": [
        {"type": "image", "path": "picture.png"}, {"type": "text", "text": "hello"}]}]}))
    questions = place / "questions.jsonl"
    questions.write_text(json.dumps({"image": "picture.png", "expression": "x", "box": [0, 0, 9, 9]}) + "\n")
    os.link(picture, place / "hard.png")
    (place / "soft.png").symlink_to("picture.png")
    shutil.copy(picture, place / "copy.png")  # all that another mount of the same folder would show
    shutil.copytree(MODEL, place / "model", ignore=shutil.ignore_patterns("train"))
    before = tree(place)
    for out in (picture, place / "hard.png", place / "soft.png", place / "model" / ".." / "picture.png", place / "copy.png"):
        for command in (["ask", "--image", picture, "--max-tokens", "2", "--draw", out, "x"],
                        ["ask", "--conversation", conversation, "--max-tokens", "2", "--snapshot", out],
                        ["preprocess", "--image", picture, "--out", out],
                        ["eval", questions, "--out", out]):
            if out.name == "copy.png" and "--snapshot" in command:
                continue  # the engine's own writer knows files by their inodes only
            run(*command, "--force", want=INPUT)
            assert tree(place) == before, (command, run.stderr)
    for out in (conversation, questions, place / "model" / "config.json"):
        for command in (["ask", "-m", place / "model", "--conversation", conversation, "--max-tokens", "2", "--draw", out],
                        ["eval", "-m", place / "model", questions, "--out", out], ["dump", "-m", place / "model", "--out", out, "x"]):
            if out.name == "questions.jsonl" and command[0] != "eval" or out.name == "talk.json" and command[0] != "ask":
                continue
            run(*command, "--force", want=INPUT)
            assert tree(place) == before, (command, run.stderr)


@tap.test
def history_exports_do_not_meet():
    data = folder("history")
    subprocess.run([MAKE_HISTORY, data, SHAPES], check=True, env=ENV)
    ids = [entry["id"] for entry in json.loads(run("history", "list", "--json", "--data-dir", data))["conversations"]]
    out = TMP / "backup"
    run("history", "export", ids[0], "--out", out, "--data-dir", data)
    first = tree(out)
    run("history", "export", ids[-1], "--out", out, "--data-dir", data, want=INPUT)
    assert "exists already" in run.stderr and tree(out) == first
    run("history", "export", ids[-1], "--out", out, "--data-dir", data, "--force")
    assert json.loads((out / "conversation.json").read_text())["id"] == ids[-1]


@tap.test
def conversations_leave_what_is_there():
    """Each form in which they are handed over; PDF is looked at here, where no sanitizer counts what cairo 1.16 loses with each font of
    Chinese that it puts into one."""
    data, photo = folder("handed"), ROOT / "tests" / "app" / "pictures" / "quadrants.jpg"
    subprocess.run([MAKE_HISTORY, data, photo], check=True, env=ENV)
    for form in ("sightline", "html", "pdf", "markdown"):
        out = TMP / f"handed.{form}"
        out.write_bytes(MINE)
        run("history", "export", "--all", "--format", form, "--out", out, "--data-dir", data, want=INPUT)
        assert out.read_bytes() == MINE and f"handed.{form}" in run.stderr, run.stderr
        if form != "markdown":  # a folder takes no file's place
            run("history", "export", "--all", "--format", form, "--out", out, "--data-dir", data, "--force")
            assert photo.read_bytes() in out.read_bytes() or form == "html", "the picture as it came"
    assert len(re.findall(rb"/Type /Page\b", pdf.unpacked((TMP / "handed.pdf").read_bytes()))) == 1


@tap.test
def quantize_makes_a_new_folder():
    out = folder("quantized")
    run("quantize", "--out", out, want=INPUT)
    assert list(out.iterdir()) == [], "an empty folder is somebody's, too"


@tap.test
def every_format_leaves_what_is_there():
    for name, file in FORMATS.items():
        pictures = folder(f"formats/{name}/in")
        shutil.copy(SHAPES, pictures / "a.png")
        out = folder(f"formats/{name}/out")
        mine(out / file)
        batch(out, "-e", name, pictures, want=INPUT)
        assert "exists already" in run.stderr and (out / file).read_bytes() == MINE, (name, run.stderr)
        batch(out, "-e", name, "--force", pictures)
        assert (out / file).read_bytes() != MINE, name


@tap.test
def pictures_of_a_folder_are_not_written_over():
    """The upright copy of a turned photo would have the name of another picture."""
    for name in ("labelme", "png", "coco"):
        place = folder(f"beside/{name}")
        turned(place / "IMG_1.jpg")
        shutil.copy(SHAPES, place / "IMG_1.png")
        before = tree(place)
        batch(place, "-e", name, place)
        after = tree(place)
        assert {k: after[k] for k in before} == before, name
        again = json.loads(batch(place, "-e", name, "--json", place).splitlines()[-1])
        assert again == {"done": 0, "kept": 2, "failed": 0}, f"its own files are taken for pictures: {again}"


@tap.test
def a_picture_in_the_way_is_one_failure():
    """A corrected file stays, its picture is reported before anybody works for it, and the rest goes on."""
    place = folder("corrected")
    for name in ("a.png", "b.png"):
        shutil.copy(SHAPES, place / name)
    mine(place / "a.json")
    lines = [json.loads(line) for line in batch(place, "-e", "labelme", "--json", place, want=INPUT).splitlines()]
    assert "a.json" in lines[0]["error"] and lines[1]["boxes"] == 1 and lines[2] == {"done": 1, "kept": 0, "failed": 1}, lines
    assert (place / "a.json").read_bytes() == MINE and (place / "b.json").exists()
    batch(place, "-e", "labelme", place, "--force")
    assert json.loads((place / "a.json").read_text())["shapes"]


@tap.test
def what_was_corrected_since_stays():
    """A run that goes on replaces what it wrote itself, unless somebody has worked on it in between."""
    pictures, out = folder("since/in"), TMP / "since" / "out"
    shutil.copy(SHAPES, pictures / "a.png")
    batch(out, "-e", "coco", pictures)
    shutil.copy(TALL, pictures / "b.png")
    batch(out, "-e", "coco", pictures)
    assert len(json.loads((out / "annotations.json").read_text())["images"]) == 2
    mine(out / "annotations.json")
    batch(out, "-e", "coco", pictures, want=INPUT)
    batch(out, "-e", "coco", "--again", pictures, want=INPUT)
    assert (out / "annotations.json").read_bytes() == MINE


@tap.test
def again_leaves_nothing_of_before():
    pictures, out = folder("again/in"), TMP / "again" / "out"
    for name in ("a.png", "b.png"):
        shutil.copy(SHAPES, pictures / name)
    batch(out, "-e", "yolo", pictures)
    mine(out / "labels" / "notes.txt")
    (pictures / "b.png").unlink()
    batch(out, "-e", "yolo", "--again", pictures)
    assert {"images/a.png", "labels/a.txt", "classes.txt", "data.yaml", "labels/notes.txt"} <= set(tree(out)), sorted(tree(out))
    assert not (out / "labels" / "b.txt").exists() and not (out / "images" / "b.png").exists(), "half of a set that is no more"


@tap.test
def a_journal_that_is_none():
    pictures, out = folder("journal/in"), folder("journal/out")
    shutil.copy(SHAPES, pictures / "a.png")
    mine(out / "sightline-batch.jsonl")
    for option in ([], ["--again"]):
        batch(out, pictures, *option, want=USAGE)
        assert tree(out) == {"sightline-batch.jsonl": MINE}


@tap.test
def another_model_is_another_run():
    """Folders of the same name with other weights; the same folder moved is the same model."""
    work = folder("models")
    for name in ("A", "B"):
        shutil.copytree(MODEL, work / name / "ck", ignore=shutil.ignore_patterns("train"))
    weights = work / "B" / "ck" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    header = 8 + int.from_bytes(data[:8], "little")
    for at in range(header, len(data) - 1, 2):  # the sign of every weight: a model that was trained to something else
        data[at + 1] ^= 0x80
    weights.write_bytes(data)
    out = work / "out"
    batch(out, "--model", work / "A" / "ck", SHAPES)
    before = tree(out)
    batch(out, "--model", work / "B" / "ck", SHAPES, want=USAGE)
    assert "another prompt, model" in run.stderr and tree(out) == before
    (work / "A").rename(work / "C")
    assert json.loads(batch(out, "--model", work / "C" / "ck", "--json", SHAPES).splitlines()[-1])["kept"] == 1

    questions = work / "questions.jsonl"
    questions.write_text(json.dumps({"image": str(SHAPES), "expression": "the red circle", "box": [0, 0, 9, 9]}) + "\n")
    run("eval", questions, "--model", work / "C" / "ck", "--out", work / "results")
    run("eval", questions, "--model", work / "B" / "ck", "--out", work / "results", "--resume", want=INPUT)
    run("eval", questions, "--model", work / "C" / "ck", "--out", work / "results", "--resume")


@tap.test
def another_picture_at_the_same_place_is_asked_again():
    pictures, out = folder("swapped/in"), TMP / "swapped" / "out"
    shutil.copy(SHAPES, pictures / "a.png")
    batch(out, "-e", "coco", pictures)
    shutil.copy(TALL, pictures / "a.png")
    assert json.loads(batch(out, "-e", "coco", "--json", pictures).splitlines()[-1]) == {"done": 1, "kept": 0, "failed": 0}
    assert (out / "images" / "a.png").read_bytes() == TALL.read_bytes()
    assert len(json.loads((out / "annotations.json").read_text())["images"]) == 1


@tap.test
def eval_takes_up_its_own_results_only():
    place = folder("results")
    questions = place / "questions.jsonl"
    questions.write_text(json.dumps({"image": str(SHAPES), "expression": "the red circle", "box": [0, 0, 100, 100]}) + "\n")
    note = place / "note"
    for data in (b"a line without an end", b"a line\n", b"{}\n", b'{"questions_sha256": "x"}\n'):
        note.write_bytes(data)
        run("eval", questions, "--out", note, "--resume", want=INPUT)
        assert note.read_bytes() == data
    run("eval", questions, "--out", place / "out")
    with open(place / "out", "a", encoding="utf-8") as file:
        file.write('{"index": 7, "iou": 1.0}\n{"index": -1, "iou": 1.0}\n')
    total = json.loads(run("eval", questions, "--out", place / "out", "--resume", "--json"))
    assert total["scored"] == 1, f"results of questions that are not there are counted: {total}"


@tap.test
def long_names():
    """A name of 244 bytes in 80 characters: every format writes it, and what cannot be is one failure."""
    pictures = folder("long/in")
    shutil.copy(SHAPES, pictures / ("图" * 80 + ".png"))
    shutil.copy(SHAPES, pictures / "龙.png")
    for name in [*FORMATS, "crops"]:
        out = TMP / "long" / name
        total = json.loads(batch(out, "-e", name, "--json", pictures).splitlines()[-1])
        assert total == {"done": 2, "kept": 0, "failed": 0}, (name, total, run.stderr)


@tap.test
def nothing_half_made_after_a_kill():
    """Killed at any moment, a batch leaves complete files and goes on; what it could leave of others is cleared away."""
    pictures, out = folder("killed/in"), TMP / "killed" / "out"
    for number in range(24):
        shutil.copy(SHAPES, pictures / f"{number:02}.png")
    for pause in (0.15, 0.3, 0.45, 0.6):
        child = subprocess.Popen([CLI, "batch", "-p", "the red circle", "-o", out, "-e", "coco", pictures], env=ENV,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in range(3):  # three pictures further
            if not child.stderr.readline():
                break
        time.sleep(pause / 50)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        for path in (out / "images").glob("*.png") if out.exists() else []:
            assert path.name.startswith(".sightline-") or path.read_bytes() == SHAPES.read_bytes(), path
    mine(out / "images" / ".sightline-abcdef")
    batch(out, "-e", "coco", pictures)
    assert sorted(path.name for path in (out / "images").iterdir()) == [f"{number:02}.png" for number in range(24)]
    assert len(json.loads((out / "annotations.json").read_text())["images"]) == 24


@tap.test
def one_run_at_a_time():
    pictures, out = folder("twice/in"), TMP / "twice" / "out"
    for number in range(40):
        shutil.copy(SHAPES, pictures / f"{number:02}.png")
    first = subprocess.Popen([CLI, "batch", "-p", "the red circle", "-o", out, pictures], env=ENV, stderr=subprocess.PIPE, text=True)
    first.stderr.readline()
    first.send_signal(signal.SIGSTOP)
    batch(out, pictures, want=USAGE)
    assert "Another run" in run.stderr
    first.send_signal(signal.SIGCONT)
    first.communicate()
    assert first.returncode == 0


@tap.test
def sub_folders():
    place = folder("deep/in/deeper")
    shutil.copy(SHAPES, place / "b.png")
    shutil.copy(SHAPES, place.parent / "a.png")
    (place / "round").symlink_to(place.parent)
    mine(place.parent / "notes.txt")
    total = json.loads(batch(place.parent / "out", "--json", place.parent).splitlines()[-1])
    assert total["done"] == 1 and "1 sub folder was left out" in run.stderr and "1 file was left out" in run.stderr, run.stderr
    total = json.loads(batch(place.parent / "out", "--json", "--recursive", place.parent).splitlines()[-1])
    assert total == {"done": 1, "kept": 1, "failed": 0}, total


@tap.test
def addresses_of_files():
    assert json.loads(run("ask", "--json", "--image", SHAPES.as_uri(), "--max-tokens", "2", "hi"))["images"][0]["name"] == "shapes-1.png"
    out = TMP / "address"
    batch(out, SHAPES.as_uri())
    shutil.copy(SHAPES, TMP / "-dash.png")
    batch(TMP / "dash", "--", "-dash.png", cwd=TMP)
    run("ask", "--image", TMP / "no such.png", "hi", want=INPUT)
    assert str(TMP) in run.stderr, f"the path that was tried is not named: {run.stderr}"


@tap.test
def standard_output_is_no_file():
    with open(TMP / "stdout.png", "wb") as file:
        subprocess.run([CLI, "ask", "--image", SHAPES, "--max-tokens", "1", "--json", "--draw", "/dev/stderr", "hi"], check=True, env=ENV,
                       stdout=subprocess.DEVNULL, stderr=file, timeout=60)
    assert (TMP / "stdout.png").read_bytes().startswith(b"\x89PNG")
    run("dump", "--out", "/dev/full", "x", want=INPUT)


@tap.test
def boxes_that_are_not_sure_can_be_left_out():
    total = json.loads(batch(TMP / "sure", "-e", "coco", "--json", "--min-overlap", "0.999", SHAPES).splitlines()[0])
    assert total["boxes"] == 0, total
    batch(TMP / "sure", "-e", "coco", "--min-overlap", "0.1", SHAPES, want=USAGE)  # other work
    batch(TMP / "unsure", "-e", "coco", "--min-overlap", "0.1", SHAPES)
    (annotation,) = json.loads((TMP / "unsure" / "annotations.json").read_text())["annotations"]
    assert 0.1 < annotation["score"] < 0.999
    batch(TMP / "never", "--min-overlap", "2", SHAPES, want=USAGE)


tap.run(TMP)
