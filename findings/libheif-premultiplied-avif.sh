#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# heif-gdk-pixbuf and libheif 1.15.1 (also 1.23.6): an AVIF with premultiplied alpha arrives multiplied, in a buffer that is straight.
# Expected: a GdkPixbuf holds straight alpha, so white at alpha 64 is (255, 255, 255, 64).
# Seen: (64, 64, 64, 64): drawn over white it is grey, and a reader that drops alpha sees it nearly black.
# The file is what avifenc 0.11.1 -l -p made of 16 × 16 opaque white pixels beside 16 × 16 of white at alpha 64; its item reference
# "prem" says that it is multiplied.
# Sightline looks for that reference, and divides.
set -euo pipefail
packages=(heif-gdk-pixbuf=1.15.1-1+deb12u1 libheif1=1.15.1-1+deb12u1 libgdk-pixbuf-2.0-0=2.42.10+dfsg-1+deb12u4 libde265-0 libx265-199
    libaom3 libdav1d6)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
cd "$root"
apt-get download -q "${packages[@]}" >/dev/null || { echo "not in the archive any more: ${packages[*]}"; exit 77; }
for package in *.deb; do dpkg -x "$package" .; done
lib=$root/usr/lib/x86_64-linux-gnu
export LD_LIBRARY_PATH=$lib GDK_PIXBUF_MODULE_FILE=$root/loaders.cache
"$lib"/gdk-pixbuf-2.0/gdk-pixbuf-query-loaders "$lib"/gdk-pixbuf-2.0/2.10.0/loaders/*heif.so >loaders.cache
base64 -d >white.avif <<'AVIF'
AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUEAAAGbbWV0YQAAAAAAAAAoaGRscgAAAAAAAAAAcGljdAAAAAAAAAAAAAAA
AGxpYmF2aWYAAAAADnBpdG0AAAAAAAEAAAAsaWxvYwAAAABEAAACAAEAAAABAAAB2wAAADEAAgAAAAEAAAHDAAAAGAAAAEJpaW5m
AAAAAAACAAAAGmluZmUCAAAAAAEAAGF2MDFDb2xvcgAAAAAaaW5mZQIAAAAAAgAAYXYwMUFscGhhAAAAAChpcmVmAAAAAAAAAA5w
cmVtAAEAAQACAAAADmF1eGwAAgABAAEAAADDaXBycAAAAJ1pcGNvAAAAFGlzcGUAAAAAAAAAIAAAABAAAAAQcGl4aQAAAAADCAgI
AAAADGF2MUOBIAAAAAAAE2NvbHJuY2x4AAEADQAAgAAAAA5waXhpAAAAAAEIAAAADGF2MUOBABwAAAAAOGF1eEMAAAAAdXJuOm1w
ZWc6bXBlZ0I6Y2ljcDpzeXN0ZW1zOmF1eGlsaWFyeTphbHBoYQAAAAAeaXBtYQAAAAAAAAACAAEEAQKDBAACBAEFhgcAAABRbWRh
dBIACgUYEP/sKjINEACjIPyKJ1m9pbKL4RIACgg4EP/sICGgBDIjEAAAqSjuZIYlM7bpJeige+G9fKYrdM8iO2gGPSi8atyK+Mg=
AVIF

cat >look.py <<'PY'
import ctypes
pixbuf = ctypes.CDLL("libgdk_pixbuf-2.0.so.0")
heif = ctypes.CDLL("libheif.so.1")
heif.heif_get_version.restype = ctypes.c_char_p
for name in ("new_from_file", "get_pixels"):
    getattr(pixbuf, "gdk_pixbuf_" + name).restype = ctypes.c_void_p
image = ctypes.c_void_p(pixbuf.gdk_pixbuf_new_from_file(b"white.avif", None))
pixels = ctypes.string_at(pixbuf.gdk_pixbuf_get_pixels(image), 4 * 32)
print("libheif", heif.heif_get_version().decode())
print("opaque white is read as", list(pixels[16:20]), "and white at alpha 64 as", list(pixels[108:112]))
assert b"prem" in open("white.avif", "rb").read()
assert min(pixels[16:20]) > 250 and max(pixels[108:112]) < 70 and pixels[111] > 58
PY
python3 look.py
