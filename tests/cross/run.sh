#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Cross-builds everything but the CUDA module for aarch64, the window and the tests included, against Debian's arm64 libraries
# unpacked into a folder, and runs kernel and engine tests and the command line with the demo model under qemu. Called by
# `./dev cross`, which gives the names of the libraries' packages. Everything is kept below build-cross/: the libraries are unpacked
# once.
# run.sh PACKAGE…
set -euo pipefail
root=$(dirname "$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")")
work=$root/build-cross
sysroot=$work/sysroot
suite=bookworm

die() { printf 'cross: %s\n' "$*" >&2; exit 1; }
step() { printf '%s %s\n' "$(date +%T)" "$*"; }
quiet() {
    local log=$work/$1.log status=0
    shift
    "$@" >"$log" 2>&1 || status=$?
    ((status == 0)) || { tail -n 40 "$log" >&2; die "$1 failed (see $log)"; }
}
mkdir -p "$work"

libraries=$(IFS=,; echo "$*")
if [[ ! -f $work/sysroot.packages || $(<"$work/sysroot.packages") != "$libraries" ]]; then
    ((EUID == 0)) || die "unpacking Debian's packages needs root"
    step "Unpacking the arm64 libraries"
    rm -rf "$sysroot"
    quiet sysroot mmdebstrap --mode=root --variant=extract --architectures=arm64 --aptopt='Acquire::Languages "none"' \
        --include="$libraries" "$suite" "$sysroot"
    echo "$libraries" >"$work/sysroot.packages"
fi

cat >"$work/aarch64.ini" <<EOF
[binaries]
c = ['aarch64-linux-gnu-gcc', '--sysroot=$sysroot']
ar = 'aarch64-linux-gnu-gcc-ar'
strip = 'aarch64-linux-gnu-strip'
pkgconfig = 'pkg-config'
exe_wrapper = ['qemu-aarch64', '-L', '$sysroot']

[properties]
sys_root = '$sysroot'
pkg_config_libdir = ['$sysroot/usr/lib/aarch64-linux-gnu/pkgconfig', '$sysroot/usr/share/pkgconfig']

[host_machine]
system = 'linux'
cpu_family = 'aarch64'
cpu = 'aarch64'
endian = 'little'
EOF

step "Building for aarch64"
[[ -f $work/build/build.ninja ]] ||
    quiet setup meson setup "$work/build" "$root" --cross-file "$work/aarch64.ini" -Dwerror=true -Dcuda=disabled
quiet build ninja -C "$work/build" all meson-test-prereq
for program in app/sightline-cli ui/sightline; do
    [[ $(LC_ALL=C readelf -h "$work/build/$program") == *AArch64* ]] || die "$program is not built for aarch64"
done

step "Running kernel and engine tests under qemu"
engine=(attention checkpoint confidence config damage grounding load plan prompt session snapshot tiles tokenizer)
quiet kernels meson test -C "$work/build" --no-rebuild --suite kernels --timeout-multiplier 10
quiet engine meson test -C "$work/build" --no-rebuild --timeout-multiplier 10 "${engine[@]/#/engine-}"
grep -hE '^ *[0-9]+/[0-9]+ ' "$work/kernels.log" "$work/engine.log"
echo "not run: engine-boxes, engine-cancel, engine-memory (several minutes each under qemu), engine-unload (measures the process,
         which is qemu's), the tests of app, cli and ui (they start programs by their path)"

step "Asking the demo model under qemu"
answer=$(SIGHTLINE_DATA=$root/data qemu-aarch64 -L "$sysroot" "$work/build/app/sightline-cli" ask \
    --image "$root/data/samples/shapes-1.png" --mode find --json "the red circle" 2>"$work/ask.log") ||
    { cat "$work/ask.log" >&2; die "sightline-cli failed"; }
[[ $answer == *'"box_px"'* ]] || die "there is no box in the answer: $answer"
step "Done: built for aarch64 without a warning, the window too; kernels and engine tested, the demo model answers"
