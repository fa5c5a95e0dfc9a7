#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`models download` against a hub on the loopback that drops, stalls, lies and redirects: the folder appears when every file is
right, nothing is written outside of it, no token goes to another host, and what was fetched is not fetched again.

test_download.py CLI SOURCE_ROOT [KILLS]. Prints TAP.
"""
import random
import re
import resource
import signal
import subprocess
import sys
import threading
import time

import hub as hubs
from case import CANCELLED, CLI, Case, ENV, FILES, INPUT, PIECE, ROOT, TMP, TOKEN, USAGE, WEIGHTS, command, download, holds, tap

KILLS = int(sys.argv[3]) if len(sys.argv) > 3 else 12


@tap.test
def a_polite_hub():
    with Case() as c:
        download(c.hub, dest=c.dest)
        holds(c.dest, FILES)
        assert c.hub.sent == sum(map(len, FILES.values())), "no byte twice"
        assert "exists already" in download(c.hub, dest=c.dest, want=INPUT)


@tap.test
def ranges_come_over_several_connections():
    with Case() as c:
        c.hub.files["model.safetensors"] = random.randbytes(130 * PIECE)
        gate = threading.Barrier(2, timeout=60)
        waited = []

        def together(handler, name, at):
            if name == "model.safetensors" and at in (0, 64 * PIECE):
                waited.append(gate.wait())
            return False

        c.hub.between = together
        download(c.hub, dest=c.dest)
        holds(c.dest, c.hub.files)
        assert len(waited) == 2, "two parts were asked for at once"


@tap.test
def dropped_connections_go_on_where_they_were():
    with Case() as c:
        drops = []

        def drop(handler, name, at):
            if name == "model.safetensors" and len(drops) < 4 and at >= (2 * len(drops) + 1) * PIECE + 65536:
                drops.append(at)
                handler.drop()
                return True
            return False

        c.hub.between = drop
        download(c.hub, dest=c.dest)
        holds(c.dest, FILES)
        assert len(drops) == 4
        assert c.hub.sent <= sum(map(len, FILES.values())) + 4 * PIECE, "at most one piece twice for each break"


@tap.test
def dropped_at_random_bytes():
    with Case() as c:
        drops, dice = [], random.Random(17)

        def drop(handler, name, at):
            if name != "model.safetensors" or len(drops) == 12 or dice.random() > 0.1:
                return False
            drops.append(at + dice.randrange(65536))
            handler.wfile.write(c.hub.files[name][at:drops[-1]])
            handler.drop()
            return True

        c.hub.between = drop
        download(c.hub, "--connections", "1", "--tries", "20", dest=c.dest)
        holds(c.dest, FILES)
        assert len(drops) == 12


@tap.test
def resets():
    with Case() as c:
        resets = []

        def reset(handler, name, at):
            if name == "model.safetensors" and len(resets) < 3 and at >= 2 * PIECE + 65536:
                resets.append(handler.drop(reset=True))
                return True
            return False

        c.hub.between = reset
        download(c.hub, dest=c.dest)
        holds(c.dest, FILES)


@tap.test
def silence_and_drops_of_bytes_are_the_same():
    for byte in (b"", b"x"):
        with Case() as c:
            stalls, done = [], threading.Event()

            def stall(handler, name, at, byte=byte, stalls=stalls, done=done):
                if name == "model.safetensors" and not stalls:
                    stalls.append(1)
                    while not done.wait(0.1):
                        handler.wfile.write(byte)
                        handler.wfile.flush()
                    return True
                return False

            c.hub.between = stall
            said = download(c.hub, "--timeout", "1", "--connections", "1", dest=c.dest)
            done.set()
            assert stalls and "silent" not in said.splitlines()[-1:], said
            holds(c.dest, FILES)


@tap.test
def it_gives_up_with_a_sentence_and_goes_on_later():
    with Case() as c:
        c.hub.between = lambda handler, name, at: name == "model.safetensors" and at >= 4 * PIECE and (handler.drop() or True)
        said = download(c.hub, "--tries", "3", dest=c.dest, want=INPUT)
        assert "127.0.0.1" in said, said
        assert not c.dest.exists()
        c.hub.between, before = None, c.hub.sent
        c.hub.seen.clear()
        download(c.hub, dest=c.dest)
        holds(c.dest, FILES)
        assert c.hub.sent - before <= len(WEIGHTS) - 3 * PIECE, "what was there is not fetched again"
        assert not c.hub.asked("hub", "/api/"), "the list is known"


@tap.test
def kill_at_any_moment():
    with Case() as c:
        total, worst = sum(map(len, FILES.values())), 0
        for round_ in range(KILLS):
            child = subprocess.Popen(command(c.hub, "--limit", "30", dest=c.dest), env=ENV, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            before = c.hub.sent
            target = before + random.randrange(1, 3 * PIECE)
            while c.hub.sent < target and child.poll() is None:
                time.sleep(0.001)
            child.send_signal(signal.SIGKILL)
            child.wait()
            assert not c.dest.exists() or child.returncode == 0
            if child.returncode == 0:
                break
            worst = max(worst, c.hub.sent - before)
        if not c.dest.exists():
            download(c.hub, dest=c.dest)
        holds(c.dest, FILES)
        assert c.hub.sent <= total + (round_ + 1) * 4 * PIECE + (round_ + 1) * 4 * 300000, (c.hub.sent, total, round_)


@tap.test
def damage_on_the_disk_is_fetched_again_and_no_more():
    with Case() as c:
        c.hub.between = lambda handler, name, at: name == "model.safetensors" and at >= 6 * PIECE and (handler.drop() or True)
        download(c.hub, "--tries", "2", "--connections", "1", dest=c.dest, want=INPUT)
        part = c.dest.with_name("model.download") / "model.safetensors.part"
        data = bytearray(part.read_bytes())
        data[2 * PIECE + 7] ^= 1
        part.write_bytes(data)
        c.hub.between, before = None, c.hub.sent
        download(c.hub, dest=c.dest)
        holds(c.dest, FILES)
        assert c.hub.sent - before <= len(WEIGHTS) - 4 * PIECE, "the damaged piece, and what had not come"


@tap.test
def no_ranges():
    with Case() as c:
        c.hub.ranges = False
        download(c.hub, dest=c.dest)
        holds(c.dest, FILES)
    with Case() as c:
        c.hub.ranges = False
        once = []

        def drop(handler, name, at):
            if name == "model.safetensors" and at >= 3 * PIECE + 65536 and not once:
                once.append(handler.drop())
                return True
            return False

        c.hub.between = drop
        download(c.hub, dest=c.dest)
        holds(c.dest, FILES)


@tap.test
def content_that_changes_between_two_requests():
    with Case() as c:
        other = random.randbytes(len(WEIGHTS))
        c.hub.files["model.safetensors"] = other
        right = hubs.Hub(FILES).entries()
        c.hub.entries = lambda: right

        def heal(handler, name, at):
            if name == "model.safetensors" and at >= 5 * PIECE + 65536 and c.hub.files[name] is other:
                c.hub.files[name] = WEIGHTS
                handler.drop()
                return True
            return False

        c.hub.between = heal
        download(c.hub, dest=c.dest)
        holds(c.dest, FILES)


@tap.test
def hashes_that_lie():
    for name in ("model.safetensors", "config.json"):
        with Case() as c:
            lie = c.hub.entries()
            for entry in lie:
                if entry["path"] == name:
                    entry.get("lfs", entry)["oid"] = "0" * (64 if "lfs" in entry else 40)
            c.hub.entries = lambda: lie
            said = download(c.hub, dest=c.dest, want=INPUT)
            assert name in said and "damaged" in said, said
            assert not c.dest.exists()


@tap.test
def lengths_that_lie():
    with Case() as c:
        lie = c.hub.entries()
        for entry in lie:
            if "lfs" in entry:
                entry["lfs"]["size"] = entry["size"] = len(WEIGHTS) + 5 * PIECE
        c.hub.entries = lambda: lie
        said = download(c.hub, dest=c.dest, want=INPUT)
        assert "model.safetensors" in said and str(len(WEIGHTS)) in said, said
        assert not c.dest.exists()


@tap.test
def the_token_stays_with_its_host():
    with Case() as c:
        download(c.hub, dest=c.dest, env={"HF_TOKEN": TOKEN})
        holds(c.dest, FILES)
        asked = c.hub.asked("hub", "/")
        assert asked and all(headers.get("Authorization") == f"Bearer {TOKEN}" for headers in asked)
        elsewhere = c.hub.asked("content", "/")
        assert elsewhere and not any("Authorization" in headers for headers in elsewhere)
        assert all(headers.get("Accept-Encoding") == "identity" for headers in asked + elsewhere)
        for path in c.dest.iterdir():
            assert TOKEN.encode() not in path.read_bytes()


@tap.test
def gated_and_missing():
    for status, words in ((401, ["HF_TOKEN", "terms"]), (403, ["HF_TOKEN", "terms"]), (404, ["does not have"])):
        with Case() as c:
            c.hub.faults.append(lambda handler, path, status=status: "/resolve/" in path and (handler.reply(status) or True))
            said = download(c.hub, dest=c.dest, want=INPUT)
            assert all(word in said for word in words), said
            assert not c.dest.exists()


@tap.test
def a_signed_address_that_ran_out_is_asked_for_anew():
    with Case() as c:
        expired = []

        def once(handler, path):
            if handler.server.role == "content" and path.endswith("model.safetensors") and not expired:
                expired.append(handler.reply(403))
                return True
            return False

        c.hub.faults.append(once)
        download(c.hub, "--connections", "1", dest=c.dest)
        holds(c.dest, FILES)
    with Case() as c:  # and said, where that does not help
        refused = []
        c.hub.faults.append(lambda handler, path: handler.server.role == "content" and path.endswith("model.safetensors")
                            and (refused.append(handler.reply(403)) or True))
        assert "does not give access (403" in download(c.hub, "--connections", "1", dest=c.dest, want=INPUT)
        assert len(refused) == 2, "asked for anew once"


@tap.test
def nobody_is_trusted_without_a_known_certificate():
    with Case() as c:
        c.hub.close()
        c.hub = hubs.Hub(FILES, certificate=ROOT / "tests" / "remote" / "both.pem")
        said = download(c.hub, dest=c.dest, want=INPUT, env={"HF_TOKEN": TOKEN})
        assert "127.0.0.1 is not safe" in said, said
        assert not c.hub.seen and not c.dest.exists(), "nothing was asked, and no token shown"


@tap.test
def a_disk_that_is_full():
    with Case() as c:  # from the start
        large = c.hub.entries()
        for entry in large:
            if "lfs" in entry:
                entry["lfs"]["size"] = entry["size"] = 1 << 41
        c.hub.entries = lambda: large
        said = download(c.hub, dest=c.dest, want=INPUT)
        assert re.search(r"2\.2.TB are still to come, and the disk has room for ", said), said
        assert not c.hub.asked("content", "/"), "nothing is fetched that cannot be kept"
    with Case() as c:  # in the middle: a file that may not grow
        done = subprocess.run(command(c.hub, "--connections", "1", dest=c.dest), capture_output=True, text=True, env=ENV, timeout=120, check=False,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4 * PIECE, 4 * PIECE)), restore_signals=False)
        assert done.returncode == INPUT and "model.safetensors.part” cannot be written: " in done.stderr, done.stderr
        assert not c.dest.exists()
        before = c.hub.sent
        download(c.hub, dest=c.dest)
        holds(c.dest, FILES)
        assert c.hub.sent - before <= len(WEIGHTS) - 4 * PIECE, "what was kept is not fetched again"


@tap.test
def a_busy_hub_is_obeyed():
    for status in (429, 503):
        with Case() as c:
            times = []

            def busy(handler, path):
                if "/resolve/" in path:
                    times.append(time.monotonic())
                    if len(times) == 1:
                        handler.reply(status, b"", [("Retry-After", "1")])
                        return True
                return False

            c.hub.faults.append(busy)
            download(c.hub, "--connections", "1", dest=c.dest)
            holds(c.dest, FILES)
            assert times[1] - times[0] >= 1, "nobody asks before"


@tap.test
def redirect_loops_and_ways_out_of_https():
    with Case() as c:
        c.hub.faults.append(lambda handler, path: "/resolve/" in path and (handler.reply(302, b"", [("Location", path)]) or True))
        assert "without an end" in download(c.hub, dest=c.dest, want=INPUT)
    with Case() as c:
        c.hub.faults.append(lambda handler, path: "/resolve/" in path and (handler.reply(302, b"", [("Location", "file:///etc/passwd")]) or True))
        assert "nowhere" in download(c.hub, dest=c.dest, want=INPUT)


@tap.test
def names_that_lead_out_of_the_folder():
    for name in ("../evil.json", "/etc/evil.json", "a/../../evil.json", "..", "a\\..\\evil.json", "x\n.json", "./a.json", "a//b.json"):
        with Case() as c:
            c.hub.files[name] = b"{}"
            said = download(c.hub, dest=c.dest, want=INPUT)
            assert "name that cannot be used" in said, (name, said)
            assert not c.dest.exists()
    with Case() as c:
        c.hub.files["n" * 240 + ".json"] = b"{}"
        assert "name that cannot be used" in download(c.hub, dest=c.dest, want=INPUT)
    with Case() as c:  # below the folder, hidden, or of no use: passed over
        c.hub.files |= {"images/a.json": b"{}", ".gitattributes": b"x", "pytorch_model.bin": b"y"}
        download(c.hub, dest=c.dest)
        holds(c.dest, FILES)


@tap.test
def twice_the_same_name():
    with Case() as c:
        c.hub.files["Config.JSON"] = b"{}"
        c.hub.files["CONFIG.json"] = b"{}"
        assert "twice" in download(c.hub, dest=c.dest, want=INPUT)


@tap.test
def encoded_content_is_refused():
    with Case() as c:
        c.hub.faults.append(lambda handler, path: path.endswith("config.json") and handler.server.role == "content" and
                            (handler.reply(200, b"\x1f\x8b", [("Content-Encoding", "gzip")]) or True))
        assert "encoded as gzip" in download(c.hub, dest=c.dest, want=INPUT)
        assert not c.dest.exists()


@tap.test
def pages_and_many_files():
    with Case() as c:
        c.hub.files |= {f"extra-{i:04}.json": b"%d" % i for i in range(1000)}
        c.hub.page = 100
        download(c.hub, dest=c.dest)
        holds(c.dest, c.hub.files)


@tap.test
def answers_that_are_no_lists():
    for body in (b"<html>", b"{}", b'[{"type": "file", "path": "config.json"}]', b"[" * 100000):
        with Case() as c:
            c.hub.faults.append(lambda handler, path, body=body: "/tree/" in path and (handler.reply(200, body) or True))
            download(c.hub, dest=c.dest, want=INPUT)
            assert not c.dest.exists()
    with Case() as c:
        del c.hub.files["model.safetensors"]
        assert "safetensors" in download(c.hub, dest=c.dest, want=INPUT)


@tap.test
def two_at_once_are_one():
    with Case() as c:
        begun, go = threading.Event(), threading.Event()

        def hold(handler, name, at):
            begun.set()
            go.wait(60)
            return False

        c.hub.between = hold
        first = subprocess.Popen(command(c.hub, dest=c.dest), env=ENV, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        assert begun.wait(60)
        assert "being downloaded" in download(c.hub, dest=c.dest, want=INPUT)
        go.set()
        assert first.wait(60) == 0
        holds(c.dest, FILES)


@tap.test
def stopped_by_a_signal():
    with Case() as c:
        begun = threading.Event()
        c.hub.between = lambda handler, name, at: begun.set() or (name == "model.safetensors" and time.sleep(0.01))
        child = subprocess.Popen(command(c.hub, dest=c.dest), env=ENV, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        assert begun.wait(60)
        child.send_signal(signal.SIGINT)
        assert child.wait(20) == CANCELLED, child.returncode
        c.hub.between = None
        download(c.hub, dest=c.dest)
        holds(c.dest, FILES)


@tap.test
def a_link_where_the_folder_should_be():
    with Case() as c:
        target = c.dir / "model.download"
        target.mkdir()
        victim = TMP / "victim"
        victim.write_text("precious")
        (target / "model.safetensors.part").symlink_to(victim)
        download(c.hub, dest=c.dest, want=INPUT)
        assert victim.read_text() == "precious"


@tap.test
def usage():
    with Case() as c:
        bare = [CLI, "models", "download"]
        for more, want in (([], USAGE), ([c.hub.repo, "--endpoint", c.hub.url], USAGE), (["no-owner", "--accept-licence"], USAGE),
                           (["../x/y", "--accept-licence"], USAGE), ([c.hub.repo, "--endpoint", "http://example.org", "--accept-licence"], USAGE),
                           ([c.hub.repo, "--endpoint", "ftp://127.0.0.1", "--accept-licence"], USAGE)):
            done = subprocess.run([*bare, *more], capture_output=True, text=True, env=ENV, timeout=60, check=False)
            assert done.returncode == want and done.stderr.count("\n") == 1, (more, done.returncode, done.stderr)
        assert not c.hub.seen, "nobody was asked"


tap.run(TMP)
