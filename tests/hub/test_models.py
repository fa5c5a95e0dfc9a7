#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`models download` against a hub on the loopback that drops, stalls, lies and redirects: the folder appears when every file is
right, nothing is written outside of it, no token goes to another host, and what was fetched is not fetched again.

test_models.py CLI SOURCE_ROOT [KILLS]. Prints TAP.
"""
import hashlib
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

import hub as hubs

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import tap  # noqa: E402

CLI, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
KILLS = int(sys.argv[3]) if len(sys.argv) > 3 else 12
TMP = pathlib.Path(tempfile.mkdtemp(prefix="sightline-hub-"))
OK, USAGE, INPUT, CANCELLED = 0, 2, 3, 5
PIECE = 1 << 20
TOKEN = "hf_secretsecretsecret"
random.seed(11)
WEIGHTS = random.randbytes(9 * PIECE + 12345)
FILES = {
    "config.json": b'{"model_type": "deepseek_vl_v2"}',
    "tokenizer.json": b'{"model": {}}' * 50,
    "empty.txt": b"",
    "model.safetensors": WEIGHTS,
    "LICENSE-MODEL": b"terms\n",
}
ENV = {k: v for k, v in os.environ.items() if not k.startswith(("SIGHTLINE_", "HF_"))} | {
    "LC_ALL": "C.UTF-8", "HOME": str(TMP), "XDG_DATA_HOME": str(TMP / "data"), "no_proxy": "*"}


def command(hub, *more, dest=None):
    dest = dest or TMP / "out" / "model"
    return [CLI, "models", "download", hub.repo, "--endpoint", hub.url, "--dir", str(dest), "--accept-licence", "--first-wait", "0.01", *more]


def download(hub, *more, want=OK, dest=None, env=None):
    done = subprocess.run(command(hub, *more, dest=dest), capture_output=True, text=True, env=ENV | (env or {}), timeout=120, check=False)
    assert done.returncode == want, f"exit {done.returncode}, wanted {want}: {done.stderr}"
    return done.stderr


def holds(folder, files):
    found = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "sightline-download.json"}
    assert found == dict(files), sorted(found)
    assert not folder.with_name(folder.name + ".download").exists()


class Case:
    """A hub and a folder for one test; afterwards nothing lies beside that folder."""

    def __enter__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(dir=TMP))
        self.hub, self.dest = hubs.Hub(FILES), self.dir / "model"
        return self

    def __exit__(self, *_):
        self.hub.close()
        beside = {path.name for path in self.dir.iterdir()} - {"model", "model.download"}
        assert not beside, beside


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


@tap.test
def the_library():
    with Case() as c:
        env = ENV | {"SIGHTLINE_MODELS": str(c.dir)}
        c.hub.files = {path.name: path.read_bytes() for path in (ROOT / "data" / "demo-model").iterdir() if path.is_file() and path.name != "demo.json"}
        download_here = [CLI, "models", "download", c.hub.repo, "--endpoint", c.hub.url, "--accept-licence", "--json"]
        told = json.loads(subprocess.run(download_here, capture_output=True, text=True, env=env, timeout=120, check=True).stdout)
        assert told["dir"] == str(c.dest) and told["bytes"] == sum(map(len, c.hub.files.values()))
        listed = json.loads(subprocess.run([CLI, "models", "list", "--json"], capture_output=True, text=True, env=env, check=True).stdout)["models"]
        assert [(m["name"], m["repo"], m["commit"], m["complete"]) for m in listed] == [("model", "owner/model", hubs.COMMIT, True)]
        info = subprocess.run([CLI, "info", "--model", "model", "--json"], capture_output=True, text=True, env=env, check=True).stdout
        assert json.loads(info)["architecture"], "a model is opened by its name"
        subprocess.run([CLI, "models", "verify", "model"], env=env, check=True, capture_output=True)
        weights = c.dest / "model.safetensors"
        data = bytearray(weights.read_bytes())
        data[-1] ^= 1
        weights.write_bytes(data)
        (c.dest / "config.json").unlink()
        done = subprocess.run([CLI, "models", "verify", "model"], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == INPUT
        (c.dest / "config.json").write_bytes(c.hub.files["config.json"])
        done = subprocess.run([CLI, "models", "verify", "model", "--json"], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == INPUT and json.loads(done.stdout)["wrong"] == ["model.safetensors is not what was downloaded."]


def models(*args, env, want=OK):
    done = subprocess.run([CLI, "models", *args, "--json"], capture_output=True, text=True, env=env, timeout=120, check=False)
    assert done.returncode == want, f"{args}: exit {done.returncode}, wanted {want}: {done.stderr}"
    return json.loads(done.stdout)


def demo_files():
    return {path.name: path.read_bytes() for path in (ROOT / "data" / "demo-model").iterdir() if path.is_file() and path.name != "demo.json"}


@tap.test
def searching():
    with Case() as c:
        c.hub.catalogue = [{"id": "a/one", "downloads": 5, "likes": 1}, {"id": "b/two"}, {"id": "../../evil"}, {"no": "id"}, 7]
        found = models("search", "--endpoint", c.hub.url, env=ENV)["models"]
        assert found == [{"repo": "a/one", "downloads": 5, "likes": 1}, {"repo": "b/two", "downloads": 0, "likes": 0}], found
        assert [hit["repo"] for hit in models("search", "one", "--endpoint", c.hub.url, env=ENV)["models"]] == ["a/one"]
        c.hub.faults.append(lambda handler, path: handler.reply(200, b'{"error": "x"}') or True)
        models("search", "one", "--endpoint", c.hub.url, env=ENV, want=INPUT)


@tap.test
def a_page_s_address_says_hub_repository_and_revision():
    with Case() as c:
        for text in (f"{c.hub.url}/{c.hub.repo}", f"{c.hub.url}/{c.hub.repo}/tree/some-branch"):
            dest = c.dir / "model"
            told = models("download", text, "--dir", str(dest), "--accept-licence", env=ENV)
            assert told["repo"] == c.hub.repo
            subprocess.run(["rm", "-r", str(dest)], check=True)
        assert [path for _, path, _ in c.hub.seen if path.endswith("/revision/some-branch")], "the branch is asked for"
        for text in (f"{c.hub.url}/a/b/c", f"{c.hub.url}/../x", "https:///a/b", "a"):
            models("download", text, "--accept-licence", env=ENV, want=USAGE)


def make_cache(folder, files, links=True, listed=True):
    """As Hugging Face's client leaves it."""
    root = folder / "models--org--found"
    snapshot = root / "snapshots" / hubs.COMMIT
    for made in (root / "refs", root / "blobs", root / "trees", snapshot):
        made.mkdir(parents=True)
    (root / "refs" / "main").write_text(hubs.COMMIT)
    entries = {}
    for name, data in files.items():
        sha256 = hashlib.sha256(data).hexdigest()
        weights = name.endswith(".safetensors")
        entries[name] = {"size": len(data), "blob_id": hubs.git_blob(data)} | ({"lfs_sha256": sha256, "lfs_size": len(data)} if weights else {})
        blob = root / "blobs" / (sha256 if weights else hubs.git_blob(data))
        if links:
            blob.write_bytes(data)
            (snapshot / name).symlink_to(os.path.relpath(blob, snapshot))
        else:
            (snapshot / name).write_bytes(data)
    if listed:
        (root / "trees" / f"{hubs.COMMIT}.json").write_text(json.dumps({"format_version": 1, "files": entries}))
    return snapshot


def snapshot_of(folder):
    return sorted((str(path), path.lstat().st_mtime_ns, path.lstat().st_size) for path in folder.rglob("*"))


@tap.test
def models_of_the_cache_are_used_in_place():
    for links, listed in ((True, True), (True, False), (False, True)):
        with Case() as c:
            cache = c.dir / "model" / "hub"
            snapshot = make_cache(cache, demo_files(), links, listed)
            before = snapshot_of(cache)
            for variable, value in (("HF_HUB_CACHE", cache), ("HUGGINGFACE_HUB_CACHE", cache), ("HF_HOME", cache.parent)):
                env = ENV | {variable: str(value)}
                told = [(m["name"], m["repo"], m["place"], m["complete"], m["dir"]) for m in models("list", env=env)["models"]]
                assert told == [("found", "org/found", "cache", True, str(snapshot))], told
            for name in ("found", "org/found"):
                info = subprocess.run([CLI, "info", "--model", name, "--json"], capture_output=True, text=True, env=env, check=True).stdout
                assert json.loads(info)["architecture"]
            assert models("verify", "found", env=env)["good"]
            models("remove", "found", env=env, want=INPUT)
            assert snapshot_of(cache) == before, "nothing in the cache is changed"
            weights = (snapshot / "model.safetensors").resolve()
            weights.write_bytes(weights.read_bytes()[:-1] + b"!")
            told = models("verify", "found", env=env, want=INPUT)
            assert told["wrong"] == ["model.safetensors is not what was downloaded."], told
            if listed:
                tokenizer = (snapshot / "tokenizer.json").resolve()
                whole = tokenizer.read_bytes()
                tokenizer.write_bytes(whole + b" ")
                assert not models("list", env=env)["models"][0]["complete"], "another length than the list's"
                tokenizer.write_bytes(whole)
                assert models("list", env=env)["models"][0]["complete"]
            (snapshot / "model.safetensors").unlink()
            assert not models("list", env=env)["models"][0]["complete"]


@tap.test
def other_programs_models_in_the_cache_are_theirs():
    with Case() as c:
        make_cache(c.dir / "model", {"config.json": b'{"model_type": "llama"}', "model.safetensors": b"x" * 100})
        assert models("list", env=ENV | {"HF_HUB_CACHE": str(c.dir / "model")})["models"] == []


@tap.test
def folders_are_imported_in_place():
    with Case() as c:
        env = ENV | {"SIGHTLINE_CONFIG_DIR": str(c.dir / "model" / "config"), "SIGHTLINE_MODELS": str(c.dir / "model" / "library")}
        folder = c.dir / "model" / "my model"
        folder.mkdir(parents=True)
        for name, data in demo_files().items():
            (folder / name).write_bytes(data)
        models("import", str(c.dir / "nowhere"), env=env, want=INPUT)
        assert models("import", str(folder), env=env)["name"] == "my model"
        models("import", str(folder), env=env)
        listed = models("list", env=env)["models"]
        assert [(m["name"], m["place"], m["dir"]) for m in listed] == [("my model", "folder", str(folder))], listed
        subprocess.run([CLI, "info", "--model", "my model"], env=env, check=True, capture_output=True)
        folder.rename(folder.with_name("away"))
        listed = models("list", env=env)["models"]
        assert [(m["name"], m["vanished"], m["complete"]) for m in listed] == [("my model", True, False)], "not forgotten"
        folder.with_name("away").rename(folder)
        assert models("remove", "my model", env=env)["trashed"] is False
        assert models("list", env=env)["models"] == [] and (folder / "config.json").exists()


@tap.test
def quantised_by_name():
    with Case() as c:
        library = c.dir / "model"
        env = ENV | {"SIGHTLINE_MODELS": str(library)}
        folder = library / "whole"
        folder.mkdir(parents=True)
        for name, data in demo_files().items():
            (folder / name).write_bytes(data)
        models("quantize", "absent", env=env, want=INPUT)
        models("quantize", "whole", "--format", "int2", env=env, want=USAGE)
        told = models("quantize", "whole", env=env)
        assert told["format"] == "int8" and told["out"] == str(library / "whole-int8"), told
        models("quantize", "whole", "--format", "int8", env=env, want=INPUT)
        assert [m["name"] for m in models("list", env=env)["models"]] == ["whole", "whole-int8"]
        assert models("verify", "whole-int8", env=env)["good"]
        models("verify", "whole", env=env, want=INPUT)
        weights = library / "whole-int8" / "model.safetensors"
        data = bytearray(weights.read_bytes())
        data[-100] ^= 1
        weights.write_bytes(data)
        models("verify", "whole-int8", env=env, want=INPUT)
        info = models("remove", "whole-int8", env=env)
        assert info["trashed"] and info["bytes"] >= len(data) and not (library / "whole-int8").exists()


tap.run(TMP)
