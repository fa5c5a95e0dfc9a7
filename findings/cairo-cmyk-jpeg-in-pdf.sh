#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# cairo 1.16.0 (also 1.18.4): a CMYK JPEG attached to an image surface goes into a PDF as /DeviceCMYK without /Decode.
# Expected: the page shows the picture. Programs of Adobe and all after them write CMYK JPEG inverted and say so in an APP14 marker;
# a PDF has to repeat that as /Decode [1 0 1 0 1 0 1 0], since its readers do not look into the marker.
# Seen: a white picture becomes black by two readers.
# Sightline attaches JPEG files of one or three components only.
set -euo pipefail
packages=(libcairo2=1.16.0-7)
wheels=(pillow==12.3.0 pypdfium2==5.0.0 pymupdf==1.26.5)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
cd "$root"
apt-get download -q "${packages[@]}" >/dev/null || { echo "not in the archive any more: ${packages[*]}"; exit 77; }
for package in *.deb; do dpkg -x "$package" .; done
python3 -m pip install -q --no-deps --root-user-action ignore --target wheels "${wheels[@]}" ||
    { echo "not on PyPI any more: ${wheels[*]}"; exit 77; }
export LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu PYTHONPATH=$root/wheels

cat >show.py <<'PY'
import ctypes, io
import fitz, pypdfium2
from PIL import Image

buffer = io.BytesIO()
Image.new("CMYK", (64, 64), (0, 0, 0, 0)).save(buffer, "JPEG")
jpeg = buffer.getvalue()
assert Image.open(io.BytesIO(jpeg)).convert("RGB").getpixel((8, 8)) == (255, 255, 255)

cairo = ctypes.CDLL("libcairo.so.2")
for name in ("image_surface_create", "pdf_surface_create", "create"):
    getattr(cairo, "cairo_" + name).restype = ctypes.c_void_p
cairo.cairo_version_string.restype = ctypes.c_char_p
print("cairo", cairo.cairo_version_string().decode())
image = ctypes.c_void_p(cairo.cairo_image_surface_create(1, 64, 64))
cairo.cairo_surface_set_mime_data(image, b"image/jpeg", jpeg, ctypes.c_ulong(len(jpeg)), None, None)
page = ctypes.c_void_p(cairo.cairo_pdf_surface_create(b"page.pdf", ctypes.c_double(64), ctypes.c_double(64)))
context = ctypes.c_void_p(cairo.cairo_create(page))
cairo.cairo_set_source_surface(context, image, ctypes.c_double(0), ctypes.c_double(0))
cairo.cairo_paint(context)
cairo.cairo_destroy(context)
cairo.cairo_surface_destroy(page)

pdf = open("page.pdf", "rb").read()
print("the file of the picture is in the PDF:", jpeg in pdf, "; /DeviceCMYK:", b"/DeviceCMYK" in pdf, "; /Decode:", b"/Decode " in pdf)
bitmap = pypdfium2.PdfDocument("page.pdf")[0].render().to_pil().convert("RGB").getpixel((32, 32))
pixmap = fitz.open("page.pdf")[0].get_pixmap().pixel(32, 32)
print("white is", bitmap, "by PDFium", pypdfium2.PYPDFIUM_INFO, "and", pixmap, "by MuPDF", fitz.VersionBind)
assert jpeg in pdf and b"/DeviceCMYK" in pdf and b"/Decode " not in pdf
assert max(bitmap) < 64 and max(pixmap) < 64
PY
python3 show.py
