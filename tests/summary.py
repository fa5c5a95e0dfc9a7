#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sums up what `meson test` left in build directories: one line each, the end of every failed test's output,
and last `N passed, N failed, N skipped`. Called by ./dev test with the build directories; exits 1 if anything failed
or if a directory ran nothing. One test program in one build directory counts once.
"""
import json
import pathlib
import re
import sys

PASSED = {"OK", "EXPECTEDFAIL"}
TAIL = 40


def read_log(build_dir):
    path = pathlib.Path(build_dir, "meson-logs", "testlog.json")
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(errors="replace").splitlines() if line.strip()]


def checks(test):
    """Single checks inside a program that speaks TAP; 1 for one that only has an exit status."""
    return len(re.findall(r"^(?:not )?ok\b", test.get("stdout") or "", re.M)) or 1


def tail(test):
    """The end of what a test said, without its passed checks; its warnings do not push its results out."""
    shown = []
    for stream in ("stdout", "stderr"):
        lines = (test.get(stream) or "").rstrip().splitlines()
        shown += [line for line in lines if line.strip() and not line.startswith("ok ")][-TAIL:]
    return "\n".join("    " + line for line in shown)


def main(build_dirs):
    passed = failed = skipped = 0
    for build_dir in build_dirs:
        tests = read_log(build_dir)
        bad = [t for t in tests if t["result"] not in PASSED | {"SKIP"}]
        missed = [t for t in tests if t["result"] == "SKIP"]
        good = len(tests) - len(bad) - len(missed)
        for test in missed:
            print(f"{build_dir}: skipped {test['name']}\n{tail(test)}")
        for test in bad:
            print(f"{build_dir}: {test['name']}: {test['result']} after {test['duration']:.1f} s\n{tail(test)}")
        if not tests:
            print(f"{build_dir}: no test ran; see {build_dir}/meson-logs/dev-test.log")
        seconds = max((t["starttime"] + t["duration"] for t in tests), default=0) - min(
            (t["starttime"] for t in tests), default=0)
        again = sum((t.get("stdout") or "").count("# done again") for t in tests)
        if again:
            print(f"{build_dir}: {again} actions had to be done again in a window; more on a quiet machine means that it drops input")
        print(f"{build_dir}: {len(tests)} programs with {sum(map(checks, tests))} checks in {seconds:.0f} s")
        passed, failed, skipped = passed + good, failed + len(bad) + (not tests), skipped + len(missed)
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
