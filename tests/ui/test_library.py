# SPDX-License-Identifier: MIT
"""The models of this computer in the preferences: what the library, a cache and a folder that is away show; verify, quantise and delete
the original, from the menu of a row; a download that needs a token, and one that arrives damaged."""
import os
import pathlib
import shutil
import sys

from harness import App, Session, check, run, wait_for
from test_window import quiet

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "hub"))
import hub as hubs  # noqa: E402  pylint: disable=wrong-import-position

DEMO = pathlib.Path(os.environ["SIGHTLINE_DATA"]) / "demo-model"
TOKEN = "hf_notforothers"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def copy_model(folder):
    folder.mkdir(parents=True)
    for path in DEMO.iterdir():
        if path.is_file() and path.name != "demo.json":
            shutil.copy(path, folder / path.name)


def fill(session):
    """A model in the library, one in the cache of Hugging Face's client, and a folder in the list that is away. The library."""
    library = pathlib.Path(session.path(".local/share/io.github.sightline.Sightline/models"))
    copy_model(library / "mine")
    (library / "ended-int8.a1B2c3").mkdir()
    cache = pathlib.Path(session.path(".cache/huggingface/hub/models--org--cached"))
    copy_model(cache / "snapshots" / COMMIT)
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text(COMMIT)
    settings = pathlib.Path(session.path(".config/io.github.sightline.Sightline/settings.ini"))
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(f"[model]\ndirs={session.path('away')};\n")
    return library


def more(app, name, item):
    """An entry of the menu in a model's row."""
    app.choose_after(lambda: app.click_in_front("push button", f"More about {name}"), item)


def gated(handler, path):
    """The hub gives files only to whom it knows; the content host asks nothing."""
    if handler.server.role == "hub" and "/resolve/" in path and handler.headers.get("Authorization") != f"Bearer {TOKEN}":
        handler.reply(401)
        return True
    return False


def get_with_a_token(app, session, hub):
    """Refused, a token given, damaged on its way, fetched again, here."""
    hub.faults.append(gated)
    listed, good = hub.entries(), hub.files["model.safetensors"]
    hub.entries = lambda: listed
    hub.files["model.safetensors"] = bytes(len(good))
    app.press("Download")
    app.find("label", "Licence of the Model")
    app.answer_dialog(".*Accept")
    app.find("label", r".*does not give access \(401.*\)\. Accept the terms on its page, .*")
    app.find("push button", "Open Its Page")
    session.screenshot("library-gated")
    app.press("Token…")
    app.find("label", r"Access Token of 127\.0\.0\.1:\d+")
    next(node for node in app.all(None, "Access Token") if "text" in node.role).set_text(TOKEN)
    session.screenshot("library-token")
    app.answer_dialog(".*Keep")
    app.find("label", "“model.safetensors” arrives damaged: .*")
    hub.files["model.safetensors"] = good
    session.screenshot("library-damaged")
    app.press("Fetch Again")
    app.find("label", "Downloaded: it is in the list above")
    check(not any("Authorization" in headers for headers in hub.asked("content", "/")), "the content host was shown the token")
    for path in pathlib.Path(session.home).rglob("*"):
        check(not path.is_file() or TOKEN.encode() not in path.read_bytes(), f"the token is in {path}")


def test_library():
    hub = hubs.Hub({path.name: path.read_bytes() for path in DEMO.iterdir() if path.is_file() and path.name != "demo.json"},
                   repo="deepseek-ai/deepseek-vl2-tiny")
    keyring = {"SECRET_BACKEND": "file", "SECRET_FILE_TEST_PASSWORD": "test"}
    with Session(environment={"HF_ENDPOINT": hub.url, "no_proxy": "*", **keyring}, size="1280x1000", window_manager=True) as session:
        session.environment["SECRET_FILE_TEST_PATH"] = session.path("keyring")
        library = fill(session)
        app = App(session)
        app.choose_after(lambda: session.key("F10"), "Models…")
        for name in ("mine", "cached", "away"):
            app.find("label", name)
        session.xdotool("getactivewindow", "windowsize", "--sync", 640, 960)  # every row is to be clicked
        app.find("label", "“.*away” is not there.*")
        app.find("label", "Left by work that was ended in the middle; it can be deleted")
        session.screenshot("library")

        more(app, "mine", "Verify")
        app.find("label", "“.*mine” did not come by a download: there are no hashes to compare it with.")
        more(app, "mine", "Quantise…")
        app.find("label", r"Takes about .* on the disk and in memory\.")
        session.screenshot("library-quantise")
        app.answer_dialog(".*Quantise")
        app.find("label", "“mine-int8” is in the list: .* instead of .*, read back and right.")
        check((library / "mine-int8" / "model.safetensors").exists(), "the new model is there")
        app.find("push button", "Delete the Original…")
        app.find("label", "A DeepSeek-VL2 model in int8 with .*")
        session.screenshot("library-quantised")
        app.press("Delete the Original…")
        app.find("label", r"It goes to the trash\. Emptying the trash gives .* back\.")
        app.answer_dialog(".*Delete")
        wait_for("the original to go", lambda: not (library / "mine").exists())
        app.gone("label", "mine")
        check(pathlib.Path(session.path(".local/share/Trash/files/mine/config.json")).exists(), "the original is in the trash")

        more(app, "mine-int8", "Verify")
        app.find("label", "Every file has the hash that it came with.")
        more(app, "away", "Remove from List")
        app.gone("label", "away")
        get_with_a_token(app, session, hub)
        session.key("Escape")
        wait_for("the window alone", lambda: len(app.windows()) == 1)
        app.close()
        quiet(app)
    hub.close()


if __name__ == "__main__":
    run([test_library])
