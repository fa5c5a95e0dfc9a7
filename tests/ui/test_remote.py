# SPDX-License-Identifier: MIT
"""An engine on a server, from the preferences to boxes on a picture: it is described and checked, chosen for a conversation, nothing is
sent before it was agreed to, the line above says where questions go, the thinking is folded, and the boxes can be read in another way.
The server is on the loopback. Then the window's own server, with itself as the program that asks."""
import json
import os
import pathlib
import socket
import subprocess
import sys
import urllib.error
import urllib.request

from harness import App, Session, check, insist, run, sample, wait_for
from test_answers import opened_history
from test_window import quiet, thumbnail

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


OWN = """[own]
name=Own
address=http://127.0.0.1:{port}/v1
preset=sightline
confirmed=true
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def clipboard(session):
    return subprocess.run(["xclip", "-selection", "clipboard", "-o"], env=session.environment, capture_output=True, text=True).stdout


def copied(app, session, what):
    """What a button copies."""
    before = clipboard(session)
    app.press(f"Copy the {what}")
    return wait_for(f"the {what} in the clipboard", lambda: clipboard(session) not in ("", before) and clipboard(session))


def models(port, key):
    """The status of a question from outside; 0 where nobody listens."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/models", headers={"Authorization": f"Bearer {key}"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, [model["id"] for model in json.load(answer)["data"]]
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return refusal.code, []
    except urllib.error.URLError:
        return 0, []


def switch_on(app, session, port):
    """Off at first; then address and key are there to be copied. The key goes into the description of the window's own engine."""
    app.choose_after(lambda: session.key("F10"), "Engine", "Engines…")
    check(not app.has("label", "http://127.*") and models(port, "")[0] == 0, "it is on without having been switched on")
    app.find("spin button", "Port").set_value(port)
    app.find("check box", "Answer Other Programs").press()
    app.find("label", f"http://127.0.0.1:{port}/v1")
    address, key = copied(app, session, "Address"), copied(app, session, "Key")
    check(address == f"http://127.0.0.1:{port}/v1" and models(port, key) == (200, ["demo-model"]) and models(port, key + "x")[0] == 401,
          f"{address}: {models(port, key)}")
    session.screenshot("server-on")
    return key


def leave_preferences(app, session):
    insist("the window alone", lambda: session.key("Escape"), lambda: len(app.windows()) == 1)
    app.focus_composer()


def test_the_window_as_its_own_engine():
    port = free_port()
    with Session(environment=KEYRING, window_manager=True) as session:
        session.environment["SECRET_FILE_TEST_PATH"] = session.path("keyring")
        with open(session.path(".config/io.github.sightline.Sightline/engines.ini"), "w", encoding="utf-8") as engines:
            engines.write(OWN.format(port=port))
        app = App(session, sample("shapes-1.png"))
        app.find("image", thumbnail("shapes-1.png"))
        key = switch_on(app, session, port)
        app.click_in_front("label", "Own")
        app.find("text", "Key").set_text(key)
        app.answer_dialog(".*Save")
        leave_preferences(app, session)

        app.press("Find")
        app.write("red circle")
        session.key("Return")
        wait_for("a box", app.chips)
        app.wait_idle()
        app.choose_after(lambda: session.key("F10"), "Engine", "Own")
        app.choose("More Actions", "Answer Again", "Answer Again Exactly So")
        app.find("label", rf"demo-model on 127\.0\.0\.1:{port}.*")
        wait_for("a box", app.chips)
        app.wait_idle()
        check(not app.has(None, "Boxes read as.*"), "what our own server says is guessed at")
        session.screenshot("server-asked")
        app.focus_composer()
        app.close()
        quiet(app)
        with opened_history(session) as database:
            (here, there) = ([row[1:] for row in database.execute(
                "SELECT message, label, x1, y1, x2, y2, status, text_start, text_end FROM box WHERE message = ? ORDER BY ordinal", answer)]
                for answer in database.execute("SELECT id FROM message WHERE role = 2 ORDER BY id").fetchall())
            places = [place for place, in database.execute("SELECT place FROM generation ORDER BY message")]
            texts = {text for text, in database.execute("SELECT text FROM message_part JOIN message ON message = message.id WHERE role = 2")}
        check(here and here == there and len(texts) == 1, f"the boxes are {here} here and {there} there, of {texts}")
        check(places == ["", f"127.0.0.1:{port}"], f"answered by {places}")


if __name__ == "__main__":
    run([test_from_the_preferences_to_boxes, test_the_window_as_its_own_engine])
