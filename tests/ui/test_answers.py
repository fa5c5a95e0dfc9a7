# SPDX-License-Identifier: MIT
"""How answers stand in the conversation: what is wide, what is long, what is turned to and what is found."""
import contextlib
import os
import sqlite3

from harness import App, Session, check, rewrite_answer, run, sample, wait_for
from test_window import ask, quiet, thumbnail

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Total", "Average"]
WIDE = "\n".join([
    "Before the table.", "",
    "|Month|" + "|".join(MONTHS) + "|",
    "|---" * (len(MONTHS) + 1) + "|",
    "|Umsatzerlöse|" + "|".join(f"{n * 79.19:.2f}" for n in range(len(MONTHS))) + "|",
    "|a cell of so many words that it has to be written on two lines|" + "|".join(f"{n * 1047.29:,.2f}" for n in range(len(MONTHS)))
    + "|", "",
    "> " * 30 + "a deep quote", "",
    *("   " * n + f"- level {n}" for n in range(30)), "",
    "The end of it.",
])


def test_wide_content():
    """A table scrolls inside of itself, and what is deep is not indented for ever: the window stays as wide as it was."""
    for size in ("370x700", "1270x800"):
        width = int(size.split("x", maxsplit=1)[0])
        with Session(size=size) as session:
            app = App(session, sample("shapes-1.png"))
            app.find("image", thumbnail("shapes-1.png"))
            ask(app, "the months")
            before = app.extents(app.find("frame"))[2]
            app.close()
            rewrite_answer(session, WIDE, [])
            app = App(session)
            app.find("label", "The end of it.")
            wait_for("the window as wide as it was", lambda: app.extents(app.find("frame"))[2] == before)
            left, _, wide, _ = app.extents(app.find("push button", "Send"))
            check(left > 0 and left + wide <= width, f"{size}: Send is at {left}, {wide} wide")
            if width > 1000:
                check(app.extents(app.find("list", "Conversations"))[0] >= 0, f"{size}: the side bar has gone")
            row = ["Umsatzerlöse"] + [f"{n * 79.19:.2f}" for n in range(len(MONTHS))]
            places = [app.extents(app.find("label", text.replace(".", r"\."))) for text in row]
            for one, next_one in zip(places, places[1:]):
                check(one[0] + one[2] <= next_one[0], f"{size}: cells lie on each other: {places}")
            # No letter of this font is as narrow as 5 pixels in the mean of a word.
            for text, place in zip(row, places):
                check(place[2] >= 5 * len(text), f"{size}: {text} is painted out of its {place[2]} pixels")
            check(places[-1][0] > width, f"{size}: the last column is squeezed into sight: {places[-1]}")
            tall = app.extents(app.find("label", "a cell of so many words.*"))[3]
            check(tall > 1.5 * places[0][3], f"{size}: the long cell is {tall} high")
            app.close()
            quiet(app)


@contextlib.contextmanager
def opened_history(session):
    """The database, while the program is not running."""
    path = session.path(".local/share/io.github.sightline.Sightline")
    (name,) = [name for name in os.listdir(path) if name.endswith((".db", ".sqlite", ".sqlite3"))]
    with contextlib.closing(sqlite3.connect(os.path.join(path, name))) as database, database:
        yield database


def add_message(database, parent, role, text, ordinal=0):
    """Below another one, in the only conversation; its id."""
    columns = "conversation, mode, raw, created"
    (identity,) = database.execute("SELECT max(id) + 1 FROM message").fetchone()
    database.execute(f"INSERT INTO message(id, parent, ordinal, role, status, {columns}) "
                     f"SELECT ?, ?, ?, ?, 0, {columns} FROM message WHERE parent IS NULL", (identity, parent, ordinal, role))
    database.execute("INSERT INTO message_part(message, position, kind, text) VALUES (?, 0, 0, ?)", (identity, text))
    database.execute("INSERT INTO message_index(rowid, body) VALUES (?, ?)", (identity, text))
    database.execute("UPDATE conversation SET active_leaf = ?", (identity,))
    return identity


def add_turns(database, parent, turns, name=""):
    for turn in range(turns):
        question = add_message(database, parent, 1, f"{name}question {turn:04}")
        parent = add_message(database, question, 2, f"{name}answer {turn:04}\n\nwith\n\nsome\n\nlines")
    return parent


def test_paging_and_search():
    """Of 600 messages some hundred have rows; scrolling goes on at either edge by itself, and what a search finds is brought into sight."""
    with Session() as session:
        app = App(session)
        ask(app, "one")
        app.close()
        with opened_history(session) as database:
            (first,) = database.execute("SELECT id FROM message WHERE role = 2").fetchone()
            add_turns(database, first, 300)
        app = App(session)
        app.find("label", "question 0299")
        check(not app.has("label", "question 0100"), "all rows are there at once")
        check(len(app.all("panel", "Question")) <= 50, f"{len(app.all('panel', 'Question'))} questions have rows")

        def at_top():
            """The number of the first question that is in sight."""
            inside = [node for node in app.all("label", "question [0-9]+") if 120 < node.extents()[1] < 600]
            return int(inside[0].name.split()[1]) if inside else None
        x, y = 700, 400
        seen = [wait_for("a question in sight", at_top)]
        session.xdotool("mousemove", x, y)
        while seen[-1] > 230:
            session.xdotool("click", "--repeat", 60, "--delay", 5, 4)
            now = wait_for("a question in sight", at_top)
            if now != seen[-1]:
                check(0 < seen[-1] - now < 40, f"scrolling up jumps: {seen} {now}")
                seen.append(now)
        while seen[-1] < 270:
            session.xdotool("click", "--repeat", 60, "--delay", 5, 5)
            now = wait_for("a question in sight", at_top)
            if now != seen[-1]:
                check(0 < now - seen[-1] < 40, f"scrolling down jumps: {seen} {now}")
                seen.append(now)
        check(len(app.all("panel", "Question")) <= 50, "rows are not taken away again")
        check(not app.has("label", "question 0100"), "rows are not taken away again")

        session.key("ctrl+shift+f")
        session.type("0042")
        hit = app.find("label", ".*answer 0042.*|.*question 0042.*")
        session.click(*app.middle(hit))
        row = wait_for("the message that was found", lambda: next(
            (node for node in app.all("panel", "Answer|Question") if node.has_state("selected")), None))
        wait_for("it in sight", lambda: 60 < app.extents(row)[1] < 600)
        check(app.has("label", "answer 0042"), "another message is marked")
        app.find("push button", "Scroll to the End").press()
        app.find("label", "question 0299")
        app.close()
        quiet(app)


def test_versions_stay_in_place():
    """Turning to another version of an early answer shows it where the first one was, not the end of the conversation."""
    with Session() as session:
        app = App(session)
        ask(app, "one")
        app.close()
        with opened_history(session) as database:
            question, first = (database.execute("SELECT id FROM message WHERE role = ?", (role,)).fetchone()[0] for role in (1, 2))
            other = add_message(database, question, 2, "another answer", 1)
            add_turns(database, other, 20, "other ")
            last = add_turns(database, first, 20)
            database.execute("UPDATE conversation SET active_leaf = ?", (last,))
        app = App(session)
        app.find("label", "question 0019")
        session.xdotool("mousemove", 700, 400)

        def at_top():
            session.xdotool("click", "--repeat", 20, "--delay", 5, 4)
            return app.extents(app.find("panel", "Question"))[1] > 60
        wait_for("the first question", at_top)
        place = app.extents(app.find("panel", "Answer"))[1]
        app.find("push button", "Next Version").press()
        app.find("label", "another answer")
        app.find("label", "other question 0019")
        wait_for("the other answer in the place of the first", lambda: abs(app.extents(app.find("panel", "Answer"))[1] - place) <= 1)
        app.focus_composer()
        session.type("x")
        wait_for("what is written", lambda: app.composer().text() == "x")
        check(abs(app.extents(app.find("panel", "Answer"))[1] - place) <= 1, "it has gone from its place")
        app.close()
        quiet(app)


def selected(app):
    """What is selected in the labels that are there."""
    return [text for text in (node.selected_text() for node in app.all("label") if "找" in node.name or "answer" in node.name) if text]


def test_find_in_conversation():
    """Ctrl+F finds words in all messages, whatever their case, also where no row is yet, and Chinese; the words are selected."""
    with Session() as session:
        app = App(session)
        ask(app, "one")
        app.close()
        with opened_history(session) as database:
            (first,) = database.execute("SELECT id FROM message WHERE role = 2").fetchone()
            odd = add_message(database, add_message(database, first, 1, "question about it"), 2, "我找到红色的圆形 in the answer")
            add_turns(database, odd, 150)
        app = App(session)
        app.find("label", "question 0149")
        app.key_for("ctrl+f", "entry", "Find in this conversation")
        entry = app.find("entry", "Find in this conversation")
        entry.set_text("ANSWER 0007")
        row = app.find("label", "answer 0007")
        wait_for("it in sight", lambda: 60 < app.extents(row)[1] < 700)
        wait_for("the words selected", lambda: selected(app) == ["answer 0007"])
        entry = app.find("entry", "Find in this conversation")
        entry.set_text("红色")
        wait_for("the Chinese words selected", lambda: "红色" in selected(app))
        app.find("entry", "Find in this conversation").set_text("answer 01")
        wait_for("the last one", lambda: app.has("label", "answer 0149"))
        app.press("Previous Match")
        wait_for("the one before", lambda: any(node.has_state("selected") and app.extents(node)[1] > 0 for node in app.all("panel", "Answer")))
        app.find("entry", "Find in this conversation").set_text("nowhere to be seen")
        app.find("label", "Nothing was found")
        place = [app.extents(node) for node in app.all("label", "answer [0-9]+")]
        session.key("ctrl+f", "Escape")
        wait_for("the keyboard in the message", lambda: app.composer().has_state("focused"))
        session.type("x")
        wait_for("what is written", lambda: app.composer().text() == "x")
        check(len(place) == len(app.all("label", "answer [0-9]+")) and place, "other messages are there")
        app.close()
        quiet(app)


if __name__ == "__main__":
    run([test_wide_content, test_paging_and_search, test_versions_stay_in_place, test_find_in_conversation])
