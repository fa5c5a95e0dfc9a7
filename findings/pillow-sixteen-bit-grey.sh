#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Pillow 12.3.0 and 13.0.0: convert("RGB") of a grey PNG of 16 bits makes everything above 255 white.
# Expected: 32768 of 65535 becomes a middle grey, as a colour PNG of 16 bits becomes it on opening, and as viewers show it.
# Seen: the ramp 0, 128, 256, 32768, 65535 becomes 0, 128, 255, 255, 255: the values are cut off, not scaled. The same ramp in a colour PNG
# of 16 bits becomes 0, 0, 1, 128, 255.
# Pipelines that begin with Image.open(…).convert("RGB"), DeepSeek-VL2's among them, see X-rays, depth maps and scans as a white sheet.
# Sightline takes the high byte (docs/pictures.md).
set -euo pipefail
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
cat >"$root/show.py" <<'PY'
import io, struct, zlib
import PIL
from PIL import Image

ramp = [0, 128, 256, 32768, 65535]

def png(colour):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    row = b"\0" + b"".join(struct.pack(">H", v) * (3 if colour else 1) for v in ramp)
    head = struct.pack(">IIBBBBB", len(ramp), 1, 16, 2 if colour else 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")

def read(colour):
    picture = Image.open(io.BytesIO(png(colour)))
    rgb = picture.convert("RGB")
    return picture.mode, [rgb.getpixel((x, 0))[0] for x in range(len(ramp))]

grey, colour = read(False), read(True)
print(f"Pillow {PIL.__version__}, {ramp}: grey {grey}, colour {colour}")
assert grey[1] == [0, 128, 255, 255, 255] and colour[1] == [0, 0, 1, 128, 255], "changed"
PY
for version in 12.3.0 13.0.0; do
    python3 -m venv "$root/$version"
    "$root/$version/bin/pip" -q install "pillow==$version" || { echo "not on PyPI any more: pillow $version"; exit 77; }
    "$root/$version/bin/python" "$root/show.py"
done
