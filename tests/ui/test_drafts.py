# SPDX-License-Identifier: MIT
"""What is being written stays where it is written: across conversations, restarts, crashes, edits and templates."""
import contextlib
import sqlite3

from harness import App, Session, check, run, sample, wait_for


def ask(app, text):
    before = len(app.all(None, "Answer"))
    app.write(text)
    app.session.key("Return")
    wait_for("the answer's row", lambda: len(app.all(None, "Answer")) == before + 1)
    app.wait_idle()


def written(app, text):
    wait_for(f"{text!r} in the message", lambda: app.composer().text() == text)


def quiet(app):
    check(not app.complaints(), f"the program wrote: {app.complaints()[:3]}")


def test_each_conversation_has_its_own():
    """Words do not follow into another conversation, and are there again when theirs is; nothing is asked anywhere by it."""
    with Session(window_manager=True) as session:
        app = App(session)
        ask(app, "first question")
        app.key_for("ctrl+n", "frame", "New Conversation")
        ask(app, "second question")
        app.write("half a question ")
        written(app, "half a question ")
        session.click(*app.place("label", "first question"))
        app.find("frame", "first question")
        written(app, "")
        session.key("Return")
        app.write("quarter")
        session.click(*app.place("label", "second question"))
        app.find("frame", "second question")
        written(app, "half a question ")
        session.click(*app.place("label", "first question"))
        app.find("frame", "first question")
        written(app, "quarter")
        check(len(app.all(None, "Answer")) == 1, "something was asked")
        app.close()

        app = App(session)
        app.find("frame", "first question")
        written(app, "quarter")
        session.click(*app.place("label", "second question"))
        app.find("frame", "second question")
        written(app, "half a question ")
        app.close()
        quiet(app)


def kept(session, text):
    """Whether the history holds these words as a draft: asked from outside, while the program runs."""
    path = session.path(".local/share/io.github.sightline.Sightline/history.db")
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return database.execute("SELECT count(*) FROM draft_part WHERE text = ?", (text,)).fetchone()[0]


def test_back_after_a_crash():
    """Text and pictures of a conversation that has not begun, after kill -9; asked then, they are not there a second time."""
    with Session() as session:
        app = App(session, sample("shapes-1.png"))
        app.find("image", r"Picture 1 of 1: shapes-1\.png")
        app.write("what is")
        wait_for("the draft on the disk", lambda: kept(session, "what is"))
        app.kill()
        app = App(session)
        app.find("image", r"Picture 1 of 1: shapes-1\.png")
        wait_for("the words", lambda: app.composer().text().endswith("what is"))
        app.focus_composer()
        session.key("ctrl+End")
        session.type(" there?")
        session.key("Return")
        wait_for("the answer's row", lambda: len(app.all(None, "Answer")) == 1)
        app.wait_idle()
        wait_for("no draft", lambda: not kept(session, "what is"))
        app.kill()
        app = App(session)
        app.find("label", r".*what is there\?.*")
        written(app, "")
        app.close()
        quiet(app)


def test_edit_keeps_what_was_written():
    with Session(window_manager=True) as session:
        app = App(session)
        ask(app, "first question")
        app.write("next one")
        app.press("Edit and Ask Again")
        written(app, "first question")
        app.write(" changed")
        wait_for("the draft on the disk", lambda: kept(session, "first question changed"))
        app.key_for("ctrl+n", "frame", "New Conversation")
        written(app, "")
        session.click(*app.place("label", "first question"))
        written(app, "first question changed")
        app.press(".*Cancel.*")
        written(app, "next one")

        app.press("Edit and Ask Again")
        written(app, "first question")
        app.focus_composer()
        session.key("Return")
        app.find("push button", "Previous Version")
        app.wait_idle()
        written(app, "next one")
        app.close()
        app = App(session)
        app.find("frame", "first question")
        written(app, "next one")
        app.close()
        quiet(app)


def test_template_can_be_undone():
    with Session(window_manager=True) as session:
        app = App(session, sample("shapes-1.png"))
        app.find("image", r"Picture 1 of 1: shapes-1\.png")
        app.write("my own words")
        before = app.composer().text()
        app.choose("More Options", "Templates", "Describe Each Step")
        wait_for("the template", lambda: app.composer().text() != before)
        app.find("image", r"Picture 1 of 1: shapes-1\.png")
        app.focus_composer()
        session.key("ctrl+z")
        wait_for("the words", lambda: app.composer().text() == before)
        app.find("image", r"Picture 1 of 1: shapes-1\.png")
        app.close()
        quiet(app)


if __name__ == "__main__":
    run([test_each_conversation_has_its_own, test_back_after_a_crash, test_edit_keeps_what_was_written,
         test_template_can_be_undone])
