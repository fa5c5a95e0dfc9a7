#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# safetensors 0.8.0, safetensors.numpy: an array that is a view with strides is written with other elements, without an error.
# Expected: what is loaded equals what was saved, as with 0.7.0; or an error.
# Seen: save() writes as many bytes as the array has, from its first element on, as they lie in memory: a transposed 2 × 3 array comes
# back with its elements in another order, every second of eight numbers as the first four. A contiguous copy is right.
# Sightline's fixtures are made contiguous before they are saved, and name the version that wrote them.
set -euo pipefail
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
for version in 0.7.0 0.8.0; do
    python3 -m pip install -q --no-compile --root-user-action ignore --target "$root/$version" "safetensors==$version" numpy==2.2.6 ||
        { echo "not on PyPI any more: safetensors $version or numpy 2.2.6"; exit 77; }
done
cat >"$root/save.py" <<'PY'
import sys
import numpy as np, safetensors
from safetensors.numpy import load, save
version = safetensors.__version__
numbers = np.arange(8, dtype=np.float32)
same = {}
for name, array in (("transposed", numbers[:6].reshape(2, 3).T), ("every second", numbers[::2]),
                    ("a contiguous copy", np.ascontiguousarray(numbers[::2]))):
    back = load(save({"a": array}))["a"]
    same[name] = np.array_equal(array, back)
    print(f"safetensors {version}: {name}: {array.tolist()} comes back as {back.tolist()}")
wrong = {"transposed", "every second"} if version == "0.8.0" else set()
sys.exit({name for name in same if not same[name]} != wrong)
PY
for version in 0.7.0 0.8.0; do PYTHONPATH=$root/$version python3 "$root/save.py"; done
