#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds the Debian package twice in a clean chroot, in two folders, from the tree that `meson dist` would ship; compares the bytes,
# asks lintian, installs it there and runs it. Called by `./dev deb`, as root. Everything is kept below build-deb/.
set -euo pipefail
root=$(dirname "$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")")
work=$root/build-deb
chroot=$work/chroot
suite=bookworm

die() { printf 'deb: %s\n' "$*" >&2; exit 1; }
step() { printf '%s %s\n' "$(date +%T)" "$*"; }
quiet() {
    local log=$work/$1.log status=0
    shift
    "$@" >"$log" 2>&1 || status=$?
    ((status == 0)) || { tail -n 40 "$log" >&2; die "$1 failed (see $log)"; }
}
# inside COMMAND…: in the chroot, with a /proc that goes when the command ends, and nothing of the caller's environment but
# DEB_BUILD_OPTIONS (parallel=1 on a busy machine).
inside() {
    unshare --mount --fork sh -c 'root=$1; shift; mount -t proc proc "$root/proc" && exec chroot "$root" "$@"' sh "$chroot" \
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/nonexistent LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS:-}" "$@"
}
((EUID == 0)) || die "a chroot needs root"
mkdir -p "$work"

# Names of Build-Depends without their versions.
build_depends=$(sed -n '/^Build-Depends:/,/^[A-Z]/p' "$root/debian/control" | sed '$d' |
    sed 's/^Build-Depends://; s/debhelper-compat[^,]*/debhelper/; s/([^)]*)//g; s/,/ /g' | xargs | tr ' ' ',')
if [[ ! -f $work/chroot.packages || $(<"$work/chroot.packages") != "$build_depends" ]]; then
    step "Making a clean chroot"
    rm -rf "$chroot"
    quiet chroot mmdebstrap --mode=root --variant=buildd --aptopt='Acquire::Languages "none"' --include="$build_depends" "$suite" "$chroot"
    echo "$build_depends" >"$work/chroot.packages"
fi

# build FOLDER: the packages are left in FOLDER's parent.
build() {
    step "Building in $1"
    rm -rf "${chroot:?}${1%/*}"
    mkdir -p "$chroot$1"
    git -c safe.directory='*' -C "$root" archive HEAD | tar -x -C "$chroot$1"
    quiet "build${1//\//-}" inside env LC_ALL="$2" TZ="$3" sh -c "cd $1 && dpkg-buildpackage -b -uc -us"
}
build /one/sightline C.UTF-8 UTC
build /another/folder/sightline-0.1.0 C Asia/Shanghai
step "Comparing"
(cd "$chroot/one" && sha256sum ./*.deb)
for package in "$chroot"/one/*.deb; do
    cmp "$package" "$chroot/another/folder/${package##*/}" ||
        die "two builds differ: diffoscope $package $chroot/another/folder/${package##*/}"
done

step "Asking lintian"
lintian --fail-on error --tag-display-limit 0 "$chroot"/one/*.changes

step "Installing in the chroot"
cp "$chroot"/one/sightline_*.deb "$chroot/tmp/"
cp /etc/resolv.conf "$chroot/etc/"
quiet install inside sh -c 'apt-get update && apt-get install -y --no-install-recommends /tmp/sightline_*.deb'
answer=$(inside sightline-cli ask --image /usr/share/sightline/samples/shapes-1.png --mode find --json "the red circle")
[[ $answer == *'"boxes"'* ]] || die "the installed program does not answer: $answer"
inside sightline --version
quiet remove inside apt-get purge -y sightline
[[ ! -e $chroot/usr/share/sightline ]] || die "files are left after the removal"
cp "$chroot"/one/*.deb "$work/"
step "Done: built twice with the same bytes, installed, run, removed; the package is in build-deb/"
