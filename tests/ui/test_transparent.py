# SPDX-License-Identifier: MIT
"""A transparent picture: said so, asked about as it is or on white, and kept as it was asked about."""
import glob
import os
import struct
import zlib

from harness import App, Session, check, run, wait_for
from test_window import ask, quiet, thumbnail

WIDTH, HEIGHT = 96, 64


def write_ink(path):
    """Black everywhere; a bar of it is opaque, the rest transparent."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + b"".join(bytes([0, 0, 0, 255 if 20 <= y < 40 else 0]) for _ in range(WIDTH)) for y in range(HEIGHT))
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 6, 0, 0, 0)) +
                   chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def start(session):
    """With the picture on the command line, where its name begins with a dash."""
    before = os.getcwd()
    os.chdir(session.home)
    try:
        write_ink("-ink.png")
        return App(session, "--", "-ink.png")
    finally:
        os.chdir(before)


def stored(session):
    kept = [open(name, "rb").read() for name in glob.glob(session.path(".local/share/**/pictures/*/*.png"), recursive=True)]
    check(len(kept) == 1, f"{len(kept)} pictures are kept")
    return kept[0]


def status_of_viewer(app, picture):
    app.session.click(*app.middle(app.find("image", picture)))
    line = app.find("label", rf"{WIDTH} × {HEIGHT} px.*").name
    app.session.key("Escape")
    return line


def test_on_white():
    with Session() as session:
        app = start(session)
        app.find("image", thumbnail("-ink.png"))
        app.find("label", ".*“-ink.png” is transparent, .*")
        check("transparent: " in status_of_viewer(app, thumbnail("-ink.png")), "the viewer does not say that it is transparent")
        session.screenshot("transparent")
        swatch = app.find("push button", "On White")
        swatch.press()
        wait_for("the picture on white", lambda: app.find("push button", "On White").has_state("pressed"))
        check("on white" in status_of_viewer(app, thumbnail("-ink.png")), "the viewer does not say that it lies on white")
        session.screenshot("transparent-on-white")
        ask(app, "hi")
        app.close()
        quiet(app)
        png = stored(session)
        check(png[25] == 2, "what was asked about has alpha")
        check(b"tEXtGround\0white" in png, "nothing says that it lay on white")

        # As it was sent, also in the next run.
        app = App(session)
        check("on white" in status_of_viewer(app, thumbnail("-ink.png")), "it is forgotten that it lay on white")
        app.close()
        quiet(app)


def test_off_again():
    with Session() as session:
        app = start(session)
        for state in (True, False):
            app.find("push button", "On White").press()
            wait_for("the other ground", lambda: app.find("push button", "On White").has_state("pressed") == state)
        ask(app, "hi")
        app.close()
        quiet(app)
        with open(session.path("-ink.png"), "rb") as file:
            check(stored(session) == file.read(), "the file that was asked about is another one")


if __name__ == "__main__":
    run([test_on_white, test_off_again])
