#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# label-studio-sdk 2.1.2, converters: a task that has predictions and no annotations becomes a picture without boxes, or nothing.
# Expected: tasks that Label Studio itself imports and shows with their boxes convert with those boxes, or are refused.
# Seen: to COCO the image is there with 0 annotations, to VOC there is no file for it; both report success, with a line in the log.
# For training that says "there is nothing here" of every picture. Sightline writes an annotation beside each prediction.
set -euo pipefail
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
python3 -m venv "$root/venv"
"$root/venv/bin/pip" -q install label-studio-sdk==2.1.2 || { echo "not on PyPI any more"; exit 77; }
cat >"$root/convert.py" <<'PY'
import json, pathlib, sys
from label_studio_sdk.converter import Converter

root = pathlib.Path(sys.argv[1])
config = root / "config.xml"
config.write_text('<View><Image name="image" value="$image"/><RectangleLabels name="label" toName="image"><Label value="a"/>'
                  "</RectangleLabels></View>")
result = [{"id": "1", "type": "rectanglelabels", "from_name": "label", "to_name": "image", "original_width": 200, "original_height": 100,
           "value": {"x": 10, "y": 10, "width": 20, "height": 50, "rotation": 0, "rectanglelabels": ["a"]}}]
seen = {}
for kind in ("annotations", "predictions"):
    tasks = root / f"{kind}.json"
    tasks.write_text(json.dumps([{"id": 1, "data": {"image": "a.png"}, kind: [{"result": result}]}]))
    converter = Converter(str(config), str(root), download_resources=False)
    converter.convert_to_coco(str(tasks), str(root / f"coco-{kind}"), is_dir=False)
    converter.convert_to_voc(str(tasks), str(root / f"voc-{kind}"), is_dir=False)
    coco = json.loads((root / f"coco-{kind}" / "result.json").read_text())
    seen[kind] = len(coco["annotations"]), len(list((root / f"voc-{kind}").rglob("*.xml")))
    print(f"{kind}: COCO has {len(coco['images'])} images with {seen[kind][0]} boxes, VOC has {seen[kind][1]} files")
assert seen == {"annotations": (1, 1), "predictions": (0, 0)}, "changed"
PY
"$root/venv/bin/python" "$root/convert.py" "$root" 2>/dev/null
