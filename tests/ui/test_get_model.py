# SPDX-License-Identifier: MIT
"""From the empty state to a downloaded model that answers, from a hub on the loopback: licence, progress, the program killed in the
middle, going on after the next start, quantising, loading, asking."""
import os
import pathlib
import sys
import threading

from harness import App, Session, check, run, wait_for
from test_window import quiet

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "hub"))
import hub as hubs  # noqa: E402  pylint: disable=wrong-import-position

REPO = "deepseek-ai/deepseek-vl2-tiny"
DEMO = pathlib.Path(os.environ["SIGHTLINE_DATA"]) / "demo-model"


def model_files():
    """The demo model as a hub would hold it: nothing in it says that it is ours."""
    return {path.name: path.read_bytes() for path in DEMO.iterdir() if path.is_file() and path.name not in ("demo.json", "README.md")}


def test_from_nothing_to_an_answer():
    """By pointer alone: the empty state, the page, one button, a kill in the middle, the button again, an answer."""
    hub = hubs.Hub(model_files(), repo=REPO)
    gate, held = threading.Event(), threading.Event()

    def hold(handler, name, at):
        if name == "model.safetensors" and at >= 3 << 20 and not gate.is_set():
            held.set()
            gate.wait(120)
        return False

    hub.between = hold
    environment = {"HF_ENDPOINT": hub.url, "no_proxy": "*"}
    with Session(environment=environment, window_manager=True) as session:
        models = pathlib.Path(session.path(".local/share/io.github.sightline.Sightline/models"))
        app = App(session)
        app.press("Get a Model…")
        app.find("label", r"DeepSeek-VL2 Tiny, int8, 4\.1.GB")
        app.find("label", r"Fits your .* of memory, about \d+ words? a second\. Downloads 6\.7.GB, .*")
        check(app.find("text", r"Another Repository.*"), "another repository can be named")
        session.screenshot("get-model")
        app.press("Get It and Try It")
        app.find("label", "Licence of the Model")
        session.screenshot("get-model-licence")
        app.answer_dialog(".*Accept")
        check(held.wait(60), "the weights are asked for")
        app.find("progress bar", "Setting the Model Up")
        app.find("label", r".* of .*")
        check((models / "deepseek-vl2-tiny.download").is_dir() and not (models / "deepseek-vl2-tiny").exists(), "nothing half-made has the name")
        session.screenshot("get-model-running")
        app.kill()
        gate.set()

        app = App(session)
        app.press("Get a Model…")
        app.find("label", r"Stopped; .* are here")
        app.press("Go On and Try It")
        wait_for("the window alone", lambda: len(app.windows()) == 1)
        check((models / "deepseek-vl2-tiny" / "model.safetensors").read_bytes() == hub.files["model.safetensors"], "other bytes than the hub's")
        app.find("label", "deepseek-vl2-tiny-int8")
        app.find(None, "Answer")
        app.wait_idle()
        check(app.status(), "the downloaded model answers")
        session.screenshot("get-model-answer")
        app.close()
        quiet(app)
    hub.close()


if __name__ == "__main__":
    run([test_from_nothing_to_an_answer])
