# SPDX-License-Identifier: MIT
"""A history that cannot be used: the bar that says so, closing that asks, and the ways out, in the real window."""
import contextlib
import fcntl
import os
import sqlite3

from harness import App, Session, check, run, sample, wait_for

NOT_SAVED = r".*[1-9][0-9]* changes? (is|are) not saved.*"


def folder(session):
    return session.path(".local/share/io.github.sightline.Sightline")


def ask(app, text):
    before = len(app.all(None, "Answer"))
    app.write(text)
    app.session.key("Return")
    wait_for("the answer's row", lambda: len(app.all(None, "Answer")) == before + 1)
    app.wait_idle()


def quiet(app):
    check(not app.complaints(), f"the program wrote: {app.complaints()[:3]}")


def make_unreadable(session):
    path = os.path.join(folder(session), "history.db")
    with open(path, "wb") as database:
        database.write(b"this is no database, only some text, and it is long enough to be a header" * 100)


def test_locked_for_a_while():
    """What is asked while another program holds the history is saved once it lets go, without anybody's help."""
    with Session(window_manager=True) as session:
        os.makedirs(folder(session), mode=0o700)
        with open(os.path.join(folder(session), "history.lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            app = App(session)
            app.find("push button", r".*Try Again")
            ask(app, "precious question")
            app.find("label", NOT_SAVED)
            session.screenshot("store-locked")
        app.gone("push button", r".*Try Again")
        app.close()
        app = App(session)
        app.find("label", r".*precious question.*")
        app.close()
        quiet(app)


def test_close_asks():
    """Closing with something unsaved asks; keeping it open keeps it, and what the history holds by then is not asked about."""
    with Session(window_manager=True) as session:
        os.makedirs(folder(session), mode=0o700)
        make_unreadable(session)
        app = App(session)
        app.find("push button", r".*Repair…")
        ask(app, "precious question")
        app.find("label", NOT_SAVED)
        app.key_for("ctrl+q", "push button", r".*Keep Open")
        session.screenshot("store-close")
        app.answer_dialog(r".*Keep Open")
        check(app.process.poll() is None, "the program ended")
        app.find("label", r".*precious question.*")

        app.press(r".*Start a New History…")
        app.find("push button", r".*Start a New One")
        session.screenshot("store-begin")
        app.answer_dialog(r".*Start a New One")
        app.find("label", r".*The old one is kept in.*")
        app.press(r".*Dismiss")
        app.gone("label", r".*The old one is kept in.*")
        app.gone("push button", r".*Repair…")
        app.close()

        app = App(session)
        app.find("label", r".*precious question.*")
        app.close()
        quiet(app)
        kept = os.path.join(folder(session), "kept")
        check(len(os.listdir(kept)) == 1, "the old history is not kept")


def test_close_without_saving():
    with Session(window_manager=True) as session:
        os.makedirs(folder(session), mode=0o700)
        make_unreadable(session)
        app = App(session)
        ask(app, "not so precious")
        app.find("label", NOT_SAVED)
        app.key_for("ctrl+q", "push button", r".*Close Without Saving")
        app.press(r".*Close Without Saving")
        wait_for("the program's end", lambda: app.process.poll() is not None)
        check(app.process.returncode == 0, f"exit status {app.process.returncode}")
        quiet(app)


def test_damaged_in_the_middle():
    """Damage is met while the window runs: the bar says so, and a repair brings back what can be read."""
    with Session(window_manager=True) as session:
        app = App(session, sample("shapes-1.png"))
        app.find("image", r"Picture 1 of 1: shapes-1\.png")
        ask(app, "What is there?")
        app.close()
        path = os.path.join(folder(session), "history.db")
        with contextlib.closing(sqlite3.connect(path)) as database:
            (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'message_part'").fetchone()
        with open(path, "r+b") as database:
            database.seek((page - 1) * 4096)
            database.write(bytes(range(256)) * 16)
        app = App(session)
        app.find("push button", r".*Repair…")
        ask(app, "precious question")
        session.screenshot("store-damaged")
        app.press(r".*Repair…")
        app.find("push button", r".*Repair")
        session.screenshot("store-repair")
        app.answer_dialog(r".*Repair")
        app.find("label", r"Recovered: .*")
        session.screenshot("store-repaired")
        app.gone("push button", r".*Repair…")
        app.close()
        app = App(session)
        app.find("label", r".*precious question.*")
        app.close()
        quiet(app)


def test_unsaved_conversations_are_listed():
    """While nothing can be saved, a conversation that is left can be gone back to."""
    with Session(window_manager=True) as session:
        os.makedirs(folder(session), mode=0o700)
        make_unreadable(session)
        app = App(session)
        ask(app, "first question")
        app.key_for("ctrl+n", "frame", "New Conversation")
        ask(app, "second question")
        app.find("frame", "second question")
        session.click(*app.place("label", "first question"))
        app.find("frame", "first question")
        session.screenshot("store-unsaved")
        app.press(r".*Start a New History…")
        app.find("push button", r".*Start a New One")
        app.answer_dialog(r".*Start a New One")
        app.find("label", r".*The old one is kept in.*")
        app.press(r".*Dismiss")
        app.gone("label", r".*The old one is kept in.*")
        app.close()
        app = App(session)
        app.find("label", "second question")
        app.find("frame", "first question")
        app.close()
        quiet(app)


if __name__ == "__main__":
    run([test_locked_for_a_while, test_close_asks, test_close_without_saving, test_damaged_in_the_middle,
         test_unsaved_conversations_are_listed])
