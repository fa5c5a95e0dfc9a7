#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds the Flatpak without any remote and uses it as somebody would: see flatpak/README.md. Called by `./dev flatpak`, which
# gives the names of the packages to build with. Everything is kept below build-flatpak/: the runtimes are made once.
# run.sh PACKAGE…
set -euo pipefail
root=$(dirname "$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")")
work=$root/build-flatpak
id=io.github.sightline.Sightline
manifest=$root/flatpak/$id.json
suite=bookworm
# What the finished program loads, and the fonts and icons of its window.
platform=(libgtk-4-1 libadwaita-1-0 libgtksourceview-5-0 libmd4c0 libmd4c-html0 libsqlite3-0 libjansson4 libarchive13 libpcre2-8-0 libxxhash0
    libpoppler-glib8 librsvg2-common webp-pixbuf-loader heif-gdk-pixbuf shared-mime-info adwaita-icon-theme fonts-cantarell fonts-noto-cjk
    at-spi2-core libglib2.0-bin dbus-user-session ca-certificates locales)

die() { printf 'flatpak: %s\n' "$*" >&2; exit 1; }
step() { printf '%s %s\n' "$(date +%T)" "$*"; }
quiet() {
    local log status=0
    log=$work/$1.log
    shift
    "$@" >"$log" 2>&1 || status=$?
    ((status == 0)) || { tail -n 40 "$log" >&2; die "$1 failed (see $log)"; }
}

# ---------------------------------------------------------------------------------------- what this needs of the machine
bwrap --unshare-user --unshare-pid --unshare-net --dev-bind / / true 2>/dev/null ||
    die "this system does not allow user namespaces, in which Flatpak builds and runs (bwrap --unshare-user fails)"
[[ -e /dev/fuse ]] || die "there is no /dev/fuse, which the document portal needs"
mkdir -p "$work/sources"
cd "$work"
# The document portal works nowhere else, and gpg keeps its agent's socket there once it exists.
runtime=/run/user/$EUID
[[ -d $runtime ]] || mkdir -p -m 700 "$runtime"
export XDG_RUNTIME_DIR=$runtime
export FLATPAK_USER_DIR=$work/user HOME=$work/home XDG_DATA_HOME=$work/home/.local/share
mkdir -p "$HOME"

step "Checking the manifest"
python3 "$root/tests/flatpak/manifest.py" check "$manifest"
# Debian keeps the identical archive of some sources. What comes from there counts only if it has the manifest's hash.
mirror=$(apt-get download --print-uris base-files 2>/dev/null | sed -n "s|^'\(.*\)/pool/.*|\1|p" | head -n 1)
python3 "$root/tests/flatpak/manifest.py" debian "$manifest" | while read -r path file hash; do
    [[ -f sources/$file ]] || /usr/lib/apt/apt-helper download-file "$mirror/$path" "sources/$file" "SHA256:$hash" >>sources.log 2>&1 ||
        rm -f "sources/$file"
done
python3 "$root/tests/flatpak/manifest.py" sources "$manifest" "$work/sources"

# ---------------------------------------------------------------------------------------- runtimes of Debian packages
# The Sdk is the Platform with more packages. The trees become org.sightline.NAME//12 in the repository "base".
# chroot_of NAME COMMAND…: with a /proc that goes when the command ends.
chroot_of() {
    local name=$1
    shift
    unshare --mount --fork sh -c 'mount -t proc proc "$0/proc" && exec chroot "$@"' "tree-$name" "tree-$name" \
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/nonexistent LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}
make_trees() {
    rm -rf tree-Platform tree-Sdk
    quiet mmdebstrap mmdebstrap --mode=root --variant=apt --aptopt='Acquire::Languages "none"' \
        --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr --include="$(IFS=,; echo "${platform[*]}")" "$suite" tree-Platform
    cp -a tree-Platform tree-Sdk
    cp /etc/resolv.conf tree-Sdk/etc/
    quiet sdk chroot_of Sdk sh -c 'apt-get update && apt-get install -y --no-install-recommends "$@" && apt-get clean' sh "$@"
}
export_tree() {
    local name=$1
    rm -rf "runtime-$name"
    mkdir -p "runtime-$name/files/app"
    cp -al "tree-$name/usr/." "runtime-$name/files/"
    cp -a "tree-$name/etc" "runtime-$name/files/etc"
    rm -rf "runtime-$name/files/share/doc" "runtime-$name/files/share/man"
    printf '[Runtime]\nname=org.sightline.%s\nruntime=org.sightline.Platform/x86_64/12\nsdk=org.sightline.Sdk/x86_64/12\n' \
        "$name" >"runtime-$name/metadata"
    [[ -d base ]] || ostree init --mode=bare-user --repo=base
    quiet "export-$name" flatpak build-export --runtime --disable-sandbox --files=files base "runtime-$name" 12
    rm -rf "runtime-$name" "tree-$name"
}
packages="${platform[*]} / $*"
if [[ ! -f runtimes.packages || $(<runtimes.packages) != "$packages" ]]; then
    step "Making the runtimes"
    make_trees "$@"
    export_tree Platform
    export_tree Sdk
    echo "$packages" >runtimes.packages
fi
flatpak build-update-repo base >/dev/null
flatpak --user remote-add --if-not-exists --no-gpg-verify base base
for name in Platform Sdk; do
    quiet "install-$name" flatpak --user install -y --noninteractive --or-update base "org.sightline.$name//12"
done

# ---------------------------------------------------------------------------------------- build, sign, export, bundle
step "Building"
python3 "$root/tests/flatpak/manifest.py" local "$manifest" "$work/sources" "$work/local.json"
export GNUPGHOME=$work/keys
# gpg leaves its agent running, which would stand in the way of the next one.
stop_agent() { [[ ! -d $GNUPGHOME ]] || gpgconf --kill all; }
stop_agent
trap stop_agent EXIT
rm -rf repo app keys
mkdir -m 700 keys
quiet key gpg --batch --passphrase '' --quick-generate-key 'Sightline test <test@example.org>' ed25519 sign never
key=$(gpg --list-keys --with-colons | awk -F: '/^fpr/ {print $10; exit}')
gpg --export "$key" >key.gpg
quiet build dbus-run-session -- flatpak-builder --user --force-clean --disable-rofiles-fuse --ccache --state-dir=state \
    --default-branch=stable --gpg-sign="$key" --repo=repo app local.json
flatpak build-update-repo --gpg-sign="$key" repo >/dev/null
quiet bundle flatpak build-bundle --gpg-keys=key.gpg repo Sightline.flatpak "$id" stable
step "The bundle has $(stat -c %s Sightline.flatpak | awk '{printf "%.1f MB", $1 / 1e6}')"

# ---------------------------------------------------------------------------------------- as a user
step "Installing from the signed repository and driving it"
flatpak --user uninstall -y --noninteractive "$id" >/dev/null 2>&1 || true
rm -rf "$HOME/.var/app/$id"
flatpak --user remote-delete --force sightline >/dev/null 2>&1 || true
flatpak --user remote-add --gpg-import=key.gpg sightline repo
quiet install flatpak --user install -y --noninteractive sightline "$id//stable"
flatpak info --show-permissions "$id" | sed 's/^/  /'
drive() { /usr/bin/python3 "$root/tests/flatpak/drive.py" "$1" "$root" || die "driving the application failed: $1"; }
drive first

step "Updating"
touch app/files/share/sightline/newer
quiet update-export flatpak build-export --gpg-sign="$key" repo app stable
flatpak build-update-repo --gpg-sign="$key" repo >/dev/null
before=$(flatpak info --show-commit "$id")
quiet update flatpak --user update -y --noninteractive "$id"
[[ $(flatpak info --show-commit "$id") != "$before" ]] || die "the update did not arrive"
drive again

step "Uninstalling, and installing from the bundle"
# Forgetting a user's permissions too needs a bus.
quiet uninstall dbus-run-session -- flatpak --user uninstall -y --noninteractive --delete-data "$id"
[[ ! -e $HOME/.var/app/$id ]] || die "the user's data is still there"
quiet install-bundle flatpak --user install -y --noninteractive Sightline.flatpak
quiet devices flatpak run --user --command=sightline-cli "$id" devices --json
quiet uninstall-bundle dbus-run-session -- flatpak --user uninstall -y --noninteractive --delete-data "$id"
step "Done: built, signed, installed, driven, updated, uninstalled"
