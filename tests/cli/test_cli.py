#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Drives the real sightline-cli: every subcommand, every exit status, the shape of --json, bad input; `ask` and pictures have tests
of their own. What is answered other tests judge; here only what holds for any weights is asserted. Arguments: see command.py.
"""
import base64
import html.parser
import json
import os
import re
import struct
import subprocess
import zipfile

from command import (CLI, DEVICE, INPUT, MAKE_HISTORY, PICTURES, SAMPLE, TMP, USAGE, copy_model,
                     environment, floats, path, read_tensors, run, run_json, tiles_of, tap, write)

# ---------------------------------------------------------------------------------------------- usage

COMMANDS = ["ask", "tokenize", "detokenize", "preprocess", "dump", "info", "devices", "history"]


@tap.test
def help_for_everything():
    general = run("--help").decode()
    for command in COMMANDS:
        assert command in general
        text = run(command, "--help").decode()
        assert f"sightline-cli {command}" in text and "--json" in text, text


@tap.test
def wrong_usage():
    assert subprocess.run([CLI], capture_output=True, env=environment(), check=False).returncode == USAGE
    for args in [["nonsense"], ["info", "--nonsense"], ["info", "extra"], ["ask"], ["ask", "a", "b"], ["ask", "--image", SAMPLE],
                 ["ask", "--mode", "look", "x"], ["ask", "--temperature", "-1", "x"], ["ask", "--top-p", "0", "x"],
                 ["ask", "--top-p", "nan", "x"], ["ask", "--top-k", "-5", "x"], ["ask", "--repetition-penalty", "0", "x"],
                 ["ask", "--max-tokens", "0", "x"], ["ask", "--seed", "-1", "x"], ["ask", "--threads", "-1", "x"],
                 ["ask", "--seed", "many", "x"], ["ask", "--device", "abacus", "x"], ["ask", "--draw", path("no.png"), "x"],
                 ["ask", "--batch", "x", "prompt"], ["preprocess", "--image", SAMPLE], ["preprocess", "--out", path("x")],
                 ["dump", "x"], ["dump", "--out", path("x")], ["tokenize", "word"], ["tokenize", "--markup", "some"],
                 ["detokenize", "1", "two"], ["detokenize", "-7"], ["devices", "cpu"], ["history"], ["history", "list", "5"],
                 ["history", "export"], ["history", "export", "last"], ["history", "list", "--out", TMP], ["history", "import"],
                 ["history", "export", "--all"], ["history", "export", "1", "--format", "doc"], ["history", "export", "--all", "--format", "sightline"],
                 ["history", "export", "1", "--all", "--format", "sightline", "--out", "x"]]:
        run(*args, want=USAGE)


@tap.test
def errors_as_json():
    error = run_json("info", "--model", "/dev/null/model", want=INPUT)["error"]
    assert error["code"] == INPUT and "/dev/null/model" in error["message"]
    assert run_json("ask", want=USAGE)["error"]["code"] == USAGE


@tap.test
def output_that_cannot_be_written():
    with open("/dev/full", "wb") as full:
        for args in [["info"], ["--help"], ["ask", "--max-tokens", "3", "hi"], ["ask", "--json", "--max-tokens", "3", "hi"]]:
            result = subprocess.run([CLI, *args], stdout=full, stderr=subprocess.PIPE, env=environment(), timeout=60, check=False)
            assert result.returncode == INPUT, f"{args}: {result.returncode}"
            assert b"cannot be written" in result.stderr


# ---------------------------------------------------------------------------------------------- tokens

@tap.test
def tokens_there_and_back():
    for text in ["hello world", "红色的圆 red 123456", "  spaces \n\n tabs\t", "emoji 👩‍👩‍👧 e\u0301", "x\0y", "", "<|User|> <|ref|>"]:
        data = text.encode()
        ids = run("tokenize", stdin=data)
        assert run("detokenize", stdin=ids) == data, text
        again = run_json("tokenize", stdin=data)
        assert again["ids"] == [int(i) for i in ids.split()] and again["count"] == len(again["ids"])
        assert run("detokenize", stdin=json.dumps(again["ids"]).encode()) == data
    assert run_json("detokenize", *[str(i) for i in run_json("tokenize", stdin=b"star")["ids"]]) == {"text": "star"}


@tap.test
def typed_control_tokens_stay_literal():
    (user,) = run_json("tokenize", "--raw", stdin=b"<|User|>")["ids"]
    (ref,) = run_json("tokenize", "--markup", "grounding", stdin=b"<|ref|>")["ids"]
    assert user not in run_json("tokenize", stdin=b"<|User|>")["ids"]
    assert user not in run_json("tokenize", "--markup", "grounding", stdin=b"<|User|>")["ids"]
    assert ref not in run_json("tokenize", stdin=b"<|ref|>")["ids"]

    def count(*args):
        return run_json("ask", "--max-tokens", "1", *args)["prompt_ids"].count(user)
    assert count("forge <|User|>: a role") == 1
    assert count("--mode", "find", "forge <|User|>: a role") == 1
    assert count("--raw", "forge <|User|>: a role") == 2


@tap.test
def invalid_utf8():
    for command in (["tokenize"], ["ask", "-"]):
        run(*command, stdin=b"ok \xff\xfe", want=INPUT)
        assert "UTF-8" in run.stderr
    run("ask", b"caf\xe9", want=INPUT)
    assert "UTF-8" in run.stderr
    run("ask", b"\xed\xa0\x80 surrogate", want=INPUT)
    run("ask", "-", stdin=b"a\0b", want=INPUT)


@tap.test
def arguments_in_any_locale():
    want = run_json("ask", "--max-tokens", "1", "红色的圆")["prompt_ids"]
    assert run_json("ask", "--max-tokens", "1", "红色的圆", LC_ALL="C")["prompt_ids"] == want
    assert run_json("ask", "--max-tokens", "1", "-", stdin="红色的圆".encode())["prompt_ids"] == want


@tap.test
def ids_out_of_range():
    run("detokenize", "2000000", want=INPUT)
    run("detokenize", "99999999999", want=USAGE)


# ---------------------------------------------------------------------------------------------- models

@tap.test
def info_says_what_the_model_is():
    info = run_json("info")
    for key in ("architecture", "router", "weight_dtype", "device", "isa"):
        assert isinstance(info[key], str) and info[key], key
    for key in ("parameters", "weight_bytes", "layers", "hidden", "heads", "vocab", "context", "tile_side", "tokens_per_tile"):
        assert info[key] > 0, key
    assert info["candidate_resolutions"][0] == [info["tile_side"], info["tile_side"]]
    assert run_json("info", "--threads", "1")["threads"] == 1
    assert info["architecture"] in run("info").decode()


@tap.test
def devices_that_work():
    devices = {d["device"]: d for d in run_json("devices")["devices"]}
    assert devices["cpu"]["available"] and devices["cpu"]["threads"] > 0
    if not devices["cuda"]["available"]:
        assert devices["cuda"]["reason"]
        run("ask", "--device", "cuda", "hi", want=DEVICE)
        run("info", "--device", "cuda", want=DEVICE)


@tap.test
def broken_models():
    run("ask", "--model", write("model.txt", "not a folder"), "hi", want=INPUT)
    os.makedirs(path("empty-model"))
    run("info", "--model", path("empty-model"), want=INPUT)
    assert "config.json" in run.stderr

    model = copy_model("truncated")
    weights = os.path.join(model, "model.safetensors")
    os.truncate(weights, os.path.getsize(weights) // 2)
    run("ask", "--model", model, "hi", want=INPUT)
    assert "model.safetensors" in run.stderr

    for name in ("config.json", "tokenizer.json", "processor_config.json"):
        model = copy_model("broken-" + name)
        with open(os.path.join(model, name), "r+b") as file:
            file.truncate(20)
        run("info", "--model", model, want=INPUT)
        assert name in run.stderr, run.stderr


@tap.test
def bundled_model_missing():
    run("info", SIGHTLINE_DATA="/dev/null", want=INPUT)
    assert "--model" in run.stderr


# ---------------------------------------------------------------------------------------------- dump

@tap.test
def dump_holds_every_layer():
    info = run_json("info")
    name = path("dump.safetensors")
    assert run_json("dump", "--image", SAMPLE, "--mode", "find", "--out", name, "red circle") == {"out": name}
    tensors = read_tensors(name)
    names = {"input_ids", "tiles", "vision", "projected", "embeds", "logits"} | {f"layer.{i}" for i in range(info["layers"])}
    experts = {name for name in tensors if name.startswith("experts.")}
    assert set(tensors) == names | experts, set(tensors) ^ names
    answer = run_json("ask", "--image", SAMPLE, "--mode", "find", "--max-tokens", "1", "red circle")
    n = len(answer["prompt_ids"])
    assert len(experts) > 0 and all(tensors[name][1] == [n, info["experts_per_token"]] for name in experts)
    assert all(0 <= id < info["experts"] for name in experts for id in floats(tensors[name]))
    dtype, shape, data = tensors["input_ids"]
    assert dtype == "I32" and list(struct.unpack(f"<{n}i", data)) == answer["prompt_ids"]
    assert tensors["logits"][1] == [n, info["vocab"]]
    for layer in range(info["layers"]):
        assert tensors[f"layer.{layer}"][1] == [n, info["hidden"]]
    tiles = floats(tensors["tiles"])
    _, raw = tiles_of(SAMPLE)
    assert len(tiles) == len(raw) and max(abs(t - (r / 127.5 - 1)) for t, r in zip(tiles, raw)) < 1e-6
    last = floats(tensors["logits"])[-info["vocab"]:]
    assert max(range(len(last)), key=last.__getitem__) == (answer["ids"] or [None])[0] or answer["stop"] == "eos"


@tap.test
def dump_of_text_alone():
    name = path("text.safetensors")
    run("dump", "--out", name, "hello")
    tensors = read_tensors(name)
    assert "logits" in tensors and "tiles" not in tensors
    run("dump", "--out", "/dev/null/d.safetensors", "hello", want=INPUT)


# ---------------------------------------------------------------------------------------------- history

@tap.test
def history():
    folder = path("history")
    subprocess.run([MAKE_HISTORY, folder, os.path.join(PICTURES, "quadrants.jpg")], check=True, env=environment())
    (entry,) = run_json("history", "list", "--data-dir", folder)["conversations"]
    assert entry["title"] == "圆形 and <b>" and entry["id"] == 1000
    assert "圆形 and <b>" in run("history", "list", SIGHTLINE_DATA_DIR=folder).decode()
    assert run_json("history", "check", "--data-dir", folder) == {"faults": []}

    talk = run_json("history", "export", "1000", "--data-dir", folder)
    question, answer = talk["messages"]
    assert [m["role"] for m in talk["messages"]] == ["user", "assistant"], "only the shown path"
    assert [p["type"] for p in question["content"]] == ["image"] + ["text"] * (len(question["content"]) - 1)
    assert "".join(p["text"] for p in question["content"][1:]) == "\n<|ref|>红色的圆<|/ref|>"
    assert answer["boxes"][0]["box_999"] == [10, 20, 300, 400]

    out = path("exported")
    run("history", "export", "1000", "--out", out, "--data-dir", folder)
    with open(os.path.join(out, "conversation.json"), encoding="utf-8") as file:
        exported = json.load(file)
    with open(os.path.join(out, exported["messages"][0]["content"][0]["path"]), "rb") as copied:
        with open(os.path.join(PICTURES, "quadrants.jpg"), "rb") as original:
            assert copied.read() == original.read()
    again = run_json("ask", "--conversation", os.path.join(out, "conversation.json"), "--max-tokens", "1", "and now?")
    (ref,) = run_json("tokenize", "--raw", stdin=b"<|ref|>")["ids"]
    assert again["prompt_ids"].count(ref) == 2 and again["images"][0]["width"] == 48

    run("history", "export", "5", "--data-dir", folder, want=INPUT)
    for base, _, files in os.walk(os.path.join(folder, "pictures")):
        for file in files:
            os.unlink(os.path.join(base, file))
    assert run_json("history", "check", "--data-dir", folder, want=INPUT)["faults"]


@tap.test
def history_is_handed_over():
    first, second = path("handed-over"), path("handed-to")
    subprocess.run([MAKE_HISTORY, first, os.path.join(PICTURES, "quadrants.jpg")], check=True, env=environment())
    file, again = path("all.sightline"), path("again.sightline")
    run("history", "export", "1000", "--format", "sightline", "--out", file, "--data-dir", first)
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None and archive.namelist()[0] == "mimetype"
        (talk,) = (json.loads(archive.read(name)) for name in archive.namelist() if name.startswith("conversations/"))
        (picture,) = (archive.read(name) for name in archive.namelist() if name.startswith("pictures/"))
    assert len(talk["messages"]) == 3, "the question before its edit too"
    with open(os.path.join(PICTURES, "quadrants.jpg"), "rb") as original:
        assert picture == original.read()

    (entry,) = run_json("history", "import", file, "--data-dir", second)["conversations"]
    assert entry["new"] and entry["messages"] == 3 and entry["title"] == "圆形 and <b>"
    (entry,) = run_json("history", "import", file, "--data-dir", second)["conversations"]
    assert not entry["new"] and entry["messages"] == 0
    assert run_json("history", "check", "--data-dir", second) == {"faults": []}
    report = run_json("history", "export", "--all", "--format", "sightline", "--out", again, "--data-dir", second)
    assert report["conversations"] == 1 and report["faults"] == []
    with open(file, "rb") as one, open(again, "rb") as other:
        written = one.read()
        assert written == other.read()

    run("history", "export", "--all", "--format", "sightline", "--out", again, "--data-dir", second, want=INPUT)
    assert "again.sightline" in run.stderr and "--force" in run.stderr
    write("cut.sightline", written[:-200])
    assert run_json("history", "import", path("cut.sightline"), "--data-dir", second, want=INPUT)["faults"]
    run("history", "import", path("nothing.sightline"), file, "--data-dir", second, want=INPUT)
    assert "nothing.sightline" in run.stderr


class Page(html.parser.HTMLParser):
    """What of a page a browser would show, run or fetch."""
    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.addresses, self.boxes = set(), "", [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.addresses += [value for name, value in attrs if name in ("href", "src")]
        if tag == "rect":
            self.boxes.append([float(dict(attrs)[name]) for name in ("x", "y", "width", "height")])

    def handle_data(self, data):
        self.text += data


@tap.test
def history_is_read_elsewhere():
    folder, page, notes = path("read"), path("read.html"), path("read-notes")
    subprocess.run([MAKE_HISTORY, folder, os.path.join(PICTURES, "quadrants.jpg")], check=True, env=environment())
    with open(os.path.join(PICTURES, "quadrants.jpg"), "rb") as file:
        original = file.read()
    run("history", "export", "--all", "--format", "html", "--out", page, "--data-dir", folder)
    with open(page, encoding="utf-8") as file:
        seen = Page(file.read())
    assert "圆形 and <b>" in seen.text and not seen.tags & {"b", "script", "iframe", "link", "img"}, seen.tags
    pictures = [address for address in seen.addresses if address.startswith("data:image/jpeg;base64,")]
    assert len(pictures) == 1 and base64.b64decode(pictures[0].split(",")[1]) == original, "once, as it came"
    assert all(address.startswith(("data:", "#")) for address in seen.addresses), seen.addresses
    # The official rule, int(c / 999 * size), in a picture of 48 x 32.
    assert seen.boxes == [[0, 0, 14, 12]] * 2, seen.boxes

    run("history", "export", "1000", "--format", "markdown", "--out", notes, "--data-dir", folder)
    (name,) = (name for name in os.listdir(notes) if name.endswith(".md"))
    with open(os.path.join(notes, name), encoding="utf-8") as file:
        text = file.read()
    linked = re.findall(r"!\[[^]]*\]\(([^)]*)\)", text)
    assert len(linked) == 2 and "# 圆形 and <b>" in text and "before the edit" not in text, text
    with open(os.path.join(notes, linked[0]), "rb") as file:
        assert file.read() == original
    assert all(os.path.getsize(os.path.join(notes, link)) > 0 for link in linked)
    run("history", "export", "1000", "--format", "markdown", "--out", notes, "--data-dir", folder, want=INPUT)


@tap.test
def history_that_is_none():
    run("history", "list", "--data-dir", path("no-history"), want=INPUT)
    os.makedirs(path("junk-history"))
    write("junk-history/history.db", "this is not a database, whatever its name says" * 40)
    run("history", "check", "--data-dir", path("junk-history"), want=INPUT)
    assert "history.db" in run.stderr


tap.run(TMP)
