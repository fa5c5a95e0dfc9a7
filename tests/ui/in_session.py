#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs a test program on a display, bus and home of its own (see harness.py): in_session.py PROGRAM [ARGUMENT…]."""
import subprocess
import sys

from harness import Session

with Session(environment={"G_DEBUG": "fatal-criticals"}) as session:
    status = subprocess.run(sys.argv[1:], env=session.environment).returncode
# A program that a signal ended has a negative status.
sys.exit(status if status >= 0 else 128 - status)
