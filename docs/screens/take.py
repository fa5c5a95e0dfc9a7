#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Takes the pictures of the window: `docs/screens/take.py [BUILD_DIR [OUTPUT_DIR]]`; the README and the store description show some
of them, the others are for the eye of whoever changes the window. Asks the bundled model about samples in a real window under Xvfb,
as tests/ui does; needs what `./dev test` installs."""
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "ui"))
from harness import App, Session, sample, wait_for  # noqa: E402
from test_folder import begin  # noqa: E402

OUTPUT = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else HERE).resolve()
SIZE = "1100x760"  # without the display's margin close to the 1000x700 that software centres like
QUESTIONS = [("tall.png", "Chat", "How many shapes are there?"),
             ("shapes-2.png", "Find", "yellow stars"),
             ("shapes-1.png", "Find", "the red circle")]  # the last one is shown
LIGHT, DARK = {"ADW_DEBUG_COLOR_SCHEME": "prefer-light"}, {"ADW_DEBUG_COLOR_SCHEME": "prefer-dark"}
VARIANTS = {"": ("1090x750", LIGHT), "-dark": ("1090x750", DARK),
            "-contrast": ("1090x750", {**LIGHT, "ADW_DEBUG_HIGH_CONTRAST": "1"}),
            "-zh_CN": ("1090x750", {**LIGHT, "LANGUAGE": "zh_CN"}),
            "-360": ("360x720", LIGHT), "-1280": ("1280x800", LIGHT)}


def ask(app, session, mode, text):
    app.press(mode)
    app.write(text)
    session.key("Return")
    wait_for("the answer", lambda: app.has(None, "Answer"))
    app.wait_idle()
    wait_for("its status line", app.status)


def start(session, size, environment):
    """The program with what it had at its last end, in another size or manner."""
    width, height = size.split("x")
    with open(session.path(".config/io.github.sightline.Sightline/window.ini")) as state:
        text = re.sub(r"width=\d+", "width=" + width, re.sub(r"height=\d+", "height=" + height, state.read()))
    with open(session.path(".config/io.github.sightline.Sightline/window.ini"), "w") as state:
        state.write(text)
    return App(session, environment=environment)


def shoot(session, name):
    session.move(*(int(side) - 1 for side in session.size.split("x")))
    path = session.screenshot(name)
    subprocess.run(["convert", path, "-trim", "+repage", "-strip", str(OUTPUT / (name + ".png"))], check=True)


def ask_all(session):
    """Three conversations; the last one is shown from then on."""
    app = App(session)
    for picture, mode, text in QUESTIONS:
        if not app.has("frame", "New Conversation"):
            session.key("ctrl+n")
        app.find("frame", "New Conversation")
        # A second start hands its picture to the first.
        subprocess.run([os.environ["SIGHTLINE"], sample(picture)], env=session.environment, check=True,
                       stderr=subprocess.DEVNULL)
        app.find("image", "Picture 1 of 1: .*")
        ask(app, session, mode, text)
        app.find("label", r".*" + re.escape(text))
    app.close()


def take_comparison(app, session):
    app.choose("More Actions", "Answer Again", "Answer Again With Another Seed")
    app.find("push button", "Previous Version")
    app.wait_idle()
    session.key("ctrl+d")
    app.find("list item", "Pair 1: .*")
    shoot(session, "compare")
    session.key("Escape")


def take_window():
    """The conversation and the inspector in every manner; names are found by what no language changes."""
    with Session("1300x820") as session:
        ask_all(session)
        for suffix, (size, environment) in VARIANTS.items():
            app = start(session, size, environment)
            words = QUESTIONS[-1][2]
            chip = app.find("push button", r".* 1.*" + re.escape(words))
            wait_for("the picture", lambda: max((app.extents(node)[2] for node in app.all("image", r".*shapes-1.*1 .*")),
                                                default=0) > 100)
            shoot(session, "window" + suffix)
            chip.press()
            app.find("label", r"480 × 360 .*")
            shoot(session, "inspector" + suffix)
            session.key("Escape")
            app.find("push button", r".* 1.*" + re.escape(words))
            if suffix == "":
                take_comparison(app, session)
                app.press("Previous Version")
            app.close()


def take_large():
    """The inspector on a 4K display, at half its size."""
    with Session("3840x2160") as session:
        ask_all(session)
        app = App(session, environment=DARK)
        app.find("push button", r".* 1.*" + re.escape(QUESTIONS[-1][2])).press()
        app.find("label", r"480 × 360 .*")
        shoot(session, "inspector-4k")
        subprocess.run(["mogrify", "-resize", "50%", "-strip", str(OUTPUT / "inspector-4k.png")], check=True)
        app.close()


def take_folder():
    """A folder that has been asked about, part of it looked through."""
    with Session(SIZE, window_manager=True) as session:
        folder = session.path("Parts")
        os.makedirs(folder)
        for n in range(24):
            shutil.copy(ROOT / "tests" / "demo" / f"scene-{n:04d}.png", folder)
        app = App(session, environment=LIGHT)
        app.find("label", "Demo model: .*")
        begin(app, folder, "24 pictures", "rings")
        app.find("label", "24 of 24 answered · .*")
        app.press("Review")
        app.find("label", "Picture 1 of 24 · .*")
        for n in range(2, 6):
            session.key("shift+Return")
            app.find("label", f"Picture {n} of 24 · .*")
        session.key("Escape")
        app.find("label", ".* 4 reviewed")
        shoot(session, "folder")
        app.close()


def take_preferences(name, page, prepare):
    """A page of the preferences, cut out of the display."""
    with Session(SIZE, window_manager=True) as session:
        app = App(session)
        app.choose_after(lambda: session.key("F10"), page)
        prepare(app)
        wait_for("the dialog", lambda: len(app.windows()) == 2)
        path = session.screenshot(name)
        left, top = session._geometry(app.windows()[-1])  # pylint: disable=protected-access
        subprocess.run(["convert", path, "-crop", f"640x640+{left}+{top}", "+repage", "-strip", str(OUTPUT / (name + ".png"))], check=True)
        session.key("Escape")
        wait_for("the dialog to close", lambda: len(app.windows()) == 1)
        app.close()


def test_self(app):
    app.press("Run")
    wait_for("the results", lambda: len(app.all("label", r".*differs from the reference.*")) == 2)


def main(build_dir):
    os.environ["SIGHTLINE"] = str(build_dir / "ui" / "sightline")
    os.environ["SIGHTLINE_DATA"] = str(ROOT / "data")
    OUTPUT.mkdir(parents=True, exist_ok=True)
    for take in (take_window, take_large, take_folder,
                 lambda: take_preferences("models", "Models…", lambda app: app.find("label", r"Fits your .* a second\..*")),
                 lambda: take_preferences("diagnostics", "Diagnostics", test_self)):
        # A session's bus is known to its process for good: one process each.
        child = os.fork()
        if child == 0:
            take()
            os._exit(0)
        if os.waitpid(child, 0)[1] != 0:
            sys.exit("the pictures could not be taken")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build").resolve())
