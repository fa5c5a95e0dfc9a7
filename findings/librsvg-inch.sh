#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# librsvg 2.54.7: one drawing of 1 in × 10 mm × 12 pt has two sizes in one library: by its gdk-pixbuf loader and by rsvg-convert.
# Expected: an inch is 96 pixels, as CSS says and browsers have it.
# Seen: rsvg-convert makes a picture 96 pixels wide, the loader, through which GTK 3 programs, thumbnailers and image viewers read
# drawings, one of 90. Boxes found on the one do not lie on the other. Drawings in px are alike.
# Sightline decodes through the loader and exports what it decoded, so that its boxes and its pictures have one size (docs/pictures.md).
set -euo pipefail
packages=(librsvg2-bin=2.54.7+dfsg-1~deb12u2 librsvg2-2=2.54.7+dfsg-1~deb12u2 librsvg2-common=2.54.7+dfsg-1~deb12u2
          libgdk-pixbuf-2.0-0=2.42.10+dfsg-1+deb12u4)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
cd "$root"
apt-get download -q "${packages[@]}" >/dev/null || { echo "not in the archive any more: ${packages[*]}"; exit 77; }
for package in *.deb; do dpkg -x "$package" .; done
lib=$root/usr/lib/x86_64-linux-gnu
export LD_LIBRARY_PATH=$lib GDK_PIXBUF_MODULE_FILE=$root/loaders.cache
"$lib"/gdk-pixbuf-2.0/gdk-pixbuf-query-loaders "$lib"/gdk-pixbuf-2.0/2.10.0/loaders/*.so >loaders.cache
usr/bin/rsvg-convert --version

cat >size.py <<'PY'
import ctypes, sys
pixbuf = ctypes.CDLL("libgdk_pixbuf-2.0.so.0")
pixbuf.gdk_pixbuf_new_from_file.restype = ctypes.c_void_p
image = ctypes.c_void_p(pixbuf.gdk_pixbuf_new_from_file(sys.argv[1].encode(), None))
print(pixbuf.gdk_pixbuf_get_width(image), "x", pixbuf.gdk_pixbuf_get_height(image))
PY
for size in "1in 1in" "25.4mm 72pt" "96px 96px"; do
    read -r width height <<<"$size"
    echo "<svg xmlns='http://www.w3.org/2000/svg' width='$width' height='$height'><rect width='100%' height='100%'/></svg>" >drawing.svg
    usr/bin/rsvg-convert drawing.svg >drawing.png
    echo "$width x $height: rsvg-convert $(python3 size.py drawing.png), the loader $(python3 size.py drawing.svg)"
done | tee seen
[[ $(<seen) == "1in x 1in: rsvg-convert 96 x 96, the loader 90 x 90
25.4mm x 72pt: rsvg-convert 96 x 96, the loader 90 x 90
96px x 96px: rsvg-convert 96 x 96, the loader 96 x 96" ]]
