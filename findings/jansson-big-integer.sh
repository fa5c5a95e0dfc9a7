#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# jansson 2.14: one large integer, anywhere, and the whole file is refused as "too big integer".
# Expected: a valid JSON text is read; a number that has no place in 64 bits becomes a real, as for example "1e30" does, or fails where
# it is asked for.
# Seen: {"model_max_length": 1000000000000000019884624838656} has no value at all, although 1000000000000000019884624838656.0 and 1e30 have
# one. JSON_DECODE_INT_AS_REAL reads it, and makes every small number a real as well.
# Python's json writes that number for "no limit": it stands in tokenizer_config.json of DeepSeek-VL2 and of a thousand other models.
# Sightline reads such a file a second time, with its long integers written as reals (engine/files/json.c).
set -euo pipefail
packages=(libjansson4=2.14-2 libjansson-dev=2.14-2)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
cd "$root"
apt-get download -q "${packages[@]}" >/dev/null || { echo "not in the archive any more: ${packages[*]}"; exit 77; }
for package in *.deb; do dpkg -x "$package" .; done
cat >show.py <<'PY'
import ctypes, glob, json
(path, *_) = glob.glob("usr/lib/*/libjansson.so.4")
jansson = ctypes.CDLL(path)
jansson.json_loads.restype = ctypes.c_void_p

class Error(ctypes.Structure):
    _fields_ = [("line", ctypes.c_int), ("column", ctypes.c_int), ("position", ctypes.c_int), ("source", ctypes.c_char * 80),
                ("text", ctypes.c_char * 160)]

def read(text, flags=0):
    error = Error()
    return "read" if jansson.json_loads(text.encode(), flags, ctypes.byref(error)) else error.text.split(b"\0")[0].decode()

limit = json.dumps({"model_max_length": int(1e30)})
seen = {limit: read(limit), limit[:-1] + ".0}": read(limit[:-1] + ".0}"), '{"model_max_length": 1e30}': read('{"model_max_length": 1e30}'),
        limit + " with JSON_DECODE_INT_AS_REAL": read(limit, 0x8)}
for text, result in seen.items():
    print(f"{text}: {result}")
assert list(seen.values()) == ["too big integer", "read", "read", "read"], "changed"
PY
python3 show.py
