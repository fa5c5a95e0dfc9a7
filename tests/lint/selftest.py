#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every lint can fail: for each check, a small tree with one planted violation is found at its line, and the same tree
without it passes. Speaks TAP."""
import json
import pathlib
import sys
import tempfile

sys.dont_write_bytecode = True
import analyze  # noqa: E402
import lint  # noqa: E402

HEAD = "/* SPDX-License-Identifier: MIT\n *\n * Owns nothing.\n */\n"
CLEAN = {
    "kernels/vlk.h": HEAD,
    "kernels/cpu/pool.h": HEAD,
    "kernels/cpu/pool.c": HEAD + '#include "kernels/cpu/pool.h"\n#include <stdlib.h>\n',
    "engine/vl2.h": HEAD,
    "engine/model/model.h": HEAD + '#include "kernels/vlk.h"\n',
    "app/store/sl-store.c": HEAD + '#include <gio/gio.h>\n#include "engine/vl2.h"\nconst char *s = _("Saved");\n',
    "app/store/sl-records.h": HEAD,
    "app/store/sl-store.h": HEAD + '#include "app/store/sl-records.h"\n',
    "ui/window/sl-window.c": HEAD + '#include <gtk/gtk.h>\n#include "app/store/sl-store.h"\n',
    "po/POTFILES": "app/store/sl-store.c\n",
    "README.md": "# Sightline\n",
    "dev": "# SPDX-License-Identifier: MIT\npackages() {\nbuild gcc a\nbuild libgtk-4-dev b\ntest python3 c\nEOF\n}\n",
    "meson.build": "# SPDX-License-Identifier: MIT\nproject('sightline', 'c')\n",
    "tests/meson.build": "# SPDX-License-Identifier: MIT\n",
}
# check, file, text added at its end, line of the finding (0: any)
PLANTED = [
    ("includes", "kernels/cpu/pool.c", '#include "engine/vl2.h"\n', 7),
    ("includes", "kernels/cpu/pool.c", "#include <glib.h>\n", 7),
    ("includes", "engine/model/model.h", '#include "kernels/cpu/pool.h"\n', 6),
    ("includes", "engine/model/model.h", '#include "model_parts.h"\n', 6),
    ("includes", "engine/model/model.h", '#include "engine/missing.h"\n', 6),
    ("includes", "engine/model/model.h", '#include "engine/parts.c"\n', 6),
    ("includes", "app/store/sl-store.c", '#include "kernels/vlk.h"\n', 8),
    ("includes", "app/store/sl-store.c", '#include "engine/model/model.h"\n', 8),
    ("includes", "app/store/sl-store.c", "#include <gtk/gtk.h>\n", 8),
    ("includes", "ui/window/sl-window.c", '#include "engine/vl2.h"\n', 7),
    ("includes", "ui/window/sl-window.c", '#include "app/store/sl-store-private.h"\n', 7),
    ("includes", "ui/window/sl-window.c", '#include "app/sl-missing-room/sl-door.h"\n', 7),
    ("rooms", "engine/text/regex.c", '#include "engine/model/model.h"\n', 1),
    ("rooms", "engine/model/vision.c", '#include "engine/session/session_parts.h"\n', 1),
    ("rooms", "engine/loading/engine.c", '#include "engine/text/bpe.h"\n', 1),
    ("rooms", "app/history/sl-history.c", '#include "app/conversation/sl-message-private.h"\n', 1),
    ("rooms", "app/store/sl-store.c", '#include "app/history/sl-history.h"\n', 8),
    ("rooms", "ui/attic/sl-trunk.c", HEAD, 1),
    ("rooms", "app/store/sl-records.h", '#include "app/store/sl-store.h"\n', 1),
    ("heads", "ui/new.c", "int x;\n", 1),
    ("heads", "ui/new.c", "/* SPDX-License-Identifier: MIT */\nint x;\n", 1),
    ("heads", "ui/new.c", "/* SPDX-License-Identifier: MIT\n *\n * See the header.\n */\nint x;\n", 3),
    ("heads", "tests/new.py", "print()\n", 1),
    ("endings", "kernels/cpu/pool.c", "void f(void) { if (x) abort (); }\n", 7),
    ("endings", "engine/vl2.h", "/* assert( in a comment */\n\n#define CHECK(x) assert(x)\n", 7),
    ("words", "README.md", "see /" + "work/main\n", 2),
    ("words", "README.md", "from deb." + "debian.org\n", 2),
    ("words", "kernels/cpu/pool.c", "/* TO" + "DO: more */\n", 7),
    ("form", "kernels/cpu/pool.c", "\tint x;\n", 7),
    ("form", "kernels/cpu/pool.c", "int x; \n", 7),
    ("form", "kernels/cpu/pool.c", "int " + "x" * 150 + ";\n", 7),
    ("form", "kernels/cpu/pool.c", "int x;", 7),
    ("potfiles", "ui/window/sl-window.c", 'const char *t = _("Open");\n', 1),
    ("potfiles", "ui/window/sl-window.ui", '<property name="label" translatable="yes">Open</property>\n', 1),
    ("potfiles", "po/POTFILES", "ui/gone.c\n", 2),
    ("potfiles", "po/POTFILES", "app/a.c\n", 1),
    ("strings", "ui/window/sl-window.c", 'f (_("%" G_GINT64_FORMAT " items"), n);\n', 7),
    ("packages", "meson.build", "gtk = dependency('nowhere-1', version: '>= 1')\n", 3),
    ("packages", "meson.build", "md4c = dependency('md4c')\n", 3),
    ("packages", "meson.build", "python = find_program('/usr/bin/python3')\n", 3),
    ("packages", "meson.build", "gnome.post_install(\n  update_desktop_database: true)\n", 4),
    ("packages", "tests/meson.build", "checked = i18n.merge_file(\n", 2),
    ("packages", "ui/ui.gresource.xml", '<file preprocess="xml-stripblanks">a.ui</file>\n', 1),
    ("sizes", "data/big.bin", "x" * (lint.MAX_FILE + 1), 1),
    ("sizes", "kernels/cpu/pool.c", "\n" * lint.MAX_LINES, 1),
    ("sizes", "tests/run.py", "x = 1\n" * (lint.MAX_LINES + 1), 1),
    ("sizes", "kernels/cpu/pool.c", "/* Adds. */\nint\nadd(int a,\n    int b)\n{\n" + "    a++;\n" * (lint.MAX_FUNCTION + 1) + "}\n", 8),
    ("sizes", "kernels/cpu/pool.c", "int add(int a) {\n" + "    a++;\n" * (lint.MAX_FUNCTION + 1) + "}\n", 7),
    ("sizes", "tests/run.py", "def add(a):\n" + "    a += 1\n" * (lint.MAX_FUNCTION + 1), 1),
]
HARMLESS = [
    ("endings", "kernels/cpu/pool.c", '_Static_assert(1, "x");\n/* abort() */\nchar *s = "exit(1)";\nint on_exit(int);\n'),
    ("packages", "tests/meson.build", "python = find_program('python3')\ngtk = dependency('gtk4')\n# dependency('nothing')\n"),
    ("packages", "meson.build", "nvcc = find_program('nvcc', required: get_option('cuda'))\n"),
    ("includes", "engine/model/model.h", "#include <jansson.h>\n#include <pthread.h>\n"),
    ("rooms", "engine/session/generate.c", '#include "engine/model/model.h"\n#include "engine/session/session_parts.h"\n#include "engine/error.h"\n'),
    ("rooms", "ui/window/sl-window.c", '#include "ui/sl-newer.h"\n#include "ui/chat/sl-chat-view.h"\n'),
]
HARMLESS += [
    ("sizes", "kernels/cpu/table.c", "/* A table that reads better whole. */\n" + "\n" * lint.MAX_LINES),
    ("sizes", "kernels/cpu/pool.c", "/* A pass that reads better\n * whole. */\nint add(int a) {\n" + "    a++;\n" * (lint.MAX_FUNCTION + 1) + "}\n"),
    ("sizes", "kernels/cpu/pool.c", "int add(int a) {\n" + "    a++;\n" * lint.MAX_FUNCTION + "}\n"),
    ("sizes", "kernels/cpu/pool.c", "static const int table[] = {\n" + "    1,\n" * 100 + "};\n"),
]
BUGS = {"gcc": "free(p);\n    free(p);\n", "cppcheck": "char a[2];\n    a[2] = 0;\n    use(a);\n"}


def analysed(tool, body):
    """What a tool finds in one function with this body."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "engine").mkdir()
        (root / "engine/bad.c").write_text(f"#include <stdlib.h>\nvoid use(char *p);\nvoid f(char *p)\n{{\n    {body}}}\n")
        entry = {"directory": folder, "file": "engine/bad.c", "command": "cc -fdiagnostics-color=always -O1 -o bad.o -c engine/bad.c"}
        (root / "compile_commands.json").write_text(json.dumps([entry]))
        analyze.ROOT = root
        return {"gcc": analyze.run_gcc, "cppcheck": analyze.run_cppcheck}[tool](root)


def findings(check, extra):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        tree = dict(CLEAN)
        for name, text in extra:
            tree[name] = tree.get(name, "") + text
        for name, text in tree.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return list(lint.CHECKS[check](root, lint.tracked(root)))


def main():
    results = [(f"{check}: clean tree passes", not findings(check, [])) for check in lint.CHECKS]
    for check, name, text in HARMLESS:
        results.append((f"{check}: harmless lines in {name} pass", not findings(check, [(name, text)])))
    for check, name, text, line in PLANTED:
        found = findings(check, [(name, text)])
        results.append((f"{check}: {name} + {text.strip()[:40]!r}", (name, line) in [(path, at) for path, at, _ in found]))
    circle = {"a": lint.rooms.Room(["b"], [], ""), "b": lint.rooms.Room(["a"], [], "")}
    results.append(("rooms: a declared circle is found", len(list(lint.rooms.upward(circle))) == 1))
    for tool, bug in BUGS.items():
        results.append((f"{tool}: a harmless function passes", not analysed(tool, "use(p);\n")))
        results.append((f"{tool}: a planted bug is found", any(":6:" in line for line in analysed(tool, bug))))
    print(f"1..{len(results)}")
    for number, (what, good) in enumerate(results, 1):
        print(f"{'ok' if good else 'not ok'} {number} - {what}")


if __name__ == "__main__":
    main()
