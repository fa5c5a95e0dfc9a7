# SPDX-License-Identifier: MIT
"""Drops after each other, with something else on the screen in between."""
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


if __name__ == "__main__":
    run([test_drop_again])
