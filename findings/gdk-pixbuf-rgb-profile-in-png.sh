#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# gdk-pixbuf 2.42.10 with libpng 1.6.39: no RGB picture can be saved as PNG with its own colour profile, and turning one loses it.
# Expected: "icc-profile", the option by which the JPEG, PNG and TIFF loaders hand a profile over, can be given to the PNG saver, as
# its documentation says; gdk_pixbuf_apply_embedded_orientation() keeps the options but for the orientation, as a copy does.
# Seen: saving fails, "RGB color space not permitted on grayscale PNG", while a profile of grey is written into the file of colours,
# where no reader takes it: the saver names the profile to libpng before it says what kind of pixels come. As JPEG it can be saved. The
# turned pixbuf has no profile any more; one that did not have to be turned is the same object, and has it.
# Sightline reads the profile before it turns a picture, and writes the PNG's chunk itself.
set -euo pipefail
packages=(libgdk-pixbuf-2.0-0=2.42.10+dfsg-1+deb12u4 libpng16-16=1.6.39-2+deb12u6)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
cd "$root"
apt-get download -q "${packages[@]}" >/dev/null || { echo "not in the archive any more: ${packages[*]}"; exit 77; }
for package in *.deb; do dpkg -x "$package" .; done
export LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu

cat >save.py <<'PY'
import base64, ctypes

def profile(space):
    """The header of a display's profile with this colour space (ICC.1, 7.2), and room behind it."""
    data = bytearray(400)
    data[2:4], data[8], data[12:24], data[36:40] = (400).to_bytes(2, "big"), 4, b"mntr" + space + b"XYZ ", b"acsp"
    data[68:80] = bytes([0, 0, 0xF6, 0xD6, 0, 1, 0, 0, 0, 0, 0xD3, 0x2D])
    return base64.b64encode(data)

class Error(ctypes.Structure):
    _fields_ = [("domain", ctypes.c_uint32), ("code", ctypes.c_int), ("message", ctypes.c_char_p)]

pixbuf = ctypes.CDLL("libgdk_pixbuf-2.0.so.0")
for name in ("new", "loader_new", "loader_get_pixbuf", "apply_embedded_orientation"):
    getattr(pixbuf, "gdk_pixbuf_" + name).restype = ctypes.c_void_p
pixbuf.gdk_pixbuf_get_option.restype = ctypes.c_char_p
red = ctypes.c_void_p(pixbuf.gdk_pixbuf_new(0, 0, 8, 4, 2))
pixbuf.gdk_pixbuf_fill(red, 0xFF0000FF)

def save(kind, text):
    """The file, or the reason why there is none."""
    data, size, error = ctypes.c_void_p(), ctypes.c_size_t(), ctypes.POINTER(Error)()
    keys, values = (ctypes.c_char_p * 2)(b"icc-profile", None), (ctypes.c_char_p * 2)(text, None)
    if pixbuf.gdk_pixbuf_save_to_bufferv(red, ctypes.byref(data), ctypes.byref(size), kind, keys, values, ctypes.byref(error)):
        return ctypes.string_at(data, size.value)
    return error.contents.message.decode()

def load(data):
    loader = ctypes.c_void_p(pixbuf.gdk_pixbuf_loader_new())
    assert pixbuf.gdk_pixbuf_loader_write(loader, data, ctypes.c_size_t(len(data)), None) and pixbuf.gdk_pixbuf_loader_close(loader, None)
    return ctypes.c_void_p(pixbuf.gdk_pixbuf_loader_get_pixbuf(loader))

print("gdk-pixbuf", ctypes.c_char_p.in_dll(pixbuf, "gdk_pixbuf_version").value.decode())
colours, grey = profile(b"RGB "), profile(b"GRAY")
refused, written = save(b"png", colours), save(b"png", grey)
print("PNG of an RGB picture with a profile of RGB:", refused if isinstance(refused, str) else "saved")
print("PNG of the same picture with one of grey:   ", written if isinstance(written, str) else "saved")
assert isinstance(refused, str) and "RGB color space not permitted" in refused, "an RGB profile can be saved now"
assert not isinstance(written, str) and b"iCCP" in written and written[25] == 2, "a grey one is refused for pixels of colours now"

photo = load(save(b"jpeg", colours))
kept = [pixbuf.gdk_pixbuf_get_option(photo, b"icc-profile") == colours]
for orientation in (b"1", b"6"):
    pixbuf.gdk_pixbuf_remove_option(photo, b"orientation")
    pixbuf.gdk_pixbuf_set_option(photo, b"orientation", orientation)
    upright = ctypes.c_void_p(pixbuf.gdk_pixbuf_apply_embedded_orientation(photo))
    kept.append(pixbuf.gdk_pixbuf_get_option(upright, b"icc-profile") == colours)
print("JPEG: has its profile as read, upright, turned:", *kept)
assert kept == [True, True, False], "turning keeps the profile now, or a JPEG's is not read"
PY
python3 save.py
