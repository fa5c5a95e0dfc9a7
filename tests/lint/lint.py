#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Lints of the tree: each function below checks one rule over a set of files and yields (path, line, sentence).

`lint.py CHECK [ROOT]` runs one check, prints `path:line: sentence` for each finding and exits 1 if there is any.
`./dev lint` runs them all; selftest.py plants a violation of each and sees it found.
"""
import ast
import os
import pathlib
import re
import subprocess
import sys

import rooms

LAYERS = ["kernels", "engine", "app", "ui"]  # left to right: each may use its left neighbour
ROOMS = rooms.read_rooms()  # what a layer shows to the one on its right, and who may use whom inside a layer
# Libraries that a layer must not know.
FOREIGN = {
    "kernels": r"^(glib|gio|gobject|gtk|gdk|adwaita|cairo|pango|sqlite3|jansson|pcre2)",
    "engine": r"^(glib|gio|gobject|gtk|gdk|adwaita|cairo|pango|sqlite3)",
    "app": r"^(gtk/|gdk/|gsk/|adwaita|gtksourceview)",
    "ui": r"^(sqlite3|pcre2)",
}
SOURCES = (".c", ".h", ".cu", ".cuh", ".cpp")
HEADED = SOURCES + (".py", ".sh", ".css", ".ui", "meson.build", "meson_options.txt", "/dev", ".ci/run")
TEXT = HEADED + (".md", ".xml", ".in", ".txt", ".supp", ".editorconfig", ".clang-format", ".svg", "POTFILES", "LINGUAS")
MAX_COLUMNS = 148
MAX_COLUMNS_PY = 176  # tables of test strings, training tasks one per line
MAX_LINES = 600
MAX_FUNCTION = 60
WHOLE = re.compile(r"reads?[\s*]+better[\s*]+whole", re.I)
MAX_FILE = 15 << 20
MAX_TREE = 60 << 20
# Fixtures record the hash of these: their form changes only together with the fixtures.
FROZEN = {"tests/parity/make_checkpoints.py", "tests/parity/make_fixtures.py"}
FORBIDDEN = [
    (r"(?<![\w.])/(?:work|farm|root|mnt)/|/home/\w+/|/tmp/b[-]", "a path of somebody's machine"),
    (r"\b(?:deb[.]debian[.]org|pypi[.]org|pythonhosted[.]org|npmjs[.]org|crates[.]io|proxy[.]golang[.]org)",
     "the address of a package registry"),
    (r"\b(?:TO[D]O|FIX[M]E|XX[X])\b", "a note about unfinished work"),
]

# What a meson.build looks for → the package that brings it, itself or by what it depends on, where that is not called after it
# (jansson: libjansson-dev); None: every Debian has it.
BROUGHT_BY = {
    "c": "gcc", "threads": "libc6-dev", "sh": None, "msgfmt": "gettext", "xmllint": "libxml2-utils", "libpcre2-8": "libpcre2-dev",
    "sqlite3": "libsqlite3-dev", "md4c-html": "libmd4c-html0-dev", "gtk4": "libgtk-4-dev", "cairo": "libgtk-4-dev", "gdk-pixbuf-2.0": "libgtk-4-dev",
    "gio-2.0": "libgtk-4-dev", "gio-unix-2.0": "libgtk-4-dev", "gobject-2.0": "libgtk-4-dev", "pangocairo": "libgtk-4-dev",
    "gtk4-update-icon-cache": "libgtk-4-dev", "glib-compile-resources": "libgtk-4-dev", "glib-compile-schemas": "libgtk-4-dev",
    "update-desktop-database": "desktop-file-utils", "desktop-file-validate": "desktop-file-utils", "appstreamcli": "appstream",
}
# What a call of Meson's modules looks for without saying so.
LOOKS_FOR = {
    r"\bi18n\.\w+\(": "msgfmt", r"\.compile_resources\(": "glib-compile-resources",
    r"\.compile_schemas\(|\bglib_compile_schemas: true": "glib-compile-schemas", r"\bgtk_update_icon_cache: true": "gtk4-update-icon-cache",
    r"\bupdate_desktop_database: true": "update-desktop-database", r'"xml-stripblanks"': "xmllint",
}


def tracked(root):
    """Paths of the tree: what git tracks or would track, or every file of an unpacked archive."""
    if (root / ".git").exists():
        git = ["git", "-c", "safe.directory=*", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(git, check=True, capture_output=True).stdout.decode().split("\0")
    else:
        names = [os.path.relpath(os.path.join(folder, name), root)
                 for folder, _, files in os.walk(root) for name in files
                 if not re.search(r"(^|/)(build|_build|\.venv|__pycache__)", os.path.relpath(folder, root))]
    return sorted(name for name in names if name and (root / name).is_file() and not (root / name).is_symlink())


def has_suffix(name, suffixes):
    return ("/" + name).endswith(suffixes)


def lines(root, names):
    for name in names:
        for number, line in enumerate((root / name).read_text(errors="replace").splitlines(), 1):
            yield name, number, line


def blank(match):
    return re.sub(r"[^\n]", " ", match.group())


def without_comments_and_strings(text):
    """The same text with comments and literals blanked, so that line numbers stay."""
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


def check_includes(root, names):
    """kernels ← engine ← app ← ui: own folder, or the public header of the folder to the left."""
    for name, number, line in lines(root, [n for n in names if n.split("/")[0] in LAYERS and n.endswith(SOURCES)]):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if not match:
            continue
        layer, kind, target = name.split("/")[0], match[1], match[2]
        position = LAYERS.index(layer)
        if kind == "<":
            if re.match(FOREIGN[layer], target):
                yield name, number, f"{layer}/ must not know <{target}>"
        elif target.endswith((".c", ".cu", ".cpp")):
            yield name, number, f'"{target}" is a source file; compile it instead of including it'
        elif target == "config.h" or target.split("/")[0] == layer:
            if target != "config.h" and not (root / target).is_file() and not target.endswith(("-resources.h", "-enums.h")):
                yield name, number, f'"{target}" is not a file; includes are written from the root of the tree'
        elif position and target.startswith(LAYERS[position - 1] + "/"):
            left = LAYERS[position - 1]
            if not rooms.is_public(ROOMS, target):
                yield name, number, f'"{target}" is private to {left}/; {layer}/ may use only its public header'
        elif target.split("/")[0] in LAYERS:
            yield name, number, f'{layer}/ may not use "{target}": kernels ← engine ← app ← ui, one step to the left'
        else:
            yield name, number, f'"{target}" is not written from the root of the tree (like "{layer}/…")'


def check_rooms(root, names):
    """Inside a layer: only the rooms below, through their doors; every source file is in a room; no circle is declared, and none
    is between files but those of one class."""
    yield from rooms.violations(ROOMS, root, names)
    for _, sentence in rooms.upward(ROOMS):
        yield "tests/lint/rooms.txt", 1, sentence
    for module, sentence in rooms.circles(ROOMS, root, names):
        yield module + ".h", 1, sentence


def check_heads(root, names):
    """An SPDX line at the top of every source file; C files also say what they own."""
    for name in (n for n in names if has_suffix(n, HEADED)):
        text = (root / name).read_text(errors="replace")
        top = text.splitlines()[:3]
        if not any("SPDX-License-Identifier: MIT" in line for line in top):
            yield name, 1, "no SPDX-License-Identifier: MIT in the first three lines"
        elif name.endswith(SOURCES) and name.split("/")[0] in LAYERS:
            head = re.match(r"/\*.*?\*/", text, re.S)
            if not head or head.group().count("\n") < 2:
                yield name, 1, "the head comment does not say what the file owns, who calls it and what it must not know"
            elif re.match(r"/\*[^\n]*\n \*\n \* See (?:the header|[a-z]+/\S+\.h)", text):
                yield name, 3, "the head begins with what the file does, in a line of its own words"


def check_endings(root, names):
    """No exit, abort or assert in kernels/ and engine/: an error there is a status and a sentence."""
    for name in (n for n in names if n.split("/")[0] in ("kernels", "engine") and n.endswith(SOURCES)):
        code = without_comments_and_strings((root / name).read_text(errors="replace"))
        for number, line in enumerate(code.splitlines(), 1):
            match = re.search(r"(?<!\w)(_?exit|quick_exit|abort|assert|raise|g_error|err|errx)\s*\(", line)
            if match:
                yield name, number, f"{match[1]}() ends the process; return a status and a sentence instead"


def check_words(root, names):
    """Nothing that points at one machine, at a registry or at unfinished work."""
    for name, number, line in lines(root, [n for n in names if has_suffix(n, TEXT)]):
        for pattern, what in FORBIDDEN:
            if re.search(pattern, line):
                yield name, number, f"{what} does not belong in the tree"


def c_functions(lines_of):
    """(line of its name or so, line of its brace, lines between its braces) of each function, whose last brace is at the line's begin."""
    begin = 0
    for number, line in enumerate(lines_of, 1):
        if line == "{" or (line and line[0] not in " }/#" and line.endswith("{")):
            begin = number
        elif line == "}" and begin:
            top = begin
            while top > 1 and lines_of[top - 2] and lines_of[top - 2][0] != "#" and not lines_of[top - 2].endswith(("*/", "}", ";")):
                top -= 1
            yield top, number - begin - 1
            begin = 0


def py_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            yield node.lineno, node.end_lineno - node.body[0].lineno + 1


def check_sizes(root, names):
    """The tree stays quick to clone and to read: files up to 600 lines, functions up to 60; one that reads better whole says so, in
    its file's head, or in the comment above it."""
    for name in (n for n in names if n.endswith(SOURCES + (".py",)) and n not in FROZEN):
        text = (root / name).read_text(errors="replace")
        lines_of = text.splitlines()
        if len(lines_of) > MAX_LINES and not WHOLE.search(text[:2000]):
            yield name, 1, f"{len(lines_of)} lines; the limit is {MAX_LINES}, but for a file that says in its head that it reads better whole"
        for top, length in py_functions(text) if name.endswith(".py") else c_functions(lines_of):
            if length > MAX_FUNCTION and not WHOLE.search(" ".join(lines_of[max(0, top - 6):top])):
                yield name, top, f"a function of {length} lines; the limit is {MAX_FUNCTION}, but for one of which it is said that it reads better whole"
    total = 0
    for name in names:
        size = (root / name).stat().st_size
        total += size
        if size > MAX_FILE:
            yield name, 1, f"{size / 2**20:.1f} MiB is over the limit of {MAX_FILE >> 20} MiB for one file"
    if total > MAX_TREE:
        yield ".", 1, f"all files together have {total / 2**20:.1f} MiB, over the limit of {MAX_TREE >> 20} MiB"


def check_form(root, names):
    """No tabs, no blanks at line ends, no overlong line, a newline at the end of the file."""
    for name in (n for n in names if has_suffix(n, TEXT) and n not in FROZEN):
        text = (root / name).read_text(errors="replace")
        if text and not text.endswith("\n"):
            yield name, text.count("\n") + 1, "the last line has no newline"
        for number, line in enumerate(text.splitlines(), 1):
            if "\t" in line:
                yield name, number, "a tab; this tree is indented with blanks"
            if line != line.rstrip():
                yield name, number, "blanks at the end of the line"
            limit = MAX_COLUMNS_PY if name.endswith(".py") else MAX_COLUMNS
            unbreakable = name.endswith((".svg", ".ui", ".md"))
            if len(line) > limit and not unbreakable:
                yield name, number, f"{len(line)} columns; the limit is {limit}"


def translatable(name, text):
    if name.endswith(".ui"):
        return re.search(r'translatable="(yes|1|true)"', text)
    if name.endswith((".desktop.in", ".metainfo.xml.in")):
        return True
    if name.endswith(".c"):
        return re.search(r'(?<!\w)(_|N_|C_|NC_|ngettext|g_dngettext|g_dgettext)\s*\(\s*"', text)
    return False


def check_potfiles(root, names):
    """po/POTFILES lists exactly the files with strings to translate, in order."""
    listed = [line for line in (root / "po/POTFILES").read_text().splitlines() if line and not line.startswith("#")]
    for number, name in enumerate(listed, 1):
        if not (root / name).is_file():
            yield "po/POTFILES", number, f"{name} does not exist"
    if listed != sorted(listed):
        yield "po/POTFILES", 1, "the files are not in alphabetical order"
    for name in (n for n in names if n.split("/")[0] in ("app", "ui", "data")):
        if name not in listed and has_suffix(name, (".c", ".ui", ".in")) and translatable(name, (root / name).read_text(errors="replace")):
            yield name, 1, "has strings to translate but is not in po/POTFILES"

def check_strings(root, names):
    """xgettext reads literals only: a format macro other than PRI… cuts the string short, and its translation is never found."""
    for name, number, line in lines(root, [n for n in names if n.split("/")[0] in ("app", "ui") and n.endswith(".c")]):
        if re.search(r'(?<!\w)(_|N_|C_|ngettext)\s*\([^;]*%" +(?!PRI)[A-Z]', line):
            yield name, number, "a format macro inside a translatable string; use %d, %u, %zu or PRId64"


def looked_for(line):
    """The names of what a line of a meson.build or a list of resources cannot go on without."""
    if line.lstrip().startswith("#") or re.search(r"\brequired: (?!true)", line):
        return []
    named = re.findall(r"\b(?:dependency|find_program|find_installation|find_library|add_languages)\('(?:[^']*/)?([^'/]+)'", line)
    return named + re.findall(r"\bproject\('[^']*', *'(\w+)'", line) + [what for call, what in LOOKS_FOR.items() if re.search(call, line)]


def check_packages(root, names):
    """What a meson.build looks for comes with what its command installs: the group build, and test for what only ./dev test reads."""
    groups = {}
    table = (root / "dev").read_text().partition("packages() {")[2].partition("\nEOF\n")[0]
    for group, package in re.findall(r"^(\w+) +(\S+) ", table, re.M):
        groups.setdefault(package, set()).add(group)
    for name, number, line in lines(root, [n for n in names if has_suffix(n, ("meson.build", ".gresource.xml"))]):
        tested = name.startswith("tests/") and not name.startswith("tests/bench/")
        for what in looked_for(line):
            called_after = [what, f"{what}-dev", f"lib{what}-dev"]
            package = BROUGHT_BY.get(what, next((p for p in called_after if p in groups), ""))
            if package == "":
                yield name, number, f"no package of `dev` brings {what}, or BROUGHT_BY in tests/lint/lint.py does not know it"
            elif package and not groups.get(package, set()) & ({"build", "test"} if tested else {"build"}):
                yield name, number, f"{what} comes with {package}, which `dev` does not install for " + ("./dev test" if tested else "./dev run")


CHECKS = {name[len("check_"):]: function for name, function in list(globals().items()) if name.startswith("check_")}


def main(arguments):
    if not arguments or arguments[0] not in CHECKS:
        sys.exit(f"usage: lint.py {'|'.join(CHECKS)} [ROOT]")
    root = pathlib.Path(arguments[1] if len(arguments) > 1 else ".").resolve()
    findings = list(CHECKS[arguments[0]](root, tracked(root)))
    for path, line, sentence in findings:
        print(f"{path}:{line}: {sentence}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
