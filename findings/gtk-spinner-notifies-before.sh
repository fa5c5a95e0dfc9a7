#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# GTK 4.8.3: GtkSpinner announces "notify::spinning" before the property has its new value.
# Expected: as everywhere in GObject, whoever hears the signal reads the new value, so that a binding follows its source.
# Seen: what is bound to "spinning" has the value before: a button that is visible while a spinner spins is hidden when it starts and
# shown when it stops, for good.
# Sightline binds the other way about: the spinner follows the button.
set -euo pipefail
packages=(libgtk-4-1=4.8.3+ds-2+deb12u1 libgtk-4-bin=4.8.3+ds-2+deb12u1 libgraphene-1.0-0=1.10.8-1)
root=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill "$server"; rm -rf "$root"' EXIT
cd "$root"
apt-get download -q "${packages[@]}" >/dev/null || { echo "not in the archive any more: ${packages[*]}"; exit 77; }
for package in *.deb; do dpkg -x "$package" .; done
export LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu HOME=$root XDG_RUNTIME_DIR=$root GDK_BACKEND=broadway BROADWAY_DISPLAY=:77 GTK_A11Y=none
usr/bin/gtk4-broadwayd --unixsocket "$root/browser" :77 >server.log 2>&1 &
server=$!

cat >spinner.py <<'PY'
import ctypes, time
gtk, gobject = ctypes.CDLL("libgtk-4.so.1"), ctypes.CDLL("libgobject-2.0.so.0")
for _ in range(100):  # the server may not listen yet
    if gtk.gtk_init_check():
        break
    time.sleep(0.1)
gtk.gtk_spinner_new.restype = gtk.gtk_button_new.restype = gobject.g_object_bind_property.restype = ctypes.c_void_p
spinner, button = ctypes.c_void_p(gtk.gtk_spinner_new()), ctypes.c_void_p(gtk.gtk_button_new())
gobject.g_object_bind_property(spinner, b"spinning", button, b"visible", 2)  # G_BINDING_SYNC_CREATE
print("GTK %d.%d.%d" % (gtk.gtk_get_major_version(), gtk.gtk_get_minor_version(), gtk.gtk_get_micro_version()))
for name, call in ("started", gtk.gtk_spinner_start), ("stopped", gtk.gtk_spinner_stop):
    call(spinner)
    print(f"{name}: spinning {gtk.gtk_spinner_get_spinning(spinner)}, bound {gtk.gtk_widget_get_visible(button)}")
PY
seen=$(python3 spinner.py)
echo "$seen"
[[ $seen == "GTK 4.8.3
started: spinning 1, bound 0
stopped: spinning 0, bound 1" ]]
