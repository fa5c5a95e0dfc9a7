# SPDX-License-Identifier: MIT
"""A program's widgets as the accessibility bus tells them.

The names of all come in one answer (`org.a11y.atspi.Cache.GetItems`), and who is there in answers that are asked for all at
once: a look at a window of some hundred widgets takes the program hundredths of a second. Used by harness.py alone.
"""
import ast
import functools

import gi
gi.require_version("Atspi", "2.0")
from gi.repository import Atspi, Gio, GLib  # noqa: E402

ROOT = "/org/a11y/atspi/accessible/root"
WINDOW_COORDS = 1
PATIENCE_MS = 60_000
END = (1 << 31) - 1  # more than there are characters in a text


@functools.lru_cache(None)
def role_name(role):
    """The name that it has with GTK 4.8 and AT-SPI 2.46: newer ones have more words for buttons and groups."""
    name = Atspi.role_get_name(Atspi.Role(role))
    return {"button": "push button", "toggle button": "push button", "grouping": "panel"}.get(name, name)


class Node:
    """One widget at the moment of a look; what it is asked or told goes to the widget of now."""

    def __init__(self, bus, item):
        (self.owner, self.path), _, (_, self.parent), self.index, self.children, _, self.name, self._role, _, self._states = item
        self.bus = bus

    @property
    def role(self):
        return role_name(self._role)

    def has_state(self, state):
        """state: as in AT-SPI, in small letters with hyphens."""
        return self._states[0] >> int(getattr(Atspi.StateType, state.upper().replace("-", "_"))) & 1 == 1

    def call(self, interface, method, signature="()", *arguments):
        return self.bus.call(self.owner, self.path, "org.a11y.atspi." + interface, method, signature, *arguments)

    def press(self):
        self.call("Action", "DoAction", "(i)", 0)

    def extents(self):
        """x, y, width, height in its window."""
        return self.call("Component", "GetExtents", "(u)", WINDOW_COORDS)[0]

    def _property(self, interface, name):
        return self.bus.call(self.owner, self.path, "org.freedesktop.DBus.Properties", "Get", "(ss)", "org.a11y.atspi." + interface, name)[0]

    def text(self):
        """GTK 4.18 leaves the pictures in a text out of its CharacterCount, but not out of the places that GetText is given."""
        return self.call("Text", "GetText", "(ii)", 0, END)[0]

    def caret(self):
        """Characters before the text cursor."""
        return self._property("Text", "CaretOffset")

    def run_at(self, offset):
        """Where the text that looks like the character there begins and ends."""
        return self.call("Text", "GetAttributeRun", "(ib)", offset, False)[1:]

    def selected_text(self):
        if not self.call("Text", "GetNSelections")[0]:
            return ""
        return self.call("Text", "GetText", "(ii)", *self.call("Text", "GetSelection", "(i)", 0))[0]

    def set_value(self, value):
        self.bus.call(self.owner, self.path, "org.freedesktop.DBus.Properties", "Set", "(ssv)", "org.a11y.atspi.Value", "CurrentValue",
                      GLib.Variant("d", value))

    def set_text(self, text):
        self.call("EditableText", "SetTextContents", "(s)", text)


class Bus:
    """The accessibility bus of the session bus at `address`."""

    def __init__(self, address):
        self._connection = self._connect(address)
        self._connection = self._connect(self.call("org.a11y.Bus", "/org/a11y/bus", "org.a11y.Bus", "GetAddress")[0])

    @staticmethod
    def _connect(address):
        flags = Gio.DBusConnectionFlags
        return Gio.DBusConnection.new_for_address_sync(address, flags.AUTHENTICATION_CLIENT | flags.MESSAGE_BUS_CONNECTION)

    def _answer(self, owner, path, interface, method, parameters=None):
        return self._connection.call_sync(owner, path, interface, method, parameters, None, Gio.DBusCallFlags.NONE, PATIENCE_MS)

    def call(self, owner, path, interface, method, signature="()", *arguments):
        """The values of the answer; GLib.Error where nobody is there any more."""
        return self._answer(owner, path, interface, method, GLib.Variant(signature, arguments)).unpack()

    def owners(self):
        """Of every program on the bus: its name there, its process, and its title.

        Of those that have told the registry of themselves. One that is only connected may not be asked: GLib takes a call that comes
        before its connection is made for a fault (check_unclosed), and never answers it.
        """
        try:
            known = self.call("org.a11y.atspi.Registry", ROOT, "org.a11y.atspi.Accessible", "GetChildren")[0]
        except GLib.Error:  # the registry is being started
            return
        for name, _ in known:
            try:
                (process,) = self.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                       "GetConnectionUnixProcessID", "(s)", name)
                (title,) = self.call(name, ROOT, "org.freedesktop.DBus.Properties", "Get", "(ss)", "org.a11y.atspi.Accessible", "Name")
            except GLib.Error:  # it went away, or it is no program with widgets
                continue
            yield name, process, title

    def _known(self, owner):
        """What the program's cache holds, by path."""
        answer = self._answer(owner, "/org/a11y/atspi/cache", "org.a11y.atspi.Cache", "GetItems")
        # GVariant's text form of this answer reads as Python, and much faster than value by value.
        (items,) = ast.literal_eval(answer.print_(False))
        return {node.path: node for node in (Node(self, item) for item in items)}

    def _children(self, owner, parents):
        """The paths of those who are there under each of the parents, in order; asked all at once."""
        answers, waited_for = {}, set(parents)

        def on_answer(connection, result, parent):
            try:
                (children,) = ast.literal_eval(connection.call_finish(result).print_(False))
                answers[parent] = [path for _, path in children]
            except GLib.Error:  # gone since the cache was read
                answers[parent] = []
            waited_for.remove(parent)
        for parent in set(parents):  # one that moves has two parents for a moment
            self._connection.call(owner, parent, "org.a11y.atspi.Accessible", "GetChildren", None, None, Gio.DBusCallFlags.NONE,
                                  PATIENCE_MS, None, on_answer, parent)
        while waited_for:
            GLib.MainContext.default().iteration(True)
        return answers

    def tree(self, owner):
        """Every visible widget, parents before their children, in order; empty before there is one.

        GTK puts a widget into its cache when it is first named in an answer, and leaves it there when it is hidden: so the cache
        tells names and states, and the parents tell who is there.
        """
        seen = set()
        while True:
            try:
                known = self._known(owner)
            except GLib.Error:  # not there yet, or at its end
                return []
            children = self._children(owner, [ROOT, *(path for path, node in known.items() if node.children > 0)])
            new = [path for family in children.values() for path in family if path not in known and path not in seen]
            if not new:
                break
            while new:
                seen.update(new)
                new = [path for family in self._children(owner, new).values() for path in family]
        ordered = []

        def descend(path):
            for child in children.get(path, ()):
                if child in known:
                    ordered.append(known[child])
                    descend(child)
        descend(ROOT)
        for node in ordered:
            if node.role == "menu item" and not node.name:
                node.name = self._label(node)
        return ordered

    def _label(self, node):
        """The text of what labels it, which is all that GTK 4.18 tells of a menu's entry; empty where it is gone."""
        try:
            labels = [label for kind, labels in node.call("Accessible", "GetRelationSet")[0]
                      if kind == int(Atspi.RelationType.LABELLED_BY) for label in labels]
            return " ".join(self.call(owner, path, "org.a11y.atspi.Text", "GetText", "(ii)", 0, END)[0] for owner, path in labels)
        except GLib.Error:
            return ""
