# SPDX-License-Identifier: MIT
"""Drops after each other, with something else on the screen in between."""
import os
import shutil

from harness import App, Session, check, run, sample
from test_window import quiet, thumbnail


def test_drop_again():
    """The text below a dropped picture takes no part in it, so it may be hidden before the next drop."""
    with Session() as session:
        app = App(session)
        session.drag_from([sample("shapes-1.png")], app.middle(app.composer()))
        session.click(*app.middle(app.find("image", thumbnail("shapes-1.png"))))
        app.find("push button", "Back to the Conversation")
        session.key("Escape")
        session.drag_from([sample("shapes-2.png")], app.middle(app.composer()))
        app.find("image", thumbnail("shapes-2.png", 2, 2))
        check(app.composer().text().strip("\ufffc") == "", "a drop was also inserted as text")
        app.close()
        quiet(app)


def test_drop_folder():
    """A folder stands for the pictures in it, whatever else it holds; one without any says so and its name."""
    with Session() as session:
        folder, empty = session.path("holiday"), session.path("papers")
        os.makedirs(os.path.join(folder, "raw.png"))
        os.makedirs(empty)
        for name in ("b.png", "a.png", ".hidden.png", "raw.png/c.png", "notes.txt"):
            shutil.copy(sample("shapes-1.png"), os.path.join(folder, name))
        shutil.copy(sample("shapes-1.png"), os.path.join(empty, "letter.txt"))
        app = App(session)
        session.drag_from([folder], app.middle(app.composer()))
        app.find("image", thumbnail("a.png", 1, 2))
        app.find("image", thumbnail("b.png", 2, 2))
        session.drag_from([empty], app.middle(app.composer()))
        app.find("label", "There is no picture in the folder “papers”.")
        check(not app.has("image", thumbnail("letter.txt", 3, 3)), "a text was taken")
        app.close()
        quiet(app)


if __name__ == "__main__":
    run([test_drop_again, test_drop_folder])
