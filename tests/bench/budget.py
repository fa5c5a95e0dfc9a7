#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What the application may cost beside the model: `budget.py BUILD_DIR SOURCE_ROOT` prints each figure with its goal. Called by
`./dev bench`. Absolute figures depend on the machine, so nothing here passes or fails. A goal that is missed is marked.
"""
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

BUILD, ROOT = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
sys.path.insert(0, str(ROOT / "tests" / "ui"))
from harness import NO_GL, App, Session, fill_with_photos, photos_shown, wait_for  # noqa: E402

RUNS = 5


def proportional_mib(process):
    """PSS: shared pages count in part."""
    for line in pathlib.Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0


def computing_ms(process):
    """Milliseconds that all its threads have computed: unlike the time that passes, much the same on a busy machine."""
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start_and_size():
    """Milliseconds until the text can be written into, warm, those computed of them, and MiB without a model; cairo renderer."""
    times, computed, sizes = [], [], []
    # Its start and its memory with GL, as everyone starts it.
    with tempfile.TemporaryDirectory() as empty, Session(environment=dict.fromkeys(NO_GL, "")) as session:
        for _ in range(RUNS + 1):
            begin = time.monotonic()
            app = App(session, environment={"SIGHTLINE_DATA": empty})
            app.composer()
            times.append(1000 * (time.monotonic() - begin))
            computed.append(computing_ms(app.process))
            wait_for("no model", lambda: app.has("label", "No model is loaded"))
            sizes.append(proportional_mib(app.process))
            app.close()
    return tuple(statistics.median(values[1:]) for values in (times, computed, sizes))


def resident_mib(process, what):
    """VmRSS: now; VmHWM: at most so far."""
    for field in pathlib.Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8").splitlines():
        if field.startswith(what + ":"):
            return int(field.split()[1]) / 1024
    return 0


def read_bytes(process):
    """What all its threads have read, from files and else."""
    return int(pathlib.Path(f"/proc/{process.pid}/io").read_text(encoding="utf-8").split()[1])


def photographs():
    """MiB resident once a conversation of photographs is shown, and at most until then; MB that are read while something is written
    below it, and the milliseconds computed for that."""
    count, width, height = 50, 6000, 4000
    with Session() as session:
        fill_with_photos(session, BUILD / "tests/bench/photo-history", count, width, height)
        app = App(session)
        wait_for("the photographs", lambda: photos_shown(app, count) and app.has("label", "Demo model.*"), 300)
        shown, most = resident_mib(app.process, "VmRSS"), resident_mib(app.process, "VmHWM")
        before, computed = read_bytes(app.process), computing_ms(app.process)
        app.focus_composer()
        session.type("Where is the spot?")
        app.find(None, "Too long: [0-9]+ of 4096 tokens")
        read, computed = read_bytes(app.process) - before, computing_ms(app.process) - computed
        app.close()
    return shown, most, read / 1e6, computed


def line(name, value, unit, goal):
    print(f"{name:50}{value:10.1f} {unit:4} goal {goal:6} {unit}{'' if value <= goal else '   MISSED'}")


def computing(value):
    print(f"{'  of them the program computed':50}{value:10.1f} ms")


def main():
    os.environ["SIGHTLINE"] = str(BUILD / "ui" / "sightline")
    os.environ["SIGHTLINE_DATA"] = str(ROOT / "data")
    start, computed, size = start_and_size()
    line("start to a text that can be written, warm", start, "ms", 400)
    computing(computed)
    line("memory without a model (PSS, cairo)", size, "MB", 120)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        history = json.loads(subprocess.run([BUILD / "tests/bench/bench-history", folder], check=True, capture_output=True).stdout)
    line(f"open a history of {history['messages']:,} messages", history["open"]["ms"], "ms", 150)
    computing(history["open"]["computed_ms"])
    for search in history["searches"]:
        line(f"search it ({search['kind']}: {search['found']} found)", search["ms"], "ms", 50)
        computing(search["computed_ms"])
    shown, most, read, computed = photographs()
    line("open a conversation of 50 photographs of 24 MP", shown, "MB", 400)
    line("  at most until then", most, "MB", 400)
    line("write below it: read from the disk", read, "MB", 1)
    computing(computed)
    bundle = ROOT / "build-flatpak" / "Sightline.flatpak"
    if bundle.is_file():
        line("Flatpak bundle without cuBLAS", bundle.stat().st_size / 1e6, "MB", 25)
    else:
        print("Flatpak bundle without cuBLAS: not built here; `./dev flatpak` makes it")


if __name__ == "__main__":
    main()
