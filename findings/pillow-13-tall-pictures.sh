#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Pillow 13.0.0 against 12.3.0: Image.resize gives other bytes for tall pictures, and the same ones for wide and square pictures.
# Expected: a filter that is defined by its formula gives the same bytes in every version, or other ones for every shape.
# Seen: bicubic, to 384 on the longer side: 300 × 700, 384 × 900 and 50 × 4000 differ by at most a few levels, 700 × 300 and 512 × 512 do not.
# A golden file of pixels has to name the Pillow version that made it; Sightline's tiles equal Pillow up to 12.3.0, which is what the
# official code runs with.
set -euo pipefail
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
for version in 12.3.0 13.0.0; do
    python3 -m pip install -q --no-deps --root-user-action ignore --target "$root/$version" "pillow==$version" ||
        { echo "not on PyPI any more: pillow $version"; exit 77; }
done
cat >"$root/resize.py" <<'PY'
import sys, PIL
from PIL import Image
sys.stdout.buffer.write(PIL.__version__.encode().ljust(8))
for width, height in ((300, 700), (384, 900), (50, 4000), (700, 300), (512, 512)):
    pixels = bytes((x * 7 + y * 13 + c * 31 + (x * y >> 3)) % 256 for y in range(height) for x in range(width) for c in range(3))
    scale = 384 / max(width, height)
    small = Image.frombytes("RGB", (width, height), pixels).resize((round(width * scale), round(height * scale)), Image.BICUBIC)
    sys.stdout.buffer.write(b"%6d%6d%9d" % (width, height, len(small.tobytes())) + small.tobytes())
PY
for version in 12.3.0 13.0.0; do PYTHONPATH=$root/$version python3 "$root/resize.py" >"$root/$version.out"; done
python3 - "$root"/12.3.0.out "$root"/13.0.0.out <<'PY'
import sys
a, b = (open(name, "rb").read() for name in sys.argv[1:])
print("Pillow", a[:8].decode().strip(), "and", b[:8].decode().strip())
at, differ = 8, {}
while at < len(a):
    width, height, n = int(a[at:at + 6]), int(a[at + 6:at + 12]), int(a[at + 12:at + 21])
    pairs = list(zip(a[at + 21:at + 21 + n], b[at + 21:at + 21 + n]))
    differ[width, height] = sum(x != y for x, y in pairs)
    print(f"{width} x {height}: {differ[width, height]} of {n} bytes differ, by {max(abs(x - y) for x, y in pairs)} at most")
    at += 21 + n
assert all((count > 0) == (height > width) for (width, height), count in differ.items())
PY
