#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Takes the pictures of the window that the README and the store description show: `docs/screens/take.py [BUILD_DIR]`.
Asks the bundled model about a sample in a real window under Xvfb, as tests/ui does; needs what `./dev test` installs."""
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "ui"))
from harness import App, Session, wait_for  # noqa: E402

SIZE = "1100x760"  # with its frame no larger than the 1000x700 that software centres like, once the display's margin is cut


def ask(app, session, mode, text):
    answers = len(app.all(None, "Answer"))
    app.press(mode)
    app.write(text)
    session.key("Return")
    wait_for("the answer", lambda: len(app.all(None, "Answer")) > answers)
    app.wait_idle()


def main(build_dir):
    os.environ["SIGHTLINE"] = str(build_dir / "ui" / "sightline")
    os.environ["SIGHTLINE_DATA"] = str(ROOT / "data")
    with Session(SIZE) as session:
        app = App(session, str(ROOT / "data" / "samples" / "shapes-1.png"))
        app.find("image", "Picture 1 of 1: .*")
        ask(app, session, "Find", "the red circle")
        session.move(5, 5)
        path = session.screenshot("window")
        subprocess.run(["convert", path, "-trim", "+repage", "-strip", str(HERE / "window.png")], check=True)
        app.close()


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build").resolve())
