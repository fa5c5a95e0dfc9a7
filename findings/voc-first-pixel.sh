#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# supervision 0.31.2, globox 2.9.0, datumaro 1.13.12: one Pascal VOC file, two places for its boxes.
# Expected: the corners 1, 1, 100, 80 in a picture of 100 × 80 pixels are the whole picture, as the format counts: its first pixel is 1.
# Seen: supervision has 0, 0, 100, 80. globox, and datumaro as it is called without more, have 1, 1, 100, 80, a row and a column less;
# datumaro has the picture with coordinate_mode="voc-one-based". Boxes that go through one and are scored against another's lose a pixel
# on two sides: the IoU of a box of 8 × 8 with itself is 0.77.
# Sightline writes corners that count from 1, and docs/exports.md names the mode.
set -euo pipefail
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
python3 -m venv "$root/venv"
"$root/venv/bin/pip" -q install supervision==0.31.2 globox==2.9.0 datumaro==1.13.12 pillow==12.3.0 || { echo "not on PyPI any more"; exit 77; }
cat >"$root/show.py" <<'PY'
import pathlib, sys
from PIL import Image
import datumaro, globox, supervision

root = pathlib.Path(sys.argv[1]) / "set"
for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
    (root / folder).mkdir(parents=True)
Image.new("RGB", (100, 80)).save(root / "JPEGImages/a.jpg")
(root / "ImageSets/Main/default.txt").write_text("a\n")
(root / "labelmap.txt").write_text("# label:color_rgb:parts:actions\nthing:::\n")
(root / "Annotations/a.xml").write_text(
    "<annotation><folder>JPEGImages</folder><filename>a.jpg</filename><size><width>100</width><height>80</height><depth>3</depth></size>"
    "<segmented>0</segmented><object><name>thing</name><pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>"
    "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>100</xmax><ymax>80</ymax></bndbox></object></annotation>")

def with_datumaro(**options):
    (item,) = datumaro.Dataset.import_from(str(root), "voc", **options)
    return list(item.annotations[0].points)

((_, _, found),) = supervision.DetectionDataset.from_pascal_voc(str(root / "JPEGImages"), str(root / "Annotations"))
(annotation,) = globox.AnnotationSet.from_pascal_voc(root / "Annotations")
(box,) = annotation.boxes
seen = {"supervision": found.xyxy[0].tolist(), "globox": [box.xmin, box.ymin, box.xmax, box.ymax], "datumaro": with_datumaro(),
        "datumaro, voc-one-based": with_datumaro(coordinate_mode="voc-one-based")}
for name, corners in seen.items():
    print(f"{name}: {corners}")
assert seen["supervision"] == seen["datumaro, voc-one-based"] == [0, 0, 100, 80]
assert seen["globox"] == seen["datumaro"] == [1, 1, 100, 80]
PY
"$root/venv/bin/python" "$root/show.py" "$root" 2>/dev/null
