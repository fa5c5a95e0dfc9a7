#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# ultralytics 8.4.190: reading a data set replaces a JPEG that has something behind its end mark by a copy of its own.
# Expected: reading labels reads. Phones write a film, a depth map or a second picture behind the end mark; every viewer shows the photo.
# Seen: the check of the labels calls such a file corrupt, "restores" it as a JPEG of quality 100 and saves that in its place: three
# times as large, other pixels (here by up to 3), and what stood behind the mark is gone. The line that says so is a warning among others.
# torch is not asked for anything here, and stands as an empty module.
# Give it a copy. Sightline ships a photo as it is: docs/exports.md says that its SHA-256 is another one after a training run there.
set -euo pipefail
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
python3 -m venv "$root/venv"
"$root/venv/bin/pip" -q install --no-deps ultralytics==8.4.190 numpy==2.2.6 pillow==12.3.0 opencv-python-headless==4.12.0.88 pyyaml==6.0.4 \
    requests==2.34.2 urllib3==2.8.0 idna==3.20 certifi==2026.10.19.post1 charset-normalizer==3.5.3 packaging==26.4 typing-extensions==4.16.0 \
    || { echo "not on PyPI any more"; exit 77; }
cat >"$root/stubs.py" <<'PY'
import importlib, importlib.machinery, importlib.metadata, sys, types, unittest.mock

class Stub(types.ModuleType):
    __version__ = "2.4.1"

    def __getattr__(self, key):
        if key.startswith("__"):
            raise AttributeError(key)
        if key[0].isupper():
            value = type(key, (Warning,) if key.endswith("Warning") else (), {})
        elif key in ("backends", "cuda", "data", "distributed", "functional", "jit", "nn", "utils"):
            value = importlib.import_module(f"{self.__name__}.{key}")
        else:
            value = unittest.mock.MagicMock()
        setattr(self, key, value)
        return value

class Stubs:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision"):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        return Stub(spec.name)

    def exec_module(self, module):
        pass

version = importlib.metadata.version
importlib.metadata.version = lambda name: "2.4.1" if name in ("torch", "torchvision") else version(name)
sys.meta_path.insert(0, Stubs())
PY
cat >"$root/show.py" <<'PY'
import hashlib, io, os, pathlib, sys
import stubs
root = pathlib.Path(sys.argv[1])
os.environ.update(YOLO_CONFIG_DIR=str(root / "config"), YOLO_AUTOINSTALL="false")
(root / "config").mkdir()
import numpy as np
from PIL import Image
from ultralytics.data.utils import verify_image_label

photo, label = root / "photo.jpg", root / "photo.txt"
pixels = np.random.default_rng(1).integers(0, 255, (64, 64, 3), dtype=np.uint8)
Image.fromarray(pixels).save(photo, quality=80)
plain = photo.read_bytes()
photo.write_bytes(plain + b"here follows the film of a motion photo" * 100)
label.write_text("0 0.5 0.5 0.2 0.2\n")

def facts():
    data = photo.read_bytes()
    return len(data), hashlib.sha256(data).hexdigest()[:12], b"motion photo" in data

before = facts()
said = verify_image_label((str(photo), str(label), "", False, 1, 0, 0, False))[-1]
after = facts()
apart = np.abs(np.asarray(Image.open(photo), int) - np.asarray(Image.open(io.BytesIO(plain)), int)).max()
print("it says:", said.replace(str(root) + "/", ""))
for name, (size, sha256, film) in (("before", before), ("after", after)):
    print(f"{name}: {size} bytes, sha256 {sha256}…, {'with' if film else 'without'} what is behind the picture")
print("pixels differ by up to", apart)
assert before[1] != after[1] and before[2] and not after[2] and after[0] > 2 * len(plain) and apart > 0
PY
cd "$root" && venv/bin/python show.py "$root" 2>/dev/null | grep -E "^(it says|before|after|pixels)"
