# SPDX-License-Identifier: MIT
"""The window driven from outside: drop, paste, type, stop, boxes, restart.

What the model knows does not matter here; tests that need its answers are in
test_demo.py. Names of widgets are listed in NAMES.md.
"""
import os
import re
import subprocess

from harness import App, Session, check, insist, rewrite_answer, run, sample, wait_for


def thumbnail(name, position=1, count=1):
    return rf"Picture {position} of {count}: {name}"


def quiet(app):
    check(not app.complaints(), f"the program wrote: {app.complaints()[:3]}")


def ask(app, text):
    """Sends a question and waits until its answer is over."""
    before = len(app.all(None, "Answer"))
    app.write(text)
    app.session.key("Return")
    wait_for("the answer's row", lambda: len(app.all(None, "Answer")) == before + 1)
    app.wait_idle()
    wait_for("the status line", lambda: len(app.status()) > before)


def test_drop_files():
    """Two files from another program; the bad one is named, the good one arrives."""
    with Session() as session:
        bad = session.path("bad.png")
        with open(bad, "w") as stream:
            stream.write("not a picture")
        app = App(session)
        session.drag_from([bad, sample("shapes-1.png")], app.middle(app.composer()))
        app.find("image", thumbnail("shapes-1.png"))
        app.find("label", r".*bad\.png.*")
        check("bad.png" not in app.composer().text(), "the drop was also inserted as text")
        app.close()
        quiet(app)


def test_drop_many_in_order():
    with Session() as session:
        app = App(session)
        names = ["wide.png", "tall.png", "words.png"]
        x, y = app.middle(app.composer())
        session.drag_from([sample(name) for name in names], (x, y - 250))
        for position, name in enumerate(names, 1):
            app.find("image", thumbnail(name, position, 3))
        app.close()
        quiet(app)


def test_drop_raw_image():
    with Session() as session:
        app = App(session)
        session.drag_from([sample("shapes-1.png")], app.middle(app.composer()), mode="texture")
        app.find("image", thumbnail("Dropped picture"))
        app.close()
        quiet(app)


def test_paste():
    """A picture and text from the clipboard, at the cursor, in order."""
    with Session() as session:
        app = App(session)
        app.write("before ")
        session.set_clipboard_picture(sample("shapes-2.png"))
        session.key("ctrl+v")
        app.find("image", thumbnail("Pasted picture"))
        session.type(" after")
        wait_for("the text", lambda: app.composer().text().endswith(" after"))
        check(app.composer().text().startswith("before "), "the text before is gone")
        app.close()
        quiet(app)


def test_move_and_remove_pictures():
    with Session() as session:
        app = App(session, sample("wide.png"), sample("tall.png"))
        app.find("image", thumbnail("tall.png", 2, 2))
        # A click opens the viewer; Tab from the text reaches the last picture.
        app.focus_composer()
        session.key("Tab")
        session.key("alt+Left")
        if not app.has("image", thumbnail("tall.png", 1, 2)):
            session.key("alt+Left")
        app.find("image", thumbnail("wide.png", 2, 2))
        app.press("Remove Picture")
        wait_for("one picture", lambda: len(app.all("image", r"Picture \d of 1: .*")) == 1)
        app.close()
        quiet(app)


def test_bad_arguments():
    """A missing and a broken file: sentences; the program lives and takes the good one."""
    with Session() as session:
        broken = session.path("broken.jpeg")
        with open(sample("shapes-1.png"), "rb") as source, open(broken, "wb") as target:
            target.write(source.read()[:300])
        app = App(session, session.path("missing.png"), broken, sample("words.png"))
        app.find("image", thumbnail("words.png"))
        app.find("label", r".*missing\.png.*")
        app.close()
        quiet(app)


def test_second_start_reuses_the_window():
    with Session() as session:
        app = App(session)
        second = subprocess.run([os.environ["SIGHTLINE"], sample("wide.png")],
                                env=session.environment, timeout=30, stderr=subprocess.DEVNULL)
        check(second.returncode == 0, f"the second start ended with {second.returncode}")
        app.find("image", thumbnail("wide.png"))
        check(app.process.poll() is None, "the first instance ended")
        app.close()
        quiet(app)


def test_stop():
    """Escape stops at once: the answer is kept as stopped and the engine comes to rest."""
    with Session() as session:
        app = App(session, sample("shapes-1.png"), sample("wide.png"))
        app.find("image", thumbnail("wide.png", 2, 2))
        def ask_and_stop():
            """On a busy machine the engine may be done before the window has seen the second key."""
            questions = len(app.all("panel", "Question"))
            app.write("Describe the pictures.")
            session.xdotool("key", "--delay", "1", "Return", "Escape")
            wait_for("the question", lambda: len(app.all("panel", "Question")) > questions)
            app.wait_idle()
        insist("a stopped answer", ask_and_stop, lambda: app.has("label", r"Stopped.*"))

        def cpu_ticks():
            with open(f"/proc/{app.process.pid}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            return int(fields[11]) + int(fields[12])

        last = [cpu_ticks()]

        def at_rest():
            # Ten looks of 20 ms each without a tick of work.
            now = cpu_ticks()
            rest = now == last[0]
            last[0] = now
            at_rest.count = at_rest.count + 1 if rest else 0
            return at_rest.count >= 10
        at_rest.count = 0
        wait_for("the engine to come to rest", at_rest)
        app.close()
        quiet(app)


def remembered(session):
    with open(session.path(".config/io.github.sightline.Sightline/window.ini")) as state:
        return re.search(r"^conversation=(\d+)$", state.read(), re.M).group(1)


def test_restart():
    """Question, picture and answer are back after a restart and after kill -9."""
    with Session() as session:
        app = App(session, sample("shapes-1.png"))
        app.find("image", thumbnail("shapes-1.png"))
        ask(app, "What is there?")
        status = app.status()
        app.close()
        quiet(app)
        before = remembered(session)

        app = App(session)
        app.find("label", r".*What is there\?.*")
        app.find("image", thumbnail("shapes-1.png"))
        wait_for("the same status", lambda: app.status() == status)
        # Also where the conversation of the crash is another one than that of the last close.
        app.key_for("ctrl+n", "frame", "New Conversation")
        ask(app, "And now?")
        wait_for("the conversation in the window's state", lambda: remembered(session) != before)
        app.kill()

        app = App(session)
        app.find("label", r".*And now\?.*")
        session.click(*app.place("label", r"What is there\?"))
        app.find("frame", r"What is there\?")
        app.kill()

        app = App(session)
        app.find("label", r".*What is there\?.*")
        app.find("image", thumbnail("shapes-1.png"))
        app.close()
        quiet(app)


def test_rename_search_delete_undo():
    with Session(window_manager=True) as session:
        app = App(session, sample("shapes-1.png"))
        app.find("image", thumbnail("shapes-1.png"))
        ask(app, "What is there?")
        app.key_for("F2", "text", "Title")
        app.find("text", "Title").set_text("Lighthouse")
        app.answer_dialog(".*Rename")
        app.find("frame", "Lighthouse")

        app.focus_composer()
        app.key_for("ctrl+n", "frame", "New Conversation")
        app.key_for("ctrl+shift+f", "entry", "Search conversations")
        session.type("zzzz")
        app.find("label", "Nothing was found")
        app.gone("label", "Lighthouse")
        session.key("ctrl+shift+f")  # chooses what is in the entry, so that the next words replace it
        session.type("lighthouse")
        _, below_search = app.place("label", "Lighthouse")
        session.key("Escape")

        def row():
            """Where the row is once the search no longer takes room above it."""
            x, y = app.place("label", "Lighthouse")
            return (x, y) if y < below_search else None

        # Back into it, then delete and undo. The title, not the row, says which one is open.
        session.click(*wait_for("the list without the search", row))
        app.find("frame", "Lighthouse")
        app.choose_after(lambda: session.key("F10"), "Delete Conversation")
        app.find("frame", "New Conversation")
        app.press(".*Undo")
        app.find("frame", "Lighthouse")
        app.close()
        quiet(app)


def line_near(pixels, x, y, horizontal, reach=5, ground_side=-1):
    """Offset in pixels of the strongest step around (x, y) across the line, and its size; from the ground on its left or above
    (ground_side 1: on its right or below)."""
    width, _, data = pixels

    def at(offset):
        px, py = (x, y + offset) if horizontal else (x + offset, y)
        start = (py * width + px) * 3
        return data[start:start + 3]

    ground = at(4 * reach * ground_side)
    differences = [(max(abs(a - b) for a, b in zip(at(offset), ground)), offset)
                   for offset in range(-reach, reach + 1)]
    size = max(difference for difference, _ in differences)
    strong = [offset for difference, offset in differences if difference >= size * 0.6]
    return (min(strong) + max(strong)) / 2, size


def wait_for_box_lines(app, picture, coords, size=(480, 360), along=0.5):
    """Waits until the lines of a box lie where its coordinates (0…999) say on the widget of a picture of this size in pixels.

    Looks at each line at `along` of its length, where the picture should be plain.
    """
    wait_for("its place", lambda: app.extents(picture)[2] > 100)
    app.session.move(2, 2)

    def errors():
        left, top, width, height = app.extents(picture)
        pixels = app.session.pixels()
        x1, y1, x2, y2 = (int(c / 999 * side) / side * shown for c, side, shown in zip(coords, size * 2, (width, height) * 2))
        x, y = int(left + x1 + along * (x2 - x1)), int(top + y1 + along * (y2 - y1))
        return [line_near(pixels, int(left + x1), y, False),
                line_near(pixels, int(left + x2), y, False),
                line_near(pixels, x, int(top + y1), True, ground_side=1),  # the label is above
                line_near(pixels, x, int(top + y2), True)]

    wait_for("four box lines within 2 px",
             lambda: all(abs(offset) <= 2 and strength > 60 for offset, strength in errors()))


def test_boxes_at_the_right_pixels():
    """Boxes of a stored answer lie where their coordinates say, within 2 px, at two sizes."""
    coords = (100, 880, 900, 960)  # a strip of the sample without shapes
    for size in ("1280x800", "640x700"):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                boxes_at(size, coords)
                status = 0
            except BaseException as error:  # pylint: disable=broad-except
                print(f"# {size}: {error}", flush=True)
            os._exit(status)
        check(os.waitpid(child, 0)[1] == 0, f"boxes at {size}")


def boxes_at(size, coords):
    with Session(size) as session:
        app = App(session, sample("shapes-1.png"))
        app.find("image", thumbnail("shapes-1.png"))
        ask(app, "Where?")
        app.close()
        rewrite_answer(session, "Here is <|ref|>the strip<|/ref|><|det|>[[100, 880, 900, 960]]<|/det|>.",
                       [("the strip", 0, coords, "ok")])
        app = App(session)
        app.find("push button", "Box 1: the strip")
        picture = app.find("image", r"Picture shapes-1\.png, 1 box")
        wait_for_box_lines(app, picture, coords)
        app.close()
        quiet(app)


def test_viewer_and_box_list():
    """The chip opens the viewer; boxes are real rows there; Escape goes back."""
    with Session() as session:
        app = App(session, sample("shapes-1.png"))
        app.find("image", thumbnail("shapes-1.png"))
        ask(app, "Where?")
        app.close()
        rewrite_answer(session,
                       "<|ref|>one<|/ref|><|det|>[[95, 130, 345, 470]]<|/det|> and "
                       "<|ref|>two<|/ref|><|det|>[[490, 85, 755, 435], [1, 2",
                       [("one", 0, (95, 130, 345, 470), "ok"), ("two", 1, (490, 85, 755, 435), "ok"),
                        ("two", 1, (0, 0, 0, 0), "incomplete")])
        app = App(session)
        app.press(r"Box 1: one")
        app.find("list item", r"Box 1: one, left 45, top 46, 120 × 123 px")
        app.find("list item", r"two, Not on the picture · Incomplete.*")
        app.press("Zoom In")
        app.key_for("Escape", "text", "Message")
        app.close()
        quiet(app)


if __name__ == "__main__":
    run([test_drop_files, test_drop_many_in_order, test_drop_raw_image, test_paste,
         test_move_and_remove_pictures, test_bad_arguments, test_second_start_reuses_the_window,
         test_stop, test_restart, test_rename_search_delete_undo, test_boxes_at_the_right_pixels,
         test_viewer_and_box_list])
