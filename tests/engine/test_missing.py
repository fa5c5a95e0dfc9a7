#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A test program whose checkpoints were not made says which folder is missing and fails; it neither crashes nor goes on for ever.
test_missing.py PROGRAM…; speaks TAP."""
import pathlib
import subprocess
import sys
import tempfile

# Reading nothing takes no time; a program that hangs hangs for ever.
DEADLINE = 60


def main(programs):
    print(f"1..{len(programs)}")
    with tempfile.TemporaryDirectory() as folder:
        gone = str(pathlib.Path(folder, "gone"))
        for number, program in enumerate(programs, 1):
            name = pathlib.Path(program).name
            arguments = [gone] * (3 if name in ("test_boxes", "test_confidence") else 1)
            try:
                done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=DEADLINE)
                status, said = done.returncode, done.stdout + done.stderr
            except subprocess.TimeoutExpired:
                status, said = "none", ""
            good = status == 1 and gone in said
            print(f"{'ok' if good else 'not ok'} {number} - {name} says that its checkpoints are not there")
            if not good:
                print(f"# exit status {status}")


if __name__ == "__main__":
    main(sys.argv[1:])
