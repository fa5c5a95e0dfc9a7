# SPDX-License-Identifier: MIT
"""A real window under Xvfb, driven as a user drives it.

Session owns a display, a private session bus and a throw-away home; App is one
run of the program in it. Everything waits for a condition with a deadline, never
for a time. Needs Debian's gir1.2-atspi-2.0, xdotool, xclip, imagemagick, xvfb.
"""
import contextlib
import itertools
import os
import re
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback

from accessible import ROOT, Bus

DEADLINE = float(os.environ.get("SIGHTLINE_TEST_DEADLINE", "60"))
# GTK asks EGL for a visual even where cairo draws. Mesa (seen with 22.3) then keeps a table of an AMD processor's caches in a module
# that is unloaded before LeakSanitizer looks: a leak without a name, which no suppression can match. The second is for newer GTKs.
NO_GL = {"GDK_DEBUG": "gl-disable", "GDK_DISABLE": "gl"}
# Corrects where a program with a newer GTK says that its widgets are (see extents.c).
EXTENTS = os.environ.get("SIGHTLINE_EXTENTS")
# AT-SPI counts from inside the frame that libadwaita draws around a window.
FRAME = 0 if EXTENTS else 5
HERE = os.path.dirname(os.path.abspath(__file__))


class Failure(AssertionError):
    pass


def wait_for(what, condition, deadline=DEADLINE):
    """The first true value of condition(); fails with `what` after the deadline."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"waited {deadline:.0f} s for: {what}")
        time.sleep(0.02)


def insist(what, act, condition, deadline=DEADLINE):
    """The first true value of condition() after act(), which is done again where it had no effect for a while, as a user does.

    For what the display loses, a click while a menu goes or a key before a dialog has the keyboard; act() must do no harm the second
    time. Every repetition is a line of the test's output. Never for Return in a question, or for anything else of which a user would
    say that the program has dropped it: there once must do.
    """
    end = time.monotonic() + deadline
    patience = deadline / 60
    while time.monotonic() + 2 * patience < end:
        act()
        with contextlib.suppress(Failure):
            return wait_for(what, condition, patience)
        print(f"# done again, as it had no effect: {what}", flush=True)
        patience *= 2
    act()
    return wait_for(what, condition, max(end - time.monotonic(), patience))


def check(truth, what):
    if not truth:
        raise Failure(what)


class Session:
    """Display, bus and home. Use as a context manager."""

    def __init__(self, size="1280x800", environment=None, window_manager=False):
        self.size = size
        self.window_manager = window_manager  # dialogs need one to get the keyboard and give it back
        self.processes = []
        self.extra = environment or {}
        self.outputs = os.environ.get("SIGHTLINE_TEST_OUTPUT")

    def __enter__(self):
        self.home = tempfile.mkdtemp(prefix="sightline-ui-")
        try:
            self._start_display()
            self._start_bus()
            self._start("xcompmgr", stderr=subprocess.DEVNULL)
            if self.window_manager:
                self._start("openbox", stderr=subprocess.DEVNULL)
                wait_for("the window manager", self._is_managed)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *exception):
        if exception[0] and self.outputs:
            self.screenshot(f"failure-{os.getpid()}")
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    def path(self, *parts):
        return os.path.join(self.home, *parts)

    def _start(self, *command, **options):
        options.setdefault("stdout", subprocess.DEVNULL)  # ours is TAP
        process = subprocess.Popen(command, env=self.environment, **options)
        self.processes.append(process)
        return process

    def _start_display(self):
        self.environment = {key: value for key, value in os.environ.items()
                            if key in ("PATH", "LANG", "SIGHTLINE_DATA", "ASAN_OPTIONS",
                                       "LSAN_OPTIONS", "UBSAN_OPTIONS")}
        readable, writable = os.pipe()
        self._start("Xvfb", "-displayfd", str(writable), "-screen", "0", self.size + "x24",
                    "-noreset", "-nolisten", "tcp", pass_fds=(writable,),
                    stderr=subprocess.DEVNULL)
        os.close(writable)
        with os.fdopen(readable) as stream:
            number = stream.readline().strip()
        check(number, "Xvfb gives no display")
        for name in ("run", ".config/gtk-4.0", ".cache", ".local/share", "bus/services"):
            os.makedirs(self.path(name), mode=0o700)
        with open(self.path(".config/gtk-4.0/settings.ini"), "w") as settings:
            settings.write("[Settings]\ngtk-font-name=Cantarell 11\ngtk-enable-animations=false\n"
                           "gtk-cursor-blink=false\n")
        # The window fills the display but for its thin frame.
        width, height = map(int, self.size.split("x"))
        folder = self.path(".config/io.github.sightline.Sightline")
        os.makedirs(folder)
        with open(os.path.join(folder, "window.ini"), "w") as state:
            state.write(f"[window]\nwidth={width - 10}\nheight={height - 10}\n")
        self.environment.update(
            DISPLAY=":" + number, HOME=self.home, LC_ALL="C.UTF-8",
            XDG_CONFIG_HOME=self.path(".config"), XDG_CACHE_HOME=self.path(".cache"),
            XDG_DATA_HOME=self.path(".local/share"), XDG_RUNTIME_DIR=self.path("run"),
            GDK_BACKEND="x11", GSK_RENDERER="cairo", GSETTINGS_BACKEND="memory",
            ADW_DISABLE_PORTAL="1", **NO_GL)
        self.environment.update(self.extra)

    def _is_managed(self):
        """A window that is mapped while the manager is still starting may be missed by it, and then is never on the display."""
        listing = subprocess.run(["xprop", "-root", "_NET_SUPPORTING_WM_CHECK"], env=self.environment, stdout=subprocess.PIPE, text=True)
        return "window id" in listing.stdout

    def _start_bus(self):
        bus = self.path("bus")
        with open(os.path.join(HERE, "session.conf.in")) as template:
            text = template.read().replace("@DIR@", bus)
        with open(os.path.join(bus, "session.conf"), "w") as config:
            config.write(text)
        shutil.copy("/usr/share/dbus-1/services/org.a11y.Bus.service",
                    os.path.join(bus, "services"))
        process = self._start("dbus-daemon", "--config-file=" + os.path.join(bus, "session.conf"),
                              "--nofork", "--print-address=1", stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True)
        address = process.stdout.readline().strip()
        check(address, "dbus-daemon gives no address")
        self.environment["DBUS_SESSION_BUS_ADDRESS"] = address
        os.environ["DBUS_SESSION_BUS_ADDRESS"] = address
        os.environ["DISPLAY"] = self.environment["DISPLAY"]
        os.environ["XDG_RUNTIME_DIR"] = self.environment["XDG_RUNTIME_DIR"]

    # --- input -------------------------------------------------------------

    def xdotool(self, *arguments):
        subprocess.run(["xdotool", *map(str, arguments)], env=self.environment, check=True,
                       stdout=subprocess.DEVNULL)

    def key(self, *keys):
        self.xdotool("key", "--clearmodifiers", *keys)

    def type(self, text):
        self.xdotool("type", "--delay", "15", text)

    def enter_path(self, path):
        """Into GTK's dialog that asks for what is there. Pasted, as GTK 4.18 completes what is typed, and types on behind it."""
        subprocess.run(["xclip", "-selection", "clipboard", "-i"], env=self.environment, input=path, text=True, check=True)
        self.key("ctrl+l", "ctrl+a", "ctrl+v")

    def click(self, x, y):
        """From beside it: a press without a motion before it goes to where GTK last saw the pointer, to a menu that is gone for example."""
        self.xdotool("mousemove", x + 1, y, "mousemove", x, y, "click", "1")

    def move(self, x, y):
        self.xdotool("mousemove", x, y)

    def set_clipboard_picture(self, path, mime_type="image/png"):
        self._start("xclip", "-selection", "clipboard", "-t", mime_type, "-i", path)

        def targets():
            return subprocess.run(["xclip", "-selection", "clipboard", "-t", "TARGETS", "-o"],
                                  env=self.environment, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, text=True).stdout.split()
        wait_for("the picture in the clipboard", lambda: mime_type in targets())

    def screenshot(self, name):
        """Path of a PNG of the whole display; kept where SIGHTLINE_TEST_OUTPUT says."""
        folder = self.outputs or self.home
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, name + ".png")
        subprocess.run(["import", "-window", "root", path], env=self.environment, check=True)
        return path

    def pixels(self):
        """(width, height, bytes RGB) of the display."""
        width, height = map(int, self.size.split("x"))
        data = subprocess.run(["import", "-window", "root", "-depth", "8", "rgb:-"],
                              env=self.environment, check=True, stdout=subprocess.PIPE).stdout
        check(len(data) == width * height * 3, "the screenshot has an odd size")
        return width, height, data

    def drag_from(self, files, to, mode="files"):
        """Drops files from another program's window at `to` (x, y)."""
        source = self._start(os.environ["SIGHTLINE_DRAG_SOURCE"], mode, *files, stdout=subprocess.PIPE, bufsize=0)
        said = []
        self._hear(source, said, "ready")
        window = wait_for("the drag source's window", self._find_drag_source)
        left, top = self._geometry(window)
        start = (left + 40, top + 40)
        self.xdotool("mousemove", *start, "mousedown", 1)
        self._pull(start, "the start of the drag", lambda: select.select([source.stdout], [], [], 0)[0])
        self._hear(source, said, "prepare")
        self._carry(start, to)
        self.xdotool("mouseup", 1)
        self._hear(source, said, "end")
        source.terminate()
        source.wait()

    def _hear(self, process, said, word):
        """Waits for the other program's line that starts with `word`; `said` collects what it says."""
        while True:
            ready, _, _ = select.select([process.stdout], [], [], DEADLINE)
            check(ready, f"the other program is silent after {said}")
            said.append(process.stdout.readline().decode().strip())
            check(said[-1], f"the other program ended after {said}")
            if said[-1].startswith(word):
                return

    def _pull(self, start, what, condition):
        """Moves the pressed pointer about until the drag has begun: newer GTKs see none in a motion within 100 ms of the press."""
        places = itertools.cycle((30, 40))

        def pulled():
            offset = next(places)
            self.xdotool("mousemove", start[0] + offset, start[1] + offset)
            return condition()
        wait_for(what, pulled)

    def _carry(self, start, to):
        steps = 12
        for step in range(1, steps + 1):
            self.xdotool("mousemove", *(a + (b - a) * step // steps for a, b in zip(start, to)))
        # The target answers a motion before it takes a drop.
        for offset in (1, 0, 1, 0):
            self.xdotool("mousemove", "--sync", to[0] + offset, to[1])

    def drag_to(self, start, kind):
        """Drops what lies at `start` (x, y) of our window into another program's; the line it says: what arrived.

        kind: "files" or "texture", what the other program takes.
        """
        target = self._start(os.environ["SIGHTLINE_DRAG_SOURCE"], "target", kind, stdout=subprocess.PIPE, bufsize=0)
        said = []
        self._hear(target, said, "ready")
        window = wait_for("the drop target's window", self._find_drag_source)
        self.xdotool("windowmove", "--sync", window, 200, 300)
        left, top = self._geometry(window)
        end = (left + 40, top + 40)

        def shown():
            """How many windows there are; 0 where one went while they were counted."""
            listing = subprocess.run(["xwininfo", "-root", "-tree"], env=self.environment, capture_output=True, text=True)
            return 0 if listing.returncode or listing.stderr else len(listing.stdout.splitlines())
        self.xdotool("mousemove", *start, "mousedown", 1)
        fewest = wait_for("the windows", shown)

        def is_dragged():
            """A tooltip that was open goes with the press, or soon after it."""
            nonlocal fewest
            count = shown()
            fewest = min(fewest, count or fewest)
            return count > fewest
        self._pull(start, "what is dragged, under the pointer", is_dragged)
        self.xdotool("windowraise", window)  # the press has raised ours above it
        self._carry(start, end)
        self.xdotool("mouseup", 1)
        self._hear(target, said, "end")  # the source waits for it, too
        target.terminate()
        target.wait()
        return said[1]

    def _find_drag_source(self):
        found = subprocess.run(["xdotool", "search", "--onlyvisible", "--name",
                                "^SightlineDragSource$"],
                               env=self.environment, stdout=subprocess.PIPE, text=True).stdout
        return found.split()[-1] if found.split() else None

    def _geometry(self, window):
        out = subprocess.run(["xdotool", "getwindowgeometry", "--shell", window],
                             env=self.environment, check=True, stdout=subprocess.PIPE,
                             text=True).stdout
        values = dict(line.split("=") for line in out.split())
        return int(values["X"]), int(values["Y"])


class App:
    """One run of the program, seen through the accessibility bus."""

    def __init__(self, session, *arguments, environment=None):
        self.session = session
        self.log = open(session.path("stderr.log"), "a+")
        env = dict(session.environment, **(environment or {}))
        if EXTENTS:
            env["LD_PRELOAD"] = EXTENTS
            env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        # Before the program: GTK asks once for that bus, and goes on without where it is still being started.
        self.bus = Bus(session.environment["DBUS_SESSION_BUS_ADDRESS"])
        self.process = subprocess.Popen([os.environ["SIGHTLINE"], *arguments], env=env,
                                        stdout=self.log, stderr=self.log)
        session.processes.append(self.process)
        self.owner = wait_for("the program on the accessibility bus", self._find_owner)
        self.find("frame")

    def _find_owner(self):
        check(self.process.poll() is None, "the program ended at its start")
        return next((owner for owner, process, _ in self.bus.owners() if process == self.process.pid), None)

    # --- finding -----------------------------------------------------------

    def all(self, role=None, name=None):
        """Visible widgets, in order. name: a regular expression for the whole name."""
        check(self.process.poll() is None, f"the program ended with {self.process.returncode}")
        return [node for node in self.bus.tree(self.owner) if role in (None, node.role) and (
            name is None or re.fullmatch(name, node.name, re.S))]

    def has(self, role=None, name=None):
        return next(iter(self.all(role, name)), None)

    def find(self, role=None, name=None, deadline=DEADLINE):
        return wait_for(f"a {role or 'widget'} named {name!r}", lambda: self.has(role, name),
                        deadline)

    def gone(self, role=None, name=None):
        wait_for(f"no {role or 'widget'} named {name!r}", lambda: not self.has(role, name))

    def names(self, role):
        return [node.name for node in self.all(role)]

    def extents(self, node):
        """x, y, width, height on the display."""
        x, y, width, height = node.extents()
        dx, dy = self.window_origin()
        return x + dx + FRAME, y + dy + FRAME, width, height

    def middle(self, node):
        x, y, width, height = self.extents(node)
        return x + width // 2, y + height // 2

    def windows(self):
        """The program's windows on the display, dialogs included; none while one of them goes."""
        check(self.process.poll() is None, f"the program ended with {self.process.returncode}")
        search = subprocess.run(["xdotool", "search", "--onlyvisible", "--pid",
                                 str(self.process.pid)], env=self.session.environment,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return [] if search.stderr else search.stdout.split()

    def place(self, role, name):
        """The middle of such a widget, also where rows come and go: what is gone is looked for again."""
        def look():
            with contextlib.suppress(Exception):
                return self.middle(self.has(role, name))
            return None
        return wait_for(f"the place of a {role} named {name!r}", look)

    def window_origin(self):
        found = wait_for("a window on the display", self.windows)
        return self.session._geometry(found[0])

    def click_in_front(self, role, name):
        """Clicks such a widget of the window that has the keyboard, a dialog for example; needs a window manager."""
        x, y, width, height = self.find(role, name).extents()
        # None has it for a moment while a dialog closes.
        front = wait_for("a window with the keyboard", lambda: subprocess.run(
            ["xdotool", "getactivewindow"], env=self.session.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout)
        left, top = self.session._geometry(front.strip())
        self.session.click(left + x + FRAME + width // 2, top + y + FRAME + height // 2)

    def answer_dialog(self, name):
        """Presses a dialog's button and waits until the dialog has left the display.

        GTK 4.8 crashes when the accessible tree is read while a window is taken apart, so
        nobody may look at it until then. And a dialog is in the tree before it is on the display, when its buttons have no size yet
        and do nothing.
        """
        def shown():
            count = len(self.windows())
            button = self.has("push button", name)
            on_display = button and button.extents()[2] > 0 and count >= sum(node.parent == ROOT for node in self.all())
            return count if on_display else 0
        count = wait_for(f"the dialog with {name} on the display", shown)
        self.press(name)
        wait_for(f"the dialog to close after {name}", lambda: 0 < len(self.windows()) < count)

    # --- acting ------------------------------------------------------------

    def key_for(self, key, role, name):
        """A key that brings such a widget; pressed again where the keyboard was not back from another window yet."""
        insist(f"a {role} named {name!r} after {key}", lambda: self.session.key(key), lambda: self.has(role, name))

    def save_as(self, title, path):
        """Types a path in the home into the file dialog of this title, and waits until the file is there and the dialog gone.

        GTK's dialog lists every folder of the path that is typed and loses what it has noted of a file that vanishes from one of
        them; files of other programs do in the folder for temporary files, which is not on the way from the home.
        """
        def dialog():
            return subprocess.run(["xdotool", "search", "--onlyvisible", "--name", f"^{title}$"], env=self.session.environment,
                                  stdout=subprocess.PIPE, text=True).stdout.split()

        def type_path():
            for window in dialog()[:1]:
                with contextlib.suppress(subprocess.CalledProcessError):  # it went meanwhile
                    self.session.xdotool("windowactivate", "--sync", window)
                    self.session.key("ctrl+a")
                    self.session.type("~/" + os.path.relpath(path, self.session.home))
                    self.session.key("Return")
        wait_for("the file dialog", dialog)
        insist("the saved file", type_path, lambda: os.path.exists(path))
        wait_for("the file dialog to close", lambda: not dialog() and len(self.windows()) == 1)

    def press(self, name, role=None):
        node = self.find(role or "push button", name)
        node.press()
        return node

    def choose(self, button, *items):
        """Entries of the menu behind a button, one inside the other."""
        self.choose_after(lambda: self.session.click(*self.place("push button", button)), *items)

    def choose_after(self, opening, *items):
        insist(f"a menu with {items[0]!r}", opening, lambda: self.has("menu item", items[0]))
        for item in items:
            self.find("menu item", item).press()
        self.gone("menu item", items[-1])

    def composer(self):
        return self.find("text", "Message")

    def focus_composer(self):
        insist("the keyboard in the message", lambda: self.session.click(*self.middle(self.composer())),
               lambda: self.composer().has_state("focused"))

    def write(self, text):
        self.focus_composer()
        self.session.type(text)

    def status(self):
        """The sentences under the answers, oldest first."""
        return [node.name for node in self.all("label", r".*(token|Waiting|Reading|Looking|Stopped).*")]

    def chips(self):
        return self.all("push button", r"Box [0-9–]+: .*")

    def wait_idle(self):
        """No answer is under way: Send is there instead of Stop."""
        wait_for("the end of the answer", lambda: self.has("push button", "Send"))

    def close(self):
        self.session.key("ctrl+q")
        wait_for("the program's end", lambda: self.process.poll() is not None)
        self.log.seek(0)
        last = self.log.readlines()[-60:]
        # GLib leaves its table of quarks behind when it grows beyond 2048 of them; nothing else may be lost.
        quarks = "SUMMARY: AddressSanitizer: 16384 byte(s) leaked in 1 allocation(s).\n" in last
        check(self.process.returncode == 0 or quarks, f"exit status {self.process.returncode}\n{''.join(last)}")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def complaints(self):
        """Warnings and criticals that the program wrote; not those of libadwaita's own dialogs, which newer GTKs blame."""
        self.log.seek(0)
        return [line for line in self.log.read().splitlines()
                if re.search(r"-(WARNING|CRITICAL) \*\*|ERROR: AddressSanitizer|runtime error:", line)
                and "Trying to measure GtkLabel" not in line]


def rewrite_answer(session, text, boxes, back=0, probabilities=()):
    """Puts another answer in the place of the last one, or one `back` before it, while the program is not running.

    boxes: (label, label_index, (x1, y1, x2, y2) in 0…999, status); probabilities: of their tokens,
    None where unknown. So a test decides where the boxes are, whatever the model knows.
    """
    folder = session.path(".local/share/io.github.sightline.Sightline")
    names = [name for name in os.listdir(folder) if name.endswith((".db", ".sqlite", ".sqlite3"))]
    check(len(names) == 1, f"one database is expected, there are {names}")
    with contextlib.closing(sqlite3.connect(os.path.join(folder, names[0]))) as database, database:
        (message,) = database.execute("SELECT id FROM message WHERE role = 2 ORDER BY id DESC LIMIT 1 OFFSET ?",
                                      (back,)).fetchone()
        (picture,) = database.execute("SELECT box_picture FROM message WHERE id = ?",
                                      (message,)).fetchone()
        database.execute("UPDATE message SET status = 0 WHERE id = ?", (message,))
        database.execute("UPDATE generation SET stop = 1, error = NULL WHERE message = ?", (message,))
        database.execute("DELETE FROM message_part WHERE message = ?", (message,))
        database.execute("INSERT INTO message_part (message, position, kind, text) "
                         "VALUES (?, 0, 0, ?)", (message, text))
        database.execute("DELETE FROM box WHERE message = ?", (message,))
        for ordinal, (label, index, coords, status) in enumerate(boxes):
            database.execute(
                "INSERT INTO box (message, ordinal, kind, picture, label, label_index, x1, y1, x2, "
                "y2, status, reason, text_start, text_end) VALUES (?,?,0,?,?,?,?,?,?,?,?,?,0,0)",
                (message, ordinal, picture, label, index, *coords, status,
                 "" if status == "ok" else "the text ended inside it"))
        for ordinal, probability in enumerate(probabilities):
            database.execute("UPDATE box SET confidence = ? WHERE message = ? AND ordinal = ?", (probability, message, ordinal))


def fill_with_photos(session, maker, count, width, height):
    """Makes the history that the next start shows: one conversation of so many photographs. maker: tests/bench/photo-history.c."""
    history = session.path(".local/share/io.github.sightline.Sightline")
    conversation = subprocess.run([maker, history, str(count), str(width), str(height)], env=session.environment, check=True,
                                  stdout=subprocess.PIPE, text=True).stdout.strip()
    with open(session.path(".config/io.github.sightline.Sightline/window.ini"), "a") as state:
        state.write(f"conversation={conversation}\n")


def photos_shown(app, count):
    """Whether both thumbnail and picture under the answer of so many photographs have been drawn at least once."""
    pictures = app.all("image", "Picture .*photo-.*")
    return len(pictures) >= 2 * count and not any(node.has_state("busy") for node in pictures)


def sample(name):
    return os.path.join(os.environ["SIGHTLINE_DATA"], "samples", name)


def run(tests):
    """Runs functions as TAP, each in a process of its own: a process knows one session bus.

    The exit status is what Meson looks at.
    """
    wanted = sys.argv[1:]
    tests = [test for test in tests if not wanted or test.__name__ in wanted]
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    for number, test in enumerate(tests, 1):
        child = os.fork()
        if child == 0:
            try:
                test()
                os._exit(0)
            except Failure as failure:
                print(f"# {failure}", flush=True)
            except BaseException:  # pylint: disable=broad-except
                for line in traceback.format_exc().splitlines():
                    print("# " + line, flush=True)
            os._exit(1)
        _, status = os.waitpid(child, 0)
        failed += status != 0
        print(f"{'ok' if status == 0 else 'not ok'} {number} {test.__name__}", flush=True)
    sys.exit(1 if failed else 0)
