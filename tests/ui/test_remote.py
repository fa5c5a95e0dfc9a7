# SPDX-License-Identifier: MIT
"""An engine on a server, from the preferences to boxes on a picture: it is described and checked, chosen for a conversation, nothing is
sent before it was agreed to, the line above says where questions go, the thinking is folded, and the boxes can be read in another way.
The server is on the loopback."""
import os
import pathlib
import sys

from harness import App, Session, check, run, sample, wait_for
from test_window import quiet

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "remote"))
from fake import END, Fake, chunk, event, piece, stream_head  # noqa: E402  pylint: disable=wrong-import-position

KEYRING = {"SECRET_BACKEND": "file", "SECRET_FILE_TEST_PASSWORD": "test", "GIO_USE_PROXY_RESOLVER": "dummy"}


def answer(request):
    """The circle of the check in thousandths with y first, as some models write it; thinking before it."""
    yield stream_head()
    yield chunk(event(piece(reasoning_content="It is red.")))
    yield chunk(event(piece('[{"bbox_2d": [100, 672, 450, 890], "label": "red circle"}]')))
    yield chunk(event(piece(finish="stop"))) + END


def describe_engine(app, session, fake):
    app.choose_after(lambda: session.key("F10"), "Engine", "Engines…")
    app.press("Add Engine…")
    app.find("text", r"Address.*").set_text(fake.url)
    app.find("text", "Name").set_text("The Box")
    # What a password field shows may not be set from outside.
    app.click_in_front(None, "Key")
    session.type("sk-window")
    session.screenshot("engine-dialog")
    app.press("Check")
    app.find("label", r"A box came back and lies where it should, read as: 0 to 1000, y first\.")
    session.screenshot("engine-checked")
    check(fake.asked[0].headers["authorization"] == "Bearer sk-window", "the check uses the key that is written")
    app.answer_dialog(".*Save")
    app.find("label", "The Box")
    session.screenshot("engine-page")
    session.key("Escape")
    wait_for("the window alone", lambda: len(app.windows()) == 1)
    app.focus_composer()


def test_from_the_preferences_to_boxes():
    with Fake(answer) as fake, Session(environment=KEYRING, window_manager=True) as session:
        session.environment["SECRET_FILE_TEST_PATH"] = session.path("keyring")
        app = App(session, sample(sorted(name for name in os.listdir(sample("")) if name.endswith((".png", ".jpg")))[0]))
        describe_engine(app, session, fake)
        before = len(fake.asked)
        app.choose_after(lambda: session.key("F10"), "Engine", "The Box")
        app.find("label", r"Pictures and questions leave this computer: they go to 127\.0\.0\.1:.*")
        app.write("the red circle")
        session.key("Return")
        app.find("push button", ".*Send There")
        session.screenshot("engine-leave")
        check(len(fake.asked) == before, "something was sent before it was agreed to")
        app.answer_dialog(".*Cancel")
        check("the red circle" in app.composer().text() and len(fake.asked) == before, "the question is not back")
        app.focus_composer()
        session.key("Return")
        app.find("push button", ".*Send There")
        app.answer_dialog(".*Send There")
        wait_for("a box", app.chips)
        app.wait_idle()
        app.find("label", r"fake on 127\.0\.0\.1:.*")
        app.find(None, "Thinking")
        check(not app.has("label", "It is red."), "the thinking is folded")
        app.find(None, "Boxes read as: 0 to 1000, y first")
        session.screenshot("engine-answer")
        sent = fake.asked[-1].json
        check([part["type"] for part in sent["messages"][0]["content"]] == ["image_url", "text"], "another question was sent")
        check(fake.asked[-1].headers["authorization"] == "Bearer sk-window", "the key is that of the keyring")
        app.close()

        app = App(session)
        app.find("label", r"Pictures and questions leave this computer: they go to 127\.0\.0\.1:.*")
        wait_for("the boxes of the last time", app.chips)
        app.choose("Boxes read as: 0 to 1000, y first", "x first")
        app.find(None, "Boxes read as: 0 to 1000, x first")
        app.choose_after(lambda: session.key("F10"), "Engine", "This Computer")
        app.gone("label", r"Pictures and questions leave this computer.*")
        app.focus_composer()
        app.close()
        quiet(app)


if __name__ == "__main__":
    run([test_from_the_preferences_to_boxes])
