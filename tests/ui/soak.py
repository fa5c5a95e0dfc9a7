#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Uses the window for a while as a restless user would: soak.py [--minutes N].

Drops pictures, asks, stops, looks at boxes, corrects them, undoes that, compares,
exports, switches conversations, searches, deletes and takes that back, over and over.
It must end without a leak (the program is built with a sanitizer, or LeakSanitizer is
preloaded by SIGHTLINE_SOAK_PRELOAD), without a warning or critical. `./dev soak` runs it.
"""
import argparse
import contextlib
import os
import re
import subprocess
import sys
import time

from harness import App, Failure, Session, check, sample, wait_for
from test_window import thumbnail

PICTURES = ["shapes-1.png", "shapes-2.png", "wide.png", "numbers.png"]
QUESTIONS = [("Find", "the red circle"), ("Ground", "What is there?"), ("Chat", "How many shapes are there?"),
             ("Find", "all stars")]


class Soak:
    def __init__(self, app):
        self.app, self.session = app, app.session
        self.done = {}
        self.round = 0

    def count(self, what):
        self.done[what] = self.done.get(what, 0) + 1

    def new_conversation(self):
        """A picture from another program into an empty conversation."""
        self.session.key("ctrl+n")
        self.app.find("frame", "New Conversation")
        name = PICTURES[self.round % len(PICTURES)]
        self.session.drag_from([sample(name)], self.app.middle(self.app.composer()))
        self.app.find("image", thumbnail(name))
        self.count("drop")

    def write(self, mode, text):
        self.app.press(mode)
        self.app.write(text)

    def ask(self):
        before = len(self.app.all("panel", "Answer"))
        self.write(*QUESTIONS[self.round % len(QUESTIONS)])
        self.session.key("Return")
        wait_for("the answer", lambda: len(self.app.all("panel", "Answer")) > before)
        self.app.wait_idle()
        self.count("ask")

    def stop(self):
        self.write("Chat", "Describe the picture.")
        self.session.xdotool("key", "--delay", "1", "Return", "Escape")
        wait_for("the question", lambda: len(self.app.all("panel", "Question")) > 1)
        self.app.wait_idle()
        self.count("stop")

    def boxes(self):
        """Into the viewer by a chip: step, zoom, move, undo, redo, export; out again."""
        chips = self.app.chips()
        if not chips:
            return
        chips[0].press()
        self.app.find("push button", "Back to the Conversation")
        self.app.find("list item", "Box 1: .*")
        self.session.key("Right", "plus", "plus", "shift+Down", "z", "l", "l", "f")
        self.session.key("alt+Right", "alt+shift+Down", "alt+Left")
        self.app.find("list item", ".* · Edited")
        self.session.key("ctrl+z", "ctrl+z", "ctrl+z", "ctrl+shift+z", "v", "v", "ctrl+c")
        self.count("edit and undo")
        self.export()
        self.session.key("Escape")
        self.app.find("text", "Message")

    def export(self):
        target = self.session.path(f"export-{self.round}.png")
        self.session.key("ctrl+e")
        self.app.find("label", "Hidden boxes are left out.")
        self.session.key("Return")
        wait_for("the file dialog", lambda: subprocess.run(
            ["xdotool", "search", "--onlyvisible", "--name", "^Export$"], env=self.session.environment,
            stdout=subprocess.PIPE, check=False).stdout.strip())
        self.session.key("ctrl+a")
        self.session.type(target)
        self.session.key("Return")
        wait_for("the exported picture", lambda: os.path.exists(target))
        wait_for("the file dialog to close", lambda: len(self.app.windows()) == 1)
        self.count("export")

    def compare(self):
        """Beside another answer, where there is one with boxes."""
        self.app.press("Answer Again")
        self.app.find("push button", "Previous Version")
        self.app.wait_idle()
        if not self.app.chips():
            return
        self.session.key("ctrl+d")
        wait_for("the comparison, or why not", lambda: self.app.has("list item", "Pair 1: .*") or self.app.has(
            "label", "No other answer has boxes on this picture yet"))
        if self.app.has("list item", "Pair 1: .*"):
            self.session.key("Right", "o", "Right", "plus", "o", "Escape")
            self.count("compare")
        self.app.find("text", "Message")

    def switch(self):
        """To an earlier conversation and back, by search."""
        self.session.key("ctrl+f")
        self.app.find("entry", "Search conversations")
        self.session.type(QUESTIONS[0][1])
        self.count("search")

        def found():
            """The middle of the last such title in the side bar; rows come and go while they are read."""
            with contextlib.suppress(Exception):
                titles = self.app.all("label", re.escape(QUESTIONS[0][1]))
                return [self.app.middle(node) for node in titles if self.app.extents(node)[0] < 260][-1]
            return None
        self.session.click(*wait_for("what the search finds", found))
        self.app.find("frame", re.escape(QUESTIONS[0][1]))
        self.session.key("Escape")
        self.count("switch")

    def delete_and_undo(self, undo):
        title = self.app.find("frame").name
        self.app.focus_composer()
        self.app.choose_after(lambda: self.session.key("F10"), "Delete Conversation")
        self.app.find("frame", "New Conversation")
        self.count("delete")
        if undo:
            self.app.press(".*Undo")
            self.app.find("frame", re.escape(title))
            self.count("undelete")

    def once(self):
        self.new_conversation()
        self.ask()
        self.boxes()
        self.compare()
        self.stop()
        self.delete_and_undo(undo=self.round % 2 == 0)
        self.switch()
        self.round += 1


def resident_mib(app):
    with open(f"/proc/{app.process.pid}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    end = time.monotonic() + parser.parse_args().minutes * 60
    preload = os.environ.get("SIGHTLINE_SOAK_PRELOAD")
    with Session(window_manager=True) as session:
        app = App(session, environment={"LD_PRELOAD": preload} if preload else None)
        soak = Soak(app)
        after_first = None
        while soak.round == 0 or time.monotonic() < end:
            soak.once()
            after_first = after_first or resident_mib(app)
        print(", ".join(f"{count} × {what}" for what, count in soak.done.items()))
        print(f"{soak.round} rounds; {after_first} MiB after the first, {resident_mib(app)} MiB after the last")
        app.close()
        check(not app.complaints(), f"the program wrote: {app.complaints()[:5]}")
    print("no leak, no warning")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"soak: {failure}")
