#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`verify` and `eval`: the published models' files without their data, whole and damaged; scores on scenes whose boxes are known.

test_check.py CLI SOURCE_ROOT. Prints TAP. Uses no display and nothing outside a temporary folder.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

CLI, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "bench")]
import make_tokenizer  # noqa: E402
import published  # noqa: E402
import tap  # noqa: E402

TMP = pathlib.Path(tempfile.mkdtemp(prefix="sightline-check-"))
OK, USAGE, INPUT, CANCELLED = 0, 2, 3, 5
ENV = {k: v for k, v in os.environ.items() if not k.startswith("SIGHTLINE_")} | {"LC_ALL": "C.UTF-8", "HOME": str(TMP), "XDG_DATA_HOME": str(TMP)}


def run(*args, want=OK):
    done = subprocess.run([CLI, *map(str, args)], capture_output=True, text=True, env=ENV, timeout=300, check=False)
    assert done.returncode == want, f"{args}: exit {done.returncode}, wanted {want}: {done.stderr}"
    return done.stdout


# ---------------------------------------------------------------------------------------------- verify

def tokenizer(family):
    folder = TMP / family
    if not folder.exists():
        make_tokenizer.write(family, folder)
    return folder


def inspect(key, change=lambda model, shapes, dtypes: None, want=OK, family=None):
    folder = published.write(TMP / "model", key, tokenizer(family or ("llm" if key == "small" else "v3")), change)
    try:
        return json.loads(run("verify", "--model", folder, "--files-only", "--json", want=want))
    finally:
        shutil.rmtree(folder)


@tap.test
def whole_published_models():
    for key, parameters in published.PARAMETERS.items():
        report = inspect(key)
        assert report["published"] == key and report["good"] and report["findings"] == [], report["findings"][:5]
        assert report["parameters"] == parameters, report["parameters"]
        assert report["tokens"]["<image>"] == (100003 if key == "small" else 128815)


@tap.test
def every_difference_is_named():
    def damage(model, shapes, dtypes):
        language = model["language_config"]
        language["topk_method"], language["routed_scaling_factor"] = "greedy", 1.5
        shapes.pop("language.model.layers.3.mlp.experts.5.up_proj.weight")
        shapes["language.model.layers.7.input_layernorm.weight"] = [2559]
        shapes["language.model.layers.30.input_layernorm.weight"] = [2560]
        dtypes["vision.norm.bias"] = "F32"
        dtypes["image_newline"] = "I32"
        shapes.pop("vision.attn_pool.latent")

    report = inspect("base", damage, want=INPUT)
    assert report["published"] == "base" and not report["good"]
    found = [f["kind"] + " " + f["text"] for f in report["findings"]]
    for pattern in [r"config topk_method", r"config routed_scaling_factor is 1.5, in the published model 2",
                    r"missing .*layers\.3\.mlp\.experts\.5\.up_proj\.weight", r"shape .*layers\.7\.input_layernorm.* \[2559\] .* \[2560\]",
                    r"extra .*layers\.30\.input_layernorm", r"dtype .*vision\.norm\.bias.* F32", r"dtype .*image_newline.* I32",
                    r"missing .*attn_pool\.latent", r"extra .*e_score_correction_bias"]:
        assert any(re.search(pattern, line) for line in found), (pattern, found[:20])
    assert not any(str(TMP) in line for line in found), "a folder of this computer is named"


@tap.test
def foreign_token_ids():
    report = inspect("tiny", family="llm", want=INPUT)
    kinds = {f["kind"] for f in report["findings"]}
    assert report["published"] == "tiny" and kinds == {"token"}, report["findings"][:4]
    assert any("<image> has the id 100003, in the published model 128815" in f["text"] for f in report["findings"])


@tap.test
def another_model_is_consistent():
    picture, report_file = ROOT / "data" / "samples" / "shapes-1.png", TMP / "report.json"
    printed = run("verify", "--image", picture, "--report", report_file)
    report = json.loads(report_file.read_text())
    assert "none of the published models" in printed
    assert report["published"] is None and report["good"] and len(report["runs"]) == 2
    assert all(r["text"] and r["ids"] for r in report["runs"]) and report["runs"][1]["expected_999"] == [580, 270, 999, 900]
    assert str(ROOT) not in report_file.read_text() and "shapes-1" not in report_file.read_text()


@tap.test
def verify_that_cannot_begin():
    run("verify", "extra", want=USAGE)
    run("verify", "--files-only", "--image", "x.png", want=USAGE)
    run("verify", "--model", TMP / "nothing", want=INPUT)


def model_folder(name, *leave_out):
    folder = TMP / name
    folder.mkdir(parents=True)
    for file in (ROOT / "data" / "demo-model").glob("*.*"):
        if file.suffix in (".json", ".safetensors") and file.name not in ("demo.json", *leave_out):
            (folder / file.name).symlink_to(file)
    return folder


@tap.test
def verify_lists_all_that_is_missing():
    folder = model_folder("parts", "model.safetensors", "processor_config.json", "tokenizer.json")
    names = [f"model-0000{i}-of-00003.safetensors" for i in (1, 2, 3)]
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": dict(zip("abc", names))}))
    (folder / names[1]).write_bytes((ROOT / "data/demo-model/model.safetensors").read_bytes()[:5000])
    (folder / "tokenizer.json").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9\n")
    report = json.loads(run("verify", "--model", folder, "--files-only", "--json", want=INPUT))
    texts = [f["text"] for f in report["findings"] if f["kind"] == "file"]
    assert len(texts) == 5 and not report["good"] and all("parts" in t and str(TMP) not in t for t in texts), texts
    for word in ("git-lfs", "processor_config.json is missing", names[0] + " is missing", names[2] + " is missing", names[1] + " there are only 5.0"):
        assert any(word in t for t in texts), (word, texts)
    error = json.loads(run("info", "--model", folder, "--json", want=INPUT))["error"]["message"]
    assert "git-lfs" in error and "verify" in error, error


@tap.test
def a_hub_cache_is_called_by_its_model():
    cache = TMP / "models--someone--my-vl2"
    commit = "66c54660eae7e90c9ba259bfdf92d07d6e3ce8aa"
    model_folder(f"{cache.name}/snapshots/{commit}")
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text(commit)
    picture = ROOT / "data" / "samples" / "shapes-1.png"
    for place in (cache, cache / "snapshots", cache / "snapshots" / commit):
        assert json.loads(run("info", "--model", place, "--json"))["name"] == "my-vl2"
    run("batch", "--model", cache, "--prompt", "the red circle", "-e", "json", "--out", TMP / "boxes", picture)
    assert "my-vl2" in (TMP / "boxes" / "boxes.json").read_text() and commit not in (TMP / "boxes" / "boxes.json").read_text()


@tap.test
def a_large_model_is_mapped_not_copied():
    """Three layers of the tiny model: over 2 GB of holes. Memory that was copied would be resident."""
    def shorten(model, shapes, dtypes):
        model["language_config"]["num_hidden_layers"] = 3
        for name in [n for n in shapes if (found := re.match(r"language\.model\.layers\.(\d+)", n)) and int(found[1]) >= 3]:
            shapes.pop(name)

    folder = published.write(TMP / "large", "tiny", tokenizer("v3"), shorten)
    size = (folder / "model.safetensors").stat().st_size
    child = subprocess.Popen([CLI, "info", "--model", str(folder), "--json"], stdout=subprocess.PIPE, env=ENV)
    facts = json.loads(child.stdout.read())
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    shutil.rmtree(folder)
    assert child.returncode == OK and facts["weight_bytes"] > 2e9 and size > 2e9
    assert usage.ru_maxrss * 1024 < facts["weight_bytes"] / 4, f"{usage.ru_maxrss / 1024:.0f} MiB resident"


@tap.test
def published_models_fit_where_they_should():
    """A session that fills 4,096 tokens, two pictures of ten tiles, and what was left of other branches, beside the weights in mix."""
    program = 50e6  # resident before it loads anything, measured; several times that under the sanitizers, which is not the point
    for key, most in (("tiny", 3.4e9), ("small", 11.5e9), ("base", 19e9)):
        folder = published.write(TMP / "mix", key, tokenizer("llm" if key == "small" else "v3"))
        published.write_mix(folder / "model.safetensors", published.tensors(key))
        plan = json.loads(run("info", "--plan", "--json", "--model", folder, "What is in the picture?"))
        shutil.rmtree(folder)
        full = plan["memory_full"]
        taken = full["peak"] + program
        assert plan["context"] == 4096 and taken <= most, f"{key} takes {taken / 1e9:.2f} GB: {full}"
        assert full["weights"] > 0.75 * most, f"{key}: the weights are not all counted: {full}"


# ---------------------------------------------------------------------------------------------- eval

def question_file(name, count, extra=()):
    """Questions about scenes, every other box in pixels; the path and the boxes in 0…999."""
    with open(ROOT / "tests" / "demo" / "scenes.jsonl", encoding="utf-8") as file:
        scenes = [x for x in map(json.loads, file) if x["task"] == "locate"][:count]
    lines, boxes = [], [x["expect"]["boxes"][0] for x in scenes]
    for n, (x, box) in enumerate(zip(scenes, boxes)):
        answer = {"box_999": box} if n % 2 else {"box": [c / 999 * side for c, side in zip(box, [x["width"], x["height"]] * 2)]}
        lines.append(json.dumps({"id": f"q{n}", "image": str(ROOT / "tests" / "demo" / x["picture"]), "expression": x["prompt"]} | answer))
    for at, text in extra:
        lines.insert(at, text)
    (TMP / name).write_text("\n".join(lines) + "\n\n")
    return TMP / name, boxes


def overlap(a, b):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    common = max(width, 0) * max(height, 0)
    area = sum((c[2] - c[0]) * (c[3] - c[1]) for c in (a, b))
    return common / (area - common)


def results(path):
    return [json.loads(line) for line in path.read_text().splitlines()[1:]]


@tap.test
def scores():
    path, boxes = question_file("all.jsonl", 8)
    total = json.loads(run("eval", path, "--out", TMP / "all.out", "--json"))
    rows = results(TMP / "all.out")
    assert [r["id"] for r in rows] == [f"q{n}" for n in range(8)]
    for row, box in zip(rows, boxes):
        found = re.search(r"\[\[(\d+), (\d+), (\d+), (\d+)\]", row["text"])
        want = overlap(list(map(int, found.groups())), box) if found else 0
        assert abs(row["iou"] - want) < 1e-6, (row, box)
    assert abs(total["mean_iou"] - sum(r["iou"] for r in rows) / 8) < 1e-6
    assert total["acc_0.5"] == sum(r["iou"] >= 0.5 for r in rows) / 8 and total["scored"] == 8 and total["failed"] == 0
    assert total["acc_0.5"] > 0.3, "the bundled model finds nothing"


@tap.test
def bad_lines_do_not_stop_the_rest():
    bad = ["nonsense", json.dumps({"image": "missing.png", "expression": "x", "box": [0, 0, 1, 1]}), json.dumps({"image": "x.png"}),
           json.dumps({"image": str(ROOT / "data/samples/shapes-1.png"), "expression": "x", "box": [5, 5, 5, 9]})]
    path, _ = question_file("bad.jsonl", 3, [(1, bad[0]), (1, bad[1]), (2, bad[2]), (4, bad[3])])
    total = json.loads(run("eval", path, "--out", TMP / "bad.out", "--json", want=INPUT))
    rows = results(TMP / "bad.out")
    assert total["scored"] == 3 and total["failed"] == 4 and [r["index"] for r in rows] == list(range(7))
    assert sum("error" in r for r in rows) == 4
    assert total["failures"] == [{"index": r["index"], "message": r["error"]["message"]} for r in rows if "error" in r]
    text = run("eval", path, want=INPUT)
    assert all(f"question {f['index'] + 1}: {f['message']}" in text for f in total["failures"]), text


@tap.test
def nothing_scored_is_no_score():
    (TMP / "list.json").write_text(json.dumps([{"image": "x.png", "expression": "x", "box": [0, 0, 1, 1]}]))
    total = json.loads(run("eval", TMP / "list.json", "--json", want=INPUT))
    assert total["acc_0.5"] is None and total["mean_iou"] is None and "JSON object" in total["failures"][0]["message"], total
    assert "0.0" not in run("eval", TMP / "list.json", want=INPUT)


@tap.test
def a_byte_order_mark_is_no_part_of_a_line():
    path, _ = question_file("marked.jsonl", 2)
    plain = json.loads(run("eval", path, "--json"))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    marked = json.loads(run("eval", path, "--json"))
    assert marked["scored"] == 2 and marked["mean_iou"] == plain["mean_iou"], (marked, plain)


@tap.test
def goes_on_after_a_cut():
    path, _ = question_file("cut.jsonl", 6)
    whole = json.loads(run("eval", path, "--out", TMP / "cut.out", "--json"))
    data = (TMP / "cut.out").read_bytes()
    for keep in (0, data.index(b"\n") + 1, len(data) // 2, len(data) - 3, len(data)):
        (TMP / "cut.out").write_bytes(data[:keep])
        again = json.loads(run("eval", path, "--out", TMP / "cut.out", "--resume", "--json"))
        assert {k: v for k, v in again.items() if k != "seconds"} == {k: v for k, v in whole.items() if k != "seconds"}, keep
        assert sorted(r["index"] for r in results(TMP / "cut.out")) == list(range(6)), keep
    other, _ = question_file("other.jsonl", 5)
    run("eval", path, "--out", TMP / "cut.out", want=INPUT)  # a night's work is not replaced by asking again
    run("eval", other, "--out", TMP / "cut.out", "--resume", want=INPUT)


@tap.test
def interrupted():
    path, _ = question_file("long.jsonl", 12)
    path.write_text("\n".join(path.read_text().splitlines() * 40))
    pipe = TMP / "pipe"
    os.mkfifo(pipe)
    child = subprocess.Popen([CLI, "eval", str(path), "--out", str(pipe), "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=ENV)
    with open(pipe, encoding="utf-8") as lines:
        seen = [lines.readline() for _ in range(4)]
        child.send_signal(signal.SIGINT)
        seen += lines.readlines()
    total = json.loads(child.stdout.read())
    assert child.wait(60) == CANCELLED
    assert 3 <= total["scored"] == len(seen) - 1 < total["questions"], (total, len(seen))
    assert all(line.endswith("\n") for line in seen)


@tap.test
def eval_that_cannot_begin():
    run("eval", want=USAGE)
    run("eval", "x.jsonl", "--resume", want=USAGE)
    run("eval", TMP / "nothing.jsonl", want=INPUT)
    (TMP / "empty.jsonl").write_text("\n \n")
    run("eval", TMP / "empty.jsonl", want=INPUT)


tap.run(TMP)
