# SPDX-License-Identifier: MIT
"""sightline-cli as its tests call it: TEST.py CLI MAKE_HISTORY SOURCE_ROOT. Uses the bundled model."""
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import tap  # noqa: E402, F401: the tests take it from here

CLI, MAKE_HISTORY, ROOT = sys.argv[1:4]
PICTURES = os.path.join(ROOT, "tests", "app", "pictures")
SAMPLE = os.path.join(ROOT, "data", "samples", "shapes-1.png")
TMP = tempfile.mkdtemp(prefix="sightline-cli-")
USAGE, INPUT, DEVICE, CANCELLED = 2, 3, 4, 5


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
