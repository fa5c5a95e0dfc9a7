#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `models` does beside downloading: list, verify, remove, search, import, quantize; models that other programs fetched.

test_models.py CLI SOURCE_ROOT. Prints TAP.
"""
import fcntl
import hashlib
import json
import os
import subprocess

import hub as hubs
from case import CLI, Case, ENV, INPUT, OK, ROOT, TMP, USAGE, tap


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


@tap.test
def what_a_kill_leaves_is_seen_and_removed():
    with Case() as c:
        library = c.dir / "model"
        env = ENV | {"SIGHTLINE_MODELS": str(library)}
        left = library / "whole-int8.a1B2c3"
        left.mkdir(parents=True)
        (left / "model.safetensors").write_bytes(bytes(1 << 16))
        handle = os.open(left, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert models("list", env=env)["models"] == [], "somebody fills it"
        os.close(handle)
        (listed,) = models("list", env=env)["models"]
        assert (listed["name"], listed["complete"], listed["bytes"]) == (left.name, False, 1 << 16), listed
        assert models("remove", left.name, env=env)["trashed"] and not left.exists()
        assert models("list", env=env)["models"] == []


tap.run(TMP)
