# SPDX-License-Identifier: MIT
"""Tests that are functions, in the order of their file, reported as TAP: `@tap.test` above each, `tap.run()` at the end."""
import shutil
import sys
import time
import traceback

TESTS = []


def test(function):
    TESTS.append(function)
    return function


def run(*folders):
    """Runs them all, one that fails hides none, and leaves the program. folders: removed afterwards."""
    failed = 0
    print(f"1..{len(TESTS)}", flush=True)
    for number, function in enumerate(TESTS, 1):
        start = time.monotonic()
        try:
            function()
            print(f"ok {number} - {function.__name__} # {time.monotonic() - start:.1f} s", flush=True)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print(f"not ok {number} - {function.__name__}")
            print("".join(f"# {line}\n" for line in traceback.format_exc()[-4000:].splitlines()), end="", flush=True)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if failed else 0)
