#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reads flatpak/io.github.sightline.Sightline.json.

manifest.py check MANIFEST                  fails on a permission, source or module that must not be there
manifest.py sources MANIFEST FOLDER         lists every source: verified (it is in FOLDER and has its hash) or not
manifest.py debian MANIFEST                 lists the sources that Debian has under the same hash: path in a mirror, file, hash
manifest.py local MANIFEST FOLDER OUT       writes OUT for the runtime made of Debian packages: modules whose sources are all in
                                            FOLDER are built, the others are left out, each named on stdout
"""
import hashlib
import json
import pathlib
import re
import sys

ALLOWED = {"--share=network", "--talk-name=org.freedesktop.secrets", "--share=ipc", "--socket=wayland", "--socket=fallback-x11", "--device=dri"}
# What Debian's packages in the local runtime stand for.
FROM_DEBIAN = {"jansson", "md4c", "poppler", "xxhash"}
# Where a Debian mirror keeps the archive of a module, byte for byte.
DEBIAN_ARCHIVES = {"md4c": "pool/main/m/md4c/md4c_0.5.2.orig.tar.gz", "xxhash": "pool/main/x/xxhash/xxhash_0.8.3.orig.tar.gz"}
# What the engine does without: the build finds no nvcc, and the CUDA engine opens cuBLAS only where it is.
OPTIONAL = {"cuda-toolkit", "cublas"}


def sources(manifest):
    for module in manifest["modules"]:
        for source in module["sources"]:
            if source["type"] != "dir":
                yield module["name"], source


def file_name(source):
    return source["url"].rsplit("/", 1)[1]


def is_verified(source, folder):
    path = folder / file_name(source)
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == source["sha256"]


def check(manifest):
    surplus = set(manifest["finish-args"]) - ALLOWED
    assert not surplus, f"permissions that Sightline does not need: {sorted(surplus)}"
    assert set(manifest["finish-args"]) == ALLOWED, "a permission is missing"
    assert re.fullmatch(r"\d+", manifest["runtime-version"]) and manifest["runtime"] == "org.gnome.Platform"
    assert manifest["id"] == "io.github.sightline.Sightline" and manifest["command"] == "sightline"
    assert "build-options" not in manifest or "--share=network" not in json.dumps(manifest["build-options"])
    for name, source in sources(manifest):
        assert source["type"] == "archive", f"{name}: {source['type']} is not pinned by a hash"
        assert source["url"].startswith("https://"), f"{name}: {source['url']} is not https"
        assert re.fullmatch(r"[0-9a-f]{64}", source["sha256"]), f"{name}: no SHA-256"
        assert not re.search(r"/(main|master|latest)([/.]|$)", source["url"]), f"{name}: {source['url']} moves"
    for module in manifest["modules"]:
        for option in module.get("build-options", {}).get("build-args", []):
            assert option != "--share=network", f"{module['name']} wants a network while building"
    assert manifest["modules"][-1]["name"] == "sightline"


def report(manifest, folder):
    for name, source in sources(manifest):
        state = "verified    " if is_verified(source, folder) else "NOT VERIFIED"
        print(f"{state}  {name:14} {source['url']}")


def list_debian(manifest):
    for name, source in sources(manifest):
        if name in DEBIAN_ARCHIVES:
            print(DEBIAN_ARCHIVES[name], file_name(source), source["sha256"])


def make_local(manifest, folder, out):
    modules = []
    for module in manifest["modules"]:
        pinned = [source for source in module["sources"] if source["type"] != "dir"]
        if all(is_verified(source, folder) for source in pinned):
            for source in pinned:
                path = folder / file_name(source)
                del source["url"]
                source["path"] = str(path)
            modules.append(module)
        elif module["name"] in FROM_DEBIAN:
            print(f"not built: {module['name']} (Debian's library takes its place)")
        elif module["name"] in OPTIONAL:
            print(f"not built: {module['name']} (this build has no CUDA engine)")
        else:
            sys.exit(f"{module['name']} cannot be built without its source")
    for source in modules[-1]["sources"]:
        source["path"] = str(pathlib.Path(__file__).resolve().parents[2])
    manifest.update({"runtime": "org.sightline.Platform", "runtime-version": "12", "sdk": "org.sightline.Sdk", "modules": modules})
    if "cublas" not in [module["name"] for module in modules]:
        manifest.pop("add-extensions")
    out.write_text(json.dumps(manifest, indent=2))


def main(command, path, *rest):
    manifest = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    if command == "check":
        check(manifest)
    elif command == "sources":
        report(manifest, pathlib.Path(rest[0]))
    elif command == "debian":
        list_debian(manifest)
    elif command == "local":
        make_local(manifest, pathlib.Path(rest[0]).resolve(), pathlib.Path(rest[1]))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
