# SPDX-License-Identifier: MIT
"""What is asked, before it is sent: templates, and the choices where a question has consequences."""
from harness import App, Session, check, run, sample, wait_for
from test_window import ask, quiet, thumbnail

# The seven samples of the model's publication: name, words, what the user has to put in its place, mode, and whether tokens are meant.
TEMPLATES = [
    ("Find One Thing", "The animal at the back", "animal", "Find", False),
    ("Find by Name", "Find <|ref|>name<|/ref|>", "name", "Chat", True),
    ("Find All of a Kind", "Find all the <|ref|>things<|/ref|>", "things", "Chat", True),
    ("Ask What to Do", "I want to throw something away. What should I do?", "throw something away", "Ground", False),
    ("Same Kind in a Second Picture", "In the first image, an object within the red rectangle is marked. Locate the object of the same "
     "category in the second image.", "", "Ground", False),
    ("Describe Each Step", "Describe each stage of this picture in detail.", "", "Chat", False),
    ("Compare Several Pictures", "What can be made from what these pictures show?", "what these pictures show", "Chat", False),
]


def test_templates():
    """Each template brings its words, its mode and what to fill in; what is typed then takes that place, and the picture stays."""
    with Session() as session:
        app = App(session, sample("shapes-1.png"))
        app.find("image", thumbnail("shapes-1.png"))
        for name, words, blank, mode, raw in TEMPLATES:
            app.choose("More Options", "Templates", name)
            wait_for(f"the words of {name}", lambda words=words: app.composer().text().endswith(words))
            wait_for(f"what {name} leaves open", lambda blank=blank: app.composer().selected_text() == blank)
            pressed = [button.name for button in app.all("push button", "Find|Ground|Chat")
                       if button.has_state("pressed")]
            check(pressed == [mode], f"{name}: the mode is {pressed}")
            check(bool(app.has("label", "Raw")) == raw, f"{name}: tokens are {'not ' if raw else ''}sent as such")
            app.find("image", thumbnail("shapes-1.png"))
        session.type("a boat")
        wait_for("the words that were filled in", lambda: app.composer().text().endswith("What can be made from a boat?"))
        app.close()
        quiet(app)


def test_choice_before_the_third_picture():
    """What a third picture changes is said and asked before it is sent; nothing is lost by not sending it."""
    with Session(window_manager=True) as session:
        app = App(session, sample("shapes-1.png"), sample("shapes-2.png"))
        app.find("image", thumbnail("shapes-2.png", 2, 2))
        ask(app, "How many?")
        session.drag_from([sample("wide.png")], app.middle(app.composer()))
        app.find("image", thumbnail("wide.png"))
        app.write("And here?")
        session.key("Return")
        app.find("label", "Read Every Picture as a Whole.")
        app.find("label", r"From the third picture on, .* takes [0-9]+ of 4096 tokens\.")
        app.answer_dialog(".*Cancel")
        app.find("image", thumbnail("wide.png"))
        app.focus_composer()
        # What is written next and stands there was written after whatever Cancel may have set off.
        session.key("End")
        session.type(" Well?")
        wait_for("what is written on", lambda: app.composer().text().endswith("And here? Well?"))
        app.find(None, "Context: [0-9]+ of 4096 tokens")
        check(len(app.all("panel", "Question")) == 1, "it was sent although it was cancelled")
        session.key("Return")
        app.find("label", "Read Every Picture as a Whole.")
        app.answer_dialog(".*Ask Anyway")
        wait_for("the second question", lambda: len(app.all("panel", "Question")) == 2)
        app.wait_idle()
        app.close()
        quiet(app)


def test_choice_when_it_does_not_fit():
    """A question for which there is no room is not sent but asked about; leaving out the oldest messages makes room."""
    with Session(window_manager=True) as session:
        text = session.path("long.txt")
        with open(text, "w") as stream:
            stream.write("red circle " * 1200)
        app = App(session)
        session.set_clipboard_picture(text, "UTF8_STRING")
        for round in (1, 2):
            app.focus_composer()
            session.key("ctrl+v")
            wait_for("the long text", lambda: len(app.composer().text()) > 13000)
            app.find(None, "Context: [0-9]+ of 4096 tokens" if round == 1 else "Too long: [0-9]+ of 4096 tokens")
            session.key("Return")
            if round == 1:
                wait_for("the first question", lambda: len(app.all("panel", "Question")) == 1)
                app.wait_idle()
        app.find("label", "The Question Does Not Fit")
        app.find("label", r"It takes [0-9]+ tokens, and the model has room for 4096\.")
        app.answer_dialog(r".*Oldest \([0-9]+ Tokens\).*")
        wait_for("the second question", lambda: len(app.all("panel", "Question")) == 2)
        app.wait_idle()
        check(not app.has("label", "The conversation needs .*"), "it was sent with all that came before")
        check(len([line for line in app.status() if "context" in line]) >= 1, f"it was not answered: {app.status()}")
        app.close()
        quiet(app)


if __name__ == "__main__":
    run([test_templates, test_choice_before_the_third_picture, test_choice_when_it_does_not_fit])
