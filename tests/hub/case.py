# SPDX-License-Identifier: MIT
"""sightline-cli and a hub on the loopback, as the tests of both use them: TEST.py CLI SOURCE_ROOT."""
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import hub as hubs

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import tap  # noqa: E402, F401: the tests take it from here

CLI, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
TMP = pathlib.Path(tempfile.mkdtemp(prefix="sightline-hub-"))
OK, USAGE, INPUT, CANCELLED = 0, 2, 3, 5
PIECE = 1 << 20
TOKEN = "hf_secretsecretsecret"
random.seed(11)
WEIGHTS = random.randbytes(9 * PIECE + 12345)
FILES = {
    "config.json": b'{"model_type": "deepseek_vl_v2"}',
    "tokenizer.json": b'{"model": {}}' * 50,
    "empty.txt": b"",
    "model.safetensors": WEIGHTS,
    "LICENSE-MODEL": b"terms\n",
}
ENV = {k: v for k, v in os.environ.items() if not k.startswith(("SIGHTLINE_", "HF_"))} | {
    "LC_ALL": "C.UTF-8", "HOME": str(TMP), "XDG_DATA_HOME": str(TMP / "data"), "no_proxy": "*"}


def command(hub, *more, dest=None):
    dest = dest or TMP / "out" / "model"
    return [CLI, "models", "download", hub.repo, "--endpoint", hub.url, "--dir", str(dest), "--accept-licence", "--first-wait", "0.01", *more]


def download(hub, *more, want=OK, dest=None, env=None):
    done = subprocess.run(command(hub, *more, dest=dest), capture_output=True, text=True, env=ENV | (env or {}), timeout=120, check=False)
    assert done.returncode == want, f"exit {done.returncode}, wanted {want}: {done.stderr}"
    return done.stderr


def holds(folder, files):
    found = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "sightline-download.json"}
    assert found == dict(files), sorted(found)
    assert not folder.with_name(folder.name + ".download").exists()


class Case:
    """A hub and a folder for one test; afterwards nothing lies beside that folder."""

    def __enter__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(dir=TMP))
        self.hub, self.dest = hubs.Hub(FILES), self.dir / "model"
        return self

    def __exit__(self, *_):
        self.hub.close()
        beside = {path.name for path in self.dir.iterdir()} - {"model", "model.download"}
        assert not beside, beside
