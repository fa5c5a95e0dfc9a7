# SPDX-License-Identifier: MIT
"""How answers of a conversation are made: what is chosen is seen, used, kept, named and taken back."""
from harness import App, Session, check, run, sample, wait_for
from test_answers import opened_history
from test_turns import answers
from test_window import ask, quiet, thumbnail


def open_settings(app):
    app.key_for("ctrl+e", "push button", ".*Reset All")


def test_settings():
    with Session(window_manager=True) as session:
        app = App(session, sample("shapes-1.png"))
        app.find("image", thumbnail("shapes-1.png"))
        open_settings(app)
        for name, value in (("Temperature", 0.75), ("Seed", 5), ("Longest Answer", 4)):
            app.find("spin button", name).set_value(value)
        app.find("text", "System Message").set_text("Be short.")
        badge = app.find("label", "System message · Temperature 0.75 · Longest Answer 4 · Seed 5")
        app.press("Save as a Preset")
        app.find("text", "Name").set_text("Wild")
        app.answer_dialog(".*Save")
        ask(app, "What is in the picture?")
        check(any("length limit" in line for line in app.status()) or app.has("label", "Ended at the length limit.*"), app.status())

        app.choose("More Actions", "What Made This Answer")
        text = app.find("label", "Model: .*").name
        for line in ("Temperature: 0.75", "Seed: 5", "Longest Answer: 4", "System message: Be short.", "Mode: Chat"):
            check(line in text, f"{line!r} is not in {text!r}")
        session.key("Escape")
        wait_for("the dialog to close", lambda: len(app.windows()) == 1)

        session.key("ctrl+n")
        app.gone("label", badge.name)
        open_settings(app)
        check(app.find("push button", ".*Reset All").has_state("sensitive") is False, "a fresh conversation has settings")
        session.key("Escape")
        app.close()
        quiet(app)
        ((_, seed, temperature, _),) = answers(session)
        check((seed, temperature) == (5, 0.75), f"made with {seed}, {temperature}")
        with opened_history(session) as database:
            rows = database.execute("SELECT choices, system_text FROM conversation").fetchall()
            (then,) = database.execute("SELECT system_text FROM generation").fetchone()
        check(rows == [('{"temperature":0.75,"max_tokens":4,"seed":5}', "Be short.")] and then == "Be short.", f"{rows}, {then}")


if __name__ == "__main__":
    run([test_settings])
