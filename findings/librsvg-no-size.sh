#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# librsvg 2.54.7 (also 2.60.0): a drawing without width, height and viewBox gets the size of its ink, but keeps its origin.
# Expected: 300 × 150, the size that CSS gives to what has none; or the ink, moved into sight.
# Seen: 40 × 40 for a square of 40 from (20, 30) on, of which the part from (20, 30) to (40, 40) is seen; one from (50, 50) on is
# wholly out of sight, and the picture is empty without an error.
# Sightline writes width and height into the root element of such a drawing before it is read.
set -euo pipefail
packages=(librsvg2-bin=2.54.7+dfsg-1~deb12u2 librsvg2-2=2.54.7+dfsg-1~deb12u2)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
cd "$root"
apt-get download -q "${packages[@]}" >/dev/null || { echo "not in the archive any more: ${packages[*]}"; exit 77; }
for package in *.deb; do dpkg -x "$package" .; done
export LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu
usr/bin/rsvg-convert --version

draw() { # X Y: how large a square of 40 from there on becomes, and how many of its pixels are seen
    echo "<svg xmlns='http://www.w3.org/2000/svg'><rect x='$1' y='$2' width='40' height='40'/></svg>" >drawing.svg
    usr/bin/rsvg-convert drawing.svg >drawing.png
    python3 - drawing.png <<'PY'
import struct, sys, zlib
data = open(sys.argv[1], "rb").read()
width, height, depth, kind = struct.unpack(">IIBB", data[16:26])
assert (depth, kind) == (8, 6)
at, packed = 8, b""
while at < len(data):
    length, name = struct.unpack(">I4s", data[at:at + 8])
    packed += data[at + 8:at + 8 + length] if name == b"IDAT" else b""
    at += length + 12
rows, stride, before, seen = zlib.decompress(packed), 4 * width + 1, bytearray(4 * width), 0
for y in range(height):
    method, row = rows[y * stride], bytearray(rows[y * stride + 1:(y + 1) * stride])
    for i in range(len(row)):
        left, up, corner = row[i - 4] if i > 3 else 0, before[i], before[i - 4] if i > 3 else 0
        paeth = min((left, up, corner), key=lambda v: abs(left + up - corner - v))
        row[i] = row[i] + (0, left, up, (left + up) // 2, paeth)[method] & 255
    seen, before = seen + sum(a > 0 for a in row[3::4]), row
print(f"{width} x {height}, {seen} pixels of 1600 seen")
PY
}
near=$(draw 20 30)
far=$(draw 50 50)
echo "a square of 40 from 20, 30 on: $near"
echo "a square of 40 from 50, 50 on: $far"
[[ $near == "40 x 40, 200 pixels of 1600 seen" && $far == "40 x 40, 0 pixels of 1600 seen" ]]
