# SPDX-License-Identifier: MIT
"""How answers stand in the conversation: what is wide, what is long, what is turned to and what is found."""
from harness import App, Session, check, rewrite_answer, run, sample, wait_for
from test_window import ask, quiet, thumbnail

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Total", "Average"]
WIDE = "\n".join([
    "Before the table.", "",
    "|Month|" + "|".join(MONTHS) + "|",
    "|---" * (len(MONTHS) + 1) + "|",
    "|Umsatzerlöse|" + "|".join(f"{n * 79.19:.2f}" for n in range(len(MONTHS))) + "|",
    "|a cell of so many words that it has to be written on two lines|" + "|".join(f"{n * 1047.29:,.2f}" for n in range(len(MONTHS)))
    + "|", "",
    "> " * 30 + "a deep quote", "",
    *("   " * n + f"- level {n}" for n in range(30)), "",
    "The end of it.",
])


def test_wide_content():
    """A table scrolls inside of itself, and what is deep is not indented for ever: the window stays as wide as it was."""
    for size in ("370x700", "1270x800"):
        width = int(size.split("x", maxsplit=1)[0])
        with Session(size=size) as session:
            app = App(session, sample("shapes-1.png"))
            app.find("image", thumbnail("shapes-1.png"))
            ask(app, "the months")
            before = app.extents(app.find("frame"))[2]
            app.close()
            rewrite_answer(session, WIDE, [])
            app = App(session)
            app.find("label", "The end of it.")
            wait_for("the window as wide as it was", lambda: app.extents(app.find("frame"))[2] == before)
            left, _, wide, _ = app.extents(app.find("push button", "Send"))
            check(left > 0 and left + wide <= width, f"{size}: Send is at {left}, {wide} wide")
            if width > 1000:
                check(app.extents(app.find("list", "Conversations"))[0] >= 0, f"{size}: the side bar has gone")
            row = ["Umsatzerlöse"] + [f"{n * 79.19:.2f}" for n in range(len(MONTHS))]
            places = [app.extents(app.find("label", text.replace(".", r"\."))) for text in row]
            for one, next_one in zip(places, places[1:]):
                check(one[0] + one[2] <= next_one[0], f"{size}: cells lie on each other: {places}")
            # No letter of this font is as narrow as 5 pixels in the mean of a word.
            for text, place in zip(row, places):
                check(place[2] >= 5 * len(text), f"{size}: {text} is painted out of its {place[2]} pixels")
            check(places[-1][0] > width, f"{size}: the last column is squeezed into sight: {places[-1]}")
            tall = app.extents(app.find("label", "a cell of so many words.*"))[3]
            check(tall > 1.5 * places[0][3], f"{size}: the long cell is {tall} high")
            app.close()
            quiet(app)


if __name__ == "__main__":
    run([test_wide_content])
