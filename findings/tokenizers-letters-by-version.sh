#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tokenizers 0.15.2 and 0.23.3: one tokenizer.json, one text, other pieces.
# Expected: the file fixes how a text is cut; a newer version of the library reads it alike.
# Seen: "\p{L}+" takes 𐵊 (U+10D4A) and 𞗐 (U+1E5D0), letters since Unicode 16, for letters in the newer version only, so that a word of
# them is one piece there and several here, and a vocabulary gives other ids: 9,272 code points. What a letter is comes with the library.
# Sightline goes with the older one, with which these models were made (docs/parity.md).
set -euo pipefail
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
cat >"$root/show.py" <<'PY'
import sys, unicodedata
import tokenizers
from tokenizers import Regex
from tokenizers.pre_tokenizers import Split

cut = Split(Regex(r"\p{L}+"), "isolated")
others = map(chr, (*range(0x80, 0xd800), *range(0xe000, 0x110000)))
letters = [c for c in others if cut.pre_tokenize_str("a" + c)[0][0] == "a" + c]
print(len(letters), *[len(cut.pre_tokenize_str("a" + c + "a")) for c in ("é", "\U00010d4a", "\U0001e5d0")])
PY
for version in 0.15.2 0.23.3; do
    python3 -m venv "$root/$version"
    "$root/$version/bin/pip" -q install --no-deps "tokenizers==$version" 2>/dev/null ||
        { echo "not on PyPI any more: tokenizers $version"; exit 77; }
    "$root/$version/bin/python" "$root/show.py" >"$root/$version.txt"
    echo "tokenizers $version: letters beyond ASCII, pieces of aéa, a𐵊a, a𞗐a: $(cat "$root/$version.txt")"
done
[[ $(cat "$root/0.15.2.txt") == "131704 1 3 3" && $(cat "$root/0.23.3.txt") == "140976 1 1 1" ]]
