#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Installs the build into a folder and looks at it as a desktop does: desktop entry, D-Bus service, search provider, schema,
metainfo, icons, manuals, completions. test_install.py BUILD_DIR PREFIX; prints TAP.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import tap  # noqa: E402

BUILD, PREFIX = sys.argv[1:3]
APP_ID = "io.github.sightline.Sightline"
TMP = pathlib.Path(tempfile.mkdtemp(prefix="sightline-install-"))
ROOT = TMP / PREFIX.lstrip("/")
SHARE = ROOT / "share"


def run(*command, **options):
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, **options)
    assert result.returncode == 0, f"{command}: {result.returncode}: {result.stdout}{result.stderr}"
    return result.stdout


def cli(*arguments):
    environment = dict(os.environ, LC_ALL="C.UTF-8", SIGHTLINE_DATA=str(SHARE / "sightline"), ASAN_OPTIONS="detect_leaks=0")
    return run(ROOT / "bin" / "sightline-cli", *arguments, env=environment)


def commands():
    return re.findall(r"^  ([a-z][a-z-]*)  ", cli("--help"), re.M)


@tap.test
def everything_is_there():
    for name in ("bin/sightline", "bin/sightline-cli", f"share/applications/{APP_ID}.desktop", f"share/metainfo/{APP_ID}.metainfo.xml",
                 f"share/dbus-1/services/{APP_ID}.service", f"share/gnome-shell/search-providers/{APP_ID}.search-provider.ini",
                 f"share/glib-2.0/schemas/{APP_ID}.gschema.xml", f"share/icons/hicolor/scalable/apps/{APP_ID}.svg",
                 f"share/icons/hicolor/symbolic/apps/{APP_ID}-symbolic.svg", "share/man/man1/sightline.1", "share/man/man1/sightline-cli.1",
                 "share/bash-completion/completions/sightline", "share/bash-completion/completions/sightline-cli",
                 "share/zsh/site-functions/_sightline", "share/zsh/site-functions/_sightline-cli",
                 "share/fish/vendor_completions.d/sightline.fish", "share/fish/vendor_completions.d/sightline-cli.fish",
                 "share/sightline/demo-model/model.safetensors", "share/sightline/samples/samples.json",
                 "share/locale/zh_CN/LC_MESSAGES/sightline.mo"):
        assert (ROOT / name).is_file(), f"{name} is not installed"
    assert not (SHARE / "sightline/demo-model/train").exists(), "the training scripts are installed"


@tap.test
def nothing_knows_the_build_folder():
    """The same sources give the same bytes in any folder."""
    source = os.path.dirname(BUILD).encode()
    for path in ROOT.rglob("*"):
        if path.is_file() and path.parent.name != "bin":  # debug information of an unstripped program may
            assert source not in path.read_bytes(), f"{path} holds the path of its build"


@tap.test
def the_desktop_finds_it():
    entry = (SHARE / f"applications/{APP_ID}.desktop").read_text()
    run("desktop-file-validate", str(SHARE / f"applications/{APP_ID}.desktop"))
    assert "DBusActivatable=true" in entry and "[Desktop Action new-chat]" in entry
    for kind in ("png", "jpeg", "webp", "tiff", "gif", "bmp", "svg+xml", "heic", "avif"):
        assert f"image/{kind};" in entry, f"does not open {kind}"
    assert "Name[zh_CN]=" in entry
    service = (SHARE / f"dbus-1/services/{APP_ID}.service").read_text()
    assert f"Exec={PREFIX}/bin/sightline --gapplication-service" in service and f"Name={APP_ID}\n" in service
    provider = (SHARE / f"gnome-shell/search-providers/{APP_ID}.search-provider.ini").read_text()
    assert f"DesktopId={APP_ID}.desktop" in provider and "@" not in provider


@tap.test
def the_store_description_is_valid():
    run("appstreamcli", "validate", "--no-net", str(SHARE / f"metainfo/{APP_ID}.metainfo.xml"))


@tap.test
def the_schema_compiles():
    run("glib-compile-schemas", "--strict", "--dry-run", str(SHARE / "glib-2.0/schemas"))


@tap.test
def manuals_name_every_command_and_option():
    for page in ("sightline.1", "sightline-cli.1"):
        text = (SHARE / "man/man1" / page).read_text()
        assert "@" not in text, f"{page} has an unfilled field"
        warnings = run("mandoc", "-T", "lint", "-W", "warning", str(SHARE / "man/man1" / page))
        assert not warnings, warnings
    manual = (SHARE / "man/man1/sightline-cli.1").read_text().replace("\\-", "-")
    for command in commands():
        assert f".SS {command}" in manual, f"the manual lacks the command {command}"
        for option in re.findall(r"--[a-z][a-z-]+", cli(command, "--help")):
            assert re.search(re.escape(option) + r"(?![a-z-])", manual), f"the manual lacks {command} {option}"


def complete(*words):
    """What bash offers for the last word."""
    script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; '
              '_sightline_cli 2>/dev/null; printf "%s\\n" "${COMPREPLY[@]}"')
    environment = dict(os.environ, PATH=f"{ROOT / 'bin'}:{os.environ['PATH']}", ASAN_OPTIONS="detect_leaks=0")
    return run("bash", "-c", script, "bash", str(SHARE / "bash-completion/completions/sightline-cli"), *words,
               env=environment).split()


@tap.test
def completions_follow_the_program():
    assert set(commands()) <= set(complete("sightline-cli", ""))
    assert complete("sightline-cli", "hist") == ["history"]
    assert complete("sightline-cli", "ask", "--mode", "f") == ["find"]
    assert complete("sightline-cli", "ask", "--ima") == ["--image"]
    assert complete("sightline-cli", "history", "ch") == ["check"]
    run("zsh", "-n", str(SHARE / "zsh/site-functions/_sightline-cli"))
    run("zsh", "-n", str(SHARE / "zsh/site-functions/_sightline"))
    run("fish", "-n", str(SHARE / "fish/vendor_completions.d/sightline-cli.fish"))
    run("fish", "-n", str(SHARE / "fish/vendor_completions.d/sightline.fish"))


run("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", str(TMP))
tap.run(TMP)
