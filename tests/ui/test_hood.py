# SPDX-License-Identifier: MIT
"""What is under the hood of an answer: the window shows the engine's own numbers.

The oracle is the command line, which asks the same of the same picture: tokens, their
probabilities and alternatives, shading, the squares, and the heat map, read off the display
cell by cell. Names of widgets are listed in NAMES.md.
"""
import json
import math
import os
import re
import subprocess

import numpy

from harness import App, Session, check, run, sample, wait_for
from test_window import ask, quiet, thumbnail

PICTURE, SIZE, PROMPT = "shapes-1.png", (480, 360), "the red circle"
MOST_OPAQUE = 190 / 255  # the hottest cell
LEAST_ALTERNATIVE = 0.001  # what is less likely is not kept
GRID = (24, 18)  # cells of the window's heat map; the command line's has more
SHADES = (0.9, 0.5, 0.2)  # probabilities below which a token's ground is darker
SHADE, OPAQUE = (0.96, 0.55, 0.05), (0.2, 0.45, 0.7)


def ask_engine():
    """The same answer with everything that the engine says about it."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SIGHTLINE_CLI")}
    result = subprocess.run([os.environ["SIGHTLINE_CLI"], "ask", "--json", "--mode", "find", "--logprobs=5", "--attention",
                             "--image", sample(PICTURE), PROMPT], env=environment, check=True, stdout=subprocess.PIPE)
    return json.loads(result.stdout)


def percent(logprob):
    """As the window rounds it."""
    value = math.exp(logprob) * 100
    return "< 0.1 %" if value < 0.05 else "> 99.9 %" if value >= 99.95 else f"{value:.1f} %"


class Hood:
    """The open view and what a user reads off it."""

    def __init__(self, app):
        self.app, self.session = app, app.session
        self.text = app.find("text", "Raw text, shaded where the model was unsure")

    def place(self):
        """left, top, scale of the picture on the display; it fits."""
        places = [self.app.extents(node) for node in self.app.all("image", rf"Picture {re.escape(PICTURE)}, \d+ box(es)?")]
        left, top, width, height = max(places, key=lambda place: place[2] * place[3])
        scale = min(width / SIZE[0], height / SIZE[1])
        return left + (width - SIZE[0] * scale) / 2, top + (height - SIZE[1] * scale) / 2, scale

    def pixels(self):
        width, height, data = self.session.pixels()
        return numpy.frombuffer(data, numpy.uint8).reshape(height, width, 3).astype(float)

    def token(self):
        """Of the word under the cursor: its probability and the lines below it."""
        node = self.app.has("label", r"Probability .*")
        return node.name.split("\n") if node else []

    def go_to(self, offset):
        """Moves the text cursor there."""
        self.session.key("ctrl+Home", *["Right"] * offset)
        wait_for("the cursor", lambda: self.text.caret() == offset)


def check_facts(app, engine):
    facts = app.find("label", r".*Read \d+ tokens.*").name
    columns, rows = engine["images"][0]["tiles"]
    check(f"the whole and {columns} × {rows} close-ups" in facts, f"{facts!r} has not the {columns} × {rows} squares")
    expected = f"Read {len(engine['prompt_ids'])} tokens, 0 of them known; wrote {len(engine['ids'])}"
    check(expected in facts, f"{facts!r} does not say {expected!r}")


def describe(token):
    """What the window says about a token: its probability and its alternatives."""
    kept = [entry for i, entry in enumerate(token["top"])
            if i == 0 or entry["logprob"] >= math.log(LEAST_ALTERNATIVE)]
    lines = ["Probability " + percent(token["logprob"])]
    for entry in kept:
        visible = entry["text"].replace("\n", "⏎").replace(" ", "␣")
        lines.append(f"{percent(entry['logprob'])}  {visible}" + (" ✓" if entry["id"] == token["id"] else ""))
    return lines


def get_shade(token):
    return sum(math.exp(token["logprob"]) < limit for limit in SHADES)


def check_shades(hood, tokens):
    """The runs of text that have a ground of their own are the unlikely tokens, the less likely the darker."""
    start, expected = 0, []
    for token in tokens:
        end = start + len(token["text"])
        if expected and expected[-1][2] == get_shade(token):
            start, _, _ = expected.pop()
        expected.append((start, end, get_shade(token)))
        start = end
    check(any(shade for _, _, shade in expected), "no token is shaded")
    for start, end, shade in expected:
        bounds = hood.text.run_at(start)
        # Of a run that looks as all text does GTK 4.18 tells nothing.
        check(bounds == (start, end) or (shade == 0 and bounds == (0, 0)), f"the run at {start} has the bounds {bounds}, not {start}, {end}")

    x, y, width, height = hood.app.extents(hood.text)
    pixels = hood.pixels()[y:y + height, x:x + width].reshape(-1, 3)
    colors, counts = numpy.unique(pixels, axis=0, return_counts=True)
    ground = colors[counts.argmax()]
    for shade, opaque in enumerate(OPAQUE, 1):
        color = ground * (1 - opaque) + 255 * opaque * numpy.array(SHADE)
        there = (numpy.abs(pixels - color).max(axis=1) < 3).sum() > 50
        check(there == any(entry[2] == shade for entry in expected), f"shade {shade} is {'' if there else 'not '}there")


def check_cut(hood):
    """Lines where the model's squares meet: 2 × 2 over this picture, with padding above and below it."""
    left, top, scale = hood.place()
    before = hood.pixels()
    hood.app.press("Show the Cut", None)

    def darker(x, y):
        x, y = int(left + x * scale), int(top + y * scale)
        part = numpy.s_[y - 3:y + 4, x - 3:x + 4]
        return (before[part] - hood.pixels()[part]).max() > 50
    middle_x, middle_y = SIZE[0] // 2, SIZE[1] // 2
    wait_for("the line down the middle", lambda: darker(middle_x, 20), 10)
    check(darker(20, middle_y), "there is no line across the middle")
    check(not darker(middle_x - 30, 20) and not darker(20, middle_y - 30), "there are lines beside the squares' edges")
    hood.app.press("Show the Cut", None)
    wait_for("the picture without lines", lambda: not darker(middle_x, 20), 10)


def read_heat(before, after, hood, columns, rows):
    """How hot each cell is, 0…1, from what the heat map's colour covers; NaN where something floats above."""
    left, top, scale = hood.place()
    floating = [hood.app.extents(node) for name in ("Zoom Out", r"\d+ %", "Zoom In", "Fit")
                for node in hood.app.all("push button", name)]
    heat = numpy.full((rows, columns), numpy.nan)
    for row in range(rows):
        for column in range(columns):
            x = int(left + (column + 0.5) * SIZE[0] / columns * scale)
            y = int(top + (row + 0.5) * SIZE[1] / rows * scale)
            if any(fx - 20 <= x < fx + width + 20 and fy - 20 <= y < fy + height + 20 for fx, fy, width, height in floating):
                continue
            ground, covered = before[y, x], after[y, x]
            # Full red, no blue: both channels say how opaque; the one with more contrast says it better.
            red, blue = 255 - ground[0], ground[2]
            opaque = (covered[0] - ground[0]) / red if red > blue else (ground[2] - covered[2]) / blue
            heat[row, column] = opaque / MOST_OPAQUE
    return heat


def regrid(cells, n, axis):
    """The same amounts in n cells: each gives to those that it overlaps."""
    m = cells.shape[axis]
    share = numpy.array([[max(0, min((i + 1) / n, (k + 1) / m) - max(i / n, k / m)) * m for k in range(m)] for i in range(n)])
    return numpy.apply_along_axis(share.dot, axis, cells)


def check_heat(hood, token, before):
    """The picture is warm where the engine's attention went, and nowhere else; the hottest cell.

    The engine spreads each patch of the picture over the cells that it touches, so finer cells taken together are a
    little softer than coarse ones: by a tenth at the hottest place, next to nothing elsewhere.
    """
    (attention,) = token["attention"]
    cells = numpy.array(attention["cells"]).reshape(attention["rows"], attention["cols"])
    cells = regrid(regrid(cells, GRID[0], 1), GRID[1], 0)
    cells /= cells.max()
    heat = worst = mean = None

    def same():
        nonlocal heat, worst, mean
        heat = read_heat(before, hood.pixels(), hood, *GRID)
        difference = numpy.abs(heat - cells)[~numpy.isnan(heat)]
        worst, mean = difference.max(), difference.mean()
        return difference.size > 0.9 * cells.size and worst < 0.2 and mean < 0.025
    try:
        wait_for("the heat map", same, 10)
    except AssertionError:
        check(False, f"the heat map of {token['text']!r} is not the engine's: off by {mean:.3f}, at worst {worst:.3f}")
    row, column = numpy.unravel_index(numpy.nanargmax(heat), heat.shape)
    return (column + 0.5) / GRID[0] * 999, (row + 0.5) / GRID[1] * 999


def test_hood():
    engine = ask_engine()
    with Session() as session:
        app = App(session, sample(PICTURE))
        app.find("image", thumbnail(PICTURE))
        app.press("Find")
        ask(app, PROMPT)
        app.press(r"Box 1: .*")
        app.find("list item", r"Box 1: .*")
        app.press("Show or Hide All Boxes")
        session.click(*app.place("page tab", "Under the Hood"))
        hood = Hood(app)
        wait_for("the raw text", lambda: hood.text.text() == engine["text"])
        check_facts(app, engine)
        tokens = [token for token in engine["tokens"] if token["text"]]
        check_shades(hood, tokens)
        check_cut(hood)

        x, y, width, height = app.extents(hood.text)
        session.move(x + 12, y + 8)
        wait_for("the first word under the pointer", lambda: hood.token() == describe(tokens[0]), 10)
        session.click(x + width - 4, y + height - 4)  # for the keyboard, and off the words
        before = hood.pixels()
        app.press("Where It Looked")
        app.find("label", "Point at a word to see where the model looked for it")
        starts = [sum(len(token["text"]) for token in tokens[:i]) for i in range(len(tokens))]
        x1, y1, x2, y2 = engine["boxes"][0]["box_999"]
        for word in (" red", str(x1)):
            index = next(i for i, token in enumerate(tokens) if token["text"] == word)
            hood.go_to(starts[index])
            wait_for(f"{describe(tokens[index])}, there is {hood.token()}", lambda: hood.token() == describe(tokens[index]), 10)
            hottest = check_heat(hood, tokens[index], before)
        check(x1 <= hottest[0] <= x2 and y1 <= hottest[1] <= y2, f"for {x1} it looked at {hottest}, not at the circle")
        app.close()
        quiet(app)


if __name__ == "__main__":
    run([test_hood])
