# SPDX-License-Identifier: MIT
"""Conversations into a file from the window's menu and back, while it is used."""
import contextlib
import subprocess
import zipfile

from harness import App, Failure, Session, check, insist, run, sample, wait_for
from test_window import ask, quiet, thumbnail


def open_file(app, title, path, condition):
    """Types a path into the dialog that asks for files."""
    def dialog():
        return subprocess.run(["xdotool", "search", "--onlyvisible", "--name", f"^{title}$"], env=app.session.environment,
                              stdout=subprocess.PIPE, text=True).stdout.split()

    def type_path():
        for window in dialog()[:1]:
            with contextlib.suppress(subprocess.CalledProcessError):  # it went meanwhile
                app.session.xdotool("windowactivate", "--sync", window)
                app.session.enter_path(path)
                app.session.key("Return")  # the first may only end what is completed
                with contextlib.suppress(Failure):
                    wait_for("the dialog to close", lambda: not dialog(), 0.5)
                    return
                app.session.key("Return")
    wait_for("the file dialog", dialog)
    insist("what the file holds", type_path, condition)


def test_there_and_back():
    """What was said goes into a file that is whole, is deleted, and comes back as it was; twice is no more than once; a file that is none
    is said to be none."""
    with Session(window_manager=True) as session:
        app = App(session, sample("shapes-1.png"))
        app.find("image", thumbnail("shapes-1.png"))
        ask(app, "Look at this")
        target = session.path("talk.sightline")
        app.choose("Main Menu", "Export Conversation…")
        app.save_as("Export", target)
        app.find("label", "Exported to “talk.sightline”")
        with zipfile.ZipFile(target) as archive:
            check(archive.testzip() is None, "the file is not whole")
            names = archive.namelist()
        check(len([name for name in names if name.startswith("pictures/")]) == 1, f"its pictures are not there: {names}")
        app.choose("Main Menu", "Delete Conversation")
        app.gone("label", "Look at this")
        app.choose("Main Menu", "Import…")
        open_file(app, "Import Conversations", target, lambda: app.has("label", "1 conversation imported"))
        app.find("label", "Look at this")
        session.screenshot("exchange-imported")
        app.choose("Main Menu", "Import…")
        open_file(app, "Import Conversations", target, lambda: app.has("label", "Everything in it was here already"))

        row = session.path("row.html")
        app.choose_after(lambda: session.xdotool("mousemove", 60, 85, "click", 3), "Export…")
        app.save_as("Export", row)
        app.find("label", "Exported to “row.html”")
        with open(row, encoding="utf-8") as file:
            check("Look at this" in file.read(), "the page does not say what was asked")

        with open(session.path("none.sightline"), "w", encoding="utf-8") as file:
            file.write("nothing")
        app.choose("Main Menu", "Import…")
        open_file(app, "Import Conversations", session.path("none.sightline"),
                  lambda: app.has("label", "“none.sightline” does not hold conversations in a form that is known."))
        session.screenshot("exchange-none")
        session.key("Escape")
        app.gone("label", "No conversation was imported")
        app.close()
        quiet(app)


if __name__ == "__main__":
    run([test_there_and_back])
