#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Uses the window for a while as a restless user would: soak.py [--minutes N].

Drops pictures, asks, stops, looks at boxes, corrects them, undoes that, compares,
exports, switches conversations, searches, deletes and takes that back, over and over.
It must end without a warning or critical. Built with a sanitizer, or with LeakSanitizer
preloaded by SIGHTLINE_SOAK_PRELOAD, it must not leak; built without one, it must not grow
from round to round. `./dev soak` runs it both ways.
"""
import argparse
import contextlib
import os
import re
import statistics
import sys
import time

from harness import App, Failure, Session, check, fill_with_photos, insist, photos_shown, sample, wait_for
from test_window import thumbnail

PICTURES = ["shapes-1.png", "shapes-2.png", "wide.png", "numbers.png"]
QUESTIONS = [("Find", "the red circle"), ("Ground", "What is there?"), ("Chat", "How many shapes are there?"),
             ("Find", "all stars")]
# MiB that may stay of a round that nobody sees any more: less than the smallest of its pictures, decoded (400×300, 0.46 MiB).
GROWTH = 0.4
# Rounds until the caches of fonts, icons and the engine have filled, and rounds to judge by after them.
WARM_UP, MEASURED = 6, 10
# How many, how wide, how high: 36 MB each when decoded, 720 MB in all. What may be there: the program (less than 100 MiB), twenty
# small decodes with their mipmaps and surfaces (3 MiB each), 32 MiB of small decodes that are kept, and one that is being made.
PHOTOS = (20, 4000, 3000)
MOST_PHOTOS = 200


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
        self.app.key_for("ctrl+e", "label", "Hidden boxes are left out.")
        self.session.key("Return")
        self.app.save_as("Export", target)
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
        self.session.key("ctrl+shift+f")
        self.app.find("entry", "Search conversations")
        self.session.type(QUESTIONS[0][1])
        self.count("search")

        def found():
            """The middle of the last such title in the side bar; rows come and go while they are read."""
            with contextlib.suppress(Exception):
                titles = self.app.all("label", re.escape(QUESTIONS[0][1]))
                return [self.app.middle(node) for node in titles if self.app.extents(node)[0] < 260][-1]
            return None
        # A click is lost on a row that the search is about to take away, or that is not in sight before it has.
        insist("the conversation that was found", lambda: self.session.click(*wait_for("what the search finds", found)),
               lambda: self.app.has("frame", re.escape(QUESTIONS[0][1])))
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


def memory_mib(app):
    """What the process has for itself: files that it maps, as the weights, are not counted."""
    with open(f"/proc/{app.process.pid}/status") as status:
        return int(re.search(r"RssAnon:\s+(\d+) kB", status.read())[1]) / 1024


def judges_memory(app):
    """Not where a sanitizer allocates: it keeps what was freed, and more of it for every new size."""
    with open(f"/proc/{app.process.pid}/maps") as maps:
        return not re.search(r"/lib[al]san\.", maps.read())


def growth(sizes):
    """MiB per round after the first ones: the median of the slopes between any two rounds, which single peaks do not move."""
    settled = sizes[WARM_UP:]
    return statistics.median((settled[late] - settled[early]) / (late - early)
                             for late in range(len(settled)) for early in range(late))


def data_folder(folder):
    """The system's data with a folder that GTK's file dialog looks for: libcloudproviders 0.3 loses the path where there is none,
    below functions of GLib that LeakSanitizer's unwinder cannot pass, so that no suppression finds it."""
    os.mkdir(folder)
    for name in os.listdir("/usr/share"):
        os.symlink(os.path.join("/usr/share", name), os.path.join(folder, name))
    os.makedirs(os.path.join(folder, "cloud-providers"), exist_ok=True)
    return folder


def use(soak, minutes, rounds):
    """Goes on for so many minutes and rounds at least; the memory after each round."""
    sizes = []
    start = begin = time.monotonic()
    while begin < start + minutes * 60 or soak.round < rounds:
        soak.once()
        sizes.append(memory_mib(soak.app))
        now = time.monotonic()
        print(f"round {soak.round}: {now - begin:.0f} s, {sizes[-1]:.1f} MiB", flush=True)
        begin = now
    print(", ".join(f"{count} × {what}" for what, count in soak.done.items()))
    print(f"{soak.round} rounds in {(begin - start) / 60:.1f} minutes, {(begin - start) / soak.round:.0f} s each")
    return sizes


def scroll_photos(maker):
    """One conversation of large photographs, from its end to its beginning and back: what is not in sight takes no memory."""
    with Session() as session:
        fill_with_photos(session, maker, *PHOTOS)
        app = App(session)
        judged = judges_memory(app)
        before = memory_mib(app)
        most = 0
        session.xdotool("mousemove", 700, 400)
        for direction, first in ((4, 1), (5, PHOTOS[0])):
            def there():
                session.xdotool("click", "--repeat", 20, "--delay", 5, direction)
                node = app.has("image", rf"Picture 1 of 1: photo-{first}\.jpg")
                return node and 0 < app.extents(node)[1] < 700 and not node.has_state("busy")
            wait_for(f"photograph {first}", there, 300)
            most = max(most, memory_mib(app))
        wait_for("all of them", lambda: photos_shown(app, PHOTOS[0]), 300)
        most = max(most, memory_mib(app))
        app.close()
        check(not app.complaints(), f"the program wrote: {app.complaints()[:5]}")
    print(f"{PHOTOS[0]} photographs of {PHOTOS[1]} × {PHOTOS[2]}: {before:.0f} MiB at the start, {most:.0f} MiB at most", flush=True)
    check(not judged or most < MOST_PHOTOS, f"they take {most:.0f} MiB, more than {MOST_PHOTOS}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--photos", metavar="PROGRAM", help="tests/bench/photo-history: also scroll through large photographs")
    arguments = parser.parse_args()
    minutes = arguments.minutes
    if arguments.photos:
        scroll_photos(arguments.photos)
    with Session(window_manager=True) as session:
        environment = {"XDG_DATA_DIRS": data_folder(session.path("share"))}
        if os.environ.get("SIGHTLINE_SOAK_PRELOAD"):
            environment["LD_PRELOAD"] = os.environ["SIGHTLINE_SOAK_PRELOAD"]
        app = App(session, environment=environment)
        judged = judges_memory(app)
        sizes = use(Soak(app), minutes, WARM_UP + MEASURED if judged else 1)
        app.close()
        check(not app.complaints(), f"the program wrote: {app.complaints()[:5]}")
    if not judged:
        print("clean: no leak, no warning")
        return
    found = growth(sizes)
    check(found < GROWTH, f"the memory grows by {found:.2f} MiB each round after round {WARM_UP}; less than {GROWTH} may stay")
    print(f"clean: no warning; {found:+.2f} MiB each round after round {WARM_UP}")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"soak: {failure}")
