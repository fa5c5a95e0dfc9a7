#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# label-studio-sdk 2.1.2, converter to Pascal VOC: percentages are cut to whole pixels, so that boxes move by one.
# Expected: x = 100 · pixel / width, in a float of 64 bits, comes back as the pixel that it was made from.
# Seen: in pictures of 480 to 4000 pixels up to every sixth left edge comes back one pixel further left, and every second where the
# percentage was written with nine digits; which ones depends on the last bit of the quotient, and int() takes the pixel below.
# Sightline writes the next larger float where that happens, with all its digits; ./dev peers runs this converter on its export.
set -euo pipefail
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
python3 -m venv "$root/venv"
"$root/venv/bin/pip" -q install label-studio-sdk==2.1.2 || { echo "not on PyPI any more"; exit 77; }
cat >"$root/convert.py" <<'PY'
import contextlib, io, json, pathlib, sys, xml.etree.ElementTree as tree
from label_studio_sdk.converter import Converter

root = pathlib.Path(sys.argv[1])
config = root / "config.xml"
config.write_text('<View><Image name="image" value="$image"/><RectangleLabels name="label" toName="image"><Label value="a"/>'
                  "</RectangleLabels></View>")

def moved(width, write):
    def region(n, x):
        return {"id": str(n), "type": "rectanglelabels", "from_name": "label", "to_name": "image", "original_width": width,
                "original_height": 100, "value": {"x": write(100 * x / width), "y": 0, "width": 1, "height": 50, "rotation": 0,
                                                  "rectanglelabels": ["a"]}}
    edges = list(range(1, width - 20))
    task = {"id": 1, "data": {"image": "a.png"}, "annotations": [{"result": [region(n, x) for n, x in enumerate(edges)]}]}
    tasks, out = root / "tasks.json", root / f"out-{width}-{write.__name__}"
    tasks.write_text(json.dumps([task]))
    with contextlib.redirect_stdout(io.StringIO()):
        Converter(str(config), str(root), download_resources=False).convert_to_voc(str(tasks), str(out), is_dir=False)
    (path,) = (out / "Annotations").glob("*.xml")
    back = [int(item.findtext("bndbox/xmin")) for item in tree.parse(path).getroot().iter("object")]
    assert len(back) == len(edges)
    return sum(a != b for a, b in zip(edges, back)) / len(edges), {b - a for a, b in zip(edges, back)}

def all_digits(x):
    return x

def nine_digits(x):
    return float(f"{x:.9g}")

worst = {}
for width in (480, 640, 997, 1920, 4000):
    for write in (all_digits, nine_digits):
        share, steps = moved(width, write)
        worst[write] = max(worst.get(write, 0), share)
        print(f"{width:5} pixels, {write.__name__}: {share:.1%} of left edges moved, by {sorted(steps)}")
        assert steps <= {-1, 0}
assert 0.05 < worst[all_digits] < 0.2 and 0.3 < worst[nine_digits] < 0.7, "changed"
PY
"$root/venv/bin/python" "$root/convert.py" "$root" 2>/dev/null
