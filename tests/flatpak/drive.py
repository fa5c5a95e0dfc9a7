#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Uses the installed Flatpak under Xvfb: drive.py first|again SOURCE_ROOT, called by run.sh.

first: drops a file of the host through the document portal, asks, finds the box at its pixels, restarts, finds the history.
again: only the last, after an update.
"""
import glob
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile

WHAT, ROOT = sys.argv[1:3]
sys.path.insert(0, os.path.join(ROOT, "tests", "ui"))
os.environ.setdefault("SIGHTLINE_TEST_DEADLINE", "120")  # before the harness reads it
from harness import App, Session, check, wait_for  # noqa: E402
from test_window import wait_for_box_lines  # noqa: E402

APP_ID = "io.github.sightline.Sightline"
QUESTION = "the red circle"
REAL_HOME = os.environ["HOME"]


class SandboxSession(Session):
    """A session with portals: Debian's own bus configuration, and a runtime folder where the portals expect it."""

    def _start_display(self):
        super()._start_display()
        config = os.path.join(REAL_HOME, ".var/app", APP_ID, "config")
        os.makedirs(config, exist_ok=True)
        for name in ("gtk-4.0", APP_ID):  # once: later the window's state tells which conversation was open
            if not os.path.isdir(os.path.join(config, name)):
                shutil.copytree(self.path(".config", name), os.path.join(config, name))
        # The session is the user's, not the harness's throw-away home.
        self.environment.update(HOME=REAL_HOME, XDG_RUNTIME_DIR=os.environ["XDG_RUNTIME_DIR"], FLATPAK_USER_DIR=os.environ["FLATPAK_USER_DIR"],
                                XDG_DATA_HOME=os.environ["XDG_DATA_HOME"], XDG_CURRENT_DESKTOP="GNOME")
        # The sandbox gets the caller's environment, and has its own model and samples.
        for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "ADW_DISABLE_PORTAL", "SIGHTLINE_DATA"):
            self.environment.pop(name, None)

    def __exit__(self, *exception):
        if exception[0] is not None:
            print("what the display shows:", self.screenshot("flatpak-failed"), file=sys.stderr)
        super().__exit__(*exception)

    def _start_bus(self):
        process = self._start("dbus-daemon", "--session", "--nofork", "--print-address=1", stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True)
        address = process.stdout.readline().strip()
        check(address, "dbus-daemon gives no address")
        self.environment["DBUS_SESSION_BUS_ADDRESS"] = address
        os.environ.update({name: self.environment[name] for name in ("DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "XDG_RUNTIME_DIR")})
        # A drag source hands out plain paths until the portal is there.
        self._start("/usr/libexec/xdg-document-portal", stderr=subprocess.DEVNULL)
        wait_for("the document portal", lambda: os.path.isdir(os.path.join(self.environment["XDG_RUNTIME_DIR"], "doc", "by-app")))


class SandboxApp(App):
    """Process ids inside and outside the sandbox differ: found by name."""

    def _find_owner(self):
        check(self.process.poll() is None, "the program ended at its start")
        return next((owner for owner, _, title in self.bus.owners() if title in ("sightline", APP_ID, "Sightline")), None)

    def windows(self):
        check(self.process.poll() is None, f"the program ended with {self.process.returncode}")
        search = subprocess.run(["xdotool", "search", "--onlyvisible", "--class", "sightline"],
                                env=self.session.environment, capture_output=True, text=True)
        names = [subprocess.run(["xdotool", "getwindowname", window], env=self.session.environment, capture_output=True,
                                text=True).stdout.strip() for window in search.stdout.split()]
        return [window for window, name in zip(search.stdout.split(), names) if name != "SightlineDragSource"]


def write_launcher(folder):
    path = os.path.join(folder, "sightline-in-flatpak")
    with open(path, "w", encoding="utf-8") as script:
        script.write(f'#!/bin/sh\nexec flatpak run --user --env=GSK_RENDERER=cairo --env=GDK_BACKEND=x11 {APP_ID} "$@"\n')
    os.chmod(path, 0o755)
    os.environ["SIGHTLINE"] = path


def build_drag_source(folder):
    path = os.path.join(folder, "dragsource")
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "gtk4"], check=True, capture_output=True, text=True).stdout.split()
    subprocess.run(["gcc", "-o", path, os.path.join(ROOT, "tests/ui/dragsource.c"), *flags], check=True)
    os.environ["SIGHTLINE_DRAG_SOURCE"] = path


def database():
    folder = os.path.join(REAL_HOME, ".var/app", APP_ID, "data", APP_ID)
    found = [path for path in glob.glob(os.path.join(folder, "*")) if path.endswith((".db", ".sqlite", ".sqlite3"))]
    check(len(found) == 1, "the history is not where a Flatpak keeps its data")
    return sqlite3.connect(found[0])


def stored_boxes():
    """x1 y1 x2 y2 (0 … 999) of every usable box of the history."""
    with database() as connection:
        return connection.execute("SELECT x1, y1, x2, y2 FROM box").fetchall()


def boxes_are_drawn(app):
    boxes = stored_boxes()
    check(len(boxes) == 1, f"one box is expected: {boxes}")
    (coords,) = boxes
    picture = app.find("image", r"Picture shapes-1\.png, 1 box")
    wait_for_box_lines(app, picture, coords, along=0.93)  # near a corner, where the circle is not


def history_is_there(session, shot):
    app = SandboxApp(session)
    app.find("frame", re.escape(QUESTION))
    app.find("panel", "Answer")
    session.screenshot(shot)
    app.close()


def first(folder):
    build_drag_source(folder)
    # A file that the sandbox cannot see.
    picture = os.path.join(folder, "shapes-1.png")
    shutil.copy(os.path.join(ROOT, "data/samples/shapes-1.png"), picture)
    with SandboxSession(window_manager=True) as session:
        app = SandboxApp(session)
        session.drag_from([picture], app.middle(app.composer()))
        app.find("image", r"Picture 1 of 1: shapes-1\.png")
        app.press("Find")
        app.write(QUESTION)
        session.key("Return")
        wait_for("the answer", lambda: app.has(None, "Answer"))
        app.wait_idle()
        wait_for("its status line", app.status)
        boxes_are_drawn(app)
        session.screenshot("flatpak-answer")
        app.close()
        history_is_there(session, "flatpak-restart")


def again(_folder):
    with SandboxSession(window_manager=True) as session:
        history_is_there(session, "flatpak-updated")


def main():
    folder = tempfile.mkdtemp(prefix="sightline-flatpak-", dir=os.path.join(ROOT, "build-flatpak"))
    os.environ.setdefault("SIGHTLINE_TEST_OUTPUT", os.path.join(ROOT, "build-flatpak", "screens"))
    try:
        write_launcher(folder)
        {"first": first, "again": again}[WHAT](folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
