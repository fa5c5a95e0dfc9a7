#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""sightline-cli bench: the shape of --json and --csv, generated weights, wrong usage. Speeds are not judged here.

test_bench.py CLI. Prints TAP.
"""
import json
import math
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import tap  # noqa: E402

CLI = sys.argv[1]
USAGE = 2
KINDS = [("decode", 1, 0), ("decode", 1, 1024), ("busy", 1, 1024), ("decode", 1, 4095), ("boxes", 13, 1024), ("boxes_drafted", 13, 1024),
         ("prefill", 128, 0), ("prefill", 512, 0), ("prefill", 2048, 0), ("second_turn", 20, 1024), ("vision", 3, 0)]


def run(*args, want=0):
    done = subprocess.run([CLI, "bench", *args], capture_output=True, text=True, timeout=300)
    assert done.returncode == want, f"{args}: exit {done.returncode}, wanted {want}: {done.stderr}"
    return done.stdout


def check(report):
    assert [(row["kind"], row["tokens"], row["context"]) for row in report["rows"]] == KINDS
    for row in report["rows"]:
        assert 0 < row["best_ms"] <= row["median_ms"] and row["runs"] >= 1, row
        assert math.isclose(row["per_second"], row["tokens"] / row["best_ms"] * 1e3, rel_tol=1e-6)
    machine = report["machine"]
    assert machine["read_gb_per_s"] > 0 and machine["fma_gflop_per_s"] > 0 and machine["read_bytes"] >= 4 * machine["cache_bytes"]
    assert machine["stolen_share"] is None or 0 <= machine["stolen_share"] < 1
    by = {(row["kind"], row["tokens"], row["context"]): row for row in report["rows"]}
    decode, prefill, vision = by["decode", 1, 0], by["prefill", 512, 0], by["vision", 3, 0]
    for name, value in (("decode_bandwidth_ratio", decode["gb_per_s"] / machine["read_gb_per_s"]),
                        ("prefill_fma_ratio", prefill["gflop_per_s"] / machine["fma_gflop_per_s"]),
                        ("vision_fma_ratio", vision["gflop_per_s"] / machine["fma_gflop_per_s"])):
        assert math.isclose(report[name], value, rel_tol=1e-6), f"{name} {report[name]} is not {value}"
    assert math.isclose(report["vision_ms_per_tile"], vision["best_ms"] / 3, rel_tol=1e-6)
    first = 10 * report["vision_ms_per_tile"] + by["prefill", 2048, 0]["best_ms"]
    assert math.isclose(report["first_token_10_tiles_ms"], first, rel_tol=1e-6)
    assert report["peak_memory_bytes"] > report["cache_bytes"]
    busy = by["busy", 1, 1024]["median_ms"] / (2 * by["decode", 1, 1024]["median_ms"])
    assert report["busy_ratio"] is None if report["threads"] == 1 else math.isclose(report["busy_ratio"], busy, rel_tol=1e-6)
    assert [picture["type"] for picture in report["pictures"]] == ["jpeg", "png"]
    for picture in report["pictures"]:
        assert picture["decode_ms"] > 0 and picture["tiles_ms"] > 0 and picture["tiles"] > 1
    return by


@tap.test
def the_bundled_model():
    report = json.loads(run("--json"))
    by = check(report)
    assert report["experts_used"] > report["layers"], "the steps all chose the same experts"
    assert by["decode", 1, 4095]["gb_per_s"] * by["decode", 1, 4095]["best_ms"] > by["decode", 1, 0]["gb_per_s"] * by["decode", 1, 0]["best_ms"], \
        "a full cache is not counted"


@tap.test
def a_shape_is_its_size():
    """One layer of tiny in mix: what it holds follows from the published numbers."""
    report = json.loads(run("--json", "--shape", "tiny", "--layers", "1", "--threads", "1"))
    check(report)
    assert report["layers"] == 1 and report["vision_layers"] == 1
    eight = 17 / 16
    language = (2 * 129280 * 1280 + 4 * 1280 * 1280 + 3 * 1280 * 6848) * eight
    vision = 2 * (4 * 1152 * 1152 + 2 * 1152 * 4304 + 3 * 14 * 14 * 1152 + 729 * 1152)
    projector = 2 * (4608 * 1280 + 1280 * 1280)
    want = language + vision + projector
    assert abs(report["weight_bytes"] - want) < 1e-3 * want, f"{report['weight_bytes']} bytes, not about {want}"


@tap.test
def a_tower_in_int8():
    """The tower and the projector, and nothing else, take 8.5 bits a weight."""
    report = json.loads(run("--json", "--shape", "tiny", "--layers", "1", "--threads", "1", "--vision", "int8"))
    check(report)
    eight = 17 / 16
    language = (2 * 129280 * 1280 + 4 * 1280 * 1280 + 3 * 1280 * 6848) * eight
    vision = (4 * 1152 * 1152 + 1152 * 4304 + 1152 * 4320) * eight + 2 * (3 * 14 * 14 * 1152 + 729 * 1152)
    want = language + vision + (4608 * 1280 + 1280 * 1280) * eight
    assert abs(report["weight_bytes"] - want) < 1e-3 * want, f"{report['weight_bytes']} bytes, not about {want}"


@tap.test
def against_another_build():
    """The other build is a report whose every row but one takes a millisecond, so that each ratio is known."""
    rows = [{"kind": kind, "tokens": tokens, "context": context, "best_ms": 1.0} for kind, tokens, context in KINDS[1:]]
    with tempfile.TemporaryDirectory() as folder:
        other = pathlib.Path(folder, "other")
        other.write_text(f"#!/bin/sh\n[ \"$*\" = 'bench --threads 1 --json' ] && echo '{json.dumps({'rows': rows})}'\n")
        other.chmod(0o755)
        report = json.loads(run("--json", "--threads", "1", "--compare", str(other)))["compare"]
    assert [(row["kind"], row["tokens"], row["context"]) for row in report] == KINDS[1:]
    for row in report:
        assert row["other_ms"] == 1 and 0 < row["ratio_least"] <= row["ratio"] <= row["ratio_most"], row
        assert math.isclose(row["ratio_most"], 1 / row["this_ms"], rel_tol=1e-6), row
    run("--compare", "/bin/false", want=3)


@tap.test
def csv():
    lines = run("--csv", "--threads", "1").splitlines()
    assert lines[0].startswith("kind,tokens,context,runs,best_ms")
    assert [tuple(line.split(",")[:3]) for line in lines[1:]] == [(k, str(t), str(c)) for k, t, c in KINDS]


@tap.test
def wrong_usage():
    for args in (["--shape", "huge"], ["--layers", "2"], ["--shape", "tiny", "--format", "int3"], ["--shape", "tiny", "--layers", "-1"],
                 ["--csv", "--json"], ["--csv", "--compare", CLI],
                 ["--vision", "int8"], ["--shape", "tiny", "--vision", "int4"], ["--shape", "tiny", "--model", "x"], ["extra"]):
        run(*args, want=USAGE)


tap.run()
