#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Takes the pictures of the window that the README and the store description show: `docs/screens/take.py [BUILD_DIR]`.
Asks the bundled model about a sample in a real window under Xvfb, as tests/ui does; needs what `./dev test` installs."""
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "ui"))
from harness import App, Session, sample, wait_for  # noqa: E402

SIZE = "1100x760"  # without the display's margin close to the 1000x700 that software centres like
QUESTIONS = [("tall.png", "Chat", "How many shapes are there?"),
             ("shapes-2.png", "Find", "yellow stars"),
             ("shapes-1.png", "Find", "the red circle")]  # the last one is shown


def ask(app, session, mode, text):
    app.press(mode)
    app.write(text)
    session.key("Return")
    wait_for("the answer", lambda: app.has(None, "Answer"))
    app.wait_idle()
    wait_for("its status line", app.status)


def take(name, environment):
    with Session(SIZE, environment=environment) as session:
        app = App(session)
        for picture, mode, text in QUESTIONS:
            session.key("ctrl+n")
            app.find("frame", "New Conversation")
            # A second start hands its picture to the first.
            subprocess.run([os.environ["SIGHTLINE"], sample(picture)], env=session.environment, check=True,
                           stderr=subprocess.DEVNULL)
            app.find("image", "Picture 1 of 1: .*")
            ask(app, session, mode, text)
            app.find("frame", re.escape(text))
        session.move(5, 5)
        path = session.screenshot(name)
        subprocess.run(["convert", path, "-trim", "+repage", "-strip", str(HERE / (name + ".png"))], check=True)
        app.close()


def take_preferences(name, page, prepare):
    """A page of the preferences, cut out of the display."""
    with Session(SIZE, window_manager=True) as session:
        app = App(session)
        session.key("F10")
        app.find("menu item", page).queryAction().doAction(0)
        prepare(app)
        wait_for("the dialog", lambda: len(app.windows()) == 2)
        path = session.screenshot(name)
        left, top = session._geometry(app.windows()[-1])  # pylint: disable=protected-access
        subprocess.run(["convert", path, "-crop", f"640x640+{left}+{top}", "+repage", "-strip", str(HERE / (name + ".png"))], check=True)
        session.key("Escape")
        wait_for("the dialog to close", lambda: len(app.windows()) == 1)
        app.close()


def test_self(app):
    app.press("Run")
    wait_for("the results", lambda: len(app.all("label", r".*differs from the reference.*")) == 2)


def main(build_dir):
    os.environ["SIGHTLINE"] = str(build_dir / "ui" / "sightline")
    os.environ["SIGHTLINE_DATA"] = str(ROOT / "data")
    for name, scheme in (("window", "prefer-light"), ("window-dark", "prefer-dark")):
        # A session's bus is known to its process for good: one process each.
        child = os.fork()
        if child == 0:
            take(name, {"ADW_DEBUG_COLOR_SCHEME": scheme})
            os._exit(0)
        if os.waitpid(child, 0)[1] != 0:
            sys.exit(f"{name}.png could not be taken")
    for name, page, prepare in (("models", "Models…", lambda app: app.find("label", "Compute on")),
                                ("diagnostics", "Diagnostics", test_self)):
        child = os.fork()
        if child == 0:
            take_preferences(name, page, prepare)
            os._exit(0)
        if os.waitpid(child, 0)[1] != 0:
            sys.exit(f"{name}.png could not be taken")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build").resolve())
