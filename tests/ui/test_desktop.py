# SPDX-License-Identifier: MIT
"""What the desktop asks of the program: its search, a new chat, models and diagnostics in the preferences, a notification,
the direction of its language."""
import json
import os
import pathlib
import subprocess
import sys
import threading

from harness import App, Session, check, rewrite_answer, run, sample, wait_for
from test_window import ask, quiet, thumbnail, wait_for_box_lines

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "hub"))
import hub as hubs  # noqa: E402  pylint: disable=wrong-import-position

APP_ID = "io.github.sightline.Sightline"
OBJECT = "/io/github/sightline/Sightline"

# Stands for the desktop's notification daemon, and for its portal: prints the title and text of each call, and who asks to stay.
DAEMON = """
import sys
from gi.repository import Gio, GLib
XML = '''<node><interface name="org.freedesktop.Notifications">
<method name="Notify"><arg type="s" direction="in"/><arg type="u" direction="in"/><arg type="s" direction="in"/>
<arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="as" direction="in"/><arg type="a{sv}" direction="in"/>
<arg type="i" direction="in"/><arg type="u" direction="out"/></method>
<method name="CloseNotification"><arg type="u" direction="in"/></method>
<method name="GetCapabilities"><arg type="as" direction="out"/></method>
</interface><interface name="org.freedesktop.portal.Background">
<method name="RequestBackground"><arg type="s" direction="in"/><arg type="a{sv}" direction="in"/><arg type="o" direction="out"/></method>
</interface><interface name="org.freedesktop.portal.Inhibit">
<method name="Inhibit"><arg type="s" direction="in"/><arg type="u" direction="in"/><arg type="a{sv}" direction="in"/><arg type="o" direction="out"/></method>
</interface></node>'''
def on_call(connection, sender, path, interface, method, arguments, invocation):
    if method == "Notify":
        print(arguments.unpack()[3], "|", arguments.unpack()[4], flush=True)
        invocation.return_value(GLib.Variant("(u)", (1,)))
    elif method in ("RequestBackground", "Inhibit"):
        if method == "RequestBackground":
            print("stays |", arguments.unpack()[1].get("reason"), flush=True)
        invocation.return_value(GLib.Variant("(o)", ("/org/freedesktop/portal/desktop/request/1",)))
    elif method == "GetCapabilities":
        invocation.return_value(GLib.Variant("(as)", (["body"],)))
    else:
        invocation.return_value(None)
def on_bus(connection, name):
    for portal in Gio.DBusNodeInfo.new_for_xml(XML).interfaces[1:]:
        connection.register_object("/org/freedesktop/portal/desktop", portal, on_call, None, None)
    Gio.bus_own_name_on_connection(connection, "org.freedesktop.portal.Desktop", 0, None, None)
    connection.register_object("/org/freedesktop/Notifications", Gio.DBusNodeInfo.new_for_xml(XML).interfaces[0], on_call, None, None)
def on_name(connection, name):
    print("ready", flush=True)
Gio.bus_own_name(Gio.BusType.SESSION, "org.freedesktop.Notifications", 0, on_bus, on_name, None)
GLib.MainLoop().run()
"""


def call(session, method, *arguments):
    """Calls the search provider as the shell does; returns what gdbus prints."""
    return subprocess.run(["gdbus", "call", "--session", "--dest", APP_ID, "--object-path", OBJECT + "/SearchProvider", "--method",
                           "org.gnome.Shell.SearchProvider2." + method, *map(json.dumps, arguments)],
                          env=session.environment, check=True, capture_output=True, text=True).stdout


def test_search_provider_and_new_chat():
    """The shell finds a conversation by a word in it and opens it; --new-chat starts another in the same window."""
    with Session() as session:
        app = App(session, sample("shapes-1.png"))
        app.find("image", thumbnail("shapes-1.png"))
        ask(app, "Where is the lighthouse?")
        app.find("frame", "Where is the lighthouse.")
        second = subprocess.run([os.environ["SIGHTLINE"], "--new-chat"], env=session.environment, check=True, stderr=subprocess.DEVNULL)
        check(second.returncode == 0, "the second start failed")
        app.find("frame", "New Conversation")

        check("[]" in call(session, "GetInitialResultSet", ["submarine"]), "found what nobody said")
        found = call(session, "GetInitialResultSet", ["lighthouse"])
        check(found.count("'") == 2, f"one conversation is expected: {found}")
        number = found.split("'")[1]
        check(number in call(session, "GetSubsearchResultSet", [number], ["lighthouse", "where"]), "the narrower search lost it")
        check("Where is the lighthouse" in call(session, "GetResultMetas", [number]), "a result has no title")
        call(session, "ActivateResult", number, ["lighthouse"], 0)
        app.find("frame", "Where is the lighthouse.")
        call(session, "LaunchSearch", ["lighthouse"], 0)
        entry = app.find("entry", "Search conversations")
        wait_for("the words in the list's search", lambda: entry.text() == "lighthouse")
        app.close()
        quiet(app)


def download_without_a_window(app, session, hub, daemon):
    """It goes on when the window is closed, the desktop is asked, its end is told, and the program ends."""
    gate, held = threading.Event(), threading.Event()
    hub.between = lambda handler, name, at: name == "model.safetensors" and (held.set() or not gate.wait(60))
    app.choose_after(lambda: session.key("F10"), "Models…")
    app.press("Download")
    app.find("label", "Licence of the Model")
    app.answer_dialog(".*Accept")
    check(held.wait(60), "the weights are asked for")
    session.key("Escape")
    wait_for("the window alone", lambda: len(app.windows()) == 1)
    session.key("ctrl+q")
    check(daemon.stdout.readline() == "stays | A model is being downloaded\n", "the desktop is not asked")
    gate.set()
    check(daemon.stdout.readline() == "The model is here | deepseek-ai/deepseek-vl2-tiny was downloaded and verified.\n", "its end is not told")
    wait_for("the program's end", lambda: app.process.poll() is not None)
    check(app.process.returncode == 0, f"exit status {app.process.returncode}")


def test_notification():
    """The end of an answer is told while another window has the focus, not while ours has; that of a download where there is no window."""
    hub = hubs.Hub({"config.json": b"{}", "model.safetensors": bytes(1 << 20)}, repo="deepseek-ai/deepseek-vl2-tiny")
    with Session(environment={"HF_ENDPOINT": hub.url, "no_proxy": "*"}, window_manager=True) as session:
        daemon = session._start(sys.executable, "-c", DAEMON, stdout=subprocess.PIPE, text=True)
        check(daemon.stdout.readline() == "ready\n", "there is no notification daemon")
        app = App(session)
        ask(app, "In front")
        app.write("Behind")
        other = session._start("xmessage", "-name", "other", "another window", stderr=subprocess.DEVNULL)
        window = wait_for("the other window", lambda: subprocess.run(
            ["xdotool", "search", "--onlyvisible", "--name", "other"], env=session.environment, capture_output=True, text=True).stdout.split())
        session.xdotool("windowactivate", "--sync", window[0])
        app.press("Send")
        check(daemon.stdout.readline().startswith("In front | The answer is ready"), "the notification says something else")
        other.terminate()
        download_without_a_window(app, session, hub, daemon)
        quiet(app)
    hub.close()


def close_preferences(app, session):
    session.key("Escape")
    wait_for("the dialog to close", lambda: len(app.windows()) == 1)
    app.close()
    quiet(app)


def test_models():
    """The bundled model is unloaded and loaded on its page."""
    with Session(window_manager=True) as session:
        app = App(session)
        app.find("label", "Demo model: knows shapes and short words")
        app.choose_after(lambda: session.key("F10"), "Models…")
        app.press("Unload")
        app.find("label", "No model is loaded")
        app.press("Load")
        app.find("label", "Demo model: knows shapes and short words")
        app.find("push button", "Unload")
        close_preferences(app, session)


def test_chosen_model():
    """A model in a hub's cache is called by its name; while its folder is away that is said, and it is used again afterwards."""
    with Session(window_manager=True) as session:
        commit = "66c54660eae7e90c9ba259bfdf92d07d6e3ce8aa"
        cache, away = session.path("models--someone--my-vl2"), session.path("away")
        snapshot = os.path.join(cache, "snapshots", commit)
        os.makedirs(os.path.join(cache, "refs"))
        os.makedirs(snapshot)
        with open(os.path.join(cache, "refs", "main"), "w") as ref:
            ref.write(commit)
        demo = os.path.join(os.environ["SIGHTLINE_DATA"], "demo-model")
        for name in os.listdir(demo):
            if name.endswith((".json", ".safetensors")) and name != "demo.json":
                os.symlink(os.path.join(demo, name), os.path.join(snapshot, name))
        with open(session.path(".config", "io.github.sightline.Sightline", "settings.ini"), "w") as settings:
            settings.write(f"[model]\nlast-dir={cache}\n")

        def shows(*lines):
            app = App(session)
            for line in lines:
                app.find("label", line)
            return app

        app = shows("my-vl2")
        app.close()
        quiet(app)
        os.rename(cache, away)
        app = shows(r"“my-vl2” is not there now .*", "Demo model")
        session.screenshot("model-away")
        app.close()
        quiet(app)
        os.rename(away, cache)
        app = shows("my-vl2")
        app.close()
        quiet(app)


def test_diagnostics():
    """The self-test compares the ways to compute; the facts name the processor."""
    with Session(window_manager=True) as session:
        app = App(session)
        app.choose_after(lambda: session.key("F10"), "Diagnostics")
        app.find("label", r"Sightline \d.*, SQLite .*")
        app.press("Run")
        app.find("label", r".*differs from the reference by 0\.\d+ %")
        wait_for("a button that runs it again", lambda: app.find("push button", "Run").has_state("sensitive"))
        close_preferences(app, session)


# On one side of the window, and not as wide as it.
MIRRORED = {"Send": "push button", "Add Pictures": "push button", "Chat": "push button", "Find": "push button", "Message": "text",
            "Answer Again": "push button"}


def test_right_to_left():
    """In a language that is written from the right the window is mirrored, and the pictures are not: boxes stay on their pixels."""
    coords = (100, 880, 700, 960)  # not in the middle, in a strip of the sample without shapes
    with Session() as session:
        app = App(session, sample("shapes-1.png"))
        app.find("image", thumbnail("shapes-1.png"))
        ask(app, "Where?")
        app.close()
        rewrite_answer(session, "Here is <|ref|>the strip<|/ref|><|det|>[[100, 880, 700, 960]]<|/det|>.",
                       [("the strip", 0, coords, "ok")])
        places = []
        # GLib takes no direction from a language that the program itself is not translated into.
        for debug in ("", "invert-text-dir"):
            app = App(session, environment={"GTK_DEBUG": debug})
            picture = app.find("image", r"Picture shapes-1\.png, 1 box")
            wait_for_box_lines(app, picture, coords)
            places.append({name: app.extents(app.find(role, name)) for name, role in MIRRORED.items()})
            window = app.extents(app.find("frame", ".*"))
            app.close()
            quiet(app)
        ends = 2 * window[0] + window[2]
        for name, (left, top, shown, height) in places[0].items():
            there = places[1][name]
            check(abs(2 * left + shown - ends) > 20, f"{name} is in the middle: that says nothing")
            check(abs(there[0] + left + shown - ends) <= 2 and there[1:] == (top, shown, height),
                  f"{name} is at {there} and not mirrored from {left, top, shown, height}")


if __name__ == "__main__":
    run([test_search_provider_and_new_chat, test_notification, test_models, test_chosen_model, test_diagnostics, test_right_to_left])
