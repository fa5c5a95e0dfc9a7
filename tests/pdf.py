# SPDX-License-Identifier: MIT
"""What tests look for in PDF documents."""
import contextlib
import re
import zlib


def unpacked(document):
    """The file with its compressed streams unpacked behind it: cairo 1.18 keeps page objects in them, 1.16 does not."""
    parts = [document]
    for stream in re.finditer(rb"/FlateDecode\b.*?stream\r?\n", document, re.S):
        with contextlib.suppress(zlib.error):
            parts.append(zlib.decompressobj().decompress(document[stream.end():]))
    return b"\n".join(parts)
