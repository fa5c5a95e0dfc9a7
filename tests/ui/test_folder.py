# SPDX-License-Identifier: MIT
"""A folder that is asked about, from its choice to the export of what was accepted, with the keyboard; and again after a restart."""
import contextlib
import json
import os
import subprocess
import shutil

from harness import App, Session, check, insist, run, sample, wait_for
from test_window import quiet

PICTURES = ["shapes-1.png", "shapes-2.png", "wide.png"]


def fill(folder):
    os.makedirs(folder)
    for name in PICTURES:
        shutil.copy(sample(name), folder)
    with open(os.path.join(folder, "broken.png"), "w", encoding="ascii") as broken:
        broken.write("no picture")


def file_dialog(app):
    """Windows of the desktop's own dialogs, whose title begins with a capital verb."""
    found = subprocess.run(["xdotool", "search", "--onlyvisible", "--name", "^Choose "], env=app.session.environment,
                           stdout=subprocess.PIPE, text=True, check=False)
    return found.stdout.split()


def type_path(app, path):
    for window in file_dialog(app)[:1]:
        with contextlib.suppress(subprocess.CalledProcessError):  # it went meanwhile
            app.session.xdotool("windowactivate", "--sync", window)
            app.session.enter_path(path)
            app.session.key("Return")


def choose_folder(app, path):
    app.choose_after(lambda: app.session.key("F10"), "Ask About a Folder…")
    wait_for("the file dialog", lambda: any(file_dialog(app)))
    insist("the question about the folder", lambda: type_path(app, path), lambda: app.has("text", "What to Ask About Each Picture"))


def begin(app, folder, count, words):
    choose_folder(app, folder)
    app.find("label", count)
    insist("the words", lambda: app.find("text", "What to Ask About Each Picture").set_text(words),
           lambda: app.find("push button", ".*Ask").has_state("sensitive"))
    app.answer_dialog(".*Ask")


def see_table(app):
    app.find("label", "3 of 4 answered · 1 failed · 0 reviewed")
    for name in PICTURES:
        app.find("image", name + ", .*")
    app.find("image", r"broken\.png, .*broken\.png.*")


def review(app):
    """One accepted, one rejected with all its boxes, one corrected; each key leads on."""
    session = app.session
    app.press("Review")
    app.find("list item", r"Box 1: star, .*")
    session.key("Return")
    app.find("label", "Picture 2 of 3 · .*")
    session.key("Prior")
    app.find("list item", r"Box 1: star, .* · Accepted")
    session.key("Next")
    app.find("label", "Picture 2 of 3 · .*")
    session.key("shift+Delete")
    app.find("label", "Picture 3 of 3 · .*")
    app.find("list item", r"Box 1: star, .*")
    session.key("alt+Right")
    app.find("list item", r"Box 1: star, .* · Edited")
    session.key("shift+Return")
    app.find("label", "3 of 4 answered · 1 failed · 3 reviewed")


def export(app, folder):
    """A COCO set into that folder: the pictures that were looked through, and of their boxes those that were accepted or corrected."""
    app.choose("Folder Actions", "Export What Was Accepted…")
    app.find("label", "The boxes that you accepted or corrected, .*")
    app.session.key("Return")
    wait_for("the file dialog", lambda: any(file_dialog(app)))
    os.makedirs(folder)
    annotations = os.path.join(folder, "shapes-1-coco", "annotations.json")
    insist("the export", lambda: type_path(app, folder), lambda: os.path.exists(annotations))
    with open(annotations, encoding="utf-8") as file:
        coco = json.load(file)
    names = {image["id"]: image["file_name"] for image in coco["images"]}
    check(sorted(os.path.basename(name) for name in names.values()) == sorted(PICTURES), names)
    boxes = sorted(os.path.basename(names[box["image_id"]]) for box in coco["annotations"])
    check(boxes == ["shapes-1.png", "wide.png"], boxes)


def again(session):
    """What was asked and said is there at the next start."""
    app = App(session)
    row = app.find("label", "pictures: star")
    insist("the folder", lambda: session.click(*app.middle(row)), lambda: app.has("label", "3 of 4 answered · 1 failed · 3 reviewed"))
    app.find("image", r"shapes-1\.png, .*, reviewed")
    session.key("Escape")
    app.find("text", "Message")
    app.close()
    quiet(app)


def test_folder():
    with Session(window_manager=True) as session:
        folder = session.path("pictures")
        fill(folder)
        app = App(session)
        app.find("label", "Demo model: .*")
        begin(app, folder, "4 pictures", "star")
        see_table(app)
        review(app)
        export(app, session.path("set"))
        app.close()
        quiet(app)
        again(session)


if __name__ == "__main__":
    run([test_folder])
