#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# gdk-pixbuf 2.42.10 (also 2.42.12): an icon's entry of 256 pixels, which is a PNG since Windows Vista, is never taken.
# Expected: the largest entry, since a width of 0 in the directory means 256; or an error.
# Seen: with the entries in falling order the smaller bitmap is taken. In rising order the picture has the bitmap's size, and its
# pixels are not those of the bitmap, without an error.
# Sightline does not accept icons.
set -euo pipefail
packages=(libgdk-pixbuf-2.0-0=2.42.10+dfsg-1+deb12u4)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
cd "$root"
apt-get download -q "${packages[@]}" >/dev/null || { echo "not in the archive any more: ${packages[*]}"; exit 77; }
for package in *.deb; do dpkg -x "$package" .; done
lib=$root/usr/lib/x86_64-linux-gnu
export LD_LIBRARY_PATH=$lib GDK_PIXBUF_MODULE_FILE=$root/loaders.cache
"$lib"/gdk-pixbuf-2.0/gdk-pixbuf-query-loaders "$lib"/gdk-pixbuf-2.0/2.10.0/loaders/*.so >loaders.cache

cat >look.py <<'PY'
import ctypes, struct, zlib

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

png = (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 256, 256, 8, 6, 0, 0, 0)) +
       chunk(b"IDAT", zlib.compress((b"\0" + bytes([255, 0, 0, 255]) * 256) * 256)) + chunk(b"IEND", b""))
bitmap = struct.pack("<IiiHHIIiiII", 40, 32, 64, 1, 32, 0, 0, 0, 0, 0, 0) + bytes([0, 255, 0, 255]) * 1024 + bytes(128)

def icon(entries):
    at, directory, data = 6 + 16 * len(entries), b"", b""
    for side, content in entries:
        directory += struct.pack("<BBBBHHII", side & 255, side & 255, 0, 0, 1, 32, len(content), at + len(data))
        data += content
    return struct.pack("<HHH", 0, 1, len(entries)) + directory + data

pixbuf = ctypes.CDLL("libgdk_pixbuf-2.0.so.0")
for name in ("new_from_file", "get_pixels"):
    getattr(pixbuf, "gdk_pixbuf_" + name).restype = ctypes.c_void_p
print("gdk-pixbuf", ctypes.c_char_p.in_dll(pixbuf, "gdk_pixbuf_version").value.decode())
seen = {}
for order, entries in (("falling", ((256, png), (32, bitmap))), ("rising", ((32, bitmap), (256, png)))):
    open("a.ico", "wb").write(icon(entries))
    image = pixbuf.gdk_pixbuf_new_from_file(b"a.ico", None)
    if not image:
        seen[order] = "an error"
    else:
        image = ctypes.c_void_p(image)
        width = pixbuf.gdk_pixbuf_get_width(image)
        stride, channels = pixbuf.gdk_pixbuf_get_rowstride(image), pixbuf.gdk_pixbuf_get_n_channels(image)
        pixels = ctypes.string_at(pixbuf.gdk_pixbuf_get_pixels(image), stride * width)
        green = sum(pixels[y * stride + channels * x:][:3] == b"\0\xff\0" for y in range(width) for x in range(width))
        seen[order] = (width, green)
    print(f"a red PNG of 256 and a green bitmap of 32, in {order} order:", seen[order])
assert seen["falling"] == (32, 1024)
assert seen["rising"][0] == 32 and seen["rising"][1] < 1024
PY
python3 look.py
