#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Static analysis of kernels/ and engine/ (which read files from anywhere): gcc -fanalyzer and cppcheck, both over the
build's own compile commands. `analyze.py gcc|cppcheck BUILD_DIR`; any finding that is not excused (EXCUSED below for gcc,
analyze.supp for cppcheck, each with its reason) fails.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FOLDERS = ("kernels/", "engine/")
# file, warning: why it is right as it stands
EXCUSED = {
    ("kernels/alloc.c", "analyzer-malloc-leak"): "the pointer for free() is kept below the aligned block",
    ("kernels/ceilings.c", "analyzer-null-argument"): "there is at least one thread, so the first load has its name",
    ("kernels/cpu/vit_attention_int8.c", "analyzer-null-argument"): "pieces are NULL only while their sizes are added up, before any is used",
}


def commands(build_dir):
    """One compile command for each source file of FOLDERS (a file built for several instruction sets comes once)."""
    seen = {}
    for entry in json.loads((build_dir / "compile_commands.json").read_text()):
        path = os.path.relpath(os.path.normpath(os.path.join(entry["directory"], entry["file"])), ROOT)
        if path.startswith(FOLDERS) and path.endswith(".c"):
            seen.setdefault(path, entry)
    return seen


def run_gcc(build_dir):
    def one(item):
        path, entry = item
        arguments = shlex.split(entry["command"])
        cut = arguments.index("-o")
        del arguments[cut:cut + 2]
        arguments = [a for a in arguments if not re.match(r"-(M|fsanitize|Werror|fdiagnostics-color)", a) and not a.endswith(".o.d")]
        result = subprocess.run(arguments + ["-fanalyzer", "-fdiagnostics-plain-output", "-o", os.devnull], cwd=entry["directory"],
                                capture_output=True, text=True)
        found = set()
        for line in result.stderr.splitlines():
            match = re.match(r"([^:\s]+):(\d+):\d+: (?:error|warning): .*?(?:\[-W([\w-]+)\])?$", line)
            if match and (": error:" in line or (match[3] or "").startswith("analyzer")):
                name = os.path.relpath(os.path.join(entry["directory"], match[1]), ROOT)
                if (name, match[3]) not in EXCUSED:
                    found.add(f"{name}:{match[2]}:{line.split(':', 3)[3]}")
        return sorted(found)

    # The inner loops of the levels take half a minute, allocate nothing and read nothing but arrays.
    items = [item for item in sorted(commands(build_dir).items()) if not item[0].startswith("kernels/cpu/isa_")]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return [line for found in pool.map(one, items) for line in found]


def run_cppcheck(build_dir):
    entries = sorted(commands(build_dir).items())
    project = build_dir / "cppcheck-project.json"
    project.write_text(json.dumps([entry for _, entry in entries]))
    result = subprocess.run(
        ["cppcheck", "-j2", "--quiet", "--inline-suppr", "--enable=warning,performance,portability",
         f"--suppressions-list={HERE / 'analyze.supp'}", "--template={file}:{line}: {severity}: {message} [{id}]",
         f"--project={project}"], cwd=ROOT, capture_output=True, text=True)
    return [line for line in (result.stdout + result.stderr).splitlines() if line.strip()]


def main():
    tool, build_dir = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    findings = {"gcc": run_gcc, "cppcheck": run_cppcheck}[tool](build_dir)
    for line in findings:
        print(line.replace(str(ROOT) + "/", ""))
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
