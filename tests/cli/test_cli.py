#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Drives the real sightline-cli: every subcommand, every exit status, the shape of --json, bad input.

test_cli.py CLI MAKE_HISTORY SOURCE_ROOT. Prints TAP. Uses the bundled model, whose answers other tests judge; here only what
holds for any weights is asserted.
"""
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import zlib

CLI, MAKE_HISTORY, ROOT = sys.argv[1:4]
PICTURES = os.path.join(ROOT, "tests", "app", "pictures")
SAMPLE = os.path.join(ROOT, "data", "samples", "shapes-1.png")
TMP = tempfile.mkdtemp(prefix="sightline-cli-")
USAGE, INPUT, DEVICE, CANCELLED = 2, 3, 4, 5
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def environment(**extra):
    env = {k: v for k, v in os.environ.items() if not k.startswith("SIGHTLINE_")}
    env.update(LC_ALL="C.UTF-8", HOME=TMP, XDG_DATA_HOME=os.path.join(TMP, "share"), XDG_CONFIG_HOME=os.path.join(TMP, "config"))
    env.update(extra)
    return env


def run(*args, stdin=b"", want=0, **extra):
    """Runs the program; bytes and str arguments; returns stdout as bytes. The exit status has to be `want`."""
    result = subprocess.run([CLI, *args], input=stdin, capture_output=True, timeout=120, env=environment(**extra))
    assert result.returncode == want, f"{args}: exit {result.returncode}, wanted {want}: {result.stderr.decode(errors='replace')}"
    if want in (USAGE, INPUT, DEVICE):
        assert result.stderr.startswith(b"sightline-cli: "), f"{args}: no sentence: {result.stderr!r}"
        result.stderr.decode("utf-8")
    run.stderr = result.stderr.decode("utf-8")
    return result.stdout


def run_json(*args, **more):
    return json.loads(run(*args, "--json", **more))


def path(name):
    return os.path.join(TMP, name)


def write(name, data):
    with open(path(name), "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())
    return path(name)


def read_tensors(name):
    """A strict reader: what the reference implementation of safetensors refuses is refused here."""
    with open(name, "rb") as file:
        data = file.read()
    (length,) = struct.unpack_from("<Q", data)
    assert (8 + length) % 64 == 0, "data is not aligned"
    header = json.loads(data[8:8 + length])
    size = {"U8": 1, "I32": 4, "F32": 4}
    tensors, at = {}, 0
    for key, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, end = entry["data_offsets"]
        count = 1
        for side in entry["shape"]:
            count *= side
        assert begin == at, f"{key} does not follow its neighbour"
        assert end - begin == count * size[entry["dtype"]], f"{key} has the wrong length"
        assert begin % size[entry["dtype"]] == 0, f"{key} is not aligned"
        at = end
        tensors[key] = (entry["dtype"], entry["shape"], data[8 + length + begin:8 + length + end])
    assert 8 + length + at == len(data), "bytes behind the last tensor"
    return tensors


def floats(tensor):
    dtype, shape, data = tensor
    assert dtype == "F32"
    return struct.unpack(f"<{len(data) // 4}f", data)


def copy_model(name):
    target = path(name)
    shutil.copytree(os.path.join(ROOT, "data", "demo-model"), target, ignore=shutil.ignore_patterns("train"))
    return target


# ---------------------------------------------------------------------------------------------- usage

COMMANDS = ["ask", "tokenize", "detokenize", "preprocess", "dump", "info", "devices", "history"]


@test
def help_for_everything():
    general = run("--help").decode()
    for command in COMMANDS:
        assert command in general
        text = run(command, "--help").decode()
        assert f"sightline-cli {command}" in text and "--json" in text, text


@test
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
                 ["history", "export"], ["history", "export", "last"], ["history", "list", "--out", TMP]]:
        run(*args, want=USAGE)


@test
def errors_as_json():
    error = run_json("info", "--model", "/nonexistent/model", want=INPUT)["error"]
    assert error["code"] == INPUT and "/nonexistent/model" in error["message"]
    assert run_json("ask", want=USAGE)["error"]["code"] == USAGE


@test
def output_that_cannot_be_written():
    with open("/dev/full", "wb") as full:
        for args in [["info"], ["--help"], ["ask", "--max-tokens", "3", "hi"], ["ask", "--json", "--max-tokens", "3", "hi"]]:
            result = subprocess.run([CLI, *args], stdout=full, stderr=subprocess.PIPE, env=environment(), timeout=60, check=False)
            assert result.returncode == INPUT, f"{args}: {result.returncode}"
            assert b"cannot be written" in result.stderr


# ---------------------------------------------------------------------------------------------- tokens

@test
def tokens_there_and_back():
    for text in ["hello world", "红色的圆 red 123456", "  spaces \n\n tabs\t", "emoji 👩‍👩‍👧 e\u0301", "x\0y", "", "<|User|> <|ref|>"]:
        data = text.encode()
        ids = run("tokenize", stdin=data)
        assert run("detokenize", stdin=ids) == data, text
        again = run_json("tokenize", stdin=data)
        assert again["ids"] == [int(i) for i in ids.split()] and again["count"] == len(again["ids"])
        assert run("detokenize", stdin=json.dumps(again["ids"]).encode()) == data
    assert run_json("detokenize", *[str(i) for i in run_json("tokenize", stdin=b"star")["ids"]]) == {"text": "star"}


@test
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


@test
def invalid_utf8():
    for command in (["tokenize"], ["ask", "-"]):
        run(*command, stdin=b"ok \xff\xfe", want=INPUT)
        assert "UTF-8" in run.stderr
    run("ask", b"caf\xe9", want=INPUT)
    assert "UTF-8" in run.stderr
    run("ask", b"\xed\xa0\x80 surrogate", want=INPUT)
    run("ask", "-", stdin=b"a\0b", want=INPUT)


@test
def arguments_in_any_locale():
    want = run_json("ask", "--max-tokens", "1", "红色的圆")["prompt_ids"]
    assert run_json("ask", "--max-tokens", "1", "红色的圆", LC_ALL="C")["prompt_ids"] == want
    assert run_json("ask", "--max-tokens", "1", "-", stdin="红色的圆".encode())["prompt_ids"] == want


@test
def ids_out_of_range():
    run("detokenize", "2000000", want=INPUT)
    run("detokenize", "99999999999", want=USAGE)


# ---------------------------------------------------------------------------------------------- models

@test
def info_says_what_the_model_is():
    info = run_json("info")
    for key in ("architecture", "router", "weight_dtype", "device", "isa"):
        assert isinstance(info[key], str) and info[key], key
    for key in ("parameters", "weight_bytes", "layers", "hidden", "heads", "vocab", "context", "tile_side", "tokens_per_tile"):
        assert info[key] > 0, key
    assert info["candidate_resolutions"][0] == [info["tile_side"], info["tile_side"]]
    assert run_json("info", "--threads", "1")["threads"] == 1
    assert info["architecture"] in run("info").decode()


@test
def devices_that_work():
    devices = {d["device"]: d for d in run_json("devices")["devices"]}
    assert devices["cpu"]["available"] and devices["cpu"]["threads"] > 0
    if not devices["cuda"]["available"]:
        assert devices["cuda"]["reason"]
        run("ask", "--device", "cuda", "hi", want=DEVICE)
        run("info", "--device", "cuda", want=DEVICE)


@test
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


@test
def bundled_model_missing():
    run("info", SIGHTLINE_DATA="/nonexistent", want=INPUT)
    assert "--model" in run.stderr


# ---------------------------------------------------------------------------------------------- asking

@test
def answer_as_json():
    answer = run_json("ask", "--image", SAMPLE, "--mode", "find", "--max-tokens", "40", "red circle")
    assert isinstance(answer["text"], str) and isinstance(answer["plain"], str)
    assert 0 < len(answer["ids"]) <= 41 and all(isinstance(i, int) for i in answer["ids"])
    assert answer["stop"] in ("eos", "max_tokens", "repetition")
    assert answer["sampling"]["temperature"] == 0 and answer["sampling"]["repetition_penalty"] == 1
    timings = answer["timings"]
    for key in ("load_ms", "vision_ms", "prefill_ms", "prefill_tokens", "decode_ms", "decode_tokens"):
        assert timings[key] > 0, key
    assert timings["prefill_tokens"] == len(answer["prompt_ids"])
    (picture,) = answer["images"]
    assert picture["name"] == "shapes-1.png" and picture["width"] > 0 and len(picture["sha256"]) == 64
    info = run_json("info")
    side = round(info["tokens_per_tile"] ** 0.5)
    columns, rows = picture["tiles"]
    assert picture["tokens"] == side * (side + 1) + 1 + side * rows * (side * columns + 1)
    text = run("detokenize", *[str(i) for i in answer["ids"]]).decode(errors="replace")
    assert text.startswith(answer["text"]) or answer["text"].startswith(text), (text, answer["text"])


@test
def certainty_on_request():
    args = ["ask", "--image", SAMPLE, "--mode", "find", "--max-tokens", "40", "red circle"]
    plain = run_json(*args)
    assert plain["constrained"] and "tokens" not in plain and "coordinates" not in plain["boxes"][0]
    full = run_json(*args, "--logprobs=2", "--attention=0,2")
    assert full["text"] == plain["text"] and len(full["tokens"]) == len(full["ids"])
    for token, number in zip(full["tokens"], full["ids"]):
        assert token["id"] == number and token["logprob"] <= 0 and len(token["top"]) == 2
        (look,) = token["attention"]
        assert look["image"] == 0 and len(look["cells"]) == look["cols"] * look["rows"] and max(look["cols"], look["rows"]) == 32
        assert abs(sum(look["cells"]) - look["inside"]) < 1e-4 and 0 < look["inside"] + look["outside"] < 1
    for box in full["boxes"]:
        assert 0 < box["token_probability"] < 0.01 < box["expected_overlap"] < 1 and max(box["spread_999"]) < 200 and len(box["coordinates"]) == 4
        assert all(0 <= c["expected"] <= 999 and c["deviation"] >= 0 and 0 < c["mass"] <= 1.001 for c in box["coordinates"])
    assert [b["token_probability"] for b in plain["boxes"]] == [b["token_probability"] for b in full["boxes"]] != []
    short = run_json(*args, "--logprobs")
    assert len(short["tokens"][0]["top"]) == 5 and "attention" not in short["tokens"][0]
    assert not run_json(*args, "--no-constrain")["constrained"]
    for wrong in ["--logprobs=21", "--logprobs=x", "--attention=a", "--attention=1,"]:
        run_json(*args, wrong, want=USAGE)
    run(*args, "--logprobs", want=USAGE)
    run_json(*args, "--attention=99", want=USAGE)


@test
def streamed_text_is_the_answer():
    args = ["ask", "--image", SAMPLE, "--greedy", "--max-tokens", "30", "What do you see?"]
    assert run(*args).decode() == run_json(*args)["text"] + "\n"


@test
def same_seed_same_answer():
    """At a temperature where even a model that is sure of its answer has to draw lots."""
    args = ["ask", "--temperature", "8", "--top-p", "1", "--max-tokens", "30", "hello"]
    first = run_json(*args, "--seed", "7")["ids"]
    assert run_json(*args, "--seed", "7")["ids"] == first
    assert run_json(*args, "--seed", "7", "--threads", "1")["ids"] == first
    assert any(run_json(*args, "--seed", str(seed))["ids"] != first for seed in (8, 9, 10))


@test
def chunk_size_changes_nothing():
    args = ["ask", "--image", SAMPLE, "--greedy", "--max-tokens", "12", "What do you see?"]
    want = run_json(*args)["ids"]
    for chunk in ("1", "7", "64"):
        assert run_json(*args, "--chunk-size", chunk)["ids"] == want, chunk


@test
def boxes_on_the_picture():
    """The answer is given, the model continues it; so boxes are there whatever it knows."""
    conversation = {"messages": [
        {"role": "user", "content": [{"type": "image", "path": SAMPLE}, {"type": "text", "text": "\nfind"}]},
        {"role": "assistant", "content": "<|ref|>star<|/ref|><|det|>[[100, 200, 300, 400]]<|/det|>"},
        {"role": "user", "content": "<|ref|>star<|/ref|>"}]}
    name = write("boxes.json", json.dumps(conversation))
    answer = run_json("ask", "--conversation", name, "--greedy", "--max-tokens", "60", "--draw", path("boxes.png"))
    width, height = answer["images"][0]["width"], answer["images"][0]["height"]
    for box in answer["boxes"]:
        assert box["status"] in ("ok", "clamped", "incomplete", "rejected")
        if box["status"] in ("ok", "clamped"):
            want = [int(c / 999 * (height if i % 2 else width)) for i, c in enumerate(box["box_999"])]
            assert box["box_px"] == want and box["image"] == 0, box
        else:
            assert box["box_999"] is None and box["box_px"] is None and box["reason"]
    with open(path("boxes.png"), "rb") as file:
        head = file.read(24)
    assert head[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", head[16:]) == (width, height)


@test
def drawing_that_cannot_be_written():
    run("ask", "--image", SAMPLE, "--max-tokens", "2", "--draw", "/nonexistent/out.png", "hi", want=INPUT)
    assert "/nonexistent/out.png" in run.stderr


@test
def prompt_longer_than_the_context():
    context = run_json("info")["context"]
    run("ask", "word " * 9000, want=INPUT)
    assert str(context) in run.stderr, run.stderr


@test
def too_long_a_conversation_has_ways_out():
    long = "circle ring " * 40
    turns = [{"role": "user", "content": [{"type": "image", "path": SAMPLE}, {"type": "text", "text": long}]},
             {"role": "assistant", "content": "I see."}]
    file = write("long.json", json.dumps({"messages": turns}))
    more = ["--conversation", file, "--context", "200", "--max-tokens", "4", "What is it?"]
    run("ask", *more, want=INPUT)
    sentence = run.stderr
    plan = run_json("info", "--plan", "--conversation", file, "--context", "200", "What is it?")
    drop, low = plan["choices"]["drop-oldest"], plan["choices"]["low-detail"]
    assert not plan["fits"] and plan["room"] == 0 and drop["possible"] and drop["messages"] == 2 and not low["possible"], plan
    for number in (plan["tokens"], 200, drop["tokens"]):
        assert str(number) in sentence, sentence
    result = run_json("ask", *more, "--on-overflow", "drop-oldest")
    assert result["dropped_messages"] == 2 and not result["low_detail"], result
    assert len(result["prompt_ids"]) == drop["tokens"] and "tiles" not in result["images"][0], result
    run("ask", *more, "--on-overflow", "low-detail", want=INPUT)
    run("ask", *more, "--on-overflow", "cut", want=USAGE)


@test
def low_detail_costs_less():
    tall = ["--image", SAMPLE, "What is it?"]
    plan, low = (run_json("info", "--plan", *tall, *extra) for extra in ([], ["--low-detail"]))
    assert plan["choices"]["low-detail"]["tokens"] == low["tokens"] < plan["tokens"], (plan, low)
    result = run_json("ask", "--max-tokens", "2", "--detail", "low", *tall)
    assert len(result["prompt_ids"]) == low["tokens"] and result["images"][0]["tiles"] == [1, 1], result
    room = str(low["tokens"] + 70)
    squeezed = run_json("ask", "--max-tokens", "2", "--context", room, "--on-overflow", "low-detail", *tall)
    assert squeezed["low_detail"] == (plan["tokens"] > int(room)), squeezed
    run("ask", "--detail", "high", *tall, want=USAGE)


@test
def plan_is_what_ask_does():
    pictures = ["--image", SAMPLE, "--image", os.path.join(ROOT, "data", "samples", "shapes-2.png")]
    plan = run_json("info", "--plan", *pictures, "Compare them.")
    result = run_json("ask", "--max-tokens", "2", *pictures, "Compare them.")
    assert plan["tokens"] == len(result["prompt_ids"]) and plan["tokens"] + plan["room"] == plan["context"], plan
    assert [p["tokens"] for p in plan["images"]] == [p["tokens"] for p in result["images"]], plan
    assert plan["memory"]["weights"] == run_json("info")["weight_bytes"] and plan["memory"]["peak"] > 0, plan
    text = run("info", "--plan", *pictures, "Compare them.").decode()
    assert str(plan["tokens"]) in text and text.count("tokens") >= 3, text
    run("info", "a prompt", want=USAGE)
    run("info", "--plan", "--context", "99999", want=USAGE)


@test
def a_model_that_cannot_fit_is_refused():
    run("ask", "--memory-limit", "2", "hello", want=DEVICE)
    assert "MiB" in run.stderr and "weights" in run.stderr, run.stderr
    error = run_json("ask", "--memory-limit", "2", "hello", want=DEVICE)
    assert error["error"]["code"] == DEVICE, error
    run("ask", "--memory-limit", "-1", "--max-tokens", "2", "hello")
    run("ask", "--memory-limit", "-2", "hello", want=USAGE)


def answers(*args):
    return [json.loads(line) for line in run("ask", "--json", "--greedy", *args).splitlines()]


@test
def several_questions_in_one_process():
    first, second, third = answers("--image", SAMPLE, "--max-tokens", "12", "What is it?", "--then", "And where?", "--then", "Why?")
    assert first["reuse"]["reread"] == "empty" and first["reuse"]["tokens"] == 0, first["reuse"]
    for before, after in ((first, second), (second, third)):
        assert after["reuse"]["reread"] == "new" and after["timings"]["vision_ms"] < before["timings"]["load_ms"] + 1e3, after
        assert after["reuse"]["tokens"] >= len(before["prompt_ids"]) + len(before["ids"]) - 1, after["reuse"]
        assert after["timings"]["prefill_tokens"] < 40, after["timings"]
    assert second["reuse"]["images"] == 1 and second["reuse"]["retiled"] is None, second["reuse"]
    turns = [{"role": "user", "content": [{"type": "image", "path": SAMPLE}, {"type": "text", "text": "\nWhat is it?"}]},
             {"role": "assistant", "content": first["text"]}]
    file = write("turns.json", json.dumps({"messages": turns}))
    (alone,) = answers("--conversation", file, "--max-tokens", "12", "And where?")
    assert alone["prompt_ids"] == second["prompt_ids"] and alone["ids"] == second["ids"], (alone, second)


@test
def prompt_ids_are_what_was_read():
    """An answer whose text would be cut into other tokens than those that wrote it is read as it was written."""
    retokenised = 0
    for seed in range(12):
        lines = run("ask", "--json", "--image", SAMPLE, "--max-tokens", "12", "--temperature", "2", "--top-p", "1", "--seed", str(seed),
                    "What is it?", "--then", "And where?")
        first, second = map(json.loads, lines.splitlines())
        read = second["reuse"]["tokens"] + second["timings"]["prefill_tokens"]
        begin = first["prompt_ids"] + first["ids"]
        assert len(second["prompt_ids"]) == read and second["prompt_ids"][:len(begin)] == begin, (seed, read)
        text = run_json("tokenize", "--markup", "grounding", stdin=first["text"].strip().encode())
        retokenised += text["ids"] != first["ids"]
    assert retokenised > 0, "no answer of the test would differ"


@test
def a_box_that_was_cut_is_completed():
    turns = [{"role": "user", "content": [{"type": "image", "path": SAMPLE}, {"type": "text", "text": "<|ref|>", "markup": "grounding"},
                                          {"type": "text", "text": "the red circle"},
                                          {"type": "text", "text": "<|/ref|>", "markup": "grounding"}]},
             {"role": "assistant", "content": "<|ref|>the red circle<|/ref|><|det|>[[111, 134, "}]
    file = write("cut.json", json.dumps({"messages": turns}).encode("utf-8-sig"))
    answer, after = answers("--conversation", file, "--then", "How many?")
    (box,) = answer["boxes"]
    assert answer["continued"] == turns[1]["content"].strip() and answer["continued"] not in answer["text"], answer["text"]
    assert box["status"] == "ok" and box["box_999"][:2] == [111, 134] and box["label"] == "the red circle", box
    assert box["token_probability"] is None, box  # nobody knows how sure the beginning was
    assert after["prompt_ids"][:len(answer["prompt_ids"])] == answer["prompt_ids"] and "continued" not in after


@test
def a_snapshot_goes_on():
    file, snapshot = path("went.json"), path("went.kv")
    (first,) = answers("--snapshot", snapshot, "--image", SAMPLE, "--max-tokens", "12", "What is it?")
    turns = [{"role": "user", "content": [{"type": "image", "path": SAMPLE}, {"type": "text", "text": "\nWhat is it?"}]},
             {"role": "assistant", "content": first["text"]}]
    write("went.json", json.dumps({"messages": turns}))
    (cold,) = answers("--conversation", file, "--max-tokens", "12", "And where?")
    (warm,) = answers("--snapshot", snapshot, "--conversation", file, "--max-tokens", "12", "And where?")
    assert warm["reuse"]["branch_tokens"] >= len(first["prompt_ids"]) and cold["reuse"]["tokens"] == 0, (warm["reuse"], cold["reuse"])
    assert warm["ids"] == cold["ids"] and warm["timings"]["peak_bytes"] > 1 << 20 and warm["timings"]["vision_ms"] < 5, warm
    with open(snapshot, "r+b") as damaged:
        damaged.seek(-100, os.SEEK_END)
        damaged.write(b"nonsense")
    (again,) = answers("--snapshot", snapshot, "--conversation", file, "--max-tokens", "12", "And where?")
    assert "damaged" in run.stderr and again["reuse"]["tokens"] == 0 and again["ids"] == cold["ids"], (run.stderr, again["reuse"])
    assert os.stat(snapshot).st_mode & 0o777 == 0o600
    run("ask", "--snapshot", path("no/where.kv"), "--max-tokens", "2", "hello", want=INPUT)


@test
def conversation_files():
    shutil.copy(os.path.join(PICTURES, "quadrants.png"), path("beside.png"))
    system, user, answer = ({"role": r, "content": c} for r, c in (("system", "Be short."), ("user", "hello"), ("assistant", "red")))
    picture = {"role": "user", "content": [{"type": "text", "text": "see "}, {"type": "image", "path": "beside.png", "detail": "low"}]}

    def ids(messages, *args):
        name = write("talk.json", json.dumps({"messages": messages, "title": "ignored"}))
        return run_json("ask", "--max-tokens", "1", "--conversation", name, *args)["prompt_ids"]

    assert ids([user]) == run_json("ask", "--max-tokens", "1", "hello")["prompt_ids"]
    assert ids([user, answer], "next") == ids([user, answer, {"role": "user", "content": "next"}])
    assert len(ids([system, user])) > len(ids([user]))
    assert len(ids([picture])) > len(ids([user])) + 20
    # An answer to continue: no end mark behind it.
    assert ids([user, answer])[:-1] == ids([user, answer, user])[:len(ids([user, answer])) - 1]


@test
def broken_conversation_files():
    def refuse(text, *mentions):
        run("ask", "--conversation", write("broken.json", text), "hi", want=INPUT)
        for mention in ("broken.json", *mentions):
            assert mention in run.stderr, run.stderr

    refuse("{")
    refuse(b'{"messages": ["\xff"]}')
    refuse("[]", "messages")
    refuse('{"messages": []}', "messages")
    refuse('{"messages": [{"role": "robot", "content": "x"}]}', "role")
    refuse('{"messages": [{"role": "user", "content": 5}]}', "content")
    refuse('{"messages": [{"role": "user", "content": [{"type": "video"}]}]}', "type")
    refuse('{"messages": [{"role": "user", "content": [{"type": "text"}]}]}', "text")
    refuse('{"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "markup": "most"}]}]}', "markup")
    refuse('{"messages": [{"role": "user", "content": "x"}, {"role": "system", "content": "y"}]}', "system")
    run("ask", "--conversation", path("absent.json"), want=INPUT)
    run("ask", "--conversation", write("lost.json", '{"messages": [{"role": "user", "content": [{"type": "image", "path": "lost.png"}]}]}'),
        want=INPUT)
    assert "lost.png" in run.stderr


@test
def batch():
    lines = [
        {"images": [SAMPLE], "prompt": "red circle", "mode": "find", "id": "a", "max_tokens": 20},
        {"prompt": "hello", "id": 2, "max_tokens": 5},
        {"images": ["absent.png"], "prompt": "x"},
        {"images": "x", "prompt": "x"},
        {"prompt": 5},
        {"prompt": "x", "mode": "look"},
    ]
    text = "\n".join(json.dumps(line) for line in lines) + "\n\nnot json\n[]\n" + json.dumps(lines[0])
    out = run("ask", "--batch", write("batch.jsonl", text), "--json", want=INPUT).decode().splitlines()
    answers = [json.loads(line) for line in out]
    assert [a["index"] for a in answers] == list(range(len(lines) + 3))
    assert [a.get("id") for a in answers] == ["a", 2] + [None] * 6 + ["a"]
    assert all("message" in a["error"] for a in answers[2:8]) and "absent.png" in answers[2]["error"]["message"]
    single = run_json("ask", "--image", SAMPLE, "--mode", "find", "--max-tokens", "20", "red circle")
    for answer in (answers[0], answers[-1]):
        assert answer["ids"] == single["ids"] and answer["prompt_ids"] == single["prompt_ids"]
    good = json.dumps(lines[1]).encode()
    assert json.loads(run("ask", "--batch", "-", stdin=good))["ids"] == answers[1]["ids"]
    assert json.loads(run("ask", "--batch", "-", stdin=b"\xef\xbb\xbf" + good))["ids"] == answers[1]["ids"]
    run("ask", "--batch", path("absent.jsonl"), want=INPUT)


def interrupt(*args, signals=(signal.SIGINT,)):
    """Starts an answer that would take long, and interrupts it as soon as its first text is there."""
    command = [CLI, "ask", "--temperature", "100", "--top-p", "1", "--repetition-penalty", "1", "--seed", "1", "--max-tokens", "4000",
               *args, "hello"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    head = b"" if "--json" in args else process.stdout.read(1)
    for number in signals:
        process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return process.returncode, head + out, err


@test
def interrupted_answer():
    status, out, err = interrupt()
    assert status == CANCELLED, status
    assert out.strip() and err.startswith(b"sightline-cli: ")
    status, out, err = interrupt(signals=(signal.SIGTERM,))
    assert status == CANCELLED, status


@test
def interrupted_while_reading_stdin():
    process = subprocess.Popen([CLI, "tokenize"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    # The thread that takes signals is there: from now on they are the program's own business.
    while len(os.listdir(f"/proc/{process.pid}/task")) < 2:
        pass
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == CANCELLED
    process.communicate()


# ---------------------------------------------------------------------------------------------- pictures

def tiles_of(*names, crop=None):
    args = [a for name in names for a in ("--image", name)]
    run("preprocess", *args, "--force", "--out", path("tiles.safetensors"))
    tensors = read_tensors(path("tiles.safetensors"))
    assert set(tensors) == {"tiles", "spatial_crop"}
    dtype, shape, data = tensors["spatial_crop"]
    assert dtype == "I32" and shape == [len(names), 2]
    grid = struct.unpack(f"<{2 * len(names)}i", data)
    dtype, shape, data = tensors["tiles"]
    side = run_json("info")["tile_side"]
    n_tiles = sum(1 + grid[2 * i] * grid[2 * i + 1] for i in range(len(names)))
    assert dtype == "U8" and shape == [n_tiles, 3, side, side], shape
    return grid, data


@test
def preprocess_writes_tiles():
    wide = os.path.join(ROOT, "data", "samples", "wide.png")
    (columns, rows), _ = tiles_of(wide)
    assert columns > rows
    assert tiles_of(wide, SAMPLE)[0][:2] == (columns, rows)
    grid, data = tiles_of(wide, SAMPLE, wide)
    assert grid == (1, 1) * 3, "three pictures are not tiled"
    summary = run_json("preprocess", "--image", wide, "--out", path("t.safetensors"))
    assert summary["images"][0]["grid"] == [columns, rows]
    run("preprocess", "--image", wide, "--out", "/nonexistent/t.safetensors", want=INPUT)
    assert "/nonexistent/t.safetensors" in run.stderr


@test
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


@test
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


@test
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


@test
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


@test
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


@test
def svg_stays_inside():
    target = os.path.join(PICTURES, "quadrants.png")
    picture = "<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink' width='48' height='32'>" \
              "<rect width='48' height='32' fill='#00f'/>%s</svg>"
    plain = tiles_of(write("plain.svg", picture % ""))
    for link in (target, "file://" + target, "quadrants.png", "http://127.0.0.1:9/a.png"):
        name = write("link.svg", picture % f"<image xlink:href='{link}' width='48' height='32'/>")
        shutil.copy(target, path("quadrants.png"))
        assert tiles_of(name) == plain, link


# ---------------------------------------------------------------------------------------------- dump

@test
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


@test
def dump_of_text_alone():
    name = path("text.safetensors")
    run("dump", "--out", name, "hello")
    tensors = read_tensors(name)
    assert "logits" in tensors and "tiles" not in tensors
    run("dump", "--out", "/nonexistent/d.safetensors", "hello", want=INPUT)


# ---------------------------------------------------------------------------------------------- history

@test
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


@test
def history_that_is_none():
    run("history", "list", "--data-dir", path("no-history"), want=INPUT)
    os.makedirs(path("junk-history"))
    write("junk-history/history.db", "this is not a database, whatever its name says" * 40)
    run("history", "check", "--data-dir", path("junk-history"), want=INPUT)
    assert "history.db" in run.stderr


def main():
    failed = 0
    print(f"1..{len(TESTS)}")
    for number, function in enumerate(TESTS, 1):
        try:
            function()
            print(f"ok {number} - {function.__name__}", flush=True)
        except Exception as error:  # noqa: BLE001: a test that breaks is a test that fails
            failed += 1
            print(f"not ok {number} - {function.__name__}")
            for line in f"{type(error).__name__}: {error}".splitlines():
                print(f"# {line}", flush=True)
    shutil.rmtree(TMP)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
