#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""sightline-cli ask: answers, seeds, chunks, plans, several questions, snapshots, conversations, batches, interruption. Arguments:
see command.py.
"""
import json
import os
import shutil
import signal
import struct
import subprocess

from command import CANCELLED, CLI, DEVICE, INPUT, PICTURES, ROOT, SAMPLE, TMP, USAGE, environment, path, run, run_json, tap, write


@tap.test
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


@tap.test
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


@tap.test
def streamed_text_is_the_answer():
    args = ["ask", "--image", SAMPLE, "--greedy", "--max-tokens", "30", "What do you see?"]
    assert run(*args).decode() == run_json(*args)["text"] + "\n"


@tap.test
def same_seed_same_answer():
    """At a temperature where even a model that is sure of its answer has to draw lots."""
    args = ["ask", "--temperature", "8", "--top-p", "1", "--max-tokens", "30", "hello"]
    first = run_json(*args, "--seed", "7")["ids"]
    assert run_json(*args, "--seed", "7")["ids"] == first
    assert run_json(*args, "--seed", "7", "--threads", "1")["ids"] == first
    assert any(run_json(*args, "--seed", str(seed))["ids"] != first for seed in (8, 9, 10))


@tap.test
def chunk_size_changes_nothing():
    args = ["ask", "--image", SAMPLE, "--greedy", "--max-tokens", "12", "What do you see?"]
    want = run_json(*args)["ids"]
    for chunk in ("1", "7", "64"):
        assert run_json(*args, "--chunk-size", chunk)["ids"] == want, chunk


@tap.test
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


@tap.test
def drawing_that_cannot_be_written():
    run("ask", "--image", SAMPLE, "--max-tokens", "2", "--draw", "/dev/null/out.png", "hi", want=INPUT)
    assert "/dev/null/out.png" in run.stderr


@tap.test
def prompt_longer_than_the_context():
    context = run_json("info")["context"]
    run("ask", "word " * 9000, want=INPUT)
    assert str(context) in run.stderr, run.stderr


@tap.test
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


@tap.test
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


@tap.test
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


@tap.test
def a_model_that_cannot_fit_is_refused():
    run("ask", "--memory-limit", "2", "hello", want=DEVICE)
    assert "MiB" in run.stderr and "weights" in run.stderr, run.stderr
    error = run_json("ask", "--memory-limit", "2", "hello", want=DEVICE)
    assert error["error"]["code"] == DEVICE, error
    run("ask", "--memory-limit", "-1", "--max-tokens", "2", "hello")
    run("ask", "--memory-limit", "-2", "hello", want=USAGE)


def answers(*args):
    return [json.loads(line) for line in run("ask", "--json", "--greedy", *args).splitlines()]


@tap.test
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


@tap.test
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


@tap.test
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


@tap.test
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


@tap.test
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


@tap.test
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


@tap.test
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
    long = b'{"prompt": "' + b"x" * (17 << 20) + b'"}\n'
    refused, answered = map(json.loads, run("ask", "--batch", "-", stdin=long + good, want=INPUT).splitlines())
    assert f"{len(long) - 1} bytes" in refused["error"]["message"] and answered["index"] == 1, refused


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


@tap.test
def interrupted_answer():
    status, out, err = interrupt()
    assert status == CANCELLED, status
    assert out.strip() and err.startswith(b"sightline-cli: ")
    status, out, err = interrupt(signals=(signal.SIGTERM,))
    assert status == CANCELLED, status


@tap.test
def interrupted_while_reading_stdin():
    process = subprocess.Popen([CLI, "tokenize"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    # The thread that takes signals is there: from now on they are the program's own business.
    while len(os.listdir(f"/proc/{process.pid}/task")) < 2:
        pass
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == CANCELLED
    process.communicate()


tap.run(TMP)
