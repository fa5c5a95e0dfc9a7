#!/bin/sh
# SPDX-License-Identifier: MIT
# Every string of po/POTFILES is translated in every language of po/LINGUAS, with the same format directives. Languages whose file
# says that it is a draft may miss strings, which are then shown in English; what they have is checked all the same.
# translations.sh ROOT; prints file:line: sentence for what is missing.
set -eu
cd "$1"
pot=$(mktemp)
trap 'rm -f "$pot"' EXIT
xgettext --files-from=po/POTFILES --from-code=UTF-8 --add-comments --output="$pot" \
    --keyword=_ --keyword=N_ --keyword=C_:1c,2 --keyword=NC_:1c,2 --keyword=g_dngettext:2,3 --keyword=g_dpgettext2:2c,3
status=0
while read -r language; do
    msgfmt --check-format --check-domain -o /dev/null "po/$language.po" || status=1
    grep -q '^# A draft:' "po/$language.po" || msgcmp "po/$language.po" "$pot" || status=1
done <po/LINGUAS
exit $status
