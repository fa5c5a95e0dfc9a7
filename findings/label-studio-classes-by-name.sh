#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# label-studio-sdk 2.1.2, converter: YOLO and COCO number the classes by their names' alphabet, not as the labelling set-up lists them.
# Expected: with zebra, car, ant in the set-up, zebra is 0, as in the program itself and in whatever numbered them before.
# Seen: ant is 0, zebra 2. A label that is added later renumbers those behind it, and a model trained on the export before then names
# other things. With category="0", "1", … beside each value the numbers are those; the attribute is read by nothing else.
# Sightline's label-config.xml gives each label its category, so that a set that goes there and comes back keeps its numbers.
set -euo pipefail
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
python3 -m venv "$root/venv"
"$root/venv/bin/pip" -q install label-studio-sdk==2.1.2 pillow==12.3.0 || { echo "not on PyPI any more"; exit 77; }
cat >"$root/show.py" <<'PY'
import json, logging, pathlib, sys
from PIL import Image
from label_studio_sdk.converter import Converter

root = pathlib.Path(sys.argv[1])
Image.new("RGB", (100, 100)).save(root / "a.png")
box = {"x": 10, "y": 10, "width": 20, "height": 20, "rotation": 0, "rectanglelabels": ["zebra"]}
result = [{"id": "1", "type": "rectanglelabels", "from_name": "label", "to_name": "image", "original_width": 100, "original_height": 100,
           "image_rotation": 0, "value": box}]
(root / "tasks").mkdir()
(root / "tasks" / "1.json").write_text(json.dumps([{"id": 1, "data": {"image": str(root / "a.png")},
                                                    "annotations": [{"id": 1, "result": result}]}]))

def convert(name, labels):
    config = ('<View><Image name="image" value="$image"/><RectangleLabels name="label" toName="image">' + labels +
              "</RectangleLabels></View>")
    converter = Converter(config, str(root), download_resources=False)
    yolo, coco = root / (name + "-yolo"), root / (name + "-coco")
    converter.convert_to_yolo(str(root / "tasks"), str(yolo), output_image_dir=str(yolo / "images"), is_dir=True)
    converter.convert_to_coco(str(root / "tasks"), str(coco), output_image_dir=str(coco / "images"), is_dir=True)
    (label,) = (yolo / "labels").iterdir()
    return ((yolo / "classes.txt").read_text().split(), int(label.read_text().split()[0]),
            {c["name"]: c["id"] for c in json.loads((coco / "result.json").read_text())["categories"]})

plain = convert("plain", '<Label value="zebra"/><Label value="car"/><Label value="ant"/>')
numbered = convert("numbered", '<Label value="zebra" category="0"/><Label value="car" category="1"/><Label value="ant" category="2"/>')
for name, (classes, number, categories) in (("as listed", plain), ("with category", numbered)):
    print(f"{name}: classes.txt {classes}, the zebra is class {number}, COCO {categories}")
assert plain == (["ant", "car", "zebra"], 2, {"ant": 0, "car": 1, "zebra": 2})
assert numbered == (["zebra", "car", "ant"], 0, {"zebra": 0, "car": 1, "ant": 2})
PY
"$root/venv/bin/python" "$root/show.py" "$root" 2>/dev/null
