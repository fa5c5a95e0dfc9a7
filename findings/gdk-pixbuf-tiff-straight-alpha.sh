#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# gdk-pixbuf 2.42.10 with libtiff 4.5.0 (also 2.42.12 with 4.7.0): a TIFF with straight alpha (ExtraSamples 2) comes multiplied.
# Expected: a GdkPixbuf holds straight alpha, so (200, 100, 50, 128) arrives as it is, as it does from a PNG.
# Seen: (100, 50, 25, 128), and below alpha 0 nothing is left. With ExtraSamples 0, "not specified", the same bytes come unharmed;
# associated alpha (1) is not divided. libtiff multiplies by itself where it is asked for RGBA, and the loader does not undo it.
# Sightline feeds such a file with its ExtraSamples value set to 0, and divides associated alpha.
set -euo pipefail
packages=(libgdk-pixbuf-2.0-0=2.42.10+dfsg-1+deb12u4 libtiff6=4.5.0-6+deb12u4)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
cd "$root"
apt-get download -q "${packages[@]}" >/dev/null || { echo "not in the archive any more: ${packages[*]}"; exit 77; }
for package in *.deb; do dpkg -x "$package" .; done
lib=$root/usr/lib/x86_64-linux-gnu
export LD_LIBRARY_PATH=$lib GDK_PIXBUF_MODULE_FILE=$root/loaders.cache
"$lib"/gdk-pixbuf-2.0/gdk-pixbuf-query-loaders "$lib"/gdk-pixbuf-2.0/2.10.0/loaders/*.so >loaders.cache

cat >look.py <<'PY'
import ctypes, struct, sys

def tiff(extra):
    """Two pixels, R G B A of 8 bits: half transparent, wholly transparent."""
    tags = [(256, 4, 1, 2), (257, 4, 1, 1), (258, 3, 4, 0), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 0), (277, 3, 1, 4),
            (278, 4, 1, 1), (279, 4, 1, 8), (284, 3, 1, 1), (338, 3, 1, extra)]
    beside = 8 + 2 + 12 * len(tags) + 4
    value = {258: beside, 273: beside + 8}
    entries = b"".join(struct.pack("<HHII", tag, kind, count, value.get(tag, number)) for tag, kind, count, number in tags)
    return (struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + struct.pack("<I4H", 0, 8, 8, 8, 8) +
            bytes([200, 100, 50, 128, 10, 20, 30, 0]))

pixbuf = ctypes.CDLL("libgdk_pixbuf-2.0.so.0")
for name in ("loader_new", "loader_get_pixbuf", "get_pixels"):
    getattr(pixbuf, "gdk_pixbuf_" + name).restype = ctypes.c_void_p

def pixels(data):
    loader = ctypes.c_void_p(pixbuf.gdk_pixbuf_loader_new())
    assert pixbuf.gdk_pixbuf_loader_write(loader, data, ctypes.c_size_t(len(data)), None) and pixbuf.gdk_pixbuf_loader_close(loader, None)
    image = ctypes.c_void_p(pixbuf.gdk_pixbuf_loader_get_pixbuf(loader))
    assert pixbuf.gdk_pixbuf_get_has_alpha(image)
    return list(ctypes.string_at(pixbuf.gdk_pixbuf_get_pixels(image), 8))

version = ctypes.c_char_p.in_dll(pixbuf, "gdk_pixbuf_version").value.decode()
print("gdk-pixbuf", version)
seen = {extra: pixels(tiff(extra)) for extra in (2, 0, 1)}
for extra, values in seen.items():
    print(f"ExtraSamples {extra}: the file holds 200 100 50 128, 10 20 30 0; read as {values}")
assert seen[2] == [100, 50, 25, 128, 0, 0, 0, 0], "straight alpha is not multiplied any more"
assert seen[0] == seen[1] == [200, 100, 50, 128, 10, 20, 30, 0], "unspecified or associated alpha is treated otherwise now"
PY
python3 look.py
