#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds the Debian package twice in a clean chroot, in two folders, languages and time zones, from the tarball that `meson dist`
# makes of the last commit; compares the bytes, asks lintian, installs it there, runs it and removes it. Called by `./dev deb`, as
# root. Everything is kept below build-deb/: the chroot is made once.
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
# inside CHROOT COMMAND…: with a /proc that goes when the command ends, and nothing of the caller's environment but
# DEB_BUILD_OPTIONS (parallel=1 on a busy machine).
inside() {
    local root=$1
    shift
    unshare --mount --fork sh -c 'root=$1; shift; mount -t proc proc "$root/proc" && exec chroot "$root" "$@"' sh "$root" \
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

# A clone of somebody else's tree, which root makes here, is refused without this.
mkdir -p "$work/home"
printf '[safe]\n\tdirectory = *\n' >"$work/home/.gitconfig"
step "Making the tarball"
rm -rf "$work/dist"
quiet dist-setup meson setup "$work/dist" "$root" -Dtests=false -Dcuda=disabled
quiet dist env HOME="$work/home" meson dist -C "$work/dist" --no-tests --allow-dirty
tarball=$(echo "$work"/dist/meson-dist/sightline-*.tar.xz)

# build FOLDER LOCALE TIME_ZONE: the packages are left in FOLDER's parent.
build() {
    step "Building in $1"
    rm -rf "${chroot:?}${1%/*}"
    mkdir -p "$chroot$1"
    tar -x -C "$chroot$1" --strip-components=1 -f "$tarball"
    quiet "build${1//\//-}" inside "$chroot" env LC_ALL="$2" TZ="$3" sh -c "cd $1 && dpkg-buildpackage -b -uc -us"
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

# In a chroot of its own, without what the build needed: what the package depends on has to come with it.
step "Installing in another clean chroot"
user=$work/user
trap 'rm -rf "$user"' EXIT
rm -rf "$user"
quiet user mmdebstrap --mode=root --variant=apt --aptopt='Acquire::Languages "none"' "$suite" "$user"
cp "$chroot"/one/sightline_*.deb "$user/tmp/"
cp /etc/resolv.conf "$user/etc/"
quiet install inside "$user" sh -c 'apt-get update && apt-get install -y --no-install-recommends /tmp/sightline_*.deb'
answer=$(inside "$user" sightline-cli ask --image /usr/share/sightline/samples/shapes-1.png --mode find --json "the red circle")
[[ $answer == *'"box_px"'* ]] || die "the installed program does not answer: $answer"
inside "$user" sightline --version

step "Removing"
quiet remove inside "$user" apt-get purge -y sightline
left=$(cd "$user" && { find etc usr var -name '*ightline*' -not -path 'var/log/*'
    grep -rlsi sightline usr/share/{applications,glib-2.0,icons,mime,dbus-1} var/lib/dpkg/info || true; })
[[ -z $left ]] || die "files are left after the removal: $left"
cp "$chroot"/one/*.deb "$work/"
step "Done: built twice with the same bytes, installed, run, removed; the package is in build-deb/"
