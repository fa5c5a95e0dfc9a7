#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Rooms: the folders inside a layer, read from rooms.txt, and the includes that lead from one into another.

`rooms.py [ROOT]` prints every room with the rooms that it uses and how often, arrows that rooms.txt does not allow, and circles;
exit 1 if there is any of the last two. lint.py asks `violations` for the same.
"""
import collections
import os
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
SOURCES = (".c", ".h", ".cu", ".cuh")
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')

Room = collections.namedtuple("Room", "uses doors about")
Arrow = collections.namedtuple("Arrow", "file line room target header")


def read_rooms(path=HERE / "rooms.txt"):
    """name -> Room, in the order of the file; `uses` holds full names."""
    rooms = {}
    for line in path.read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, uses, doors, about = (field.strip() for field in line.split("|"))
        layer = name.split("/")[0]
        rooms[name] = Room([f"{layer}/{use}" for use in uses.split()], doors.split(), about)
    return rooms


def room_of(rooms, file):
    folder = os.path.dirname(file)
    return folder if folder in rooms else None


def arrows(rooms, root, names):
    """Every include that leads from one room into another of the same layer."""
    for name in names:
        room = room_of(rooms, name)
        if not room or not name.endswith(SOURCES):
            continue
        for number, line in enumerate((root / name).read_text(errors="replace").splitlines(), 1):
            match = INCLUDE.match(line)
            target = room_of(rooms, match[1]) if match else None
            if target and target != room and target.split("/")[0] == room.split("/")[0]:
                yield Arrow(name, number, room, target, match[1])


def is_door(room, header):
    name = os.path.basename(header)
    return not name.endswith("-private.h") if room.doors == ["*"] else name in room.doors


def is_public(rooms, header):
    """May the layer to the right include it?"""
    room = rooms.get(os.path.dirname(header))
    return room is not None and ("/" not in os.path.dirname(header) or room.doors == ["*"]) and is_door(room, header)


def violations(rooms, root, names):
    """(file, line, sentence) of each source file in no room, each arrow that is not allowed, each header that is no door."""
    layers = {name.split("/")[0] for name in rooms}
    for name in names:
        if name.endswith(SOURCES) and name.split("/")[0] in layers and not room_of(rooms, name):
            yield name, 1, f"{os.path.dirname(name)} is no room of tests/lint/rooms.txt"
    for arrow in arrows(rooms, root, names):
        layer = arrow.room.split("/")[0]
        if arrow.target != layer and arrow.target not in rooms[arrow.room].uses:
            yield arrow.file, arrow.line, f"{arrow.room} may not use {arrow.target} (tests/lint/rooms.txt)"
        elif arrow.target != layer and not is_door(rooms[arrow.target], arrow.header):
            yield arrow.file, arrow.line, f'"{arrow.header}" is no door of {arrow.target} (tests/lint/rooms.txt)'


def modules(rooms, root, names):
    """module -> modules whose headers it includes. A module is the files of one name: x.c, x.h, x-private.h."""
    uses = collections.defaultdict(set)
    for name in names:
        if not room_of(rooms, name) or not name.endswith(SOURCES):
            continue
        for line in (root / name).read_text(errors="replace").splitlines():
            match = INCLUDE.match(line)
            if match and room_of(rooms, match[1]) and module_of(match[1]) != module_of(name):
                uses[module_of(name)].add(module_of(match[1]))
    return uses


def module_of(file):
    return re.sub(r"(-private)?\.\w+$", "", file)


def reachable(uses, start):
    seen, left = set(), [start]
    while left:
        for target in uses.get(left.pop(), ()):
            if target not in seen:
                seen.add(target)
                left.append(target)
    return seen


def circles(rooms, root, names):
    """Modules that need each other, but for the parts of one class: there one name begins with the other's."""
    uses = modules(rooms, root, names)
    reach = {module: reachable(uses, module) for module in uses}
    for module in sorted(uses):
        together = sorted(other for other in reach[module] if other > module and module in reach.get(other, ()))
        strangers = [other for other in together if not other.startswith(module + "-") and not module.startswith(other + "-")]
        if strangers:
            yield module, f"{module} and {', '.join(strangers)} need each other"


def upward(rooms):
    """Rooms that use one declared behind them: without any there is no circle."""
    order = list(rooms)
    for name, room in rooms.items():
        for use in room.uses:
            if use not in rooms:
                yield name, f"{name} uses {use}, which is no room"
            elif order.index(use) >= order.index(name):
                yield name, f"{name} uses {use}, which is not below it"


def main(arguments):
    root = pathlib.Path(arguments[0] if arguments else HERE.parent.parent).resolve()
    rooms = read_rooms()
    names = sorted(str(path.relative_to(root)) for layer in {name.split("/")[0] for name in rooms} for path in (root / layer).rglob("*"))
    counts = collections.Counter((arrow.room, arrow.target) for arrow in arrows(rooms, root, names))
    for name, room in rooms.items():
        files = sum(os.path.dirname(file) == name and file.endswith(SOURCES) for file in names)
        used = ", ".join(f"{target.split('/')[-1]} {counts[name, target]}" for target in rooms if counts[name, target])
        print(f"{name:<18} {files:>3} files  {room.about}\n" + (f"{'':<18} uses {used}\n" if used else ""), end="")
    refused = [f"{file}:{line}: {sentence}" for file, line, sentence in violations(rooms, root, names)]
    above, round_about = ([sentence for _, sentence in found] for found in (upward(rooms), circles(rooms, root, names)))
    wrong = refused + above + round_about
    print(f"{len(rooms)} rooms, {sum(counts.values())} includes between them along {len(counts)} arrows; {len(above)} upward, "
          f"{len(round_about)} circles, {len(refused)} includes not allowed")
    print("\n".join(wrong), end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
