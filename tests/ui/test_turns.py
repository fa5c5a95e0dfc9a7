# SPDX-License-Identifier: MIT
"""What can be done with a turn that is there: from its menu, with a way back."""
import subprocess

from harness import App, Session, check, insist, rewrite_answer, run, sample, wait_for
from test_answers import opened_history
from test_window import ask, quiet, thumbnail

TEXT = "<|ref|>a **bold** star<|/ref|><|det|>[[100, 100, 500, 500]]<|/det|> and\n\n|a|b|\n|---|---|\n|1|2|\n"


def clipboard(session):
    return subprocess.run(["xclip", "-selection", "clipboard", "-o"], env=session.environment, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True).stdout


def copied(app, button, entry):
    """What is in the clipboard after an entry of a turn's menu."""
    subprocess.run(["xclip", "-selection", "clipboard", "-i", "/dev/null"], env=app.session.environment, check=True)
    app.choose(button, entry)
    return wait_for(f"a copy after {entry}", lambda: clipboard(app.session))


def test_copy_and_quote():
    """An answer as it is read, as Markdown, as the model wrote it; a quote, of all or of what is selected; what the model reads."""
    with Session(window_manager=True) as session:
        app = App(session, sample("shapes-1.png"))
        app.find("image", thumbnail("shapes-1.png"))
        ask(app, "Where?")
        app.close()
        rewrite_answer(session, TEXT, [("a **bold** star", 0, (100, 100, 500, 500), "ok")])
        app = App(session)
        app.find("push button", "Box 1: .*")
        check(copied(app, "More Actions", "Copy as Text") == "a bold star and\n\na\tb\n1\t2", clipboard(session))
        check(copied(app, "More Actions", "Copy as Markdown").startswith("a **bold** star and\n\n|a|b|"), clipboard(session))
        check(copied(app, "More Actions", "Copy Raw Model Text") == TEXT, clipboard(session))
        check(copied(app, "Copy Table", "Copy for a Spreadsheet") == "a\tb\n1\t2\n", clipboard(session))
        check(copied(app, "Copy Table", "Copy as CSV") == "a,b\n1,2\n", clipboard(session))
        check(copied(app, "Question Actions", "Copy as Markdown") == "![shapes-1.png]\nWhere?", clipboard(session))

        app.choose("Question Actions", "Quote in the Next Question")
        wait_for("the quote", lambda: "> Where?" in app.composer().text())
        check("> ![shapes-1.png]" in app.composer().text(), "the picture's name is not in the quote")
        session.key("ctrl+a", "Delete")
        wait_for("nothing", lambda: app.composer().text() == "")
        insist("the selection", lambda: session.xdotool("mousemove", *app.place("label", "2"), "click", "--repeat", 2, "--delay", 20, 1),
               lambda: app.find("label", "2").selected_text() == "2")
        app.choose("More Actions", "Quote in the Next Question")
        wait_for("the quote of the selection", lambda: app.composer().text() == "> 2\n")

        app.choose("Question Actions", "Show What the Model Reads")
        raw = app.find("text", "Raw Prompt")
        check("<image>" in raw.text() and "Where?" in raw.text(), raw.text())
        check(not raw.has_state("editable"), "the raw text can be written")
        session.key("Escape")
        wait_for("the dialog to close", lambda: len(app.windows()) == 1)
        app.close()
        quiet(app)


def choose_of(app, number, button, entry):
    """An entry of the menu of the n-th turn that has one."""
    def places():
        """A menu button is two in one; those that stand still."""
        found = [app.extents(node) for node in app.all("push button", button)][::2]
        return found if found == [app.extents(node) for node in app.all("push button", button)][::2] else None

    def click():
        x, y, width, height = wait_for("turns that stand still", places)[number]
        app.session.click(x + width // 2, y + height // 2)
    app.choose_after(click, entry)


def answers(session):
    """Text, seed and temperature of every answer, oldest first, while the program is not running."""
    with opened_history(session) as database:
        return database.execute("SELECT text, seed, temperature, mode FROM message JOIN generation ON generation.message = message.id "
                                "JOIN message_part ON message_part.message = message.id ORDER BY message.id").fetchall()


def test_again():
    """Exactly so gives the same text; another mode asks the question anew, with the old version beside it."""
    with Session() as session:
        app = App(session, sample("shapes-1.png"))
        app.find("image", thumbnail("shapes-1.png"))
        ask(app, "What is in the picture?")
        for count in (2, 3):
            app.choose("More Actions", "Answer Again", "Answer Again With Another Seed" if count == 2 else "Answer Again Exactly So")
            app.find("label", f"Version {count} of {count}")
            app.wait_idle()
        app.choose("More Actions", "Answer Again", "Answer Again by Ground")
        app.find("label", "Version 2 of 2")
        app.wait_idle()
        app.press("Previous Version")
        app.find("label", "Version 3 of 3")
        app.close()
        quiet(app)
        first, other, same, ground = answers(session)
        check(same == other, f"not the same again: {other} {same}")
        check(first[1] != other[1] and other[2] == 0.4, f"no other seed: {first} {other}")
        check((first[3], ground[3]) == (0, 2), f"the modes are {first[3]} and {ground[3]}")


def test_delete_and_branch():
    """A turn goes with what follows and comes back; a branch is a conversation of its own, to which nothing of the old one happens;
    the list's menu pins one above the other."""
    with Session() as session:
        app = App(session, sample("shapes-1.png"))
        app.find("image", thumbnail("shapes-1.png"))
        ask(app, "first")
        ask(app, "second")
        choose_of(app, 1, "Question Actions", "Delete From Here On")
        app.gone("label", "second")
        app.find("label", "Turn deleted")
        app.press(".*Undo")
        app.find("label", "second")

        choose_of(app, 0, "More Actions", "Branch Into a New Conversation")
        app.gone("label", "second")
        app.find("label", "This is a conversation of its own now")
        wait_for("two conversations", lambda: len(app.all("list item")) == 2)
        ask(app, "third")
        check(not app.has("label", "There is no picture.*"), "the branch has lost its picture")
        choose_of(app, 1, "More Actions", "Delete From Here On")
        app.find("label", "Answer deleted")

        x, y, _, height = app.extents(app.all("list item")[1])
        app.choose_after(lambda: session.xdotool("mousemove", x + 60, y + height // 2, "click", 3), "Pin Above the Others")
        app.find("image", "Pinned")
        app.key_for("shift+F10", "menu item", "Un_?pin|Pin Above the Others")
        session.key("Escape")
        app.gone("menu item", "Rename Conversation…")
        app.close()
        quiet(app)
        with opened_history(session) as database:
            rows = database.execute("SELECT conversation, role, text FROM message LEFT JOIN message_part ON message = id AND text <> '' "
                                    "WHERE role = 1 ORDER BY id").fetchall()
            pictures = database.execute("SELECT count(*), count(DISTINCT picture) FROM message_part WHERE picture IS NOT NULL").fetchone()
        old, new = rows[0][0], rows[-1][0]
        check(old != new and [text for conversation, _, text in rows if conversation == old] == ["first", "second"], rows)
        check([text for conversation, _, text in rows if conversation == new] == ["first", "third"], rows)
        check(pictures == (2, 1), f"pictures: {pictures}")


def test_continue():
    """What was stopped goes on where it was."""
    with Session() as session:
        app = App(session, sample("shapes-1.png"))
        app.find("image", thumbnail("shapes-1.png"))
        ask(app, "What is in the picture?")
        check(not app.has("push button", "Continue the Answer"), "a whole answer can be continued")
        app.close()
        with opened_history(session) as database:
            (message,) = database.execute("SELECT id FROM message WHERE role = 2").fetchone()
            (whole,) = database.execute("SELECT text FROM message_part WHERE message = ?", (message,)).fetchone()
            database.execute("UPDATE message SET status = 2 WHERE id = ?", (message,))
            database.execute("UPDATE message_part SET text = ? WHERE message = ?", (whole[:len(whole) // 2], message))
        app = App(session)
        app.press("Continue the Answer")
        app.gone("push button", "Continue the Answer")
        app.wait_idle()
        app.close()
        quiet(app)
        ((text, *_),) = answers(session)
        check(text.startswith(whole[:len(whole) // 2]) and len(text) > len(whole) // 2, f"{whole!r} became {text!r}")


def test_recall():
    """Up brings earlier questions where nothing is written, Down goes back; what was changed is a text like any other."""
    with Session() as session:
        app = App(session)
        ask(app, "first")
        ask(app, "second")
        app.focus_composer()
        for key, words in (("Up", "second"), ("Up", "first"), ("Up", "first"), ("Down", "second"), ("Up", "first")):
            session.key(key)
            wait_for(f"{words} after {key}", lambda words=words: app.composer().text() == words)
        session.type("x")
        wait_for("what is written", lambda: "x" in app.composer().text())
        session.key("Up", "Home")
        session.type("y")
        wait_for("what is written", lambda: sorted(app.composer().text()) == sorted("firstxy"))
        app.close()
        quiet(app)


if __name__ == "__main__":
    run([test_copy_and_quote, test_again, test_delete_and_branch, test_continue, test_recall])
