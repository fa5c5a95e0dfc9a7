# SPDX-License-Identifier: MIT
"""The picture viewer as a workplace: zoom, step, hide, correct, copy, ask, export.

One start of the program for many checks: they share an answer whose boxes the test
has written. Names of widgets are listed in NAMES.md.
"""
import os
import re
import subprocess

from harness import App, Session, check, rewrite_answer, run, sample, wait_for
from test_window import ask, quiet, thumbnail

SIZE = (480, 360)  # of shapes-1.png
TEXT = ("<|ref|>a strip<|/ref|><|det|>[[100, 880, 900, 960]]<|/det|> and "
        "<|ref|>things<|/ref|><|det|>[[490, 85, 755, 435], [100, 600, 345, 870]]<|/det|> and "
        "<|ref|>a star<|/ref|><|det|>[[1, 2")
BOXES = [("a strip", 0, (100, 880, 900, 960), "ok"), ("things", 1, (490, 85, 755, 435), "ok"),
         ("things", 1, (100, 600, 345, 870), "ok"), ("a star", 2, (0, 0, 0, 0), "incomplete")]


def to_px(coords):
    return [int(c / 999 * side) for c, side in zip(coords, SIZE * 2)]


def row_name(number, label, coords, more=""):
    x1, y1, x2, y2 = to_px(coords)
    return rf"Box {number}: {label}, left {x1}, top {y1}, {x2 - x1} × {y2 - y1} px{more}"


class Viewer:
    """The open viewer and what a user reads off it."""

    def __init__(self, app):
        self.app, self.session = app, app.session

    def fit(self):
        """left, top, scale of the picture when it fits. The one under the answer is not on the display now."""
        def place():
            places = [self.app.extents(node) for node in self.app.all("image", r"Picture shapes-1\.png, \d+ box(es)?")]
            return max(places, key=lambda place: place[2] * place[3], default=None)
        left, top, width, height = wait_for("the viewer's picture", place)
        scale = min(width / SIZE[0], height / SIZE[1])
        return left + (width - SIZE[0] * scale) / 2, top + (height - SIZE[1] * scale) / 2, scale

    def point(self, x, y):
        """On the display, while the picture fits."""
        left, top, scale = self.fit()
        return round(left + x * scale), round(top + y * scale)

    def status(self):
        return next((node.name for node in self.app.all("label", r"480 × 360 px.*")), "")

    def wait_status(self, pattern):
        return wait_for(f"a status like {pattern!r}", lambda: re.search(pattern, self.status()))

    def row(self, name):
        return self.app.find("list item", name)

    def drag(self, start, end, button=1):
        self.session.xdotool("mousemove", *start, "mousedown", button)
        for step in range(1, 7):
            self.session.xdotool("mousemove", *(a + (b - a) * step // 6 for a, b in zip(start, end)))
        self.session.xdotool("mouseup", button)

    def line_at(self, x, y):
        """Is there something other than the picture's smooth ground around this pixel?"""
        width, _, data = self.session.pixels()
        column = [data[((y + dy) * width + x) * 3:((y + dy) * width + x) * 3 + 3] for dy in range(-4, 5)]
        return max(abs(a - b) for pixel in column for a, b in zip(pixel, column[0])) > 60


def clipboard(session):
    return subprocess.run(["xclip", "-selection", "clipboard", "-o"], env=session.environment,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout


def check_zoom(viewer):
    """The wheel zooms at the pointer; keys fit and give original size; drags pan."""
    app, session = viewer.app, viewer.session
    app.find("push button", r"\d+ %")
    session.move(*viewer.point(120, 90))
    before = viewer.wait_status(r"pointer (\d+), (\d+) px").groups()
    for _ in range(6):
        session.xdotool("click", 4)
    wait_for("another zoom level", lambda: app.has("push button", r"[3-9]\d\d %"))
    after = viewer.wait_status(r"pointer (\d+), (\d+) px").groups()
    check(all(abs(int(a) - int(b)) <= 1 for a, b in zip(before, after)), f"{before} went to {after}")
    x, y = viewer.point(120, 90)
    viewer.drag((x, y), (x + 60, y + 30), button=2)
    moved = viewer.wait_status(r"pointer (\d+), (\d+) px").groups()
    check(all(abs(int(a) - int(b)) <= 1 for a, b in zip(before, moved)), "a pan does not follow the pointer")
    session.key("1")
    app.find("push button", "100 %")
    session.key("f")
    wait_for("the fitted size", lambda: not app.has("push button", "100 %"))


def check_steps(viewer):
    """Arrows step through the boxes; row and status line say which one it is."""
    viewer.session.key("Right")
    viewer.wait_status("box 2: {}, {} – {}, {} px".format(*to_px(BOXES[1][2])))
    viewer.session.key("Left")
    viewer.wait_status("box 1: ")
    viewer.session.key("ctrl+c")
    wait_for("pixels in the clipboard", lambda: clipboard(viewer.session) == str(to_px(BOXES[0][2])))


def check_hiding(viewer):
    """H hides while it is held; the eye of a row hides one box, v the selected one."""
    _, y1, x2, _ = to_px(BOXES[0][2])
    line = viewer.point(x2 - 20, y1)  # beside its label, and what floats over the picture
    viewer.session.move(*viewer.point(240, 200))
    wait_for("the line", lambda: viewer.line_at(*line))
    viewer.session.xdotool("keydown", "h")
    wait_for("no line while H is held", lambda: not viewer.line_at(*line))
    viewer.session.xdotool("keyup", "h")
    wait_for("the line again", lambda: viewer.line_at(*line))
    viewer.app.press("Hide Box 1: a strip")
    wait_for("the hidden box", lambda: not viewer.line_at(*line))
    viewer.app.press("Show Box 1: a strip")
    wait_for("the shown box", lambda: viewer.line_at(*line))


def check_edits(viewer):
    """Alt and arrows, a drag, a new box, undo and redo; the model's box stays behind it."""
    app, session = viewer.app, viewer.session
    session.key("Right")
    viewer.wait_status("box 2: ")
    session.key("alt+Right")
    x1, y1, x2, y2 = BOXES[1][2]
    viewer.row(row_name(2, "things", (x1 + 2, y1, x2 + 2, y2), " · Edited"))
    session.key("ctrl+z")
    viewer.row(row_name(2, "things", BOXES[1][2]))
    session.key("ctrl+shift+z")
    viewer.row(r"Box 2: things, .* · Edited")
    session.key("ctrl+z")

    viewer.wait_status("box 2: ")
    session.click(*viewer.point(100, 260))  # inside of the third box
    viewer.wait_status("box 3: ")
    viewer.drag(viewer.point(100, 260), viewer.point(130, 280))
    left, top, width, height = map(int, re.search(
        r"left (\d+), top (\d+), (\d+) × (\d+)", viewer.row(r"Box 3: things, .* · Edited").name).groups())
    px = to_px(BOXES[2][2])
    check(abs(left - px[0] - 30) <= 2 and abs(top - px[1] - 20) <= 2, f"dragged to {left}, {top}")
    check(abs(width - px[2] + px[0]) <= 2 and abs(height - px[3] + px[1]) <= 2, "the drag changed the size")

    session.key("a")
    app.find("label", "Draw a rectangle around the new box")
    viewer.drag(viewer.point(200, 20), viewer.point(260, 60))
    viewer.row(r"Box 4: things, left (199|200|201), top (19|20|21), (59|60|61) × (39|40|41) px · Edited")
    session.key("Delete")
    app.gone("list item", r"Box 4: .*")
    session.key("ctrl+z")
    viewer.row(r"Box 4: things, .* · Edited")


def check_drag_out(viewer):
    """A row dragged into another program arrives as a file with the box's pixels, or as a picture where it takes no file."""
    session = viewer.session
    x1, y1, x2, y2 = to_px(BOXES[1][2])
    place = viewer.app.place("list item", r"Box 2: things, .*")
    line = session.drag_to(place, "files")
    check(line.endswith("/crops/things 2.png"), f"dropped: {line}")
    path = line[len("file "):]
    check(os.path.exists(path), "the file was not there when its name arrived")
    difference = subprocess.run(["compare", "-metric", "AE", path, f"{sample('shapes-1.png')}[{x2 - x1}x{y2 - y1}+{x1}+{y1}]", "null:"],
                                stderr=subprocess.PIPE, text=True, check=False)
    check(difference.returncode == 0, f"the crop differs: {difference.stderr}")
    line = session.drag_to(place, "texture")
    check(line == f"texture {x2 - x1} {y2 - y1}", f"dropped: {line}")
    check(os.listdir(os.path.dirname(path)) == [os.path.basename(path)], "a file was written that nobody asked for")
    session.xdotool("windowfocus", "--sync", viewer.app.windows()[0])


def check_rename(viewer):
    for _ in BOXES:  # whatever is chosen now, the arrows come by the first box
        if "box 1: " not in viewer.status():
            before = viewer.status()
            viewer.session.key("Left")
            wait_for("another box", lambda: viewer.status() != before)
    viewer.wait_status("box 1: ")
    viewer.app.key_for("F2", "text", "Label")
    viewer.app.find("text", "Label").set_text("floor")
    viewer.app.answer_dialog(".*Rename")
    viewer.row(row_name(1, "floor", BOXES[0][2], " · Edited"))


def check_export(viewer):
    """Ctrl+E, a picture with boxes, into a file whose name is typed."""
    target = viewer.session.path("annotated.png")
    viewer.app.key_for("ctrl+e", "label", "Hidden boxes are left out.")
    viewer.session.key("Return")
    viewer.app.save_as("Export", target)
    size = subprocess.run(["identify", "-format", "%w %h", target], stdout=subprocess.PIPE, text=True).stdout
    check(size == "480 360", f"the export is {size}")


def check_ask(viewer):
    """A rectangle drawn to ask about comes into the next question as a marked copy."""
    viewer.session.key("r")
    viewer.app.find("label", "Draw a rectangle around what you ask about")
    viewer.drag(viewer.point(300, 180), viewer.point(400, 300))
    viewer.app.find("image", thumbnail("shapes-1.png"))
    viewer.app.find("text", "Message")


def test_inspector():
    with Session(window_manager=True) as session:
        app = App(session, sample("shapes-1.png"))
        app.find("image", thumbnail("shapes-1.png"))
        ask(app, "Where?")
        app.close()
        rewrite_answer(session, TEXT, BOXES, probabilities=(None, None, 0.004))  # which the list is not to show
        app = App(session)
        app.press("Box 1: a strip")
        viewer = Viewer(app)
        viewer.row(row_name(1, "a strip", BOXES[0][2]))
        viewer.row(row_name(3, "things", BOXES[2][2]))
        viewer.row(r"a star, Not on the picture · Incomplete.*")
        check_zoom(viewer)
        check_steps(viewer)
        check_order(viewer)
        check_hiding(viewer)
        check_drag_out(viewer)
        check_edits(viewer)
        check_rename(viewer)
        check_export(viewer)
        check_ask(viewer)
        check(os.listdir(session.path(".cache/sightline/crops")), "no crop was written")
        app.close()
        check(not os.path.exists(session.path(".cache/sightline/crops")), "crops stay behind the program")

        app = App(session)
        app.press("Box 2–3: things")
        Viewer(app).row(row_name(1, "floor", BOXES[0][2], " · Edited"))
        Viewer(app).row(r"Box 4: things, .* · Edited")
        app.close()
        quiet(app)


OTHER_TEXT = ("<|ref|>a strip<|/ref|><|det|>[[100, 880, 900, 960]]<|/det|> and "
              "<|ref|>thing<|/ref|><|det|>[[490, 85, 755, 400]]<|/det|> and "
              "<|ref|>moon<|/ref|><|det|>[[400, 500, 450, 560]]<|/det|>")
OTHER_BOXES = [("a strip", 0, (100, 880, 900, 960), "ok"), ("thing", 1, (490, 85, 755, 400), "ok"),
               ("moon", 2, (400, 500, 450, 560), "ok")]


def check_order(viewer):
    """What the model is least sure of can stand first, and goes back to its place."""
    app = viewer.app
    star, strip = r"a star, Not on the picture · Incomplete.*", row_name(1, "a strip", BOXES[0][2])

    def stands_above(upper, lower):
        return app.extents(viewer.row(upper))[1] < app.extents(viewer.row(lower))[1]

    check(stands_above(strip, star), "boxes do not stand as the answer names them")
    app.choose("Viewer Menu", "Least Sure Boxes First")
    wait_for("the broken box above", lambda: stands_above(star, strip))
    app.choose("Viewer Menu", "Least Sure Boxes First")
    wait_for("the answer's order", lambda: stands_above(strip, star))
    viewer.session.key("1")  # the focus has stayed on the menu's button
    app.find("push button", "100 %")
    viewer.session.key("f")
    wait_for("the fitted size", lambda: not app.has("push button", "100 %"))


def check_compare(app):
    """The newest answer beside the other one to the same question: pairs with IoU, what only one has, both layouts."""
    session = app.session
    app.key_for("ctrl+d", "list item", r"Pair 1: a strip, IoU 1\.00")
    app.find("list item", r"Pair 2: thing / things, IoU 0\.90")
    app.find("list item", r"Pair 3: moon, only in A")
    app.find("list item", r"Pair 4: things, only in B")
    app.find("label", r"2 pairs · mean IoU 0\.95 · 1 only in A · 1 only in B")
    shown = [r"Picture shapes-1\.png, 3 boxes", r"Picture shapes-1\.png, 6 boxes"]
    wait_for("two pictures side by side", lambda: len(app.all("image", shown[0])) >= 2)
    session.key("Right", "Right")
    wait_for("the second pair, chosen", lambda: app.find("list item", "Pair 2: .*").has_state("selected"))
    check(not app.has("image", shown[1]), "the overlay is there as well")
    session.key("o")
    app.find("image", shown[1])
    app.find("label", "B, dashed")
    app.key_for("Escape", "text", "Message")


def check_find_again(app):
    """A label without a whole box is asked for again, from its chip and from its row."""
    session = app.session
    app.press("Previous Version")
    app.press("Incomplete: find “a star” again")
    wait_for("a question", lambda: len(app.all("panel", "Question")) == 2)
    app.wait_idle()
    app.find("label", "a star")
    app.press("Box 1: a strip")
    app.choose("Actions for a star", "Find This Label Again")
    wait_for("another question", lambda: len(app.all("panel", "Question")) == 3)
    app.wait_idle()
    session.key("ctrl+n")


def test_compare_and_find_again():
    with Session() as session:
        app = App(session, sample("shapes-1.png"))
        app.find("image", thumbnail("shapes-1.png"))
        ask(app, "Where?")
        app.choose("More Actions", "Answer Again", "Answer Again With Another Seed")
        app.find("push button", "Previous Version")
        app.wait_idle()
        app.close()
        rewrite_answer(session, TEXT, BOXES, back=1)
        rewrite_answer(session, OTHER_TEXT, OTHER_BOXES)
        app = App(session)
        app.find("push button", "Box 1: a strip")
        check_compare(app)
        check_find_again(app)
        app.close()
        quiet(app)


if __name__ == "__main__":
    run([test_inspector, test_compare_and_find_again])
