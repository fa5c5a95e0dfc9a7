#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""sightline-cli quantize: what it writes, that it loads, and that nothing half-made is ever left.

test_quantize.py CLI SOURCE_ROOT. Prints TAP. The formats are read by a second implementation here, from the words of
kernels/quant.h. The bundled model is quantised; what its answers are worth is measured by tests/quality/formats.py.
"""
import json
import os
import pathlib
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from array import array

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import tap  # noqa: E402

CLI, ROOT = sys.argv[1:3]
MODEL = os.path.join(ROOT, "data", "demo-model")
SAMPLE = os.path.join(ROOT, "data", "samples", "shapes-1.png")
TMP = tempfile.mkdtemp(prefix="sightline-quantize-")
USAGE, INPUT, CANCELLED = 2, 3, 5
CODES = [-127, -100, -79, -62, -47, -34, -21, -9, 2, 13, 25, 36, 50, 65, 83, 107]


def path(name):
    return os.path.join(TMP, name)


def start(*args, limit=None):
    env = {**os.environ, "LC_ALL": "C.UTF-8", "HOME": TMP, "XDG_DATA_HOME": TMP, "XDG_CONFIG_HOME": TMP}
    files = (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))) if limit else None
    return subprocess.Popen([CLI, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, preexec_fn=files)


def run(*args, want=0, limit=None):
    process = start(*args, limit=limit)
    out, err = process.communicate(timeout=120)
    assert process.returncode == want, f"{args}: exit {process.returncode}, wanted {want}: {err.decode(errors='replace')}"
    run.stderr = err.decode()
    return out.decode()


def quantize(out, *args, **more):
    return run("quantize", "--out", path(out), *args, **more)


def leftovers(out):
    return [name for name in os.listdir(TMP) if name.startswith(out)]


def read(folder):
    """Header and data of a safetensors file, held to what strict readers ask for."""
    with open(os.path.join(folder, "model.safetensors"), "rb") as file:
        data = file.read()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + length])
    metadata = header.pop("__metadata__", {})
    at = 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        assert entry["data_offsets"][0] == at, f"{name} does not follow its neighbour"
        at = entry["data_offsets"][1]
    assert 8 + length + at == len(data), "the file has bytes that belong to no tensor"
    return metadata, header, data[8 + length:], 8 + length


def write(name, metadata, header, data, source=MODEL):
    """A checkpoint folder with this file; everything else is the source's."""
    folder = path(name)
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder)
    for other in os.listdir(source):
        if other.endswith(".json"):
            shutil.copy(os.path.join(source, other), folder)
    text = json.dumps({**header, **({"__metadata__": metadata} if metadata else {})}).encode()
    with open(os.path.join(folder, "model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)
    return folder


def floats(entry, data, row):
    """One row of a float matrix."""
    cols = entry["shape"][-1]
    size = 4 if entry["dtype"] == "F32" else 2
    first = entry["data_offsets"][0] + row * cols * size
    if size == 4:
        return array("f", data[first:first + 4 * cols])
    return bf16(data[first:first + 2 * cols])


def bf16(raw):
    out = array("f")
    out.frombytes(b"".join(b"\0\0" + raw[i:i + 2] for i in range(0, len(raw), 2)))
    return out


def row_of(entry, data, kind, cols, row):
    """One row as kernels/quant.h defines it."""
    groups = -(-cols // 32)
    code_bytes = groups * (32 if kind == "I8G" else 16)
    row_bytes = code_bytes + 2 * groups
    assert entry["shape"][1] == row_bytes, f"a row has {entry['shape'][1]} bytes, not {row_bytes}"
    first = entry["data_offsets"][0] + row * row_bytes
    codes, scales = data[first:first + code_bytes], bf16(data[first + code_bytes:first + row_bytes])
    out = []
    for col in range(cols):
        group, at = divmod(col, 32)
        if kind == "I8G":
            code = codes[col] - 256 if codes[col] > 127 else codes[col]
        else:
            byte = codes[group * 16 + at % 16]
            code = CODES[byte & 15 if at < 16 else byte >> 4]
        out.append(code * scales[group])
    return out


# ------------------------------------------------------------------------------------------------ what is written


@tap.test
def mix_is_what_it_says():
    report = json.loads(quantize("mix", "--json", "--format", "mix"))
    info = json.loads(run("info", "--json", "--verify", "--model", path("mix")))
    parts = {part["part"]: part for part in info["parts"]}
    assert info["verified"] is True and info["quantisation"] == "mix" and info["source"] == report["source"]
    assert parts["routed experts"]["dtype"] == "int4" and parts["router"]["dtype"] == "f32" and parts["norms"]["dtype"] == "f32"
    for part in ("attention", "dense layers", "shared experts", "output head"):
        assert parts[part]["dtype"] == "int8", part
    assert parts["vision"]["dtype"] == "bf16" and parts["projector"]["dtype"] == "bf16"
    assert report["bytes"] < report["source_bytes"]


@tap.test
def weights_stay_near():
    """Every quantised tensor, one row each, by this file's own reading of the formats."""
    _, before, original, _ = read(MODEL)
    metadata, after, data, first = read(path("mix"))
    assert first % 64 == 0, "the data is not aligned"
    seen = set()
    for name, entry in after.items():
        assert entry["data_offsets"][0] % 64 == 0 or name.startswith("padding."), f"{name} is not aligned"
        if name not in metadata:
            continue
        kind, cols = metadata[name].split()
        assert int(cols) == before[name]["shape"][1]
        row = before[name]["shape"][0] // 2
        want = floats(before[name], original, row)
        got = row_of(entry, data, kind, int(cols), row)
        energy = sum(w * w for w in want)
        error = sum((w - g) ** 2 for w, g in zip(want, got))
        # int8: half a step of peak/127 everywhere; int4: no group of 32 with a searched scale does worse than half the widest gap
        bound = len(want) * (max(map(abs, want)) * (0.5 / 127 + 2 ** -9)) ** 2 if kind == "I8G" else 0.02 * energy
        assert error <= bound, f"{name}: error {error} of {energy}"
        seen.add(kind)
    assert seen == {"I8G", "I4G"}


@tap.test
def other_files_come_along():
    for name in ("config.json", "tokenizer.json", "processor_config.json"):
        with open(os.path.join(MODEL, name), "rb") as a, open(os.path.join(path("mix"), name), "rb") as b:
            assert a.read() == b.read(), name
    with open(os.path.join(path("mix"), "CHANGES-OF-WEIGHTS.txt"), encoding="utf-8") as file:
        assert "were changed" in file.read()
    assert "were changed" in read(path("mix"))[0]["changed"]


@tap.test
def every_format_answers():
    quantize("int4v", "--format", "int4", "--vision", "int8", "--threads", "3")
    for folder in ("mix", "int4v"):
        answer = json.loads(run("ask", "--json", "--greedy", "--max-tokens", "8", "--model", path(folder), "--image", SAMPLE, "How many?"))
        assert answer["text"], folder
    parts = {part["part"]: part for part in json.loads(run("info", "--json", "--model", path("int4v")))["parts"]}
    assert parts["vision"]["dtype"] == "int8" and parts["attention"]["dtype"] == "int4"


@tap.test
def narrow_experts_take_int8():
    """Four bits cost the demo model more than a point of counting."""
    report = json.loads(quantize("default", "--json"))
    parts = {part["part"]: part for part in json.loads(run("info", "--json", "--model", path("default")))["parts"]}
    assert report["format"] == "int8" and parts["routed experts"]["dtype"] == "int8"


@tap.test
def threads_do_not_matter():
    quantize("again", "--format", "mix", "--threads", "1")
    assert read(path("again")) == read(path("mix"))


# ------------------------------------------------------------------------------------------------ refusals


@tap.test
def wrong_usage():
    run("quantize", want=USAGE)
    quantize("x", "--format", "int3", want=USAGE)
    quantize("x", "--format", "bf16", want=USAGE)
    quantize("x", "--vision", "int4", want=USAGE)
    quantize("mix", want=INPUT)
    assert "exists already" in run.stderr
    quantize("x", "--model", path("mix"), want=INPUT)
    assert "quantised already" in run.stderr
    assert leftovers("x") == []
    run("info", "--verify", want=INPUT)


@tap.test
def damaged_sources():
    _, header, data, _ = read(MODEL)
    name = next(n for n in header if ".mlp.experts." in n)
    first = header[name]["data_offsets"][0]
    broken = write("nan", None, header, data[:first] + b"\x80\x7f" + data[first + 2:])
    quantize("x", "--model", broken, want=INPUT)
    assert name in run.stderr and "not finite" in run.stderr
    broken = write("short", None, header, data[:-1000])
    quantize("x", "--model", broken, want=INPUT)
    broken = write("less", None, {n: e for n, e in header.items() if n != name}, data)
    quantize("x", "--model", broken, want=INPUT)
    assert name in run.stderr
    assert leftovers("x") == []


@tap.test
def full_disk():
    quantize("x", want=INPUT, limit=1 << 20)
    assert "cannot be written" in run.stderr and "model.safetensors" in run.stderr
    assert leftovers("x") == []


def large_source():
    """The demo model and a matrix of a gigabyte of zeros (a hole in the file) that takes its time."""
    _, header, data, _ = read(MODEL)
    size = 1 << 30
    header["language.model.layers.1.mlp.experts.0.more"] = {"dtype": "BF16", "shape": [size // 4096, 2048],
                                                            "data_offsets": [len(data), len(data) + size]}
    folder = write("large", None, header, data)
    with open(os.path.join(folder, "model.safetensors"), "r+b") as file:
        file.seek(size, os.SEEK_END)
        file.truncate()
    return folder


def wait_until_written(process, out):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        for name in leftovers(out):
            file = os.path.join(path(name), "model.safetensors")
            if os.path.exists(file) and os.path.getsize(file) > 1 << 17:
                return path(name)
    raise AssertionError(f"nothing is being written: {process.communicate()}")


@tap.test
def cancelled():
    process = start("quantize", "--out", path("x"), "--model", large_source())
    wait_until_written(process, "x")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == CANCELLED
    assert leftovers("x") == []


@tap.test
def killed():
    process = start("quantize", "--out", path("x"), "--model", path("large"))
    partial = wait_until_written(process, "x")
    process.kill()
    process.communicate(timeout=60)
    assert not os.path.exists(path("x"))
    shutil.copytree(MODEL, path("opened"), ignore=shutil.ignore_patterns("*.safetensors", "train"))
    shutil.copy(os.path.join(partial, "model.safetensors"), path("opened"))
    run("info", "--model", partial, want=INPUT)
    run("info", "--model", path("opened"), want=INPUT)
    shutil.rmtree(partial)
    shutil.rmtree(path("large"))


# ------------------------------------------------------------------------------------------------ files from strangers


@tap.test
def hostile_metadata():
    metadata, header, data, _ = read(path("mix"))
    expert = next(n for n in metadata if ".mlp.experts." in n and "gate_proj" in n)
    router = next(n for n in header if n.endswith(".mlp.gate.weight"))
    norm = next(n for n in header if n.endswith("input_layernorm.weight"))
    good = write("hostile", metadata, header, data)
    run("info", "--model", good)
    for key, value in (("version", "2"), ("layout", "columns"), (expert, "I4G 1280"), (expert, "I4G -5"), (expert, "I4G 99999999999"),
                       (expert, "I4G 136x"), (expert, "I2G 136"), (expert, ""), (norm, "I8G 136"), (router, "I4G 136")):
        folder = write("hostile", {**metadata, key: value}, header, data)
        run("info", "--model", folder, want=INPUT)
        assert key in ("version", "layout") or key in run.stderr, f"{key} = {value}: {run.stderr}"
    run("info", "--model", write("hostile", {k: v for k, v in metadata.items() if k != expert}, header, data), want=INPUT)
    cols = int(metadata[expert].split()[1])
    rows = header[router]["shape"][0]
    size = -(-cols // 32) * 18
    sizes = {**header, router: {"dtype": "U8", "shape": [rows, size], "data_offsets": [len(data), len(data) + rows * size]}}
    folder = write("hostile", {**metadata, router: f"I4G {header[router]['shape'][1]}"}, sizes, data + bytes(rows * size))
    assert header[router]["shape"][1] == cols
    run("info", "--model", folder, want=INPUT)
    assert "router" in run.stderr, run.stderr


@tap.test
def damaged_data_is_found():
    metadata, header, data, _ = read(path("mix"))
    at = len(data) // 2
    folder = write("flipped", metadata, header, data[:at] + bytes([data[at] ^ 1]) + data[at + 1:])
    run("info", "--model", folder)
    run("info", "--verify", "--model", folder, want=INPUT)
    assert "damaged" in run.stderr


tap.run(TMP)
