#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Both commands of the README where nothing is but git: for each suite and command a bare chroot of its own in namespaces of its own,
# with nothing of this machine in it (no mount, no variable, no package; apt's proxy and its trust in the clock aside), into which the
# last commit is cloned. What a command needs and does not install cannot hide there. Prints one line per suite; everything is kept
# below build-fresh/, the chroots only of what failed. Called by `./dev fresh`, as root.
# run.sh [run | test] [SUITE…]
set -euo pipefail
root=$(dirname "$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")")
work=$root/build-fresh
supported=(bookworm trixie) # what README.md promises

die() { printf 'fresh: %s\n' "$*" >&2; exit 1; }

# inside CHROOT COMMAND…: all that it starts ends with it.
inside() {
    local box=$1
    shift
    unshare --mount --pid --fork --kill-child --mount-proc="$box/proc" sh -c 'box=$1; shift
        mount -t sysfs -o ro sysfs "$box/sys" && mount -t devpts -o newinstance,ptmxmode=0666 devpts "$box/dev/pts" &&
            mount -t tmpfs tmpfs "$box/dev/shm" && exec chroot "$box" "$@"' sh "$box" \
        env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root CI=true "$@" </dev/null
}

# bare SUITE FOLDER: what a new machine has, and git.
bare() {
    local options
    options=$(apt-config dump | grep -E '^Acquire::(https?::Proxy|Check-)' || true)
    printf '%s\n' "$options" 'Acquire::Languages "none";' >"$work/apt.conf"
    rm -rf "$2"
    mmdebstrap --mode=root --variant=minbase --include=git,ca-certificates --aptopt="$work/apt.conf" "$1" "$2" >"$2.log" 2>&1 ||
        { tail -n 20 "$2.log" >&2; die "$1 cannot be installed (see $2.log)"; }
}

# try SUITE COMMAND: leaves a few words in $said; the whole output is in the log.
try() {
    local box=$work/$1-$2 log=$work/$1-$2.log status=0 begin=$SECONDS
    cp -a "$work/$1" "$box"
    cp "$work/sightline.bundle" "$box/root/"
    inside "$box" sh -c 'cd && git clone -q sightline.bundle sightline && cd sightline && exec ./dev "$1"' sh "$2" >"$log" 2>&1 || status=$?
    # Without a display the picture with its boxes is what `run` is for.
    [[ $2 != run || -s $box/root/.cache/sightline/boxes.png ]] || status=${status/#0/no picture}
    said="$2 $([[ $status == 0 ]] && echo works || echo "fails ($status)") after $(((SECONDS - begin + 59) / 60)) min"
    [[ $2 != test ]] || said+=", $(tail -n 1 "$log")"
    [[ $status == 0 ]] || { said+="; see $log"; return 1; }
    rm -rf "$box"
}

commands=() suites=()
for word; do
    case $word in
    run | test) commands+=("$word") ;;
    *)
        [[ " ${supported[*]} " == *" $word "* ]] || die "'$word' is neither run nor test nor a supported suite (${supported[*]})"
        suites+=("$word")
        ;;
    esac
done
((${#commands[@]})) || commands=(run test)
((${#suites[@]})) || suites=("${supported[@]}")
((EUID == 0)) || die "a chroot needs root"
mkdir -p "$work"
git -c safe.directory='*' -C "$root" bundle create -q "$work/sightline.bundle" HEAD

failed=0
for suite in "${suites[@]}"; do
    bare "$suite" "$work/$suite"
    line=$suite
    for command in "${commands[@]}"; do
        rm -rf "$work/$suite-$command"
        try "$suite" "$command" || failed=1
        line+=$([[ $line == "$suite" ]] && echo ": " || echo "; ")$said
    done
    rm -rf "${work:?}/$suite"
    echo "$line"
done
exit "$failed"
